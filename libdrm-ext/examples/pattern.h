/* SPDX-License-Identifier: MIT */
/* Bytes that tell where they belong: which BO, which page, written when. */
#ifndef PATTERN_H_
#define PATTERN_H_

#include <stdbool.h>
#include <stdint.h>

#define PATTERN_PAGE 4096u

/**
 * struct pattern_error - the first word that is not as written
 */
struct pattern_error {
	/** @offset: its place in bytes */
	unsigned long long offset;
	/** @is: what is there */
	unsigned long long is;
	/** @written: what should be */
	unsigned long long written;
};

/**
 * pattern_write() - write a pattern over a BO
 * @map: its mapping
 * @size: its size in bytes, whole pages
 * @bo: number of the BO
 * @generation: how often it has been written
 */
void pattern_write(void *map, uint64_t size, int bo, int generation);

/**
 * pattern_check() - check every byte of a BO
 * @map: its mapping
 * @size: its size in bytes, whole pages
 * @bo: number of the BO
 * @generation: how often it has been written
 * @error: out: what is wrong, if it returns false
 *
 * Returns: whether all is as pattern_write() left it.
 */
bool pattern_check(const void *map, uint64_t size, int bo, int generation,
		   struct pattern_error *error);

#endif /* PATTERN_H_ */
