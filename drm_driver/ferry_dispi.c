// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/math64.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include <video/vga.h>

#include <drm/drm_edid.h>
#include <drm/drm_print.h>

#include "ferry_device.h"
#include "ferry_dispi.h"

/* The BAR with the registers, and the offsets of the registers in it */
#define FERRY_DISPI_BAR			2
#define FERRY_DISPI_BAR_MIN		SZ_4K
#define FERRY_DISPI_EDID_SIZE		0x400
#define FERRY_DISPI_VGA			0x400
#define FERRY_DISPI_REGISTERS		0x500
#define FERRY_DISPI_QEXT_SIZE		0x600
#define FERRY_DISPI_QEXT_ENDIAN		0x604
#define FERRY_DISPI_ENDIAN_LITTLE	0x1e1e1e1e

/* Without the register BAR: I/O ports of a VGA device, for the index and the value of a register */
#define FERRY_DISPI_PORT_INDEX		0x1ce
#define FERRY_DISPI_PORT_DATA		0x1cf
#define FERRY_DISPI_PORTS		2

/* DISPI registers, of 16 bits each */
enum {
	DISPI_ID,
	DISPI_XRES,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET,
	DISPI_MEMORY_64K,
};

/* VGA devices clamp the first line to this, and round widths down to a multiple of this. */
#define DISPI_VGA_MAX_Y_OFFSET	12000
#define DISPI_VGA_WIDTH_UNIT	8

/*
 * A read of the VGA misc output register returns this on a device without VGA ports. With
 * them, one bit is always 0.
 */
#define DISPI_NO_VGA		0xff

#define DISPI_ID_MASK		0xfff0
#define DISPI_ID_VALUE		0xb0c0
#define DISPI_ENABLED		BIT(0)
#define DISPI_LINEAR		BIT(6)
#define DISPI_KEEP_MEMORY	BIT(7)
#define DISPI_ENABLE_VALUE	(DISPI_ENABLED | DISPI_LINEAR | DISPI_KEEP_MEMORY)

static u16 ferry_dispi_read(struct ferry_dispi *dispi, int reg)
{
	if (dispi->mmio)
		return readw(dispi->mmio + FERRY_DISPI_REGISTERS + reg * 2);

	outw(reg, FERRY_DISPI_PORT_INDEX);
	return inw(FERRY_DISPI_PORT_DATA);
}

static void ferry_dispi_write(struct ferry_dispi *dispi, int reg, u16 val)
{
	if (dispi->mmio) {
		writew(val, dispi->mmio + FERRY_DISPI_REGISTERS + reg * 2);
		return;
	}

	outw(reg, FERRY_DISPI_PORT_INDEX);
	outw(val, FERRY_DISPI_PORT_DATA);
}

static u8 ferry_dispi_vga_read(struct ferry_dispi *dispi, u16 port)
{
	if (dispi->mmio)
		return readb(dispi->mmio + FERRY_DISPI_VGA + port - VGA_ATT_W);

	return inb(port);
}

static void ferry_dispi_vga_write(struct ferry_dispi *dispi, u16 port, u8 val)
{
	if (dispi->mmio)
		writeb(val, dispi->mmio + FERRY_DISPI_VGA + port - VGA_ATT_W);
	else
		outb(val, port);
}

/**
 * ferry_dispi_reset - set the registers whose values are lost with the power
 * @dispi: the registers
 */
void ferry_dispi_reset(struct ferry_dispi *dispi)
{
	/* Newer devices with a register BAR have a register for the byte order of pixels. */
	if (dispi->mmio && readl(dispi->mmio + FERRY_DISPI_QEXT_SIZE) >= 8)
		writel(FERRY_DISPI_ENDIAN_LITTLE, dispi->mmio + FERRY_DISPI_QEXT_ENDIAN);
}

