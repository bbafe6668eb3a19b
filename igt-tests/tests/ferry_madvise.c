// SPDX-License-Identifier: MIT
/**
 * TEST: ferry madvise
 * Category: Core
 * Description: Contents that nobody needs: who may give them up, when they go, and who goes first
 */
#include <fcntl.h>
#include <pthread.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION(
	"Contents that nobody needs: who may give them up, and when they go");

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

static bool give_up(struct igt_ferry_bo *bo)
{
	return ferry_bo_madvise(bo->fd, bo->handle, DONTNEED);
}

static bool take_back(struct igt_ferry_bo *bo)
{
	return ferry_bo_madvise(bo->fd, bo->handle, WILLNEED);
}

static uint32_t madv(const struct igt_ferry_bo *bo)
{
	return ferry_bo_madv(bo->fd, bo->handle);
}

/* A BO that takes what is free in the aperture, and @more. */
static void press(struct igt_ferry_bo *bo, int fd, size_t more)
{
	struct igt_ferry_kind above = igt_ferry_movable_kinds[0];

	above.placement = APERTURE;
	igt_ferry_bo_init(bo, fd, igt_ferry_aperture_free(fd) + more, &above);
	igt_assert_eq(ferry_bo_placement(fd, bo->handle), APERTURE);
}

/**
 * SUBTEST: retained-%s
 * Description: without pressure contents that nobody needs stay, and can be taken back
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
			igt_assert(give_up(&bo));
			igt_assert(give_up(&bo));
			igt_assert_eq_u32(madv(&bo), DONTNEED);
			igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);
			/* moves take them along */
			ferry_bo_migrate(fd, bo.handle, APERTURE);
			igt_ferry_bo_check(&bo);
			ferry_bo_migrate(fd, bo.handle, SYSTEM);
			igt_assert_eq_u32(madv(&bo), DONTNEED);
			igt_assert(take_back(&bo));
			igt_assert(take_back(&bo));
			igt_assert_eq_u32(madv(&bo), WILLNEED);
			igt_ferry_bo_check(&bo);
		}
		igt_ferry_bo_fini(&bo);
	}
}

/**
 * SUBTEST: fixed-%s
 * Description: BOs that may be at one place only take advice as well
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_fixed(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo, other;

	bo_init(&bo, fd, SIZE, kind, kind->allowed_placements);
	igt_assert(give_up(&bo));
	igt_ferry_bo_check(&bo);
	igt_assert(take_back(&bo));
	igt_ferry_drop_caches();
	press(&other, fd, 0);
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
		igt_assert_eq(__ferry_bo_migrate_sync(bo->fd, bo->handle, APERTURE,
						      NULL, &out),
			      -ENODATA);
		igt_assert(drmPrimeHandleToFD(bo->fd, bo->handle, DRM_CLOEXEC,
					      &dmabuf));
		igt_assert_eq(__ferry_bo_wait(bo->fd, bo->handle, 0), 0);
		/* no advice brings them back */
		igt_assert(!(i ? give_up(bo) : take_back(bo)));
	}
	errno = 0;
	close(mem);
}

/**
 * SUBTEST: purged-%s
 * Description: contents that went are gone for good, whatever is tried with the BO
 *
 * arg[1]:
 *
 * @aperture:	pushed out by another BO
 * @system:	taken by the shrinker
 */
static void test_purged_aperture(int fd)
{
	const struct igt_ferry_kind *kind;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		uint64_t bos = igt_ferry_stat(fd, "bos");
		struct igt_ferry_bo bo, other;

		bo_init(&bo, fd, SIZE, kind, APERTURE);
		igt_assert(give_up(&bo));
		press(&other, fd, PAGE);
		check_purged(&bo);
		igt_ferry_bo_check(&other);
		igt_ferry_bo_fini(&other);
		check_purged(&bo);
		igt_ferry_bo_fini(&bo);
		igt_ferry_wait_stat(fd, "bos", bos);
	}
}

