// SPDX-License-Identifier: MIT
/**
 * TEST: ferry handle
 * Category: Core
 * Description: Handles of BOs, and what is freed when they, their file or their process go
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "small_memory.h"

IGT_TEST_DESCRIPTION(
	"Handles of BOs, and what is freed when they, their file or their process go");

#define KiB(n) ((n)*1024ull)

/**
 * SUBTEST: handle-lifecycle
 * Description: a handle is valid from BO_CREATE to GEM_CLOSE, in its own file only
 */
static void test_handle_lifecycle(int fd)
{
	int other = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_bo_query q;
	uint64_t offset;
	uint32_t handle;

	for (int i = 0; i < 10; i++) {
		handle = ferry_bo_create(fd, 4096, FERRY_PLACEMENT_BOTH, 0, 0,
					 0);
		igt_assert_eq(__ferry_bo_query(other, handle, &q), -ENOENT);
		igt_assert_eq(__ferry_bo_close(other, handle), -EINVAL);
		ferry_bo_query(fd, handle, &q);

		igt_assert_eq(__ferry_bo_close(fd, handle), 0);
		igt_assert_eq(__ferry_bo_close(fd, handle), -EINVAL);
		igt_assert_eq(__ferry_bo_query(fd, handle, &q), -ENOENT);
		igt_assert_eq(__ferry_bo_mmap_offset(fd, handle, &offset),
			      -ENOENT);
		igt_assert_eq(__ferry_bo_migrate(fd, handle, APERTURE),
			      -ENOENT);
	}
	close(other);
}

/**
 * SUBTEST: close-frees
 * Description: closing the device file frees its BOs and their memory in the aperture
 */
static void test_close_frees(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	int client = igt_ferry_reopen(fd, O_RDWR);

	for (int i = 0; i < 64; i++)
		ferry_bo_create(client, KiB(16), FERRY_PLACEMENT_BOTH,
				i & 1 ? APERTURE : SYSTEM, 0, 0);
	igt_assert_eq_u64(igt_ferry_stat(fd, "bos"), bos + 64);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room - 32 * KiB(16));
	close(client);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/* Create, map, write, move and close BOs until the process is killed. */
static void busy_client(int fd)
{
	const struct igt_ferry_kind *kind = igt_ferry_movable_kinds;
	int client = igt_ferry_reopen(fd, O_RDWR);
	struct igt_ferry_bo bo[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_init(&bo[i], client, KiB(256), kind);
	for (unsigned int i = 0;; i = (i + 1) % ARRAY_SIZE(bo)) {
		igt_ferry_bo_fill(&bo[i]);
		ferry_bo_migrate(client, bo[i].handle, APERTURE);
		igt_ferry_bo_check(&bo[i]);
		igt_ferry_bo_fini(&bo[i]);
		igt_ferry_bo_init(&bo[i], client, KiB(256), kind);
	}
}

/**
 * SUBTEST: kill-frees
 * Description: a client that is killed while it uses BOs leaves no BO and no memory in use
 */
static void test_kill_frees(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		int status;

		igt_assert_lte(0, pid);
		if (!pid) {
			busy_client(fd);
			_exit(1);
		}
		usleep(50000 + i * 23456);
		igt_assert_eq(kill(pid, SIGKILL), 0);
		igt_assert_eq(waitpid(pid, &status, 0), pid);
		igt_assert_f(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
			     "the client ended by itself: status %#x\n",
			     status);
	}
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

struct guesser {
	int fd;
	volatile uint32_t next;
	volatile bool stop;
	unsigned long tries;
	unsigned long hits;
};

static void *close_guessed(void *arg)
{
	struct guesser *g = arg;

	while (!g->stop) {
		struct drm_gem_close args = { .handle = g->next };

		g->tries++;
		if (drmIoctl(g->fd, DRM_IOCTL_GEM_CLOSE, &args) == 0)
			g->hits++;
	}
	return NULL;
}

/**
 * SUBTEST: create-close-guess-%s
 * Description: a thread that closes the next handle before BO_CREATE has returned does no harm
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_create_close_guess(int fd, const struct igt_ferry_kind *kind)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	struct guesser g = { .fd = igt_ferry_reopen(fd, O_RDWR), .next = 1 };
	unsigned long created = 0, late = 0;
	struct timespec start = {};
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, close_guessed, &g), 0);
	while (igt_seconds_elapsed(&start) < 2) {
		uint32_t handle = ferry_bo_create(g.fd, 4096,
						  kind->allowed_placements,
						  kind->placement,
						  kind->caching, kind->flags);
		int err;

		created++;
		g.next = handle;
		err = __ferry_bo_close(g.fd, handle);
		igt_assert(!err || err == -EINVAL);
		if (err)
			late++;
	}
	g.stop = true;
	pthread_join(thread, NULL);
	igt_info("%lu created, %lu guesses, %lu closed by the guess\n", created,
		 g.tries, late);
	igt_assert(g.hits >= late);

	/* no BO is left, and none was freed twice */
	close(g.fd);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

/**
 * SUBTEST: handle-not-told
 * Description: a BO whose handle could not be copied to user space is complete, is freed with its file, and is not visible to other files
 */
static void test_handle_not_told(int fd)
{
	uint64_t bos = igt_ferry_stat(fd, "bos"),
		 room = igt_ferry_aperture_free(fd);
	int own = igt_ferry_reopen(fd, O_RDWR),
	    other = igt_ferry_reopen(fd, O_RDWR);
	struct drm_ferry_bo_create *args;
	struct drm_ferry_bo_query query;
	unsigned int found = 0;

	args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(args != MAP_FAILED);
	args->size = 3 * 4096;
	args->allowed_placements = FERRY_PLACEMENT_BOTH;
	args->placement = APERTURE;
	igt_assert_eq(mprotect(args, 4096, PROT_READ), 0);
	for (int i = 0; i < 20; i++)
		igt_assert_eq(__ferry_ioctl(own, DRM_IOCTL_FERRY_BO_CREATE,
					    args),
			      -EFAULT);
	munmap(args, 4096);

	for (uint32_t handle = 1; handle < 64; handle++) {
		int err = __ferry_bo_query(own, handle, &query);

		igt_assert(!err || err == -ENOENT);
		igt_assert_eq(__ferry_bo_query(other, handle, &query), -ENOENT);
		if (err)
			continue;
		found++;
		igt_assert(!__ferry_bo_query(own, handle, &query));
		igt_assert_eq_u64(query.size, 3 * 4096);
		/* close half of the handles here, the others with the file */
		if (handle & 1)
			igt_assert_eq(__ferry_bo_close(own, handle), 0);
	}
	igt_info("%u of 20 handles are valid\n", found);
	close(own);
	close(other);
	igt_ferry_wait_stat(fd, "bos", bos);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), room);
}

