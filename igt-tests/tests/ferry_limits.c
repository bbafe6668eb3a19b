// SPDX-License-Identifier: MIT
/**
 * TEST: ferry limits
 * Category: Core
 * Description: What one client without privileges can take from all others
 */
#include <fcntl.h>
#include <pthread.h>

#include "igt.h"
#include "igt_aux.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "small_memory.h"

IGT_TEST_DESCRIPTION(
	"What one client without privileges can take from all others");

/* MiB of memory that igt_lock_mem() leaves, so that little is needed to fill it */
#define LEFT_MIB 96
static bool locked;

static void lock_memory(void)
{
	long available = igt_get_avail_ram_mb();

	if (available <= LEFT_MIB)
		return;
	igt_lock_mem(available - LEFT_MIB);
	locked = true;
}

/* Create BOs until BO_CREATE fails; no memory of them is accessed. Return the error. */
static int create_all(int fd, uint64_t size, unsigned int *count, long *least)
{
	uint32_t handle;
	int err;

	*least = meminfo("MemAvailable");
	for (*count = 0; *count < 1000000; ++*count) {
		err = __ferry_bo_create(fd, size, SYSTEM, 0,
					DRM_FERRY_CACHING_CACHED, 0, &handle);
		if (*count % 64 == 0 || size > 64 << 20) {
			long now = meminfo("MemAvailable");

			*least = now < *least ? now : *least;
		}
		if (err)
			return err;
	}
	return 0;
}

/**
 * SUBTEST: create-%s
 * Description: BOs that are created and never accessed leave the reserve; then BO_CREATE fails with ENOMEM, and no process is killed
 *
 * arg[1].values: largest, small
 */
static void create(int fd, uint64_t size)
{
	long kills = vmstat("oom_kill"), reserve;
	uint64_t bos = igt_ferry_stat(fd, "bos");

	require_small(false);
	lock_memory();
	reserve = meminfo("MemTotal") / 32;
	igt_fork(child, 1)
	{
		int client = igt_ferry_reopen(fd, O_RDWR), err;
		unsigned int count;
		long least;

		igt_drop_root();
		err = create_all(client, size, &count, &least);
		igt_info(
			"%u BOs of %" PRIu64
			" KiB: %s; %ld KiB were available, the reserve is %ld KiB\n",
			count, size >> 10, strerror(-err), least, reserve);
		igt_assert_eq(err, -ENOMEM);
		igt_assert_lt(0, count);
		/* a part of the reserve is for per-CPU lists and page tables */
		igt_assert_lt(reserve / 2, least);
		/* and it stays so */
		for (int i = 0; i < 100; i++)
			igt_assert_eq(create_all(client, size, &count, &least),
				      -ENOMEM);
		igt_assert_lt(reserve / 2, least);
		igt_assert(others_can_have(4096));
	}
	igt_waitchildren();
	igt_assert_eq(vmstat("oom_kill"), kills);
	igt_ferry_wait_stat(fd, "bos", bos);
}

static void test_create_largest(int fd)
{
	struct drm_ferry_device_query device;

	ferry_device_query(fd, &device);
	create(fd, device.max_bo_size);
}

static void test_create_small(int fd)
{
	create(fd, 64 * PAGE);
}

#define OTHER_SIZE (512 * PAGE)

/* BOs of another client, of which reclaim could take something */
struct others {
	struct igt_ferry_bo bo[16];
	uint64_t stats[3];
};

/* The first of them have kept pages, the next are not needed, and all could be swapped. */
#define KEPT 4
#define UNNEEDED 8

static const char *const stat_names[] = { "kept_pages", "purged",
					  "system_pages" };

static void others_init(struct others *o, int fd)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(o->bo); i++) {
		igt_ferry_bo_init(&o->bo[i], fd, OTHER_SIZE,
				  igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&o->bo[i]);
		if (i < KEPT)
			ferry_bo_migrate(fd, o->bo[i].handle, APERTURE);
		else if (i < UNNEEDED)
			igt_assert(ferry_bo_madvise(fd, o->bo[i].handle,
						    DRM_FERRY_MADV_DONTNEED));
	}
	igt_ferry_stats(fd, stat_names, o->stats, ARRAY_SIZE(stat_names));
	igt_assert_eq_u64(o->stats[0], KEPT * OTHER_SIZE / PAGE);
}

