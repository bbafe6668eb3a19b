// SPDX-License-Identifier: MIT
/**
 * TEST: ferry migrate
 * Category: Core
 * Description: Moving buffer objects: contents, mappings, many at once, and all-or-nothing checks
 */
#include <fcntl.h>
#include <pthread.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_trace.h"

IGT_TEST_DESCRIPTION(
	"Moving buffer objects: contents, mappings, many at once, and checks");

static void check_move(struct igt_ferry_bo *bo, uint32_t placement)
{
	ferry_bo_migrate(bo->fd, bo->handle, placement);
	igt_assert_eq(ferry_bo_placement(bo->fd, bo->handle), placement);
	igt_ferry_bo_check(bo);
}

/**
 * SUBTEST: content-%s
 * Description: contents survive the way up and down, through a mapping that stays in place
 *
 * arg[1]:
 *
 * @cached:		cached system pages
 * @wc:			write-combined system pages
 * @cached-contiguous:	cached system pages, one range of the aperture
 * @wc-contiguous:	write-combined system pages, one range of the aperture
 */
static void test_content(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t sizes[] = { 1,  2,	 3,   15,  16,	17,
					64, 255, 511, 512, 513, 1025 };
	size_t room = igt_ferry_aperture_free(fd) / PAGE;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct igt_ferry_bo bo;

		if (sizes[i] > room / 2)
			continue;
		igt_ferry_bo_init(&bo, fd, sizes[i] * PAGE, kind);
		for (int round = 0; round < 3; round++) {
			igt_ferry_bo_fill(&bo);
			check_move(&bo, APERTURE);
			igt_ferry_bo_fill(&bo);
			igt_ferry_bo_check(&bo);
			check_move(&bo, SYSTEM);
		}
		igt_ferry_bo_fini(&bo);
	}
}

/* Of all processors, as they are alike */
static bool cpu_has(const char *flag)
{
	char line[4096], want[32];
	FILE *file = fopen("/proc/cpuinfo", "r");
	bool found = false;

	igt_assert(file);
	snprintf(want, sizeof(want), " %s ", flag);
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = ' ';
		found = !strncmp(line, "flags", 5) && strstr(line, want);
	}
	fclose(file);
	return found;
}

/**
 * SUBTEST: streaming
 * Description: where the way down reads by streaming loads, each page of each kind is read so, and is whole
 */
static void test_streaming(int fd)
{
	static const size_t sizes[] = { 1, 17, 513 };
	struct drm_ferry_device_query device;
	const struct igt_ferry_kind *kind;

	ferry_device_query(fd, &device);
	igt_require_f(device.aperture_memtype == DRM_FERRY_MEMTYPE_WC,
		      "the aperture is not write-combining\n");
	igt_require_f(cpu_has("sse4_1"), "this processor has none\n");
	igt_require_f(
		!cpu_has("hypervisor"),
		"not used in a machine that says it is virtual: "
		"vm/run --qemu=-cpu --qemu=max,la57=off,hypervisor=off\n");
	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct igt_ferry_bo bo;

			igt_ferry_bo_init(&bo, fd, sizes[i] * PAGE, kind);
			igt_ferry_bo_fill(&bo);
			igt_ferry_trace_begin_probe("p", "drm_memcpy_from_wc");
			check_move(&bo, APERTURE);
			igt_assert_eq(igt_ferry_trace_count("probe: ", ""), 0);
			igt_ferry_bo_fill(&bo);
			check_move(&bo, SYSTEM);
			igt_assert_eq(igt_ferry_trace_count("probe: ", ""),
				      sizes[i]);
			igt_ferry_trace_end();
			igt_ferry_bo_fini(&bo);
		}
	}
}

