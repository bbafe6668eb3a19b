// SPDX-License-Identifier: MIT
/**
 * TEST: ferry import
 * Category: Core
 * Description: BOs whose memory belongs to another driver or device, imported as dma-bufs
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_exporter.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"BOs whose memory belongs to another driver or device, imported as dma-bufs");

#define PAGES 24
#define SIZE (PAGES * PAGE)

static void sync_cpu(int prime, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	igt_assert_eq(ioctl(prime, DMA_BUF_IOCTL_SYNC, &sync), 0);
}

/**
 * SUBTEST: contents-%s
 * Description: An imported BO has the exporter's contents, through every mapping, and is described as imported
 *
 * arg[1].values: vgem, vkms, virtio-gpu, udmabuf, system-heap, ferry
 */
static void test_contents(int fd, const struct igt_ferry_exporter *exporter)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	struct drm_ferry_bo_query query;
	uint64_t bos = igt_ferry_stat(fd, "bos");
	uint32_t handle;
	char *map;

	exporter->create(fd, SIZE, &foreign);
	igt_ferry_fill(foreign.map, 0, PAGES, 1, 1);
	handle = igt_ferry_import(fd, foreign.prime);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);

	memset(&query, 0xff, sizeof(query));
	query.pad = 0;
	ferry_bo_query(fd, handle, &query);
	igt_assert_eq_u64(query.size, SIZE);
	igt_assert_eq_u32(query.flags, DRM_FERRY_BO_IMPORTED);
	igt_assert_eq_u32(query.allowed_placements, 0);
	igt_assert_eq_u32(query.placement, 0);
	igt_assert_eq_u32(query.pinned, 1);
	igt_assert_eq_u32(query.memtype, DRM_FERRY_MEMTYPE_UNKNOWN);
	igt_assert_eq_u64(query.huge_size, 0);
	igt_assert_eq_u32(query.madv, DRM_FERRY_MADV_WILLNEED);
	igt_assert_f(!strcmp(query.exporter, exporter->driver),
		     "the exporter is '%s'\n", query.exporter);

	map = ferry_bo_mmap(fd, handle, SIZE);
	sync_cpu(foreign.prime, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	igt_ferry_check(map, 0, PAGES, 1, 1);
	igt_ferry_fill(map, 0, PAGES, 1, 2);
	igt_ferry_check(foreign.map, 0, PAGES, 1, 2);
	sync_cpu(foreign.prime, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	igt_assert_eq(munmap(map, SIZE), 0);

	/* a part of the BO, also with the flag that has no effect here */
	map = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd,
		   ferry_bo_mmap_offset(fd, handle));
	igt_assert(map != MAP_FAILED);
	igt_ferry_check(map, 0, 3, 1, 2);
	igt_assert_eq(munmap(map, 3 * PAGE), 0);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd,
		   ferry_bo_mmap_offset_populate(fd, handle));
	igt_assert(map != MAP_FAILED);
	igt_ferry_check(map, 0, PAGES, 1, 2);
	igt_assert_eq(munmap(map, SIZE), 0);

	gem_close(fd, handle);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_ferry_foreign_close(&foreign);
}

/**
 * SUBTEST: refused-%s
 * Description: What only ferry's own BOs can do is refused for an imported BO, and changes nothing
 *
 * arg[1].values: vgem, vkms, virtio-gpu, udmabuf, system-heap, ferry
 */
