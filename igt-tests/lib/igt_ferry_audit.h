/* SPDX-License-Identifier: MIT */
/*
 * What the driver says about its mappings: the caching audit, and the counters
 * of the fault handlers.
 */
#ifndef IGT_FERRY_AUDIT_H
#define IGT_FERRY_AUDIT_H

#include <stdint.h>

#define IGT_FERRY_HUGE 0x200000ull

/**
 * struct igt_ferry_audit - what debugfs ferry_caching says
 * @mappings: user mappings of BOs
 * @entries: entries in page tables that they have
 * @pages: pages of 4 KiB that these map
 * @disagreements: pages that are not mapped as they should be
 * @asked: attribute that ferry asked for, for the aperture
 * @granted: attribute that it got
 * @tracked: attribute that PAT knows, or "off"
 * @kernel: attribute of the kernel's own mapping
 * @first: the first disagreement, or ""
 */
struct igt_ferry_audit {
	uint64_t mappings;
	uint64_t entries;
	uint64_t pages;
	uint64_t disagreements;
	char asked[32];
	char granted[32];
	char tracked[32];
	char kernel[32];
	char first[512];
};

void igt_ferry_audit(int fd, struct igt_ferry_audit *audit);
void igt_ferry_audit_clean(int fd, struct igt_ferry_audit *audit);

/**
 * struct igt_ferry_faults - counters of the fault handlers
 * @faults: faults that mapped something, or failed
 * @pages: pages that they mapped
 * @huge: faults that ended with an entry of 2 MiB
 * @oom: faults that were out of memory
 */
struct igt_ferry_faults {
	uint64_t faults;
	uint64_t pages;
	uint64_t huge;
	uint64_t oom;
};

void igt_ferry_faults_start(int fd, struct igt_ferry_faults *faults);
void igt_ferry_faults_since(int fd, struct igt_ferry_faults *faults);

/* Name of an enum drm_ferry_memtype as the kernel spells it */
const char *igt_ferry_cache_name(uint32_t cache);

#endif /* IGT_FERRY_AUDIT_H */
