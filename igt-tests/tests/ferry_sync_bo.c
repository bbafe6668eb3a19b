// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sync bo
 * Category: Core
 * Description: Faults, other access, eviction, sharing and display of a BO while a move of it is pending
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <drm_fourcc.h>
#include <linux/dma-buf.h>
#include <xf86drmMode.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION(
	"Faults, other access, eviction, sharing and display of a BO while a move of it is pending");

/**
 * SUBTEST: access-at-once-%s
 * Description: reads and writes through a mapping right after the call find the contents of the BO
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_access_at_once(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t pages[] = { 1, 300, 1100 };
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		size_t last = pages[i] - 1;
		struct igt_ferry_bo bo;

		igt_ferry_bo_init(&bo, fd, pages[i] * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		for (int round = 0; round < 6; round++) {
			char *end = (char *)bo.map + last * PAGE;

			ferry_bo_migrate_sync(fd, bo.handle,
					      round & 1 ? SYSTEM : APERTURE,
					      NULL, &out);
			/* the last page is copied last */
			igt_ferry_check(end, last, 1, bo.id, bo.gen);
			igt_ferry_bo_fill(&bo);
			ferry_bo_migrate_sync(fd, bo.handle,
					      round & 1 ? APERTURE : SYSTEM,
					      NULL, &out);
			igt_ferry_fill(end, last, 1, bo.id, bo.gen + 1);
			igt_ferry_check(bo.map, 0, last, bo.id, bo.gen);
			igt_ferry_bo_fill(&bo);
			igt_ferry_bo_check(&bo);
		}
		igt_ferry_sync_wait(fd, out);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
}

static void run_read(struct task *task)
{
	memcpy(task->seen, task->bo->map, task->bo->size);
}

static void run_write(struct task *task)
{
	igt_ferry_fill(task->bo->map, 0, 1, task->bo->id, task->bo->gen + 1);
	memcpy(task->seen, task->bo->map, task->bo->size);
}

static void run_mem(struct task *task)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	task->err = pread(mem, task->seen, task->bo->size,
			  (uintptr_t)task->bo->map) != (ssize_t)task->bo->size;
	close(mem);
}

static void run_mem_write(struct task *task)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	igt_ferry_fill(task->seen, 0, 1, task->bo->id, task->bo->gen + 1);
	task->err = pwrite(mem, task->seen, PAGE, (uintptr_t)task->bo->map) !=
		    PAGE;
	close(mem);
	memcpy(task->seen, task->bo->map, task->bo->size);
}

/**
 * SUBTEST: %s-waits
 * Description: an access to a BO waits for its pending move, and then finds the contents
 *
 * arg[1]:
 *
 * @read:	reads through a mapping
 * @write:	writes through a mapping
 * @mem:	reads /proc/self/mem
 * @mem-write:	writes /proc/self/mem
 */
static void check_access(int fd, void (*run)(struct task *), uint32_t placement,
			 bool writes)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_gate gate;
	struct task task = { .run = run, .fd = fd, .bo = &bo };

	task.seen = malloc(SIZE);
	igt_assert(task.seen);
	bo_init_pending(&bo, fd, SIZE, placement, &gate);
	task_check_waits(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_ferry_check(task.seen, 0, 1, bo.id, bo.gen + writes);
	igt_ferry_check((char *)task.seen + PAGE, 1, SIZE / PAGE - 1, bo.id,
			bo.gen);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
	free(task.seen);
}

static void test_read_waits(int fd)
{
	check_access(fd, run_read, APERTURE, false);
	check_access(fd, run_read, SYSTEM, false);
}

static void test_write_waits(int fd)
{
	check_access(fd, run_write, APERTURE, true);
	check_access(fd, run_write, SYSTEM, true);
}

static void test_mem_waits(int fd)
{
	check_access(fd, run_mem, APERTURE, false);
	check_access(fd, run_mem, SYSTEM, false);
}

static void test_mem_write_waits(int fd)
{
	check_access(fd, run_mem_write, APERTURE, true);
	check_access(fd, run_mem_write, SYSTEM, true);
}

/**
 * SUBTEST: ptrace
 * Description: ptrace() reads and writes the contents of a BO right after an asynchronous move
 */
