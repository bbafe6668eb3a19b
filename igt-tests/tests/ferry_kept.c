// SPDX-License-Identifier: MIT
/**
 * TEST: ferry kept
 * Category: Core
 * Description: Kept pages: system pages that a BO in the aperture keeps so that moving back needs no allocation
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION(
	"Kept pages: system pages that a BO in the aperture keeps so that moving back needs no allocation");

/* Not a multiple of 2 MiB: large pages and single ones */
#define PAGES 600
#define SIZE (PAGES * PAGE)

/*
 * Run the shrinkers until @kept kept pages are left. One run may end early, when other
 * shrinkers have nothing to free.
 */
static void shrink_kept(int fd, uint64_t kept)
{
	for (int i = 0; i < 50 && igt_ferry_stat(fd, "kept_pages") != kept;
	     i++) {
		igt_ferry_drop_caches();
		usleep(10000);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), kept);
}

/* Free the kept pages of other clients, such as the console, and count system pages. */
static uint64_t begin(int fd)
{
	shrink_kept(fd, 0);
	return igt_ferry_stat(fd, "system_pages");
}

static void expect(int fd, uint64_t kept, uint64_t system)
{
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), kept);
	igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), system);
}

/**
 * SUBTEST: to-and-fro-%s
 * Description: A BO that moves to the aperture keeps its system pages and uses them when it moves back
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_to_and_fro(int fd, const struct igt_ferry_kind *kind)
{
	uint64_t system = begin(fd);
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, SIZE, kind);
	ferry_bo_migrate(fd, bo.handle, SYSTEM);
	for (unsigned int i = 0; i < 3; i++) {
		igt_ferry_bo_fill(&bo);
		expect(fd, 0, system + PAGES);
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		igt_ferry_bo_check(&bo);
		expect(fd, PAGES, system);
		/* the move back has to overwrite the old contents of the kept pages */
		igt_ferry_bo_fill(&bo);
		ferry_bo_migrate(fd, bo.handle, SYSTEM);
		igt_ferry_bo_check(&bo);
		expect(fd, 0, system + PAGES);
	}
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	expect(fd, PAGES, system);
	igt_ferry_bo_fini(&bo);
	igt_ferry_wait_stat(fd, "kept_pages", 0);
	expect(fd, 0, system);
}

/**
 * SUBTEST: none-to-keep
 * Description: A BO created in the aperture has no kept pages
 */
static void test_none_to_keep(int fd)
{
	uint64_t system = begin(fd);
	struct igt_ferry_kind kind = igt_ferry_movable_kinds[0];
	struct igt_ferry_bo bo;

	kind.placement = APERTURE;
	igt_ferry_bo_init(&bo, fd, SIZE, &kind);
	igt_ferry_bo_fill(&bo);
	expect(fd, 0, system);
	ferry_bo_migrate(fd, bo.handle, SYSTEM);
	expect(fd, 0, system + PAGES);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: shrinker
 * Description: The shrinker frees kept pages, the contents stay, and the next move to the aperture keeps pages again
 */
static void test_shrinker(int fd)
{
	uint64_t system = begin(fd);
	struct igt_ferry_bo bo[4];

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_init(&bo[i], fd, SIZE,
				  &igt_ferry_movable_kinds[i]);
		igt_ferry_bo_fill(&bo[i]);
		ferry_bo_migrate(fd, bo[i].handle, APERTURE);
	}
	/* one BO is not needed: its contents take no system memory, and must stay */
	ferry_bo_madvise(fd, bo[0].handle, DRM_FERRY_MADV_DONTNEED);
	expect(fd, ARRAY_SIZE(bo) * PAGES, system);
	shrink_kept(fd, 0);
	expect(fd, 0, system);
	igt_assert(ferry_bo_madvise(fd, bo[0].handle, DRM_FERRY_MADV_WILLNEED));
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_check(&bo[i]);
		ferry_bo_migrate(fd, bo[i].handle, SYSTEM);
		igt_ferry_bo_check(&bo[i]);
	}
	expect(fd, 0, system + ARRAY_SIZE(bo) * PAGES);
	ferry_bo_migrate(fd, bo[1].handle, APERTURE);
	expect(fd, PAGES, system + (ARRAY_SIZE(bo) - 1) * PAGES);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_fini(&bo[i]);
}

