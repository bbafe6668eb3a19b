// SPDX-License-Identifier: MIT
/**
 * TEST: ferry fault
 * Category: Core
 * Description: Size and extent of the page table entries that faults insert
 *
 * ferry_mmap and ferry_access test that a mapping shows the right bytes, whatever is done to
 * it. The ferry_fault programs test the page table entries themselves, by the counters of the
 * driver and by its audit, which walks the page tables.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_fault.h"

IGT_TEST_DESCRIPTION(
	"Size and extent of the page table entries that faults insert");

/**
 * SUBTEST: huge-%s
 * Description: One fault maps each 2 MiB of a BO with one PMD
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static void test_huge(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	igt_ferry_count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_assert_eq_u64((uintptr_t)bo.map % HUGE, 0);
	igt_ferry_access(bo.map, bo.size);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.faults.faults, 2);
	igt_assert_eq_u64(count.faults.huge, 2);
	igt_assert_eq_u64(count.faults.pages, 2 * HUGE_PAGES);
	igt_assert_eq_u64(count.audit.mappings, 1);
	igt_assert_eq_u64(count.audit.entries, 2);
	igt_assert_eq_u64(count.audit.pages, 2 * HUGE_PAGES);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: misaligned-%s
 * Description: At an unaligned address, one fault maps the rest of each 2 MiB with PTEs
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_misaligned(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = igt_ferry_bo_map_fixed(&bo, igt_ferry_reserve(bo.size, PAGE),
					0, 2 * HUGE_PAGES);
	igt_ferry_count_start(fd, &count);
	igt_ferry_access(bo.map, bo.size);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.faults.faults, 3);
	igt_assert_eq_u64(count.faults.huge, 0);
	igt_assert_eq_u64(count.faults.pages, 2 * HUGE_PAGES);
	igt_assert_eq_u64(count.audit.entries, 2 * HUGE_PAGES);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);

	/* accessed from the last page to the first one, the faults map the same windows */
	igt_assert_eq(munmap(bo.map, bo.size), 0);
	igt_ferry_bo_map_fixed(&bo, bo.map, 0, 2 * HUGE_PAGES);
	igt_ferry_faults_start(fd, &count.faults);
	for (size_t page = 2 * HUGE_PAGES; page--;)
		igt_ferry_access((char *)bo.map + page * PAGE, PAGE);
	igt_ferry_faults_since(fd, &count.faults);
	igt_assert_eq_u64(count.faults.faults, 3);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: head-tail-%s
 * Description: A mapping that begins and ends within 2 MiB has a PMD in the middle
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_head_tail(int fd, const struct igt_ferry_kind *kind)
{
	const size_t first = 100, tail = 75, all = 2 * HUGE_PAGES + tail;
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	char *map;

	igt_ferry_bo_init_huge(&bo, fd, all, kind);
	igt_ferry_count_start(fd, &count);
	map = mmap(NULL, bo.size - first * PAGE, RW, MAP_SHARED, fd,
		   ferry_bo_mmap_offset(fd, bo.handle) + first * PAGE);
	igt_assert(map != MAP_FAILED);
	/* the kernel has chosen an address that allows the PMD in the middle */
	igt_assert_eq_u64((uintptr_t)map % HUGE, first * PAGE);
	igt_ferry_access(map, bo.size - first * PAGE);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.faults.faults, 3);
	igt_assert_eq_u64(count.faults.huge, 1);
	igt_assert_eq_u64(count.faults.pages, all - first);
	igt_assert_eq_u64(count.audit.entries, HUGE_PAGES - first + 1 + tail);
	igt_assert_eq_u64(count.audit.pages, all - first);
	igt_ferry_check(map, first, all - first, bo.id, bo.gen);
	igt_assert_eq(munmap(map, bo.size - first * PAGE), 0);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: neighbours-%s
 * Description: Where the mappings of two BOs meet within 2 MiB, no entry maps pages beyond the end of its BO
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_neighbours(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = HUGE_PAGES + 100;
	struct igt_ferry_bo a, b;
	struct igt_ferry_count count;

	for (int round = 0; round < 2; round++) {
		igt_ferry_bo_init_huge(&a, fd, pages, kind);
		igt_ferry_bo_init_huge(&b, fd, pages, kind);
		a.map = igt_ferry_bo_map_fixed(
			&a, igt_ferry_reserve(a.size + b.size, 0), 0, pages);
		b.map = igt_ferry_bo_map_fixed(&b, (char *)a.map + a.size, 0,
					       pages);
		igt_ferry_count_start(fd, &count);
		igt_ferry_access((char *)a.map + a.size - PAGE,
				 round ? PAGE : 2 * PAGE);
		igt_ferry_access(a.map, a.size + b.size);
		igt_ferry_count_since(fd, &count);
		igt_assert_eq_u64(count.faults.huge, 1);
		igt_assert_eq_u64(count.audit.entries, 1 + 100 + pages);
		igt_assert_eq_u64(count.audit.pages, 2 * pages);
		igt_ferry_bo_check(&a);
		igt_ferry_bo_fill(&b);
		igt_ferry_bo_check(&a);
		igt_ferry_bo_fill(&a);
		igt_ferry_bo_check(&b);
		igt_ferry_bo_fini(&a);
		igt_ferry_bo_check(&b);
		igt_ferry_bo_fini(&b);
	}
}

