// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The limit of the migration benchmarks: how fast the kernel itself copies
 * between system pages and a PCI memory BAR that is mapped write-combining.
 *
 * Write "to-aperture|to-system|clear METHOD SIZE REPEAT [PLACE]" to the file copy in
 * /sys/kernel/debug/ferry_bench. Then read the median nanoseconds of one copy from it,
 * of at most 256. METHOD is
 *
 *   plain   memcpy()
 *   io      memcpy_toio() or memcpy_fromio()
 *   words   64 bytes through registers
 *   nt      stores that bypass the caches: memcpy_flushcache(), which is MOVNTI
 *   sse     streaming loads from the BAR (MOVNTDQA), streaming stores to it (MOVNTDQ),
 *           by pages
 *   two     words, another processor copies the second half
 *   fresh   words, with the work on pages that a move has: from the BAR to pages that
 *           are allocated for the copy, or to the BAR from pages that are freed
 *           afterwards, in chunks of 2 MiB or less
 *
 * clear has plain, io, words and nt, on the BAR.
 *
 * With PLACE, the addresses of both sides are equal ("same") or differ ("apart") modulo
 * 128 MiB: software emulation looks up translations by the low bits of the page number.
 * The module claims the BAR, so no driver may be bound to the device. It is not part of
 * ferry and serves measurements only.
 */
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

static char *pci = "0000:00:02.0";
module_param(pci, charp, 0444);
MODULE_PARM_DESC(pci, "address of the device");

static int bar;
module_param(bar, int, 0444);
MODULE_PARM_DESC(bar, "number of the memory BAR");

static struct pci_dev *ferry_bench_pdev;
static void __iomem *ferry_bench_mem;
static struct dentry *ferry_bench_dir;
static struct workqueue_struct *ferry_bench_wq;

/* Protects the samples and serializes measurements. */
static DEFINE_MUTEX(ferry_bench_lock);
static u64 ferry_bench_ns;
static u64 ferry_bench_samples[256];

static int ferry_bench_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void ferry_bench_words(u64 *to, const u64 *from, size_t size)
{
	for (; size >= 64; size -= 64, to += 8, from += 8) {
		u64 a = READ_ONCE(from[0]), b = READ_ONCE(from[1]);
		u64 c = READ_ONCE(from[2]), d = READ_ONCE(from[3]);
		u64 e = READ_ONCE(from[4]), f = READ_ONCE(from[5]);
		u64 g = READ_ONCE(from[6]), h = READ_ONCE(from[7]);

		WRITE_ONCE(to[0], a);
		WRITE_ONCE(to[1], b);
		WRITE_ONCE(to[2], c);
		WRITE_ONCE(to[3], d);
		WRITE_ONCE(to[4], e);
		WRITE_ONCE(to[5], f);
		WRITE_ONCE(to[6], g);
		WRITE_ONCE(to[7], h);
	}
}

/* Copy a page through vector registers, which need kernel_fpu_begin(). */
static void ferry_bench_sse_page(void *to, const void *from, bool to_bar)
{
	size_t i;

	kernel_fpu_begin();
	for (i = 0; i < PAGE_SIZE; i += 64, to += 64, from += 64) {
		if (to_bar)
			asm("movdqa (%0), %%xmm0\n"
			    "movdqa 16(%0), %%xmm1\n"
			    "movdqa 32(%0), %%xmm2\n"
			    "movdqa 48(%0), %%xmm3\n"
			    "movntdq %%xmm0, (%1)\n"
			    "movntdq %%xmm1, 16(%1)\n"
			    "movntdq %%xmm2, 32(%1)\n"
			    "movntdq %%xmm3, 48(%1)\n"
			    :: "r" (from), "r" (to) : "memory");
		else
			asm("movntdqa (%0), %%xmm0\n"
			    "movntdqa 16(%0), %%xmm1\n"
			    "movntdqa 32(%0), %%xmm2\n"
			    "movntdqa 48(%0), %%xmm3\n"
			    "movaps %%xmm0, (%1)\n"
			    "movaps %%xmm1, 16(%1)\n"
			    "movaps %%xmm2, 32(%1)\n"
			    "movaps %%xmm3, 48(%1)\n"
			    :: "r" (from), "r" (to) : "memory");
	}
	kernel_fpu_end();
}

struct ferry_bench_half {
	struct work_struct work;
	void *to;
	const void *from;
	size_t size;
};

static void ferry_bench_half_work(struct work_struct *work)
{
	struct ferry_bench_half *half = container_of(work, struct ferry_bench_half, work);

	ferry_bench_words(half->to, half->from, half->size);
}

static void ferry_bench_two(void *to, const void *from, size_t size)
{
	struct ferry_bench_half half = {
		.to = to + size / 2,
		.from = from + size / 2,
		.size = size / 2,
	};

	INIT_WORK_ONSTACK(&half.work, ferry_bench_half_work);
	queue_work(ferry_bench_wq, &half.work);
	ferry_bench_words(to, from, size / 2);
	flush_work(&half.work);
	destroy_work_on_stack(&half.work);
}

