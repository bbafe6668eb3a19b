// SPDX-License-Identifier: MIT
/**
 * TEST: ferry claim
 * Category: Core
 * Description: Memory type of the aperture: the request, its effect, and other mappings of the BAR
 */
#include <fcntl.h>
#include <limits.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sample.h"

IGT_TEST_DESCRIPTION(
	"Memory type of the aperture: the request, its effect, and other mappings of the BAR");

/* Assert that all reservations of PAT for the aperture are of a memory type. */
static void check_tracked(int fd, const char *type)
{
	FILE *file = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	struct igt_ferry_bar bar;
	unsigned int found = 0;
	char line[256];

	igt_ferry_bar_get(fd, &bar);
	igt_require_f(file, "no pat_memtype_list in debugfs: PAT is off\n");
	while (fgets(line, sizeof(line), file)) {
		uint64_t start, end;
		char tracked[32];

		if (sscanf(line, "PAT: [mem 0x%" SCNx64 "-0x%" SCNx64 "] %31s",
			   &start, &end, tracked) != 3 ||
		    start >= bar.base + bar.size || end <= bar.base)
			continue;
		igt_assert_f(!strcmp(tracked, type), "not %s: %s", type, line);
		found++;
	}
	fclose(file);
	igt_assert_f(found, "PAT does not track the aperture\n");
	errno = 0;
}

/* Assert that the query, the audit and PAT have the same memory types for the aperture. */
static void check_effective(int fd)
{
	struct drm_ferry_device_query query;
	struct igt_ferry_audit audit;

	ferry_device_query(fd, &query);
	igt_ferry_audit_clean(fd, &audit);
	igt_info("requested %s, effective %s\n", audit.requested,
		 audit.effective);
	igt_assert(!strcmp(audit.effective,
			   igt_ferry_memtype_name(query.aperture_memtype)));
	igt_assert(!strcmp(
		audit.requested,
		igt_ferry_memtype_name(query.aperture_memtype_requested)));
	igt_assert(!strcmp(audit.kernel, audit.effective));
	if (strcmp(audit.tracked, "off")) {
		igt_assert(!strcmp(audit.tracked, audit.effective));
		check_tracked(fd, audit.effective);
	}
}

/**
 * SUBTEST: effective
 * Description: The effective memory type is that which PAT tracks, and that of the mapping of the kernel
 */
static void test_effective(int fd)
{
	check_effective(fd);
	igt_ferry_audit_samples(fd);
	check_effective(fd);
}

/* Load ferry with the parameter aperture_memtype; @memtype: what it requests, or -1. */
static void check_parameter(int fd, const char *name, int memtype)
{
	struct drm_ferry_device_query query;
	char options[64], text[128];
	bool logged;
	int kmsg;

	close(fd);
	igt_ferry_module_unload();
	kmsg = igt_ferry_kmsg_open();
	snprintf(options, sizeof(options), "aperture_memtype=%s", name);
	igt_ferry_module_load(options);
	fd = igt_ferry_open();
	ferry_device_query(fd, &query);
	if (memtype >= 0)
		igt_assert_eq_u32(query.aperture_memtype_requested, memtype);
	snprintf(text, sizeof(text), "requested %s, effective %s: ",
		 igt_ferry_memtype_name(query.aperture_memtype_requested),
		 igt_ferry_memtype_name(query.aperture_memtype));
	logged = igt_ferry_kmsg_has(kmsg, text);
	igt_assert_eq(logged, query.aperture_memtype !=
				      query.aperture_memtype_requested);
	close(kmsg);
	check_effective(fd);
	igt_ferry_audit_samples(fd);
	close(fd);
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: parameter-auto
 * Description: All mappings of the aperture have the memory type that is requested, or the log says why not
 */
static void test_parameter_auto(int fd)
{
	check_parameter(fd, "auto", -1);
}

/**
 * SUBTEST: parameter-wc
 * Description: All mappings of the aperture have the memory type that is requested, or the log says why not
 */
static void test_parameter_wc(int fd)
{
	check_parameter(fd, "wc", DRM_FERRY_MEMTYPE_WC);
}

/**
 * SUBTEST: parameter-uc
 * Description: All mappings of the aperture have the memory type that is requested, or the log says why not
 */
static void test_parameter_uc(int fd)
{
	check_parameter(fd, "uc", DRM_FERRY_MEMTYPE_UC_MINUS);
}

/**
 * SUBTEST: parameter-wb
 * Description: All mappings of the aperture have the memory type that is requested, or the log says why not
 */
static void test_parameter_wb(int fd)
{
	check_parameter(fd, "wb", DRM_FERRY_MEMTYPE_WB);
}

/**
 * SUBTEST: parameter-bogus
 * Description: A memory type that does not exist makes the probe fail, and the log lists the valid ones
 */
static void test_parameter_bogus(int fd)
{
	static const char *const bad[] = { "bogus", "WC", "wcx", "2" };

	close(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		char options[64], text[128];
		int kmsg;

		igt_ferry_module_unload();
		kmsg = igt_ferry_kmsg_open();
		snprintf(options, sizeof(options), "aperture_memtype=%s",
			 bad[i]);
		igt_ferry_module_load(options);
		igt_assert_f(!igt_ferry_module_is_bound(), "%s was accepted\n",
			     options);
		snprintf(text, sizeof(text),
			 "aperture_memtype=%s is not auto, wb, wc or uc",
			 bad[i]);
		igt_assert_f(igt_ferry_kmsg_has(kmsg, text),
			     "the log does not have: %s\n", text);
		close(kmsg);
	}
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: claimed-first
 * Description: If the BAR was mapped uncached before, ferry logs, reports and uses that memory type
 */
static void test_claimed_first(int fd)
{
	struct drm_ferry_device_query before, query;
	struct igt_ferry_bar bar;
	char options[128];
	int kmsg;

	ferry_device_query(fd, &before);
	igt_require_f(before.page_sizes != PAGE,
		      "PAT is off: there are no claims\n");
	igt_ferry_bar_get(fd, &bar);
	close(fd);
	igt_ferry_module_unload();
	snprintf(options, sizeof(options), "pci=%s bar=%d",
		 igt_ferry_module_slot(), bar.number);
	igt_ferry_break_load(options);
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("");
	fd = igt_ferry_open();
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype, DRM_FERRY_MEMTYPE_UC_MINUS);
	igt_assert_eq_u32(query.aperture_memtype_requested,
			  DRM_FERRY_MEMTYPE_WC);
	igt_assert_f(igt_ferry_kmsg_has(
			     kmsg, "effective uncached-minus: something else "
				   "mapped the BAR first"),
		     "the log does not say why\n");
	close(kmsg);
	check_effective(fd);
	igt_ferry_audit_samples(fd);
	close(fd);

	igt_ferry_module_unload();
	igt_ferry_break_unload();
	igt_ferry_module_load("");
	fd = igt_ferry_open();
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype, before.aperture_memtype);
	check_effective(fd);
	close(fd);
}

