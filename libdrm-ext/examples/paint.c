// SPDX-License-Identifier: MIT
/* Noise; see paint.h. */

#include "paint.h"

int32_t paint_grid(int32_t x, int32_t y)
{
	uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u;

	h = (h ^ (h >> 15)) * 0x2c1b3c6du;
	h ^= h >> 13;
	return h & 0xffff;
}

/* Smooth interpolation from a to b for t from 0 to 65535. */
static int32_t ease(int32_t a, int32_t b, uint32_t t)
{
	uint32_t square = t * t >> 16;
	int32_t curve = (uint64_t)square * (3 * 65536 - 2 * t) >> 17;

	return a + ((b - a) * (int64_t)curve >> 15);
}

/*
 * Fixed-point numbers with 16 fractional bits: in an emulated machine they are ten times
 * faster than floating point.
 */
float paint_cloud(float x, float y, int octaves)
{
	int32_t fx = (int32_t)(x * 65536), fy = (int32_t)(y * 65536);
	int32_t sum = 0;

	for (int i = 1; i <= octaves; i++) {
		int32_t ix = fx >> 16, iy = fy >> 16;
		uint32_t tx = fx & 0xffff, ty = fy & 0xffff;
		int32_t top =
			ease(paint_grid(ix, iy), paint_grid(ix + 1, iy), tx);
		int32_t low = ease(paint_grid(ix, iy + 1),
				   paint_grid(ix + 1, iy + 1), tx);

		sum += ease(top, low, ty) >> i;
		fx = fx * 2 + (17 << 16);
		fy = fy * 2 + (31 << 16);
	}
	return sum * (1 / 65536.0f);
}
