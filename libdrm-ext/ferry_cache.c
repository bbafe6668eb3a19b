// SPDX-License-Identifier: MIT
/*
 * The cache of dropped BOs: ferry_bo_new() takes one of the same kind from it, with its mapping,
 * instead of creating one. A BO in the cache is not in the handle table. It is marked
 * DRM_FERRY_MADV_DONTNEED, so that the kernel can purge it, except for a few small BOs: the system
 * call would take as long as the rest of their life.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "ferry_priv.h"

#define FERRY_PAGE 4096ull
#define FERRY_CACHE_MAX_SIZE (FERRY_PAGE << (FERRY_CACHE_BUCKETS - 1))
/* Together, so that a program does not keep much that it does not use. */
#define FERRY_CACHE_MAX_BYTES (64ull << 20)
/* The size of a BO, and of all BOs together, that the kernel cannot purge. */
#define FERRY_CACHE_SMALL (16 * FERRY_PAGE)
#define FERRY_CACHE_MAX_UNMARKED (16 * FERRY_CACHE_SMALL)
/* Nanoseconds after which an unused BO is closed, at the next call that uses the cache. */
#define FERRY_CACHE_AGE 1000000000ll

static int64_t ferry_now(void)
{
	struct timespec now;

	/* Some milliseconds late, but without a system call on any machine. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* The bucket for a size of whole pages: sizes from 2^i pages on, below 2^(i+1). */
static struct ferry_bo **ferry_cache_bucket(struct ferry_cache *cache,
					    uint64_t size)
{
	unsigned int i = 63 - __builtin_clzll(size / FERRY_PAGE);

	return &cache->buckets[i];
}

void ferry_cache_init(struct ferry_cache *cache, uint32_t flags)
{
	const char *setting = getenv("FERRY_CACHE");

	cache->enabled = !(flags & FERRY_OPEN_NO_CACHE) &&
			 !(setting && !strcmp(setting, "0"));
}

/* The caller holds the lock. */
static struct ferry_bo *ferry_cache_unlink(struct ferry_cache *cache,
					   struct ferry_bo **link)
{
	struct ferry_bo *bo = *link;

	*link = bo->next;
	bo->next = NULL;
	cache->bytes -= bo->size;
	if (!bo->marked)
		cache->unmarked -= bo->size;
	return bo;
}

/* Cut the BOs that are too old off the end of each list. The caller holds the lock. */
static struct ferry_bo *ferry_cache_expire(struct ferry_cache *cache,
					   int64_t now)
{
	struct ferry_bo *expired = NULL;

	for (unsigned int i = 0; i < FERRY_CACHE_BUCKETS; i++) {
		struct ferry_bo **link = &cache->buckets[i];

		while (*link && now - (*link)->cached_at <= FERRY_CACHE_AGE)
			link = &(*link)->next;
		while (*link) {
			struct ferry_bo *bo = ferry_cache_unlink(cache, link);

			bo->next = expired;
			expired = bo;
		}
	}
	return expired;
}

static void ferry_cache_free(struct ferry_device *dev, struct ferry_bo *list)
{
	struct ferry_bo *next;

	for (struct ferry_bo *bo = list; bo; bo = next) {
		next = bo->next;
		ferry_bo_map_fini(bo);
		ferry_close_handle(dev, bo->handle);
		pthread_mutex_destroy(&bo->map_lock);
		free(bo);
	}
}

/* No BO of this device is left in use: closing the device closes the handles. */
void ferry_cache_fini(struct ferry_device *dev)
{
	for (unsigned int i = 0; i < FERRY_CACHE_BUCKETS; i++)
		ferry_cache_free(dev, dev->cache.buckets[i]);
}

/* A dropped BO does not move any more, and must be where a new one would be. */
static bool ferry_cache_is_in_system(struct ferry_device *dev,
				     struct ferry_bo *bo)
{
	struct drm_ferry_bo_query query = { .handle = bo->handle };

	if (!atomic_load(&bo->moved))
		return true;
	atomic_store(&bo->moved, false);
	return !ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_QUERY, &query) &&
	       query.placement == DRM_FERRY_PLACEMENT_SYSTEM;
}

/* The kernel refuses this for a BO that is shared or pinned. */
static bool ferry_cache_mark(struct ferry_device *dev, struct ferry_bo *bo)
{
	struct drm_ferry_bo_madvise madvise = {
		.handle = bo->handle,
		.madv = DRM_FERRY_MADV_DONTNEED,
	};

	bo->marked = true;
	return !ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_MADVISE, &madvise) &&
	       madvise.retained;
}

