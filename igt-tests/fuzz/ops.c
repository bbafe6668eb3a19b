// SPDX-License-Identifier: MIT
// The calls that a program of the fuzzer is made of: all that a client of ferry can do.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include "ferry_drm.h"
#include "ferry_fuzz.h"

#define file_of(call) state.files[(call)->a % FILES]
#define handle_of(call, slot) state.handles[(call)->a % FILES][(slot) % SLOTS]
#define LARGEST (MAPPING_PAGES * PAGE)

/* Connector, CRTC, plane and a mode of the display; 0 if there is none. */
static uint32_t connector, crtc, plane;
static struct drm_mode_modeinfo mode;
/* Properties of the plane, then of the CRTC, then of the connector */
static uint32_t properties[64];
static unsigned int property_count;

uint64_t number(uint32_t v)
{
	static const uint64_t limits[] = {
		0,
		1,
		4095,
		4096,
		4097,
		8192,
		65536,
		1 << 20,
		(2 << 20) - 4096,
		2 << 20,
		(2 << 20) + 4096,
		4 << 20,
		8 << 20,
		16 << 20,
		(16 << 20) + 1,
		1ull << 31,
		(1ull << 31) - 1,
		1ull << 32,
		(1ull << 32) - 1,
		1ull << 60,
		1ull << 63,
		~0ull,
		~0ull - 4095,
		~0ull << 12,
	};

	if (v >> 24 == 0xff)
		return limits[v % (sizeof(limits) / sizeof(limits[0]))];
	/* mostly small: what is large takes its time */
	return v >> 23 & 1 ? v & 0x7fffff : v & 0x3ffff;
}

static int done(long ret)
{
	return ret < 0 ? errno : 0;
}

static int do_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret == -1 && (errno == EINTR || errno == EAGAIN));
	return done(ret);
}

/* The errors that uapi/ferry_drm.h names, beside those that every ioctl can return. */
static int expect(const char *what, int err, const int *allowed)
{
	static const int always[] = {
		0, ENODEV, EFAULT, EINTR, ENOMEM, EBADF, 0
	};
	unsigned int i;

	for (i = 0; i < 6; i++)
		if (err == always[i])
			return err;
	for (i = 0; allowed[i]; i++)
		if (err == allowed[i])
			return err;
	wrong("%s fails with %d, %s: not one of its errors", what, err,
	      strerror(err));
}
#define EXPECT(what, err, ...) \
	expect(what, err, (const int[]){ __VA_ARGS__, 0 })

/* ---- files and BOs ---- */

static int op_open(const struct call *call)
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

static int op_close(const struct call *call)
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

static int op_device_query(const struct call *call)
{
	struct drm_ferry_device_query args = { .flags = call->b == 255,
					       .pad = call->c == 255 };
	int err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_DEVICE_QUERY, &args);

	return EXPECT("DEVICE_QUERY", err, EINVAL);
}

static int op_create(const struct call *call)
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
	if (args.size > LARGEST && args.size < 1ull << 32)
		args.size = LARGEST;
	err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_CREATE, &args);
	if (!err) {
		if (!args.handle || args.size & (PAGE - 1) || !args.size)
			wrong("BO_CREATE gave handle %u and size %llu",
			      args.handle, (unsigned long long)args.size);
		handle_of(call, call->b) = args.handle;
		state.offsets[call->a % FILES][call->b % SLOTS] = 0;
	}
	return EXPECT("BO_CREATE", err, EINVAL, ENOSPC);
}

static int op_close_handle(const struct call *call)
{
	struct drm_gem_close args = { .handle = handle_of(call, call->b) };
	int err = do_ioctl(file_of(call), DRM_IOCTL_GEM_CLOSE, &args);

	if (!err)
		handle_of(call, call->b) = 0;
	return err;
}

