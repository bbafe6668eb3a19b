// SPDX-License-Identifier: MIT
/**
 * TEST: ferry caching
 * Category: Core
 * Description: Every mapping of a page has one cache attribute, and whatever else is reported
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/utsname.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Every mapping of a page has one cache attribute, and whatever else is reported");

#define HUGE IGT_FERRY_HUGE
#define HUGE_PAGES (HUGE / PAGE)
#define RW (PROT_READ | PROT_WRITE)

/* What the mapping of such a BO is to be */
static uint32_t expected_cache(int fd, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	if (kind->allowed_placements == APERTURE)
		return query.aperture_memtype;
	if (kind->caching == DRM_FERRY_CACHING_CACHED)
		return DRM_FERRY_MEMTYPE_WB;
	/* without PAT there is no write-combining, and no huge entry either */
	return query.page_sizes == PAGE ? DRM_FERRY_MEMTYPE_UC_MINUS :
					  DRM_FERRY_MEMTYPE_WC;
}

/* One BO of each kind, of which a part needs small entries, in all ways to map it */
#define WAYS 3

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
	igt_assert_eq_u32(query.memtype, expected_cache(fd, kind));
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

/* Maps everything in every way, and has it audited. */
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
 * Description: mappings of every kind, made in every way, in several processes, all agree
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
 * Description: the audit reports nothing while BOs move and processes come and go
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

