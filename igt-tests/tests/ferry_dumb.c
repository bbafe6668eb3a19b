// SPDX-License-Identifier: MIT
/**
 * TEST: ferry dumb
 * Category: Display
 * Description: Where dumb buffers are placed: by the speed of reads, or by a parameter
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"Where dumb buffers are placed: by the speed of reads, or by a parameter");

/* The driver calls an aperture slow if reads take longer than those of system memory by this. */
#define SLOW 16

/**
 * struct state - debugfs ferry_dumb, and what clients are told
 * @placement: "system" or "aperture"
 * @chosen_by: "measurement" or "parameter"
 * @aperture_ns: time to read from the aperture
 * @system_ns: time to read the same number of bytes from system memory
 * @shadow: DRM_CAP_DUMB_PREFER_SHADOW
 */
struct state {
	char placement[16];
	char chosen_by[16];
	uint64_t aperture_ns;
	uint64_t system_ns;
	uint64_t shadow;
};

static void get_state(int fd, struct state *state)
{
	int dir = igt_debugfs_dir(fd);
	char text[256];

	igt_assert_fd(dir);
	igt_assert_lt(0, igt_debugfs_simple_read(dir, "ferry_dumb", text,
						 sizeof(text)));
	close(dir);
	igt_assert_f(
		sscanf(text,
		       "placement %15s chosen_by %15s aperture_read_ns %" SCNu64
		       " system_read_ns %" SCNu64,
		       state->placement, state->chosen_by, &state->aperture_ns,
		       &state->system_ns) == 4,
		"ferry_dumb: %s\n", text);
	igt_assert_lt_u64(0, state->aperture_ns);
	igt_assert_lt_u64(0, state->system_ns);
	igt_assert_eq(drmGetCap(fd, DRM_CAP_DUMB_PREFER_SHADOW, &state->shadow),
		      0);
	igt_info("aperture %" PRIu64 " ns, system memory %" PRIu64 " ns: %s\n",
		 state->aperture_ns, state->system_ns, state->placement);
}

/* Show a dumb buffer, and check where it is and that its picture is on the screen. */
static void check_shown(int fd, bool system)
{
	struct drm_ferry_bo_query query;
	uint64_t size, flips, copied;
	char white[128], black[128];
	uint32_t handle, pitch;
	struct fb fb = {};
	struct kms kms;
	uint64_t offset;
	void *map;

	screen_require();
	kms_init(&kms, fd);
	flips = igt_ferry_stat(fd, "flips");
	copied = igt_ferry_stat(fd, "copied_bytes");
	igt_assert_eq(drmModeCreateDumbBuffer(fd, kms.mode.hdisplay,
					      kms.mode.vdisplay, 32, 0, &handle,
					      &pitch, &size),
		      0);
	igt_assert_eq(drmModeMapDumbBuffer(fd, handle, &offset), 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	igt_assert(map != MAP_FAILED);
	igt_assert_eq(fb_add(fd, handle, kms.mode.hdisplay, kms.mode.vdisplay,
			     pitch, &fb.id),
		      0);
	fb.bo = (struct igt_ferry_bo){ .fd = fd, .handle = handle };
	igt_assert_eq(show(&kms, &fb, &kms.mode), 0);
	screen_picture(black, sizeof(black));
	memset(map, 0xff, size);
	flip(&kms, &fb);
	screen_picture(white, sizeof(white));
	igt_assert(strcmp(black, white));

	ferry_bo_query(fd, handle, &query);
	igt_assert_eq_u32(query.placement, system ? SYSTEM : APERTURE);
	igt_assert_eq(query.pinned, !system);
	if (system)
		igt_assert_lt_u64(copied + size,
				  igt_ferry_stat(fd, "copied_bytes"));
	else
		igt_assert_lt_u64(flips, igt_ferry_stat(fd, "flips"));
	off(&kms);
	igt_assert_eq(drmModeRmFB(fd, fb.id), 0);
	munmap(map, size);
	igt_assert_eq(drmModeDestroyDumbBuffer(fd, handle), 0);
	drmModeFreeConnector(kms.connector);
	errno = 0;
}

/* Bind the device while each of its reads of the aperture takes @ms longer. */
static int bind_slow(int fd, unsigned int ms)
{
	close(fd);
	igt_ferry_break_delay("memcpy_fromio", ms, getpid(), 0);
	igt_ferry_module_must_unbind();
	igt_ferry_module_must_bind();
	igt_ferry_break_unload();
	return igt_ferry_module_open();
}

/**
 * SUBTEST: measured
 * Description: the placement is what the times to read say, and a dumb buffer is shown from there
 */
static void test_measured(int fd)
{
	struct state state;
	bool slow;

	fd = igt_ferry_module_reload(fd, "");
	get_state(fd, &state);
	slow = state.aperture_ns > SLOW * state.system_ns;
	igt_assert(!strcmp(state.chosen_by, "measurement"));
	igt_assert(!strcmp(state.placement, slow ? "system" : "aperture"));
	igt_assert_eq_u64(state.shadow, 0);
	check_shown(fd, slow);
	close(fd);
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: slow
 * Description: if the aperture is slow to read, dumb buffers stay in system memory and are copied to the screen
 */
static void test_slow(int fd)
{
	struct state state;

	fd = bind_slow(fd, 20);
	get_state(fd, &state);
	igt_assert_lt_u64(SLOW * state.system_ns, state.aperture_ns);
	igt_assert(!strcmp(state.chosen_by, "measurement"));
	igt_assert(!strcmp(state.placement, "system"));
	igt_assert_eq_u64(state.shadow, 0);
	check_shown(fd, true);
	close(fd);
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: parameter
 * Description: dumb_placement= overrides the measurement, and programs are told to draw elsewhere if reads are slow
 */
static void test_parameter(int fd)
{
	struct state state;

	fd = igt_ferry_module_reload(fd, "dumb_placement=system");
	get_state(fd, &state);
	igt_assert(!strcmp(state.chosen_by, "parameter"));
	igt_assert(!strcmp(state.placement, "system"));
	igt_assert_eq_u64(state.shadow, 0);
	check_shown(fd, true);

	fd = igt_ferry_module_reload(fd, "dumb_placement=aperture");
	fd = bind_slow(fd, 20);
	get_state(fd, &state);
	igt_assert(!strcmp(state.chosen_by, "parameter"));
	igt_assert(!strcmp(state.placement, "aperture"));
	igt_assert_eq_u64(state.shadow, 1);
	check_shown(fd, false);
	close(fd);
	igt_ferry_module_start_over();
}

/**
 * SUBTEST: parameter-invalid
 * Description: with an unknown value of dumb_placement= the device is not bound, and a message says why
 */
static void test_parameter_invalid(int fd)
{
	igt_ferry_module_check_refused(
		fd, "dumb_placement=vram",
		"dumb_placement=vram is none of auto, system and aperture");
}

static const struct igt_ferry_test tests[] = {
	{ "measured",
	  "the placement is what the times to read say, and a dumb buffer is shown from there",
	  test_measured },
	{ "slow",
	  "if the aperture is slow to read, dumb buffers stay in system memory and are copied to the screen",
	  test_slow },
	{ "parameter",
	  "dumb_placement= overrides the measurement, and programs are told to draw elsewhere if reads are slow",
	  test_parameter },
	{ "parameter-invalid",
	  "with an unknown value of dumb_placement= the device is not bound, and a message says why",
	  test_parameter_invalid },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = kms_open();

	igt_ferry_module_run_tests(fd, tests);
}
