/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Interface of the test module ferry_exporter: each open file of /dev/ferry_exporter can export one
 * dma-buf, whose operations fail as the program says.
 */
#ifndef FERRY_EXPORTER_IOCTL_H
#define FERRY_EXPORTER_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum ferry_exporter_op {
	/* export a dma-buf of @size bytes with @pages pages; sets @fd */
	FERRY_EXPORTER_CREATE,
	/* let the operations in @flags fail from now on */
	FERRY_EXPORTER_FAIL,
	/* sets @attachments and @buffers */
	FERRY_EXPORTER_STATE,
};

/* Operations that fail, with ENXIO */
#define FERRY_EXPORTER_ATTACH 0x1
#define FERRY_EXPORTER_MMAP 0x2
/* after half of the pages are in the page table */
#define FERRY_EXPORTER_MMAP_MIDDLE 0x4
/* page faults, with SIGBUS */
#define FERRY_EXPORTER_FAULT 0x8
/* the beginning of an access of the processor */
#define FERRY_EXPORTER_CPU_ACCESS 0x10
/* with FERRY_EXPORTER_CREATE: there is no operation that maps it for the kernel */
#define FERRY_EXPORTER_NO_VMAP 0x20

struct ferry_exporter_args {
	__u32 op;
	__u32 flags;
	__u64 size;
	__u32 pages;
	__s32 fd;
	/* of the dma-buf */
	__u32 attachments;
	/* dma-bufs of all files that were not released */
	__u32 buffers;
};

#define FERRY_EXPORTER_IOCTL _IOWR('e', 1, struct ferry_exporter_args)

#endif /* FERRY_EXPORTER_IOCTL_H */
