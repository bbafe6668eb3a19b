// SPDX-License-Identifier: MIT
/* Moves with syncobjs, waiting for a BO, and madvise. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"
#include "check-vgem.h"

#define BIG (4u << 20)

static struct ferry_device *dev;
static int fd;

static uint32_t new_syncobj(uint32_t flags)
{
	uint32_t handle;

	CHECK_EQ(drmSyncobjCreate(fd, flags, &handle), 0);
	return handle;
}

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

static void wait_for(uint32_t syncobj, uint64_t point)
{
	uint32_t first;

	CHECK_EQ(drmSyncobjTimelineWait(fd, &syncobj, &point, 1, in_seconds(60),
					0, &first),
		 0);
}

static bool has_fence(uint32_t syncobj)
{
	int file;

	if (drmSyncobjExportSyncFile(fd, syncobj, &file))
		return false;
	close(file);
	return true;
}

static uint32_t madv_of(struct ferry_bo *bo)
{
	struct drm_ferry_bo_query info;

	CHECK_OK(ferry_bo_query(bo, &info, sizeof(info)));
	return info.madv;
}

/* A syncobj with a fence of vgem that signals when @vgem is closed, or after 10 seconds. */
static uint32_t late_syncobj(int vgem)
{
	uint32_t syncobj = new_syncobj(0), fence;
	int file = vgem_late_fence(vgem, &fence);

	CHECK_EQ(drmSyncobjImportSyncFile(fd, syncobj, file), 0);
	close(file);
	return syncobj;
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void alarms(int milliseconds)
{
	struct itimerval every = { 0 };

	every.it_value.tv_usec = every.it_interval.tv_usec =
		milliseconds * 1000;
	CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
}

/* A signal ends the calls that wait without a limit, so that Ctrl-C can end a program. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct drm_ferry_sync in = { 0 }, out = { .handle = new_syncobj(0) };
	struct ferry_bo_move move = { .placement = APERTURE };
	int vgem = vgem_open();

	if (vgem < 0) {
		printf("note: no vgem, and so no fence that is late\n");
		drmSyncobjDestroy(fd, out.handle);
		return;
	}
	in.handle = late_syncobj(vgem);
	move.bo = new_bo(dev, BIG, 0);
	fill(map_bo(move.bo), BIG, 1);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	alarms(50);

	CHECK_EQ(ferry_bo_migrate_sync(dev, &move, 1, &in, 1, NULL, 0, NULL),
		 -EINTR);
	alarms(0);
	CHECK_EQ(placement_of(move.bo), SYSTEM);

	CHECK_OK(ferry_bo_migrate_sync(dev, &move, 1, &in, 1, &out, 1, NULL));
	alarms(50);
	CHECK_EQ(ferry_bo_wait(move.bo, 0, INT64_MAX), -EINTR);
	alarms(0);
	close(vgem);
	CHECK_OK(ferry_bo_wait(move.bo, 0, in_seconds(60)));
	check_filled(map_bo(move.bo), BIG, 1);
	ferry_bo_del(move.bo);
	drmSyncobjDestroy(fd, in.handle);
	drmSyncobjDestroy(fd, out.handle);
}

/* Move to the aperture and back; the second call waits for the first one. */
static void binary(void)
{
	enum { COUNT = 6 };
	struct drm_ferry_sync to_aperture = { .handle = new_syncobj(0) };
	struct drm_ferry_sync to_system = { .handle = new_syncobj(0) };
	struct ferry_bo_move moves[COUNT] = { 0 };

	for (int i = 0; i < COUNT; i++) {
		moves[i].bo = new_bo(dev, (1 + i) * 100 * PAGE, 0);
		fill(map_bo(moves[i].bo), ferry_bo_size(moves[i].bo), i);
		moves[i].placement = APERTURE;
	}
	CHECK_OK(ferry_bo_migrate_sync(dev, moves, COUNT, NULL, 0, &to_aperture,
				       1, NULL));
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(placement_of(moves[i].bo), APERTURE);
		moves[i].placement = SYSTEM;
	}
	CHECK_OK(ferry_bo_migrate_sync(dev, moves, COUNT, &to_aperture, 1,
				       &to_system, 1, NULL));
	wait_for(to_system.handle, 0);
	wait_for(to_aperture.handle, 0);
	for (int i = 0; i < COUNT; i++) {
		CHECK_OK(ferry_bo_wait(moves[i].bo, 0, 0));
		CHECK_EQ(placement_of(moves[i].bo), SYSTEM);
		check_filled(map_bo(moves[i].bo), ferry_bo_size(moves[i].bo),
			     i);
		ferry_bo_del(moves[i].bo);
	}
	drmSyncobjDestroy(fd, to_aperture.handle);
	drmSyncobjDestroy(fd, to_system.handle);
}

