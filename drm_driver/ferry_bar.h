/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_BAR_H_
#define _FERRY_BAR_H_

#include <linux/io-mapping.h>
#include <linux/kconfig.h>
#include <linux/types.h>

#include <drm/ferry_drm.h>

struct ferry_device;
struct resource;

/**
 * struct ferry_bar - the memory BAR, claimed and mapped once
 *
 * @index, @part, @base, @size, @requests and @firmware are constant from ferry_bar_choose(), and
 * the other fields from ferry_bar_init(), until the BAR is unmapped. The driver's remove
 * callback moves all BOs out of the aperture before that, see ferry_evict_final().
 */
struct ferry_bar {
	/** @io: the one mapping of the whole aperture; holds PAT's reservation */
	struct io_mapping io;
	/** @base: physical address of the first byte of the aperture */
	resource_size_t base;
	/** @size: size of the aperture in bytes, whole pages */
	u64 size;
	/** @index: index of the PCI BAR */
	int index;
	/** @part: ferry uses and claims only a part of the BAR, see the parameter aperture_range */
	bool part;
	/** @requests: memory types to request, in order of preference */
	enum drm_ferry_memtype requests[2];
	/** @firmware: the firmware's framebuffer held the BAR when the device was probed */
	bool firmware;
	/** @claim: the claim of the BAR, or NULL if it is shared */
	struct resource *claim;
	/** @keep: the BAR stays claimed and mapped after the driver was unbound */
	bool keep;
	/** @closed: user mappings must not show the aperture any more */
	bool closed;
	/** @dead: the kernel log says that the device does not decode its memory */
	bool dead;
	/** @requested: memory type that the driver requested */
	enum drm_ferry_memtype requested;
	/** @effective: memory type found in the kernel's page tables */
	enum drm_ferry_memtype effective;
};

int ferry_bar_choose(struct ferry_device *ferry, u64 limit, bool host_memory);
int ferry_bar_init(struct ferry_device *ferry);
void ferry_bar_keep(struct ferry_device *ferry);
int ferry_bar_check(struct ferry_device *ferry);
bool ferry_bar_is_decoded(struct ferry_device *ferry);
const char *ferry_bar_reason(const struct ferry_bar *bar);
#if IS_ENABLED(CONFIG_KUNIT)
int ferry_bar_requests(struct ferry_device *ferry, const char *param, bool host_memory,
		       enum drm_ferry_memtype requests[2]);
int ferry_bar_parse_range(const char *param, u64 bar_size, u64 *offset, u64 *size);
#endif

/**
 * ferry_bar_pfn - page frame number of a byte of the aperture
 * @bar: the BAR
 * @offset: byte offset into the aperture
 *
 * Return: the page frame number.
 */
static inline unsigned long ferry_bar_pfn(const struct ferry_bar *bar, u64 offset)
{
	return (bar->base + offset) >> PAGE_SHIFT;
}

/**
 * ferry_bar_vaddr - kernel address of a byte of the aperture
 * @bar: the BAR
 * @offset: byte offset into the aperture
 *
 * Return: an address in the mapping of the whole aperture.
 */
static inline void __iomem *ferry_bar_vaddr(const struct ferry_bar *bar, u64 offset)
{
	return bar->io.iomem + offset;
}

#endif /* _FERRY_BAR_H_ */
