// SPDX-License-Identifier: MIT
/**
 * TEST: ferry import errors
 * Category: Core
 * Description: Imports of dma-bufs whose exporter fails, and of dma-bufs that cannot be imported
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "igt.h"

#include "ferry_exporter_ioctl.h"
#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"Imports of dma-bufs whose exporter fails, and of dma-bufs that cannot be imported");

#define MODULE "ferry_exporter"
#define PAGES 16
#define SIZE (PAGES * PAGE)

/**
 * struct source - a dma-buf of the test module
 * @file: open file of the module
 * @prime: the dma-buf
 */
struct source {
	int file;
	int prime;
};

static struct ferry_exporter_args run(int file, uint32_t op, uint32_t flags,
				      uint64_t size, uint32_t pages)
{
	struct ferry_exporter_args args = {
		.op = op, .flags = flags, .size = size, .pages = pages
	};

	do_ioctl(file, FERRY_EXPORTER_IOCTL, &args);
	return args;
}

static void source_init(struct source *source, uint64_t size, uint32_t pages,
			uint32_t flags)
{
	source->file = open("/dev/" MODULE, O_RDWR | O_CLOEXEC);
	igt_assert_fd(source->file);
	source->prime =
		run(source->file, FERRY_EXPORTER_CREATE, flags, size, pages).fd;
}

static void source_fail(const struct source *source, uint32_t flags)
{
	run(source->file, FERRY_EXPORTER_FAIL, flags, 0, 0);
}

static uint32_t attachments(const struct source *source)
{
	return run(source->file, FERRY_EXPORTER_STATE, 0, 0, 0).attachments;
}

static void source_fini(const struct source *source)
{
	close(source->prime);
	close(source->file);
}

/* Number of dma-bufs that were not released. */
static uint32_t buffers(void)
{
	int file = open("/dev/" MODULE, O_RDWR | O_CLOEXEC);
	uint32_t count;

	igt_assert_fd(file);
	count = run(file, FERRY_EXPORTER_STATE, 0, 0, 0).buffers;
	close(file);
	return count;
}

static int try_import(int fd, int prime)
{
	uint32_t handle = 0;
	int err = drmPrimeFDToHandle(fd, prime, &handle) ? -errno : 0;

	errno = 0;
	if (!err)
		gem_close(fd, handle);
	return err;
}

/**
 * SUBTEST: size
 * Description: A dma-buf of no byte, of a part of a page, or larger than all offsets of the device file is refused
 */
static void test_size(int fd)
{
	static const struct {
		uint64_t size;
		int err;
	} sizes[] = {
		{ 0, -EINVAL },
		{ 1, -EINVAL },
		{ PAGE - 1, -EINVAL },
		{ PAGE + 1, -EINVAL },
		{ UINT64_MAX, -EINVAL },
		{ 1ull << 62, -ENOSPC },
		{ -(uint64_t)PAGE, -ENOSPC },
		{ PAGE, 0 },
	};
	uint64_t bos = igt_ferry_stat(fd, "bos");

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct source source;

		source_init(&source, sizes[i].size, 1, 0);
		for (int round = 0; round < 100; round++)
			igt_assert_f(try_import(fd, source.prime) ==
					     sizes[i].err,
				     "size 0x%llx\n",
				     (unsigned long long)sizes[i].size);
		igt_assert_eq_u32(attachments(&source), 0);
		source_fini(&source);
	}
	igt_ferry_wait_stat(fd, "bos", bos);
}

/**
 * SUBTEST: attach
 * Description: If the exporter refuses to attach the device, the import fails with its error and can be repeated
 */
static void test_attach(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct source source;
	uint32_t handle;

	source_init(&source, SIZE, PAGES, FERRY_EXPORTER_ATTACH);
	for (int i = 0; i < 1000; i++)
		igt_assert_eq(try_import(fd, source.prime), -ENXIO);
	igt_assert_eq_u32(attachments(&source), 0);
	igt_ferry_wait_stat(fd, "bos", bos);

	source_fail(&source, 0);
	handle = igt_ferry_import(fd, source.prime);
	igt_assert_eq_u32(attachments(&source), 1);
	gem_close(fd, handle);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u32(attachments(&source), 0);
	source_fini(&source);
}

