/* SPDX-License-Identifier: MIT */
#ifndef LIBDRM_FERRY_FERRY_H_
#define LIBDRM_FERRY_FERRY_H_

#include <stddef.h>
#include <stdint.h>

#include <drm/ferry_drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Version of this header; ferry_version() is that of the library that runs. */
#define FERRY_VERSION_MAJOR 1
/* Grows when functions or flags are added. */
#define FERRY_VERSION_MINOR 0
/* Grows with other changes. */
#define FERRY_VERSION_MICRO 0
/* A version as one number that grows with each release. */
#define FERRY_MAKE_VERSION(major, minor, micro) \
	((uint32_t)(major) << 24 | (uint32_t)(minor) << 12 | (uint32_t)(micro))
#define FERRY_VERSION                                                \
	FERRY_MAKE_VERSION(FERRY_VERSION_MAJOR, FERRY_VERSION_MINOR, \
			   FERRY_VERSION_MICRO)

/**
 * DOC: libdrm_ferry
 *
 * A thin library over the ferry ioctls. It adds devices and buffer objects (BOs) with
 * reference counts, one shared mapping for each BO, and a handle table.
 *
 * Errors: a function that can fail returns 0 or a positive number on success, and a
 * negative errno value on failure. On failure its output arguments are unchanged, except
 * for @failed of ferry_bo_migrate_many() and ferry_bo_migrate_sync(). errno itself is not
 * part of the interface. Each function lists the errors that its arguments or the state of
 * the BO can cause. In addition, each function that calls the kernel can return -ENODEV
 * (the device is gone), -ENOMEM, and -EPERM (the object is of a parent process, see below).
 * Flags that are not defined here are -EINVAL. The library repeats system calls that a signal
 * interrupts, except in the functions that can wait without a limit, ferry_bo_wait(),
 * ferry_bo_migrate_sync(), ferry_sync_wait(), ferry_bo_cpu_begin() and ferry_bo_cpu_end(): these
 * return -EINTR.
 *
 * After -ENODEV mappings stay usable, and all objects can be dropped. The kernel then frees the
 * memory of BOs that were not mapped with the last reference to the device, which closes the
 * open file, and not with the references to the BOs.
 *
 * Threads: every function may be called from any thread at any time, as long as
 * the caller owns a reference to the object that it passes. No function is a cancellation
 * point.
 *
 * Handles: the kernel does not count GEM handles, and a second import of the same buffer
 * returns the same handle. The library therefore keeps one &struct ferry_bo for each
 * handle of an open file, and one &struct ferry_device for each open file. Once the
 * library has a BO for a handle, only the library may close that handle. Other code that
 * imports dma-bufs and closes handles on the same open file, such as GBM, a compositor's back
 * end, or a program that calls drmPrimeFDToHandle(), would close handles of the library: give
 * the library an open file of its own with ferry_device_reopen(). The same holds for a
 * descriptor that another process sent or received.
 *
 * fork(): a child process shares the open file of its parent, and so the handles. It may use
 * mappings that exist and drop the objects of its parent, which changes nothing for the parent.
 * All other calls with these objects return -EPERM, and so does ferry_device_new() with a
 * descriptor that the parent's library has. The child opens the device again instead, for
 * example with ferry_device_reopen(). After vfork() it does not call the library.
 */

/* An open ferry device; opaque, reference counted. */
struct ferry_device;

/*
 * A buffer object; opaque, reference counted. Each BO holds a reference to its
 * device.
 */
struct ferry_bo;

/* A picture on a display; opaque. Each holds a reference to its device. */
struct ferry_display;

/*
 * Flags. The kernel's flags have the lower 16 bits, and the same value under both names; the
 * library's own flags have the others.
 */
/* Open the primary node of a device with a display, for modesetting, and keep DRM master. */
#define FERRY_OPEN_DISPLAY (1u << 16)
/* Do not keep dropped BOs for ferry_bo_new(); see there. */
#define FERRY_OPEN_NO_CACHE (1u << 17)

/* Allocate one contiguous range whenever the BO is in the aperture, as scanout needs it. */
#define FERRY_BO_CONTIGUOUS DRM_FERRY_BO_CONTIGUOUS
/* Map the BO write-combining instead of write-back while it is in system memory. */
#define FERRY_BO_WC (1u << 16)
/* Create the BO in system memory. */
#define FERRY_BO_START_SYSTEM (1u << 17)
/* Create the BO in the aperture. */
#define FERRY_BO_START_APERTURE (1u << 18)
/* The BO may have bytes of a BO that the program dropped, instead of zeros; see ferry_bo_new(). */
#define FERRY_BO_UNCLEARED (1u << 19)

/* Populate the mapping now, instead of page by page at the first accesses. */
#define FERRY_MAP_POPULATE DRM_FERRY_MMAP_POPULATE
/* Map for reading only. */
#define FERRY_MAP_READ_ONLY (1u << 16)

