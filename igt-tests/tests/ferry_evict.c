// SPDX-License-Identifier: MIT
/**
 * TEST: ferry evict
 * Category: Core
 * Description: Evictions: more BOs than fit in the aperture, their contents, and ENOSPC
 */
#include <fcntl.h>
#include <pthread.h>

#include "igt.h"

#include "igt_ferry.h"
#include "small_memory.h"

IGT_TEST_DESCRIPTION(
	"Evictions: more BOs than fit in the aperture, their contents, and ENOSPC");

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

/* Create BOs of equal size that together have @times the size of the aperture. */
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

/* Count the BOs that are in the aperture. */
static unsigned int set_in_aperture(const struct set *set)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < set->count; i++)
		count += ferry_bo_placement(set->bo[i].fd, set->bo[i].handle) ==
			 APERTURE;
	return count;
}

/*
 * Move all BOs to the aperture in turn. Return how many of them were there right after
 * their move: other processes may have evicted some already.
 */
static unsigned int take_turns(struct set *set, unsigned int rounds)
{
	unsigned int stayed = 0;

	for (unsigned int n = 0; n < rounds; n++) {
		for (unsigned int i = 0; i < set->count; i++) {
			struct igt_ferry_bo *bo = &set->bo[i];

			ferry_bo_migrate(bo->fd, bo->handle, APERTURE);
			stayed += ferry_bo_placement(bo->fd, bo->handle) ==
				  APERTURE;
			igt_ferry_bo_check(bo);
			if (n & 1)
				igt_ferry_bo_fill(bo);
		}
	}
	return stayed;
}

/* The same if no other process uses the aperture: every BO is there after its move. */
static void round_robin(struct set *set, unsigned int rounds)
{
	igt_assert_eq(take_turns(set, rounds), rounds * set->count);
}

/**
 * SUBTEST: fill-2x-%s
 * Description: BOs of twice the size of the aperture move there in turn and keep their contents
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
		 set.count, set_in_aperture(&set),
		 igt_ferry_stat(fd, "evictions") - evictions);
	igt_assert_lt_u64(evictions + set.count,
			  igt_ferry_stat(fd, "evictions"));
	set_fini(&set);
}

/**
 * SUBTEST: fill-4x
 * Description: Small BOs of four times the size of the aperture move there in turn and keep their contents
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
 * Description: BOs created in a full aperture evict older ones, and are zero
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_create(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_kind in_aperture = *kind;
	unsigned int count = 40;
	struct set set = { .size = ALIGN(aperture_size(fd) / 20, PAGE) };

	in_aperture.placement = APERTURE;
	for (unsigned int i = 0; i < count; i++) {
		struct igt_ferry_bo *bo = &set.bo[set.count++];

		igt_ferry_bo_init(bo, fd, set.size, &in_aperture);
		igt_assert_eq(ferry_bo_placement(fd, bo->handle), APERTURE);
		igt_ferry_bo_check(bo);
		igt_ferry_bo_fill(bo);
	}
	igt_assert_lt(set_in_aperture(&set), count);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: mixed-sizes
 * Description: Small and large, contiguous and scattered BOs evict each other and keep their contents
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
 * Description: BOs are evicted in the order in which they came to the aperture
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

			/* evicted: before @oldest; in the aperture: up to @i; not yet moved: after @i */
			if (j > i || j < oldest) {
				igt_assert_eq(where, SYSTEM);
			} else if (where == SYSTEM) {
				igt_assert_f(j == oldest,
					     "BO %u was evicted before BO %u\n",
					     j, oldest);
				oldest++;
				evicted = true;
			}
		}
		igt_assert(oldest <= i);
	}
	igt_assert(evicted);
	igt_info("%u of %u BOs were evicted, in order\n", oldest, set.count);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: full-of-aperture-only
 * Description: If the aperture is full of unevictable BOs, create and migrate fail with ENOSPC and change nothing
 */
