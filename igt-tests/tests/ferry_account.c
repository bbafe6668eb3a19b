// SPDX-License-Identifier: MIT
/**
 * TEST: ferry account
 * Category: Core
 * Description: Accounting of clients: fdinfo, gputop, the trace event of moves, and the limit for aperture-only BOs
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"
#include "igt_ferry_trace.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION(
	"Accounting of clients: fdinfo, gputop, the trace event of moves, and the limit for aperture-only BOs");

#define MIB (1ull << 20)

/* Return the value of the key "WHAT-REGION" in the client's fdinfo, in bytes or nanoseconds. */
static uint64_t fdinfo(int fd, const char *what, const char *region)
{
	char path[64], want[64], line[256], unit[8] = "";
	uint64_t value = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(want, sizeof(want), "%s-%s:", what, region);
	file = fopen(path, "r");
	igt_assert(file);
	while (!found && fgets(line, sizeof(line), file))
		if (!strncmp(line, want, strlen(want)))
			found = sscanf(line + strlen(want), "%" SCNu64 " %7s",
				       &value, unit) >= 1;
	fclose(file);
	igt_assert_f(found, "no key %s in fdinfo\n", want);
	if (!strcmp(unit, "KiB"))
		value <<= 10;
	else if (!strcmp(unit, "MiB"))
		value <<= 20;
	errno = 0;
	return value;
}

static void expect(int fd, const char *region, uint64_t total,
		   uint64_t resident, uint64_t shared, uint64_t purgeable)
{
	igt_assert_eq_u64(fdinfo(fd, "drm-total", region), total);
	igt_assert_eq_u64(fdinfo(fd, "drm-resident", region), resident);
	igt_assert_eq_u64(fdinfo(fd, "drm-shared", region), shared);
	igt_assert_eq_u64(fdinfo(fd, "drm-purgeable", region), purgeable);
	igt_assert_eq_u64(fdinfo(fd, "drm-active", region), 0);
}

/**
 * SUBTEST: fdinfo-regions
 * Description: The regions in fdinfo are right after creation, first access, moves, sharing and madvise
 */
static void test_fdinfo_regions(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR), prime;
	const uint64_t size = 4 * MIB;
	uint32_t handle, other;
	uint8_t *map;

	expect(client, "system", 0, 0, 0, 0);
	expect(client, "aperture", 0, 0, 0, 0);

	handle = ferry_bo_create(client, size, FERRY_PLACEMENT_BOTH, SYSTEM,
				 DRM_FERRY_CACHING_CACHED, 0);
	expect(client, "system", size, 0, 0, 0);
	map = ferry_bo_mmap(client, handle, size);
	*map = 1;
	expect(client, "system", size, size, 0, 0);

	ferry_bo_migrate(client, handle, APERTURE);
	expect(client, "system", 0, 0, 0, 0);
	expect(client, "aperture", size, size, 0, 0);

	ferry_bo_migrate(client, handle, SYSTEM);
	expect(client, "system", size, size, 0, 0);
	expect(client, "aperture", 0, 0, 0, 0);

	igt_assert(ferry_bo_madvise(client, handle, DRM_FERRY_MADV_DONTNEED));
	expect(client, "system", size, size, 0, size);
	igt_assert(ferry_bo_madvise(client, handle, DRM_FERRY_MADV_WILLNEED));
	expect(client, "system", size, size, 0, 0);

	/* shared with another client */
	igt_assert_eq(drmPrimeHandleToFD(client, handle, DRM_CLOEXEC, &prime),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(fd, prime, &other), 0);
	expect(client, "system", size, size, size, 0);
	gem_close(fd, other);
	close(prime);

	munmap(map, size);
	gem_close(client, handle);
	expect(client, "system", 0, 0, 0, 0);
	close(client);
}

/**
 * SUBTEST: fdinfo-active
 * Description: fdinfo reports BOs with a pending asynchronous move as active
 */
