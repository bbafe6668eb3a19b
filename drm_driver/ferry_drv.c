// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/aperture.h>
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/wait_bit.h>

#include <drm/drm_drv.h>
#include <drm/drm_fbdev_ttm.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/ferry_drm.h>

#include "ferry_bar.h"
#include "ferry_client.h"
#include "ferry_compat.h"
#include "ferry_debugfs.h"
#include "ferry_device.h"
#include "ferry_dumb.h"
#include "ferry_evict.h"
#include "ferry_fault.h"
#include "ferry_fdinfo.h"
#include "ferry_gem.h"
#include "ferry_import.h"
#include "ferry_ioctl.h"
#include "ferry_ivshmem.h"
#include "ferry_job.h"
#include "ferry_kms.h"
#include "ferry_param.h"
#include "ferry_pm.h"
#include "ferry_shrinker.h"
#include "ferry_tt.h"
#include "ferry_ttm.h"
#include "ferry_vram_mgr.h"

/**
 * DOC: Overview
 *
 * ferry drives PCI devices whose memory BAR is plain memory, the aperture. It manages buffer
 * objects that are in system memory or in the aperture, move between the two, and stay
 * mapped in user space while they move.
 */

static char *render_node = "auto";
module_param(render_node, charp, 0444);
MODULE_PARM_DESC(render_node,
		 "offer a render node: on or off (default auto: on a device without a display)");

/* &pci_device_id.driver_data: the device has a display with DISPI registers */
#define FERRY_DRV_DISPLAY BIT(0)

