// SPDX-License-Identifier: MIT
/**
 * TEST: ferry syncobj
 * Category: Core
 * Description: What syncobjs and sync files do with the fences of moves, and every bad input of such a move
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include <drm_fourcc.h>
#include <linux/sync_file.h>
#include <xf86drmMode.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION(
	"What syncobjs do with the fences of moves, and bad input of such a move");

#define SIZE (64 * PAGE)

static void bo_init(struct igt_ferry_bo *bo, int fd, uint32_t placement)
{
	igt_ferry_bo_init(bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(bo);
	ferry_bo_migrate(fd, bo->handle, placement);
}

/* A move whose bytes wait at the gate, and whose out-sync is @out. */
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
 * Description: a wait for any ends with the first fence, a wait for all with the last
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

	/* of another file: it is not held up */
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
 * Description: who waits for a fence that is still to come gets that of the move
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
 * Description: a point is available when the call returns, and signals when the bytes are there
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
 * Description: a timeline tells the point that was reached, and the last that was submitted
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
 * Description: a point whose move has ended does not count before all earlier points have
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
 * Description: the fence of a move goes from binary to timeline and back, and stays the same
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
 * Description: a syncobj that is reset or signalled leaves the move alone
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
 * Description: a move as a sync file: its names, poll(), merging, and import
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
 * Description: an in-sync that is several fences in one waits for all of them
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
 * Description: the out-sync of one client is the in-sync of another
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
 * Description: a syncobj that is in-sync and out-sync of one call first holds, then ends the move
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
 * Description: as many out-syncs as one call takes, one syncobj twice and one with two points among them
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

/*
 * Bad input: a good call of three BOs, with two in-syncs and two out-syncs. Each
 * case spoils one thing.
 */
#define BOS 3

static struct {
	int fd;
	struct igt_ferry_bo bo[BOS];
	struct igt_ferry_bo extra;
	uint32_t dead;
	char *half; /* a page with nothing mapped behind it */
	struct drm_ferry_migrate_entry entries[BOS];
	struct drm_ferry_sync in[2], out[2];
	struct drm_ferry_migrate args;
	uint32_t fb;
} f;

static struct drm_ferry_sync too_many[DRM_FERRY_SYNCS_MAX + 1];

static void good(void)
{
	for (int i = 0; i < BOS; i++)
		f.entries[i] =
			(struct drm_ferry_migrate_entry){ f.bo[i].handle,
							  i & 1 ? SYSTEM : APERTURE };
	f.args = (struct drm_ferry_migrate){
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(f.entries),
		.count = BOS,
		.in_syncs = to_user_pointer(f.in),
		.out_syncs = to_user_pointer(f.out),
		.in_count = 2,
		.out_count = 2,
	};
	for (int i = 0; i < 2; i++)
		f.in[i].flags = f.out[i].flags = 0;
}

static void bad_begin(int fd)
{
	struct drm_ferry_sync dead;

	memset(&f, 0, sizeof(f));
	f.fd = igt_ferry_begin(fd);
	for (int i = 0; i < BOS; i++)
		bo_init(&f.bo[i], f.fd, i & 1 ? APERTURE : SYSTEM);
	dead = igt_ferry_sync_new(f.fd, 0);
	for (int i = 0; i < 2; i++) {
		f.in[i] = igt_ferry_sync_new(f.fd, i ? 3 : 0);
		f.out[i] = igt_ferry_sync_new(f.fd, i ? 8 : 0);
	}
	igt_assert_eq(drmSyncobjSignal(f.fd, &f.in[0].handle, 1), 0);
	igt_assert_eq(drmSyncobjTimelineSignal(f.fd, &f.in[1].handle,
					       &(uint64_t){ f.in[1].point }, 1),
		      0);
	igt_assert_eq(drmSyncobjDestroy(f.fd, dead.handle), 0);
	f.dead = dead.handle;

	f.half = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(f.half != MAP_FAILED);
	igt_assert_eq(munmap(f.half + PAGE, PAGE), 0);
	good();
}

static void check_unmoved(int err)
{
	uint64_t up = igt_ferry_stat(f.fd, "moves_to_aperture"),
		 down = igt_ferry_stat(f.fd, "moves_to_system");
	struct drm_ferry_migrate before = f.args;

	igt_assert_eq(__ferry_ioctl(f.fd, DRM_IOCTL_FERRY_MIGRATE, &f.args),
		      -err);
	/* the only output of a call that fails */
	before.failed_entry = f.args.failed_entry;
	igt_assert(!memcmp(&before, &f.args, sizeof(before)));
	igt_assert_eq_u64(igt_ferry_stat(f.fd, "moves_to_aperture"), up);
	igt_assert_eq_u64(igt_ferry_stat(f.fd, "moves_to_system"), down);
	for (int i = 0; i < BOS; i++) {
		igt_assert_eq(ferry_bo_placement(f.fd, f.bo[i].handle),
			      i & 1 ? APERTURE : SYSTEM);
		igt_assert_eq(__ferry_bo_wait(f.fd, f.bo[i].handle, 0), 0);
		igt_ferry_bo_check(&f.bo[i]);
	}
}

