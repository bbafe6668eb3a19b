// SPDX-License-Identifier: MIT
/**
 * TEST: ferry race
 * Category: Core
 * Description: Races of two operations on two processors, with a count of how often they overlapped
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
	"Races of two operations on two processors, with a count of how often they overlapped");

/* A race ends after SECONDS_MIN and COLLISIONS_MIN, or after SECONDS_MAX. */
#define SECONDS_MIN 2
#define COLLISIONS_MIN 10
#define SECONDS_MAX 120

/* More faults than the first access to each part of a BO needs */
#define FAULTS 5

/**
 * struct race - two operations that two threads repeat at the same time
 * @arg: argument of both operations
 * @op: the operations; each returns NULL, or a text that says what failed
 * @inside: whether the thread is in its operation
 * @runs: how often the operation ended
 * @collisions: how often an operation began while the other one was running; several
 *		operations that begin during a single run of the other one count once
 * @stop: whether the threads have to end
 * @wrong: what failed, or NULL
 */
struct race {
	void *arg;
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

/* Bind the thread to one processor; @number is its index among those it may use. */
static const char *bind_to_cpu(int number)
{
	cpu_set_t all, one;
	int seen = 0;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && seen++ == number)
			CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ?
		       "a thread cannot be bound to a processor" :
		       NULL;
}

static void *run_side(void *arg)
{
	struct side *side = arg;
	struct race *race = side->race;
	const char *wrong = bind_to_cpu(side->number);
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
		      "a race needs two processors: vm/run --cpus 2\n");
	for (int i = 0; i < 2; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, run_side,
					     &sides[i]),
			      0);
	do {
		usleep(10000);
		seconds = igt_seconds_elapsed(&start);
	} while (!atomic_load(&race.stop) && seconds < SECONDS_MAX &&
		 (seconds < SECONDS_MIN || race.collisions < COLLISIONS_MIN));
	atomic_store(&race.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);

	igt_info("%lu and %lu operations, %lu collisions\n", race.runs[0],
		 race.runs[1], race.collisions);
	igt_assert_f(!race.wrong, "%s\n", race.wrong);
	igt_assert(race.runs[0] && race.runs[1]);
	igt_assert_f(race.collisions, "the operations never overlapped\n");
}

/* ---- create / close of a guessed handle ---- */

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
	int err = __ferry_bo_create(h->fd, 4 * PAGE,
				    h->kind->allowed_placements,
				    h->kind->placement, h->kind->caching,
				    h->kind->flags, &handle);

	if (err)
		return "creating a BO failed";
	atomic_store(&h->next, handle);
	err = __ferry_bo_close(h->fd, handle);
	return err && err != -EINVAL ?
		       "closing a handle: an error other than EINVAL" :
		       NULL;
}

static const char *close_guess(void *arg)
{
	struct handles *h = arg;
	int err = __ferry_bo_close(h->fd, atomic_load(&h->next));

	if (!err)
		atomic_fetch_add(&h->hits, 1);
	return err && err != -EINVAL ?
		       "closing a guessed handle: an error other than EINVAL" :
		       NULL;
}

/**
 * SUBTEST: create-close-%s
 * Description: While BOs are created and closed, another thread closes the handle that the next BO will get
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
	igt_info("%lu guessed handles were closed\n", h.hits);
	close(h.fd);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/* ---- fault, migrate, munmap ---- */

/**
 * struct accessed - a BO that is accessed while it moves or is mapped again
 * @bo: the BO
 * @offset: its mmap offset
 * @words: the word that was last written to each page
 * @pages: its number of pages
 * @page: counts accesses: the next page
 * @moves: moves of each thread
 */
struct accessed {
	struct igt_ferry_bo bo;
	uint64_t offset;
	uint64_t *words;
	size_t pages;
	size_t page;
	unsigned int moves[2];
};

static void accessed_init(struct accessed *t, int fd,
			  const struct igt_ferry_kind *kind, size_t pages)
{
	memset(t, 0, sizeof(*t));
	igt_ferry_bo_init(&t->bo, fd, pages * PAGE, kind);
	t->offset = ferry_bo_mmap_offset(fd, t->bo.handle);
	t->pages = pages;
	t->words = calloc(pages, sizeof(*t->words));
	igt_assert(t->words);
}

