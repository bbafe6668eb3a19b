// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of the aperture's allocator: alignment, contiguity, fragmentation, exhaustion */

#include <linux/bitmap.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include <drm/drm_gem.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_placement.h>

#include <kunit/test.h>

#include "../ferry_cursor.h"
#include "../ferry_device.h"
#include "../ferry_vram_mgr.h"
#include "ferry_kunit_helpers.h"

#define FERRY_VRAM_TEST_PAGES 1024

/**
 * struct ferry_vram_test - a device, and BOs that only the allocator uses
 *
 * Only the fields of a BO that the allocator reads are set.
 */
struct ferry_vram_test {
	/** @ferry: the device */
	struct ferry_device *ferry;
	/** @man: TTM's manager of the aperture */
	struct ttm_resource_manager *man;
	/** @used: a bit for each page of the aperture, set if a BO holds it */
	unsigned long *used;
	/** @pages: size of the aperture in pages */
	u64 pages;
	/** @bos: the BOs, and their resources or NULL */
	struct ferry_vram_test_bo {
		struct ferry_bo bo;
		struct ttm_resource *res;
	} *bos;
	/** @count: number of @bos */
	unsigned int count;
};

static struct ferry_vram_test *ferry_vram_test_start(struct kunit *test, u64 size,
						     unsigned int count)
{
	struct ferry_vram_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ferry = ferry_kunit_device(test, size);
	t->man = &t->ferry->vram_mgr.base;
	t->pages = size >> PAGE_SHIFT;
	t->used = kunit_kcalloc(test, BITS_TO_LONGS(t->pages), sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->used);
	t->bos = kunit_kcalloc(test, count, sizeof(*t->bos), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->bos);
	t->count = count;
	return t;
}

/* Mark the pages of a resource. No other resource has them, and the size is the requested one. */
static void ferry_vram_test_mark(struct kunit *test, struct ferry_vram_test *t,
				 struct ttm_resource *res, bool used)
{
	struct gpu_buddy *mm = &t->ferry->vram_mgr.mm;
	struct gpu_buddy_block *block;
	u64 bytes = 0;

	list_for_each_entry(block, &to_ferry_vram_resource(res)->blocks, link) {
		u64 first = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		u64 count = gpu_buddy_block_size(mm, block) >> PAGE_SHIFT;
		u64 page;

		KUNIT_ASSERT_LE(test, first + count, t->pages);
		for (page = first; page < first + count; page++) {
			KUNIT_ASSERT_EQ_MSG(test, test_bit(page, t->used), !used,
					    "page %llu is in two resources, or in none", page);
			__assign_bit(page, t->used, used);
		}
		bytes += count << PAGE_SHIFT;
	}
	KUNIT_ASSERT_EQ(test, bytes, res->size);
}

static int ferry_vram_test_alloc(struct kunit *test, struct ferry_vram_test *t, unsigned int n,
				 u64 pages, u32 flags, u64 limit)
{
	struct ttm_place place = {
		.mem_type = FERRY_PL_APERTURE,
		.flags = flags,
		.lpfn = limit,
	};
	struct ferry_vram_test_bo *slot = &t->bos[n];
	struct ferry_bo *bo = &slot->bo;
	int ret;

	KUNIT_ASSERT_NULL(test, slot->res);
	if (!bo->allowed_placements)
		bo->allowed_placements = DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE;
	bo->base.bdev = &t->ferry->ttm;
	bo->base.base.size = pages << PAGE_SHIFT;
	ret = t->man->func->alloc(t->man, &bo->base, &place, &slot->res);
	KUNIT_EXPECT_EQ(test, bo->no_space, ret == -ENOSPC);
	if (ret)
		slot->res = NULL;
	else
		ferry_vram_test_mark(test, t, slot->res, true);

	return ret;
}

static void ferry_vram_test_free(struct kunit *test, struct ferry_vram_test *t, unsigned int n)
{
	struct ttm_resource *res = t->bos[n].res;

	if (!res)
		return;
	ferry_vram_test_mark(test, t, res, false);
	t->man->func->free(t->man, res);
	t->bos[n].res = NULL;
}

static u64 ferry_vram_test_free_pages(struct ferry_vram_test *t)
{
	return ferry_vram_mgr_free_bytes(&t->ferry->vram_mgr) >> PAGE_SHIFT;
}

