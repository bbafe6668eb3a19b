// SPDX-License-Identifier: MIT
/* ferryctl bench */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <libdrm_ferry/ferry.h>

#include "device.h"
#include "file.h"
#include "json.h"

#define MIB (1ull << 20)
#define PAGE 4096

struct bench {
	const struct ctl_args *args;
	struct ferry_device *ferry;
	struct ferry_bo *bo;
	uint64_t size;
	uint64_t *map;
	/* Time for each row, and rows so far */
	double seconds;
	int done;
	/* What the BO contains */
	uint64_t seed;
};

/* One repetition; returns the seconds of the part that counts, or a negative errno. */
typedef double (*bench_row)(struct bench *bench);

static int move(struct bench *bench, uint32_t placement)
{
	return ferry_bo_migrate(bench->bo, placement);
}

static double fill(struct bench *bench)
{
	double start = ctl_now();

	bench->seed++;
	for (uint64_t i = 0; i < bench->size / sizeof(*bench->map); i++)
		bench->map[i] = bench->seed + i;
	return ctl_now() - start;
}

/* Read all words, and check them. */
static double check(struct bench *bench)
{
	double start = ctl_now();
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < bench->size / sizeof(*bench->map); i++)
		wrong |= bench->map[i] ^ (bench->seed + i);
	return wrong ? -EILSEQ : ctl_now() - start;
}

static double move_there(struct bench *bench)
{
	int err = move(bench, DRM_FERRY_PLACEMENT_SYSTEM);
	double start = ctl_now();

	if (!err)
		err = move(bench, DRM_FERRY_PLACEMENT_APERTURE);
	return err ? err : ctl_now() - start;
}

static double move_back(struct bench *bench)
{
	int err = move(bench, DRM_FERRY_PLACEMENT_APERTURE);
	double start = ctl_now();

	if (!err)
		err = move(bench, DRM_FERRY_PLACEMENT_SYSTEM);
	return err ? err : ctl_now() - start;
}

/* Access each page of a new mapping: page faults. */
static double access_pages(struct bench *bench)
{
	volatile uint64_t *word;
	uint64_t offset;
	double start;
	int err;

	err = ferry_bo_mmap_offset(bench->bo, 0, &offset);
	if (err)
		return err;
	word = mmap(NULL, bench->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    ferry_device_fd(bench->ferry), offset);
	if (word == MAP_FAILED)
		return -errno;
	start = ctl_now();
	for (uint64_t i = 0; i < bench->size / PAGE; i++)
		(void)word[i * (PAGE / sizeof(*word))];
	start = ctl_now() - start;
	munmap((void *)word, bench->size);
	return start;
}

static const struct {
	const char *name, *text;
	uint32_t placement;
	bench_row row;
} rows[] = {
	{ "write_system", "write to system memory", DRM_FERRY_PLACEMENT_SYSTEM,
	  fill },
	{ "read_system", "read from system memory", DRM_FERRY_PLACEMENT_SYSTEM,
	  check },
	{ "fault_system", "first accesses, system memory",
	  DRM_FERRY_PLACEMENT_SYSTEM, access_pages },
	{ "move_to_aperture", "move to the aperture",
	  DRM_FERRY_PLACEMENT_SYSTEM, move_there },
	{ "read_aperture", "read from the aperture",
	  DRM_FERRY_PLACEMENT_APERTURE, check },
	{ "write_aperture", "write to the aperture",
	  DRM_FERRY_PLACEMENT_APERTURE, fill },
	{ "fault_aperture", "first accesses, aperture",
	  DRM_FERRY_PLACEMENT_APERTURE, access_pages },
	{ "move_to_system", "move to system memory",
	  DRM_FERRY_PLACEMENT_APERTURE, move_back },
	{ "read_again", "read what was moved", DRM_FERRY_PLACEMENT_SYSTEM,
	  check },
};

static enum ctl_status fail(const char *what, int err)
{
	if (err == -EILSEQ)
		return ctl_fail(CTL_FOUND, "report it, with the kernel log",
				"%s: the contents of the BO have changed",
				what);
	return ctl_fail(CTL_FAILED, "ferryctl doctor", "%s: %s", what,
			strerror(-err));
}

