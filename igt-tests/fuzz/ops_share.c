// SPDX-License-Identifier: MIT
/* dma-bufs and syncobjs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm.h>
#include "ops_local.h"

void keep_fd(unsigned int slot, int fd)
{
	int old = state.fds[slot % SLOTS];

	state.fds[slot % SLOTS] = fd;
	if (old >= 0)
		close(old);
}

int op_export(const struct call *call)
{
	struct drm_prime_handle args = {
		.handle = handle_of(call, call->b),
		.flags = call->v & 1 ? DRM_RDWR | DRM_CLOEXEC : call->v & 2,
	};
	int err = do_ioctl(file_of(call), DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	if (!err)
		keep_fd(call->c, args.fd);
	return err;
}

int op_import(const struct call *call)
{
	struct drm_prime_handle args = { .fd = state.fds[call->c % SLOTS] };
	int err = do_ioctl(file_of(call), DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	if (!err)
		handle_of(call, call->b) = args.handle;
	return err;
}

int op_close_fd(const struct call *call)
{
	keep_fd(call->c, -1);
	return 0;
}

int op_dmabuf_mmap(const struct call *call)
{
	size_t first, count;
	uint64_t offset;
	void *at;

	range_of(call->v, &first, &count);
	if (call->a & 0x80)
		first = 0;
	/* the flags of fake offsets mean nothing here: an offset beyond the end */
	offset = first * PAGE | (call->a & 0x40 ? OFFSET_POPULATE : 0);
	at = mmap(mapping(call->b), count * PAGE, call->a & 3,
		  call->a & 4 ? MAP_PRIVATE : MAP_SHARED,
		  state.fds[call->c % SLOTS], offset);
	if (at == MAP_FAILED)
		return errno;
	if (call->a & 0x40)
		wrong("a mapping of a dma-buf at the offset %#llx",
		      (unsigned long long)offset);
	munmap(at, count * PAGE);
	at = mmap(mapping(call->b), count * PAGE, call->a & 3,
		  (call->a & 4 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED,
		  state.fds[call->c % SLOTS], offset);
	if (at == MAP_FAILED) {
		int err = errno;

		reserve(call->b, 0, count);
		return err;
	}
	/* the BO of a dma-buf is not known here */
	memset(marks(call->b), 0, count * sizeof(uint64_t));
	return 0;
}

int op_dmabuf_ioctl(const struct call *call)
{
	struct dma_buf_sync sync = { .flags = call->v & 7 };
	struct dma_buf_export_sync_file file = { .flags = call->v & 3 };
	struct pollfd wait = { .fd = state.fds[call->c % SLOTS],
			       .events = POLLIN | POLLOUT };
	int fd = wait.fd, err;

	switch (call->b % 4) {
	case 0:
		return do_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	case 1:
		err = do_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &file);
		if (!err)
			close(file.fd);
		return err;
	case 2:
		return done(poll(&wait, 1, 0));
	default:
		return done(lseek(fd, number(call->v), call->a % 3));
	}
}

/* ---- syncobjs ---- */

int op_syncobj_create(const struct call *call)
{
	struct drm_syncobj_create args = { .flags = call->c & 3 };
	int err = do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_CREATE, &args);

	if (!err)
		syncobj_of(call, call->b) = args.handle;
	return err;
}

int op_syncobj_destroy(const struct call *call)
{
	struct drm_syncobj_destroy args = { .handle =
						    syncobj_of(call, call->b) };
	int err = do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_DESTROY, &args);

	if (!err)
		syncobj_of(call, call->b) = 0;
	return err;
}

int op_syncobj_array(const struct call *call)
{
	uint32_t handles[2] = { syncobj_of(call, call->b),
				syncobj_of(call, call->b + 1) };
	uint64_t points[2] = { call->v & 7, call->v >> 3 & 7 };
	struct drm_syncobj_array all = {
		.handles = (uintptr_t)handles,
		.count_handles = 1 + (call->v >> 8 & 1),
	};
	struct drm_syncobj_timeline_array timeline = {
		.handles = (uintptr_t)handles,
		.points = (uintptr_t)points,
		.count_handles = all.count_handles,
		.flags = call->v >> 9 & 1,
	};
	struct drm_syncobj_wait wait = {
		.handles = (uintptr_t)handles,
		.timeout_nsec = soon(call->v),
		.count_handles = all.count_handles,
		.flags = call->v >> 10 & 7,
	};
	struct drm_syncobj_timeline_wait points_wait = {
		.handles = (uintptr_t)handles,
		.points = (uintptr_t)points,
		.timeout_nsec = soon(call->v),
		.count_handles = all.count_handles,
		.flags = call->v >> 10 & 7,
	};
	struct drm_syncobj_transfer transfer = {
		.src_handle = handles[0],
		.dst_handle = handles[1],
		.src_point = points[0],
		.dst_point = points[1],
	};

	switch (call->c % 7) {
	case 0:
		return do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_RESET, &all);
	case 1:
		return do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_SIGNAL, &all);
	case 2:
		return do_ioctl(file_of(call),
				DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &timeline);
	case 3:
		return do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_QUERY,
				&timeline);
	case 4:
		return do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_WAIT, &wait);
	case 5:
		return do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT,
				&points_wait);
	default:
		return do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_TRANSFER,
				&transfer);
	}
}

int op_syncobj_fd(const struct call *call)
{
	struct drm_syncobj_handle args = {
		.handle = syncobj_of(call, call->b),
		.flags = call->v & 1,
		.fd = state.fds[call->c % SLOTS],
	};
	int err;

	if (call->v & 2) {
		err = do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE,
			       &args);
		if (!err && !args.flags)
			syncobj_of(call, call->b) = args.handle;
		return err;
	}
	err = do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);
	if (!err)
		keep_fd(call->c, args.fd);
	return err;
}
