// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"

/**
 * igt_ferry_audit - have the driver audit every mapping of its BOs
 */
void igt_ferry_audit(int fd, struct igt_ferry_audit *audit)
{
	int dir = igt_debugfs_dir(fd), file, found = 0;
	char line[512];
	FILE *stream;

	memset(audit, 0, sizeof(*audit));
	igt_assert_f(dir >= 0, "no debugfs directory of the device\n");
	file = openat(dir, "ferry_caching", O_RDONLY | O_CLOEXEC);
	igt_assert_f(file >= 0, "debugfs ferry_caching: %s\n", strerror(errno));
	close(dir);
	stream = fdopen(file, "r");
	igt_assert(stream);
	while (fgets(line, sizeof(line), stream)) {
		if (!strncmp(line, "disagreement at", 15) && !audit->first[0])
			snprintf(audit->first, sizeof(audit->first), "%s",
				 line);
		found +=
			sscanf(line,
			       "aperture requested %31s effective %31s tracked %31s kernel %31s",
			       audit->requested, audit->effective,
			       audit->tracked, audit->kernel) == 4;
		found += sscanf(line,
				"mappings %" SCNu64 " entries %" SCNu64
				" pages %" SCNu64 " disagreements %" SCNu64,
				&audit->mappings, &audit->entries,
				&audit->pages, &audit->disagreements) == 4;
	}
	fclose(stream);
	igt_assert_f(found == 2, "ferry_caching has no summary\n");
	errno = 0;
}

/**
 * igt_ferry_audit_clean - have the driver audit every mapping, and fail on a disagreement
 * @fd: device file
 * @audit: the result, or NULL
 */
void igt_ferry_audit_clean(int fd, struct igt_ferry_audit *audit)
{
	struct igt_ferry_audit own;

	if (!audit)
		audit = &own;
	igt_ferry_audit(fd, audit);
	igt_assert_f(!audit->disagreements,
		     "%" PRIu64 " pages of %" PRIu64 " disagree, the first: %s",
		     audit->disagreements, audit->pages, audit->first);
}

static void read_faults(int fd, struct igt_ferry_faults *faults)
{
	static const char *const names[] = { "faults", "fault_pages",
					     "faults_2m", "faults_oom" };
	uint64_t now[ARRAY_SIZE(names)];

	igt_ferry_stats(fd, names, now, ARRAY_SIZE(names));
	*faults = (struct igt_ferry_faults){ now[0], now[1], now[2], now[3] };
}

void igt_ferry_faults_start(int fd, struct igt_ferry_faults *faults)
{
	read_faults(fd, faults);
}

/**
 * igt_ferry_faults_since - replace the counters of the start by the differences since then
 *
 * Fail if a fault returned VM_FAULT_OOM: the tests that call this do not run out of memory.
 */
void igt_ferry_faults_since(int fd, struct igt_ferry_faults *faults)
{
	struct igt_ferry_faults now;

	read_faults(fd, &now);
	faults->faults = now.faults - faults->faults;
	faults->pages = now.pages - faults->pages;
	faults->huge = now.huge - faults->huge;
	faults->oom = now.oom - faults->oom;
	igt_assert_f(!faults->oom, "%" PRIu64 " faults were out of memory\n",
		     faults->oom);
}

const char *igt_ferry_memtype_name(uint32_t memtype)
{
	static const char *const names[] = {
		[DRM_FERRY_MEMTYPE_UC] = "uncached",
		[DRM_FERRY_MEMTYPE_UC_MINUS] = "uncached-minus",
		[DRM_FERRY_MEMTYPE_WC] = "write-combining",
		[DRM_FERRY_MEMTYPE_WT] = "write-through",
		[DRM_FERRY_MEMTYPE_WP] = "write-protected",
		[DRM_FERRY_MEMTYPE_WB] = "write-back",
	};

	return memtype < ARRAY_SIZE(names) ? names[memtype] : "?";
}
