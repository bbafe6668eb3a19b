// SPDX-License-Identifier: MIT
/* Checks of ferryctl doctor: the devices. */

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "file.h"

/* Smallest aperture of the driver */
#define APERTURE_MIN (1u << 20)

/* Get the last error or warning of the driver about a device from the kernel log, or "". */
static void get_log(const struct device *dev, char *text, size_t size)
{
	char record[1024], mark[64], *message;
	ssize_t length;
	int fd;

	*text = 0;
	if (file_has_root())
		return;
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(mark, sizeof(mark), ";ferry %s: ", dev->address);
	while ((length = read(fd, record, sizeof(record) - 1)) > 0) {
		record[length] = 0;
		message = strstr(record, mark);
		if (!message)
			continue;
		/* What was wrong before a probe that succeeded is over. */
		if (strstr(message, "aperture: BAR"))
			*text = 0;
		if (strtoul(record, NULL, 10) % 8 > 4)
			continue;
		message += strlen(mark);
		message[strcspn(message, "\n")] = 0;
		snprintf(text, size, "%s", message);
	}
	close(fd);
}

/*
 * Get who has claimed memory inside the BAR, from /proc/iomem. The line of the BAR has the
 * address of the device; those below it, with more spaces before them, are claims.
 */
static void get_claim(const struct device *dev, char *name, size_t size)
{
	unsigned long long start, end;
	char *text, *line, found[64];
	bool inside = false;
	int indent = 0;

	*name = 0;
	if (file_read(&text, "/proc/iomem") < 0)
		return;
	for (line = text; line && *line && !*name; line += !!line) {
		int spaces = strspn(line, " ");

		if (sscanf(line, " %llx-%llx : %63[^\n]", &start, &end,
			   found) == 3) {
			if (inside && spaces > indent)
				snprintf(name, size, "%s", found);
			inside = !strcmp(found, dev->address) &&
				 start == dev->bar_start;
			indent = spaces;
		}
		line = strchr(line, '\n');
	}
	free(text);
}

/* Get an entry of /proc/mtrr that makes a part of the BAR uncachable, or "". */
static void get_mtrr(const struct device *dev, char *entry, size_t size)
{
	unsigned long long base, megabytes;
	char *text, *line, *at;

	*entry = 0;
	if (file_read(&text, "/proc/mtrr") < 0)
		return;
	for (line = text; line && *line; line += !!line) {
		at = strstr(line, "base=");
		if (at &&
		    sscanf(at, "base=%llx (%*[^)]), size=%lluMB", &base,
			   &megabytes) == 2 &&
		    base < dev->bar_start + dev->bar_size &&
		    base + (megabytes << 20) > dev->bar_start &&
		    strstr(line, "uncachable"))
			snprintf(entry, size, "%.*s", (int)strcspn(line, "\n"),
				 line);
		line = strchr(line, '\n');
	}
	free(text);
}

static void check_memtype(struct doctor *doctor, const struct device *dev)
{
	struct device_aperture aperture;
	char mtrr[128];

	if (device_get_aperture(dev, &aperture)) {
		doctor_say(doctor, DOCTOR_WARNING, dev->address,
			   "run it as root, with sudo",
			   "its aperture cannot be queried");
		return;
	}
	if (!strcmp(aperture.effective, aperture.requested) &&
	    (!*aperture.preferred ||
	     !strcmp(aperture.effective, aperture.preferred))) {
		doctor_say(doctor, DOCTOR_OK, dev->address, NULL,
			   "its memory type is %s", aperture.effective);
		return;
	}
	get_mtrr(dev, mtrr, sizeof(mtrr));
	if (strcmp(aperture.effective, aperture.requested))
		doctor_say(
			doctor, DOCTOR_WARNING, dev->address,
			"see /sys/kernel/debug/x86/pat_memtype_list, and load ferry before what has mapped it",
			"its memory type is %s, and %s was requested: %s",
			aperture.effective, aperture.requested,
			aperture.reason);
	else
		doctor_say(
			doctor, DOCTOR_OK, dev->address, NULL,
			"its memory type is %s, as %s is not possible: %s%s%s",
			aperture.effective, aperture.preferred, aperture.reason,
			*mtrr ? ", " : "", mtrr);
}

/* Who would use the device: the user of sudo, or the one who runs this. Returns false for root. */
static bool get_user(char *name, size_t size, gid_t *group)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *user = sudo && !geteuid() ? getpwnam(sudo) :
							 getpwuid(getuid());

	if (!user || !user->pw_uid)
		return false;
	snprintf(name, size, "%s", user->pw_name);
	*group = user->pw_gid;
	return true;
}

