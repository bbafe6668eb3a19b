// SPDX-License-Identifier: MIT
/*
 * More BOs than the aperture holds, asynchronous moves, and the memory of a BO.
 *
 *   bench-evict storm NODE TIMES   moves BOs of TIMES the aperture size in turn
 *   bench-evict scale NODE BOS     one eviction among BOS BOs
 *   bench-evict sync NODE SIZE     a move with an out-sync, until the call returns
 *   bench-evict memory NODE        kernel memory for a BO, without its pages
 *
 * All but the last compare the contents at the end.
 */
#include "common.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>

#define STORM_BO (1u << 20)
#define MAX_MOVES 512
#define MEMORY_BOS 20000

static int fd;

static void query_device(struct drm_ferry_device_query *query)
{
	memset(query, 0, sizeof(*query));
	if (drmIoctl(fd, DRM_IOCTL_FERRY_DEVICE_QUERY, query))
		die("cannot query the device");
}

static uint64_t aperture_size(void)
{
	struct drm_ferry_device_query query;

	query_device(&query);
	return query.aperture_size;
}

static uint64_t aperture_free(void)
{
	struct drm_ferry_device_query query;

	query_device(&query);
	return query.aperture_free;
}

static uint32_t create(uint64_t size, uint32_t placements, uint32_t placement)
{
	struct drm_ferry_bo_create args = {
		.size = size,
		.allowed_placements = placements,
		.placement = placement,
	};

	if (drmIoctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &args))
		die("cannot create a BO of %llu bytes",
		    (unsigned long long)size);
	return args.handle;
}

static void destroy(uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	if (drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &args))
		die("cannot close a BO");
}

/* Write one word in each page, and compare the old one if @check. */
static void mark(uint32_t handle, size_t size, uint32_t seed, bool check)
{
	struct drm_ferry_bo_mmap_offset off = { .handle = handle };
	uint32_t *map;

	if (drmIoctl(fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &off))
		die("cannot get the BO's offset");
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   off.offset);
	if (map == MAP_FAILED)
		die("cannot map the BO");
	for (size_t i = 0; i < size / 4; i += 1024) {
		if (check && map[i] != seed + i) {
			errno = 0;
			die("wrong contents of BO %u at byte %zu", handle,
			    i * 4);
		}
		map[i] = seed + i;
	}
	munmap(map, size);
}

static void report(const char *id, const char *subject, uint64_t size,
		   double ns)
{
	printf("id=%s subject=%s size=%llu ns=%.0f\n", id, subject,
	       (unsigned long long)size, ns);
}

/* The limit of a step: a move in each direction that evicts no BO. */
static double both_moves(uint32_t handle)
{
	uint64_t to_aperture[64], to_system[64];

	for (int i = 0; i < 64; i++) {
		to_aperture[i] = move_bo(fd, handle, APERTURE);
		to_system[i] = move_bo(fd, handle, SYSTEM);
	}
	return median(to_aperture, 64) + median(to_system, 64);
}

static void bench_storm(unsigned int times)
{
	uint64_t total = times * aperture_size(), ns[MAX_MOVES];
	unsigned int count = total / STORM_BO, n = 0;
	uint32_t *handles = calloc(count, sizeof(*handles));

	if (!handles)
		die("out of memory");
	for (unsigned int i = 0; i < count; i++) {
		handles[i] = create(STORM_BO, APERTURE | SYSTEM, 0);
		mark(handles[i], STORM_BO, i, false);
	}
	report("evict-storm", "both-moves", total, both_moves(handles[0]));
	/* the first round fills the aperture, then each move evicts a BO */
	for (unsigned int i = 0; i < count; i++)
		move_bo(fd, handles[i], APERTURE);
	for (unsigned int i = 0; i < count && n < MAX_MOVES; i++)
		ns[n++] = move_bo(fd, handles[i], APERTURE);
	report("evict-storm", "ferry", total, median(ns, n));
	for (unsigned int i = 0; i < count; i++)
		mark(handles[i], STORM_BO, i, true);
}

