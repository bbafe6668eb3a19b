/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_AUDIT_H_
#define _FERRY_AUDIT_H_

struct ferry_device;
struct ferry_pte_map;
struct seq_file;

int ferry_audit_show(struct ferry_device *ferry, struct seq_file *m);

#ifdef CONFIG_DRM_FERRY_DEBUG_CACHING
void ferry_audit_check(struct ferry_pte_map *map, unsigned long address);
#else
static inline void ferry_audit_check(struct ferry_pte_map *map, unsigned long address)
{
}
#endif

#endif /* _FERRY_AUDIT_H_ */
