// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Test module: drives QEMU's device "edu", whose DMA engine copies between its own buffer and
 * memory, and lets programs use it as an importer of dma-bufs. It is not part of ferry.
 */
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ferry_edu_ioctl.h"

/* As MODULE_IMPORT_NS(), whose argument was a name before 6.13 and is a string since. */
MODULE_INFO(import_ns, "DMA_BUF");

#define EDU_DMA_SOURCE	0x80
#define EDU_DMA_DEST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_COMMAND	0x98
#define EDU_DMA_RUN	BIT(0)
#define EDU_DMA_TO_HOST	BIT(1)
/* Address of the device's buffer, as the device sees it */
#define EDU_BUFFER	0x40000

static unsigned int mask_bits = 64;
module_param(mask_bits, uint, 0444);
MODULE_PARM_DESC(mask_bits, "width of the DMA mask");

struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	/* memory for transfers that use no dma-buf */
	void *page;
	dma_addr_t page_addr;
	/* one transfer at a time */
	struct mutex lock;
};

static struct edu *edu_device;

struct edu_file {
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	u32 flags;
	/* protected by the reservation of the dma-buf */
	bool stale;
	bool pinned;
	u32 moves;
};

static void edu_moved(struct dma_buf_attachment *attach)
{
	struct edu_file *file = attach->importer_priv;

	file->stale = true;
	file->moves++;
}

/* The members are allow_peer2peer, and move_notify, which 7.0 calls invalidate_mappings. */
static const struct dma_buf_attach_ops edu_ops = { false, edu_moved };
static const struct dma_buf_attach_ops edu_peer_ops = { true, edu_moved };

static int edu_dma(struct edu *edu, dma_addr_t addr, bool to_host)
{
	unsigned int tries;
	int ret = -ETIMEDOUT;

	mutex_lock(&edu->lock);
	writeq(to_host ? EDU_BUFFER : addr, edu->regs + EDU_DMA_SOURCE);
	writeq(to_host ? addr : EDU_BUFFER, edu->regs + EDU_DMA_DEST);
	writeq(FERRY_EDU_BYTES, edu->regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | (to_host ? EDU_DMA_TO_HOST : 0), edu->regs + EDU_DMA_COMMAND);
	for (tries = 0; tries < 10000 && ret; tries++) {
		usleep_range(1000, 2000);
		if (!(readq(edu->regs + EDU_DMA_COMMAND) & EDU_DMA_RUN))
			ret = 0;
	}
	mutex_unlock(&edu->lock);
	return ret;
}

static void edu_unmap(struct edu_file *file)
{
	if (!file->sgt)
		return;

	dma_buf_unmap_attachment(file->attach, file->sgt, DMA_BIDIRECTIONAL);
	file->sgt = NULL;
}

static int edu_map(struct edu_file *file)
{
	struct sg_table *sgt;

	if (file->sgt && (!file->stale || (file->flags & FERRY_EDU_IGNORE)))
		return 0;

	edu_unmap(file);
	sgt = dma_buf_map_attachment(file->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	file->sgt = sgt;
	file->stale = false;
	return 0;
}

static int edu_attach(struct edu *edu, struct edu_file *file, struct ferry_edu_args *args)
{
	const struct dma_buf_attach_ops *ops = NULL;
	struct dma_buf *dma_buf;

	if (file->attach)
		return -EBUSY;

	if (args->flags & FERRY_EDU_DYNAMIC)
		ops = args->flags & FERRY_EDU_PEER2PEER ? &edu_peer_ops : &edu_ops;
	dma_buf = dma_buf_get(args->fd);
	if (IS_ERR(dma_buf))
		return PTR_ERR(dma_buf);

	file->flags = args->flags;
	file->moves = 0;
	file->attach = dma_buf_dynamic_attach(dma_buf, &edu->pdev->dev, ops, file);
	if (IS_ERR(file->attach)) {
		int ret = PTR_ERR(file->attach);

		file->attach = NULL;
		dma_buf_put(dma_buf);
		return ret;
	}

	return 0;
}

static void edu_detach(struct edu_file *file)
{
	struct dma_buf_attachment *attach = file->attach;
	struct dma_buf *dma_buf;

	if (!attach)
		return;

	dma_buf = attach->dmabuf;
	dma_resv_lock(dma_buf->resv, NULL);
	edu_unmap(file);
	if (file->pinned)
		dma_buf_unpin(attach);
	file->pinned = false;
	dma_resv_unlock(dma_buf->resv);
	dma_buf_detach(dma_buf, attach);
	dma_buf_put(dma_buf);
	file->attach = NULL;
}

/* Find the DMA address of a byte, of which a whole transfer must follow in the same entry. */
static int edu_find(struct edu_file *file, u64 offset, dma_addr_t *addr)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(file->sgt, sg, i) {
		if (offset < sg_dma_len(sg)) {
			if (offset + FERRY_EDU_BYTES > sg_dma_len(sg))
				return -EINVAL;
			*addr = sg_dma_address(sg) + offset;
			return 0;
		}
		offset -= sg_dma_len(sg);
	}

	return -EINVAL;
}

