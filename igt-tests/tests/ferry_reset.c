// SPDX-License-Identifier: MIT
/**
 * TEST: ferry reset
 * Category: Core
 * Description: Resets and PCI errors of the device while BOs are in the aperture and mapped
 */
#include <fcntl.h>
#include <limits.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION(
	"Resets and PCI errors of the device while BOs are in the aperture and mapped");

#define RESETTABLE "vm/run --hotplug --device secondary-vga"
#define MAX_BOS 8
#define CLIENTS 3
#define RESETS 5

/**
 * struct bos - BOs in the aperture with known contents
 * @bo: the BOs, mapped
 * @only: the BO may be in the aperture only
 * @count: number of BOs
 */
struct bos {
	struct igt_ferry_bo bo[MAX_BOS];
	bool only[MAX_BOS];
	unsigned int count;
};

static void bos_add(struct bos *bos, int fd, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo *bo = &bos->bo[bos->count];

	igt_assert(bos->count < MAX_BOS);
	igt_ferry_bo_init(bo, fd, 300 * PAGE, kind);
	igt_ferry_bo_fill(bo);
	if (kind->allowed_placements == FERRY_PLACEMENT_BOTH)
		ferry_bo_migrate(fd, bo->handle, APERTURE);
	bos->only[bos->count++] = kind->allowed_placements == APERTURE;
}

static void bos_init(struct bos *bos, int fd)
{
	const struct igt_ferry_kind *kind;

	memset(bos, 0, sizeof(*bos));
	for (kind = igt_ferry_single_kinds; kind->name; kind++)
		if (kind->allowed_placements == APERTURE)
			bos_add(bos, fd, kind);
	for (kind = igt_ferry_movable_kinds; kind->name; kind++)
		bos_add(bos, fd, kind);
}

static void bos_fini(struct bos *bos)
{
	for (unsigned int i = 0; i < bos->count; i++)
		igt_ferry_bo_fini(&bos->bo[i]);
}

static void check_placements(const struct bos *bos)
{
	for (unsigned int i = 0; i < bos->count; i++)
		if (bos->only[i])
			igt_assert_eq(ferry_bo_placement(bos->bo[i].fd,
							 bos->bo[i].handle),
				      APERTURE);
}

/* Write and verify a BO through its mapping, and move it, until @stop. */
static void client(int fd, int number, volatile bool *stop,
		   volatile unsigned long *refused)
{
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, fd, 40 * PAGE,
			  &igt_ferry_movable_kinds[number % 2]);
	igt_ferry_bo_fill(&bo);
	while (!*stop) {
		int err = __ferry_bo_migrate(fd, bo.handle, APERTURE);

		if (err) {
			igt_assert_eq(err, -EIO);
			__atomic_add_fetch(refused, 1, __ATOMIC_RELAXED);
		}
		for (int n = 0; n < 5; n++) {
			igt_ferry_bo_check(&bo);
			igt_ferry_bo_fill(&bo);
		}
	}
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

static void picture(char *sum, size_t size)
{
	FILE *pipe = popen("vm-host picture", "r");

	igt_assert(pipe);
	igt_assert(fgets(sum, size, pipe));
	igt_assert_eq(pclose(pipe), 0);
}

/**
 * SUBTEST: reset
 * Description: BOs that are mapped keep their contents during and after a reset, and the picture is the same
 */
static void test_reset(int fd)
{
	char path[PATH_MAX], before[128], after[128];
	volatile struct {
		bool stop;
		unsigned long refused;
	} * shared;
	struct bos bos;
	struct kms kms;
	struct fb fb;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset",
		 igt_ferry_module_slot());
	igt_require_f(
		!access(path, W_OK),
		"the device cannot be reset, as it is on the root bus: " RESETTABLE
		"\n");
	igt_ferry_require_display(fd);
	igt_require_f(!system("command -v vm-host > /dev/null"),
		      "no vm-host to compare pictures with\n");
	bos_init(&bos, fd);
	kms_init(&kms, fd);
	fb_init(&fb, &kms, &fb_system, &kms.mode);
	igt_ferry_bo_fill(&fb.bo);
	igt_assert_eq(show(&kms, &fb, &kms.mode), 0);
	picture(before, sizeof(before));
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(shared != MAP_FAILED);
	igt_fork(child, CLIENTS) client(igt_ferry_reopen(fd, O_RDWR), child,
					&shared->stop, &shared->refused);
	for (int i = 0; i < RESETS; i++) {
		usleep(100000);
		igt_ferry_must_write_file(path, "1");
		check_placements(&bos);
		for (unsigned int n = 0; n < bos.count; n++) {
			igt_ferry_bo_check(&bos.bo[n]);
			igt_ferry_bo_fill(&bos.bo[n]);
			ferry_bo_migrate(fd, bos.bo[n].handle, APERTURE);
		}
		igt_assert(pinned(&fb));
		igt_ferry_bo_check(&fb.bo);
	}
	shared->stop = true;
	igt_waitchildren_timeout(60, "clients during a reset");
	picture(after, sizeof(after));
	igt_assert_f(!strcmp(before, after), "another picture: %s, before %s",
		     after, before);
	igt_info("%lu moves were refused during %d resets\n", shared->refused,
		 RESETS);
	off(&kms);
	fb_fini(&fb);
	drmModeFreeConnector(kms.connector);
	bos_fini(&bos);
	munmap((void *)shared, PAGE);
	close(fd);
}

