// SPDX-License-Identifier: MIT
/*
 * Fuzz the interface of ferry: libFuzzer makes programs of calls, and KCOV tells which
 * code of the driver each program reaches. See usage().
 *
 * Each program is written to the file that FERRY_FUZZ_CURRENT names before it runs. If
 * the program crashes the kernel, the file still holds it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <drm.h>
#include "ops.h"
#include "program.h"
#include "state.h"

#define COVER_ENTRIES (256 << 10)
#define LOCATIONS 24576
#define RESULTS 8192
#define HASH (1 << 16)
/* Number of programs between two checks for BOs that were not freed */
#define LEAKS_EVERY 64

/* The coverage that libFuzzer sees: code locations of the driver, then results of calls */
__attribute__((section("__libfuzzer_extra_counters"))) volatile uint8_t
	counters[LOCATIONS + RESULTS];

static struct {
	uint64_t pc;
	uint32_t index;
} locations[HASH];

static struct {
	unsigned long programs, calls, succeeded;
	unsigned long of_op[64], good[64], us[64];
	unsigned long us_programs, us_finish;
	unsigned int locations, results;
	time_t began, printed;
} stats;

static int current = -1;
static long bos_before = -1;
static __thread uint64_t *cover;

/* ---- coverage ---- */

static void cover_start(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return;
	if (ioctl(fd, KCOV_INIT_TRACE, COVER_ENTRIES))
		return;
	at = mmap(NULL, COVER_ENTRIES * sizeof(uint64_t),
		  PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		perror("ferry_fuzz: kcov");
		exit(2);
	}
	cover = at;
}

static uint32_t location_of(uint64_t pc)
{
	uint32_t h = (pc * 0x9e3779b97f4a7c15ull) >> 48;

	while (locations[h].pc && locations[h].pc != pc)
		h = (h + 1) % HASH;
	if (!locations[h].pc) {
		locations[h].pc = pc;
		locations[h].index = stats.locations++ % LOCATIONS;
	}
	return locations[h].index;
}

static void cover_collect(void)
{
	uint64_t i, n;

	if (!cover)
		return;
	n = __atomic_load_n(cover, __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < COVER_ENTRIES; i++)
		counters[location_of(cover[i])] = 1;
	__atomic_store_n(cover, 0, __ATOMIC_RELAXED);
}

/* ---- one call, or two at the same time ---- */

static unsigned long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ul + now.tv_nsec / 1000;
}

static void run_call(const struct call *call)
{
	static uint8_t seen[RESULTS];
	unsigned int n = call->op % op_count, r;
	unsigned long before;
	int err;

	if (!ops[n].run)
		return;
	before = now_us();
	err = ops[n].run(call);
	stats.us[n] += now_us() - before;
	__atomic_add_fetch(&stats.calls, 1, __ATOMIC_RELAXED);
	stats.of_op[n]++;
	stats.good[n] += !err;
	r = (n * 191 + err) % RESULTS;
	counters[LOCATIONS + r] = 1;
	stats.results += !seen[r];
	seen[r] = 1;
}

static pthread_barrier_t go, end;
static const struct call *racer;

static void *race_thread(void *unused)
{
	(void)unused;
	cover_start();
	for (;;) {
		pthread_barrier_wait(&go);
		run_call(racer);
		pthread_barrier_wait(&end);
		pthread_barrier_wait(&go);
		cover_collect();
		pthread_barrier_wait(&end);
	}
	return NULL;
}

static void race(const struct call *a, const struct call *b)
{
	state.racing = true;
	racer = a;
	pthread_barrier_wait(&go);
	run_call(b);
	pthread_barrier_wait(&end);
	/* one thread at a time: the table of locations has no lock */
	cover_collect();
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&end);
	state.racing = false;
	if (ops[a->op % op_count].maps || ops[b->op % op_count].maps)
		memset(state.marks, 0, sizeof(state.marks));
}

/* ---- one program ---- */

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "ferry_fuzz: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int guardian = -1;

static long bos_now(void)
{
	char path[64];
	long bos = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/ferry_stats",
		 minor);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "bos %ld", &bos) != 1)
		bos = -1;
	fclose(f);
	return bos;
}

/*
 * Close the last file of the device and open it again. A framebuffer that was closed
 * with DRM_IOCTL_MODE_CLOSEFB stays on the screen until the last close restores the
 * console.
 */
static void restore_console(void)
{
	close(guardian);
	guardian = state_open_render(O_RDWR | O_CLOEXEC);
	if (guardian < 0) {
		perror("ferry_fuzz: cannot open the device again");
		exit(2);
	}
}

/* Bind the device again after a program that has unbound it. */
static void rebind(void)
{
	int card;

	close(guardian);
	state_bind();
	card = state_open_card();
	if (card < 0)
		die("no device is bound to ferry");
	ops_find_display(card);
	guardian = state_open_render(O_RDWR | O_CLOEXEC);
	close(card);
	if (guardian < 0)
		die("cannot open the device again");
}

