// SPDX-License-Identifier: MIT
/*
 * Demonstrate what ferry does: draw a picture in system memory, move it to the aperture
 * while it stays mapped, and compare every pixel. Then create more BOs than fit in the
 * aperture, and check every byte of each BO at its placement.
 *
 * usage: ferry-demo OUTDIR
 *
 * Writes 1-system.png, 2-aperture.png, 3-placement.png and demo.txt (lines of a name and a
 * value) to OUTDIR. Exits with status 1 and prints the reason if a call fails or if contents
 * are not as they were written.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <libdrm_ferry/ferry.h>
#include <xf86drm.h>

#include "atlas.h"
#include "pattern.h"
#include "png.h"
#include "scene.h"

#define PAGE 4096u
#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define MIB(bytes) ((double)(bytes) / (1024 * 1024))

/* BOs of this fraction of the aperture; a quarter more are created than fit. */
#define BOS_PER_APERTURE 64
#define NR_BOS (BOS_PER_APERTURE * 5 / 4 + 1)
#define PICTURE_BYTES (SCENE_WIDTH * SCENE_HEIGHT * sizeof(uint32_t))

static const char *outdir;
static FILE *summary;
static struct ferry_device *dev;
/* The first BO holds the picture, the others hold the pattern. */
static struct ferry_bo *bos[NR_BOS];
static void *maps[NR_BOS];
static bool in_aperture[NR_BOS];
static bool was_evicted[NR_BOS];
static uint32_t picture[SCENE_WIDTH * SCENE_HEIGHT];

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "ferry-demo: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

static void must(int err, const char *what)
{
	if (err)
		die("%s: %s", what, strerror(-err));
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void note(const char *name, double value)
{
	fprintf(summary, "%s %.0f\n", name, value);
}

static void save(const char *name, const uint32_t *pixels, int width,
		 int height)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", outdir, name);
	must(png_save(path, pixels, width, height), path);
	printf("  saved %s\n", path);
}

static void describe_device(void)
{
	char *node = drmGetDeviceNameFromFd2(ferry_device_fd(dev));
	const uint64_t size = ferry_device_aperture_size(dev);
	struct drm_ferry_device_query info;

	must(ferry_device_query(dev, &info, sizeof(info)), "device query");
	printf("Device %s\n", node ? node : "?");
	printf("  aperture: %.1f MiB, %.1f MiB free\n", MIB(size),
	       MIB(info.aperture_free));
	printf("  memory type of the aperture: requested %s, effective %s\n",
	       ferry_memtype_name(info.aperture_memtype_requested),
	       ferry_memtype_name(info.aperture_memtype));
	printf("  sizes of page table entries:%s%s\n",
	       info.page_sizes & 4096 ? " 4 KiB" : "",
	       info.page_sizes & (2 << 20) ? " 2 MiB" : "");
	printf("  display: %s\n",
	       info.features & DRM_FERRY_FEATURE_DISPLAY ? "yes" : "no");

	fprintf(summary, "device %s\n", node ? node : "?");
	fprintf(summary, "aperture_memtype %s\n",
		ferry_memtype_name(info.aperture_memtype));
	fprintf(summary, "aperture_memtype_requested %s\n",
		ferry_memtype_name(info.aperture_memtype_requested));
	note("aperture_bytes", size);
	note("aperture_free_bytes", info.aperture_free);
	note("page_sizes", info.page_sizes);
	note("uapi_version", info.version);
	free(node);
}

static void create(int i, uint64_t size)
{
	must(ferry_bo_new(dev, size, SYSTEM | APERTURE, 0, &bos[i]),
	     "creating a BO");
	must(ferry_bo_map(bos[i], 0, &maps[i]), "mapping a BO");
}

static void draw_picture(void)
{
	uint32_t *pixels;
	double start;

	create(0, PICTURE_BYTES);
	printf("Drawing a picture through the mapping of a BO in system memory\n");
	start = now_ms();
	pixels = maps[0];
	for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) {
		picture[i] = scene_pixel(i % SCENE_WIDTH, i / SCENE_WIDTH);
		pixels[i] = picture[i];
	}
	note("draw_ms", now_ms() - start);
	save("1-system.png", pixels, SCENE_WIDTH, SCENE_HEIGHT);
}

