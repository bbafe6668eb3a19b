// SPDX-License-Identifier: MIT
/**
 * TEST: ferry mmap
 * Category: Core
 * Description: Mapping buffer objects: what a mapping shows, and what mmap() and its kin refuse
 */
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Mapping buffer objects: what a mapping shows, and what is refused");

#define RW (PROT_READ | PROT_WRITE)

/* How often the tests that repeat themselves do so */
#define ROUNDS 200

static void *map_at(int fd, uint64_t offset, size_t size, int prot, int flags)
{
	void *map = mmap(NULL, size, prot, flags, fd, offset);

	return map == MAP_FAILED ? NULL : map;
}

/* mmap() must fail, with this errno */
static void refused(int fd, uint64_t offset, size_t size, int prot, int flags,
		    int err)
{
	void *map = mmap(NULL, size, prot, flags, fd, offset);
	int got = errno;

	igt_assert_f(map == MAP_FAILED,
		     "size %#zx offset %#" PRIx64
		     " prot %#x flags %#x: mapped\n",
		     size, offset, prot, flags);
	igt_assert_f(got == err,
		     "size %#zx offset %#" PRIx64
		     " prot %#x flags %#x: %s, not %s\n",
		     size, offset, prot, flags, strerror(got), strerror(err));
	errno = 0;
}

/**
 * SUBTEST: every-size-%s
 * Description: every size from 1 page up is mapped, touched and unmapped, again and again
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
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

static void test_every_size(int fd, const struct igt_ferry_kind *kind,
			    size_t pages)
{
	uint64_t room = igt_ferry_aperture_free(fd);

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
 * Description: one BO is mapped and unmapped many times, and one page of it is touched each time
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
	for (size_t i = 0; i < ROUNDS * 5; i++) {
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
 * Description: a mapping of any part of a BO shows that part, first touched at any page
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
			size_t touch = (first + count) % count;

			igt_assert(map);
			igt_ferry_check(map + touch * PAGE, first + touch, 1,
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
 * Description: what one mapping writes the other one reads, made at once or page by page
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
 * Description: unmapping the middle leaves both ends as they were, touched before or not
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_partial_munmap(int fd, const struct igt_ferry_kind *kind,
				size_t pages)
{
	const size_t cut = pages * 17 / 96, end = pages * 61 / 96;
	struct igt_ferry_bo bo;
	char *map;

	for (int touched = 0; touched < 2; touched++) {
		igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		if (!touched) {
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
 * Description: protections are changed and hold, for pages that are mapped and that are not
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
 * Description: a child shares the mapping: both see what either writes, touched before or not
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

	/* a child keeps the BO when the parent has dropped everything */
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
 * Description: a moved or shrunk mapping shows the same pages, and the old range is gone
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

	/* the part at the end alone goes elsewhere: it keeps its page numbers */
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
 * SUBTEST: mremap-grow-%s
 * SUBTEST: mremap-grow-huge-%s
 * Description: a mapping never grows, not inside of its BO and not beyond its end
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mremap_grow(int fd, const struct igt_ferry_kind *kind,
			     size_t pages)
{
	const size_t size = pages * PAGE;
	struct igt_ferry_bo bo;
	char *part;

	igt_ferry_bo_init(&bo, fd, size, kind);
	igt_ferry_bo_fill(&bo);
	igt_assert(mremap(bo.map, size, 2 * size, MREMAP_MAYMOVE) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EFAULT);
	igt_assert(mremap(bo.map, 0, 2 * size, MREMAP_MAYMOVE) == MAP_FAILED);
	igt_ferry_bo_check(&bo);

	part = map_at(fd, ferry_bo_mmap_offset(fd, bo.handle), size / 2, RW,
		      MAP_SHARED);
	igt_assert(part);
	igt_assert(mremap(part, size / 2, size, MREMAP_MAYMOVE) == MAP_FAILED);
	igt_assert_eq(errno, EFAULT);
	igt_ferry_check(part, 0, size / 2 / PAGE, bo.id, bo.gen);
	igt_assert_eq(munmap(part, size / 2), 0);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: map-private-%s
 * SUBTEST: map-private-huge-%s
 * Description: MAP_PRIVATE is refused with EINVAL, with every protection and on every file
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_map_private(int fd, const struct igt_ferry_kind *kind,
			     size_t pages)
{
	static const int flags[] = { 0, MAP_POPULATE, MAP_NORESERVE, MAP_LOCKED,
				     MAP_NONBLOCK };
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	uint32_t ro_handle =
		ferry_bo_create(ro, pages * PAGE, kind->allowed_placements,
				kind->placement, kind->caching, kind->flags);
	uint64_t ro_offset = ferry_bo_mmap_offset(ro, ro_handle), offset;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	offset = ferry_bo_mmap_offset(fd, bo.handle);
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		for (int prot = 0; prot <= RW; prot++) {
			refused(fd, offset, bo.size, prot,
				MAP_PRIVATE | flags[i], EINVAL);
			refused(fd, offset + PAGE, PAGE, prot,
				MAP_PRIVATE | flags[i], EINVAL);
			refused(ro, ro_offset, bo.size, prot,
				MAP_PRIVATE | flags[i], EINVAL);
		}
	}
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	close(ro);
}