static void test_full_of_aperture_only(int fd)
{
	const size_t size = 64 * PAGE;
	struct igt_ferry_kind in_aperture = igt_ferry_movable_kinds[0];
	uint64_t bos, evictions;
	struct igt_ferry_bo bo, other;
	unsigned int count;
	uint32_t *handles;

	in_aperture.placement = APERTURE;
	igt_ferry_bo_init(&bo, fd, size, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	count = igt_ferry_aperture_fill(fd, size, &handles);
	igt_assert_lt(0, count);
	bos = igt_ferry_stat(fd, "bos");
	evictions = igt_ferry_stat(fd, "evictions");

	for (int i = 0; i < 3; i++) {
		igt_assert_eq(__ferry_bo_migrate(fd, bo.handle, APERTURE),
			      -ENOSPC);
		igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
		igt_ferry_bo_check(&bo);
		igt_assert_eq(__igt_ferry_bo_init(&other, fd, size,
						  &in_aperture),
			      -ENOSPC);
		igt_assert_eq(__igt_ferry_bo_init(&other, fd, size,
						  &igt_ferry_single_kinds[2]),
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
 * SUBTEST: aperture-only-evicts-movable
 * Description: Aperture-only BOs evict all movable BOs before they fail with ENOSPC
 */
static void test_aperture_only_evicts_movable(int fd)
{
	struct set set;
	unsigned int count;
	uint32_t *handles;

	set_init(&set, fd, igt_ferry_movable_kinds, 1.5, 16);
	for (unsigned int i = 0; i < set.count; i++)
		ferry_bo_migrate(fd, set.bo[i].handle, APERTURE);
	igt_assert_lt(0, set_in_aperture(&set));
	count = igt_ferry_aperture_fill(fd, set.size / 4, &handles);
	igt_assert_lt(0, count);
	igt_assert_eq(set_in_aperture(&set), 0);
	set_check(&set);
	igt_ferry_close_all(fd, handles, count);
	round_robin(&set, 1);
	set_check(&set);
	set_fini(&set);
}

/**
 * SUBTEST: contiguous
 * Description: A contiguous BO evicts as many BOs as it needs for one contiguous range
 */
static void test_contiguous(int fd)
{
	struct igt_ferry_bo big;
	struct set set;

	set_init(&set, fd, igt_ferry_movable_kinds, 1.2, 64);
	for (unsigned int i = 0; i < set.count; i++)
		ferry_bo_migrate(fd, set.bo[i * 7 % set.count].handle,
				 APERTURE);
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
 * Description: BOs of eight clients, four times the size of the aperture, evict each other and keep their contents
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
		/* another client may evict a BO before its placement is read */
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
 * SUBTEST: accessed-while-evicted
 * Description: A thread reads all BOs through their mappings while they are evicted and moved back
 */
static void test_accessed_while_evicted(int fd)
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
	igt_info("all BOs were read %lu times\n", reader.rounds);
	igt_assert(reader.rounds);
	set_check(&set);
	set_fini(&set);
}

/**
 * struct starved - three BOs of half of the aperture, while there is no memory for any BO
 * @first: in the aperture, created there; so it has neither kept pages nor a page array
 * @second: in the aperture
 * @bo: in system memory
 */
struct starved {
	struct igt_ferry_bo first, second, bo;
};

static void starved_begin(struct starved *s, int fd, bool kept)
{
	struct igt_ferry_kind created = igt_ferry_movable_kinds[0];
	const size_t size = (aperture_size(fd) -
			     igt_ferry_stat(fd, "aperture_unevictable")) /
				    2 &
			    -PAGE;

	/* a subtest that failed has left another limit */
	set_limit(75);
	created.placement = APERTURE;
	igt_ferry_bo_init(&s->first, fd, size, &created);
	igt_ferry_bo_fill(&s->first);
	igt_ferry_bo_init(&s->second, fd, size,
			  kept ? &igt_ferry_movable_kinds[0] : &created);
	igt_ferry_bo_fill(&s->second);
	ferry_bo_migrate(fd, s->second.handle, APERTURE);
	igt_ferry_bo_init(&s->bo, fd, size, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&s->bo);
	igt_assert_eq(ferry_bo_placement(fd, s->first.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, s->second.handle), APERTURE);
	set_limit(0);
}

/* Check that each BO is where it shall be; @first is purged if it shall be nowhere. */
static void starved_end(struct starved *s, uint32_t first, uint32_t second,
			uint32_t bo)
{
	int fd = s->bo.fd;

	igt_assert_eq(ferry_bo_placement(fd, s->bo.handle), bo);
	igt_assert_eq(ferry_bo_placement(fd, s->second.handle), second);
	if (first)
		igt_assert_eq(ferry_bo_placement(fd, s->first.handle), first);
	set_limit(75);
	if (first)
		igt_ferry_bo_check(&s->first);
	igt_ferry_bo_check(&s->second);
	igt_ferry_bo_check(&s->bo);
	igt_ferry_bo_fini(&s->first);
	igt_ferry_bo_fini(&s->second);
	igt_ferry_bo_fini(&s->bo);
}

/**
 * SUBTEST: no-array
 * Description: If there is no memory for the page array of the BO that is the first to be evicted, the next one is evicted into its kept pages
 */
static void test_no_array(int fd)
{
	struct starved s;

	starved_begin(&s, fd, true);
	igt_assert_eq(__ferry_bo_migrate(fd, s.bo.handle, APERTURE), 0);
	starved_end(&s, APERTURE, SYSTEM, APERTURE);
}

/**
 * SUBTEST: no-arrays
 * Description: If there is no memory for the page array of any BO, a move to the aperture fails with ENOMEM, and all contents stay
 */
static void test_no_arrays(int fd)
{
	struct starved s;

	starved_begin(&s, fd, false);
	igt_assert_eq(__ferry_bo_migrate(fd, s.bo.handle, APERTURE), -ENOMEM);
	starved_end(&s, APERTURE, APERTURE, SYSTEM);
}

/**
 * SUBTEST: no-array-purged
 * Description: An eviction purges a BO that is not needed although there is no memory for a page array; its accesses raise SIGBUS
 */
static void test_no_array_purged(int fd)
{
	uint64_t purged = igt_ferry_stat(fd, "purged");
	struct starved s;

	starved_begin(&s, fd, false);
	igt_assert(
		ferry_bo_madvise(fd, s.first.handle, DRM_FERRY_MADV_DONTNEED));
	igt_assert_eq(__ferry_bo_migrate(fd, s.bo.handle, APERTURE), 0);
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + 1);
	igt_assert(
		!ferry_bo_madvise(fd, s.first.handle, DRM_FERRY_MADV_WILLNEED));
	igt_assert_eq(igt_ferry_read_signal(s.first.map), SIGBUS);
	starved_end(&s, 0, APERTURE, APERTURE);
}

static const struct igt_ferry_test tests[] = {
	{ "fill-2x",
	  "BOs of twice the size of the aperture move there in turn and keep their contents",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_fill_2x },
	{ "create",
	  "BOs created in a full aperture evict older ones, and are zero",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_create },
	{ "fill-4x",
	  "Small BOs of four times the size of the aperture move there in turn and keep their contents",
	  test_fill_4x },
	{ "mixed-sizes",
	  "Small and large, contiguous and scattered BOs evict each other and keep their contents",
	  test_mixed_sizes },
	{ "lru-order",
	  "BOs are evicted in the order in which they came to the aperture",
	  test_lru_order },
	{ "full-of-aperture-only",
	  "If the aperture is full of unevictable BOs, create and migrate fail with ENOSPC and change nothing",
	  test_full_of_aperture_only },
	{ "aperture-only-evicts-movable",
	  "Aperture-only BOs evict all movable BOs before they fail with ENOSPC",
	  test_aperture_only_evicts_movable },
	{ "contiguous",
	  "A contiguous BO evicts as many BOs as it needs for one contiguous range",
	  test_contiguous },
	{ "processes",
	  "BOs of eight clients, four times the size of the aperture, evict each other and keep their contents",
	  test_processes },
	{ "accessed-while-evicted",
	  "A thread reads all BOs through their mappings while they are evicted and moved back",
	  test_accessed_while_evicted },
	{ "no-array",
	  "If there is no memory for the page array of the BO that is the first to be evicted, the next one is evicted into its kept pages",
	  test_no_array },
	{ "no-arrays",
	  "If there is no memory for the page array of any BO, a move to the aperture fails with ENOMEM, and all contents stay",
	  test_no_arrays },
	{ "no-array-purged",
	  "An eviction purges a BO that is not needed although there is no memory for a page array; its accesses raise SIGBUS",
	  test_no_array_purged },
	{}
};

igt_ferry_main(tests)