/**
 * SUBTEST: nopat
 * Description: Without PAT ferry inserts PTEs only, and the aperture is uncached
 */
static void test_nopat(int fd)
{
	struct drm_ferry_device_query query;
	struct igt_ferry_faults faults;
	char cmdline[4096] = " ";
	int file, kmsg;

	file = open("/proc/cmdline", O_RDONLY);
	igt_assert_fd(file);
	igt_assert(read(file, cmdline + 1, sizeof(cmdline) - 3) > 0);
	close(file);
	cmdline[strcspn(cmdline, "\n")] = ' ';
	igt_require_f(strstr(cmdline, " nopat "),
		      "boot with nopat: vm/run --append nopat\n");

	close(fd);
	igt_ferry_module_unload();
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("");
	fd = igt_ferry_open();
	ferry_device_query(fd, &query);
	igt_assert_eq_u64(query.page_sizes, PAGE);
	igt_assert(query.aperture_memtype == DRM_FERRY_MEMTYPE_UC_MINUS ||
		   query.aperture_memtype == DRM_FERRY_MEMTYPE_UC);
	igt_assert(igt_ferry_kmsg_has(kmsg, "PAT is off (nopat)"));
	close(kmsg);
	igt_ferry_faults_start(fd, &faults);
	igt_ferry_audit_samples(fd);
	igt_ferry_faults_since(fd, &faults);
	igt_assert_lt_u64(0, faults.faults);
	igt_assert_eq_u64(faults.huge, 0);
	check_effective(fd);
	close(fd);
}

static int try_map(const char *path, uint64_t offset)
{
	int file = open(path, O_RDWR | O_SYNC | O_CLOEXEC), err = 0;
	void *map;

	igt_require_f(file >= 0, "%s: %s\n", path, strerror(errno));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, offset);
	if (map == MAP_FAILED)
		err = -errno;
	else
		munmap(map, PAGE);
	close(file);
	errno = 0;
	return err;
}

/**
 * SUBTEST: dev-mem
 * Description: /dev/mem does not map the BAR while ferry has claimed it
 */
static void test_dev_mem(int fd)
{
	struct igt_ferry_bar bar;

	igt_ferry_bar_get(fd, &bar);
	igt_assert_eq(try_map("/dev/mem", bar.base), -EPERM);
	igt_assert_eq(try_map("/dev/mem", bar.base + bar.size - PAGE), -EPERM);
}

/**
 * SUBTEST: resource-files
 * Description: sysfs does not map the BAR while ferry has claimed it, and does so after an unbind
 */
