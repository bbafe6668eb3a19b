// SPDX-License-Identifier: MIT
/**
 * TEST: ferry syncobj
 * Category: Core
 * Description: Syncobjs and sync files with the fences of asynchronous moves
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include <linux/sync_file.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION(
	"Syncobjs and sync files with the fences of asynchronous moves");

#define SIZE (64 * PAGE)

static void bo_init(struct igt_ferry_bo *bo, int fd, uint32_t placement)
{
	igt_ferry_bo_init(bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(bo);
	ferry_bo_migrate(fd, bo->handle, placement);
}

/* Start a move to the aperture that waits for a gate, with out-sync @out. */
static void bo_init_held(struct igt_ferry_bo *bo, int fd,
			 struct igt_ferry_gate *gate, struct drm_ferry_sync out)
{
	struct drm_ferry_sync in;

	bo_init(bo, fd, SYSTEM);
	igt_ferry_gate_init(gate);
	in = igt_ferry_gate_sync(gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo->handle, APERTURE, &in, &out);
}

static void bo_end(struct igt_ferry_bo *bo, struct igt_ferry_gate *gate)
{
	igt_ferry_bo_check(bo);
	igt_ferry_bo_fini(bo);
	igt_ferry_gate_fini(gate);
}

static int wait_two(int fd, const struct drm_ferry_sync *syncs, uint32_t flags,
		    int64_t ns, uint32_t *first)
{
	uint32_t handles[] = { syncs[0].handle, syncs[1].handle };
	uint64_t points[] = { syncs[0].point, syncs[1].point };
	int err = drmSyncobjTimelineWait(fd, handles, points, 2,
					 igt_ferry_in_ns(ns), flags, first);

	errno = 0;
	return err;
}

/**
 * SUBTEST: wait-any-all
 * Description: a wait for any fence ends with the first one, a wait for all with the last one
 */
static void test_wait_any_all(int fd)
{
	struct drm_ferry_sync syncs[] = { igt_ferry_sync_new(fd, 0),
					  igt_ferry_sync_new(fd, 2) };
	int client = igt_ferry_reopen(fd, O_RDWR), shared;
	struct drm_ferry_sync free = { .point = 2 };
	struct igt_ferry_bo bo, other;
	struct igt_ferry_gate gate;
	uint32_t first = 9;
	int any, all;

	/* moves of another file do not wait for those of this one */
	igt_assert_eq(drmSyncobjHandleToFD(fd, syncs[1].handle, &shared), 0);
	igt_assert_eq(drmSyncobjFDToHandle(client, shared, &free.handle), 0);
	close(shared);
	bo_init(&other, client, SYSTEM);
	bo_init_held(&bo, fd, &gate, syncs[0]);
	ferry_bo_migrate_sync(client, other.handle, APERTURE, NULL, &free);

	any = wait_two(fd, syncs, 0, 8 * IGT_FERRY_SECOND, &first);
	all = wait_two(fd, syncs, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL,
		       IGT_FERRY_SECOND / 8, NULL);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq(any, 0);
	igt_assert_eq_u32(first, 1);
	igt_assert_eq(all, -ETIME);
	igt_ferry_gate_open(&gate);
	igt_assert_eq(wait_two(fd, syncs, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL,
			       60 * IGT_FERRY_SECOND, NULL),
		      0);
	igt_ferry_bo_check(&other);
	bo_end(&bo, &gate);
	close(client);
}

struct waiter {
	pthread_t thread;
	int fd;
	struct drm_ferry_sync sync;
	int err;
	volatile bool ended;
};

static void *waiter_thread(void *arg)
{
	struct waiter *waiter = arg;
	uint64_t point = waiter->sync.point;

	waiter->err = drmSyncobjTimelineWait(
		waiter->fd, &waiter->sync.handle, &point, 1,
		igt_ferry_in_ns(60 * IGT_FERRY_SECOND),
		DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT, NULL);
	waiter->ended = true;
	return NULL;
}

/**
 * SUBTEST: wait-for-submit
 * Description: a thread that waits for a fence to be submitted gets the fence of the move
 */
