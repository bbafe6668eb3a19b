// SPDX-License-Identifier: MIT
/**
 * TEST: ferry fault stress
 * Category: Core
 * Description: Faults concurrent with moves, with other faults, with munmap() and with signals
 */
#include <getopt.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_fault.h"

IGT_TEST_DESCRIPTION(
	"Faults concurrent with moves, with other faults, with munmap() and with signals");

/* Moves in each stress-* subtest: few, as the tests also run in emulation */
static unsigned int stress_moves = 120;

#define STRESS_PROCESSES 4
#define STRESS_THREADS 2
#define STRESS_ALL_THREADS (STRESS_PROCESSES * STRESS_THREADS)
#define RACERS 6
#define RACE_ROUNDS 150

/* Shared by the processes of a stress test */
struct stress {
	volatile bool stop;
	volatile unsigned long rounds[STRESS_ALL_THREADS];
};

struct stress_thread {
	struct igt_ferry_bo *bo;
	struct stress *shared;
	unsigned int number;
};

/*
 * The first eight of each 16 pages are written, each by one thread: it checks its last
 * generation and writes the next one. The other eight pages keep the contents from the
 * start: each thread checks one of them.
 */
static void *stress_thread(void *arg)
{
	struct stress_thread *t = arg;
	size_t pages = t->bo->size / PAGE;
	uint32_t gen = t->bo->gen, next;

	while (!t->shared->stop) {
		/* a word has 16 bits for the generation */
		next = gen < 0xffff ? gen + 1 : 1;
		for (size_t base = 0; base + 16 <= pages; base += 16) {
			size_t own = base + t->number;
			size_t still = base + STRESS_ALL_THREADS +
				       (t->number + gen) % STRESS_ALL_THREADS;
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
	return t; /* a thread that has failed does not return */
}

static void stress_process(struct igt_ferry_bo *bo, struct stress *shared,
			   unsigned int process)
{
	struct stress_thread threads[STRESS_THREADS];
	pthread_t ids[STRESS_THREADS];
	void *result;

	/* map the BO at another address in one process, and unaligned, for PTEs, in another */
	if (process == 1)
		bo->map = ferry_bo_mmap(bo->fd, bo->handle, bo->size);
	if (process == 2)
		bo->map = igt_ferry_bo_map_fixed(
			bo, igt_ferry_reserve(bo->size, PAGE), 0,
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
			     "thread %u has read a wrong byte\n",
			     threads[i].number);
	}
}

/**
 * SUBTEST: stress-%s
 * Description: 8 threads in 4 processes access a BO while it moves, and read no wrong byte
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
	igt_ferry_bo_init_huge(&bo, fd, pages, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_faults_start(fd, &faults);
	igt_nsec_elapsed(&start);
	igt_fork(child, STRESS_PROCESSES)
	{
		stress_process(&bo, shared, child);
	}
	/* otherwise the other threads leave this one little time */
	igt_assert(nice(-15) != -1 || !errno);
	for (unsigned int i = 0; i < stress_moves; i++) {
		ferry_bo_migrate(fd, bo.handle, i & 1 ? SYSTEM : APERTURE);
		if (i % (stress_moves / 8 + 1) == 0)
			igt_ferry_audit_clean(fd, NULL);
		/* let the threads fault the pages in, for a time that varies */
		if (i % 3)
			usleep(i % 7 * 1000);
	}
	/* a thread may start late on a busy host */
	igt_nsec_elapsed(&wait);
	for (unsigned int i = 0; i < STRESS_ALL_THREADS; i++)
		while (!shared->rounds[i] && igt_seconds_elapsed(&wait) < 60)
			usleep(1000);
	shared->stop = true;
	igt_waitchildren_timeout(120, "processes that access a BO that moves");
	nice(15);
	igt_ferry_faults_since(fd, &faults);
	for (unsigned int i = 0; i < STRESS_ALL_THREADS; i++) {
		rounds += shared->rounds[i];
		igt_assert_f(shared->rounds[i],
			     "thread %u has completed no round\n", i);
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
 * SUBTEST: first-access-race-%s
 * Description: Threads access the same unmapped 2 MiB at once, again and again, while the BO moves
 *
 * A thread that has waited for the reservation of the BO finds a PMD that another thread
 * has inserted meanwhile. It must not try to insert a PTE there.
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_first_access_race(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_faults faults;
	struct racer racers[RACERS];
	pthread_barrier_t barrier;
	pthread_t threads[RACERS];
	volatile bool stop = false;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init_huge(&bo, fd, HUGE_PAGES, kind);
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

		/* alternate: move before the accesses begin, and concurrently with them */
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

/**
 * SUBTEST: table-race
 * Description: Threads access a BO that moves between PMDs and PTEs while it is mapped again
 *
 * A fault for a PMD finds a page table, which a fault for PTEs has installed meanwhile. It
 * must not replace the page table.
 */
static void test_table_race(int fd)
{
	struct igt_ferry_reader readers[RACERS];
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
		      " MiB cannot be fragmented in 64 pieces\n",
		      piece * 64 >> 20);
	igt_ferry_bo_init_huge(&bo, fd, HUGE_PAGES, igt_ferry_movable_kinds);
	bo.map = igt_ferry_reserve(bo.size, 0);
	igt_ferry_bo_map_fixed(&bo, bo.map, 0, HUGE_PAGES);

	count = igt_ferry_aperture_fill(fd, piece, &handles);
	for (unsigned int i = 0; i < count; i += 2)
		gem_close(fd, handles[i]);

	/* a fault that inserts no entry is repeated forever */
	alarm(60);
	igt_ferry_faults_start(fd, &faults);
	for (unsigned int i = 0; i < RACERS; i++) {
		readers[i] = (struct igt_ferry_reader){ &bo, &stop, 10 * i, 0 };
		igt_assert_eq(pthread_create(&threads[i], NULL,
					     igt_ferry_read_thread,
					     &readers[i]),
			      0);
	}
	for (int round = 0; round < RACE_ROUNDS; round++) {
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
		if (round == 0) {
			ferry_bo_query(fd, bo.handle, &query);
			igt_assert_eq_u64(query.huge_size, 0);
		}
		/* a new mapping frees the page table, which prevents a PMD until then */
		if (round % 4 > 1)
			igt_ferry_bo_map_fixed(&bo, bo.map, 0, HUGE_PAGES);
		if (round % 50 == 25)
			igt_ferry_audit_clean(fd, NULL);
	}
	/* a thread may start late on a busy host; the alarm ends a wait in vain */
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

struct snatcher {
	char *map;
	size_t size;
	volatile bool stop;
	volatile unsigned long rounds;
};

/* Replace the mapping of the BO by anonymous memory, again and again. */
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
 * Description: Another thread replaces a mapping while it is populated, and no page of the BO stays mapped
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

	igt_ferry_bo_init_huge(&bo, fd, pages, kind);
	offset = ferry_bo_mmap_offset_populate(fd, bo.handle);
	s.size = bo.size;
	s.map = igt_ferry_reserve(bo.size, 0);
	igt_assert_eq(pthread_create(&thread, NULL, snatch_thread, &s), 0);
	/* the thread may start late on a busy host: go on until it has run */
	for (int i = 0; i < RACE_ROUNDS || !s.rounds; i++) {
		igt_assert(mmap(s.map, bo.size, RW, MAP_SHARED | MAP_FIXED, fd,
				offset) == s.map);
		rounds++;
		sched_yield();
	}
	igt_ferry_audit_clean(fd, NULL);
	s.stop = true;
	pthread_join(thread, NULL);
	igt_info("%lu mappings, replaced %lu times\n", rounds, s.rounds);

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

static volatile unsigned long signals_seen;

static void count_signal(int sig)
{
	(void)sig;
	signals_seen++;
}

/**
 * SUBTEST: signals-%s
 * Description: Signals that arrive during faults are handled, and every access completes
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
		/* another process, for whose moves the faults have to wait */
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

static const struct igt_ferry_test tests[] = {
	{ "populate-unmap",
	  "Another thread replaces a mapping while it is populated, and no page of the BO stays mapped",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_populate_unmap },
	{ "first-access-race",
	  "Threads access the same unmapped 2 MiB at once, again and again, while the BO moves",
	  .kinds = igt_ferry_movable_kinds,
	  .run_kind = test_first_access_race },
	{ "signals",
	  "Signals that arrive during faults are handled, and every access completes",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_signals },
	{ "stress",
	  "8 threads in 4 processes access a BO while it moves, and read no wrong byte",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_stress },
	{ "table-race",
	  "Threads access a BO that moves between PMDs and PTEs while it is mapped again",
	  test_table_race },
	{}
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

igt_main_args("m:", options, "  --moves N\tmoves in each stress subtest\n",
	      take_option, NULL)
{
	int fd = -1;

	igt_fixture
	{
		const char *moves = getenv("FERRY_MOVES");

		if (moves && strtoul(moves, NULL, 0))
			stress_moves = strtoul(moves, NULL, 0);
		fd = igt_ferry_open();
	}

	igt_ferry_run_tests(fd, tests);

	igt_fixture close(fd);
}
