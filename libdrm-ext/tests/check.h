/* SPDX-License-Identifier: MIT */
/* Common to all tests: checks that end the program, helpers for BOs, a data pattern. */
#ifndef CHECK_H_
#define CHECK_H_

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdrm_ferry/ferry.h>

/* Exit status of a test program that cannot run here. */
#define EXIT_SKIP 77

#define PAGE 4096u
#define SYSTEM DRM_FERRY_PLACEMENT_SYSTEM
#define APERTURE DRM_FERRY_PLACEMENT_APERTURE
#define ANYWHERE (SYSTEM | APERTURE)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The condition must hold. */
#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			fprintf(stderr, "FAIL %s:%d: %s\n", __FILE__, \
				__LINE__, #condition);                \
			exit(1);                                      \
		}                                                     \
	} while (0)

/* The integer expression must have the value. */
#define CHECK_EQ(expression, value)                                           \
	do {                                                                  \
		long long is_ = (long long)(expression);                      \
		long long want_ = (long long)(value);                         \
                                                                              \
		if (is_ != want_) {                                           \
			fprintf(stderr,                                       \
				"FAIL %s:%d: %s is %lld, expected %lld\n",    \
				__FILE__, __LINE__, #expression, is_, want_); \
			exit(1);                                              \
		}                                                             \
	} while (0)

/* The call must return 0, and not a negative errno. */
#define CHECK_OK(call)                                                         \
	do {                                                                   \
		int err_ = (call);                                             \
                                                                               \
		if (err_) {                                                    \
			fprintf(stderr, "FAIL %s:%d: %s: %s (%d)\n", __FILE__, \
				__LINE__, #call, strerror(-err_), err_);       \
			exit(1);                                               \
		}                                                              \
	} while (0)

/* Run one test function of the program and print its name. */
#define RUN(test, ...)                    \
	do {                              \
		test(__VA_ARGS__);        \
		printf("ok %s\n", #test); \
		fflush(stdout);           \
	} while (0)

/**
 * open_or_skip() - open the first ferry device, or end the program as skipped
 *
 * Returns: the device, one reference. A device that is bound to the driver and cannot be
 * opened is a failure.
 */
struct ferry_device *open_or_skip(void);
struct ferry_bo *new_bo(struct ferry_device *dev, uint64_t size,
			uint32_t flags);
void *map_bo(struct ferry_bo *bo);
uint32_t placement_of(struct ferry_bo *bo);

/* The rest is in check-base.c and does not need the library. */

/* Whether a PCI device is bound to the driver. */
bool device_is_bound(void);
/* Number of open file descriptors plus a constant. */
int count_fds(void);
/* Whether a mapping covers the page at @address. */
bool is_mapped(const void *address);

void fill(void *map, uint64_t size, uint64_t seed);
void check_filled(const void *map, uint64_t size, uint64_t seed);
void check_zero(const void *map, uint64_t size);

#endif /* CHECK_H_ */