static void test_wait_for_submit(int fd)
{
	for (uint64_t point = 0; point < 8; point += 7) {
		struct drm_ferry_sync out = igt_ferry_sync_new(fd, point);
		struct waiter waiter = { .fd = fd, .sync = out };
		struct igt_ferry_gate gate;
		struct igt_ferry_bo bo;

		igt_assert_eq(pthread_create(&waiter.thread, NULL,
					     waiter_thread, &waiter),
			      0);
		usleep(50000);
		igt_assert(!waiter.ended);
		bo_init_held(&bo, fd, &gate, out);
		usleep(50000);
		if (waiter.ended)
			igt_ferry_gate_require_closed(&gate);
		igt_assert(!waiter.ended);
		igt_ferry_gate_open(&gate);
		pthread_join(waiter.thread, NULL);
		igt_assert_eq(waiter.err, 0);
		bo_end(&bo, &gate);
	}
}

/**
 * SUBTEST: wait-available
 * Description: a point is available when the call returns, and signals when the copy has ended
 */
static void test_wait_available(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 4);
	uint64_t point = 4, later = 5;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;

	bo_init_held(&bo, fd, &gate, out);
	igt_assert_eq(drmSyncobjTimelineWait(
			      fd, &out.handle, &point, 1, 0,
			      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE, NULL),
		      0);
	igt_assert_eq(drmSyncobjTimelineWait(
			      fd, &out.handle, &later, 1, 0,
			      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE |
				      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
			      NULL),
		      -ETIME);
	errno = 0;
	igt_ferry_assert_pending(&gate, fd, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	bo_end(&bo, &gate);
}

static uint64_t query(int fd, struct drm_ferry_sync sync, uint32_t flags)
{
	uint64_t point = ~0ull;

	igt_assert_eq(drmSyncobjQuery2(fd, &sync.handle, &point, 1, flags), 0);
	return point;
}

/**
 * SUBTEST: query
 * Description: a timeline reports the last point that has signalled, and the last that was submitted
 */
static void test_query(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint64_t reached;

	igt_assert_eq_u64(query(fd, out, 0), 0);
	out.point = 3;
	bo_init_held(&bo, fd, &gate, out);
	out.point = 9;
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, NULL, &out);
	reached = query(fd, out, 0);
	igt_assert_eq_u64(
		query(fd, out, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED), 9);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq_u64(reached, 0);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_assert_eq_u64(query(fd, out, 0), 9);
	bo_end(&bo, &gate);
}

/**
 * SUBTEST: points-in-order
 * Description: a point whose move has ended does not signal before all earlier points have
 */
static void test_points_in_order(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 1), second = out;
	int client = igt_ferry_reopen(fd, O_RDWR), shared;
	struct igt_ferry_bo bo, other;
	struct igt_ferry_gate gate;
	uint64_t reached;

	igt_assert_eq(drmSyncobjHandleToFD(fd, out.handle, &shared), 0);
	igt_assert_eq(drmSyncobjFDToHandle(client, shared, &second.handle), 0);
	close(shared);
	second.point = 2;
	bo_init(&other, client, SYSTEM);
	bo_init_held(&bo, fd, &gate, out);
	ferry_bo_migrate_sync(client, other.handle, APERTURE, NULL, &second);
	ferry_bo_wait(client, other.handle);
	reached = query(client, second, 0);
	igt_ferry_assert_pending(&gate, client, second);
	igt_assert_eq_u64(reached, 0);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, second);
	igt_assert_eq_u64(query(fd, out, 0), 2);
	igt_ferry_bo_check(&other);
	bo_end(&bo, &gate);
	close(client);
}

/**
 * SUBTEST: transfer
 * Description: the fence of a move can be transferred from a binary syncobj to a timeline and back
 */
static void test_transfer(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0),
			      timeline = igt_ferry_sync_new(fd, 6),
			      back = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;

	bo_init_held(&bo, fd, &gate, out);
	igt_assert_eq(drmSyncobjTransfer(fd, timeline.handle, 6, out.handle, 0,
					 0),
		      0);
	igt_assert_eq(drmSyncobjTransfer(fd, back.handle, 0, timeline.handle, 6,
					 0),
		      0);
	igt_ferry_assert_pending(&gate, fd, timeline);
	igt_ferry_assert_pending(&gate, fd, back);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, back);
	igt_ferry_sync_wait(fd, timeline);
	igt_ferry_sync_wait(fd, out);
	bo_end(&bo, &gate);
}

