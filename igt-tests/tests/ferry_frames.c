// SPDX-License-Identifier: MIT
/**
 * TEST: ferry frames
 * Category: Display
 * Description: Gamma tables, checksums of frames and asynchronous page flips
 */
#include <fcntl.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"Gamma tables, checksums of frames and asynchronous page flips");

/**
 * SUBTEST: gamma
 * Description: a gamma table changes the picture, and not the framebuffer
 */
static void test_gamma(int fd)
{
	struct kms *kms = kms_of(fd);
	uint16_t table[256], same[256];
	char expected[128], plain[128];
	struct fb fb, ref;

	screen_require();
	for (int i = 0; i < 256; i++) {
		table[i] = (255 - i) * 0x101;
		same[i] = i * 0x101;
	}
	layout_init(&ref, kms, &flipped_layout, 1);
	for (uint32_t i = 0; i < ref.bo.size / 4; i++)
		((uint32_t *)ref.bo.map)[i] ^= 0xffffff;
	show_flipped(kms, &ref, expected);
	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, plain);
	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 256, table, table,
					  table),
		      0);
	check_picture(expected, "inverted");
	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 256, same, same,
					  same),
		      0);
	check_picture(plain, "identity");
	flip(kms, &fb);
	igt_assert(pinned(&fb));
	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 255, same, same,
					  same),
		      -EINVAL);
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/* Read an entry of crtc-0/crc/data: return its checksum, and store its frame. */
static uint32_t read_entry_of(int file, unsigned int *number)
{
	unsigned int frame, crc;
	char line[64];
	ssize_t bytes;

	bytes = read(file, line, sizeof(line) - 1);
	igt_assert_lt(0, bytes);
	line[bytes] = '\0';
	igt_assert_eq(sscanf(line, "%x %x", &frame, &crc), 2);
	*number = frame;
	return crc;
}

static uint32_t read_entry(int file)
{
	unsigned int number;

	return read_entry_of(file, &number);
}

/* Read the checksum of a frame that begins after the call. */
static uint32_t read_crc(int fd)
{
	int dir = igt_debugfs_dir(fd), file;
	uint32_t crc = 0;

	igt_assert_lte(0, dir);
	file = openat(dir, "crtc-0/crc/control", O_WRONLY);
	igt_assert_lte(0, file);
	igt_assert_eq(write(file, "auto", 4), 4);
	igt_assert_eq(write(file, "nothing", 7), -1);
	igt_assert_eq(errno, EINVAL);
	close(file);
	file = openat(dir, "crtc-0/crc/data", O_RDONLY);
	igt_assert_lte(0, file);
	for (int i = 0; i < 2; i++)
		crc = read_entry(file);
	close(file);
	close(dir);
	errno = 0;
	return crc;
}

/**
 * SUBTEST: crc
 * Description: frames with the same picture have the same checksum, however they are shown, and others have another one
 */
static void test_crc(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE), first, with_cursor;
	struct fb fb, copied, ref;

	layout_init(&fb, kms, &flipped_layout, 1);
	layout_init(&copied, kms, &system_layout, 1);
	layout_init(&ref, kms, &flipped_layout, 1);
	expect_cursor(kms, &ref, 70, 80, CURSOR_SIZE);
	igt_assert_eq(show(kms, &ref, &kms->mode), 0);
	with_cursor = read_crc(kms->fd);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert(pinned(&fb));
	first = read_crc(kms->fd);
	igt_assert(first != with_cursor);
	flip(kms, &copied);
	igt_assert(!pinned(&copied));
	igt_assert_eq_u32(read_crc(kms->fd), first);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 70, 80), 0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	igt_assert_eq_u32(read_crc(kms->fd), with_cursor);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
	igt_assert_eq_u32(read_crc(kms->fd), first);
	gem_close(kms->fd, cursor);
	off(kms);
	fb_fini(&fb);
	fb_fini(&copied);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: crc-modeset
 * Description: debugfs names the source, and a client that reads checksums gets them again after a modeset
 */
