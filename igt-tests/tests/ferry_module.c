// SPDX-License-Identifier: MIT
/**
 * TEST: ferry module
 * Category: Core
 * Description: Loading, unloading, binding and unbinding, while clients use the device
 */
#include <fcntl.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_footprint.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Loading, unloading, binding and unbinding, while clients use the device");

/* The counts are compared after the first cycles, which fill caches. */
#define CYCLES 20
#define WARM_UP 3

/**
 * SUBTEST: reload
 * Description: Loading, using and unloading the module many times leaks nothing
 */
static void test_reload(int fd)
{
	unsigned int cycles = igt_ferry_module_cycles(CYCLES);
	struct igt_ferry_footprint before, after;

	for (unsigned int i = 0; i < cycles + WARM_UP; i++) {
		igt_ferry_module_exercise(fd);
		close(fd);
		if (i == WARM_UP)
			igt_ferry_footprint_get(&before);
		igt_ferry_module_unload();
		igt_ferry_footprint_check_none();
		igt_ferry_module_load("");
		fd = igt_ferry_module_open();
	}
	igt_ferry_module_exercise(fd);
	close(fd);
	igt_ferry_footprint_get(&after);
	igt_ferry_footprint_check(&before, &after);
}

/**
 * SUBTEST: rebind
 * Description: Binding, using and unbinding the device many times leaks nothing
 */
static void test_rebind(int fd)
{
	unsigned int cycles = igt_ferry_module_cycles(CYCLES);
	struct igt_ferry_footprint before, after;

	for (unsigned int i = 0; i < cycles + WARM_UP; i++) {
		igt_ferry_module_exercise(fd);
		close(fd);
		if (i == WARM_UP)
			igt_ferry_footprint_get(&before);
		igt_ferry_module_must_unbind();
		igt_ferry_footprint_check_none();
		igt_ferry_module_must_bind();
		fd = igt_ferry_module_open();
	}
	igt_ferry_module_exercise(fd);
	close(fd);
	igt_ferry_footprint_get(&after);
	igt_ferry_footprint_check(&before, &after);
}

/* Fill the aperture with BOs and write to them, after a check that they are zero. */
static void dirty_aperture(int fd, bool check)
{
	const size_t size = 64 * PAGE;
	unsigned int count;
	uint32_t *handles;

	count = igt_ferry_aperture_fill(fd, size, &handles);
	igt_assert_lt(0, count);
	for (unsigned int i = 0; i < count; i++) {
		void *map = ferry_bo_mmap(fd, handles[i], size);

		if (check)
			igt_ferry_check_zero(map, size);
		memset(map, 0xc3, size);
		munmap(map, size);
	}
	free(handles);
}

/**
 * SUBTEST: aperture-zero-reload
 * Description: The aperture is zero for new BOs after the module was unloaded and loaded
 */
static void test_aperture_zero_reload(int fd)
{
	for (int i = 0; i < 3; i++) {
		dirty_aperture(fd, i);
		close(fd);
		igt_ferry_module_unload();
		igt_ferry_module_load("");
		fd = igt_ferry_module_open();
	}
	close(fd);
}

/**
 * SUBTEST: aperture-zero-rebind
 * Description: The aperture is zero for new BOs after the device was unbound with BOs in it and bound again
 */
static void test_aperture_zero_rebind(int fd)
{
	for (int i = 0; i < 3; i++) {
		dirty_aperture(fd, i);
		igt_ferry_module_must_unbind();
		close(fd);
		igt_ferry_module_must_bind();
		fd = igt_ferry_module_open();
	}
	close(fd);
}

/**
 * SUBTEST: unbound-ioctls
 * Description: After the device is unbound every ioctl and mmap() of an open file fails with ENODEV
 */
static void test_unbound_ioctls(int fd)
{
	struct drm_ferry_device_query device = {};
	struct drm_mode_card_res res = {};
	struct drm_ferry_bo_query query;
	struct igt_ferry_bo bo;
	int prime = -1;
	uint64_t offset;
	uint32_t handle;

	igt_ferry_bo_init(&bo, fd, PAGE, igt_ferry_movable_kinds);
	offset = ferry_bo_mmap_offset(fd, bo.handle);
	igt_ferry_module_must_unbind();

	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_DEVICE_QUERY, &device),
		      -ENODEV);
	igt_assert_eq(__ferry_bo_create(fd, PAGE, SYSTEM, 0, 0, 0, &handle),
		      -ENODEV);
	igt_assert_eq(__ferry_bo_create(fd, 0, 0, 0, 0, 0, &handle), -ENODEV);
	igt_assert_eq(__ferry_bo_mmap_offset(fd, bo.handle, &offset), -ENODEV);
	igt_assert_eq(__ferry_bo_query(fd, bo.handle, &query), -ENODEV);
	igt_assert_eq(__ferry_bo_migrate(fd, bo.handle, APERTURE), -ENODEV);
	igt_assert_eq(__ferry_bo_close(fd, bo.handle), -ENODEV);
	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &res),
		      -ENODEV);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &prime),
		      -1);
	igt_assert_eq(errno, ENODEV);
	igt_assert(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, offset) ==
		   MAP_FAILED);
	igt_assert_eq(errno, ENODEV);

	munmap(bo.map, bo.size);
	close(fd);
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
	errno = 0;
}

