// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of mappings: offsets, addresses, fault-around windows, and faults of a busy BO */

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ferry_drm.h>

#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_copy.h"
#include "../ferry_device.h"
#include "../ferry_fault.h"
#include "../ferry_ioctl.h"
#include "../ferry_pte.h"
#include "ferry_kunit_helpers.h"

#define BOTH (DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE)

#define FERRY_FAULT_TEST_ORDER 8

struct ferry_fault_test {
	struct ferry_device *ferry;
	struct drm_file *file;
};

static int ferry_fault_test_init(struct kunit *test)
{
	struct ferry_fault_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ferry = ferry_kunit_device_with_memory(test, FERRY_FAULT_TEST_ORDER);
	t->file = ferry_kunit_open(test, t->ferry);
	test->priv = t;
	return 0;
}

/**
 * struct ferry_fault_window - a fault in a mapping that can cross the end of a page table
 */
struct ferry_fault_window {
	/** @pages: size of the BO in pages */
	unsigned long pages;
	/** @first: page of the BO at the start of the mapping */
	unsigned long first;
	/** @length: size of the mapping in pages */
	unsigned long length;
	/** @before: number of pages from the start of the mapping to the end of the page table */
	unsigned long before;
	/** @access: page of the mapping that is accessed */
	unsigned long access;
};

/*
 * The fault-around window has exactly the pages that are inside the VMA, the BO, and the page
 * table of the accessed page.
 */
static void ferry_fault_test_one_window(struct kunit *test, const struct ferry_fault_window *w)
{
	const unsigned long table = 7ul * PMD_SIZE;
	unsigned long start = table - w->before * PAGE_SIZE;
	unsigned long end = start + w->length * PAGE_SIZE;
	unsigned long address = start + w->access * PAGE_SIZE + 123;
	struct ferry_pte_range got;
	unsigned long page;

	got = ferry_pte_range(address, start, end, w->first, w->pages);
	for (page = table - 10 * PAGE_SIZE; page < table + 10 * PAGE_SIZE; page += PAGE_SIZE) {
		unsigned long index = w->first + (page - start) / PAGE_SIZE;
		bool want = page >= start && page < end && index < w->pages &&
			    page / PMD_SIZE == address / PMD_SIZE;

		KUNIT_ASSERT_EQ_MSG(test, page >= got.start && page < got.end, want,
				    "BO of %lu pages, mapped from %lu, length %lu, %lu before, access at %lu",
				    w->pages, w->first, w->length, w->before, w->access);
	}
}

/*
 * Test every mapping of a BO of up to 6 pages, at every distance from the end of a page table,
 * with an access to every page.
 */
static void ferry_fault_test_window(struct kunit *test)
{
	struct ferry_fault_window w;

	for (w.pages = 1; w.pages <= 6; w.pages++)
		for (w.first = 0; w.first < w.pages; w.first++)
			for (w.length = 1; w.length <= 8; w.length++)
				for (w.before = 0; w.before <= 8; w.before++)
					for (w.access = 0; w.access < w.length &&
					     w.first + w.access < w.pages; w.access++)
						ferry_fault_test_one_window(test, &w);
}

static void ferry_fault_test_one_large(struct kunit *test, unsigned long start, unsigned long end,
				       unsigned long address, unsigned long pages)
{
	unsigned long table = ALIGN_DOWN(address, PMD_SIZE);
	struct ferry_pte_range got;

	if (address >= end || (address - start) / PAGE_SIZE >= pages)
		return;
	got = ferry_pte_range(address, start, end, 0, pages);
	KUNIT_ASSERT_EQ(test, got.start, max(start, table));
	KUNIT_ASSERT_EQ(test, got.end, min3(end, table + PMD_SIZE, start + pages * PAGE_SIZE));
	KUNIT_ASSERT_LE(test, got.end - got.start, PMD_SIZE);
}

