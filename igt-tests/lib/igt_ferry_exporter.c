// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_exporter.h"

/* Open another device of ferry than @fd; or skip. */
int igt_ferry_open_other(int fd)
{
	int other = igt_ferry_open_driver("ferry", fd);

	igt_require_f(other >= 0, "needs two devices: " IGT_FERRY_DEVICES "\n");
	return other;
}

static void export_handle(struct igt_ferry_foreign *foreign)
{
	igt_assert_f(drmPrimeHandleToFD(foreign->fd, foreign->handle,
					DRM_RDWR | DRM_CLOEXEC,
					&foreign->prime) == 0,
		     "exporting: %s\n", strerror(errno));
}

static void create_dumb(struct igt_ferry_foreign *foreign, size_t size)
{
	struct drm_mode_create_dumb create = { .width = PAGE / 4,
					       .height = size / PAGE,
					       .bpp = 32 };
	struct drm_mode_map_dumb map = {};

	do_ioctl(foreign->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create);
	igt_assert_eq_u64(create.size, size);
	foreign->handle = create.handle;
	foreign->size = size;
	map.handle = create.handle;
	do_ioctl(foreign->fd, DRM_IOCTL_MODE_MAP_DUMB, &map);
	foreign->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    foreign->fd, map.offset);
	igt_assert(foreign->map != MAP_FAILED);
	export_handle(foreign);
}

static void map_prime(struct igt_ferry_foreign *foreign, size_t size)
{
	foreign->fd = -1;
	foreign->size = size;
	foreign->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    foreign->prime, 0);
	igt_assert_f(foreign->map != MAP_FAILED, "mmap of the dma-buf: %s\n",
		     strerror(errno));
}

/* Load a module and open its device, or return -1. */
int igt_ferry_open_module(const char *module, const char *driver)
{
	char command[64];
	int fd = igt_ferry_open_driver(driver, -1);

	if (fd >= 0)
		return fd;
	snprintf(command, sizeof(command), "modprobe -q %s", module);
	if (system(command))
		igt_debug("%s failed\n", command);
	return igt_ferry_open_driver(driver, -1);
}

static void create_module(struct igt_ferry_foreign *foreign, size_t size,
			  const char *driver)
{
	foreign->fd = igt_ferry_open_module(driver, driver);
	igt_require_f(foreign->fd >= 0, "the kernel has no module %s\n",
		      driver);
	create_dumb(foreign, size);
}

static void create_vgem(int fd __attribute__((unused)), size_t size,
			struct igt_ferry_foreign *foreign)
{
	create_module(foreign, size, "vgem");
}

static void create_vkms(int fd __attribute__((unused)), size_t size,
			struct igt_ferry_foreign *foreign)
{
	create_module(foreign, size, "vkms");
}

static void create_virtio(int fd __attribute__((unused)), size_t size,
			  struct igt_ferry_foreign *foreign)
{
	foreign->fd = igt_ferry_open_module("virtio-gpu", "virtio_gpu");
	igt_require_f(foreign->fd >= 0,
		      "no device of virtio_gpu: " IGT_FERRY_DEVICES "\n");
	create_dumb(foreign, size);
}

static void create_udmabuf(int fd __attribute__((unused)), size_t size,
			   struct igt_ferry_foreign *foreign)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC,
					 .size = size };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	igt_require_f(device >= 0, "/dev/udmabuf: %s\n", strerror(errno));
	create.memfd = syscall(SYS_memfd_create, "foreign",
			       2u /* MFD_ALLOW_SEALING */);
	igt_assert_fd((int)create.memfd);
	igt_assert_eq(ftruncate(create.memfd, size), 0);
	igt_assert_eq(fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	foreign->prime = ioctl(device, UDMABUF_CREATE, &create);
	igt_assert_f(foreign->prime >= 0, "UDMABUF_CREATE: %s\n",
		     strerror(errno));
	close(create.memfd);
	close(device);
	map_prime(foreign, size);
}

static void create_heap(int fd __attribute__((unused)), size_t size,
			struct igt_ferry_foreign *foreign)
{
	struct dma_heap_allocation_data data = {
		.len = size, .fd_flags = O_RDWR | O_CLOEXEC
	};
	int device = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	igt_require_f(device >= 0, "/dev/dma_heap/system: %s\n",
		      strerror(errno));
	do_ioctl(device, DMA_HEAP_IOCTL_ALLOC, &data);
	close(device);
	foreign->prime = data.fd;
	map_prime(foreign, size);
}

static void export_bo(struct igt_ferry_foreign *foreign, size_t size)
{
	foreign->size = size;
	foreign->handle = ferry_bo_create(foreign->fd, size,
					  FERRY_PLACEMENT_BOTH, APERTURE, 0, 0);
	foreign->map = ferry_bo_mmap(foreign->fd, foreign->handle, size);
	export_handle(foreign);
}

static void create_ferry(int fd, size_t size, struct igt_ferry_foreign *foreign)
{
	foreign->fd = igt_ferry_open_other(fd);
	export_bo(foreign, size);
}

/* Export a BO of the device of @fd, for another driver. */
void igt_ferry_foreign_own(int fd, size_t size,
			   struct igt_ferry_foreign *foreign)
{
	foreign->fd = igt_ferry_reopen(fd, O_RDWR);
	export_bo(foreign, size);
}

const struct igt_ferry_exporter igt_ferry_exporters[] = {
	{ "vgem", "drm", create_vgem },
	{ "vkms", "drm", create_vkms },
	{ "virtio-gpu", "virtio_gpu", create_virtio },
	{ "udmabuf", "udmabuf", create_udmabuf },
	{ "system-heap", "system", create_heap },
	{ "ferry", "ferry", create_ferry },
	{}
};

/* Close handle and device of the exporter; the dma-buf and mappings remain. */
void igt_ferry_foreign_close_device(struct igt_ferry_foreign *foreign)
{
	if (foreign->fd < 0)
		return;
	gem_close(foreign->fd, foreign->handle);
	close(foreign->fd);
	foreign->fd = -1;
}

void igt_ferry_foreign_unmap(struct igt_ferry_foreign *foreign)
{
	if (foreign->map)
		igt_assert_eq(munmap(foreign->map, foreign->size), 0);
	foreign->map = NULL;
}

void igt_ferry_foreign_close(struct igt_ferry_foreign *foreign)
{
	igt_ferry_foreign_unmap(foreign);
	igt_ferry_foreign_close_device(foreign);
	close(foreign->prime);
}
