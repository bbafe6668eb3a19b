/* SPDX-License-Identifier: MIT */
/* Small files of sysfs, procfs and debugfs. */
#ifndef FILE_H_
#define FILE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_PATH_MAX 512

/* Let all functions below read below the directory @root. Returns false if there is none. */
bool file_set_root(const char *root);
/* Whether file_set_root() was called: the files may be of another machine. */
bool file_has_root(void);

/* Make the path below the root. @path has FILE_PATH_MAX bytes, and is returned. */
const char *file_path(char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * file_read() - read a file
 * @text: out: its contents, to be freed; with a null byte after them
 * @format: its path
 *
 * Returns: the number of bytes, or a negative errno.
 */
int file_read(char **text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Read the first line of a file, without its end, or "". Returns false if there is no file. */
bool file_line(char *line, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Read a number in any base of strtoull(). Returns @otherwise if there is none. */
uint64_t file_number(uint64_t otherwise, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

bool file_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Get the last component of the target of a link, or "". */
void file_link(char *name, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Write to a file that exists. Returns 0 or a negative errno; -EROFS below another root. */
int file_write(const char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Value of the first line "NAME VALUE" in @text, or NULL; it ends at the end of its line. */
const char *file_field(const char *text, const char *name);
uint64_t file_field_number(const char *text, const char *name);
/* Copy it; "" if there is none. */
void file_field_copy(char *value, size_t size, const char *text,
		     const char *name);

/**
 * file_run() - run a program and read what it prints
 * @text: out: its standard output, to be freed, or NULL to let it print
 * @argv: the program and its arguments; ends with NULL
 *
 * Returns: its exit status, or a negative errno.
 */
int file_run(char **text, const char *const argv[]);

#endif /* FILE_H_ */
