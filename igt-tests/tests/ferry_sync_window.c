// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sync window
 * Category: Core
 * Description: Races of asynchronous moves, with the window between two steps of the kernel made longer
 */
#include <fcntl.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sync.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION(
	"Races of asynchronous moves, with the window between two steps of the kernel made longer");

/*
 * A thread whose calls of one function of the kernel are delayed. Assertions work in the
 * main thread only: the thread records its results.
 */
struct mover {
	pthread_t thread;
	void (*run)(struct mover *mover);
	int fd;
	struct igt_ferry_bo *bo;
	uint32_t placement;
	struct drm_ferry_sync in;
	struct drm_ferry_sync out;
	volatile pid_t id;
	volatile bool begin;
	volatile bool ended;
	int err;
};

static void *mover_thread(void *arg)
{
	struct mover *mover = arg;

	mover->id = gettid();
	while (!mover->begin)
		usleep(1000);
	mover->run(mover);
	mover->ended = true;
	return NULL;
}

/* Start the thread, with each return of @function delayed by @ms. */
static void mover_start(struct mover *mover, const char *function,
			unsigned int ms)
{
	igt_assert_eq(pthread_create(&mover->thread, NULL, mover_thread, mover),
		      0);
	while (!mover->id)
		usleep(1000);
	igt_ferry_break_delay(function, ms, mover->id, 0);
	mover->begin = true;
}

static void mover_join(struct mover *mover)
{
	pthread_join(mover->thread, NULL);
	igt_ferry_break_unload();
	igt_assert_eq(mover->err, 0);
}

static void run_async(struct mover *mover)
{
	mover->err = __ferry_bo_migrate_sync(mover->fd, mover->bo->handle,
					     mover->placement, &mover->in,
					     &mover->out);
}

/* Export the fences of a dma-buf as soon as one of them is pending. */
static int export_pending(int dmabuf)
{
	struct timespec start = {};

	while (igt_seconds_elapsed(&start) < 10) {
		struct dma_buf_export_sync_file export = {
			.flags = DMA_BUF_SYNC_RW
		};

		do_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);
		if (sync_fence_status(export.fd) == 0)
			return export.fd;
		close(export.fd);
	}
	igt_assert_f(false, "the move added no fence to the BO\n");
	return -1;
}

/*
 * One thread moves a BO to @placement behind a gate. As soon as this move's fence can be seen,
 * another thread makes a move of another BO wait for it. Return true if that call ended
 * before the first one, whose return from dma_resv_add_fence() is delayed.
 */
static bool check_cycle(int fd, uint32_t placement)
{
	struct drm_ferry_sync fence = igt_ferry_sync_new(fd, 0),
			      out = igt_ferry_sync_new(fd, 0);
	struct mover mover = {
		.run = run_async,
		.fd = fd,
		.placement = placement,
		.out = igt_ferry_sync_new(fd, 0),
	};
	struct igt_ferry_bo bo, next;
	struct igt_ferry_gate gate;
	int dmabuf, file;
	bool between;

	bo_init(&bo, fd, SIZE, placement ^ FERRY_PLACEMENT_BOTH);
	bo_init(&next, fd, PAGE, SYSTEM);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC | DRM_RDWR,
					 &dmabuf),
		      0);
	igt_ferry_gate_init(&gate);
	mover.in = igt_ferry_gate_sync(&gate, fd, 0);
	mover.bo = &bo;
	mover_start(&mover, "dma_resv_add_fence", 300);

	file = export_pending(dmabuf);
	igt_assert_eq(drmSyncobjImportSyncFile(fd, fence.handle, file), 0);
	ferry_bo_migrate_sync(fd, next.handle, APERTURE, &fence, &out);
	between = !mover.ended;
	mover_join(&mover);

	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, mover.out);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&next);
	close(file);
	close(dmabuf);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&next);
	igt_ferry_gate_fini(&gate);
	return between;
}

/**
 * SUBTEST: no-cycle
 * Description: two moves of one file never wait for each other, although one thread makes its move depend on the fence of the other thread's as soon as that is visible
 */
static void test_no_cycle(int fd)
{
	for (uint32_t placement = SYSTEM; placement <= APERTURE; placement++) {
		bool between = false;

		for (int i = 0; i < 10 && !between; i++)
			between = check_cycle(fd, placement);
		igt_require_f(
			between,
			"this virtual machine is too slow: no call ended within the delay of another\n");
	}
}

enum { GHOST_ROUNDS = 25 };

/* Two clients that evict each other's BOs may find no space until the other has finished. */
static int migrate_to_aperture(const struct igt_ferry_bo *bo)
{
	int err = __ferry_bo_migrate(bo->fd, bo->handle, APERTURE);

	return err == -ENOSPC ? 0 : err;
}

/* Move the BO to system memory without waiting for the copy, and back. */
static void run_to_and_fro(struct mover *mover)
{
	for (int i = 0; i < GHOST_ROUNDS && !mover->err; i++) {
		mover->err = __ferry_bo_migrate_sync(mover->fd,
						     mover->bo->handle, SYSTEM,
						     NULL, &mover->out);
		if (!mover->err)
			mover->err = migrate_to_aperture(mover->bo);
	}
}

/**
 * SUBTEST: evict-old-resource
 * Description: a client that needs space while the old resource of another client's BO is handed over neither frees nor purges anything else
 */
static void test_evict_old_resource(int fd)
{
	/* both BOs do not fit into the aperture */
	const size_t size = evictable_size(fd) / 8 * 5 & -PAGE;
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct mover mover = {
		.run = run_to_and_fro,
		.fd = fd,
		.out = igt_ferry_sync_new(fd, 0),
	};
	struct igt_ferry_bo bo, other;
	unsigned int rounds = 0;

	bo_init(&bo, fd, size, APERTURE);
	bo_init(&other, client, size, SYSTEM);
	mover.bo = &bo;
	/* the second call is for the ghost BO, which is reserved and already on TTM's LRU list */
	mover_start(&mover, "dma_resv_add_fence", 20);
	while (!mover.ended) {
		igt_assert_eq(migrate_to_aperture(&other), 0);
		rounds++;
		if (rounds % 8 == 0)
			igt_ferry_bo_check(&other);
	}
	mover_join(&mover);
	igt_info("%u moves against %d\n", rounds, GHOST_ROUNDS);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&other);
	igt_assert_eq_u32(ferry_bo_madv(fd, bo.handle),
			  DRM_FERRY_MADV_WILLNEED);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&other);
	close(client);
}

static const struct igt_ferry_test tests[] = {
	{ "no-cycle",
	  "two moves of one file never wait for each other, although one thread makes its move depend on the fence of the other thread's as soon as that is visible",
	  test_no_cycle },
	{ "evict-old-resource",
	  "a client that needs space while the old resource of another client's BO is handed over neither frees nor purges anything else",
	  test_evict_old_resource },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* so that a subtest that fails does not leave ferry_break loaded */
		igt_ferry_module_begin(fd);
	}

	igt_ferry_run_tests(fd, tests);

	igt_fixture close(fd);
}
