// SPDX-License-Identifier: MIT
/**
 * TEST: ferry create
 * Category: Core
 * Description: Creating and closing buffer objects: sizes, placements, contents, lifetime
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Creating and closing buffer objects: sizes, placements, contents, lifetime");

#define KiB(n) ((n)*1024ull)
#define MiB(n) (KiB(n) * 1024)

static uint64_t pages(uint64_t size)
{
	return ALIGN(size, FERRY_PAGE_SIZE);
}

/**
 * SUBTEST: device-query
 * Description: what the device says about itself is complete and consistent
 */
static void test_device_query(int fd)
{
	struct drm_ferry_device_query q;

	ferry_device_query(fd, &q);
	igt_info("version %u, aperture %" PRIu64 " KiB (%" PRIu64
		 " KiB free), cache type %u (asked for %u), features %#" PRIx64
		 "\n",
		 q.version, (uint64_t)q.aperture_size >> 10,
		 (uint64_t)q.aperture_free >> 10, q.aperture_memtype,
		 q.aperture_memtype_requested, (uint64_t)q.features);

	igt_assert_lte(1, q.version);
	igt_assert_lte(q.aperture_memtype, DRM_FERRY_MEMTYPE_WB);
	igt_assert_lte(q.aperture_memtype_requested, DRM_FERRY_MEMTYPE_WB);
	igt_assert_eq_u32(q.pad2, 0);
	igt_assert(q.aperture_size && q.aperture_size % FERRY_PAGE_SIZE == 0);
	igt_assert_lte_u64(q.aperture_free, q.aperture_size);
	igt_assert(q.page_sizes & FERRY_PAGE_SIZE);
	igt_assert_eq_u64(q.page_sizes & (FERRY_PAGE_SIZE - 1), 0);
	igt_assert_lte_u64(q.aperture_size, q.max_bo_size);
	igt_assert_eq_u64(q.max_bo_size % FERRY_PAGE_SIZE, 0);
	igt_assert_eq_u64(q.features & ~(uint64_t)DRM_FERRY_FEATURE_DISPLAY, 0);
}

static void check_size(int fd, uint64_t size, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = kind->allowed_placements,
		.placement = kind->placement,
		.caching = kind->caching,
		.flags = kind->flags,
	};
	struct drm_ferry_bo_query query;

	do_ioctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &create);
	igt_assert_eq_u64(create.size, pages(size));
	ferry_bo_query(fd, create.handle, &query);
	igt_assert_eq_u64(query.size, pages(size));
	gem_close(fd, create.handle);
}

/**
 * SUBTEST: sizes-%s
 * Description: sizes from 1 byte on are rounded up to whole pages
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static void test_sizes(int fd, const struct igt_ferry_kind *kind)
{
	static const uint64_t sizes[] = {
		1,	    2,		4095,	4096,	     4097,
		8191,	    8192,	12289,	KiB(64) + 1, KiB(512),
		MiB(1) - 1, MiB(2) - 1, MiB(2), MiB(2) + 1,  MiB(4) + 4096,
	};
	uint64_t room = igt_ferry_aperture_free(fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (kind->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE &&
		    sizes[i] > room / 2)
			continue;
		check_size(fd, sizes[i], kind);
	}
}

/**
 * SUBTEST: size-max
 * Description: the largest size is taken, and a BO larger than the aperture stays out of it
 */
static void test_size_max(int fd)
{
	struct drm_ferry_device_query device;
	struct drm_ferry_bo_query query;
	uint32_t handle;
	int err;

	ferry_device_query(fd, &device);
	err = __ferry_bo_create(fd, device.max_bo_size,
				DRM_FERRY_PLACEMENT_SYSTEM, 0, 0, 0, &handle);
	igt_assert_f(!err || err == -ENOMEM, "size %#" PRIx64 ": %s\n",
		     (uint64_t)device.max_bo_size, strerror(-err));
	if (!err) {
		ferry_bo_query(fd, handle, &query);
		igt_assert_eq_u64(query.size, device.max_bo_size);
		gem_close(fd, handle);
	}

	if (device.max_bo_size <= device.aperture_size)
		return;
	handle = ferry_bo_create(fd, device.aperture_size + 1,
				 FERRY_PLACEMENT_BOTH, 0, 0, 0);
	igt_assert_eq(ferry_bo_placement(fd, handle),
		      DRM_FERRY_PLACEMENT_SYSTEM);
	igt_assert_eq(__ferry_bo_migrate(fd, handle,
					 DRM_FERRY_PLACEMENT_APERTURE),
		      -ENOSPC);
	igt_assert_eq(ferry_bo_placement(fd, handle),
		      DRM_FERRY_PLACEMENT_SYSTEM);
	gem_close(fd, handle);

	igt_assert_eq(__ferry_bo_create(fd, device.aperture_size + 1,
					FERRY_PLACEMENT_BOTH,
					DRM_FERRY_PLACEMENT_APERTURE, 0, 0,
					&handle),
		      -ENOSPC);
}

