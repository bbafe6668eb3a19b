// SPDX-License-Identifier: MIT
/**
 * TEST: ferry sync
 * Category: Core
 * Description: Moves that nobody waits for: syncobjs in and out, and everybody who meets a BO on its way
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <drm_fourcc.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <xf86drmMode.h>

#include "igt.h"
#include "igt_kmod.h"
#include "sw_sync.h"

#include "igt_ferry.h"
#include "igt_ferry_sync.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Moves that nobody waits for: syncobjs, and who meets a BO on its way");

#define SIZE (300 * PAGE)

/* How long something is watched that shall not happen, in microseconds */
#define WATCH 150000

static const struct igt_ferry_kind *const cached = &igt_ferry_movable_kinds[0];

static void bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
		    uint32_t placement)
{
	igt_ferry_bo_init(bo, fd, size, cached);
	igt_ferry_bo_fill(bo);
	if (placement != SYSTEM)
		ferry_bo_migrate(fd, bo->handle, placement);
}

/* What is left of the aperture when everything has gone that can */
static size_t all_room(int fd)
{
	struct drm_ferry_device_query device;

	ferry_device_query(fd, &device);
	return device.aperture_size - igt_ferry_stat(fd, "aperture_unevictable");
}

/* A BO whose bytes wait at the gate to follow it. */
static struct drm_ferry_sync bo_init_held(struct igt_ferry_bo *bo, int fd,
					  size_t size, uint32_t placement,
					  struct igt_ferry_gate *gate)
{
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);

	bo_init(bo, fd, size, placement ^ FERRY_PLACEMENT_BOTH);
	igt_ferry_gate_init(gate);
	in = igt_ferry_gate_sync(gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo->handle, placement, &in, &out);
	igt_assert_eq(ferry_bo_placement(fd, bo->handle), placement);
	return out;
}

struct counts {
	uint64_t bos;
	uint64_t pages;
	uint64_t room;
};

static struct counts counts_get(int fd)
{
	return (struct counts){
		.bos = igt_ferry_stat(fd, "bos"),
		.pages = igt_ferry_stat(fd, "system_pages"),
		.room = igt_ferry_aperture_free(fd),
	};
}

/* BOs that are closed when they are not idle are freed a moment later. */
static void counts_check(int fd, struct counts before)
{
	igt_ferry_wait_stat(fd, "bos", before.bos);
	igt_ferry_wait_stat(fd, "system_pages", before.pages);
	for (int i = 0; i < 500; i++) {
		if (igt_ferry_aperture_free(fd) == before.room)
			return;
		usleep(20000);
	}
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), before.room);
}

/*
 * Something that is done by another thread, and shall take until the gate opens.
 * Threads cannot fail a test: they note what they saw.
 */
struct task {
	pthread_t thread;
	void (*run)(struct task *task);
	struct igt_ferry_bo *bo;
	int fd;
	int other;
	uint32_t number;
	int err;
	uint64_t *seen;
	volatile bool begun;
	volatile bool ended;
};

static void *task_thread(void *arg)
{
	struct task *task = arg;

	task->begun = true;
	task->run(task);
	task->ended = true;
	return NULL;
}

static void task_start(struct task *task)
{
	igt_assert_eq(pthread_create(&task->thread, NULL, task_thread, task),
		      0);
	while (!task->begun)
		usleep(1000);
}

/* Opens the gate. */
static void task_held(struct task *task, struct igt_ferry_gate *gate)
{
	bool ended, closed;

	task_start(task);
	usleep(WATCH);
	ended = task->ended;
	closed = sync_fence_status(gate->file) == 0;
	igt_ferry_gate_open(gate);
	pthread_join(task->thread, NULL);
	igt_require_f(
		closed,
		"this machine is too slow for fences of vgem, which last 10 seconds\n");
	igt_assert_f(!ended, "it did not wait for the bytes: %s\n",
		     strerror(-task->err));
}

/**
 * SUBTEST: out-%s
 * Description: the call gives its out-syncs a fence that signals when the bytes are there
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_out(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t pages[] = { 1, 17, 512, 700 };
	struct drm_ferry_sync timeline = igt_ferry_sync_new(fd, 0);
	uint64_t reached;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		uint32_t placement = APERTURE;
		struct igt_ferry_bo bo;

		igt_ferry_bo_init(&bo, fd, pages[i] * PAGE, kind);
		for (int round = 0; round < 4; round++) {
			struct drm_ferry_sync out[2] = {
				igt_ferry_sync_new(fd, 0), timeline
			};

			out[1].point = ++timeline.point;
			igt_ferry_bo_fill(&bo);
			igt_assert_eq(igt_ferry_sync_state(fd, out[0]),
				      -EINVAL);
			igt_assert_eq(igt_ferry_sync_state(fd, out[1]),
				      -EINVAL);
			igt_assert_eq(__ferry_migrate_sync(
					      fd,
					      &(struct drm_ferry_migrate_entry){
						      bo.handle, placement },
					      1, NULL, 0, out, 2),
				      0);
			igt_assert_eq(ferry_bo_placement(fd, bo.handle),
				      placement);
			igt_ferry_sync_wait(fd, out[round & 1]);
			igt_assert_eq(igt_ferry_sync_state(fd, out[0]), 0);
			igt_assert_eq(igt_ferry_sync_state(fd, out[1]), 0);
			igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
			igt_ferry_bo_check(&bo);
			placement ^= FERRY_PLACEMENT_BOTH;
		}
		igt_ferry_bo_fini(&bo);
	}
	igt_assert_eq(drmSyncobjQuery(fd, &timeline.handle, &reached, 1), 0);
	igt_assert_eq_u64(reached, timeline.point);
}

/**
 * SUBTEST: in-%s
 * Description: the bytes wait for the in-sync, and the out-syncs and the BO for the bytes
 *
 * arg[1].values: binary, timeline
 */
static void check_in(int fd, uint64_t point, uint32_t placement)
{
	const char *counter = placement == APERTURE ? "moves_to_aperture" : "moves_to_system";
	struct drm_ferry_sync in, out[2];
	struct drm_ferry_migrate_entry entry;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint64_t moves, reached;
	int busy;

	bo_init(&bo, fd, SIZE, placement ^ FERRY_PLACEMENT_BOTH);
	entry = (struct drm_ferry_migrate_entry){ bo.handle, placement };
	moves = igt_ferry_stat(fd, counter);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, point);
	out[0] = igt_ferry_sync_new(fd, 0);
	out[1] = igt_ferry_sync_new(fd, 5);
	igt_assert_eq(__ferry_migrate_sync(fd, &entry, 1, &in, 1, out, 2), 0);

	igt_assert_eq(ferry_bo_placement(fd, bo.handle), placement);
	usleep(WATCH);
	busy = __ferry_bo_wait(fd, bo.handle, 0);
	igt_ferry_assert_pending(&gate, fd, out[0]);
	igt_ferry_assert_pending(&gate, fd, out[1]);
	igt_assert_eq(busy, -ETIME);
	igt_assert_eq(drmSyncobjQuery(fd, &out[1].handle, &reached, 1), 0);
	igt_assert_eq_u64(reached, 0);
	igt_assert_eq_u64(igt_ferry_stat(fd, counter), moves);

	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out[0]);
	igt_ferry_sync_wait(fd, out[1]);
	igt_assert_eq(drmSyncobjQuery(fd, &out[1].handle, &reached, 1), 0);
	igt_assert_eq_u64(reached, 5);
	ferry_bo_wait(fd, bo.handle);
	igt_assert_eq_u64(igt_ferry_stat(fd, counter), moves + 1);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static void test_in_binary(int fd)
{
	check_in(fd, 0, APERTURE);
	check_in(fd, 0, SYSTEM);
}

