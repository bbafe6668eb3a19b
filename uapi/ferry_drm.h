/* SPDX-License-Identifier: MIT */
#ifndef _UAPI_FERRY_DRM_H_
#define _UAPI_FERRY_DRM_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: Rules
 *
 * ferry manages buffer objects (BOs) whose pages live either in system memory
 * or in the PCI aperture of the device, and which keep their user mappings
 * while they migrate between the two.
 *
 * - Every structure has the same layout for 32 and 64 bit callers, in C and in
 *   C++. Pointers are passed as __u64.
 * - Fields marked *in* are read, fields marked *out* are written, and *inout*
 *   are both. A field that must be zero, or a flag that is not defined here,
 *   is refused with EINVAL before anything else happens.
 * - Structures grow by appending. The kernel takes a shorter structure from an
 *   older program as if it ended in zeros, so zero always means "as before". The
 *   same holds for the elements of an array, whose size the program passes as the
 *   array's stride.
 * - An ioctl that fails has changed nothing, unless its description says so.
 * - An ioctl that a signal interrupts returns EINTR (or ERESTARTSYS inside
 *   the kernel) and may simply be repeated; drmIoctl() does that.
 * - After the device is gone every ioctl fails with ENODEV. Mappings stay
 *   usable. If it went in order (its driver was unbound, or it was ejected),
 *   all BOs keep their contents, those from the aperture in system memory. If
 *   it was torn out, those from the aperture hold what the bus gives for it.
 *
 * Errors that every ioctl can return: ENODEV (the device is gone), EFAULT (a
 * pointer cannot be read or written), EINTR (interrupted, repeat), ENOMEM
 * (out of memory). All others are listed with the ioctl.
 */

#define DRM_FERRY_DEVICE_QUERY		0x00
#define DRM_FERRY_BO_CREATE		0x01
#define DRM_FERRY_BO_MMAP_OFFSET	0x02
#define DRM_FERRY_BO_QUERY		0x03
#define DRM_FERRY_MIGRATE		0x04
#define DRM_FERRY_BO_MADVISE		0x05
#define DRM_FERRY_BO_WAIT		0x06

/* Version of this interface, as reported by &DRM_IOCTL_FERRY_DEVICE_QUERY. */
#define DRM_FERRY_UAPI_VERSION		3

/* Placements: where the pages of a BO are. Used as a mask and as a single bit. */
/* Pages of system memory. */
#define DRM_FERRY_PLACEMENT_SYSTEM	0x1
/* The PCI memory BAR of the device. */
#define DRM_FERRY_PLACEMENT_APERTURE	0x2

/**
 * enum drm_ferry_memtype - cache attribute of memory, as the CPU applies it
 *
 * The names are those of the x86 page attribute table.
 */
enum drm_ferry_memtype {
	/** @DRM_FERRY_MEMTYPE_UC: strongly uncached */
	DRM_FERRY_MEMTYPE_UC = 0,
	/** @DRM_FERRY_MEMTYPE_UC_MINUS: uncached, an MTRR may make it write-combining */
	DRM_FERRY_MEMTYPE_UC_MINUS = 1,
	/** @DRM_FERRY_MEMTYPE_WC: write-combining: fast to write, slow to read */
	DRM_FERRY_MEMTYPE_WC = 2,
	/** @DRM_FERRY_MEMTYPE_WT: write-through */
	DRM_FERRY_MEMTYPE_WT = 3,
	/** @DRM_FERRY_MEMTYPE_WP: write-protected */
	DRM_FERRY_MEMTYPE_WP = 4,
	/** @DRM_FERRY_MEMTYPE_WB: cached (write-back) */
	DRM_FERRY_MEMTYPE_WB = 5,
};

/* The device has a display: KMS and dumb buffers are available. */
#define DRM_FERRY_FEATURE_DISPLAY	0x1

/**
 * struct drm_ferry_device_query - argument of &DRM_IOCTL_FERRY_DEVICE_QUERY
 *
 * Describes the device. Only @flags and @pad are read.
 *
 * Errors: EINVAL: @flags or @pad is not zero.
 */
