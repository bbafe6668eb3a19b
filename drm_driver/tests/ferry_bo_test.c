// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of BOs: moves, pins, evictions, madvise, kernel accesses and the final release */

#include <linux/dma-resv.h>
#include <linux/iosys-map.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/ferry_drm.h>

#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_copy.h"
#include "../ferry_device.h"
#include "../ferry_gem.h"
#include "../ferry_placement.h"
#include "../ferry_ttm.h"
#include "ferry_kunit_helpers.h"

#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define BOTH (SYSTEM | APERTURE)

/* An aperture of 1 MiB, and BOs of a quarter of it */
#define FERRY_BO_TEST_ORDER 8
#define FERRY_BO_TEST_APERTURE (PAGE_SIZE << FERRY_BO_TEST_ORDER)
#define FERRY_BO_TEST_SIZE (FERRY_BO_TEST_APERTURE / 4)

struct ferry_bo_test {
	struct ferry_device *ferry;
	struct drm_file *file;
};

static int ferry_bo_test_init(struct kunit *test)
{
	struct ferry_bo_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ferry = ferry_kunit_device_with_memory(test, FERRY_BO_TEST_ORDER);
	t->file = ferry_kunit_open(test, t->ferry);
	test->priv = t;
	return 0;
}

static struct ferry_bo *ferry_bo_test_create(struct kunit *test, u32 placements, u32 placement)
{
	struct ferry_bo_test *t = test->priv;
	u32 handle = ferry_kunit_create(test, t->ferry, t->file, FERRY_BO_TEST_SIZE, placements,
					placement);

	return ferry_kunit_lookup(test, t->file, handle);
}

static struct drm_ferry_bo_query ferry_bo_test_query(struct kunit *test, struct ferry_bo *bo)
{
	struct drm_ferry_bo_query query = {};

	KUNIT_ASSERT_EQ(test, ferry_gem_query(bo, &query), 0);
	return query;
}

static u32 ferry_bo_test_placement(struct kunit *test, struct ferry_bo *bo)
{
	return ferry_bo_test_query(test, bo).placement;
}

static int ferry_bo_test_move(struct kunit *test, struct ferry_bo *bo, u32 placement)
{
	struct ferry_bo_test *t = test->priv;
	struct ferry_placement_target target = { .bo = bo, .placement = placement };
	struct ferry_placement_call call = {};

	return ferry_placement_move_all(t->ferry, &target, 1, &call);
}

/* Write a different word to each page, or check it. */
static void ferry_bo_test_bytes(struct kunit *test, struct ferry_bo *bo, u64 seed, bool write)
{
	u64 offset;

	for (offset = 0; offset < bo->base.base.size; offset += PAGE_SIZE) {
		u64 want = seed ? seed + offset : 0, word = write ? want : ~want;

		KUNIT_ASSERT_EQ(test, ferry_copy_access(bo, offset, &word, sizeof(word), write),
				sizeof(word));
		KUNIT_ASSERT_EQ_MSG(test, word, want, "byte %llu", offset);
	}
}

/* A BO at placement @from, written to before the move if @written, and the result of a move. */
struct ferry_bo_move {
	u32 from;
	bool written;
	bool pinned;
	u32 to;
	int ret;
};

static const struct ferry_bo_move ferry_bo_move_cases[] = {
	{ SYSTEM, false, false, SYSTEM, 0 },
	{ SYSTEM, false, false, APERTURE, 0 },
	{ SYSTEM, true, false, SYSTEM, 0 },
	{ SYSTEM, true, false, APERTURE, 0 },
	{ SYSTEM, true, true, SYSTEM, 0 },
	{ SYSTEM, true, true, APERTURE, -EBUSY },
	{ APERTURE, false, false, APERTURE, 0 },
	{ APERTURE, false, false, SYSTEM, 0 },
	{ APERTURE, true, false, APERTURE, 0 },
	{ APERTURE, true, false, SYSTEM, 0 },
	{ APERTURE, true, true, APERTURE, 0 },
	{ APERTURE, true, true, SYSTEM, -EBUSY },
};

