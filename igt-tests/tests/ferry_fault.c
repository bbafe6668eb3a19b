// SPDX-License-Identifier: MIT
/**
 * TEST: ferry fault
 * Category: Core
 * Description: Page table entries: how large they are, where they end, and that none is ever stale
 *
 * That a mapping shows the right bytes whatever is done to it is tested by
 * ferry_mmap and ferry_access. Here the entries themselves are counted, by the
 * driver's counters and by its audit, which walks the page tables.
 */
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_module.h"
#include "igt_ferry_trace.h"

IGT_TEST_DESCRIPTION(
	"Page table entries: how large they are, where they end, and that none is stale");

#define HUGE IGT_FERRY_HUGE
#define HUGE_PAGES (HUGE / PAGE)
#define RW (PROT_READ | PROT_WRITE)

/* Moves in each stress subtest; 10000 is the full count, too many for emulation */
static unsigned int stress_moves = 120;

#define STRESS_PROCESSES 4
#define STRESS_THREADS 2
#define STRESS_TOUCHERS (STRESS_PROCESSES * STRESS_THREADS)
#define RACERS 6
#define RACE_ROUNDS 150

/* What there is to count, before and since */
struct count {
	struct igt_ferry_faults faults;
	struct igt_ferry_audit audit;
};

static void count_start(int fd, struct count *count)
{
	igt_ferry_audit_clean(fd, &count->audit);
	igt_ferry_faults_start(fd, &count->faults);
}

/* Everything agrees, and this is what came since: of entries, what there is more. */
static void count_since(int fd, struct count *count)
{
	struct igt_ferry_audit now;

	igt_ferry_faults_since(fd, &count->faults);
	igt_ferry_audit_clean(fd, &now);
	count->audit.mappings = now.mappings - count->audit.mappings;
	count->audit.entries = now.entries - count->audit.entries;
	count->audit.pages = now.pages - count->audit.pages;
}

static void require_huge(int fd, uint64_t size)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	igt_require_f(query.page_sizes & size,
		      "no entries of %" PRIu64
		      " KiB: the aperture is too small, or PAT is off\n",
		      size >> 10);
}

/* A BO that huge entries can map but for its end; the page allocator gets a chance. */
static void init_huge(struct igt_ferry_bo *bo, int fd, size_t pages,
		      const struct igt_ferry_kind *kind)
{
	int compact = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);
	struct drm_ferry_bo_query query;

	require_huge(fd, HUGE);
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

static void *map_fixed(const struct igt_ferry_bo *bo, void *at, size_t first,
		       size_t pages)
{
	void *map =
		mmap(at, pages * PAGE, RW, MAP_SHARED | MAP_FIXED, bo->fd,
		     ferry_bo_mmap_offset(bo->fd, bo->handle) + first * PAGE);

	igt_assert_f(map == at, "mmap at %p: %s\n", at, strerror(errno));
	return map;
}

