// SPDX-License-Identifier: MIT
/* Each documented error, and that a call that fails changes nothing. */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"

static struct ferry_device *dev;
static struct ferry_bo *const unchanged = (void *)0x1234;

static void creation(void)
{
	const uint64_t max = ferry_device_max_bo_size(dev);
	const uint64_t aperture = ferry_device_aperture_size(dev);
	const struct {
		uint64_t size;
		uint32_t allowed_placements, flags;
	} cases[] = {
		{ 0, ANYWHERE, 0 },
		{ max + 1, ANYWHERE, 0 },
		{ UINT64_MAX, ANYWHERE, 0 },
		{ UINT64_MAX - PAGE + 2, ANYWHERE, 0 },
		{ 1ull << 63, ANYWHERE, 0 },
		{ aperture + PAGE, APERTURE, 0 },
		{ PAGE, 0, 0 },
		{ PAGE, 4, 0 },
		{ PAGE, ANYWHERE | 1u << 31, 0 },
		{ PAGE, ANYWHERE, 1u << 4 },
		{ PAGE, ANYWHERE, 1u << 31 },
		{ PAGE, ANYWHERE,
		  FERRY_BO_START_SYSTEM | FERRY_BO_START_APERTURE },
		{ PAGE, SYSTEM, FERRY_BO_START_APERTURE },
		{ PAGE, APERTURE, FERRY_BO_START_SYSTEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ferry_bo *bo = unchanged;
		int err = ferry_bo_new(dev, cases[i].size,
				       cases[i].allowed_placements,
				       cases[i].flags, &bo);

		if (err != -EINVAL)
			fprintf(stderr, "in case %zu:\n", i);
		CHECK_EQ(err, -EINVAL);
		CHECK(bo == unchanged);
	}
}

static void handles_and_dmabufs(void)
{
	static const uint32_t handles[] = { 0, 12345678, INT32_MAX, 0x80000000u,
					    UINT32_MAX };
	struct ferry_bo *bo = unchanged;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
		CHECK_EQ(ferry_bo_from_handle(dev, handles[i], &bo), -ENOENT);
	CHECK_EQ(ferry_bo_from_dmabuf(dev, -1, 0, &bo), -EBADF);
	CHECK_EQ(ferry_bo_from_dmabuf(dev, fd, 0, &bo), -EINVAL);
	CHECK_EQ(ferry_bo_from_dmabuf(dev, ferry_device_fd(dev), 0, &bo),
		 -EINVAL);
	CHECK(bo == unchanged);
	close(fd);
}

static void query_without_room(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	struct drm_ferry_device_query device_info = { .version = 99 };
	struct drm_ferry_bo_query bo_info = { .size = 99 };

	CHECK_EQ(ferry_device_query(dev, &device_info, 0), -EINVAL);
	CHECK_EQ(device_info.version, 99);
	CHECK_EQ(ferry_bo_query(bo, &bo_info, 0), -EINVAL);
	CHECK_EQ(bo_info.size, 99);
	ferry_bo_del(bo);
}

static void one_move(void)
{
	static const uint32_t targets[] = { 0, ANYWHERE, 4, 1u << 31,
					    UINT32_MAX };
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		CHECK_EQ(ferry_bo_migrate(bo, targets[i]), -EINVAL);
	CHECK_EQ(placement_of(bo), SYSTEM);
	ferry_bo_del(bo);

	CHECK_OK(ferry_bo_new(dev, PAGE, SYSTEM, 0, &bo));
	CHECK_EQ(ferry_bo_migrate(bo, APERTURE), -EINVAL);
	CHECK_EQ(placement_of(bo), SYSTEM);
	ferry_bo_del(bo);

	CHECK_OK(ferry_bo_new(dev, PAGE, APERTURE, 0, &bo));
	CHECK_EQ(ferry_bo_migrate(bo, SYSTEM), -EINVAL);
	CHECK_EQ(placement_of(bo), APERTURE);
	ferry_bo_del(bo);
}

/* The call must fail with @err because of entry @failed, or of none if that is @count. */
static void must_fail(const struct ferry_bo_move *moves, uint32_t count,
		      int err, uint32_t failed)
{
	uint32_t is = 99;

	CHECK_EQ(ferry_bo_migrate_many(dev, moves, count, &is), err);
	CHECK_EQ(is, failed);
	is = 99;
	CHECK_EQ(ferry_bo_migrate_sync(dev, moves, count, NULL, 0, NULL, 0,
				       &is),
		 err);
	CHECK_EQ(is, failed);
	CHECK_EQ(ferry_bo_migrate_many(dev, moves, count, NULL), err);
}

/* One entry is wrong: the call names it, and the entries before it have not moved. */
static void many_moves(void)
{
	struct ferry_device *other = open_or_skip();
	struct ferry_bo *foreign = new_bo(other, PAGE, 0);
	struct ferry_bo *namesake = new_bo(dev, PAGE, 0);
	struct ferry_bo *system_only;
	struct ferry_bo_move moves[4] = { 0 };
	uint32_t failed = 99;

	/* The foreign BO's handle is also that of a BO of this device. */
	CHECK_EQ(ferry_bo_handle(foreign), ferry_bo_handle(namesake));
	CHECK_OK(ferry_bo_new(dev, PAGE, SYSTEM, 0, &system_only));
	for (int i = 0; i < 3; i++) {
		moves[i].bo = new_bo(dev, PAGE, 0);
		moves[i].placement = APERTURE;
	}

	must_fail(moves, DRM_FERRY_MIGRATE_MAX + 1, -EINVAL,
		  DRM_FERRY_MIGRATE_MAX + 1);
	must_fail(moves, UINT32_MAX, -EINVAL, UINT32_MAX);

	moves[3] =
		(struct ferry_bo_move){ .bo = foreign, .placement = APERTURE };
	must_fail(moves, 4, -EINVAL, 3);
	moves[3] = moves[0];
	must_fail(moves, 4, -EINVAL, 3);
	moves[3] = (struct ferry_bo_move){ .bo = system_only,
					   .placement = APERTURE };
	must_fail(moves, 4, -EINVAL, 3);
	moves[3] = (struct ferry_bo_move){ .bo = system_only, .placement = 0 };
	must_fail(moves, 4, -EINVAL, 3);
	moves[3] = (struct ferry_bo_move){ .bo = system_only,
					   .placement = SYSTEM,
					   .flags = 1u << 31 };
	must_fail(moves, 4, -EINVAL, 3);
	/* Of two wrong entries the first is named. */
	moves[1].placement = ANYWHERE;
	moves[3] = (struct ferry_bo_move){ .bo = system_only, .placement = 0 };
	must_fail(moves, 4, -EINVAL, 1);
	moves[1].placement = APERTURE;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(placement_of(moves[i].bo), SYSTEM);

	/* The same call without the mistake does its work. */
	moves[3] = (struct ferry_bo_move){ .bo = system_only,
					   .placement = SYSTEM };
	CHECK_OK(ferry_bo_migrate_many(dev, moves, 4, &failed));
	CHECK_EQ(failed, 4);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(placement_of(moves[i].bo), APERTURE);
		ferry_bo_del(moves[i].bo);
	}
	CHECK_EQ(placement_of(namesake), SYSTEM);
	ferry_bo_del(namesake);
	ferry_bo_del(system_only);
	ferry_bo_del(foreign);
	ferry_device_del(other);
}