/* Points of one timeline, and a last call without out-syncs. */
static void timeline(void)
{
	struct drm_ferry_sync points[] = {
		{ .handle = new_syncobj(0), .point = 1 },
		{ .point = 2 },
		{ .point = 7 },
	};
	struct ferry_bo_move move = { .bo = new_bo(dev, BIG, 0),
				      .placement = APERTURE };
	uint64_t reached;

	fill(map_bo(move.bo), BIG, 1);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		points[i].handle = points[0].handle;
		CHECK_OK(ferry_bo_migrate_sync(dev, &move, 1,
					       i ? &points[i - 1] : NULL,
					       i ? 1 : 0, &points[i], 1, NULL));
		CHECK_EQ(placement_of(move.bo), move.placement);
		move.placement ^= ANYWHERE;
	}
	CHECK_OK(ferry_bo_migrate_sync(dev, &move, 1, points,
				       ARRAY_SIZE(points), NULL, 0, NULL));
	CHECK_EQ(drmSyncobjQuery(fd, &points[0].handle, &reached, 1), 0);
	CHECK_EQ(reached, 7);
	CHECK_EQ(placement_of(move.bo), SYSTEM);
	check_filled(map_bo(move.bo), BIG, 1);
	ferry_bo_del(move.bo);
	drmSyncobjDestroy(fd, points[0].handle);
}

/* An in-sync and an out-sync in one call, and an access right after it. */
static void access_at_once(void)
{
	struct drm_ferry_sync in = { .handle = new_syncobj(
					     DRM_SYNCOBJ_CREATE_SIGNALED) };
	struct drm_ferry_sync out = { .handle = new_syncobj(0) };
	struct ferry_bo_move move = { .bo = new_bo(dev, BIG, 0),
				      .placement = APERTURE };

	for (int i = 0; i < 6; i++) {
		fill(map_bo(move.bo), BIG, i);
		CHECK_OK(ferry_bo_migrate_sync(dev, &move, 1, &in, 1, &out, 1,
					       NULL));
		check_filled(map_bo(move.bo), BIG, i);
		CHECK_OK(ferry_bo_wait(move.bo, 0, 0));
		move.placement ^= ANYWHERE;
	}
	ferry_bo_del(move.bo);
	drmSyncobjDestroy(fd, in.handle);
	drmSyncobjDestroy(fd, out.handle);
}

/*
 * Start some copies with one call. Return the number of BOs that are still busy when
 * ferry_bo_wait() polls them; on a fast machine a copy can have ended by then.
 */