struct ferry_bench_pages {
	struct page *chunk[64];
	unsigned int order;
	unsigned int count;
};

static void ferry_bench_free(struct ferry_bench_pages *pages)
{
	while (pages->count)
		__free_pages(pages->chunk[--pages->count], pages->order);
}

static int ferry_bench_alloc(struct ferry_bench_pages *pages, size_t size)
{
	pages->order = min(get_order(size), get_order(SZ_2M));
	for (pages->count = 0; (size_t)pages->count << (pages->order + PAGE_SHIFT) < size;
	     pages->count++) {
		if (pages->count == ARRAY_SIZE(pages->chunk))
			goto err_free;
		pages->chunk[pages->count] = alloc_pages(GFP_USER, pages->order);
		if (!pages->chunk[pages->count])
			goto err_free;
	}

	return 0;

err_free:
	ferry_bench_free(pages);
	return -ENOMEM;
}

static void ferry_bench_chunks(struct ferry_bench_pages *pages, void *bar_mem, size_t size,
			       bool to_bar)
{
	size_t step = PAGE_SIZE << pages->order;
	unsigned int i;

	for (i = 0; i < pages->count; i++) {
		void *chunk = page_address(pages->chunk[i]);
		void *there = bar_mem + i * step;

		ferry_bench_words(to_bar ? there : chunk, to_bar ? chunk : there,
				  min(step, size - i * step));
	}
}

/* Return the nanoseconds, or an error. */
static s64 ferry_bench_fresh(void __iomem *mem, size_t size, bool to_bar)
{
	struct ferry_bench_pages *pages = kmalloc(sizeof(*pages), GFP_KERNEL);
	u64 start = ktime_get_ns(), end;
	int ret;

	if (!pages)
		return -ENOMEM;
	ret = ferry_bench_alloc(pages, size);
	if (ret) {
		kfree(pages);
		return ret;
	}

	if (to_bar)
		start = ktime_get_ns();
	ferry_bench_chunks(pages, (void __force *)mem, size, to_bar);
	/* as in ferry_bench_copy_once() */
	wmb();
	if (to_bar)
		ferry_bench_free(pages);
	end = ktime_get_ns();

	ferry_bench_free(pages);
	kfree(pages);
	return end - start;
}

/* @buf: zeros, for stores that bypass the caches */
static void ferry_bench_clear_once(void __iomem *mem, const void *buf, size_t size, char method)
{
	u64 *plain = (void __force *)mem;
	size_t i;

	switch (method) {
	case 'i':
		memset_io(mem, 0, size);
		break;
	case 'w':
		for (i = 0; i < size / sizeof(u64); i++)
			WRITE_ONCE(plain[i], 0);
		break;
	case 'n':
		for (i = 0; i < size; i += PAGE_SIZE)
			memcpy_flushcache((void *)plain + i, buf, PAGE_SIZE);
		break;
	default:
		memset(plain, 0, size);
	}
	/* as in ferry_bench_copy_once() */
	wmb();
}

static void ferry_bench_copy_once(void __iomem *mem, void *buf, size_t size, bool to_bar,
				  char method)
{
	void *plain = (void __force *)mem;
	void *to = to_bar ? plain : buf, *from = to_bar ? buf : plain;

	switch (method) {
	case 'i':
		if (to_bar)
			memcpy_toio(mem, buf, size);
		else
			memcpy_fromio(buf, mem, size);
		break;
	case 'w':
		ferry_bench_words(to, from, size);
		break;
	case 'n':
		memcpy_flushcache(to, from, size);
		break;
	case 's':
		for (size_t i = 0; i < size; i += PAGE_SIZE)
			ferry_bench_sse_page(to + i, from + i, to_bar);
		break;
	case 't':
		ferry_bench_two(to, from, size);
		break;
	default:
		memcpy(to, from, size);
	}
	/* Drain the write-combining buffers: the copy ends when the BAR has the bytes. */
	wmb();
}

/* The order is that of ferry_bench_dirs. */
enum ferry_bench_dir { FERRY_BENCH_TO_APERTURE, FERRY_BENCH_TO_SYSTEM, FERRY_BENCH_CLEAR };

static const char * const ferry_bench_dirs[] = { "to-aperture", "to-system", "clear" };