static void check_combination(int fd, uint32_t placements, uint32_t placement,
			      uint32_t caching, uint32_t flags,
			      uint32_t aperture_memtype)
{
	uint32_t handle, expected = placement;
	struct drm_ferry_bo_query q;

	if (!expected)
		expected = placements & DRM_FERRY_PLACEMENT_SYSTEM ?
				   DRM_FERRY_PLACEMENT_SYSTEM :
				   DRM_FERRY_PLACEMENT_APERTURE;

	handle = ferry_bo_create(fd, KiB(12), placements, placement, caching,
				 flags);
	ferry_bo_query(fd, handle, &q);
	igt_assert_eq_u64(q.size, KiB(12));
	igt_assert_eq_u32(q.allowed_placements, placements);
	igt_assert_eq_u32(q.placement, expected);
	igt_assert_eq_u32(q.caching, caching);
	igt_assert_eq_u32(q.flags, flags);
	igt_assert_eq_u32(q.pinned, 0);
	if (expected == DRM_FERRY_PLACEMENT_APERTURE)
		igt_assert_eq_u32(q.memtype, aperture_memtype);
	else
		igt_assert_eq_u32(q.memtype, caching == DRM_FERRY_CACHING_WC ?
						   DRM_FERRY_MEMTYPE_WC :
						   DRM_FERRY_MEMTYPE_WB);
	gem_close(fd, handle);
}

/**
 * SUBTEST: combinations
 * Description: every combination of placements, start, caching and flags is kept as asked for
 */
static void test_combinations(int fd)
{
	struct drm_ferry_device_query device;
	unsigned int count = 0;

	ferry_device_query(fd, &device);
	for (uint32_t placements = 1; placements <= FERRY_PLACEMENT_BOTH;
	     placements++)
		for (uint32_t start = 0; start <= DRM_FERRY_PLACEMENT_APERTURE;
		     start++)
			for (uint32_t i = 0; i < 4; i++) {
				if (start & ~placements)
					continue;
				check_combination(
					fd, placements, start, i & 1,
					i & 2 ? DRM_FERRY_BO_CONTIGUOUS : 0,
					device.aperture_memtype);
				count++;
			}
	igt_info("%u combinations\n", count);
}

/* Leave memory behind that is not zero, as many BOs of it as fit. */
static void make_dirt(int fd, const struct igt_ferry_kind *kind, size_t size,
		      unsigned int count)
{
	struct igt_ferry_bo bo[16];
	unsigned int n;

	igt_assert(count <= ARRAY_SIZE(bo));
	for (n = 0; n < count; n++) {
		int err = __igt_ferry_bo_init(&bo[n], fd, size, kind);

		if (err == -ENOSPC && n)
			break;
		igt_assert_eq(err, 0);
		bo[n].map = ferry_bo_mmap(fd, bo[n].handle, bo[n].size);
		igt_ferry_bo_fill(&bo[n]);
	}
	while (n--)
		igt_ferry_bo_fini(&bo[n]);
}

/**
 * SUBTEST: zeroed-%s
 * Description: a new BO is zero from its first byte to its last, whatever was there before
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_zeroed(int fd, const struct igt_ferry_kind *kind)
{
	static const uint64_t sizes[] = { 1,	   4096,	 4097,
					  KiB(36), KiB(64),	 KiB(252),
					  MiB(1),  MiB(2) + 4096 };
	uint64_t room = igt_ferry_aperture_free(fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct igt_ferry_bo bo;

		if (kind->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE &&
		    sizes[i] > room / 4)
			continue;
		make_dirt(fd, kind, pages(sizes[i]), 4);
		for (int round = 0; round < 3; round++) {
			igt_ferry_bo_init(&bo, fd, sizes[i], kind);
			igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);
			igt_ferry_bo_fini(&bo);
		}
	}
}

/**
 * SUBTEST: zeroed-whole-aperture
 * Description: no page of the aperture shows what another client has left there
 */