static void test_fdinfo_active(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	const uint64_t size = MIB, other = 3 * PAGE;
	struct drm_ferry_migrate_entry entry = { .placement = APERTURE };
	struct drm_ferry_sync in, out;
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(&entry),
		.count = 1,
		.in_syncs = to_user_pointer(&in),
		.in_count = 1,
		.out_syncs = to_user_pointer(&out),
		.out_count = 1,
	};
	struct igt_ferry_gate gate;

	/* one BO that moves, and one that does not */
	entry.handle = ferry_bo_create(client, size, FERRY_PLACEMENT_BOTH,
				       SYSTEM, DRM_FERRY_CACHING_CACHED, 0);
	igt_ferry_access(ferry_bo_mmap(client, entry.handle, size), size);
	ferry_bo_create(client, other, FERRY_PLACEMENT_BOTH, APERTURE,
			DRM_FERRY_CACHING_CACHED, 0);

	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, client, 0);
	out = igt_ferry_sync_new(client, 0);
	do_ioctl(client, DRM_IOCTL_FERRY_MIGRATE, &args);
	igt_assert_eq_u64(fdinfo(client, "drm-active", "aperture"), size);
	igt_assert_eq_u64(fdinfo(client, "drm-resident", "aperture"),
			  size + other);
	igt_assert_eq_u64(fdinfo(client, "drm-active", "system"), 0);
	igt_ferry_assert_pending(&gate, client, out);

	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, out);
	expect(client, "aperture", size + other, size + other, 0, 0);
	igt_ferry_gate_fini(&gate);
	close(client);
}

static void read_all(const char *path)
{
	char text[4096];
	int file = open(path, O_RDONLY | O_CLOEXEC);

	igt_assert_fd(file);
	while (read(file, text, sizeof(text)) > 0)
		;
	close(file);
}

/**
 * SUBTEST: reserved
 * Description: Reading fdinfo and the files in debugfs does not wait for a BO that is reserved
 *
 * A thread that moves a BO synchronously holds its reservation while it waits for a pending
 * asynchronous move of the same BO.
 */
static void test_reserved(int fd)
{
	static const char *const files[] = { "ferry_stats", "ferry_aperture",
					     "ferry_bos", "ferry_caching" };
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct timespec start = {};
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	struct task task = {
		.run = run_migrate, .fd = client, .bo = &bo, .number = SYSTEM
	};
	char dir[64], path[128], state[4096];
	bool ended, busy;
	int debugfs;
	double ms;

	bo_init_pending(&bo, client, SIZE, APERTURE, &gate);
	igt_assert_eq_u64(fdinfo(client, "drm-total", "aperture"), SIZE);
	task_start(&task);
	usleep(WATCH);

	igt_nsec_elapsed(&start);
	igt_assert_eq_u64(fdinfo(client, "drm-total", "aperture"), SIZE);
	igt_assert_eq_u64(fdinfo(client, "drm-active", "aperture"), SIZE);
	igt_assert_eq_u64(fdinfo(client, "drm-resident", "aperture"), 0);
	debugfs = igt_debugfs_dir(client);
	snprintf(dir, sizeof(dir), "/proc/self/fd/%d", debugfs);
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		read_all(path);
	}
	ms = igt_nsec_elapsed(&start) / 1e6;
	igt_assert_lte(0, igt_debugfs_simple_read(debugfs, "ferry_bos", state,
						  sizeof(state) - 1));
	close(debugfs);
	busy = strstr(state, "busy bo 0x");
	ended = task.ended;

	igt_ferry_gate_require_closed(&gate);
	igt_ferry_gate_open(&gate);
	pthread_join(task.thread, NULL);
	igt_info("%.1f ms\n", ms);
	igt_assert(!ended && busy);
	igt_assert(ms < 3000);
	igt_assert_eq(task.err, 0);
	expect(client, "system", SIZE, SIZE, 0, 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
	close(client);
}

/**
 * SUBTEST: fdinfo-huge
 * Description: fdinfo reports how many bytes PMDs can map
 */