static void test_purged_system(int fd)
{
	const struct igt_ferry_kind *kind;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		uint64_t pages = igt_ferry_stat(fd, "system_pages");
		struct igt_ferry_bo bo;

		bo_init(&bo, fd, SIZE, kind, SYSTEM);
		igt_ferry_bo_purge(&bo);
		check_purged(&bo);
		/* what it had went back at once */
		igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), pages);
		igt_ferry_bo_fini(&bo);
	}
}

#define BOS 8

/* BOs that fill the aperture, the first one the longest there */
static void fill_aperture(struct igt_ferry_bo *bo, int fd)
{
	size_t size = ALIGN(igt_ferry_aperture_free(fd) / BOS - PAGE, PAGE);

	for (int i = 0; i < BOS; i++)
		bo_init(&bo[i], fd, size, &igt_ferry_movable_kinds[0], SYSTEM);
	/* touched last before: nothing but the way up counts */
	for (int i = 0; i < BOS; i++)
		ferry_bo_migrate(fd, bo[i].handle, APERTURE);
	for (int i = 0; i < BOS; i++)
		igt_assert_eq(ferry_bo_placement(fd, bo[i].handle), APERTURE);
}

/* Those of @mask are still in the aperture, the others are not. */
static void check_above(struct igt_ferry_bo *bo, int fd, unsigned int mask)
{
	unsigned int above = 0;

	for (int i = 0; i < BOS; i++)
		if (ferry_bo_placement(fd, bo[i].handle) == APERTURE)
			above |= 1u << i;
	igt_assert_eq_u32(above, mask);
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
 * Description: for room in the aperture what nobody needs goes first, however new, and is not copied
 */
static void test_purgeable_first(int fd)
{
	struct igt_ferry_bo bo[BOS], other;
	uint64_t evictions, down, purged;

	fill_aperture(bo, fd);
	igt_assert(give_up(&bo[5]));
	igt_assert(give_up(&bo[BOS - 1]));
	evictions = igt_ferry_stat(fd, "evictions");
	down = igt_ferry_stat(fd, "bytes_to_system");
	purged = igt_ferry_stat(fd, "purged");

	press(&other, fd, bo[0].size);
	check_above(bo, fd, 0xff & ~(1u << 5));
	igt_assert_eq_u32(madv(&bo[5]), PURGED);
	igt_assert_eq_u32(madv(&bo[BOS - 1]), DONTNEED);
	igt_ferry_bo_fini(&other);
	press(&other, fd, bo[0].size);
	check_above(bo, fd, 0x7f & ~(1u << 5));
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + 2);
	igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"), evictions);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bytes_to_system"), down);

	/* then the oldest */
	igt_ferry_bo_fini(&other);
	press(&other, fd, bo[0].size);
	check_above(bo, fd, 0x7e & ~(1u << 5));
	igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"), evictions + 1);
	igt_ferry_bo_fini(&other);
	finish(bo);
}

/**
 * SUBTEST: taken-back
 * Description: what was taken back in time is as safe as what was never given up
 */
