// SPDX-License-Identifier: MIT
/**
 * TEST: ferry kms
 * Category: Display
 * Description: Modes, page flips, and framebuffers that are refused
 */
#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_atomic.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION("Modes, page flips, and framebuffers that are refused");

/**
 * SUBTEST: connector
 * Description: the connector has a valid EDID and modes that fit into the aperture
 */
static void test_connector(int fd)
{
	struct kms *kms = kms_of(fd);
	struct drm_ferry_device_query device;
	drmModePropertyBlobRes *blob;
	uint64_t value = 0;

	ferry_device_query(kms->fd, &device);
	igt_info("%d modes, preferred %s\n", kms->connector->count_modes,
		 kms->mode.name);
	for (int i = 0; i < kms->connector->count_modes; i++) {
		const drmModeModeInfo *mode = &kms->connector->modes[i];

		igt_assert_f((uint64_t)mode->hdisplay * mode->vdisplay * 4 <=
				     device.aperture_size,
			     "mode %s does not fit into the aperture\n",
			     mode->name);
	}

	igt_assert(property(kms->fd, kms->connector->connector_id,
			    DRM_MODE_OBJECT_CONNECTOR, "EDID", &value));
	igt_require_f(value,
		      "the device has no EDID: it was started with edid=off\n");
	blob = drmModeGetPropertyBlob(kms->fd, value);
	igt_assert(blob);
	igt_assert(blob->length && blob->length % 128 == 0);
	igt_assert_eq(memcmp(blob->data, "\x00\xff\xff\xff\xff\xff\xff\x00", 8),
		      0);
	for (uint32_t block = 0; block < blob->length; block += 128) {
		uint8_t sum = 0;

		for (int i = 0; i < 128; i++)
			sum += ((uint8_t *)blob->data)[block + i];
		igt_assert_eq(sum, 0);
	}
	drmModeFreePropertyBlob(blob);
}

/**
 * SUBTEST: modes-legacy
 * Description: each mode can be set, and is then reported
 */
static void test_modes_legacy(int fd)
{
	struct kms *kms = kms_of(fd);
	int step = kms->connector->count_modes / 8 + 1, tried = 0;

	for (int i = 0; i < kms->connector->count_modes; i += step) {
		const drmModeModeInfo *mode = &kms->connector->modes[i];
		drmModeCrtc *crtc;
		struct fb fb;

		fb_init(&fb, kms, &fb_system, mode);
		igt_ferry_bo_fill(&fb.bo);
		igt_assert_f(show(kms, &fb, mode) == 0, "mode %s: %s\n",
			     mode->name, strerror(errno));
		crtc = drmModeGetCrtc(kms->fd, kms->crtc);
		igt_assert(crtc && crtc->mode_valid);
		igt_assert_eq_u32(crtc->buffer_id, fb.id);
		igt_assert_eq(crtc->mode.hdisplay, mode->hdisplay);
		igt_assert_eq(crtc->mode.vdisplay, mode->vdisplay);
		drmModeFreeCrtc(crtc);
		igt_ferry_bo_check(&fb.bo);
		igt_assert(pinned(&fb));
		off(kms);
		check_unpinned(&fb);
		fb_fini(&fb);
		tried++;
	}
	igt_info("%d modes\n", tried);
}

/**
 * SUBTEST: modes-keep-memory
 * Description: a modeset keeps the contents of the BOs that fill the rest of the aperture
 */
static void test_modes_keep_memory(int fd)
{
	struct kms *kms = kms_of(fd);
	int step = kms->connector->count_modes / 4 + 1;
	const size_t size = 64 * PAGE;
	unsigned int count;
	uint32_t *handles;
	struct fb fb;

	for (int i = 0; i < kms->connector->count_modes; i += step) {
		const drmModeModeInfo *mode = &kms->connector->modes[i];

		off(kms);
		/* the order of allocation decides where the BOs are */
		if (i & 1)
			fb_init(&fb, kms, &fb_aperture, mode);
		count = igt_ferry_aperture_fill(kms->fd, size, &handles);
		for (unsigned int n = 0; n < count; n++) {
			void *map = ferry_bo_mmap(kms->fd, handles[n], size);

			igt_ferry_fill(map, 0, size / PAGE, n, 1);
			munmap(map, size);
		}
		if (!(i & 1)) {
			/* space for the framebuffer, but not at the start */
			for (uint64_t room = 0;
			     room < mode->hdisplay * mode->vdisplay * 6ull &&
			     count > 1;
			     room += size)
				gem_close(kms->fd, handles[--count]);
			fb_init(&fb, kms, &fb_system, mode);
		}
		igt_ferry_bo_fill(&fb.bo);
		igt_assert_eq(show(kms, &fb, mode), 0);
		for (unsigned int n = 0; n < count; n++) {
			void *map = ferry_bo_mmap(kms->fd, handles[n], size);

			igt_ferry_check(map, 0, size / PAGE, n, 1);
			munmap(map, size);
		}
		igt_ferry_bo_check(&fb.bo);
		off(kms);
		fb_fini(&fb);
		igt_ferry_close_all(kms->fd, handles, count);
	}
}

