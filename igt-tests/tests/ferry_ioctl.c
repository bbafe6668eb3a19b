// SPDX-License-Identifier: MIT
/**
 * TEST: ferry ioctl
 * Category: Core
 * Description: Each bad argument of each ioctl gives its documented errno and has no effect
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "igt.h"

#include "igt_ferry.h"

IGT_TEST_DESCRIPTION(
	"Each bad argument of each ioctl gives its documented errno and has no effect");

/* A kernel address, and one that is not canonical */
#define KERNEL_POINTER 0xffff888000001000ull
#define ODD_POINTER 0x8000000000000000ull

/* Every call of MIGRATE begins with this in failed_entry, which is an output only. */
#define UNSET 0xdddddddd

/* The call does not fail because of one entry. */
#define NO_ENTRY UINT32_MAX

/* A new client, handles, and the limits of sizes */
struct fixture {
	int fd;
	uint64_t max_bo_size;
	uint64_t aperture_size;
	uint32_t movable[2];
	uint32_t system;
	uint32_t aperture;
	uint32_t closed;
	uint32_t foreign;
	int foreign_fd;
	char *half; /* a page with nothing mapped behind it */
};

union args {
	struct drm_ferry_device_query device;
	struct drm_ferry_bo_create create;
	struct drm_ferry_bo_mmap_offset offset;
	struct drm_ferry_bo_query query;
	struct drm_ferry_migrate migrate;
	struct drm_ferry_bo_wait wait;
	struct drm_ferry_bo_madvise madvise;
};

static struct drm_ferry_migrate_entry entries[4];

static void fixture_init(struct fixture *f, int fd)
{
	struct drm_ferry_device_query device;

	ferry_device_query(fd, &device);
	f->max_bo_size = device.max_bo_size;
	f->aperture_size = device.aperture_size;
	f->fd = igt_ferry_reopen(fd, O_RDWR);
	for (int i = 0; i < 2; i++)
		f->movable[i] = ferry_bo_create(f->fd, 2 * PAGE,
						FERRY_PLACEMENT_BOTH, 0, 0, 0);
	f->system = ferry_bo_create(f->fd, PAGE, SYSTEM, 0, 0, 0);
	f->aperture = ferry_bo_create(f->fd, PAGE, APERTURE, 0, 0, 0);
	f->closed = ferry_bo_create(f->fd, PAGE, SYSTEM, 0, 0, 0);
	gem_close(f->fd, f->closed);

	/* a handle that is valid in another client, and not in this one */
	f->foreign_fd = igt_ferry_reopen(fd, O_RDWR);
	do {
		f->foreign = ferry_bo_create(f->foreign_fd, PAGE,
					     FERRY_PLACEMENT_BOTH, 0, 0, 0);
	} while (f->foreign <= f->closed);

	f->half = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(f->half != MAP_FAILED);
	igt_assert_eq(munmap(f->half + PAGE, PAGE), 0);
}

static void fixture_fini(struct fixture *f)
{
	munmap(f->half, PAGE);
	close(f->foreign_fd);
	close(f->fd);
}

/* Valid arguments, of which each subtest changes one */
static void valid_device(const struct fixture *f, union args *args)
{
	(void)f;
	args->device = (struct drm_ferry_device_query){};
}

static void valid_create(const struct fixture *f, union args *args)
{
	(void)f;
	args->create = (struct drm_ferry_bo_create){
		.size = PAGE,
		.allowed_placements = FERRY_PLACEMENT_BOTH,
		.placement = SYSTEM,
	};
}

static void valid_offset(const struct fixture *f, union args *args)
{
	args->offset = (struct drm_ferry_bo_mmap_offset){ .handle = f->system };
}

static void valid_query(const struct fixture *f, union args *args)
{
	args->query = (struct drm_ferry_bo_query){ .handle = f->system };
}

static void valid_migrate(const struct fixture *f, union args *args)
{
	entries[0] =
		(struct drm_ferry_migrate_entry){ f->movable[0], APERTURE };
	entries[1] =
		(struct drm_ferry_migrate_entry){ f->movable[1], APERTURE };
	args->migrate = (struct drm_ferry_migrate){
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(entries),
		.count = 2,
		.failed_entry = UNSET,
	};
}

