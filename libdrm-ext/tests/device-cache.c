// SPDX-License-Identifier: MIT
/* The cache of dropped BOs: which BOs it keeps, and that a reused BO is like a new one. */

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"

#define SIZE (16 * PAGE)

static struct ferry_device *dev;

/* Write a BO, drop it, and return the address of its mapping. */
static void *drop_filled(uint64_t size, uint32_t flags)
{
	struct ferry_bo *bo = new_bo(dev, size, flags);
	void *map = map_bo(bo);

	fill(map, ferry_bo_size(bo), 7);
	ferry_bo_del(bo);
	return map;
}

/* Whether a new BO has the mapping of a dropped one; its bytes are as documented. */
static bool is_reused(uint64_t size, uint32_t flags, const void *old)
{
	struct ferry_bo *bo = new_bo(dev, size, flags);
	void *map = map_bo(bo);
	bool reused = map == old;

	if (reused && flags & FERRY_BO_UNCLEARED)
		check_filled(map, ferry_bo_size(bo), 7);
	else
		check_zero(map, ferry_bo_size(bo));
	CHECK_EQ(placement_of(bo), SYSTEM);
	/* Do not put it back. */
	CHECK(ferry_bo_handle(bo));
	ferry_bo_del(bo);
	return reused;
}

/* On a slow machine a BO can become too old before it is used again: try some times. */
static void must_be_reused(uint64_t size, uint32_t flags, uint32_t new_flags)
{
	for (int i = 0; i < 8; i++) {
		void *old = drop_filled(size, flags);

		if (is_reused(size - 1, flags | new_flags, old))
			return;
	}
	CHECK(!"a BO of the cache was used");
}

static void reused_and_cleared(void)
{
	must_be_reused(PAGE, 0, 0);
	must_be_reused(3 * PAGE, 0, 0);
	must_be_reused(SIZE, 0, 0);
	must_be_reused(8u << 20, 0, 0);
	must_be_reused(SIZE, FERRY_BO_WC, 0);
	must_be_reused(SIZE, FERRY_BO_CONTIGUOUS, 0);
	must_be_reused(SIZE, 0, FERRY_BO_UNCLEARED);
}

static long count_faults(void)
{
	struct rusage usage;

	CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

/* The kernel can unmap a page of a BO that is not needed, but not each time. */
static void reused_without_faults(void)
{
	const uint64_t size = 64 * PAGE;
	long faults = -1;

	for (int i = 0; i < 8 && faults; i++) {
		volatile char *map = drop_filled(size, 0);
		struct ferry_bo *bo = new_bo(dev, size, FERRY_BO_UNCLEARED);

		if (map_bo(bo) == map) {
			faults = count_faults();
			for (uint64_t at = 0; at < size; at += PAGE)
				map[at] = 1;
			faults = count_faults() - faults;
		}
		CHECK(ferry_bo_handle(bo));
		ferry_bo_del(bo);
	}
	CHECK_EQ(faults, 0);
}

static struct drm_ferry_bo_query query_of_reused(uint32_t allowed_placements,
						 uint32_t flags)
{
	struct drm_ferry_bo_query info;
	struct ferry_bo *bo;

	drop_filled(SIZE, 0);
	CHECK_OK(ferry_bo_new(dev, SIZE, allowed_placements, flags, &bo));
	CHECK_OK(ferry_bo_query(bo, &info, sizeof(info)));
	ferry_bo_del(bo);
	return info;
}

/* Other flags or placements: another BO. */
static void of_another_kind(void)
{
	CHECK_EQ(query_of_reused(ANYWHERE, FERRY_BO_WC).caching,
		 DRM_FERRY_CACHING_WC);
	CHECK_EQ(query_of_reused(ANYWHERE, FERRY_BO_CONTIGUOUS).flags,
		 DRM_FERRY_BO_CONTIGUOUS);
	CHECK_EQ(query_of_reused(SYSTEM, 0).allowed_placements, SYSTEM);
	CHECK_EQ(query_of_reused(ANYWHERE, FERRY_BO_START_APERTURE).placement,
		 APERTURE);
	for (uint64_t pages = 8; pages < 17; pages++) {
		struct ferry_bo *bo;

		drop_filled(pages * PAGE, 0);
		bo = new_bo(dev, (pages + 1) * PAGE, 0);
		CHECK_EQ(ferry_bo_size(bo), (pages + 1) * PAGE);
		ferry_bo_del(bo);
	}
}

/* BOs that somebody else can use are not kept. */
static void not_kept(void)
{
	struct ferry_bo_move move = { .placement = APERTURE };
	struct ferry_bo *bo = new_bo(dev, SIZE, 0);
	uint64_t offset;
	void *map, *range;
	int fd;

	map = map_bo(bo);
	fd = ferry_bo_to_dmabuf(bo, 0);
	CHECK(fd >= 0);
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));
	close(fd);

	bo = new_bo(dev, SIZE, 0);
	map = map_bo(bo);
	CHECK_OK(ferry_bo_mmap_offset(bo, 0, &offset));
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));

	bo = new_bo(dev, SIZE, 0);
	map = map_bo(bo);
	CHECK_OK(ferry_bo_map_range(bo, 0, PAGE, 0, &range));
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));

	bo = new_bo(dev, SIZE, FERRY_BO_START_APERTURE);
	map = map_bo(bo);
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));

	bo = new_bo(dev, SIZE, 0);
	map = map_bo(bo);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));

	bo = new_bo(dev, SIZE, 0);
	map = map_bo(bo);
	move.bo = bo;
	CHECK_OK(ferry_bo_migrate_many(dev, &move, 1, NULL));
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));

	map = drop_filled((8u << 20) + PAGE, 0);
	CHECK(!is_mapped(map));
}

