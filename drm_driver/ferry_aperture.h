/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_APERTURE_H_
#define _FERRY_APERTURE_H_

#include <linux/io-mapping.h>
#include <linux/kconfig.h>
#include <linux/types.h>

#include <drm/ferry_drm.h>

struct ferry_device;

/**
 * struct ferry_aperture - the memory BAR, reserved and mapped once
 *
 * Constant from ferry_aperture_init() until the device is removed. A BO whose
 * resource lies in the aperture proves that the mapping is there: the driver's
 * remove moves all BOs out, under their reservation locks, before it goes.
 */
struct ferry_aperture {
	/** @io: the one mapping of the whole aperture, and PAT's reservation */
	struct io_mapping io;
	/** @base: physical address of the first byte */
	resource_size_t base;
	/** @size: bytes, whole pages */
	u64 size;
	/** @bar: index of the PCI BAR */
	int bar;
	/** @asked: cache attribute that the driver asked for */
	enum drm_ferry_memtype asked;
	/** @granted: cache attribute found in the kernel's page tables */
	enum drm_ferry_memtype granted;
};

int ferry_aperture_init(struct ferry_device *ferry, u64 limit, bool host_memory);
#if IS_ENABLED(CONFIG_KUNIT)
int ferry_aperture_wishes(struct ferry_device *ferry, const char *param, bool host_memory,
			  enum drm_ferry_memtype wishes[2]);
#endif

/**
 * ferry_aperture_pfn - page frame of a byte of the aperture
 * @aperture: the aperture
 * @offset: byte offset into it
 *
 * Return: the page frame number.
 */
static inline unsigned long
ferry_aperture_pfn(const struct ferry_aperture *aperture, u64 offset)
{
	return (aperture->base + offset) >> PAGE_SHIFT;
}

/**
 * ferry_aperture_vaddr - kernel address of a byte of the aperture
 * @aperture: the aperture
 * @offset: byte offset into it
 *
 * Return: an address in the whole-aperture mapping.
 */
static inline void __iomem *
ferry_aperture_vaddr(const struct ferry_aperture *aperture, u64 offset)
{
	return aperture->io.iomem + offset;
}

#endif /* _FERRY_APERTURE_H_ */
