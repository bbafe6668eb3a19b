// SPDX-License-Identifier: MIT
/* Pictures on a display: modes, flips, damage, and the checksum of the screen. */

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "check.h"

#define WIDTH 640
#define HEIGHT 480
/* The longest checksum, with its final zero. */
#define SUM 80

static struct ferry_device *dev;
static int fd;
/* The test runs in vm/run, which returns checksums of the screen. */
static bool has_screen;

static uint32_t colour(uint32_t x, uint32_t y, uint32_t seed)
{
	return (x * 7 + seed) << 16 ^ (y * 5 + seed) << 8 ^ (x + y);
}

/* Draw a rectangle of a picture into the buffer. */
static void draw(struct ferry_display *display, uint32_t left, uint32_t top,
		 uint32_t width, uint32_t height, uint32_t seed)
{
	struct ferry_display_buffer buffer;

	ferry_display_draw(display, &buffer);
	for (uint32_t y = top; y < top + height; y++) {
		uint32_t *row = (void *)((char *)buffer.pixels +
					 (size_t)y * buffer.pitch);

		for (uint32_t x = left; x < left + width; x++)
			row[x] = colour(x, y, seed) & 0xffffff;
	}
}

static void draw_all(struct ferry_display *display, uint32_t seed)
{
	draw(display, 0, 0, WIDTH, HEIGHT, seed);
}

static struct ferry_display *new_display(uint32_t width, uint32_t height)
{
	struct ferry_display *display;

	CHECK_OK(ferry_display_new(dev, width, height, 0, &display));
	return display;
}

static void get_sum(char *sum)
{
	FILE *host = popen("vm-host picture", "r");

	CHECK(host && fgets(sum, SUM, host));
	CHECK_EQ(pclose(host), 0);
	CHECK(strlen(sum) > 10);
}

/* The screen shows picture @sum; QEMU reads the memory some time after it was written. */
static bool shows(const char *sum)
{
	char now[SUM];

	for (int i = 0; i < 10; i++) {
		get_sum(now);
		if (!strcmp(now, sum))
			return true;
		usleep(20000);
	}
	return false;
}

static void picture(void)
{
	struct ferry_display *display;
	char black[SUM], first[SUM], mixed[SUM];

	if (!has_screen) {
		printf("note: no picture of the screen: run this in vm/run\n");
		return;
	}
	display = new_display(WIDTH, HEIGHT);
	get_sum(black);
	draw_all(display, 1);
	CHECK(shows(black));
	CHECK_OK(ferry_display_flip(display));
	get_sum(first);
	CHECK(strcmp(black, first));

	/* Drawing changes the screen only where it is damaged. */
	draw_all(display, 2);
	CHECK(shows(first));
	CHECK_OK(ferry_display_damage(display, 33, 44, 100, 57));
	CHECK_OK(ferry_display_damage(display, WIDTH - 1, HEIGHT - 1, 1, 1));
	get_sum(mixed);
	CHECK(strcmp(mixed, first));
	draw_all(display, 1);
	draw(display, 33, 44, 100, 57, 2);
	draw(display, WIDTH - 1, HEIGHT - 1, 1, 1, 2);
	CHECK_OK(ferry_display_flip(display));
	CHECK(shows(mixed));

	/* The buffer that was shown before is the same picture. */
	CHECK_OK(ferry_display_flip(display));
	CHECK(shows(mixed));
	draw_all(display, 1);
	CHECK_OK(ferry_display_damage(display, 0, 0, WIDTH, HEIGHT));
	CHECK(shows(first));
	ferry_display_del(display);

	/* A new display does not show the picture of the last one. */
	display = new_display(WIDTH, HEIGHT);
	CHECK(shows(black));
	ferry_display_del(display);
}

/* KiB of all BOs of this open file. */
static unsigned long long total_memory(void)
{
	unsigned long long total = 0, size;
	char path[64], line[256];
	FILE *info;
	int fields = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	CHECK(info);
	while (fgets(line, sizeof(line), info)) {
		if (sscanf(line, "drm-total-%*[^:]: %llu", &size) != 1)
			continue;
		total += size;
		fields++;
	}
	fclose(info);
	CHECK(fields > 1);
	return total;
}

