// SPDX-License-Identifier: MIT
/**
 * TEST: ferry seeds
 * Category: Core
 * Description: The old bugs that ferry was designed against: the sequence of each report, repeated
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION("The old bugs that ferry was designed against, repeated");

#define HUGE IGT_FERRY_HUGE
#define HUGE_PAGES (HUGE / PAGE)
#define RW (PROT_READ | PROT_WRITE)

static uint64_t offset_of(const struct igt_ferry_bo *bo, bool populate)
{
	return populate ? ferry_bo_mmap_offset_populate(bo->fd, bo->handle) :
			  ferry_bo_mmap_offset(bo->fd, bo->handle);
}

/*
 * With these VMA flags the kernel neither takes nor drops references to the pages,
 * when it makes, copies or takes down the mapping.
 */
static void check_flags(const void *map)
{
	static const char *const wanted[] = { " pf", " io", " de", " dd" };
	char flags[256];

	igt_ferry_smaps(map, "VmFlags", flags, sizeof(flags));
	for (unsigned int i = 0; i < ARRAY_SIZE(wanted); i++)
		igt_assert_f(strstr(flags, wanted[i]), "no%s in VmFlags%s\n",
			     wanted[i], flags);
}

struct early {
	pthread_barrier_t *barrier;
	char *map;
	size_t pages;
	unsigned int number;
};

static void *early_thread(void *arg)
{
	struct early *e = arg;
	volatile char *p;

	pthread_barrier_wait(e->barrier);
	for (size_t page = 0; page < e->pages; page++) {
		p = e->map + (page * 7 + e->number) % e->pages * PAGE;
		p[e->number] = p[e->number] + 1;
	}
	return e;
}

/* Touched by threads the moment it is there, while ioctls are made for it */
static void touch_early(struct igt_ferry_bo *bo, size_t pages)
{
	struct early early[3];
	pthread_barrier_t barrier;
	pthread_t threads[3];
	void *result;

	igt_assert_eq(pthread_barrier_init(&barrier, NULL, 4), 0);
	for (unsigned int i = 0; i < 3; i++) {
		early[i] = (struct early){ &barrier, bo->map, pages, i };
		igt_assert_eq(pthread_create(&threads[i], NULL, early_thread,
					     &early[i]),
			      0);
	}
	pthread_barrier_wait(&barrier);
	check_flags(bo->map);
	ferry_bo_migrate(bo->fd, bo->handle, APERTURE);
	offset_of(bo, false);
	ferry_bo_migrate(bo->fd, bo->handle, SYSTEM);
	check_flags(bo->map);
	for (unsigned int i = 0; i < 3; i++) {
		pthread_join(threads[i], &result);
		igt_assert(result == &early[i]);
	}
	pthread_barrier_destroy(&barrier);
}

/**
 * SUBTEST: mmap-offset-protocol
 * Description: a mapping is touched before any ioctl for it, and its file is closed before it
 *
 * The report of 2006. That driver's mmap() only noted the VMA; an ioctl that came
 * later chose between RAM and the BAR, and filled the page tables from outside of
 * mmap(). By then the flags that remap_pfn_range() sets were not those that the
 * kernel looked at when it took the mapping down: it gave back references that
 * nobody had taken, and close() froze the machine. A fault between the two calls
 * found a mapping without a meaning.
 *
 * So: mmap(), threads that touch it at once, ioctls that move the pages to the BAR
 * and to RAM meanwhile, and then close() with the mapping still there.
 */
static void test_mmap_offset_protocol(int fd)
{
	const size_t pages = HUGE_PAGES + 30;
	uint64_t bos = igt_ferry_stat(fd, "bos");

	for (int round = 0; round < 20; round++) {
		int own = igt_ferry_reopen(fd, O_RDWR);
		struct igt_ferry_bo bo;
		char *map;

		igt_ferry_bo_init(&bo, own, pages * PAGE,
				  &igt_ferry_movable_kinds[round % 4]);
		map = bo.map;
		touch_early(&bo, pages);
		for (size_t page = 0; page < pages; page++)
			for (int i = 0; i < 3; i++)
				igt_assert_eq(map[page * PAGE + i], 1);
		close(own);

		check_flags(map);
		for (size_t page = 0; page < pages; page++)
			igt_assert_eq(map[page * PAGE]++, 1);
		igt_ferry_audit_clean(fd, NULL);
		if (round & 1) {
			/* the last user ends, and does not unmap */
			igt_fork(child, 1)
			{
				igt_assert_eq(map[0], 2);
				_exit(0);
			}
			igt_waitchildren();
		}
		igt_assert_eq(munmap(map, pages * PAGE), 0);
	}
	igt_ferry_wait_stat(fd, "bos", bos);
}

