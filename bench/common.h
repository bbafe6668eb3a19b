/* SPDX-License-Identifier: MIT */
/*
 * Shared by the benchmark programs: a clock, a page fault counter, a fatal error, the
 * migrate ioctl. Each result is a line of key=value pairs on stdout, for bench/run.
 */
#ifndef FERRY_BENCH_COMMON_H
#define FERRY_BENCH_COMMON_H

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xf86drm.h>

#include "ferry_drm.h"

#define PAGE 4096UL

/* Placements */
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM

static inline void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, err ? ": %s\n" : "\n", strerror(err));
	exit(1);
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts @v. The median does not depend on single samples that took too long. */
static inline double median(uint64_t *v, size_t count)
{
	qsort(v, count, sizeof(*v), compare_u64);
	return (v[(count - 1) / 2] + v[count / 2]) / 2.0;
}

/*
 * Open a counter of the user page faults of this thread, from the tracepoint
 * exceptions:page_fault_user. Return -1 if tracefs or perf is missing; then
 * fault_counter_read() returns -1 too, and the table shows "-".
 */
static inline int fault_counter_open(void)
{
	static const char path[] =
		"/sys/kernel/tracing/events/exceptions/page_fault_user/id";
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.disabled = 1,
	};
	FILE *f = fopen(path, "r");
	int id;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &id) != 1)
		id = -1;
	fclose(f);
	if (id < 0)
		return -1;

	attr.config = id;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static inline void fault_counter_start(int fd)
{
	if (fd < 0)
		return;
	ioctl(fd, PERF_EVENT_IOC_RESET, 0);
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
}

static inline long fault_counter_read(int fd)
{
	uint64_t count;

	if (fd < 0)
		return -1;
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	return read(fd, &count, sizeof(count)) == sizeof(count) ? (long)count :
								  -1;
}

/* Move a BO. Return the nanoseconds that the ioctl took. */
static inline uint64_t move_bo(int fd, uint32_t handle, uint32_t placement)
{
	struct drm_ferry_migrate_entry entry = { .handle = handle,
						 .placement = placement };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = (uintptr_t)&entry,
		.count = 1,
	};
	uint64_t start = now_ns();

	if (drmIoctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args))
		die("cannot move a BO to placement %u", placement);
	return now_ns() - start;
}

/*
 * Run the program again without address randomization. A mapping below 2 MiB needs one
 * page table or two, new or shared with other mappings, by its address: the number of
 * instructions of a fault must not depend on chance.
 */
static inline void fix_addresses(char **argv)
{
	int old = personality(0xffffffff);

	if (old < 0 || old & ADDR_NO_RANDOMIZE)
		return;
	if (personality(old | ADDR_NO_RANDOMIZE) < 0)
		return;
	execv("/proc/self/exe", argv);
	die("cannot run the program again");
}

#endif