/* Export a dma-buf that can only be mapped for reading. */
#define FERRY_EXPORT_READ_ONLY (1u << 16)

/* The program reads through its mappings. */
#define FERRY_CPU_READ (1u << 0)
/* The program writes through its mappings. */
#define FERRY_CPU_WRITE (1u << 1)

/* Wait for syncobjs that have no fence yet to get one, too, instead of failing. */
#define FERRY_WAIT_FOR_FENCE (1u << 1)

/**
 * struct ferry_bo_move - one BO of ferry_bo_migrate_many()
 */
struct ferry_bo_move {
	/** @bo: the BO to move; each BO at most once in an array */
	struct ferry_bo *bo;
	/** @placement: the DRM_FERRY_PLACEMENT_* to move it to, exactly one */
	uint32_t placement;
	/** @flags: must be zero */
	uint32_t flags;
};

/**
 * ferry_version() - version of the library
 *
 * Returns: %FERRY_VERSION of the library that runs. The program is compiled with that of the
 * header. Both are the same or the library's is newer, with the same major number.
 */
uint32_t ferry_version(void);

/**
 * ferry_device_open() - open the first ferry device of the system
 * @flags: mask of FERRY_OPEN_*
 * @dev: out: the device, one reference; drop it with ferry_device_del()
 *
 * The first is the one with the lowest PCI address that can be opened and, with
 * %FERRY_OPEN_DISPLAY, that has a display. Devices of other drivers are not opened.
 *
 * Opens the render node, or the primary node if the device has no render node. The library
 * gives up the role of DRM master that the kernel gives to the first who opens a primary node,
 * so that a compositor can have it. With %FERRY_OPEN_DISPLAY the function opens the primary node
 * and keeps that role.
 *
 * Returns: 0, or
 * -ENODEV: there is no such device;
 * -EOPNOTSUPP: the driver is older than this library;
 * -EACCES or another negative errno of open(2): none could be opened, and the first failed
 * with this error.
 */
int ferry_device_open(uint32_t flags, struct ferry_device **dev);

/**
 * ferry_device_open_pci() - open a ferry device by its PCI address
 * @address: for example "0000:00:02.0"
 * @flags: mask of FERRY_OPEN_*, as for ferry_device_open()
 * @dev: out: the device, one reference
 *
 * Returns: 0, or
 * -EINVAL: @address is no PCI address;
 * -ENODEV: there is no such device, or its driver is not ferry;
 * -EOPNOTSUPP: the device has no display, with %FERRY_OPEN_DISPLAY; or the driver is older than
 * this library;
 * another negative errno of open(2), such as -EACCES.
 */
int ferry_device_open_pci(const char *address, uint32_t flags,
			  struct ferry_device **dev);

/**
 * ferry_device_open_node() - open a ferry device by the path of its node
 * @path: for example "/dev/dri/card0" or "/dev/dri/renderD128"
 * @flags: mask of FERRY_OPEN_*, as for ferry_device_open(); %FERRY_OPEN_DISPLAY for
 *	modesetting, with the path of a primary node
 * @dev: out: the device, one reference
 *
 * Returns: 0, or
 * -ENODEV: @path is not a node of a ferry device;
 * -EOPNOTSUPP: as for ferry_device_open_pci();
 * another negative errno of open(2), such as -ENOENT or -EACCES.
 */
int ferry_device_open_node(const char *path, uint32_t flags,
			   struct ferry_device **dev);

/**
 * ferry_device_reopen() - open the node of a file descriptor again
 * @fd: a node of a ferry device; the caller still owns it
 * @flags: mask of FERRY_OPEN_*, as for ferry_device_open()
 * @dev: out: the device, one reference
 *
 * The device has an open file, and so handles, of its own. Use this function beside other code
 * that closes handles of @fd, and in a child process. BOs of the two open files are shared
 * through dma-bufs.
 *
 * Returns: 0, or
 * -EBADF: @fd is not open;
 * -ENODEV: @fd is not a node of a ferry device;
 * -EOPNOTSUPP: as for ferry_device_open_pci();
 * another negative errno of open(2), such as -EACCES.
 */
int ferry_device_reopen(int fd, uint32_t flags, struct ferry_device **dev);

/**
 * ferry_device_new() - create a device from a file descriptor
 * @fd: a node of a ferry device, open for reading and writing; BOs of a descriptor that is
 *	open for reading only can be mapped with %FERRY_MAP_READ_ONLY only (else -EACCES)
 * @flags: mask of FERRY_OPEN_*; %FERRY_OPEN_DISPLAY requires a device with a display
 * @dev: out: the device, one reference
 *
 * The library duplicates @fd. The caller still owns @fd and may close it at once; the
 * duplicate keeps the open file, and the role of DRM master if it has that. If the
 * library already has a device for the same open file (@fd is a duplicate of its
 * descriptor), the function returns that device with one more reference, and @flags have no
 * effect.
 *
 * Returns: 0, or
 * -EBADF: @fd is not open;
 * -ENODEV: @fd is not a node of a ferry device;
 * -EOPNOTSUPP: as for ferry_device_open_pci();
 * -EMFILE: the process is at its limit of descriptors;
 * -EPERM: a parent process has a device for the same open file; or a seccomp filter forbids
 * to compare open files, with both fcntl(F_DUPFD_QUERY) and kcmp().
 */