struct drm_ferry_device_query {
	/** @flags: in: must be zero */
	__u32 flags;
	/** @pad: in: must be zero */
	__u32 pad;
	/** @version: out: %DRM_FERRY_UAPI_VERSION of the driver; 1 or more */
	__u32 version;
	/**
	 * @aperture_memtype: out: one of &enum drm_ferry_memtype: the attribute
	 * that the kernel was *granted* for the aperture, read back from its
	 * page tables, and which every mapping of it therefore has
	 */
	__u32 aperture_memtype;
	/** @aperture_memtype_requested: out: the &enum drm_ferry_memtype that the driver asked for */
	__u32 aperture_memtype_requested;
	/** @pad2: out: zero */
	__u32 pad2;
	/** @aperture_size: out: size of the aperture in bytes */
	__u64 aperture_size;
	/** @aperture_free: out: bytes of the aperture that no BO occupies at this moment */
	__u64 aperture_free;
	/**
	 * @page_sizes: out: the sizes of page table entries that a mapping can
	 * get, in bytes, or'ed together; 4096 is always among them
	 */
	__u64 page_sizes;
	/** @max_bo_size: out: the largest size in bytes that BO_CREATE takes */
	__u64 max_bo_size;
	/** @features: out: mask of DRM_FERRY_FEATURE_* */
	__u64 features;
};

/*
 * Values of @caching: how system pages of a BO are mapped. The aperture's own
 * attribute is a property of the device and not of a BO.
 */
/* Write-back: the right choice for everything that the CPU reads. */
#define DRM_FERRY_CACHING_CACHED	0
/* Write-combining: costs an attribute change of every page at allocation. */
#define DRM_FERRY_CACHING_WC		1

/*
 * In the aperture the BO occupies one contiguous range, as scanout needs it.
 * Without this flag it may be scattered, and never fails for fragmentation.
 */
#define DRM_FERRY_BO_CONTIGUOUS		0x1

/**
 * struct drm_ferry_bo_create - argument of &DRM_IOCTL_FERRY_BO_CREATE
 *
 * Creates a BO. All of its bytes read as zero.
 *
 * Errors:
 * EINVAL: @size is 0, larger than &drm_ferry_device_query.max_bo_size, or
 * larger than the aperture with only the aperture allowed; @allowed_placements is 0 or
 * has an unknown bit; @placement is neither 0 nor a single bit of
 * @allowed_placements; @caching or a flag is unknown; @pad or @handle is not zero.
 * ENOSPC: the BO is to start in the aperture and does not fit beside what
 * cannot be evicted; or it may be in the aperture only, and all such BOs would
 * take more of it than the module's parameter aperture_only allows to processes
 * without CAP_SYS_ADMIN (50 % by default).
 */
struct drm_ferry_bo_create {
	/**
	 * @size: inout: size in bytes, from 1 to
	 * &drm_ferry_device_query.max_bo_size; rounded up to whole pages
	 */
	__u64 size;
	/** @allowed_placements: in: mask of DRM_FERRY_PLACEMENT_* where the BO may ever be */
	__u32 allowed_placements;
	/**
	 * @placement: in: the DRM_FERRY_PLACEMENT_* where it starts, or 0: system
	 * memory where @allowed_placements allows it, the aperture otherwise
	 */
	__u32 placement;
	/** @caching: in: DRM_FERRY_CACHING_* of its system pages */
	__u32 caching;
	/** @flags: in: mask of DRM_FERRY_BO_* */
	__u32 flags;
	/** @pad: in: must be zero */
	__u32 pad;
	/** @handle: inout: must be zero; on success a GEM handle, never 0 */
	__u32 handle;
};

/* Map at once what the BO has, instead of page by page when it is touched. */
#define DRM_FERRY_MMAP_POPULATE		0x1

/**
 * struct drm_ferry_bo_mmap_offset - argument of &DRM_IOCTL_FERRY_BO_MMAP_OFFSET
 *
 * Gives the offset at which mmap() of the device file maps the BO. It stays
 * the same for as long as the BO exists, and belongs to the BO's size rounded
 * up to whole pages: a mapping may be of any part of that range.
 *
 * By default pages are mapped when they are touched. At an offset asked for
 * with %DRM_FERRY_MMAP_POPULATE the pages that the BO has are mapped when mmap()
 * returns. That is a matter of speed only, of that one mapping: both ways show
 * the same bytes, and after a move both are mapped when touched.
 *
 * mmap() itself fails with EACCES for a BO this file has no handle of and for
 * a writable mapping of a file opened read-only, and with EINVAL for
 * MAP_PRIVATE and for a range that is not inside the BO.
 *
 * Errors: EINVAL: a flag is unknown. ENOENT: no such handle.
 */
struct drm_ferry_bo_mmap_offset {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @flags: in: mask of DRM_FERRY_MMAP_* */
	__u32 flags;
	/** @offset: out: fake offset in bytes for mmap() */
	__u64 offset;
};

/* Values of &drm_ferry_bo_madvise.madv, and of &drm_ferry_bo_query.madv. */
/* The contents are needed: every BO begins so. */
#define DRM_FERRY_MADV_WILLNEED		0
/* The contents may be dropped when memory or the aperture runs short. */
#define DRM_FERRY_MADV_DONTNEED		1
/* Only reported: the contents were dropped, for good. */
#define DRM_FERRY_MADV_PURGED		2

