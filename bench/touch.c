// SPDX-License-Identifier: MIT
/*
 * First touch: how long it takes to mmap() memory that exists already and to
 * write one byte to each of its pages, and the same once more when every page
 * table entry is there.
 *
 *   bench-touch SUBJECT PATH SIZE [BAR_START]
 *
 * SUBJECT is ferry (PATH: its node; a BO created in the aperture), bochs (PATH:
 * its card node; a dumb buffer that is shown, so that it is in video memory),
 * resource0_wc (PATH: that file in sysfs) or memfd (PATH: -; allocated
 * beforehand). The memory is mapped twice: the first time the page faults are
 * counted, the second time, with no counter running, the clock is read. With
 * BAR_START, the physical address in hexadecimal, the cache type that PAT tracks
 * for it while the memory is mapped is printed as well.
 */
#include "common.h"
#include "scanout.h"

#include <drm.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <xf86drm.h>

#include "ferry_drm.h"

struct memory {
	int fd;
	uint64_t offset;
	size_t size;
};

static void open_ferry(struct memory *mem, const char *path)
{
	struct drm_ferry_bo_create create = {
		.size = mem->size,
		.placements = DRM_FERRY_PLACEMENT_APERTURE,
		.placement = DRM_FERRY_PLACEMENT_APERTURE,
	};
	struct drm_ferry_bo_mmap_offset off = { 0 };

	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		die("cannot open %s", path);
	if (drmIoctl(mem->fd, DRM_IOCTL_FERRY_BO_CREATE, &create))
		die("cannot create an aperture BO of %zu bytes", mem->size);
	off.handle = create.handle;
	if (drmIoctl(mem->fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &off))
		die("cannot get the BO's offset");
	mem->offset = off.offset;
}

static void open_bochs(struct memory *mem, const char *path)
{
	struct drm_mode_map_dumb map = { 0 };
	struct shown_bo bo;
	struct screen scr;

	screen_open(&scr, path);
	shown_bo_create(&scr, &bo, mem->size);
	shown_bo_show(&scr, &bo);
	map.handle = bo.handle;
	if (drmIoctl(scr.fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		die("cannot get the offset of the dumb buffer");
	mem->fd = scr.fd;
	mem->offset = map.offset;
}

static void open_resource(struct memory *mem, const char *path)
{
	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		die("cannot open %s", path);
}

static void open_memfd(struct memory *mem)
{
	mem->fd = memfd_create("bench", MFD_CLOEXEC);
	if (mem->fd < 0 || fallocate(mem->fd, 0, 0, mem->size))
		die("cannot allocate a memfd of %zu bytes", mem->size);
}

static volatile uint8_t *map(const struct memory *mem)
{
	void *p = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       mem->fd, mem->offset);

	if (p == MAP_FAILED)
		die("cannot map %zu bytes", mem->size);
	return p;
}

static void touch(volatile uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
}

/* Prints " cache=TYPE" for the PAT entries that begin at @start. */
static void print_cache(const char *start)
{
	unsigned long long want = strtoull(start, NULL, 16), from, to;
	FILE *f = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	char line[256], type[32], last[32] = "";

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "PAT: [mem %llx-%llx] %31s", &from, &to,
			   type) != 3)
			continue;
		if (from != want || !strcmp(type, last))
			continue;
		printf("%s%s", *last ? "+" : " cache=", type);
		strcpy(last, type);
	}
	if (f)
		fclose(f);
	if (!*last)
		printf(" cache=unknown");
}

static void report(const char *id, const char *subject, size_t size,
		   uint64_t ns, long faults, const char *bar_start)
{
	printf("id=%s subject=%s size=%zu ns=%llu faults=%ld", id, subject,
	       size, (unsigned long long)ns, faults);
	if (bar_start)
		print_cache(bar_start);
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct memory mem = { 0 };
	uint64_t start, first, again;
	volatile uint8_t *p;
	const char *subject;
	int counter;
	long faults, faults_again;

	if (argc != 4 && argc != 5) {
		fprintf(stderr,
			"usage: %s ferry|bochs|resource0_wc|memfd PATH SIZE [BAR_START]\n",
			argv[0]);
		return 2;
	}
	subject = argv[1];
	mem.size = strtoull(argv[3], NULL, 0);

	if (!strcmp(subject, "ferry"))
		open_ferry(&mem, argv[2]);
	else if (!strcmp(subject, "bochs"))
		open_bochs(&mem, argv[2]);
	else if (!strcmp(subject, "resource0_wc"))
		open_resource(&mem, argv[2]);
	else if (!strcmp(subject, "memfd"))
		open_memfd(&mem);
	else
		die("unknown subject %s", subject);

	counter = fault_counter_open();
	fault_counter_start(counter);
	p = map(&mem);
	touch(p, mem.size);
	faults = fault_counter_read(counter);
	fault_counter_start(counter);
	touch(p, mem.size);
	faults_again = fault_counter_read(counter);
	close(counter);
	munmap((void *)p, mem.size);

	start = now_ns();
	p = map(&mem);
	touch(p, mem.size);
	first = now_ns() - start;

	start = now_ns();
	touch(p, mem.size);
	again = now_ns() - start;

	report("touch-aperture", subject, mem.size, first, faults, argv[4]);
	report("touch-aperture-again", subject, mem.size, again, faults_again,
	       argv[4]);
	return 0;
}
