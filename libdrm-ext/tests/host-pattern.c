// SPDX-License-Identifier: MIT
/* The pattern of the demo detects each wrong byte, page, BO and generation. */

#include "../examples/pattern.h"
#include "check.h"

#define PAGES 8u
#define SIZE (PAGES * PATTERN_PAGE)

static uint64_t words[SIZE / sizeof(uint64_t)];
static struct pattern_error error;

static void as_written(void)
{
	pattern_write(words, SIZE, 3, 1);
	CHECK(pattern_check(words, SIZE, 3, 1, &error));
	CHECK(!pattern_check(words, SIZE, 4, 1, &error));
	CHECK(!pattern_check(words, SIZE, 3, 2, &error));
}

static void wrong_bits(void)
{
	unsigned char *bytes = (unsigned char *)words;

	for (unsigned int i = 0; i < SIZE; i += 61) {
		pattern_write(words, SIZE, 3, 1);
		bytes[i] ^= 1 << i % 8;
		CHECK(!pattern_check(words, SIZE, 3, 1, &error));
		CHECK_EQ(error.offset, i / 8 * 8);
		CHECK_EQ(error.is, words[i / 8]);
		CHECK(error.is != error.written);
	}
}

static void swapped_pages(void)
{
	for (unsigned int page = 1; page < PAGES; page++) {
		pattern_write(words, SIZE, 3, 1);
		memcpy(words, (char *)words + page * PATTERN_PAGE,
		       PATTERN_PAGE);
		CHECK(!pattern_check(words, SIZE, 3, 1, &error));
		CHECK_EQ(error.offset, 0);
	}
}

int main(void)
{
	RUN(as_written);
	RUN(wrong_bits);
	RUN(swapped_pages);
	return 0;
}
