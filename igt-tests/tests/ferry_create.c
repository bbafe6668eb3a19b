// SPDX-License-Identifier: MIT
/**
 * TEST: ferry create
 * Category: Core
 * Description: Creation of BOs: sizes, placements, and contents that are zero
 */
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Creation of BOs: sizes, placements, and contents that are zero");

#define KiB(n) ((n)*1024ull)
#define MiB(n) (KiB(n) * 1024)

static uint64_t pages(uint64_t size)
{
	return ALIGN(size, PAGE);
}

/**
 * SUBTEST: device-query
 * Description: DEVICE_QUERY reports complete and consistent values
 */
static void test_device_query(int fd)
{
	struct drm_ferry_device_query q;

	ferry_device_query(fd, &q);
	igt_info("version %u, aperture %" PRIu64 " KiB (%" PRIu64
		 " KiB free), memory type %u (requested %u), features %#" PRIx64
		 "\n",
		 q.version, (uint64_t)q.aperture_size >> 10,
		 (uint64_t)q.aperture_free >> 10, q.aperture_memtype,
		 q.aperture_memtype_requested, (uint64_t)q.features);

	igt_assert_lte(1, q.version);
	igt_assert_lte(q.aperture_memtype, DRM_FERRY_MEMTYPE_WB);
	igt_assert_lte(q.aperture_memtype_requested, DRM_FERRY_MEMTYPE_WB);
	igt_assert_eq_u32(q.pad2, 0);
	igt_assert(q.aperture_size && q.aperture_size % PAGE == 0);
	igt_assert_lte_u64(q.aperture_free, q.aperture_size);
	igt_assert(q.page_sizes & PAGE);
	igt_assert_eq_u64(q.page_sizes & (PAGE - 1), 0);
	igt_assert_lte_u64(q.aperture_size, q.max_bo_size);
	igt_assert_eq_u64(q.max_bo_size % PAGE, 0);
	igt_assert_eq_u64(q.features & ~(uint64_t)DRM_FERRY_FEATURE_DISPLAY, 0);
}

static void check_size(int fd, uint64_t size, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = kind->allowed_placements,
		.placement = kind->placement,
		.caching = kind->caching,
		.flags = kind->flags,
	};
	struct drm_ferry_bo_query query;

	do_ioctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &create);
	igt_assert_eq_u64(create.size, pages(size));
	ferry_bo_query(fd, create.handle, &query);
	igt_assert_eq_u64(query.size, pages(size));
	gem_close(fd, create.handle);
}

/**
 * SUBTEST: sizes-%s
 * Description: BO_CREATE rounds sizes up to whole pages
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one contiguous range of the aperture
 */
static void test_sizes(int fd, const struct igt_ferry_kind *kind)
{
	static const uint64_t sizes[] = {
		1,	    2,		4095,	4096,	     4097,
		8191,	    8192,	12289,	KiB(64) + 1, KiB(512),
		MiB(1) - 1, MiB(2) - 1, MiB(2), MiB(2) + 1,  MiB(4) + 4096,
	};
	uint64_t room = igt_ferry_aperture_free(fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (kind->allowed_placements == APERTURE && sizes[i] > room / 2)
			continue;
		check_size(fd, sizes[i], kind);
	}
}

/**
 * SUBTEST: size-max
 * Description: BO_CREATE takes the largest size, and a BO larger than the aperture cannot move to it
 */
static void test_size_max(int fd)
{
	struct drm_ferry_device_query device;
	struct drm_ferry_bo_query query;
	uint32_t handle;
	int err;

	ferry_device_query(fd, &device);
	err = __ferry_bo_create(fd, device.max_bo_size, SYSTEM, 0, 0, 0,
				&handle);
	igt_assert_f(!err || err == -ENOMEM, "size %#" PRIx64 ": %s\n",
		     (uint64_t)device.max_bo_size, strerror(-err));
	if (!err) {
		ferry_bo_query(fd, handle, &query);
		igt_assert_eq_u64(query.size, device.max_bo_size);
		gem_close(fd, handle);
	}

	if (device.max_bo_size <= device.aperture_size)
		return;
	handle = ferry_bo_create(fd, device.aperture_size + 1,
				 FERRY_PLACEMENT_BOTH, 0, 0, 0);
	igt_assert_eq(ferry_bo_placement(fd, handle), SYSTEM);
	igt_assert_eq(__ferry_bo_migrate(fd, handle, APERTURE), -ENOSPC);
	igt_assert_eq(ferry_bo_placement(fd, handle), SYSTEM);
	gem_close(fd, handle);

	igt_assert_eq(__ferry_bo_create(fd, device.aperture_size + 1,
					FERRY_PLACEMENT_BOTH, APERTURE, 0, 0,
					&handle),
		      -ENOSPC);
}

