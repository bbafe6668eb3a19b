// SPDX-License-Identifier: MIT
/**
 * TEST: ferry unbind
 * Category: Core
 * Description: The driver is unbound while something is about to access the aperture
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>

#include <linux/dma-buf.h>
#include <linux/fb.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sync.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION(
	"The driver is unbound while something is about to access the aperture");

static int open_device(void)
{
	int fd;

	if (!igt_ferry_module_is_bound())
		igt_ferry_module_must_bind();
	fd = igt_ferry_open();
	igt_assert_fd(fd);
	return fd;
}

/**
 * SUBTEST: pending-moves
 * Description: Moves that wait for a fence are made before the BAR is unmapped, without the fence; their out-syncs signal with ECANCELED
 */
static void test_pending_moves(int fd)
{
	const uint32_t to[] = { SYSTEM, APERTURE, SYSTEM };
	struct drm_ferry_sync in, out[ARRAY_SIZE(to)];
	struct igt_ferry_bo bo[ARRAY_SIZE(to)];
	struct igt_ferry_gate gate;
	int file[ARRAY_SIZE(to)];

	fd = open_device();
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		bo_init(&bo[i], fd, SIZE, to[i] ^ FERRY_PLACEMENT_BOTH);
		out[i] = igt_ferry_sync_new(fd, 0);
		ferry_bo_migrate_sync(fd, bo[i].handle, to[i], &in, &out[i]);
		file[i] = igt_ferry_sync_file(fd, out[i]);
	}
	/* the last BO moves there and back: the order of its moves matters */
	ferry_bo_migrate_sync(fd, bo[2].handle, APERTURE, &in, &out[2]);
	igt_assert_eq(sync_fence_status(file[0]), 0);

	igt_ferry_module_must_unbind();
	igt_assert_f(sync_fence_status(gate.file) == 0,
		     "unbinding has waited for the in-fence\n");
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		igt_assert_eq(sync_fence_status(file[i]), -ECANCELED);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		igt_ferry_bo_check(&bo[i]);
	igt_ferry_gate_open(&gate);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		igt_ferry_bo_check(&bo[i]);
		close(file[i]);
		munmap(bo[i].map, bo[i].size);
	}
	igt_ferry_gate_fini(&gate);
	close(fd);
	igt_ferry_module_must_bind();
	errno = 0;
}

/**
 * SUBTEST: endless-fence
 * Description: A fence of another driver that never signals does not keep the contents of a BO from being saved
 */
static void test_endless_fence(int fd)
{
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_RW };
	struct timespec start = {};
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo[2];
	double seconds;
	int dmabuf;

	igt_require_f(
		igt_ferry_gate_can_break(),
		"this kernel has no sw_sync: run this with the debug kernel\n");
	fd = open_device();
	bo_init(&bo[0], fd, SIZE, APERTURE);
	bo_init(&bo[1], fd, SIZE, APERTURE);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo[0].handle,
					 DRM_CLOEXEC | DRM_RDWR, &dmabuf),
		      0);
	igt_ferry_gate_init(&gate);
	import.fd = gate.file;
	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		      0);
	igt_seconds_elapsed(&start);
	igt_ferry_module_must_unbind();
	seconds = igt_seconds_elapsed(&start);
	igt_info("unbinding took %g s\n", seconds);
	igt_assert_f(seconds < 60, "unbinding took %g s\n", seconds);
	igt_ferry_bo_check(&bo[0]);
	igt_ferry_bo_check(&bo[1]);
	igt_ferry_gate_open(&gate);
	igt_ferry_bo_check(&bo[0]);
	close(dmabuf);
	for (int i = 0; i < 2; i++)
		munmap(bo[i].map, bo[i].size);
	igt_ferry_gate_fini(&gate);
	close(fd);
	igt_ferry_module_must_bind();
	errno = 0;
}

/* Return the framebuffer device of ferry, or -1. */
static int open_console(void)
{
	char path[PATH_MAX], name[64] = "";
	int dir, file, fd = -1;

	for (int i = 0; i < 8 && fd < 0; i++) {
		snprintf(path, sizeof(path), "/sys/class/graphics/fb%d", i);
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		file = openat(dir, "name", O_RDONLY | O_CLOEXEC);
		if (file >= 0 && read(file, name, sizeof(name) - 1) > 0 &&
		    !strncmp(name, "ferrydrmfb", 10)) {
			snprintf(path, sizeof(path), "/dev/fb%d", i);
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
		close(file);
		close(dir);
	}
	errno = 0;
	return fd;
}

struct writer {
	pthread_t thread;
	volatile uint32_t *map;
	size_t size;
	volatile bool stop;
};

static void *write_thread(void *arg)
{
	struct writer *w = arg;

	for (uint32_t n = 0; !w->stop; n++) {
		for (size_t i = 0; i < w->size / 4; i += PAGE / 4)
			w->map[i] = n;
		usleep(10000);
	}
	return NULL;
}

/**
 * SUBTEST: console
 * Description: A program writes to the mapped console again and again while the driver is unbound
 */
static void test_console(int fd)
{
	struct writer w = { .stop = false };
	struct fb_var_screeninfo var;
	struct fb_fix_screeninfo fix;
	unsigned int rounds = igt_ferry_module_cycles(4);

	while (rounds--) {
		if (!igt_ferry_module_is_bound())
			igt_ferry_module_must_bind();
		fd = open_console();
		igt_require_f(fd >= 0, "the device has no console\n");
		igt_assert_eq(ioctl(fd, FBIOGET_VSCREENINFO, &var), 0);
		igt_assert_eq(ioctl(fd, FBIOGET_FSCREENINFO, &fix), 0);
		w.stop = false;
		w.size = fix.line_length * var.yres;
		w.map = mmap(NULL, w.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd, 0);
		igt_assert(w.map != MAP_FAILED);
		igt_assert_eq(pthread_create(&w.thread, NULL, write_thread, &w),
			      0);
		/* deferred I/O copies what was written after 50 ms */
		usleep(300000);
		igt_ferry_module_must_unbind();
		usleep(300000);
		w.stop = true;
		pthread_join(w.thread, NULL);
		munmap((void *)w.map, w.size);
		close(fd);
	}
	igt_ferry_module_must_bind();
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "pending-moves",
	  "Moves that wait for a fence are made before the BAR is unmapped, without the fence; their out-syncs signal with ECANCELED",
	  test_pending_moves },
	{ "endless-fence",
	  "A fence of another driver that never signals does not keep the contents of a BO from being saved",
	  test_endless_fence },
	{ "console",
	  "A program writes to the mapped console again and again while the driver is unbound",
	  test_console },
	{}
};

static int begin(int keep)
{
	igt_ferry_clean(keep);
	igt_ferry_module_restore();
	return -1;
}

igt_main
{
	igt_fixture
	{
		int fd = igt_ferry_open();

		igt_ferry_module_begin(fd);
		igt_ferry_module_require();
		close(fd);
	}

	/* the subtests open the device themselves, as they unbind it */
	__igt_ferry_run_tests(tests, begin, -1);

	igt_fixture igt_ferry_module_restore();
}