/**
 * SUBTEST: readonly-file-%s
 * SUBTEST: readonly-file-huge-%s
 * Description: a file opened for reading gives no writable mapping, and none later by mprotect
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_readonly_file(int fd, const struct igt_ferry_kind *kind,
			       size_t pages)
{
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	uint32_t handle =
		ferry_bo_create(ro, pages * PAGE, kind->allowed_placements,
				kind->placement, kind->caching, kind->flags);
	uint64_t offset = ferry_bo_mmap_offset(ro, handle);
	char *map;

	refused(ro, offset, pages * PAGE, RW, MAP_SHARED, EACCES);
	refused(ro, offset, pages * PAGE, PROT_WRITE, MAP_SHARED, EACCES);
	map = map_at(ro, offset, pages * PAGE, PROT_READ, MAP_SHARED);
	igt_assert(map);
	igt_assert_eq(mprotect(map, pages * PAGE, RW), -1);
	igt_assert_eq(errno, EACCES);
	igt_ferry_check_zero(map, pages * PAGE);
	igt_assert_eq(mprotect(map + PAGE, PAGE, PROT_WRITE), -1);
	igt_assert_eq(errno, EACCES);
	igt_assert_eq(igt_ferry_write_signal(map, 1), SIGSEGV);
	munmap(map, pages * PAGE);
	close(ro);
	errno = 0;
}

/**
 * SUBTEST: foreign-offset
 * Description: the offset of another client's BO gives EACCES, and no mapping
 */
static void test_foreign_offset(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;
	int other = igt_ferry_reopen(fd, O_RDWR);

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		uint64_t offset;

		igt_ferry_bo_init(&bo, fd, 4 * PAGE, kind);
		offset = ferry_bo_mmap_offset(fd, bo.handle);
		refused(other, offset, bo.size, RW, MAP_SHARED, EACCES);
		refused(other, offset, bo.size, PROT_READ, MAP_SHARED, EACCES);
		refused(other, offset + PAGE, PAGE, PROT_NONE, MAP_SHARED,
			EACCES);

		/* a handle of its own gives access, and closing it takes that back */
		if (kind == igt_ferry_fixed_kinds) {
			uint32_t handle;
			int prime;
			void *map;

			igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle,
							 DRM_RDWR, &prime),
				      0);
			igt_assert_eq(drmPrimeFDToHandle(other, prime, &handle),
				      0);
			map = map_at(other, offset, bo.size, RW, MAP_SHARED);
			igt_assert(map);
			munmap(map, bo.size);
			gem_close(other, handle);
			close(prime);
			refused(other, offset, bo.size, RW, MAP_SHARED, EACCES);
		}
		igt_ferry_bo_fini(&bo);
	}
	close(other);
}

/**
 * SUBTEST: closed-handle
 * Description: after the handle is closed its mapping lives on, and no new one is made
 */
static void test_closed_handle(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;
	uint64_t offset;

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_ferry_bo_init(&bo, fd, 8 * PAGE, kind);
		igt_ferry_fill(bo.map, 0, 4, bo.id, 1);
		offset = ferry_bo_mmap_offset(fd, bo.handle);
		gem_close(fd, bo.handle);
		refused(fd, offset, bo.size, RW, MAP_SHARED, EACCES);
		igt_ferry_check(bo.map, 0, 4, bo.id, 1);
		igt_ferry_check_zero((char *)bo.map + 4 * PAGE, 4 * PAGE);
		igt_ferry_bo_fill(&bo);
		igt_ferry_bo_check(&bo);
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		refused(fd, offset, bo.size, RW, MAP_SHARED, EINVAL);
	}
}

/**
 * SUBTEST: out-of-range
 * Description: a range that is not inside of one BO is refused with EINVAL
 */
static void test_out_of_range(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;
	uint64_t offset;

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_ferry_bo_init(&bo, fd, 4 * PAGE, kind);
		offset = ferry_bo_mmap_offset(fd, bo.handle);
		refused(fd, offset, bo.size + 1, RW, MAP_SHARED, EINVAL);
		refused(fd, offset, bo.size + PAGE, RW, MAP_SHARED, EINVAL);
		refused(fd, offset, bo.size * 1024, RW, MAP_SHARED, EINVAL);
		refused(fd, offset + PAGE, bo.size, RW, MAP_SHARED, EINVAL);
		refused(fd, offset + 3 * PAGE, 2 * PAGE, RW, MAP_SHARED,
			EINVAL);
		refused(fd, offset + 1, PAGE, RW, MAP_SHARED, EINVAL);
		refused(fd, offset, 0, RW, MAP_SHARED, EINVAL);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
	refused(fd, 0, PAGE, RW, MAP_SHARED, EINVAL);
	refused(fd, 1ull << 42, PAGE, RW, MAP_SHARED, EINVAL);
	refused(fd, INT64_MAX & ~(PAGE - 1), PAGE, PROT_READ, MAP_SHARED,
		EINVAL);
}