static void test_fdinfo_huge(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_device_query device;
	uint32_t handle;

	ferry_device_query(fd, &device);
	igt_require_f(device.page_sizes & (2 * MIB),
		      "no PMD mappings on this device\n");
	handle = ferry_bo_create(client, 4 * MIB + PAGE, FERRY_PLACEMENT_BOTH,
				 APERTURE, DRM_FERRY_CACHING_CACHED, 0);
	igt_assert_eq_u64(fdinfo(client, "ferry-huge", "aperture"), 4 * MIB);
	igt_assert_eq_u64(fdinfo(client, "ferry-huge", "system"), 0);
	ferry_bo_migrate(client, handle, SYSTEM);
	igt_assert_eq_u64(fdinfo(client, "ferry-huge", "aperture"), 0);
	gem_close(client, handle);
	close(client);
}

/* Time spent in moves for this client; stable only while nothing moves */
static uint64_t copy_ns(int fd)
{
	return fdinfo(fd, "drm-engine", "copy");
}

/* Time spent in moves for all clients; stable only while nothing moves */
static uint64_t move_ns(int fd)
{
	return igt_ferry_stat(fd, "move_ns_to_aperture") +
	       igt_ferry_stat(fd, "move_ns_to_system");
}

/* Move a BO; all of the time is accounted to the client @fd. */
static void check_copy(int fd, uint32_t handle, uint32_t placement, bool wait)
{
	uint64_t mine = copy_ns(fd), all = move_ns(fd), moved;

	if (wait) {
		ferry_bo_migrate(fd, handle, placement);
	} else {
		struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);

		ferry_bo_migrate_sync(fd, handle, placement, NULL, &out);
		igt_ferry_sync_wait(fd, out);
	}
	moved = move_ns(fd) - all;
	igt_assert_lt_u64(0, moved);
	igt_assert_eq_u64(copy_ns(fd) - mine, moved);
}

/* Call ioctls that move nothing. */
static void *idle_calls(void *arg)
{
	volatile bool *stop = ((void **)arg)[1];
	int fd = *(int *)((void **)arg)[0];
	uint32_t handle;

	while (!*stop) {
		if (__ferry_bo_create(fd, PAGE, FERRY_PLACEMENT_BOTH, SYSTEM,
				      DRM_FERRY_CACHING_CACHED, 0, &handle) ||
		    __ferry_bo_migrate(fd, handle, SYSTEM) ||
		    __ferry_bo_close(fd, handle))
			return NULL;
	}
	return arg;
}

/**
 * SUBTEST: fdinfo-copy
 * Description: The time of copies is accounted to the client that requested the move, and to no other
 */
static void test_fdinfo_copy(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	int idle = igt_ferry_reopen(fd, O_RDWR);
	uint64_t all = move_ns(fd);
	volatile bool stop = false;
	void *arg[] = { &idle, (void *)&stop }, *calls;
	pthread_t thread;
	uint32_t handle;

	igt_assert_eq_u64(fdinfo(client, "drm-engine-capacity", "copy"),
			  sysconf(_SC_NPROCESSORS_ONLN));
	igt_assert_eq_u64(copy_ns(client), 0);
	igt_assert_eq(pthread_create(&thread, NULL, idle_calls, arg), 0);

	handle = ferry_bo_create(client, MIB, FERRY_PLACEMENT_BOTH, APERTURE,
				 DRM_FERRY_CACHING_CACHED, 0);
	igt_assert_lt_u64(0, copy_ns(client));
	for (int i = 0; i < 5; i++) {
		check_copy(client, handle, SYSTEM, true);
		check_copy(client, handle, APERTURE, true);
		check_copy(client, handle, SYSTEM, false);
		check_copy(client, handle, APERTURE, false);
	}
	stop = true;
	pthread_join(thread, &calls);
	igt_assert(calls);

	/* already there: nothing to copy */
	ferry_bo_migrate(client, handle, APERTURE);
	/* closing the BO does not lower the sum */
	gem_close(client, handle);
	igt_assert_eq_u64(copy_ns(client), move_ns(fd) - all);
	igt_assert_eq_u64(copy_ns(idle), 0);
	close(client);
	close(idle);
}

/**
 * SUBTEST: fdinfo-copy-evict
 * Description: The time of evictions is accounted to the client that caused them, not to the owner of the BO
 */
