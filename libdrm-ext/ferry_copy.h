/* SPDX-License-Identifier: MIT */
/* Copies between mappings of BOs and other memory; not installed. */
#ifndef FERRY_COPY_H_
#define FERRY_COPY_H_

#include <stdbool.h>
#include <stddef.h>

/**
 * struct ferry_copier - a way to copy, for processors that have its instructions
 */
struct ferry_copier {
	/** @name: for tests */
	const char *name;
	/** @usable: whether this processor has the instructions */
	bool (*usable)(void);
	/**
	 * @read: copy from a mapping. Loads whole aligned blocks of up to 64 bytes, also where
	 * only a part of them is copied: all of the mapping's page must be readable
	 */
	void (*read)(void *dst, const void *src, size_t size);
	/** @write: copy to a mapping */
	void (*write)(void *dst, const void *src, size_t size);
};

/* All ways, the best first; the last is usable everywhere. */
extern const struct ferry_copier ferry_copiers[];
extern const size_t ferry_nr_copiers;

const struct ferry_copier *ferry_copier(void);

#endif /* FERRY_COPY_H_ */