/* A BO that was in the aperture is like a new one when it is back. */
static void moved_back(void)
{
	struct ferry_bo *bo = new_bo(dev, SIZE, 0);
	void *map = map_bo(bo);

	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	CHECK_OK(ferry_bo_migrate(bo, SYSTEM));
	ferry_bo_del(bo);
	CHECK(is_mapped(map));
}

/* KiB of this open file that the kernel can purge. */
static unsigned long long purgeable(void)
{
	unsigned long long total = 0, size;
	char path[64], line[256];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		 ferry_device_fd(dev));
	info = fopen(path, "r");
	CHECK(info);
	while (fgets(line, sizeof(line), info)) {
		if (sscanf(line, "drm-purgeable-%*[^:]: %llu", &size) == 1)
			total += size;
	}
	fclose(info);
	return total;
}

/* Small BOs are not marked, up to 1 MiB together; all others are. */
static void purgeable_in_the_cache(void)
{
	struct ferry_device *cached = dev;
	struct ferry_bo *bos[20];

	CHECK_OK(ferry_device_open(0, &dev));
	drop_filled(SIZE, 0);
	CHECK_EQ(purgeable(), 0);
	drop_filled(SIZE + PAGE, 0);
	CHECK_EQ(purgeable(), (SIZE + PAGE) / 1024);
	ferry_device_del(dev);

	CHECK_OK(ferry_device_open(0, &dev));
	for (size_t i = 0; i < ARRAY_SIZE(bos); i++) {
		bos[i] = new_bo(dev, SIZE, 0);
		fill(map_bo(bos[i]), SIZE, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bos); i++)
		ferry_bo_del(bos[i]);
	CHECK_EQ(purgeable(), ARRAY_SIZE(bos) * SIZE / 1024 - 1024);
	ferry_device_del(dev);
	dev = cached;
}

static void limits(void)
{
	struct ferry_bo *bos[10];
	void *maps[10];
	int kept = 0;

	/* Too old: closed at the next call that uses the cache. */
	maps[0] = drop_filled(SIZE, 0);
	usleep(1200000);
	bos[0] = new_bo(dev, PAGE, 0);
	CHECK(!is_mapped(maps[0]));
	ferry_bo_del(bos[0]);

	/* Too much: 64 MiB are kept. */
	for (int i = 0; i < 10; i++) {
		bos[i] = new_bo(dev, 8u << 20, 0);
		maps[i] = map_bo(bos[i]);
		*(int *)maps[i] = i;
	}
	for (int i = 0; i < 10; i++)
		ferry_bo_del(bos[i]);
	for (int i = 0; i < 10; i++)
		kept += is_mapped(maps[i]);
	CHECK(kept <= 8);
}

static void switched_off(void)
{
	struct ferry_device *cached = dev;
	void *map;

	CHECK_OK(ferry_device_open(FERRY_OPEN_NO_CACHE, &dev));
	map = drop_filled(SIZE, 0);
	CHECK(!is_mapped(map));
	ferry_device_del(dev);

	CHECK_EQ(setenv("FERRY_CACHE", "0", 1), 0);
	CHECK_OK(ferry_device_open(0, &dev));
	map = drop_filled(SIZE, 0);
	CHECK(!is_mapped(map));
	ferry_device_del(dev);
	CHECK_EQ(unsetenv("FERRY_CACHE"), 0);
	dev = cached;
}

/* A BO in the cache does not keep the device open, and is freed with it. */
static void closed_with_the_device(void)
{
	struct ferry_device *cached = dev;
	int fds = count_fds();
	void *map;

	CHECK_OK(ferry_device_open(0, &dev));
	map = drop_filled(SIZE, 0);
	CHECK(is_mapped(map));
	ferry_device_del(dev);
	CHECK(!is_mapped(map));
	CHECK_EQ(count_fds(), fds);
	dev = cached;
}

static void *create_and_drop(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < 300; i++) {
		struct ferry_bo *bo = new_bo(dev, (1 + i % 3) * PAGE, 0);
		void *map = map_bo(bo);

		check_zero(map, ferry_bo_size(bo));
		fill(map, ferry_bo_size(bo), seed + i);
		check_filled(map, ferry_bo_size(bo), seed + i);
		ferry_bo_del(bo);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, create_and_drop,
					(void *)(i * 1000)),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
}

int main(void)
{
	ferry_device_del(open_or_skip());
	CHECK_OK(ferry_device_open(0, &dev));
	RUN(reused_and_cleared);
	RUN(reused_without_faults);
	RUN(of_another_kind);
	RUN(not_kept);
	RUN(moved_back);
	RUN(purgeable_in_the_cache);
	RUN(limits);
	RUN(switched_off);
	RUN(closed_with_the_device);
	RUN(threads);
	ferry_device_del(dev);
	return 0;
}
