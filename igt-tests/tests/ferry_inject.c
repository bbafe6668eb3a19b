// SPDX-License-Identifier: MIT
/**
 * TEST: ferry inject
 * Category: Core
 * Description: Every allocation and every copy from user space fails once, in turn
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>

#include <xf86drmMode.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"For each path into the driver the first call that can be made to fail does, then the second, and so on until all went well. Each failure has a documented error and changes nothing.");

#define MIB (1ull << 20)

/* Two huge entries, and small ones behind them */
#define MAP_SIZE (4 * MIB + 3 * PAGE)

/* More sites than any path has: beyond that a pass does not get further. */
#define SITES_MAX 5000

#define FOURCC_XRGB8888 0x34325258 /* DRM_FORMAT_XRGB8888 */

/*
 * What the kernel can make fail, and what keeps it from doing so in places that
 * may sleep: turned off. The reports would look like the kernel's own trouble.
 */
static const char *const faults[] = { "failslab", "fail_page_alloc",
				      "fail_usercopy" };
static const struct {
	const char *file;
	const char *value;
} settings[] = {
	{ "ignore-gfp-wait", "N" },   { "ignore-gfp-highmem", "N" },
	{ "min-order", "0" },	      { "verbose", "0" },
	{ "stacktrace-depth", "32" },
};

static int nth_file = -1;

static bool write_fault(const char *fault, const char *file, const char *value)
{
	char path[PATH_MAX];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", fault, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false; /* not all faults have all settings */
	done = write(fd, value, strlen(value)) > 0;
	close(fd);
	return done;
}

static void set_range(uint64_t first, uint64_t end)
{
	char text[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		snprintf(text, sizeof(text), "%#" PRIx64, end);
		igt_assert(write_fault(faults[i], "require-end", text));
		snprintf(text, sizeof(text), "%#" PRIx64, first);
		igt_assert(write_fault(faults[i], "require-start", text));
	}
}

/*
 * Two functions of the kernel do not survive it, whatever a driver does before or
 * after. If the buddy allocator has no memory to split a block, it frees the block
 * that is still on its tree of free ones. If the DRM core has none for the device
 * of a minor, it puts a reference to an error pointer.
 */
#define BUDDY "split_block"
#define MINOR "drm_sysfs_minor_alloc"

/* Calls on behalf of this function do not fail. */
static void spare(const char *function)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	uint64_t first = 0, end = UINT64_MAX, address;
	char line[512], name[256];

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %*c %255s", &address, name) != 2)
			continue;
		if (!strcmp(name, function))
			first = address;
	}
	rewind(file);
	while (first && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64, &address) == 1 &&
		    address > first && address < end)
			end = address;
	fclose(file);
	if (!first)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		snprintf(line, sizeof(line), "%#" PRIx64, first);
		igt_assert(write_fault(faults[i], "reject-start", line));
		snprintf(line, sizeof(line), "%#" PRIx64, end);
		igt_assert(write_fault(faults[i], "reject-end", line));
	}
}

/*
 * Calls count that are made on behalf of a module: ferry, TTM and the DRM core
 * are modules. What the kernel allocates besides, as for the file that a write
 * goes to, is not ferry's.
 */
static void count_modules(void)
{
	uint64_t first = UINT64_MAX, end = 0, base;
	FILE *file = fopen("/proc/modules", "r");
	unsigned long size;
	char line[512];

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, " 0x");

		if (!at || sscanf(line, "%*s %lu", &size) != 1)
			continue;
		base = strtoull(at, NULL, 16);
		first = base < first ? base : first;
		end = base + size > end ? base + size : end;
	}
	fclose(file);
	igt_require_f(first && first < end,
		      "addresses of modules are hidden: be root\n");
	set_range(first, end);
}

static void faults_off(int sig)
{
	(void)sig;
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		write_fault(faults[i], "require-start", "0");
		write_fault(faults[i], "require-end", "0xffffffffffffffff");
		write_fault(faults[i], "reject-start", "0");
		write_fault(faults[i], "reject-end", "0");
		write_fault(faults[i], "ignore-gfp-wait", "Y");
		write_fault(faults[i], "probability", "0");
	}
}

static void faults_init(void)
{
	nth_file = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	igt_require_f(
		nth_file >= 0,
		"this kernel has no fault injection: make test KERNEL=debug\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		igt_require_f(
			write_fault(faults[i], "stacktrace-depth", "32"),
			"/sys/kernel/debug/%s: %s (CONFIG_FAULT_INJECTION_STACKTRACE_FILTER, ..._DEBUG_FS)\n",
			faults[i], strerror(errno));
		for (unsigned int k = 0; k < ARRAY_SIZE(settings); k++)
			write_fault(faults[i], settings[k].file,
				    settings[k].value);
	}
	igt_install_exit_handler(faults_off);
	spare(BUDDY);
	errno = 0;
}

