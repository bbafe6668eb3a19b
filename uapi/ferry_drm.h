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
 * ferry manages buffer objects (BOs) whose pages are either in system memory or in
 * the aperture, the memory behind a PCI BAR of the device. User mappings of a BO stay
 * valid while the BO moves between the two.
 *
 * - Every structure has the same layout for 32-bit and 64-bit programs, in C and in
 *   C++. Pointers are passed as __u64.
 * - Fields marked *in* are read, fields marked *out* are written, and *inout*
 *   are both. A field that must be zero, or a flag that is not defined here,
 *   is refused with EINVAL before anything else happens.
 * - Structures grow by appending. The kernel takes a shorter structure from an
 *   older program as if it ended in zeros, so zero always means "as before". The
 *   same holds for the elements of an array, whose size the program passes as the
 *   array's stride. Of a longer structure from a newer program the kernel ignores
 *   the bytes that it does not know, so such a program looks at the version first;
 *   of a longer element they must be zero.
 * - An ioctl that fails has changed nothing, unless its description says so.
 * - An ioctl that is interrupted by a signal fails with EINTR and can be repeated with
 *   the same arguments; drmIoctl() does that.
 * - When the device is gone every ioctl fails with ENODEV, but mappings stay usable.
 *   If the device was removed in order (its driver was unbound, or it was ejected),
 *   all BOs keep their contents: BOs in the aperture were evicted to system memory.
 *   After a surprise removal, reads from BOs that were in the aperture return what the
 *   bus returns for an absent device.
 * - Before the device is reset, BOs are evicted to system memory, and keep their contents.
 *   After a PCI error that freezes its link, BOs that were in the aperture read as zero, and
 *   the kernel log says so. Until the reset has ended, no BO moves to the aperture (EIO).
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

/* Placements: where the pages of a BO are. A field holds a single bit or a mask. */
/* System memory. */
#define DRM_FERRY_PLACEMENT_SYSTEM	0x1
/* The aperture: the memory behind a PCI BAR of the device. */
#define DRM_FERRY_PLACEMENT_APERTURE	0x2

/**
 * enum drm_ferry_memtype - memory type: how the CPU caches accesses to a mapping
 *
 * The names are those of the x86 page attribute table (PAT). The kernel keeps one memory
 * type for each physical range. The *requested* memory type is the one that the driver
 * asks for; the *effective* memory type is the one that the mappings have.
 */
enum drm_ferry_memtype {
	/** @DRM_FERRY_MEMTYPE_UC: strongly uncached */
	DRM_FERRY_MEMTYPE_UC = 0,
	/** @DRM_FERRY_MEMTYPE_UC_MINUS: uncached, unless an MTRR makes it write-combining */
	DRM_FERRY_MEMTYPE_UC_MINUS = 1,
	/** @DRM_FERRY_MEMTYPE_WC: write-combining: writes are fast, reads are slow */
	DRM_FERRY_MEMTYPE_WC = 2,
	/** @DRM_FERRY_MEMTYPE_WT: write-through */
	DRM_FERRY_MEMTYPE_WT = 3,
	/** @DRM_FERRY_MEMTYPE_WP: write-protected */
	DRM_FERRY_MEMTYPE_WP = 4,
	/** @DRM_FERRY_MEMTYPE_WB: cached (write-back) */
	DRM_FERRY_MEMTYPE_WB = 5,
	/** @DRM_FERRY_MEMTYPE_UNKNOWN: only for imported BOs: the exporter decides */
	DRM_FERRY_MEMTYPE_UNKNOWN = 6
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
	 * @aperture_memtype: out: effective &enum drm_ferry_memtype of all mappings of
	 * the aperture, as the driver reads it back from the kernel's page tables
	 */
	__u32 aperture_memtype;
	/** @aperture_memtype_requested: out: &enum drm_ferry_memtype that the driver requested */
	__u32 aperture_memtype_requested;
	/** @pad2: out: zero */
	__u32 pad2;
	/** @aperture_size: out: size of the aperture in bytes */
	__u64 aperture_size;
	/** @aperture_free: out: bytes of the aperture that no BO occupies at the moment */
	__u64 aperture_free;
	/**
	 * @page_sizes: out: mask of the sizes, in bytes, of the page table entries
	 * that mappings can use; 4096 is always in it
	 */
	__u64 page_sizes;
	/** @max_bo_size: out: largest &drm_ferry_bo_create.size in bytes */
	__u64 max_bo_size;
	/** @features: out: mask of DRM_FERRY_FEATURE_* */
	__u64 features;
};