static void valid_wait(const struct fixture *f, union args *args)
{
	args->wait = (struct drm_ferry_bo_wait){
		.handle = f->system,
		.timeout_ns = INT64_MAX,
	};
}

static void valid_madvise(const struct fixture *f, union args *args)
{
	args->madvise = (struct drm_ferry_bo_madvise){
		.handle = f->system,
		.madv = DRM_FERRY_MADV_DONTNEED,
	};
}

struct ioctl_info {
	const char *name;
	unsigned long request;
	size_t size;
	void (*valid)(const struct fixture *f, union args *args);
};

static const struct ioctl_info ioctls[] = {
	{ "device-query", DRM_IOCTL_FERRY_DEVICE_QUERY,
	  sizeof(struct drm_ferry_device_query), valid_device },
	{ "bo-create", DRM_IOCTL_FERRY_BO_CREATE,
	  sizeof(struct drm_ferry_bo_create), valid_create },
	{ "bo-mmap-offset", DRM_IOCTL_FERRY_BO_MMAP_OFFSET,
	  sizeof(struct drm_ferry_bo_mmap_offset), valid_offset },
	{ "bo-query", DRM_IOCTL_FERRY_BO_QUERY,
	  sizeof(struct drm_ferry_bo_query), valid_query },
	{ "migrate", DRM_IOCTL_FERRY_MIGRATE, sizeof(struct drm_ferry_migrate),
	  valid_migrate },
	{ "bo-wait", DRM_IOCTL_FERRY_BO_WAIT, sizeof(struct drm_ferry_bo_wait),
	  valid_wait },
	{ "bo-madvise", DRM_IOCTL_FERRY_BO_MADVISE,
	  sizeof(struct drm_ferry_bo_madvise), valid_madvise },
};

enum ioctl_index { DEVICE, CREATE, OFFSET, QUERY, MIGRATE, WAIT, MADVISE };

/* Does not repeat the ioctl as drmIoctl() does, which hides EINTR and EAGAIN. */
static int raw_ioctl(int fd, unsigned long request, void *arg)
{
	int err = ioctl(fd, request, arg) ? errno : 0;

	errno = 0;
	return err;
}

/* The running subtest: its fixture, its arguments, and a copy of them from before the call */
static struct fixture f;
static union args a, before;
static struct igt_ferry_state state;

static void bad_begin(int fd, enum ioctl_index index)
{
	igt_ferry_clean(fd);
	fixture_init(&f, fd);
	igt_ferry_state_get(fd, &state, true);
	memset(&a, 0, sizeof(a));
	ioctls[index].valid(&f, &a);
}

static void bad_end(int fd, enum ioctl_index index, int err, uint32_t failed)
{
	const struct ioctl_info *info = &ioctls[index];

	before = a;
	igt_assert_eq(raw_ioctl(f.fd, info->request, &a), err);
	/* the only output of a call that fails */
	if (index == MIGRATE)
		before.migrate.failed_entry =
			failed == NO_ENTRY ? before.migrate.count : failed;
	igt_assert_f(index != MIGRATE || a.migrate.failed_entry ==
						 before.migrate.failed_entry,
		     "failed_entry is %u and should be %u\n",
		     a.migrate.failed_entry, before.migrate.failed_entry);
	igt_assert_f(!memcmp(&a, &before, sizeof(a)),
		     "the ioctl failed and changed its arguments\n");
	igt_ferry_state_check(fd, &state, 0, "%s", info->name);

	/* and it was this one argument: without it the ioctl works */
	info->valid(&f, &a);
	igt_assert_eq(raw_ioctl(f.fd, info->request, &a), 0);
	if (index == MIGRATE)
		igt_assert_eq_u32(a.migrate.failed_entry, a.migrate.count);
	fixture_fini(&f);
}

/* One subtest: @change, which makes valid arguments bad, gives @err. */
#define BAD_ENTRY(index, name, err, failed, change)                          \
	do {                                                                 \
		igt_describe("one bad argument gives the documented errno, " \
			     "and nothing has changed");                     \
		igt_subtest(name)                                            \
		{                                                            \
			bad_begin(fd, index);                                \
			change;                                              \
			bad_end(fd, index, err, failed);                     \
		}                                                            \
	} while (0)

