/* SPDX-License-Identifier: MIT */
/* Programs that have a device open. */
#ifndef CLIENT_H_
#define CLIENT_H_

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

struct client {
	int pid;
	char name[32];
	/** @id: number of the open file; a program may have several */
	uint64_t id;
	/** @primary: it has opened the primary node, which controls the screen */
	bool primary;
	/* bytes, as in fdinfo */
	uint64_t system, aperture, kept, copy_ns;
};

struct client_list {
	struct client *at;
	unsigned int count;
	/** @hidden: processes whose files the user may not see */
	unsigned int hidden;
};

/* Find the open files of the device's nodes; each once, although processes may share it. */
void client_get_all(const struct device *dev, struct client_list *list);
void client_free(struct client_list *list);

#endif /* CLIENT_H_ */
