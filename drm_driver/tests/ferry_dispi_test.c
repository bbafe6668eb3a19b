// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Tests of the part of the aperture that is on the screen, and of the panic screen's memory */

#include <linux/sizes.h>

#include <kunit/test.h>

#include <drm/drm_fourcc.h>
#include <drm/drm_panic.h>

#include "../ferry_bar.h"
#include "../ferry_dispi.h"
#include "../ferry_panic.h"

/* The register BAR of QEMU's devices, and the DISPI registers in it */
#define TEST_REGISTERS		0x500
#define TEST_REGISTERS_END	0x600

#define TEST_APERTURE		SZ_16M

enum { XRES = 1, YRES, BPP, ENABLE, VIRT_WIDTH = 6, X_OFFSET = 8, Y_OFFSET };

struct ferry_dispi_case {
	const char *desc;
	u16 xres, yres, bpp, enable, virt_width, x_offset, y_offset;
	/* what is on the screen, or a pitch of 0: nothing that a panic screen can be drawn to */
	u32 pitch;
	u64 offset;
};

static const struct ferry_dispi_case ferry_dispi_cases[] = {
	{ "whole lines", 1024, 768, 32, 0x41, 1024, 0, 0, 4096, 0 },
	{ "a wider pitch", 1024, 768, 32, 0x41, 1280, 0, 0, 5120, 0 },
	{ "a virtual width below the width", 1024, 768, 32, 0x41, 0, 0, 0, 4096, 0 },
	{ "an offset", 1024, 768, 32, 0x41, 1024, 16, 700, 4096, 700 * 4096 + 64 },
	{ "the end of the aperture", 1024, 768, 32, 0x41, 1024, 0, 3328, 4096, 3328 * 4096 },
	{ "beyond the aperture", 1024, 768, 32, 0x41, 1024, 0, 3329 },
	{ "beyond the aperture by one column", 1024, 768, 32, 0x41, 1024, 1, 3328 },
	{ "larger than the aperture", 4096, 2048, 32, 0x41, 4096, 0, 0 },
	{ "disabled", 1024, 768, 32, 0x40, 1024, 0, 0 },
	{ "16 bits per pixel", 1024, 768, 16, 0x41, 1024, 0, 0 },
	{ "15 bits per pixel", 1024, 768, 15, 0x41, 1024, 0, 0 },
	{ "no width", 0, 768, 32, 0x41, 1024, 0, 0 },
	{ "no height", 1024, 0, 32, 0x41, 1024, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(ferry_dispi, ferry_dispi_cases, desc);

/* The registers are plain memory here: readw() reads it as it reads a BAR. */
static void ferry_dispi_test_panic(struct kunit *test)
{
	const struct ferry_dispi_case *c = test->param_value;
	const struct ferry_bar bar = {
		.size = TEST_APERTURE,
		.io.iomem = (void __iomem *)SZ_4K,
	};
	u8 *bar2 = kunit_kzalloc(test, TEST_REGISTERS_END, GFP_KERNEL);
	struct ferry_dispi dispi = { .mmio = (void __iomem *)bar2 };
	struct drm_scanout_buffer buffer = {};
	u16 *reg;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, bar2);
	reg = (u16 *)(bar2 + TEST_REGISTERS);
	reg[XRES] = c->xres;
	reg[YRES] = c->yres;
	reg[BPP] = c->bpp;
	reg[ENABLE] = c->enable;
	reg[VIRT_WIDTH] = c->virt_width;
	reg[X_OFFSET] = c->x_offset;
	reg[Y_OFFSET] = c->y_offset;

	ret = ferry_panic_get_buffer(&bar, &dispi, &buffer);
	KUNIT_EXPECT_EQ(test, ret, c->pitch ? 0 : -ENODEV);
	if (ret)
		return;
	KUNIT_EXPECT_EQ(test, buffer.format->format, DRM_FORMAT_XRGB8888);
	KUNIT_EXPECT_EQ(test, buffer.width, c->xres);
	KUNIT_EXPECT_EQ(test, buffer.height, c->yres);
	KUNIT_EXPECT_EQ(test, buffer.pitch[0], c->pitch);
	KUNIT_EXPECT_TRUE(test, buffer.map[0].is_iomem);
	KUNIT_EXPECT_EQ(test, (u64)(__force uintptr_t)buffer.map[0].vaddr_iomem,
			SZ_4K + c->offset);
}

/* Without a mapping of the aperture there is nothing to draw to. */
static void ferry_dispi_test_panic_unmapped(struct kunit *test)
{
	const struct ferry_bar bar = { .size = TEST_APERTURE };
	struct ferry_dispi dispi = {};
	struct drm_scanout_buffer buffer = {};

	KUNIT_EXPECT_EQ(test, ferry_panic_get_buffer(&bar, &dispi, &buffer), -ENODEV);
}

static struct kunit_case ferry_dispi_test_cases[] = {
	KUNIT_CASE_PARAM(ferry_dispi_test_panic, ferry_dispi_gen_params),
	KUNIT_CASE(ferry_dispi_test_panic_unmapped),
	{}
};

static struct kunit_suite ferry_dispi_suite = {
	.name = "ferry_dispi",
	.test_cases = ferry_dispi_test_cases,
};

kunit_test_suite(ferry_dispi_suite);
