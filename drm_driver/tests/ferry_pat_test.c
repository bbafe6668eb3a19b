// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of memory types: decode page table entries, and set page protection bits */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include <asm/memtype.h>
#include <asm/set_memory.h>

#include <kunit/test.h>

#include "../ferry_compat.h"
#include "../ferry_pat.h"

/* Encodings of memory types in the MSR IA32_PAT, from the manual of the CPU */
static const struct {
	u8 code;
	int memtype;
} ferry_pat_codes[] = {
	{ 0, DRM_FERRY_MEMTYPE_UC },
	{ 1, DRM_FERRY_MEMTYPE_WC },
	{ 2, FERRY_PAT_UNKNOWN },
	{ 3, FERRY_PAT_UNKNOWN },
	{ 4, DRM_FERRY_MEMTYPE_WT },
	{ 5, DRM_FERRY_MEMTYPE_WP },
	{ 6, DRM_FERRY_MEMTYPE_WB },
	{ 7, DRM_FERRY_MEMTYPE_UC_MINUS },
};

/* Bits that select a slot of IA32_PAT: PWT, PCD, and PAT, which is another bit in large entries. */
static u64 ferry_pat_test_entry(unsigned int slot, bool large)
{
	return (slot & 1 ? BIT(3) : 0) | (slot & 2 ? BIT(4) : 0) |
	       (slot & 4 ? BIT(large ? 12 : 7) : 0);
}

/* Decode every encoding in every slot, with another encoding in all other slots. */
static void ferry_pat_test_decode(struct kunit *test)
{
	unsigned int slot, code, large;

	for (code = 0; code < 8; code++) {
		u64 others = 0x0101010101010101ull * ((code + 1) % 8);

		KUNIT_ASSERT_EQ(test, ferry_pat_codes[code].code, code);
		for (slot = 0; slot < 8; slot++) {
			u64 pat = (others & ~(0xffull << (slot * 8))) | ((u64)code << (slot * 8));

			for (large = 0; large < 2; large++) {
				u64 entry = ferry_pat_test_entry(slot, large);

				KUNIT_EXPECT_EQ_MSG(test, ferry_pat_decode(entry, large, pat),
						    ferry_pat_codes[code].memtype,
						    "slot %u code %u large %u", slot, code, large);
			}
		}
	}
}

/* Other bits of an entry do not change the result, nor does the PAT bit of the other size. */
static void ferry_pat_test_decode_other_bits(struct kunit *test)
{
	const u64 pat = 0x0407050600070106ull; /* the value that Linux programs */
	unsigned int slot, bit, large;

	for (large = 0; large < 2; large++) {
		for (slot = 0; slot < 8; slot++) {
			u64 entry = ferry_pat_test_entry(slot, large);
			int want = ferry_pat_decode(entry, large, pat);

			for (bit = 0; bit < 64; bit++) {
				if (bit == 3 || bit == 4 || bit == (large ? 12 : 7))
					continue;
				KUNIT_EXPECT_EQ_MSG(test,
						    ferry_pat_decode(entry | BIT_ULL(bit), large,
								     pat),
						    want, "bit %u of slot %u", bit, slot);
			}
		}
	}
}

/* Protection bits with a memory type decode to that type, or to UC- if it is not supported. */
static void ferry_pat_test_pgprot(struct kunit *test)
{
	static const struct {
		enum drm_ferry_memtype requested;
		int effective;
	} cases[] = {
		{ DRM_FERRY_MEMTYPE_WB, DRM_FERRY_MEMTYPE_WB },
		{ DRM_FERRY_MEMTYPE_WC, DRM_FERRY_MEMTYPE_WC },
		{ DRM_FERRY_MEMTYPE_UC_MINUS, DRM_FERRY_MEMTYPE_UC_MINUS },
		{ DRM_FERRY_MEMTYPE_UC, DRM_FERRY_MEMTYPE_UC_MINUS },
		{ DRM_FERRY_MEMTYPE_WT, DRM_FERRY_MEMTYPE_UC_MINUS },
		{ DRM_FERRY_MEMTYPE_WP, DRM_FERRY_MEMTYPE_UC_MINUS },
	};
	unsigned int i;

	if (!pat_enabled())
		kunit_skip(test, "PAT is off");

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		pgprot_t prot = ferry_pat_pgprot(cases[i].requested, PAGE_SHARED);

		KUNIT_EXPECT_EQ_MSG(test, ferry_pat_of_entry(pgprot_val(prot), false),
				    cases[i].effective, "requested %s",
				    ferry_pat_name(cases[i].requested));
		KUNIT_EXPECT_EQ(test, pgprot_val(prot) & ~_PAGE_CACHE_MASK,
				pgprot_val(PAGE_SHARED) & ~_PAGE_CACHE_MASK);
	}
}

/* Look up the kernel's mapping of a page before, while and after it is write-combined. */
static void ferry_pat_test_kernel_address(struct kunit *test)
{
	unsigned long page;
	void *area;

	page = __get_free_page(GFP_KERNEL);
	KUNIT_ASSERT_NE(test, page, 0);
	KUNIT_EXPECT_EQ(test, ferry_pat_of_kernel_address((void *)page), DRM_FERRY_MEMTYPE_WB);
	if (pat_enabled() && !set_memory_wc(page, 1)) {
		KUNIT_EXPECT_EQ(test, ferry_pat_of_kernel_address((void *)page),
				DRM_FERRY_MEMTYPE_WC);
		set_memory_wb(page, 1);
	}
	KUNIT_EXPECT_EQ(test, ferry_pat_of_kernel_address((void *)page), DRM_FERRY_MEMTYPE_WB);
	free_page(page);

	area = vmalloc(PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_EXPECT_EQ(test, ferry_pat_of_kernel_address(area), DRM_FERRY_MEMTYPE_WB);
	/* Each vmalloc area is followed by a guard page, which is not mapped. */
	KUNIT_EXPECT_EQ(test, ferry_pat_of_kernel_address(area + PAGE_SIZE),
			FERRY_PAT_UNKNOWN);
	vfree(area);
}

static void ferry_pat_test_name(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_UC), "uncached");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_UC_MINUS), "uncached-minus");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_WC), "write-combining");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_WT), "write-through");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_WP), "write-protected");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_WB), "write-back");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(FERRY_PAT_UNKNOWN), "unknown");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(DRM_FERRY_MEMTYPE_WB + 1), "unknown");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(INT_MIN), "unknown");
	KUNIT_EXPECT_STREQ(test, ferry_pat_name(INT_MAX), "unknown");
}

static struct kunit_case ferry_pat_tests[] = {
	KUNIT_CASE(ferry_pat_test_decode),
	KUNIT_CASE(ferry_pat_test_decode_other_bits),
	KUNIT_CASE(ferry_pat_test_pgprot),
	KUNIT_CASE(ferry_pat_test_kernel_address),
	KUNIT_CASE(ferry_pat_test_name),
	{ }
};

static struct kunit_suite ferry_pat_suite = {
	.name = "ferry_pat",
	.test_cases = ferry_pat_tests,
};

kunit_test_suite(ferry_pat_suite);
