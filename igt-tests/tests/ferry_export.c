// SPDX-License-Identifier: MIT
/**
 * TEST: ferry export
 * Category: Core
 * Description: Importers of ferry's dma-bufs with a DMA engine: which memory they reach, moves, pins and removal
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "igt.h"

#include "ferry_edu_ioctl.h"
#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Importers of ferry's dma-bufs with a DMA engine: which memory they reach, moves, pins and removal");

/* Both devices below one switch, and each below a root port */
#define NEAR                                                            \
	"vm/run --device pcie-root-port,id=root "                       \
	"--device x3130-upstream,bus=root,id=up "                       \
	"--device xio3130-downstream,bus=up,id=down1,chassis=1,slot=1 " \
	"--device xio3130-downstream,bus=up,id=down2,chassis=2,slot=2 " \
	"--device bochs-display,bus=down1 "                             \
	"--device edu,bus=down2,dma_mask=0xffffffffffffffff"
#define FAR                                                  \
	"vm/run --device pcie-root-port,id=root1,chassis=1 " \
	"--device pcie-root-port,id=root2,chassis=2 "        \
	"--device bochs-display,bus=root1 "                  \
	"--device edu,bus=root2,dma_mask=0xffffffffffffffff"

#define BOUNCE                           \
	"vm/run --append swiotlb=force " \
	"--device bochs-display "        \
	"--device edu,dma_mask=0xffffffffffffffff"

#define PAGES 24
#define SIZE (PAGES * PAGE)
#define BYTES FERRY_EDU_BYTES

static const struct igt_ferry_kind aperture = { "aperture",
						FERRY_PLACEMENT_BOTH, APERTURE,
						0, 0 };

/* The open file of the importer; a subtest that skips leaves it. */
static int edu_file = -1;

static int __edu(int file, uint32_t op, struct ferry_edu_args *args)
{
	int err;

	args->op = op;
	err = ioctl(file, FERRY_EDU_IOCTL, args) ? -errno : 0;
	errno = 0;
	return err;
}

static void edu(int file, uint32_t op)
{
	struct ferry_edu_args args = {};

	igt_assert_eq(__edu(file, op, &args), 0);
}

static int edu_error(int file, uint32_t op)
{
	struct ferry_edu_args args = {};

	return __edu(file, op, &args);
}

static void edu_at(int file, uint32_t op, uint64_t offset)
{
	struct ferry_edu_args args = { .offset = offset };

	igt_assert_eq(__edu(file, op, &args), 0);
}

/* Map the dma-buf and return the first DMA address. */
static uint64_t edu_map(int file)
{
	struct ferry_edu_args args = {};

	igt_assert_eq(__edu(file, FERRY_EDU_MAP, &args), 0);
	return args.address;
}

static unsigned int edu_moves(int file)
{
	struct ferry_edu_args args = {};

	igt_assert_eq(__edu(file, FERRY_EDU_STATE, &args), 0);
	return args.moves;
}

static bool edu_reaches(int file)
{
	struct ferry_edu_args args = {};

	igt_assert_eq(__edu(file, FERRY_EDU_STATE, &args), 0);
	return args.peer2peer;
}

/* Read a part of the dma-buf by DMA, and check that it is the beginning of @page of @bo. */
static void edu_check(int file, const struct igt_ferry_bo *bo, size_t page)
{
	struct ferry_edu_args args = { .offset = page * PAGE };
	char *expected = malloc(PAGE);

	igt_assert(expected);
	igt_ferry_fill(expected, page, 1, bo->id, bo->gen);
	igt_assert_eq(__edu(file, FERRY_EDU_READ, &args), 0);
	igt_assert_eq(__edu(file, FERRY_EDU_LOAD, &args), 0);
	igt_assert_f(!memcmp(args.data, expected, BYTES),
		     "DMA read other bytes than those of page %zu\n", page);
	free(expected);
}

/* Write all of @page by DMA, so that the CPU sees the next generation of @bo there. */
static void edu_fill(int file, struct igt_ferry_bo *bo, size_t page)
{
	struct ferry_edu_args args = {};
	char *data = malloc(PAGE);

	igt_assert(data);
	igt_ferry_fill(data, page, 1, bo->id, bo->gen + 1);
	for (unsigned int half = 0; half < PAGE / BYTES; half++) {
		memcpy(args.data, data + half * BYTES, BYTES);
		igt_assert_eq(__edu(file, FERRY_EDU_STORE, &args), 0);
		args.offset = page * PAGE + half * BYTES;
		igt_assert_eq(__edu(file, FERRY_EDU_WRITE, &args), 0);
	}
	free(data);
	igt_ferry_check((char *)bo->map + page * PAGE, page, 1, bo->id,
			bo->gen + 1);
	igt_ferry_fill((char *)bo->map + page * PAGE, page, 1, bo->id, bo->gen);
}

