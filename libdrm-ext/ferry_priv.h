/* SPDX-License-Identifier: MIT */
/* What the units of libdrm_ferry share and no user of it sees. */
#ifndef FERRY_PRIV_H_
#define FERRY_PRIV_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <libdrm_ferry/ferry.h>

/* Everything is hidden (-fvisibility=hidden) but what carries this. */
#define ferry_public __attribute__((visibility("default")))

/**
 * struct ferry_table - BOs by their GEM handles
 *
 * A hash table of chains that doubles when it holds as many BOs as chains.
 * Handles are small and dense, so the handle itself is the hash.
 */
struct ferry_table {
	/** @chains: heads of the chains, linked by &ferry_bo.next */
	struct ferry_bo **chains;
	/** @nr_chains: number of @chains, zero or a power of two */
	uint32_t nr_chains;
	/** @nr_bos: number of BOs in all chains */
	uint32_t nr_bos;
};

/**
 * struct ferry_device - see the public header
 */
struct ferry_device {
	/** @next: list of all devices, protected by the list's mutex */
	struct ferry_device *next;
	/** @info: answer to the query at opening; its constant parts are used */
	struct drm_ferry_device_query info;
	/**
	 * @lock: protects @bos and the step of a BO's @refs from one to zero,
	 * and covers every ioctl that can return a handle known already (prime
	 * import) or that closes one
	 */
	pthread_mutex_t lock;
	/** @bos: all BOs of this open file */
	struct ferry_table bos;
	/** @refs: number of references; 1 to 0 under the list's mutex */
	atomic_uint refs;
	/** @fd: the library's own descriptor */
	int fd;
};

/**
 * struct ferry_bo - see the public header
 */
struct ferry_bo {
	/** @dev: the device, with a reference */
	struct ferry_device *dev;
	/** @next: next BO of a chain of &struct ferry_table */
	struct ferry_bo *next;
	/** @size: size in bytes, whole pages */
	uint64_t size;
	/** @handle: the GEM handle, owned */
	uint32_t handle;
	/** @refs: number of references; 1 to 0 under &ferry_device.lock */
	atomic_uint refs;
	/** @map_lock: protects @map and @map_count */
	pthread_mutex_t map_lock;
	/** @map: the mapping, while @map_count is not zero */
	void *map;
	/** @map_count: ferry_bo_map() less ferry_bo_unmap() */
	uint32_t map_count;
};

struct ferry_bo *ferry_table_find(const struct ferry_table *table,
				  uint32_t handle);
int ferry_table_insert(struct ferry_table *table, struct ferry_bo *bo);
void ferry_table_remove(struct ferry_table *table, struct ferry_bo *bo);
void ferry_table_fini(struct ferry_table *table);

int ferry_ioctl(const struct ferry_device *dev, unsigned long request,
		void *arg);
int ferry_copy_out(void *dst, size_t dst_size, const void *src,
		   size_t src_size);
int ferry_refs_dec_unless_last(atomic_uint *refs);
void ferry_bo_map_fini(struct ferry_bo *bo);

#endif /* FERRY_PRIV_H_ */
