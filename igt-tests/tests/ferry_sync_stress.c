// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sync stress
 * Category: Core
 * Description: Asynchronous moves of many BOs and in a full aperture, and clients and devices that go meanwhile
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/sync_file.h>

#include "igt.h"
#include "igt_kmod.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sync.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION(
	"Asynchronous moves of many BOs and in a full aperture, and clients and devices that go meanwhile");

#define MANY 96

/**
 * SUBTEST: many
 * Description: one out-sync signals when all of many BOs have moved, in both directions or not at all
 */
static void test_many(int fd)
{
	struct drm_ferry_migrate_entry entries[MANY];
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo[MANY];
	struct igt_ferry_gate gate;

	for (unsigned int i = 0; i < MANY; i++) {
		igt_ferry_bo_init(&bo[i], fd, (1 + i % 13) * PAGE,
				  &igt_ferry_movable_kinds[i % 4]);
		igt_ferry_bo_fill(&bo[i]);
	}
	for (unsigned int round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			entries[i].handle = bo[(i * 31 + round) % MANY].handle;
			entries[i].placement = (i + round) % 3 ? APERTURE :
								 SYSTEM;
		}
		igt_ferry_gate_init(&gate);
		in = igt_ferry_gate_sync(&gate, fd, 0);
		out.point++;
		igt_assert_eq(__ferry_migrate_sync(fd, entries, MANY, &in, 1,
						   &out, 1),
			      0);
		for (unsigned int i = 0; i < MANY; i++)
			igt_assert_eq(ferry_bo_placement(fd, entries[i].handle),
				      entries[i].placement);
		igt_ferry_assert_pending(&gate, fd, out);
		igt_ferry_gate_open(&gate);
		igt_ferry_sync_wait(fd, out);
		for (unsigned int i = 0; i < MANY; i++) {
			igt_assert_eq(__ferry_bo_wait(fd, bo[i].handle, 0), 0);
			igt_ferry_bo_check(&bo[i]);
		}
		igt_ferry_gate_fini(&gate);
	}
	for (unsigned int i = 0; i < MANY; i++)
		igt_ferry_bo_fini(&bo[i]);
}

/**
 * SUBTEST: swap-full-%s
 * Description: one call moves a BO out of a full aperture and another one to the aperture
 *
 * arg[1].values: wait, sync
 */
static void check_swap(int fd, bool sync)
{
	size_t size = evictable_size(fd);
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo[2];

	bo_init(&bo[0], fd, size, APERTURE);
	bo_init(&bo[1], fd, size, SYSTEM);
	for (int round = 0; round < 4; round++) {
		/* in either order */
		struct drm_ferry_migrate_entry entries[2];

		entries[round / 2] =
			(struct drm_ferry_migrate_entry){ bo[round & 1].handle,
							  SYSTEM };
		entries[!(round / 2)] =
			(struct drm_ferry_migrate_entry){ bo[~round & 1].handle,
							  APERTURE };

		igt_assert_eq(__ferry_migrate_sync(fd, entries, 2, NULL, 0,
						   &out, sync),
			      0);
		for (int i = 0; i < 2; i++)
			igt_assert_eq(ferry_bo_placement(fd, entries[i].handle),
				      entries[i].placement);
		igt_ferry_bo_check(&bo[~round & 1]);
		igt_ferry_bo_check(&bo[round & 1]);
		if (sync)
			igt_ferry_sync_wait(fd, out);
	}
	igt_ferry_bo_fini(&bo[0]);
	igt_ferry_bo_fini(&bo[1]);
}

static void test_swap_full_wait(int fd)
{
	check_swap(fd, false);
}

static void test_swap_full_sync(int fd)
{
	check_swap(fd, true);
}

/**
 * SUBTEST: half-way
 * Description: a call that fails with ENOSPC after its first move keeps all contents, and its out-sync has no fence
 */