static void ferry_bo_move_desc(const struct ferry_bo_move *move, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s%s%s to %s",
		 move->from == SYSTEM ? "system" : "aperture", move->written ? " written" : "",
		 move->pinned ? " pinned" : "", move->to == SYSTEM ? "system" : "aperture");
}

KUNIT_ARRAY_PARAM(ferry_bo_move, ferry_bo_move_cases, ferry_bo_move_desc);

static void ferry_bo_test_moves(struct kunit *test)
{
	const struct ferry_bo_move *move = test->param_value;
	struct ferry_bo *bo = ferry_bo_test_create(test, BOTH, move->from);

	KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, bo), move->from);
	if (move->written)
		ferry_bo_test_bytes(test, bo, 77, true);
	if (move->pinned)
		ferry_kunit_pin(bo, true);

	KUNIT_EXPECT_EQ(test, ferry_bo_test_move(test, bo, move->to), move->ret);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, bo), move->ret ? move->from : move->to);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_query(test, bo).pinned, move->pinned);
	ferry_bo_test_bytes(test, bo, move->written ? 77 : 0, false);

	/* Without the pin the BO can move. */
	if (move->pinned) {
		ferry_kunit_pin(bo, false);
		KUNIT_EXPECT_EQ(test, ferry_bo_test_move(test, bo, move->to), 0);
		KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, bo), move->to);
		ferry_bo_test_bytes(test, bo, 77, false);
	}
}

/* Move a BO to the aperture and back many times: contents and counters stay correct. */
static void ferry_bo_test_many_moves(struct kunit *test)
{
	struct ferry_bo *bo = ferry_bo_test_create(test, BOTH, 0);
	struct ferry_bo_test *t = test->priv;
	unsigned int i;

	ferry_bo_test_bytes(test, bo, 99, true);
	for (i = 0; i < 50; i++) {
		KUNIT_ASSERT_EQ(test, ferry_bo_test_move(test, bo, i & 1 ? SYSTEM : APERTURE), 0);
		KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&t->ferry->vram_mgr),
				FERRY_BO_TEST_APERTURE - (i & 1 ? 0 : FERRY_BO_TEST_SIZE));
	}
	ferry_bo_test_bytes(test, bo, 99, false);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.moves_to_aperture), 25);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.moves_to_system), 25);
}

/* If the aperture is full, the least recently used BO is evicted, and keeps its contents. */
static void ferry_bo_test_evict(struct kunit *test)
{
	struct ferry_bo_test *t = test->priv;
	struct ferry_bo *bo[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		bo[i] = ferry_bo_test_create(test, BOTH, APERTURE);
		ferry_bo_test_bytes(test, bo[i], 1000 * i + 1, true);
	}
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.evictions), 2);
	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		KUNIT_EXPECT_EQ_MSG(test, ferry_bo_test_placement(test, bo[i]),
				    i < 2 ? SYSTEM : APERTURE, "BO %u", i);
		ferry_bo_test_bytes(test, bo[i], 1000 * i + 1, false);
	}
}

/* Pinned and aperture-only BOs are not evicted: a BO that needs their space gets -ENOSPC. */
static void ferry_bo_test_no_space(struct kunit *test)
{
	struct ferry_bo_test *t = test->priv;
	struct ferry_bo *bo[4], *more;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		bo[i] = ferry_bo_test_create(test, i & 1 ? APERTURE : BOTH, APERTURE);
		if (!(i & 1))
			ferry_kunit_pin(bo[i], true);
	}
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->vram_mgr.unevictable),
			FERRY_BO_TEST_APERTURE);

	more = ferry_bo_test_create(test, BOTH, SYSTEM);
	ferry_bo_test_bytes(test, more, 5, true);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_move(test, more, APERTURE), -ENOSPC);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, more), SYSTEM);
	for (i = 0; i < ARRAY_SIZE(bo); i++)
		KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, bo[i]), APERTURE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.evictions), 0);

	ferry_kunit_pin(bo[0], false);
	ferry_kunit_pin(bo[2], false);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->vram_mgr.unevictable),
			2 * FERRY_BO_TEST_SIZE);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_move(test, more, APERTURE), 0);
	ferry_bo_test_bytes(test, more, 5, false);
}

