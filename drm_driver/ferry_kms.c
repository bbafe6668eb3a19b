// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/wait_bit.h>

#include <video/vga.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_edid.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_kms.h"
#include "ferry_placement.h"

/**
 * DOC: Display
 *
 * The Bochs display interface (DISPI) scans out of the aperture, so a
 * framebuffer's BO is moved there in one piece and pinned for as long as it is
 * on the screen. A flip writes the new offset; nothing is copied.
 */

/* The register BAR, and where things are in it */
#define FERRY_KMS_BAR		2
#define FERRY_KMS_EDID_SIZE	0x400
#define FERRY_KMS_VGA		0x400
#define FERRY_KMS_DISPI		0x500
#define FERRY_KMS_QEXT_SIZE	0x600
#define FERRY_KMS_QEXT_ENDIAN	0x604
#define FERRY_KMS_ENDIAN_LITTLE	0x1e1e1e1e
#define FERRY_KMS_BAR_MIN	SZ_4K

/* DISPI registers */
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

#define DISPI_ID_MASK		0xfff0
#define DISPI_ID_VALUE		0xb0c0
#define DISPI_ENABLED		BIT(0)
#define DISPI_LINEAR		BIT(6)
#define DISPI_KEEP_MEMORY	BIT(7)

#define FERRY_KMS_CPP		4
#define FERRY_KMS_MAX_SIZE	8192
/* the screen of last resort, if there is no EDID */
#define FERRY_KMS_WIDTH		1280
#define FERRY_KMS_HEIGHT	800

/**
 * struct ferry_plane_state - state of the plane
 */
struct ferry_plane_state {
	/** @base: base */
	struct drm_plane_state base;
	/** @offset: where the pinned framebuffer begins in the aperture, in bytes */
	u64 offset;
};

static struct ferry_plane_state *to_ferry_plane_state(struct drm_plane_state *state)
{
	return container_of(state, struct ferry_plane_state, base);
}

static u16 ferry_kms_read(struct ferry_kms *kms, int reg)
{
	return readw(kms->mmio + FERRY_KMS_DISPI + reg * 2);
}

static void ferry_kms_write(struct ferry_kms *kms, int reg, u16 val)
{
	writew(val, kms->mmio + FERRY_KMS_DISPI + reg * 2);
}

static void ferry_kms_vga_write(struct ferry_kms *kms, u16 port, u8 val)
{
	writeb(val, kms->mmio + FERRY_KMS_VGA + port - VGA_ATT_W);
}

static void ferry_kms_blank(struct ferry_kms *kms, bool blank)
{
	ferry_kms_vga_write(kms, VGA_MIS_W, VGA_MIS_COLOR);
	/* a read makes the next write to the attribute port an index */
	readb(kms->mmio + FERRY_KMS_VGA + VGA_IS1_RC - VGA_ATT_W);
	ferry_kms_vga_write(kms, VGA_ATT_W, blank ? 0 : VGA_AR_ENABLE_DISPLAY);
}

/* Plane */

static int ferry_kms_plane_atomic_check(struct drm_plane *plane,
					struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	struct drm_crtc_state *crtc_state = NULL;

	if (state->crtc)
		crtc_state = drm_atomic_get_new_crtc_state(commit, state->crtc);

	return drm_atomic_helper_check_plane_state(state, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   false, false);
}

static int ferry_kms_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct ferry_bo *bo;
	int ret;

	if (!state->fb)
		return 0;

	bo = gem_to_ferry_bo(state->fb->obj[0]);
	ret = ferry_placement_pin_scanout(bo, &to_ferry_plane_state(state)->offset);
	if (ret)
		return ret;

	/* a pinned BO gets no more fences of moves */
	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		ferry_placement_unpin_scanout(bo);

	return ret;
}

static void ferry_kms_plane_cleanup_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	if (state->fb)
		ferry_placement_unpin_scanout(gem_to_ferry_bo(state->fb->obj[0]));
}

