// SPDX-License-Identifier: MIT
/**
 * TEST: ferry inject move
 * Category: Core
 * Description: Each allocation and each copy from and to user space fails once, in turn: moves, evictions and dma-bufs
 */
#include <fcntl.h>
#include <limits.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_inject.h"
#include "igt_ferry_sync.h"
#include "inject_path.h"

IGT_TEST_DESCRIPTION(
	"Each allocation and each copy from and to user space fails once, in turn: moves, evictions and dma-bufs");

/* ---- migrate, evict ---- */

static void begin_migrate(void)
{
	for (unsigned int i = 0; i < 3; i++)
		add_bo((5 + 300 * i) * PAGE, at.kind);
}

static int migrate_all(uint32_t placement)
{
	struct drm_ferry_migrate_entry entries[ARRAY_SIZE(at.bo)];

	for (unsigned int i = 0; i < at.bos; i++)
		entries[i] = (struct drm_ferry_migrate_entry){ at.bo[i].handle,
							       placement };
	return __ferry_migrate(at.fd, entries, at.bos);
}

/* After a failure each BO is at its old or its new placement. */
static void before_to_aperture(void)
{
	igt_assert_eq(migrate_all(SYSTEM), 0);
}

static int op_to_aperture(void)
{
	return migrate_all(APERTURE);
}

static void before_to_system(void)
{
	igt_assert_eq(migrate_all(APERTURE), 0);
}

static int op_to_system(void)
{
	return migrate_all(SYSTEM);
}

static void begin_async(void)
{
	begin_migrate();
	igt_assert_eq(drmSyncobjCreate(at.fd, 0, &at.syncobj), 0);
}

static void before_async(void)
{
	before_to_aperture();
	igt_assert_eq(drmSyncobjReset(at.fd, &at.syncobj, 1), 0);
}

static int migrate_all_async(uint32_t placement)
{
	struct drm_ferry_migrate_entry entries[ARRAY_SIZE(at.bo)];
	struct drm_ferry_sync out = { .handle = at.syncobj };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(entries),
		.count = at.bos,
		.out_syncs = to_user_pointer(&out),
		.out_count = 1,
	};

	for (unsigned int i = 0; i < at.bos; i++)
		entries[i] = (struct drm_ferry_migrate_entry){ at.bo[i].handle,
							       placement };
	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_MIGRATE, &args);
}

static int op_async(void)
{
	return migrate_all_async(APERTURE);
}

static int op_async_to_system(void)
{
	return migrate_all_async(SYSTEM);
}

/* Pages in use and kept pages: a move to system memory must not free any. */
static uint64_t pages(void)
{
	return igt_ferry_stat(at.fd, "system_pages") +
	       igt_ferry_stat(at.fd, "kept_pages");
}

static void before_async_to_system(void)
{
	before_to_system();
	igt_assert_eq(drmSyncobjReset(at.fd, &at.syncobj, 1), 0);
	at.pages = pages();
}

/* A BO that stays in the aperture has the same kept pages as before. */
static void check_async_to_system(void)
{
	check_bos();
	igt_assert_eq_u64(pages(), at.pages);
}

static void undo_async(void)
{
	igt_assert_eq(drmSyncobjWait(at.fd, &at.syncobj, 1, INT64_MAX, 0, NULL),
		      0);
}

/* More BOs than fit into the aperture: each pass evicts some. */
static void begin_evict(void)
{
	struct drm_ferry_device_query query;

	ferry_device_query(at.fd, &query);
	for (unsigned int i = 0; i < 6; i++)
		add_bo(query.aperture_size / 5 & -PAGE, at.kind);
}

static void before_evict(void)
{
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.bo[5].handle, SYSTEM), 0);
	for (unsigned int i = 0; i < 5; i++)
		__ferry_bo_migrate(at.fd, at.bo[i].handle, APERTURE);
}

static int op_evict(void)
{
	return __ferry_bo_migrate(at.fd, at.bo[5].handle, APERTURE);
}

