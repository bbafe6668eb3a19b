/* SPDX-License-Identifier: MIT */
/*
 * Pictures of the screen, from the host of the virtual machine, and memory of other clients
 * that must not be on them.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdlib.h>
#include <string.h>

#include "igt.h"

#include "igt_ferry.h"

#define SCREEN_BO_SIZE (1ul << 20)
#define SCREEN_BOS_MAX 256

/**
 * struct screen_bos - BOs of another client that fill the aperture
 * @bo: the BOs
 * @count: number of BOs
 */
struct screen_bos {
	struct igt_ferry_bo bo[SCREEN_BOS_MAX];
	unsigned int count;
};

static struct screen_bos screen_others;

/* Skip if no picture of the screen can be taken. */
static inline void screen_require(void)
{
	igt_require_f(!system("command -v vm-host > /dev/null"),
		      "no picture of the screen: run this in vm/run\n");
}

/* Get the checksum of the picture on the screen. */
static inline void screen_picture(char *sum, size_t size)
{
	FILE *host = popen("vm-host picture", "r");

	igt_assert(host);
	igt_assert(fgets(sum, size, host));
	igt_assert_eq(pclose(host), 0);
	igt_assert_lt(10, (int)strlen(sum));
}

/* Fill the aperture with BOs of @fd whose words are all @word. */
static inline void screen_fill_others(int fd, uint32_t word)
{
	struct screen_bos *others = &screen_others;
	struct drm_ferry_device_query device;

	ferry_device_query(fd, &device);
	while (others->count < device.aperture_size / SCREEN_BO_SIZE + 1) {
		igt_assert_lt(others->count, SCREEN_BOS_MAX);
		igt_ferry_bo_init(&others->bo[others->count++], fd,
				  SCREEN_BO_SIZE, igt_ferry_movable_kinds);
	}
	for (unsigned int i = 0; i < others->count; i++) {
		uint32_t *words = others->bo[i].map;
		int err =
			__ferry_bo_migrate(fd, others->bo[i].handle, APERTURE);

		/* framebuffers and the driver itself occupy a part */
		igt_assert(!err || err == -ENOSPC);
		for (size_t n = 0; n < SCREEN_BO_SIZE / sizeof(*words); n++)
			words[n] = word;
	}
}

static inline void screen_free_others(void)
{
	while (screen_others.count)
		igt_ferry_bo_fini(&screen_others.bo[--screen_others.count]);
}

/* The screen must not change when memory of another client, @fd, does. */
static inline void screen_check_hidden(int fd, const char *what)
{
	char first[128], now[128];

	screen_others.count = 0;
	screen_fill_others(fd, 0xff00ff);
	screen_picture(first, sizeof(first));
	screen_fill_others(fd, 0xffff00);
	screen_picture(now, sizeof(now));
	screen_free_others();
	igt_assert_f(!strcmp(first, now),
		     "%s: the screen shows memory of another client\n", what);
}

#endif /* SCREEN_H */