/* Return false if the cache is full. */
static bool ferry_cache_insert(struct ferry_device *dev, struct ferry_bo *bo)
{
	struct ferry_cache *cache = &dev->cache;
	struct ferry_bo **bucket = ferry_cache_bucket(cache, bo->size);
	struct ferry_bo *expired;
	bool taken;

	pthread_mutex_lock(&dev->lock);
	expired = ferry_cache_expire(cache, bo->cached_at);
	taken = cache->bytes + bo->size <= FERRY_CACHE_MAX_BYTES &&
		(bo->marked ||
		 cache->unmarked + bo->size <= FERRY_CACHE_MAX_UNMARKED);
	if (taken) {
		ferry_table_remove(&dev->bos, bo);
		pthread_cond_broadcast(&dev->closed);
		bo->next = *bucket;
		*bucket = bo;
		cache->bytes += bo->size;
		if (!bo->marked)
			cache->unmarked += bo->size;
	}
	pthread_mutex_unlock(&dev->lock);
	ferry_cache_free(dev, expired);
	return taken;
}

/*
 * Take a BO whose last reference was dropped, with the mapping if it has one. The caller still
 * owns the reference of the BO to its device. Return false if the BO is not to be cached.
 */
bool ferry_cache_put(struct ferry_device *dev, struct ferry_bo *bo)
{
	if (!dev->cache.enabled || !bo->cacheable ||
	    !ferry_cache_is_in_system(dev, bo))
		return false;

	bo->map_count = 0;
	bo->cached_at = ferry_now();
	bo->marked = false;
	if (bo->size <= FERRY_CACHE_SMALL && ferry_cache_insert(dev, bo))
		return true;
	return ferry_cache_mark(dev, bo) && ferry_cache_insert(dev, bo);
}

/* Take the newest BO of a kind out of the cache. */
static struct ferry_bo *ferry_cache_take(struct ferry_device *dev,
					 uint64_t size,
					 uint32_t allowed_placements,
					 uint32_t flags)
{
	struct ferry_cache *cache = &dev->cache;
	struct ferry_bo **link, *bo, *expired;

	pthread_mutex_lock(&dev->lock);
	expired = ferry_cache_expire(cache, ferry_now());
	link = ferry_cache_bucket(cache, size);
	while (*link && ((*link)->size != size || (*link)->flags != flags ||
			 (*link)->allowed_placements != allowed_placements))
		link = &(*link)->next;
	bo = *link ? ferry_cache_unlink(cache, link) : NULL;
	pthread_mutex_unlock(&dev->lock);
	ferry_cache_free(dev, expired);
	return bo;
}

static bool ferry_cache_clear(struct ferry_bo *bo)
{
	void *map;

	if (ferry_bo_map(bo, FERRY_MAP_POPULATE, &map))
		return false;
	memset(map, 0, bo->size);
	/* Keep the mapping for the caller. */
	bo->map_count = 0;
	return true;
}

bool ferry_cache_fits(const struct ferry_device *dev, uint64_t size)
{
	return dev->cache.enabled && size && size <= FERRY_CACHE_MAX_SIZE;
}

/*
 * Find a BO for ferry_bo_new(). The caller inserts it in the handle table, and gives it a
 * reference to the device.
 */
struct ferry_bo *ferry_cache_get(struct ferry_device *dev, uint64_t size,
				 uint32_t allowed_placements, uint32_t flags)
{
	const uint32_t kind = flags & ~FERRY_BO_UNCLEARED;
	struct ferry_bo *bo;

	if (!ferry_cache_fits(dev, size))
		return NULL;

	size = (size + FERRY_PAGE - 1) & ~(FERRY_PAGE - 1);
	while ((bo = ferry_cache_take(dev, size, allowed_placements, kind))) {
		struct drm_ferry_bo_madvise madvise = {
			.handle = bo->handle,
			.madv = DRM_FERRY_MADV_WILLNEED,
		};

		if (!ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_MADVISE, &madvise) &&
		    madvise.retained &&
		    (flags & FERRY_BO_UNCLEARED || ferry_cache_clear(bo)))
			return bo;
		/* The kernel has purged it, or the device is gone. */
		ferry_cache_free(dev, bo);
	}
	return NULL;
}
