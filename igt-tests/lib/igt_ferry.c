// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "igt.h"

#include "igt_ferry.h"

#define WORDS_PER_PAGE (FERRY_PAGE_SIZE / sizeof(uint64_t))

/* Words that are looked at together: emulators are slow at branches */
#define LINE 8

const struct igt_ferry_kind igt_ferry_fixed_kinds[] = {
	{ "system", DRM_FERRY_PLACEMENT_SYSTEM, 0, DRM_FERRY_CACHING_CACHED,
	  0 },
	{ "system-wc", DRM_FERRY_PLACEMENT_SYSTEM, 0, DRM_FERRY_CACHING_WC, 0 },
	{ "aperture", DRM_FERRY_PLACEMENT_APERTURE, 0, DRM_FERRY_CACHING_CACHED,
	  0 },
	{ "aperture-contiguous", DRM_FERRY_PLACEMENT_APERTURE, 0,
	  DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS },
	{ NULL, 0, 0, 0, 0 },
};

const struct igt_ferry_kind igt_ferry_movable_kinds[] = {
	{ "cached", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_CACHED, 0 },
	{ "wc", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_WC, 0 },
	{ "cached-contiguous", FERRY_PLACEMENT_BOTH, 0,
	  DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS },
	{ "wc-contiguous", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_WC,
	  DRM_FERRY_BO_CONTIGUOUS },
	{ NULL, 0, 0, 0, 0 },
};

bool igt_ferry_is_device(int fd)
{
	drmVersionPtr version = drmGetVersion(fd);
	bool match = version && !strcmp(version->name, "ferry");

	drmFreeVersion(version);
	return match;
}

/* Is there one at all? IGT would load every driver that it knows to find one. */
bool igt_ferry_is_present(void)
{
	char path[64];

	for (int i = 0; i < 16; i++) {
		bool match;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		match = igt_ferry_is_device(fd);
		close(fd);
		if (match)
			return true;
	}
	return false;
}

/**
 * igt_ferry_open - open the first ferry device, or the one that --device names
 *
 * Skips when there is none.
 */
int igt_ferry_open(void)
{
	int fd;

	errno = 0;
	igt_require_f(igt_ferry_is_present(),
		      "no /dev/dri/card* belongs to the driver ferry: "
		      "load ferry.ko and look into the kernel log\n");
	__set_forced_driver("ferry");
	fd = __drm_open_driver(DRIVER_ANY);
	igt_require_f(fd >= 0, "the device filter matches no ferry device\n");
	igt_require_f(igt_ferry_is_device(fd),
		      "the device is not driven by ferry\n");
	errno = 0;
	return fd;
}

/**
 * igt_ferry_reopen - open the same node again: another client
 */
int igt_ferry_reopen(int fd, int flags)
{
	char path[64];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, flags | O_CLOEXEC);
	igt_assert_f(other >= 0, "opening the device again: %s\n",
		     strerror(errno));
	return other;
}

static void unmap_all(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[PATH_MAX];

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/dev/dri/") && !strstr(line, "/dmabuf:"))
			continue;
		igt_assert_eq(sscanf(line, "%lx-%lx", &start, &end), 2);
		munmap((void *)start, end - start);
	}
	fclose(maps);
}

/**
 * igt_ferry_clean - close and unmap what a failed subtest has left
 * @keep: file that stays open, or -1
 *
 * Otherwise its BOs would be in the way of all that follow.
 */
void igt_ferry_clean(int keep)
{
	char target[PATH_MAX];
	struct dirent *entry;
	bool found;
	DIR *dir;

	unmap_all();
	/* from the start again after each: the list changes */
	do {
		found = false;
		dir = opendir("/proc/self/fd");
		igt_assert(dir);
		while (!found && (entry = readdir(dir))) {
			ssize_t len = readlinkat(dirfd(dir), entry->d_name,
						 target, sizeof(target) - 1);
			int fd = atoi(entry->d_name);

			if (len <= 0 || fd == keep)
				continue;
			target[len] = '\0';
			found = !strncmp(target, "/dev/dri/", 9) ||
				!strncmp(target, "/dmabuf:", 8);
			if (found)
				close(fd);
		}
		closedir(dir);
	} while (found);
	errno = 0;
}

/**
 * igt_ferry_begin - a new client for a subtest that begins
 * @keep: file that stays open while the program runs
 */
int igt_ferry_begin(int keep)
{
	igt_ferry_clean(keep);
	return igt_ferry_reopen(keep, O_RDWR);
}

/**
 * igt_ferry_run_tests - run a table of subtests
 * @fd: a file of the device that stays open while the program runs
 * @tests: the table; ends in a NULL name
 */
