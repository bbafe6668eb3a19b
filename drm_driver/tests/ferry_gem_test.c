// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of incomplete BOs: who can find a BO during its creation and during its final release */

#include <linux/list.h>
#include <linux/mm_types.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>

#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_copy.h"
#include "../ferry_device.h"
#include "../ferry_fault.h"
#include "../ferry_gem.h"
#include "../ferry_ioctl.h"
#include "../ferry_placement.h"
#include "../ferry_ttm.h"
#include "ferry_kunit_helpers.h"

#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define BOTH (SYSTEM | APERTURE)

#define FERRY_GEM_TEST_ORDER 8
#define FERRY_GEM_TEST_SIZE (4 * PAGE_SIZE)

/**
 * struct ferry_gem_test - a device of which TTM's callbacks are intercepted
 */
struct ferry_gem_test {
	/** @test: the test that runs */
	struct kunit *test;
	/** @ferry: the device */
	struct ferry_device *ferry;
	/** @file: a client */
	struct drm_file *file;
	/** @funcs: ferry's callbacks, but for those of this file */
	struct ttm_device_funcs funcs;
	/** @creating: a BO is created, and TTM has not yet initialized it */
	bool creating;
	/** @fail: the creation fails */
	bool fail;
	/** @created: number of BOs that were checked during their creation */
	unsigned int created;
	/** @released: number of BOs that were checked during their final release */
	unsigned int released;
};

static struct ferry_gem_test *ferry_gem_test_of(struct ttm_buffer_object *tbo)
{
	return container_of_const(tbo->bdev->funcs, struct ferry_gem_test, funcs);
}

/* Check that @tbo, the only BO, is on no list that is walked, and cannot be mapped. */
static void ferry_gem_test_hidden(struct ferry_gem_test *t, struct ttm_buffer_object *tbo)
{
	struct vm_area_struct vma = { .vm_pgoff = drm_vma_node_start(&tbo->base.vma_node) };
	struct ferry_tt_mgr *mgr = &t->ferry->tt;

	KUNIT_EXPECT_TRUE(t->test, list_empty(&t->ferry->bos));
	KUNIT_EXPECT_TRUE(t->test, list_empty(&mgr->purgeable.list));
	KUNIT_EXPECT_TRUE(t->test, list_empty(&mgr->kept.list));
	KUNIT_EXPECT_NE(t->test, vma.vm_pgoff, 0);
	KUNIT_EXPECT_EQ(t->test, ferry_fault_mmap(t->file->filp, &vma), -EACCES);
}

static struct ttm_tt *ferry_gem_test_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	struct ferry_gem_test *t = ferry_gem_test_of(tbo);

	if (t->creating) {
		t->creating = false;
		t->created++;
		ferry_gem_test_hidden(t, tbo);
		if (t->fail)
			return NULL;
	}

	return ferry_ttm_funcs.ttm_tt_create(tbo, page_flags);
}

static void ferry_gem_test_release(struct ttm_buffer_object *tbo)
{
	struct ferry_gem_test *t = ferry_gem_test_of(tbo);

	t->released++;
	ferry_gem_test_hidden(t, tbo);
}

static int ferry_gem_test_init(struct kunit *test)
{
	struct ferry_gem_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	t->ferry = ferry_kunit_device_with_memory(test, FERRY_GEM_TEST_ORDER);
	t->file = ferry_kunit_open(test, t->ferry);
	t->funcs = ferry_ttm_funcs;
	t->funcs.ttm_tt_create = ferry_gem_test_tt_create;
	t->funcs.release_notify = ferry_gem_test_release;
	t->ferry->ttm.funcs = &t->funcs;
	test->priv = t;
	return 0;
}

static u32 ferry_gem_test_create(struct kunit *test, u32 placement)
{
	struct ferry_gem_test *t = test->priv;

	t->creating = true;
	return ferry_kunit_create(test, t->ferry, t->file, FERRY_GEM_TEST_SIZE, BOTH, placement);
}

/* Nobody finds a BO before TTM has initialized it, and the list of all BOs has it after that. */
static void ferry_gem_test_creating(struct kunit *test)
{
	static const u32 placements[] = { SYSTEM, APERTURE };
	struct ferry_gem_test *t = test->priv;
	unsigned int i;
	u32 handle;

	for (i = 0; i < ARRAY_SIZE(placements); i++) {
		handle = ferry_gem_test_create(test, placements[i]);
		KUNIT_EXPECT_EQ(test, t->created, i + 1);
		KUNIT_EXPECT_TRUE(test, list_is_singular(&t->ferry->bos));
		KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(t->file, handle), 0);
	}
}

/* Nobody finds a BO whose creation fails. */
static void ferry_gem_test_creation_fails(struct kunit *test)
{
	struct drm_ferry_bo_create args = { .size = FERRY_GEM_TEST_SIZE,
					    .allowed_placements = BOTH };
	struct ferry_gem_test *t = test->priv;

	t->creating = true;
	t->fail = true;
	KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_create(&t->ferry->drm, &args, t->file), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->created, 1);
	KUNIT_EXPECT_EQ(test, t->released, 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.bos), 0);
}

/* Nobody finds a BO during its final release, whatever list it was on. */
static void ferry_gem_test_releasing(struct kunit *test)
{
	struct ferry_gem_test *t = test->priv;
	struct ferry_placement_call call = {};
	struct ferry_placement_target target;
	unsigned int i;
	u32 handle, retained;
	u64 word = 1;

	/* a BO without pages, one with pages that can be purged, and one with kept pages */
	for (i = 0; i < 3; i++) {
		handle = ferry_gem_test_create(test, SYSTEM);
		target.bo = ferry_bo_lookup(t->file, handle);
		target.placement = APERTURE;
		KUNIT_ASSERT_NOT_NULL(test, target.bo);
		if (i)
			KUNIT_EXPECT_EQ(test, ferry_copy_access(target.bo, 0, &word, 8, true), 8);
		if (i == 1)
			KUNIT_EXPECT_EQ(test, ferry_gem_madvise(target.bo, DRM_FERRY_MADV_DONTNEED,
								&retained), 0);
		if (i == 2)
			KUNIT_EXPECT_EQ(test, ferry_placement_move_all(t->ferry, &target, 1, &call),
					0);
		KUNIT_EXPECT_EQ(test, list_empty(&t->ferry->tt.purgeable.list), i != 1);
		KUNIT_EXPECT_EQ(test, list_empty(&t->ferry->tt.kept.list), i != 2);
		ferry_bo_put(target.bo);
		KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(t->file, handle), 0);
		KUNIT_EXPECT_EQ(test, t->released, i + 1);
		KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.bos), 0);
	}
}

static struct kunit_case ferry_gem_tests[] = {
	KUNIT_CASE(ferry_gem_test_creating),
	KUNIT_CASE(ferry_gem_test_creation_fails),
	KUNIT_CASE(ferry_gem_test_releasing),
	{ }
};

static struct kunit_suite ferry_gem_suite = {
	.name = "ferry_gem",
	.init = ferry_gem_test_init,
	.test_cases = ferry_gem_tests,
};

kunit_test_suite(ferry_gem_suite);
