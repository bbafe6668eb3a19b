// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sharing
 * Category: Core
 * Description: Every exporter of dma-bufs with every importer, and a table of the results
 */
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_exporter.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Every exporter of dma-bufs with every importer, and a table of the results");

/* The device of vgem claims segments of 64 KiB, and DMA debugging warns about longer ones. */
#define PAGES 16
#define SIZE (PAGES * PAGE)
#define TEXT 32

static const char *const importers[] = { "ferry", "vgem", "vkms",
					 "virtio-gpu" };

/**
 * struct cell - results of one pair
 * @contents: how the bytes were compared, or with which error the importer refuses
 * @order: number of orders of closing after which the last mapping had its contents
 * @unplug: which device of ferry was unbound
 */
static struct cell {
	char contents[TEXT];
	char order[TEXT];
	char unplug[TEXT];
} cells[8][ARRAY_SIZE(importers)];

/**
 * struct pair - a dma-buf, and its import by another driver
 * @foreign: the dma-buf; its map is the exporter's
 * @importer: device that imports it, or -1 once it is closed
 * @handle: the import
 * @prime: the dma-buf, exported again by the importer
 * @map: mapping by the importer
 */
struct pair {
	struct igt_ferry_foreign foreign;
	int importer;
	uint32_t handle;
	int prime;
	char *map;
};

/* Only ferry maps its imports by their handles; others give the dma-buf back. */
static char *map_import(struct pair *pair, bool is_ferry)
{
	char *map;

	if (is_ferry)
		return ferry_bo_mmap(pair->importer, pair->handle, SIZE);

	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, pair->prime,
		   0);
	igt_assert_f(map != MAP_FAILED, "mmap of the dma-buf: %s\n",
		     strerror(errno));
	return map;
}

static int open_importer(int fd, const char *name)
{
	if (!strcmp(name, "ferry"))
		return igt_ferry_reopen(fd, O_RDWR);
	return igt_ferry_open_module(
		name, strcmp(name, "virtio-gpu") ? name : "virtio_gpu");
}

/* Return 0, or the error with which the importer refuses. */
static int pair_init(struct pair *pair, int fd,
		     const struct igt_ferry_exporter *exporter,
		     const char *importer)
{
	bool is_ferry = !strcmp(importer, "ferry");
	bool shares_ferry = !strcmp(exporter->name, "ferry") && !is_ferry;

	*pair = (struct pair){ .foreign.fd = -1, .prime = -1 };
	if (shares_ferry)
		igt_ferry_foreign_own(fd, SIZE, &pair->foreign);
	else
		exporter->create(fd, SIZE, &pair->foreign);
	pair->importer = open_importer(fd, importer);
	if (pair->importer < 0)
		igt_ferry_foreign_close(&pair->foreign);
	igt_require_f(pair->importer >= 0, "no device of %s%s\n", importer,
		      strcmp(importer, "virtio-gpu") ? "" :
						       ": " IGT_FERRY_DEVICES);
	if (drmPrimeFDToHandle(pair->importer, pair->foreign.prime,
			       &pair->handle)) {
		int err = -errno;

		close(pair->importer);
		igt_ferry_foreign_close(&pair->foreign);
		errno = 0;
		return err;
	}
	igt_assert_eq(drmPrimeHandleToFD(pair->importer, pair->handle,
					 DRM_RDWR | DRM_CLOEXEC, &pair->prime),
		      0);
	pair->map = map_import(pair, is_ferry);
	return 0;
}

static void close_part(struct pair *pair, int part)
{
	switch (part) {
	case 0:
		gem_close(pair->importer, pair->handle);
		close(pair->importer);
		break;
	case 1:
		close(pair->prime);
		close(pair->foreign.prime);
		break;
	case 2:
		igt_ferry_foreign_close_device(&pair->foreign);
		break;
	case 3:
		igt_ferry_foreign_unmap(&pair->foreign);
		break;
	}
}

/* Both sides see what the other one writes. */
static void check_contents(struct pair *pair)
{
	igt_ferry_fill(pair->foreign.map, 0, PAGES, 1, 1);
	igt_ferry_check(pair->map, 0, PAGES, 1, 1);
	igt_ferry_fill(pair->map, 0, PAGES, 1, 2);
	igt_ferry_check(pair->foreign.map, 0, PAGES, 1, 2);
}

static unsigned int check_orders(int fd,
				 const struct igt_ferry_exporter *exporter,
				 const char *importer)
{
	unsigned int orders = 0;

	for (unsigned int order = 0; order < 256; order++) {
		const int parts[] = { order & 3, order >> 2 & 3, order >> 4 & 3,
				      order >> 6 };
		unsigned int seen = 0;
		struct pair pair;

		for (int i = 0; i < 4; i++)
			seen |= 1 << parts[i];
		if (seen != 15)
			continue;
		igt_assert_eq(pair_init(&pair, fd, exporter, importer), 0);
		igt_ferry_fill(pair.map, 0, PAGES, order, 1);
		for (int i = 0; i < 4; i++) {
			close_part(&pair, parts[i]);
			igt_ferry_check(pair.map, 0, PAGES, order, 1);
		}
		igt_assert_eq(munmap(pair.map, SIZE), 0);
		orders++;
	}
	return orders;
}