/*
 * Values of @caching: the memory type of a BO while it is in system memory. The memory
 * type of the aperture is the same for all BOs.
 */
/* Write-back: the right choice for all memory that the CPU reads. */
#define DRM_FERRY_CACHING_CACHED	0
/* Write-combining: allocation is slower, as each page has to change its memory type. */
#define DRM_FERRY_CACHING_WC		1

/*
 * Allocate one contiguous range whenever the BO is in the aperture, as scanout needs it.
 * Without this flag the BO can be scattered there, so no allocation fails because of
 * fragmentation.
 */
#define DRM_FERRY_BO_CONTIGUOUS		0x1
/*
 * Only reported by &DRM_IOCTL_FERRY_BO_QUERY: the BO was imported as a dma-buf, and its memory
 * belongs to another driver or device, the exporter. It cannot be migrated (EINVAL), because it
 * has no allowed placement, nor be marked %DRM_FERRY_MADV_DONTNEED (EBUSY). The exporter
 * provides its mappings.
 */
#define DRM_FERRY_BO_IMPORTED		0x2

/* The size of &drm_ferry_bo_query.exporter. */
#define DRM_FERRY_EXPORTER_LEN		32

/**
 * struct drm_ferry_bo_create - argument of &DRM_IOCTL_FERRY_BO_CREATE
 *
 * Creates a BO. All of its bytes read as zero.
 *
 * Errors:
 * EINVAL: @size is 0 or larger than &drm_ferry_device_query.max_bo_size; @size is larger
 * than the aperture and only the aperture is allowed; @allowed_placements is 0 or has an
 * unknown bit; @placement is neither 0 nor a single bit of @allowed_placements; @caching or
 * a flag is unknown; @pad or @handle is not zero.
 * ENOSPC: the BO is to be created in the aperture and does not fit there beside the BOs
 * that cannot be evicted, because they are pinned or aperture-only; or the BO is
 * aperture-only, and all aperture-only BOs together would exceed the limit for processes
 * without CAP_SYS_ADMIN, the module parameter aperture_only (default: 50 % of the aperture).
 * EIO: the BO is to be created in the aperture, or another BO has to be evicted for it, and
 * the device is being reset or does not decode its memory.
 */
struct drm_ferry_bo_create {
	/**
	 * @size: inout: size in bytes, from 1 to
	 * &drm_ferry_device_query.max_bo_size; rounded up to whole pages
	 */
	__u64 size;
	/**
	 * @allowed_placements: in: mask of all DRM_FERRY_PLACEMENT_* that the BO may ever
	 * have; a BO that may only have the aperture is called aperture-only
	 */
	__u32 allowed_placements;
	/**
	 * @placement: in: the initial DRM_FERRY_PLACEMENT_* of the BO, or 0 for system memory
	 * if @allowed_placements has it, and the aperture otherwise
	 */
	__u32 placement;
	/** @caching: in: DRM_FERRY_CACHING_* while it is in system memory */
	__u32 caching;
	/** @flags: in: mask of DRM_FERRY_BO_* */
	__u32 flags;
	/** @pad: in: must be zero */
	__u32 pad;
	/** @handle: inout: must be zero; on success a GEM handle, never 0 */
	__u32 handle;
};

/* Populate the mapping in mmap(), instead of page by page at the first accesses. */
#define DRM_FERRY_MMAP_POPULATE		0x1

