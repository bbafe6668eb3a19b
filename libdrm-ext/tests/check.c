// SPDX-License-Identifier: MIT
/* See check.h. */

#include "check.h"

struct ferry_device *open_or_skip(void)
{
	struct ferry_device *dev;
	int err = ferry_device_open(FERRY_OPEN_NO_CACHE, &dev);

	/* Do not take a device that the library fails to find for a missing one. */
	if (err == -ENODEV && !device_is_bound()) {
		printf("SKIP: no PCI device is bound to the driver ferry\n");
		exit(EXIT_SKIP);
	}
	CHECK_OK(err);
	return dev;
}

struct ferry_bo *new_bo(struct ferry_device *dev, uint64_t size, uint32_t flags)
{
	struct ferry_bo *bo;

	CHECK_OK(ferry_bo_new(dev, size, ANYWHERE, flags, &bo));
	return bo;
}

void *map_bo(struct ferry_bo *bo)
{
	void *map;

	CHECK_OK(ferry_bo_map(bo, 0, &map));
	return map;
}

uint32_t placement_of(struct ferry_bo *bo)
{
	struct drm_ferry_bo_query info;

	CHECK_OK(ferry_bo_query(bo, &info, sizeof(info)));
	return info.placement;
}