static void ferry_kms_show(struct ferry_kms *kms, struct drm_plane_state *state)
{
	struct drm_framebuffer *fb = state->fb;
	u32 pitch, rest;
	u64 offset;

	pitch = fb->pitches[0];
	offset = to_ferry_plane_state(state)->offset + fb->offsets[0] +
		 (state->src.y1 >> 16) * (u64)pitch + (state->src.x1 >> 16) * FERRY_KMS_CPP;

	/* the width first: the device checks the offsets against it */
	ferry_kms_write(kms, DISPI_VIRT_WIDTH, pitch / FERRY_KMS_CPP);
	ferry_kms_write(kms, DISPI_Y_OFFSET, div_u64_rem(offset, pitch, &rest));
	ferry_kms_write(kms, DISPI_X_OFFSET, rest / FERRY_KMS_CPP);
}

static void ferry_kms_plane_atomic_update(struct drm_plane *plane,
					  struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	int idx;

	/* goes dark together with the CRTC, which blanks the screen */
	if (!state->fb || !drm_dev_enter(plane->dev, &idx))
		return;

	ferry_kms_show(to_ferry_device(plane->dev)->kms, state);

	drm_dev_exit(idx);
}

static const struct drm_plane_helper_funcs ferry_kms_plane_helper_funcs = {
	.prepare_fb = ferry_kms_plane_prepare_fb,
	.cleanup_fb = ferry_kms_plane_cleanup_fb,
	.atomic_check = ferry_kms_plane_atomic_check,
	.atomic_update = ferry_kms_plane_atomic_update,
};

static void ferry_kms_plane_destroy_state(struct drm_plane *plane,
					  struct drm_plane_state *state)
{
	__drm_atomic_helper_plane_destroy_state(state);
	kfree(to_ferry_plane_state(state));
}

static struct drm_plane_state *ferry_kms_plane_duplicate_state(struct drm_plane *plane)
{
	struct ferry_plane_state *state;

	state = kzalloc(sizeof(*state), GFP_KERNEL);
	if (!state)
		return NULL;

	__drm_atomic_helper_plane_duplicate_state(plane, &state->base);
	return &state->base;
}

/*
 * A resume resets what the suspend has turned off. If there is no memory for a new
 * state, the old one is better than none, which the next commit would follow.
 */
static void ferry_kms_plane_reset(struct drm_plane *plane)
{
	struct ferry_plane_state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;

	if (plane->state)
		ferry_kms_plane_destroy_state(plane, plane->state);
	__drm_atomic_helper_plane_reset(plane, &state->base);
}

static const struct drm_plane_funcs ferry_kms_plane_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.destroy = drm_plane_cleanup,
	.reset = ferry_kms_plane_reset,
	.atomic_duplicate_state = ferry_kms_plane_duplicate_state,
	.atomic_destroy_state = ferry_kms_plane_destroy_state,
};

/* CRTC */

static enum drm_mode_status ferry_kms_mode_fits(struct ferry_device *ferry,
						const struct drm_display_mode *mode)
{
	u64 bytes = (u64)mode->hdisplay * mode->vdisplay * FERRY_KMS_CPP;

	/* the device drops the lowest bits of the width */
	if (mode->hdisplay % 8)
		return MODE_H_ILLEGAL;
	if (PAGE_ALIGN(bytes) > ferry->bar.size)
		return MODE_MEM;

	return MODE_OK;
}

static enum drm_mode_status
ferry_kms_crtc_mode_valid(struct drm_crtc *crtc, const struct drm_display_mode *mode)
{
	return ferry_kms_mode_fits(to_ferry_device(crtc->dev), mode);
}

static int ferry_kms_crtc_atomic_check(struct drm_crtc *crtc,
				       struct ferry_atomic_commit *commit)
{
	struct drm_crtc_state *state = drm_atomic_get_new_crtc_state(commit, crtc);

	if (!state->enable)
		return 0;

	return drm_atomic_helper_check_crtc_primary_plane(state);
}

static void ferry_kms_crtc_atomic_enable(struct drm_crtc *crtc,
					 struct ferry_atomic_commit *commit)
{
	struct ferry_device *ferry = to_ferry_device(crtc->dev);
	const struct drm_display_mode *mode = &crtc->state->mode;
	struct ferry_kms *kms = ferry->kms;
	struct drm_plane_state *plane;
	int idx;

	if (!drm_dev_enter(crtc->dev, &idx))
		return;