static int op_offset(const struct call *call)
{
	struct drm_ferry_bo_mmap_offset args = {
		.handle = handle_of(call, call->b),
		.flags = call->c & 3,
	};
	int err =
		do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args);

	if (!err)
		state.offsets[call->a % FILES][call->b % SLOTS] = args.offset;
	return EXPECT("BO_MMAP_OFFSET", err, EINVAL, ENOENT);
}

static int op_query(const struct call *call)
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
static int op_migrate(const struct call *call)
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

static int64_t soon(uint32_t v)
{
	struct timespec now;

	if (v >> 24 == 0xff)
		return v & 1 ? 0 : -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec + v % 2000000;
}

static int op_wait(const struct call *call)
{
	struct drm_ferry_bo_wait args = {
		.handle = handle_of(call, call->b),
		.flags = call->c == 255,
		.timeout_ns = soon(call->v),
	};
	int err = do_ioctl(file_of(call), DRM_IOCTL_FERRY_BO_WAIT, &args);

	return EXPECT("BO_WAIT", err, EINVAL, ENOENT, ETIME);
}

static int op_bo_madvise(const struct call *call)
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
static int op_raw(const struct call *call)
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

static int op_flink(const struct call *call)
{
	struct drm_gem_flink args = { .handle = handle_of(call, call->b) };
	int err = do_ioctl(file_of(call), DRM_IOCTL_GEM_FLINK, &args);

	if (!err)
		state.names[call->c % SLOTS] = args.name;
	return err;
}

static int op_gem_open(const struct call *call)
{
	struct drm_gem_open args = { .name = state.names[call->c % SLOTS] };
	int err = do_ioctl(file_of(call), DRM_IOCTL_GEM_OPEN, &args);

	if (!err)
		handle_of(call, call->b) = args.handle;
	return err;
}

/* ---- mappings ---- */

static char *mapping(unsigned int n)
{
	return arena + n % MAPPINGS * LARGEST;
}

static uint64_t *marks(unsigned int n)
{
	return state.marks[n % MAPPINGS];
}

/* A range of pages in a slot: first and count, never none. */
static void range_of(uint32_t v, size_t *first, size_t *count)
{
	*first = (v & 0x7ff) % MAPPING_PAGES;
	*count = (v >> 11 & 0x7ff) % (MAPPING_PAGES - *first) + 1;
}

/* Nothing, so that nobody else comes to that range. */
static int reserve(unsigned int n, size_t first, size_t count)
{
	void *at = mmap(mapping(n) + first * PAGE, count * PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			-1, 0);

	if (at == MAP_FAILED)
		return errno;
	memset(&marks(n)[first], 0, count * sizeof(uint64_t));
	return 0;
}

static int op_mmap(const struct call *call)
{
	uint64_t base = state.offsets[call->a % FILES][call->b % SLOTS];
	int prot = call->c >> 3 & 7,
	    flags = call->c & 0x40 ? MAP_PRIVATE : MAP_SHARED;
	unsigned int n = call->c & 7;
	size_t first, count, i;
	void *at;

	range_of(call->v, &first, &count);
	/* mostly from the beginning, which is where most of them have something */
	if (!(call->c & 0x80))
		first = 0;
	at = mmap(mapping(n), count * PAGE, prot,
		  flags | MAP_FIXED | (call->a & 0x80 ? MAP_POPULATE : 0),
		  file_of(call), base + first * PAGE);
	if (at == MAP_FAILED) {
		int err = errno;

		/* what was there may be gone all the same */
		reserve(n, 0, count);
		return err;
	}
	if (flags == MAP_PRIVATE && (prot & PROT_WRITE))
		wrong("a private writable mapping");
	for (i = 0; i < count; i++)
		marks(n)[i] = (base & ~(1ull << 60)) + (first + i) * PAGE;
	return 0;
}

static int op_munmap(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return reserve(call->b, first, count);
}

static int op_mprotect(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return done(mprotect(mapping(call->b) + first * PAGE, count * PAGE,
			     call->c & 7));
}

