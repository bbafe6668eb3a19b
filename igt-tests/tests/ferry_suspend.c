// SPDX-License-Identifier: MIT
/**
 * TEST: ferry suspend
 * Category: Power management
 * Description: Suspend to idle, to memory and to disk while clients move BOs and a framebuffer is scanned out
 */
#include <fcntl.h>
#include <poll.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"
#include "igt_aux.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Suspend to idle, to memory and to disk while clients move BOs and a framebuffer is scanned out");

#define MAX_DEVICES 4
#define MAX_BOS 24
#define CLIENTS 3

/**
 * struct device - a ferry device and the BOs in it
 * @fd: client of the device
 * @bo: BOs of every kind, with contents
 * @where: placements of @bo before the suspend
 * @count: number of BOs
 * @crtc: the CRTC that scans out @fb, or 0
 * @fb: id of the framebuffer
 * @shown: BO of the framebuffer
 */
struct device {
	int fd;
	struct igt_ferry_bo bo[MAX_BOS];
	uint32_t where[MAX_BOS];
	unsigned int count;
	uint32_t crtc;
	uint32_t fb;
	struct igt_ferry_bo shown;
};

static unsigned int open_all(struct device *devices)
{
	unsigned int count = 0;

	for (int i = 0; i < 16 && count < MAX_DEVICES; i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && igt_ferry_is_device(fd)) {
			memset(&devices[count], 0, sizeof(devices[count]));
			devices[count++].fd = fd;
		} else if (fd >= 0) {
			close(fd);
		}
	}
	errno = 0;
	return count;
}

static void add(struct device *dev, size_t size,
		const struct igt_ferry_kind *kind, uint32_t where)
{
	struct igt_ferry_bo *bo = &dev->bo[dev->count];

	igt_assert(dev->count < MAX_BOS);
	igt_ferry_bo_init(bo, dev->fd, size, kind);
	igt_ferry_bo_fill(bo);
	if (kind->allowed_placements == FERRY_PLACEMENT_BOTH)
		ferry_bo_migrate(dev->fd, bo->handle, where);
	dev->where[dev->count++] = ferry_bo_placement(dev->fd, bo->handle);
}

/* Create BOs of every kind, which together fill most of the aperture. */
static void fill(struct device *dev)
{
	struct drm_ferry_device_query query;
	const struct igt_ferry_kind *kind;
	size_t part;

	ferry_device_query(dev->fd, &query);
	part = ALIGN(query.aperture_size / 16, PAGE);
	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
		add(dev, part, kind, 0);
		add(dev, 3 * PAGE, kind, 0);
	}
	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		add(dev, part, kind, APERTURE);
		add(dev, part, kind, SYSTEM);
		add(dev, 5 * PAGE, kind, APERTURE);
	}
	/* a BO that was never accessed must be zero after the suspend */
	igt_ferry_bo_init(&dev->bo[dev->count], dev->fd, 7 * PAGE,
			  &igt_ferry_single_kinds[2]);
	dev->where[dev->count++] = APERTURE;
}

static void show(struct device *dev)
{
	static const struct igt_ferry_kind kind = {
		"framebuffer", FERRY_PLACEMENT_BOTH, SYSTEM,
		DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS
	};
	struct drm_ferry_device_query query;
	uint32_t handles[4] = {}, pitches[4] = {}, offsets[4] = {};
	drmModeConnector *connector;
	drmModeModeInfo mode;
	drmModeRes *res;

	ferry_device_query(dev->fd, &query);
	if (!(query.features & DRM_FERRY_FEATURE_DISPLAY))
		return;
	res = drmModeGetResources(dev->fd);
	igt_assert(res && res->count_crtcs && res->count_connectors);
	connector = drmModeGetConnector(dev->fd, res->connectors[0]);
	igt_assert(connector && connector->count_modes);
	mode = connector->modes[0];
	pitches[0] = mode.hdisplay * 4;
	igt_ferry_bo_init(&dev->shown, dev->fd, pitches[0] * mode.vdisplay,
			  &kind);
	igt_ferry_bo_fill(&dev->shown);
	handles[0] = dev->shown.handle;
	igt_assert_eq(drmModeAddFB2(dev->fd, mode.hdisplay, mode.vdisplay,
				    DRM_FORMAT_XRGB8888, handles, pitches,
				    offsets, &dev->fb, 0),
		      0);
	igt_assert_eq(drmModeSetCrtc(dev->fd, res->crtcs[0], dev->fb, 0, 0,
				     &connector->connector_id, 1, &mode),
		      0);
	dev->crtc = res->crtcs[0];
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
}

static void check_shown(const struct device *dev)
{
	struct drm_ferry_bo_query query;
	drmModeCrtc *crtc;

	if (!dev->crtc)
		return;
	igt_ferry_bo_check(&dev->shown);
	ferry_bo_query(dev->fd, dev->shown.handle, &query);
	igt_assert_eq(query.placement, APERTURE);
	igt_assert(query.pinned);
	crtc = drmModeGetCrtc(dev->fd, dev->crtc);
	igt_assert(crtc);
	igt_assert(crtc->mode_valid);
	igt_assert_eq_u32(crtc->buffer_id, dev->fb);
	drmModeFreeCrtc(crtc);
}