/**
 * struct drm_ferry_bo_mmap_offset - argument of &DRM_IOCTL_FERRY_BO_MMAP_OFFSET
 *
 * Gets the offset at which mmap() of the device file maps the BO. The offset is constant
 * while the BO exists. It stands for the first byte of the BO, and a mapping may cover any
 * part of the BO's size. Offsets are below 2^44: a 32-bit program can pass them to mmap()
 * if its off_t has 64 bits.
 *
 * By default the kernel inserts the page table entries of a mapping at the first accesses.
 * With %DRM_FERRY_MMAP_POPULATE in @flags the ioctl returns another offset for the same BO,
 * and a mapping at that offset is populated before mmap() returns. This is a hint: mmap()
 * succeeds without it if the BO has no pages yet, or if the entries cannot be inserted, and
 * then the first accesses insert them. Both kinds of mapping show the same bytes. When the
 * BO moves, its mappings are zapped and the next accesses insert the entries again, with
 * and without the flag.
 *
 * mmap() itself fails with EACCES if this open file has no handle of the BO, or if the
 * mapping is writable and the file is open for reading only. It fails with EINVAL for
 * MAP_PRIVATE, for a range that is not inside one BO, and for a part of an imported BO that does
 * not begin at its first byte. The exporter can refuse to map an imported BO, with an error of
 * its own.
 *
 * Errors: EINVAL: a flag is unknown. ENOENT: no such handle.
 */
struct drm_ferry_bo_mmap_offset {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @flags: in: mask of DRM_FERRY_MMAP_* */
	__u32 flags;
	/** @offset: out: offset in bytes for mmap() of the device file */
	__u64 offset;
};

/* Values of &drm_ferry_bo_madvise.madv, and of &drm_ferry_bo_query.madv. */
/* The contents are needed. This is the initial state. */
#define DRM_FERRY_MADV_WILLNEED		0
/* The kernel may purge the contents when memory or the aperture runs short. */
#define DRM_FERRY_MADV_DONTNEED		1
/* Only reported: the contents were purged. This state is final. */
#define DRM_FERRY_MADV_PURGED		2

/**
 * struct drm_ferry_bo_query - argument of &DRM_IOCTL_FERRY_BO_QUERY
 *
 * Describes a BO and its present placement. Another client or memory pressure can move a BO
 * that is not pinned at any time, so the answer can be out of date when it arrives.
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
	/**
	 * @allowed_placements: out: mask of all DRM_FERRY_PLACEMENT_* that it may ever have; 0
	 * for an imported BO
	 */
	__u32 allowed_placements;
	/** @placement: out: its present DRM_FERRY_PLACEMENT_*; 0 for an imported BO */
	__u32 placement;
	/** @caching: out: DRM_FERRY_CACHING_* while it is in system memory */
	__u32 caching;
	/**
	 * @memtype: out: &enum drm_ferry_memtype of its user mappings at its present placement;
	 * %DRM_FERRY_MEMTYPE_UNKNOWN for an imported BO
	 */
	__u32 memtype;
	/** @flags: out: mask of DRM_FERRY_BO_* */
	__u32 flags;
	/**
	 * @pinned: out: 1 if it is pinned, for scanout or for another device, or imported, else 0
	 */
	__u32 pinned;
	/**
	 * @huge_size: out: number of bytes that page table entries of 2 MiB can map at the
	 * present placement, if the address of the mapping and the offset of its first byte
	 * in the BO are equal modulo 2 MiB; mmap() with address NULL chooses such an address
	 */
	__u64 huge_size;
	/** @madv: out: DRM_FERRY_MADV_* */
	__u32 madv;
	/** @pad2: out: zero */
	__u32 pad2;
	/**
	 * @exporter: out: name of the driver that exported an imported BO, cut off and padded with
	 * zeros to %DRM_FERRY_EXPORTER_LEN bytes, at least one; all zero for any other BO
	 */
	char exporter[DRM_FERRY_EXPORTER_LEN];
};

/**
 * struct drm_ferry_migrate_entry - one BO of &struct drm_ferry_migrate
 */
struct drm_ferry_migrate_entry {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @placement: in: the DRM_FERRY_PLACEMENT_* to move it to, exactly one */
	__u32 placement;
};

/* The largest number of entries of one &struct drm_ferry_migrate. */
#define DRM_FERRY_MIGRATE_MAX		65536

