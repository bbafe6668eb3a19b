// SPDX-License-Identifier: MIT
/**
 * TEST: ferry pressure
 * Category: Core
 * Description: Memory runs short: who gives way, who is told no, and whose bytes are safe
 */
#include <fcntl.h>
#include <sys/swap.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_aux.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Memory runs short: who gives way, who is told no, whose bytes are safe");

#define BO_SIZE (2ul << 20)
#define MAX_BOS 1024

/* To fill a large machine takes too long; and somebody else may need its memory. */
#define SMALL_KIB (1024 * 1024)
#define WANTED "vm/run --memory 640M --swap 1G"

struct set {
	struct igt_ferry_bo bo[MAX_BOS];
	unsigned int count;
};

static struct set set;

static long meminfo(const char *field)
{
	return igt_ferry_field("/proc/meminfo", field);
}

static long vmstat(const char *field)
{
	return igt_ferry_field("/proc/vmstat", field);
}

/* Swap space that is turned off */
static char swaps[4][128];
static unsigned int swap_count;

static void swap_on(int sig)
{
	(void)sig;
	while (swap_count)
		swapon(swaps[--swap_count], 0);
}

static void swap_off(void)
{
	FILE *file = fopen("/proc/swaps", "r");
	char line[256];

	igt_assert(file);
	igt_install_exit_handler(swap_on);
	while (swap_count < ARRAY_SIZE(swaps) &&
	       fgets(line, sizeof(line), file))
		if (sscanf(line, "/%126s", swaps[swap_count] + 1) == 1) {
			swaps[swap_count][0] = '/';
			igt_assert_eq(swapoff(swaps[swap_count]), 0);
			swap_count++;
		}
	fclose(file);
}

/* Little memory, with the machine's swap space or without any */
static void require_small(bool swap)
{
	igt_require_f(meminfo("MemTotal") <= SMALL_KIB,
		      "fills all of memory, and this machine has a lot: " WANTED
		      "\n");
	if (swap) {
		swap_on(0);
		igt_require_f(igt_get_total_swap_mb(),
			      "no swap space: " WANTED "\n");
	} else {
		swap_off();
		igt_assert_eq(igt_get_total_swap_mb(), 0);
	}
}

/*
 * A BO with pages in system memory: it begins in the aperture, and its way down is
 * what allocates them, in a call that can fail.
 */