static void test_zeroed_whole_aperture(int fd)
{
	const size_t size = KiB(512);
	uint32_t *handles;
	unsigned int count;
	void *map;

	for (int round = 0; round < 2; round++) {
		int client = igt_ferry_reopen(fd, O_RDWR);

		count = igt_ferry_aperture_fill(client, size, &handles);
		igt_assert_lt(0, count);
		for (unsigned int i = 0; i < count; i++) {
			map = ferry_bo_mmap(client, handles[i], size);
			if (round)
				igt_ferry_check_zero(map, size);
			else
				memset(map, 0xa5, size);
			igt_assert_eq(munmap(map, size), 0);
		}
		/* the client dies without closing its handles */
		free(handles);
		close(client);
	}
}

/**
 * SUBTEST: zeroed-moved-%s
 * Description: a BO that was never touched is zero after it moved, in both directions
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_zeroed_moved(int fd, const struct igt_ferry_kind *kind)
{
	static const struct igt_ferry_kind *const dirt =
		&igt_ferry_fixed_kinds[2];
	struct igt_ferry_kind other = *kind;
	const size_t size = KiB(256);
	struct igt_ferry_bo bo;

	make_dirt(fd, dirt, size, 8);
	igt_ferry_bo_init(&bo, fd, size, kind);
	ferry_bo_migrate(fd, bo.handle, DRM_FERRY_PLACEMENT_APERTURE);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);

	make_dirt(fd, kind, size, 8);
	make_dirt(fd, dirt, size, 8);
	other.placement = DRM_FERRY_PLACEMENT_APERTURE;
	igt_ferry_bo_init(&bo, fd, size, &other);
	ferry_bo_migrate(fd, bo.handle, DRM_FERRY_PLACEMENT_SYSTEM);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: handle-lifecycle
 * Description: a handle is valid from create to close, in its own client only
 */
static void test_handle_lifecycle(int fd)
{
	int other = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_bo_query q;
	uint64_t offset;
	uint32_t handle;

	for (int i = 0; i < 10; i++) {
		handle = ferry_bo_create(fd, 4096, FERRY_PLACEMENT_BOTH, 0, 0,
					 0);
		igt_assert_eq(__ferry_bo_query(other, handle, &q), -ENOENT);
		igt_assert_eq(__ferry_bo_close(other, handle), -EINVAL);
		ferry_bo_query(fd, handle, &q);

		igt_assert_eq(__ferry_bo_close(fd, handle), 0);
		igt_assert_eq(__ferry_bo_close(fd, handle), -EINVAL);
		igt_assert_eq(__ferry_bo_query(fd, handle, &q), -ENOENT);
		igt_assert_eq(__ferry_bo_mmap_offset(fd, handle, &offset),
			      -ENOENT);
		igt_assert_eq(__ferry_bo_migrate(fd, handle,
						 DRM_FERRY_PLACEMENT_APERTURE),
			      -ENOENT);
	}
	close(other);
}

/**
 * SUBTEST: close-frees
 * Description: closing the device file frees its BOs and their room in the aperture
 */
static void test_close_frees(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	int client = igt_ferry_reopen(fd, O_RDWR);

	for (int i = 0; i < 64; i++)
		ferry_bo_create(client, KiB(16), FERRY_PLACEMENT_BOTH,
				i & 1 ? DRM_FERRY_PLACEMENT_APERTURE :
					DRM_FERRY_PLACEMENT_SYSTEM,
				0, 0);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 64);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room - 32 * KiB(16));
	close(client);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/* Never returns: creates, maps, touches, migrates and closes until it is killed. */
