/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_IVSHMEM_H_
#define _FERRY_IVSHMEM_H_

#include <linux/kconfig.h>
#include <linux/types.h>

struct pci_dev;
struct pci_driver;

/* QEMU's ivshmem */
#define FERRY_IVSHMEM_VENDOR 0x1af4
#define FERRY_IVSHMEM_DEVICE 0x1110

int ferry_ivshmem_init(void);
bool ferry_ivshmem_is(struct pci_dev *pdev);
bool ferry_ivshmem_may_use(struct pci_dev *pdev, struct pci_driver *driver);
#if IS_ENABLED(CONFIG_KUNIT)
int ferry_ivshmem_match(const char *param, const char *name);
#endif

#endif /* _FERRY_IVSHMEM_H_ */
