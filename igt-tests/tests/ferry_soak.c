// SPDX-License-Identifier: MIT
/**
 * TEST: ferry soak
 * Category: Stress
 * Description: Random operations in several processes, some of which are killed, for a given time
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Random operations in several processes, some of which are killed, for a given time");

#define MAX_WORKERS 16
#define SLOTS 24
#define PROGRESS_S 5

/* Limit for leaked slabs: their size varies by some hundred KiB by itself. */
#define LEAK_SLAB_KIB 2048

static unsigned int seconds = 12, workers = 5, seed = 1;

/* Operations of the workers */
enum operation {
	OP_CREATE,
	OP_FILL,
	OP_CHECK,
	OP_TO_APERTURE,
	OP_TO_SYSTEM,
	OP_MANY,
	OP_REMAP,
	OP_UNMAP_PAGE,
	OP_CLOSE,
	OP_ORPHAN,
	OP_EXPORT,
	OP_FORK,
	OP_MADVISE,
	OP_FLIP,
	OP_COUNT,
};

static const char *const operation_names[OP_COUNT] = {
	"create", "fill",  "check",	 "to-aperture", "to-system",
	"many",	  "remap", "unmap-page", "close",	"orphan",
	"export", "fork",  "madvise",	 "flip",
};

/**
 * struct shared - state that the workers and the main process share
 * @stop: the workers have to end
 * @done: number of operations by kind
 * @pages: number of pages that were verified
 * @full: number of ENOSPC and ENOMEM errors
 * @purged: number of BOs that were purged
 * @error: the first failure, or ""
 */
static volatile struct shared {
	bool stop;
	unsigned long done[OP_COUNT];
	unsigned long pages;
	unsigned long full;
	unsigned long purged;
	char error[512];
} * shared;

/**
 * struct worker - one process
 * @fd: its client
 * @number: its index
 * @ids: id of its next BO
 * @random: state of its random number generator
 * @aperture: size of the aperture
 * @bo: its BOs; slots without a mapping are free
 * @unneeded: whether the BO of a slot is marked as not needed
 * @shown: BOs of the framebuffers, if the worker is master of the display
 * @fb: ids of the framebuffers
 * @crtc: the CRTC, or 0
 */
struct worker {
	int fd;
	unsigned int number;
	uint32_t ids;
	uint64_t random;
	size_t aperture;
	struct igt_ferry_bo bo[SLOTS];
	bool unneeded[SLOTS];
	struct igt_ferry_bo shown[2];
	uint32_t fb[2];
	uint32_t crtc;
};

/*
 * Record a failure and end the worker. Workers are killed at random, so they are not
 * children of igt_fork(), and must not return to the subtest by siglongjmp().
 */
static _Noreturn void fail(struct worker *w, const char *format, ...)
{
	va_list args;
	char text[400];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!shared->error[0])
		snprintf((char *)shared->error, sizeof(shared->error),
			 "worker %u: %s", w->number, text);
	_exit(1);
}

static unsigned int pick(struct worker *w, unsigned int below)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return (w->random >> 33) % below;
}

/* Fail for errors other than ENOSPC and ENOMEM; return whether there was none. */
static bool worked(struct worker *w, const char *what, int err)
{
	if (!err)
		return true;
	if (err != -ENOSPC && err != -ENOMEM)
		fail(w, "%s: %s", what, strerror(-err));
	__atomic_add_fetch(&shared->full, 1, __ATOMIC_RELAXED);
	return false;
}

static void verify(struct worker *w, const struct igt_ferry_bo *bo,
		   const void *map, size_t first, size_t pages)
{
	char text[256];

	if (!__igt_ferry_check(map, first, pages, bo->id, bo->gen, text,
			       sizeof(text)))
		fail(w, "%s", text);
	__atomic_add_fetch(&shared->pages, pages, __ATOMIC_RELAXED);
}

static void verify_all(struct worker *w, const struct igt_ferry_bo *bo)
{
	verify(w, bo, bo->map, 0, bo->size / PAGE);
}

static void *map_bo(struct worker *w, uint32_t handle, size_t size)
{
	uint64_t offset;
	void *map;
	int err = __ferry_bo_mmap_offset(w->fd, handle, &offset);

	if (err)
		fail(w, "mmap offset: %s", strerror(-err));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd,
		   offset);
	if (map == MAP_FAILED)
		fail(w, "mmap: %s", strerror(errno));
	return map;
}

