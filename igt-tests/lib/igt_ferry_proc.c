// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sys/time.h>

#include "igt.h"

#include "igt_ferry.h"

static sigjmp_buf ferry_signal_jmp;

static void ferry_signal_handler(int sig)
{
	siglongjmp(ferry_signal_jmp, sig);
}

static int ferry_access_signal(volatile uint8_t *p, int value)
{
	static struct sigaction old_segv, old_bus;
	struct sigaction sa = { .sa_handler = ferry_signal_handler };
	int sig;

	sigaction(SIGSEGV, &sa, &old_segv);
	sigaction(SIGBUS, &sa, &old_bus);
	sig = sigsetjmp(ferry_signal_jmp, 1);
	if (!sig) {
		if (value < 0)
			(void)*p;
		else
			*p = value;
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return sig;
}

/* Read one byte. Return 0, or the signal that it raised: SIGSEGV or SIGBUS. */
int igt_ferry_read_signal(const volatile void *p)
{
	return ferry_access_signal((volatile uint8_t *)p, -1);
}

/* Write one byte. Return 0, or the signal that it raised: SIGSEGV or SIGBUS. */
int igt_ferry_write_signal(volatile void *p, uint8_t value)
{
	return ferry_access_signal(p, value);
}

/* Read one byte of each page. */
void igt_ferry_access(const void *map, size_t size)
{
	const volatile char *p = map;

	for (size_t at = 0; at < size; at += FERRY_PAGE_SIZE)
		(void)p[at];
}

static void tick(int sig)
{
	(void)sig;
}

/* Raise SIGALRM again and again, with a handler that does nothing; 0 ends it. */
void igt_ferry_alarm_storm(long microseconds)
{
	struct itimerval timer = {
		.it_interval.tv_usec = microseconds,
		.it_value.tv_usec = microseconds,
	};
	struct sigaction sa = { .sa_handler = tick };

	sigaction(SIGALRM, &sa, NULL);
	igt_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/**
 * igt_ferry_field - read a number from a file of /proc
 * @path: a file such as /proc/meminfo, with a name and a number in each line
 * @field: the name
 *
 * Return: the number, or -1 if no line has the name.
 */
long igt_ferry_field(const char *path, const char *field)
{
	FILE *file = fopen(path, "r");
	size_t len = strlen(field);
	char line[256];
	long value = -1;

	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, len) &&
		    (line[len] == ':' || line[len] == ' '))
			value = strtol(line + len + 1, NULL, 10);
	fclose(file);
	return value;
}

/**
 * igt_ferry_smaps - read a field of one mapping from /proc/self/smaps
 * @map: an address in the mapping
 * @field: the name, such as "VmFlags"
 * @value: the rest of the field's line, without the newline
 * @size: bytes of @value
 */
void igt_ferry_smaps(const void *map, const char *field, char *value,
		     size_t size)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	size_t len = strlen(field);
	unsigned long start, end;
	char line[512];

	igt_assert(smaps);
	while (!found && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)map &&
				 (uintptr_t)map < end;
		else
			found = inside && !strncmp(line, field, len) &&
				line[len] == ':';
	}
	fclose(smaps);
	igt_assert_f(found, "smaps has no %s for %p\n", field, map);
	line[strcspn(line, "\n")] = '\0';
	snprintf(value, size, "%s", line + len + 1);
}

/* Call all shrinkers of the kernel, as under memory pressure. */
void igt_ferry_drop_caches(void)
{
	int file = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	igt_require_f(file >= 0, "/proc/sys/vm/drop_caches: %s: be root\n",
		      strerror(errno));
	igt_assert_eq(write(file, "2", 1), 1);
	close(file);
}

/* After a suspend, accesses to a mounted 9p hang: its server has closed the files. */
static bool has_9p(void)
{
	FILE *mounts = setmntent("/proc/mounts", "r");
	struct mntent *entry;
	bool found = false;

	while (mounts && (entry = getmntent(mounts)))
		found |= !strcmp(entry->mnt_type, "9p");
	if (mounts)
		endmntent(mounts);
	return found;
}

void igt_ferry_require_sleep(void)
{
	igt_require_f(
		!has_9p(),
		"9p is mounted and would hang after a suspend: " IGT_FERRY_SLEEP_VM
		"\n");
}

int igt_ferry_kmsg_open(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	igt_assert_fd(kmsg);
	lseek(kmsg, 0, SEEK_END);
	return kmsg;
}

/* Read the log up to its end. Return whether one of the new records has the text. */
bool igt_ferry_kmsg_has(int kmsg, const char *text)
{
	char record[8192];
	bool found = false;
	ssize_t len;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		record[len] = '\0';
		if (strstr(record, text))
			found = true;
	}
	errno = 0;
	return found;
}
