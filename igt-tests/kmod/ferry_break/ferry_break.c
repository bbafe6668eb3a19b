// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Test module that breaks an invariant of ferry, for tests that ferry notices it. It is not
 * part of ferry.
 *
 * pid= and address=: change the page table entry that maps the address in the process:
 * its memory type (uncached=1), or its PFN (move=N, by N pages). Unloading the module
 * restores the entry. The process must not access the address meanwhile, as TLBs are not
 * flushed.
 *
 * pid=, address= and shift=N: add N pages to the offset of the mapping at the address.
 * The mapping must not be moved or unmapped while the module is loaded.
 *
 * pci= and bar=: map the BAR uncached while the module is loaded, without claiming it, as a
 * driver or the console of the firmware might do. With claim=1, claim the BAR without
 * mapping it, as another driver does, or size= bytes of it; name= is the name of the claim.
 *
 * delay=FUNCTION and ms=N: delay each return of a function of the kernel by N milliseconds, so
 * that what another thread can do in between is no longer a matter of chance. The CPU does
 * not schedule meanwhile. With pid=, delay that thread only; with times=N, the first N
 * calls only.
 *
 * pci= and error=1: call the error handlers of the device's driver as the PCI core does when
 * the link of the device is frozen: report the error when the module is loaded, and a slot
 * reset and the recovery when it is unloaded. With error=2, also let the device stop
 * decoding memory until then. With error=3, do only that.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "process whose page table entry is changed, or thread that is delayed");

static unsigned long address;
module_param(address, ulong, 0444);
MODULE_PARM_DESC(address, "address that the entry maps");

static bool uncached;
module_param(uncached, bool, 0444);
MODULE_PARM_DESC(uncached, "change the memory type of the entry");

static int move;
module_param(move, int, 0444);
MODULE_PARM_DESC(move, "add this number of pages to the PFN of the entry");

static int shift;
module_param(shift, int, 0444);
MODULE_PARM_DESC(shift, "add this number of pages to the offset of the mapping");

static char *pci;
module_param(pci, charp, 0444);
MODULE_PARM_DESC(pci, "PCI address of a device whose BAR is mapped uncached");

static int bar;
module_param(bar, int, 0444);
MODULE_PARM_DESC(bar, "number of the BAR");

static bool claim;
module_param(claim, bool, 0444);
MODULE_PARM_DESC(claim, "claim the BAR instead of mapping it");

static unsigned long size;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "bytes of the BAR to claim, from its begin (default 0: all)");

static char *delay;
module_param(delay, charp, 0444);
MODULE_PARM_DESC(delay, "function of the kernel whose return is delayed");

static int ms = 100;
module_param(ms, int, 0444);
MODULE_PARM_DESC(ms, "for how many milliseconds to delay");

static int times;
module_param(times, int, 0444);
MODULE_PARM_DESC(times, "number of calls to delay; 0: all");

static char *name = "ferry_break";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "name under which the BAR is claimed");

static int error;
module_param(error, int, 0444);
MODULE_PARM_DESC(error, "report a PCI error to the driver of the device");

static struct pci_dev *ferry_break_failed;
static struct resource *ferry_break_claimed;
static void __iomem *ferry_break_mem;
static struct mm_struct *ferry_break_mm;
static u64 ferry_break_old;
static u64 ferry_break_new;

/* Return the page table entry that maps the address, at whatever level, or NULL. */
static u64 *ferry_break_entry(struct mm_struct *mm)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;

	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d))
		return NULL;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud))
		return NULL;
	if (pud_leaf(*pud))
		return (u64 *)pud;
	pmd = pmd_offset(pud, address);
	if (pmd_none(*pmd))
		return NULL;
	if (pmd_leaf(*pmd))
		return (u64 *)pmd;
	pte = pte_offset_kernel(pmd, address);

	return pte_present(*pte) ? (u64 *)pte : NULL;
}

/* Change the offset of the mapping; with the VMA locked for writing there are no faults. */
static int ferry_break_shift(int pages)
{
	struct vm_area_struct *vma;

	mmap_write_lock(ferry_break_mm);
	vma = vma_lookup(ferry_break_mm, address);
	if (vma) {
		vma_start_write(vma);
		vma->vm_pgoff += pages;
	}
	mmap_write_unlock(ferry_break_mm);
	return vma ? 0 : -EFAULT;
}

static int ferry_break_change(void)
{
	struct task_struct *task;
	struct pid *found;
	u64 *entry;
	int ret;

	found = find_get_pid(pid);
	task = get_pid_task(found, PIDTYPE_PID);
	put_pid(found);
	if (!task)
		return -ESRCH;

	ferry_break_mm = get_task_mm(task);
	put_task_struct(task);
	if (!ferry_break_mm)
		return -ESRCH;

	if (shift) {
		ret = ferry_break_shift(shift);
		if (ret)
			mmput(ferry_break_mm);
		return ret;
	}

	mmap_write_lock(ferry_break_mm);
	entry = ferry_break_entry(ferry_break_mm);
	if (entry) {
		ferry_break_old = *entry;
		ferry_break_new = ferry_break_old + ((u64)move << PAGE_SHIFT);
		if (uncached)
			ferry_break_new ^= _PAGE_PCD;
		WRITE_ONCE(*entry, ferry_break_new);
	}
	mmap_write_unlock(ferry_break_mm);
	if (!entry) {
		mmput(ferry_break_mm);
		return -EFAULT;
	}

	return 0;
}

