/* SPDX-License-Identifier: MIT */
/* The fuzzer of libdrm_ferry: what a program of calls has, and the calls. See
 * fuzz.c. */
#ifndef FUZZ_H_
#define FUZZ_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libdrm_ferry/ferry.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE 4096u
/* A larger BO is dropped at once: the program has several, and touches them. */
#define LARGEST_BO (16u << 20)
/* A copy touches at most this many bytes. */
#define LARGEST_COPY (1u << 20)

#define DEVICES 3
#define BOS 8
#define FDS 6
#define RANGES 4
#define SYNCS 2

/* Bytes of a call in the input */
#define CALL 8

/* One call. The function of each call says what its arguments mean. */
struct call {
	uint8_t op, a, b, c;
	uint32_t value;
};

/*
 * What the program has. Each slot owns one reference, descriptor or mapping, or
 * is NULL or -1. The first device always exists.
 */
struct state {
	struct ferry_device *devices[DEVICES];
	struct ferry_bo *bos[BOS];
	struct ferry_display *display;
	int fds[FDS];
	struct {
		void *at;
		size_t length;
	} ranges[RANGES];
	uint32_t syncs[SYNCS];
};

/* A call of the library by the program. Returns whether it succeeded. */
struct op {
	const char *name;
	bool (*run)(struct state *s, const struct call *call);
};

extern const struct op bo_ops[], copy_ops[], device_ops[], sync_ops[];
extern const size_t bo_ops_count, copy_ops_count, device_ops_count,
	sync_ops_count;

/*
 * The result must be 0, a descriptor, or one of the errors that ferry.h lists
 * for the call. Returns whether the call succeeded.
 */
bool check_result(const char *call, int result, const int *errors);
#define EXPECT(call, ...) \
	check_result(#call, call, (const int[]){ __VA_ARGS__, 0 })

/* Something is wrong with the library: print it and end the process. */
_Noreturn void wrong(const char *what, const char *call, long long value);

struct ferry_device *device_of(struct state *s, uint8_t number);
/* The BO of the slot, or of the next one that has one. Returns NULL if there is none. */
struct ferry_bo *bo_of(struct state *s, uint8_t number);
/* The slots own these from now on; what they had before is dropped. */
void keep_device(struct state *s, uint8_t number, struct ferry_device *dev);
void keep_bo(struct state *s, uint8_t number, struct ferry_bo *bo);
void keep_fd(struct state *s, uint8_t number, int fd);
/* A descriptor of a slot or a device, or one that is wrong. */
int fd_of(struct state *s, uint8_t number);
/* A number near to those where something changes: 0, pages, @limit, powers of
 * two, the largest. */
uint64_t number_near(uint32_t value, uint64_t limit);

#endif /* FUZZ_H_ */
