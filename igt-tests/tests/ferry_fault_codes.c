// SPDX-License-Identifier: MIT
/**
 * TEST: ferry fault codes
 * Category: Core
 * Description: Return values of the fault handlers
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_fault.h"
#include "igt_ferry_module.h"
#include "igt_ferry_trace.h"

IGT_TEST_DESCRIPTION("Return values of the fault handlers");

/*
 * code-fallback has VM_FAULT_NOPAGE and VM_FAULT_FALLBACK, and code-retry VM_FAULT_RETRY. They
 * read the return values from trace events, in a tracing instance of their own.
 *
 * code-oom: VM_FAULT_OOM, on a kernel with fault injection in the page allocator. On other
 * kernels the OOM killer would end the test before a fault returns it.
 *
 * VM_FAULT_SIGBUS has three causes. code-sigbus: a fault outside of the BO. mmap() refuses a
 * range that is not within the BO, and no mapping grows (ferry_fault@beyond-the-end-*), so
 * that ferry_break has to shift the mapping. code-sigbus-purged: a purged BO.
 * code-sigbus-swap: contents that cannot be read back from swap, on a disk that fails.
 */

/**
 * SUBTEST: code-fallback
 * Description: The tracepoints record VM_FAULT_NOPAGE for a PMD, and VM_FAULT_FALLBACK where no PMD is possible
 */