/* Unbind the device of @fd, which is the importer or the exporter. */
static void check_unplug(int fd, const struct igt_ferry_exporter *exporter,
			 const char *importer)
{
	struct pair pair;

	igt_ferry_module_begin(fd);
	igt_assert_eq(pair_init(&pair, fd, exporter, importer), 0);
	igt_ferry_fill(pair.map, 0, PAGES, 3, 1);
	igt_ferry_module_must_unbind();
	igt_ferry_check(pair.map, 0, PAGES, 3, 1);
	igt_ferry_check(pair.foreign.map, 0, PAGES, 3, 1);
	igt_ferry_fill(pair.foreign.map, 0, PAGES, 3, 2);
	igt_ferry_check(pair.map, 0, PAGES, 3, 2);
	igt_ferry_foreign_unmap(&pair.foreign);
	close(pair.prime);
	close(pair.foreign.prime);
	close(pair.importer);
	if (pair.foreign.fd >= 0)
		close(pair.foreign.fd);
	close(fd);
	igt_ferry_check(pair.map, 0, PAGES, 3, 2);
	igt_assert_eq(munmap(pair.map, SIZE), 0);
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: %s-to-%s
 * Description: Exporter and importer see each other's writes, closing in every order keeps the contents, and so does unbinding ferry
 *
 * arg[1].values: vgem, vkms, virtio-gpu, udmabuf, system-heap, ferry
 * arg[2].values: ferry, vgem, vkms, virtio-gpu
 */
static void run_pair(const struct igt_ferry_exporter *exporter,
		     const char *importer, struct cell *cell)
{
	bool to_ferry = !strcmp(importer, "ferry");
	bool from_ferry = !strcmp(exporter->name, "ferry");
	struct pair pair;
	int err, fd;

	igt_ferry_clean(-1);
	igt_ferry_module_restore();
	fd = igt_ferry_module_open();
	strcpy(cell->contents, "no device");
	err = pair_init(&pair, fd, exporter, importer);
	if (err) {
		igt_assert_f(!to_ferry, "ferry refuses it: %s\n",
			     strerror(-err));
		snprintf(cell->contents, TEXT, "refused: %s",
			 err == -ENODEV ? "ENODEV" :
			 err == -EINVAL ? "EINVAL" :
					  strerror(-err));
		close(fd);
		return;
	}
	strcpy(cell->contents, "failed");
	check_contents(&pair);
	for (int part = 0; part < 4; part++)
		close_part(&pair, part);
	igt_assert_eq(munmap(pair.map, SIZE), 0);
	strcpy(cell->contents, "equal");

	snprintf(cell->order, TEXT, "%u orders",
		 check_orders(fd, exporter, importer));
	if (to_ferry || from_ferry) {
		strcpy(cell->unplug, "failed");
		check_unplug(fd, exporter, importer);
		strcpy(cell->unplug, to_ferry ? "importer" : "exporter");
	} else {
		close(fd);
	}
}

static void print_table(void)
{
	igt_info("%-12s %-11s %-16s %-10s %s\n", "exporter", "importer",
		 "contents", "closed in", "unbound");
	for (int i = 0; igt_ferry_exporters[i].name; i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(importers); j++) {
			const struct cell *cell = &cells[i][j];

			igt_info("%-12s %-11s %-16s %-10s %s\n",
				 igt_ferry_exporters[i].name, importers[j],
				 cell->contents[0] ? cell->contents : "-",
				 cell->order[0] ? cell->order : "-",
				 cell->unplug[0] ? cell->unplug : "-");
		}
	}
}

igt_main
{
	igt_fixture
	{
		int fd = igt_ferry_open();

		igt_ferry_module_begin(fd);
		close(fd);
		igt_ferry_module_require();
	}
	for (int i = 0; igt_ferry_exporters[i].name; i++) {
		const struct igt_ferry_exporter *exporter =
			&igt_ferry_exporters[i];

		for (unsigned int j = 0; j < ARRAY_SIZE(importers); j++) {
			/* One driver with itself is its own matter, unless it is ferry. */
			if (!strcmp(exporter->name, importers[j]) && j)
				continue;
			igt_describe(
				"Exporter and importer see each other's writes, closing in every order keeps the contents, and so does unbinding ferry");
			igt_subtest_f("%s-to-%s", exporter->name, importers[j])
				run_pair(exporter, importers[j], &cells[i][j]);
		}
	}
	igt_fixture print_table();
}
