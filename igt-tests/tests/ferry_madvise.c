// SPDX-License-Identifier: MIT
/**
 * TEST: ferry madvise
 * Category: Core
 * Description: DRM_FERRY_MADV_*: which BOs can be marked as not needed, when their contents are purged, and in which order
 */
#include <fcntl.h>
#include <pthread.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION(
	"DRM_FERRY_MADV_*: which BOs can be marked as not needed, when their contents are purged, and in which order");

#define WILLNEED DRM_FERRY_MADV_WILLNEED
#define DONTNEED DRM_FERRY_MADV_DONTNEED
#define PURGED DRM_FERRY_MADV_PURGED
#define SIZE (100 * PAGE)

static void bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
		    const struct igt_ferry_kind *kind, uint32_t placement)
{
	igt_ferry_bo_init(bo, fd, size, kind);
	igt_ferry_bo_fill(bo);
	ferry_bo_migrate(fd, bo->handle, placement);
	igt_ferry_bo_check(bo);
}

static bool set_dontneed(struct igt_ferry_bo *bo)
{
	return ferry_bo_madvise(bo->fd, bo->handle, DONTNEED);
}

static bool set_willneed(struct igt_ferry_bo *bo)
{
	return ferry_bo_madvise(bo->fd, bo->handle, WILLNEED);
}

static uint32_t madv(const struct igt_ferry_bo *bo)
{
	return ferry_bo_madv(bo->fd, bo->handle);
}

/* Create a BO in the aperture that is @more bytes larger than what is free there. */
static void exceed_aperture(struct igt_ferry_bo *bo, int fd, size_t more)
{
	struct igt_ferry_kind in_aperture = igt_ferry_movable_kinds[0];

	in_aperture.placement = APERTURE;
	igt_ferry_bo_init(bo, fd, igt_ferry_aperture_free(fd) + more,
			  &in_aperture);
	igt_assert_eq(ferry_bo_placement(fd, bo->handle), APERTURE);
}

/**
 * SUBTEST: retained-%s
 * Description: Without memory pressure a BO that is marked as not needed keeps its contents
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_retained(int fd, const struct igt_ferry_kind *kind)
{
	for (uint32_t placement = SYSTEM; placement <= APERTURE; placement++) {
		struct igt_ferry_bo bo;

		bo_init(&bo, fd, SIZE, kind, placement);
		igt_assert_eq_u32(madv(&bo), WILLNEED);
		for (int i = 0; i < 3; i++) {
			igt_assert(set_dontneed(&bo));
			igt_assert(set_dontneed(&bo));
			igt_assert_eq_u32(madv(&bo), DONTNEED);
			igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);
			/* a move copies the contents although they are not needed */
			ferry_bo_migrate(fd, bo.handle, APERTURE);
			igt_ferry_bo_check(&bo);
			ferry_bo_migrate(fd, bo.handle, SYSTEM);
			igt_assert_eq_u32(madv(&bo), DONTNEED);
			igt_assert(set_willneed(&bo));
			igt_assert(set_willneed(&bo));
			igt_assert_eq_u32(madv(&bo), WILLNEED);
			igt_ferry_bo_check(&bo);
		}
		igt_ferry_bo_fini(&bo);
	}
}

/**
 * SUBTEST: one-placement-%s
 * Description: BOs with one allowed placement can be marked as not needed
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_one_placement(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo, other;

	bo_init(&bo, fd, SIZE, kind, kind->allowed_placements);
	igt_assert(set_dontneed(&bo));
	igt_ferry_bo_check(&bo);
	igt_assert(set_willneed(&bo));
	igt_ferry_drop_caches();
	exceed_aperture(&other, fd, 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&other);
	igt_ferry_bo_fini(&bo);
}

static void check_purged(struct igt_ferry_bo *bo)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(bo->fd, 0);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), dmabuf;
	size_t last = bo->size - 1;
	char byte, *map;

	igt_assert_fd(mem);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq_u32(madv(bo), PURGED);
		igt_assert_eq(igt_ferry_read_signal(bo->map), SIGBUS);
		igt_assert_eq(igt_ferry_write_signal((char *)bo->map + last, 1),
			      SIGBUS);
		map = ferry_bo_mmap(bo->fd, bo->handle, bo->size);
		igt_assert_eq(igt_ferry_read_signal(map + last), SIGBUS);
		igt_assert_eq(munmap(map, bo->size), 0);
		igt_assert_eq(pread(mem, &byte, 1, (uintptr_t)bo->map), -1);
		igt_assert_eq(pwrite(mem, &byte, 1, (uintptr_t)bo->map), -1);
		igt_assert_eq(__ferry_bo_migrate(bo->fd, bo->handle, APERTURE),
			      -ENODATA);
		igt_assert_eq(__ferry_bo_migrate(bo->fd, bo->handle, SYSTEM),
			      -ENODATA);
		igt_assert_eq(__ferry_bo_migrate_sync(bo->fd, bo->handle,
						      APERTURE, NULL, &out),
			      -ENODATA);
		igt_assert(drmPrimeHandleToFD(bo->fd, bo->handle, DRM_CLOEXEC,
					      &dmabuf));
		igt_assert_eq(__ferry_bo_wait(bo->fd, bo->handle, 0), 0);
		/* no later madvise call restores the contents */
		igt_assert(!(i ? set_dontneed(bo) : set_willneed(bo)));
	}
	errno = 0;
	close(mem);
}

