/* SPDX-License-Identifier: MIT */
/* A data pattern that depends on the BO, the page and the generation of the contents. */
#ifndef PATTERN_H_
#define PATTERN_H_

#include <stdbool.h>
#include <stdint.h>

#define PATTERN_PAGE 4096u

/**
 * struct pattern_error - the first word that differs from the pattern
 */
struct pattern_error {
	/** @offset: its offset in bytes */
	unsigned long long offset;
	/** @is: its value */
	unsigned long long is;
	/** @written: the value that pattern_write() wrote */
	unsigned long long written;
};

/**
 * pattern_write() - write a pattern over a BO
 * @map: its mapping
 * @size: its size in bytes, whole pages
 * @bo: number of the BO
 * @generation: how many times it was written
 */
void pattern_write(void *map, uint64_t size, int bo, int generation);

/**
 * pattern_check() - check every byte of a BO
 * @map: its mapping
 * @size: its size in bytes, whole pages
 * @bo: number of the BO
 * @generation: how many times it was written
 * @error: out: the first difference, if the function returns false
 *
 * Returns: true if the BO has the contents that pattern_write() wrote.
 */
bool pattern_check(const void *map, uint64_t size, int bo, int generation,
		   struct pattern_error *error);

#endif /* PATTERN_H_ */
