// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_modeset_helper.h>
#include <drm/drm_print.h>

#include "ferry_device.h"
#include "ferry_evict.h"
#include "ferry_kms.h"
#include "ferry_pm.h"

static int ferry_pm_suspend(struct device *dev)
{
	struct ferry_device *ferry = dev_get_drvdata(dev);
	int ret;

	if (ferry->kms) {
		ret = drm_mode_config_helper_suspend(&ferry->drm);
		if (ret)
			return ret;
	}

	ret = ferry_evict_all(ferry);
	if (ret) {
		drm_err(&ferry->drm, "contents of the aperture cannot be saved: %d\n", ret);
		ferry_evict_restore(ferry);
		if (ferry->kms)
			drm_mode_config_helper_resume(&ferry->drm);
	}

	return ret;
}

static int ferry_pm_resume(struct device *dev)
{
	struct ferry_device *ferry = dev_get_drvdata(dev);

	ferry_evict_restore(ferry);
	if (!ferry->kms)
		return 0;

	ferry_kms_reset(ferry);
	return drm_mode_config_helper_resume(&ferry->drm);
}

DEFINE_SIMPLE_DEV_PM_OPS(ferry_pm_ops, ferry_pm_suspend, ferry_pm_resume);
