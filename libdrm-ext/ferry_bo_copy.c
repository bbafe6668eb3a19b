// SPDX-License-Identifier: MIT
/* Copies between BOs and memory, through mappings. */

#include <errno.h>
#include <sys/mman.h>

#include "ferry_copy.h"
#include "ferry_priv.h"

#define FERRY_PAGE 4096u
/* Populate mappings that are created for a copy of at least this size. */
#define FERRY_POPULATE_SIZE (64u * 1024)

/* The mapping of a BO during a copy. */
struct ferry_window {
	struct ferry_bo *bo;
	/* The first byte to copy */
	char *data;
	/* A mapping of its own, or NULL if it is that of ferry_bo_map() */
	void *map;
	size_t map_size;
};

/* Use the mapping of the BO if there is one. Otherwise map the range that is copied. */
static int ferry_window_open(struct ferry_window *window, struct ferry_bo *bo,
			     uint64_t offset, uint64_t size, bool write)
{
	uint64_t skip = offset % FERRY_PAGE;
	uint32_t flags = write ? 0 : FERRY_MAP_READ_ONLY;
	int err = ferry_device_check(bo->dev);

	if (err)
		return err;

	*window = (struct ferry_window){ .bo = bo };
	pthread_mutex_lock(&bo->map_lock);
	if (bo->map_count) {
		bo->map_count++;
		window->data = (char *)bo->map + offset;
	}
	pthread_mutex_unlock(&bo->map_lock);
	if (window->data)
		return 0;

	if (size >= FERRY_POPULATE_SIZE)
		flags |= FERRY_MAP_POPULATE;
	err = ferry_bo_mmap(bo, offset - skip, size + skip, flags,
			    &window->map);
	if (err)
		return err;
	window->map_size = size + skip;
	window->data = (char *)window->map + skip;
	return 0;
}

static void ferry_window_close(struct ferry_window *window)
{
	if (window->map)
		munmap(window->map, window->map_size);
	else
		ferry_bo_unmap(window->bo);
}

static bool ferry_in_bo(const struct ferry_bo *bo, uint64_t offset,
			uint64_t size)
{
	return offset <= bo->size && size <= bo->size - offset;
}

ferry_public int ferry_bo_read(struct ferry_bo *bo, uint64_t offset, void *data,
			       size_t size)
{
	struct ferry_window window;
	int err;

	if (!ferry_in_bo(bo, offset, size))
		return -EINVAL;
	if (!size)
		return ferry_device_check(bo->dev);

	err = ferry_window_open(&window, bo, offset, size, false);
	if (err)
		return err;
	ferry_copier()->read(data, window.data, size);
	ferry_window_close(&window);
	return 0;
}

ferry_public int ferry_bo_write(struct ferry_bo *bo, uint64_t offset,
				const void *data, size_t size)
{
	struct ferry_window window;
	int err;

	if (!ferry_in_bo(bo, offset, size))
		return -EINVAL;
	if (!size)
		return ferry_device_check(bo->dev);

	err = ferry_window_open(&window, bo, offset, size, true);
	if (err)
		return err;
	ferry_copier()->write(window.data, data, size);
	ferry_window_close(&window);
	return 0;
}

/* Check a rectangle and return its size, from its first to its last byte. */
static int ferry_rect_size(const struct ferry_bo *bo, uint64_t offset,
			   uint32_t pitch, uint32_t width, uint32_t height,
			   uint64_t *size)
{
	if (width > pitch)
		return -EINVAL;
	*size = (uint64_t)pitch * (height - 1) + width;
	return ferry_in_bo(bo, offset, *size) ? 0 : -EINVAL;
}

/*
 * Copy a row through the caches: loads and stores are then aligned, wherever the rows begin.
 * With @backwards the end of the row is copied first, as the rows overlap.
 */
static void ferry_copy_row(char *dst, const char *src, size_t width,
			   bool backwards)
{
	const struct ferry_copier *copier = ferry_copier();
	char block[4096];

	for (size_t done = 0; done < width;) {
		size_t part = width - done;
		size_t at = done;

		if (part > sizeof(block))
			part = sizeof(block);
		if (backwards)
			at = width - done - part;
		copier->read(block, src + at, part);
		copier->write(dst + at, block, part);
		done += part;
	}
}

ferry_public int ferry_bo_copy_rect(struct ferry_bo *dst, uint64_t dst_offset,
				    uint32_t dst_pitch, struct ferry_bo *src,
				    uint64_t src_offset, uint32_t src_pitch,
				    uint32_t width, uint32_t height)
{
	const bool backwards = dst == src && dst_offset > src_offset;
	struct ferry_window to, from;
	uint64_t to_size, from_size;
	int err;

	if (!width || !height) {
		err = ferry_device_check(dst->dev);
		return err ? err : ferry_device_check(src->dev);
	}
	err = ferry_rect_size(dst, dst_offset, dst_pitch, width, height,
			      &to_size);
	if (!err)
		err = ferry_rect_size(src, src_offset, src_pitch, width, height,
				      &from_size);
	/* Rows of different pitches can overlap in both directions. */
	if (!err && dst == src && dst_pitch != src_pitch)
		err = -EINVAL;
	if (err)
		return err;

	err = ferry_window_open(&to, dst, dst_offset, to_size, true);
	if (err)
		return err;
	err = ferry_window_open(&from, src, src_offset, from_size, false);
	if (err) {
		ferry_window_close(&to);
		return err;
	}
	for (uint32_t i = 0; i < height; i++) {
		uint64_t row = backwards ? height - 1 - i : i;

		ferry_copy_row(to.data + row * dst_pitch,
			       from.data + row * src_pitch, width, backwards);
	}
	ferry_window_close(&from);
	ferry_window_close(&to);
	return 0;
}
