/* SPDX-License-Identifier: MIT */
/*
 * A valid call of MIGRATE, of which a subtest changes one thing.
 */
#ifndef MIGRATE_ARGS_H
#define MIGRATE_ARGS_H

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"

#define SIZE (64 * PAGE)

#define ENTRY_SIZE sizeof(struct drm_ferry_migrate_entry)
#define SYNC_SIZE sizeof(struct drm_ferry_sync)

/* Every call begins with this in failed_entry, which is an output only. */
#define UNSET 0xdddddddd

/* The call fails, and not because of one entry. */
#define NO_ENTRY UINT32_MAX

#define BOS 3
#define SYNCS 2

/* Elements of an array as far apart as the largest stride allows, or a little further */
typedef char spread_buf[(BOS + 1) * (DRM_FERRY_STRIDE_MAX + 1)];

/*
 * A valid call that moves three BOs, with two in-syncs and two out-syncs. Each
 * subtest changes one thing.
 */
static struct {
	int fd;
	struct igt_ferry_bo bo[BOS];
	struct igt_ferry_bo extra;
	uint32_t dead;
	char *half; /* a page with nothing mapped behind it */
	struct drm_ferry_migrate_entry entries[BOS];
	struct drm_ferry_sync in[SYNCS], out[SYNCS];
	struct drm_ferry_migrate args;
	uint32_t fb;
} f;

static spread_buf entry_buf, in_buf, out_buf;

static inline uint32_t other_placement(int i)
{
	return i & 1 ? SYSTEM : APERTURE;
}

static inline void valid_args(void)
{
	for (int i = 0; i < BOS; i++)
		f.entries[i] =
			(struct drm_ferry_migrate_entry){ f.bo[i].handle,
							  other_placement(i) };
	f.args = (struct drm_ferry_migrate){
		.entry_stride = ENTRY_SIZE,
		.sync_stride = SYNC_SIZE,
		.entries = to_user_pointer(f.entries),
		.count = BOS,
		.in_syncs = to_user_pointer(f.in),
		.out_syncs = to_user_pointer(f.out),
		.in_count = SYNCS,
		.out_count = SYNCS,
		.failed_entry = UNSET,
	};
	for (int i = 0; i < SYNCS; i++)
		f.in[i].flags = f.out[i].flags = 0;
}

static inline void begin(int fd)
{
	struct drm_ferry_sync dead;

	memset(&f, 0, sizeof(f));
	f.fd = fd;
	for (int i = 0; i < BOS; i++) {
		igt_ferry_bo_init(&f.bo[i], fd, SIZE,
				  &igt_ferry_movable_kinds[0]);
		igt_ferry_bo_fill(&f.bo[i]);
		ferry_bo_migrate(fd, f.bo[i].handle,
				 other_placement(i) ^ FERRY_PLACEMENT_BOTH);
	}
	dead = igt_ferry_sync_new(fd, 0);
	for (int i = 0; i < SYNCS; i++) {
		f.in[i] = igt_ferry_sync_new(fd, i ? 3 : 0);
		f.out[i] = igt_ferry_sync_new(fd, i ? 8 : 0);
	}
	igt_assert_eq(drmSyncobjSignal(fd, &f.in[0].handle, 1), 0);
	igt_assert_eq(drmSyncobjTimelineSignal(fd, &f.in[1].handle,
					       &(uint64_t){ f.in[1].point }, 1),
		      0);
	igt_assert_eq(drmSyncobjDestroy(fd, dead.handle), 0);
	f.dead = dead.handle;

	f.half = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(f.half != MAP_FAILED);
	igt_assert_eq(munmap(f.half + PAGE, PAGE), 0);
	valid_args();
}

static inline int migrate(void)
{
	f.args.failed_entry = UNSET;
	return __ferry_ioctl(f.fd, DRM_IOCTL_FERRY_MIGRATE, &f.args);
}

