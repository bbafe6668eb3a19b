// SPDX-License-Identifier: MIT
/*
 * What the importer of a buffer takes: export it, import it on another open file, map it and
 * read one byte of each of its pages. The exporter has written to all pages before.
 *
 *   bench-share SUBJECT EXPORTER IMPORTER SIZE
 *
 * EXPORTER and IMPORTER are nodes; SUBJECT is
 *   ferry            both are of ferry; a BO in cached system memory
 *   ferry-aperture   the same, with a BO in the aperture
 *   ferry-vgem       a dumb buffer of vgem, imported by ferry
 *   vgem             a dumb buffer of vgem, imported by vgem
 *
 * The first cycle counts the page faults, and its figure does not count.
 */
#include "buffers.h"
#include "common.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>

#define CYCLES 5

/* The time includes neither the removal of the mapping nor the end of the import. */
static uint64_t run(int exporter, uint32_t handle, int importer, size_t size,
		    bool is_ferry)
{
	struct drm_gem_close close_it = { 0 };
	volatile uint8_t *p;
	uint64_t ns = now_ns();
	int dmabuf;

	if (drmPrimeHandleToFD(exporter, handle, DRM_CLOEXEC | DRM_RDWR,
			       &dmabuf))
		die("cannot export the buffer");
	if (drmPrimeFDToHandle(importer, dmabuf, &close_it.handle))
		die("cannot import the buffer");
	p = buffer_map(importer, close_it.handle, size, is_ferry);
	for (size_t i = 0; i < size; i += PAGE)
		(void)p[i];
	ns = now_ns() - ns;
	munmap((void *)p, size);
	close(dmabuf);
	if (drmIoctl(importer, DRM_IOCTL_GEM_CLOSE, &close_it))
		die("cannot close the import");
	return ns;
}

int main(int argc, char **argv)
{
	bool of_ferry, to_ferry;
	int exporter, importer, counter;
	uint64_t ns[CYCLES];
	uint32_t handle;
	size_t size;
	uint8_t *p;
	long faults;

	if (argc != 5) {
		fprintf(stderr, "usage: %s SUBJECT EXPORTER IMPORTER SIZE\n",
			argv[0]);
		return 2;
	}
	fix_addresses(argv);
	size = strtoull(argv[4], NULL, 0);
	to_ferry = !strncmp(argv[1], "ferry", 5);
	of_ferry = to_ferry && strcmp(argv[1], "ferry-vgem");
	exporter = open(argv[2], O_RDWR | O_CLOEXEC);
	importer = open(argv[3], O_RDWR | O_CLOEXEC);
	if (exporter < 0 || importer < 0)
		die("cannot open %s and %s", argv[2], argv[3]);
	if (of_ferry)
		handle = buffer_create_ferry(
			exporter, size,
			strcmp(argv[1], "ferry-aperture") ? SYSTEM : APERTURE);
	else
		handle = buffer_create_dumb(exporter, size);
	p = buffer_map(exporter, handle, size, of_ferry);
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
	munmap(p, size);

	counter = fault_counter_open();
	fault_counter_start(counter);
	run(exporter, handle, importer, size, to_ferry);
	faults = fault_counter_read(counter);
	close(counter);
	for (size_t i = 0; i < CYCLES; i++)
		ns[i] = run(exporter, handle, importer, size, to_ferry);
	printf("id=share subject=%s size=%zu ns=%.0f faults=%ld\n", argv[1],
	       size, median(ns, CYCLES), faults);
	return 0;
}
