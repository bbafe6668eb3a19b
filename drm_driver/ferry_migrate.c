// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_migrate.h"

/**
 * DOC: Moves
 *
 * TTM decides who moves; the bytes are carried here, by the CPU, under the
 * reservation of the BO. By then its user mappings are gone and the pages of
 * the new place are there, so nobody sees a half-copied page: the next touch
 * waits for the reservation.
 *
 * A BO that has never had pages is not copied but cleared at the new place. So
 * either way every byte of the new place is written before anybody can see it, and
 * no client finds what another one left there.
 */

static bool ferry_migrate_in_aperture(const struct ttm_resource *res)
{
	return res && res->mem_type == FERRY_PL_APERTURE;
}

/*
 * Copies a page, from and to either kind of memory. String instructions go by
 * small steps on uncached and write-combined memory, where each step is a
 * transaction, and so slowly on emulated machines that they take several times as
 * long (bench/run --rows copy). So: a cache line in registers, and out again.
 */
static void ferry_migrate_copy_page(void *to, const void *from)
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

static void ferry_migrate_clear_page(void *to)
{
	u64 *dst = to;
	int i;

	for (i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		WRITE_ONCE(dst[i], 0);
}

/* The aperture is memory behind a BAR, which the CPU reads and writes as it likes. */
static void *ferry_migrate_vaddr(struct ferry_device *ferry, struct ferry_vram_cursor *cursor,
				 u64 offset)
{
	u64 at = ferry_vram_cursor_seek(cursor, offset);

	return (void __force *)ferry_aperture_vaddr(&ferry->aperture, at);
}

static void ferry_migrate_clear(struct ferry_device *ferry, struct ttm_resource *to)
{
	struct ferry_vram_cursor cursor;
	u64 offset;

	ferry_vram_cursor_init(&cursor, to);
	for (offset = 0; offset < to->size; offset += PAGE_SIZE) {
		ferry_migrate_clear_page(ferry_migrate_vaddr(ferry, &cursor, offset));
		cond_resched();
	}
}

static void ferry_migrate_copy_up(struct ferry_device *ferry, struct ttm_tt *from,
				  struct ttm_resource *to)
{
	struct ferry_vram_cursor cursor;
	u64 offset;

	ferry_vram_cursor_init(&cursor, to);
	for (offset = 0; offset < to->size; offset += PAGE_SIZE) {
		ferry_migrate_copy_page(ferry_migrate_vaddr(ferry, &cursor, offset),
					page_address(from->pages[offset >> PAGE_SHIFT]));
		cond_resched();
	}
}

static void ferry_migrate_copy_down(struct ferry_device *ferry, struct ttm_resource *from,
				    struct ttm_tt *to)
{
	struct ferry_vram_cursor cursor;
	u64 offset;

	ferry_vram_cursor_init(&cursor, from);
	for (offset = 0; offset < from->size; offset += PAGE_SIZE) {
		ferry_migrate_copy_page(page_address(to->pages[offset >> PAGE_SHIFT]),
					ferry_migrate_vaddr(ferry, &cursor, offset));
		cond_resched();
	}
}

static void ferry_migrate_copy_within(struct ferry_device *ferry, struct ttm_resource *from,
				      struct ttm_resource *to)
{
	struct ferry_vram_cursor src, dst;
	u64 offset;

	ferry_vram_cursor_init(&src, from);
	ferry_vram_cursor_init(&dst, to);
	for (offset = 0; offset < to->size; offset += PAGE_SIZE) {
		ferry_migrate_copy_page(ferry_migrate_vaddr(ferry, &dst, offset),
					ferry_migrate_vaddr(ferry, &src, offset));
		cond_resched();
	}
}

static void ferry_migrate_up(struct ferry_device *ferry, struct ttm_buffer_object *tbo,
			     struct ttm_resource *to)
{
	u64 start = ktime_get_ns();

	if (tbo->ttm && ttm_tt_is_populated(tbo->ttm))
		ferry_migrate_copy_up(ferry, tbo->ttm, to);
	else
		ferry_migrate_clear(ferry, to);

	atomic64_inc(&ferry->stats.moves_up);
	atomic64_add(to->size, &ferry->stats.bytes_up);
	atomic64_add(ktime_get_ns() - start, &ferry->stats.move_ns_up);
}

static void ferry_migrate_down(struct ferry_device *ferry, struct ttm_buffer_object *tbo,
			       bool evict)
{
	u64 start = ktime_get_ns();

	ferry_migrate_copy_down(ferry, tbo->resource, tbo->ttm);

	atomic64_inc(&ferry->stats.moves_down);
	atomic64_add(tbo->resource->size, &ferry->stats.bytes_down);
	atomic64_add(ktime_get_ns() - start, &ferry->stats.move_ns_down);
	if (evict)
		atomic64_inc(&ferry->stats.evictions);
}

/**
 * ferry_migrate_move - carry a BO's bytes to another resource
 * @tbo: the BO, reserved, without user mappings
 * @evict: the move makes room for another BO
 * @ctx: how to wait
 * @to: the new resource
 * @hop: not used: every move is direct
 *
 * TTM's move callback. On failure nothing has changed.
 *
 * Return: 0, -ENOMEM or -ERESTARTSYS.
 */
int ferry_migrate_move(struct ttm_buffer_object *tbo, bool evict,
		       struct ttm_operation_ctx *ctx, struct ttm_resource *to,
		       struct ttm_place *hop)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	bool was_up = ferry_migrate_in_aperture(tbo->resource);
	bool goes_up = ferry_migrate_in_aperture(to);
	int ret;

	dma_resv_assert_held(tbo->base.resv);

	if (!was_up && !goes_up) {
		ttm_bo_move_null(tbo, to);
		return 0;
	}

	ret = ttm_bo_wait_ctx(tbo, ctx);
	if (ret)
		return ret;

	/* what goes down needs pages; what was swapped out must come back first */
	if (!goes_up || (tbo->ttm && ferry_compat_tt_is_swapped(tbo->ttm))) {
		ret = ferry_compat_bo_populate(tbo, ctx);
		if (ret)
			return ret;
	}

	if (was_up && goes_up) {
		ferry_migrate_copy_within(ferry, tbo->resource, to);
		atomic64_inc(&ferry->stats.moves_within);
	} else if (goes_up) {
		ferry_migrate_up(ferry, tbo, to);
	} else {
		ferry_migrate_down(ferry, tbo, evict);
	}

	ttm_bo_move_sync_cleanup(tbo, to);
	return 0;
}

/**
 * ferry_migrate_access - read or write a BO in the aperture for a debugger
 * @tbo: the BO, reserved
 * @offset: byte offset into the BO
 * @buf: kernel buffer
 * @len: bytes; the range is inside the BO
 * @write: 0 to read from the BO
 *
 * TTM's access_memory callback.
 *
 * Return: @len.
 */
int ferry_migrate_access(struct ttm_buffer_object *tbo, unsigned long offset,
			 void *buf, int len, int write)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	struct ferry_vram_cursor cursor;
	int done;

	dma_resv_assert_held(tbo->base.resv);

	ferry_vram_cursor_init(&cursor, tbo->resource);
	for (done = 0; done < len;) {
		u64 at = ferry_vram_cursor_seek(&cursor, offset + done);
		int bytes = min_t(u64, cursor.end - (offset + done), len - done);
		void __iomem *vaddr = ferry_aperture_vaddr(&ferry->aperture, at);

		if (write)
			memcpy_toio(vaddr, buf + done, bytes);
		else
			memcpy_fromio(buf + done, vaddr, bytes);
		done += bytes;
	}

	return len;
}
