// SPDX-License-Identifier: MIT
/*
 * Processor time of a frame: of the program that draws it, of the driver, and of the kernel's
 * threads, on all processors together. Idle time and interrupts of an idle processor do not count.
 *
 *   bench-frames flip SUBJECT NODE WIDTHxHEIGHT          two buffers, drawn whole and flipped
 *   bench-frames damage SUBJECT NODE WIDTHxHEIGHT SIZE   one buffer that is shown; a square of SIZE
 *                                                        pixels is drawn, 0: all of it
 *   bench-frames draw SUBJECT - WIDTHxHEIGHT             the same drawing, in anonymous memory
 *   bench-frames scroll SUBJECT TTY LINES                lines printed to a text console
 *   bench-frames cursor SUBJECT NODE WIDTHxHEIGHT        moves of a cursor of 64x64 pixels
 *   bench-frames pacing SUBJECT NODE WIDTHxHEIGHT        two buffers, flipped without drawing
 *
 * For flip and damage a second line has the share of the driver: the frame without the drawing,
 * which is measured in the same buffers. The result of pacing is no processor time: of the
 * intervals between the events of flips, 95 % differ by less from the period of the mode.
 */
#include "buffers.h"
#include "busy.h"

#include <drm.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define FRAMES 60
#define LINE 80
#define CURSOR 64
#define MOVES 200

struct buffer {
	uint32_t handle;
	uint32_t id;
	uint32_t pitch;
	uint8_t *map;
};

struct display {
	int fd;
	bool copied; /* buffers of ferry that are never flipped to */
	uint32_t crtc;
	uint32_t connector;
	drmModeModeInfo mode;
	struct buffer buffers[2];
};

/* A pattern that changes with each frame, as a program draws it: from the top to the bottom. */
static void draw(uint8_t *at, uint32_t pitch, uint32_t width, uint32_t height,
		 unsigned int frame)
{
	for (uint32_t y = 0; y < height; y++)
		memset(at + (size_t)y * pitch, (int)(y + frame * 7),
		       (size_t)width * 4);
}

static void buffer_init(struct display *display, struct buffer *buffer)
{
	struct drm_mode_create_dumb create = {
		.width = display->mode.hdisplay,
		.height = display->mode.vdisplay,
		.bpp = 32,
	};
	struct drm_ferry_bo_create bo = { .allowed_placements = SYSTEM };

	if (display->copied) {
		create.pitch = create.width * 4;
		create.size = (uint64_t)create.pitch * create.height;
		create.size = (create.size + PAGE - 1) / PAGE * PAGE;
		bo.size = create.size;
		if (drmIoctl(display->fd, DRM_IOCTL_FERRY_BO_CREATE, &bo))
			die("cannot create a BO");
		create.handle = bo.handle;
	} else if (drmIoctl(display->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create)) {
		die("cannot create a dumb buffer");
	}
	buffer->handle = create.handle;
	buffer->pitch = create.pitch;
	/* DRM_IOCTL_MODE_MAP_DUMB knows BOs, too */
	buffer->map =
		buffer_map(display->fd, create.handle, create.size, false);
	if (drmModeAddFB(display->fd, create.width, create.height, 24, 32,
			 create.pitch, buffer->handle, &buffer->id))
		die("cannot make a framebuffer");
}

static void display_open(struct display *display, const char *node,
			 const char *size)
{
	drmModeConnector *connector = NULL;
	drmModeRes *res;
	unsigned int width, height;
	int i;

	if (sscanf(size, "%ux%u", &width, &height) != 2)
		die("%s is not WIDTHxHEIGHT", size);
	display->fd = open(node, O_RDWR | O_CLOEXEC);
	if (display->fd < 0)
		die("cannot open %s", node);
	drmSetMaster(display->fd);
	res = drmModeGetResources(display->fd);
	if (res && res->count_connectors && res->count_crtcs)
		connector =
			drmModeGetConnector(display->fd, res->connectors[0]);
	if (!connector)
		die("%s has no display", node);
	display->crtc = res->crtcs[0];
	display->connector = connector->connector_id;
	for (i = 0; i < connector->count_modes; i++)
		if (connector->modes[i].hdisplay == width &&
		    connector->modes[i].vdisplay == height)
			break;
	errno = 0;
	if (i == connector->count_modes)
		die("%s has no mode %s", node, size);
	display->mode = connector->modes[i];
	drmModeFreeConnector(connector);
	drmModeFreeResources(res);
	for (i = 0; i < 2; i++)
		buffer_init(display, &display->buffers[i]);
	if (drmModeSetCrtc(display->fd, display->crtc, display->buffers[0].id,
			   0, 0, &display->connector, 1, &display->mode))
		die("cannot set the mode %s", size);
}

