/* SPDX-License-Identifier: MIT */
/* The BOs of a device: lines of the debugfs file ferry_bos. */
#ifndef BOS_H_
#define BOS_H_

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

struct bos_block {
	uint64_t start, size;
};

struct bos_bo {
	/** @number: line in the file, from 0 */
	unsigned int number;
	/** @offset: fake offset, the name of the BO in debugfs and in tracepoints */
	uint64_t offset;
	uint64_t size, huge;
	/** @busy: another thread had reserved it: only offset, size, handles are known */
	bool busy;
	bool pinned;
	bool in_aperture;
	uint32_t allowed, flags, madv, handles;
	char caching[16];
	struct bos_block *blocks;
	unsigned int block_count;
};

struct bos {
	struct bos_bo *at;
	unsigned int count;
};

/* Read the BOs of a device. Says why if that fails. */
enum ctl_status bos_read(const struct device *dev, struct bos *bos);
void bos_free(struct bos *bos);

const char *bos_madv_name(uint32_t madv);

#endif /* BOS_H_ */
