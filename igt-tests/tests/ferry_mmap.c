// SPDX-License-Identifier: MIT
/**
 * TEST: ferry mmap
 * Category: Core
 * Description: Contents of mappings of BOs, and their entries and flags
 */
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION("Contents of mappings of BOs, and their entries and flags");

#define RW (PROT_READ | PROT_WRITE)

/* Mappings in remap-* */
#define REMAPS 1000

static void *map_at(int fd, uint64_t offset, size_t size, int prot, int flags)
{
	void *map = mmap(NULL, size, prot, flags, fd, offset);

	return map == MAP_FAILED ? NULL : map;
}

static void check_one_size(int fd, size_t pages,
			   const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	for (int i = 0; i < 3; i++) {
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		igt_ferry_bo_check(&bo);
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: every-size-%s
 * Description: A BO of every size from 1 page on is mapped, accessed and unmapped, again and again
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static void test_every_size(int fd, const struct igt_ferry_kind *kind)
{
	uint64_t room = igt_ferry_aperture_free(fd);
	size_t pages;

	for (pages = 1; pages <= 64; pages++)
		check_one_size(fd, pages, kind);
	for (; pages * PAGE < room && pages <= 1 << 14;
	     pages = (pages & ~1) * 2) {
		check_one_size(fd, pages, kind);
		check_one_size(fd, pages + 1, kind);
	}
}

/**
 * SUBTEST: remap-%s
 * SUBTEST: remap-huge-%s
 * Description: A BO is mapped and unmapped many times, with an access to one page each time
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_remap(int fd, const struct igt_ferry_kind *kind, size_t pages)
{
	struct igt_ferry_bo bo;
	uint64_t offset;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	offset = ferry_bo_mmap_offset(fd, bo.handle);
	for (size_t i = 0; i < REMAPS; i++) {
		size_t page = i * 37 % pages;
		void *map = map_at(fd, offset, bo.size, RW, MAP_SHARED);

		igt_assert(map);
		igt_ferry_check((char *)map + page * PAGE, page, 1, bo.id,
				bo.gen);
		igt_assert_eq(munmap(map, bo.size), 0);
	}
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: partial-%s
 * SUBTEST: partial-huge-%s
 * Description: A mapping of a part of a BO shows that part, whichever page is accessed first
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_partial(int fd, const struct igt_ferry_kind *kind,
			 size_t pages)
{
	const size_t step = pages / 37;
	struct igt_ferry_bo bo;
	uint64_t offset;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	offset = ferry_bo_mmap_offset(fd, bo.handle);
	for (size_t first = 0; first < pages; first += step) {
		for (size_t count = 1; first + count <= pages;
		     count += 9 * step) {
			char *map = map_at(fd, offset + first * PAGE,
					   count * PAGE, RW, MAP_SHARED);
			size_t page = (first + count) % count;

			igt_assert(map);
			igt_ferry_check(map + page * PAGE, first + page, 1,
					bo.id, bo.gen);
			igt_ferry_check(map, first, count, bo.id, bo.gen);
			igt_assert_eq(munmap(map, count * PAGE), 0);
		}
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: two-mappings-%s
 * SUBTEST: two-mappings-huge-%s
 * Description: Writes through one mapping are visible through another one, populated or faulted in
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_two_mappings(int fd, const struct igt_ferry_kind *kind,
			      size_t pages)
{
	const size_t size = pages * PAGE;
	struct igt_ferry_bo bo;
	void *populated;

	igt_ferry_bo_init(&bo, fd, size, kind);
	populated = map_at(fd, ferry_bo_mmap_offset(fd, bo.handle), size, RW,
			   MAP_SHARED | MAP_POPULATE);
	igt_assert(populated);
	igt_ferry_bo_fill(&bo);
	igt_ferry_check(populated, 0, size / PAGE, bo.id, bo.gen);
	igt_ferry_fill(populated, 0, size / PAGE, bo.id, ++bo.gen);
	igt_ferry_bo_check(&bo);
	igt_assert_eq(munmap(populated, size), 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: partial-munmap-%s
 * SUBTEST: partial-munmap-huge-%s
 * Description: munmap() of the middle leaves both ends as they were, accessed before or not
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_partial_munmap(int fd, const struct igt_ferry_kind *kind,
				size_t pages)
{
	const size_t cut = pages * 17 / 96, end = pages * 61 / 96;
	struct igt_ferry_bo bo;
	char *map;

	for (int accessed = 0; accessed < 2; accessed++) {
		igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		if (!accessed) {
			munmap(bo.map, bo.size);
			bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		}
		map = bo.map;
		igt_assert_eq(munmap(map + cut * PAGE, (end - cut) * PAGE), 0);
		igt_ferry_check(map + end * PAGE, end, pages - end, bo.id,
				bo.gen);
		igt_ferry_check(map, 0, cut, bo.id, bo.gen);
		igt_assert_eq(igt_ferry_read_signal(map + cut * PAGE), SIGSEGV);
		igt_assert_eq(igt_ferry_read_signal(map + end * PAGE - 1),
			      SIGSEGV);
		igt_ferry_fill(map + end * PAGE, end, pages - end, bo.id,
			       bo.gen + 1);
		igt_ferry_check(map, 0, cut, bo.id, bo.gen);
		igt_ferry_bo_fini(&bo);
	}
}

/**
 * SUBTEST: mprotect-%s
 * SUBTEST: mprotect-huge-%s
 * Description: mprotect() is enforced, for pages with entries and without
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mprotect(int fd, const struct igt_ferry_kind *kind,
			  size_t pages)
{
	const size_t half = pages / 2;
	struct igt_ferry_bo bo;
	char *map;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	map = bo.map;
	igt_ferry_fill(map, 0, half, bo.id, 1);

	igt_assert_eq(mprotect(map, bo.size, PROT_READ), 0);
	igt_ferry_check(map, 0, half, bo.id, 1);
	igt_ferry_check_zero(map + half * PAGE, (pages - half) * PAGE);
	igt_assert_eq(igt_ferry_write_signal(map, 1), SIGSEGV);
	igt_assert_eq(igt_ferry_write_signal(map + bo.size - 1, 1), SIGSEGV);

	igt_assert_eq(mprotect(map, bo.size, PROT_NONE), 0);
	igt_assert_eq(igt_ferry_read_signal(map), SIGSEGV);
	igt_assert_eq(igt_ferry_read_signal(map + bo.size - 1), SIGSEGV);

	igt_assert_eq(mprotect(map, bo.size, RW), 0);
	igt_ferry_check(map, 0, half, bo.id, 1);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: fork-%s
 * SUBTEST: fork-huge-%s
 * Description: Parent and child share a mapping and see the writes of each other, accessed before or not
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_fork(int fd, const struct igt_ferry_kind *kind, size_t pages)
{
	struct igt_ferry_bo bo;
	char *map;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	map = bo.map;
	igt_ferry_fill(map, 0, pages / 2, bo.id, 1);
	igt_fork(child, 1)
	{
		igt_ferry_check(map, 0, pages / 2, bo.id, 1);
		igt_ferry_fill(map, 0, pages, bo.id, 2);
		munmap(map, bo.size);
	}
	igt_waitchildren();
	igt_ferry_check(map, 0, pages, bo.id, 2);

	/* the mapping of a child keeps the BO when the parent has closed the handle */
	igt_fork(child, 1)
	{
		usleep(100000);
		igt_ferry_check(map, 0, pages, bo.id, 2);
	}
	igt_ferry_bo_fini(&bo);
	igt_waitchildren();
}

/**
 * SUBTEST: mremap-move-%s
 * SUBTEST: mremap-move-huge-%s
 * Description: A mapping that mremap() moves or shrinks shows the same pages, and the old range is unmapped
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mremap_move(int fd, const struct igt_ferry_kind *kind,
			     size_t pages)
{
	const size_t size = pages * PAGE, part = pages / 3 * PAGE;
	struct igt_ferry_bo bo;
	char *hole, *moved;

	igt_ferry_bo_init(&bo, fd, size, kind);
	igt_ferry_bo_fill(&bo);

	hole = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(hole != MAP_FAILED);
	moved = mremap(bo.map, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	igt_assert_f(moved == hole, "mremap: %s\n", strerror(errno));
	igt_assert_eq(igt_ferry_read_signal(bo.map), SIGSEGV);
	bo.map = moved;
	igt_ferry_bo_check(&bo);

	/* a part that is moved alone still shows the same pages of the BO */
	hole = mmap(NULL, part, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(hole != MAP_FAILED);
	igt_assert(mremap(moved + size - part, part, part,
			  MREMAP_MAYMOVE | MREMAP_FIXED, hole) == hole);
	igt_ferry_check(hole, (size - part) / PAGE, part / PAGE, bo.id, bo.gen);
	igt_assert(mremap(hole, part, PAGE, 0) == hole);
	igt_ferry_check(hole, (size - part) / PAGE, 1, bo.id, bo.gen);
	igt_assert_eq(igt_ferry_read_signal(hole + PAGE), SIGSEGV);
	igt_ferry_check(moved, 0, (size - part) / PAGE, bo.id, bo.gen);
	igt_assert_eq(munmap(hole, PAGE), 0);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: vma-flags-%s
 * SUBTEST: vma-flags-huge-%s
 * Description: A mapping has VM_PFNMAP, VM_IO, VM_DONTEXPAND and VM_DONTDUMP, and madvise() clears none
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_vma_flags(int fd, const struct igt_ferry_kind *kind,
			   size_t pages)
{
	static const char *const wanted[] = { " pf ", " io ", " de ", " dd ",
					      " sh " };
	struct igt_ferry_bo bo;
	char flags[300];

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	for (int round = 0; round < 2; round++) {
		igt_ferry_smaps(bo.map, "VmFlags", flags, sizeof(flags));
		for (unsigned int i = 0; i < ARRAY_SIZE(wanted); i++)
			igt_assert_f(strstr(flags, wanted[i]),
				     "no '%s' in VmFlags:%s\n", wanted[i],
				     flags);
		igt_assert_eq(madvise(bo.map, bo.size, MADV_DODUMP), -1);
		igt_assert_eq(errno, EINVAL);
		igt_assert_eq(madvise(bo.map, bo.size, MADV_DOFORK), -1);
		igt_assert_eq(errno, EINVAL);
		igt_assert_eq(madvise(bo.map, bo.size, MADV_DONTNEED), -1);
		igt_assert_eq(errno, EINVAL);
	}
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: offset-stable
 * Description: The mmap offset of a BO does not change, and the offsets of no two BOs overlap
 */
static void test_offset_stable(int fd)
{
	struct igt_ferry_bo bo[16];
	uint64_t offset[16];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_init(&bo[i], fd, (i + 1) * PAGE,
				  igt_ferry_movable_kinds);
		offset[i] = ferry_bo_mmap_offset(fd, bo[i].handle);
	}
	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		ferry_bo_migrate(fd, bo[i].handle, APERTURE);
		igt_assert_eq_u64(ferry_bo_mmap_offset(fd, bo[i].handle),
				  offset[i]);
		for (j = 0; j < i; j++)
			igt_assert(offset[i] + bo[i].size <= offset[j] ||
				   offset[j] + bo[j].size <= offset[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_fini(&bo[i]);
}

/**
 * SUBTEST: populate-%s
 * SUBTEST: populate-huge-%s
 * Description: A populated mapping has entries for all pages at once, and shows the same bytes
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_populate(int fd, const struct igt_ferry_kind *kind,
			  size_t pages)
{
	struct igt_ferry_bo bo;
	uint64_t offset, faults;
	char *populated;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	offset = ferry_bo_mmap_offset_populate(fd, bo.handle);

	/* of a BO without pages */
	populated = map_at(fd, offset, bo.size, RW, MAP_SHARED);
	igt_assert(populated);
	igt_ferry_check_zero(populated, bo.size);
	igt_assert_eq(munmap(populated, bo.size), 0);

	igt_ferry_bo_fill(&bo);
	for (size_t first = 0; first < pages; first += 1 + pages / 3) {
		size_t size = (pages - first) * PAGE;

		populated =
			map_at(fd, offset + first * PAGE, size, RW, MAP_SHARED);
		igt_assert(populated);
		faults = igt_ferry_stat(fd, "faults");
		igt_ferry_check(populated, first, pages - first, bo.id, bo.gen);
		igt_ferry_fill(populated, first, pages - first, bo.id, bo.gen);
		igt_assert_eq_u64(igt_ferry_stat(fd, "faults"), faults);
		igt_assert_eq(munmap(populated, size), 0);
	}

	igt_ferry_mmap_refused(fd, offset, bo.size, RW, MAP_PRIVATE, EINVAL);
	igt_ferry_mmap_refused(fd, offset, bo.size + PAGE, RW, MAP_SHARED,
			       EINVAL);
	igt_ferry_mmap_refused(fd, offset + PAGE, bo.size, RW, MAP_SHARED,
			       EINVAL);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: populate-moved-%s
 * Description: A populated mapping shows the contents of its BO after each move
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_populate_moved(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	void *populated;

	igt_ferry_bo_init(&bo, fd, 600 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	populated = map_at(fd, ferry_bo_mmap_offset_populate(fd, bo.handle),
			   bo.size, RW, MAP_SHARED);
	igt_assert(populated);
	for (int round = 0; round < 4; round++) {
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
		igt_ferry_check(populated, 0, bo.size / PAGE, bo.id, bo.gen);
		igt_ferry_fill(populated, 0, bo.size / PAGE, bo.id, ++bo.gen);
		igt_ferry_bo_check(&bo);
	}
	igt_assert_eq(munmap(populated, bo.size), 0);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: huge-%s
 * Description: The part of a BO that the query reports in huge_size is mapped with PMDs
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_huge(int fd, const struct igt_ferry_kind *kind)
{
	const uint64_t huge = 512 * PAGE;
	struct drm_ferry_device_query device;
	struct drm_ferry_bo_query query;
	uint64_t faults, faults_2m;
	struct igt_ferry_bo bo;

	ferry_device_query(fd, &device);
	igt_ferry_bo_init(&bo, fd, 2 * huge + 5 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	ferry_bo_query(fd, bo.handle, &query);
	igt_info("%" PRIu64 " of %" PRIu64 " KiB\n",
		 (uint64_t)query.huge_size >> 10, (uint64_t)query.size >> 10);
	igt_assert_lte_u64(query.huge_size, query.size);
	igt_assert_eq_u64(query.huge_size % huge, 0);
	if (!(device.page_sizes & huge))
		igt_assert_eq_u64(query.huge_size, 0);

	munmap(bo.map, bo.size);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	if (query.huge_size)
		igt_assert_eq_u64((uintptr_t)bo.map % huge, 0);
	faults = igt_ferry_stat(fd, "faults");
	faults_2m = igt_ferry_stat(fd, "faults_2m");
	igt_ferry_bo_check(&bo);
	igt_assert_eq_u64((igt_ferry_stat(fd, "faults_2m") - faults_2m) * huge,
			  query.huge_size);
	igt_assert_lt_u64(igt_ferry_stat(fd, "faults") - faults,
			  bo.size / PAGE / 8);
	igt_ferry_bo_fini(&bo);
}

/*
 * @pages is less than a page table maps. @huge_pages is more than two PMDs map, and not a
 * multiple of that.
 */
static const struct igt_ferry_test tests[] = {
	{ "every-size",
	  "A BO of every size from 1 page on is mapped, accessed and unmapped, again and again",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_every_size },
	{ "remap",
	  "A BO is mapped and unmapped many times, with an access to one page each time",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_remap, .pages = 64,
	  .huge_pages = 1100 },
	{ "partial",
	  "A mapping of a part of a BO shows that part, whichever page is accessed first",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_partial,
	  .pages = 37, .huge_pages = 1131 },
	{ "two-mappings",
	  "Writes through one mapping are visible through another one, populated or faulted in",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_two_mappings,
	  .pages = 40, .huge_pages = 1100 },
	{ "partial-munmap",
	  "munmap() of the middle leaves both ends as they were, accessed before or not",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_partial_munmap,
	  .pages = 96, .huge_pages = 1543 },
	{ "mprotect",
	  "mprotect() is enforced, for pages with entries and without",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_mprotect,
	  .pages = 24, .huge_pages = 1100 },
	{ "fork",
	  "Parent and child share a mapping and see the writes of each other, accessed before or not",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_fork, .pages = 32,
	  .huge_pages = 1100 },
	{ "mremap-move",
	  "A mapping that mremap() moves or shrinks shows the same pages, and the old range is unmapped",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_mremap_move,
	  .pages = 48, .huge_pages = 1543 },
	{ "vma-flags",
	  "A mapping has VM_PFNMAP, VM_IO, VM_DONTEXPAND and VM_DONTDUMP, and madvise() clears none",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_vma_flags,
	  .pages = 4, .huge_pages = 1030 },
	{ "populate",
	  "A populated mapping has entries for all pages at once, and shows the same bytes",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_populate,
	  .pages = 60, .huge_pages = 1100 },
	{ "populate-moved",
	  "A populated mapping shows the contents of its BO after each move",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_populate_moved },
	{ "huge",
	  "The part of a BO that the query reports in huge_size is mapped with PMDs",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_huge },
	{ "offset-stable",
	  "The mmap offset of a BO does not change, and the offsets of no two BOs overlap",
	  test_offset_stable },
	{}
};

igt_ferry_main(tests)