static void accessed_fini(struct accessed *t)
{
	for (size_t page = 0; page < t->pages; page++)
		igt_assert_eq_u64(
			*(uint64_t *)((char *)t->bo.map + page * PAGE),
			t->words[page]);
	igt_ferry_bo_fini(&t->bo);
	free(t->words);
}

/* Access the next page: check the word that was last written to it, and write another one. */
static const char *access_page(void *arg)
{
	struct accessed *t = arg;
	size_t page = t->page++ % t->pages;
	volatile uint64_t *word = (uint64_t *)((char *)t->bo.map + page * PAGE);

	if (*word != t->words[page])
		return "a page does not have the word that was written last";
	*word = ++t->words[page] + (page << 32);
	t->words[page] += page << 32;
	return *word == t->words[page] ?
		       NULL :
		       "a page lost a word right after it was written";
}

static const char *migrate(void *arg)
{
	struct accessed *t = arg;
	int err = __ferry_bo_migrate(t->bo.fd, t->bo.handle,
				     t->moves[0]++ & 1 ? SYSTEM : APERTURE);

	return err ? "migrate failed" : NULL;
}

static const char *migrate_back(void *arg)
{
	struct accessed *t = arg;
	int err = __ferry_bo_migrate(t->bo.fd, t->bo.handle,
				     t->moves[1]++ & 1 ? APERTURE : SYSTEM);

	return err ? "migrate failed" : NULL;
}

/* Replace the mapping atomically: that zaps all of its PTEs. */
static const char *map_again(void *arg)
{
	struct accessed *t = arg;

	if (mmap(t->bo.map, t->bo.size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, t->bo.fd, t->offset) != t->bo.map)
		return "mmap() failed";
	return NULL;
}

/* Run a race about a small and a large BO. */
static void run_access_race(int fd, const struct igt_ferry_kind *kind,
			    const char *(*first)(void *),
			    const char *(*second)(void *))
{
	/* less than a PMD maps, and more than two PMDs map */
	const size_t pages[] = { 40, 1030 };
	struct accessed t;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		uint64_t faults = igt_ferry_stat(fd, "faults");

		accessed_init(&t, fd, kind, pages[i]);
		run_race(first, second, &t);
		faults = igt_ferry_stat(fd, "faults") - faults;
		igt_info("%" PRIu64 " faults\n", faults);
		if (first == access_page)
			igt_assert_lt_u64(FAULTS, faults);
		accessed_fini(&t);
	}
}

/**
 * SUBTEST: fault-migrate-%s
 * Description: Pages are accessed and verified while another thread migrates the BO
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_fault_migrate(int fd, const struct igt_ferry_kind *kind)
{
	run_access_race(fd, kind, access_page, migrate);
}

/**
 * SUBTEST: fault-munmap-%s
 * Description: Pages are accessed and verified while another thread replaces the mapping
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_fault_munmap(int fd, const struct igt_ferry_kind *kind)
{
	run_access_race(fd, kind, access_page, map_again);
}

/**
 * SUBTEST: migrate-migrate-%s
 * Description: Two threads migrate one BO to opposite placements
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_migrate_migrate(int fd, const struct igt_ferry_kind *kind)
{
	run_access_race(fd, kind, migrate, migrate_back);
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

/* Scan out the other framebuffer: its BO is pinned, and the first one is unpinned. */
static const char *show_other(void *arg)
{
	struct pinned *p = arg;

	if (drmModeSetCrtc(p->fd, p->crtc, p->fb[p->shown++ & 1], 0, 0,
			   &p->connector, 1, &p->mode))
		return "setting the CRTC failed";
	return NULL;
}

/* Create a BO that leaves space for one framebuffer only, so that unpinned ones are evicted. */
static const char *fill(void *arg)
{
	struct pinned *p = arg;
	uint32_t handle;
	int err = __ferry_bo_create(p->fd, p->large, FERRY_PLACEMENT_BOTH,
				    APERTURE, 0, 0, &handle);

	/* ENOSPC is right while both framebuffers are pinned */
	if (err == -ENOSPC)
		return NULL;
	if (err)
		return "creating a BO: an error other than ENOSPC";
	return __ferry_bo_close(p->fd, handle) ? "closing a BO failed" : NULL;
}

