// SPDX-License-Identifier: MIT
#include "igt.h"

#include "igt_ferry_fault.h"
#include "igt_ferry_sample.h"

/* Memory type that a mapping of a BO must have */
uint32_t igt_ferry_expected_memtype(int fd, const struct igt_ferry_kind *kind)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	if (kind->allowed_placements == APERTURE)
		return query.aperture_memtype;
	if (kind->caching == DRM_FERRY_CACHING_CACHED)
		return DRM_FERRY_MEMTYPE_WB;
	/* without PAT ferry supports neither write-combining nor PMDs */
	return query.page_sizes == PAGE ? DRM_FERRY_MEMTYPE_UC_MINUS :
					  DRM_FERRY_MEMTYPE_WC;
}

void igt_ferry_sample_init(struct igt_ferry_sample *s, int fd, size_t pages,
			   const struct igt_ferry_kind *kind)
{
	struct drm_ferry_bo_query query;

	igt_ferry_bo_init(&s->bo, fd, pages * PAGE, kind);
	igt_ferry_bo_fill(&s->bo);
	igt_assert_eq(munmap(s->bo.map, s->bo.size), 0);
	ferry_bo_query(fd, s->bo.handle, &query);
	igt_assert_eq_u32(query.memtype, igt_ferry_expected_memtype(fd, kind));
}

void igt_ferry_sample_map(struct igt_ferry_sample *s)
{
	int fd = s->bo.fd;
	char *space;

	space = mmap(NULL, s->bo.size + 2 * HUGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(space != MAP_FAILED);
	space = (char *)ALIGN((uintptr_t)space, HUGE) + PAGE;

	s->maps[0] = s->bo.map = ferry_bo_mmap(fd, s->bo.handle, s->bo.size);
	s->maps[1] = mmap(space, s->bo.size, RW, MAP_SHARED | MAP_FIXED, fd,
			  ferry_bo_mmap_offset(fd, s->bo.handle));
	s->maps[2] = mmap(NULL, s->bo.size, RW, MAP_SHARED, fd,
			  ferry_bo_mmap_offset_populate(fd, s->bo.handle));
	for (int i = 0; i < IGT_FERRY_SAMPLE_MAPS; i++) {
		igt_assert(s->maps[i] != MAP_FAILED);
		igt_ferry_check(s->maps[i], 0, s->bo.size / PAGE, s->bo.id,
				s->bo.gen);
	}
}

void igt_ferry_sample_fini(struct igt_ferry_sample *s)
{
	for (int i = 0; i < IGT_FERRY_SAMPLE_MAPS; i++)
		if (s->maps[i])
			munmap(s->maps[i], s->bo.size);
	s->bo.map = NULL;
	igt_ferry_bo_fini(&s->bo);
}

/* Have BOs of every kind audited, with all their mappings. */
void igt_ferry_audit_samples(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_audit before, after;
	struct igt_ferry_sample samples[2];
	size_t pages = 0;

	for (kind = igt_ferry_single_kinds; kind->name; kind++) {
		memset(samples, 0, sizeof(samples));
		igt_ferry_audit_clean(fd, &before);
		igt_ferry_sample_init(&samples[0], fd, 40, kind);
		igt_ferry_sample_init(&samples[1], fd, HUGE_PAGES + 20, kind);
		igt_ferry_sample_map(&samples[0]);
		igt_ferry_sample_map(&samples[1]);
		pages = IGT_FERRY_SAMPLE_MAPS * (40 + HUGE_PAGES + 20);
		igt_ferry_audit_clean(fd, &after);
		igt_assert_eq_u64(after.mappings - before.mappings,
				  2 * IGT_FERRY_SAMPLE_MAPS);
		igt_assert_eq_u64(after.pages - before.pages, pages);
		igt_ferry_sample_fini(&samples[0]);
		igt_ferry_sample_fini(&samples[1]);
	}
}