#define BAD(index, name, err, change) \
	BAD_ENTRY(index, name, err, NO_ENTRY, change)

/**
 * SUBTEST: %s-%s
 * Description: one bad argument gives the documented errno, and nothing has changed
 *
 * arg[1].values: device-query, bo-create, bo-mmap-offset, bo-query, migrate, bo-wait, bo-madvise
 * arg[2]: the bad argument, see --list-subtests
 */
static void bad_device_query(int fd)
{
	BAD(DEVICE, "device-query-flag", EINVAL, a.device.flags = 1);
	BAD(DEVICE, "device-query-high-flag", EINVAL,
	    a.device.flags = 1u << 31);
	BAD(DEVICE, "device-query-pad", EINVAL, a.device.pad = 1);
	BAD(DEVICE, "device-query-high-pad", EINVAL, a.device.pad = 1u << 31);
}

static void bad_bo_create(int fd)
{
	BAD(CREATE, "bo-create-size-0", EINVAL, a.create.size = 0);
	BAD(CREATE, "bo-create-size-over-max", EINVAL,
	    a.create.size = f.max_bo_size + 1);
	BAD(CREATE, "bo-create-size-page-over-max", EINVAL,
	    a.create.size = f.max_bo_size + PAGE);
	BAD(CREATE, "bo-create-size-2-63", EINVAL, a.create.size = 1ull << 63);
	BAD(CREATE, "bo-create-size-wraps", EINVAL, a.create.size = UINT64_MAX);
	BAD(CREATE, "bo-create-size-wraps-to-0", EINVAL,
	    a.create.size = UINT64_MAX - PAGE + 2);
	BAD(CREATE, "bo-create-size-last-page", EINVAL,
	    a.create.size = UINT64_MAX - PAGE + 1);
	BAD(CREATE, "bo-create-size-2-44-pages", EINVAL,
	    a.create.size = 1ull << 56);
	BAD(CREATE, "bo-create-size-over-aperture", EINVAL,
	    a.create.size = f.aperture_size + 1;
	    a.create.allowed_placements = a.create.placement = APERTURE);
	BAD(CREATE, "bo-create-placements-0", EINVAL,
	    a.create.allowed_placements = 0;
	    a.create.placement = 0);
	BAD(CREATE, "bo-create-placements-unknown", EINVAL,
	    a.create.allowed_placements |= 4);
	BAD(CREATE, "bo-create-placements-unknown-only", EINVAL,
	    a.create.allowed_placements = a.create.placement = 4);
	BAD(CREATE, "bo-create-placements-high", EINVAL,
	    a.create.allowed_placements |= 1u << 31);
	BAD(CREATE, "bo-create-placement-two", EINVAL,
	    a.create.placement = FERRY_PLACEMENT_BOTH);
	BAD(CREATE, "bo-create-placement-unknown", EINVAL,
	    a.create.placement = 4);
	BAD(CREATE, "bo-create-placement-high", EINVAL,
	    a.create.placement = SYSTEM | 1u << 31);
	BAD(CREATE, "bo-create-placement-not-allowed-aperture", EINVAL,
	    a.create.allowed_placements = SYSTEM;
	    a.create.placement = APERTURE);
	BAD(CREATE, "bo-create-placement-not-allowed-system", EINVAL,
	    a.create.allowed_placements = APERTURE;
	    a.create.placement = SYSTEM);
	BAD(CREATE, "bo-create-caching-unknown", EINVAL,
	    a.create.caching = DRM_FERRY_CACHING_WC + 1);
	BAD(CREATE, "bo-create-caching-high", EINVAL,
	    a.create.caching = UINT32_MAX);
	BAD(CREATE, "bo-create-flag", EINVAL,
	    a.create.flags = DRM_FERRY_BO_CONTIGUOUS << 1);
	BAD(CREATE, "bo-create-high-flag", EINVAL,
	    a.create.flags = DRM_FERRY_BO_CONTIGUOUS | 1u << 31);
	BAD(CREATE, "bo-create-pad", EINVAL, a.create.pad = 1);
	BAD(CREATE, "bo-create-high-pad", EINVAL, a.create.pad = 1u << 31);
	BAD(CREATE, "bo-create-handle", EINVAL, a.create.handle = 1);
	BAD(CREATE, "bo-create-handle-known", EINVAL,
	    a.create.handle = f.system);
	BAD(CREATE, "bo-create-handle-high", EINVAL,
	    a.create.handle = UINT32_MAX);
}

