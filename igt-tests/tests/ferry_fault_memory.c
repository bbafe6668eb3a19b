// SPDX-License-Identifier: MIT
/**
 * TEST: ferry fault memory
 * Category: Core
 * Description: Page faults that lack memory end: with memory, with SIGBUS, or
 * with EFAULT of a system call
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "small_memory.h"

IGT_TEST_DESCRIPTION("Page faults that lack memory end: with memory, with "
		     "SIGBUS, or with EFAULT of a system call");

#define TIMEOUT "/sys/module/ferry/parameters/fault_timeout"
#define LONG_S 30

static void restore_timeout(int sig)
{
	(void)sig;
	igt_ferry_write_file(TIMEOUT, "60");
}

/* What a child does with a mapping. Returns 0 or an errno. */
typedef int (*access_fn)(void *map);

static int access_user(void *map)
{
	*(volatile char *)map = 1;
	return 0;
}

static int access_kernel(void *map)
{
	int pipes[2];

	if (pipe(pipes))
		return errno;
	return write(pipes[1], map, 1) < 0 ? errno : 0;
}

/* Signals that are pending while the kernel accesses the mapping */
static int access_kernel_signals(void *map)
{
	igt_ferry_alarm_storm(300);
	return access_kernel(map);
}

/* The kernel looks up the pages of the mapping, which has none for
 * get_user_pages(). */
static int access_pages(void *map)
{
	struct iovec iov = { map, 1 };
	int pipes[2];

	if (pipe(pipes))
		return errno;
	return vmsplice(pipes[1], &iov, 1, 0) < 0 ? errno : 0;
}

/**
 * struct end - how an access has ended
 * @signal: signal that ended the child, or 0
 * @err: errno of the access, or 0
 * @ms: how long it took
 * @faults: number of page faults of the device, with the repeated ones
 */
struct end {
	int signal;
	int err;
	uint64_t ms;
	uint64_t faults;
};

static struct end end_of(int fd, access_fn access, void *map)
{
	uint64_t faults = igt_ferry_stat(fd, "faults");
	const struct rlimit none = {};
	struct timespec start = {};
	struct end end = {};
	int status;
	pid_t pid;

	igt_nsec_elapsed(&start);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &none);
		/* IGT catches it */
		signal(SIGBUS, SIG_DFL);
		_exit(access(map));
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (igt_seconds_elapsed(&start) > LONG_S) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			igt_assert_f(0, "the access did not end in %d s\n",
				     LONG_S);
		}
		usleep(1000);
	}
	end.ms = igt_nsec_elapsed(&start) / 1000000;
	end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	end.err = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	end.faults = igt_ferry_stat(fd, "faults") - faults;
	igt_info("signal %d, errno %d after %" PRIu64 " ms and %" PRIu64
		 " faults\n",
		 end.signal, end.err, end.ms, end.faults);
	return end;
}

static size_t limit_bytes(void)
{
	return (meminfo("MemTotal") << 10) / 100 & -PAGE;
}

/* Create a BO without pages, and let another one have so many that there are
 * none for it. */
static void starve(int fd, struct igt_ferry_bo *holder, struct igt_ferry_bo *bo)
{
	const struct igt_ferry_kind *kind = igt_ferry_single_kinds;
	const size_t limit = limit_bytes();

	swap_off();
	igt_ferry_bo_init(holder, fd, limit / 4 * 3 & -PAGE, kind);
	igt_ferry_bo_fill(holder);
	igt_ferry_bo_init(bo, fd, limit / 2 & -PAGE, kind);
	set_limit(1);
}

static void check_usable(struct igt_ferry_bo *bo)
{
	igt_ferry_check_zero(bo->map, bo->size);
	igt_ferry_bo_fill(bo);
	igt_ferry_bo_check(bo);
	igt_ferry_bo_fini(bo);
}

/* Fill TTM's pool with pages that reclaim could free. */
static long fill_pool(int fd)
{
	struct igt_ferry_bo bo;
	long pages;

	igt_ferry_bo_init(&bo, fd, limit_bytes(), &igt_ferry_single_kinds[1]);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_fini(&bo);
	pages = pool_pages();
	igt_assert_lt(0, pages);
	return pages;
}

