// SPDX-License-Identifier: MIT
/* Checks of ferryctl doctor: kernel, module, secure boot, PAT, debugfs. */

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "file.h"

#define RELEASE "/proc/sys/kernel/osrelease"
/* The first kernel that has what the driver uses */
#define LEAST_MAJOR 6
#define LEAST_MINOR 12

/* Whether a file has a word that is surrounded by white space. */
bool doctor_has_word(const char *path, const char *word)
{
	size_t length = strlen(word);
	bool found = false;
	char *text;

	if (file_read(&text, "%s", path) < 0)
		return false;
	for (char *at = text; !found && (at = strstr(at, word)); at += length)
		found = (at == text || strchr(" \t\n", at[-1])) &&
			strchr(" \t\n", at[length]);
	free(text);
	return found;
}

static bool is_too_old(const char *release)
{
	int major = 0, minor = 0;

	sscanf(release, "%d.%d", &major, &minor);
	return major < LEAST_MAJOR ||
	       (major == LEAST_MAJOR && minor < LEAST_MINOR);
}

void doctor_check_kernel(struct doctor *doctor)
{
	struct utsname system;
	char release[128];

	file_line(release, sizeof(release), RELEASE);
	if (is_too_old(release))
		doctor_say(
			doctor, DOCTOR_PROBLEM, "kernel",
			"on Debian 12 install linux-image-6.12-amd64 and linux-headers-6.12-amd64, and reboot",
			"Linux %s is too old, ferry needs 6.12", release);
	else
		doctor_say(doctor, DOCTOR_OK, "kernel", NULL, "Linux %s",
			   release);
	if (!file_has_root() && !uname(&system) &&
	    strcmp(system.machine, "x86_64"))
		doctor_say(doctor, DOCTOR_PROBLEM, "kernel",
			   "use a machine with an x86-64 processor",
			   "ferry is for x86-64, and this is %s",
			   system.machine);
	if (doctor_has_word("/proc/cmdline", "nomodeset"))
		doctor_say(
			doctor, DOCTOR_PROBLEM, "kernel",
			"remove nomodeset from the kernel command line, and reboot",
			"with nomodeset no DRM driver is loaded");
}

/* Whether a list of modules has ferry.ko, compressed or not. */
static bool is_in(const char *list, const char *release)
{
	bool found = false;
	char *text;

	if (file_read(&text, "/lib/modules/%s/%s", release, list) < 0)
		return false;
	found = strstr(text, "/ferry.ko");
	free(text);
	return found;
}

/* Get the next step for a kernel that has no ferry.ko. */
static void get_module(const char *release, char *next, size_t size)
{
	bool headers = file_exists("/lib/modules/%s/build/Makefile", release);
	bool dkms = file_exists("/var/lib/dkms/ferry");

	if (is_too_old(release))
		snprintf(next, size, "boot a newer kernel");
	else if (dkms && headers)
		snprintf(
			next, size,
			"dkms autoinstall; if it fails, /var/lib/dkms/ferry/*/build/make.log has the reason");
	else if (dkms)
		snprintf(next, size,
			 "install linux-headers-%s, and DKMS builds the module",
			 release);
	else
		snprintf(
			next, size,
			"%s%s%sinstall the package ferry-dkms, or run make dkms in the sources",
			headers ? "" : "install linux-headers-",
			headers ? "" : release, headers ? "" : ", then ");
}

