/* SPDX-License-Identifier: MIT */
/* A picture of where BOs are: one tile each, in the order of their creation. */
#ifndef ATLAS_H_
#define ATLAS_H_

#include <stdbool.h>
#include <stdint.h>

#define ATLAS_WIDTH 640
#define ATLAS_HEIGHT 480

/**
 * struct atlas - what the picture shows
 */
struct atlas {
	/** @title: the line on top; letters, digits, "-./" and spaces */
	const char *title;
	/** @count: number of BOs, at least 1 */
	int count;
	/** @in_aperture: for each BO, whether it is in the aperture */
	const bool *in_aperture;
	/** @was_evicted: for each BO, whether it has been evicted before */
	const bool *was_evicted;
	/** @picture: picture in the first BO, shown in its tile */
	const uint32_t *picture;
	/** @picture_width: its width in pixels */
	int picture_width;
	/** @picture_height: its height in pixels */
	int picture_height;
};

/**
 * atlas_draw() - draw the picture
 * @pixels: out: ATLAS_WIDTH * ATLAS_HEIGHT pixels, 0x00RRGGBB
 * @atlas: what to show
 */
void atlas_draw(uint32_t *pixels, const struct atlas *atlas);

#endif /* ATLAS_H_ */
