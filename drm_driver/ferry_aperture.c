// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include <asm/memtype.h>
#include <asm/pgtable.h>

#include <drm/drm_print.h>

#include "ferry_aperture.h"
#include "ferry_compat.h"
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

#define FERRY_APERTURE_MIN SZ_1M

/**
 * ferry_aperture_cache_name - name of a cache attribute
 * @cache: the attribute
 *
 * Return: the name as /sys/kernel/debug/x86/pat_memtype_list spells it.
 */
const char *ferry_aperture_cache_name(enum drm_ferry_cache cache)
{
	static const char * const names[] = {
		[DRM_FERRY_CACHE_UC] = "uncached",
		[DRM_FERRY_CACHE_UC_MINUS] = "uncached-minus",
		[DRM_FERRY_CACHE_WC] = "write-combining",
		[DRM_FERRY_CACHE_WT] = "write-through",
		[DRM_FERRY_CACHE_WP] = "write-protected",
		[DRM_FERRY_CACHE_WB] = "write-back",
	};

	return cache < ARRAY_SIZE(names) ? names[cache] : "unknown";
}

/* The attribute that the CPU applies to the page at @vaddr. */
static int ferry_aperture_read_back(void __iomem *vaddr, enum drm_ferry_cache *cache)
{
	/* memory types by their code in the PAT register */
	static const int types[8] = {
		DRM_FERRY_CACHE_UC, DRM_FERRY_CACHE_WC, -EIO, -EIO,
		DRM_FERRY_CACHE_WT, DRM_FERRY_CACHE_WP, DRM_FERRY_CACHE_WB,
		DRM_FERRY_CACHE_UC_MINUS,
	};
	unsigned int level;
	pteval_t val, pat_bit;
	int slot, type;
	pte_t *pte;
	u64 pat;

	pte = lookup_address((unsigned long)vaddr, &level);
	if (!pte || !pte_present(*pte))
		return -EIO;

	val = pte_val(*pte);
	pat_bit = level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE;
	slot = (val & _PAGE_PWT ? 1 : 0) | (val & _PAGE_PCD ? 2 : 0) |
	       (val & pat_bit ? 4 : 0);

	pat = ferry_compat_rdmsr(MSR_IA32_CR_PAT);
	type = types[(pat >> (slot * 8)) & 7];
	if (type < 0)
		return type;

	*cache = type;
	return 0;
}

/**
 * ferry_aperture_pgprot - protection of a user mapping of the aperture
 * @aperture: the aperture
 * @prot: protection of the VMA
 *
 * Return: @prot with the cache attribute that was granted for the aperture.
 */
pgprot_t ferry_aperture_pgprot(const struct ferry_aperture *aperture, pgprot_t prot)
{
	/* memory of a device is never encrypted */
	prot = pgprot_decrypted(prot);

	switch (aperture->granted) {
	case DRM_FERRY_CACHE_WB:
		return prot;
	case DRM_FERRY_CACHE_WC:
		return pgprot_writecombine(prot);
	default:
		return pgprot_noncached(prot);
	}
}

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

static void ferry_aperture_fini(void *arg)
{
	struct ferry_aperture *aperture = arg;

	io_mapping_fini(&aperture->io);
}

/**
 * ferry_aperture_init - reserve and map the aperture
 * @ferry: the device
 * @limit: bytes of the BAR that are backed by memory, 0 for all
 *
 * Released by devres, after the driver's remove.
 *
 * Return: 0, -ENODEV without a usable BAR, -EBUSY if somebody else holds it,
 * -ENOMEM if it cannot be mapped.
 */
int ferry_aperture_init(struct ferry_device *ferry, u64 limit)
{
	struct ferry_aperture *aperture = &ferry->aperture;
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	u64 size;
	int bar;
	int ret;

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
	aperture->asked = DRM_FERRY_CACHE_WC;
	if (!io_mapping_init_wc(&aperture->io, aperture->base, size)) {
		drm_err(drm, "BAR %d cannot be mapped\n", bar);
		return -ENOMEM;
	}
	ret = devm_add_action_or_reset(drm->dev, ferry_aperture_fini, aperture);
	if (ret)
		return ret;

	ret = ferry_aperture_read_back(aperture->io.iomem, &aperture->granted);
	if (ret) {
		drm_err(drm, "BAR %d: cache attribute of its mapping is not readable\n", bar);
		return ret;
	}

	drm_info(drm, "aperture: BAR %d at %pa, %llu KiB, %s\n", bar, &aperture->base,
		 size / SZ_1K, ferry_aperture_cache_name(aperture->granted));
	if (aperture->granted != aperture->asked)
		drm_warn(drm, "asked for %s and was granted %s: %s\n",
			 ferry_aperture_cache_name(aperture->asked),
			 ferry_aperture_cache_name(aperture->granted),
			 pat_enabled() ? "something else mapped the BAR first" :
					 "PAT is off (nopat)");
	return 0;
}
