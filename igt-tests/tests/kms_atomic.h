/* SPDX-License-Identifier: MIT */
/*
 * Properties of the display pipeline, and atomic commits.
 */
#ifndef KMS_ATOMIC_H
#define KMS_ATOMIC_H

#include <string.h>

#include <xf86drmMode.h>

#include "igt.h"

/* Look up the property @name of an object; store its value unless @value is NULL. */
static inline uint32_t property(int fd, uint32_t object, uint32_t type,
				const char *name, uint64_t *value)
{
	drmModeObjectProperties *props =
		drmModeObjectGetProperties(fd, object, type);
	uint32_t id = 0;

	igt_assert(props);
	for (uint32_t i = 0; i < props->count_props && !id; i++) {
		drmModePropertyRes *prop =
			drmModeGetProperty(fd, props->props[i]);

		igt_assert(prop);
		if (!strcmp(prop->name, name)) {
			id = prop->prop_id;
			if (value)
				*value = props->prop_values[i];
		}
		drmModeFreeProperty(prop);
	}
	drmModeFreeObjectProperties(props);
	return id;
}

static inline void atomic_add(drmModeAtomicReq *req, int fd, uint32_t object,
			      uint32_t type, const char *name, uint64_t value)
{
	uint32_t id = property(fd, object, type, name, NULL);

	igt_assert_f(id, "no property %s\n", name);
	igt_assert_lt(0, drmModeAtomicAddProperty(req, object, id, value));
}

#endif /* KMS_ATOMIC_H */
