// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include <asm/cpufeature.h>

#include <drm/drm_cache.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_bo.h"
#include "ferry_client.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_job.h"
#include "ferry_migrate.h"
#include "ferry_trace.h"
#include "ferry_ttm.h"

/**
 * DOC: Moves
 *
 * TTM decides who moves; the bytes are carried here, by the CPU: under the
 * reservation of the BO, or by a job whose fence the reservation then holds. By then
 * its user mappings are gone and the pages of the new place are there, so nobody sees
 * a half-copied page: the next touch waits for the reservation, and for the fence.
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

/*
 * A plain load from write-combined memory waits for the bus each time. Streaming loads
 * take whole lines; emulators and hypervisors are not trusted with them, see
 * drm_memcpy_from_wc(), which would fall back to string instructions there.
 */
static bool ferry_migrate_can_stream(struct ferry_device *ferry)
{
	return ferry->bar.effective == DRM_FERRY_MEMTYPE_WC &&
	       boot_cpu_has(X86_FEATURE_XMM4_1) && !boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

static void ferry_migrate_stream_page(void *to, const void *from)
{
	struct iosys_map src = IOSYS_MAP_INIT_VADDR_IOMEM((void __iomem __force *)from);
	struct iosys_map dst = IOSYS_MAP_INIT_VADDR(to);

	drm_memcpy_from_wc(&dst, &src, PAGE_SIZE);
}

static struct ferry_migrate_end ferry_migrate_end(struct ttm_resource *res, struct ttm_tt *tt)
{
	struct ferry_migrate_end end = {};

	if (ferry_migrate_in_aperture(res)) {
		end.aperture = true;
		ferry_vram_cursor_init(&end.cursor, res);
	} else if (tt && ttm_tt_is_populated(tt)) {
		end.tt = tt;
	}

	return end;
}

static bool ferry_migrate_is_nowhere(const struct ferry_migrate_end *end)
{
	return !end->aperture && !end->tt;
}

/* The aperture is memory behind a BAR, which the CPU reads and writes as it likes. */
static void *ferry_migrate_vaddr(struct ferry_device *ferry, struct ferry_migrate_end *end,
				 u64 offset)
{
	u64 at;

	if (!end->aperture)
		return page_address(end->tt->pages[offset >> PAGE_SHIFT]) +
		       offset_in_page(offset);

	at = ferry_vram_cursor_seek(&end->cursor, offset);
	return (void __force *)ferry_bar_vaddr(&ferry->bar, at);
}

static void ferry_migrate_count(struct ferry_device *ferry, struct ferry_move *move, u64 ns)
{
	struct ferry_stats *stats = &ferry->stats;

	if (move->from.aperture && move->to.aperture) {
		atomic64_inc(&stats->moves_within);
	} else if (move->to.aperture) {
		atomic64_inc(&stats->moves_to_aperture);
		atomic64_add(move->size, &stats->bytes_to_aperture);
		atomic64_add(ns, &stats->move_ns_to_aperture);
	} else {
		atomic64_inc(&stats->moves_to_system);
		atomic64_add(move->size, &stats->bytes_to_system);
		atomic64_add(ns, &stats->move_ns_to_system);
	}
	if (move->evict)
		atomic64_inc(&stats->evictions);
}

/**
 * ferry_migrate_carry - copy or clear the bytes of a move
 * @ferry: the device
 * @move: the move; both places stay as they are until this is done
 *
 * Takes no lock and no memory: it may be what a fence waits for.
 */
void ferry_migrate_carry(struct ferry_device *ferry, struct ferry_move *move)
{
	bool clear = ferry_migrate_is_nowhere(&move->from);
	bool stream = move->from.aperture && ferry_migrate_can_stream(ferry);
	u64 start = ktime_get_ns();
	u64 offset, ns;

	for (offset = 0; offset < move->size; offset += PAGE_SIZE) {
		void *to = ferry_migrate_vaddr(ferry, &move->to, offset);
		const void *from;

		if (clear) {
			memset(to, 0, PAGE_SIZE);
		} else {
			from = ferry_migrate_vaddr(ferry, &move->from, offset);
			if (stream)
				ferry_migrate_stream_page(to, from);
			else
				ferry_migrate_copy_page(to, from);
		}
		cond_resched();
	}

	ns = ktime_get_ns() - start;
	ferry_migrate_count(ferry, move, ns);
	ferry_client_charge(move->client, ns);
	trace_ferry_move(ferry->drm.dev, move, ns);
}

/* Put an idle BO to its new place. What goes up keeps its pages. */
static void ferry_migrate_arrive(struct ferry_bo *bo, struct ferry_move *move,
				 struct ttm_resource *to)
{
	if (move->from.tt)
		ferry_ttm_keep(bo, true);
	ttm_bo_move_sync_cleanup(&bo->base, to);
	if (move->to.tt)
		ferry_ttm_keep(bo, false);
}

/* Hand a move over to a job: afterwards the BO is at its new place, with a fence. */
static int ferry_migrate_defer(struct ferry_device *ferry, struct ferry_bo *bo,
			       struct ferry_move *move, struct ttm_resource *to)
{
	bool at_once = !move->from.aperture && ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP);
	struct dma_resv *resv = bo->base.base.resv;
	struct ferry_async *async = bo->async;
	struct ferry_job *job;
	int ret;

	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		return ret;

	job = ferry_job_new_for(ferry, resv);
	if (IS_ERR(job))
		return PTR_ERR(job);

	job->move = *move;
	ferry_client_get(move->client);
	if (at_once) {
		/* nothing to wait for, and pages that are kept until they are idle */
		ferry_migrate_arrive(bo, move, to);
		dma_resv_add_fence(resv, &job->fence, DMA_RESV_USAGE_KERNEL);
	} else {
		ret = ttm_bo_move_accel_cleanup(&bo->base, &job->fence, false, true, to);
		if (!ret && move->to.tt)
			ferry_ttm_keep(bo, false);
	}
	if (ret)
		job->move.size = 0;
	else
		bo->async = NULL;
	/* the BO has the fence even if that failed */
	ferry_job_start(job, async);
	ferry_job_put(job);
	return ret;
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
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);
	struct ferry_move move;
	bool defer;
	int ret;

	dma_resv_assert_held(tbo->base.resv);

	if (!was_up && !goes_up) {
		ttm_bo_move_null(tbo, to);
		return 0;
	}

	/* TTM cannot keep a place that is none */
	defer = bo->async && tbo->resource;
	if (!defer && !ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP)) {
		ret = ttm_bo_wait_ctx(tbo, ctx);
		if (ret)
			return ret;
	}

	/* what goes down needs pages; what was swapped out must come back first */
	if (!goes_up || (tbo->ttm && ferry_compat_tt_is_swapped(tbo->ttm))) {
		ret = ferry_compat_bo_populate(tbo, ctx);
		if (ret)
			return ret;
	}

	move = (struct ferry_move) {
		.from = ferry_migrate_end(tbo->resource, tbo->ttm),
		.to = ferry_migrate_end(to, tbo->ttm),
		.size = tbo->base.size,
		.bo = drm_vma_node_offset_addr(&tbo->base.vma_node),
		.client = ferry_client_calling(),
		.evict = evict,
	};

	if (defer)
		return ferry_migrate_defer(ferry, bo, &move, to);

	ferry_migrate_carry(ferry, &move);
	ferry_migrate_arrive(bo, &move, to);
	return 0;
}

/**
 * ferry_migrate_access - read or write a BO wherever it is
 * @bo: the BO, reserved and idle; populated if it is in system memory
 * @offset: byte offset into the BO
 * @buf: kernel buffer
 * @len: bytes; the range is inside the BO
 * @write: write to the BO, else read from it
 */
void ferry_migrate_access(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
	struct ferry_migrate_end end = ferry_migrate_end(bo->base.resource, bo->base.ttm);
	int done, bytes;

	dma_resv_assert_held(bo->base.base.resv);

	for (done = 0; done < len; done += bytes) {
		void *vaddr = ferry_migrate_vaddr(ferry, &end, offset + done);

		bytes = min_t(int, PAGE_SIZE - offset_in_page(offset + done), len - done);
		if (write)
			memcpy(vaddr, buf + done, bytes);
		else
			memcpy(buf + done, vaddr, bytes);
	}
}