static void busy_client(int fd)
{
	const struct igt_ferry_kind *kind = igt_ferry_movable_kinds;
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct igt_ferry_bo bo[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_init(&bo[i], client, KiB(256), kind);
	for (unsigned int i = 0;; i = (i + 1) % ARRAY_SIZE(bo)) {
		igt_ferry_bo_fill(&bo[i]);
		ferry_bo_migrate(client, bo[i].handle,
				 DRM_FERRY_PLACEMENT_APERTURE);
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
		igt_ferry_bo_init(&bo[i], client, KiB(256), kind);
	}
}

/**
 * SUBTEST: kill-frees
 * Description: a client that is killed in the middle of everything leaves nothing behind
 */
static void test_kill_frees(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		int status;

		igt_assert_lte(0, pid);
		if (!pid) {
			busy_client(fd);
			_exit(1);
		}
		usleep(50000 + i * 23456);
		igt_assert_eq(kill(pid, SIGKILL), 0);
		igt_assert_eq(waitpid(pid, &status, 0), pid);
		igt_assert_f(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
			     "the client ended by itself: status %#x\n",
			     status);
	}
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

struct guesser {
	int fd;
	volatile uint32_t next;
	volatile bool stop;
	unsigned long tries;
	unsigned long hits;
};

static void *guess_and_close(void *arg)
{
	struct guesser *g = arg;

	while (!g->stop) {
		struct drm_gem_close args = { .handle = g->next };

		g->tries++;
		if (drmIoctl(g->fd, DRM_IOCTL_GEM_CLOSE, &args) == 0)
			g->hits++;
	}
	return NULL;
}

/**
 * SUBTEST: create-close-guess-%s
 * Description: a thread guesses the next handle and closes it while create still runs
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_create_close_guess(int fd, const struct igt_ferry_kind *kind)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	struct guesser g = { .fd = igt_ferry_reopen(fd, O_RDWR), .next = 1 };
	unsigned long created = 0, late = 0;
	struct timespec start = {};
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, guess_and_close, &g), 0);
	while (igt_seconds_elapsed(&start) < 2) {
		uint32_t handle = ferry_bo_create(g.fd, 4096, kind->allowed_placements,
						  kind->placement,
						  kind->caching, kind->flags);
		int err;

		created++;
		g.next = handle;
		err = __ferry_bo_close(g.fd, handle);
		igt_assert(!err || err == -EINVAL);
		if (err)
			late++;
	}
	g.stop = true;
	pthread_join(thread, NULL);
	igt_info("%lu created, %lu guesses, %lu closed by the guess\n", created,
		 g.tries, late);
	igt_assert(g.hits >= late);

	/* the handles that the guess has hit are gone, and nothing else is */
	close(g.fd);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/**
 * SUBTEST: handle-not-told
 * Description: a handle that cannot be told to its owner is a whole BO, goes with the file, and
 *		is nobody else's
 */
static void test_handle_not_told(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	int own = igt_ferry_reopen(fd, O_RDWR),
	    other = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_bo_create *args;
	struct drm_ferry_bo_query query;
	unsigned int found = 0;

	args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(args != MAP_FAILED);
	args->size = 3 * 4096;
	args->allowed_placements = FERRY_PLACEMENT_BOTH;
	args->placement = DRM_FERRY_PLACEMENT_APERTURE;
	igt_assert_eq(mprotect(args, 4096, PROT_READ), 0);
	for (int i = 0; i < 20; i++)
		igt_assert_eq(__ferry_ioctl(own, DRM_IOCTL_FERRY_BO_CREATE,
					    args),
			      -EFAULT);
	munmap(args, 4096);

	for (uint32_t handle = 1; handle < 64; handle++) {
		int err = __ferry_bo_query(own, handle, &query);

		igt_assert(!err || err == -ENOENT);
		igt_assert_eq(__ferry_bo_query(other, handle, &query), -ENOENT);
		if (err)
			continue;
		found++;
		igt_assert(!__ferry_bo_query(own, handle, &query));
		igt_assert_eq_u64(query.size, 3 * 4096);
		/* some go by a guess, the others with the file */
		if (handle & 1)
			igt_assert_eq(__ferry_bo_close(own, handle), 0);
	}
	igt_info("%u of 20 can be guessed by their owner\n", found);
	close(own);
	close(other);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/**
 * SUBTEST: aperture-only-fill
 * Description: BOs that may only be in the aperture fill it to the end, keep their contents,
 *		give ENOSPC for one more, and the same number fits again after they are closed
 */
static void test_aperture_only_fill(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	const size_t size = KiB(512);
	unsigned int count, first = 0;
	uint32_t *handles;
	void *map;

	for (int round = 0; round < 2; round++) {
		count = igt_ferry_aperture_fill(fd, size, &handles);
		igt_info("%u BOs of %zu KiB\n", count, size >> 10);
		igt_assert_f(count >= room / size,
			     "%u BOs, and there was room for %" PRIu64 "\n",
			     count, room / size);
		if (round)
			igt_assert_eq(count, first);
		first = count;
		igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + count);

		for (unsigned int i = 0; i < count; i++) {
			map = ferry_bo_mmap(fd, handles[i], size);
			igt_ferry_fill(map, 0, size / FERRY_PAGE_SIZE, i,
				       round + 1);
			munmap(map, size);
		}
		for (unsigned int i = 0; i < count; i++) {
			igt_assert_eq(ferry_bo_placement(fd, handles[i]),
				      DRM_FERRY_PLACEMENT_APERTURE);
			map = ferry_bo_mmap(fd, handles[i], size);
			igt_ferry_check(map, 0, size / FERRY_PAGE_SIZE, i,
					round + 1);
			munmap(map, size);
		}
		igt_ferry_close_all(fd, handles, count);
		igt_ferry_wait_stat(fd, "bos", bos);
		igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
	}
}

/**
 * SUBTEST: contiguous
 * Description: in a fragmented aperture a scattered BO still fits and a contiguous one does not
 */
static void test_contiguous(int fd)
{
	const size_t hole = KiB(256);
	uint32_t *handles, handle;
	unsigned int count, i;

	count = igt_ferry_aperture_fill(fd, hole, &handles);
	igt_require_f(count >= 8, "the aperture has room for %u BOs only\n",
		      count);
	for (i = 0; i < count; i += 2)
		gem_close(fd, handles[i]);

	igt_assert_eq(__ferry_bo_create(fd, hole * 3,
					DRM_FERRY_PLACEMENT_APERTURE, 0, 0,
					DRM_FERRY_BO_CONTIGUOUS, &handle),
		      -ENOSPC);
	handle = ferry_bo_create(fd, hole * 3, DRM_FERRY_PLACEMENT_APERTURE, 0,
				 0, 0);
	gem_close(fd, handle);
	handle = ferry_bo_create(fd, hole, DRM_FERRY_PLACEMENT_APERTURE, 0, 0,
				 DRM_FERRY_BO_CONTIGUOUS);
	gem_close(fd, handle);

	for (i = 1; i < count; i += 2)
		gem_close(fd, handles[i]);
	free(handles);
	handle = ferry_bo_create(fd, hole * 3, DRM_FERRY_PLACEMENT_APERTURE, 0,
				 0, DRM_FERRY_BO_CONTIGUOUS);
	gem_close(fd, handle);
}

/**
 * SUBTEST: dumb
 * Description: a dumb buffer has room for its picture, is zero, and is an ordinary BO
 */
static void test_dumb(int fd)
{
	static const uint32_t sizes[][2] = {
		{ 1, 1 }, { 64, 64 }, { 641, 479 }, { 1024, 768 }
	};
	struct drm_ferry_bo_query query;

	igt_ferry_require_display(fd);
	make_dirt(fd, &igt_ferry_fixed_kinds[0], MiB(1), 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drm_mode_create_dumb dumb = { .width = sizes[i][0],
						     .height = sizes[i][1],
						     .bpp = 32 };
		struct drm_mode_map_dumb map = {};
		struct drm_mode_destroy_dumb destroy = {};
		void *p;

		do_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
		igt_assert_lte(sizes[i][0] * 4, dumb.pitch);
		igt_assert_lte_u64((uint64_t)dumb.pitch * dumb.height,
				   dumb.size);
		ferry_bo_query(fd, dumb.handle, &query);
		igt_assert_eq_u64(query.size, pages(dumb.size));

		map.handle = dumb.handle;
		do_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map);
		igt_assert_eq_u64(map.offset,
				  ferry_bo_mmap_offset(fd, dumb.handle));
		p = mmap(NULL, pages(dumb.size), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, map.offset);
		igt_assert(p != MAP_FAILED);
		igt_ferry_check_zero(p, pages(dumb.size));
		memset(p, 0x5a, pages(dumb.size));
		munmap(p, pages(dumb.size));

		destroy.handle = dumb.handle;
		do_ioctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
		igt_assert_eq(__ferry_bo_query(fd, dumb.handle, &query),
			      -ENOENT);
	}
}

