/* SPDX-License-Identifier: MIT */
/*
 * Operations of which each call that can fail does so once, in turn.
 */
#ifndef INJECT_PATH_H
#define INJECT_PATH_H

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_inject.h"

#define PATH_DESCRIBE                                                          \
	"each allocation and copy of the call fails once: the call returns a " \
	"documented error, and nothing has changed"

/* State of the running subtest */
static struct {
	int fd, other;
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo[16];
	unsigned int bos;
	uint32_t handle, fb, crtc, connector, syncobj;
	drmModeModeInfo mode;
	uint64_t offset, pages;
	int file;
	void *map;
} at;

/**
 * struct path - an operation of the driver
 * @name: name of the subtest, or its part before the kind of BO
 * @begin: called before the first pass, to create BOs
 * @before: called before each pass
 * @op: the operation that is made to fail; returns 0 or -errno
 * @undo: called after each successful pass
 * @check: called after each pass, to verify contents
 * @lost: called after EFAULT, to undo an operation that has succeeded. The DRM core
 * copies the result of an ioctl to user space when the driver has returned. If the
 * copy fails the caller does not have the result
 * @moves_others: BOs may have moved although the operation failed: do not compare
 * the state of the device, and rely on @check
 * @none: the operation may have no call that can fail: a BO in the aperture needs no
 * pages
 * @errors: allowed errors, besides ENOMEM and EFAULT
 * @failed: called after each failure, before the state of the device is compared
 */
struct path {
	const char *name;
	void (*begin)(void);
	void (*before)(void);
	int (*op)(void);
	void (*undo)(void);
	void (*check)(void);
	void (*lost)(void);
	bool moves_others;
	bool none;
	int errors[4];
	void (*failed)(void);
};

static inline bool may_fail_with(const struct path *path, int err)
{
	if (err == -ENOMEM || err == -EFAULT)
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(path->errors); i++)
		if (path->errors[i] && err == -path->errors[i])
			return true;
	return false;
}

static inline void run_path(const struct path *path)
{
	unsigned int failed = 0, survived = 0, nth;
	struct igt_ferry_state before;
	bool hit;
	int err;

	if (path->begin)
		path->begin();
	/* once without failures: allocations that the kernel keeps are not counted */
	if (path->before)
		path->before();
	err = path->op();
	igt_assert_f(!err, "%s: %s although nothing was made to fail\n",
		     path->name, strerror(-err));
	if (path->undo)
		path->undo();

	for (nth = igt_ferry_inject_first(); nth < IGT_FERRY_INJECT_MAX;
	     nth++) {
		if (path->before)
			path->before();
		if (!path->moves_others)
			igt_ferry_state_get(at.fd, &before, false);
		igt_ferry_inject_arm(nth);
		err = path->op();
		hit = igt_ferry_inject_disarm();
		if (err) {
			igt_assert_f(hit, "%s: %s although nothing failed\n",
				     path->name, strerror(-err));
			igt_assert_f(may_fail_with(path, err),
				     "%s: failure %u gives %s (%d)\n",
				     path->name, nth, strerror(-err), err);
			failed++;
			if (err == -EFAULT && path->lost)
				path->lost();
			if (path->failed)
				path->failed();
			if (!path->moves_others)
				igt_ferry_state_check(at.fd, &before, 10,
						      "%s: failure %u (%s)",
						      path->name, nth,
						      strerror(-err));
		} else if (hit) {
			survived++;
		}
		if (path->check)
			path->check();
		if (!err && path->undo)
			path->undo();
		if (!hit)
			break;
	}
	igt_assert_f(nth < IGT_FERRY_INJECT_MAX,
		     "%s: no pass without a failure\n", path->name);
	igt_assert_f(nth > 1 || path->none, "%s: no site was hit\n",
		     path->name);
	igt_info("%s: %u sites: %u failures, %u that it went on without\n",
		 path->name, nth - 1, failed, survived);
}

static inline int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

