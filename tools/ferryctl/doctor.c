// SPDX-License-Identifier: MIT
/* ferryctl doctor */

#include "doctor.h"

#include <stdarg.h>

#include "json.h"

void doctor_say(struct doctor *doctor, enum doctor_level level,
		const char *check, const char *next, const char *format, ...)
{
	static const struct {
		const char *name, *mark;
		enum ctl_colour colour;
	} levels[] = {
		[DOCTOR_OK] = { "ok", "ok", CTL_GREEN },
		[DOCTOR_WARNING] = { "warning", "warning", CTL_YELLOW },
		[DOCTOR_PROBLEM] = { "problem", "PROBLEM", CTL_RED },
	};
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	doctor->problems += level == DOCTOR_PROBLEM;
	doctor->warnings += level == DOCTOR_WARNING;
	if (doctor->json) {
		json_object(NULL);
		json_string("check", check);
		json_string("level", levels[level].name);
		json_string("text", text);
		json_string_or_null("next_step", next);
		json_object_end();
		return;
	}
	printf("%s%-8s%s %-13s %s\n", ctl_colour(levels[level].colour),
	       levels[level].mark, ctl_colour(CTL_PLAIN), check, text);
	if (next)
		printf("%23snext step: %s\n", "", next);
}

static enum ctl_status run(const struct ctl_args *args)
{
	struct doctor doctor = { .json = args->json };

	if (args->json)
		json_array(NULL);
	doctor_check_kernel(&doctor);
	doctor_check_module(&doctor);
	doctor_check_secure_boot(&doctor);
	doctor_check_pat(&doctor);
	doctor_check_devices(&doctor);
	doctor_check_debugfs(&doctor);
	if (args->json)
		json_array_end();
	else
		printf("problems: %u, warnings: %u\n", doctor.problems,
		       doctor.warnings);
	return doctor.problems ? CTL_FOUND : CTL_OK;
}

const struct ctl_command ctl_doctor = {
	.name = "doctor",
	.brief = "Find what is wrong on this machine, and what to do",
	.text = "Check the kernel, the module, secure boot, PAT and the MTRRs, the devices, their drivers, BARs and "
		"nodes, and whether the user may open them. For each problem a next step is printed. Some "
		"checks need root. The exit status is 6 if there is a problem; a warning is none.",
	.run = run,
};