/* Addresses that nothing uses, @past bytes after a multiple of 2 MiB */
static char *reserve(size_t size, size_t past)
{
	char *space = mmap(NULL, size + 2 * HUGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	igt_assert(space != MAP_FAILED);
	return (char *)ALIGN((uintptr_t)space, HUGE) + past;
}

/**
 * SUBTEST: huge-%s
 * Description: each 2 MiB of a BO are mapped by one fault with one entry
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
	struct count count;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_assert_eq_u64((uintptr_t)bo.map % HUGE, 0);
	igt_ferry_touch(bo.map, bo.size);
	count_since(fd, &count);
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
 * Description: at an address that does not fit, one fault maps what is left of 2 MiB with small
 *		entries
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_misaligned(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	struct count count;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = map_fixed(&bo, reserve(bo.size, PAGE), 0, 2 * HUGE_PAGES);
	count_start(fd, &count);
	igt_ferry_touch(bo.map, bo.size);
	count_since(fd, &count);
	igt_assert_eq_u64(count.faults.faults, 3);
	igt_assert_eq_u64(count.faults.huge, 0);
	igt_assert_eq_u64(count.faults.pages, 2 * HUGE_PAGES);
	igt_assert_eq_u64(count.audit.entries, 2 * HUGE_PAGES);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);

	/* from the last page on: the same windows */
	igt_assert_eq(munmap(bo.map, bo.size), 0);
	map_fixed(&bo, bo.map, 0, 2 * HUGE_PAGES);
	igt_ferry_faults_start(fd, &count.faults);
	for (size_t page = 2 * HUGE_PAGES; page--;)
		igt_ferry_touch((char *)bo.map + page * PAGE, PAGE);
	igt_ferry_faults_since(fd, &count.faults);
	igt_assert_eq_u64(count.faults.faults, 3);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: head-tail-%s
 * Description: a mapping that begins and ends inside of 2 MiB has a huge entry in the middle
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_head_tail(int fd, const struct igt_ferry_kind *kind)
{
	const size_t first = 100, tail = 75, all = 2 * HUGE_PAGES + tail;
	struct igt_ferry_bo bo;
	struct count count;
	char *map;

	init_huge(&bo, fd, all, kind);
	count_start(fd, &count);
	map = mmap(NULL, bo.size - first * PAGE, RW, MAP_SHARED, fd,
		   ferry_bo_mmap_offset(fd, bo.handle) + first * PAGE);
	igt_assert(map != MAP_FAILED);
	/* the address was chosen for the huge entry in the middle */
	igt_assert_eq_u64((uintptr_t)map % HUGE, first * PAGE);
	igt_ferry_touch(map, bo.size - first * PAGE);
	count_since(fd, &count);
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
 * Description: two BOs meet inside of 2 MiB of addresses: no entry goes over the end of either
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_neighbours(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = HUGE_PAGES + 100;
	struct igt_ferry_bo a, b;
	struct count count;

	for (int round = 0; round < 2; round++) {
		init_huge(&a, fd, pages, kind);
		init_huge(&b, fd, pages, kind);
		a.map = map_fixed(&a, reserve(a.size + b.size, 0), 0, pages);
		b.map = map_fixed(&b, (char *)a.map + a.size, 0, pages);
		count_start(fd, &count);
		igt_ferry_touch((char *)a.map + a.size - PAGE,
				round ? PAGE : 2 * PAGE);
		igt_ferry_touch(a.map, a.size + b.size);
		count_since(fd, &count);
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
 * SUBTEST: munmap-%s
 * Description: a hole in a huge entry leaves small ones around it
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_munmap(int fd, const struct igt_ferry_kind *kind)
{
	const size_t hole = 700, end = 800, all = 2 * HUGE_PAGES;
	struct igt_ferry_bo bo;
	struct count count;
	char *map;

	init_huge(&bo, fd, all, kind);
	count_start(fd, &count);
	map = bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(map, bo.size);
	igt_assert_eq(munmap(map + hole * PAGE, (end - hole) * PAGE), 0);
	igt_ferry_check(map, 0, hole, bo.id, bo.gen);
	igt_ferry_check(map + end * PAGE, end, all - end, bo.id, bo.gen);
	igt_assert_eq(igt_ferry_read_signal(map + hole * PAGE), SIGSEGV);
	igt_assert_eq(igt_ferry_read_signal(map + end * PAGE - 1), SIGSEGV);
	count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 2);
	igt_assert_eq_u64(count.audit.entries, 1 + HUGE_PAGES - (end - hole));
	igt_assert_eq_u64(count.audit.pages, all - (end - hole));
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: mprotect-%s
 * Description: a part of a huge entry is protected, then all of it, and each protection holds
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mprotect(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	char *map;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	map = bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(map, bo.size);

	/* both entries as they are */
	igt_assert_eq(mprotect(map, bo.size, PROT_READ), 0);
	igt_assert_eq(igt_ferry_write_signal(map + HUGE, 1), SIGSEGV);
	igt_ferry_bo_check(&bo);
	igt_assert_eq(mprotect(map, bo.size, RW), 0);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	igt_ferry_audit_clean(fd, NULL);

	/* a hundred pages of the first one */
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
 * Description: a child gets huge entries of its own, and a move takes those of both away
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_fork(int fd, const struct igt_ferry_kind *kind)
{
	int ready[2], go[2];
	struct igt_ferry_bo bo;
	struct count count;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(bo.map, bo.size);
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
	count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 2);
	igt_assert_eq_u64(count.audit.entries, 4);
	igt_assert_eq_u64(count.audit.pages, 4 * HUGE_PAGES);

	count_start(fd, &count);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	count_since(fd, &count);
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
 * Description: huge entries are moved to addresses that fit and to such that do not
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_mremap(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t past[] = { 0, PAGE, 37 * PAGE, 0 };
	struct igt_ferry_bo bo;
	struct count count;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(bo.map, bo.size);
	for (unsigned int i = 0; i < ARRAY_SIZE(past); i++) {
		char *to = reserve(bo.size, past[i]);

		igt_assert(mremap(bo.map, bo.size, bo.size,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		igt_assert_eq(igt_ferry_read_signal(bo.map), SIGSEGV);
		bo.map = to;
		igt_ferry_audit_clean(fd, NULL);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fill(&bo);
		igt_ferry_audit_clean(fd, NULL);
	}
	count_since(fd, &count);
	igt_assert_eq_u64(count.audit.mappings, 1);
	igt_assert_eq_u64(count.audit.pages, 2 * HUGE_PAGES);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/* Reads it all; what it says is of no interest. */
static void read_through(const char *path, off_t from, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	size_t got = 0;
	ssize_t n;

	if (file < 0)
		return; /* not in this kernel */
	igt_assert_eq_u64(lseek(file, from, SEEK_SET), from);
	while (got < size && (n = read(file, buf, sizeof(buf))) > 0)
		got += n;
	igt_assert_f(got, "%s: %s\n", path, strerror(errno));
	close(file);
}

static long smaps_kib(const void *map, const char *field)
{
	char value[64];

	igt_ferry_smaps(map, field, value, sizeof(value));
	return strtol(value, NULL, 10);
}

/**
 * SUBTEST: proc-%s
 * Description: whoever walks page tables for /proc, madvise() and the like copes with huge entries
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_proc(int fd, const struct igt_ferry_kind *kind)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT,	MADV_COLD,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_FREE
	};
	unsigned char core[2 * HUGE_PAGES];
	struct igt_ferry_bo bo;
	struct count count;
	int clear;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(bo.map, bo.size);

	/* not one page of it is the process's own */
	igt_assert_eq(smaps_kib(bo.map, "Size"), bo.size >> 10);
	igt_assert_eq(smaps_kib(bo.map, "Rss"), 0);
	igt_assert_eq(smaps_kib(bo.map, "Swap"), 0);
	read_through("/proc/self/smaps_rollup", 0, SIZE_MAX);
	read_through("/proc/self/numa_maps", 0, SIZE_MAX);
	read_through("/proc/self/pagemap", (uintptr_t)bo.map / PAGE * 8,
		     bo.size / PAGE * 8);
	clear = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	igt_assert_fd(clear);
	for (const char *what = "134"; *what; what++)
		igt_assert_eq(write(clear, what, 1), 1);
	close(clear);
	mincore(bo.map, bo.size, core);
	for (unsigned int i = 0; i < ARRAY_SIZE(advice); i++)
		madvise(bo.map, bo.size, advice[i]);
	mlock(bo.map, bo.size);
	munlock(bo.map, bo.size);
	msync(bo.map, bo.size, MS_SYNC);

	count_since(fd, &count);
	igt_assert_eq_u64(count.audit.entries, 2);
	igt_assert_eq_u64(count.faults.faults, 2);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: access-%s
 * Description: a debugger and /proc/PID/mem go through a huge entry and leave it as it is
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_access(int fd, const struct igt_ferry_kind *kind)
{
	const size_t across = HUGE - 1000;
	struct igt_ferry_bo bo;
	struct count count;
	char text[2000], path[64];
	int mem, status;
	pid_t pid;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(bo.map, bo.size);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid) {
		igt_ferry_touch(bo.map, bo.size);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSTOPPED(status));
	count_start(fd, &count);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(mem);
	igt_assert_eq(pread(mem, text, sizeof(text),
			    (uintptr_t)bo.map + across),
		      (int)sizeof(text));
	igt_assert(!memcmp(text, (char *)bo.map + across, sizeof(text)));
	memset(text, 0x3d, sizeof(text));
	igt_assert_eq(pwrite(mem, text, sizeof(text),
			     (uintptr_t)bo.map + across),
		      (int)sizeof(text));
	igt_assert(!memcmp(text, (char *)bo.map + across, sizeof(text)));
	igt_assert_eq(ptrace(PTRACE_POKEDATA, pid, (char *)bo.map + HUGE + 8,
			     0x7ull),
		      0);
	igt_assert_eq_u64(*(uint64_t *)((char *)bo.map + HUGE + 8), 7);
	close(mem);
	count_since(fd, &count);
	igt_assert_eq_u64(count.faults.faults, 0);
	igt_assert_eq_u64(count.audit.entries, 0);
	igt_assert_eq(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_ferry_bo_fini(&bo);
}

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"

static char core_pattern[256];

static void restore_core_pattern(int sig)
{
	int file = open(CORE_PATTERN, O_WRONLY | O_CLOEXEC);

	(void)sig;
	if (file < 0)
		return;
	if (core_pattern[0] &&
	    write(file, core_pattern, strlen(core_pattern)) > 0)
		core_pattern[0] = '\0';
	close(file);
}

/* Dies with contents of its own in one page, and the BO's in the BO. */
static void dump_core(const struct igt_ferry_bo *bo, uint32_t own_id)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	void *own = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	setrlimit(RLIMIT_CORE, &limit);
	/* everything that may be dumped */
	igt_ferry_must_write_file("/proc/self/coredump_filter", "0x1ff");
	signal(SIGABRT, SIG_DFL);
	igt_ferry_fill(own, 3, 1, own_id, bo->gen);
	igt_ferry_fill(bo->map, 0, bo->size / PAGE, bo->id, bo->gen);
	abort();
}

/*
 * Eight words in a row, as igt_ferry_fill() writes them, of any page: fewer may be
 * in the registers, which are in the file as well.
 */
static bool file_has(const char *path, uint32_t id, uint32_t gen)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t mark = id << 16 | gen;
	unsigned int run = 0;
	const uint64_t *all;
	struct stat st;
	size_t i;

	igt_assert_f(file >= 0, "no core file %s: %s\n", path, strerror(errno));
	igt_assert_eq(fstat(file, &st), 0);
	igt_assert(st.st_size);
	all = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	igt_assert(all != MAP_FAILED);
	for (i = 1; run < 8 && i < st.st_size / sizeof(*all); i++)
		run = all[i] >> 32 == mark && all[i] == all[i - 1] + 1 ?
			      run + 1 :
			      0;
	munmap((void *)all, st.st_size);
	close(file);
	return run == 8;
}

/* Bytes that the core file has of the mapping, be they zero */
static uint64_t dumped_bytes(const char *path, const struct igt_ferry_bo *bo)
{
	uintptr_t start = (uintptr_t)bo->map;
	FILE *file = fopen(path, "r");
	uint64_t bytes = 0;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;

	igt_assert(file);
	igt_assert_eq(fread(&ehdr, sizeof(ehdr), 1, file), 1);
	igt_assert_eq(fseek(file, ehdr.e_phoff, SEEK_SET), 0);
	for (int i = 0; i < ehdr.e_phnum; i++) {
		igt_assert_eq(fread(&phdr, sizeof(phdr), 1, file), 1);
		if (phdr.p_type == PT_LOAD && phdr.p_vaddr >= start &&
		    phdr.p_vaddr < start + bo->size)
			bytes += phdr.p_filesz;
	}
	fclose(file);
	return bytes;
}

/**
 * SUBTEST: core-dump-%s
 * Description: a core file has the memory of the process, and nothing of a BO
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_core_dump(int fd, const struct igt_ferry_kind *kind)
{
	FILE *file = fopen(CORE_PATTERN, "r");
	const char *path = "/tmp/ferry-core";
	struct igt_ferry_bo bo;
	int status;
	pid_t pid;

	igt_assert(file);
	igt_assert(fgets(core_pattern, sizeof(core_pattern), file));
	fclose(file);
	igt_install_exit_handler(restore_core_pattern);
	igt_ferry_must_write_file(CORE_PATTERN, path);
	igt_ferry_must_write_file("/proc/sys/kernel/core_uses_pid", "0");

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	unlink(path);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid)
		dump_core(&bo, bo.id + 1);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status));
	igt_assert_f(WCOREDUMP(status), "no core was dumped\n");
	igt_assert_f(file_has(path, bo.id + 1, bo.gen),
		     "the process's own memory is not in the core file\n");
	igt_assert_f(!file_has(path, bo.id, bo.gen),
		     "the BO's contents are in the core file\n");
	igt_assert_eq_u64(dumped_bytes(path, &bo), 0);
	unlink(path);
	restore_core_pattern(0);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: populate-complete-%s
 * Description: when mmap() returns every page of a populated mapping has its entry, and no other page
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
	struct count count;
	void *map;

	init_huge(&bo, fd, 1099, kind);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t size = parts[i].pages * PAGE;

		count_start(fd, &count);
		map = mmap(NULL, size, RW, MAP_SHARED, fd,
			   ferry_bo_mmap_offset_populate(fd, bo.handle) +
				   parts[i].first * PAGE);
		igt_assert(map != MAP_FAILED);
		count_since(fd, &count);
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
 * Description: a populated mapping of a BO that has no pages gives it none
 */
static void test_populate_not_resident(int fd)
{
	uint32_t handle = ferry_bo_create(fd, 2 * HUGE, SYSTEM, 0,
					  DRM_FERRY_CACHING_CACHED, 0);
	struct drm_ferry_bo_query query;
	struct count count;
	void *map;

	require_huge(fd, HUGE);
	count_start(fd, &count);
	map = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd,
		   ferry_bo_mmap_offset_populate(fd, handle));
	igt_assert(map != MAP_FAILED);
	count_since(fd, &count);
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

struct snatcher {
	char *map;
	size_t size;
	volatile bool stop;
	volatile unsigned long rounds;
};

/* Takes the addresses away for memory of its own, which must stay that. */
static void *snatch_thread(void *arg)
{
	struct snatcher *s = arg;

	while (!s->stop) {
		char *own = mmap(s->map, s->size, RW,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				 0);

		igt_assert(own == s->map);
		s->rounds++;
		sched_yield();
		if (!(s->rounds & 3))
			munmap(s->map + s->size / 4, s->size / 2);
	}
	return NULL;
}

/**
 * SUBTEST: populate-unmap-%s
 * Description: another thread unmaps, and maps other memory, while a populated mapping is made
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_populate_unmap(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = 2 * HUGE_PAGES;
	struct igt_ferry_bo bo;
	struct snatcher s = {};
	unsigned long rounds = 0;
	pthread_t thread;
	uint64_t offset;
	char *own;

	init_huge(&bo, fd, pages, kind);
	offset = ferry_bo_mmap_offset_populate(fd, bo.handle);
	s.size = bo.size;
	s.map = reserve(bo.size, 0);
	igt_assert_eq(pthread_create(&thread, NULL, snatch_thread, &s), 0);
	/* a busy machine may start the thread late: then it races in the rounds after */
	for (int i = 0; i < RACE_ROUNDS || !s.rounds; i++) {
		igt_assert(mmap(s.map, bo.size, RW, MAP_SHARED | MAP_FIXED, fd,
				offset) == s.map);
		rounds++;
		sched_yield();
	}
	igt_ferry_audit_clean(fd, NULL);
	s.stop = true;
	pthread_join(thread, NULL);
	igt_info("%lu mappings, taken away %lu times\n", rounds, s.rounds);

	own = mmap(s.map, s.size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0);
	igt_assert(own == s.map);
	igt_ferry_check_zero(own, s.size);
	munmap(own, s.size);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_bo_check(&bo);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: moved-%s
 * Description: a move leaves no entry, and the next touch brings huge ones back at the new place
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_moved(int fd, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_bo_query query;
	struct igt_ferry_bo bo;
	struct count count;
	void *populated;

	init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	populated = mmap(NULL, bo.size, RW, MAP_SHARED, fd,
			 ferry_bo_mmap_offset_populate(fd, bo.handle));
	igt_assert(populated != MAP_FAILED);
	for (int round = 0; round < 6; round++) {
		igt_ferry_touch(bo.map, bo.size);
		igt_ferry_touch(populated, bo.size);
		count_start(fd, &count);
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
		count_since(fd, &count);
		igt_assert_eq_u64(count.faults.faults, 0);
		igt_assert_eq_u64(-count.audit.entries, 4);

		ferry_bo_query(fd, bo.handle, &query);
		count_start(fd, &count);
		igt_ferry_bo_check(&bo);
		igt_ferry_check(populated, 0, bo.size / PAGE, bo.id, bo.gen);
		count_since(fd, &count);
		igt_assert_eq_u64(query.huge_size, bo.size);
		igt_assert_eq_u64(count.faults.faults, 4);
		igt_assert_eq_u64(count.faults.huge, 4);
		igt_assert_eq_u64(count.audit.pages, 4 * HUGE_PAGES);
		igt_ferry_bo_fill(&bo);
	}
	igt_assert_eq(munmap(populated, bo.size), 0);
	igt_ferry_bo_fini(&bo);
}

/* Shared by the processes of a stress test */
struct stress {
	volatile bool stop;
	volatile unsigned long rounds[STRESS_TOUCHERS];
};

struct stress_thread {
	struct igt_ferry_bo *bo;
	struct stress *shared;
	unsigned int number;
};

/*
 * Of 16 pages in a row each toucher writes one, with a new generation each time,
 * and checks that its last one is still there; and reads one that stays as it was.
 */
static void *stress_thread(void *arg)
{
	struct stress_thread *t = arg;
	size_t pages = t->bo->size / PAGE;
	uint32_t gen = t->bo->gen, next;

	while (!t->shared->stop) {
		/* words have 16 bits for it */
		next = gen < 0xffff ? gen + 1 : 1;
		for (size_t base = 0; base + 16 <= pages; base += 16) {
			size_t own = base + t->number;
			size_t still = base + STRESS_TOUCHERS +
				       (t->number + gen) % STRESS_TOUCHERS;
			char *p = (char *)t->bo->map + own * PAGE;

			igt_ferry_check(p, own, 1, t->bo->id, gen);
			igt_ferry_fill(p, own, 1, t->bo->id, next);
			igt_ferry_check((char *)t->bo->map + still * PAGE,
					still, 1, t->bo->id, t->bo->gen);
		}
		gen = next;
		t->shared->rounds[t->number]++;
	}
	for (size_t base = 0; base + 16 <= pages; base += 16) {
		size_t own = base + t->number;

		igt_ferry_check((char *)t->bo->map + own * PAGE, own, 1,
				t->bo->id, gen);
	}
	return t; /* not reached by a thread that has failed */
}

static void stress_process(struct igt_ferry_bo *bo, struct stress *shared,
			   unsigned int process)
{
	struct stress_thread threads[STRESS_THREADS];
	pthread_t ids[STRESS_THREADS];
	void *result;

	/* one with an address of its own, one where no huge entry fits */
	if (process == 1)
		bo->map = ferry_bo_mmap(bo->fd, bo->handle, bo->size);
	if (process == 2)
		bo->map = map_fixed(bo, reserve(bo->size, PAGE), 0,
				    bo->size / PAGE);
	for (unsigned int i = 0; i < STRESS_THREADS; i++) {
		threads[i] = (struct stress_thread){
			.bo = bo,
			.shared = shared,
			.number = process * STRESS_THREADS + i,
		};
		igt_assert_eq(pthread_create(&ids[i], NULL, stress_thread,
					     &threads[i]),
			      0);
	}
	for (unsigned int i = 0; i < STRESS_THREADS; i++) {
		pthread_join(ids[i], &result);
		igt_assert_f(result == &threads[i],
			     "toucher %u has seen a wrong byte\n",
			     threads[i].number);
	}
}

/**
 * SUBTEST: stress-%s
 * Description: 8 threads in 4 processes touch a BO while it migrates, and never see a wrong byte
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_stress(int fd, const struct igt_ferry_kind *kind)
{
	struct stress *shared = mmap(NULL, sizeof(*shared), RW,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const size_t pages = HUGE_PAGES + 48;
	struct igt_ferry_faults faults;
	struct timespec start = {}, wait = {};
	struct igt_ferry_bo bo;
	unsigned long rounds = 0;

	igt_assert(shared != MAP_FAILED);
	init_huge(&bo, fd, pages, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_faults_start(fd, &faults);
	igt_nsec_elapsed(&start);
	igt_fork(child, STRESS_PROCESSES)
	{
		stress_process(&bo, shared, child);
	}
	/* the touchers leave it little time otherwise */
	igt_assert(nice(-15) != -1 || !errno);
	for (unsigned int i = 0; i < stress_moves; i++) {
		ferry_bo_migrate(fd, bo.handle, i & 1 ? SYSTEM : APERTURE);
		if (i % (stress_moves / 8 + 1) == 0)
			igt_ferry_audit_clean(fd, NULL);
		/* let them come back to it, for a time that varies */
		if (i % 3)
			usleep(i % 7 * 1000);
	}
	/* a busy machine may start one of them late */
	igt_nsec_elapsed(&wait);
	for (unsigned int i = 0; i < STRESS_TOUCHERS; i++)
		while (!shared->rounds[i] && igt_seconds_elapsed(&wait) < 60)
			usleep(1000);
	shared->stop = true;
	igt_waitchildren_timeout(120, "touchers of a BO that migrates");
	nice(15);
	igt_ferry_faults_since(fd, &faults);
	for (unsigned int i = 0; i < STRESS_TOUCHERS; i++) {
		rounds += shared->rounds[i];
		igt_assert_f(shared->rounds[i], "toucher %u never came round\n",
			     i);
	}
	igt_info("%u moves, %lu rounds, %" PRIu64 " faults (%" PRIu64
		 " huge), %u s\n",
		 stress_moves, rounds, faults.faults, faults.huge,
		 igt_seconds_elapsed(&start));
	igt_assert_lt_u64(stress_moves, faults.faults);
	igt_assert_lt_u64(0, faults.huge);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
	munmap(shared, sizeof(*shared));
	errno = 0;
}

struct racer {
	const struct igt_ferry_bo *bo;
	pthread_barrier_t *barrier;
	volatile bool *stop;
	size_t page;
};

static void *race_thread(void *arg)
{
	struct racer *r = arg;
	char *p = (char *)r->bo->map + r->page * PAGE;

	for (;;) {
		pthread_barrier_wait(r->barrier);
		if (*r->stop)
			return NULL;
		igt_ferry_check(p, r->page, 1, r->bo->id, r->bo->gen);
		pthread_barrier_wait(r->barrier);
	}
}

/**
 * SUBTEST: first-touch-race-%s
 * Description: threads touch the same 2 MiB first, all at once, again and again, while the BO moves
 *
 * A thread that waited for the reservation finds a huge entry which another one
 * has made meanwhile: it must not try to put a small one there.
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_first_touch_race(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_faults faults;
	struct racer racers[RACERS];
	pthread_barrier_t barrier;
	pthread_t threads[RACERS];
	volatile bool stop = false;
	struct igt_ferry_bo bo;

	init_huge(&bo, fd, HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_assert_eq(pthread_barrier_init(&barrier, NULL, RACERS + 1), 0);
	igt_ferry_faults_start(fd, &faults);
	for (unsigned int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ &bo, &barrier, &stop,
					    i * (HUGE_PAGES / RACERS) };
		igt_assert_eq(pthread_create(&threads[i], NULL, race_thread,
					     &racers[i]),
			      0);
	}
	for (int round = 0; round < RACE_ROUNDS; round++) {
		uint32_t placement = round & 1 ? SYSTEM : APERTURE;

		/* every other time the move is still on when they begin, or yet to come */
		if (round & 1)
			ferry_bo_migrate(fd, bo.handle, placement);
		pthread_barrier_wait(&barrier);
		if (!(round & 1))
			ferry_bo_migrate(fd, bo.handle, placement);
		pthread_barrier_wait(&barrier);
	}
	stop = true;
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	igt_ferry_faults_since(fd, &faults);
	igt_info("%" PRIu64 " faults, %" PRIu64 " huge\n", faults.faults,
		 faults.huge);
	igt_assert_lte_u64(RACE_ROUNDS / 2, faults.huge);
	igt_ferry_bo_check(&bo);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
}

struct reader {
	const struct igt_ferry_bo *bo;
	volatile bool *stop;
	size_t first;
	volatile unsigned long rounds;
};

static void *read_thread(void *arg)
{
	struct reader *r = arg;

	while (!*r->stop) {
		for (size_t page = r->first; page < r->bo->size / PAGE;
		     page += 61)
			igt_ferry_check((char *)r->bo->map + page * PAGE, page,
					1, r->bo->id, r->bo->gen);
		r->rounds++;
	}
	return NULL;
}

/**
 * SUBTEST: table-race
 * Description: a BO goes between a place with huge entries and one without while it is touched and
 *		mapped again
 *
 * A fault that was told to make a huge entry finds a page table, which a fault
 * for small ones has put there meanwhile: it must leave it alone.
 */
static void test_table_race(int fd)
{
	struct reader readers[RACERS];
	struct drm_ferry_bo_query query;
	struct igt_ferry_faults faults;
	pthread_t threads[RACERS];
	volatile bool stop = false;
	struct igt_ferry_bo bo;
	uint64_t piece = ALIGN(igt_ferry_aperture_free(fd) / 64, PAGE);
	uint32_t *handles;
	unsigned int count;

	igt_require_f(piece <= HUGE / 2 && piece * 64 >= 3 * HUGE,
		      "an aperture of %" PRIu64
		      " MiB is not broken up in 64 pieces\n",
		      piece * 64 >> 20);
	init_huge(&bo, fd, HUGE_PAGES, igt_ferry_movable_kinds);
	bo.map = reserve(bo.size, 0);
	map_fixed(&bo, bo.map, 0, HUGE_PAGES);

	count = igt_ferry_aperture_fill(fd, piece, &handles);
	for (unsigned int i = 0; i < count; i += 2)
		gem_close(fd, handles[i]);

	/* a fault that maps nothing comes back for ever */
	alarm(60);
	igt_ferry_faults_start(fd, &faults);
	for (unsigned int i = 0; i < RACERS; i++) {
		readers[i] = (struct reader){ &bo, &stop, 10 * i, 0 };
		igt_assert_eq(pthread_create(&threads[i], NULL, read_thread,
					     &readers[i]),
			      0);
	}
	for (int round = 0; round < RACE_ROUNDS; round++) {
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
		if (round == 0) {
			ferry_bo_query(fd, bo.handle, &query);
			igt_assert_eq_u64(query.huge_size, 0);
		}
		/* the page table stays, for a huge entry to run into, until this */
		if (round % 4 > 1)
			map_fixed(&bo, bo.map, 0, HUGE_PAGES);
		if (round % 50 == 25)
			igt_ferry_audit_clean(fd, NULL);
	}
	/* a busy machine may start one late; the alarm ends this if it never comes */
	for (unsigned int i = 0; i < RACERS; i++)
		while (!readers[i].rounds)
			sched_yield();
	stop = true;
	for (unsigned int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	alarm(0);
	igt_ferry_faults_since(fd, &faults);
	igt_info("%" PRIu64 " faults, %" PRIu64 " huge\n", faults.faults,
		 faults.huge);
	igt_assert_lt_u64(0, faults.huge);
	igt_assert_lt_u64(faults.huge, faults.faults);
	igt_ferry_bo_check(&bo);
	igt_ferry_audit_clean(fd, NULL);
	for (unsigned int i = 1; i < count; i += 2)
		gem_close(fd, handles[i]);
	free(handles);
	igt_ferry_bo_fini(&bo);
}

static volatile unsigned long signals_seen;

static void count_signal(int sig)
{
	(void)sig;
	signals_seen++;
}

/**
 * SUBTEST: signals-%s
 * Description: signals that arrive during faults are handled, and every touch completes
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_signals(int fd, const struct igt_ferry_kind *kind)
{
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } }, off = {};
	struct sigaction sa = { .sa_handler = count_signal }, old;
	unsigned int rounds = 0;
	struct timespec start = {};
	struct igt_ferry_bo bo;

	sigaction(SIGALRM, &sa, &old);
	igt_fork(child, 1)
	{
		/* somebody else whom the faults have to wait for */
		igt_ferry_bo_init(&bo, fd, 600 * PAGE, kind);
		for (int i = 0; i < 40; i++)
			ferry_bo_migrate(fd, bo.handle,
					 i & 1 ? SYSTEM : APERTURE);
	}
	signals_seen = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	while (igt_seconds_elapsed(&start) < 2) {
		igt_ferry_bo_init(&bo, fd, 600 * PAGE, kind);
		igt_ferry_check_zero(bo.map, bo.size);
		igt_ferry_bo_fill(&bo);
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
		rounds++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	igt_waitchildren();
	sigaction(SIGALRM, &old, NULL);
	igt_info("%lu signals in %u rounds\n", signals_seen, rounds);
	igt_assert(signals_seen > 20);
}

/*
 * What the handlers return, from the kernel's own mouth: tracing, in an instance
 * of this test's own.
 *
 * VM_FAULT_NOPAGE and VM_FAULT_FALLBACK: code-fallback. VM_FAULT_RETRY:
 * code-retry. VM_FAULT_OOM: code-oom, on a kernel that can be told to run out of
 * memory; on others a program that drove it there would be killed first.
 *
 * VM_FAULT_SIGBUS has three causes. A fault outside of the BO: code-sigbus. mmap() refuses
 * what is not inside, and no mapping grows (beyond-the-end tries all ways), so the test
 * has its module shift the mapping. A BO that was purged: code-sigbus-purged. Contents that
 * cannot be read back from swap: code-sigbus-swap, with a disk that fails.
 */
/**
 * SUBTEST: code-fallback
 * Description: the tracepoints tell of a huge entry that is made, and of one that is not possible
 */
static void test_code_fallback(int fd)
{
	char offset[64];
	struct igt_ferry_bo bo;

	init_huge(&bo, fd, HUGE_PAGES, igt_ferry_movable_kinds);
	snprintf(offset, sizeof(offset), "bo=0x%" PRIx64 " ",
		 ferry_bo_mmap_offset(fd, bo.handle));

	igt_ferry_trace_begin("ferry");
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(bo.map, bo.size);
	igt_assert_eq(igt_ferry_trace_count("ferry_fault: ", offset), 1);
	igt_assert_eq(igt_ferry_trace_count(
			      offset, "page=0 order=9 placement=system memtype=5 "
				      "result=nopage"),
		      1);
	igt_assert_eq(igt_ferry_trace_count("ferry_insert: ",
					    "pages=512 order=9"),
		      1);
	igt_assert_eq(munmap(bo.map, bo.size), 0);

	igt_ferry_trace_clear();
	bo.map = map_fixed(&bo, reserve(bo.size, PAGE), 0, HUGE_PAGES);
	igt_ferry_touch(bo.map, PAGE);
	/* under the VMA's own lock, and once more under mmap_lock */
	igt_assert_lt(0, igt_ferry_trace_count(
				 offset, "order=9 placement=system memtype=5 "
					 "result=fallback"));
	igt_assert_eq(igt_ferry_trace_count(offset,
					    "order=0 placement=system memtype=5 "
					    "result=nopage"),
		      1);
	igt_assert_eq(igt_ferry_trace_count("ferry_insert: ",
					    "pages=511 order=0"),
		      1);

	igt_ferry_trace_clear();
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_touch(bo.map, PAGE);
	igt_assert_eq(
		igt_ferry_trace_count(offset, "order=0 placement=aperture"), 1);
	igt_ferry_trace_end();
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: code-retry
 * Description: a fault that meets a move drops its lock and is repeated
 */
static void test_code_retry(int fd)
{
	struct reader reader = {};
	struct timespec start = {};
	volatile bool stop = false;
	struct igt_ferry_bo bo;
	unsigned int retries;
	pthread_t thread;

	igt_ferry_trace_begin_probe("r", "ttm_bo_vm_reserve ret=$retval:x32");
	igt_ferry_bo_init(&bo, fd, 600 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	reader = (struct reader){ &bo, &stop, 0, 0 };
	igt_assert_eq(pthread_create(&thread, NULL, read_thread, &reader), 0);
	do {
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		ferry_bo_migrate(fd, bo.handle, SYSTEM);
		retries = igt_ferry_trace_count("probe: ", "ret=0x400");
	} while (!retries && igt_seconds_elapsed(&start) < 10);
	stop = true;
	pthread_join(thread, NULL);
	igt_ferry_trace_end();
	igt_info("%u retries\n", retries);
	igt_assert_f(retries, "no fault has met a move in 10 s\n");
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

#define FAIL_DIR "/sys/kernel/debug/fail_page_alloc/"

static void stop_failing(int sig)
{
	int file = open(FAIL_DIR "probability", O_WRONLY | O_CLOEXEC);

	(void)sig;
	if (file < 0)
		return;
	if (write(file, "0", 1) < 0)
		errno = 0;
	close(file);
}

/*
 * Faults for which ferry had no memory, when a process touched @p until it was ended.
 * One in @interval of its allocations fails.
 */
static uint64_t touch_without_memory(int fd, const void *p,
				     const char *interval)
{
	uint64_t oom = igt_ferry_stat(fd, "faults_oom");
	int status;
	pid_t pid;

	/* meant for the child alone, which is ready for it before it says so */
	igt_ferry_must_write_file(FAIL_DIR "task-filter", "Y");
	igt_ferry_must_write_file(FAIL_DIR "ignore-gfp-wait", "N");
	igt_ferry_must_write_file(FAIL_DIR "ignore-gfp-highmem", "N");
	igt_ferry_must_write_file(FAIL_DIR "min-order", "0");
	igt_ferry_must_write_file(FAIL_DIR "verbose", "0");
	igt_ferry_must_write_file(FAIL_DIR "times", "-1");
	igt_ferry_must_write_file(FAIL_DIR "interval", interval);
	igt_ferry_must_write_file(FAIL_DIR "probability", "100");
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid) {
		int make = open("/proc/self/make-it-fail", O_WRONLY);
		struct rlimit none = {};

		/* the way out of "out of memory" in a loop */
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGALRM, SIG_DFL);
		alarm(2);
		/* what else it needs is at hand */
		igt_ferry_touch(&none, sizeof(none));
		if (make < 0 || write(make, "1", 1) != 1)
			_exit(2);
		igt_ferry_touch(p, PAGE);
		_exit(3);
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	stop_failing(0);
	igt_ferry_must_write_file(FAIL_DIR "task-filter", "N");
	igt_assert_f(!WIFEXITED(status), "the child exited with %d\n",
		     WEXITSTATUS(status));
	return igt_ferry_stat(fd, "faults_oom") - oom;
}

/**
 * SUBTEST: code-oom
 * Description: a fault that gets no memory says so, and the BO is whole when there is memory again
 *
 * The allocations of one process are made to fail, for the BO's pages and for the page
 * table that small entries are in; the kernel has its page allocator do that if it
 * was built for it.
 */
static void test_code_oom(int fd)
{
	static const struct {
		const char *name, *interval;
	} causes[] = {
		{ "pages", "1" },
		/* the kernel has one at hand before it asks ferry, who needs another */
		{ "a page table", "2" },
	};
	struct igt_ferry_bo bo;
	void *maps[2];
	uint64_t oom;

	igt_require_f(access(FAIL_DIR "probability", W_OK) == 0,
		      "the kernel has no CONFIG_FAIL_PAGE_ALLOC: run this with "
		      "the debug kernel\n");
	require_huge(fd, HUGE);
	igt_install_exit_handler(stop_failing);
	igt_ferry_bo_init(&bo, fd, 2 * HUGE, igt_ferry_fixed_kinds);
	maps[0] = bo.map;
	/* a huge entry needs none */
	maps[1] = map_fixed(&bo, reserve(bo.size, PAGE), 0, 2 * HUGE_PAGES);
	for (int i = 0; i < 2; i++) {
		oom = touch_without_memory(fd, maps[i], causes[i].interval);
		igt_info("%" PRIu64 " faults without memory for %s\n", oom,
			 causes[i].name);
		igt_assert_lt_u64(0, oom);
		/* with memory there is nothing wrong */
		if (i == 0) {
			igt_ferry_check_zero(bo.map, bo.size);
			igt_ferry_bo_fill(&bo);
		}
		igt_ferry_check(maps[i], 0, bo.size / PAGE, bo.id, bo.gen);
		igt_ferry_audit_clean(fd, NULL);
	}
	munmap(maps[1], bo.size);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: code-sigbus
 * Description: a fault outside of the BO is refused, with huge entries and without
 */
static void test_code_sigbus(int fd)
{
	static const struct {
		size_t pages, past;
		long shift;
	} parts[] = {
		/* just behind it, with a small entry and a huge one; and before it */
		{ 40, PAGE, 40 },
		{ 2 * HUGE_PAGES, 0, 2 * HUGE_PAGES },
		{ 40, PAGE, -40 },
		{ 2 * HUGE_PAGES, 0, -2 * (long)HUGE_PAGES },
	};
	struct igt_ferry_bo bo;
	struct count count;
	char options[128];
	char *map;

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		igt_ferry_bo_init(&bo, fd, parts[i].pages * PAGE,
				  igt_ferry_fixed_kinds);
		igt_ferry_bo_fill(&bo);
		map = map_fixed(&bo, reserve(bo.size, parts[i].past), 0,
				parts[i].pages);
		count_start(fd, &count);
		snprintf(options, sizeof(options),
			 "pid=%d address=%" PRIuPTR " shift=%ld", getpid(),
			 (uintptr_t)map, parts[i].shift);
		igt_ferry_break_load(options);
		igt_assert_eq(igt_ferry_read_signal(map), SIGBUS);
		igt_assert_eq(igt_ferry_write_signal(map + bo.size - 1, 1),
			      SIGBUS);
		igt_ferry_break_unload();
		count_since(fd, &count);
		igt_assert_eq_u64(count.audit.entries, 0);
		igt_assert_eq_u64(count.faults.pages, 0);

		igt_ferry_check(map, 0, parts[i].pages, bo.id, bo.gen);
		igt_ferry_audit_clean(fd, NULL);
		igt_assert_eq(munmap(map, bo.size), 0);
		igt_ferry_bo_fini(&bo);
	}
}

/**
 * SUBTEST: code-sigbus-purged
 * Description: a touch of a BO that was purged is refused, where there were small entries and huge ones
 */
static void test_code_sigbus_purged(int fd)
{
	static const size_t pages[] = { 40, 2 * HUGE_PAGES };
	struct igt_ferry_bo bo;
	struct count count;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		igt_ferry_bo_init(&bo, fd, pages[i] * PAGE,
				  igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo);
		igt_ferry_bo_purge(&bo);
		count_start(fd, &count);
		igt_assert_eq(igt_ferry_read_signal(bo.map), SIGBUS);
		igt_assert_eq(igt_ferry_write_signal(bo.map + bo.size - 1, 1),
			      SIGBUS);
		count_since(fd, &count);
		igt_assert_eq_u64(count.audit.entries, 0);
		igt_assert_eq_u64(count.faults.pages, 0);
		igt_ferry_bo_fini(&bo);
	}
}

#define NULLB "/sys/kernel/config/nullb"
#define DISK NULLB "/ferry_igt"
#define DISK_NODE "/dev/ferry_igt"
#define DISK_MIB "64"
#define GROUPS "/sys/fs/cgroup"
#define GROUP GROUPS "/ferry_igt"

/* Each step whether the one before was reached or not: this also runs after a failure. */
static void disk_end(int sig)
{
	(void)sig;
	igt_ferry_write_file(GROUPS "/cgroup.procs", "0");
	rmdir(GROUP);
	if (access(DISK, F_OK))
		return;
	igt_ferry_write_file(DISK "/badblocks", "-0-131071");
	swapoff(DISK_NODE);
	igt_ferry_write_file(DISK "/power", "0");
	rmdir(DISK);
}

/* Swap space on a disk of its own that can be made to fail */
static void disk_begin(void)
{
	/* built in, or a module that is there or not */
	if (access(NULLB, F_OK))
		mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	if (access(NULLB, F_OK))
		igt_kmod_load("null_blk", "nr_devices=0");
	igt_require_f(access(NULLB, F_OK) == 0,
		      NULLB ": there is no disk that fails: the kernel has no "
			    "null_blk, or no configfs\n");
	igt_install_exit_handler(disk_end);
	disk_end(0);
	igt_assert_f(mkdir(DISK, 0700) == 0, DISK ": %s\n", strerror(errno));
	igt_ferry_must_write_file(DISK "/memory_backed", "1");
	igt_ferry_must_write_file(DISK "/size", DISK_MIB);
	igt_ferry_must_write_file(DISK "/power", "1");
	igt_assert_f(!system("mkswap " DISK_NODE " > /dev/null"),
		     "there is no swap space on " DISK_NODE "\n");
	igt_assert_f(!swapon(DISK_NODE, SWAP_FLAG_PREFER | 1000),
		     DISK_NODE ": %s\n", strerror(errno));
}

/* The pages that this process makes others have belong to a group, and leave with it. */
static void group_begin(void)
{
	igt_require_f(
		!igt_ferry_write_file(GROUPS "/cgroup.subtree_control",
				      "+memory"),
		GROUPS
		": no groups for memory: the kernel has no CONFIG_MEMCG, or version 2 is not mounted there\n");
	igt_require_f(
		(mkdir(GROUP, 0700) == 0 || errno == EEXIST) &&
			!access(GROUP "/memory.reclaim", W_OK),
		"no " GROUP
		"/memory.reclaim: control groups of version 2 are not mounted at " GROUPS
		"\n");
	igt_ferry_must_write_file(GROUP "/cgroup.procs", "0");
}

static uint64_t swapped_bytes(void)
{
	FILE *file = fopen(GROUP "/memory.swap.current", "r");
	uint64_t bytes = 0;

	igt_assert(file && fscanf(file, "%" SCNu64, &bytes) == 1);
	fclose(file);
	return bytes;
}

/* One BO after the other goes to shmem, and from there to the disk. */
static void swap_out(const struct igt_ferry_bo *bo)
{
	struct timespec start = {};
	char line[32];
	int shrink;

	while (swapped_bytes() < bo->size && igt_seconds_elapsed(&start) < 20) {
		shrink = open("/sys/kernel/debug/ttm/tt_shrink", O_RDONLY);
		igt_require_f(shrink >= 0, "debugfs has no ttm/tt_shrink\n");
		igt_assert_lt(0, read(shrink, line, sizeof(line)));
		close(shrink);
		/* gives EAGAIN if there is less */
		igt_ferry_write_file(GROUP "/memory.reclaim", "64M");
	}
	igt_info("%" PRIu64 " KiB are on the disk\n", swapped_bytes() >> 10);
	igt_assert_lte_u64(bo->size, swapped_bytes());
}

/**
 * SUBTEST: code-sigbus-swap
 * Description: contents come back from swap, or the touch is refused if the disk fails
 */
static void test_code_sigbus_swap(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 pages = igt_ferry_stat(fd, "system_pages");
	struct igt_ferry_bo bo;
	struct count count;

	disk_begin();
	group_begin();
	/* it is this process that is to be safe from its own disk */
	igt_assert_eq(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	igt_ferry_bo_init(&bo, fd, 600 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	swap_out(&bo);
	igt_ferry_bo_check(&bo);

	swap_out(&bo);
	igt_ferry_must_write_file(DISK "/badblocks", "+0-131071");
	count_start(fd, &count);
	igt_assert_eq(igt_ferry_read_signal(bo.map), SIGBUS);
	igt_assert_eq(igt_ferry_write_signal(bo.map + bo.size - 1, 1), SIGBUS);
	igt_assert_eq(__ferry_bo_migrate(fd, bo.handle, APERTURE), -EIO);
	count_since(fd, &count);
	igt_assert_eq_u64(count.audit.entries, 0);
	igt_assert_eq_u64(count.faults.pages, 0);
	igt_ferry_bo_fini(&bo);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), pages);
	munlockall();
	disk_end(0);
	errno = 0;
}

/**
 * SUBTEST: beyond-the-end-%s
 * Description: no call gets a page into a mapping that is not the BO's
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_beyond_the_end(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = HUGE_PAGES + 3;
	uint64_t offset, flags[] = { 0, DRM_FERRY_MMAP_POPULATE };
	struct igt_ferry_bo bo;
	char *map, *end;

	init_huge(&bo, fd, pages, kind);
	map = bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_touch(map, bo.size);
	end = map + bo.size;
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		offset = flags[i] ?
				 ferry_bo_mmap_offset_populate(fd, bo.handle) :
				 ferry_bo_mmap_offset(fd, bo.handle);
		/* up to where a huge entry would end */
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

	/* an old call that gives a mapping another offset, or takes it away */
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

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct igt_ferry_kind *kind);
	const struct igt_ferry_kind *kinds;
} kind_tests[] = {
	{ "huge", "Each 2 MiB are mapped by one fault with one entry",
	  test_huge, igt_ferry_fixed_kinds },
	{ "misaligned", "One fault maps what is left of 2 MiB", test_misaligned,
	  igt_ferry_fixed_kinds },
	{ "head-tail", "A huge entry is in the middle of a mapping",
	  test_head_tail, igt_ferry_fixed_kinds },
	{ "neighbours", "No entry goes over the end of a BO", test_neighbours,
	  igt_ferry_fixed_kinds },
	{ "beyond-the-end", "No call gets a page that is not the BO's",
	  test_beyond_the_end, igt_ferry_fixed_kinds },
	{ "munmap", "A hole in a huge entry leaves small ones around it",
	  test_munmap, igt_ferry_fixed_kinds },
	{ "mprotect", "A part of a huge entry is protected", test_mprotect,
	  igt_ferry_fixed_kinds },
	{ "mremap", "Huge entries are moved to other addresses", test_mremap,
	  igt_ferry_fixed_kinds },
	{ "proc", "Whoever walks page tables copes with huge entries",
	  test_proc, igt_ferry_fixed_kinds },
	{ "access", "A debugger leaves a huge entry as it is", test_access,
	  igt_ferry_fixed_kinds },
	{ "core-dump", "A core file has nothing of a BO", test_core_dump,
	  igt_ferry_fixed_kinds },
	{ "populate-complete",
	  "Every page of a populated mapping has its entry",
	  test_populate_complete, igt_ferry_fixed_kinds },
	{ "populate-unmap",
	  "Another thread unmaps a mapping that is being populated",
	  test_populate_unmap, igt_ferry_fixed_kinds },
	{ "fork", "A child gets huge entries of its own", test_fork,
	  igt_ferry_movable_kinds },
	{ "moved", "Huge entries come back at the new place", test_moved,
	  igt_ferry_movable_kinds },
	{ "first-touch-race", "Threads touch the same 2 MiB first",
	  test_first_touch_race, igt_ferry_movable_kinds },
	{ "signals", "Signals arrive during faults", test_signals,
	  igt_ferry_movable_kinds },
	{ "stress", "8 threads in 4 processes touch a BO while it migrates",
	  test_stress, igt_ferry_movable_kinds },
};

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} tests[] = {
	{ "populate-not-resident", "A populated mapping gives a BO no pages",
	  test_populate_not_resident },
	{ "table-race", "A BO moves between huge and small entries",
	  test_table_race },
	{ "code-fallback", "The tracepoints tell of each entry",
	  test_code_fallback },
	{ "code-retry", "A fault that meets a move is repeated",
	  test_code_retry },
	{ "code-oom", "A fault that gets no memory says so", test_code_oom },
	{ "code-sigbus", "A fault outside of the BO is refused",
	  test_code_sigbus },
	{ "code-sigbus-purged", "A touch of a purged BO is refused",
	  test_code_sigbus_purged },
	{ "code-sigbus-swap",
	  "Contents come back from swap, or the touch is refused",
	  test_code_sigbus_swap },
};

static int take_option(int opt, int index, void *data)
{
	(void)index;
	(void)data;
	if (opt != 'm')
		return -2;
	stress_moves = strtoul(optarg, NULL, 0);
	return stress_moves ? 0 : -2;
}

static const struct option options[] = { { "moves", required_argument, NULL,
					   'm' },
					 { NULL, 0, NULL, 0 } };

igt_main_args(
	"m:", options,
	"  --moves N\tmoves in each stress subtest; 10000 for all of them\n",
	take_option, NULL)
{
	const struct igt_ferry_kind *kind;
	int fd = -1;

	igt_fixture
	{
		const char *moves = getenv("FERRY_MOVES");

		if (moves && strtoul(moves, NULL, 0))
			stress_moves = strtoul(moves, NULL, 0);
		fd = igt_ferry_open();
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(kind_tests); i++) {
		for (kind = kind_tests[i].kinds; kind->name; kind++) {
			igt_describe(kind_tests[i].describe);
			igt_subtest_f("%s-%s", kind_tests[i].name, kind->name)
			{
				kind_tests[i].run(igt_ferry_begin(fd), kind);
			}
		}
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			tests[i].run(igt_ferry_begin(fd));
		}
	}

	igt_fixture
	{
		close(fd);
	}
}
