// SPDX-License-Identifier: MIT
/**
 * TEST: ferry caching
 * Category: Core
 * Description: Memory types: all mappings of a page agree, and the audit reports a mapping that does not
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/utsname.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Memory types: all mappings of a page agree, and the audit reports a mapping that does not");

#define HUGE IGT_FERRY_HUGE
#define HUGE_PAGES (HUGE / PAGE)
#define RW (PROT_READ | PROT_WRITE)

/* Memory type that a mapping of a BO must have */
static uint32_t expected_memtype(int fd, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	if (kind->allowed_placements == APERTURE)
		return query.aperture_memtype;
	if (kind->caching == DRM_FERRY_CACHING_CACHED)
		return DRM_FERRY_MEMTYPE_WB;
	/* without PAT ferry supports neither write-combining nor PMDs */
	return query.page_sizes == PAGE ? DRM_FERRY_MEMTYPE_UC_MINUS :
					  DRM_FERRY_MEMTYPE_WC;
}

/* Mappings of a sample: aligned, unaligned, and populated */
#define WAYS 3

/* A BO with several mappings */
struct sample {
	struct igt_ferry_bo bo;
	char *maps[WAYS];
};

static void sample_init(struct sample *s, int fd, size_t pages,
			const struct igt_ferry_kind *kind)
{
	struct drm_ferry_bo_query query;

	igt_ferry_bo_init(&s->bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&s->bo);
	igt_assert_eq(munmap(s->bo.map, s->bo.size), 0);
	ferry_bo_query(fd, s->bo.handle, &query);
	igt_assert_eq_u32(query.memtype, expected_memtype(fd, kind));
}

static void sample_map(struct sample *s)
{
	int fd = s->bo.fd;
	char *space;

	space = mmap(NULL, s->bo.size + 2 * HUGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(space != MAP_FAILED);
	space = (char *)ALIGN((uintptr_t)space, HUGE) + PAGE;

	s->maps[0] = s->bo.map = ferry_bo_mmap(fd, s->bo.handle, s->bo.size);
	s->maps[1] = mmap(space, s->bo.size, RW, MAP_SHARED | MAP_FIXED, fd,
			  ferry_bo_mmap_offset(fd, s->bo.handle));
	s->maps[2] = mmap(NULL, s->bo.size, RW, MAP_SHARED, fd,
			  ferry_bo_mmap_offset_populate(fd, s->bo.handle));
	for (int i = 0; i < WAYS; i++) {
		igt_assert(s->maps[i] != MAP_FAILED);
		igt_ferry_check(s->maps[i], 0, s->bo.size / PAGE, s->bo.id,
				s->bo.gen);
	}
}

static void sample_fini(struct sample *s)
{
	for (int i = 0; i < WAYS; i++)
		if (s->maps[i])
			munmap(s->maps[i], s->bo.size);
	s->bo.map = NULL;
	igt_ferry_bo_fini(&s->bo);
}

/* Have BOs of every kind audited, with all their mappings. */
static void audit_all(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_audit before, after;
	struct sample samples[2];
	size_t pages = 0;

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		memset(samples, 0, sizeof(samples));
		igt_ferry_audit_clean(fd, &before);
		sample_init(&samples[0], fd, 40, kind);
		sample_init(&samples[1], fd, HUGE_PAGES + 20, kind);
		sample_map(&samples[0]);
		sample_map(&samples[1]);
		pages = WAYS * (40 + HUGE_PAGES + 20);
		igt_ferry_audit_clean(fd, &after);
		igt_assert_eq_u64(after.mappings - before.mappings, 2 * WAYS);
		igt_assert_eq_u64(after.pages - before.pages, pages);
		sample_fini(&samples[0]);
		sample_fini(&samples[1]);
	}
}

/**
 * SUBTEST: audit-processes
 * Description: The audit finds no disagreement in mappings of every kind, made in every way, in several processes
 */
static void test_audit_processes(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_audit before, after;
	struct sample samples[8] = {};
	int ready[2], go[2], count = 0;
	size_t pages = 0;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_ferry_audit_clean(fd, &before);
	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		sample_init(&samples[count++], fd, 40, kind);
		sample_init(&samples[count++], fd, HUGE_PAGES + 20, kind);
		pages += WAYS * (40 + HUGE_PAGES + 20);
	}
	igt_fork(child, 3)
	{
		char byte = 0;

		for (int i = 0; i < count; i++)
			sample_map(&samples[i]);
		igt_assert_eq(write(ready[1], &byte, 1), 1);
		igt_assert_eq(read(go[0], &byte, 1), 1);
	}
	for (int i = 0; i < 3; i++) {
		char byte;

		igt_assert_eq(read(ready[0], &byte, 1), 1);
	}
	igt_ferry_audit_clean(fd, &after);
	igt_info("%" PRIu64 " mappings, %" PRIu64 " entries, %" PRIu64
		 " pages\n",
		 after.mappings, after.entries, after.pages);
	igt_assert_eq_u64(after.mappings - before.mappings, 3 * WAYS * count);
	igt_assert_eq_u64(after.pages - before.pages, 3 * pages);
	igt_assert_eq(write(go[1], "123", 3), 3);
	igt_waitchildren();
	for (int i = 0; i < count; i++)
		sample_fini(&samples[i]);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	igt_ferry_audit_clean(fd, &after);
	igt_assert_eq_u64(after.mappings, before.mappings);
}

/**
 * SUBTEST: audit-moving
 * Description: The audit finds no disagreement while BOs move and processes start and end
 */