static unsigned long count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long count = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		count++;
	if (file)
		fclose(file);
	errno = 0;
	return count;
}

/**
 * SUBTEST: pat-sparse-pfnmap
 * Description: mappings at offsets that are not zero, with some entries only, in RAM and in the BAR
 *
 * The report of 2009. The kernel took any PFN mapping with an offset for one
 * linear piece of physical memory, and kept account of its cache attribute as
 * such: at fork() and munmap() it looked up, and let go, what nobody had
 * reserved, and warned. But that driver's entries were made one by one, by faults,
 * and pointed to RAM or to the BAR, depending on where the data was.
 *
 * So: mappings of that kind are forked, moved, cut and unmapped with the data at
 * either place. PAT's list stays as it is, and every entry has the right
 * attribute.
 */
static void test_pat_sparse_pfnmap(int fd)
{
	const char *list = "/sys/kernel/debug/x86/pat_memtype_list";
	unsigned long reservations = count_lines(list);
	const size_t pages = 2 * HUGE_PAGES;
	int kmsg = igt_ferry_kmsg_open();
	const struct igt_ferry_kind *kind;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		struct igt_ferry_bo bo;

		igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		for (size_t first = 1; first < pages; first += 170) {
			size_t count = pages - first;
			char *map = mmap(NULL, count * PAGE, RW, MAP_SHARED, fd,
					 offset_of(&bo, false) + first * PAGE);

			igt_assert(map != MAP_FAILED);
			/* entries in a part of it, the data goes, more entries */
			igt_ferry_check(map, first, 1, bo.id, bo.gen);
			ferry_bo_migrate(fd, bo.handle,
					 first & 1 ? APERTURE : SYSTEM);
			igt_ferry_check(map + count / 2 * PAGE,
					first + count / 2, 1, bo.id, bo.gen);
			igt_fork(child, 1)
			{
				igt_ferry_check(map, first, count, bo.id,
						bo.gen);
				munmap(map, count / 2 * PAGE);
			}
			igt_waitchildren();
			if (count > 2)
				igt_assert_eq(munmap(map + PAGE,
						     count / 3 * PAGE),
					      0);
			igt_ferry_check(map + (count - 1) * PAGE, pages - 1, 1,
					bo.id, bo.gen);
			igt_ferry_audit_clean(fd, NULL);
			igt_assert_eq_u64(count_lines(list), reservations);
			munmap(map, count * PAGE);
		}
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
	igt_assert_eq_u64(count_lines(list), reservations);
	igt_assert_f(!igt_ferry_kmsg_has(kmsg, "x86/PAT"),
		     "PAT has complained: see the kernel log\n");
	close(kmsg);
}

/* Maps, reads each page, unmaps: the report's program, with a check */
static void map_once(int fd, const struct igt_ferry_bo *bo)
{
	void *map =
		mmap(NULL, bo->size, RW, MAP_SHARED, fd, offset_of(bo, false));

	igt_assert(map != MAP_FAILED);
	igt_ferry_check(map, 0, bo->size / PAGE, bo->id, bo->gen);
	igt_assert_eq(munmap(map, bo->size), 0);
}

/**
 * SUBTEST: nopage-multipage
 * Description: one page, two pages and more are mapped and unmapped twice, by two processes, and
 *		again after the module was loaded again
 *
 * The report of 2003. The handler gave out the pages of one allocation of two
 * pages, and took no reference to any. Only the first page of such an allocation
 * has a count of its own: unmapping the second one freed it under the driver's
 * feet, and the next process to do so locked up. With one page all was well; and
 * loading the module again did not help, as the damage was in the page allocator.
 */
static void test_nopage_multipage(void)
{
	static const size_t sizes[] = {
		1, 2, 3, 5, 511, 512, 513, HUGE_PAGES + 2, 2 * HUGE_PAGES
	};
	const struct igt_ferry_kind *kind;
	int kmsg = igt_ferry_kmsg_open();

	for (int reload = 0; reload < 2; reload++) {
		int fd = igt_ferry_open();

		for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
			for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
				struct igt_ferry_bo bo;

				igt_ferry_bo_init(&bo, fd, sizes[i] * PAGE,
						  kind);
				igt_ferry_bo_fill(&bo);
				munmap(bo.map, bo.size);
				bo.map = NULL;
				map_once(fd, &bo);
				map_once(fd, &bo);
				igt_fork(child, 1)
				{
					map_once(fd, &bo);
					map_once(fd, &bo);
				}
				igt_waitchildren_timeout(
					60, "a process that maps and unmaps");
				map_once(fd, &bo);
				igt_ferry_bo_fini(&bo);
			}
		}
		close(fd);
		igt_ferry_module_unload();
		igt_ferry_module_load("");
	}
	/* memory that a page was freed to while it was in use would show it now */
	for (int i = 0; i < 4; i++) {
		void *own = mmap(NULL, 16 * HUGE, RW,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
				 0);

		igt_assert(own != MAP_FAILED);
		igt_ferry_check_zero(own, 16 * HUGE);
		munmap(own, 16 * HUGE);
	}
	igt_assert_f(!igt_ferry_kmsg_has(kmsg, "Bad page"),
		     "a page was freed while in use: see the kernel log\n");
	close(kmsg);
}

