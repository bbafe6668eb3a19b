// SPDX-License-Identifier: MIT
/*
 * Unbind the driver while a program uses the device: mappings stay usable, each call fails
 * with -ENODEV, all objects can still be dropped. Then bind it again.
 *
 * Writes to sysfs, and so needs root.
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

static void write_driver(const char *attribute)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), SYSFS_DRIVER "%s", attribute);
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

static void every_call_fails(struct ferry_device *dev, struct ferry_bo *bo,
			     int dmabuf)
{
	struct ferry_bo_move move = { .bo = bo, .placement = APERTURE };
	struct drm_ferry_sync sync = { .handle = 1, .point = 1 };
	struct drm_ferry_device_query device_info;
	struct drm_ferry_bo_query bo_info;
	struct ferry_bo *other;
	uint32_t failed = 99;
	uint64_t offset;

	CHECK_EQ(ferry_device_query(dev, &device_info, sizeof(device_info)),
		 -ENODEV);
	CHECK_EQ(ferry_bo_query(bo, &bo_info, sizeof(bo_info)), -ENODEV);
	CHECK_EQ(ferry_bo_new(dev, PAGE, ANYWHERE, 0, &other), -ENODEV);
	CHECK_EQ(ferry_bo_migrate(bo, SYSTEM), -ENODEV);
	CHECK_EQ(ferry_bo_migrate_many(dev, &move, 1, &failed), -ENODEV);
	CHECK_EQ(failed, 1);
	CHECK_EQ(ferry_bo_mmap_offset(bo, 0, &offset), -ENODEV);
	CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -ENODEV);
	CHECK_EQ(ferry_bo_from_dmabuf(dev, dmabuf, 0, &other), -ENODEV);
	CHECK_EQ(ferry_bo_from_handle(dev, 12345678, &other), -ENODEV);
	CHECK_EQ(ferry_bo_cpu_begin(bo, FERRY_CPU_READ), -ENODEV);
	CHECK_EQ(ferry_bo_cpu_end(bo, FERRY_CPU_READ), -ENODEV);
	CHECK_EQ(ferry_bo_migrate_fence(dev, &move, 1, NULL, 0, &failed),
		 -ENODEV);
	CHECK_EQ(failed, 1);
	CHECK_EQ(ferry_sync_fence(dev, &sync), -ENODEV);
	CHECK_EQ(ferry_sync_wait(dev, &sync, 1, 0, 0), -ENODEV);
}

/* Fill the aperture as a new client: the old mapping must not access its memory. */
static void old_mapping_is_separate(struct ferry_device *dev, char *old,
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

static unsigned long free_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	CHECK(meminfo);
	while (fgets(line, sizeof(line), meminfo)) {
		if (sscanf(line, "MemFree: %lu kB", &kib) == 1)
			break;
	}
	fclose(meminfo);
	CHECK(kib);
	return kib;
}

/*
 * The kernel refuses to close handles of a device that is gone: the memory of its BOs is freed
 * with the open file, and so with the last reference to the device.
 */
static void memory_after_unbind(void)
{
	const uint64_t size = 256ull << 20;
	struct ferry_device *dev = open_or_skip();
	struct ferry_bo *bo;
	unsigned long kept;

	CHECK_OK(ferry_bo_new(dev, size, SYSTEM, 0, &bo));
	fill(map_bo(bo), size, 1);
	CHECK_OK(ferry_bo_unmap(bo));
	write_driver("unbind");
	ferry_bo_del(bo);
	kept = free_kib();
	ferry_device_del(dev);
	/* The kernel can keep some of the pages in pools. */
	CHECK(free_kib() >= kept + size / 1024 / 2);
	write_driver("bind");
	CHECK(is_bound());
}

static void unbind_with_a_picture(void)
{
	struct ferry_display *display, *other;
	struct ferry_device *dev;
	int err = ferry_device_open(FERRY_OPEN_DISPLAY, &dev);

	if (err == -ENODEV) {
		printf("note: no device has a display\n");
		return;
	}
	CHECK_OK(err);
	CHECK_OK(ferry_display_new(dev, 0, 0, 0, &display));
	CHECK_OK(ferry_display_flip(display));
	write_driver("unbind");
	CHECK_EQ(ferry_display_flip(display), -ENODEV);
	CHECK_EQ(ferry_display_damage(display, 0, 0, 1, 1), -ENODEV);
	CHECK_EQ(ferry_display_new(dev, 0, 0, 0, &other), -ENODEV);
	ferry_display_del(display);
	ferry_device_del(dev);
	write_driver("bind");
	CHECK(is_bound());
}

static void unbind_and_bind(struct ferry_device *dev)
{
	const uint64_t size = 16 * PAGE;
	struct ferry_bo *in_system = new_bo(dev, size, 0);
	struct ferry_bo *in_aperture =
		new_bo(dev, size, FERRY_BO_START_APERTURE);
	struct ferry_bo *unmapped = new_bo(dev, size, 0);
	uint64_t aperture = ferry_device_aperture_size(dev);
	int dmabuf = ferry_bo_to_dmabuf(in_system, 0);
	struct ferry_device *again;
	struct ferry_bo *bo;
	void *map;

	CHECK(dmabuf >= 0);
	fill(map_bo(in_system), size, 1);
	fill(map_bo(in_aperture), size, 2);

	write_driver("unbind");
	CHECK(!is_bound());

	/* Both mappings are usable, and the BO in system memory has its contents. */
	check_filled(map_bo(in_system), size, 1);
	fill(map_bo(in_system), size, 3);
	check_filled(map_bo(in_system), size, 3);
	fill(map_bo(in_aperture), size, 5);
	check_filled(map_bo(in_aperture), size, 5);

	every_call_fails(dev, in_system, dmabuf);
	CHECK_EQ(ferry_bo_map(unmapped, 0, &map), -ENODEV);
	CHECK_EQ(ferry_device_aperture_size(dev), aperture);

	write_driver("bind");
	CHECK(is_bound());

	/* Calls on the old file still fail. */
	CHECK_OK(ferry_device_open(0, &again));
	CHECK(again != dev);
	CHECK_EQ(ferry_bo_new(dev, PAGE, ANYWHERE, 0, &bo), -ENODEV);
	check_filled(map_bo(in_system), size, 3);

	old_mapping_is_separate(again, map_bo(in_aperture), size);
	ferry_device_del(again);

	close(dmabuf);
	ferry_bo_del(in_system);
	ferry_bo_del(in_aperture);
	ferry_bo_del(unmapped);
}

int main(void)
{
	struct ferry_device *dev = open_or_skip();
	int fds = count_fds();

	find_address(dev);
	if (access(SYSFS_DRIVER "unbind", W_OK)) {
		printf("SKIP: cannot unbind the driver: %s\n", strerror(errno));
		return EXIT_SKIP;
	}
	RUN(unbind_and_bind, dev);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	RUN(memory_after_unbind);
	RUN(unbind_with_a_picture);
	CHECK_EQ(count_fds(), fds - 1);
	return 0;
}
