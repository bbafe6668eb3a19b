// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include <asm/memtype.h>

#include <drm/drm_cache.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <kunit/visibility.h>

#include "ferry_bar.h"
#include "ferry_device.h"
#include "ferry_param.h"
#include "ferry_pat.h"

/**
 * DOC: Aperture
 *
 * The driver claims and maps the BAR as a whole, once, when it probes the device. This
 * one reservation is what the x86 page attribute table (PAT) tracks, and every later
 * mapping of a page of the BAR, in the kernel or in user space, takes its memory type from
 * there. The driver never makes a second reservation, so no two can differ.
 *
 * PAT keeps the type of the first reservation of a range. If something else has mapped the
 * BAR before, the request for write-combining succeeds and the result is uncached. So the
 * driver reads back the page table entry that its request produced, reports the memory type
 * found there to user space, and uses it for every mapping.
 *
 * A card that has lost its configuration or its link still has a BAR that can be claimed. Its
 * reads return all ones and its writes are lost, so clients would read wrong data. The driver
 * therefore writes to some words of the aperture and reads them back when it probes the device
 * and after each reset, and restores what these words contained. A move that reads nothing
 * but ones or zeros at both ends of a BO, or not what it has written, asks the configuration
 * space of the device if it still decodes its memory.
 */

static char *aperture_bar = "auto";
module_param(aperture_bar, charp, 0444);
MODULE_PARM_DESC(aperture_bar,
		 "PCI BAR to use as the aperture, 0-5 (default auto: the largest prefetchable memory BAR)");

static char *aperture_range = "all";
module_param(aperture_range, charp, 0444);
MODULE_PARM_DESC(aperture_range,
		 "part of the BAR to use as the aperture, OFFSET+SIZE with the suffixes K, M and G, if the rest is no memory (default all)");

static char *aperture_memtype = "auto";
module_param(aperture_memtype, charp, 0444);
MODULE_PARM_DESC(aperture_memtype,
		 "memory type to request for the aperture: wb, wc or uc (default auto: wb, then wc, for memory of the host; wc for all other devices)");

#define FERRY_BAR_MIN SZ_1M

/* Number of words of the aperture to check, from the first to the last, at equal distances */
#define FERRY_BAR_WORDS 9

static int ferry_bar_pick(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	char value[FERRY_PARAM_MAX] = "auto";
	int index, best = -ENODEV;

	ferry_param_get(aperture_bar, pci_name(pdev), value, sizeof(value));
	if (strcmp(value, "auto")) {
		if (!kstrtoint(value, 10, &index) && index >= 0 && index < PCI_STD_NUM_BARS &&
		    (pci_resource_flags(pdev, index) & IORESOURCE_MEM) &&
		    pci_resource_len(pdev, index))
			return index;
		drm_err(drm, "BAR %s, named by aperture_bar=, is not a memory BAR of this device\n",
			value);
		return -EINVAL;
	}

	for (index = 0; index < PCI_STD_NUM_BARS; index++) {
		unsigned long flags = pci_resource_flags(pdev, index);

		if (!(flags & IORESOURCE_MEM) || !(flags & IORESOURCE_PREFETCH))
			continue;
		if (best < 0 || pci_resource_len(pdev, index) > pci_resource_len(pdev, best))
			best = index;
	}
	if (best < 0)
		drm_err(drm, "the device has no prefetchable memory BAR; aperture_bar= can name another\n");

	return best;
}

/*
 * Memory types to request, in order of preference. The host maps its own memory cached, so
 * request write-back for it; clients mostly write to all other memory, so request
 * write-combining.
 */
VISIBLE_IF_KUNIT
int ferry_bar_requests(struct ferry_device *ferry, const char *param, bool host_memory,
		       enum drm_ferry_memtype requests[2])
{
	static const struct {
		const char *name;
		enum drm_ferry_memtype memtype;
	} choices[] = {
		{ "wb", DRM_FERRY_MEMTYPE_WB },
		{ "wc", DRM_FERRY_MEMTYPE_WC },
		{ "uc", DRM_FERRY_MEMTYPE_UC_MINUS },
	};
	unsigned int i;

