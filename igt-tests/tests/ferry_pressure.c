// SPDX-License-Identifier: MIT
/**
 * TEST: ferry pressure
 * Category: Core
 * Description: Memory pressure: ENOMEM, purges, kept pages, swap, and the pool of write-combining pages
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_aux.h"

#include "igt_ferry.h"
#include "small_memory.h"

IGT_TEST_DESCRIPTION(
	"Memory pressure: ENOMEM, purges, kept pages, swap, and the pool of write-combining pages");

#define BO_SIZE (2ul << 20)
#define MAX_BOS 1024

struct set {
	struct igt_ferry_bo bo[MAX_BOS];
	unsigned int count;
};

static struct set set;

/*
 * Create a BO with pages in system memory. It starts in the aperture, so that migrate
 * allocates the pages and can return -ENOMEM; a fault could not.
 */
static int add(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_kind in_aperture = *kind;
	struct igt_ferry_bo *bo = &set.bo[set.count];
	int err;

	igt_assert(set.count < MAX_BOS);
	in_aperture.placement = APERTURE;
	err = __igt_ferry_bo_init(bo, fd, BO_SIZE, &in_aperture);
	if (err)
		return err;
	err = __ferry_bo_migrate(fd, bo->handle, SYSTEM);
	if (err) {
		gem_close(fd, bo->handle);
		return err;
	}
	bo->map = ferry_bo_mmap(fd, bo->handle, bo->size);
	igt_ferry_bo_fill(bo);
	set.count++;
	return 0;
}

/* Retry for 3 seconds: freed pages may be on the per-CPU lists of the page allocator. */
static int add_soon(int fd, const struct igt_ferry_kind *kind)
{
	struct timespec start = {};
	int err;

	while ((err = add(fd, kind)) == -ENOMEM &&
	       igt_seconds_elapsed(&start) < 3)
		usleep(20000);
	return err;
}

static void clear(void)
{
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_fini(&set.bo[i]);
	set.count = 0;
}

static long set_kib(void)
{
	return set.count * (BO_SIZE >> 10);
}

static uint32_t madvise_bo(const struct igt_ferry_bo *bo, uint32_t madv)
{
	struct drm_ferry_bo_madvise args = { .handle = bo->handle,
					     .madv = madv };

	igt_assert_eq(__ferry_ioctl(bo->fd, DRM_IOCTL_FERRY_BO_MADVISE, &args),
		      0);
	return args.retained;
}

/**
 * SUBTEST: enomem-%s
 * Description: When BOs have filled memory migrate fails with ENOMEM; the OOM killer does not run, and all contents stay
 *
 * arg[1].values: cached, wc
 */
static void test_enomem(int fd, const struct igt_ferry_kind *kind)
{
	long kills = vmstat("oom_kill"), available;
	struct timespec start = {};
	int err;

	require_small(false);
	limit_page_lists();
	available = meminfo("MemAvailable");
	do {
		err = add(fd, kind);
	} while (!err);
	igt_assert_eq(err, -ENOMEM);
	igt_info(
		"%ld MiB of BOs, of %ld MiB that were available, of %ld MiB in total\n",
		set_kib() >> 10, available >> 10, meminfo("MemTotal") >> 10);
	/* all but the reserve of the page allocator could be used */
	igt_assert_lt(available / 100 * 85, set_kib());

	/* further calls fail, too, and do not hang; reclaim from others may let a few succeed */
	for (int refused = 0, more = 0; refused < 5;) {
		err = add(fd, kind);
		if (err) {
			igt_assert_eq(err, -ENOMEM);
			refused++;
		} else {
			igt_assert_lt(more++, 8);
		}
	}
	igt_assert(igt_seconds_elapsed(&start) < 120);
	igt_assert(others_can_have(4096));
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	igt_assert_eq(vmstat("oom_kill"), kills);

	/* freed memory can be used again */
	available = meminfo("MemAvailable");
	for (int i = 0; i < 8; i++)
		igt_ferry_bo_fini(&set.bo[--set.count]);
	igt_info(
		"%ld KiB are available, and %ld KiB after eight BOs are freed\n",
		available, meminfo("MemAvailable"));
	for (int i = 0; i < 4; i++)
		igt_assert_eq(add_soon(fd, kind), 0);
	clear();
	igt_assert_eq(vmstat("oom_kill"), kills);
}