static void larger_than_the_aperture(void)
{
	uint64_t size = ferry_device_aperture_size(dev) + PAGE;
	struct ferry_bo *bo;

	if (size > ferry_device_max_bo_size(dev)) {
		printf("note: no BO is larger than the aperture here\n");
		return;
	}
	CHECK_OK(ferry_bo_new(dev, size, ANYWHERE, 0, &bo));
	fill(map_bo(bo), PAGE, 1);
	CHECK_EQ(ferry_bo_migrate(bo, APERTURE), -ENOSPC);
	CHECK_EQ(placement_of(bo), SYSTEM);
	check_filled(map_bo(bo), PAGE, 1);
	ferry_bo_del(bo);

	bo = unchanged;
	CHECK_EQ(ferry_bo_new(dev, size, ANYWHERE, FERRY_BO_START_APERTURE,
			      &bo),
		 -ENOSPC);
	CHECK(bo == unchanged);
}

static void unknown_flags(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	struct ferry_bo *other = unchanged;
	struct drm_ferry_sync sync = { 0 };
	int dmabuf = ferry_bo_to_dmabuf(bo, 0);
	void *map = unchanged;
	uint32_t failed = 99;

	CHECK(dmabuf >= 0);
	for (uint32_t flag = 1; flag; flag <<= 1) {
		if (flag & ~FERRY_MAP_POPULATE)
			CHECK_EQ(ferry_bo_map(bo, flag, &map), -EINVAL);
		if (flag & ~(FERRY_MAP_POPULATE | FERRY_MAP_READ_ONLY))
			CHECK_EQ(ferry_bo_map_range(bo, 0, PAGE, flag, &map),
				 -EINVAL);
		CHECK_EQ(ferry_bo_from_dmabuf(dev, dmabuf, flag, &other),
			 -EINVAL);
		if (flag & ~FERRY_EXPORT_READ_ONLY)
			CHECK_EQ(ferry_bo_to_dmabuf(bo, flag), -EINVAL);
		CHECK_EQ(ferry_bo_wait(bo, flag, 0), -EINVAL);
	}
	CHECK(other == unchanged);
	CHECK(map == unchanged);

	/* An out-sync that no move would signal. */
	CHECK_EQ(ferry_bo_migrate_sync(dev, NULL, 0, NULL, 0, &sync, 1,
				       &failed),
		 -EINVAL);
	CHECK_EQ(failed, 0);
	close(dmabuf);
	ferry_bo_del(bo);
}

