/* SPDX-License-Identifier: MIT */
/* ferryctl doctor: the checks report to this. */
#ifndef DOCTOR_H_
#define DOCTOR_H_

#include "device.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM };

struct doctor {
	bool json;
	unsigned int problems, warnings;
};

/* Report the result of a check; @next is what the user can do, or NULL. */
void doctor_say(struct doctor *doctor, enum doctor_level level,
		const char *check, const char *next, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Checks of the machine */
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_module(struct doctor *doctor);
void doctor_check_secure_boot(struct doctor *doctor);
void doctor_check_pat(struct doctor *doctor);
void doctor_check_debugfs(struct doctor *doctor);
bool doctor_has_word(const char *path, const char *word);

/* Checks of the devices */
void doctor_check_devices(struct doctor *doctor);

#endif /* DOCTOR_H_ */
