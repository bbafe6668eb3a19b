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
	snprintf(path, sizeof(path), "/dev/dri/card%u", minor);
	state.files[n] =
		n % 2 ? state_open_render(flags[n] | O_CLOEXEC | O_NONBLOCK) :
			open(path, flags[n] | O_CLOEXEC | O_NONBLOCK);
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

	/* sizes between a slot and what cannot be allocated only take time */
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

/* Strides of an array of @size bytes per element: mostly right, else wrong or longer. */
static uint32_t stride_of(unsigned int kind, uint32_t size)
{
	switch (kind % 8) {
	case 1:
		return 0;
	case 2:
		return size - 1;
	case 3:
		return size + 1;
	case 4:
		return size * 2;
	case 5:
		return DRM_FERRY_STRIDE_MAX;
	case 6:
		return DRM_FERRY_STRIDE_MAX + 1;
	case 7:
		return ~0u;
	default:
		return size;
	}
}

static bool stride_is_valid(uint32_t stride, uint32_t size)
{
	return stride >= size && stride <= DRM_FERRY_STRIDE_MAX;
}

#define MAX_ENTRIES 8
#define MAX_SYNCS 3

/* The arrays of a migrate call, with room for the largest stride that is valid */
struct migrate_arrays {
	uint8_t entries[MAX_ENTRIES * DRM_FERRY_STRIDE_MAX];
	uint8_t in[MAX_SYNCS * DRM_FERRY_STRIDE_MAX];
	uint8_t out[MAX_SYNCS * DRM_FERRY_STRIDE_MAX];
};

/*
 * Store element @i. Clear the bytes behind it, which the kernel does not know; but
 * set the last one if @unknown. An invalid stride is refused before the kernel reads
 * the array: the layout does not matter.
 */
static void put_element(uint8_t *array, unsigned int i, uint32_t stride,
			const void *element, uint32_t size, bool unknown)
{
	if (!stride_is_valid(stride, size))
		stride = size;
	memset(array + i * stride, 0, stride);
	if (unknown && stride > size)
		array[(i + 1) * stride - 1] = 1;
	memcpy(array + i * stride, element, size);
}

static void fill_entries(const struct call *call, uint8_t *array,
			 uint32_t stride, bool unknown)
{
	unsigned int i;

	for (i = 0; i < MAX_ENTRIES; i++) {
		struct drm_ferry_migrate_entry entry = {
			.handle = handle_of(call, call->b + i),
			.placement = call->v >> (4 + 2 * i) & 3,
		};

		/* no placement, or both, only now and then */
		if (call->v >> 20 & 7)
			entry.placement = 1 + (entry.placement & 1);
		put_element(array, i, stride, &entry, sizeof(entry), unknown);
	}
}

static void fill_syncs(const struct call *call, struct migrate_arrays *arrays,
		       uint32_t stride, bool unknown)
{
	unsigned int i;

	for (i = 0; i < MAX_SYNCS; i++) {
		struct drm_ferry_sync in = {
			.handle = syncobj_of(call, call->b + i),
			.point = call->c >> 4 & 3,
		};
		struct drm_ferry_sync out = {
			.handle = syncobj_of(call, call->b + i + 1),
			.point = call->c >> 6,
		};

		put_element(arrays->in, i, stride, &in, sizeof(in), unknown);
		put_element(arrays->out, i, stride, &out, sizeof(out), unknown);
	}
}

/* The rules of uapi/ferry_drm.h for strides and failed_entry */
static void check_migrate(const struct drm_ferry_migrate *args, int err,
			  bool unknown)
{
	const uint32_t entry = sizeof(struct drm_ferry_migrate_entry);
	const uint32_t sync = sizeof(struct drm_ferry_sync);
	bool syncs = args->in_count || args->out_count;
	bool longer = args->entry_stride > entry ||
		      (syncs && args->sync_stride > sync);

	if (!err && (!stride_is_valid(args->entry_stride, entry) ||
		     (syncs && !stride_is_valid(args->sync_stride, sync))))
		wrong("MIGRATE takes the strides %u and %u", args->entry_stride,
		      args->sync_stride);
	if (!err && unknown && longer)
		wrong("MIGRATE ignores unknown bytes");
	if (err == E2BIG && !(unknown && longer))
		wrong("MIGRATE fails with E2BIG without unknown bytes");
	if (!err && args->failed_entry != args->count)
		wrong("MIGRATE succeeds with failed_entry %u of %u",
		      args->failed_entry, args->count);
	/* not written if the ioctl did not reach the driver */
	if ((err == ENOENT || err == EBUSY || err == ENOSPC) &&
	    args->failed_entry > args->count)
		wrong("MIGRATE fails with failed_entry %u of %u",
		      args->failed_entry, args->count);
}

/*
 * Up to 8 BOs, beginning with a slot. @call->v holds the placements, @call->c the
 * number of syncs, and the upper bits of @call->a the strides.
 */
int op_migrate(const struct call *call)
{
	struct migrate_arrays arrays;
	struct drm_ferry_migrate args = {
		.entry_stride = stride_of(
			call->a >> 2, sizeof(struct drm_ferry_migrate_entry)),
		.sync_stride =
			stride_of(call->a >> 5, sizeof(struct drm_ferry_sync)),
		/* mostly one, so that mostly it can be done */
		.count = (call->v & 0xf) < 8 ? 1 : call->v & 0xf,
		.flags = call->v >> 31 && call->v >> 30 & 1,
		.in_count = call->c >= 0xc0 ? call->c & 3 : 0,
		.out_count = call->c >= 0x80 ? call->c >> 2 & 3 : 0,
		.entries = (uintptr_t)arrays.entries,
		.in_syncs = (uintptr_t)arrays.in,
		.out_syncs = (uintptr_t)arrays.out,
		/* an output: any value is ignored */
		.failed_entry = call->v * 2654435761u,
	};
	/* in bits that also choose a placement: independent of the strides */
	bool unknown = call->v >> 23 & 1;
	int err;

	if (args.count >= 8)
		args.count = args.count == 15 ? 8 : args.count - 8;
	fill_entries(call, arrays.entries, args.entry_stride, unknown);
	fill_syncs(call, &arrays, args.sync_stride, unknown);
	/* the entries go on beyond the end of readable memory */
	if (args.count == 8 && call->v >> 29 & 1)
		args.entries = (uintptr_t)arena - 16;
	if (args.in_count == 3)
		args.in_syncs = call->v;
	err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_MIGRATE, &args);
	/* a pointer to other memory: its bytes are not those of the arrays */
	if (args.in_count < 3 && args.out_count < 3 &&
	    args.entries == (uintptr_t)arrays.entries)
		check_migrate(&args, err, unknown);
	return EXPECT("MIGRATE", err, EINVAL, E2BIG, ENOENT, EBUSY, ENODATA,
		      ENOSPC, EIO);
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

/* An ioctl of ferry with any number, size, direction and bytes. */
int op_raw(const struct call *call)
{
	uint64_t bytes[16];
	uint32_t word = call->v * 2654435761u + call->b;
	unsigned int i, size = call->b % sizeof(bytes);

	for (i = 0; i < 16; i++) {
		word = word * 1664525u + 1013904223u;
		/* mostly small numbers: most fields are masks or handles */
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