/**
 * SUBTEST: content-big-%s
 * Description: a BO of most of the aperture moves with its contents
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_content_big(int fd, const struct igt_ferry_kind *kind)
{
	size_t size = ALIGN(igt_ferry_aperture_free(fd) / 4 * 3, PAGE);
	struct igt_ferry_bo bo;
	int err;

	/* for a contiguous one, what is pinned may be in the middle */
	for (;; size = ALIGN(size / 2, PAGE)) {
		igt_assert(size > PAGE);
		igt_ferry_bo_init(&bo, fd, size, kind);
		igt_ferry_bo_fill(&bo);
		err = __ferry_bo_migrate(fd, bo.handle, APERTURE);
		if (!err)
			break;
		igt_assert(kind->flags & DRM_FERRY_BO_CONTIGUOUS);
		igt_assert_eq(err, -ENOSPC);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
	igt_info("%zu KiB\n", size >> 10);
	igt_ferry_bo_check(&bo);
	check_move(&bo, SYSTEM);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: sparse-%s
 * Description: of a BO that is touched here and there only, every page moves with what it has
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void check_sparse(int fd, const struct igt_ferry_kind *kind,
			 size_t pages)
{
	const size_t stride = 7;
	struct igt_ferry_bo bo;
	uint32_t placement = APERTURE;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	for (int round = 0; round < 4; round++) {
		for (size_t page = round; page < pages; page += stride)
			igt_ferry_fill((char *)bo.map + page * PAGE, page, 1,
				       bo.id, 1);
		ferry_bo_migrate(fd, bo.handle, placement);
		placement ^= FERRY_PLACEMENT_BOTH;
		for (size_t page = 0; page < pages; page++) {
			char *p = (char *)bo.map + page * PAGE;

			if (page % stride <= (size_t)round)
				igt_ferry_check(p, page, 1, bo.id, 1);
			else
				igt_ferry_check_zero(p, PAGE);
		}
	}
	igt_ferry_bo_fini(&bo);
}

static void test_sparse(int fd, const struct igt_ferry_kind *kind)
{
	check_sparse(fd, kind, 200);
	check_sparse(fd, kind, 1100);
}

/**
 * SUBTEST: unmapped-%s
 * Description: a BO that is not mapped while it moves has its contents when it is mapped again
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_unmapped(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, 33 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	for (int round = 0; round < 4; round++) {
		munmap(bo.map, bo.size);
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
		if (round == 2)
			ferry_bo_migrate(fd, bo.handle, SYSTEM);
		bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		igt_ferry_bo_check(&bo);
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: cache-%s
 * Description: the query tells the cache attribute of the place where the BO is
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_cache(int fd, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_device_query device;
	struct drm_ferry_bo_query q;
	struct igt_ferry_bo bo;

	ferry_device_query(fd, &device);
	igt_ferry_bo_init(&bo, fd, PAGE, kind);
	for (int round = 0; round < 4; round++) {
		ferry_bo_query(fd, bo.handle, &q);
		igt_assert_eq_u32(q.caching, kind->caching);
		if (round & 1)
			igt_assert_eq_u32(q.memtype, device.aperture_memtype);
		else
			igt_assert_eq_u32(
				q.memtype, kind->caching == DRM_FERRY_CACHING_WC ?
						 DRM_FERRY_MEMTYPE_WC :
						 DRM_FERRY_MEMTYPE_WB);
		check_move(&bo, round & 1 ? SYSTEM : APERTURE);
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: fixed-%s
 * Description: a BO that may be at one place only cannot leave it, and may be sent where it is
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_fixed(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, 5 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	check_move(&bo, kind->allowed_placements);
	igt_assert_eq(__ferry_bo_migrate(fd, bo.handle,
					 kind->allowed_placements ^
						 FERRY_PLACEMENT_BOTH),
		      -EINVAL);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), kind->allowed_placements);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: counted
 * Description: the counters tell moves and bytes; a BO that is there already does not move
 */
static void test_counted(int fd)
{
	const size_t size = 24 * PAGE;
	uint64_t up = igt_ferry_stat(fd, "moves_to_aperture"),
		 up_bytes = igt_ferry_stat(fd, "bytes_to_aperture");
	uint64_t down = igt_ferry_stat(fd, "moves_to_system"),
		 down_bytes = igt_ferry_stat(fd, "bytes_to_system");
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, size, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	check_move(&bo, SYSTEM);
	igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_system"), down);
	for (int i = 1; i <= 3; i++) {
		check_move(&bo, APERTURE);
		check_move(&bo, APERTURE);
		igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_aperture"), up + i);
		igt_assert_eq_u64(igt_ferry_stat(fd, "bytes_to_aperture"),
				  up_bytes + i * size);
		check_move(&bo, SYSTEM);
		check_move(&bo, SYSTEM);
		igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_system"), down + i);
		igt_assert_eq_u64(igt_ferry_stat(fd, "bytes_to_system"),
				  down_bytes + i * size);
	}
	igt_ferry_bo_fini(&bo);
}

#define MANY 96

/**
 * SUBTEST: many
 * Description: many BOs move in one call, some up and some down and some not at all
 */
static void test_many(int fd)
{
	struct drm_ferry_migrate_entry entries[MANY];
	struct igt_ferry_bo bo[MANY];
	const struct igt_ferry_kind *kind = igt_ferry_movable_kinds;

	for (unsigned int i = 0; i < MANY; i++) {
		igt_ferry_bo_init(&bo[i], fd, (1 + i % 13) * PAGE, kind);
		igt_ferry_bo_fill(&bo[i]);
		if (!(++kind)->name)
			kind = igt_ferry_movable_kinds;
	}
	for (unsigned int round = 0; round < 6; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			entries[i].handle = bo[(i * 31 + round) % MANY].handle;
			entries[i].placement = (i + round) % 3 ? APERTURE : SYSTEM;
		}
		ferry_migrate(fd, entries, MANY);
		for (unsigned int i = 0; i < MANY; i++)
			igt_assert_eq(ferry_bo_placement(fd, entries[i].handle),
				      entries[i].placement);
		for (unsigned int i = 0; i < MANY; i++)
			igt_ferry_bo_check(&bo[i]);
	}
	for (unsigned int i = 0; i < MANY; i++)
		igt_ferry_bo_fini(&bo[i]);
}