/**
 * SUBTEST: purged-aperture
 * Description: Every use of a BO fails after it was purged to free space in the aperture
 */
static void test_purged_aperture(int fd)
{
	const struct igt_ferry_kind *kind;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		uint64_t bos = igt_ferry_stat(fd, "bos");
		struct igt_ferry_bo bo, other;

		bo_init(&bo, fd, SIZE, kind, APERTURE);
		igt_assert(set_dontneed(&bo));
		exceed_aperture(&other, fd, PAGE);
		check_purged(&bo);
		igt_ferry_bo_check(&other);
		igt_ferry_bo_fini(&other);
		check_purged(&bo);
		igt_ferry_bo_fini(&bo);
		igt_ferry_wait_stat(fd, "bos", bos);
	}
}

/**
 * SUBTEST: purged-system
 * Description: Every use of a BO fails after the shrinker purged it
 */
static void test_purged_system(int fd)
{
	const struct igt_ferry_kind *kind;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		uint64_t pages = igt_ferry_stat(fd, "system_pages");
		struct igt_ferry_bo bo;

		bo_init(&bo, fd, SIZE, kind, SYSTEM);
		igt_ferry_bo_purge(&bo);
		check_purged(&bo);
		/* the purge has freed its pages, although the handle is still open */
		igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), pages);
		igt_ferry_bo_fini(&bo);
	}
}

#define BOS 8

/* Fill the aperture with BOs; the first one has been there the longest. */
static void fill_aperture(struct igt_ferry_bo *bo, int fd)
{
	size_t size = ALIGN(igt_ferry_aperture_free(fd) / BOS - PAGE, PAGE);

	for (int i = 0; i < BOS; i++)
		bo_init(&bo[i], fd, size, &igt_ferry_movable_kinds[0], SYSTEM);
	/* their contents were written before: the order of these moves is the LRU order */
	for (int i = 0; i < BOS; i++)
		ferry_bo_migrate(fd, bo[i].handle, APERTURE);
	for (int i = 0; i < BOS; i++)
		igt_assert_eq(ferry_bo_placement(fd, bo[i].handle), APERTURE);
}

/* Assert that exactly the BOs in @mask are in the aperture. */
static void check_in_aperture(struct igt_ferry_bo *bo, int fd,
			      unsigned int mask)
{
	unsigned int in_aperture = 0;

	for (int i = 0; i < BOS; i++)
		if (ferry_bo_placement(fd, bo[i].handle) == APERTURE)
			in_aperture |= 1u << i;
	igt_assert_eq_u32(in_aperture, mask);
}

static void finish(struct igt_ferry_bo *bo)
{
	for (int i = 0; i < BOS; i++) {
		if (madv(&bo[i]) != PURGED)
			igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
}

/**
 * SUBTEST: purgeable-first
 * Description: Space in the aperture comes from BOs that are not needed first, without a copy, even if they are the newest
 */
static void test_purgeable_first(int fd)
{
	struct igt_ferry_bo bo[BOS], other;
	uint64_t evictions, bytes, purged;

	fill_aperture(bo, fd);
	igt_assert(set_dontneed(&bo[5]));
	igt_assert(set_dontneed(&bo[BOS - 1]));
	evictions = igt_ferry_stat(fd, "evictions");
	bytes = igt_ferry_stat(fd, "bytes_to_system");
	purged = igt_ferry_stat(fd, "purged");

	exceed_aperture(&other, fd, bo[0].size);
	check_in_aperture(bo, fd, 0xff & ~(1u << 5));
	igt_assert_eq_u32(madv(&bo[5]), PURGED);
	igt_assert_eq_u32(madv(&bo[BOS - 1]), DONTNEED);
	igt_ferry_bo_fini(&other);
	exceed_aperture(&other, fd, bo[0].size);
	check_in_aperture(bo, fd, 0x7f & ~(1u << 5));
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + 2);
	igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"), evictions);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bytes_to_system"), bytes);

	/* then the oldest */
	igt_ferry_bo_fini(&other);
	exceed_aperture(&other, fd, bo[0].size);
	check_in_aperture(bo, fd, 0x7e & ~(1u << 5));
	igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"), evictions + 1);
	igt_ferry_bo_fini(&other);
	finish(bo);
}

