/* SPDX-License-Identifier: MIT */
/*
 * Loading ferry with parameters, and the module that breaks things on purpose
 * (igt-tests/kmod/ferry_break). Whatever a failed subtest leaves is put right by
 * igt_ferry_module_restore(), which also runs when the program ends.
 */
#ifndef IGT_FERRY_MODULE_H
#define IGT_FERRY_MODULE_H

#include <stdbool.h>

int igt_ferry_write_file(const char *path, const char *text);
void igt_ferry_must_write_file(const char *path, const char *text);

void igt_ferry_module_begin(int fd);
const char *igt_ferry_module_slot(void);
bool igt_ferry_module_is_bound(void);
void igt_ferry_module_require(void);
int igt_ferry_module_unbind(void);
int igt_ferry_module_bind(void);
void igt_ferry_module_unbind_consoles(void);
void igt_ferry_module_unload(void);
void igt_ferry_module_load(const char *options);
void igt_ferry_module_restore(void);
void igt_ferry_module_start_over(void);
unsigned int igt_ferry_module_cycles(unsigned int usual);
void igt_ferry_module_memory(long *available, long *slab);

void igt_ferry_break_load(const char *options);
void igt_ferry_break_unload(void);

#endif /* IGT_FERRY_MODULE_H */
