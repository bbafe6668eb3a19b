// SPDX-License-Identifier: MIT
/**
 * TEST: ferry access
 * Category: Core
 * Description: Accesses to mappings by the kernel, by a debugger and by many threads at once
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Accesses to mappings by the kernel, by a debugger and by many threads at once");

/* Duration of concurrent accesses and moves */
#define SECONDS 2

/* Map the BO again, so that the mapping has no entries. */
static void drop_entries(struct igt_ferry_bo *bo)
{
	igt_assert_eq(munmap(bo->map, bo->size), 0);
	bo->map = ferry_bo_mmap(bo->fd, bo->handle, bo->size);
}

/**
 * SUBTEST: proc-mem-%s
 * SUBTEST: proc-mem-huge-%s
 * Description: /proc/self/mem reads and writes a mapping, across pages, accessed before or not
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static void test_proc_mem(int fd, const struct igt_ferry_kind *kind,
			  size_t pages)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct igt_ferry_bo bo;
	size_t odd;
	char *copy;

	igt_assert_fd(mem);
	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	copy = malloc(bo.size);
	igt_assert(copy);

	for (int round = 0; round < 2; round++) {
		igt_ferry_bo_fill(&bo);
		if (round)
			drop_entries(&bo);
		igt_assert_eq(pread(mem, copy, bo.size, (uintptr_t)bo.map),
			      (int)bo.size);
		igt_ferry_check(copy, 0, pages, bo.id, bo.gen);

		igt_ferry_fill(copy, 0, pages, bo.id, ++bo.gen);
		if (round)
			drop_entries(&bo);
		igt_assert_eq(pwrite(mem, copy, bo.size, (uintptr_t)bo.map),
			      (int)bo.size);
		igt_ferry_bo_check(&bo);
	}

	/* a range that begins and ends within a page */
	odd = 3 * PAGE - 13;
	memset(copy, 0x77, bo.size);
	igt_assert_eq(pwrite(mem, copy, PAGE + 29, (uintptr_t)bo.map + odd),
		      (int)PAGE + 29);
	igt_ferry_check(bo.map, 0, 2, bo.id, bo.gen);
	for (size_t i = 0; i < PAGE + 29; i++)
		igt_assert_eq(((char *)bo.map)[odd + i], 0x77);
	igt_ferry_check((char *)bo.map + 5 * PAGE, 5, pages - 5, bo.id, bo.gen);

	free(copy);
	igt_ferry_bo_fini(&bo);
	close(mem);
}

/**
 * SUBTEST: ptrace-%s
 * SUBTEST: ptrace-huge-%s
 * Description: A debugger reads and writes the mapping of the program that it debugs
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_ptrace(int fd, const struct igt_ferry_kind *kind, size_t pages)
{
	struct igt_ferry_bo bo;
	int status;
	pid_t pid;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid) {
		volatile uint64_t *word = bo.map;

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(word[PAGE / 8] == 0x1122334455667788ull ? 0 : 1);
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSTOPPED(status));
	for (size_t page = 0; page < pages; page++) {
		uint64_t *word = (uint64_t *)((char *)bo.map + page * PAGE);

		errno = 0;
		igt_assert_eq_u64(ptrace(PTRACE_PEEKDATA, pid, word, NULL),
				  *word);
		igt_assert_eq(errno, 0);
	}
	igt_assert_eq(ptrace(PTRACE_POKEDATA, pid, (char *)bo.map + PAGE,
			     0x1122334455667788ull),
		      0);
	igt_assert_eq(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(
		WIFEXITED(status) && !WEXITSTATUS(status),
		"the program does not see what the debugger wrote: status %#x\n",
		status);
	igt_assert_eq_u64(*(uint64_t *)((char *)bo.map + PAGE),
			  0x1122334455667788ull);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: read-write-%s
 * SUBTEST: read-write-huge-%s
 * Description: read(2) into a mapping and write(2) from it succeed, at pages without entries
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_read_write(int fd, const struct igt_ferry_kind *kind,
			    size_t pages)
{
	int file = syscall(SYS_memfd_create, "ferry", 0);
	struct igt_ferry_bo bo;
	char *copy;

	igt_assert_fd(file);
	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	copy = malloc(bo.size);
	igt_assert(copy);

	igt_ferry_fill(copy, 0, pages, bo.id, ++bo.gen);
	igt_assert_eq(pwrite(file, copy, bo.size, 0), (int)bo.size);
	igt_assert_eq(pread(file, bo.map, bo.size, 0), (int)bo.size);
	igt_ferry_bo_check(&bo);

	igt_ferry_bo_fill(&bo);
	drop_entries(&bo);
	igt_assert_eq(pwrite(file, bo.map, bo.size, 0), (int)bo.size);
	igt_assert_eq(pread(file, copy, bo.size, 0), (int)bo.size);
	igt_ferry_check(copy, 0, pages, bo.id, bo.gen);

	/* into an unaligned address, without entries */
	drop_entries(&bo);
	igt_assert_eq(pread(file, (char *)bo.map + 7 * PAGE + 5, 3 * PAGE, 0),
		      (int)(3 * PAGE));
	igt_assert_eq(memcmp((char *)bo.map + 7 * PAGE + 5, copy, 3 * PAGE), 0);
	free(copy);
	igt_ferry_bo_fini(&bo);
	close(file);
}

