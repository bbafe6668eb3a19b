// SPDX-License-Identifier: MIT
/* See check.h. */

#include <dirent.h>
#include <ctype.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

/* Whether the kernel says that a PCI device is bound to the driver. */
static bool device_is_bound(void)
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

struct ferry_device *open_or_skip(void)
{
	struct ferry_device *dev;
	int err = ferry_device_open(&dev);

	/* A library that does not find the device must not look like none. */
	if (err == -ENODEV && !device_is_bound()) {
		printf("SKIP: no PCI device is bound to the driver ferry\n");
		exit(EXIT_SKIP);
	}
	CHECK_OK(err);
	return dev;
}

struct ferry_bo *new_bo(struct ferry_device *dev, uint64_t size, uint32_t flags)
{
	struct ferry_bo *bo;

	CHECK_OK(ferry_bo_new(dev, size, ANYWHERE, flags, &bo));
	return bo;
}

void *map_bo(struct ferry_bo *bo)
{
	void *map;

	CHECK_OK(ferry_bo_map(bo, &map));
	return map;
}

uint32_t placement_of(struct ferry_bo *bo)
{
	struct drm_ferry_bo_query info;

	CHECK_OK(ferry_bo_query(bo, &info, sizeof(info)));
	return info.placement;
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

/* Whether anything is mapped at a page. */
bool is_mapped(const void *address)
{
	unsigned char resident;

	return mincore((void *)address, PAGE, &resident) == 0;
}

/* Every 64 bit word of a BO differs from its neighbours and between seeds. */
static uint64_t word(uint64_t seed, uint64_t index)
{
	uint64_t x = (seed << 32) ^ index;

	x *= 0x9e3779b97f4a7c15ull;
	return x ^ (x >> 29);
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
