// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/ioctl.h>

#include <linux/dma-buf.h>

#include "igt.h"
#include "igt_kmod.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

#define SW_SYNC "/sys/kernel/debug/sync/sw_sync"

/* From the kernel's vgem_drm.h, which libdrm does not ship */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_WRITE 0x1
#define VGEM_FENCE_ATTACH \
	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL \
	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

/**
 * igt_ferry_gate_can_break - whether the fence of a gate can signal with an error on this kernel
 */
bool igt_ferry_gate_can_break(void)
{
	return access(SW_SYNC, W_OK) == 0;
}

static int open_vgem(void)
{
	int fd;

	igt_require_f(igt_kmod_is_loaded("vgem") || !igt_kmod_load("vgem", ""),
		      "this kernel has neither sw_sync nor vgem\n");
	fd = igt_ferry_open_driver("vgem", -1);
	igt_assert_f(fd >= 0, "vgem is loaded, but has no device\n");
	return fd;
}

/* A fence of vgem is attached to a buffer; the dma-buf of the buffer exports it. */
static void vgem_init(struct igt_ferry_gate *gate)
{
	struct drm_mode_create_dumb dumb = {
		.width = 32,
		.height = 32,
		.bpp = 32,
	};
	struct vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct dma_buf_export_sync_file export = { .flags = DMA_BUF_SYNC_READ };
	int dmabuf;

	gate->timeline = open_vgem();
	do_ioctl(gate->timeline, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	attach.handle = dumb.handle;
	do_ioctl(gate->timeline, VGEM_FENCE_ATTACH, &attach);
	gate->number = attach.out_fence;
	igt_assert_eq(drmPrimeHandleToFD(gate->timeline, dumb.handle,
					 DRM_CLOEXEC, &dmabuf),
		      0);
	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		      0);
	close(dmabuf);
	gate->file = export.fd;
}

/**
 * igt_ferry_gate_init - create a closed gate: its fence has not signalled
 */
void igt_ferry_gate_init(struct igt_ferry_gate *gate)
{
	memset(gate, 0, sizeof(*gate));
	gate->sw_sync = igt_ferry_gate_can_break();
	if (gate->sw_sync) {
		gate->timeline = sw_sync_timeline_create();
		gate->file = sw_sync_timeline_create_fence(gate->timeline, 1);
	} else {
		vgem_init(gate);
	}
	igt_assert_eq(sync_fence_status(gate->file), 0);
}

/**
 * igt_ferry_gate_require_closed - skip if the fence of vgem has signalled by itself
 */
void igt_ferry_gate_require_closed(const struct igt_ferry_gate *gate)
{
	igt_require_f(
		sync_fence_status(gate->file) == 0,
		"this virtual machine is too slow for fences of vgem, which signal after 10 seconds\n");
}

/**
 * igt_ferry_gate_open - signal the fence
 */
void igt_ferry_gate_open(struct igt_ferry_gate *gate)
{
	struct vgem_fence_signal signal = { .fence = gate->number };

	if (gate->sw_sync)
		sw_sync_timeline_inc(gate->timeline, 1);
	else
		/* fails if the 10 seconds are over */
		ioctl(gate->timeline, VGEM_FENCE_SIGNAL, &signal);
	errno = 0;
	igt_assert_eq(sync_fence_status(gate->file), 1);
}

/**
 * igt_ferry_gate_break - signal the fence with the error ENOENT
 */
void igt_ferry_gate_break(struct igt_ferry_gate *gate)
{
	igt_assert(gate->sw_sync);
	close(gate->timeline);
	gate->timeline = -1;
	igt_assert_eq(sync_fence_status(gate->file), -ENOENT);
}

void igt_ferry_gate_fini(struct igt_ferry_gate *gate)
{
	if (gate->timeline >= 0)
		close(gate->timeline);
	close(gate->file);
}

/**
 * igt_ferry_gate_sync - make a syncobj with the fence of the gate
 * @gate: the gate
 * @fd: device file of ferry
 * @point: point of a new timeline syncobj, or 0 for a binary syncobj
 */
struct drm_ferry_sync igt_ferry_gate_sync(const struct igt_ferry_gate *gate,
					  int fd, uint64_t point)
{
	struct drm_ferry_sync sync = { .point = point };
	uint32_t binary;

	igt_assert_eq(drmSyncobjCreate(fd, 0, &binary), 0);
	igt_assert_eq(drmSyncobjImportSyncFile(fd, binary, gate->file), 0);
	if (!point) {
		sync.handle = binary;
		return sync;
	}

	igt_assert_eq(drmSyncobjCreate(fd, 0, &sync.handle), 0);
	igt_assert_eq(drmSyncobjTransfer(fd, sync.handle, point, binary, 0, 0),
		      0);
	igt_assert_eq(drmSyncobjDestroy(fd, binary), 0);
	return sync;
}

/**
 * igt_ferry_in_ns - absolute time in @ns from now on, as syncobjs and BO_WAIT take it
 */
int64_t igt_ferry_in_ns(int64_t ns)
{
	struct timespec now;

	igt_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * IGT_FERRY_SECOND + now.tv_nsec + ns;
}

/**
 * igt_ferry_sync_new - create a syncobj without a fence
 * @fd: device file of ferry
 * @point: point to wait for or to signal, or 0 for a binary syncobj
 */
struct drm_ferry_sync igt_ferry_sync_new(int fd, uint64_t point)
{
	struct drm_ferry_sync sync = { .point = point };

	igt_assert_eq(drmSyncobjCreate(fd, 0, &sync.handle), 0);
	return sync;
}

/**
 * igt_ferry_sync_state - test a syncobj without waiting
 *
 * Return: 0 if it is signalled, -ETIME if it is pending, -EINVAL if it has no fence at
 * the point.
 */
int igt_ferry_sync_state(int fd, struct drm_ferry_sync sync)
{
	uint64_t point = sync.point;
	int err =
		drmSyncobjTimelineWait(fd, &sync.handle, &point, 1, 0, 0, NULL);

	errno = 0;
	return err;
}

void igt_ferry_sync_wait(int fd, struct drm_ferry_sync sync)
{
	uint64_t point = sync.point;

	igt_assert_eq(drmSyncobjTimelineWait(
			      fd, &sync.handle, &point, 1,
			      igt_ferry_in_ns(60 * IGT_FERRY_SECOND), 0, NULL),
		      0);
}

/**
 * igt_ferry_sync_file - export a sync file, whose status includes the error of the fence
 */
int igt_ferry_sync_file(int fd, struct drm_ferry_sync sync)
{
	struct drm_ferry_sync binary = igt_ferry_sync_new(fd, 0);
	int file;

	igt_assert_eq(drmSyncobjTransfer(fd, binary.handle, 0, sync.handle,
					 sync.point, 0),
		      0);
	igt_assert_eq(drmSyncobjExportSyncFile(fd, binary.handle, &file), 0);
	igt_assert_eq(drmSyncobjDestroy(fd, binary.handle), 0);
	return file;
}
