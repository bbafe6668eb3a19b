// SPDX-License-Identifier: MIT
/**
 * TEST: ferry migrate layout
 * Category: Core
 * Description: Strides of the arrays of MIGRATE, and structures of older and newer programs
 */
#include <sys/ioctl.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"
#include "migrate_args.h"

IGT_TEST_DESCRIPTION(
	"Strides of the arrays of MIGRATE, and structures of older and newer programs");

/**
 * SUBTEST: entry-stride-larger
 * Description: entries that are further apart than their size, with zeros between them, are each taken
 */
static void test_entry_stride_larger(int fd)
{
	static const uint32_t strides[] = { 9,	12,   16,
					    64, 4095, DRM_FERRY_STRIDE_MAX };

	begin(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		toggle();
		spread_entries(strides[i]);
		/* with and without syncs */
		f.args.in_count = f.args.out_count = i & 1 ? SYNCS : 0;
		igt_assert_eq(migrate(), 0);
		igt_assert_eq_u32(f.args.failed_entry, BOS);
		check_toggled();
	}

	/* the index of a bad entry counts entries, and not their size */
	toggle();
	for (unsigned int i = 0; i < BOS; i++) {
		struct drm_ferry_migrate_entry entry = f.entries[i];

		f.entries[i].handle = 0x7fffffff;
		spread_entries(ENTRY_SIZE * 2);
		igt_assert_eq(migrate(), -ENOENT);
		igt_assert_eq_u32(f.args.failed_entry, i);
		f.entries[i] = entry;
	}
}

/**
 * SUBTEST: sync-stride-larger
 * Description: syncs that are further apart than their size, with zeros between them, are each taken
 */
static void test_sync_stride_larger(int fd)
{
	static const uint32_t strides[] = { 17, 24, DRM_FERRY_STRIDE_MAX };

	begin(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		struct drm_ferry_sync in[3], out[4];
		struct igt_ferry_gate gate;

		/* only the last in-sync holds the move back */
		igt_ferry_gate_init(&gate);
		in[0] = f.in[0];
		in[1] = f.in[1];
		in[2] = igt_ferry_gate_sync(&gate, fd, 0);
		for (unsigned int k = 0; k < ARRAY_SIZE(out); k++)
			out[k] = igt_ferry_sync_new(fd, 5 * (k & 1));
		toggle();
		spread_entries(ENTRY_SIZE * 2);
		f.args.sync_stride = strides[i];
		f.args.in_syncs = spread(in_buf, in, SYNC_SIZE, 3, strides[i]);
		f.args.in_count = 3;
		f.args.out_syncs =
			spread(out_buf, out, SYNC_SIZE, 4, strides[i]);
		f.args.out_count = 3;
		igt_assert_eq(migrate(), 0);
		usleep(50000);
		for (unsigned int k = 0; k < 3; k++)
			igt_ferry_assert_pending(&gate, fd, out[k]);
		igt_ferry_gate_open(&gate);
		for (unsigned int k = 0; k < 3; k++)
			igt_ferry_sync_wait(fd, out[k]);
		/* the one behind the last is not taken */
		igt_assert_eq(igt_ferry_sync_state(fd, out[3]), -EINVAL);
		check_toggled();
		igt_ferry_gate_fini(&gate);
	}
}

/* Check that each of these bytes, which the kernel does not know, must be zero. */
static void check_tail(char *buf, size_t size, unsigned int count,
		       uint32_t stride)
{
	for (unsigned int i = 0; i < count; i++) {
		const size_t at[] = { size, (size + stride) / 2, stride - 1 };

		for (unsigned int k = 0; k < ARRAY_SIZE(at); k++) {
			char *byte = buf + i * stride + at[k];

			*byte = k == 1 ? 1 : 0x80;
			check_fails(E2BIG, NO_ENTRY);
			*byte = 0;
		}
	}
}

static void check_tails(char *buf, size_t size, unsigned int count,
			void (*apart)(uint32_t stride))
{
	const uint32_t strides[] = { size + 1, size * 2, DRM_FERRY_STRIDE_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		apart(strides[i]);
		check_tail(buf, size, count, strides[i]);
	}
	check_works();
}

/**
 * SUBTEST: entry-tail
 * Description: an entry with a byte that the kernel does not know and that is not zero gives E2BIG, and no BO moves
 */
static void test_entry_tail(int fd)
{
	begin(fd);
	check_tails(entry_buf, ENTRY_SIZE, BOS, spread_entries);
}

/**
 * SUBTEST: in-tail
 * Description: an in-sync with a byte that the kernel does not know and that is not zero gives E2BIG, and no BO moves
 */
static void test_in_tail(int fd)
{
	begin(fd);
	check_tails(in_buf, SYNC_SIZE, SYNCS, spread_syncs);
}