/**
 * SUBTEST: vma-flags-%s
 * SUBTEST: vma-flags-huge-%s
 * Description: a mapping is PFNMAP, IO, DONTEXPAND and DONTDUMP, and madvise takes none away
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
 * Description: the offset of a BO stays the same, and no two BOs overlap
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
		ferry_bo_migrate(fd, bo[i].handle,
				 DRM_FERRY_PLACEMENT_APERTURE);
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
 * Description: a populated mapping has all pages at once, shows the same bytes, and follows moves
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

	/* of a BO that has no pages yet */
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

	refused(fd, offset, bo.size, RW, MAP_PRIVATE, EINVAL);
	refused(fd, offset, bo.size + PAGE, RW, MAP_SHARED, EINVAL);
	refused(fd, offset + PAGE, bo.size, RW, MAP_SHARED, EINVAL);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: populate-moved-%s
 * Description: a populated mapping follows its BO when it moves
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
		ferry_bo_migrate(fd, bo.handle,
				 round & 1 ? DRM_FERRY_PLACEMENT_SYSTEM :
					     DRM_FERRY_PLACEMENT_APERTURE);
		igt_ferry_check(populated, 0, bo.size / PAGE, bo.id, bo.gen);
		igt_ferry_fill(populated, 0, bo.size / PAGE, bo.id, ++bo.gen);
		igt_ferry_bo_check(&bo);
	}
	igt_assert_eq(munmap(populated, bo.size), 0);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: huge-%s
 * Description: as much of a BO as the query says is mapped with entries of 2 MiB
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
 * Sizes in pages: the small one is a part of a page table; the large one, where
 * there is one, is larger than two huge pages and not a multiple of them.
 */
static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct igt_ferry_kind *kind, size_t pages);
	size_t small;
	size_t large;
} tests[] = {
	{ "every-size",
	  "Every size from 1 page up is mapped and unmapped, again and again",
	  test_every_size, 1, 0 },
	{ "remap", "One BO is mapped and unmapped many times", test_remap, 64,
	  1100 },
	{ "partial", "A mapping of any part of a BO shows that part",
	  test_partial, 37, 1131 },
	{ "two-mappings", "What one mapping writes the other one reads",
	  test_two_mappings, 40, 1100 },
	{ "partial-munmap",
	  "Unmapping the middle leaves both ends as they were",
	  test_partial_munmap, 96, 1543 },
	{ "mprotect", "Protections are changed and hold", test_mprotect, 24,
	  1100 },
	{ "fork", "A child shares the mapping", test_fork, 32, 1100 },
	{ "mremap-move", "A moved or shrunk mapping shows the same pages",
	  test_mremap_move, 48, 1543 },
	{ "mremap-grow", "A mapping never grows", test_mremap_grow, 8, 1030 },
	{ "map-private", "MAP_PRIVATE is refused with EINVAL", test_map_private,
	  4, 1030 },
	{ "readonly-file",
	  "A file opened for reading gives no writable mapping",
	  test_readonly_file, 4, 1030 },
	{ "vma-flags", "A mapping is PFNMAP, IO, DONTEXPAND and DONTDUMP",
	  test_vma_flags, 4, 1030 },
	{ "populate", "A populated mapping has all pages at once",
	  test_populate, 60, 1100 },
};

static void subtests(int fd, unsigned int i)
{
	const struct igt_ferry_kind *kind;

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_describe(tests[i].describe);
		igt_subtest_f("%s-%s", tests[i].name, kind->name)
		{
			tests[i].run(igt_ferry_begin(fd), kind, tests[i].small);
		}

		if (!tests[i].large)
			continue;
		igt_describe_f("%s, with huge pages", tests[i].describe);
		igt_subtest_f("%s-huge-%s", tests[i].name, kind->name)
		{
			tests[i].run(igt_ferry_begin(fd), kind, tests[i].large);
		}
	}
}

igt_main
{
	const struct igt_ferry_kind *kind;
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++)
		subtests(fd, i);

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		igt_describe(
			"A populated mapping follows its BO when it moves");
		igt_subtest_f("populate-moved-%s", kind->name)
		{
			test_populate_moved(igt_ferry_begin(fd), kind);
		}
	}

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_describe(
			"What the query says is mapped with entries of 2 MiB");
		igt_subtest_f("huge-%s", kind->name)
		{
			test_huge(igt_ferry_begin(fd), kind);
		}
	}

	igt_describe("The offset of another client's BO gives EACCES");
	igt_subtest("foreign-offset")
	{
		test_foreign_offset(igt_ferry_begin(fd));
	}

	igt_describe(
		"After the handle is closed its mapping lives on, and no new one is made");
	igt_subtest("closed-handle")
	{
		test_closed_handle(igt_ferry_begin(fd));
	}

	igt_describe(
		"A range that is not inside of one BO is refused with EINVAL");
	igt_subtest("out-of-range")
	{
		test_out_of_range(igt_ferry_begin(fd));
	}

	igt_describe(
		"The offset of a BO stays the same, and no two BOs overlap");
	igt_subtest("offset-stable")
	{
		test_offset_stable(igt_ferry_begin(fd));
	}

	igt_fixture
	{
		close(fd);
	}
}
