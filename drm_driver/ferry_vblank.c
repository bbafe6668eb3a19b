// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/hrtimer.h>
#include <linux/math64.h>

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
 *
 * The vblanks are at multiples of the frame duration after the moment in which the mode was
 * set. The timestamp of a vblank is this point in time, not the time at which the timer's
 * callback ran. It does not depend on the timer, so the DRM core also counts the vblanks while
 * the timer is stopped.
 */

/* Get the time of the last vblank before @now. */
static ktime_t ferry_vblank_last(struct ferry_vblank *vblank, ktime_t now)
{
	ktime_t start = READ_ONCE(vblank->start), frame = READ_ONCE(vblank->frame);

	if (ktime_before(now, start))
		return start;

	return ktime_add_ns(start, div64_s64(ktime_sub(now, start), frame) * frame);
}

static void ferry_vblank_start_timer(struct ferry_vblank *vblank)
{
	ktime_t next = ktime_add(ferry_vblank_last(vblank, ktime_get()),
				 READ_ONCE(vblank->frame));

	hrtimer_start(&vblank->timer, next, HRTIMER_MODE_ABS);
}

static enum hrtimer_restart ferry_vblank_tick(struct hrtimer *timer)
{
	struct ferry_vblank *vblank = container_of(timer, struct ferry_vblank, timer);

	/* The DRM core has disabled vblank interrupts meanwhile. */
	if (!drm_crtc_handle_vblank(vblank->crtc))
		return HRTIMER_NORESTART;

	/* Not hrtimer_forward(): the timer may have been restarted meanwhile. */
	ferry_vblank_start_timer(vblank);
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
	ferry_vblank_start_timer(vblank);
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
 * ferry_vblank_get_timestamp - get the time of the last vblank, for &drm_crtc_funcs
 * @vblank: the timer, of a CRTC with a mode set
 * @max_error: filled in: 0, as the time is exact
 * @time: filled in
 *
 * Return: true, or false while the CRTC is being turned off.
 */
bool ferry_vblank_get_timestamp(struct ferry_vblank *vblank, int *max_error, ktime_t *time)
{
	if (!READ_ONCE(vblank->on))
		return false;

	*max_error = 0;
	*time = ferry_vblank_last(vblank, ktime_get());
	return true;
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
 * ferry_vblank_on - turn vblank interrupts on together with the CRTC
 * @vblank: the timer
 *
 * The first vblank is now.
 */
void ferry_vblank_on(struct ferry_vblank *vblank)
{
	/* While vblank interrupts are off only a late callback of the timer reads these. */
	WRITE_ONCE(vblank->frame, ns_to_ktime(drm_crtc_vblank_crtc(vblank->crtc)->framedur_ns));
	WRITE_ONCE(vblank->start, ktime_get());
	WRITE_ONCE(vblank->on, true);
	drm_crtc_vblank_on(vblank->crtc);
}

/**
 * ferry_vblank_off - turn vblank interrupts off together with the CRTC
 * @vblank: the timer
 *
 * Handles a final vblank in the middle of the frame, so that waiters do not time out.
 */
void ferry_vblank_off(struct ferry_vblank *vblank)
{
	/* With a timestamp in the last frame the core would count no vblank. */
	WRITE_ONCE(vblank->on, false);
	drm_crtc_handle_vblank(vblank->crtc);
	drm_crtc_vblank_off(vblank->crtc);
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
