// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of the checks of ioctl arguments */

#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_syncobj.h>
#include <drm/ferry_drm.h>

#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_device.h"
#include "../ferry_gem.h"
#include "../ferry_ioctl.h"
#include "ferry_kunit_helpers.h"

#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define BOTH (SYSTEM | APERTURE)

#define FERRY_IOCTL_TEST_APERTURE SZ_1M

struct ferry_ioctl_test {
	struct ferry_device *ferry;
	struct drm_file *file;
};

static int ferry_ioctl_test_init(struct kunit *test)
{
	struct ferry_ioctl_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ferry = ferry_kunit_device_with_memory(test, ilog2(FERRY_IOCTL_TEST_APERTURE >>
							      PAGE_SHIFT));
	t->file = ferry_kunit_open(test, t->ferry);
	test->priv = t;
	return 0;
}

struct ferry_ioctl_create {
	const char *name;
	struct drm_ferry_bo_create args;
	int ret;
};

#define GOOD .size = 1, .allowed_placements = BOTH
static const struct ferry_ioctl_create ferry_ioctl_create_cases[] = {
	{ "good", { GOOD }, 0 },
	{ "good, as large as the aperture", { .size = SZ_1M, .allowed_placements = APERTURE }, 0 },
	{ "good, larger than the aperture", { .size = SZ_1M + 1, .allowed_placements = BOTH }, 0 },
	{ "good, write-combining", { GOOD, .caching = DRM_FERRY_CACHING_WC }, 0 },
	{ "good, contiguous", { GOOD, .flags = DRM_FERRY_BO_CONTIGUOUS }, 0 },
	{ "no size", { .allowed_placements = BOTH }, -EINVAL },
	{ "size 2^64 - 1", { .size = U64_MAX, .allowed_placements = BOTH }, -EINVAL },
	{ "size rounds up to 0", { .size = -(u64)PAGE_SIZE + 1, .allowed_placements = BOTH },
	  -EINVAL },
	{ "size 2^63", { .size = 1ull << 63, .allowed_placements = BOTH }, -EINVAL },
	{ "aperture-only, too large", { .size = SZ_1M + 1, .allowed_placements = APERTURE },
	  -EINVAL },
	{ "no allowed placement", { .size = 1 }, -EINVAL },
	{ "unknown allowed placement, bit 2", { .size = 1, .allowed_placements = BOTH | BIT(2) },
	  -EINVAL },
	{ "unknown allowed placement, bit 31", { .size = 1, .allowed_placements = BOTH | BIT(31) },
	  -EINVAL },
	{ "two placements", { GOOD, .placement = BOTH }, -EINVAL },
	{ "unknown placement", { GOOD, .placement = 4 }, -EINVAL },
	{ "placement not allowed, aperture", { .size = 1, .allowed_placements = SYSTEM,
	  .placement = APERTURE }, -EINVAL },
	{ "placement not allowed, system", { .size = 1, .allowed_placements = APERTURE,
	  .placement = SYSTEM }, -EINVAL },
	{ "unknown caching, 2", { GOOD, .caching = 2 }, -EINVAL },
	{ "unknown caching, 2^32 - 1", { GOOD, .caching = U32_MAX }, -EINVAL },
	{ "unknown flag, bit 1", { GOOD, .flags = 2 }, -EINVAL },
	{ "unknown flag, bit 31", { GOOD, .flags = BIT(31) }, -EINVAL },
	{ "pad not 0", { GOOD, .pad = 1 }, -EINVAL },
	{ "handle not 0", { GOOD, .handle = 1 }, -EINVAL },
	{ "placed in the aperture, too large", { .size = SZ_1M + 1, .allowed_placements = BOTH,
	  .placement = APERTURE }, -ENOSPC },
};

static void ferry_ioctl_create_desc(const struct ferry_ioctl_create *create, char *desc)
{
	strscpy(desc, create->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ferry_ioctl_create, ferry_ioctl_create_cases, ferry_ioctl_create_desc);

static void ferry_ioctl_test_create(struct kunit *test)
{
	const struct ferry_ioctl_create *create = test->param_value;
	struct drm_ferry_bo_create args = create->args;
	struct ferry_ioctl_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_create(&t->ferry->drm, &args, t->file),
			create->ret);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->ferry->stats.bos), !create->ret);
	if (create->ret) {
		/* On failure the arguments are unchanged, and no resource leaks. */
		KUNIT_EXPECT_MEMEQ(test, &args, &create->args, sizeof(args));
		KUNIT_EXPECT_EQ(test, ferry_vram_mgr_free_bytes(&t->ferry->vram_mgr),
				FERRY_IOCTL_TEST_APERTURE);
	} else {
		KUNIT_EXPECT_NE(test, args.handle, 0);
		KUNIT_EXPECT_EQ(test, args.size, PAGE_ALIGN(create->args.size));
	}
}

