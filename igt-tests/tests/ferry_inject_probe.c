// SPDX-License-Identifier: MIT
/**
 * TEST: ferry inject probe
 * Category: Core
 * Description: Each allocation fails once, in turn, while the device is bound and unbound
 */
#include <stdlib.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_inject.h"
#include "igt_ferry_module.h"
#include "inject_path.h"

IGT_TEST_DESCRIPTION(
	"Each allocation fails once, in turn, while the device is bound and unbound");

/* Count what a failed probe or an unbind may have left in the kernel. */
static unsigned long traces(void)
{
	static const char *const files[][2] = {
		{ "/proc/vmallocinfo", "[ferry]" },
		{ "/proc/iomem", "ferry" },
		{ "/proc/interrupts", "ferry" },
	};
	unsigned long count = 0;
	char line[1024];

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		FILE *file = fopen(files[i][0], "r");

		igt_assert(file);
		while (fgets(line, sizeof(line), file))
			count += !!strstr(line, files[i][1]);
		fclose(file);
	}
	return count;
}

#define EMULATION "/sys/module/drm_kms_helper/parameters/fbdev_emulation"

static void helpers_on(int sig)
{
	(void)sig;
	igt_ferry_write_file(EMULATION, "1");
	igt_debug("udev goes on: %d\n",
		  system("d=/lib/systemd/systemd-udevd;"
			 "[ -x $d ] || d=/usr$d;"
			 "pidof systemd-udevd || $d --daemon"));
}

/*
 * Stop udev and the framebuffer console while the device is bound some hundred
 * times: the console would need a block of the aperture, and the rules of udev would
 * take longer than the test. The device must not be bound: the buffer of a console
 * that exists already would not be freed.
 */
static void helpers_off(void)
{
	int err;

	igt_install_exit_handler(helpers_on);
	err = igt_ferry_write_file(EMULATION, "0");
	igt_require_f(!err, EMULATION ": %s\n", strerror(-err));
	igt_debug("udev ends: %d\n", system("udevadm control --exit"));
}

/* Unbind the device, and count what is left of it. */
static unsigned long begin_unbound(void)
{
	igt_ferry_module_require();
	igt_ferry_clean(-1);
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	helpers_off();
	return traces();
}

static void begin_bound(void)
{
	memset(&at, 0, sizeof(at));
	at.fd = igt_ferry_open();
}

/**
 * SUBTEST: probe
 * Description: after a failure while it is bound, the device either works, or is not bound and has left nothing
 */
static void test_probe(void)
{
	unsigned int failed = 0, survived = 0, nth;
	unsigned long left = begin_unbound();
	bool hit, bound, minors = true;
	int err, kmsg;

	kmsg = igt_ferry_kmsg_open();
	igt_ferry_inject_modules();
	igt_ferry_inject_spare(IGT_FERRY_INJECT_MINOR);
	for (nth = igt_ferry_inject_first(); nth < IGT_FERRY_INJECT_MAX;
	     nth++) {
		igt_ferry_inject_arm(nth);
		err = igt_ferry_module_bind();
		hit = igt_ferry_inject_disarm();
		bound = igt_ferry_module_is_bound();
		igt_assert_f(bound == !err,
			     "failure %u: %s, and the device is %sbound\n", nth,
			     strerror(-err), bound ? "" : "not ");
		if (err) {
			/* a region for which there is no memory gives EBUSY */
			igt_assert_f(hit && (err == -ENOMEM || err == -EBUSY),
				     "failure %u of the probe gives %s (%d)\n",
				     nth, strerror(-err), err);
			igt_assert_f(
				traces() == left,
				"failure %u left %lu traces, and before there were %lu\n",
				nth, traces(), left);
			failed++;
			/*
			 * Only one function can be spared: the minors are
			 * created before the BAR is mapped, and ranges of the
			 * aperture allocated later.
			 */
			if (minors &&
			    igt_ferry_kmsg_has(kmsg, "cannot be mapped")) {
				igt_ferry_inject_spare(IGT_FERRY_INJECT_BUDDY);
				minors = false;
			}
			continue;
		}
		survived += hit;
		/* the kernel does not report a failure to create the file in /dev */
		if (hit && !igt_ferry_is_present()) {
			igt_info("failure %u: there is no file\n", nth);
			igt_assert_eq(igt_ferry_module_unbind(), 0);
			continue;
		}
		/* optional parts may be missing */
		begin_bound();
		add_bo(3 * PAGE, &igt_ferry_movable_kinds[0]);
		ferry_bo_migrate(at.fd, at.bo[0].handle, APERTURE);
		check_bos();
		igt_ferry_clean(-1);
		if (!hit)
			break;
		igt_assert_eq(igt_ferry_module_unbind(), 0);
	}
	igt_ferry_inject_anywhere();
	close(kmsg);
	igt_assert_f(!minors, "no failure of the mapping of the BAR\n");
	igt_assert_f(nth < IGT_FERRY_INJECT_MAX, "no pass without a failure\n");
	igt_info("probe: %u sites: %u failures, %u that it went on without\n",
		 nth - 1, failed, survived);
}

