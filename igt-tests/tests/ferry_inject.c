// SPDX-License-Identifier: MIT
/**
 * TEST: ferry inject
 * Category: Core
 * Description: Each allocation and each copy from and to user space fails once, in turn: ioctls, mmap(), faults, display and suspend
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_inject.h"
#include "igt_ferry_module.h"
#include "inject_path.h"

IGT_TEST_DESCRIPTION(
	"Each allocation and each copy from and to user space fails once, in turn: ioctls, mmap(), faults, display and suspend");

#define MIB (1ull << 20)

/* Two PMDs, and PTEs behind them */
#define MAP_SIZE (4 * MIB + 3 * PAGE)

/* ---- query, offset, wait, madvise ---- */

static void begin_one(void)
{
	add_bo(3 * PAGE, &igt_ferry_movable_kinds[0]);
}

static int op_device_query(void)
{
	struct drm_ferry_device_query query = {};

	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_DEVICE_QUERY, &query);
}

static int op_bo_query(void)
{
	struct drm_ferry_bo_query query;

	return __ferry_bo_query(at.fd, at.bo[0].handle, &query);
}

static int op_mmap_offset(void)
{
	uint64_t offset;

	return __ferry_bo_mmap_offset(at.fd, at.bo[0].handle, &offset);
}

static int op_wait(void)
{
	struct drm_ferry_bo_wait wait = { .handle = at.bo[0].handle };

	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_BO_WAIT, &wait);
}

static int op_madvise(void)
{
	struct drm_ferry_bo_madvise madvise = {
		.handle = at.bo[0].handle,
		.madv = DRM_FERRY_MADV_WILLNEED,
	};

	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_BO_MADVISE, &madvise);
}

/* ---- open, create, mmap, fault ---- */

static int op_open(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", at.fd);
	at.file = open(path, O_RDWR | O_CLOEXEC);
	return result(at.file);
}

static void undo_file(void)
{
	close(at.file);
}

static int op_create(void)
{
	return __ferry_bo_create(at.fd, 80 * PAGE, at.kind->allowed_placements,
				 at.kind->placement, at.kind->caching,
				 at.kind->flags, &at.handle);
}

static int op_create_dumb(void)
{
	return -drmModeCreateDumbBuffer(at.fd, 64, 64, 32, 0, &at.handle,
					&(uint32_t){ 0 }, &(uint64_t){ 0 });
}

static int op_create_dumb_errno(void)
{
	int err = op_create_dumb();

	return err > 0 ? -err : err;
}

static void undo_handle(void)
{
	gem_close(at.fd, at.handle);
}

/* The lowest free handle is allocated: the same one as in the last pass. */
static uint32_t last_handle;

static void undo_create(void)
{
	last_handle = at.handle;
	undo_handle();
}

static void lost_handle(void)
{
	__ferry_bo_close(at.fd, last_handle);
}

static void before_mmap(void)
{
	int caches = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	/* empty the pool of TTM, so that it has to allocate */
	igt_assert_fd(caches);
	igt_assert_eq(write(caches, "2", 1), 1);
	close(caches);
	at.handle = ferry_bo_create(at.fd, MAP_SIZE,
				    at.kind->allowed_placements,
				    at.kind->placement, at.kind->caching,
				    at.kind->flags);
	at.offset = ferry_bo_mmap_offset(at.fd, at.handle);
}

/* mmap() allocates only if it populates the mapping. */
static void before_populate(void)
{
	struct drm_ferry_bo_mmap_offset args = {
		.flags = DRM_FERRY_MMAP_POPULATE
	};

	before_mmap();
	args.handle = at.handle;
	do_ioctl(at.fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args);
	at.offset = args.offset;
}

static int op_mmap(void)
{
	at.map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, at.fd,
		      at.offset);
	return at.map == MAP_FAILED ? -errno : 0;
}

static void check_mmap(void)
{
	if (at.map == MAP_FAILED)
		gem_close(at.fd, at.handle);
}

static void undo_mmap(void)
{
	munmap(at.map, MAP_SIZE);
	gem_close(at.fd, at.handle);
}

static void before_fault(void)
{
	before_mmap();
	igt_assert_eq(op_mmap(), 0);
}

/* After an injected failure of a fault the CPU repeats the access. */
static int op_fault(void)
{
	volatile uint64_t *word = at.map;

	word[0] = 1;
	word[3 * MIB / sizeof(*word)] = 2;
	word[4 * MIB / sizeof(*word)] = 3;
	return 0;
}