/* ---- dma-buf ---- */

/* vgem takes segments of at most 64 KiB, the default of the DMA layer. */
#define EXPORT_SIZE (15 * PAGE)

static void before_export(void)
{
	struct igt_ferry_bo *bo = &at.bo[0];

	igt_ferry_bo_init(bo, at.fd, EXPORT_SIZE, at.kind);
	igt_ferry_bo_fill(bo);
	at.handle = bo->handle;
	at.file = -1;
}

static int op_export(void)
{
	return result(drmPrimeHandleToFD(at.fd, at.handle,
					 DRM_CLOEXEC | DRM_RDWR, &at.file));
}

/* Find it by its name: there is no other dma-buf. */
static void lost_file(void)
{
	char path[64], target[PATH_MAX];

	for (int file = 3; file < 64; file++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		len = readlink(path, target, sizeof(target) - 1);
		if (len > 0 && !strncmp(target, "/dmabuf:", 8))
			close(file);
	}
}

static void check_export(void)
{
	if (at.file >= 0)
		close(at.file);
	igt_ferry_bo_check(&at.bo[0]);
	igt_ferry_bo_fini(&at.bo[0]);
}

/* An import by another device pins the BO, and maps it for that device. */
static void begin_import(void)
{
	igt_require_f(igt_kmod_is_loaded("vgem") || !igt_kmod_load("vgem", ""),
		      "there is no vgem to import into\n");
	__set_forced_driver("vgem");
	at.other = __drm_open_driver(DRIVER_VGEM);
	__set_forced_driver("ferry");
	igt_require_f(at.other >= 0, "vgem has no device\n");
	/* vgem, which may have been loaded just now, is one of the modules */
	igt_ferry_inject_modules();
}

static void before_import(void)
{
	before_export();
	igt_assert_eq(op_export(), 0);
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.handle, APERTURE), 0);
}

static uint32_t imported, last_imported;

static void lost_imported(void)
{
	__ferry_bo_close(at.other, last_imported);
}

static int op_import(void)
{
	imported = 0;
	return result(drmPrimeFDToHandle(at.other, at.file, &imported));
}

static void check_import(void)
{
	if (imported) {
		last_imported = imported;
		gem_close(at.other, imported);
	}
	check_export();
}

/* ---- evictions without system memory ---- */

/* Create a BO of half of the aperture that never had system pages, and thus has none to keep. */
static void add_without_pages(struct igt_ferry_bo *bo, int fd, size_t size)
{
	struct igt_ferry_kind kind = igt_ferry_movable_kinds[0];

	kind.placement = APERTURE;
	igt_ferry_bo_init(bo, fd, size, &kind);
	igt_ferry_bo_fill(bo);
}

static void add_in_system(struct igt_ferry_bo *bo, int fd, size_t size)
{
	igt_ferry_bo_init(bo, fd, size, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(bo);
}

static size_t half_aperture(int fd)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	return (query.aperture_size -
		igt_ferry_stat(fd, "aperture_unevictable")) /
		       2 &
	       -PAGE;
}

/*
 * Move the BO to the aperture while no pages can be allocated for any BO. Return 0 or -errno,
 * and how long the call took.
 */
static int migrate_starved(const struct igt_ferry_bo *bo, uint64_t *ns)
{
	struct timespec start = {};
	int err;

	igt_ferry_inject_only("ttm_pool_alloc");
	igt_ferry_inject_starve(true);
	igt_nsec_elapsed(&start);
	err = __ferry_bo_migrate(bo->fd, bo->handle, APERTURE);
	*ns = igt_nsec_elapsed(&start);
	igt_ferry_inject_starve(false);
	igt_ferry_inject_anywhere();
	return err;
}

/**
 * SUBTEST: evict-next
 * Description: if the BO that is the first to be evicted lacks system memory, the next one is evicted into its kept pages
 */
