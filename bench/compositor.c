// SPDX-License-Identifier: MIT
/*
 * Processor time of a frame that a compositor shows: of its client, of the compositor, of the
 * driver and of the kernel's threads, on all processors together.
 *
 *   bench-compositor SUBJECT CLIENT [ARGUMENT...]
 *
 * The client shows a new frame whenever the compositor asks for one, and prints a line for
 * each frame that was shown, as weston-presentation-shm -f does.
 */
#include "busy.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>

#define FRAMES 120
#define WARM_UP 30
#define TIMEOUT_MS 20000

/* Return when the client has printed @count lines. */
static void wait_for_lines(int fd, unsigned int count)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char c;

	while (count) {
		if (poll(&poll_fd, 1, TIMEOUT_MS) != 1)
			die("the client shows no frame in %u s",
			    TIMEOUT_MS / 1000);
		if (read(fd, &c, 1) != 1)
			die("the client has ended");
		count -= c == '\n';
	}
}

int main(int argc, char **argv)
{
	uint64_t start;
	pid_t client;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: %s SUBJECT CLIENT [ARGUMENT...]\n",
			argv[0]);
		return 2;
	}
	/* on a terminal the client prints each line at once */
	client = forkpty(&fd, NULL, NULL, NULL);
	if (client < 0)
		die("cannot make a terminal");
	if (!client) {
		execvp(argv[2], &argv[2]);
		die("cannot run %s", argv[2]);
	}
	wait_for_lines(fd, WARM_UP);
	start = busy_ns();
	wait_for_lines(fd, FRAMES);
	printf("id=compositor subject=%s size=0 ns=%.0f\n", argv[1],
	       (double)(busy_ns() - start) / FRAMES);
	kill(client, SIGTERM);
	waitpid(client, NULL, 0);
	return 0;
}
