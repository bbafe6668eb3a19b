// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include <asm/memtype.h>

#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_audit.h"
#include "ferry_bo.h"
#include "ferry_pat.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_fault.h"
#include "ferry_pte.h"

/**
 * DOC: Caching audit
 *
 * One page that two mappings give different cache attributes can lose writes, or
 * stop the machine. Checking every insert for it costs more than the insert, and
 * the answer can only be wrong if the driver is. So production does not check,
 * and this proves at any time that it did not have to: for every page of every
 * user mapping of every BO it compares the user's page table entry, the type that
 * PAT tracks for the page, and the kernel's own mapping of it, and also whether
 * the entry points at that page of the BO at all.
 *
 * With CONFIG_DRM_FERRY_DEBUG_CACHING the same check runs after every insert.
 */

/**
 * struct ferry_audit - one run
 */
struct ferry_audit {
	/** @ferry: the device */
	struct ferry_device *ferry;
	/** @m: where to report, or NULL for the kernel log */
	struct seq_file *m;
	/** @tracked: what PAT tracks for the aperture */
	int tracked;
	/** @mappings: user mappings seen */
	u64 mappings;
	/** @entries: page table entries seen */
	u64 entries;
	/** @pages: pages that they map */
	u64 pages;
	/** @disagreements: pages for which something differs */
	u64 disagreements;
};

/*
 * PAT has no question for what it tracks. But who maps a page and asks for
 * write-back gets the type that is tracked, if there is one.
 */
static int ferry_audit_tracked_aperture(struct ferry_device *ferry)
{
	void __iomem *vaddr = ioremap_cache(ferry->bar.base, PAGE_SIZE);
	int cache;

	if (!vaddr)
		return FERRY_PAT_UNKNOWN;

	cache = ferry_pat_of_kernel_address((void __force *)vaddr);
	iounmap(vaddr);
	return cache;
}

/* PAT keeps the type of RAM in two flags of the page. */
static int ferry_audit_tracked_page(struct page *page)
{
	bool arch_1 = test_bit(PG_arch_1, ferry_compat_page_flags(page));
	bool arch_2 = test_bit(PG_arch_2, ferry_compat_page_flags(page));

	if (arch_2)
		return arch_1 ? DRM_FERRY_MEMTYPE_WT : DRM_FERRY_MEMTYPE_UC_MINUS;

	return arch_1 ? DRM_FERRY_MEMTYPE_WC : DRM_FERRY_MEMTYPE_WB;
}

static void ferry_audit_page(struct ferry_audit *audit, struct ferry_pte_map *ins,
			     unsigned long address, pgoff_t page, unsigned long pfn, int user)
{
	struct ferry_device *ferry = audit->ferry;
	int tracked, kernel;
	unsigned long want;

	if (ins->aperture) {
		u64 at = ferry_vram_cursor_seek(&ins->cursor, (u64)page << PAGE_SHIFT);

		want = ferry_bar_pfn(&ferry->bar, at);
		tracked = audit->tracked;
		kernel = ferry_pat_of_kernel_address((void __force *)
						       ferry_bar_vaddr(&ferry->bar, at));
	} else {
		struct page *p = ins->bo->base.ttm->pages[page];

		want = page_to_pfn(p);
		tracked = ferry_audit_tracked_page(p);
		kernel = ferry_pat_of_kernel_address(page_address(p));
	}
	/* without PAT nothing is tracked */
	if (!pat_enabled())
		tracked = user;

	audit->pages++;
	if (user == tracked && user == kernel && pfn == want)
		return;

	audit->disagreements++;
	if (audit->m)
		seq_printf(audit->m, "disagreement at 0x%lx: bo 0x%llx page %lu pfn 0x%lx should be 0x%lx, user %s, tracked %s, kernel %s\n",
			   address, drm_vma_node_offset_addr(&ins->bo->base.base.vma_node), page,
			   pfn, want, ferry_pat_name(user), ferry_pat_name(tracked),
			   ferry_pat_name(kernel));
	else
		drm_err_once(&ferry->drm, "page %lu at 0x%lx, pfn 0x%lx should be 0x%lx: user %s, tracked %s, kernel %s\n",
			     page, address, pfn, want, ferry_pat_name(user),
			     ferry_pat_name(tracked), ferry_pat_name(kernel));
}

/* The entry that maps @address, or 0; and how much it or the hole there spans. */
static u64 ferry_audit_walk(struct mm_struct *mm, unsigned long address, unsigned long *size)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t pte;

	*size = PGDIR_SIZE;
	if (pgd_none(*pgd))
		return 0;
	p4d = p4d_offset(pgd, address);
	*size = P4D_SIZE;
	if (p4d_none(*p4d))
		return 0;
	pud = pud_offset(p4d, address);
	*size = PUD_SIZE;
	if (pud_none(*pud))
		return 0;
	if (pud_leaf(*pud))
		return pud_val(*pud);
	pmd = pmd_offset(pud, address);
	*size = PMD_SIZE;
	if (pmd_none(*pmd))
		return 0;
	if (pmd_leaf(*pmd))
		return pmd_val(*pmd);

	*size = PAGE_SIZE;
	pte = ptep_get(pte_offset_kernel(pmd, address));
	return pte_present(pte) ? pte_val(pte) : 0;
}