/* Return the CPU time of a process so far. */
static double seconds_used(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	igt_assert(file);
	igt_assert_eq(fscanf(file,
			     "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u "
			     "%*u %*u %*u %lu %lu",
			     &user, &kernel),
		      2);
	fclose(file);
	return (double)(user + kernel) / sysconf(_SC_CLK_TCK);
}

/**
 * SUBTEST: fault
 * Description: A process that faults on a BO while no memory is free waits without using the CPU, and goes on later
 */
/*
 * The fault handler returns VM_FAULT_OOM or VM_FAULT_SIGBUS. For the first one, the kernel
 * repeats the access without a limit.
 */
static void test_fault(int fd)
{
	long kills = vmstat("oom_kill");
	struct igt_ferry_bo bo;
	struct timespec start = {};
	int start_it[2], status = 0;
	double used;
	pid_t child;

	require_small(false);
	igt_ferry_bo_init(&bo, fd, 16 * BO_SIZE, &igt_ferry_single_kinds[0]);
	/* fork before the other BOs exist: the child would inherit their mappings */
	igt_assert_eq(pipe(start_it), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		char go;

		if (read(start_it[0], &go, 1) != 1)
			_exit(2);
		for (size_t i = 0; i < bo.size; i += PAGE)
			((volatile char *)bo.map)[i] = 1;
		_exit(0);
	}
	while (!add(fd, &igt_ferry_movable_kinds[0]))
		;
	igt_assert_eq(write(start_it[1], "g", 1), 1);
	sleep(1);
	used = seconds_used(child);
	sleep(2);
	used = seconds_used(child) - used;
	igt_info("the process used %.2f s of CPU time in 2 s\n", used);
	igt_assert_f(
		!waitpid(child, &status, WNOHANG),
		"the process ended with status %#x before memory was freed\n",
		status);
	/* a retry without a pause uses nearly 2 s; sanitizers make each retry longer */
	igt_assert_f(used < 1, "the fault is retried without a pause\n");
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	igt_assert_eq(vmstat("oom_kill"), kills);

	/* free the memory */
	clear();
	igt_nsec_elapsed(&start);
	while (!waitpid(child, &status, WNOHANG)) {
		if (igt_seconds_elapsed(&start) > 60) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
			igt_assert_f(
				0,
				"the access has not ended 60 s after memory was freed\n");
		}
		usleep(10000);
	}
	igt_assert_eq(status, 0);
	igt_assert_eq(vmstat("oom_kill"), kills);
	close(start_it[0]);
	close(start_it[1]);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: purgeable-first
 * Description: When another process needs memory, BOs that are not needed are purged and needed ones stay
 */
static void test_purgeable_first(int fd)
{
	long kills = vmstat("oom_kill"), total = meminfo("MemAvailable");
	unsigned int purged = 0;

	require_small(false);
	while (set_kib() < total / 10 * 7)
		igt_assert_eq(add(fd, &igt_ferry_movable_kinds[0]), 0);
	for (unsigned int i = 0; i < set.count; i += 2)
		igt_assert_eq_u32(
			madvise_bo(&set.bo[i], DRM_FERRY_MADV_DONTNEED), 1);
	/* more than is free, but less than with the purgeable BOs */
	igt_assert(others_can_have(total / 2));
	for (unsigned int i = 0; i < set.count; i++) {
		struct igt_ferry_bo *bo = &set.bo[i];

		if (i & 1) {
			igt_ferry_bo_check(bo);
			continue;
		}
		if (madvise_bo(bo, DRM_FERRY_MADV_WILLNEED)) {
			igt_ferry_bo_check(bo);
			continue;
		}
		purged++;
		igt_assert_eq(igt_ferry_read_signal(bo->map), SIGBUS);
		igt_assert_eq_u32(madvise_bo(bo, DRM_FERRY_MADV_WILLNEED), 0);
	}
	igt_info("%u of %u BOs were purged\n", purged, (set.count + 1) / 2);
	igt_assert_lt(0, purged);
	igt_assert_eq(vmstat("oom_kill"), kills);
	clear();
}