/* Close the importer, which detaches it, and unload its module. */
static void unload_edu(void)
{
	if (edu_file >= 0)
		close(edu_file);
	edu_file = -1;
	syscall(SYS_delete_module, "ferry_edu", O_NONBLOCK);
}

static void unload_at_exit(int sig __attribute__((unused)))
{
	unload_edu();
}

/* Open the importer, or skip. */
static int open_edu(const char *options, const char *machine)
{
	unload_edu();
	errno = 0;
	igt_ferry_test_module_load("ferry_edu", options);
	edu_file = open("/dev/ferry_edu", O_RDWR | O_CLOEXEC);
	igt_require_f(edu_file >= 0, "no edu device with a DMA engine: %s\n",
		      machine);
	return edu_file;
}

static int try_attach(int file, int prime, uint32_t flags)
{
	struct ferry_edu_args args = { .fd = prime, .flags = flags };

	return __edu(file, FERRY_EDU_ATTACH, &args);
}

/**
 * struct shared - a BO in the aperture that the DMA engine has attached
 */
struct shared {
	struct igt_ferry_bo bo;
	int prime;
	int file;
};

static void share_in(const char *machine, struct shared *shared, int fd,
		     uint32_t flags)
{
	shared->file = open_edu("", machine);
	igt_ferry_bo_init(&shared->bo, fd, SIZE, &aperture);
	igt_ferry_bo_fill(&shared->bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, shared->bo.handle,
					 DRM_RDWR | DRM_CLOEXEC,
					 &shared->prime),
		      0);
	igt_assert_eq(try_attach(shared->file, shared->prime, flags), 0);
}

static void share(struct shared *shared, int fd, uint32_t flags)
{
	share_in(FAR, shared, fd, flags);
}

static void unshare(struct shared *shared)
{
	unload_edu();
	close(shared->prime);
	if (shared->bo.map)
		igt_ferry_bo_fini(&shared->bo);
	errno = 0;
}

/* The same with an importer that reaches the aperture, or skip. */
static void share_near(struct shared *shared, int fd, uint32_t flags)
{
	igt_require_f(
		!system("grep -qw pci_p2pdma_distance_many /proc/kallsyms"),
		"this kernel has no peer-to-peer DMA (CONFIG_PCI_P2PDMA): use Linux 7.x\n");
	share_in(NEAR, shared, fd, flags);
	igt_require_f(edu_reaches(shared->file),
		      "needs peer-to-peer DMA below one switch: " NEAR "\n");
}

/**
 * SUBTEST: system-%s
 * Description: An importer that does not reach the aperture reads and writes the BO in system memory
 *
 * arg[1].values: static, dynamic
 */
static void run_system(int fd, uint32_t flags)
{
	struct shared s;

	share(&s, fd, flags);
	igt_assert(!edu_reaches(s.file));
	edu_map(s.file);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), SYSTEM);
	edu_check(s.file, &s.bo, 0);
	edu_check(s.file, &s.bo, PAGES - 1);
	edu_fill(s.file, &s.bo, 3);
	igt_ferry_bo_check(&s.bo);
	if (!(flags & FERRY_EDU_DYNAMIC))
		igt_assert_eq(__ferry_bo_migrate(fd, s.bo.handle, APERTURE),
			      -EBUSY);
	edu(s.file, FERRY_EDU_DETACH);
	ferry_bo_migrate(fd, s.bo.handle, APERTURE);
	igt_ferry_bo_check(&s.bo);
	unshare(&s);
}

static void test_system_static(int fd)
{
	run_system(fd, 0);
}

static void test_system_dynamic(int fd)
{
	run_system(fd, FERRY_EDU_DYNAMIC);
}

/* Before 7.0 a kernel option decides whether a mapping keeps the BO from moving. */
static void require_moves(struct shared *shared, int fd)
{
	edu_map(shared->file);
	igt_require_f(
		!__ferry_bo_migrate(fd, shared->bo.handle,
				    ferry_bo_placement(fd, shared->bo.handle) ==
						    SYSTEM ?
					    APERTURE :
					    SYSTEM),
		"the kernel pins what is mapped (no CONFIG_DMABUF_MOVE_NOTIFY)\n");
}