/**
 * struct drm_ferry_sync - a binary syncobj, or a point of a timeline syncobj
 */
struct drm_ferry_sync {
	/** @handle: in: handle of the syncobj */
	__u32 handle;
	/** @flags: in: must be zero */
	__u32 flags;
	/** @point: in: point on its timeline, or 0 for a binary syncobj */
	__u64 point;
};

/* The largest stride, in bytes, of an array. */
#define DRM_FERRY_STRIDE_MAX		4096

/* The largest number of in-syncs, and of out-syncs, of one call. */
#define DRM_FERRY_SYNCS_MAX		1024

/**
 * struct drm_ferry_migrate - argument of &DRM_IOCTL_FERRY_MIGRATE
 *
 * Moves BOs to the placements in @entries. User mappings keep their address and their
 * contents. A BO that already has its placement does not move. All entries are checked
 * before the first BO moves. If the call fails later, with EBUSY, EIO, ENOSPC, ENOMEM, EINTR
 * or ENODEV, some of the BOs may have moved. Each BO then has its old or its new
 * placement, with its contents intact. A fatal signal ends the call in the middle of a copy,
 * unless a job copies.
 *
 * A move to the aperture evicts other BOs to system memory if it needs their space, the
 * least recently used first. It does not evict BOs that are pinned or aperture-only, nor
 * BOs of the same call.
 *
 * Without out-syncs the call waits for its in-syncs, moves the BOs and returns when their
 * contents are copied.
 *
 * With out-syncs the moves are asynchronous. The call evicts other BOs, allocates pages and
 * returns when the BOs have their new placement; a job copies the contents later. The job
 * waits for the in-syncs, for earlier work on the BOs and for earlier calls with out-syncs
 * of the same open file; when it ends the out-syncs signal. Until then page faults, other
 * moves and the display wait for these BOs. If an in-sync has an error, the contents are
 * copied nevertheless, and the out-syncs signal with that error. If the device is removed or
 * reset, the contents are copied without waiting for in-syncs, and the out-syncs signal with
 * ECANCELED. A call that fails does not change its out-syncs.
 *
 * BOs, in-syncs and out-syncs count as pending from a call with out-syncs until its job
 * has ended. An open file has up to 16384 of them, or those of one call. A call that would
 * exceed this limit waits, before it changes anything, until earlier calls have ended. So a
 * thread that makes such calls should not be the one that signals their in-syncs.
 *
 * Errors:
 * EINVAL: @count is 0 or above %DRM_FERRY_MIGRATE_MAX; @flags or @pad is not zero; a
 * stride is smaller than the element in version 3 of this interface, or above
 * %DRM_FERRY_STRIDE_MAX; the placement of an entry is not exactly one of its BO's allowed
 * placements; two entries have the same BO; @in_count or @out_count is above
 * %DRM_FERRY_SYNCS_MAX; the flags of a sync are not zero; an in-sync has no fence at its
 * point yet.
 * E2BIG: a stride is larger than the element that this kernel knows, and the bytes that it
 * does not know are not all zero.
 * ENOENT: no such handle, of a BO or of a syncobj.
 * EBUSY: a BO that would have to move is pinned; or earlier work on a BO did not end within
 * the 15 seconds that the call waits for it.
 * ENODATA: the contents of a BO were purged.
 * EIO: the contents of a BO cannot be read back from swap; or a BO would have to move to the
 * aperture or out of it, and the device is being reset or does not decode its memory. A
 * device that stops decoding its memory is noticed by moves that are not asynchronous.
 * ENOSPC: the BOs of this call that are to be in the aperture do not fit there together,
 * beside the BOs that cannot be evicted; or there is no contiguous range for a BO with
 * %DRM_FERRY_BO_CONTIGUOUS.
 */
