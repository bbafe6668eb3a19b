/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_TTM_H_
#define _FERRY_TTM_H_

#include <linux/types.h>

struct ferry_bo;
struct ferry_device;
struct ttm_tt;

int ferry_ttm_init(struct ferry_device *ferry);
bool ferry_ttm_is_run(struct ttm_tt *tt, pgoff_t page);
void ferry_ttm_keep(struct ferry_bo *bo, bool keep);
bool ferry_ttm_drop_kept(struct ferry_bo *bo);
int ferry_ttm_evict_all(struct ferry_device *ferry);
void ferry_ttm_vacate(struct ferry_device *ferry);

#endif /* _FERRY_TTM_H_ */