/* A part of a mapping moves to another slot, or grows if it can. */
static int op_mremap(const struct call *call)
{
	unsigned int from = call->b % MAPPINGS, to = call->c % MAPPINGS;
	size_t first, count, i, larger;
	void *at;

	if (from == to)
		return 0;
	range_of(call->v, &first, &count);
	larger = call->c & 0x80 ? count + 1 + call->a : count;
	if (larger > MAPPING_PAGES)
		return 0;
	at = mremap(mapping(from) + first * PAGE, count * PAGE, larger * PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED, mapping(to));
	if (at == MAP_FAILED)
		return errno;
	for (i = 0; i < larger; i++)
		marks(to)[i] = i < count ? marks(from)[first + i] : 0;
	return reserve(from, first, count);
}

/*
 * Each page that is written is marked with its BO's offset and its number. Whoever
 * reads it later finds that, or before it is written the zero that it began with: else
 * bytes got lost, or it is another BO's page.
 */
static int touch(unsigned int n, size_t first, size_t count, size_t step,
		 bool write)
{
	sigjmp_buf here;
	volatile size_t page = first;
	int sig = sigsetjmp(here, 1);

	if (sig) {
		guard = NULL;
		if (sig == SIGBUS && marks(n)[page] && !state.may_purge &&
		    !state.racing)
			wrong("SIGBUS at page %zu of mapping %u", page,
			      n % MAPPINGS);
		return sig == SIGBUS ? EIO : EFAULT;
	}
	guard = &here;
	for (; page < first + count; page += step) {
		volatile uint64_t *at = (uint64_t *)(mapping(n) + page * PAGE);
		uint64_t mark = marks(n)[page] & ~WRITTEN, found;
		bool written = marks(n)[page] & WRITTEN;

		if (write) {
			if (!mark)
				continue;
			*at = mark;
			if (!state.racing)
				marks(n)[page] |= WRITTEN;
		} else {
			found = *at;
			if (mark && found != mark && (found || written) &&
			    !state.racing &&
			    mark == (marks(n)[page] & ~WRITTEN)) {
				guard = NULL;
				wrong("page %zu of mapping %u is marked %#llx and not %#llx",
				      page, n % MAPPINGS,
				      (unsigned long long)found,
				      (unsigned long long)mark);
			}
		}
	}
	guard = NULL;
	return 0;
}

static int op_read(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return touch(call->b, first, count, call->c + 1, false);
}

static int op_write(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return touch(call->b, first, count, call->c + 1, true);
}

static int op_proc_mem(const struct call *call)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC), err;
	uint64_t word = 0;
	char *at = mapping(call->b) + call->v % LARGEST;

	if (fd < 0)
		return errno;
	err = done(pread(fd, &word, sizeof(word), (off_t)(uintptr_t)at));
	if (!err && call->c & 1)
		err = done(
			pwrite(fd, &word, sizeof(word), (off_t)(uintptr_t)at));
	close(fd);
	return err;
}

/* The kernel's ways to hold a user's pages. */
static int op_gup(const struct call *call)
{
	struct iovec local = { mapping(call->b) + call->v % (LARGEST - 8192),
			       8192 };
	char bytes[8192];
	struct iovec other = { bytes, sizeof(bytes) };
	int pipes[2], err;
	struct timespec now = {};

	switch (call->c % 6) {
	case 0:
		return done(
			process_vm_readv(getpid(), &other, 1, &local, 1, 0));
	case 1:
		return done(syscall(SYS_futex, (uintptr_t)local.iov_base & ~3ul,
				    FUTEX_WAIT, 0, &now, 0, 0));
	case 2:
		return done(mlock(local.iov_base, local.iov_len));
	case 3:
		return done(mincore((void *)((uintptr_t)local.iov_base &
					     ~(PAGE - 1)),
				    8192, (void *)bytes));
	}
	if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
		return errno;
	if (call->c % 6 == 4)
		err = done(vmsplice(pipes[1], &local, 1, SPLICE_F_NONBLOCK));
	else
		err = done(write(pipes[1], local.iov_base, local.iov_len));
	close(pipes[0]);
	close(pipes[1]);
	return err;
}