/* @gup needs references to the pages of a mapping: with and without entries, it must fail. */
static void check_gup(int fd, const struct igt_ferry_kind *kind,
		      void (*gup)(struct igt_ferry_bo *))
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, 600 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	gup(&bo);
	igt_ferry_bo_check(&bo);
	drop_entries(&bo);
	gup(&bo);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

static void gup_vmsplice(struct igt_ferry_bo *bo)
{
	struct iovec iov = { .iov_base = bo->map, .iov_len = 2 * PAGE };
	int pipes[2];

	igt_assert_eq(pipe(pipes), 0);
	igt_assert_eq(vmsplice(pipes[1], &iov, 1, 0), -1);
	igt_assert_eq(errno, EFAULT);
	close(pipes[0]);
	close(pipes[1]);
}

/**
 * SUBTEST: gup-vmsplice-%s
 * Description: vmsplice() of a mapping fails with EFAULT, and the contents stay
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_gup_vmsplice(int fd, const struct igt_ferry_kind *kind)
{
	check_gup(fd, kind, gup_vmsplice);
}

static void gup_process_vm(struct igt_ferry_bo *bo)
{
	char buf[256];
	struct iovec local = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct iovec remote = { .iov_base = bo->map, .iov_len = sizeof(buf) };

	igt_assert_eq(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), -1);
	igt_assert_eq(errno, EFAULT);
	igt_assert_eq(process_vm_writev(getpid(), &local, 1, &remote, 1, 0),
		      -1);
	igt_assert_eq(errno, EFAULT);
}

/**
 * SUBTEST: gup-process-vm-%s
 * Description: process_vm_readv() and process_vm_writev() on a mapping fail with EFAULT, and the contents stay
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_gup_process_vm(int fd, const struct igt_ferry_kind *kind)
{
	check_gup(fd, kind, gup_process_vm);
}

/* The key of a futex that processes can share is its page. */
static void gup_futex(struct igt_ferry_bo *bo)
{
	struct timespec timeout = { .tv_sec = 1 };

	igt_assert_eq(syscall(SYS_futex, bo->map, FUTEX_WAIT,
			      *(uint32_t *)bo->map, &timeout, NULL, 0),
		      -1);
	igt_assert_eq(errno, EFAULT);
	igt_assert_eq(syscall(SYS_futex, bo->map, FUTEX_WAKE, 1, NULL, NULL, 0),
		      -1);
	igt_assert_eq(errno, EFAULT);
}

/**
 * SUBTEST: gup-futex-%s
 * Description: A futex that processes could share fails with EFAULT on a mapping, and the contents stay
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_gup_futex(int fd, const struct igt_ferry_kind *kind)
{
	check_gup(fd, kind, gup_futex);
}

static void gup_io_uring(struct igt_ferry_bo *bo)
{
	struct iovec iov = { .iov_base = bo->map, .iov_len = bo->size };
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 2, &params);

	igt_require_f(ring >= 0, "io_uring_setup: %s\n", strerror(errno));
	igt_assert_eq(syscall(SYS_io_uring_register, ring,
			      IORING_REGISTER_BUFFERS, &iov, 1),
		      -1);
	igt_assert_f(errno == EFAULT || errno == EOPNOTSUPP,
		     "io_uring_register: %s\n", strerror(errno));
	close(ring);
}

/**
 * SUBTEST: gup-io-uring-%s
 * Description: A mapping as a fixed buffer of io_uring fails with EFAULT, and the contents stay
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_gup_io_uring(int fd, const struct igt_ferry_kind *kind)
{
	check_gup(fd, kind, gup_io_uring);
}

/* Open a block device, which supports direct I/O. */
static int open_direct(void)
{
	static const char *const names[] = { "/dev/vda", "/dev/sda",
					     "/dev/nvme0n1", "/dev/vdb" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		int file = open(names[i], O_RDONLY | O_DIRECT | O_CLOEXEC);

		if (file >= 0)
			return file;
	}
	return -1;
}

