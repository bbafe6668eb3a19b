// SPDX-License-Identifier: MIT
/* ferry_bo_read(), ferry_bo_write() and ferry_bo_copy_rect() against memcpy(). */

#include <fcntl.h>
#include <unistd.h>

#include <xf86drm.h>

#include "check.h"

#define SIZE (40 * PAGE)
#define ROUNDS 300

static struct ferry_device *dev;
static uint32_t random_state = 1;
/* The contents that the BO must have */
static unsigned char want[SIZE], is[SIZE], bytes[SIZE];

static uint32_t next_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

static void random_bytes(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = next_random();
}

/* Compare all of the BO through a mapping, without the functions to test. */
static void check_contents(struct ferry_bo *bo)
{
	memcpy(is, map_bo(bo), SIZE);
	CHECK_OK(ferry_bo_unmap(bo));
	CHECK(!memcmp(is, want, SIZE));
}

/* Random ranges, in all placements, with and without a mapping. */
static void ranges(uint32_t flags, uint32_t placement, bool mapped)
{
	struct ferry_bo *bo = new_bo(dev, SIZE, flags);

	CHECK_OK(ferry_bo_migrate(bo, placement));
	if (mapped)
		map_bo(bo);
	random_bytes();
	memset(want, 0, SIZE);
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = next_random() % (i % 8 ? 300 : SIZE);
		size_t at = next_random() % (SIZE - size + 1);
		size_t from = next_random() % (SIZE - size + 1);

		CHECK_OK(ferry_bo_write(bo, at, bytes + from, size));
		memcpy(want + at, bytes + from, size);

		size = next_random() % (i % 8 ? 300 : SIZE);
		at = next_random() % (SIZE - size + 1);
		memset(is, 0xa5, SIZE);
		CHECK_OK(ferry_bo_read(bo, at, is, size));
		CHECK(!memcmp(is, want + at, size));
		for (size_t j = size; j < SIZE; j++)
			CHECK_EQ(is[j], 0xa5);
	}
	check_contents(bo);
	CHECK_EQ(placement_of(bo), placement);
	/* No mapping is left. */
	if (mapped)
		CHECK_OK(ferry_bo_unmap(bo));
	CHECK_EQ(ferry_bo_unmap(bo), -EINVAL);
	ferry_bo_del(bo);
}

/* The same copy of a rectangle in memory. */
static void expect_rect(unsigned char *to, size_t to_pitch,
			const unsigned char *from, size_t from_pitch,
			size_t width, size_t height)
{
	static unsigned char rows[SIZE];

	for (size_t y = 0; y < height; y++)
		memcpy(rows + y * width, from + y * from_pitch, width);
	for (size_t y = 0; y < height; y++)
		memcpy(to + y * to_pitch, rows + y * width, width);
}

static void rectangles_of_two_bos(void)
{
	struct ferry_bo *from = new_bo(dev, SIZE, FERRY_BO_START_APERTURE);
	struct ferry_bo *to = new_bo(dev, SIZE, 0);

	random_bytes();
	CHECK_OK(ferry_bo_write(from, 0, bytes, SIZE));
	memset(want, 0, SIZE);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t width = 1 + next_random() % 900;
		uint32_t height = 1 + next_random() % 30;
		uint32_t to_pitch = width + next_random() % 100;
		uint32_t from_pitch = width + next_random() % 100;
		uint32_t to_at = next_random() % 5000;
		uint32_t from_at = next_random() % 5000;

		CHECK_OK(ferry_bo_copy_rect(to, to_at, to_pitch, from, from_at,
					    from_pitch, width, height));
		expect_rect(want + to_at, to_pitch, bytes + from_at, from_pitch,
			    width, height);
	}
	check_contents(to);
	memcpy(want, bytes, SIZE);
	check_contents(from);
	ferry_bo_del(to);
	ferry_bo_del(from);
}

