// SPDX-License-Identifier: MIT
/**
 * TEST: ferry scanout
 * Category: Display
 * Description: BOs that the display reads: pins, contents, and what they refuse
 */
#include <fcntl.h>
#include <pthread.h>

#include <xf86drmMode.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION(
	"BOs that the display reads: pins, contents, and what they refuse");

/**
 * SUBTEST: pinned
 * Description: a BO that is shown cannot be moved (EBUSY), alone or among others, until the display is off
 */
static void test_pinned(int fd)
{
	struct kms *kms = kms_of(fd);
	struct drm_ferry_migrate_entry entries[2];
	struct igt_ferry_bo other;
	struct fb fb;

	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_ferry_bo_init(&other, kms->fd, PAGE, igt_ferry_movable_kinds);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);

	igt_assert_eq(__ferry_bo_migrate(kms->fd, fb.bo.handle, SYSTEM),
		      -EBUSY);
	ferry_bo_migrate(kms->fd, fb.bo.handle, APERTURE);
	for (int i = 0; i < 2; i++) {
		entries[i] = (struct drm_ferry_migrate_entry){ other.handle,
							       APERTURE };
		entries[!i] = (struct drm_ferry_migrate_entry){ fb.bo.handle,
								SYSTEM };
		igt_assert_eq(__ferry_migrate(kms->fd, entries, 2), -EBUSY);
		igt_assert_eq(ferry_bo_placement(kms->fd, other.handle),
			      SYSTEM);
	}
	igt_assert(pinned(&fb));
	igt_ferry_bo_check(&fb.bo);
	off(kms);
	ferry_bo_migrate(kms->fd, fb.bo.handle, SYSTEM);
	igt_ferry_bo_check(&fb.bo);
	igt_ferry_bo_fini(&other);
	fb_fini(&fb);
}

/**
 * SUBTEST: in-pieces
 * Description: a framebuffer that is scattered in the aperture is moved to a contiguous range when it is shown, with its contents
 */
static void test_in_pieces(int fd)
{
	struct kms *kms = kms_of(fd);
	static const struct igt_ferry_kind kind = {
		"pieces", FERRY_PLACEMENT_BOTH, SYSTEM,
		DRM_FERRY_CACHING_CACHED, 0
	};
	uint64_t within = igt_ferry_stat(kms->fd, "moves_within");
	unsigned int count;
	uint32_t *handles;
	struct fb fb;

	/* smaller than half of the aperture, and larger than each free range */
	fb_init(&fb, kms, &kind, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	count = igt_ferry_aperture_fill(kms->fd, 64 * PAGE, &handles);
	for (unsigned int i = 0; i < count; i += 2)
		gem_close(kms->fd, handles[i]);
	ferry_bo_migrate(kms->fd, fb.bo.handle, APERTURE);
	igt_ferry_bo_check(&fb.bo);
	for (unsigned int i = 1; i < count; i += 2)
		gem_close(kms->fd, handles[i]);
	free(handles);
	igt_assert_eq_u64(igt_ferry_stat(kms->fd, "moves_within"), within);

	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_eq_u64(igt_ferry_stat(kms->fd, "moves_within"), within + 1);
	igt_assert(pinned(&fb));
	igt_ferry_bo_check(&fb.bo);
	off(kms);
	igt_ferry_bo_check(&fb.bo);
	fb_fini(&fb);
}

/**
 * SUBTEST: import-shown
 * Description: another device cannot map a BO that is shown (EBUSY), and the BO stays pinned
 */
static void test_import_shown(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t other = 0;
	struct fb fb;
	int vgem, prime;

	igt_require_f(igt_kmod_is_loaded("vgem") || !igt_kmod_load("vgem", ""),
		      "there is no vgem to import into\n");
	__set_forced_driver("vgem");
	vgem = __drm_open_driver(DRIVER_VGEM);
	__set_forced_driver("ferry");
	igt_require_f(vgem >= 0, "vgem has no device\n");

	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_eq(drmPrimeHandleToFD(kms->fd, fb.bo.handle,
					 DRM_CLOEXEC | DRM_RDWR, &prime),
		      0);
	/* from 6.16 on, vgem does not map an imported BO before it uses it */
	if (drmPrimeFDToHandle(vgem, prime, &other))
		igt_assert_eq(errno, EBUSY);
	igt_assert(pinned(&fb));
	if (other)
		gem_close(vgem, other);
	igt_assert(pinned(&fb));
	igt_ferry_bo_check(&fb.bo);
	close(prime);
	close(vgem);
	off(kms);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: handle-closed
 * Description: a framebuffer whose handle was closed can be shown, and its BO is freed with the framebuffer
 */
static void test_handle_closed(int fd)
{
	struct kms *kms = kms_of(fd);
	uint64_t bos = igt_ferry_stat(kms->fd, "bos");
	struct fb fb[2];

	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], kms, &fb_aperture, &kms->mode);
		igt_ferry_bo_fill(&fb[i].bo);
		gem_close(kms->fd, fb[i].bo.handle);
	}
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	for (int i = 1; i < 6; i++) {
		flip(kms, &fb[i & 1]);
		igt_ferry_bo_check(&fb[i & 1].bo);
	}
	off(kms);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&fb[i].bo);
		munmap(fb[i].bo.map, fb[i].bo.size);
		igt_assert_eq(drmModeRmFB(kms->fd, fb[i].id), 0);
	}
	igt_ferry_wait_stat(kms->fd, "bos", bos);
}