struct offset_guesser {
	int fd;
	size_t size;
	uint64_t offset;
	volatile pid_t tid;
	volatile bool stop;
	volatile unsigned long hits;
	unsigned long guesses;
	int err;
};

static void *offset_guesser_thread(void *arg)
{
	struct offset_guesser *guesser = arg;

	guesser->tid = syscall(SYS_gettid);
	while (!guesser->stop) {
		if (mmap(NULL, guesser->size, PROT_READ, MAP_SHARED,
			 guesser->fd, guesser->offset) != MAP_FAILED)
			guesser->err = EEXIST;
		else if (errno == EACCES)
			guesser->hits++;
		else if (errno != EINVAL)
			guesser->err = errno;
		guesser->guesses++;
	}
	return NULL;
}

/**
 * SUBTEST: guessed-offset
 * Description: a client that guesses the fake offset of a BO finds it from its first handle on: before that its creation may still fail
 *
 * If the kernel detects that freed memory was changed, as the sanitizer kernel does, or any one
 * with slub_debug=FZP, a reference to a BO whose creation has failed is a splat.
 */
static void test_guessed_offset(int fd)
{
	struct offset_guesser guesser = { .size = 4 << 20 };
	pthread_t thread;
	uint32_t handle;

	igt_ferry_module_begin(fd);
	guesser.fd = igt_ferry_reopen(fd, O_RDWR);
	/* the next BO of the same size has the same offset */
	handle = ferry_bo_create(fd, guesser.size, SYSTEM, 0, 0, 0);
	guesser.offset = ferry_bo_mmap_offset(fd, handle);
	gem_close(fd, handle);
	/* there is no memory for its page array, which is allocated after the offset */
	set_limit(0);
	igt_assert_eq(pthread_create(&thread, NULL, offset_guesser_thread,
				     &guesser),
		      0);
	while (!guesser.tid)
		usleep(1000);
	/* the driver checks in mmap() whether the client has a handle */
	igt_ferry_break_delay("drm_vma_node_is_allowed", 50, guesser.tid, 20);
	for (int i = 0; i < 5000 && guesser.hits < 20; i++)
		igt_assert_eq(__ferry_bo_create(fd, guesser.size, SYSTEM, 0, 0,
						0, &handle),
			      -ENOMEM);
	guesser.stop = true;
	pthread_join(thread, NULL);
	igt_ferry_break_unload();
	set_limit(75);
	igt_info("%lu of %lu guesses found a BO that was being created\n",
		 guesser.hits, guesser.guesses);
	igt_assert_eq(guesser.err, 0);
	igt_assert_lt_u64(0, guesser.hits);
	close(guesser.fd);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "handle-lifecycle",
	  "a handle is valid from BO_CREATE to GEM_CLOSE, in its own file only",
	  test_handle_lifecycle },
	{ "close-frees",
	  "closing the device file frees its BOs and their memory in the aperture",
	  test_close_frees },
	{ "kill-frees",
	  "a client that is killed while it uses BOs leaves no BO and no memory in use",
	  test_kill_frees },
	{ "create-close-guess",
	  "a thread that closes the next handle before BO_CREATE has returned does no harm",
	  .kinds = igt_ferry_single_kinds,
	  .run_kind = test_create_close_guess },
	{ "handle-not-told",
	  "a BO whose handle could not be copied to user space is complete, is freed with its file, and is not visible to other files",
	  test_handle_not_told },
	{ "guessed-offset",
	  "a client that guesses the fake offset of a BO finds it from its first handle on: before that its creation may still fail",
	  test_guessed_offset },
	{}
};

igt_ferry_main(tests);