static void others_check(const struct others *o, int fd, const char *what)
{
	uint64_t now[ARRAY_SIZE(stat_names)];

	igt_ferry_stats(fd, stat_names, now, ARRAY_SIZE(now));
	for (unsigned int i = 0; i < ARRAY_SIZE(now); i++)
		igt_assert_f(now[i] == o->stats[i],
			     "%s: %s was %" PRIu64 " and is %" PRIu64 "\n",
			     what, stat_names[i], o->stats[i], now[i]);
}

static void others_fini(struct others *o, int fd)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(o->bo); i++) {
		igt_assert(ferry_bo_madvise(fd, o->bo[i].handle,
					    DRM_FERRY_MADV_WILLNEED));
		igt_ferry_bo_check(&o->bo[i]);
		igt_ferry_bo_fini(&o->bo[i]);
	}
}

/**
 * SUBTEST: impossible-access
 * Description: An access to a BO larger than memory takes no kept pages, no contents and no memory from other BOs
 */
static void test_impossible_access(int fd)
{
	int other = igt_ferry_reopen(fd, O_RDWR), mem, status;
	struct drm_ferry_device_query device;
	struct timespec start = {};
	struct igt_ferry_bo bo;
	struct others o;
	char byte = 0;
	pid_t child;

	require_small(true);
	ferry_device_query(fd, &device);
	others_init(&o, other);
	igt_ferry_bo_init(&bo, fd, device.max_bo_size, igt_ferry_single_kinds);
	others_check(&o, other, "create and map");

	/* as a debugger: the kernel returns EIO for any error of a driver */
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	igt_assert_fd(mem);
	igt_nsec_elapsed(&start);
	igt_assert_eq(pread(mem, &byte, 1, (uintptr_t)bo.map), -1);
	igt_assert_eq(errno, EIO);
	igt_assert_lt(igt_seconds_elapsed(&start), 5);
	close(mem);
	others_check(&o, other, "access of a debugger");

	/* a fault for which there can never be memory is not repeated */
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)bo.map = 1;
		_exit(0);
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_assert(WIFSIGNALED(status));
	igt_assert_eq(WTERMSIG(status), SIGBUS);
	others_check(&o, other, "fault");

	igt_ferry_bo_fini(&bo);
	others_fini(&o, other);
	close(other);
	errno = 0;
}

#define THREADS 64
#define ROUNDS 500

static struct {
	int clients[THREADS];
	pthread_barrier_t barrier;
	unsigned int created, exceeded;
	volatile pid_t greedy;
	volatile bool begin;
	int err;
} race;

/* All threads try at the same moment to get the one page that is left. */
static void *race_thread(void *arg)
{
	int client = *(int *)arg;

	for (int round = 0; round < ROUNDS; round++) {
		uint32_t handle;
		bool have;

		if (pthread_barrier_wait(&race.barrier) ==
		    PTHREAD_BARRIER_SERIAL_THREAD)
			race.created = 0;
		pthread_barrier_wait(&race.barrier);
		have = !__ferry_bo_create(client, PAGE, APERTURE, 0,
					  DRM_FERRY_CACHING_CACHED, 0, &handle);
		if (have &&
		    __atomic_add_fetch(&race.created, 1, __ATOMIC_RELAXED) > 1)
			__atomic_add_fetch(&race.exceeded, 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&race.barrier);
		if (have)
			gem_close(client, handle);
	}
	return NULL;
}

/**
 * SUBTEST: aperture-only-race
 * Description: Aperture-only BOs of 64 threads without CAP_SYS_ADMIN never exceed half of the aperture
 */