static drmModeAtomicReq *atomic_show(const struct kms *kms, const struct fb *fb,
				     uint32_t blob)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	static const char *const crtc[] = { "CRTC_W", "SRC_W", "CRTC_H",
					    "SRC_H" };

	igt_assert(req);
	atomic_add(req, kms->fd, kms->connector->connector_id,
		   DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", fb ? kms->crtc : 0);
	atomic_add(req, kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID",
		   blob);
	atomic_add(req, kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE",
		   fb != NULL);
	atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE, "FB_ID",
		   fb ? fb->id : 0);
	atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE, "CRTC_ID",
		   fb ? kms->crtc : 0);
	for (unsigned int i = 0; fb && i < ARRAY_SIZE(crtc); i++) {
		uint64_t size = i < 2 ? kms->mode.hdisplay : kms->mode.vdisplay;

		atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE,
			   crtc[i], i & 1 ? size << 16 : size);
	}
	return req;
}

/**
 * SUBTEST: modeset-atomic
 * Description: one atomic commit turns the display on and one turns it off; a TEST_ONLY commit changes nothing
 */
static void test_modeset_atomic(int fd)
{
	struct kms *kms = kms_of(fd);
	drmModeAtomicReq *req;
	uint32_t blob = 0;
	drmModeCrtc *crtc;
	struct fb fb;

	igt_assert_eq(drmModeCreatePropertyBlob(kms->fd, &kms->mode,
						sizeof(kms->mode), &blob),
		      0);
	fb_init(&fb, kms, &fb_system, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	off(kms);

	req = atomic_show(kms, &fb, blob);
	igt_assert_eq(drmModeAtomicCommit(kms->fd, req,
					  DRM_MODE_ATOMIC_TEST_ONLY |
						  DRM_MODE_ATOMIC_ALLOW_MODESET,
					  NULL),
		      0);
	igt_assert(!pinned(&fb));
	igt_assert_eq(drmModeAtomicCommit(kms->fd, req, 0, NULL), -EINVAL);
	igt_assert_eq(drmModeAtomicCommit(kms->fd, req,
					  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL),
		      0);
	drmModeAtomicFree(req);
	igt_assert(pinned(&fb));
	crtc = drmModeGetCrtc(kms->fd, kms->crtc);
	igt_assert(crtc && crtc->mode_valid);
	igt_assert_eq_u32(crtc->buffer_id, fb.id);
	drmModeFreeCrtc(crtc);

	req = atomic_show(kms, NULL, 0);
	igt_assert_eq(drmModeAtomicCommit(kms->fd, req,
					  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL),
		      0);
	drmModeAtomicFree(req);
	check_unpinned(&fb);
	igt_ferry_bo_check(&fb.bo);
	drmModeDestroyPropertyBlob(kms->fd, blob);
	fb_fini(&fb);
	errno = 0;
}

/* A mode must be refused: by SETCRTC, by an atomic test and by an atomic commit. */
static void check_mode_refused(const struct kms *kms, const struct fb *fb,
			       const drmModeModeInfo *mode, const char *what)
{
	static const uint32_t flags[] = { DRM_MODE_ATOMIC_TEST_ONLY, 0 };
	drmModeAtomicReq *req;
	drmModeCrtc *crtc;
	uint32_t blob = 0;
	int err;

	err = show(kms, fb, mode);
	igt_assert_f(err == -EINVAL, "%s: SETCRTC: %s\n", what,
		     err ? strerror(-err) : "accepted");
	err = drmModeCreatePropertyBlob(kms->fd, mode, sizeof(*mode), &blob);
	igt_assert_eq(err, 0);
	req = atomic_show(kms, fb, blob);
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		err = drmModeAtomicCommit(
			kms->fd, req, flags[i] | DRM_MODE_ATOMIC_ALLOW_MODESET,
			NULL);
		igt_assert_f(err == -EINVAL, "%s: atomic %s: %s\n", what,
			     flags[i] ? "test" : "commit",
			     err ? strerror(-err) : "accepted");
	}
	drmModeAtomicFree(req);
	drmModeDestroyPropertyBlob(kms->fd, blob);

	crtc = drmModeGetCrtc(kms->fd, kms->crtc);
	igt_assert(crtc && crtc->mode_valid);
	igt_assert_eq_u32(crtc->buffer_id, fb->id);
	igt_assert_eq_u32(crtc->mode.clock, kms->mode.clock);
	drmModeFreeCrtc(crtc);
	errno = 0;
}