/**
 * SUBTEST: impossible
 * Description: An access to a BO for which there can never be memory raises SIGBUS at the first page fault, system calls return EFAULT, and TTM's pool stays
 */
static void test_impossible(int fd)
{
	static const access_fn kernel[] = { access_kernel,
					    access_kernel_signals,
					    access_pages };
	struct igt_ferry_bo bo;
	struct end end;
	long pool;

	swap_off();
	pool = fill_pool(fd);
	igt_ferry_bo_init(&bo, fd, limit_bytes() / 4 * 5 & -PAGE,
			  igt_ferry_single_kinds);
	set_limit(1);
	end = end_of(fd, access_user, bo.map);
	igt_assert_eq(end.signal, SIGBUS);
	igt_assert_eq_u64(end.faults, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(kernel); i++) {
		end = end_of(fd, kernel[i], bo.map);
		igt_assert_eq(end.signal, 0);
		igt_assert_eq(end.err, EFAULT);
		/* the kernel repeats the access itself, but not the fault */
		igt_assert_lte_u64(end.faults, 2);
	}
	igt_assert_eq(pool_pages(), pool);
	set_limit(75);
	check_usable(&bo);
}

/* Check that a thread has slept between faults: a retry without a pause causes thousands. */
static void check_pauses(const struct end *end)
{
	/* about five faults in each tenth of a second: for a PMD and a PTE, with each lock */
	igt_assert_lte_u64(end->faults, 10 * (end->ms / 100 + 2));
}

/**
 * SUBTEST: starved
 * Description: An access to a BO for which there is no memory waits for as long as fault_timeout allows, and raises SIGBUS then
 */
static void test_starved(int fd)
{
	struct igt_ferry_bo holder, bo;
	uint64_t oom;
	struct end end;

	starve(fd, &holder, &bo);
	oom = igt_ferry_stat(fd, "faults_oom");
	igt_install_exit_handler(restore_timeout);
	igt_ferry_must_write_file(TIMEOUT, "2");
	end = end_of(fd, access_user, bo.map);
	igt_assert_eq(end.signal, SIGBUS);
	igt_assert_lte_u64(2000, end.ms + 10);
	check_pauses(&end);
	igt_assert_lt_u64(oom, igt_ferry_stat(fd, "faults_oom"));

	/* a fault that finds memory ends the wait */
	restore_timeout(0);
	igt_ferry_bo_check(&holder);
	igt_ferry_bo_fini(&holder);
	end = end_of(fd, access_user, bo.map);
	igt_assert_eq(end.signal, 0);
	*(volatile char *)bo.map = 0;
	set_limit(75);
	check_usable(&bo);
}

/**
 * SUBTEST: system-call
 * Description: A system call that accesses a BO for which there is no memory returns EFAULT, also with signals pending, and does not spin
 */
static void test_system_call(int fd)
{
	static const access_fn kernel[] = { access_kernel,
					    access_kernel_signals,
					    access_pages };
	struct igt_ferry_bo holder, bo;
	struct end end;

	starve(fd, &holder, &bo);
	for (unsigned int i = 0; i < ARRAY_SIZE(kernel); i++) {
		end = end_of(fd, kernel[i], bo.map);
		igt_assert_eq(end.signal, 0);
		igt_assert_eq(end.err, EFAULT);
		check_pauses(&end);
	}
	igt_ferry_bo_check(&holder);
	igt_ferry_bo_fini(&holder);
	set_limit(75);
	check_usable(&bo);
}

static const struct igt_ferry_test tests[] = {
	{ "impossible",
	  "An access to a BO for which there can never be memory raises SIGBUS at the first page fault, system calls return EFAULT, and TTM's pool stays",
	  test_impossible },
	{ "starved",
	  "An access to a BO for which there is no memory waits for as long as fault_timeout allows, and raises SIGBUS then",
	  test_starved },
	{ "system-call",
	  "A system call that accesses a BO for which there is no memory returns EFAULT, also with signals pending, and does not spin",
	  test_system_call },
	{}
};

igt_ferry_main(tests)
