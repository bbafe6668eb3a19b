// SPDX-License-Identifier: MIT
/*
 * Fuzzer of ferry's interface: libFuzzer makes programs of calls, the kernel's KCOV
 * says what code of the driver each reached.
 *
 *   ferry_fuzz [LIBFUZZER'S OPTIONS] [CORPUS...]   run; with files, run those
 *   ferry_fuzz --generate SEED SECONDS [CALLS]     run programs that follow from SEED
 *                                                  alone, without feedback
 *   ferry_fuzz --assemble TEXT BINARY              make a program of its text
 *   ferry_fuzz --show BINARY                       print the text of a program
 *
 * Before a program runs it is written to the file in FERRY_FUZZ_CURRENT: if the kernel
 * dies of it, it is there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <drm.h>
#include "ferry_fuzz.h"

#define COVER_ENTRIES (256 << 10)
#define PLACES 24576
#define RESULTS 8192
#define HASH (1 << 16)
/* Programs between two looks at what they left that may take long */
#define LEAKS_EVERY 64

struct state state;
unsigned int minor;
char *arena;
__thread sigjmp_buf *guard;

/* What libFuzzer takes as coverage: places in the driver, then results of calls. */
__attribute__((section("__libfuzzer_extra_counters"))) volatile uint8_t
	counters[PLACES + RESULTS];

static struct {
	uint64_t pc;
	uint32_t index;
} places[HASH];

static struct {
	unsigned long programs, calls, succeeded;
	unsigned long of_op[64], well[64], us[64];
	unsigned long us_programs, us_finish;
	unsigned int places, results;
	time_t began, told;
} stats;

static int current = -1;
static bool in_child;
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

static uint32_t place_of(uint64_t pc)
{
	uint32_t h = (pc * 0x9e3779b97f4a7c15ull) >> 48;

	while (places[h].pc && places[h].pc != pc)
		h = (h + 1) % HASH;
	if (!places[h].pc) {
		places[h].pc = pc;
		places[h].index = stats.places++ % PLACES;
	}
	return places[h].index;
}

static void cover_collect(void)
{
	uint64_t i, n;

	if (!cover)
		return;
	n = __atomic_load_n(cover, __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < COVER_ENTRIES; i++)
		counters[place_of(cover[i])] = 1;
	__atomic_store_n(cover, 0, __ATOMIC_RELAXED);
}

/* ---- one call, and two at a time ---- */

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
	stats.well[n] += !err;
	r = (n * 191 + err) % RESULTS;
	counters[PLACES + r] = 1;
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
	/* one at a time puts its places into the table */
	cover_collect();
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&end);
	state.racing = false;
	if (ops[a->op % op_count].maps || ops[b->op % op_count].maps)
		memset(state.marks, 0, sizeof(state.marks));
}

/* ---- one program ---- */

static void begin(void)
{
	unsigned int i;
	void *at;

	memset(&state, 0, sizeof(state));
	for (i = 0; i < FILES; i++)
		state.files[i] = -1;
	for (i = 0; i < SLOTS; i++)
		state.fds[i] = -1;
	at = mmap(arena, MAPPINGS * MAPPING_PAGES * PAGE, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		  0);
	if (at == MAP_FAILED)
		wrong("no address space: %s", strerror(errno));
}