/**
 * SUBTEST: modes-invalid
 * Description: modes whose refresh rate or totals are absurd are refused with EINVAL, and the old mode stays
 */
static void test_modes_invalid(int fd)
{
	struct kms *kms = kms_of(fd);
	static const struct {
		const char *what;
		/* 0: as in the preferred mode */
		uint16_t htotal, vtotal, vscan;
		uint32_t flags;
		uint32_t clock;
	} bad[] = {
		{ "0 kHz", .clock = 0 },
		{ "1 kHz", .clock = 1 },
		{ "1 MHz", .clock = 1000 },
		{ "10 GHz", .clock = 10000000 },
		{ "0x7fffffff kHz", .clock = 0x7fffffff },
		/* more than a signed number of 32 bits pixels, at about 60 Hz */
		{ "65535x65535 in total", 65535, 65535, .clock = 257690000 },
		{ "65535 lines in total", .vtotal = 65535, .clock = 5000000 },
		{ "interlaced", .clock = 100000,
		  .flags = DRM_MODE_FLAG_INTERLACE },
		{ "doubled lines", .clock = 100000,
		  .flags = DRM_MODE_FLAG_DBLSCAN },
		/* vtotal * vscan is a multiple of 65536 */
		{ "lines twice", .vtotal = 0x8000, .vscan = 2,
		  .clock = 6000000 },
	};
	struct fb fb;

	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		drmModeModeInfo mode = kms->mode;

		mode.clock = bad[i].clock;
		mode.htotal = bad[i].htotal ?: mode.htotal;
		mode.vtotal = bad[i].vtotal ?: mode.vtotal;
		mode.vscan = bad[i].vscan;
		mode.flags |= bad[i].flags;
		check_mode_refused(kms, &fb, &mode, bad[i].what);
	}
	flip(kms, &fb);
	igt_assert(pinned(&fb));
	igt_ferry_bo_check(&fb.bo);
	off(kms);
	fb_fini(&fb);
}

/**
 * SUBTEST: page-flip
 * Description: each page flip sends its event, and pins the new framebuffer
 */
static void test_page_flip(int fd)
{
	struct kms *kms = kms_of(fd);
	struct fb fb[2];

	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], kms, &fb_aperture, &kms->mode);
		igt_ferry_bo_fill(&fb[i].bo);
	}
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	for (int i = 1; i <= 30; i++) {
		flip(kms, &fb[i & 1]);
		igt_assert(pinned(&fb[i & 1]));
	}
	off(kms);
	for (int i = 0; i < 2; i++) {
		check_unpinned(&fb[i]);
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
}

/**
 * SUBTEST: page-flip-atomic
 * Description: nonblocking commits flip and send their event, or fail with EBUSY before the last flip has ended
 */
static void test_page_flip_atomic(int fd)
{
	struct kms *kms = kms_of(fd);
	unsigned int events = 0, busy = 0;
	drmModeAtomicReq *req[2];
	struct fb fb[2];

	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], kms, &fb_aperture, &kms->mode);
		req[i] = drmModeAtomicAlloc();
		igt_assert(req[i]);
		atomic_add(req[i], kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE,
			   "FB_ID", fb[i].id);
	}
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	for (int i = 1; i <= 20; i++) {
		const uint32_t flags = DRM_MODE_ATOMIC_NONBLOCK |
				       DRM_MODE_PAGE_FLIP_EVENT;
		int err;

		events = 0;
		igt_assert_eq(drmModeAtomicCommit(kms->fd, req[i & 1], flags,
						  &events),
			      0);
		err = drmModeAtomicCommit(kms->fd, req[~i & 1], flags, &events);
		igt_assert(!err || err == -EBUSY);
		busy += !!err;
		wait_flips(kms->fd, &events, err ? 1 : 2);
	}
	igt_info("%u of 20 second commits were too early\n", busy);
	off(kms);
	for (int i = 0; i < 2; i++) {
		drmModeAtomicFree(req[i]);
		fb_fini(&fb[i]);
	}
	errno = 0;
}

