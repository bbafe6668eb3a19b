/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_MIGRATE_H_
#define _FERRY_MIGRATE_H_

#include <linux/types.h>

struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_resource;

int ferry_migrate_move(struct ttm_buffer_object *tbo, bool evict,
		       struct ttm_operation_ctx *ctx, struct ttm_resource *to,
		       struct ttm_place *hop);

#endif /* _FERRY_MIGRATE_H_ */
