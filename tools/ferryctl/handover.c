// SPDX-License-Identifier: MIT
/* See handover.h. */

#include "handover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "file.h"

#define CONNECTORS_MAX 8
#define NAMES_MAX 256

/* Append ", NAME" or NAME to a list. */
static void append(char *list, size_t size, const char *name)
{
	size_t length = strlen(list);

	snprintf(list + length, size - length, "%s%s", length ? ", " : "",
		 name);
}

/* The connectors of the device with a screen that is on: "Virtual-1". */
static void get_screens(const struct device *dev, char *names, size_t size)
{
	char path[FILE_PATH_MAX], state[32];
	struct dirent *entry;
	DIR *dir;

	*names = 0;
	dir = opendir(file_path(path, SYSFS_PCI "/devices/%s/drm/card%d",
				dev->address, dev->card));
	while (dir && (entry = readdir(dir))) {
		const char *name = strchr(entry->d_name, '-');

		if (strncmp(entry->d_name, "card", 4) || !name)
			continue;
		file_line(state, sizeof(state),
			  SYSFS_PCI "/devices/%s/drm/card%d/%s/status",
			  dev->address, dev->card, entry->d_name);
		if (!strcmp(state, "connected"))
			append(names, size, name + 1);
	}
	if (dir)
		closedir(dir);
}

/* Other things that end: a text console, a network interface, disks. */
static void get_other_losses(const struct device *dev, char *names, size_t size)
{
	static const struct {
		const char *dir, *what;
	} losses[] = {
		{ "graphics", "its text console" },
		{ "net", "its network interface" },
		{ "nvme", "its disks" },
	};

	*names = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(losses); i++)
		if (file_exists(SYSFS_PCI "/devices/%s/%s", dev->address,
				losses[i].dir))
			append(names, size, losses[i].what);
}

/*
 * Whether a client is the master, which controls the screen: a line of the debugfs file
 * clients has its name in 20 columns, its process, the minor, and "y".
 */
static bool has_master(const struct device *dev, bool otherwise)
{
	char *text, *line, master;
	bool found = false;

	if (file_read(&text, DEBUGFS_DRI "/%d/clients", dev->card) < 0)
		return otherwise;
	for (line = text; line && *line; line += !!line) {
		if (strcspn(line, "\n") > 20 &&
		    sscanf(line + 20, " %*d %*d %c", &master) == 1)
			found |= master == 'y';
		line = strchr(line, '\n');
	}
	free(text);
	return found;
}

/* Names of the clients, and whether one of them shows a picture. */
static bool get_users(const struct device *dev, char *names, size_t size)
{
	struct client_list clients;
	bool primary = false;
	char text[64];

	*names = 0;
	client_get_all(dev, &clients);
	for (unsigned int i = 0; i < clients.count; i++) {
		snprintf(text, sizeof(text), "%s (process %d)",
			 clients.at[i].name, clients.at[i].pid);
		append(names, size, text);
		primary |= clients.at[i].primary;
	}
	client_free(&clients);
	return primary && has_master(dev, primary);
}

enum ctl_status handover_check(const struct ctl_args *args,
			       const struct device *dev, const char *purpose)
{
	char screens[NAMES_MAX], users[NAMES_MAX], other[NAMES_MAX];
	char question[NAMES_MAX];
	bool busy;

	if (!*dev->driver)
		return CTL_OK;
	get_screens(dev, screens, sizeof(screens));
	get_other_losses(dev, other, sizeof(other));
	busy = get_users(dev, users, sizeof(users));
	if (busy && *screens && !ctl_flag(args, "force"))
		return ctl_fail(CTL_REFUSED,
				"end these programs, or add --force",
				"the screen of %s (%s) is in use by %s",
				dev->address, screens, users);
	if (!args->json) {
		printf("%s is driven by %s.\n", dev->address, dev->driver);
		if (*screens)
			printf("  Its screen (%s) goes dark until the next driver sets a mode.\n",
			       screens);
		if (*other)
			printf("  What depends on it ends: %s.\n", other);
		if (*users)
			printf("  Programs that have it open lose it: %s.\n",
			       users);
		fflush(stdout);
	}
	if (ctl_flag(args, "yes"))
		return CTL_OK;
	if (!isatty(STDIN_FILENO))
		return ctl_fail(CTL_REFUSED, "add --yes",
				"there is no terminal to ask on whether to %s",
				purpose);
	snprintf(question, sizeof(question), "Really %s?", purpose);
	if (!ctl_ask(question))
		return ctl_fail(CTL_REFUSED, NULL, "nothing was changed");
	return CTL_OK;
}