/**
 * SUBTEST: moves
 * Description: An importer that can be told of moves does not keep a BO from moving, is told of each, and then maps it where it is
 */
static void test_moves(int fd)
{
	struct shared s;
	unsigned int moves;

	share(&s, fd, FERRY_EDU_DYNAMIC);
	require_moves(&s, fd);
	for (int round = 0; round < 3; round++) {
		edu_check(s.file, &s.bo, round);
		igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), SYSTEM);
		moves = edu_moves(s.file);
		ferry_bo_migrate(fd, s.bo.handle, APERTURE);
		igt_assert_lt(moves, edu_moves(s.file));
		igt_ferry_bo_fill(&s.bo);
	}
	edu_fill(s.file, &s.bo, 7);
	igt_ferry_bo_check(&s.bo);
	unshare(&s);
}

/**
 * SUBTEST: moves-ignored-system
 * Description: An importer that ignores a move to the aperture accesses pages of this BO only, also under memory pressure
 */
static void test_moves_ignored_system(int fd)
{
	struct ferry_edu_args args = { .offset = 5 * PAGE };
	struct igt_ferry_bo old;
	struct shared s;
	char *expected = malloc(PAGE);

	share(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_IGNORE);
	require_moves(&s, fd);
	ferry_bo_migrate(fd, s.bo.handle, SYSTEM);
	edu(s.file, FERRY_EDU_UNMAP);
	edu_map(s.file);
	old = s.bo;
	ferry_bo_migrate(fd, s.bo.handle, APERTURE);
	igt_ferry_bo_fill(&s.bo);
	igt_ferry_drop_caches();
	igt_ferry_fill(expected, 5, 1, old.id, old.gen);
	igt_assert_eq(__edu(s.file, FERRY_EDU_READ, &args), 0);
	igt_assert_eq(__edu(s.file, FERRY_EDU_LOAD, &args), 0);
	igt_assert_f(!memcmp(args.data, expected, BYTES),
		     "the pages were freed while they were mapped\n");
	memset(args.data, 0x5a, BYTES);
	igt_assert_eq(__edu(s.file, FERRY_EDU_STORE, &args), 0);
	igt_assert_eq(__edu(s.file, FERRY_EDU_WRITE, &args), 0);
	igt_ferry_bo_check(&s.bo);
	free(expected);
	unshare(&s);
}

/**
 * SUBTEST: near
 * Description: An importer below the same switch reads and writes a BO that stays in the aperture, and no CPU copies it
 */
static void test_near(int fd)
{
	static const char *const names[] = { "bytes_to_system",
					     "bytes_to_aperture" };
	uint64_t before[2], after[2], address;
	struct igt_ferry_bar bar;
	struct shared s;

	share_near(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER);
	igt_ferry_bar_get(fd, &bar);
	igt_ferry_stats(fd, names, before, 2);
	address = edu_map(s.file);
	igt_assert_f(address >= bar.base && address < bar.base + bar.size,
		     "0x%llx is not in the BAR\n", (long long)address);
	edu_check(s.file, &s.bo, 0);
	edu_check(s.file, &s.bo, PAGES - 1);
	edu_fill(s.file, &s.bo, 9);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), APERTURE);
	igt_ferry_stats(fd, names, after, 2);
	igt_assert_eq(memcmp(before, after, sizeof(before)), 0);
	igt_ferry_bo_check(&s.bo);

	/* and after a move to system memory and back */
	ferry_bo_migrate(fd, s.bo.handle, SYSTEM);
	edu_check(s.file, &s.bo, 2);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), SYSTEM);
	ferry_bo_migrate(fd, s.bo.handle, APERTURE);
	edu_check(s.file, &s.bo, 2);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), APERTURE);
	unshare(&s);
}

/**
 * SUBTEST: near-scattered
 * Description: Peer-to-peer DMA reads the right bytes of a BO that is scattered in the aperture
 */
