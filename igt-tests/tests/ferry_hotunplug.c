// SPDX-License-Identifier: MIT
/**
 * TEST: ferry hotunplug
 * Category: Core
 * Description: Clients that use the device while it is removed, and find it again afterwards
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Clients that use the device while it is removed, and find it again afterwards");

#define CHILDREN 6
#define ROUNDS 4
#define WARM_UP 2

/* Tolerance for all rounds: available memory varies by some megabytes without a leak. */
#define LEAK_KIB 24576
#define LEAK_SLAB_KIB 2048

static unsigned int rounds;

/**
 * struct shared - memory that parent and children share
 * @working: number of children that have created their BOs and use the device
 * @gone: the device is removed
 * @operations: number of operations of all children
 */
struct shared {
	unsigned int working;
	bool gone;
	unsigned long operations;
};

static volatile struct shared *shared;

static void did_something(void)
{
	__atomic_add_fetch(&shared->operations, 1, __ATOMIC_RELAXED);
}

static void at_work(void)
{
	__atomic_add_fetch(&shared->working, 1, __ATOMIC_SEQ_CST);
}

/* Count a successful operation; the only error may be that of a removed device. */
static bool is_gone(int err)
{
	if (!err) {
		did_something();
		return false;
	}
	igt_assert_f(err == -ENODEV, "%s\n", strerror(-err));
	return true;
}

/* BOs of a client: one of every kind, with contents */
struct set {
	struct igt_ferry_bo bo[8];
	unsigned int count;
};

