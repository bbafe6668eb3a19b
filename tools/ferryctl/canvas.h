/* SPDX-License-Identifier: MIT */
/* A picture of rectangles and text, as SVG or PNG. */
#ifndef CANVAS_H_
#define CANVAS_H_

#include <stdbool.h>
#include <stdint.h>

#define CANVAS_NO_COLOUR UINT32_MAX

struct canvas {
	/** @rect: draw a rectangle; @edge may be CANVAS_NO_COLOUR */
	void (*rect)(struct canvas *canvas, double x, double y, double width,
		     double height, uint32_t fill, uint32_t edge);
	/** @text: write one line, whose baseline begins at @x, or ends there if @right */
	void (*text)(struct canvas *canvas, double x, double y, bool right,
		     uint32_t colour, const char *text);
	/** @group: begin (or with NULL end) a group of rectangles with a title */
	void (*group)(struct canvas *canvas, const char *title);
	/** @finish: write the picture and free the canvas; returns 0 or a negative errno */
	int (*finish)(struct canvas *canvas);
};

/* Returns NULL without memory. @path is NULL for stdout, and not NULL for PNG. */
struct canvas *canvas_new_svg(const char *path, unsigned int width,
			      unsigned int height);
struct canvas *canvas_new_png(const char *path, unsigned int width,
			      unsigned int height);

#endif /* CANVAS_H_ */