/**
 * SUBTEST: remap-vs-fault
 * Description: all at once and page by page give the same bytes, at any offset, and the sixth page
 *		is no exception
 *
 * A question to a mailing list. The fault handler added the mapping's offset to
 * the page's own, which had it already, so that from some page on it was out of
 * range; there it returned NULL from a function whose result is a code, and NULL
 * is the code for "done": the same fault came again, for ever. It also returned a
 * pointer for a code when all was well. And the program had opened the file for
 * reading, and asked for a private mapping that it could write to.
 */
static void test_remap_vs_fault(int fd)
{
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	const struct igt_ferry_kind *kind;
	struct igt_ferry_faults faults;

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		struct igt_ferry_bo bo;

		igt_ferry_bo_init(&bo, fd, 24 * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		for (size_t first = 0; first < 8; first++) {
			for (size_t count = 1; count <= 12; count++) {
				char *maps[2];

				for (int populate = 0; populate < 2;
				     populate++) {
					maps[populate] =
						mmap(NULL, count * PAGE, RW,
						     MAP_SHARED, fd,
						     offset_of(&bo, populate) +
							     first * PAGE);
					igt_assert(maps[populate] !=
						   MAP_FAILED);
					igt_ferry_faults_start(fd, &faults);
					/* forever is less than this */
					alarm(20);
					igt_ferry_check(maps[populate], first,
							count, bo.id, bo.gen);
					alarm(0);
					igt_ferry_faults_since(fd, &faults);
					if (populate)
						igt_assert_eq_u64(faults.faults,
								  0);
					igt_assert_lte_u64(faults.faults, 2);
				}
				igt_assert(!memcmp(maps[0], maps[1],
						   count * PAGE));
				munmap(maps[0], count * PAGE);
				munmap(maps[1], count * PAGE);
			}
		}
		igt_ferry_bo_fini(&bo);

		/* the report's own call, and with one of its two mistakes each */
		igt_ferry_bo_init(&bo, fd, 8 * PAGE, kind);
		munmap(bo.map, bo.size);
		bo.map = NULL;
		igt_assert(mmap(NULL, bo.size, RW, MAP_PRIVATE, fd,
				offset_of(&bo, false)) == MAP_FAILED);
		igt_assert_eq(errno, EINVAL);
		igt_ferry_bo_fini(&bo);

		bo.fd = ro;
		bo.size = 8 * PAGE;
		bo.handle = ferry_bo_create(ro, bo.size,
					    kind->allowed_placements, 0,
					    kind->caching, kind->flags);
		igt_assert(mmap(NULL, bo.size, RW, MAP_PRIVATE, ro,
				offset_of(&bo, false)) == MAP_FAILED);
		igt_assert_eq(errno, EINVAL);
		igt_assert(mmap(NULL, bo.size, RW, MAP_SHARED, ro,
				offset_of(&bo, false)) == MAP_FAILED);
		igt_assert_eq(errno, EACCES);
		gem_close(ro, bo.handle);
	}
	close(ro);
	errno = 0;
}

/**
 * SUBTEST: non-ram-nopage
 * Description: one mapping shows RAM and then the BAR, page by page; nothing is copied on write,
 *		and nothing is taken for "out of memory"
 *
 * The report of 2004. Handlers returned a struct page, and two of its values
 * meant "no page here" and "out of memory". A page of the BAR has no struct page:
 * what was computed for one lay somewhere in the kernel's memory, and a code that
 * was looked at too late was taken for such a page. Copy-on-write of it read and
 * counted in that memory.
 */
