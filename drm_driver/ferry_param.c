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
 * ferry_param_get - get the value of a module parameter for one device
 * @list: the parameter
 * @device: PCI address of the device
 * @value: the default; replaced if @list has a value for the device, which is cut off if it is
 * too long
 * @size: bytes of @value
 */
void ferry_param_get(const char *list, const char *device, char *value, size_t size)
{
	bool named = false;

	while (*list) {
		size_t len = strcspn(list, ",");
		size_t value_len = strcspn(list, "@,");
		const char *address = list + value_len + 1;
		bool all = value_len == len;
		bool mine = !all && len - value_len - 1 == strlen(device) &&
			    !strncmp(address, device, strlen(device));

		if (mine || (all && !named)) {
			strscpy(value, list, min(value_len + 1, size));
			named = mine;
		}
		list += len;
		if (*list)
			list++;
	}
}
EXPORT_SYMBOL_IF_KUNIT(ferry_param_get);