static void ranges(void)
{
	static const struct {
		uint64_t offset, length;
	} cases[] = {
		{ 0, 0 },
		{ 4 * PAGE, 0 },
		{ 4 * PAGE, PAGE },
		{ 0, 4 * PAGE + 1 },
		{ 3 * PAGE, 2 * PAGE },
		{ PAGE, UINT64_MAX },
		{ UINT64_MAX, PAGE },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE },
		{ 1, PAGE },
	};
	struct ferry_bo *bo = new_bo(dev, 4 * PAGE, 0);
	void *map = unchanged;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_EQ(ferry_bo_map_range(bo, cases[i].offset,
					    cases[i].length, 0, &map),
			 -EINVAL);
	CHECK(map == unchanged);
	ferry_bo_del(bo);
}

/* The handle keeps its dma-buf, and the kernel returns it again with the access that it has. */
static void another_access(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	int fd = ferry_bo_to_dmabuf(bo, FERRY_EXPORT_READ_ONLY);
	int fds = count_fds();

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -EBUSY);
	CHECK_EQ(count_fds(), fds);
	close(fd);
	CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -EBUSY);
	ferry_bo_del(bo);

	bo = new_bo(dev, PAGE, 0);
	fd = ferry_bo_to_dmabuf(bo, 0);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_EQ(ferry_bo_to_dmabuf(bo, FERRY_EXPORT_READ_ONLY), -EBUSY);
	close(fd);
	ferry_bo_del(bo);
}

static void export_of_unneeded(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	int fd;

	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_DONTNEED, NULL));
	CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -EINVAL);
	CHECK_OK(ferry_bo_madvise(bo, DRM_FERRY_MADV_WILLNEED, NULL));
	fd = ferry_bo_to_dmabuf(bo, 0);
	CHECK(fd >= 0);
	close(fd);
	ferry_bo_del(bo);
}