static void set_add(struct set *set, int fd, size_t pages,
		    const struct igt_ferry_kind *kind, uint32_t placement)
{
	struct igt_ferry_bo *bo = &set->bo[set->count++];

	igt_ferry_bo_init(bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(bo);
	if (kind->allowed_placements == FERRY_PLACEMENT_BOTH)
		ferry_bo_migrate(fd, bo->handle, placement);
}

static void set_init(struct set *set, int fd)
{
	set->count = 0;
	set_add(set, fd, 40, &igt_ferry_single_kinds[0], 0);
	set_add(set, fd, 40, &igt_ferry_single_kinds[1], 0);
	set_add(set, fd, 40, &igt_ferry_single_kinds[2], 0);
	set_add(set, fd, 530, &igt_ferry_movable_kinds[0], SYSTEM);
	set_add(set, fd, 40, &igt_ferry_movable_kinds[0], APERTURE);
	set_add(set, fd, 40, &igt_ferry_movable_kinds[1], APERTURE);
}

static void set_check(const struct set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		igt_ferry_bo_check(&set->bo[i]);
}

struct reader {
	struct set *set;
	volatile bool stop;
	uint64_t sum;
};

/* Read before, during and after the removal. A signal ends the process. */
static void *read_thread(void *arg)
{
	struct reader *t = arg;

	while (!t->stop) {
		for (unsigned int i = 0; i < t->set->count; i++) {
			volatile uint64_t *p = t->set->bo[i].map;

			for (size_t page = 0; page < t->set->bo[i].size / PAGE;
			     page++)
				t->sum += p[page * (PAGE / sizeof(*p))];
		}
		/* leave some processor time to the other children */
		usleep(500);
	}
	return NULL;
}

static bool migrate_once(int fd, struct set *set, unsigned int n)
{
	struct igt_ferry_bo *bo = &set->bo[3 + n % 3];

	return is_gone(__ferry_bo_migrate(fd, bo->handle,
					  n / 3 & 1 ? SYSTEM : APERTURE));
}

static bool create_once(int fd, unsigned int n)
{
	const struct igt_ferry_kind *kind = &igt_ferry_single_kinds[n % 4];
	struct igt_ferry_bo bo;
	uint64_t offset = 0;
	int err;

	if (is_gone(__igt_ferry_bo_init(&bo, fd, (1 + n % 37) * PAGE, kind)) ||
	    is_gone(__ferry_bo_mmap_offset(fd, bo.handle, &offset)))
		return true;
	bo.map = mmap(NULL, bo.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      offset);
	if (bo.map == MAP_FAILED)
		return is_gone(-errno);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	munmap(bo.map, bo.size);
	err = __ferry_bo_close(fd, bo.handle);
	return is_gone(err);
}

/* Write the next generation and check it. Accesses to memory do not fail after the removal. */
static bool write_once(struct set *set, unsigned int n)
{
	struct igt_ferry_bo *bo = &set->bo[n % set->count];

	igt_ferry_bo_fill(bo);
	igt_ferry_bo_check(bo);
	did_something();
	return shared->gone;
}

struct flipper {
	struct igt_ferry_bo bo[2];
	uint32_t fb[2];
	uint32_t crtc;
};

static bool flipper_init(struct flipper *f, int fd)
{
	static const struct igt_ferry_kind kind = {
		"framebuffer", FERRY_PLACEMENT_BOTH, SYSTEM,
		DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS
	};
	drmModeRes *res = drmModeGetResources(fd);
	drmModeConnector *connector;
	drmModeModeInfo mode;

	if (!res)
		return false;
	connector = drmModeGetConnector(fd, res->connectors[0]);
	igt_assert(connector && connector->count_modes);
	mode = connector->modes[connector->count_modes - 1];
	for (int i = 0; i < 2; i++) {
		uint32_t pitches[4] = { mode.hdisplay * 4 }, offsets[4] = {};
		uint32_t handles[4] = {};

		igt_ferry_bo_init(&f->bo[i], fd, pitches[0] * mode.vdisplay,
				  &kind);
		igt_ferry_bo_fill(&f->bo[i]);
		handles[0] = f->bo[i].handle;
		igt_assert_eq(drmModeAddFB2(fd, mode.hdisplay, mode.vdisplay,
					    DRM_FORMAT_XRGB8888, handles,
					    pitches, offsets, &f->fb[i], 0),
			      0);
	}
	f->crtc = res->crtcs[0];
	igt_assert_eq(drmModeSetCrtc(fd, f->crtc, f->fb[0], 0, 0,
				     &connector->connector_id, 1, &mode),
		      0);
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
	return true;
}

static int flip(struct flipper *f, int fd, unsigned int n)
{
	if (drmModePageFlip(fd, f->crtc, f->fb[n & 1], DRM_MODE_PAGE_FLIP_EVENT,
			    NULL))
		return -errno;
	return 0;
}

static bool flip_once(struct flipper *f, int fd, unsigned int n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char event[256];
	int err = flip(f, fd, n);

	/* a removal during the ioctl disables the CRTC: EBUSY, and ENODEV from then on */
	if (err == -EBUSY)
		igt_assert_eq(err = flip(f, fd, n), -ENODEV);
	if (is_gone(err))
		return true;
	/* after a removal there may be no event: stop polling then */
	for (int i = 0; i < 100 && !shared->gone; i++) {
		if (poll(&pfd, 1, 50) != 1 || !(pfd.revents & POLLIN))
			continue;
		return read(fd, event, sizeof(event)) <= 0;
	}
	igt_assert_f(shared->gone, "no event for 5 s\n");
	return true;
}

/* A client: use the device until it is removed, then find all contents intact. */
static void client(int parent, int number)
{
	struct drm_ferry_device_query query;
	struct flipper flipper = {};
	struct reader reader = {};
	struct set set;
	pthread_t thread;
	bool flips;
	int fd;

	ferry_device_query(parent, &query);
	flips = number == 0 && query.features & DRM_FERRY_FEATURE_DISPLAY;
	/* the file of the parent is DRM master */
	fd = flips ? parent : igt_ferry_reopen(parent, O_RDWR);
	set_init(&set, fd);
	reader.set = &set;
	igt_assert_eq(pthread_create(&thread, NULL, read_thread, &reader), 0);
	if (flips)
		flips = flipper_init(&flipper, fd);
	at_work();
	for (unsigned int n = 0;; n++) {
		bool gone;

		if (flips)
			gone = flip_once(&flipper, fd, n);
		else if (number % 3 == 0)
			gone = write_once(&set, n);
		else if (number % 3 == 1)
			gone = migrate_once(fd, &set, n);
		else
			gone = create_once(fd, n);
		if (gone)
			break;
	}

	/* the removal saves the contents of the aperture: every byte is intact */
	set_check(&set);
	for (int i = 0; flips && i < 2; i++)
		igt_ferry_bo_check(&flipper.bo[i]);
	while (!shared->gone)
		usleep(1000);
	set_check(&set);
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_fill(&set.bo[i]);
	set_check(&set);
	reader.stop = true;
	pthread_join(thread, NULL);
	igt_assert_eq(__ferry_bo_migrate(fd, set.bo[3].handle, APERTURE),
		      -ENODEV);
	if (!flips)
		close(fd);
	set_check(&set);
}

/**
 * struct way - a way to remove the device
 * @require: skip if it is not possible in this virtual machine, or NULL
 * @remove: remove the device
 * @back: undo that
 */
struct way {
	void (*require)(void);
	void (*remove)(void);
	void (*back)(void);
};

static bool is_present(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s",
		 igt_ferry_module_slot());
	return access(path, F_OK) == 0;
}

