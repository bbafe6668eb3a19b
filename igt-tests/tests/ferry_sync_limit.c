// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sync limit
 * Category: Core
 * Description: Limit of the pending asynchronous moves of a client
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "igt.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "igt_ferry_sync.h"
#include "sync_task.h"

IGT_TEST_DESCRIPTION("Limit of the pending asynchronous moves of a client");

/* Out-syncs of a call: many, so that a few calls reach the limit of entries */
#define OUTS DRM_FERRY_SYNCS_MAX

/* How long a killed or interrupted process may stay in its call */
#define PROMPT (IGT_FERRY_SECOND / 10 * igt_ferry_slower())

static int raw_migrate(int fd, struct drm_ferry_migrate_entry *entry,
		       struct drm_ferry_sync *outs, uint32_t count)
{
	struct drm_ferry_migrate args = {
		.entries = to_user_pointer(entry),
		.entry_stride = sizeof(*entry),
		.count = 1,
		.out_syncs = to_user_pointer(outs),
		.out_count = count,
		.sync_stride = sizeof(*outs),
	};
	int err = ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args) ? errno : 0;

	errno = 0;
	return err;
}

/*
 * A client at its limit: a call that has waited until a signal interrupted it. Its pending
 * calls wait for the gate.
 */
struct limit {
	int fd;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo first;
	struct igt_ferry_bo bo;
	struct drm_ferry_sync outs[OUTS];
	struct drm_ferry_sync out;
};

static void limit_init(struct limit *limit, int fd)
{
	struct drm_ferry_migrate_entry entry;
	unsigned int calls = 0;
	int err;

	limit->fd = fd;
	bo_init(&limit->bo, fd, SIZE, SYSTEM);
	limit->outs[0] = bo_init_pending(&limit->first, fd, SIZE, APERTURE,
					 &limit->gate);
	for (unsigned int i = 1; i < OUTS; i++)
		limit->outs[i] = limit->outs[0];
	limit->out = igt_ferry_sync_new(fd, 0);
	entry = (struct drm_ferry_migrate_entry){ limit->first.handle,
						  APERTURE };
	igt_ferry_alarm_storm(300000);
	do {
		err = raw_migrate(fd, &entry, limit->outs, OUTS);
	} while (err != EINTR && !err && ++calls < 64);
	igt_ferry_alarm_storm(0);
	igt_ferry_gate_require_closed(&limit->gate);
	igt_assert_f(
		err == EINTR,
		"%u calls with %u out-syncs are pending, the last returned %d\n",
		calls, OUTS, err);
	igt_assert_lt(4, calls);
}

static void limit_fini(struct limit *limit)
{
	igt_ferry_bo_fini(&limit->first);
	igt_ferry_bo_fini(&limit->bo);
	igt_ferry_gate_fini(&limit->gate);
}

static int limit_call(struct limit *limit, uint32_t outs)
{
	struct drm_ferry_migrate_entry entry = { limit->bo.handle, APERTURE };
	struct drm_ferry_sync all[OUTS];

	for (unsigned int i = 0; i < outs; i++)
		all[i] = limit->out;
	return raw_migrate(limit->fd, &entry, all, outs);
}

/**
 * SUBTEST: in-place
 * Description: calls with many BOs that need no move create no jobs for these BOs, and do not use unlimited memory
 */
/* lockdep counts at most 2047 reservations of one context */
enum { IN_PLACE = 1500, IN_PLACE_CALLS = 24 };

static struct drm_ferry_migrate_entry in_place[IN_PLACE];
static struct drm_ferry_sync in_place_out;

static void run_in_place(struct task *task)
{
	for (; task->number < IN_PLACE_CALLS && !task->err; task->number++)
		task->err = __ferry_migrate_sync(task->fd, in_place, IN_PLACE,
						 NULL, 0, &in_place_out, 1);
}

