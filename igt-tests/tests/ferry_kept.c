// SPDX-License-Identifier: MIT
/**
 * TEST: ferry kept
 * Category: Core
 * Description: System pages that a BO keeps while it is in the aperture, for its way down
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION(
	"System pages that a BO keeps while it is in the aperture, for its way down");

/* Not a multiple of 2 MiB: runs of pages, and single ones */
#define PAGES 600
#define SIZE (PAGES * PAGE)

/* Ask for kept pages until so many are left: the kernel stops early if others have no more. */
static void press(int fd, uint64_t kept)
{
	for (int i = 0; i < 50 && igt_ferry_stat(fd, "kept_pages") != kept;
	     i++) {
		igt_ferry_drop_caches();
		usleep(10000);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), kept);
}

/* Others, such as the console, have such BOs too: what they keep is given back first. */
static uint64_t begin(int fd)
{
	press(fd, 0);
	return igt_ferry_stat(fd, "system_pages");
}

static void expect(int fd, uint64_t kept, uint64_t system)
{
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), kept);
	igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), system);
}

/**
 * SUBTEST: to-and-fro-%s
 * Description: a BO that has had pages keeps them in the aperture, and has all bytes below again
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
		/* what is written up there counts, and not what the pages have */
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
 * Description: a BO that begins in the aperture keeps no pages before it has had some
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
 * Description: the shrinker takes kept pages, no byte is lost, and the next way up keeps again
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
	/* one of them is of no use any more: its contents stay, as they take no memory */
	ferry_bo_madvise(fd, bo[0].handle, DRM_FERRY_MADV_DONTNEED);
	expect(fd, ARRAY_SIZE(bo) * PAGES, system);
	press(fd, 0);
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
 * Description: a BO that is purged in the aperture loses its kept pages too
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
	/* for want of room in the aperture, and not of memory */
	count = igt_ferry_aperture_fill(fd, SIZE, &handles);
	igt_assert_eq_u32(ferry_bo_madv(fd, bo.handle), DRM_FERRY_MADV_PURGED);
	expect(fd, 0, system);
	igt_ferry_close_all(fd, handles, count);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: purged-below
 * Description: pages that a BO has taken back are purged like any others
 */
static void test_purged_below(int fd)
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

static int raw_down(const struct igt_ferry_bo *bo)
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
 * Description: pages that a job has yet to read are kept: from the shrinker, and from moves that fail
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
		int err = raw_down(&bo);

		igt_ferry_gate_require_closed(&gate);
		igt_assert_eq(err, EINTR);
	}
	igt_ferry_alarm_storm(0);
	expect(fd, PAGES, system);

	/* down behind it: it takes the pages while they have yet to be read */
	out.point = 0;
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, NULL, &out);
	expect(fd, 0, system + PAGES);
	igt_ferry_assert_pending(&gate, fd, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&bo);

	/* idle again */
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	expect(fd, PAGES, system);
	press(fd, 0);
	expect(fd, 0, system);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: job-closed
 * Description: a BO that is closed while a job has yet to read its pages gives them back afterwards
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

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} tests[] = {
	{ "none-to-keep", "What has had no pages keeps none",
	  test_none_to_keep },
	{ "shrinker", "The shrinker takes kept pages, and no byte is lost",
	  test_shrinker },
	{ "purged", "What is purged loses its kept pages too", test_purged },
	{ "purged-below", "Pages that were taken back are purged",
	  test_purged_below },
	{ "job", "Pages that a job has yet to read are kept", test_job },
	{ "job-closed", "They outlive the BO's handle", test_job_closed },
};

igt_main
{
	const struct igt_ferry_kind *kind;
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
	}

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		igt_describe(
			"Pages are kept on the way up and taken back down");
		igt_subtest_f("to-and-fro-%s", kind->name)
		{
			test_to_and_fro(igt_ferry_begin(fd), kind);
		}
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			tests[i].run(igt_ferry_begin(fd));
		}
	}

	igt_fixture
	{
		close(fd);
	}
}