static void test_evict_next(int fd)
{
	const size_t size = half_aperture(fd);
	struct igt_ferry_bo first, second, bo;
	uint64_t ns;

	add_without_pages(&first, fd, size);
	add_in_system(&second, fd, size);
	ferry_bo_migrate(fd, second.handle, APERTURE);
	add_in_system(&bo, fd, size);
	igt_assert_eq(ferry_bo_placement(fd, first.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, second.handle), APERTURE);

	igt_assert_eq(migrate_starved(&bo, &ns), 0);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, first.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, second.handle), SYSTEM);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&first);
	igt_ferry_bo_check(&second);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&first);
	igt_ferry_bo_fini(&second);
}

/**
 * SUBTEST: evict-none
 * Description: if no BO can be evicted for lack of system memory, a move to the aperture fails with ENOMEM and is not retried for a second
 */
static void test_evict_none(int fd)
{
	const size_t size = half_aperture(fd);
	struct igt_ferry_bo first, second, bo;
	uint64_t shortest = UINT64_MAX, ns;

	add_without_pages(&first, fd, size);
	add_without_pages(&second, fd, size);
	add_in_system(&bo, fd, size);
	/* the virtual machine can be slow for a moment */
	for (int i = 0; i < 5; i++) {
		igt_assert_eq(migrate_starved(&bo, &ns), -ENOMEM);
		shortest = ns < shortest ? ns : shortest;
		igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	}
	igt_info("the call took %" PRIu64 " us\n", shortest / 1000);
	igt_assert_lt_u64(shortest, IGT_FERRY_SECOND / 2);
	igt_assert_eq(ferry_bo_placement(fd, first.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, second.handle), APERTURE);

	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&first);
	igt_ferry_bo_check(&second);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&first);
	igt_ferry_bo_fini(&second);
}

static const struct igt_ferry_test tests[] = {
	{ "evict-next",
	  "if the BO that is the first to be evicted lacks system memory, the next one is evicted into its kept pages",
	  test_evict_next },
	{ "evict-none",
	  "if no BO can be evicted for lack of system memory, a move to the aperture fails with ENOMEM and is not retried for a second",
	  test_evict_none },
	{}
};

static const struct path paths[] = {
	{ "migrate-to-aperture", begin_migrate, before_to_aperture,
	  op_to_aperture, NULL, check_bos, .moves_others = true },
	{ "migrate-to-system", begin_migrate, before_to_system, op_to_system,
	  NULL, check_bos, .moves_others = true },
	{ "migrate-async", begin_async, before_async, op_async, undo_async,
	  check_bos, .moves_others = true },
	{ "migrate-async-to-system", begin_async, before_async_to_system,
	  op_async_to_system, undo_async, check_async_to_system,
	  .moves_others = true },
	{ "evict", begin_evict, before_evict, op_evict, NULL, check_bos,
	  .moves_others = true },
	{ "export", NULL, before_export, op_export, NULL, check_export,
	  .lost = lost_file },
	{ "import", begin_import, before_import, op_import, NULL, check_import,
	  lost_imported, .moves_others = true },
	{}
};

/**
 * SUBTEST: %s-%s
 * Description: each allocation and copy of the call fails once: the call returns a documented error, and nothing has changed
 *
 * arg[1]:
 *
 * @migrate-to-aperture: move to the aperture
 * @migrate-to-system: move to system memory
 * @migrate-async: move to the aperture with an out-sync
 * @migrate-async-to-system: move to system memory with an out-sync
 * @evict: move to a full aperture
 * @export: export as a dma-buf
 * @import: import of the dma-buf by another device, which pins the BO
 *
 * arg[2]:
 *
 * @cached: cached system memory
 * @wc: write-combining system memory
 * @cached-contiguous: cached system memory, contiguous range of the aperture
 * @wc-contiguous: write-combining system memory, contiguous range of the aperture
 */
igt_main
{
	int fd = -1;

	igt_fixture fd = begin_paths();

	run_paths(paths, igt_ferry_movable_kinds, fd);
	igt_ferry_run_tests(fd, tests);
}