int ferry_device_new(int fd, uint32_t flags, struct ferry_device **dev);

/**
 * ferry_device_ref() - take another reference to a device
 * @dev: the device
 *
 * Returns: @dev.
 */
struct ferry_device *ferry_device_ref(struct ferry_device *dev);

/**
 * ferry_device_del() - drop a reference to a device
 * @dev: the device, or NULL
 *
 * Closes the device with the last reference. Each BO of the device holds a reference too.
 */
void ferry_device_del(struct ferry_device *dev);

/**
 * ferry_device_fd() - file descriptor of a device
 * @dev: the device
 *
 * Returns: the descriptor. @dev owns it; the caller must not close it.
 */
int ferry_device_fd(const struct ferry_device *dev);

/**
 * ferry_device_address() - PCI address of a device
 * @dev: the device
 *
 * Returns: for example "0000:00:02.0", for ferry_device_open_pci(); it is valid as long as
 * @dev is. An empty string if the address is not known, because sysfs is not mounted.
 */
const char *ferry_device_address(const struct ferry_device *dev);

/**
 * ferry_device_uapi_version() - version of the kernel interface of a device
 * @dev: the device
 *
 * Returns: %DRM_FERRY_UAPI_VERSION of the driver, which is not older than that of the library.
 */
uint32_t ferry_device_uapi_version(const struct ferry_device *dev);

/**
 * ferry_device_aperture_size() - size of the aperture
 * @dev: the device
 *
 * Returns: bytes.
 */
uint64_t ferry_device_aperture_size(const struct ferry_device *dev);

/**
 * ferry_device_aperture_memtype() - memory type of the aperture
 * @dev: the device
 *
 * The kernel can fall back to another memory type than the driver requested; see
 * &drm_ferry_device_query.aperture_memtype_requested for that one.
 *
 * Returns: the effective &enum drm_ferry_memtype, which every mapping of the aperture has.
 */
uint32_t ferry_device_aperture_memtype(const struct ferry_device *dev);

/**
 * ferry_device_page_sizes() - sizes of the page table entries that mappings can use
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
 * ferry_device_features() - optional features of the device
 * @dev: the device
 *
 * Returns: mask of DRM_FERRY_FEATURE_*.
 */
uint64_t ferry_device_features(const struct ferry_device *dev);

/**
 * ferry_device_query() - query the present state of a device from the kernel
 * @dev: the device
 * @info: out: the state; fields that the running kernel or this library does not know are
 *	zero
 * @size: sizeof(*@info) as the caller is compiled
 *
 * The functions above return constants of the device. @info also has values that change,
 * such as the number of free bytes in the aperture.
 *
 * Returns: 0, or
 * -EINVAL: @size is 0.
 */
int ferry_device_query(struct ferry_device *dev,
		       struct drm_ferry_device_query *info, size_t size);

/**
 * ferry_memtype_name() - name of a memory type
 * @memtype: one of &enum drm_ferry_memtype
 *
 * Returns: a constant string such as "write-combining"; "unknown" for any other value.
 */
const char *ferry_memtype_name(uint32_t memtype);

/**
 * ferry_bo_new() - create a BO
 * @dev: the device
 * @size: size in bytes, from 1 to ferry_device_max_bo_size(); rounded up to
 *	whole pages
 * @allowed_placements: mask of all DRM_FERRY_PLACEMENT_* that the BO may ever have
 * @flags: mask of FERRY_BO_*; without FERRY_BO_START_* the BO is created in system
 *	memory if @allowed_placements has it, else in the aperture
 * @bo: out: the BO, one reference, all bytes zero, unless @flags have %FERRY_BO_UNCLEARED
 *
 * The function can use a BO of the same size, placements and flags that the program has
 * dropped, together with its mapping. The library keeps BOs of up to 8 MiB in system memory, 64 MiB
 * altogether, for one second or until the next call after that. The kernel can purge them
 * meanwhile when memory runs short, except for 1 MiB of BOs of up to 64 KiB. The library does not
 * keep BOs that others may use: imported and exported ones, and those whose ferry_bo_handle(),
 * ferry_bo_mmap_offset() or ferry_bo_map_range() was called. %FERRY_OPEN_NO_CACHE and the
 * environment variable FERRY_CACHE=0 switch the cache off.
 *
 * The library clears the BO that it has kept. With %FERRY_BO_UNCLEARED it does not, as that is most
 * of the work for a large BO: use it if the program writes all of the BO before it reads or shares
 * it. The bytes are of BOs of the same device object, never of another process. ferry_bo_unmap()
 * removes the mapping: without it the BO is kept mapped, and used again without page faults.
 *
 * Returns: 0, or
 * -EINVAL: @size, @allowed_placements or @flags is out of range, both FERRY_BO_START_*
 * are set, or the one that is set is not in @allowed_placements;
 * -ENOSPC: the BO is to be created in the aperture, and does not fit there beside the BOs
 * that cannot be evicted (pinned or aperture-only); or it is aperture-only, and all
 * aperture-only BOs together would exceed the module parameter aperture_only.
 */
