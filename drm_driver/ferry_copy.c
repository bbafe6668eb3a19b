// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include <asm/cpufeature.h>

#include <drm/drm_cache.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>

#include <kunit/visibility.h>

#include "ferry_bar.h"
#include "ferry_bo.h"
#include "ferry_client.h"
#include "ferry_copy.h"
#include "ferry_device.h"
#include "ferry_shrinker.h"
#include "ferry_trace.h"

/*
 * Copy a page from and to any kind of memory. On uncached and write-combined memory string
 * instructions make one small bus transaction for each step, and emulators run them several
 * times slower than plain loads and stores (bench/run --rows copy). So load a cache line
 * into registers and store it.
 */
static void ferry_copy_page(void *to, const void *from)
{
	const u64 *src = from;
	u64 *dst = to;
	int i;

	for (i = 0; i < PAGE_SIZE / sizeof(u64); i += 8) {
		u64 a = READ_ONCE(src[i]), b = READ_ONCE(src[i + 1]);
		u64 c = READ_ONCE(src[i + 2]), d = READ_ONCE(src[i + 3]);
		u64 e = READ_ONCE(src[i + 4]), f = READ_ONCE(src[i + 5]);
		u64 g = READ_ONCE(src[i + 6]), h = READ_ONCE(src[i + 7]);

		WRITE_ONCE(dst[i], a);
		WRITE_ONCE(dst[i + 1], b);
		WRITE_ONCE(dst[i + 2], c);
		WRITE_ONCE(dst[i + 3], d);
		WRITE_ONCE(dst[i + 4], e);
		WRITE_ONCE(dst[i + 5], f);
		WRITE_ONCE(dst[i + 6], g);
		WRITE_ONCE(dst[i + 7], h);
	}
}

/*
 * Each plain load from write-combined memory is a bus transaction; streaming loads fetch whole
 * cache lines. drm_memcpy_from_wc() does not use streaming loads under a hypervisor, and falls
 * back to string instructions there.
 */
