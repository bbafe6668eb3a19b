// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sync
 * Category: Core
 * Description: Order of asynchronous moves, and their in-syncs and out-syncs
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION(
	"Order of asynchronous moves, and their in-syncs and out-syncs");

/**
 * SUBTEST: out-%s
 * Description: out-syncs signal when the copy has ended
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_out(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t pages[] = { 1, 17, 512, 700 };
	struct drm_ferry_sync timeline = igt_ferry_sync_new(fd, 0);
	uint64_t reached;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		uint32_t placement = APERTURE;
		struct igt_ferry_bo bo;

		igt_ferry_bo_init(&bo, fd, pages[i] * PAGE, kind);
		for (int round = 0; round < 4; round++) {
			struct drm_ferry_sync out[2] = {
				igt_ferry_sync_new(fd, 0), timeline
			};

			out[1].point = ++timeline.point;
			igt_ferry_bo_fill(&bo);
			igt_assert_eq(igt_ferry_sync_state(fd, out[0]),
				      -EINVAL);
			igt_assert_eq(igt_ferry_sync_state(fd, out[1]),
				      -EINVAL);
			igt_assert_eq(__ferry_migrate_sync(
					      fd,
					      &(struct drm_ferry_migrate_entry){
						      bo.handle, placement },
					      1, NULL, 0, out, 2),
				      0);
			igt_assert_eq(ferry_bo_placement(fd, bo.handle),
				      placement);
			igt_ferry_sync_wait(fd, out[round & 1]);
			igt_assert_eq(igt_ferry_sync_state(fd, out[0]), 0);
			igt_assert_eq(igt_ferry_sync_state(fd, out[1]), 0);
			igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
			igt_ferry_bo_check(&bo);
			placement ^= FERRY_PLACEMENT_BOTH;
		}
		igt_ferry_bo_fini(&bo);
	}
	igt_assert_eq(drmSyncobjQuery(fd, &timeline.handle, &reached, 1), 0);
	igt_assert_eq_u64(reached, timeline.point);
}

/**
 * SUBTEST: in-%s
 * Description: the copy waits for the in-sync, and the out-syncs and BO_WAIT wait for the copy
 *
 * arg[1].values: binary, timeline
 */
static void check_in(int fd, uint64_t point, uint32_t placement)
{
	const char *counter = placement == APERTURE ? "moves_to_aperture" :
						      "moves_to_system";
	struct drm_ferry_sync in, out[2];
	struct drm_ferry_migrate_entry entry;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint64_t moves, reached;
	int busy;

	bo_init(&bo, fd, SIZE, placement ^ FERRY_PLACEMENT_BOTH);
	entry = (struct drm_ferry_migrate_entry){ bo.handle, placement };
	moves = igt_ferry_stat(fd, counter);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, point);
	out[0] = igt_ferry_sync_new(fd, 0);
	out[1] = igt_ferry_sync_new(fd, 5);
	igt_assert_eq(__ferry_migrate_sync(fd, &entry, 1, &in, 1, out, 2), 0);

	igt_assert_eq(ferry_bo_placement(fd, bo.handle), placement);
	usleep(WATCH);
	busy = __ferry_bo_wait(fd, bo.handle, 0);
	igt_ferry_assert_pending(&gate, fd, out[0]);
	igt_ferry_assert_pending(&gate, fd, out[1]);
	igt_assert_eq(busy, -ETIME);
	igt_assert_eq(drmSyncobjQuery(fd, &out[1].handle, &reached, 1), 0);
	igt_assert_eq_u64(reached, 0);
	igt_assert_eq_u64(igt_ferry_stat(fd, counter), moves);

	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out[0]);
	igt_ferry_sync_wait(fd, out[1]);
	igt_assert_eq(drmSyncobjQuery(fd, &out[1].handle, &reached, 1), 0);
	igt_assert_eq_u64(reached, 5);
	ferry_bo_wait(fd, bo.handle);
	igt_assert_eq_u64(igt_ferry_stat(fd, counter), moves + 1);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static void test_in_binary(int fd)
{
	check_in(fd, 0, APERTURE);
	check_in(fd, 0, SYSTEM);
}

static void test_in_timeline(int fd)
{
	check_in(fd, 7, APERTURE);
	check_in(fd, 1ull << 40, SYSTEM);
}

/**
 * SUBTEST: in-all
 * Description: the copy waits for all of several in-syncs, which may signal in any order
 */