/* Open the kernel log after its last message. */
static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Get the first new message of the kernel about the device, without its prefix. */
static void read_log(int fd, const struct device *dev, char *text, size_t size)
{
	char record[1024], *message;
	ssize_t length;

	*text = 0;
	while ((length = read(fd, record, sizeof(record) - 1)) > 0 ||
	       (length < 0 && errno == EPIPE)) {
		record[length > 0 ? length : 0] = 0;
		message = strchr(record, ';');
		/* Only warnings and errors */
		if (*text || !message || strtoul(record, NULL, 10) % 8 > 4 ||
		    !strstr(message, dev->address))
			continue;
		message[strcspn(message, "\n")] = 0;
		snprintf(text, size, "%s", message + 1);
	}
	if (fd >= 0)
		close(fd);
}

static int set_override(const struct device *dev, const char *driver)
{
	/* An empty line removes it. */
	return file_write(*driver ? driver : "\n",
			  SYSFS_PCI "/devices/%s/driver_override",
			  dev->address);
}

static int release(const struct device *dev)
{
	if (!*dev->driver)
		return 0;
	return file_write(dev->address, SYSFS_PCI "/drivers/%s/unbind",
			  dev->driver);
}

/* Let @driver, and no other, probe the device. */
static bool probe(struct device *dev, const char *driver)
{
	set_override(dev, driver);
	file_write(dev->address, SYSFS_PCI "/drivers_probe");
	return device_update(dev) && !strcmp(dev->driver, driver);
}

static enum ctl_status restore(struct device *dev, const struct device *old,
			       const char *driver, const char *reason)
{
	bool restored = !*old->driver || probe(dev, old->driver);

	set_override(dev, old->override);
	device_update(dev);
	if (!restored)
		return ctl_fail(
			CTL_FAILED, "reboot, or load the driver's module again",
			"%s did not take %s (%s), and %s does not take it back",
			driver, dev->address,
			*reason ? reason : "no reason in the kernel log",
			old->driver);
	return ctl_fail(CTL_FAILED, "ferryctl doctor",
			"%s did not take %s: %s; it is back with %s", driver,
			dev->address,
			*reason ? reason : "no reason in the kernel log",
			*old->driver ? old->driver : "no driver");
}

enum ctl_status handover(struct device *dev, const char *driver, bool keep)
{
	struct device old = *dev;
	char reason[512];
	int log, err;

	err = set_override(dev, driver);
	if (err)
		return ctl_fail(
			CTL_FAILED, "ferryctl doctor",
			"%s: the file driver_override cannot be written: %s",
			dev->address, strerror(-err));
	err = release(dev);
	if (err) {
		set_override(dev, old.override);
		return ctl_fail(CTL_FAILED, "see the kernel log",
				"%s does not release %s: %s", old.driver,
				dev->address, strerror(-err));
	}
	if (*driver) {
		log = open_log();
		if (!probe(dev, driver)) {
			read_log(log, dev, reason, sizeof(reason));
			return restore(dev, &old, driver, reason);
		}
		if (log >= 0)
			close(log);
	}
	if (!keep)
		set_override(dev, "");
	device_update(dev);
	return CTL_OK;
}