static void test_in_place(int fd)
{
	struct task task = { .run = run_in_place, .fd = fd };
	struct drm_ferry_sync in;
	struct igt_ferry_gate gate;
	uint64_t jobs, calls, slab;
	bool closed;

	in_place_out = igt_ferry_sync_new(fd, 0);
	for (unsigned int i = 0; i < IN_PLACE; i++) {
		in_place[i].handle =
			ferry_bo_create(fd, PAGE, FERRY_PLACEMENT_BOTH, SYSTEM,
					DRM_FERRY_CACHING_CACHED, 0);
		in_place[i].placement = APERTURE;
	}
	ferry_migrate(fd, in_place, IN_PLACE);
	for (unsigned int i = 0; i < IN_PLACE; i++)
		in_place[i].placement = SYSTEM;
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	igt_assert_eq(__ferry_migrate_sync(fd, in_place, IN_PLACE, &in, 1,
					   &in_place_out, 1),
		      0);
	slab = igt_ferry_field("/proc/meminfo", "SUnreclaim");
	task_start(&task);
	usleep(10 * WATCH);
	jobs = igt_ferry_stat(fd, "jobs");
	calls = task.number;
	slab = igt_ferry_field("/proc/meminfo", "SUnreclaim") - slab;
	closed = sync_fence_status(gate.file) == 0;
	igt_ferry_gate_open(&gate);
	pthread_join(task.thread, NULL);
	igt_assert_eq(task.err, 0);
	igt_ferry_sync_wait(fd, in_place_out);
	igt_ferry_wait_stat(fd, "jobs", 0);
	igt_info("%" PRIu64 " pending calls, %" PRIu64 " jobs, %" PRId64
		 " KiB of slab\n",
		 calls, jobs, (int64_t)slab);
	igt_require_f(closed, "this virtual machine is too slow for vgem\n");
	/* one job for each move, one for the in-sync, one for each call */
	igt_assert_lte_u64(jobs, IN_PLACE + 1 + 1 + calls);
	igt_assert_lt_u64(calls, IN_PLACE_CALLS);
}

/**
 * SUBTEST: in-place-shared
 * Description: a call whose BO needs no move ends after the pending move of that BO by another client
 */
static void test_in_place_shared(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR), dmabuf;
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 0);
	struct drm_ferry_migrate_entry entries[2];
	struct igt_ferry_bo bo, own;
	struct igt_ferry_gate gate;

	bo_init(&own, client, SIZE, SYSTEM);
	bo_init_pending(&bo, fd, SIZE, APERTURE, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &entries[1].handle),
		      0);
	entries[0] = (struct drm_ferry_migrate_entry){ own.handle, APERTURE };
	entries[1].placement = APERTURE;
	igt_assert_eq(
		__ferry_migrate_sync(client, entries, 2, NULL, 0, &out, 1), 0);
	/* the other BO of the call has moved, but the call has not ended */
	ferry_bo_wait(client, own.handle);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, client, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, out);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&own);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&own);
	igt_ferry_gate_fini(&gate);
	close(dmabuf);
	close(client);
}

/**
 * SUBTEST: failures
 * Description: calls that fail do not count against the limit
 */
