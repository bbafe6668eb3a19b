/* SPDX-License-Identifier: MIT */
/*
 * The display pipeline of the device, and framebuffers for it.
 */
#ifndef KMS_PIPE_H
#define KMS_PIPE_H

#include <fcntl.h>
#include <poll.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"

/**
 * struct kms - the one pipeline of the device
 * @fd: device file, master
 * @connector: its connector, with its modes
 * @crtc: id of the CRTC
 * @plane: id of the primary plane
 * @mode: the preferred mode
 */
struct kms {
	int fd;
	drmModeConnector *connector;
	uint32_t crtc;
	uint32_t plane;
	drmModeModeInfo mode;
};

/**
 * struct fb - a framebuffer
 * @bo: its BO
 * @id: its id
 * @pitch: bytes of a line
 */
struct fb {
	struct igt_ferry_bo bo;
	uint32_t id;
	uint32_t pitch;
};

/* A framebuffer needs a contiguous range of the aperture when it is shown. */
static const struct igt_ferry_kind fb_system = {
	"system",
	FERRY_PLACEMENT_BOTH,
	SYSTEM,
	DRM_FERRY_CACHING_CACHED,
	DRM_FERRY_BO_CONTIGUOUS,
};
static const struct igt_ferry_kind fb_aperture = {
	"aperture",
	FERRY_PLACEMENT_BOTH,
	APERTURE,
	DRM_FERRY_CACHING_CACHED,
	DRM_FERRY_BO_CONTIGUOUS,
};

static struct kms the_kms;

/* The pipeline for the running subtest, whose client is @fd */
static inline struct kms *kms_of(int fd)
{
	igt_assert_eq(fd, the_kms.fd);
	return &the_kms;
}

static inline void kms_init(struct kms *kms, int fd)
{
	drmModeRes *res;
	drmModePlaneRes *planes;

	memset(kms, 0, sizeof(*kms));
	kms->fd = fd;
	igt_assert_eq(drmSetClientCap(fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1),
		      0);
	igt_assert_eq(drmSetClientCap(fd, DRM_CLIENT_CAP_ATOMIC, 1), 0);
	res = drmModeGetResources(fd);
	igt_assert(res);
	igt_assert_lt(0, res->count_connectors);
	igt_assert_lt(0, res->count_crtcs);
	igt_assert_lt(0, res->count_encoders);
	kms->crtc = res->crtcs[0];
	kms->connector = drmModeGetConnector(fd, res->connectors[0]);
	igt_assert(kms->connector);
	igt_assert_eq(kms->connector->connection, DRM_MODE_CONNECTED);
	igt_assert_lt(0, kms->connector->count_modes);
	kms->mode = kms->connector->modes[0];
	for (int i = kms->connector->count_modes - 1; i >= 0; i--)
		if (kms->connector->modes[i].type & DRM_MODE_TYPE_PREFERRED)
			kms->mode = kms->connector->modes[i];
	drmModeFreeResources(res);

	planes = drmModeGetPlaneResources(fd);
	igt_assert(planes && planes->count_planes);
	kms->plane = planes->planes[0];
	drmModeFreePlaneResources(planes);
}

static inline int fb_add(int fd, uint32_t handle, uint32_t width,
			 uint32_t height, uint32_t pitch, uint32_t *id)
{
	uint32_t handles[4] = { handle }, pitches[4] = { pitch },
		 offsets[4] = {};
	int err = drmModeAddFB2(fd, width, height, DRM_FORMAT_XRGB8888, handles,
				pitches, offsets, id, 0);

	errno = 0;
	return err;
}

static inline void fb_init(struct fb *fb, const struct kms *kms,
			   const struct igt_ferry_kind *kind,
			   const drmModeModeInfo *mode)
{
	/* a multiple of 8 pixels, which every device can show */
	fb->pitch = (mode->hdisplay + 7) / 8 * 8 * 4;
	igt_ferry_bo_init(&fb->bo, kms->fd, fb->pitch * mode->vdisplay, kind);
	igt_assert_eq(fb_add(kms->fd, fb->bo.handle, mode->hdisplay,
			     mode->vdisplay, fb->pitch, &fb->id),
		      0);
}

static inline void fb_fini(struct fb *fb)
{
	igt_assert_eq(drmModeRmFB(fb->bo.fd, fb->id), 0);
	igt_ferry_bo_fini(&fb->bo);
}