static void test_in_timeline(int fd)
{
	check_in(fd, 7, APERTURE);
	check_in(fd, 1ull << 40, SYSTEM);
}

/**
 * SUBTEST: in-all
 * Description: of several in-syncs all have to signal, in whatever order
 */
static void test_in_all(int fd)
{
	struct igt_ferry_gate gates[3];
	struct drm_ferry_sync in[4], out = igt_ferry_sync_new(fd, 0);
	struct drm_ferry_migrate_entry entry;
	struct igt_ferry_bo bo;

	bo_init(&bo, fd, SIZE, SYSTEM);
	entry = (struct drm_ferry_migrate_entry){ bo.handle, APERTURE };
	for (unsigned int i = 0; i < 3; i++) {
		igt_ferry_gate_init(&gates[i]);
		in[i] = igt_ferry_gate_sync(&gates[i], fd, i);
	}
	in[3] = igt_ferry_sync_new(fd, 0);
	igt_assert_eq(drmSyncobjSignal(fd, &in[3].handle, 1), 0);
	igt_assert_eq(__ferry_migrate_sync(fd, &entry, 1, in, 4, &out, 1), 0);
	for (int i = 2; i >= 0; i--) {
		usleep(WATCH / 3);
		igt_ferry_assert_pending(&gates[i], fd, out);
		igt_ferry_gate_open(&gates[i]);
		igt_ferry_gate_fini(&gates[i]);
	}
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

static void run_sync_in(struct task *task)
{
	struct drm_ferry_sync in = { .handle = task->number };

	task->err = __ferry_bo_migrate_sync(task->fd, task->bo->handle, APERTURE, &in,
					    NULL);
}

/**
 * SUBTEST: in-without-out
 * Description: a call with in-syncs only waits for them, and moves nothing before
 */
static void test_in_without_out(int fd)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_gate gate;
	struct task task = { .run = run_sync_in, .fd = fd, .bo = &bo };

	bo_init(&bo, fd, SIZE, SYSTEM);
	igt_ferry_gate_init(&gate);
	task.number = igt_ferry_gate_sync(&gate, fd, 0).handle;
	task_held(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), APERTURE);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: order
 * Description: calls with out-syncs of one file end in order, and those of other files by themselves
 */
static void test_order(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync first, second = igt_ferry_sync_new(fd, 3),
				     foreign = igt_ferry_sync_new(client, 0);
	struct igt_ferry_bo bo[4];
	struct igt_ferry_gate gate;

	bo_init(&bo[1], fd, PAGE, SYSTEM);
	bo_init(&bo[2], client, PAGE, SYSTEM);
	bo_init(&bo[3], fd, PAGE, SYSTEM);
	first = bo_init_held(&bo[0], fd, SIZE, APERTURE, &gate);

	/* nothing of its own to wait for, but it comes after the first */
	ferry_bo_migrate_sync(fd, bo[1].handle, APERTURE, NULL, &second);
	ferry_bo_migrate_sync(client, bo[2].handle, APERTURE, NULL, &foreign);
	ferry_bo_migrate(fd, bo[3].handle, APERTURE);
	igt_ferry_sync_wait(client, foreign);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, fd, second);
	igt_ferry_assert_pending(&gate, fd, first);

	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, second);
	igt_assert_eq(igt_ferry_sync_state(fd, first), 0);
	for (unsigned int i = 0; i < 4; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
	igt_ferry_gate_fini(&gate);
	close(client);
}

/**
 * SUBTEST: to-and-fro
 * Description: many moves of the same BOs, queued up behind a gate, leave every byte in its place
 */
static void test_to_and_fro(int fd)
{
	enum { BOS = 4, ROUNDS = 12 };
	struct drm_ferry_migrate_entry entries[BOS];
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo[BOS];
	struct igt_ferry_gate gate;

	for (unsigned int i = 0; i < BOS; i++)
		bo_init(&bo[i], fd, (1 + 9 * i) * PAGE, i & 1 ? APERTURE : SYSTEM);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	for (unsigned int n = 0; n < ROUNDS; n++) {
		for (unsigned int i = 0; i < BOS; i++)
			entries[i] = (struct drm_ferry_migrate_entry){
				bo[i].handle, (i + n) & 1 ? SYSTEM : APERTURE
			};
		out.point++;
		igt_assert_eq(__ferry_migrate_sync(fd, entries, BOS, &in, !n,
						   &out, 1),
			      0);
	}
	igt_ferry_assert_pending(&gate, fd, out);
	igt_ferry_gate_open(&gate);
	for (unsigned int i = 0; i < BOS; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_assert_eq(ferry_bo_placement(fd, bo[i].handle),
			      entries[i].placement);
	}
	igt_ferry_sync_wait(fd, out);
	for (unsigned int i = 0; i < BOS; i++) {
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
	}
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: touch-at-once-%s
 * Description: what is read and written through a mapping right after the call are the right bytes
 *
 * arg[1].values: cached, wc, cached-contiguous, wc-contiguous
 */
static void test_touch_at_once(int fd, const struct igt_ferry_kind *kind)
{
	static const size_t pages[] = { 1, 300, 1100 };
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		size_t last = pages[i] - 1;
		struct igt_ferry_bo bo;

		igt_ferry_bo_init(&bo, fd, pages[i] * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		for (int round = 0; round < 6; round++) {
			char *end = (char *)bo.map + last * PAGE;

			ferry_bo_migrate_sync(fd, bo.handle,
					      round & 1 ? SYSTEM : APERTURE, NULL,
					      &out);
			/* the last page is carried last */
			igt_ferry_check(end, last, 1, bo.id, bo.gen);
			igt_ferry_bo_fill(&bo);
			ferry_bo_migrate_sync(fd, bo.handle,
					      round & 1 ? APERTURE : SYSTEM, NULL,
					      &out);
			igt_ferry_fill(end, last, 1, bo.id, bo.gen + 1);
			igt_ferry_check(bo.map, 0, last, bo.id, bo.gen);
			igt_ferry_bo_fill(&bo);
			igt_ferry_bo_check(&bo);
		}
		igt_ferry_sync_wait(fd, out);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
}

static void run_touch(struct task *task)
{
	memcpy(task->seen, task->bo->map, task->bo->size);
}

static void run_write(struct task *task)
{
	igt_ferry_fill(task->bo->map, 0, 1, task->bo->id, task->bo->gen + 1);
	memcpy(task->seen, task->bo->map, task->bo->size);
}

static void run_mem(struct task *task)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	task->err = pread(mem, task->seen, task->bo->size,
			  (uintptr_t)task->bo->map) != (ssize_t)task->bo->size;
	close(mem);
}

static void run_mem_write(struct task *task)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	igt_ferry_fill(task->seen, 0, 1, task->bo->id, task->bo->gen + 1);
	task->err = pwrite(mem, task->seen, PAGE, (uintptr_t)task->bo->map) !=
		    PAGE;
	close(mem);
	memcpy(task->seen, task->bo->map, task->bo->size);
}

