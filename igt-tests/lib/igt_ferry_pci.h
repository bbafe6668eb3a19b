/* SPDX-License-Identifier: MIT */
/* PCI devices that ferry does not drive, and their BARs. */
#ifndef IGT_FERRY_PCI_H
#define IGT_FERRY_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct igt_ferry_pci_bars - the memory BARs of a PCI device
 * @best: number of the largest prefetchable one, or -1
 * @best_size: its bytes
 * @none: mask of those that are not memory at all
 */
struct igt_ferry_pci_bars {
	int best;
	uint64_t best_size;
	unsigned int none;
};

enum igt_ferry_pci_kind {
	IGT_FERRY_PCI_WITHOUT_BAR,
	IGT_FERRY_PCI_WITH_BAR,
	IGT_FERRY_PCI_WITH_MEMORY,
	IGT_FERRY_PCI_WITH_DEAD_BAR,
};

bool igt_ferry_pci_has_no_driver(const char *device);
void igt_ferry_pci_get_bars(const char *device,
			    struct igt_ferry_pci_bars *bars);
bool igt_ferry_pci_find(enum igt_ferry_pci_kind kind, char *device,
			size_t size);
int igt_ferry_pci_open(const char *device);

#endif /* IGT_FERRY_PCI_H */
