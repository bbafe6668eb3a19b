/* SPDX-License-Identifier: MIT */
#ifndef LIBDRM_FERRY_FERRY_H_
#define LIBDRM_FERRY_FERRY_H_

#include <stddef.h>
#include <stdint.h>

#include <drm/ferry_drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: libdrm_ferry
 *
 * A thin library over the ferry ioctls: devices and buffer objects (BOs) with
 * reference counts, mappings that are made once, and a handle table.
 *
 * Errors: every function that can fail returns a negative errno value and then
 * has not touched its output arguments; 0 or a positive number is success.
 * errno itself is not part of the interface. Each function lists the errors
 * that have a cause in its arguments. Besides those, whatever talks to the
 * kernel can return -ENODEV (the device is gone) and -ENOMEM. Calls that a
 * signal interrupts are repeated inside the library.
 *
 * Threads: every function may be called from any thread at any time, as long as
 * the caller owns a reference of the object that it passes.
 *
 * Handles: the kernel does not count GEM handles, and importing the same buffer
 * twice gives the same handle twice. The library therefore keeps one
 * &struct ferry_bo for each handle of an open file, and one
 * &struct ferry_device for each open file. A handle that the library knows must
 * be closed by nobody else.
 *
 * fork(): a child shares the parent's open file and with it the handles. It may
 * use mappings that exist, but must not call the library with objects of the
 * parent; it opens the device again.
 */

/* An open ferry device; opaque, reference counted. */
struct ferry_device;

/*
 * A buffer object; opaque, reference counted. Each BO holds a reference of its
 * device.
 */
struct ferry_bo;

/* System pages of the BO are write-combining instead of cached. */
#define FERRY_BO_WC (1u << 0)
/* In the aperture the BO is one contiguous range, as scanout needs it. */
#define FERRY_BO_CONTIGUOUS (1u << 1)
/* The BO starts in system memory. */
#define FERRY_BO_START_SYSTEM (1u << 2)
/* The BO starts in the aperture. */
#define FERRY_BO_START_APERTURE (1u << 3)

/**
 * struct ferry_bo_move - one BO of ferry_bo_migrate_many()
 */
struct ferry_bo_move {
	/** @bo: the BO to move; each BO at most once in an array */
	struct ferry_bo *bo;
	/** @placement: the one DRM_FERRY_PLACEMENT_* where it shall go */
	uint32_t placement;
};

/**
 * ferry_device_open() - open the first ferry device of the system
 * @dev: out: the device, one reference, to be dropped with ferry_device_del()
 *
 * Takes the render node, or the primary node of a device that has none.
 *
 * Returns: 0, or
 * -ENODEV: there is no ferry device;
 * -EACCES or another negative errno of open(2): none was found among the
 * devices that could be opened, and one, ferry's or not, could not.
 */
int ferry_device_open(struct ferry_device **dev);

/**
 * ferry_device_open_node() - open a ferry device by the path of its node
 * @path: for example "/dev/dri/card0" (needed for modesetting) or
 *	"/dev/dri/renderD128"
 * @dev: out: the device, one reference
 *
 * Returns: 0, or
 * -ENODEV: @path is not a node of a ferry device;
 * another negative errno of open(2), such as -ENOENT or -EACCES.
 */
int ferry_device_open_node(const char *path, struct ferry_device **dev);

/**
 * ferry_device_new() - make a device of a file descriptor
 * @fd: a node of a ferry device, open for reading and writing; a descriptor
 *	that is open for reading only gives BOs that cannot be mapped (-EACCES)
 * @dev: out: the device, one reference
 *
 * The library keeps a duplicate: @fd stays the caller's, who may close it at
 * once. If the library already has a device of the same open file (@fd is a
 * duplicate of its descriptor), that device is returned with one more
 * reference.
 *
 * Returns: 0, or
 * -EBADF: @fd is not open;
 * -ENODEV: @fd is not a node of a ferry device;
 * -EMFILE: the process has no descriptor left.
 */
int ferry_device_new(int fd, struct ferry_device **dev);

/**
 * ferry_device_ref() - take another reference
 * @dev: the device
 *
 * Returns: @dev.
 */
struct ferry_device *ferry_device_ref(struct ferry_device *dev);

/**
 * ferry_device_del() - drop a reference
 * @dev: the device, or NULL
 *
 * The last one, those of the device's BOs included, closes the device.
 */