static int op_advice(const struct call *call)
{
	static const int advice[] = { MADV_DONTNEED,	  MADV_FREE,
				      MADV_HUGEPAGE,	  MADV_NOHUGEPAGE,
				      MADV_COLD,	  MADV_PAGEOUT,
				      MADV_REMOVE,	  MADV_DONTFORK,
				      MADV_DOFORK,	  MADV_DODUMP,
				      MADV_POPULATE_READ, MADV_POPULATE_WRITE,
				      MADV_WILLNEED,	  MADV_MERGEABLE };
	size_t first, count;
	char *at;

	range_of(call->v, &first, &count);
	at = mapping(call->b) + first * PAGE;
	if (call->c == 255)
		return done(msync(at, count * PAGE, MS_SYNC));
	return done(madvise(
		at, count * PAGE,
		advice[call->c % (sizeof(advice) / sizeof(advice[0]))]));
}

/* ---- processes ---- */

static void end_child(int pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		wrong("a child found something wrong, see above");
}

static int op_fork(const struct call *call)
{
	struct call inner = *call;
	int pid;

	if (state.forks++ > 0 || state.racing)
		return 0;
	pid = fork();
	if (pid < 0)
		return errno;
	if (!pid) {
		alarm(20);
		inner.c = 0;
		touch(call->b, 0, call->v % MAPPING_PAGES + 1, 1, call->c & 1);
		if (call->c & 2)
			op_migrate(&inner);
		if (call->c & 4)
			op_munmap(&inner);
		if (call->c & 8)
			for (;;)
				touch(call->b, 0, call->v % MAPPING_PAGES + 1,
				      1, call->c & 1);
		_exit(0);
	}
	if (!(call->c & 8)) {
		end_child(pid);
		return 0;
	}
	/* goes on until the program ends, or another takes its slot */
	if (state.pids[call->b % SLOTS] > 0) {
		kill(state.pids[call->b % SLOTS], SIGKILL);
		end_child(state.pids[call->b % SLOTS]);
	}
	state.pids[call->b % SLOTS] = pid;
	return 0;
}

void end_children(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		if (state.pids[i] <= 0)
			continue;
		kill(state.pids[i], SIGKILL);
		end_child(state.pids[i]);
		state.pids[i] = 0;
	}
}

/* ---- dma-bufs ---- */

static void keep_fd(unsigned int slot, int fd)
{
	int old = state.fds[slot % SLOTS];

	state.fds[slot % SLOTS] = fd;
	if (old >= 0)
		close(old);
}

static int op_export(const struct call *call)
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

