// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <limits.h>

#include "igt.h"

#include "igt_ferry_footprint.h"
#include "igt_ferry_module.h"

/*
 * Limits for all cycles of a test together. Free memory varies by some megabytes by
 * itself; a BO or a shadow buffer leaked in each cycle is more than that.
 */
#define LEAK_KIB 16384
#define LEAK_SLAB_KIB 1024

static const struct {
	const char *path;
	const char *needle;
} files[IGT_FERRY_FOOTPRINT_FILES] = {
	{ "/proc/vmallocinfo", "[ferry]" },
	{ "/proc/vmallocinfo", "ioremap" },
	{ "/proc/iomem", "ferry" },
	{ "/proc/interrupts", NULL },
	{ "/proc/mtrr", NULL },
	{ "/sys/kernel/debug/x86/pat_memtype_list", NULL },
};

static const char *const directories[IGT_FERRY_FOOTPRINT_DIRECTORIES] = {
	"/sys/class/drm",	 "/sys/class/graphics", "/dev/dri",
	"/sys/kernel/debug/dri", "/sys/class/i2c-dev",	"/sys/class/vtconsole",
};

/**
 * igt_ferry_count_lines - count the lines of a file
 * @path: the file; one that does not exist has no lines
 * @needle: count only lines with this text, or NULL
 */
unsigned long igt_ferry_count_lines(const char *path, const char *needle)
{
	FILE *file = fopen(path, "r");
	unsigned long count = 0;
	char line[512];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!needle || strstr(line, needle))
			count++;
	fclose(file);
	return count;
}

/**
 * igt_ferry_count_entries - count the entries of a directory
 * @path: the directory; one that does not exist has no entries
 */
unsigned long igt_ferry_count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned long count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

void igt_ferry_footprint_get(struct igt_ferry_footprint *fp)
{
	igt_ferry_module_memory(&fp->available, &fp->slab);
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++)
		fp->lines[i] =
			igt_ferry_count_lines(files[i].path, files[i].needle);
	for (unsigned int i = 0; i < ARRAY_SIZE(directories); i++)
		fp->entries[i] = igt_ferry_count_entries(directories[i]);
}

/**
 * igt_ferry_footprint_check - assert that nothing was leaked between two moments
 *
 * Lines and entries are exact; memory may vary within limits.
 */
void igt_ferry_footprint_check(const struct igt_ferry_footprint *before,
			       const struct igt_ferry_footprint *after)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++)
		igt_assert_f(before->lines[i] == after->lines[i],
			     "%s: %lu lines%s%s, and %lu before\n",
			     files[i].path, after->lines[i],
			     files[i].needle ? " with " : "",
			     files[i].needle ?: "", before->lines[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(directories); i++)
		igt_assert_f(before->entries[i] == after->entries[i],
			     "%s: %lu entries, and %lu before\n",
			     directories[i], after->entries[i],
			     before->entries[i]);
	igt_info("%+ld KiB available, %+ld KiB of slabs\n",
		 after->available - before->available,
		 after->slab - before->slab);
	igt_assert_lt(before->available - after->available, LEAK_KIB);
	/*
	 * The sanitizers keep freed objects and their records in slabs. On such a
	 * kernel kmemleak reports each leaked object after the test instead.
	 */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		igt_assert_lt(after->slab - before->slab, LEAK_SLAB_KIB);
}

/**
 * igt_ferry_footprint_check_none - assert that ferry has no BAR region and no mapping
 *
 * Does nothing if another device is bound to ferry: its resources would be counted.
 */
void igt_ferry_footprint_check_none(void)
{
	char other[NAME_MAX + 1];

	if (igt_ferry_module_find_other(other, sizeof(other)))
		return;
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]"),
			  0);
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/iomem", "ferry"), 0);
}
