// SPDX-License-Identifier: MIT
/* Order with other devices: CPU access to shared BOs, fences as descriptors, waits. */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <xf86drm.h>

#include "check.h"
#include "check-vgem.h"

#define BIG (4u << 20)
#define RW (FERRY_CPU_READ | FERRY_CPU_WRITE)
#define FOREVER INT64_MAX

static struct ferry_device *dev;
static int fd, vgem;

static uint32_t new_syncobj(uint32_t flags)
{
	uint32_t handle;

	CHECK_EQ(drmSyncobjCreate(fd, flags, &handle), 0);
	return handle;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Interrupt calls that wait, again and again, until alarms(0). */
static void alarms(int milliseconds)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval every = { 0 };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	every.it_value.tv_usec = every.it_interval.tv_usec =
		milliseconds * 1000;
	CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
}

/* The call must wait, until a signal ends it. */
#define WAITS(call)                     \
	do {                            \
		alarms(50);             \
		CHECK_EQ(call, -EINTR); \
		alarms(0);              \
	} while (0)

static void bracket(struct ferry_bo *bo, uint32_t flags)
{
	CHECK_OK(ferry_bo_cpu_begin(bo, flags));
	CHECK_OK(ferry_bo_cpu_end(bo, flags));
}

/* Both calls wait for a fence of vgem on the memory of @bo. */
static void must_wait_for_vgem(struct ferry_bo *bo, uint32_t handle)
{
	uint32_t fence = vgem_attach(vgem, handle, true);
	int fds;

	WAITS(ferry_bo_cpu_begin(bo, FERRY_CPU_READ));
	WAITS(ferry_bo_cpu_begin(bo, FERRY_CPU_WRITE));
	fds = count_fds();
	vgem_signal(vgem, fence);
	bracket(bo, FERRY_CPU_READ);

	/* Another device reads: only writes have to wait. */
	fence = vgem_attach(vgem, handle, false);
	bracket(bo, FERRY_CPU_READ);
	WAITS(ferry_bo_cpu_begin(bo, RW));
	vgem_signal(vgem, fence);
	bracket(bo, RW);
	CHECK_EQ(count_fds(), fds);
}

static void access_imported(void)
{
	struct ferry_bo *bo, *same;
	uint32_t handle;
	int dmabuf = vgem_dmabuf(vgem, BIG, &handle);

	CHECK_OK(ferry_bo_from_dmabuf(dev, dmabuf, 0, &bo));
	must_wait_for_vgem(bo, handle);
	ferry_bo_del(bo);

	/* The library knows from the kernel that a handle is of an imported BO. */
	CHECK_EQ(drmPrimeFDToHandle(fd, dmabuf, &handle), 0);
	CHECK_OK(ferry_bo_from_handle(dev, handle, &bo));
	CHECK_EQ(drmPrimeFDToHandle(vgem, dmabuf, &handle), 0);
	must_wait_for_vgem(bo, handle);
	CHECK_OK(ferry_bo_from_dmabuf(dev, dmabuf, 0, &same));
	CHECK(same == bo);
	ferry_bo_del(same);
	ferry_bo_del(bo);
	close(dmabuf);
}

static void access_exported(void)
{
	struct ferry_bo *bo = new_bo(dev, BIG, 0);
	uint32_t handle;
	int dmabuf;

	/* Not shared yet: this must not export it, and so it can be discarded. */
	bracket(bo, RW);
	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, NULL));
	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_WILLNEED, NULL));

	fill(map_bo(bo), BIG, 1);
	dmabuf = ferry_bo_to_dmabuf(bo, FERRY_EXPORT_READ_ONLY);
	CHECK(dmabuf >= 0);
	CHECK_EQ(drmPrimeFDToHandle(vgem, dmabuf, &handle), 0);
	must_wait_for_vgem(bo, handle);
	/* The kernel has the dma-buf as long as the handle. */
	close(dmabuf);
	must_wait_for_vgem(bo, handle);
	CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -EBUSY);
	check_filled(map_bo(bo), BIG, 1);
	ferry_bo_del(bo);
	CHECK_EQ(drmCloseBufferHandle(vgem, handle), 0);
}

/* A BO of another open file of the same device. */
static void access_between_files(void)
{
	struct ferry_device *other;
	struct ferry_bo *bo = new_bo(dev, BIG, 0), *theirs;
	int dmabuf = ferry_bo_to_dmabuf(bo, 0);
	uint32_t handle;

	CHECK(dmabuf >= 0);
	CHECK_OK(ferry_device_reopen(fd, 0, &other));
	CHECK_OK(ferry_bo_from_dmabuf(other, dmabuf, 0, &theirs));
	CHECK_EQ(drmPrimeFDToHandle(vgem, dmabuf, &handle), 0);
	close(dmabuf);
	ferry_bo_del(bo);
	must_wait_for_vgem(theirs, handle);
	ferry_bo_del(theirs);
	ferry_device_del(other);
	CHECK_EQ(drmCloseBufferHandle(vgem, handle), 0);
}