static int count_busy(void)
{
	enum { COUNT = 8 };
	struct drm_ferry_sync out = { .handle = new_syncobj(0) };
	struct ferry_bo_move moves[COUNT];
	struct ferry_bo *bos[COUNT];
	int busy = 0, err;

	for (int i = 0; i < COUNT; i++) {
		bos[i] = new_bo(dev, BIG / 4, 0);
		fill(map_bo(bos[i]), BIG / 4, i);
		CHECK_OK(ferry_bo_wait(bos[i], 0, 0));
		CHECK_OK(ferry_bo_wait(bos[i], 0, INT64_MIN));
		CHECK_OK(ferry_bo_wait(bos[i], 0, in_seconds(60)));
	}
	for (int i = 0; i < COUNT; i++)
		moves[i] = (struct ferry_bo_move){ .bo = bos[i],
						   .placement = APERTURE };
	CHECK_OK(ferry_bo_migrate_sync(dev, moves, COUNT, NULL, 0, &out, 1,
				       NULL));
	for (int i = COUNT; i--;) {
		err = ferry_bo_wait(bos[i], 0, 0);
		CHECK(!err || err == -ETIME);
		busy += err == -ETIME;
		CHECK_OK(ferry_bo_wait(bos[i], 0,
				       i ? in_seconds(60) : INT64_MAX));
		CHECK_OK(ferry_bo_wait(bos[i], 0, 0));
		check_filled(map_bo(bos[i]), BIG / 4, i);
		ferry_bo_del(bos[i]);
	}
	drmSyncobjDestroy(fd, out.handle);
	return busy;
}

static void waiting(void)
{
	int busy = 0;

	for (int i = 0; i < 50 && !busy; i++)
		busy = count_busy();
	CHECK(busy);
}

static void wrong_syncs(void)
{
	static const struct drm_ferry_sync many[DRM_FERRY_SYNCS_MAX + 1];
	struct drm_ferry_sync good = { .handle = new_syncobj(0) };
	struct drm_ferry_sync ready = { .handle = new_syncobj(
						DRM_SYNCOBJ_CREATE_SIGNALED) };
	struct drm_ferry_sync dead = { .handle = new_syncobj(0) };
	struct drm_ferry_sync flagged = { .handle = ready.handle, .flags = 1 };
	struct ferry_bo_move move = { .bo = new_bo(dev, PAGE, 0),
				      .placement = APERTURE };
	uint32_t failed = 99;

	CHECK_EQ(drmSyncobjDestroy(fd, dead.handle), 0);
/* The call must fail because of a sync, and so name no entry. */
#define REFUSED(in, in_count, out, out_count, err)                          \
	do {                                                                \
		CHECK_EQ(ferry_bo_migrate_sync(dev, &move, 1, in, in_count, \
					       out, out_count, &failed),    \
			 err);                                              \
		CHECK_EQ(failed, 1);                                        \
	} while (0)
	REFUSED(&dead, 1, &good, 1, -ENOENT);
	REFUSED(&dead, 1, NULL, 0, -ENOENT);
	REFUSED(NULL, 0, &dead, 1, -ENOENT);
	REFUSED(&flagged, 1, &good, 1, -EINVAL);
	REFUSED(NULL, 0, &flagged, 1, -EINVAL);
	REFUSED(&good, 1, &good, 1, -EINVAL);
	REFUSED(many, DRM_FERRY_SYNCS_MAX + 1, &good, 1, -EINVAL);
	REFUSED(NULL, 0, many, DRM_FERRY_SYNCS_MAX + 1, -EINVAL);
	CHECK_EQ(ferry_bo_migrate_sync(dev, &move, 0, NULL, 0, &good, 1, NULL),
		 -EINVAL);
	CHECK_EQ(placement_of(move.bo), SYSTEM);
	CHECK(!has_fence(good.handle));

	REFUSED(&ready, 1, &good, 1, 0);
	CHECK_EQ(placement_of(move.bo), APERTURE);
	CHECK(has_fence(good.handle));
	ferry_bo_del(move.bo);
	drmSyncobjDestroy(fd, good.handle);
	drmSyncobjDestroy(fd, ready.handle);
}