static void fill(struct igt_ferry_bo *bo)
{
	igt_ferry_fill(bo->map, 0, bo->size / PAGE, bo->id, ++bo->gen);
}

static bool create(struct worker *w, struct igt_ferry_bo *bo)
{
	const struct igt_ferry_kind *kinds =
		pick(w, 4) ? igt_ferry_movable_kinds : igt_ferry_single_kinds;
	const struct igt_ferry_kind *kind = &kinds[pick(w, 4)];
	size_t size = (1 + pick(w, 64)) * PAGE;

	if (!pick(w, 12))
		size = ALIGN(w->aperture / 8, PAGE);
	if (!worked(w, "create", __igt_ferry_bo_init(bo, w->fd, size, kind)))
		return false;
	bo->id = w->ids++ & 0xffff;
	bo->map = map_bo(w, bo->handle, bo->size);
	/* a new BO is zero */
	for (size_t i = 0; i < bo->size / sizeof(uint64_t); i += 509)
		if (((volatile uint64_t *)bo->map)[i])
			fail(w, "the new BO %u is not zero", bo->id);
	fill(bo);
	return true;
}

static void destroy(struct worker *w, struct igt_ferry_bo *bo)
{
	if (bo->map)
		munmap(bo->map, bo->size);
	if (bo->handle && __ferry_bo_close(w->fd, bo->handle))
		fail(w, "close");
	memset(bo, 0, sizeof(*bo));
}

static bool is_movable(struct worker *w, const struct igt_ferry_bo *bo)
{
	struct drm_ferry_bo_query query;

	if (__ferry_bo_query(w->fd, bo->handle, &query))
		fail(w, "query");
	return query.allowed_placements == FERRY_PLACEMENT_BOTH;
}

static void move_one(struct worker *w, const struct igt_ferry_bo *bo,
		     uint32_t where)
{
	if (is_movable(w, bo))
		worked(w, "migrate",
		       __ferry_bo_migrate(w->fd, bo->handle, where));
}

static void move_many(struct worker *w)
{
	struct drm_ferry_migrate_entry entries[SLOTS];
	unsigned int count = 0;

	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!w->bo[i].map || w->unneeded[i] || pick(w, 3) ||
		    !is_movable(w, &w->bo[i]))
			continue;
		entries[count].handle = w->bo[i].handle;
		entries[count++].placement = pick(w, 2) ? APERTURE : SYSTEM;
	}
	if (count)
		worked(w, "migrate many",
		       __ferry_migrate(w->fd, entries, count));
}

/* Unmap one page, verify the others, and map the BO again. */
static void unmap_page(struct worker *w, struct igt_ferry_bo *bo)
{
	size_t pages = bo->size / PAGE, at = pick(w, pages);
	char *map = bo->map;

	munmap(map + at * PAGE, PAGE);
	verify(w, bo, map, 0, at);
	verify(w, bo, map + (at + 1) * PAGE, at + 1, pages - at - 1);
	munmap(map, bo->size);
	bo->map = map_bo(w, bo->handle, bo->size);
}

static void export(struct worker *w, struct igt_ferry_bo *bo)
{
	uint32_t handle;
	void *map;
	int prime;

	if (drmPrimeHandleToFD(w->fd, bo->handle, DRM_RDWR | DRM_CLOEXEC,
			       &prime))
		fail(w, "export: %s", strerror(errno));
	map = mmap(NULL, bo->size, PROT_READ, MAP_SHARED, prime, 0);
	if (map == MAP_FAILED)
		fail(w, "mmap of a dma-buf: %s", strerror(errno));
	if (drmPrimeFDToHandle(w->fd, prime, &handle) || handle != bo->handle)
		fail(w, "import gives another handle");
	verify(w, bo, map, 0, bo->size / PAGE);
	munmap(map, bo->size);
	close(prime);
}

/* Verify a BO in a child process, which exits without unmapping it. */
static void check_in_child(struct worker *w, const struct igt_ferry_bo *bo)
{
	pid_t child = fork();
	int status;

	if (!child) {
		verify_all(w, bo);
		_exit(0);
	}
	if (child < 0)
		return;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail(w, "waitpid: %s", strerror(errno));
	if (status)
		fail(w, "a child ended with %#x", status);
}

