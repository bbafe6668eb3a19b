// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/hash.h>
#include <linux/io.h>

#include <drm/drm_crtc.h>
#include <drm/drm_debugfs_crc.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_vblank.h>
#include <drm/drm_vblank_work.h>

#include "ferry_bar.h"
#include "ferry_crc.h"
#include "ferry_device.h"
#include "ferry_scanout.h"

/**
 * DOC: Checksums
 *
 * debugfs offers a checksum of each frame, which the DRM core calls CRC. The driver computes it
 * from the memory that is scanned out, so it covers the cursor and the gamma table, and does not
 * depend on how the framebuffer is shown. It is computed in a worker after each vblank, while a
 * client has the file open. The bits of a pixel that are not shown do not count. Clients expect
 * an entry for each frame: if the worker was late, the frames that it missed get the next checksum.
 *
 * A CRC would take longer than a frame on an emulated CPU. Multiplications are as good for
 * comparing pictures, and several times faster.
 */

/* The bits of two pixels that are shown */
#define FERRY_CRC_SHOWN_BITS	0x00ffffff00ffffffULL

static const char *const ferry_crc_sources[] = { "auto" };

static u64 ferry_crc_add(u64 sum, const u64 *line, unsigned int words)
{
	unsigned int i;

	for (i = 0; i < words; i++) {
		sum = (sum ^ (line[i] & FERRY_CRC_SHOWN_BITS)) * GOLDEN_RATIO_64;
		sum ^= sum >> 32;
	}
	return sum;
}

/* Return false if the first frame of a new mode is not on the screen yet. */
static bool ferry_crc_compute(struct ferry_kms *kms, u32 *crc)
{
	struct ferry_scanout *scanout = &kms->scanout;
	u64 sum = GOLDEN_RATIO_64;
	unsigned int words;
	bool shown;
	u32 y;

	mutex_lock(&scanout->lock);
	shown = !scanout->pending;
	words = DIV_ROUND_UP(scanout->width, 2);
	/* The last word of a line with an odd number of pixels */
	if (shown)
		kms->crc.line[words - 1] = 0;
	for (y = 0; shown && y < scanout->height; y++) {
		memcpy_fromio(kms->crc.line,
			      ferry_bar_vaddr(scanout->bar, scanout->shown +
							    (u64)y * scanout->shown_pitch),
			      scanout->width * FERRY_DISPI_CPP);
		sum = ferry_crc_add(sum, kms->crc.line, words);
	}
	mutex_unlock(&scanout->lock);

	*crc = lower_32_bits(sum);
	return shown;
}

static void ferry_crc_schedule(struct ferry_kms *kms)
{
	drm_vblank_work_schedule(&kms->crc.work, drm_crtc_vblank_count(&kms->crtc) + 1, true);
}

static void ferry_crc_start(struct ferry_kms *kms)
{
	/* The first entry is that of the first frame whose checksum is computed. */
	kms->crc.next = U64_MAX;
	ferry_crc_schedule(kms);
}

static void ferry_crc_work(struct kthread_work *base)
{
	struct ferry_kms *kms = container_of(to_drm_vblank_work(base), struct ferry_kms, crc.work);
	struct drm_crtc *crtc = &kms->crtc;
	u64 frame = drm_crtc_vblank_count(crtc), n;
	bool shown;
	u32 crc;
	int idx;

	if (!READ_ONCE(kms->crc.enabled) || !drm_dev_enter(crtc->dev, &idx))
		return;

	shown = ferry_crc_compute(kms, &crc);
	drm_dev_exit(idx);

	/* If the client does not read, entries are dropped. */
	for (n = min(kms->crc.next, frame); shown && n <= frame; n++)
		drm_crtc_add_crc_entry(crtc, true, n, &crc);
	kms->crc.next = frame + 1;
	ferry_crc_schedule(kms);
}

/**
 * ferry_crc_get_sources - &drm_crtc_funcs.get_crc_sources
 * @crtc: the CRTC
 * @count: set to the number of sources
 *
 * Return: the names of the sources.
 */
const char *const *ferry_crc_get_sources(struct drm_crtc *crtc, size_t *count)
{
	*count = ARRAY_SIZE(ferry_crc_sources);
	return ferry_crc_sources;
}

/**
 * ferry_crc_verify_source - &drm_crtc_funcs.verify_crc_source
 * @crtc: the CRTC
 * @source: name of a source, or NULL for none
 * @values: set to the number of values of an entry
 *
 * Return: 0, or -EINVAL if there is no such source.
 */
int ferry_crc_verify_source(struct drm_crtc *crtc, const char *source, size_t *values)
{
	if (source && strcmp(source, ferry_crc_sources[0]))
		return -EINVAL;

	*values = 1;
	return 0;
}

/**
 * ferry_crc_set_source - &drm_crtc_funcs.set_crc_source
 * @crtc: the CRTC
 * @source: name of a source, or NULL to stop
 *
 * Return: 0, or -EINVAL if there is no such source.
 */
int ferry_crc_set_source(struct drm_crtc *crtc, const char *source)
{
	struct ferry_kms *kms = to_ferry_device(crtc->dev)->kms;
	size_t values;
	int ret;

	ret = ferry_crc_verify_source(crtc, source, &values);
	if (ret)
		return ret;

	WRITE_ONCE(kms->crc.enabled, source);
	if (source)
		ferry_crc_start(kms);
	else
		drm_vblank_work_cancel_sync(&kms->crc.work);
	return 0;
}

/**
 * ferry_crc_resume - go on with checksums after a modeset, which has cancelled the worker
 * @crtc: the CRTC, with its vblank interrupts on
 */
void ferry_crc_resume(struct drm_crtc *crtc)
{
	struct ferry_kms *kms = to_ferry_device(crtc->dev)->kms;

	if (READ_ONCE(kms->crc.enabled))
		ferry_crc_start(kms);
}

/**
 * ferry_crc_init - initialize checksums
 * @ferry: the device, with vblank handling initialized
 * @width: width of the widest mode
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_crc_init(struct ferry_device *ferry, u32 width)
{
	struct ferry_kms *kms = ferry->kms;

	kms->crc.line = drmm_kmalloc(&ferry->drm, width * FERRY_DISPI_CPP, GFP_KERNEL);
	if (!kms->crc.line)
		return -ENOMEM;

	drm_vblank_work_init(&kms->crc.work, &kms->crtc, ferry_crc_work);
	return 0;
}
