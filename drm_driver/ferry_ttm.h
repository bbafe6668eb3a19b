/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_TTM_H_
#define _FERRY_TTM_H_

#include <linux/kconfig.h>

struct ferry_device;

int ferry_ttm_init(struct ferry_device *ferry);

#if IS_ENABLED(CONFIG_KUNIT)
extern const struct ttm_device_funcs ferry_ttm_funcs;
#endif

#endif /* _FERRY_TTM_H_ */