/**
 * SUBTEST: out-tail
 * Description: an out-sync with a byte that the kernel does not know and that is not zero gives E2BIG, and no BO moves
 */
static void test_out_tail(int fd)
{
	begin(fd);
	check_tails(out_buf, SYNC_SIZE, SYNCS, spread_syncs);
}

/**
 * SUBTEST: sync-stride-ignored
 * Description: without syncs the stride of syncs may have any value
 */
static void test_sync_stride_ignored(int fd)
{
	static const uint32_t strides[] = {
		0,	  1,	     SYNC_SIZE - 1, DRM_FERRY_STRIDE_MAX + 1,
		1u << 31, UINT32_MAX
	};

	begin(fd);
	f.args.in_count = f.args.out_count = 0;
	f.args.in_syncs = f.args.out_syncs = UINT64_MAX;
	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		toggle();
		f.args.sync_stride = strides[i];
		igt_assert_eq(migrate(), 0);
		igt_assert_eq_u32(f.args.failed_entry, BOS);
		check_toggled();
	}
}

/*
 * Elements at @stride of which @tail bytes of the last one, or if 0 the whole
 * last one, are behind the end of the mapping
 */
static __u64 end_outside(const void *from, size_t size, unsigned int count,
			 uint32_t stride, uint32_t tail)
{
	size_t inside = count * stride - (tail ? tail : stride);
	char *start = f.half + PAGE - inside;

	igt_assert_lte_u64(inside, PAGE);
	memset(start, 0, inside);
	for (unsigned int i = 0; i < count - !tail; i++)
		memcpy(start + i * stride, (const char *)from + i * size, size);
	return to_user_pointer(start);
}

/**
 * SUBTEST: entry-stride-off-mapping
 * Description: entries whose stride leads out of the mapping give EFAULT, and no BO moves
 */
static void test_entry_off_mapping(int fd)
{
	static const uint32_t strides[] = { 9, 16, 1024 };

	begin(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		f.args.entry_stride = strides[i];
		/* the tail of the last entry, and all of it */
		for (uint32_t tail = 0; tail < 2; tail++) {
			f.args.entries = end_outside(f.entries, ENTRY_SIZE, BOS,
						     strides[i], tail);
			check_fails(EFAULT, NO_ENTRY);
		}
	}
	/* 256 MiB, of which only the first entry is mapped */
	f.args.entries = to_user_pointer(memcpy(f.half, f.entries, ENTRY_SIZE));
	memset(f.half + ENTRY_SIZE, 0, PAGE - ENTRY_SIZE);
	f.args.entry_stride = DRM_FERRY_STRIDE_MAX;
	f.args.count = DRM_FERRY_MIGRATE_MAX;
	check_fails(EFAULT, NO_ENTRY);
	check_works();
}

static void check_syncs_off_mapping(__u64 *syncs, uint32_t *count,
				    const struct drm_ferry_sync *from)
{
	static const uint32_t strides[] = { 17, 32, 2048 };

	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		spread_syncs(strides[i]);
		for (uint32_t tail = 0; tail < 2; tail++) {
			*syncs = end_outside(from, SYNC_SIZE, SYNCS, strides[i],
					     tail);
			check_fails(EFAULT, NO_ENTRY);
		}
	}
	spread_syncs(DRM_FERRY_STRIDE_MAX);
	memset(f.half, 0, PAGE);
	*syncs = to_user_pointer(memcpy(f.half, from, SYNC_SIZE));
	*count = DRM_FERRY_SYNCS_MAX;
	check_fails(EFAULT, NO_ENTRY);
	check_works();
}

/**
 * SUBTEST: in-stride-off-mapping
 * Description: in-syncs whose stride leads out of the mapping give EFAULT, and no BO moves
 */
static void test_in_off_mapping(int fd)
{
	begin(fd);
	check_syncs_off_mapping(&f.args.in_syncs, &f.args.in_count, f.in);
}

/**
 * SUBTEST: out-stride-off-mapping
 * Description: out-syncs whose stride leads out of the mapping give EFAULT, and no BO moves
 */
static void test_out_off_mapping(int fd)
{
	begin(fd);
	check_syncs_off_mapping(&f.args.out_syncs, &f.args.out_count, f.out);
}

static int migrate_sized(void *args, size_t size)
{
	return __ferry_ioctl(f.fd,
			     _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE,
				  DRM_COMMAND_BASE + DRM_FERRY_MIGRATE, size),
			     args);
}

/**
 * SUBTEST: struct-shorter
 * Description: a structure that ends early works as if it ended in zeros, and nothing is written behind its end
 */