void igt_ferry_run_tests(int fd, const struct igt_ferry_test *tests)
{
	for (const struct igt_ferry_test *test = tests; test->name; test++) {
		const struct igt_ferry_kind *kind = test->kinds;

		if (!kind) {
			igt_describe(test->describe);
			igt_subtest(test->name) test->run(igt_ferry_begin(fd));
			continue;
		}
		for (; kind->name; kind++) {
			igt_describe(test->describe);
			igt_subtest_f("%s-%s", test->name, kind->name)
				test->run_kind(igt_ferry_begin(fd), kind);
		}
	}
}

int igt_ferry_open_render(int fd)
{
	char *name = drmGetRenderDeviceNameFromFd(fd);
	int render;

	igt_assert_f(name, "the device has no render node\n");
	render = open(name, O_RDWR | O_CLOEXEC);
	igt_assert_f(render >= 0, "%s: %s\n", name, strerror(errno));
	free(name);
	return render;
}

void igt_ferry_require_display(int fd)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	igt_require_f(query.features & DRM_FERRY_FEATURE_DISPLAY,
		      "this device has no display: it is render-only\n");
}

/**
 * igt_ferry_pci_slot - PCI address of the device, such as 0000:00:02.0
 */
void igt_ferry_pci_slot(int fd, char *slot, size_t size)
{
	char path[64], target[PATH_MAX];
	struct stat st;
	ssize_t len;

	igt_assert_eq(fstat(fd, &st), 0);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	len = readlink(path, target, sizeof(target) - 1);
	igt_assert_f(len > 0, "%s: %s\n", path, strerror(errno));
	target[len] = '\0';
	snprintf(slot, size, "%s", basename(target));
}

static const char *find_stat(const char *stats, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = stats; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) &&
		    (line[len] == ' ' || line[len] == ':'))
			return line + len + 1;
	}
	return NULL;
}

/**
 * igt_ferry_stats - several counters, read at once
 * @names: what they are called in debugfs ferry_stats
 * @values: one for each of @names
 */
void igt_ferry_stats(int fd, const char *const *names, uint64_t *values,
		     unsigned int count)
{
	char stats[4096];
	int dir, bytes;

	dir = igt_debugfs_dir(fd);
	igt_assert_f(dir >= 0, "no debugfs: is it mounted?\n");
	bytes = igt_debugfs_simple_read(dir, "ferry_stats", stats,
					sizeof(stats) - 1);
	close(dir);
	igt_assert_f(bytes > 0, "no ferry_stats in debugfs\n");
	stats[bytes] = '\0';
	for (unsigned int i = 0; i < count; i++) {
		const char *value = find_stat(stats, names[i]);

		igt_assert_f(value, "no counter '%s' in debugfs ferry_stats\n",
			     names[i]);
		values[i] = strtoull(value, NULL, 10);
	}
}

uint64_t igt_ferry_stat(int fd, const char *name)
{
	uint64_t value;

	igt_ferry_stats(fd, &name, &value, 1);
	return value;
}

/* The kernel may free a BO some time after its last reference is gone. */
void igt_ferry_wait_stat(int fd, const char *name, uint64_t value)
{
	struct timespec start = {};
	uint64_t now;

	do {
		now = igt_ferry_stat(fd, name);
		if (now == value)
			return;
		usleep(20000);
	} while (igt_seconds_elapsed(&start) < 10);
	igt_assert_f(now == value,
		     "%s is %" PRIu64 " and should be %" PRIu64 "\n", name, now,
		     value);
}

uint64_t igt_ferry_aperture_free(int fd)
{
	struct drm_ferry_device_query query;

	ferry_device_query(fd, &query);
	return query.aperture_free;
}

int __igt_ferry_bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
			const struct igt_ferry_kind *kind)
{
	static uint32_t last_id;
	int err;

	memset(bo, 0, sizeof(*bo));
	err = __ferry_bo_create(fd, size, kind->allowed_placements,
				kind->placement, kind->caching, kind->flags,
				&bo->handle);
	if (err)
		return err;
	bo->fd = fd;
	bo->size = ALIGN(size, FERRY_PAGE_SIZE);
	bo->id = ++last_id & 0xffff;
	return 0;
}

/**
 * igt_ferry_bo_init - create and map a BO
 */
void igt_ferry_bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
		       const struct igt_ferry_kind *kind)
{
	int err = __igt_ferry_bo_init(bo, fd, size, kind);

	igt_assert_f(!err, "creating a %s BO of %zu bytes: %s\n", kind->name,
		     size, strerror(-err));
	bo->map = ferry_bo_mmap(fd, bo->handle, bo->size);
}

