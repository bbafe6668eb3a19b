// SPDX-License-Identifier: MIT
/* BOs: creation, placements, moves, references, handles. */

#include <xf86drm.h>

#include "check.h"

static struct ferry_device *dev;

static struct drm_ferry_bo_query query(struct ferry_bo *bo)
{
	struct drm_ferry_bo_query info;

	memset(&info, 0xff, sizeof(info));
	CHECK_OK(ferry_bo_query(bo, &info, sizeof(info)));
	return info;
}

/* Query a handle from the kernel without the library. */
static int kernel_query(uint32_t handle)
{
	struct drm_ferry_bo_query info = { .handle = handle };

	if (drmIoctl(ferry_device_fd(dev), DRM_IOCTL_FERRY_BO_QUERY, &info))
		return -errno;
	return 0;
}

static uint64_t aperture_free(void)
{
	struct drm_ferry_device_query info;

	CHECK_OK(ferry_device_query(dev, &info, sizeof(info)));
	return info.aperture_free;
}

static void sizes(void)
{
	static const uint64_t sizes[] = { 1,	       PAGE - 1,
					  PAGE,	       PAGE + 1,
					  16 * PAGE,   100000,
					  1024 * 1024, 3 * 1024 * 1024 + 1 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct ferry_bo *bo = new_bo(dev, sizes[i], 0);
		uint64_t whole = (sizes[i] + PAGE - 1) / PAGE * PAGE;

		CHECK_EQ(ferry_bo_size(bo), whole);
		CHECK_EQ(query(bo).size, whole);
		CHECK(ferry_bo_handle(bo) != 0);
		check_zero(map_bo(bo), whole);
		ferry_bo_del(bo);
	}
}

