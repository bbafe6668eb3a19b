// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "ops_local.h"

uint64_t number(uint32_t v)
{
	static const uint64_t limits[] = {
		0,
		1,
		4095,
		4096,
		4097,
		8192,
		65536,
		1 << 20,
		(2 << 20) - 4096,
		2 << 20,
		(2 << 20) + 4096,
		4 << 20,
		8 << 20,
		16 << 20,
		(16 << 20) + 1,
		1ull << 31,
		(1ull << 31) - 1,
		1ull << 32,
		(1ull << 32) - 1,
		1ull << 60,
		1ull << 63,
		~0ull,
		~0ull - 4095,
		~0ull << 12,
	};

	if (v >> 24 == 0xff)
		return limits[v % (sizeof(limits) / sizeof(limits[0]))];
	/* mostly small: calls with large numbers take long */
	return v >> 23 & 1 ? v & 0x7fffff : v & 0x3ffff;
}

int done(long ret)
{
	return ret < 0 ? errno : 0;
}

int do_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret == -1 && (errno == EINTR || errno == EAGAIN));
	return done(ret);
}

int expect(const char *what, int err, const int *allowed)
{
	static const int always[] = {
		0, ENODEV, EFAULT, EINTR, ENOMEM, EBADF, 0
	};
	unsigned int i;

	for (i = 0; i < 6; i++)
		if (err == always[i])
			return err;
	for (i = 0; allowed[i]; i++)
		if (err == allowed[i])
			return err;
	wrong("%s fails with %d, %s: not one of its errors", what, err,
	      strerror(err));
}

int64_t soon(uint32_t v)
{
	struct timespec now;

	if (v >> 24 == 0xff)
		return v & 1 ? 0 : -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec + v % 2000000;
}
