// SPDX-License-Identifier: MIT
/**
 * TEST: ferry regressions
 * Category: Core
 * Description: The call sequences of five old mailing-list reports, and an older mapping of the BAR
 *
 * Documentation/old-bugs.txt quotes the reports. Each subtest repeats the sequence of calls
 * of one report on other drivers.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"The call sequences of five old mailing-list reports, and an older mapping of the BAR");

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

/* Access a new mapping in threads, while ioctls move the BO. */
static void access_early(struct igt_ferry_bo *bo, size_t pages)
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
 * Description: A mapping is accessed before any ioctl for it, and outlives its file
 *
 * The report of 2006. mmap() of that driver only recorded the VMA. A later ioctl chose RAM or
 * the BAR and filled the page tables, outside of mmap(). The VMA flags that
 * remap_pfn_range() sets were lost, so that the kernel dropped page references that had not
 * been taken when it removed the mapping, and close() froze the system. A fault between
 * the two calls found a VMA without backing.
 *
 * This test accesses a mapping in threads right after mmap(), while ioctls move the BO to the
 * aperture and to system memory, and then closes the file before munmap().
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
		access_early(&bo, pages);
		for (size_t page = 0; page < pages; page++)
			for (int i = 0; i < 3; i++)
				igt_assert_eq(map[page * PAGE + i], 1);
		close(own);

		check_flags(map);
		for (size_t page = 0; page < pages; page++)
			igt_assert_eq(map[page * PAGE]++, 1);
		igt_ferry_audit_clean(fd, NULL);
		if (round & 1) {
			/* a process ends without munmap() */
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
 * Description: Sparse mappings of RAM and of the BAR, at nonzero offsets, leave PAT's reservations as they are
 *
 * The report of 2009. The kernel took each PFN mapping with a nonzero offset for a contiguous
 * range of physical memory and tracked its memory type as such. At fork() and munmap() it
 * looked up, and freed, reservations that had not been made, and warned. The driver,
 * however, inserted the PTEs one by one in its fault handler, and they pointed to RAM or
 * to the BAR, depending on the placement of the data.
 *
 * This test forks, moves, cuts and unmaps such mappings, with the BO at either placement.
 * The list of reservations must not change, and each entry must have the right memory type.
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
			/* fault in one page, move the BO, fault in another page */
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
		     "PAT has reported an error: see the kernel log\n");
	close(kmsg);
}

/* Map a BO, check each page and unmap it, as the program of the report does. */
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
 * Description: BOs of one page and more are mapped repeatedly, by two processes and after a reload
 *
 * The report of 2003. The fault handler returned pages of an allocation of two pages, and
 * took no references. Only the first page of such an allocation has a reference count:
 * munmap() of the second page freed it while the driver still used it, and the next
 * process that mapped it locked up. With one page there was no error. To reload the module
 * did not help, as the page allocator was corrupt.
 */
