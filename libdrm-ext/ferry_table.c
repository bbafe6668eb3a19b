// SPDX-License-Identifier: MIT
/* The handle table: one BO for each GEM handle of an open file. */

#include <errno.h>
#include <stdlib.h>

#include "ferry_priv.h"

#define FERRY_TABLE_MIN_CHAINS 64u

static struct ferry_bo **ferry_table_chain(const struct ferry_table *table,
					   uint32_t handle)
{
	return &table->chains[handle & (table->nr_chains - 1)];
}

int ferry_table_init(struct ferry_table *table)
{
	table->nr_bos = 0;
	table->nr_chains = FERRY_TABLE_MIN_CHAINS;
	table->chains = calloc(table->nr_chains, sizeof(*table->chains));
	return table->chains ? 0 : -ENOMEM;
}

/* Without memory the table keeps its size: lookups are slower, but correct. */
static void ferry_table_grow(struct ferry_table *table)
{
	struct ferry_table bigger = {
		.nr_bos = table->nr_bos,
		.nr_chains = table->nr_chains * 2,
	};

	bigger.chains = calloc(bigger.nr_chains, sizeof(*bigger.chains));
	if (!bigger.chains)
		return;

	for (uint32_t i = 0; i < table->nr_chains; i++) {
		struct ferry_bo *bo, *next;

		for (bo = table->chains[i]; bo; bo = next) {
			struct ferry_bo **chain;

			next = bo->next;
			chain = ferry_table_chain(&bigger, bo->handle);
			bo->next = *chain;
			*chain = bo;
		}
	}

	free(table->chains);
	*table = bigger;
}

struct ferry_bo *ferry_table_find(const struct ferry_table *table,
				  uint32_t handle)
{
	struct ferry_bo *bo;

	for (bo = *ferry_table_chain(table, handle); bo; bo = bo->next) {
		if (bo->handle == handle)
			return bo;
	}
	return NULL;
}

/* The handle must not be in the table. */
void ferry_table_insert(struct ferry_table *table, struct ferry_bo *bo)
{
	struct ferry_bo **chain;

	if (table->nr_bos >= table->nr_chains)
		ferry_table_grow(table);

	chain = ferry_table_chain(table, bo->handle);
	bo->next = *chain;
	*chain = bo;
	table->nr_bos++;
}

/* The BO must be in the table. */
void ferry_table_remove(struct ferry_table *table, struct ferry_bo *bo)
{
	struct ferry_bo **link = ferry_table_chain(table, bo->handle);

	while (*link != bo)
		link = &(*link)->next;
	*link = bo->next;
	table->nr_bos--;
}

void ferry_table_fini(struct ferry_table *table)
{
	free(table->chains);
	table->chains = NULL;
	table->nr_chains = 0;
}
