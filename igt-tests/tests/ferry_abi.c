// SPDX-License-Identifier: MIT
/**
 * TEST: ferry abi
 * Category: Core
 * Description: Structures of older programs, permissions, and signals
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

IGT_TEST_DESCRIPTION("Structures of older programs, permissions, and signals");

/* Does not repeat the ioctl as drmIoctl() does, which hides EINTR and EAGAIN. */
static int raw_ioctl(int fd, unsigned long request, void *arg)
{
	int err = ioctl(fd, request, arg) ? errno : 0;

	errno = 0;
	return err;
}

static unsigned long resize(unsigned long request, size_t size)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request),
		    size);
}

/**
 * SUBTEST: shorter
 * Description: a shorter structure works as if it ended in zeros, and nothing is written behind its end
 */
static void test_shorter(int fd)
{
	struct drm_ferry_device_query device;
	struct drm_ferry_bo_create create;
	struct drm_ferry_bo_query query;
	struct drm_ferry_migrate_entry entry;
	struct drm_ferry_migrate migrate;
	int client = igt_ferry_reopen(fd, O_RDWR);
	uint32_t handle =
		ferry_bo_create(client, PAGE, FERRY_PLACEMENT_BOTH, 0, 0, 0);

	memset(&device, 0xee, sizeof(device));
	device.flags = device.pad = 0;
	igt_assert_eq(raw_ioctl(client,
				resize(DRM_IOCTL_FERRY_DEVICE_QUERY,
				       offsetof(struct drm_ferry_device_query,
						aperture_size)),
				&device),
		      0);
	igt_assert_lte(1, device.version);
	igt_assert_eq_u32(device.pad2, 0);
	igt_assert_eq_u64(device.aperture_size, 0xeeeeeeeeeeeeeeeeull);

	memset(&query, 0xee, sizeof(query));
	query.handle = handle;
	query.pad = 0;
	igt_assert_eq(raw_ioctl(client,
				resize(DRM_IOCTL_FERRY_BO_QUERY,
				       offsetof(struct drm_ferry_bo_query,
						allowed_placements)),
				&query),
		      0);
	igt_assert_eq_u64(query.size, PAGE);
	igt_assert_eq_u32(query.allowed_placements, 0xeeeeeeee);

	entry = (struct drm_ferry_migrate_entry){ handle, APERTURE };
	migrate = (struct drm_ferry_migrate){
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(&entry),
		.count = 1,
		.flags = 0xeeeeeeee,
	};
	igt_assert_eq(
		raw_ioctl(client,
			  resize(DRM_IOCTL_FERRY_MIGRATE,
				 offsetof(struct drm_ferry_migrate, flags)),
			  &migrate),
		0);
	igt_assert_eq(ferry_bo_placement(client, handle), APERTURE);
	igt_assert_eq_u32(migrate.flags, 0xeeeeeeee);

	/* a BO needs an allowed placement */
	memset(&create, 0xee, sizeof(create));
	create.size = PAGE;
	igt_assert_eq(raw_ioctl(client,
				resize(DRM_IOCTL_FERRY_BO_CREATE,
				       offsetof(struct drm_ferry_bo_create,
						allowed_placements)),
				&create),
		      EINVAL);
	close(client);
}

/**
 * SUBTEST: unknown-ioctl
 * Description: ioctl numbers that ferry does not have give EINVAL
 */
static void test_unknown_ioctl(int fd)
{
	char buf[256] = {};
	uint64_t bos = igt_ferry_stat(fd, "bos");

	for (unsigned int nr = DRM_FERRY_BO_WAIT + 1;
	     nr < DRM_COMMAND_END - DRM_COMMAND_BASE; nr++)
		igt_assert_eq(raw_ioctl(fd,
					DRM_IOC(DRM_IOC_READWRITE,
						DRM_IOCTL_BASE,
						DRM_COMMAND_BASE + nr, 64),
					buf),
			      EINVAL);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos);
}