static const struct drm_ioctl_desc ferry_drv_ioctls[] = {
	DRM_IOCTL_DEF_DRV(FERRY_DEVICE_QUERY, ferry_ioctl_device_query, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(FERRY_BO_CREATE, ferry_ioctl_bo_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(FERRY_BO_MMAP_OFFSET, ferry_ioctl_bo_mmap_offset, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(FERRY_BO_QUERY, ferry_ioctl_bo_query, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(FERRY_MIGRATE, ferry_ioctl_migrate, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(FERRY_BO_WAIT, ferry_ioctl_bo_wait, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(FERRY_BO_MADVISE, ferry_ioctl_bo_madvise, DRM_RENDER_ALLOW),
};

static const struct file_operations ferry_drv_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = ferry_fault_mmap,
	.get_unmapped_area = ferry_fault_get_unmapped_area,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

/* The version of ferry: scripts/version compares it with those of the library and packages. */
#define FERRY_DRV_MAJOR 1
#define FERRY_DRV_MINOR 0
#define FERRY_DRV_PATCHLEVEL 0

/* The members of struct drm_driver that do not depend on &render_node */
#define FERRY_DRV_COMMON \
	.open = ferry_client_open, \
	.postclose = ferry_client_close, \
	.ioctls = ferry_drv_ioctls, \
	.num_ioctls = ARRAY_SIZE(ferry_drv_ioctls), \
	.fops = &ferry_drv_fops, \
	.gem_prime_import = ferry_import_dma_buf, \
	.dumb_create = ferry_dumb_create, \
	.show_fdinfo = ferry_fdinfo_show, \
	DRM_FBDEV_TTM_DRIVER_OPS, \
	.name = "ferry", \
	.desc = "buffer objects in a PCI aperture", \
	FERRY_DRIVER_DATE \
	.major = FERRY_DRV_MAJOR, \
	.minor = FERRY_DRV_MINOR, \
	.patchlevel = FERRY_DRV_PATCHLEVEL

#define FERRY_DRV_FEATURES \
	(DRIVER_GEM | DRIVER_MODESET | DRIVER_ATOMIC | DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE)

static const struct drm_driver ferry_drv_driver = {
	.driver_features = FERRY_DRV_FEATURES,
	FERRY_DRV_COMMON,
};

/* The core creates the nodes before a driver can change the features of one device. */
static const struct drm_driver ferry_drv_render_driver = {
	.driver_features = FERRY_DRV_FEATURES | DRIVER_RENDER,
	FERRY_DRV_COMMON,
};

/*
 * User space takes the render node of a display for a GPU: wlroots then does not fall back to
 * its software renderer, and Mesa does not load its software driver.
 */
static const struct drm_driver *ferry_drv_choose(struct pci_dev *pdev, bool display)
{
	char value[FERRY_PARAM_MAX] = "auto";

	ferry_param_get(render_node, pci_name(pdev), value, sizeof(value));
	if (!strcmp(value, "on"))
		return &ferry_drv_render_driver;
	if (!strcmp(value, "off"))
		return &ferry_drv_driver;
	if (!strcmp(value, "auto"))
		return display ? &ferry_drv_driver : &ferry_drv_render_driver;

	pci_err(pdev, "render_node=%s is none of auto, on and off\n", value);
	return ERR_PTR(-EINVAL);
}

/* Number of DRM devices that are not released; the release runs code of this module. */
static atomic_t ferry_drv_devices = ATOMIC_INIT(0);

static void ferry_drv_release(struct drm_device *drm, void *unused)
{
	if (atomic_dec_and_test(&ferry_drv_devices))
		wake_up_var(&ferry_drv_devices);
}

/* Allocate a device, and count it until it is released: drmm releases last what was added first. */
static struct ferry_device *ferry_drv_alloc(struct pci_dev *pdev, const struct drm_driver *driver)
{
	struct ferry_device *ferry;
	int ret;

	ferry = devm_drm_dev_alloc(&pdev->dev, driver, struct ferry_device, drm);
	if (IS_ERR(ferry))
		return ferry;

	atomic_inc(&ferry_drv_devices);
	ret = drmm_add_action_or_reset(&ferry->drm, ferry_drv_release, NULL);
	if (ret)
		return ERR_PTR(ret);

	pci_set_drvdata(pdev, ferry);
	return ferry;
}

/* Initialize what does not need access to the BAR. */
static int ferry_drv_init_parts(struct ferry_device *ferry, bool host_memory)
{
	int ret;

	spin_lock_init(&ferry->bos_lock);
	INIT_LIST_HEAD(&ferry->bos);

	ret = ferry_bar_choose(ferry, ferry->kms ? ferry->kms->dispi.vram : 0, host_memory);
	if (ret)
		return ret;

	ret = ferry_job_init(ferry);
	if (ret)
		return ret;

	ret = ferry_tt_init(ferry);
	if (ret)
		return ret;

	ret = ferry_ttm_init(ferry);
	if (ret)
		return ret;

	ret = ferry_shrinker_init(ferry);
	if (ret)
		return ret;

	ret = ferry_vram_mgr_init(ferry);
	if (ret)
		return ret;

	if (ferry->kms) {
		ret = ferry_kms_init(ferry);
		if (ret)
			return ret;
	} else {
		ferry->drm.driver_features &= ~(DRIVER_MODESET | DRIVER_ATOMIC);
	}

	ferry_debugfs_init(ferry);
	return 0;
}

static int ferry_drv_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	bool display = id->driver_data & FERRY_DRV_DISPLAY;
	const struct drm_driver *driver;
	struct ferry_device *ferry;
	int ret;

	if (!ferry_ivshmem_may_use(pdev, to_pci_driver(pdev->dev.driver)))
		return -ENODEV;

	driver = ferry_drv_choose(pdev, display);
	if (IS_ERR(driver))
		return PTR_ERR(driver);

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	ferry = ferry_drv_alloc(pdev, driver);
	if (IS_ERR(ferry))
		return PTR_ERR(ferry);

	if (display) {
		ret = ferry_kms_probe(ferry);
		if (ret)
			return ret;
	}

	ret = ferry_drv_init_parts(ferry, ferry_ivshmem_is(pdev));
	if (ret)
		return ret;

	/* If the probe fails before here, the firmware's framebuffer stays on the screen. */
	ret = aperture_remove_conflicting_pci_devices(pdev, ferry_drv_driver.name);
	if (ret)
		return ret;

	ret = ferry_bar_init(ferry);
	if (ret)
		return ret;
	if (ferry->kms) {
		ret = ferry_kms_start(ferry);
		if (ret)
			return ret;
	}

	ret = drm_dev_register(&ferry->drm, 0);
	if (ret) {
		/* Else the core warns about each mode object that drmm releases. */
		ferry->drm.registered = false;
		return ret;
	}

	/* A slot reset restores this state. */
	pci_save_state(pdev);
	if (ferry->kms)
		drm_client_setup_with_fourcc(&ferry->drm, DRM_FORMAT_XRGB8888);
	return 0;
}

static void ferry_drv_remove(struct pci_dev *pdev)
{
	struct ferry_device *ferry = pci_get_drvdata(pdev);

	drm_dev_unplug(&ferry->drm);
	ferry_job_unplug(ferry);
	ferry_kms_off(ferry);
	if (!ferry_evict_final(ferry))
		ferry_bar_keep(ferry);
}

static const struct pci_device_id ferry_drv_ids[] = {
	/* QEMU: stdvga, secondary-vga, bochs-display */
	{ PCI_DEVICE(0x1234, 0x1111), .driver_data = FERRY_DRV_DISPLAY },
	/* new_id accepts only driver_data of an entry: 0 is for devices without a display. */
	{ PCI_DEVICE(FERRY_IVSHMEM_VENDOR, FERRY_IVSHMEM_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ferry_drv_ids);

/*
 * There is no shutdown callback: the device does no DMA, and what is on the screen is pinned, so
 * the last messages of the console can stay there.
 */
static struct pci_driver ferry_drv_pci_driver = {
	.name = "ferry",
	.id_table = ferry_drv_ids,
	.probe = ferry_drv_probe,
	.remove = ferry_drv_remove,
	.err_handler = &ferry_pm_error_handlers,
	.driver.pm = pm_sleep_ptr(&ferry_pm_ops),
};

static int ferry_drv_is_bound(struct device *dev, void *unused)
{
	return 1;
}

/* If ferry is bound to no device, report which drivers its known devices are bound to. */
static void ferry_drv_report_waiting(void)
{
	const struct pci_device_id *id;
	unsigned int known = 0;

	if (driver_for_each_device(&ferry_drv_pci_driver.driver, NULL, NULL,
				   ferry_drv_is_bound))
		return;

	for (id = ferry_drv_ids; id->vendor; id++) {
		struct pci_dev *pdev = NULL;

		while ((pdev = pci_get_device(id->vendor, id->device, pdev))) {
			known++;
			if (pdev->driver)
				pci_info(pdev, "ferry could drive this device, but %s is bound to it\n",
					 pdev->driver->name);
		}
	}
	if (!known)
		pr_info("ferry: no device found\n");
}

static int __init ferry_drv_init(void)
{
	int ret;

	if (drm_firmware_drivers_only())
		return -ENODEV;

	ret = ferry_ivshmem_init();
	if (ret)
		return ret;

	ret = pci_register_driver(&ferry_drv_pci_driver);
	if (ret)
		return ret;

	ferry_drv_report_waiting();
	return 0;
}
module_init(ferry_drv_init);

/*
 * The kernel calls this when the last reference to the module was dropped, and frees its code
 * when this returns. Two kinds of tasks can still be about to execute the code:
 *
 * - fbdev emulation drops its reference before that to the framebuffer, whose release can release
 *   a DRM device that is unbound. So wait until all devices are released.
 * - a task that has dropped a reference itself, as by fput() in a page fault or at the end of a
 *   job, or that has released the last device, and was preempted before it returned from this
 *   module. synchronize_rcu() does not wait for preempted tasks, synchronize_rcu_tasks() does.
 */
static void __exit ferry_drv_exit(void)
{
	pci_unregister_driver(&ferry_drv_pci_driver);
	wait_var_event(&ferry_drv_devices, !atomic_read(&ferry_drv_devices));
	synchronize_rcu_tasks();
}
module_exit(ferry_drv_exit);

MODULE_DESCRIPTION("DRM driver for PCI memory apertures");
MODULE_AUTHOR("The ferry developers");
MODULE_VERSION(__stringify(FERRY_DRV_MAJOR) "." __stringify(FERRY_DRV_MINOR) "."
	       __stringify(FERRY_DRV_PATCHLEVEL));
MODULE_LICENSE("Dual MIT/GPL");