/**
 * SUBTEST: more-than-fits
 * Description: a call for more than the aperture holds leaves every BO whole, here or there
 */
static void test_more_than_fits(int fd)
{
	struct drm_ferry_device_query device;
	struct drm_ferry_migrate_entry *entries;
	struct igt_ferry_bo *bo;
	unsigned int count, above = 0;
	size_t size;
	int err;

	ferry_device_query(fd, &device);
	size = ALIGN(device.aperture_size / 16, PAGE);
	count = 24;
	entries = calloc(count, sizeof(*entries));
	bo = calloc(count, sizeof(*bo));
	igt_assert(entries && bo);
	for (unsigned int i = 0; i < count; i++) {
		igt_ferry_bo_init(&bo[i], fd, size, igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo[i]);
		entries[i].handle = bo[i].handle;
		entries[i].placement = APERTURE;
	}
	err = __ferry_migrate(fd, entries, count);
	igt_assert_f(!err || err == -ENOSPC, "migrate: %s\n", strerror(-err));
	for (unsigned int i = 0; i < count; i++) {
		above += ferry_bo_placement(fd, bo[i].handle) == APERTURE;
		igt_ferry_bo_check(&bo[i]);
	}
	igt_info("%u of %u are in the aperture, result %s\n", above, count,
		 err ? strerror(-err) : "success");
	igt_assert_lt_u64((uint64_t)above * size, device.aperture_size + 1);
	for (unsigned int i = 0; i < count; i++)
		igt_ferry_bo_fini(&bo[i]);
	free(entries);
	free(bo);
}

#define NUM_ENTRIES 9

