// SPDX-License-Identifier: MIT
/* See check-vgem.h. */

#include <fcntl.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <xf86drm.h>

#include "check.h"
#include "check-vgem.h"

/* From the kernel's vgem_drm.h, which libdrm does not ship. */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_WRITE 0x1
#define VGEM_FENCE_ATTACH \
	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL \
	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

int vgem_open(void)
{
	if (system("modprobe vgem"))
		return -1;
	for (int i = 0; i < 16; i++) {
		drmVersionPtr version;
		char path[32];
		bool found;
		int card;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		card = open(path, O_RDWR | O_CLOEXEC);
		if (card < 0)
			continue;
		version = drmGetVersion(card);
		found = version && !strcmp(version->name, "vgem");
		drmFreeVersion(version);
		if (found)
			return card;
		close(card);
	}
	return -1;
}

int vgem_dmabuf(int vgem, uint64_t size, uint32_t *handle)
{
	struct drm_mode_create_dumb dumb = { .width = PAGE / 4,
					     .height = size / PAGE,
					     .bpp = 32 };
	int dmabuf;

	CHECK_EQ(drmIoctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), 0);
	CHECK_EQ(dumb.size, size);
	CHECK_EQ(drmPrimeHandleToFD(vgem, dumb.handle, DRM_CLOEXEC | DRM_RDWR,
				    &dmabuf),
		 0);
	*handle = dumb.handle;
	return dmabuf;
}

uint32_t vgem_attach(int vgem, uint32_t handle, bool write)
{
	struct vgem_fence_attach attach = { .handle = handle };

	attach.flags = write ? VGEM_FENCE_WRITE : 0;
	CHECK_EQ(drmIoctl(vgem, VGEM_FENCE_ATTACH, &attach), 0);
	return attach.out_fence;
}

void vgem_signal(int vgem, uint32_t fence)
{
	struct vgem_fence_signal args = { .fence = fence };

	CHECK_EQ(drmIoctl(vgem, VGEM_FENCE_SIGNAL, &args), 0);
}

int vgem_late_fence(int vgem, uint32_t *fence)
{
	struct dma_buf_export_sync_file export = { .flags = DMA_BUF_SYNC_READ };
	uint32_t handle;
	int dmabuf = vgem_dmabuf(vgem, PAGE, &handle);

	*fence = vgem_attach(vgem, handle, true);
	CHECK_EQ(drmIoctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export), 0);
	close(dmabuf);
	return export.fd;
}