static bool is_member(const char *user, gid_t own, gid_t group)
{
	gid_t groups[256];
	int count = ARRAY_SIZE(groups);

	if (getgrouplist(user, own, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

static void check_node(struct doctor *doctor, const struct device *dev)
{
	char node[64], path[FILE_PATH_MAX], user[64], next[96];
	const struct group *group;
	struct stat st;
	gid_t own;

	if (dev->render < 0 && dev->card < 0) {
		doctor_say(doctor, DOCTOR_PROBLEM, dev->address,
			   "see the kernel log: dmesg | grep ferry",
			   "it has no node");
		return;
	}
	device_node(dev, node, sizeof(node));
	if (stat(file_path(path, "%s", node), &st)) {
		doctor_say(doctor, DOCTOR_PROBLEM, dev->address,
			   "udevadm trigger --subsystem-match=drm",
			   "its node %s is missing", node);
		return;
	}
	group = getgrgid(st.st_gid);
	/* The user of a session on the screen has access without the group. */
	if (!file_has_root() && get_user(user, sizeof(user), &own) &&
	    (!geteuid() || access(node, R_OK | W_OK)) &&
	    (st.st_mode & 06) != 06 && !is_member(user, own, st.st_gid)) {
		snprintf(next, sizeof(next), "adduser %s %s, and log in again",
			 user, group ? group->gr_name : "GROUP");
		doctor_say(doctor, DOCTOR_PROBLEM, dev->address, next,
			   "%s belongs to the group %s, and %s is not in it",
			   node, group ? group->gr_name : "?", user);
		return;
	}
	doctor_say(doctor, DOCTOR_OK, dev->address, NULL,
		   "ferry drives it, as %s", node);
}

/* Say why a device has no driver. */
static void check_free(struct doctor *doctor, const struct device *dev)
{
	char claim[64], log[256], purpose[64], size[24], next[96];

	snprintf(next, sizeof(next), "ferryctl bind %s", dev->address);
	get_claim(dev, claim, sizeof(claim));
	get_log(dev, log, sizeof(log));
	file_line(purpose, sizeof(purpose),
		  "/sys/module/ferry/parameters/ivshmem");
	if (dev->bar < 0 || !dev->bar_start)
		doctor_say(
			doctor, DOCTOR_PROBLEM, dev->address,
			"enable 'Above 4G Decoding' in the firmware's setup, or boot with pci=realloc, so that its BAR gets an address; the kernel log has the reason",
			"it has no prefetchable memory BAR with an address");
	else if (dev->bar_size < APERTURE_MIN)
		doctor_say(doctor, DOCTOR_PROBLEM, dev->address,
			   "give the device 1 MiB or more",
			   "its BAR %d has %s, and ferry needs 1 MiB", dev->bar,
			   ctl_size(size, dev->bar_size));
	else if (*claim)
		doctor_say(
			doctor, DOCTOR_PROBLEM, dev->address,
			"unload the driver that has claimed it, then run ferryctl bind",
			"its BAR %d is claimed by '%s' (/proc/iomem), although no driver is bound",
			dev->bar, claim);
	else if (*log)
		doctor_say(doctor, DOCTOR_PROBLEM, dev->address, next,
			   "no driver is bound; ferry has logged: %s", log);
	else if (device_is_ivshmem(dev) &&
		 file_exists("/sys/module/ferry/parameters/ivshmem"))
		doctor_say(
			doctor, DOCTOR_WARNING, dev->address, next,
			"ferry leaves ivshmem to others until it is named: ivshmem=%s",
			*purpose ? purpose : "(empty)");
	else
		doctor_say(doctor, DOCTOR_PROBLEM, dev->address, next,
			   "no driver is bound to it");
}

static void check_device(struct doctor *doctor, const struct device *dev)
{
	char next[96];

	if (device_is_bound(dev)) {
		check_node(doctor, dev);
		check_memtype(doctor, dev);
	} else if (*dev->driver) {
		snprintf(next, sizeof(next),
			 "ferryctl bind %s hands it to ferry", dev->address);
		doctor_say(
			doctor, DOCTOR_PROBLEM, dev->address, next,
			"%s drives it: the driver that is loaded first gets the device",
			dev->driver);
	} else {
		check_free(doctor, dev);
	}
}

void doctor_check_devices(struct doctor *doctor)
{
	struct device_list list;
	unsigned int count = 0;

	device_get_all(&list);
	for (unsigned int i = 0; i < list.count; i++) {
		const struct device *dev = &list.at[i];

		if (!dev->known && !device_is_bound(dev) &&
		    strcmp(dev->override, "ferry"))
			continue;
		check_device(doctor, dev);
		count++;
	}
	if (!count)
		doctor_say(
			doctor, DOCTOR_PROBLEM, "device",
			"ferryctl list --all prints others, and ferryctl bind hands one to ferry",
			"there is none that ferry knows");
}