void ferry_device_del(struct ferry_device *dev);

/**
 * ferry_device_fd() - file descriptor of a device
 * @dev: the device
 *
 * Returns: the descriptor; it belongs to @dev and must not be closed.
 */
int ferry_device_fd(const struct ferry_device *dev);

/**
 * ferry_device_aperture_size() - size of the aperture
 * @dev: the device
 *
 * Returns: bytes.
 */
uint64_t ferry_device_aperture_size(const struct ferry_device *dev);

/**
 * ferry_device_aperture_memtype() - cache attribute of the aperture
 * @dev: the device
 *
 * Returns: the &enum drm_ferry_memtype that the kernel was granted and that every
 * mapping of the aperture has.
 */
uint32_t ferry_device_aperture_memtype(const struct ferry_device *dev);

/**
 * ferry_device_page_sizes() - sizes of page table entries
 * @dev: the device
 *
 * Returns: bytes, or'ed together; 4096 is always among them.
 */
uint64_t ferry_device_page_sizes(const struct ferry_device *dev);

/**
 * ferry_device_max_bo_size() - largest BO
 * @dev: the device
 *
 * Returns: the largest size in bytes that ferry_bo_new() takes.
 */
uint64_t ferry_device_max_bo_size(const struct ferry_device *dev);

/**
 * ferry_device_features() - what the device can do
 * @dev: the device
 *
 * Returns: mask of DRM_FERRY_FEATURE_*.
 */
uint64_t ferry_device_features(const struct ferry_device *dev);

/**
 * ferry_device_query() - ask the kernel about a device, now
 * @dev: the device
 * @info: out: the answer; a tail that this kernel does not know is zero
 * @size: sizeof(*@info) of the caller
 *
 * What the functions above return never changes; @info also has what does, such
 * as the free part of the aperture.
 *
 * Returns: 0, or
 * -EINVAL: @size is 0.
 */
int ferry_device_query(struct ferry_device *dev,
		       struct drm_ferry_device_query *info, size_t size);

/**
 * ferry_cache_name() - name of a cache attribute
 * @cache: one of &enum drm_ferry_memtype
 *
 * Returns: a constant string such as "write-combining"; "unknown" for anything
 * else.
 */
const char *ferry_cache_name(uint32_t cache);

/**
 * ferry_bo_new() - create a BO
 * @dev: the device
 * @size: size in bytes, from 1 to ferry_device_max_bo_size(); rounded up to
 *	whole pages
 * @placements: mask of DRM_FERRY_PLACEMENT_* where the BO may ever be
 * @flags: mask of FERRY_BO_*; without FERRY_BO_START_* a BO starts in system
 *	memory if @placements allows that, else in the aperture
 * @bo: out: the BO, one reference, all bytes zero
 *
 * Returns: 0, or
 * -EINVAL: @size, @placements or @flags is out of range, both FERRY_BO_START_*
 * are given, or the one given is not among @placements;
 * -ENOSPC: the BO is to start in the aperture and does not fit beside what is
 * pinned there or may be nowhere else.
 */
int ferry_bo_new(struct ferry_device *dev, uint64_t size, uint32_t placements,
		 uint32_t flags, struct ferry_bo **bo);

/**
 * ferry_bo_from_handle() - make a BO of a GEM handle
 * @dev: the device whose open file has the handle
 * @handle: the handle, for example of a dumb buffer
 * @bo: out: the BO, one reference
 *
 * If the library has a BO of that handle already, it is returned with one more
 * reference. Otherwise the handle becomes the library's: the last
 * ferry_bo_del() closes it.
 *
 * Returns: 0, or
 * -ENOENT: there is no such handle; nothing was taken.
 */
int ferry_bo_from_handle(struct ferry_device *dev, uint32_t handle,
			 struct ferry_bo **bo);

/**
 * ferry_bo_from_dmabuf() - import a dma-buf
 * @dev: the device
 * @fd: file descriptor of the dma-buf; it stays the caller's
 * @bo: out: the BO, one reference; the same &struct ferry_bo as before if
 *	@dev has this buffer already
 *
 * Returns: 0, or
 * -EBADF or -EINVAL: @fd is not a dma-buf;
 * another negative errno: the driver cannot import it.
 */