/* Restore the entry, unless it has changed; the CPU may have set its accessed and dirty bits. */
static void ferry_break_restore(void)
{
	u64 *entry;

	if (shift) {
		ferry_break_shift(-shift);
		mmput(ferry_break_mm);
		return;
	}

	mmap_write_lock(ferry_break_mm);
	entry = ferry_break_entry(ferry_break_mm);
	if (entry && !((*entry ^ ferry_break_new) &
		       ~(u64)(_PAGE_ACCESSED | _PAGE_DIRTY)))
		WRITE_ONCE(*entry, ferry_break_old);
	mmap_write_unlock(ferry_break_mm);
	mmput(ferry_break_mm);
}

static void ferry_break_decode(struct pci_dev *pdev, bool on)
{
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	command = on ? command | PCI_COMMAND_MEMORY : command & ~PCI_COMMAND_MEMORY;
	pci_write_config_word(pdev, PCI_COMMAND, command);
}

static int ferry_break_report(struct pci_dev *pdev)
{
	const struct pci_error_handlers *handlers;
	int ret = -EINVAL;

	if (error == 3) {
		ferry_break_decode(pdev, false);
		ferry_break_failed = pci_dev_get(pdev);
		return 0;
	}

	device_lock(&pdev->dev);
	handlers = pdev->driver ? pdev->driver->err_handler : NULL;
	if (handlers && handlers->error_detected) {
		if (error == 2)
			ferry_break_decode(pdev, false);
		if (handlers->error_detected(pdev, pci_channel_io_frozen) ==
		    PCI_ERS_RESULT_NEED_RESET) {
			ferry_break_failed = pci_dev_get(pdev);
			ret = 0;
		}
	}
	device_unlock(&pdev->dev);
	return ret;
}

static void ferry_break_recover(struct pci_dev *pdev)
{
	const struct pci_error_handlers *handlers;

	if (error == 3) {
		ferry_break_decode(pdev, true);
		pci_dev_put(pdev);
		return;
	}

	device_lock(&pdev->dev);
	handlers = pdev->driver ? pdev->driver->err_handler : NULL;
	if (handlers && handlers->slot_reset(pdev) == PCI_ERS_RESULT_RECOVERED)
		handlers->resume(pdev);
	if (error == 2)
		ferry_break_decode(pdev, true);
	device_unlock(&pdev->dev);
	pci_dev_put(pdev);
}

static int ferry_break_map(void)
{
	unsigned int domain, bus, slot, func;
	struct pci_dev *pdev;
	int ret;

	if (sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &slot, &func) != 4 ||
	    bar < 0 || bar >= PCI_STD_NUM_BARS)
		return -EINVAL;

	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, func));
	if (!pdev)
		return -ENODEV;

	if (error) {
		ret = ferry_break_report(pdev);
		pci_dev_put(pdev);
		return ret;
	}

	if (claim)
		ferry_break_claimed = request_mem_region(pci_resource_start(pdev, bar),
							 size ?: pci_resource_len(pdev, bar),
							 name);
	else
		ferry_break_mem = ioremap(pci_resource_start(pdev, bar),
					  pci_resource_len(pdev, bar));
	pci_dev_put(pdev);
	if (claim)
		return ferry_break_claimed ? 0 : -EBUSY;

	return ferry_break_mem ? 0 : -ENOMEM;
}

static int ferry_break_delay(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	static atomic_t calls = ATOMIC_INIT(0);

	if (pid && task_pid_nr(current) != pid)
		return 0;
	if (times && atomic_inc_return(&calls) > times)
		return 0;
	mdelay(ms);
	return 0;
}

static struct kretprobe ferry_break_probe = {
	.handler = ferry_break_delay,
	.maxactive = 64,
};

static int __init ferry_break_init(void)
{
	if (delay) {
		ferry_break_probe.kp.symbol_name = delay;
		return register_kretprobe(&ferry_break_probe);
	}
	if (pci)
		return ferry_break_map();

	return ferry_break_change();
}
module_init(ferry_break_init);

static void __exit ferry_break_exit(void)
{
	if (delay)
		unregister_kretprobe(&ferry_break_probe);
	if (ferry_break_failed)
		ferry_break_recover(ferry_break_failed);
	if (ferry_break_claimed)
		release_mem_region(ferry_break_claimed->start,
				   resource_size(ferry_break_claimed));
	if (ferry_break_mem)
		iounmap(ferry_break_mem);
	if (ferry_break_mm)
		ferry_break_restore();
}
module_exit(ferry_break_exit);

MODULE_DESCRIPTION("Breaks invariants of ferry, for its tests");
MODULE_LICENSE("Dual MIT/GPL");
