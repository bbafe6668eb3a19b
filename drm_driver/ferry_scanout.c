// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ferry_drm.h>

#include "ferry_bar.h"
#include "ferry_bo.h"
#include "ferry_device.h"
#include "ferry_dispi.h"
#include "ferry_gem.h"
#include "ferry_placement.h"
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
 *
 * A scanout buffer is one more range that belongs to the driver. It exists only while a
 * frame must be copied: the states of the primary plane that show it hold references, and the
 * commit that shows something else drops the last one after the vblank. The preparation of a commit
 * gets the buffer from one of three places:
 *
 * 1. The state that is on the screen has one: it is used again.
 * 2. A new range is allocated. BOs in the way are evicted, and aperture-only BOs are moved.
 * 3. If there is no space because the framebuffer on the screen is pinned, its BO is moved to
 *    system memory, and its range becomes the scanout buffer. The screen goes on showing
 *    this range, so the picture does not change.
 */

/* The smallest mode of bochs-display */
#define FERRY_SCANOUT_OFF_SIZE		64
#define FERRY_SCANOUT_OFF_PITCH		(FERRY_SCANOUT_OFF_SIZE * FERRY_DISPI_CPP)
#define FERRY_SCANOUT_OFF_BYTES		(FERRY_SCANOUT_OFF_SIZE * FERRY_SCANOUT_OFF_PITCH)
/* Memory that text modes of a VGA device show */
#define FERRY_SCANOUT_TEXT_BYTES	SZ_256K

/* Show memory, in the mode that was requested last. */
static void ferry_scanout_set_address(struct ferry_device *ferry, u64 offset, u32 pitch)
{
	struct ferry_scanout *scanout = &ferry->kms->scanout;

	lockdep_assert_held(&scanout->lock);

	if (scanout->pending)
		ferry_dispi_set_mode(scanout->dispi, scanout->width, scanout->height, offset,
				     pitch);
	else
		ferry_dispi_set_scanout(scanout->dispi, offset, pitch);
	scanout->pending = false;
	scanout->buffer = NULL;
	scanout->shown = offset;
	scanout->shown_pitch = pitch;
	ferry_vram_mgr_release(&ferry->vram_mgr, &scanout->firmware);
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

	mutex_lock(&scanout->lock);
	memset_io(ferry_bar_vaddr(scanout->bar, 0), 0, FERRY_SCANOUT_OFF_BYTES);
	scanout->width = FERRY_SCANOUT_OFF_SIZE;
	scanout->height = FERRY_SCANOUT_OFF_SIZE;
	scanout->pending = true;
	ferry_scanout_set_address(ferry, 0, FERRY_SCANOUT_OFF_PITCH);
	mutex_unlock(&scanout->lock);
}

/**
 * ferry_scanout_set_mode - set a mode, as soon as its first frame is shown
 * @ferry: the device
 * @width: width in pixels
 * @height: height in lines
 */
void ferry_scanout_set_mode(struct ferry_device *ferry, u32 width, u32 height)
{
	struct ferry_scanout *scanout = &ferry->kms->scanout;

	mutex_lock(&scanout->lock);
	scanout->width = width;
	scanout->height = height;
	scanout->pending = true;
	scanout->buffer = NULL;
	mutex_unlock(&scanout->lock);
}

/**
 * ferry_scanout_show - show pinned memory of the aperture
 * @ferry: the device, with a mode set
 * @offset: byte offset into the aperture of the first pixel
 * @pitch: bytes from one line to the next
 */
void ferry_scanout_show(struct ferry_device *ferry, u64 offset, u32 pitch)
{
	struct ferry_scanout *scanout = &ferry->kms->scanout;

	mutex_lock(&scanout->lock);
	ferry_scanout_set_address(ferry, offset, pitch);
	mutex_unlock(&scanout->lock);
}

/**
 * ferry_scanout_show_buffer - show a scanout buffer that has the whole frame
 * @ferry: the device, with a mode set and &ferry_scanout.lock held
 * @buffer: the buffer
 */
void ferry_scanout_show_buffer(struct ferry_device *ferry, struct ferry_scanout_buffer *buffer)
{
	struct ferry_scanout *scanout = &ferry->kms->scanout;

	lockdep_assert_held(&scanout->lock);

	if (scanout->buffer == buffer)
		return;

	ferry_scanout_set_address(ferry, buffer->offset, ferry_scanout_pitch(scanout));
	scanout->buffer = buffer;
}

static struct ferry_scanout_buffer *ferry_scanout_alloc_buffer(struct ferry_device *ferry,
							       u64 size)
{
	struct ferry_scanout_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);

	if (!buffer)
		return NULL;

	kref_init(&buffer->ref);
	buffer->ferry = ferry;
	buffer->size = size;
	return buffer;
}

/* Evictions leave aperture-only BOs where they are: move them behind a range. */
static void ferry_scanout_move_behind(struct ferry_device *ferry, u64 end)
{
	struct ferry_bo *bo = NULL;

	while ((bo = ferry_bo_next(ferry, bo)))
		if (bo->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE)
			ferry_placement_move_behind(bo, end);
}

