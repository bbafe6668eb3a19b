// SPDX-License-Identifier: MIT
/**
 * TEST: ferry caching
 * Category: Core
 * Description: Memory types: all mappings of a page agree, and the audit reports a mapping that does not
 */
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_fault.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sample.h"

IGT_TEST_DESCRIPTION(
	"Memory types: all mappings of a page agree, and the audit reports a mapping that does not");

/**
 * SUBTEST: audit-processes
 * Description: The audit finds no disagreement in mappings of every kind, made in every way, in several processes
 */
static void test_audit_processes(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_audit before, after;
	struct igt_ferry_sample samples[8] = {};
	int ready[2], go[2], count = 0;
	size_t pages = 0;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_ferry_audit_clean(fd, &before);
	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
		igt_ferry_sample_init(&samples[count++], fd, 40, kind);
		igt_ferry_sample_init(&samples[count++], fd, HUGE_PAGES + 20,
				      kind);
		pages += IGT_FERRY_SAMPLE_MAPS * (40 + HUGE_PAGES + 20);
	}
	igt_fork(child, 3)
	{
		char byte = 0;

		for (int i = 0; i < count; i++)
			igt_ferry_sample_map(&samples[i]);
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
	igt_assert_eq_u64(after.mappings - before.mappings,
			  3 * IGT_FERRY_SAMPLE_MAPS * count);
	igt_assert_eq_u64(after.pages - before.pages, 3 * pages);
	igt_assert_eq(write(go[1], "123", 3), 3);
	igt_waitchildren();
	for (int i = 0; i < count; i++)
		igt_ferry_sample_fini(&samples[i]);
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
				igt_ferry_access(bo.map, bo.size);
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
	char options[128], text[64];
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
	snprintf(text, sizeof(text), " 0x%" PRIxPTR ": ", (uintptr_t)at);
	igt_assert_f(strstr(audit.first, text), "the report does not have%s\n",
		     text);
	snprintf(text, sizeof(text), " page %zu ", page);
	igt_assert_f(strstr(audit.first, text), "the report does not have%s\n",
		     text);
	if (!memtype) {
		snprintf(text, sizeof(text), "user %s, ",
			 igt_ferry_memtype_name(
				 igt_ferry_expected_memtype(fd, kind)));
		igt_assert_f(strstr(audit.first, text),
			     "the report does not have %s\n", text);
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

static const struct igt_ferry_test tests[] = {
	{ "audit-processes",
	  "The audit finds no disagreement in mappings of every kind, made in every way, in several processes",
	  test_audit_processes },
	{ "audit-moving",
	  "The audit finds no disagreement while BOs move and processes start and end",
	  test_audit_moving },
	{ "broken-memtype",
	  "The audit reports each page that an entry maps with another memory type",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_broken_memtype,
	  .pages = 40, .huge_pages = HUGE_PAGES },
	{ "broken-page",
	  "The audit reports each page of an entry that maps other pages",
	  .kinds = igt_ferry_single_kinds, .run_pages = test_broken_page,
	  .pages = 40, .huge_pages = HUGE_PAGES },
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

	igt_fixture close(fd);
}
