// SPDX-License-Identifier: MIT
/*
 * Eight threads use the library at the same time: one buffer that is repeatedly dropped and
 * imported again, buffers of their own, one mapping of a BO that moves, one open file.
 *
 * Each part ends after a number of rounds or after some seconds, whichever comes first, so
 * that it also ends under valgrind in an emulated machine.
 */

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define NR_THREADS 8
#define MAX_ROUNDS 2000
#define MIN_ROUNDS 5
#define MAX_SECONDS 4

struct worker {
	pthread_t thread;
	int number;
	unsigned int rounds;
	uint32_t random;
};

static struct ferry_device *dev;
static pthread_barrier_t start;
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

		CHECK_OK(ferry_bo_from_dmabuf(dev, shared_dmabuf, &bo));
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

/* The same without accesses in between, so that more lookups race with the last drop. */
static void *only_import_and_drop(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&start);
	while (another_round(worker)) {
		for (int i = 0; i < 8; i++) {
			struct ferry_bo *bo;

			CHECK_OK(ferry_bo_from_dmabuf(dev, shared_dmabuf, &bo));
			CHECK_EQ(placement_of(bo), SYSTEM);
			ferry_bo_del(bo);
		}
	}
	return NULL;
}

static void one_buffer(void)
{
	struct ferry_bo *bo = new_bo(dev, 2 * PAGE, 0);
	uint64_t *map = map_bo(bo);

	map[0] = 0x1111;
	shared_dmabuf = ferry_bo_to_dmabuf(bo);
	CHECK(shared_dmabuf >= 0);
	CHECK_OK(ferry_bo_unmap(bo));
	ferry_bo_del(bo);
	run_threads(only_import_and_drop, "import and drop alone");
	run_threads(import_and_drop, "import and drop");
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

		CHECK_OK(ferry_device_new(shared_fd, &mine));
		CHECK_OK(ferry_device_new(shared_fd, &same));
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

int main(void)
{
	int fds;

	dev = open_or_skip();
	fds = count_fds();
	CHECK_EQ(pthread_barrier_init(&start, NULL, NR_THREADS), 0);
	RUN(one_buffer);
	RUN(own_buffers);
	RUN(one_mapping);
	RUN(one_open_file);
	pthread_barrier_destroy(&start);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
