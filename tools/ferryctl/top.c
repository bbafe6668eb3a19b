// SPDX-License-Identifier: MIT
/* ferryctl top */

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bos.h"
#include "client.h"
#include "device.h"
#include "file.h"
#include "json.h"

#define COLUMNS 64
#define ROWS 8

struct top {
	const struct device *dev;
	/* ferry_stats now and one interval ago */
	char *stats, *before;
	double seconds;
	struct device_aperture aperture;
	struct bos bos;
	struct client_list clients;
};

static uint64_t total(const struct top *top, const char *name)
{
	return file_field_number(top->stats, name);
}

static double rate(const struct top *top, const char *name)
{
	double difference = (double)total(top, name) -
			    (double)file_field_number(top->before, name);

	return difference > 0 ? difference / top->seconds : 0;
}

/* "3.2 MiB/s" */
static const char *byte_rate(char *text, const struct top *top,
			     const char *name)
{
	return ctl_size(text, rate(top, name));
}

static void print_rates(const struct top *top)
{
	char a[24], b[24], c[24];

	printf("memory     %s of the aperture free, %s unevictable; %s in system memory, %s kept pages\n",
	       ctl_size(a, top->aperture.free),
	       ctl_size(b, total(top, "aperture_unevictable")),
	       ctl_size(c, total(top, "system_pages") * 4096),
	       ctl_size((char[24]){ 0 }, total(top, "kept_pages") * 4096));
	printf("BOs        %llu, %llu pins for the display, %llu jobs\n",
	       (unsigned long long)total(top, "bos"),
	       (unsigned long long)total(top, "scanout_pins"),
	       (unsigned long long)total(top, "jobs"));
	printf("moves/s    %.0f to the aperture (%s), %.0f to system memory (%s), %.0f inside\n",
	       rate(top, "moves_to_aperture"),
	       byte_rate(a, top, "bytes_to_aperture"),
	       rate(top, "moves_to_system"),
	       byte_rate(b, top, "bytes_to_system"), rate(top, "moves_within"));
	printf("           %.0f of them evictions; %.0f BOs purged\n",
	       rate(top, "evictions"), rate(top, "purged"));
	printf("faults/s   %.0f of 4 KiB pages, %.0f of 2 MiB; %.0f pages mapped; %.0f without memory\n",
	       rate(top, "faults") - rate(top, "faults_2m"),
	       rate(top, "faults_2m"), rate(top, "fault_pages"),
	       rate(top, "faults_oom"));
}

/* How much of a part of the aperture BOs occupy, and whether one of them is pinned. */
static double occupied(const struct top *top, uint64_t start, uint64_t size,
		       bool *pinned)
{
	uint64_t used = 0, end = start + size;

	*pinned = false;
	for (unsigned int i = 0; i < top->bos.count; i++) {
		const struct bos_bo *bo = &top->bos.at[i];

		for (unsigned int b = 0; b < bo->block_count; b++) {
			uint64_t first = bo->blocks[b].start;
			uint64_t last = first + bo->blocks[b].size;

			first = first > start ? first : start;
			last = last < end ? last : end;
			if (first >= last)
				continue;
			used += last - first;
			*pinned |= bo->pinned;
		}
	}
	return (double)used / size;
}

static void print_map(const struct top *top)
{
	static const char *const shades[2][5] = {
		{ ".", "-", "+", "*", "#" },
		{ "·", "░", "▒", "▓", "█" },
	};
	bool unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"), pinned;
	uint64_t cell = top->aperture.size / (COLUMNS * ROWS);
	char text[24];

	printf("aperture   each cell is %s, P is pinned\n",
	       ctl_size(text, cell));
	for (int row = 0; row < ROWS && cell; row++) {
		printf("           ");
		for (int column = 0; column < COLUMNS; column++) {
			double used = occupied(top,
					       (row * COLUMNS + column) * cell,
					       cell, &pinned);

			if (pinned)
				printf("%sP%s", ctl_colour(CTL_RED),
				       ctl_colour(CTL_PLAIN));
			else
				printf("%s",
				       shades[unicode]
					     [(int)(used * 3.99) + (used > 0)]);
		}
		printf("\n");
	}
}

static void print_clients(const struct top *top)
{
	char a[24], b[24], c[24];

	printf("%s%7s  %-16s %10s %10s %10s %10s%s\n", ctl_colour(CTL_BOLD),
	       "PID", "NAME", "SYSTEM", "APERTURE", "KEPT", "COPY ms",
	       ctl_colour(CTL_PLAIN));
	for (unsigned int i = 0; i < top->clients.count; i++) {
		const struct client *client = &top->clients.at[i];

		printf("%7d  %-16s %10s %10s %10s %10.1f\n", client->pid,
		       client->name, ctl_size(a, client->system),
		       ctl_size(b, client->aperture), ctl_size(c, client->kept),
		       client->copy_ns * 1e-6);
	}
	if (top->clients.hidden)
		printf("         and the clients of other users: run as root to see them\n");
}