static int madvise_bo(struct worker *w, const struct igt_ferry_bo *bo,
		      uint32_t madv, bool *retained)
{
	struct drm_ferry_bo_madvise args = { .handle = bo->handle,
					     .madv = madv };
	int err = __ferry_ioctl(w->fd, DRM_IOCTL_FERRY_BO_MADVISE, &args);

	*retained = args.retained;
	return err;
}

/* Mark a BO as not needed, or as needed again; destroy it if it was purged. */
static void toggle_need(struct worker *w, unsigned int slot)
{
	struct igt_ferry_bo *bo = &w->bo[slot];
	bool retained;
	int err;

	err = madvise_bo(w, bo,
			 w->unneeded[slot] ? DRM_FERRY_MADV_WILLNEED :
					     DRM_FERRY_MADV_DONTNEED,
			 &retained);
	/* the BO was exported before */
	if (err == -EBUSY && !w->unneeded[slot])
		return;
	if (err)
		fail(w, "madvise: %s", strerror(-err));
	w->unneeded[slot] = !w->unneeded[slot];
	if (!retained) {
		__atomic_add_fetch(&shared->purged, 1, __ATOMIC_RELAXED);
		w->unneeded[slot] = false;
		destroy(w, bo);
	} else if (!w->unneeded[slot]) {
		verify_all(w, bo);
	}
}

/* Set a mode with two framebuffers to flip, if the worker can become master. */
static void display_init(struct worker *w)
{
	static const struct igt_ferry_kind kind = {
		"framebuffer", FERRY_PLACEMENT_BOTH, SYSTEM,
		DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS
	};
	drmModeConnector *connector;
	drmModeModeInfo mode;
	drmModeRes *res;

	if (drmSetMaster(w->fd))
		return;
	res = drmModeGetResources(w->fd);
	if (!res || !res->count_crtcs)
		return;
	connector = drmModeGetConnector(w->fd, res->connectors[0]);
	if (!connector || !connector->count_modes)
		fail(w, "no mode");
	mode = connector->modes[connector->count_modes - 1];
	for (int i = 0; i < 2; i++) {
		uint32_t pitches[4] = { mode.hdisplay * 4 }, offsets[4] = {};
		uint32_t handles[4] = {};
		struct igt_ferry_bo *bo = &w->shown[i];

		if (!worked(w, "create a framebuffer",
			    __igt_ferry_bo_init(bo, w->fd,
						pitches[0] * mode.vdisplay,
						&kind)))
			return;
		bo->map = map_bo(w, bo->handle, bo->size);
		fill(bo);
		handles[0] = bo->handle;
		if (drmModeAddFB2(w->fd, mode.hdisplay, mode.vdisplay,
				  DRM_FORMAT_XRGB8888, handles, pitches,
				  offsets, &w->fb[i], 0))
			fail(w, "addfb: %s", strerror(errno));
	}
	if (worked(w, "set the mode",
		   drmModeSetCrtc(w->fd, res->crtcs[0], w->fb[0], 0, 0,
				  &connector->connector_id, 1, &mode) ?
			   -errno :
			   0))
		w->crtc = res->crtcs[0];
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
}

static void flip(struct worker *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };
	unsigned int n = pick(w, 2);
	struct timespec start = {};
	char event[256];
	int err;

	if (!w->crtc)
		return;
	err = drmModePageFlip(w->fd, w->crtc, w->fb[n],
			      DRM_MODE_PAGE_FLIP_EVENT, NULL) ?
		      -errno :
		      0;
	if (!worked(w, "flip", err))
		return;
	verify_all(w, &w->shown[n]);
	while (poll(&pfd, 1, 100) != 1)
		if (igt_seconds_elapsed(&start) > 20)
			fail(w, "a flip without an event");
	if (read(w->fd, event, sizeof(event)) <= 0)
		fail(w, "an event that cannot be read: %s", strerror(errno));
	verify_all(w, &w->shown[!n]);
}