	if (!strcmp(param, "auto")) {
		requests[0] = host_memory ? DRM_FERRY_MEMTYPE_WB : DRM_FERRY_MEMTYPE_WC;
		requests[1] = DRM_FERRY_MEMTYPE_WC;
		return 0;
	}

	for (i = 0; i < ARRAY_SIZE(choices); i++) {
		if (strcmp(param, choices[i].name))
			continue;
		requests[0] = choices[i].memtype;
		requests[1] = choices[i].memtype;
		return 0;
	}

	drm_err(&ferry->drm, "aperture_memtype=%s is not auto, wb, wc or uc\n", param);
	return -EINVAL;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bar_requests);

/* Parse OFFSET+SIZE: whole pages inside a BAR of @bar_size bytes, and enough of them. */
VISIBLE_IF_KUNIT
int ferry_bar_parse_range(const char *param, u64 bar_size, u64 *offset, u64 *size)
{
	char *end;

	*offset = memparse(param, &end);
	if (end == param || *end != '+')
		return -EINVAL;

	param = end + 1;
	*size = memparse(param, &end);
	if (end == param || *end)
		return -EINVAL;
	if (!PAGE_ALIGNED(*offset) || !PAGE_ALIGNED(*size) || *size < FERRY_BAR_MIN)
		return -EINVAL;
	if (*offset > bar_size || *size > bar_size - *offset)
		return -EINVAL;

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bar_parse_range);

/* Apply the parameter aperture_range to the BAR that was chosen. */
static int ferry_bar_choose_range(struct ferry_device *ferry, int index)
{
	struct pci_dev *pdev = to_pci_dev(ferry->drm.dev);
	char value[FERRY_PARAM_MAX] = "all";
	struct ferry_bar *bar = &ferry->bar;
	u64 offset, size;
	int ret;

	ferry_param_get(aperture_range, pci_name(pdev), value, sizeof(value));
	if (!strcmp(value, "all"))
		return 0;

	ret = ferry_bar_parse_range(value, pci_resource_len(pdev, index), &offset, &size);
	if (ret) {
		drm_err(&ferry->drm, "aperture_range=%s is not OFFSET+SIZE in whole pages, of at least %u KiB, inside BAR %d of %llu KiB\n",
			value, FERRY_BAR_MIN / SZ_1K, index,
			(u64)pci_resource_len(pdev, index) / SZ_1K);
		return ret;
	}
	if (ferry->kms) {
		drm_err(&ferry->drm, "aperture_range=%s is for devices without a display: the display reads its picture from the start of the BAR\n",
			value);
		return -EINVAL;
	}

	bar->part = true;
	bar->base += offset;
	bar->size = size;
	return 0;
}

/* Map the aperture with a memory type, and read back which type became effective. */
static int ferry_bar_map(struct ferry_bar *bar, enum drm_ferry_memtype request)
{
	struct io_mapping *io = &bar->io;
	int effective;

	io->base = bar->base;
	io->size = bar->size;
	io->prot = ferry_pat_pgprot(request, PAGE_KERNEL);
	if (request == DRM_FERRY_MEMTYPE_WB)
		io->iomem = ioremap_cache(io->base, io->size);
	else if (request == DRM_FERRY_MEMTYPE_UC_MINUS)
		io->iomem = ioremap(io->base, io->size);
	else if (!io_mapping_init_wc(io, io->base, io->size))
		io->iomem = NULL;
	if (!io->iomem)
		return -ENOMEM;

	effective = ferry_pat_of_kernel_address((void __force *)io->iomem);
	if (effective == FERRY_PAT_UNKNOWN) {
		io_mapping_fini(io);
		io->iomem = NULL;
		return -EIO;
	}

	bar->requested = request;
	bar->effective = effective;
	return 0;
}

