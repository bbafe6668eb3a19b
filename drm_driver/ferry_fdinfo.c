// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cpumask.h>
#include <linux/dma-resv.h>
#include <linux/idr.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>

#include "ferry_bo.h"
#include "ferry_client.h"
#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_fdinfo.h"
#include "ferry_pte.h"

/**
 * struct ferry_fdinfo_region - BOs of a client in one kind of memory
 */
struct ferry_fdinfo_region {
	/** @stats: sizes in bytes, for the standard keys */
	struct drm_memory_stats stats;
	/** @huge: number of bytes that PMDs can map */
	u64 huge;
};

struct ferry_fdinfo {
	struct ferry_fdinfo_region system, aperture;
	/* bytes of imported BOs */
	u64 imported;
	/* bytes of kept pages */
	u64 kept;
};

static struct ferry_fdinfo_region *ferry_fdinfo_add_size(struct ferry_fdinfo *info,
							 struct ferry_bo *bo, u32 placement)
{
	struct ferry_fdinfo_region *region = placement == DRM_FERRY_PLACEMENT_APERTURE ?
					     &info->aperture : &info->system;
	struct drm_gem_object *obj = &bo->base.base;

	if (drm_gem_object_is_shared_for_memory_stats(obj))
		region->stats.shared += obj->size;
	else
		region->stats.private += obj->size;

	return region;
}

static void ferry_fdinfo_add_busy(struct ferry_fdinfo *info, struct ferry_bo *bo)
{
	struct ferry_fdinfo_region *region;

	region = ferry_fdinfo_add_size(info, bo, READ_ONCE(bo->reported));
	region->stats.active += bo->base.base.size;
}

static void ferry_fdinfo_add(struct ferry_fdinfo *info, struct ferry_bo *bo)
{
	u32 placement = ferry_bo_placement(bo);
	struct ferry_fdinfo_region *region = ferry_fdinfo_add_size(info, bo, placement);
	struct drm_gem_object *obj = &bo->base.base;

	WRITE_ONCE(bo->reported, placement);
	if (bo->kept)
		info->kept += obj->size;

	if (!ferry_bo_is_resident(bo))
		return;

	region->stats.resident += obj->size;
	region->huge += ferry_pte_huge_bytes(bo);
	if (!dma_resv_test_signaled(obj->resv, dma_resv_usage_rw(true)))
		region->stats.active += obj->size;
	else if (bo->madv == DRM_FERRY_MADV_DONTNEED)
		region->stats.purgeable += obj->size;
}

static void ferry_fdinfo_collect(struct ferry_fdinfo *info, struct drm_file *file)
{
	struct drm_gem_object *obj;
	int id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id) {
		if (ferry_bo_is_imported(gem_to_ferry_bo(obj))) {
			info->imported += obj->size;
			continue;
		}
		drm_gem_object_get(obj);
		/* Counting the bytes that PMDs can map takes long for a large BO. */
		spin_unlock(&file->table_lock);

		/* Another thread can hold the reservation until a fence signals. */
		if (dma_resv_trylock(obj->resv)) {
			ferry_fdinfo_add(info, gem_to_ferry_bo(obj));
			dma_resv_unlock(obj->resv);
		} else {
			ferry_fdinfo_add_busy(info, gem_to_ferry_bo(obj));
		}
		drm_gem_object_put(obj);

		spin_lock(&file->table_lock);
	}
	spin_unlock(&file->table_lock);
}

static void ferry_fdinfo_print(struct drm_printer *p, struct ferry_fdinfo_region *region,
			       const char *name)
{
	drm_print_memory_stats(p, &region->stats, DRM_GEM_OBJECT_RESIDENT |
			       DRM_GEM_OBJECT_PURGEABLE | FERRY_GEM_OBJECT_ACTIVE, name);
	drm_printf(p, "ferry-huge-%s:\t%llu KiB\n", name, region->huge >> 10);
}

/**
 * ferry_fdinfo_show - print the memory and the copy time of a client for /proc/PID/fdinfo
 * @p: printer
 * @file: the client
 *
 * A BO counts in the region of its current placement. ferry-huge-* is the part of a region
 * that PMDs of 2 MiB can map. ferry-kept-system is the size of the kept pages, which no region
 * includes and which reclaim frees before anything else. ferry-imported is the size of imported
 * BOs, whose memory is their exporter's and which no region includes either. The engine "copy"
 * is the CPUs: the time that they spent in copies that are accounted to this client.
 *
 * Waits for no reservation. A BO that another thread has reserved counts in drm-total-* (or
 * drm-shared-*) and drm-active-* of the region in which fdinfo has seen it last, at first that
 * of system memory, and in no other key.
 */
void ferry_fdinfo_show(struct drm_printer *p, struct drm_file *file)
{
	struct ferry_client *client = file->driver_priv;
	struct ferry_fdinfo info = {};

	ferry_fdinfo_collect(&info, file);
	ferry_fdinfo_print(p, &info.system, "system");
	ferry_fdinfo_print(p, &info.aperture, "aperture");
	drm_printf(p, "ferry-kept-system:\t%llu KiB\n", info.kept >> 10);
	drm_printf(p, "ferry-imported:\t%llu KiB\n", info.imported >> 10);
	drm_printf(p, "drm-engine-capacity-copy:\t%u\n", num_online_cpus());
	drm_printf(p, "drm-engine-copy:\t%lld ns\n", atomic64_read(&client->copy_ns));
}