/**
 * SUBTEST: more-than-fits
 * Description: page flips work with more framebuffers than fit into the aperture
 */
static void test_more_than_fits(int fd)
{
	struct kms *kms = kms_of(fd);
	struct drm_ferry_device_query device;
	unsigned int count;
	struct fb fb[24];

	ferry_device_query(kms->fd, &device);
	count = device.aperture_size /
			(kms->mode.hdisplay * kms->mode.vdisplay * 4) +
		3;
	if (count > ARRAY_SIZE(fb))
		count = ARRAY_SIZE(fb);
	for (unsigned int i = 0; i < count; i++) {
		fb_init(&fb[i], kms, &fb_system, &kms->mode);
		igt_ferry_bo_fill(&fb[i].bo);
	}
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	for (unsigned int i = 1; i < count * 2; i++) {
		flip(kms, &fb[i % count]);
		igt_assert(pinned(&fb[i % count]));
		igt_ferry_bo_check(&fb[i % count].bo);
	}
	off(kms);
	for (unsigned int i = 0; i < count; i++) {
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
}

/**
 * SUBTEST: dumb
 * Description: a dumb buffer can be shown without an ioctl of ferry
 */
static void test_dumb(int fd)
{
	struct kms *kms = kms_of(fd);
	uint64_t bos = igt_ferry_stat(kms->fd, "bos");
	int err, dir = igt_debugfs_dir(fd);
	uint32_t handle, pitch, id;
	struct fb fb = {};
	char text[256];
	uint64_t size;

	igt_assert_lt(0, igt_debugfs_simple_read(dir, "ferry_dumb", text,
						 sizeof(text)));
	close(dir);
	/* dumb buffers have no flags */
	igt_assert_eq(drmModeCreateDumbBuffer(kms->fd, 64, 64, 32, 1, &handle,
					      &pitch, &size),
		      -EINVAL);
	igt_assert_eq(drmModeCreateDumbBuffer(kms->fd, kms->mode.hdisplay,
					      kms->mode.vdisplay, 32, 0,
					      &handle, &pitch, &size),
		      0);
	igt_assert_eq(fb_add(kms->fd, handle, kms->mode.hdisplay,
			     kms->mode.vdisplay, pitch, &id),
		      0);
	fb.bo = (struct igt_ferry_bo){ .fd = kms->fd, .handle = handle };
	fb.id = id;
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	/* the display reads it itself, unless reads of the aperture seem to be slow */
	igt_info("%s", text);
	igt_assert_eq(pinned(&fb), !!strstr(text, "placement aperture"));
	/* optional for a driver that scans out of the BO */
	err = drmModeDirtyFB(kms->fd, id, NULL, 0);
	igt_assert(!err || err == -ENOSYS);
	off(kms);
	igt_assert_eq(drmModeRmFB(kms->fd, id), 0);
	igt_assert_eq(drmModeDestroyDumbBuffer(kms->fd, handle), 0);
	igt_ferry_wait_stat(kms->fd, "bos", bos);
	errno = 0;
}

/**
 * SUBTEST: addfb-invalid
 * Description: framebuffers that exceed their BO or that cannot be shown are refused
 */
static void test_addfb_invalid(int fd)
{
	struct kms *kms = kms_of(fd);
	static const struct {
		const char *what;
		uint32_t width, height, format, pitch, offset, flags;
		uint64_t modifier;
	} bad[] = {
		{ "height", 64, 65, DRM_FORMAT_XRGB8888, 256, 0, 0, 0 },
		{ "width", 65, 64, DRM_FORMAT_XRGB8888, 256, 0, 0, 0 },
		{ "small pitch", 64, 64, DRM_FORMAT_XRGB8888, 252, 0, 0, 0 },
		{ "pitch 0", 64, 64, DRM_FORMAT_XRGB8888, 0, 0, 0, 0 },
		{ "large pitch", 64, 64, DRM_FORMAT_XRGB8888, 260, 0, 0, 0 },
		{ "huge pitch", 64, 2, DRM_FORMAT_XRGB8888, 0xfffffffc, 0, 0,
		  0 },
		{ "wrapping pitch", 64, 64, DRM_FORMAT_XRGB8888, 0x4000000, 0,
		  0, 0 },
		{ "offset", 64, 64, DRM_FORMAT_XRGB8888, 256, 4, 0, 0 },
		{ "huge offset", 64, 64, DRM_FORMAT_XRGB8888, 256, 0xfffffffc,
		  0, 0 },
		{ "width 0", 0, 64, DRM_FORMAT_XRGB8888, 256, 0, 0, 0 },
		{ "height 0", 64, 0, DRM_FORMAT_XRGB8888, 256, 0, 0, 0 },
		{ "huge size", 65536, 65536, DRM_FORMAT_XRGB8888, 262144, 0, 0,
		  0 },
		{ "unknown format", 64, 64, fourcc_code('f', 'e', 'r', 'y'),
		  256, 0, 0, 0 },
		{ "format of two planes", 64, 32, DRM_FORMAT_NV12, 64, 0, 0,
		  0 },
		{ "unknown flag", 64, 64, DRM_FORMAT_XRGB8888, 256, 0, 1u << 31,
		  0 },
		{ "tiling", 64, 64, DRM_FORMAT_XRGB8888, 256, 0,
		  DRM_MODE_FB_MODIFIERS, I915_FORMAT_MOD_X_TILED },
	};
	uint32_t handle = ferry_bo_create(kms->fd, 64 * 64 * 4,
					  FERRY_PLACEMENT_BOTH, 0, 0,
					  DRM_FERRY_BO_CONTIGUOUS);
	uint32_t id = 0, only_system;

	igt_assert_eq(fb_add(kms->fd, handle, 64, 64, 256, &id), 0);
	igt_assert_eq(drmModeRmFB(kms->fd, id), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_mode_fb_cmd2 cmd = {
			.width = bad[i].width,
			.height = bad[i].height,
			.pixel_format = bad[i].format,
			.flags = bad[i].flags,
			.handles = { handle },
			.pitches = { bad[i].pitch },
			.offsets = { bad[i].offset },
			.modifier = { bad[i].modifier },
		};
		int err = __ferry_ioctl(kms->fd, DRM_IOCTL_MODE_ADDFB2, &cmd);

		/* ERANGE: the DRM core found a size of more than 32 bits */
		igt_assert_f(err == -EINVAL || err == -ERANGE, "%s: %s\n",
			     bad[i].what, err ? strerror(-err) : "created");
	}
	/* a BO that is not allowed in the aperture is copied to the screen */
	only_system = ferry_bo_create(kms->fd, 64 * 64 * 4, SYSTEM, 0, 0, 0);
	igt_assert_eq(fb_add(kms->fd, only_system, 64, 64, 256, &id), 0);
	igt_assert_eq(drmModeRmFB(kms->fd, id), 0);
	gem_close(kms->fd, only_system);
	igt_assert_eq(fb_add(kms->fd, 0, 64, 64, 256, &id), -EINVAL);
	igt_assert_eq(fb_add(kms->fd, 0x7fffffff, 64, 64, 256, &id), -ENOENT);
	gem_close(kms->fd, handle);
	igt_assert_eq(fb_add(kms->fd, handle, 64, 64, 256, &id), -ENOENT);
}

static const struct igt_ferry_test tests[] = {
	{ "connector",
	  "the connector has a valid EDID and modes that fit into the aperture",
	  test_connector },
	{ "modes-legacy", "each mode can be set, and is then reported",
	  test_modes_legacy },
	{ "modes-keep-memory",
	  "a modeset keeps the contents of the BOs that fill the rest of the aperture",
	  test_modes_keep_memory },
	{ "modeset-atomic",
	  "one atomic commit turns the display on and one turns it off; a TEST_ONLY commit changes nothing",
	  test_modeset_atomic },
	{ "modes-invalid",
	  "modes whose refresh rate or totals are absurd are refused with EINVAL, and the old mode stays",
	  test_modes_invalid },
	{ "page-flip",
	  "each page flip sends its event, and pins the new framebuffer",
	  test_page_flip },
	{ "page-flip-atomic",
	  "nonblocking commits flip and send their event, or fail with EBUSY before the last flip has ended",
	  test_page_flip_atomic },
	{ "more-than-fits",
	  "page flips work with more framebuffers than fit into the aperture",
	  test_more_than_fits },
	{ "dumb", "a dumb buffer can be shown without an ioctl of ferry",
	  test_dumb },
	{ "addfb-invalid",
	  "framebuffers that exceed their BO or that cannot be shown are refused",
	  test_addfb_invalid },
	{}
};

igt_main
{
	kms_run_tests(tests);
}
