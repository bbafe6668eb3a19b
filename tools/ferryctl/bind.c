// SPDX-License-Identifier: MIT
/* ferryctl bind, unbind and default */

#include <errno.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "handover.h"
#include "json.h"

static enum ctl_status require_root(void)
{
	if (file_has_root())
		return ctl_fail(
			CTL_USAGE, "leave out --root",
			"only devices of this machine can be handed over");
	if (geteuid())
		return ctl_fail(CTL_NOT_PERMITTED, "run it as root, with sudo",
				"only root may hand over a device");
	return CTL_OK;
}

static bool is_loaded(const char *driver)
{
	return file_exists(SYSFS_PCI "/drivers/%s", driver);
}

static int modprobe(const char *option, const char *module)
{
	const char *const argv[] = { "modprobe", option, module, NULL };

	return file_run(NULL, argv);
}

static enum ctl_status report(const struct ctl_args *args,
			      const struct device *dev, const char *remark)
{
	if (args->json) {
		json_object(NULL);
		json_string("address", dev->address);
		json_string_or_null("driver", dev->driver);
		json_object_end();
		return CTL_OK;
	}
	printf("%s is driven by %s now.\n", dev->address,
	       *dev->driver ? dev->driver : "no driver");
	if (remark)
		printf("%s\n", remark);
	return CTL_OK;
}

/* Find the file that lets modprobe load ferry before the stock driver of QEMU's displays. */
static const char *find_softdep(void)
{
	static const char *const files[] = {
		"/etc/modprobe.d/ferry.conf",
		"/usr/lib/modprobe.d/ferry.conf",
	};
	bool found;
	char *text;

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		if (file_read(&text, "%s", files[i]) < 0)
			continue;
		found = strstr(text, "\nsoftdep bochs ");
		free(text);
		/* A file in /etc replaces one of the same name in /usr/lib. */
		return found ? files[i] : NULL;
	}
	return NULL;
}

/* Say which driver the device gets at the next boot, and how to change that. */
static void after_boot(const struct device *dev, char *text, size_t size)
{
	const char *file = find_softdep();

	if (device_is_display(dev) && file)
		snprintf(text, size, "ferry gets it at each boot, by %s.",
			 file);
	else if (device_is_display(dev))
		snprintf(
			text, size,
			"This lasts until the next boot. The line \"softdep bochs pre: ferry\" in a file in /etc/modprobe.d gives ferry the device at each boot.");
	else if (device_is_ivshmem(dev))
		snprintf(
			text, size,
			"This lasts until the next boot. The line \"options ferry ivshmem=memory@%s\" in a file in /etc/modprobe.d gives ferry the device at each boot.",
			dev->address);
	else
		snprintf(
			text, size,
			"This lasts until the next boot. A udev rule can give ferry the device at each boot: see \"Cards with memory\" in the documentation.");
}

static enum ctl_status run_bind(const struct ctl_args *args)
{
	enum ctl_status status = require_root();
	char purpose[96], remark[256];
	struct device dev;
	bool loaded;

	if (!status)
		status = device_find(args->operand, false, &dev);
	if (status)
		return status;
	if (device_is_bound(&dev))
		return report(args, &dev, NULL);
	if (dev.bar < 0 && !dev.known)
		return ctl_fail(
			CTL_FAILED,
			"ferryctl list --all prints devices that have one; the parameter aperture_bar names another BAR",
			"%s has no prefetchable memory BAR", dev.address);
	snprintf(purpose, sizeof(purpose), "hand %s to ferry", dev.address);
	status = handover_check(args, &dev, purpose);
	if (status)
		return status;
	loaded = is_loaded("ferry");
	if (!loaded && modprobe("-q", "ferry"))
		return ctl_fail(
			CTL_FAILED, "ferryctl doctor",
			"the module ferry cannot be loaded; %s is as it was",
			dev.address);
	/* A device without a driver is bound as soon as the module is loaded. */
	device_update(&dev);
	if (!device_is_bound(&dev))
		status = handover(&dev, "ferry", true);
	if (status && !loaded)
		modprobe("-rq", "ferry");
	if (status)
		return status;
	after_boot(&dev, remark, sizeof(remark));
	return report(args, &dev, remark);
}

static enum ctl_status run_unbind(const struct ctl_args *args)
{
	enum ctl_status status = require_root();
	char purpose[96];
	struct device dev;

	if (!status)
		status = device_find(args->operand, true, &dev);
	if (status)
		return status;
	snprintf(purpose, sizeof(purpose), "take %s from ferry", dev.address);
	status = handover_check(args, &dev, purpose);
	if (!status)
		status = handover(&dev, "", false);
	if (status)
		return status;
	return report(args, &dev,
		      "ferryctl bind or ferryctl default gives it a driver.");
}