	ferry_kms_write(kms, DISPI_ENABLE, 0);
	ferry_kms_write(kms, DISPI_BPP, FERRY_KMS_CPP * 8);
	ferry_kms_write(kms, DISPI_XRES, mode->hdisplay);
	ferry_kms_write(kms, DISPI_YRES, mode->vdisplay);
	ferry_kms_write(kms, DISPI_BANK, 0);
	ferry_kms_write(kms, DISPI_VIRT_WIDTH, mode->hdisplay);
	ferry_kms_write(kms, DISPI_X_OFFSET, 0);
	ferry_kms_write(kms, DISPI_Y_OFFSET, 0);
	/* by default VGA clears the first of its memory, which is anybody's BO */
	ferry_kms_write(kms, DISPI_ENABLE, DISPI_ENABLED | DISPI_LINEAR | DISPI_KEEP_MEMORY);
	/* that forgets what the plane was told before, and begins with anybody's BO */
	plane = drm_atomic_get_new_plane_state(commit, &kms->plane);
	if (plane && plane->fb)
		ferry_kms_show(kms, plane);
	ferry_kms_blank(kms, false);
	drm_crtc_vblank_on(crtc);

	drm_dev_exit(idx);
}

static void ferry_kms_crtc_atomic_disable(struct drm_crtc *crtc,
					  struct ferry_atomic_commit *commit)
{
	int idx;

	ferry_vblank_off(crtc);

	if (!drm_dev_enter(crtc->dev, &idx))
		return;

	ferry_kms_blank(to_ferry_device(crtc->dev)->kms, true);

	drm_dev_exit(idx);
}

static void ferry_kms_crtc_atomic_flush(struct drm_crtc *crtc,
					struct ferry_atomic_commit *commit)
{
	ferry_vblank_flush(crtc);
}

static const struct drm_crtc_helper_funcs ferry_kms_crtc_helper_funcs = {
	.mode_valid = ferry_kms_crtc_mode_valid,
	.atomic_check = ferry_kms_crtc_atomic_check,
	.atomic_enable = ferry_kms_crtc_atomic_enable,
	.atomic_disable = ferry_kms_crtc_atomic_disable,
	.atomic_flush = ferry_kms_crtc_atomic_flush,
};

/* As for the plane. */
static void ferry_kms_crtc_reset(struct drm_crtc *crtc)
{
	struct drm_crtc_state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;

	if (crtc->state)
		drm_atomic_helper_crtc_destroy_state(crtc, crtc->state);
	__drm_atomic_helper_crtc_reset(crtc, state);
}

static const struct drm_crtc_funcs ferry_kms_crtc_funcs = {
	.reset = ferry_kms_crtc_reset,
	.destroy = drm_crtc_cleanup,
	.set_config = drm_atomic_helper_set_config,
	.page_flip = drm_atomic_helper_page_flip,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.enable_vblank = ferry_vblank_enable,
	.disable_vblank = ferry_vblank_disable,
};

/* Connector */

static int ferry_kms_edid_block(void *data, u8 *buf, unsigned int block, size_t len)
{
	struct ferry_kms *kms = data;
	size_t start = (size_t)block * EDID_LENGTH;

	if (start + len > FERRY_KMS_EDID_SIZE)
		return -EINVAL;

	memcpy_fromio(buf, kms->mmio + start, len);
	return 0;
}

static const struct drm_edid *ferry_kms_read_edid(struct ferry_kms *kms)
{
	u8 header[8];

	/* without this look ahead a device with edid=off would fill the log */
	memcpy_fromio(header, kms->mmio, sizeof(header));
	if (drm_edid_header_is_valid(header) != sizeof(header))
		return NULL;

	return drm_edid_read_custom(&kms->connector, ferry_kms_edid_block, kms);
}

static int ferry_kms_connector_get_modes(struct drm_connector *connector)
{
	struct ferry_kms *kms = to_ferry_device(connector->dev)->kms;
	const struct drm_edid *edid;
	int count, idx;

	if (!drm_dev_enter(connector->dev, &idx))
		return 0;

	edid = ferry_kms_read_edid(kms);
	drm_edid_connector_update(connector, edid);
	count = drm_edid_connector_add_modes(connector);
	drm_edid_free(edid);
	if (!count) {
		count = drm_add_modes_noedid(connector, FERRY_KMS_MAX_SIZE, FERRY_KMS_MAX_SIZE);
		drm_set_preferred_mode(connector, FERRY_KMS_WIDTH, FERRY_KMS_HEIGHT);
	}

	drm_dev_exit(idx);
	return count;
}

