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
	/* bytes of kept pages */
	u64 kept;
};

static void ferry_fdinfo_add(struct ferry_fdinfo *info, struct ferry_bo *bo)
{
	bool in_aperture = ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE;
	struct ferry_fdinfo_region *region = in_aperture ? &info->aperture : &info->system;
	struct drm_gem_object *obj = &bo->base.base;

	if (drm_gem_object_is_shared_for_memory_stats(obj))
		region->stats.shared += obj->size;
	else
		region->stats.private += obj->size;
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
		drm_gem_object_get(obj);
		/* Waiting for the reservation can sleep. */
		spin_unlock(&file->table_lock);

		dma_resv_lock(obj->resv, NULL);
		ferry_fdinfo_add(info, gem_to_ferry_bo(obj));
		dma_resv_unlock(obj->resv);
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
 * includes and which reclaim frees before anything else. The engine "copy" is the CPUs: the
 * time that they spent in copies that are accounted to this client.
 */
void ferry_fdinfo_show(struct drm_printer *p, struct drm_file *file)
{
	struct ferry_client *client = file->driver_priv;
	struct ferry_fdinfo info = {};

	ferry_fdinfo_collect(&info, file);
	ferry_fdinfo_print(p, &info.system, "system");
	ferry_fdinfo_print(p, &info.aperture, "aperture");
	drm_printf(p, "ferry-kept-system:\t%llu KiB\n", info.kept >> 10);
	drm_printf(p, "drm-engine-capacity-copy:\t%u\n", num_online_cpus());
	drm_printf(p, "drm-engine-copy:\t%lld ns\n", atomic64_read(&client->copy_ns));
}
