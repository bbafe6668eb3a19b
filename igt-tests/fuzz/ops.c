// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ops_local.h"

/* Read a debugfs file of the device, or the fdinfo of a file. */

int op_look(const struct call *call)
{
	static const char *const names[] = { "ferry_bos",      "ferry_stats",
					     "ferry_aperture", "ferry_caching",
					     "ferry_dumb",     "framebuffer",
					     "state",	       "clients",
					     "gem_names" };
	char path[64], bytes[4096];
	int fd, ret;

	if (call->c & 0x80)
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
			 file_of(call));
	else
		snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/%s",
			 minor, names[call->c % 8]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	do {
		ret = read(fd, bytes, sizeof(bytes));
	} while (ret > 0);
	ret = done(ret);
	close(fd);
	return ret;
}

#define OP(name) { #name, op_##name, false },
#define MAPS(name) { #name, op_##name, true },
const struct op ops[] = {
	FOR_EACH_OP(OP, MAPS){ "race", NULL, false },
};
const unsigned int op_count = sizeof(ops) / sizeof(ops[0]);

int op_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < op_count; i++)
		if (!strcmp(ops[i].name, name))
			return i;
	return -1;
}