static void finish(void)
{
	unsigned int i;

	end_children();
	munlock(arena, MAPPINGS * MAPPING_PAGES * PAGE);
	mmap(arena, MAPPINGS * MAPPING_PAGES * PAGE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	for (i = 0; i < SLOTS; i++)
		if (state.fds[i] >= 0)
			close(state.fds[i]);
	for (i = 0; i < FILES; i++)
		if (state.files[i] >= 0)
			close(state.files[i]);
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
 * A framebuffer that was closed, but not removed, stays on the screen. With the last
 * file of the device it goes, because the console comes back.
 */
static void let_go_of_screen(void)
{
	char node[64];

	close(guardian);
	snprintf(node, sizeof(node), "/dev/dri/renderD%u", 128 + minor);
	guardian = open(node, O_RDWR | O_CLOEXEC);
	if (guardian < 0) {
		perror("ferry_fuzz: the device is gone");
		exit(2);
	}
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

static void remember(const uint8_t *data, size_t size)
{
	static uint8_t bytes[sizeof(uint64_t) + MAX_CALLS * sizeof(struct call)];
	uint64_t length = size;

	if (current < 0)
		return;
	memcpy(bytes, &length, sizeof(length));
	memcpy(bytes + sizeof(length), data, size);
	if (pwrite(current, bytes, sizeof(length) + size, 0) < 0)
		perror("ferry_fuzz: cannot keep the current program");
}

/*
 * The program after which the count of BOs was higher than before, and has been since:
 * if that does not end it is the one that left them.
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

/* Nothing that a program made outlives it: some goes in the background, so wait. */
static void check_leaks(void)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	long bos = bos_now();
	int i;

	for (i = 0; i < 500 && bos > bos_before; i++) {
		if (i == 50)
			let_go_of_screen();
		nanosleep(&moment, NULL);
		bos = bos_now();
	}
	if (bos <= bos_before) {
		suspect.size = 0;
		return;
	}
	show_debugfs();
	remember(suspect.data, suspect.size);
	wrong("%ld BOs are left", bos - bos_before);
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

static void tell(void)
{
	time_t now = time(NULL);
	long seconds = now - stats.began ? now - stats.began : 1;

	stats.told = now;
	printf("fuzz: %ld s: %lu programs, %lu calls (%lu/s), %u places of the driver's code, "
	       "%u results, corpus %u\n",
	       seconds, stats.programs, stats.calls, stats.calls / seconds,
	       stats.places, stats.results, corpus_size());
	fflush(stdout);
}

static void tell_all(void)
{
	unsigned int i;

	if (!stats.programs || in_child)
		return;
	tell();
	printf("fuzz: a program takes %lu us, %lu of them to close what it left\n",
	       stats.us_programs / stats.programs,
	       stats.us_finish / stats.programs);
	for (i = 0; i < op_count; i++)
		if (ops[i].run)
			printf("fuzz: %-16s %8lu calls, %8lu without error, %6lu us each\n",
			       ops[i].name, stats.of_op[i], stats.well[i],
			       stats.of_op[i] ? stats.us[i] / stats.of_op[i] :
						0);
	fflush(stdout);
}

static void start(void);

static void run_program(const uint8_t *data, size_t size)
{
	struct call calls[MAX_CALLS];
	size_t n = size / sizeof(struct call), i;
	unsigned long before, inside;

	start();
	if (n > MAX_CALLS)
		n = MAX_CALLS;
	memcpy(calls, data, n * sizeof(struct call));
	remember(data, n * sizeof(struct call));
	before = now_us();
	begin();
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
	inside = now_us();
	finish();
	cover_collect();
	stats.us_programs += now_us() - before;
	stats.us_finish += now_us() - inside;
	stats.programs++;
	suspect_leak(data, n * sizeof(struct call));
	if (stats.programs % LEAKS_EVERY == 0 || getenv("FERRY_FUZZ_ALONE"))
		check_leaks();
	if (time(NULL) - stats.told >= 10)
		tell();
}

/* ---- making programs ---- */

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* A call that makes sense more often than random bytes: few slots, handy numbers. */
static struct call make_call(uint64_t *s)
{
	uint64_t r = splitmix(s);
	struct call call = {
		.op = r % op_count,
		.a = r >> 8 & (r >> 16 & 7 ? 1 : 0xff),
		.b = r >> 24 & (r >> 32 & 7 ? 3 : 0xff),
		.c = r >> 40,
		.v = splitmix(s),
	};

	if (!(r >> 48 & 3))
		call.v |= 0xff000000;
	else if (r >> 48 & 1)
		call.v &= 0xfffff;
	return call;
}

static uint8_t op_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < op_count; i++)
		if (!strcmp(ops[i].name, name))
			return i;
	return 255;
}

/* Begins with a file and BOs that are mapped, so that the rest has something to work on. */
static size_t make_program(uint64_t *s, struct call *calls)
{
	size_t n = 0, length = 8 + splitmix(s) % (MAX_CALLS - 8);
	unsigned int i, file = splitmix(s) & 1, bos = 1 + splitmix(s) % 4;

	calls[n++] = (struct call){ .op = op_named("open"), .a = file };
	for (i = 0; i < bos && n + 4 < length; i++) {
		uint64_t r = splitmix(s);
		uint32_t size = r & 1 ? 0xff000000 | (r >> 8 & 0xff) :
					(r >> 8) & 0x7fffff;

		calls[n++] = (struct call){ op_named("create"), file, i,
					    3 | (r >> 32 & 0x60) |
						    (r >> 40 &
						     1) << (3 + (r >> 41 & 1)),
					    size };
		calls[n++] = (struct call){ op_named("offset"), file, i,
					    r >> 48 & 1, 0 };
		calls[n++] = (struct call){ op_named("mmap"), file, i,
					    i | 3 << 3,
					    (uint32_t)(size % 2048) << 11 };
	}
	while (n < length) {
		uint64_t r = splitmix(s);

		calls[n] = make_call(s);
		/* mostly of that file and one of those BOs */
		if (r & 3)
			calls[n].a = (calls[n].a & ~(FILES - 1)) | file;
		if (r & 12)
			calls[n].b = (calls[n].b & ~(SLOTS - 1)) |
				     (r >> 4) % bos;
		n++;
	}
	return n;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	const size_t one = sizeof(struct call);
	uint64_t s = seed;
	size_t n = size / one, room = max / one, at, to;
	struct call call;

	if (room > MAX_CALLS)
		room = MAX_CALLS;
	if (n > room)
		n = room;
	at = n ? splitmix(&s) % n : 0;
	switch (splitmix(&s) % 8) {
	case 0:
		if (n > 1) {
			memmove(data + at * one, data + (at + 1) * one,
				(n - at - 1) * one);
			return (n - 1) * one;
		}
		break;
	case 1:
		if (n > 1) {
			to = splitmix(&s) % n;
			memcpy(&call, data + at * one, one);
			memmove(data + at * one, data + to * one, one);
			memcpy(data + to * one, &call, one);
			return n * one;
		}
		break;
	case 2:
		if (n) {
			memcpy(&call, data + at * one, one);
			size = LLVMFuzzerMutate((uint8_t *)&call, one, one);
			memcpy(data + at * one, &call, one);
			return n * one;
		}
		break;
	case 3:
		if (n) {
			call = make_call(&s);
			call.op = data[at * one];
			memcpy(data + at * one, &call, one);
			return n * one;
		}
		break;
	case 4:
		if (n + 3 <= room && n > 1) {
			/* two of them at the same time */
			to = splitmix(&s) % n;
			memcpy(data + (n + 1) * one, data + at * one, one);
			memcpy(data + (n + 2) * one, data + to * one, one);
			call = (struct call){ .op = op_named("race") };
			memcpy(data + n * one, &call, one);
			return (n + 3) * one;
		}
		break;
	}
	if (n == room)
		return LLVMFuzzerMutate(data, n * one, room * one);
	call = make_call(&s);
	memmove(data + (at + 1) * one, data + at * one, (n - at) * one);
	memcpy(data + at * one, &call, one);
	return (n + 1) * one;
}

static int generate(uint64_t seed, long seconds, unsigned long calls)
{
	struct call program[MAX_CALLS];
	uint64_t s = seed;
	size_t n;

	do {
		n = make_program(&s, program);
		run_program((const uint8_t *)program, n * sizeof(struct call));
	} while (calls ? stats.calls < calls :
			 time(NULL) - stats.began < seconds);
	tell_all();
	return 0;
}

/* ---- making one smaller ---- */

/* In a process of its own, which says nothing. */
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

/* Leaves calls out, many at once and then one by one, for as long as it fails. */
static int minimize(const char *from, const char *to)
{
	struct call calls[MAX_CALLS], less[MAX_CALLS];
	size_t n, size, at, out;
	FILE *file = fopen(from, "r");

	if (!file) {
		perror(from);
		return 2;
	}
	n = fread(calls, sizeof(*calls), MAX_CALLS, file);
	fclose(file);
	setenv("FERRY_FUZZ_ALONE", "y", 1);
	if (!fails(calls, n)) {
		printf("fuzz: it does not fail alone\n");
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
	file = fopen(to, "w");
	if (!file || fwrite(calls, sizeof(*calls), n, file) != n ||
	    fclose(file)) {
		perror(to);
		return 2;
	}
	return 0;
}

/* ---- text ---- */

static int assemble(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	char line[256], name[64];
	unsigned int v[4];
	int n, number = 0;

	if (!in || !out) {
		perror(in ? to : from);
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		struct call call;

		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		n = sscanf(line, "%63s %i %i %i %i", name, &v[0], &v[1], &v[2],
			   &v[3]);
		if (n != 5 || op_named(name) == 255) {
			fprintf(stderr, "%s:%d: not a call: %s", from, number,
				line);
			return 2;
		}
		call = (struct call){ op_named(name), v[0], v[1], v[2], v[3] };
		fwrite(&call, sizeof(call), 1, out);
	}
	fclose(in);
	return fclose(out) ? 2 : 0;
}

static int show(const char *path)
{
	FILE *in = fopen(path, "r");
	struct call call;

	if (!in) {
		perror(path);
		return 2;
	}
	printf("# SPDX-License-Identifier: MIT\n");
	while (fread(&call, sizeof(call), 1, in) == 1)
		printf("%s %u %u 0x%x 0x%x\n", ops[call.op % op_count].name,
		       call.a, call.b, call.c, call.v);
	fclose(in);
	return 0;
}

/* ---- the machine ---- */

void wrong(const char *format, ...)
{
	va_list args;

	guard = NULL;
	va_start(args, format);
	printf("fuzz: WRONG: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	if (in_child)
		_exit(77);
	abort();
}

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

static void start(void)
{
	static bool started;
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_NODEFER };
	const char *path = getenv("FERRY_FUZZ_CURRENT");
	pthread_t thread;
	int card = -1;
	char node[64], name[16] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) };

	if (started)
		return;
	started = true;
	stats.began = stats.told = time(NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_atfork(NULL, NULL, forked);
	arena = mmap(NULL, MAPPINGS * MAPPING_PAGES * PAGE + (4 << 20),
		     PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		     0);
	if (arena == MAP_FAILED) {
		perror("ferry_fuzz: no address space");
		exit(2);
	}
	/* at a multiple of 2 MiB, and with nothing before it */
	arena = (char *)(((uintptr_t)arena + (4 << 20) - 1) &
			 ~((2ul << 20) - 1));
	if (path)
		current = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	for (minor = 0; minor < 4; minor++) {
		snprintf(node, sizeof(node), "/dev/dri/card%u", minor);
		card = open(node, O_RDWR | O_CLOEXEC);
		if (card >= 0 && !ioctl(card, DRM_IOCTL_VERSION, &version) &&
		    !strncmp(name, "ferry", 5))
			break;
		if (card >= 0)
			close(card);
		card = -1;
	}
	/* the device is never without a file, else each program would end with a modeset */
	snprintf(node, sizeof(node), "/dev/dri/renderD%u", 128 + minor);
	guardian = open(node, O_RDWR | O_CLOEXEC);
	if (card < 0 || guardian < 0) {
		perror("ferry_fuzz: no device");
		exit(2);
	}
	find_display(card);
	close(card);
	bos_before = bos_now();
	pthread_barrier_init(&go, NULL, 2);
	pthread_barrier_init(&end, NULL, 2);
	if (pthread_create(&thread, NULL, race_thread, NULL)) {
		perror("ferry_fuzz: no thread");
		exit(2);
	}
	cover_start();
	printf("fuzz: %s\n",
	       cover ? "guided by the driver's coverage (KCOV)" :
		       "no KCOV here: guided by the results of calls");
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
	if (*argc >= 4 && !strcmp(v[1], "--generate"))
		exit(generate(strtoull(v[2], NULL, 0), atol(v[3]),
			      *argc > 4 ? strtoul(v[4], NULL, 0) : 0));
	atexit(tell_all);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_program(data, size);
	return 0;
}
