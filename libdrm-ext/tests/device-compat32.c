// SPDX-License-Identifier: MIT
/*
 * A 32-bit program on a 64-bit kernel: each ioctl and each kind of mmap() offset once,
 * through ioctl() and mmap2() alone, as there need not be a 32-bit libdrm.
 */

#include <fcntl.h>
#include <glob.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define PAGES 16u
#define SIZE (PAGES * PAGE)

_Static_assert(sizeof(void *) == 4, "needs -m32");
_Static_assert(sizeof(off_t) == 8, "needs -D_FILE_OFFSET_BITS=64");

/* Elements of arrays as a program knows them that is newer than the kernel. */
struct newer_entry {
	struct drm_ferry_migrate_entry known;
	uint64_t unknown;
};

struct newer_sync {
	struct drm_ferry_sync known;
	uint64_t unknown;
};

static int fd;
static uint32_t handle;
/* The BO, mapped with DRM_FERRY_MMAP_POPULATE. */
static char *map;

/* 0 or a negative errno. */
static int call(unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret ? -errno : 0;
}

static bool is_ferry(void)
{
	char name[16] = "";
	struct drm_version version = { .name = name,
				       .name_len = sizeof(name) - 1 };

	return !call(DRM_IOCTL_VERSION, &version) && !strcmp(name, "ferry");
}

static void open_node_or_skip(void)
{
	glob_t nodes;

	if (!glob("/dev/dri/[cr]*", 0, NULL, &nodes)) {
		for (size_t i = 0; i < nodes.gl_pathc; i++) {
			fd = open(nodes.gl_pathv[i], O_RDWR | O_CLOEXEC);
			if (fd >= 0 && is_ferry()) {
				globfree(&nodes);
				return;
			}
			close(fd);
		}
		globfree(&nodes);
	}
	CHECK(!device_is_bound());
	printf("SKIP: no PCI device is bound to the driver ferry\n");
	exit(EXIT_SKIP);
}

static void device_query(void)
{
	struct drm_ferry_device_query query = { 0 };

	CHECK_OK(call(DRM_IOCTL_FERRY_DEVICE_QUERY, &query));
	CHECK(query.version >= 3);
	CHECK(query.aperture_size >= SIZE);
	CHECK(query.aperture_free <= query.aperture_size);
	CHECK(query.page_sizes & PAGE);
	CHECK(query.max_bo_size >= SIZE);
	CHECK(query.aperture_memtype <= DRM_FERRY_MEMTYPE_WB);
	CHECK(query.aperture_memtype_requested <= DRM_FERRY_MEMTYPE_WB);
}

static struct drm_ferry_bo_query query_bo(void)
{
	struct drm_ferry_bo_query query = { .handle = handle };

	CHECK_OK(call(DRM_IOCTL_FERRY_BO_QUERY, &query));
	return query;
}

static void bo_create(void)
{
	struct drm_ferry_bo_create create = {
		.size = SIZE - 1,
		.allowed_placements = ANYWHERE,
		.placement = APERTURE,
		.flags = DRM_FERRY_BO_CONTIGUOUS,
	};

	CHECK_OK(call(DRM_IOCTL_FERRY_BO_CREATE, &create));
	CHECK_EQ(create.size, SIZE);
	CHECK(create.handle);
	handle = create.handle;
}

static void bo_query(void)
{
	struct drm_ferry_bo_query query = query_bo();

	CHECK_EQ(query.size, SIZE);
	CHECK_EQ(query.allowed_placements, ANYWHERE);
	CHECK_EQ(query.placement, APERTURE);
	CHECK_EQ(query.flags, DRM_FERRY_BO_CONTIGUOUS);
	CHECK_EQ(query.madv, DRM_FERRY_MADV_WILLNEED);
}

static char *map_at(uint32_t flags)
{
	struct drm_ferry_bo_mmap_offset args = { .handle = handle,
						 .flags = flags };
	void *mapped;

	CHECK_OK(call(DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args));
	mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)args.offset);
	if (mapped == MAP_FAILED)
		fprintf(stderr, "mmap at %#llx: %s\n",
			(unsigned long long)args.offset, strerror(errno));
	CHECK(mapped != MAP_FAILED);
	return mapped;
}

/* Number of page faults that an access to each page of the BO causes. */
static long count_faults(const volatile char *mapped)
{
	struct rusage before, after;

	CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
	for (unsigned int page = 0; page < PAGES; page++)
		(void)mapped[page * PAGE];
	CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
	return after.ru_minflt + after.ru_majflt - before.ru_minflt -
	       before.ru_majflt;
}

static void mmap_offset(void)
{
	char *lazy = map_at(0);

	CHECK(count_faults(lazy) > 0);
	check_zero(lazy, SIZE);
	fill(lazy, SIZE, 1);

	map = map_at(DRM_FERRY_MMAP_POPULATE);
	CHECK_EQ(count_faults(map), 0);
	check_filled(map, SIZE, 1);
	fill(map, SIZE, 2);
	check_filled(lazy, SIZE, 2);
	CHECK_EQ(munmap(lazy, SIZE), 0);
}

