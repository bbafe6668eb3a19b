/* SPDX-License-Identifier: MIT */
/* Processor time of the whole machine. */
#ifndef FERRY_BENCH_BUSY_H
#define FERRY_BENCH_BUSY_H

#include "common.h"

/*
 * Nanoseconds that all tasks have run, on all processors, from /proc/schedstat.
 * The kernel adds up the time of a task when another one gets its processor.
 */
static inline uint64_t busy_ns(void)
{
	unsigned long long busy = 0, ns;
	char line[256];
	int found = 0;
	FILE *file;

	usleep(1000);
	file = fopen("/proc/schedstat", "r");
	if (!file)
		die("cannot read /proc/schedstat");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "cpu%*d %*u %*u %*u %*u %*u %*u %llu", &ns) ==
		    1) {
			busy += ns;
			found++;
		}
	fclose(file);
	errno = 0;
	if (found != sysconf(_SC_NPROCESSORS_ONLN))
		die("/proc/schedstat has no times");
	return busy;
}

#endif
