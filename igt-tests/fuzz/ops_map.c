// SPDX-License-Identifier: MIT
/* Mappings, accesses to them, and child processes that inherit them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops_local.h"

char *mapping(unsigned int n)
{
	return arena + n % MAPPINGS * MAPPING_SIZE;
}

uint64_t *marks(unsigned int n)
{
	return state.marks[n % MAPPINGS];
}

void range_of(uint32_t v, size_t *first, size_t *count)
{
	*first = (v & 0x7ff) % MAPPING_PAGES;
	*count = (v >> 11 & 0x7ff) % (MAPPING_PAGES - *first) + 1;
}

int reserve(unsigned int n, size_t first, size_t count)
{
	void *at = mmap(mapping(n) + first * PAGE, count * PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			-1, 0);

	if (at == MAP_FAILED)
		return errno;
	memset(&marks(n)[first], 0, count * sizeof(uint64_t));
	return 0;
}

/* An offset with other flags than those it was queried with, now and then. */
static uint64_t vary_offset(uint64_t offset, uint8_t a, bool *invalid)
{
	*invalid = false;
	switch (a >> 3 & 7) {
	case 1:
	case 2:
		/* both ways of mapping are valid for every offset */
		return offset ^ OFFSET_POPULATE;
	case 3:
		*invalid = true;
		return offset | OFFSET_POPULATE << 1;
	case 4:
		*invalid = true;
		return offset | 1ull << 60;
	default:
		return offset;
	}
}

int op_mmap(const struct call *call)
{
	uint64_t base = offset_of(call, call->b), offset;
	int prot = call->c >> 3 & 7,
	    flags = call->c & 0x40 ? MAP_PRIVATE : MAP_SHARED;
	unsigned int n = call->c & 7;
	size_t first, count, i;
	bool invalid;
	void *at;

	range_of(call->v, &first, &count);
	/* mostly from the beginning: most mappings have pages there */
	if (!(call->c & 0x80))
		first = 0;
	offset = vary_offset(base + first * PAGE, call->a, &invalid);
	at = mmap(mapping(n), count * PAGE, prot,
		  flags | MAP_FIXED | (call->a & 0x80 ? MAP_POPULATE : 0),
		  file_of(call), offset);
	if (at == MAP_FAILED) {
		int err = errno;

		/* a failed MAP_FIXED may have removed the old mapping */
		reserve(n, 0, count);
		return err;
	}
	if (invalid)
		wrong("a mapping at the offset %#llx",
		      (unsigned long long)offset);
	if (flags == MAP_PRIVATE && (prot & PROT_WRITE))
		wrong("a private writable mapping");
	/* the same page has the same mark, however it is mapped */
	for (i = 0; i < count; i++)
		marks(n)[i] = (base & ~OFFSET_POPULATE) + (first + i) * PAGE;
	return 0;
}

int op_munmap(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return reserve(call->b, first, count);
}

int op_mprotect(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return done(mprotect(mapping(call->b) + first * PAGE, count * PAGE,
			     call->c & 7));
}

/* Move a part of a mapping to another slot, or grow it. */
int op_mremap(const struct call *call)
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
 * A write stores the page's mark in the page. A later read must find the mark, or zero
 * if the page was never written. Otherwise bytes were lost, or the page is one of
 * another BO.
 */
int access_pages(unsigned int n, size_t first, size_t count, size_t step,
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

int op_read(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return access_pages(call->b, first, count, call->c + 1, false);
}

int op_write(const struct call *call)
{
	size_t first, count;

	range_of(call->v, &first, &count);
	return access_pages(call->b, first, count, call->c + 1, true);
}

int op_proc_mem(const struct call *call)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC), err;
	uint64_t word = 0;
	char *at = mapping(call->b) + call->v % MAPPING_SIZE;

	if (fd < 0)
		return errno;
	err = done(pread(fd, &word, sizeof(word), (off_t)(uintptr_t)at));
	if (!err && call->c & 1)
		err = done(
			pwrite(fd, &word, sizeof(word), (off_t)(uintptr_t)at));
	close(fd);
	return err;
}

/* The kernel's ways to access or pin user pages. */
int op_gup(const struct call *call)
{
	struct iovec local = {
		mapping(call->b) + call->v % (MAPPING_SIZE - 8192), 8192
	};
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

int op_advice(const struct call *call)
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

int op_fork(const struct call *call)
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
		access_pages(call->b, 0, call->v % MAPPING_PAGES + 1, 1,
			     call->c & 1);
		if (call->c & 2)
			op_migrate(&inner);
		if (call->c & 4)
			op_munmap(&inner);
		if (call->c & 8)
			for (;;)
				access_pages(call->b, 0,
					     call->v % MAPPING_PAGES + 1, 1,
					     call->c & 1);
		_exit(0);
	}
	if (!(call->c & 8)) {
		end_child(pid);
		return 0;
	}
	/* runs until the program ends or another child takes its slot */
	if (state.pids[call->b % SLOTS] > 0) {
		kill(state.pids[call->b % SLOTS], SIGKILL);
		end_child(state.pids[call->b % SLOTS]);
	}
	state.pids[call->b % SLOTS] = pid;
	return 0;
}

void ops_end_children(void)
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