static void ferry_vram_test_end(struct kunit *test, struct ferry_vram_test *t)
{
	unsigned int n;

	for (n = 0; n < t->count; n++)
		ferry_vram_test_free(test, t, n);
	KUNIT_EXPECT_EQ(test, ferry_vram_test_free_pages(t), t->pages);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->vram_mgr.unevictable), 0);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(t->used, t->pages));
}

static u64 ferry_vram_test_first(struct ttm_resource *res)
{
	struct gpu_buddy_block *block =
		list_first_entry(&to_ferry_vram_resource(res)->blocks, struct gpu_buddy_block,
				 link);

	return gpu_buddy_block_offset(block);
}

/* BOs of 2 MiB or more are aligned to 2 MiB, also if small BOs are in the aperture. */
static void ferry_vram_mgr_test_alignment(struct kunit *test)
{
	static const u64 sizes[] = { SZ_2M, SZ_4M, SZ_8M, SZ_2M + SZ_1M, SZ_4M + PAGE_SIZE };
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_64M, 8);
	unsigned int i, flags;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (flags = 0; flags < 2; flags++) {
			KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 0, 1, 0, 0), 0);
			KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 1, 3, 0, 0), 0);
			KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 2,
								    sizes[i] >> PAGE_SHIFT,
								    flags ? TTM_PL_FLAG_CONTIGUOUS :
								    0, 0), 0);
			KUNIT_EXPECT_TRUE_MSG(test,
					      IS_ALIGNED(ferry_vram_test_first(t->bos[2].res),
							 SZ_2M),
					      "a BO of %llu bytes", sizes[i]);
			ferry_vram_test_end(test, t);
		}
	}
}

/* TTM_PL_FLAG_CONTIGUOUS allocates one contiguous range, at every size up to the whole aperture. */
static void ferry_vram_mgr_test_contiguity(struct kunit *test)
{
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_4M, FERRY_VRAM_TEST_PAGES + 1);
	u64 pages;

	for (pages = 1; pages <= FERRY_VRAM_TEST_PAGES; pages++) {
		struct ferry_vram_resource *vres;
		u64 end = 0;

		KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 0, pages,
							    TTM_PL_FLAG_CONTIGUOUS, 0), 0);
		vres = to_ferry_vram_resource(t->bos[0].res);
		KUNIT_EXPECT_TRUE(test, vres->contiguous);
		KUNIT_EXPECT_EQ(test, (u64)vres->base.start << PAGE_SHIFT,
				ferry_vram_test_first(&vres->base));
		/* The marked pages are one contiguous range. */
		end = find_next_zero_bit(t->used, t->pages, vres->base.start);
		KUNIT_EXPECT_EQ(test, end - vres->base.start, pages);
		ferry_vram_test_end(test, t);
	}
}

/* Free every other page: half of the aperture is free, without two contiguous pages. */
static void ferry_vram_mgr_test_checkerboard(struct kunit *test)
{
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_4M, FERRY_VRAM_TEST_PAGES + 1);
	const unsigned int last = FERRY_VRAM_TEST_PAGES;
	unsigned int n;

	for (n = 0; n < FERRY_VRAM_TEST_PAGES; n++)
		KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, n, 1, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, ferry_vram_test_free_pages(t), 0);
	for (n = 0; n < FERRY_VRAM_TEST_PAGES; n++)
		if (t->bos[n].res->start & 1)
			ferry_vram_test_free(test, t, n);

	KUNIT_EXPECT_EQ(test, ferry_vram_test_alloc(test, t, last, 2, TTM_PL_FLAG_CONTIGUOUS, 0),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, ferry_vram_test_alloc(test, t, last, FERRY_VRAM_TEST_PAGES / 2 + 1,
						    0, 0), -ENOSPC);
	KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, last, FERRY_VRAM_TEST_PAGES / 2, 0, 0),
			0);
	KUNIT_EXPECT_FALSE(test, to_ferry_vram_resource(t->bos[last].res)->contiguous);
	KUNIT_EXPECT_EQ(test, ferry_vram_test_free_pages(t), 0);
	ferry_vram_test_end(test, t);
}

