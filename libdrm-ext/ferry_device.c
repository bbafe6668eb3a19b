// SPDX-License-Identifier: MIT
/* Devices: one for each open file, references, queries. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/kcmp.h>
#include <xf86drm.h>

#include "ferry_priv.h"

#define FERRY_DRIVER_NAME "ferry"

/* New in Linux 6.10: older headers of libc lack it. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif

/* Protects the list, and the transition of a device's refs from one to zero. */
static pthread_mutex_t ferry_devices_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ferry_device *ferry_devices;

/* Number of fork() calls that led to this process since it first opened a device. */
static atomic_uint ferry_generation;
static pthread_once_t ferry_once = PTHREAD_ONCE_INIT;
static int ferry_once_error;

/*
 * In the child of fork(): the mutex can belong to a thread of the parent, which the child
 * does not have. Devices of the parent stay in the list, so that they are recognized.
 */
static void ferry_after_fork(void)
{
	pthread_mutex_init(&ferry_devices_lock, NULL);
	atomic_fetch_add(&ferry_generation, 1);
}

static void ferry_watch_fork(void)
{
	ferry_once_error = -pthread_atfork(NULL, NULL, ferry_after_fork);
}

/* Refuse a device that a parent process opened: both use one set of handles. */
int ferry_device_check(const struct ferry_device *dev)
{
	return dev->generation == atomic_load(&ferry_generation) ? 0 : -EPERM;
}

int ferry_ioctl(const struct ferry_device *dev, unsigned long request,
		void *arg)
{
	int err = ferry_device_check(dev);

	if (err)
		return err;
	return drmIoctl(dev->fd, request, arg) ? -errno : 0;
}

/* For ioctls that wait: a signal handler that was installed without SA_RESTART ends them. */
int ferry_ioctl_fd_once(int fd, unsigned long request, void *arg)
{
	int err;

	do {
		err = ioctl(fd, request, arg) ? -errno : 0;
	} while (err == -EAGAIN);
	return err;
}

int ferry_ioctl_once(const struct ferry_device *dev, unsigned long request,
		     void *arg)
{
	int err = ferry_device_check(dev);

	return err ? err : ferry_ioctl_fd_once(dev->fd, request, arg);
}

/* close() is a cancellation point. */
int ferry_close(int fd)
{
	int state = ferry_cancel_disable();
	int err = close(fd);

	ferry_cancel_restore(state);
	return err;
}

int ferry_copy_out(void *dst, size_t dst_size, const void *src, size_t src_size)
{
	size_t known = dst_size < src_size ? dst_size : src_size;

	if (!dst_size)
		return -EINVAL;

	memcpy(dst, src, known);
	memset((char *)dst + known, 0, dst_size - known);
	return 0;
}

/*
 * Drop a reference and return 0, or return 1 if it is the last one. The caller then takes
 * the lock that lookups hold and drops it. Without that lock a lookup could return an
 * object that is being freed.
 */
int ferry_refs_dec_unless_last(atomic_uint *refs)
{
	unsigned int old = atomic_load(refs);

	while (old > 1) {
		if (atomic_compare_exchange_weak(refs, &old, old - 1))
			return 0;
	}
	return 1;
}

/*
 * Check if two descriptors share one open file, and therefore its handles. Return 1, 0 or
 * -EPERM if the process may not know, because of a seccomp filter.
 */
static int ferry_same_file(int a, int b)
{
	pid_t pid = syscall(SYS_gettid);
	long order = fcntl(a, F_DUPFD_QUERY, b);

	if (order >= 0)
		return order == 1;

	order = syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b);
	if (order >= 0)
		return order == 0;
	return -EPERM;
}

static int ferry_check_driver(int fd)
{
	drmVersionPtr version;
	int err;

	version = drmGetVersion(fd);
	if (!version)
		return errno == ENOMEM ? -ENOMEM : -ENODEV;

	err = strcmp(version->name, FERRY_DRIVER_NAME) ? -ENODEV : 0;
	drmFreeVersion(version);
	return err;
}

int ferry_check_version(uint32_t version)
{
	return version < DRM_FERRY_UAPI_VERSION ? -EOPNOTSUPP : 0;
}

/* Devices on other buses have an empty address. */
static void ferry_find_address(struct ferry_device *dev)
{
	unsigned int domain, bus, slot, function;
	char path[64], target[PATH_MAX];
	const char *name;
	struct stat node;
	ssize_t length;

	if (fstat(dev->fd, &node))
		return;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(node.st_rdev), minor(node.st_rdev));
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return;
	target[length] = 0;
	name = strrchr(target, '/');
	if (name && sscanf(name + 1, "%8x:%2x:%2x.%1x", &domain, &bus, &slot,
			   &function) == 4)
		snprintf(dev->address, sizeof(dev->address),
			 "%04x:%02x:%02x.%x", domain, bus & 0xff, slot & 0xff,
			 function & 0xf);
}

static int ferry_device_create(int fd, uint32_t flags,
			       struct ferry_device **out)
{
	struct ferry_device *dev;
	int err;

	err = ferry_check_driver(fd);
	if (err)
		return err;

	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;

