// SPDX-License-Identifier: MIT
/**
 * TEST: ferry prime
 * Category: Core
 * Description: Sharing BOs between clients as dma-bufs, and the identity of clients in fdinfo
 */
#include <fcntl.h>
#include <pthread.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Sharing BOs between clients as dma-bufs, and the identity of clients in fdinfo");

static int export_bo(int fd, uint32_t handle)
{
	int prime = -1;

	igt_assert_f(drmPrimeHandleToFD(fd, handle, DRM_RDWR | DRM_CLOEXEC,
					&prime) == 0,
		     "exporting: %s\n", strerror(errno));
	return prime;
}

/**
 * SUBTEST: same-client-%s
 * Description: A client that imports its own BO gets the handle that it already has
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_same_client(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	int prime;

	igt_ferry_bo_init(&bo, fd, 4 * PAGE, kind);
	prime = export_bo(fd, bo.handle);
	igt_assert_eq_u32(igt_ferry_import(fd, prime), bo.handle);
	igt_assert_eq_u64(lseek(prime, 0, SEEK_END), bo.size);
	close(prime);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: other-client-%s
 * Description: A client that imports a BO of another client gets the same object, contents and placement
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_other_client(int fd, const struct igt_ferry_kind *kind)
{
	int other = igt_ferry_reopen(fd, O_RDWR), prime;
	struct drm_ferry_bo_query a, b;
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct igt_ferry_bo bo, shared;

	igt_ferry_bo_init(&bo, fd, 20 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	prime = export_bo(fd, bo.handle);
	shared = bo;
	shared.fd = other;
	shared.handle = igt_ferry_import(other, prime);
	close(prime);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);
	igt_assert_eq_u64(ferry_bo_mmap_offset(fd, bo.handle),
			  ferry_bo_mmap_offset(other, shared.handle));
	shared.map = ferry_bo_mmap(other, shared.handle, shared.size);
	igt_ferry_bo_check(&shared);

	for (int round = 0; round < 4; round++) {
		ferry_bo_migrate(round & 2 ? other : fd,
				 round & 2 ? shared.handle : bo.handle,
				 round & 1 ? SYSTEM : APERTURE);
		ferry_bo_query(fd, bo.handle, &a);
		ferry_bo_query(other, shared.handle, &b);
		b.handle = a.handle;
		igt_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
		igt_ferry_bo_check(&shared);
		igt_ferry_bo_fill(&shared);
		bo.gen = shared.gen;
		igt_ferry_bo_check(&bo);
	}

	/* the importer's handle keeps the BO alive */
	igt_ferry_bo_fini(&bo);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);
	igt_ferry_bo_check(&shared);
	igt_ferry_bo_fini(&shared);
	close(other);
	igt_ferry_wait_stat(fd, "bos", bos);
}

/**
 * SUBTEST: dma-buf-mmap-%s
 * Description: A mapping of the dma-buf has the BO's contents at both placements, and cannot exceed the BO
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_dma_buf_mmap(int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo bo;
	char *map;
	int prime;

	igt_ferry_bo_init(&bo, fd, 24 * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	prime = export_bo(fd, bo.handle);
	map = mmap(NULL, bo.size, PROT_READ | PROT_WRITE, MAP_SHARED, prime, 0);
	igt_assert_f(map != MAP_FAILED, "mmap of the dma-buf: %s\n",
		     strerror(errno));
	for (int round = 0; round < 4; round++) {
		igt_ferry_check(map, 0, bo.size / PAGE, bo.id, bo.gen);
		igt_ferry_fill(map, 0, bo.size / PAGE, bo.id, ++bo.gen);
		igt_ferry_bo_check(&bo);
		ferry_bo_migrate(fd, bo.handle, round & 1 ? SYSTEM : APERTURE);
	}
	igt_assert_eq(munmap(map, bo.size), 0);

	map = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, prime, 7 * PAGE);
	igt_assert(map != MAP_FAILED);
	igt_ferry_check(map, 7, 3, bo.id, bo.gen);
	igt_assert_eq(munmap(map, 3 * PAGE), 0);

	igt_assert(mmap(NULL, bo.size + PAGE, PROT_READ, MAP_SHARED, prime,
			0) == MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	igt_assert(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, prime, bo.size) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	igt_assert(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, prime, 0) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	close(prime);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: dma-buf-lifetime
 * Description: A dma-buf keeps its BO alive after all handles are closed, and can be imported again
 */
static void test_dma_buf_lifetime(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	int client = igt_ferry_reopen(fd, O_RDWR), prime;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, client, 6 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	prime = export_bo(client, bo.handle);
	igt_assert_eq(munmap(bo.map, bo.size), 0);
	close(client);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);

	bo.fd = fd;
	bo.handle = igt_ferry_import(fd, prime);
	close(prime);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_wait_stat(fd, "bos", bos);
}