/**
 * SUBTEST: taken-back
 * Description: A BO that is marked as needed again before it was purged is not purged
 */
static void test_taken_back(int fd)
{
	struct igt_ferry_bo bo[BOS], system, other;

	bo_init(&system, fd, SIZE, &igt_ferry_movable_kinds[0], SYSTEM);
	fill_aperture(bo, fd);
	for (int i = 0; i < BOS; i++)
		igt_assert(set_dontneed(&bo[i]));
	igt_assert(set_dontneed(&system));
	for (int i = 0; i < BOS; i++)
		igt_assert(set_willneed(&bo[i]));
	igt_assert(set_willneed(&system));
	exceed_aperture(&other, fd, 2 * bo[0].size);
	for (int i = 0; i < 3; i++)
		igt_ferry_drop_caches();
	for (int i = 0; i < BOS; i++)
		igt_assert_eq_u32(madv(&bo[i]), WILLNEED);
	igt_ferry_bo_check(&system);
	igt_ferry_bo_fini(&system);
	igt_ferry_bo_fini(&other);
	finish(bo);
}

/**
 * SUBTEST: accessed-last
 * Description: Of the BOs that are needed, those accessed last are evicted last
 */
static void test_accessed_last(int fd)
{
	struct igt_ferry_bo bo[BOS], other;

	fill_aperture(bo, fd);
	igt_ferry_check(bo[0].map, 0, 1, bo[0].id, bo[0].gen);
	igt_ferry_check(bo[2].map, 0, 1, bo[2].id, bo[2].gen);
	/* evicts the three oldest that were not accessed */
	exceed_aperture(&other, fd, 3 * bo[0].size);
	check_in_aperture(bo, fd, 0xff & ~(1u << 1 | 1u << 3 | 1u << 4));
	igt_ferry_bo_fini(&other);
	finish(bo);
}

/**
 * SUBTEST: scanout-never
 * Description: A BO that is scanned out cannot be marked as not needed, and memory pressure does not move it
 */
static void test_scanout_never(int fd)
{
	uint32_t handles[4] = {}, pitches[4] = {}, offsets[4] = {}, fb;
	struct igt_ferry_bo shown, other;
	drmModeConnector *connector;
	drmModeModeInfo *mode;
	unsigned int count;
	uint32_t *more;
	drmModeRes *res;
	bool retained;

	igt_ferry_require_display(fd);
	igt_assert_eq(drmSetMaster(fd), 0);
	res = drmModeGetResources(fd);
	igt_assert(res);
	connector = drmModeGetConnector(fd, res->connectors[0]);
	igt_assert(connector && connector->count_modes);
	mode = &connector->modes[0];
	pitches[0] = mode->hdisplay * 4;
	bo_init(&shown, fd, pitches[0] * mode->vdisplay,
		&igt_ferry_movable_kinds[0], SYSTEM);
	/*
	 * A BO that is not needed cannot be scanned out. A framebuffer counts as a
	 * handle: with it the BO cannot be marked any more.
	 */
	igt_assert(set_dontneed(&shown));
	handles[0] = shown.handle;
	igt_assert_eq(drmModeAddFB2(fd, mode->hdisplay, mode->vdisplay,
				    DRM_FORMAT_XRGB8888, handles, pitches,
				    offsets, &fb, 0),
		      0);

	igt_assert(drmModeSetCrtc(fd, res->crtcs[0], fb, 0, 0,
				  &connector->connector_id, 1, mode));
	igt_assert(set_willneed(&shown));
	igt_assert_eq(drmModeSetCrtc(fd, res->crtcs[0], fb, 0, 0,
				     &connector->connector_id, 1, mode),
		      0);
	igt_assert_eq(__ferry_bo_madvise(fd, shown.handle, DONTNEED, &retained),
		      -EBUSY);
	igt_assert_eq(__ferry_bo_madvise(fd, shown.handle, WILLNEED, &retained),
		      0);
	igt_assert(retained);

	exceed_aperture(&other, fd, 0);
	igt_ferry_bo_fini(&other);
	count = igt_ferry_aperture_fill(fd, 64 * PAGE, &more);
	igt_ferry_drop_caches();
	igt_assert_eq(ferry_bo_placement(fd, shown.handle), APERTURE);
	igt_ferry_bo_check(&shown);
	igt_ferry_close_all(fd, more, count);

	igt_assert_eq(drmModeSetCrtc(fd, res->crtcs[0], 0, 0, 0, NULL, 0, NULL),
		      0);
	igt_assert_eq(drmModeRmFB(fd, fb), 0);
	igt_assert(set_dontneed(&shown));
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
	igt_ferry_bo_fini(&shown);
}

