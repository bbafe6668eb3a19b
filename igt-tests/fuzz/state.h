/* SPDX-License-Identifier: MIT */
/* The state of the program that runs now, and the device under test. */
#ifndef FERRY_FUZZ_STATE_H
#define FERRY_FUZZ_STATE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#define FILES 4
/* Few, so that a call often finds an object in the slot that it names. */
#define SLOTS 8
#define MAPPINGS 8
#define MAPPING_PAGES 2048
#define PAGE 4096ul
#define MAPPING_SIZE (MAPPING_PAGES * PAGE)

/* Flag of a mark: the program has written the page. */
#define WRITTEN 1ull

/* The objects of one program; reset when the next program begins. */
struct state {
	/*
	 * 0 and 2 are the card (2 is read-only), 1 and 3 the render node, or the card if
	 * there is none; or -1
	 */
	int files[FILES];
	/* GEM handles of each file */
	uint32_t handles[FILES][SLOTS];
	/* fake offset of a BO, by the slot of its handle; 0 if not queried yet */
	uint64_t offsets[FILES][SLOTS];
	uint32_t syncobjs[FILES][SLOTS];
	uint32_t names[SLOTS];
	uint32_t fbs[SLOTS];
	int fds[SLOTS];
	int pids[SLOTS];
	/*
	 * For each page of a mapping: the mark that a write stores in the page (the
	 * page's fake offset), or 0 if the BO is unknown; and WRITTEN
	 */
	uint64_t marks[MAPPINGS][MAPPING_PAGES];
	unsigned int forks;
	/* a BO was marked DONTNEED: SIGBUS is allowed */
	bool may_purge;
	/* the device was unbound: calls fail with ENODEV */
	bool unbound;
	/* two calls run at the same time: contents are not checked */
	bool racing;
};

extern struct state state;
/* Minor number of the device: 0 for card0 */
extern unsigned int minor;
/* Address of mapping 0; each mapping has MAPPING_PAGES pages. */
extern char *arena;
/* Where to continue after SIGSEGV or SIGBUS, or NULL */
extern __thread sigjmp_buf *guard;
/* Set in a process that a program forked */
extern bool in_child;

/*
 * Open the card of the first device that ferry drives, and set @minor. Return -1 and set errno if
 * there is none.
 */
int state_open_card(void);
/* Open the render node, or the card if there is none, and never as the master. */
int state_open_render(int flags);
/* Unbind the device from ferry. Return 0 or the errno. */
int state_unbind(void);
/* Bind it again, when no file of it is open. */
void state_bind(void);
/* Reserve the address space of all mappings. Return false and set errno on failure. */
bool state_map_arena(void);
/* Empty the state and the address space of the mappings, before a program runs. */
void state_begin(void);
/* Close and unmap what the program has left, except for its child processes. */
void state_end(void);

/* Report a failure of the driver and end the process. */
void wrong(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif
