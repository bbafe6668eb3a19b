/* SPDX-License-Identifier: MIT */
/*
 * Contents of BOs in tests, benchmarks and examples. Each 64-bit word holds the number
 * of its BO, a generation and its index, so that a wrong word shows which BO, which
 * generation and which place it was written for.
 */
#ifndef PATTERN_WORD_H_
#define PATTERN_WORD_H_

#include <stdint.h>

/**
 * pattern_word() - compute one word of the contents of a BO
 * @bo: number of the BO; 16 bits count
 * @generation: how often the BO has been written; 16 bits count
 * @index: index of the word in the BO; 32 bits count, which is enough for 32 GiB
 *
 * Returns: the word. Words with consecutive indices are consecutive numbers.
 */
static inline uint64_t pattern_word(uint32_t bo, uint32_t generation,
				    uint64_t index)
{
	return (uint64_t)(bo & 0xffff) << 48 |
	       (uint64_t)(generation & 0xffff) << 32 | (index & 0xffffffff);
}

#endif /* PATTERN_WORD_H_ */
