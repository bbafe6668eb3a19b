// SPDX-License-Identifier: MIT
/*
 * One open file must have one BO object for each handle: if there were two, dropping one
 * would close the handle that the other still uses. Two open files have two objects.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"

static struct ferry_device *dev;

static int export(struct ferry_bo *bo)
{
	int fd = ferry_bo_to_dmabuf(bo, 0);

	CHECK(fd >= 0);
	return fd;
}

static struct ferry_bo *import(struct ferry_device *device, int fd)
{
	struct ferry_bo *bo;

	CHECK_OK(ferry_bo_from_dmabuf(device, fd, 0, &bo));
	return bo;
}

static void import_of_an_own_bo(void)
{
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);
	int fd = export(bo);
	struct ferry_bo *twin;

	fill(map_bo(bo), 4 * PAGE, 1);
	for (int i = 0; i < 3; i++) {
		twin = import(dev, fd);
		CHECK(twin == bo);
		ferry_bo_del(twin);
	}
	CHECK_OK(ferry_bo_from_handle(dev, ferry_bo_handle(bo), &twin));
	CHECK(twin == bo);
	ferry_bo_del(twin);

	/* All other references are dropped. The handle must still be open. */
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	check_filled(map_bo(bo), 4 * PAGE, 1);
	ferry_bo_del(bo);
	close(fd);
}

/* Only the dma-buf keeps the memory, so each import creates a new handle. */
static void import_of_a_dropped_bo(void)
{
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);
	int fd = export(bo);

	fill(map_bo(bo), 4 * PAGE, 0);
	ferry_bo_del(bo);
	for (int i = 0; i < 5; i++) {
		struct ferry_bo *twin;

		bo = import(dev, fd);
		twin = import(dev, fd);
		CHECK(twin == bo);
		CHECK_EQ(ferry_bo_size(bo), 4 * PAGE);
		check_filled(map_bo(bo), 4 * PAGE, i);
		CHECK_OK(ferry_bo_migrate(bo, i % 2 ? SYSTEM : APERTURE));
		fill(map_bo(bo), 4 * PAGE, i + 1);
		ferry_bo_del(bo);
		CHECK_EQ(ferry_bo_size(twin), 4 * PAGE);
		CHECK_OK(ferry_bo_migrate(twin, SYSTEM));
		ferry_bo_del(twin);
	}
	close(fd);
}

static void import_by_another_open_file(void)
{
	struct ferry_device *other = open_or_skip();
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);
	int fd = export(bo);
	struct ferry_bo *twin = import(other, fd);
	struct ferry_bo *again = import(other, fd);
	uint32_t handle;

	/* Each open file has one handle and one object. */
	CHECK(twin != bo);
	CHECK(again == twin);
	ferry_bo_del(again);
	CHECK(ferry_bo_device(twin) == other);

	/* Both objects are of the same memory: contents and placement are the same. */
	fill(map_bo(bo), 4 * PAGE, 7);
	check_filled(map_bo(twin), 4 * PAGE, 7);
	CHECK_OK(ferry_bo_migrate(twin, APERTURE));
	CHECK_EQ(placement_of(bo), APERTURE);
	fill(map_bo(twin), 4 * PAGE, 8);
	check_filled(map_bo(bo), 4 * PAGE, 8);

	/* The second object is still valid when the first one is dropped. */
	handle = ferry_bo_handle(twin);
	ferry_bo_del(bo);
	check_filled(map_bo(twin), 4 * PAGE, 8);
	CHECK_EQ(ferry_bo_handle(twin), handle);
	CHECK_OK(ferry_bo_migrate(twin, SYSTEM));
	check_filled(map_bo(twin), 4 * PAGE, 8);
	ferry_bo_del(twin);
	close(fd);
	ferry_device_del(other);
}

