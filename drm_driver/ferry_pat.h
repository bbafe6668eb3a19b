/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PAT_H_
#define _FERRY_PAT_H_

#include <linux/pgtable.h>
#include <linux/types.h>

#include <drm/ferry_drm.h>

/* A memory type that cannot be read, or whose encoding is reserved */
#define FERRY_PAT_UNKNOWN (-1)

const char *ferry_pat_name(int memtype);
int ferry_pat_decode(u64 entry, bool large, u64 pat);
int ferry_pat_of_entry(u64 entry, bool large);
int ferry_pat_of_kernel_address(const void *vaddr);
pgprot_t ferry_pat_pgprot(enum drm_ferry_memtype memtype, pgprot_t prot);

#endif /* _FERRY_PAT_H_ */
