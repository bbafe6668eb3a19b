/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_DEBUGFS_H_
#define _FERRY_DEBUGFS_H_

struct ferry_device;

void ferry_debugfs_init(struct ferry_device *ferry);

#endif /* _FERRY_DEBUGFS_H_ */
