/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PM_H_
#define _FERRY_PM_H_

#include <linux/pm.h>

struct pci_error_handlers;

extern const struct pci_error_handlers ferry_pm_error_handlers;
extern const struct dev_pm_ops ferry_pm_ops;

#endif /* _FERRY_PM_H_ */
