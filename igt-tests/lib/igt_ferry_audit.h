/* SPDX-License-Identifier: MIT */
/*
 * The audit, in which the driver compares the memory types and pages of all mappings with
 * those that they should have, and the counters of the fault handlers.
 */
#ifndef IGT_FERRY_AUDIT_H
#define IGT_FERRY_AUDIT_H

#include <stdint.h>

#define IGT_FERRY_HUGE 0x200000ull

/**
 * struct igt_ferry_audit - contents of debugfs ferry_caching
 * @mappings: user mappings of BOs
 * @entries: PTEs and PMDs of these mappings
 * @pages: pages of 4 KiB that the entries map
 * @disagreements: pages with another memory type, or another PFN, than they should have
 * @requested: memory type that ferry requested for the aperture
 * @effective: memory type that the aperture has
 * @tracked: memory type that PAT tracks for the aperture, or "off"
 * @kernel: memory type of the kernel's own mapping of the aperture
 * @first: the line of the first disagreement, or ""
 */
struct igt_ferry_audit {
	uint64_t mappings;
	uint64_t entries;
	uint64_t pages;
	uint64_t disagreements;
	char requested[32];
	char effective[32];
	char tracked[32];
	char kernel[32];
	char first[512];
};

void igt_ferry_audit(int fd, struct igt_ferry_audit *audit);
void igt_ferry_audit_clean(int fd, struct igt_ferry_audit *audit);

/**
 * struct igt_ferry_faults - counters of the fault handlers
 * @faults: faults that inserted entries, or failed
 * @pages: pages that they mapped
 * @huge: faults that inserted a PMD of 2 MiB
 * @oom: faults that returned VM_FAULT_OOM
 */
struct igt_ferry_faults {
	uint64_t faults;
	uint64_t pages;
	uint64_t huge;
	uint64_t oom;
};

void igt_ferry_faults_start(int fd, struct igt_ferry_faults *faults);
void igt_ferry_faults_since(int fd, struct igt_ferry_faults *faults);

/* Name of an enum drm_ferry_memtype, as PAT spells it */
const char *igt_ferry_memtype_name(uint32_t memtype);

#endif /* IGT_FERRY_AUDIT_H */