/* The @nth call of this thread fails. */
static void arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	igt_assert_eq(pwrite(nth_file, text, len, 0), len);
}

/* Did it? */
static bool disarm(void)
{
	char text[16] = "";
	int err = errno;

	igt_assert_lt(0, pread(nth_file, text, sizeof(text) - 1, 0));
	igt_assert_eq(pwrite(nth_file, "0", 1, 0), 1);
	errno = err;
	return atoi(text) == 0;
}

/* What must be as before, as text: every BO with its place, and the aperture. */
struct state {
	char text[16384];
};

static void state_get(int fd, struct state *state)
{
	static const char *const counters[] = { "bos", "system_pages",
						"aperture_unevictable",
						"scanout_pins" };
	uint64_t values[ARRAY_SIZE(counters)];
	int dir = igt_debugfs_dir(fd);
	size_t used = 0;
	int len;

	igt_assert_fd(dir);
	igt_ferry_stats(fd, counters, values, ARRAY_SIZE(counters));
	for (unsigned int i = 0; i < ARRAY_SIZE(counters); i++)
		used += snprintf(state->text + used, sizeof(state->text) - used,
				 "%s %" PRIu64 "\n", counters[i], values[i]);
	used += snprintf(state->text + used, sizeof(state->text) - used,
			 "free %" PRIu64 "\n", igt_ferry_aperture_free(fd));
	len = igt_debugfs_simple_read(dir, "ferry_bos", state->text + used,
				      sizeof(state->text) - used - 1);
	igt_assert_lte(0, len);
	state->text[used + len] = '\0';
	close(dir);
}

/* The kernel may free some of it a moment later. */
static void state_check(int fd, const struct state *before, const char *path,
			unsigned int nth, int err)
{
	struct timespec start = {};
	struct state now;

	do {
		state_get(fd, &now);
		if (!strcmp(before->text, now.text))
			return;
		usleep(20000);
	} while (igt_seconds_elapsed(&start) < 10);
	igt_assert_f(
		!strcmp(before->text, now.text),
		"%s: failure %u (%s) changed something. Before:\n%sNow:\n%s",
		path, nth, strerror(-err), before->text, now.text);
}

/* What the paths work on */
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
 * struct path - a way into the driver
 * @name: part of the subtest's name
 * @begin: before the first pass: make what is worked on
 * @before: before each pass
 * @op: what is made to fail: returns 0 or -errno
 * @undo: after each pass that went well
 * @check: after each pass: are the contents intact?
 * @lost: after EFAULT: undo it if it is done. The DRM core copies the result of
 * an ioctl out when the driver has ended: if that fails it is done, but nobody
 * knows
 * @moves_others: BOs may have moved although it failed: their contents count
 * @none: it may be that nothing in it can fail: the aperture needs no pages
 * @errors: errors that it may have, besides ENOMEM and EFAULT
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
};

static bool may_fail_with(const struct path *path, int err)
{
	if (err == -ENOMEM || err == -EFAULT)
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(path->errors); i++)
		if (path->errors[i] && err == -path->errors[i])
			return true;
	return false;
}

/* Where to begin, to look again at one call in a long path */
static unsigned int first_nth(void)
{
	const char *first = getenv("FERRY_NTH");

	return first ? strtoul(first, NULL, 10) : 1;
}