static void check_picture(const char *where)
{
	const uint32_t *pixels = maps[0];

	for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) {
		uint32_t is = pixels[i];

		if (is != picture[i])
			die("the picture %s differs at %d,%d: is %06x, drawn was %06x",
			    where, i % SCENE_WIDTH, i / SCENE_WIDTH, is,
			    picture[i]);
	}
}

static uint32_t placement(int i)
{
	struct drm_ferry_bo_query info;

	must(ferry_bo_query(bos[i], &info, sizeof(info)), "BO query");
	return info.placement;
}

static void move_picture(void)
{
	double start = now_ms();
	void *map;

	must(ferry_bo_migrate(bos[0], APERTURE), "moving the picture");
	note("picture_move_us", (now_ms() - start) * 1e3);
	if (placement(0) != APERTURE)
		die("the picture is not in the aperture after the move");
	must(ferry_bo_map(bos[0], 0, &map), "mapping again");
	if (map != maps[0])
		die("the address of the mapping changed from %p to %p", maps[0],
		    map);
	must(ferry_bo_unmap(bos[0]), "unmapping again");

	check_picture("in the aperture");
	printf("Moved it to the aperture while it is mapped: all %zu bytes are equal\n",
	       PICTURE_BYTES);
	save("2-aperture.png", maps[0], SCENE_WIDTH, SCENE_HEIGHT);
}

static void check_bo(int i, int generation)
{
	struct pattern_error error;

	if (!pattern_check(maps[i], ferry_bo_size(bos[i]), i, generation,
			   &error))
		die("BO %d, byte %llu: is %016llx, written was %016llx", i,
		    error.offset, error.is, error.written);
}

/* Update the placements of all BOs. Return the number of BOs in system memory. */
static int update_placements(void)
{
	int count = 0;

	for (int i = 0; i < NR_BOS && bos[i]; i++) {
		in_aperture[i] = placement(i) == APERTURE;
		was_evicted[i] |= !in_aperture[i];
		count += !in_aperture[i];
	}
	return count;
}

static void fill_aperture(void)
{
	uint64_t size = ferry_device_aperture_size(dev) / BOS_PER_APERTURE;
	double start = now_ms();
	bool reported = false;
	int evicted;

	size = size < PAGE ? PAGE : size - size % PAGE;
	printf("Creating %d more BOs of %llu KiB: each is written in system memory and moved to the aperture\n",
	       NR_BOS - 1, (unsigned long long)size / 1024);
	for (int i = 1; i < NR_BOS; i++) {
		create(i, size);
		pattern_write(maps[i], ferry_bo_size(bos[i]), i, 1);
		must(ferry_bo_migrate(bos[i], APERTURE), "moving a BO");
		if (!reported && update_placements()) {
			printf("  the aperture was full when BO %d moved there: the least recently used BO was evicted\n",
			       i);
			reported = true;
		}
	}
	evicted = update_placements();
	printf("  %d of %d BOs were evicted to system memory\n", evicted,
	       NR_BOS);
	if (!evicted)
		die("no BO was evicted, but %d BOs of %llu bytes do not fit in an aperture of %llu bytes",
		    NR_BOS - 1, (unsigned long long)size,
		    (unsigned long long)ferry_device_aperture_size(dev));
	note("bos", NR_BOS);
	note("bo_bytes", size);
	note("evicted", evicted);
	note("fill_ms", now_ms() - start);
}

static void verify(int generation)
{
	double start = now_ms();
	uint64_t bytes = PICTURE_BYTES;
	char name[32];

	check_picture("after the evictions");
	for (int i = 1; i < NR_BOS; i++) {
		check_bo(i, generation);
		bytes += ferry_bo_size(bos[i]);
	}
	printf("  every byte of %d BOs is as written (%.1f MiB)\n", NR_BOS,
	       MIB(bytes));
	snprintf(name, sizeof(name), "verified_bytes_%d", generation);
	note(name, bytes);
	snprintf(name, sizeof(name), "verify_ms_%d", generation);
	note(name, now_ms() - start);
}