static int ferry_dispi_claim_ports(struct drm_device *drm)
{
	struct pci_dev *pdev = to_pci_dev(drm->dev);

	/* Only a VGA device decodes the ports. */
	if (pdev->class >> 8 != PCI_CLASS_DISPLAY_VGA) {
		drm_err(drm, "BAR %d with the display registers is missing\n", FERRY_DISPI_BAR);
		return -ENODEV;
	}

	if (!devm_request_region(drm->dev, FERRY_DISPI_PORT_INDEX, FERRY_DISPI_PORTS, "ferry")) {
		drm_err(drm, "I/O port 0x%x is in use by another driver\n",
			FERRY_DISPI_PORT_INDEX);
		return -EBUSY;
	}

	drm_info(drm, "BAR %d with the display registers is missing: using I/O ports, without EDID\n",
		 FERRY_DISPI_BAR);
	return 0;
}

static int ferry_dispi_claim(struct drm_device *drm, struct ferry_dispi *dispi)
{
	struct pci_dev *pdev = to_pci_dev(drm->dev);

	if (!(pci_resource_flags(pdev, FERRY_DISPI_BAR) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, FERRY_DISPI_BAR) < FERRY_DISPI_BAR_MIN)
		return ferry_dispi_claim_ports(drm);

	if (!devm_request_mem_region(drm->dev, pci_resource_start(pdev, FERRY_DISPI_BAR),
				     pci_resource_len(pdev, FERRY_DISPI_BAR), "ferry")) {
		drm_err(drm, "BAR %d %pR is in use by another driver\n", FERRY_DISPI_BAR,
			pci_resource_n(pdev, FERRY_DISPI_BAR));
		return -EBUSY;
	}
	dispi->mmio = devm_ioremap(drm->dev, pci_resource_start(pdev, FERRY_DISPI_BAR),
				   pci_resource_len(pdev, FERRY_DISPI_BAR));
	return dispi->mmio ? 0 : -ENOMEM;
}

/**
 * ferry_dispi_probe - find the registers of a Bochs display
 * @ferry: the device
 * @dispi: filled in
 *
 * The registers are in a BAR, or, on a VGA device without this BAR, behind I/O ports. Only
 * reads registers: the firmware's framebuffer can still be on the screen. devres releases the
 * registers after the driver's remove callback.
 *
 * Return: 0, -ENODEV if the device has no such registers, -EBUSY if another driver holds
 * them, or -ENOMEM.
 */
int ferry_dispi_probe(struct ferry_device *ferry, struct ferry_dispi *dispi)
{
	struct drm_device *drm = &ferry->drm;
	u16 id;
	int ret;

	ret = ferry_dispi_claim(drm, dispi);
	if (ret)
		return ret;

	id = ferry_dispi_read(dispi, DISPI_ID);
	if ((id & DISPI_ID_MASK) != DISPI_ID_VALUE) {
		if (dispi->mmio)
			drm_err(drm, "no Bochs display behind BAR %d: id 0x%x\n",
				FERRY_DISPI_BAR, id);
		else
			drm_err(drm, "no Bochs display behind I/O port 0x%x: id 0x%x\n",
				FERRY_DISPI_PORT_INDEX, id);
		return -ENODEV;
	}
	dispi->vga = ferry_dispi_vga_read(dispi, VGA_MIS_R) != DISPI_NO_VGA;
	dispi->vram = (u64)ferry_dispi_read(dispi, DISPI_MEMORY_64K) * SZ_64K;

	return 0;
}

/* A VGA device that another driver has blanked shows nothing until it is unblanked. */
static void ferry_dispi_unblank(struct ferry_dispi *dispi)
{
	ferry_dispi_vga_write(dispi, VGA_MIS_W, VGA_MIS_COLOR);
	/* After this read the next write to the attribute port is an index. */
	ferry_dispi_vga_read(dispi, VGA_IS1_RC);
	ferry_dispi_vga_write(dispi, VGA_ATT_W, VGA_AR_ENABLE_DISPLAY);
}