static void wait_present(bool present)
{
	struct timespec start = {};

	while (is_present() != present) {
		igt_assert_f(igt_seconds_elapsed(&start) < 60,
			     "the device did not %s in 60 s\n",
			     present ? "appear" : "disappear");
		usleep(2000);
	}
}

static void unbind_remove(void)
{
	igt_assert_eq(igt_ferry_module_unbind(), 0);
}

static void unbind_back(void)
{
	igt_assert_eq(igt_ferry_module_bind(), 0);
}

static void sysfs_remove(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove",
		 igt_ferry_module_slot());
	igt_assert_eq(igt_ferry_write_file(path, "1"), 0);
	igt_assert(!is_present());
}

static void sysfs_back(void)
{
	igt_assert_eq(igt_ferry_write_file("/sys/bus/pci/rescan", "1"), 0);
	igt_assert(is_present());
}

#define WANTED "vm/run --hotplug --device secondary-vga"

/* The host must take requests, and the device must be at a hotplug port: not on bus 0. */
static void eject_require(void)
{
	igt_require_f(!system("command -v vm-host > /dev/null"),
		      "no host that can unplug the device: " WANTED "\n");
	igt_require_f(strncmp(igt_ferry_module_slot(), "0000:00:", 8),
		      "nothing can be unplugged from this bus: " WANTED "\n");
}

static void eject_remove(void)
{
	igt_assert_eq(system("vm-host unplug d0"), 0);
	wait_present(false);
}

static void eject_back(void)
{
	igt_assert_eq(system("vm-host plug d0"), 0);
	wait_present(true);
}

static int reopen(void)
{
	struct timespec start = {};
	int fd;

	/* the driver is bound before the device nodes exist */
	while (!igt_ferry_module_is_bound() || !igt_ferry_is_present()) {
		igt_assert_f(igt_seconds_elapsed(&start) < 60,
			     "the device did not appear in 60 s\n");
		usleep(2000);
	}
	errno = 0;
	fd = igt_ferry_open();
	igt_assert_fd(fd);
	return fd;
}

static void once(const struct way *way, unsigned int round)
{
	int fd = reopen(), prime;
	struct igt_ferry_bo bo;
	void *map;

	memset((void *)shared, 0, sizeof(*shared));
	igt_ferry_bo_init(&bo, fd, 30 * PAGE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR | DRM_CLOEXEC,
					 &prime),
		      0);
	map = mmap(NULL, bo.size, PROT_READ | PROT_WRITE, MAP_SHARED, prime, 0);
	igt_assert(map != MAP_FAILED);
	ferry_bo_migrate(fd, bo.handle, APERTURE);

	igt_fork(child, CHILDREN)
	{
		client(fd, child);
	}
	/* vary the moment of the removal, with all children using the device */
	while (shared->working < CHILDREN)
		usleep(1000);
	usleep(20000 + round * 7919 % 60000);
	way->remove();
	shared->gone = true;
	igt_waitchildren_timeout(120, "clients of a removed device");

	igt_ferry_bo_check(&bo);
	igt_ferry_check(map, 0, bo.size / PAGE, bo.id, bo.gen);
	munmap(map, bo.size);
	close(prime);
	munmap(bo.map, bo.size);
	close(fd);
	way->back();
}

