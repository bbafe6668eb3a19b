// SPDX-License-Identifier: MIT
/**
 * TEST: ferry unload
 * Category: Core
 * Description: The module is unloaded as soon as nothing refers to it, while a
 * task still has to return to its code
 *
 * Each subtest stops a thread on CPU 1 in code of ferry, or in a function that
 * ferry has called: the thread has the policy SCHED_IDLE, and another one takes the CPU.
 * Meanwhile the main thread drops the last reference and unloads the module. If
 * the module's code is freed then, the thread executes freed memory when it
 * goes on, and the kernel reports a page fault.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION("The module is unloaded as soon as nothing refers to it, "
		     "while a task still has to return to its code");

#define CPU 1
#define LIMIT "/sys/module/ferry/parameters/system_memory"
#define PREEMPT "/sys/kernel/debug/sched/preempt"

/**
 * struct task - a thread on CPU 1
 * @thread: the thread
 * @run: what it does
 * @map: mapping that @run accesses
 * @file: file that @run uses
 * @tid: its thread id, or 0 before it runs
 * @go: it may call @run
 * @err: 0, or the errno that @run has returned
 */
struct task {
	pthread_t thread;
	int (*run)(const struct task *task);
	const void *map;
	int file;
	volatile pid_t tid;
	volatile bool go;
	volatile int err;
};

static volatile bool unloaded;
/* How long it takes to unload a module that nothing uses */
static unsigned int unload_ms;

static void *task_thread(void *arg)
{
	struct task *task = arg;

	task->tid = syscall(SYS_gettid);
	while (!task->go)
		usleep(1000);
	task->err = task->run(task);
	return NULL;
}

/*
 * Of two threads on the CPU, one with the policy SCHED_IDLE runs only if the other one sleeps, for
 * a second at least. Threads of the kernel, which unloading needs, run as well.
 */
static void task_start(struct task *task, bool idle)
{
	struct sched_param param = {};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(CPU, &cpus);
	igt_assert_eq(pthread_create(&task->thread, NULL, task_thread, task),
		      0);
	igt_assert_eq(pthread_setaffinity_np(task->thread, sizeof(cpus), &cpus),
		      0);
	while (!task->tid)
		usleep(1000);
	if (idle)
		igt_assert_eq(sched_setscheduler(task->tid, SCHED_IDLE, &param),
			      0);
}

/* Wait until a thread is running ("R") or asleep in the kernel ("D"), for a few seconds at most. */
static void wait_state(const struct task *task, char state)
{
	struct timespec start = {};
	char path[64], now = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", task->tid);
	while (now != state && igt_seconds_elapsed(&start) < 5) {
		FILE *file = fopen(path, "r");

		if (!file)
			break;
		igt_assert_eq(fscanf(file, "%*d (%*[^)]) %c", &now), 1);
		fclose(file);
	}
}

static int hog(const struct task *task)
{
	struct timespec start = {};

	(void)task;
	/* longer than it takes to unload the module, with half of the processors */
	while (!unloaded &&
	       igt_nsec_elapsed(&start) / 1000000 < 1000 + 10 * unload_ms)
		;
	return 0;
}

static int access_from_kernel(const struct task *task)
{
	return write(task->file, task->map, 1) < 0 ? errno : 0;
}

static int close_file(const struct task *task)
{
	return close(task->file) ? errno : 0;
}

static void require_preemption(void)
{
	char modes[64] = "";
	int file = open(PREEMPT, O_RDONLY | O_CLOEXEC);

	if (file >= 0) {
		igt_assert_lt(0, read(file, modes, sizeof(modes) - 1));
		close(file);
	}
	igt_require_f(
		strstr(modes, "(full)"),
		"the kernel preempts no kernel code: boot with preempt=full: "
		"vm/run --append preempt=full\n");
}

/* Unload the module, however long it is in use. Return how long that took. */
static unsigned int unload(void)
{
	struct timespec start = {};
	unsigned int refused = 0, ms;

	igt_nsec_elapsed(&start);
	while (igt_kmod_unload("ferry", 0)) {
		igt_assert_lt(refused++, 3000);
		usleep(10000);
	}
	unloaded = true;
	ms = igt_nsec_elapsed(&start) / 1000000;
	igt_info("unloaded after %u ms and %u refusals\n", ms, refused);
	return ms;
}

static int begin_unload(int fd)
{
	igt_require_f(sysconf(_SC_NPROCESSORS_ONLN) > CPU,
		      "one processor only: vm/run --cpus 2\n");
	close(fd);
	igt_ferry_module_unbind_consoles();
	igt_ferry_module_must_unbind();
	unload_ms = unload();
	unloaded = false;
	igt_ferry_module_load("");
	igt_ferry_module_unbind_consoles();
	return igt_ferry_module_open();
}

/* The kernel delays a thread without preempting it. */
static unsigned int delay_ms(void)
{
	return 200 + 2 * unload_ms < 3000 ? 200 + 2 * unload_ms : 3000;
}

/* Bytes of system memory that BOs may have while system_memory is 1 */
static size_t limit_bytes(void)
{
	return (igt_ferry_field("/proc/meminfo", "MemTotal") << 10) / 100 &
	       -PAGE;
}

/*
 * A BO without pages, for which there is no memory as long as another BO has
 * its pages. The device is unbound, so that unloading the module is quick.
 */
