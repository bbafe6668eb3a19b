// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm.h>
#include "state.h"

#define ARENA_SIZE (MAPPINGS * MAPPING_SIZE)
#define HUGE_PAGE (2ul << 20)

struct state state;
unsigned int minor;
char *arena;
__thread sigjmp_buf *guard;
bool in_child;

int state_open_render(int flags)
{
	char path[64];
	glob_t nodes;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/class/drm/card%u/device/drm/renderD*", minor);
	if (glob(path, 0, NULL, &nodes)) {
		snprintf(path, sizeof(path), "/dev/dri/card%u", minor);
	} else {
		snprintf(path, sizeof(path), "/dev/dri/%s",
			 strrchr(nodes.gl_pathv[0], '/') + 1);
		globfree(&nodes);
	}
	fd = open(path, flags);
	if (fd >= 0)
		ioctl(fd, DRM_IOCTL_DROP_MASTER, NULL);
	return fd;
}

static void *map_nothing(void *at, size_t size, int flags)
{
	return mmap(at, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

bool state_map_arena(void)
{
	arena = map_nothing(NULL, ARENA_SIZE + 2 * HUGE_PAGE, 0);
	if (arena == MAP_FAILED)
		return false;

	/* a multiple of 2 MiB, behind memory that cannot be accessed */
	arena = (char *)(((uintptr_t)arena + 2 * HUGE_PAGE - 1) &
			 ~(HUGE_PAGE - 1));
	return true;
}

void state_begin(void)
{
	unsigned int i;

	memset(&state, 0, sizeof(state));
	for (i = 0; i < FILES; i++)
		state.files[i] = -1;
	for (i = 0; i < SLOTS; i++)
		state.fds[i] = -1;
	if (map_nothing(arena, ARENA_SIZE, MAP_FIXED) == MAP_FAILED)
		wrong("no address space: %s", strerror(errno));
}

void state_end(void)
{
	unsigned int i;

	munlock(arena, ARENA_SIZE);
	map_nothing(arena, ARENA_SIZE, MAP_FIXED);
	for (i = 0; i < SLOTS; i++)
		if (state.fds[i] >= 0)
			close(state.fds[i]);
	for (i = 0; i < FILES; i++)
		if (state.files[i] >= 0)
			close(state.files[i]);
}

void wrong(const char *format, ...)
{
	va_list args;

	guard = NULL;
	va_start(args, format);
	printf("fuzz: WRONG: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	if (in_child)
		_exit(77);
	abort();
}
