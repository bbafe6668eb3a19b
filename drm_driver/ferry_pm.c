// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_gem.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_print.h>

#include "ferry_bo.h"
#include "ferry_drv.h"
#include "ferry_kms.h"
#include "ferry_placement.h"
#include "ferry_pm.h"
#include "ferry_ttm.h"

/**
 * DOC: Suspend
 *
 * The memory behind the aperture does not survive a suspend or hibernation, so
 * its BOs are moved to system memory before. No user process runs meanwhile.
 * Afterwards BOs that may be in the aperture only go back; the others go when
 * somebody wants them there.
 */

static void ferry_pm_bring_home(struct ferry_device *ferry)
{
	struct ferry_placement_target target = { .placement = DRM_FERRY_PLACEMENT_APERTURE };
	u64 start = 0;
	u32 failed;
	int ret;

	while ((target.bo = ferry_bo_next(ferry, &start))) {
		if (target.bo->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE) {
			ret = ferry_placement_all(ferry, &target, 1, NULL, &failed);
			if (ret)
				drm_err(&ferry->drm, "a BO cannot return to the aperture: %d\n",
					ret);
		}
		ferry_bo_put(target.bo);
	}
}

static int ferry_pm_suspend(struct device *dev)
{
	struct ferry_device *ferry = dev_get_drvdata(dev);
	int ret;

	if (ferry->kms) {
		ret = drm_mode_config_helper_suspend(&ferry->drm);
		if (ret)
			return ret;
	}

	ret = ferry_ttm_evict_all(ferry);
	if (ret) {
		drm_err(&ferry->drm, "no memory to save the aperture to: %d\n", ret);
		ferry_pm_bring_home(ferry);
		if (ferry->kms)
			drm_mode_config_helper_resume(&ferry->drm);
	}

	return ret;
}

static int ferry_pm_resume(struct device *dev)
{
	struct ferry_device *ferry = dev_get_drvdata(dev);

	ferry_pm_bring_home(ferry);
	if (!ferry->kms)
		return 0;

	ferry_kms_reset(ferry);
	return drm_mode_config_helper_resume(&ferry->drm);
}

DEFINE_SIMPLE_DEV_PM_OPS(ferry_pm_ops, ferry_pm_suspend, ferry_pm_resume);
