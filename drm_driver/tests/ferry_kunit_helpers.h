/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_KUNIT_HELPERS_H_
#define _FERRY_KUNIT_HELPERS_H_

#include <linux/types.h>

struct drm_file;
struct ferry_bo;
struct ferry_device;
struct kunit;

struct ferry_device *ferry_kunit_device(struct kunit *test, u64 aperture_size);
struct ferry_device *ferry_kunit_device_with_memory(struct kunit *test, unsigned int order);
struct drm_file *ferry_kunit_open(struct kunit *test, struct ferry_device *ferry);
u32 ferry_kunit_create(struct kunit *test, struct ferry_device *ferry, struct drm_file *file,
		       u64 size, u32 placements, u32 placement);
struct ferry_bo *ferry_kunit_lookup(struct kunit *test, struct drm_file *file, u32 handle);
void ferry_kunit_pin(struct ferry_bo *bo, bool pin);

#endif /* _FERRY_KUNIT_HELPERS_H_ */