/* Repeat a row for its time, and print the best repetition: others were disturbed. */
static enum ctl_status measure(struct bench *bench, unsigned int i)
{
	double end, best = 0, is;
	int err = move(bench, rows[i].placement);

	if (!err && bench->seconds * ARRAY_SIZE(rows) > 5)
		ctl_progress("%u of %zu: %s", i + 1, ARRAY_SIZE(rows),
			     rows[i].text);
	end = ctl_now() + bench->seconds;
	do {
		is = err ? err : rows[i].row(bench);
		if (is < 0)
			return fail(rows[i].text, is);
		best = best && best < is ? best : is;
	} while (ctl_now() < end);

	if (bench->args->json)
		json_real(rows[i].name, bench->size / best);
	else
		printf("%-32s %9.0f MiB/s\n", rows[i].text,
		       bench->size / best / MIB);
	fflush(stdout);
	return CTL_OK;
}

/* Half of what is free, so that no other BO is evicted. */
static enum ctl_status make_bo(struct bench *bench)
{
	const uint32_t anywhere = DRM_FERRY_PLACEMENT_SYSTEM |
				  DRM_FERRY_PLACEMENT_APERTURE;
	struct drm_ferry_device_query info;
	void *map;
	int err = ferry_device_query(bench->ferry, &info, sizeof(info));

	if (err)
		return fail("the device cannot be queried", err);
	bench->size = info.aperture_free / 2 / MIB * MIB;
	if (bench->size > 64 * MIB)
		bench->size = 64 * MIB;
	if (!bench->size)
		return ctl_fail(
			CTL_FAILED,
			"end programs that use the device; ferryctl top lists them",
			"less than 2 MiB of the aperture are free");
	err = ferry_bo_new(bench->ferry, bench->size, anywhere, 0, &bench->bo);
	if (err)
		return fail("a BO cannot be created", err);
	err = ferry_bo_map(bench->bo, 0, &map);
	if (err)
		return fail("a BO cannot be mapped", err);
	bench->map = map;
	return CTL_OK;
}

static enum ctl_status measure_all(struct bench *bench,
				   const struct device *dev)
{
	enum ctl_status status = make_bo(bench);
	char size[24];

	if (status)
		return status;
	if (bench->args->json) {
		json_object(NULL);
		json_string("address", dev->address);
		json_number("bo_size", bench->size);
		json_object("bytes_per_second");
	} else {
		printf("%s, a BO of %s, best of several:\n", dev->address,
		       ctl_size(size, bench->size));
	}
	fill(bench);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows) && !status; i++)
		status = measure(bench, i);
	if (bench->args->json) {
		json_object_end();
		json_object_end();
	}
	return status;
}

static enum ctl_status run(const struct ctl_args *args)
{
	struct bench bench = { .args = args, .seconds = 0.4 };
	enum ctl_status status;
	struct device dev;
	char node[64];
	int err;

	if (!ctl_number(args, "seconds", 0.01, 600, &bench.seconds))
		return CTL_USAGE;
	if (file_has_root())
		return ctl_fail(CTL_USAGE, "leave out --root",
				"only devices of this machine can be measured");
	status = device_find(args->operand, true, &dev);
	if (status)
		return status;
	device_node(&dev, node, sizeof(node));
	err = ferry_device_open_node(node, 0, &bench.ferry);
	if (err == -EACCES)
		return ctl_fail(
			CTL_NOT_PERMITTED,
			"run it as root, or be a member of the group of that file",
			"you may not open %s", node);
	if (err)
		return fail(node, err);
	status = measure_all(&bench, &dev);
	ferry_bo_del(bench.bo);
	ferry_device_del(bench.ferry);
	return status;
}

const struct ctl_command ctl_bench = {
	.name = "bench",
	.operand = "DEVICE",
	.brief = "Measure the speed of the device on this machine",
	.text = "Measure how fast the processor writes and reads a BO in system memory and in the aperture, moves "
		"it, and inserts the page table entries of a new mapping. The BO takes half of what is free in "
		"the aperture, so that no other BO is evicted, and its contents are checked. In a virtual "
		"machine the aperture is ordinary memory, and the numbers say nothing about a real card.",
	.options = { { "seconds", 's', "S",
		       "Time for each line, 0.4 seconds by default." } },
	.run = run,
};
