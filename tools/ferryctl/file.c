// SPDX-License-Identifier: MIT
/* See file.h. */

#define _GNU_SOURCE /* pipe2() */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *root = "";

/* Print the path that the arguments name, below the root. */
#define FILE_VPATH(path, format)                                             \
	do {                                                                 \
		va_list args_;                                               \
		int length_ = snprintf(path, FILE_PATH_MAX, "%s", root);     \
                                                                             \
		va_start(args_, format);                                     \
		vsnprintf((path) + length_, FILE_PATH_MAX - length_, format, \
			  args_);                                            \
		va_end(args_);                                               \
	} while (0)

bool file_set_root(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) || !S_ISDIR(st.st_mode) ||
	    strlen(dir) > FILE_PATH_MAX / 2)
		return false;
	root = dir;
	return true;
}

bool file_has_root(void)
{
	return *root;
}

const char *file_path(char *path, const char *format, ...)
{
	FILE_VPATH(path, format);
	return path;
}

/* The size of these files is not known before they are read. */
static int read_all(int fd, char **text)
{
	size_t size = 0, room = 4096;
	char *buffer = malloc(room), *larger;
	ssize_t got;

	while (buffer) {
		got = read(fd, buffer + size, room - size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		size += got;
		if (size + 1 < room)
			continue;
		room *= 2;
		larger = realloc(buffer, room);
		if (!larger)
			free(buffer);
		buffer = larger;
	}
	if (!buffer)
		return -ENOMEM;
	if (got < 0) {
		got = -errno;
		free(buffer);
		return got;
	}
	buffer[size] = 0;
	*text = buffer;
	return size;
}

static int read_path(char **text, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = read_all(fd, text);
	close(fd);
	return ret;
}

int file_read(char **text, const char *format, ...)
{
	char path[FILE_PATH_MAX];

	FILE_VPATH(path, format);
	return read_path(text, path);
}

static bool line_of(char *line, size_t size, const char *path)
{
	char *text;

	*line = 0;
	if (read_path(&text, path) < 0)
		return false;
	text[strcspn(text, "\n")] = 0;
	snprintf(line, size, "%s", text);
	free(text);
	return true;
}

bool file_line(char *line, size_t size, const char *format, ...)
{
	char path[FILE_PATH_MAX];

	FILE_VPATH(path, format);
	return line_of(line, size, path);
}

uint64_t file_number(uint64_t otherwise, const char *format, ...)
{
	char path[FILE_PATH_MAX], line[64], *end;
	uint64_t number;

	FILE_VPATH(path, format);
	if (!line_of(line, sizeof(line), path))
		return otherwise;
	number = strtoull(line, &end, 0);
	return end == line ? otherwise : number;
}

bool file_exists(const char *format, ...)
{
	char path[FILE_PATH_MAX];

	FILE_VPATH(path, format);
	return !access(path, F_OK);
}

void file_link(char *name, size_t size, const char *format, ...)
{
	char path[FILE_PATH_MAX], target[FILE_PATH_MAX];
	ssize_t length;

	FILE_VPATH(path, format);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = 0;
	snprintf(name, size, "%s",
		 strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

int file_write(const char *text, const char *format, ...)
{
	char path[FILE_PATH_MAX];
	int fd, ret = 0;

	FILE_VPATH(path, format);
	if (file_has_root())
		return -EROFS;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

const char *file_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text && *text) {
		if (!strncmp(text, name, length) &&
		    strchr(": \t", text[length])) {
			text += length;
			return text + strspn(text, ": \t");
		}
		text = strchr(text, '\n');
		text += !!text;
	}
	return NULL;
}

uint64_t file_field_number(const char *text, const char *name)
{
	const char *value = file_field(text, name);

	return value ? strtoull(value, NULL, 0) : 0;
}

void file_field_copy(char *value, size_t size, const char *text,
		     const char *name)
{
	const char *is = file_field(text, name);

	snprintf(value, size, "%.*s", is ? (int)strcspn(is, "\n") : 0,
		 is ? is : "");
}

int file_run(char **text, const char *const argv[])
{
	int pipes[2], status, ret = 0;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0) {
		ret = -errno;
		close(pipes[0]);
		close(pipes[1]);
		return ret;
	}
	if (!child) {
		if (text)
			dup2(pipes[1], STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(pipes[1]);
	if (text)
		ret = read_all(pipes[0], text);
	close(pipes[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (ret < 0)
		return ret;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
