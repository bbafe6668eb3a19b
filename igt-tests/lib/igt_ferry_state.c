// SPDX-License-Identifier: MIT
#include <stdarg.h>

#include "igt.h"

#include "igt_ferry.h"

__attribute__((format(printf, 3, 4))) static size_t
append(struct igt_ferry_state *state, size_t used, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used += vsnprintf(state->text + used, sizeof(state->text) - used,
			  format, args);
	va_end(args);
	igt_assert_lt_u64(used, sizeof(state->text));
	return used;
}

/**
 * igt_ferry_state_get - record the state of the device
 * @state: the record
 * @moves: include the numbers of moves
 */
void igt_ferry_state_get(int fd, struct igt_ferry_state *state, bool moves)
{
	static const char *const counters[] = {
		"bos",		"system_pages",	     "aperture_unevictable",
		"scanout_pins", "moves_to_aperture", "moves_to_system",
	};
	unsigned int count = ARRAY_SIZE(counters) - (moves ? 0 : 2);
	uint64_t values[ARRAY_SIZE(counters)];
	int dir = igt_debugfs_dir(fd), len;
	size_t used = 0;

	igt_assert_fd(dir);
	state->moves = moves;
	igt_ferry_stats(fd, counters, values, count);
	for (unsigned int i = 0; i < count; i++)
		used = append(state, used, "%s %" PRIu64 "\n", counters[i],
			      values[i]);
	used = append(state, used, "free %" PRIu64 "\n",
		      igt_ferry_aperture_free(fd));
	len = igt_debugfs_simple_read(dir, "ferry_bos", state->text + used,
				      sizeof(state->text) - used - 1);
	igt_assert_lte(0, len);
	state->text[used + len] = '\0';
	close(dir);
}

/**
 * igt_ferry_state_check - fail if the state of the device has changed
 * @before: the state as it has to be
 * @seconds: wait that long for memory that the kernel frees later; 0: compare once
 * @format: the call that must not have changed the state, for the message
 */
void igt_ferry_state_check(int fd, const struct igt_ferry_state *before,
			   unsigned int seconds, const char *format, ...)
{
	struct timespec start = {};
	struct igt_ferry_state now;
	char call[256];
	va_list args;

	for (;;) {
		igt_ferry_state_get(fd, &now, before->moves);
		if (!strcmp(before->text, now.text))
			return;
		if (igt_seconds_elapsed(&start) >= seconds)
			break;
		usleep(20000);
	}
	va_start(args, format);
	vsnprintf(call, sizeof(call), format, args);
	va_end(args);
	igt_assert_f(false, "%s changed the state. Before:\n%sNow:\n%s", call,
		     before->text, now.text);
}
