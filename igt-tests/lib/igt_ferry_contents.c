// SPDX-License-Identifier: MIT
#include "igt.h"

#include "../../libdrm-ext/examples/pattern_word.h"
#include "igt_ferry.h"

#define WORDS_PER_PAGE (FERRY_PAGE_SIZE / sizeof(uint64_t))

/* Words to compare before each branch: branches are slow in emulation */
#define LINE 8

/**
 * igt_ferry_fill - write the contents of some pages of a BO
 * @map: address of @first_page
 * @first_page: number of the page in the BO
 * @pages: number of pages
 * @id: number of the BO
 * @gen: generation
 */
void igt_ferry_fill(void *map, size_t first_page, size_t pages, uint32_t id,
		    uint32_t gen)
{
	volatile uint64_t *p = map;

	for (size_t page = first_page; page < first_page + pages; page++) {
		uint64_t word = pattern_word(id, gen, page * WORDS_PER_PAGE);

		for (size_t i = 0; i < WORDS_PER_PAGE; i += LINE)
#pragma GCC unroll 8
			for (size_t k = 0; k < LINE; k++)
				*p++ = word + i + k;
	}
}

/*
 * Read a line, each word once, into @got. Return the bits that differ from @word in
 * the first word, @word + @step in the second one, and so on.
 */
static inline uint64_t read_line(uint64_t got[LINE], const volatile uint64_t *p,
				 uint64_t word, unsigned int step)
{
	uint64_t wrong = 0;

#pragma GCC unroll 8
	for (size_t k = 0; k < LINE; k++) {
		got[k] = p[k];
		wrong |= got[k] ^ (word + k * step);
	}
	return wrong;
}

/**
 * __igt_ferry_check - verify the contents of some pages of a BO
 * @map: address of @first_page
 * @first_page: number of the page in the BO
 * @pages: number of pages
 * @id: number of the BO
 * @gen: generation
 * @text: description of the first wrong word, if there is one
 * @len: size of @text in bytes
 */
bool __igt_ferry_check(const void *map, size_t first_page, size_t pages,
		       uint32_t id, uint32_t gen, char *text, size_t len)
{
	const volatile uint64_t *p = map;

	for (size_t page = first_page; page < first_page + pages; page++) {
		uint64_t word = pattern_word(id, gen, page * WORDS_PER_PAGE);

		for (size_t i = 0; i < WORDS_PER_PAGE; i += LINE, p += LINE) {
			uint64_t got[LINE];
			size_t k = 0;

			if (!read_line(got, p, word + i, 1))
				continue;
			while (got[k] == word + i + k)
				k++;
			snprintf(
				text, len,
				"BO %u generation %u page %zu word %zu: %#" PRIx64
				" and not %#" PRIx64
				" (which would be BO %u generation %u page %zu)",
				id, gen, page, i + k, got[k], word + i + k,
				(unsigned int)(got[k] >> 48),
				(unsigned int)(got[k] >> 32 & 0xffff),
				(size_t)((got[k] & 0xffffffff) /
					 WORDS_PER_PAGE));
			return false;
		}
	}
	return true;
}

void igt_ferry_check(const void *map, size_t first_page, size_t pages,
		     uint32_t id, uint32_t gen)
{
	char text[256] = "";

	igt_assert_f(__igt_ferry_check(map, first_page, pages, id, gen, text,
				       sizeof(text)),
		     "%s\n", text);
}

void igt_ferry_check_zero(const void *map, size_t size)
{
	const volatile uint64_t *p = map;
	uint64_t got[LINE];

	igt_assert(size % sizeof(got) == 0);
	for (size_t i = 0; i < size / sizeof(*p); i += LINE) {
		size_t k = 0;

		if (!read_line(got, p + i, 0, 0))
			continue;
		while (!got[k])
			k++;
		igt_assert_f(false,
			     "byte %zu of %zu is not zero: %#" PRIx64 "\n",
			     (i + k) * sizeof(*p), size, got[k]);
	}
}