static void check_combination(int fd, uint32_t placements, uint32_t placement,
			      uint32_t caching, uint32_t flags,
			      uint32_t aperture_memtype)
{
	uint32_t handle, expected = placement;
	struct drm_ferry_bo_query q;

	if (!expected)
		expected = placements & SYSTEM ? SYSTEM : APERTURE;

	handle = ferry_bo_create(fd, KiB(12), placements, placement, caching,
				 flags);
	ferry_bo_query(fd, handle, &q);
	igt_assert_eq_u64(q.size, KiB(12));
	igt_assert_eq_u32(q.allowed_placements, placements);
	igt_assert_eq_u32(q.placement, expected);
	igt_assert_eq_u32(q.caching, caching);
	igt_assert_eq_u32(q.flags, flags);
	igt_assert_eq_u32(q.pinned, 0);
	if (expected == APERTURE)
		igt_assert_eq_u32(q.memtype, aperture_memtype);
	else
		igt_assert_eq_u32(q.memtype, caching == DRM_FERRY_CACHING_WC ?
						     DRM_FERRY_MEMTYPE_WC :
						     DRM_FERRY_MEMTYPE_WB);
	gem_close(fd, handle);
}

/**
 * SUBTEST: combinations
 * Description: BO_QUERY reports each combination of placements, caching and flags as it was requested
 */
static void test_combinations(int fd)
{
	struct drm_ferry_device_query device;
	unsigned int count = 0;

	ferry_device_query(fd, &device);
	for (uint32_t placements = 1; placements <= FERRY_PLACEMENT_BOTH;
	     placements++)
		for (uint32_t start = 0; start <= APERTURE; start++)
			for (uint32_t i = 0; i < 4; i++) {
				if (start & ~placements)
					continue;
				check_combination(
					fd, placements, start, i & 1,
					i & 2 ? DRM_FERRY_BO_CONTIGUOUS : 0,
					device.aperture_memtype);
				count++;
			}
	igt_info("%u combinations\n", count);
}

/* Fill memory with other bytes than zero, and free it. */
static void dirty_memory(int fd, const struct igt_ferry_kind *kind, size_t size,
			 unsigned int count)
{
	struct igt_ferry_bo bo[16];
	unsigned int n;

	igt_assert(count <= ARRAY_SIZE(bo));
	for (n = 0; n < count; n++) {
		int err = __igt_ferry_bo_init(&bo[n], fd, size, kind);

		if (err == -ENOSPC && n)
			break;
		igt_assert_eq(err, 0);
		bo[n].map = ferry_bo_mmap(fd, bo[n].handle, bo[n].size);
		igt_ferry_bo_fill(&bo[n]);
	}
	while (n--)
		igt_ferry_bo_fini(&bo[n]);
}

/**
 * SUBTEST: zeroed-%s
 * Description: all bytes of a new BO are zero, also in memory that had other contents
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_zeroed(int fd, const struct igt_ferry_kind *kind)
{
	static const uint64_t sizes[] = { 1,	   4096,	 4097,
					  KiB(36), KiB(64),	 KiB(252),
					  MiB(1),  MiB(2) + 4096 };
	uint64_t room = igt_ferry_aperture_free(fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct igt_ferry_bo bo;

		if (kind->allowed_placements == APERTURE && sizes[i] > room / 4)
			continue;
		dirty_memory(fd, kind, pages(sizes[i]), 4);
		for (int round = 0; round < 3; round++) {
			igt_ferry_bo_init(&bo, fd, sizes[i], kind);
			igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);
			igt_ferry_bo_fini(&bo);
		}
	}
}

/**
 * SUBTEST: zeroed-whole-aperture
 * Description: no page of the aperture has contents of a BO of another client that was freed
 */