static inline void add_bo(size_t size, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo *bo = &at.bo[at.bos];

	igt_ferry_bo_init(bo, at.fd, size, kind);
	igt_ferry_bo_fill(bo);
	at.bos++;
}

static inline void check_bos(void)
{
	for (unsigned int i = 0; i < at.bos; i++)
		igt_ferry_bo_check(&at.bo[i]);
}

static inline void begin_display(void)
{
	drmModeConnector *connector;
	drmModeRes *res;
	uint64_t size;
	uint32_t pitch;

	igt_ferry_require_display(at.fd);
	drmSetMaster(at.fd);
	res = drmModeGetResources(at.fd);
	igt_assert(res);
	at.crtc = res->crtcs[0];
	at.connector = res->connectors[0];
	connector = drmModeGetConnector(at.fd, at.connector);
	igt_assert(connector && connector->count_modes);
	/* the smallest mode */
	at.mode = connector->modes[connector->count_modes - 1];
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
	igt_assert_eq(drmModeCreateDumbBuffer(at.fd, at.mode.hdisplay,
					      at.mode.vdisplay, 32, 0,
					      &at.handle, &pitch, &size),
		      0);
	igt_assert_eq(drmModeSetCrtc(at.fd, at.crtc, 0, 0, 0, NULL, 0, NULL),
		      0);
}

static inline int op_add_fb(void)
{
	uint32_t handles[4] = { at.handle };
	uint32_t pitches[4] = { ALIGN(at.mode.hdisplay * 4, 64) };
	uint32_t offsets[4] = {};

	return result(drmModeAddFB2(at.fd, at.mode.hdisplay, at.mode.vdisplay,
				    DRM_FORMAT_XRGB8888, handles, pitches,
				    offsets, &at.fb, 0) ?
			      -1 :
			      0);
}

static inline void begin_modeset(void)
{
	begin_display();
	igt_assert_eq(op_add_fb(), 0);
}

static inline int op_modeset(void)
{
	return result(drmModeSetCrtc(at.fd, at.crtc, at.fb, 0, 0, &at.connector,
				     1, &at.mode) ?
			      -1 :
			      0);
}

/* Add an aperture-only BO and a BO that is in the aperture now. */
static inline void add_aperture_bos(void)
{
	add_bo(9 * PAGE, &igt_ferry_single_kinds[2]);
	add_bo(5 * PAGE, &igt_ferry_movable_kinds[1]);
	ferry_bo_migrate(at.fd, at.bo[1].handle, APERTURE);
}

/* Run one operation in a new client, and wait until its BOs are freed. */
static inline void run(const struct path *path,
		       const struct igt_ferry_kind *kind, int keep)
{
	uint64_t bos = igt_ferry_stat(keep, "bos");

	memset(&at, 0, sizeof(at));
	at.fd = igt_ferry_begin(keep);
	at.other = -1;
	at.kind = kind;
	igt_ferry_inject_modules();
	run_path(path);
	igt_ferry_inject_anywhere();
	igt_ferry_clean(keep);
	igt_ferry_wait_stat(keep, "bos", bos);
}

/* Subtests of all operations in a table, for each kind of BO or without one */
static inline void run_paths(const struct path *path,
			     const struct igt_ferry_kind *kinds, int fd)
{
	for (; path->name; path++) {
		const struct igt_ferry_kind *kind = kinds;

		if (!kinds) {
			igt_describe(PATH_DESCRIBE);
			igt_subtest(path->name) run(path, NULL, fd);
			continue;
		}
		for (; kind->name; kind++) {
			igt_describe(PATH_DESCRIBE);
			igt_subtest_f("%s-%s", path->name, kind->name)
				run(path, kind, fd);
		}
	}
}

/* Before the first subtest */
static inline int begin_paths(void)
{
	int fd;

	igt_ferry_inject_init();
	fd = igt_ferry_open();
	/* so that the client of a subtest can become master */
	drmDropMaster(fd);
	return fd;
}

#endif /* INJECT_PATH_H */
