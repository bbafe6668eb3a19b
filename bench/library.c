// SPDX-License-Identifier: MIT
/*
 * What programs take that use libdrm_ferry.
 *
 *   bench-library ferry-library NODE SIZE     the life of a short-lived BO, as bench-cycle
 *   bench-library ferry-uncleared NODE SIZE   the same, with FERRY_BO_UNCLEARED
 *   bench-library copy NODE SIZE              ferry_bo_read() and ferry_bo_write(), for a
 *                                             mapped BO in the aperture
 */
#include "common.h"

#include <libdrm_ferry/ferry.h>

/* About 32 MiB a run, but no fewer and no more than these. */
#define MIN_RUNS 5
#define MAX_RUNS 256

static struct ferry_device *dev;

static void check(int err, const char *what)
{
	errno = -err;
	if (err)
		die("%s", what);
}

static uint64_t cycle(size_t size, uint32_t flags)
{
	uint64_t start = now_ns();
	struct ferry_bo *bo;
	void *map;

	check(ferry_bo_new(dev, size, APERTURE | SYSTEM, flags, &bo),
	      "cannot create a BO");
	check(ferry_bo_map(bo, 0, &map), "cannot map the BO");
	for (size_t i = 0; i < size; i += PAGE)
		((volatile uint8_t *)map)[i] = 1;
	/* With its mapping, which the cache keeps. */
	ferry_bo_del(bo);
	return now_ns() - start;
}

static void cycles(const char *subject, size_t size, uint64_t *ns, size_t count)
{
	uint32_t flags =
		strcmp(subject, "ferry-uncleared") ? 0 : FERRY_BO_UNCLEARED;
	int counter = fault_counter_open();
	long faults;

	/* The BO of the first cycle is in the cache for the others. */
	cycle(size, flags);
	fault_counter_start(counter);
	cycle(size, flags);
	faults = fault_counter_read(counter);
	for (size_t i = 0; i < count; i++)
		ns[i] = cycle(size, flags);
	printf("id=bo-cycle subject=%s size=%zu ns=%.0f faults=%ld\n", subject,
	       size, median(ns, count), faults);
}

static void copies(size_t size, uint64_t *ns, size_t count)
{
	uint8_t *data = aligned_alloc(PAGE, size);
	struct ferry_bo *bo;
	void *map;

	if (!data)
		die("there is no memory");
	memset(data, 1, size);
	check(ferry_bo_new(dev, size, APERTURE, 0, &bo), "cannot create a BO");
	check(ferry_bo_map(bo, FERRY_MAP_POPULATE, &map), "cannot map the BO");
	for (size_t i = 0; i < count; i++) {
		ns[i] = now_ns();
		check(ferry_bo_write(bo, 0, data, size), "cannot write");
		ns[i] = now_ns() - ns[i];
	}
	printf("id=copy-to-aperture subject=ferry-library size=%zu ns=%.0f\n",
	       size, median(ns, count));
	for (size_t i = 0; i < count; i++) {
		ns[i] = now_ns();
		check(ferry_bo_read(bo, 0, data, size), "cannot read");
		ns[i] = now_ns() - ns[i];
	}
	printf("id=copy-to-system subject=ferry-library size=%zu ns=%.0f\n",
	       size, median(ns, count));
	ferry_bo_del(bo);
	free(data);
}

int main(int argc, char **argv)
{
	uint64_t ns[MAX_RUNS];
	size_t size, count;

	if (argc != 4) {
		fprintf(stderr,
			"usage: %s ferry-library|ferry-uncleared|copy NODE SIZE\n",
			argv[0]);
		return 2;
	}
	fix_addresses(argv);
	size = strtoull(argv[3], NULL, 0);
	count = (32ul << 20) / size;
	count = count < MIN_RUNS ? MIN_RUNS : count;
	count = count > MAX_RUNS ? MAX_RUNS : count;
	check(ferry_device_open_node(argv[2], 0, &dev), "cannot open the node");
	if (strcmp(argv[1], "copy"))
		cycles(argv[1], size, ns, count);
	else
		copies(size, ns, count);
	ferry_device_del(dev);
	return 0;
}