static void ferry_dispi_set_address(struct ferry_dispi *dispi, u64 offset, u32 pitch)
{
	u32 rest, line = div_u64_rem(offset, pitch, &rest);

	/*
	 * The width first, because a VGA device checks the offsets against it. The column last,
	 * because such a device resets it while the frame exceeds the memory.
	 */
	ferry_dispi_write(dispi, DISPI_VIRT_WIDTH, pitch / FERRY_DISPI_CPP);
	ferry_dispi_write(dispi, DISPI_Y_OFFSET, line);
	ferry_dispi_write(dispi, DISPI_X_OFFSET, rest / FERRY_DISPI_CPP);
}

/*
 * Enabling a VGA device resets its scanout address to the start of the aperture. Show one short
 * line there, in memory of the driver, until the address is set.
 */
static void ferry_dispi_enable_vga(struct ferry_dispi *dispi, u16 width, u16 height, u64 offset,
				   u32 pitch)
{
	u32 rest, line = div_u64_rem(offset, pitch, &rest);

	ferry_dispi_write(dispi, DISPI_XRES, DISPI_VGA_WIDTH_UNIT);
	ferry_dispi_write(dispi, DISPI_YRES, 1);
	ferry_dispi_write(dispi, DISPI_ENABLE, DISPI_ENABLE_VALUE);
	ferry_dispi_write(dispi, DISPI_VIRT_WIDTH, pitch / FERRY_DISPI_CPP);
	/* With the column last, memory in front of the frame would be shown. */
	ferry_dispi_write(dispi, DISPI_X_OFFSET, rest / FERRY_DISPI_CPP);
	ferry_dispi_write(dispi, DISPI_Y_OFFSET, line);
	ferry_dispi_write(dispi, DISPI_XRES, width);
	ferry_dispi_write(dispi, DISPI_YRES, height);
	ferry_dispi_unblank(dispi);
}

/**
 * ferry_dispi_set_mode - set the resolution and what is scanned out, and enable scanout
 * @dispi: the registers
 * @width: width in pixels
 * @height: height in lines
 * @offset: byte offset into the aperture of the first pixel
 * @pitch: bytes from one line to the next
 *
 * The device can draw the screen between any two writes, and shows no memory but that of the driver
 * and of the frame.
 */
void ferry_dispi_set_mode(struct ferry_dispi *dispi, u16 width, u16 height, u64 offset, u32 pitch)
{
	/* Without KEEP_MEMORY, which is in DISPI_ENABLE_VALUE, a VGA device clears its memory. */
	ferry_dispi_write(dispi, DISPI_ENABLE, 0);
	ferry_dispi_write(dispi, DISPI_BPP, FERRY_DISPI_CPP * 8);
	ferry_dispi_write(dispi, DISPI_BANK, 0);
	if (dispi->vga) {
		ferry_dispi_enable_vga(dispi, width, height, offset, pitch);
		return;
	}

	ferry_dispi_write(dispi, DISPI_XRES, width);
	ferry_dispi_write(dispi, DISPI_YRES, height);
	ferry_dispi_set_address(dispi, offset, pitch);
	ferry_dispi_write(dispi, DISPI_ENABLE, DISPI_ENABLE_VALUE);
}

/**
 * ferry_dispi_set_scanout - set the memory that is scanned out
 * @dispi: the registers, with a mode set
 * @offset: byte offset into the aperture of the first pixel
 * @pitch: bytes from one line to the next
 */
void ferry_dispi_set_scanout(struct ferry_dispi *dispi, u64 offset, u32 pitch)
{
	/*
	 * A frame that is drawn between two of the writes would show other memory. While it is
	 * disabled, bochs-display draws nothing; a VGA device would draw text.
	 */
	if (!dispi->vga)
		ferry_dispi_write(dispi, DISPI_ENABLE, 0);
	ferry_dispi_set_address(dispi, offset, pitch);
	if (!dispi->vga)
		ferry_dispi_write(dispi, DISPI_ENABLE, DISPI_ENABLE_VALUE);
}

