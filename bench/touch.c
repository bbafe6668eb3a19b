// SPDX-License-Identifier: MIT
/*
 * First touch: the time to mmap() memory that exists already and to write one byte to
 * each of its pages; and the same writes once more, without page faults.
 *
 *   bench-touch ROW SUBJECT PATH SIZE [BAR_START [BAR_SIZE]]
 *
 * ROW is touch-aperture; touch-system, for system memory; touch-4k, which is
 * touch-aperture at an address where no PMD can be inserted; remap-after-move, which
 * times the writes alone, after a move to the aperture; or cost-per-page, which is
 * touch-aperture for any size up to the whole aperture.
 *
 * SUBJECT is
 *   ferry            PATH is its node; a BO where ROW needs it
 *   ferry-4k         the same, at an address where no PMD can be inserted
 *   ferry-populate   the same, mapped with DRM_FERRY_MMAP_POPULATE
 *   bochs            PATH is its card node; a dumb buffer that is on the screen, so
 *                    that it is in video memory
 *   vgem             PATH is its card node; a dumb buffer
 *   resource0_wc     PATH is this file in sysfs
 *   memfd            PATH is -
 *   memfd-huge       PATH is -; made of reserved huge pages
 *
 * The memory is mapped twice: the first time the page faults are counted, the
 * second time the clock is read and no counter runs. With BAR_START, the physical
 * address in hexadecimal, the memory type that PAT tracks for this address is printed
 * as well.
 */
#include "common.h"
#include "scanout.h"

#include <drm.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define HUGE_PAGE (2ul << 20)

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

/* The most mappings of a small size; the median counts. */
#define MAX_MAPPINGS 64

struct memory {
	int fd;
	uint64_t offset;
	size_t size;
	bool misaligned;
	void *hint; /* address of the last mapping, if it is misaligned */
	uint32_t handle; /* for a BO of ferry */
};

static void open_ferry(struct memory *mem, const char *path,
		       uint32_t placements, uint32_t placement,
		       uint32_t mmap_flags)
{
	struct drm_ferry_bo_create create = {
		.size = mem->size,
		.allowed_placements = placements,
		.placement = placement,
	};
	struct drm_ferry_bo_mmap_offset off = { .flags = mmap_flags };

	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		die("cannot open %s", path);
	if (drmIoctl(mem->fd, DRM_IOCTL_FERRY_BO_CREATE, &create))
		die("cannot create a BO of %zu bytes", mem->size);
	mem->handle = off.handle = create.handle;
	if (drmIoctl(mem->fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &off))
		die("cannot get the BO's offset");
	mem->offset = off.offset;
}

