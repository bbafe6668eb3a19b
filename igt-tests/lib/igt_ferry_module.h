/* SPDX-License-Identifier: MIT */
/*
 * Load, unload, bind and unbind ferry, and load the test module that breaks an invariant
 * (igt-tests/kmod/ferry_break). igt_ferry_module_restore() undoes what a failed subtest
 * left, and also runs at the end of the program.
 */
#ifndef IGT_FERRY_MODULE_H
#define IGT_FERRY_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "igt_ferry.h"

#define IGT_FERRY_DRIVER_DIR "/sys/bus/pci/drivers/ferry"

int igt_ferry_write_file(const char *path, const char *text);
void igt_ferry_must_write_file(const char *path, const char *text);

void igt_ferry_module_begin(int fd);
const char *igt_ferry_module_slot(void);
bool igt_ferry_module_is_bound(void);
void igt_ferry_module_require(void);
int igt_ferry_module_unbind(void);
int igt_ferry_module_bind(void);
void igt_ferry_module_must_unbind(void);
void igt_ferry_module_must_bind(void);
bool igt_ferry_module_find_other(char *slot, size_t size);
int igt_ferry_module_open(void);
void igt_ferry_module_exercise(int fd);
void igt_ferry_module_check_works(void);
void igt_ferry_module_unbind_consoles(void);
void igt_ferry_module_unload(void);
void igt_ferry_module_load(const char *options);
void igt_ferry_module_restore(void);
void igt_ferry_module_run_tests(int fd, const struct igt_ferry_test *tests);
void igt_ferry_module_start_over(void);
int igt_ferry_module_reload(int fd, const char *options);
void igt_ferry_module_check_refused(int fd, const char *options,
				    const char *message);
unsigned int igt_ferry_module_cycles(unsigned int usual);
void igt_ferry_module_memory(long *available, long *slab);

void igt_ferry_test_module_load(const char *name, const char *options);
void igt_ferry_break_load(const char *options);
void igt_ferry_break_delay(const char *function, unsigned int ms, pid_t thread,
			   unsigned int times);
void igt_ferry_break_unload(void);

#endif /* IGT_FERRY_MODULE_H */