	dev->fd = fd;
	dev->generation = atomic_load(&ferry_generation);
	atomic_init(&dev->refs, 1);
	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_DEVICE_QUERY, &dev->info);
	if (!err)
		err = ferry_check_version(dev->info.version);
	if (!err && flags & FERRY_OPEN_DISPLAY &&
	    !(dev->info.features & DRM_FERRY_FEATURE_DISPLAY))
		err = -EOPNOTSUPP;
	if (!err)
		err = ferry_table_init(&dev->bos);
	if (err) {
		free(dev);
		return err;
	}

	ferry_find_address(dev);
	ferry_cache_init(&dev->cache, flags);
	pthread_mutex_init(&dev->lock, NULL);
	pthread_cond_init(&dev->closed, NULL);
	*out = dev;
	return 0;
}

/* Find the device of an open file. The caller holds the list's mutex. */
static int ferry_device_find(int fd, struct ferry_device **out)
{
	for (struct ferry_device *dev = ferry_devices; dev; dev = dev->next) {
		int same = ferry_same_file(dev->fd, fd);

		if (same < 0)
			return same;
		if (same) {
			*out = dev;
			return ferry_device_check(dev);
		}
	}
	*out = NULL;
	return 0;
}

/* Take ownership of the descriptor, on failure too. */
int ferry_device_adopt(int fd, uint32_t flags, struct ferry_device **out)
{
	struct ferry_device *dev;
	bool is_new = false;
	int err;

	pthread_once(&ferry_once, ferry_watch_fork);
	err = ferry_once_error;
	if (err) {
		ferry_close(fd);
		return err;
	}

	pthread_mutex_lock(&ferry_devices_lock);
	err = ferry_device_find(fd, &dev);
	if (!err && dev) {
		ferry_device_ref(dev);
	} else if (!err) {
		err = ferry_device_create(fd, flags, &dev);
		is_new = !err;
	}
	if (is_new) {
		dev->next = ferry_devices;
		ferry_devices = dev;
	}
	pthread_mutex_unlock(&ferry_devices_lock);

	if (!is_new)
		ferry_close(fd);
	if (!err)
		*out = dev;
	return err;
}

ferry_public struct ferry_device *ferry_device_ref(struct ferry_device *dev)
{
	atomic_fetch_add(&dev->refs, 1);
	return dev;
}

ferry_public void ferry_device_del(struct ferry_device *dev)
{
	struct ferry_device **link;

	if (!dev || !ferry_refs_dec_unless_last(&dev->refs))
		return;

	pthread_mutex_lock(&ferry_devices_lock);
	if (atomic_fetch_sub(&dev->refs, 1) != 1) {
		pthread_mutex_unlock(&ferry_devices_lock);
		return;
	}
	for (link = &ferry_devices; *link != dev; link = &(*link)->next)
		;
	*link = dev->next;
	pthread_mutex_unlock(&ferry_devices_lock);

	/* After fork() a thread that the child does not have can hold the lock. */
	if (!ferry_device_check(dev)) {
		ferry_cache_fini(dev);
		ferry_table_fini(&dev->bos);
		pthread_cond_destroy(&dev->closed);
		pthread_mutex_destroy(&dev->lock);
	}
	ferry_close(dev->fd);
	free(dev);
}

ferry_public int ferry_device_fd(const struct ferry_device *dev)
{
	return dev->fd;
}

ferry_public const char *ferry_device_address(const struct ferry_device *dev)
{
	return dev->address;
}

ferry_public uint32_t ferry_device_uapi_version(const struct ferry_device *dev)
{
	return dev->info.version;
}

ferry_public uint64_t ferry_device_aperture_size(const struct ferry_device *dev)
{
	return dev->info.aperture_size;
}

ferry_public uint32_t
ferry_device_aperture_memtype(const struct ferry_device *dev)
{
	return dev->info.aperture_memtype;
}

ferry_public uint64_t ferry_device_page_sizes(const struct ferry_device *dev)
{
	return dev->info.page_sizes;
}

ferry_public uint64_t ferry_device_max_bo_size(const struct ferry_device *dev)
{
	return dev->info.max_bo_size;
}

ferry_public uint64_t ferry_device_features(const struct ferry_device *dev)
{
	return dev->info.features;
}

ferry_public int ferry_device_query(struct ferry_device *dev,
				    struct drm_ferry_device_query *info,
				    size_t size)
{
	struct drm_ferry_device_query query = { 0 };
	int err;

	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_DEVICE_QUERY, &query);
	if (err)
		return err;

	return ferry_copy_out(info, size, &query, sizeof(query));
}

ferry_public const char *ferry_memtype_name(uint32_t memtype)
{
	switch (memtype) {
	case DRM_FERRY_MEMTYPE_UC:
		return "uncached";
	case DRM_FERRY_MEMTYPE_UC_MINUS:
		return "uncached-minus";
	case DRM_FERRY_MEMTYPE_WC:
		return "write-combining";
	case DRM_FERRY_MEMTYPE_WT:
		return "write-through";
	case DRM_FERRY_MEMTYPE_WP:
		return "write-protected";
	case DRM_FERRY_MEMTYPE_WB:
		return "write-back";
	default:
		return "unknown";
	}
}

ferry_public uint32_t ferry_version(void)
{
	return FERRY_VERSION;
}
