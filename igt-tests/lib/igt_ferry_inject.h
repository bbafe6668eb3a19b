/* SPDX-License-Identifier: MIT */
/*
 * Fault injection: allocations and copies from and to user space that fail.
 */
#ifndef IGT_FERRY_INJECT_H
#define IGT_FERRY_INJECT_H

#include <stdbool.h>

/* More sites than any operation has */
#define IGT_FERRY_INJECT_MAX 5000

/*
 * Two functions of the kernel do not survive a failure, whatever a driver does. If
 * the buddy allocator has no memory to split a block, it frees the block that is
 * still in its tree of free ones: igt_ferry_inject_init() spares it. If the DRM core
 * has none for the device of a minor, it puts a reference to an error pointer.
 */
#define IGT_FERRY_INJECT_BUDDY "split_block"
#define IGT_FERRY_INJECT_MINOR "drm_sysfs_minor_alloc"

void igt_ferry_inject_init(void);
void igt_ferry_inject_spare(const char *function);
void igt_ferry_inject_only(const char *function);
void igt_ferry_inject_modules(void);
void igt_ferry_inject_anywhere(void);
unsigned int igt_ferry_inject_first(void);
void igt_ferry_inject_arm(unsigned int nth);
bool igt_ferry_inject_disarm(void);
void igt_ferry_inject_starve(bool on);

#endif /* IGT_FERRY_INJECT_H */
