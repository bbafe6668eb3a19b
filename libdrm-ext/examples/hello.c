// SPDX-License-Identifier: MIT
/*
 * Write to a BO, move it to the aperture while it is mapped, and read it through
 * the same mapping.
 *
 *   cc hello.c $(pkg-config --cflags --libs libdrm_ferry) -o hello
 */
#include <libdrm_ferry/ferry.h>
#include <stdio.h>
#include <string.h>

static const char *where(struct ferry_bo *bo)
{
	struct drm_ferry_bo_query info;

	if (ferry_bo_query(bo, &info, sizeof(info)))
		return "an unknown place";
	return info.placement == DRM_FERRY_PLACEMENT_APERTURE ? "the aperture" :
								"system memory";
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

int main(void)
{
	const uint32_t anywhere = DRM_FERRY_PLACEMENT_SYSTEM |
				  DRM_FERRY_PLACEMENT_APERTURE;
	struct ferry_device *dev;
	struct ferry_bo *bo;
	void *text;
	int err;

	err = ferry_device_open(0, &dev);
	if (err)
		return fail("cannot open a ferry device", err);
	err = ferry_bo_new(dev, 4096, anywhere, 0, &bo);
	if (err)
		return fail("cannot create a BO", err);
	err = ferry_bo_map(bo, 0, &text);
	if (err)
		return fail("cannot map the BO", err);

	strcpy(text, "hello");
	printf("in %s: %s\n", where(bo), (char *)text);

	err = ferry_bo_migrate(bo, DRM_FERRY_PLACEMENT_APERTURE);
	if (err)
		return fail("cannot move the BO", err);
	printf("in %s: %s\n", where(bo), (char *)text);

	ferry_bo_del(bo);
	ferry_device_del(dev);
	return 0;
}