/* If the BOs of one call do not fit into the aperture together, none of them moves. */
static void ferry_bo_test_together(struct kunit *test)
{
	struct ferry_bo_test *t = test->priv;
	struct ferry_placement_target targets[5];
	struct ferry_placement_call call = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(targets); i++)
		targets[i] = (struct ferry_placement_target) {
			.bo = ferry_bo_test_create(test, BOTH, SYSTEM),
			.placement = APERTURE,
		};
	KUNIT_EXPECT_EQ(test, ferry_placement_move_all(t->ferry, targets, 5, &call), -ENOSPC);
	KUNIT_EXPECT_EQ(test, call.failed, 5);
	for (i = 0; i < ARRAY_SIZE(targets); i++)
		KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, targets[i].bo), SYSTEM);
	KUNIT_EXPECT_EQ(test, ferry_placement_move_all(t->ferry, targets, 4, &call), 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, ferry_bo_test_placement(test, targets[i].bo), APERTURE);

	/* One BO must not occur twice. */
	targets[4].bo = targets[0].bo;
	KUNIT_EXPECT_EQ(test, ferry_placement_move_all(t->ferry, targets, 5, &call), -EINVAL);
	KUNIT_EXPECT_EQ(test, call.failed, 4);
}

/* Alternate WILLNEED and DONTNEED. A BO that was purged stays purged. */
static void ferry_bo_test_madvise(struct kunit *test)
{
	struct ferry_bo_test *t = test->priv;
	struct ferry_bo *bo = ferry_bo_test_create(test, BOTH, APERTURE);
	u32 retained = 7;
	unsigned int i;
	u64 word;

	ferry_bo_test_bytes(test, bo, 3, true);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_query(test, bo).madv, DRM_FERRY_MADV_WILLNEED);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained), 0);
	KUNIT_EXPECT_EQ(test, retained, 1);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_query(test, bo).madv, DRM_FERRY_MADV_DONTNEED);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_WILLNEED, &retained), 0);
	KUNIT_EXPECT_EQ(test, retained, 1);
	ferry_bo_test_bytes(test, bo, 3, false);

	/* The BO is the most recently used one, but DONTNEED makes it the first to be evicted. */
	for (i = 0; i < 3; i++)
		ferry_bo_test_create(test, BOTH, APERTURE);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained), 0);
	ferry_bo_test_create(test, BOTH, APERTURE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.purged), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.evictions), 0);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_query(test, bo).madv, DRM_FERRY_MADV_PURGED);

	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, i ? DRM_FERRY_MADV_WILLNEED :
							    DRM_FERRY_MADV_DONTNEED, &retained),
				0);
		KUNIT_EXPECT_EQ(test, retained, 0);
	}
	KUNIT_EXPECT_EQ(test, ferry_bo_test_query(test, bo).madv, DRM_FERRY_MADV_PURGED);
	KUNIT_EXPECT_EQ(test, ferry_bo_test_move(test, bo, APERTURE), -ENODATA);
	KUNIT_EXPECT_EQ(test, ferry_copy_access(bo, 0, &word, sizeof(word), false), -ENODATA);
}

/* DONTNEED is refused for a pinned and for a shared BO. */
static void ferry_bo_test_madvise_busy(struct kunit *test)
{
	struct ferry_bo *bo = ferry_bo_test_create(test, BOTH, SYSTEM);
	u32 retained = 0;

	ferry_bo_test_bytes(test, bo, 3, true);
	ferry_kunit_pin(bo, true);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_WILLNEED, &retained), 0);
	KUNIT_EXPECT_EQ(test, retained, 1);
	ferry_kunit_pin(bo, false);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained), 0);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_WILLNEED, &retained), 0);

	dma_resv_lock(bo->base.base.resv, NULL);
	bo->shared = true;
	dma_resv_unlock(bo->base.base.resv);
	KUNIT_EXPECT_EQ(test, ferry_gem_madvise(bo, DRM_FERRY_MADV_DONTNEED, &retained),
			-EBUSY);
}