static void access_refused(void)
{
	struct ferry_bo *own = new_bo(dev, PAGE, 0);
	struct ferry_bo *shared = new_bo(dev, PAGE, 0);
	struct ferry_bo *const bos[] = { own, shared };
	int dmabuf = ferry_bo_to_dmabuf(shared, 0);

	CHECK(dmabuf >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(bos); i++) {
		CHECK_EQ(ferry_bo_cpu_begin(bos[i], 0), -EINVAL);
		CHECK_EQ(ferry_bo_cpu_end(bos[i], 0), -EINVAL);
		CHECK_EQ(ferry_bo_cpu_begin(bos[i], RW | 1u << 2), -EINVAL);
		CHECK_EQ(ferry_bo_cpu_end(bos[i], RW | 1u << 31), -EINVAL);
	}

	/* Somebody else closes the handle. */
	CHECK_EQ(drmCloseBufferHandle(fd, ferry_bo_handle(shared)), 0);
	CHECK_EQ(ferry_bo_cpu_begin(shared, RW), -ENOENT);
	close(dmabuf);
	ferry_bo_del(shared);
	ferry_bo_del(own);
}

static bool is_ready(int fence, int timeout_ms)
{
	struct pollfd p = { .fd = fence, .events = POLLIN };
	int ready = poll(&p, 1, timeout_ms);

	CHECK(ready >= 0);
	return ready && p.revents & POLLIN;
}

static int status_of(int fence)
{
	struct sync_file_info info = { 0 };

	CHECK_EQ(drmIoctl(fence, SYNC_IOC_FILE_INFO, &info), 0);
	return info.status;
}

/* A syncobj with a fence of vgem, which vgem_signal() of *@fence signals. */
static struct drm_ferry_sync late_sync(uint32_t *fence)
{
	struct drm_ferry_sync sync = { .handle = new_syncobj(0) };
	int file = vgem_late_fence(vgem, fence);

	CHECK_EQ(drmSyncobjImportSyncFile(fd, sync.handle, file), 0);
	close(file);
	return sync;
}

static void moves_with_a_fence(void)
{
	struct ferry_bo_move moves[3] = { 0 };
	struct drm_ferry_sync in;
	int fence, fds = count_fds();
	uint32_t late, failed = 99;

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		moves[i].bo = new_bo(dev, BIG / 4, 0);
		moves[i].placement = APERTURE;
		fill(map_bo(moves[i].bo), BIG / 4, i);
	}
	in = late_sync(&late);
	fence = ferry_bo_migrate_fence(dev, moves, ARRAY_SIZE(moves), &in, 1,
				       &failed);
	CHECK(fence >= 0);
	CHECK_EQ(failed, ARRAY_SIZE(moves));
	CHECK_EQ(fcntl(fence, F_GETFD), FD_CLOEXEC);
	CHECK(!is_ready(fence, 50));
	CHECK_EQ(status_of(fence), 0);
	CHECK_EQ(placement_of(moves[2].bo), APERTURE);
	vgem_signal(vgem, late);
	CHECK(is_ready(fence, 60000));
	CHECK_EQ(status_of(fence), 1);
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		CHECK_OK(ferry_bo_wait(moves[i].bo, 0, 0));
		check_filled(map_bo(moves[i].bo), BIG / 4, i);
		ferry_bo_del(moves[i].bo);
	}
	close(fence);
	CHECK_EQ(drmSyncobjDestroy(fd, in.handle), 0);
	CHECK_EQ(count_fds(), fds);
}

static void moves_refused(void)
{
	struct ferry_bo_move move = { .bo = new_bo(dev, PAGE, 0),
				      .placement = APERTURE };
	struct drm_ferry_sync dead = { .handle = 12345678 };
	int fds = count_fds();
	uint32_t failed = 99;

	CHECK_EQ(ferry_bo_migrate_fence(dev, &move, 0, NULL, 0, &failed),
		 -EINVAL);
	CHECK_EQ(failed, 0);
	CHECK_EQ(ferry_bo_migrate_fence(dev, &move, 1, &dead, 1, &failed),
		 -ENOENT);
	CHECK_EQ(failed, 1);
	move.placement = ANYWHERE;
	CHECK_EQ(ferry_bo_migrate_fence(dev, &move, 1, NULL, 0, &failed),
		 -EINVAL);
	CHECK_EQ(failed, 0);
	CHECK_EQ(placement_of(move.bo), SYSTEM);
	CHECK_EQ(count_fds(), fds);
	ferry_bo_del(move.bo);
}

