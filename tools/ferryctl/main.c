// SPDX-License-Identifier: MIT
/* ferryctl: see and control the devices of the driver ferry. */

#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "file.h"

const struct ctl_command *const ctl_commands[] = {
	&ctl_list,  &ctl_doctor, &ctl_bind, &ctl_unbind, &ctl_default,
	&ctl_top,   &ctl_map,	 &ctl_bos,  &ctl_audit,	 &ctl_trace,
	&ctl_bench, &ctl_help,	 NULL,
};

const struct ctl_option ctl_common_options[] = {
	{ "json", 'j', NULL, "Print JSON." },
	{ "root", 0, "DIR",
	  "Read the files of /sys, /proc, /dev, /etc and /lib/modules below DIR, which may be a copy of those of another machine." },
	{ "help", 'h', NULL, "Print the help of the command." },
	{ 0 },
};

const char *const ctl_statuses[] = {
	[CTL_OK] = "success",
	[CTL_FAILED] = "the command failed",
	[CTL_USAGE] = "the arguments are wrong",
	[CTL_NO_DEVICE] = "there is no such device",
	[CTL_NOT_PERMITTED] = "root, or a group, is missing",
	[CTL_REFUSED] =
		"the device is in use, or the question was not answered with yes",
	[CTL_FOUND] = "doctor or audit found a problem",
	NULL,
};

const struct ctl_command *ctl_find_command(const char *name)
{
	for (int i = 0; ctl_commands[i]; i++)
		if (!strcmp(ctl_commands[i]->name, name))
			return ctl_commands[i];
	return NULL;
}

/* Find the option that begins at @word, and where its value begins, or NULL. */
static const struct ctl_option *find_option(const struct ctl_option *options,
					    const char *word,
					    const char **value)
{
	for (; options->name; options++) {
		size_t length = strlen(options->name);

		*value = NULL;
		if (word[0] == '-' && options->letter &&
		    word[1] == options->letter) {
			*value = word[2] ? word + 2 : NULL;
			return options;
		}
		if (strncmp(word, "--", 2) ||
		    strncmp(word + 2, options->name, length))
			continue;
		if (word[2 + length] == '=')
			*value = word + 2 + length + 1;
		if (*value || !word[2 + length])
			return options;
	}
	return NULL;
}

static enum ctl_status usage(const struct ctl_command *command,
			     const char *reason, const char *word)
{
	char next[64];

	snprintf(next, sizeof(next), "ferryctl help %s", command->name);
	return ctl_fail(CTL_USAGE, next, "%s: %s '%s'", command->name, reason,
			word);
}

static enum ctl_status take_common(struct ctl_args *args,
				   const struct ctl_option *option,
				   const char *value, bool *help)
{
	if (option->letter == 'j')
		args->json = true;
	else if (option->letter == 'h')
		*help = true;
	else if (!file_set_root(value))
		return usage(args->command, "there is no directory", value);
	return CTL_OK;
}

/* Take one option at *@at. */
static enum ctl_status take_option(struct ctl_args *args, char ***at,
				   bool *help)
{
	const struct ctl_command *command = args->command;
	const struct ctl_option *option;
	const char *word = *(*at)++, *value;
	bool common = false;

	option = find_option(command->options, word, &value);
	if (!option) {
		option = find_option(ctl_common_options, word, &value);
		common = true;
	}
	if (!option)
		return usage(command, "there is no option", word);
	if (!option->value && value)
		return usage(command, "this option has no value:", word);
	if (option->value && !value) {
		if (!**at)
			return usage(command, "a value is missing after", word);
		value = *(*at)++;
	}
	if (common)
		return take_common(args, option, value, help);
	args->values[option - command->options] = value ? value : "";
	return CTL_OK;
}

static enum ctl_status run(const struct ctl_command *command, char **at)
{
	struct ctl_args args = { .command = command };
	enum ctl_status status;
	bool help = false;

	while (*at) {
		if ((*at)[0] == '-' && (*at)[1]) {
			status = take_option(&args, &at, &help);
			if (status)
				return status;
			continue;
		}
		if (!command->operand || args.operand)
			return usage(command, "there is no use for", *at);
		args.operand = *at++;
	}
	if (help) {
		args = (struct ctl_args){ .command = &ctl_help,
					  .operand = command->name };
		return ctl_help.run(&args);
	}
	return command->run(&args);
}

int main(int argc, char **argv)
{
	struct ctl_args args = { .command = &ctl_help };
	const struct ctl_command *command;
	enum ctl_status status;

	if (argc < 2) {
		ctl_help.run(&args);
		return CTL_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("ferryctl %s\n", FERRYCTL_VERSION);
		return CTL_OK;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		argv[1] = "help";
	command = ctl_find_command(argv[1]);
	if (!command)
		return ctl_fail(CTL_USAGE, "ferryctl help",
				"there is no command '%s'", argv[1]);
	status = run(command, argv + 2);
	if (fflush(stdout) && !status)
		return ctl_fail(CTL_FAILED, "free some space on the disk",
				"the output could not be written");
	return status;
}
