// SPDX-License-Identifier: MIT
/* Opening devices, queries, references; no descriptor may be left open. */

#include <fcntl.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"

static void getters_agree_with_query(void)
{
	struct ferry_device *dev = open_or_skip();
	struct drm_ferry_device_query info;

	memset(&info, 0xff, sizeof(info));
	CHECK_OK(ferry_device_query(dev, &info, sizeof(info)));

	CHECK(info.version >= 1);
	CHECK(info.aperture_size >= PAGE);
	CHECK_EQ(info.aperture_size % PAGE, 0);
	CHECK(info.aperture_free <= info.aperture_size);
	CHECK(info.page_sizes & PAGE);
	CHECK(info.max_bo_size >= PAGE);
	CHECK(info.aperture_memtype <= DRM_FERRY_MEMTYPE_WB);
	CHECK(info.aperture_memtype_requested <= DRM_FERRY_MEMTYPE_WB);
	CHECK_EQ(info.flags | info.pad | info.pad2, 0);

	CHECK_EQ(ferry_device_aperture_size(dev), info.aperture_size);
	CHECK_EQ(ferry_device_aperture_memtype(dev), info.aperture_memtype);
	CHECK_EQ(ferry_device_page_sizes(dev), info.page_sizes);
	CHECK_EQ(ferry_device_max_bo_size(dev), info.max_bo_size);
	CHECK_EQ(ferry_device_features(dev), info.features);
	ferry_device_del(dev);
}

/* Queries of programs that are compiled with an older and with a newer header. */
static void query_of_other_sizes(void)
{
	struct ferry_device *dev = open_or_skip();
	struct {
		struct drm_ferry_device_query info;
		uint64_t future;
		uint64_t guard;
	} newer;

	memset(&newer, 0xff, sizeof(newer));
	CHECK_OK(ferry_device_query(dev, &newer.info,
				    offsetof(__typeof__(newer), guard)));
	CHECK_EQ(newer.info.aperture_size, ferry_device_aperture_size(dev));
	CHECK_EQ(newer.future, 0);
	CHECK_EQ(newer.guard, -1);

	memset(&newer, 0xff, sizeof(newer));
	CHECK_OK(ferry_device_query(dev, &newer.info, 12));
	CHECK(newer.info.version >= 1 && newer.info.version != UINT32_MAX);
	CHECK_EQ(newer.info.aperture_memtype, UINT32_MAX);
	ferry_device_del(dev);
}

static void every_node(void)
{
	struct ferry_device *dev = open_or_skip();
	drmDevicePtr nodes;
	int opened = 0;

	CHECK_OK(drmGetDevice2(ferry_device_fd(dev), 0, &nodes));
	/* ferry_device_open() prefers the render node. */
	if (nodes->available_nodes & (1 << DRM_NODE_RENDER))
		CHECK_EQ(drmGetNodeTypeFromFd(ferry_device_fd(dev)),
			 DRM_NODE_RENDER);

	for (int kind = 0; kind < DRM_NODE_MAX; kind++) {
		struct ferry_device *other;

		if (!(nodes->available_nodes & (1 << kind)))
			continue;
		CHECK_OK(ferry_device_open_node(nodes->nodes[kind], &other));
		CHECK(other != dev);
		CHECK_EQ(ferry_device_aperture_size(other),
			 ferry_device_aperture_size(dev));
		ferry_device_del(other);
		opened++;
	}
	CHECK(opened >= 1);
	drmFreeDevice(&nodes);
	ferry_device_del(dev);
}

static void descriptor_stays_the_callers(void)
{
	struct ferry_device *first = open_or_skip();
	char *path = drmGetDeviceNameFromFd2(ferry_device_fd(first));
	struct ferry_device *dev;
	struct ferry_bo *bo;
	int fd;

	CHECK(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, &dev));
	CHECK(dev != first);
	CHECK(ferry_device_fd(dev) != fd);
	CHECK(fcntl(ferry_device_fd(dev), F_GETFD) & FD_CLOEXEC);

	/* The library has its own descriptor: the device still works. */
	CHECK_EQ(close(fd), 0);
	bo = new_bo(dev, PAGE, 0);
	ferry_bo_del(bo);

	ferry_device_del(dev);
	ferry_device_del(first);
	free(path);
}

static void one_device_per_open_file(void)
{
	struct ferry_device *dev = open_or_skip();
	struct ferry_device *same, *other;
	int fd = dup(ferry_device_fd(dev));

	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, &same));
	CHECK(same == dev);
	CHECK_EQ(close(fd), 0);

	other = open_or_skip();
	CHECK(other != dev);

	/* After one of two references is dropped the device is still open. */
	ferry_device_del(dev);
	CHECK_EQ(fcntl(ferry_device_fd(same), F_GETFD), FD_CLOEXEC);
	ferry_device_del(same);
	ferry_device_del(other);
}

static void bo_keeps_the_device(void)
{
	struct ferry_device *dev = open_or_skip();
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);

	CHECK(ferry_bo_device(bo) == dev);
	CHECK(ferry_device_ref(dev) == dev);
	ferry_device_del(dev);
	ferry_device_del(dev);
	fill(map_bo(bo), PAGE, 1);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	check_filled(map_bo(bo), PAGE, 1);
	ferry_bo_del(bo);
}

int main(void)
{
	int fds = count_fds();

	RUN(getters_agree_with_query);
	RUN(query_of_other_sizes);
	RUN(every_node);
	RUN(descriptor_stays_the_callers);
	RUN(one_device_per_open_file);
	RUN(bo_keeps_the_device);

	/* Every device was closed. */
	CHECK_EQ(count_fds(), fds);
	return 0;
}