static uint32_t new_syncobj(void)
{
	struct drm_syncobj_create create = { 0 };

	CHECK_OK(call(DRM_IOCTL_SYNCOBJ_CREATE, &create));
	return create.handle;
}

static int64_t in_one_minute(void)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (now.tv_sec + 60) * 1000000000ll + now.tv_nsec;
}

static void wait_for_bo(void)
{
	struct drm_ferry_bo_wait wait = { .handle = handle,
					  .timeout_ns = in_one_minute() };

	CHECK_OK(call(DRM_IOCTL_FERRY_BO_WAIT, &wait));
}

/* Arrays of longer elements, the out-sync of one call as the in-sync of the next. */
static void migrate_with_strides(void)
{
	struct newer_entry entry = {
		.known = { .handle = handle, .placement = SYSTEM },
	};
	struct newer_sync syncs[2] = {
		{ .known = { .handle = new_syncobj() } },
		{ .known = { .handle = new_syncobj(), .point = 7 } },
	};
	struct drm_ferry_migrate args = {
		.entries = (uintptr_t)&entry,
		.out_syncs = (uintptr_t)syncs,
		.count = 1,
		.entry_stride = sizeof(entry),
		.out_count = 2,
		.sync_stride = sizeof(syncs[0]),
	};

	CHECK_OK(call(DRM_IOCTL_FERRY_MIGRATE, &args));
	CHECK_EQ(args.failed_entry, 1);
	CHECK_EQ(query_bo().placement, SYSTEM);
	wait_for_bo();
	check_filled(map, SIZE, 2);
	fill(map, SIZE, 3);

	entry.known.placement = APERTURE;
	args.in_syncs = args.out_syncs;
	args.in_count = 2;
	args.out_count = 0;
	CHECK_OK(call(DRM_IOCTL_FERRY_MIGRATE, &args));
	CHECK_EQ(query_bo().placement, APERTURE);
	check_filled(map, SIZE, 3);

	entry.unknown = 1;
	CHECK_EQ(call(DRM_IOCTL_FERRY_MIGRATE, &args), -E2BIG);
	entry.unknown = 0;
	syncs[1].unknown = 1ull << 63;
	CHECK_EQ(call(DRM_IOCTL_FERRY_MIGRATE, &args), -E2BIG);
}

static void failed_entry(void)
{
	struct drm_ferry_migrate_entry entries[2] = {
		{ .handle = handle, .placement = SYSTEM },
		{ .handle = 12345678, .placement = SYSTEM },
	};
	struct drm_ferry_migrate args = {
		.entries = (uintptr_t)entries,
		.count = 2,
		.entry_stride = sizeof(entries[0]),
	};

	CHECK_EQ(call(DRM_IOCTL_FERRY_MIGRATE, &args), -ENOENT);
	CHECK_EQ(args.failed_entry, 1);
	CHECK_EQ(query_bo().placement, APERTURE);
}

static void bo_wait(void)
{
	struct drm_ferry_bo_wait wait = { .handle = handle };

	wait_for_bo();
	wait.timeout_ns = INT64_MIN;
	CHECK_OK(call(DRM_IOCTL_FERRY_BO_WAIT, &wait));
	wait.timeout_ns = INT64_MAX;
	CHECK_OK(call(DRM_IOCTL_FERRY_BO_WAIT, &wait));
}

static void bo_madvise(void)
{
	struct drm_ferry_bo_madvise advice = {
		.handle = handle, .madv = DRM_FERRY_MADV_DONTNEED
	};

	CHECK_OK(call(DRM_IOCTL_FERRY_BO_MADVISE, &advice));
	CHECK_EQ(advice.retained, 1);
	CHECK_EQ(query_bo().madv, DRM_FERRY_MADV_DONTNEED);
	advice.madv = DRM_FERRY_MADV_WILLNEED;
	advice.retained = 0;
	CHECK_OK(call(DRM_IOCTL_FERRY_BO_MADVISE, &advice));
	CHECK_EQ(advice.retained, 1);
	check_filled(map, SIZE, 3);
}

static void gem_close(void)
{
	struct drm_gem_close args = { .handle = handle };
	struct drm_ferry_bo_query query = { .handle = handle };

	CHECK_OK(call(DRM_IOCTL_GEM_CLOSE, &args));
	CHECK_EQ(call(DRM_IOCTL_FERRY_BO_QUERY, &query), -ENOENT);
	check_filled(map, SIZE, 3);
	CHECK_EQ(munmap(map, SIZE), 0);
}

int main(void)
{
	open_node_or_skip();
	RUN(device_query);
	RUN(bo_create);
	RUN(bo_query);
	RUN(mmap_offset);
	RUN(migrate_with_strides);
	RUN(failed_entry);
	RUN(bo_wait);
	RUN(bo_madvise);
	RUN(gem_close);
	close(fd);
	return 0;
}
