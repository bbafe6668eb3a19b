// SPDX-License-Identifier: MIT
/**
 * TEST: ferry fault proc
 * Category: Core
 * Description: Page table walks of the kernel, of a debugger and of a core dump over PMDs
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_audit.h"
#include "igt_ferry_fault.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Page table walks of the kernel, of a debugger and of a core dump over PMDs");

/* Read a file of /proc, for the page table walk alone. */
static void read_through(const char *path, off_t from, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	size_t got = 0;
	ssize_t n;

	if (file < 0)
		return; /* not in this kernel */
	igt_assert_eq_u64(lseek(file, from, SEEK_SET), from);
	while (got < size && (n = read(file, buf, sizeof(buf))) > 0)
		got += n;
	igt_assert_f(got, "%s: %s\n", path, strerror(errno));
	close(file);
}

static long smaps_kib(const void *map, const char *field)
{
	char value[64];

	igt_ferry_smaps(map, field, value, sizeof(value));
	return strtol(value, NULL, 10);
}

/**
 * SUBTEST: proc-%s
 * Description: The page table walks of /proc, madvise(), mlock() and msync() leave PMDs as they are
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_proc(int fd, const struct igt_ferry_kind *kind)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT,	MADV_COLD,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_FREE
	};
	unsigned char core[2 * HUGE_PAGES];
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	int clear;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	igt_ferry_count_start(fd, &count);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(bo.map, bo.size);

	/* no page of the mapping counts as memory of the process */
	igt_assert_eq(smaps_kib(bo.map, "Size"), bo.size >> 10);
	igt_assert_eq(smaps_kib(bo.map, "Rss"), 0);
	igt_assert_eq(smaps_kib(bo.map, "Swap"), 0);
	read_through("/proc/self/smaps_rollup", 0, SIZE_MAX);
	read_through("/proc/self/numa_maps", 0, SIZE_MAX);
	read_through("/proc/self/pagemap", (uintptr_t)bo.map / PAGE * 8,
		     bo.size / PAGE * 8);
	clear = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	igt_assert_fd(clear);
	for (const char *what = "134"; *what; what++)
		igt_assert_eq(write(clear, what, 1), 1);
	close(clear);
	mincore(bo.map, bo.size, core);
	for (unsigned int i = 0; i < ARRAY_SIZE(advice); i++)
		madvise(bo.map, bo.size, advice[i]);
	mlock(bo.map, bo.size);
	munlock(bo.map, bo.size);
	msync(bo.map, bo.size, MS_SYNC);

	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.audit.entries, 2);
	igt_assert_eq_u64(count.faults.faults, 2);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fill(&bo);
	igt_ferry_bo_check(&bo);
	igt_ferry_bo_fini(&bo);
	errno = 0;
}

/**
 * SUBTEST: access-%s
 * Description: A debugger and /proc/PID/mem access pages of a PMD without a fault and without splitting the PMD
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_access(int fd, const struct igt_ferry_kind *kind)
{
	const size_t across = HUGE - 1000;
	struct igt_ferry_bo bo;
	struct igt_ferry_count count;
	char text[2000], path[64];
	int mem, status;
	pid_t pid;

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	igt_ferry_access(bo.map, bo.size);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid) {
		igt_ferry_access(bo.map, bo.size);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSTOPPED(status));
	igt_ferry_count_start(fd, &count);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(mem);
	igt_assert_eq(pread(mem, text, sizeof(text),
			    (uintptr_t)bo.map + across),
		      (int)sizeof(text));
	igt_assert(!memcmp(text, (char *)bo.map + across, sizeof(text)));
	memset(text, 0x3d, sizeof(text));
	igt_assert_eq(pwrite(mem, text, sizeof(text),
			     (uintptr_t)bo.map + across),
		      (int)sizeof(text));
	igt_assert(!memcmp(text, (char *)bo.map + across, sizeof(text)));
	igt_assert_eq(ptrace(PTRACE_POKEDATA, pid, (char *)bo.map + HUGE + 8,
			     0x7ull),
		      0);
	igt_assert_eq_u64(*(uint64_t *)((char *)bo.map + HUGE + 8), 7);
	close(mem);
	igt_ferry_count_since(fd, &count);
	igt_assert_eq_u64(count.faults.faults, 0);
	igt_assert_eq_u64(count.audit.entries, 0);
	igt_assert_eq(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_ferry_bo_fini(&bo);
}

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"

static char core_pattern[256];

static void restore_core_pattern(int sig)
{
	int file = open(CORE_PATTERN, O_WRONLY | O_CLOEXEC);

	(void)sig;
	if (file < 0)
		return;
	if (core_pattern[0] &&
	    write(file, core_pattern, strlen(core_pattern)) > 0)
		core_pattern[0] = '\0';
	close(file);
}

/* Die by SIGABRT, with different contents in a page of the process and in the BO. */
static void dump_core(const struct igt_ferry_bo *bo, uint32_t own_id)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	void *own = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	setrlimit(RLIMIT_CORE, &limit);
	/* dump every kind of memory that can be selected */
	igt_ferry_must_write_file("/proc/self/coredump_filter", "0x1ff");
	signal(SIGABRT, SIG_DFL);
	igt_ferry_fill(own, 3, 1, own_id, bo->gen);
	igt_ferry_fill(bo->map, 0, bo->size / PAGE, bo->id, bo->gen);
	abort();
}

