/* SPDX-License-Identifier: MIT */
/*
 * Compile-time checks of the layout of the kernel interface. check-layout.sh compiles this
 * as C and as C++, for 32 and for 64 bit. Needs no libc.
 *
 * The lists below are the layout. Fields may be appended to a structure; no other change is
 * allowed. The sizes of the listed fields must add up to the size of the structure, so a
 * field that is not listed, or implicit padding, is an error.
 */
#include "ferry_drm.h"

#if defined(__cplusplus)
#define CHECK(condition, text) static_assert(condition, text)
#else
#define CHECK(condition, text) _Static_assert(condition, text)
#endif

#define DEVICE_QUERY(F, S)                      \
	F(S, flags, 0, 4)                       \
	F(S, pad, 4, 4)                         \
	F(S, version, 8, 4)                     \
	F(S, aperture_memtype, 12, 4)           \
	F(S, aperture_memtype_requested, 16, 4) \
	F(S, pad2, 20, 4)                       \
	F(S, aperture_size, 24, 8)              \
	F(S, aperture_free, 32, 8)              \
	F(S, page_sizes, 40, 8)                 \
	F(S, max_bo_size, 48, 8)                \
	F(S, features, 56, 8)

#define BO_CREATE(F, S)                \
	F(S, size, 0, 8)               \
	F(S, allowed_placements, 8, 4) \
	F(S, placement, 12, 4)         \
	F(S, caching, 16, 4)           \
	F(S, flags, 20, 4)             \
	F(S, pad, 24, 4)               \
	F(S, handle, 28, 4)

#define BO_MMAP_OFFSET(F, S) \
	F(S, handle, 0, 4)   \
	F(S, flags, 4, 4)    \
	F(S, offset, 8, 8)

#define BO_QUERY(F, S)                  \
	F(S, handle, 0, 4)              \
	F(S, pad, 4, 4)                 \
	F(S, size, 8, 8)                \
	F(S, allowed_placements, 16, 4) \
	F(S, placement, 20, 4)          \
	F(S, caching, 24, 4)            \
	F(S, memtype, 28, 4)            \
	F(S, flags, 32, 4)              \
	F(S, pinned, 36, 4)             \
	F(S, huge_size, 40, 8)          \
	F(S, madv, 48, 4)               \
	F(S, pad2, 52, 4)               \
	F(S, exporter, 56, 32)

#define MIGRATE_ENTRY(F, S) \
	F(S, handle, 0, 4)  \
	F(S, placement, 4, 4)

#define SYNC(F, S)         \
	F(S, handle, 0, 4) \
	F(S, flags, 4, 4)  \
	F(S, point, 8, 8)

#define MIGRATE(F, S)             \
	F(S, entries, 0, 8)       \
	F(S, in_syncs, 8, 8)      \
	F(S, out_syncs, 16, 8)    \
	F(S, count, 24, 4)        \
	F(S, entry_stride, 28, 4) \
	F(S, in_count, 32, 4)     \
	F(S, out_count, 36, 4)    \
	F(S, sync_stride, 40, 4)  \
	F(S, flags, 44, 4)        \
	F(S, failed_entry, 48, 4) \
	F(S, pad, 52, 4)

#define BO_WAIT(F, S)      \
	F(S, handle, 0, 4) \
	F(S, flags, 4, 4)  \
	F(S, timeout_ns, 8, 8)

#define BO_MADVISE(F, S)     \
	F(S, handle, 0, 4)   \
	F(S, madv, 4, 4)     \
	F(S, retained, 8, 4) \
	F(S, pad, 12, 4)

