// SPDX-License-Identifier: MIT
/**
 * TEST: ferry race
 * Category: Core
 * Description: Two operations against each other on two processors, and how often they met
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Two operations against each other on two processors, and how often they met");

/* At least so long and so many collisions; if they do not come, at most so long. */
#define SECONDS 2
#define ENOUGH 10
#define PATIENCE 120

/* More than a BO has that is touched for the first time */
#define FAULTS 5

/*
 * A collision: one side began its operation while the other was in the middle of its
 * own, on another processor. However often that happens in the middle of one and the
 * same operation, it is one collision.
 */
struct race {
	/* what is raced about */
	void *arg;
	/* each does its operation once: NULL, or what went wrong */
	const char *(*op[2])(void *arg);
	atomic_int inside[2];
	atomic_ulong runs[2];
	atomic_ulong collisions;
	atomic_bool stop;
	_Atomic(const char *) wrong;
};

struct side {
	struct race *race;
	int number;
};

static const char *keep_to(int number)
{
	cpu_set_t all, one;
	int seen = 0;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && seen++ == number)
			CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? "no processor" : NULL;
}

static void *run_side(void *arg)
{
	struct side *side = arg;
	struct race *race = side->race;
	const char *wrong = keep_to(side->number);
	unsigned long met = -1, other;

	while (!wrong && !atomic_load(&race->stop)) {
		atomic_store(&race->inside[side->number], 1);
		other = atomic_load(&race->runs[!side->number]);
		if (atomic_load(&race->inside[!side->number]) && met != other) {
			atomic_fetch_add(&race->collisions, 1);
			met = other;
		}
		wrong = race->op[side->number](race->arg);
		atomic_store(&race->inside[side->number], 0);
		atomic_fetch_add(&race->runs[side->number], 1);
	}
	if (wrong) {
		atomic_store(&race->wrong, wrong);
		atomic_store(&race->stop, true);
	}
	return NULL;
}

static void run_race(const char *(*first)(void *),
		     const char *(*second)(void *), void *arg)
{
	struct race race = { .arg = arg, .op = { first, second } };
	struct side sides[2] = { { &race, 0 }, { &race, 1 } };
	struct timespec start = {};
	pthread_t threads[2];
	uint32_t seconds;

	igt_require_f(sysconf(_SC_NPROCESSORS_ONLN) > 1,
		      "a race wants two processors: vm/run --cpus 2\n");
	for (int i = 0; i < 2; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, run_side,
					     &sides[i]),
			      0);
	do {
		usleep(10000);
		seconds = igt_seconds_elapsed(&start);
	} while (!atomic_load(&race.stop) && seconds < PATIENCE &&
		 (seconds < SECONDS || race.collisions < ENOUGH));
	atomic_store(&race.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);

	igt_info("%lu against %lu times, %lu collisions\n", race.runs[0],
		 race.runs[1], race.collisions);
	igt_assert_f(!race.wrong, "%s\n", race.wrong);
	igt_assert(race.runs[0] && race.runs[1]);
	igt_assert_f(race.collisions, "they never met\n");
}

/* ---- create / close of the guessed handle ---- */

struct handles {
	int fd;
	const struct igt_ferry_kind *kind;
	atomic_uint next;
	atomic_ulong hits;
	atomic_uint handle;
};

static const char *create_and_close(void *arg)
{
	struct handles *h = arg;
	uint32_t handle;
	int err = __ferry_bo_create(h->fd, 4 * PAGE, h->kind->allowed_placements,
				    h->kind->placement, h->kind->caching,
				    h->kind->flags, &handle);

	if (err)
		return "a BO cannot be created";
	atomic_store(&h->next, handle);
	err = __ferry_bo_close(h->fd, handle);
	return err && err != -EINVAL ? "a handle cannot be closed" : NULL;
}

static const char *close_guess(void *arg)
{
	struct handles *h = arg;
	int err = __ferry_bo_close(h->fd, atomic_load(&h->next));

	if (!err)
		atomic_fetch_add(&h->hits, 1);
	return err && err != -EINVAL ? "a guessed handle: not EINVAL" : NULL;
}

/**
 * SUBTEST: create-close-%s
 * Description: a BO is created and closed, and another thread closes the handle it will have
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_create_close(int fd, const struct igt_ferry_kind *kind)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	struct handles h = { .fd = igt_ferry_reopen(fd, O_RDWR),
			     .kind = kind,
			     .next = 1 };

	run_race(create_and_close, close_guess, &h);
	igt_info("%lu closed by the guess\n", h.hits);
	close(h.fd);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/* ---- fault, migrate, munmap ---- */