/* ferry_copy_access() refuses every range that is not completely inside the BO. */
static void ferry_bo_test_access(struct kunit *test)
{
	static const s64 offsets[] = { -8, -1, 0, 1, PAGE_SIZE - 4, FERRY_BO_TEST_SIZE - 9,
				       FERRY_BO_TEST_SIZE - 8, FERRY_BO_TEST_SIZE - 7,
				       FERRY_BO_TEST_SIZE, S64_MAX, S64_MIN };
	static const u32 placements[] = { SYSTEM, APERTURE };
	unsigned int i, j;

	for (j = 0; j < ARRAY_SIZE(placements); j++) {
		struct ferry_bo *bo = ferry_bo_test_create(test, BOTH, placements[j]);

		for (i = 0; i < ARRAY_SIZE(offsets); i++) {
			u64 offset = offsets[i], word = 0x0123456789abcdefull, back = 0;
			int want = offset <= FERRY_BO_TEST_SIZE - 8 ? 8 : -EIO;

			KUNIT_EXPECT_EQ_MSG(test, ferry_copy_access(bo, offset, &word, 8, true),
					    want, "write at %lld", offset);
			KUNIT_EXPECT_EQ_MSG(test, ferry_copy_access(bo, offset, &back, 8, false),
					    want, "read at %lld", offset);
			KUNIT_EXPECT_EQ(test, back, want < 0 ? 0 : word);
		}
		KUNIT_EXPECT_EQ(test, ferry_copy_access(bo, 0, NULL, 0, false), -EIO);
		KUNIT_EXPECT_EQ(test, ferry_copy_access(bo, 0, NULL, -1, false), -EIO);
	}
}

/* A new BO reads as zero, although its memory had other contents. */
static void ferry_bo_test_zeroed(struct kunit *test)
{
	struct ferry_bo *bo;
	u64 *page, offset;
	unsigned int i;

	page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	for (i = 0; i < 2; i++) {
		bo = ferry_bo_test_create(test, BOTH, i ? SYSTEM : APERTURE);
		for (offset = 0; offset < bo->base.base.size; offset += PAGE_SIZE) {
			memset(page, 0xff, PAGE_SIZE);
			KUNIT_ASSERT_EQ(test, ferry_copy_access(bo, offset, page, PAGE_SIZE, false),
					PAGE_SIZE);
			KUNIT_ASSERT_NULL(test, memchr_inv(page, 0, PAGE_SIZE));
		}
	}
}

/* Closing the last handle of a BO releases the BO and frees its resource. */
static void ferry_bo_test_release(struct kunit *test)
{
	struct ferry_bo_test *t = test->priv;
	u32 handle[2];
	unsigned int i;

	for (i = 0; i < 2; i++)
		handle[i] = ferry_kunit_create(test, t->ferry, t->file, FERRY_BO_TEST_SIZE, BOTH,
					       APERTURE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.bos), 2);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(t->file, handle[i]), 0);
		KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.bos), 1 - i);
		KUNIT_EXPECT_NULL(test, ferry_bo_lookup(t->file, handle[i]));
	}
	KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&t->ferry->vram_mgr),
			FERRY_BO_TEST_APERTURE);
}

/*
 * A BO that was exported is mapped in system memory. Its dma-buf can outlive its handles, and
 * then the GEM object does not point to the dma-buf any more.
 */