/**
 * SUBTEST: %s-waits
 * Description: who uses a BO on its way waits, and then finds its bytes
 *
 * arg[1]:
 *
 * @touch:	reads through a mapping
 * @write:	writes through a mapping
 * @mem:	reads /proc/self/mem
 * @mem-write:	writes /proc/self/mem
 */
static void check_access(int fd, void (*run)(struct task *), uint32_t placement,
			 bool writes)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_gate gate;
	struct task task = { .run = run, .fd = fd, .bo = &bo };

	task.seen = malloc(SIZE);
	igt_assert(task.seen);
	bo_init_held(&bo, fd, SIZE, placement, &gate);
	task_held(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_ferry_check(task.seen, 0, 1, bo.id, bo.gen + writes);
	igt_ferry_check((char *)task.seen + PAGE, 1, SIZE / PAGE - 1, bo.id,
			bo.gen);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
	free(task.seen);
}

static void test_touch_waits(int fd)
{
	check_access(fd, run_touch, APERTURE, false);
	check_access(fd, run_touch, SYSTEM, false);
}

static void test_write_waits(int fd)
{
	check_access(fd, run_write, APERTURE, true);
	check_access(fd, run_write, SYSTEM, true);
}

static void test_mem_waits(int fd)
{
	check_access(fd, run_mem, APERTURE, false);
	check_access(fd, run_mem, SYSTEM, false);
}

static void test_mem_write_waits(int fd)
{
	check_access(fd, run_mem_write, APERTURE, true);
	check_access(fd, run_mem_write, SYSTEM, true);
}

/**
 * SUBTEST: ptrace
 * Description: a debugger reads and writes the right words of a BO that has just been sent away
 */
static void test_ptrace(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo;
	pid_t child;
	int status;

	bo_init(&bo, fd, SIZE, SYSTEM);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	igt_assert_eq(ptrace(PTRACE_ATTACH, child, NULL, NULL), 0);
	igt_assert_eq(waitpid(child, &status, 0), child);
	for (int round = 0; round < 8; round++) {
		size_t page = (SIZE / PAGE - 1 - round) * PAGE;
		uint64_t *word = (uint64_t *)((char *)bo.map + page);
		uint64_t is = *word;

		ferry_bo_migrate_sync(fd, bo.handle, round & 1 ? SYSTEM : APERTURE,
				      NULL, &out);
		errno = 0;
		igt_assert_eq_u64(ptrace(PTRACE_PEEKDATA, child, word, NULL),
				  is);
		igt_assert_eq(errno, 0);
		ferry_bo_migrate_sync(fd, bo.handle, round & 1 ? APERTURE : SYSTEM,
				      NULL, &out);
		igt_assert_eq(ptrace(PTRACE_POKEDATA, child, word, ~is), 0);
		igt_assert_eq_u64(*word, ~is);
		*word = is;
		ferry_bo_migrate_sync(fd, bo.handle, round & 1 ? SYSTEM : APERTURE,
				      NULL, &out);
	}
	kill(child, SIGKILL);
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
}

static void run_migrate(struct task *task)
{
	task->err =
		__ferry_bo_migrate(task->fd, task->bo->handle, task->number);
}

/**
 * SUBTEST: migrate-waits
 * Description: a move that is waited for comes after one that is not, and finds its bytes
 */
static void test_migrate_waits(int fd)
{
	struct igt_ferry_bo bo;
	struct igt_ferry_gate gate;
	struct task task = { .run = run_migrate, .fd = fd, .bo = &bo };

	for (task.number = SYSTEM; task.number <= APERTURE; task.number++) {
		task.begun = task.ended = false;
		bo_init_held(&bo, fd, SIZE, task.number ^ FERRY_PLACEMENT_BOTH,
			     &gate);
		task_held(&task, &gate);
		igt_assert_eq(task.err, 0);
		igt_assert_eq(ferry_bo_placement(fd, bo.handle), task.number);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
		igt_ferry_gate_fini(&gate);
	}
}

/**
 * SUBTEST: other-client
 * Description: a move waits for one of the same BO by another client, and finds its bytes
 */
static void test_other_client(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR), dmabuf;
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint32_t handle;

	bo_init_held(&bo, fd, SIZE, APERTURE, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &handle), 0);
	ferry_bo_migrate_sync(client, handle, SYSTEM, NULL, &out);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, client, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, out);
	igt_ferry_bo_check(&bo);
	close(dmabuf);
	close(client);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: evict-waits
 * Description: who needs the place of a BO on its way waits for it, and neither loses a byte
 */
static void test_evict_waits(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	size_t size = all_room(fd);
	struct igt_ferry_bo bo, other;
	struct igt_ferry_gate gate;
	struct task task = {
		.run = run_migrate, .fd = client, .bo = &other, .number = APERTURE
	};

	bo_init(&other, client, size, SYSTEM);
	bo_init_held(&bo, fd, SIZE, APERTURE, &gate);
	task_held(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_assert_eq(ferry_bo_placement(client, other.handle), APERTURE);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&other);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&other);
	igt_ferry_gate_fini(&gate);
	close(client);
}

/**
 * SUBTEST: old-place-waits
 * Description: the place that a BO leaves is nobody else's before its bytes have left
 */
static void test_old_place_waits(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	size_t size = all_room(fd);
	struct igt_ferry_bo bo, other;
	struct igt_ferry_gate gate;
	struct task task = {
		.run = run_migrate, .fd = client, .bo = &other, .number = APERTURE
	};

	bo_init(&other, client, size, SYSTEM);
	bo_init_held(&bo, fd, SIZE, SYSTEM, &gate);
	igt_assert_lt_u64(igt_ferry_aperture_free(fd), size);
	task_held(&task, &gate);
	igt_assert_eq(task.err, 0);
	igt_assert_eq(ferry_bo_placement(client, other.handle), APERTURE);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_check(&other);
	igt_ferry_bo_fini(&bo);
	igt_ferry_bo_fini(&other);
	igt_ferry_gate_fini(&gate);
	close(client);
}