/**
 * struct drm_ferry_bo_query - argument of &DRM_IOCTL_FERRY_BO_QUERY
 *
 * Tells what a BO is and where it is now. Another client or memory pressure
 * may move an unpinned BO right after.
 *
 * Errors: EINVAL: @pad is not zero. ENOENT: no such handle.
 */
struct drm_ferry_bo_query {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @pad: in: must be zero */
	__u32 pad;
	/** @size: out: size in bytes, whole pages */
	__u64 size;
	/** @allowed_placements: out: mask of DRM_FERRY_PLACEMENT_* where it may be */
	__u32 allowed_placements;
	/** @placement: out: the DRM_FERRY_PLACEMENT_* where it is now */
	__u32 placement;
	/** @caching: out: DRM_FERRY_CACHING_* of its system pages */
	__u32 caching;
	/** @memtype: out: &enum drm_ferry_memtype of its user mappings at the current placement */
	__u32 memtype;
	/** @flags: out: mask of DRM_FERRY_BO_* */
	__u32 flags;
	/** @pinned: out: 1 if it is pinned (scanned out, or used by another device), 0 if not */
	__u32 pinned;
	/**
	 * @huge_size: out: bytes of the BO that are placed so that entries of 2 MiB
	 * can map them, in a mapping that begins at a multiple of 2 MiB of the BO;
	 * mmap() chooses a fitting address by itself
	 */
	__u64 huge_size;
	/** @madv: out: DRM_FERRY_MADV_* */
	__u32 madv;
	/** @pad2: out: zero */
	__u32 pad2;
};

/**
 * struct drm_ferry_migrate_entry - one BO of &struct drm_ferry_migrate
 */
struct drm_ferry_migrate_entry {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @placement: in: the one DRM_FERRY_PLACEMENT_* that it shall move to */
	__u32 placement;
};

/* The most entries that one &struct drm_ferry_migrate takes. */
#define DRM_FERRY_MIGRATE_MAX		65536

/**
 * struct drm_ferry_sync - a syncobj, or a point of a timeline syncobj
 */
struct drm_ferry_sync {
	/** @handle: in: handle of the syncobj */
	__u32 handle;
	/** @flags: in: must be zero */
	__u32 flags;
	/** @point: in: point of its timeline, or 0 for a binary syncobj */
	__u64 point;
};

/* The largest distance, in bytes, between two elements of an array. */
#define DRM_FERRY_STRIDE_MAX		4096

/* The most in-syncs, and the most out-syncs, that one call takes. */
#define DRM_FERRY_SYNCS_MAX		1024

/**
 * struct drm_ferry_migrate - argument of &DRM_IOCTL_FERRY_MIGRATE
 *
 * Moves BOs to the placements named. User mappings stay in place and follow.
 * A BO that is there already stays. Every entry is checked before the first
 * BO moves; after that only ENOSPC, ENOMEM, EINTR and ENODEV can stop the
 * work, and each BO is then at its old or at its new place with its contents
 * intact.
 *
 * A move to the aperture evicts other BOs to system memory if it must, the
 * least recently used first: not those that are pinned, or that may not be in
 * system memory, nor those that the same call moves.
 *
 * Without out-syncs the call returns when the BOs are where they shall be; it
 * waits for its in-syncs before it looks at any BO.
 *
 * With out-syncs it returns as soon as the BOs have their new place, and the
 * bytes follow: after the in-syncs, after earlier work on these BOs and after
 * earlier calls with out-syncs of the same open file. Then the out-syncs
 * signal. Until then faults, other moves and the display wait for the BO. Other
 * BOs that must make room are moved before the call returns, and so are pages
 * allocated. If an in-sync ended with an error the bytes are moved all the same, and
 * the out-syncs signal with that error. If the call fails its out-syncs stay as
 * they are.
 *
 * Errors:
 * EINVAL: @count is 0 or above %DRM_FERRY_MIGRATE_MAX; @flags or @pad is not zero; a
 * stride is smaller than its structure in version 3 of this interface, or above
 * %DRM_FERRY_STRIDE_MAX; an entry's placement is not exactly one bit, or not one that the BO was created
 * with; a BO is named twice; @in_count or @out_count is above
 * %DRM_FERRY_SYNCS_MAX; a sync's flags are not zero; an in-sync has no fence yet,
 * at its point.
 * E2BIG: a stride is larger than this kernel knows, and the bytes that it does not know
 * are not all zero.
 * ENOENT: no such handle, of a BO or of a syncobj.
 * EBUSY: a BO that would have to move is pinned, or earlier work on it did not end
 * within 15 seconds.
 * ENODATA: the contents of a BO were purged.
 * EIO: the contents of a BO cannot be read back from swap.
 * ENOSPC: the aperture cannot hold the BOs that this call wants there together,
 * beside what cannot be evicted; or not in one piece, for a contiguous BO.
 */