static void show_debugfs(void)
{
	static const char *const files[] = { "ferry_bos", "framebuffer",
					     "clients", "state" };
	char path[96], line[512];

	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/%s",
			 minor, files[i]);
		f = fopen(path, "r");
		if (!f)
			continue;
		fprintf(stderr, "%s:\n", files[i]);
		while (fgets(line, sizeof(line), f))
			fputs(line, stderr);
		fclose(f);
	}
}

static void save_current(const uint8_t *data, size_t size)
{
	static uint8_t bytes[sizeof(uint64_t) + MAX_CALLS * sizeof(struct call)];
	uint64_t length = size;

	if (current < 0)
		return;
	memcpy(bytes, &length, sizeof(length));
	memcpy(bytes + sizeof(length), data, size);
	if (pwrite(current, bytes, sizeof(length) + size, 0) < 0)
		perror("ferry_fuzz: cannot save the current program");
}

/*
 * The program after which the number of BOs rose and did not return to bos_before. If
 * it never does, this program leaked them.
 */
static struct {
	uint8_t data[MAX_CALLS * sizeof(struct call)];
	size_t size;
} suspect;

static void suspect_leak(const uint8_t *data, size_t size)
{
	if (bos_now() <= bos_before) {
		suspect.size = 0;
	} else if (!suspect.size) {
		memcpy(suspect.data, data, size);
		suspect.size = size;
	}
}

/* Fail if BOs outlive their program. Some are freed in the background: wait for these. */
static void check_leaks(void)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	long bos = bos_now();
	int i;

	for (i = 0; i < 500 && bos > bos_before; i++) {
		if (i == 50)
			restore_console();
		nanosleep(&moment, NULL);
		bos = bos_now();
	}
	if (bos <= bos_before) {
		suspect.size = 0;
		return;
	}
	show_debugfs();
	save_current(suspect.data, suspect.size);
	wrong("%ld BOs were not freed", bos - bos_before);
}

static unsigned int corpus_size(void)
{
	const char *path = getenv("FERRY_FUZZ_CORPUS");
	DIR *dir = path ? opendir(path) : NULL;
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n > 2 ? n - 2 : 0;
}

static void print_progress(void)
{
	time_t now = time(NULL);
	long seconds = now - stats.began ? now - stats.began : 1;

	stats.printed = now;
	printf("fuzz: %ld s: %lu programs, %lu calls (%lu/s), %u code locations in the driver, "
	       "%u results, corpus %u\n",
	       seconds, stats.programs, stats.calls, stats.calls / seconds,
	       stats.locations, stats.results, corpus_size());
	fflush(stdout);
}

static void print_summary(void)
{
	unsigned int i;

	if (!stats.programs || in_child)
		return;
	print_progress();
	printf("fuzz: a program takes %lu us, %lu of them to close and unmap what is left\n",
	       stats.us_programs / stats.programs,
	       stats.us_finish / stats.programs);
	for (i = 0; i < op_count; i++)
		if (ops[i].run)
			printf("fuzz: %-16s %8lu calls, %8lu without error, %6lu us each\n",
			       ops[i].name, stats.of_op[i], stats.good[i],
			       stats.of_op[i] ? stats.us[i] / stats.of_op[i] :
						0);
	fflush(stdout);
}

static void start(void);

static void run_program(const uint8_t *data, size_t size)
{
	struct call calls[MAX_CALLS];
	size_t n = size / sizeof(struct call), i;
	unsigned long before, ran;

	start();
	if (n > MAX_CALLS)
		n = MAX_CALLS;
	memcpy(calls, data, n * sizeof(struct call));
	save_current(data, n * sizeof(struct call));
	before = now_us();
	state_begin();
	if (cover)
		__atomic_store_n(cover, 0, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		if (!ops[calls[i].op % op_count].run) {
			if (i + 2 < n)
				race(&calls[i + 1], &calls[i + 2]);
			i += 2;
			continue;
		}
		run_call(&calls[i]);
	}
	ran = now_us();
	ops_end_children();
	state_end();
	if (state.unbound)
		rebind();
	cover_collect();
	stats.us_programs += now_us() - before;
	stats.us_finish += now_us() - ran;
	stats.programs++;
	suspect_leak(data, n * sizeof(struct call));
	if (stats.programs % LEAKS_EVERY == 0 || getenv("FERRY_FUZZ_ALONE"))
		check_leaks();
	if (time(NULL) - stats.printed >= 10)
		print_progress();
}

static int generate(uint64_t seed, long seconds, unsigned long calls)
{
	struct call program[MAX_CALLS];
	uint64_t s = seed;
	size_t n;

	do {
		n = program_make(&s, program);
		run_program((const uint8_t *)program, n * sizeof(struct call));
	} while (calls ? stats.calls < calls :
			 time(NULL) - stats.began < seconds);
	print_summary();
	return 0;
}

