/* SPDX-License-Identifier: MIT */
/* A picture of the placement of BOs: one tile for each, in the order of their creation. */
#ifndef ATLAS_H_
#define ATLAS_H_

#include <stdbool.h>
#include <stdint.h>

#define ATLAS_WIDTH 640
#define ATLAS_HEIGHT 480

/**
 * struct atlas - contents of the picture
 */
struct atlas {
	/** @title: text of the first line: letters, digits, "-./" and spaces */
	const char *title;
	/** @count: number of BOs, at least 1 */
	int count;
	/** @in_aperture: for each BO, whether it is in the aperture */
	const bool *in_aperture;
	/** @was_evicted: for each BO, whether it was ever evicted */
	const bool *was_evicted;
	/** @picture: the picture in the first BO, to be shown in its tile */
	const uint32_t *picture;
	/** @picture_width: its width in pixels */
	int picture_width;
	/** @picture_height: its height in pixels */
	int picture_height;
};

/**
 * atlas_draw() - draw the picture
 * @pixels: out: ATLAS_WIDTH * ATLAS_HEIGHT pixels, 0x00RRGGBB
 * @atlas: contents of the picture
 */
void atlas_draw(uint32_t *pixels, const struct atlas *atlas);

#endif /* ATLAS_H_ */
