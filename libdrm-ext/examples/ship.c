// SPDX-License-Identifier: MIT
/* The ship, of convex shapes with smooth edges; see paint.h. */

#include "paint.h"

#include <stddef.h>

enum paint { WHITE, SHADED, NAVY, RED, GLASS, LAMP, DARK };

static const struct colour paints[] = {
	[WHITE] = { 0.93f, 0.90f, 0.90f }, [SHADED] = { 0.74f, 0.70f, 0.76f },
	[NAVY] = { 0.10f, 0.15f, 0.34f },  [RED] = { 0.78f, 0.17f, 0.16f },
	[GLASS] = { 0.16f, 0.19f, 0.30f }, [LAMP] = { 1.00f, 0.85f, 0.52f },
	[DARK] = { 0.15f, 0.13f, 0.20f },
};

/* A convex part of the ship: its corners, clockwise on the screen. */
struct shape {
	enum paint paint;
	int corners;
	float x[5], y[5];
	/* Distance between windows that the shape is cut into, or 0 */
	float spacing;
};

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

/* Edges in normal form: a distance from an edge takes two multiplications. */
struct edge {
	float nx, ny, d;
};

static struct edge edges[sizeof(ship) / sizeof(ship[0])][5];

/* Rows that a shape covers: a quick check for most pixels. */
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

void paint_ship_prepare(void)
{
	for (size_t i = 0; i < sizeof(ship) / sizeof(ship[0]); i++) {
		const struct shape *s = &ship[i];

		bounds[i].top = WATERLINE;
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

/* The part of the pixel that the shape covers, from 0 to 1. */
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

struct colour paint_ship(struct colour c, float x, float y)
{
	if (x < 76 || x > 560 || y < 120 || y > WATERLINE + 4)
		return c;

	/* Smoke behind the funnel, fading with the distance. */
	if (y < 190 && x < 262) {
		static const struct colour smoke = { 0.36f, 0.30f, 0.40f };
		float away = 250 - x;
		float dy = y - (182 - 0.32f * away + 7 * wave(x * 0.011f));
		float width = 7 + 0.15f * away;
		float t = 1 - dy * dy / (width * width);

		if (t > 0 && away > -12)
			c = mix(c, smoke,
				t * paint_cloud(x * 0.05f, y * 0.07f, 3) *
					1.3f * clamp(1 - away / 160));
	}
	for (size_t i = 0; i < sizeof(ship) / sizeof(ship[0]); i++) {
		float t = coverage(i, x, y);

		if (t > 0) {
			/* The sun is ahead: the bow is lighter than the stern. */
			struct colour paint = paints[ship[i].paint];
			float light = 0.78f + 0.0006f * (x - 90);

			paint.r *= light + 0.06f;
			paint.g *= light;
			paint.b *= light;
			c = mix(c, paint, t);
		}
	}
	return c;
}