static void operate(struct worker *w, enum operation op, unsigned int slot)
{
	struct igt_ferry_bo *bo = &w->bo[slot], orphan;

	switch (op) {
	case OP_FILL:
		fill(bo);
		break;
	case OP_TO_APERTURE:
		move_one(w, bo, APERTURE);
		break;
	case OP_TO_SYSTEM:
		move_one(w, bo, SYSTEM);
		break;
	case OP_MANY:
		move_many(w);
		break;
	case OP_REMAP:
		munmap(bo->map, bo->size);
		bo->map = map_bo(w, bo->handle, bo->size);
		break;
	case OP_UNMAP_PAGE:
		unmap_page(w, bo);
		break;
	case OP_CLOSE:
		verify_all(w, bo);
		destroy(w, bo);
		break;
	case OP_ORPHAN:
		orphan = *bo;
		bo->map = NULL;
		destroy(w, bo);
		verify_all(w, &orphan);
		munmap(orphan.map, orphan.size);
		break;
	case OP_EXPORT:
		export(w, bo);
		break;
	case OP_FORK:
		check_in_child(w, bo);
		break;
	case OP_MADVISE:
		toggle_need(w, slot);
		break;
	case OP_FLIP:
		flip(w);
		break;
	default:
		verify_all(w, bo);
	}
}

/* The signal only has to interrupt ioctls. */
static void on_alarm(int sig)
{
	(void)sig;
}