int ferry_bo_from_dmabuf(struct ferry_device *dev, int fd,
			 struct ferry_bo **bo);

/**
 * ferry_bo_to_dmabuf() - export a BO as a dma-buf
 * @bo: the BO
 *
 * Returns: a file descriptor (readable, writable, close-on-exec) that the
 * caller closes, or
 * -EMFILE: the process has no descriptor left.
 */
int ferry_bo_to_dmabuf(struct ferry_bo *bo);

/**
 * ferry_bo_ref() - take another reference
 * @bo: the BO
 *
 * Returns: @bo.
 */
struct ferry_bo *ferry_bo_ref(struct ferry_bo *bo);

/**
 * ferry_bo_del() - drop a reference
 * @bo: the BO, or NULL
 *
 * The last one removes the BO's mapping, whatever ferry_bo_unmap() calls are
 * missing, and closes its handle. The memory lives on for as long as others
 * (a dma-buf, a framebuffer, another process) use it.
 */
void ferry_bo_del(struct ferry_bo *bo);

/**
 * ferry_bo_map() - map a BO into the process
 * @bo: the BO
 * @ptr: out: address of its first byte, readable and writable
 *
 * The first call maps the whole BO, MAP_SHARED; further ones return the same
 * address. Each needs its ferry_bo_unmap(). The mapping stays where it is and
 * keeps its contents when the BO migrates or is evicted.
 *
 * Returns: 0, or
 * -EACCES: the device is open for reading only;
 * -ENOMEM: no address space, or too many mappings.
 */
int ferry_bo_map(struct ferry_bo *bo, void **ptr);

/**
 * ferry_bo_unmap() - undo one ferry_bo_map()
 * @bo: the BO
 *
 * The last one removes the mapping.
 *
 * Returns: 0, or
 * -EINVAL: the BO is not mapped.
 */
int ferry_bo_unmap(struct ferry_bo *bo);

/**
 * ferry_bo_mmap_offset() - offset of a BO in the device file
 * @bo: the BO
 * @flags: mask of DRM_FERRY_MMAP_*, such as %DRM_FERRY_MMAP_POPULATE to have the
 *	pages mapped when mmap() returns instead of when they are touched
 * @offset: out: bytes, for an mmap() of one's own on ferry_device_fd(), such as
 *	a read-only mapping or one of a part of the BO
 *
 * Returns: 0, or
 * -EINVAL: a flag is unknown.
 */
int ferry_bo_mmap_offset(struct ferry_bo *bo, uint32_t flags, uint64_t *offset);

/**
 * ferry_bo_size() - size of a BO
 * @bo: the BO
 *
 * Returns: bytes, whole pages.
 */
uint64_t ferry_bo_size(const struct ferry_bo *bo);

/**
 * ferry_bo_handle() - GEM handle of a BO
 * @bo: the BO
 *
 * Returns: the handle, never 0; it belongs to @bo and must not be closed.
 */
uint32_t ferry_bo_handle(const struct ferry_bo *bo);

/**
 * ferry_bo_device() - device of a BO
 * @bo: the BO
 *
 * Returns: the device, without a reference of its own: valid as long as @bo.
 */
struct ferry_device *ferry_bo_device(const struct ferry_bo *bo);

/**
 * ferry_bo_query() - ask the kernel where a BO is, now
 * @bo: the BO
 * @info: out: the answer; a tail that this kernel does not know is zero
 * @size: sizeof(*@info) of the caller
 *
 * Returns: 0, or
 * -EINVAL: @size is 0.
 */
int ferry_bo_query(struct ferry_bo *bo, struct drm_ferry_bo_query *info,
		   size_t size);

/**
 * ferry_bo_migrate() - move a BO
 * @bo: the BO
 * @placement: the one DRM_FERRY_PLACEMENT_* where it shall go
 *
 * Mappings stay in place and keep their contents. A BO that is there already
 * stays. Others may be evicted from the aperture to make room, and the BO
 * itself may be evicted as soon as the call has returned.
 *
 * Returns: 0, or
 * -EINVAL: @placement is not exactly one that the BO was created with;
 * -EBUSY: the BO would have to move and is pinned;
 * -ENODATA: its contents were purged;
 * -ENOSPC: the aperture cannot hold it beside what is pinned there or may be
 * nowhere else.
 */