static void bad_end(int err, const struct drm_ferry_sync *out)
{
	check_unmoved(err);
	/* the same where the call would have waited */
	if (f.args.out_count == 2 &&
	    f.args.out_syncs == to_user_pointer(f.out) &&
	    !memcmp(f.out, out, sizeof(f.out))) {
		f.args.out_count = 0;
		check_unmoved(err);
	}
}

/* It was this one thing: without it the call works. */
static void bad_good(const struct drm_ferry_sync *in,
		     const struct drm_ferry_sync *out)
{
	memcpy(f.in, in, sizeof(f.in));
	memcpy(f.out, out, sizeof(f.out));
	good();
	igt_assert_eq(igt_ferry_sync_state(f.fd, f.out[0]), -EINVAL);
	igt_assert_eq(igt_ferry_sync_state(f.fd, f.out[1]), -EINVAL);
	igt_assert_eq(__ferry_ioctl(f.fd, DRM_IOCTL_FERRY_MIGRATE, &f.args), 0);
	igt_ferry_sync_wait(f.fd, f.out[0]);
	igt_ferry_sync_wait(f.fd, f.out[1]);
	for (int i = 0; i < BOS; i++)
		igt_ferry_bo_check(&f.bo[i]);
	munmap(f.half, PAGE);
}

/* BOs that cannot go where the last entry sends them */
static void extra(size_t size, const struct igt_ferry_kind *kind,
		  uint32_t placement)
{
	igt_ferry_bo_init(&f.extra, f.fd, size, kind);
	f.entries[BOS - 1] =
		(struct drm_ferry_migrate_entry){ f.extra.handle, placement };
}

static void extra_purged(void)
{
	extra(SIZE, &igt_ferry_movable_kinds[0], APERTURE);
	igt_ferry_bo_fill(&f.extra);
	igt_ferry_bo_purge(&f.extra);
}

static uint64_t aperture_size(void)
{
	struct drm_ferry_device_query device;

	ferry_device_query(f.fd, &device);
	return device.aperture_size;
}

static void extra_pinned(void)
{
	uint32_t handles[4] = {}, pitches[4] = {}, offsets[4] = {};
	drmModeConnector *connector;
	drmModeModeInfo *mode;
	drmModeRes *res;

	igt_ferry_require_display(f.fd);
	igt_assert_eq(drmSetMaster(f.fd), 0);
	res = drmModeGetResources(f.fd);
	igt_assert(res);
	connector = drmModeGetConnector(f.fd, res->connectors[0]);
	igt_assert(connector && connector->count_modes);
	mode = &connector->modes[0];
	pitches[0] = mode->hdisplay * 4;
	extra(pitches[0] * mode->vdisplay, &igt_ferry_movable_kinds[0], SYSTEM);
	handles[0] = f.extra.handle;
	igt_assert_eq(drmModeAddFB2(f.fd, mode->hdisplay, mode->vdisplay,
				    DRM_FORMAT_XRGB8888, handles, pitches,
				    offsets, &f.fb, 0),
		      0);
	igt_assert_eq(drmModeSetCrtc(f.fd, res->crtcs[0], f.fb, 0, 0,
				     &connector->connector_id, 1, mode),
		      0);
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
}

static void half_mapped(uint64_t *pointer, const void *what, size_t first)
{
	memcpy(f.half + PAGE - first, what, first);
	*pointer = to_user_pointer(f.half + PAGE - first);
}

#define BAD(name, err, spoil)                                            \
	do {                                                             \
		igt_describe("This alone makes the call fail with " #err \
			     ", without effect");                        \
		igt_subtest("bad-" name)                                 \
		{                                                        \
			struct drm_ferry_sync in_[2], out_[2];           \
                                                                         \
			bad_begin(fd);                                   \
			memcpy(in_, f.in, sizeof(in_));                  \
			memcpy(out_, f.out, sizeof(out_));               \
			spoil;                                           \
			bad_end(err, out_);                              \
			bad_good(in_, out_);                             \
		}                                                        \
	} while (0)

/**
 * SUBTEST: bad-%s
 * Description: one bad input gives the documented errno; no BO has moved, and no out-sync has a fence
 *
 * arg[1]: the bad input, see --list-subtests
 */