static void gup_direct_io(struct igt_ferry_bo *bo)
{
	int file = open_direct();
	void *aligned;

	igt_require_f(file >= 0,
		      "no block device to read from with O_DIRECT\n");
	igt_assert_eq(posix_memalign(&aligned, PAGE, PAGE), 0);
	igt_assert_eq(pread(file, aligned, PAGE, 0), (int)PAGE);
	free(aligned);
	igt_assert_eq(pread(file, bo->map, 2 * PAGE, 0), -1);
	igt_assert_eq(errno, EFAULT);
	close(file);
}

/**
 * SUBTEST: gup-direct-io-%s
 * Description: A read with O_DIRECT into a mapping fails with EFAULT, and the contents stay
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_gup_direct_io(int fd, const struct igt_ferry_kind *kind)
{
	check_gup(fd, kind, gup_direct_io);
}

#define WRITERS 3

struct writer {
	struct igt_ferry_bo *bo;
	unsigned int first;
	volatile bool *stop;
	unsigned long rounds;
};

/* Write and check every WRITERS-th page, from the first one of this writer on. */
static void write_pages(struct writer *t)
{
	size_t pages = t->bo->size / PAGE;
	uint32_t gen = 0;

	while (!*t->stop) {
		for (size_t page = t->first; page < pages; page += WRITERS) {
			char *p = (char *)t->bo->map + page * PAGE;

			if (gen)
				igt_ferry_check(p, page, 1, t->bo->id, gen);
			else
				igt_ferry_check_zero(p, PAGE);
			igt_ferry_fill(p, page, 1, t->bo->id, gen + 1);
		}
		gen = (gen + 1) & 0x7fff;
		if (!gen)
			break;
		t->rounds++;
	}
}

static void *write_thread(void *arg)
{
	write_pages(arg);
	return NULL;
}

static unsigned long migrate_for(struct igt_ferry_bo *bo, unsigned int seconds)
{
	struct timespec start = {};
	unsigned long moves = 0;

	while (igt_seconds_elapsed(&start) < seconds) {
		ferry_bo_migrate(bo->fd, bo->handle,
				 moves & 1 ? SYSTEM : APERTURE);
		moves++;
	}
	return moves;
}

/**
 * SUBTEST: migrate-threads-%s
 * SUBTEST: migrate-threads-huge-%s
 * Description: Threads write and verify their pages while the BO moves between both placements
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_migrate_threads(int fd, const struct igt_ferry_kind *kind,
				 size_t pages)
{
	uint64_t oom = igt_ferry_stat(fd, "faults_oom");
	int kmsg = igt_ferry_kmsg_open();
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	volatile bool stop = false;
	struct igt_ferry_bo bo;
	unsigned long moves;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	for (unsigned int i = 0; i < WRITERS; i++) {
		writers[i] =
			(struct writer){ .bo = &bo, .first = i, .stop = &stop };
		igt_assert_eq(pthread_create(&threads[i], NULL, write_thread,
					     &writers[i]),
			      0);
	}
	moves = migrate_for(&bo, SECONDS);
	stop = true;
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);

	igt_info("%lu moves, %lu + %lu + %lu rounds of writing\n", moves,
		 writers[0].rounds, writers[1].rounds, writers[2].rounds);
	igt_assert(moves > 2);
	for (unsigned int i = 0; i < WRITERS; i++)
		igt_assert_f(writers[i].rounds,
			     "thread %u has completed no round\n", i);
	igt_ferry_bo_fini(&bo);
	igt_assert_eq_u64(igt_ferry_stat(fd, "faults_oom"), oom);
	igt_assert_f(!igt_ferry_kmsg_has(kmsg, "VM_FAULT_OOM leaked"),
		     "a fault returned VM_FAULT_OOM: see the kernel log\n");
	close(kmsg);
}

/**
 * SUBTEST: migrate-processes-%s
 * SUBTEST: migrate-processes-huge-%s
 * Description: Processes that share a mapping access it, fork and unmap while the BO moves
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_migrate_processes(int fd, const struct igt_ferry_kind *kind,
				   size_t pages)
{
	volatile bool *stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct igt_ferry_bo bo;
	unsigned long moves;

	igt_assert(stop != MAP_FAILED);
	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_fork(child, WRITERS)
	{
		struct writer t = { .bo = &bo, .first = child, .stop = stop };

		/* one of them with a mapping of its own */
		if (child == 0)
			drop_entries(&bo);
		write_pages(&t);
		igt_assert(t.rounds);
	}
	igt_fork(child, 1)
	{
		while (!*stop) {
			pid_t pid = fork();

			if (!pid) {
				igt_ferry_read_signal(bo.map);
				_exit(0);
			}
			igt_assert_eq(waitpid(pid, NULL, 0), pid);
			drop_entries(&bo);
		}
	}
	moves = migrate_for(&bo, SECONDS);
	*stop = true;
	igt_waitchildren();
	igt_info("%lu moves\n", moves);
	igt_assert(moves > 2);
	igt_ferry_bo_fini(&bo);
	munmap((void *)stop, PAGE);
}