static void flags_and_placements(void)
{
	static const struct {
		uint32_t allowed_placements, flags, placement;
	} cases[] = {
		{ SYSTEM, 0, SYSTEM },
		{ APERTURE, 0, APERTURE },
		{ ANYWHERE, 0, SYSTEM },
		{ ANYWHERE, FERRY_BO_START_SYSTEM, SYSTEM },
		{ ANYWHERE, FERRY_BO_START_APERTURE, APERTURE },
		{ APERTURE, FERRY_BO_START_APERTURE, APERTURE },
		{ SYSTEM, FERRY_BO_START_SYSTEM, SYSTEM },
		{ ANYWHERE, FERRY_BO_WC, SYSTEM },
		{ ANYWHERE, FERRY_BO_CONTIGUOUS | FERRY_BO_START_APERTURE,
		  APERTURE },
		{ ANYWHERE,
		  FERRY_BO_WC | FERRY_BO_CONTIGUOUS | FERRY_BO_START_SYSTEM,
		  SYSTEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t flags = cases[i].flags;
		struct drm_ferry_bo_query info;
		struct ferry_bo *bo;

		CHECK_OK(ferry_bo_new(dev, 5 * PAGE,
				      cases[i].allowed_placements, flags, &bo));
		info = query(bo);
		CHECK_EQ(info.handle, ferry_bo_handle(bo));
		CHECK_EQ(info.allowed_placements, cases[i].allowed_placements);
		CHECK_EQ(info.placement, cases[i].placement);
		CHECK_EQ(info.caching, flags & FERRY_BO_WC ?
					       DRM_FERRY_CACHING_WC :
					       DRM_FERRY_CACHING_CACHED);
		CHECK_EQ(info.flags, flags & FERRY_BO_CONTIGUOUS ?
					     DRM_FERRY_BO_CONTIGUOUS :
					     0);
		CHECK_EQ(info.pinned, 0);
		if (info.placement == APERTURE)
			CHECK_EQ(info.memtype,
				 ferry_device_aperture_memtype(dev));
		else if (!(flags & FERRY_BO_WC))
			CHECK_EQ(info.memtype, DRM_FERRY_MEMTYPE_WB);
		check_zero(map_bo(bo), ferry_bo_size(bo));
		ferry_bo_del(bo);
	}
}

/* The flags of the kernel have one value under both names. */
static void names_of_the_kernel(void)
{
	struct ferry_bo *bo;

	CHECK_EQ(FERRY_BO_CONTIGUOUS, DRM_FERRY_BO_CONTIGUOUS);
	CHECK_EQ(FERRY_MAP_POPULATE, DRM_FERRY_MMAP_POPULATE);
	CHECK_OK(ferry_bo_new(dev, PAGE, ANYWHERE, DRM_FERRY_BO_CONTIGUOUS,
			      &bo));
	CHECK_EQ(query(bo).flags, FERRY_BO_CONTIGUOUS);
	CHECK_EQ(query(bo).caching, DRM_FERRY_CACHING_CACHED);
	ferry_bo_del(bo);
}

static void references(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	uint32_t handle = ferry_bo_handle(bo);

	CHECK(ferry_bo_ref(bo) == bo);
	ferry_bo_del(bo);
	CHECK_OK(kernel_query(handle));
	ferry_bo_del(bo);
	CHECK_EQ(kernel_query(handle), -ENOENT);
}

static void handles(void)
{
	struct drm_ferry_bo_create create = { .size = PAGE,
					      .allowed_placements = SYSTEM };
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	struct ferry_bo *same;

	/* A handle that the library knows: the same BO, one more reference. */
	CHECK_OK(ferry_bo_from_handle(dev, ferry_bo_handle(bo), &same));
	CHECK(same == bo);
	ferry_bo_del(same);
	CHECK_OK(kernel_query(ferry_bo_handle(bo)));
	ferry_bo_del(bo);

	/* A handle that it does not know: the library takes ownership. */
	CHECK_EQ(drmIoctl(ferry_device_fd(dev), DRM_IOCTL_FERRY_BO_CREATE,
			  &create),
		 0);
	CHECK_OK(ferry_bo_from_handle(dev, create.handle, &bo));
	CHECK_EQ(ferry_bo_handle(bo), create.handle);
	CHECK_EQ(ferry_bo_size(bo), PAGE);
	ferry_bo_del(bo);
	CHECK_EQ(kernel_query(create.handle), -ENOENT);
}

static void many_at_once(void)
{
	enum { COUNT = 2000 };
	static struct ferry_bo *bos[COUNT];

	for (int i = 0; i < COUNT; i++) {
		bos[i] = new_bo(dev, PAGE, 0);
		if (i)
			CHECK(ferry_bo_handle(bos[i]) !=
			      ferry_bo_handle(bos[i - 1]));
	}
	for (int i = 0; i < COUNT; i++) {
		struct ferry_bo *bo;

		CHECK_OK(ferry_bo_from_handle(dev, ferry_bo_handle(bos[i]),
					      &bo));
		CHECK(bo == bos[i]);
		ferry_bo_del(bo);
	}
	/* 7 and COUNT have no common divisor, so this drops each BO once. */
	for (int i = 0; i < COUNT; i++)
		ferry_bo_del(bos[i * 7 % COUNT]);
}

static void migrate_one(void)
{
	struct ferry_bo *bo = new_bo(dev, 3 * PAGE, 0);
	uint64_t before = aperture_free();

	CHECK_OK(ferry_bo_migrate(bo, SYSTEM));
	CHECK_EQ(placement_of(bo), SYSTEM);
	CHECK_EQ(aperture_free(), before);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	CHECK_EQ(placement_of(bo), APERTURE);
	CHECK_EQ(aperture_free(), before - 3 * PAGE);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	CHECK_EQ(placement_of(bo), APERTURE);
	CHECK_OK(ferry_bo_migrate(bo, SYSTEM));
	CHECK_EQ(placement_of(bo), SYSTEM);
	CHECK_EQ(aperture_free(), before);
	ferry_bo_del(bo);
}

static void migrate_none(void)
{
	uint32_t failed = 99;

	CHECK_OK(ferry_bo_migrate_many(dev, NULL, 0, &failed));
	CHECK_EQ(failed, 0);
	CHECK_OK(ferry_bo_migrate_many(dev, NULL, 0, NULL));
}

/* A caller need not receive whether the contents are retained. */
static void madvise_without_an_answer(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);

	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, NULL));
	CHECK_EQ(query(bo).madv, DRM_FERRY_MADV_DONTNEED);
	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_WILLNEED, NULL));
	CHECK_EQ(query(bo).madv, DRM_FERRY_MADV_WILLNEED);
	ferry_bo_del(bo);
}

static void migrate_many(void)
{
	enum { COUNT = 50 };
	struct ferry_bo_move moves[COUNT] = { 0 };

	for (int i = 0; i < COUNT; i++) {
		moves[i].bo = new_bo(dev, (1 + i % 5) * PAGE,
				     i % 3 ? 0 : FERRY_BO_START_APERTURE);
		moves[i].placement = i % 2 ? SYSTEM : APERTURE;
		fill(map_bo(moves[i].bo), ferry_bo_size(moves[i].bo), i);
	}
	for (int round = 0; round < 4; round++) {
		CHECK_OK(ferry_bo_migrate_many(dev, moves, COUNT, NULL));
		for (int i = 0; i < COUNT; i++) {
			CHECK_EQ(placement_of(moves[i].bo), moves[i].placement);
			check_filled(map_bo(moves[i].bo),
				     ferry_bo_size(moves[i].bo), i);
			moves[i].placement ^= ANYWHERE;
		}
	}
	for (int i = 0; i < COUNT; i++)
		ferry_bo_del(moves[i].bo);
}

int main(void)
{
	uint64_t before;

	dev = open_or_skip();
	before = aperture_free();

	RUN(sizes);
	RUN(flags_and_placements);
	RUN(names_of_the_kernel);
	RUN(references);
	RUN(handles);
	RUN(many_at_once);
	RUN(migrate_one);
	RUN(migrate_many);
	RUN(migrate_none);
	RUN(madvise_without_an_answer);

	CHECK_EQ(aperture_free(), before);
	ferry_device_del(dev);
	return 0;
}
