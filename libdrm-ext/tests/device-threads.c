// SPDX-License-Identifier: MIT
/*
 * Eight threads use the library at the same time: one buffer that is repeatedly dropped and
 * imported again, buffers of their own, one mapping of a BO that moves, one open file.
 *
 * Each part ends after a number of rounds or after some seconds, whichever comes first, so
 * that it also ends under valgrind in an emulated machine.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define NR_THREADS 8
#define MAX_ROUNDS 2000
#define MIN_ROUNDS 5
#define MAX_SECONDS 4
/* Large enough that the kernel takes milliseconds to free it. */
#define LARGE (128ull << 20)

struct worker {
	pthread_t thread;
	int number;
	unsigned int rounds;
	uint32_t random;
};

static struct ferry_device *dev;
static pthread_barrier_t start, pair;
static time_t end_of_part;
/* Objects that the threads of a part share. */
static int shared_dmabuf;
static struct ferry_bo *shared_bo;

static bool another_round(struct worker *worker)
{
	struct timespec now;

	if (worker->rounds++ < MIN_ROUNDS)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return worker->rounds < MAX_ROUNDS && now.tv_sec < end_of_part;
}

/* Not rand(): its lock would serialize the threads. */
static uint32_t next_random(struct worker *worker)
{
	worker->random = worker->random * 1664525u + 1013904223u;
	return worker->random >> 8;
}

static void run_threads(void *(*function)(void *), const char *what)
{
	struct worker workers[NR_THREADS] = { 0 };
	unsigned int rounds = 0;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end_of_part = now.tv_sec + MAX_SECONDS;
	for (int i = 0; i < NR_THREADS; i++) {
		workers[i].number = i;
		workers[i].random = i + 1;
		CHECK_EQ(pthread_create(&workers[i].thread, NULL, function,
					&workers[i]),
			 0);
	}
	for (int i = 0; i < NR_THREADS; i++) {
		CHECK_EQ(pthread_join(workers[i].thread, NULL), 0);
		rounds += workers[i].rounds;
	}
	printf("%s: %u rounds\n", what, rounds);
}

/*
 * Only the threads have references to the BO. So its count often goes to zero, and this
 * races with lookups by the other threads.
 */
static void *import_and_drop(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&start);
	while (another_round(worker)) {
		struct ferry_bo *bo, *twin;
		uint64_t *map;

		CHECK_OK(ferry_bo_from_dmabuf(dev, shared_dmabuf, 0, &bo));
		CHECK_OK(ferry_bo_from_handle(dev, ferry_bo_handle(bo), &twin));
		CHECK(twin == bo);
		ferry_bo_del(twin);

		map = map_bo(bo);
		CHECK_EQ(map[0], 0x1111);
		map[1 + worker->number] = worker->rounds;
		if (next_random(worker) % 8 == 0)
			CHECK_OK(ferry_bo_migrate(
				bo, worker->number % 2 ? SYSTEM : APERTURE));
		CHECK_EQ(map[1 + worker->number], worker->rounds);
		if (next_random(worker) % 2)
			CHECK_OK(ferry_bo_unmap(bo));
		else
			CHECK_EQ(ferry_bo_size(bo), 2 * PAGE);
		ferry_bo_del(bo);
	}
	return NULL;
}

/*
 * The same without accesses in between, so that more lookups race with the last drop. That
 * drop removes a mapping first: the BO is in the handle table for a while, and must not be found.
 */
static void *only_import_and_drop(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&start);
	while (another_round(worker)) {
		for (int i = 0; i < 8; i++) {
			struct ferry_bo *bo;
			void *map;

			CHECK_OK(ferry_bo_from_dmabuf(dev, shared_dmabuf, 0,
						      &bo));
			CHECK_OK(ferry_bo_map(bo, FERRY_MAP_POPULATE, &map));
			CHECK_EQ(placement_of(bo), SYSTEM);
			ferry_bo_del(bo);
		}
	}
	return NULL;
}

static void one_buffer(uint64_t size, void *(*function)(void *),
		       const char *what)
{
	struct ferry_bo *bo = new_bo(dev, size, 0);
	uint64_t *map = map_bo(bo);

	for (uint64_t i = 0; i < size; i += PAGE)
		map[i / sizeof(*map)] = 0x1111;
	shared_dmabuf = ferry_bo_to_dmabuf(bo, 0);
	CHECK(shared_dmabuf >= 0);
	CHECK_OK(ferry_bo_unmap(bo));
	ferry_bo_del(bo);
	run_threads(function, what);
	close(shared_dmabuf);
}

static void *whole_life(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&start);
	while (another_round(worker)) {
		uint32_t pages = 1 + next_random(worker) % 40;
		uint64_t seed = worker->number * 1000000 + worker->rounds;
		struct ferry_bo *bo = new_bo(
			dev, pages * PAGE,
			next_random(worker) % 2 ? FERRY_BO_START_APERTURE : 0);
		void *map = map_bo(bo);

		check_zero(map, pages * PAGE);
		fill(map, pages * PAGE, seed);
		CHECK_OK(ferry_bo_migrate(bo, APERTURE));
		check_filled(map, pages * PAGE, seed);
		CHECK_OK(ferry_bo_migrate(bo, SYSTEM));
		check_filled(map, pages * PAGE, seed);
		ferry_bo_del(bo);
	}
	return NULL;
}