/**
 * SUBTEST: beyond-the-end-%s
 * Description: No system call maps pages beyond the end of a BO
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_beyond_the_end(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = HUGE_PAGES + 3;
	uint64_t offset, flags[] = { 0, DRM_FERRY_MMAP_POPULATE };
	struct igt_ferry_bo bo;
	char *map, *end;

	igt_ferry_bo_init_huge(&bo, fd, pages, kind);
	map = bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(map, bo.size);
	end = map + bo.size;
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		offset = flags[i] ?
				 ferry_bo_mmap_offset_populate(fd, bo.handle) :
				 ferry_bo_mmap_offset(fd, bo.handle);
		/* up to the end of a PMD that would map the last page */
		igt_assert(mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, offset) ==
			   MAP_FAILED);
		igt_assert_eq(errno, EINVAL);
		igt_assert(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd,
				offset + bo.size - 2 * PAGE) == MAP_FAILED);
		igt_assert_eq(errno, EINVAL);
		igt_assert(mmap(NULL, HUGE, RW, MAP_SHARED, fd,
				offset + HUGE) == MAP_FAILED);
		igt_assert_eq(errno, EINVAL);
	}
	igt_assert(mremap(map, bo.size, 2 * HUGE, 0) == MAP_FAILED);
	igt_assert(mremap(map, bo.size, 2 * HUGE, MREMAP_MAYMOVE) ==
		   MAP_FAILED);
	igt_assert(mremap(end - PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) ==
		   MAP_FAILED);
	igt_assert_eq(igt_ferry_read_signal(end), SIGSEGV);
	igt_ferry_bo_check(&bo);

	/* remap_file_pages() replaces the mapping, or unmaps it if that fails */
	offset = ferry_bo_mmap_offset(fd, bo.handle) / PAGE;
	igt_assert_eq(syscall(SYS_remap_file_pages, map, 2 * PAGE, 0,
			      offset + pages - 2, 0),
		      0);
	igt_ferry_check(map, pages - 2, 2, bo.id, bo.gen);
	igt_assert_eq(syscall(SYS_remap_file_pages, map + 4 * PAGE, 2 * PAGE, 0,
			      offset + pages - 1, 0),
		      -1);
	igt_assert_eq(errno, EINVAL);
	igt_assert_eq(igt_ferry_read_signal(map + 4 * PAGE), SIGSEGV);
	igt_assert_eq(igt_ferry_read_signal(map + 5 * PAGE), SIGSEGV);
	igt_ferry_check(map + 6 * PAGE, 6, pages - 6, bo.id, bo.gen);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: munmap-%s
 * Description: Unmapping a part of a PMD leaves PTEs around the hole
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_munmap(int fd, const struct igt_ferry_kind *kind)
{
	const size_t hole = 700, end = 800, all = 2 * HUGE_PAGES;
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	char *map;

	igt_ferry_bo_init_huge(&bo, fd, all, kind);
	igt_ferry_count_start(fd, &count);
	map = bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(map, bo.size);
	igt_assert_eq(munmap(map + hole * PAGE, (end - hole) * PAGE), 0);
	igt_ferry_check(map, 0, hole, bo.id, bo.gen);
	igt_ferry_check(map + end * PAGE, end, all - end, bo.id, bo.gen);
	igt_assert_eq(igt_ferry_read_signal(map + hole * PAGE), SIGSEGV);
	igt_assert_eq(igt_ferry_read_signal(map + end * PAGE - 1), SIGSEGV);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 2);
	igt_assert_eq_u64(count.audit.entries, 1 + HUGE_PAGES - (end - hole));
	igt_assert_eq_u64(count.audit.pages, all - (end - hole));
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: mprotect-%s
 * Description: A protection that is changed for a part of a PMD, or for all of it, is enforced
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mprotect(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	char *map;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	map = bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(map, bo.size);

	/* both PMDs, each as a whole */
	igt_assert_eq(mprotect(map, bo.size, PROT_READ), 0);
	igt_assert_eq(igt_ferry_write_signal(map + HUGE, 1), SIGSEGV);
	igt_ferry_bo_check(&bo);
	igt_assert_eq(mprotect(map, bo.size, RW), 0);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	igt_ferry_audit_clean(fd, NULL);

	/* a hundred pages of the first PMD */
	igt_assert_eq(mprotect(map + 100 * PAGE, 100 * PAGE, PROT_READ), 0);
	igt_assert_eq(igt_ferry_write_signal(map + 100 * PAGE, 1), SIGSEGV);
	igt_assert_eq(igt_ferry_write_signal(map + 200 * PAGE - 1, 1), SIGSEGV);
	igt_ferry_bo_check(&bo);
	igt_ferry_fill(map, 0, 100, bo.id, bo.gen + 1);
	igt_ferry_fill(map + 200 * PAGE, 200, 2 * HUGE_PAGES - 200, bo.id,
		       bo.gen + 1);
	igt_ferry_audit_clean(fd, NULL);
	igt_assert_eq(igt_ferry_write_signal(map + 150 * PAGE, 1), SIGSEGV);
	igt_assert_eq(mprotect(map, bo.size, PROT_NONE), 0);
	igt_assert_eq(igt_ferry_read_signal(map), SIGSEGV);
	igt_assert_eq(igt_ferry_read_signal(map + bo.size - 1), SIGSEGV);
	igt_assert_eq(mprotect(map, bo.size, RW), 0);
	igt_ferry_fill(map + 100 * PAGE, 100, 100, bo.id, bo.gen + 1);
	bo.gen++;
	igt_ferry_bo_check(&bo);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
}