static void test_ptrace(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo;
	pid_t child;
	int status;

	bo_init(&bo, fd, SIZE, SYSTEM);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	igt_assert_eq(ptrace(PTRACE_ATTACH, child, NULL, NULL), 0);
	igt_assert_eq(waitpid(child, &status, 0), child);
	for (int round = 0; round < 8; round++) {
		size_t page = (SIZE / PAGE - 1 - round) * PAGE;
		uint64_t *word = (uint64_t *)((char *)bo.map + page);
		uint64_t is = *word;

		ferry_bo_migrate_sync(fd, bo.handle,
				      round & 1 ? SYSTEM : APERTURE, NULL,
				      &out);
		errno = 0;
		igt_assert_eq_u64(ptrace(PTRACE_PEEKDATA, child, word, NULL),
				  is);
		igt_assert_eq(errno, 0);
		ferry_bo_migrate_sync(fd, bo.handle,
				      round & 1 ? APERTURE : SYSTEM, NULL,
				      &out);
		igt_assert_eq(ptrace(PTRACE_POKEDATA, child, word, ~is), 0);
		igt_assert_eq_u64(*word, ~is);
		*word = is;
		ferry_bo_migrate_sync(fd, bo.handle,
				      round & 1 ? SYSTEM : APERTURE, NULL,
				      &out);
	}
	kill(child, SIGKILL);
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/*
 * A BO of another client needs the aperture memory that a pending move of a BO reads or
 * writes: its move waits. The pending move is to @placement.
 */
static void check_reuse_waits(int fd, uint32_t placement)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	size_t size = evictable_size(fd);
	struct igt_ferry_bo bo, other;
	struct igt_ferry_gate gate;
	struct task task = { .run = run_migrate,
			     .fd = client,
			     .bo = &other,
			     .number = APERTURE };

	bo_init(&other, client, size, SYSTEM);
	bo_init_pending(&bo, fd, SIZE, placement, &gate);
	igt_assert_lt_u64(igt_ferry_aperture_free(fd), size);
	task_check_waits(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_assert_eq(ferry_bo_placement(client, other.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&other);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&other);
	igt_ferry_gate_fini(&gate);
	close(client);
}

/**
 * SUBTEST: evict-waits
 * Description: an eviction waits for the pending move of the BO, and both BOs keep their contents
 */
static void test_evict_waits(int fd)
{
	check_reuse_waits(fd, APERTURE);
}

/**
 * SUBTEST: old-resource-waits
 * Description: the old resource of a BO is not used for another one before the copy has ended
 */
static void test_old_resource_waits(int fd)
{
	check_reuse_waits(fd, SYSTEM);
}

/**
 * SUBTEST: evict-interrupted
 * Description: if a signal ends an eviction that waits for the pending move of a BO marked as not needed, the BO is not purged
 */
static void test_evict_interrupted(int fd)
{
	struct drm_ferry_migrate_entry entry = { .placement = APERTURE };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(&entry),
		.count = 1,
	};
	struct igt_ferry_bo bo, big;
	struct igt_ferry_gate gate;
	uint32_t madv;
	int err;

	bo_init(&big, fd, evictable_size(fd), SYSTEM);
	entry.handle = big.handle;
	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	igt_assert(ferry_bo_madvise(fd, bo.handle, DRM_FERRY_MADV_DONTNEED));
	igt_ferry_alarm_storm(50000);
	/* not drmIoctl(), which repeats the call */
	err = ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args) ? errno : 0;
	igt_ferry_alarm_storm(0);
	errno = 0;
	madv = ferry_bo_madv(fd, bo.handle);
	igt_ferry_gate_require_closed(&gate);
	igt_ferry_gate_open(&gate);
	igt_assert_eq(err, EINTR);
	igt_assert_eq_u32(madv, DRM_FERRY_MADV_DONTNEED);
	igt_assert(ferry_bo_madvise(fd, bo.handle, DRM_FERRY_MADV_WILLNEED));
	igt_ferry_bo_check(&bo);
	ferry_bo_migrate(fd, big.handle, APERTURE);
	igt_ferry_bo_check(&big);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&big);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static int dmabuf_state(int dmabuf, uint32_t flags)
{
	struct dma_buf_export_sync_file export = { .flags = flags };
	int state;

	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		      0);
	state = sync_fence_status(export.fd);
	close(export.fd);
	return state;
}

/**
 * SUBTEST: dma-buf
 * Description: the dma-buf of a BO has the fence of its pending move, for poll() and as a sync file
 */