int ferry_bo_migrate(struct ferry_bo *bo, uint32_t placement);

/**
 * ferry_bo_migrate_many() - move several BOs with one call into the kernel
 * @dev: the device of all of them
 * @moves: @count BOs and where they shall go
 * @count: from 1 to %DRM_FERRY_MIGRATE_MAX
 *
 * All entries are checked before the first BO moves. If the call then stops
 * with -ENOSPC, -ENOMEM or -ENODEV, each BO is at its old or at its new place
 * with its contents intact.
 *
 * Returns: 0, or
 * -EINVAL: @count is out of range, a placement is not exactly one that its BO
 * was created with, a BO is named twice or is not of @dev;
 * -EBUSY: a BO that would have to move is pinned;
 * -ENODATA: the contents of a BO were purged;
 * -ENOSPC: the aperture cannot hold all that shall go there beside what is
 * pinned there or may be nowhere else. BOs of one call do not evict each other.
 */
int ferry_bo_migrate_many(struct ferry_device *dev,
			  const struct ferry_bo_move *moves, uint32_t count);

/**
 * ferry_bo_migrate_sync() - move several BOs, in order with other work
 * @dev: the device of all of them
 * @moves: @count BOs and where they shall go
 * @count: from 1 to %DRM_FERRY_MIGRATE_MAX
 * @in: @in_count syncobjs, or points of such, to wait for
 * @in_count: up to %DRM_FERRY_SYNCS_MAX
 * @out: @out_count syncobjs, or points of such, to signal
 * @out_count: up to %DRM_FERRY_SYNCS_MAX
 *
 * Syncobjs are those of ferry_device_fd(), as drmSyncobjCreate() makes them.
 *
 * Without out-syncs this waits for the in-syncs and is then
 * ferry_bo_migrate_many(). With out-syncs it returns when the BOs have their
 * new place, and the bytes follow: after the in-syncs, and after earlier calls
 * with out-syncs on the same device. Then the out-syncs signal, with the error
 * of an in-sync that had one. Until then whoever touches a BO waits. Out-syncs
 * of a call that failed stay as they are.
 *
 * Returns: 0, or as ferry_bo_migrate_many(), and
 * -EINVAL: @in_count or @out_count is out of range, flags of a sync are not
 * zero, or an in-sync has no fence yet at its point;
 * -ENOENT: there is no such syncobj.
 */
int ferry_bo_migrate_sync(struct ferry_device *dev,
			  const struct ferry_bo_move *moves, uint32_t count,
			  const struct drm_ferry_sync *in, uint32_t in_count,
			  const struct drm_ferry_sync *out, uint32_t out_count);

/**
 * ferry_bo_wait() - wait until a BO is idle
 * @bo: the BO
 * @timeout_ns: when to give up: nanoseconds of CLOCK_MONOTONIC, absolute as for
 *	drmSyncobjWait(); 0 or the past only looks, INT64_MAX waits for ever
 *
 * Waits for moves, and for other devices' use, that are under way now. It is
 * for timing and for order: memory accesses wait by themselves.
 *
 * Returns: 0, or
 * -ETIME: the BO was still busy then.
 */
int ferry_bo_wait(struct ferry_bo *bo, int64_t timeout_ns);

/**
 * ferry_bo_madvise() - say whether a BO's contents are needed
 * @bo: the BO
 * @madv: %DRM_FERRY_MADV_DONTNEED: they may be dropped when memory or the
 *	aperture runs short; %DRM_FERRY_MADV_WILLNEED: they may not, as at first
 * @retained: out: 1 if the contents are there, 0 if they were dropped
 *
 * A BO whose contents were dropped stays without: touching its mapping raises
 * SIGBUS, and all that is left to do with it is ferry_bo_del(). So ask with
 * %DRM_FERRY_MADV_WILLNEED before using a BO again.
 *
 * Returns: 0, or
 * -EINVAL: @madv is neither of the two;
 * -EBUSY: %DRM_FERRY_MADV_DONTNEED for a BO that is pinned or shared: it is or
 * was a dma-buf, or another open file has a handle of it.
 */
int ferry_bo_madvise(struct ferry_bo *bo, uint32_t madv, uint32_t *retained);

#if defined(__cplusplus)
}
#endif

#endif /* LIBDRM_FERRY_FERRY_H_ */