static void *map_without_memory(int fd)
{
	const size_t limit = limit_bytes();
	const size_t first = limit / 4 * 3 & -PAGE, second = limit / 2 & -PAGE;
	uint32_t handle;
	void *map;

	handle = ferry_bo_create(fd, first, SYSTEM, 0, 0, 0);
	map = ferry_bo_mmap(fd, handle, first);
	igt_ferry_access(map, first);
	munmap(map, first);
	handle = ferry_bo_create(fd, second, SYSTEM, 0, 0, 0);
	map = ferry_bo_mmap(fd, handle, second);
	igt_ferry_must_write_file(LIMIT, "1");
	igt_ferry_module_must_unbind();
	return map;
}

static void unmap_without_memory(const void *map)
{
	igt_assert_eq(munmap((void *)map, limit_bytes() / 2 & -PAGE), 0);
}

static void load_again(void)
{
	igt_ferry_module_load("");
	igt_ferry_module_check_works();
}

/**
 * struct race - a page fault in kernel mode that lacks memory, and a thread that takes its CPU
 * @fault: the fault
 * @taker: the other thread
 * @fd: file of the mapping
 * @pipes: pipe that the mapping is written to
 */
struct race {
	struct task fault;
	struct task taker;
	int fd;
	int pipes[2];
};

static void race_begin(struct race *race, int fd)
{
	race->fault.run = access_from_kernel;
	race->taker.run = hog;
	race->fd = begin_unload(fd);
	igt_assert_eq(pipe2(race->pipes, O_CLOEXEC), 0);
	race->fault.map = map_without_memory(race->fd);
	race->fault.file = race->pipes[1];
	task_start(&race->fault, true);
	task_start(&race->taker, false);
}

/* Drop the last references to the module, and unload it while the fault does not run. */
static void race_unload(struct race *race)
{
	race->taker.go = true;
	unmap_without_memory(race->fault.map);
	close(race->fd);
	unload();
	pthread_join(race->fault.thread, NULL);
	pthread_join(race->taker.thread, NULL);
}

static void race_end(struct race *race)
{
	igt_assert_eq(race->fault.err, EFAULT);
	close(race->pipes[0]);
	close(race->pipes[1]);
	load_again();
	errno = 0;
}

/**
 * SUBTEST: fault-waits
 * Description: A page fault that waits without mmap_lock keeps the module,
 * although its mapping is gone and its file is closed
 */
static void test_fault_waits(int fd)
{
	struct race race = {};

	race_begin(&race, fd);
	/* the fault waits 100 ms for memory */
	race.fault.go = true;
	wait_state(&race.fault, 'D');
	race_unload(&race);
	race_end(&race);
}

/**
 * SUBTEST: fault-preempted
 * Description: A page fault that was preempted after it has dropped its reference to the file returns to code that still exists
 */
static void test_fault_preempted(int fd)
{
	struct race race = {};

	require_preemption();
	race_begin(&race, fd);
	igt_ferry_break_delay("fput", delay_ms(), race.fault.tid, 1);
	/* the fault waits 100 ms for memory, and then drops its reference to the file */
	race.fault.go = true;
	wait_state(&race.fault, 'D');
	wait_state(&race.fault, 'R');
	race_unload(&race);
	igt_ferry_break_unload();
	race_end(&race);
}

static int open_framebuffer(void)
{
	char path[PATH_MAX], name[32];

	for (int i = 0; i < 8; i++) {
		int file;

		snprintf(path, sizeof(path), "/sys/class/graphics/fb%d/name",
			 i);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		memset(name, 0, sizeof(name));
		igt_assert_lt(0, read(file, name, sizeof(name) - 1));
		close(file);
		if (strncmp(name, "ferry", 5))
			continue;
		snprintf(path, sizeof(path), "/dev/fb%d", i);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

/**
 * SUBTEST: framebuffer-closed
 * Description: The last close of /dev/fb0 of an unbound device releases the
 * device before the module's code is freed
 */
static void test_framebuffer_closed(int fd)
{
	struct task closer = { .run = close_file };
	struct task taker = { .run = hog };

	fd = begin_unload(fd);
	close(fd);
	closer.file = open_framebuffer();
	igt_require_f(
		closer.file >= 0,
		"no framebuffer device of ferry: vm/run --device bochs-display\n");
	igt_ferry_module_must_unbind();
	task_start(&closer, true);
	task_start(&taker, false);
	/* fbdev emulation drops the reference to the module before that to the framebuffer */
	igt_ferry_break_delay("module_put", delay_ms(), closer.tid, 1);

	closer.go = true;
	wait_state(&closer, 'R');
	taker.go = true;
	unload();
	pthread_join(closer.thread, NULL);
	pthread_join(taker.thread, NULL);
	igt_ferry_break_unload();
	igt_assert_eq(closer.err, 0);
	load_again();
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "fault-waits",
	  "A page fault that waits without mmap_lock keeps the module, although its "
	  "mapping is gone and its file is closed",
	  test_fault_waits },
	{ "fault-preempted",
	  "A page fault that was preempted after it has dropped its reference to "
	  "the file returns to code that still exists",
	  test_fault_preempted },
	{ "framebuffer-closed",
	  "The last close of /dev/fb0 of an unbound device releases the device "
	  "before the module's code is freed",
	  test_framebuffer_closed },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