static void test_struct_shorter(int fd)
{
	/* where a program of each size ends, and what it gets */
	static const struct {
		size_t size;
		int err;
		uint32_t in_count, out_count;
	} cuts[] = {
		{ offsetof(struct drm_ferry_migrate, pad), 0, SYNCS, SYNCS },
		{ offsetof(struct drm_ferry_migrate, failed_entry), 0, SYNCS,
		  SYNCS },
		{ offsetof(struct drm_ferry_migrate, flags), 0, SYNCS, SYNCS },
		/* no stride of syncs: valid without syncs */
		{ offsetof(struct drm_ferry_migrate, sync_stride), 0, 0, 0 },
		{ offsetof(struct drm_ferry_migrate, sync_stride), -EINVAL,
		  SYNCS, 0 },
		{ offsetof(struct drm_ferry_migrate, sync_stride), -EINVAL, 0,
		  SYNCS },
		/* no out-syncs, no in-syncs */
		{ offsetof(struct drm_ferry_migrate, in_count), 0, SYNCS,
		  SYNCS },
		/* no stride of entries, no count */
		{ offsetof(struct drm_ferry_migrate, entry_stride), -EINVAL, 0,
		  0 },
		{ offsetof(struct drm_ferry_migrate, count), -EINVAL, 0, 0 },
	};

	begin(fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(cuts); i++) {
		struct drm_ferry_migrate args, before;

		toggle();
		args = f.args;
		args.in_count = cuts[i].in_count;
		args.out_count = cuts[i].out_count;
		memset((char *)&args + cuts[i].size, 0xee,
		       sizeof(args) - cuts[i].size);
		before = args;
		igt_assert_f(migrate_sized(&args, cuts[i].size) == cuts[i].err,
			     "a structure of %zu bytes does not give %s\n",
			     cuts[i].size, strerror(-cuts[i].err));
		if (cuts[i].size >
		    offsetof(struct drm_ferry_migrate, failed_entry))
			before.failed_entry = BOS;
		igt_assert(!memcmp(&args, &before, sizeof(args)));
		if (!cuts[i].err)
			check_toggled();
	}
}

/**
 * SUBTEST: struct-longer
 * Description: of a longer structure the known part is used and written, and the rest is ignored
 */
static void test_struct_longer(int fd)
{
	struct {
		struct drm_ferry_migrate args;
		uint64_t rest[8];
	} longer;

	begin(fd);
	for (size_t size = sizeof(f.args) + 4; size <= sizeof(longer);
	     size += 20) {
		memset(&longer, 0xab, sizeof(longer));
		toggle();
		longer.args = f.args;
		igt_assert_eq(migrate_sized(&longer, size), 0);
		igt_assert_eq_u32(longer.args.failed_entry, BOS);
		check_toggled();

		toggle();
		f.entries[1].placement = 0;
		igt_assert_eq(migrate_sized(&longer, size), -EINVAL);
		igt_assert_eq_u32(longer.args.failed_entry, 1);
		for (unsigned int i = 0; i < ARRAY_SIZE(longer.rest); i++)
			igt_assert_eq_u64(longer.rest[i],
					  0xababababababababull);
		toggle();
	}
}

static const struct igt_ferry_test tests[] = {
	{ "entry-stride-larger",
	  "entries that are further apart than their size, with zeros between them, are each taken",
	  test_entry_stride_larger },
	{ "sync-stride-larger",
	  "syncs that are further apart than their size, with zeros between them, are each taken",
	  test_sync_stride_larger },
	{ "entry-tail",
	  "an entry with a byte that the kernel does not know and that is not zero gives E2BIG, and no BO moves",
	  test_entry_tail },
	{ "in-tail",
	  "an in-sync with a byte that the kernel does not know and that is not zero gives E2BIG, and no BO moves",
	  test_in_tail },
	{ "out-tail",
	  "an out-sync with a byte that the kernel does not know and that is not zero gives E2BIG, and no BO moves",
	  test_out_tail },
	{ "sync-stride-ignored",
	  "without syncs the stride of syncs may have any value",
	  test_sync_stride_ignored },
	{ "entry-stride-off-mapping",
	  "entries whose stride leads out of the mapping give EFAULT, and no BO moves",
	  test_entry_off_mapping },
	{ "in-stride-off-mapping",
	  "in-syncs whose stride leads out of the mapping give EFAULT, and no BO moves",
	  test_in_off_mapping },
	{ "out-stride-off-mapping",
	  "out-syncs whose stride leads out of the mapping give EFAULT, and no BO moves",
	  test_out_off_mapping },
	{ "struct-shorter",
	  "a structure that ends early works as if it ended in zeros, and nothing is written behind its end",
	  test_struct_shorter },
	{ "struct-longer",
	  "of a longer structure the known part is used and written, and the rest is ignored",
	  test_struct_longer },
	{}
};

igt_ferry_main(tests);