static int dmabuf_state(int dmabuf, uint32_t flags)
{
	struct dma_buf_export_sync_file export = { .flags = flags };
	int state;

	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		      0);
	state = sync_fence_status(export.fd);
	close(export.fd);
	return state;
}

/**
 * SUBTEST: dma-buf
 * Description: a dma-buf of a BO on its way shows the fence, to poll() and as a sync file
 */
static void test_dma_buf(int fd)
{
	struct pollfd pollfd = { .events = POLLIN };
	struct drm_ferry_sync out;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int ready, states[2];
	void *map;

	out = bo_init_held(&bo, fd, SIZE, SYSTEM, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC | DRM_RDWR,
					 &pollfd.fd),
		      0);
	ready = poll(&pollfd, 1, 0);
	states[0] = dmabuf_state(pollfd.fd, DMA_BUF_SYNC_READ);
	states[1] = dmabuf_state(pollfd.fd, DMA_BUF_SYNC_RW);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq(ready, 0);
	igt_assert_eq(states[0], 0);
	igt_assert_eq(states[1], 0);

	igt_ferry_gate_open(&gate);
	igt_assert_eq(poll(&pollfd, 1, 60000), 1);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, pollfd.fd, 0);
	igt_assert(map != MAP_FAILED);
	igt_ferry_check(map, 0, SIZE / PAGE, bo.id, bo.gen);
	munmap(map, SIZE);
	igt_ferry_sync_wait(fd, out);
	igt_assert_eq(dmabuf_state(pollfd.fd, DMA_BUF_SYNC_RW), 1);
	close(pollfd.fd);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: dma-buf-fence
 * Description: a move waits for a fence that another device has put on the BO
 */
static void test_dma_buf_fence(int fd)
{
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_RW };
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int dmabuf, busy;

	bo_init(&bo, fd, SIZE, APERTURE);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC | DRM_RDWR,
					 &dmabuf),
		      0);
	igt_ferry_gate_init(&gate);
	import.fd = gate.file;
	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		      0);
	busy = __ferry_bo_wait(fd, bo.handle, 0);
	ferry_bo_migrate_sync(fd, bo.handle, SYSTEM, NULL, &out);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, fd, out);
	igt_assert_eq(busy, -ETIME);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(fd, out);
	igt_assert_eq(ferry_bo_placement(fd, bo.handle), SYSTEM);
	igt_ferry_bo_check(&bo);
	close(dmabuf);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/* The display in its first mode */
struct screen {
	uint32_t crtc;
	drmModeConnector *connector;
	drmModeModeInfo mode;
	uint32_t fb;
};

static struct screen screen;

static void screen_init(int fd)
{
	drmModeRes *res;

	igt_ferry_require_display(fd);
	igt_assert_eq(drmSetMaster(fd), 0);
	res = drmModeGetResources(fd);
	igt_assert(res && res->count_connectors && res->count_crtcs);
	screen.crtc = res->crtcs[0];
	screen.connector = drmModeGetConnector(fd, res->connectors[0]);
	igt_assert(screen.connector && screen.connector->count_modes);
	screen.mode = screen.connector->modes[0];
	/* the smallest: less to carry */
	for (int i = 1; i < screen.connector->count_modes; i++)
		if (screen.connector->modes[i].hdisplay < screen.mode.hdisplay)
			screen.mode = screen.connector->modes[i];
	drmModeFreeResources(res);
}

static size_t screen_size(void)
{
	return ALIGN(screen.mode.hdisplay * 4 * screen.mode.vdisplay, PAGE);
}

static void screen_add(const struct igt_ferry_bo *bo)
{
	uint32_t handles[4] = { bo->handle },
		 pitches[4] = { screen.mode.hdisplay * 4 }, offsets[4] = {};

	igt_assert_eq(drmModeAddFB2(bo->fd, screen.mode.hdisplay,
				    screen.mode.vdisplay, DRM_FORMAT_XRGB8888,
				    handles, pitches, offsets, &screen.fb, 0),
		      0);
}

static int screen_show(int fd)
{
	return drmModeSetCrtc(fd, screen.crtc, screen.fb, 0, 0,
			      &screen.connector->connector_id, 1, &screen.mode);
}

static void screen_off(int fd)
{
	igt_assert_eq(drmModeSetCrtc(fd, screen.crtc, 0, 0, 0, NULL, 0, NULL),
		      0);
	igt_assert_eq(drmModeRmFB(fd, screen.fb), 0);
	drmModeFreeConnector(screen.connector);
}

static void run_show(struct task *task)
{
	task->err = screen_show(task->fd);
}

/**
 * SUBTEST: scanout-waits-%s
 * Description: a framebuffer whose bytes are on their way is shown when they are there
 *
 * arg[1].values: up, down
 */
static void check_scanout(int fd, uint32_t placement)
{
	struct drm_ferry_bo_query query;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	struct task task = { .run = run_show, .fd = fd, .bo = &bo };
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);

	screen_init(fd);
	/* in one piece: the display can take it as it is */
	igt_ferry_bo_init(&bo, fd, screen_size(), &igt_ferry_movable_kinds[2]);
	igt_ferry_bo_fill(&bo);
	ferry_bo_migrate(fd, bo.handle, placement ^ FERRY_PLACEMENT_BOTH);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	ferry_bo_migrate_sync(fd, bo.handle, placement, &in, &out);
	screen_add(&bo);
	task_held(&task, &gate);
	igt_assert_eq(task.err, 0);
	ferry_bo_query(fd, bo.handle, &query);
	igt_assert_eq_u32(query.placement, APERTURE);
	igt_assert_eq_u32(query.pinned, 1);
	igt_ferry_bo_check(&bo);
	screen_off(fd);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

static void test_scanout_waits_up(int fd)
{
	check_scanout(fd, APERTURE);
}

static void test_scanout_waits_down(int fd)
{
	check_scanout(fd, SYSTEM);
}

/**
 * SUBTEST: close-%s
 * Description: what is closed while its bytes are on their way is freed when they have arrived
 *
 * arg[1]:
 *
 * @handle:	the BO's handle, and its mapping
 * @file:	the device file, with everything that it has
 */
static void check_close(int fd, bool file)
{
	for (uint32_t placement = SYSTEM; placement <= APERTURE; placement++) {
		struct counts before = counts_get(fd);
		int client = igt_ferry_reopen(fd, O_RDWR);
		struct igt_ferry_gate gate;
		struct igt_ferry_bo bo;
		uint64_t room;
		bool closed;

		bo_init_held(&bo, client, SIZE, placement, &gate);
		igt_assert_eq(munmap(bo.map, bo.size), 0);
		if (file)
			close(client);
		else
			gem_close(client, bo.handle);
		usleep(WATCH);
		room = igt_ferry_aperture_free(fd);
		closed = sync_fence_status(gate.file) == 0;
		igt_ferry_gate_open(&gate);
		/* the bytes still come or go there */
		if (closed)
			igt_assert_lt_u64(room, before.room);
		counts_check(fd, before);
		if (!file)
			close(client);
		igt_ferry_gate_fini(&gate);
	}
}

