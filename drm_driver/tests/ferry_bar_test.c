// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of the memory types to request, and of addresses in the aperture */

#include <linux/sizes.h>

#include <kunit/test.h>

#include "../ferry_bar.h"
#include "../ferry_device.h"
#include "../ferry_param.h"
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

static void ferry_bar_test_parse_range(struct kunit *test)
{
	static const struct {
		const char *param;
		u64 bar_size;
		int ret;
		u64 offset;
		u64 size;
	} cases[] = {
		{ "0+1M", SZ_1M, 0, 0, SZ_1M },
		{ "1M+15M", SZ_16M, 0, SZ_1M, SZ_16M - SZ_1M },
		{ "0x1000+0x100000", SZ_16M, 0, SZ_4K, SZ_1M },
		{ "4G+4G", 2ull * SZ_4G, 0, SZ_4G, SZ_4G },
		{ "1M+16M", SZ_16M, -EINVAL },
		{ "17M+1M", SZ_16M, -EINVAL },
		{ "0+1023K", SZ_16M, -EINVAL },
		{ "1+1M", SZ_16M, -EINVAL },
		{ "0+1048577", SZ_16M, -EINVAL },
		{ "0+", SZ_16M, -EINVAL },
		{ "+1M", SZ_16M, -EINVAL },
		{ "1M", SZ_16M, -EINVAL },
		{ "1M,1M", SZ_16M, -EINVAL },
		{ "0+1M+1M", SZ_16M, -EINVAL },
		{ "0xfffffffffffff000+1M", SZ_16M, -EINVAL },
		{ "1M+0xfffffffffff00000", SZ_16M, -EINVAL },
		{ "", SZ_16M, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 offset = 0, size = 0;
		int ret = ferry_bar_parse_range(cases[i].param, cases[i].bar_size, &offset, &size);

		KUNIT_EXPECT_EQ_MSG(test, ret, cases[i].ret, "'%s'", cases[i].param);
		if (ret)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, offset, cases[i].offset, "'%s'", cases[i].param);
		KUNIT_EXPECT_EQ_MSG(test, size, cases[i].size, "'%s'", cases[i].param);
	}
}

/* The value of a parameter for one device. */
static void ferry_bar_test_param(struct kunit *test)
{
	static const char device[] = "0000:05:00.0";
	static const struct {
		const char *list;
		const char *value;
	} cases[] = {
		{ "", "default" },
		{ "2", "2" },
		{ "2@0000:05:00.0", "2" },
		{ "2@0000:05:00.1", "default" },
		{ "2@0000:05:00", "default" },
		{ "2@", "default" },
		{ "1,2@0000:05:00.0", "2" },
		{ "2@0000:05:00.0,1", "2" },
		{ "3@0000:06:00.0,1,4@0000:07:00.0", "1" },
		{ "1M+15M@0000:05:00.0,all", "1M+15M" },
		{ "1,", "1" },
		{ ",1", "1" },
		{ "@0000:05:00.0", "" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789",
		  "01234567890123456789012345678901234567890123456" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char value[FERRY_PARAM_MAX] = "default";

		ferry_param_get(cases[i].list, device, value, sizeof(value));
		KUNIT_EXPECT_STREQ_MSG(test, value, cases[i].value, "'%s'", cases[i].list);
	}
}

static struct kunit_case ferry_bar_tests[] = {
	KUNIT_CASE(ferry_bar_test_parse_range),
	KUNIT_CASE(ferry_bar_test_param),
	KUNIT_CASE_PARAM(ferry_bar_test_requests, ferry_bar_request_gen_params),
	KUNIT_CASE(ferry_bar_test_addresses),
	{ }
};

static struct kunit_suite ferry_bar_suite = {
	.name = "ferry_bar",
	.test_cases = ferry_bar_tests,
};

kunit_test_suite(ferry_bar_suite);