static void fence_of_a_sync(void)
{
	struct drm_ferry_sync late,
		point = { .handle = new_syncobj(0), .point = 3 };
	struct ferry_bo_move move = { .bo = new_bo(dev, BIG, 0),
				      .placement = APERTURE };
	int first, second, fds = count_fds();
	uint32_t fence;

	CHECK_EQ(ferry_sync_fence(dev, &point), -EINVAL);
	late = late_sync(&fence);
	CHECK_OK(ferry_bo_migrate_sync(dev, &move, 1, &late, 1, &point, 1,
				       NULL));
	first = ferry_sync_fence(dev, &late);
	second = ferry_sync_fence(dev, &point);
	CHECK(first >= 0 && second >= 0);
	point.point = 4;
	CHECK_EQ(ferry_sync_fence(dev, &point), -EINVAL);
	point.flags = 1;
	CHECK_EQ(ferry_sync_fence(dev, &point), -EINVAL);
	point = (struct drm_ferry_sync){ .handle = 12345678 };
	CHECK_EQ(ferry_sync_fence(dev, &point), -ENOENT);
	point.point = 1;
	CHECK_EQ(ferry_sync_fence(dev, &point), -ENOENT);

	CHECK(!is_ready(first, 0) && !is_ready(second, 0));
	vgem_signal(vgem, fence);
	CHECK(is_ready(first, 0));
	CHECK(is_ready(second, 60000));
	ferry_bo_del(move.bo);
	close(first);
	close(second);
	CHECK_EQ(drmSyncobjDestroy(fd, late.handle), 0);
	CHECK_EQ(count_fds(), fds);
}

static void *signal_later(void *fence)
{
	usleep(100000);
	vgem_signal(vgem, (uintptr_t)fence);
	return NULL;
}

/* Give a syncobj without a fence that of a signalled one. */
static void *submit_later(void *syncobj)
{
	uint32_t ready = new_syncobj(DRM_SYNCOBJ_CREATE_SIGNALED);

	usleep(100000);
	CHECK_EQ(drmSyncobjTransfer(fd, (uintptr_t)syncobj, 0, ready, 0, 0), 0);
	CHECK_EQ(drmSyncobjDestroy(fd, ready), 0);
	return NULL;
}

static void waits(void)
{
	static const struct drm_ferry_sync many[DRM_FERRY_SYNCS_MAX + 1];
	const uint32_t ready = new_syncobj(DRM_SYNCOBJ_CREATE_SIGNALED);
	struct drm_ferry_sync syncs[2] = { { .handle = ready } }, bad;
	pthread_t thread;
	uint32_t fence;

	CHECK_OK(ferry_sync_wait(dev, syncs, 1, 0, 0));
	CHECK_OK(ferry_sync_wait(dev, NULL, 0, 0, 0));

	/* All of them, not the first one. */
	syncs[1] = late_sync(&fence);
	CHECK_EQ(ferry_sync_wait(dev, syncs, 2, 0, 0), -ETIME);
	CHECK_EQ(ferry_sync_wait(dev, syncs, 2, 0, -1), -ETIME);
	WAITS(ferry_sync_wait(dev, syncs, 2, 0, FOREVER));
	CHECK_EQ(pthread_create(&thread, NULL, signal_later,
				(void *)(uintptr_t)fence),
		 0);
	CHECK_OK(ferry_sync_wait(dev, syncs, 2, 0, FOREVER));
	CHECK_EQ(pthread_join(thread, NULL), 0);

	/* Without a fence. */
	syncs[1].handle = new_syncobj(0);
	CHECK_EQ(ferry_sync_wait(dev, syncs, 2, 0, FOREVER), -EINVAL);
	CHECK_EQ(ferry_sync_wait(dev, syncs, 2, FERRY_WAIT_FOR_FENCE, 0),
		 -ETIME);
	CHECK_EQ(pthread_create(&thread, NULL, submit_later,
				(void *)(uintptr_t)syncs[1].handle),
		 0);
	CHECK_OK(ferry_sync_wait(dev, syncs, 2, FERRY_WAIT_FOR_FENCE, FOREVER));
	CHECK_EQ(pthread_join(thread, NULL), 0);

	CHECK_EQ(ferry_sync_wait(dev, many, ARRAY_SIZE(many), 0, 0), -EINVAL);
	CHECK_EQ(ferry_sync_wait(dev, many, DRM_FERRY_SYNCS_MAX, 0, 0),
		 -ENOENT);
	CHECK_EQ(ferry_sync_wait(dev, syncs, 2, 1, 0), -EINVAL);
	CHECK_EQ(ferry_sync_wait(dev, syncs, 2, 1u << 31, 0), -EINVAL);
	bad = (struct drm_ferry_sync){ .handle = ready, .flags = 1 };
	CHECK_EQ(ferry_sync_wait(dev, &bad, 1, 0, 0), -EINVAL);
	bad = (struct drm_ferry_sync){ .handle = 12345678 };
	CHECK_EQ(ferry_sync_wait(dev, &bad, 1, 0, 0), -ENOENT);
}

int main(void)
{
	int fds;

	dev = open_or_skip();
	fd = ferry_device_fd(dev);
	vgem = vgem_open();
	if (vgem < 0) {
		printf("SKIP: the kernel has no module vgem\n");
		return EXIT_SKIP;
	}
	fds = count_fds();
	RUN(access_imported);
	RUN(access_exported);
	RUN(access_between_files);
	RUN(access_refused);
	RUN(moves_with_a_fence);
	RUN(moves_refused);
	RUN(fence_of_a_sync);
	RUN(waits);
	CHECK_EQ(count_fds(), fds);
	close(vgem);
	ferry_device_del(dev);
	return 0;
}
