// SPDX-License-Identifier: MIT
/* Finding ferry devices and opening their nodes. */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>

#include "ferry_priv.h"

#define FERRY_OPEN_FLAGS (FERRY_OPEN_DISPLAY | FERRY_OPEN_NO_CACHE)
#define SYSFS_DRIVER "/sys/bus/pci/drivers/ferry"
#define SYSFS_DEVICES "/sys/bus/pci/devices"

/* Keep out of the way of standard input, output and error, which can be closed. */
static int ferry_open_above_stderr(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return high;
}

static int ferry_open_path(const char *path, uint32_t flags,
			   struct ferry_device **dev)
{
	int fd = ferry_open_above_stderr(path);

	/* Errors of open(2) for nodes without a driver and for directories. */
	if (fd < 0)
		return errno == ENXIO || errno == EISDIR ? -ENODEV : -errno;

	/* The first to open a primary node becomes DRM master, and would keep others from it. */
	if (!(flags & FERRY_OPEN_DISPLAY))
		drmDropMaster(fd);

	return ferry_device_adopt(fd, flags, dev);
}

/* Choose the node of a PCI device: the first whose name begins with @prefix. */
static int ferry_find_node(const char *directory, const char *prefix,
			   char *path, size_t size)
{
	DIR *dir = opendir(directory);
	int err = -ENODEV;
	struct dirent *entry;

	if (!dir)
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ?
			       -errno :
			       -ENODEV;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, size, "/dev/dri/%.32s", entry->d_name);
		err = 0;
		break;
	}
	closedir(dir);
	return err;
}

static int ferry_open_address(const char *address, uint32_t flags,
			      struct ferry_device **dev)
{
	unsigned int domain, bus, slot, function;
	char directory[96], driver[96], path[64];
	int err, end = 0;

	if (sscanf(address, "%8x:%2x:%2x.%1x%n", &domain, &bus, &slot,
		   &function, &end) != 4 ||
	    address[end])
		return -EINVAL;

	/* Do not open devices of other drivers: that can resume a suspended one. */
	snprintf(driver, sizeof(driver), SYSFS_DRIVER "/%04x:%02x:%02x.%x",
		 domain, bus, slot, function);
	if (access(driver, F_OK))
		return -ENODEV;

	snprintf(directory, sizeof(directory),
		 SYSFS_DEVICES "/%04x:%02x:%02x.%x/drm", domain, bus, slot,
		 function);
	err = -ENODEV;
	if (!(flags & FERRY_OPEN_DISPLAY))
		err = ferry_find_node(directory, "renderD", path, sizeof(path));
	if (err == -ENODEV)
		err = ferry_find_node(directory, "card", path, sizeof(path));
	return err ? err : ferry_open_path(path, flags, dev);
}

static int ferry_is_address(const struct dirent *entry)
{
	return isxdigit((unsigned char)entry->d_name[0]) &&
	       strchr(entry->d_name, ':');
}

static int ferry_by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int ferry_open_first(uint32_t flags, struct ferry_device **dev)
{
	struct dirent **found;
	int count, err = -ENODEV;

	count = scandir(SYSFS_DRIVER, &found, ferry_is_address, ferry_by_name);
	if (count < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;

	for (int i = 0; i < count; i++) {
		int ret = 1;

		/* Report the first device that is there and cannot be opened. */
		if (err)
			ret = ferry_open_address(found[i]->d_name, flags, dev);
		if (!ret)
			err = 0;
		else if (ret < 0 && ret != -EOPNOTSUPP && err == -ENODEV)
			err = ret;
		free(found[i]);
	}
	free(found);
	return err;
}

ferry_public int ferry_device_open(uint32_t flags, struct ferry_device **dev)
{
	int state, err;

	if (flags & ~FERRY_OPEN_FLAGS)
		return -EINVAL;

	state = ferry_cancel_disable();
	err = ferry_open_first(flags, dev);
	ferry_cancel_restore(state);
	return err;
}

ferry_public int ferry_device_open_pci(const char *address, uint32_t flags,
				       struct ferry_device **dev)
{
	int state, err;

	if (flags & ~FERRY_OPEN_FLAGS)
		return -EINVAL;

	state = ferry_cancel_disable();
	err = ferry_open_address(address, flags, dev);
	ferry_cancel_restore(state);
	return err;
}

ferry_public int ferry_device_open_node(const char *path, uint32_t flags,
					struct ferry_device **dev)
{
	int state, err;

	if (flags & ~FERRY_OPEN_FLAGS)
		return -EINVAL;

	state = ferry_cancel_disable();
	err = ferry_open_path(path, flags, dev);
	ferry_cancel_restore(state);
	return err;
}

ferry_public int ferry_device_reopen(int fd, uint32_t flags,
				     struct ferry_device **dev)
{
	int state, err;
	char *path;

	if (flags & ~FERRY_OPEN_FLAGS)
		return -EINVAL;

	state = ferry_cancel_disable();
	path = drmGetDeviceNameFromFd2(fd);
	if (path)
		err = ferry_open_path(path, flags, dev);
	else
		err = errno == EBADF || errno == ENOMEM ? -errno : -ENODEV;
	free(path);
	ferry_cancel_restore(state);
	return err;
}

ferry_public int ferry_device_new(int fd, uint32_t flags,
				  struct ferry_device **dev)
{
	int own;

	if (flags & ~FERRY_OPEN_FLAGS)
		return -EINVAL;

	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -errno;

	return ferry_device_adopt(own, flags, dev);
}
