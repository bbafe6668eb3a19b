// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Eviction of all BOs */

#include <drm/ferry_drm.h>

#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_device.h"
#include "../ferry_evict.h"
#include "../ferry_vram_mgr.h"
#include "ferry_kunit_helpers.h"

#define BOTH (DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE)

/* 1 MiB of aperture, and BOs of a quarter of it */
#define FERRY_EVICT_TEST_ORDER 8
#define FERRY_EVICT_TEST_APERTURE (PAGE_SIZE << FERRY_EVICT_TEST_ORDER)
#define FERRY_EVICT_TEST_SIZE (FERRY_EVICT_TEST_APERTURE / 4)

/* A pinned BO stays in the aperture: suspend must not go on as if its contents were saved. */
static void ferry_evict_test_pinned(struct kunit *test)
{
	struct ferry_device *ferry = ferry_kunit_device_with_memory(test, FERRY_EVICT_TEST_ORDER);
	struct drm_file *file = ferry_kunit_open(test, ferry);
	struct ferry_bo *bo[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		u32 handle = ferry_kunit_create(test, ferry, file, FERRY_EVICT_TEST_SIZE, BOTH,
						DRM_FERRY_PLACEMENT_APERTURE);

		bo[i] = ferry_kunit_lookup(test, file, handle);
	}

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

static struct kunit_case ferry_evict_tests[] = {
	KUNIT_CASE(ferry_evict_test_pinned),
	{ }
};

static struct kunit_suite ferry_evict_suite = {
	.name = "ferry_evict",
	.test_cases = ferry_evict_tests,
};

kunit_test_suite(ferry_evict_suite);
