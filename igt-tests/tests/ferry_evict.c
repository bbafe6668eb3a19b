// SPDX-License-Identifier: MIT
/**
 * TEST: ferry evict
 * Category: Core
 * Description: More buffer objects than the aperture holds: who leaves, and with what contents
 */
#include <fcntl.h>
#include <pthread.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"More buffer objects than the aperture holds: who leaves, and how");

#define MAX_BOS 160

struct set {
	struct igt_ferry_bo bo[MAX_BOS];
	unsigned int count;
	size_t size;
};

static uint64_t aperture_size(int fd)
{
	struct drm_ferry_device_query device;

	ferry_device_query(fd, &device);
	return device.aperture_size;
}

/* BOs of an equal size that together are @times the aperture */
static void set_init(struct set *set, int fd, const struct igt_ferry_kind *kind,
		     double times, unsigned int per_aperture)
{
	uint64_t aperture = aperture_size(fd);

	set->size = ALIGN(aperture / per_aperture, PAGE);
	set->count = times * aperture / set->size;
	igt_assert(set->count <= MAX_BOS);
	for (unsigned int i = 0; i < set->count; i++) {
		igt_ferry_bo_init(&set->bo[i], fd, set->size, kind);
		igt_ferry_bo_fill(&set->bo[i]);
	}
}

static void set_check(const struct set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		igt_ferry_bo_check(&set->bo[i]);
}

static void set_fini(struct set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		igt_ferry_bo_fini(&set->bo[i]);
	set->count = 0;
}

static unsigned int set_above(const struct set *set)
{
	unsigned int above = 0;

	for (unsigned int i = 0; i < set->count; i++)
		above += ferry_bo_placement(set->bo[i].fd, set->bo[i].handle) ==
			 APERTURE;
	return above;
}

/* All go up in turn. Returns how many were still there at once, for others to push out. */
static unsigned int take_turns(struct set *set, unsigned int rounds)
{
	unsigned int stayed = 0;

	for (unsigned int n = 0; n < rounds; n++) {
		for (unsigned int i = 0; i < set->count; i++) {
			struct igt_ferry_bo *bo = &set->bo[i];

			ferry_bo_migrate(bo->fd, bo->handle, APERTURE);
			stayed += ferry_bo_placement(bo->fd, bo->handle) == APERTURE;
			igt_ferry_bo_check(bo);
			if (n & 1)
				igt_ferry_bo_fill(bo);
		}
	}
	return stayed;
}

/* The same where nobody else wants the aperture: all stay that long */
static void round_robin(struct set *set, unsigned int rounds)
{
	igt_assert_eq(take_turns(set, rounds), rounds * set->count);
}

/**
 * SUBTEST: fill-2x-%s
 * Description: BOs of twice the aperture go there in turn, and all keep their contents
 *
 * arg[1]:
 *
 * @cached:		cached system pages
 * @wc:			write-combined system pages
 * @cached-contiguous:	cached system pages, one range of the aperture
 * @wc-contiguous:	write-combined system pages, one range of the aperture
 */
static void test_fill_2x(int fd, const struct igt_ferry_kind *kind)
{
	uint64_t evictions = igt_ferry_stat(fd, "evictions");
	struct set set;

	set_init(&set, fd, kind, 2, 16);
	round_robin(&set, 2);
	set_check(&set);
	igt_info("%u BOs, %u in the aperture, %" PRIu64 " evictions\n",
		 set.count, set_above(&set),
		 igt_ferry_stat(fd, "evictions") - evictions);
	igt_assert_lt_u64(evictions + set.count,
			  igt_ferry_stat(fd, "evictions"));
	set_fini(&set);
}

/**
 * SUBTEST: fill-4x
 * Description: the same with four times the aperture, in small BOs
 */
