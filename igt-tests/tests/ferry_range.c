// SPDX-License-Identifier: MIT
/**
 * TEST: ferry range
 * Category: Core
 * Description: Parameters of single devices, and a BAR of which only a part is the aperture
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_footprint.h"
#include "igt_ferry_module.h"
#include "igt_ferry_pci.h"

IGT_TEST_DESCRIPTION(
	"Parameters of single devices, and a BAR of which only a part is the aperture");

#define OFFSET (4ull << 20)
#define SIZE (8ull << 20)

/**
 * struct card - a PCI device without a driver whose BAR is memory
 * @slot: its PCI address
 * @bars: its BARs
 */
struct card {
	char slot[NAME_MAX + 1];
	struct igt_ferry_pci_bars bars;
};

static void card_find(struct card *card)
{
	igt_require_f(igt_ferry_pci_find(IGT_FERRY_PCI_WITH_MEMORY, card->slot,
					 sizeof(card->slot)),
		      "no PCI device without a driver has memory in its BAR: "
		      "add one, such as QEMU's nvme,cmb_size_mb=16\n");
	igt_ferry_pci_get_bars(card->slot, &card->bars);
	igt_require_f(card->bars.best_size > OFFSET + SIZE,
		      "the BAR has %" PRIu64 " bytes\n", card->bars.best_size);
	igt_info("%s, BAR %d\n", card->slot, card->bars.best);
}

static volatile uint64_t *card_map(const struct card *card)
{
	char path[PATH_MAX];
	void *map;
	int file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d",
		 card->slot, card->bars.best);
	file = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(file);
	map = mmap(NULL, card->bars.best_size, PROT_READ | PROT_WRITE,
		   MAP_SHARED, file, 0);
	close(file);
	igt_assert(map != MAP_FAILED);
	return map;
}

static bool in_range(uint64_t offset)
{
	return offset >= OFFSET && offset < OFFSET + SIZE;
}

static uint64_t mark(uint64_t offset)
{
	return 0x6d61726b00000000ull | offset;
}

/* Write to the first word of each page of the BAR, or count those that changed. */
static void write_marks(const struct card *card)
{
	volatile uint64_t *map = card_map(card);

	for (uint64_t at = 0; at < card->bars.best_size; at += PAGE)
		map[at / sizeof(*map)] = mark(at);
	munmap((void *)map, card->bars.best_size);
}

static uint64_t count_changes(const struct card *card, bool inside)
{
	volatile uint64_t *map = card_map(card);
	uint64_t changed = 0;

	for (uint64_t at = 0; at < card->bars.best_size; at += PAGE)
		if (in_range(at) == inside)
			changed += map[at / sizeof(*map)] != mark(at);
	munmap((void *)map, card->bars.best_size);
	return changed;
}

/* Load ferry with an option in which "%s" stands for the address of the card, and bind the card. */
static int card_bind(const struct card *card, const char *format)
{
	char option[128], path[PATH_MAX];
	int err;

	igt_ferry_module_unload();
	snprintf(option, sizeof(option), format, card->slot);
	igt_ferry_module_load(option);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 card->slot);
	igt_ferry_must_write_file(path, "ferry");
	err = igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/bind", card->slot);
	igt_ferry_write_file(path, "\n");
	return err;
}

static void card_unbind(const struct card *card)
{
	igt_ferry_must_write_file(IGT_FERRY_DRIVER_DIR "/unbind", card->slot);
}

static void finish(void)
{
	igt_ferry_module_unload();
	igt_ferry_module_load("");
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: part
 * Description: With aperture_range for a card ferry claims and writes that part of the BAR only, and other devices keep all
 */
static void test_part(int fd)
{
	struct drm_ferry_device_query query;
	struct card card;
	uint64_t size;
	uint32_t handle;
	char *map;

	ferry_device_query(fd, &query);
	size = query.aperture_size;
	close(fd);
	card_find(&card);
	write_marks(&card);
	igt_assert_eq(card_bind(&card, "aperture_range=4M+8M@%s"), 0);

	fd = igt_ferry_pci_open(card.slot);
	igt_assert_fd(fd);
	ferry_device_query(fd, &query);
	igt_assert_eq_u64(query.aperture_size, SIZE);
	handle = ferry_bo_create(fd, SIZE, APERTURE, APERTURE,
				 DRM_FERRY_CACHING_WC, 0);
	map = ferry_bo_mmap(fd, handle, SIZE);
	memset(map, 0xa5, SIZE);
	__sync_synchronize();
	igt_assert_eq_u64(count_changes(&card, false), 0);
	igt_assert_eq_u64(count_changes(&card, true), SIZE / PAGE);
	munmap(map, SIZE);
	igt_assert_eq(__ferry_bo_close(fd, handle), 0);
	close(fd);

	fd = igt_ferry_module_open();
	igt_assert_fd(fd);
	ferry_device_query(fd, &query);
	igt_assert_eq_u64(query.aperture_size, size);
	close(fd);
	card_unbind(&card);
	igt_assert_eq_u64(count_changes(&card, false), 0);
	finish();
}

/**
 * SUBTEST: claims
 * Description: Another driver may have claimed the BAR beside aperture_range, and not inside it
 */
static void test_claims(int fd)
{
	static const struct {
		const char *format;
		int err;
	} cases[] = {
		{ "aperture_range=4M+8M@%s", 0 },
		{ "aperture_range=0+8M@%s", -EBUSY },
		{ "aperture_bar=auto", -EBUSY },
	};
	char options[NAME_MAX + 64];
	struct card card;

	close(fd);
	card_find(&card);
	snprintf(options, sizeof(options), "pci=%s bar=%d claim=1 size=%u",
		 card.slot, card.bars.best, 1u << 20);
	igt_ferry_break_load(options);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		igt_info("%s\n", cases[i].format);
		igt_assert_eq(card_bind(&card, cases[i].format), cases[i].err);
		if (!cases[i].err)
			card_unbind(&card);
	}
	igt_ferry_break_unload();
	finish();
}