/* The same for mappings that span one page table, a page less or more, or several. */
static void ferry_fault_test_window_large(struct kunit *test)
{
	static const unsigned long at[] = { 0, 1, 511, 512, 513, 1023, 1024, 1535 };
	const unsigned int n = ARRAY_SIZE(at);
	unsigned int i, j, k, l;

	for (i = 0; i < n; i++) {
		unsigned long start = 64ul * SZ_1G + at[i] * PAGE_SIZE;

		for (j = 1; j < n; j++)
			for (k = 0; k < n; k++)
				for (l = 1; l < n; l++)
					ferry_fault_test_one_large(test, start,
								   start + at[l] * PAGE_SIZE,
								   start + at[k] * PAGE_SIZE,
								   at[j]);
	}
}

/* ferry_pte_page_of() takes the BO's fake offset and the mapping's offset into account. */
static void ferry_fault_test_page_of(struct kunit *test)
{
	struct ferry_fault_test *t = test->priv;
	struct vm_area_struct vma = { .vm_start = 5ul * SZ_1G };
	u64 size = 9 * PAGE_SIZE;
	unsigned long first, page;
	struct ferry_bo *bo;
	unsigned int i;

	/* Use several BOs, which have different fake offsets. */
	for (i = 0; i < 3; i++) {
		bo = ferry_kunit_lookup(test, t->file,
					ferry_kunit_create(test, t->ferry, t->file, size, BOTH, 0));
		vma.vm_private_data = &bo->base.base;
		for (first = 0; first < 9; first++) {
			vma.vm_pgoff = drm_vma_node_start(&bo->base.base.vma_node) + first;
			for (page = 0; page < 9 - first; page++)
				KUNIT_EXPECT_EQ(test,
						ferry_pte_page_of(&vma, vma.vm_start +
								     page * PAGE_SIZE + 7),
						first + page);
		}
	}
}

/* FERRY_FAULT_POPULATE is above all fake offsets, and is only set if it is requested. */
static void ferry_fault_test_populate_bit(struct kunit *test)
{
	struct ferry_fault_test *t = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, FERRY_FAULT_POPULATE & (FERRY_FAULT_POPULATE - 1), 0);
	KUNIT_EXPECT_GT(test, FERRY_FAULT_POPULATE,
			(u64)(DRM_FILE_PAGE_OFFSET_START + DRM_FILE_PAGE_OFFSET_SIZE)
			<< PAGE_SHIFT);
	/* off_t is signed. */
	KUNIT_EXPECT_LE(test, FERRY_FAULT_POPULATE, (u64)S64_MAX);

	for (i = 0; i < 4; i++) {
		struct drm_ferry_bo_mmap_offset plain = {}, populate = {};

		plain.handle = ferry_kunit_create(test, t->ferry, t->file, SZ_64K, BOTH, 0);
		populate.handle = plain.handle;
		populate.flags = DRM_FERRY_MMAP_POPULATE;
		KUNIT_ASSERT_EQ(test, ferry_ioctl_bo_mmap_offset(&t->ferry->drm, &plain, t->file),
				0);
		KUNIT_ASSERT_EQ(test,
				ferry_ioctl_bo_mmap_offset(&t->ferry->drm, &populate, t->file), 0);
		KUNIT_EXPECT_EQ(test, populate.offset, plain.offset | FERRY_FAULT_POPULATE);
		KUNIT_EXPECT_EQ(test, plain.offset & (FERRY_FAULT_POPULATE | (PAGE_SIZE - 1)), 0);
		KUNIT_EXPECT_EQ(test, plain.offset,
				drm_vma_node_offset_addr(&ferry_kunit_lookup(test, t->file,
									     plain.handle)
							 ->base.base.vma_node));
	}
}

static unsigned long ferry_fault_test_offset(struct kunit *test, u32 handle, u32 flags)
{
	struct ferry_fault_test *t = test->priv;
	struct drm_ferry_bo_mmap_offset args = { .handle = handle, .flags = flags };

	KUNIT_ASSERT_EQ(test, ferry_ioctl_bo_mmap_offset(&t->ferry->drm, &args, t->file), 0);
	return args.offset;
}