/* Request the preferred memory type. If another type is effective, request the second choice. */
static int ferry_bar_map_best(struct ferry_device *ferry,
			      const enum drm_ferry_memtype requests[2])
{
	struct ferry_bar *bar = &ferry->bar;
	int ret;

	ret = ferry_bar_map(bar, requests[0]);
	if (ret || bar->effective == requests[0] || requests[1] == requests[0])
		return ret;

	drm_info(&ferry->drm, "BAR %d: requested %s, effective %s, now requesting %s\n", bar->index,
		 ferry_pat_name(requests[0]), ferry_pat_name(bar->effective),
		 ferry_pat_name(requests[1]));
	io_mapping_fini(&bar->io);
	bar->io.iomem = NULL;
	return ferry_bar_map(bar, requests[1]);
}

static void ferry_bar_release(struct ferry_bar *bar)
{
	if (bar->io.iomem) {
		io_mapping_fini(&bar->io);
		bar->io.iomem = NULL;
	}
	if (bar->claim) {
		release_mem_region(bar->claim->start, resource_size(bar->claim));
		bar->claim = NULL;
	}
}

/* When the driver is unbound, or if its probe fails. */
static void ferry_bar_fini(void *arg)
{
	struct ferry_bar *bar = arg;

	if (!bar->keep)
		ferry_bar_release(bar);
}

/* When the last reference to the DRM device is dropped. */
static void ferry_bar_fini_last(struct drm_device *drm, void *arg)
{
	ferry_bar_release(arg);
}

/**
 * ferry_bar_keep - keep the BAR claimed and mapped until the DRM device is released
 * @ferry: the device, about to be unbound
 *
 * Called if a BO is still pinned in the aperture. Whoever has pinned it can access its bytes,
 * and no other driver can claim the BAR.
 */
void ferry_bar_keep(struct ferry_device *ferry)
{
	ferry->bar.keep = true;
}

/**
 * ferry_bar_reason - explain why the aperture does not have the preferred memory type
 * @bar: the BAR
 *
 * Return: the reason, or NULL if the effective memory type is the preferred one.
 */
const char *ferry_bar_reason(const struct ferry_bar *bar)
{
	if (bar->effective == bar->requests[0])
		return NULL;
	if (!pat_enabled())
		return "PAT is off (nopat)";
	if (bar->effective == bar->requested || bar->requested == DRM_FERRY_MEMTYPE_WB)
		return "the MTRRs do not cover this range";

	return "something else mapped the BAR first";
}

