// SPDX-License-Identifier: MIT
/**
 * TEST: ferry picture
 * Category: Display
 * Description: The screen shows the whole framebuffer, and no memory of other clients
 */
#include <fcntl.h>

#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"The screen shows the whole framebuffer, and no memory of other clients");

/*
 * The display has registers of 16 bits for the first line, and VGA devices clamp it to
 * 12000: in this memory a framebuffer can lie beyond both.
 */
#define WANTED "vm/run --device VGA,vgamem_mb=64"

/* Show a framebuffer and change the memory of others, then its own first and last pixel. */
static void check_picture(struct kms *kms, const drmModeModeInfo *mode)
{
	int other = igt_ferry_reopen(kms->fd, O_RDWR);
	struct drm_ferry_device_query device;
	char first[128], now[128];
	uint32_t *pixels, last;
	struct fb fb;

	ferry_device_query(kms->fd, &device);
	igt_require_f(device.aperture_size > 16 << 20 &&
			      !system("command -v vm-host > /dev/null"),
		      "no picture of a display with more memory: " WANTED "\n");
	/* the first BOs are at the end of the aperture */
	fb_init(&fb, kms, &fb_aperture, mode);
	pixels = fb.bo.map;
	last = mode->hdisplay * mode->vdisplay - 1;
	for (uint32_t i = 0; i <= last; i++)
		pixels[i] = 0x400000 | i / mode->hdisplay;
	igt_assert_eq(show(kms, &fb, mode), 0);

	screen_others.count = 0;
	screen_fill_others(other, 0xff00ff);
	screen_picture(first, sizeof(first));
	screen_fill_others(other, 0xffff00);
	screen_picture(now, sizeof(now));
	igt_assert_f(!strcmp(first, now),
		     "the screen shows memory of another client\n");

	pixels[0] = 0xffffff;
	screen_picture(first, sizeof(first));
	igt_assert_f(strcmp(first, now), "the first pixel is not shown\n");
	pixels[last] = 0xffffff;
	screen_picture(now, sizeof(now));
	igt_assert_f(strcmp(first, now), "the last pixel is not shown\n");

	off(kms);
	fb_fini(&fb);
	screen_free_others();
	close(other);
}

/**
 * SUBTEST: large-aperture
 * Description: In an aperture of 64 MiB the screen shows a framebuffer from its first to its last pixel, and nothing else
 */
static void test_large_aperture(int fd)
{
	struct kms *kms = kms_of(fd);
	const drmModeModeInfo *mode = &kms->mode;

	/* the narrower the mode is, the less memory is within 12000 lines */
	for (int i = 0; i < kms->connector->count_modes; i++)
		if (kms->connector->modes[i].hdisplay < mode->hdisplay)
			mode = &kms->connector->modes[i];
	igt_info("mode %s\n", mode->name);
	check_picture(kms, mode);
}

/**
 * SUBTEST: small-pitch
 * Description: The same for a framebuffer with a pitch of 256 bytes
 */
static void test_small_pitch(int fd)
{
	struct kms *kms = kms_of(fd);
	static const drmModeModeInfo mode = {
		.clock = 461,
		.hdisplay = 64,
		.hsync_start = 72,
		.hsync_end = 80,
		.htotal = 96,
		.vdisplay = 64,
		.vsync_start = 66,
		.vsync_end = 68,
		.vtotal = 80,
		.name = "64x64",
	};

	check_picture(kms, &mode);
}

/**
 * SUBTEST: io-ports
 * Description: The same on a VGA device whose registers are behind I/O ports
 */
static void test_io_ports(int fd)
{
	struct kms *kms = kms_of(fd);
	char slot[64], path[128];

	igt_ferry_pci_slot(fd, slot, sizeof(slot));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", slot);
	igt_require_f(access(path, F_OK),
		      "the device has a register BAR: " WANTED ",mmio=off\n");
	check_picture(kms, &kms->mode);
}

static const struct igt_ferry_test tests[] = {
	{ "large-aperture",
	  "In an aperture of 64 MiB the screen shows a framebuffer from its first to its last pixel, and nothing else",
	  test_large_aperture },
	{ "small-pitch", "The same for a framebuffer with a pitch of 256 bytes",
	  test_small_pitch },
	{ "io-ports",
	  "The same on a VGA device whose registers are behind I/O ports",
	  test_io_ports },
	{}
};

igt_main
{
	kms_run_tests(tests);
}