/* The dma-buf cannot move during the transfer, unless the importer ignores moves anyway. */
static int edu_transfer(struct edu *edu, struct edu_file *file, u64 offset, bool to_host)
{
	bool ignore = file->flags & FERRY_EDU_IGNORE;
	struct dma_resv *resv = file->attach->dmabuf->resv;
	dma_addr_t addr;
	int ret;

	if (!ignore)
		dma_resv_lock(resv, NULL);
	ret = ignore ? (file->sgt ? 0 : -EINVAL) : edu_map(file);
	if (!ret && !ignore)
		dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, false, MAX_SCHEDULE_TIMEOUT);
	if (!ret)
		ret = edu_find(file, offset, &addr);
	if (!ret)
		ret = edu_dma(edu, addr, to_host);
	if (!ignore)
		dma_resv_unlock(resv);
	return ret;
}

static int edu_reserved(struct edu_file *file, struct ferry_edu_args *args)
{
	int ret = 0;

	switch (args->op) {
	case FERRY_EDU_MAP:
		ret = edu_map(file);
		if (ret)
			break;
		args->address = sg_dma_address(file->sgt->sgl);
		args->entries = file->sgt->nents;
		break;
	case FERRY_EDU_UNMAP:
		edu_unmap(file);
		break;
	case FERRY_EDU_PIN:
		if (file->pinned || !(file->flags & FERRY_EDU_DYNAMIC))
			return -EINVAL;
		ret = dma_buf_pin(file->attach);
		file->pinned = !ret;
		break;
	case FERRY_EDU_UNPIN:
		if (!file->pinned)
			return -EINVAL;
		dma_buf_unpin(file->attach);
		file->pinned = false;
		break;
	case FERRY_EDU_STATE:
		args->moves = file->moves;
		args->peer2peer = file->attach->peer2peer;
		break;
	default:
		ret = -EINVAL;
	}

	return ret;
}

static int edu_run(struct edu *edu, struct edu_file *file, struct ferry_edu_args *args)
{
	int ret;

	switch (args->op) {
	case FERRY_EDU_ATTACH:
		return edu_attach(edu, file, args);
	case FERRY_EDU_STORE:
		memcpy(edu->page, args->data, FERRY_EDU_BYTES);
		return edu_dma(edu, edu->page_addr, false);
	case FERRY_EDU_LOAD:
		ret = edu_dma(edu, edu->page_addr, true);
		memcpy(args->data, edu->page, FERRY_EDU_BYTES);
		return ret;
	}

	if (!file->attach)
		return -EINVAL;

	switch (args->op) {
	case FERRY_EDU_READ:
		return edu_transfer(edu, file, args->offset, false);
	case FERRY_EDU_WRITE:
		return edu_transfer(edu, file, args->offset, true);
	case FERRY_EDU_DETACH:
		edu_detach(file);
		return 0;
	}

	dma_resv_lock(file->attach->dmabuf->resv, NULL);
	ret = edu_reserved(file, args);
	dma_resv_unlock(file->attach->dmabuf->resv);
	return ret;
}

static long edu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ferry_edu_args *args;
	int ret;

	if (cmd != FERRY_EDU_IOCTL)
		return -ENOTTY;

	args = memdup_user((void __user *)arg, sizeof(*args));
	if (IS_ERR(args))
		return PTR_ERR(args);

	ret = edu_run(edu_device, filp->private_data, args);
	if (!ret && copy_to_user((void __user *)arg, args, sizeof(*args)))
		ret = -EFAULT;
	kfree(args);
	return ret;
}

static int edu_open(struct inode *inode, struct file *filp)
{
	struct edu_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	filp->private_data = file;
	return file ? 0 : -ENOMEM;
}

static int edu_release(struct inode *inode, struct file *filp)
{
	edu_detach(filp->private_data);
	kfree(filp->private_data);
	return 0;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_release,
	.unlocked_ioctl = edu_ioctl,
};

static struct miscdevice edu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ferry_edu",
	.fops = &edu_fops,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int ret;

	if (edu_device)
		return -EBUSY;

	edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;

	edu->pdev = pdev;
	mutex_init(&edu->lock);
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	edu->regs = pcim_iomap(pdev, 0, 0);
	if (!edu->regs)
		return -ENOMEM;

	pci_set_master(pdev);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(mask_bits));
	if (ret)
		return ret;

	edu->page = dmam_alloc_coherent(&pdev->dev, PAGE_SIZE, &edu->page_addr, GFP_KERNEL);
	if (!edu->page)
		return -ENOMEM;

	edu_device = edu;
	ret = misc_register(&edu_misc);
	if (ret)
		edu_device = NULL;
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	misc_deregister(&edu_misc);
	edu_device = NULL;
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};

static struct pci_driver edu_driver = {
	.name = "ferry_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("Test of ferry: QEMU's edu as an importer of dma-bufs");
MODULE_AUTHOR("The ferry developers");
MODULE_LICENSE("Dual MIT/GPL");
