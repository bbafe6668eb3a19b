// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_gem.h>
#include <drm/drm_mode.h>
#include <drm/drm_print.h>

#include "ferry_bo.h"
#include "ferry_device.h"
#include "ferry_dumb.h"
#include "ferry_gem.h"
#include "ferry_param.h"

/**
 * DOC: Dumb buffers
 *
 * Programs that draw by the CPU also read what they have drawn, to blend. A framebuffer in the
 * aperture is shown without a copy. But if the CPU reads the aperture much slower than system
 * memory, as behind most PCI buses, blending costs more than the copy. So the probe measures
 * both, and the parameter dumb_placement overrides the result.
 */

static char *dumb_placement = "auto";
module_param(dumb_placement, charp, 0444);
MODULE_PARM_DESC(dumb_placement,
		 "where dumb buffers are while they are shown: aperture (no copy) or system (fast reads); default auto: system if the CPU reads the aperture slowly");

/*
 * Reads of a virtual display's aperture, which is memory of the host, take up to 3 times as long as
 * reads of cached memory. Uncached reads over a PCI bus take more than 100 times as long.
 */
#define FERRY_DUMB_SLOW		16
#define FERRY_DUMB_READ		SZ_4K
/* Rounds of a measurement, and how many more there are while the aperture seems to be slow */
#define FERRY_DUMB_ROUNDS	5
#define FERRY_DUMB_MORE_ROUNDS	50

/**
 * ferry_dumb_choose - read the parameter for the placement of dumb buffers
 * @ferry: the device, which has a display
 *
 * Return: 0, or -EINVAL for an unknown value.
 */
int ferry_dumb_choose(struct ferry_device *ferry)
{
	struct ferry_dumb *dumb = &ferry->kms->dumb;
	char value[FERRY_PARAM_MAX] = "auto";

	ferry_param_get(dumb_placement, pci_name(to_pci_dev(ferry->drm.dev)), value, sizeof(value));
	dumb->auto_placement = !strcmp(value, "auto");
	dumb->system = !strcmp(value, "system");
	if (dumb->auto_placement || dumb->system || !strcmp(value, "aperture"))
		return 0;

	drm_err(&ferry->drm, "dumb_placement=%s is none of auto, system and aperture\n", value);
	return -EINVAL;
}

static bool ferry_dumb_is_slow(const struct ferry_dumb *dumb)
{
	return dumb->aperture_ns > FERRY_DUMB_SLOW * dumb->system_ns;
}

/**
 * ferry_dumb_measure - measure how fast the CPU reads the aperture, and choose a placement
 * @ferry: the device, with its aperture mapped
 *
 * The fastest round counts: others include interrupts and other processes. On a virtual machine
 * whose host is busy these can be many.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_dumb_measure(struct ferry_device *ferry)
{
	struct ferry_dumb *dumb = &ferry->kms->dumb;
	void *from = kzalloc(FERRY_DUMB_READ, GFP_KERNEL);
	void *to = kmalloc(FERRY_DUMB_READ, GFP_KERNEL);
	unsigned int i;
	int ret = -ENOMEM;
	u64 start;

	if (!from || !to)
		goto out_free;

	dumb->aperture_ns = U64_MAX;
	dumb->system_ns = U64_MAX;
	for (i = 0; i < FERRY_DUMB_ROUNDS + FERRY_DUMB_MORE_ROUNDS; i++) {
		if (i >= FERRY_DUMB_ROUNDS && !ferry_dumb_is_slow(dumb))
			break;

		start = ktime_get_ns();
		memcpy_fromio(to, ferry_bar_vaddr(&ferry->bar, 0), FERRY_DUMB_READ);
		dumb->aperture_ns = min(dumb->aperture_ns, ktime_get_ns() - start);

		start = ktime_get_ns();
		memcpy(to, from, FERRY_DUMB_READ);
		dumb->system_ns = min(dumb->system_ns, ktime_get_ns() - start);
	}

	if (dumb->auto_placement)
		dumb->system = ferry_dumb_is_slow(dumb);
	ferry->drm.mode_config.prefer_shadow = !dumb->system && ferry_dumb_is_slow(dumb);
	ret = 0;

out_free:
	kfree(to);
	kfree(from);
	return ret;
}

/**
 * ferry_dumb_create - create a dumb buffer
 * @file: the client
 * @drm: the device
 * @args: in: width, height and bits per pixel; out: pitch, size and handle
 *
 * The BO is in cached system memory. It moves to the aperture when it is scanned out, unless
 * dumb buffers stay in system memory.
 *
 * Return: 0, -EINVAL for a size that no BO can have, or as ferry_gem_create().
 */
int ferry_dumb_create(struct drm_file *file, struct drm_device *drm,
		      struct drm_mode_create_dumb *args)
{
	struct drm_ferry_bo_create create = {
		.allowed_placements = DRM_FERRY_PLACEMENT_SYSTEM,
	};
	struct ferry_device *ferry = to_ferry_device(drm);
	struct ferry_bo *bo;
	u64 pitch, size;
	int ret;

	if (args->flags)
		return -EINVAL;

	/* Whole cache lines. The product of two 32-bit factors does not overflow. */
	pitch = ALIGN(DIV_ROUND_UP_ULL((u64)args->width * args->bpp, 8), 64);
	if (pitch > U32_MAX || check_mul_overflow(pitch, (u64)args->height, &size) ||
	    !size || size > ferry_gem_max_size(ferry))
		return -EINVAL;

	if (!ferry->kms || !ferry->kms->dumb.system) {
		create.allowed_placements |= DRM_FERRY_PLACEMENT_APERTURE;
		create.flags = DRM_FERRY_BO_CONTIGUOUS;
	}
	create.size = size;
	bo = ferry_gem_create(ferry, NULL, &create);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	args->pitch = pitch;
	args->size = PAGE_ALIGN(size);
	ret = drm_gem_handle_create(file, &bo->base.base, &args->handle);
	ferry_bo_put(bo);
	return ret;
}
