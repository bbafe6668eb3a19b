// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of the memory types to request, and of addresses in the aperture */

#include <linux/sizes.h>

#include <kunit/test.h>

#include "../ferry_bar.h"
#include "../ferry_device.h"
#include "ferry_kunit_helpers.h"

struct ferry_bar_request {
	const char *param;
	bool host_memory;
	int ret;
	int first;
	int second;
};

static const struct ferry_bar_request ferry_bar_request_cases[] = {
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

static void ferry_bar_request_desc(const struct ferry_bar_request *request, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "'%s' for %s", request->param,
		 request->host_memory ? "host memory" : "device memory");
}

KUNIT_ARRAY_PARAM(ferry_bar_request, ferry_bar_request_cases, ferry_bar_request_desc);

static void ferry_bar_test_requests(struct kunit *test)
{
	const struct ferry_bar_request *request = test->param_value;
	struct ferry_device *ferry = ferry_kunit_device(test, SZ_1M);
	enum drm_ferry_memtype requests[2] = { -1, -1 };

	KUNIT_ASSERT_EQ(test,
			ferry_bar_requests(ferry, request->param, request->host_memory, requests),
			request->ret);
	if (request->ret)
		return;
	KUNIT_EXPECT_EQ(test, (int)requests[0], request->first);
	KUNIT_EXPECT_EQ(test, (int)requests[1], request->second);
}

/* Convert offsets to PFNs and kernel addresses, below and above 4 GiB. */
static void ferry_bar_test_addresses(struct kunit *test)
{
	static const u64 bases[] = { SZ_1M, SZ_4G - SZ_1M, SZ_4G, 0x3800000000ull };
	static const u64 offsets[] = { 0, 1, PAGE_SIZE - 1, PAGE_SIZE, SZ_2M, SZ_1G, 3ull * SZ_4G };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct ferry_bar bar = {
			.base = bases[i],
			.io.iomem = (void __iomem *)0x1000,
		};

		for (j = 0; j < ARRAY_SIZE(offsets); j++) {
			KUNIT_EXPECT_EQ(test, ferry_bar_pfn(&bar, offsets[j]),
					(bases[i] + offsets[j]) / PAGE_SIZE);
			KUNIT_EXPECT_EQ(test,
					(u64)(__force uintptr_t)
					ferry_bar_vaddr(&bar, offsets[j]),
					0x1000 + offsets[j]);
		}
	}
}

static struct kunit_case ferry_bar_tests[] = {
	KUNIT_CASE_PARAM(ferry_bar_test_requests, ferry_bar_request_gen_params),
	KUNIT_CASE(ferry_bar_test_addresses),
	{ }
};

static struct kunit_suite ferry_bar_suite = {
	.name = "ferry_bar",
	.test_cases = ferry_bar_tests,
};

kunit_test_suite(ferry_bar_suite);