static int op_import(const struct call *call)
{
	struct drm_prime_handle args = { .fd = state.fds[call->c % SLOTS] };
	int err = do_ioctl(file_of(call), DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	if (!err)
		handle_of(call, call->b) = args.handle;
	return err;
}

static int op_close_fd(const struct call *call)
{
	keep_fd(call->c, -1);
	return 0;
}

static int op_dmabuf_mmap(const struct call *call)
{
	size_t first, count;
	void *at;

	range_of(call->v, &first, &count);
	if (call->a & 0x80)
		first = 0;
	at = mmap(mapping(call->b), count * PAGE, call->a & 3,
		  call->a & 4 ? MAP_PRIVATE : MAP_SHARED,
		  state.fds[call->c % SLOTS], first * PAGE);
	if (at == MAP_FAILED)
		return errno;
	munmap(at, count * PAGE);
	at = mmap(mapping(call->b), count * PAGE, call->a & 3,
		  (call->a & 4 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED,
		  state.fds[call->c % SLOTS], first * PAGE);
	if (at == MAP_FAILED) {
		int err = errno;

		reserve(call->b, 0, count);
		return err;
	}
	/* which BO it is nobody knows here */
	memset(marks(call->b), 0, count * sizeof(uint64_t));
	return 0;
}

static int op_dmabuf_ioctl(const struct call *call)
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

#define syncobj_of(call, slot) state.syncobjs[(call)->a % FILES][(slot) % SLOTS]

static int op_syncobj_create(const struct call *call)
{
	struct drm_syncobj_create args = { .flags = call->c & 3 };
	int err = do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_CREATE, &args);

	if (!err)
		syncobj_of(call, call->b) = args.handle;
	return err;
}

static int op_syncobj_destroy(const struct call *call)
{
	struct drm_syncobj_destroy args = { .handle =
						    syncobj_of(call, call->b) };
	int err = do_ioctl(file_of(call), DRM_IOCTL_SYNCOBJ_DESTROY, &args);

	if (!err)
		syncobj_of(call, call->b) = 0;
	return err;
}

static int op_syncobj_array(const struct call *call)
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

static int op_syncobj_fd(const struct call *call)
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

/* ---- the display ---- */

static void find_properties(int fd, uint32_t id, uint32_t type)
{
	uint64_t values[32];
	struct drm_mode_obj_get_properties args = {
		.props_ptr = (uintptr_t)&properties[property_count],
		.prop_values_ptr = (uintptr_t)values,
		.count_props = 20,
		.obj_id = id,
		.obj_type = type,
	};

	if (property_count > 40 ||
	    ioctl(fd, DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &args))
		return;
	property_count += args.count_props < 20 ? args.count_props : 20;
}

void find_display(int fd)
{
	uint32_t crtcs[4] = {}, connectors[4] = {}, planes[4] = {};
	struct drm_set_client_cap atomic = { DRM_CLIENT_CAP_ATOMIC, 1 };
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs,
		.connector_id_ptr = (uintptr_t)connectors,
		.count_crtcs = 4,
		.count_connectors = 4,
	};
	struct drm_mode_get_plane_res list = {
		.plane_id_ptr = (uintptr_t)planes, .count_planes = 4
	};
	static struct drm_mode_modeinfo modes[128];
	struct drm_mode_get_connector info = {};

	ioctl(fd, DRM_IOCTL_SET_CLIENT_CAP, &atomic);
	if (ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &res) || !crtcs[0])
		return;
	ioctl(fd, DRM_IOCTL_MODE_GETPLANERESOURCES, &list);
	crtc = crtcs[0];
	connector = connectors[0];
	plane = planes[0];
	info.connector_id = connector;
	info.modes_ptr = (uintptr_t)modes;
	info.count_modes = 128;
	if (!ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &info))
		mode = modes[0];
	find_properties(fd, plane, DRM_MODE_OBJECT_PLANE);
	find_properties(fd, crtc, DRM_MODE_OBJECT_CRTC);
	find_properties(fd, connector, DRM_MODE_OBJECT_CONNECTOR);
}

static int op_dumb(const struct call *call)
{
	struct drm_mode_create_dumb create = {
		.width = call->v & 0xfff,
		.height = call->v >> 12 & 0xfff,
		.bpp = call->v >> 24 ? 32 : 8,
		.flags = call->c == 255,
	};
	struct drm_mode_map_dumb map = { .handle = handle_of(call, call->b) };
	struct drm_mode_destroy_dumb destroy = { .handle = map.handle };
	int err;

	switch (call->c % 3) {
	case 0:
		if ((uint64_t)create.width * create.height * 4 > LARGEST)
			create.height = 64;
		err = do_ioctl(file_of(call), DRM_IOCTL_MODE_CREATE_DUMB,
			       &create);
		if (!err)
			handle_of(call, call->b) = create.handle;
		return err;
	case 1:
		err = do_ioctl(file_of(call), DRM_IOCTL_MODE_MAP_DUMB, &map);
		if (!err)
			state.offsets[call->a % FILES][call->b % SLOTS] =
				map.offset;
		return err;
	default:
		return do_ioctl(file_of(call), DRM_IOCTL_MODE_DESTROY_DUMB,
				&destroy);
	}
}