int ferry_bo_new(struct ferry_device *dev, uint64_t size,
		 uint32_t allowed_placements, uint32_t flags,
		 struct ferry_bo **bo);

/**
 * ferry_bo_from_handle() - create a BO from a GEM handle
 * @dev: the device whose open file has the handle
 * @handle: the handle, for example of a dumb buffer
 * @bo: out: the BO, one reference
 *
 * If the library already has a BO for that handle, the function returns it with one more
 * reference. Otherwise the library takes ownership of the handle: the last ferry_bo_del()
 * closes it. On failure the caller still owns the handle.
 *
 * Returns: 0, or
 * -ENOENT: there is no such handle.
 */
int ferry_bo_from_handle(struct ferry_device *dev, uint32_t handle,
			 struct ferry_bo **bo);

/**
 * ferry_bo_from_dmabuf() - import a dma-buf
 * @dev: the device
 * @fd: file descriptor of the dma-buf; the caller still owns it
 * @flags: must be zero
 * @bo: out: the BO, one reference; the existing &struct ferry_bo if @dev has one for this
 *	buffer
 *
 * If the open file has a handle of this buffer already, for example because the program created
 * it as a dumb buffer, the library takes ownership of that handle, as with
 * ferry_bo_from_handle().
 *
 * Returns: 0, or
 * -EBADF or -EINVAL: @fd is not a dma-buf;
 * another negative errno: the driver cannot import it.
 */
int ferry_bo_from_dmabuf(struct ferry_device *dev, int fd, uint32_t flags,
			 struct ferry_bo **bo);

/**
 * ferry_bo_to_dmabuf() - export a BO as a dma-buf
 * @bo: the BO
 * @flags: 0 or %FERRY_EXPORT_READ_ONLY
 *
 * Returns: a file descriptor (close-on-exec; readable, and writable without
 * %FERRY_EXPORT_READ_ONLY) that the caller closes, or
 * -EBUSY: the BO was exported with other @flags: a BO has one dma-buf, which the kernel keeps
 * with the handle;
 * -EINVAL: the BO is marked %DRM_FERRY_MADV_DONTNEED, or its contents were purged;
 * -EMFILE: the process is at its limit of descriptors.
 */
int ferry_bo_to_dmabuf(struct ferry_bo *bo, uint32_t flags);

/**
 * ferry_bo_ref() - take another reference to a BO
 * @bo: the BO
 *
 * Returns: @bo.
 */
struct ferry_bo *ferry_bo_ref(struct ferry_bo *bo);

/**
 * ferry_bo_del() - drop a reference to a BO
 * @bo: the BO, or NULL
 *
 * Dropping the last reference closes the handle and removes the mapping of the BO, even if
 * ferry_bo_unmap() calls are missing, or keeps both for ferry_bo_new(). The mapping must not be
 * used any more in any case. The memory is freed when it has no other user, such
 * as a dma-buf, a framebuffer, a mapping or another process.
 */
void ferry_bo_del(struct ferry_bo *bo);

/**
 * ferry_bo_map() - map a BO into the process
 * @bo: the BO
 * @flags: 0 or %FERRY_MAP_POPULATE, which has an effect if this call creates the mapping
 * @ptr: out: address of its first byte, readable and writable
 *
 * The first call maps the whole BO, MAP_SHARED; further calls return the same address. Each
 * call needs its own ferry_bo_unmap(). The mapping keeps its address and its contents when
 * the BO moves or is evicted.
 *
 * All users of @bo in the process have this one mapping, and one count of it. So one
 * ferry_bo_unmap() too many in one of them takes the mapping away from another.
 *
 * Returns: 0, or
 * -EACCES: the device is open for reading only;
 * -ENOMEM: the process has no address space left, or too many mappings;
 * -EAGAIN: the process locks its mappings (mlockall(2)) and would exceed its limit;
 * -ENOENT: somebody else has closed the handle of the BO.
 */
int ferry_bo_map(struct ferry_bo *bo, uint32_t flags, void **ptr);

