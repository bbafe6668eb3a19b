// SPDX-License-Identifier: MIT
/**
 * TEST: ferry mmap refused
 * Category: Core
 * Description: Calls of mmap(), mremap() and mprotect() that are refused
 */
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Calls of mmap(), mremap() and mprotect() that are refused");

#define RW (PROT_READ | PROT_WRITE)

static void *map_at(int fd, uint64_t offset, size_t size, int prot, int flags)
{
	void *map = mmap(NULL, size, prot, flags, fd, offset);

	return map == MAP_FAILED ? NULL : map;
}

/**
 * SUBTEST: mremap-grow-%s
 * SUBTEST: mremap-grow-huge-%s
 * Description: mremap() does not grow a mapping, neither within its BO nor beyond the end
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
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
 * Description: MAP_PRIVATE fails with EINVAL, with every protection and on every file
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
			igt_ferry_mmap_refused(fd, offset, bo.size, prot,
					       MAP_PRIVATE | flags[i], EINVAL);
			igt_ferry_mmap_refused(fd, offset + PAGE, PAGE, prot,
					       MAP_PRIVATE | flags[i], EINVAL);
			igt_ferry_mmap_refused(ro, ro_offset, bo.size, prot,
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
 * Description: A file opened for reading gives no writable mapping, neither by mmap() nor by mprotect()
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

	igt_ferry_mmap_refused(ro, offset, pages * PAGE, RW, MAP_SHARED,
			       EACCES);
	igt_ferry_mmap_refused(ro, offset, pages * PAGE, PROT_WRITE, MAP_SHARED,
			       EACCES);
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
 * SUBTEST: readonly-forced-%s
 * Description: /proc/self/mem does not write to a mapping of a file opened for reading
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_readonly_forced(int fd, const struct igt_ferry_kind *kind)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	struct igt_ferry_bo bo = { .fd = ro, .size = 600 * PAGE };
	char text[64] = "written to a read-only mapping";
	ssize_t written;

	igt_assert_fd(mem);
	bo.handle = ferry_bo_create(ro, bo.size, kind->allowed_placements, 0,
				    kind->caching, kind->flags);
	bo.map = mmap(NULL, bo.size, PROT_READ, MAP_SHARED, ro,
		      ferry_bo_mmap_offset(ro, bo.handle));
	igt_assert(bo.map != MAP_FAILED);
	igt_ferry_bo_check(&bo);
	for (int mapped = 0; mapped < 2; mapped++) {
		written = pwrite(mem, text, sizeof(text),
				 (uintptr_t)bo.map + 5 * PAGE + 100);
		igt_assert_f(written < 0, "%zd bytes were written\n", written);
		igt_assert_eq(pread(mem, text, sizeof(text),
				    (uintptr_t)bo.map + 5 * PAGE + 100),
			      (int)sizeof(text));
		igt_ferry_bo_check(&bo);
	}
	igt_ferry_bo_fini(&bo);
	close(ro);
	close(mem);
	errno = 0;
}

/**
 * SUBTEST: foreign-offset
 * Description: mmap() at the offset of another client's BO fails with EACCES
 */
static void test_foreign_offset(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;
	int other = igt_ferry_reopen(fd, O_RDWR);

	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
		uint64_t offset;

		igt_ferry_bo_init(&bo, fd, 4 * PAGE, kind);
		offset = ferry_bo_mmap_offset(fd, bo.handle);
		igt_ferry_mmap_refused(other, offset, bo.size, RW, MAP_SHARED,
				       EACCES);
		igt_ferry_mmap_refused(other, offset, bo.size, PROT_READ,
				       MAP_SHARED, EACCES);
		igt_ferry_mmap_refused(other, offset + PAGE, PAGE, PROT_NONE,
				       MAP_SHARED, EACCES);

		/* the other client may map the BO while it has a handle of its own */
		if (kind == igt_ferry_single_kinds) {
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
			igt_ferry_mmap_refused(other, offset, bo.size, RW,
					       MAP_SHARED, EACCES);
		}
		igt_ferry_bo_fini(&bo);
	}
	close(other);
}