static void test_non_ram_nopage(int fd)
{
	const size_t pages = HUGE_PAGES + 40;
	const struct igt_ferry_kind *kind;
	struct igt_ferry_faults faults;

	igt_ferry_faults_start(fd, &faults);
	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		struct igt_ferry_bo bo;
		char *map;

		igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
		map = bo.map;
		for (int round = 0; round < 6; round++) {
			ferry_bo_migrate(fd, bo.handle,
					 round & 1 ? SYSTEM : APERTURE);
			/* no page: a hole beside the mapping is SIGSEGV, never SIGBUS */
			igt_assert_eq(igt_ferry_read_signal(map), 0);
			if (round)
				igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);

			/* a child's write is to the same page, and not to a copy */
			igt_fork(child, 1)
			{
				igt_ferry_fill(map, 0, pages, bo.id,
					       bo.gen + 1);
			}
			igt_waitchildren();
			bo.gen++;
			igt_ferry_bo_check(&bo);

			igt_assert(mmap(NULL, bo.size, RW, MAP_PRIVATE, fd,
					offset_of(&bo, false)) == MAP_FAILED);
			igt_assert_eq(errno, EINVAL);
			igt_assert(mmap(NULL, bo.size, PROT_READ, MAP_PRIVATE,
					fd,
					offset_of(&bo, false)) == MAP_FAILED);
			igt_assert_eq(errno, EINVAL);
			igt_ferry_audit_clean(fd, NULL);
		}
		munmap(map + PAGE, PAGE);
		igt_assert_eq(igt_ferry_write_signal(map + PAGE, 1), SIGSEGV);
		igt_ferry_bo_fini(&bo);
	}
	igt_ferry_faults_since(fd, &faults);
	igt_assert_lt_u64(0, faults.faults);
	errno = 0;
}

/* The aperture's granted attribute, and one mapping of it audited */
static uint32_t granted(uint32_t *asked)
{
	struct drm_ferry_device_query query;
	struct igt_ferry_audit audit;
	struct drm_ferry_bo_query bo_query;
	struct igt_ferry_bo bo;
	int fd = igt_ferry_open();

	ferry_device_query(fd, &query);
	igt_ferry_bo_init(&bo, fd, HUGE + PAGE, &igt_ferry_fixed_kinds[2]);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	ferry_bo_query(fd, bo.handle, &bo_query);
	igt_assert_eq_u32(bo_query.memtype, query.aperture_memtype);
	igt_ferry_audit_clean(fd, &audit);
	igt_assert_lte_u64((HUGE + PAGE) / PAGE, audit.pages);
	igt_assert(!strcmp(audit.effective,
			   igt_ferry_memtype_name(query.aperture_memtype)));
	igt_ferry_bo_fini(&bo);
	if (asked)
		*asked = query.aperture_memtype_requested;
	close(fd);
	return query.aperture_memtype;
}

/**
 * SUBTEST: pat-first-claim
 * Description: a driver that maps the BAR uncached has it before ferry, and while ferry has it
 *
 * The stock driver of the same device, to this day. It maps its BAR with plain
 * ioremap(). PAT keeps the first claim: each later mapping that asks for
 * write-combining gets what the first one has, uncached, and is told that all
 * went well. Nobody notices but by the speed.
 *
 * So: that driver comes first and goes, which must leave no trace; and then
 * somebody maps the BAR as it does and stays, which ferry must notice.
 */
static void test_pat_first_claim(int bar)
{
	uint32_t asked, before = granted(NULL);
	char options[128];
	int err;

	igt_ferry_module_unload();
	err = igt_kmod_load("bochs", "");
	if (!err)
		err = igt_kmod_unload("bochs", 0);
	igt_info("the stock driver: %s\n",
		 err ? strerror(-err) : "was here and is gone");
	igt_ferry_module_load("");
	igt_assert_eq_u32(granted(NULL), before);

	igt_ferry_module_unload();
	snprintf(options, sizeof(options), "pci=%s bar=%d",
		 igt_ferry_module_slot(), bar);
	igt_ferry_break_load(options);
	igt_ferry_module_load("");
	igt_assert_eq_u32(granted(&asked), DRM_FERRY_MEMTYPE_UC_MINUS);
	igt_assert_eq_u32(asked, DRM_FERRY_MEMTYPE_WC);
	igt_ferry_module_unload();
	igt_ferry_break_unload();
	igt_ferry_module_load("");
	igt_assert_eq_u32(granted(NULL), before);
}

/**
 * SUBTEST: writable-at-once-%s
 * Description: after a read touch a write takes no second fault, neither with huge entries nor with
 *		small ones
 *
 * Who maps pages for others, as KVM does, reads the entry that a first touch has
 * made; one that only becomes writable by another fault is of no use to them.
 *
 * arg[1]:
 *
 * @system:			cached system pages
 * @system-wc:			write-combined system pages
 * @aperture:			aperture
 * @aperture-contiguous:	one range of the aperture
 */
