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
