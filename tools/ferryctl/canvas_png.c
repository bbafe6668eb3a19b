// SPDX-License-Identifier: MIT
/* See canvas.h. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../libdrm-ext/examples/png.h"
#include "canvas.h"
#include "font.h"

#define SCALE 2

struct canvas_png {
	struct canvas base;
	const char *path;
	unsigned int width, height;
	uint32_t *pixels;
};

/* Fill the pixels whose centres lie in the rectangle, and at least one in each direction. */
static void fill(struct canvas_png *png, double x, double y, double width,
		 double height, uint32_t colour)
{
	long left = lround(x), top = lround(y);
	long right = lround(x + width), bottom = lround(y + height);

	if (right <= left)
		right = left + 1;
	if (bottom <= top)
		bottom = top + 1;
	for (long row = top; row < bottom; row++)
		for (long column = left; column < right; column++)
			if (row >= 0 && row < (long)png->height &&
			    column >= 0 && column < (long)png->width)
				png->pixels[row * png->width + column] = colour;
}

static void png_rect(struct canvas *canvas, double x, double y, double width,
		     double height, uint32_t colour, uint32_t edge)
{
	struct canvas_png *png = (struct canvas_png *)canvas;

	fill(png, x, y, width, height, colour);
	if (edge == CANVAS_NO_COLOUR || width < 2)
		return;
	fill(png, x, y, width, 1, edge);
	fill(png, x, y + height - 1, width, 1, edge);
	fill(png, x, y, 1, height, edge);
	fill(png, x + width - 1, y, 1, height, edge);
}

static void png_text(struct canvas *canvas, double x, double y, bool right,
		     uint32_t colour, const char *text)
{
	struct canvas_png *png = (struct canvas_png *)canvas;
	const double advance = SCALE * (FONT_WIDTH + 1);

	y -= SCALE * (FONT_HEIGHT - 1);
	if (right)
		x -= advance * strlen(text);
	for (; *text; text++, x += advance)
		for (int column = 0; column < FONT_WIDTH; column++)
			for (int row = 0; row < FONT_HEIGHT; row++)
				if (font_glyph(*text)[column] & 1 << row)
					fill(png, x + SCALE * column,
					     y + SCALE * row, SCALE, SCALE,
					     colour);
}

static void png_group(struct canvas *canvas, const char *title)
{
	(void)canvas;
	(void)title;
}

static int png_finish(struct canvas *canvas)
{
	struct canvas_png *png = (struct canvas_png *)canvas;
	int ret = png_save(png->path, png->pixels, png->width, png->height);

	free(png->pixels);
	free(png);
	return ret;
}

struct canvas *canvas_new_png(const char *path, unsigned int width,
			      unsigned int height)
{
	struct canvas_png *png = calloc(1, sizeof(*png));

	if (!png)
		return NULL;
	png->pixels = malloc((size_t)width * height * sizeof(*png->pixels));
	if (!png->pixels) {
		free(png);
		return NULL;
	}
	png->path = path;
	png->width = width;
	png->height = height;
	png->base =
		(struct canvas){ png_rect, png_text, png_group, png_finish };
	fill(png, 0, 0, width, height, 0xffffff);
	return &png->base;
}
