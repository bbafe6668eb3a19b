/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PARAM_H_
#define _FERRY_PARAM_H_

#include <linux/types.h>

/* Bytes for the value of one device: more than any valid one has */
#define FERRY_PARAM_MAX 48

void ferry_param_get(const char *list, const char *device, char *value, size_t size);

#endif /* _FERRY_PARAM_H_ */
