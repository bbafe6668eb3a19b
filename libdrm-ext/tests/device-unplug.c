// SPDX-License-Identifier: MIT
/*
 * The device goes while a program uses it: its mappings stay usable, every call
 * says -ENODEV, everything can still be dropped, and the device can come back.
 *
 * Unbinds the driver through sysfs, and so needs root.
 */

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"

#define SYSFS_DRIVER "/sys/bus/pci/drivers/ferry/"

/* Address of the device, such as 0000:00:02.0. */
static char address[32];

static void find_address(struct ferry_device *dev)
{
	drmDevicePtr node;

	CHECK_OK(drmGetDevice2(ferry_device_fd(dev), 0, &node));
	CHECK_EQ(node->bustype, DRM_BUS_PCI);
	snprintf(address, sizeof(address), "%04x:%02x:%02x.%x",
		 node->businfo.pci->domain, node->businfo.pci->bus,
		 node->businfo.pci->dev, node->businfo.pci->func);
	drmFreeDevice(&node);
}

static void tell_driver(const char *what)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), SYSFS_DRIVER "%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, address, strlen(address)), strlen(address));
	close(fd);
}

static bool is_bound(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SYSFS_DRIVER "%s", address);
	return access(path, F_OK) == 0;
}

static void every_call_says_so(struct ferry_device *dev, struct ferry_bo *bo,
			       int dmabuf)
{
	struct ferry_bo_move move = { bo, APERTURE };
	struct drm_ferry_device_query device_info;
	struct drm_ferry_bo_query bo_info;
	struct ferry_bo *other;
	uint64_t offset;

	CHECK_EQ(ferry_device_query(dev, &device_info, sizeof(device_info)),
		 -ENODEV);
	CHECK_EQ(ferry_bo_query(bo, &bo_info, sizeof(bo_info)), -ENODEV);
	CHECK_EQ(ferry_bo_new(dev, PAGE, ANYWHERE, 0, &other), -ENODEV);
	CHECK_EQ(ferry_bo_migrate(bo, SYSTEM), -ENODEV);
	CHECK_EQ(ferry_bo_migrate_many(dev, &move, 1), -ENODEV);
	CHECK_EQ(ferry_bo_mmap_offset(bo, 0, &offset), -ENODEV);
	CHECK_EQ(ferry_bo_to_dmabuf(bo), -ENODEV);
	CHECK_EQ(ferry_bo_from_dmabuf(dev, dmabuf, &other), -ENODEV);
	CHECK_EQ(ferry_bo_from_handle(dev, 12345678, &other), -ENODEV);
}

/* A new client fills the aperture; the old mapping must not be a way into it. */
static void nothing_in_common(struct ferry_device *dev, char *old,
			      uint64_t old_size)
{
	struct drm_ferry_device_query info;
	struct ferry_bo *bo;
	uint64_t size;

	CHECK_OK(ferry_device_query(dev, &info, sizeof(info)));
	size = info.aperture_free / 4 * 3;
	size -= size % PAGE;
	bo = new_bo(dev, size, FERRY_BO_START_APERTURE);
	check_zero(map_bo(bo), size);
	fill(map_bo(bo), size, 4);
	check_filled(old, old_size, 5);

	fill(old, old_size, 6);
	check_filled(map_bo(bo), size, 4);
	CHECK_OK(ferry_bo_migrate(bo, SYSTEM));
	check_filled(map_bo(bo), size, 4);
	ferry_bo_del(bo);
}

static void gone_and_back(struct ferry_device *dev)
{
	const uint64_t size = 16 * PAGE;
	struct ferry_bo *down = new_bo(dev, size, 0);
	struct ferry_bo *up = new_bo(dev, size, FERRY_BO_START_APERTURE);
	struct ferry_bo *unmapped = new_bo(dev, size, 0);
	uint64_t aperture = ferry_device_aperture_size(dev);
	int dmabuf = ferry_bo_to_dmabuf(down);
	struct ferry_device *again;
	struct ferry_bo *bo;
	void *map;

	CHECK(dmabuf >= 0);
	fill(map_bo(down), size, 1);
	fill(map_bo(up), size, 2);

	tell_driver("unbind");
	CHECK(!is_bound());

	/* What was in system memory is still there; nothing gives SIGBUS. */
	check_filled(map_bo(down), size, 1);
	fill(map_bo(down), size, 3);
	check_filled(map_bo(down), size, 3);
	fill(map_bo(up), size, 5);
	check_filled(map_bo(up), size, 5);

	every_call_says_so(dev, down, dmabuf);
	CHECK_EQ(ferry_bo_map(unmapped, &map), -ENODEV);
	CHECK_EQ(ferry_device_aperture_size(dev), aperture);

	tell_driver("bind");
	CHECK(is_bound());

	/* The old file stays dead next to the new one. */
	CHECK_OK(ferry_device_open(&again));
	CHECK(again != dev);
	CHECK_EQ(ferry_bo_new(dev, PAGE, ANYWHERE, 0, &bo), -ENODEV);
	check_filled(map_bo(down), size, 3);

	nothing_in_common(again, map_bo(up), size);
	ferry_device_del(again);

	close(dmabuf);
	ferry_bo_del(down);
	ferry_bo_del(up);
	ferry_bo_del(unmapped);
}

int main(void)
{
	struct ferry_device *dev = open_or_skip();
	int fds = count_fds();

	find_address(dev);
	if (access(SYSFS_DRIVER "unbind", W_OK)) {
		printf("SKIP: may not unbind: %s\n", strerror(errno));
		return EXIT_SKIP;
	}
	RUN(gone_and_back, dev);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
