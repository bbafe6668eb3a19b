/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_TTM_H_
#define _FERRY_TTM_H_

struct ferry_device;

int ferry_ttm_init(struct ferry_device *ferry);
int ferry_ttm_evict_all(struct ferry_device *ferry);
void ferry_ttm_vacate(struct ferry_device *ferry);

#endif /* _FERRY_TTM_H_ */