static void test_zeroed_whole_aperture(int fd)
{
	const size_t size = KiB(512);
	uint32_t *handles;
	unsigned int count;
	void *map;

	for (int round = 0; round < 2; round++) {
		int client = igt_ferry_reopen(fd, O_RDWR);

		count = igt_ferry_aperture_fill(client, size, &handles);
		igt_assert_lt(0, count);
		for (unsigned int i = 0; i < count; i++) {
			map = ferry_bo_mmap(client, handles[i], size);
			if (round)
				igt_ferry_check_zero(map, size);
			else
				memset(map, 0xa5, size);
			igt_assert_eq(munmap(map, size), 0);
		}
		/* the file is closed before its handles */
		free(handles);
		close(client);
	}
}

/**
 * SUBTEST: zeroed-moved-%s
 * Description: a BO that was never accessed is zero after a move in either direction
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_zeroed_moved(int fd, const struct igt_ferry_kind *kind)
{
	static const struct igt_ferry_kind *const dirt =
		&igt_ferry_single_kinds[2];
	struct igt_ferry_kind other = *kind;
	const size_t size = KiB(256);
	struct igt_ferry_bo bo;

	dirty_memory(fd, dirt, size, 8);
	igt_ferry_bo_init(&bo, fd, size, kind);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);

	dirty_memory(fd, kind, size, 8);
	dirty_memory(fd, dirt, size, 8);
	other.placement = APERTURE;
	igt_ferry_bo_init(&bo, fd, size, &other);
	ferry_bo_migrate(fd, bo.handle, SYSTEM);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: aperture-only-fill
 * Description: aperture-only BOs fill the aperture, keep their contents, give ENOSPC for one more, and fit again after they are closed
 */
static void test_aperture_only_fill(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	const size_t size = KiB(512);
	unsigned int count, first = 0;
	uint32_t *handles;
	void *map;

	for (int round = 0; round < 2; round++) {
		count = igt_ferry_aperture_fill(fd, size, &handles);
		igt_info("%u BOs of %zu KiB\n", count, size >> 10);
		igt_assert_f(count >= room / size,
			     "%u BOs, and there was room for %" PRIu64 "\n",
			     count, room / size);
		if (round)
			igt_assert_eq(count, first);
		first = count;
		igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + count);

		for (unsigned int i = 0; i < count; i++) {
			map = ferry_bo_mmap(fd, handles[i], size);
			igt_ferry_fill(map, 0, size / PAGE, i, round + 1);
			munmap(map, size);
		}
		for (unsigned int i = 0; i < count; i++) {
			igt_assert_eq(ferry_bo_placement(fd, handles[i]),
				      APERTURE);
			map = ferry_bo_mmap(fd, handles[i], size);
			igt_ferry_check(map, 0, size / PAGE, i, round + 1);
			munmap(map, size);
		}
		igt_ferry_close_all(fd, handles, count);
		igt_ferry_wait_stat(fd, "bos", bos);
		igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
	}
}

/**
 * SUBTEST: contiguous
 * Description: in a fragmented aperture there is space for a scattered BO and not for a contiguous one
 */
static void test_contiguous(int fd)
{
	const size_t hole = KiB(256);
	uint32_t *handles, handle;
	unsigned int count, i;

	count = igt_ferry_aperture_fill(fd, hole, &handles);
	igt_require_f(count >= 8, "the aperture has room for %u BOs only\n",
		      count);
	for (i = 0; i < count; i += 2)
		gem_close(fd, handles[i]);

	igt_assert_eq(__ferry_bo_create(fd, hole * 3, APERTURE, 0, 0,
					DRM_FERRY_BO_CONTIGUOUS, &handle),
		      -ENOSPC);
	handle = ferry_bo_create(fd, hole * 3, APERTURE, 0, 0, 0);
	gem_close(fd, handle);
	handle = ferry_bo_create(fd, hole, APERTURE, 0, 0,
				 DRM_FERRY_BO_CONTIGUOUS);
	gem_close(fd, handle);

	for (i = 1; i < count; i += 2)
		gem_close(fd, handles[i]);
	free(handles);
	handle = ferry_bo_create(fd, hole * 3, APERTURE, 0, 0,
				 DRM_FERRY_BO_CONTIGUOUS);
	gem_close(fd, handle);
}

/**
 * SUBTEST: dumb
 * Description: a dumb buffer has enough space for its picture, is zero, and is a BO of ferry
 */
