/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_EVICT_H_
#define _FERRY_EVICT_H_

#include <linux/types.h>

struct ferry_device;

int ferry_evict_all(struct ferry_device *ferry);
void ferry_evict_discard(struct ferry_device *ferry);
bool ferry_evict_final(struct ferry_device *ferry);
void ferry_evict_restore(struct ferry_device *ferry);

#endif /* _FERRY_EVICT_H_ */
