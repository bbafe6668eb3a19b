// SPDX-License-Identifier: MIT
/**
 * TEST: ferry off
 * Category: Display
 * Description: A display that is off shows no memory of any client, and changes none
 */
#include <fcntl.h>

#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"A display that is off shows no memory of any client, and changes none");

#define CONSOLE "/sys/module/drm_kms_helper/parameters/fbdev_emulation"

static void set_dpms(const struct kms *kms, uint64_t value)
{
	drmModeConnector *con = kms->connector;

	for (int i = 0; i < con->count_props; i++) {
		drmModePropertyRes *prop =
			drmModeGetProperty(kms->fd, con->props[i]);

		igt_assert(prop);
		if (!strcmp(prop->name, "DPMS"))
			igt_assert_eq(drmModeConnectorSetProperty(
					      kms->fd, con->connector_id,
					      prop->prop_id, value),
				      0);
		drmModeFreeProperty(prop);
	}
}

/* Turn the display off in each way, and look for memory of another client on the screen. */
static void check_off(int fd)
{
	struct kms *kms = kms_of(fd);
	int other = igt_ferry_reopen(kms->fd, O_RDWR);
	char first[128], now[128];
	struct fb fb;

	screen_require();
	screen_check_hidden(other, "the display was never on");
	for (int way = 0; way < 3; way++) {
		static const char *const ways[] = { "SETCRTC", "RMFB", "DPMS" };

		fb_init(&fb, kms, &fb_aperture, &kms->mode);
		igt_ferry_bo_fill(&fb.bo);
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		screen_picture(first, sizeof(first));
		if (way == 0) {
			off(kms);
		} else if (way == 1) {
			igt_assert_eq(drmModeRmFB(kms->fd, fb.id), 0);
			igt_assert_eq(fb_add(kms->fd, fb.bo.handle,
					     kms->mode.hdisplay,
					     kms->mode.vdisplay, fb.pitch,
					     &fb.id),
				      0);
		} else {
			set_dpms(kms, DRM_MODE_DPMS_OFF);
		}
		screen_picture(now, sizeof(now));
		igt_assert_f(strcmp(first, now), "%s: the picture stays\n",
			     ways[way]);
		igt_ferry_bo_check(&fb.bo);
		screen_check_hidden(other, ways[way]);
		igt_ferry_bo_check(&fb.bo);
		if (way == 2) {
			/* a page flip of a display that is off */
			igt_ferry_bo_fill(&fb.bo);
			drmModePageFlip(kms->fd, kms->crtc, fb.id, 0, NULL);
			screen_picture(first, sizeof(first));
			igt_assert(!strcmp(first, now));
			set_dpms(kms, DRM_MODE_DPMS_ON);
			screen_picture(first, sizeof(first));
			igt_assert(strcmp(first, now));
		}
		off(kms);
		fb_fini(&fb);
	}
	close(other);
	errno = 0;
}

/**
 * SUBTEST: off
 * Description: the screen shows no memory of any client while the display is off, and BOs that were shown keep their contents
 */
static void test_off(int fd)
{
	check_off(fd);
}

/**
 * SUBTEST: off-vga
 * Description: the same on a VGA device
 */
static void test_off_vga(int fd)
{
	kms_require_vga(fd);
	check_off(fd);
}

static void check_unbind(int fd)
{
	struct kms *kms = kms_of(fd);
	char black[128], now[128], console[8] = "Y";
	struct fb fb;
	int file;

	screen_require();
	screen_picture(black, sizeof(black));
	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	screen_picture(now, sizeof(now));
	igt_assert(strcmp(black, now));

	igt_ferry_module_unbind_consoles();
	igt_ferry_module_must_unbind();
	screen_picture(now, sizeof(now));
	igt_assert_f(!strcmp(black, now),
		     "after the unbind the picture stays\n");
	igt_ferry_bo_check(&fb.bo);

	/* no console: there is no modeset until a client requests one */
	file = open(CONSOLE, O_RDONLY);
	igt_assert_lte(0, file);
	igt_assert_lt(0, read(file, console, sizeof(console) - 1));
	close(file);
	igt_ferry_must_write_file(CONSOLE, "N");
	igt_ferry_module_must_bind();
	igt_ferry_must_write_file(CONSOLE, console);
	file = igt_ferry_module_open();
	screen_check_hidden(file, "bound, and no modeset yet");
	close(file);
}

/**
 * SUBTEST: unbind
 * Description: the screen is black after an unbind, and shows no memory of any client from the next bind to the first modeset
 */
static void test_unbind(int fd)
{
	check_unbind(fd);
}

/**
 * SUBTEST: unbind-vga
 * Description: the same on a VGA device
 */
static void test_unbind_vga(int fd)
{
	kms_require_vga(fd);
	check_unbind(fd);
}

static const struct igt_ferry_test tests[] = {
	{ "off",
	  "the screen shows no memory of any client while the display is off, and BOs that were shown keep their contents",
	  test_off },
	{ "off-vga", "the same on a VGA device", test_off_vga },
	{ "unbind",
	  "the screen is black after an unbind, and shows no memory of any client from the next bind to the first modeset",
	  test_unbind },
	{ "unbind-vga", "the same on a VGA device", test_unbind_vga },
	{}
};

/* Each subtest has a new client, also after a subtest that has bound the device again. */
static int off_begin(int keep)
{
	igt_ferry_clean(keep);
	igt_ferry_module_restore();
	return kms_begin_with(igt_ferry_module_open());
}

igt_main
{
	igt_fixture
	{
		int fd = igt_ferry_open();

		igt_ferry_require_display(fd);
		igt_ferry_module_begin(fd);
		close(fd);
		igt_ferry_module_require();
	}

	__igt_ferry_run_tests(tests, off_begin, -1);
}