static void test_in_all(int fd)
{
	struct igt_ferry_gate gates[3];
	struct drm_ferry_sync in[4], out = igt_ferry_sync_new(fd, 0);
	struct drm_ferry_migrate_entry entry;
	struct igt_ferry_bo bo;

	bo_init(&bo, fd, SIZE, SYSTEM);
	entry = (struct drm_ferry_migrate_entry){ bo.handle, APERTURE };
	for (unsigned int i = 0; i < 3; i++) {
		igt_ferry_gate_init(&gates[i]);
		in[i] = igt_ferry_gate_sync(&gates[i], fd, i);
	}
	in[3] = igt_ferry_sync_new(fd, 0);
	igt_assert_eq(drmSyncobjSignal(fd, &in[3].handle, 1), 0);
	igt_assert_eq(__ferry_migrate_sync(fd, &entry, 1, in, 4, &out, 1), 0);
	for (int i = 2; i >= 0; i--) {
		usleep(WATCH / 3);
		igt_ferry_assert_pending(&gates[i], fd, out);
		igt_ferry_gate_open(&gates[i]);
		igt_ferry_gate_fini(&gates[i]);
	}
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

static void run_sync_in(struct task *task)
{
	struct drm_ferry_sync in = { .handle = task->number };

	task->err = __ferry_bo_migrate_sync(task->fd, task->bo->handle,
					    APERTURE, &in, NULL);
}

/**
 * SUBTEST: in-without-out
 * Description: a call with in-syncs and without out-syncs waits for its in-syncs before it moves a BO
 */
static void test_in_without_out(int fd)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_gate gate;
	struct task task = { .run = run_sync_in, .fd = fd, .bo = &bo };

	bo_init(&bo, fd, SIZE, SYSTEM);
	igt_ferry_gate_init(&gate);
	task.number = igt_ferry_gate_sync(&gate, fd, 0).handle;
	task_check_waits(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), APERTURE);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: order
 * Description: asynchronous moves of one file end in order, and do not wait for those of other files
 */
static void test_order(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync first, second = igt_ferry_sync_new(fd, 3),
				     foreign = igt_ferry_sync_new(client, 0);
	struct igt_ferry_bo bo[4];
	struct igt_ferry_gate gate;

	bo_init(&bo[1], fd, PAGE, SYSTEM);
	bo_init(&bo[2], client, PAGE, SYSTEM);
	bo_init(&bo[3], fd, PAGE, SYSTEM);
	first = bo_init_pending(&bo[0], fd, SIZE, APERTURE, &gate);

	/* has no in-sync, and waits for the first call of the same file */
	ferry_bo_migrate_sync(fd, bo[1].handle, APERTURE, NULL, &second);
	ferry_bo_migrate_sync(client, bo[2].handle, APERTURE, NULL, &foreign);
	ferry_bo_migrate(fd, bo[3].handle, APERTURE);
	igt_ferry_sync_wait(client, foreign);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, fd, second);
	igt_ferry_assert_pending(&gate, fd, first);

	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, second);
	igt_assert_eq(igt_ferry_sync_state(fd, first), 0);
	for (unsigned int i = 0; i < 4; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
	igt_ferry_gate_fini(&gate);
	close(client);
}

/**
 * SUBTEST: to-and-fro
 * Description: many queued moves of the same BOs keep the contents
 */
static void test_to_and_fro(int fd)
{
	enum { BOS = 4, ROUNDS = 12 };
	struct drm_ferry_migrate_entry entries[BOS];
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo[BOS];
	struct igt_ferry_gate gate;

	for (unsigned int i = 0; i < BOS; i++)
		bo_init(&bo[i], fd, (1 + 9 * i) * PAGE,
			i & 1 ? APERTURE : SYSTEM);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	for (unsigned int n = 0; n < ROUNDS; n++) {
		for (unsigned int i = 0; i < BOS; i++)
			entries[i] = (struct drm_ferry_migrate_entry){
				bo[i].handle, (i + n) & 1 ? SYSTEM : APERTURE
			};
		out.point++;
		igt_assert_eq(__ferry_migrate_sync(fd, entries, BOS, &in, !n,
						   &out, 1),
			      0);
	}
	igt_ferry_assert_pending(&gate, fd, out);
	igt_ferry_gate_open(&gate);
	for (unsigned int i = 0; i < BOS; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_assert_eq(ferry_bo_placement(fd, bo[i].handle),
			      entries[i].placement);
	}
	igt_ferry_sync_wait(fd, out);
	for (unsigned int i = 0; i < BOS; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: migrate-waits
 * Description: a synchronous move waits for an earlier asynchronous one, and keeps the contents
 */
static void test_migrate_waits(int fd)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_gate gate;
	struct task task = { .run = run_migrate, .fd = fd, .bo = &bo };

	for (task.number = SYSTEM; task.number <= APERTURE; task.number++) {
		task.begun = task.ended = false;
		bo_init_pending(&bo, fd, SIZE,
				task.number ^ FERRY_PLACEMENT_BOTH, &gate);
		task_check_waits(&task, &gate);
		igt_assert_eq(task.err, 0);
		igt_assert_eq(ferry_bo_placement(fd, bo.handle), task.number);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
		igt_ferry_gate_fini(&gate);
	}
}

/**
 * SUBTEST: other-client
 * Description: a move waits for an earlier move of the same BO by another client, and keeps the contents
 */
static void test_other_client(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR), dmabuf;
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint32_t handle;

	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &handle), 0);
	ferry_bo_migrate_sync(client, handle, SYSTEM, NULL, &out);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, client, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, out);
	igt_ferry_bo_check(&bo);
	close(dmabuf);
	close(client);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: error
 * Description: an error of an in-sync becomes the error of the out-syncs, and the copy is done
 */
