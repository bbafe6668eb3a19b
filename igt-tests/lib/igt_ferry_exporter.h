/* SPDX-License-Identifier: MIT */
/*
 * dma-bufs of other drivers and of another device of ferry.
 */
#ifndef IGT_FERRY_EXPORTER_H
#define IGT_FERRY_EXPORTER_H

#include <stddef.h>
#include <stdint.h>

/* A virtual machine with devices of two drivers, two of ferry */
#define IGT_FERRY_DEVICES                         \
	"vm/run --device bochs-display --device " \
	"ivshmem-plain,size=64M --device virtio-gpu-pci"

/**
 * struct igt_ferry_foreign - a dma-buf that another device or driver has exported
 * @prime: file descriptor of the dma-buf
 * @fd: DRM device of the exporter, or -1
 * @handle: GEM handle of @fd
 * @size: size in bytes
 * @map: mapping that the exporter made, without the dma-buf if there is a DRM device
 */
struct igt_ferry_foreign {
	int prime;
	int fd;
	uint32_t handle;
	size_t size;
	void *map;
};

/**
 * struct igt_ferry_exporter - a driver that exports dma-bufs
 * @name: end of the names of subtests
 * @driver: name of the driver that the dma-buf reports
 * @create: create a dma-buf, or skip the subtest if the exporter does not exist; @fd is the
 * device that will import it
 */
struct igt_ferry_exporter {
	const char *name;
	const char *driver;
	void (*create)(int fd, size_t size, struct igt_ferry_foreign *foreign);
};

/* The list ends in a NULL name. */
extern const struct igt_ferry_exporter igt_ferry_exporters[];

int igt_ferry_open_other(int fd);
int igt_ferry_open_module(const char *module, const char *driver);
void igt_ferry_foreign_own(int fd, size_t size,
			   struct igt_ferry_foreign *foreign);
void igt_ferry_foreign_close_device(struct igt_ferry_foreign *foreign);
void igt_ferry_foreign_unmap(struct igt_ferry_foreign *foreign);
void igt_ferry_foreign_close(struct igt_ferry_foreign *foreign);

#endif /* IGT_FERRY_EXPORTER_H */
