/* SPDX-License-Identifier: MIT */
/*
 * Helpers for all test programs of ferry: the device and its counters, tables of
 * subtests, BOs with known contents, and accesses that may raise a signal.
 */
#ifndef IGT_FERRY_H
#define IGT_FERRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry_ioctl.h"

/* Short names for the constants that nearly every test uses */
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
unsigned int igt_ferry_slower(void);
int igt_ferry_open_render(int fd);
int igt_ferry_open_driver(const char *driver, int except);
void igt_ferry_require_display(int fd);
void igt_ferry_pci_slot(int fd, char *slot, size_t size);

/* debugfs ferry_stats */
void igt_ferry_stats(int fd, const char *const *names, uint64_t *values,
		     unsigned int count);
uint64_t igt_ferry_stat(int fd, const char *name);
void igt_ferry_wait_stat(int fd, const char *name, uint64_t value);
uint64_t igt_ferry_aperture_free(int fd);

/**
 * struct igt_ferry_bar - the BAR whose memory is the aperture, from debugfs ferry_aperture
 * @number: number of the BAR
 * @base: its physical address
 * @size: its size in bytes
 */
struct igt_ferry_bar {
	int number;
	uint64_t base;
	uint64_t size;
};

void igt_ferry_bar_get(int fd, struct igt_ferry_bar *bar);

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
 * struct igt_ferry_kind - arguments of BO_CREATE, to run one test on BOs of several kinds
 * @name: end of the subtest's name
 * @allowed_placements: DRM_FERRY_PLACEMENT_*
 * @placement: initial placement, or 0
 * @caching: DRM_FERRY_CACHING_* of the system pages
 * @flags: DRM_FERRY_BO_*
 */
struct igt_ferry_kind {
	const char *name;
	uint32_t allowed_placements;
	uint32_t placement;
	uint32_t caching;
	uint32_t flags;
};

/* BOs with one allowed placement, and BOs with both; each list ends in a NULL name */
extern const struct igt_ferry_kind igt_ferry_single_kinds[];
extern const struct igt_ferry_kind igt_ferry_movable_kinds[];

/**
 * struct igt_ferry_test - a subtest, or one subtest for each of several kinds of BO
 * @name: name of the subtest; a hyphen and the name of the kind follow if there are @kinds
 * @describe: what holds if the subtest passes
 * @run: the subtest, with a new client; not used if there are @kinds
 * @kinds: list of kinds that ends in a NULL name, or NULL
 * @run_kind: the subtest, with a new client and one of @kinds
 * @run_pages: instead of @run_kind: the same with a size in pages
 * @pages: the size for @run_pages
 * @huge_pages: size for a second subtest, whose name has "-huge" before the kind; 0 for none
 */
struct igt_ferry_test {
	const char *name;
	const char *describe;
	void (*run)(int fd);
	const struct igt_ferry_kind *kinds;
	void (*run_kind)(int fd, const struct igt_ferry_kind *kind);
	void (*run_pages)(int fd, const struct igt_ferry_kind *kind,
			  size_t pages);
	size_t pages;
	size_t huge_pages;
};

void __igt_ferry_run_tests(const struct igt_ferry_test *tests,
			   int (*begin)(int keep), int keep);
void igt_ferry_run_tests(int fd, const struct igt_ferry_test *tests);

/* Define the main function of a program whose subtests are all in one table. */
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
 * @fd: device file of @handle
 * @handle: GEM handle
 * @size: size in bytes
 * @map: mapping of the whole BO, or NULL
 * @id: number in the contents that tells this BO from others
 * @gen: generation of the contents; 0: all bytes are zero
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
uint32_t igt_ferry_import(int fd, int prime);
void igt_ferry_drop_caches(void);
void igt_ferry_bo_purge(struct igt_ferry_bo *bo);

/* Contents: each word of 8 bytes has the numbers of BO, generation, page and word */
void igt_ferry_fill(void *map, size_t first_page, size_t pages, uint32_t id,
		    uint32_t gen);
bool __igt_ferry_check(const void *map, size_t first_page, size_t pages,
		       uint32_t id, uint32_t gen, char *text, size_t len);
void igt_ferry_check(const void *map, size_t first_page, size_t pages,
		     uint32_t id, uint32_t gen);
void igt_ferry_check_zero(const void *map, size_t size);

/* Accesses that may raise a signal; in the main thread only */
int igt_ferry_read_signal(const volatile void *p);
int igt_ferry_write_signal(volatile void *p, uint8_t value);
void igt_ferry_access(const void *map, size_t size);

/* mmap() must fail with @err. */
void igt_ferry_mmap_refused(int fd, uint64_t offset, size_t size, int prot,
			    int flags, int err);

/* /proc */
long igt_ferry_field(const char *path, const char *field);
void igt_ferry_smaps(const void *map, const char *field, char *value,
		     size_t size);

/* Signals that interrupt the system calls of this process */
void igt_ferry_alarm_storm(long microseconds);

/* Fill the aperture with BOs for which no other placement is allowed */
unsigned int igt_ferry_aperture_fill(int fd, size_t size, uint32_t **handles);
void igt_ferry_close_all(int fd, uint32_t *handles, unsigned int count);

/* Options of a virtual machine that can be suspended */
#define IGT_FERRY_SLEEP_VM                                             \
	"vm/run --sleep --swap 2G --memory 1G --device bochs-display " \
	"--device ivshmem-plain,size=16M"
void igt_ferry_require_sleep(void);

/* The kernel log, from the call of igt_ferry_kmsg_open() on */
int igt_ferry_kmsg_open(void);
bool igt_ferry_kmsg_has(int kmsg, const char *text);

#endif /* IGT_FERRY_H */