static void test_half_way(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct drm_ferry_migrate_entry entries[3];
	struct igt_ferry_bo small[2], big;
	unsigned int count, kept = 0;
	uint32_t *handles;
	int err;

	/* every other piece of the aperture is free */
	count = igt_ferry_aperture_fill(fd, 16 * PAGE, &handles);
	for (unsigned int i = 0; i < count; i++) {
		if (i & 1)
			gem_close(fd, handles[i]);
		else
			handles[kept++] = handles[i];
	}
	for (int i = 0; i < 2; i++) {
		bo_init(&small[i], fd, 16 * PAGE, SYSTEM);
		entries[2 * i] =
			(struct drm_ferry_migrate_entry){ small[i].handle,
							  APERTURE };
	}
	igt_ferry_bo_init(&big, fd, 32 * PAGE, &igt_ferry_movable_kinds[2]);
	igt_ferry_bo_fill(&big);
	entries[1] = (struct drm_ferry_migrate_entry){ big.handle, APERTURE };

	for (uint32_t outs = 0; outs < 2; outs++) {
		err = __ferry_migrate_sync(fd, entries, 3, NULL, 0, &out, outs);
		igt_assert_eq(err, -ENOSPC);
		igt_assert_eq(igt_ferry_sync_state(fd, out), -EINVAL);
		igt_assert_eq(ferry_bo_placement(fd, big.handle), SYSTEM);
		for (int i = 0; i < 2; i++)
			igt_ferry_bo_check(&small[i]);
		igt_ferry_bo_check(&big);
	}
	igt_ferry_close_all(fd, handles, kept);
	igt_assert_eq(__ferry_migrate_sync(fd, entries, 3, NULL, 0, &out, 1),
		      0);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&big);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&small[i]);
		igt_ferry_bo_fini(&small[i]);
	}
	igt_ferry_bo_fini(&big);
}

/**
 * SUBTEST: close-%s
 * Description: a BO that is closed while a move is pending is freed when the copy has ended
 *
 * arg[1]:
 *
 * @handle:	its handle and its mapping are closed
 * @file:	the device file is closed
 */
static void check_close(int fd, bool file)
{
	for (uint32_t placement = SYSTEM; placement <= APERTURE; placement++) {
		struct counts before = counts_get(fd);
		int client = igt_ferry_reopen(fd, O_RDWR);
		struct igt_ferry_gate gate;
		struct igt_ferry_bo bo;
		uint64_t room;
		bool closed;

		bo_init_pending(&bo, client, SIZE, placement, &gate);
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		if (file)
			close(client);
		else
			gem_close(client, bo.handle);
		usleep(WATCH);
		room = igt_ferry_aperture_free(fd);
		closed = sync_fence_status(gate.file) == 0;
		igt_ferry_gate_open(&gate);
		/* the copy still needs the resource in the aperture */
		if (closed)
			igt_assert_lt_u64(room, before.room);
		counts_check(fd, before);
		if (!file)
			close(client);
		igt_ferry_gate_fini(&gate);
	}
}

static void test_close_handle(int fd)
{
	check_close(fd, false);
}

static void test_close_file(int fd)
{
	check_close(fd, true);
}

/* The client: moves its own BOs and a shared one asynchronously, and waits in a fault. */
static void client_of_kill(int fd, int dmabuf,
			   const struct igt_ferry_gate *gate, int tell)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync in = igt_ferry_gate_sync(gate, client, 0);
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 1);
	struct drm_ferry_migrate_entry entries[3];
	struct igt_ferry_bo bo[2];

	bo_init(&bo[0], client, SIZE, SYSTEM);
	bo_init(&bo[1], client, SIZE, APERTURE);
	entries[0] = (struct drm_ferry_migrate_entry){ bo[0].handle, APERTURE };
	entries[1] = (struct drm_ferry_migrate_entry){ bo[1].handle, SYSTEM };
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &entries[2].handle),
		      0);
	entries[2].placement = APERTURE;
	igt_assert_eq(__ferry_migrate_sync(client, entries, 3, &in, 1, &out, 1),
		      0);
	igt_assert_eq(write(tell, "!", 1), 1);
	igt_ferry_bo_check(&bo[0]);
	igt_ferry_bo_check(&bo[1]);
	pause();
}

/**
 * SUBTEST: kill
 * Description: a client that is killed leaves no BO, page or resource, and shared BOs keep their contents
 */