static void wait_byte(int pipe)
{
	char byte;

	igt_assert_eq(read(pipe, &byte, 1), 1);
}

static void send_byte(int pipe)
{
	igt_assert_eq(write(pipe, "", 1), 1);
}

/**
 * SUBTEST: fork-%s
 * Description: A child gets PMDs of its own, and a move zaps the mappings of parent and child
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_fork(int fd, const struct igt_ferry_kind *kind)
{
	int ready[2], go[2];
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_ferry_count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(bo.map, bo.size);
	igt_fork(child, 1)
	{
		for (int round = 0; round < 2; round++) {
			igt_ferry_bo_check(&bo);
			send_byte(ready[1]);
			wait_byte(go[0]);
		}
		igt_ferry_check(bo.map, 0, 2 * HUGE_PAGES, bo.id, bo.gen + 1);
	}
	wait_byte(ready[0]);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 2);
	igt_assert_eq_u64(count.audit.entries, 4);
	igt_assert_eq_u64(count.audit.pages, 4 * HUGE_PAGES);

	igt_ferry_count_start(fd, &count);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(-count.audit.entries, 4);

	send_byte(go[1]);
	wait_byte(ready[0]);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fill(&bo);
	igt_ferry_audit_clean(fd, NULL);
	send_byte(go[1]);
	igt_waitchildren();
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: mremap-%s
 * Description: mremap() moves PMDs to aligned and to unaligned addresses
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mremap(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t past[] = { 0, PAGE, 37 * PAGE, 0 };
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	igt_ferry_count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(bo.map, bo.size);
	for (unsigned int i = 0; i < ARRAY_SIZE(past); i++) {
		char *to = igt_ferry_reserve(bo.size, past[i]);

		igt_assert(mremap(bo.map, bo.size, bo.size,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		igt_assert_eq(igt_ferry_read_signal(bo.map), SIGSEGV);
		bo.map = to;
		igt_ferry_audit_clean(fd, NULL);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fill(&bo);
		igt_ferry_audit_clean(fd, NULL);
	}
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 1);
	igt_assert_eq_u64(count.audit.pages, 2 * HUGE_PAGES);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: populate-complete-%s
 * Description: After mmap() with DRM_FERRY_MMAP_POPULATE all pages of the mapping have entries, and no others
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_populate_complete(int fd, const struct igt_ferry_kind *kind)
{
	static const struct {
		size_t first, pages, entries;
	} parts[] = {
		{ 0, 1099, 2 + 75 }, { 512, 512, 1 },	      { 100, 700, 700 },
		{ 1098, 1, 1 },	     { 511, 514, 1 + 1 + 1 },
	};
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	void *map;

	igt_ferry_bo_init_huge(&bo, fd, 1099, kind);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t size = parts[i].pages * PAGE;

		igt_ferry_count_start(fd, &count);
		map = mmap(NULL, size, RW, MAP_SHARED, fd,
			   ferry_bo_mmap_offset_populate(fd, bo.handle) +
				   parts[i].first * PAGE);
		igt_assert(map != MAP_FAILED);
		igt_ferry_count_since(fd, &count);
		igt_info("pages %zu to %zu: %" PRIu64 " entries\n",
			 parts[i].first, parts[i].first + parts[i].pages,
			 count.audit.entries);
		igt_assert_eq_u64(count.audit.pages, parts[i].pages);
		igt_assert_eq_u64(count.faults.pages, parts[i].pages);
		igt_assert_eq_u64(count.audit.entries, parts[i].entries);

		igt_ferry_faults_start(fd, &count.faults);
		igt_ferry_check(map, parts[i].first, parts[i].pages, bo.id,
				bo.gen);
		igt_ferry_fill(map, parts[i].first, parts[i].pages, bo.id,
			       bo.gen);
		igt_ferry_faults_since(fd, &count.faults);
		igt_assert_eq_u64(count.faults.faults, 0);
		igt_assert_eq(munmap(map, size), 0);
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: populate-not-resident
 * Description: DRM_FERRY_MMAP_POPULATE allocates no pages for a BO that has none
 */
