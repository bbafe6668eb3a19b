// SPDX-License-Identifier: MIT
/* ferryctl bos */

#include <stdlib.h>
#include <string.h>

#include <libdrm_ferry/ferry.h>

#include "bos.h"
#include "device.h"
#include "json.h"

static const char *placement_of(const struct bos_bo *bo)
{
	return bo->busy ? "busy" : bo->in_aperture ? "aperture" : "system";
}

static void bo_json(const struct bos_bo *bo)
{
	json_object(NULL);
	json_number("offset", bo->offset);
	json_number("size", bo->size);
	json_number("handles", bo->handles);
	json_bool("busy", bo->busy);
	if (!bo->busy) {
		json_string("placement", placement_of(bo));
		json_number("allowed_placements", bo->allowed);
		json_string("caching", bo->caching);
		json_number("flags", bo->flags);
		json_bool("pinned", bo->pinned);
		json_string("contents", bos_madv_name(bo->madv));
		json_number("huge_size", bo->huge);
		json_number("pieces", bo->block_count);
	}
	json_object_end();
}

/* What is special about a BO, or "". */
static void remarks_of(const struct bos_bo *bo, char *text, size_t size)
{
	const char *remarks[6];
	unsigned int count = 0;
	int length = 0;

	if (bo->pinned)
		remarks[count++] = "pinned";
	if (bo->allowed == DRM_FERRY_PLACEMENT_APERTURE)
		remarks[count++] = "aperture-only";
	if (bo->flags & DRM_FERRY_BO_CONTIGUOUS)
		remarks[count++] = "contiguous";
	if (bo->madv != DRM_FERRY_MADV_WILLNEED)
		remarks[count++] = bos_madv_name(bo->madv);
	if (!bo->handles)
		remarks[count++] = "no handle";
	*text = 0;
	for (unsigned int i = 0; i < count && length < (int)size; i++)
		length += snprintf(text + length, size - length, "%s%s",
				   i ? ", " : "", remarks[i]);
}

static void bo_text(const struct bos_bo *bo)
{
	char size[24], huge[24], remarks[96], pieces[16] = "-";

	remarks_of(bo, remarks, sizeof(remarks));
	if (bo->block_count)
		snprintf(pieces, sizeof(pieces), "%u", bo->block_count);
	printf("0x%-12llx %10s  %-9s %-7s %10s %6s  %s\n",
	       (unsigned long long)bo->offset, ctl_size(size, bo->size),
	       placement_of(bo), bo->busy ? "-" : bo->caching,
	       ctl_size(huge, bo->huge), pieces, remarks);
}

static enum ctl_status run(const struct ctl_args *args)
{
	uint64_t system = 0, aperture = 0;
	char first[24], second[24];
	enum ctl_status status;
	struct device dev;
	struct bos bos;

	status = device_find(args->operand, true, &dev);
	if (!status)
		status = bos_read(&dev, &bos);
	if (status)
		return status;
	if (args->json)
		json_array(NULL);
	else
		printf("%s%-14s %10s  %-9s %-7s %10s %6s  %s%s\n",
		       ctl_colour(CTL_BOLD), "BO", "SIZE", "PLACEMENT",
		       "CACHING", "HUGE", "PIECES", "REMARKS",
		       ctl_colour(CTL_PLAIN));
	for (unsigned int i = 0; i < bos.count; i++) {
		const struct bos_bo *bo = &bos.at[i];

		*(bo->in_aperture ? &aperture : &system) += bo->size;
		if (args->json)
			bo_json(bo);
		else
			bo_text(bo);
	}
	if (args->json)
		json_array_end();
	else
		printf("%u BOs, %s in system memory, %s in the aperture\n",
		       bos.count, ctl_size(first, system),
		       ctl_size(second, aperture));
	bos_free(&bos);
	return CTL_OK;
}

const struct ctl_command ctl_bos = {
	.name = "bos",
	.operand = "DEVICE",
	.brief = "List the buffer objects of a device",
	.text = "List the BOs of a device: the fake offset, which is their name in traces and in the map; size; "
		"placement; caching while in system memory; the bytes that PMDs can map; the number of pieces "
		"in the aperture. 'busy' is a BO that another thread had reserved. "
		"The command needs debugfs and root.",
	.run = run,
};
