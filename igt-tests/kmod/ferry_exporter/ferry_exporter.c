// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Test module: exports dma-bufs whose operations fail on request, for tests of importers. It is not
 * part of ferry.
 */
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "ferry_exporter_ioctl.h"

/* As MODULE_IMPORT_NS(), whose argument was a name before 6.13 and is a string since. */
MODULE_INFO(import_ns, "DMA_BUF");

#define MAX_PAGES 1024

static atomic_t live_buffers;

struct exporter {
	u32 flags;
	u32 count;
	atomic_t attachments;
	struct page *pages[];
};

static bool exporter_fails(struct exporter *exporter, u32 op)
{
	return READ_ONCE(exporter->flags) & op;
}

static int exporter_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	struct exporter *exporter = dma_buf->priv;

	if (exporter_fails(exporter, FERRY_EXPORTER_ATTACH))
		return -ENXIO;

	atomic_inc(&exporter->attachments);
	return 0;
}

static void exporter_detach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	struct exporter *exporter = dma_buf->priv;

	atomic_dec(&exporter->attachments);
}

/* No test maps the dma-buf for DMA, but the operation has to exist. */
static struct sg_table *exporter_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	return ERR_PTR(-ENXIO);
}

static void exporter_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
}

static vm_fault_t exporter_fault(struct vm_fault *vmf)
{
	struct exporter *exporter = vmf->vma->vm_private_data;

	if (exporter_fails(exporter, FERRY_EXPORTER_FAULT) || vmf->pgoff >= exporter->count)
		return VM_FAULT_SIGBUS;

	get_page(exporter->pages[vmf->pgoff]);
	vmf->page = exporter->pages[vmf->pgoff];
	return 0;
}

static const struct vm_operations_struct exporter_vm_ops = {
	.fault = exporter_fault,
};

static int exporter_mmap(struct dma_buf *dma_buf, struct vm_area_struct *vma)
{
	struct exporter *exporter = dma_buf->priv;
	u32 i;
	int ret;

	if (exporter_fails(exporter, FERRY_EXPORTER_MMAP))
		return -ENXIO;

	vma->vm_ops = &exporter_vm_ops;
	vma->vm_private_data = exporter;
	if (!exporter_fails(exporter, FERRY_EXPORTER_MMAP_MIDDLE))
		return 0;

	for (i = 0; i < exporter->count / 2; i++) {
		ret = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE, exporter->pages[i]);
		if (ret)
			return ret;
	}
	return -ENXIO;
}

static int exporter_begin_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	return exporter_fails(dma_buf->priv, FERRY_EXPORTER_CPU_ACCESS) ? -ENXIO : 0;
}