/* One bad entry among good ones, at every position: no BO may move. */
static void check_bad_entry(int fd, struct igt_ferry_bo *bo,
			    const struct drm_ferry_migrate_entry *bad,
			    int expected)
{
	uint64_t up = igt_ferry_stat(fd, "moves_to_aperture"),
		 down = igt_ferry_stat(fd, "moves_to_system");
	struct drm_ferry_migrate_entry entries[NUM_ENTRIES + 1];

	for (unsigned int position = 0; position <= NUM_ENTRIES; position++) {
		for (unsigned int i = 0, n = 0; i <= NUM_ENTRIES; i++) {
			if (i == position) {
				entries[i] = *bad;
				continue;
			}
			entries[i].handle = bo[n].handle;
			entries[i].placement = n & 1 ? SYSTEM : APERTURE;
			n++;
		}
		igt_assert_eq(__ferry_migrate(fd, entries, NUM_ENTRIES + 1),
			      expected);
		for (unsigned int i = 0; i < NUM_ENTRIES; i++)
			igt_assert_eq(ferry_bo_placement(fd, bo[i].handle),
				      i & 1 ? APERTURE : SYSTEM);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_aperture"), up);
	igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_system"), down);
}

/**
 * SUBTEST: all-or-nothing
 * Description: a bad entry at any position of the array stops the call before a BO moves
 */
static void test_all_or_nothing(int fd)
{
	struct igt_ferry_bo bo[NUM_ENTRIES], other, system, aperture;
	uint32_t closed =
		ferry_bo_create(fd, PAGE, FERRY_PLACEMENT_BOTH, 0, 0, 0);

	for (unsigned int i = 0; i < NUM_ENTRIES; i++) {
		igt_ferry_bo_init(&bo[i], fd, 3 * PAGE,
				  igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo[i]);
		if (i & 1)
			check_move(&bo[i], APERTURE);
	}
	igt_ferry_bo_init(&other, fd, PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_init(&system, fd, PAGE, &igt_ferry_fixed_kinds[0]);
	igt_ferry_bo_init(&aperture, fd, PAGE, &igt_ferry_fixed_kinds[2]);
	gem_close(fd, closed);
	{
		const struct {
			struct drm_ferry_migrate_entry entry;
			int err;
		} bad[] = {
			{ { 0, APERTURE }, -ENOENT },
			{ { closed, APERTURE }, -ENOENT },
			{ { 0x7fffffff, APERTURE }, -ENOENT },
			{ { 0xffffffff, APERTURE }, -ENOENT },
			{ { other.handle, 0 }, -EINVAL },
			{ { other.handle, APERTURE | SYSTEM }, -EINVAL },
			{ { other.handle, 4 }, -EINVAL },
			{ { other.handle, APERTURE | 4 }, -EINVAL },
			{ { other.handle, 0x80000000 }, -EINVAL },
			{ { other.handle, 0xffffffff }, -EINVAL },
			{ { system.handle, APERTURE }, -EINVAL },
			{ { aperture.handle, SYSTEM }, -EINVAL },
			/* BOs 0, 4 and 8 are among the good entries too */
			{ { bo[0].handle, APERTURE }, -EINVAL },
			{ { bo[4].handle, SYSTEM }, -EINVAL },
			{ { bo[8].handle, APERTURE }, -EINVAL },
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
			check_bad_entry(fd, bo, &bad[i].entry, bad[i].err);
	}
	for (unsigned int i = 0; i < NUM_ENTRIES; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
	igt_ferry_bo_fini(&other);
	igt_ferry_bo_fini(&system);
	igt_ferry_bo_fini(&aperture);
}

/**
 * SUBTEST: shared
 * Description: a BO that other clients have mapped moves for all of them
 */
static void test_shared(int fd)
{
	const int clients = 4, rounds = 12;
	volatile uint32_t *turn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct igt_ferry_bo bo;
	int prime;

	igt_assert(turn != MAP_FAILED);
	igt_ferry_bo_init(&bo, fd, 40 * PAGE, igt_ferry_movable_kinds);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR, &prime), 0);

	igt_fork(child, clients)
	{
		int client = igt_ferry_reopen(fd, O_RDWR);
		uint32_t handle;

		igt_assert_eq(drmPrimeFDToHandle(client, prime, &handle), 0);
		bo.map = ferry_bo_mmap(client, handle, bo.size);
		bo.fd = client;
		bo.handle = handle;
		/* each in its turn verifies, writes and moves what all of them see */
		for (uint32_t t = child; t < (uint32_t)(clients * rounds);
		     t += clients) {
			while (READ_ONCE(*turn) != t)
				usleep(200);
			bo.gen = t;
			igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);
			check_move(&bo, t / 2 & 1 ? SYSTEM : APERTURE);
			__atomic_store_n(turn, t + 1, __ATOMIC_SEQ_CST);
		}
		close(client);
	}
	igt_waitchildren_timeout(60, "clients waiting for their turn");
	bo.gen = clients * rounds;
	igt_ferry_bo_check(&bo);
	close(prime);
	igt_ferry_bo_fini(&bo);
	munmap((void *)turn, PAGE);
}

struct mover {
	struct igt_ferry_bo *bo;
	uint32_t placement;
	unsigned int count;
};

static void *mover_thread(void *arg)
{
	struct mover *m = arg;
	struct drm_ferry_migrate_entry entries[4];

	for (unsigned int round = 0; round < 150; round++) {
		for (unsigned int i = 0; i < 4; i++) {
			/* the two threads name the BOs in opposite order */
			entries[i].handle =
				m->bo[m->placement == APERTURE ? i : 3 - i].handle;
			entries[i].placement = m->placement;
		}
		ferry_migrate(m->bo->fd, entries, 4);
		m->count++;
	}
	return NULL;
}

/**
 * SUBTEST: tug-of-war
 * Description: two threads send the same BOs to opposite places, named in opposite order
 */
static void test_tug_of_war(int fd)
{
	struct igt_ferry_bo bo[4];
	struct mover movers[2] = { { bo, APERTURE, 0 }, { bo, SYSTEM, 0 } };
	pthread_t threads[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_init(&bo[i], fd, (8 + i) * PAGE,
				  &igt_ferry_movable_kinds[i]);
		igt_ferry_bo_fill(&bo[i]);
	}
	for (int i = 0; i < 2; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, mover_thread,
					     &movers[i]),
			      0);
	for (int i = 0; i < 50; i++)
		igt_ferry_bo_check(&bo[i % ARRAY_SIZE(bo)]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
}

/**
 * SUBTEST: split-vma-%s
 * Description: every piece of a mapping that was cut, protected and moved follows the BO
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void check_split(struct igt_ferry_bo *bo, size_t unit)
{
	const size_t size = 4 * unit * PAGE;
	char *map = bo->map, *away;

	igt_ferry_bo_fill(bo);
	away = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(away != MAP_FAILED);
	igt_assert_eq(munmap(map + 20 * unit * PAGE, size), 0);
	igt_assert_eq(mprotect(map + 40 * unit * PAGE, size, PROT_READ), 0);
	igt_assert(mremap(map + 60 * unit * PAGE, size, size,
			  MREMAP_MAYMOVE | MREMAP_FIXED, away) == away);

	for (int round = 0; round < 4; round++) {
		ferry_bo_migrate(bo->fd, bo->handle, round & 1 ? SYSTEM : APERTURE);
		igt_ferry_check(away, 60 * unit, 4 * unit, bo->id, 1);
		igt_ferry_check(map + 24 * unit * PAGE, 24 * unit, 36 * unit,
				bo->id, 1);
		igt_ferry_check(map, 0, 20 * unit, bo->id, 1);
		igt_assert_eq(igt_ferry_write_signal(map + 41 * unit * PAGE, 1),
			      SIGSEGV);
		igt_assert_eq(igt_ferry_read_signal(map + 20 * unit * PAGE),
			      SIGSEGV);
	}
	munmap(away, size);
}

static void test_split_vma(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t units[] = { 1, 17, 33 };

	for (unsigned int i = 0; i < ARRAY_SIZE(units); i++) {
		struct igt_ferry_bo bo;

		/* up to four huge pages, cut in the middle of each */
		igt_ferry_bo_init(&bo, fd, 64 * units[i] * PAGE, kind);
		check_split(&bo, units[i]);
		igt_ferry_bo_fini(&bo);
	}
}