/**
 * ferry_bo_map_range() - create another mapping, of a part of a BO
 * @bo: the BO
 * @offset: first byte to map, a multiple of the page size
 * @length: bytes to map
 * @flags: mask of FERRY_MAP_*
 * @ptr: out: address of the byte at @offset
 *
 * Each call creates a mapping that the caller owns, and removes with munmap(2). The mapping
 * does not keep @bo, and is valid without it.
 *
 * Returns: 0, or
 * -EINVAL: the range is empty, not inside the BO, or not page-aligned;
 * the errors of ferry_bo_map().
 */
int ferry_bo_map_range(struct ferry_bo *bo, uint64_t offset, uint64_t length,
		       uint32_t flags, void **ptr);

/**
 * ferry_bo_unmap() - undo one ferry_bo_map()
 * @bo: the BO
 *
 * The call that undoes the last ferry_bo_map() removes the mapping.
 *
 * Returns: 0, or
 * -EINVAL: the BO is not mapped.
 */
int ferry_bo_unmap(struct ferry_bo *bo);

/**
 * ferry_bo_cpu_begin() - begin to access a shared BO through mappings
 * @bo: the BO
 * @flags: %FERRY_CPU_READ, %FERRY_CPU_WRITE, or both
 *
 * Waits until other devices have ended the accesses to @bo that are in its fences: their writes,
 * and with %FERRY_CPU_WRITE their reads too. Then makes what they wrote visible to the
 * processor, if @bo is in bounce buffers or in caches. Each call needs its own ferry_bo_cpu_end()
 * with the same @flags. The processor must not access the BO outside of the two.
 *
 * BOs that this library imported, or exported with ferry_bo_to_dmabuf(), are shared. For any other
 * BO the two functions do nothing, as no other device uses it. If the program has exported a BO
 * by its handle instead, it makes the calls of linux/dma-buf.h itself.
 *
 * ferry_bo_read(), ferry_bo_write() and ferry_bo_copy_rect() are accesses like any other.
 *
 * Returns: 0, or
 * -EINVAL: @flags is 0;
 * -EINTR: a signal ended the wait; its handler was installed without SA_RESTART;
 * -ENOENT: somebody else has closed the handle of the BO;
 * -EMFILE: the process is at its limit of descriptors;
 * another negative errno: the exporter of an imported BO refuses.
 */
int ferry_bo_cpu_begin(struct ferry_bo *bo, uint32_t flags);

/**
 * ferry_bo_cpu_end() - end the access to a shared BO
 * @bo: the BO
 * @flags: as for ferry_bo_cpu_begin()
 *
 * Makes what the processor wrote visible to other devices.
 *
 * Returns: as ferry_bo_cpu_begin().
 */
int ferry_bo_cpu_end(struct ferry_bo *bo, uint32_t flags);

/**
 * ferry_bo_read() - copy bytes out of a BO
 * @bo: the BO
 * @offset: first byte to copy
 * @data: out: where to copy them to
 * @size: number of bytes
 *
 * Uses the mapping of ferry_bo_map() if there is one, and otherwise maps the range during the
 * call. Loads from a mapping with memcpy() are slow where the memory type is write-combining, as
 * in the aperture: each is a bus transaction of its own. This function uses the streaming loads
 * of the processor, if it has them.
 *
 * Returns: 0, or
 * -EINVAL: the range is not inside the BO;
 * the errors of ferry_bo_map_range().
 */
int ferry_bo_read(struct ferry_bo *bo, uint64_t offset, void *data,
		  size_t size);

/**
 * ferry_bo_write() - copy bytes into a BO
 * @bo: the BO
 * @offset: where to copy them to
 * @data: the bytes
 * @size: number of bytes
 *
 * Uses the mapping of ferry_bo_map() as ferry_bo_read() does. When it returns, stores of this
 * thread that follow cannot reach the memory before these bytes, even though write-combining memory
 * is weakly ordered.
 *
 * Returns: as ferry_bo_read().
 */
int ferry_bo_write(struct ferry_bo *bo, uint64_t offset, const void *data,
		   size_t size);

/**
 * ferry_bo_copy_rect() - copy a rectangle from one BO to another
 * @dst: the BO to copy to
 * @dst_offset: byte in @dst of the first byte of the first row
 * @dst_pitch: bytes from one row in @dst to the next
 * @src: the BO to copy from; can be @dst, with equal pitches. The rectangles may then overlap,
 *	and the result is as if all of @src were read first
 * @src_offset: byte in @src of the first byte of the first row
 * @src_pitch: bytes from one row in @src to the next
 * @width: bytes of a row, up to the smaller pitch
 * @height: number of rows
 *
 * The processor copies, as with ferry_bo_read() and ferry_bo_write(). If two objects are of the
 * same memory, because one of them was imported, their rectangles must not overlap.
 *
 * Returns: 0, or
 * -EINVAL: a rectangle is not inside its BO, @width is larger than a pitch, or @dst is @src and
 * the pitches differ;
 * the errors of ferry_bo_map_range().
 */
