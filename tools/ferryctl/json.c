// SPDX-License-Identifier: MIT
/* See json.h. */

#include "json.h"

#include <stdio.h>

static int depth;
static bool first = true, lines;

static void quote(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			/* Names of programs may have any byte: take them as Latin-1. */
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void begin(const char *name)
{
	if (!first)
		putchar(',');
	if (depth && !lines)
		printf("\n%*s", 2 * depth, "");
	first = false;
	if (!name)
		return;
	quote(name);
	printf(": ");
}

static void open_with(const char *name, char bracket)
{
	begin(name);
	putchar(bracket);
	depth++;
	first = true;
}

static void close_with(char bracket)
{
	depth--;
	if (!first && !lines)
		printf("\n%*s", 2 * depth, "");
	putchar(bracket);
	first = !depth;
	if (!depth)
		putchar('\n');
}

void json_lines(void)
{
	lines = true;
}

void json_object(const char *name)
{
	open_with(name, '{');
}

void json_object_end(void)
{
	close_with('}');
}

void json_array(const char *name)
{
	open_with(name, '[');
}

void json_array_end(void)
{
	close_with(']');
}

void json_string(const char *name, const char *value)
{
	begin(name);
	quote(value);
}

void json_string_or_null(const char *name, const char *value)
{
	begin(name);
	if (value && *value)
		quote(value);
	else
		printf("null");
}

void json_number(const char *name, uint64_t value)
{
	begin(name);
	printf("%llu", (unsigned long long)value);
}

void json_real(const char *name, double value)
{
	begin(name);
	printf("%.6g", value);
}

void json_bool(const char *name, bool value)
{
	begin(name);
	printf(value ? "true" : "false");
}