/* Pin a BO anywhere, or, if free space is scattered, behind the black range. */
static int ferry_scanout_pin(struct ferry_device *ferry, struct ferry_bo *bo, u64 end,
			     u64 *offset)
{
	u64 size = bo->base.base.size, first = ferry->kms->scanout.black.size;
	u64 behind = first + size;
	int ret;

	ret = ferry_placement_pin_scanout(bo, 0, end, 0, offset);
	if (ret != -ENOSPC || behind > min(end, ferry->bar.size))
		return ret;

	ret = ferry_placement_pin_scanout(bo, first, behind, 0, offset);
	if (ret != -ENOSPC ||
	    atomic64_read(&ferry->vram_mgr.unevictable) + size > ferry->bar.size)
		return ret;

	ferry_scanout_move_behind(ferry, behind);
	return ferry_placement_pin_scanout(bo, first, behind, FERRY_PLACEMENT_RETRY_JIFFIES,
					   offset);
}

/**
 * ferry_scanout_new_buffer - allocate a scanout buffer
 * @ferry: the device
 * @size: bytes, whole pages
 * @end: end of the part of the aperture that the display can read, as a byte offset
 *
 * The buffer is filled with zeros. TTM evicts for BOs only, so a BO gets the range, and leaves it
 * to the driver.
 *
 * Return: the buffer with one reference, or an error pointer: -ENOSPC if BOs in the way cannot be
 * evicted or moved, -EIO, -ENOMEM or -ENODEV.
 */
struct ferry_scanout_buffer *ferry_scanout_new_buffer(struct ferry_device *ferry, u64 size,
						      u64 end)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE,
		.flags = DRM_FERRY_BO_CONTIGUOUS,
	};
	struct ferry_scanout_buffer *buffer;
	struct ferry_bo *bo;
	int ret;

	buffer = ferry_scanout_alloc_buffer(ferry, size);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	bo = ferry_gem_create(ferry, NULL, &create);
	if (IS_ERR(bo)) {
		kfree(buffer);
		return ERR_CAST(bo);
	}

	ret = ferry_scanout_pin(ferry, bo, end, &buffer->offset);
	if (ret) {
		ferry_bo_put(bo);
		kfree(buffer);
		return ERR_PTR(ret);
	}

	buffer->vres = ferry_placement_hold_scanout(bo);
	atomic64_add(size, &ferry->stats.scanout_bytes);
	ferry_bo_put(bo);
	return buffer;
}

/**
 * ferry_scanout_take_buffer - make a scanout buffer of the range of a framebuffer
 * @ferry: the device
 * @bo: the BO, pinned once with ferry_placement_pin_scanout(); on success it is not pinned any more
 * @end: end of the part of the aperture that the display can read, as a byte offset
 *
 * Moves the BO to system memory.
 *
 * Return: the buffer with one reference, or an error pointer: -ENOSPC if the BO cannot be moved or
 * is out of reach, -EIO, -ENOMEM or -ENODEV.
 */
struct ferry_scanout_buffer *ferry_scanout_take_buffer(struct ferry_device *ferry,
						       struct ferry_bo *bo, u64 end)
{
	struct ferry_scanout_buffer *buffer;
	int ret;

	buffer = ferry_scanout_alloc_buffer(ferry, bo->base.base.size);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	ret = ferry_placement_take_scanout(bo, end, &buffer->vres);
	if (ret) {
		kfree(buffer);
		return ERR_PTR(ret);
	}

	buffer->offset = (u64)buffer->vres->base.start << PAGE_SHIFT;
	atomic64_add(buffer->size, &ferry->stats.scanout_bytes);
	return buffer;
}

/**
 * ferry_scanout_get_buffer - take one more reference
 * @buffer: the buffer
 *
 * Return: the buffer.
 */
struct ferry_scanout_buffer *ferry_scanout_get_buffer(struct ferry_scanout_buffer *buffer)
{
	kref_get(&buffer->ref);
	return buffer;
}

static void ferry_scanout_free_buffer(struct kref *ref)
{
	struct ferry_scanout_buffer *buffer = container_of(ref, struct ferry_scanout_buffer, ref);
	struct ferry_scanout *scanout = &buffer->ferry->kms->scanout;

	/* Only an unplugged device, whose registers are not written, can still show it. */
	mutex_lock(&scanout->lock);
	if (scanout->buffer == buffer)
		scanout->buffer = NULL;
	mutex_unlock(&scanout->lock);

	ferry_placement_drop_scanout(buffer->ferry, buffer->vres);
	atomic64_sub(buffer->size, &buffer->ferry->stats.scanout_bytes);
	kfree(buffer);
}

/**
 * ferry_scanout_put_buffer - drop a reference, and free the buffer if it was the last one
 * @buffer: the buffer, or NULL
 */
void ferry_scanout_put_buffer(struct ferry_scanout_buffer *buffer)
{
	if (buffer)
		kref_put(&buffer->ref, ferry_scanout_free_buffer);
}

static void ferry_scanout_fini(struct drm_device *drm, void *arg)
{
	struct ferry_scanout *scanout = arg;
	struct ferry_vram_mgr *mgr = &to_ferry_device(drm)->vram_mgr;

	ferry_vram_mgr_release(mgr, &scanout->firmware);
	ferry_vram_mgr_release(mgr, &scanout->black);
	mutex_destroy(&scanout->lock);
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
	scanout->bar = &ferry->bar;
	mutex_init(&scanout->lock);
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