/**
 * SUBTEST: dumb-invalid
 * Description: dumb buffers of impossible sizes are refused and leave nothing behind
 */
static void test_dumb_invalid(int fd)
{
	static const struct drm_mode_create_dumb bad[] = {
		{ .width = 0, .height = 64, .bpp = 32 },
		{ .width = 64, .height = 0, .bpp = 32 },
		{ .width = 64, .height = 64, .bpp = 0 },
		{ .width = 0xffffffff, .height = 0xffffffff, .bpp = 32 },
		{ .width = 0x40000000, .height = 4, .bpp = 32 },
		{ .width = 0x1000000, .height = 0xff, .bpp = 32 },
		{ .width = 64, .height = 64, .bpp = 0xffffffff },
	};
	uint64_t bos;

	igt_ferry_require_display(fd);
	bos = igt_ferry_stat(fd, "bos");
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_mode_create_dumb dumb = bad[i];
		int err = __ferry_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

		igt_assert_f(err == -EINVAL || err == -ENOMEM || err == -ENOSPC,
			     "%ux%u, %u bits: %s\n", bad[i].width,
			     bad[i].height, bad[i].bpp,
			     err ? strerror(-err) : "created");
	}
	/* more than there is, and less than the 4 GiB where the DRM core stops */
	if (igt_ferry_field("/proc/meminfo", "MemTotal") < 3 << 20) {
		struct drm_mode_create_dumb dumb = { .width = 0x1000000,
						     .height = 62,
						     .bpp = 32 };

		igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB,
					    &dumb),
			      -EINVAL);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos);
}