static void unknown_mmap_flag(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	uint64_t offset = 99;

	CHECK_EQ(ferry_bo_mmap_offset(bo, 1u << 31, &offset), -EINVAL);
	CHECK_EQ(offset, 99);
	ferry_bo_del(bo);
}

static void read_only_device(void)
{
	char *path = drmGetDeviceNameFromFd2(ferry_device_fd(dev));
	struct ferry_device *readers;
	struct ferry_bo *bo;
	void *map = unchanged;
	int fd;

	CHECK(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, 0, &readers));
	CHECK_OK(ferry_bo_new(readers, PAGE, SYSTEM, 0, &bo));
	CHECK_EQ(ferry_bo_map(bo, 0, &map), -EACCES);
	CHECK(map == unchanged);
	CHECK_EQ(ferry_bo_map_range(bo, 0, PAGE, 0, &map), -EACCES);
	CHECK(map == unchanged);
	CHECK_OK(ferry_bo_map_range(bo, 0, PAGE, FERRY_MAP_READ_ONLY, &map));
	check_zero(map, PAGE);
	CHECK_EQ(munmap(map, PAGE), 0);
	/* A mapping that failed is not counted. */
	CHECK_EQ(ferry_bo_unmap(bo), -EINVAL);
	ferry_bo_del(bo);
	ferry_device_del(readers);
	close(fd);
	free(path);
}

/* Fill the aperture with aperture-only BOs: the next BO does not fit. */
static void full_aperture(void)
{
	enum { MOST = 64 };
	uint64_t size = ferry_device_aperture_size(dev) / 16;
	struct ferry_bo *bos[MOST], *extra;
	int count = 0, err = 0;

	size -= size % PAGE;
	while (count < MOST) {
		err = ferry_bo_new(dev, size, APERTURE, 0, &bos[count]);
		if (err)
			break;
		fill(map_bo(bos[count]), size, count);
		count++;
	}
	CHECK_EQ(err, -ENOSPC);
	CHECK(count >= 1 && count <= 16);

	CHECK_EQ(ferry_bo_new(dev, size, ANYWHERE, FERRY_BO_START_APERTURE,
			      &extra),
		 -ENOSPC);
	extra = new_bo(dev, size, 0);
	fill(map_bo(extra), size, 99);
	CHECK_EQ(ferry_bo_migrate(extra, APERTURE), -ENOSPC);
	CHECK_EQ(placement_of(extra), SYSTEM);

	/* When one of them is dropped, the next BO fits. */
	ferry_bo_del(bos[--count]);
	CHECK_OK(ferry_bo_migrate(extra, APERTURE));
	check_filled(map_bo(extra), size, 99);
	ferry_bo_del(extra);
	while (count--) {
		check_filled(map_bo(bos[count]), size, count);
		ferry_bo_del(bos[count]);
	}
}

/* The BOs of one call do not fit together, and they do not evict each other. */
static void many_that_do_not_fit(void)
{
	enum { COUNT = 17 };
	uint64_t size = ferry_device_aperture_size(dev) / (COUNT - 1);
	struct ferry_bo_move moves[COUNT] = { 0 };

	size -= size % PAGE;
	for (int i = 0; i < COUNT; i++) {
		moves[i].bo = new_bo(dev, size, 0);
		moves[i].placement = APERTURE;
		fill(map_bo(moves[i].bo), size, i);
	}
	must_fail(moves, COUNT, -ENOSPC, COUNT);
	for (int i = 0; i < COUNT; i++) {
		check_filled(map_bo(moves[i].bo), size, i);
		ferry_bo_del(moves[i].bo);
	}
}

/* Tools such as valgrind can emulate the limit instead of setting it in the kernel. */
static bool limit_is(FILE *limits, unsigned int limit)
{
	unsigned int is = 0;
	char line[256];

	while (fgets(line, sizeof(line), limits)) {
		if (sscanf(line, "Max open files %u", &is) == 1)
			break;
	}
	return is == limit;
}

