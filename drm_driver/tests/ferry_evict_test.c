// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Eviction of all BOs */

#include <drm/ferry_drm.h>

#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_device.h"
#include "../ferry_evict.h"
#include "../ferry_gem.h"
#include "../ferry_vram_mgr.h"
#include "ferry_kunit_helpers.h"

#define BOTH (DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE)

/* 1 MiB of aperture, and BOs of a quarter of it */
#define FERRY_EVICT_TEST_ORDER 8
#define FERRY_EVICT_TEST_APERTURE (PAGE_SIZE << FERRY_EVICT_TEST_ORDER)
#define FERRY_EVICT_TEST_SIZE (FERRY_EVICT_TEST_APERTURE / 4)

/* Create BOs in the aperture. */
static void ferry_evict_test_create(struct kunit *test, struct ferry_device *ferry,
				    struct ferry_bo **bo, unsigned int count)
{
	struct drm_file *file = ferry_kunit_open(test, ferry);
	unsigned int i;

	for (i = 0; i < count; i++) {
		u32 handle = ferry_kunit_create(test, ferry, file, FERRY_EVICT_TEST_SIZE, BOTH,
						DRM_FERRY_PLACEMENT_APERTURE);

		bo[i] = ferry_kunit_lookup(test, file, handle);
	}
}

/* A pinned BO stays in the aperture: suspend must not go on as if its contents were saved. */
static void ferry_evict_test_pinned(struct kunit *test)
{
	struct ferry_device *ferry = ferry_kunit_device_with_memory(test, FERRY_EVICT_TEST_ORDER);
	struct ferry_bo *bo[3];

	ferry_evict_test_create(test, ferry, bo, ARRAY_SIZE(bo));
	ferry_kunit_pin(bo[1], true);
	KUNIT_EXPECT_EQ(test, ferry_evict_all(ferry), -EBUSY);
	/* the other BOs are saved in any case */
	KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
			FERRY_EVICT_TEST_APERTURE - FERRY_EVICT_TEST_SIZE);

	ferry_kunit_pin(bo[1], false);
	KUNIT_EXPECT_EQ(test, ferry_evict_all(ferry), 0);
	KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
			FERRY_EVICT_TEST_APERTURE);
}

/* Before a suspend, contents that may be discarded are not saved, and marked as purged. */
static void ferry_evict_test_dontneed(struct kunit *test)
{
	struct ferry_device *ferry = ferry_kunit_device_with_memory(test, FERRY_EVICT_TEST_ORDER);
	struct ferry_bo *bo[2];
	u32 retained;

	ferry_evict_test_create(test, ferry, bo, ARRAY_SIZE(bo));
	KUNIT_ASSERT_EQ(test, ferry_gem_madvise(bo[0], DRM_FERRY_MADV_DONTNEED,
						&retained), 0);
	KUNIT_EXPECT_EQ(test, retained, 1);

	KUNIT_EXPECT_EQ(test, ferry_evict_all(ferry), 0);
	KUNIT_EXPECT_EQ(test, bo[0]->madv, DRM_FERRY_MADV_PURGED);
	KUNIT_EXPECT_EQ(test, bo[1]->madv, DRM_FERRY_MADV_WILLNEED);
	KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
			FERRY_EVICT_TEST_APERTURE);
}

/* A BO that stays pinned outlives the device: mappings are closed, and the BAR must be kept. */
static void ferry_evict_test_final_pinned(struct kunit *test)
{
	struct ferry_device *ferry = ferry_kunit_device_with_memory(test, FERRY_EVICT_TEST_ORDER);
	struct ferry_bo *bo[2];

	ferry_evict_test_create(test, ferry, bo, ARRAY_SIZE(bo));
	ferry_kunit_pin(bo[0], true);
	KUNIT_EXPECT_FALSE(test, ferry_evict_final(ferry));
	KUNIT_EXPECT_TRUE(test, ferry->bar.closed);
	KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
			FERRY_EVICT_TEST_APERTURE - FERRY_EVICT_TEST_SIZE);

	ferry_kunit_pin(bo[0], false);
	KUNIT_EXPECT_TRUE(test, ferry_evict_final(ferry));
	KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&ferry->vram_mgr),
			FERRY_EVICT_TEST_APERTURE);
}

static struct kunit_case ferry_evict_tests[] = {
	KUNIT_CASE(ferry_evict_test_pinned),
	KUNIT_CASE(ferry_evict_test_dontneed),
	/* waits for 15 seconds */
	KUNIT_CASE_SLOW(ferry_evict_test_final_pinned),
	{ }
};

static struct kunit_suite ferry_evict_suite = {
	.name = "ferry_evict",
	.test_cases = ferry_evict_tests,
};

kunit_test_suite(ferry_evict_suite);
