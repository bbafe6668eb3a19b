/* SPDX-License-Identifier: MIT */
/*
 * BOs with asynchronous moves that wait for a gate, and threads that wait for
 * these moves.
 */
#ifndef SYNC_TASK_H
#define SYNC_TASK_H

#include <pthread.h>
#include <sys/ioctl.h>

#include <linux/sync_file.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

#define SIZE (300 * PAGE)

/* How long to wait for an event that must not happen, in microseconds */
#define WATCH 150000

static inline void bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
			   uint32_t placement)
{
	igt_ferry_bo_init(bo, fd, size, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(bo);
	if (placement != SYSTEM)
		ferry_bo_migrate(fd, bo->handle, placement);
}

/* Size of the aperture without what cannot be evicted */
static inline size_t evictable_size(int fd)
{
	struct drm_ferry_device_query device;

	ferry_device_query(fd, &device);
	return device.aperture_size -
	       igt_ferry_stat(fd, "aperture_unevictable");
}

/* Create a BO with an asynchronous move to @placement that waits for the gate. */
static inline struct drm_ferry_sync bo_init_pending(struct igt_ferry_bo *bo,
						    int fd, size_t size,
						    uint32_t placement,
						    struct igt_ferry_gate *gate)
{
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);

	bo_init(bo, fd, size, placement ^ FERRY_PLACEMENT_BOTH);
	igt_ferry_gate_init(gate);
	in = igt_ferry_gate_sync(gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo->handle, placement, &in, &out);
	igt_assert_eq(ferry_bo_placement(fd, bo->handle), placement);
	return out;
}

struct counts {
	uint64_t bos;
	uint64_t pages;
	uint64_t room;
};

static inline struct counts counts_get(int fd)
{
	return (struct counts){
		.bos = igt_ferry_stat(fd, "bos"),
		.pages = igt_ferry_stat(fd, "system_pages"),
		.room = igt_ferry_aperture_free(fd),
	};
}

/* A BO that is closed before it is idle is freed by a work item. */
static inline void counts_check(int fd, struct counts before)
{
	igt_ferry_wait_stat(fd, "bos", before.bos);
	igt_ferry_wait_stat(fd, "system_pages", before.pages);
	for (int i = 0; i < 500; i++) {
		if (igt_ferry_aperture_free(fd) == before.room)
			return;
		usleep(20000);
	}
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), before.room);
}

/*
 * A thread whose operation must wait until the gate opens. Assertions work in the
 * main thread only: the thread records its results.
 */
struct task {
	pthread_t thread;
	void (*run)(struct task *task);
	struct igt_ferry_bo *bo;
	int fd;
	int other;
	uint32_t number;
	int err;
	uint64_t *seen;
	volatile bool begun;
	volatile bool ended;
};

static inline void *task_thread(void *arg)
{
	struct task *task = arg;

	task->begun = true;
	task->run(task);
	task->ended = true;
	return NULL;
}

static inline void task_start(struct task *task)
{
	igt_assert_eq(pthread_create(&task->thread, NULL, task_thread, task),
		      0);
	while (!task->begun)
		usleep(1000);
}

/* Check that the operation waits for the gate, and open the gate. */
static inline void task_check_waits(struct task *task,
				    struct igt_ferry_gate *gate)
{
	bool ended, closed;

	task_start(task);
	usleep(WATCH);
	ended = task->ended;
	closed = sync_fence_status(gate->file) == 0;
	igt_ferry_gate_open(gate);
	pthread_join(task->thread, NULL);
	igt_require_f(
		closed,
		"this virtual machine is too slow for fences of vgem, which signal after 10 seconds\n");
	igt_assert_f(!ended, "the operation did not wait for the move: %s\n",
		     strerror(-task->err));
}

/* Of the fence itself: the fence of a point of a timeline does not have its error. */
static inline int sync_info(int file, struct sync_fence_info *fence)
{
	struct sync_file_info info = {
		.num_fences = 1,
		.sync_fence_info = to_user_pointer(fence),
	};

	memset(fence, 0, sizeof(*fence));
	return ioctl(file, SYNC_IOC_FILE_INFO, &info);
}

static inline void run_migrate(struct task *task)
{
	task->err =
		__ferry_bo_migrate(task->fd, task->bo->handle, task->number);
}

#endif /* SYNC_TASK_H */
