// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>

#include "ferry_audit.h"
#include "ferry_bar.h"
#include "ferry_bo.h"
#include "ferry_cursor.h"
#include "ferry_debugfs.h"
#include "ferry_device.h"
#include "ferry_gem.h"
#include "ferry_pat.h"
#include "ferry_vram_mgr.h"

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
		{ "moves_to_aperture", &stats->moves_to_aperture },
		{ "moves_to_system", &stats->moves_to_system },
		{ "moves_within", &stats->moves_within },
		{ "bytes_to_aperture", &stats->bytes_to_aperture },
		{ "bytes_to_system", &stats->bytes_to_system },
		{ "move_ns_to_aperture", &stats->move_ns_to_aperture },
		{ "move_ns_to_system", &stats->move_ns_to_system },
		{ "evictions", &stats->evictions },
		{ "purged", &stats->purged },
		{ "system_pages", &ferry->tt.system_pages },
		{ "kept_pages", &ferry->tt.kept_pages },
		{ "flips", &stats->flips },
		{ "copied_bytes", &stats->copied_bytes },
		{ "scanout_bytes", &stats->scanout_bytes },
		{ "faults", &stats->faults },
		{ "fault_pages", &stats->fault_pages },
		{ "faults_2m", &stats->faults_2m },
		{ "faults_oom", &stats->faults_oom },
		{ "aperture_unevictable", &ferry->vram_mgr.unevictable },
		{ "aperture_only_bytes", &ferry->vram_mgr.aperture_only },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		seq_printf(m, "%s %lld\n", counters[i].name,
			   (s64)atomic64_read(counters[i].value));
	seq_printf(m, "jobs %d\n", atomic_read(&ferry->jobs));
	seq_printf(m, "scanout_pins %d\n", atomic_read(&ferry->scanout_pins));
	return 0;
}

static int ferry_debugfs_aperture(struct seq_file *m, void *unused)
{
	struct ferry_device *ferry = ferry_debugfs_device(m);
	struct ferry_bar *bar = &ferry->bar;
	struct drm_printer p = drm_seq_file_printer(m);
	const char *reason = ferry_bar_reason(bar);

	seq_printf(m, "bar %d\nbase %pa\nsize %llu\nfree %llu\npreferred %s\nrequested %s\neffective %s\n",
		   bar->index, &bar->base, bar->size,
		   ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
		   ferry_pat_name(bar->requests[0]),
		   ferry_pat_name(bar->requested),
		   ferry_pat_name(bar->effective));
	if (reason)
		seq_printf(m, "reason %s\n", reason);
	ferry_vram_mgr_print(&ferry->vram_mgr, &p);
	return 0;
}

static int ferry_debugfs_dumb(struct seq_file *m, void *unused)
{
	struct ferry_kms *kms = ferry_debugfs_device(m)->kms;
	const struct ferry_dumb *dumb;

	if (!kms)
		return 0;

	dumb = &kms->dumb;
	seq_printf(m, "placement %s\nchosen_by %s\naperture_read_ns %llu\nsystem_read_ns %llu\n",
		   dumb->system ? "system" : "aperture",
		   dumb->auto_placement ? "measurement" : "parameter",
		   dumb->aperture_ns, dumb->system_ns);
	return 0;
}

static void ferry_debugfs_show_bo(struct seq_file *m, struct ferry_bo *bo)
{
	struct drm_printer p = drm_seq_file_printer(m);
	struct drm_gem_object *obj = &bo->base.base;
	struct drm_ferry_bo_query query = {};

	/* Another thread can hold the reservation for as long as a fence takes to signal. */
	if (!dma_resv_trylock(obj->resv)) {
		seq_printf(m, "busy bo 0x%llx size %zu handles %u\n",
			   drm_vma_node_offset_addr(&obj->vma_node), obj->size,
			   READ_ONCE(obj->handle_count));
		return;
	}

	ferry_gem_query_reserved(bo, &query);
	if (query.flags & DRM_FERRY_BO_IMPORTED) {
		dma_resv_unlock(obj->resv);
		seq_printf(m, "bo 0x%llx size %llu imported from %s handles %u\n",
			   drm_vma_node_offset_addr(&obj->vma_node), query.size, query.exporter,
			   obj->handle_count);
		return;
	}
	seq_printf(m, "bo 0x%llx size %llu huge %llu placement %s allowed 0x%x caching %s flags 0x%x handles %u pinned %u madv %u blocks ",
		   drm_vma_node_offset_addr(&obj->vma_node), query.size, query.huge_size,
		   query.placement == DRM_FERRY_PLACEMENT_APERTURE ? "aperture" : "system",
		   query.allowed_placements,
		   query.caching == DRM_FERRY_CACHING_WC ? "wc" : "cached",
		   query.flags, obj->handle_count, query.pinned, query.madv);
	if (query.placement == DRM_FERRY_PLACEMENT_APERTURE)
		ferry_cursor_print_blocks(bo, &p);
	dma_resv_unlock(obj->resv);
	seq_puts(m, "\n");
}

static int ferry_debugfs_bos(struct seq_file *m, void *unused)
{
	struct ferry_device *ferry = ferry_debugfs_device(m);
	struct ferry_bo *bo = NULL;

	while ((bo = ferry_bo_next(ferry, bo)))
		ferry_debugfs_show_bo(m, bo);

	return 0;
}

static int ferry_debugfs_caching(struct seq_file *m, void *unused)
{
	return ferry_audit_show(ferry_debugfs_device(m), m);
}

static const struct drm_debugfs_info ferry_debugfs_files[] = {
	{ "ferry_stats", ferry_debugfs_stats },
	{ "ferry_aperture", ferry_debugfs_aperture },
	{ "ferry_dumb", ferry_debugfs_dumb },
	{ "ferry_bos", ferry_debugfs_bos },
	{ "ferry_caching", ferry_debugfs_caching },
};

/**
 * ferry_debugfs_init - add the debugfs files of a device
 * @ferry: the device, not registered yet
 *
 * ferry_stats has the counters of &struct ferry_stats; ferry_aperture the BAR, its memory type
 * (and why it is not the preferred one) and its free space; ferry_bos a line for each BO;
 * ferry_caching the result of ferry_audit_show(). No file waits for a reservation: the line of
 * a BO that another thread has reserved begins with "busy" and has only its fake offset, size
 * and number of handles.
 */
void ferry_debugfs_init(struct ferry_device *ferry)
{
	drm_debugfs_add_files(&ferry->drm, ferry_debugfs_files, ARRAY_SIZE(ferry_debugfs_files));
}