/* Call it as mmap() does, with mmap_lock held. */
static unsigned long ferry_fault_test_get_area(struct file *filp, unsigned long addr,
					       unsigned long len, unsigned long pgoff,
					       unsigned long flags)
{
	unsigned long got;

	mmap_write_lock(current->mm);
	got = ferry_fault_get_unmapped_area(filp, addr, len, pgoff, flags);
	mmap_write_unlock(current->mm);

	return got;
}

static void ferry_fault_test_one_area(struct kunit *test, unsigned long offset,
				      unsigned long first, unsigned long len)
{
	struct ferry_fault_test *t = test->priv;
	unsigned long pgoff = (offset >> PAGE_SHIFT) + first;
	unsigned long hint = 40ul * SZ_1G;
	unsigned long got;

	got = ferry_fault_test_get_area(t->file->filp, 0, len, pgoff, MAP_SHARED);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(got));
	KUNIT_EXPECT_EQ(test, got & ~PAGE_MASK, 0);
	KUNIT_EXPECT_LE(test, got + len, TASK_SIZE);
	mmap_read_lock(current->mm);
	KUNIT_EXPECT_NULL(test, find_vma_intersection(current->mm, got, got + len));
	mmap_read_unlock(current->mm);
	if (len >= PMD_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, (got - first * PAGE_SIZE) % PMD_SIZE, 0,
				    "from page %lu, %lu bytes", first, len);

	got = ferry_fault_test_get_area(t->file->filp, hint, len, pgoff, MAP_SHARED);
	KUNIT_EXPECT_EQ(test, got, hint);
	got = ferry_fault_test_get_area(t->file->filp, hint + PAGE_SIZE, len, pgoff,
					MAP_SHARED | MAP_FIXED);
	KUNIT_EXPECT_EQ(test, got, hint + PAGE_SIZE);
}

/* Without an address hint 2 MiB of the BO are aligned to 2 MiB; a hint and MAP_FIXED are kept. */
static void ferry_fault_test_unmapped_area(struct kunit *test)
{
	static const unsigned long firsts[] = { 0, 1, 5, 511, 512, 700 };
	static const unsigned long lengths[] = { 1, 511, 512, 513, 1024 };
	struct ferry_fault_test *t = test->priv;
	unsigned int i, j;
	u32 handle, flags;

	/* This attaches an address space to the kernel thread of the test. */
	KUNIT_ASSERT_NE(test, kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
					    MAP_ANONYMOUS | MAP_PRIVATE, 0), 0);
	ferry_kunit_create(test, t->ferry, t->file, 3 * PAGE_SIZE, BOTH, 0);
	handle = ferry_kunit_create(test, t->ferry, t->file, 4 * SZ_2M, BOTH, 0);
	for (flags = 0; flags <= DRM_FERRY_MMAP_POPULATE; flags += DRM_FERRY_MMAP_POPULATE) {
		unsigned long offset = ferry_fault_test_offset(test, handle, flags);

		for (i = 0; i < ARRAY_SIZE(firsts); i++)
			for (j = 0; j < ARRAY_SIZE(lengths); j++)
				ferry_fault_test_one_area(test, offset, firsts[i],
							  lengths[j] * PAGE_SIZE);
	}
}

static void ferry_fault_test_one_range(struct kunit *test, unsigned long offset,
				       unsigned long len, bool inside)
{
	struct ferry_fault_test *t = test->priv;
	unsigned long address;

	address = vm_mmap(t->file->filp, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED, offset);
	if (inside) {
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_VALUE(address), "%lu+%lu", offset, len);
		vm_munmap(address, len);
	} else {
		KUNIT_EXPECT_EQ_MSG(test, (long)address, -EINVAL, "%lu+%lu", offset, len);
	}
	address = vm_mmap(t->file->filp, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, offset);
	KUNIT_EXPECT_EQ(test, (long)address, -EINVAL);
}

