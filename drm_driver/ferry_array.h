/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_ARRAY_H_
#define _FERRY_ARRAY_H_

#include <linux/types.h>

void *ferry_array_copy(u64 address, u32 count, u32 stride, size_t min_size, size_t size);

#endif /* _FERRY_ARRAY_H_ */