static void use_everything(int fd)
{
	struct drm_ferry_device_query device;
	struct igt_ferry_bo bo;

	ferry_device_query(fd, &device);
	igt_ferry_bo_init(&bo, fd, 3 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	ferry_bo_migrate(fd, bo.handle, APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), APERTURE);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: unprivileged
 * Description: every ioctl works without privileges on a node that is open
 */
static void test_unprivileged(int fd)
{
	int card = igt_ferry_reopen(fd, O_RDWR);

	igt_fork(child, 1)
	{
		igt_drop_root();
		use_everything(card);
	}
	igt_waitchildren();
	close(card);
}

/**
 * SUBTEST: readonly-file
 * Description: the ioctls work on a file that is opened read-only
 */
static void test_readonly_file(int fd)
{
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	uint32_t handle =
		ferry_bo_create(ro, PAGE, FERRY_PLACEMENT_BOTH, 0, 0, 0);
	uint64_t offset = 0;

	ferry_bo_migrate(ro, handle, APERTURE);
	igt_assert_eq(ferry_bo_placement(ro, handle), APERTURE);
	igt_assert_eq(__ferry_bo_mmap_offset(ro, handle, &offset), 0);
	gem_close(ro, handle);
	close(ro);
}

/**
 * SUBTEST: interrupted-migrate
 * Description: a move that a signal interrupts keeps all contents, and can be repeated
 */
static void test_interrupted_migrate(int fd)
{
	unsigned int interrupted = 0, done = 0;
	struct igt_ferry_bo bo[4];
	struct timespec start = {};

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_init(&bo[i], fd, 300 * PAGE,
				  &igt_ferry_movable_kinds[i]);
		igt_ferry_bo_fill(&bo[i]);
	}
	igt_ferry_alarm_storm(700);
	while (igt_seconds_elapsed(&start) < 3) {
		struct drm_ferry_migrate_entry e[ARRAY_SIZE(bo)];
		struct drm_ferry_migrate args = {
			.entry_stride = sizeof(struct drm_ferry_migrate_entry),
			.sync_stride = sizeof(struct drm_ferry_sync),
			.entries = to_user_pointer(e),
			.count = ARRAY_SIZE(e),
		};
		int err;

		for (unsigned int i = 0; i < ARRAY_SIZE(e); i++) {
			e[i].handle = bo[i].handle;
			e[i].placement = done & 1 ? SYSTEM : APERTURE;
		}
		err = raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args);
		if (err) {
			igt_assert_eq(err, EINTR);
			interrupted++;
			igt_ferry_bo_check(&bo[interrupted % ARRAY_SIZE(bo)]);
			continue;
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(e); i++)
			igt_assert_eq(ferry_bo_placement(fd, e[i].handle),
				      e[i].placement);
		done++;
	}
	igt_ferry_alarm_storm(0);
	igt_info("%u moves, %u were interrupted\n", done, interrupted);
	igt_assert_lt(0, done);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
}

static int raw_migrate(int fd, uint32_t handle, uint32_t placement)
{
	struct drm_ferry_migrate_entry e = { handle, placement };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(&e),
		.count = 1,
	};

	return raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args);
}

/**
 * SUBTEST: interrupted-wait
 * Description: a signal ends a move that waits for another client, and the contents are kept
 */
static void test_interrupted_wait(int fd)
{
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, 500 * PAGE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, &in, &out);
	igt_fork(child, 1)
	{
		/* waits for the pending move with the BO reserved */
		ferry_bo_migrate(fd, bo.handle, SYSTEM);
	}
	usleep(100000);
	igt_ferry_alarm_storm(20000);
	for (unsigned int i = 0; i < 20; i++) {
		struct timespec start = {};
		int err;

		igt_seconds_elapsed(&start);
		err = raw_migrate(fd, bo.handle, i & 1 ? SYSTEM : APERTURE);
		igt_assert_lt(igt_seconds_elapsed(&start), 5);
		igt_ferry_gate_require_closed(&gate);
		igt_assert_eq(err, EINTR);
	}
	igt_ferry_alarm_storm(0);
	igt_ferry_gate_open(&gate);
	igt_waitchildren();
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: interrupted-race
 * Description: a BO keeps its contents when three clients move it and signals interrupt one of them
 */
