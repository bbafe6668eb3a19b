/* SPDX-License-Identifier: MIT */
/*
 * Samples: BOs of every kind, each with several mappings, whose memory types are audited.
 */
#ifndef IGT_FERRY_SAMPLE_H
#define IGT_FERRY_SAMPLE_H

#include "igt_ferry.h"

/* Mappings of a sample: aligned, unaligned, and populated */
#define IGT_FERRY_SAMPLE_MAPS 3

/**
 * struct igt_ferry_sample - a BO with several mappings
 * @bo: the BO
 * @maps: its mappings
 */
struct igt_ferry_sample {
	struct igt_ferry_bo bo;
	char *maps[IGT_FERRY_SAMPLE_MAPS];
};

uint32_t igt_ferry_expected_memtype(int fd, const struct igt_ferry_kind *kind);
void igt_ferry_sample_init(struct igt_ferry_sample *s, int fd, size_t pages,
			   const struct igt_ferry_kind *kind);
void igt_ferry_sample_map(struct igt_ferry_sample *s);
void igt_ferry_sample_fini(struct igt_ferry_sample *s);
void igt_ferry_audit_samples(int fd);

#endif /* IGT_FERRY_SAMPLE_H */