static bool ferry_copy_can_stream(struct ferry_device *ferry)
{
	return ferry->bar.effective == DRM_FERRY_MEMTYPE_WC &&
	       boot_cpu_has(X86_FEATURE_XMM4_1) && !boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

static void ferry_copy_stream_page(void *to, const void *from)
{
	struct iosys_map src = IOSYS_MAP_INIT_VADDR_IOMEM((void __iomem __force *)from);
	struct iosys_map dst = IOSYS_MAP_INIT_VADDR(to);

	drm_memcpy_from_wc(&dst, &src, PAGE_SIZE);
}

static void ferry_copy_count(struct ferry_device *ferry, struct ferry_copy *copy, u64 ns)
{
	struct ferry_stats *stats = &ferry->stats;

	if (ferry_cursor_in_aperture(&copy->from) && ferry_cursor_in_aperture(&copy->to)) {
		atomic64_inc(&stats->moves_within);
	} else if (ferry_cursor_in_aperture(&copy->to)) {
		atomic64_inc(&stats->moves_to_aperture);
		atomic64_add(copy->size, &stats->bytes_to_aperture);
		atomic64_add(ns, &stats->move_ns_to_aperture);
	} else {
		atomic64_inc(&stats->moves_to_system);
		atomic64_add(copy->size, &stats->bytes_to_system);
		atomic64_add(ns, &stats->move_ns_to_system);
	}
	if (copy->evict)
		atomic64_inc(&stats->evictions);
}

static u32 ferry_copy_placement(const struct ferry_cursor *cursor)
{
	if (ferry_cursor_in_aperture(cursor))
		return DRM_FERRY_PLACEMENT_APERTURE;

	return ferry_cursor_has_memory(cursor) ? DRM_FERRY_PLACEMENT_SYSTEM : 0;
}

static int ferry_copy_pages(struct ferry_device *ferry, struct ferry_copy *copy)
{
	bool stream = ferry_cursor_in_aperture(&copy->from) && ferry_copy_can_stream(ferry);
	bool clear = !ferry_cursor_has_memory(&copy->from);
	u64 offset;

	for (offset = 0; offset < copy->size; offset += PAGE_SIZE) {
		void *to = ferry_cursor_vaddr(&copy->to, offset);

		/* Check for each page: uncached memory can take 100 ms for a MiB. */
		if (copy->killable && fatal_signal_pending(current))
			return -ERESTARTSYS;

		if (clear)
			memset(to, 0, PAGE_SIZE);
		else if (stream)
			ferry_copy_stream_page(to, ferry_cursor_vaddr(&copy->from, offset));
		else
			ferry_copy_page(to, ferry_cursor_vaddr(&copy->from, offset));
		cond_resched();
	}

	/*
	 * Stores to write-combined memory wait in a buffer of this CPU. Drain it before a fence or
	 * the reservation lets another CPU or a device access the destination.
	 */
	wmb();
	return 0;
}

/**
 * ferry_copy_run - copy a BO's contents, or clear the destination
 * @ferry: the device
 * @copy: the copy; the caller keeps source and destination valid
 *
 * Takes no lock and allocates no memory, because jobs call it before they signal a fence.
 *
 * Return: 0, or -ERESTARTSYS if &ferry_copy.killable is set and a fatal signal ended the
 * copy. The source is unchanged then, and the copy does not count as a move.
 */
int ferry_copy_run(struct ferry_device *ferry, struct ferry_copy *copy)
{
	u64 start = ktime_get_ns();
	u64 ns;
	int ret;

	ret = ferry_copy_pages(ferry, copy);
	ns = ktime_get_ns() - start;
	ferry_client_account(copy->client, ns);
	if (ret)
		return ret;

	ferry_copy_count(ferry, copy, ns);
	trace_ferry_move(ferry->drm.dev, copy->offset, ferry_copy_placement(&copy->from),
			 ferry_copy_placement(&copy->to), copy->size, ns, copy->evict);
	return 0;
}

static u64 ferry_copy_read_word(struct ferry_cursor *cursor, u64 offset)
{
	return READ_ONCE(*(u64 *)ferry_cursor_vaddr(cursor, offset));
}

/*
 * Check before a copy if the device decodes its source. Reads of a dead device return all ones,
 * or zeros under an emulator: only if the first and the last word do, ask the device.
 */
static bool ferry_copy_can_read(struct ferry_device *ferry, struct ferry_copy *copy)
{
	u64 first;

	if (!ferry_cursor_in_aperture(&copy->from))
		return true;

	first = ferry_copy_read_word(&copy->from, 0);
	if (first && first != U64_MAX)
		return true;

	return ferry_copy_read_word(&copy->from, copy->size - sizeof(u64)) != first ||
	       ferry_bar_is_decoded(ferry);
}

/* Check after a copy if the device has stored the last word. If it has not, ask the device. */
static bool ferry_copy_was_written(struct ferry_device *ferry, struct ferry_copy *copy)
{
	u64 offset = copy->size - sizeof(u64), expected = 0;

	if (!ferry_cursor_in_aperture(&copy->to))
		return true;

	if (ferry_cursor_has_memory(&copy->from))
		expected = ferry_copy_read_word(&copy->from, offset);
	/* Flush the write-combining buffers. */
	mb();
	return ferry_copy_read_word(&copy->to, offset) == expected ||
	       ferry_bar_is_decoded(ferry);
}

/**
 * ferry_copy_run_checked - copy, and check that the device decodes its memory
 * @ferry: the device
 * @copy: the copy; the caller keeps source and destination valid
 *
 * Return: 0, -EIO if the device does not, or as ferry_copy_run(). The source is unchanged in
 * any case.
 */
int ferry_copy_run_checked(struct ferry_device *ferry, struct ferry_copy *copy)
{
	int ret;

	if (!ferry_copy_can_read(ferry, copy))
		return -EIO;

	ret = ferry_copy_run(ferry, copy);
	if (ret)
		return ret;

	return ferry_copy_was_written(ferry, copy) ? 0 : -EIO;
}

static void ferry_copy_bytes(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write)
{
	struct ferry_cursor cursor;
	int done, bytes;

	ferry_cursor_init(&cursor, bo, bo->base.resource);
	for (done = 0; done < len; done += bytes) {
		void *vaddr = ferry_cursor_vaddr(&cursor, offset + done);

		bytes = min_t(int, PAGE_SIZE - offset_in_page(offset + done), len - done);
		if (write)
			memcpy(vaddr, buf + done, bytes);
		else
			memcpy(buf + done, vaddr, bytes);
	}
}

/**
 * ferry_copy_access - read or write a BO for a debugger
 * @bo: the BO
 * @offset: byte offset into the BO
 * @buf: kernel buffer
 * @len: number of bytes
 * @write: write to the BO, else read from it
 *
 * Return: @len, -EIO for a range outside of the BO or contents that cannot be read back
 * from swap, -ENODATA if the BO was purged, -ENOMEM or -ERESTARTSYS.
 */
int ferry_copy_access(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write)
{
	struct ttm_operation_ctx ctx = { .interruptible = true, .gfp_retry_mayfail = true };
	int ret;

	if (len < 1 || len > bo->base.base.size || offset > bo->base.base.size - len)
		return -EIO;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ret;

	ret = bo->madv == DRM_FERRY_MADV_PURGED ? -ENODATA : ttm_bo_wait_ctx(&bo->base, &ctx);
	if (!ret && ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_SYSTEM)
		ret = ferry_shrinker_populate(&bo->base, &ctx);
	if (!ret)
		ferry_copy_bytes(bo, offset, buf, len, write);

	dma_resv_unlock(bo->base.base.resv);
	return ret ?: len;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_copy_access);
