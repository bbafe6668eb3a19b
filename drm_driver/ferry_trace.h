/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ferry

#if !defined(_FERRY_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _FERRY_TRACE_H_

#include <linux/tracepoint.h>

#include <drm/drm_device.h>
#include <drm/drm_vma_manager.h>

#include "ferry_bo.h"
#include "ferry_pat.h"
#include "ferry_migrate.h"

#define FERRY_TRACE_PLACES \
	{ 0, "nowhere" }, \
	{ DRM_FERRY_PLACEMENT_SYSTEM, "system" }, \
	{ DRM_FERRY_PLACEMENT_APERTURE, "aperture" }

#ifndef _FERRY_TRACE_PLACE
#define _FERRY_TRACE_PLACE
static inline u32 ferry_trace_place(const struct ferry_migrate_end *end)
{
	if (end->aperture)
		return DRM_FERRY_PLACEMENT_APERTURE;

	return end->tt ? DRM_FERRY_PLACEMENT_SYSTEM : 0;
}
#endif

/* A fault was handled: of which page, at which order was it asked for, and how did it end? */
TRACE_EVENT(ferry_fault,
	    TP_PROTO(struct ferry_bo *bo, pgoff_t page, unsigned int order, u32 placement,
		     int cache, vm_fault_t result),
	    TP_ARGS(bo, page, order, placement, cache, result),
	    TP_STRUCT__entry(__string(dev, dev_name(bo->base.base.dev->dev))
			     __field(u64, bo)
			     __field(u64, page)
			     __field(unsigned int, order)
			     __field(u32, placement)
			     __field(int, cache)
			     __field(unsigned int, result)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = drm_vma_node_offset_addr(&bo->base.base.vma_node);
			   __entry->page = page;
			   __entry->order = order;
			   __entry->placement = placement;
			   __entry->cache = cache;
			   __entry->result = (__force unsigned int)result;),
	    TP_printk("dev=%s bo=0x%llx page=%llu order=%u placement=%s cache=%d result=%s",
		      __get_str(dev), __entry->bo, __entry->page, __entry->order,
		      __print_symbolic(__entry->placement,
				       { DRM_FERRY_PLACEMENT_SYSTEM, "system" },
				       { DRM_FERRY_PLACEMENT_APERTURE, "aperture" }),
		      __entry->cache,
		      __print_symbolic(__entry->result,
				       { VM_FAULT_NOPAGE, "nopage" },
				       { VM_FAULT_FALLBACK, "fallback" },
				       { VM_FAULT_OOM, "oom" },
				       { VM_FAULT_SIGBUS, "sigbus" }))
);

/* Entries of one size go into a page table: pages from pfn on, where the BO is contiguous. */
TRACE_EVENT(ferry_insert,
	    TP_PROTO(struct ferry_bo *bo, unsigned long address, unsigned long pfn,
		     unsigned long pages, unsigned int order, int cache),
	    TP_ARGS(bo, address, pfn, pages, order, cache),
	    TP_STRUCT__entry(__string(dev, dev_name(bo->base.base.dev->dev))
			     __field(u64, bo)
			     __field(unsigned long, address)
			     __field(unsigned long, pfn)
			     __field(unsigned long, pages)
			     __field(unsigned int, order)
			     __field(int, cache)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = drm_vma_node_offset_addr(&bo->base.base.vma_node);
			   __entry->address = address;
			   __entry->pfn = pfn;
			   __entry->pages = pages;
			   __entry->order = order;
			   __entry->cache = cache;),
	    TP_printk("dev=%s bo=0x%llx address=0x%lx pfn=0x%lx pages=%lu order=%u cache=%d",
		      __get_str(dev), __entry->bo, __entry->address, __entry->pfn,
		      __entry->pages, __entry->order, __entry->cache)
);

/* Bytes have arrived at another place. */
TRACE_EVENT(ferry_move,
	    TP_PROTO(struct device *parent, const struct ferry_move *move, u64 ns),
	    TP_ARGS(parent, move, ns),
	    TP_STRUCT__entry(__string(dev, dev_name(parent))
			     __field(u64, bo)
			     __field(u64, bytes)
			     __field(u64, ns)
			     __field(u32, from)
			     __field(u32, to)
			     __field(bool, evict)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = move->bo;
			   __entry->bytes = move->size;
			   __entry->ns = ns;
			   __entry->from = ferry_trace_place(&move->from);
			   __entry->to = ferry_trace_place(&move->to);
			   __entry->evict = move->evict;),
	    TP_printk("dev=%s bo=0x%llx from=%s to=%s bytes=%llu ns=%llu reason=%s",
		      __get_str(dev), __entry->bo,
		      __print_symbolic(__entry->from, FERRY_TRACE_PLACES),
		      __print_symbolic(__entry->to, FERRY_TRACE_PLACES),
		      __entry->bytes, __entry->ns, __entry->evict ? "eviction" : "request")
);

#endif /* _FERRY_TRACE_H_ */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ferry_trace
#include <trace/define_trace.h>
