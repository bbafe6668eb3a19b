// SPDX-License-Identifier: MIT
/**
 * TEST: ferry console
 * Category: Display
 * Description: Switches between virtual terminals of the console and of a client
 */
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <sys/ioctl.h>

#include <xf86drmMode.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"Switches between virtual terminals of the console and of a client");

/* Virtual terminals that nothing else uses */
#define TEXT_VT 5
#define GRAPHICS_VT 6

static int open_vt(int number)
{
	char path[32];
	int file;

	snprintf(path, sizeof(path), "/dev/tty%d", number);
	file = open(path, O_RDWR | O_NOCTTY);
	igt_assert_f(file >= 0, "%s: %s\n", path, strerror(errno));
	return file;
}

static void activate(int vt, int number)
{
	igt_assert_eq(ioctl(vt, VT_ACTIVATE, number), 0);
	igt_assert_eq(ioctl(vt, VT_WAITACTIVE, number), 0);
}

/* Leave the console: it does not draw on the terminal of a client. */
static void client_enter(int fd, int vt)
{
	activate(vt, GRAPHICS_VT);
	igt_assert_eq(ioctl(vt, KDSETMODE, KD_GRAPHICS), 0);
	igt_assert_eq(drmSetMaster(fd), 0);
}

/* In graphics mode a switch would wait for the client. */
static void client_leave(int fd, int vt)
{
	igt_assert_eq(drmDropMaster(fd), 0);
	igt_assert_eq(ioctl(vt, KDSETMODE, KD_TEXT), 0);
	activate(vt, TEXT_VT);
}

/* The console draws in a worker: wait up to 10 s for its picture. */
static void check_console(const char *expected)
{
	struct timespec start = {};
	char now[128];

	do {
		screen_picture(now, sizeof(now));
		if (!strcmp(now, expected))
			return;
		usleep(100000);
	} while (igt_seconds_elapsed(&start) < 10);
	igt_assert_f(false, "the console shows another picture than before\n");
}

/* Get the picture of the console, when two in a row are the same. */
static void console_picture(char *sum, size_t size)
{
	char last[128] = "";

	for (int i = 0; i < 20; i++) {
		usleep(300000);
		screen_picture(sum, size);
		if (!strcmp(sum, last))
			return;
		snprintf(last, sizeof(last), "%s", sum);
	}
	igt_assert_f(false,
		     "the picture of the console does not come to rest\n");
}

/**
 * SUBTEST: vt-switch
 * Description: after each switch between the console and a client with a cursor both show their own picture again
 */
static void test_vt_switch(int fd)
{
	/* clear, hide the cursor, some text in colour */
	static const char text[] =
		"\033c\033[?25l\033[44;33mferry\033[0m\r\n 0123456789 #####\r\n";
	struct kms *kms = kms_of(fd);
	char console[128], client[128];
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE);
	int tty = open_vt(TEXT_VT), vt = open_vt(GRAPHICS_VT);
	struct vt_stat before;
	struct fb fb;

	screen_require();
	igt_require_f(!access("/dev/fb0", F_OK),
		      "no console on a framebuffer\n");
	igt_assert_eq(ioctl(vt, VT_GETSTATE, &before), 0);
	igt_assert_eq(bind_fbcon(true), 0);
	client_enter(fd, vt);
	client_leave(fd, vt);
	igt_assert_eq(write(tty, text, sizeof(text) - 1),
		      (ssize_t)sizeof(text) - 1);
	console_picture(console, sizeof(console));

	layout_init(&fb, kms, &flipped_layout, 1);
	for (int round = 0; round < 4; round++) {
		client_enter(fd, vt);
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 33, 44), 0);
		igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor,
					       CURSOR_SIZE, CURSOR_SIZE),
			      0);
		if (!round)
			screen_picture(client, sizeof(client));
		check_picture(client, "client");
		igt_assert(strcmp(client, console));
		client_leave(fd, vt);
		check_console(console);
		check_unpinned(&fb);
	}

	/* a client that leaves a black screen */
	client_enter(fd, vt);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	fb_fini(&fb);
	client_leave(fd, vt);
	check_console(console);
	activate(vt, before.v_active);
	igt_assert_eq(write(tty, "\033c", 2), 2);
	igt_assert_eq(bind_fbcon(false), 0);
	close(tty);
	close(vt);
	gem_close(fd, cursor);
	igt_assert_eq(drmSetMaster(fd), 0);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "vt-switch",
	  "after each switch between the console and a client with a cursor both show their own picture again",
	  test_vt_switch },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
