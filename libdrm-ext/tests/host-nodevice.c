// SPDX-License-Identifier: MIT
/* Calls that need no device: opening other files, dropping NULL, names of memory types. */

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static struct ferry_device *const unchanged = (void *)0x1234;

static void paths(void)
{
	static const struct {
		const char *path;
		int err;
	} cases[] = {
		{ "/dev/null", -ENODEV },     { "/dev/zero", -ENODEV },
		{ "/etc/passwd", -ENODEV },   { "/", -ENODEV },
		{ "/no/such/node", -ENOENT }, { "", -ENOENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ferry_device *dev = unchanged;

		CHECK_EQ(ferry_device_open_node(cases[i].path, 0, &dev),
			 cases[i].err);
		CHECK(dev == unchanged);
	}
}

static void descriptors(void)
{
	struct ferry_device *dev = unchanged;
	int fds[2];

	CHECK_EQ(ferry_device_new(-1, 0, &dev), -EBADF);
	CHECK_EQ(ferry_device_new(1000000, 0, &dev), -EBADF);

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(ferry_device_new(fds[0], 0, &dev), -ENODEV);
	CHECK(dev == unchanged);

	/* The library has not closed the descriptors of the caller. */
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(close(fds[1]), 0);
}

static void first_found(void)
{
	struct ferry_device *dev = unchanged;
	int err = ferry_device_open(0, &dev);

	if (!err) {
		CHECK(ferry_device_aperture_size(dev) > 0);
		ferry_device_del(dev);
		return;
	}
	CHECK_EQ(err, -ENODEV);
	CHECK(dev == unchanged);
}

static void by_address(void)
{
	static const struct {
		const char *address;
		int err;
	} cases[] = {
		{ "", -EINVAL },
		{ "0000:00:02", -EINVAL },
		{ "0000:00:02.0 ", -EINVAL },
		{ "card0", -EINVAL },
		{ "ffff:ff:1f.7", -ENODEV },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ferry_device *dev = unchanged;

		CHECK_EQ(ferry_device_open_pci(cases[i].address, 0, &dev),
			 cases[i].err);
		CHECK(dev == unchanged);
	}
}

static void reopen(void)
{
	struct ferry_device *dev = unchanged;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(ferry_device_reopen(-1, 0, &dev), -EBADF);
	CHECK_EQ(ferry_device_reopen(fd, 0, &dev), -ENODEV);
	CHECK(dev == unchanged);
	close(fd);
}

/* Flags of a later version. */
static void unknown_flags(void)
{
	static const uint32_t flags[] = { 1u, 1u << 31, UINT32_MAX };
	struct ferry_device *dev = unchanged;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CHECK_EQ(ferry_device_open(flags[i], &dev), -EINVAL);
		CHECK_EQ(ferry_device_open_pci("0000:00:02.0", flags[i], &dev),
			 -EINVAL);
		CHECK_EQ(ferry_device_open_node("/dev/null", flags[i], &dev),
			 -EINVAL);
		CHECK_EQ(ferry_device_reopen(0, flags[i], &dev), -EINVAL);
		CHECK_EQ(ferry_device_new(0, flags[i], &dev), -EINVAL);
	}
	CHECK(dev == unchanged);
}

static void version(void)
{
	CHECK_EQ(ferry_version(), FERRY_VERSION);
	CHECK_EQ(ferry_version() >> 24, FERRY_VERSION_MAJOR);
	CHECK(FERRY_MAKE_VERSION(1, 9, 9) < FERRY_MAKE_VERSION(1, 10, 0));
	CHECK(FERRY_MAKE_VERSION(1, 4095, 4095) < FERRY_MAKE_VERSION(2, 0, 0));
}

/*
 * A thread that is to be cancelled opens a descriptor that is no ferry device. The library
 * closes its duplicate, and must not end there with its mutex held.
 */
static void *open_pipe(void *fd)
{
	struct ferry_device *dev;

	pthread_cancel(pthread_self());
	ferry_device_new(*(int *)fd, 0, &dev);
	return NULL;
}

static void cancelled(void)
{
	struct ferry_device *dev;
	pthread_t thread;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(pthread_create(&thread, NULL, open_pipe, &fds[0]), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	alarm(10);
	CHECK_EQ(ferry_device_new(fds[0], 0, &dev), -ENODEV);
	alarm(0);
	close(fds[0]);
	close(fds[1]);
}

static void nothing_to_drop(void)
{
	ferry_device_del(NULL);
	ferry_bo_del(NULL);
}

static void memtype_names(void)
{
	CHECK(!strcmp(ferry_memtype_name(DRM_FERRY_MEMTYPE_UC), "uncached"));
	CHECK(!strcmp(ferry_memtype_name(DRM_FERRY_MEMTYPE_WC),
		      "write-combining"));
	CHECK(!strcmp(ferry_memtype_name(DRM_FERRY_MEMTYPE_WB), "write-back"));
	CHECK(!strcmp(ferry_memtype_name(6), "unknown"));
	CHECK(!strcmp(ferry_memtype_name(UINT32_MAX), "unknown"));

	for (uint32_t a = 0; a <= DRM_FERRY_MEMTYPE_WB; a++) {
		CHECK(strcmp(ferry_memtype_name(a), "unknown"));
		for (uint32_t b = 0; b < a; b++)
			CHECK(strcmp(ferry_memtype_name(a),
				     ferry_memtype_name(b)));
	}
}

int main(void)
{
	int fds = count_fds();

	RUN(paths);
	RUN(descriptors);
	RUN(first_found);
	RUN(by_address);
	RUN(reopen);
	RUN(unknown_flags);
	RUN(version);
	RUN(cancelled);
	RUN(nothing_to_drop);
	RUN(memtype_names);

	CHECK_EQ(count_fds(), fds);
	return 0;
}