static void test_near_scattered(int fd)
{
	struct igt_ferry_bo fill[16], bo;
	struct shared s;

	share_near(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER);
	edu(s.file, FERRY_EDU_DETACH);
	close(s.prime);
	igt_ferry_bo_fini(&s.bo);

	/* every other MiB of the aperture is free */
	for (int i = 0; i < 16; i++)
		if (__igt_ferry_bo_init(&fill[i], fd, 1 << 20, &aperture))
			break;
	for (int i = 1; i < 14; i += 2)
		igt_ferry_bo_fini(&fill[i]);
	igt_ferry_bo_init(&bo, fd, 5 << 20, &aperture);
	igt_ferry_bo_fill(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR | DRM_CLOEXEC,
					 &s.prime),
		      0);
	igt_assert_eq(try_attach(s.file, s.prime,
				 FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER),
		      0);
	for (size_t page = 0; page < (5 << 20) / PAGE; page += 255)
		edu_check(s.file, &bo, page);
	igt_assert_eq_u32(ferry_bo_placement(fd, bo.handle), APERTURE);
	s.bo = bo;
	unshare(&s);
}

/**
 * SUBTEST: far
 * Description: An importer behind another root port gets the BO in system memory although it accepts peer-to-peer addresses
 */
static void test_far(int fd)
{
	struct shared s;

	share(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER);
	igt_require_f(!edu_reaches(s.file),
		      "the devices are below one switch: " FAR "\n");
	edu_check(s.file, &s.bo, 4);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), SYSTEM);
	edu_fill(s.file, &s.bo, 4);
	igt_ferry_bo_check(&s.bo);
	unshare(&s);
}

/**
 * SUBTEST: near-mask
 * Description: An importer whose DMA mask does not cover the BAR gets the BO in system memory
 */
static void test_near_mask(int fd)
{
	struct shared s;

	share_near(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER);
	s.file = open_edu("mask_bits=31", FAR);
	igt_assert_eq(try_attach(s.file, s.prime,
				 FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER),
		      0);
	igt_assert(!edu_reaches(s.file));
	edu_check(s.file, &s.bo, 4);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), SYSTEM);
	unshare(&s);
}

/**
 * SUBTEST: near-moves-ignored
 * Description: An importer that ignores a move out of the aperture never reads or writes memory of another BO there
 */
static void test_near_moves_ignored(int fd)
{
	struct ferry_edu_args args = { .offset = 5 * PAGE };
	uint64_t free_before, free_after;
	char *expected = malloc(PAGE);
	struct igt_ferry_bo others[64];
	unsigned int count;
	struct shared s;

	share_near(&s, fd,
		   FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER | FERRY_EDU_IGNORE);
	edu_map(s.file);
	igt_ferry_fill(expected, 5, 1, s.bo.id, s.bo.gen);
	ferry_bo_migrate(fd, s.bo.handle, SYSTEM);
	igt_assert_lt(0, edu_moves(s.file));

	/* fill the aperture with BOs of the same size */
	free_before = igt_ferry_aperture_free(fd);
	for (count = 0; count < ARRAY_SIZE(others); count++) {
		igt_ferry_bo_init(&others[count], fd, SIZE, &aperture);
		igt_ferry_bo_fill(&others[count]);
	}
	igt_assert_eq(__edu(s.file, FERRY_EDU_READ, &args), 0);
	igt_assert_eq(__edu(s.file, FERRY_EDU_LOAD, &args), 0);
	igt_assert_f(!memcmp(args.data, expected, BYTES),
		     "the importer read memory that was used again\n");
	memset(args.data, 0x5a, BYTES);
	igt_assert_eq(__edu(s.file, FERRY_EDU_STORE, &args), 0);
	igt_assert_eq(__edu(s.file, FERRY_EDU_WRITE, &args), 0);
	for (unsigned int i = 0; i < count; i++) {
		igt_ferry_bo_check(&others[i]);
		igt_ferry_bo_fini(&others[i]);
	}
	igt_ferry_bo_check(&s.bo);

	/* the memory is free again once it is unmapped */
	edu(s.file, FERRY_EDU_UNMAP);
	free_after = igt_ferry_aperture_free(fd);
	igt_assert_eq_u64(free_after, free_before + SIZE);
	free(expected);
	unshare(&s);
}

/**
 * SUBTEST: near-pin
 * Description: An importer that reaches the aperture can pin a BO there; it does not move until it is unpinned
 */
