// SPDX-License-Identifier: MIT
/* Calls that move several BOs, and those with fences. Every fence ends with its
 * move. */
#include <errno.h>
#include <unistd.h>

#include <xf86drm.h>

#include "fuzz.h"

#define MOST 4
#define MIGRATE_ERRORS EINVAL, EBUSY, ENODATA, EIO, ENOSPC

/* Moves of BOs that exist, up to MOST; @random chooses them. Returns how many.
 */
static uint32_t choose_moves(struct state *s, uint32_t random,
			     struct ferry_bo_move *moves)
{
	uint32_t count = 0;

	for (uint32_t want = random % (MOST + 1); want; want--, random >>= 5) {
		struct ferry_bo *bo = bo_of(s, random >> 3);

		if (!bo)
			continue;
		moves[count].bo = bo;
		moves[count].placement = 1 + (random >> 6 & 1);
		moves[count].flags = random % 64 == 63;
		count++;
	}
	return count;
}

static struct drm_ferry_sync sync_of(struct state *s, uint8_t number)
{
	uint32_t *handle = &s->syncs[number % SYNCS];
	struct drm_ferry_sync sync = { .point = number >= 0xc0 ? 1 : 0,
				       .flags = number == 0xff };

	if (!*handle &&
	    drmSyncobjCreate(ferry_device_fd(s->devices[0]), 0, handle))
		*handle = 0;
	sync.handle = (number & 0x1f) == 0x1f ? 9999 : *handle;
	return sync;
}

/* a: whether the count is wrong, device; value: moves */
static bool migrate_many(struct state *s, const struct call *call)
{
	struct ferry_bo_move moves[MOST];
	uint32_t count = choose_moves(s, call->value, moves), failed = 99;
	bool good;

	if (call->a == 0xff)
		count = DRM_FERRY_MIGRATE_MAX + 1 +
			call->value % 2 * 0x7fffffff;
	good = EXPECT(ferry_bo_migrate_many(device_of(s, call->b), moves, count,
					    call->a % 4 ? &failed : NULL),
		      MIGRATE_ERRORS);
	if (call->a % 4 && (good ? failed != count : failed > count))
		wrong("the failed entry", "ferry_bo_migrate_many()", failed);
	return good;
}

/* a: what is wrong; b, c: the syncs; value: moves */
static bool migrate_sync(struct state *s, const struct call *call)
{
	struct drm_ferry_sync in = sync_of(s, call->b),
			      out = sync_of(s, call->c);
	struct ferry_bo_move moves[MOST];
	uint32_t count = choose_moves(s, call->value, moves), failed;
	uint32_t in_count = call->a % 4 == 1, out_count = call->a >> 2 & 1;

	if (call->a == 0xff)
		in_count = DRM_FERRY_SYNCS_MAX + 1;
	if (call->a == 0xfe)
		out_count = UINT32_MAX;
	return EXPECT(ferry_bo_migrate_sync(s->devices[0], moves, count, &in,
					    in_count, &out, out_count, &failed),
		      MIGRATE_ERRORS, ENOENT);
}

/* a: slot of the descriptor; b: the sync; c: whether there is one; value: moves
 */
static bool migrate_fence(struct state *s, const struct call *call)
{
	struct drm_ferry_sync in = sync_of(s, call->b);
	struct ferry_bo_move moves[MOST];
	uint32_t count = choose_moves(s, call->value, moves);
	int fd = ferry_bo_migrate_fence(s->devices[0], moves, count, &in,
					call->c % 4 == 1, NULL);

	if (!EXPECT(fd, MIGRATE_ERRORS, ENOENT))
		return false;
	keep_fd(s, call->a, fd);
	return true;
}

/* a: slot of the descriptor; b: the sync */
static bool sync_fence(struct state *s, const struct call *call)
{
	struct drm_ferry_sync sync = sync_of(s, call->b);
	int fd = ferry_sync_fence(s->devices[0], &sync);

	if (!EXPECT(fd, EINVAL, ENOENT))
		return false;
	keep_fd(s, call->a, fd);
	return true;
}

/* a: how many; b, c: the syncs; value: flags and timeout */
static bool sync_wait(struct state *s, const struct call *call)
{
	struct drm_ferry_sync syncs[] = { sync_of(s, call->b),
					  sync_of(s, call->c) };
	static const uint32_t flags[] = { 0, 0, FERRY_WAIT_FOR_FENCE, 1 };
	uint32_t flag = flags[call->value % ARRAY_SIZE(flags)];
	/* No thread gives a syncobj its fence. */
	int64_t forever = flag ? 1 : INT64_MAX;

	return EXPECT(ferry_sync_wait(s->devices[0], syncs,
				      call->a == 0xff ? UINT32_MAX :
							call->a % 3,
				      flag, call->value & 4 ? forever : 0),
		      EINVAL, ENOENT, ETIME);
}

/* a: slot */
static bool close_fd(struct state *s, const struct call *call)
{
	keep_fd(s, call->a, -1);
	return true;
}

const struct op sync_ops[] = {
	{ "migrate_many", migrate_many },   { "migrate_sync", migrate_sync },
	{ "migrate_fence", migrate_fence }, { "sync_fence", sync_fence },
	{ "sync_wait", sync_wait },	    { "close_fd", close_fd },
};
const size_t sync_ops_count = ARRAY_SIZE(sync_ops);