static void ferry_ioctl_test_device_query(struct kunit *test)
{
	struct ferry_ioctl_test *t = test->priv;
	struct drm_ferry_device_query query = {};
	struct drm_ferry_device_query bad[] = { { .flags = 1 }, { .pad = 1 },
						{ .flags = BIT(31) } };
	unsigned int i;

	KUNIT_EXPECT_EQ(test, ferry_ioctl_device_query(&t->ferry->drm, &query, t->file), 0);
	KUNIT_EXPECT_EQ(test, query.version, DRM_FERRY_UAPI_VERSION);
	KUNIT_EXPECT_EQ(test, query.aperture_size, FERRY_IOCTL_TEST_APERTURE);
	KUNIT_EXPECT_EQ(test, query.aperture_free, FERRY_IOCTL_TEST_APERTURE);
	KUNIT_EXPECT_EQ(test, query.aperture_memtype, DRM_FERRY_MEMTYPE_WB);
	KUNIT_EXPECT_EQ(test, query.page_sizes & PAGE_SIZE, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, query.features, 0);
	KUNIT_EXPECT_EQ(test, query.pad2, 0);
	KUNIT_EXPECT_GE(test, query.max_bo_size, FERRY_IOCTL_TEST_APERTURE);

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		query = bad[i];
		KUNIT_EXPECT_EQ(test, ferry_ioctl_device_query(&t->ferry->drm, &query, t->file),
				-EINVAL);
		KUNIT_EXPECT_MEMEQ(test, &query, &bad[i], sizeof(query));
	}
}

/* Invalid handles get -ENOENT: out of range, closed, or of another client. */
static void ferry_ioctl_test_handles(struct kunit *test)
{
	struct ferry_ioctl_test *t = test->priv;
	struct drm_file *other = ferry_kunit_open(test, t->ferry);
	struct drm_device *drm = &t->ferry->drm;
	u32 handles[6] = { 0, 0, INT_MAX, (u32)INT_MAX + 1, U32_MAX };
	unsigned int i;

	handles[5] = ferry_kunit_create(test, t->ferry, other, SZ_4K, BOTH, 0);
	/* a handle of this client that is closed before it is used */
	handles[1] = ferry_kunit_create(test, t->ferry, t->file, SZ_4K, BOTH, 0);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(t->file, handles[1]), 0);

	for (i = 0; i < ARRAY_SIZE(handles); i++) {
		struct drm_ferry_bo_mmap_offset offset = { .handle = handles[i] };
		struct drm_ferry_bo_query query = { .handle = handles[i] };
		struct drm_ferry_bo_wait wait = { .handle = handles[i] };
		struct drm_ferry_bo_madvise madvise = { .handle = handles[i] };

		KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_mmap_offset(drm, &offset, t->file), -ENOENT);
		KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_query(drm, &query, t->file), -ENOENT);
		KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_wait(drm, &wait, t->file), -ENOENT);
		KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_madvise(drm, &madvise, t->file), -ENOENT);
	}
}

/* Nonzero reserved fields get -EINVAL, with a valid and with an invalid handle. */
static void ferry_ioctl_test_reserved(struct kunit *test)
{
	struct ferry_ioctl_test *t = test->priv;
	struct drm_device *drm = &t->ferry->drm;
	unsigned int i, bit;

	for (i = 0; i < 2; i++) {
		u32 handle = i ? ferry_kunit_create(test, t->ferry, t->file, SZ_4K, BOTH, 0) : 0;

		for (bit = 0; bit < 32; bit++) {
			struct drm_ferry_bo_mmap_offset offset = {
				.handle = handle,
				.flags = BIT(bit),
			};
			struct drm_ferry_bo_query query = { .handle = handle, .pad = BIT(bit) };
			struct drm_ferry_bo_wait wait = { .handle = handle, .flags = BIT(bit) };
			struct drm_ferry_bo_madvise pad = { .handle = handle, .pad = BIT(bit) };
			struct drm_ferry_bo_madvise retained = {
				.handle = handle,
				.retained = BIT(bit),
			};
			struct drm_ferry_bo_madvise madv = {
				.handle = handle,
				.madv = BIT(bit) == DRM_FERRY_MADV_DONTNEED ? 3 : BIT(bit),
			};

			if (BIT(bit) != DRM_FERRY_MMAP_POPULATE)
				KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_mmap_offset(drm, &offset,
										 t->file), -EINVAL);
			KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_query(drm, &query, t->file), -EINVAL);
			KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_wait(drm, &wait, t->file), -EINVAL);
			KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_madvise(drm, &pad, t->file), -EINVAL);
			KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_madvise(drm, &retained, t->file),
					-EINVAL);
			KUNIT_EXPECT_EQ(test, ferry_ioctl_bo_madvise(drm, &madv, t->file),
					-EINVAL);
		}
	}
}