static void out_of_descriptors(void)
{
	enum { LIMIT = 64 };
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	struct ferry_bo *shared = new_bo(dev, PAGE, 0);
	struct ferry_bo_move move = { .bo = bo, .placement = APERTURE };
	int dmabuf = ferry_bo_to_dmabuf(shared, 0);
	struct ferry_device *other = (struct ferry_device *)unchanged;
	FILE *limits = fopen("/proc/self/limits", "r");
	struct rlimit old, few;
	int fds[LIMIT], count = 0;

	CHECK(dmabuf >= 0);
	CHECK(limits);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = LIMIT;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < LIMIT && (fds[count] = dup(0)) >= 0)
		count++;
	CHECK_EQ(errno, EMFILE);

	if (limit_is(limits, LIMIT)) {
		CHECK_EQ(ferry_bo_to_dmabuf(bo, 0), -EMFILE);
		CHECK_EQ(ferry_bo_cpu_begin(shared, FERRY_CPU_READ), -EMFILE);
		CHECK_EQ(ferry_bo_cpu_end(shared, FERRY_CPU_READ), -EMFILE);
		CHECK_OK(ferry_bo_cpu_begin(bo, FERRY_CPU_READ));
		/* The BO moves nevertheless. */
		CHECK_EQ(ferry_bo_migrate_fence(dev, &move, 1, NULL, 0, NULL),
			 -EMFILE);
		CHECK_EQ(placement_of(bo), APERTURE);
	} else {
		printf("note: a tool emulates the limit of descriptors; exports not tested\n");
	}
	CHECK_EQ(ferry_device_new(ferry_device_fd(dev), 0, &other), -EMFILE);
	CHECK_EQ(ferry_device_open_node("/dev/null", 0, &other), -EMFILE);
	CHECK(other == (struct ferry_device *)unchanged);

	while (count--)
		close(fds[count]);
	fclose(limits);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(dmabuf);
	ferry_bo_del(shared);
	ferry_bo_del(bo);
}

/* A program without privileges that locks its mappings, up to a limit. */
static void map_more_than_can_be_locked(void)
{
	const uint64_t limit = 16u << 20;
	const struct rlimit rlimit = { limit, limit };
	struct ferry_device *own;
	struct ferry_bo *bo;
	void *map = unchanged;

	CHECK_OK(ferry_device_reopen(ferry_device_fd(dev), 0, &own));
	CHECK_OK(ferry_bo_new(own, 2 * limit, SYSTEM, 0, &bo));
	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &rlimit), 0);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	CHECK_EQ(setuid(65534), 0);
	CHECK_EQ(ferry_bo_map(bo, 0, &map), -EAGAIN);
	CHECK_EQ(ferry_bo_map_range(bo, 0, 2 * limit, 0, &map), -EAGAIN);
	CHECK(map == unchanged);
	CHECK_EQ(munlockall(), 0);
	CHECK_OK(ferry_bo_map(bo, 0, &map));
	ferry_bo_del(bo);
	ferry_device_del(own);
}

static void locked_memory(void)
{
	int status;
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__
	printf("note: AddressSanitizer makes mlockall() do nothing; locked memory not tested\n");
	return;
#endif
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		map_more_than_can_be_locked();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

int main(void)
{
	int fds;

	dev = open_or_skip();
	fds = count_fds();
	RUN(creation);
	RUN(handles_and_dmabufs);
	RUN(query_without_room);
	RUN(one_move);
	RUN(many_moves);
	RUN(larger_than_the_aperture);
	RUN(full_aperture);
	RUN(many_that_do_not_fit);
	RUN(unknown_mmap_flag);
	RUN(unknown_flags);
	RUN(ranges);
	RUN(another_access);
	RUN(export_of_unneeded);
	RUN(read_only_device);
	RUN(out_of_descriptors);
	RUN(locked_memory);
	CHECK_EQ(count_fds(), fds);
	ferry_device_del(dev);
	return 0;
}
