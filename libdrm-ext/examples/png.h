/* SPDX-License-Identifier: MIT */
/* A writer for PNG files, just large enough for the demo. */
#ifndef PNG_H_
#define PNG_H_

#include <stdint.h>

/**
 * png_save() - write a picture to a file
 * @path: the file; replaced if it exists
 * @pixels: @width * @height pixels, 0x00RRGGBB, row after row
 * @width: pixels in a row, at least 1
 * @height: rows, at least 1
 *
 * Returns: 0 or a negative errno; a file that is incomplete is removed.
 */
int png_save(const char *path, const uint32_t *pixels, uint32_t width,
	     uint32_t height);

#endif /* PNG_H_ */