static void test_fdinfo_copy_evict(int fd)
{
	int victim = igt_ferry_reopen(fd, O_RDWR);
	int evictor = igt_ferry_reopen(fd, O_RDWR);
	uint64_t paid, all, evictions = igt_ferry_stat(fd, "evictions");
	struct drm_ferry_device_query device;
	uint32_t handle, count = 0, *others;

	ferry_device_query(fd, &device);
	handle = ferry_bo_create(evictor, MIB, FERRY_PLACEMENT_BOTH, SYSTEM,
				 DRM_FERRY_CACHING_CACHED, 0);
	/* until creating one BO evicts another one */
	others = calloc(device.aperture_size / MIB + 1, sizeof(*others));
	while (igt_ferry_stat(fd, "evictions") == evictions) {
		igt_assert_lte(count, device.aperture_size / MIB);
		others[count++] =
			ferry_bo_create(victim, MIB, FERRY_PLACEMENT_BOTH,
					APERTURE, DRM_FERRY_CACHING_CACHED, 0);
	}
	paid = copy_ns(victim);
	all = move_ns(fd);
	evictions = igt_ferry_stat(fd, "evictions");

	check_copy(evictor, handle, APERTURE, true);
	igt_assert_lt_u64(evictions, igt_ferry_stat(fd, "evictions"));
	ferry_bo_migrate(evictor, handle, SYSTEM);
	for (uint32_t i = 0; i < count; i++)
		if (ferry_bo_placement(victim, others[i]) == SYSTEM)
			ferry_bo_migrate(victim, others[i], APERTURE);
	paid = copy_ns(victim) - paid;
	igt_assert_eq_u64(copy_ns(evictor) + paid, move_ns(fd) - all);

	/* with an out-fence: the ioctl itself evicts, and the time is accounted in the same way */
	evictions = igt_ferry_stat(fd, "evictions");
	paid = copy_ns(victim);
	check_copy(evictor, handle, APERTURE, false);
	igt_assert_lt_u64(evictions, igt_ferry_stat(fd, "evictions"));
	igt_assert_eq_u64(copy_ns(victim), paid);

	while (count)
		gem_close(victim, others[--count]);
	free(others);
	close(victim);
	close(evictor);
}

/**
 * SUBTEST: gputop
 * Description: gputop lists a client that moves its BOs
 */
static void test_gputop(int fd)
{
	struct winsize size = { .ws_row = 40, .ws_col = 100 };
	char text[16384], *line;
	size_t len = 0;
	uint32_t handle;
	ssize_t bytes;
	int tty, status;
	pid_t pid;

	igt_require_f(
		!system("command -v gputop > /dev/null"),
		"gputop is not installed: Debian 13's intel-gpu-tools has it\n");
	handle = ferry_bo_create(fd, MIB, FERRY_PLACEMENT_BOTH, APERTURE,
				 DRM_FERRY_CACHING_CACHED, 0);

	/* gputop needs a terminal with a size */
	pid = forkpty(&tty, NULL, NULL, &size);
	igt_assert_lte(0, pid);
	if (!pid) {
		execlp("gputop", "gputop", "-d", "1", "-n", "3", NULL);
		_exit(127);
	}
	do {
		struct pollfd ready = { .fd = tty, .events = POLLIN };

		ferry_bo_migrate(fd, handle, SYSTEM);
		ferry_bo_migrate(fd, handle, APERTURE);
		bytes = 1;
		if (poll(&ready, 1, 0) > 0) {
			bytes = read(tty, text + len, sizeof(text) - 1 - len);
			len += bytes > 0 ? bytes : 0;
		}
		/* read() fails with EIO once gputop has exited */
	} while (bytes > 0);
	close(tty);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	text[len] = 0;
	igt_info("%s\n", text);
	igt_assert_eq(status, 0);

	igt_assert(strstr(text, " copy "));
	line = strtok(text, "\r\n");
	while (line && atoi(line) != getpid())
		line = strtok(NULL, "\r\n");
	igt_assert_f(line, "no line of process %d\n", getpid());
	igt_assert(strchr(line, '%'));
	igt_assert(strstr(line, "| ferry_account"));
	gem_close(fd, handle);
}

