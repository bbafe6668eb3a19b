// SPDX-License-Identifier: MIT
/**
 * TEST: ferry connector
 * Category: Display
 * Description: The preferred mode, modes of clients, the state of the connector and its EDID
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION(
	"The preferred mode, modes of clients, the state of the connector and its EDID");

#define EDID_BLOCK 128
/* Offset of the first detailed timing, which is the preferred mode */
#define EDID_TIMING 54

static bool is_vga(int fd)
{
	char path[PATH_MAX], slot[64], class[32] = "";
	int file;

	igt_ferry_pci_slot(fd, slot, sizeof(slot));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", slot);
	file = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert(file >= 0);
	igt_assert_lt(0, read(file, class, sizeof(class) - 1));
	close(file);
	return !strncmp(class, "0x0300", 6);
}

/* Read the connector again; free with drmModeFreeConnector(). */
static drmModeConnector *probe(const struct kms *kms)
{
	drmModeConnector *now =
		drmModeGetConnector(kms->fd, kms->connector->connector_id);

	igt_assert(now);
	return now;
}

static const drmModeModeInfo *preferred(const drmModeConnector *connector)
{
	for (int i = 0; i < connector->count_modes; i++)
		if (connector->modes[i].type & DRM_MODE_TYPE_PREFERRED)
			return &connector->modes[i];
	return NULL;
}

/* Return the EDID property, or NULL if it is empty. */
static drmModePropertyBlobRes *edid_of(const struct kms *kms)
{
	drmModeConnector *now = probe(kms);
	drmModePropertyBlobRes *blob = NULL;

	for (int i = 0; i < now->count_props; i++) {
		drmModePropertyRes *prop =
			drmModeGetProperty(kms->fd, now->props[i]);

		igt_assert(prop);
		if (!strcmp(prop->name, "EDID") && now->prop_values[i])
			blob = drmModeGetPropertyBlob(kms->fd,
						      now->prop_values[i]);
		drmModeFreeProperty(prop);
	}
	drmModeFreeConnector(now);
	errno = 0;
	return blob;
}

static int timing_width(const uint8_t *edid)
{
	return edid[EDID_TIMING + 2] | (edid[EDID_TIMING + 4] & 0xf0) << 4;
}

static int timing_height(const uint8_t *edid)
{
	return edid[EDID_TIMING + 5] | (edid[EDID_TIMING + 7] & 0xf0) << 4;
}