static void test_close_handle(int fd)
{
	check_close(fd, false);
}

static void test_close_file(int fd)
{
	check_close(fd, true);
}

/* A client that has sent BOs away, one of them another one's, and waits for them. */
static void be_killed(int fd, int dmabuf, const struct igt_ferry_gate *gate,
		      int tell)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync in = igt_ferry_gate_sync(gate, client, 0);
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 1);
	struct drm_ferry_migrate_entry entries[3];
	struct igt_ferry_bo bo[2];

	bo_init(&bo[0], client, SIZE, SYSTEM);
	bo_init(&bo[1], client, SIZE, APERTURE);
	entries[0] = (struct drm_ferry_migrate_entry){ bo[0].handle, APERTURE };
	entries[1] = (struct drm_ferry_migrate_entry){ bo[1].handle, SYSTEM };
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &entries[2].handle),
		      0);
	entries[2].placement = APERTURE;
	igt_assert_eq(__ferry_migrate_sync(client, entries, 3, &in, 1, &out, 1),
		      0);
	igt_assert_eq(write(tell, "!", 1), 1);
	igt_ferry_bo_check(&bo[0]);
	igt_ferry_bo_check(&bo[1]);
	pause();
}

/**
 * SUBTEST: kill
 * Description: of a client that is killed nothing is left, and shared BOs keep their contents
 */
static void test_kill(int fd)
{
	struct timespec start = {};
	struct counts before;
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	int dmabuf, status, fds[2];
	pid_t child;
	char byte;

	bo_init(&bo, fd, SIZE, SYSTEM);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	before = counts_get(fd);
	igt_ferry_gate_init(&gate);
	igt_assert_eq(pipe(fds), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		be_killed(fd, dmabuf, &gate, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	igt_assert_eq(read(fds[0], &byte, 1), 1);
	usleep(WATCH);
	kill(child, SIGKILL);
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_assert(WIFSIGNALED(status));
	/* it does not wait for the gate */
	igt_ferry_gate_require_closed(&gate);
	igt_assert_lt(igt_seconds_elapsed(&start), 8);
	igt_ferry_gate_open(&gate);

	igt_ferry_bo_check(&bo);
	ferry_bo_migrate(fd, bo.handle, SYSTEM);
	igt_ferry_bo_check(&bo);
	counts_check(fd, before);
	close(fds[0]);
	close(dmabuf);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: kill-storm
 * Description: clients are killed at any moment of moves that nobody waits for, and nothing is left
 */
static void test_kill_storm(int fd)
{
	struct counts before = counts_get(fd);

	for (unsigned int round = 0; round < 25; round++) {
		pid_t child = fork();
		int status;

		igt_assert(child >= 0);
		if (!child) {
			int client = igt_ferry_reopen(fd, O_RDWR);
			struct drm_ferry_sync out =
				igt_ferry_sync_new(client, 1);
			struct igt_ferry_bo bo[3];

			for (int i = 0; i < 3; i++)
				bo_init(&bo[i], client, 100 * PAGE,
					i & 1 ? APERTURE : SYSTEM);
			for (unsigned int i = 0;; i++, out.point++) {
				struct igt_ferry_bo *one = &bo[i % 3];

				ferry_bo_migrate_sync(client, one->handle,
						      i % 2 ? APERTURE : SYSTEM, NULL,
						      &out);
				igt_ferry_check(one->map, 0, 1, one->id,
						one->gen);
			}
		}
		usleep(20000 + round * 7919 % 60000);
		kill(child, SIGKILL);
		igt_assert_eq(waitpid(child, &status, 0), child);
		igt_assert_f(WIFSIGNALED(status),
			     "the client ended by itself\n");
		/* what many leave behind could push out others' BOs, as the console's */
		igt_ferry_wait_stat(fd, "bos", before.bos);
	}
	counts_check(fd, before);
}

/* Of the fence itself: a point of a timeline does not have the error of what it stands for. */
static int sync_info(int file, struct sync_fence_info *fence)
{
	struct sync_file_info info = {
		.num_fences = 1,
		.sync_fence_info = to_user_pointer(fence),
	};

	memset(fence, 0, sizeof(*fence));
	return ioctl(file, SYNC_IOC_FILE_INFO, &info);
}

/**
 * SUBTEST: error
 * Description: the error of an in-sync is that of the out-syncs, and the bytes are carried all the same
 */
static void test_error(int fd)
{
	igt_require_f(
		igt_ferry_gate_can_break(),
		"this kernel has no sw_sync, whose fences can fail: make test KERNEL=debug\n");
	for (uint64_t point = 0; point < 3; point++) {
		struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, point);
		struct drm_ferry_sync after = igt_ferry_sync_new(fd, 0);
		struct sync_fence_info info;
		struct igt_ferry_bo bo, next;
		struct igt_ferry_gate gate;
		int file, later;

		bo_init(&bo, fd, SIZE, SYSTEM);
		bo_init(&next, fd, PAGE, SYSTEM);
		igt_ferry_gate_init(&gate);
		in = igt_ferry_gate_sync(&gate, fd, point);
		ferry_bo_migrate_sync(fd, bo.handle, APERTURE, &in, &out);
		ferry_bo_migrate_sync(fd, next.handle, APERTURE, NULL, &after);
		file = igt_ferry_sync_file(fd, out);
		later = igt_ferry_sync_file(fd, after);
		igt_assert_eq(sync_fence_status(file), 0);
		igt_ferry_gate_break(&gate);
		igt_assert_eq(sync_fence_wait(file, 60000), 0);
		igt_assert_eq(sync_info(file, &info), 0);
		igt_assert_eq(info.status, -ENOENT);
		/* of that call only */
		igt_assert_eq(sync_fence_wait(later, 60000), 0);
		igt_assert_eq(sync_fence_status(later), 1);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_check(&next);
		close(file);
		close(later);
		igt_ferry_bo_fini(&bo);
		igt_ferry_bo_fini(&next);
		igt_ferry_gate_fini(&gate);
	}
}

/**
 * SUBTEST: wait
 * Description: BO_WAIT looks, gives up at its time, and returns when the BO is idle
 */
static void run_wait(struct task *task)
{
	task->err = __ferry_bo_wait(task->fd, task->bo->handle, INT64_MAX);
}

static void test_wait(int fd)
{
	struct task task = { .run = run_wait, .fd = fd };
	struct igt_ferry_gate gate;
	struct timespec start = {};
	struct igt_ferry_bo bo;
	int err[4];
	uint64_t ns;

	bo_init(&bo, fd, SIZE, SYSTEM);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, -1), 0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, INT64_MIN), 0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle,
				      igt_ferry_in_ns(60 * IGT_FERRY_SECOND)),
		      0);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, INT64_MAX), 0);
	igt_ferry_bo_fini(&bo);

	bo_init_held(&bo, fd, SIZE, APERTURE, &gate);
	err[0] = __ferry_bo_wait(fd, bo.handle, 0);
	err[1] = __ferry_bo_wait(fd, bo.handle, INT64_MIN);
	err[2] = __ferry_bo_wait(fd, bo.handle,
				 igt_ferry_in_ns(-IGT_FERRY_SECOND));
	igt_nsec_elapsed(&start);
	err[3] = __ferry_bo_wait(fd, bo.handle,
				 igt_ferry_in_ns(IGT_FERRY_SECOND / 4));
	ns = igt_nsec_elapsed(&start);
	task.bo = &bo;
	task_held(&task, &gate);
	for (unsigned int i = 0; i < 4; i++)
		igt_assert_eq(err[i], -ETIME);
	igt_assert_lte_u64(IGT_FERRY_SECOND / 4, ns);
	igt_assert_lt_u64(ns, 3 * IGT_FERRY_SECOND);
	igt_assert_eq(task.err, 0);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/* The ioctl itself: drmIoctl() would repeat it. */