static void bad_bo_mmap_offset(int fd)
{
	BAD(OFFSET, "bo-mmap-offset-handle-0", ENOENT, a.offset.handle = 0);
	BAD(OFFSET, "bo-mmap-offset-handle-closed", ENOENT,
	    a.offset.handle = f.closed);
	BAD(OFFSET, "bo-mmap-offset-handle-foreign", ENOENT,
	    a.offset.handle = f.foreign);
	BAD(OFFSET, "bo-mmap-offset-handle-int-max", ENOENT,
	    a.offset.handle = INT32_MAX);
	BAD(OFFSET, "bo-mmap-offset-handle-over-int-max", ENOENT,
	    a.offset.handle = 1u << 31);
	BAD(OFFSET, "bo-mmap-offset-handle-negative", ENOENT,
	    a.offset.handle = -f.system);
	BAD(OFFSET, "bo-mmap-offset-handle-all-ones", ENOENT,
	    a.offset.handle = UINT32_MAX);
	BAD(OFFSET, "bo-mmap-offset-flag", EINVAL,
	    a.offset.flags = DRM_FERRY_MMAP_POPULATE << 1);
	BAD(OFFSET, "bo-mmap-offset-high-flag", EINVAL,
	    a.offset.flags = DRM_FERRY_MMAP_POPULATE | 1u << 31);
}

static void bad_bo_query(int fd)
{
	BAD(QUERY, "bo-query-handle-0", ENOENT, a.query.handle = 0);
	BAD(QUERY, "bo-query-handle-closed", ENOENT, a.query.handle = f.closed);
	BAD(QUERY, "bo-query-handle-foreign", ENOENT,
	    a.query.handle = f.foreign);
	BAD(QUERY, "bo-query-handle-int-max", ENOENT,
	    a.query.handle = INT32_MAX);
	BAD(QUERY, "bo-query-handle-over-int-max", ENOENT,
	    a.query.handle = 1u << 31);
	BAD(QUERY, "bo-query-handle-negative", ENOENT,
	    a.query.handle = -f.system);
	BAD(QUERY, "bo-query-handle-all-ones", ENOENT,
	    a.query.handle = UINT32_MAX);
	BAD(QUERY, "bo-query-pad", EINVAL, a.query.pad = 1);
	BAD(QUERY, "bo-query-high-pad", EINVAL, a.query.pad = 1u << 31);
}

