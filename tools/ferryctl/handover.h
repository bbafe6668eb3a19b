/* SPDX-License-Identifier: MIT */
/* Take a device from its driver and give it to another one, or leave all as it was. */
#ifndef HANDOVER_H_
#define HANDOVER_H_

#include "device.h"

/**
 * handover_check() - check that the device may be taken from its driver
 * @args: arguments with the options yes and force
 * @dev: the device
 * @purpose: what happens then: "hand 0000:00:04.0 to ferry"
 *
 * Prints what is lost, and asks the user.
 *
 * Returns: CTL_OK, or another status after a message.
 */
enum ctl_status handover_check(const struct ctl_args *args,
			       const struct device *dev, const char *purpose);

/**
 * handover() - give a device to a driver
 * @dev: the device; updated
 * @driver: the driver, whose module is loaded, or "" to leave the device without one
 * @keep: keep driver_override, so that only @driver may bind
 *
 * If @driver does not take the device, its old driver and the contents of
 * driver_override are restored, and the message names what the kernel says.
 *
 * Returns: CTL_OK, or CTL_FAILED after a message.
 */
enum ctl_status handover(struct device *dev, const char *driver, bool keep);

#define HANDOVER_OPTIONS                                                               \
	{ "yes", 'y', NULL, "Do not ask." },                                           \
	{                                                                              \
		"force", 'f', NULL,                                                    \
			"Go ahead although a program shows its picture on the device." \
	}

#endif /* HANDOVER_H_ */
