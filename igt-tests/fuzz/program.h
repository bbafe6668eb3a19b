/* SPDX-License-Identifier: MIT */
/* Programs: generated from a number, mutated, read from files and written to files. */
#ifndef FERRY_FUZZ_PROGRAM_H
#define FERRY_FUZZ_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "ops.h"

/*
 * Generate a program from the random state @s. It begins by opening a file and creating
 * BOs that are mapped, for the other calls to use. Return the number of calls, at most
 * MAX_CALLS.
 */
size_t program_make(uint64_t *s, struct call *calls);

/*
 * Read a program, as text or binary. Return the number of calls, at most MAX_CALLS; or
 * print an error and return -1.
 */
int program_read(const char *path, struct call *calls);

/* Write a binary program. Return 0; or print an error and return -1. */
int program_write(const char *path, const struct call *calls, size_t count);

/* Print a program as text. */
void program_show(const struct call *calls, size_t count);

#endif