/**
 * SUBTEST: rmfb-shown
 * Description: removing the framebuffer that is shown unpins its BO, and leaves no framebuffer on the screen
 */
static void test_rmfb_shown(int fd)
{
	struct kms *kms = kms_of(fd);
	uint64_t bos = igt_ferry_stat(kms->fd, "bos");
	drmModeCrtc *crtc;
	struct fb fb;

	for (int i = 0; i < 5; i++) {
		fb_init(&fb, kms, &fb_aperture, &kms->mode);
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		igt_assert(pinned(&fb));
		igt_assert_eq(drmModeRmFB(kms->fd, fb.id), 0);
		check_unpinned(&fb);
		crtc = drmModeGetCrtc(kms->fd, kms->crtc);
		igt_assert(crtc);
		igt_assert_eq_u32(crtc->buffer_id, 0);
		drmModeFreeCrtc(crtc);
		ferry_bo_migrate(kms->fd, fb.bo.handle, SYSTEM);
		igt_ferry_bo_fini(&fb.bo);
	}
	igt_ferry_wait_stat(kms->fd, "bos", bos);
	off(kms);
	igt_ferry_wait_stat(kms->fd, "scanout_bytes", 0);
}

/**
 * SUBTEST: zero-after-scanout
 * Description: a new BO in memory that was scanned out is zero
 */
static void test_zero_after_scanout(int fd)
{
	struct kms *kms = kms_of(fd);
	const size_t size = 64 * PAGE;
	unsigned int count;
	uint32_t *handles;
	struct fb fb;

	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	memset(fb.bo.map, 0x99, fb.bo.size);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	off(kms);
	fb_fini(&fb);
	count = igt_ferry_aperture_fill(kms->fd, size, &handles);
	for (unsigned int i = 0; i < count; i++) {
		void *map = ferry_bo_mmap(kms->fd, handles[i], size);

		igt_ferry_check_zero(map, size);
		munmap(map, size);
	}
	igt_ferry_close_all(kms->fd, handles, count);
}

struct painter {
	struct fb *fb;
	volatile bool stop;
	unsigned long rounds;
};

static void *painter_thread(void *arg)
{
	struct painter *p = arg;

	while (!p->stop) {
		for (int i = 0; i < 2; i++) {
			igt_ferry_bo_check(&p->fb[i].bo);
			igt_ferry_bo_fill(&p->fb[i].bo);
		}
		p->rounds++;
	}
	return NULL;
}

/**
 * SUBTEST: flip-while-written
 * Description: BOs keep their contents while a thread writes through mappings and they are pinned, unpinned and moved
 */
static void test_flip_while_written(int fd)
{
	struct kms *kms = kms_of(fd);
	struct painter painter = {};
	struct timespec start = {};
	unsigned int flips = 0, moves = 0;
	pthread_t thread;
	struct fb fb[2];

	for (int i = 0; i < 2; i++)
		fb_init(&fb[i], kms, &fb_system, &kms->mode);
	painter.fb = fb;
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	igt_assert_eq(pthread_create(&thread, NULL, painter_thread, &painter),
		      0);
	while (igt_seconds_elapsed(&start) < 5) {
		struct fb *next = &fb[++flips & 1], *last = &fb[~flips & 1];
		int err;

		flip(kms, next);
		err = __ferry_bo_migrate(kms->fd, last->bo.handle, SYSTEM);
		igt_assert(!err || err == -EBUSY);
		moves += !err;
	}
	painter.stop = true;
	pthread_join(thread, NULL);
	igt_info("%u flips, %u moves, %lu paintings\n", flips, moves,
		 painter.rounds);
	igt_assert(flips > 2 && moves && painter.rounds);
	off(kms);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
}

static const struct igt_ferry_test tests[] = {
	{ "pinned",
	  "a BO that is shown cannot be moved (EBUSY), alone or among others, until the display is off",
	  test_pinned },
	{ "in-pieces",
	  "a framebuffer that is scattered in the aperture is moved to a contiguous range when it is shown, with its contents",
	  test_in_pieces },
	{ "import-shown",
	  "another device cannot map a BO that is shown (EBUSY), and the BO stays pinned",
	  test_import_shown },
	{ "handle-closed",
	  "a framebuffer whose handle was closed can be shown, and its BO is freed with the framebuffer",
	  test_handle_closed },
	{ "rmfb-shown",
	  "removing the framebuffer that is shown unpins its BO, and leaves no framebuffer on the screen",
	  test_rmfb_shown },
	{ "zero-after-scanout",
	  "a new BO in memory that was scanned out is zero",
	  test_zero_after_scanout },
	{ "flip-while-written",
	  "BOs keep their contents while a thread writes through mappings and they are pinned, unpinned and moved",
	  test_flip_while_written },
	{}
};

igt_main
{
	kms_run_tests(tests);
}