/* Mapping the BO fails as @flags say, leaves nothing, and works when the exporter does. */
static void check_mmap(int fd, uint32_t flags)
{
	struct source source;
	uint64_t offset;
	uint32_t handle;
	char *map, *place;

	source_init(&source, SIZE, PAGES, 0);
	handle = igt_ferry_import(fd, source.prime);
	offset = ferry_bo_mmap_offset(fd, handle);
	map = ferry_bo_mmap(fd, handle, SIZE);
	igt_ferry_fill(map, 0, PAGES, 1, 1);

	/* a range with pages of its own on both sides */
	place = mmap(NULL, SIZE + 2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(place != MAP_FAILED);
	memset(place, 1, SIZE + 2 * PAGE);
	igt_assert_eq(munmap(place + PAGE, SIZE), 0);
	source_fail(&source, flags);
	for (int i = 0; i < 200; i++) {
		igt_assert(mmap(place + PAGE, SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
				offset) == MAP_FAILED);
		igt_assert_eq(errno, ENXIO);
		igt_assert_eq(igt_ferry_read_signal(place + PAGE), SIGSEGV);
	}
	errno = 0;
	igt_assert_eq(place[0], 1);
	igt_assert_eq(place[SIZE + PAGE], 1);
	igt_ferry_check(map, 0, PAGES, 1, 1);

	source_fail(&source, 0);
	igt_assert(mmap(place + PAGE, SIZE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
			offset) == place + PAGE);
	igt_ferry_check(place + PAGE, 0, PAGES, 1, 1);
	igt_assert_eq(munmap(place, SIZE + 2 * PAGE), 0);
	igt_assert_eq(munmap(map, SIZE), 0);
	gem_close(fd, handle);
	igt_assert_eq_u32(attachments(&source), 0);
	source_fini(&source);
}

/**
 * SUBTEST: mmap
 * Description: If the exporter refuses a mapping, mmap() fails with its error, and no page is mapped
 */
static void test_mmap(int fd)
{
	check_mmap(fd, FERRY_EXPORTER_MMAP);
}

/**
 * SUBTEST: mmap-middle
 * Description: If the exporter fails when half of the pages are in the page table, mmap() fails, and no page remains mapped
 */
static void test_mmap_middle(int fd)
{
	check_mmap(fd, FERRY_EXPORTER_MMAP_MIDDLE);
}

/**
 * struct frame - a framebuffer in memory of the test module
 * @source: its dma-buf
 * @handle: the import
 * @map: the exporter's mapping of its pixels
 * @size: bytes
 * @id: the framebuffer
 */
struct frame {
	struct source source;
	uint32_t handle;
	uint32_t *map;
	size_t size;
	struct fb fb;
};

static void frame_init(struct frame *frame, const struct kms *kms,
		       uint32_t flags)
{
	uint32_t w = kms->mode.hdisplay, h = kms->mode.vdisplay;

	frame->size = (w * h * 4 + PAGE - 1) / PAGE * PAGE;
	source_init(&frame->source, frame->size, frame->size / PAGE, flags);
	frame->map = mmap(NULL, frame->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  frame->source.prime, 0);
	igt_assert(frame->map != MAP_FAILED);
	frame->handle = igt_ferry_import(kms->fd, frame->source.prime);
	frame->fb = (struct fb){ .pitch = w * 4 };
	igt_assert_eq(
		fb_add(kms->fd, frame->handle, w, h, w * 4, &frame->fb.id), 0);
}

static void frame_draw(struct frame *frame, const struct kms *kms,
		       unsigned int seed)
{
	uint32_t w = kms->mode.hdisplay, h = kms->mode.vdisplay;

	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++)
			frame->map[y * w + x] = pixel(x, y, seed);
}

static void frame_fini(struct frame *frame, const struct kms *kms)
{
	igt_assert_eq(drmModeRmFB(kms->fd, frame->fb.id), 0);
	gem_close(kms->fd, frame->handle);
	igt_assert_eq(munmap(frame->map, frame->size), 0);
	igt_assert_eq_u32(attachments(&frame->source), 0);
	source_fini(&frame->source);
}

/* The display, for the client of a subtest */
static struct kms *begin_display(int fd)
{
	igt_ferry_require_display(fd);
	screen_require();
	kms_begin_with(fd);
	return kms_of(fd);
}

/**
 * SUBTEST: frame-refused
 * Description: While the exporter refuses accesses the screen keeps its picture, and the first frame after that is copied as a whole
 */
static void test_frame_refused(int fd)
{
	struct kms *kms = begin_display(fd);
	drmModeClip clip = { 8, 8, 16, 16 };
	char expected[2][128];
	struct frame frame;

	frame_init(&frame, kms, 0);
	for (int i = 1; i >= 0; i--) {
		frame_draw(&frame, kms, i);
		igt_assert_eq(show(kms, &frame.fb, &kms->mode), 0);
		screen_picture(expected[i], sizeof(expected[i]));
	}
	igt_assert(strcmp(expected[0], expected[1]));

	frame_draw(&frame, kms, 1);
	source_fail(&frame.source, FERRY_EXPORTER_CPU_ACCESS);
	igt_assert_eq(drmModeDirtyFB(fd, frame.fb.id, NULL, 0), 0);
	check_picture(expected[0], "the exporter refuses");
	source_fail(&frame.source, 0);
	igt_assert_eq(drmModeDirtyFB(fd, frame.fb.id, &clip, 1), 0);
	check_picture(expected[1], "a frame was lost");
	off(kms);
	frame_fini(&frame, kms);
	errno = 0;
}