/* Two device objects of one open file would close each other's handles. */
static void duplicate_descriptor(void)
{
	int fd = dup(ferry_device_fd(dev));
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	int dmabuf = export(bo);
	struct ferry_device *same;
	struct ferry_bo *twin;

	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, 0, &same));
	close(fd);
	twin = import(same, dmabuf);
	CHECK(twin == bo);
	ferry_bo_del(twin);
	ferry_device_del(same);
	CHECK_EQ(placement_of(bo), SYSTEM);
	ferry_bo_del(bo);
	close(dmabuf);
}

/* A handle that a program got from libdrm and gives to the library. */
static void prime_without_the_library(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	struct ferry_bo *twin;
	uint32_t handle;
	int fd = export(bo);

	CHECK_EQ(drmPrimeFDToHandle(ferry_device_fd(dev), fd, &handle), 0);
	CHECK_EQ(handle, ferry_bo_handle(bo));
	CHECK_OK(ferry_bo_from_handle(dev, handle, &twin));
	CHECK(twin == bo);
	ferry_bo_del(bo);
	CHECK_EQ(placement_of(twin), SYSTEM);
	ferry_bo_del(twin);
	close(fd);
}

static uint32_t create_handle(void)
{
	struct drm_ferry_bo_create create = { .size = PAGE,
					      .allowed_placements = SYSTEM };

	CHECK_EQ(drmIoctl(ferry_device_fd(dev), DRM_IOCTL_FERRY_BO_CREATE,
			  &create),
		 0);
	return create.handle;
}

/* The import of a buffer whose handle the program has: the library closes that handle. */
static void import_of_the_callers_handle(void)
{
	uint32_t handle = create_handle();
	struct drm_ferry_bo_query query = { .handle = handle };
	struct ferry_bo *bo;
	int fd;

	CHECK_EQ(drmPrimeHandleToFD(ferry_device_fd(dev), handle,
				    DRM_CLOEXEC | DRM_RDWR, &fd),
		 0);
	CHECK_OK(ferry_bo_from_dmabuf(dev, fd, 0, &bo));
	CHECK_EQ(ferry_bo_handle(bo), handle);
	ferry_bo_del(bo);
	CHECK_EQ(drmIoctl(ferry_device_fd(dev), DRM_IOCTL_FERRY_BO_QUERY,
			  &query),
		 -1);
	CHECK_EQ(errno, ENOENT);
	close(fd);
}

/* Close a handle of the library. The next BO gets its number. */
static void handle_that_others_closed(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0), *next;
	struct drm_gem_close args = { .handle = ferry_bo_handle(bo) };
	struct drm_ferry_bo_query info;
	void *map;

	CHECK_EQ(drmIoctl(ferry_device_fd(dev), DRM_IOCTL_GEM_CLOSE, &args), 0);
	CHECK_EQ(ferry_bo_map(bo, 0, &map), -ENOENT);
	next = new_bo(dev, PAGE, 0);
	CHECK_EQ(ferry_bo_handle(next), args.handle);
	CHECK_EQ(ferry_bo_handle(bo), 0);
	CHECK_EQ(ferry_bo_query(bo, &info, sizeof(info)), -ENOENT);

	/* Only the new BO has the handle, and the old one does not close it. */
	CHECK_EQ(placement_of(next), SYSTEM);
	ferry_bo_del(bo);
	CHECK_EQ(placement_of(next), SYSTEM);
	CHECK_OK(ferry_bo_migrate(next, APERTURE));
	ferry_bo_del(next);
}

/*
 * A back end that closes the handles that it imported, as compositors do, closes the library's
 * on a shared open file. With an open file of its own the library keeps its handles.
 */
static void open_file_of_its_own(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0), *own_bo;
	struct ferry_device *own;
	struct drm_gem_close args;
	int fd = export(bo);
	void *map;

	CHECK_OK(ferry_device_reopen(ferry_device_fd(dev), 0, &own));
	CHECK(own != dev);
	CHECK(!strcmp(ferry_device_address(own), ferry_device_address(dev)));
	own_bo = import(own, fd);
	ferry_bo_del(bo);

	CHECK_EQ(drmPrimeFDToHandle(ferry_device_fd(dev), fd, &args.handle), 0);
	args.pad = 0;
	CHECK_EQ(drmIoctl(ferry_device_fd(dev), DRM_IOCTL_GEM_CLOSE, &args), 0);
	CHECK_OK(ferry_bo_map(own_bo, 0, &map));
	check_zero(map, PAGE);
	ferry_bo_del(own_bo);
	ferry_device_del(own);
	close(fd);
}

