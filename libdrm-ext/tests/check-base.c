// SPDX-License-Identifier: MIT
/* See check.h. Nothing in this file needs the library. */

#include <ctype.h>
#include <dirent.h>
#include <sys/mman.h>

#include "../examples/pattern_word.h"
#include "check.h"

bool device_is_bound(void)
{
	DIR *dir = opendir("/sys/bus/pci/drivers/ferry");
	struct dirent *entry;
	bool bound = false;

	if (!dir)
		return false;
	while ((entry = readdir(dir)))
		bound |= isxdigit((unsigned char)entry->d_name[0]) &&
			 strchr(entry->d_name, ':');
	closedir(dir);
	return bound;
}

int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	CHECK(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

bool is_mapped(const void *address)
{
	unsigned char present;

	return mincore((void *)address, PAGE, &present) == 0;
}

/* The 64-bit words of a BO differ from their neighbours and between seeds. */
static uint64_t word(uint64_t seed, uint64_t index)
{
	return pattern_word(seed >> 16, seed, index);
}

void fill(void *map, uint64_t size, uint64_t seed)
{
	uint64_t *words = map;

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		words[i] = word(seed, i);
}

void check_filled(const void *map, uint64_t size, uint64_t seed)
{
	const uint64_t *words = map;

	for (uint64_t i = 0; i < size / sizeof(*words); i++) {
		uint64_t is = words[i];

		if (is == word(seed, i))
			continue;
		fprintf(stderr, "FAIL byte %llu: %#llx, expected %#llx\n",
			(unsigned long long)i * 8, (unsigned long long)is,
			(unsigned long long)word(seed, i));
		exit(1);
	}
}

void check_zero(const void *map, uint64_t size)
{
	const uint64_t *words = map;

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		CHECK_EQ(words[i], 0);
}