static void test_dumb(int fd)
{
	static const uint32_t sizes[][2] = {
		{ 1, 1 }, { 64, 64 }, { 641, 479 }, { 1024, 768 }
	};
	struct drm_ferry_bo_query query;

	igt_ferry_require_display(fd);
	dirty_memory(fd, &igt_ferry_single_kinds[0], MiB(1), 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drm_mode_create_dumb dumb = { .width = sizes[i][0],
						     .height = sizes[i][1],
						     .bpp = 32 };
		struct drm_mode_map_dumb map = {};
		struct drm_mode_destroy_dumb destroy = {};
		void *p;

		do_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
		igt_assert_lte(sizes[i][0] * 4, dumb.pitch);
		igt_assert_lte_u64((uint64_t)dumb.pitch * dumb.height,
				   dumb.size);
		ferry_bo_query(fd, dumb.handle, &query);
		igt_assert_eq_u64(query.size, pages(dumb.size));

		map.handle = dumb.handle;
		do_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map);
		igt_assert_eq_u64(map.offset,
				  ferry_bo_mmap_offset(fd, dumb.handle));
		p = mmap(NULL, pages(dumb.size), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, map.offset);
		igt_assert(p != MAP_FAILED);
		igt_ferry_check_zero(p, pages(dumb.size));
		memset(p, 0x5a, pages(dumb.size));
		munmap(p, pages(dumb.size));

		destroy.handle = dumb.handle;
		do_ioctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
		igt_assert_eq(__ferry_bo_query(fd, dumb.handle, &query),
			      -ENOENT);
	}
}

/**
 * SUBTEST: dumb-invalid
 * Description: dumb buffers of impossible sizes are refused, and no BO is left
 */
static void test_dumb_invalid(int fd)
{
	static const struct drm_mode_create_dumb bad[] = {
		{ .width = 0, .height = 64, .bpp = 32 },
		{ .width = 64, .height = 0, .bpp = 32 },
		{ .width = 64, .height = 64, .bpp = 0 },
		{ .width = 0xffffffff, .height = 0xffffffff, .bpp = 32 },
		{ .width = 0x40000000, .height = 4, .bpp = 32 },
		{ .width = 0x1000000, .height = 0xff, .bpp = 32 },
		{ .width = 64, .height = 64, .bpp = 0xffffffff },
	};
	uint64_t bos;

	igt_ferry_require_display(fd);
	bos = igt_ferry_stat(fd, "bos");
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_mode_create_dumb dumb = bad[i];
		int err = __ferry_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

		igt_assert_f(err == -EINVAL || err == -ENOMEM || err == -ENOSPC,
			     "%ux%u, %u bits: %s\n", bad[i].width,
			     bad[i].height, bad[i].bpp,
			     err ? strerror(-err) : "created");
	}
	/* more than the memory of this virtual machine, and less than the limit of 4 GiB in the DRM core */
	if (igt_ferry_field("/proc/meminfo", "MemTotal") < 3 << 20) {
		struct drm_mode_create_dumb dumb = { .width = 0x1000000,
						     .height = 62,
						     .bpp = 32 };

		igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB,
					    &dumb),
			      -EINVAL);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos);
}

static const struct igt_ferry_test tests[] = {
	{ "device-query", "DEVICE_QUERY reports complete and consistent values",
	  test_device_query },
	{ "sizes", "BO_CREATE rounds sizes up to whole pages",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_sizes },
	{ "size-max",
	  "BO_CREATE takes the largest size, and a BO larger than the aperture cannot move to it",
	  test_size_max },
	{ "combinations",
	  "BO_QUERY reports each combination of placements, caching and flags as it was requested",
	  test_combinations },
	{ "zeroed",
	  "all bytes of a new BO are zero, also in memory that had other contents",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_zeroed },
	{ "zeroed-whole-aperture",
	  "no page of the aperture has contents of a BO of another client that was freed",
	  test_zeroed_whole_aperture },
	{ "zeroed-moved",
	  "all bytes of a new BO are zero, also in memory that had other contents",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_zeroed_moved },
	{ "aperture-only-fill",
	  "aperture-only BOs fill the aperture, keep their contents, give ENOSPC for one more, and fit again after they are closed",
	  test_aperture_only_fill },
	{ "contiguous",
	  "in a fragmented aperture there is space for a scattered BO and not for a contiguous one",
	  test_contiguous },
	{ "dumb",
	  "a dumb buffer has enough space for its picture, is zero, and is a BO of ferry",
	  test_dumb },
	{ "dumb-invalid",
	  "dumb buffers of impossible sizes are refused, and no BO is left",
	  test_dumb_invalid },
	{}
};

igt_ferry_main(tests);
