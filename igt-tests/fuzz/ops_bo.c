// SPDX-License-Identifier: MIT
/* Files, BOs and the ioctls of ferry. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm.h>
#include "ferry_drm.h"
#include "ops_local.h"

int op_open(const struct call *call)
{
	static const int flags[FILES] = { O_RDWR, O_RDWR, O_RDONLY, O_RDWR };
	unsigned int n = call->a % FILES;
	char path[64];

	if (state.files[n] >= 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/dri/%s%u",
		 n % 2 ? "renderD" : "card", n % 2 ? 128 + minor : minor);
	state.files[n] = open(path, flags[n] | O_CLOEXEC | O_NONBLOCK);
	return done(state.files[n]);
}

int op_close(const struct call *call)
{
	unsigned int n = call->a % FILES;
	int fd = state.files[n];

	if (fd < 0)
		return 0;
	state.files[n] = -1;
	memset(state.handles[n], 0, sizeof(state.handles[n]));
	memset(state.syncobjs[n], 0, sizeof(state.syncobjs[n]));
	memset(state.offsets[n], 0, sizeof(state.offsets[n]));
	return done(close(fd));
}

int op_device_query(const struct call *call)
{
	struct drm_ferry_device_query args = { .flags = call->b == 255,
					       .pad = call->c == 255 };
	int err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_DEVICE_QUERY, &args);

	return EXPECT("DEVICE_QUERY", err, EINVAL);
}

int op_create(const struct call *call)
{
	struct drm_ferry_bo_create args = {
		.size = number(call->v),
		.allowed_placements = call->c & 7,
		.placement = call->c >> 3 & 3,
		.caching = call->c >> 5 & 1,
		.flags = call->c >> 6 & 3,
		.pad = call->a >> 7 && call->a >> 6 & 1,
	};
	int err;

	/* between what fits into a slot and what cannot be had there is only waiting */
	if (args.size > MAPPING_SIZE && args.size < 1ull << 32)
		args.size = MAPPING_SIZE;
	err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_CREATE, &args);
	if (!err) {
		if (!args.handle || args.size & (PAGE - 1) || !args.size)
			wrong("BO_CREATE gave handle %u and size %llu",
			      args.handle, (unsigned long long)args.size);
		handle_of(call, call->b) = args.handle;
		offset_of(call, call->b) = 0;
	}
	return EXPECT("BO_CREATE", err, EINVAL, ENOSPC);
}

int op_close_handle(const struct call *call)
{
	struct drm_gem_close args = { .handle = handle_of(call, call->b) };
	int err = do_ioctl(file_of(call), DRM_IOCTL_GEM_CLOSE, &args);

	if (!err)
		handle_of(call, call->b) = 0;
	return err;
}

int op_offset(const struct call *call)
{
	struct drm_ferry_bo_mmap_offset args = {
		.handle = handle_of(call, call->b),
		.flags = call->c & 3,
	};
	int err =
		do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args);

	if (!err)
		offset_of(call, call->b) = args.offset;
	return EXPECT("BO_MMAP_OFFSET", err, EINVAL, ENOENT);
}

int op_query(const struct call *call)
{
	struct drm_ferry_bo_query args = {
		.handle = handle_of(call, call->b),
		.pad = call->c == 255,
	};
	int err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_QUERY, &args);

	if (!err && (!(args.placement & args.allowed_placements) ||
		     args.placement & (args.placement - 1)))
		wrong("BO_QUERY: placement %u of %u", args.placement,
		      args.allowed_placements);
	return EXPECT("BO_QUERY", err, EINVAL, ENOENT);
}