static const struct drm_connector_helper_funcs ferry_kms_connector_helper_funcs = {
	.get_modes = ferry_kms_connector_get_modes,
};

/* As for the plane. */
static void ferry_kms_connector_reset(struct drm_connector *connector)
{
	struct drm_connector_state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;

	if (connector->state)
		drm_atomic_helper_connector_destroy_state(connector, connector->state);
	__drm_atomic_helper_connector_reset(connector, state);
}

static const struct drm_connector_funcs ferry_kms_connector_funcs = {
	.fill_modes = drm_helper_probe_single_connector_modes,
	.reset = ferry_kms_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

/* Device */

static struct drm_framebuffer *
ferry_kms_fb_create(FERRY_FB_CREATE_ARGS)
{
	struct drm_framebuffer *fb;

	/* the device counts lines in whole pixels, in 16 bits */
	if (cmd->pitches[0] % FERRY_KMS_CPP || cmd->offsets[0] % FERRY_KMS_CPP ||
	    cmd->pitches[0] / FERRY_KMS_CPP > U16_MAX)
		return ERR_PTR(-EINVAL);

	fb = ferry_compat_gem_fb_create();
	if (IS_ERR(fb))
		return fb;

	if (!(gem_to_ferry_bo(fb->obj[0])->allowed_placements & DRM_FERRY_PLACEMENT_APERTURE)) {
		drm_framebuffer_put(fb);
		return ERR_PTR(-EINVAL);
	}

	return fb;
}

static enum drm_mode_status
ferry_kms_mode_valid(struct drm_device *drm, const struct drm_display_mode *mode)
{
	return ferry_kms_mode_fits(to_ferry_device(drm), mode);
}

/*
 * As the helper's, but it waits for the event of the flip and not for a vblank:
 * there is no old framebuffer that the device would go on reading.
 */
static void ferry_kms_commit_tail(struct ferry_atomic_commit *commit)
{
	struct drm_device *drm = commit->dev;

	drm_atomic_helper_commit_modeset_disables(drm, commit);
	drm_atomic_helper_commit_planes(drm, commit, 0);
	drm_atomic_helper_commit_modeset_enables(drm, commit);
	drm_atomic_helper_commit_hw_done(commit);
	drm_atomic_helper_wait_for_flip_done(drm, commit);
	drm_atomic_helper_cleanup_planes(drm, commit);
}

static const struct drm_mode_config_helper_funcs ferry_kms_mode_config_helper_funcs = {
	.atomic_commit_tail = ferry_kms_commit_tail,
};

static const struct drm_mode_config_funcs ferry_kms_mode_config_funcs = {
	.fb_create = ferry_kms_fb_create,
	.mode_valid = ferry_kms_mode_valid,
	.atomic_check = drm_atomic_helper_check,
	.atomic_commit = drm_atomic_helper_commit,
};

/**
 * ferry_kms_off - turn the display off
 * @ferry: the device; it may have none
 *
 * A page flip that is under way may hold its framebuffer a moment longer: that is waited
 * for, for a second.
 *
 * Return: true if no framebuffer is pinned any more.
 */
bool ferry_kms_off(struct ferry_device *ferry)
{
	if (ferry->kms)
		drm_atomic_helper_shutdown(&ferry->drm);

	return wait_var_event_timeout(&ferry->scanout_pins,
				      !atomic_read(&ferry->scanout_pins), HZ);
}

/**
 * ferry_kms_reset - what the device forgets when it loses power
 * @ferry: the device, with a display
 */
void ferry_kms_reset(struct ferry_device *ferry)
{
	void __iomem *mmio = ferry->kms->mmio;

	/* newer devices can be told the byte order of pixels */
	if (readl(mmio + FERRY_KMS_QEXT_SIZE) >= 8)
		writel(FERRY_KMS_ENDIAN_LITTLE, mmio + FERRY_KMS_QEXT_ENDIAN);
}

/**
 * ferry_kms_probe - find the display registers of a device
 * @ferry: the device
 *
 * Return: 0, -ENODEV if they are not those of a Bochs display, -EBUSY if
 * another driver holds them, or -ENOMEM.
 */
int ferry_kms_probe(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	struct ferry_kms *kms;
	u16 id;

	if (!(pci_resource_flags(pdev, FERRY_KMS_BAR) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, FERRY_KMS_BAR) < FERRY_KMS_BAR_MIN) {
		drm_err(drm, "BAR %d with the display registers is missing\n", FERRY_KMS_BAR);
		return -ENODEV;
	}

	kms = drmm_kzalloc(drm, sizeof(*kms), GFP_KERNEL);
	if (!kms)
		return -ENOMEM;

	if (!devm_request_mem_region(drm->dev, pci_resource_start(pdev, FERRY_KMS_BAR),
				     pci_resource_len(pdev, FERRY_KMS_BAR), "ferry")) {
		drm_err(drm, "BAR %d %pR is in use by another driver\n", FERRY_KMS_BAR,
			pci_resource_n(pdev, FERRY_KMS_BAR));
		return -EBUSY;
	}
	kms->mmio = devm_ioremap(drm->dev, pci_resource_start(pdev, FERRY_KMS_BAR),
				 pci_resource_len(pdev, FERRY_KMS_BAR));
	if (!kms->mmio)
		return -ENOMEM;

	id = ferry_kms_read(kms, DISPI_ID);
	if ((id & DISPI_ID_MASK) != DISPI_ID_VALUE) {
		drm_err(drm, "no Bochs display behind BAR %d: id 0x%x\n", FERRY_KMS_BAR, id);
		return -ENODEV;
	}
	kms->vram = (u64)ferry_kms_read(kms, DISPI_MEMORY_64K) * SZ_64K;

	ferry->kms = kms;
	ferry_kms_reset(ferry);
	return 0;
}

static int ferry_kms_init_objects(struct ferry_device *ferry)
{
	static const u32 formats[] = { DRM_FORMAT_XRGB8888 };
	struct drm_device *drm = &ferry->drm;
	struct ferry_kms *kms = ferry->kms;
	int ret;

	ret = drm_universal_plane_init(drm, &kms->plane, 0, &ferry_kms_plane_funcs, formats,
				       ARRAY_SIZE(formats), NULL, DRM_PLANE_TYPE_PRIMARY, NULL);
	if (ret)
		return ret;
	drm_plane_helper_add(&kms->plane, &ferry_kms_plane_helper_funcs);

	/* the managed one leaves the CRTC on the device's list if it finds no memory */
	ret = drm_crtc_init_with_planes(drm, &kms->crtc, &kms->plane, NULL,
					&ferry_kms_crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&kms->crtc, &ferry_kms_crtc_helper_funcs);

	ret = ferry_vblank_init(ferry);
	if (ret)
		return ret;

	ret = drmm_encoder_init(drm, &kms->encoder, NULL, DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (ret)
		return ret;
	kms->encoder.possible_crtcs = drm_crtc_mask(&kms->crtc);

	ret = drmm_connector_init(drm, &kms->connector, &ferry_kms_connector_funcs,
				  DRM_MODE_CONNECTOR_VIRTUAL, NULL);
	if (ret)
		return ret;
	drm_connector_helper_add(&kms->connector, &ferry_kms_connector_helper_funcs);
	drm_connector_attach_edid_property(&kms->connector);

	return drm_connector_attach_encoder(&kms->connector, &kms->encoder);
}

/**
 * ferry_kms_init - set the display up
 * @ferry: the device, with its display found and its aperture mapped
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_kms_init(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	int ret;

	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;

	drm->mode_config.max_width = FERRY_KMS_MAX_SIZE;
	drm->mode_config.max_height = FERRY_KMS_MAX_SIZE;
	drm->mode_config.preferred_depth = 24;
	drm->mode_config.prefer_shadow = 1;
	drm->mode_config.funcs = &ferry_kms_mode_config_funcs;
	drm->mode_config.helper_private = &ferry_kms_mode_config_helper_funcs;

	ret = ferry_kms_init_objects(ferry);
	if (ret)
		return ret;

	/* which does not tell */
	drm_mode_config_reset(drm);
	if (!ferry->kms->plane.state || !ferry->kms->crtc.state || !ferry->kms->connector.state)
		return -ENOMEM;
	return 0;
}
