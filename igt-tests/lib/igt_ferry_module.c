// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

#define BREAK "ferry_break"

static char module_slot[64];

/* Write to a file of the kernel. Return 0 or -errno. */
int igt_ferry_write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (file < 0)
		return -errno;
	if (write(file, text, strlen(text)) < 0)
		err = -errno;
	close(file);
	return err;
}

void igt_ferry_must_write_file(const char *path, const char *text)
{
	int err = igt_ferry_write_file(path, text);

	igt_assert_f(!err, "writing %s: %s\n", path, strerror(-err));
}

const char *igt_ferry_module_slot(void)
{
	return module_slot;
}

bool igt_ferry_module_is_bound(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), IGT_FERRY_DRIVER_DIR "/%s", module_slot);
	return access(path, F_OK) == 0;
}

int igt_ferry_module_unbind(void)
{
	return igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/unbind",
				    module_slot);
}

int igt_ferry_module_bind(void)
{
	return igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/bind", module_slot);
}

void igt_ferry_module_must_unbind(void)
{
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_assert(!igt_ferry_module_is_bound());
}

void igt_ferry_module_must_bind(void)
{
	igt_assert_eq(igt_ferry_module_bind(), 0);
	igt_assert(igt_ferry_module_is_bound());
}

/**
 * igt_ferry_module_find_other - find another device that is bound to ferry
 * @slot: its PCI address
 * @size: bytes of @slot
 */
