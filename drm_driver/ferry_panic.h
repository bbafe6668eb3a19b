/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PANIC_H_
#define _FERRY_PANIC_H_

struct drm_scanout_buffer;
struct ferry_bar;
struct ferry_dispi;

int ferry_panic_get_buffer(const struct ferry_bar *bar, struct ferry_dispi *dispi,
			   struct drm_scanout_buffer *buffer);

#endif /* _FERRY_PANIC_H_ */