/**
 * SUBTEST: frame-not-mapped
 * Description: A framebuffer whose exporter has no mapping for the kernel is not shown, and the commit fails with EINVAL
 */
static void test_frame_not_mapped(int fd)
{
	struct kms *kms = begin_display(fd);
	struct frame frame, shown;
	char expected[128];

	frame_init(&shown, kms, 0);
	frame_draw(&shown, kms, 1);
	igt_assert_eq(show(kms, &shown.fb, &kms->mode), 0);
	screen_picture(expected, sizeof(expected));

	frame_init(&frame, kms, FERRY_EXPORTER_NO_VMAP);
	for (int i = 0; i < 100; i++) {
		igt_assert_eq(show(kms, &frame.fb, &kms->mode), -EINVAL);
		igt_assert_eq(drmModePageFlip(fd, kms->crtc, frame.fb.id, 0,
					      NULL),
			      -EINVAL);
	}
	check_picture(expected, "not mapped");
	frame_fini(&frame, kms);
	off(kms);
	frame_fini(&shown, kms);
	errno = 0;
}

/**
 * SUBTEST: exporter-gone
 * Description: If the exporter has lost its memory, accesses raise SIGBUS, and the BO can be closed and the device unbound
 */
static void test_exporter_gone(int fd)
{
	struct source source;
	uint32_t handle;
	char *map;

	igt_ferry_module_begin(fd);
	source_init(&source, SIZE, PAGES, 0);
	handle = igt_ferry_import(fd, source.prime);
	map = ferry_bo_mmap(fd, handle, SIZE);
	igt_ferry_fill(map, 0, PAGES, 1, 1);
	source_fail(&source, FERRY_EXPORTER_ATTACH | FERRY_EXPORTER_MMAP |
				     FERRY_EXPORTER_FAULT);
	igt_assert_eq(madvise(map, SIZE, MADV_DONTNEED), 0);
	igt_assert_eq(igt_ferry_read_signal(map), SIGBUS);
	igt_assert_eq(igt_ferry_write_signal(map + SIZE - 1, 1), SIGBUS);

	/* it cannot be unloaded while the BO exists */
	igt_assert_eq(syscall(SYS_delete_module, MODULE, O_NONBLOCK), -1);
	igt_assert_eq(errno, EAGAIN);
	errno = 0;
	source_fini(&source);
	igt_assert_eq_u32(buffers(), 1);
	igt_ferry_module_must_unbind();
	igt_assert_eq(igt_ferry_read_signal(map), SIGBUS);
	igt_assert_eq(munmap(map, SIZE), 0);
	close(fd);
	igt_assert_eq_u32(buffers(), 0);
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

static const struct igt_ferry_test tests[] = {
	{ "size",
	  "A dma-buf of no byte, of a part of a page, or larger than all offsets of the device file is refused",
	  test_size },
	{ "attach",
	  "If the exporter refuses to attach the device, the import fails with its error and can be repeated",
	  test_attach },
	{ "mmap",
	  "If the exporter refuses a mapping, mmap() fails with its error, and no page is mapped",
	  test_mmap },
	{ "mmap-middle",
	  "If the exporter fails when half of the pages are in the page table, mmap() fails, and no page remains mapped",
	  test_mmap_middle },
	{ "frame-refused",
	  "While the exporter refuses accesses the screen keeps its picture, and the first frame after that is copied as a whole",
	  test_frame_refused },
	{ "frame-not-mapped",
	  "A framebuffer whose exporter has no mapping for the kernel is not shown, and the commit fails with EINVAL",
	  test_frame_not_mapped },
	{}
};

static const struct igt_ferry_test module_tests[] = {
	{ "exporter-gone",
	  "If the exporter has lost its memory, accesses raise SIGBUS, and the BO can be closed and the device unbound",
	  test_exporter_gone },
	{}
};

static void unload(int sig __attribute__((unused)))
{
	syscall(SYS_delete_module, MODULE, O_NONBLOCK);
}

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* Subtests with a display need this role, if there is one. */
		drmDropMaster(fd);
		igt_install_exit_handler(unload);
		unload(0);
		errno = 0;
		igt_ferry_test_module_load(MODULE, "");
	}
	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, module_tests);
	/* no subtest has left a dma-buf */
	igt_fixture igt_assert_eq_u32(buffers(), 0);
}