struct kind_test {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct igt_ferry_kind *kind);
	const struct igt_ferry_kind *kinds;
};

static const struct kind_test tests[] = {
	{ "content", "Contents survive the way up and down", test_content,
	  igt_ferry_movable_kinds },
	{ "content-big", "A BO of most of the aperture moves with its contents",
	  test_content_big, igt_ferry_movable_kinds },
	{ "sparse", "Of a BO that is touched here and there every page moves",
	  test_sparse, igt_ferry_movable_kinds },
	{ "unmapped", "A BO that is not mapped while it moves has its contents",
	  test_unmapped, igt_ferry_movable_kinds },
	{ "cache", "The query tells the cache attribute of the place",
	  test_cache, igt_ferry_movable_kinds },
	{ "split-vma", "Every piece of a mapping follows the BO",
	  test_split_vma, igt_ferry_movable_kinds },
	{ "fixed", "A BO that may be at one place only cannot leave it",
	  test_fixed, igt_ferry_fixed_kinds },
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		const struct igt_ferry_kind *kind;

		for (kind = tests[i].kinds; kind->name; kind++) {
			igt_describe(tests[i].describe);
			igt_subtest_f("%s-%s", tests[i].name, kind->name)
			{
				tests[i].run(igt_ferry_begin(fd), kind);
			}
		}
	}

	igt_describe(
		"The counters tell moves and bytes; a BO that is there does not move");
	igt_subtest("counted")
	{
		test_counted(igt_ferry_begin(fd));
	}

	igt_describe(
		"The way down reads by streaming loads, and each page is whole");
	igt_subtest("streaming")
	{
		test_streaming(igt_ferry_begin(fd));
	}

	igt_describe(
		"Many BOs move in one call, some up and some down and some not at all");
	igt_subtest("many")
	{
		test_many(igt_ferry_begin(fd));
	}

	igt_describe(
		"A call for more than the aperture holds leaves every BO whole");
	igt_subtest("more-than-fits")
	{
		test_more_than_fits(igt_ferry_begin(fd));
	}

	igt_describe(
		"A bad entry at any position stops the call before a BO moves");
	igt_subtest("all-or-nothing")
	{
		test_all_or_nothing(igt_ferry_begin(fd));
	}

	igt_describe(
		"A BO that other clients have mapped moves for all of them");
	igt_subtest("shared")
	{
		test_shared(igt_ferry_begin(fd));
	}

	igt_describe("Two threads send the same BOs to opposite places");
	igt_subtest("tug-of-war")
	{
		test_tug_of_war(igt_ferry_begin(fd));
	}

	igt_fixture
	{
		close(fd);
	}
}