/**
 * ferry_dispi_has_width - check if the device can show lines of a width
 * @dispi: the registers
 * @width: pixels of a line, or from one line to the next
 *
 * VGA devices round to a multiple of 8 pixels.
 *
 * Return: true if the device shows exactly this width.
 */
bool ferry_dispi_has_width(const struct ferry_dispi *dispi, u32 width)
{
	return width && width <= U16_MAX && (!dispi->vga || width % DISPI_VGA_WIDTH_UNIT == 0);
}

/**
 * ferry_dispi_get_frame - read which part of the aperture is on the screen
 * @dispi: the registers
 * @frame: filled in
 *
 * Return: true, or false if no mode of the Bochs display interface is set.
 */
bool ferry_dispi_get_frame(struct ferry_dispi *dispi, struct ferry_dispi_frame *frame)
{
	if (!(ferry_dispi_read(dispi, DISPI_ENABLE) & DISPI_ENABLED))
		return false;

	frame->cpp = DIV_ROUND_UP(ferry_dispi_read(dispi, DISPI_BPP), 8);
	frame->width = ferry_dispi_read(dispi, DISPI_XRES);
	frame->height = ferry_dispi_read(dispi, DISPI_YRES);
	/* bochs-display raises a smaller virtual width to the width. */
	frame->pitch = max(ferry_dispi_read(dispi, DISPI_VIRT_WIDTH), frame->width) * frame->cpp;
	frame->offset = (u64)ferry_dispi_read(dispi, DISPI_Y_OFFSET) * frame->pitch +
			ferry_dispi_read(dispi, DISPI_X_OFFSET) * frame->cpp;
	return true;
}

/**
 * ferry_dispi_round_width - get the width that the device shows instead of another one
 * @dispi: the registers
 * @width: width in pixels
 *
 * Return: @width, or less on a device that rounds it down.
 */
u16 ferry_dispi_round_width(const struct ferry_dispi *dispi, u16 width)
{
	return dispi->vga ? round_down(width, DISPI_VGA_WIDTH_UNIT) : width;
}

/**
 * ferry_dispi_reach - get the part of the aperture that the device can scan out of
 * @dispi: the registers
 * @pitch: bytes from one line to the next
 *
 * The number of the first line has 16 bits, and VGA devices clamp it.
 *
 * Return: end of this part as a byte offset, which a framebuffer must not exceed; 0 if the
 * device cannot show this pitch.
 */
u64 ferry_dispi_reach(const struct ferry_dispi *dispi, u32 pitch)
{
	if (pitch % FERRY_DISPI_CPP || !ferry_dispi_has_width(dispi, pitch / FERRY_DISPI_CPP))
		return 0;

	return (u64)pitch * (dispi->vga ? DISPI_VGA_MAX_Y_OFFSET : U16_MAX);
}

/**
 * ferry_dispi_has_edid - check if the device has an EDID
 * @dispi: the registers
 *
 * The EDID helpers log an error for a device with edid=off: check before calling them.
 *
 * Return: true if the EDID begins with a valid header.
 */
bool ferry_dispi_has_edid(struct ferry_dispi *dispi)
{
	u8 header[8];

	if (!dispi->mmio)
		return false;

	memcpy_fromio(header, dispi->mmio, sizeof(header));
	return drm_edid_header_is_valid(header) == sizeof(header);
}

/**
 * ferry_dispi_edid_block - read a block of the EDID, for drm_edid_read_custom()
 * @data: the &struct ferry_dispi
 * @buf: filled in
 * @block: index of the block
 * @len: size of a block in bytes
 *
 * Return: 0, or -EINVAL for a block outside of the device's EDID.
 */
int ferry_dispi_edid_block(void *data, u8 *buf, unsigned int block, size_t len)
{
	struct ferry_dispi *dispi = data;
	size_t start = (size_t)block * EDID_LENGTH;

	if (start + len > FERRY_DISPI_EDID_SIZE)
		return -EINVAL;

	memcpy_fromio(buf, dispi->mmio + start, len);
	return 0;
}
