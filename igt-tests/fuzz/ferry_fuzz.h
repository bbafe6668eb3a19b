/* SPDX-License-Identifier: MIT */
#ifndef FERRY_FUZZ_H
#define FERRY_FUZZ_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A program of the fuzzer is a list of calls of 8 bytes. A file, a handle and the like
 * are named by the number of a slot, whatever is in it: so any bytes are a program, and
 * a part of a program is one as well.
 */
struct call {
	uint8_t op;
	/* the file it is for, or else a number */
	uint8_t a;
	/* slot of the object */
	uint8_t b;
	/* flags, or a second object */
	uint8_t c;
	/* a size, an address, a number of any kind */
	uint32_t v;
};

#define MAX_CALLS 64
#define FILES 4
/* few, so that a call often finds something in the one that it names */
#define SLOTS 8
#define MAPPINGS 8
#define MAPPING_PAGES 2048
#define PAGE 4096ul

/* What a program has, until it ends. */
#define WRITTEN 1ull

struct state {
	/* 0 and 2 are the card (2 is read-only), 1 and 3 the render node; or -1 */
	int files[FILES];
	/* GEM handles of each file */
	uint32_t handles[FILES][SLOTS];
	/* fake offset of a BO, by its handle's slot; 0 if it was not asked for */
	uint64_t offsets[FILES][SLOTS];
	uint32_t syncobjs[FILES][SLOTS];
	uint32_t names[SLOTS];
	uint32_t fbs[SLOTS];
	int fds[SLOTS];
	int pids[SLOTS];
	/*
	 * For each page of a mapping what the BO's page is marked with, or 0; and
	 * WRITTEN, if it was written there
	 */
	uint64_t marks[MAPPINGS][MAPPING_PAGES];
	unsigned int forks;
	bool may_purge;
	bool racing;
};

extern struct state state;
/* number of the device: card0 has 0 */
extern unsigned int minor;
/* where mapping N lives: from here, MAPPING_PAGES each */
extern char *arena;
extern __thread sigjmp_buf *guard;

struct op {
	const char *name;
	/* 0, or the errno */
	int (*run)(const struct call *call);
	/* changes mappings: what their pages hold is not known after a race with it */
	bool maps;
};

extern const struct op ops[];
extern const unsigned int op_count;

/* A number that is more often at some limit than not. */
uint64_t number(uint32_t v);
void wrong(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void find_display(int fd);
void end_children(void);

#endif