/**
 * SUBTEST: purged
 * Description: Purging a BO in the aperture frees its kept pages
 */
static void test_purged(int fd)
{
	uint64_t system = begin(fd);
	uint32_t *handles;
	unsigned int count;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	ferry_bo_madvise(fd, bo.handle, DRM_FERRY_MADV_DONTNEED);
	expect(fd, PAGES, system);
	/* purge by filling the aperture; system memory is not short */
	count = igt_ferry_aperture_fill(fd, SIZE, &handles);
	igt_assert_eq_u32(ferry_bo_madv(fd, bo.handle), DRM_FERRY_MADV_PURGED);
	expect(fd, 0, system);
	igt_ferry_close_all(fd, handles, count);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: purged-after-return
 * Description: Purging a BO that moved back to system memory frees the pages that it had kept
 */
static void test_purged_after_return(int fd)
{
	uint64_t system = begin(fd);
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	ferry_bo_migrate(fd, bo.handle, SYSTEM);
	igt_ferry_bo_purge(&bo);
	expect(fd, 0, system);
	igt_ferry_bo_fini(&bo);
}

/* Call the ioctl once: a signal makes it fail with EINTR. */
static int migrate_to_system_once(const struct igt_ferry_bo *bo)
{
	struct drm_ferry_migrate_entry e = { bo->handle, SYSTEM };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(&e),
		.count = 1,
	};
	int err = ioctl(bo->fd, DRM_IOCTL_FERRY_MIGRATE, &args) ? errno : 0;

	errno = 0;
	return err;
}

/**
 * SUBTEST: job
 * Description: Neither the shrinker nor a failing move frees kept pages before the pending job has copied them
 */
static void test_job(int fd)
{
	uint64_t system = begin(fd);
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, &in, &out);
	expect(fd, PAGES, system);

	for (int i = 0; i < 10; i++)
		igt_ferry_drop_caches();
	igt_ferry_assert_pending(&gate, fd, out);
	expect(fd, PAGES, system);

	igt_ferry_alarm_storm(20000);
	for (unsigned int i = 0; i < 5; i++) {
		int err = migrate_to_system_once(&bo);

		igt_ferry_gate_require_closed(&gate);
		igt_assert_eq(err, EINTR);
	}
	igt_ferry_alarm_storm(0);
	expect(fd, PAGES, system);

	/* queue a move back: it takes the kept pages over while the first job still has to read them */
	out.point = 0;
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, NULL, &out);
	expect(fd, 0, system + PAGES);
	igt_ferry_assert_pending(&gate, fd, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&bo);

	/* without a pending job the shrinker frees them */
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	expect(fd, PAGES, system);
	shrink_kept(fd, 0);
	expect(fd, 0, system);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: job-closed
 * Description: The kept pages of a BO that was closed are freed after the pending job has copied them
 */
static void test_job_closed(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;

	begin(fd);
	igt_ferry_bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[1]);
	igt_ferry_bo_fill(&bo);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, &in, &out);
	igt_ferry_bo_fini(&bo);
	for (int i = 0; i < 10; i++)
		igt_ferry_drop_caches();
	igt_ferry_assert_pending(&gate, fd, out);
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), PAGES);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_ferry_wait_stat(fd, "kept_pages", 0);
	igt_ferry_gate_fini(&gate);
}

static const struct igt_ferry_test tests[] = {
	{ "to-and-fro",
	  "A BO that moves to the aperture keeps its system pages and uses them when it moves back",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_to_and_fro },
	{ "none-to-keep", "A BO created in the aperture has no kept pages",
	  test_none_to_keep },
	{ "shrinker",
	  "The shrinker frees kept pages, the contents stay, and the next move to the aperture keeps pages again",
	  test_shrinker },
	{ "purged", "Purging a BO in the aperture frees its kept pages",
	  test_purged },
	{ "purged-after-return",
	  "Purging a BO that moved back to system memory frees the pages that it had kept",
	  test_purged_after_return },
	{ "job",
	  "Neither the shrinker nor a failing move frees kept pages before the pending job has copied them",
	  test_job },
	{ "job-closed",
	  "The kept pages of a BO that was closed are freed after the pending job has copied them",
	  test_job_closed },
	{}
};

igt_ferry_main(tests)