static void test_crc_modeset(int fd)
{
	struct kms *kms = kms_of(fd);
	int dir = igt_debugfs_dir(fd), file;
	char sources[64];
	uint32_t before;
	struct fb fb;

	igt_assert_lt(0, igt_debugfs_simple_read(dir, "crtc-0/crc/control",
						 sources, sizeof(sources)));
	igt_assert(strstr(sources, "auto"));
	layout_init(&fb, kms, &flipped_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	before = read_crc(kms->fd);
	file = openat(dir, "crtc-0/crc/data", O_RDONLY);
	igt_assert_lte(0, file);
	igt_assert_eq_u32(read_entry(file), before);
	off(kms);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	/* the first entries can be those of frames before the modeset */
	for (int i = 0; i < 200; i++)
		igt_assert_eq_u32(read_entry(file), before);
	close(file);
	close(dir);
	off(kms);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: crc-frames
 * Description: there is a checksum for each frame, also if computing it takes longer, and that of a black screen is not 0
 */
static void test_crc_frames(int fd)
{
	struct kms *kms = kms_of(fd);
	int dir = igt_debugfs_dir(fd), file;
	unsigned int frame = 0, next;
	struct fb fb;

	/* the preferred mode, not the small one */
	kms_init(kms, fd);
	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_lt(0, (int)read_crc(kms->fd) & 0x7fffffff);
	file = openat(dir, "crtc-0/crc/data", O_RDONLY);
	igt_assert_lte(0, file);
	for (int i = 0; i < 60; i++) {
		igt_assert(read_entry_of(file, &next));
		igt_assert_f(
			!i || next == frame + 1,
			"entry %d is of frame %u, the last one was of %u\n", i,
			next, frame);
		frame = next;
	}
	close(file);
	close(dir);
	off(kms);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: async-flip
 * Description: asynchronous page flips end without waiting for a vblank
 */
static void test_async_flip(int fd)
{
	struct kms *kms = kms_of(fd);
	const unsigned int count = 200;
	struct timespec start = {};
	unsigned int events;
	struct fb fb[2];
	uint64_t cap = 0;
	double seconds;

	igt_assert_eq(drmGetCap(kms->fd, DRM_CAP_ASYNC_PAGE_FLIP, &cap), 0);
	igt_assert_eq_u64(cap, 1);
	for (int i = 0; i < 2; i++)
		fb_init(&fb[i], kms, &fb_aperture, &kms->mode);
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	igt_nsec_elapsed(&start);
	for (unsigned int i = 1; i <= count; i++) {
		events = 0;
		igt_assert_eq(drmModePageFlip(kms->fd, kms->crtc, fb[i & 1].id,
					      DRM_MODE_PAGE_FLIP_ASYNC |
						      DRM_MODE_PAGE_FLIP_EVENT,
					      &events),
			      0);
		wait_flips(kms->fd, &events, 1);
	}
	seconds = igt_nsec_elapsed(&start) / 1e9;
	igt_info("%u flips in %.3f s\n", count, seconds);
	/* at 75 Hz these are 2.7 s */
	igt_assert(seconds < count / (2.0 * kms->mode.vrefresh) ||
		   igt_ferry_slower() > 1);
	off(kms);
	for (int i = 0; i < 2; i++)
		fb_fini(&fb[i]);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "gamma", "a gamma table changes the picture, and not the framebuffer",
	  test_gamma },
	{ "crc",
	  "frames with the same picture have the same checksum, however they are shown, and others have another one",
	  test_crc },
	{ "crc-modeset",
	  "debugfs names the source, and a client that reads checksums gets them again after a modeset",
	  test_crc_modeset },
	{ "crc-frames",
	  "there is a checksum for each frame, also if computing it takes longer, and that of a black screen is not 0",
	  test_crc_frames },
	{ "async-flip",
	  "asynchronous page flips end without waiting for a vblank",
	  test_async_flip },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