static void test_nopage_multipage(int fd)
{
	static const size_t sizes[] = {
		1, 2, 3, 5, 511, 512, 513, HUGE_PAGES + 2, 2 * HUGE_PAGES
	};
	const struct igt_ferry_kind *kind;
	int kmsg = igt_ferry_kmsg_open();

	for (int reload = 0; reload < 2; reload++) {
		if (reload)
			fd = igt_ferry_open();
		for (kind = igt_ferry_single_kinds; kind->name; kind++) {
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
	/* a page that was freed while in use would not be zero in one of these mappings */
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
 * Description: A populated mapping and a faulted one show the same bytes, at any offset
 *
 * A question to a mailing list. The fault handler added the offset of the mapping to a page
 * offset that included it already, so that pages from the sixth one on were out of range.
 * For these it returned NULL, which as a return code means that the fault is handled: the
 * same fault came again, forever. For the other pages it returned a pointer in place of
 * a code. The program, moreover, opened the file for reading and asked for a writable
 * private mapping.
 */
static void test_remap_vs_fault(int fd)
{
	int ro = igt_ferry_reopen(fd, O_RDONLY);
	const struct igt_ferry_kind *kind;
	struct igt_ferry_faults faults;

	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
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
					/* end a fault that is repeated forever */
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

		/* the mmap() of the report, with each of its two errors alone and with both */
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
 * Description: One mapping shows RAM and then the BAR, without copy-on-write or VM_FAULT_OOM
 *
 * The report of 2004. Fault handlers returned a struct page pointer, of which two values meant
 * "no page" and "out of memory". A page of a BAR has no struct page: the pointer that was
 * computed for one pointed to unrelated kernel memory, and an error value that was
 * checked too late was used as such a pointer. Copy-on-write read that memory and
 * changed its reference count.
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
			igt_assert_eq(igt_ferry_read_signal(map), 0);
			if (round)
				igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);

			/* a child writes to the same pages, and not to copies */
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

/* Return the effective memory type of the aperture, and have a mapping of it audited. */
static uint32_t effective_memtype(uint32_t *requested)
{
	struct drm_ferry_device_query query;
	struct igt_ferry_audit audit;
	struct drm_ferry_bo_query bo_query;
	struct igt_ferry_bo bo;
	int fd = igt_ferry_open();

	ferry_device_query(fd, &query);
	igt_ferry_bo_init(&bo, fd, HUGE + PAGE, &igt_ferry_single_kinds[2]);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	ferry_bo_query(fd, bo.handle, &bo_query);
	igt_assert_eq_u32(bo_query.memtype, query.aperture_memtype);
	igt_ferry_audit_clean(fd, &audit);
	igt_assert_lte_u64((HUGE + PAGE) / PAGE, audit.pages);
	igt_assert(!strcmp(audit.effective,
			   igt_ferry_memtype_name(query.aperture_memtype)));
	igt_ferry_bo_fini(&bo);
	if (requested)
		*requested = query.aperture_memtype_requested;
	close(fd);
	return query.aperture_memtype;
}

/**
 * SUBTEST: pat-first-claim
 * Description: ferry notices an uncached mapping of the BAR that is older than its own
 *
 * bochs, the kernel's driver of the same device, maps the BAR with ioremap(). PAT keeps the
 * memory type of the first mapping: each later mapping that requests write-combining becomes
 * uncached, without an error.
 *
 * This test loads and unloads bochs before ferry, which must have no effect. Then ferry_break
 * maps the BAR as bochs does and stays loaded, which ferry must notice.
 */
static void test_pat_first_claim(int fd)
{
	uint32_t requested, before = effective_memtype(NULL);
	struct igt_ferry_bar bar;
	char options[128];
	int err;

	igt_ferry_bar_get(fd, &bar);
	close(fd);
	igt_ferry_module_unload();
	err = igt_kmod_load("bochs", "");
	if (!err)
		err = igt_kmod_unload("bochs", 0);
	igt_info("bochs: %s\n",
		 err ? strerror(-err) : "was loaded and unloaded");
	igt_ferry_module_load("");
	igt_assert_eq_u32(effective_memtype(NULL), before);

	igt_ferry_module_unload();
	snprintf(options, sizeof(options), "pci=%s bar=%d",
		 igt_ferry_module_slot(), bar.number);
	igt_ferry_break_load(options);
	igt_ferry_module_load("");
	igt_assert_eq_u32(effective_memtype(&requested),
			  DRM_FERRY_MEMTYPE_UC_MINUS);
	igt_assert_eq_u32(requested, DRM_FERRY_MEMTYPE_WC);
	igt_ferry_module_unload();
	igt_ferry_break_unload();
	igt_ferry_module_load("");
	igt_assert_eq_u32(effective_memtype(NULL), before);
}

static const struct igt_ferry_test tests[] = {
	{ "mmap-offset-protocol",
	  "A mapping is accessed before any ioctl for it, and outlives its file",
	  test_mmap_offset_protocol },
	{ "pat-sparse-pfnmap",
	  "Sparse mappings of RAM and of the BAR, at nonzero offsets, leave PAT's reservations as they are",
	  test_pat_sparse_pfnmap },
	{ "remap-vs-fault",
	  "A populated mapping and a faulted one show the same bytes, at any offset",
	  test_remap_vs_fault },
	{ "non-ram-nopage",
	  "One mapping shows RAM and then the BAR, without copy-on-write or VM_FAULT_OOM",
	  test_non_ram_nopage },
	{}
};

static const struct igt_ferry_test module_tests[] = {
	{ "nopage-multipage",
	  "BOs of one page and more are mapped repeatedly, by two processes and after a reload",
	  test_nopage_multipage },
	{ "pat-first-claim",
	  "ferry notices an uncached mapping of the BAR that is older than its own",
	  test_pat_first_claim },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, module_tests);
}