/**
 * SUBTEST: invalid
 * Description: Export and import fail for invalid handles, flags and files
 */
static void test_invalid(int fd)
{
	uint32_t handle = ferry_bo_create(fd, PAGE, FERRY_PLACEMENT_BOTH, 0, 0,
					  0),
		 other;
	int prime, file = open("/dev/null", O_RDWR | O_CLOEXEC);

	igt_assert_eq(drmPrimeHandleToFD(fd, 0, DRM_CLOEXEC, &prime), -1);
	igt_assert_eq(errno, ENOENT);
	igt_assert_eq(drmPrimeHandleToFD(fd, UINT32_MAX, DRM_CLOEXEC, &prime),
		      -1);
	igt_assert_eq(errno, ENOENT);
	igt_assert_eq(drmPrimeHandleToFD(fd, handle, 1u << 30, &prime), -1);
	igt_assert_eq(errno, EINVAL);
	igt_assert_eq(drmPrimeFDToHandle(fd, -1, &other), -1);
	igt_assert_eq(errno, EBADF);
	igt_assert_eq(drmPrimeFDToHandle(fd, file, &other), -1);
	igt_assert_eq(errno, EINVAL);
	close(file);
	gem_close(fd, handle);
	errno = 0;
}

/**
 * SUBTEST: fd-not-returned
 * Description: If an export cannot return the file descriptor, the dma-buf is intact and closing it frees the BO
 */
/*
 * DRM's core copies the result to user space after the ioctl has taken effect. If that
 * fails with EFAULT the file is open, and the process can only guess its number.
 */
static void test_fd_not_returned(int fd)
{
	struct drm_prime_handle *args;
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct igt_ferry_bo bo, was;
	int lowest;
	void *map;

	for (int round = 0; round < 20; round++) {
		igt_ferry_bo_init(&bo, fd, 4 * PAGE, igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo);
		was = bo;
		args = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(args != MAP_FAILED);
		args->handle = bo.handle;
		args->flags = DRM_RDWR | DRM_CLOEXEC;
		igt_assert_eq(mprotect(args, PAGE, PROT_READ), 0);
		lowest = dup(fd);
		igt_assert_fd(lowest);
		close(lowest);
		igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD,
					    args),
			      -EFAULT);
		munmap(args, PAGE);
		igt_ferry_bo_fini(&bo);
		map = mmap(NULL, was.size, PROT_READ, MAP_SHARED, lowest, 0);
		igt_assert_f(map != MAP_FAILED, "no dma-buf: %s\n",
			     strerror(errno));
		igt_ferry_check(map, 0, was.size / PAGE, was.id, was.gen);
		igt_assert_eq(munmap(map, was.size), 0);
		igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);
		igt_assert_eq(close(lowest), 0);
	}
	errno = 0;
	igt_ferry_wait_stat(fd, "bos", bos);
}

/**
 * SUBTEST: above-4g
 * Description: A dma-buf of more than 4 GiB has the right size, and the right page at each offset
 */
static void test_above_4g(int fd)
{
	const uint64_t size = (4ull << 30) + 16 * PAGE;
	const uint64_t spots[] = { 0,	       (2ull << 30) - PAGE,
				   2ull << 30, (4ull << 30) - PAGE,
				   4ull << 30, size - PAGE };
	struct drm_ferry_bo_query query;
	uint64_t bos = igt_ferry_stat(fd, "bos");
	uint32_t handle, other;
	int prime, vgem;
	uint64_t *map;

	/* BOs may hold 3/4 of all memory by default; a sanitizer kernel uses 1/6 itself */
	igt_require_f((uint64_t)sysconf(_SC_PHYS_PAGES) * PAGE / 4 * 3 >
			      size + (1ull << 27),
		      "needs 5.5 GiB of memory: vm/run --memory 7G\n");
	handle = ferry_bo_create(fd, size, SYSTEM, 0, DRM_FERRY_CACHING_CACHED,
				 0);
	ferry_bo_query(fd, handle, &query);
	igt_assert_eq_u64(query.size, size);
	prime = export_bo(fd, handle);
	igt_assert_eq_u64(lseek(prime, 0, SEEK_END), size);

	/*
	 * The import also tests the scatterlist. vgem sets no maximum segment size, so
	 * kernels with CONFIG_DMA_API_DEBUG would warn about the long segments.
	 */
	vgem = access("/sys/kernel/debug/dma-api", F_OK) ?
		       __drm_open_driver(DRIVER_VGEM) :
		       -1;
	errno = 0;
	if (vgem >= 0) {
		other = igt_ferry_import(vgem, prime);
		gem_close(vgem, other);
		close(vgem);
	} else {
		igt_info(
			"no other device imports the dma-buf: no vgem, or CONFIG_DMA_API_DEBUG\n");
	}

	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, prime, 0);
	igt_assert(map != MAP_FAILED);
	for (unsigned int i = 0; i < ARRAY_SIZE(spots); i++)
		map[spots[i] / sizeof(*map)] = spots[i] + 1;
	munmap(map, size);
	/* read each page through a mapping of the device */
	for (unsigned int i = 0; i < ARRAY_SIZE(spots); i++) {
		map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
			   ferry_bo_mmap_offset(fd, handle) + spots[i]);
		igt_assert(map != MAP_FAILED);
		igt_assert_eq_u64(*map, spots[i] + 1);
		munmap(map, PAGE);
	}
	map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd,
		   ferry_bo_mmap_offset(fd, handle) + size - PAGE);
	igt_assert(map == MAP_FAILED && errno == EINVAL);
	close(prime);
	gem_close(fd, handle);
	igt_ferry_wait_stat(fd, "bos", bos);
	errno = 0;
}

