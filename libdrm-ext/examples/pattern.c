// SPDX-License-Identifier: MIT
/* See pattern.h. The words of a page are consecutive numbers; each page has its own first. */

#include "pattern.h"
#include "pattern_word.h"

#define WORDS (PATTERN_PAGE / sizeof(uint64_t))

void pattern_write(void *map, uint64_t size, int bo, int generation)
{
	uint64_t *words = map;

	for (uint64_t page = 0; page < size / PATTERN_PAGE; page++) {
		uint64_t value = pattern_word(bo, generation, page * WORDS);

		for (unsigned int w = 0; w < WORDS; w++)
			*words++ = value + w;
	}
}

bool pattern_check(const void *map, uint64_t size, int bo, int generation,
		   struct pattern_error *error)
{
	const uint64_t *words = map;

	for (uint64_t page = 0; page < size / PATTERN_PAGE; page++) {
		uint64_t value = pattern_word(bo, generation, page * WORDS);

		for (unsigned int w = 0; w < WORDS; w++) {
			uint64_t is = *words++;

			if (is == value + w)
				continue;
			error->offset = page * PATTERN_PAGE + w * sizeof(is);
			error->is = is;
			error->written = value + w;
			return false;
		}
	}
	return true;
}
