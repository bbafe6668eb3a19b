// SPDX-License-Identifier: MIT
/*
 * The life of a short-lived buffer: create it, map it, write one byte to each of its pages,
 * unmap it and close it. Each step is one system call, without a library in between.
 *
 *   bench-cycle SUBJECT NODE SIZE
 *
 * SUBJECT is
 *   ferry            NODE is its node; a BO in cached system memory
 *   ferry-aperture   the same, with a BO in the aperture
 *   bochs, vgem      NODE is the card node; a dumb buffer
 *   anonymous        NODE is -; private anonymous memory, which has no handle
 *
 * The first cycle counts the page faults, and its figure does not count.
 */
#include "buffers.h"
#include "common.h"

#include <drm.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>

/* About 32 MiB a run, but no fewer and no more cycles than these. */
#define MIN_CYCLES 5
#define MAX_CYCLES 256

struct cycle {
	int fd;
	size_t size;
	bool is_ferry;
	uint32_t placement;
};

static void run(const struct cycle *cycle)
{
	struct drm_gem_close close = { 0 };
	volatile uint8_t *p;

	if (cycle->fd < 0) {
		p = mmap(NULL, cycle->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			die("cannot map %zu bytes", cycle->size);
	} else {
		close.handle =
			cycle->is_ferry ?
				buffer_create_ferry(cycle->fd, cycle->size,
						    cycle->placement) :
				buffer_create_dumb(cycle->fd, cycle->size);
		p = buffer_map(cycle->fd, close.handle, cycle->size,
			       cycle->is_ferry);
	}
	for (size_t i = 0; i < cycle->size; i += PAGE)
		p[i] = 1;
	munmap((void *)p, cycle->size);
	if (cycle->fd >= 0 && drmIoctl(cycle->fd, DRM_IOCTL_GEM_CLOSE, &close))
		die("cannot close the buffer");
}

int main(int argc, char **argv)
{
	struct cycle cycle = { .fd = -1, .placement = SYSTEM };
	uint64_t ns[MAX_CYCLES], start;
	size_t cycles;
	int counter;
	long faults;

	if (argc != 4) {
		fprintf(stderr, "usage: %s SUBJECT NODE SIZE\n", argv[0]);
		return 2;
	}
	fix_addresses(argv);
	cycle.size = strtoull(argv[3], NULL, 0);
	cycle.is_ferry = !strncmp(argv[1], "ferry", 5);
	if (!strcmp(argv[1], "ferry-aperture"))
		cycle.placement = APERTURE;
	if (strcmp(argv[1], "anonymous")) {
		cycle.fd = open(argv[2], O_RDWR | O_CLOEXEC);
		if (cycle.fd < 0)
			die("cannot open %s", argv[2]);
	}

	counter = fault_counter_open();
	fault_counter_start(counter);
	run(&cycle);
	faults = fault_counter_read(counter);
	close(counter);

	cycles = (32ul << 20) / cycle.size;
	cycles = cycles < MIN_CYCLES ? MIN_CYCLES : cycles;
	cycles = cycles > MAX_CYCLES ? MAX_CYCLES : cycles;
	for (size_t i = 0; i < cycles; i++) {
		start = now_ns();
		run(&cycle);
		ns[i] = now_ns() - start;
	}
	printf("id=bo-cycle subject=%s size=%zu ns=%.0f faults=%ld\n", argv[1],
	       cycle.size, median(ns, cycles), faults);
	return 0;
}