static void flip_done(int fd, unsigned int sequence, unsigned int sec,
		      unsigned int usec, void *data)
{
	(void)fd;
	(void)sequence;
	(void)sec;
	(void)usec;
	*(bool *)data = true;
}

static void flip(struct display *display, const struct buffer *buffer)
{
	drmEventContext context = {
		.version = 2,
		.page_flip_handler = flip_done,
	};
	struct pollfd poll_fd = { .fd = display->fd, .events = POLLIN };
	bool done = false;

	if (drmModePageFlip(display->fd, display->crtc, buffer->id,
			    DRM_MODE_PAGE_FLIP_EVENT, &done))
		die("cannot flip");
	while (!done) {
		if (poll(&poll_fd, 1, 5000) != 1)
			die("no event of a flip in 5 s");
		drmHandleEvent(display->fd, &context);
	}
}

static void print_result(const char *row, const char *part, const char *subject,
			 size_t size, double ns)
{
	printf("id=%s%s subject=%s size=%zu ns=%.0f\n", row, part, subject,
	       size, ns);
}

static void run_display(struct display *display, const char *row,
			const char *subject, uint32_t square)
{
	uint32_t width = display->mode.hdisplay,
		 height = display->mode.vdisplay;
	bool flips = !strcmp(row, "flip");
	drmModeClip clip = { 0 };
	uint64_t start, whole, drawing;

	if (square)
		width = height = square;
	clip.x2 = width;
	clip.y2 = height;
	for (int pass = 0; pass < 2; pass++) {
		/* the first pass moves the buffers to where they are shown */
		start = busy_ns();
		for (unsigned int i = 0; i < FRAMES; i++) {
			struct buffer *buffer =
				&display->buffers[flips ? ~i & 1 : 0];

			draw(buffer->map, buffer->pitch, width, height, i);
			if (flips)
				flip(display, buffer);
			else if (drmModeDirtyFB(display->fd, buffer->id, &clip,
						1) &&
				 errno != ENOSYS)
				die("cannot mark a framebuffer as dirty");
		}
		whole = busy_ns() - start;
	}
	start = busy_ns();
	for (unsigned int i = 0; i < FRAMES; i++)
		draw(display->buffers[flips ? ~i & 1 : 0].map,
		     display->buffers[0].pitch, width, height, i);
	drawing = busy_ns() - start;
	print_result(row, "", subject, (size_t)width * height * 4,
		     (double)whole / FRAMES);
	print_result(row, "-driver", subject, (size_t)width * height * 4,
		     ((double)whole - drawing) / FRAMES);
}

static void run_cursor(struct display *display, const char *subject)
{
	size_t size = CURSOR * CURSOR * 4;
	uint32_t handle = buffer_create_dumb(display->fd, size);
	uint32_t *image =
		(uint32_t *)buffer_map(display->fd, handle, size, false);
	uint64_t busy = 0;

	/* an arrow: a triangle, whose edge is half transparent */
	for (uint32_t y = 0; y < CURSOR; y++)
		for (uint32_t x = 0; x <= y; x++)
			image[y * CURSOR + x] = x < y ? 0xffffffff : 0x80808080;
	if (drmModeSetCursor(display->fd, display->crtc, handle, CURSOR,
			     CURSOR))
		die("cannot show a cursor");
	for (int pass = 0; pass < 2; pass++) {
		/* the first pass begins to copy the frame below the cursor */
		busy = busy_ns();
		for (int i = 0; i < MOVES; i++)
			if (drmModeMoveCursor(display->fd, display->crtc,
					      100 + i, 100 + i / 2))
				die("cannot move the cursor");
		busy = busy_ns() - busy;
	}
	print_result("cursor", "", subject, CURSOR * CURSOR * 4,
		     (double)busy / MOVES);
}

