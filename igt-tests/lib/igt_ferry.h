/* SPDX-License-Identifier: MIT */
/*
 * What several tests of ferry share: finding the device, its counters, BOs
 * with known contents, and touching memory that may answer with a signal.
 */
#ifndef IGT_FERRY_H
#define IGT_FERRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry_ioctl.h"

/* Short names for what nearly every line of a test has */
#define PAGE FERRY_PAGE_SIZE
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM

/* The device */
bool igt_ferry_is_device(int fd);
bool igt_ferry_is_present(void);
int igt_ferry_open(void);
int igt_ferry_reopen(int fd, int flags);
void igt_ferry_clean(int keep);
int igt_ferry_begin(int keep);
int igt_ferry_open_render(int fd);
void igt_ferry_require_display(int fd);
void igt_ferry_pci_slot(int fd, char *slot, size_t size);

/* debugfs ferry_stats */
void igt_ferry_stats(int fd, const char *const *names, uint64_t *values,
		     unsigned int count);
uint64_t igt_ferry_stat(int fd, const char *name);
void igt_ferry_wait_stat(int fd, const char *name, uint64_t value);
uint64_t igt_ferry_aperture_free(int fd);

/**
 * struct igt_ferry_state - state of the device that a call which fails must not change
 * @moves: the numbers of moves are part of it
 * @text: counters, free aperture and debugfs ferry_bos, as text
 */
struct igt_ferry_state {
	bool moves;
	char text[16384];
};

void igt_ferry_state_get(int fd, struct igt_ferry_state *state, bool moves);
__attribute__((format(printf, 4, 5))) void
igt_ferry_state_check(int fd, const struct igt_ferry_state *before,
		      unsigned int seconds, const char *format, ...);

/**
 * struct igt_ferry_kind - a kind of BO, so that one test runs on each
 * @name: part of the subtest's name
 * @allowed_placements: where it may be
 * @placement: where it starts
 * @caching: of its system pages
 * @flags: DRM_FERRY_BO_*
 */
struct igt_ferry_kind {
	const char *name;
	uint32_t allowed_placements;
	uint32_t placement;
	uint32_t caching;
	uint32_t flags;
};

/* BOs that stay at one placement, and BOs that may be at both; both lists end in a NULL name */
extern const struct igt_ferry_kind igt_ferry_fixed_kinds[];
extern const struct igt_ferry_kind igt_ferry_movable_kinds[];

/**
 * struct igt_ferry_test - a subtest, or one subtest for each of several kinds of BO
 * @name: name of the subtest; a hyphen and the name of the kind follow if there are @kinds
 * @describe: what holds if the subtest passes
 * @run: the subtest, with a new client; not used if there are @kinds
 * @kinds: list of kinds that ends in a NULL name, or NULL
 * @run_kind: the subtest, with a new client and one of @kinds
 */
struct igt_ferry_test {
	const char *name;
	const char *describe;
	void (*run)(int fd);
	const struct igt_ferry_kind *kinds;
	void (*run_kind)(int fd, const struct igt_ferry_kind *kind);
};

/* Runs a table of subtests that ends in a NULL name; @fd is a file that stays open. */
void igt_ferry_run_tests(int fd, const struct igt_ferry_test *tests);

/* The main function of a program whose subtests are all in one table. */
#define igt_ferry_main(tests)                       \
	igt_main                                    \
	{                                           \
		int fd_ = -1;                       \
                                                    \
		igt_fixture fd_ = igt_ferry_open(); \
		igt_ferry_run_tests(fd_, tests);    \
		igt_fixture close(fd_);             \
	}

/**
 * struct igt_ferry_bo - a BO with known contents
 * @fd: device file it belongs to
 * @handle: its handle
 * @size: bytes
 * @map: whole mapping, or NULL
 * @id: number that marks its contents
 * @gen: generation of its contents, 0 for all zero
 */
struct igt_ferry_bo {
	int fd;
	uint32_t handle;
	size_t size;
	void *map;
	uint32_t id;
	uint32_t gen;
};

int __igt_ferry_bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
			const struct igt_ferry_kind *kind);
void igt_ferry_bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
		       const struct igt_ferry_kind *kind);
void igt_ferry_bo_fini(struct igt_ferry_bo *bo);
void igt_ferry_bo_fill(struct igt_ferry_bo *bo);
void igt_ferry_bo_check(const struct igt_ferry_bo *bo);
void igt_ferry_drop_caches(void);
void igt_ferry_bo_purge(struct igt_ferry_bo *bo);

/* Contents: every 8 bytes name the BO, the generation, the page and the word */
void igt_ferry_fill(void *map, size_t first_page, size_t pages, uint32_t id,
		    uint32_t gen);
bool __igt_ferry_check(const void *map, size_t first_page, size_t pages,
		       uint32_t id, uint32_t gen, char *text, size_t len);
void igt_ferry_check(const void *map, size_t first_page, size_t pages,
		     uint32_t id, uint32_t gen);
void igt_ferry_check_zero(const void *map, size_t size);

/* Memory that may answer with a signal. Main thread only. */
int igt_ferry_read_signal(const volatile void *p);
int igt_ferry_write_signal(volatile void *p, uint8_t value);
void igt_ferry_touch(const void *map, size_t size);

/* /proc */
long igt_ferry_field(const char *path, const char *field);
void igt_ferry_smaps(const void *map, const char *field, char *value,
		     size_t size);

/* Signals that interrupt whatever waits */
void igt_ferry_alarm_storm(long microseconds);

/* Fill the aperture with BOs that cannot leave it */
unsigned int igt_ferry_aperture_fill(int fd, size_t size, uint32_t **handles);
void igt_ferry_close_all(int fd, uint32_t *handles, unsigned int count);

/* May this machine sleep? If not, the reason names the one that may. */
#define IGT_FERRY_SLEEPER                                              \
	"vm/run --sleep --swap 2G --memory 1G --device bochs-display " \
	"--device ivshmem-plain,size=16M"
void igt_ferry_require_sleep(void);

/* The kernel log from now on */
int igt_ferry_kmsg_open(void);
bool igt_ferry_kmsg_has(int kmsg, const char *text);

#endif /* IGT_FERRY_H */
