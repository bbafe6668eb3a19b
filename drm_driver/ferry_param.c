// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/minmax.h>
#include <linux/string.h>

#include <kunit/visibility.h>

#include "ferry_param.h"

/**
 * DOC: Module parameters
 *
 * A parameter that describes a device is a list of values, separated by commas: VALUE is for all
 * devices, VALUE\@ADDRESS for the device with this PCI address. The value with the address of a
 * device takes precedence over those without an address.
 */

/**
 * ferry_param_parse - parse the first entry of a list
 * @list: the rest of the parameter
 * @entry: filled in
 *
 * Return: bytes of the entry, without the comma after it.
 */
size_t ferry_param_parse(const char *list, struct ferry_param_entry *entry)
{
	size_t len = strcspn(list, ",");

	*entry = (struct ferry_param_entry) { .value = list, .value_len = strcspn(list, "@,") };
	if (entry->value_len < len) {
		entry->address = list + entry->value_len + 1;
		entry->address_len = len - entry->value_len - 1;
	}
	return len;
}

/**
 * ferry_param_is_for - check if an entry names a device
 * @entry: the entry
 * @device: PCI address of the device
 *
 * Return: true if its address is that of the device.
 */
bool ferry_param_is_for(const struct ferry_param_entry *entry, const char *device)
{
	return entry->address && entry->address_len == strlen(device) &&
	       !strncmp(entry->address, device, entry->address_len);
}

/**
 * ferry_param_get - get the value of a module parameter for one device
 * @list: the parameter
 * @device: PCI address of the device
 * @value: the default; replaced if @list has a value for the device, which is cut off if it is
 * too long
 * @size: bytes of @value
 */
void ferry_param_get(const char *list, const char *device, char *value, size_t size)
{
	struct ferry_param_entry entry;
	bool named = false;

	while (*list) {
		list += ferry_param_parse(list, &entry);
		if (ferry_param_is_for(&entry, device) || (!entry.address && !named)) {
			strscpy(value, entry.value, min(entry.value_len + 1, size));
			named = entry.address;
		}
		if (*list)
			list++;
	}
}
EXPORT_SYMBOL_IF_KUNIT(ferry_param_get);