/* User memory that a migrate ioctl reads */
struct ferry_ioctl_user {
	struct drm_ferry_migrate_entry entries[2];
	struct drm_ferry_sync in;
	struct drm_ferry_sync out;
};

struct ferry_ioctl_migrate {
	const char *name;
	int ret;
	/* makes valid arguments invalid */
	void (*spoil)(struct drm_ferry_migrate *args, struct ferry_ioctl_user *user);
};

#define SPOIL(name, statement) \
static void ferry_ioctl_spoil_##name(struct drm_ferry_migrate *args, \
				     struct ferry_ioctl_user *user) \
{ \
	statement; \
}

SPOIL(nothing, (void)0)
SPOIL(flags, args->flags = 1)
SPOIL(count_0, args->count = 0)
SPOIL(count_max, args->count = DRM_FERRY_MIGRATE_MAX + 1)
SPOIL(count_all, args->count = U32_MAX)
SPOIL(entries_null, args->entries = 0)
SPOIL(entries_kernel, args->entries = (uintptr_t)args)
SPOIL(entries_cut, args->entries += PAGE_SIZE - sizeof(user->entries[0]))
SPOIL(placement_0, user->entries[1].placement = 0)
SPOIL(placement_both, user->entries[1].placement = BOTH)
SPOIL(placement_unknown, user->entries[1].placement = 4)
SPOIL(placement_denied, user->entries[1].placement = APERTURE)
SPOIL(twice, user->entries[1] = user->entries[0])
SPOIL(bad_handle, user->entries[1].handle = 99)
SPOIL(in_many, args->in_count = DRM_FERRY_SYNCS_MAX + 1)
SPOIL(out_many, args->out_count = DRM_FERRY_SYNCS_MAX + 1)
SPOIL(in_flags, (args->in_count = 1, user->in.flags = 1))
SPOIL(out_flags, (args->out_count = 1, user->out.flags = BIT(31)))
SPOIL(in_handle, (args->in_count = 1, user->in.handle = 99))
SPOIL(out_handle, (args->out_count = 1, user->out.handle = 99))
SPOIL(in_no_fence, args->in_count = 1)
SPOIL(in_null, (args->in_count = 1, args->in_syncs = 0))
SPOIL(out_null, (args->out_count = 1, args->out_syncs = 0))
SPOIL(out, args->out_count = 1)

static const struct ferry_ioctl_migrate ferry_ioctl_migrate_cases[] = {
	{ "good", 0, ferry_ioctl_spoil_nothing },
	{ "good, with an out-sync", 0, ferry_ioctl_spoil_out },
	{ "unknown flag", -EINVAL, ferry_ioctl_spoil_flags },
	{ "no entries", -EINVAL, ferry_ioctl_spoil_count_0 },
	{ "too many entries", -EINVAL, ferry_ioctl_spoil_count_max },
	{ "2^32 - 1 entries", -EINVAL, ferry_ioctl_spoil_count_all },
	{ "entries at address 0", -EFAULT, ferry_ioctl_spoil_entries_null },
	{ "entries at a kernel address", -EFAULT, ferry_ioctl_spoil_entries_kernel },
	{ "second entry not mapped", -EFAULT, ferry_ioctl_spoil_entries_cut },
	{ "no placement", -EINVAL, ferry_ioctl_spoil_placement_0 },
	{ "two placements", -EINVAL, ferry_ioctl_spoil_placement_both },
	{ "unknown placement", -EINVAL, ferry_ioctl_spoil_placement_unknown },
	{ "placement not allowed", -EINVAL, ferry_ioctl_spoil_placement_denied },
	{ "the same BO twice", -EINVAL, ferry_ioctl_spoil_twice },
	{ "invalid handle", -ENOENT, ferry_ioctl_spoil_bad_handle },
	{ "too many in-syncs", -EINVAL, ferry_ioctl_spoil_in_many },
	{ "too many out-syncs", -EINVAL, ferry_ioctl_spoil_out_many },
	{ "unknown flag of an in-sync", -EINVAL, ferry_ioctl_spoil_in_flags },
	{ "unknown flag of an out-sync", -EINVAL, ferry_ioctl_spoil_out_flags },
	{ "invalid handle of an in-sync", -ENOENT, ferry_ioctl_spoil_in_handle },
	{ "invalid handle of an out-sync", -ENOENT, ferry_ioctl_spoil_out_handle },
	{ "in-sync without a fence", -EINVAL, ferry_ioctl_spoil_in_no_fence },
	{ "in-syncs at address 0", -EFAULT, ferry_ioctl_spoil_in_null },
	{ "out-syncs at address 0", -EFAULT, ferry_ioctl_spoil_out_null },
};