/**
 * SUBTEST: invalid
 * Description: Probe of the device that a wrong value is for fails with EINVAL and a message, and other devices work
 */
static void test_invalid(int fd)
{
	static const struct {
		const char *format;
		const char *message;
	} cases[] = {
		{ "aperture_range=4M@%s",
		  "aperture_range=4M is not OFFSET+SIZE" },
		{ "aperture_range=4M+8M+1@%s",
		  "aperture_range=4M+8M+1 is not" },
		{ "aperture_range=1+8M@%s", "aperture_range=1+8M is not" },
		{ "aperture_range=4M+512K@%s",
		  "aperture_range=4M+512K is not" },
		{ "aperture_range=4M+4G@%s", "aperture_range=4M+4G is not" },
		{ "aperture_bar=5@%s", "BAR 5, named by aperture_bar=" },
		{ "aperture_bar=x@%s", "BAR x, named by aperture_bar=" },
		{ "aperture_memtype=xx@%s", "aperture_memtype=xx is not" },
		{ "render_node=maybe@%s", "render_node=maybe is none of" },
	};
	unsigned long vmalloc, iomem;
	struct card card;

	close(fd);
	card_find(&card);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		int kmsg = igt_ferry_kmsg_open();

		igt_assert_f(card_bind(&card, cases[i].format) == -EINVAL,
			     "%s is accepted\n", cases[i].format);
		igt_assert_f(igt_ferry_kmsg_has(kmsg, cases[i].message),
			     "there is no message '%s'\n", cases[i].message);
		close(kmsg);
		igt_assert(igt_ferry_pci_has_no_driver(card.slot));
		igt_assert(igt_ferry_module_is_bound());
		vmalloc = igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]");
		iomem = igt_ferry_count_lines("/proc/iomem", "ferry");
		igt_assert_eq(card_bind(&card, cases[i].format), -EINVAL);
		igt_assert_eq_u64(igt_ferry_count_lines("/proc/vmallocinfo",
							"[ferry]"),
				  vmalloc);
		igt_assert_eq_u64(igt_ferry_count_lines("/proc/iomem", "ferry"),
				  iomem);
	}
	finish();
}

/**
 * SUBTEST: display
 * Description: A display refuses aperture_range, because it reads its picture from the start of the BAR
 */
static void test_display(int fd)
{
	int kmsg;

	igt_ferry_require_display(fd);
	close(fd);
	igt_ferry_module_unload();
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("aperture_range=1M+4M");
	igt_assert(!igt_ferry_module_is_bound());
	igt_assert(
		igt_ferry_kmsg_has(kmsg, "is for devices without a display"));
	close(kmsg);
	igt_ferry_footprint_check_none();
	finish();
}

/**
 * SUBTEST: per-device
 * Description: A value with an address is for that device only, and takes precedence
 */
static void test_per_device(int fd)
{
	struct drm_ferry_device_query query;
	struct card card;

	close(fd);
	card_find(&card);
	igt_assert_eq(card_bind(&card, "aperture_memtype=wc,uc@%s"), 0);
	fd = igt_ferry_pci_open(card.slot);
	igt_assert_fd(fd);
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype_requested,
			  DRM_FERRY_MEMTYPE_UC_MINUS);
	close(fd);
	fd = igt_ferry_module_open();
	igt_assert_fd(fd);
	ferry_device_query(fd, &query);
	igt_assert_eq_u32(query.aperture_memtype_requested,
			  DRM_FERRY_MEMTYPE_WC);
	close(fd);
	card_unbind(&card);
	finish();
}

static const struct igt_ferry_test tests[] = {
	{ "part",
	  "With aperture_range for a card ferry claims and writes that part of the BAR only, and other devices keep all",
	  test_part },
	{ "claims",
	  "Another driver may have claimed the BAR beside aperture_range, and not inside it",
	  test_claims },
	{ "invalid",
	  "Probe of the device that a wrong value is for fails with EINVAL and a message, and other devices work",
	  test_invalid },
	{ "display",
	  "A display refuses aperture_range, because it reads its picture from the start of the BAR",
	  test_display },
	{ "per-device",
	  "A value with an address is for that device only, and takes precedence",
	  test_per_device },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
