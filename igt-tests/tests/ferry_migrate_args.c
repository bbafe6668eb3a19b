// SPDX-License-Identifier: MIT
/**
 * TEST: ferry migrate args
 * Category: Core
 * Description: Each bad argument of MIGRATE gives its errno, names the entry, and has no effect
 */
#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"
#include "migrate_args.h"

IGT_TEST_DESCRIPTION(
	"Each bad argument of MIGRATE gives its errno, names the entry, and has no effect");

static struct drm_ferry_sync too_many[DRM_FERRY_SYNCS_MAX + 1];

static void end_bad(int err, uint32_t failed, const struct drm_ferry_sync *in,
		    const struct drm_ferry_sync *out)
{
	check_fails(err, failed);
	/* the same without out-syncs, where the call would have waited */
	if (f.args.out_count == SYNCS &&
	    f.args.out_syncs == to_user_pointer(f.out) &&
	    !memcmp(f.out, out, sizeof(f.out))) {
		f.args.out_count = 0;
		check_fails(err, failed);
	}
	memcpy(f.in, in, sizeof(f.in));
	memcpy(f.out, out, sizeof(f.out));
	check_works();
}

/* A BO that cannot move to where the last entry sends it */
static void extra(size_t size, const struct igt_ferry_kind *kind,
		  uint32_t placement)
{
	igt_ferry_bo_init(&f.extra, f.fd, size, kind);
	f.entries[BOS - 1] =
		(struct drm_ferry_migrate_entry){ f.extra.handle, placement };
}

static void extra_purged(void)
{
	extra(SIZE, &igt_ferry_movable_kinds[0], APERTURE);
	igt_ferry_bo_fill(&f.extra);
	igt_ferry_bo_purge(&f.extra);
}

static uint64_t aperture_size(void)
{
	struct drm_ferry_device_query device;

	ferry_device_query(f.fd, &device);
	return device.aperture_size;
}

static void extra_pinned(void)
{
	uint32_t handles[4] = {}, pitches[4] = {}, offsets[4] = {};
	drmModeConnector *connector;
	drmModeModeInfo *mode;
	drmModeRes *res;

	igt_ferry_require_display(f.fd);
	igt_assert_eq(drmSetMaster(f.fd), 0);
	res = drmModeGetResources(f.fd);
	igt_assert(res);
	connector = drmModeGetConnector(f.fd, res->connectors[0]);
	igt_assert(connector && connector->count_modes);
	mode = &connector->modes[0];
	pitches[0] = mode->hdisplay * 4;
	extra(pitches[0] * mode->vdisplay, &igt_ferry_movable_kinds[0], SYSTEM);
	handles[0] = f.extra.handle;
	igt_assert_eq(drmModeAddFB2(f.fd, mode->hdisplay, mode->vdisplay,
				    DRM_FORMAT_XRGB8888, handles, pitches,
				    offsets, &f.fb, 0),
		      0);
	igt_assert_eq(drmModeSetCrtc(f.fd, res->crtcs[0], f.fb, 0, 0,
				     &connector->connector_id, 1, mode),
		      0);
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
}

/* A bad stride of the in-syncs or of the out-syncs, and not of both */
static void spread_in(uint32_t stride)
{
	spread_syncs(stride);
	f.args.out_count = 0;
}

static void spread_out(uint32_t stride)
{
	spread_syncs(stride);
	f.args.in_count = 0;
}

/* One subtest: @change, which makes valid arguments bad, gives @err. */
#define BAD(name, err, failed, change)                                        \
	do {                                                                  \
		igt_describe("one bad argument gives the documented errno "   \
			     "and index; no BO moves, and no out-sync has a " \
			     "fence");                                        \
		igt_subtest("bad-" name)                                      \
		{                                                             \
			struct drm_ferry_sync in_[SYNCS], out_[SYNCS];        \
                                                                              \
			begin(igt_ferry_begin(fd));                           \
			memcpy(in_, f.in, sizeof(in_));                       \
			memcpy(out_, f.out, sizeof(out_));                    \
			change;                                               \
			end_bad(err, failed, in_, out_);                      \
		}                                                             \
	} while (0)

/**
 * SUBTEST: bad-%s
 * Description: one bad argument gives the documented errno and index; no BO moves, and no out-sync has a fence
 *
 * arg[1]: the bad argument, see --list-subtests
 */
