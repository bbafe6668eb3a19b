// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <limits.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_inject.h"
#include "igt_ferry_module.h"

/*
 * The kinds of failures, and settings that allow them where the kernel may sleep.
 * A report for each would look like a fault of the kernel.
 */
static const char *const faults[] = { "failslab", "fail_page_alloc",
				      "fail_usercopy" };
static const struct {
	const char *file;
	const char *value;
} settings[] = {
	{ "ignore-gfp-wait", "N" },   { "ignore-gfp-highmem", "N" },
	{ "min-order", "0" },	      { "verbose", "0" },
	{ "stacktrace-depth", "32" },
};

static int nth_file = -1;

static bool write_fault(const char *fault, const char *file, const char *value)
{
	char path[PATH_MAX];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", fault, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false; /* not each kind has each setting */
	done = write(fd, value, strlen(value)) > 0;
	close(fd);
	return done;
}

static void set_range(uint64_t first, uint64_t end)
{
	char text[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		snprintf(text, sizeof(text), "%#" PRIx64, end);
		igt_assert(write_fault(faults[i], "require-end", text));
		snprintf(text, sizeof(text), "%#" PRIx64, first);
		igt_assert(write_fault(faults[i], "require-start", text));
	}
}

/* Find a function of the kernel. Returns false if there is none of this name. */
static bool find_function(const char *function, uint64_t *first, uint64_t *end)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[256];
	uint64_t address;

	*first = 0;
	*end = UINT64_MAX;
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %*c %255s", &address, name) != 2)
			continue;
		if (!strcmp(name, function))
			*first = address;
	}
	rewind(file);
	while (*first && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64, &address) == 1 &&
		    address > *first && address < *end)
			*end = address;
	fclose(file);
	return *first;
}

/**
 * igt_ferry_inject_spare - let no call fail that has @function in its stack
 * @function: name of a function of the kernel; replaces the one before
 */
void igt_ferry_inject_spare(const char *function)
{
	uint64_t first, end;
	char text[32];

	if (!find_function(function, &first, &end))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		snprintf(text, sizeof(text), "%#" PRIx64, first);
		igt_assert(write_fault(faults[i], "reject-start", text));
		snprintf(text, sizeof(text), "%#" PRIx64, end);
		igt_assert(write_fault(faults[i], "reject-end", text));
	}
}

/**
 * igt_ferry_inject_only - let only calls fail that have @function in their stack
 * @function: name of a function of the kernel
 *
 * Until igt_ferry_inject_modules() or igt_ferry_inject_anywhere().
 */
void igt_ferry_inject_only(const char *function)
{
	uint64_t first, end;

	igt_assert_f(find_function(function, &first, &end),
		     "the kernel has no function %s\n", function);
	set_range(first, end);
}

/**
 * igt_ferry_inject_anywhere - end what igt_ferry_inject_modules() began
 */
void igt_ferry_inject_anywhere(void)
{
	set_range(0, UINT64_MAX);
}

/**
 * igt_ferry_inject_modules - let only calls fail that have a module in their stack
 *
 * ferry, TTM and the DRM core are modules. Other allocations of the kernel, such as
 * those for the file that a test writes to, do not belong to ferry.
 */
void igt_ferry_inject_modules(void)
{
	uint64_t first = UINT64_MAX, end = 0, base;
	FILE *file = fopen("/proc/modules", "r");
	unsigned long size;
	char line[512];

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, " 0x");

		if (!at || sscanf(line, "%*s %lu", &size) != 1)
			continue;
		base = strtoull(at, NULL, 16);
		first = base < first ? base : first;
		end = base + size > end ? base + size : end;
	}
	fclose(file);
	igt_require_f(first && first < end,
		      "addresses of modules are hidden: be root\n");
	set_range(first, end);
}

static void faults_off(int sig)
{
	(void)sig;
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		write_fault(faults[i], "require-start", "0");
		write_fault(faults[i], "require-end", "0xffffffffffffffff");
		write_fault(faults[i], "reject-start", "0");
		write_fault(faults[i], "reject-end", "0");
		write_fault(faults[i], "ignore-gfp-wait", "Y");
		write_fault(faults[i], "probability", "0");
	}
}

/**
 * igt_ferry_inject_init - prepare fault injection, or skip without it
 */
void igt_ferry_inject_init(void)
{
	nth_file = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	igt_require_f(
		nth_file >= 0,
		"this kernel has no fault injection: make test KERNEL=debug\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		igt_require_f(
			write_fault(faults[i], "stacktrace-depth", "32"),
			"/sys/kernel/debug/%s: %s (CONFIG_FAULT_INJECTION_STACKTRACE_FILTER, ..._DEBUG_FS)\n",
			faults[i], strerror(errno));
		for (unsigned int k = 0; k < ARRAY_SIZE(settings); k++)
			write_fault(faults[i], settings[k].file,
				    settings[k].value);
	}
	igt_install_exit_handler(faults_off);
	igt_ferry_inject_spare(IGT_FERRY_INJECT_BUDDY);
	errno = 0;
}

/**
 * igt_ferry_inject_arm - let one call of this thread fail
 * @nth: number of the call, from 1
 */
void igt_ferry_inject_arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	igt_assert_eq(pwrite(nth_file, text, len, 0), len);
}

/**
 * igt_ferry_inject_disarm - end fault injection
 *
 * Returns true if the call has failed, which is otherwise still to come.
 */
bool igt_ferry_inject_disarm(void)
{
	char text[16] = "";
	int err = errno;

	igt_assert_lt(0, pread(nth_file, text, sizeof(text) - 1, 0));
	igt_assert_eq(pwrite(nth_file, "0", 1, 0), 1);
	errno = err;
	return atoi(text) == 0;
}

/**
 * igt_ferry_inject_first - number of the call that fails first
 *
 * FERRY_NTH in the environment sets it, to repeat one call of a long operation.
 */
unsigned int igt_ferry_inject_first(void)
{
	const char *first = getenv("FERRY_NTH");

	return first ? strtoul(first, NULL, 10) : 1;
}

#define PAGES "fail_page_alloc"

/**
 * igt_ferry_inject_starve - let all allocations of pages fail that this thread makes in modules
 * @on: start or end it
 */
void igt_ferry_inject_starve(bool on)
{
	igt_ferry_must_write_file("/proc/self/make-it-fail", on ? "1" : "0");
	igt_assert(write_fault(PAGES, "task-filter", on ? "Y" : "N"));
	igt_assert(write_fault(PAGES, "times", on ? "-1" : "1"));
	igt_assert(write_fault(PAGES, "probability", on ? "100" : "0"));
}
