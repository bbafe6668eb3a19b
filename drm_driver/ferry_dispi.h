/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_DISPI_H_
#define _FERRY_DISPI_H_

#include <linux/types.h>

struct ferry_device;

/* Bytes per pixel of the one format that the driver sets */
#define FERRY_DISPI_CPP 4

/**
 * struct ferry_dispi - the registers of a Bochs display
 */
struct ferry_dispi {
	/**
	 * @mmio: EDID, VGA and DISPI registers, or NULL if VGA and DISPI registers are behind I/O
	 * ports; accessed inside drm_dev_enter()
	 */
	void __iomem *mmio;
	/** @vga: the device has VGA registers and modes; bochs-display has none */
	bool vga;
	/** @vram: number of bytes of memory behind the aperture, as the device reports it */
	u64 vram;
};

/**
 * struct ferry_dispi_frame - the part of the aperture that is on the screen
 */
struct ferry_dispi_frame {
	/** @offset: byte offset into the aperture of the first pixel */
	u64 offset;
	/** @pitch: bytes from one line to the next */
	u32 pitch;
	/** @cpp: bytes per pixel; the firmware can have set another number than the driver */
	u8 cpp;
	/** @width: width in pixels */
	u16 width;
	/** @height: height in lines */
	u16 height;
};

int ferry_dispi_probe(struct ferry_device *ferry, struct ferry_dispi *dispi);
void ferry_dispi_reset(struct ferry_dispi *dispi);
void ferry_dispi_set_mode(struct ferry_dispi *dispi, u16 width, u16 height, u64 offset, u32 pitch);
void ferry_dispi_set_scanout(struct ferry_dispi *dispi, u64 offset, u32 pitch);
bool ferry_dispi_has_width(const struct ferry_dispi *dispi, u32 width);
bool ferry_dispi_get_frame(struct ferry_dispi *dispi, struct ferry_dispi_frame *frame);
u16 ferry_dispi_round_width(const struct ferry_dispi *dispi, u16 width);
u64 ferry_dispi_reach(const struct ferry_dispi *dispi, u32 pitch);
bool ferry_dispi_has_edid(struct ferry_dispi *dispi);
int ferry_dispi_edid_block(void *data, u8 *buf, unsigned int block, size_t len);

#endif /* _FERRY_DISPI_H_ */