void doctor_check_module(struct doctor *doctor)
{
	char release[128], version[32], next[256];

	if (file_exists("/sys/module/ferry")) {
		file_line(version, sizeof(version),
			  "/sys/module/ferry/version");
		if (!strcmp(version, FERRYCTL_VERSION))
			doctor_say(doctor, DOCTOR_OK, "module", NULL,
				   "it is loaded, version %s", version);
		else
			doctor_say(
				doctor, DOCTOR_WARNING, "module",
				"install both from the same release; then unload ferry and load it again, or reboot",
				"version %s of the module is loaded, and this is ferryctl %s",
				*version ? version : "without a number",
				FERRYCTL_VERSION);
		return;
	}
	file_line(release, sizeof(release), RELEASE);
	get_module(release, next, sizeof(next));
	if (is_in("modules.dep", release) || is_in("modules.builtin", release))
		doctor_say(doctor, DOCTOR_PROBLEM, "module", "modprobe ferry",
			   "it is installed for Linux %s, and not loaded",
			   release);
	else
		doctor_say(doctor, DOCTOR_PROBLEM, "module", next,
			   "it is not installed for Linux %s", release);
}

/* The last byte of the variable, after four bytes of attributes. */
static bool has_secure_boot(void)
{
	bool on = false;
	char *text;
	int size;

	size = file_read(
		&text,
		"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
	if (size < 0)
		return false;
	on = size >= 5 && text[4] == 1;
	free(text);
	return on;
}

static bool is_signed(void)
{
	const char *const argv[] = { "modinfo", "-F", "signer", "ferry", NULL };
	char *text = NULL;
	bool is;

	file_run(&text, argv);
	is = text && *text && *text != '\n';
	free(text);
	return is;
}

void doctor_check_secure_boot(struct doctor *doctor)
{
	if (!has_secure_boot())
		doctor_say(doctor, DOCTOR_OK, "secure boot", NULL,
			   "it is off: unsigned modules are loaded");
	else if (file_exists("/sys/module/ferry"))
		doctor_say(doctor, DOCTOR_OK, "secure boot", NULL,
			   "it is on, and the module was accepted");
	else if (!file_has_root() && is_signed())
		doctor_say(
			doctor, DOCTOR_WARNING, "secure boot",
			"if the module is rejected: mokutil --import with the certificate of that key, and reboot",
			"it is on; the module is signed, and the firmware must know its key");
	else
		doctor_say(
			doctor, DOCTOR_PROBLEM, "secure boot",
			"let DKMS build and sign it (the package ferry-dkms, or make dkms); enrol its key with mokutil --import /var/lib/dkms/mok.pub, and reboot",
			"it is on, and the module is not signed");
}

void doctor_check_pat(struct doctor *doctor)
{
	if (doctor_has_word("/proc/cmdline", "nopat"))
		doctor_say(
			doctor, DOCTOR_PROBLEM, "PAT",
			"remove nopat from the kernel command line, and reboot",
			"it is off (nopat): mappings of the aperture are uncached and slow");
	else if (!doctor_has_word("/proc/cpuinfo", "pat"))
		doctor_say(
			doctor, DOCTOR_PROBLEM, "PAT",
			"let the virtual machine have the processor's features, as with -cpu host of QEMU",
			"the processor has none: mappings of the aperture are uncached and slow");
	else
		doctor_say(doctor, DOCTOR_OK, "PAT", NULL, "it is on");
}

void doctor_check_debugfs(struct doctor *doctor)
{
	if (!file_has_root() && geteuid()) {
		doctor_say(doctor, DOCTOR_WARNING, "root",
			   "run it as root, with sudo",
			   "some checks need root and were left out");
		return;
	}
	if (!file_exists("/sys/kernel/debug/dri"))
		doctor_say(
			doctor, DOCTOR_WARNING, "debugfs",
			"mount -t debugfs debugfs /sys/kernel/debug",
			"it is not mounted: bos, map, top and audit do not work");
	else
		doctor_say(doctor, DOCTOR_OK, "debugfs", NULL, "it is mounted");
	if (!file_exists("/sys/kernel/tracing/events"))
		doctor_say(doctor, DOCTOR_WARNING, "tracefs",
			   "mount -t tracefs tracefs /sys/kernel/tracing",
			   "it is not mounted: trace does not work");
	else
		doctor_say(doctor, DOCTOR_OK, "tracefs", NULL, "it is mounted");
}