static void test_taken_back(int fd)
{
	struct igt_ferry_bo bo[BOS], system, other;

	bo_init(&system, fd, SIZE, &igt_ferry_movable_kinds[0], SYSTEM);
	fill_aperture(bo, fd);
	for (int i = 0; i < BOS; i++)
		igt_assert(give_up(&bo[i]));
	igt_assert(give_up(&system));
	for (int i = 0; i < BOS; i++)
		igt_assert(take_back(&bo[i]));
	igt_assert(take_back(&system));
	press(&other, fd, 2 * bo[0].size);
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
 * SUBTEST: touched-last
 * Description: of BOs that are needed the one that was touched last leaves last
 */
static void test_touched_last(int fd)
{
	struct igt_ferry_bo bo[BOS], other;

	fill_aperture(bo, fd);
	igt_ferry_check(bo[0].map, 0, 1, bo[0].id, bo[0].gen);
	igt_ferry_check(bo[2].map, 0, 1, bo[2].id, bo[2].gen);
	/* three that were not touched, the oldest first */
	press(&other, fd, 3 * bo[0].size);
	check_above(bo, fd, 0xff & ~(1u << 1 | 1u << 3 | 1u << 4));
	igt_ferry_bo_fini(&other);
	finish(bo);
}

/**
 * SUBTEST: scanout-never
 * Description: what is on the screen cannot be given up, and stays under any pressure
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
	/* what is given up is not shown; a framebuffer counts as a handle */
	igt_assert(give_up(&shown));
	handles[0] = shown.handle;
	igt_assert_eq(drmModeAddFB2(fd, mode->hdisplay, mode->vdisplay,
				    DRM_FORMAT_XRGB8888, handles, pitches,
				    offsets, &fb, 0),
		      0);

	igt_assert(drmModeSetCrtc(fd, res->crtcs[0], fb, 0, 0,
				  &connector->connector_id, 1, mode));
	igt_assert(take_back(&shown));
	igt_assert_eq(drmModeSetCrtc(fd, res->crtcs[0], fb, 0, 0,
				     &connector->connector_id, 1, mode),
		      0);
	igt_assert_eq(__ferry_bo_madvise(fd, shown.handle, DONTNEED, &retained),
		      -EBUSY);
	igt_assert_eq(__ferry_bo_madvise(fd, shown.handle, WILLNEED, &retained),
		      0);
	igt_assert(retained);

	press(&other, fd, 0);
	igt_ferry_bo_fini(&other);
	count = igt_ferry_aperture_fill(fd, 64 * PAGE, &more);
	igt_ferry_drop_caches();
	igt_assert_eq(ferry_bo_placement(fd, shown.handle), APERTURE);
	igt_ferry_bo_check(&shown);
	igt_ferry_close_all(fd, more, count);

	igt_assert_eq(drmModeSetCrtc(fd, res->crtcs[0], 0, 0, 0, NULL, 0, NULL),
		      0);
	igt_assert_eq(drmModeRmFB(fd, fb), 0);
	igt_assert(give_up(&shown));
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
	igt_assert(take_back(bo));
	igt_ferry_drop_caches();
	igt_ferry_bo_check(bo);
}

/**
 * SUBTEST: shared-dma-buf
 * Description: what is or was a dma-buf cannot be given up, and what is given up becomes none
 */
static void test_shared_dma_buf(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR), dmabuf;
	uint32_t handle;
	struct igt_ferry_bo bo;
	bool retained;

	bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0], SYSTEM);
	igt_assert(give_up(&bo));
	igt_assert(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf));
	errno = 0;
	igt_assert(take_back(&bo));
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
 * Description: what two clients have a handle of cannot be given up by one, until it is alone
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
	igt_assert(give_up(&bo));
	igt_ferry_bo_check(&bo);
	close(client);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: shrinker
 * Description: the shrinker takes what nobody needs, and nothing else
 */
static void test_shrinker(int fd)
{
	enum { MANY = 32 };
	uint64_t purged = igt_ferry_stat(fd, "purged"), pages;
	struct igt_ferry_bo bo[MANY];
	unsigned int gone = 0;

	for (int i = 0; i < MANY; i++)
		bo_init(&bo[i], fd, (1 + i) * PAGE,
			&igt_ferry_movable_kinds[i % 4], i % 5 ? SYSTEM : APERTURE);
	pages = igt_ferry_stat(fd, "system_pages");
	for (int i = 0; i < MANY; i += 2)
		igt_assert(give_up(&bo[i]));
	for (int i = 0; i < 5; i++)
		igt_ferry_drop_caches();
	for (int i = 0; i < MANY; i++) {
		/* those in the aperture hold no memory */
		if (i % 2 || i % 5 == 0) {
			igt_assert_eq_u32(madv(&bo[i]),
					  i % 2 ? WILLNEED : DONTNEED);
			igt_ferry_bo_check(&bo[i]);
		} else {
			igt_assert_eq_u32(madv(&bo[i]), PURGED);
			pages -= bo[i].size / PAGE;
			gone++;
		}
		igt_ferry_bo_fini(&bo[i]);
		if (i % 2 && i % 5)
			pages -= (1 + i);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "purged"), purged + gone);
	igt_assert_eq_u64(igt_ferry_stat(fd, "system_pages"), pages);
}

