/* SPDX-License-Identifier: MIT */
/*
 * Sync files, and the kernel's fences for tests: the part of IGT's sw_sync.h
 * that the tests of ferry use. See igt.h.
 */
#ifndef SW_SYNC_H
#define SW_SYNC_H

#include <stdint.h>

int sw_sync_timeline_create(void);
int sw_sync_timeline_create_fence(int timeline, uint32_t seqno);
void sw_sync_timeline_inc(int timeline, uint32_t count);

int sync_fence_merge(int fence1, int fence2);
int sync_fence_wait(int fence, int timeout);
int sync_fence_status(int fence);

#endif /* SW_SYNC_H */