static void *read_fdinfo(void *arg)
{
	volatile bool *stop = ((void **)arg)[1];
	int fd = *(int *)((void **)arg)[0];
	unsigned long rounds = 0;
	uint64_t copied = 0, now;

	while (!*stop) {
		fdinfo(fd, "drm-total", "system");
		now = copy_ns(fd);
		if (now < copied)
			return NULL;
		copied = now;
		rounds++;
	}
	return (void *)rounds;
}

/**
 * SUBTEST: fdinfo-race
 * Description: fdinfo can be read while BOs are created, moved and closed, and its times never decrease
 */
static void test_fdinfo_race(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	volatile bool stop = false;
	void *arg[] = { &client, (void *)&stop }, *rounds;
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, read_fdinfo, arg), 0);
	for (int i = 0; i < 200; i++) {
		uint32_t handle =
			ferry_bo_create(client, 16 * PAGE, FERRY_PLACEMENT_BOTH,
					APERTURE, DRM_FERRY_CACHING_CACHED, 0);

		ferry_bo_migrate(client, handle, SYSTEM);
		ferry_bo_migrate(client, handle, APERTURE);
		gem_close(client, handle);
	}
	stop = true;
	pthread_join(thread, &rounds);
	igt_info("fdinfo was read %lu times\n", (unsigned long)rounds);
	igt_assert_lt(0, (unsigned long)rounds);
	close(client);
}

/**
 * SUBTEST: trace-moves
 * Description: The trace event ferry_move reports the BO, both placements, the bytes and the reason of each move
 */
static void test_trace_moves(int fd)
{
	struct drm_ferry_device_query device;
	uint32_t handle, *others;
	unsigned int count = 0;
	char bo[64], bytes[64];

	ferry_device_query(fd, &device);
	igt_ferry_trace_begin("ferry/ferry_move");

	handle = ferry_bo_create(fd, MIB, FERRY_PLACEMENT_BOTH, APERTURE,
				 DRM_FERRY_CACHING_CACHED, 0);
	snprintf(bo, sizeof(bo), "bo=0x%" PRIx64 " ",
		 ferry_bo_mmap_offset(fd, handle));
	snprintf(bytes, sizeof(bytes), "bytes=%llu ", MIB);
	igt_assert_eq(igt_ferry_trace_count(
			      bo, "from=none to=aperture bytes=1048576 "),
		      1);
	ferry_bo_migrate(fd, handle, SYSTEM);
	igt_assert_eq(igt_ferry_trace_count(
			      bo, "from=aperture to=system bytes=1048576 "),
		      1);
	ferry_bo_migrate(fd, handle, APERTURE);
	igt_assert_eq(igt_ferry_trace_count(
			      bo, "from=system to=aperture bytes=1048576 "),
		      1);
	igt_assert_eq(igt_ferry_trace_count(bo, "reason=request"), 3);
	igt_assert_eq(igt_ferry_trace_count(bo, bytes), 3);

	/* fill the aperture until the BO is evicted */
	others = calloc(device.aperture_size / MIB, sizeof(*others));
	while (ferry_bo_placement(fd, handle) == APERTURE) {
		igt_assert_lt(count, device.aperture_size / MIB);
		others[count++] = ferry_bo_create(fd, MIB, FERRY_PLACEMENT_BOTH,
						  APERTURE,
						  DRM_FERRY_CACHING_CACHED, 0);
	}
	igt_assert_eq(igt_ferry_trace_count(bo, "reason=eviction"), 1);
	while (count)
		gem_close(fd, others[--count]);
	free(others);
	gem_close(fd, handle);
	igt_ferry_trace_end();
}

/* Create aperture-only BOs of 1 MiB until ENOSPC, but at most @max. */
static unsigned int fill_aperture_only(int fd, unsigned int max)
{
	unsigned int count;
	uint32_t handle;
	int ret = 0;

	for (count = 0; count < max; count++) {
		ret = __ferry_bo_create(fd, MIB, APERTURE, 0,
					DRM_FERRY_CACHING_CACHED, 0, &handle);
		if (ret)
			break;
	}
	igt_assert(count == max || ret == -ENOSPC);
	return count;
}

