// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "igt_ferry_pci.h"

bool igt_ferry_pci_has_no_driver(const char *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", device);
	return access(path, F_OK) != 0;
}

void igt_ferry_pci_get_bars(const char *device, struct igt_ferry_pci_bars *bars)
{
	const unsigned long long memory = 0x200, prefetch = 0x2000;
	unsigned long long start, end, flags;
	char path[PATH_MAX];
	FILE *file;

	*bars = (struct igt_ferry_pci_bars){ .best = -1 };
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource",
		 device);
	file = fopen(path, "r");
	for (int i = 0; file && i < 6; i++) {
		if (fscanf(file, "%llx %llx %llx", &start, &end, &flags) != 3)
			break;
		if (!(flags & memory))
			bars->none |= 1u << i;
		else if (flags & prefetch &&
			 end - start + 1 > bars->best_size) {
			bars->best = i;
			bars->best_size = end - start + 1;
		}
	}
	if (file)
		fclose(file);
}

/* Check if a BAR of a device without a driver is memory: the first word keeps what is written. */
static bool bar_stores(const char *device, int bar)
{
	volatile uint32_t *word;
	char path[PATH_MAX];
	uint32_t old;
	bool stores;
	int file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", device);
	igt_ferry_write_file(path, "1");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d",
		 device, bar);
	file = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(file);
	word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	igt_assert(word != MAP_FAILED);
	old = *word;
	*word = 0x5a0ff1ce;
	stores = *word == 0x5a0ff1ce;
	*word = old;
	munmap((void *)word, PAGE);
	return stores;
}

/* Find a device without a driver, with or without a BAR that ferry could use. */
bool igt_ferry_pci_find(enum igt_ferry_pci_kind kind, char *device, size_t size)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	bool found = false;

	igt_assert(dir);
	while (!found && (entry = readdir(dir))) {
		struct igt_ferry_pci_bars bars;

		if (entry->d_name[0] == '.' ||
		    !igt_ferry_pci_has_no_driver(entry->d_name) ||
		    !strcmp(entry->d_name, igt_ferry_module_slot()))
			continue;
		igt_ferry_pci_get_bars(entry->d_name, &bars);
		if (kind == IGT_FERRY_PCI_WITHOUT_BAR)
			found = bars.best < 0;
		else
			found = bars.best_size >= 1 << 20 &&
				(kind == IGT_FERRY_PCI_WITH_BAR ||
				 bar_stores(entry->d_name, bars.best) ==
					 (kind == IGT_FERRY_PCI_WITH_MEMORY));
		if (found)
			snprintf(device, size, "%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

/* Open the card of a PCI device; return -1 if there is none. */
int igt_ferry_pci_open(const char *device)
{
	for (int i = 0; i < 16; i++) {
		char path[64], its_slot[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		igt_ferry_pci_slot(fd, its_slot, sizeof(its_slot));
		if (!strcmp(its_slot, device))
			return fd;
		close(fd);
	}
	return -1;
}
