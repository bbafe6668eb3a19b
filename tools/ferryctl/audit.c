// SPDX-License-Identifier: MIT
/* ferryctl audit */

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "json.h"

struct audit {
	char requested[MEMTYPE_MAX], effective[MEMTYPE_MAX];
	char tracked[MEMTYPE_MAX], kernel[MEMTYPE_MAX];
	unsigned long long mappings, entries, pages, disagreements, busy;
};

static bool parse(struct audit *audit, const char *text)
{
	const char *aperture = strstr(text, "aperture requested ");
	const char *sums = strstr(text, "mappings ");

	return aperture && sums &&
	       sscanf(aperture,
		      "aperture requested %23s effective %23s tracked %23s kernel %23s",
		      audit->requested, audit->effective, audit->tracked,
		      audit->kernel) == 4 &&
	       sscanf(sums,
		      "mappings %llu entries %llu pages %llu disagreements %llu busy %llu",
		      &audit->mappings, &audit->entries, &audit->pages,
		      &audit->disagreements, &audit->busy) == 5;
}

static void audit_json(const struct audit *audit)
{
	json_object(NULL);
	json_object("aperture");
	json_string("requested", audit->requested);
	json_string("effective", audit->effective);
	json_string("tracked", audit->tracked);
	json_string("kernel", audit->kernel);
	json_object_end();
	json_number("mappings", audit->mappings);
	json_number("entries", audit->entries);
	json_number("pages", audit->pages);
	json_number("disagreements", audit->disagreements);
	json_number("skipped", audit->busy);
	json_object_end();
}

static void print_disagreements(const char *text)
{
	while (text && !strncmp(text, "disagreement", 12)) {
		printf("  %.*s\n", (int)strcspn(text, "\n"), text);
		text = strchr(text, '\n');
		text += !!text;
	}
}

static void audit_text(const struct audit *audit, const char *text)
{
	bool tracked = strcmp(audit->tracked, "off");

	printf("aperture     %s in the kernel's own mapping; PAT %s%s\n",
	       audit->kernel, tracked ? "tracks " : "is off",
	       tracked ? audit->tracked : "");
	printf("checked      %llu pages in %llu page table entries of %llu user mappings\n",
	       audit->pages, audit->entries, audit->mappings);
	if (audit->busy)
		printf("skipped      %llu mappings, whose BOs were reserved; repeat the audit to see them\n",
		       audit->busy);
	if (!audit->disagreements) {
		printf("result       %sall of them agree%s\n",
		       ctl_colour(CTL_GREEN), ctl_colour(CTL_PLAIN));
		return;
	}
	printf("result       %s%llu pages differ in their memory type or map a wrong page%s\n",
	       ctl_colour(CTL_RED), audit->disagreements,
	       ctl_colour(CTL_PLAIN));
	print_disagreements(text);
	fflush(stdout);
}

static enum ctl_status run(const struct ctl_args *args)
{
	struct audit audit = { 0 };
	enum ctl_status status;
	struct device dev;
	char *text;

	status = device_find(args->operand, true, &dev);
	if (!status)
		status = device_read(&dev, "ferry_caching", &text);
	if (status)
		return status;
	if (!parse(&audit, text))
		return ctl_fail(
			CTL_FAILED,
			"install the ferryctl that belongs to the module",
			"the audit's file has another format");
	if (args->json)
		audit_json(&audit);
	else
		audit_text(&audit, text);
	free(text);
	if (!audit.disagreements)
		return CTL_OK;
	return ctl_fail(CTL_FOUND,
			"report it, with this output and the kernel log",
			"this is an error of the driver");
}

const struct ctl_command ctl_audit = {
	.name = "audit",
	.operand = "DEVICE",
	.brief = "Compare the memory types of all mappings",
	.text = "Compare the memory type of each page of each user mapping of each BO with the type that PAT "
		"tracks and with that of the kernel's own mapping, and check that it maps the right page. "
		"Different types for one page can lose writes. The command needs debugfs and root.",
	.run = run,
};
