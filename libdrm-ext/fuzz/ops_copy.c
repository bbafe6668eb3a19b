// SPDX-License-Identifier: MIT
/* Calls that access the bytes of BOs: mappings, reads, writes, copies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"

/*
 * Whether the bytes can be accessed: the kernel may purge a BO that is not
 * needed, and an access then raises SIGBUS.
 */
static bool is_needed(struct ferry_bo *bo)
{
	struct drm_ferry_bo_query info;

	return !ferry_bo_query(bo, &info, sizeof(info)) &&
	       info.madv == DRM_FERRY_MADV_WILLNEED;
}

/* Whether @size bytes at @offset are inside of the BO. */
static bool inside(const struct ferry_bo *bo, uint64_t offset, uint64_t size)
{
	return offset <= ferry_bo_size(bo) &&
	       size <= ferry_bo_size(bo) - offset;
}

/* Read or write one byte of each page, at most LARGEST_COPY of them. */
static void touch(uint8_t *map, uint64_t size, bool write)
{
	for (uint64_t at = 0; at < size && at < LARGEST_COPY; at += PAGE) {
		volatile uint8_t *byte = map + at;

		if (write)
			*byte = 1;
		else
			(void)*byte;
	}
}

/* a: slot; b: flags; c: whether to access the mapping */
static bool bo_map(struct state *s, const struct call *call)
{
	static const uint32_t flags[] = { 0, FERRY_MAP_POPULATE, 0,
					  FERRY_MAP_READ_ONLY };
	struct ferry_bo *bo = bo_of(s, call->a);
	void *map;

	if (!bo ||
	    !EXPECT(ferry_bo_map(bo, flags[call->b % ARRAY_SIZE(flags)], &map),
		    EINVAL))
		return false;
	if (call->c % 2 && is_needed(bo))
		touch(map, ferry_bo_size(bo), call->c & 2);
	return true;
}

/* a: slot */
static bool bo_unmap(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);

	return bo && EXPECT(ferry_bo_unmap(bo), EINVAL);
}

/* a: slot; b: slot of the mapping, flags; c: length; value: offset */
static bool bo_map_range(struct state *s, const struct call *call)
{
	static const uint32_t flags[] = { 0, FERRY_MAP_POPULATE,
					  FERRY_MAP_READ_ONLY, 2 };
	struct ferry_bo *bo = bo_of(s, call->a);
	uint32_t flag = flags[call->b / RANGES % ARRAY_SIZE(flags)];
	size_t i = call->b % RANGES;
	uint64_t offset, length;
	void *map;

	if (!bo)
		return false;
	offset = number_near(call->value, ferry_bo_size(bo));
	length = number_near((uint32_t)call->c << 24 | call->value >> 20,
			     ferry_bo_size(bo));
	if (!EXPECT(ferry_bo_map_range(bo, offset, length, flag, &map), EINVAL))
		return false;
	if (!length || !inside(bo, offset, length))
		wrong("a range that is not inside", "ferry_bo_map_range()",
		      length);
	if (is_needed(bo))
		touch(map, length, !(flag & FERRY_MAP_READ_ONLY));
	if (s->ranges[i].at)
		munmap(s->ranges[i].at, s->ranges[i].length);
	s->ranges[i].at = map;
	s->ranges[i].length = length;
	return true;
}

/* a: slot; b: bytes to write; c: size; value: offset. What was written must be
 * read. */
static bool bo_write_and_read(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);
	uint64_t offset, size;
	uint8_t *data, *back;
	bool good;

	if (!bo || !is_needed(bo))
		return false;
	offset = number_near(call->value, ferry_bo_size(bo));
	size = number_near((uint32_t)call->c << 24 | call->value >> 20,
			   ferry_bo_size(bo));
	/* A range that is not inside is refused before any byte of the memory is
   * accessed. */
	if (inside(bo, offset, size) && size > LARGEST_COPY)
		size = LARGEST_COPY;
	data = malloc(inside(bo, offset, size) ? size : 1);
	back = malloc(inside(bo, offset, size) ? size : 1);
	if (!data || !back)
		abort();
	if (inside(bo, offset, size))
		memset(data, call->b, size);
	good = EXPECT(ferry_bo_write(bo, offset, data, size), EINVAL) &&
	       EXPECT(ferry_bo_read(bo, offset, back, size), EINVAL);
	if (good && !inside(bo, offset, size))
		wrong("a range that is not inside", "ferry_bo_write()", size);
	if (good && memcmp(data, back, size))
		wrong("other bytes", "ferry_bo_read()", size);
	free(data);
	free(back);
	return good;
}

/* a: both slots; b, c: width and height; value: the others */
static bool bo_copy_rect(struct state *s, const struct call *call)
{
	struct ferry_bo *dst = bo_of(s, call->a),
			*src = bo_of(s, call->a / BOS);
	uint32_t random = call->value, height = call->c % 16, width = call->b;
	uint32_t dst_pitch = random % 1024, src_pitch = dst_pitch;

	if (!dst || !src || !is_needed(dst) || !is_needed(src))
		return false;
	if (random & 1 << 13)
		src_pitch = random >> 14 & 8191;
	if (call->c == 0xff)
		height = ~random;
	if (call->b == 0xff)
		width = UINT32_MAX - random % 64;
	return EXPECT(ferry_bo_copy_rect(
			      dst, number_near(random * 5, ferry_bo_size(dst)),
			      dst_pitch, src,
			      number_near(random * 3, ferry_bo_size(src)),
			      src_pitch, width, height),
		      EINVAL);
}

/* a: slot; value: flags */
static bool bo_mmap_offset(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);
	uint64_t offset;

	return bo && EXPECT(ferry_bo_mmap_offset(bo, call->value % 4, &offset),
			    EINVAL);
}

const struct op copy_ops[] = {
	{ "map", bo_map },
	{ "unmap", bo_unmap },
	{ "map_range", bo_map_range },
	{ "write_and_read", bo_write_and_read },
	{ "copy_rect", bo_copy_rect },
	{ "mmap_offset", bo_mmap_offset },
};
const size_t copy_ops_count = ARRAY_SIZE(copy_ops);