static void test_aperture_only_race(int fd)
{
	struct drm_ferry_device_query device;
	uint64_t limit;

	ferry_device_query(fd, &device);
	limit = device.aperture_size / 2;
	igt_require_f(limit > PAGE, "the aperture is too small\n");
	igt_fork(child, 1)
	{
		int first = igt_ferry_reopen(fd, O_RDWR);
		pthread_t threads[THREADS];

		for (int i = 0; i < THREADS; i++)
			race.clients[i] = igt_ferry_reopen(fd, O_RDWR);
		igt_assert_eq(
			pthread_barrier_init(&race.barrier, NULL, THREADS), 0);
		igt_drop_root();
		/* all but one page */
		ferry_bo_create(first, limit - PAGE, APERTURE, 0,
				DRM_FERRY_CACHING_CACHED, 0);
		for (int i = 0; i < THREADS; i++)
			igt_assert_eq(pthread_create(&threads[i], NULL,
						     race_thread,
						     &race.clients[i]),
				      0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		igt_assert_eq(race.created, 1);
		igt_assert_f(!race.exceeded,
			     "%u BOs more than the limit allows in %d rounds\n",
			     race.exceeded, ROUNDS);
	}
	igt_waitchildren();
}

static struct {
	pthread_barrier_t barrier;
	struct igt_ferry_bo bo[THREADS];
	unsigned int populated, refused;
	volatile bool stop;
	long least;
} crowd;

static void *crowd_watch(void *arg)
{
	while (!crowd.stop) {
		long now = meminfo("MemAvailable");

		crowd.least = now < crowd.least ? now : crowd.least;
		usleep(1000);
	}
	return arg;
}

/* As a debugger, for which a lack of memory is an error; a fault would wait. */
static void *crowd_thread(void *arg)
{
	struct igt_ferry_bo *bo = arg;
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char byte;

	pthread_barrier_wait(&crowd.barrier);
	if (pread(mem, &byte, 1, (uintptr_t)bo->map) == 1)
		__atomic_add_fetch(&crowd.populated, 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&crowd.refused, 1, __ATOMIC_RELAXED);
	close(mem);
	return NULL;
}

/* Let 64 threads populate at the same moment BOs that take four times what is available. */
static void crowd_run(int fd)
{
	size_t size = (meminfo("MemAvailable") << 10) / (THREADS / 4) & -PAGE;
	pthread_t threads[THREADS], watch;

	crowd.populated = crowd.refused = 0;
	crowd.stop = false;
	crowd.least = meminfo("MemAvailable");
	igt_assert_eq(pthread_barrier_init(&crowd.barrier, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++)
		igt_ferry_bo_init(&crowd.bo[i], fd, size,
				  igt_ferry_single_kinds);
	igt_assert_eq(pthread_create(&watch, NULL, crowd_watch, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, crowd_thread,
					     &crowd.bo[i]),
			      0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	crowd.stop = true;
	pthread_join(watch, NULL);
	igt_info(
		"%u BOs of %zu KiB populated, %u refused, %ld KiB were available\n",
		crowd.populated, size >> 10, crowd.refused, crowd.least);
	igt_assert_lt(0, crowd.populated);
	igt_assert_lt(0, crowd.refused);
}

static void crowd_fini(void)
{
	for (int i = 0; i < THREADS; i++)
		igt_ferry_bo_fini(&crowd.bo[i]);
	errno = 0;
}

/**
 * SUBTEST: populate-race
 * Description: 64 threads that populate BOs at the same time leave the reserve, and no process is killed
 */
static void test_populate_race(int fd)
{
	long kills = vmstat("oom_kill"), reserve;

	require_small(false);
	reserve = meminfo("MemTotal") / 32;
	crowd_run(fd);
	/* a part of the reserve is for per-CPU lists and page tables */
	igt_assert_lt(reserve / 2, crowd.least);
	igt_assert(others_can_have(4096));
	igt_assert_eq(vmstat("oom_kill"), kills);
	crowd_fini();
}

/**
 * SUBTEST: system-memory
 * Description: BOs of 64 threads never hold more than the percentage of memory in system_memory=, which can be changed
 */
static void test_system_memory(int fd)
{
	long limit;

	require_small(false);
	set_limit(50);
	limit = meminfo("MemTotal") / 2;
	crowd_run(fd);
	igt_assert_lte(igt_ferry_stat(fd, "system_pages") * (PAGE >> 10),
		       limit);
	set_limit(0);
	crowd_fini();
	crowd.bo[0].handle = 0;
	igt_assert_eq(__ferry_bo_create(fd, 64ul << 20, SYSTEM, 0,
					DRM_FERRY_CACHING_CACHED, 0,
					&crowd.bo[0].handle),
		      -ENOMEM);
	set_limit(100);
	crowd_run(fd);
	crowd_fini();
}

static void *greedy_thread(void *arg)
{
	struct drm_ferry_device_query device;
	int client = *(int *)arg;
	uint32_t handle;

	race.greedy = gettid();
	while (!race.begin)
		usleep(1000);
	ferry_device_query(client, &device);
	race.err = __ferry_bo_create(client, device.aperture_size, APERTURE, 0,
				     DRM_FERRY_CACHING_CACHED, 0, &handle);
	return NULL;
}

/**
 * SUBTEST: aperture-only-refused
 * Description: An aperture-only BO that fits is created while a larger one of another client is refused
 */
static void test_aperture_only_refused(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	int pipes[2][2], status;
	pid_t child;

	igt_ferry_module_begin(fd);
	igt_assert(!pipe(pipes[0]) && !pipe(pipes[1]));
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		pthread_t thread;
		uint32_t handle;
		char go;
		int err;

		igt_drop_root();
		if (pthread_create(&thread, NULL, greedy_thread, &client))
			_exit(1);
		while (!race.greedy)
			usleep(1000);
		if (write(pipes[0][1], (void *)&race.greedy, sizeof(pid_t)) <
			    0 ||
		    read(pipes[1][0], &go, 1) != 1)
			_exit(2);
		race.begin = true;
		/* the greedy thread is refused now, and leaves capable() two seconds later */
		usleep(1000000);
		err = __ferry_bo_create(client, PAGE, APERTURE, 0,
					DRM_FERRY_CACHING_CACHED, 0, &handle);
		pthread_join(thread, NULL);
		_exit(race.err != -ENOSPC ? 3 : err ? 4 : 0);
	}
	igt_assert_eq(read(pipes[0][0], (void *)&race.greedy, sizeof(pid_t)),
		      sizeof(pid_t));
	igt_ferry_break_delay("capable", 2000, race.greedy, 0);
	igt_assert_eq(write(pipes[1][1], "", 1), 1);
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_ferry_break_unload();
	igt_assert_f(WIFEXITED(status) && !WEXITSTATUS(status),
		     "the child ended with status 0x%x\n", status);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	close(client);
}

/* Free the memory that a failed subtest has locked. */
static int begin(int fd)
{
	if (locked)
		igt_unlock_mem();
	locked = false;
	return igt_ferry_begin(fd);
}

static const struct igt_ferry_test tests[] = {
	{ "create-largest",
	  "BOs that are created and never accessed leave the reserve; then BO_CREATE fails with ENOMEM, and no process is killed",
	  test_create_largest },
	{ "create-small",
	  "BOs that are created and never accessed leave the reserve; then BO_CREATE fails with ENOMEM, and no process is killed",
	  test_create_small },
	{ "impossible-access",
	  "An access to a BO larger than memory takes no kept pages, no contents and no memory from other BOs",
	  test_impossible_access },
	{ "aperture-only-race",
	  "Aperture-only BOs of 64 threads without CAP_SYS_ADMIN never exceed half of the aperture",
	  test_aperture_only_race },
	{ "aperture-only-refused",
	  "An aperture-only BO that fits is created while a larger one of another client is refused",
	  test_aperture_only_refused },
	{ "populate-race",
	  "64 threads that populate BOs at the same time leave the reserve, and no process is killed",
	  test_populate_race },
	{ "system-memory",
	  "BOs of 64 threads never hold more than the percentage of memory in system_memory=, which can be changed",
	  test_system_memory },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();
	__igt_ferry_run_tests(tests, begin, fd);
	igt_fixture close(fd);
}