static void run_path(const struct path *path)
{
	unsigned int failed = 0, survived = 0, nth;
	struct state before;
	bool hit;
	int err;

	if (path->begin)
		path->begin();
	/* once without failures: what the kernel keeps for the next time */
	if (path->before)
		path->before();
	err = path->op();
	igt_assert_f(!err, "%s: %s although nothing was made to fail\n",
		     path->name, strerror(-err));
	if (path->undo)
		path->undo();

	for (nth = first_nth(); nth < SITES_MAX; nth++) {
		if (path->before)
			path->before();
		if (!path->moves_others)
			state_get(at.fd, &before);
		arm(nth);
		err = path->op();
		hit = disarm();
		if (err) {
			igt_assert_f(hit, "%s: %s although nothing failed\n",
				     path->name, strerror(-err));
			igt_assert_f(may_fail_with(path, err),
				     "%s: failure %u gives %s (%d)\n",
				     path->name, nth, strerror(-err), err);
			failed++;
			if (err == -EFAULT && path->lost)
				path->lost();
			if (!path->moves_others)
				state_check(at.fd, &before, path->name, nth,
					    err);
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
	igt_assert_f(nth < SITES_MAX, "%s: no pass without a failure\n",
		     path->name);
	igt_assert_f(nth > 1 || path->none, "%s: no site was hit\n",
		     path->name);
	igt_info("%s: %u sites: %u failures, %u that it went on without\n",
		 path->name, nth - 1, failed, survived);
}

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

/* ---- contents ---- */

static void add_bo(size_t size, const struct igt_ferry_kind *kind)
{
	struct igt_ferry_bo *bo = &at.bo[at.bos];

	igt_ferry_bo_init(bo, at.fd, size, kind);
	igt_ferry_bo_fill(bo);
	at.bos++;
}

static void check_bos(void)
{
	for (unsigned int i = 0; i < at.bos; i++)
		igt_ferry_bo_check(&at.bo[i]);
}

/* ---- query, offset, wait, madvise ---- */

static void begin_one(void)
{
	add_bo(3 * PAGE, &igt_ferry_movable_kinds[0]);
}

static int op_device_query(void)
{
	struct drm_ferry_device_query query = {};

	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_DEVICE_QUERY, &query);
}

static int op_bo_query(void)
{
	struct drm_ferry_bo_query query;

	return __ferry_bo_query(at.fd, at.bo[0].handle, &query);
}

static int op_mmap_offset(void)
{
	uint64_t offset;

	return __ferry_bo_mmap_offset(at.fd, at.bo[0].handle, &offset);
}

static int op_wait(void)
{
	struct drm_ferry_bo_wait wait = { .handle = at.bo[0].handle };

	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_BO_WAIT, &wait);
}

static int op_madvise(void)
{
	struct drm_ferry_bo_madvise madvise = {
		.handle = at.bo[0].handle,
		.madv = DRM_FERRY_MADV_WILLNEED,
	};

	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_BO_MADVISE, &madvise);
}

/* ---- open, create, mmap, fault ---- */

static int op_open(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", at.fd);
	at.file = open(path, O_RDWR | O_CLOEXEC);
	return result(at.file);
}

static void undo_file(void)
{
	close(at.file);
}

static int op_create(void)
{
	return __ferry_bo_create(at.fd, 80 * PAGE, at.kind->allowed_placements,
				 at.kind->placement, at.kind->caching,
				 at.kind->flags, &at.handle);
}

static int op_create_dumb(void)
{
	return -drmModeCreateDumbBuffer(at.fd, 64, 64, 32, 0, &at.handle,
					&(uint32_t){ 0 }, &(uint64_t){ 0 });
}

static int op_create_dumb_errno(void)
{
	int err = op_create_dumb();

	return err > 0 ? -err : err;
}

static void undo_handle(void)
{
	gem_close(at.fd, at.handle);
}

/* Handles are given out from below: it is the one of the pass before. */
static uint32_t last_handle;

static void undo_create(void)
{
	last_handle = at.handle;
	undo_handle();
}

static void lost_handle(void)
{
	__ferry_bo_close(at.fd, last_handle);
}

static void before_mmap(void)
{
	int caches = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	/* TTM keeps pages that were freed: it shall have to allocate */
	igt_assert_fd(caches);
	igt_assert_eq(write(caches, "2", 1), 1);
	close(caches);
	at.handle = ferry_bo_create(at.fd, MAP_SIZE, at.kind->allowed_placements,
				    at.kind->placement, at.kind->caching,
				    at.kind->flags);
	at.offset = ferry_bo_mmap_offset(at.fd, at.handle);
}

/* All pages at once, when mmap() returns: the only way in which it allocates */
static void before_populate(void)
{
	struct drm_ferry_bo_mmap_offset args = { .flags =
							 DRM_FERRY_MMAP_POPULATE };

	before_mmap();
	args.handle = at.handle;
	do_ioctl(at.fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args);
	at.offset = args.offset;
}

static int op_mmap(void)
{
	at.map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, at.fd,
		      at.offset);
	return at.map == MAP_FAILED ? -errno : 0;
}

static void check_mmap(void)
{
	if (at.map == MAP_FAILED)
		gem_close(at.fd, at.handle);
}

static void undo_mmap(void)
{
	munmap(at.map, MAP_SIZE);
	gem_close(at.fd, at.handle);
}

static void before_fault(void)
{
	before_mmap();
	igt_assert_eq(op_mmap(), 0);
}

/* An injected failure is not for want of memory: the kernel repeats the touch. */
static int op_fault(void)
{
	volatile uint64_t *word = at.map;

	word[0] = 1;
	word[3 * MIB / sizeof(*word)] = 2;
	word[4 * MIB / sizeof(*word)] = 3;
	return 0;
}

