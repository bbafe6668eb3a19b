// SPDX-License-Identifier: MIT
/* See bos.h. */

#include "bos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdrm_ferry/ferry.h>

/* Find the value of a word of the line: "NAME VALUE". */
static const char *word(const char *line, const char *name)
{
	size_t length = strlen(name);
	const char *end = line + strcspn(line, "\n");

	for (const char *at = line; at < end; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (!strncmp(at, name, length) && at[length] == ' ')
			return at + length + 1;
	}
	return NULL;
}

static uint64_t number(const char *line, const char *name)
{
	const char *value = word(line, name);

	return value ? strtoull(value, NULL, 0) : 0;
}

static bool parse_blocks(struct bos_bo *bo, const char *at)
{
	unsigned int count = 1;
	char *end;

	if (!at || *at != '0')
		return true;
	for (const char *c = at; *c && *c != '\n'; c++)
		count += *c == ',';
	bo->blocks = calloc(count, sizeof(*bo->blocks));
	if (!bo->blocks)
		return false;
	while (bo->block_count < count) {
		struct bos_block *block = &bo->blocks[bo->block_count];

		block->start = strtoull(at, &end, 16);
		if (*end != '+')
			break;
		block->size = strtoull(end + 1, &end, 16);
		bo->block_count++;
		if (*end != ',')
			break;
		at = end + 1;
	}
	return true;
}

static bool parse_line(struct bos_bo *bo, const char *line)
{
	const char *caching = word(line, "caching");
	const char *placement = word(line, "placement");

	bo->busy = !strncmp(line, "busy ", 5);
	bo->offset = number(line, "bo");
	bo->size = number(line, "size");
	bo->huge = number(line, "huge");
	bo->pinned = number(line, "pinned");
	bo->allowed = number(line, "allowed");
	bo->flags = number(line, "flags");
	bo->madv = number(line, "madv");
	bo->handles = number(line, "handles");
	bo->in_aperture = placement && !strncmp(placement, "aperture", 8);
	if (caching)
		snprintf(bo->caching, sizeof(bo->caching), "%.*s",
			 (int)strcspn(caching, " \n"), caching);
	return parse_blocks(bo, word(line, "blocks"));
}

static bool parse(struct bos *bos, const char *text)
{
	unsigned int lines = 0;

	memset(bos, 0, sizeof(*bos));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	bos->at = calloc(lines + 1, sizeof(*bos->at));
	if (!bos->at)
		return false;
	for (const char *line = text; line && *line; line += !!line) {
		struct bos_bo *bo = &bos->at[bos->count];

		if (word(line, "bo") && bos->count < lines) {
			bo->number = bos->count++;
			if (!parse_line(bo, line)) {
				bos_free(bos);
				return false;
			}
		}
		line = strchr(line, '\n');
	}
	return true;
}

enum ctl_status bos_read(const struct device *dev, struct bos *bos)
{
	enum ctl_status status;
	bool parsed;
	char *text;

	status = device_read(dev, "ferry_bos", &text);
	if (status)
		return status;
	parsed = parse(bos, text);
	free(text);
	return parsed ? CTL_OK :
			ctl_fail(CTL_FAILED, NULL, "there is no memory");
}

void bos_free(struct bos *bos)
{
	for (unsigned int i = 0; i < bos->count; i++)
		free(bos->at[i].blocks);
	free(bos->at);
	memset(bos, 0, sizeof(*bos));
}

const char *bos_madv_name(uint32_t madv)
{
	return madv == DRM_FERRY_MADV_PURGED   ? "purged" :
	       madv == DRM_FERRY_MADV_DONTNEED ? "not needed" :
						 "needed";
}