/* The next munmap() of the library takes long, and lets the importing thread begin. */
static atomic_bool slow, begun;
static int shared_fd;

int munmap(void *address, size_t size)
{
	if (atomic_exchange(&slow, false)) {
		atomic_store(&begun, true);
		usleep(500000);
	}
	return syscall(SYS_munmap, address, size);
}

static void *import_late(void *arg)
{
	while (!atomic_load(&begun))
		usleep(1000);
	*(struct ferry_bo **)arg = import(dev, shared_fd);
	return NULL;
}

/*
 * Import a BO while its last reference is being dropped: its mapping is removed, but its handle is
 * not closed yet. The import must not return that BO.
 */
static void import_beside_the_last_drop(void)
{
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0), *next;
	pthread_t thread;

	shared_fd = export(bo);
	fill(map_bo(bo), 4 * PAGE, 6);
	CHECK_EQ(pthread_create(&thread, NULL, import_late, &next), 0);
	atomic_store(&slow, true);
	ferry_bo_del(bo);
	CHECK(!atomic_load(&slow));
	CHECK_EQ(pthread_join(thread, NULL), 0);

	/* Allocations that would get the memory of an object that was freed. */
	bo = new_bo(dev, PAGE, 0);
	CHECK(next != bo);
	CHECK_EQ(ferry_bo_size(next), 4 * PAGE);
	CHECK_EQ(placement_of(next), SYSTEM);
	check_filled(map_bo(next), 4 * PAGE, 6);
	CHECK(ferry_bo_handle(next) != ferry_bo_handle(bo));
	ferry_bo_del(bo);
	ferry_bo_del(next);
	close(shared_fd);
}

/* The handle of a dumb buffer, if the device has a display. */
static void dumb_buffer(void)
{
	struct drm_mode_create_dumb dumb = { .width = 64,
					     .height = 16,
					     .bpp = 32 };
	struct ferry_bo *bo;

	if (!(ferry_device_features(dev) & DRM_FERRY_FEATURE_DISPLAY)) {
		printf("note: no display, so no dumb buffers\n");
		return;
	}
	if (drmGetNodeTypeFromFd(ferry_device_fd(dev)) != DRM_NODE_PRIMARY) {
		char *path =
			drmGetPrimaryDeviceNameFromFd(ferry_device_fd(dev));
		struct ferry_device *primary;

		CHECK(path);
		CHECK_OK(ferry_device_open_node(path, 0, &primary));
		free(path);
		ferry_device_del(dev);
		dev = primary;
	}
	CHECK_EQ(drmIoctl(ferry_device_fd(dev), DRM_IOCTL_MODE_CREATE_DUMB,
			  &dumb),
		 0);
	CHECK_OK(ferry_bo_from_handle(dev, dumb.handle, &bo));
	CHECK(ferry_bo_size(bo) >= dumb.pitch * 16ull);
	fill(map_bo(bo), ferry_bo_size(bo), 3);
	check_filled(map_bo(bo), ferry_bo_size(bo), 3);
	ferry_bo_del(bo);
	CHECK_EQ(ferry_bo_from_handle(dev, dumb.handle, &bo), -ENOENT);
}

int main(void)
{
	int fds;

	dev = open_or_skip();
	fds = count_fds();
	RUN(import_of_an_own_bo);
	RUN(import_of_a_dropped_bo);
	RUN(import_by_another_open_file);
	RUN(duplicate_descriptor);
	RUN(prime_without_the_library);
	RUN(import_of_the_callers_handle);
	RUN(handle_that_others_closed);
	RUN(open_file_of_its_own);
	RUN(import_beside_the_last_drop);
	RUN(dumb_buffer);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