static void test_refused(int fd, const struct igt_ferry_exporter *exporter)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	struct igt_ferry_state before;
	uint32_t handle;
	uint64_t offset;
	bool retained;

	exporter->create(fd, SIZE, &foreign);
	igt_ferry_fill(foreign.map, 0, PAGES, 2, 1);
	handle = igt_ferry_import(fd, foreign.prime);
	offset = ferry_bo_mmap_offset(fd, handle);
	igt_ferry_state_get(fd, &before, true);

	igt_assert_eq(__ferry_bo_migrate(fd, handle, SYSTEM), -EINVAL);
	igt_assert_eq(__ferry_bo_migrate(fd, handle, APERTURE), -EINVAL);
	igt_assert_eq(__ferry_bo_madvise(fd, handle, DRM_FERRY_MADV_DONTNEED,
					 &retained),
		      -EBUSY);
	igt_assert(ferry_bo_madvise(fd, handle, DRM_FERRY_MADV_WILLNEED));
	ferry_bo_wait(fd, handle);
	igt_ferry_mmap_refused(fd, offset, SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE, EINVAL);
	igt_ferry_mmap_refused(fd, offset, SIZE + PAGE, PROT_READ, MAP_SHARED,
			       EINVAL);
	/* exporters with DRM's shmem helper would map the first page there */
	igt_ferry_mmap_refused(fd, offset + PAGE, PAGE, PROT_READ, MAP_SHARED,
			       EINVAL);
	igt_ferry_mmap_refused(fd, offset + SIZE - PAGE, 2 * PAGE, PROT_READ,
			       MAP_SHARED, EINVAL);
	igt_ferry_state_check(fd, &before, 0, "refused calls\n");
	igt_ferry_check(foreign.map, 0, PAGES, 2, 1);

	gem_close(fd, handle);
	igt_ferry_foreign_close(&foreign);
	errno = 0;
}

/**
 * SUBTEST: identity-%s
 * Description: Importing a dma-buf again gives the same handle, and exporting an imported BO gives the exporter's dma-buf
 *
 * arg[1].values: vgem, vkms, virtio-gpu, udmabuf, system-heap, ferry
 */
static void test_identity(int fd, const struct igt_ferry_exporter *exporter)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	int other = igt_ferry_reopen(fd, O_RDWR), prime;
	uint64_t bos = igt_ferry_stat(fd, "bos");
	uint32_t handle, second;
	struct stat a, b;
	void *map;

	exporter->create(fd, SIZE, &foreign);
	igt_ferry_fill(foreign.map, 0, PAGES, 3, 1);
	handle = igt_ferry_import(fd, foreign.prime);
	for (int i = 0; i < 10000; i++)
		igt_assert_eq_u32(igt_ferry_import(fd, foreign.prime), handle);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);

	igt_assert_eq(drmPrimeHandleToFD(fd, handle, DRM_RDWR | DRM_CLOEXEC,
					 &prime),
		      0);
	igt_assert_eq(fstat(foreign.prime, &a), 0);
	igt_assert_eq(fstat(prime, &b), 0);
	igt_assert_eq_u64(a.st_ino, b.st_ino);
	if (foreign.fd >= 0)
		igt_assert_eq_u32(igt_ferry_import(foreign.fd, prime),
				  foreign.handle);

	second = igt_ferry_import(other, prime);
	map = ferry_bo_mmap(other, second, SIZE);
	gem_close(fd, handle);
	igt_ferry_check(map, 0, PAGES, 3, 1);
	igt_assert_eq(munmap(map, SIZE), 0);
	close(prime);
	close(other);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_ferry_foreign_close(&foreign);
	errno = 0;
}

static void close_one(int which, int fd, uint32_t handle,
		      struct igt_ferry_foreign *foreign)
{
	switch (which) {
	case 0:
		gem_close(fd, handle);
		break;
	case 1:
		close(foreign->prime);
		break;
	case 2:
		igt_ferry_foreign_close_device(foreign);
		break;
	case 3:
		igt_ferry_foreign_unmap(foreign);
		break;
	}
}

/**
 * SUBTEST: close-order-%s
 * Description: Handle, dma-buf, exporter and its mapping are closed in every order, and the remaining mapping keeps the contents
 *
 * arg[1].values: vgem, vkms, virtio-gpu, udmabuf, system-heap, ferry
 */
static void test_close_order(int fd, const struct igt_ferry_exporter *exporter)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");

	for (unsigned int order = 0; order < 4 * 4 * 4 * 4; order++) {
		const unsigned int which[] = { order & 3, order >> 2 & 3,
					       order >> 4 & 3, order >> 6 };
		struct igt_ferry_foreign foreign = { .fd = -1 };
		unsigned int seen = 0;
		uint32_t handle;
		void *map;

		for (int i = 0; i < 4; i++)
			seen |= 1 << which[i];
		if (seen != 15)
			continue;

		exporter->create(fd, SIZE, &foreign);
		igt_ferry_fill(foreign.map, 0, PAGES, order, 1);
		handle = igt_ferry_import(fd, foreign.prime);
		map = ferry_bo_mmap(fd, handle, SIZE);
		for (int i = 0; i < 4; i++) {
			close_one(which[i], fd, handle, &foreign);
			igt_ferry_check(map, 0, PAGES, order, 1);
		}
		igt_assert_eq(munmap(map, SIZE), 0);
		igt_ferry_wait_stat(fd, "bos", bos);
	}
}