/* Read and write all pages of a mapping; check the contents of the BO first if @kept. */
static void check_survivor(const struct igt_ferry_bo *bo, bool kept)
{
	uint8_t *map = bo->map;

	for (size_t page = 0; page < bo->size / PAGE; page++)
		igt_assert_eq(igt_ferry_read_signal(map + page * PAGE), 0);
	if (kept)
		igt_ferry_bo_check(bo);
	for (size_t page = 0; page < bo->size / PAGE; page++) {
		igt_assert_eq(igt_ferry_write_signal(map + page * PAGE + 77,
						     page + 1),
			      0);
		igt_assert_eq(map[page * PAGE + 77], (uint8_t)(page + 1));
	}
}

/**
 * SUBTEST: unbound-mapping-%s
 * Description: A mapping of an unbound device can be accessed without a signal, and BOs in system memory keep their contents
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_unbound_mapping(int fd, const struct igt_ferry_kind *kind)
{
	bool kept = kind->allowed_placements == SYSTEM;
	struct igt_ferry_bo accessed, fresh, closed;

	igt_ferry_bo_init(&accessed, fd, 1100 * PAGE, kind);
	igt_ferry_bo_fill(&accessed);
	igt_ferry_bo_init(&fresh, fd, 40 * PAGE, kind);
	igt_ferry_bo_fill(&fresh);
	munmap(fresh.map, fresh.size);
	fresh.map = ferry_bo_mmap(fd, fresh.handle, fresh.size);
	igt_ferry_bo_init(&closed, fd, 40 * PAGE, kind);
	igt_ferry_bo_fill(&closed);
	gem_close(fd, closed.handle);

	igt_ferry_module_must_unbind();
	check_survivor(&accessed, kept);
	igt_fork(child, 1)
	{
		check_survivor(&fresh, kept);
	}
	igt_waitchildren();
	igt_assert_eq(igt_ferry_read_signal(fresh.map), 0);
	close(fd);
	check_survivor(&closed, kept);

	/* the old mappings stay usable after the device is bound again */
	igt_ferry_module_must_bind();
	fd = igt_ferry_module_open();
	igt_ferry_module_exercise(fd);
	for (size_t page = 0; page < 40; page++)
		igt_assert_eq(igt_ferry_write_signal(
				      (char *)accessed.map + page * PAGE, 1),
			      0);
	munmap(accessed.map, accessed.size);
	munmap(fresh.map, fresh.size);
	munmap(closed.map, closed.size);
	close(fd);
}

/* Work until ioctls fail with ENODEV, and access the mappings for 0.3 s after that. */
static void hammer(int fd, int child, int *ready)
{
	struct timespec after = {};
	struct igt_ferry_bo bo[4];
	bool unbound = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_init(&bo[i], fd, (16 + 16 * child) * PAGE,
				  &igt_ferry_movable_kinds[i]);
	__atomic_add_fetch(ready, 1, __ATOMIC_SEQ_CST);
	for (unsigned int n = 0;
	     !unbound || igt_nsec_elapsed(&after) < 300000000; n++) {
		struct igt_ferry_bo *b = &bo[n % ARRAY_SIZE(bo)];
		uint32_t handle;
		int err = 0;

		for (size_t page = n % 3; page < b->size / PAGE; page += 3) {
			volatile char *p = (char *)b->map + page * PAGE;

			*p = *p + 1;
		}
		if (child & 1)
			err = __ferry_bo_migrate(fd, b->handle,
						 n / 4 & 1 ? SYSTEM : APERTURE);
		else
			err = __ferry_bo_create(fd, 5 * PAGE,
						FERRY_PLACEMENT_BOTH,
						n & 1 ? APERTURE : SYSTEM, 0, 0,
						&handle);
		if (err) {
			igt_assert_eq(err, -ENODEV);
			if (!unbound)
				igt_nsec_elapsed(&after);
			unbound = true;
		} else if (!(child & 1)) {
			igt_assert(!unbound);
			err = __ferry_bo_close(fd, handle);
			igt_assert(!err || err == -ENODEV);
		}
	}
}