struct touched {
	struct igt_ferry_bo bo;
	uint64_t offset;
	/* what the toucher wrote last, page by page */
	uint64_t *words;
	size_t pages;
	size_t page;
	unsigned int moves[2];
};

static void touched_init(struct touched *t, int fd,
			 const struct igt_ferry_kind *kind, size_t pages)
{
	memset(t, 0, sizeof(*t));
	igt_ferry_bo_init(&t->bo, fd, pages * PAGE, kind);
	t->offset = ferry_bo_mmap_offset(fd, t->bo.handle);
	t->pages = pages;
	t->words = calloc(pages, sizeof(*t->words));
	igt_assert(t->words);
}

static void touched_fini(struct touched *t)
{
	for (size_t page = 0; page < t->pages; page++)
		igt_assert_eq_u64(
			*(uint64_t *)((char *)t->bo.map + page * PAGE),
			t->words[page]);
	igt_ferry_bo_fini(&t->bo);
	free(t->words);
}

/* The next page: what it holds is what was written to it, and it gets another word. */
static const char *touch(void *arg)
{
	struct touched *t = arg;
	size_t page = t->page++ % t->pages;
	volatile uint64_t *word = (uint64_t *)((char *)t->bo.map + page * PAGE);

	if (*word != t->words[page])
		return "a page has not what was written to it";
	*word = ++t->words[page] + (page << 32);
	t->words[page] += page << 32;
	return *word == t->words[page] ? NULL : "a page lost what was written";
}

static const char *migrate(void *arg)
{
	struct touched *t = arg;
	int err = __ferry_bo_migrate(t->bo.fd, t->bo.handle,
				     t->moves[0]++ & 1 ? SYSTEM : APERTURE);

	return err ? "a BO cannot move" : NULL;
}

static const char *migrate_back(void *arg)
{
	struct touched *t = arg;
	int err = __ferry_bo_migrate(t->bo.fd, t->bo.handle,
				     t->moves[1]++ & 1 ? APERTURE : SYSTEM);

	return err ? "a BO cannot move" : NULL;
}

/* Takes all entries away, and leaves no moment without a mapping. */
static const char *map_again(void *arg)
{
	struct touched *t = arg;

	if (mmap(t->bo.map, t->bo.size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, t->bo.fd, t->offset) != t->bo.map)
		return "a BO cannot be mapped again";
	return NULL;
}

/**
 * SUBTEST: fault-migrate-%s
 * Description: pages are touched and checked while the BO goes to and fro
 *
 * SUBTEST: fault-munmap-%s
 * Description: pages are touched and checked while the mapping is replaced by another one
 *
 * SUBTEST: migrate-migrate-%s
 * Description: two threads send one BO to opposite places
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_touched(int fd, const struct igt_ferry_kind *kind,
			 const char *(*first)(void *),
			 const char *(*second)(void *))
{
	/* less than a huge entry, and two of them with something at the end */
	const size_t pages[] = { 40, 1030 };
	struct touched t;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		uint64_t faults = igt_ferry_stat(fd, "faults");

		touched_init(&t, fd, kind, pages[i]);
		run_race(first, second, &t);
		faults = igt_ferry_stat(fd, "faults") - faults;
		igt_info("%" PRIu64 " faults\n", faults);
		if (first == touch)
			igt_assert_lt_u64(FAULTS, faults);
		touched_fini(&t);
	}
}

/* ---- evict / pin ---- */

struct pinned {
	int fd;
	struct igt_ferry_bo bo[2];
	uint32_t fb[2];
	uint32_t crtc;
	uint32_t connector;
	drmModeModeInfo mode;
	size_t large;
	unsigned int shown;
};

/* The BO that is shown is pinned, the other one is not any more. */
static const char *show_other(void *arg)
{
	struct pinned *p = arg;

	if (drmModeSetCrtc(p->fd, p->crtc, p->fb[p->shown++ & 1], 0, 0,
			   &p->connector, 1, &p->mode))
		return "a framebuffer cannot be shown";
	return NULL;
}

/* All of the aperture but for what is pinned, so that both leave it if they can. */
static const char *fill(void *arg)
{
	struct pinned *p = arg;
	uint32_t handle;
	int err = __ferry_bo_create(p->fd, p->large, FERRY_PLACEMENT_BOTH, APERTURE,
				    0, 0, &handle);

	/* one is pinned, and at times both are */
	if (err == -ENOSPC)
		return NULL;
	if (err)
		return "what can be evicted is not";
	return __ferry_bo_close(p->fd, handle) ? "a BO cannot be closed" : NULL;
}