/**
 * SUBTEST: unplug-%s
 * Description: When the importing device is unbound, mappings keep the exporter's contents, and nothing is left behind
 *
 * arg[1].values: vgem, vkms, virtio-gpu, udmabuf, system-heap, ferry
 */
static void test_unplug(int fd, const struct igt_ferry_exporter *exporter)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	struct drm_ferry_bo_query query;
	uint32_t handle;
	void *map;

	/* of several devices, unbind the one that is open */
	igt_ferry_module_begin(fd);
	exporter->create(fd, SIZE, &foreign);
	igt_ferry_fill(foreign.map, 0, PAGES, 5, 1);
	handle = igt_ferry_import(fd, foreign.prime);
	map = ferry_bo_mmap(fd, handle, SIZE);
	igt_ferry_module_must_unbind();
	igt_ferry_check(map, 0, PAGES, 5, 1);
	igt_ferry_fill(map, 0, PAGES, 5, 2);
	igt_ferry_check(foreign.map, 0, PAGES, 5, 2);
	igt_assert_eq(__ferry_bo_query(fd, handle, &query), -ENODEV);
	close(fd);
	igt_ferry_check(map, 0, PAGES, 5, 2);
	igt_assert_eq(munmap(map, SIZE), 0);
	igt_ferry_foreign_close(&foreign);
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: unplug-exporter
 * Description: When the device of ferry that exported a BO is unbound, the importing device's mappings keep the contents
 */
static void test_unplug_exporter(int fd)
{
	struct igt_ferry_bo bo;
	uint32_t handle;
	int other, prime;
	void *map;

	other = igt_ferry_open_other(fd);
	igt_ferry_module_begin(fd);
	igt_ferry_bo_init(&bo, fd, SIZE, igt_ferry_movable_kinds);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_ferry_bo_fill(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR | DRM_CLOEXEC,
					 &prime),
		      0);
	handle = igt_ferry_import(other, prime);
	map = ferry_bo_mmap(other, handle, SIZE);
	igt_ferry_check(map, 0, PAGES, bo.id, bo.gen);
	igt_ferry_module_must_unbind();
	igt_ferry_check(map, 0, PAGES, bo.id, bo.gen);
	close(prime);
	close(fd);
	igt_ferry_check(map, 0, PAGES, bo.id, bo.gen);
	igt_assert_eq(munmap(map, SIZE), 0);
	/* map again, from an exporter that is gone */
	map = ferry_bo_mmap(other, handle, SIZE);
	igt_ferry_check(map, 0, PAGES, bo.id, bo.gen);
	igt_assert_eq(munmap(map, SIZE), 0);
	gem_close(other, handle);
	close(other);
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: many-clients
 * Description: A thousand clients import one dma-buf, and when they are closed nothing is left
 */
static void test_many_clients(int fd)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	uint64_t bos = igt_ferry_stat(fd, "bos");
	int clients[1000], last;
	uint32_t handle;
	void *map;

	igt_ferry_exporters[3].create(fd, SIZE, &foreign);
	igt_ferry_fill(foreign.map, 0, PAGES, 6, 1);
	for (int i = 0; i < 1000; i++) {
		clients[i] = igt_ferry_reopen(fd, O_RDWR);
		handle = igt_ferry_import(clients[i], foreign.prime);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1000);
	last = clients[999];
	map = ferry_bo_mmap(last, handle, SIZE);
	igt_ferry_check(map, 0, PAGES, 6, 1);
	igt_assert_eq(munmap(map, SIZE), 0);
	for (int i = 0; i < 1000; i++)
		close(clients[i]);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_ferry_foreign_close(&foreign);
}

/**
 * SUBTEST: repeated
 * Description: A client imports one dma-buf 10000 times, with and without closing it in between, and nothing is left
 */