static void check_busy(struct igt_ferry_bo *bo)
{
	bool retained = true;

	igt_assert_eq(__ferry_bo_madvise(bo->fd, bo->handle, DONTNEED,
					 &retained),
		      -EBUSY);
	igt_assert_eq_u32(madv(bo), WILLNEED);
	igt_assert(set_willneed(bo));
	igt_ferry_drop_caches();
	igt_ferry_bo_check(bo);
}

/**
 * SUBTEST: shared-dma-buf
 * Description: A BO that is or was a dma-buf cannot be marked as not needed, and one that is marked cannot be exported
 */
static void test_shared_dma_buf(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR), dmabuf;
	uint32_t handle;
	struct igt_ferry_bo bo;
	bool retained;

	bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0], SYSTEM);
	igt_assert(set_dontneed(&bo));
	igt_assert(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf));
	errno = 0;
	igt_assert(set_willneed(&bo));
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	check_busy(&bo);
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &handle), 0);
	check_busy(&bo);
	igt_assert_eq(__ferry_bo_madvise(client, handle, DONTNEED, &retained),
		      -EBUSY);
	close(dmabuf);
	check_busy(&bo);
	gem_close(client, handle);
	check_busy(&bo);
	close(client);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: shared-handle
 * Description: A BO with handles of two clients cannot be marked as not needed until one of them closes its handle
 */
static void test_shared_handle(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_gem_flink flink = {};
	struct drm_gem_open gem_open = {};
	struct igt_ferry_bo bo;
	bool retained;

	bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0], SYSTEM);
	flink.handle = bo.handle;
	do_ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink);
	gem_open.name = flink.name;
	do_ioctl(client, DRM_IOCTL_GEM_OPEN, &gem_open);
	check_busy(&bo);
	igt_assert_eq(__ferry_bo_madvise(client, gem_open.handle, DONTNEED,
					 &retained),
		      -EBUSY);
	gem_close(client, gem_open.handle);
	igt_assert(set_dontneed(&bo));
	igt_ferry_bo_check(&bo);
	close(client);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: shrinker
 * Description: The shrinker purges the BOs in system memory that are not needed, and no others
 */
static void test_shrinker(int fd)
{
	enum { MANY = 32 };
	uint64_t purged = igt_ferry_stat(fd, "purged"), pages;
	struct igt_ferry_bo bo[MANY];
	unsigned int purges = 0;

	for (int i = 0; i < MANY; i++)
		bo_init(&bo[i], fd, (1 + i) * PAGE,
			&igt_ferry_movable_kinds[i % 4],
			i % 5 ? SYSTEM : APERTURE);
	pages = igt_ferry_stat(fd, "system_pages");
	for (int i = 0; i < MANY; i += 2)
		igt_assert(set_dontneed(&bo[i]));
	for (int i = 0; i < 5; i++)
		igt_ferry_drop_caches();
	for (int i = 0; i < MANY; i++) {
		/* purging BOs in the aperture would free no system memory */
		if (i % 2 || i % 5 == 0) {
			igt_assert_eq_u32(madv(&bo[i]),
					  i % 2 ? WILLNEED : DONTNEED);
			igt_ferry_bo_check(&bo[i]);
		} else {
			igt_assert_eq_u32(madv(&bo[i]), PURGED);
			pages -= bo[i].size / PAGE;
			purges++;
		}
		igt_ferry_bo_fini(&bo[i]);
		if (i % 2 && i % 5)
			pages -= (1 + i);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + purges);
	igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), pages);
}

/**
 * SUBTEST: async-move
 * Description: A BO that is not needed is not purged before its asynchronous move has ended
 */
