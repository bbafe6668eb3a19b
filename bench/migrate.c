// SPDX-License-Identifier: MIT
/*
 * Migration: the time to move a BO from system memory to the aperture and back.
 *
 *   bench-migrate ferry NODE SIZE VRAM
 *   bench-migrate bochs NODE SIZE VRAM
 *
 * ferry has an ioctl for it: each direction is timed alone, and so is the ioctl for a
 * BO that is there already ("call"). Stock bochs has none. It moves a dumb buffer to
 * video memory when the buffer is shown, and evicts it when another buffer that is
 * shown needs the space. Three kinds of commits are therefore timed:
 *
 *   resident  the new buffer is in video memory already
 *   move      it is in system memory, and there is room for it
 *   evict     it is in system memory, and one buffer of the same size is evicted
 *
 * move - resident is the move to the aperture, evict - move the move to system memory.
 * VRAM is the size of video memory in bytes. The contents are compared at the end.
 */
#include "common.h"
#include "scanout.h"
#include "../libdrm-ext/examples/pattern_word.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>

/* The most that the framebuffer of the console takes */
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

static void bench_ferry(const char *node, size_t size)
{
	/* About 32 MiB a run, but no fewer than 5 moves. */
	unsigned int moves = (32u << 20) / size;
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = SYSTEM | APERTURE,
	};
	struct drm_ferry_bo_mmap_offset off = { 0 };
	uint64_t to_aperture[MAX_MOVES], to_system[MAX_MOVES];
	uint64_t stay[2][MAX_MOVES];
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
		to_aperture[i] = move_bo(fd, create.handle, APERTURE);
		stay[0][i] = move_bo(fd, create.handle, APERTURE);
		to_system[i] = move_bo(fd, create.handle, SYSTEM);
		stay[1][i] = move_bo(fd, create.handle, SYSTEM);
	}
	check(map, size, 1);

	report("migrate-to-aperture", "ferry", size, median(to_aperture, moves),
	       moves);
	report("migrate-to-aperture", "call", size, median(stay[0], moves),
	       moves);
	report("migrate-to-system", "ferry", size, median(to_system, moves),
	       moves);
	report("migrate-to-system", "call", size, median(stay[1], moves),
	       moves);
}

static uint64_t timed_show(struct screen *scr, struct shown_bo *bo)
{
	uint64_t start = now_ns();

	shown_bo_show(scr, bo);
	return now_ns() - start;
}

/* The difference of two kinds of commits */
static void report_bochs(const char *id, size_t size, double with,
			 double without, unsigned int moves)
{
	if (with > without)
		report(id, "bochs", size, with - without, moves);
	else
		printf("id=%s subject=bochs size=%zu skipped=below-noise\n", id,
		       size);
}

struct commits {
	uint64_t *ns;
	unsigned int count;
};

/* Show all buffers in turn, and then the last two again, which are in video memory. */
static void time_commits(struct screen *scr, struct shown_bo *bos,
			 unsigned int count, uint64_t vram,
			 struct commits *move, struct commits *evict,
			 struct commits *resident)
{
	unsigned int move_end = (vram - CONSOLE_SIZE) / bos->size;
	unsigned int evict_start = vram / bos->size + 1;

	/* The first commit sets the mode: do not time it. */
	shown_bo_show(scr, &bos[0]);
	for (unsigned int i = 1; i < count; i++) {
		uint64_t ns = timed_show(scr, &bos[i]);

		if (i < move_end)
			move->ns[move->count++] = ns;
		else if (i >= evict_start)
			evict->ns[evict->count++] = ns;
	}
	while (resident->count < RESIDENTS) {
		unsigned int last = (resident->count + 1) % 2;

		resident->ns[resident->count++] =
			timed_show(scr, &bos[count - 1 - last]);
	}
}

static void bench_bochs(const char *node, size_t size, uint64_t vram)
{
	unsigned int count = 2 * vram / size;
	uint64_t residents_ns[RESIDENTS];
	struct commits move = { 0 }, evict = { 0 };
	struct commits resident = { .ns = residents_ns };
	double move_ns, evict_ns, resident_ns;
	struct shown_bo *bos;
	struct screen scr;

	if ((vram - CONSOLE_SIZE) / size < 2)
		die("video memory is too small for two buffers of %zu bytes",
		    size);

	screen_open(&scr, node);
	bos = calloc(count, sizeof(*bos));
	move.ns = calloc(count, sizeof(*move.ns));
	evict.ns = calloc(count, sizeof(*evict.ns));
	if (!bos || !move.ns || !evict.ns)
		die("out of memory");
	for (unsigned int i = 0; i < count; i++) {
		shown_bo_create(&scr, &bos[i], size);
		fill(shown_bo_map(&scr, &bos[i]), size, i);
	}

	time_commits(&scr, bos, count, vram, &move, &evict, &resident);

	for (unsigned int i = 0; i < count; i++) {
		check(bos[i].map, size, i);
		shown_bo_destroy(&scr, &bos[i]);
	}

	resident_ns = median(residents_ns, RESIDENTS);
	move_ns = median(move.ns, move.count);
	evict_ns = median(evict.ns, evict.count);
	fprintf(stderr,
		"bochs %zu: commit resident %.0f ns, move %.0f ns, evict %.0f ns\n",
		size, resident_ns, move_ns, evict_ns);
	report_bochs("migrate-to-aperture", size, move_ns, resident_ns,
		     move.count);
	report_bochs("migrate-to-system", size, evict_ns, move_ns, evict.count);
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
