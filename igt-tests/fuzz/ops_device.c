// SPDX-License-Identifier: MIT
/* Sync files, fbdev emulation, modes with any numbers, and the removal of the device. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/fb.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm.h>
#include "ops_local.h"

int op_sync_file(const struct call *call)
{
	const int fd = state.fds[call->b % SLOTS];
	const unsigned int other = call->c >> 3;
	struct dma_buf_export_sync_file export = { .flags = call->v & 7 };
	struct dma_buf_import_sync_file import = {
		.flags = call->v & 7,
		.fd = state.fds[other % SLOTS],
	};
	struct sync_merge_data merge = { .name = "fuzz",
					 .fd2 = state.fds[other % SLOTS],
					 .flags = call->v >> 24 == 0xff };
	struct sync_fence_info fences[4];
	struct sync_file_info info = {
		.num_fences = call->v & 7,
		.sync_fence_info = (uintptr_t)fences,
	};
	int err;

	switch (call->c % 4) {
	case 0:
		err = do_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);
		if (!err)
			keep_fd(other, export.fd);
		return err;
	case 1:
		return do_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	case 2:
		err = do_ioctl(fd, SYNC_IOC_MERGE, &merge);
		if (!err)
			keep_fd(other, merge.fence);
		return err;
	default:
		if (info.num_fences > 4)
			info.num_fences = 4;
		return do_ioctl(fd, SYNC_IOC_FILE_INFO, &info);
	}
}

/* Open the framebuffer device of the fbdev emulation. */
static int fbdev_open(int flags)
{
	char path[64], name[16];
	int i, file, len;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/sys/class/graphics/fb%d/name",
			 i);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		len = read(file, name, sizeof(name));
		close(file);
		if (len < 5 || strncmp(name, "ferry", 5))
			continue;
		snprintf(path, sizeof(path), "/dev/fb%d", i);
		return open(path, flags | O_CLOEXEC);
	}
	errno = ENODEV;
	return -1;
}

/* Change one of the first numbers of the variable screen information. */
static int fbdev_set(int fd, const struct call *call)
{
	struct fb_var_screeninfo var;
	int err = do_ioctl(fd, FBIOGET_VSCREENINFO, &var);

	if (err)
		return err;
	((uint32_t *)&var)[call->c >> 4] = number(call->v);
	return do_ioctl(fd,
			call->a & 0x80 ? FBIOPAN_DISPLAY : FBIOPUT_VSCREENINFO,
			&var);
}

/*
 * Write pages of a mapping in the kernel, where an access that fails is an EFAULT. Only write: of a
 * page that was only read, Linux 6.12 keeps page->mapping (fb_deferred_io_lastclose()), and reports
 * a bad page when the device is unbound, whatever the driver.
 */
static int fbdev_map(int fd, const struct call *call)
{
	size_t first, count;
	int zero, err;
	void *at;

	range_of(call->v, &first, &count);
	at = mmap(NULL, count * PAGE, PROT_WRITE, MAP_SHARED, fd, first * PAGE);
	if (at == MAP_FAILED)
		return errno;
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	err = done(read(zero, at, count * PAGE));
	close(zero);
	munmap(at, count * PAGE);
	return err;
}

int op_fbdev(const struct call *call)
{
	static const char bytes[4096];
	const int fd = state.fds[call->b % SLOTS];
	struct fb_fix_screeninfo fix;
	int new;

	switch (call->c % 8) {
	case 0:
	case 1:
		new = fbdev_open(call->v & 1 ? O_RDONLY : O_RDWR);
		if (new < 0)
			return errno;
		keep_fd(call->b, new);
		return 0;
	case 2:
		return fbdev_map(fd, call);
	case 3:
		return fbdev_set(fd, call);
	case 4:
		return do_ioctl(fd, FBIOBLANK,
				(void *)(uintptr_t)(call->v & 7));
	case 5:
		return do_ioctl(fd, FBIOGET_FSCREENINFO, &fix);
	case 6:
		return done(lseek(fd, number(call->v), SEEK_SET));
	default:
		return done(write(fd, bytes, call->v % sizeof(bytes)));
	}
}

int op_unbind(const struct call *call)
{
	/* rarely: it ends what the other calls of the program can do */
	if (call->v % 8 || state.unbound)
		return EAGAIN;
	state.unbound = true;
	return EXPECT("unbind", state_unbind(), ENODEV);
}
