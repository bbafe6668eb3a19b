// SPDX-License-Identifier: MIT
/* Mappings keep their address and their contents while the BO moves. */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static struct ferry_device *dev;

static void counted(void)
{
	struct ferry_bo *bo = new_bo(dev, 2 * PAGE, 0);
	void *first, *second;

	CHECK_EQ(ferry_bo_unmap(bo), -EINVAL);

	first = map_bo(bo);
	second = map_bo(bo);
	CHECK(first == second);
	CHECK(is_mapped(first));
	CHECK_OK(ferry_bo_unmap(bo));
	CHECK(is_mapped(first));
	fill(first, 2 * PAGE, 1);
	CHECK_OK(ferry_bo_unmap(bo));
	CHECK(!is_mapped(first));
	CHECK_EQ(ferry_bo_unmap(bo), -EINVAL);

	/* The BO keeps its contents without a mapping. */
	check_filled(map_bo(bo), 2 * PAGE, 1);
	CHECK_OK(ferry_bo_unmap(bo));
	ferry_bo_del(bo);
}

static void removed_with_the_bo(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	void *map = map_bo(bo);

	CHECK(map_bo(bo) == map);
	ferry_bo_del(bo);
	CHECK(!is_mapped(map));
}

/* Move a BO back and forth; write it between the moves and check every byte. */
static void moves(uint64_t size, uint32_t flags)
{
	struct ferry_bo *bo = new_bo(dev, size, flags);
	uint32_t target = APERTURE;
	uint64_t seed = size;
	void *map = map_bo(bo);

	size = ferry_bo_size(bo);
	fill(map, size, seed);
	for (int round = 0; round < 6; round++) {
		CHECK_OK(ferry_bo_migrate(bo, target));
		CHECK_EQ(placement_of(bo), target);
		check_filled(map, size, seed);
		fill(map, size, ++seed);
		check_filled(map, size, seed);
		target ^= ANYWHERE;
	}
	CHECK(map_bo(bo) == map);
	ferry_bo_del(bo);
}

static void every_kind_moves(void)
{
	static const uint64_t sizes[] = { PAGE, 17 * PAGE, 512 * PAGE,
					  3 * 1024 * 1024 + PAGE };
	static const uint32_t flags[] = { 0, FERRY_BO_WC, FERRY_BO_CONTIGUOUS,
					  FERRY_BO_WC |
						  FERRY_BO_START_APERTURE };

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
			moves(sizes[s], flags[f]);
	}
}

/* A page that was not accessed before the move reads as zero after it. */
static void sparse_access(void)
{
	const uint64_t pages = 64;
	struct ferry_bo *bo = new_bo(dev, pages * PAGE, 0);
	char *map = map_bo(bo);

	fill(map + 5 * PAGE, PAGE, 5);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	fill(map + 40 * PAGE, PAGE, 40);
	CHECK_OK(ferry_bo_migrate(bo, SYSTEM));
	for (uint64_t page = 0; page < pages; page++) {
		if (page == 5 || page == 40)
			check_filled(map + page * PAGE, PAGE, page);
		else
			check_zero(map + page * PAGE, PAGE);
	}
	ferry_bo_del(bo);
}

static void own_mapping_of_a_part(uint32_t flags)
{
	const uint64_t size = 32 * PAGE;
	struct ferry_bo *bo = new_bo(dev, size, 0);
	char *whole = map_bo(bo);
	void *part, *by_hand;
	uint64_t offset;

	CHECK_OK(ferry_bo_map_range(bo, 10 * PAGE, 4 * PAGE, flags, &part));
	CHECK(part != whole + 10 * PAGE);
	check_zero(part, 4 * PAGE);
	CHECK_OK(ferry_bo_mmap_offset(bo, flags & DRM_FERRY_MMAP_POPULATE,
				      &offset));
	by_hand = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED,
		       ferry_device_fd(dev), (off_t)(offset + 10 * PAGE));
	CHECK(by_hand != MAP_FAILED);

	for (uint32_t target = APERTURE; target; target >>= 1) {
		fill(whole + 10 * PAGE, 4 * PAGE, target);
		check_filled(part, 4 * PAGE, target);
		check_filled(by_hand, 4 * PAGE, target);
		CHECK_OK(ferry_bo_migrate(bo, target));
		check_filled(part, 4 * PAGE, target);
	}
	if (!(flags & FERRY_MAP_READ_ONLY)) {
		fill(part, 4 * PAGE, 9);
		check_filled(whole + 10 * PAGE, 4 * PAGE, 9);
	}
	/* The caller's mapping is valid without the BO. */
	ferry_bo_del(bo);
	check_filled(part, 4 * PAGE, flags & FERRY_MAP_READ_ONLY ? 1 : 9);
	CHECK_EQ(munmap(part, 4 * PAGE), 0);
	CHECK_EQ(munmap(by_hand, 4 * PAGE), 0);
}