static void test_fill_4x(int fd)
{
	struct set set;

	set_init(&set, fd, igt_ferry_movable_kinds, 4, 40);
	round_robin(&set, 1);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: create-%s
 * Description: BOs created in the aperture push older ones out, and are zero
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_create(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_kind above = *kind;
	unsigned int count = 40;
	struct set set = { .size = ALIGN(aperture_size(fd) / 20, PAGE) };

	above.placement = APERTURE;
	for (unsigned int i = 0; i < count; i++) {
		struct igt_ferry_bo *bo = &set.bo[set.count++];

		igt_ferry_bo_init(bo, fd, set.size, &above);
		igt_assert_eq(ferry_bo_placement(fd, bo->handle), APERTURE);
		igt_ferry_bo_check(bo);
		igt_ferry_bo_fill(bo);
	}
	igt_assert_lt(set_above(&set), count);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: mixed-sizes
 * Description: small and large BOs, contiguous and scattered, push each other out
 */
static void test_mixed_sizes(int fd)
{
	uint64_t aperture = aperture_size(fd);
	struct set set = {};

	for (unsigned int i = 0; i < 48; i++) {
		struct igt_ferry_bo *bo = &set.bo[set.count++];
		size_t size = i % 8 == 7 ? ALIGN(aperture / 5, PAGE) :
					   (1 + i * 37 % 150) * PAGE;

		igt_ferry_bo_init(bo, fd, size,
				  &igt_ferry_movable_kinds[i % 4]);
		igt_ferry_bo_fill(bo);
	}
	for (unsigned int i = 0; i < set.count * 3; i++) {
		struct igt_ferry_bo *bo = &set.bo[i * 29 % set.count];

		ferry_bo_migrate(fd, bo->handle, i % 5 ? APERTURE : SYSTEM);
		igt_ferry_bo_check(bo);
	}
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: lru-order
 * Description: who came to the aperture first has to leave it first
 */
static void test_lru_order(int fd)
{
	unsigned int oldest = 0;
	bool evicted = false;
	struct set set;

	set_init(&set, fd, igt_ferry_movable_kinds, 2, 16);
	for (unsigned int i = 0; i < set.count; i++) {
		ferry_bo_migrate(fd, set.bo[i].handle, APERTURE);
		for (unsigned int j = 0; j < set.count; j++) {
			uint32_t where =
				ferry_bo_placement(fd, set.bo[j].handle);

			/* down: the oldest up to one, up: the rest up to @i, down: not yet up */
			if (j > i || j < oldest) {
				igt_assert_eq(where, SYSTEM);
			} else if (where == SYSTEM) {
				igt_assert_f(j == oldest,
					     "BO %u left before BO %u\n", j,
					     oldest);
				oldest++;
				evicted = true;
			}
		}
		igt_assert(oldest <= i);
	}
	igt_assert(evicted);
	igt_info("%u of %u had to leave, in order\n", oldest, set.count);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: full-of-unmovable
 * Description: an aperture full of BOs that cannot leave gives ENOSPC, without any effect
 */
static void test_full_of_unmovable(int fd)
{
	const size_t size = 64 * PAGE;
	struct igt_ferry_kind above = igt_ferry_movable_kinds[0];
	uint64_t bos, evictions;
	struct igt_ferry_bo bo, other;
	unsigned int count;
	uint32_t *handles;

	above.placement = APERTURE;
	igt_ferry_bo_init(&bo, fd, size, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	count = igt_ferry_aperture_fill(fd, size, &handles);
	igt_assert_lt(0, count);
	bos = igt_ferry_stat(fd, "bos");
	evictions = igt_ferry_stat(fd, "evictions");

	for (int i = 0; i < 3; i++) {
		igt_assert_eq(__ferry_bo_migrate(fd, bo.handle, APERTURE), -ENOSPC);
		igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
		igt_ferry_bo_check(&bo);
		igt_assert_eq(__igt_ferry_bo_init(&other, fd, size, &above),
			      -ENOSPC);
		igt_assert_eq(__igt_ferry_bo_init(&other, fd, size,
						  &igt_ferry_fixed_kinds[2]),
			      -ENOSPC);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos);
	igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"), evictions);

	gem_close(fd, handles[--count]);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_close_all(fd, handles, count);
}

/**
 * SUBTEST: unmovable-pushes-movable
 * Description: BOs that need the aperture push out all that do not, and no more
 */
static void test_unmovable_pushes_movable(int fd)
{
	struct set set;
	unsigned int count;
	uint32_t *handles;

	set_init(&set, fd, igt_ferry_movable_kinds, 1.5, 16);
	for (unsigned int i = 0; i < set.count; i++)
		ferry_bo_migrate(fd, set.bo[i].handle, APERTURE);
	igt_assert_lt(0, set_above(&set));
	count = igt_ferry_aperture_fill(fd, set.size / 4, &handles);
	igt_assert_lt(0, count);
	igt_assert_eq(set_above(&set), 0);
	set_check(&set);
	igt_ferry_close_all(fd, handles, count);
	round_robin(&set, 1);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: contiguous
 * Description: a contiguous BO pushes out as many as it takes for one free range
 */
static void test_contiguous(int fd)
{
	struct igt_ferry_bo big;
	struct set set;

	set_init(&set, fd, igt_ferry_movable_kinds, 1.2, 64);
	for (unsigned int i = 0; i < set.count; i++)
		ferry_bo_migrate(fd, set.bo[i * 7 % set.count].handle, APERTURE);
	igt_ferry_bo_init(&big, fd, ALIGN(aperture_size(fd) / 4, PAGE),
			  &igt_ferry_movable_kinds[2]);
	igt_ferry_bo_fill(&big);
	ferry_bo_migrate(fd, big.handle, APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, big.handle), APERTURE);
	igt_ferry_bo_check(&big);
	set_check(&set);
	igt_ferry_bo_fini(&big);
	set_fini(&set);
}

/**
 * SUBTEST: processes
 * Description: eight clients, together with four times the aperture, push each other out
 */
static void test_processes(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);

	igt_fork(child, 8)
	{
		int client = igt_ferry_reopen(fd, O_RDWR);
		struct set set;

		set_init(&set, client, &igt_ferry_movable_kinds[child % 4], 0.5,
			 24);
		/* the others may push a BO out before it is looked at */
		igt_assert_lt(0, take_turns(&set, 3));
		set_check(&set);
		set_fini(&set);
		close(client);
	}
	igt_waitchildren();
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

struct reader {
	struct set *set;
	volatile bool stop;
	unsigned long rounds;
};

static void *reader_thread(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		set_check(r->set);
		r->rounds++;
	}
	return NULL;
}

/**
 * SUBTEST: touched-while-evicted
 * Description: a thread reads all BOs through their mappings while they are pushed in and out
 */
static void test_touched_while_evicted(int fd)
{
	struct reader reader = {};
	struct timespec start = {};
	pthread_t thread;
	struct set set;

	set_init(&set, fd, igt_ferry_movable_kinds, 2, 24);
	reader.set = &set;
	igt_assert_eq(pthread_create(&thread, NULL, reader_thread, &reader), 0);
	while (igt_seconds_elapsed(&start) < 4)
		for (unsigned int i = 0; i < set.count; i++)
			ferry_bo_migrate(fd, set.bo[i].handle, APERTURE);
	reader.stop = true;
	pthread_join(thread, NULL);
	igt_info("%lu times all BOs were read\n", reader.rounds);
	igt_assert(reader.rounds);
	set_check(&set);
	set_fini(&set);
}

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
			"BOs of twice the aperture go there in turn with their contents");
		igt_subtest_f("fill-2x-%s", kind->name)
		{
			test_fill_2x(igt_ferry_begin(fd), kind);
		}

		igt_describe(
			"BOs created in the aperture push older ones out, and are zero");
		igt_subtest_f("create-%s", kind->name)
		{
			test_create(igt_ferry_begin(fd), kind);
		}
	}

	igt_describe("Four times the aperture, in small BOs");
	igt_subtest("fill-4x")
	{
		test_fill_4x(igt_ferry_begin(fd));
	}

	igt_describe(
		"Small and large, contiguous and scattered BOs push each other out");
	igt_subtest("mixed-sizes")
	{
		test_mixed_sizes(igt_ferry_begin(fd));
	}

	igt_describe("Who came to the aperture first has to leave it first");
	igt_subtest("lru-order")
	{
		test_lru_order(igt_ferry_begin(fd));
	}

	igt_describe("An aperture full of BOs that cannot leave gives ENOSPC");
	igt_subtest("full-of-unmovable")
	{
		test_full_of_unmovable(igt_ferry_begin(fd));
	}

	igt_describe(
		"BOs that need the aperture push out all that do not, and no more");
	igt_subtest("unmovable-pushes-movable")
	{
		test_unmovable_pushes_movable(igt_ferry_begin(fd));
	}

	igt_describe(
		"A contiguous BO pushes out as many as it takes for one free range");
	igt_subtest("contiguous")
	{
		test_contiguous(igt_ferry_begin(fd));
	}

	igt_describe(
		"Eight clients, together with four times the aperture, push each other out");
	igt_subtest("processes")
	{
		test_processes(igt_ferry_begin(fd));
	}

	igt_describe(
		"All BOs are read through their mappings while they are pushed in and out");
	igt_subtest("touched-while-evicted")
	{
		test_touched_while_evicted(igt_ferry_begin(fd));
	}

	igt_fixture
	{
		close(fd);
	}
}