static void undo_fault(void)
{
	volatile uint64_t *word = at.map;

	igt_assert_eq_u64(word[0], 1);
	igt_assert_eq_u64(word[3 * MIB / sizeof(*word)], 2);
	igt_assert_eq_u64(word[4 * MIB / sizeof(*word)], 3);
	word[0] = word[3 * MIB / sizeof(*word)] = 0;
	word[4 * MIB / sizeof(*word)] = 0;
	igt_ferry_check_zero(at.map, MAP_SIZE);
	undo_mmap();
}

/* The kernel itself touches: it has nobody to repeat it. */
static int op_access(void)
{
	uint64_t word = 7;

	if (pwrite(at.file, &word, sizeof(word), (uintptr_t)at.map) < 0 ||
	    pread(at.file, &word, sizeof(word), (uintptr_t)at.map + MIB) < 0)
		return -errno;
	igt_assert_eq_u64(word, 0);
	return 0;
}

static void before_access(void)
{
	before_fault();
	at.file = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	igt_assert_fd(at.file);
}

static void check_access(void)
{
	const volatile uint64_t *word = at.map;

	igt_assert(word[0] == 7 || word[0] == 0);
	igt_ferry_check_zero((char *)at.map + PAGE, MAP_SIZE - PAGE);
	close(at.file);
	undo_mmap();
}

/* ---- migrate, evict ---- */

static void begin_migrate(void)
{
	for (unsigned int i = 0; i < 3; i++)
		add_bo((5 + 300 * i) * PAGE, at.kind);
}

static int migrate_all(uint32_t placement)
{
	struct drm_ferry_migrate_entry entries[ARRAY_SIZE(at.bo)];

	for (unsigned int i = 0; i < at.bos; i++)
		entries[i] = (struct drm_ferry_migrate_entry){ at.bo[i].handle,
							       placement };
	return __ferry_migrate(at.fd, entries, at.bos);
}

/* Up and down; each BO is at its old or at its new place afterwards */
static void before_up(void)
{
	igt_assert_eq(migrate_all(SYSTEM), 0);
}

static int op_up(void)
{
	return migrate_all(APERTURE);
}

static void before_down(void)
{
	igt_assert_eq(migrate_all(APERTURE), 0);
}

static int op_down(void)
{
	return migrate_all(SYSTEM);
}

static void begin_async(void)
{
	begin_migrate();
	igt_assert_eq(drmSyncobjCreate(at.fd, 0, &at.syncobj), 0);
}

static void before_async(void)
{
	before_up();
	igt_assert_eq(drmSyncobjReset(at.fd, &at.syncobj, 1), 0);
}

static int migrate_all_async(uint32_t placement)
{
	struct drm_ferry_migrate_entry entries[ARRAY_SIZE(at.bo)];
	struct drm_ferry_sync out = { .handle = at.syncobj };
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(entries),
		.count = at.bos,
		.out_syncs = to_user_pointer(&out),
		.out_count = 1,
	};

	for (unsigned int i = 0; i < at.bos; i++)
		entries[i] = (struct drm_ferry_migrate_entry){ at.bo[i].handle,
							       placement };
	return __ferry_ioctl(at.fd, DRM_IOCTL_FERRY_MIGRATE, &args);
}

static int op_async(void)
{
	return migrate_all_async(APERTURE);
}

static int op_async_down(void)
{
	return migrate_all_async(SYSTEM);
}

/* In use or kept for the way down: nobody gives a page back */
static uint64_t pages(void)
{
	return igt_ferry_stat(at.fd, "system_pages") +
	       igt_ferry_stat(at.fd, "kept_pages");
}

static void before_async_down(void)
{
	before_down();
	igt_assert_eq(drmSyncobjReset(at.fd, &at.syncobj, 1), 0);
	at.pages = pages();
}

/* Who stays in the aperture has pages for the next try. */
static void check_async_down(void)
{
	check_bos();
	igt_assert_eq_u64(pages(), at.pages);
}

static void undo_async(void)
{
	igt_assert_eq(drmSyncobjWait(at.fd, &at.syncobj, 1, INT64_MAX, 0, NULL),
		      0);
}

/* More than the aperture holds: each pass takes BOs out to bring others in. */
static void begin_evict(void)
{
	struct drm_ferry_device_query query;

	ferry_device_query(at.fd, &query);
	for (unsigned int i = 0; i < 6; i++)
		add_bo(query.aperture_size / 5 & -PAGE, at.kind);
}

static void before_evict(void)
{
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.bo[5].handle, SYSTEM), 0);
	for (unsigned int i = 0; i < 5; i++)
		__ferry_bo_migrate(at.fd, at.bo[i].handle, APERTURE);
}

static int op_evict(void)
{
	return __ferry_bo_migrate(at.fd, at.bo[5].handle, APERTURE);
}