/*
 * Search for eight consecutive words that igt_ferry_fill() has written, of any page. Fewer
 * words may also be in the registers, which are part of a core file.
 */
static bool file_has(const char *path, uint32_t id, uint32_t gen)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t mark = id << 16 | gen;
	unsigned int run = 0;
	const uint64_t *all;
	struct stat st;
	size_t i;

	igt_assert_f(file >= 0, "no core file %s: %s\n", path, strerror(errno));
	igt_assert_eq(fstat(file, &st), 0);
	igt_assert(st.st_size);
	all = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	igt_assert(all != MAP_FAILED);
	for (i = 1; run < 8 && i < st.st_size / sizeof(*all); i++)
		run = all[i] >> 32 == mark && all[i] == all[i - 1] + 1 ?
			      run + 1 :
			      0;
	munmap((void *)all, st.st_size);
	close(file);
	return run == 8;
}

/* Return the number of bytes of the mapping that the core file has, whatever their value. */
static uint64_t dumped_bytes(const char *path, const struct igt_ferry_bo *bo)
{
	uintptr_t start = (uintptr_t)bo->map;
	FILE *file = fopen(path, "r");
	uint64_t bytes = 0;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;

	igt_assert(file);
	igt_assert_eq(fread(&ehdr, sizeof(ehdr), 1, file), 1);
	igt_assert_eq(fseek(file, ehdr.e_phoff, SEEK_SET), 0);
	for (int i = 0; i < ehdr.e_phnum; i++) {
		igt_assert_eq(fread(&phdr, sizeof(phdr), 1, file), 1);
		if (phdr.p_type == PT_LOAD && phdr.p_vaddr >= start &&
		    phdr.p_vaddr < start + bo->size)
			bytes += phdr.p_filesz;
	}
	fclose(file);
	return bytes;
}

/**
 * SUBTEST: core-dump-%s
 * Description: A core file has the memory of the process, and not the contents of a BO
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void test_core_dump(int fd, const struct igt_ferry_kind *kind)
{
	FILE *file = fopen(CORE_PATTERN, "r");
	const char *path = "/tmp/ferry-core";
	struct igt_ferry_bo bo;
	int status;
	pid_t pid;

	igt_assert(file);
	igt_assert(fgets(core_pattern, sizeof(core_pattern), file));
	fclose(file);
	igt_install_exit_handler(restore_core_pattern);
	igt_ferry_must_write_file(CORE_PATTERN, path);
	igt_ferry_must_write_file("/proc/sys/kernel/core_uses_pid", "0");

	igt_ferry_bo_init_huge(&bo, fd, 2 * HUGE_PAGES, kind);
	bo.map = ferry_bo_mmap(fd, bo.handle, bo.size);
	unlink(path);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid)
		dump_core(&bo, bo.id + 1);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status));
	igt_assert_f(WCOREDUMP(status), "no core was dumped\n");
	igt_assert_f(file_has(path, bo.id + 1, bo.gen),
		     "the process's own memory is not in the core file\n");
	igt_assert_f(!file_has(path, bo.id, bo.gen),
		     "the BO's contents are in the core file\n");
	igt_assert_eq_u64(dumped_bytes(path, &bo), 0);
	unlink(path);
	restore_core_pattern(0);
	igt_ferry_audit_clean(fd, NULL);
	igt_ferry_bo_fini(&bo);
}

static const struct igt_ferry_test tests[] = {
	{ "proc",
	  "The page table walks of /proc, madvise(), mlock() and msync() leave PMDs as they are",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_proc },
	{ "access",
	  "A debugger and /proc/PID/mem access pages of a PMD without a fault and without splitting the PMD",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_access },
	{ "core-dump",
	  "A core file has the memory of the process, and not the contents of a BO",
	  .kinds = igt_ferry_single_kinds, .run_kind = test_core_dump },
	{}
};

igt_ferry_main(tests)