static void test_dma_buf(int fd)
{
	struct pollfd pollfd = { .events = POLLIN };
	struct drm_ferry_sync out;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int ready, states[2];
	void *map;

	out = bo_init_pending(&bo, fd, SIZE, SYSTEM, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC | DRM_RDWR,
					 &pollfd.fd),
		      0);
	ready = poll(&pollfd, 1, 0);
	states[0] = dmabuf_state(pollfd.fd, DMA_BUF_SYNC_READ);
	states[1] = dmabuf_state(pollfd.fd, DMA_BUF_SYNC_RW);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq(ready, 0);
	igt_assert_eq(states[0], 0);
	igt_assert_eq(states[1], 0);

	igt_ferry_gate_open(&gate);
	igt_assert_eq(poll(&pollfd, 1, 60000), 1);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, pollfd.fd, 0);
	igt_assert(map != MAP_FAILED);
	igt_ferry_check(map, 0, SIZE / PAGE, bo.id, bo.gen);
	munmap(map, SIZE);
	igt_ferry_sync_wait(fd, out);
	igt_assert_eq(dmabuf_state(pollfd.fd, DMA_BUF_SYNC_RW), 1);
	close(pollfd.fd);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: dma-buf-fence
 * Description: a move waits for a fence that another device has added to the BO
 */
static void test_dma_buf_fence(int fd)
{
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_RW };
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int dmabuf, busy;

	bo_init(&bo, fd, SIZE, APERTURE);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC | DRM_RDWR,
					 &dmabuf),
		      0);
	igt_ferry_gate_init(&gate);
	import.fd = gate.file;
	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		      0);
	busy = __ferry_bo_wait(fd, bo.handle, 0);
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, NULL, &out);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, fd, out);
	igt_assert_eq(busy, -ETIME);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	igt_ferry_bo_check(&bo);
	close(dmabuf);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/* The display in its smallest mode */
struct screen {
	uint32_t crtc;
	drmModeConnector *connector;
	drmModeModeInfo mode;
	uint32_t fb;
};

static struct screen screen;

static void screen_init(int fd)
{
	drmModeRes *res;

	igt_ferry_require_display(fd);
	igt_assert_eq(drmSetMaster(fd), 0);
	res = drmModeGetResources(fd);
	igt_assert(res && res->count_connectors && res->count_crtcs);
	screen.crtc = res->crtcs[0];
	screen.connector = drmModeGetConnector(fd, res->connectors[0]);
	igt_assert(screen.connector && screen.connector->count_modes);
	screen.mode = screen.connector->modes[0];
	for (int i = 1; i < screen.connector->count_modes; i++)
		if (screen.connector->modes[i].hdisplay < screen.mode.hdisplay)
			screen.mode = screen.connector->modes[i];
	drmModeFreeResources(res);
}

static size_t screen_size(void)
{
	return ALIGN(screen.mode.hdisplay * 4 * screen.mode.vdisplay, PAGE);
}

static void screen_add(const struct igt_ferry_bo *bo)
{
	uint32_t handles[4] = { bo->handle },
		 pitches[4] = { screen.mode.hdisplay * 4 }, offsets[4] = {};

	igt_assert_eq(drmModeAddFB2(bo->fd, screen.mode.hdisplay,
				    screen.mode.vdisplay, DRM_FORMAT_XRGB8888,
				    handles, pitches, offsets, &screen.fb, 0),
		      0);
}

static int screen_show(int fd)
{
	return drmModeSetCrtc(fd, screen.crtc, screen.fb, 0, 0,
			      &screen.connector->connector_id, 1, &screen.mode);
}

static void screen_off(int fd)
{
	igt_assert_eq(drmModeSetCrtc(fd, screen.crtc, 0, 0, 0, NULL, 0, NULL),
		      0);
	igt_assert_eq(drmModeRmFB(fd, screen.fb), 0);
	drmModeFreeConnector(screen.connector);
}

static void run_show(struct task *task)
{
	task->err = screen_show(task->fd);
}

/**
 * SUBTEST: scanout-waits-%s
 * Description: a modeset waits for the pending move of the framebuffer
 *
 * arg[1].values: to-aperture, to-system
 */
static void check_scanout(int fd, uint32_t placement)
{
	struct drm_ferry_bo_query query;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	struct task task = { .run = run_show, .fd = fd, .bo = &bo };
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);

	screen_init(fd);
	/* contiguous: the display needs no further move */
	igt_ferry_bo_init(&bo, fd, screen_size(), &igt_ferry_movable_kinds[2]);
	igt_ferry_bo_fill(&bo);
	ferry_bo_migrate(fd, bo.handle, placement ^ FERRY_PLACEMENT_BOTH);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, placement, &in, &out);
	screen_add(&bo);
	task_check_waits(&task, &gate);
	igt_assert_eq(task.err, 0);
	ferry_bo_query(fd, bo.handle, &query);
	igt_assert_eq_u32(query.placement, APERTURE);
	igt_assert_eq_u32(query.pinned, 1);
	igt_ferry_bo_check(&bo);
	screen_off(fd);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static void test_scanout_waits_to_aperture(int fd)
{
	check_scanout(fd, APERTURE);
}

