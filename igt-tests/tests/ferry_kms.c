// SPDX-License-Identifier: MIT
/**
 * TEST: ferry kms
 * Category: Display
 * Description: The display: modes, framebuffers of buffer objects, flips, and what scanout pins
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"The display: modes, framebuffers of buffer objects, flips, and pinning");

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
 * @bo: what it shows
 * @id: its id
 * @pitch: bytes of a line
 */
struct fb {
	struct igt_ferry_bo bo;
	uint32_t id;
	uint32_t pitch;
};

/* What a framebuffer needs: one range of the aperture, now or when it is shown */
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

static void kms_init(struct kms *kms, int fd)
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

static int fb_add(int fd, uint32_t handle, uint32_t width, uint32_t height,
		  uint32_t pitch, uint32_t *id)
{
	uint32_t handles[4] = { handle }, pitches[4] = { pitch },
		 offsets[4] = {};
	int err = drmModeAddFB2(fd, width, height, DRM_FORMAT_XRGB8888, handles,
				pitches, offsets, id, 0);

	errno = 0;
	return err;
}

static void fb_init(struct fb *fb, const struct kms *kms,
		    const struct igt_ferry_kind *kind,
		    const drmModeModeInfo *mode)
{
	fb->pitch = mode->hdisplay * 4;
	igt_ferry_bo_init(&fb->bo, kms->fd, fb->pitch * mode->vdisplay, kind);
	igt_assert_eq(fb_add(kms->fd, fb->bo.handle, mode->hdisplay,
			     mode->vdisplay, fb->pitch, &fb->id),
		      0);
}

static void fb_fini(struct fb *fb)
{
	igt_assert_eq(drmModeRmFB(fb->bo.fd, fb->id), 0);
	igt_ferry_bo_fini(&fb->bo);
}

static int show(const struct kms *kms, const struct fb *fb,
		const drmModeModeInfo *mode)
{
	return drmModeSetCrtc(kms->fd, kms->crtc, fb->id, 0, 0,
			      &kms->connector->connector_id, 1,
			      (drmModeModeInfo *)mode);
}

static void off(const struct kms *kms)
{
	igt_assert_eq(
		drmModeSetCrtc(kms->fd, kms->crtc, 0, 0, 0, NULL, 0, NULL), 0);
}

static bool pinned(const struct fb *fb)
{
	struct drm_ferry_bo_query query;

	ferry_bo_query(fb->bo.fd, fb->bo.handle, &query);
	igt_assert_lte(query.pinned, 1);
	if (query.pinned)
		igt_assert_eq_u32(query.placement, APERTURE);
	return query.pinned;
}

/* Id and, if wanted, value of the object's property of this name */
static uint32_t property(int fd, uint32_t object, uint32_t type,
			 const char *name, uint64_t *value)
{
	drmModeObjectProperties *props =
		drmModeObjectGetProperties(fd, object, type);
	uint32_t id = 0;

	igt_assert(props);
	for (uint32_t i = 0; i < props->count_props && !id; i++) {
		drmModePropertyRes *prop =
			drmModeGetProperty(fd, props->props[i]);

		igt_assert(prop);
		if (!strcmp(prop->name, name)) {
			id = prop->prop_id;
			if (value)
				*value = props->prop_values[i];
		}
		drmModeFreeProperty(prop);
	}
	drmModeFreeObjectProperties(props);
	return id;
}

/**
 * SUBTEST: connector
 * Description: the connector has a valid EDID and modes that the aperture can hold
 */
static void test_connector(struct kms *kms)
{
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
 * Description: modes are set one after the other, and each is what is then told
 */
static void test_modes_legacy(struct kms *kms)
{
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
		igt_assert(!pinned(&fb));
		fb_fini(&fb);
		tried++;
	}
	igt_info("%d modes\n", tried);
}

/**
 * SUBTEST: modes-keep-memory
 * Description: setting modes changes no byte of the BOs that fill the rest of the aperture
 */