/* Needs mmap_lock, which keeps page tables, and the BO's reservation, which keeps entries. */
static void ferry_audit_range(struct ferry_audit *audit, struct ferry_pte_map *ins,
			      struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long address, next, size, first;

	for (address = start; address < end; address = next) {
		u64 entry = ferry_audit_walk(mm, address, &size);
		int user = ferry_pat_of_entry(entry, size > PAGE_SIZE);
		unsigned long pfn = (entry & PTE_PFN_MASK & ~(u64)(size - 1)) >> PAGE_SHIFT;

		first = ALIGN_DOWN(address, size);
		next = min(first + size, end);
		if (!entry)
			continue;

		audit->entries++;
		for (; address < next; address += PAGE_SIZE)
			ferry_audit_page(audit, ins, address,
					 ferry_pte_page_of(ins->vma, address),
					 pfn + ((address - first) >> PAGE_SHIFT), user);
	}
}

static void ferry_audit_vma(struct ferry_audit *audit, struct vm_area_struct *vma)
{
	struct drm_gem_object *obj = vma->vm_private_data;
	struct ferry_pte_map ins;

	if (vma->vm_ops != &ferry_fault_vm_ops || obj->dev != &audit->ferry->drm)
		return;

	audit->mappings++;
	dma_resv_lock(obj->resv, NULL);
	ferry_pte_init(&ins, gem_to_ferry_bo(obj), vma);
	ferry_audit_range(audit, &ins, vma->vm_mm, vma->vm_start, vma->vm_end);
	dma_resv_unlock(obj->resv);
}

static void ferry_audit_mm(struct ferry_audit *audit, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, 0);
	mmap_read_lock(mm);
	for_each_vma(vmi, vma)
		ferry_audit_vma(audit, vma);
	mmap_read_unlock(mm);
}

/* The process after @pid, with a reference to its memory; @pid moves on. */
static struct mm_struct *ferry_audit_next_mm(pid_t *pid)
{
	struct task_struct *task, *found = NULL;
	struct mm_struct *mm = NULL;

	rcu_read_lock();
	for_each_process(task)
		if (task->pid > *pid && (!found || task->pid < found->pid))
			found = task;
	if (found) {
		*pid = found->pid;
		get_task_struct(found);
	} else {
		*pid = -1;
	}
	rcu_read_unlock();

	if (found) {
		mm = get_task_mm(found);
		put_task_struct(found);
	}

	return mm;
}

/**
 * ferry_audit_show - audit every user mapping of every BO
 * @ferry: the device
 * @m: where to print each disagreement and a summary
 *
 * Return: 0.
 */
int ferry_audit_show(struct ferry_device *ferry, struct seq_file *m)
{
	struct ferry_audit audit = { .ferry = ferry, .m = m };
	pid_t pid = 0;

	audit.tracked = ferry_audit_tracked_aperture(ferry);
	while (pid >= 0) {
		struct mm_struct *mm = ferry_audit_next_mm(&pid);

		if (!mm)
			continue;
		ferry_audit_mm(&audit, mm);
		mmput(mm);
	}

	seq_printf(m, "aperture requested %s effective %s tracked %s kernel %s\n",
		   ferry_pat_name(ferry->bar.requested),
		   ferry_pat_name(ferry->bar.effective),
		   pat_enabled() ? ferry_pat_name(audit.tracked) : "off",
		   ferry_pat_name(ferry_pat_of_kernel_address((void __force *)
								  ferry->bar.io.iomem)));
	seq_printf(m, "mappings %llu entries %llu pages %llu disagreements %llu\n",
		   audit.mappings, audit.entries, audit.pages, audit.disagreements);
	return 0;
}

#ifdef CONFIG_DRM_FERRY_DEBUG_CACHING
/**
 * ferry_audit_insert - check the entries that were just made
 * @ins: the BO, the mapping and the pages
 * @address: where they begin
 */
void ferry_audit_insert(struct ferry_pte_map *ins, unsigned long address)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ins->bo->base.bdev);
	struct ferry_audit audit = { .ferry = ferry, .tracked = ferry->bar.effective };

	ferry_audit_range(&audit, ins, ins->vma->vm_mm, address,
			  address + (ins->window << PAGE_SHIFT));
	WARN_ONCE(audit.disagreements, "ferry: a page has two cache attributes\n");
}
#endif