static void bad_syncs(int fd)
{
	struct drm_ferry_sync empty;

	BAD("in-dead", ENOENT, NO_ENTRY, f.in[1].handle = f.dead);
	BAD("in-handle-0", ENOENT, NO_ENTRY, f.in[1].handle = 0);
	BAD("in-handle-all-ones", ENOENT, NO_ENTRY,
	    f.in[0].handle = UINT32_MAX);
	BAD("in-empty", EINVAL, NO_ENTRY, empty = igt_ferry_sync_new(f.fd, 0);
	    f.in[0].handle = empty.handle);
	BAD("in-empty-timeline", EINVAL, NO_ENTRY,
	    empty = igt_ferry_sync_new(f.fd, 0);
	    f.in[1].handle = empty.handle);
	BAD("in-point-to-come", EINVAL, NO_ENTRY, f.in[1].point = 4);
	BAD("in-point-max", EINVAL, NO_ENTRY, f.in[1].point = UINT64_MAX);
	BAD("in-flag", EINVAL, NO_ENTRY, f.in[1].flags = 1);
	BAD("in-high-flag", EINVAL, NO_ENTRY, f.in[0].flags = 1u << 31);
	BAD("in-count-over-max", EINVAL, NO_ENTRY,
	    f.args.in_syncs = to_user_pointer(too_many);
	    f.args.in_count = DRM_FERRY_SYNCS_MAX + 1);
	BAD("in-count-all-ones", EINVAL, NO_ENTRY,
	    f.args.in_count = UINT32_MAX);
	BAD("in-null", EFAULT, NO_ENTRY, f.args.in_syncs = 0);
	BAD("in-half-mapped", EFAULT, NO_ENTRY,
	    half_mapped(&f.args.in_syncs, f.in, SYNC_SIZE));
	BAD("in-half-a-sync", EFAULT, NO_ENTRY,
	    half_mapped(&f.args.in_syncs, f.in, sizeof(f.in) - 4));
	BAD("out-dead", ENOENT, NO_ENTRY, f.out[1].handle = f.dead);
	BAD("out-handle-0", ENOENT, NO_ENTRY, f.out[0].handle = 0);
	BAD("out-flag", EINVAL, NO_ENTRY, f.out[1].flags = 1);
	BAD("out-high-flag", EINVAL, NO_ENTRY, f.out[0].flags = 1u << 31);
	BAD("out-count-over-max", EINVAL, NO_ENTRY,
	    f.args.out_syncs = to_user_pointer(too_many);
	    f.args.out_count = DRM_FERRY_SYNCS_MAX + 1);
	BAD("out-count-all-ones", EINVAL, NO_ENTRY,
	    f.args.out_count = UINT32_MAX);
	BAD("out-null", EFAULT, NO_ENTRY, f.args.out_syncs = 0);
	BAD("out-half-mapped", EFAULT, NO_ENTRY,
	    half_mapped(&f.args.out_syncs, f.out, SYNC_SIZE));
}

static void bad_entries(int fd)
{
	BAD("entries-half-mapped", EFAULT, NO_ENTRY,
	    half_mapped(&f.args.entries, f.entries, sizeof(f.entries) - 4));
	BAD("entries-null", EFAULT, NO_ENTRY, f.args.entries = 0);
	BAD("count-0", EINVAL, NO_ENTRY, f.args.count = 0);
	BAD("count-over-max", EINVAL, NO_ENTRY,
	    f.args.count = DRM_FERRY_MIGRATE_MAX + 1);
	BAD("flag", EINVAL, NO_ENTRY, f.args.flags = 1);
	BAD("handle-dead", ENOENT, BOS - 1,
	    f.entries[BOS - 1].handle = 0x7fffffff);
	BAD("duplicate", EINVAL, BOS - 1,
	    f.entries[BOS - 1].handle = f.bo[0].handle);
	BAD("not-allowed-to-aperture", EINVAL, BOS - 1,
	    extra(PAGE, &igt_ferry_single_kinds[0], APERTURE));
	BAD("not-allowed-to-system", EINVAL, BOS - 1,
	    extra(PAGE, &igt_ferry_single_kinds[2], SYSTEM));
	/* the sizes of all BOs count together */
	BAD("larger-than-aperture", ENOSPC, NO_ENTRY,
	    extra(aperture_size() + PAGE, &igt_ferry_movable_kinds[0],
		  APERTURE));
	BAD("larger-together", ENOSPC, NO_ENTRY,
	    extra(aperture_size(), &igt_ferry_movable_kinds[0], APERTURE));
	BAD("purged", ENODATA, BOS - 1, extra_purged());
	BAD("pinned", EBUSY, BOS - 1, extra_pinned());
}