static void test_async_move(int fd)
{
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint32_t now;
	bool closed;

	bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0], APERTURE);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, &in, &out);
	igt_assert(set_dontneed(&bo));
	for (int i = 0; i < 3; i++)
		igt_ferry_drop_caches();
	now = madv(&bo);
	closed = igt_ferry_sync_state(fd, out) == -ETIME;
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_require_f(closed,
		      "the gate opened by itself: this machine is too slow\n");
	igt_assert_eq_u32(now, DONTNEED);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_purge(&bo);
	check_purged(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: never-had-pages
 * Description: A BO without backing store keeps its contents, zeros, when it is marked as not needed
 */
static void test_never_had_pages(int fd)
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_assert(set_dontneed(&bo));
	for (int i = 0; i < 3; i++)
		igt_ferry_drop_caches();
	/* it had no pages that the shrinker could free */
	igt_assert(set_willneed(&bo));
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

static void *dropper_thread(void *arg)
{
	volatile bool *stop = arg;

	while (!*stop) {
		int file =
			open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

		if (file < 0 || write(file, "2", 1) != 1)
			break;
		close(file);
	}
	return NULL;
}

/**
 * SUBTEST: race
 * Description: While the shrinker runs, BOs reported as retained have their contents, and all others raise SIGBUS
 */
static void test_race(int fd)
{
	unsigned int kept = 0, purges = 0;
	struct timespec start = {};
	volatile bool stop = false;
	pthread_t thread;

	igt_ferry_drop_caches();
	igt_assert_eq(pthread_create(&thread, NULL, dropper_thread,
				     (void *)&stop),
		      0);
	for (unsigned int i = 0; igt_seconds_elapsed(&start) < 5; i++) {
		struct igt_ferry_bo bo;

		bo_init(&bo, fd, 16 * PAGE, &igt_ferry_movable_kinds[0],
			i & 1 ? APERTURE : SYSTEM);
		set_dontneed(&bo);
		if (i & 1)
			__ferry_bo_migrate(fd, bo.handle, SYSTEM);
		if (i & 2)
			igt_ferry_read_signal(bo.map);
		if (i & 4)
			usleep(i % 977);
		if (set_willneed(&bo)) {
			kept++;
			igt_ferry_bo_check(&bo);
		} else {
			purges++;
			igt_assert_eq(igt_ferry_read_signal(bo.map), SIGBUS);
		}
		igt_ferry_bo_fini(&bo);
	}
	stop = true;
	pthread_join(thread, NULL);
	igt_info("%u BOs were retained, %u were purged\n", kept, purges);
	igt_assert_lt(0, kept);
	igt_assert_lt(0, purges);
}

static const struct igt_ferry_test tests[] = {
	{ "retained",
	  "Without memory pressure a BO that is marked as not needed keeps its contents",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_retained },
	{ "one-placement",
	  "BOs with one allowed placement can be marked as not needed",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_one_placement },
	{ "purged-aperture",
	  "Every use of a BO fails after it was purged to free space in the aperture",
	  test_purged_aperture },
	{ "purged-system",
	  "Every use of a BO fails after the shrinker purged it",
	  test_purged_system },
	{ "purgeable-first",
	  "Space in the aperture comes from BOs that are not needed first, without a copy, even if they are the newest",
	  test_purgeable_first },
	{ "taken-back",
	  "A BO that is marked as needed again before it was purged is not purged",
	  test_taken_back },
	{ "accessed-last",
	  "Of the BOs that are needed, those accessed last are evicted last",
	  test_accessed_last },
	{ "scanout-never",
	  "A BO that is scanned out cannot be marked as not needed, and memory pressure does not move it",
	  test_scanout_never },
	{ "shared-dma-buf",
	  "A BO that is or was a dma-buf cannot be marked as not needed, and one that is marked cannot be exported",
	  test_shared_dma_buf },
	{ "shared-handle",
	  "A BO with handles of two clients cannot be marked as not needed until one of them closes its handle",
	  test_shared_handle },
	{ "shrinker",
	  "The shrinker purges the BOs in system memory that are not needed, and no others",
	  test_shrinker },
	{ "async-move",
	  "A BO that is not needed is not purged before its asynchronous move has ended",
	  test_async_move },
	{ "never-had-pages",
	  "A BO without backing store keeps its contents, zeros, when it is marked as not needed",
	  test_never_had_pages },
	{ "race",
	  "While the shrinker runs, BOs reported as retained have their contents, and all others raise SIGBUS",
	  test_race },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* the client of scanout-never has to become master */
		drmDropMaster(fd);
	}

	igt_ferry_run_tests(fd, tests);

	igt_fixture close(fd);
}
