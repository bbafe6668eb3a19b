/* SPDX-License-Identifier: MIT */
/*
 * Dumb buffers that are shown on the first connector. User space can get a buffer of
 * the stock VRAM helper drivers (bochs) into video memory only by showing it: the
 * framebuffer is pinned there while it is on the screen.
 */
#ifndef FERRY_BENCH_SCANOUT_H
#define FERRY_BENCH_SCANOUT_H

#include <stddef.h>
#include <stdint.h>

struct screen {
	int fd;
	uint32_t crtc;
	uint32_t connector;
};

struct shown_bo {
	uint32_t handle;
	uint32_t fb;
	size_t size;
	void *map;
};

void screen_open(struct screen *scr, const char *node);

/* Create a dumb buffer of exactly @size bytes, at least 1 MiB. Do not show it yet. */
void shown_bo_create(struct screen *scr, struct shown_bo *bo, size_t size);
void *shown_bo_map(struct screen *scr, struct shown_bo *bo);
void shown_bo_destroy(struct screen *scr, struct shown_bo *bo);

/* Show @bo: one commit, in which the driver pins it and unpins the previous one. */
void shown_bo_show(struct screen *scr, struct shown_bo *bo);

#endif