/* The elements are where these strides say, so that only the check of the stride can fail. */
static void bad_strides(int fd)
{
	BAD("pad", EINVAL, NO_ENTRY, f.args.pad = 1);
	BAD("entry-stride-0", EINVAL, NO_ENTRY, spread_entries(0));
	BAD("entry-stride-too-small", EINVAL, NO_ENTRY,
	    spread_entries(ENTRY_SIZE - 1));
	BAD("entry-stride-over-max", EINVAL, NO_ENTRY,
	    spread_entries(DRM_FERRY_STRIDE_MAX + 1));
	BAD("entry-stride-all-ones", EINVAL, NO_ENTRY,
	    f.args.entry_stride = UINT32_MAX);
	BAD("in-stride-0", EINVAL, NO_ENTRY, spread_in(0));
	BAD("in-stride-too-small", EINVAL, NO_ENTRY, spread_in(SYNC_SIZE - 1));
	BAD("in-stride-over-max", EINVAL, NO_ENTRY,
	    spread_in(DRM_FERRY_STRIDE_MAX + 1));
	BAD("in-stride-all-ones", EINVAL, NO_ENTRY, f.args.out_count = 0;
	    f.args.sync_stride = UINT32_MAX);
	BAD("out-stride-0", EINVAL, NO_ENTRY, spread_out(0));
	BAD("out-stride-too-small", EINVAL, NO_ENTRY,
	    spread_out(SYNC_SIZE - 1));
	BAD("out-stride-over-max", EINVAL, NO_ENTRY,
	    spread_out(DRM_FERRY_STRIDE_MAX + 1));
	BAD("out-stride-all-ones", EINVAL, NO_ENTRY, spread_out(SYNC_SIZE);
	    f.args.sync_stride = UINT32_MAX);
}

/**
 * SUBTEST: failed-entry-no-piece
 * Description: a contiguous BO that finds no free piece of its size is the failed entry
 */
static void test_failed_no_piece(int fd)
{
	unsigned int count, kept = 0;
	uint32_t *handles;

	begin(fd);
	for (int i = 0; i < BOS; i++)
		ferry_bo_migrate(fd, f.bo[i].handle, SYSTEM);
	/* every other piece of the aperture is free */
	count = igt_ferry_aperture_fill(fd, 16 * PAGE, &handles);
	for (unsigned int i = 0; i < count; i++) {
		if (i & 1)
			gem_close(fd, handles[i]);
		else
			handles[kept++] = handles[i];
	}
	igt_ferry_bo_init(&f.extra, fd, 32 * PAGE, &igt_ferry_movable_kinds[2]);
	for (int bad = 0; bad < BOS; bad++) {
		valid_args();
		for (int i = 0; i < BOS; i++) {
			f.entries[i] = (struct drm_ferry_migrate_entry){
				f.bo[i].handle, SYSTEM
			};
		}
		f.entries[bad] =
			(struct drm_ferry_migrate_entry){ f.extra.handle,
							  APERTURE };
		for (int outs = 0; outs <= SYNCS; outs += SYNCS) {
			f.args.out_count = outs;
			igt_assert_eq(migrate(), -ENOSPC);
			igt_assert_eq_u32(f.args.failed_entry, bad);
		}
	}
	igt_ferry_close_all(fd, handles, kept);
	igt_assert_eq(migrate(), 0);
	igt_assert_eq_u32(f.args.failed_entry, BOS);
}

#define NUM_ENTRIES 9

/* The index that a duplicate is reported with is the later one. */
static uint32_t failed_index(const struct drm_ferry_migrate_entry *entries,
			     uint32_t position)
{
	uint32_t failed = position;

	for (uint32_t i = 0; i <= NUM_ENTRIES; i++)
		if (entries[i].handle == entries[position].handle && i > failed)
			failed = i;
	return failed;
}