static int raw_ioctl(int fd, unsigned long request, void *arg)
{
	int err = ioctl(fd, request, arg) ? errno : 0;

	errno = 0;
	return err;
}

/**
 * SUBTEST: wait-interrupted
 * Description: a signal ends BO_WAIT with EINTR; repeated it still ends at its time
 */
static void test_wait_interrupted(int fd)
{
	struct drm_ferry_bo_wait args = {};
	struct timespec start = {};
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	unsigned int interrupted = 0;
	int err;

	bo_init_held(&bo, fd, SIZE, APERTURE, &gate);
	igt_ferry_alarm_storm(20000);
	args.handle = bo.handle;
	args.timeout_ns = igt_ferry_in_ns(IGT_FERRY_SECOND / 2);
	igt_nsec_elapsed(&start);
	do {
		err = raw_ioctl(fd, DRM_IOCTL_FERRY_BO_WAIT, &args);
		interrupted += err == EINTR;
	} while (err == EINTR);
	igt_ferry_alarm_storm(0);
	igt_ferry_gate_require_closed(&gate);
	igt_assert_eq(err, ETIME);
	igt_assert_lt(0, interrupted);
	igt_assert_lte_u64(IGT_FERRY_SECOND / 2, igt_nsec_elapsed(&start));
	igt_assert_lt(igt_seconds_elapsed(&start), 5);
	igt_ferry_gate_open(&gate);
	ferry_bo_wait(fd, bo.handle);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: interrupted
 * Description: a call that waits at a gate, for its in-sync or for room, is interrupted without harm
 */
static void test_interrupted(int fd)
{
	struct drm_ferry_migrate_entry entries[2];
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.count = 1,
	};
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	size_t size = all_room(fd);
	struct igt_ferry_bo bo, big;
	struct igt_ferry_gate gate;

	bo_init(&big, fd, size, SYSTEM);
	bo_init_held(&bo, fd, SIZE, APERTURE, &gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	entries[0] = (struct drm_ferry_migrate_entry){ big.handle, APERTURE };
	args.entries = to_user_pointer(entries);
	igt_ferry_alarm_storm(50000);
	/* it would have to push the other out */
	args.out_syncs = to_user_pointer(&out);
	args.out_count = 1;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), EINTR);
	igt_assert_eq(igt_ferry_sync_state(fd, out), -EINVAL);
	args.out_count = 0;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), EINTR);
	args.in_syncs = to_user_pointer(&in);
	args.in_count = 1;
	igt_assert_eq(raw_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), EINTR);
	igt_ferry_alarm_storm(0);
	igt_assert_eq(ferry_bo_placement(fd, big.handle), SYSTEM);
	igt_ferry_gate_require_closed(&gate);
	igt_ferry_gate_open(&gate);
	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args), 0);
	igt_assert_eq(ferry_bo_placement(fd, big.handle), APERTURE);
	igt_ferry_bo_check(&big);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&big);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

#define MANY 96

/**
 * SUBTEST: many
 * Description: many BOs of all kinds in one call, up, down and not at all, have one end
 */
static void test_many(int fd)
{
	struct drm_ferry_migrate_entry entries[MANY];
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo[MANY];
	struct igt_ferry_gate gate;

	for (unsigned int i = 0; i < MANY; i++) {
		igt_ferry_bo_init(&bo[i], fd, (1 + i % 13) * PAGE,
				  &igt_ferry_movable_kinds[i % 4]);
		igt_ferry_bo_fill(&bo[i]);
	}
	for (unsigned int round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			entries[i].handle = bo[(i * 31 + round) % MANY].handle;
			entries[i].placement = (i + round) % 3 ? APERTURE : SYSTEM;
		}
		igt_ferry_gate_init(&gate);
		in = igt_ferry_gate_sync(&gate, fd, 0);
		out.point++;
		igt_assert_eq(__ferry_migrate_sync(fd, entries, MANY, &in, 1,
						   &out, 1),
			      0);
		for (unsigned int i = 0; i < MANY; i++)
			igt_assert_eq(ferry_bo_placement(fd, entries[i].handle),
				      entries[i].placement);
		igt_ferry_assert_pending(&gate, fd, out);
		igt_ferry_gate_open(&gate);
		igt_ferry_sync_wait(fd, out);
		for (unsigned int i = 0; i < MANY; i++) {
			igt_assert_eq(__ferry_bo_wait(fd, bo[i].handle, 0), 0);
			igt_ferry_bo_check(&bo[i]);
		}
		igt_ferry_gate_fini(&gate);
	}
	for (unsigned int i = 0; i < MANY; i++)
		igt_ferry_bo_fini(&bo[i]);
}

/**
 * SUBTEST: nothing-to-move
 * Description: a call whose BOs are there already ends after the work that is under way on them
 */
static void test_nothing_to_move(int fd)
{
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_sync out = igt_ferry_sync_new(client, 0);
	struct igt_ferry_gate gate;
	struct igt_ferry_bo bo;
	uint32_t handle;
	int dmabuf;

	bo_init_held(&bo, fd, SIZE, APERTURE, &gate);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &dmabuf),
		      0);
	igt_assert_eq(drmPrimeFDToHandle(client, dmabuf, &handle), 0);
	ferry_bo_migrate_sync(client, handle, APERTURE, NULL, &out);
	usleep(WATCH);
	igt_ferry_assert_pending(&gate, client, out);
	igt_ferry_gate_open(&gate);
	igt_ferry_sync_wait(client, out);
	igt_assert_eq(__ferry_bo_wait(fd, bo.handle, 0), 0);
	ferry_bo_migrate_sync(client, handle, APERTURE, NULL, &out);
	igt_ferry_sync_wait(client, out);
	igt_ferry_bo_check(&bo);
	close(dmabuf);
	close(client);
	igt_ferry_bo_fini(&bo);
	igt_ferry_gate_fini(&gate);
}

