// SPDX-License-Identifier: MIT
/* Calls that need no device: opening other files, dropping NULL, names of memory types. */

#include <fcntl.h>
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

		CHECK_EQ(ferry_device_open_node(cases[i].path, &dev),
			 cases[i].err);
		CHECK(dev == unchanged);
	}
}

static void descriptors(void)
{
	struct ferry_device *dev = unchanged;
	int fds[2];

	CHECK_EQ(ferry_device_new(-1, &dev), -EBADF);
	CHECK_EQ(ferry_device_new(1000000, &dev), -EBADF);

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(ferry_device_new(fds[0], &dev), -ENODEV);
	CHECK(dev == unchanged);

	/* The library has not closed the descriptors of the caller. */
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(close(fds[1]), 0);
}

static void first_found(void)
{
	struct ferry_device *dev = unchanged;
	int err = ferry_device_open(&dev);

	if (!err) {
		CHECK(ferry_device_aperture_size(dev) > 0);
		ferry_device_del(dev);
		return;
	}
	CHECK_EQ(err, -ENODEV);
	CHECK(dev == unchanged);
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
	RUN(nothing_to_drop);
	RUN(memtype_names);

	CHECK_EQ(count_fds(), fds);
	return 0;
}