static void modes(void)
{
	drmModeResPtr res = drmModeGetResources(fd);
	drmModeConnectorPtr connector;
	struct ferry_display_buffer buffer;
	struct ferry_display *display;
	int flipped = 0, err;

	CHECK(res && res->count_connectors == 1);
	connector = drmModeGetConnector(fd, res->connectors[0]);
	CHECK(connector && connector->count_modes > 1);
	for (int i = 0; i < connector->count_modes; i++) {
		const drmModeModeInfo *mode = &connector->modes[i];

		/* Larger ones take long under emulation. */
		if (mode->hdisplay * mode->vdisplay > 1024 * 768)
			continue;
		err = ferry_display_new(dev, mode->hdisplay, mode->vdisplay, 0,
					&display);
		/* A mode can need more than the aperture has. */
		if (err == -ENOSPC)
			continue;
		CHECK_OK(err);
		ferry_display_draw(display, &buffer);
		CHECK_EQ(buffer.width, mode->hdisplay);
		CHECK_EQ(buffer.height, mode->vdisplay);
		CHECK(buffer.pitch >= 4 * buffer.width);
		memset(buffer.pixels, i, (size_t)buffer.pitch * buffer.height);
		err = ferry_display_flip(display);
		CHECK(!err || err == -ENOSPC);
		flipped += !err;
		ferry_display_del(display);
	}
	CHECK(flipped > 1);

	display = new_display(0, 0);
	CHECK(total_memory() > 0);
	ferry_display_draw(display, &buffer);
	for (int i = 0; i < connector->count_modes; i++) {
		const drmModeModeInfo *mode = &connector->modes[i];

		if (!(mode->type & DRM_MODE_TYPE_PREFERRED))
			continue;
		CHECK_EQ(buffer.width, mode->hdisplay);
		CHECK_EQ(buffer.height, mode->vdisplay);
		break;
	}
	ferry_display_del(display);
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
}

/* A flip returns at the vertical blanking: the modes have 60 to 75 of them in a second. */
static void speed(void)
{
	struct ferry_display *display = new_display(WIDTH, HEIGHT);
	struct timespec begin, end;

	CHECK_OK(ferry_display_flip(display));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 30; i++)
		CHECK_OK(ferry_display_flip(display));
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK((end.tv_sec - begin.tv_sec) * 1000 +
		      (end.tv_nsec - begin.tv_nsec) / 1000000 >
	      29 * 1000 / 80);
	ferry_display_del(display);
}

static void refused_modes(void)
{
	static const uint32_t sizes[][2] = {
		{ WIDTH, 0 },	       { 0, HEIGHT },
		{ WIDTH + 1, HEIGHT }, { WIDTH, HEIGHT - 1 },
		{ UINT32_MAX, 1 },     { UINT32_MAX, UINT32_MAX },
	};
	struct ferry_display *const unchanged = (void *)0x1234;
	struct ferry_display *display = unchanged;
	struct ferry_device *other;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		CHECK_EQ(ferry_display_new(dev, sizes[i][0], sizes[i][1], 0,
					   &display),
			 -EINVAL);
	CHECK_EQ(ferry_display_new(dev, 0, 0, 1, &display), -EINVAL);
	CHECK_EQ(ferry_display_new(dev, 0, 0, 1u << 31, &display), -EINVAL);

	/* Not master, because this program is it. */
	CHECK_OK(ferry_device_reopen(fd, 0, &other));
	CHECK_EQ(ferry_display_new(other, 0, 0, 0, &display), -EACCES);
	ferry_device_del(other);
	CHECK(display == unchanged);
	ferry_display_del(NULL);
}

