/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: the part of IGT's igt_kmod.h that the tests of ferry use.
 * See igt.h.
 */
#ifndef IGT_KMOD_H
#define IGT_KMOD_H

#include <stdbool.h>

bool igt_kmod_is_loaded(const char *mod_name);
int igt_kmod_load(const char *mod_name, const char *opts);
int igt_kmod_unload(const char *mod_name, unsigned int flags);
int bind_fbcon(bool enable);

#endif /* IGT_KMOD_H */
