/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_COPY_H_
#define _FERRY_COPY_H_

#include <linux/types.h>

#include "ferry_cursor.h"

struct ferry_bo;
struct ferry_client;
struct ferry_device;

/**
 * struct ferry_copy - a copy of a BO's contents from one resource to another
 */
struct ferry_copy {
	/** @from: source; has no memory if the destination shall be cleared */
	struct ferry_cursor from;
	/** @to: destination */
	struct ferry_cursor to;
	/** @size: size in bytes, whole pages */
	u64 size;
	/** @offset: fake offset of the BO, which identifies it in traces */
	u64 offset;
	/** @client: client that the copy is accounted to, or NULL */
	struct ferry_client *client;
	/** @evict: the move frees space for another BO */
	bool evict;
	/** @killable: a fatal signal ends the copy, and the source stays the BO's resource */
	bool killable;
};

int ferry_copy_run(struct ferry_device *ferry, struct ferry_copy *copy);
int ferry_copy_run_checked(struct ferry_device *ferry, struct ferry_copy *copy);
int ferry_copy_access(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write);

#endif /* _FERRY_COPY_H_ */