/* What two copies of the pixels of a cursor take. */
static void run_copies(const char *subject)
{
	static uint8_t from[CURSOR * CURSOR * 4], to[sizeof(from)];
	uint64_t start;

	memcpy(to, from, sizeof(from));
	start = busy_ns();
	for (int i = 0; i < 2 * MOVES; i++) {
		memcpy(to, from, sizeof(from));
		__asm__ volatile("" ::: "memory");
	}
	print_result("cursor", "", subject, sizeof(from),
		     (double)(busy_ns() - start) / MOVES);
}

static void run_pacing(struct display *display, const char *subject)
{
	double period = 1e6 * display->mode.htotal * display->mode.vtotal /
			display->mode.clock;
	uint64_t off[FRAMES], last, now;
	int i;

	for (i = 0; i < FRAMES / 10; i++)
		flip(display, &display->buffers[~i & 1]);
	last = now_ns();
	for (i = 0; i < FRAMES; i++, last = now) {
		flip(display, &display->buffers[~i & 1]);
		now = now_ns();
		off[i] = (uint64_t)fabs((double)(now - last) - period);
	}
	qsort(off, FRAMES, sizeof(*off), compare_u64);
	print_result("pacing", "", subject, 0, off[FRAMES * 95 / 100]);
}

static void run_draw(const char *size, const char *subject)
{
	unsigned int width, height;
	uint64_t start;
	uint8_t *map;

	if (sscanf(size, "%ux%u", &width, &height) != 2)
		die("%s is not WIDTHxHEIGHT", size);
	map = mmap(NULL, (size_t)width * height * 4, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		die("cannot map memory");
	draw(map, width * 4, width, height, 0);
	start = busy_ns();
	for (unsigned int i = 0; i < FRAMES; i++)
		draw(map, width * 4, width, height, i);
	print_result("flip", "", subject, (size_t)width * height * 4,
		     (double)(busy_ns() - start) / FRAMES);
}

static void run_scroll(const char *tty, const char *subject, unsigned int lines)
{
	int fd = open(tty, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	char line[LINE];
	uint64_t start;

	if (fd < 0)
		die("cannot open %s", tty);
	start = busy_ns();
	for (unsigned int i = 0; i < lines; i++) {
		memset(line, 'a' + (int)(i % 26), sizeof(line));
		line[LINE - 1] = '\n';
		if (write(fd, line, sizeof(line)) != sizeof(line))
			die("cannot write to %s", tty);
	}
	/* the console is copied to the screen by a worker */
	usleep(200000);
	print_result("scroll", "", subject, (size_t)lines * LINE,
		     (double)(busy_ns() - start) / lines);
	close(fd);
}

static void run_on_display(int argc, char **argv)
{
	bool damage = !strcmp(argv[1], "damage");
	struct display display = {
		.copied = damage && !strcmp(argv[2], "ferry"),
	};

	display_open(&display, argv[3], argv[4]);
	if (!strcmp(argv[1], "cursor"))
		run_cursor(&display, argv[2]);
	else if (!strcmp(argv[1], "pacing"))
		run_pacing(&display, argv[2]);
	else
		run_display(&display, argv[1], argv[2],
			    argc == 6 ? strtoul(argv[5], NULL, 0) : 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int argc;
	} rows[] = { { "flip", 5 },   { "damage", 6 }, { "draw", 5 },
		     { "scroll", 5 }, { "cursor", 5 }, { "pacing", 5 } };
	const size_t count = sizeof(rows) / sizeof(*rows);
	size_t row = 0;

	fix_addresses(argv);
	while (argc > 1 && row < count && strcmp(argv[1], rows[row].name))
		row++;
	if (argc < 2 || row == count || argc != rows[row].argc) {
		fprintf(stderr,
			"usage: %s flip|damage|draw|scroll|cursor|pacing SUBJECT "
			"NODE|TTY WIDTHxHEIGHT|LINES [SIZE]\n",
			argv[0]);
		return 2;
	}
	if (!strcmp(argv[1], "scroll"))
		run_scroll(argv[3], argv[2], strtoul(argv[4], NULL, 0));
	else if (strcmp(argv[1], "draw"))
		run_on_display(argc, argv);
	else if (!strcmp(argv[2], "copies"))
		run_copies(argv[2]);
	else
		run_draw(argv[4], argv[2]);
	return 0;
}
