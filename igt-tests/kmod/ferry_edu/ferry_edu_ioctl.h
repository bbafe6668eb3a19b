/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Interface of the test module ferry_edu: each open file of /dev/ferry_edu can attach one dma-buf.
 */
#ifndef FERRY_EDU_IOCTL_H
#define FERRY_EDU_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bytes of one transfer. The device has a buffer of this size, which all files share. */
#define FERRY_EDU_BYTES 2048

enum ferry_edu_op {
	/* attach the dma-buf @fd as @flags say */
	FERRY_EDU_ATTACH,
	/* map it; sets @address and @entries */
	FERRY_EDU_MAP,
	/* pin it, which only an importer that can be told of moves may do */
	FERRY_EDU_PIN,
	FERRY_EDU_UNPIN,
	/* DMA from the dma-buf at @offset to the device's buffer */
	FERRY_EDU_READ,
	/* DMA from the device's buffer to the dma-buf at @offset */
	FERRY_EDU_WRITE,
	FERRY_EDU_UNMAP,
	FERRY_EDU_DETACH,
	/* DMA between the device's buffer and @data, which is not in a dma-buf */
	FERRY_EDU_STORE,
	FERRY_EDU_LOAD,
	/* sets @moves and @peer2peer */
	FERRY_EDU_STATE,
};

/* The importer can be told of moves. */
#define FERRY_EDU_DYNAMIC 0x1
/* It accepts addresses in a BAR. */
#define FERRY_EDU_PEER2PEER 0x2
/* It ignores moves, and goes on using the old addresses. */
#define FERRY_EDU_IGNORE 0x4

struct ferry_edu_args {
	__u32 op;
	__u32 flags;
	__s32 fd;
	__u32 entries;
	__u64 offset;
	__u64 address;
	__u32 moves;
	__u32 peer2peer;
	__u8 data[FERRY_EDU_BYTES];
};

#define FERRY_EDU_IOCTL _IOWR('e', 0, struct ferry_edu_args)

#endif /* FERRY_EDU_IOCTL_H */