static void test_kill(int fd)
{
	struct timespec start = {};
	struct counts before;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int dmabuf, status, fds[2];
	pid_t child;
	char byte;

	bo_init(&bo, fd, SIZE, SYSTEM);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	before = counts_get(fd);
	igt_ferry_gate_init(&gate);
	igt_assert_eq(pipe(fds), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		client_of_kill(fd, dmabuf, &gate, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	igt_assert_eq(read(fds[0], &byte, 1), 1);
	usleep(WATCH);
	kill(child, SIGKILL);
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_assert(WIFSIGNALED(status));
	/* the client has ended before the gate opens */
	igt_ferry_gate_require_closed(&gate);
	igt_assert_lt(igt_seconds_elapsed(&start), 8);
	igt_ferry_gate_open(&gate);

	igt_ferry_bo_check(&bo);
	ferry_bo_migrate(fd, bo.handle, SYSTEM);
	igt_ferry_bo_check(&bo);
	counts_check(fd, before);
	close(fds[0]);
	close(dmabuf);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: kill-storm
 * Description: clients that are killed during asynchronous moves leave no BO, page or resource
 */
static void test_kill_storm(int fd)
{
	struct counts before = counts_get(fd);

	for (unsigned int round = 0; round < 25; round++) {
		pid_t child = fork();
		int status;

		igt_assert(child >= 0);
		if (!child) {
			int client = igt_ferry_reopen(fd, O_RDWR);
			struct drm_ferry_sync out =
				igt_ferry_sync_new(client, 1);
			struct igt_ferry_bo bo[3];

			for (int i = 0; i < 3; i++)
				bo_init(&bo[i], client, 100 * PAGE,
					i & 1 ? APERTURE : SYSTEM);
			for (unsigned int i = 0;; i++, out.point++) {
				struct igt_ferry_bo *one = &bo[i % 3];

				ferry_bo_migrate_sync(client, one->handle,
						      i % 2 ? APERTURE : SYSTEM,
						      NULL, &out);
				igt_ferry_check(one->map, 0, 1, one->id,
						one->gen);
			}
		}
		usleep(20000 + round * 7919 % 60000);
		kill(child, SIGKILL);
		igt_assert_eq(waitpid(child, &status, 0), child);
		igt_assert_f(WIFSIGNALED(status),
			     "the client ended by itself\n");
		/* BOs of many dead clients could evict others, such as the framebuffer of the console */
		igt_ferry_wait_stat(fd, "bos", before.bos);
	}
	counts_check(fd, before);
}

/**
 * SUBTEST: storm
 * Description: clients move, access, wait for and evict BOs at the same time, and all contents are kept
 */
static void test_storm(int fd)
{
	struct counts before = counts_get(fd);

	igt_fork(child, 4)
	{
		int client = igt_ferry_reopen(fd, O_RDWR);
		struct drm_ferry_sync out = igt_ferry_sync_new(client, 1);
		size_t size = ALIGN(igt_ferry_aperture_free(fd) / 12, PAGE);
		struct igt_ferry_bo bo[6];
		struct timespec start = {};
		unsigned int seed = child;

		for (int i = 0; i < 6; i++) {
			igt_ferry_bo_init(&bo[i], client, size,
					  &igt_ferry_movable_kinds[child]);
			igt_ferry_bo_fill(&bo[i]);
		}
		while (igt_seconds_elapsed(&start) < 6) {
			struct igt_ferry_bo *one = &bo[rand_r(&seed) % 6];
			struct drm_ferry_sync in = out;
			int err;

			in.point--;
			err = __ferry_bo_migrate_sync(
				client, one->handle,
				rand_r(&seed) & 1 ? APERTURE : SYSTEM,
				in.point && rand_r(&seed) & 1 ? &in : NULL,
				&out);
			/* contiguous BOs may not fit beside those of other clients */
			if (err)
				igt_assert(err == -ENOSPC && child > 1);
			else
				out.point++;
			one = &bo[rand_r(&seed) % 6];
			if (rand_r(&seed) % 4)
				igt_ferry_bo_check(one);
			else
				igt_ferry_bo_fill(one);
			if (rand_r(&seed) % 8 == 0)
				ferry_bo_wait(client, one->handle);
		}
		for (int i = 0; i < 6; i++)
			igt_ferry_bo_check(&bo[i]);
	}
	igt_waitchildren();
	counts_check(fd, before);
}

/**
 * SUBTEST: unload-with-sync-file
 * Description: the module cannot be unloaded before its last fence has been released
 */
static void test_unload(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct sync_fence_info info;
	struct igt_ferry_bo bo;
	int file;

	bo_init(&bo, fd, SIZE, SYSTEM);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, NULL, &out);
	igt_ferry_sync_wait(fd, out);
	file = igt_ferry_sync_file(fd, out);
	igt_ferry_bo_fini(&bo);
	close(fd);
	igt_assert_eq(igt_ferry_module_unbind(), 0);

	/*
	 * No device is left, but the fence has the name of the driver. From Linux
	 * 6.17 on a signaled fence has none.
	 */
	igt_assert(igt_kmod_unload("ferry", 0) != 0);
	igt_assert(igt_kmod_is_loaded("ferry"));
	igt_assert_eq(sync_info(file, &info), 0);
	if (strcmp(info.driver_name, "detached-driver"))
		igt_assert_eq(strcmp(info.driver_name, "ferry"), 0);
	igt_assert_eq(info.status, 1);
	close(file);
	igt_ferry_module_unload();
	igt_ferry_module_start_over();
}

static void run_unbind(struct task *task)
{
	task->err = igt_ferry_module_unbind();
}

/**
 * SUBTEST: unbind-%s
 * Description: unbinding the device ends pending moves, signals their fences and keeps all contents
 *
 * arg[1]:
 *
 * @held:	the moves wait for an in-sync
 * @busy:	the copies are being done
 */
static void check_unbind(int fd, bool held)
{
	enum { BOS = 12 };
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct task task = { .run = run_unbind };
	struct igt_ferry_bo bo[BOS];
	struct igt_ferry_gate gate;
	int file;

	for (int i = 0; i < BOS; i++)
		bo_init(&bo[i], fd, 200 * PAGE, i & 1 ? APERTURE : SYSTEM);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	for (int i = 0; i < BOS; i++)
		ferry_bo_migrate_sync(fd, bo[i].handle,
				      i & 1 ? SYSTEM : APERTURE,
				      held ? &in : NULL, &out);
	file = igt_ferry_sync_file(fd, out);
	task_start(&task);
	pthread_join(task.thread, NULL);
	igt_assert_eq(task.err, 0);
	igt_assert_eq(sync_fence_wait(file, 60000), 0);
	/* moves that wait for the fence of another driver are canceled */
	igt_assert_eq(sync_fence_status(file), held ? -ECANCELED : 1);
	igt_ferry_gate_require_closed(&gate);
	for (int i = 0; i < BOS; i++) {
		igt_assert_eq(__ferry_bo_migrate_sync(fd, bo[i].handle,
						      APERTURE, NULL, &out),
			      -ENODEV);
		igt_assert_eq(__ferry_bo_wait(fd, bo[i].handle, 0), -ENODEV);
		igt_ferry_bo_check(&bo[i]);
		igt_assert_eq(munmap(bo[i].map, bo[i].size), 0);
	}
	close(file);
	close(fd);
	igt_ferry_gate_fini(&gate);
	igt_ferry_module_restore();
	igt_assert(igt_ferry_module_is_bound());
}

static void test_unbind_held(int fd)
{
	check_unbind(fd, true);
}

static void test_unbind_busy(int fd)
{
	check_unbind(fd, false);
}

static const struct igt_ferry_test tests[] = {
	{ "many",
	  "one out-sync signals when all of many BOs have moved, in both directions or not at all",
	  test_many },
	{ "swap-full-wait",
	  "one call moves a BO out of a full aperture and another one to the aperture",
	  test_swap_full_wait },
	{ "swap-full-sync",
	  "one call moves a BO out of a full aperture and another one to the aperture",
	  test_swap_full_sync },
	{ "half-way",
	  "a call that fails with ENOSPC after its first move keeps all contents, and its out-sync has no fence",
	  test_half_way },
	{ "close-handle",
	  "a BO that is closed while a move is pending is freed when the copy has ended",
	  test_close_handle },
	{ "close-file",
	  "a BO that is closed while a move is pending is freed when the copy has ended",
	  test_close_file },
	{ "kill",
	  "a client that is killed leaves no BO, page or resource, and shared BOs keep their contents",
	  test_kill },
	{ "kill-storm",
	  "clients that are killed during asynchronous moves leave no BO, page or resource",
	  test_kill_storm },
	{ "storm",
	  "clients move, access, wait for and evict BOs at the same time, and all contents are kept",
	  test_storm },
	{}
};

/* These unbind the device or unload the module. */
static const struct igt_ferry_test last_tests[] = {
	{ "unbind-held",
	  "unbinding the device ends pending moves, signals their fences and keeps all contents",
	  test_unbind_held },
	{ "unbind-busy",
	  "unbinding the device ends pending moves, signals their fences and keeps all contents",
	  test_unbind_busy },
	{ "unload-with-sync-file",
	  "the module cannot be unloaded before its last fence has been released",
	  test_unload },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, last_tests);
}