static void test_error(int fd)
{
	igt_require_f(
		igt_ferry_gate_can_break(),
		"this kernel has no sw_sync, whose fences can fail: make test KERNEL=debug\n");
	for (uint64_t point = 0; point < 3; point++) {
		struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, point);
		struct drm_ferry_sync after = igt_ferry_sync_new(fd, 0);
		struct sync_fence_info info;
		struct igt_ferry_bo bo, next;
		struct igt_ferry_gate gate;
		int file, later;

		bo_init(&bo, fd, SIZE, SYSTEM);
		bo_init(&next, fd, PAGE, SYSTEM);
		igt_ferry_gate_init(&gate);
		in = igt_ferry_gate_sync(&gate, fd, point);
		ferry_bo_migrate_sync(fd, bo.handle, APERTURE, &in, &out);
		ferry_bo_migrate_sync(fd, next.handle, APERTURE, NULL, &after);
		file = igt_ferry_sync_file(fd, out);
		later = igt_ferry_sync_file(fd, after);
		igt_assert_eq(sync_fence_status(file), 0);
		igt_ferry_gate_break(&gate);
		igt_assert_eq(sync_fence_wait(file, 60000), 0);
		igt_assert_eq(sync_info(file, &info), 0);
		igt_assert_eq(info.status, -ENOENT);
		/* a later call has no error */
		igt_assert_eq(sync_fence_wait(later, 60000), 0);
		igt_assert_eq(sync_fence_status(later), 1);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_check(&next);
		close(file);
		close(later);
		igt_ferry_bo_fini(&bo);
		igt_ferry_bo_fini(&next);
		igt_ferry_gate_fini(&gate);
	}
}

/**
 * SUBTEST: wait
 * Description: BO_WAIT returns when the BO is idle or its timeout has expired
 */
static void run_wait(struct task *task)
{
	task->err = __ferry_bo_wait(task->fd, task->bo->handle, INT64_MAX);
}

