// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/kernel.h>

#include <asm/pgtable.h>

#include <kunit/visibility.h>

#include "ferry_compat.h"
#include "ferry_pat.h"

/**
 * ferry_pat_name - get the name of a memory type
 * @memtype: one of &enum drm_ferry_memtype, or %FERRY_PAT_UNKNOWN
 *
 * Return: the name, spelled as in /sys/kernel/debug/x86/pat_memtype_list.
 */
const char *ferry_pat_name(int memtype)
{
	static const char * const names[] = {
		[DRM_FERRY_MEMTYPE_UC] = "uncached",
		[DRM_FERRY_MEMTYPE_UC_MINUS] = "uncached-minus",
		[DRM_FERRY_MEMTYPE_WC] = "write-combining",
		[DRM_FERRY_MEMTYPE_WT] = "write-through",
		[DRM_FERRY_MEMTYPE_WP] = "write-protected",
		[DRM_FERRY_MEMTYPE_WB] = "write-back",
	};

	return memtype >= 0 && memtype < ARRAY_SIZE(names) ? names[memtype] : "unknown";
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pat_name);

/**
 * ferry_pat_decode - decode the memory type of a page table entry
 * @entry: the entry
 * @large: the entry maps more than 4 KiB, so its PAT bit is bit 12 instead of bit 7
 * @pat: value of the MSR IA32_PAT
 *
 * Return: one of &enum drm_ferry_memtype, or %FERRY_PAT_UNKNOWN for an encoding that is
 * reserved.
 */
int ferry_pat_decode(u64 entry, bool large, u64 pat)
{
	/* memory types by their encoding in IA32_PAT */
	static const int types[8] = {
		DRM_FERRY_MEMTYPE_UC, DRM_FERRY_MEMTYPE_WC,
		FERRY_PAT_UNKNOWN, FERRY_PAT_UNKNOWN,
		DRM_FERRY_MEMTYPE_WT, DRM_FERRY_MEMTYPE_WP,
		DRM_FERRY_MEMTYPE_WB, DRM_FERRY_MEMTYPE_UC_MINUS,
	};
	u64 pat_bit = large ? _PAGE_PAT_LARGE : _PAGE_PAT;
	int slot = (entry & _PAGE_PWT ? 1 : 0) | (entry & _PAGE_PCD ? 2 : 0) |
		   (entry & pat_bit ? 4 : 0);

	return types[(pat >> (slot * 8)) & 7];
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pat_decode);

/**
 * ferry_pat_of_entry - decode the memory type of a page table entry of this CPU
 * @entry: the entry
 * @large: the entry maps more than 4 KiB
 *
 * Return: one of &enum drm_ferry_memtype, or %FERRY_PAT_UNKNOWN.
 */
int ferry_pat_of_entry(u64 entry, bool large)
{
	return ferry_pat_decode(entry, large, ferry_compat_rdmsr(MSR_IA32_CR_PAT));
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pat_of_entry);

/**
 * ferry_pat_of_kernel_address - look up the memory type of a kernel address
 * @vaddr: the kernel address
 *
 * Return: one of &enum drm_ferry_memtype, or %FERRY_PAT_UNKNOWN if nothing is mapped there.
 */
int ferry_pat_of_kernel_address(const void *vaddr)
{
	unsigned int level;
	pte_t *pte;

	pte = lookup_address((unsigned long)vaddr, &level);
	if (!pte || !pte_present(*pte))
		return FERRY_PAT_UNKNOWN;

	return ferry_pat_of_entry(pte_val(*pte), level != PG_LEVEL_4K);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pat_of_kernel_address);

/**
 * ferry_pat_pgprot - set the memory type of page protection bits
 * @memtype: the memory type; UC- is used for all types except WB and WC
 * @prot: protection bits of a write-back mapping
 *
 * Return: @prot with the memory type.
 */
pgprot_t ferry_pat_pgprot(enum drm_ferry_memtype memtype, pgprot_t prot)
{
	switch (memtype) {
	case DRM_FERRY_MEMTYPE_WB:
		return prot;
	case DRM_FERRY_MEMTYPE_WC:
		return pgprot_writecombine(prot);
	default:
		return pgprot_noncached(prot);
	}
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pat_pgprot);
