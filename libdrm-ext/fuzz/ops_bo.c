// SPDX-License-Identifier: MIT
/* Calls with BOs: their life, sharing, moves. */
#include <errno.h>
#include <string.h>

#include <xf86drm.h>

#include "fuzz.h"

/* a: slot; b: placements; c: flags; value: size */
static bool bo_new(struct state *s, const struct call *call)
{
	static const uint32_t placements[] = { 3, 1, 2, 3, 3, 0, 4, 0xffffffff };
	struct ferry_device *dev = device_of(s, call->a / BOS);
	uint64_t size = number_near(call->value, LARGEST_BO);
	/* Few of all combinations are valid. */
	uint32_t flags = call->c & 1 ? 0 :
				       (call->c >> 1 & 0xf) << 16 |
					       (call->c >> 5 & 1) |
					       (call->c >> 6 == 3) << 8;
	struct ferry_bo *bo;

	if (call->b == 0xff)
		size = ferry_device_max_bo_size(dev) + (call->value & 1);
	if (!EXPECT(ferry_bo_new(dev, size,
				 placements[call->b % ARRAY_SIZE(placements)],
				 flags, &bo),
		    EINVAL, ENOSPC))
		return false;
	if (ferry_bo_size(bo) < size || ferry_bo_size(bo) % PAGE)
		wrong("the size", "ferry_bo_new()", ferry_bo_size(bo));
	if (size > LARGEST_BO)
		ferry_bo_del(bo);
	else
		keep_bo(s, call->a, bo);
	return true;
}

/* a: slot; b: slot that gets the reference */
static bool bo_ref(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);

	if (bo)
		keep_bo(s, call->b, ferry_bo_ref(bo));
	return bo;
}

/* a: slot */
static bool bo_del(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);

	keep_bo(s, call->a, NULL);
	return bo;
}

/* a: slot; b: whether the handle is that of a slot; value: handle */
static bool bo_from_handle(struct state *s, const struct call *call)
{
	struct ferry_device *dev = device_of(s, call->a / BOS);
	uint32_t handle = call->value % 32;
	struct ferry_bo *bo = bo_of(s, call->value);

	if (call->b % 2 && bo)
		handle = ferry_bo_handle(bo);
	if (call->b == 0xff)
		handle = call->value;
	if (!EXPECT(ferry_bo_from_handle(dev, handle, &bo), ENOENT))
		return false;
	keep_bo(s, call->a, bo);
	return true;
}

/* a: slot; value: width, and height if it is not too large */
static bool bo_dumb(struct state *s, const struct call *call)
{
	struct ferry_device *dev = device_of(s, call->a / BOS);
	struct drm_mode_create_dumb dumb = { .width = call->value % 1024,
					     .height = call->b,
					     .bpp = 32 };
	struct ferry_bo *bo;

	/* Not on a render node */
	if (drmIoctl(ferry_device_fd(dev), DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return false;
	if (!EXPECT(ferry_bo_from_handle(dev, dumb.handle, &bo), ENOSYS)) {
		drmCloseBufferHandle(ferry_device_fd(dev), dumb.handle);
		return false;
	}
	keep_bo(s, call->a, bo);
	return true;
}

/* a: slot; b: how wrong; value: descriptor */
static bool bo_import(struct state *s, const struct call *call)
{
	struct ferry_device *dev = device_of(s, call->a / BOS);
	struct ferry_bo *bo;

	if (!EXPECT(ferry_bo_from_dmabuf(dev, fd_of(s, call->value),
					 call->b == 0xff, &bo),
		    EBADF, EINVAL))
		return false;
	if (ferry_bo_device(bo) != dev)
		wrong("the device", "ferry_bo_from_dmabuf()", call->value);
	if (ferry_bo_size(bo) > LARGEST_BO)
		ferry_bo_del(bo);
	else
		keep_bo(s, call->a, bo);
	return true;
}

/* a: slot; b: flags; c: slot of the descriptor */
static bool bo_export(struct state *s, const struct call *call)
{
	static const uint32_t flags[] = { 0, 0, FERRY_EXPORT_READ_ONLY, 1 };
	struct ferry_bo *bo = bo_of(s, call->a);
	int fd;

	if (!bo)
		return false;
	fd = ferry_bo_to_dmabuf(bo, flags[call->b % ARRAY_SIZE(flags)]);
	if (!EXPECT(fd, EBUSY, EINVAL))
		return false;
	keep_fd(s, call->c, fd);
	return true;
}

/* a: slot; value: size of the structure */
static bool bo_query(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);
	union {
		struct drm_ferry_bo_query info;
		uint8_t bytes[2 * sizeof(struct drm_ferry_bo_query)];
	} query;
	size_t size = call->value % (sizeof(query) + 1);

	memset(&query, 0xaa, sizeof(query));
	if (!bo || !EXPECT(ferry_bo_query(bo, &query.info, size), EINVAL))
		return false;
	for (size_t i = size; i < sizeof(query); i++) {
		if (query.bytes[i] != 0xaa)
			wrong("a byte behind it", "ferry_bo_query()", i);
	}
	if (size >= 16 && query.info.size != ferry_bo_size(bo))
		wrong("the size", "ferry_bo_query()", query.info.size);
	return true;
}

/* a: slot; b: placement */
static bool bo_migrate(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);

	return bo && EXPECT(ferry_bo_migrate(bo, call->b % 8 ? 1 + call->b % 2 :
							       call->value),
			    EINVAL, EBUSY, ENODATA, EIO, ENOSPC);
}

/* a: slot; b: what for; value: madv */
static bool bo_madvise(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);
	uint32_t retained = 99;

	if (!bo)
		return false;
	if (call->b % 4 == 0)
		return EXPECT(ferry_bo_madvise(bo, call->value % 4, NULL),
			      EINVAL, EBUSY);
	if (!EXPECT(ferry_bo_madvise(bo, call->value % 4, &retained), EINVAL,
		    EBUSY)) {
		if (retained != 99)
			wrong("an output of a failed call",
			      "ferry_bo_madvise()", retained);
		return false;
	}
	if (retained > 1)
		wrong("retained", "ferry_bo_madvise()", retained);
	return true;
}

/* a: slot; b: flags; value: kind of timeout */
static bool bo_wait(struct state *s, const struct call *call)
{
	static const int64_t timeouts[] = { 0, -1, INT64_MIN, 1, INT64_MAX };
	struct ferry_bo *bo = bo_of(s, call->a);

	return bo &&
	       EXPECT(ferry_bo_wait(
			      bo, call->b == 0xff,
			      timeouts[call->value % ARRAY_SIZE(timeouts)]),
		      EINVAL, ETIME);
}

/* a: slot; b: flags; whether it begins or ends */
static bool bo_cpu(struct state *s, const struct call *call)
{
	struct ferry_bo *bo = bo_of(s, call->a);
	uint32_t flags = call->b % 8;

	if (!bo)
		return false;
	return call->b & 8 ? EXPECT(ferry_bo_cpu_begin(bo, flags), EINVAL) :
			     EXPECT(ferry_bo_cpu_end(bo, flags), EINVAL);
}

const struct op bo_ops[] = {
	{ "new", bo_new },	   { "ref", bo_ref },
	{ "del", bo_del },	   { "from_handle", bo_from_handle },
	{ "dumb", bo_dumb },	   { "import", bo_import },
	{ "export", bo_export },   { "bo_query", bo_query },
	{ "migrate", bo_migrate }, { "madvise", bo_madvise },
	{ "bo_wait", bo_wait },	   { "cpu", bo_cpu },
};
const size_t bo_ops_count = ARRAY_SIZE(bo_ops);