/**
 * SUBTEST: evict-pin
 * Description: the shown of two framebuffers is pinned while a BO wants all the rest of the aperture
 */
static void test_evict_pin(int fd)
{
	const struct igt_ferry_kind kind = { "fb", FERRY_PLACEMENT_BOTH, APERTURE, 0,
					     DRM_FERRY_BO_CONTIGUOUS };
	struct pinned p = { .fd = fd };
	struct drm_ferry_device_query device;
	drmModeConnector *connector;
	drmModeRes *res;
	uint64_t evictions = igt_ferry_stat(fd, "evictions");

	igt_ferry_require_display(fd);
	igt_assert_eq(drmSetMaster(fd), 0);
	res = drmModeGetResources(fd);
	igt_assert(res && res->count_crtcs && res->count_connectors);
	connector = drmModeGetConnector(fd, res->connectors[0]);
	igt_assert(connector && connector->count_modes);
	p.crtc = res->crtcs[0];
	p.connector = res->connectors[0];
	p.mode = connector->modes[connector->count_modes - 1];
	ferry_device_query(fd, &device);
	for (int i = 0; i < 2; i++) {
		uint32_t pitches[4] = { p.mode.hdisplay * 4 }, offsets[4] = {},
			 handles[4] = {};

		igt_ferry_bo_init(&p.bo[i], fd, pitches[0] * p.mode.vdisplay,
				  &kind);
		igt_ferry_bo_fill(&p.bo[i]);
		handles[0] = p.bo[i].handle;
		igt_assert_eq(drmModeAddFB2(fd, p.mode.hdisplay,
					    p.mode.vdisplay,
					    DRM_FORMAT_XRGB8888, handles,
					    pitches, offsets, &p.fb[i], 0),
			      0);
	}
	igt_assert(!show_other(&p));
	/* beside the one that is shown, and not beside both */
	p.large = ALIGN(igt_ferry_aperture_free(fd) + p.bo[0].size / 2, PAGE);

	run_race(fill, show_other, &p);
	igt_assert_lt_u64(evictions, igt_ferry_stat(fd, "evictions"));

	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&p.bo[i]);
		igt_assert_eq(drmModeRmFB(fd, p.fb[i]), 0);
		igt_ferry_bo_fini(&p.bo[i]);
	}
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
}

/* ---- export / close ---- */

static const char *export_handle(void *arg)
{
	struct handles *h = arg;
	uint32_t handle = atomic_load(&h->handle), imported;
	int fd, err;

	err = drmPrimeHandleToFD(h->fd, handle, DRM_CLOEXEC | DRM_RDWR, &fd);
	if (err)
		return errno == ENOENT ? NULL : "export: not ENOENT";
	/* the handle may be gone by now: then the BO gets a new one */
	err = drmPrimeFDToHandle(h->fd, fd, &imported);
	close(fd);
	if (err)
		return "a dma-buf cannot come back";
	atomic_fetch_add(&h->hits, 1);
	if (imported != handle)
		__ferry_bo_close(h->fd, imported);
	return NULL;
}

static const char *close_and_create(void *arg)
{
	struct handles *h = arg;
	uint32_t handle;

	__ferry_bo_close(h->fd, atomic_load(&h->handle));
	if (__ferry_bo_create(h->fd, 3 * PAGE, FERRY_PLACEMENT_BOTH, 0, 0, 0,
			      &handle))
		return "a BO cannot be created";
	atomic_store(&h->handle, handle);
	return NULL;
}

/**
 * SUBTEST: export-close
 * Description: a handle becomes a dma-buf and comes back while another thread closes it
 */
static void test_export_close(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct handles h = { .fd = igt_ferry_reopen(fd, O_RDWR) };

	igt_assert(!close_and_create(&h));
	run_race(export_handle, close_and_create, &h);
	igt_info("%lu exported\n", h.hits);
	close(h.fd);
	igt_ferry_wait_stat(fd, "bos", bos);
}

/* ---- unplug / anything ---- */

struct unplugged {
	int fd;
	/* a device that comes back may have another number */
	unsigned int node;
	unsigned int step;
	uint32_t handle;
	volatile char *map;
	atomic_ulong unplugs;
	atomic_ulong met;
};

static const char *unplug(void *arg)
{
	struct unplugged *u = arg;

	if (igt_ferry_module_unbind())
		return "the device cannot be unbound";
	atomic_fetch_add(&u->unplugs, 1);
	if (igt_ferry_module_bind())
		return "the device cannot be bound";
	return NULL;
}