void igt_ferry_bo_fini(struct igt_ferry_bo *bo)
{
	if (bo->map)
		igt_assert_eq(munmap(bo->map, bo->size), 0);
	gem_close(bo->fd, bo->handle);
	memset(bo, 0, sizeof(*bo));
}

/* The next generation of contents. */
void igt_ferry_bo_fill(struct igt_ferry_bo *bo)
{
	igt_ferry_fill(bo->map, 0, bo->size / FERRY_PAGE_SIZE, bo->id,
		       ++bo->gen);
}

void igt_ferry_bo_check(const struct igt_ferry_bo *bo)
{
	if (bo->gen)
		igt_ferry_check(bo->map, 0, bo->size / FERRY_PAGE_SIZE, bo->id,
				bo->gen);
	else
		igt_ferry_check_zero(bo->map, bo->size);
}

/* Asks the kernel's shrinkers for all that they can give, without any need. */
void igt_ferry_drop_caches(void)
{
	int file = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	igt_require_f(file >= 0, "/proc/sys/vm/drop_caches: %s: be root\n",
		      strerror(errno));
	igt_assert_eq(write(file, "2", 1), 1);
	close(file);
}

/* Give up the contents of a BO in system memory. */
void igt_ferry_bo_purge(struct igt_ferry_bo *bo)
{
	igt_assert(
		ferry_bo_madvise(bo->fd, bo->handle, DRM_FERRY_MADV_DONTNEED));
	/* it stops early if there is nothing else to take */
	for (int i = 0; i < 50; i++) {
		igt_ferry_drop_caches();
		if (ferry_bo_madv(bo->fd, bo->handle) == DRM_FERRY_MADV_PURGED)
			return;
		usleep(10000);
	}
	igt_assert_f(false, "the BO was not purged\n");
}

static uint64_t ferry_word(uint32_t id, uint32_t gen, size_t page)
{
	return (uint64_t)(id & 0xffff) << 48 | (uint64_t)(gen & 0xffff) << 32 |
	       (uint64_t)page * WORDS_PER_PAGE;
}

/**
 * igt_ferry_fill - write the contents of some pages of a BO
 * @map: where @first_page is mapped
 * @first_page: its number in the BO
 * @pages: number of pages
 * @id: number of the BO
 * @gen: generation
 */
void igt_ferry_fill(void *map, size_t first_page, size_t pages, uint32_t id,
		    uint32_t gen)
{
	volatile uint64_t *p = map;

	for (size_t page = first_page; page < first_page + pages; page++) {
		uint64_t word = ferry_word(id, gen, page);

		for (size_t i = 0; i < WORDS_PER_PAGE; i += LINE)
#pragma GCC unroll 8
			for (size_t k = 0; k < LINE; k++)
				*p++ = word + i + k;
	}
}

/* Read a line, each word once: what it has besides @word, which counts up by @step */
static inline uint64_t read_line(uint64_t got[LINE], const volatile uint64_t *p,
				 uint64_t word, unsigned int step)
{
	uint64_t wrong = 0;

#pragma GCC unroll 8
	for (size_t k = 0; k < LINE; k++) {
		got[k] = p[k];
		wrong |= got[k] ^ (word + k * step);
	}
	return wrong;
}

/**
 * __igt_ferry_check - verify the contents of some pages of a BO
 * @text: says what is wrong, if it is
 * @len: bytes of @text
 */
bool __igt_ferry_check(const void *map, size_t first_page, size_t pages,
		       uint32_t id, uint32_t gen, char *text, size_t len)
{
	const volatile uint64_t *p = map;

	for (size_t page = first_page; page < first_page + pages; page++) {
		uint64_t word = ferry_word(id, gen, page);

		for (size_t i = 0; i < WORDS_PER_PAGE; i += LINE, p += LINE) {
			uint64_t got[LINE];
			size_t k = 0;

			if (!read_line(got, p, word + i, 1))
				continue;
			while (got[k] == word + i + k)
				k++;
			snprintf(
				text, len,
				"BO %u generation %u page %zu word %zu: %#" PRIx64
				" and not %#" PRIx64
				" (which would be BO %u generation %u page %zu)",
				id, gen, page, i + k, got[k], word + i + k,
				(unsigned int)(got[k] >> 48),
				(unsigned int)(got[k] >> 32 & 0xffff),
				(size_t)((got[k] & 0xffffffff) /
					 WORDS_PER_PAGE));
			return false;
		}
	}
	return true;
}

void igt_ferry_check(const void *map, size_t first_page, size_t pages,
		     uint32_t id, uint32_t gen)
{
	char text[256] = "";

	igt_assert_f(__igt_ferry_check(map, first_page, pages, id, gen, text,
				       sizeof(text)),
		     "%s\n", text);
}