static void test_failures(int fd)
{
	struct drm_ferry_migrate_entry entry = { .placement = APERTURE };
	struct drm_ferry_sync outs[OUTS];
	struct igt_ferry_bo bo;

	bo_init(&bo, fd, SIZE, SYSTEM);
	entry.handle = bo.handle;
	for (unsigned int i = 0; i < OUTS; i++)
		outs[i] = igt_ferry_sync_new(fd, 0);
	igt_ferry_alarm_storm(300000);
	outs[OUTS - 1].handle += OUTS;
	for (int i = 0; i < 64; i++)
		igt_assert_eq(raw_migrate(fd, &entry, outs, OUTS), ENOENT);
	outs[OUTS - 1].handle -= OUTS;
	igt_assert_eq(raw_migrate(fd, &entry, outs, OUTS), 0);
	igt_ferry_alarm_storm(0);
	igt_ferry_sync_wait(fd, outs[OUTS - 1]);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

/**
 * SUBTEST: waits
 * Description: a call at the limit waits until jobs end, then moves, and ends after all earlier calls; other clients do not wait
 */
static void run_limit_call(struct task *task)
{
	struct limit *limit = (struct limit *)task->seen;

	do {
		task->err = limit_call(limit, OUTS);
	} while (task->err == EINTR);
}

static void test_waits(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync foreign = igt_ferry_sync_new(client, 0);
	struct limit *limit = calloc(1, sizeof(*limit));
	struct task task = { .run = run_limit_call };
	struct igt_ferry_bo other;

	igt_assert(limit);
	limit_init(limit, fd);
	bo_init(&other, client, SIZE, SYSTEM);
	ferry_bo_migrate_sync(client, other.handle, APERTURE, NULL, &foreign);
	igt_ferry_sync_wait(client, foreign);
	igt_ferry_bo_check(&other);

	task.seen = (uint64_t *)limit;
	task_check_waits(&task, &limit->gate);
	igt_assert_eq(task.err, 0);
	igt_ferry_sync_wait(fd, limit->out);
	igt_assert_eq(igt_ferry_sync_state(fd, limit->outs[0]), 0);
	igt_assert_eq(ferry_bo_placement(fd, limit->bo.handle), APERTURE);
	igt_ferry_bo_check(&limit->first);
	igt_ferry_bo_check(&limit->bo);
	igt_ferry_bo_fini(&other);
	limit_fini(limit);
	free(limit);
	close(client);
}

/**
 * SUBTEST: interrupted
 * Description: a signal ends a call that waits at the limit, which has then changed nothing
 */
static void test_interrupted(int fd)
{
	struct limit *limit = calloc(1, sizeof(*limit));
	struct igt_ferry_state state;
	struct timespec start = {};
	uint64_t jobs;

	igt_assert(limit);
	limit_init(limit, fd);
	igt_ferry_state_get(fd, &state, true);
	jobs = igt_ferry_stat(fd, "jobs");
	igt_ferry_alarm_storm(50000);
	igt_nsec_elapsed(&start);
	for (int i = 0; i < 5; i++)
		igt_assert_eq(limit_call(limit, OUTS), EINTR);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), 5 * (PROMPT + 50000000));
	igt_ferry_alarm_storm(0);
	igt_assert_eq_u64(igt_ferry_stat(fd, "jobs"), jobs);
	igt_ferry_state_check(fd, &state, 0, "an interrupted call");
	igt_assert_eq(igt_ferry_sync_state(fd, limit->out), -EINVAL);
	igt_ferry_gate_require_closed(&limit->gate);

	/* nothing is left that would count against the limit */
	igt_ferry_gate_open(&limit->gate);
	igt_ferry_wait_stat(fd, "jobs", 0);
	igt_assert_eq(limit_call(limit, OUTS), 0);
	igt_ferry_sync_wait(fd, limit->out);
	igt_ferry_bo_check(&limit->bo);
	limit_fini(limit);
	free(limit);
}

/**
 * SUBTEST: killed
 * Description: SIGKILL ends a process that waits at the limit, and its call has changed nothing
 */
static void test_killed(int fd)
{
	struct limit *limit = calloc(1, sizeof(*limit));
	struct igt_ferry_state state;
	int status;
	uint64_t jobs;

	igt_assert(limit);
	limit_init(limit, fd);
	igt_ferry_state_get(fd, &state, true);
	jobs = igt_ferry_stat(fd, "jobs");
	for (int i = 0; i < 4; i++) {
		struct timespec start = {};
		pid_t child = fork();

		igt_assert(child >= 0);
		if (!child) {
			limit_call(limit, OUTS);
			_exit(0);
		}
		usleep(WATCH);
		igt_nsec_elapsed(&start);
		kill(child, SIGKILL);
		igt_assert_eq(waitpid(child, &status, 0), child);
		igt_assert_lt_u64(igt_nsec_elapsed(&start), PROMPT);
		igt_assert_f(WIFSIGNALED(status), "the call did not wait\n");
	}
	igt_assert_eq_u64(igt_ferry_stat(fd, "jobs"), jobs);
	igt_ferry_state_check(fd, &state, 0, "a killed process");
	igt_assert_eq(igt_ferry_sync_state(fd, limit->out), -EINVAL);
	igt_ferry_gate_require_closed(&limit->gate);
	igt_ferry_gate_open(&limit->gate);
	limit_fini(limit);
	free(limit);
}

