/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PRIME_H_
#define _FERRY_PRIME_H_

struct drm_gem_object;
struct iosys_map;
struct sg_table;

int ferry_prime_pin(struct drm_gem_object *obj);
void ferry_prime_unpin(struct drm_gem_object *obj);
struct sg_table *ferry_prime_get_sg_table(struct drm_gem_object *obj);
int ferry_prime_vmap(struct drm_gem_object *obj, struct iosys_map *map);
void ferry_prime_vunmap(struct drm_gem_object *obj, struct iosys_map *map);

#endif /* _FERRY_PRIME_H_ */