static void test_scanout_waits_to_system(int fd)
{
	check_scanout(fd, SYSTEM);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void run_open_later(struct task *task)
{
	struct igt_ferry_gate *gate = (struct igt_ferry_gate *)task->seen;

	usleep(500000);
	igt_ferry_gate_open(gate);
}

/**
 * SUBTEST: kernel-mode-signal
 * Description: with a signal pending, a system call that writes to a BO with a pending move waits and does not repeat its fault
 *
 * The kernel handles the signal only after the system call, and repeats a fault that ends early.
 */
static void test_kernel_mode_signal(int fd)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval timer = { .it_value.tv_usec = 50000 };
	struct rusage before, after;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	struct task task = { .run = run_open_later, .seen = (uint64_t *)&gate };
	char page[PAGE];
	ssize_t got;
	long faults;
	int file;

	memset(page, 'x', sizeof(page));
	file = memfd_create("ferry", MFD_CLOEXEC);
	igt_assert_fd(file);
	igt_assert_eq(write(file, page, PAGE), PAGE);
	sigaction(SIGALRM, &sa, NULL);
	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);

	getrusage(RUSAGE_THREAD, &before);
	task_start(&task);
	igt_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
	got = pread(file, bo.map, PAGE, 0);
	getrusage(RUSAGE_THREAD, &after);
	pthread_join(task.thread, NULL);
	signal(SIGALRM, SIG_DFL);

	/* a fault that is repeated counts as a major one */
	faults = after.ru_minflt + after.ru_majflt - before.ru_minflt -
		 before.ru_majflt;
	igt_info("%ld faults, %ld ms in the kernel\n", faults,
		 (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000 +
			 (after.ru_stime.tv_usec - before.ru_stime.tv_usec) /
				 1000);
	igt_assert_eq(got, PAGE);
	igt_assert(!memcmp(bo.map, page, PAGE));
	/* besides those of the BO, a few of code and stacks */
	igt_assert_lt(faults, 100);
	close(file);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static const struct igt_ferry_test tests[] = {
	{ "access-at-once",
	  "reads and writes through a mapping right after the call find the contents of the BO",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_access_at_once },
	{ "read-waits",
	  "an access to a BO waits for its pending move, and then finds the contents",
	  test_read_waits },
	{ "write-waits",
	  "an access to a BO waits for its pending move, and then finds the contents",
	  test_write_waits },
	{ "mem-waits",
	  "an access to a BO waits for its pending move, and then finds the contents",
	  test_mem_waits },
	{ "mem-write-waits",
	  "an access to a BO waits for its pending move, and then finds the contents",
	  test_mem_write_waits },
	{ "kernel-mode-signal",
	  "with a signal pending, a system call that writes to a BO with a pending move waits and does not repeat its fault",
	  test_kernel_mode_signal },
	{ "ptrace",
	  "ptrace() reads and writes the contents of a BO right after an asynchronous move",
	  test_ptrace },
	{ "evict-waits",
	  "an eviction waits for the pending move of the BO, and both BOs keep their contents",
	  test_evict_waits },
	{ "evict-interrupted",
	  "if a signal ends an eviction that waits for the pending move of a BO marked as not needed, the BO is not purged",
	  test_evict_interrupted },
	{ "old-resource-waits",
	  "the old resource of a BO is not used for another one before the copy has ended",
	  test_old_resource_waits },
	{ "dma-buf",
	  "the dma-buf of a BO has the fence of its pending move, for poll() and as a sync file",
	  test_dma_buf },
	{ "dma-buf-fence",
	  "a move waits for a fence that another device has added to the BO",
	  test_dma_buf_fence },
	{ "scanout-waits-to-aperture",
	  "a modeset waits for the pending move of the framebuffer",
	  test_scanout_waits_to_aperture },
	{ "scanout-waits-to-system",
	  "a modeset waits for the pending move of the framebuffer",
	  test_scanout_waits_to_system },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* so that the clients of scanout-waits-* can become master */
		drmDropMaster(fd);
	}

	igt_ferry_run_tests(fd, tests);

	igt_fixture close(fd);
}