/* Show @mode, with a flip. */
static void use_mode(struct kms *kms, const drmModeModeInfo *mode)
{
	struct fb fb;

	fb_init(&fb, kms, &fb_aperture, mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_assert_eq(show(kms, &fb, mode), 0);
	flip(kms, &fb);
	igt_ferry_bo_check(&fb.bo);
	off(kms);
	fb_fini(&fb);
}

/* The preferred mode of the EDID must be preferred, @width pixels wide. */
static void check_preferred(struct kms *kms, const uint8_t *edid, int width)
{
	const drmModeModeInfo *mode = preferred(kms->connector);

	igt_assert_f(mode, "no mode is preferred\n");
	igt_info("the EDID prefers %dx%d, the connector %s\n",
		 timing_width(edid), timing_height(edid), mode->name);
	igt_assert_eq(mode->hdisplay, width);
	igt_assert_eq(mode->vdisplay, timing_height(edid));
	use_mode(kms, mode);
}

/**
 * SUBTEST: preferred-exact
 * Description: where the device can show any width, the preferred mode is that of the EDID
 */
static void test_preferred_exact(int fd)
{
	struct kms *kms = kms_of(fd);
	drmModePropertyBlobRes *edid = edid_of(kms);

	igt_require_f(
		edid && !is_vga(fd) && timing_width(edid->data) % 8,
		"needs an odd width: vm/run --device bochs-display,xres=1366,yres=768\n");
	check_preferred(kms, edid->data, timing_width(edid->data));
	drmModeFreePropertyBlob(edid);
}

/**
 * SUBTEST: preferred-nearest
 * Description: where the device rounds widths, the nearest mode that it can show is preferred
 */
static void test_preferred_nearest(int fd)
{
	struct kms *kms = kms_of(fd);
	drmModePropertyBlobRes *edid = edid_of(kms);
	drmModeModeInfo odd;
	struct fb fb;

	igt_require_f(
		edid && is_vga(fd) && timing_width(edid->data) % 8,
		"needs an odd width: vm/run --device VGA,xres=1366,yres=768\n");
	check_preferred(kms, edid->data, timing_width(edid->data) & ~7);

	/* a client cannot set the odd width either */
	odd = *preferred(kms->connector);
	odd.hdisplay = timing_width(edid->data);
	odd.hsync_start += 8;
	odd.hsync_end += 8;
	odd.htotal += 8;
	fb_init(&fb, kms, &fb_aperture, &odd);
	igt_assert_eq(show(kms, &fb, &odd), -EINVAL);
	fb_fini(&fb);
	drmModeFreePropertyBlob(edid);
	errno = 0;
}

/**
 * SUBTEST: without-edid
 * Description: a device without an EDID has modes, of which 1280x800 is preferred
 */
static void test_without_edid(int fd)
{
	struct kms *kms = kms_of(fd);
	drmModePropertyBlobRes *edid = edid_of(kms);
	const drmModeModeInfo *mode;

	igt_require_f(
		!edid,
		"needs a device without EDID: vm/run --device bochs-display,edid=off\n");
	mode = preferred(kms->connector);
	igt_assert(mode);
	igt_assert_eq(mode->hdisplay, 1280);
	igt_assert_eq(mode->vdisplay, 800);
	igt_assert_lt(5, kms->connector->count_modes);
	use_mode(kms, mode);
}

/**
 * SUBTEST: user-modes
 * Description: modes that are not on the list can be set
 */
static void test_user_modes(int fd)
{
	static const struct {
		int width, height;
	} sizes[] = { { 1000, 500 }, { 728, 408 }, { 64, 64 }, { 1288, 729 } };
	struct kms *kms = kms_of(fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		drmModeModeInfo mode = {
			.hdisplay = sizes[i].width,
			.hsync_start = sizes[i].width + 16,
			.hsync_end = sizes[i].width + 48,
			.htotal = sizes[i].width + 160,
			.vdisplay = sizes[i].height,
			.vsync_start = sizes[i].height + 3,
			.vsync_end = sizes[i].height + 9,
			.vtotal = sizes[i].height + 30,
			.name = "client",
		};
		drmModeCrtc *crtc;
		struct fb fb;

		mode.clock = mode.htotal * mode.vtotal * 60 / 1000;
		mode.vrefresh = 60;
		fb_init(&fb, kms, &fb_aperture, &mode);
		igt_assert_f(!show(kms, &fb, &mode), "%dx%d: %s\n",
			     sizes[i].width, sizes[i].height, strerror(errno));
		crtc = drmModeGetCrtc(kms->fd, kms->crtc);
		igt_assert(crtc && crtc->mode_valid);
		igt_assert_eq(crtc->mode.hdisplay, sizes[i].width);
		igt_assert_eq(crtc->mode.vdisplay, sizes[i].height);
		drmModeFreeCrtc(crtc);
		flip(kms, &fb);
		off(kms);
		fb_fini(&fb);
	}
}

static void status_path(const struct kms *kms, char *path, size_t size)
{
	struct stat st;

	igt_assert_eq(fstat(kms->fd, &st), 0);
	snprintf(path, size, "/sys/class/drm/card%u-Virtual-%u/status",
		 minor(st.st_rdev), kms->connector->connector_type_id);
}

/**
 * SUBTEST: forced
 * Description: the connector can be forced off and on through sysfs, and detected again
 */
static void test_forced(int fd)
{
	static const struct {
		const char *text;
		drmModeConnection connection;
	} steps[] = {
		{ "off", DRM_MODE_DISCONNECTED },
		{ "on", DRM_MODE_CONNECTED },
		{ "off", DRM_MODE_DISCONNECTED },
		{ "detect", DRM_MODE_CONNECTED },
	};
	struct kms *kms = kms_of(fd);
	char path[PATH_MAX];

	status_path(kms, path, sizeof(path));
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		drmModeConnector *now;
		bool on = steps[i].connection == DRM_MODE_CONNECTED;

		igt_ferry_must_write_file(path, steps[i].text);
		now = probe(kms);
		if (now->connection != steps[i].connection)
			igt_ferry_write_file(path, "detect");
		igt_assert_eq(now->connection, steps[i].connection);
		if (on) {
			igt_assert_eq(now->count_modes,
				      kms->connector->count_modes);
			use_mode(kms, &kms->mode);
		} else {
			igt_assert_eq(now->count_modes, 0);
		}
		drmModeFreeConnector(now);
	}
}