/**
 * SUBTEST: swap-full-%s
 * Description: one call takes a BO out of a full aperture and puts another one in its place
 *
 * arg[1].values: wait, sync
 */
static void check_swap(int fd, bool sync)
{
	size_t size = all_room(fd);
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct igt_ferry_bo bo[2];

	bo_init(&bo[0], fd, size, APERTURE);
	bo_init(&bo[1], fd, size, SYSTEM);
	for (int round = 0; round < 4; round++) {
		/* in either order */
		struct drm_ferry_migrate_entry entries[2];

		entries[round / 2] =
			(struct drm_ferry_migrate_entry){ bo[round & 1].handle,
							  SYSTEM };
		entries[!(round / 2)] =
			(struct drm_ferry_migrate_entry){ bo[~round & 1].handle,
							  APERTURE };

		igt_assert_eq(__ferry_migrate_sync(fd, entries, 2, NULL, 0,
						   &out, sync),
			      0);
		for (int i = 0; i < 2; i++)
			igt_assert_eq(ferry_bo_placement(fd, entries[i].handle),
				      entries[i].placement);
		igt_ferry_bo_check(&bo[~round & 1]);
		igt_ferry_bo_check(&bo[round & 1]);
		if (sync)
			igt_ferry_sync_wait(fd, out);
	}
	igt_ferry_bo_fini(&bo[0]);
	igt_ferry_bo_fini(&bo[1]);
}

static void test_swap_full_wait(int fd)
{
	check_swap(fd, false);
}

static void test_swap_full_sync(int fd)
{
	check_swap(fd, true);
}

/**
 * SUBTEST: half-way
 * Description: a call that finds no room in one piece half way leaves every byte, and its out-sync
 */
static void test_half_way(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct drm_ferry_migrate_entry entries[3];
	struct igt_ferry_bo small[2], big;
	unsigned int count, kept = 0;
	uint32_t *handles;
	int err;

	/* every other page of the aperture is free */
	count = igt_ferry_aperture_fill(fd, 16 * PAGE, &handles);
	for (unsigned int i = 0; i < count; i++) {
		if (i & 1)
			gem_close(fd, handles[i]);
		else
			handles[kept++] = handles[i];
	}
	for (int i = 0; i < 2; i++) {
		bo_init(&small[i], fd, 16 * PAGE, SYSTEM);
		entries[2 * i] =
			(struct drm_ferry_migrate_entry){ small[i].handle, APERTURE };
	}
	igt_ferry_bo_init(&big, fd, 32 * PAGE, &igt_ferry_movable_kinds[2]);
	igt_ferry_bo_fill(&big);
	entries[1] = (struct drm_ferry_migrate_entry){ big.handle, APERTURE };

	for (uint32_t outs = 0; outs < 2; outs++) {
		err = __ferry_migrate_sync(fd, entries, 3, NULL, 0, &out, outs);
		igt_assert_eq(err, -ENOSPC);
		igt_assert_eq(igt_ferry_sync_state(fd, out), -EINVAL);
		igt_assert_eq(ferry_bo_placement(fd, big.handle), SYSTEM);
		for (int i = 0; i < 2; i++)
			igt_ferry_bo_check(&small[i]);
		igt_ferry_bo_check(&big);
	}
	igt_ferry_close_all(fd, handles, kept);
	igt_assert_eq(__ferry_migrate_sync(fd, entries, 3, NULL, 0, &out, 1),
		      0);
	igt_ferry_sync_wait(fd, out);
	igt_ferry_bo_check(&big);
	for (int i = 0; i < 2; i++) {
		igt_ferry_bo_check(&small[i]);
		igt_ferry_bo_fini(&small[i]);
	}
	igt_ferry_bo_fini(&big);
}

/**
 * SUBTEST: storm
 * Description: clients send, touch, wait for and push out each other's BOs, and every byte is right
 */
static void test_storm(int fd)
{
	struct counts before = counts_get(fd);

	igt_fork(child, 4)
	{
		int client = igt_ferry_reopen(fd, O_RDWR);
		struct drm_ferry_sync out = igt_ferry_sync_new(client, 1);
		size_t size = ALIGN(igt_ferry_aperture_free(fd) / 12, PAGE);
		struct igt_ferry_bo bo[6];
		struct timespec start = {};
		unsigned int seed = child;

		for (int i = 0; i < 6; i++) {
			igt_ferry_bo_init(&bo[i], client, size,
					  &igt_ferry_movable_kinds[child]);
			igt_ferry_bo_fill(&bo[i]);
		}
		while (igt_seconds_elapsed(&start) < 6) {
			struct igt_ferry_bo *one = &bo[rand_r(&seed) % 6];
			struct drm_ferry_sync in = out;
			int err;

			in.point--;
			err = __ferry_bo_migrate_sync(
				client, one->handle,
				rand_r(&seed) & 1 ? APERTURE : SYSTEM,
				in.point && rand_r(&seed) & 1 ? &in : NULL,
				&out);
			/* contiguous ones may not fit beside the others' */
			if (err)
				igt_assert(err == -ENOSPC && child > 1);
			else
				out.point++;
			one = &bo[rand_r(&seed) % 6];
			if (rand_r(&seed) % 4)
				igt_ferry_bo_check(one);
			else
				igt_ferry_bo_fill(one);
			if (rand_r(&seed) % 8 == 0)
				ferry_bo_wait(client, one->handle);
		}
		for (int i = 0; i < 6; i++)
			igt_ferry_bo_check(&bo[i]);
	}
	igt_waitchildren();
	counts_check(fd, before);
}

/**
 * SUBTEST: unload-with-sync-file
 * Description: the module stays while somebody holds a fence of it, and goes with the last one
 */
static void test_unload(int fd)
{
	struct drm_ferry_sync out = igt_ferry_sync_new(fd, 0);
	struct sync_fence_info info;
	struct igt_ferry_bo bo;
	int file;

	igt_ferry_module_require();
	igt_ferry_module_begin(fd);
	bo_init(&bo, fd, SIZE, SYSTEM);
	ferry_bo_migrate_sync(fd, bo.handle, APERTURE, NULL, &out);
	igt_ferry_sync_wait(fd, out);
	file = igt_ferry_sync_file(fd, out);
	igt_ferry_bo_fini(&bo);
	close(fd);
	igt_assert_eq(igt_ferry_module_unbind(), 0);

	/*
	 * No device is left, but the fence has the driver's name. From Linux
	 * 6.17 on one that is signaled has none.
	 */
	igt_assert(igt_kmod_unload("ferry", 0) != 0);
	igt_assert(igt_kmod_is_loaded("ferry"));
	igt_assert_eq(sync_info(file, &info), 0);
	if (strcmp(info.driver_name, "detached-driver"))
		igt_assert_eq(strcmp(info.driver_name, "ferry"), 0);
	igt_assert_eq(info.status, 1);
	close(file);
	igt_ferry_module_unload();
	igt_ferry_module_start_over();
}