static void test_modes_keep_memory(struct kms *kms)
{
	int step = kms->connector->count_modes / 4 + 1;
	const size_t size = 64 * PAGE;
	unsigned int count;
	uint32_t *handles;
	struct fb fb;

	for (int i = 0; i < kms->connector->count_modes; i += step) {
		const drmModeModeInfo *mode = &kms->connector->modes[i];

		off(kms);
		/* where the BOs are depends on who was first */
		if (i & 1)
			fb_init(&fb, kms, &fb_aperture, mode);
		count = igt_ferry_aperture_fill(kms->fd, size, &handles);
		for (unsigned int n = 0; n < count; n++) {
			void *map = ferry_bo_mmap(kms->fd, handles[n], size);

			igt_ferry_fill(map, 0, size / PAGE, n, 1);
			munmap(map, size);
		}
		if (!(i & 1)) {
			/* room for the framebuffer, but not at the start */
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

static void atomic_add(drmModeAtomicReq *req, int fd, uint32_t object,
		       uint32_t type, const char *name, uint64_t value)
{
	uint32_t id = property(fd, object, type, name, NULL);

	igt_assert_f(id, "no property %s\n", name);
	igt_assert_lt(0, drmModeAtomicAddProperty(req, object, id, value));
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
 * Description: one atomic commit turns the display on and one turns it off; a test changes nothing
 */
static void test_modeset_atomic(struct kms *kms)
{
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
	igt_assert(!pinned(&fb));
	igt_ferry_bo_check(&fb.bo);
	drmModeDestroyPropertyBlob(kms->fd, blob);
	fb_fini(&fb);
	errno = 0;
}

static void flip_done(int fd, unsigned int frame, unsigned int sec,
		      unsigned int usec, void *data)
{
	(void)fd;
	(void)frame;
	(void)sec;
	(void)usec;
	++*(unsigned int *)data;
}

/* Until so many events have come */
static void wait_flips(int fd, const unsigned int *events, unsigned int count)
{
	drmEventContext context = { .version = 2,
				    .page_flip_handler = flip_done };
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	while (*events < count) {
		igt_assert_f(poll(&poll_fd, 1, 5000) == 1,
			     "%u of %u events, and no more within 5 s\n",
			     *events, count);
		igt_assert_eq(drmHandleEvent(fd, &context), 0);
	}
	igt_assert_eq(*events, count);
}

static void flip(struct kms *kms, struct fb *fb)
{
	unsigned int events = 0;

	igt_assert_eq(drmModePageFlip(kms->fd, kms->crtc, fb->id,
				      DRM_MODE_PAGE_FLIP_EVENT, &events),
		      0);
	wait_flips(kms->fd, &events, 1);
}

/**
 * SUBTEST: page-flip
 * Description: flips between two buffers, each with its event, and only the shown one is pinned
 */
static void test_page_flip(struct kms *kms)
{
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
		igt_assert(!pinned(&fb[i]));
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
}

/**
 * SUBTEST: page-flip-atomic
 * Description: commits that do not block flip and send their event; one too early gives EBUSY
 */
static void test_page_flip_atomic(struct kms *kms)
{
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
 * Description: flipping through more buffers than the aperture holds moves them in and out
 */
static void test_more_than_fits(struct kms *kms)
{
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
 * Description: a dumb buffer is shown, as any program does it
 */
static void test_dumb(struct kms *kms)
{
	uint64_t bos = igt_ferry_stat(kms->fd, "bos");
	uint32_t handle, pitch, id;
	struct fb fb = {};
	uint64_t size;
	int err;

	/* there are no flags */
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
	igt_assert(pinned(&fb));
	/* a driver that copies nothing has nothing to do there */
	err = drmModeDirtyFB(kms->fd, id, NULL, 0);
	igt_assert(!err || err == -ENOSYS);
	off(kms);
	igt_assert_eq(drmModeRmFB(kms->fd, id), 0);
	igt_assert_eq(drmModeDestroyDumbBuffer(kms->fd, handle), 0);
	igt_ferry_wait_stat(kms->fd, "bos", bos);
	errno = 0;
}

/**
 * SUBTEST: pinned
 * Description: what is shown cannot be migrated (EBUSY), alone or among others, until it is off
 */
static void test_pinned(struct kms *kms)
{
	struct drm_ferry_migrate_entry entries[2];
	struct igt_ferry_bo other;
	struct fb fb;

	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_ferry_bo_init(&other, kms->fd, PAGE, igt_ferry_movable_kinds);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);

	igt_assert_eq(__ferry_bo_migrate(kms->fd, fb.bo.handle, SYSTEM), -EBUSY);
	ferry_bo_migrate(kms->fd, fb.bo.handle, APERTURE);
	for (int i = 0; i < 2; i++) {
		entries[i] =
			(struct drm_ferry_migrate_entry){ other.handle, APERTURE };
		entries[!i] =
			(struct drm_ferry_migrate_entry){ fb.bo.handle, SYSTEM };
		igt_assert_eq(__ferry_migrate(kms->fd, entries, 2), -EBUSY);
		igt_assert_eq(ferry_bo_placement(kms->fd, other.handle), SYSTEM);
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
 * Description: a framebuffer that lies in the aperture in pieces is in one when it is shown, with its contents
 */
static void test_in_pieces(struct kms *kms)
{
	static const struct igt_ferry_kind kind = { "pieces",
						    FERRY_PLACEMENT_BOTH, SYSTEM,
						    DRM_FERRY_CACHING_CACHED,
						    0 };
	uint64_t within = igt_ferry_stat(kms->fd, "moves_within");
	unsigned int count;
	uint32_t *handles;
	struct fb fb;

	/* small enough for half of the aperture, and larger than each hole */
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
 * Description: another device cannot take in what is shown (EBUSY), which stays on the screen
 */
static void test_import_shown(struct kms *kms)
{
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
	igt_assert_eq(drmPrimeFDToHandle(vgem, prime, &other), -1);
	igt_assert_eq(errno, EBUSY);
	igt_assert(pinned(&fb));
	igt_ferry_bo_check(&fb.bo);
	close(prime);
	close(vgem);
	off(kms);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: aperture-full
 * Description: a framebuffer that finds no room is not shown, and the screen stays as it was
 */
static void test_aperture_full(struct kms *kms)
{
	unsigned int count;
	uint32_t *handles;
	struct fb fb[2];
	drmModeCrtc *crtc;

	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], kms, &fb_system, &kms->mode);
		igt_ferry_bo_fill(&fb[i].bo);
	}
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	count = igt_ferry_aperture_fill(kms->fd, 64 * PAGE, &handles);
	igt_assert_eq(show(kms, &fb[1], &kms->mode), -ENOSPC);
	igt_assert_eq(drmModePageFlip(kms->fd, kms->crtc, fb[1].id, 0, NULL),
		      -ENOSPC);
	crtc = drmModeGetCrtc(kms->fd, kms->crtc);
	igt_assert(crtc);
	igt_assert_eq_u32(crtc->buffer_id, fb[0].id);
	drmModeFreeCrtc(crtc);
	igt_assert(pinned(&fb[0]));
	igt_assert(!pinned(&fb[1]));

	igt_ferry_close_all(kms->fd, handles, count);
	igt_assert_eq(show(kms, &fb[1], &kms->mode), 0);
	off(kms);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&fb[i].bo);
		fb_fini(&fb[i]);
	}
	errno = 0;
}

/**
 * SUBTEST: handle-closed
 * Description: a framebuffer whose handle was closed goes on being shown, and does not leak
 */
static void test_handle_closed(struct kms *kms)
{
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
 * Description: removing the framebuffer that is shown turns the display off and unpins its BO
 */
static void test_rmfb_shown(struct kms *kms)
{
	uint64_t bos = igt_ferry_stat(kms->fd, "bos");
	struct fb fb;

	for (int i = 0; i < 5; i++) {
		fb_init(&fb, kms, &fb_aperture, &kms->mode);
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		igt_assert(pinned(&fb));
		igt_assert_eq(drmModeRmFB(kms->fd, fb.id), 0);
		igt_assert(!pinned(&fb));
		ferry_bo_migrate(kms->fd, fb.bo.handle, SYSTEM);
		igt_ferry_bo_fini(&fb.bo);
	}
	igt_ferry_wait_stat(kms->fd, "bos", bos);
}

/**
 * SUBTEST: zero-after-scanout
 * Description: the memory that a picture was shown from is zero for the next BO
 */
static void test_zero_after_scanout(struct kms *kms)
{
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
 * SUBTEST: flip-while-touched
 * Description: a thread paints through the mappings while the buffers are shown, pinned and moved
 */
static void test_flip_while_touched(struct kms *kms)
{
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

/**
 * SUBTEST: addfb-invalid
 * Description: framebuffers that do not fit into their BO, or that cannot be shown, are refused
 */
static void test_addfb_invalid(struct kms *kms)
{
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
		{ "odd pitch", 32, 32, DRM_FORMAT_XRGB8888, 257, 0, 0, 0 },
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

		/* ERANGE is the DRM core's: more than 32 bits */
		igt_assert_f(err == -EINVAL || err == -ERANGE, "%s: %s\n",
			     bad[i].what, err ? strerror(-err) : "created");
	}
	/* and one that could never be shown */
	only_system = ferry_bo_create(kms->fd, 64 * 64 * 4, SYSTEM, 0, 0, 0);
	igt_assert_eq(fb_add(kms->fd, only_system, 64, 64, 256, &id), -EINVAL);
	gem_close(kms->fd, only_system);
	igt_assert_eq(fb_add(kms->fd, 0, 64, 64, 256, &id), -EINVAL);
	igt_assert_eq(fb_add(kms->fd, 0x7fffffff, 64, 64, 256, &id), -ENOENT);
	gem_close(kms->fd, handle);
	igt_assert_eq(fb_add(kms->fd, handle, 64, 64, 256, &id), -ENOENT);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(struct kms *kms);
} tests[] = {
	{ "connector", "The connector has a valid EDID and modes that fit",
	  test_connector },
	{ "modes-legacy", "Modes are set one after the other",
	  test_modes_legacy },
	{ "modes-keep-memory", "Setting modes changes no byte of other BOs",
	  test_modes_keep_memory },
	{ "modeset-atomic", "Atomic commits turn the display on and off",
	  test_modeset_atomic },
	{ "page-flip", "Flips between two buffers, each with its event",
	  test_page_flip },
	{ "page-flip-atomic",
	  "Commits that do not block flip and send their event",
	  test_page_flip_atomic },
	{ "more-than-fits",
	  "Flipping through more buffers than the aperture holds",
	  test_more_than_fits },
	{ "dumb", "A dumb buffer is shown, as any program does it", test_dumb },
	{ "pinned", "What is shown cannot be migrated until it is off",
	  test_pinned },
	{ "in-pieces",
	  "A framebuffer in pieces is in one piece when it is shown",
	  test_in_pieces },
	{ "import-shown", "Another device cannot take in what is shown",
	  test_import_shown },
	{ "aperture-full", "A framebuffer that finds no room is not shown",
	  test_aperture_full },
	{ "handle-closed",
	  "A framebuffer whose handle was closed goes on being shown",
	  test_handle_closed },
	{ "rmfb-shown",
	  "Removing the framebuffer that is shown turns the display off",
	  test_rmfb_shown },
	{ "zero-after-scanout",
	  "The memory that a picture was shown from is zero",
	  test_zero_after_scanout },
	{ "flip-while-touched",
	  "A thread paints while the buffers are shown and moved",
	  test_flip_while_touched },
	{ "addfb-invalid",
	  "Framebuffers that do not fit into their BO are refused",
	  test_addfb_invalid },
};

/* A new client, and the display off: whatever the last subtest has left. */
static void begin(struct kms *kms, int fd)
{
	if (kms->connector)
		drmModeFreeConnector(kms->connector);
	kms_init(kms, igt_ferry_begin(fd));
	igt_assert_eq(drmSetMaster(kms->fd), 0);
	off(kms);
}

igt_main
{
	struct kms kms = {};
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		igt_ferry_require_display(fd);
		igt_require_f(
			drmSetMaster(fd) == 0 || drmIsMaster(fd),
			"another program has the display: end it first\n");
		igt_assert_eq(drmDropMaster(fd), 0);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			begin(&kms, fd);
			tests[i].run(&kms);
		}
	}

	igt_fixture
	{
		igt_ferry_clean(-1);
	}
}