int ferry_bo_copy_rect(struct ferry_bo *dst, uint64_t dst_offset,
		       uint32_t dst_pitch, struct ferry_bo *src,
		       uint64_t src_offset, uint32_t src_pitch, uint32_t width,
		       uint32_t height);

/**
 * ferry_bo_mmap_offset() - offset of a BO in the device file
 * @bo: the BO
 * @flags: mask of DRM_FERRY_MMAP_*, such as %DRM_FERRY_MMAP_POPULATE to populate the
 *	mapping before mmap() returns instead of page by page at the first accesses
 * @offset: out: offset in bytes for mmap() of ferry_device_fd(), for a mapping that
 *	ferry_bo_map_range() does not offer, such as one at a fixed address.
 *	Needs a 64-bit off_t: 32-bit programs are compiled with -D_FILE_OFFSET_BITS=64
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
 * Returns: the handle. @bo owns it; the caller must not close it. 0 if somebody else has
 * closed it and the kernel has used its number again.
 */
uint32_t ferry_bo_handle(const struct ferry_bo *bo);

/**
 * ferry_bo_device() - device of a BO
 * @bo: the BO
 *
 * Returns: the device, without another reference. It is valid as long as @bo is.
 */
struct ferry_device *ferry_bo_device(const struct ferry_bo *bo);

/**
 * ferry_bo_query() - query the present state of a BO from the kernel
 * @bo: the BO
 * @info: out: the state, such as the placement; fields that the running kernel or this
 *	library does not know are zero
 * @size: sizeof(*@info) as the caller is compiled
 *
 * Returns: 0, or
 * -EINVAL: @size is 0.
 */
int ferry_bo_query(struct ferry_bo *bo, struct drm_ferry_bo_query *info,
		   size_t size);

/**
 * ferry_bo_migrate() - move a BO
 * @bo: the BO
 * @placement: the DRM_FERRY_PLACEMENT_* to move it to, exactly one
 *
 * Mappings of the BO keep their address and their contents. A BO that has @placement
 * already does not move. A move to the aperture can evict other BOs, and @bo itself can be
 * evicted as soon as the call has returned.
 *
 * Returns: 0, or
 * -EINVAL: @placement is not exactly one of the BO's allowed placements;
 * -EBUSY: the BO would have to move and is pinned, or earlier work on it did not end
 * within 15 seconds;
 * -ENODATA: its contents were purged;
 * -EIO: its contents cannot be read back from swap;
 * -ENOSPC: it does not fit in the aperture beside the BOs that cannot be evicted (pinned or
 * aperture-only).
 */
int ferry_bo_migrate(struct ferry_bo *bo, uint32_t placement);

/**
 * ferry_bo_migrate_many() - move several BOs with one ioctl
 * @dev: the device of all of them
 * @moves: @count BOs and the placements to move them to
 * @count: up to %DRM_FERRY_MIGRATE_MAX; with 0 the call does nothing
 * @failed: out, or NULL: if the call fails because of one entry of @moves, the index of
 *	this entry; in all other cases, success included, @count
 *
 * All entries are checked before the first BO moves. If the call fails later, with -EBUSY,
 * -EIO, -ENOSPC, -ENOMEM or -ENODEV, some of the BOs may have moved. Each BO then has
 * its old or its new placement, with its contents intact.
 *
 * Returns: 0, or
 * -EINVAL: @count is out of range; or an entry names a BO that another entry names too or
 * that is not of @dev, a placement that is not exactly one of its BO's allowed placements,
 * or flags;
 * -EBUSY: a BO that would have to move is pinned, or earlier work on a BO did not end
 * within 15 seconds;
 * -ENODATA: the contents of a BO were purged;
 * -EIO: the contents of a BO cannot be read back from swap;
 * -ENOSPC: the BOs to be in the aperture do not fit there together, beside the BOs that
 * cannot be evicted (pinned or aperture-only). BOs of one call do not evict each other.
 */
int ferry_bo_migrate_many(struct ferry_device *dev,
			  const struct ferry_bo_move *moves, uint32_t count,
			  uint32_t *failed);

/**
 * ferry_bo_migrate_sync() - move several BOs, ordered with other work by syncobjs
 * @dev: the device of all of them
 * @moves: @count BOs and the placements to move them to
 * @count: from 1 to %DRM_FERRY_MIGRATE_MAX
 * @in: @in_count in-syncs: syncobjs, or points of timeline syncobjs, to wait for
 * @in_count: up to %DRM_FERRY_SYNCS_MAX
 * @out: @out_count out-syncs: syncobjs, or points of timeline syncobjs, to signal
 * @out_count: up to %DRM_FERRY_SYNCS_MAX
 * @failed: out, or NULL: as for ferry_bo_migrate_many(); @count if the call fails because
 *	of a sync
 *
 * The syncobjs are those of ferry_device_fd(), as drmSyncobjCreate() creates them.
 *
 * Without out-syncs the call waits for the in-syncs, without a timeout, and then does the same
 * as ferry_bo_migrate_many(). A signal whose handler was installed without SA_RESTART ends
 * this wait.
 *
 * With out-syncs the moves are asynchronous: the call returns when the BOs have their new
 * placement, and the kernel copies their contents later, after the in-syncs have signalled
 * and after earlier calls with out-syncs on the same device have completed. Then it signals
 * the out-syncs. If an in-sync has an error, the out-syncs signal with this error. An
 * access to a mapping of the BO waits for the copy. A call that fails does not change the
 * out-syncs.
 *
 * Returns: 0, or an error as for ferry_bo_migrate_many(), and
 * -EINVAL: @in_count or @out_count is out of range, the flags of a sync are not zero, or an
 * in-sync has no fence at its point yet;
 * -EINTR: a signal ended a call with in-syncs and without out-syncs; no BO or some of them have
 * moved, and the call can be repeated;
 * -ENOENT: there is no such syncobj.
 */