/* Assert that every byte is zero, through the mapping of the BO. */
static void check_lost(const struct igt_ferry_bo *bo)
{
	const uint64_t *word = bo->map;

	for (size_t i = 0; i < bo->size / sizeof(*word); i++)
		igt_assert_eq_u64(word[i], 0);
}

static void check_error(int fd, const char *kind)
{
	char options[128];
	struct bos bos;
	int kmsg;

	bos_init(&bos, fd);
	kmsg = igt_ferry_kmsg_open();
	snprintf(options, sizeof(options), "pci=%s error=%s",
		 igt_ferry_module_slot(), kind);
	igt_ferry_break_load(options);
	igt_assert(
		igt_ferry_kmsg_has(kmsg, "contents of the aperture are lost"));
	close(kmsg);
	for (unsigned int n = 0; n < bos.count; n++) {
		igt_assert_eq(__ferry_bo_migrate(fd, bos.bo[n].handle,
						 APERTURE),
			      -EIO);
		check_lost(&bos.bo[n]);
		igt_ferry_bo_fill(&bos.bo[n]);
		igt_ferry_bo_check(&bos.bo[n]);
	}
	igt_ferry_break_unload();
	check_placements(&bos);
	for (unsigned int n = 0; n < bos.count; n++) {
		igt_ferry_bo_check(&bos.bo[n]);
		ferry_bo_migrate(fd, bos.bo[n].handle, APERTURE);
		igt_ferry_bo_check(&bos.bo[n]);
	}
	bos_fini(&bos);
	igt_ferry_module_exercise(fd);
	close(fd);
}

/**
 * SUBTEST: error
 * Description: After a PCI error BOs of the aperture read as zero, and after the slot reset the aperture works
 */
static void test_error(int fd)
{
	check_error(fd, "1");
}

/**
 * SUBTEST: error-dead
 * Description: The same if the device does not decode its memory until the slot reset
 */
static void test_error_dead(int fd)
{
	check_error(fd, "2");
}

/**
 * SUBTEST: dead
 * Description: Moves fail with EIO and lose nothing if the device stops decoding its memory
 */
static void test_dead(int fd)
{
	struct igt_ferry_bo in, out;
	char options[128];
	int kmsg;

	igt_ferry_bo_init(&in, fd, 300 * PAGE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&in);
	ferry_bo_migrate(fd, in.handle, APERTURE);
	igt_ferry_bo_init(&out, fd, 300 * PAGE, &igt_ferry_movable_kinds[0]);
	igt_ferry_bo_fill(&out);
	kmsg = igt_ferry_kmsg_open();
	snprintf(options, sizeof(options), "pci=%s error=3",
		 igt_ferry_module_slot());
	igt_ferry_break_load(options);
	igt_assert_eq(__ferry_bo_migrate(fd, in.handle, SYSTEM), -EIO);
	igt_assert_eq(__ferry_bo_migrate(fd, out.handle, APERTURE), -EIO);
	igt_ferry_bo_check(&out);
	igt_assert(igt_ferry_kmsg_has(kmsg, "does not decode its memory"));
	igt_assert(!igt_ferry_kmsg_has(kmsg, "does not decode its memory"));
	close(kmsg);
	igt_ferry_break_unload();
	igt_ferry_bo_check(&in);
	ferry_bo_migrate(fd, in.handle, SYSTEM);
	igt_ferry_bo_check(&in);
	ferry_bo_migrate(fd, out.handle, APERTURE);
	igt_ferry_bo_check(&out);
	igt_ferry_bo_fini(&in);
	igt_ferry_bo_fini(&out);
	close(fd);
}

static const struct igt_ferry_test tests[] = {
	{ "reset",
	  "BOs that are mapped keep their contents during and after a reset, and the picture is the same",
	  test_reset },
	{ "error",
	  "After a PCI error BOs of the aperture read as zero, and after the slot reset the aperture works",
	  test_error },
	{ "error-dead",
	  "The same if the device does not decode its memory until the slot reset",
	  test_error_dead },
	{ "dead",
	  "Moves fail with EIO and lose nothing if the device stops decoding its memory",
	  test_dead },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
