/* SPDX-License-Identifier: MIT */
/*
 * The part of IGT's public interface that the tests of ferry use.
 *
 * Distributions ship the library, libigt.so, without its headers. This file
 * declares the functions and macros that the tests use, with the names, the
 * types and the control flow of IGT 1.27, so that the same test sources also
 * compile with the headers of an IGT tree (see ../README.rst). Every macro calls
 * a function of the library.
 *
 * Structures of IGT are not declared: their layout is not a stable interface.
 */
#ifndef IGT_H
#define IGT_H

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>

#ifndef IGT_LOG_DOMAIN
#define IGT_LOG_DOMAIN (NULL)
#endif

#define __noreturn __attribute__((noreturn))

extern const char *__igt_test_description __attribute__((weak));

/* Text that --help-description and --describe print for the whole program */
#define IGT_TEST_DESCRIPTION(str) const char *__igt_test_description = str

/* Names that are unique to a line */
#define __igt_tokencat2(x, y) x##y
#define igt_tokencat(x, y) __igt_tokencat2(x, y)
#define igt_unique(prefix) \
	igt_tokencat(igt_tokencat(__igt_unique__, prefix), __LINE__)

#define ARRAY_SIZE(arr) (sizeof(arr) / sizeof(arr[0]))
#define ALIGN(v, a) (((v) + (a)-1) & ~((a)-1))
#define READ_ONCE(x) (*(volatile typeof(x) *)(&(x)))

/*
 * Program, fixtures and subtests (igt_core.h)
 *
 * A failing or skipping subtest leaves its block by siglongjmp() to the jump
 * buffer that the block's loop header has set.
 */
extern jmp_buf igt_subtest_jmpbuf;

typedef int (*igt_opt_handler_t)(int opt, int opt_index, void *data);

int igt_subtest_init_parse_opts(int *argc, char **argv,
				const char *extra_short_opts,
				const struct option *extra_long_opts,
				const char *help_str,
				igt_opt_handler_t extra_opt_handler,
				void *handler_data);
bool __igt_fixture(void);
void __igt_fixture_complete(void);
bool __igt_run_subtest(const char *subtest_name, const char *file,
		       const int line);
void igt_success(void);
__noreturn void igt_exit(void);
__noreturn __attribute__((format(printf, 5, 6))) void
__igt_skip_check(const char *file, const int line, const char *func,
		 const char *check, const char *format, ...);
__noreturn __attribute__((format(printf, 6, 7))) void
__igt_fail_assert(const char *domain, const char *file, const int line,
		  const char *func, const char *assertion, const char *format,
		  ...);
__attribute__((format(printf, 1, 2))) void igt_describe_f(const char *fmt, ...);

#define igt_describe(dsc) igt_describe_f("%s", dsc)

#define igt_main_args(short_opts, long_opts, help_str, opt_handler,           \
		      handler_data)                                           \
	static void igt_unique(__real_main)(void);                            \
	int main(int argc, char **argv)                                       \
	{                                                                     \
		igt_subtest_init_parse_opts(&argc, argv, short_opts,          \
					    long_opts, help_str, opt_handler, \
					    handler_data);                    \
		igt_unique(__real_main)();                                    \
		igt_exit();                                                   \
	}                                                                     \
	static void igt_unique(__real_main)(void)

#define igt_main igt_main_args(NULL, NULL, NULL, NULL, NULL)

#define igt_fixture                                         \
	for (volatile int igt_unique(__tmpint) = 0;         \
	     igt_unique(__tmpint) < 1 && __igt_fixture() && \
	     sigsetjmp(igt_subtest_jmpbuf, 1) == 0;         \
	     igt_unique(__tmpint)++, __igt_fixture_complete())

#define igt_subtest(name)                                       \
	for (; __igt_run_subtest((name), __FILE__, __LINE__) && \
	       sigsetjmp(igt_subtest_jmpbuf, 1) == 0;           \
	     igt_success())

#define __igt_subtest_f(tmp, format...)                                    \
	for (char tmp[256]; snprintf(tmp, sizeof(tmp), format),            \
			    __igt_run_subtest(tmp, __FILE__, __LINE__) &&  \
				    sigsetjmp(igt_subtest_jmpbuf, 1) == 0; \
	     igt_success())

#define igt_subtest_f(f...) __igt_subtest_f(igt_unique(__tmpchar), f)

/* Checks: a failed assert fails the subtest, an unmet requirement skips it */
#define igt_assert(expr)                                                      \
	do {                                                                  \
		if (!(expr))                                                  \
			__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, \
					  __func__, #expr, NULL);             \
	} while (0)

#define igt_assert_f(expr, f...)                                              \
	do {                                                                  \
		if (!(expr))                                                  \
			__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, \
					  __func__, #expr, f);                \
	} while (0)

