// SPDX-License-Identifier: MIT
/* Dumb buffers, framebuffers and the display. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include "ops_local.h"

/* Connector, CRTC, plane and a mode of the display; 0 if there is none. */
static uint32_t connector, crtc, plane;
static struct drm_mode_modeinfo mode;
/* Properties of the plane, then of the CRTC, then of the connector */
static uint32_t properties[64];
static unsigned int property_count;

static void find_properties(int fd, uint32_t id, uint32_t type)
{
	uint64_t values[32];
	struct drm_mode_obj_get_properties args = {
		.props_ptr = (uintptr_t)&properties[property_count],
		.prop_values_ptr = (uintptr_t)values,
		.count_props = 20,
		.obj_id = id,
		.obj_type = type,
	};

	if (property_count > 40 ||
	    ioctl(fd, DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &args))
		return;
	property_count += args.count_props < 20 ? args.count_props : 20;
}

void ops_find_display(int fd)
{
	uint32_t crtcs[4] = {}, connectors[4] = {}, planes[4] = {};
	struct drm_set_client_cap atomic = { DRM_CLIENT_CAP_ATOMIC, 1 };
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs,
		.connector_id_ptr = (uintptr_t)connectors,
		.count_crtcs = 4,
		.count_connectors = 4,
	};
	struct drm_mode_get_plane_res list = {
		.plane_id_ptr = (uintptr_t)planes, .count_planes = 4
	};
	static struct drm_mode_modeinfo modes[128];
	struct drm_mode_get_connector info = {};

	property_count = 0;
	ioctl(fd, DRM_IOCTL_SET_CLIENT_CAP, &atomic);
	if (ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &res) || !crtcs[0])
		return;
	ioctl(fd, DRM_IOCTL_MODE_GETPLANERESOURCES, &list);
	crtc = crtcs[0];
	connector = connectors[0];
	plane = planes[0];
	info.connector_id = connector;
	info.modes_ptr = (uintptr_t)modes;
	info.count_modes = 128;
	if (!ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &info))
		mode = modes[0];
	find_properties(fd, plane, DRM_MODE_OBJECT_PLANE);
	find_properties(fd, crtc, DRM_MODE_OBJECT_CRTC);
	find_properties(fd, connector, DRM_MODE_OBJECT_CONNECTOR);
}

int op_dumb(const struct call *call)
{
	struct drm_mode_create_dumb create = {
		.width = call->v & 0xfff,
		.height = call->v >> 12 & 0xfff,
		.bpp = call->v >> 24 ? 32 : 8,
		.flags = call->c == 255,
	};
	struct drm_mode_map_dumb map = { .handle = handle_of(call, call->b) };
	struct drm_mode_destroy_dumb destroy = { .handle = map.handle };
	int err;

	switch (call->c % 3) {
	case 0:
		if ((uint64_t)create.width * create.height * 4 > MAPPING_SIZE)
			create.height = 64;
		err = do_ioctl(file_of(call), DRM_IOCTL_MODE_CREATE_DUMB,
			       &create);
		if (!err)
			handle_of(call, call->b) = create.handle;
		return err;
	case 1:
		err = do_ioctl(file_of(call), DRM_IOCTL_MODE_MAP_DUMB, &map);
		if (!err)
			offset_of(call, call->b) = map.offset;
		return err;
	default:
		return do_ioctl(file_of(call), DRM_IOCTL_MODE_DESTROY_DUMB,
				&destroy);
	}
}

int op_addfb(const struct call *call)
{
	/* most BOs are too small for a large framebuffer */
	const uint32_t most = call->v & 0x40000000 ? 0x7ff : 0x7f;
	struct drm_mode_fb_cmd2 args = {
		.width = call->v & 0x80000000 ? mode.hdisplay : call->v & most,
		.height = call->v & 0x80000000 ? mode.vdisplay :
						 call->v >> 11 & most,
		.pixel_format = call->c & 0x80 ? DRM_FORMAT_ARGB8888 :
						 DRM_FORMAT_XRGB8888,
		.flags = call->c >= 0xc0 ? DRM_MODE_FB_MODIFIERS : 0,
		.handles[0] = handle_of(call, call->b),
		.offsets[0] =
			call->v >> 22 & 0xff ? (call->v >> 22 & 0xff) * 64 : 0,
	};
	int err;

	args.pitches[0] = args.width * 4 + (call->c & 0x20 ? 64 : 0);
	err = do_ioctl(file_of(call), DRM_IOCTL_MODE_ADDFB2, &args);
	if (!err)
		state.fbs[call->c % SLOTS] = args.fb_id;
	return err;
}

int op_rmfb(const struct call *call)
{
	/* older headers lack DRM_IOCTL_MODE_CLOSEFB and its structure */
	uint32_t id[2] = { state.fbs[call->c % SLOTS] };

	return do_ioctl(
		file_of(call),
		call->b & 1 ? DRM_IOCTL_MODE_RMFB : _IOWR('d', 0xd0, id), id);
}

int op_set_crtc(const struct call *call)
{
	struct drm_mode_crtc args = {
		.set_connectors_ptr = (uintptr_t)&connector,
		.count_connectors = call->b & 1 ? 0 : 1,
		.crtc_id = crtc,
		.fb_id = call->b & 1 ? 0 : state.fbs[call->c % SLOTS],
		.x = call->v & 0x3f,
		.y = call->v >> 6 & 0x3f,
		.mode_valid = !(call->b & 1),
		.mode = mode,
	};

	return do_ioctl(file_of(call), DRM_IOCTL_MODE_SETCRTC, &args);
}

