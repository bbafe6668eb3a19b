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

int state_open_card(void)
{
	char node[64], name[16] = "";
	struct drm_version version;
	int card;

	for (minor = 0; minor < 4; minor++) {
		version = (struct drm_version){ .name = name,
						.name_len = sizeof(name) };
		snprintf(node, sizeof(node), "/dev/dri/card%u", minor);
		card = open(node, O_RDWR | O_CLOEXEC);
		if (card >= 0 && !ioctl(card, DRM_IOCTL_VERSION, &version) &&
		    !strncmp(name, "ferry", 5))
			return card;
		if (card >= 0)
			close(card);
	}
	errno = ENODEV;
	return -1;
}

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

#define DRIVER "/sys/bus/pci/drivers/ferry/"

/* PCI address of the device, from the first unbind on */
static char slot[32];

static int write_slot(const char *path)
{
	int file = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (file < 0)
		return errno;
	if (write(file, slot, strlen(slot)) < 0)
		err = errno;
	close(file);
	return err;
}

int state_unbind(void)
{
	char path[64], target[256];
	ssize_t len;

	if (!slot[0]) {
		snprintf(path, sizeof(path), "/sys/class/drm/card%u/device",
			 minor);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			return errno;
		target[len] = '\0';
		snprintf(slot, sizeof(slot), "%.31s", basename(target));
	}
	return write_slot(DRIVER "unbind");
}

void state_bind(void)
{
	int err = write_slot(DRIVER "bind");

	if (err)
		wrong("the device cannot be bound again: %s", strerror(err));
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
