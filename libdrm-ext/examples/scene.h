/* SPDX-License-Identifier: MIT */
/* A computed picture: a ferry at dusk. */
#ifndef SCENE_H_
#define SCENE_H_

#include <stdint.h>

#define SCENE_WIDTH 640
#define SCENE_HEIGHT 480

/**
 * scene_pixel() - colour of one pixel
 * @x: column, from 0 to SCENE_WIDTH - 1
 * @y: row, from 0 to SCENE_HEIGHT - 1, downwards
 *
 * Returns: 0x00RRGGBB.
 */
uint32_t scene_pixel(int x, int y);

#endif /* SCENE_H_ */
