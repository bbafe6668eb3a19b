/* SPDX-License-Identifier: MIT */
/* vgem, the kernel's exporter of dma-bufs with fences that a program controls. */
#ifndef CHECK_VGEM_H_
#define CHECK_VGEM_H_

#include <stdbool.h>
#include <stdint.h>

/* Return the open device of vgem, or -1 if the kernel has none. */
int vgem_open(void);
/* Create a BO of vgem and return its dma-buf. */
int vgem_dmabuf(int vgem, uint64_t size, uint32_t *handle);
/*
 * Attach a fence to a handle of vgem, of a write or a read. It signals at vgem_signal(), when
 * @vgem is closed, or after 10 seconds.
 */
uint32_t vgem_attach(int vgem, uint32_t handle, bool write);
void vgem_signal(int vgem, uint32_t fence);
/* Return a sync file with such a fence, of a write, and the fence in *@fence. */
int vgem_late_fence(int vgem, uint32_t *fence);

#endif /* CHECK_VGEM_H_ */