static int add(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_kind up = *kind;
	struct igt_ferry_bo *bo = &set.bo[set.count];
	int err;

	igt_assert(set.count < MAX_BOS);
	up.placement = APERTURE;
	err = __igt_ferry_bo_init(bo, fd, BO_SIZE, &up);
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

/* What was freed is not counted as free at once: processors keep some pages for themselves. */
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

/* Whether a process can still have and use so much memory of its own. */
static bool others_can_have(long kib)
{
	pid_t child = fork();
	int status;

	igt_assert(child >= 0);
	if (!child) {
		char *map = mmap(NULL, kib << 10, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (map == MAP_FAILED)
			_exit(1);
		for (long i = 0; i < kib << 10; i += PAGE)
			map[i] = i >> 12 | 1;
		for (long i = 0; i < kib << 10; i += PAGE)
			if (map[i] != (char)(i >> 12 | 1))
				_exit(2);
		_exit(0);
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	return status == 0;
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
 * Description: BOs fill memory until one is told ENOMEM; nobody is killed, and no byte is lost
 *
 * arg[1].values: cached, wc
 */
static void test_enomem(int fd, const struct igt_ferry_kind *kind)
{
	long kills = vmstat("oom_kill"), available;
	struct timespec start = {};
	int err;

	require_small(false);
	available = meminfo("MemAvailable");
	do {
		err = add(fd, kind);
	} while (!err);
	igt_assert_eq(err, -ENOMEM);
	igt_info("%ld MiB of BOs, of %ld that were free, of %ld in all\n",
		 set_kib() >> 10, available >> 10, meminfo("MemTotal") >> 10);
	/* as much as there is, but for the reserve */
	igt_assert_lt(available / 100 * 85, set_kib());

	/* and so on, without hanging; the kernel may find a little that others had */
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

	/* room again when some go */
	available = meminfo("MemAvailable");
	for (int i = 0; i < 8; i++)
		igt_ferry_bo_fini(&set.bo[--set.count]);
	igt_info("%ld KiB are free, and %ld after eight BOs are gone\n",
		 available, meminfo("MemAvailable"));
	for (int i = 0; i < 4; i++)
		igt_assert_eq(add_soon(fd, kind), 0);
	clear();
	igt_assert_eq(vmstat("oom_kill"), kills);
}

/* Processor time of a process so far */
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
 * SUBTEST: touch
 * Description: who touches a BO that there is no memory for sleeps, is not killed, and goes on
 */
/*
 * A fault may say that there is no memory, or that the page is not there for good. The
 * kernel repeats the first for as long as it takes.
 */
static void test_touch(int fd)
{
	long kills = vmstat("oom_kill");
	struct igt_ferry_bo bo;
	struct timespec start = {};
	int start_it[2], status = 0;
	double used;
	pid_t child;

	require_small(false);
	igt_ferry_bo_init(&bo, fd, 16 * BO_SIZE, &igt_ferry_fixed_kinds[0]);
	/* before there are other BOs: it would share them */
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
	igt_info("waiting took %.2f of 2 seconds of a processor\n", used);
	igt_assert_f(!waitpid(child, &status, WNOHANG),
		     "there was memory, or the one who touched ended: %#x\n",
		     status);
	/* sanitizers make each try long; without a pause it is nearly all of the two seconds */
	igt_assert_f(used < 1, "it waits by trying without a pause\n");
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	igt_assert_eq(vmstat("oom_kill"), kills);

	/* there is memory again */
	clear();
	igt_nsec_elapsed(&start);
	while (!waitpid(child, &status, WNOHANG)) {
		if (igt_seconds_elapsed(&start) > 60) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
			igt_assert_f(0, "the touch never ends\n");
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
 * Description: under pressure from others BOs that nobody needs go, and those that are needed stay
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
	/* more than is free, less than that and what can be purged */
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
	igt_info("%u of %u were purged\n", purged, (set.count + 1) / 2);
	igt_assert_lt(0, purged);
	igt_assert_eq(vmstat("oom_kill"), kills);
	clear();
}

/**
 * SUBTEST: purged-for-bos
 * Description: a BO that finds no memory gets that of purgeable ones
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
	igt_info("%u BOs took the place of %u\n", needed, before / 2);
	igt_assert_lt(before / 2 - before / 10, needed);
	for (unsigned int i = before / 2; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	clear();
}

/**
 * SUBTEST: kept-first
 * Description: a BO that finds no memory gets what BOs in the aperture keep, before any contents go
 */
static void test_kept_first(int fd)
{
	struct igt_ferry_bo up[4];
	uint64_t purged;
	int err;

	require_small(false);
	for (unsigned int i = 0; i < ARRAY_SIZE(up); i++) {
		igt_ferry_bo_init(&up[i], fd, BO_SIZE,
				  &igt_ferry_movable_kinds[i & 1]);
		igt_ferry_bo_fill(&up[i]);
		ferry_bo_migrate(fd, up[i].handle, APERTURE);
	}
	igt_assert_eq(add(fd, &igt_ferry_movable_kinds[0]), 0);
	igt_assert_eq_u32(madvise_bo(&set.bo[0], DRM_FERRY_MADV_DONTNEED), 1);
	igt_assert_lte_u64(ARRAY_SIZE(up) * BO_SIZE / PAGE,
			   igt_ferry_stat(fd, "kept_pages"));
	purged = igt_ferry_stat(fd, "purged");
	do {
		err = add(fd, &igt_ferry_movable_kinds[0]);
	} while (!err && igt_ferry_stat(fd, "purged") == purged);
	igt_info("%u BOs, and then %d\n", set.count, err);
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + 1);
	igt_assert_eq_u64(igt_ferry_stat(fd, "kept_pages"), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(up); i++)
		igt_ferry_bo_check(&up[i]);
	for (unsigned int i = 1; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	clear();
	for (unsigned int i = 0; i < ARRAY_SIZE(up); i++) {
		ferry_bo_migrate(fd, up[i].handle, SYSTEM);
		igt_ferry_bo_check(&up[i]);
		igt_ferry_bo_fini(&up[i]);
	}
}

/* What this leaves of memory is soon full. */
#define LEFT_MIB 48
static bool locked;

/**
 * SUBTEST: swap-%s
 * Description: with swap space idle BOs go there, more than memory holds, and come back whole
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
	/* there may be more than that, in TTM's pool for one */
	while (set_kib() < left * 1024 / 10 * 13 ||
	       vmstat("pswpout") - out < (LEFT_MIB / 4) << 8)
		igt_assert_eq(add(fd, kind), 0);
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_check(&set.bo[i]);
	/* and up, from there */
	for (unsigned int i = 0; i < set.count; i += 16) {
		ferry_bo_migrate(fd, set.bo[i].handle, APERTURE);
		igt_ferry_bo_check(&set.bo[i]);
	}
	out = vmstat("pswpout") - out;
	in = vmstat("pswpin") - in;
	igt_info(
		"%ld MiB of BOs in %ld MiB of memory; %ld MiB went out and %ld came in\n",
		set_kib() >> 10, left, out >> 8, in >> 8);
	igt_assert_lt(0, out);
	igt_assert_lt(0, in);
	igt_assert_eq(vmstat("oom_kill"), kills);
	clear();
}

/* Each subtest begins with all of the memory, however the last one ended. */
static int begin(int fd)
{
	set.count = 0;
	if (locked)
		igt_unlock_mem();
	locked = false;
	return igt_ferry_begin(fd);
}

/* Pages that TTM keeps for later, of all kinds, devices and, since Linux 7, nodes */
static long pool_pages(void)
{
	FILE *file = fopen("/sys/kernel/debug/ttm/page_pool", "r");
	long pages = -1, node;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "total%*[^:]: %ld", &node) == 1)
			pages = (pages < 0 ? 0 : pages) + node;
	if (file)
		fclose(file);
	igt_assert_lte(0, pages);
	return pages;
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
 * Description: pages of write-combining BOs are kept for the next ones, and given back when memory is short
 */
static void test_wc_pool(int fd)
{
	struct direct_map first, then, later;
	long before, full, after, available, wanted, kills = vmstat("oom_kill");
	unsigned int count;

	require_small(false);
	/* an empty pool to begin with */
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
	/* the pool serves them, and the direct map is not split again and again */
	igt_assert_lt(before, full);
	igt_assert_lte(later.splits - then.splits,
		       (then.splits - first.splits) / 4 + 4);

	wanted = available / 10 * 8;
	available = meminfo("MemAvailable");
	igt_assert(others_can_have(wanted));
	after = pool_pages();
	direct_map_get(&later);
	igt_info(
		"pool: %ld MiB, and %ld after others needed %ld MiB and had %ld; DirectMap4k %ld KiB, DirectMap2M %ld KiB\n",
		full >> 8, after >> 8, wanted >> 10, available >> 10,
		later.kib_4k, later.kib_2m);
	/* what was not free without that; pages are of 4 KiB */
	igt_assert_lte(wanted - available, (full - after) * 4 + 16384);
	igt_assert_lt(after, full);
	igt_assert_eq(vmstat("oom_kill"), kills);
}

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
	}

	for (int i = 0; i < 2; i++) {
		const struct igt_ferry_kind *kind = &igt_ferry_movable_kinds[i];

		igt_describe("BOs fill memory until one is told ENOMEM");
		igt_subtest_f("enomem-%s", kind->name)
		{
			test_enomem(begin(fd), kind);
		}

		igt_describe(
			"With swap space idle BOs go there, and come back whole");
		igt_subtest_f("swap-%s", kind->name)
		{
			test_swap(begin(fd), kind);
		}
	}

	igt_describe(
		"Who touches a BO that there is no memory for waits, and goes on");
	igt_subtest("touch")
	{
		test_touch(begin(fd));
	}

	igt_describe(
		"BOs that nobody needs go, and those that are needed stay");
	igt_subtest("purgeable-first")
	{
		test_purgeable_first(begin(fd));
	}

	igt_describe("A BO that finds no memory gets that of purgeable ones");
	igt_subtest("purged-for-bos")
	{
		test_purged_for_bos(begin(fd));
	}

	igt_describe("What BOs in the aperture keep goes before any contents");
	igt_subtest("kept-first")
	{
		test_kept_first(begin(fd));
	}

	igt_describe(
		"Pages of write-combining BOs are given back when memory is short");
	igt_subtest("wc-pool")
	{
		test_wc_pool(begin(fd));
	}

	igt_fixture
	{
		close(fd);
	}
}