static void test_near_pin(int fd)
{
	struct shared s;

	share_near(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER);
	edu(s.file, FERRY_EDU_PIN);
	igt_assert_eq_u32(ferry_bo_placement(fd, s.bo.handle), APERTURE);
	igt_assert_eq(__ferry_bo_migrate(fd, s.bo.handle, SYSTEM), -EBUSY);
	edu_check(s.file, &s.bo, 1);
	edu(s.file, FERRY_EDU_UNPIN);
	ferry_bo_migrate(fd, s.bo.handle, SYSTEM);
	edu(s.file, FERRY_EDU_PIN);
	igt_assert_eq(__ferry_bo_migrate(fd, s.bo.handle, APERTURE), -EBUSY);
	unshare(&s);
}

/**
 * SUBTEST: near-pin-unplug
 * Description: Unbinding the device moves a BO that an importer has pinned and mapped in the aperture, notifies the importer, and does not wait for it
 */
static void test_near_pin_unplug(int fd)
{
	struct shared s;
	int kmsg;

	share_near(&s, fd, FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER);
	kmsg = igt_ferry_kmsg_open();
	edu(s.file, FERRY_EDU_PIN);
	edu_map(s.file);
	igt_ferry_module_must_unbind();
	igt_assert(!igt_ferry_kmsg_has(kmsg, "are lost"));
	igt_assert_lt(0, edu_moves(s.file));
	igt_ferry_bo_check(&s.bo);
	edu_check(s.file, &s.bo, 6);
	edu(s.file, FERRY_EDU_UNPIN);
	close(kmsg);
	close(s.prime);
	igt_assert_eq(munmap(s.bo.map, SIZE), 0);
	close(fd);
	unload_edu();
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: unplug-%s
 * Description: An importer that is attached when the device is unbound goes on using the BO, and can detach later
 *
 * arg[1].values: static, dynamic
 */
static void run_unplug(int fd, uint32_t flags)
{
	struct shared s;

	share(&s, fd, flags);
	edu_map(s.file);
	igt_ferry_module_must_unbind();
	igt_ferry_bo_check(&s.bo);
	edu_check(s.file, &s.bo, 6);
	igt_assert_eq(munmap(s.bo.map, SIZE), 0);
	close(s.prime);
	close(fd);
	edu_check(s.file, &s.bo, 7);
	igt_ferry_module_must_bind();
	edu_check(s.file, &s.bo, 8);
	unload_edu();
	igt_ferry_module_check_works();
}

static void test_unplug_static(int fd)
{
	run_unplug(fd, 0);
}

static void test_unplug_dynamic(int fd)
{
	run_unplug(fd, FERRY_EDU_DYNAMIC);
}

/**
 * SUBTEST: aperture-only
 * Description: An aperture-only BO can be exported, and used by importers that reach it; all others get EINVAL
 */
static void test_aperture_only(int fd)
{
	static const struct igt_ferry_kind only = { "only", APERTURE, APERTURE,
						    0, 0 };
	struct igt_ferry_bo bo;
	int file = open_edu("", FAR), prime;

	igt_ferry_bo_init(&bo, fd, SIZE, &only);
	igt_ferry_bo_fill(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR | DRM_CLOEXEC,
					 &prime),
		      0);
	/* 6.12 maps and pins for a static importer in attach, later kernels in map */
	if (!try_attach(file, prime, 0)) {
		igt_assert_eq(edu_error(file, FERRY_EDU_MAP), -EINVAL);
		edu(file, FERRY_EDU_DETACH);
	}
	igt_assert_eq(try_attach(file, prime, FERRY_EDU_DYNAMIC), 0);
	igt_assert_eq(edu_error(file, FERRY_EDU_MAP), -EINVAL);
	igt_assert_eq(edu_error(file, FERRY_EDU_PIN), -EINVAL);
	edu(file, FERRY_EDU_DETACH);
	igt_assert_eq(try_attach(file, prime,
				 FERRY_EDU_DYNAMIC | FERRY_EDU_PEER2PEER),
		      0);
	if (edu_reaches(file))
		edu_check(file, &bo, 3);
	else
		igt_assert_eq(edu_error(file, FERRY_EDU_MAP), -EINVAL);
	igt_ferry_bo_check(&bo);
	close(prime);
	igt_ferry_bo_fini(&bo);
	unload_edu();
	errno = 0;
}

/**
 * SUBTEST: closed-handle
 * Description: An importer that maps after the exporter has closed its handle and migrated the BO before gets the right bytes
 */
