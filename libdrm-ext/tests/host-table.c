// SPDX-License-Identifier: MIT
/* The handle table: growth, chains, removal. Needs no device. */

#include "../ferry_priv.h"
#include "check.h"

#define NR_BOS 5000

static struct ferry_bo bos[NR_BOS];

static void empty_table(void)
{
	struct ferry_table table;

	CHECK_OK(ferry_table_init(&table));
	CHECK(!ferry_table_find(&table, 0));
	CHECK(!ferry_table_find(&table, 1));
	ferry_table_fini(&table);
}

/* Handles are first + i * step. With a step above one several handles share a chain. */
static void many_handles(uint32_t first, uint32_t step)
{
	struct ferry_table table;

	CHECK_OK(ferry_table_init(&table));
	for (uint32_t i = 0; i < NR_BOS; i++) {
		bos[i].handle = first + i * step;
		CHECK(!ferry_table_find(&table, bos[i].handle));
		ferry_table_insert(&table, &bos[i]);
	}
	CHECK_EQ(table.nr_bos, NR_BOS);
	CHECK(table.nr_chains >= NR_BOS);

	for (uint32_t i = 0; i < NR_BOS; i++)
		CHECK(ferry_table_find(&table, bos[i].handle) == &bos[i]);
	CHECK(!ferry_table_find(&table, first + NR_BOS * step));
	CHECK(!ferry_table_find(&table, first - 1));

	/* Remove every third BO. The others must still be found. */
	for (uint32_t i = 0; i < NR_BOS; i += 3)
		ferry_table_remove(&table, &bos[i]);
	for (uint32_t i = 0; i < NR_BOS; i++) {
		struct ferry_bo *bo = ferry_table_find(&table, bos[i].handle);

		CHECK(bo == (i % 3 ? &bos[i] : NULL));
	}

	/* Insert a removed handle again. */
	bos[0].handle = first;
	ferry_table_insert(&table, &bos[0]);
	CHECK(ferry_table_find(&table, first) == &bos[0]);

	ferry_table_remove(&table, &bos[0]);
	for (uint32_t i = 0; i < NR_BOS; i++) {
		if (i % 3)
			ferry_table_remove(&table, &bos[i]);
	}
	CHECK_EQ(table.nr_bos, 0);
	ferry_table_fini(&table);
}

static void last_reference(void)
{
	atomic_uint refs;

	atomic_init(&refs, 3);
	CHECK_EQ(ferry_refs_dec_unless_last(&refs), 0);
	CHECK_EQ(ferry_refs_dec_unless_last(&refs), 0);
	CHECK_EQ(ferry_refs_dec_unless_last(&refs), 1);
	CHECK_EQ(ferry_refs_dec_unless_last(&refs), 1);
	CHECK_EQ(atomic_load(&refs), 1);
}

static void copy_out(void)
{
	const char src[4] = { 1, 2, 3, 4 };
	char dst[8];

	memset(dst, 9, sizeof(dst));
	CHECK_EQ(ferry_copy_out(dst, 0, src, 4), -EINVAL);
	CHECK_EQ(dst[0], 9);

	CHECK_OK(ferry_copy_out(dst, 2, src, 4));
	CHECK_EQ(dst[1], 2);
	CHECK_EQ(dst[2], 9);

	CHECK_OK(ferry_copy_out(dst, 7, src, 4));
	CHECK_EQ(dst[3], 4);
	CHECK_EQ(dst[4] | dst[5] | dst[6], 0);
	CHECK_EQ(dst[7], 9);
}

/* A driver that is older than the library lacks calls that it makes. */
static void versions(void)
{
	CHECK_EQ(ferry_check_version(0), -EOPNOTSUPP);
	CHECK_EQ(ferry_check_version(DRM_FERRY_UAPI_VERSION - 1), -EOPNOTSUPP);
	CHECK_OK(ferry_check_version(DRM_FERRY_UAPI_VERSION));
	CHECK_OK(ferry_check_version(DRM_FERRY_UAPI_VERSION + 1));
}

int main(void)
{
	RUN(empty_table);
	RUN(many_handles, 1, 1);
	RUN(many_handles, 7, 64);
	RUN(many_handles, 0x7ffff000u, 3);
	RUN(last_reference);
	RUN(copy_out);
	RUN(versions);
	return 0;
}