/* Pass one bad entry among valid ones, at each position: no BO moves. */
static void check_bad_entry(int fd, struct igt_ferry_bo *bo,
			    const struct drm_ferry_migrate_entry *bad,
			    int expected)
{
	uint64_t to_aperture = igt_ferry_stat(fd, "moves_to_aperture"),
		 to_system = igt_ferry_stat(fd, "moves_to_system");
	struct drm_ferry_migrate_entry entries[NUM_ENTRIES + 1];

	for (unsigned int position = 0; position <= NUM_ENTRIES; position++) {
		struct drm_ferry_migrate args = {
			.entries = to_user_pointer(entries),
			.entry_stride = ENTRY_SIZE,
			.count = NUM_ENTRIES + 1,
			.failed_entry = UNSET,
		};

		for (unsigned int i = 0, n = 0; i <= NUM_ENTRIES; i++) {
			if (i == position) {
				entries[i] = *bad;
				continue;
			}
			entries[i].handle = bo[n].handle;
			entries[i].placement = other_placement(n);
			n++;
		}
		igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args),
			      expected);
		igt_assert_eq_u32(args.failed_entry,
				  failed_index(entries, position));
		for (unsigned int i = 0; i < NUM_ENTRIES; i++)
			igt_assert_eq(ferry_bo_placement(fd, bo[i].handle),
				      other_placement(i) ^
					      FERRY_PLACEMENT_BOTH);
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_aperture"), to_aperture);
	igt_assert_eq_u64(igt_ferry_stat(fd, "moves_to_system"), to_system);
}

/**
 * SUBTEST: all-or-nothing
 * Description: a bad entry at any position of the array is the failed entry, and no BO moves
 */
static void test_all_or_nothing(int fd)
{
	struct igt_ferry_bo bo[NUM_ENTRIES], other, system, aperture;
	uint32_t closed =
		ferry_bo_create(fd, PAGE, FERRY_PLACEMENT_BOTH, 0, 0, 0);

	for (unsigned int i = 0; i < NUM_ENTRIES; i++) {
		igt_ferry_bo_init(&bo[i], fd, 3 * PAGE,
				  igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo[i]);
		if (i & 1)
			ferry_bo_migrate(fd, bo[i].handle, APERTURE);
	}
	igt_ferry_bo_init(&other, fd, PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_init(&system, fd, PAGE, &igt_ferry_single_kinds[0]);
	igt_ferry_bo_init(&aperture, fd, PAGE, &igt_ferry_single_kinds[2]);
	gem_close(fd, closed);
	{
		const struct {
			struct drm_ferry_migrate_entry entry;
			int err;
		} bad[] = {
			{ { 0, APERTURE }, -ENOENT },
			{ { closed, APERTURE }, -ENOENT },
			{ { 0x7fffffff, APERTURE }, -ENOENT },
			{ { 0xffffffff, APERTURE }, -ENOENT },
			{ { other.handle, 0 }, -EINVAL },
			{ { other.handle, APERTURE | SYSTEM }, -EINVAL },
			{ { other.handle, 4 }, -EINVAL },
			{ { other.handle, APERTURE | 4 }, -EINVAL },
			{ { other.handle, 0x80000000 }, -EINVAL },
			{ { other.handle, 0xffffffff }, -EINVAL },
			{ { system.handle, APERTURE }, -EINVAL },
			{ { aperture.handle, SYSTEM }, -EINVAL },
			/* BOs 0, 4 and 8 are among the valid entries too */
			{ { bo[0].handle, APERTURE }, -EINVAL },
			{ { bo[4].handle, SYSTEM }, -EINVAL },
			{ { bo[8].handle, APERTURE }, -EINVAL },
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
			check_bad_entry(fd, bo, &bad[i].entry, bad[i].err);
	}
	for (unsigned int i = 0; i < NUM_ENTRIES; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
	igt_ferry_bo_fini(&other);
	igt_ferry_bo_fini(&system);
	igt_ferry_bo_fini(&aperture);
}

static const struct igt_ferry_test tests[] = {
	{ "failed-entry-no-piece",
	  "a contiguous BO that finds no free piece of its size is the failed entry",
	  test_failed_no_piece },
	{ "all-or-nothing",
	  "a bad entry at any position of the array is the failed entry, and no BO moves",
	  test_all_or_nothing },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* so that the client of bad-pinned can become master */
		drmDropMaster(fd);
	}

	bad_syncs(fd);
	bad_entries(fd);
	bad_strides(fd);
	igt_ferry_run_tests(fd, tests);

	igt_fixture close(fd);
}