#define CHECK_FIELD(S, field, at, bytes)                   \
	CHECK(__builtin_offsetof(struct S, field) == (at), \
	      #S "." #field " is not at " #at);            \
	CHECK(sizeof(((struct S *)0)->field) == (bytes),   \
	      #S "." #field " does not have size " #bytes);

#define ADD_FIELD(S, field, at, bytes) +(bytes)

#define CHECK_STRUCT(LIST, S)                                   \
	LIST(CHECK_FIELD, S)                                    \
	CHECK(sizeof(struct S) == (0 LIST(ADD_FIELD, S)),       \
	      #S " has fields or padding that are not listed"); \
	CHECK(sizeof(struct S) % 8 == 0, #S " is not whole 64 bit words");

CHECK_STRUCT(DEVICE_QUERY, drm_ferry_device_query)
CHECK_STRUCT(BO_CREATE, drm_ferry_bo_create)
CHECK_STRUCT(BO_MMAP_OFFSET, drm_ferry_bo_mmap_offset)
CHECK_STRUCT(BO_QUERY, drm_ferry_bo_query)
CHECK_STRUCT(MIGRATE_ENTRY, drm_ferry_migrate_entry)
CHECK_STRUCT(SYNC, drm_ferry_sync)
CHECK_STRUCT(MIGRATE, drm_ferry_migrate)
CHECK_STRUCT(BO_WAIT, drm_ferry_bo_wait)
CHECK_STRUCT(BO_MADVISE, drm_ferry_bo_madvise)

/*
 * A number consists of direction, size, the letter 'd' and the index. The size grows with
 * the structure: DRM looks the ioctl up by its index and reads the size that the program
 * passes.
 */
#define CHECK_IOCTL(name, number) \
	CHECK((name) == (number), #name " is not " #number)

CHECK_IOCTL(DRM_IOCTL_FERRY_DEVICE_QUERY, 0xc0406440u);
CHECK_IOCTL(DRM_IOCTL_FERRY_BO_CREATE, 0xc0206441u);
CHECK_IOCTL(DRM_IOCTL_FERRY_BO_MMAP_OFFSET, 0xc0106442u);
CHECK_IOCTL(DRM_IOCTL_FERRY_BO_QUERY, 0xc0586443u);
CHECK_IOCTL(DRM_IOCTL_FERRY_MIGRATE, 0xc0386444u);
CHECK_IOCTL(DRM_IOCTL_FERRY_BO_WAIT, 0x40106446u);
CHECK_IOCTL(DRM_IOCTL_FERRY_BO_MADVISE, 0xc0106445u);

/* Constants that programs are compiled with. */
CHECK(DRM_FERRY_PLACEMENT_SYSTEM == 1, "placement");
CHECK(DRM_FERRY_PLACEMENT_APERTURE == 2, "placement");
CHECK(DRM_FERRY_MEMTYPE_UC == 0, "memtype");
CHECK(DRM_FERRY_MEMTYPE_UC_MINUS == 1, "memtype");
CHECK(DRM_FERRY_MEMTYPE_WC == 2, "memtype");
CHECK(DRM_FERRY_MEMTYPE_WT == 3, "memtype");
CHECK(DRM_FERRY_MEMTYPE_WP == 4, "memtype");
CHECK(DRM_FERRY_MEMTYPE_WB == 5, "memtype");
CHECK(DRM_FERRY_MEMTYPE_UNKNOWN == 6, "memtype");
CHECK(DRM_FERRY_FEATURE_DISPLAY == 1, "feature");
CHECK(DRM_FERRY_CACHING_CACHED == 0, "caching");
CHECK(DRM_FERRY_CACHING_WC == 1, "caching");
CHECK(DRM_FERRY_BO_CONTIGUOUS == 1, "flag");
CHECK(DRM_FERRY_MMAP_POPULATE == 1, "flag");
CHECK(DRM_FERRY_MADV_WILLNEED == 0, "advice");
CHECK(DRM_FERRY_MADV_DONTNEED == 1, "advice");
CHECK(DRM_FERRY_MADV_PURGED == 2, "advice");
CHECK(DRM_FERRY_MIGRATE_MAX == 65536, "limit");
CHECK(DRM_FERRY_SYNCS_MAX == 1024, "limit");