static void bad_migrate(int fd)
{
	BAD(MIGRATE, "migrate-count-0", EINVAL, a.migrate.count = 0);
	BAD(MIGRATE, "migrate-count-over-max", EINVAL,
	    a.migrate.count = DRM_FERRY_MIGRATE_MAX + 1);
	BAD(MIGRATE, "migrate-count-2-29", EINVAL, a.migrate.count = 1u << 29);
	BAD(MIGRATE, "migrate-count-all-ones", EINVAL,
	    a.migrate.count = UINT32_MAX);
	BAD(MIGRATE, "migrate-flag", EINVAL, a.migrate.flags = 1);
	BAD(MIGRATE, "migrate-high-flag", EINVAL, a.migrate.flags = 1u << 31);
	BAD(MIGRATE, "migrate-entries-null", EFAULT, a.migrate.entries = 0);
	BAD(MIGRATE, "migrate-entries-kernel", EFAULT,
	    a.migrate.entries = KERNEL_POINTER);
	BAD(MIGRATE, "migrate-entries-noncanonical", EFAULT,
	    a.migrate.entries = ODD_POINTER);
	BAD(MIGRATE, "migrate-entries-wrap", EFAULT,
	    a.migrate.entries = UINT64_MAX - 7);
	BAD(MIGRATE, "migrate-entries-unmapped", EFAULT,
	    a.migrate.entries = to_user_pointer(f.half + PAGE));
	BAD(MIGRATE, "migrate-entries-half-mapped", EFAULT,
	    a.migrate.entries = to_user_pointer(f.half + PAGE - 8);
	    memcpy(f.half + PAGE - 8, entries, 8));
	BAD(MIGRATE, "migrate-entries-half-an-entry", EFAULT,
	    a.migrate.entries = to_user_pointer(f.half + PAGE - 12);
	    memcpy(f.half + PAGE - 12, entries, 12));
	BAD_ENTRY(MIGRATE, "migrate-handle-0", ENOENT, 1,
		  entries[1].handle = 0);
	BAD_ENTRY(MIGRATE, "migrate-handle-closed", ENOENT, 1,
		  entries[1].handle = f.closed);
	BAD_ENTRY(MIGRATE, "migrate-handle-foreign", ENOENT, 1,
		  entries[1].handle = f.foreign);
	BAD_ENTRY(MIGRATE, "migrate-handle-int-max", ENOENT, 1,
		  entries[1].handle = INT32_MAX);
	BAD_ENTRY(MIGRATE, "migrate-handle-over-int-max", ENOENT, 1,
		  entries[1].handle = 1u << 31);
	BAD_ENTRY(MIGRATE, "migrate-handle-all-ones", ENOENT, 1,
		  entries[1].handle = UINT32_MAX);
	BAD_ENTRY(MIGRATE, "migrate-placement-0", EINVAL, 1,
		  entries[1].placement = 0);
	BAD_ENTRY(MIGRATE, "migrate-placement-two", EINVAL, 1,
		  entries[1].placement = FERRY_PLACEMENT_BOTH);
	BAD_ENTRY(MIGRATE, "migrate-placement-unknown", EINVAL, 1,
		  entries[1].placement = 4);
	BAD_ENTRY(MIGRATE, "migrate-placement-high", EINVAL, 1,
		  entries[1].placement = APERTURE | 1u << 31);
	BAD_ENTRY(MIGRATE, "migrate-placement-system-only", EINVAL, 1,
		  entries[1].handle = f.system);
	BAD_ENTRY(MIGRATE, "migrate-placement-aperture-only", EINVAL, 1,
		  entries[1].handle = f.aperture;
		  entries[1].placement = SYSTEM);
	BAD_ENTRY(MIGRATE, "migrate-duplicate", EINVAL, 1,
		  entries[1].handle = f.movable[0]);
	BAD_ENTRY(MIGRATE, "migrate-duplicate-other-way", EINVAL, 1,
		  entries[1].handle = f.movable[0];
		  entries[1].placement = SYSTEM);
}

static void bad_bo_wait(int fd)
{
	BAD(WAIT, "bo-wait-handle-0", ENOENT, a.wait.handle = 0);
	BAD(WAIT, "bo-wait-handle-closed", ENOENT, a.wait.handle = f.closed);
	BAD(WAIT, "bo-wait-handle-foreign", ENOENT, a.wait.handle = f.foreign);
	BAD(WAIT, "bo-wait-handle-all-ones", ENOENT,
	    a.wait.handle = UINT32_MAX);
	BAD(WAIT, "bo-wait-flag", EINVAL, a.wait.flags = 1);
	BAD(WAIT, "bo-wait-high-flag", EINVAL, a.wait.flags = 1u << 31);
}

static void bad_bo_madvise(int fd)
{
	BAD(MADVISE, "bo-madvise-handle-0", ENOENT, a.madvise.handle = 0);
	BAD(MADVISE, "bo-madvise-handle-closed", ENOENT,
	    a.madvise.handle = f.closed);
	BAD(MADVISE, "bo-madvise-handle-foreign", ENOENT,
	    a.madvise.handle = f.foreign);
	BAD(MADVISE, "bo-madvise-handle-all-ones", ENOENT,
	    a.madvise.handle = UINT32_MAX);
	BAD(MADVISE, "bo-madvise-purged", EINVAL,
	    a.madvise.madv = DRM_FERRY_MADV_PURGED);
	BAD(MADVISE, "bo-madvise-unknown", EINVAL, a.madvise.madv = UINT32_MAX);
	BAD(MADVISE, "bo-madvise-retained", EINVAL, a.madvise.retained = 1);
	BAD(MADVISE, "bo-madvise-pad", EINVAL, a.madvise.pad = 1);
	BAD(MADVISE, "bo-madvise-high-pad", EINVAL, a.madvise.pad = 1u << 31);
}