static void ferry_bo_test_vmap_shared(struct kunit *test)
{
	struct ferry_bo *bo = ferry_bo_test_create(test, BOTH, APERTURE);
	struct drm_gem_object *obj = &bo->base.base;
	struct iosys_map map;
	unsigned int i;

	ferry_bo_test_bytes(test, bo, 7, true);
	KUNIT_ASSERT_NULL(test, obj->dma_buf);
	for (i = 0; i < 2; i++) {
		dma_resv_lock(obj->resv, NULL);
		bo->shared = i;
		KUNIT_EXPECT_EQ(test, obj->funcs->vmap(obj, &map), 0);
		KUNIT_EXPECT_EQ(test, map.is_iomem, !i);
		KUNIT_EXPECT_EQ(test, ferry_bo_placement(bo), i ? SYSTEM : APERTURE);
		KUNIT_EXPECT_EQ(test, iosys_map_rd(&map, PAGE_SIZE, u64), 7 + PAGE_SIZE);
		obj->funcs->vunmap(obj, &map);
		dma_resv_unlock(obj->resv);
	}
	ferry_bo_test_bytes(test, bo, 7, false);
}

static void ferry_bo_test_ghost_destroy(struct ttm_buffer_object *tbo)
{
}

/*
 * TTM's ghost BOs are not embedded in a struct ferry_bo. No TTM callback of ferry accesses
 * memory outside of a ghost BO, which KASAN would report.
 */
static void ferry_bo_test_ghost(struct kunit *test)
{
	static const struct ttm_place system = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_resource res = { .mem_type = TTM_PL_SYSTEM, .size = FERRY_BO_TEST_SIZE };
	const struct ttm_device_funcs *funcs = &ferry_ttm_funcs;
	struct ferry_bo_test *t = test->priv;
	struct ttm_placement placement = {};
	struct ttm_buffer_object *ghost;
	struct ttm_tt *tt;

	ghost = kunit_kzalloc(test, sizeof(*ghost), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ghost);
	ghost->bdev = &t->ferry->ttm;
	ghost->destroy = ferry_bo_test_ghost_destroy;
	ghost->base.size = FERRY_BO_TEST_SIZE;
	ghost->base.resv = &ghost->base._resv;
	ghost->resource = &res;
	dma_resv_init(ghost->base.resv);
	dma_resv_lock(ghost->base.resv, NULL);
	KUNIT_EXPECT_NULL(test, ferry_bo_from_ttm(ghost));

	funcs->evict_flags(ghost, &placement);
	KUNIT_EXPECT_EQ(test, placement.num_placement, 0);
	KUNIT_EXPECT_TRUE(test, funcs->eviction_valuable(ghost, &system));

	tt = funcs->ttm_tt_create(ghost, 0);
	KUNIT_EXPECT_NOT_NULL(test, tt);
	if (tt) {
		KUNIT_EXPECT_EQ(test, tt->caching, ttm_cached);
		funcs->ttm_tt_destroy(&t->ferry->ttm, tt);
	}

	dma_resv_unlock(ghost->base.resv);
	dma_resv_fini(ghost->base.resv);
}

static struct kunit_case ferry_bo_tests[] = {
	KUNIT_CASE_PARAM(ferry_bo_test_moves, ferry_bo_move_gen_params),
	KUNIT_CASE(ferry_bo_test_many_moves),
	KUNIT_CASE(ferry_bo_test_evict),
	KUNIT_CASE(ferry_bo_test_no_space),
	KUNIT_CASE(ferry_bo_test_vmap_shared),
	KUNIT_CASE(ferry_bo_test_ghost),
	KUNIT_CASE(ferry_bo_test_together),
	KUNIT_CASE(ferry_bo_test_madvise),
	KUNIT_CASE(ferry_bo_test_madvise_busy),
	KUNIT_CASE(ferry_bo_test_access),
	KUNIT_CASE(ferry_bo_test_zeroed),
	KUNIT_CASE(ferry_bo_test_release),
	{ }
};

static struct kunit_suite ferry_bo_suite = {
	.name = "ferry_bo",
	.init = ferry_bo_test_init,
	.test_cases = ferry_bo_tests,
};

kunit_test_suite(ferry_bo_suite);