static void print_json(const struct top *top)
{
	static const char *const rates[] = {
		"moves_to_aperture",
		"moves_to_system",
		"moves_within",
		"bytes_to_aperture",
		"bytes_to_system",
		"evictions",
		"purged",
		"faults",
		"faults_2m",
		"fault_pages",
		"faults_oom",
	};
	static const char *const totals[] = {
		"bos",		"system_pages",
		"kept_pages",	"aperture_unevictable",
		"scanout_pins", "jobs",
	};

	json_object(NULL);
	json_string("address", top->dev->address);
	json_real("seconds", top->seconds);
	json_number("aperture_size", top->aperture.size);
	json_number("aperture_free", top->aperture.free);
	for (unsigned int i = 0; i < ARRAY_SIZE(totals); i++)
		json_number(totals[i], total(top, totals[i]));
	json_object("per_second");
	for (unsigned int i = 0; i < ARRAY_SIZE(rates); i++)
		json_real(rates[i], rate(top, rates[i]));
	json_object_end();
	json_array("clients");
	for (unsigned int i = 0; i < top->clients.count; i++) {
		const struct client *client = &top->clients.at[i];

		json_object(NULL);
		json_number("pid", client->pid);
		json_string("name", client->name);
		json_number("client_id", client->id);
		json_number("system", client->system);
		json_number("aperture", client->aperture);
		json_number("kept", client->kept);
		json_number("copy_ns", client->copy_ns);
		json_object_end();
	}
	json_array_end();
	json_object_end();
}

static void print_text(const struct top *top)
{
	char size[24];

	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[J"); /* the cursor to the top, clear below */
	printf("%s%s%s  aperture of %s, %s; q ends\n", ctl_colour(CTL_BOLD),
	       top->dev->address, ctl_colour(CTL_PLAIN),
	       ctl_size(size, top->aperture.size), top->aperture.effective);
	print_rates(top);
	print_map(top);
	print_clients(top);
}

static enum ctl_status sample(struct top *top, const struct ctl_args *args)
{
	enum ctl_status status;

	status = device_read(top->dev, "ferry_stats", &top->stats);
	if (!status)
		status = bos_read(top->dev, &top->bos);
	if (status)
		return status;
	if (!device_get_aperture(top->dev, &top->aperture)) {
		client_get_all(top->dev, &top->clients);
		if (args->json)
			print_json(top);
		else
			print_text(top);
		client_free(&top->clients);
	}
	bos_free(&top->bos);
	fflush(stdout);
	free(top->before);
	top->before = top->stats;
	top->stats = NULL;
	return CTL_OK;
}

/* Wait for the interval to pass. Returns false if the user pressed q. */
static bool wait_for(double until)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	bool terminal = isatty(STDIN_FILENO);

	while (!ctl_stopped()) {
		double left = until - ctl_now();
		char key;

		if (left <= 0)
			return true;
		if (poll(&input, terminal, left * 1e3 + 1) > 0 &&
		    (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q'))
			return false;
	}
	return false;
}

static enum ctl_status loop(struct top *top, const struct ctl_args *args,
			    double interval, double count)
{
	double last = ctl_now(), now;
	enum ctl_status status;

	status = device_read(top->dev, "ferry_stats", &top->before);
	while (!status && count-- > 0 && wait_for(last + interval)) {
		now = ctl_now();
		top->seconds = now - last;
		last = now;
		status = sample(top, args);
	}
	free(top->before);
	return status;
}

static enum ctl_status run(const struct ctl_args *args)
{
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	double interval = 1, count = terminal ? 1e9 : 1;
	struct termios saved, raw;
	struct top top = { 0 };
	enum ctl_status status;
	struct device dev;

	if (!ctl_number(args, "interval", 0.1, 3600, &interval) ||
	    !ctl_number(args, "count", 1, 1e9, &count))
		return CTL_USAGE;
	status = device_find(args->operand, true, &dev);
	if (status)
		return status;
	top.dev = &dev;
	setlocale(LC_CTYPE, "");
	ctl_catch_signals();
	if (args->json)
		json_lines();
	if (terminal && !tcgetattr(STDIN_FILENO, &saved)) {
		raw = saved;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	status = loop(&top, args, interval, count);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	return status;
}

const struct ctl_command ctl_top = {
	.name = "top",
	.operand = "DEVICE",
	.brief = "Watch clients, moves, faults and the aperture",
	.text = "Show once a second: the memory in use; moves, evictions and page faults per second; a map of the "
		"aperture; and for each client its BOs in system memory and in the aperture, its kept pages "
		"and the time of copies for it. q ends it. If the output is not a terminal, one sample is "
		"printed. With --json each sample is one line. The command needs debugfs and root.",
	.options = { { "interval", 'i', "S",
		       "Seconds between samples, 1 by default." },
		     { "count", 'n', "N", "End after N samples." } },
	.run = run,
};