static _Noreturn void work(int fd, unsigned int number, unsigned int life)
{
	struct itimerval timer = { { 0, 3000 }, { 0, 3000 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct worker *w = calloc(1, sizeof(*w));
	struct drm_ferry_device_query query;

	if (!w)
		_exit(2);
	w->number = number;
	w->ids = (number << 12) + (life << 6);
	w->random = (uint64_t)seed << 32 | number << 16 | life;
	w->fd = fd;
	if (w->fd < 0)
		fail(w, "open: %s", strerror(errno));
	ferry_device_query(w->fd, &query);
	w->aperture = query.aperture_size;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	if (number == 0 && query.features & DRM_FERRY_FEATURE_DISPLAY)
		display_init(w);
	while (!shared->stop) {
		unsigned int slot = pick(w, SLOTS);
		enum operation op = pick(w, OP_COUNT);

		if (!w->bo[slot].map) {
			op = OP_CREATE;
			if (!create(w, &w->bo[slot]))
				continue;
		} else if (w->unneeded[slot]) {
			op = OP_MADVISE;
			toggle_need(w, slot);
		} else {
			operate(w, op, slot);
		}
		__atomic_add_fetch(&shared->done[op], 1, __ATOMIC_RELAXED);
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		if (w->bo[i].map && !w->unneeded[i])
			verify_all(w, &w->bo[i]);
	_exit(0);
}

static pid_t start(int fd, unsigned int number, unsigned int life)
{
	pid_t child = fork();

	igt_assert(child >= 0);
	if (!child)
		work(igt_ferry_reopen(fd, O_RDWR), number, life);
	return child;
}

/* Wait for a worker that has exited successfully, or was @killed. */
static void reap(pid_t child, bool killed)
{
	int status;

	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_assert_f(!shared->error[0], "%s\n", shared->error);
	if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	igt_assert_f(status == 0, "a worker ended with status %#x\n", status);
}

static void stop_all(pid_t *children)
{
	for (unsigned int i = 0; i < workers; i++) {
		if (children[i] > 0) {
			kill(children[i], SIGKILL);
			waitpid(children[i], NULL, 0);
		}
	}
}

static long unreclaimable_kib(void)
{
	return igt_ferry_field("/proc/meminfo", "SUnreclaim");
}

static void progress(int fd, unsigned int elapsed, unsigned int kills)
{
	unsigned long all = 0;

	for (int i = 0; i < OP_COUNT; i++)
		all += shared->done[i];
	igt_info(
		"%5u s: %lu operations, %lu MiB verified, %" PRIu64
		" BOs, %" PRIu64 " moves, %" PRIu64
		" evictions, %lu times ENOSPC or ENOMEM, %lu BOs purged, %u workers killed\n",
		elapsed, all, shared->pages >> 8, igt_ferry_stat(fd, "bos"),
		igt_ferry_stat(fd, "moves_to_aperture") +
			igt_ferry_stat(fd, "moves_to_system"),
		igt_ferry_stat(fd, "evictions"), shared->full, shared->purged,
		kills);
	fflush(stdout);
}

static void run(int fd, pid_t *children, unsigned int *kills)
{
	struct timespec begin = {}, now = {};
	unsigned int told = 0, elapsed;
	unsigned int lives[MAX_WORKERS] = {};

	igt_nsec_elapsed(&begin);
	for (unsigned int i = 0; i < workers; i++)
		children[i] = start(fd, i, 0);
	for (;;) {
		unsigned int victim = *kills % workers;
		int status;

		usleep(250000);
		now = begin;
		elapsed = igt_nsec_elapsed(&now) / 1000000000;
		for (unsigned int i = 0; i < workers; i++) {
			pid_t ended = waitpid(children[i], &status, WNOHANG);

			if (!ended)
				continue;
			children[i] = 0;
			igt_assert_f(!shared->error[0], "%s\n", shared->error);
			igt_assert_f(0, "worker %u ended with status %#x\n", i,
				     status);
		}
		if (elapsed >= seconds)
			break;
		if (elapsed >= told + PROGRESS_S) {
			told = elapsed;
			progress(fd, elapsed, *kills);
		}
		kill(children[victim], SIGKILL);
		reap(children[victim], true);
		children[victim] = start(fd, victim, ++lives[victim] & 63);
		(*kills)++;
	}
	shared->stop = true;
	for (unsigned int i = 0; i < workers; i++) {
		pid_t child = children[i];

		children[i] = 0;
		reap(child, false);
	}
	progress(fd, elapsed, *kills);
}

static pid_t children[MAX_WORKERS];

static void stop_at_exit(int sig)
{
	(void)sig;
	for (unsigned int i = 0; i < MAX_WORKERS; i++)
		if (children[i] > 0)
			kill(children[i], SIGKILL);
}

/**
 * SUBTEST: everything
 * Description: Workers create, write, verify, migrate, share, unmap, flip and purge BOs at random and are killed, without lost bytes or leaks
 */
static void test_everything(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	uint64_t room = igt_ferry_aperture_free(fd);
	long slab = unreclaimable_kib();
	unsigned int kills = 0;

	igt_info("seed %u, %u workers, %u s\n", seed, workers, seconds);
	memset((void *)shared, 0, sizeof(*shared));
	run(fd, children, &kills);
	for (int i = 0; i < OP_COUNT; i++)
		igt_info("%8lu %s\n", shared->done[i], operation_names[i]);
	igt_assert_lt(0, kills);
	igt_assert_lt_u64(0, shared->pages);

	/* all resources of the workers are freed */
	igt_ferry_wait_stat(fd, "bos", bos);
	/* the console's framebuffer may have been evicted: then more is free than before */
	igt_assert_lte_u64(room, igt_ferry_aperture_free(fd));
	usleep(500000);
	igt_info("%+ld KiB of slabs\n", unreclaimable_kib() - slab);
	/* a kernel with KASAN keeps freed objects for a while; there kmemleak finds leaks */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		igt_assert_lt(unreclaimable_kib() - slab, LEAK_SLAB_KIB);
}

static int option(int opt, int index, void *data)
{
	(void)index;
	(void)data;
	switch (opt) {
	case 's':
		seconds = strtoul(optarg, NULL, 10);
		return 0;
	case 'w':
		workers = strtoul(optarg, NULL, 10);
		return workers >= 1 && workers <= MAX_WORKERS ? 0 : -1;
	case 'S':
		seed = strtoul(optarg, NULL, 10);
		return 0;
	}
	return -1;
}

static const struct option options[] = {
	{ "seconds", required_argument, NULL, 's' },
	{ "workers", required_argument, NULL, 'w' },
	{ "seed", required_argument, NULL, 'S' },
	{ NULL, 0, NULL, 0 },
};

igt_main_args("", options,
	      "  --seconds N\trun time\n"
	      "  --workers N\tnumber of processes at a time\n"
	      "  --seed N\tseed of the random operations\n",
	      option, NULL)
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* the first worker becomes master */
		if (drmIsMaster(fd))
			drmDropMaster(fd);
		shared = mmap(NULL, ALIGN(sizeof(*shared), PAGE),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		igt_assert(shared != MAP_FAILED);
		igt_install_exit_handler(stop_at_exit);
	}

	/* not in a table: its runner opens a client, which would be master in place of a worker */
	igt_describe(
		"Workers create, write, verify, migrate, share, unmap, flip and purge BOs at random and are killed, without lost bytes or leaks");
	igt_subtest("everything")
	{
		igt_ferry_clean(fd);
		test_everything(fd);
	}

	igt_fixture
	{
		stop_all(children);
		close(fd);
	}
}