/**
 * SUBTEST: purged-for-bos
 * Description: When memory is full, creating a BO purges BOs that are not needed
 */
static void test_purged_for_bos(int fd)
{
	unsigned int before, needed;

	require_small(false);
	while (!add(fd, &igt_ferry_movable_kinds[0]))
		;
	before = set.count;
	for (unsigned int i = 0; i < before / 2; i++)
		madvise_bo(&set.bo[i], DRM_FERRY_MADV_DONTNEED);
	while (!add(fd, &igt_ferry_movable_kinds[0]))
		;
	needed = set.count - before;
	igt_info("%u BOs use the memory of %u purged ones\n", needed,
		 before / 2);
	igt_assert_lt(before / 2 - before / 10, needed);
	for (unsigned int i = before / 2; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	clear();
}

/**
 * SUBTEST: kept-first
 * Description: When memory is full, creating a BO frees kept pages before it purges contents
 */
static void test_kept_first(int fd)
{
	struct igt_ferry_bo bo[4];
	uint64_t purged;
	int err;

	require_small(false);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_init(&bo[i], fd, BO_SIZE,
				  &igt_ferry_movable_kinds[i & 1]);
		igt_ferry_bo_fill(&bo[i]);
		ferry_bo_migrate(fd, bo[i].handle, APERTURE);
	}
	igt_assert_eq(add(fd, &igt_ferry_movable_kinds[0]), 0);
	igt_assert_eq_u32(madvise_bo(&set.bo[0], DRM_FERRY_MADV_DONTNEED), 1);
	igt_assert_lte_u64(ARRAY_SIZE(bo) * BO_SIZE / PAGE,
			   igt_ferry_stat(fd, "kept_pages"));
	purged = igt_ferry_stat(fd, "purged");
	do {
		err = add(fd, &igt_ferry_movable_kinds[0]);
	} while (!err && igt_ferry_stat(fd, "purged") == purged);
	igt_info("%u BOs until the first purge; last error %d\n", set.count,
		 err);
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + 1);
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_check(&bo[i]);
	for (unsigned int i = 1; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	clear();
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		ferry_bo_migrate(fd, bo[i].handle, SYSTEM);
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
}

/* MiB of memory that igt_lock_mem() leaves, so that little is needed to fill it */
#define LEFT_MIB 48
static bool locked;

/**
 * SUBTEST: swap-%s
 * Description: BOs that exceed memory are swapped out and come back with their contents
 *
 * arg[1].values: cached, wc
 */
static void test_swap(int fd, const struct igt_ferry_kind *kind)
{
	long kills = vmstat("oom_kill"), out = vmstat("pswpout"),
	     in = vmstat("pswpin"), left;

	require_small(true);
	left = igt_get_avail_ram_mb();
	if (left > LEFT_MIB) {
		igt_lock_mem(left - LEFT_MIB);
		locked = true;
		left = LEFT_MIB;
	}
	/* more may be free than was measured, for example pages in TTM's pool */
	while (set_kib() < left * 1024 / 10 * 13 ||
	       vmstat("pswpout") - out < (LEFT_MIB / 4) << 8)
		igt_assert_eq(add(fd, kind), 0);
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	/* move some from swap to the aperture */
	for (unsigned int i = 0; i < set.count; i += 16) {
		ferry_bo_migrate(fd, set.bo[i].handle, APERTURE);
		igt_ferry_bo_check(&set.bo[i]);
	}
	out = vmstat("pswpout") - out;
	in = vmstat("pswpin") - in;
	igt_info(
		"%ld MiB of BOs in %ld MiB of memory; %ld MiB swapped out, %ld MiB swapped in\n",
		set_kib() >> 10, left, out >> 8, in >> 8);
	igt_assert_lt(0, out);
	igt_assert_lt(0, in);
	igt_assert_eq(vmstat("oom_kill"), kills);
	clear();
}

