// SPDX-License-Identifier: MIT
/* ferryctl help: as text, and as a manual page. Both are made from the tables of the commands. */

#include <string.h>

#include "ctl.h"

#define WIDTH 78

/* Print text in lines of WIDTH columns that begin with @indent spaces. */
static void wrap(const char *text, int indent)
{
	int column = 0;

	while (*text) {
		int length = strcspn(text, " \n");

		if (text[0] == '\n') {
			printf("\n%s", text[1] == '\n' ? "\n" : "");
			text += 1 + (text[1] == '\n');
			column = 0;
			continue;
		}
		if (column && column + 1 + length > WIDTH) {
			printf("\n");
			column = 0;
		}
		if (length) {
			column += printf("%*s%.*s", column ? 1 : indent, "",
					 length, text);
			text += length;
		}
		text += *text == ' ';
	}
	printf("\n");
}

static void help_option(const struct ctl_option *option)
{
	printf("  ");
	if (option->letter)
		printf("-%c, ", option->letter);
	printf("--%s%s%s\n", option->name, option->value ? " " : "",
	       option->value ? option->value : "");
	wrap(option->text, 8);
}

static void help_command(const struct ctl_command *command)
{
	printf("usage: ferryctl %s [options]", command->name);
	if (command->operand)
		printf(" [%s]", command->operand);
	printf("\n\n");
	wrap(command->text, 0);
	printf("\noptions:\n");
	for (int i = 0; command->options[i].name; i++)
		help_option(&command->options[i]);
	for (int i = 0; ctl_common_options[i].name; i++)
		help_option(&ctl_common_options[i]);
}

static void help_all(void)
{
	printf("usage: ferryctl COMMAND [options] [DEVICE]\n\n");
	wrap("See and control the devices of the DRM driver ferry. DEVICE is a PCI address, such as "
	     "00:04.0, or a node, such as card0; without it, a command takes the only device there is.",
	     0);
	printf("\ncommands:\n");
	for (int i = 0; ctl_commands[i]; i++)
		printf("  %-10s%s\n", ctl_commands[i]->name,
		       ctl_commands[i]->brief);
	printf("\nexit status:\n");
	for (int i = 0; ctl_statuses[i]; i++)
		printf("  %d  %s\n", i, ctl_statuses[i]);
	printf("\nferryctl help COMMAND describes a command, ferryctl --version prints the version.\n");
}

/* Print text for troff, in which a dash is a hyphen unless it is escaped. */
static void man_text(const char *text)
{
	for (bool start = true; *text; text++) {
		if (text[0] == '\n' && text[1] == '\n') {
			printf("\n.PP\n");
			text++;
			start = true;
			continue;
		}
		if (start && (*text == '.' || *text == '\''))
			printf("\\&");
		start = *text == '\n';
		if (*text == '-' || *text == '\\')
			putchar('\\');
		putchar(*text == '\\' ? 'e' : *text);
	}
	putchar('\n');
}

static void man_option(const struct ctl_option *option)
{
	printf(".TP\n");
	if (option->letter)
		printf("\\fB\\-%c\\fR, ", option->letter);
	printf("\\fB\\-\\-%s\\fR", option->name);
	if (option->value)
		printf(" \\fI%s\\fR", option->value);
	printf("\n");
	man_text(option->text);
}

static void man_commands(void)
{
	printf(".SH COMMANDS\n");
	for (int i = 0; ctl_commands[i]; i++) {
		const struct ctl_command *command = ctl_commands[i];

		printf(".SS ferryctl %s", command->name);
		if (command->options[0].name)
			printf(" [options]");
		if (command->operand)
			printf(" [%s]", command->operand);
		printf("\n");
		man_text(command->text);
		for (int o = 0; command->options[o].name; o++)
			man_option(&command->options[o]);
	}
}

static void man(void)
{
	printf(".\\\" SPDX-License-Identifier: MIT\n");
	printf(".TH FERRYCTL 1 \"\" \"ferry %s\" \"User Commands\"\n",
	       FERRYCTL_VERSION);
	printf(".SH NAME\nferryctl \\- see and control the devices of the DRM driver ferry\n");
	printf(".SH SYNOPSIS\n\\fBferryctl\\fR \\fICOMMAND\\fR [options] [\\fIDEVICE\\fR]\n");
	printf(".SH DESCRIPTION\n");
	man_text(
		"ferry is a DRM driver for PCI devices whose BAR is plain memory, the aperture. "
		"ferryctl shows what its devices do, hands them from one driver to another, and says what "
		"is wrong on a machine.\n\n"
		"DEVICE is a PCI address, such as 00:04.0, or a node, such as card0. Without it, a command "
		"takes the only device there is.");
	man_commands();
	printf(".SH OPTIONS OF ALL COMMANDS\n");
	for (int i = 0; ctl_common_options[i].name; i++)
		man_option(&ctl_common_options[i]);
	printf(".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\n");
	man_text("Print no colours. They are used only on a terminal.");
	printf(".SH EXIT STATUS\n");
	for (int i = 0; ctl_statuses[i]; i++) {
		printf(".TP\n\\fB%d\\fR\n", i);
		man_text(ctl_statuses[i]);
	}
}

static enum ctl_status run(const struct ctl_args *args)
{
	const struct ctl_command *command;

	if (ctl_flag(args, "man")) {
		man();
		return CTL_OK;
	}
	if (!args->operand) {
		help_all();
		return CTL_OK;
	}
	command = ctl_find_command(args->operand);
	if (!command)
		return ctl_fail(CTL_USAGE, "ferryctl help",
				"there is no command '%s'", args->operand);
	help_command(command);
	return CTL_OK;
}

const struct ctl_command ctl_help = {
	.name = "help",
	.operand = "COMMAND",
	.brief = "Describe ferryctl or one of its commands",
	.text = "Print the commands and the exit statuses, or describe one command and its options.",
	.options = { { "man", 0, NULL,
		       "Print the manual page in the format of man(1)." } },
	.run = run,
};