static void test_closed_handle(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos");
	struct shared s;

	share(&s, fd, FERRY_EDU_DYNAMIC);
	ferry_bo_migrate(fd, s.bo.handle, APERTURE);
	gem_close(fd, s.bo.handle);
	edu_check(s.file, &s.bo, 3);
	igt_ferry_bo_check(&s.bo);
	edu_fill(s.file, &s.bo, 3);
	igt_assert_eq(munmap(s.bo.map, SIZE), 0);
	close(s.prime);
	edu_check(s.file, &s.bo, 4);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 1);
	s.bo.map = NULL;
	unshare(&s);
	igt_ferry_wait_stat(fd, "bos", bos);
}

static void sync_cpu(int prime, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	igt_assert_eq(ioctl(prime, DMA_BUF_IOCTL_SYNC, &sync), 0);
}

static bool has_cmdline(const char *word)
{
	FILE *file = fopen("/proc/cmdline", "r");
	char text[4096] = "";

	igt_assert(file);
	igt_assert(fgets(text, sizeof(text), file));
	fclose(file);
	return strstr(text, word);
}

/**
 * SUBTEST: bounce
 * Description: An importer that needs bounce buffers and CPU see each other's writes if the CPU's accesses are bracketed
 */
static void test_bounce(int fd)
{
	struct ferry_edu_args args = {};
	struct shared s;
	char *page;

	igt_require_f(has_cmdline("swiotlb=force"),
		      "needs bounce buffers: " BOUNCE "\n");
	share(&s, fd, 0);
	edu_map(s.file);
	page = (char *)s.bo.map + 5 * PAGE;

	sync_cpu(s.prime, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	igt_ferry_bo_fill(&s.bo);
	sync_cpu(s.prime, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	edu_check(s.file, &s.bo, 5);

	memset(args.data, 0x77, BYTES);
	igt_assert_eq(__edu(s.file, FERRY_EDU_STORE, &args), 0);
	edu_at(s.file, FERRY_EDU_WRITE, 5 * PAGE);
	sync_cpu(s.prime, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	igt_assert_eq(memcmp(page, args.data, BYTES), 0);
	sync_cpu(s.prime, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	unshare(&s);
}

static const struct igt_ferry_test tests[] = {
	{ "system-static",
	  "An importer that does not reach the aperture reads and writes the BO in system memory",
	  test_system_static },
	{ "system-dynamic",
	  "An importer that does not reach the aperture reads and writes the BO in system memory",
	  test_system_dynamic },
	{ "moves",
	  "An importer that can be told of moves does not keep a BO from moving, is told of each, and then maps it where it is",
	  test_moves },
	{ "moves-ignored-system",
	  "An importer that ignores a move to the aperture accesses pages of this BO only, also under memory pressure",
	  test_moves_ignored_system },
	{ "near",
	  "An importer below the same switch reads and writes a BO that stays in the aperture, and no CPU copies it",
	  test_near },
	{ "near-scattered",
	  "Peer-to-peer DMA reads the right bytes of a BO that is scattered in the aperture",
	  test_near_scattered },
	{ "far",
	  "An importer behind another root port gets the BO in system memory although it accepts peer-to-peer addresses",
	  test_far },
	{ "near-mask",
	  "An importer whose DMA mask does not cover the BAR gets the BO in system memory",
	  test_near_mask },
	{ "near-moves-ignored",
	  "An importer that ignores a move out of the aperture never reads or writes memory of another BO there",
	  test_near_moves_ignored },
	{ "near-pin",
	  "An importer that reaches the aperture can pin a BO there; it does not move until it is unpinned",
	  test_near_pin },
	{ "aperture-only",
	  "An aperture-only BO can be exported, and used by importers that reach it; all others get EINVAL",
	  test_aperture_only },
	{ "closed-handle",
	  "An importer that maps after the exporter has closed its handle and migrated the BO before gets the right bytes",
	  test_closed_handle },
	{ "bounce",
	  "An importer that needs bounce buffers and CPU see each other's writes if the CPU's accesses are bracketed",
	  test_bounce },
	{}
};

static const struct igt_ferry_test module_tests[] = {
	{ "near-pin-unplug",
	  "Unbinding the device moves a BO that an importer has pinned and mapped in the aperture, notifies the importer, and does not wait for it",
	  test_near_pin_unplug },
	{ "unplug-static",
	  "An importer that is attached when the device is unbound goes on using the BO, and can detach later",
	  test_unplug_static },
	{ "unplug-dynamic",
	  "An importer that is attached when the device is unbound goes on using the BO, and can detach later",
	  test_unplug_dynamic },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		igt_install_exit_handler(unload_at_exit);
	}
	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, module_tests);
}
