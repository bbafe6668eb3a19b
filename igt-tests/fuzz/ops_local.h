/* SPDX-License-Identifier: MIT */
/* Shared by the files that implement the calls. */
#ifndef FERRY_FUZZ_OPS_LOCAL_H
#define FERRY_FUZZ_OPS_LOCAL_H

#include <stddef.h>

#include "ops.h"
#include "state.h"

/*
 * All calls, in the order of their numbers: append only, as stored programs contain
 * the numbers. MAPS is for calls that change mappings.
 */
#define FOR_EACH_OP(OP, MAPS) \
	OP(open)              \
	OP(close)             \
	OP(device_query)      \
	OP(create)            \
	OP(close_handle)      \
	OP(offset)            \
	OP(query)             \
	OP(migrate)           \
	OP(wait)              \
	OP(bo_madvise)        \
	OP(raw)               \
	OP(flink)             \
	OP(gem_open)          \
	MAPS(mmap)            \
	MAPS(munmap)          \
	MAPS(mprotect)        \
	MAPS(mremap)          \
	OP(read)              \
	OP(write)             \
	OP(proc_mem)          \
	OP(gup)               \
	MAPS(advice)          \
	OP(fork)              \
	OP(export)            \
	OP(import)            \
	OP(close_fd)          \
	MAPS(dmabuf_mmap)     \
	OP(dmabuf_ioctl)      \
	OP(syncobj_create)    \
	OP(syncobj_destroy)   \
	OP(syncobj_array)     \
	OP(syncobj_fd)        \
	OP(dumb)              \
	OP(addfb)             \
	OP(rmfb)              \
	OP(set_crtc)          \
	OP(flip)              \
	OP(dirty)             \
	OP(get_fb)            \
	OP(atomic)            \
	OP(master)            \
	OP(look)              \
	OP(sync_file)         \
	OP(fbdev)             \
	OP(mode)              \
	OP(unbind)

#define OP_DECLARE(name) int op_##name(const struct call *call);
FOR_EACH_OP(OP_DECLARE, OP_DECLARE)
#undef OP_DECLARE

#define file_of(call) state.files[(call)->a % FILES]
#define handle_of(call, slot) state.handles[(call)->a % FILES][(slot) % SLOTS]
#define offset_of(call, slot) state.offsets[(call)->a % FILES][(slot) % SLOTS]
#define syncobj_of(call, slot) state.syncobjs[(call)->a % FILES][(slot) % SLOTS]

/* Bit of a fake offset that populates the mapping: FERRY_FAULT_POPULATE */
#define OFFSET_POPULATE (1ull << 43)

/* Return a number that is often close to a limit. */
uint64_t number(uint32_t v);
/* Return 0, or the errno after a call that returned a negative number. */
int done(long ret);
/* Run an ioctl, again if it is interrupted. Return 0 or the errno. */
int do_ioctl(int fd, unsigned long request, void *arg);
/* Return a time for a timeout: about now, at most 2 ms from now, 0 or negative. */
int64_t soon(uint32_t v);

/*
 * Check an errno against those that uapi/ferry_drm.h names for the ioctl, beside
 * those that every ioctl may return.
 */
int expect(const char *what, int err, const int *allowed);
#define EXPECT(what, err, ...) \
	expect(what, err, (const int[]){ __VA_ARGS__, 0 })

/* Address and marks of mapping @n */
char *mapping(unsigned int n);
uint64_t *marks(unsigned int n);
/* Decode a range of pages of a mapping; it has at least one page. */
void range_of(uint32_t v, size_t *first, size_t *count);
/* Replace pages of a mapping by address space that cannot be accessed. */
int reserve(unsigned int n, size_t first, size_t count);
/* Read or write every @step-th page and check or store its mark. */
int access_pages(unsigned int n, size_t first, size_t count, size_t step,
		 bool write);

/* Put a file descriptor into a slot and close the one that it held; -1: none. */
void keep_fd(unsigned int slot, int fd);

#endif
