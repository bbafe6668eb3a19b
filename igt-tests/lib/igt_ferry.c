// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "igt.h"

#include "igt_ferry.h"

static bool is_driver(int fd, const char *driver)
{
	drmVersionPtr version = drmGetVersion(fd);
	bool match = version && !strcmp(version->name, driver);

	drmFreeVersion(version);
	return match;
}

bool igt_ferry_is_device(int fd)
{
	return is_driver(fd, "ferry");
}

/* To find a device, IGT itself would load every driver that it knows. */
bool igt_ferry_is_present(void)
{
	int fd = igt_ferry_open_driver("ferry", -1);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/**
 * igt_ferry_open - open the first ferry device, or the device that --device selects
 *
 * Skip if there is none.
 */
int igt_ferry_open(void)
{
	int fd;

	errno = 0;
	igt_require_f(igt_ferry_is_present(),
		      "no /dev/dri/card* belongs to the driver ferry: "
		      "load ferry.ko and read the kernel log\n");
	__set_forced_driver("ferry");
	fd = __drm_open_driver(DRIVER_ANY);
	igt_require_f(fd >= 0, "the device filter matches no ferry device\n");
	igt_require_f(igt_ferry_is_device(fd),
		      "the device is not driven by ferry\n");
	errno = 0;
	return fd;
}

/**
 * igt_ferry_reopen - open the device node of @fd again, as another client
 */
int igt_ferry_reopen(int fd, int flags)
{
	char path[64];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, flags | O_CLOEXEC);
	igt_assert_f(other >= 0, "opening the device again: %s\n",
		     strerror(errno));
	return other;
}

static void unmap_all(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[PATH_MAX];

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/dev/dri/") && !strstr(line, "/dmabuf:"))
			continue;
		igt_assert_eq(sscanf(line, "%lx-%lx", &start, &end), 2);
		munmap((void *)start, end - start);
	}
	fclose(maps);
}

/**
 * igt_ferry_clean - close the files and remove the mappings that a failed subtest left
 * @keep: file that stays open, or -1
 *
 * BOs that are left would use memory, and change the counters, of later subtests.
 */
void igt_ferry_clean(int keep)
{
	char target[PATH_MAX];
	struct dirent *entry;
	bool found;
	DIR *dir;

	unmap_all();
	/* start again after each close(), which changes the directory */
	do {
		found = false;
		dir = opendir("/proc/self/fd");
		igt_assert(dir);
		while (!found && (entry = readdir(dir))) {
			ssize_t len = readlinkat(dirfd(dir), entry->d_name,
						 target, sizeof(target) - 1);
			int fd = atoi(entry->d_name);

			if (len <= 0 || fd == keep)
				continue;
			target[len] = '\0';
			found = !strncmp(target, "/dev/dri/", 9) ||
				!strncmp(target, "/dmabuf:", 8);
			if (found)
				close(fd);
		}
		closedir(dir);
	} while (found);
	errno = 0;
}

/**
 * igt_ferry_begin - clean, and open a new client for a subtest
 * @keep: file that stays open while the program runs
 */
int igt_ferry_begin(int keep)
{
	igt_ferry_clean(keep);
	return igt_ferry_reopen(keep, O_RDWR);
}

static void run_test_of_kind(const struct igt_ferry_test *test,
			     const struct igt_ferry_kind *kind,
			     int (*begin)(int keep), int keep)
{
	igt_describe(test->describe);
	igt_subtest_f("%s-%s", test->name, kind->name)
	{
		if (test->run_pages)
			test->run_pages(begin(keep), kind, test->pages);
		else
			test->run_kind(begin(keep), kind);
	}

	if (!test->huge_pages)
		return;
	igt_describe(test->describe);
	igt_subtest_f("%s-huge-%s", test->name, kind->name)
		test->run_pages(begin(keep), kind, test->huge_pages);
}

/**
 * __igt_ferry_run_tests - run a table of subtests
 * @tests: the table; ends in a NULL name
 * @begin: open the client for a subtest
 * @keep: argument of @begin
 */
void __igt_ferry_run_tests(const struct igt_ferry_test *tests,
			   int (*begin)(int keep), int keep)
{
	for (const struct igt_ferry_test *test = tests; test->name; test++) {
		const struct igt_ferry_kind *kind = test->kinds;

		if (!kind) {
			igt_describe(test->describe);
			igt_subtest(test->name) test->run(begin(keep));
			continue;
		}
		for (; kind->name; kind++)
			run_test_of_kind(test, kind, begin, keep);
	}
}

/**
 * igt_ferry_run_tests - run a table of subtests, each with a new client
 * @fd: a file of the device that stays open while the program runs
 * @tests: the table; ends in a NULL name
 */
void igt_ferry_run_tests(int fd, const struct igt_ferry_test *tests)
{
	__igt_ferry_run_tests(tests, igt_ferry_begin, fd);
}

