/* SPDX-License-Identifier: MIT */
/*
 * Tests that fill the memory of a small virtual machine: what is left of it, its swap space,
 * and whether other processes can go on.
 */
#ifndef SMALL_MEMORY_H
#define SMALL_MEMORY_H

#include <fcntl.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_aux.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

/* Do not fill the memory of a large machine: that takes long and disturbs other processes. */
#define SMALL_KIB (1024 * 1024)
#define WANTED "vm/run --memory 640M --swap 1G"

static inline long meminfo(const char *field)
{
	return igt_ferry_field("/proc/meminfo", field);
}

static inline long vmstat(const char *field)
{
	return igt_ferry_field("/proc/vmstat", field);
}

/* Swap areas that swap_off() has turned off */
static char swaps[4][128];
static unsigned int swap_count;

static inline void swap_on(int sig)
{
	(void)sig;
	while (swap_count)
		swapon(swaps[--swap_count], 0);
}

static inline void swap_off(void)
{
	FILE *file = fopen("/proc/swaps", "r");
	char line[256];

	igt_assert(file);
	igt_install_exit_handler(swap_on);
	while (swap_count < ARRAY_SIZE(swaps) &&
	       fgets(line, sizeof(line), file))
		if (sscanf(line, "/%126s", swaps[swap_count] + 1) == 1) {
			swaps[swap_count][0] = '/';
			igt_assert_eq(swapoff(swaps[swap_count]), 0);
			swap_count++;
		}
	fclose(file);
}

#define LIMIT "/sys/module/ferry/parameters/system_memory"

/* Percent of all memory that BOs may hold, before set_limit() */
static char old_limit[16];

static inline void restore_limit(int sig)
{
	(void)sig;
	igt_ferry_write_file(LIMIT, old_limit);
}

/* Set the percent of all memory that BOs may hold, until the end of the program. */
static inline void set_limit(unsigned int percent)
{
	int file = open(LIMIT, O_RDWR | O_CLOEXEC);
	char text[16];

	igt_assert_fd(file);
	if (!old_limit[0]) {
		igt_assert_lt(0, read(file, old_limit, sizeof(old_limit) - 1));
		igt_install_exit_handler(restore_limit);
	}
	snprintf(text, sizeof(text), "%u", percent);
	igt_assert_eq(pwrite(file, text, strlen(text), 0), strlen(text));
	close(file);
}

#define PAGE_LISTS "/proc/sys/vm/percpu_pagelist_high_fraction"

static inline void restore_page_lists(int sig)
{
	(void)sig;
	igt_ferry_write_file(PAGE_LISTS, "0");
}

/*
 * Keep the page allocator's lists per CPU short until the end of the program: by default they grow
 * to an eighth of memory, do not shrink while the CPU is idle, and do not count as available.
 */
static inline void limit_page_lists(void)
{
	igt_install_exit_handler(restore_page_lists);
	igt_ferry_must_write_file(PAGE_LISTS, "1000000");
}

/*
 * Skip if the machine has much memory; turn its swap space on or off. BOs may fill memory up to
 * the reserve.
 */
static inline void require_small(bool swap)
{
	igt_require_f(meminfo("MemTotal") <= SMALL_KIB,
		      "would fill all memory of a large machine: " WANTED "\n");
	if (swap) {
		swap_on(0);
		igt_require_f(igt_get_total_swap_mb(),
			      "no swap space: " WANTED "\n");
	} else {
		swap_off();
		igt_assert_eq(igt_get_total_swap_mb(), 0);
	}
	set_limit(100);
}

/* Count the pages in TTM's pools, of all caching modes, devices and, since Linux 7, NUMA nodes. */
static inline long pool_pages(void)
{
	FILE *file = fopen("/sys/kernel/debug/ttm/page_pool", "r");
	long pages = -1, node;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "total%*[^:]: %ld", &node) == 1)
			pages = (pages < 0 ? 0 : pages) + node;
	if (file)
		fclose(file);
	igt_assert_lte(0, pages);
	return pages;
}

/* Whether another process can allocate and use @kib of memory. */
static inline bool others_can_have(long kib)
{
	pid_t child = fork();
	int status;

	igt_assert(child >= 0);
	if (!child) {
		char *map = mmap(NULL, kib << 10, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (map == MAP_FAILED)
			_exit(1);
		for (long i = 0; i < kib << 10; i += PAGE)
			map[i] = i >> 12 | 1;
		for (long i = 0; i < kib << 10; i += PAGE)
			if (map[i] != (char)(i >> 12 | 1))
				_exit(2);
		_exit(0);
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	return status == 0;
}

#endif /* SMALL_MEMORY_H */
