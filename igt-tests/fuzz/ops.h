/* SPDX-License-Identifier: MIT */
/* The calls that a program consists of: everything that a client of ferry can do. */
#ifndef FERRY_FUZZ_OPS_H
#define FERRY_FUZZ_OPS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A program is a list of calls of 8 bytes. A call names files, handles and other
 * objects by the number of a slot, whatever the slot holds. So any bytes are a
 * program, and any part of a program is a program too.
 */
struct call {
	uint8_t op;
	/* number of a file in the lowest two bits, flags above */
	uint8_t a;
	/* slot of the object */
	uint8_t b;
	/* flags, or a second object */
	uint8_t c;
	/* a size, an address or another number */
	uint32_t v;
};

#define MAX_CALLS 64

struct op {
	const char *name;
	/* Returns 0 or a positive errno. NULL: run the next two calls at the same time. */
	int (*run)(const struct call *call);
	/* changes mappings: after a race with it the contents of pages are unknown */
	bool maps;
};

extern const struct op ops[];
extern const unsigned int op_count;

/* Return the index of an operation, or -1 if there is none with this name. */
int op_named(const char *name);
/* Look up the connector, CRTC, plane and mode that the KMS calls use. */
void ops_find_display(int fd);
/* Kill the child processes that the program has left. */
void ops_end_children(void);

#endif