static void test_audit_moving(int fd)
{
	struct igt_ferry_audit audit;
	struct timespec start = {};
	unsigned int audits = 0;
	uint64_t most = 0;

	igt_fork(child, 3)
	{
		int own = igt_ferry_reopen(fd, O_RDWR);
		struct igt_ferry_bo bo;

		igt_nsec_elapsed(&start);
		while (igt_seconds_elapsed(&start) < 3) {
			igt_ferry_bo_init(&bo, own, (500 + 30 * child) * PAGE,
					  &igt_ferry_movable_kinds[child]);
			for (int i = 0; i < 4; i++) {
				igt_ferry_touch(bo.map, bo.size);
				ferry_bo_migrate(own, bo.handle,
						 i & 1 ? SYSTEM : APERTURE);
			}
			igt_ferry_check_zero(bo.map, bo.size);
			igt_ferry_bo_fini(&bo);
		}
	}
	igt_nsec_elapsed(&start);
	while (igt_seconds_elapsed(&start) < 3) {
		igt_ferry_audit_clean(fd, &audit);
		most = audit.pages > most ? audit.pages : most;
		audits++;
	}
	igt_waitchildren();
	igt_info("%u audits, of up to %" PRIu64 " pages\n", audits, most);
	igt_assert_lt_u64(0, most);
}

/*
 * Have ferry_break change the entry of a page, or of 2 MiB, and have it audited. @memtype: change
 * the memory type, and otherwise the PFN.
 */
static void check_broken(int fd, const struct igt_ferry_kind *kind,
			 size_t pages, bool memtype)
{
	const bool huge = pages == HUGE_PAGES;
	const size_t span = huge ? HUGE_PAGES : 1, page = huge ? 0 : 7;
	char options[128], says[64];
	struct igt_ferry_audit audit;
	struct igt_ferry_bo bo;
	char *at;

	/* a subtest that failed may have left ferry_break loaded */
	igt_ferry_module_restore();
	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	if (huge) {
		struct drm_ferry_bo_query query;

		ferry_bo_query(fd, bo.handle, &query);
		igt_require_f(query.huge_size,
			      "no part of the BO can be mapped with PMDs\n");
		/* fault it in again: the BO had no pages when it was mapped, and took PTEs */
		munmap(bo.map, bo.size);
		bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		igt_ferry_bo_check(&bo);
	}
	igt_ferry_audit_clean(fd, NULL);

	at = (char *)bo.map + page * PAGE;
	snprintf(options, sizeof(options), "pid=%d address=%" PRIuPTR " %s%d",
		 getpid(), (uintptr_t)at,
		 memtype ? "uncached=" : "move=", memtype ? 1 : (int)span);
	igt_ferry_break_load(options);
	igt_ferry_audit(fd, &audit);
	igt_ferry_break_unload();
	igt_info("%s", audit.first);
	igt_assert_eq_u64(audit.disagreements, span);
	snprintf(says, sizeof(says), " 0x%" PRIxPTR ": ", (uintptr_t)at);
	igt_assert_f(strstr(audit.first, says), "the report does not have%s\n",
		     says);
	snprintf(says, sizeof(says), " page %zu ", page);
	igt_assert_f(strstr(audit.first, says), "the report does not have%s\n",
		     says);
	if (!memtype) {
		snprintf(says, sizeof(says), "user %s, ",
			 igt_ferry_memtype_name(expected_memtype(fd, kind)));
		igt_assert_f(strstr(audit.first, says),
			     "the report does not have %s\n", says);
	}

	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: broken-memtype-%s
 * SUBTEST: broken-memtype-huge-%s
 * Description: The audit reports each page that an entry maps with another memory type
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static void test_broken_memtype(int fd, const struct igt_ferry_kind *kind,
				size_t pages)
{
	check_broken(fd, kind, pages, true);
}

/**
 * SUBTEST: broken-page-%s
 * SUBTEST: broken-page-huge-%s
 * Description: The audit reports each page of an entry that maps other pages
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_broken_page(int fd, const struct igt_ferry_kind *kind,
			     size_t pages)
{
	check_broken(fd, kind, pages, false);
}

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
	audit_all(fd);
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
	audit_all(fd);
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
	audit_all(fd);
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
	audit_all(fd);
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
		audit_all(fd);
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
	{ "audit-processes",
	  "The audit finds no disagreement in mappings of every kind, made in every way, in several processes",
	  test_audit_processes },
	{ "audit-moving",
	  "The audit finds no disagreement while BOs move and processes start and end",
	  test_audit_moving },
	{ "dev-mem", "/dev/mem does not map the BAR while ferry has claimed it",
	  test_dev_mem },
	{ "broken-memtype",
	  "The audit reports each page that an entry maps with another memory type",
	  .kinds = igt_ferry_fixed_kinds, .run_pages = test_broken_memtype,
	  .pages = 40, .huge_pages = HUGE_PAGES },
	{ "broken-page",
	  "The audit reports each page of an entry that maps other pages",
	  .kinds = igt_ferry_fixed_kinds, .run_pages = test_broken_page,
	  .pages = 40, .huge_pages = HUGE_PAGES },
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

	igt_fixture
	{
		fd = igt_ferry_open();
		igt_ferry_module_begin(fd);
	}

	igt_ferry_run_tests(fd, tests);

	igt_fixture
	{
		close(fd);
		igt_ferry_module_require();
	}

	igt_ferry_module_run_tests(module_tests);
}
