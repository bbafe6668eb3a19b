// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "state.h"

/* ---- generating and mutating ---- */

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Make a call that succeeds more often than random bytes: few slots, common numbers. */
static struct call make_call(uint64_t *s)
{
	uint64_t r = splitmix(s);
	struct call call = {
		.op = r % op_count,
		.a = r >> 8 & (r >> 16 & 7 ? 1 : 0xff),
		.b = r >> 24 & (r >> 32 & 7 ? 3 : 0xff),
		.c = r >> 40,
		.v = splitmix(s),
	};

	if (!(r >> 48 & 3))
		call.v |= 0xff000000;
	else if (r >> 48 & 1)
		call.v &= 0xfffff;
	return call;
}

size_t program_make(uint64_t *s, struct call *calls)
{
	size_t n = 0, length = 8 + splitmix(s) % (MAX_CALLS - 8);
	unsigned int i, file = splitmix(s) & 1, bos = 1 + splitmix(s) % 4;

	calls[n++] = (struct call){ .op = op_named("open"), .a = file };
	for (i = 0; i < bos && n + 4 < length; i++) {
		uint64_t r = splitmix(s);
		uint32_t size = r & 1 ? 0xff000000 | (r >> 8 & 0xff) :
					(r >> 8) & 0x7fffff;

		calls[n++] = (struct call){ op_named("create"), file, i,
					    3 | (r >> 32 & 0x60) |
						    (r >> 40 &
						     1) << (3 + (r >> 41 & 1)),
					    size };
		calls[n++] = (struct call){ op_named("offset"), file, i,
					    r >> 48 & 1, 0 };
		calls[n++] = (struct call){ op_named("mmap"), file, i,
					    i | 3 << 3,
					    (uint32_t)(size % 2048) << 11 };
	}
	while (n < length) {
		uint64_t r = splitmix(s);

		calls[n] = make_call(s);
		/* mostly for this file and one of these BOs */
		if (r & 3)
			calls[n].a = (calls[n].a & ~(FILES - 1)) | file;
		if (r & 12)
			calls[n].b = (calls[n].b & ~(SLOTS - 1)) |
				     (r >> 4) % bos;
		n++;
	}
	return n;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void remove_call(struct call *calls, size_t n, size_t at)
{
	memmove(calls + at, calls + at + 1, (n - at - 1) * sizeof(*calls));
}

static void insert_call(struct call *calls, size_t n, size_t at,
			struct call call)
{
	memmove(calls + at + 1, calls + at, (n - at) * sizeof(*calls));
	calls[at] = call;
}

/* Run two calls of the program, @a and @b, at the same time at its end. */
static void append_race(struct call *calls, size_t n, size_t a, size_t b)
{
	calls[n] = (struct call){ .op = op_named("race") };
	calls[n + 1] = calls[a];
	calls[n + 2] = calls[b];
}

/* Mutate @n calls, of which there is room for @room. Return the new number, or 0. */
static size_t mutate(struct call *calls, size_t n, size_t room, uint64_t *s)
{
	unsigned int kind = splitmix(s) % 8;
	size_t at, other;
	struct call call;
	uint8_t op;

	if (n < (kind == 2 || kind == 3 ? 1 : 2))
		return 0;
	at = splitmix(s) % n;
	other = splitmix(s) % n;
	switch (kind) {
	case 0:
		remove_call(calls, n, at);
		return n - 1;
	case 1:
		call = calls[at];
		calls[at] = calls[other];
		calls[other] = call;
		return n;
	case 2:
		LLVMFuzzerMutate((uint8_t *)&calls[at], sizeof(call),
				 sizeof(call));
		return n;
	case 3:
		op = calls[at].op;
		calls[at] = make_call(s);
		calls[at].op = op;
		return n;
	case 4:
		if (n + 3 > room)
			return 0;
		append_race(calls, n, at, other);
		return n + 3;
	default:
		return 0;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	struct call calls[MAX_CALLS];
	size_t n = size / sizeof(*calls), room = max / sizeof(*calls);
	size_t mutated, at;
	uint64_t s = seed;

	if (room > MAX_CALLS)
		room = MAX_CALLS;
	if (n > room)
		n = room;
	memcpy(calls, data, n * sizeof(*calls));
	mutated = mutate(calls, n, room, &s);
	if (!mutated && n == room)
		return LLVMFuzzerMutate(data, n * sizeof(*calls),
					room * sizeof(*calls));
	if (!mutated) {
		at = n ? splitmix(&s) % n : 0;
		insert_call(calls, n, at, make_call(&s));
		mutated = n + 1;
	}
	memcpy(data, calls, mutated * sizeof(*calls));
	return mutated * sizeof(*calls);
}

/* ---- files ---- */

/* A program in text form has no byte that is not printable; a binary one has zeros. */
static bool is_text(const char *data, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if ((data[i] < ' ' || data[i] > '~') && data[i] != '\n' &&
		    data[i] != '\t' && data[i] != '\r')
			return false;
	return size > 0;
}

static int parse_line(const char *line, struct call *call)
{
	char name[64], rest;
	unsigned int v[4];

	if (sscanf(line, "%63s %i %i %i %i %c", name, &v[0], &v[1], &v[2],
		   &v[3], &rest) != 5 ||
	    op_named(name) < 0 || v[0] > 255 || v[1] > 255 || v[2] > 255)
		return -1;
	*call = (struct call){ op_named(name), v[0], v[1], v[2], v[3] };
	return 0;
}

static int parse_text(const char *path, char *text, struct call *calls)
{
	unsigned int number = 0;
	char *line;
	int n = 0;

	while ((line = strsep(&text, "\n"))) {
		number++;
		if (line[0] == '#' || line[strspn(line, " \t\r")] == '\0')
			continue;
		if (n == MAX_CALLS) {
			fprintf(stderr, "%s:%u: more than %u calls\n", path,
				number, MAX_CALLS);
			return -1;
		}
		if (parse_line(line, &calls[n])) {
			fprintf(stderr, "%s:%u: not a call: %s\n", path, number,
				line);
			return -1;
		}
		n++;
	}
	return n;
}

int program_read(const char *path, struct call *calls)
{
	static char data[64 << 10];
	FILE *in = fopen(path, "r");
	size_t size;

	if (!in) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		return -1;
	}
	size = fread(data, 1, sizeof(data) - 1, in);
	if (ferror(in) || !feof(in)) {
		fprintf(stderr, "cannot read %s: %s\n", path,
			ferror(in) ? strerror(errno) : "it is too large");
		fclose(in);
		return -1;
	}
	fclose(in);
	data[size] = '\0';
	if (is_text(data, size))
		return parse_text(path, data, calls);

	size /= sizeof(*calls);
	if (size > MAX_CALLS)
		size = MAX_CALLS;
	memcpy(calls, data, size * sizeof(*calls));
	return size;
}

int program_write(const char *path, const struct call *calls, size_t count)
{
	FILE *out = fopen(path, "w");
	bool written = out &&
		       fwrite(calls, sizeof(*calls), count, out) == count;

	if (out && fclose(out))
		written = false;
	if (!written)
		fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
	return written ? 0 : -1;
}

void program_show(const struct call *calls, size_t count)
{
	size_t i;

	printf("# SPDX-License-Identifier: MIT\n");
	for (i = 0; i < count; i++)
		printf("%s %u %u 0x%x 0x%x\n", ops[calls[i].op % op_count].name,
		       calls[i].a, calls[i].b, calls[i].c, calls[i].v);
}
