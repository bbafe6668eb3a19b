// SPDX-License-Identifier: MIT
/**
 * TEST: ferry displays
 * Category: Display
 * Description: One program that drives several displays at once
 */
#include <fcntl.h>

#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_pipe.h"

IGT_TEST_DESCRIPTION("One program that drives several displays at once");

#define DISPLAYS 3
#define WANTED \
	"vm/run --device VGA --device secondary-vga --device bochs-display"
#define WIDTH 1024
#define HEIGHT 768
#define ROUNDS 40

/**
 * struct display - one of the displays
 * @kms: its pipeline
 * @slot: its PCI address, by which they are sorted
 * @fbs: framebuffers: one has the same picture on all displays, the other one its own
 * @mode: the mode that all displays have
 * @flips: number of events of page flips
 */
struct display {
	struct kms kms;
	char slot[64];
	struct fb fbs[2];
	drmModeModeInfo mode;
	unsigned int flips;
};

static struct display displays[DISPLAYS];
static int count;

static int by_slot(const void *a, const void *b)
{
	return strcmp(((const struct display *)a)->slot,
		      ((const struct display *)b)->slot);
}

static void find_mode(struct display *d)
{
	const drmModeConnector *connector = d->kms.connector;

	for (int i = 0; i < connector->count_modes; i++) {
		d->mode = connector->modes[i];
		if (d->mode.hdisplay == WIDTH && d->mode.vdisplay == HEIGHT)
			return;
	}
	igt_assert_f(false, "%s has no mode of %dx%d\n", d->slot, WIDTH,
		     HEIGHT);
}

static void draw(const struct fb *fb, uint32_t color)
{
	uint32_t *pixels = fb->bo.map;

	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			pixels[y * fb->pitch / 4 + x] =
				(x ^ y) & 32 ? color : (uint32_t)x << 12 | y;
}

/* Open each display as its master. */
static void open_displays(void)
{
	count = 0;
	for (int minor = 0; minor < 16 && count < DISPLAYS; minor++) {
		struct display *d = &displays[count];
		struct drm_ferry_device_query query;
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", minor);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || !igt_ferry_is_device(fd)) {
			close(fd);
			continue;
		}
		ferry_device_query(fd, &query);
		if (!(query.features & DRM_FERRY_FEATURE_DISPLAY)) {
			close(fd);
			continue;
		}
		memset(d, 0, sizeof(*d));
		igt_ferry_pci_slot(fd, d->slot, sizeof(d->slot));
		drmSetMaster(fd);
		kms_init(&d->kms, fd);
		count++;
	}
	errno = 0;
	igt_require_f(count == DISPLAYS, "needs three displays: " WANTED "\n");
	qsort(displays, count, sizeof(*displays), by_slot);
	for (int i = 0; i < count; i++) {
		struct display *d = &displays[i];

		find_mode(d);
		for (int j = 0; j < 2; j++) {
			fb_init(&d->fbs[j], &d->kms, &fb_aperture, &d->mode);
			draw(&d->fbs[j], j ? 0xff << 8 * i : 0xffffff);
		}
	}
}

static void close_displays(void)
{
	for (int i = 0; i < count; i++) {
		struct display *d = &displays[i];

		off(&d->kms);
		for (int j = 0; j < 2; j++)
			fb_fini(&d->fbs[j]);
		drmModeFreeConnector(d->kms.connector);
		close(d->kms.fd);
	}
}

/* Checksum of what display @i shows, from the host of the virtual machine */
static void take_picture(int i, char *sum, size_t size)
{
	char command[64];
	FILE *host;

	snprintf(command, sizeof(command), "vm-host picture d%d", i);
	host = popen(command, "r");
	igt_assert(host);
	igt_assert(fgets(sum, size, host));
	igt_require_f(pclose(host) == 0,
		      "needs a virtual machine that can take pictures: " WANTED
		      "\n");
	errno = 0;
}

/**
 * SUBTEST: pictures
 * Description: each of three displays shows its own framebuffer, and a flip of one changes no other
 */
static void test_pictures(int fd)
{
	char same[128], own[DISPLAYS][128], now[128];

	close(fd);
	open_displays();
	for (int i = 0; i < count; i++) {
		struct display *d = &displays[i];

		igt_assert_eq(show(&d->kms, &d->fbs[0], &d->mode), 0);
	}
	take_picture(0, same, sizeof(same));
	for (int i = 1; i < count; i++) {
		take_picture(i, now, sizeof(now));
		igt_assert_f(!strcmp(now, same),
			     "display %d shows another picture\n", i);
	}
	for (int i = 0; i < count; i++) {
		flip(&displays[i].kms, &displays[i].fbs[1]);
		take_picture(i, own[i], sizeof(own[i]));
		igt_assert(strcmp(own[i], same));
		for (int j = 0; j < count; j++) {
			take_picture(j, now, sizeof(now));
			igt_assert_f(!strcmp(now, j <= i ? own[j] : same),
				     "display %d, after a flip of display %d\n",
				     j, i);
			igt_assert(j >= i || strcmp(own[i], own[j]));
		}
	}
	close_displays();
}

/**
 * SUBTEST: flips
 * Description: one program flips three displays at the same time, each at its own rate
 */
static void test_flips(int fd)
{
	drmEventContext context = { .version = 2,
				    .page_flip_handler = flip_done };
	struct pollfd poll_fds[DISPLAYS];
	unsigned int asked[DISPLAYS] = {}, done;
	char sums[2][128];

	close(fd);
	open_displays();
	for (int i = 0; i < count; i++) {
		struct display *d = &displays[i];

		igt_assert_eq(show(&d->kms, &d->fbs[0], &d->mode), 0);
		poll_fds[i] = (struct pollfd){ d->kms.fd, POLLIN, 0 };
	}
	do {
		done = 0;
		for (int i = 0; i < count; i++) {
			struct display *d = &displays[i];

			done += d->flips == ROUNDS;
			if (asked[i] == ROUNDS || asked[i] > d->flips)
				continue;
			asked[i]++;
			igt_assert_eq(drmModePageFlip(d->kms.fd, d->kms.crtc,
						      d->fbs[asked[i] & 1].id,
						      DRM_MODE_PAGE_FLIP_EVENT,
						      &d->flips),
				      0);
		}
		if (done == DISPLAYS)
			break;
		igt_assert_f(poll(poll_fds, count, 5000) > 0,
			     "%u, %u and %u of %d flips within 5 s\n",
			     displays[0].flips, displays[1].flips,
			     displays[2].flips, ROUNDS);
		for (int i = 0; i < count; i++)
			if (poll_fds[i].revents)
				igt_assert_eq(drmHandleEvent(poll_fds[i].fd,
							     &context),
					      0);
	} while (true);
	/* the last flip was to the common picture */
	for (int i = 0; i < count; i++) {
		take_picture(i, sums[!!i], sizeof(sums[0]));
		igt_assert_f(!i || !strcmp(sums[0], sums[1]),
			     "display %d shows another picture\n", i);
	}
	close_displays();
}

static const struct igt_ferry_test tests[] = {
	{ "pictures",
	  "each of three displays shows its own framebuffer, and a flip of one changes no other",
	  test_pictures },
	{ "flips",
	  "one program flips three displays at the same time, each at its own rate",
	  test_flips },
	{}
};

/* Each subtest opens the displays by itself, and needs them without another master. */
static int displays_begin(int keep)
{
	igt_ferry_clean(keep);
	return igt_ferry_open();
}

igt_main
{
	__igt_ferry_run_tests(tests, displays_begin, -1);
}
