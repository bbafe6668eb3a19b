// SPDX-License-Identifier: MIT
/*
 * Show a picture on the first display of ferry: it moves to the right, by one step for each
 * frame.
 *
 * usage: show [FRAMES]
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdrm_ferry/ferry.h>

#include "scene.h"

#define STEP 4

static uint32_t picture[SCENE_HEIGHT][SCENE_WIDTH];

/* Copy as much of the picture as fits, moved to the right by @offset and around the edge. */
static void draw(const struct ferry_display_buffer *buffer, uint32_t offset)
{
	for (uint32_t y = 0; y < buffer->height; y++) {
		uint32_t *row = (void *)((char *)buffer->pixels +
					 (size_t)y * buffer->pitch);

		for (uint32_t x = 0; x < buffer->width; x++)
			row[x] = picture[y % SCENE_HEIGHT]
					[(x + SCENE_WIDTH - offset) %
					 SCENE_WIDTH];
	}
}

static int show(struct ferry_display *display, unsigned int frames)
{
	struct ferry_display_buffer buffer;
	int err = 0;

	for (unsigned int i = 0; i < frames && !err; i++) {
		ferry_display_draw(display, &buffer);
		draw(&buffer, i * STEP % SCENE_WIDTH);
		err = ferry_display_flip(display);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct ferry_display *display = NULL;
	struct ferry_device *dev;
	int err;

	for (int y = 0; y < SCENE_HEIGHT; y++)
		for (int x = 0; x < SCENE_WIDTH; x++)
			picture[y][x] = scene_pixel(x, y);

	err = ferry_device_open(FERRY_OPEN_DISPLAY, &dev);
	if (err) {
		fprintf(stderr, "show: no display of ferry: %s\n",
			strerror(-err));
		return 1;
	}
	err = ferry_display_new(dev, 0, 0, 0, &display);
	if (!err)
		err = show(display, argc > 1 ? atoi(argv[1]) : 600);
	if (err)
		fprintf(stderr, "show: %s%s\n", strerror(-err),
			err == -EACCES ? " (is a desktop running?)" : "");
	ferry_display_del(display);
	ferry_device_del(dev);
	return err ? 1 : 0;
}
