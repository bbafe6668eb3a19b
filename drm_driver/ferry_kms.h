/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_KMS_H_
#define _FERRY_KMS_H_

struct ferry_device;

int ferry_kms_probe(struct ferry_device *ferry);
int ferry_kms_start(struct ferry_device *ferry);
void ferry_kms_reset(struct ferry_device *ferry);
void ferry_kms_off(struct ferry_device *ferry);
int ferry_kms_init(struct ferry_device *ferry);

#endif /* _FERRY_KMS_H_ */
