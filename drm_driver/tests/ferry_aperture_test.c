// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The choice of the cache attribute, and addresses in the aperture */

#include <linux/sizes.h>

#include <kunit/test.h>

#include "../ferry_aperture.h"
#include "../ferry_drv.h"
#include "ferry_kunit_helpers.h"

struct ferry_aperture_wish {
	const char *param;
	bool host_memory;
	int ret;
	int first;
	int second;
};

static const struct ferry_aperture_wish ferry_aperture_wish_cases[] = {
	{ "auto", false, 0, DRM_FERRY_MEMTYPE_WC, DRM_FERRY_MEMTYPE_WC },
	{ "auto", true, 0, DRM_FERRY_MEMTYPE_WB, DRM_FERRY_MEMTYPE_WC },
	{ "wb", false, 0, DRM_FERRY_MEMTYPE_WB, DRM_FERRY_MEMTYPE_WB },
	{ "wb", true, 0, DRM_FERRY_MEMTYPE_WB, DRM_FERRY_MEMTYPE_WB },
	{ "wc", false, 0, DRM_FERRY_MEMTYPE_WC, DRM_FERRY_MEMTYPE_WC },
	{ "wc", true, 0, DRM_FERRY_MEMTYPE_WC, DRM_FERRY_MEMTYPE_WC },
	{ "uc", false, 0, DRM_FERRY_MEMTYPE_UC_MINUS, DRM_FERRY_MEMTYPE_UC_MINUS },
	{ "uc", true, 0, DRM_FERRY_MEMTYPE_UC_MINUS, DRM_FERRY_MEMTYPE_UC_MINUS },
	{ "", false, -EINVAL },
	{ "w", false, -EINVAL },
	{ "wcx", false, -EINVAL },
	{ "WC", false, -EINVAL },
	{ "auto ", true, -EINVAL },
};

static void ferry_aperture_wish_desc(const struct ferry_aperture_wish *wish, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "'%s' for %s", wish->param,
		 wish->host_memory ? "the memory of a host" : "a card");
}

KUNIT_ARRAY_PARAM(ferry_aperture_wish, ferry_aperture_wish_cases, ferry_aperture_wish_desc);

static void ferry_aperture_test_wishes(struct kunit *test)
{
	const struct ferry_aperture_wish *wish = test->param_value;
	struct ferry_device *ferry = ferry_kunit_device(test, SZ_1M);
	enum drm_ferry_memtype wishes[2] = { -1, -1 };

	KUNIT_ASSERT_EQ(test, ferry_aperture_wishes(ferry, wish->param, wish->host_memory, wishes),
			wish->ret);
	if (wish->ret)
		return;
	KUNIT_EXPECT_EQ(test, (int)wishes[0], wish->first);
	KUNIT_EXPECT_EQ(test, (int)wishes[1], wish->second);
}

/* Bytes, pages and addresses, also where 32 bits end. */
static void ferry_aperture_test_addresses(struct kunit *test)
{
	static const u64 bases[] = { SZ_1M, SZ_4G - SZ_1M, SZ_4G, 0x3800000000ull };
	static const u64 offsets[] = { 0, 1, PAGE_SIZE - 1, PAGE_SIZE, SZ_2M, SZ_1G, 3ull * SZ_4G };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct ferry_aperture aperture = {
			.base = bases[i],
			.io.iomem = (void __iomem *)0x1000,
		};

		for (j = 0; j < ARRAY_SIZE(offsets); j++) {
			KUNIT_EXPECT_EQ(test, ferry_aperture_pfn(&aperture, offsets[j]),
					(bases[i] + offsets[j]) / PAGE_SIZE);
			KUNIT_EXPECT_EQ(test,
					(u64)(__force uintptr_t)
					ferry_aperture_vaddr(&aperture, offsets[j]),
					0x1000 + offsets[j]);
		}
	}
}

static struct kunit_case ferry_aperture_tests[] = {
	KUNIT_CASE_PARAM(ferry_aperture_test_wishes, ferry_aperture_wish_gen_params),
	KUNIT_CASE(ferry_aperture_test_addresses),
	{ }
};

static struct kunit_suite ferry_aperture_suite = {
	.name = "ferry_aperture",
	.test_cases = ferry_aperture_tests,
};

kunit_test_suite(ferry_aperture_suite);