int ferry_bo_migrate_sync(struct ferry_device *dev,
			  const struct ferry_bo_move *moves, uint32_t count,
			  const struct drm_ferry_sync *in, uint32_t in_count,
			  const struct drm_ferry_sync *out, uint32_t out_count,
			  uint32_t *failed);

/**
 * ferry_bo_migrate_fence() - move several BOs asynchronously, and return a descriptor to poll
 * @dev: the device of all of them
 * @moves: @count BOs and the placements to move them to
 * @count: from 1 to %DRM_FERRY_MIGRATE_MAX
 * @in: @in_count in-syncs, as for ferry_bo_migrate_sync()
 * @in_count: up to %DRM_FERRY_SYNCS_MAX
 * @failed: out, or NULL: as for ferry_bo_migrate_sync()
 *
 * Does the same as ferry_bo_migrate_sync() with one out-sync. The descriptor is a sync file, as
 * other drivers take and give it: poll(2) reports POLLIN when the contents are copied. Its
 * status, which SYNC_IOC_FILE_INFO of linux/sync_file.h returns, is then 1, or the negative errno
 * of an in-sync.
 *
 * Returns: a file descriptor (close-on-exec) that the caller closes, or an error as for
 * ferry_bo_migrate_sync(), and
 * -EMFILE: the process is at its limit of descriptors; the BOs move nevertheless.
 */
int ferry_bo_migrate_fence(struct ferry_device *dev,
			   const struct ferry_bo_move *moves, uint32_t count,
			   const struct drm_ferry_sync *in, uint32_t in_count,
			   uint32_t *failed);

/**
 * ferry_sync_fence() - fence of a syncobj as a sync file
 * @dev: the device whose open file has the syncobj
 * @sync: a syncobj, or a point of a timeline syncobj
 *
 * Returns: a file descriptor (close-on-exec) that the caller closes, as of
 * ferry_bo_migrate_fence(), or
 * -EINVAL: the syncobj has no fence, at its point, yet, or the flags of @sync are not zero;
 * -ENOENT: there is no such syncobj;
 * -EMFILE: the process is at its limit of descriptors.
 */
int ferry_sync_fence(struct ferry_device *dev,
		     const struct drm_ferry_sync *sync);

/**
 * ferry_sync_wait() - wait until all of some syncobjs have signalled
 * @dev: the device whose open file has the syncobjs
 * @syncs: @count syncobjs, or points of timeline syncobjs
 * @count: up to %DRM_FERRY_SYNCS_MAX; with 0 the call does nothing
 * @flags: 0 or %FERRY_WAIT_FOR_FENCE
 * @timeout_ns: absolute timeout in nanoseconds of CLOCK_MONOTONIC. With 0 or a time in the past
 *	the call does not wait; with INT64_MAX it has no timeout
 *
 * A fence with an error has signalled as well: see ferry_sync_fence().
 *
 * Returns: 0, or
 * -EINVAL: @count is out of range, the flags of a sync are not zero, or a syncobj has no fence at
 * its point yet, without %FERRY_WAIT_FOR_FENCE;
 * -EINTR: a signal ended the wait; its handler was installed without SA_RESTART;
 * -ENOENT: there is no such syncobj;
 * -ETIME: one of them had not signalled at the timeout.
 */
int ferry_sync_wait(struct ferry_device *dev,
		    const struct drm_ferry_sync *syncs, uint32_t count,
		    uint32_t flags, int64_t timeout_ns);

/**
 * ferry_bo_wait() - wait until a BO is idle
 * @bo: the BO
 * @flags: must be zero
 * @timeout_ns: absolute timeout in nanoseconds of CLOCK_MONOTONIC, as for
 *	drmSyncobjWait(). With 0 or a time in the past the call does not wait; with
 *	INT64_MAX it has no timeout
 *
 * Waits for the moves of the BO, and for accesses to it by other devices, that are pending
 * when the function is called. Programs need it to measure times or to order work: an
 * access to a mapping waits for pending moves in any case.
 *
 * Returns: 0, or
 * -EINTR: a signal ended the wait; its handler was installed without SA_RESTART;
 * -ETIME: the BO was still busy at the timeout.
 */
