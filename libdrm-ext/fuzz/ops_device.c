// SPDX-License-Identifier: MIT
/* Calls with devices and displays. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

/* Of open(2) for the paths below, and those that ferry.h lists */
#define OPEN_ERRORS EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EISDIR, ENXIO, ENOTDIR

static uint32_t open_flags(uint8_t number)
{
	static const uint32_t flags[] = { 0, FERRY_OPEN_NO_CACHE,
					  FERRY_OPEN_DISPLAY, 1, 1u << 20 };

	return flags[number % ARRAY_SIZE(flags)];
}

static bool keep_opened(struct state *s, const struct call *call,
			struct ferry_device *dev)
{
	/* What the functions return must work. */
	if (ferry_device_aperture_size(dev) !=
	    ferry_device_aperture_size(s->devices[0]))
		wrong("another device", "ferry_device_aperture_size()",
		      ferry_device_aperture_size(dev));
	keep_device(s, call->a, dev);
	return true;
}

/* a: slot; b: flags; c: path */
static bool device_open_node(struct state *s, const struct call *call)
{
	static const char *const paths[] = {
		"/dev/dri/card0", "/dev/dri/renderD128",
		"/dev/null",	  "",
		"/dev/dri",	  "/none",
		"/dev/null/x",
	};
	struct ferry_device *dev;

	return EXPECT(ferry_device_open_node(paths[call->c % ARRAY_SIZE(paths)],
					     open_flags(call->b), &dev),
		      OPEN_ERRORS) &&
	       keep_opened(s, call, dev);
}

/* a: slot; b: flags; c: which part of the address is changed; value: to what */
static bool device_open_pci(struct state *s, const struct call *call)
{
	struct ferry_device *dev;
	char address[64];

	snprintf(address, sizeof(address), "%s",
		 ferry_device_address(s->devices[0]));
	if (call->c & 0x80)
		memcpy(address + call->c % 16, &call->value,
		       sizeof(call->value));
	return EXPECT(ferry_device_open_pci(address, open_flags(call->b), &dev),
		      OPEN_ERRORS) &&
	       keep_opened(s, call, dev);
}

/* a: slot; b: flags; c: descriptor */
static bool device_reopen(struct state *s, const struct call *call)
{
	struct ferry_device *dev;

	return EXPECT(ferry_device_reopen(fd_of(s, call->c),
					  open_flags(call->b), &dev),
		      OPEN_ERRORS, EBADF) &&
	       keep_opened(s, call, dev);
}

/* a: slot; b: flags; c: descriptor */
static bool device_new(struct state *s, const struct call *call)
{
	struct ferry_device *dev;

	return EXPECT(ferry_device_new(fd_of(s, call->c), open_flags(call->b),
				       &dev),
		      EINVAL, ENODEV, EOPNOTSUPP, EBADF) &&
	       keep_opened(s, call, dev);
}

/* a: slot that is dropped, or gets a reference to the device of slot b */
static bool device_ref(struct state *s, const struct call *call)
{
	keep_device(s, call->a,
		    call->b % 2 ? ferry_device_ref(device_of(s, call->b / 2)) :
				  NULL);
	return true;
}

/* a: slot; value: size of the structure */
static bool device_query(struct state *s, const struct call *call)
{
	struct ferry_device *dev = device_of(s, call->a);
	union {
		struct drm_ferry_device_query info;
		uint8_t bytes[2 * sizeof(struct drm_ferry_device_query)];
	} query;
	size_t size = call->value % (sizeof(query) + 1);

	memset(&query, 0xaa, sizeof(query));
	if (!EXPECT(ferry_device_query(dev, &query.info, size), EINVAL))
		return false;
	for (size_t i = size; i < sizeof(query); i++) {
		if (query.bytes[i] != 0xaa)
			wrong("a byte behind it", "ferry_device_query()", i);
	}
	return *ferry_memtype_name(call->value);
}

/* a: slot; b, c: size of the mode */
static bool display_new(struct state *s, const struct call *call)
{
	static const uint32_t sizes[][2] = { { 0, 0 },	   { 640, 480 },
					     { 800, 600 }, { 0, 480 },
					     { 641, 480 }, { UINT32_MAX, 1 } };
	const uint32_t *size = sizes[call->b % ARRAY_SIZE(sizes)];
	struct ferry_display *display;

	if (!EXPECT(ferry_display_new(device_of(s, call->a), size[0], size[1],
				      call->c == 0xff, &display),
		    EINVAL, EOPNOTSUPP, ENXIO, EACCES, ENOSPC))
		return false;
	ferry_display_del(s->display);
	s->display = display;
	return true;
}

/* a: whether to drop it; b: whether to flip; value, c: damage */
static bool display_show(struct state *s, const struct call *call)
{
	struct ferry_display_buffer buffer;
	uint32_t *last;

	if (!s->display)
		return false;
	ferry_display_draw(s->display, &buffer);
	last = (uint32_t *)((char *)buffer.pixels +
			    (size_t)buffer.pitch * (buffer.height - 1)) +
	       buffer.width - 1;
	*(uint32_t *)buffer.pixels = *last = call->value;
	if (call->b % 2 &&
	    !EXPECT(ferry_display_flip(s->display), EACCES, EBUSY, ENOSPC))
		return false;
	if (call->a % 8 == 0) {
		ferry_display_del(s->display);
		s->display = NULL;
		return true;
	}
	return EXPECT(ferry_display_damage(
			      s->display, call->value & 0x3ff,
			      call->value >> 10 & 0x3ff, call->value >> 20,
			      call->c == 0xff ? UINT32_MAX : call->c),
		      EINVAL);
}

const struct op device_ops[] = {
	{ "open_node", device_open_node }, { "open_pci", device_open_pci },
	{ "reopen", device_reopen },	   { "device_new", device_new },
	{ "device_ref", device_ref },	   { "device_query", device_query },
	{ "display_new", display_new },	   { "display_show", display_show },
};
const size_t device_ops_count = ARRAY_SIZE(device_ops);