static void advice(void)
{
	struct ferry_bo *bo = new_bo(dev, BIG, 0);
	uint32_t retained = 99;

	fill(map_bo(bo), BIG, 1);
	CHECK_EQ(madv_of(bo), DRM_FERRY_MADV_WILLNEED);
	CHECK_EQ(ferry_bo_madvise(bo, DRM_FERRY_MADV_PURGED, &retained),
		 -EINVAL);
	CHECK_EQ(ferry_bo_madvise(bo, UINT32_MAX, &retained), -EINVAL);
	CHECK_EQ(retained, 99);

	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained));
	CHECK_EQ(retained, 1);
	CHECK_EQ(madv_of(bo), DRM_FERRY_MADV_DONTNEED);
	retained = 99;
	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_WILLNEED, &retained));
	CHECK_EQ(retained, 1);
	CHECK_EQ(madv_of(bo), DRM_FERRY_MADV_WILLNEED);
	check_filled(map_bo(bo), BIG, 1);
	ferry_bo_del(bo);
}

static void advice_for_shared(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	uint32_t retained = 99;
	int dmabuf = ferry_bo_to_dmabuf(bo, 0);

	CHECK(dmabuf >= 0);
	CHECK_EQ(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained),
		 -EBUSY);
	close(dmabuf);
	CHECK_EQ(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained),
		 -EBUSY);
	CHECK_EQ(retained, 99);
	CHECK_EQ(madv_of(bo), DRM_FERRY_MADV_WILLNEED);
	ferry_bo_del(bo);
}

static sigjmp_buf bus_error;

static void on_bus_error(int sig)
{
	siglongjmp(bus_error, sig);
}

static bool is_readable(const volatile char *p)
{
	struct sigaction old, new = { .sa_handler = on_bus_error };
	int sig;

	CHECK_EQ(sigaction(SIGBUS, &new, &old), 0);
	sig = sigsetjmp(bus_error, 1);
	if (!sig)
		(void)*p;
	CHECK_EQ(sigaction(SIGBUS, &old, NULL), 0);
	return !sig;
}

/* A move to the aperture purges a BO there that is not needed. */
static void purged(void)
{
	uint64_t size = ferry_device_aperture_size(dev) / 4 * 3;
	struct ferry_bo_move move = { .placement = SYSTEM };
	uint32_t failed = 99;
	struct ferry_bo *other;
	uint32_t retained = 99;
	char *map;

	size -= size % PAGE;
	move.bo = new_bo(dev, size, FERRY_BO_START_APERTURE);
	other = new_bo(dev, size, 0);
	map = map_bo(move.bo);
	fill(map, PAGE, 1);
	fill(map_bo(other), PAGE, 2);
	CHECK_OK(ferry_bo_madvise(move.bo, DRM_FERRY_MADV_DONTNEED, &retained));
	CHECK_EQ(retained, 1);
	check_filled(map, PAGE, 1);

	CHECK_OK(ferry_bo_migrate(other, APERTURE));
	CHECK_EQ(madv_of(move.bo), DRM_FERRY_MADV_PURGED);
	CHECK(!is_readable(map));
	check_filled(map_bo(other), PAGE, 2);

	CHECK_EQ(ferry_bo_migrate(move.bo, SYSTEM), -ENODATA);
	CHECK_EQ(ferry_bo_migrate_many(dev, &move, 1, &failed), -ENODATA);
	CHECK_EQ(failed, 0);
	CHECK_OK(ferry_bo_madvise(move.bo, DRM_FERRY_MADV_WILLNEED, &retained));
	CHECK_EQ(retained, 0);
	CHECK_EQ(madv_of(move.bo), DRM_FERRY_MADV_PURGED);
	ferry_bo_del(move.bo);
	ferry_bo_del(other);
}

int main(void)
{
	int fds;

	dev = open_or_skip();
	fd = ferry_device_fd(dev);
	fds = count_fds();
	RUN(binary);
	RUN(timeline);
	RUN(access_at_once);
	RUN(waiting);
	RUN(interrupted);
	RUN(wrong_syncs);
	RUN(advice);
	RUN(advice_for_shared);
	RUN(purged);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