/* Scrolling: both rectangles are in one BO, and overlap. */
static void rectangles_of_one_bo(void)
{
	enum { PITCH = 1024, ROWS = SIZE / PITCH };
	struct ferry_bo *bo = new_bo(dev, SIZE, FERRY_BO_START_APERTURE);

	random_bytes();
	memcpy(want, bytes, SIZE);
	CHECK_OK(ferry_bo_write(bo, 0, bytes, SIZE));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t width = 1 + next_random() % PITCH;
		uint32_t height = 1 + next_random() % ROWS;
		uint32_t x0 = next_random() % (PITCH - width + 1);
		uint32_t x1 = next_random() % (PITCH - width + 1);
		uint32_t y0 = next_random() % (ROWS - height + 1);
		uint32_t y1 = next_random() % (ROWS - height + 1);
		size_t to = y1 * PITCH + x1, from = y0 * PITCH + x0;

		CHECK_OK(ferry_bo_copy_rect(bo, to, PITCH, bo, from, PITCH,
					    width, height));
		expect_rect(want + to, PITCH, want + from, PITCH, width,
			    height);
	}
	/* Rows longer than the block through which they are copied. */
	CHECK_OK(ferry_bo_copy_rect(bo, 100, SIZE, bo, 0, SIZE, SIZE / 2, 1));
	memmove(want + 100, want, SIZE / 2);
	CHECK_OK(ferry_bo_copy_rect(bo, 0, SIZE, bo, 1000, SIZE, SIZE / 2, 1));
	memmove(want, want + 1000, SIZE / 2);
	check_contents(bo);
	ferry_bo_del(bo);
}

static void errors(void)
{
	static const struct {
		uint64_t offset;
		size_t size;
	} cases[] = {
		{ SIZE, 1 },	   { 0, SIZE + 1 },	     { SIZE - 1, 2 },
		{ UINT64_MAX, 1 }, { UINT64_MAX, SIZE_MAX }, { 1, SIZE_MAX },
	};
	struct ferry_bo *bo = new_bo(dev, SIZE, 0);
	struct ferry_bo *other = new_bo(dev, SIZE, 0);

	memset(want, 0, SIZE);
	memset(bytes, 1, SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQ(ferry_bo_read(bo, cases[i].offset, bytes,
				       cases[i].size),
			 -EINVAL);
		CHECK_EQ(ferry_bo_write(bo, cases[i].offset, bytes,
					cases[i].size),
			 -EINVAL);
	}
	CHECK_EQ(bytes[0], 1);
	/* Nothing to copy. */
	CHECK_OK(ferry_bo_read(bo, SIZE, NULL, 0));
	CHECK_OK(ferry_bo_write(bo, SIZE, NULL, 0));
	CHECK_OK(ferry_bo_copy_rect(bo, 0, 0, other, 0, 0, 0, 5));
	CHECK_OK(ferry_bo_copy_rect(bo, 0, 0, other, 0, 0, 5, 0));

	/* Rows that are longer than the pitch, and rows outside of the BO. */
	CHECK_EQ(ferry_bo_copy_rect(bo, 0, 9, other, 0, 10, 10, 2), -EINVAL);
	CHECK_EQ(ferry_bo_copy_rect(bo, 0, 10, other, 0, 9, 10, 2), -EINVAL);
	CHECK_EQ(ferry_bo_copy_rect(bo, 0, PAGE, other, 1, PAGE, PAGE, 40),
		 -EINVAL);
	CHECK_EQ(ferry_bo_copy_rect(bo, 1, PAGE, other, 0, PAGE, PAGE, 40),
		 -EINVAL);
	CHECK_EQ(ferry_bo_copy_rect(bo, 0, UINT32_MAX, other, 0, UINT32_MAX,
				    UINT32_MAX, UINT32_MAX),
		 -EINVAL);
	CHECK_EQ(ferry_bo_copy_rect(bo, UINT64_MAX, 8, other, 0, 8, 8, 1),
		 -EINVAL);
	/* Another pitch in one BO. */
	CHECK_EQ(ferry_bo_copy_rect(bo, 0, 20, bo, 100, 10, 10, 2), -EINVAL);
	check_contents(bo);
	ferry_bo_del(other);
	ferry_bo_del(bo);
}

static void read_only_device(void)
{
	char *path = drmGetDeviceNameFromFd2(ferry_device_fd(dev));
	struct ferry_device *readers;
	struct ferry_bo *bo;
	int fd;

	CHECK(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, 0, &readers));
	CHECK_OK(ferry_bo_new(readers, PAGE, SYSTEM, 0, &bo));
	CHECK_OK(ferry_bo_read(bo, 1, bytes, 100));
	CHECK_EQ(ferry_bo_write(bo, 1, bytes, 100), -EACCES);
	ferry_bo_del(bo);
	ferry_device_del(readers);
	close(fd);
	free(path);
}

int main(void)
{
	dev = open_or_skip();
	for (int mapped = 0; mapped < 2; mapped++) {
		RUN(ranges, 0, SYSTEM, mapped);
		RUN(ranges, FERRY_BO_WC, SYSTEM, mapped);
		RUN(ranges, 0, APERTURE, mapped);
	}
	RUN(rectangles_of_two_bos);
	RUN(rectangles_of_one_bo);
	RUN(errors);
	RUN(read_only_device);
	ferry_device_del(dev);
	return 0;
}