/* One step of a client's life: it may find that its device is gone at each of them. */
static const char *anything(void *arg)
{
	struct unplugged *u = arg;
	uint64_t offset;
	int err = 0;
	void *map;

	if (u->fd < 0) {
		char path[64];

		snprintf(path, sizeof(path), "/dev/dri/renderD%u",
			 128 + u->node++ % 8);
		u->fd = open(path, O_RDWR | O_CLOEXEC);
		u->step = 0;
		/* the node of another driver, or none yet */
		if (u->fd >= 0 && !igt_ferry_is_device(u->fd)) {
			close(u->fd);
			u->fd = -1;
		}
		return NULL;
	}
	switch (u->step++ % 8) {
	case 0:
		err = __ferry_bo_create(u->fd, 20 * PAGE, FERRY_PLACEMENT_BOTH,
					APERTURE, 0, 0, &u->handle);
		break;
	case 1:
		err = __ferry_bo_mmap_offset(u->fd, u->handle, &offset);
		if (err)
			break;
		map = mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   u->fd, offset);
		if (map == MAP_FAILED)
			err = -errno;
		else
			u->map = map;
		break;
	case 2:
	case 4:
	case 6:
		/* never a SIGBUS, with the device or without */
		for (int page = 0; u->map && page < 20; page++)
			u->map[page * PAGE]++;
		break;
	case 3:
		err = __ferry_bo_migrate(u->fd, u->handle, SYSTEM);
		break;
	case 5:
		err = __ferry_bo_migrate(u->fd, u->handle, APERTURE);
		break;
	case 7:
		err = __ferry_bo_close(u->fd, u->handle);
		munmap((void *)u->map, 20 * PAGE);
		u->map = NULL;
		break;
	}
	if (!err)
		return NULL;
	if (err != -ENODEV)
		return "an error that is not ENODEV";
	atomic_fetch_add(&u->met, 1);
	if (u->map)
		munmap((void *)u->map, 20 * PAGE);
	u->map = NULL;
	close(u->fd);
	u->fd = -1;
	return NULL;
}

/**
 * SUBTEST: unplug-anything
 * Description: the device is unbound and bound while a client opens, creates, maps, touches,
 *		migrates and closes
 */
static void test_unplug_anything(int fd)
{
	struct unplugged u = { .fd = -1 };

	igt_ferry_module_require();
	close(fd);

	run_race(unplug, anything, &u);
	igt_info("%lu unplugged, met by the client %lu times\n", u.unplugs,
		 u.met);
	if (u.map)
		munmap((void *)u.map, 20 * PAGE);
	if (u.fd >= 0)
		close(u.fd);
	igt_assert(u.met);
	igt_assert(igt_ferry_module_is_bound());
}

igt_main
{
	static const struct {
		const char *name;
		const char *describe;
		const char *(*op[2])(void *);
	} touching[] = {
		{ "fault-migrate",
		  "Pages are touched while the BO moves",
		  { touch, migrate } },
		{ "fault-munmap",
		  "Pages are touched while the mapping is replaced",
		  { touch, map_again } },
		{ "migrate-migrate",
		  "Two threads send a BO to opposite places",
		  { migrate, migrate_back } },
	};
	const struct igt_ferry_kind *kind;
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		drmDropMaster(fd);
	}

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		igt_describe(
			"A handle is closed by a guess while it is created");
		igt_subtest_f("create-close-%s", kind->name)
			test_create_close(igt_ferry_begin(fd), kind);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(touching); i++) {
		for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
			igt_describe(touching[i].describe);
			igt_subtest_f("%s-%s", touching[i].name, kind->name)
				test_touched(igt_ferry_begin(fd), kind,
					     touching[i].op[0],
					     touching[i].op[1]);
		}
	}

	igt_describe("Framebuffers are pinned while they are evicted");
	igt_subtest("evict-pin")
	{
		test_evict_pin(igt_ferry_begin(fd));
	}

	igt_describe("A handle is exported while it is closed");
	igt_subtest("export-close") test_export_close(igt_ferry_begin(fd));

	igt_describe("The device goes away and comes back under a client");
	igt_subtest("unplug-anything")
	{
		igt_ferry_begin(fd);
		igt_ferry_module_begin(fd);
		test_unplug_anything(fd);
		fd = -1;
	}

	igt_fixture
	{
		igt_ferry_module_restore();
		if (fd >= 0)
			close(fd);
	}
}