/* A mode in which one or two numbers are not those that the connector offers. */
int op_mode(const struct call *call)
{
	struct drm_mode_modeinfo any = mode;
	struct drm_mode_crtc args = {
		.set_connectors_ptr = (uintptr_t)&connector,
		.count_connectors = 1,
		.crtc_id = crtc,
		.fb_id = state.fbs[call->c % SLOTS],
		.mode_valid = 1,
	};
	struct drm_mode_create_blob blob = { .data = (uintptr_t)&args.mode,
					     .length = sizeof(args.mode) };
	/* the clock and ten numbers of 16 bits, and then the refresh rate and the flags */
	uint16_t *sizes = &any.hdisplay;
	unsigned int i;
	int err;

	for (i = 0; i < 2; i++) {
		unsigned int field = (call->b >> (4 * i)) % 14;
		uint64_t value = number(call->v >> (8 * i));

		if (field < 10)
			sizes[field] = value;
		else if (field == 10)
			any.clock = value;
		else if (field == 11)
			any.vrefresh = value;
		else if (field == 12)
			any.flags = value;
	}
	args.mode = any;
	if (call->c & 0x80) {
		err = do_ioctl(file_of(call), DRM_IOCTL_MODE_CREATEPROPBLOB,
			       &blob);
		if (!err)
			do_ioctl(file_of(call), DRM_IOCTL_MODE_DESTROYPROPBLOB,
				 &blob.blob_id);
		return err;
	}
	return do_ioctl(file_of(call), DRM_IOCTL_MODE_SETCRTC, &args);
}

int op_flip(const struct call *call)
{
	struct drm_mode_crtc_page_flip args = {
		.crtc_id = crtc,
		.fb_id = state.fbs[call->c % SLOTS],
		.flags = call->b & 3,
		.user_data = call->v,
	};
	char events[256];
	int fd = file_of(call), err;

	/* EBUSY: an earlier flip is pending; do not repeat the call */
	err = done(ioctl(fd, DRM_IOCTL_MODE_PAGE_FLIP, &args));
	if (read(fd, events, sizeof(events)) < 0 && errno == EFAULT)
		wrong("events cannot be read");
	return err;
}

int op_dirty(const struct call *call)
{
	struct drm_clip_rect clips[2] = {
		{ call->v & 0xff, call->v >> 8 & 0xff, call->v >> 16 & 0xff,
		  call->v >> 24 },
		{ call->v >> 24, 0, call->v & 0xfff, 65535 },
	};
	struct drm_mode_fb_dirty_cmd args = {
		.fb_id = state.fbs[call->c % SLOTS],
		.flags = call->b & 3,
		.num_clips = call->b >> 2 & 3,
		.clips_ptr = (uintptr_t)clips,
	};

	if (args.num_clips == 3)
		args.num_clips = 2;
	return do_ioctl(file_of(call), DRM_IOCTL_MODE_DIRTYFB, &args);
}

int op_get_fb(const struct call *call)
{
	struct drm_mode_fb_cmd2 args = { .fb_id = state.fbs[call->c % SLOTS] };
	int err = do_ioctl(file_of(call), DRM_IOCTL_MODE_GETFB2, &args);

	if (!err)
		handle_of(call, call->b) = args.handles[0];
	return err;
}

int op_atomic(const struct call *call)
{
	uint32_t objects[2] = { call->b & 1 ? plane : crtc, connector };
	uint32_t counts[2] = { 1 + (call->b >> 1 & 1), call->b >> 2 & 1 };
	uint32_t props[3];
	uint64_t values[3];
	struct drm_mode_atomic args = {
		.flags = call->v & 0x80000000 ? DRM_MODE_ATOMIC_TEST_ONLY :
			 call->v & 0x40000000 ? DRM_MODE_ATOMIC_NONBLOCK :
						DRM_MODE_ATOMIC_ALLOW_MODESET,
		.count_objs = 1 + (call->b >> 3 & 1),
		.objs_ptr = (uintptr_t)objects,
		.count_props_ptr = (uintptr_t)counts,
		.props_ptr = (uintptr_t)props,
		.prop_values_ptr = (uintptr_t)values,
	};
	struct drm_set_client_cap atomic = { DRM_CLIENT_CAP_ATOMIC, 1 };
	unsigned int i;

	if (!property_count)
		return ENODEV;
	do_ioctl(file_of(call), DRM_IOCTL_SET_CLIENT_CAP, &atomic);
	for (i = 0; i < 3; i++) {
		props[i] = properties[(call->v >> (6 * i)) % property_count];
		values[i] = i ? state.fbs[call->c % SLOTS] :
				number(call->v << 8);
		if (call->c & 0x40)
			values[i] = crtc;
		if (call->c & 0x80)
			values[i] = (uint64_t)(call->v & 0xffff) << 16;
	}
	return done(ioctl(file_of(call), DRM_IOCTL_MODE_ATOMIC, &args));
}

int op_master(const struct call *call)
{
	return do_ioctl(file_of(call),
			call->c & 1 ? DRM_IOCTL_SET_MASTER :
				      DRM_IOCTL_DROP_MASTER,
			NULL);
}
