// SPDX-License-Identifier: MIT
/**
 * TEST: ferry lease
 * Category: Display
 * Description: The DRM master role, leases and DPMS
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION("The DRM master role, leases and DPMS");

/* Set the DPMS property of the connector. Return 0 or -errno. */
static int set_dpms(const struct kms *kms, int fd, uint64_t value)
{
	drmModeConnector *connector = kms->connector;
	int err = -ENOENT;

	for (int i = 0; i < connector->count_props; i++) {
		drmModePropertyRes *prop =
			drmModeGetProperty(fd, connector->props[i]);

		igt_assert(prop);
		if (!strcmp(prop->name, "DPMS"))
			err = drmModeConnectorSetProperty(
				fd, connector->connector_id, prop->prop_id,
				value);
		drmModeFreeProperty(prop);
	}
	errno = 0;
	return err;
}

/**
 * SUBTEST: dpms
 * Description: with DPMS off no page flip is possible and the framebuffer is kept; with DPMS on it goes on
 */
static void test_dpms(int fd)
{
	struct kms *kms = kms_of(fd);
	struct fb fb[2];

	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], kms, &fb_aperture, &kms->mode);
		igt_ferry_bo_fill(&fb[i].bo);
	}
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	for (int i = 1; i < 4; i++) {
		igt_assert_eq(set_dpms(kms, fd, DRM_MODE_DPMS_OFF), 0);
		igt_assert_lt(drmModePageFlip(fd, kms->crtc, fb[i & 1].id, 0,
					      NULL),
			      0);
		igt_assert_eq(set_dpms(kms, fd, DRM_MODE_DPMS_ON), 0);
		flip(kms, &fb[i & 1]);
		igt_assert(pinned(&fb[i & 1]));
	}
	off(kms);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
	errno = 0;
}

/**
 * SUBTEST: master-drop
 * Description: after the master drops its role another client becomes the master and sets a mode, and back
 */
static void test_master_drop(int fd)
{
	struct kms *kms = kms_of(fd), second;
	struct fb first, other;

	fb_init(&first, kms, &fb_aperture, &kms->mode);
	igt_assert_eq(show(kms, &first, &kms->mode), 0);
	kms_init(&second, igt_ferry_reopen(fd, O_RDWR));
	fb_init(&other, &second, &fb_aperture, &second.mode);
	igt_assert_eq(show(&second, &other, &second.mode), -EACCES);
	igt_assert_eq(drmDropMaster(fd), 0);
	igt_assert_eq(drmSetMaster(second.fd), 0);
	igt_assert_eq(show(kms, &first, &kms->mode), -EACCES);
	igt_assert_eq(show(&second, &other, &second.mode), 0);
	flip(&second, &other);
	igt_assert(pinned(&other));
	check_unpinned(&first);
	igt_assert_eq(drmDropMaster(second.fd), 0);
	igt_assert_eq(drmSetMaster(fd), 0);
	igt_assert_eq(show(kms, &first, &kms->mode), 0);
	igt_assert(pinned(&first));
	fb_fini(&other);
	drmModeFreeConnector(second.connector);
	close(second.fd);
	flip(kms, &first);
	off(kms);
	fb_fini(&first);
	errno = 0;
}

/**
 * SUBTEST: lease
 * Description: a lessee sees only what it has leased, sets a mode and flips; after the lease is revoked it cannot
 */
static void test_lease(int fd)
{
	struct kms *kms = kms_of(fd), lessee;
	uint32_t objects[] = { kms->crtc, kms->connector->connector_id,
			       kms->plane },
		 id;
	struct fb fb;
	int leased;

	leased = drmModeCreateLease(fd, objects, ARRAY_SIZE(objects), O_CLOEXEC,
				    &id);
	igt_assert_f(leased >= 0, "creating a lease: %s\n", strerror(-leased));
	kms_init(&lessee, leased);
	igt_assert_eq_u32(lessee.crtc, kms->crtc);
	igt_assert_eq_u32(lessee.connector->connector_id,
			  kms->connector->connector_id);
	fb_init(&fb, &lessee, &fb_aperture, &lessee.mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_assert_eq(show(&lessee, &fb, &lessee.mode), 0);
	for (int i = 0; i < 5; i++)
		flip(&lessee, &fb);
	igt_assert(pinned(&fb));
	/* the lessor keeps its rights, and may take the lease back */
	igt_assert_eq(drmModeRevokeLease(fd, id), 0);
	igt_assert_lt(show(&lessee, &fb, &lessee.mode), 0);
	igt_assert_lt(drmModePageFlip(leased, lessee.crtc, fb.id, 0, NULL), 0);
	igt_ferry_bo_check(&fb.bo);
	drmModeFreeConnector(lessee.connector);
	off(kms);
	check_unpinned(&fb);
	fb_fini(&fb);
	close(leased);
	errno = 0;
}

/**
 * SUBTEST: killed-master
 * Description: after the master is killed its framebuffer is freed, and another client can set a mode
 */
static void test_killed_master(int fd)
{
	struct kms *kms = kms_of(fd);
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct fb fb;
	pid_t child;
	int status;

	igt_assert_eq(drmDropMaster(fd), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		struct kms own;
		struct fb fb;

		kms_init(&own, igt_ferry_reopen(fd, O_RDWR));
		fb_init(&fb, &own, &fb_aperture, &own.mode);
		if (show(&own, &fb, &own.mode))
			_exit(1);
		flip(&own, &fb);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_assert_f(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		     "the master ended with status 0x%x\n", status);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq(drmSetMaster(fd), 0);
	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	flip(kms, &fb);
	off(kms);
	fb_fini(&fb);
}

static const struct igt_ferry_test tests[] = {
	{ "dpms",
	  "with DPMS off no page flip is possible and the framebuffer is kept; with DPMS on it goes on",
	  test_dpms },
	{ "master-drop",
	  "after the master drops its role another client becomes the master and sets a mode, and back",
	  test_master_drop },
	{ "lease",
	  "a lessee sees only what it has leased, sets a mode and flips; after the lease is revoked it cannot",
	  test_lease },
	{ "killed-master",
	  "after the master is killed its framebuffer is freed, and another client can set a mode",
	  test_killed_master },
	{}
};

igt_main
{
	kms_run_tests(tests);
}