static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void test_writable_at_once(int fd, const struct igt_ferry_kind *kind)
{
	const size_t pages = HUGE_PAGES + 60;
	struct igt_ferry_faults faults;
	volatile char *map;
	struct igt_ferry_bo bo;
	long minor;

	igt_ferry_bo_init(&bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&bo);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
		map = bo.map;
		for (size_t page = 0; page < pages; page++)
			(void)map[page * PAGE];
		igt_ferry_faults_start(fd, &faults);
		/* this code and the stack have been here before, in the first round */
		minor = minor_faults();
		for (size_t page = 0; page < pages; page++)
			map[page * PAGE + 9] = 3;
		minor = minor_faults() - minor;
		igt_ferry_faults_since(fd, &faults);
		igt_assert_eq_u64(faults.faults, 0);
		if (i)
			igt_assert_eq(minor, 0);
	}
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: readonly-forced-%s
 * Description: what a file opened for reading maps is not written by way of /proc/self/mem either
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_readonly_forced(int fd, const struct igt_ferry_kind *kind)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	struct igt_ferry_bo bo = { .fd = ro, .size = 600 * PAGE };
	char text[64] = "written to what can only be read";
	ssize_t written;

	igt_assert_fd(mem);
	bo.handle = ferry_bo_create(ro, bo.size, kind->allowed_placements, 0,
				    kind->caching, kind->flags);
	bo.map = mmap(NULL, bo.size, PROT_READ, MAP_SHARED, ro,
		      offset_of(&bo, false));
	igt_assert(bo.map != MAP_FAILED);
	igt_ferry_bo_check(&bo);
	for (int mapped = 0; mapped < 2; mapped++) {
		written = pwrite(mem, text, sizeof(text),
				 (uintptr_t)bo.map + 5 * PAGE + 100);
		igt_assert_f(written < 0, "%zd bytes were written\n", written);
		igt_assert_eq(pread(mem, text, sizeof(text),
				    (uintptr_t)bo.map + 5 * PAGE + 100),
			      (int)sizeof(text));
		igt_ferry_bo_check(&bo);
	}
	igt_ferry_bo_fini(&bo);
	close(ro);
	close(mem);
	errno = 0;
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} seeds[] = {
	{ "mmap-offset-protocol",
	  "A mapping is touched before any ioctl for it",
	  test_mmap_offset_protocol },
	{ "pat-sparse-pfnmap", "Sparse mappings of RAM and of the BAR",
	  test_pat_sparse_pfnmap },
	{ "remap-vs-fault", "At once and page by page give the same bytes",
	  test_remap_vs_fault },
	{ "non-ram-nopage", "One mapping shows RAM and then the BAR",
	  test_non_ram_nopage },
};

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct igt_ferry_kind *kind);
} hazards[] = {
	{ "writable-at-once",
	  "After a read touch a write takes no second fault",
	  test_writable_at_once },
	{ "readonly-forced", "Nothing writes to what can only be read",
	  test_readonly_forced },
};

/* Number of the BAR that is the aperture, from debugfs */
static int aperture_bar(int fd)
{
	int dir = igt_debugfs_dir(fd), len, bar = -1;
	char buf[4096];

	igt_assert(dir >= 0);
	len = igt_debugfs_simple_read(dir, "ferry_aperture", buf,
				      sizeof(buf) - 1);
	close(dir);
	igt_assert(len > 0);
	buf[len] = '\0';
	igt_assert_eq(sscanf(buf, "bar %d", &bar), 1);
	return bar;
}

igt_main
{
	const struct igt_ferry_kind *kind;
	int fd = -1, bar = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		bar = aperture_bar(fd);
		igt_ferry_module_begin(fd);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(seeds); i++) {
		igt_describe(seeds[i].describe);
		igt_subtest(seeds[i].name)
		{
			seeds[i].run(igt_ferry_begin(fd));
		}
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(hazards); i++) {
		for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
			igt_describe(hazards[i].describe);
			igt_subtest_f("%s-%s", hazards[i].name, kind->name)
			{
				hazards[i].run(igt_ferry_begin(fd), kind);
			}
		}
	}

	igt_fixture
	{
		close(fd);
		igt_ferry_module_require();
	}

	igt_describe(
		"Pages are mapped twice, and after the module was reloaded");
	igt_subtest("nopage-multipage")
	{
		igt_ferry_clean(-1);
		igt_ferry_module_restore();
		test_nopage_multipage();
	}

	igt_describe("A driver that maps the BAR uncached comes first");
	igt_subtest("pat-first-claim")
	{
		igt_ferry_clean(-1);
		igt_ferry_module_restore();
		test_pat_first_claim(bar);
	}
}
