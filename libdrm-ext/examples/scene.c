// SPDX-License-Identifier: MIT
/*
 * See scene.h. Sky, hills and ship are functions of a point; the sea is the
 * same functions at the point that a wave mirrors. Only arithmetic that an
 * emulated machine does quickly: no ray is marched and no sine is computed.
 */

#include "scene.h"

#include <stdbool.h>
#include <stddef.h>

#define HORIZON 205.0f
#define WATERLINE 330.0f
#define SUN_X 470.0f
#define SUN_Y 178.0f

struct colour {
	float r, g, b;
};

static float clamp(float x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

static float absolute(float x)
{
	return x < 0 ? -x : x;
}

static int floor_of(float x)
{
	int i = (int)x;

	return i - (x < i);
}

static struct colour mix(struct colour a, struct colour b, float t)
{
	t = clamp(t);
	return (struct colour){ a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t,
				a.b + (b.b - a.b) * t };
}

static struct colour add(struct colour a, struct colour b, float t)
{
	return (struct colour){ a.r + b.r * t, a.g + b.g * t, a.b + b.b * t };
}

/* A parabola for each half period of 1: near enough to a sine for water. */
static float wave(float x)
{
	float t = x - floor_of(x);

	return t < 0.5f ? 16 * t * (0.5f - t) : -16 * (t - 0.5f) * (1 - t);
}

/* A number from 0 to 65535 for each point of a grid. */
static int32_t grid(int32_t x, int32_t y)
{
	uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u;

	h = (h ^ (h >> 15)) * 0x2c1b3c6du;
	h ^= h >> 13;
	return h & 0xffff;
}

/* From a to b as t goes from 0 to 65535, slowly at both ends. */
static int32_t ease(int32_t a, int32_t b, uint32_t t)
{
	uint32_t square = t * t >> 16;
	int32_t curve = (uint64_t)square * (3 * 65536 - 2 * t) >> 17;

	return a + ((b - a) * (int64_t)curve >> 15);
}

/*
 * Smooth noise from 0 to 1, of finer and finer grids at half the weight each.
 * In whole numbers with 16 bits behind the point, as an emulated machine is ten
 * times faster with them.
 */
static float cloud(float x, float y, int octaves)
{
	int32_t fx = (int32_t)(x * 65536), fy = (int32_t)(y * 65536);
	int32_t sum = 0;

	for (int i = 1; i <= octaves; i++) {
		int32_t ix = fx >> 16, iy = fy >> 16;
		uint32_t tx = fx & 0xffff, ty = fy & 0xffff;
		int32_t top = ease(grid(ix, iy), grid(ix + 1, iy), tx);
		int32_t low = ease(grid(ix, iy + 1), grid(ix + 1, iy + 1), tx);

		sum += ease(top, low, ty) >> i;
		fx = fx * 2 + (17 << 16);
		fy = fy * 2 + (31 << 16);
	}
	return sum * (1 / 65536.0f);
}

static float noise(float x, float y)
{
	return 2 * cloud(x, y, 1);
}

static struct colour sky(float x, float y, int octaves)
{
	static const struct colour zenith = { 0.07f, 0.10f, 0.27f };
	static const struct colour middle = { 0.42f, 0.30f, 0.48f };
	static const struct colour low = { 1.00f, 0.62f, 0.36f };
	static const struct colour sun = { 1.00f, 0.90f, 0.66f };
	static const struct colour lit = { 1.00f, 0.66f, 0.47f };
	static const struct colour shade = { 0.26f, 0.20f, 0.38f };
	float t = clamp(y / HORIZON);
	float dx = x - SUN_X, dy = y - SUN_Y;
	float near = dx * dx + dy * dy;
	float density, above;
	struct colour c;

	c = t < 0.55f ? mix(zenith, middle, t / 0.55f) :
			mix(middle, low, (t - 0.55f) / 0.45f);

	/* Stars where it is dark, then the glow and the disc of the sun. */
	if (octaves > 2 && t < 0.4f &&
	    grid(floor_of(x) + 7000, floor_of(y)) > 65437)
		c = add(c, sun, 0.7f * (0.4f - t));
	c = add(c, lit, 2200 / (near + 5200));
	c = mix(c, sun, (27.5f * 27.5f - near) / 55);

	/* Clouds lie flatter the nearer they are to the horizon. */
	above = 1.15f - t;
	density = cloud(x * 0.0075f / above + 3, 1.9f / above, octaves);
	density = clamp((density - 0.47f) * 4.5f) * clamp(above * 3.2f);
	return mix(c,
		   mix(shade, lit, 26000 / (near + 21000) + 0.25f * t - 0.1f),
		   density * 0.8f);
}

/* Tops of two ranges of hills: the farther one, the nearer one. */
static float hills[2][SCENE_WIDTH];

static void prepare_hills(void)
{
	for (int x = 0; x < SCENE_WIDTH; x++) {
		hills[0][x] = HORIZON -
			      44 * (cloud(x * 0.011f + 40, 5, 4) - 0.28f) -
			      0.03f * (SCENE_WIDTH - x);
		hills[1][x] = HORIZON + 14 -
			      66 * (cloud(x * 0.016f + 90, 11, 4) - 0.12f) +
			      0.07f * absolute(x - 90);
	}
}

/* The hills of the horizon over the sky; the farther ones are paler. */
static struct colour land(struct colour c, float x, float y)
{
	static const struct colour far = { 0.46f, 0.33f, 0.45f };
	static const struct colour close = { 0.20f, 0.16f, 0.30f };
	int left = floor_of(x - 0.5f), right;
	float t = x - 0.5f - left;

	left = left < 0 ? 0 : left > SCENE_WIDTH - 1 ? SCENE_WIDTH - 1 : left;
	right = left < SCENE_WIDTH - 1 ? left + 1 : left;
	if (y < HORIZON - 60)
		return c;
	c = mix(c, far,
		y - hills[0][left] - t * (hills[0][right] - hills[0][left]));
	return mix(c, close,
		   y - hills[1][left] - t * (hills[1][right] - hills[1][left]));
}

/* A convex shape of the ship: its corners clockwise on the screen. */
struct shape {
	struct colour colour;
	int corners;
	float x[5], y[5];
	/* If not 0: the shape is cut into windows so far apart. */
	float spacing;
};

#define WHITE                       \
	{                           \
		0.93f, 0.90f, 0.90f \
	}
#define SHADED                      \
	{                           \
		0.74f, 0.70f, 0.76f \
	}
#define NAVY                        \
	{                           \
		0.10f, 0.15f, 0.34f \
	}
#define RED                         \
	{                           \
		0.78f, 0.17f, 0.16f \
	}
#define GLASS                       \
	{                           \
		0.16f, 0.19f, 0.30f \
	}
#define LAMP                        \
	{                           \
		1.00f, 0.85f, 0.52f \
	}
#define DARK                        \
	{                           \
		0.15f, 0.13f, 0.20f \
	}

static const struct shape ship[] = {
	/* hull, red below, a white line, doors */
	{ NAVY, 4, { 96, 556, 520, 112 }, { 280, 274, 334, 334 }, 0 },
	{ RED, 4, { 107, 528, 520, 112 }, { 322, 322, 336, 336 }, 0 },
	{ WHITE, 4, { 99, 549, 546, 100 }, { 288, 284, 289, 293 }, 0 },
	{ LAMP, 4, { 126, 506, 506, 126 }, { 300, 300, 306, 306 }, 22 },
	/* main deck with its long row of windows */
	{ WHITE, 4, { 112, 502, 514, 108 }, { 250, 250, 281, 281 }, 0 },
	{ SHADED, 4, { 112, 502, 502, 112 }, { 250, 250, 253, 253 }, 0 },
	{ GLASS, 4, { 122, 490, 494, 122 }, { 258, 258, 270, 270 }, 15 },
	/* upper deck */
	{ WHITE, 4, { 150, 470, 484, 146 }, { 226, 226, 251, 251 }, 0 },
	{ SHADED, 4, { 150, 470, 471, 150 }, { 226, 226, 229, 229 }, 0 },
	{ LAMP, 4, { 160, 448, 450, 160 }, { 234, 234, 244, 244 }, 12 },
	/* life boats under the upper deck's edge */
	{ RED, 4, { 190, 226, 221, 195 }, { 246, 246, 255, 255 }, 0 },
	{ RED, 4, { 250, 286, 281, 255 }, { 246, 246, 255, 255 }, 0 },
	{ RED, 4, { 310, 346, 341, 315 }, { 246, 246, 255, 255 }, 0 },
	{ RED, 4, { 370, 406, 401, 375 }, { 246, 246, 255, 255 }, 0 },
	/* bridge */
	{ WHITE, 4, { 386, 446, 458, 382 }, { 204, 204, 227, 227 }, 0 },
	{ GLASS, 4, { 392, 448, 452, 390 }, { 209, 209, 219, 219 }, 9 },
	{ SHADED, 4, { 380, 450, 450, 380 }, { 202, 202, 205, 205 }, 0 },
	/* funnel */
	{ NAVY, 4, { 216, 262, 270, 216 }, { 182, 186, 227, 227 }, 0 },
	{ RED, 4, { 216, 265, 267, 216 }, { 196, 197, 208, 208 }, 0 },
	{ DARK, 4, { 214, 263, 264, 214 }, { 179, 184, 188, 184 }, 0 },
	/* mast, its yard, and the staffs at both ends */
	{ SHADED, 4, { 416, 419, 421, 414 }, { 160, 160, 203, 203 }, 0 },
	{ SHADED, 4, { 402, 433, 433, 402 }, { 174, 174, 176, 176 }, 0 },
	{ SHADED, 4, { 536, 538, 538, 536 }, { 246, 246, 276, 276 }, 0 },
	{ SHADED, 4, { 104, 106, 106, 104 }, { 240, 240, 281, 281 }, 0 },
	{ RED, 3, { 104, 104, 78 }, { 241, 256, 249 }, 0 },
	{ LAMP, 4, { 416, 420, 420, 416 }, { 157, 157, 161, 161 }, 0 },
};

/* Distances from the edges by two multiplications: one row for each edge. */
struct edge {
	float nx, ny, d;
};

static struct edge edges[sizeof(ship) / sizeof(ship[0])][5];

/* Rows that a shape touches: most pixels are not worth more than this. */
static struct {
	float top, bottom;
} bounds[sizeof(ship) / sizeof(ship[0])];

static float square_root(float x)
{
	float root = x > 1 ? x : 1;

	for (int i = 0; i < 24; i++)
		root = 0.5f * (root + x / root);
	return root;
}

static void prepare_edges(void)
{
	for (size_t i = 0; i < sizeof(ship) / sizeof(ship[0]); i++) {
		const struct shape *s = &ship[i];

		bounds[i].top = SCENE_HEIGHT;
		for (int a = 0; a < s->corners; a++) {
			int b = (a + 1) % s->corners;
			float dx = s->x[b] - s->x[a];
			float dy = s->y[b] - s->y[a];
			float length = square_root(dx * dx + dy * dy);
			struct edge *e = &edges[i][a];

			e->nx = -dy / length;
			e->ny = dx / length;
			e->d = e->nx * s->x[a] + e->ny * s->y[a];
			if (s->y[a] - 1 < bounds[i].top)
				bounds[i].top = s->y[a] - 1;
			if (s->y[a] + 1 > bounds[i].bottom)
				bounds[i].bottom = s->y[a] + 1;
		}
	}
}

/* How much of the pixel the shape covers. */
static float coverage(size_t i, float x, float y)
{
	float inside = 1;

	if (y < bounds[i].top || y > bounds[i].bottom)
		return 0;
	for (int a = 0; a < ship[i].corners && inside > 0; a++) {
		const struct edge *e = &edges[i][a];
		float d = e->nx * x + e->ny * y - e->d + 0.5f;

		if (d < inside)
			inside = d;
	}
	if (ship[i].spacing > 0 && inside > 0) {
		float n = (x - ship[i].x[0]) / ship[i].spacing;
		float middle = absolute(n - floor_of(n) - 0.5f);
		float d = (0.31f - middle) * ship[i].spacing + 0.5f;

		if (d < inside)
			inside = d;
	}
	return clamp(inside);
}

static struct colour with_ship(struct colour c, float x, float y)
{
	if (x < 76 || x > 560 || y < 120 || y > WATERLINE + 4)
		return c;

	/* Smoke drifts astern of the funnel and thins out. */
	if (y < 190 && x < 262) {
		static const struct colour smoke = { 0.36f, 0.30f, 0.40f };
		float away = 250 - x;
		float dy = y - (182 - 0.32f * away + 7 * wave(x * 0.011f));
		float width = 7 + 0.15f * away;
		float t = 1 - dy * dy / (width * width);

		if (t > 0 && away > -12)
			c = mix(c, smoke,
				t * cloud(x * 0.05f, y * 0.07f, 3) * 1.3f *
					clamp(1 - away / 160));
	}
	for (size_t i = 0; i < sizeof(ship) / sizeof(ship[0]); i++) {
		float t = coverage(i, x, y);

		if (t > 0) {
			/* The evening lights the bow more than the stern. */
			struct colour paint = ship[i].colour;
			float light = 0.78f + 0.0006f * (x - 90);

			paint.r *= light + 0.06f;
			paint.g *= light;
			paint.b *= light;
			c = mix(c, paint, t);
		}
	}
	return c;
}

static struct colour sea(float x, float y)
{
	static const struct colour deep = { 0.03f, 0.08f, 0.17f };
	static const struct colour glint = { 1.00f, 0.80f, 0.52f };
	static const struct colour foam = { 0.92f, 0.90f, 0.95f };
	float below = y - HORIZON;
	float depth = 900 / (below + 3);
	float wx = (x - 320) * depth * 0.012f;
	float slope, sway, mirrored, strength, path;
	float across, along, bend;
	struct colour c;

	/* Waves that are narrower than a pixel are left out, not aliased. */
	across = clamp(1.25f - depth * 0.030f);
	along = clamp(1.25f - depth * 9 / (below + 3));
	bend = noise(wx * 0.55f + 5, depth * 0.9f);
	slope = 0.46f * wave(depth * 1.3f + 0.21f * wx + 1.6f * bend) * along +
		0.30f * wave(depth * 2.9f - 0.47f * wx + 2.3f * bend) * along +
		0.20f * wave(wx * 1.1f + depth * 5.3f - bend) * across * along +
		0.75f * (noise(wx * 2.3f, depth * 9) - 0.5f) * across;
	sway = 0.6f * wave(wx * 0.8f + depth * 2.1f + bend) * across +
	       slope * 0.5f;
	strength = clamp(below / 120);

	/* The sky is mirrored at the horizon, the ship at its waterline. */
	mirrored = HORIZON - below * 0.72f - absolute(slope) * strength * 34;
	x += sway * strength * 9;
	c = land(sky(x, mirrored < 4 ? 4 : mirrored, 2), x, mirrored);
	mirrored = 2 * WATERLINE - y + slope * 7 * strength;
	if (y > WATERLINE)
		c = with_ship(c, x, mirrored);

	c = mix(c, deep, 0.22f + 0.30f * strength + 0.28f * slope * strength);

	/* The path of the sun, in pieces that grow towards us. */
	path = absolute(x - SUN_X) / (14 + 0.34f * below);
	if (path < 1)
		c = add(c, glint,
			(1 - path) * clamp(slope * 1.7f + 0.18f) *
				(0.85f - 0.35f * strength));

	/* Foam: along the hull, at the bow, and the wake astern. */
	path = y - WATERLINE - 3 * wave(x * 0.021f) - 2;
	if (x > 92 && x < 545 && path > -5 && path < 9)
		c = mix(c, foam,
			(1 - absolute(path - 1) / 8) *
				(noise(x * 0.16f, y * 0.45f) * 0.8f +
				 (x > 500 ? 0.5f : 0)));
	if (x < 118 && path > -9 && path < 26)
		c = mix(c, foam,
			(0.75f - absolute(path - 6) / 26) *
				noise(x * 0.05f, y * 0.30f) * (0.4f + x / 200));
	return c;
}

static uint32_t byte_of(float x)
{
	return (uint32_t)(clamp(x) * 255 + 0.5f);
}

uint32_t scene_pixel(int x, int y)
{
	static bool prepared;
	float fx = x + 0.5f, fy = y + 0.5f;
	struct colour c;

	if (!prepared) {
		prepare_hills();
		prepare_edges();
		prepared = true;
	}

	c = fy < HORIZON ? land(sky(fx, fy, 5), fx, fy) : sea(fx, fy);
	if (fy < WATERLINE + 4) {
		/* The swell hides the foot of the hull. */
		float water = WATERLINE + 2 * wave(fx * 0.013f);

		if (fy < water)
			c = with_ship(c, fx, fy);
	}
	return byte_of(c.r) << 16 | byte_of(c.g) << 8 | byte_of(c.b);
}