static void refused_damage(void)
{
	static const uint32_t rects[][4] = {
		{ WIDTH, 0, 1, 1 },	      { 0, HEIGHT, 1, 1 },
		{ WIDTH - 1, 0, 2, 1 },	      { 0, HEIGHT - 1, 1, 2 },
		{ WIDTH + 1, 0, 0, 0 },	      { 0, HEIGHT + 1, 0, 0 },
		{ UINT32_MAX, 0, 2, 1 },      { 0, UINT32_MAX, 1, 2 },
		{ 1, 0, UINT32_MAX, HEIGHT }, { 0, 1, WIDTH, UINT32_MAX },
	};
	struct ferry_display *display = new_display(WIDTH, HEIGHT);

	for (size_t i = 0; i < ARRAY_SIZE(rects); i++)
		CHECK_EQ(ferry_display_damage(display, rects[i][0], rects[i][1],
					      rects[i][2], rects[i][3]),
			 -EINVAL);
	CHECK_OK(ferry_display_damage(display, WIDTH, HEIGHT, 0, 0));
	CHECK_OK(ferry_display_damage(display, 5, 5, 0, 7));
	CHECK_OK(ferry_display_flip(display));

	CHECK_EQ(drmDropMaster(fd), 0);
	CHECK_EQ(ferry_display_flip(display), -EACCES);
	CHECK_EQ(drmSetMaster(fd), 0);
	CHECK_OK(ferry_display_flip(display));
	ferry_display_del(display);
}

/* Another flip is pending, and its event is for the program. */
static void other_flips(void)
{
	struct ferry_display *display = new_display(WIDTH, HEIGHT), *second;
	struct drm_event_vblank event;
	drmModeCrtcPtr crtc;
	drmModeResPtr res = drmModeGetResources(fd);

	CHECK(res);
	crtc = drmModeGetCrtc(fd, res->crtcs[0]);
	CHECK(crtc);
	CHECK_EQ(drmModePageFlip(fd, crtc->crtc_id, crtc->buffer_id,
				 DRM_MODE_PAGE_FLIP_EVENT, display),
		 0);
	CHECK_OK(ferry_display_flip(display));
	CHECK_EQ(read(fd, &event, sizeof(event)), sizeof(event));
	CHECK_EQ(event.base.type, DRM_EVENT_FLIP_COMPLETE);
	CHECK_EQ(event.user_data, (uintptr_t)display);
	drmModeFreeCrtc(crtc);
	drmModeFreeResources(res);

	/* The last display has the screen. */
	second = new_display(WIDTH, HEIGHT);
	CHECK_OK(ferry_display_flip(second));
	ferry_display_del(display);
	CHECK_OK(ferry_display_flip(second));
	ferry_display_del(second);
}

static void in_a_child(void)
{
	struct ferry_display *display = new_display(WIDTH, HEIGHT), *other;
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		CHECK_EQ(ferry_display_flip(display), -EPERM);
		CHECK_EQ(ferry_display_damage(display, 0, 0, 1, 1), -EPERM);
		CHECK_EQ(ferry_display_new(dev, 0, 0, 0, &other), -EPERM);
		ferry_display_del(display);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_OK(ferry_display_flip(display));
	ferry_display_del(display);
}

static int count_framebuffers(void)
{
	drmModeResPtr res = drmModeGetResources(fd);
	int count;

	CHECK(res);
	count = res->count_fbs;
	drmModeFreeResources(res);
	return count;
}

int main(void)
{
	int fds, err;

	ferry_device_del(open_or_skip());
	err = ferry_device_open(FERRY_OPEN_DISPLAY, &dev);
	if (err == -ENODEV) {
		printf("SKIP: no device of ferry has a display\n");
		return EXIT_SKIP;
	}
	CHECK_OK(err);
	fd = ferry_device_fd(dev);
	has_screen = !system("command -v vm-host >/dev/null");
	fds = count_fds();
	RUN(picture);
	RUN(modes);
	RUN(speed);
	RUN(refused_modes);
	RUN(refused_damage);
	RUN(other_flips);
	RUN(in_a_child);
	CHECK_EQ(count_fds(), fds);
	CHECK_EQ(total_memory(), 0);
	CHECK_EQ(count_framebuffers(), 0);
	ferry_device_del(dev);
	return 0;
}