/* Some of it may be freed by a work item. */
static void wait_traces(unsigned long left, unsigned int nth)
{
	struct timespec start = {};

	while (traces() != left && igt_seconds_elapsed(&start) < 10)
		usleep(20000);
	igt_assert_f(traces() == left,
		     "failure %u left %lu traces, and before there were %lu\n",
		     nth, traces(), left);
}

/**
 * SUBTEST: unbind
 * Description: after a failure in an unbind with the display on, all contents are kept, and the device can be bound again
 */
static void test_unbind(void)
{
	unsigned long left = begin_unbound();
	unsigned int nth;
	bool hit = true;

	for (nth = igt_ferry_inject_first(); hit && nth < IGT_FERRY_INJECT_MAX;
	     nth++) {
		igt_assert_eq(igt_ferry_module_bind(), 0);
		begin_bound();
		begin_modeset();
		igt_assert_eq(op_modeset(), 0);
		add_aperture_bos();
		add_bo(9 * PAGE, &igt_ferry_single_kinds[0]);
		igt_ferry_inject_modules();
		igt_ferry_inject_arm(nth);
		igt_assert_eq(igt_ferry_module_unbind(), 0);
		hit = igt_ferry_inject_disarm();
		igt_ferry_inject_anywhere();
		check_bos();
		igt_ferry_clean(-1);
		wait_traces(left, nth);
	}
	igt_assert_f(!hit, "no pass without a failure\n");
	igt_assert_f(nth > 2, "no site was hit\n");
	igt_info("unbind: %u sites: it went on without each\n", nth - 2);
	igt_assert_eq(igt_ferry_module_bind(), 0);
}

/**
 * SUBTEST: unbind-starved
 * Description: an unbind without pages keeps the contents of BOs with pages, zeroes the others, and says so in the kernel log
 */
static void test_unbind_starved(void)
{
	unsigned long left = begin_unbound();
	int kmsg;

	igt_assert_eq(igt_ferry_module_bind(), 0);
	begin_bound();
	begin_modeset();
	igt_assert_eq(op_modeset(), 0);
	/* one without pages, one with kept pages, one in system memory */
	add_bo(9 * PAGE, &igt_ferry_single_kinds[2]);
	add_bo(5 * PAGE, &igt_ferry_movable_kinds[1]);
	ferry_bo_migrate(at.fd, at.bo[1].handle, APERTURE);
	add_bo(9 * PAGE, &igt_ferry_single_kinds[0]);
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_inject_modules();
	igt_ferry_inject_starve(true);
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_ferry_inject_starve(false);
	igt_ferry_inject_anywhere();
	igt_assert(
		igt_ferry_kmsg_has(kmsg, "contents of the aperture are lost"));
	close(kmsg);
	igt_ferry_check_zero(at.bo[0].map, at.bo[0].size);
	igt_ferry_bo_check(&at.bo[1]);
	igt_ferry_bo_check(&at.bo[2]);
	igt_ferry_clean(-1);
	wait_traces(left, 0);
	igt_assert_eq(igt_ferry_module_bind(), 0);
	begin_bound();
	add_aperture_bos();
	check_bos();
	igt_ferry_clean(-1);
}

igt_main
{
	igt_fixture
	{
		int fd = begin_paths();

		igt_ferry_module_begin(fd);
	}

	igt_describe(
		"after a failure while it is bound, the device either works, or is not bound and has left nothing");
	igt_subtest("probe") test_probe();
	igt_describe(
		"after a failure in an unbind with the display on, all contents are kept, and the device can be bound again");
	igt_subtest("unbind") test_unbind();
	igt_describe(
		"an unbind without pages keeps the contents of BOs with pages, zeroes the others, and says so in the kernel log");
	igt_subtest("unbind-starved") test_unbind_starved();
}
