// SPDX-License-Identifier: MIT
/* See png.h. The file has one IDAT chunk; all rows use the filter "Sub". */

#include "png.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

/* Row filter "Sub": the difference of each byte to that of the pixel on its left. */
#define PNG_FILTER_SUB 1

static void put_u32(uint8_t *to, uint32_t value)
{
	to[0] = value >> 24;
	to[1] = value >> 16;
	to[2] = value >> 8;
	to[3] = value;
}

static int write_chunk(FILE *file, const char *type, const uint8_t *data,
		       uint32_t size)
{
	uint8_t head[8], tail[4];
	uLong crc;

	put_u32(head, size);
	memcpy(head + 4, type, 4);
	crc = crc32(0, head + 4, 4);
	if (size)
		crc = crc32(crc, data, size);
	put_u32(tail, crc);

	if (fwrite(head, sizeof(head), 1, file) != 1 ||
	    (size && fwrite(data, size, 1, file) != 1) ||
	    fwrite(tail, sizeof(tail), 1, file) != 1)
		return errno ? -errno : -EIO;
	return 0;
}

static void filter_row(uint8_t *to, const uint32_t *pixels, uint32_t width)
{
	uint32_t left = 0;

	*to++ = PNG_FILTER_SUB;
	for (uint32_t x = 0; x < width; x++) {
		for (int shift = 16; shift >= 0; shift -= 8)
			*to++ = (pixels[x] >> shift) - (left >> shift);
		left = pixels[x];
	}
}

static int write_picture(FILE *file, const uint32_t *pixels, uint32_t width,
			 uint32_t height)
{
	static const uint8_t magic[8] = { 0x89, 'P',  'N',  'G',
					  '\r', '\n', 0x1a, '\n' };
	const size_t row = 1 + 3 * (size_t)width;
	uint8_t header[13] = { 0 };
	uint8_t *raw, *packed = NULL;
	uLongf size;
	int err = -ENOMEM;

	raw = malloc(row * height);
	if (!raw)
		return -ENOMEM;
	for (uint32_t y = 0; y < height; y++)
		filter_row(raw + y * row, pixels + (size_t)y * width, width);

	size = compressBound(row * height);
	packed = malloc(size);
	if (!packed || compress2(packed, &size, raw, row * height, 4) != Z_OK)
		goto out;

	put_u32(header, width);
	put_u32(header + 4, height);
	header[8] = 8; /* bits */
	header[9] = 2; /* red, green, blue */

	err = fwrite(magic, sizeof(magic), 1, file) == 1 ? 0 : -EIO;
	if (!err)
		err = write_chunk(file, "IHDR", header, sizeof(header));
	if (!err)
		err = write_chunk(file, "IDAT", packed, size);
	if (!err)
		err = write_chunk(file, "IEND", NULL, 0);
out:
	free(packed);
	free(raw);
	return err;
}

int png_save(const char *path, const uint32_t *pixels, uint32_t width,
	     uint32_t height)
{
	FILE *file = fopen(path, "wb");
	int err;

	if (!file)
		return -errno;

	errno = 0;
	err = write_picture(file, pixels, width, height);
	if (fclose(file) && !err)
		err = -errno;
	if (err)
		unlink(path);
	return err;
}