static int op_addfb(const struct call *call)
{
	/* most BOs have no room for a large one */
	const uint32_t most = call->v & 0x40000000 ? 0x7ff : 0x7f;
	struct drm_mode_fb_cmd2 args = {
		.width = call->v & 0x80000000 ? mode.hdisplay : call->v & most,
		.height = call->v & 0x80000000 ? mode.vdisplay :
						 call->v >> 11 & most,
		.pixel_format = call->c & 0x80 ? DRM_FORMAT_ARGB8888 :
						 DRM_FORMAT_XRGB8888,
		.flags = call->c >= 0xc0 ? DRM_MODE_FB_MODIFIERS : 0,
		.handles[0] = handle_of(call, call->b),
		.offsets[0] =
			call->v >> 22 & 0xff ? (call->v >> 22 & 0xff) * 64 : 0,
	};
	int err;

	args.pitches[0] = args.width * 4 + (call->c & 0x20 ? 64 : 0);
	err = do_ioctl(file_of(call), DRM_IOCTL_MODE_ADDFB2, &args);
	if (!err)
		state.fbs[call->c % SLOTS] = args.fb_id;
	return err;
}

static int op_rmfb(const struct call *call)
{
	/* older headers have no DRM_IOCTL_MODE_CLOSEFB: a number and zero */
	uint32_t id[2] = { state.fbs[call->c % SLOTS] };

	return do_ioctl(
		file_of(call),
		call->b & 1 ? DRM_IOCTL_MODE_RMFB : _IOWR('d', 0xd0, id), id);
}

static int op_set_crtc(const struct call *call)
{
	struct drm_mode_crtc args = {
		.set_connectors_ptr = (uintptr_t)&connector,
		.count_connectors = call->b & 1 ? 0 : 1,
		.crtc_id = crtc,
		.fb_id = call->b & 1 ? 0 : state.fbs[call->c % SLOTS],
		.x = call->v & 0x3f,
		.y = call->v >> 6 & 0x3f,
		.mode_valid = !(call->b & 1),
		.mode = mode,
	};

	return do_ioctl(file_of(call), DRM_IOCTL_MODE_SETCRTC, &args);
}

static int op_flip(const struct call *call)
{
	struct drm_mode_crtc_page_flip args = {
		.crtc_id = crtc,
		.fb_id = state.fbs[call->c % SLOTS],
		.flags = call->b & 3,
		.user_data = call->v,
	};
	char events[256];
	int fd = file_of(call), err;

	/* EBUSY is what a flip under way says: not to be repeated here */
	err = done(ioctl(fd, DRM_IOCTL_MODE_PAGE_FLIP, &args));
	if (read(fd, events, sizeof(events)) < 0 && errno == EFAULT)
		wrong("events cannot be read");
	return err;
}

static int op_dirty(const struct call *call)
{
	struct drm_clip_rect clips[2] = {
		{ call->v & 0xff, call->v >> 8 & 0xff, call->v >> 16 & 0xff,
		  call->v >> 24 },
		{ call->v >> 24, 0, call->v & 0xfff, 65535 },
	};
	struct drm_mode_fb_dirty_cmd args = {
		.fb_id = state.fbs[call->c % SLOTS],
		.flags = call->b & 3,
		.num_clips = call->b >> 2 & 3,
		.clips_ptr = (uintptr_t)clips,
	};

	if (args.num_clips == 3)
		args.num_clips = 2;
	return do_ioctl(file_of(call), DRM_IOCTL_MODE_DIRTYFB, &args);
}

static int op_get_fb(const struct call *call)
{
	struct drm_mode_fb_cmd2 args = { .fb_id = state.fbs[call->c % SLOTS] };
	int err = do_ioctl(file_of(call), DRM_IOCTL_MODE_GETFB2, &args);

	if (!err)
		handle_of(call, call->b) = args.handles[0];
	return err;
}