struct drm_ferry_migrate {
	/** @entries: in: user pointer to @count times &struct drm_ferry_migrate_entry */
	__u64 entries;
	/** @in_syncs: in: user pointer to @in_count times &struct drm_ferry_sync to wait for */
	__u64 in_syncs;
	/** @out_syncs: in: user pointer to @out_count times &struct drm_ferry_sync to signal */
	__u64 out_syncs;
	/** @count: in: number of entries, from 1 to %DRM_FERRY_MIGRATE_MAX */
	__u32 count;
	/**
	 * @entry_stride: in: bytes from one entry to the next:
	 * sizeof(struct drm_ferry_migrate_entry), as the program knows it
	 */
	__u32 entry_stride;
	/** @in_count: in: number of in-syncs, up to %DRM_FERRY_SYNCS_MAX */
	__u32 in_count;
	/** @out_count: in: number of out-syncs, up to %DRM_FERRY_SYNCS_MAX */
	__u32 out_count;
	/**
	 * @sync_stride: in: bytes from one in-sync or out-sync to the next:
	 * sizeof(struct drm_ferry_sync), as the program knows it; ignored if there are none
	 */
	__u32 sync_stride;
	/** @flags: in: must be zero */
	__u32 flags;
	/**
	 * @failed_entry: out: when the call fails because of one entry, the index of this
	 * entry; else @count. Ignored on input.
	 */
	__u32 failed_entry;
	/** @pad: in: must be zero */
	__u32 pad;
};

/**
 * struct drm_ferry_bo_wait - argument of &DRM_IOCTL_FERRY_BO_WAIT
 *
 * Waits until moves of a BO, and other devices' use of it, that are under way now
 * have ended.
 *
 * Errors: EINVAL: @flags is not zero. ENOENT: no such handle. ETIME: not ended by
 * then.
 */
struct drm_ferry_bo_wait {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @flags: in: must be zero */
	__u32 flags;
	/**
	 * @timeout_ns: in: when to give up: absolute, nanoseconds of CLOCK_MONOTONIC;
	 * 0 or the past to only look
	 */
	__s64 timeout_ns;
};

/**
 * struct drm_ferry_bo_madvise - argument of &DRM_IOCTL_FERRY_BO_MADVISE
 *
 * Says whether the contents of a BO are still needed. What is not needed is
 * dropped first when memory or the aperture runs short, and without a copy. A BO
 * that was purged stays purged: touching a mapping of it raises SIGBUS, and all
 * that is left to do with it is to close it.
 *
 * Errors: EINVAL: @madv is neither %DRM_FERRY_MADV_WILLNEED nor
 * %DRM_FERRY_MADV_DONTNEED; @retained or @pad is not zero. ENOENT: no such
 * handle. EBUSY: %DRM_FERRY_MADV_DONTNEED for a BO that is pinned, or shared: it
 * is or was a dma-buf, or has more than one handle.
 */
struct drm_ferry_bo_madvise {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @madv: in: %DRM_FERRY_MADV_WILLNEED or %DRM_FERRY_MADV_DONTNEED */
	__u32 madv;
	/** @retained: inout: must be zero; 1 if the contents are still there, 0 if not */
	__u32 retained;
	/** @pad: in: must be zero */
	__u32 pad;
};

/** Describes the device: &struct drm_ferry_device_query */
#define DRM_IOCTL_FERRY_DEVICE_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_DEVICE_QUERY, struct drm_ferry_device_query)
/** Creates a BO: &struct drm_ferry_bo_create */
#define DRM_IOCTL_FERRY_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_BO_CREATE, struct drm_ferry_bo_create)
/** Gives the offset for mmap(): &struct drm_ferry_bo_mmap_offset */
#define DRM_IOCTL_FERRY_BO_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_BO_MMAP_OFFSET, struct drm_ferry_bo_mmap_offset)
/** Tells where a BO is: &struct drm_ferry_bo_query */
#define DRM_IOCTL_FERRY_BO_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_BO_QUERY, struct drm_ferry_bo_query)
/** Moves BOs: &struct drm_ferry_migrate */
#define DRM_IOCTL_FERRY_MIGRATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_MIGRATE, struct drm_ferry_migrate)
/** Waits for a BO: &struct drm_ferry_bo_wait */
#define DRM_IOCTL_FERRY_BO_WAIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_FERRY_BO_WAIT, struct drm_ferry_bo_wait)
/** Says if a BO's contents are needed: &struct drm_ferry_bo_madvise */
#define DRM_IOCTL_FERRY_BO_MADVISE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_BO_MADVISE, struct drm_ferry_bo_madvise)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_FERRY_DRM_H_ */