static void bad_input(int fd)
{
	struct drm_ferry_sync empty;

	BAD("in-dead", ENOENT, f.in[1].handle = f.dead);
	BAD("in-handle-0", ENOENT, f.in[1].handle = 0);
	BAD("in-handle-all-ones", ENOENT, f.in[0].handle = UINT32_MAX);
	BAD("in-empty", EINVAL, empty = igt_ferry_sync_new(f.fd, 0);
	    f.in[0].handle = empty.handle);
	BAD("in-empty-timeline", EINVAL, empty = igt_ferry_sync_new(f.fd, 0);
	    f.in[1].handle = empty.handle);
	BAD("in-point-to-come", EINVAL, f.in[1].point = 4);
	BAD("in-point-max", EINVAL, f.in[1].point = UINT64_MAX);
	BAD("in-flag", EINVAL, f.in[1].flags = 1);
	BAD("in-high-flag", EINVAL, f.in[0].flags = 1u << 31);
	BAD("in-count-over-max", EINVAL,
	    f.args.in_syncs = to_user_pointer(too_many);
	    f.args.in_count = DRM_FERRY_SYNCS_MAX + 1);
	BAD("in-count-all-ones", EINVAL, f.args.in_count = UINT32_MAX);
	BAD("in-null", EFAULT, f.args.in_syncs = 0);
	BAD("in-half-mapped", EFAULT,
	    half_mapped((uint64_t *)&f.args.in_syncs, f.in, sizeof(f.in[0])));
	BAD("in-half-a-sync", EFAULT,
	    half_mapped((uint64_t *)&f.args.in_syncs, f.in, sizeof(f.in) - 4));
	BAD("out-dead", ENOENT, f.out[1].handle = f.dead);
	BAD("out-handle-0", ENOENT, f.out[0].handle = 0);
	BAD("out-flag", EINVAL, f.out[1].flags = 1);
	BAD("out-high-flag", EINVAL, f.out[0].flags = 1u << 31);
	BAD("out-count-over-max", EINVAL,
	    f.args.out_syncs = to_user_pointer(too_many);
	    f.args.out_count = DRM_FERRY_SYNCS_MAX + 1);
	BAD("out-count-all-ones", EINVAL, f.args.out_count = UINT32_MAX);
	BAD("out-null", EFAULT, f.args.out_syncs = 0);
	BAD("out-half-mapped", EFAULT,
	    half_mapped((uint64_t *)&f.args.out_syncs, f.out,
			sizeof(f.out[0])));
	BAD("entries-half-mapped", EFAULT,
	    half_mapped((uint64_t *)&f.args.entries, f.entries,
			sizeof(f.entries) - 4));
	BAD("entries-null", EFAULT, f.args.entries = 0);
	BAD("count-0", EINVAL, f.args.count = 0);
	BAD("count-over-max", EINVAL, f.args.count = DRM_FERRY_MIGRATE_MAX + 1);
	BAD("flag", EINVAL, f.args.flags = 1);
	BAD("handle-dead", ENOENT, f.entries[BOS - 1].handle = 0x7fffffff);
	BAD("duplicate", EINVAL, f.entries[BOS - 1].handle = f.bo[0].handle);
	BAD("not-allowed-up", EINVAL,
	    extra(PAGE, &igt_ferry_fixed_kinds[0], APERTURE));
	BAD("not-allowed-down", EINVAL,
	    extra(PAGE, &igt_ferry_fixed_kinds[2], SYSTEM));
	BAD("larger-than-aperture", ENOSPC,
	    extra(aperture_size() + PAGE, &igt_ferry_movable_kinds[0], APERTURE));
	BAD("larger-together", ENOSPC,
	    extra(aperture_size(), &igt_ferry_movable_kinds[0], APERTURE));
	BAD("purged", ENODATA, extra_purged());
	BAD("pinned", EBUSY, extra_pinned());
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} tests[] = {
	{ "wait-any-all", "Waiting for any, and for all", test_wait_any_all },
	{ "wait-for-submit", "Waiting for a fence that is still to come",
	  test_wait_for_submit },
	{ "wait-available", "A point is available when the call returns",
	  test_wait_available },
	{ "query", "What was reached, and what was submitted", test_query },
	{ "points-in-order", "A point counts when all earlier ones do",
	  test_points_in_order },
	{ "transfer", "From binary to timeline and back", test_transfer },
	{ "reset-and-signal", "A syncobj that is reset leaves the move alone",
	  test_reset_and_signal },
	{ "sync-file", "A move as a sync file", test_sync_file },
	{ "merged-in", "An in-sync that is several fences", test_merged_in },
	{ "other-client", "One client's out-sync is another's in-sync",
	  test_other_client },
	{ "same-in-and-out", "One syncobj is in-sync and out-sync",
	  test_same_in_and_out },
	{ "many-outs", "As many out-syncs as one call takes", test_many_outs },
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* for the one that shows something */
		drmDropMaster(fd);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			tests[i].run(igt_ferry_begin(fd));
		}
	}

	bad_input(fd);

	igt_fixture
	{
		close(fd);
	}
}
