// SPDX-License-Identifier: MIT
/* See client.h. */

#include "client.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* A value such as "12 KiB" of fdinfo, in bytes. */
static uint64_t bytes(const char *text, const char *name)
{
	const char *value = file_field(text, name);
	char *unit;
	uint64_t number;

	if (!value)
		return 0;
	number = strtoull(value, &unit, 10);
	unit += strspn(unit, " ");
	return *unit == 'K' ? number << 10 :
	       *unit == 'M' ? number << 20 :
			      number;
}

static void add(struct client_list *list, const struct client *client)
{
	struct client *larger;

	for (unsigned int i = 0; i < list->count; i++)
		if (client->id ? list->at[i].id == client->id :
				 list->at[i].pid == client->pid)
			return;
	larger = realloc(list->at, (list->count + 1) * sizeof(*larger));
	if (!larger)
		return;
	list->at = larger;
	list->at[list->count++] = *client;
}

static void look_at(const struct device *dev, struct client_list *list,
		    const char *pid, const char *fd, bool primary)
{
	struct client client = { .pid = atoi(pid), .primary = primary };
	char *text, address[32];

	if (file_read(&text, "/proc/%s/fdinfo/%s", pid, fd) < 0)
		return;
	/* Other drivers have no fdinfo, and a node of this device is open. */
	file_field_copy(address, sizeof(address), text, "drm-pdev");
	if (!*address || !strcmp(address, dev->address)) {
		file_line(client.name, sizeof(client.name), "/proc/%s/comm",
			  pid);
		client.id = file_field_number(text, "drm-client-id");
		client.system = bytes(text, "drm-total-system");
		client.aperture = bytes(text, "drm-total-aperture");
		client.kept = bytes(text, "ferry-kept-system");
		client.copy_ns = file_field_number(text, "drm-engine-copy");
		add(list, &client);
	}
	free(text);
}

static void look_at_process(const struct device *dev, struct client_list *list,
			    const char *pid)
{
	char path[FILE_PATH_MAX], target[64], card[32], render[32];
	struct dirent *entry;
	ssize_t length;
	DIR *dir = opendir(file_path(path, "/proc/%s/fd", pid));

	if (!dir) {
		list->hidden += errno == EACCES;
		return;
	}
	snprintf(card, sizeof(card), "/dev/dri/card%d", dev->card);
	snprintf(render, sizeof(render), "/dev/dri/renderD%d", dev->render);
	while ((entry = readdir(dir))) {
		length = readlinkat(dirfd(dir), entry->d_name, target,
				    sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = 0;
		if ((dev->card >= 0 && !strcmp(target, card)) ||
		    (dev->render >= 0 && !strcmp(target, render)))
			look_at(dev, list, pid, entry->d_name,
				!strcmp(target, card));
	}
	closedir(dir);
}

void client_get_all(const struct device *dev, struct client_list *list)
{
	char path[FILE_PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(file_path(path, "/proc"));

	memset(list, 0, sizeof(*list));
	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at_process(dev, list, entry->d_name);
	if (dir)
		closedir(dir);
}

void client_free(struct client_list *list)
{
	free(list->at);
	memset(list, 0, sizeof(*list));
}