static void undo_fault(void)
{
	volatile uint64_t *word = at.map;

	igt_assert_eq_u64(word[0], 1);
	igt_assert_eq_u64(word[3 * MIB / sizeof(*word)], 2);
	igt_assert_eq_u64(word[4 * MIB / sizeof(*word)], 3);
	word[0] = word[3 * MIB / sizeof(*word)] = 0;
	word[4 * MIB / sizeof(*word)] = 0;
	igt_ferry_check_zero(at.map, MAP_SIZE);
	undo_mmap();
}

/* The kernel does not repeat its own access. */
static int op_access(void)
{
	uint64_t word = 7;

	if (pwrite(at.file, &word, sizeof(word), (uintptr_t)at.map) < 0 ||
	    pread(at.file, &word, sizeof(word), (uintptr_t)at.map + MIB) < 0)
		return -errno;
	igt_assert_eq_u64(word, 0);
	return 0;
}

static void before_access(void)
{
	before_fault();
	at.file = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	igt_assert_fd(at.file);
}

static void check_access(void)
{
	const volatile uint64_t *word = at.map;

	igt_assert(word[0] == 7 || word[0] == 0);
	igt_ferry_check_zero((char *)at.map + PAGE, MAP_SIZE - PAGE);
	close(at.file);
	undo_mmap();
}

/* ---- display ---- */

static uint32_t last_fb;

static void undo_add_fb(void)
{
	last_fb = at.fb;
	igt_assert_eq(drmModeRmFB(at.fd, at.fb), 0);
}

static void lost_fb(void)
{
	drmModeRmFB(at.fd, last_fb);
}

/* Move the framebuffer to system memory, so that the next modeset moves it again. */
static void undo_modeset(void)
{
	igt_assert_eq(drmModeSetCrtc(at.fd, at.crtc, 0, 0, 0, NULL, 0, NULL),
		      0);
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.handle, SYSTEM), 0);
}

/*
 * Also after a failure: the framebuffer can be in the aperture then, because memory for it is
 * reserved before the commit begins. It is not pinned any more, or it could not be moved.
 */
static void before_modeset(void)
{
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.handle, SYSTEM), 0);
}

/* ---- suspend ---- */

#define POWER "/sys/power/"
#define PM_DELAY "/sys/module/suspend/parameters/pm_test_delay"
#define PM_CONSOLE "/sys/module/printk/parameters/console_suspend"

static void power_restore(int sig)
{
	(void)sig;
	igt_ferry_write_file(POWER "pm_test", "none");
	igt_ferry_write_file(POWER "pm_async", "1");
	igt_ferry_write_file(PM_DELAY, "5");
	igt_ferry_write_file(PM_CONSOLE, "Y");
}

static void begin_suspend(void)
{
	igt_ferry_require_sleep();
	igt_install_exit_handler(power_restore);
	/* suspend only the devices, from this process, and without a delay */
	igt_assert_eq(igt_ferry_write_file(POWER "pm_test", "devices"), 0);
	igt_assert_eq(igt_ferry_write_file(POWER "pm_async", "0"), 0);
	igt_assert_eq(igt_ferry_write_file(PM_DELAY, "0"), 0);
	/* show an oops on the console */
	igt_assert_eq(igt_ferry_write_file(PM_CONSOLE, "N"), 0);
	begin_modeset();
	add_aperture_bos();
}

/* A resume without memory may have left BOs in system memory, or the display off. */
static void before_suspend(void)
{
	for (unsigned int i = 0; i < at.bos; i++)
		ferry_bo_migrate(at.fd, at.bo[i].handle, APERTURE);
	igt_assert_eq(op_modeset(), 0);
}

static int op_suspend(void)
{
	int err = igt_ferry_write_file(POWER "state", "freeze");

	/* after a failed suspend the aperture-only BO is in the aperture */
	if (err)
		igt_assert_eq(ferry_bo_placement(at.fd, at.bo[0].handle),
			      APERTURE);
	return err;
}

/* ---- BOs that are not finished ---- */

struct reader {
	int file;
	volatile bool stop;
	unsigned long rounds;
	bool failed;
};

static void *reader_thread(void *arg)
{
	struct reader *reader = arg;
	char text[4096];

	while (!reader->stop) {
		ssize_t len;

		lseek(reader->file, 0, SEEK_SET);
		do {
			len = read(reader->file, text, sizeof(text));
		} while (len > 0);
		reader->failed |= len < 0;
		reader->rounds++;
	}
	return NULL;
}

/* Create BOs of one kind, and let each allocation of a creation fail once. */
static void create_all(int fd, const struct igt_ferry_kind *kind)
{
	unsigned int nth;
	uint32_t handle;
	bool hit = true;
	int err;

	for (nth = 1; hit && nth < IGT_FERRY_INJECT_MAX; nth++) {
		igt_ferry_inject_arm(nth);
		err = __ferry_bo_create(fd, 3 * PAGE, kind->allowed_placements,
					kind->placement, kind->caching,
					kind->flags, &handle);
		hit = igt_ferry_inject_disarm();
		igt_assert(!err || hit);
		if (!err)
			gem_close(fd, handle);
	}
	igt_assert_lt(2, nth);
}

