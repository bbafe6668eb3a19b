// SPDX-License-Identifier: MIT
/* ferryctl map: draw which BO occupies which part of the aperture. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bos.h"
#include "canvas.h"
#include "device.h"
#include "json.h"

#define WIDTH 1024
#define ROW 22
#define GAP 4
#define MARGIN 120
#define TOP 64
#define LEGEND 12
#define LINE 20

struct map {
	struct device_aperture aperture;
	struct bos bos;
	unsigned int rows, placed, legend;
	uint64_t row_bytes;
	struct canvas *canvas;
};

/* 8 to 64 rows: at most 512 KiB each, if that is possible. */
static unsigned int rows_for(uint64_t size)
{
	unsigned int rows = 8;

	while (size / rows > 512 << 10 && rows < 64)
		rows *= 2;
	return rows;
}

/* Steps of the golden angle: neighbours in the list get different colours. */
static uint32_t colour_of(const struct bos_bo *bo)
{
	double hue = fmod(bo->number * 0.381966, 1) * 6;
	uint32_t colour = 0;

	for (int i = 0; i < 3; i++) {
		double distance = fabs(fmod(hue + 2 * i, 6) - 3) - 1;
		double part = fmin(fmax(distance, 0), 1);

		colour = colour << 8 |
			 (uint32_t)lround(255 * (0.41 + 0.42 * part));
	}
	return colour;
}

static int larger_first(const void *a, const void *b)
{
	const struct bos_bo *const *x = a, *const *y = b;

	return ((*x)->size < (*y)->size) - ((*x)->size > (*y)->size);
}

static void describe(const struct bos_bo *bo, char *text, size_t size)
{
	char name[24];

	snprintf(text, size, "BO 0x%llx, %s in %u piece%s%s",
		 (unsigned long long)bo->offset, ctl_size(name, bo->size),
		 bo->block_count, bo->block_count == 1 ? "" : "s",
		 bo->pinned ? ", pinned" : "");
}

/* Draw a block; it is split at the ends of rows. */
static void draw_block(struct map *map, const struct bos_bo *bo,
		       const struct bos_block *block)
{
	uint64_t start = block->start, size = block->size;

	while (size) {
		uint64_t row = start / map->row_bytes;
		uint64_t offset = start % map->row_bytes;
		uint64_t part = map->row_bytes - offset;
		double scale = (double)WIDTH / map->row_bytes;

		if (part > size)
			part = size;
		map->canvas->rect(map->canvas, MARGIN + offset * scale,
				  TOP + row * (ROW + GAP), part * scale, ROW,
				  colour_of(bo),
				  bo->pinned ? 0x222222 : 0xffffff);
		start += part;
		size -= part;
	}
}

static void draw_rows(struct map *map)
{
	struct canvas *canvas = map->canvas;
	uint64_t total = map->aperture.size;

	for (unsigned int row = 0; row < map->rows; row++) {
		uint64_t start = row * map->row_bytes, part = map->row_bytes;
		double y = TOP + row * (ROW + GAP);
		char text[24];

		if (start >= total)
			break;
		if (start + part > total)
			part = total - start;
		canvas->text(canvas, MARGIN - 8, y + ROW - 6, true, 0x555555,
			     row ? ctl_size(text, start) : "0");
		canvas->rect(canvas, MARGIN, y,
			     (double)part / map->row_bytes * WIDTH, ROW,
			     0xe8e8e8, CANVAS_NO_COLOUR);
	}
	for (unsigned int i = 0; i < map->bos.count; i++) {
		const struct bos_bo *bo = &map->bos.at[i];
		char text[128];

		if (!bo->block_count)
			continue;
		describe(bo, text, sizeof(text));
		canvas->group(canvas, text);
		for (unsigned int b = 0; b < bo->block_count; b++)
			draw_block(map, bo, &bo->blocks[b]);
		canvas->group(canvas, NULL);
	}
}

static void draw_legend(struct map *map)
{
	const struct bos_bo **sorted;
	unsigned int count = 0;
	char text[128];

	sorted = calloc(map->placed + 1, sizeof(*sorted));
	if (!sorted)
		return;
	for (unsigned int i = 0; i < map->bos.count; i++)
		if (map->bos.at[i].block_count)
			sorted[count++] = &map->bos.at[i];
	qsort(sorted, count, sizeof(*sorted), larger_first);
	for (unsigned int i = 0; i < map->legend; i++) {
		double x = MARGIN + i % 2 * (WIDTH / 2);
		double y = TOP + map->rows * (ROW + GAP) + 20 + i / 2 * LINE;

		map->canvas->rect(map->canvas, x, y, 12, 12,
				  colour_of(sorted[i]), CANVAS_NO_COLOUR);
		describe(sorted[i], text, sizeof(text));
		map->canvas->text(map->canvas, x + 18, y + 12, false, 0, text);
	}
	free(sorted);
}