static void test_wait(int fd)
{
	struct task task = { .run = run_wait, .fd = fd };
	struct igt_ferry_gate gate;
	struct timespec start = {};
	struct igt_ferry_bo bo;
	int err[4];
	uint64_t ns;

	bo_init(&bo, fd, SIZE, SYSTEM);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, -1), 0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, INT64_MIN), 0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle,
				      igt_ferry_in_ns(60 * IGT_FERRY_SECOND)),
		      0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, INT64_MAX), 0);
	igt_ferry_bo_fini(&bo);

	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	err[0] = __ferry_bo_wait(fd, bo.handle, 0);
	err[1] = __ferry_bo_wait(fd, bo.handle, INT64_MIN);
	err[2] = __ferry_bo_wait(fd, bo.handle,
				 igt_ferry_in_ns(-IGT_FERRY_SECOND));
	igt_nsec_elapsed(&start);
	err[3] = __ferry_bo_wait(fd, bo.handle,
				 igt_ferry_in_ns(IGT_FERRY_SECOND / 4));
	ns = igt_nsec_elapsed(&start);
	task.bo = &bo;
	task_check_waits(&task, &gate);
	for (unsigned int i = 0; i < 4; i++)
		igt_assert_eq(err[i], -ETIME);
	igt_assert_lte_u64(IGT_FERRY_SECOND / 4, ns);
	igt_assert_lt_u64(ns, 3 * IGT_FERRY_SECOND);
	igt_assert_eq(task.err, 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/* Does not repeat the ioctl as drmIoctl() does. */
static int raw_ioctl(int fd, unsigned long request, void *arg)
{
	int err = ioctl(fd, request, arg) ? errno : 0;

	errno = 0;
	return err;
}

/**
 * SUBTEST: wait-interrupted
 * Description: a signal ends BO_WAIT with EINTR, and a repeated call still expires at the same time
 */
static void test_wait_interrupted(int fd)
{
	struct drm_ferry_bo_wait args = {};
	struct timespec start = {};
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	unsigned int interrupted = 0;
	int err;

	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	igt_ferry_alarm_storm(20000);
	args.handle = bo.handle;
	args.timeout_ns = igt_ferry_in_ns(IGT_FERRY_SECOND / 2);
	igt_nsec_elapsed(&start);
	do {
		err = raw_ioctl(fd, DRM_IOCTL_FERRY_BO_WAIT, &args);
		interrupted += err == EINTR;
	} while (err == EINTR);
	igt_ferry_alarm_storm(0);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq(err, ETIME);
	igt_assert_lt(0, interrupted);
	igt_assert_lte_u64(IGT_FERRY_SECOND / 2, igt_nsec_elapsed(&start));
	igt_assert_lt(igt_seconds_elapsed(&start), 5);
	igt_ferry_gate_open(&gate);
	ferry_bo_wait(fd, bo.handle);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: interrupted
 * Description: a signal ends a call that waits for its in-sync or for an eviction with EINTR, and moves no BO
 */
static void test_interrupted(int fd)
{
	struct drm_ferry_migrate_entry entries[2];
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.count = 1,
	};
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	size_t size = evictable_size(fd);
	struct igt_ferry_bo bo, big;
	struct igt_ferry_gate gate;

	bo_init(&big, fd, size, SYSTEM);
	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	entries[0] = (struct drm_ferry_migrate_entry){ big.handle, APERTURE };
	args.entries = to_user_pointer(entries);
	igt_ferry_alarm_storm(50000);
	/* it would have to evict the other BO, and waits for its move */
	args.out_syncs = to_user_pointer(&out);
	args.out_count = 1;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), EINTR);
	igt_assert_eq(igt_ferry_sync_state(fd, out), -EINVAL);
	args.out_count = 0;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), EINTR);
	args.in_syncs = to_user_pointer(&in);
	args.in_count = 1;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), EINTR);
	igt_ferry_alarm_storm(0);
	igt_assert_eq(ferry_bo_placement(fd, big.handle), SYSTEM);
	igt_ferry_gate_require_closed(&gate);
	igt_ferry_gate_open(&gate);
	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), 0);
	igt_assert_eq(ferry_bo_placement(fd, big.handle), APERTURE);
	igt_ferry_bo_check(&big);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&big);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: nothing-to-move
 * Description: a call whose BOs do not have to move ends after their pending moves
 */
static void test_nothing_to_move(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint32_t handle;
	int dmabuf;

	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &handle), 0);
	ferry_bo_migrate_sync(client, handle, APERTURE, NULL, &out);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, client, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, out);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	ferry_bo_migrate_sync(client, handle, APERTURE, NULL, &out);
	igt_ferry_sync_wait(client, out);
	igt_ferry_bo_check(&bo);
	close(dmabuf);
	close(client);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static const struct igt_ferry_test tests[] = {
	{ "out", "out-syncs signal when the copy has ended",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_out },
	{ "in-binary",
	  "the copy waits for the in-sync, and the out-syncs and BO_WAIT wait for the copy",
	  test_in_binary },
	{ "in-timeline",
	  "the copy waits for the in-sync, and the out-syncs and BO_WAIT wait for the copy",
	  test_in_timeline },
	{ "in-all",
	  "the copy waits for all of several in-syncs, which may signal in any order",
	  test_in_all },
	{ "in-without-out",
	  "a call with in-syncs and without out-syncs waits for its in-syncs before it moves a BO",
	  test_in_without_out },
	{ "order",
	  "asynchronous moves of one file end in order, and do not wait for those of other files",
	  test_order },
	{ "to-and-fro", "many queued moves of the same BOs keep the contents",
	  test_to_and_fro },
	{ "migrate-waits",
	  "a synchronous move waits for an earlier asynchronous one, and keeps the contents",
	  test_migrate_waits },
	{ "other-client",
	  "a move waits for an earlier move of the same BO by another client, and keeps the contents",
	  test_other_client },
	{ "error",
	  "an error of an in-sync becomes the error of the out-syncs, and the copy is done",
	  test_error },
	{ "wait",
	  "BO_WAIT returns when the BO is idle or its timeout has expired",
	  test_wait },
	{ "wait-interrupted",
	  "a signal ends BO_WAIT with EINTR, and a repeated call still expires at the same time",
	  test_wait_interrupted },
	{ "interrupted",
	  "a signal ends a call that waits for its in-sync or for an eviction with EINTR, and moves no BO",
	  test_interrupted },
	{ "nothing-to-move",
	  "a call whose BOs do not have to move ends after their pending moves",
	  test_nothing_to_move },
	{}
};

igt_ferry_main(tests);
