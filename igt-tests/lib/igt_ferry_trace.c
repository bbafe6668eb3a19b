// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>

#include "igt.h"

#include "igt_ferry_module.h"
#include "igt_ferry_trace.h"

#define INSTANCES "/sys/kernel/tracing/instances"
#define INSTANCE INSTANCES "/ferry_igt"
#define KPROBES "/sys/kernel/tracing/kprobe_events"
#define PROBE "ferry_igt/probe"

/* Remove the instance first: a probe that it records cannot be removed. */
static void end_at_exit(int sig)
{
	(void)sig;
	rmdir(INSTANCE);
	igt_ferry_write_file(KPROBES, "-:" PROBE);
}

static void begin(const char *event)
{
	char path[128];

	igt_assert_f(mkdir(INSTANCE, 0700) == 0, INSTANCE ": %s\n",
		     strerror(errno));
	snprintf(path, sizeof(path), INSTANCE "/events/%s/enable", event);
	igt_ferry_must_write_file(path, "1");
}

/* Also remove the instance and the probe of a subtest that failed. */
static void require_tracefs(void)
{
	igt_require_f(access(INSTANCES, W_OK) == 0,
		      INSTANCES ": tracefs is not mounted\n");
	igt_install_exit_handler(end_at_exit);
	igt_ferry_trace_end();
}

/**
 * igt_ferry_trace_begin - start to record an event
 * @event: group of events, or GROUP/NAME of one event
 *
 * Skip if tracefs is not mounted.
 */
void igt_ferry_trace_begin(const char *event)
{
	require_tracefs();
	begin(event);
}

/**
 * igt_ferry_trace_begin_probe - start to record the calls of a kernel function
 * @kind: "p" to record when it is entered, "r" when it returns
 * @where: the function and the values to record, as in kprobe_events
 *
 * The lines of the record have "probe: " in them. Skip if the kernel cannot probe the
 * function.
 */
void igt_ferry_trace_begin_probe(const char *kind, const char *where)
{
	char line[256];
	int err;

	require_tracefs();
	snprintf(line, sizeof(line), "%s:" PROBE " %s\n", kind, where);
	err = igt_ferry_write_file(KPROBES, line);
	igt_require_f(!err, KPROBES ": no probe on %s: %s\n", where,
		      strerror(-err));
	begin(PROBE);
}

/**
 * igt_ferry_trace_clear - empty the record
 */
void igt_ferry_trace_clear(void)
{
	/* O_TRUNC empties the trace buffer */
	int file = open(INSTANCE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	igt_assert_fd(file);
	close(file);
}

/**
 * igt_ferry_trace_count - count the lines of the record that have both @a and @b
 */
unsigned int igt_ferry_trace_count(const char *a, const char *b)
{
	FILE *file = fopen(INSTANCE "/trace", "r");
	unsigned int count = 0;
	char line[512];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, a) && strstr(line, b);
	fclose(file);
	return count;
}

/**
 * igt_ferry_trace_end - stop recording, and discard the record
 */
void igt_ferry_trace_end(void)
{
	end_at_exit(0);
	errno = 0;
}
