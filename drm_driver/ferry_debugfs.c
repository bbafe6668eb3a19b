// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>

#include "ferry_audit.h"
#include "ferry_bo.h"
#include "ferry_cache.h"
#include "ferry_debugfs.h"
#include "ferry_drv.h"

static struct ferry_device *ferry_debugfs_device(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_ferry_device(entry->dev);
}

static int ferry_debugfs_stats(struct seq_file *m, void *unused)
{
	struct ferry_device *ferry = ferry_debugfs_device(m);
	struct ferry_stats *stats = &ferry->stats;
	const struct {
		const char *name;
		atomic64_t *value;
	} counters[] = {
		{ "bos", &stats->bos },
		{ "moves_up", &stats->moves_up },
		{ "moves_down", &stats->moves_down },
		{ "moves_within", &stats->moves_within },
		{ "bytes_up", &stats->bytes_up },
		{ "bytes_down", &stats->bytes_down },
		{ "move_ns_up", &stats->move_ns_up },
		{ "move_ns_down", &stats->move_ns_down },
		{ "evictions", &stats->evictions },
		{ "faults", &stats->faults },
		{ "fault_pages", &stats->fault_pages },
		{ "faults_2m", &stats->faults_2m },
		{ "faults_1g", &stats->faults_1g },
		{ "faults_oom", &stats->faults_oom },
		{ "aperture_fixed", &ferry->vram_mgr.fixed },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		seq_printf(m, "%s %lld\n", counters[i].name,
			   (s64)atomic64_read(counters[i].value));
	seq_printf(m, "scanout_pins %d\n", atomic_read(&ferry->scanout_pins));
	return 0;
}

static int ferry_debugfs_aperture(struct seq_file *m, void *unused)
{
	struct ferry_device *ferry = ferry_debugfs_device(m);
	struct ferry_aperture *aperture = &ferry->aperture;
	struct drm_printer p = drm_seq_file_printer(m);

	seq_printf(m, "bar %d\nbase %pa\nsize %llu\nfree %llu\nasked %s\ngranted %s\n",
		   aperture->bar, &aperture->base, aperture->size,
		   ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
		   ferry_cache_name(aperture->asked),
		   ferry_cache_name(aperture->granted));
	ferry_vram_mgr_print(&ferry->vram_mgr, &p);
	return 0;
}

/*
 * Every BO has a fake offset, so the DRM core's tree of them lists all BOs.
 * Gives the first one at or after @start with a reference, and moves @start on.
 */
static struct drm_gem_object *ferry_debugfs_next_bo(struct ferry_device *ferry, u64 *start)
{
	struct drm_vma_offset_manager *mgr = ferry->drm.vma_offset_manager;
	struct drm_gem_object *obj, *found = NULL;
	struct drm_mm *mm = &mgr->vm_addr_space_mm;
	struct drm_mm_node *node;

	read_lock(&mgr->vm_lock);
	/* the head node begins where the space ends */
	drm_mm_for_each_node_in_range(node, mm, *start, mm->head_node.start) {
		obj = container_of(node, struct drm_gem_object, vma_node.vm_node);
		*start = node->start + node->size;
		if (kref_get_unless_zero(&obj->refcount)) {
			found = obj;
			break;
		}
	}
	read_unlock(&mgr->vm_lock);

	return found;
}

static int ferry_debugfs_show_bo(struct seq_file *m, struct drm_gem_object *obj)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	struct drm_ferry_bo_query query = {};
	int ret;

	ret = ferry_bo_query(bo, &query);
	if (ret)
		return ret;

	seq_printf(m, "bo 0x%llx size %llu huge %llu placement %s allowed 0x%x caching %s flags 0x%x handles %u pinned %u\n",
		   drm_vma_node_offset_addr(&obj->vma_node), query.size, query.huge_size,
		   query.placement == DRM_FERRY_PLACEMENT_APERTURE ? "aperture" : "system",
		   query.placements,
		   query.caching == DRM_FERRY_CACHING_WC ? "wc" : "cached",
		   query.flags, obj->handle_count, query.pinned);
	return 0;
}

static int ferry_debugfs_bos(struct seq_file *m, void *unused)
{
	struct ferry_device *ferry = ferry_debugfs_device(m);
	struct drm_gem_object *obj;
	u64 start = 0;
	int ret = 0;

	while (!ret && (obj = ferry_debugfs_next_bo(ferry, &start))) {
		ret = ferry_debugfs_show_bo(m, obj);
		drm_gem_object_put(obj);
	}

	return ret;
}

static int ferry_debugfs_caching(struct seq_file *m, void *unused)
{
	return ferry_audit_show(ferry_debugfs_device(m), m);
}

static const struct drm_debugfs_info ferry_debugfs_files[] = {
	{ "ferry_stats", ferry_debugfs_stats },
	{ "ferry_aperture", ferry_debugfs_aperture },
	{ "ferry_bos", ferry_debugfs_bos },
	{ "ferry_caching", ferry_debugfs_caching },
};

/**
 * ferry_debugfs_init - add the device's debugfs files
 * @ferry: the device, not registered yet
 */
void ferry_debugfs_init(struct ferry_device *ferry)
{
	drm_debugfs_add_files(&ferry->drm, ferry_debugfs_files, ARRAY_SIZE(ferry_debugfs_files));
}