void igt_ferry_check_zero(const void *map, size_t size)
{
	const volatile uint64_t *p = map;
	uint64_t got[LINE];

	igt_assert(size % sizeof(got) == 0);
	for (size_t i = 0; i < size / sizeof(*p); i += LINE) {
		size_t k = 0;

		if (!read_line(got, p + i, 0, 0))
			continue;
		while (!got[k])
			k++;
		igt_assert_f(false,
			     "byte %zu of %zu is not zero: %#" PRIx64 "\n",
			     (i + k) * sizeof(*p), size, got[k]);
	}
}

static sigjmp_buf ferry_signal_jmp;

static void ferry_signal_handler(int sig)
{
	siglongjmp(ferry_signal_jmp, sig);
}

static int ferry_touch_signal(volatile uint8_t *p, int value)
{
	static struct sigaction old_segv, old_bus;
	struct sigaction sa = { .sa_handler = ferry_signal_handler };
	int sig;

	sigaction(SIGSEGV, &sa, &old_segv);
	sigaction(SIGBUS, &sa, &old_bus);
	sig = sigsetjmp(ferry_signal_jmp, 1);
	if (!sig) {
		if (value < 0)
			(void)*p;
		else
			*p = value;
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return sig;
}

/* Read one byte: returns 0, SIGSEGV or SIGBUS. */
int igt_ferry_read_signal(const volatile void *p)
{
	return ferry_touch_signal((volatile uint8_t *)p, -1);
}

/* Write one byte: returns 0, SIGSEGV or SIGBUS. */
int igt_ferry_write_signal(volatile void *p, uint8_t value)
{
	return ferry_touch_signal(p, value);
}

/* Read a byte of each page. */
void igt_ferry_touch(const void *map, size_t size)
{
	const volatile char *p = map;

	for (size_t at = 0; at < size; at += FERRY_PAGE_SIZE)
		(void)p[at];
}

static void tick(int sig)
{
	(void)sig;
}

/* SIGALRM every so many microseconds, with a handler that does nothing; 0 ends it. */
void igt_ferry_alarm_storm(long microseconds)
{
	struct itimerval timer = {
		.it_interval.tv_usec = microseconds,
		.it_value.tv_usec = microseconds,
	};
	struct sigaction sa = { .sa_handler = tick };

	sigaction(SIGALRM, &sa, NULL);
	igt_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* A mounted 9p would hang the machine: its server forgets the files. */
static bool has_9p(void)
{
	FILE *mounts = setmntent("/proc/mounts", "r");
	struct mntent *entry;
	bool found = false;

	while (mounts && (entry = getmntent(mounts)))
		found |= !strcmp(entry->mnt_type, "9p");
	if (mounts)
		endmntent(mounts);
	return found;
}

void igt_ferry_require_sleep(void)
{
	igt_require_f(
		!has_9p(),
		"9p is mounted and would hang after a suspend: " IGT_FERRY_SLEEPER
		"\n");
}

/**
 * igt_ferry_aperture_fill - create BOs of @size that only the aperture may hold
 *
 * Until there is no room for another one. Returns their number, and their
 * handles in @handles.
 */
unsigned int igt_ferry_aperture_fill(int fd, size_t size, uint32_t **handles)
{
	struct drm_ferry_device_query query;
	unsigned int count = 0, most;
	int err;

	ferry_device_query(fd, &query);
	most = query.aperture_size / size + 1;
	*handles = calloc(most, sizeof(**handles));
	igt_assert(*handles);

	for (;;) {
		err = __ferry_bo_create(fd, size, DRM_FERRY_PLACEMENT_APERTURE,
					0, DRM_FERRY_CACHING_CACHED, 0,
					&(*handles)[count]);
		if (err)
			break;
		igt_assert_f(
			++count < most,
			"%u BOs of %zu bytes are more than the aperture has\n",
			count, size);
	}
	igt_assert_eq(err, -ENOSPC);
	return count;
}

void igt_ferry_close_all(int fd, uint32_t *handles, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		gem_close(fd, handles[i]);
	free(handles);
}

int igt_ferry_kmsg_open(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	igt_assert_fd(kmsg);
	lseek(kmsg, 0, SEEK_END);
	return kmsg;
}

/* Reads on to the end. */
bool igt_ferry_kmsg_has(int kmsg, const char *text)
{
	char record[8192];
	bool found = false;
	ssize_t len;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		record[len] = '\0';
		if (strstr(record, text))
			found = true;
	}
	errno = 0;
	return found;
}
