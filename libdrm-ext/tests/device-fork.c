// SPDX-License-Identifier: MIT
/*
 * Child processes of fork(): they can open the device whatever other threads of the parent do,
 * and drop the parent's objects without an effect on the parent.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/*
 * The allocator of AddressSanitizer in GCC 12 does nothing at fork(): if another thread was
 * allocating memory, the child waits for a lock for ever.
 */
#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN true
#else
#define WITH_ASAN false
#endif

static struct ferry_device *dev;
static void *mapping;

/* Run a function in a child process, for at most 20 seconds. */
static void in_child(void (*function)(struct ferry_bo *), struct ferry_bo *bo)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(20);
		function(bo);
		/* With exit() valgrind would report memory of the parent as leaked. */
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void drop(struct ferry_bo *bo)
{
	void *map = mapping;

	CHECK(is_mapped(map));
	ferry_bo_del(ferry_bo_ref(bo));
	CHECK(is_mapped(map));
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));
	ferry_device_del(dev);
}

/* The handle is still the parent's, and no other BO gets it. */
static void parent_keeps_its_bo(void)
{
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);
	struct ferry_bo *next;

	mapping = map_bo(bo);
	fill(mapping, 4 * PAGE, 1);
	in_child(drop, bo);
	next = new_bo(dev, PAGE, 0);
	CHECK(ferry_bo_handle(next) != ferry_bo_handle(bo));
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	ferry_bo_del(next);
	check_filled(map_bo(bo), 4 * PAGE, 1);
	CHECK_EQ(placement_of(bo), APERTURE);
	ferry_bo_del(bo);
}

static void refused(struct ferry_bo *bo)
{
	struct ferry_bo_move move = { .bo = bo, .placement = APERTURE };
	struct drm_ferry_device_query device_info;
	struct drm_ferry_bo_query info;
	struct ferry_device *same;
	struct ferry_bo *other;
	uint64_t offset;
	void *map;

	CHECK_EQ(ferry_bo_new(dev, PAGE, ANYWHERE, 0, &other), -EPERM);
	CHECK_EQ(ferry_bo_from_handle(dev, ferry_bo_handle(bo), &other),
		 -EPERM);
	CHECK_EQ(ferry_bo_from_dmabuf(dev, 0, 0, &other), -EPERM);
	CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -EPERM);
	CHECK_EQ(ferry_bo_map(bo, 0, &map), -EPERM);
	CHECK_EQ(ferry_bo_map_range(bo, 0, PAGE, 0, &map), -EPERM);
	CHECK_EQ(ferry_bo_unmap(bo), -EPERM);
	CHECK_EQ(ferry_bo_mmap_offset(bo, 0, &offset), -EPERM);
	CHECK_EQ(ferry_bo_migrate(bo, APERTURE), -EPERM);
	CHECK_EQ(ferry_bo_migrate_many(dev, &move, 1, NULL), -EPERM);
	CHECK_EQ(ferry_bo_migrate_many(dev, &move, 0, NULL), -EPERM);
	CHECK_EQ(ferry_bo_wait(bo, 0, 0), -EPERM);
	CHECK_EQ(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, NULL), -EPERM);
	CHECK_EQ(ferry_bo_query(bo, &info, sizeof(info)), -EPERM);
	CHECK_EQ(ferry_device_query(dev, &device_info, sizeof(device_info)),
		 -EPERM);
	/* The parent's open file is no way round it. */
	CHECK_EQ(ferry_device_new(ferry_device_fd(dev), 0, &same), -EPERM);
	CHECK_EQ(ferry_bo_size(bo), 4 * PAGE);
}

static void calls_in_a_child_are_refused(void)
{
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);

	map_bo(bo);
	in_child(refused, bo);
	CHECK_EQ(placement_of(bo), SYSTEM);
	ferry_bo_del(bo);
}

static void open_again(struct ferry_bo *parents)
{
	struct ferry_device *own, *first;
	struct ferry_bo *bo;

	(void)parents;
	CHECK_OK(ferry_device_reopen(ferry_device_fd(dev), 0, &own));
	CHECK(own != dev);
	CHECK_OK(ferry_device_open(0, &first));
	bo = new_bo(own, 4 * PAGE, 0);
	fill(map_bo(bo), 4 * PAGE, 3);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	check_filled(map_bo(bo), 4 * PAGE, 3);
	ferry_bo_del(bo);
	ferry_device_del(first);
	ferry_device_del(own);
}

static void child_of_a_child(struct ferry_bo *bo)
{
	in_child(open_again, bo);
	open_again(bo);
	in_child(refused, bo);
}

static void child_opens_again(void)
{
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);

	map_bo(bo);
	in_child(open_again, bo);
	in_child(child_of_a_child, bo);
	ferry_bo_del(bo);
}

static atomic_bool stop;

static void *open_and_close(void *arg)
{
	while (!atomic_load(&stop)) {
		struct ferry_device *other;

		CHECK_OK(ferry_device_open(0, &other));
		ferry_device_del(other);
	}
	return arg;
}

/* A thread of the parent holds the mutex of the list most of the time. */
static void fork_beside_an_opening_thread(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, open_and_close, NULL), 0);
	for (int i = 0; i < 20; i++)
		in_child(open_again, NULL);
	atomic_store(&stop, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(void)
{
	int fds;

	dev = open_or_skip();
	fds = count_fds();
	RUN(parent_keeps_its_bo);
	RUN(calls_in_a_child_are_refused);
	RUN(child_opens_again);
	if (!WITH_ASAN)
		RUN(fork_beside_an_opening_thread);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