static int ferry_bench_copy(enum ferry_bench_dir dir, char method, size_t size,
			    unsigned int repeat, char place)
{
	size_t len = pci_resource_len(ferry_bench_pdev, bar), offset = 0;
	bool to_bar = dir == FERRY_BENCH_TO_APERTURE;
	void *buf;

	if (!size || size % PAGE_SIZE || !repeat || repeat > ARRAY_SIZE(ferry_bench_samples) ||
	    size > len)
		return -EINVAL;

	buf = vzalloc(size);
	if (!buf)
		return -ENOMEM;

	if (place) {
		offset = (unsigned long)buf - (unsigned long)ferry_bench_mem;
		if (place == 'a')
			offset += SZ_256K;
		offset &= SZ_128M - 1;
		if (offset + size > len) {
			vfree(buf);
			return -ERANGE;
		}
	}

	for (unsigned int i = 0; i < repeat; i++) {
		u64 start = ktime_get_ns();
		s64 ns = 0;

		if (dir == FERRY_BENCH_CLEAR)
			ferry_bench_clear_once(ferry_bench_mem + offset, buf, size, method);
		else if (method == 'f')
			ns = ferry_bench_fresh(ferry_bench_mem + offset, size, to_bar);
		else
			ferry_bench_copy_once(ferry_bench_mem + offset, buf, size, to_bar, method);
		if (ns < 0) {
			vfree(buf);
			return ns;
		}
		ferry_bench_samples[i] = ns ?: ktime_get_ns() - start;
		cond_resched();
	}
	sort(ferry_bench_samples, repeat, sizeof(u64), ferry_bench_compare, NULL);
	ferry_bench_ns = ferry_bench_samples[repeat / 2];

	vfree(buf);
	return 0;
}

static ssize_t ferry_bench_write(struct file *file, const char __user *ubuf, size_t len,
				 loff_t *pos)
{
	static const char * const methods[] = { "plain", "io", "words", "nt", "sse", "two",
						"fresh" };
	char buf[64], name[16], method[8], place[8] = "";
	unsigned int repeat;
	size_t size;
	int dir, ret;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = '\0';

	if (sscanf(buf, "%15s %7s %zu %u %7s", name, method, &size, &repeat, place) < 4)
		return -EINVAL;
	dir = match_string(ferry_bench_dirs, ARRAY_SIZE(ferry_bench_dirs), name);
	if (dir < 0 || match_string(methods, ARRAY_SIZE(methods), method) < 0)
		return -EINVAL;
	if (!boot_cpu_has(X86_FEATURE_XMM4_1) && !strcmp(method, "sse"))
		return -EOPNOTSUPP;
	if (*place && strcmp(place, "same") && strcmp(place, "apart"))
		return -EINVAL;

	mutex_lock(&ferry_bench_lock);
	ret = ferry_bench_copy(dir, *method, size, repeat, *place);
	mutex_unlock(&ferry_bench_lock);

	return ret ?: len;
}

static ssize_t ferry_bench_read(struct file *file, char __user *ubuf, size_t len, loff_t *pos)
{
	char buf[32];
	int n;

	mutex_lock(&ferry_bench_lock);
	n = scnprintf(buf, sizeof(buf), "%llu\n", ferry_bench_ns);
	mutex_unlock(&ferry_bench_lock);

	return simple_read_from_buffer(ubuf, len, pos, buf, n);
}

static const struct file_operations ferry_bench_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = ferry_bench_read,
	.write = ferry_bench_write,
	.llseek = default_llseek,
};

static int __init ferry_bench_init(void)
{
	unsigned int domain, bus, slot, func;
	int ret;

	if (sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &slot, &func) != 4)
		return -EINVAL;

	ferry_bench_pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, func));
	if (!ferry_bench_pdev)
		return -ENODEV;

	ret = -EINVAL;
	if (bar < 0 || bar >= PCI_STD_NUM_BARS ||
	    !(pci_resource_flags(ferry_bench_pdev, bar) & IORESOURCE_MEM))
		goto err_put;
	ret = pci_enable_device_mem(ferry_bench_pdev);
	if (ret)
		goto err_put;
	ret = pci_request_region(ferry_bench_pdev, bar, "ferry_bench");
	if (ret)
		goto err_disable;

	/* Stays mapped while the module is loaded, so that PAT tracks it. */
	ret = -ENOMEM;
	ferry_bench_mem = ioremap_wc(pci_resource_start(ferry_bench_pdev, bar),
				     pci_resource_len(ferry_bench_pdev, bar));
	if (!ferry_bench_mem)
		goto err_release;

	ferry_bench_wq = alloc_workqueue("ferry_bench", WQ_UNBOUND, 0);
	if (!ferry_bench_wq)
		goto err_unmap;

	ferry_bench_dir = debugfs_create_dir("ferry_bench", NULL);
	debugfs_create_file("copy", 0600, ferry_bench_dir, NULL, &ferry_bench_fops);
	return 0;

err_unmap:
	iounmap(ferry_bench_mem);
err_release:
	pci_release_region(ferry_bench_pdev, bar);
err_disable:
	pci_disable_device(ferry_bench_pdev);
err_put:
	pci_dev_put(ferry_bench_pdev);
	return ret;
}
module_init(ferry_bench_init);

static void __exit ferry_bench_exit(void)
{
	debugfs_remove_recursive(ferry_bench_dir);
	destroy_workqueue(ferry_bench_wq);
	iounmap(ferry_bench_mem);
	pci_release_region(ferry_bench_pdev, bar);
	pci_disable_device(ferry_bench_pdev);
	pci_dev_put(ferry_bench_pdev);
}
module_exit(ferry_bench_exit);

MODULE_DESCRIPTION("Copy speed between memory and a PCI BAR, for ferry's benchmarks");
MODULE_LICENSE("Dual MIT/GPL");
