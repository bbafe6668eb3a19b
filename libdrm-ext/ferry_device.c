// SPDX-License-Identifier: MIT
/* Devices: finding, opening, queries. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

int ferry_ioctl(const struct ferry_device *dev, unsigned long request,
		void *arg)
{
	return drmIoctl(dev->fd, request, arg) ? -errno : 0;
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

/* Check if two descriptors share one open file, and therefore its handles. */
static bool ferry_same_file(int a, int b)
{
	pid_t pid = getpid();
	long order;

	/* Each kernel with DRM has kcmp(), but a seccomp filter can forbid it. */
	order = syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b);
	if (order >= 0)
		return order == 0;

	return fcntl(a, F_DUPFD_QUERY, b) == 1;
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

static int ferry_device_create(int fd, struct ferry_device **out)
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
	atomic_init(&dev->refs, 1);
	pthread_mutex_init(&dev->lock, NULL);

	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_DEVICE_QUERY, &dev->info);
	if (err) {
		pthread_mutex_destroy(&dev->lock);
		free(dev);
		return err;
	}

	*out = dev;
	return 0;
}

/* Take ownership of the descriptor, on failure too. */
static int ferry_device_adopt(int fd, struct ferry_device **out)
{
	struct ferry_device *dev;
	int err = 0;

	pthread_mutex_lock(&ferry_devices_lock);
	for (dev = ferry_devices; dev; dev = dev->next) {
		if (ferry_same_file(dev->fd, fd))
			break;
	}
	if (dev) {
		ferry_device_ref(dev);
		close(fd);
	} else {
		err = ferry_device_create(fd, &dev);
		if (err) {
			close(fd);
		} else {
			dev->next = ferry_devices;
			ferry_devices = dev;
		}
	}
	pthread_mutex_unlock(&ferry_devices_lock);

	if (!err)
		*out = dev;
	return err;
}

ferry_public int ferry_device_new(int fd, struct ferry_device **dev)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		return -errno;

	return ferry_device_adopt(own, dev);
}

ferry_public int ferry_device_open_node(const char *path,
					struct ferry_device **dev)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	/* Errors of open(2) for nodes without a driver and for directories. */
	if (fd < 0)
		return errno == ENXIO || errno == EISDIR ? -ENODEV : -errno;

	return ferry_device_adopt(fd, dev);
}

static int ferry_open_best_node(drmDevicePtr node, struct ferry_device **dev)
{
	static const int kinds[] = { DRM_NODE_RENDER, DRM_NODE_PRIMARY };
	int err = -ENODEV;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!(node->available_nodes & (1 << kinds[i])))
			continue;
		err = ferry_device_open_node(node->nodes[kinds[i]], dev);
		/* Both nodes have the same driver: do not try the other one. */
		if (!err || err == -ENODEV)
			break;
	}
	return err;
}

ferry_public int ferry_device_open(struct ferry_device **dev)
{
	drmDevicePtr *nodes;
	int count, err = -ENODEV;

	count = drmGetDevices2(0, NULL, 0);
	if (count <= 0)
		return count == -ENOMEM ? -ENOMEM : -ENODEV;

	nodes = calloc(count, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;

	count = drmGetDevices2(0, nodes, count);
	for (int i = 0; i < count; i++) {
		int ret = ferry_open_best_node(nodes[i], dev);

		if (!ret || err == -ENODEV)
			err = ret;
		if (!ret)
			break;
	}

	if (count > 0)
		drmFreeDevices(nodes, count);
	free(nodes);
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

	close(dev->fd);
	ferry_table_fini(&dev->bos);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

ferry_public int ferry_device_fd(const struct ferry_device *dev)
{
	return dev->fd;
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
