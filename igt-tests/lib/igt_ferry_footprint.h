/* SPDX-License-Identifier: MIT */
/*
 * Counts of the resources in use, from /proc and /sys: to find resources that the
 * driver does not free when a device is unbound or the module is unloaded.
 */
#ifndef IGT_FERRY_FOOTPRINT_H
#define IGT_FERRY_FOOTPRINT_H

unsigned long igt_ferry_count_lines(const char *path, const char *needle);
unsigned long igt_ferry_count_entries(const char *path);

#define IGT_FERRY_FOOTPRINT_FILES 6
#define IGT_FERRY_FOOTPRINT_DIRECTORIES 6

/**
 * struct igt_ferry_footprint - resources in use at one moment
 * @lines: mappings, regions, interrupts and the like, by file
 * @entries: device nodes and the like, by directory
 * @available: KiB of memory that can be allocated
 * @slab: KiB of slabs that cannot be reclaimed
 */
struct igt_ferry_footprint {
	unsigned long lines[IGT_FERRY_FOOTPRINT_FILES];
	unsigned long entries[IGT_FERRY_FOOTPRINT_DIRECTORIES];
	long available;
	long slab;
};

void igt_ferry_footprint_get(struct igt_ferry_footprint *fp);
void igt_ferry_footprint_check(const struct igt_ferry_footprint *before,
			       const struct igt_ferry_footprint *after);
void igt_ferry_footprint_check_none(void);

#endif /* IGT_FERRY_FOOTPRINT_H */
