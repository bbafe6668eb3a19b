// SPDX-License-Identifier: MIT
/**
 * TEST: ferry node
 * Category: Core
 * Description: Device nodes, and clients that are not the DRM master
 */
#include <fcntl.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sync.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION("Device nodes, and clients that are not the DRM master");

/* Use the ioctls of ferry, PRIME and syncobjs, which are for every client. */
static void use_everything(int fd)
{
	struct drm_ferry_device_query device;
	struct drm_ferry_sync out;
	struct igt_ferry_bo bo;
	uint32_t handle;
	int prime = -1;

	ferry_device_query(fd, &device);
	igt_ferry_bo_init(&bo, fd, 3 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	out = igt_ferry_sync_new(fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, NULL, &out);
	igt_ferry_sync_wait(fd, out);
	igt_assert_eq(drmSyncobjDestroy(fd, out.handle), 0);
	ferry_bo_wait(fd, bo.handle);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), APERTURE);
	igt_assert(ferry_bo_madvise(fd, bo.handle, DRM_FERRY_MADV_WILLNEED));
	igt_ferry_bo_check(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC | DRM_RDWR,
					 &prime),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(fd, prime, &handle), 0);
	igt_assert_eq_u32(handle, bo.handle);
	close(prime);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: display
 * Description: a device with a display has no render node unless a parameter asks for one
 */
static void test_display(int fd)
{
	int render;

	igt_ferry_require_display(fd);
	render = igt_ferry_open_render(fd);
	igt_assert_f(render < 0, "the display has a render node\n");
	use_everything(fd);
	close(fd);
}

/**
 * SUBTEST: memory
 * Description: a device without a display has a render node, and every ioctl works on it
 */
static void test_memory(int fd)
{
	struct drm_ferry_device_query device;
	int render;

	ferry_device_query(fd, &device);
	igt_require_f(
		!(device.features & DRM_FERRY_FEATURE_DISPLAY),
		"needs a device without a display: vm/run --device ivshmem-plain,size=64M\n");
	render = igt_ferry_open_render(fd);
	igt_assert_f(render >= 0, "the device has no render node\n");
	igt_assert_eq(drmGetNodeTypeFromFd(render), DRM_NODE_RENDER);
	use_everything(render);
	use_everything(fd);
	close(render);
	close(fd);
}

/**
 * SUBTEST: parameter
 * Description: render_node= turns the render node on and off, whatever the device is
 */
static void test_parameter(int fd)
{
	int render;

	fd = igt_ferry_module_reload(fd, "render_node=on");
	render = igt_ferry_open_render(fd);
	igt_assert_f(render >= 0, "no render node with render_node=on\n");
	use_everything(render);
	close(render);

	fd = igt_ferry_module_reload(fd, "render_node=off");
	render = igt_ferry_open_render(fd);
	igt_assert_f(render < 0, "a render node with render_node=off\n");
	use_everything(fd);
	close(fd);
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: parameter-invalid
 * Description: with an unknown value of render_node= the device is not bound, and a message says why
 */
static void test_parameter_invalid(int fd)
{
	igt_ferry_module_check_refused(
		fd, "render_node=yes",
		"render_node=yes is none of auto, on and off");
}

/* Operations that only the master may perform must fail with EACCES. */
static void check_not_master(int fd, const struct kms *kms)
{
	uint32_t handle, pitch, id;
	uint64_t size;

	igt_assert(!drmIsMaster(fd));
	igt_assert_eq(drmSetMaster(fd), -1);
	igt_assert_eq(errno, EACCES);
	igt_assert_eq(drmModeCreateDumbBuffer(fd, kms->mode.hdisplay,
					      kms->mode.vdisplay, 32, 0,
					      &handle, &pitch, &size),
		      0);
	igt_assert_eq(fb_add(fd, handle, kms->mode.hdisplay, kms->mode.vdisplay,
			     pitch, &id),
		      0);
	igt_assert_eq(drmModeSetCrtc(fd, kms->crtc, id, 0, 0,
				     &kms->connector->connector_id, 1,
				     (drmModeModeInfo *)&kms->mode),
		      -EACCES);
	igt_assert_eq(drmModePageFlip(fd, kms->crtc, id, 0, NULL), -EACCES);
	igt_assert_eq(drmModeRmFB(fd, id), 0);
	igt_assert_eq(drmModeDestroyDumbBuffer(fd, handle), 0);
	errno = 0;
}

/**
 * SUBTEST: second-client
 * Description: while a compositor is the master and flips, every ioctl works for another client, without privileges, on the primary node
 */
static void test_second_client(int fd)
{
	unsigned int flips = 0;
	struct fb fb[2];
	struct kms kms;
	int other;

	igt_ferry_require_display(fd);
	drmSetMaster(fd);
	kms_init(&kms, fd);
	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], &kms, &fb_aperture, &kms.mode);
		igt_ferry_bo_fill(&fb[i].bo);
	}
	igt_assert_eq(show(&kms, &fb[0], &kms.mode), 0);
	other = igt_ferry_reopen(fd, O_RDWR);
	igt_fork(child, 1)
	{
		igt_drop_root();
		for (int i = 0; i < 20; i++) {
			check_not_master(other, &kms);
			use_everything(other);
		}
	}
	for (; flips < 30; flips++)
		flip(&kms, &fb[~flips & 1]);
	igt_waitchildren();
	close(other);
	off(&kms);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
	drmModeFreeConnector(kms.connector);
	close(fd);
}

static const struct igt_ferry_test tests[] = {
	{ "display",
	  "a device with a display has no render node unless a parameter asks for one",
	  test_display },
	{ "memory",
	  "a device without a display has a render node, and every ioctl works on it",
	  test_memory },
	{ "parameter",
	  "render_node= turns the render node on and off, whatever the device is",
	  test_parameter },
	{ "parameter-invalid",
	  "with an unknown value of render_node= the device is not bound, and a message says why",
	  test_parameter_invalid },
	{ "second-client",
	  "while a compositor is the master and flips, every ioctl works for another client, without privileges, on the primary node",
	  test_second_client },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
