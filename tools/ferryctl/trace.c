// SPDX-License-Identifier: MIT
/* ferryctl trace */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "file.h"
#include "json.h"

#define TRACING "/sys/kernel/tracing"

struct trace {
	const struct device *dev;
	bool json;
	char instance[FILE_PATH_MAX];
	/* BO to show, or 0 */
	uint64_t bo;
	double left;
};

/* A line of trace_pipe: "COMM-PID [CPU] FLAGS TIME: EVENT: NAME=VALUE..." */
struct event {
	char comm[32], name[16];
	int pid;
	double time;
	/** @fields: the rest of the line */
	const char *fields;
};

static bool parse(struct event *event, char *line)
{
	char *mark = strstr(line, ": ferry_"), *bracket, *dash, *end;

	if (!mark)
		return false;
	*mark = 0;
	end = strchr(mark + 2, ':');
	bracket = strstr(line, " [");
	if (!end || !bracket)
		return false;
	*end = 0;
	*bracket = 0;
	event->fields = end + 1;
	snprintf(event->name, sizeof(event->name), "%.15s", mark + 8);
	event->time = strtod(strrchr(bracket + 1, ' '), NULL);
	dash = strrchr(line, '-');
	if (!dash)
		return false;
	*dash = 0;
	event->pid = atoi(dash + 1);
	snprintf(event->comm, sizeof(event->comm), "%.31s",
		 line + strspn(line, " "));
	/* The kernel does not record the names of all processes. */
	if (!strcmp(event->comm, "<...>"))
		file_line(event->comm, sizeof(event->comm), "/proc/%d/comm",
			  event->pid);
	return true;
}

/* Copy the value of " NAME=VALUE"; "" if there is none. */
static void field(const struct event *event, const char *name, char *value,
		  size_t size)
{
	size_t length = strlen(name);
	const char *at = event->fields;

	*value = 0;
	while ((at = strchr(at, ' '))) {
		at++;
		if (strncmp(at, name, length) || at[length] != '=')
			continue;
		at += length + 1;
		snprintf(value, size, "%.*s", (int)strcspn(at, " \n"), at);
		return;
	}
}

static void event_json(const struct event *event)
{
	const char *at = event->fields;

	json_object(NULL);
	json_real("time", event->time);
	json_string("event", event->name);
	json_string("process", event->comm);
	json_number("pid", event->pid);
	while (*at && *at != '\n') {
		char name[32], value[64];

		at += strspn(at, " ");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "=\n"),
			 at);
		field(event, name, value, sizeof(value));
		if (*value)
			json_string(name, value);
		at += strcspn(at, " \n");
	}
	json_object_end();
}

static void event_text(const struct event *event)
{
	char a[64], b[64], c[64], size[24];

	printf("%12.6f  %-20s %-7s ", event->time, event->comm, event->name);
	if (!strcmp(event->name, "move")) {
		field(event, "from", a, sizeof(a));
		field(event, "to", b, sizeof(b));
		printf("%s -> %s", a, b);
		field(event, "bytes", a, sizeof(a));
		field(event, "ns", b, sizeof(b));
		field(event, "reason", c, sizeof(c));
		printf(", %s in %.3f ms, %s",
		       ctl_size(size, strtoull(a, NULL, 10)),
		       strtoull(b, NULL, 10) * 1e-6, c);
	} else if (!strcmp(event->name, "fault")) {
		field(event, "page", a, sizeof(a));
		field(event, "placement", b, sizeof(b));
		field(event, "result", c, sizeof(c));
		printf("page %s in %s: %s", a, b, c);
		field(event, "order", a, sizeof(a));
		if (strcmp(a, "0"))
			printf(", requested %s",
			       ctl_size(size, 4096ull << (atoi(a) & 31)));
	} else {
		field(event, "pages", a, sizeof(a));
		field(event, "address", b, sizeof(b));
		printf("%s of PTEs at %s",
		       ctl_size(size, strtoull(a, NULL, 10) * 4096), b);
	}
	field(event, "bo", a, sizeof(a));
	printf(", BO %s\n", a);
}

static void show(struct trace *trace, char *line)
{
	struct event event;
	char value[64];

	if (!parse(&event, line) || trace->left <= 0)
		return;
	field(&event, "dev", value, sizeof(value));
	if (strcmp(value, trace->dev->address))
		return;
	field(&event, "bo", value, sizeof(value));
	if (trace->bo && strtoull(value, NULL, 0) != trace->bo)
		return;
	if (trace->json)
		event_json(&event);
	else
		event_text(&event);
	fflush(stdout);
	trace->left--;
}

