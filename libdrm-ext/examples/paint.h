/* SPDX-License-Identifier: MIT */
/* Colours and noise for the computed picture. */
#ifndef PAINT_H_
#define PAINT_H_

#include <stdint.h>

/* The row of the picture where the ship meets the water. */
#define WATERLINE 330.0f

struct colour {
	float r, g, b;
};

static inline float clamp(float x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

static inline float absolute(float x)
{
	return x < 0 ? -x : x;
}

static inline int floor_of(float x)
{
	int i = (int)x;

	return i - (x < i);
}

static inline struct colour mix(struct colour a, struct colour b, float t)
{
	t = clamp(t);
	return (struct colour){ a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t,
				a.b + (b.b - a.b) * t };
}

static inline struct colour add(struct colour a, struct colour b, float t)
{
	return (struct colour){ a.r + b.r * t, a.g + b.g * t, a.b + b.b * t };
}

/* An approximation of a sine with period 1: a parabola for each half period. */
static inline float wave(float x)
{
	float t = x - floor_of(x);

	return t < 0.5f ? 16 * t * (0.5f - t) : -16 * (t - 0.5f) * (1 - t);
}

/**
 * paint_grid() - pseudo-random number for a point of a grid
 * @x: column
 * @y: row
 *
 * Returns: a number from 0 to 65535, always the same for the same point.
 */
int32_t paint_grid(int32_t x, int32_t y);

/**
 * paint_cloud() - smooth noise
 * @x: coordinate; 1 is the distance of points in the coarsest grid
 * @y: the other coordinate
 * @octaves: number of grids, each twice as fine at half the weight
 *
 * Returns: a number from 0 to 1 with many octaves, from 0 to 0.5 with one.
 */
float paint_cloud(float x, float y, int octaves);

/**
 * paint_ship() - colour of a pixel with the ship in front of the background
 * @c: colour of the background at this pixel
 * @x: column of the picture
 * @y: row of the picture
 *
 * Returns: the colour of the ship if it covers the pixel, else @c; a mix at its edges.
 */
struct colour paint_ship(struct colour c, float x, float y);

/**
 * paint_ship_prepare() - compute the edges of the ship; call it once before paint_ship()
 */
void paint_ship_prepare(void);

#endif /* PAINT_H_ */