/* Check if a driver of the firmware's framebuffer claims memory under this name. */
static bool ferry_bar_is_firmware_name(const char *name)
{
	static const char * const names[] = {
		"BOOTFB", "lfb", "efifb", "vesafb", "simplefb", "efidrm", "vesadrm", "simpledrm",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (name && !strcmp(name, names[i]))
			return true;

	return false;
}

/*
 * Look at the claims inside the BAR, before the firmware's framebuffer is removed: until then
 * no claim of its driver ends when a program closes /dev/fb0. Claims by others are an error.
 */
static int ferry_bar_check_claims(struct ferry_device *ferry, int index)
{
	const struct resource *res = pci_resource_n(to_pci_dev(ferry->drm.dev), index);
	const struct ferry_bar *bar = &ferry->bar;
	const struct resource *child;

	for (child = res->child; child; child = child->sibling) {
		/* Others may have claimed the registers beside the aperture. */
		if (bar->part &&
		    (child->end < bar->base || child->start >= bar->base + bar->size))
			continue;
		if (!ferry_bar_is_firmware_name(child->name)) {
			drm_err(&ferry->drm, "BAR %d %pR is in use by another driver\n", index,
				res);
			return -EBUSY;
		}
		ferry->bar.firmware = true;
	}

	return 0;
}

/**
 * ferry_bar_choose - choose the BAR and the memory types to request for it
 * @ferry: the device
 * @limit: number of bytes of the BAR that are backed by memory, 0 for all
 * @host_memory: the BAR is memory of the host, which the host maps cached
 *
 * Detects all errors that can be detected without access to the BAR, so that the firmware's
 * framebuffer need not be removed if ferry cannot drive the device.
 *
 * Return: 0, -ENODEV without a usable BAR, -EINVAL for a module parameter that does not fit
 * the device, -EBUSY if a driver holds the BAR and is none of the firmware's framebuffer, or
 * -ENOMEM.
 */
int ferry_bar_choose(struct ferry_device *ferry, u64 limit, bool host_memory)
{
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	struct ferry_bar *bar = &ferry->bar;
	int index, ret;
	char memtype[FERRY_PARAM_MAX] = "auto";
	u64 size;

	ferry_param_get(aperture_memtype, pci_name(pdev), memtype, sizeof(memtype));
	ret = ferry_bar_requests(ferry, memtype, host_memory, bar->requests);
	if (ret)
		return ret;

	index = ferry_bar_pick(ferry);
	if (index < 0)
		return index;

	size = pci_resource_len(pdev, index);
	if (limit && limit < size) {
		drm_info(drm, "BAR %d has %llu KiB, %llu KiB of them are backed by memory\n",
			 index, size / SZ_1K, limit / SZ_1K);
		size = limit;
	}
	size = round_down(size, PAGE_SIZE);
	if (size < FERRY_BAR_MIN) {
		drm_err(drm, "BAR %d has %llu KiB, ferry needs at least %u KiB\n",
			index, size / SZ_1K, FERRY_BAR_MIN / SZ_1K);
		return -ENODEV;
	}

	bar->index = index;
	bar->base = pci_resource_start(pdev, index);
	bar->size = size;
	ret = ferry_bar_choose_range(ferry, index);
	if (ret)
		return ret;

	ret = ferry_bar_check_claims(ferry, index);
	if (ret)
		return ret;

	/* Registered before the jobs and TTM, whose cleanup may still access the aperture. */
	return drmm_add_action(drm, ferry_bar_fini_last, bar);
}

/*
 * A program that has /dev/fb0 open, such as a splash screen, keeps the driver of the firmware's
 * framebuffer from releasing its claim. The framebuffer is off the screen all the same.
 */
static int ferry_bar_claim(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	struct ferry_bar *bar = &ferry->bar;

	bar->claim = request_mem_region(bar->base, bar->part ? bar->size :
					pci_resource_len(pdev, bar->index), "ferry");
	if (bar->claim)
		return 0;

	if (!bar->firmware) {
		drm_err(drm, "BAR %d %pR is in use by another driver\n",
			bar->index, pci_resource_n(pdev, bar->index));
		return -EBUSY;
	}

	drm_warn(drm, "BAR %d is shared with the firmware's framebuffer, which a program has open: it can overwrite the aperture\n",
		 bar->index);
	return 0;
}

static void __iomem *ferry_bar_word(const struct ferry_bar *bar, unsigned int index)
{
	u64 distance = (bar->size - sizeof(u64)) / (FERRY_BAR_WORDS - 1);

	return ferry_bar_vaddr(bar, round_down(index * distance, sizeof(u64)));
}

/* Write to a word so that the next read of it comes from the device. */
static void ferry_bar_write_word(const struct ferry_bar *bar, unsigned int index, u64 val)
{
	void __iomem *word = ferry_bar_word(bar, index);

	writeq(val, word);
	/* Flush the write-combining buffers. */
	mb();
	if (bar->effective == DRM_FERRY_MEMTYPE_WB)
		drm_clflush_virt_range((void __force *)word, sizeof(val));
}

/**
 * ferry_bar_check - check that the aperture is memory
 * @ferry: the device, with its aperture mapped
 *
 * Writes to some words of the aperture, reads them back and restores them. The words have
 * different values, so that the check also fails if the device ignores bits of an address.
 *
 * Return: 0, or -EIO if the aperture does not store what is written to it.
 */
int ferry_bar_check(struct ferry_device *ferry)
{
	struct ferry_bar *bar = &ferry->bar;
	u64 old[FERRY_BAR_WORDS], pattern[FERRY_BAR_WORDS], now;
	unsigned int i, ones = 0, wrong = 0;

	for (i = 0; i < FERRY_BAR_WORDS; i++) {
		old[i] = readq(ferry_bar_word(bar, i));
		pattern[i] = ~old[i] ^ (i + 1);
	}
	for (i = 0; i < FERRY_BAR_WORDS; i++)
		ferry_bar_write_word(bar, i, pattern[i]);
	for (i = 0; i < FERRY_BAR_WORDS; i++) {
		now = readq(ferry_bar_word(bar, i));
		ones += now == U64_MAX;
		wrong += now != pattern[i];
	}
	for (i = FERRY_BAR_WORDS; i--;)
		ferry_bar_write_word(bar, i, old[i]);
	if (!wrong) {
		WRITE_ONCE(bar->dead, false);
		return 0;
	}

	if (ones == FERRY_BAR_WORDS)
		drm_err(&ferry->drm, "BAR %d reads as all ones, the device does not respond: reset or reprogram it, remove it in sysfs, and rescan its bus\n",
			bar->index);
	else
		drm_err(&ferry->drm, "BAR %d is no working memory, %u of %u words do not keep what is written: aperture_bar= can name another\n",
			bar->index, wrong, FERRY_BAR_WORDS);
	return -EIO;
}

/**
 * ferry_bar_is_decoded - check if the device is present and decodes its memory
 * @ferry: the device
 *
 * Reads the configuration space, which takes microseconds. The first time that the device does
 * not, logs it.
 *
 * Return: true if it does.
 */
bool ferry_bar_is_decoded(struct ferry_device *ferry)
{
	struct device *dev = ferry->drm.dev;
	u16 command;

	/* KUnit tests have no PCI device. */
	if (!dev_is_pci(dev))
		return true;

	/* If the device is absent, the read returns all ones. */
	pci_read_config_word(to_pci_dev(dev), PCI_COMMAND, &command);
	if (command != U16_MAX && (command & PCI_COMMAND_MEMORY))
		return true;

	if (!xchg(&ferry->bar.dead, true))
		drm_err(&ferry->drm, "the device does not decode its memory any more: BOs cannot move to the aperture or out of it\n");
	return false;
}

/**
 * ferry_bar_init - claim, map and check the aperture
 * @ferry: the device, with ferry_bar_choose() done and the firmware's framebuffer removed
 *
 * devres releases the BAR after the driver's remove callback, see ferry_bar_keep().
 *
 * Return: 0, -EBUSY if another driver holds the BAR, -ENOMEM or -EIO if the BAR cannot be
 * mapped, -EIO if it is no working memory.
 */
int ferry_bar_init(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	struct ferry_bar *bar = &ferry->bar;
	int ret;

	ret = ferry_bar_claim(ferry);
	if (ret)
		return ret;

	ret = devm_add_action_or_reset(drm->dev, ferry_bar_fini, bar);
	if (ret)
		return ret;

	ret = ferry_bar_map_best(ferry, bar->requests);
	if (ret) {
		drm_err(drm, "BAR %d cannot be mapped: %d\n", bar->index, ret);
		return ret;
	}

	ret = ferry_bar_check(ferry);
	if (ret)
		return ret;

	drm_info(drm, "aperture: BAR %d at %pa, %llu KiB, %s\n", bar->index, &bar->base,
		 bar->size / SZ_1K, ferry_pat_name(bar->effective));
	if (bar->effective != bar->requested)
		drm_warn(drm, "requested %s, effective %s: %s\n",
			 ferry_pat_name(bar->requested), ferry_pat_name(bar->effective),
			 ferry_bar_reason(bar));
	return 0;
}
