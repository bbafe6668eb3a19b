// SPDX-License-Identifier: MIT
/*
 * Each way to copy does the same as memcpy(), at any alignment and length: no byte outside of the
 * destination changes, and no byte beyond the source's pages is read. Needs no device.
 */

#include <sys/mman.h>

#include "../ferry_copy.h"
#include "check.h"

#define SPAN (4 * PAGE)
/* All alignments of a cache line, and lengths around each block size. */
#define ALIGNMENTS 65
#define ROUNDS 20000

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

/* Memory between two pages that cannot be accessed. */
static unsigned char *guarded(void)
{
	unsigned char *map = mmap(NULL, SPAN + 2 * PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(map != MAP_FAILED);
	CHECK_EQ(mprotect(map + PAGE, SPAN, PROT_READ | PROT_WRITE), 0);
	return map + PAGE;
}

static void random_bytes(unsigned char *bytes)
{
	for (size_t i = 0; i < SPAN; i++)
		bytes[i] = next_random();
}

static unsigned char *source, *target, *want;

static void one(void (*copy)(void *, const void *, size_t), size_t to,
		size_t from, size_t size)
{
	memset(target, 0xa5, SPAN);
	memset(want, 0xa5, SPAN);
	memcpy(want + to, source + from, size);
	copy(target + to, source + from, size);
	if (memcmp(target, want, SPAN)) {
		fprintf(stderr, "FAIL: copy of %zu bytes from %zu to %zu\n",
			size, from, to);
		exit(1);
	}
}

static void every_alignment(void (*copy)(void *, const void *, size_t))
{
	static const size_t sizes[] = { 0,   1,	  7,   15,  16,	 17,  31,
					32,  33,  63,  64,  65,	 127, 128,
					129, 255, 256, 257, 1000 };

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t a = 0; a < ALIGNMENTS; a++) {
			one(copy, a, 0, sizes[s]);
			one(copy, 0, a, sizes[s]);
			one(copy, a, ALIGNMENTS - a, sizes[s]);
			/* Up to the last byte before the guard. */
			one(copy, SPAN - sizes[s], a, sizes[s]);
			one(copy, a, SPAN - sizes[s], sizes[s]);
		}
	}
}

static void at_random(void (*copy)(void *, const void *, size_t))
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = next_random() % (i % 4 ? 300 : SPAN);
		size_t to = next_random() % (SPAN - size + 1);
		size_t from = next_random() % (SPAN - size + 1);

		one(copy, to, from, size);
	}
}

int main(void)
{
	int tested = 0;

	source = guarded();
	target = guarded();
	want = guarded();
	random_bytes(source);
	for (size_t i = 0; i < ferry_nr_copiers; i++) {
		const struct ferry_copier *copier = &ferry_copiers[i];

		if (!copier->usable()) {
			printf("note: this processor has no %s\n",
			       copier->name);
			continue;
		}
		every_alignment(copier->read);
		every_alignment(copier->write);
		at_random(copier->read);
		at_random(copier->write);
		printf("ok %s\n", copier->name);
		tested++;
	}
	/* The best of the usable ones is chosen. */
	CHECK(tested >= 1);
	CHECK(ferry_copier()->usable());
	for (const struct ferry_copier *c = ferry_copiers; c != ferry_copier();
	     c++)
		CHECK(!c->usable());
	return 0;
}
