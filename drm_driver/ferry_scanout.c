// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "ferry_bar.h"
#include "ferry_device.h"
#include "ferry_dispi.h"
#include "ferry_scanout.h"

/**
 * DOC: Scanout memory
 *
 * A display that is off must not show the memory of any client. But no register turns
 * the display off in that sense:
 *
 * - If DISPI_ENABLE is cleared, QEMU's bochs-display goes on showing the memory that it showed
 *   last, and a VGA device shows the first 256 KiB of the aperture as text.
 * - If a VGA device is blanked, QEMU clears the memory that it showed last.
 *
 * So the driver owns a range at the start of the aperture, and an off display shows black
 * pixels in it, in the smallest mode. On a VGA device the range includes the memory that text modes
 * show, which a modeset can show for a moment.
 */

/* The smallest mode of bochs-display */
#define FERRY_SCANOUT_OFF_SIZE		64
#define FERRY_SCANOUT_OFF_BYTES		(FERRY_SCANOUT_OFF_SIZE * FERRY_SCANOUT_OFF_SIZE * \
					 FERRY_DISPI_CPP)
/* Memory that text modes of a VGA device show */
#define FERRY_SCANOUT_TEXT_BYTES	SZ_256K

static void ferry_scanout_fini(struct drm_device *drm, void *arg)
{
	struct ferry_scanout *scanout = arg;
	struct ferry_vram_mgr *mgr = &to_ferry_device(drm)->vram_mgr;

	ferry_vram_mgr_release(mgr, &scanout->firmware);
	ferry_vram_mgr_release(mgr, &scanout->black);
}

/**
 * ferry_scanout_end_firmware - free the memory of the firmware's picture
 * @ferry: the device, which shows something else
 */
void ferry_scanout_end_firmware(struct ferry_device *ferry)
{
	ferry_vram_mgr_release(&ferry->vram_mgr, &ferry->kms->scanout.firmware);
}

/**
 * ferry_scanout_off - show black pixels that belong to the driver
 * @ferry: the device, with a display and its BAR mapped
 *
 * Also ends the firmware's mode.
 */
void ferry_scanout_off(struct ferry_device *ferry)
{
	struct ferry_scanout *scanout = &ferry->kms->scanout;

	memset_io(ferry_bar_vaddr(&ferry->bar, 0), 0, FERRY_SCANOUT_OFF_BYTES);
	ferry_dispi_set_mode(scanout->dispi, FERRY_SCANOUT_OFF_SIZE, FERRY_SCANOUT_OFF_SIZE);
	ferry_scanout_end_firmware(ferry);
}

/**
 * ferry_scanout_init - reserve the memory that an off display shows
 * @ferry: the device, with its BAR mapped and nothing allocated in it
 * @dispi: the registers
 *
 * If the firmware has set a mode, its picture stays on the screen until the first modeset, and its
 * memory is reserved until then.
 *
 * Return: 0, -ENOSPC if the aperture is too small, or -ENOMEM.
 */
int ferry_scanout_init(struct ferry_device *ferry, struct ferry_dispi *dispi)
{
	struct ferry_scanout *scanout = &ferry->kms->scanout;
	struct ferry_dispi_frame frame;
	u64 size, start, end;
	int ret;

	scanout->dispi = dispi;
	INIT_LIST_HEAD(&scanout->black.blocks);
	INIT_LIST_HEAD(&scanout->firmware.blocks);
	ret = drmm_add_action_or_reset(&ferry->drm, ferry_scanout_fini, scanout);
	if (ret)
		return ret;

	size = dispi->vga ? FERRY_SCANOUT_TEXT_BYTES : FERRY_SCANOUT_OFF_BYTES;
	ret = ferry_vram_mgr_reserve(&ferry->vram_mgr, 0, size, &scanout->black);
	if (ret)
		return ret;

	if (!ferry_dispi_get_frame(dispi, &frame)) {
		ferry_scanout_off(ferry);
		return 0;
	}

	start = max(ALIGN_DOWN(frame.offset, PAGE_SIZE), size);
	end = PAGE_ALIGN(frame.offset + (u64)frame.pitch * frame.height);
	if (end > start &&
	    ferry_vram_mgr_reserve(&ferry->vram_mgr, start, end, &scanout->firmware)) {
		drm_dbg(&ferry->drm, "the firmware's mode shows memory outside of the aperture\n");
		ferry_scanout_off(ferry);
	}
	return 0;
}