/* ---- minimizing ---- */

/* Run a program in a silent child process; true if the child fails. */
static bool fails(const struct call *calls, size_t n)
{
	int status, null;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("ferry_fuzz: fork");
		exit(2);
	}
	if (!pid) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		run_program((const uint8_t *)calls, n * sizeof(*calls));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* Leave out calls while the program still fails: half of them first, then fewer. */
static int minimize(const char *from, const char *to)
{
	struct call calls[MAX_CALLS], less[MAX_CALLS];
	size_t n, size, at, out;
	int count = program_read(from, calls);

	if (count < 0)
		return 2;
	n = count;
	setenv("FERRY_FUZZ_ALONE", "y", 1);
	if (!fails(calls, n)) {
		printf("fuzz: the program does not fail when it runs alone\n");
		return 1;
	}
	for (size = n / 2; size; size /= 2) {
		for (at = 0; at < n;) {
			out = size < n - at ? size : n - at;
			memcpy(less, calls, at * sizeof(*calls));
			memcpy(less + at, calls + at + out,
			       (n - at - out) * sizeof(*calls));
			if (fails(less, n - out)) {
				n -= out;
				memcpy(calls, less, n * sizeof(*calls));
				printf("fuzz: %zu calls\n", n);
			} else {
				at += size;
			}
		}
	}
	return program_write(to, calls, n) ? 2 : 0;
}

/* ---- setup ---- */

static void on_signal(int sig)
{
	if (guard)
		siglongjmp(*guard, sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void forked(void)
{
	in_child = true;
	cover = NULL;
}

static void open_device(void)
{
	int card = state_open_card();
	if (card < 0)
		die("no device is bound to ferry");

	/* keep the device open, else the end of each program restores the console */
	guardian = state_open_render(O_RDWR | O_CLOEXEC);
	if (guardian < 0)
		die("cannot open the device");
	ops_find_display(card);
	close(card);
	bos_before = bos_now();
}

static void start(void)
{
	static bool started;
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_NODEFER };
	const char *path = getenv("FERRY_FUZZ_CURRENT");
	pthread_t thread;

	if (started)
		return;
	started = true;
	stats.began = stats.printed = time(NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_atfork(NULL, NULL, forked);
	if (!state_map_arena())
		die("no address space");
	if (path)
		current = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	open_device();
	pthread_barrier_init(&go, NULL, 2);
	pthread_barrier_init(&end, NULL, 2);
	errno = pthread_create(&thread, NULL, race_thread, NULL);
	if (errno)
		die("no thread");
	cover_start();
	printf("fuzz: %s\n",
	       cover ? "guided by the coverage of the driver (KCOV)" :
		       "no KCOV in this kernel: guided by the results of calls");
}

/* ---- command line ---- */

static int assemble(const char *from, const char *to)
{
	struct call calls[MAX_CALLS];
	int n = program_read(from, calls);

	return n < 0 || program_write(to, calls, n) ? 2 : 0;
}

static int show(const char *path)
{
	struct call calls[MAX_CALLS];
	int n = program_read(path, calls);

	if (n < 0)
		return 2;
	program_show(calls, n);
	return 0;
}

static int usage(FILE *to)
{
	fputs("usage: ferry_fuzz [OPTIONS OF LIBFUZZER] CORPUS...   fuzz; with files, run these once\n"
	      "       ferry_fuzz --generate SEED SECONDS [CALLS]   run programs that depend on SEED alone\n"
	      "       ferry_fuzz --minimize PROGRAM OUTPUT         leave out calls while the program fails\n"
	      "       ferry_fuzz --assemble PROGRAM OUTPUT         write a program as binary\n"
	      "       ferry_fuzz --show PROGRAM                    print a program as text\n"
	      "A PROGRAM is text or binary; libFuzzer takes binary ones only.\n"
	      "Runs on the device that ferry drives: use igt-tests/fuzz/run, which starts a virtual machine.\n",
	      to);
	return to == stdout ? 0 : 2;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char **v = *argv;

	if (*argc == 4 && !strcmp(v[1], "--assemble"))
		exit(assemble(v[2], v[3]));
	if (*argc == 4 && !strcmp(v[1], "--minimize"))
		exit(minimize(v[2], v[3]));
	if (*argc == 3 && !strcmp(v[1], "--show"))
		exit(show(v[2]));
	if ((*argc == 4 || *argc == 5) && !strcmp(v[1], "--generate"))
		exit(generate(strtoull(v[2], NULL, 0), atol(v[3]),
			      *argc == 5 ? strtoul(v[4], NULL, 0) : 0));
	if (*argc < 2)
		exit(usage(stderr));
	if (!strncmp(v[1], "--", 2) || !strcmp(v[1], "-h"))
		exit(usage(strcmp(v[1], "--help") && strcmp(v[1], "-h") ?
				   stderr :
				   stdout));
	atexit(print_summary);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_program(data, size);
	return 0;
}