static void test_interrupted_race(int fd)
{
	volatile bool *stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int interrupted = 0, done = 0;
	struct timespec start = {};
	struct igt_ferry_bo bo;

	igt_assert(stop != MAP_FAILED);
	igt_ferry_bo_init(&bo, fd, 500 * PAGE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&bo);
	igt_fork(child, 2)
	{
		for (unsigned int i = child; !*stop; i++)
			ferry_bo_migrate(fd, bo.handle,
					 i & 1 ? SYSTEM : APERTURE);
	}
	igt_ferry_alarm_storm(300);
	while (igt_seconds_elapsed(&start) < (done ? 3 : 60)) {
		int err = raw_migrate(fd, bo.handle,
				      done & 1 ? SYSTEM : APERTURE);

		if (err) {
			igt_assert_eq(err, EINTR);
			interrupted++;
		} else {
			done++;
		}
	}
	igt_ferry_alarm_storm(0);
	*stop = true;
	igt_waitchildren();
	igt_info("%u moves, %u were interrupted\n", done, interrupted);
	igt_assert_lt(0, done);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	munmap((void *)stop, PAGE);
}

/**
 * SUBTEST: interrupted-create
 * Description: BO_CREATE under signals creates one BO with each success, and none with each failure
 */
static void test_interrupted_create(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	unsigned int created = 0, interrupted = 0;
	struct timespec start = {};
	uint32_t handles[2000];

	igt_ferry_alarm_storm(200);
	while (igt_seconds_elapsed(&start) < 2 &&
	       created < ARRAY_SIZE(handles)) {
		struct drm_ferry_bo_create args = {
			.size = 4 * PAGE,
			.allowed_placements = FERRY_PLACEMENT_BOTH,
			.placement = created & 1 ? APERTURE : SYSTEM,
		};
		int err = raw_ioctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &args);

		if (err) {
			igt_assert_eq(err, EINTR);
			igt_assert_eq_u32(args.handle, 0);
			interrupted++;
		} else {
			handles[created++] = args.handle;
		}
	}
	igt_ferry_alarm_storm(0);
	igt_info("%u created, %u interrupted\n", created, interrupted);
	igt_ferry_wait_stat(fd, "bos", bos + created);
	while (created)
		gem_close(fd, handles[--created]);
	igt_ferry_wait_stat(fd, "bos", bos);
}

/**
 * SUBTEST: migrate-max-count
 * Description: an array of DRM_FERRY_MIGRATE_MAX entries is read to its end
 */
static void test_migrate_max_count(int fd)
{
	struct drm_ferry_migrate_entry *e =
		calloc(DRM_FERRY_MIGRATE_MAX, sizeof(*e));
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(*e),
		.count = DRM_FERRY_MIGRATE_MAX,
	};
	uint32_t handle =
		ferry_bo_create(fd, PAGE, FERRY_PLACEMENT_BOTH, 0, 0, 0);

	igt_assert(e);
	args.entries = to_user_pointer(e);
	/* the same BO in all entries, then also a bad placement in the last one */
	for (unsigned int i = 0; i < DRM_FERRY_MIGRATE_MAX; i++)
		e[i] = (struct drm_ferry_migrate_entry){ handle, APERTURE };
	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args),
		      -EINVAL);
	igt_assert_eq_u32(args.failed_entry, 1);
	e[DRM_FERRY_MIGRATE_MAX - 1].placement = 0;
	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args),
		      -EINVAL);
	igt_assert_eq_u32(args.failed_entry, DRM_FERRY_MIGRATE_MAX - 1);
	igt_assert_eq(ferry_bo_placement(fd, handle), SYSTEM);
	gem_close(fd, handle);
	free(e);
}

static const struct igt_ferry_test tests[] = {
	{ "shorter",
	  "a shorter structure works as if it ended in zeros, and nothing is written behind its end",
	  test_shorter },
	{ "unknown-ioctl", "ioctl numbers that ferry does not have give EINVAL",
	  test_unknown_ioctl },
	{ "unprivileged",
	  "every ioctl works without privileges on a node that is open",
	  test_unprivileged },
	{ "readonly-file", "the ioctls work on a file that is opened read-only",
	  test_readonly_file },
	{ "interrupted-migrate",
	  "a move that a signal interrupts keeps all contents, and can be repeated",
	  test_interrupted_migrate },
	{ "interrupted-wait",
	  "a signal ends a move that waits for another client, and the contents are kept",
	  test_interrupted_wait },
	{ "interrupted-race",
	  "a BO keeps its contents when three clients move it and signals interrupt one of them",
	  test_interrupted_race },
	{ "interrupted-create",
	  "BO_CREATE under signals creates one BO with each success, and none with each failure",
	  test_interrupted_create },
	{ "migrate-max-count",
	  "an array of DRM_FERRY_MIGRATE_MAX entries is read to its end",
	  test_migrate_max_count },
	{}
};

igt_ferry_main(tests);
