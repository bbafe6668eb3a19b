// SPDX-License-Identifier: MIT
/* See atlas.h. */

#include "atlas.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PAPER 0x101828
#define INK 0xe8ecf4
#define IN_APERTURE 0x17a398
#define IN_SYSTEM 0xe09f3e
#define EVICTED 0x9e2a2b

#define TOP 68
#define MARGIN 16

/* Letters of 3 x 5 pixels: five rows of three bits, top row first. */
static const struct {
	char letter;
	uint16_t points;
} font[] = {
	{ '0', 075557 }, { '1', 026227 }, { '2', 071747 }, { '3', 071717 },
	{ '4', 055711 }, { '5', 074717 }, { '6', 074757 }, { '7', 071122 },
	{ '8', 075757 }, { '9', 075717 }, { 'A', 025755 }, { 'B', 065656 },
	{ 'C', 034443 }, { 'D', 065556 }, { 'E', 074647 }, { 'F', 074644 },
	{ 'G', 034553 }, { 'H', 055755 }, { 'I', 072227 }, { 'J', 011152 },
	{ 'K', 055655 }, { 'L', 044447 }, { 'M', 057755 }, { 'N', 065555 },
	{ 'O', 025552 }, { 'P', 065644 }, { 'Q', 025563 }, { 'R', 065655 },
	{ 'S', 034216 }, { 'T', 072222 }, { 'U', 055557 }, { 'V', 055552 },
	{ 'W', 055775 }, { 'X', 055255 }, { 'Y', 055222 }, { 'Z', 071247 },
	{ '-', 000700 }, { '.', 000002 }, { '/', 011244 },
};

static void box(uint32_t *pixels, int x, int y, int width, int height,
		uint32_t colour)
{
	for (int row = y; row < y + height; row++) {
		for (int column = x; column < x + width; column++)
			pixels[row * ATLAS_WIDTH + column] = colour;
	}
}

static uint16_t points_of(char letter)
{
	if (letter >= 'a' && letter <= 'z')
		letter += 'A' - 'a';
	for (size_t i = 0; i < sizeof(font) / sizeof(font[0]); i++) {
		if (font[i].letter == letter)
			return font[i].points;
	}
	return 0;
}

/* Draw the text, cut off at the right edge of the picture. */
static void write_text(uint32_t *pixels, int x, int y, int scale,
		       uint32_t colour, const char *text)
{
	for (; *text && x + 4 * scale <= ATLAS_WIDTH; text++) {
		uint16_t points = points_of(*text);

		for (int bit = 0; bit < 15; bit++) {
			if (points >> (14 - bit) & 1)
				box(pixels, x + bit % 3 * scale,
				    y + bit / 3 * scale, scale, scale, colour);
		}
		x += 4 * scale;
	}
}

static void legend(uint32_t *pixels, const struct atlas *atlas)
{
	int aperture = 0, evicted = 0;
	char text[64];

	for (int i = 0; i < atlas->count; i++) {
		aperture += atlas->in_aperture[i];
		evicted += atlas->was_evicted[i];
	}
	write_text(pixels, MARGIN, 14, 3, INK, atlas->title);

	snprintf(text, sizeof(text), "%d IN THE APERTURE", aperture);
	box(pixels, MARGIN, 42, 12, 12, IN_APERTURE);
	write_text(pixels, MARGIN + 20, 43, 2, INK, text);

	snprintf(text, sizeof(text), "%d IN SYSTEM MEMORY",
		 atlas->count - aperture);
	box(pixels, 226, 42, 12, 12, IN_SYSTEM);
	write_text(pixels, 246, 43, 2, INK, text);

	snprintf(text, sizeof(text), "%d EVICTED SO FAR", evicted);
	box(pixels, 446, 42, 12, 12, EVICTED);
	write_text(pixels, 466, 43, 2, INK, text);
}

static void tile(uint32_t *pixels, const struct atlas *atlas, int i, int x,
		 int y, int width, int height)
{
	char number[16];
	int length;

	box(pixels, x, y, width, height,
	    atlas->in_aperture[i] ? IN_APERTURE : IN_SYSTEM);
	if (i == 0) {
		for (int row = 3; row < height - 3; row++) {
			for (int column = 3; column < width - 3; column++)
				pixels[(y + row) * ATLAS_WIDTH + x + column] =
					atlas->picture
						[row * atlas->picture_height /
							 height *
							 atlas->picture_width +
						 column * atlas->picture_width /
							 width];
		}
	} else if (width > 24 && height > 14) {
		snprintf(number, sizeof(number), "%d", i);
		length = strlen(number) * 8 - 2;
		write_text(pixels, x + (width - length) / 2,
			   y + (height - 10) / 2, 2, PAPER, number);
	}
	/* A bar at the bottom marks a BO that was evicted; its contents were checked. */
	if (atlas->was_evicted[i] && height > 8)
		box(pixels, x, y + height - 4, width, 4, EVICTED);
}

void atlas_draw(uint32_t *pixels, const struct atlas *atlas)
{
	const int room_x = ATLAS_WIDTH - 2 * MARGIN;
	const int room_y = ATLAS_HEIGHT - TOP - MARGIN;
	int columns = 1, rows;

	/* The smallest number of columns with tiles at most 1.5 times as wide as high. */
	while (room_x / columns * ((atlas->count + columns - 1) / columns) * 2 >
	       room_y * 3)
		columns++;
	rows = (atlas->count + columns - 1) / columns;

	box(pixels, 0, 0, ATLAS_WIDTH, ATLAS_HEIGHT, PAPER);
	legend(pixels, atlas);
	for (int i = 0; i < atlas->count; i++)
		tile(pixels, atlas, i, MARGIN + i % columns * room_x / columns,
		     TOP + i / columns * room_y / rows, room_x / columns - 3,
		     room_y / rows - 3);
}