/**
 * SUBTEST: proc-mem-migrating
 * Description: /proc/self/mem reads the contents of a BO while it moves
 */
static void test_proc_mem_migrating(int fd)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct igt_ferry_bo bo;
	char *copy;

	igt_assert_fd(mem);
	igt_ferry_bo_init(&bo, fd, 64 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	copy = malloc(bo.size);
	igt_assert(copy);
	igt_fork(child, 1)
	{
		migrate_for(&bo, SECONDS);
	}
	for (int i = 0; i < 100; i++) {
		memset(copy, 0, bo.size);
		igt_assert_eq(pread(mem, copy, bo.size, (uintptr_t)bo.map),
			      (int)bo.size);
		igt_ferry_check(copy, 0, bo.size / PAGE, bo.id, bo.gen);
	}
	igt_waitchildren();
	free(copy);
	igt_ferry_bo_fini(&bo);
	close(mem);
}

/* @huge_pages is more than two PMDs map. */
static const struct igt_ferry_test tests[] = {
	{ "proc-mem",
	  "/proc/self/mem reads and writes a mapping, across pages, accessed before or not",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_proc_mem,
	  .pages = 20, .huge_pages = 1100 },
	{ "ptrace",
	  "A debugger reads and writes the mapping of the program that it debugs",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_ptrace, .pages = 4,
	  .huge_pages = 1100 },
	{ "read-write",
	  "read(2) into a mapping and write(2) from it succeed, at pages without entries",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_read_write,
	  .pages = 24, .huge_pages = 1100 },
	{ "migrate-threads",
	  "Threads write and verify their pages while the BO moves between both placements",
	  .kinds = igt_ferry_movable_kinds, .run_pages = test_migrate_threads,
	  .pages = 96, .huge_pages = 1100 },
	{ "migrate-processes",
	  "Processes that share a mapping access it, fork and unmap while the BO moves",
	  .kinds = igt_ferry_movable_kinds, .run_pages = test_migrate_processes,
	  .pages = 96, .huge_pages = 1100 },
	{ "gup-vmsplice",
	  "vmsplice() of a mapping fails with EFAULT, and the contents stay",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_gup_vmsplice },
	{ "gup-process-vm",
	  "process_vm_readv() and process_vm_writev() on a mapping fail with EFAULT, and the contents stay",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_gup_process_vm },
	{ "gup-futex",
	  "A futex that processes could share fails with EFAULT on a mapping, and the contents stay",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_gup_futex },
	{ "gup-io-uring",
	  "A mapping as a fixed buffer of io_uring fails with EFAULT, and the contents stay",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_gup_io_uring },
	{ "gup-direct-io",
	  "A read with O_DIRECT into a mapping fails with EFAULT, and the contents stay",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_gup_direct_io },
	{ "proc-mem-migrating",
	  "/proc/self/mem reads the contents of a BO while it moves",
	  test_proc_mem_migrating },
	{}
};

igt_ferry_main(tests)