/**
 * SUBTEST: unbind-hammer
 * Description: The device is unbound while several processes access, create and migrate BOs
 */
static void test_unbind_hammer(int fd)
{
	int *ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(ready != MAP_FAILED);
	for (int round = 0; round < 5; round++) {
		*ready = 0;
		igt_fork(child, 4)
		{
			hammer(igt_ferry_reopen(fd, O_RDWR), child, ready);
		}
		/* a slow virtual machine takes a while to start the clients */
		for (int ms = 0; ms < 10000; ms++) {
			if (__atomic_load_n(ready, __ATOMIC_SEQ_CST) == 4)
				break;
			usleep(1000);
		}
		usleep(300000 + round * 50000);
		igt_ferry_module_must_unbind();
		igt_waitchildren_timeout(60, "clients of an unbound device");
		close(fd);
		igt_ferry_module_must_bind();
		fd = igt_ferry_module_open();
	}
	igt_ferry_module_exercise(fd);
	close(fd);
}

/**
 * SUBTEST: rebind-open-file
 * Description: A file that was open when the device was unbound fails with ENODEV after the device is bound again
 */
static void test_rebind_open_file(int old)
{
	struct igt_ferry_bo bo;
	int fd;

	igt_ferry_bo_init(&bo, old, 8 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	igt_ferry_module_must_unbind();
	igt_ferry_module_must_bind();
	fd = igt_ferry_module_open();
	igt_ferry_module_exercise(fd);
	igt_assert_eq(__ferry_bo_migrate(old, bo.handle, APERTURE), -ENODEV);
	igt_ferry_bo_check(&bo);
	munmap(bo.map, bo.size);
	close(old);
	igt_ferry_module_exercise(fd);
	close(fd);
}

/**
 * SUBTEST: unbind-dma-buf
 * Description: A dma-buf and its mapping stay usable after an unbind, and the module can be unloaded after they are closed
 */
static void test_unbind_dma_buf(int fd)
{
	struct igt_ferry_bo bo;
	void *map;
	int prime;

	igt_ferry_bo_init(&bo, fd, 8 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR | DRM_CLOEXEC,
					 &prime),
		      0);
	map = mmap(NULL, bo.size, PROT_READ | PROT_WRITE, MAP_SHARED, prime, 0);
	igt_ferry_module_must_unbind();
	munmap(bo.map, bo.size);
	close(fd);
	if (map != MAP_FAILED) {
		bo.map = map;
		check_survivor(&bo, true);
		munmap(map, bo.size);
	}
	close(prime);
	igt_ferry_module_must_bind();
	igt_ferry_module_unload();
	igt_ferry_module_load("");
	igt_ferry_module_check_works();
	errno = 0;
}

/**
 * SUBTEST: unload-busy
 * Description: The module cannot be unloaded while a client has the device open
 */
static void test_unload_busy(int fd)
{
	igt_ferry_module_unbind_consoles();
	igt_assert_lt(igt_kmod_unload("ferry", 0), 0);
	igt_assert(igt_ferry_module_is_bound());
	igt_ferry_module_exercise(fd);
	close(fd);
	igt_ferry_module_unload();
	igt_ferry_module_load("");
}

static const struct igt_ferry_test tests[] = {
	{ "reload",
	  "Loading, using and unloading the module many times leaks nothing",
	  test_reload },
	{ "rebind",
	  "Binding, using and unbinding the device many times leaks nothing",
	  test_rebind },
	{ "aperture-zero-reload",
	  "The aperture is zero for new BOs after the module was unloaded and loaded",
	  test_aperture_zero_reload },
	{ "aperture-zero-rebind",
	  "The aperture is zero for new BOs after the device was unbound with BOs in it and bound again",
	  test_aperture_zero_rebind },
	{ "unbound-ioctls",
	  "After the device is unbound every ioctl and mmap() of an open file fails with ENODEV",
	  test_unbound_ioctls },
	{ "unbound-mapping",
	  "A mapping of an unbound device can be accessed without a signal, and BOs in system memory keep their contents",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_unbound_mapping },
	{ "unbind-hammer",
	  "The device is unbound while several processes access, create and migrate BOs",
	  test_unbind_hammer },
	{ "rebind-open-file",
	  "A file that was open when the device was unbound fails with ENODEV after the device is bound again",
	  test_rebind_open_file },
	{ "unbind-dma-buf",
	  "A dma-buf and its mapping stay usable after an unbind, and the module can be unloaded after they are closed",
	  test_unbind_dma_buf },
	{ "unload-busy",
	  "The module cannot be unloaded while a client has the device open",
	  test_unload_busy },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
