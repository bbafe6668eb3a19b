// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/hrtimer.h>

#include <drm/drm_crtc.h>
#include <drm/drm_managed.h>
#include <drm/drm_vblank.h>

#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_kms.h"
#include "ferry_vblank.h"

/**
 * DOC: Vertical blank
 *
 * The device shows what is in the aperture whenever its host looks, and tells
 * nobody when. Compositors draw a frame for each vblank, and would draw without
 * end if a flip were done at once. So a timer beats at the rate of the mode.
 */

static struct ferry_vblank *to_ferry_vblank(struct drm_crtc *crtc)
{
	return &to_ferry_device(crtc->dev)->kms->vblank;
}

static enum hrtimer_restart ferry_vblank_tick(struct hrtimer *timer)
{
	struct ferry_vblank *vblank = container_of(timer, struct ferry_vblank, timer);
	struct ferry_kms *kms = container_of(vblank, struct ferry_kms, vblank);
	ktime_t next = ktime_add(hrtimer_get_expires(timer), vblank->frame);
	ktime_t now = ktime_get();

	/* it has been switched off meanwhile */
	if (!drm_crtc_handle_vblank(&kms->crtc))
		return HRTIMER_NORESTART;

	/* ticks that were missed are not made up for */
	if (ktime_before(next, now))
		next = ktime_add(now, vblank->frame);

	/* not hrtimer_forward(): it may have been started anew meanwhile */
	hrtimer_start(timer, next, HRTIMER_MODE_ABS);
	return HRTIMER_NORESTART;
}

/**
 * ferry_vblank_enable - start the beat
 * @crtc: the CRTC, with its mode set
 *
 * Return: 0.
 */
int ferry_vblank_enable(struct drm_crtc *crtc)
{
	struct ferry_vblank *vblank = to_ferry_vblank(crtc);

	vblank->frame = ns_to_ktime(drm_crtc_vblank_crtc(crtc)->framedur_ns);
	hrtimer_start(&vblank->timer, vblank->frame, HRTIMER_MODE_REL);
	return 0;
}

/**
 * ferry_vblank_disable - stop the beat
 * @crtc: the CRTC
 *
 * Called with the lock that the tick needs: does not wait for one that runs, which
 * will find out by itself.
 */
void ferry_vblank_disable(struct drm_crtc *crtc)
{
	hrtimer_try_to_cancel(&to_ferry_vblank(crtc)->timer);
}

/**
 * ferry_vblank_flush - send the event of a commit at the next vblank
 * @crtc: the CRTC, with its new state in place
 *
 * Or now, if the CRTC is off.
 */
void ferry_vblank_flush(struct drm_crtc *crtc)
{
	struct drm_pending_vblank_event *event = crtc->state->event;

	if (!event)
		return;

	crtc->state->event = NULL;
	spin_lock_irq(&crtc->dev->event_lock);
	if (drm_crtc_vblank_get(crtc))
		drm_crtc_send_vblank_event(crtc, event);
	else
		drm_crtc_arm_vblank_event(crtc, event);
	spin_unlock_irq(&crtc->dev->event_lock);
}

/**
 * ferry_vblank_off - no more vblanks, as the CRTC goes off
 * @crtc: the CRTC
 *
 * With a last one, so that nobody who waits for it waits until he gives up.
 */
void ferry_vblank_off(struct drm_crtc *crtc)
{
	drm_crtc_handle_vblank(crtc);
	drm_crtc_vblank_off(crtc);
}

static void ferry_vblank_fini(struct drm_device *drm, void *arg)
{
	struct ferry_vblank *vblank = arg;

	hrtimer_cancel(&vblank->timer);
}

/**
 * ferry_vblank_init - give the CRTC its beat
 * @ferry: the device, with its CRTC
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_vblank_init(struct ferry_device *ferry)
{
	struct ferry_vblank *vblank = &ferry->kms->vblank;
	int ret;

	ret = drm_vblank_init(&ferry->drm, 1);
	if (ret)
		return ret;

	ferry_compat_hrtimer_setup(&vblank->timer, ferry_vblank_tick);
	return drmm_add_action_or_reset(&ferry->drm, ferry_vblank_fini, vblank);
}
