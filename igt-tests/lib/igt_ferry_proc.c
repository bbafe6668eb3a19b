// SPDX-License-Identifier: MIT
#include <errno.h>

#include "igt.h"

#include "igt_ferry.h"

/**
 * igt_ferry_field - read a number from a file of /proc
 * @path: a file such as /proc/meminfo: lines of a name and its number
 * @field: the name
 *
 * Returns the number, or -1 if there is no such line.
 */
long igt_ferry_field(const char *path, const char *field)
{
	FILE *file = fopen(path, "r");
	size_t len = strlen(field);
	char line[256];
	long value = -1;

	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, len) &&
		    (line[len] == ':' || line[len] == ' '))
			value = strtol(line + len + 1, NULL, 10);
	fclose(file);
	return value;
}

/**
 * igt_ferry_smaps - read a field of one mapping from /proc/self/smaps
 * @map: an address in the mapping
 * @field: the name, such as "VmFlags"
 * @value: the rest of the field's line, without the newline
 * @size: bytes of @value
 */
void igt_ferry_smaps(const void *map, const char *field, char *value,
		     size_t size)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	size_t len = strlen(field);
	unsigned long start, end;
	char line[512];

	igt_assert(smaps);
	while (!found && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)map &&
				 (uintptr_t)map < end;
		else
			found = inside && !strncmp(line, field, len) &&
				line[len] == ':';
	}
	fclose(smaps);
	igt_assert_f(found, "smaps has no %s for %p\n", field, map);
	line[strcspn(line, "\n")] = '\0';
	snprintf(value, size, "%s", line + len + 1);
}