/* mmap() of a range succeeds only if the range is inside the BO and the mapping is shared. */
static void ferry_fault_test_mmap_range(struct kunit *test)
{
	struct ferry_fault_test *t = test->priv;
	const unsigned long pages = 4;
	unsigned long base, first, length;
	u32 handle;

	/* The fake offsets of the two other BOs are next to those of the BO under test. */
	ferry_kunit_create(test, t->ferry, t->file, 4 * PAGE_SIZE, BOTH, 0);
	handle = ferry_kunit_create(test, t->ferry, t->file, pages * PAGE_SIZE, BOTH, 0);
	ferry_kunit_create(test, t->ferry, t->file, 4 * PAGE_SIZE, BOTH, 0);
	base = ferry_fault_test_offset(test, handle, 0);
	KUNIT_ASSERT_NE(test, kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
					    MAP_ANONYMOUS | MAP_PRIVATE, 0), 0);

	/* Only ranges that begin inside the BO: others can be valid ranges of another BO. */
	for (first = 0; first < pages; first++)
		for (length = 1; length <= pages + 2; length++)
			ferry_fault_test_one_range(test, base + first * PAGE_SIZE,
						   length * PAGE_SIZE, first + length <= pages);
}

/* Write through a mapping, and read the BO, at either placement. */
static void ferry_fault_test_access(struct kunit *test)
{
	struct ferry_fault_test *t = test->priv;
	static const u32 placements[] = { DRM_FERRY_PLACEMENT_SYSTEM,
					  DRM_FERRY_PLACEMENT_APERTURE };
	const unsigned long size = 33 * PAGE_SIZE;
	unsigned long address, at;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(placements); i++) {
		u32 handle = ferry_kunit_create(test, t->ferry, t->file, size, BOTH, placements[i]);
		struct ferry_bo *bo = ferry_kunit_lookup(test, t->file, handle);

		address = kunit_vm_mmap(test, t->file->filp, 0, size, PROT_READ | PROT_WRITE,
					MAP_SHARED, ferry_fault_test_offset(test, handle, 0));
		KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address) || !address);
		for (at = 0; at < size; at += PAGE_SIZE) {
			u64 word = at + i + 1;

			KUNIT_ASSERT_EQ(test, put_user(word, (u64 __user *)(address + at)), 0);
		}
		for (at = 0; at < size; at += PAGE_SIZE) {
			u64 word = 0;

			KUNIT_ASSERT_EQ(test, ferry_copy_access(bo, at, &word, 8, false), 8);
			KUNIT_EXPECT_EQ(test, word, at + i + 1);
		}
	}
	KUNIT_EXPECT_GT(test, atomic64_read(&t->ferry->stats.faults), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.faults_oom), 0);
}

/**
 * struct ferry_fault_test_fence - a fence that the test signals
 */
struct ferry_fault_test_fence {
	/** @base: the fence */
	struct dma_fence base;
	/** @lock: lock of @base */
	spinlock_t lock;
};

static const char *ferry_fault_test_fence_name(struct dma_fence *fence)
{
	return "ferry_fault_test";
}

static const struct dma_fence_ops ferry_fault_test_fence_ops = {
	.get_driver_name = ferry_fault_test_fence_name,
	.get_timeline_name = ferry_fault_test_fence_name,
};

/* Make the BO busy, as if a job were copying its contents. */
static struct dma_fence *ferry_fault_test_add_fence(struct kunit *test, struct ferry_bo *bo)
{
	struct ferry_fault_test_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	struct dma_resv *resv = bo->base.base.resv;

	KUNIT_ASSERT_NOT_NULL(test, fence);
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &ferry_fault_test_fence_ops, &fence->lock,
		       dma_fence_context_alloc(1), 1);
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, &fence->base, DMA_RESV_USAGE_KERNEL);
	dma_resv_unlock(resv);
	return &fence->base;
}