/* Print what arrives, until a time, a signal, or enough events. */
static void follow(struct trace *trace, int fd, double until)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };
	char buffer[16384];
	size_t size = 0;

	while (!ctl_stopped() && trace->left > 0 && ctl_now() < until &&
	       !ferror(stdout)) {
		char *line = buffer, *end;
		ssize_t got;

		/* Some events do not wake poll(): look every 0.1 s. */
		poll(&input, 1, 100);
		got = read(fd, buffer + size, sizeof(buffer) - size - 1);
		if (got <= 0)
			continue;
		size += got;
		buffer[size] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			show(trace, line);
			line = end + 1;
		}
		size -= line - buffer;
		memmove(buffer, line, size);
		if (size == sizeof(buffer) - 1)
			size = 0;
	}
}

static enum ctl_status fail(const char *path, int err)
{
	return ctl_fail_read(path, err);
}

/* An instance of its own: other users of tracefs see nothing of it. */
static enum ctl_status begin(struct trace *trace, const char *const *events)
{
	char path[FILE_PATH_MAX];
	int err;

	if (file_has_root())
		return ctl_fail(CTL_USAGE, "leave out --root",
				"only events of this machine can be traced");
	if (access(file_path(path, TRACING "/instances"), F_OK))
		return fail(TRACING "/instances", -errno);
	snprintf(trace->instance, sizeof(trace->instance),
		 TRACING "/instances/ferryctl-%d", getpid());
	if (mkdir(trace->instance, 0700))
		return fail(trace->instance, -errno);
	for (; *events; events++) {
		err = file_write("1", "%s/events/ferry/%s/enable",
				 trace->instance, *events);
		if (!err)
			continue;
		file_path(path, "%s/events/ferry/%s/enable", trace->instance,
			  *events);
		rmdir(trace->instance);
		return fail(path, err);
	}
	return CTL_OK;
}

static enum ctl_status trace_events(struct trace *trace,
				    const char *const *events, double seconds)
{
	char path[FILE_PATH_MAX];
	enum ctl_status status;
	int fd;

	ctl_catch_signals();
	status = begin(trace, events);
	if (status)
		return status;
	fd = open(file_path(path, "%s/trace_pipe", trace->instance),
		  O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		status = fail(path, -errno);
	} else {
		if (isatty(STDERR_FILENO))
			ctl_progress("recording; Ctrl-C ends it");
		follow(trace, fd, ctl_now() + seconds);
		close(fd);
	}
	if (rmdir(trace->instance))
		return ctl_fail(CTL_FAILED, "remove it with rmdir", "%s: %s",
				trace->instance, strerror(errno));
	return status;
}

static enum ctl_status run(const struct ctl_args *args)
{
	struct trace trace = { .json = args->json, .left = 1e15 };
	const char *bo = ctl_value(args, "bo");
	const char *events[4] = { 0 };
	double seconds = 1e9;
	enum ctl_status status;
	struct device dev;
	int count = 0;
	char *end;

	if (!ctl_number(args, "seconds", 0.1, 1e9, &seconds) ||
	    !ctl_number(args, "count", 1, 1e15, &trace.left))
		return CTL_USAGE;
	if (bo) {
		trace.bo = strtoull(bo, &end, 0);
		if (*end || !trace.bo)
			return ctl_fail(CTL_USAGE,
					"ferryctl bos prints the names of BOs",
					"'%s' is not a BO", bo);
	}
	if (ctl_flag(args, "moves"))
		events[count++] = "ferry_move";
	if (ctl_flag(args, "faults"))
		events[count++] = "ferry_fault";
	if (!count) {
		events[count++] = "ferry_move";
		events[count++] = "ferry_fault";
	}
	if (ctl_flag(args, "inserts"))
		events[count++] = "ferry_insert";
	status = device_find(args->operand, true, &dev);
	if (status)
		return status;
	trace.dev = &dev;
	if (args->json)
		json_lines();
	return trace_events(&trace, events, seconds);
}

const struct ctl_command ctl_trace = {
	.name = "trace",
	.operand = "DEVICE",
	.brief = "Print page faults and moves as they happen",
	.text = "Print page faults and moves as they happen: the time, the process, the BO, and for a move its size, "
		"its duration and whether it was an eviction. Ctrl-C ends it. With --json each event is one "
		"line. The command needs tracefs and root.",
	.options = { { "moves", 'm', NULL, "Only moves." },
		     { "faults", 'f', NULL, "Only page faults." },
		     { "inserts", 'p', NULL,
		       "Also each insertion of page table entries." },
		     { "bo", 'b', "BO", "Only events of this BO." },
		     { "seconds", 's', "S", "End after S seconds." },
		     { "count", 'n', "N", "End after N events." } },
	.run = run,
};
