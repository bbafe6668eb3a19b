// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/string.h>

#include <kunit/visibility.h>

#include "ferry_compat.h"
#include "ferry_ivshmem.h"
#include "ferry_param.h"

/**
 * DOC: ivshmem
 *
 * The memory of an ivshmem device is shared with other virtual machines and with the host.
 * On such a device, ferry would clear and move their data, and claiming the BAR would keep
 * programs from mapping it. Therefore ferry binds to an ivshmem device only if the user asks
 * for it: with the module parameter ivshmem, or by writing "ferry" to the device's
 * driver_override file.
 */

static char *ivshmem = "";
module_param(ivshmem, charp, 0444);
MODULE_PARM_DESC(ivshmem,
		 "Which ivshmem devices to use, whose memory then belongs to ferry alone: memory for all, or a list of memory@ADDRESS with PCI addresses (default: none)");

/* Checks @param, and if it names the device @name. Returns 1 if so, 0 if not, or -EINVAL. */
VISIBLE_IF_KUNIT
int ferry_ivshmem_match(const char *param, const char *name)
{
	static const char purpose[] = "memory";
	struct ferry_param_entry entry;
	int found = 0;

	while (*param) {
		param += ferry_param_parse(param, &entry);
		if (entry.value_len != sizeof(purpose) - 1 ||
		    strncmp(entry.value, purpose, entry.value_len))
			return -EINVAL;
		if (entry.address && !entry.address_len)
			return -EINVAL;
		if (!entry.address || ferry_param_is_for(&entry, name))
			found = 1;
		if (*param && !*++param)
			return -EINVAL;
	}

	return found;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ivshmem_match);

/**
 * ferry_ivshmem_init - check the module parameter
 *
 * Return: 0 or -EINVAL.
 */
int ferry_ivshmem_init(void)
{
	int ret = ferry_ivshmem_match(ivshmem, "");

	if (ret >= 0)
		return 0;

	pr_err("ferry: ivshmem=%s is neither memory nor a list of memory@ADDRESS\n", ivshmem);
	return ret;
}

/**
 * ferry_ivshmem_is - check if a device is QEMU's ivshmem
 * @pdev: the device
 *
 * Return: true if it is. Its BAR is memory of the host, which the host maps cached.
 */
bool ferry_ivshmem_is(struct pci_dev *pdev)
{
	return pdev->vendor == FERRY_IVSHMEM_VENDOR && pdev->device == FERRY_IVSHMEM_DEVICE;
}

/**
 * ferry_ivshmem_may_use - check if the user lets ferry use a device
 * @pdev: the device, about to be bound
 * @driver: ferry's driver
 *
 * Return: true if it is no ivshmem device, or the user has said what it is for. Else logs how
 * to do that.
 */
bool ferry_ivshmem_may_use(struct pci_dev *pdev, struct pci_driver *driver)
{
	if (!ferry_ivshmem_is(pdev) || ferry_ivshmem_match(ivshmem, pci_name(pdev)) > 0 ||
	    ferry_compat_is_override(pdev, driver))
		return true;

	pci_info(pdev, "ferry leaves this shared memory alone: to let ferry clear and use it, load ferry with ivshmem=memory@%s\n",
		 pci_name(pdev));
	return false;
}