/* However fragmented the aperture is, any size up to the number of free bytes can be allocated. */
static void ferry_vram_mgr_test_fragmentation(struct kunit *test)
{
	/* If the size is no power of two, the buddy allocator has several roots. */
	struct ferry_vram_test *t = ferry_vram_test_start(test, 13 * SZ_1M, 256);
	struct rnd_state rnd;
	unsigned int round;

	prandom_seed_state(&rnd, 4711);
	for (round = 0; round < 3000; round++) {
		unsigned int n = prandom_u32_state(&rnd) % t->count;
		u64 avail = ferry_vram_test_free_pages(t);
		u64 pages = prandom_u32_state(&rnd) % 128 + 1;
		int ret;

		if (t->bos[n].res) {
			ferry_vram_test_free(test, t, n);
			continue;
		}
		/* Sometimes allocate all free pages. */
		if (avail && round % 16 == 0)
			pages = avail;
		ret = ferry_vram_test_alloc(test, t, n, pages, 0, 0);
		KUNIT_ASSERT_EQ_MSG(test, ret, pages <= avail ? 0 : -ENOSPC,
				    "round %u: %llu pages of %llu free", round, pages, avail);
		KUNIT_ASSERT_EQ(test, ferry_vram_test_free_pages(t), ret ? avail : avail - pages);
	}
	ferry_vram_test_end(test, t);
}

/* Allocate one page more than the aperture has, then all pages, several times. */
static void ferry_vram_mgr_test_exhaustion(struct kunit *test)
{
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_4M, 4);
	unsigned int round;

	for (round = 0; round < 3; round++) {
		KUNIT_EXPECT_EQ(test, ferry_vram_test_alloc(test, t, 0, FERRY_VRAM_TEST_PAGES + 1,
							    0, 0), -ENOSPC);
		KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 0, FERRY_VRAM_TEST_PAGES, 0,
							    0), 0);
		KUNIT_EXPECT_EQ(test, ferry_vram_test_free_pages(t), 0);
		KUNIT_EXPECT_EQ(test, ferry_vram_test_alloc(test, t, 1, 1, 0, 0), -ENOSPC);
		KUNIT_EXPECT_EQ(test, ferry_vram_test_alloc(test, t, 1, 1, TTM_PL_FLAG_CONTIGUOUS,
							    0), -ENOSPC);
		ferry_vram_test_end(test, t);
	}
}

/* Allocations for the display are limited to the start of the aperture. */
static void ferry_vram_mgr_test_range(struct kunit *test)
{
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_4M, 8);
	struct ttm_place low = { .mem_type = FERRY_PL_APERTURE, .lpfn = 256 };
	struct ttm_place one = {
		.mem_type = FERRY_PL_APERTURE,
		.flags = TTM_PL_FLAG_CONTIGUOUS,
		.lpfn = FERRY_VRAM_TEST_PAGES,
	};
	unsigned int n;
	int ret;

	for (n = 0; n < 4; n++) {
		KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, n, 64, 0, 256), 0);
		KUNIT_EXPECT_LE(test, t->bos[n].res->start + 64, 256);
		KUNIT_EXPECT_TRUE(test, t->man->func->compatible(t->man, t->bos[n].res, &low, 0));
		KUNIT_EXPECT_TRUE(test, t->man->func->intersects(t->man, t->bos[n].res, &low, 0));
	}
	/* Below the limit the aperture is full, above it there are free pages. */
	ret = ferry_vram_test_alloc(test, t, 4, 1, 0, 256);
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 4, 64, 0, 0), 0);
	KUNIT_EXPECT_GE(test, t->bos[4].res->start, 256);
	KUNIT_EXPECT_FALSE(test, t->man->func->compatible(t->man, t->bos[4].res, &low, 0));
	KUNIT_EXPECT_FALSE(test, t->man->func->intersects(t->man, t->bos[4].res, &low, 0));
	KUNIT_EXPECT_TRUE(test, t->man->func->compatible(t->man, t->bos[4].res, &one, 0));

	/* A resource with blocks on both sides of the limit */
	ferry_vram_test_free(test, t, 1);
	ret = ferry_vram_test_alloc(test, t, 1, ferry_vram_test_free_pages(t), 0, 0);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_FALSE(test, to_ferry_vram_resource(t->bos[1].res)->contiguous);
	KUNIT_EXPECT_FALSE(test, t->man->func->compatible(t->man, t->bos[1].res, &low, 0));
	KUNIT_EXPECT_TRUE(test, t->man->func->intersects(t->man, t->bos[1].res, &low, 0));
	KUNIT_EXPECT_FALSE(test, t->man->func->compatible(t->man, t->bos[1].res, &one, 0));
	ferry_vram_test_end(test, t);
}

