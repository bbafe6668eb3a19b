/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ferry

#if !defined(_FERRY_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _FERRY_TRACE_H_

#include <linux/tracepoint.h>

#include <drm/drm_vma_manager.h>
#include <drm/ferry_drm.h>

#include "ferry_device.h"

#define FERRY_TRACE_PLACEMENTS \
	{ 0, "none" }, \
	{ DRM_FERRY_PLACEMENT_SYSTEM, "system" }, \
	{ DRM_FERRY_PLACEMENT_APERTURE, "aperture" }

/* A page fault was handled. @order is the order of the entry that the kernel requested. */
TRACE_EVENT(ferry_fault,
	    TP_PROTO(struct ferry_bo *bo, pgoff_t page, unsigned int order, u32 placement,
		     int memtype, vm_fault_t result),
	    TP_ARGS(bo, page, order, placement, memtype, result),
	    TP_STRUCT__entry(__string(dev, dev_name(bo->base.base.dev->dev))
			     __field(u64, bo)
			     __field(u64, page)
			     __field(unsigned int, order)
			     __field(u32, placement)
			     __field(int, memtype)
			     __field(unsigned int, result)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = drm_vma_node_offset_addr(&bo->base.base.vma_node);
			   __entry->page = page;
			   __entry->order = order;
			   __entry->placement = placement;
			   __entry->memtype = memtype;
			   __entry->result = (__force unsigned int)result;),
	    TP_printk("dev=%s bo=0x%llx page=%llu order=%u placement=%s memtype=%d result=%s",
		      __get_str(dev), __entry->bo, __entry->page, __entry->order,
		      __print_symbolic(__entry->placement,
				       FERRY_TRACE_PLACEMENTS),
		      __entry->memtype,
		      __print_symbolic(__entry->result,
				       { VM_FAULT_NOPAGE, "nopage" },
				       { VM_FAULT_FALLBACK, "fallback" },
				       { VM_FAULT_OOM, "oom" },
				       { VM_FAULT_SIGBUS, "sigbus" }))
);

/* PTEs, or one PMD, are inserted for @pages pages; @pfn is the PFN of the first one. */
TRACE_EVENT(ferry_insert,
	    TP_PROTO(struct ferry_bo *bo, unsigned long address, unsigned long pfn,
		     unsigned long pages, unsigned int order, int memtype),
	    TP_ARGS(bo, address, pfn, pages, order, memtype),
	    TP_STRUCT__entry(__string(dev, dev_name(bo->base.base.dev->dev))
			     __field(u64, bo)
			     __field(unsigned long, address)
			     __field(unsigned long, pfn)
			     __field(unsigned long, pages)
			     __field(unsigned int, order)
			     __field(int, memtype)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = drm_vma_node_offset_addr(&bo->base.base.vma_node);
			   __entry->address = address;
			   __entry->pfn = pfn;
			   __entry->pages = pages;
			   __entry->order = order;
			   __entry->memtype = memtype;),
	    TP_printk("dev=%s bo=0x%llx address=0x%lx pfn=0x%lx pages=%lu order=%u memtype=%d",
		      __get_str(dev), __entry->bo, __entry->address, __entry->pfn,
		      __entry->pages, __entry->order, __entry->memtype)
);

/* The contents of a BO were copied, or cleared if @from is 0. */
TRACE_EVENT(ferry_move,
	    TP_PROTO(struct device *parent, u64 bo, u32 from, u32 to, u64 bytes, u64 ns,
		     bool evict),
	    TP_ARGS(parent, bo, from, to, bytes, ns, evict),
	    TP_STRUCT__entry(__string(dev, dev_name(parent))
			     __field(u64, bo)
			     __field(u64, bytes)
			     __field(u64, ns)
			     __field(u32, from)
			     __field(u32, to)
			     __field(bool, evict)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->bytes = bytes;
			   __entry->ns = ns;
			   __entry->from = from;
			   __entry->to = to;
			   __entry->evict = evict;),
	    TP_printk("dev=%s bo=0x%llx from=%s to=%s bytes=%llu ns=%llu reason=%s",
		      __get_str(dev), __entry->bo,
		      __print_symbolic(__entry->from, FERRY_TRACE_PLACEMENTS),
		      __print_symbolic(__entry->to, FERRY_TRACE_PLACEMENTS),
		      __entry->bytes, __entry->ns, __entry->evict ? "eviction" : "request")
);

#endif /* _FERRY_TRACE_H_ */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ferry_trace
#include <trace/define_trace.h>
