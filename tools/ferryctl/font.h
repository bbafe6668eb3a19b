/* SPDX-License-Identifier: MIT */
/* A font of 5 by 8 pixels for the labels of pictures. */
#ifndef FONT_H_
#define FONT_H_

#include <stdint.h>

#define FONT_WIDTH 5
#define FONT_HEIGHT 8

/* The columns of a character, bit 0 at the top. A character that is missing is a full block. */
const uint8_t *font_glyph(char c);

#endif /* FONT_H_ */