int ferry_bo_wait(struct ferry_bo *bo, uint32_t flags, int64_t timeout_ns);

/**
 * ferry_bo_madvise() - declare whether the contents of a BO are still needed
 * @bo: the BO
 * @madv: %DRM_FERRY_MADV_DONTNEED: the kernel may purge the contents when memory or the
 *	aperture runs short; %DRM_FERRY_MADV_WILLNEED, the initial state: it may not
 * @retained: out, or NULL: 1 if the BO has its contents, 0 if they were purged
 *
 * A purged BO cannot be used again: an access to its mapping raises SIGBUS, and
 * ferry_bo_del() is the only call that is of use. So call this function with
 * %DRM_FERRY_MADV_WILLNEED, and check @retained, before a BO is used again.
 *
 * Returns: 0, or
 * -EINVAL: @madv is neither of the two;
 * -EBUSY: %DRM_FERRY_MADV_DONTNEED for a BO that is pinned or shared: it is or was exported
 * as a dma-buf, or has more than one handle, in this open file or in others.
 */
int ferry_bo_madvise(struct ferry_bo *bo, uint32_t madv, uint32_t *retained);

/**
 * struct ferry_display_buffer - the buffer of a display that the program draws into
 */
struct ferry_display_buffer {
	/** @pixels: first pixel of the top row; each has 4 bytes, 0x00RRGGBB as a uint32_t */
	void *pixels;
	/** @width: pixels in a row */
	uint32_t width;
	/** @height: number of rows */
	uint32_t height;
	/** @pitch: bytes from one row to the next */
	uint32_t pitch;
	/** @pad: zero */
	uint32_t pad;
};

/**
 * ferry_display_new() - show a picture on the display of a device
 * @dev: the device, opened with %FERRY_OPEN_DISPLAY
 * @width: width of the mode in pixels, or 0 together with @height for the preferred mode
 * @height: height of the mode in pixels
 * @flags: must be zero
 * @display: out: the display; it ends with ferry_display_del()
 *
 * Sets the mode and shows black. The display has two buffers: one is on the screen, and the
 * program draws into the other one. ferry_display_flip() exchanges them; ferry_display_damage()
 * copies a part from the buffer of the program to the one on the screen.
 *
 * This is all that a simple program needs. Use libdrm itself with ferry_device_fd() for more, such
 * as page flips that do not wait.
 *
 * Returns: 0, or
 * -EINVAL: the display has no such mode, one of @width and @height is 0, or @flags is not 0;
 * -EOPNOTSUPP: the device has no display;
 * -ENXIO: no monitor is connected;
 * -EACCES: another program is DRM master, such as a compositor, or the device was opened without
 * %FERRY_OPEN_DISPLAY;
 * -ENOSPC: a buffer does not fit in the aperture beside the BOs that cannot be evicted.
 */
int ferry_display_new(struct ferry_device *dev, uint32_t width, uint32_t height,
		      uint32_t flags, struct ferry_display **display);

/**
 * ferry_display_del() - end the use of a display
 * @display: the display, or NULL
 *
 * Switches the display off and frees its buffers. If the kernel has a console, it is shown again
 * when the device is closed.
 */
void ferry_display_del(struct ferry_display *display);

/**
 * ferry_display_draw() - get the buffer to draw into
 * @display: the display
 * @buffer: out: the buffer, valid until the next ferry_display_flip()
 *
 * After a flip it has the picture that was on the screen before: draw all that differs in the
 * last two pictures.
 */
void ferry_display_draw(struct ferry_display *display,
			struct ferry_display_buffer *buffer);

/**
 * ferry_display_flip() - show the buffer of the program
 * @display: the display
 *
 * Waits for the vertical blanking, and returns when the picture is on the screen. The buffer that
 * was there before is then the one that the program draws into.
 *
 * Returns: 0, or
 * -EACCES: the program is not DRM master any more;
 * -EBUSY: a change of the screen by other means did not end within a second;
 * -ENOSPC: both buffers do not fit in the aperture beside the BOs that cannot be evicted.
 */
int ferry_display_flip(struct ferry_display *display);

/**
 * ferry_display_damage() - show a part of the buffer of the program
 * @display: the display
 * @x: left column
 * @y: top row
 * @width: number of columns
 * @height: number of rows
 *
 * Copies the rectangle to the buffer on the screen, without waiting for the vertical blanking.
 *
 * Returns: 0, or
 * -EINVAL: the rectangle is not inside the picture.
 */
int ferry_display_damage(struct ferry_display *display, uint32_t x, uint32_t y,
			 uint32_t width, uint32_t height);

#if defined(__cplusplus)
}
#endif

#endif /* LIBDRM_FERRY_FERRY_H_ */
