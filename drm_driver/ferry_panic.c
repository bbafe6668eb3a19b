// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/errno.h>
#include <linux/iosys-map.h>

#include <kunit/visibility.h>

#include <drm/drm_fourcc.h>
#include <drm/drm_panic.h>

#include "ferry_bar.h"
#include "ferry_dispi.h"
#include "ferry_panic.h"

/**
 * ferry_panic_get_buffer - get the memory on the screen, for the panic screen
 * @bar: the BAR
 * @dispi: the registers
 * @buffer: filled in
 *
 * The registers say what is on the screen, and the whole aperture is mapped. So this needs no
 * lock and no state, either of which the code that has panicked may be changing.
 *
 * Return: 0, or -ENODEV if the display is off.
 */
int ferry_panic_get_buffer(const struct ferry_bar *bar, struct ferry_dispi *dispi,
			   struct drm_scanout_buffer *buffer)
{
	struct ferry_dispi_frame frame;
	u64 bytes;

	if (!bar->io.iomem || !ferry_dispi_get_frame(dispi, &frame))
		return -ENODEV;

	/* A mode that the firmware has set may have another format. */
	bytes = (u64)frame.pitch * frame.height;
	if (frame.cpp != FERRY_DISPI_CPP || !frame.width || !frame.height || bytes > bar->size ||
	    frame.offset > bar->size - bytes)
		return -ENODEV;

	buffer->format = drm_format_info(DRM_FORMAT_XRGB8888);
	buffer->width = frame.width;
	buffer->height = frame.height;
	buffer->pitch[0] = frame.pitch;
	iosys_map_set_vaddr_iomem(&buffer->map[0], ferry_bar_vaddr(bar, frame.offset));
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_panic_get_buffer);
