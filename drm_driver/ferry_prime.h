/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PRIME_H_
#define _FERRY_PRIME_H_

struct drm_gem_object;
struct ferry_bo;
struct iosys_map;

int ferry_prime_to_system(struct ferry_bo *bo);
int ferry_prime_vmap(struct drm_gem_object *obj, struct iosys_map *map);
void ferry_prime_vunmap(struct drm_gem_object *obj, struct iosys_map *map);

#endif /* _FERRY_PRIME_H_ */
