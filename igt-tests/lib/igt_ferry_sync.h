/* SPDX-License-Identifier: MIT */
/*
 * Syncobjs, and gates. A gate is a fence that the test signals by hand. As the in-fence of a
 * move it keeps the move from starting.
 *
 * The fence is one of sw_sync, where the kernel has it. Otherwise it is one of the virtual
 * driver vgem, whose fences signal by themselves after 10 seconds: a test whose gate opened
 * too early skips.
 */
#ifndef IGT_FERRY_SYNC_H
#define IGT_FERRY_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "ferry_ioctl.h"

/**
 * struct igt_ferry_gate - a fence that the test signals by hand
 * @sw_sync: the fence is one of sw_sync, and not of vgem
 * @timeline: timeline of sw_sync, or device file of vgem
 * @number: number of the fence in vgem
 * @file: sync file of the fence
 */
struct igt_ferry_gate {
	bool sw_sync;
	int timeline;
	uint32_t number;
	int file;
};

bool igt_ferry_gate_can_break(void);
void igt_ferry_gate_init(struct igt_ferry_gate *gate);
void igt_ferry_gate_require_closed(const struct igt_ferry_gate *gate);
void igt_ferry_gate_open(struct igt_ferry_gate *gate);
void igt_ferry_gate_break(struct igt_ferry_gate *gate);
void igt_ferry_gate_fini(struct igt_ferry_gate *gate);
struct drm_ferry_sync igt_ferry_gate_sync(const struct igt_ferry_gate *gate,
					  int fd, uint64_t point);

#define IGT_FERRY_SECOND 1000000000ll

int64_t igt_ferry_in_ns(int64_t ns);
struct drm_ferry_sync igt_ferry_sync_new(int fd, uint64_t point);
int igt_ferry_sync_state(int fd, struct drm_ferry_sync sync);
void igt_ferry_sync_wait(int fd, struct drm_ferry_sync sync);
int igt_ferry_sync_file(int fd, struct drm_ferry_sync sync);

/* Assert that @sync is pending; skip if it is not because the gate opened too early. */
#define igt_ferry_assert_pending(gate, fd, sync)              \
	do {                                                  \
		int __state = igt_ferry_sync_state(fd, sync); \
                                                              \
		if (__state != -ETIME)                        \
			igt_ferry_gate_require_closed(gate);  \
		igt_assert_eq(__state, -ETIME);               \
	} while (0)

#endif /* IGT_FERRY_SYNC_H */