static void test_code_fallback(int fd)
{
	char offset[64];
	struct igt_ferry_bo bo;

	igt_ferry_bo_init_huge(&bo, fd, HUGE_PAGES, igt_ferry_movable_kinds);
	snprintf(offset, sizeof(offset), "bo=0x%" PRIx64 " ",
		 ferry_bo_mmap_offset(fd, bo.handle));

	igt_ferry_trace_begin("ferry");
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(bo.map, bo.size);
	igt_assert_eq(igt_ferry_trace_count("ferry_fault: ", offset), 1);
	igt_assert_eq(igt_ferry_trace_count(
			      offset,
			      "page=0 order=9 placement=system memtype=5 "
			      "result=nopage"),
		      1);
	igt_assert_eq(igt_ferry_trace_count("ferry_insert: ",
					    "pages=512 order=9"),
		      1);
	igt_assert_eq(munmap(bo.map, bo.size), 0);

	igt_ferry_trace_clear();
	bo.map = igt_ferry_bo_map_fixed(&bo, igt_ferry_reserve(bo.size, PAGE),
					0, HUGE_PAGES);
	igt_ferry_access(bo.map, PAGE);
	/* the fault may come twice: with the lock of the VMA, and again with mmap_lock */
	igt_assert_lt(0, igt_ferry_trace_count(
				 offset, "order=9 placement=system memtype=5 "
					 "result=fallback"));
	igt_assert_eq(igt_ferry_trace_count(
			      offset, "order=0 placement=system memtype=5 "
				      "result=nopage"),
		      1);
	igt_assert_eq(igt_ferry_trace_count("ferry_insert: ",
					    "pages=511 order=0"),
		      1);

	igt_ferry_trace_clear();
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_access(bo.map, PAGE);
	igt_assert_eq(
		igt_ferry_trace_count(offset, "order=0 placement=aperture"), 1);
	igt_ferry_trace_end();
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: code-retry
 * Description: A fault during a move returns VM_FAULT_RETRY, and is repeated
 */
static void test_code_retry(int fd)
{
	struct igt_ferry_reader reader = {};
	struct timespec start = {};
	volatile bool stop = false;
	struct igt_ferry_bo bo;
	unsigned int retries;
	pthread_t thread;

	igt_ferry_trace_begin_probe("r", "ttm_bo_vm_reserve ret=$retval:x32");
	igt_ferry_bo_init(&bo, fd, 600 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	reader = (struct igt_ferry_reader){ &bo, &stop, 0, 0 };
	igt_assert_eq(pthread_create(&thread, NULL, igt_ferry_read_thread,
				     &reader),
		      0);
	do {
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		ferry_bo_migrate(fd, bo.handle, SYSTEM);
		retries = igt_ferry_trace_count("probe: ", "ret=0x400");
	} while (!retries && igt_seconds_elapsed(&start) < 10);
	stop = true;
	pthread_join(thread, NULL);
	igt_ferry_trace_end();
	igt_info("%u retries\n", retries);
	igt_assert_f(retries, "no fault has come during a move in 10 s\n");
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
 * Make the upper page tables for the 2 MiB at @p exist, without the table for its PTEs. The
 * tables for 1 GiB are shared, and @p has pages before it and after its BO that are reserved.
 */
static void create_upper_tables(char *p, size_t size)
{
	char *beside[] = { p - HUGE, p + size + HUGE };

	for (int i = 0; i < 2; i++) {
		if (mprotect(beside[i], PAGE, PROT_READ | PROT_WRITE))
			_exit(4);
		*(volatile char *)beside[i] = 1;
	}
}

/*
 * Access @p in a child, in which every @interval-th allocation fails, until SIGALRM ends it.
 * Return the number of faults that returned VM_FAULT_OOM.
 */
static uint64_t access_without_memory(int fd, char *p, size_t size,
				      const char *interval)
{
	uint64_t oom = igt_ferry_stat(fd, "faults_oom");
	int status;
	pid_t pid;

	/* allocations fail only in the child, from its write to make-it-fail on */
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

		/* a fault that returns VM_FAULT_OOM is repeated until SIGALRM ends the process */
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGALRM, SIG_DFL);
		alarm(2);
		/* fault in the page of the stack, which the rest needs */
		igt_ferry_access(&none, sizeof(none));
		/* else their allocation fails, before the kernel calls ferry */
		create_upper_tables(p, size);
		if (make < 0 || write(make, "1", 1) != 1)
			_exit(2);
		igt_ferry_access(p, PAGE);
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
 * Description: A fault without memory returns VM_FAULT_OOM, and the BO is intact when there is memory again
 *
 * The allocations of one process fail: those of the pages of the BO, and that of a page
 * table for PTEs. This needs a kernel with CONFIG_FAIL_PAGE_ALLOC.
 */
static void test_code_oom(int fd)
{
	static const struct {
		const char *name, *interval;
	} causes[] = {
		{ "pages", "1" },
		/* the kernel allocates one before it calls ferry, which needs a second one */
		{ "a page table", "2" },
	};
	struct igt_ferry_bo bo;
	char *around[2], *maps[2];
	uint64_t oom;

	igt_require_f(access(FAIL_DIR "probability", W_OK) == 0,
		      "the kernel has no CONFIG_FAIL_PAGE_ALLOC: run this with "
		      "the debug kernel\n");
	igt_ferry_require_huge(fd);
	igt_install_exit_handler(stop_failing);
	igt_ferry_bo_init(&bo, fd, 2 * HUGE, igt_ferry_single_kinds);
	/* the second is unaligned, as a PMD needs no page table */
	for (int i = 0; i < 2; i++) {
		around[i] = igt_ferry_reserve(bo.size + 4 * HUGE, i * PAGE);
		maps[i] = igt_ferry_bo_map_fixed(&bo, around[i] + 2 * HUGE, 0,
						 2 * HUGE_PAGES);
	}
	for (int i = 0; i < 2; i++) {
		oom = access_without_memory(fd, maps[i], bo.size,
					    causes[i].interval);
		igt_info("%" PRIu64 " faults without memory for %s\n", oom,
			 causes[i].name);
		igt_assert_lt_u64(0, oom);
		/* with memory, the accesses succeed */
		if (i == 0) {
			igt_ferry_check_zero(bo.map, bo.size);
			igt_ferry_bo_fill(&bo);
		}
		igt_ferry_check(maps[i], 0, bo.size / PAGE, bo.id, bo.gen);
		igt_ferry_audit_clean(fd, NULL);
	}
	for (int i = 0; i < 2; i++)
		munmap(around[i], bo.size + 4 * HUGE);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: code-sigbus
 * Description: A fault outside of the BO raises SIGBUS, for a PTE and for a PMD
 */
static void test_code_sigbus(int fd)
{
	static const struct {
		size_t pages, past;
		long shift;
	} parts[] = {
		/* pages just after the BO, for a PTE and for a PMD, and pages before it */
		{ 40, PAGE, 40 },
		{ 2 * HUGE_PAGES, 0, 2 * HUGE_PAGES },
		{ 40, PAGE, -40 },
		{ 2 * HUGE_PAGES, 0, -2 * (long)HUGE_PAGES },
	};
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	char options[128];
	char *map;

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		igt_ferry_bo_init(&bo, fd, parts[i].pages * PAGE,
				  igt_ferry_single_kinds);
		igt_ferry_bo_fill(&bo);
		map = igt_ferry_bo_map_fixed(
			&bo, igt_ferry_reserve(bo.size, parts[i].past), 0,
			parts[i].pages);
		igt_ferry_count_start(fd, &count);
		snprintf(options, sizeof(options),
			 "pid=%d address=%" PRIuPTR " shift=%ld", getpid(),
			 (uintptr_t)map, parts[i].shift);
		igt_ferry_break_load(options);
		igt_assert_eq(igt_ferry_read_signal(map), SIGBUS);
		igt_assert_eq(igt_ferry_write_signal(map + bo.size - 1, 1),
			      SIGBUS);
		igt_ferry_break_unload();
		igt_ferry_count_since(fd, &count);
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
 * Description: An access to a purged BO raises SIGBUS, in mappings that had PTEs and PMDs
 */
static void test_code_sigbus_purged(int fd)
{
	static const size_t pages[] = { 40, 2 * HUGE_PAGES };
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		igt_ferry_bo_init(&bo, fd, pages[i] * PAGE,
				  igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo);
		igt_ferry_bo_purge(&bo);
		igt_ferry_count_start(fd, &count);
		igt_assert_eq(igt_ferry_read_signal(bo.map), SIGBUS);
		igt_assert_eq(igt_ferry_write_signal(bo.map + bo.size - 1, 1),
			      SIGBUS);
		igt_ferry_count_since(fd, &count);
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

/* Undo every step of disk_begin() and group_begin(), also if a step has failed. */
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

/* Set up swap space on a null_blk disk that can be made to fail. */
static void disk_begin(void)
{
	/* null_blk is built in, a module, or missing */
	if (access(NULLB, F_OK))
		mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	if (access(NULLB, F_OK))
		igt_kmod_load("null_blk", "nr_devices=0");
	igt_require_f(access(NULLB, F_OK) == 0,
		      NULLB ": no disk can be made to fail: the kernel has no "
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

/* Put this process in a memory cgroup, whose memory the test can reclaim. */
static void group_begin(void)
{
	igt_require_f(
		!igt_ferry_write_file(GROUPS "/cgroup.subtree_control",
				      "+memory"),
		GROUPS
		": no memory cgroups: the kernel has no CONFIG_MEMCG, or cgroup version 2 is not mounted there\n");
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

/* Move the pages of BOs to shmem, and swap shmem out to the disk. */
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
		/* fails with EAGAIN if it reclaims less than that */
		igt_ferry_write_file(GROUP "/memory.reclaim", "64M");
	}
	igt_info("%" PRIu64 " KiB are in swap space\n", swapped_bytes() >> 10);
	igt_assert_lte_u64(bo->size, swapped_bytes());
}

/**
 * SUBTEST: code-sigbus-swap
 * Description: Contents are read back from swap, and the access raises SIGBUS if the disk fails
 */
static void test_code_sigbus_swap(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 pages = igt_ferry_stat(fd, "system_pages");
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;

	disk_begin();
	group_begin();
	/* the memory of this process must not be swapped to a disk that fails */
	igt_assert_eq(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	igt_ferry_bo_init(&bo, fd, 600 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	swap_out(&bo);
	igt_ferry_bo_check(&bo);

	swap_out(&bo);
	igt_ferry_must_write_file(DISK "/badblocks", "+0-131071");
	igt_ferry_count_start(fd, &count);
	igt_assert_eq(igt_ferry_read_signal(bo.map), SIGBUS);
	igt_assert_eq(igt_ferry_write_signal(bo.map + bo.size - 1, 1), SIGBUS);
	igt_assert_eq(__ferry_bo_migrate(fd, bo.handle, APERTURE), -EIO);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.audit.entries, 0);
	igt_assert_eq_u64(count.faults.pages, 0);
	igt_ferry_bo_fini(&bo);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), pages);
	munlockall();
	disk_end(0);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "code-fallback",
	  "The tracepoints record VM_FAULT_NOPAGE for a PMD, and VM_FAULT_FALLBACK where no PMD is possible",
	  test_code_fallback },
	{ "code-retry",
	  "A fault during a move returns VM_FAULT_RETRY, and is repeated",
	  test_code_retry },
	{ "code-oom",
	  "A fault without memory returns VM_FAULT_OOM, and the BO is intact when there is memory again",
	  test_code_oom },
	{ "code-sigbus",
	  "A fault outside of the BO raises SIGBUS, for a PTE and for a PMD",
	  test_code_sigbus },
	{ "code-sigbus-purged",
	  "An access to a purged BO raises SIGBUS, in mappings that had PTEs and PMDs",
	  test_code_sigbus_purged },
	{ "code-sigbus-swap",
	  "Contents are read back from swap, and the access raises SIGBUS if the disk fails",
	  test_code_sigbus_swap },
	{}
};

igt_ferry_main(tests)
