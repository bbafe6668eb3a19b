// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/fs.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include <asm/memtype.h>

#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>

#include "ferry_audit.h"
#include "ferry_compat.h"
#include "ferry_cursor.h"
#include "ferry_device.h"
#include "ferry_pat.h"
#include "ferry_pte.h"

/**
 * DOC: Caching audit
 *
 * If two mappings of one page have different memory types, the CPU can lose writes or raise a
 * machine check. Checking every PTE and PMD when it is inserted costs more than inserting it,
 * and can only fail if the driver has a bug. So the page fault handlers do not check, and this
 * audit checks all mappings when its debugfs file is read. For every page of every user
 * mapping of every BO it compares the memory type of the user's PTE or PMD, the type that PAT
 * tracks for the page, and the type of the kernel's own mapping. It also checks that the entry
 * maps the right page of the BO.
 *
 * With CONFIG_DRM_FERRY_DEBUG_CACHING the same check runs after every insert.
 */

/**
 * struct ferry_audit - one run of the audit
 */
struct ferry_audit {
	/** @ferry: the device */
	struct ferry_device *ferry;
	/** @m: debugfs file to print to, or NULL for the kernel log */
	struct seq_file *m;
	/** @tracked: memory type that PAT tracks for the aperture */
	int tracked;
	/** @mappings: number of user mappings */
	u64 mappings;
	/** @entries: number of PTEs and PMDs */
	u64 entries;
	/** @pages: number of pages that @entries map */
	u64 pages;
	/** @busy: number of user mappings that were skipped, as the BO was reserved */
	u64 busy;
	/** @disagreements: number of pages with a wrong PFN or differing memory types */
	u64 disagreements;
};

/*
 * PAT has no function to query the memory type that it tracks. But if a type is tracked, a
 * new mapping that requests write-back gets that type.
 */
static int ferry_audit_tracked_aperture(struct ferry_device *ferry)
{
	void __iomem *vaddr = ioremap_cache(ferry->bar.base, PAGE_SIZE);
	int memtype;

	if (!vaddr)
		return FERRY_PAT_UNKNOWN;

	memtype = ferry_pat_of_kernel_address((void __force *)vaddr);
	iounmap(vaddr);
	return memtype;
}

/* PAT keeps the memory type of RAM in two flags of the page. */
static int ferry_audit_tracked_page(struct page *page)
{
	bool arch_1 = test_bit(PG_arch_1, ferry_compat_page_flags(page));
	bool arch_2 = test_bit(PG_arch_2, ferry_compat_page_flags(page));

	if (arch_2)
		return arch_1 ? DRM_FERRY_MEMTYPE_WT : DRM_FERRY_MEMTYPE_UC_MINUS;

	return arch_1 ? DRM_FERRY_MEMTYPE_WC : DRM_FERRY_MEMTYPE_WB;
}

static void ferry_audit_page(struct ferry_audit *audit, struct ferry_pte_map *map,
			     unsigned long address, pgoff_t page, unsigned long pfn, int user)
{
	u64 offset = (u64)page << PAGE_SHIFT;
	unsigned long want = ferry_cursor_pfn(&map->cursor, offset);
	int kernel = ferry_pat_of_kernel_address(ferry_cursor_vaddr(&map->cursor, offset));
	int tracked;

	if (!pat_enabled()) /* PAT tracks nothing */
		tracked = user;
	else if (ferry_cursor_in_aperture(&map->cursor))
		tracked = audit->tracked;
	else
		tracked = ferry_audit_tracked_page(ferry_cursor_page(&map->cursor, offset));

	audit->pages++;
	if (user == tracked && user == kernel && pfn == want)
		return;

	audit->disagreements++;
	if (audit->m)
		seq_printf(audit->m, "disagreement at 0x%lx: bo 0x%llx page %lu pfn 0x%lx should be 0x%lx, user %s, tracked %s, kernel %s\n",
			   address, drm_vma_node_offset_addr(&map->bo->base.base.vma_node), page,
			   pfn, want, ferry_pat_name(user), ferry_pat_name(tracked),
			   ferry_pat_name(kernel));
	else
		drm_err_once(&audit->ferry->drm, "page %lu at 0x%lx, pfn 0x%lx should be 0x%lx: user %s, tracked %s, kernel %s\n",
			     page, address, pfn, want, ferry_pat_name(user),
			     ferry_pat_name(tracked), ferry_pat_name(kernel));
}

/* Returns the entry that maps @address, or 0. Sets @size to the size of the entry or the hole. */
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

/*
 * The caller holds mmap_lock, so the page tables are not freed, and the BO's reservation, so the
 * entries do not change.
 */
static void ferry_audit_range(struct ferry_audit *audit, struct ferry_pte_map *map,
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
			ferry_audit_page(audit, map, address,
					 ferry_pte_page_of(map->vma, address),
					 pfn + ((address - first) >> PAGE_SHIFT), user);
	}
}

/* The device's files and its dma-bufs share one address space, and map nothing but BOs. */
static bool ferry_audit_is_mapping(struct ferry_device *ferry, struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_file->f_mapping == ferry->drm.anon_inode->i_mapping;
}

static void ferry_audit_vma(struct ferry_audit *audit, struct vm_area_struct *vma)
{
	struct drm_gem_object *obj = vma->vm_private_data;
	struct ferry_pte_map map;

	if (!ferry_audit_is_mapping(audit->ferry, vma))
		return;

	/* mmap_lock is held: waiting here would block the process until the BO is idle. */
	if (!dma_resv_trylock(obj->resv)) {
		audit->busy++;
		return;
	}

	audit->mappings++;
	ferry_pte_init(&map, gem_to_ferry_bo(obj), vma);
	ferry_audit_range(audit, &map, vma->vm_mm, vma->vm_start, vma->vm_end);
	dma_resv_unlock(obj->resv);
}

static void ferry_audit_mm(struct ferry_audit *audit, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, 0);
	if (mmap_read_lock_killable(mm))
		return;
	for_each_vma(vmi, vma)
		ferry_audit_vma(audit, vma);
	mmap_read_unlock(mm);
}

/* Returns the mm of the process after *@pid, with a reference, or NULL; advances *@pid. */
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
 * ferry_audit_show - audit all user mappings of all BOs
 * @ferry: the device
 * @m: debugfs file to print each disagreement and a summary to
 *
 * Skips mappings of BOs that another thread has reserved; the summary has their number.
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
	seq_printf(m, "mappings %llu entries %llu pages %llu disagreements %llu busy %llu\n",
		   audit.mappings, audit.entries, audit.pages, audit.disagreements, audit.busy);
	return 0;
}

#ifdef CONFIG_DRM_FERRY_DEBUG_CACHING
/**
 * ferry_audit_check - check the entries that were just inserted
 * @map: the BO, the mapping and the fault-around window
 * @address: address in the window's 2 MiB
 */
void ferry_audit_check(struct ferry_pte_map *map, unsigned long address)
{
	struct ferry_device *ferry = ferry_bo_device(map->bo);
	struct ferry_audit audit = { .ferry = ferry, .tracked = ferry->bar.effective };
	pgoff_t page = ferry_pte_page_of(map->vma, address);
	unsigned long start = (address & PAGE_MASK) - ((page - map->page) << PAGE_SHIFT);

	ferry_audit_range(&audit, map, map->vma->vm_mm, start,
			  start + (map->window << PAGE_SHIFT));
	WARN_ONCE(audit.disagreements, "ferry: a page has two memory types\n");
}
#endif