struct drm_ferry_migrate {
	/** @entries: in: user pointer to @count elements of &struct drm_ferry_migrate_entry */
	__u64 entries;
	/** @in_syncs: in: user pointer to @in_count &struct drm_ferry_sync to wait for */
	__u64 in_syncs;
	/** @out_syncs: in: user pointer to @out_count &struct drm_ferry_sync to signal */
	__u64 out_syncs;
	/** @count: in: number of entries, from 1 to %DRM_FERRY_MIGRATE_MAX */
	__u32 count;
	/**
	 * @entry_stride: in: bytes from one entry to the next:
	 * sizeof(struct drm_ferry_migrate_entry) as the program is compiled
	 */
	__u32 entry_stride;
	/** @in_count: in: number of in-syncs, up to %DRM_FERRY_SYNCS_MAX */
	__u32 in_count;
	/** @out_count: in: number of out-syncs, up to %DRM_FERRY_SYNCS_MAX */
	__u32 out_count;
	/**
	 * @sync_stride: in: bytes from one in-sync or out-sync to the next:
	 * sizeof(struct drm_ferry_sync) as the program is compiled; ignored without syncs
	 */
	__u32 sync_stride;
	/** @flags: in: must be zero */
	__u32 flags;
	/**
	 * @failed_entry: out: index of the entry that made the call fail; @count if the
	 * call succeeded or failed for another reason. Not valid after ENODEV, and after
	 * EFAULT for this structure itself. Ignored on input.
	 */
	__u32 failed_entry;
	/** @pad: in: must be zero */
	__u32 pad;
};

/**
 * struct drm_ferry_bo_wait - argument of &DRM_IOCTL_FERRY_BO_WAIT
 *
 * Waits for the moves of a BO, and for accesses to it by other devices, that are pending
 * when the ioctl is called.
 *
 * Errors: EINVAL: @flags is not zero. ENOENT: no such handle. ETIME: the BO was still busy
 * at the timeout.
 */
struct drm_ferry_bo_wait {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @flags: in: must be zero */
	__u32 flags;
	/**
	 * @timeout_ns: in: absolute timeout in nanoseconds of CLOCK_MONOTONIC; with 0 or a
	 * time in the past the ioctl does not wait
	 */
	__s64 timeout_ns;
};

/**
 * struct drm_ferry_bo_madvise - argument of &DRM_IOCTL_FERRY_BO_MADVISE
 *
 * Declares whether the contents of a BO are still needed. When memory or the aperture runs
 * short, the kernel purges BOs with %DRM_FERRY_MADV_DONTNEED before it evicts others, and
 * does not copy their contents. A purged BO cannot be used again: an access to a mapping
 * of it raises SIGBUS, and closing its handle is all that is left to do.
 *
 * Errors: EINVAL: @madv is neither %DRM_FERRY_MADV_WILLNEED nor
 * %DRM_FERRY_MADV_DONTNEED; @retained or @pad is not zero. ENOENT: no such
 * handle. EBUSY: %DRM_FERRY_MADV_DONTNEED for a BO that is pinned or shared: it
 * is or was exported as a dma-buf, is imported, or has more than one handle.
 */
struct drm_ferry_bo_madvise {
	/** @handle: in: handle of the BO */
	__u32 handle;
	/** @madv: in: %DRM_FERRY_MADV_WILLNEED or %DRM_FERRY_MADV_DONTNEED */
	__u32 madv;
	/** @retained: inout: must be zero; 1 if the BO has its contents, 0 if they were purged */
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
/** Describes a BO and its placement: &struct drm_ferry_bo_query */
#define DRM_IOCTL_FERRY_BO_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_BO_QUERY, struct drm_ferry_bo_query)
/** Moves BOs: &struct drm_ferry_migrate */
#define DRM_IOCTL_FERRY_MIGRATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_MIGRATE, struct drm_ferry_migrate)
/** Waits for a BO: &struct drm_ferry_bo_wait */
#define DRM_IOCTL_FERRY_BO_WAIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_FERRY_BO_WAIT, struct drm_ferry_bo_wait)
/** Declares whether the contents of a BO are needed: &struct drm_ferry_bo_madvise */
#define DRM_IOCTL_FERRY_BO_MADVISE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_FERRY_BO_MADVISE, struct drm_ferry_bo_madvise)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_FERRY_DRM_H_ */
