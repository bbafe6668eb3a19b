// SPDX-License-Identifier: MIT
/* The public header in C++: it compiles, its functions link as C, its types are usable. */

#include <cstdio>

#include <libdrm_ferry/ferry.h>

int main()
{
	ferry_device *dev = nullptr;
	ferry_bo_move move = { nullptr, DRM_FERRY_PLACEMENT_SYSTEM, 0 };
	drm_ferry_device_query info = {};

	if (ferry_device_open_node("/dev/null", 0, &dev) == 0 || dev) {
		std::fputs("FAIL: /dev/null was opened as a ferry device\n",
			   stderr);
		return 1;
	}
	return move.placement == DRM_FERRY_PLACEMENT_SYSTEM &&
			       info.version == 0 ?
		       0 :
		       1;
}