/*
 * Remove the device again and again, while clients read, write, move and create BOs and flip
 * the display. Afterwards the device works, and no memory is lost.
 */
static void check_way(const struct way *way)
{
	unsigned long operations = 0;
	long available = 0, slab = 0, available2, slab2;
	struct set set;
	int fd;

	if (way->require)
		way->require();
	if (!rounds)
		rounds = igt_ferry_module_cycles(ROUNDS);
	for (unsigned int round = 0; round < rounds + WARM_UP; round++) {
		if (round == WARM_UP)
			igt_ferry_module_memory(&available, &slab);
		once(way, round);
		operations += shared->operations;
		if (rounds > 20 && round % 10 == 0)
			igt_info("round %u\n", round);
	}
	fd = reopen();
	set_init(&set, fd);
	set_check(&set);
	for (unsigned int i = 0; i < set.count; i++)
		igt_ferry_bo_fini(&set.bo[i]);
	close(fd);
	igt_ferry_module_memory(&available2, &slab2);
	igt_info(
		"%u times with %lu operations; %+ld KiB available, %+ld KiB of slabs\n",
		rounds, operations, available2 - available, slab2 - slab);
	igt_assert_lt(0, operations);
	igt_assert_lt(available - available2, LEAK_KIB);
	/* KASAN delays the freeing of slab objects; there, kmemleak finds a leak. */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		igt_assert_lt(slab2 - slab, LEAK_SLAB_KIB);
}

/* Make the device available again after a subtest that failed. */
static void bring_back(void)
{
	if (!is_present())
		igt_ferry_write_file("/sys/bus/pci/rescan", "1");
	if (!is_present() && !system("command -v vm-host > /dev/null")) {
		if (!system("vm-host plug d0"))
			wait_present(true);
	}
	igt_ferry_module_restore();
}

/**
 * SUBTEST: unbind
 * Description: The driver is unbound and bound again while clients use the device
 */
static void test_unbind(int fd)
{
	static const struct way way = {
		.remove = unbind_remove,
		.back = unbind_back,
	};

	(void)fd;
	check_way(&way);
}

/**
 * SUBTEST: remove
 * Description: The device is removed from the PCI bus and found by a rescan, while clients use it
 */
static void test_remove(int fd)
{
	static const struct way way = {
		.remove = sysfs_remove,
		.back = sysfs_back,
	};

	(void)fd;
	check_way(&way);
}

/**
 * SUBTEST: eject
 * Description: The host unplugs the device and plugs it in again, while clients use it
 */
static void test_eject(int fd)
{
	static const struct way way = {
		.require = eject_require,
		.remove = eject_remove,
		.back = eject_back,
	};

	(void)fd;
	check_way(&way);
}

static const struct igt_ferry_test tests[] = {
	{ "unbind",
	  "The driver is unbound and bound again while clients use the device",
	  test_unbind },
	{ "remove",
	  "The device is removed from the PCI bus and found by a rescan, while clients use it",
	  test_remove },
	{ "eject",
	  "The host unplugs the device and plugs it in again, while clients use it",
	  test_eject },
	{}
};

static int begin(int keep)
{
	igt_ferry_clean(keep);
	bring_back();
	return -1;
}

static int option(int opt, int index, void *data)
{
	(void)index;
	(void)data;
	if (opt != 'r')
		return -1;
	rounds = strtoul(optarg, NULL, 10);
	return 0;
}

static const struct option options[] = {
	{ "rounds", required_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

igt_main_args("", options, "  --rounds N\tremovals in each subtest\n", option,
	      NULL)
{
	igt_fixture
	{
		int fd = igt_ferry_open();

		igt_ferry_module_begin(fd);
		igt_ferry_module_require();
		close(fd);
		shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		igt_assert(shared != MAP_FAILED);
	}

	/* the subtests open the device themselves, once for each removal */
	__igt_ferry_run_tests(tests, begin, -1);

	igt_fixture bring_back();
}