/* ---- display ---- */

static void begin_display(void)
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
	/* the smallest */
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

static int op_add_fb(void)
{
	uint32_t handles[4] = { at.handle };
	uint32_t pitches[4] = { ALIGN(at.mode.hdisplay * 4, 64) };
	uint32_t offsets[4] = {};

	return result(drmModeAddFB2(at.fd, at.mode.hdisplay, at.mode.vdisplay,
				    FOURCC_XRGB8888, handles, pitches, offsets,
				    &at.fb, 0) ?
			      -1 :
			      0);
}

static uint32_t last_fb;

static void undo_add_fb(void)
{
	last_fb = at.fb;
	igt_assert_eq(drmModeRmFB(at.fd, at.fb), 0);
}

static void lost_fb(void)
{
	drmModeRmFB(at.fd, last_fb);
}

static void begin_modeset(void)
{
	begin_display();
	igt_assert_eq(op_add_fb(), 0);
}

static int op_modeset(void)
{
	return result(drmModeSetCrtc(at.fd, at.crtc, at.fb, 0, 0, &at.connector,
				     1, &at.mode) ?
			      -1 :
			      0);
}

/* Out of the aperture as well, where the framebuffer could stay */
static void undo_modeset(void)
{
	igt_assert_eq(drmModeSetCrtc(at.fd, at.crtc, 0, 0, 0, NULL, 0, NULL),
		      0);
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.handle, SYSTEM), 0);
}

static void before_modeset(void)
{
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.handle, SYSTEM), 0);
}

/* ---- dma-buf ---- */

/* vgem has not told the DMA layer that it takes pieces of more than 64 KiB */
#define EXPORT_SIZE (15 * PAGE)

static void before_export(void)
{
	struct igt_ferry_bo *bo = &at.bo[0];

	igt_ferry_bo_init(bo, at.fd, EXPORT_SIZE, at.kind);
	igt_ferry_bo_fill(bo);
	at.handle = bo->handle;
	at.file = -1;
}

static int op_export(void)
{
	return result(drmPrimeHandleToFD(at.fd, at.handle,
					 DRM_CLOEXEC | DRM_RDWR, &at.file));
}

/* There is no other dma-buf */
static void lost_file(void)
{
	char path[64], target[PATH_MAX];

	for (int file = 3; file < 64; file++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		len = readlink(path, target, sizeof(target) - 1);
		if (len > 0 && !strncmp(target, "/dmabuf:", 8))
			close(file);
	}
}

static void check_export(void)
{
	if (at.file >= 0)
		close(at.file);
	igt_ferry_bo_check(&at.bo[0]);
	igt_ferry_bo_fini(&at.bo[0]);
}

/* Another driver's device takes it in: it is pinned, and mapped for that device. */
static void begin_import(void)
{
	igt_require_f(igt_kmod_is_loaded("vgem") || !igt_kmod_load("vgem", ""),
		      "there is no vgem to import into\n");
	__set_forced_driver("vgem");
	at.other = __drm_open_driver(DRIVER_VGEM);
	__set_forced_driver("ferry");
	igt_require_f(at.other >= 0, "vgem has no device\n");
	/* its code counts as well, if it was loaded just now */
	count_modules();
}

static void before_import(void)
{
	before_export();
	igt_assert_eq(op_export(), 0);
	igt_assert_eq(__ferry_bo_migrate(at.fd, at.handle, APERTURE), 0);
}

static uint32_t imported, last_imported;

static void lost_imported(void)
{
	__ferry_bo_close(at.other, last_imported);
}

static int op_import(void)
{
	imported = 0;
	return result(drmPrimeFDToHandle(at.other, at.file, &imported));
}

static void check_import(void)
{
	if (imported) {
		last_imported = imported;
		gem_close(at.other, imported);
	}
	check_export();
}

/* ---- suspend ---- */

#define POWER "/sys/power/"
#define PM_DELAY "/sys/module/suspend/parameters/pm_test_delay"
#define PM_CONSOLE "/sys/module/printk/parameters/console_suspend"

static void power_restore(int sig)
{
	(void)sig;
	igt_ferry_write_file(POWER "pm_test", "none");
	igt_ferry_write_file(POWER "pm_async", "1");
	igt_ferry_write_file(PM_DELAY, "5");
	igt_ferry_write_file(PM_CONSOLE, "Y");
}

/* One that must be in the aperture and one that may, with contents */
static void add_all_up(void)
{
	add_bo(9 * PAGE, &igt_ferry_fixed_kinds[2]);
	add_bo(5 * PAGE, &igt_ferry_movable_kinds[1]);
	ferry_bo_migrate(at.fd, at.bo[1].handle, APERTURE);
}