static inline void check_at(int i, uint32_t placement)
{
	igt_assert_eq(ferry_bo_placement(f.fd, f.bo[i].handle), placement);
}

/* The call fails with @err because of entry @failed, and has no effect. */
static inline void check_fails(int err, uint32_t failed)
{
	uint64_t to_aperture = igt_ferry_stat(f.fd, "moves_to_aperture"),
		 to_system = igt_ferry_stat(f.fd, "moves_to_system");
	struct drm_ferry_migrate before = f.args;

	igt_assert_eq(migrate(), -err);
	igt_assert_eq_u32(f.args.failed_entry,
			  failed == NO_ENTRY ? f.args.count : failed);
	/* the only output of a call that fails */
	before.failed_entry = f.args.failed_entry;
	igt_assert(!memcmp(&before, &f.args, sizeof(before)));
	igt_assert_eq_u64(igt_ferry_stat(f.fd, "moves_to_aperture"),
			  to_aperture);
	igt_assert_eq_u64(igt_ferry_stat(f.fd, "moves_to_system"), to_system);
	for (int i = 0; i < BOS; i++) {
		check_at(i, other_placement(i) ^ FERRY_PLACEMENT_BOTH);
		igt_assert_eq(__ferry_bo_wait(f.fd, f.bo[i].handle, 0), 0);
		igt_ferry_bo_check(&f.bo[i]);
	}
}

/* The valid call works, which shows that nothing else was wrong. */
static inline void check_works(void)
{
	valid_args();
	for (int i = 0; i < SYNCS; i++)
		igt_assert_eq(igt_ferry_sync_state(f.fd, f.out[i]), -EINVAL);
	igt_assert_eq(migrate(), 0);
	igt_assert_eq_u32(f.args.failed_entry, BOS);
	for (int i = 0; i < SYNCS; i++)
		igt_ferry_sync_wait(f.fd, f.out[i]);
	for (int i = 0; i < BOS; i++) {
		check_at(i, other_placement(i));
		igt_ferry_bo_check(&f.bo[i]);
	}
	munmap(f.half, PAGE);
}

static inline void half_mapped(__u64 *pointer, const void *what, size_t first)
{
	memcpy(f.half + PAGE - first, what, first);
	*pointer = to_user_pointer(f.half + PAGE - first);
}

/*
 * Copy elements to a buffer, @stride bytes apart. The bytes between them are
 * zero, those behind the last one are not. An element that is longer than the
 * stride is cut.
 */
static inline __u64 spread(spread_buf buf, const void *from, size_t size,
			   unsigned int count, uint32_t stride)
{
	memset(buf, 0xff, sizeof(spread_buf));
	memset(buf, 0, count * stride);
	for (unsigned int i = 0; i < count; i++)
		memcpy(buf + i * stride, (const char *)from + i * size,
		       size < stride ? size : stride);
	return to_user_pointer(buf);
}

static inline void spread_entries(uint32_t stride)
{
	f.args.entry_stride = stride;
	f.args.entries = spread(entry_buf, f.entries, ENTRY_SIZE, BOS, stride);
}

static inline void spread_syncs(uint32_t stride)
{
	f.args.sync_stride = stride;
	f.args.in_syncs = spread(in_buf, f.in, SYNC_SIZE, SYNCS, stride);
	f.args.out_syncs = spread(out_buf, f.out, SYNC_SIZE, SYNCS, stride);
}

/* Send each BO to the placement that it is not at. */
static inline void toggle(void)
{
	for (int i = 0; i < BOS; i++)
		f.entries[i].placement =
			ferry_bo_placement(f.fd, f.bo[i].handle) ^
			FERRY_PLACEMENT_BOTH;
}

static inline void check_toggled(void)
{
	for (int i = 0; i < BOS; i++) {
		check_at(i, f.entries[i].placement);
		igt_ferry_bo_check(&f.bo[i]);
	}
}

#endif /* MIGRATE_ARGS_H */