/**
 * SUBTEST: evict-pin
 * Description: One of two framebuffers is pinned for scanout while BOs that need the rest of the aperture evict the other
 */
static void test_evict_pin(int fd)
{
	const struct igt_ferry_kind kind = { "fb", FERRY_PLACEMENT_BOTH,
					     APERTURE, 0,
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
	/* fits beside one framebuffer, but not beside both */
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
		return errno == ENOENT ? NULL :
					 "export: an error other than ENOENT";
	/* another thread may have closed the handle: then the import returns a new one */
	err = drmPrimeFDToHandle(h->fd, fd, &imported);
	close(fd);
	if (err)
		return "importing the dma-buf failed";
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
		return "creating a BO failed";
	atomic_store(&h->handle, handle);
	return NULL;
}

/**
 * SUBTEST: export-close
 * Description: A handle is exported and imported again while another thread closes it
 */
static void test_export_close(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct handles h = { .fd = igt_ferry_reopen(fd, O_RDWR) };

	igt_assert(!close_and_create(&h));
	run_race(export_handle, close_and_create, &h);
	igt_info("%lu handles were exported\n", h.hits);
	close(h.fd);
	igt_ferry_wait_stat(fd, "bos", bos);
}

/* ---- unplug / anything ---- */

/**
 * struct unplugged - a client of a device that is unbound and bound
 * @fd: its file, or -1
 * @node: the node to try next: a device that is bound again may get another number
 * @step: counts steps
 * @handle: its BO
 * @map: mapping of the BO, or NULL
 * @unplugs: how often the device was unbound
 * @met: how often the client got ENODEV
 */
struct unplugged {
	int fd;
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
		return "unbinding the device failed";
	atomic_fetch_add(&u->unplugs, 1);
	if (igt_ferry_module_bind())
		return "binding the device failed";
	return NULL;
}

/* Do one step of a client; each may find that the device is unbound. */
static const char *anything(void *arg)
{
	struct unplugged *u = arg;
	uint64_t offset;
	int err = 0;
	void *map;

	if (u->fd < 0) {
		char path[64];

		snprintf(path, sizeof(path), "/dev/dri/card%u", u->node++ % 8);
		u->fd = open(path, O_RDWR | O_CLOEXEC);
		u->step = 0;
		/* the node may belong to another driver */
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
		/* accesses must not raise SIGBUS, even after the unbind */
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
		return "an error other than ENODEV";
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
 * Description: The device is unbound and bound while a client opens it, and creates, maps, accesses, migrates and closes BOs
 */
static void test_unplug_anything(int fd)
{
	struct unplugged u = { .fd = -1 };

	igt_ferry_module_require();
	close(fd);

	run_race(unplug, anything, &u);
	igt_info("%lu unbinds, of which the client noticed %lu\n", u.unplugs,
		 u.met);
	if (u.map)
		munmap((void *)u.map, 20 * PAGE);
	if (u.fd >= 0)
		close(u.fd);
	igt_assert(u.met);
	igt_assert(igt_ferry_module_is_bound());
}

static const struct igt_ferry_test tests[] = {
	{ "create-close",
	  "While BOs are created and closed, another thread closes the handle that the next BO will get",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_create_close },
	{ "fault-migrate",
	  "Pages are accessed and verified while another thread migrates the BO",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_fault_migrate },
	{ "fault-munmap",
	  "Pages are accessed and verified while another thread replaces the mapping",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_fault_munmap },
	{ "migrate-migrate",
	  "Two threads migrate one BO to opposite placements",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_migrate_migrate },
	{ "evict-pin",
	  "One of two framebuffers is pinned for scanout while BOs that need the rest of the aperture evict the other",
	  test_evict_pin },
	{ "export-close",
	  "A handle is exported and imported again while another thread closes it",
	  test_export_close },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* the client of evict-pin has to become master */
		drmDropMaster(fd);
	}

	igt_ferry_run_tests(fd, tests);

	/* not in the table: it closes the file that stays open for all others */
	igt_describe(
		"The device is unbound and bound while a client opens it, and creates, maps, accesses, migrates and closes BOs");
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
