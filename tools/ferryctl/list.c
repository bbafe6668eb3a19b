// SPDX-License-Identifier: MIT
/* ferryctl list */

#include <string.h>

#include "device.h"
#include "json.h"

/* Smallest aperture of the driver */
#define APERTURE_MIN (1u << 20)

static bool is_listed(const struct device *dev, bool all)
{
	return device_is_bound(dev) || dev->known ||
	       (all && dev->bar_size >= APERTURE_MIN);
}

static void list_json(const struct device *dev,
		      const struct device_aperture *aperture)
{
	json_object(NULL);
	json_string("address", dev->address);
	json_number("vendor", dev->vendor);
	json_number("device", dev->id);
	json_string("kind", device_kind(dev));
	json_string_or_null("driver", dev->driver);
	json_string_or_null("driver_override", dev->override);
	json_bool("known", dev->known);
	if (dev->card >= 0)
		json_number("card", dev->card);
	if (dev->render >= 0)
		json_number("render", dev->render);
	json_number("bar_size", dev->bar_size);
	if (aperture) {
		json_object("aperture");
		json_number("bar", aperture->bar);
		json_number("base", aperture->base);
		json_number("size", aperture->size);
		json_number("free", aperture->free);
		json_string_or_null("preferred", aperture->preferred);
		json_string("requested", aperture->requested);
		json_string("effective", aperture->effective);
		json_string_or_null("reason", aperture->reason);
		json_object_end();
	}
	json_object_end();
}

static void list_aperture(const struct device_aperture *aperture)
{
	const char *preferred = *aperture->preferred ? aperture->preferred :
						       aperture->requested;
	char size[24], free_size[24];

	printf("    aperture     BAR %d at 0x%llx, %s, %s free\n",
	       aperture->bar, (unsigned long long)aperture->base,
	       ctl_size(size, aperture->size),
	       ctl_size(free_size, aperture->free));
	printf("    memory type  %s", aperture->effective);
	if (strcmp(aperture->requested, aperture->effective))
		printf(", and %s was requested", aperture->requested);
	else
		printf(", as requested");
	if (strcmp(preferred, aperture->requested))
		printf(" after %s, which suits this device best", preferred);
	printf("\n");
	if (*aperture->reason)
		printf("                 because: %s\n", aperture->reason);
}

static void list_text(const struct device *dev,
		      const struct device_aperture *aperture)
{
	char size[24];

	printf("%s%s%s  %04x:%04x  %s\n", ctl_colour(CTL_BOLD), dev->address,
	       ctl_colour(CTL_PLAIN), dev->vendor, dev->id, device_kind(dev));
	printf("    driver       %s", *dev->driver ? dev->driver : "none");
	if (*dev->override)
		printf(" (only %s may bind: driver_override)", dev->override);
	printf("\n");
	if (dev->card >= 0)
		printf("    nodes        /dev/dri/card%d", dev->card);
	if (dev->card >= 0 && dev->render >= 0)
		printf(", /dev/dri/renderD%d", dev->render);
	if (dev->card >= 0)
		printf("\n");
	if (aperture)
		list_aperture(aperture);
	else if (device_is_bound(dev))
		printf("    aperture     unknown: run as root, or as a member of the group of its node\n");
	else if (dev->bar >= 0)
		printf("    memory       BAR %d, %s\n", dev->bar,
		       ctl_size(size, dev->bar_size));
}

static enum ctl_status run(const struct ctl_args *args)
{
	bool all = ctl_flag(args, "all");
	struct device_aperture aperture;
	struct device_list list;
	unsigned int count = 0;

	device_get_all(&list);
	if (args->json)
		json_array(NULL);
	for (unsigned int i = 0; i < list.count; i++) {
		const struct device *dev = &list.at[i];
		bool has;

		if (!is_listed(dev, all))
			continue;
		count++;
		has = device_is_bound(dev) &&
		      !device_get_aperture(dev, &aperture);
		if (args->json)
			list_json(dev, has ? &aperture : NULL);
		else
			list_text(dev, has ? &aperture : NULL);
	}
	if (args->json)
		json_array_end();
	if (count)
		return CTL_OK;
	return ctl_fail(
		CTL_NO_DEVICE,
		all ? "add a device, such as -device bochs-display of QEMU" :
		      "ferryctl list --all prints all devices with memory",
		"there is no device that ferry %s",
		all ? "could drive" : "knows");
}

const struct ctl_command ctl_list = {
	.name = "list",
	.brief = "List the devices, their drivers and their memory",
	.text = "List the devices that ferry drives, and those whose PCI id it knows: the driver, the nodes, "
		"the aperture, and its memory type. The requested memory type is the one that ferry asked "
		"the kernel for, the effective one is that of the mappings. If they differ, or if another "
		"type would suit the device better, the reason is printed.",
	.options = { { "all", 'a', NULL,
		       "Also list all other devices with a prefetchable memory BAR of 1 MiB or more, which 'ferryctl bind' can hand to ferry." } },
	.run = run,
};