/**
 * SUBTEST: on-its-way
 * Description: a BO that nobody needs and whose bytes are on their way is not purged before they are there
 */
static void test_on_its_way(int fd)
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
	igt_assert(give_up(&bo));
	for (int i = 0; i < 3; i++)
		igt_ferry_drop_caches();
	now = madv(&bo);
	closed = igt_ferry_sync_state(fd, out) == -ETIME;
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_require_f(closed, "this machine is too slow\n");
	igt_assert_eq_u32(now, DONTNEED);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_purge(&bo);
	check_purged(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: never-had-pages
 * Description: a BO that was never touched has contents as well: zeros
 */
static void test_never_had_pages(int fd)
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, SIZE, &igt_ferry_movable_kinds[0]);
	igt_assert(give_up(&bo));
	for (int i = 0; i < 3; i++)
		igt_ferry_drop_caches();
	/* there was nothing to take */
	igt_assert(take_back(&bo));
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
 * Description: while memory is taken all the time, what is said to be retained is there and right
 */
static void test_race(int fd)
{
	unsigned int kept = 0, gone = 0;
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
		give_up(&bo);
		if (i & 1)
			__ferry_bo_migrate(fd, bo.handle, SYSTEM);
		if (i & 2)
			igt_ferry_read_signal(bo.map);
		if (i & 4)
			usleep(i % 977);
		if (take_back(&bo)) {
			kept++;
			igt_ferry_bo_check(&bo);
		} else {
			gone++;
			igt_assert_eq(igt_ferry_read_signal(bo.map), SIGBUS);
		}
		igt_ferry_bo_fini(&bo);
	}
	stop = true;
	pthread_join(thread, NULL);
	igt_info("%u were there, %u were not\n", kept, gone);
	igt_assert_lt(0, kept);
	igt_assert_lt(0, gone);
}

static const struct igt_ferry_test tests[] = {
	{ "retained", "Without memory pressure contents stay",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_retained },
	{ "fixed", "BOs with one allowed placement can be marked as not needed",
	  .kinds = igt_ferry_fixed_kinds, .run_kind = test_fixed },
	{ "purged-aperture", "What another BO has pushed out is gone for good",
	  test_purged_aperture },
	{ "purged-system", "What the shrinker took is gone for good",
	  test_purged_system },
	{ "purgeable-first", "What nobody needs goes first, without a copy",
	  test_purgeable_first },
	{ "taken-back", "What was taken back in time is safe",
	  test_taken_back },
	{ "touched-last", "What was touched last leaves last",
	  test_touched_last },
	{ "scanout-never", "What is on the screen stays", test_scanout_never },
	{ "shared-dma-buf", "What is or was a dma-buf cannot be given up",
	  test_shared_dma_buf },
	{ "shared-handle", "What has two handles cannot be given up",
	  test_shared_handle },
	{ "shrinker", "The shrinker takes what nobody needs, and nothing else",
	  test_shrinker },
	{ "on-its-way", "What is on its way is not purged", test_on_its_way },
	{ "never-had-pages", "A BO that was never touched can be given up",
	  test_never_had_pages },
	{ "race", "What is said to be retained is there", test_race },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* so that the client of scanout-never can become master */
		drmDropMaster(fd);
	}

	igt_ferry_run_tests(fd, tests);

	igt_fixture close(fd);
}
