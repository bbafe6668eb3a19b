// SPDX-License-Identifier: MIT
/*
 * Fuzz libdrm_ferry: libFuzzer makes programs of calls, guided by the code of
 * the library that each program reaches, and AddressSanitizer watches the
 * library. A program also fails if a call returns an error that ferry.h does
 * not list for it, if a read does not return what was written, or if
 * descriptors are left when everything is dropped.
 *
 * The programs run on the real driver. igt-tests/fuzz fuzzes the driver itself.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static struct {
	const struct op *op;
	unsigned long calls, good;
} ops[64];
static size_t ops_count;
static unsigned long programs;
/* What the program calls, for messages */
static const char *running = "nothing";

void wrong(const char *what, const char *call, long long value)
{
	fprintf(stderr, "WRONG %s: %s: %s (%lld)\n", running, call, what,
		value);
	abort();
}

bool check_result(const char *call, int result, const int *errors)
{
	/* Of all functions */
	if (result >= 0 || result == -ENOMEM)
		return result >= 0;
	for (; *errors; errors++) {
		if (result == -*errors)
			return false;
	}
	wrong(strerror(-result), call, result);
}

struct ferry_device *device_of(struct state *s, uint8_t number)
{
	struct ferry_device *dev = s->devices[number % DEVICES];

	return dev ? dev : s->devices[0];
}

struct ferry_bo *bo_of(struct state *s, uint8_t number)
{
	for (size_t i = 0; i < BOS; i++) {
		struct ferry_bo *bo = s->bos[(number + i) % BOS];

		if (bo)
			return bo;
	}
	return NULL;
}

void keep_device(struct state *s, uint8_t number, struct ferry_device *dev)
{
	struct ferry_device **slot = &s->devices[1 + number % (DEVICES - 1)];

	ferry_device_del(*slot);
	*slot = dev;
}

void keep_bo(struct state *s, uint8_t number, struct ferry_bo *bo)
{
	struct ferry_bo **slot = &s->bos[number % BOS];

	ferry_bo_del(*slot);
	*slot = bo;
}

void keep_fd(struct state *s, uint8_t number, int fd)
{
	int *slot = &s->fds[number % FDS];

	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

int fd_of(struct state *s, uint8_t number)
{
	const int fds[] = { -1, 12345, STDIN_FILENO,
			    ferry_device_fd(device_of(s, number / 16)) };

	number %= 16;
	if (number < ARRAY_SIZE(fds))
		return fds[number];
	for (size_t i = 0; i < FDS; i++) {
		int fd = s->fds[(number + i) % FDS];

		if (fd >= 0)
			return fd;
	}
	return -1;
}

uint64_t number_near(uint32_t value, uint64_t limit)
{
	const uint64_t near[] = { 0, PAGE, 2 << 20, limit / 2, limit, limit };
	uint32_t kind = value >> 28, rest = value & 0xfffffff;

	if (kind < ARRAY_SIZE(near))
		return near[kind] + (int32_t)(rest % 17) - 8;
	if (kind == ARRAY_SIZE(near))
		return (1ull << rest % 64) - (rest >> 6) % 2;
	if (kind == ARRAY_SIZE(near) + 1)
		return UINT64_MAX - rest % (2 * PAGE);
	if (kind == ARRAY_SIZE(near) + 2)
		return limit ? rest % limit : rest;
	return limit ? rest % (limit / PAGE + 1) * PAGE : rest;
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		abort();
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void begin(struct state *s, uint32_t flags)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < FDS; i++)
		s->fds[i] = -1;
	if (ferry_device_open(flags, &s->devices[0])) {
		fprintf(stderr, "fuzz: there is no ferry device\n");
		exit(2);
	}
	if (ferry_bo_new(s->devices[0], 16 * PAGE, 3, 0, &s->bos[0]))
		wrong("there is no first BO", "ferry_bo_new()", 0);
}

static void drop_all(struct state *s)
{
	ferry_display_del(s->display);
	for (size_t i = 0; i < RANGES; i++) {
		if (s->ranges[i].at)
			munmap(s->ranges[i].at, s->ranges[i].length);
	}
	for (size_t i = 0; i < BOS; i++)
		ferry_bo_del(s->bos[i]);
	for (size_t i = 0; i < FDS; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	}
	for (size_t i = 0; i < DEVICES; i++)
		ferry_device_del(s->devices[i]);
}

static void print_ops(void)
{
	fprintf(stderr,
		"library fuzz: %lu programs; calls, and those that succeeded:\n",
		programs);
	for (size_t i = 0; i < ops_count; i++)
		fprintf(stderr, "library fuzz: %-16s %8lu %8lu\n",
			ops[i].op->name, ops[i].calls, ops[i].good);
}

static void add_ops(const struct op *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ops[ops_count++].op = &more[i];
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/*
 * Change, insert or remove one call most of the time: libFuzzer's own mutations repeat bytes and
 * move calls to other positions, and then most calls are the same.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
			       unsigned int seed)
{
	size_t calls, at = 1;

	if (size < 1 || (seed & 7) == 0)
		return LLVMFuzzerMutate(data, size, most);
	srandom(seed);
	size = 1 + (size - 1) / CALL * CALL;
	calls = size / CALL;
	at += random() % (calls + 1) * CALL;
	if ((seed & 7) == 1 && at < size) {
		memmove(data + at, data + at + CALL, size - at - CALL);
		return size - CALL;
	}
	if (size + CALL <= most && ((seed & 7) > 3 || at == size)) {
		memmove(data + at + CALL, data + at, size - at);
		size += CALL;
	}
	for (size_t i = at; i < at + CALL && i < size; i++)
		data[i] = random() >> 8;
	return size;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	add_ops(bo_ops, bo_ops_count);
	add_ops(copy_ops, copy_ops_count);
	add_ops(device_ops, device_ops_count);
	add_ops(sync_ops, sync_ops_count);
	atexit(print_ops);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t opened[] = { 0, FERRY_OPEN_NO_CACHE,
					   FERRY_OPEN_DISPLAY };
	int fds = count_fds();
	struct state s;

	if (!size)
		return 0;
	programs++;
	begin(&s, opened[data[0] % ARRAY_SIZE(opened)]);
	for (data++, size--; size >= CALL; data += CALL, size -= CALL) {
		struct call call = { data[0], data[1], data[2], data[3], 0 };
		size_t i = call.op % ops_count;

		memcpy(&call.value, data + 4, sizeof(call.value));
		running = ops[i].op->name;
		ops[i].calls++;
		ops[i].good += ops[i].op->run(&s, &call);
	}
	running = "the end";
	drop_all(&s);
	if (count_fds() != fds)
		wrong("descriptors are left", "drop_all()", count_fds() - fds);
	return 0;
}