/* Unpin the framebuffer on the screen: the BO needs the whole aperture. */
static void switch_display_off(const char *path)
{
	struct screen scr;

	screen_open(&scr, path);
	if (drmModeSetCrtc(scr.fd, scr.crtc, 0, 0, 0, NULL, 0, NULL))
		die("cannot switch the display off");
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

static void open_vgem(struct memory *mem, const char *path)
{
	struct drm_mode_create_dumb create = {
		.width = 1024,
		.height = mem->size / 4096,
		.bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };

	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		die("cannot open %s", path);
	if (drmIoctl(mem->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		die("cannot create a dumb buffer of %zu bytes", mem->size);
	map.handle = create.handle;
	if (drmIoctl(mem->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		die("cannot get the offset of the dumb buffer");
	mem->offset = map.offset;
}

static void open_resource(struct memory *mem, const char *path)
{
	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		die("cannot open %s", path);
}

static void open_memfd(struct memory *mem, unsigned int flags)
{
	mem->fd = memfd_create("bench", MFD_CLOEXEC | flags);
	if (mem->fd < 0 || fallocate(mem->fd, 0, 0, mem->size))
		die("cannot allocate a memfd of %zu bytes", mem->size);
}

static void open_subject(struct memory *mem, const char *row,
			 const char *subject, const char *path)
{
	uint32_t placement = strcmp(row, "touch-system") ? APERTURE : SYSTEM;

	mem->misaligned = !strcmp(row, "touch-4k") ||
			  !strcmp(subject, "ferry-4k");
	if (!strcmp(row, "cost-per-page") && !strncmp(subject, "ferry", 5))
		switch_display_off(path);

	if (!strcmp(subject, "ferry") || !strcmp(subject, "ferry-4k"))
		open_ferry(mem, path, placement, placement, 0);
	else if (!strcmp(subject, "ferry-populate"))
		open_ferry(mem, path, placement, placement,
			   DRM_FERRY_MMAP_POPULATE);
	else if (!strcmp(subject, "bochs"))
		open_bochs(mem, path);
	else if (!strcmp(subject, "vgem"))
		open_vgem(mem, path);
	else if (!strcmp(subject, "resource0_wc"))
		open_resource(mem, path);
	else if (!strcmp(subject, "memfd"))
		open_memfd(mem, 0);
	else if (!strcmp(subject, "memfd-huge"))
		open_memfd(mem, MFD_HUGETLB | MFD_HUGE_2MB);
	else
		die("unknown subject %s", subject);
}

static volatile uint8_t *map(struct memory *mem)
{
	int flags = MAP_SHARED;
	void *p;

	if (mem->misaligned && !mem->hint) {
		/* A free address one page behind a multiple of 2 MiB */
		p = mmap(NULL, mem->size + 2 * HUGE_PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			die("no address space");
		munmap(p, mem->size + 2 * HUGE_PAGE);
		mem->hint =
			(void *)((((uintptr_t)p | (HUGE_PAGE - 1)) + 1) + PAGE);
	}
	if (mem->misaligned)
		flags |= MAP_FIXED_NOREPLACE;
	p = mmap(mem->hint, mem->size, PROT_READ | PROT_WRITE, flags, mem->fd,
		 mem->offset);
	if (p == MAP_FAILED)
		die("cannot map %zu bytes", mem->size);
	return p;
}

static void touch(volatile uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
}

/* Print " memtype=TYPE" for the PAT entries that begin at @start. */
static void print_memtype(const char *start)
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
		printf("%s%s", *last ? "+" : " memtype=", type);
		strcpy(last, type);
	}
	if (f)
		fclose(f);
	if (!*last)
		printf(" memtype=unknown");
}

static void report(const char *row, const char *suffix, const char *subject,
		   size_t size, uint64_t ns, long faults, const char *bar_start)
{
	printf("id=%s%s subject=%s size=%zu ns=%llu faults=%ld", row, suffix,
	       subject, size, (unsigned long long)ns, faults);
	if (bar_start)
		print_memtype(bar_start);
	putchar('\n');
}

/* Time mmap() with the first writes, and the second writes. Return the mapping. */
static volatile uint8_t *timed_map(struct memory *mem, uint64_t *first,
				   uint64_t *again)
{
	uint64_t start = now_ns();
	volatile uint8_t *p = map(mem);

	touch(p, mem->size);
	*first = now_ns() - start;

	start = now_ns();
	touch(p, mem->size);
	*again = now_ns() - start;
	return p;
}

static void bench_touch(struct memory *mem, const char *row,
			const char *subject, const char *bar_start)
{
	int counter = fault_counter_open();
	long faults, faults_again;
	uint64_t first, again;
	volatile uint8_t *p;

	fault_counter_start(counter);
	p = map(mem);
	touch(p, mem->size);
	faults = fault_counter_read(counter);
	fault_counter_start(counter);
	touch(p, mem->size);
	faults_again = fault_counter_read(counter);
	close(counter);
	munmap((void *)p, mem->size);

	timed_map(mem, &first, &again);
	report(row, "", subject, mem->size, first, faults, bar_start);
	report(row, "-again", subject, mem->size, again, faults_again,
	       bar_start);
}

static void bench_cost(struct memory *mem, const char *row, const char *subject,
		       const char *bar_start)
{
	size_t mappings = (8ul << 20) / mem->size;
	int counter = fault_counter_open();
	uint64_t ns[MAX_MAPPINGS], again;
	volatile uint8_t *p;
	long faults;

	mappings = mappings < 1 ? 1 : mappings;
	mappings = mappings > MAX_MAPPINGS ? MAX_MAPPINGS : mappings;
	fault_counter_start(counter);
	p = map(mem);
	touch(p, mem->size);
	faults = fault_counter_read(counter);
	close(counter);
	for (size_t i = 0; i < mappings; i++) {
		munmap((void *)p, mem->size);
		p = timed_map(mem, &ns[i], &again);
	}
	report(row, "", subject, mem->size, median(ns, mappings), faults,
	       bar_start);
}

/* Moves memory to the aperture and away from it while it is mapped. */
struct mover {
	void (*move)(struct mover *mover, bool to_aperture);
	/* ferry: the BO */
	struct memory *mem;
	/* bochs: the buffer that is mapped, and those that are shown to evict it */
	struct screen scr;
	struct shown_bo *bos;
	unsigned int count;
};

static void ferry_move(struct mover *mover, bool to_aperture)
{
	move_bo(mover->mem->fd, mover->mem->handle,
		to_aperture ? APERTURE : SYSTEM);
}

static void bochs_move(struct mover *mover, bool to_aperture)
{
	if (to_aperture) {
		shown_bo_show(&mover->scr, &mover->bos[0]);
		return;
	}
	/* the other buffers fill video memory */
	for (unsigned int i = 1; i < mover->count; i++)
		shown_bo_show(&mover->scr, &mover->bos[i]);
}

/* Return the mapping that the mover moves. */
static volatile uint8_t *open_mover(struct mover *mover, const char *subject,
				    const char *path, uint64_t bar_size)
{
	struct memory *mem = mover->mem;

	if (!strcmp(subject, "ferry")) {
		open_ferry(mem, path, APERTURE | SYSTEM, SYSTEM, 0);
		mover->move = ferry_move;
		return map(mem);
	}
	if (strcmp(subject, "bochs") || !bar_size) {
		errno = 0;
		die("%s does not move memory", subject);
	}

	mover->count = 1 + bar_size / mem->size;
	mover->bos = calloc(mover->count, sizeof(*mover->bos));
	if (!mover->bos)
		die("out of memory");
	screen_open(&mover->scr, path);
	for (unsigned int i = 0; i < mover->count; i++)
		shown_bo_create(&mover->scr, &mover->bos[i], mem->size);
	mover->move = bochs_move;
	return shown_bo_map(&mover->scr, &mover->bos[0]);
}

static void bench_remap(struct memory *mem, const char *row,
			const char *subject, const char *path,
			const char *bar_start, uint64_t bar_size)
{
	struct mover mover = { .mem = mem };
	int counter = fault_counter_open();
	volatile uint8_t *p = open_mover(&mover, subject, path, bar_size);
	uint64_t start, ns;
	long faults;

	touch(p, mem->size);
	mover.move(&mover, true);
	fault_counter_start(counter);
	touch(p, mem->size);
	faults = fault_counter_read(counter);
	close(counter);

	mover.move(&mover, false);
	touch(p, mem->size);
	mover.move(&mover, true);
	start = now_ns();
	touch(p, mem->size);
	ns = now_ns() - start;
	report(row, "", subject, mem->size, ns, faults, bar_start);
}

int main(int argc, char **argv)
{
	struct memory mem = { 0 };
	const char *row, *subject;

	if (argc < 5 || argc > 7) {
		fprintf(stderr,
			"usage: %s ROW SUBJECT PATH SIZE [BAR_START [BAR_SIZE]]\n",
			argv[0]);
		return 2;
	}
	fix_addresses(argv);
	row = argv[1];
	subject = argv[2];
	mem.size = strtoull(argv[4], NULL, 0);
	if (!strcmp(row, "remap-after-move")) {
		bench_remap(&mem, row, subject, argv[3], argv[5],
			    argc == 7 ? strtoull(argv[6], NULL, 0) : 0);
		return 0;
	}

	open_subject(&mem, row, subject, argv[3]);
	if (!strcmp(row, "cost-per-page"))
		bench_cost(&mem, row, subject, argv[5]);
	else
		bench_touch(&mem, row, subject, argv[5]);
	return 0;
}
