/* SPDX-License-Identifier: MIT */
/*
 * Suspend and memory: the part of IGT's igt_aux.h and igt_os.h that the tests of ferry
 * use. See igt.h.
 */
#ifndef IGT_AUX_H
#define IGT_AUX_H

#include <stddef.h>
#include <stdint.h>

enum igt_suspend_state {
	SUSPEND_STATE_FREEZE,
	SUSPEND_STATE_STANDBY,
	SUSPEND_STATE_S3,
	SUSPEND_STATE_MEM,
	SUSPEND_STATE_DISK,
	SUSPEND_STATE_NUM,
};

enum igt_suspend_test {
	SUSPEND_TEST_NONE,
	SUSPEND_TEST_FREEZER,
	SUSPEND_TEST_DEVICES,
	SUSPEND_TEST_PLATFORM,
	SUSPEND_TEST_PROCESSORS,
	SUSPEND_TEST_CORE,
	SUSPEND_TEST_NUM,
};

void igt_system_suspend_autoresume(enum igt_suspend_state state,
				   enum igt_suspend_test test);
void igt_set_autoresume_delay(int delay_secs);

void igt_lock_mem(size_t size);
void igt_unlock_mem(void);

/* igt_os.h */
uint64_t igt_get_avail_ram_mb(void);
uint64_t igt_get_total_swap_mb(void);

#endif /* IGT_AUX_H */
