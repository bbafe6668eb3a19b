// SPDX-License-Identifier: MIT
/* See device.h. */

#include "device.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libdrm_ferry/ferry.h>

#include "file.h"

/* Flags in the file resource of sysfs, as in linux/ioport.h */
#define RESOURCE_MEM 0x200
#define RESOURCE_PREFETCH 0x2000
#define BARS 6

/* The ids in the driver's table. */
static const struct {
	uint32_t vendor, id;
	const char *kind;
} known_ids[] = {
	{ 0x1234, 0x1111, "QEMU display" },
	{ 0x1af4, 0x1110, "ivshmem" },
};

static const char *kind_of(const struct device *dev)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(known_ids); i++)
		if (known_ids[i].vendor == dev->vendor &&
		    known_ids[i].id == dev->id)
			return known_ids[i].kind;
	return NULL;
}

const char *device_kind(const struct device *dev)
{
	const char *kind = kind_of(dev);

	return kind ? kind : "PCI device";
}

bool device_is_display(const struct device *dev)
{
	return dev->vendor == 0x1234 && dev->id == 0x1111;
}

bool device_is_ivshmem(const struct device *dev)
{
	return dev->vendor == 0x1af4 && dev->id == 0x1110;
}

bool device_is_bound(const struct device *dev)
{
	return !strcmp(dev->driver, "ferry");
}

static void find_bar(struct device *dev)
{
	unsigned long long start, end, flags;
	char *text, *line;

	dev->bar = -1;
	dev->bar_start = dev->bar_size = 0;
	if (file_read(&text, SYSFS_PCI "/devices/%s/resource", dev->address) <
	    0)
		return;
	line = text;
	for (int i = 0; i < BARS && line && *line; i++) {
		if (sscanf(line, "%llx %llx %llx", &start, &end, &flags) == 3 &&
		    (flags & RESOURCE_MEM) && (flags & RESOURCE_PREFETCH) &&
		    end > start && end - start + 1 > dev->bar_size) {
			dev->bar = i;
			dev->bar_start = start;
			dev->bar_size = end - start + 1;
		}
		line = strchr(line, '\n');
		line += !!line;
	}
	free(text);
}

