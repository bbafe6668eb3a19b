#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Pictures of a screen: reading, writing, and comparing them with what a desktop should show."""

import struct
import zlib


class Picture:
    """Rows of bytes, three for each pixel: red, green, blue."""

    def __init__(self, width, height, rows):
        self.width, self.height, self.rows = width, height, rows

    @classmethod
    def read_ppm(cls, path):
        with open(path, "rb") as f:
            kind, width, height, depth = f.readline().split() + f.readline().split() + f.readline().split()
            if kind != b"P6" or depth != b"255":
                raise ValueError("%s is no picture of 8 bits for each colour" % path)
            width, height = int(width), int(height)
            data = f.read()
        if len(data) != 3 * width * height:
            raise ValueError("%s is truncated" % path)
        return cls(width, height, [data[y * 3 * width:(y + 1) * 3 * width] for y in range(height)])

    @classmethod
    def pattern(cls, width, height):
        """Return a picture of tiles of 8x8 pixels. No tile has the colour of another one.

        Its blue is below 128: colours with more are left to windows.
        """
        checks = [bytes(16 + (x // 8 + parity & 1) * 64 for x in range(width)) for parity in (0, 1)]
        rows = []
        for y in range(height):
            row = bytearray(3 * width)
            row[0::3] = bytes(x // 8 & 255 for x in range(width))
            row[1::3] = bytes([y // 8 & 255]) * width
            row[2::3] = checks[y // 8 & 1]
            rows.append(bytes(row))
        return cls(width, height, rows)

    @classmethod
    def plain(cls, width, height, colour):
        return cls(width, height, [colour * width] * height)

    def write_png(self, path):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        data = zlib.compress(b"".join(b"\0" + row for row in self.rows), 6)
        with open(path, "wb") as f:
            f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)) +
                    chunk(b"IDAT", data) + chunk(b"IEND", b""))

    def pixel(self, x, y):
        return self.rows[y][3 * x:3 * x + 3]

    def find(self, colour):
        """Return the smallest rectangle (x, y, width, height) with all pixels of a colour, or None."""
        left, right, top, bottom = self.width, -1, None, None
        for y, row in enumerate(self.rows):
            first = row.find(colour)
            while first > 0 and first % 3:
                first = row.find(colour, first + 1)
            if first < 0:
                continue
            last = row.rfind(colour)
            while last % 3:
                last = row.rfind(colour, 0, last + 2)
            left, right = min(left, first // 3), max(right, last // 3)
            top, bottom = y if top is None else top, y
        return None if top is None else (left, top, right - left + 1, bottom - top + 1)

    def share_of(self, colour, rectangle):
        """Return which part of the pixels of a rectangle has a colour."""
        x, y, width, height = rectangle
        same = sum(row[i:i + 3] == colour for row in self.rows[y:y + height] for i in range(3 * x, 3 * (x + width), 3))
        return same / (width * height)

    def with_windows(self, windows):
        """Return this picture with rectangles of one colour on it, [(rectangle, colour)] from the lowest."""
        rows = list(self.rows)
        for (x, y, width, height), colour in windows:
            for n in range(y, y + height):
                rows[n] = rows[n][:3 * x] + colour * width + rows[n][3 * (x + width):]
        return Picture(self.width, self.height, rows)

    def differences(self, other, ignored=()):
        """Return the coordinates of the pixels that differ, except those in the ignored rectangles."""
        found = []
        for y, (ours, theirs) in enumerate(zip(self.rows, other.rows)):
            if ours == theirs:
                continue
            spans = [(x, x + width) for x, top, width, height in ignored if top <= y < top + height]
            found += [(x, y) for x in range(self.width) if ours[3 * x:3 * x + 3] != theirs[3 * x:3 * x + 3] and
                      not any(begin <= x < end for begin, end in spans)]
        return found


def selftest():
    """Check that a wrong pixel, a wrong place and a wrong size are found."""
    width, height = 1920, 1080
    pattern = Picture.pattern(width, height)
    tiles = {pattern.pixel(x, y) for y in range(0, height, 8) for x in range(0, width, 8)}
    assert len(tiles) == (width // 8) * (height // 8), "two tiles have the same colour"
    assert not {tile for tile in tiles if tile[2] >= 128}, "the background has a colour of windows"
    small = Picture.pattern(64, 40)
    colour = bytes.fromhex("e01890")
    shown = small.with_windows([((5, 7, 20, 10), colour)])
    assert shown.find(colour) == (5, 7, 20, 10)
    assert small.find(colour) is None
    assert len(small.differences(shown)) == 200 and not small.differences(shown, [(5, 7, 20, 10)])
    assert small.differences(shown, [(5, 7, 19, 10), (24, 7, 1, 9)]) == [(24, 16)]
    # The bytes of the colour, but of two pixels.
    shifted = Picture.plain(4, 2, b"\x18\x90\xe0")
    assert shifted.find(colour) is None
    assert len(small.differences(Picture(64, 40, small.rows[1:] + small.rows[:1]))) >= 64 * 4, "a line too low is not found"
    assert shown.share_of(colour, (0, 7, 10, 10)) == 0.5
    print("a wrong pixel, place and size are found")


if __name__ == "__main__":
    selftest()