/**
 * SUBTEST: reset-and-signal
 * Description: resetting or signalling a syncobj has no effect on the move
 */
static void test_reset_and_signal(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int file, status, busy;

	bo_init_held(&bo, fd, &gate, out);
	file = igt_ferry_sync_file(fd, out);
	igt_assert_eq(drmSyncobjReset(fd, &out.handle, 1), 0);
	igt_assert_eq(igt_ferry_sync_state(fd, out), -EINVAL);
	igt_assert_eq(drmSyncobjSignal(fd, &out.handle, 1), 0);
	igt_assert_eq(igt_ferry_sync_state(fd, out), 0);
	status = sync_fence_status(file);
	busy = __ferry_bo_wait(fd, bo.handle, 0);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq(status, 0);
	igt_assert_eq(busy, -ETIME);
	igt_ferry_gate_open(&gate);
	igt_assert_eq(sync_fence_wait(file, 60000), 0);
	close(file);
	bo_end(&bo, &gate);
}

/**
 * SUBTEST: sync-file
 * Description: the sync file of a move has its names, and can be polled, merged and imported
 */
static void test_sync_file(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0),
			      copy = igt_ferry_sync_new(fd, 0);
	struct sync_fence_info fence = {};
	struct sync_file_info info = {
		.num_fences = 1,
		.sync_fence_info = to_user_pointer(&fence),
	};
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	struct pollfd pollfd = { .events = POLLIN };
	int merged, status, ready;

	bo_init_held(&bo, fd, &gate, out);
	igt_assert_eq(drmSyncobjExportSyncFile(fd, out.handle, &pollfd.fd), 0);
	igt_assert_eq(ioctl(pollfd.fd, SYNC_IOC_FILE_INFO, &info), 0);
	igt_assert_eq(strcmp(fence.driver_name, "ferry"), 0);
	igt_assert_eq(strcmp(fence.obj_name, "migrate"), 0);
	igt_assert_eq(drmSyncobjImportSyncFile(fd, copy.handle, pollfd.fd), 0);
	merged = sync_fence_merge(gate.file, pollfd.fd);
	igt_assert_fd(merged);
	ready = poll(&pollfd, 1, 0);
	status = sync_fence_status(pollfd.fd);
	igt_ferry_assert_pending(&gate, fd, copy);
	igt_assert_eq(ready, 0);
	igt_assert_eq(status, 0);
	igt_ferry_gate_open(&gate);
	igt_assert_eq(poll(&pollfd, 1, 60000), 1);
	igt_assert_eq(sync_fence_status(pollfd.fd), 1);
	igt_assert_eq(sync_fence_wait(merged, 60000), 0);
	igt_assert_eq(igt_ferry_sync_state(fd, copy), 0);
	igt_assert_eq(ioctl(pollfd.fd, SYNC_IOC_FILE_INFO, &info), 0);
	igt_assert(fence.timestamp_ns);
	close(merged);
	close(pollfd.fd);
	bo_end(&bo, &gate);
}

/**
 * SUBTEST: merged-in
 * Description: a move waits for all fences of a merged in-sync
 */
static void test_merged_in(int fd)
{
	struct drm_ferry_sync in = igt_ferry_sync_new(fd, 0),
			      out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gates[2];
	struct igt_ferry_bo bo;
	int merged;

	bo_init(&bo, fd, APERTURE);
	for (int i = 0; i < 2; i++)
		igt_ferry_gate_init(&gates[i]);
	merged = sync_fence_merge(gates[0].file, gates[1].file);
	igt_assert_fd(merged);
	igt_assert_eq(drmSyncobjImportSyncFile(fd, in.handle, merged), 0);
	close(merged);
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, &in, &out);
	igt_ferry_gate_open(&gates[0]);
	usleep(50000);
	igt_ferry_assert_pending(&gates[1], fd, out);
	igt_ferry_gate_open(&gates[1]);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_gate_fini(&gates[0]);
	bo_end(&bo, &gates[1]);
}

/**
 * SUBTEST: other-client
 * Description: the out-sync of one client can be the in-sync of another
 */
