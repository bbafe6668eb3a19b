// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include <asm/memtype.h>

#include <drm/drm_print.h>

#include <kunit/visibility.h>

#include "ferry_aperture.h"
#include "ferry_cache.h"
#include "ferry_drv.h"

/**
 * DOC: Aperture
 *
 * The BAR is claimed and mapped as a whole, once, when the device is probed.
 * That one reservation is what the x86 page attribute table (PAT) tracks, and
 * every later mapping of a page of it, kernel or user, takes the attribute from
 * there. No second reservation is ever made, so none can disagree.
 *
 * PAT keeps the first claim. If something else mapped the BAR before ferry did,
 * the request for write-combining succeeds and the result is uncached. So the
 * page table entry that the request produced is read back, and what it says is
 * reported to user space and used for every mapping.
 */

static int aperture_bar = -1;
module_param(aperture_bar, int, 0444);
MODULE_PARM_DESC(aperture_bar,
		 "PCI BAR to use as the aperture, 0-5 (default -1: the largest prefetchable memory BAR)");

static char *aperture_memtype = "auto";
module_param(aperture_memtype, charp, 0444);
MODULE_PARM_DESC(aperture_memtype,
		 "memory type to request for the aperture: wb, wc, uc (default auto: wb or else wc for the memory of a host, wc for all else)");

#define FERRY_APERTURE_MIN SZ_1M

static int ferry_aperture_pick_bar(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	int bar, best = -ENODEV;

	if (aperture_bar >= 0) {
		if (aperture_bar < PCI_STD_NUM_BARS &&
		    (pci_resource_flags(pdev, aperture_bar) & IORESOURCE_MEM) &&
		    pci_resource_len(pdev, aperture_bar))
			return aperture_bar;
		drm_err(drm, "BAR %d, asked for by aperture_bar=, is no memory BAR of this device\n",
			aperture_bar);
		return -EINVAL;
	}

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		unsigned long flags = pci_resource_flags(pdev, bar);

		if (!(flags & IORESOURCE_MEM) || !(flags & IORESOURCE_PREFETCH))
			continue;
		if (best < 0 || pci_resource_len(pdev, bar) > pci_resource_len(pdev, best))
			best = bar;
	}
	if (best < 0)
		drm_err(drm, "the device has no prefetchable memory BAR; aperture_bar= can name another\n");

	return best;
}

/*
 * What to ask for, and what to settle for. Memory of the host wants to be cached,
 * as the other side maps it; everything else is drawn to.
 */
VISIBLE_IF_KUNIT
int ferry_aperture_wishes(struct ferry_device *ferry, const char *param, bool host_memory,
			  enum drm_ferry_memtype wishes[2])
{
	static const struct {
		const char *name;
		enum drm_ferry_memtype cache;
	} choices[] = {
		{ "wb", DRM_FERRY_MEMTYPE_WB },
		{ "wc", DRM_FERRY_MEMTYPE_WC },
		{ "uc", DRM_FERRY_MEMTYPE_UC_MINUS },
	};
	unsigned int i;

	if (!strcmp(param, "auto")) {
		wishes[0] = host_memory ? DRM_FERRY_MEMTYPE_WB : DRM_FERRY_MEMTYPE_WC;
		wishes[1] = DRM_FERRY_MEMTYPE_WC;
		return 0;
	}

	for (i = 0; i < ARRAY_SIZE(choices); i++) {
		if (strcmp(param, choices[i].name))
			continue;
		wishes[0] = choices[i].cache;
		wishes[1] = choices[i].cache;
		return 0;
	}

	drm_err(&ferry->drm, "aperture_memtype=%s is not auto, wb, wc or uc\n", param);
	return -EINVAL;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_aperture_wishes);