static void check(struct device *dev)
{
	for (unsigned int i = 0; i < dev->count; i++) {
		struct igt_ferry_bo *bo = &dev->bo[i];
		struct drm_ferry_bo_query query;

		ferry_bo_query(dev->fd, bo->handle, &query);
		/* a BO with one allowed placement must be there */
		if (query.allowed_placements != FERRY_PLACEMENT_BOTH)
			igt_assert_eq(query.placement, dev->where[i]);
		igt_ferry_bo_check(bo);
	}
	check_shown(dev);
}

/* Write, move and verify all BOs after the suspend. */
static void use(struct device *dev)
{
	for (unsigned int i = 0; i < dev->count; i++) {
		struct igt_ferry_bo *bo = &dev->bo[i];

		igt_ferry_bo_fill(bo);
		if (dev->where[i] == APERTURE)
			ferry_bo_migrate(dev->fd, bo->handle, APERTURE);
		igt_ferry_bo_check(bo);
	}
}

static void clear(struct device *dev)
{
	for (unsigned int i = 0; i < dev->count; i++)
		igt_ferry_bo_fini(&dev->bo[i]);
	if (dev->crtc) {
		drmModeSetCrtc(dev->fd, dev->crtc, 0, 0, 0, NULL, 0, NULL);
		drmModeRmFB(dev->fd, dev->fb);
		igt_ferry_bo_fini(&dev->shown);
	}
	close(dev->fd);
}

/* Move, verify and write BOs until @stop; the suspend freezes this process at any point. */
static void client(int fd, int number, volatile bool *stop,
		   volatile unsigned long *rounds)
{
	struct igt_ferry_bo bo[4];

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_init(&bo[i], fd, (20 + 7 * number) * PAGE,
				  &igt_ferry_movable_kinds[i]);
		igt_ferry_bo_fill(&bo[i]);
	}
	for (unsigned int n = 0; !*stop; n++) {
		struct igt_ferry_bo *b = &bo[n % ARRAY_SIZE(bo)];

		ferry_bo_migrate(fd, b->handle, n / 4 & 1 ? SYSTEM : APERTURE);
		igt_ferry_bo_check(b);
		igt_ferry_bo_fill(b);
		__atomic_add_fetch(rounds, 1, __ATOMIC_RELAXED);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_check(&bo[i]);
}

struct state {
	const char *name;
	enum igt_suspend_state state;
	enum igt_suspend_test test;
};

/* The RTC of the virtual machine does not wake it from idle: let vm-wake press a key. */
static void arrange_wake(const struct state *s)
{
	if (s->state != SUSPEND_STATE_FREEZE || s->test != SUSPEND_TEST_NONE)
		return;
	if (system("command -v vm-wake > /dev/null"))
		return;
	igt_require_f(!system("vm-wake 8"),
		      "vm-wake cannot wake this machine from idle\n");
}

/**
 * SUBTEST: %s
 * Description: After a suspend of this kind all BOs have their contents and clients go on
 *
 * arg[1]:
 *
 * @idle-devices:	suspend and resume of devices, as for suspend to idle
 * @idle:		suspend to idle
 * @memory-devices:	suspend and resume of devices, as for S3
 * @memory-core:	all steps of S3 but the last one
 * @memory:		suspend to memory (S3)
 * @disk-devices:	freeze and thaw of devices, as for hibernation
 * @disk-core:		all steps of hibernation but writing the image
 * @disk:		hibernation, and a new boot that resumes from the image
 */
static void test_suspend(const struct state *s)
{
	struct device devices[MAX_DEVICES];
	unsigned int count;
	volatile struct {
		bool stop;
		unsigned long rounds;
	} * shared;
	unsigned long before;

	igt_ferry_require_sleep();
	igt_require_f(s->state != SUSPEND_STATE_DISK || igt_get_total_swap_mb(),
		      "no swap space to hibernate to: " IGT_FERRY_SLEEP_VM
		      "\n");
	count = open_all(devices);
	igt_assert_lt(0, count);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(shared != MAP_FAILED);
	for (unsigned int i = 0; i < count; i++) {
		fill(&devices[i]);
		show(&devices[i]);
	}
	igt_fork(child, (int)(CLIENTS * count))
	{
		client(igt_ferry_reopen(devices[child / CLIENTS].fd, O_RDWR),
		       child, &shared->stop, &shared->rounds);
	}
	usleep(200000);
	arrange_wake(s);

	before = shared->rounds;
	igt_system_suspend_autoresume(s->state, s->test);
	for (unsigned int i = 0; i < count; i++)
		check(&devices[i]);
	usleep(500000);
	igt_assert_lt_u64(before, shared->rounds);
	shared->stop = true;
	igt_waitchildren_timeout(60, "clients after the suspend");
	igt_info("%u devices; the clients moved %lu BOs\n", count,
		 shared->rounds);

	for (unsigned int i = 0; i < count; i++) {
		use(&devices[i]);
		clear(&devices[i]);
	}
	munmap((void *)shared, PAGE);
}

