// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cpumask.h>
#include <linux/dma-resv.h>
#include <linux/idr.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_bo.h"
#include "ferry_client.h"
#include "ferry_compat.h"
#include "ferry_fdinfo.h"
#include "ferry_pte.h"

/**
 * struct ferry_fdinfo_region - what a client has in a kind of memory
 */
struct ferry_fdinfo_region {
	/** @stats: bytes, for the standard keys */
	struct drm_memory_stats stats;
	/** @huge: bytes that huge entries can map */
	u64 huge;
};

struct ferry_fdinfo {
	struct ferry_fdinfo_region system, aperture;
	/* bytes of system memory that BOs in the aperture keep */
	u64 kept;
};

static void ferry_fdinfo_add(struct ferry_fdinfo *info, struct ferry_bo *bo)
{
	bool up = ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE;
	struct ferry_fdinfo_region *region = up ? &info->aperture : &info->system;
	struct drm_gem_object *obj = &bo->base.base;

	if (drm_gem_object_is_shared_for_memory_stats(obj))
		region->stats.shared += obj->size;
	else
		region->stats.private += obj->size;
	if (bo->kept)
		info->kept += obj->size;

	if (!up && !(bo->base.ttm && ttm_tt_is_populated(bo->base.ttm)))
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
		/* the reservation may have to be waited for */
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
 * ferry_fdinfo_show - what a client has, for /proc/PID/fdinfo
 * @p: where to print
 * @file: the client
 *
 * The regions are where the BOs are now. ferry-huge-* is the part that entries of 2 MiB
 * can map, ferry-kept-system what BOs in the aperture keep for their way down: it is in
 * no region, and is given back before anything else.
 * The engine "copy" is the processors: the time that they carried bytes for this client.
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
