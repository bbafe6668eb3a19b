/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_MIGRATE_H_
#define _FERRY_MIGRATE_H_

#include <linux/types.h>

#include "ferry_vram_mgr.h"

struct ferry_bo;
struct ferry_client;
struct ferry_device;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_resource;
struct ttm_tt;

/**
 * struct ferry_migrate_end - one end of a move: a BO's bytes at one place
 */
struct ferry_migrate_end {
	/** @tt: the system pages, or NULL if they are in the aperture or nowhere */
	struct ttm_tt *tt;
	/** @cursor: walks over the blocks in the aperture, if @aperture */
	struct ferry_vram_cursor cursor;
	/** @aperture: the bytes are in the aperture */
	bool aperture;
};

/**
 * struct ferry_move - bytes on their way from one place to another
 */
struct ferry_move {
	/** @from: the old place; neither kind if the new one shall be cleared */
	struct ferry_migrate_end from;
	/** @to: the new place */
	struct ferry_migrate_end to;
	/** @size: bytes */
	u64 size;
	/** @bo: fake offset of the BO, to name it by */
	u64 bo;
	/** @client: whose call caused it, or NULL; a job has a reference */
	struct ferry_client *client;
	/** @evict: makes room for another BO */
	bool evict;
};

void ferry_migrate_carry(struct ferry_device *ferry, struct ferry_move *move);
int ferry_migrate_move(struct ttm_buffer_object *tbo, bool evict,
		       struct ttm_operation_ctx *ctx, struct ttm_resource *to,
		       struct ttm_place *hop);
void ferry_migrate_access(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write);

#endif /* _FERRY_MIGRATE_H_ */
