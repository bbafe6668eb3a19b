/* SPDX-License-Identifier: MIT */
/* What the tests share: checks that end the program, and a pattern for bytes. */
#ifndef CHECK_H_
#define CHECK_H_

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdrm_ferry/ferry.h>

/* What a test program exits with when it could not run. */
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

/* The integer must have the value. */
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

/* The call must return 0; says which errno it was if not. */
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

/* Runs one test function of the program and says so. */
#define RUN(test, ...)                    \
	do {                              \
		test(__VA_ARGS__);        \
		printf("ok %s\n", #test); \
		fflush(stdout);           \
	} while (0)

struct ferry_device *open_or_skip(void);
struct ferry_bo *new_bo(struct ferry_device *dev, uint64_t size,
			uint32_t flags);
void *map_bo(struct ferry_bo *bo);
uint32_t placement_of(struct ferry_bo *bo);
int count_fds(void);
bool is_mapped(const void *address);

void fill(void *map, uint64_t size, uint64_t seed);
void check_filled(const void *map, uint64_t size, uint64_t seed);
void check_zero(const void *map, uint64_t size);

#endif /* CHECK_H_ */