/**
 * SUBTEST: list-creating
 * Description: debugfs ferry_bos lists no BO whose creation has not ended, and which may still fail
 */
static void test_list_creating(int fd)
{
	/* closing this client also frees BOs whose handles could not be copied to user space */
	int client = igt_ferry_reopen(fd, O_RDWR), dir = igt_debugfs_dir(fd);
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct reader reader = {};
	pthread_t thread;

	igt_assert_fd(dir);
	reader.file = openat(dir, "ferry_bos", O_RDONLY | O_CLOEXEC);
	igt_assert_fd(reader.file);
	close(dir);
	/* the DRM core can find a BO by its fake offset before TTM has reserved it */
	igt_ferry_break_delay("drm_vma_offset_add", 20, getpid(), 0);
	igt_ferry_inject_modules();
	igt_assert_eq(pthread_create(&thread, NULL, reader_thread, &reader), 0);
	for (const struct igt_ferry_kind *kind = igt_ferry_single_kinds;
	     kind->name; kind++)
		create_all(client, kind);
	reader.stop = true;
	pthread_join(thread, NULL);
	igt_ferry_inject_anywhere();
	igt_ferry_break_unload();
	close(reader.file);
	close(client);
	igt_info("the list was read %lu times\n", reader.rounds);
	igt_assert(!reader.failed);
	igt_assert_lt_u64(0, reader.rounds);
	igt_ferry_wait_stat(fd, "bos", bos);
}

static const struct igt_ferry_test tests[] = {
	{ "list-creating",
	  "debugfs ferry_bos lists no BO whose creation has not ended, and which may still fail",
	  test_list_creating },
	{}
};

static const struct path paths[] = {
	{ "device-query", .op = op_device_query },
	{ "bo-query", begin_one, .op = op_bo_query, .check = check_bos },
	{ "mmap-offset", begin_one, .op = op_mmap_offset, .check = check_bos },
	{ "wait", begin_one, .op = op_wait, .check = check_bos },
	{ "madvise", begin_one, .op = op_madvise, .check = check_bos },
	{ "open", .op = op_open, .undo = undo_file },
	{ "create-dumb", .op = op_create_dumb_errno, .undo = undo_create,
	  .lost = lost_handle },
	{ "add-fb", begin_display, .op = op_add_fb, .undo = undo_add_fb,
	  .lost = lost_fb },
	{ "modeset", begin_modeset, before_modeset, op_modeset, undo_modeset,
	  .failed = before_modeset, .lost = undo_modeset },
	{ "suspend", begin_suspend, before_suspend, op_suspend,
	  .check = check_bos, .moves_others = true },
	{}
};

static const struct path fixed_paths[] = {
	{ "create", .op = op_create, .undo = undo_create, .lost = lost_handle },
	{ "mmap", NULL, before_populate, op_mmap, undo_mmap, check_mmap,
	  .lost = NULL },
	{ "fault", NULL, before_fault, op_fault, undo_fault, .none = true },
	{ "access", NULL, before_access, op_access, NULL, check_access,
	  .none = true, .errors = { EIO } },
	{}
};

/**
 * SUBTEST: %s
 * Description: each allocation and copy of the call fails once: the call returns a documented error, and nothing has changed
 *
 * arg[1]:
 *
 * @device-query: device-query
 * @bo-query: bo-query
 * @mmap-offset: mmap-offset
 * @wait: wait
 * @madvise: madvise
 * @open: open
 * @create-dumb: create a dumb buffer
 * @add-fb: create a framebuffer
 * @modeset: modeset
 * @suspend: the part of the devices in suspend and resume
 */
/**
 * SUBTEST: %s-%s
 * Description: each allocation and copy of the call fails once: the call returns a documented error, and nothing has changed
 *
 * arg[1]:
 *
 * @create: create
 * @mmap: mmap that populates
 * @fault: first access
 * @access: access through /proc/PID/mem
 *
 * arg[2]:
 *
 * @system: cached system memory
 * @system-wc: write-combining system memory
 * @aperture: aperture
 * @aperture-contiguous: contiguous range of the aperture
 */
igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = begin_paths();
		/* so that a subtest that fails does not leave ferry_break loaded */
		igt_ferry_module_begin(fd);
	}

	run_paths(paths, NULL, fd);
	run_paths(fixed_paths, igt_ferry_single_kinds, fd);
	igt_ferry_run_tests(fd, tests);
}
