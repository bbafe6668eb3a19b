/* SPDX-License-Identifier: MIT */
/* PCI devices that ferry drives or could drive. */
#ifndef DEVICE_H_
#define DEVICE_H_

#include <stdbool.h>
#include <stdint.h>

#include "ctl.h"

#define SYSFS_PCI "/sys/bus/pci"
#define DEBUGFS_DRI "/sys/kernel/debug/dri"
#define MEMTYPE_MAX 24

struct device {
	/** @address: domain:bus:slot.function */
	char address[32];
	uint32_t vendor, id, class;
	/** @driver: its driver, or "" */
	char driver[64];
	/** @override: contents of driver_override, or "" */
	char override[64];
	/** @card, @render: numbers of its nodes in /dev/dri, or -1 */
	int card, render;
	/** @bar: index of its largest prefetchable memory BAR, or -1 */
	int bar;
	uint64_t bar_start, bar_size;
	/** @known: ferry has its id */
	bool known;
};

struct device_list {
	struct device *at;
	unsigned int count;
};

/* The aperture of a device, as its driver reports it. */
struct device_aperture {
	uint64_t base, size, free;
	int bar;
	/* Memory types: the one that ferry would like best, and those of the mapping */
	char preferred[MEMTYPE_MAX], requested[MEMTYPE_MAX];
	char effective[MEMTYPE_MAX];
	/** @reason: why they differ, or "" */
	char reason[128];
};

/* Get all PCI devices, sorted by address. Frees nothing: the program ends soon. */
void device_get_all(struct device_list *list);
bool device_is_bound(const struct device *dev);
const char *device_kind(const struct device *dev);
/* Whether it is a display of QEMU, which bochs drives as well, or an ivshmem device. */
bool device_is_display(const struct device *dev);
bool device_is_ivshmem(const struct device *dev);
/* Read the present state of a device again. Returns false if it is gone. */
bool device_update(struct device *dev);

/**
 * device_find() - find the device that a command names
 * @name: a PCI address, with or without domain, or a node of /dev/dri, or NULL
 * @bound: only look at devices that ferry drives
 * @dev: out: the device
 *
 * Without @name there must be exactly one candidate: a device that ferry drives, or with
 * @bound false a device that ferry knows and does not drive.
 *
 * Returns: CTL_OK, or another status after a message.
 */
enum ctl_status device_find(const char *name, bool bound, struct device *dev);

/* Get the aperture from debugfs, or with less detail from the render node. 0 or an errno. */
int device_get_aperture(const struct device *dev,
			struct device_aperture *aperture);

/* Read a debugfs file of a device; fails with a message. */
enum ctl_status device_read(const struct device *dev, const char *file,
			    char **text);

/* Path of the node to open, such as /dev/dri/renderD128. */
void device_node(const struct device *dev, char *path, size_t size);

#endif /* DEVICE_H_ */