static void begin_suspend(void)
{
	igt_ferry_require_sleep();
	igt_install_exit_handler(power_restore);
	/* only the devices, all of them by this process, and without a pause */
	igt_assert_eq(igt_ferry_write_file(POWER "pm_test", "devices"), 0);
	igt_assert_eq(igt_ferry_write_file(POWER "pm_async", "0"), 0);
	igt_assert_eq(igt_ferry_write_file(PM_DELAY, "0"), 0);
	/* who oopses shall be heard */
	igt_assert_eq(igt_ferry_write_file(PM_CONSOLE, "N"), 0);
	begin_modeset();
	add_all_up();
}

/* A resume that lacked memory has left BOs where they were, or the display off */
static void before_suspend(void)
{
	for (unsigned int i = 0; i < at.bos; i++)
		ferry_bo_migrate(at.fd, at.bo[i].handle, APERTURE);
	igt_assert_eq(op_modeset(), 0);
}

static int op_suspend(void)
{
	int err = igt_ferry_write_file(POWER "state", "freeze");

	/* if it did not come to that, what belongs into the aperture is there */
	if (err)
		igt_assert_eq(ferry_bo_placement(at.fd, at.bo[0].handle), APERTURE);
	return err;
}

static const struct path paths[] = {
	{ "device-query", .op = op_device_query },
	{ "bo-query", begin_one, .op = op_bo_query, .check = check_bos },
	{ "mmap-offset", begin_one, .op = op_mmap_offset, .check = check_bos },
	{ "wait", begin_one, .op = op_wait, .check = check_bos },
	{ "madvise", begin_one, .op = op_madvise, .check = check_bos },
	{ "open", .op = op_open, .undo = undo_file },
	{ "create-dumb", .op = op_create_dumb_errno, .undo = undo_create,
	  .lost = lost_handle },
	{ "add-fb", begin_display, .op = op_add_fb, .undo = undo_add_fb,
	  .lost = lost_fb },
	{ "modeset", begin_modeset, before_modeset, op_modeset, undo_modeset,
	  .lost = undo_modeset },
	{ "suspend", begin_suspend, before_suspend, op_suspend,
	  .check = check_bos, .moves_others = true },
};

static const struct path fixed_paths[] = {
	{ "create", .op = op_create, .undo = undo_create, .lost = lost_handle },
	{ "mmap", NULL, before_populate, op_mmap, undo_mmap, check_mmap,
	  .lost = NULL },
	{ "fault", NULL, before_fault, op_fault, undo_fault, .none = true },
	{ "access", NULL, before_access, op_access, NULL, check_access,
	  .none = true, .errors = { EIO } },
};

static const struct path movable_paths[] = {
	{ "migrate-up", begin_migrate, before_up, op_up, NULL, check_bos,
	  .moves_others = true },
	{ "migrate-down", begin_migrate, before_down, op_down, NULL, check_bos,
	  .moves_others = true },
	{ "migrate-async", begin_async, before_async, op_async, undo_async,
	  check_bos, .moves_others = true },
	{ "migrate-async-down", begin_async, before_async_down, op_async_down,
	  undo_async, check_async_down, .moves_others = true },
	{ "evict", begin_evict, before_evict, op_evict, NULL, check_bos,
	  .moves_others = true },
	{ "export", NULL, before_export, op_export, NULL, check_export,
	  .lost = lost_file },
	{ "import", begin_import, before_import, op_import, NULL, check_import,
	  lost_imported, .moves_others = true },
};

/* A new client, whose BOs are gone when its file is. */
static void run(const struct path *path, const struct igt_ferry_kind *kind,
		int keep)
{
	uint64_t bos = igt_ferry_stat(keep, "bos");

	memset(&at, 0, sizeof(at));
	at.fd = igt_ferry_begin(keep);
	at.other = -1;
	at.kind = kind;
	count_modules();
	run_path(path);
	set_range(0, UINT64_MAX);
	igt_ferry_clean(keep);
	igt_ferry_wait_stat(keep, "bos", bos);
}

/* What a probe that failed, or a device that is gone, leaves of itself. */
static unsigned long traces(void)
{
	static const char *const files[][2] = {
		{ "/proc/vmallocinfo", "[ferry]" },
		{ "/proc/iomem", "ferry" },
		{ "/proc/interrupts", "ferry" },
	};
	unsigned long count = 0;
	char line[1024];

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		FILE *file = fopen(files[i][0], "r");

		igt_assert(file);
		while (fgets(line, sizeof(line), file))
			count += !!strstr(line, files[i][1]);
		fclose(file);
	}
	return count;
}

#define EMULATION "/sys/module/drm_kms_helper/parameters/fbdev_emulation"