/* Up to 8 BOs from a slot on; v says where each goes, c which syncs there are. */
int op_migrate(const struct call *call)
{
	struct drm_ferry_migrate_entry entries[8] = {};
	struct drm_ferry_sync in[2] = {}, out[2] = {};
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		/* mostly one, so that mostly it can be done */
		.count = (call->v & 0xf) < 8 ? 1 : call->v & 0xf,
		.flags = call->v >> 31 && call->v >> 30 & 1,
		.in_count = call->c >= 0xc0 ? call->c & 3 : 0,
		.out_count = call->c >= 0x80 ? call->c >> 2 & 3 : 0,
		.entries = (uintptr_t)entries,
		.in_syncs = (uintptr_t)in,
		.out_syncs = (uintptr_t)out,
	};
	unsigned int i, first = call->b;
	int err;

	if (args.count >= 8)
		args.count = args.count == 15 ? 8 : args.count - 8;
	for (i = 0; i < 8; i++) {
		entries[i].handle = handle_of(call, first + i);
		entries[i].placement = call->v >> (4 + 2 * i) & 3;
		/* none, or both, now and then only */
		if (call->v >> 20 & 7)
			entries[i].placement = 1 + (entries[i].placement & 1);
	}
	for (i = 0; i < 2; i++) {
		in[i].handle =
			state.syncobjs[call->a % FILES][(first + i) % SLOTS];
		in[i].point = call->c >> 4 & 3;
		out[i].handle =
			state.syncobjs[call->a % FILES][(first + i + 1) % SLOTS];
		out[i].point = call->c >> 6;
	}
	/* what has more is at the end of what can be read */
	if (args.count == 8 && call->v >> 29 & 1)
		args.entries = (uintptr_t)arena - 16;
	if (args.in_count == 3)
		args.in_syncs = call->v;
	err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_MIGRATE, &args);
	return EXPECT("MIGRATE", err, EINVAL, ENOENT, EBUSY, ENODATA, ENOSPC,
		      ETIME);
}

int op_wait(const struct call *call)
{
	struct drm_ferry_bo_wait args = {
		.handle = handle_of(call, call->b),
		.flags = call->c == 255,
		.timeout_ns = soon(call->v),
	};
	int err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_WAIT, &args);

	return EXPECT("BO_WAIT", err, EINVAL, ENOENT, ETIME);
}

int op_bo_madvise(const struct call *call)
{
	struct drm_ferry_bo_madvise args = {
		.handle = handle_of(call, call->b),
		.madv = call->c & 3,
		.pad = call->c == 255,
	};
	int err;

	if (args.madv == DRM_FERRY_MADV_DONTNEED)
		state.may_purge = true;
	err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_MADVISE, &args);
	if (!err && args.retained > 1)
		wrong("BO_MADVISE: retained is %u", args.retained);
	return EXPECT("BO_MADVISE", err, EINVAL, ENOENT, EBUSY);
}

/* An ioctl of ferry's with any number, size, direction and bytes. */
int op_raw(const struct call *call)
{
	uint64_t bytes[16];
	uint32_t word = call->v * 2654435761u + call->b;
	unsigned int i, size = call->b % sizeof(bytes);

	for (i = 0; i < 16; i++) {
		word = word * 1664525u + 1013904223u;
		/* mostly small numbers, as most fields are masks or handles */
		bytes[i] = word >> 30 ?
				   (word >> 8 & 7) | (uint64_t)(word >> 20 & 7)
							     << 32 :
				   (uint64_t)word << 32 | word;
	}
	return do_ioctl(file_of(call),
			_IOC(call->c >> 6, 'd', 0x40 + call->c % 10, size),
			bytes);
}

int op_flink(const struct call *call)
{
	struct drm_gem_flink args = { .handle = handle_of(call, call->b) };
	int err = do_ioctl(file_of(call), DRM_IOCTL_GEM_FLINK, &args);

	if (!err)
		state.names[call->c % SLOTS] = args.name;
	return err;
}

int op_gem_open(const struct call *call)
{
	struct drm_gem_open args = { .name = state.names[call->c % SLOTS] };
	int err = do_ioctl(file_of(call), DRM_IOCTL_GEM_OPEN, &args);

	if (!err)
		handle_of(call, call->b) = args.handle;
	return err;
}
