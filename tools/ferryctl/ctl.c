// SPDX-License-Identifier: MIT
/* See ctl.h. */

#include "ctl.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

const char *ctl_value(const struct ctl_args *args, const char *name)
{
	for (int i = 0; args->command->options[i].name; i++)
		if (!strcmp(args->command->options[i].name, name))
			return args->values[i];
	return NULL;
}

bool ctl_number(const struct ctl_args *args, const char *name, double least,
		double most, double *number)
{
	const char *value = ctl_value(args, name);
	double is;
	char *end;

	if (!value)
		return true;

	is = strtod(value, &end);
	if (end == value || *end || !isfinite(is) || is < least || is > most) {
		ctl_fail(CTL_USAGE, NULL,
			 "--%s needs a number from %g to %g, and not '%s'",
			 name, least, most, value);
		return false;
	}
	*number = is;
	return true;
}

enum ctl_status ctl_fail(enum ctl_status status, const char *next,
			 const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "ferryctl: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	if (next)
		fprintf(stderr, "  next step: %s\n", next);
	return status;
}

enum ctl_status ctl_fail_read(const char *file, int err)
{
	if (err == -EACCES || err == -EPERM)
		return ctl_fail(CTL_NOT_PERMITTED, "run it as root, with sudo",
				"only root may read %s", file);
	if (err == -ENOENT && strstr(file, "/tracing/"))
		return ctl_fail(
			CTL_FAILED,
			"mount -t tracefs tracefs /sys/kernel/tracing, and load the module ferry",
			"%s does not exist: tracefs is not mounted, or ferry is not loaded",
			file);
	if (err == -ENOENT)
		return ctl_fail(CTL_FAILED,
				"mount -t debugfs debugfs /sys/kernel/debug",
				"%s does not exist: debugfs is not mounted",
				file);
	return ctl_fail(CTL_FAILED, "run ferryctl doctor", "%s: %s", file,
			strerror(-err));
}

void ctl_progress(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "ferryctl: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
}

const char *ctl_colour(enum ctl_colour colour)
{
	static const char *const sequences[] = {
		[CTL_PLAIN] = "\033[0m",   [CTL_BOLD] = "\033[1m",
		[CTL_RED] = "\033[31m",	   [CTL_GREEN] = "\033[32m",
		[CTL_YELLOW] = "\033[33m",
	};
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || (no && *no) ||
	    (term && !strcmp(term, "dumb")))
		return "";
	return sequences[colour];
}

const char *ctl_size(char *text, uint64_t size)
{
	static const struct {
		const char *name;
		int shift;
	} units[] = {
		{ "TiB", 40 }, { "GiB", 30 }, { "MiB", 20 }, { "KiB", 10 }
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(units); i++) {
		if (size >> units[i].shift) {
			double scaled = (double)size / (1ull << units[i].shift);

			snprintf(text, 24, "%.4g %s", round(scaled * 10) / 10,
				 units[i].name);
			return text;
		}
	}
	snprintf(text, 24, "%llu B", (unsigned long long)size);
	return text;
}

bool ctl_ask(const char *question)
{
	char answer[16];

	printf("%s [y/N] ", question);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

double ctl_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

void ctl_catch_signals(void)
{
	/* Without SA_RESTART: a read() or poll() that waits returns. */
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* A write to a pipe that is closed fails, and ends the program in order. */
	signal(SIGPIPE, SIG_IGN);
}

bool ctl_stopped(void)
{
	return stopped;
}