static void followers_on(int sig)
{
	(void)sig;
	igt_ferry_write_file(EMULATION, "1");
	igt_debug("udev goes on: %d\n",
		  system("d=/lib/systemd/systemd-udevd;"
			 "[ -x $d ] || d=/usr$d;"
			 "pidof systemd-udevd || $d --daemon"));
}

/*
 * Nobody shall do anything with a device that comes and goes some hundred times:
 * the console's framebuffer would need a block of the aperture, and udev's rules
 * would take longer than all the rest, or nearly so if it had them to do afterwards.
 * The device is not bound: a console that is there already would never be freed.
 */
static void followers_off(void)
{
	int err;

	igt_install_exit_handler(followers_on);
	err = igt_ferry_write_file(EMULATION, "0");
	igt_require_f(!err, EMULATION ": %s\n", strerror(-err));
	igt_debug("udev ends: %d\n", system("udevadm control --exit"));
}

/* No device, and what that leaves of it */
static unsigned long begin_unbound(void)
{
	igt_ferry_module_require();
	igt_ferry_clean(-1);
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	followers_off();
	return traces();
}

static void begin_bound(void)
{
	memset(&at, 0, sizeof(at));
	at.fd = igt_ferry_open();
}

/**
 * SUBTEST: probe
 * Description: binding the device: it is bound and works, or is not and has left nothing
 */
static void test_probe(void)
{
	unsigned int failed = 0, survived = 0, nth;
	unsigned long left = begin_unbound();
	bool hit, bound;
	int err;

	count_modules();
	spare(MINOR);
	for (nth = first_nth(); nth < SITES_MAX; nth++) {
		arm(nth);
		err = igt_ferry_module_bind();
		hit = disarm();
		bound = igt_ferry_module_is_bound();
		igt_assert_f(bound == !err,
			     "failure %u: %s, and the device is %sbound\n", nth,
			     strerror(-err), bound ? "" : "not ");
		if (err) {
			/* the kernel does not tell why it refuses a region: EBUSY */
			igt_assert_f(hit && (err == -ENOMEM || err == -EBUSY),
				     "failure %u of the probe gives %s (%d)\n",
				     nth, strerror(-err), err);
			igt_assert_f(
				traces() == left,
				"failure %u left %lu traces, and before there were %lu\n",
				nth, traces(), left);
			failed++;
			continue;
		}
		survived += hit;
		/* the kernel does not tell if it had no memory for the file in /dev */
		if (hit && !igt_ferry_is_present()) {
			igt_info("failure %u: there is no file\n", nth);
			igt_assert_eq(igt_ferry_module_unbind(), 0);
			continue;
		}
		/* what is not needed may be missing: what is needed works */
		begin_bound();
		add_bo(3 * PAGE, &igt_ferry_movable_kinds[0]);
		ferry_bo_migrate(at.fd, at.bo[0].handle, APERTURE);
		check_bos();
		igt_ferry_clean(-1);
		if (!hit)
			break;
		igt_assert_eq(igt_ferry_module_unbind(), 0);
	}
	set_range(0, UINT64_MAX);
	igt_assert_f(nth < SITES_MAX, "no pass without a failure\n");
	igt_info("probe: %u sites: %u failures, %u that it went on without\n",
		 nth - 1, failed, survived);
}

/* The kernel may keep some of it for a moment. */
static void wait_traces(unsigned long left, unsigned int nth)
{
	struct timespec start = {};

	while (traces() != left && igt_seconds_elapsed(&start) < 10)
		usleep(20000);
	igt_assert_f(traces() == left,
		     "failure %u left %lu traces, and before there were %lu\n",
		     nth, traces(), left);
}

/**
 * SUBTEST: unbind
 * Description: the device goes, with a picture on the screen: nothing is lost, and it comes back
 */
static void test_unbind(void)
{
	unsigned long left = begin_unbound();
	unsigned int nth;
	bool hit = true;

	for (nth = first_nth(); hit && nth < SITES_MAX; nth++) {
		igt_assert_eq(igt_ferry_module_bind(), 0);
		begin_bound();
		begin_modeset();
		igt_assert_eq(op_modeset(), 0);
		add_all_up();
		add_bo(9 * PAGE, &igt_ferry_fixed_kinds[0]);
		count_modules();
		arm(nth);
		igt_assert_eq(igt_ferry_module_unbind(), 0);
		hit = disarm();
		set_range(0, UINT64_MAX);
		check_bos();
		igt_ferry_clean(-1);
		wait_traces(left, nth);
	}
	igt_assert_f(!hit, "no pass without a failure\n");
	igt_assert_f(nth > 2, "no site was hit\n");
	igt_info("unbind: %u sites: it went on without each\n", nth - 2);
	igt_assert_eq(igt_ferry_module_bind(), 0);
}

