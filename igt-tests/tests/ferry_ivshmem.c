// SPDX-License-Identifier: MIT
/**
 * TEST: ferry ivshmem
 * Category: Core
 * Description: Shared memory of virtual machines is left alone until the user says what it is for
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Shared memory of virtual machines is left alone until the user says what it is for");

#define WANTED "vm/run --device bochs-display --device ivshmem-plain,size=64M"
#define DEVICES "/sys/bus/pci/devices/"

/* PCI address of the ivshmem device */
static char slot[NAME_MAX + 1];

static void find_device(void)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	char path[PATH_MAX], alias[32];
	int file;

	igt_assert(dir);
	while (!slot[0] && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), DEVICES "%s/modalias",
			 entry->d_name);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		memset(alias, 0, sizeof(alias));
		if (read(file, alias, sizeof(alias) - 1) > 0 &&
		    !strncmp(alias, "pci:v00001AF4d00001110", 22))
			snprintf(slot, sizeof(slot), "%s", entry->d_name);
		close(file);
	}
	closedir(dir);
	errno = 0;
	igt_require_f(slot[0] && strcmp(slot, igt_ferry_module_slot()),
		      "needs a second device: " WANTED "\n");
}

static bool is_bound(void)
{
	char path[PATH_MAX];
	bool bound;

	snprintf(path, sizeof(path), IGT_FERRY_DRIVER_DIR "/%s", slot);
	bound = access(path, F_OK) == 0;
	errno = 0;
	return bound;
}

static void override(const char *driver)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "%s/driver_override", slot);
	igt_ferry_must_write_file(path, driver);
}

/* Map the memory as a program does that shares it with another virtual machine. */
static uint64_t *map_memory(size_t size)
{
	char path[PATH_MAX];
	uint64_t *map;
	int file;

	snprintf(path, sizeof(path), DEVICES "%s/resource2", slot);
	file = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(file);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	igt_assert_f(map != MAP_FAILED, "%s: %s\n", path, strerror(errno));
	close(file);
	return map;
}

#define MEMORY_SIZE (1ul << 20)

static uint64_t word_at(size_t i)
{
	return i * 0x9e3779b97f4a7c15;
}

/**
 * SUBTEST: opt-in
 * Description: Without ivshmem= the memory keeps its bytes and can be mapped, and the log says what to do; with the device's address or driver_override ferry uses it
 */
static void test_opt_in(int fd)
{
	const size_t words = MEMORY_SIZE / sizeof(uint64_t);
	char options[320], text[320];
	uint64_t *map;
	int kmsg;

	find_device();
	close(fd);
	igt_ferry_module_unload();
	/* the device of the other tests stays usable */
	map = map_memory(MEMORY_SIZE);
	for (size_t i = 0; i < words; i++)
		map[i] = word_at(i);
	munmap(map, MEMORY_SIZE);

	kmsg = igt_ferry_kmsg_open();
	/* overrides what vm/run has set on the kernel's command line */
	igt_ferry_module_load("ivshmem=");
	igt_assert_f(!is_bound(), "%s is bound without ivshmem=\n", slot);
	snprintf(text, sizeof(text), "ivshmem=memory@%s", slot);
	igt_assert_f(igt_ferry_kmsg_has(kmsg, text),
		     "no log message has '%s'\n", text);
	close(kmsg);
	igt_ferry_module_check_works();
	map = map_memory(MEMORY_SIZE);
	for (size_t i = 0; i < words; i++)
		igt_assert_f(map[i] == word_at(i), "word %zu has changed\n", i);
	munmap(map, MEMORY_SIZE);

	override("ferry");
	igt_ferry_must_write_file("/sys/bus/pci/drivers_probe", slot);
	igt_assert_f(is_bound(), "%s is not bound with driver_override\n",
		     slot);
	override("\n");

	igt_ferry_module_unload();
	igt_ferry_module_load("ivshmem=memory@0000:ff:1f.7");
	igt_assert_f(!is_bound(), "%s is bound with another's address\n", slot);
	igt_ferry_module_unload();
	snprintf(options, sizeof(options),
		 "ivshmem=memory@0000:ff:1f.7,memory@%s", slot);
	igt_ferry_module_load(options);
	igt_assert_f(is_bound(), "%s is not bound with its address\n", slot);
	igt_ferry_module_unload();
	igt_ferry_module_load("ivshmem=memory");
	igt_assert_f(is_bound(), "%s is not bound with ivshmem=memory\n", slot);
}

/**
 * SUBTEST: invalid
 * Description: The module cannot be loaded with a value of ivshmem= that has no meaning
 */
static void test_invalid(int fd)
{
	static const char *const values[] = {
		"ivshmem=screen",	  "ivshmem=memory@",
		"ivshmem=memory,",	  "ivshmem=memory@0000:00:04.0,",
		"ivshmem=memory,,memory", "ivshmem=memory0000:00:04.0",
		"ivshmem=,memory",
	};

	close(fd);
	igt_ferry_module_unload();
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		igt_assert_f(igt_kmod_load("ferry", values[i]) == -EINVAL,
			     "the module can be loaded with %s\n", values[i]);
		igt_assert(!igt_kmod_is_loaded("ferry"));
	}
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "opt-in",
	  "Without ivshmem= the memory keeps its bytes and can be mapped, and the log says what to do; with the device's address or driver_override ferry uses it",
	  test_opt_in },
	{ "invalid",
	  "The module cannot be loaded with a value of ivshmem= that has no meaning",
	  test_invalid },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
