/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_DMA_H_
#define _FERRY_DMA_H_

#include <linux/dma-direction.h>
#include <linux/list.h>

#include "ferry_device.h"

struct device;
struct sg_table;

bool ferry_dma_can_reach(struct ferry_device *ferry, struct device *dev);
struct sg_table *ferry_dma_map(struct ferry_bo *bo, struct device *dev,
			       enum dma_data_direction dir);
void ferry_dma_unmap(struct ferry_bo *bo, struct sg_table *sgt);
void ferry_dma_sync(struct ferry_bo *bo, bool for_cpu);
void ferry_dma_invalidate(struct ferry_bo *bo);
int ferry_dma_pin(struct ferry_bo *bo);
void ferry_dma_unpin(struct ferry_bo *bo);
void ferry_dma_drop_pins(struct ferry_bo *bo);

#endif /* _FERRY_DMA_H_ */