#define PAGES "fail_page_alloc"

/* From now on there is not a page for what this process has modules do. */
static void starve(bool on)
{
	igt_ferry_must_write_file("/proc/self/make-it-fail", on ? "1" : "0");
	igt_assert(write_fault(PAGES, "task-filter", on ? "Y" : "N"));
	igt_assert(write_fault(PAGES, "times", on ? "-1" : "1"));
	igt_assert(write_fault(PAGES, "probability", on ? "100" : "0"));
}

/**
 * SUBTEST: unbind-starved
 * Description: the device goes, and there is no page to save its memory to: what needs none is whole, the rest is zero, and the log says so
 */
static void test_unbind_starved(void)
{
	unsigned long left = begin_unbound();
	int kmsg;

	igt_assert_eq(igt_ferry_module_bind(), 0);
	begin_bound();
	begin_modeset();
	igt_assert_eq(op_modeset(), 0);
	/* never had a page; keeps those that it had; is in system memory */
	add_bo(9 * PAGE, &igt_ferry_fixed_kinds[2]);
	add_bo(5 * PAGE, &igt_ferry_movable_kinds[1]);
	ferry_bo_migrate(at.fd, at.bo[1].handle, APERTURE);
	add_bo(9 * PAGE, &igt_ferry_fixed_kinds[0]);
	kmsg = igt_ferry_kmsg_open();
	count_modules();
	starve(true);
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	starve(false);
	set_range(0, UINT64_MAX);
	igt_assert(
		igt_ferry_kmsg_has(kmsg, "contents of the aperture are lost"));
	close(kmsg);
	igt_ferry_check_zero(at.bo[0].map, at.bo[0].size);
	igt_ferry_bo_check(&at.bo[1]);
	igt_ferry_bo_check(&at.bo[2]);
	igt_ferry_clean(-1);
	wait_traces(left, 0);
	igt_assert_eq(igt_ferry_module_bind(), 0);
	begin_bound();
	add_all_up();
	check_bos();
	igt_ferry_clean(-1);
}

/**
 * SUBTEST: %s
 * Description: open, create a dumb BO, framebuffer, modeset, the devices' part of a suspend, and the ioctls that tell: each allocation and copy fails once
 * arg[1]:
 *
 * @device-query: device-query
 * @bo-query: bo-query
 * @mmap-offset: mmap-offset
 * @wait: wait
 * @madvise: madvise
 * @open: open
 * @create-dumb: create-dumb
 * @add-fb: add-fb
 * @modeset: modeset
 * @suspend: suspend and resume
 */
/**
 * SUBTEST: %s-%s
 * Description: what concerns a BO: each allocation and copy fails once
 * arg[1]:
 *
 * @create: create
 * @mmap: mmap
 * @fault: first touch
 * @access: /proc/PID/mem
 * @migrate-up: to the aperture
 * @migrate-down: to system memory
 * @migrate-async: to the aperture, with an out-sync
 * @migrate-async-down: to system memory, with an out-sync
 * @evict: to a full aperture
 * @export: to a dma-buf
 * @import: of the dma-buf by another device, which pins
 *
 * arg[2]:
 *
 * @system: cached system memory
 * @system-wc: write-combining system memory
 * @aperture: aperture
 * @aperture-contiguous: aperture, in one piece
 * @cached: both, cached in system memory
 * @wc: both, write-combining in system memory
 * @cached-contiguous: both, cached, in one piece
 * @wc-contiguous: both, write-combining, in one piece
 */
igt_main
{
	int fd = -1;

	igt_fixture
	{
		faults_init();
		fd = igt_ferry_open();
		igt_ferry_module_begin(fd);
		drmDropMaster(fd);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(paths); i++)
		igt_subtest(paths[i].name) run(&paths[i], NULL, fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(fixed_paths); i++)
		for (const struct igt_ferry_kind *kind = igt_ferry_fixed_kinds;
		     kind->name; kind++)
			igt_subtest_f("%s-%s", fixed_paths[i].name, kind->name)
				run(&fixed_paths[i], kind, fd);

	for (unsigned int i = 0; i < ARRAY_SIZE(movable_paths); i++)
		for (const struct igt_ferry_kind *kind =
			     igt_ferry_movable_kinds;
		     kind->name; kind++)
			igt_subtest_f("%s-%s", movable_paths[i].name,
				      kind->name)
				run(&movable_paths[i], kind, fd);

	igt_subtest("probe") test_probe();
	igt_subtest("unbind") test_unbind();
	igt_subtest("unbind-starved") test_unbind_starved();
}