bool igt_ferry_module_find_other(char *slot, size_t size)
{
	DIR *dir = opendir(IGT_FERRY_DRIVER_DIR);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = strchr(entry->d_name, ':') &&
			strcmp(entry->d_name, module_slot);
		if (found)
			snprintf(slot, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Open the device, which must be bound. */
int igt_ferry_module_open(void)
{
	int fd;

	igt_assert(igt_ferry_module_is_bound());
	fd = igt_ferry_open();
	igt_assert_fd(fd);
	return fd;
}

/* Create, write, move and verify BOs of all kinds. */
void igt_ferry_module_exercise(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		igt_ferry_bo_init(&bo, fd, 300 * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		igt_ferry_bo_check(&bo);
		ferry_bo_migrate(fd, bo.handle, SYSTEM);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
}

/* Assert that the device is bound and that a new client can use it. */
void igt_ferry_module_check_works(void)
{
	int fd = igt_ferry_module_open();

	igt_ferry_module_exercise(fd);
	close(fd);
}

/* Skip if the module cannot be unloaded. */
void igt_ferry_module_require(void)
{
	igt_require_f(
		access(IGT_FERRY_DRIVER_DIR "/unbind", W_OK) == 0,
		"the device cannot be unbound: be root, with ferry as a module\n");
}

/* A framebuffer console holds a reference to the module. */
void igt_ferry_module_unbind_consoles(void)
{
	char path[PATH_MAX], name[64];

	for (int i = 0; i < 8; i++) {
		int file;

		snprintf(path, sizeof(path),
			 "/sys/class/vtconsole/vtcon%d/name", i);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (read(file, name, sizeof(name) - 1) > 0 &&
		    strstr(name, "frame buffer")) {
			snprintf(path, sizeof(path),
				 "/sys/class/vtconsole/vtcon%d/bind", i);
			igt_ferry_write_file(path, "0");
		}
		close(file);
	}
}

void igt_ferry_module_unload(void)
{
	int err;

	igt_ferry_module_unbind_consoles();
	/* udev may have a new device open for a moment */
	for (int i = 0; i < 50; i++) {
		err = igt_kmod_unload("ferry", 0);
		if (!err)
			break;
		usleep(100000);
	}
	igt_assert_f(!err, "unloading ferry: %s\n", strerror(-err));
	igt_assert(!igt_kmod_is_loaded("ferry"));
}

void igt_ferry_module_load(const char *options)
{
	int err = igt_kmod_load("ferry", options);

	igt_assert_f(!err, "loading ferry: %s\n", strerror(-err));
}

void igt_ferry_module_restore(void)
{
	if (igt_kmod_is_loaded(BREAK))
		syscall(SYS_delete_module, BREAK, O_NONBLOCK);
	if (!module_slot[0] || igt_ferry_module_is_bound())
		return;
	if (igt_kmod_is_loaded("ferry") && !igt_ferry_module_bind())
		return;
	/* a parameter of the module may have made the probe fail */
	igt_kmod_unload("ferry", 0);
	igt_kmod_load("ferry", "");
	if (!igt_ferry_module_is_bound())
		igt_ferry_module_bind();
}

static void restore_at_exit(int sig)
{
	(void)sig;
	igt_ferry_module_restore();
}

/**
 * igt_ferry_module_begin - record the PCI address of the device, and restore it at exit
 */
void igt_ferry_module_begin(int fd)
{
	igt_ferry_pci_slot(fd, module_slot, sizeof(module_slot));
	igt_install_exit_handler(restore_at_exit);
}

static int module_test_begin(int keep)
{
	igt_ferry_clean(keep);
	igt_ferry_module_restore();
	return igt_ferry_module_open();
}

/**
 * igt_ferry_module_run_tests - run a table of subtests that unload or unbind the driver
 * @fd: a file of the device, which is closed before the first subtest
 * @tests: the table; ends in a NULL name
 *
 * Each subtest has a new client. It closes the file before it unloads the module. No
 * other file of the device may be open. Subtests of another table run before this one.
 */
void igt_ferry_module_run_tests(int fd, const struct igt_ferry_test *tests)
{
	igt_fixture
	{
		igt_ferry_module_begin(fd);
		close(fd);
		igt_ferry_module_require();
	}

	__igt_ferry_run_tests(tests, module_test_begin, -1);
}

/**
 * igt_ferry_module_start_over - reload the module without parameters
 */
void igt_ferry_module_start_over(void)
{
	if (igt_kmod_is_loaded("ferry"))
		igt_ferry_module_unload();
	igt_ferry_module_restore();
	igt_assert(igt_ferry_module_is_bound());
}

/**
 * igt_ferry_module_reload - load the module again with other parameters
 * @fd: a file of the device, which is closed
 * @options: the parameters
 *
 * Return: a file of the device.
 */
int igt_ferry_module_reload(int fd, const char *options)
{
	close(fd);
	igt_ferry_module_unload();
	igt_ferry_module_load(options);
	return igt_ferry_module_open();
}

/**
 * igt_ferry_module_check_refused - check that a parameter keeps the device from being bound
 * @fd: a file of the device, which is closed
 * @options: the parameter, with a value that the driver refuses
 * @message: what the kernel log must say
 */
void igt_ferry_module_check_refused(int fd, const char *options,
				    const char *message)
{
	int kmsg;

	close(fd);
	igt_ferry_module_unload();
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load(options);
	igt_assert(!igt_ferry_module_is_bound());
	igt_assert(igt_ferry_kmsg_has(kmsg, message));
	close(kmsg);
	igt_ferry_module_start_over();
}

/**
 * igt_ferry_module_cycles - number of times that a test unbinds and rebinds the device
 * @usual: the number, unless FERRY_CYCLES is set in the environment
 */
unsigned int igt_ferry_module_cycles(unsigned int usual)
{
	const char *wanted = getenv("FERRY_CYCLES");

	if (wanted)
		usual = strtoul(wanted, NULL, 10);
	igt_info("%u cycles\n", usual);
	return usual;
}

/**
 * igt_ferry_module_memory - read the KiB of available memory and of unreclaimable slabs
 *
 * A leak in each of many cycles shows in the difference.
 */
void igt_ferry_module_memory(long *available, long *slab)
{
	/* wait for RCU callbacks and workqueues that free memory */
	usleep(500000);
	sync();
	igt_ferry_write_file("/proc/sys/vm/drop_caches", "3");
	*available = igt_ferry_field("/proc/meminfo", "MemAvailable");
	*slab = igt_ferry_field("/proc/meminfo", "SUnreclaim");
}

/**
 * igt_ferry_test_module_load - load a test module, which igt-tests/kmod/build has built
 * @name: its name
 * @options: its parameters
 *
 * Skip if the module is not built for this kernel. Its place is relative to this program.
 */
void igt_ferry_test_module_load(const char *name, const char *options)
{
	char self[PATH_MAX], path[2 * PATH_MAX];
	struct utsname kernel;
	ssize_t len;
	int file;

	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	igt_assert(len > 0);
	self[len] = '\0';
	uname(&kernel);
	snprintf(path, sizeof(path), "%s/../module/%s-igt/%s.ko", dirname(self),
		 kernel.release, name);
	file = open(path, O_RDONLY | O_CLOEXEC);
	igt_require_f(
		file >= 0,
		"no %s: build it for this kernel with igt-tests/kmod/build\n",
		path);
	igt_assert_f(!syscall(SYS_finit_module, file, options, 0),
		     "%s %s: %s\n", name, options, strerror(errno));
	close(file);
}

/* Load ferry_break, whose parameters say what it breaks. */
void igt_ferry_break_load(const char *options)
{
	igt_ferry_test_module_load(BREAK, options);
}

/**
 * igt_ferry_break_delay - load ferry_break to delay each return of a function of the kernel
 * @function: name of the function
 * @ms: for how many milliseconds
 * @thread: thread that is delayed, or 0 for all
 * @times: number of calls that are delayed, or 0 for all
 */
void igt_ferry_break_delay(const char *function, unsigned int ms, pid_t thread,
			   unsigned int times)
{
	char options[128];

	/* a subtest that failed may have left ferry_break loaded */
	igt_ferry_module_restore();
	snprintf(options, sizeof(options), "delay=%s ms=%u pid=%d times=%u",
		 function, ms, thread, times);
	igt_ferry_break_load(options);
}

void igt_ferry_break_unload(void)
{
	igt_assert_f(!syscall(SYS_delete_module, BREAK, O_NONBLOCK),
		     "unloading " BREAK ": %s\n", strerror(errno));
}