static inline int show(const struct kms *kms, const struct fb *fb,
		       const drmModeModeInfo *mode)
{
	return drmModeSetCrtc(kms->fd, kms->crtc, fb->id, 0, 0,
			      &kms->connector->connector_id, 1,
			      (drmModeModeInfo *)mode);
}

static inline void off(const struct kms *kms)
{
	igt_assert_eq(
		drmModeSetCrtc(kms->fd, kms->crtc, 0, 0, 0, NULL, 0, NULL), 0);
}

static inline bool pinned(const struct fb *fb)
{
	struct drm_ferry_bo_query query;

	ferry_bo_query(fb->bo.fd, fb->bo.handle, &query);
	igt_assert_lte(query.pinned, 1);
	if (query.pinned)
		igt_assert_eq_u32(query.placement, APERTURE);
	return query.pinned;
}

/*
 * Check that @fb is no longer pinned, now or soon: a commit ends and sends its event before a
 * worker gives back the framebuffer that it replaced.
 */
static inline void check_unpinned(const struct fb *fb)
{
	struct timespec start = {};

	while (pinned(fb) && igt_seconds_elapsed(&start) < 10)
		usleep(1000);
	igt_assert(!pinned(fb));
}

static inline void flip_done(int fd, unsigned int frame, unsigned int sec,
			     unsigned int usec, void *data)
{
	(void)fd;
	(void)frame;
	(void)sec;
	(void)usec;
	++*(unsigned int *)data;
}

/* Wait until @count events have arrived. */
static inline void wait_flips(int fd, const unsigned int *events,
			      unsigned int count)
{
	drmEventContext context = { .version = 2,
				    .page_flip_handler = flip_done };
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	while (*events < count) {
		igt_assert_f(
			poll(&poll_fd, 1, 5000) == 1,
			"%u of %u events have arrived, and no more within 5 s\n",
			*events, count);
		igt_assert_eq(drmHandleEvent(fd, &context), 0);
	}
	igt_assert_eq(*events, count);
}

static inline void flip(struct kms *kms, struct fb *fb)
{
	unsigned int events = 0;

	igt_assert_eq(drmModePageFlip(kms->fd, kms->crtc, fb->id,
				      DRM_MODE_PAGE_FLIP_EVENT, &events),
		      0);
	wait_flips(kms->fd, &events, 1);
}

/*
 * Start a subtest: a new client that is the master, and the display off. The last
 * subtest may have failed.
 */
static inline int kms_begin_with(int fd)
{
	if (the_kms.connector)
		drmModeFreeConnector(the_kms.connector);
	kms_init(&the_kms, fd);
	igt_assert_eq(drmSetMaster(fd), 0);
	off(&the_kms);
	return fd;
}

static inline int kms_begin(int keep)
{
	return kms_begin_with(igt_ferry_begin(keep));
}

/* Open the device. Skip if it has no display, or if another program uses that. */
static inline int kms_open(void)
{
	int fd = igt_ferry_open();

	igt_ferry_require_display(fd);
	igt_require_f(
		drmSetMaster(fd) == 0 || drmIsMaster(fd),
		"another program is the master of the display: end it first\n");
	igt_assert_eq(drmDropMaster(fd), 0);
	return fd;
}

/* Skip if the device is not a VGA device. */
static inline void kms_require_vga(int fd)
{
	char slot[64], path[128], class[16] = "";
	int file;

	igt_ferry_pci_slot(fd, slot, sizeof(slot));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", slot);
	file = open(path, O_RDONLY);
	igt_assert_lte(0, file);
	igt_assert_lt(0, read(file, class, sizeof(class) - 1));
	close(file);
	igt_require_f(!strncmp(class, "0x0300", 6),
		      "not a VGA device: vm/run --device VGA\n");
}

static inline void __kms_run_tests(const struct igt_ferry_test *tests,
				   int (*begin)(int keep))
{
	int fd = -1;

	igt_fixture fd = kms_open();

	__igt_ferry_run_tests(tests, begin, fd);

	igt_fixture igt_ferry_clean(-1);
}

static inline void kms_run_tests(const struct igt_ferry_test *tests)
{
	__kms_run_tests(tests, kms_begin);
}

#endif /* KMS_PIPE_H */