static void draw_title(struct map *map)
{
	char text[160], total[24], part[24];

	snprintf(text, sizeof(text),
		 "aperture of %s, %s: %u of %u BOs, %s free",
		 ctl_size(total, map->aperture.size), map->aperture.effective,
		 map->placed, map->bos.count,
		 ctl_size(part, map->aperture.free));
	map->canvas->text(map->canvas, MARGIN, 24, false, 0, text);
	snprintf(text, sizeof(text),
		 "each row is %s; grey is free, dark edges are pinned",
		 ctl_size(part, map->row_bytes));
	map->canvas->text(map->canvas, MARGIN, 48, false, 0x555555, text);
}

static enum ctl_status draw(struct map *map, const char *path)
{
	const char *dot = path ? strrchr(path, '.') : NULL;
	bool png = dot && !strcmp(dot, ".png");
	unsigned int height;
	int err;

	map->rows = rows_for(map->aperture.size);
	map->row_bytes = (map->aperture.size + map->rows - 1) / map->rows;
	map->legend = map->placed < LEGEND ? map->placed : LEGEND;
	height = TOP + map->rows * (ROW + GAP) + 40 +
		 LINE * ((map->legend + 1) / 2);
	map->canvas = png ? canvas_new_png(path, WIDTH + MARGIN + 20, height) :
			    canvas_new_svg(path, WIDTH + MARGIN + 20, height);
	if (!map->canvas)
		return ctl_fail(CTL_FAILED, "name another file with -o",
				"%s cannot be written: %s", path,
				strerror(errno));
	draw_title(map);
	draw_rows(map);
	draw_legend(map);
	err = map->canvas->finish(map->canvas);
	if (err)
		return ctl_fail(CTL_FAILED, "name another file with -o",
				"%s cannot be written: %s",
				path ? path : "the picture", strerror(-err));
	return CTL_OK;
}

static void map_json(const struct map *map)
{
	json_object(NULL);
	json_number("size", map->aperture.size);
	json_number("free", map->aperture.free);
	json_array("bos");
	for (unsigned int i = 0; i < map->bos.count; i++) {
		const struct bos_bo *bo = &map->bos.at[i];

		if (!bo->block_count)
			continue;
		json_object(NULL);
		json_number("offset", bo->offset);
		json_bool("pinned", bo->pinned);
		json_array("blocks");
		for (unsigned int b = 0; b < bo->block_count; b++) {
			json_object(NULL);
			json_number("start", bo->blocks[b].start);
			json_number("size", bo->blocks[b].size);
			json_object_end();
		}
		json_array_end();
		json_object_end();
	}
	json_array_end();
	json_object_end();
}

static enum ctl_status run(const struct ctl_args *args)
{
	const char *path = ctl_value(args, "output");
	struct map map = { 0 };
	enum ctl_status status;
	struct device dev;

	status = device_find(args->operand, true, &dev);
	if (!status)
		status = bos_read(&dev, &map.bos);
	if (status)
		return status;
	if (device_get_aperture(&dev, &map.aperture))
		return ctl_fail(CTL_FAILED, "ferryctl doctor",
				"the aperture of %s cannot be read",
				dev.address);
	for (unsigned int i = 0; i < map.bos.count; i++)
		map.placed += !!map.bos.at[i].block_count;
	if (args->json)
		map_json(&map);
	else
		status = draw(&map, path);
	bos_free(&map.bos);
	return status;
}

const struct ctl_command ctl_map = {
	.name = "map",
	.operand = "DEVICE",
	.brief = "Draw a picture of the aperture",
	.text = "Draw which BO occupies which part of the aperture. Each row of the picture is a part of the "
		"aperture, each colour a BO, and pinned BOs have dark edges. Without -o, SVG is printed. "
		"The command needs debugfs and root.",
	.options = { { "output", 'o', "FILE",
		       "Write the picture to FILE: PNG if its name ends with .png, else SVG." } },
	.run = run,
};