/* Free the memory that a failed subtest has locked. */
static int begin(int fd)
{
	set.count = 0;
	if (locked)
		igt_unlock_mem();
	locked = false;
	return igt_ferry_begin(fd);
}

struct direct_map {
	long splits;
	long kib_4k;
	long kib_2m;
};

static void direct_map_get(struct direct_map *map)
{
	map->splits = vmstat("direct_map_level2_splits");
	map->kib_4k = meminfo("DirectMap4k");
	map->kib_2m = meminfo("DirectMap2M");
}

static void wc_round(int fd, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		igt_assert_eq(add(fd, &igt_ferry_movable_kinds[1]), 0);
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	clear();
}

/**
 * SUBTEST: wc-pool
 * Description: TTM's pool reuses pages of write-combining BOs, and frees them when memory is short
 */
static void test_wc_pool(int fd)
{
	struct direct_map first, then, later;
	long before, full, after, available, wanted, kills = vmstat("oom_kill");
	unsigned int count;

	require_small(false);
	/* start with an empty pool */
	igt_assert(others_can_have(
		(meminfo("MemAvailable") + pool_pages() * 4) / 10 * 9));
	available = meminfo("MemAvailable");
	count = available / 2 / (BO_SIZE >> 10);
	before = pool_pages();
	direct_map_get(&first);
	wc_round(fd, count);
	direct_map_get(&then);
	full = pool_pages();
	for (int i = 0; i < 5; i++)
		wc_round(fd, count);
	direct_map_get(&later);
	igt_info(
		"direct map: %+ld KiB in 4 KiB pages, %ld splits; five times more: %ld splits\n",
		then.kib_4k - first.kib_4k, then.splits - first.splits,
		later.splits - then.splits);
	/* later BOs use pages of the pool, and do not split the direct map again */
	igt_assert_lt(before, full);
	igt_assert_lte(later.splits - then.splits,
		       (then.splits - first.splits) / 4 + 4);

	wanted = available / 10 * 8;
	available = meminfo("MemAvailable");
	igt_assert(others_can_have(wanted));
	after = pool_pages();
	direct_map_get(&later);
	igt_info(
		"pool: %ld MiB, and %ld MiB after a process used %ld MiB while %ld MiB were available; DirectMap4k %ld KiB, DirectMap2M %ld KiB\n",
		full >> 8, after >> 8, wanted >> 10, available >> 10,
		later.kib_4k, later.kib_2m);
	/* the pool has freed what was not available, with a margin of 16 MiB */
	igt_assert_lte(wanted - available, (full - after) * 4 + 16384);
	igt_assert_lt(after, full);
	igt_assert_eq(vmstat("oom_kill"), kills);
}

/* cached and wc: pages of contiguous BOs are not different in system memory */
static const struct igt_ferry_kind kinds[] = {
	{ "cached", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_CACHED, 0 },
	{ "wc", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_WC, 0 },
	{}
};

static const struct igt_ferry_test tests[] = {
	{ "enomem",
	  "When BOs have filled memory migrate fails with ENOMEM; the OOM killer does not run, and all contents stay",
	  .kinds = kinds, .run_kind = test_enomem },
	{ "swap",
	  "BOs that exceed memory are swapped out and come back with their contents",
	  .kinds = kinds, .run_kind = test_swap },
	{ "fault",
	  "A process that faults on a BO while no memory is free waits without using the CPU, and goes on later",
	  test_fault },
	{ "purgeable-first",
	  "When another process needs memory, BOs that are not needed are purged and needed ones stay",
	  test_purgeable_first },
	{ "purged-for-bos",
	  "When memory is full, creating a BO purges BOs that are not needed",
	  test_purged_for_bos },
	{ "kept-first",
	  "When memory is full, creating a BO frees kept pages before it purges contents",
	  test_kept_first },
	{ "wc-pool",
	  "TTM's pool reuses pages of write-combining BOs, and frees them when memory is short",
	  test_wc_pool },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();
	__igt_ferry_run_tests(tests, begin, fd);
	igt_fixture close(fd);
}