static void test_other_client(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 5);
	int client = igt_ferry_reopen(fd, O_RDWR), shared;
	struct drm_ferry_sync in = out, end = igt_ferry_sync_new(client, 0);
	struct igt_ferry_bo bo, other;
	struct igt_ferry_gate gate;

	bo_init(&other, client, SYSTEM);
	bo_init_held(&bo, fd, &gate, out);
	igt_assert_eq(drmSyncobjHandleToFD(fd, out.handle, &shared), 0);
	igt_assert_eq(drmSyncobjFDToHandle(client, shared, &in.handle), 0);
	close(shared);
	ferry_bo_migrate_sync(client, other.handle, APERTURE, &in, &end);
	usleep(50000);
	igt_ferry_assert_pending(&gate, client, end);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, end);
	igt_assert_eq(igt_ferry_sync_state(fd, out), 0);
	igt_ferry_bo_check(&other);
	bo_end(&bo, &gate);
	close(client);
}

/**
 * SUBTEST: same-in-and-out
 * Description: one syncobj can be in-sync and out-sync of the same call
 */
static void test_same_in_and_out(int fd)
{
	struct drm_ferry_sync sync;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;

	bo_init(&bo, fd, SYSTEM);
	igt_ferry_gate_init(&gate);
	sync = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, &sync, &sync);
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, &sync, &sync);
	igt_ferry_assert_pending(&gate, fd, sync);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, sync);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	bo_end(&bo, &gate);
}

/**
 * SUBTEST: many-outs
 * Description: one call takes as many out-syncs as DRM_FERRY_SYNCS_MAX, also a syncobj that is named twice and two points of one timeline
 */
static void test_many_outs(int fd)
{
	static struct drm_ferry_sync outs[DRM_FERRY_SYNCS_MAX];
	struct drm_ferry_migrate_entry entry;
	struct igt_ferry_bo bo;

	bo_init(&bo, fd, SYSTEM);
	entry = (struct drm_ferry_migrate_entry){ bo.handle, APERTURE };
	for (unsigned int i = 0; i < DRM_FERRY_SYNCS_MAX; i++)
		outs[i] = igt_ferry_sync_new(fd, i % 3 ? i : 0);
	outs[DRM_FERRY_SYNCS_MAX - 1] = outs[0];
	outs[2].handle = outs[1].handle;
	/* all of them as in-syncs of the next call */
	igt_assert_eq(__ferry_migrate_sync(fd, &entry, 1, NULL, 0, outs,
					   DRM_FERRY_SYNCS_MAX),
		      0);
	entry.placement = SYSTEM;
	igt_assert_eq(__ferry_migrate_sync(fd, &entry, 1, outs,
					   DRM_FERRY_SYNCS_MAX, NULL, 0),
		      0);
	for (unsigned int i = 0; i < DRM_FERRY_SYNCS_MAX; i++)
		igt_assert_eq(igt_ferry_sync_state(fd, outs[i]), 0);
	igt_assert_eq_u64(query(fd, outs[1], 0), 2);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

static const struct igt_ferry_test tests[] = {
	{ "wait-any-all",
	  "a wait for any fence ends with the first one, a wait for all with the last one",
	  test_wait_any_all },
	{ "wait-for-submit",
	  "a thread that waits for a fence to be submitted gets the fence of the move",
	  test_wait_for_submit },
	{ "wait-available",
	  "a point is available when the call returns, and signals when the copy has ended",
	  test_wait_available },
	{ "query",
	  "a timeline reports the last point that has signalled, and the last that was submitted",
	  test_query },
	{ "points-in-order",
	  "a point whose move has ended does not signal before all earlier points have",
	  test_points_in_order },
	{ "transfer",
	  "the fence of a move can be transferred from a binary syncobj to a timeline and back",
	  test_transfer },
	{ "reset-and-signal",
	  "resetting or signalling a syncobj has no effect on the move",
	  test_reset_and_signal },
	{ "sync-file",
	  "the sync file of a move has its names, and can be polled, merged and imported",
	  test_sync_file },
	{ "merged-in", "a move waits for all fences of a merged in-sync",
	  test_merged_in },
	{ "other-client",
	  "the out-sync of one client can be the in-sync of another",
	  test_other_client },
	{ "same-in-and-out",
	  "one syncobj can be in-sync and out-sync of the same call",
	  test_same_in_and_out },
	{ "many-outs",
	  "one call takes as many out-syncs as DRM_FERRY_SYNCS_MAX, also a syncobj that is named twice and two points of one timeline",
	  test_many_outs },
	{}
};

igt_ferry_main(tests);
