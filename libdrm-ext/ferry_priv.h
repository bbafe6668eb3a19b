/* SPDX-License-Identifier: MIT */
/* Interface between the units of libdrm_ferry; not installed. */
#ifndef FERRY_PRIV_H_
#define FERRY_PRIV_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libdrm_ferry/ferry.h>

/* Export a symbol; -fvisibility=hidden hides all others. */
#define ferry_public __attribute__((visibility("default")))

/* Room for a PCI address such as 0000:00:02.0, and its final zero. */
#define FERRY_ADDRESS_SIZE 20

/**
 * struct ferry_table - BOs by their GEM handles
 *
 * A hash table of chains. The number of chains doubles when there are as many BOs as
 * chains. Handles are small and dense, so the handle itself is the hash.
 */
struct ferry_table {
	/** @chains: heads of the chains, linked by &ferry_bo.next */
	struct ferry_bo **chains;
	/** @nr_chains: number of @chains, a power of two */
	uint32_t nr_chains;
	/** @nr_bos: number of BOs in all chains */
	uint32_t nr_bos;
};

/* Sizes of 1 to 2048 pages, by powers of two. */
#define FERRY_CACHE_BUCKETS 12

/**
 * struct ferry_cache - BOs that were dropped and can be used again
 */
struct ferry_cache {
	/** @buckets: lists of BOs by size, the newest first, linked by &ferry_bo.next */
	struct ferry_bo *buckets[FERRY_CACHE_BUCKETS];
	/** @bytes: size of all BOs */
	uint64_t bytes;
	/** @unmarked: size of those that are not &ferry_bo.marked */
	uint64_t unmarked;
	/** @enabled: constant */
	bool enabled;
};

/**
 * struct ferry_device - see the public header
 */
struct ferry_device {
	/** @next: next device in the list of all devices; protected by the list's mutex */
	struct ferry_device *next;
	/** @info: result of the device query at opening; only its constant fields are used */
	struct drm_ferry_device_query info;
	/**
	 * @lock: protects @bos, @cache, &ferry_bo.closing and the transition of a BO's @refs from
	 * one to zero. Held during PRIME import, which can return the handle of an existing
	 * BO, but not while a handle is closed: that can take long, as it can free memory
	 */
	pthread_mutex_t lock;
	/** @closed: signalled under @lock when a BO with &ferry_bo.closing leaves @bos */
	pthread_cond_t closed;
	/** @bos: all BOs of this open file */
	struct ferry_table bos;
	/** @cache: unused BOs; they hold no reference to the device */
	struct ferry_cache cache;
	/** @refs: number of references; goes from 1 to 0 under the list's mutex */
	atomic_uint refs;
	/** @generation: number of fork() calls before this process opened the device */
	unsigned int generation;
	/** @fd: file descriptor, owned */
	int fd;
	/** @address: PCI address, or an empty string if the device is not on a PCI bus */
	char address[FERRY_ADDRESS_SIZE];
};

/**
 * struct ferry_bo - see the public header
 */
struct ferry_bo {
	/** @dev: the device; the BO holds a reference to it */
	struct ferry_device *dev;
	/** @next: next BO in the chain of the &struct ferry_table */
	struct ferry_bo *next;
	/** @size: size in bytes, whole pages */
	uint64_t size;
	/** @handle: the GEM handle, owned, or 0 if somebody else has closed it */
	atomic_uint handle;
	/** @refs: number of references; goes from 1 to 0 under &ferry_device.lock */
	atomic_uint refs;
	/** @allowed_placements: as created, if @cacheable */
	uint32_t allowed_placements;
	/** @flags: FERRY_BO_* as created, if @cacheable */
	uint32_t flags;
	/**
	 * @cacheable: the library created the BO, and the caller has got no handle, dma-buf
	 * or mapping offset of it
	 */
	atomic_bool cacheable;
	/** @shared: the BO was imported, or exported by ferry_bo_to_dmabuf() */
	atomic_bool shared;
	/** @moved: ferry_bo_migrate() or the like was called, so it can be in the aperture */
	atomic_bool moved;
	/** @cached_at: when the BO was put into the cache, in ns of CLOCK_MONOTONIC */
	int64_t cached_at;
	/** @marked: the cache has marked the BO DRM_FERRY_MADV_DONTNEED */
	bool marked;
	/** @closing: @refs is zero, and the handle is being closed */
	bool closing;
	/** @map_lock: protects @map and @map_count */
	pthread_mutex_t map_lock;
	/** @map: the mapping, or NULL; a BO that was in the cache has one before it is used */
	void *map;
	/** @map_count: number of ferry_bo_map() calls that ferry_bo_unmap() has not undone */
	uint32_t map_count;
};

int ferry_table_init(struct ferry_table *table);
struct ferry_bo *ferry_table_find(const struct ferry_table *table,
				  uint32_t handle);
void ferry_table_insert(struct ferry_table *table, struct ferry_bo *bo);
void ferry_table_remove(struct ferry_table *table, struct ferry_bo *bo);
void ferry_table_fini(struct ferry_table *table);

int ferry_device_adopt(int fd, uint32_t flags, struct ferry_device **out);
int ferry_device_check(const struct ferry_device *dev);
int ferry_check_version(uint32_t version);
int ferry_ioctl(const struct ferry_device *dev, unsigned long request,
		void *arg);
int ferry_ioctl_once(const struct ferry_device *dev, unsigned long request,
		     void *arg);
int ferry_ioctl_fd_once(int fd, unsigned long request, void *arg);
int ferry_copy_out(void *dst, size_t dst_size, const void *src,
		   size_t src_size);
int ferry_refs_dec_unless_last(atomic_uint *refs);
int ferry_close(int fd);
void ferry_close_handle(const struct ferry_device *dev, uint32_t handle);
int ferry_bo_mmap(struct ferry_bo *bo, uint64_t from, uint64_t length,
		  uint32_t flags, void **out);
void ferry_bo_map_fini(struct ferry_bo *bo);
void ferry_cache_init(struct ferry_cache *cache, uint32_t flags);
void ferry_cache_fini(struct ferry_device *dev);
bool ferry_cache_fits(const struct ferry_device *dev, uint64_t size);
bool ferry_cache_put(struct ferry_device *dev, struct ferry_bo *bo);
struct ferry_bo *ferry_cache_get(struct ferry_device *dev, uint64_t size,
				 uint32_t allowed_placements, uint32_t flags);

/*
 * No function of the library is a cancellation point: it would leave a lock held or a
 * descriptor open. Return what ferry_cancel_restore() takes.
 */
static inline int ferry_cancel_disable(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void ferry_cancel_restore(int state)
{
	pthread_setcancelstate(state, NULL);
}

#endif /* FERRY_PRIV_H_ */