static void test_populate_not_resident(int fd)
{
	uint32_t handle = ferry_bo_create(fd, 2 * HUGE, SYSTEM, 0,
					  DRM_FERRY_CACHING_CACHED, 0);
	struct drm_ferry_bo_query query;
	struct igt_ferry_count count;
	void *map;

	igt_ferry_require_huge(fd);
	igt_ferry_count_start(fd, &count);
	map = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd,
		   ferry_bo_mmap_offset_populate(fd, handle));
	igt_assert(map != MAP_FAILED);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 1);
	igt_assert_eq_u64(count.audit.entries, 0);
	igt_assert_eq_u64(count.faults.faults, 0);
	ferry_bo_query(fd, handle, &query);
	igt_assert_eq_u64(query.huge_size, 0);

	igt_ferry_check_zero(map, 2 * HUGE);
	ferry_bo_query(fd, handle, &query);
	igt_assert_lt_u64(0, query.huge_size);
	munmap(map, 2 * HUGE);
	gem_close(fd, handle);
}

/**
 * SUBTEST: moved-%s
 * Description: A move zaps all mappings, and the next access inserts PMDs for the new placement
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_moved(int fd, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_bo_query query;
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	void *populated;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	populated = mmap(NULL, bo.size, RW, MAP_SHARED, fd,
			 ferry_bo_mmap_offset_populate(fd, bo.handle));
	igt_assert(populated != MAP_FAILED);
	for (int round = 0; round < 6; round++) {
		igt_ferry_access(bo.map, bo.size);
		igt_ferry_access(populated, bo.size);
		igt_ferry_count_start(fd, &count);
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
		igt_ferry_count_since(fd, &count);
		igt_assert_eq_u64(count.faults.faults, 0);
		igt_assert_eq_u64(-count.audit.entries, 4);

		ferry_bo_query(fd, bo.handle, &query);
		igt_ferry_count_start(fd, &count);
		igt_ferry_bo_check(&bo);
		igt_ferry_check(populated, 0, bo.size / PAGE, bo.id, bo.gen);
		igt_ferry_count_since(fd, &count);
		igt_assert_eq_u64(query.huge_size, bo.size);
		igt_assert_eq_u64(count.faults.faults, 4);
		igt_assert_eq_u64(count.faults.huge, 4);
		igt_assert_eq_u64(count.audit.pages, 4 * HUGE_PAGES);
		igt_ferry_bo_fill(&bo);
	}
	igt_assert_eq(munmap(populated, bo.size), 0);
	igt_ferry_bo_fini(&bo);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/**
 * SUBTEST: writable-at-once-%s
 * Description: A write after a read takes no second fault, with PMDs and with PTEs
 *
 * KVM, for example, looks up the entry that a read access has inserted, to map the page
 * for a guest. It cannot use an entry that becomes writable by a second fault only.
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_writable_at_once(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = HUGE_PAGES + 60;
	struct igt_ferry_faults faults;
	volatile char *map;
	struct igt_ferry_bo bo;
	long minor;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		map = bo.map;
		for (size_t page = 0; page < pages; page++)
			(void)map[page * PAGE];
		igt_ferry_faults_start(fd, &faults);
		/* in the second round, code and stack take no faults of their own */
		minor = minor_faults();
		for (size_t page = 0; page < pages; page++)
			map[page * PAGE + 9] = 3;
		minor = minor_faults() - minor;
		igt_ferry_faults_since(fd, &faults);
		igt_assert_eq_u64(faults.faults, 0);
		if (i)
			igt_assert_eq(minor, 0);
	}
	igt_ferry_bo_fini(&bo);
}

