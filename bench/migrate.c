// SPDX-License-Identifier: MIT
/*
 * Migration: how long it takes to move a BO from system memory to the aperture
 * and back.
 *
 *   bench-migrate ferry NODE SIZE VRAM
 *   bench-migrate bochs NODE SIZE VRAM
 *
 * ferry has an ioctl for it, and each direction is timed alone, and so is the call
 * for a BO that is there already ("call"). Stock bochs has
 * none: it moves a dumb buffer up when it is shown, and down when another one
 * that is shown needs its place. Three kinds of commits are therefore timed:
 *
 *   resident  the new buffer is in video memory already
 *   up        it is not, and there is room
 *   evict     it is not, and one buffer of the same size has to leave
 *
 * and up - resident is the move up, evict - up the move down. VRAM is the size
 * of video memory in bytes. The contents are compared at the end.
 */
#include "common.h"
#include "scanout.h"
#include "../libdrm-ext/examples/pattern_word.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>

#include "ferry_drm.h"

/* Room that the console's own framebuffer may take. */
#define CONSOLE_SIZE (16ull << 20)

/* The most moves in one run. */
#define MAX_MOVES 256

/* Commits of buffers that are in video memory already. */
#define RESIDENTS 16

static void fill(void *map, size_t size, uint32_t seed)
{
	uint64_t *p = map;

	for (size_t i = 0; i < size / sizeof(*p); i++)
		p[i] = pattern_word(seed, 0, i);
}

static void check(const void *map, size_t size, uint32_t seed)
{
	const uint64_t *p = map;

	for (size_t i = 0; i < size / sizeof(*p); i++) {
		if (p[i] != pattern_word(seed, 0, i)) {
			errno = 0;
			die("wrong contents at byte %zu after migration",
			    i * sizeof(*p));
		}
	}
}

static void report(const char *id, const char *subject, size_t size, double ns,
		   unsigned int moves)
{
	printf("id=%s subject=%s size=%zu ns=%.0f moves=%u\n", id, subject,
	       size, ns, moves);
}

static uint64_t ferry_move(int fd, uint32_t handle, uint32_t placement)
{
	struct drm_ferry_migrate_entry entry = { .handle = handle,
						 .placement = placement };
	struct drm_ferry_migrate migrate = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = (uintptr_t)&entry,
		.count = 1,
	};
	uint64_t start = now_ns();

	if (drmIoctl(fd, DRM_IOCTL_FERRY_MIGRATE, &migrate))
		die("cannot move a BO to placement %u", placement);
	return now_ns() - start;
}

static void bench_ferry(const char *node, size_t size)
{
	/* About 32 MiB a run, but no fewer than 5 moves. */
	unsigned int moves = (32u << 20) / size;
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = DRM_FERRY_PLACEMENT_SYSTEM |
			      DRM_FERRY_PLACEMENT_APERTURE,
	};
	struct drm_ferry_bo_mmap_offset off = { 0 };
	uint64_t up[MAX_MOVES], down[MAX_MOVES], stay[2][MAX_MOVES];
	void *map;
	int fd;

	moves = moves < 5 ? 5 : moves > MAX_MOVES ? MAX_MOVES : moves;
	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("cannot open %s", node);
	if (drmIoctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &create))
		die("cannot create a BO of %zu bytes", size);
	off.handle = create.handle;
	if (drmIoctl(fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &off))
		die("cannot get the BO's offset");
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   off.offset);
	if (map == MAP_FAILED)
		die("cannot map the BO");
	fill(map, size, 1);

	for (unsigned int i = 0; i < moves; i++) {
		up[i] = ferry_move(fd, create.handle,
				   DRM_FERRY_PLACEMENT_APERTURE);
		stay[0][i] = ferry_move(fd, create.handle,
					DRM_FERRY_PLACEMENT_APERTURE);
		down[i] = ferry_move(fd, create.handle,
				     DRM_FERRY_PLACEMENT_SYSTEM);
		stay[1][i] = ferry_move(fd, create.handle,
					DRM_FERRY_PLACEMENT_SYSTEM);
	}
	check(map, size, 1);

	report("migrate-up", "ferry", size, median(up, moves), moves);
	report("migrate-up", "call", size, median(stay[0], moves), moves);
	report("migrate-down", "ferry", size, median(down, moves), moves);
	report("migrate-down", "call", size, median(stay[1], moves), moves);
}

static uint64_t timed_show(struct screen *scr, struct shown_bo *bo)
{
	uint64_t start = now_ns();

	shown_bo_show(scr, bo);
	return now_ns() - start;
}

static void bench_bochs(const char *node, size_t size, uint64_t vram)
{
	unsigned int count = 2 * vram / size, up_end, evict_start, ups = 0,
		     evicts = 0;
	uint64_t residents_ns[RESIDENTS], *ups_ns, *evicts_ns;
	double resident, up, evict;
	struct shown_bo *bos;
	struct screen scr;

	up_end = (vram - CONSOLE_SIZE) / size;
	evict_start = vram / size + 1;
	if (up_end < 2)
		die("video memory is too small for two buffers of %zu bytes",
		    size);

	screen_open(&scr, node);
	bos = calloc(count, sizeof(*bos));
	ups_ns = calloc(count, sizeof(*ups_ns));
	evicts_ns = calloc(count, sizeof(*evicts_ns));
	if (!bos || !ups_ns || !evicts_ns)
		die("out of memory");
	for (unsigned int i = 0; i < count; i++) {
		shown_bo_create(&scr, &bos[i], size);
		fill(shown_bo_map(&scr, &bos[i]), size, i);
	}

	/* The first one sets the mode, which the others must not pay for. */
	shown_bo_show(&scr, &bos[0]);
	for (unsigned int i = 1; i < count; i++) {
		uint64_t ns = timed_show(&scr, &bos[i]);

		if (i < up_end)
			ups_ns[ups++] = ns;
		else if (i >= evict_start)
			evicts_ns[evicts++] = ns;
	}
	for (unsigned int i = 0; i < RESIDENTS; i++)
		residents_ns[i] =
			timed_show(&scr, &bos[count - 1 - (i + 1) % 2]);

	for (unsigned int i = 0; i < count; i++) {
		check(bos[i].map, size, i);
		shown_bo_destroy(&scr, &bos[i]);
	}

	resident = median(residents_ns, RESIDENTS);
	up = median(ups_ns, ups);
	evict = median(evicts_ns, evicts);
	fprintf(stderr,
		"bochs %zu: commit resident %.0f ns, up %.0f ns, evict %.0f ns\n",
		size, resident, up, evict);
	if (up > resident)
		report("migrate-up", "bochs", size, up - resident, ups);
	else
		printf("id=migrate-up subject=bochs size=%zu skipped=below-noise\n",
		       size);
	if (evict > up)
		report("migrate-down", "bochs", size, evict - up, evicts);
	else
		printf("id=migrate-down subject=bochs size=%zu skipped=below-noise\n",
		       size);
}

int main(int argc, char **argv)
{
	size_t size;

	if (argc != 5) {
		fprintf(stderr, "usage: %s ferry|bochs NODE SIZE VRAM\n",
			argv[0]);
		return 2;
	}
	size = strtoull(argv[3], NULL, 0);

	if (!strcmp(argv[1], "ferry"))
		bench_ferry(argv[2], size);
	else if (!strcmp(argv[1], "bochs"))
		bench_bochs(argv[2], size, strtoull(argv[4], NULL, 0));
	else
		die("unknown subject %s", argv[1]);
	return 0;
}