static void ferry_ioctl_migrate_desc(const struct ferry_ioctl_migrate *migrate, char *desc)
{
	strscpy(desc, migrate->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ferry_ioctl_migrate, ferry_ioctl_migrate_cases, ferry_ioctl_migrate_desc);

static u32 ferry_ioctl_test_syncobj(struct kunit *test, struct drm_file *file)
{
	struct drm_syncobj *syncobj;
	u32 handle = 0;

	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&syncobj, 0, NULL), 0);
	KUNIT_ASSERT_EQ(test, drm_syncobj_get_handle(file, syncobj, &handle), 0);
	drm_syncobj_put(syncobj);
	return handle;
}

/* Arguments with one error: the ioctl returns its error code, and moves no BO. */
static void ferry_ioctl_test_migrate(struct kunit *test)
{
	const struct ferry_ioctl_migrate *migrate = test->param_value;
	struct ferry_ioctl_test *t = test->priv;
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.count = 2,
	};
	struct ferry_ioctl_user user = {};
	unsigned long address;
	struct ferry_bo *bo;
	int ret;

	/* Map two pages, and unmap the second one, so that reading it faults. */
	address = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address) || !address);
	KUNIT_ASSERT_EQ(test, vm_munmap(address + PAGE_SIZE, PAGE_SIZE), 0);

	user.entries[0].handle = ferry_kunit_create(test, t->ferry, t->file, SZ_8K, BOTH, SYSTEM);
	user.entries[0].placement = APERTURE;
	user.entries[1].handle = ferry_kunit_create(test, t->ferry, t->file, SZ_4K, SYSTEM,
						    SYSTEM);
	user.entries[1].placement = SYSTEM;
	user.in.handle = ferry_ioctl_test_syncobj(test, t->file);
	user.out.handle = ferry_ioctl_test_syncobj(test, t->file);
	bo = ferry_kunit_lookup(test, t->file, user.entries[0].handle);

	args.entries = address + offsetof(struct ferry_ioctl_user, entries);
	args.in_syncs = address + offsetof(struct ferry_ioctl_user, in);
	args.out_syncs = address + offsetof(struct ferry_ioctl_user, out);
	migrate->spoil(&args, &user);
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)address, &user, sizeof(user)), 0);

	ret = ferry_ioctl_migrate(&t->ferry->drm, &args, t->file);
	KUNIT_EXPECT_EQ(test, ret, migrate->ret);
	KUNIT_EXPECT_EQ(test, ferry_gem_wait(bo, ktime_get_ns() + 10ull * NSEC_PER_SEC), 0);
	dma_resv_lock(bo->base.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, ferry_bo_placement(bo), migrate->ret ? SYSTEM : APERTURE);
	dma_resv_unlock(bo->base.base.resv);
}

static struct kunit_case ferry_ioctl_tests[] = {
	KUNIT_CASE_PARAM(ferry_ioctl_test_create, ferry_ioctl_create_gen_params),
	KUNIT_CASE(ferry_ioctl_test_device_query),
	KUNIT_CASE(ferry_ioctl_test_handles),
	KUNIT_CASE(ferry_ioctl_test_reserved),
	KUNIT_CASE_PARAM(ferry_ioctl_test_migrate, ferry_ioctl_migrate_gen_params),
	{ }
};

static struct kunit_suite ferry_ioctl_suite = {
	.name = "ferry_ioctl",
	.init = ferry_ioctl_test_init,
	.test_cases = ferry_ioctl_tests,
};

kunit_test_suite(ferry_ioctl_suite);
