#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write text to a BO, move it to the aperture, and read it back."""
import ctypes
import os
from ctypes import byref, c_char, c_uint32, c_uint64, c_void_p

SYSTEM, APERTURE = 1, 2
ferry = ctypes.CDLL("libdrm_ferry.so.1")


def check(err):
    if err < 0:
        raise OSError(-err, os.strerror(-err))


dev, bo, text = c_void_p(), c_void_p(), (c_char * 32)()
check(ferry.ferry_device_open(c_uint32(0), byref(dev)))
check(ferry.ferry_bo_new(dev, c_uint64(len(text)), c_uint32(SYSTEM | APERTURE), c_uint32(0), byref(bo)))
check(ferry.ferry_bo_write(bo, c_uint64(0), b"Hello from Python", ctypes.c_size_t(17)))
check(ferry.ferry_bo_migrate(bo, c_uint32(APERTURE)))
check(ferry.ferry_bo_read(bo, c_uint64(0), text, ctypes.c_size_t(len(text))))
print(text.value.decode())
ferry.ferry_bo_del(bo)
ferry.ferry_device_del(dev)