static void find_nodes(struct device *dev)
{
	char path[FILE_PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	dev->card = dev->render = -1;
	dir = opendir(
		file_path(path, SYSFS_PCI "/devices/%s/drm", dev->address));
	while (dir && (entry = readdir(dir))) {
		sscanf(entry->d_name, "card%d", &dev->card);
		sscanf(entry->d_name, "renderD%d", &dev->render);
	}
	if (dir)
		closedir(dir);
}

bool device_update(struct device *dev)
{
	if (!file_exists(SYSFS_PCI "/devices/%s/vendor", dev->address))
		return false;
	dev->vendor =
		file_number(0, SYSFS_PCI "/devices/%s/vendor", dev->address);
	dev->id = file_number(0, SYSFS_PCI "/devices/%s/device", dev->address);
	dev->class =
		file_number(0, SYSFS_PCI "/devices/%s/class", dev->address);
	file_link(dev->driver, sizeof(dev->driver),
		  SYSFS_PCI "/devices/%s/driver", dev->address);
	file_line(dev->override, sizeof(dev->override),
		  SYSFS_PCI "/devices/%s/driver_override", dev->address);
	if (!strcmp(dev->override, "(null)"))
		dev->override[0] = 0;
	dev->known = kind_of(dev);
	find_nodes(dev);
	find_bar(dev);
	return true;
}

static int is_address(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

void device_get_all(struct device_list *list)
{
	struct dirent **entries;
	char path[FILE_PATH_MAX];
	int count;

	list->count = 0;
	count = scandir(file_path(path, SYSFS_PCI "/devices"), &entries,
			is_address, alphasort);
	list->at = calloc(count > 0 ? count : 1, sizeof(*list->at));
	if (!list->at)
		return;
	for (int i = 0; i < count; i++) {
		struct device *dev = &list->at[list->count];

		snprintf(dev->address, sizeof(dev->address), "%.31s",
			 entries[i]->d_name);
		list->count += device_update(dev);
	}
}

/* Whether @name, which a user has typed, is an address or a node of the device. */
static bool is_named(const struct device *dev, const char *name)
{
	char node[64];

	if (!strcmp(dev->address, name) ||
	    (!strncmp(dev->address, "0000:", 5) &&
	     !strcmp(dev->address + 5, name)))
		return true;
	if (!strncmp(name, "/dev/dri/", 9))
		name += 9;
	snprintf(node, sizeof(node), "card%d", dev->card);
	if (dev->card >= 0 && !strcmp(node, name))
		return true;
	snprintf(node, sizeof(node), "renderD%d", dev->render);
	return dev->render >= 0 && !strcmp(node, name);
}

static enum ctl_status find_only(const struct device_list *list, bool bound,
				 struct device *dev)
{
	unsigned int candidates = 0;

	for (unsigned int i = 0; i < list->count; i++) {
		if (device_is_bound(&list->at[i]) != bound ||
		    (!bound && !list->at[i].known))
			continue;
		*dev = list->at[i];
		candidates++;
	}
	if (candidates == 1)
		return CTL_OK;
	if (candidates)
		return ctl_fail(CTL_USAGE,
				"name one of them; ferryctl list prints them",
				"there are %u devices that %s", candidates,
				bound ? "ferry drives" : "ferry could drive");
	return ctl_fail(
		CTL_NO_DEVICE,
		bound ? "ferryctl doctor says why" :
			"ferryctl list --all prints all devices with memory",
		"there is no device that %s",
		bound ? "ferry drives" :
			"ferry knows and does not drive already");
}

enum ctl_status device_find(const char *name, bool bound, struct device *dev)
{
	struct device_list list;

	device_get_all(&list);
	if (!name)
		return find_only(&list, bound, dev);

	for (unsigned int i = 0; i < list.count; i++) {
		if (!is_named(&list.at[i], name))
			continue;
		*dev = list.at[i];
		if (!bound || device_is_bound(dev))
			return CTL_OK;
		return ctl_fail(CTL_NO_DEVICE,
				"ferryctl bind hands it to ferry",
				"%s is driven by %s, and not by ferry",
				dev->address,
				*dev->driver ? dev->driver : "no driver");
	}
	return ctl_fail(CTL_NO_DEVICE,
			"ferryctl list --all prints the addresses",
			"there is no device '%s'", name);
}

void device_node(const struct device *dev, char *path, size_t size)
{
	if (dev->render >= 0)
		snprintf(path, size, "/dev/dri/renderD%d", dev->render);
	else
		snprintf(path, size, "/dev/dri/card%d", dev->card);
}

/* The names that the driver uses in debugfs. */
static const char *memtype_name(uint32_t memtype)
{
	static const char *const names[] = {
		[DRM_FERRY_MEMTYPE_UC] = "uncached",
		[DRM_FERRY_MEMTYPE_UC_MINUS] = "uncached-minus",
		[DRM_FERRY_MEMTYPE_WC] = "write-combining",
		[DRM_FERRY_MEMTYPE_WT] = "write-through",
		[DRM_FERRY_MEMTYPE_WP] = "write-protected",
		[DRM_FERRY_MEMTYPE_WB] = "write-back",
	};

	return memtype < ARRAY_SIZE(names) ? names[memtype] : "unknown";
}

static int query_aperture(const struct device *dev,
			  struct device_aperture *aperture)
{
	struct drm_ferry_device_query info;
	struct ferry_device *ferry;
	char path[64];
	int err;

	if (file_has_root())
		return -ENOENT;
	device_node(dev, path, sizeof(path));
	err = ferry_device_open_node(path, 0, &ferry);
	if (err)
		return err;
	err = ferry_device_query(ferry, &info, sizeof(info));
	ferry_device_del(ferry);
	if (err)
		return err;
	aperture->bar = dev->bar;
	aperture->base = dev->bar_start;
	aperture->size = info.aperture_size;
	aperture->free = info.aperture_free;
	snprintf(aperture->requested, MEMTYPE_MAX, "%s",
		 memtype_name(info.aperture_memtype_requested));
	snprintf(aperture->effective, MEMTYPE_MAX, "%s",
		 memtype_name(info.aperture_memtype));
	if (info.aperture_memtype != info.aperture_memtype_requested)
		snprintf(aperture->reason, sizeof(aperture->reason),
			 "run as root to see why");
	return 0;
}

int device_get_aperture(const struct device *dev,
			struct device_aperture *aperture)
{
	char *text;
	int ret;

	memset(aperture, 0, sizeof(*aperture));
	ret = file_read(&text, DEBUGFS_DRI "/%d/ferry_aperture", dev->card);
	if (ret < 0)
		return query_aperture(dev, aperture);

	aperture->bar = file_field_number(text, "bar");
	aperture->base = file_field_number(text, "base");
	aperture->size = file_field_number(text, "size");
	aperture->free = file_field_number(text, "free");
	file_field_copy(aperture->preferred, MEMTYPE_MAX, text, "preferred");
	file_field_copy(aperture->requested, MEMTYPE_MAX, text, "requested");
	file_field_copy(aperture->effective, MEMTYPE_MAX, text, "effective");
	file_field_copy(aperture->reason, sizeof(aperture->reason), text,
			"reason");
	free(text);
	return aperture->size ? 0 : -EINVAL;
}

enum ctl_status device_read(const struct device *dev, const char *file,
			    char **text)
{
	char path[FILE_PATH_MAX];
	int ret = file_read(text, DEBUGFS_DRI "/%d/%s", dev->card, file);

	file_path(path, DEBUGFS_DRI "/%d/%s", dev->card, file);
	return ret < 0 ? ctl_fail_read(path, ret) : CTL_OK;
}
