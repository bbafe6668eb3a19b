// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry_fault.h"

void igt_ferry_count_start(int fd, struct igt_ferry_count *count)
{
	igt_ferry_audit_clean(fd, &count->audit);
	igt_ferry_faults_start(fd, &count->faults);
}

/**
 * igt_ferry_count_since - replace the counts of the start by the differences since then
 *
 * Fail if the audit finds a disagreement.
 */
void igt_ferry_count_since(int fd, struct igt_ferry_count *count)
{
	struct igt_ferry_audit now;

	igt_ferry_faults_since(fd, &count->faults);
	igt_ferry_audit_clean(fd, &now);
	count->audit.mappings = now.mappings - count->audit.mappings;
	count->audit.entries = now.entries - count->audit.entries;
	count->audit.pages = now.pages - count->audit.pages;
}

/* Skip if ferry inserts no PMDs. */
void igt_ferry_require_huge(int fd)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	igt_require_f(
		query.page_sizes & HUGE,
		"no entries of 2048 KiB: the aperture is too small, or PAT is off\n");
}

/**
 * igt_ferry_bo_init_huge - create a BO that PMDs can map, except for its end
 *
 * The BO has contents and no mapping.
 */
void igt_ferry_bo_init_huge(struct igt_ferry_bo *bo, int fd, size_t pages,
			    const struct igt_ferry_kind *kind)
{
	int compact = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);
	struct drm_ferry_bo_query query;

	igt_ferry_require_huge(fd);
	/* so that the page allocator has contiguous pages of 2 MiB */
	if (compact >= 0) {
		igt_assert_eq(write(compact, "1", 1), 1);
		close(compact);
	}
	igt_ferry_bo_init(bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(bo);
	ferry_bo_query(fd, bo->handle, &query);
	igt_assert_eq_u64(query.huge_size, pages / HUGE_PAGES * HUGE);
	igt_assert_eq(munmap(bo->map, bo->size), 0);
	bo->map = NULL;
}

/**
 * igt_ferry_bo_map_fixed - map some pages of a BO at an address, in place of what is there
 */
void *igt_ferry_bo_map_fixed(const struct igt_ferry_bo *bo, void *at,
			     size_t first, size_t pages)
{
	void *map =
		mmap(at, pages * PAGE, RW, MAP_SHARED | MAP_FIXED, bo->fd,
		     ferry_bo_mmap_offset(bo->fd, bo->handle) + first * PAGE);

	igt_assert_f(map == at, "mmap at %p: %s\n", at, strerror(errno));
	return map;
}

/**
 * igt_ferry_reserve - reserve addresses for igt_ferry_bo_map_fixed()
 * @size: number of bytes
 * @past: bytes from a multiple of 2 MiB to the first address
 */
char *igt_ferry_reserve(size_t size, size_t past)
{
	char *space = mmap(NULL, size + 2 * HUGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	igt_assert(space != MAP_FAILED);
	return (char *)ALIGN((uintptr_t)space, HUGE) + past;
}

/* Check pages of a BO again and again. */
void *igt_ferry_read_thread(void *arg)
{
	struct igt_ferry_reader *r = arg;

	while (!*r->stop) {
		for (size_t page = r->first; page < r->bo->size / PAGE;
		     page += 61)
			igt_ferry_check((char *)r->bo->map + page * PAGE, page,
					1, r->bo->id, r->bo->gen);
		r->rounds++;
	}
	return NULL;
}
