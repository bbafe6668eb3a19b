/* SPDX-License-Identifier: MIT */
/* A minimal writer for PNG files. */
#ifndef PNG_H_
#define PNG_H_

#include <stdint.h>

/**
 * png_save() - write a picture to a file
 * @path: path of the file; an existing file is replaced
 * @pixels: @width * @height pixels, 0x00RRGGBB, row after row
 * @width: pixels in a row, at least 1
 * @height: rows, at least 1
 *
 * Returns: 0 or a negative errno. An incomplete file is removed.
 */
int png_save(const char *path, const uint32_t *pixels, uint32_t width,
	     uint32_t height);

#endif /* PNG_H_ */