struct churner {
	int fd;
	int prime;
	unsigned int count;
};

static void *churn(void *arg)
{
	struct churner *c = arg;

	/* another thread may close the handle that this thread uses */
	for (c->count = 0; c->count < 400; c->count++) {
		uint32_t handle;
		int prime;

		if (drmPrimeFDToHandle(c->fd, c->prime, &handle))
			continue;
		__ferry_bo_migrate(c->fd, handle,
				   c->count & 1 ? SYSTEM : APERTURE);
		if (drmPrimeHandleToFD(c->fd, handle, DRM_CLOEXEC, &prime) == 0)
			close(prime);
		__ferry_bo_close(c->fd, handle);
	}
	return NULL;
}

/**
 * SUBTEST: import-close-race
 * Description: Threads import, export, migrate and close one BO in one client, and nothing leaks
 */
static void test_import_close_race(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct churner churners[3];
	struct igt_ferry_bo bo;
	pthread_t threads[3];
	int prime;

	igt_ferry_bo_init(&bo, fd, 4 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	prime = export_bo(fd, bo.handle);
	for (int i = 0; i < 3; i++) {
		churners[i] = (struct churner){ .fd = client, .prime = prime };
		igt_assert_eq(pthread_create(&threads[i], NULL, churn,
					     &churners[i]),
			      0);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	close(client);
	close(prime);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_wait_stat(fd, "bos", bos);
}

/* Read the value of @key in the client's fdinfo; return whether it is there. */
static bool fdinfo(int fd, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, size, "%s",
			 line + len + 1 + strspn(line + len + 1, " \t"));
		found = true;
	}
	fclose(file);
	return found;
}

/**
 * SUBTEST: fdinfo
 * Description: fdinfo names the driver, the device and the client
 */
static void test_fdinfo(int fd)
{
	char value[256], other_value[256], slot[64];
	int other = igt_ferry_reopen(fd, O_RDWR);

	igt_assert(fdinfo(fd, "drm-driver", value, sizeof(value)));
	igt_assert_f(!strcmp(value, "ferry"), "drm-driver: %s\n", value);
	igt_ferry_pci_slot(fd, slot, sizeof(slot));
	igt_assert(fdinfo(fd, "drm-pdev", value, sizeof(value)));
	igt_assert_f(!strcmp(value, slot), "drm-pdev: %s, not %s\n", value,
		     slot);
	igt_assert(fdinfo(fd, "drm-client-id", value, sizeof(value)));
	igt_assert(fdinfo(other, "drm-client-id", other_value,
			  sizeof(other_value)));
	igt_assert_f(strcmp(value, other_value), "two clients have the id %s\n",
		     value);
	close(other);
}

static const struct igt_ferry_test tests[] = {
	{ "same-client",
	  "A client that imports its own BO gets the handle that it already has",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_same_client },
	{ "other-client",
	  "A client that imports a BO of another client gets the same object, contents and placement",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_other_client },
	{ "dma-buf-mmap",
	  "A mapping of the dma-buf has the BO's contents at both placements, and cannot exceed the BO",
	  .kinds = igt_ferry_movable_kinds, .run_kind = test_dma_buf_mmap },
	{ "dma-buf-lifetime",
	  "A dma-buf keeps its BO alive after all handles are closed, and can be imported again",
	  test_dma_buf_lifetime },
	{ "invalid",
	  "Export and import fail for invalid handles, flags and files",
	  test_invalid },
	{ "fd-not-returned",
	  "If an export cannot return the file descriptor, the dma-buf is intact and closing it frees the BO",
	  test_fd_not_returned },
	{ "above-4g",
	  "A dma-buf of more than 4 GiB has the right size, and the right page at each offset",
	  test_above_4g },
	{ "import-close-race",
	  "Threads import, export, migrate and close one BO in one client, and nothing leaks",
	  test_import_close_race },
	{ "fdinfo", "fdinfo names the driver, the device and the client",
	  test_fdinfo },
	{}
};

igt_ferry_main(tests)
