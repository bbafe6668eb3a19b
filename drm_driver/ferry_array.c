// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/ferry_drm.h>

#include "ferry_array.h"

/**
 * ferry_array_copy - copy an array of structures from user space
 * @address: user address of the first element
 * @count: number of elements; not 0
 * @stride: bytes from one element to the next in user space
 * @min_size: size of an element in the first version of the interface that has it
 * @size: size of an element as this kernel knows it
 *
 * The elements of a program that was built for an older interface are shorter: the rest of the
 * copy is zero. Those of a newer program are longer: the bytes that this kernel does not know
 * must be zero.
 *
 * Return: the elements, for kvfree(); or an error pointer: -EINVAL for a stride below
 * @min_size or above %DRM_FERRY_STRIDE_MAX, -E2BIG if unknown bytes are not zero, -EFAULT
 * or -ENOMEM.
 */
void *ferry_array_copy(u64 address, u32 count, u32 stride, size_t min_size, size_t size)
{
	void __user *from = u64_to_user_ptr(address);
	void *copy;
	u32 i;
	int ret;

	if (stride < min_size || stride > DRM_FERRY_STRIDE_MAX)
		return ERR_PTR(-EINVAL);

	copy = kvmalloc_array(count, size, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return ERR_PTR(-ENOMEM);

	if (stride == size) {
		if (!copy_from_user(copy, from, count * size))
			return copy;
		kvfree(copy);
		return ERR_PTR(-EFAULT);
	}

	for (i = 0; i < count; i++) {
		ret = copy_struct_from_user(copy + i * size, size, from + (u64)i * stride, stride);
		if (ret) {
			kvfree(copy);
			return ERR_PTR(ret);
		}
	}

	return copy;
}