/**
 * SUBTEST: aperture-only-limit
 * Description: Aperture-only BOs of clients without CAP_SYS_ADMIN can fill at most half of the aperture
 */
static void test_aperture_only_limit(int fd)
{
	struct drm_ferry_device_query device;
	unsigned int mib;

	ferry_device_query(fd, &device);
	mib = device.aperture_size / MIB;
	igt_require_f(mib >= 8, "an aperture of %u MiB is too small\n", mib);

	igt_fork(child, 1)
	{
		int greedy = igt_ferry_reopen(fd, O_RDWR);
		int more = igt_ferry_reopen(fd, O_RDWR);
		int other = igt_ferry_reopen(fd, O_RDWR);
		struct igt_ferry_bo bo;

		igt_drop_root();
		/* the limit is for all files together */
		igt_assert_eq(fill_aperture_only(greedy, mib) +
				      fill_aperture_only(more, mib),
			      mib / 2);

		/* the other half can be used by movable BOs */
		igt_ferry_bo_init(&bo, other, (mib / 8) * MIB,
				  igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo);
		for (int i = 0; i < 4; i++) {
			ferry_bo_migrate(other, bo.handle, APERTURE);
			igt_ferry_bo_check(&bo);
			ferry_bo_migrate(other, bo.handle, SYSTEM);
		}
		igt_ferry_bo_fini(&bo);
	}
	igt_waitchildren();

	/* the BOs above are freed and do not count any more */
	igt_fork(child, 1)
	{
		int again = igt_ferry_reopen(fd, O_RDWR);

		igt_drop_root();
		igt_assert_eq(fill_aperture_only(again, mib), mib / 2);
	}
	igt_waitchildren();
}

/**
 * SUBTEST: aperture-only-privileged
 * Description: Aperture-only BOs of a client with CAP_SYS_ADMIN can fill the whole aperture
 */
static void test_aperture_only_privileged(int fd)
{
	uint64_t free = igt_ferry_aperture_free(fd);
	int client = igt_ferry_reopen(fd, O_RDWR);

	igt_assert_eq(fill_aperture_only(client, free / MIB), free / MIB);
	close(client);
}

static const struct igt_ferry_test tests[] = {
	{ "fdinfo-regions",
	  "The regions in fdinfo are right after creation, first access, moves, sharing and madvise",
	  test_fdinfo_regions },
	{ "fdinfo-active",
	  "fdinfo reports BOs with a pending asynchronous move as active",
	  test_fdinfo_active },
	{ "reserved",
	  "Reading fdinfo and the files in debugfs does not wait for a BO that is reserved",
	  test_reserved },
	{ "fdinfo-huge", "fdinfo reports how many bytes PMDs can map",
	  test_fdinfo_huge },
	{ "fdinfo-copy",
	  "The time of copies is accounted to the client that requested the move, and to no other",
	  test_fdinfo_copy },
	{ "fdinfo-copy-evict",
	  "The time of evictions is accounted to the client that caused them, not to the owner of the BO",
	  test_fdinfo_copy_evict },
	{ "gputop", "gputop lists a client that moves its BOs", test_gputop },
	{ "fdinfo-race",
	  "fdinfo can be read while BOs are created, moved and closed, and its times never decrease",
	  test_fdinfo_race },
	{ "trace-moves",
	  "The trace event ferry_move reports the BO, both placements, the bytes and the reason of each move",
	  test_trace_moves },
	{ "aperture-only-limit",
	  "Aperture-only BOs of clients without CAP_SYS_ADMIN can fill at most half of the aperture",
	  test_aperture_only_limit },
	{ "aperture-only-privileged",
	  "Aperture-only BOs of a client with CAP_SYS_ADMIN can fill the whole aperture",
	  test_aperture_only_privileged },
	{}
};

igt_ferry_main(tests)
