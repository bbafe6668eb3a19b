/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PARAM_H_
#define _FERRY_PARAM_H_

#include <linux/types.h>

/* Bytes for the value of one device: more than any valid one has */
#define FERRY_PARAM_MAX 48

/**
 * struct ferry_param_entry - an entry of a parameter that is a list
 */
struct ferry_param_entry {
	/** @value: the value, @value_len bytes of the parameter */
	const char *value;

	/** @value_len: bytes of @value */
	size_t value_len;

	/** @address: PCI address, @address_len bytes; NULL if the entry has none */
	const char *address;

	/** @address_len: bytes of @address */
	size_t address_len;
};

size_t ferry_param_parse(const char *list, struct ferry_param_entry *entry);
bool ferry_param_is_for(const struct ferry_param_entry *entry, const char *device);
void ferry_param_get(const char *list, const char *device, char *value, size_t size);

#endif /* _FERRY_PARAM_H_ */