static void own_buffers(void)
{
	run_threads(whole_life, "whole life");
}

/* Thread 0 moves the BO, the others access one page each, and all map and unmap it. */
static void *move_and_access(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&start);
	while (another_round(worker)) {
		char *map = map_bo(shared_bo);
		char *page = map + worker->number * PAGE;

		if (worker->number == 0) {
			CHECK_OK(ferry_bo_migrate(
				shared_bo,
				worker->rounds % 2 ? APERTURE : SYSTEM));
		} else {
			fill(page, PAGE, worker->rounds);
			check_filled(page, PAGE, worker->rounds);
		}
		CHECK_OK(ferry_bo_unmap(shared_bo));
	}
	return NULL;
}

static void one_mapping(void)
{
	shared_bo = new_bo(dev, NR_THREADS * PAGE, 0);
	run_threads(move_and_access, "one mapping");
	CHECK_EQ(ferry_bo_unmap(shared_bo), -EINVAL);
	ferry_bo_del(shared_bo);
}

/* A descriptor of one open file: each thread must get the same device. */
static int shared_fd;

static void *open_and_close(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&start);
	while (another_round(worker)) {
		struct ferry_device *mine, *same;
		struct ferry_bo *bo;

		CHECK_OK(ferry_device_new(shared_fd, 0, &mine));
		CHECK_OK(ferry_device_new(shared_fd, 0, &same));
		CHECK(same == mine);
		ferry_device_del(same);
		bo = new_bo(mine, PAGE, 0);
		ferry_device_del(mine);
		ferry_bo_del(bo);
	}
	return NULL;
}

static void one_open_file(void)
{
	struct ferry_device *other = open_or_skip();

	shared_fd = dup(ferry_device_fd(other));
	CHECK(shared_fd >= 0);
	ferry_device_del(other);
	run_threads(open_and_close, "open and close");
	close(shared_fd);
}

/* BOs that a thread has created and dropped while another one drops a large BO. */
static struct ferry_bo *large_bo;
static atomic_bool dropping, dropped;

static void *drop_large(void *arg)
{
	pthread_barrier_wait(&pair);
	atomic_store(&dropping, true);
	ferry_bo_del(large_bo);
	atomic_store(&dropped, true);
	return arg;
}

static int count_beside_drop(void)
{
	pthread_t thread;
	int count = 0;
	char *map;

	/* Each page of a write-combining BO changes its memory type when it is freed. */
	large_bo = new_bo(dev, LARGE, FERRY_BO_WC);
	map = map_bo(large_bo);
	for (uint64_t i = 0; i < LARGE; i += PAGE)
		map[i] = 1;
	CHECK_OK(ferry_bo_unmap(large_bo));

	atomic_store(&dropping, false);
	atomic_store(&dropped, false);
	CHECK_EQ(pthread_create(&thread, NULL, drop_large, NULL), 0);
	pthread_barrier_wait(&pair);
	while (!atomic_load(&dropping))
		;
	for (;;) {
		ferry_bo_del(new_bo(dev, PAGE, 0));
		if (atomic_load(&dropped))
			break;
		count++;
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return count;
}

/* The lock of the device is not held while the kernel frees memory. */
static void creation_beside_a_drop(void)
{
	int most = 0;

	CHECK_EQ(pthread_barrier_init(&pair, NULL, 2), 0);
	for (int i = 0; i < 5 && most < 20; i++) {
		int count = count_beside_drop();

		if (count > most)
			most = count;
	}
	printf("%d BOs created and dropped beside one drop\n", most);
	CHECK(most >= 20);
	pthread_barrier_destroy(&pair);
}

/*
 * A thread that is to be cancelled takes a reference to a known device: the library closes
 * its duplicate of the descriptor, and must not end there with its mutex held.
 */
static void *open_known(void *arg)
{
	struct ferry_device *same;

	pthread_cancel(pthread_self());
	CHECK_OK(ferry_device_new(ferry_device_fd(dev), 0, &same));
	CHECK(same == dev);
	ferry_device_del(same);
	CHECK_OK(ferry_device_open(0, &same));
	ferry_bo_del(new_bo(same, PAGE, 0));
	ferry_device_del(same);
	atomic_store(&dropped, true);
	return arg;
}

static void cancelled(void)
{
	struct ferry_device *other;
	pthread_t thread;

	atomic_store(&dropped, false);
	CHECK_EQ(pthread_create(&thread, NULL, open_known, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(atomic_load(&dropped));
	other = open_or_skip();
	ferry_device_del(other);
}

int main(void)
{
	int fds;

	dev = open_or_skip();
	fds = count_fds();
	CHECK_EQ(pthread_barrier_init(&start, NULL, NR_THREADS), 0);
	RUN(one_buffer, 512 * PAGE, only_import_and_drop,
	    "import and drop alone");
	RUN(one_buffer, 2 * PAGE, import_and_drop, "import and drop");
	RUN(own_buffers);
	RUN(one_mapping);
	RUN(one_open_file);
	RUN(creation_beside_a_drop);
	RUN(cancelled);
	pthread_barrier_destroy(&start);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