static void test_repeated(int fd)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	uint64_t bos = igt_ferry_stat(fd, "bos");
	uint32_t handle;
	void *map;

	igt_ferry_exporters[3].create(fd, SIZE, &foreign);
	igt_ferry_fill(foreign.map, 0, PAGES, 6, 1);
	handle = igt_ferry_import(fd, foreign.prime);
	for (int i = 1; i < 5000; i++)
		igt_assert_eq_u32(igt_ferry_import(fd, foreign.prime), handle);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);
	/* the handle is not counted */
	gem_close(fd, handle);
	igt_ferry_wait_stat(fd, "bos", bos);
	for (int i = 0; i < 5000; i++) {
		handle = igt_ferry_import(fd, foreign.prime);
		gem_close(fd, handle);
	}
	handle = igt_ferry_import(fd, foreign.prime);
	map = ferry_bo_mmap(fd, handle, SIZE);
	igt_ferry_check(map, 0, PAGES, 6, 1);
	igt_assert_eq(munmap(map, SIZE), 0);
	gem_close(fd, handle);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_ferry_foreign_close(&foreign);
}

/**
 * SUBTEST: fdinfo
 * Description: fdinfo counts imported BOs apart from the client's own memory
 */
static void test_fdinfo(int fd)
{
	struct igt_ferry_foreign foreign = { .fd = -1 };
	char path[64];
	uint32_t handle;

	igt_ferry_exporters[3].create(fd, SIZE, &foreign);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	igt_assert_eq(igt_ferry_field(path, "ferry-imported"), 0);
	handle = igt_ferry_import(fd, foreign.prime);
	igt_assert_eq(igt_ferry_field(path, "ferry-imported"), SIZE >> 10);
	igt_assert_eq(igt_ferry_field(path, "drm-total-system"), 0);
	gem_close(fd, handle);
	igt_assert_eq(igt_ferry_field(path, "ferry-imported"), 0);
	igt_ferry_foreign_close(&foreign);
}

static const struct igt_ferry_test module_tests[] = {
	{ "unplug-exporter",
	  "When the device of ferry that exported a BO is unbound, the importing device's mappings keep the contents",
	  test_unplug_exporter },
	{}
};

static const struct igt_ferry_test tests[] = {
	{ "many-clients",
	  "A thousand clients import one dma-buf, and when they are closed nothing is left",
	  test_many_clients },
	{ "repeated",
	  "A client imports one dma-buf 10000 times, with and without closing it in between, and nothing is left",
	  test_repeated },
	{ "fdinfo",
	  "fdinfo counts imported BOs apart from the client's own memory",
	  test_fdinfo },
	{}
};

/**
 * struct import_test - a subtest for each exporter
 * @name: name of the subtest, without that of the exporter
 * @describe: what holds if it passes
 * @run: the subtest, with a new client
 */
static const struct import_test {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct igt_ferry_exporter *exporter);
} import_tests[] = {
	{ "contents",
	  "An imported BO has the exporter's contents, through every mapping, and is described as imported",
	  test_contents },
	{ "refused",
	  "What only ferry's own BOs can do is refused for an imported BO, and changes nothing",
	  test_refused },
	{ "identity",
	  "Importing a dma-buf again gives the same handle, and exporting an imported BO gives the exporter's dma-buf",
	  test_identity },
	{ "close-order",
	  "Handle, dma-buf, exporter and its mapping are closed in every order, and the remaining mapping keeps the contents",
	  test_close_order },
};

static const struct import_test unplug_test = {
	"unplug",
	"When the importing device is unbound, mappings keep the exporter's contents, and nothing is left behind",
	test_unplug
};

/* Open the device anew: the previous subtest may have unbound it. */
static int begin_unplug(int keep)
{
	igt_assert_lt(keep, 0);
	igt_ferry_clean(-1);
	igt_ferry_module_restore();
	return igt_ferry_module_open();
}

static void run_import_test(const struct import_test *test, int (*begin)(int),
			    int fd)
{
	const struct igt_ferry_exporter *exporter;

	for (exporter = igt_ferry_exporters; exporter->name; exporter++) {
		igt_describe(test->describe);
		igt_subtest_f("%s-%s", test->name, exporter->name)
			test->run(begin(fd), exporter);
	}
}

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();
	for (unsigned int i = 0; i < ARRAY_SIZE(import_tests); i++)
		run_import_test(&import_tests[i], igt_ferry_begin, fd);
	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, module_tests);
	run_import_test(&unplug_test, begin_unplug, -1);
}
