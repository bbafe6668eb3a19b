// SPDX-License-Identifier: MIT
/* See scanout.h. */
#include "common.h"
#include "scanout.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

/*
 * The mode is small, so that a framebuffer of 1 MiB is large enough for it. The time
 * of a commit depends on the size of the buffer, not on the mode.
 */
#define WIDTH 512
#define HEIGHT 512

/* The most lines that a framebuffer of bochs can have. */
#define MAX_LINES 8192

void screen_open(struct screen *scr, const char *node)
{
	drmModeRes *res;

	scr->fd = open(node, O_RDWR | O_CLOEXEC);
	if (scr->fd < 0)
		die("cannot open %s", node);
	drmSetMaster(scr->fd);

	res = drmModeGetResources(scr->fd);
	if (!res || !res->count_crtcs || !res->count_connectors)
		die("%s has no display", node);
	scr->crtc = res->crtcs[0];
	scr->connector = res->connectors[0];
	drmModeFreeResources(res);
}

void shown_bo_create(struct screen *scr, struct shown_bo *bo, size_t size)
{
	struct drm_mode_create_dumb create = { .width = WIDTH, .bpp = 32 };

	while (size / (create.width * 4) > MAX_LINES)
		create.width *= 2;
	create.height = size / (create.width * 4);
	if (drmIoctl(scr->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		die("cannot create a dumb buffer of %zu bytes", size);
	if (create.size != size) {
		errno = 0;
		die("a dumb buffer of %llu bytes instead of %zu",
		    (unsigned long long)create.size, size);
	}
	*bo = (struct shown_bo){ .handle = create.handle, .size = size };

	if (drmModeAddFB(scr->fd, create.width, create.height, 24, 32,
			 create.pitch, bo->handle, &bo->fb))
		die("cannot make a framebuffer of %ux%u", create.width,
		    create.height);
}

void *shown_bo_map(struct screen *scr, struct shown_bo *bo)
{
	struct drm_mode_map_dumb map = { .handle = bo->handle };

	if (drmIoctl(scr->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		die("cannot get the offset of a dumb buffer");
	bo->map = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       scr->fd, map.offset);
	if (bo->map == MAP_FAILED)
		die("cannot map a dumb buffer");
	return bo->map;
}

void shown_bo_destroy(struct screen *scr, struct shown_bo *bo)
{
	struct drm_mode_destroy_dumb destroy = { .handle = bo->handle };

	if (bo->map)
		munmap(bo->map, bo->size);
	drmModeRmFB(scr->fd, bo->fb);
	drmIoctl(scr->fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
}

void shown_bo_show(struct screen *scr, struct shown_bo *bo)
{
	drmModeModeInfo mode = {
		.clock = 25000,
		.hdisplay = WIDTH,
		.hsync_start = WIDTH + 16,
		.hsync_end = WIDTH + 32,
		.htotal = WIDTH + 64,
		.vdisplay = HEIGHT,
		.vsync_start = HEIGHT + 4,
		.vsync_end = HEIGHT + 8,
		.vtotal = HEIGHT + 16,
		.name = "bench",
	};

	if (drmModeSetCrtc(scr->fd, scr->crtc, bo->fb, 0, 0, &scr->connector, 1,
			   &mode))
		die("cannot show a framebuffer of %zu bytes", bo->size);
}
