// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/hrtimer.h>

#include <drm/drm_crtc.h>
#include <drm/drm_managed.h>
#include <drm/drm_vblank.h>

#include "ferry_compat.h"
#include "ferry_vblank.h"

/**
 * DOC: Vertical blank
 *
 * The device has no vblank interrupt: its emulator reads the framebuffer at times that the
 * guest does not know. Compositors draw one frame for each vblank, and would draw without a
 * limit if a page flip completed at once. So an hrtimer at the refresh rate of the mode
 * replaces the interrupt.
 */

static enum hrtimer_restart ferry_vblank_tick(struct hrtimer *timer)
{
	struct ferry_vblank *vblank = container_of(timer, struct ferry_vblank, timer);
	ktime_t next = ktime_add(hrtimer_get_expires(timer), vblank->frame);
	ktime_t now = ktime_get();

	/* The DRM core has disabled vblank interrupts meanwhile. */
	if (!drm_crtc_handle_vblank(vblank->crtc))
		return HRTIMER_NORESTART;

	/* If the callback ran late, skip the missed vblanks. */
	if (ktime_before(next, now))
		next = ktime_add(now, vblank->frame);

	/* Not hrtimer_forward(): the timer may have been restarted meanwhile. */
	hrtimer_start(timer, next, HRTIMER_MODE_ABS);
	return HRTIMER_NORESTART;
}

/**
 * ferry_vblank_enable - start the vblank timer
 * @vblank: the timer, of a CRTC with a mode set
 *
 * Return: 0.
 */
int ferry_vblank_enable(struct ferry_vblank *vblank)
{
	vblank->frame = ns_to_ktime(drm_crtc_vblank_crtc(vblank->crtc)->framedur_ns);
	hrtimer_start(&vblank->timer, vblank->frame, HRTIMER_MODE_REL);
	return 0;
}

/**
 * ferry_vblank_disable - stop the vblank timer
 * @vblank: the timer
 *
 * The caller holds a lock that ferry_vblank_tick() takes, so this must not wait for a
 * running callback. drm_crtc_handle_vblank() tells the callback not to restart the timer.
 */
void ferry_vblank_disable(struct ferry_vblank *vblank)
{
	hrtimer_try_to_cancel(&vblank->timer);
}

/**
 * ferry_vblank_flush - send the event of a commit at the next vblank
 * @crtc: the CRTC, with its new state in place
 *
 * Sends the event at once if the CRTC is off.
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
 * ferry_vblank_off - turn vblank interrupts off together with the CRTC
 * @crtc: the CRTC
 *
 * Handles a final vblank, so that waiters do not time out.
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
 * ferry_vblank_init - initialize vblank handling of the one CRTC
 * @vblank: the timer
 * @crtc: the CRTC, initialized
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_vblank_init(struct ferry_vblank *vblank, struct drm_crtc *crtc)
{
	int ret;

	ret = drm_vblank_init(crtc->dev, 1);
	if (ret)
		return ret;

	vblank->crtc = crtc;
	ferry_compat_hrtimer_setup(&vblank->timer, ferry_vblank_tick);
	return drmm_add_action_or_reset(crtc->dev, ferry_vblank_fini, vblank);
}