/**
 * SUBTEST: broken-cache-%s
 * SUBTEST: broken-cache-huge-%s
 * SUBTEST: broken-page-%s
 * SUBTEST: broken-page-huge-%s
 * Description: an entry with another attribute, or of another page, is reported page by page
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static void test_broken(int fd, const struct igt_ferry_kind *kind, bool huge,
			bool cache)
{
	const size_t span = huge ? HUGE_PAGES : 1, page = huge ? 0 : 7;
	char options[128], says[64];
	struct igt_ferry_audit audit;
	struct igt_ferry_bo bo;
	char *at;

	/* a failed subtest may have left something broken */
	igt_ferry_module_restore();
	igt_ferry_bo_init(&bo, fd, huge ? HUGE : 40 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	if (huge) {
		struct drm_ferry_bo_query query;

		ferry_bo_query(fd, bo.handle, &query);
		igt_require_f(query.huge_size,
			      "nothing of the BO has huge entries\n");
		/* it had no pages when it was filled: from the start again */
		munmap(bo.map, bo.size);
		bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		igt_ferry_bo_check(&bo);
	}
	igt_ferry_audit_clean(fd, NULL);

	at = (char *)bo.map + page * PAGE;
	snprintf(options, sizeof(options), "pid=%d address=%" PRIuPTR " %s%d",
		 getpid(), (uintptr_t)at,
		 cache ? "uncached=" : "move=", cache ? 1 : (int)span);
	igt_ferry_break_load(options);
	igt_ferry_audit(fd, &audit);
	igt_ferry_break_unload();
	igt_info("%s", audit.first);
	igt_assert_eq_u64(audit.disagreements, span);
	snprintf(says, sizeof(says), " 0x%" PRIxPTR ": ", (uintptr_t)at);
	igt_assert_f(strstr(audit.first, says), "it does not say%s\n", says);
	snprintf(says, sizeof(says), " page %zu ", page);
	igt_assert_f(strstr(audit.first, says), "it does not say%s\n", says);
	if (!cache) {
		snprintf(says, sizeof(says), "user %s, ",
			 igt_ferry_memtype_name(expected_cache(fd, kind)));
		igt_assert_f(strstr(audit.first, says), "it does not say %s\n",
			     says);
	}

	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/* Which BAR it is, from debugfs */
struct aperture {
	int bar;
	uint64_t base;
	uint64_t size;
};

static void aperture_get(int fd, struct aperture *aperture)
{
	int dir = igt_debugfs_dir(fd);
	char buf[4096], *at;
	int len;

	igt_assert(dir >= 0);
	len = igt_debugfs_simple_read(dir, "ferry_aperture", buf,
				      sizeof(buf) - 1);
	close(dir);
	igt_assert(len > 0);
	buf[len] = '\0';
	at = strstr(buf, "bar ");
	igt_assert(at);
	igt_assert_eq(sscanf(at, "bar %d base %" SCNx64 " size %" SCNu64,
			     &aperture->bar, &aperture->base, &aperture->size),
		      3);
	errno = 0;
}

/* Everything that PAT's list has of the aperture is of this type. */
static void check_tracked(int fd, const char *type)
{
	FILE *file = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	struct aperture aperture;
	unsigned int found = 0;
	char line[256];

	aperture_get(fd, &aperture);
	igt_require_f(file, "no pat_memtype_list in debugfs: PAT is off\n");
	while (fgets(line, sizeof(line), file)) {
		uint64_t start, end;
		char is[32];

		if (sscanf(line, "PAT: [mem 0x%" SCNx64 "-0x%" SCNx64 "] %31s",
			   &start, &end, is) != 3 ||
		    start >= aperture.base + aperture.size ||
		    end <= aperture.base)
			continue;
		igt_assert_f(!strcmp(is, type), "not %s: %s", type, line);
		found++;
	}
	fclose(file);
	igt_assert_f(found, "PAT does not track the aperture\n");
	errno = 0;
}

static void check_granted(int fd)
{
	struct drm_ferry_device_query query;
	struct igt_ferry_audit audit;

	ferry_device_query(fd, &query);
	igt_ferry_audit_clean(fd, &audit);
	igt_info("asked for %s, granted %s\n", audit.requested, audit.effective);
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
 * SUBTEST: granted
 * Description: what the query says was granted is what PAT tracks, and what the kernel has mapped
 */
static void test_granted(int fd)
{
	check_granted(fd);
	audit_all(fd);
	check_granted(fd);
}

static int reopen(void)
{
	int fd = igt_ferry_open();

	igt_assert_fd(fd);
	return fd;
}

/**
 * SUBTEST: parameter-%s
 * Description: the attribute asked for is used for all, or another one and the log says why
 *
 * arg[1]:
 *
 * @auto:	what suits the device
 * @wc:		write-combining
 * @uc:		uncached
 * @wb:		write-back
 */
static const struct {
	const char *name;
	int cache;
} parameters[] = {
	{ "auto", -1 },
	{ "wc", DRM_FERRY_MEMTYPE_WC },
	{ "uc", DRM_FERRY_MEMTYPE_UC_MINUS },
	{ "wb", DRM_FERRY_MEMTYPE_WB },
};

static void test_parameter(const char *name, int cache)
{
	struct drm_ferry_device_query query;
	char options[64], text[128];
	int kmsg, fd;
	bool said;

	igt_ferry_module_unload();
	kmsg = igt_ferry_kmsg_open();
	snprintf(options, sizeof(options), "aperture_memtype=%s", name);
	igt_ferry_module_load(options);
	fd = reopen();
	ferry_device_query(fd, &query);
	if (cache >= 0)
		igt_assert_eq_u32(query.aperture_memtype_requested, cache);
	snprintf(text, sizeof(text), "requested %s, effective %s: ",
		 igt_ferry_memtype_name(query.aperture_memtype_requested),
		 igt_ferry_memtype_name(query.aperture_memtype));
	said = igt_ferry_kmsg_has(kmsg, text);
	igt_assert_eq(said, query.aperture_memtype !=
				    query.aperture_memtype_requested);
	close(kmsg);
	check_granted(fd);
	audit_all(fd);
	close(fd);
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: parameter-bogus
 * Description: an attribute that there is not leaves the device alone, and the log says what there is
 */
static void test_parameter_bogus(void)
{
	static const char *const bad[] = { "bogus", "WC", "wcx", "2" };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		char options[64], text[128];
		int kmsg;

		igt_ferry_module_unload();
		kmsg = igt_ferry_kmsg_open();
		snprintf(options, sizeof(options), "aperture_memtype=%s",
			 bad[i]);
		igt_ferry_module_load(options);
		igt_assert_f(!igt_ferry_module_is_bound(), "%s was taken\n",
			     options);
		snprintf(text, sizeof(text),
			 "aperture_memtype=%s is not auto, wb, wc or uc",
			 bad[i]);
		igt_assert_f(igt_ferry_kmsg_has(kmsg, text),
			     "the log does not say: %s\n", text);
		close(kmsg);
	}
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: claimed-first
 * Description: somebody has the BAR mapped uncached before: it is noticed, said, exported and used
 */
static void test_claimed_first(void)
{
	struct drm_ferry_device_query before, query;
	struct aperture aperture;
	char options[128];
	int fd = reopen(), kmsg;

	ferry_device_query(fd, &before);
	igt_require_f(before.page_sizes != PAGE,
		      "PAT is off: there are no claims\n");
	aperture_get(fd, &aperture);
	close(fd);
	igt_ferry_module_unload();
	snprintf(options, sizeof(options), "pci=%s bar=%d",
		 igt_ferry_module_slot(), aperture.bar);
	igt_ferry_break_load(options);
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("");
	fd = reopen();
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype, DRM_FERRY_MEMTYPE_UC_MINUS);
	igt_assert_eq_u32(query.aperture_memtype_requested,
			  DRM_FERRY_MEMTYPE_WC);
	igt_assert_f(igt_ferry_kmsg_has(
			     kmsg, "effective uncached-minus: something else "
				   "mapped the BAR first"),
		     "the log does not say why\n");
	close(kmsg);
	check_granted(fd);
	audit_all(fd);
	close(fd);

	igt_ferry_module_unload();
	igt_ferry_break_unload();
	igt_ferry_module_load("");
	fd = reopen();
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype, before.aperture_memtype);
	check_granted(fd);
	close(fd);
}

/**
 * SUBTEST: nopat
 * Description: without PAT everything works with small entries, and the aperture is not cached
 */
static void test_nopat(void)
{
	struct drm_ferry_device_query query;
	struct igt_ferry_faults faults;
	char cmdline[4096] = " ";
	int fd, file, kmsg;

	file = open("/proc/cmdline", O_RDONLY);
	igt_assert_fd(file);
	igt_assert(read(file, cmdline + 1, sizeof(cmdline) - 3) > 0);
	close(file);
	cmdline[strcspn(cmdline, "\n")] = ' ';
	igt_require_f(strstr(cmdline, " nopat "),
		      "boot with nopat: vm/run --append nopat\n");

	igt_ferry_module_unload();
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("");
	fd = reopen();
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
	check_granted(fd);
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
 * Description: while ferry holds the BAR nobody maps it by way of /dev/mem
 */
static void test_dev_mem(int fd)
{
	struct aperture aperture;

	aperture_get(fd, &aperture);
	igt_assert_eq(try_map("/dev/mem", aperture.base), -EPERM);
	igt_assert_eq(try_map("/dev/mem", aperture.base + aperture.size - PAGE),
		      -EPERM);
}

/**
 * SUBTEST: resource-files
 * Description: while ferry holds the BAR nobody maps it by way of sysfs, and after that anybody may
 */
static void test_resource_files(void)
{
	static const char *const names[] = { "", "_wc" };
	char path[PATH_MAX];
	struct aperture aperture;
	int fd = reopen();

	aperture_get(fd, &aperture);
	close(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/resource%d%s",
			 igt_ferry_module_slot(), aperture.bar, names[i]);
		/* without PAT there is none for write-combining */
		if (access(path, F_OK))
			continue;
		igt_assert_eq(try_map(path, 0), -EINVAL);
		igt_assert_eq(try_map(path, aperture.size - PAGE), -EINVAL);
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d",
		 igt_ferry_module_slot(), aperture.bar);
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_assert_eq(try_map(path, 0), 0);
	igt_assert_eq(igt_ferry_module_bind(), 0);
	fd = reopen();
	check_granted(fd);
	close(fd);
}

/**
 * SUBTEST: resource-files-first
 * Description: a program has the BAR mapped by way of sysfs when ferry comes: it loses that, or its
 *		type is noticed and used
 *
 * With CONFIG_IO_STRICT_DEVMEM the kernel takes such mappings away from whoever has
 * them when a driver claims the BAR. From 6.16 on their claim of a type lasts until
 * they are unmapped all the same.
 */
static void test_resource_files_first(void)
{
	static const struct {
		const char *suffix;
		uint32_t granted;
	} files[] = {
		{ "", DRM_FERRY_MEMTYPE_UC_MINUS },
		{ "_wc", DRM_FERRY_MEMTYPE_WC },
	};
	struct drm_ferry_device_query before, query;
	struct aperture aperture;
	char path[PATH_MAX];
	int fd = reopen();

	ferry_device_query(fd, &before);
	igt_require_f(before.page_sizes != PAGE,
		      "PAT is off: there are no claims\n");
	aperture_get(fd, &aperture);
	close(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		bool gone;
		void *map;
		int file;

		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/resource%d%s",
			 igt_ferry_module_slot(), aperture.bar,
			 files[i].suffix);
		igt_assert_eq(igt_ferry_module_unbind(), 0);
		file = open(path, O_RDWR | O_CLOEXEC);
		igt_assert_fd(file);
		map = mmap(NULL, aperture.size, PROT_READ, MAP_SHARED, file, 0);
		igt_assert_f(map != MAP_FAILED, "%s: %s\n", path,
			     strerror(errno));
		igt_assert_eq(igt_ferry_module_bind(), 0);
		fd = reopen();
		ferry_device_query(fd, &query);
		gone = igt_ferry_read_signal(map) == SIGBUS;
		igt_info("%s: %s\n", path,
			 gone ? "taken away" : "still mapped");
		/* only what is gone may leave no trace */
		if (!gone || query.aperture_memtype != before.aperture_memtype)
			igt_assert_eq_u32(query.aperture_memtype,
					  files[i].granted);
		igt_assert_eq_u32(query.aperture_memtype_requested,
				  before.aperture_memtype_requested);
		check_granted(fd);
		audit_all(fd);
		close(fd);
		igt_assert_eq(munmap(map, aperture.size), 0);
		close(file);
	}
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_assert_eq(igt_ferry_module_bind(), 0);
	fd = reopen();
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype, before.aperture_memtype);
	check_granted(fd);
	close(fd);
	errno = 0;
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} open_tests[] = {
	{ "granted", "What was granted is what PAT tracks", test_granted },
	{ "audit-processes", "Mappings in several processes agree",
	  test_audit_processes },
	{ "audit-moving", "The audit reports nothing while BOs move",
	  test_audit_moving },
	{ "dev-mem", "Nobody maps the BAR by way of /dev/mem", test_dev_mem },
};

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} tests[] = {
	{ "resource-files", "Nobody maps the BAR by way of sysfs",
	  test_resource_files },
	{ "resource-files-first", "A program has mapped the BAR before",
	  test_resource_files_first },
	{ "parameter-bogus", "An attribute that there is not is refused",
	  test_parameter_bogus },
	{ "claimed-first", "A BAR that somebody has mapped before is noticed",
	  test_claimed_first },
	{ "nopat", "Without PAT the aperture is not cached", test_nopat },
};

igt_main
{
	const struct igt_ferry_kind *kind;
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		igt_ferry_module_begin(fd);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(open_tests); i++) {
		igt_describe(open_tests[i].describe);
		igt_subtest(open_tests[i].name)
		{
			open_tests[i].run(igt_ferry_begin(fd));
		}
	}

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		for (int i = 0; i < 4; i++) {
			igt_describe("A broken entry is reported");
			igt_subtest_f("broken-%s%s-%s",
				      i & 1 ? "page" : "cache",
				      i & 2 ? "-huge" : "", kind->name)
			{
				test_broken(igt_ferry_begin(fd), kind, i & 2,
					    !(i & 1));
			}
		}
	}

	igt_fixture
	{
		close(fd);
		igt_ferry_module_require();
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(parameters); i++) {
		igt_describe(
			"The attribute asked for is used, or the log says why");
		igt_subtest_f("parameter-%s", parameters[i].name)
		{
			igt_ferry_clean(-1);
			igt_ferry_module_restore();
			test_parameter(parameters[i].name, parameters[i].cache);
		}
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			igt_ferry_clean(-1);
			igt_ferry_module_restore();
			tests[i].run();
		}
	}
}
