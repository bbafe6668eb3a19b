/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the programs that test page faults: counts of faults and of page table
 * entries, BOs and addresses for PMDs, and a thread that reads a BO.
 */
#ifndef IGT_FERRY_FAULT_H
#define IGT_FERRY_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "igt_ferry.h"
#include "igt_ferry_audit.h"

#define HUGE IGT_FERRY_HUGE
#define HUGE_PAGES (HUGE / PAGE)
#define RW (PROT_READ | PROT_WRITE)

/**
 * struct igt_ferry_count - counters of faults and of page table entries
 * @faults: faults
 * @audit: mappings, entries and mapped pages
 */
struct igt_ferry_count {
	struct igt_ferry_faults faults;
	struct igt_ferry_audit audit;
};

void igt_ferry_count_start(int fd, struct igt_ferry_count *count);
void igt_ferry_count_since(int fd, struct igt_ferry_count *count);

void igt_ferry_require_huge(int fd);
void igt_ferry_bo_init_huge(struct igt_ferry_bo *bo, int fd, size_t pages,
			    const struct igt_ferry_kind *kind);
void *igt_ferry_bo_map_fixed(const struct igt_ferry_bo *bo, void *at,
			     size_t first, size_t pages);
char *igt_ferry_reserve(size_t size, size_t past);

/**
 * struct igt_ferry_reader - argument of igt_ferry_read_thread()
 * @bo: BO to read
 * @stop: end of the thread
 * @first: first page to read; then every 61st one
 * @rounds: how many times the thread has read the BO
 */
struct igt_ferry_reader {
	const struct igt_ferry_bo *bo;
	volatile bool *stop;
	size_t first;
	volatile unsigned long rounds;
};

void *igt_ferry_read_thread(void *arg);

#endif /* IGT_FERRY_FAULT_H */