struct protect_loop {
	void *map;
	size_t size;
	volatile bool begun;
	volatile bool stop;
	uint64_t slowest;
};

/* Change the protection of the mapping, which takes mmap_lock and the lock of the VMA. */
static void *protect_thread(void *arg)
{
	struct protect_loop *loop = arg;
	struct timespec start;
	uint64_t ns;

	while (!loop->stop) {
		memset(&start, 0, sizeof(start));
		igt_nsec_elapsed(&start);
		mprotect(loop->map, loop->size, PROT_READ);
		mprotect(loop->map, loop->size, RW);
		ns = igt_nsec_elapsed(&start);
		if (ns > loop->slowest)
			loop->slowest = ns;
		loop->begun = true;
		usleep(1000);
	}
	return NULL;
}

/**
 * SUBTEST: populate-unlocked
 * Description: The fault that allocates the pages of a large BO does not block mprotect() of other threads, and counts once
 */
static void test_populate_unlocked(int fd)
{
	static const struct igt_ferry_kind *kind = &igt_ferry_movable_kinds[0];
	const size_t size = 400 << 20;
	struct timespec start = {};
	struct protect_loop loop = {};
	struct igt_ferry_count count;
	struct igt_ferry_bo bo;
	pthread_t thread;
	uint64_t ns;

	igt_ferry_bo_init(&bo, fd, size, kind);
	loop.map = bo.map;
	loop.size = size;
	igt_assert_eq(pthread_create(&thread, NULL, protect_thread, &loop), 0);
	while (!loop.begun)
		usleep(1000);
	loop.slowest = 0;
	igt_ferry_count_start(fd, &count);
	igt_nsec_elapsed(&start);
	igt_ferry_access(bo.map, PAGE);
	ns = igt_nsec_elapsed(&start);
	igt_ferry_count_since(fd, &count);
	loop.stop = true;
	pthread_join(thread, NULL);
	igt_info("the access took %.1f ms, the slowest mprotect() %.1f ms\n",
		 ns / 1e6, loop.slowest / 1e6);
	igt_assert_eq_u64(count.faults.faults, 1);
	igt_assert_lt_u64(loop.slowest, ns / 2);
	igt_ferry_bo_fini(&bo);
}

static const struct igt_ferry_test tests[] = {
	{ "huge", "One fault maps each 2 MiB of a BO with one PMD",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_huge },
	{ "misaligned",
	  "At an unaligned address, one fault maps the rest of each 2 MiB with PTEs",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_misaligned },
	{ "head-tail",
	  "A mapping that begins and ends within 2 MiB has a PMD in the middle",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_head_tail },
	{ "neighbours",
	  "Where the mappings of two BOs meet within 2 MiB, no entry maps pages beyond the end of its BO",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_neighbours },
	{ "beyond-the-end", "No system call maps pages beyond the end of a BO",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_beyond_the_end },
	{ "munmap", "Unmapping a part of a PMD leaves PTEs around the hole",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_munmap },
	{ "mprotect",
	  "A protection that is changed for a part of a PMD, or for all of it, is enforced",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_mprotect },
	{ "mremap", "mremap() moves PMDs to aligned and to unaligned addresses",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_mremap },
	{ "fork",
	  "A child gets PMDs of its own, and a move zaps the mappings of parent and child",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_fork },
	{ "populate-complete",
	  "After mmap() with DRM_FERRY_MMAP_POPULATE all pages of the mapping have entries, and no others",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_populate_complete },
	{ "populate-not-resident",
	  "DRM_FERRY_MMAP_POPULATE allocates no pages for a BO that has none",
	  test_populate_not_resident },
	{ "populate-unlocked",
	  "The fault that allocates the pages of a large BO does not block mprotect() of other threads, and counts once",
	  test_populate_unlocked },
	{ "moved",
	  "A move zaps all mappings, and the next access inserts PMDs for the new placement",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_moved },
	{ "writable-at-once",
	  "A write after a read takes no second fault, with PMDs and with PTEs",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_writable_at_once },
	{}
};

igt_ferry_main(tests)