/* Find a driver in the directory of a module. */
static bool driver_of_module(const char *module, char *driver, size_t size)
{
	char path[FILE_PATH_MAX], name[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(name, sizeof(name), "%s", module);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : *c;
	*driver = 0;
	dir = opendir(file_path(path, "/sys/module/%s/drivers", name));
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "pci:", 4))
			snprintf(driver, size, "%s", entry->d_name + 4);
	if (dir)
		closedir(dir);
	return *driver;
}

/* Load the modules that know the device, other than ferry, and find their driver. */
static bool find_stock_driver(const struct device *dev, char *driver,
			      size_t size)
{
	const char *argv[] = { "modprobe", "-qR", NULL, NULL };
	char alias[256], *modules = NULL, *save, *module;
	bool found = false;

	if (!file_line(alias, sizeof(alias), SYSFS_PCI "/devices/%s/modalias",
		       dev->address))
		return false;
	argv[2] = alias;
	if (file_run(&modules, argv) || !modules)
		return false;
	for (module = strtok_r(modules, "\n", &save); module && !found;
	     module = strtok_r(NULL, "\n", &save))
		found = strcmp(module, "ferry") && !modprobe("-q", module) &&
			driver_of_module(module, driver, size);
	free(modules);
	return found;
}

static enum ctl_status find_default(const struct ctl_args *args,
				    struct device *dev, char *driver,
				    size_t size)
{
	const char *named = ctl_value(args, "driver");
	enum ctl_status status;

	/* A device that was unbound has no driver at all. */
	status = device_find(args->operand, !args->operand, dev);
	if (status)
		return status;
	if (named) {
		snprintf(driver, size, "%s", named);
		if (!is_loaded(named))
			modprobe("-q", named);
		if (!is_loaded(named))
			return ctl_fail(
				CTL_FAILED,
				"ls /sys/bus/pci/drivers prints those that are loaded",
				"there is no driver '%s'", named);
		return CTL_OK;
	}
	if (find_stock_driver(dev, driver, size))
		return CTL_OK;
	return ctl_fail(
		CTL_FAILED,
		"ferryctl unbind leaves it without a driver; --driver names one",
		"no other module of this kernel drives %s", dev->address);
}

static enum ctl_status run_default(const struct ctl_args *args)
{
	enum ctl_status status = require_root();
	char purpose[160], driver[64], remark[256];
	struct device dev;
	const char *file;

	if (!status)
		status = find_default(args, &dev, driver, sizeof(driver));
	if (status)
		return status;
	if (!strcmp(dev.driver, driver))
		return report(args, &dev, NULL);
	snprintf(purpose, sizeof(purpose), "hand %s to %s", dev.address,
		 driver);
	status = handover_check(args, &dev, purpose);
	if (!status)
		status = handover(&dev, driver, false);
	if (status)
		return status;
	file = device_is_display(&dev) ? find_softdep() : NULL;
	if (file)
		snprintf(
			remark, sizeof(remark),
			"This lasts until the next boot: %s gives ferry the device. To keep %s, remove ferry (apt purge ferry-dkms, or make uninstall).",
			file, driver);
	return report(args, &dev, file ? remark : NULL);
}

const struct ctl_command ctl_bind = {
	.name = "bind",
	.operand = "DEVICE",
	.brief = "Hand a device to ferry",
	.text = "Hand a device to ferry, from the driver that has it. Says what is lost by that, such as the "
		"screen, and asks first. If a program shows its picture on the device, the command refuses. "
		"The module is loaded if necessary. If ferry does not take the device, the old driver gets it "
		"back, and the kernel's reason is printed. A device whose id ferry does not know can be named "
		"too: the whole BAR must be memory, and ferry clears it.",
	.options = { HANDOVER_OPTIONS },
	.run = run_bind,
};

const struct ctl_command ctl_unbind = {
	.name = "unbind",
	.operand = "DEVICE",
	.brief = "Take a device from ferry, and leave it without a driver",
	.text = "Take a device from ferry, and leave it without a driver. Programs that have it open keep "
		"the contents of their buffers, and get ENODEV for everything else.",
	.options = { HANDOVER_OPTIONS },
	.run = run_unbind,
};

const struct ctl_command ctl_default = {
	.name = "default",
	.operand = "DEVICE",
	.brief = "Hand a device back to its stock driver",
	.text = "Hand a device to the driver that the kernel has for it besides ferry, such as bochs-drm for "
		"QEMU's displays. The module is loaded if necessary.",
	.options = { HANDOVER_OPTIONS,
		     { "driver", 'd', "NAME",
		       "Hand it to this driver, as named in /sys/bus/pci/drivers." } },
	.run = run_default,
};