static void test_resource_files(int fd)
{
	static const char *const names[] = { "", "_wc" };
	char path[PATH_MAX];
	struct igt_ferry_bar bar;

	igt_ferry_bar_get(fd, &bar);
	close(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/resource%d%s",
			 igt_ferry_module_slot(), bar.number, names[i]);
		/* without PAT there is no file for write-combining */
		if (access(path, F_OK))
			continue;
		igt_assert_eq(try_map(path, 0), -EINVAL);
		igt_assert_eq(try_map(path, bar.size - PAGE), -EINVAL);
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d",
		 igt_ferry_module_slot(), bar.number);
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_assert_eq(try_map(path, 0), 0);
	igt_assert_eq(igt_ferry_module_bind(), 0);
	fd = igt_ferry_open();
	check_effective(fd);
	close(fd);
}

/**
 * SUBTEST: resource-files-first
 * Description: An older mapping of the BAR by sysfs is zapped, or ferry uses its memory type
 *
 * With CONFIG_IO_STRICT_DEVMEM the kernel zaps such mappings when a driver claims the BAR.
 * From Linux 6.16 on, PAT nevertheless tracks their memory type until munmap().
 */
static void test_resource_files_first(int fd)
{
	static const struct {
		const char *suffix;
		uint32_t memtype;
	} files[] = {
		{ "", DRM_FERRY_MEMTYPE_UC_MINUS },
		{ "_wc", DRM_FERRY_MEMTYPE_WC },
	};
	struct drm_ferry_device_query before, query;
	struct igt_ferry_bar bar;
	char path[PATH_MAX];

	ferry_device_query(fd, &before);
	igt_require_f(before.page_sizes != PAGE,
		      "PAT is off: there are no claims\n");
	igt_ferry_bar_get(fd, &bar);
	close(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		bool gone;
		void *map;
		int file;

		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/resource%d%s",
			 igt_ferry_module_slot(), bar.number, files[i].suffix);
		igt_assert_eq(igt_ferry_module_unbind(), 0);
		file = open(path, O_RDWR | O_CLOEXEC);
		igt_assert_fd(file);
		map = mmap(NULL, bar.size, PROT_READ, MAP_SHARED, file, 0);
		igt_assert_f(map != MAP_FAILED, "%s: %s\n", path,
			     strerror(errno));
		igt_assert_eq(igt_ferry_module_bind(), 0);
		fd = igt_ferry_open();
		ferry_device_query(fd, &query);
		gone = igt_ferry_read_signal(map) == SIGBUS;
		igt_info("%s: %s\n", path, gone ? "zapped" : "still mapped");
		/* only a mapping that was zapped may have no effect on the memory type */
		if (!gone || query.aperture_memtype != before.aperture_memtype)
			igt_assert_eq_u32(query.aperture_memtype,
					  files[i].memtype);
		igt_assert_eq_u32(query.aperture_memtype_requested,
				  before.aperture_memtype_requested);
		check_effective(fd);
		igt_ferry_audit_samples(fd);
		close(fd);
		igt_assert_eq(munmap(map, bar.size), 0);
		close(file);
	}
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_assert_eq(igt_ferry_module_bind(), 0);
	fd = igt_ferry_open();
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype, before.aperture_memtype);
	check_effective(fd);
	close(fd);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "effective",
	  "The effective memory type is that which PAT tracks, and that of the mapping of the kernel",
	  test_effective },
	{ "dev-mem", "/dev/mem does not map the BAR while ferry has claimed it",
	  test_dev_mem },
	{}
};

static const struct igt_ferry_test module_tests[] = {
	{ "parameter-auto",
	  "All mappings of the aperture have the memory type that is requested, or the log says why not",
	  test_parameter_auto },
	{ "parameter-wc",
	  "All mappings of the aperture have the memory type that is requested, or the log says why not",
	  test_parameter_wc },
	{ "parameter-uc",
	  "All mappings of the aperture have the memory type that is requested, or the log says why not",
	  test_parameter_uc },
	{ "parameter-wb",
	  "All mappings of the aperture have the memory type that is requested, or the log says why not",
	  test_parameter_wb },
	{ "resource-files",
	  "sysfs does not map the BAR while ferry has claimed it, and does so after an unbind",
	  test_resource_files },
	{ "resource-files-first",
	  "An older mapping of the BAR by sysfs is zapped, or ferry uses its memory type",
	  test_resource_files_first },
	{ "parameter-bogus",
	  "A memory type that does not exist makes the probe fail, and the log lists the valid ones",
	  test_parameter_bogus },
	{ "claimed-first",
	  "If the BAR was mapped uncached before, ferry logs, reports and uses that memory type",
	  test_claimed_first },
	{ "nopat",
	  "Without PAT ferry inserts PTEs only, and the aperture is uncached",
	  test_nopat },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, module_tests);
}