static void bench_scale(unsigned int count)
{
	/* the framebuffer of the console is pinned in the aperture */
	uint64_t aperture = aperture_free(), ns[MAX_MOVES];
	unsigned int room = count / 2, steps = MAX_MOVES, extra, n = 0;
	uint32_t *handles = calloc(count, sizeof(*handles)), filler = 0;

	if (!handles)
		die("out of memory");
	if (room > aperture / PAGE)
		room = aperture / PAGE;
	extra = count - room < steps ? count - room : steps;
	/* fill the rest of the aperture with a BO that cannot be evicted */
	if (room < aperture / PAGE)
		filler = create(aperture - room * PAGE, APERTURE, APERTURE);
	for (unsigned int i = 0; i < count; i++)
		handles[i] = create(PAGE, APERTURE | SYSTEM, 0);
	for (unsigned int i = 0; i < room + extra; i++)
		mark(handles[i], PAGE, i, false);
	/* evicts the first @extra of them */
	for (unsigned int i = 0; i < room + extra; i++)
		move_bo(fd, handles[i], APERTURE);
	while (n < steps) {
		unsigned int i = n % (room + extra);

		ns[n++] = move_bo(fd, handles[i], APERTURE);
	}
	report("evict-scale", "ferry", count, median(ns, n));
	for (unsigned int i = 0; i < room + extra; i++)
		mark(handles[i], PAGE, i, true);
	if (filler)
		destroy(filler);
}

/* Processor time of this thread: with one processor the job runs before the ioctl returns. */
static uint64_t own_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

struct async_ns {
	uint64_t call[16];
	uint64_t own[16];
};

static void move_async(uint32_t handle, uint32_t placement, uint32_t sync,
		       struct async_ns *times, int i)
{
	struct drm_ferry_migrate_entry entry = { .handle = handle,
						 .placement = placement };
	struct drm_ferry_sync out = { .handle = sync };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = (uintptr_t)&entry,
		.count = 1,
		.out_syncs = (uintptr_t)&out,
		.out_count = 1,
	};
	uint64_t start = now_ns(), own = own_ns();

	if (drmIoctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args))
		die("cannot move a BO with an out-sync");
	times->own[i] = own_ns() - own;
	times->call[i] = now_ns() - start;
	if (drmSyncobjWait(fd, &sync, 1, INT64_MAX, 0, NULL))
		die("the out-sync does not signal");
	drmSyncobjReset(fd, &sync, 1);
}

static void report_async(const char *id, size_t size, uint64_t *copy,
			 struct async_ns *times)
{
	report(id, "copy", size, median(copy, 16));
	report(id, "ferry", size, median(times->call, 16));
	report(id, "ferry-own", size, median(times->own, 16));
}

/* The limit is the copy: the same move without an out-sync. */
static void bench_sync(size_t size)
{
	uint64_t copy_to_aperture[16], copy_to_system[16];
	struct async_ns to_aperture, to_system;
	uint32_t handle = create(size, APERTURE | SYSTEM, 0), sync;

	if (drmSyncobjCreate(fd, 0, &sync))
		die("no syncobj");
	mark(handle, size, 1, false);
	for (int i = 0; i < 16; i++) {
		copy_to_aperture[i] = move_bo(fd, handle, APERTURE);
		copy_to_system[i] = move_bo(fd, handle, SYSTEM);
		move_async(handle, APERTURE, sync, &to_aperture, i);
		move_async(handle, SYSTEM, sync, &to_system, i);
	}
	mark(handle, size, 1, true);
	report_async("out-sync-to-aperture", size, copy_to_aperture,
		     &to_aperture);
	report_async("out-sync-to-system", size, copy_to_system, &to_system);
}

static long slab_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	if (!f)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Slab: %ld", &kib);
	fclose(f);
	return kib << 10;
}

/* The structures of a BO are in slabs, its pages are not. */
static void bench_memory(void)
{
	static uint32_t handles[MEMORY_BOS];
	const struct {
		const char *subject;
		bool to_system;
	} kinds[] = { { "ferry-aperture", false }, { "ferry", true } };

	for (unsigned int k = 0; k < 2; k++) {
		long before = slab_bytes();

		for (unsigned int i = 0; i < MEMORY_BOS; i++) {
			handles[i] = create(PAGE, APERTURE | SYSTEM, APERTURE);
			if (kinds[k].to_system)
				move_bo(fd, handles[i], SYSTEM);
		}
		report("bo-memory", kinds[k].subject, PAGE,
		       (double)(slab_bytes() - before) / MEMORY_BOS);
		for (unsigned int i = 0; i < MEMORY_BOS; i++)
			destroy(handles[i]);
		/* some memory is freed after an RCU grace period */
		sleep(1);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr,
			"usage: %s storm|scale|sync|memory NODE [NUMBER]\n",
			argv[0]);
		return 2;
	}
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("cannot open %s", argv[2]);
	if (!strcmp(argv[1], "storm") && argc == 4)
		bench_storm(strtoul(argv[3], NULL, 0));
	else if (!strcmp(argv[1], "scale") && argc == 4)
		bench_scale(strtoul(argv[3], NULL, 0));
	else if (!strcmp(argv[1], "sync") && argc == 4)
		bench_sync(strtoull(argv[3], NULL, 0));
	else if (!strcmp(argv[1], "memory"))
		bench_memory();
	else
		die("unknown benchmark '%s'", argv[1]);
	return 0;
}
