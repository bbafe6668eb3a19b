/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_SCANOUT_H_
#define _FERRY_SCANOUT_H_

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "ferry_dispi.h"
#include "ferry_vram_mgr.h"

struct ferry_bar;
struct ferry_bo;
struct ferry_device;

/**
 * struct ferry_scanout_buffer - a contiguous range of the aperture that frames are copied to
 *
 * Each state of the primary plane whose framebuffer is copied holds a reference.
 */
struct ferry_scanout_buffer {
	/** @ref: references */
	struct kref ref;
	/** @ferry: the device */
	struct ferry_device *ferry;
	/** @vres: the range, which no BO has any more */
	struct ferry_vram_resource *vres;
	/** @offset: byte offset into the aperture */
	u64 offset;
	/** @size: bytes */
	u64 size;
};

/**
 * struct ferry_scanout - memory that the display reads
 */
struct ferry_scanout {
	/** @dispi: the registers */
	struct ferry_dispi *dispi;
	/** @bar: the BAR */
	struct ferry_bar *bar;
	/** @black: range at the start of the aperture that an off display shows */
	struct ferry_vram_range black;
	/** @firmware: range that the firmware's mode shows, until the first modeset */
	struct ferry_vram_range firmware;
	/**
	 * @lock: protects the fields below, the contents of scanout buffers and the address that
	 * is scanned out. dma_resv cannot: cursor updates run concurrently with page flips, and
	 * a scanout buffer belongs to no BO.
	 */
	struct mutex lock;
	/** @width: pixels of a line of the mode */
	u32 width;
	/** @height: lines of the mode */
	u32 height;
	/** @pending: the mode is set together with the address of its first frame */
	bool pending;
	/**
	 * @buffer: the scanout buffer on the screen, which has the whole current frame, or NULL;
	 * without a reference, ferry_scanout_put_buffer() clears it
	 */
	struct ferry_scanout_buffer *buffer;
	/** @shown: byte offset into the aperture of what is on the screen */
	u64 shown;
	/** @shown_pitch: its bytes from one line to the next */
	u32 shown_pitch;
};

int ferry_scanout_init(struct ferry_device *ferry, struct ferry_dispi *dispi);
void ferry_scanout_off(struct ferry_device *ferry);
void ferry_scanout_set_mode(struct ferry_device *ferry, u32 width, u32 height);
void ferry_scanout_show(struct ferry_device *ferry, u64 offset, u32 pitch);
void ferry_scanout_show_buffer(struct ferry_device *ferry, struct ferry_scanout_buffer *buffer);
struct ferry_scanout_buffer *ferry_scanout_new_buffer(struct ferry_device *ferry, u64 size,
						      u64 end);
struct ferry_scanout_buffer *ferry_scanout_take_buffer(struct ferry_device *ferry,
						       struct ferry_bo *bo, u64 end);
struct ferry_scanout_buffer *ferry_scanout_get_buffer(struct ferry_scanout_buffer *buffer);
void ferry_scanout_put_buffer(struct ferry_scanout_buffer *buffer);

/* Bytes from one line of a scanout buffer to the next */
static inline u32 ferry_scanout_pitch(const struct ferry_scanout *scanout)
{
	return scanout->width * FERRY_DISPI_CPP;
}

#endif /* _FERRY_SCANOUT_H_ */