/* Reserve and map the aperture once, and read back what that gave. */
static int ferry_aperture_map(struct ferry_aperture *aperture, enum drm_ferry_memtype wish)
{
	struct io_mapping *io = &aperture->io;
	int granted;

	io->base = aperture->base;
	io->size = aperture->size;
	io->prot = ferry_cache_pgprot(wish, PAGE_KERNEL);
	if (wish == DRM_FERRY_MEMTYPE_WB)
		io->iomem = ioremap_cache(io->base, io->size);
	else if (wish == DRM_FERRY_MEMTYPE_UC_MINUS)
		io->iomem = ioremap(io->base, io->size);
	else if (!io_mapping_init_wc(io, io->base, io->size))
		io->iomem = NULL;
	if (!io->iomem)
		return -ENOMEM;

	granted = ferry_cache_of_kernel_address((void __force *)io->iomem);
	if (granted == FERRY_CACHE_UNKNOWN) {
		io_mapping_fini(io);
		return -EIO;
	}

	aperture->asked = wish;
	aperture->granted = granted;
	return 0;
}

static void ferry_aperture_fini(void *arg)
{
	struct ferry_aperture *aperture = arg;

	io_mapping_fini(&aperture->io);
}

static const char *ferry_aperture_reason(const struct ferry_aperture *aperture)
{
	if (!pat_enabled())
		return "PAT is off (nopat)";
	if (aperture->asked == DRM_FERRY_MEMTYPE_WB)
		return "the MTRRs do not cache this range";

	return "something else mapped the BAR first";
}

/**
 * ferry_aperture_init - reserve and map the aperture
 * @ferry: the device
 * @limit: bytes of the BAR that are backed by memory, 0 for all
 * @host_memory: the BAR is the host's memory, which the host maps cached
 *
 * Released by devres, after the driver's remove.
 *
 * Return: 0, -ENODEV without a usable BAR, -EINVAL for a module parameter that
 * does not fit the device, -EBUSY if somebody else holds the BAR, -ENOMEM if it
 * cannot be mapped.
 */
int ferry_aperture_init(struct ferry_device *ferry, u64 limit, bool host_memory)
{
	struct ferry_aperture *aperture = &ferry->aperture;
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	enum drm_ferry_memtype wishes[2];
	u64 size;
	int bar;
	int ret;

	ret = ferry_aperture_wishes(ferry, aperture_memtype, host_memory, wishes);
	if (ret)
		return ret;

	bar = ferry_aperture_pick_bar(ferry);
	if (bar < 0)
		return bar;

	size = pci_resource_len(pdev, bar);
	if (limit && limit < size) {
		drm_info(drm, "BAR %d has %llu KiB, %llu KiB of them with memory behind\n",
			 bar, size / SZ_1K, limit / SZ_1K);
		size = limit;
	}
	size = round_down(size, PAGE_SIZE);
	if (size < FERRY_APERTURE_MIN) {
		drm_err(drm, "BAR %d has %llu KiB, ferry needs at least %u KiB\n",
			bar, size / SZ_1K, FERRY_APERTURE_MIN / SZ_1K);
		return -ENODEV;
	}

	if (!devm_request_mem_region(drm->dev, pci_resource_start(pdev, bar),
				     pci_resource_len(pdev, bar), "ferry")) {
		drm_err(drm, "BAR %d %pR is in use by another driver\n",
			bar, pci_resource_n(pdev, bar));
		return -EBUSY;
	}

	aperture->bar = bar;
	aperture->base = pci_resource_start(pdev, bar);
	aperture->size = size;
	ret = ferry_aperture_map(aperture, wishes[0]);
	if (!ret && aperture->granted != wishes[0] && wishes[1] != wishes[0]) {
		drm_info(drm, "BAR %d: requested %s, effective %s, now requesting %s\n", bar,
			 ferry_cache_name(wishes[0]), ferry_cache_name(aperture->granted),
			 ferry_cache_name(wishes[1]));
		io_mapping_fini(&aperture->io);
		ret = ferry_aperture_map(aperture, wishes[1]);
	}
	if (ret) {
		drm_err(drm, "BAR %d cannot be mapped: %d\n", bar, ret);
		return ret;
	}
	ret = devm_add_action_or_reset(drm->dev, ferry_aperture_fini, aperture);
	if (ret)
		return ret;

	drm_info(drm, "aperture: BAR %d at %pa, %llu KiB, %s\n", bar, &aperture->base,
		 size / SZ_1K, ferry_cache_name(aperture->granted));
	if (aperture->granted != aperture->asked)
		drm_warn(drm, "requested %s, effective %s: %s\n",
			 ferry_cache_name(aperture->asked),
			 ferry_cache_name(aperture->granted),
			 ferry_aperture_reason(aperture));
	return 0;
}