static int op_atomic(const struct call *call)
{
	uint32_t objects[2] = { call->b & 1 ? plane : crtc, connector };
	uint32_t counts[2] = { 1 + (call->b >> 1 & 1), call->b >> 2 & 1 };
	uint32_t props[3];
	uint64_t values[3];
	struct drm_mode_atomic args = {
		.flags = call->v & 0x80000000 ? DRM_MODE_ATOMIC_TEST_ONLY :
			 call->v & 0x40000000 ? DRM_MODE_ATOMIC_NONBLOCK :
						DRM_MODE_ATOMIC_ALLOW_MODESET,
		.count_objs = 1 + (call->b >> 3 & 1),
		.objs_ptr = (uintptr_t)objects,
		.count_props_ptr = (uintptr_t)counts,
		.props_ptr = (uintptr_t)props,
		.prop_values_ptr = (uintptr_t)values,
	};
	struct drm_set_client_cap atomic = { DRM_CLIENT_CAP_ATOMIC, 1 };
	unsigned int i;

	if (!property_count)
		return ENODEV;
	do_ioctl(file_of(call), DRM_IOCTL_SET_CLIENT_CAP, &atomic);
	for (i = 0; i < 3; i++) {
		props[i] = properties[(call->v >> (6 * i)) % property_count];
		values[i] = i ? state.fbs[call->c % SLOTS] :
				number(call->v << 8);
		if (call->c & 0x40)
			values[i] = crtc;
		if (call->c & 0x80)
			values[i] = (uint64_t)(call->v & 0xffff) << 16;
	}
	return done(ioctl(file_of(call), DRM_IOCTL_MODE_ATOMIC, &args));
}

static int op_master(const struct call *call)
{
	return do_ioctl(file_of(call),
			call->c & 1 ? DRM_IOCTL_SET_MASTER :
				      DRM_IOCTL_DROP_MASTER,
			NULL);
}

/* ---- what is told ---- */

static int op_look(const struct call *call)
{
	static const char *const names[] = { "ferry_bos",      "ferry_stats",
					     "ferry_aperture", "ferry_caching",
					     "framebuffer",    "state",
					     "clients",	       "gem_names" };
	char path[64], bytes[4096];
	int fd, ret;

	if (call->c & 0x80)
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
			 file_of(call));
	else
		snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/%s",
			 minor, names[call->c % 8]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	do {
		ret = read(fd, bytes, sizeof(bytes));
	} while (ret > 0);
	ret = done(ret);
	close(fd);
	return ret;
}

#define OP(name)                        \
	{                               \
#name, op_##name, false \
	}
#define MAPS(name)                     \
	{                              \
#name, op_##name, true \
	}
const struct op ops[] = {
	OP(open),
	OP(close),
	OP(device_query),
	OP(create),
	OP(close_handle),
	OP(offset),
	OP(query),
	OP(migrate),
	OP(wait),
	OP(bo_madvise),
	OP(raw),
	OP(flink),
	OP(gem_open),
	MAPS(mmap),
	MAPS(munmap),
	MAPS(mprotect),
	MAPS(mremap),
	OP(read),
	OP(write),
	OP(proc_mem),
	OP(gup),
	MAPS(advice),
	OP(fork),
	OP(export),
	OP(import),
	OP(close_fd),
	MAPS(dmabuf_mmap),
	OP(dmabuf_ioctl),
	OP(syncobj_create),
	OP(syncobj_destroy),
	OP(syncobj_array),
	OP(syncobj_fd),
	OP(dumb),
	OP(addfb),
	OP(rmfb),
	OP(set_crtc),
	OP(flip),
	OP(dirty),
	OP(get_fb),
	OP(atomic),
	OP(master),
	OP(look),
	{ "race", NULL, false },
};
const unsigned int op_count = sizeof(ops) / sizeof(ops[0]);