/**
 * igt_ferry_slower - the factor by which a kernel is slower than usual
 *
 * For limits in time. vm/test sets FERRY_SLOWER for the sanitizer kernels.
 */
unsigned int igt_ferry_slower(void)
{
	const char *factor = getenv("FERRY_SLOWER");

	return factor ? strtoul(factor, NULL, 10) : 1;
}

/**
 * igt_ferry_open_render - open the render node of the device, or return -1 if it has none
 */
int igt_ferry_open_render(int fd)
{
	char *name = drmGetRenderDeviceNameFromFd(fd);
	int render;

	errno = 0;
	if (!name)
		return -1;
	render = open(name, O_RDWR | O_CLOEXEC);
	igt_assert_f(render >= 0, "%s: %s\n", name, strerror(errno));
	free(name);
	return render;
}

/**
 * igt_ferry_open_driver - open the first DRM device of a driver, or return -1
 * @driver: name of the driver
 * @except: a file of a device to leave out, or -1
 */
int igt_ferry_open_driver(const char *driver, int except)
{
	char path[64], slot[64] = "", other[64];

	if (except >= 0)
		igt_ferry_pci_slot(except, slot, sizeof(slot));
	for (int i = 0; i < 16; i++) {
		bool found;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		found = is_driver(fd, driver);
		if (found && except >= 0) {
			igt_ferry_pci_slot(fd, other, sizeof(other));
			found = strcmp(slot, other);
		}
		if (found) {
			errno = 0;
			return fd;
		}
		close(fd);
	}
	errno = 0;
	return -1;
}

void igt_ferry_require_display(int fd)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	igt_require_f(query.features & DRM_FERRY_FEATURE_DISPLAY,
		      "this device has no display: it is render-only\n");
}

/**
 * igt_ferry_pci_slot - write the PCI address of the device, such as 0000:00:02.0, to @slot
 */
void igt_ferry_pci_slot(int fd, char *slot, size_t size)
{
	char path[64], target[PATH_MAX];
	struct stat st;
	ssize_t len;

	igt_assert_eq(fstat(fd, &st), 0);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	len = readlink(path, target, sizeof(target) - 1);
	igt_assert_f(len > 0, "%s: %s\n", path, strerror(errno));
	target[len] = '\0';
	snprintf(slot, size, "%s", basename(target));
}

static const char *find_stat(const char *stats, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = stats; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) &&
		    (line[len] == ' ' || line[len] == ':'))
			return line + len + 1;
	}
	return NULL;
}

/**
 * igt_ferry_stats - read several counters at the same moment
 * @names: names of the counters in debugfs ferry_stats
 * @values: their values
 * @count: number of @names and of @values
 */
void igt_ferry_stats(int fd, const char *const *names, uint64_t *values,
		     unsigned int count)
{
	char stats[4096];
	int dir, bytes;

	dir = igt_debugfs_dir(fd);
	igt_assert_f(dir >= 0, "no debugfs: is it mounted?\n");
	bytes = igt_debugfs_simple_read(dir, "ferry_stats", stats,
					sizeof(stats) - 1);
	close(dir);
	igt_assert_f(bytes > 0, "no ferry_stats in debugfs\n");
	stats[bytes] = '\0';
	for (unsigned int i = 0; i < count; i++) {
		const char *value = find_stat(stats, names[i]);

		igt_assert_f(value, "no counter '%s' in debugfs ferry_stats\n",
			     names[i]);
		values[i] = strtoull(value, NULL, 10);
	}
}

uint64_t igt_ferry_stat(int fd, const char *name)
{
	uint64_t value;

	igt_ferry_stats(fd, &name, &value, 1);
	return value;
}

/* Wait for a counter: the kernel may free a BO some time after its last reference was put. */
void igt_ferry_wait_stat(int fd, const char *name, uint64_t value)
{
	struct timespec start = {};
	uint64_t now;

	do {
		now = igt_ferry_stat(fd, name);
		if (now == value)
			return;
		usleep(20000);
	} while (igt_seconds_elapsed(&start) < 10);
	igt_assert_f(now == value,
		     "%s is %" PRIu64 " and should be %" PRIu64 "\n", name, now,
		     value);
}

uint64_t igt_ferry_aperture_free(int fd)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	return query.aperture_free;
}

void igt_ferry_bar_get(int fd, struct igt_ferry_bar *bar)
{
	int dir = igt_debugfs_dir(fd), len;
	char buf[4096], *at;

	igt_assert_f(dir >= 0, "no debugfs: is it mounted?\n");
	len = igt_debugfs_simple_read(dir, "ferry_aperture", buf,
				      sizeof(buf) - 1);
	close(dir);
	igt_assert(len > 0);
	buf[len] = '\0';
	at = strstr(buf, "bar ");
	igt_assert(at);
	igt_assert_eq(sscanf(at, "bar %d base %" SCNx64 " size %" SCNu64,
			     &bar->number, &bar->base, &bar->size),
		      3);
	errno = 0;
}