/**
 * SUBTEST: close
 * Description: a client that closes its file at the limit leaves no BO, page, resource or job
 */
static void test_close(int fd)
{
	struct counts before = counts_get(fd);
	struct limit *limit = calloc(1, sizeof(*limit));
	int client = igt_ferry_reopen(fd, O_RDWR);

	igt_assert(limit);
	limit_init(limit, client);
	igt_assert_eq(munmap(limit->first.map, limit->first.size), 0);
	igt_assert_eq(munmap(limit->bo.map, limit->bo.size), 0);
	close(client);
	igt_assert_lt(0, igt_ferry_stat(fd, "jobs"));
	igt_ferry_gate_open(&limit->gate);
	igt_ferry_wait_stat(fd, "jobs", 0);
	counts_check(fd, before);
	igt_ferry_gate_fini(&limit->gate);
	free(limit);
}

/* Kernel threads that can run a work item of ferry: workers that no CPU is bound to */
struct workers {
	char path[256][32];
	unsigned int count;
};

static bool read_comm(const char *path, char *comm, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (file < 0)
		return false;
	len = read(file, comm, size - 1);
	close(file);
	comm[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static void find_workers(struct workers *workers)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	igt_assert(dir);
	workers->count = 0;
	while ((entry = readdir(dir)) &&
	       workers->count < ARRAY_SIZE(workers->path)) {
		char *path = workers->path[workers->count], comm[64];

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(workers->path[0]), "/proc/%.16s/comm",
			 entry->d_name);
		if (read_comm(path, comm, sizeof(comm)) &&
		    !strncmp(comm, "kworker/u", 9))
			workers->count++;
	}
	closedir(dir);
	errno = 0;
}

/* The number of workers that run a work item of ferry now */
static unsigned int busy_workers(const struct workers *workers)
{
	unsigned int count = 0;
	char comm[64];

	for (unsigned int i = 0; i < workers->count; i++)
		count += read_comm(workers->path[i], comm, sizeof(comm)) &&
			 strstr(comm, "+ferry\n");
	errno = 0;
	return count;
}

/**
 * SUBTEST: workers
 * Description: the asynchronous moves of many clients run on half of the processors at most
 */
static void test_workers(int fd)
{
	enum { CLIENTS = 8, ROUNDS = 150 };
	unsigned int max = 0, limit, seen = 0;
	struct drm_ferry_sync out[CLIENTS];
	struct igt_ferry_bo bo[CLIENTS];
	static struct workers workers;
	struct timespec start = {};
	uint64_t copy, scan;
	size_t size = ALIGN(evictable_size(fd) / (2 * CLIENTS), PAGE);

	limit = sysconf(_SC_NPROCESSORS_ONLN) / 2;
	limit = limit ? limit : 1;
	igt_require_f(sysconf(_SC_NPROCESSORS_ONLN) > 1,
		      "this virtual machine has one processor\n");
	for (unsigned int i = 0; i < CLIENTS; i++) {
		bo_init(&bo[i], igt_ferry_reopen(fd, O_RDWR), size, SYSTEM);
		out[i] = igt_ferry_sync_new(bo[i].fd, 0);
	}
	/* a scan that takes longer than a copy sees workers that run one after the other */
	find_workers(&workers);
	igt_nsec_elapsed(&start);
	ferry_bo_migrate(bo[0].fd, bo[0].handle, APERTURE);
	copy = igt_nsec_elapsed(&start);
	busy_workers(&workers);
	scan = igt_nsec_elapsed(&start) - copy;
	ferry_bo_migrate(bo[0].fd, bo[0].handle, SYSTEM);
	igt_require_f(scan < copy,
		      "to look for workers takes longer than a move\n");
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int now;

		/* before the moves: on a slow kernel this takes longer than a move */
		find_workers(&workers);
		for (unsigned int i = 0; i < CLIENTS; i++)
			ferry_bo_migrate_sync(bo[i].fd, bo[i].handle,
					      round & 1 ? SYSTEM : APERTURE,
					      NULL, &out[i]);
		now = busy_workers(&workers);
		seen += now > 0;
		max = now > max ? now : max;
		for (unsigned int i = 0; i < CLIENTS; i++)
			igt_ferry_sync_wait(bo[i].fd, out[i]);
	}
	igt_info("up to %u workers, seen in %u of %u rounds\n", max, seen,
		 ROUNDS);
	igt_assert_lt(0, seen);
	igt_assert_lte(max, limit);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
		close(bo[i].fd);
	}
}