/* The space of aperture-only BOs is accounted for as unevictable. */
static void ferry_vram_mgr_test_unevictable(struct kunit *test)
{
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_4M, 3);
	atomic64_t *unevictable = &t->ferry->vram_mgr.unevictable;

	t->bos[0].bo.allowed_placements = DRM_FERRY_PLACEMENT_APERTURE;
	KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 0, 5, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(unevictable), 5 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, 1, 7, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(unevictable), 5 * PAGE_SIZE);
	t->bos[2].bo.allowed_placements = DRM_FERRY_PLACEMENT_APERTURE;
	KUNIT_EXPECT_EQ(test, ferry_vram_test_alloc(test, t, 2, 2000, 0, 0), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic64_read(unevictable), 5 * PAGE_SIZE);
	ferry_vram_test_end(test, t);
}

/* A cursor finds each byte, in ascending, descending and random order. */
static void ferry_vram_mgr_test_cursor(struct kunit *test)
{
	struct ferry_vram_test *t = ferry_vram_test_start(test, SZ_4M, FERRY_VRAM_TEST_PAGES + 1);
	struct ferry_cursor walk, any;
	struct gpu_buddy_block *block;
	struct ttm_resource *res;
	struct rnd_state rnd;
	struct ferry_bo *bo;
	u64 offset, size;
	u64 *where;
	int n, i;

	prandom_seed_state(&rnd, 42);
	for (n = 0; n < FERRY_VRAM_TEST_PAGES; n++)
		KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, n, 1, 0, 0), 0);
	for (n = 0; n < FERRY_VRAM_TEST_PAGES; n++)
		if (prandom_u32_state(&rnd) % 3)
			ferry_vram_test_free(test, t, n);
	size = ferry_vram_test_free_pages(t);
	KUNIT_ASSERT_EQ(test, ferry_vram_test_alloc(test, t, FERRY_VRAM_TEST_PAGES, size, 0, 0), 0);
	res = t->bos[FERRY_VRAM_TEST_PAGES].res;
	bo = &t->bos[FERRY_VRAM_TEST_PAGES].bo;

	where = kunit_kcalloc(test, size, sizeof(*where), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, where);
	i = 0;
	list_for_each_entry(block, &to_ferry_vram_resource(res)->blocks, link)
		for (offset = 0; offset < gpu_buddy_block_size(&t->ferry->vram_mgr.mm, block);
		     offset += PAGE_SIZE)
			where[i++] = gpu_buddy_block_offset(block) + offset;
	KUNIT_ASSERT_EQ(test, i, size);

	ferry_cursor_init(&walk, bo, res);
	ferry_cursor_init(&any, bo, res);
	for (i = 0; i < size; i++) {
		u64 page = prandom_u32_state(&rnd) % size;
		u64 byte = prandom_u32_state(&rnd) % PAGE_SIZE;

		KUNIT_EXPECT_EQ(test, ferry_cursor_seek(&walk, (u64)i << PAGE_SHIFT), where[i]);
		KUNIT_EXPECT_GT(test, walk.end, (u64)i << PAGE_SHIFT);
		KUNIT_EXPECT_EQ(test, ferry_cursor_seek(&any, (page << PAGE_SHIFT) + byte),
				where[page] + byte);
	}
	for (i = size - 1; i >= 0; i--)
		KUNIT_EXPECT_EQ(test, ferry_cursor_seek(&walk, (u64)i << PAGE_SHIFT), where[i]);
	ferry_vram_test_end(test, t);
}

static struct kunit_case ferry_vram_mgr_tests[] = {
	KUNIT_CASE(ferry_vram_mgr_test_alignment),
	KUNIT_CASE(ferry_vram_mgr_test_contiguity),
	KUNIT_CASE(ferry_vram_mgr_test_checkerboard),
	KUNIT_CASE(ferry_vram_mgr_test_fragmentation),
	KUNIT_CASE(ferry_vram_mgr_test_exhaustion),
	KUNIT_CASE(ferry_vram_mgr_test_range),
	KUNIT_CASE(ferry_vram_mgr_test_unevictable),
	KUNIT_CASE(ferry_vram_mgr_test_cursor),
	{ }
};

static struct kunit_suite ferry_vram_mgr_suite = {
	.name = "ferry_vram_mgr",
	.test_cases = ferry_vram_mgr_tests,
};

kunit_test_suite(ferry_vram_mgr_suite);