static void run_unbind(struct task *task)
{
	task->err = igt_ferry_module_unbind();
}

/**
 * SUBTEST: unbind-%s
 * Description: a device that is unbound with moves under way keeps all contents, and ends all fences
 *
 * arg[1]:
 *
 * @held:	the bytes wait for an in-sync
 * @busy:	the bytes are being carried
 */
static void check_unbind(int fd, bool held)
{
	enum { BOS = 12 };
	struct drm_ferry_sync in, out = igt_ferry_sync_new(fd, 0);
	struct task task = { .run = run_unbind };
	struct igt_ferry_bo bo[BOS];
	struct igt_ferry_gate gate;
	int file;

	igt_ferry_module_require();
	igt_ferry_module_begin(fd);
	for (int i = 0; i < BOS; i++)
		bo_init(&bo[i], fd, 200 * PAGE, i & 1 ? APERTURE : SYSTEM);
	igt_ferry_gate_init(&gate);
	in = igt_ferry_gate_sync(&gate, fd, 0);
	for (int i = 0; i < BOS; i++)
		ferry_bo_migrate_sync(fd, bo[i].handle, i & 1 ? SYSTEM : APERTURE,
				      held ? &in : NULL, &out);
	file = igt_ferry_sync_file(fd, out);
	if (held) {
		task_held(&task, &gate);
	} else {
		task_start(&task);
		pthread_join(task.thread, NULL);
	}
	igt_assert_eq(task.err, 0);
	igt_assert_eq(sync_fence_wait(file, 60000), 0);
	igt_assert_eq(sync_fence_status(file), 1);
	for (int i = 0; i < BOS; i++) {
		igt_assert_eq(__ferry_bo_migrate_sync(fd, bo[i].handle, APERTURE,
						      NULL, &out),
			      -ENODEV);
		igt_assert_eq(__ferry_bo_wait(fd, bo[i].handle, 0), -ENODEV);
		igt_ferry_bo_check(&bo[i]);
		igt_assert_eq(munmap(bo[i].map, bo[i].size), 0);
	}
	close(file);
	close(fd);
	igt_ferry_gate_fini(&gate);
	igt_ferry_module_restore();
	igt_assert(igt_ferry_module_is_bound());
}

static void test_unbind_held(int fd)
{
	check_unbind(fd, true);
}

static void test_unbind_busy(int fd)
{
	check_unbind(fd, false);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd, const struct igt_ferry_kind *kind);
} kind_tests[] = {
	{ "out", "Out-syncs signal when the bytes are there", test_out },
	{ "touch-at-once",
	  "What is touched right after the call are the right bytes",
	  test_touch_at_once },
};

static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} tests[] = {
	{ "in-binary", "The bytes wait for a binary in-sync", test_in_binary },
	{ "in-timeline", "The bytes wait for a point of a timeline",
	  test_in_timeline },
	{ "in-all", "All in-syncs have to signal", test_in_all },
	{ "in-without-out", "A call with in-syncs only waits for them",
	  test_in_without_out },
	{ "order", "Calls of one file end in order", test_order },
	{ "to-and-fro", "Many moves of the same BOs are queued up",
	  test_to_and_fro },
	{ "touch-waits", "Who reads a BO on its way waits", test_touch_waits },
	{ "write-waits", "Who writes a BO on its way waits", test_write_waits },
	{ "mem-waits", "Who reads /proc/self/mem waits", test_mem_waits },
	{ "mem-write-waits", "Who writes /proc/self/mem waits",
	  test_mem_write_waits },
	{ "ptrace", "A debugger finds the right words", test_ptrace },
	{ "migrate-waits", "A move that is waited for comes after others",
	  test_migrate_waits },
	{ "other-client", "A move waits for one by another client",
	  test_other_client },
	{ "evict-waits", "Who needs the place of a BO on its way waits",
	  test_evict_waits },
	{ "old-place-waits", "The old place is kept until the bytes have left",
	  test_old_place_waits },
	{ "dma-buf", "A dma-buf shows the fence of a move", test_dma_buf },
	{ "dma-buf-fence", "A move waits for other devices' fences",
	  test_dma_buf_fence },
	{ "scanout-waits-up", "A framebuffer on its way up is shown later",
	  test_scanout_waits_up },
	{ "scanout-waits-down", "A framebuffer on its way down is shown later",
	  test_scanout_waits_down },
	{ "close-handle", "A handle is closed while the bytes are on their way",
	  test_close_handle },
	{ "close-file", "A file is closed while bytes are on their way",
	  test_close_file },
	{ "kill", "Of a client that is killed nothing is left", test_kill },
	{ "kill-storm", "Clients are killed at any moment", test_kill_storm },
	{ "error", "The error of an in-sync is passed on", test_error },
	{ "wait", "BO_WAIT looks, gives up at its time, and returns",
	  test_wait },
	{ "wait-interrupted", "A signal ends BO_WAIT, which can be repeated",
	  test_wait_interrupted },
	{ "interrupted", "A call that waits is interrupted without harm",
	  test_interrupted },
	{ "many", "Many BOs of all kinds in one call", test_many },
	{ "nothing-to-move", "A call that moves nothing ends after other work",
	  test_nothing_to_move },
	{ "swap-full-wait", "Two BOs change places in a full aperture",
	  test_swap_full_wait },
	{ "swap-full-sync", "The same with an out-sync", test_swap_full_sync },
	{ "half-way", "A call that fails half way leaves every byte",
	  test_half_way },
	{ "storm", "Clients do all of this against each other", test_storm },
};

/* These take the device away. */
static const struct {
	const char *name;
	const char *describe;
	void (*run)(int fd);
} last_tests[] = {
	{ "unbind-held", "The device is unbound while bytes wait",
	  test_unbind_held },
	{ "unbind-busy", "The device is unbound while bytes are carried",
	  test_unbind_busy },
	{ "unload-with-sync-file",
	  "The module stays while somebody holds a fence of it", test_unload },
};

igt_main
{
	int fd = -1;

	igt_fixture
	{
		fd = igt_ferry_open();
		/* for those who show something */
		drmDropMaster(fd);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(kind_tests); i++) {
		const struct igt_ferry_kind *kind;

		for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
			igt_describe(kind_tests[i].describe);
			igt_subtest_f("%s-%s", kind_tests[i].name, kind->name)
			{
				kind_tests[i].run(igt_ferry_begin(fd), kind);
			}
		}
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			tests[i].run(igt_ferry_begin(fd));
		}
	}

	igt_fixture
	{
		close(fd);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(last_tests); i++) {
		igt_describe(last_tests[i].describe);
		igt_subtest(last_tests[i].name)
		{
			igt_ferry_clean(-1);
			last_tests[i].run(igt_ferry_open());
		}
	}
}
