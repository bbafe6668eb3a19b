/* SPDX-License-Identifier: MIT */
/* Commands of ferryctl, their options, and its messages. */
#ifndef CTL_H_
#define CTL_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Exit statuses; ctl_statuses describes them for the manual page. */
enum ctl_status {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NO_DEVICE = 3,
	CTL_NOT_PERMITTED = 4,
	CTL_REFUSED = 5,
	CTL_FOUND = 6,
};

/**
 * struct ctl_option - an option of a command
 */
struct ctl_option {
	/** @name: long name, without the dashes */
	const char *name;
	/** @letter: short name, or 0 */
	char letter;
	/** @value: name of its value in the help, or NULL if it has none */
	const char *value;
	/** @text: one sentence for the help */
	const char *text;
};

#define CTL_OPTIONS_MAX 8

struct ctl_args;

/**
 * struct ctl_command - a command: ferryctl NAME
 */
struct ctl_command {
	const char *name;
	/** @operand: name of its operand in the help, or NULL if it has none */
	const char *operand;
	/** @brief: one line for the list of commands */
	const char *brief;
	/** @text: description in full sentences; an empty line separates paragraphs */
	const char *text;
	/** @options: ends with an entry without name; besides the common options */
	struct ctl_option options[CTL_OPTIONS_MAX];
	enum ctl_status (*run)(const struct ctl_args *args);
};

/**
 * struct ctl_args - the arguments of a command
 */
struct ctl_args {
	const struct ctl_command *command;
	/** @operand: the operand, or NULL */
	const char *operand;
	/** @values: by index into the options of the command; "" for one without value */
	const char *values[CTL_OPTIONS_MAX];
	/** @json: print JSON */
	bool json;
};

extern const struct ctl_command ctl_list, ctl_bind, ctl_unbind, ctl_default,
	ctl_top, ctl_map, ctl_bos, ctl_audit, ctl_trace, ctl_bench, ctl_doctor,
	ctl_help;

extern const struct ctl_command *const ctl_commands[];
extern const struct ctl_option ctl_common_options[];
extern const char *const ctl_statuses[];

const struct ctl_command *ctl_find_command(const char *name);

/* Value of an option: NULL if it was not given, "" if it has no value. */
const char *ctl_value(const struct ctl_args *args, const char *name);
static inline bool ctl_flag(const struct ctl_args *args, const char *name)
{
	return ctl_value(args, name);
}

/**
 * ctl_number() - the value of an option as a number
 * @args: the arguments
 * @name: the option
 * @least: smallest value that is allowed
 * @most: largest one
 * @number: inout: the default value, and the result
 *
 * Returns: true, or false after a message.
 */
bool ctl_number(const struct ctl_args *args, const char *name, double least,
		double most, double *number);

/* Print why a command fails, and what the user can do, and return @status. */
enum ctl_status ctl_fail(enum ctl_status status, const char *next,
			 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Fail because a file of debugfs or tracefs cannot be read; @err is a negative errno. */
enum ctl_status ctl_fail_read(const char *file, int err);

/* Print a line to stderr, for what takes long. */
void ctl_progress(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Escape sequence to begin and to end a colour; empty unless stdout is a terminal. */
enum ctl_colour { CTL_PLAIN, CTL_BOLD, CTL_RED, CTL_GREEN, CTL_YELLOW };
const char *ctl_colour(enum ctl_colour colour);

/* "16 MiB": @text has at least 24 bytes, and is returned. */
const char *ctl_size(char *text, uint64_t size);

/* Ask a question on the terminal. Returns false if the answer is not yes. */
bool ctl_ask(const char *question);

/* Seconds of CLOCK_MONOTONIC. */
double ctl_now(void);

/* Until this returns true SIGINT, SIGTERM and SIGHUP do not end the program. */
void ctl_catch_signals(void);
bool ctl_stopped(void);

#endif /* CTL_H_ */