igt_main
{
	const struct igt_ferry_kind *kind;
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_describe(
		"What the device says about itself is complete and consistent");
	igt_subtest("device-query") test_device_query(igt_ferry_begin(fd));

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_describe(
			"Sizes from 1 byte on are rounded up to whole pages");
		igt_subtest_f("sizes-%s", kind->name)
			test_sizes(igt_ferry_begin(fd), kind);
	}

	igt_describe(
		"The largest size is taken, and what exceeds the aperture stays out of it");
	igt_subtest("size-max") test_size_max(igt_ferry_begin(fd));

	igt_describe(
		"Every combination of placements, start, caching and flags is kept");
	igt_subtest("combinations") test_combinations(igt_ferry_begin(fd));

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_describe(
			"A new BO is zero from its first byte to its last");
		igt_subtest_f("zeroed-%s", kind->name)
			test_zeroed(igt_ferry_begin(fd), kind);
	}

	igt_describe(
		"No page of the aperture shows what another client has left there");
	igt_subtest("zeroed-whole-aperture")
		test_zeroed_whole_aperture(igt_ferry_begin(fd));

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		igt_describe(
			"A BO that was never touched is zero after it moved");
		igt_subtest_f("zeroed-moved-%s", kind->name)
			test_zeroed_moved(igt_ferry_begin(fd), kind);
	}

	igt_describe(
		"A handle is valid from create to close, in its own client only");
	igt_subtest("handle-lifecycle")
		test_handle_lifecycle(igt_ferry_begin(fd));

	igt_describe("Closing the device file frees its BOs and their room");
	igt_subtest("close-frees") test_close_frees(igt_ferry_begin(fd));

	igt_describe(
		"A client that is killed in the middle leaves nothing behind");
	igt_subtest("kill-frees") test_kill_frees(igt_ferry_begin(fd));

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_describe(
			"The next handle is guessed and closed while create still runs");
		igt_subtest_f("create-close-guess-%s", kind->name)
			test_create_close_guess(igt_ferry_begin(fd), kind);
	}

	igt_describe(
		"A handle that cannot be told is a whole BO, and its owner's");
	igt_subtest("handle-not-told")
		test_handle_not_told(igt_ferry_begin(fd));

	igt_describe(
		"BOs that may only be in the aperture fill it, then give ENOSPC");
	igt_subtest("aperture-only-fill")
		test_aperture_only_fill(igt_ferry_begin(fd));

	igt_describe("Fragmentation stops a contiguous BO only");
	igt_subtest("contiguous") test_contiguous(igt_ferry_begin(fd));

	igt_describe(
		"A dumb buffer has room for its picture, is zero, and is an ordinary BO");
	igt_subtest("dumb") test_dumb(igt_ferry_begin(fd));

	igt_describe(
		"Dumb buffers of impossible sizes are refused and leave nothing behind");
	igt_subtest("dumb-invalid") test_dumb_invalid(igt_ferry_begin(fd));

	igt_fixture close(fd);
}