/* Show another framebuffer in place of @dev->shown, and wait until it is on the screen. */
static uint32_t flip(struct device *dev, const struct igt_ferry_bo *next,
		     uint32_t width, uint32_t height)
{
	uint32_t handles[4] = { next->handle }, pitches[4] = { width * 4 },
		 offsets[4] = {}, fb;
	struct pollfd pollfd = { .fd = dev->fd, .events = POLLIN };
	drmEventContext events = { .version = 2 };

	igt_assert_eq(drmModeAddFB2(dev->fd, width, height, DRM_FORMAT_XRGB8888,
				    handles, pitches, offsets, &fb, 0),
		      0);
	igt_assert_eq(drmModePageFlip(dev->fd, dev->crtc, fb,
				      DRM_MODE_PAGE_FLIP_EVENT, NULL),
		      0);
	igt_assert_eq(poll(&pollfd, 1, 10000), 1);
	igt_assert_eq(drmHandleEvent(dev->fd, &events), 0);
	return fb;
}

#define PM_ASYNC "/sys/power/pm_async"

static void restore_async(int sig)
{
	(void)sig;
	igt_ferry_write_file(PM_ASYNC, "1");
}

/**
 * SUBTEST: memory-flip
 * Description: A framebuffer that a page flip has just replaced, and that is still pinned when S3 begins, keeps its contents
 */
static void test_flip(void)
{
	struct device dev = { .fd = igt_ferry_open() };
	struct igt_ferry_bo next;
	drmModeCrtc *crtc;
	uint32_t fb;

	igt_ferry_require_sleep();
	igt_ferry_require_display(dev.fd);
	igt_ferry_module_begin(dev.fd);
	show(&dev);
	crtc = drmModeGetCrtc(dev.fd, dev.crtc);
	igt_assert(crtc);
	/* contiguous, as a framebuffer must be */
	igt_ferry_bo_init(&next, dev.fd, dev.shown.size,
			  &igt_ferry_movable_kinds[2]);
	igt_ferry_bo_fill(&next);

	/* a worker for the suspend could wait for the CPU that the delay occupies */
	igt_install_exit_handler(restore_async);
	igt_ferry_must_write_file(PM_ASYNC, "0");
	/* the worker of the flip unpins the old framebuffer after this function */
	igt_ferry_break_delay("drm_atomic_helper_wait_for_flip_done", 900, 0,
			      1);
	fb = flip(&dev, &next, crtc->width, crtc->height);
	igt_system_suspend_autoresume(SUSPEND_STATE_S3, SUSPEND_TEST_NONE);
	igt_ferry_break_unload();
	restore_async(0);
	/*
	 * QEMU's devices do not lose their memory in S3. A BO whose contents were saved is in
	 * system memory, and nothing has moved it back.
	 */
	igt_assert_eq(ferry_bo_placement(dev.fd, dev.shown.handle), SYSTEM);
	igt_ferry_bo_check(&dev.shown);
	igt_ferry_bo_check(&next);

	drmModeFreeCrtc(crtc);
	drmModeSetCrtc(dev.fd, dev.crtc, 0, 0, 0, NULL, 0, NULL);
	drmModeRmFB(dev.fd, fb);
	igt_ferry_bo_fini(&next);
	clear(&dev);
}

static const struct state states[] = {
	{ "idle-devices", SUSPEND_STATE_FREEZE, SUSPEND_TEST_DEVICES },
	{ "idle", SUSPEND_STATE_FREEZE, SUSPEND_TEST_NONE },
	{ "memory-devices", SUSPEND_STATE_S3, SUSPEND_TEST_DEVICES },
	{ "memory-core", SUSPEND_STATE_S3, SUSPEND_TEST_CORE },
	{ "memory", SUSPEND_STATE_S3, SUSPEND_TEST_NONE },
	{ "disk-devices", SUSPEND_STATE_DISK, SUSPEND_TEST_DEVICES },
	{ "disk-core", SUSPEND_STATE_DISK, SUSPEND_TEST_CORE },
	{ "disk", SUSPEND_STATE_DISK, SUSPEND_TEST_NONE },
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* the client of a subtest has to become master */
		if (drmIsMaster(fd))
			drmDropMaster(fd);
	}

	/* not in a table: its runner opens a client, which would be master of the display */
	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		igt_describe(
			"After a suspend of this kind all BOs have their contents and clients go on");
		igt_subtest(states[i].name)
		{
			igt_ferry_clean(fd);
			test_suspend(&states[i]);
		}
	}

	igt_describe(
		"A framebuffer that a page flip has just replaced, and that is still pinned when S3 begins, keeps its contents");
	igt_subtest("memory-flip")
	{
		igt_ferry_clean(fd);
		test_flip();
	}

	igt_fixture
	{
		close(fd);
	}
}