/**
 * SUBTEST: closed-handle
 * Description: After a handle is closed, its mappings stay valid and mmap() at its offset fails
 */
static void test_closed_handle(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;
	uint64_t offset;

	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
		igt_ferry_bo_init(&bo, fd, 8 * PAGE, kind);
		igt_ferry_fill(bo.map, 0, 4, bo.id, 1);
		offset = ferry_bo_mmap_offset(fd, bo.handle);
		gem_close(fd, bo.handle);
		igt_ferry_mmap_refused(fd, offset, bo.size, RW, MAP_SHARED,
				       EACCES);
		igt_ferry_check(bo.map, 0, 4, bo.id, 1);
		igt_ferry_check_zero((char *)bo.map + 4 * PAGE, 4 * PAGE);
		igt_ferry_bo_fill(&bo);
		igt_ferry_bo_check(&bo);
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		igt_ferry_mmap_refused(fd, offset, bo.size, RW, MAP_SHARED,
				       EINVAL);
	}
}

/**
 * SUBTEST: out-of-range
 * Description: mmap() of a range that is not within one BO fails with EINVAL
 */
static void test_out_of_range(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;
	uint64_t offset;

	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
		igt_ferry_bo_init(&bo, fd, 4 * PAGE, kind);
		offset = ferry_bo_mmap_offset(fd, bo.handle);
		igt_ferry_mmap_refused(fd, offset, bo.size + 1, RW, MAP_SHARED,
				       EINVAL);
		igt_ferry_mmap_refused(fd, offset, bo.size + PAGE, RW,
				       MAP_SHARED, EINVAL);
		igt_ferry_mmap_refused(fd, offset, bo.size * 1024, RW,
				       MAP_SHARED, EINVAL);
		igt_ferry_mmap_refused(fd, offset + PAGE, bo.size, RW,
				       MAP_SHARED, EINVAL);
		igt_ferry_mmap_refused(fd, offset + 3 * PAGE, 2 * PAGE, RW,
				       MAP_SHARED, EINVAL);
		igt_ferry_mmap_refused(fd, offset + 1, PAGE, RW, MAP_SHARED,
				       EINVAL);
		igt_ferry_mmap_refused(fd, offset, 0, RW, MAP_SHARED, EINVAL);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
	igt_ferry_mmap_refused(fd, 0, PAGE, RW, MAP_SHARED, EINVAL);
	igt_ferry_mmap_refused(fd, 1ull << 42, PAGE, RW, MAP_SHARED, EINVAL);
	igt_ferry_mmap_refused(fd, INT64_MAX & ~(PAGE - 1), PAGE, PROT_READ,
			       MAP_SHARED, EINVAL);
}

/* @huge_pages is more than two PMDs map. */
static const struct igt_ferry_test tests[] = {
	{ "mremap-grow",
	  "mremap() does not grow a mapping, neither within its BO nor beyond the end",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_mremap_grow,
	  .pages = 8, .huge_pages = 1030 },
	/* It has two BOs: more than one PMD maps. */
	{ "map-private",
	  "MAP_PRIVATE fails with EINVAL, with every protection and on every file",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_map_private,
	  .pages = 4, .huge_pages = 520 },
	{ "readonly-file",
	  "A file opened for reading gives no writable mapping, neither by mmap() nor by mprotect()",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_readonly_file,
	  .pages = 4, .huge_pages = 1030 },
	{ "readonly-forced",
	  "/proc/self/mem does not write to a mapping of a file opened for reading",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_readonly_forced },
	{ "foreign-offset",
	  "mmap() at the offset of another client's BO fails with EACCES",
	  test_foreign_offset },
	{ "closed-handle",
	  "After a handle is closed, its mappings stay valid and mmap() at its offset fails",
	  test_closed_handle },
	{ "out-of-range",
	  "mmap() of a range that is not within one BO fails with EINVAL",
	  test_out_of_range },
	{}
};

igt_ferry_main(tests)