static void run_unbind(struct task *task)
{
	task->err = igt_ferry_module_unbind();
}

/**
 * SUBTEST: unbind
 * Description: unbinding the device ends a call that waits at the limit with ENODEV, while earlier calls are still pending
 */
static void test_unbind(int fd)
{
	struct limit *limit = calloc(1, sizeof(*limit));
	struct task task = { .run = run_limit_call };
	struct task unbind = { .run = run_unbind };
	bool waited, ended, closed;

	igt_assert(limit);
	limit_init(limit, fd);
	task.seen = (uint64_t *)limit;
	task_start(&task);
	usleep(WATCH);
	waited = !task.ended;
	task_start(&unbind);
	for (int i = 0; i < 20 && !task.ended; i++)
		usleep(WATCH);
	ended = task.ended;
	closed = sync_fence_status(limit->gate.file) == 0;
	igt_ferry_gate_open(&limit->gate);
	pthread_join(task.thread, NULL);
	pthread_join(unbind.thread, NULL);
	igt_require_f(closed, "this virtual machine is too slow for vgem\n");
	igt_assert(waited);
	igt_assert_f(ended, "the call waited for the gate\n");
	igt_assert_eq(task.err, ENODEV);
	igt_assert_eq(unbind.err, 0);
	igt_ferry_bo_check(&limit->first);
	igt_ferry_bo_check(&limit->bo);
	igt_assert_eq(munmap(limit->first.map, limit->first.size), 0);
	igt_assert_eq(munmap(limit->bo.map, limit->bo.size), 0);
	igt_ferry_gate_fini(&limit->gate);
	free(limit);
	close(fd);
	igt_ferry_module_restore();
	igt_assert(igt_ferry_module_is_bound());
}

static const struct igt_ferry_test tests[] = {
	{ "in-place",
	  "calls with many BOs that need no move create no jobs for these BOs, and do not use unlimited memory",
	  test_in_place },
	{ "in-place-shared",
	  "a call whose BO needs no move ends after the pending move of that BO by another client",
	  test_in_place_shared },
	{ "failures", "calls that fail do not count against the limit",
	  test_failures },
	{ "waits",
	  "a call at the limit waits until jobs end, then moves, and ends after all earlier calls; other clients do not wait",
	  test_waits },
	{ "interrupted",
	  "a signal ends a call that waits at the limit, which has then changed nothing",
	  test_interrupted },
	{ "killed",
	  "SIGKILL ends a process that waits at the limit, and its call has changed nothing",
	  test_killed },
	{ "close",
	  "a client that closes its file at the limit leaves no BO, page, resource or job",
	  test_close },
	{ "workers",
	  "the asynchronous moves of many clients run on half of the processors at most",
	  test_workers },
	{}
};

/* It unbinds the device. */
static const struct igt_ferry_test last_tests[] = {
	{ "unbind",
	  "unbinding the device ends a call that waits at the limit with ENODEV, while earlier calls are still pending",
	  test_unbind },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_run_tests(fd, tests);
	igt_ferry_module_run_tests(fd, last_tests);
}