static long minor_faults(void)
{
	struct rusage usage;

	CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt;
}

/* With the flag the accesses cause no page fault; without it they do. */
static void populated(void)
{
	const uint64_t size = 64 * PAGE;
	long faults[2];

	for (uint32_t flags = 0; flags <= FERRY_MAP_POPULATE;
	     flags += FERRY_MAP_POPULATE) {
		struct ferry_bo *bo = new_bo(dev, size, 0);
		volatile char *map;
		void *ptr;

		/* The BO has its pages before it is mapped. */
		CHECK_OK(ferry_bo_map_range(bo, 0, size, 0, &ptr));
		fill(ptr, size, 1);
		CHECK_EQ(munmap(ptr, size), 0);

		CHECK_OK(ferry_bo_map(bo, flags, &ptr));
		map = ptr;
		faults[flags] = minor_faults();
		for (uint64_t i = 0; i < size; i += PAGE)
			map[i]++;
		faults[flags] = minor_faults() - faults[flags];
		ferry_bo_del(bo);
	}
	CHECK(faults[0] > 0);
	CHECK_EQ(faults[FERRY_MAP_POPULATE], 0);
}

/* A read-only mapping cannot be made writable by accident. */
static void read_only(void)
{
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	void *ptr;

	CHECK(zero >= 0);
	CHECK_OK(ferry_bo_map_range(bo, 0, PAGE, FERRY_MAP_READ_ONLY, &ptr));
	/* read() into it fails as a store would. */
	CHECK_EQ(read(zero, ptr, 1), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(munmap(ptr, PAGE), 0);
	close(zero);
	ferry_bo_del(bo);
}

/* A child process keeps the mapping, and reads what the parent writes after a move. */
static void child_process(void)
{
	const uint64_t size = 8 * PAGE;
	struct ferry_bo *bo = new_bo(dev, size, 0);
	void *map = map_bo(bo);
	int go[2], status;
	pid_t pid;
	char byte;

	fill(map, size, 1);
	CHECK_EQ(pipe(go), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		check_filled(map, size, read(go[0], &byte, 1) == 1 ? 2 : 1);
		fill(map, size, 3);
		/* With exit() valgrind would report memory of the parent as leaked. */
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	fill(map, size, 2);
	CHECK_EQ(write(go[1], "", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_filled(map, size, 3);
	close(go[0]);
	close(go[1]);
	ferry_bo_del(bo);
}

/* More BOs than fit in the aperture: the oldest are evicted and keep their contents. */
static void eviction(void)
{
	enum { COUNT = 24, FIT = 16 };
	uint64_t size = ferry_device_aperture_size(dev) / FIT;
	struct ferry_bo *bos[COUNT];
	void *maps[COUNT];
	int evicted = 0;

	size -= size % PAGE;
	for (int i = 0; i < COUNT; i++) {
		bos[i] = new_bo(dev, size, 0);
		maps[i] = map_bo(bos[i]);
		fill(maps[i], size, i);
		CHECK_OK(ferry_bo_migrate(bos[i], APERTURE));
		CHECK_EQ(placement_of(bos[i]), APERTURE);
	}
	for (int i = 0; i < COUNT; i++) {
		evicted += placement_of(bos[i]) == SYSTEM;
		check_filled(maps[i], size, i);
	}
	CHECK(evicted >= COUNT - FIT);
	/* The least recently used BO is evicted first. */
	CHECK_EQ(placement_of(bos[0]), SYSTEM);
	CHECK_EQ(placement_of(bos[COUNT - 1]), APERTURE);
	for (int i = 0; i < COUNT; i++)
		ferry_bo_del(bos[i]);
}

int main(void)
{
	dev = open_or_skip();
	RUN(counted);
	RUN(removed_with_the_bo);
	RUN(every_kind_moves);
	RUN(sparse_access);
	RUN(own_mapping_of_a_part, 0);
	RUN(own_mapping_of_a_part, FERRY_MAP_POPULATE);
	RUN(own_mapping_of_a_part, FERRY_MAP_READ_ONLY);
	RUN(own_mapping_of_a_part, FERRY_MAP_READ_ONLY | FERRY_MAP_POPULATE);
	RUN(populated);
	RUN(read_only);
	RUN(child_process);
	RUN(eviction);
	ferry_device_del(dev);
	return 0;
}