/**
 * SUBTEST: %s-argument-fault
 * Description: an argument that cannot be read or written gives EFAULT, and a BO that was created nevertheless is freed with the client
 *
 * arg[1].values: device-query, bo-create, bo-mmap-offset, bo-query, migrate, bo-wait, bo-madvise
 */
static void test_argument_fault(int fd, const struct ioctl_info *info)
{
	const uint64_t bad[] = { 0, 1, KERNEL_POINTER, ODD_POINTER,
				 UINT64_MAX };
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct fixture f;
	struct igt_ferry_state state;
	union args args;

	fixture_init(&f, fd);
	igt_ferry_state_get(fd, &state, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		igt_assert_eq(raw_ioctl(f.fd, info->request,
					(void *)(uintptr_t)bad[i]),
			      EFAULT);
	igt_assert_eq(raw_ioctl(f.fd, info->request, f.half + PAGE), EFAULT);

	info->valid(&f, &args);
	memcpy(f.half + PAGE - info->size + 4, &args, info->size - 4);
	igt_assert_eq(raw_ioctl(f.fd, info->request,
				f.half + PAGE - info->size + 4),
		      EFAULT);
	igt_ferry_state_check(fd, &state, 0, "%s", info->name);

	/* an argument that is only read may be in memory that is read-only */
	memcpy(f.half, &args, info->size);
	igt_assert_eq(mprotect(f.half, PAGE, PROT_READ), 0);
	igt_assert_eq(raw_ioctl(f.fd, info->request, f.half),
		      _IOC_DIR(info->request) & _IOC_READ ? EFAULT : 0);
	fixture_fini(&f);
	igt_ferry_wait_stat(fd, "bos", bos);
}

static unsigned long resize(unsigned long request, size_t size)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request),
		    size);
}

/**
 * SUBTEST: %s-longer
 * Description: a longer structure works, and bytes that the kernel does not know are ignored and not written
 *
 * arg[1].values: device-query, bo-create, bo-mmap-offset, bo-query, migrate, bo-wait, bo-madvise
 */
static void test_longer(int fd, const struct ioctl_info *info)
{
	struct {
		union args args;
		uint64_t rest[8];
	} * longer;
	struct fixture f;
	char buf[sizeof(*longer)];

	fixture_init(&f, fd);
	memset(buf, 0, sizeof(buf));
	info->valid(&f, (union args *)buf);
	memset(buf + info->size, 0xab, 64);
	igt_assert_eq(raw_ioctl(f.fd, resize(info->request, info->size + 64),
				buf),
		      0);
	for (size_t i = info->size; i < info->size + 64; i++)
		igt_assert_eq((unsigned char)buf[i], 0xab);
	fixture_fini(&f);
}

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
	}

	bad_device_query(fd);
	bad_bo_create(fd);
	bad_bo_mmap_offset(fd);
	bad_bo_query(fd);
	bad_migrate(fd);
	bad_bo_wait(fd);
	bad_bo_madvise(fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(ioctls); i++) {
		igt_describe(
			"an argument that cannot be read or written gives EFAULT, and a BO that was created nevertheless is freed with the client");
		igt_subtest_f("%s-argument-fault", ioctls[i].name)
		{
			test_argument_fault(igt_ferry_begin(fd), &ioctls[i]);
		}

		igt_describe(
			"a longer structure works, and bytes that the kernel does not know are ignored and not written");
		igt_subtest_f("%s-longer", ioctls[i].name)
		{
			test_longer(igt_ferry_begin(fd), &ioctls[i]);
		}
	}

	igt_fixture
	{
		close(fd);
	}
}