/* Write all BOs at their present placements; then move evicted BOs to the aperture. */
static void move_evicted(void)
{
	struct ferry_bo_move moves[NR_BOS];
	double start = now_ms();
	uint32_t count = 0, moved = 0, fitting = 0;
	int in_system;

	printf("Writing all of them again, then moving evicted ones to the aperture with one call\n");
	for (int i = 1; i < NR_BOS; i++) {
		pattern_write(maps[i], ferry_bo_size(bos[i]), i, 2);
		fitting += in_aperture[i];
	}
	/* BOs of one call do not evict each other: move half of what fits. */
	for (int i = 0; i < NR_BOS && count < fitting / 2; i++) {
		if (!in_aperture[i])
			moves[count++] = (struct ferry_bo_move){
				.bo = bos[i],
				.placement = APERTURE,
			};
	}
	must(ferry_bo_migrate_many(dev, moves, count, NULL), "moving many BOs");
	in_system = update_placements();
	for (int i = 0; i < NR_BOS; i++)
		moved += was_evicted[i] && in_aperture[i];
	printf("  %u of %u moved; %d BOs are in system memory now\n", moved,
	       count, in_system);
	note("evicted_moved_back", moved);
	note("in_system_at_the_end", in_system);
	note("move_back_ms", now_ms() - start);
}

static void draw_placement(void)
{
	static uint32_t pixels[ATLAS_WIDTH * ATLAS_HEIGHT];
	char title[64];
	struct atlas atlas = {
		.title = title,
		.count = NR_BOS,
		.in_aperture = in_aperture,
		.was_evicted = was_evicted,
		.picture = maps[0],
		.picture_width = SCENE_WIDTH,
		.picture_height = SCENE_HEIGHT,
	};

	snprintf(title, sizeof(title), "%d BOS  %.0f MIB APERTURE  %s", NR_BOS,
		 MIB(ferry_device_aperture_size(dev)),
		 ferry_memtype_name(ferry_device_aperture_memtype(dev)));
	atlas_draw(pixels, &atlas);
	printf("Drawing the placement of each BO\n");
	save("3-placement.png", pixels, ATLAS_WIDTH, ATLAS_HEIGHT);
}

/* Print the counters of the driver, if debugfs is mounted and readable. */
static void kernel_counters(void)
{
	char path[128], name[64];
	unsigned long long value;
	struct stat node;
	FILE *stats;

	if (fstat(ferry_device_fd(dev), &node))
		return;
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/ferry_stats",
		 minor(node.st_rdev));
	stats = fopen(path, "r");
	if (!stats) {
		printf("Kernel counters: not readable (%s: %s)\n", path,
		       strerror(errno));
		return;
	}
	printf("Kernel counters\n");
	while (fscanf(stats, "%63s %llu", name, &value) == 2) {
		printf("  %-22s %llu\n", name, value);
		fprintf(summary, "kernel_%s %llu\n", name, value);
	}
	fclose(stats);
}

int main(int argc, char **argv)
{
	double start = now_ms();
	struct rusage usage;
	char path[4096];
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: ferry-demo OUTDIR\n");
		return 2;
	}
	outdir = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(path, sizeof(path), "%s/demo.txt", outdir);
	summary = fopen(path, "w");
	if (!summary)
		die("%s: %s", path, strerror(errno));

	err = ferry_device_open(0, &dev);
	if (err)
		die("cannot open a ferry device: %s (is the module loaded, and is a device bound to it?)",
		    strerror(-err));

	describe_device();
	draw_picture();
	move_picture();
	fill_aperture();
	verify(1);
	move_evicted();
	verify(2);
	draw_placement();
	kernel_counters();

	getrusage(RUSAGE_SELF, &usage);
	note("page_faults", usage.ru_minflt);
	note("total_ms", now_ms() - start);
	note("mismatches", 0);
	if (fclose(summary))
		die("%s: %s", path, strerror(errno));
	printf("Done in %.1f s; all values are in %s\n",
	       (now_ms() - start) / 1e3, path);
	for (int i = 0; i < NR_BOS; i++)
		ferry_bo_del(bos[i]);
	ferry_device_del(dev);
	return 0;
}