/* Call a fault handler for @address, and check that it has dropped the reservation. */
static vm_fault_t ferry_fault_test_handle(struct kunit *test, struct ferry_bo *bo,
					  unsigned long address, unsigned int order,
					  enum fault_flag flags)
{
	vm_fault_t ret = VM_FAULT_SIGSEGV;
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, address);
	if (vma) {
		struct vm_fault vmf = { .vma = vma, .address = address, .flags = flags };

		if (order)
			ret = vma->vm_ops->huge_fault(&vmf, order);
		else
			ret = vma->vm_ops->fault(&vmf);
	}
	mmap_read_unlock(current->mm);
	if (!dma_resv_trylock(bo->base.base.resv))
		KUNIT_FAIL(test, "the reservation was not dropped");
	/* Unlock in any case, so that a failed test does not hang later. */
	dma_resv_unlock(bo->base.base.resv);

	return ret;
}

/*
 * Faults of a busy BO. A fault with FAULT_FLAG_RETRY_NOWAIT and a huge fault do not wait, and a
 * signal ends the wait of a fault. Call the handlers directly: only GUP sets RETRY_NOWAIT, and
 * it refuses VM_PFNMAP mappings before it faults.
 */
static void ferry_fault_test_busy(struct kunit *test)
{
	struct ferry_fault_test *t = test->priv;
	const unsigned long size = SZ_2M;
	u32 handle = ferry_kunit_create(test, t->ferry, t->file, size, BOTH, 0);
	struct ferry_bo *bo = ferry_kunit_lookup(test, t->file, handle);
	unsigned long address;
	struct dma_fence *fence;
	u64 word = 77;

	address = kunit_vm_mmap(test, t->file->filp, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED,
				ferry_fault_test_offset(test, handle, 0));
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address) || !address);
	fence = ferry_fault_test_add_fence(test, bo);

	/* RETRY_NOWAIT: mmap_lock stays held. */
	KUNIT_EXPECT_EQ(test, ferry_fault_test_handle(test, bo, address, 0,
						      FAULT_FLAG_ALLOW_RETRY |
						      FAULT_FLAG_RETRY_NOWAIT), VM_FAULT_RETRY);
	KUNIT_EXPECT_EQ(test, ferry_fault_test_handle(test, bo, address, PMD_ORDER,
						      FAULT_FLAG_DEFAULT), VM_FAULT_FALLBACK);
	allow_signal(SIGINT);
	send_sig(SIGINT, current, 1);
	KUNIT_EXPECT_EQ(test, ferry_fault_test_handle(test, bo, address, 0,
						      FAULT_FLAG_DEFAULT | FAULT_FLAG_USER |
						      FAULT_FLAG_TRIED), VM_FAULT_NOPAGE);
	flush_signals(current);
	disallow_signal(SIGINT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.fault_pages), 0);

	dma_fence_signal(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, put_user(word, (u64 __user *)address), 0);
	KUNIT_EXPECT_GT(test, atomic64_read(&t->ferry->stats.fault_pages), 0);
}

static struct kunit_case ferry_fault_tests[] = {
	KUNIT_CASE(ferry_fault_test_window),
	KUNIT_CASE(ferry_fault_test_window_large),
	KUNIT_CASE(ferry_fault_test_page_of),
	KUNIT_CASE(ferry_fault_test_populate_bit),
	KUNIT_CASE(ferry_fault_test_unmapped_area),
	KUNIT_CASE(ferry_fault_test_mmap_range),
	KUNIT_CASE(ferry_fault_test_access),
	KUNIT_CASE(ferry_fault_test_busy),
	{ }
};

static struct kunit_suite ferry_fault_suite = {
	.name = "ferry_fault",
	.init = ferry_fault_test_init,
	.test_cases = ferry_fault_tests,
};

kunit_test_suite(ferry_fault_suite);