static int exporter_vmap(struct dma_buf *dma_buf, struct iosys_map *map)
{
	struct exporter *exporter = dma_buf->priv;
	void *vaddr = vmap(exporter->pages, exporter->count, VM_MAP, PAGE_KERNEL);

	if (!vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void exporter_vunmap(struct dma_buf *dma_buf, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static void exporter_free(struct exporter *exporter)
{
	while (exporter->count--)
		put_page(exporter->pages[exporter->count]);
	kfree(exporter);
}

static void exporter_release(struct dma_buf *dma_buf)
{
	exporter_free(dma_buf->priv);
	atomic_dec(&live_buffers);
}

static const struct dma_buf_ops exporter_ops = {
	.attach = exporter_attach,
	.detach = exporter_detach,
	.map_dma_buf = exporter_map,
	.unmap_dma_buf = exporter_unmap,
	.mmap = exporter_mmap,
	.begin_cpu_access = exporter_begin_cpu_access,
	.vmap = exporter_vmap,
	.vunmap = exporter_vunmap,
	.release = exporter_release,
};

/* As of exporters that the kernel cannot map. */
static const struct dma_buf_ops exporter_no_vmap_ops = {
	.attach = exporter_attach,
	.detach = exporter_detach,
	.map_dma_buf = exporter_map,
	.unmap_dma_buf = exporter_unmap,
	.mmap = exporter_mmap,
	.release = exporter_release,
};

static struct exporter *exporter_alloc(u32 pages, u32 flags)
{
	struct exporter *exporter;

	if (pages > MAX_PAGES)
		return ERR_PTR(-EINVAL);

	exporter = kzalloc(struct_size(exporter, pages, pages), GFP_KERNEL);
	if (!exporter)
		return ERR_PTR(-ENOMEM);

	exporter->flags = flags;
	for (; exporter->count < pages; exporter->count++) {
		exporter->pages[exporter->count] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!exporter->pages[exporter->count]) {
			exporter_free(exporter);
			return ERR_PTR(-ENOMEM);
		}
	}

	return exporter;
}

/* The open file keeps a reference to the dma-buf, for the other operations. */
static int exporter_create(struct file *filp, struct ferry_exporter_args *args)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct exporter *exporter;
	struct dma_buf *dma_buf;

	if (filp->private_data)
		return -EBUSY;

	exporter = exporter_alloc(args->pages, args->flags);
	if (IS_ERR(exporter))
		return PTR_ERR(exporter);

	info.ops = args->flags & FERRY_EXPORTER_NO_VMAP ? &exporter_no_vmap_ops : &exporter_ops;
	info.size = args->size;
	info.flags = O_RDWR | O_CLOEXEC;
	info.priv = exporter;
	dma_buf = dma_buf_export(&info);
	if (IS_ERR(dma_buf)) {
		exporter_free(exporter);
		return PTR_ERR(dma_buf);
	}

	atomic_inc(&live_buffers);
	get_dma_buf(dma_buf);
	args->fd = dma_buf_fd(dma_buf, O_CLOEXEC);
	if (args->fd < 0) {
		dma_buf_put(dma_buf);
		dma_buf_put(dma_buf);
		return args->fd;
	}

	filp->private_data = dma_buf;
	return 0;
}

static int exporter_run(struct file *filp, struct ferry_exporter_args *args)
{
	struct dma_buf *dma_buf = filp->private_data;
	struct exporter *exporter = dma_buf ? dma_buf->priv : NULL;

	switch (args->op) {
	case FERRY_EXPORTER_CREATE:
		return exporter_create(filp, args);
	case FERRY_EXPORTER_FAIL:
		if (!exporter)
			return -EINVAL;
		WRITE_ONCE(exporter->flags, args->flags);
		return 0;
	case FERRY_EXPORTER_STATE:
		args->attachments = exporter ? atomic_read(&exporter->attachments) : 0;
		args->buffers = atomic_read(&live_buffers);
		return 0;
	}

	return -EINVAL;
}

static long exporter_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ferry_exporter_args args;
	int ret;

	if (cmd != FERRY_EXPORTER_IOCTL)
		return -ENOTTY;
	if (copy_from_user(&args, (void __user *)arg, sizeof(args)))
		return -EFAULT;

	ret = exporter_run(filp, &args);
	if (!ret && copy_to_user((void __user *)arg, &args, sizeof(args)))
		ret = -EFAULT;
	return ret;
}

static int exporter_open(struct inode *inode, struct file *filp)
{
	filp->private_data = NULL;
	return 0;
}

static int exporter_close(struct inode *inode, struct file *filp)
{
	if (filp->private_data)
		dma_buf_put(filp->private_data);
	return 0;
}

static const struct file_operations exporter_fops = {
	.owner = THIS_MODULE,
	.open = exporter_open,
	.release = exporter_close,
	.unlocked_ioctl = exporter_ioctl,
};

static struct miscdevice exporter_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ferry_exporter",
	.fops = &exporter_fops,
};
module_misc_device(exporter_misc);

MODULE_DESCRIPTION("Test of ferry: dma-bufs whose operations fail");
MODULE_AUTHOR("The ferry developers");
MODULE_LICENSE("Dual MIT/GPL");