static int write_override(const struct kms *kms, const void *data, size_t size)
{
	int dir = igt_debugfs_dir(kms->fd), file, err = 0;
	char path[64];

	igt_assert_f(dir >= 0, "no debugfs: is it mounted?\n");
	snprintf(path, sizeof(path), "Virtual-%u/edid_override",
		 kms->connector->connector_type_id);
	file = openat(dir, path, O_WRONLY | O_CLOEXEC);
	close(dir);
	igt_assert_f(file >= 0, "%s: %s\n", path, strerror(errno));
	if (write(file, data, size) != (ssize_t)size)
		err = -errno;
	close(file);
	return err;
}

/* An EDID whose one mode is 1008x600 */
static void make_edid(uint8_t *edid)
{
	static const uint8_t start[] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0x00, 0x1a, 0x79, 0x01, 0x00 };
	static const uint8_t timing[] = {
		/* 47.00 MHz, 1008 + 160 pixels, 600 + 30 lines */
		0x5c, 0x12, 0xf0, 0xa0, 0x30, 0x58, 0x1e, 0x20, 0x10,
		0x20, 0x36, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1e
	};
	uint8_t sum = 0;

	memset(edid, 0, EDID_BLOCK);
	memcpy(edid, start, sizeof(start));
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0x80;
	edid[24] = 0x02;
	/* no standard timings */
	memset(edid + 38, 0x01, 16);
	memcpy(edid + EDID_TIMING, timing, sizeof(timing));
	/* empty descriptors */
	for (int i = 1; i < 4; i++)
		edid[EDID_TIMING + 18 * i + 3] = 0x10;
	for (int i = 0; i < EDID_BLOCK - 1; i++)
		sum += edid[i];
	edid[EDID_BLOCK - 1] = -sum;
}

/**
 * SUBTEST: edid-override
 * Description: an EDID that is written to debugfs replaces that of the device
 */
static void test_edid_override(int fd)
{
	struct kms *kms = kms_of(fd);
	drmModePropertyBlobRes *blob;
	const drmModeModeInfo *mode;
	uint8_t edid[EDID_BLOCK];
	drmModeConnector *now;

	make_edid(edid);
	igt_assert_eq(write_override(kms, edid, sizeof(edid)), 0);
	blob = edid_of(kms);
	now = probe(kms);
	igt_assert_eq(write_override(kms, "reset", 5), 0);
	igt_assert(blob);
	igt_assert_eq(blob->length, EDID_BLOCK);
	igt_assert_eq(memcmp(blob->data, edid, EDID_BLOCK), 0);
	drmModeFreePropertyBlob(blob);
	mode = preferred(now);
	igt_assert(mode);
	igt_assert_eq(mode->hdisplay, 1008);
	igt_assert_eq(mode->vdisplay, 600);
	drmModeFreeConnector(now);

	now = probe(kms);
	mode = preferred(now);
	igt_assert(mode);
	igt_assert_eq(mode->hdisplay, kms->mode.hdisplay);
	igt_assert_eq(mode->vdisplay, kms->mode.vdisplay);
	igt_assert_eq(now->count_modes, kms->connector->count_modes);
	drmModeFreeConnector(now);
}

/**
 * SUBTEST: edid-override-added
 * Description: an EDID that is written to debugfs is used for a device without one
 */
static void test_edid_override_added(int fd)
{
	drmModePropertyBlobRes *edid = edid_of(kms_of(fd));

	igt_require_f(
		!edid,
		"needs a device without EDID: vm/run --device bochs-display,edid=off\n");
	test_edid_override(fd);
}

static const struct igt_ferry_test tests[] = {
	{ "preferred-exact",
	  "where the device can show any width, the preferred mode is that of the EDID",
	  test_preferred_exact },
	{ "preferred-nearest",
	  "where the device rounds widths, the nearest mode that it can show is preferred",
	  test_preferred_nearest },
	{ "without-edid",
	  "a device without an EDID has modes, of which 1280x800 is preferred",
	  test_without_edid },
	{ "user-modes", "modes that are not on the list can be set",
	  test_user_modes },
	{ "forced",
	  "the connector can be forced off and on through sysfs, and detected again",
	  test_forced },
	{ "edid-override",
	  "an EDID that is written to debugfs replaces that of the device",
	  test_edid_override },
	{ "edid-override-added",
	  "an EDID that is written to debugfs is used for a device without one",
	  test_edid_override_added },
	{}
};

igt_main
{
	kms_run_tests(tests);
}