#define __igt_assert_cmp(type, fmt, arg, n1, cmp, ncmp, n2)                   \
	do {                                                                  \
		type __n1 = (n1), __n2 = (n2);                                \
		if (!(__n1 cmp __n2))                                         \
			__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, \
					  __func__, #n1 " " #cmp " " #n2,     \
					  "error: " fmt " " #ncmp " " fmt     \
					  "\n",                               \
					  (arg)__n1, (arg)__n2);              \
	} while (0)

#define igt_assert_cmpint(n1, cmp, ncmp, n2) \
	__igt_assert_cmp(int, "%d", int, n1, cmp, ncmp, n2)
#define igt_assert_cmpuint(n1, cmp, ncmp, n2) \
	__igt_assert_cmp(uint32_t, "%#x", uint32_t, n1, cmp, ncmp, n2)
#define igt_assert_cmpu64(n1, cmp, ncmp, n2)                                   \
	__igt_assert_cmp(uint64_t, "%#llx", unsigned long long, n1, cmp, ncmp, \
			 n2)

#define igt_assert_eq(n1, n2) igt_assert_cmpint(n1, ==, !=, n2)
#define igt_assert_eq_u32(n1, n2) igt_assert_cmpuint(n1, ==, !=, n2)
#define igt_assert_eq_u64(n1, n2) igt_assert_cmpu64(n1, ==, !=, n2)
#define igt_assert_neq_u32(n1, n2) igt_assert_cmpuint(n1, !=, ==, n2)
#define igt_assert_lt(n1, n2) igt_assert_cmpint(n1, <, >=, n2)
#define igt_assert_lte(n1, n2) igt_assert_cmpint(n1, <=, >, n2)
#define igt_assert_lt_u64(n1, n2) igt_assert_cmpu64(n1, <, >=, n2)
#define igt_assert_lte_u64(n1, n2) igt_assert_cmpu64(n1, <=, >, n2)
#define igt_assert_fd(fd) \
	igt_assert_f(fd >= 0, "file descriptor " #fd " failed\n");

#define igt_skip_check(E, F...) \
	__igt_skip_check(__FILE__, __LINE__, __func__, E, F)

#define igt_require(expr)                                                  \
	do {                                                               \
		if (!(expr))                                               \
			igt_skip_check(#expr, NULL);                       \
		else                                                       \
			igt_debug("Test requirement passed: %s\n", #expr); \
	} while (0)

#define igt_require_f(expr, f...)                                          \
	do {                                                               \
		if (!(expr))                                               \
			igt_skip_check(#expr, f);                          \
		else                                                       \
			igt_debug("Test requirement passed: %s\n", #expr); \
	} while (0)

/* Child processes; if one fails, the subtest fails */
bool __igt_fork(void);
void igt_waitchildren(void);
void igt_waitchildren_timeout(int seconds, const char *reason);

#define igt_fork(child, num_children)                        \
	for (int child = 0; child < (num_children); child++) \
		for (; __igt_fork(); exit(0))

typedef void (*igt_exit_handler_t)(int sig);
void igt_install_exit_handler(igt_exit_handler_t fn);
void igt_drop_root(void);

/* Messages and time */
enum igt_log_level {
	IGT_LOG_DEBUG,
	IGT_LOG_INFO,
	IGT_LOG_WARN,
	IGT_LOG_CRITICAL,
	IGT_LOG_NONE,
};
__attribute__((format(printf, 3, 4))) void
igt_log(const char *domain, enum igt_log_level level, const char *format, ...);
#define igt_debug(f...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_DEBUG, f)
#define igt_info(f...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_INFO, f)

uint64_t igt_nsec_elapsed(struct timespec *start);
static inline uint32_t igt_seconds_elapsed(struct timespec *start)
{
	return igt_nsec_elapsed(start) >> 30;
}

/* DRM devices and ioctls (drmtest.h, ioctl_wrappers.h) */
#define DRIVER_VGEM (1 << 2)
#define DRIVER_ANY ~(DRIVER_VGEM)

int __drm_open_driver(int chipset);
void __set_forced_driver(const char *name);

#ifdef IGT_IOCTL_IS_THREAD_LOCAL
extern __thread int (*igt_ioctl)(int fd, unsigned long request, void *arg);
#else
extern int (*igt_ioctl)(int fd, unsigned long request, void *arg);
#endif

#define do_ioctl(fd, ioc, ioc_data)                                   \
	do {                                                          \
		igt_assert_eq(igt_ioctl((fd), (ioc), (ioc_data)), 0); \
		errno = 0;                                            \
	} while (0)

void gem_close(int fd, uint32_t handle);

static inline uint64_t to_user_pointer(const void *ptr)
{
	return (uintptr_t)ptr;
}

/* debugfs of a DRM device (igt_debugfs.h) */
int igt_debugfs_dir(int device);
int igt_debugfs_simple_read(int dir, const char *filename, char *buf, int size);

#endif /* IGT_H */
