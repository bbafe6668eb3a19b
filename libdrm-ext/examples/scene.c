// SPDX-License-Identifier: MIT
/*
 * See scene.h. Sky, hills and ship are functions of a point. The sea evaluates the same
 * functions at the point that a wave reflects. No ray marching and no sines: those are slow
 * in an emulated machine.
 */

#include "scene.h"

#include <stdbool.h>

#include "paint.h"

#define HORIZON 205.0f
#define SUN_X 470.0f
#define SUN_Y 178.0f

static float noise(float x, float y)
{
	return 2 * paint_cloud(x, y, 1);
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

	/* Stars in the dark part, then the glow and the disc of the sun. */
	if (octaves > 2 && t < 0.4f &&
	    paint_grid(floor_of(x) + 7000, floor_of(y)) > 65437)
		c = add(c, sun, 0.7f * (0.4f - t));
	c = add(c, lit, 2200 / (near + 5200));
	c = mix(c, sun, (27.5f * 27.5f - near) / 55);

	/* Clouds are flatter near the horizon. */
	above = 1.15f - t;
	density = paint_cloud(x * 0.0075f / above + 3, 1.9f / above, octaves);
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
		hills[0][x] =
			HORIZON -
			44 * (paint_cloud(x * 0.011f + 40, 5, 4) - 0.28f) -
			0.03f * (SCENE_WIDTH - x);
		hills[1][x] =
			HORIZON + 14 -
			66 * (paint_cloud(x * 0.016f + 90, 11, 4) - 0.12f) +
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

	/* Leave out waves that are narrower than a pixel: they would cause aliasing. */
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

	/* The sky is reflected at the horizon, the ship at its waterline. */
	mirrored = HORIZON - below * 0.72f - absolute(slope) * strength * 34;
	x += sway * strength * 9;
	c = land(sky(x, mirrored < 4 ? 4 : mirrored, 2), x, mirrored);
	mirrored = 2 * WATERLINE - y + slope * 7 * strength;
	if (y > WATERLINE)
		c = paint_ship(c, x, mirrored);

	c = mix(c, deep, 0.22f + 0.30f * strength + 0.28f * slope * strength);

	/* The reflection of the sun, in patches that grow towards the viewer. */
	path = absolute(x - SUN_X) / (14 + 0.34f * below);
	if (path < 1)
		c = add(c, glint,
			(1 - path) * clamp(slope * 1.7f + 0.18f) *
				(0.85f - 0.35f * strength));

	/* Foam along the hull, at the bow and in the wake. */
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
		paint_ship_prepare();
		prepared = true;
	}

	c = fy < HORIZON ? land(sky(fx, fy, 5), fx, fy) : sea(fx, fy);
	if (fy < WATERLINE + 4) {
		/* The swell hides the foot of the hull. */
		float water = WATERLINE + 2 * wave(fx * 0.013f);

		if (fy < water)
			c = paint_ship(c, fx, fy);
	}
	return byte_of(c.r) << 16 | byte_of(c.g) << 8 | byte_of(c.b);
}
