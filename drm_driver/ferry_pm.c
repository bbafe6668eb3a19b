// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/pci.h>

#include <drm/drm_modeset_helper.h>
#include <drm/drm_print.h>

#include "ferry_bar.h"
#include "ferry_device.h"
#include "ferry_evict.h"
#include "ferry_kms.h"
#include "ferry_pm.h"
#include "ferry_vram_mgr.h"

/**
 * DOC: Power management and resets
 *
 * Before a suspend or a reset ferry_pm_stop() blocks allocations in the aperture, turns the
 * display off, and the BOs move to system memory. Clients are frozen during a suspend, but not
 * during a reset: their mappings fault and show system memory, and calls that would place a BO
 * in the aperture fail with EIO. ferry_pm_start() checks the aperture, moves aperture-only
 * BOs back, and restores the display.
 *
 * When the PCI core reports an error, the device cannot be read any more. Then contents are
 * discarded instead.
 */

static int ferry_pm_stop(struct ferry_device *ferry)
{
	ferry_vram_mgr_set_blocked(&ferry->vram_mgr, true);
	if (!ferry->kms)
		return 0;

	return drm_mode_config_helper_suspend(&ferry->drm);
}

static void ferry_pm_restore(struct ferry_device *ferry)
{
	if (ferry->kms)
		ferry_kms_reset(ferry);
	ferry_vram_mgr_set_blocked(&ferry->vram_mgr, false);
	ferry_evict_restore(ferry);
}

/* Undo ferry_pm_stop(). If the device does not work, BOs stay in system memory. */
static int ferry_pm_start(struct ferry_device *ferry)
{
	int ret;

	ret = ferry_bar_check(ferry);
	if (!ret)
		ferry_pm_restore(ferry);
	/* Also frees the saved state if it cannot be restored. */
	if (ferry->drm.mode_config.suspend_state)
		ret = drm_mode_config_helper_resume(&ferry->drm) ?: ret;

	return ret;
}

static int ferry_pm_suspend(struct device *dev)
{
	struct ferry_device *ferry = dev_get_drvdata(dev);
	int ret;

	ret = ferry_pm_stop(ferry);
	if (ret) {
		ferry_vram_mgr_set_blocked(&ferry->vram_mgr, false);
		return ret;
	}

	ret = ferry_evict_all(ferry);
	if (ret == -EIO && !ferry_bar_is_decoded(ferry)) {
		/* A dead device must not keep the machine from sleeping. */
		ferry_evict_discard(ferry);
		return 0;
	}
	if (ret) {
		drm_err(&ferry->drm, "contents of the aperture cannot be saved: %d\n", ret);
		ferry_pm_start(ferry);
	}

	return ret;
}

static int ferry_pm_resume(struct device *dev)
{
	return ferry_pm_start(dev_get_drvdata(dev));
}

DEFINE_SIMPLE_DEV_PM_OPS(ferry_pm_ops, ferry_pm_suspend, ferry_pm_resume);

/* A reset cannot be refused: if the display cannot be saved, only turn it off. */
static void ferry_pm_must_stop(struct ferry_device *ferry)
{
	int ret;

	ret = ferry_pm_stop(ferry);
	if (ret) {
		drm_err(&ferry->drm, "the display cannot be saved: %d\n", ret);
		ferry_kms_off(ferry);
	}
}

static void ferry_pm_reset_prepare(struct pci_dev *pdev)
{
	struct ferry_device *ferry = pci_get_drvdata(pdev);

	ferry_pm_must_stop(ferry);
	ferry_evict_final(ferry);
}

static void ferry_pm_reset_done(struct pci_dev *pdev)
{
	struct ferry_device *ferry = pci_get_drvdata(pdev);
	int ret;

	ret = ferry_pm_start(ferry);
	if (ret)
		drm_err(&ferry->drm, "the device cannot be used after its reset: %d\n", ret);
}

static pci_ers_result_t ferry_pm_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct ferry_device *ferry = pci_get_drvdata(pdev);

	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;

	ferry_pm_must_stop(ferry);
	ferry_evict_discard(ferry);
	return state == pci_channel_io_frozen ? PCI_ERS_RESULT_NEED_RESET :
						PCI_ERS_RESULT_DISCONNECT;
}

static pci_ers_result_t ferry_pm_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	/* The core lets a state be restored once only. */
	pci_save_state(pdev);

	return ferry_bar_check(pci_get_drvdata(pdev)) ? PCI_ERS_RESULT_DISCONNECT :
							PCI_ERS_RESULT_RECOVERED;
}

static void ferry_pm_error_resume(struct pci_dev *pdev)
{
	struct ferry_device *ferry = pci_get_drvdata(pdev);

	/* After an error that needed no reset nothing was stopped. */
	if (ferry->vram_mgr.blocked)
		ferry_pm_reset_done(pdev);
}

const struct pci_error_handlers ferry_pm_error_handlers = {
	.error_detected = ferry_pm_error_detected,
	.slot_reset = ferry_pm_slot_reset,
	.resume = ferry_pm_error_resume,
	.reset_prepare = ferry_pm_reset_prepare,
	.reset_done = ferry_pm_reset_done,
};
