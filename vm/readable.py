#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Check that a picture shows readable text.

    vm/readable.py FILE.png

The text is in two colours and in cells of 8x16 pixels, as the kernel draws it. A picture with
a wrong pitch, position or format has other colours, or many more different cells than there are
characters. Prints what was found. The exit status is 0 if the picture shows at least ten lines
of text.
"""
import struct
import sys
import zlib

WIDTH, HEIGHT = 8, 16  # of a character
MIN_LINES, MIN_GLYPHS, MAX_GLYPHS = 10, 25, 96


def read_png(path):
    """Return (width, height, lines) of a PNG with 8 bits for each of 3 or 4 channels; lines are bytes."""
    with open(path, "rb") as f:
        data = f.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            packed += chunk
        at += size + 12
    if depth != 8 or color not in (2, 6) or interlaced:
        sys.exit(f"{path}: not a PNG with 8 bits per channel")
    return width, height, unfilter(zlib.decompress(packed), width, height, 3 if color == 2 else 4)


def unfilter(raw, width, height, channels):
    stride, lines, last = width * channels, [], bytes(width * channels)
    for y in range(height):
        kind, *line = raw[y * (stride + 1):(y + 1) * (stride + 1)]
        for x in range(stride if kind else 0):
            left = line[x - channels] if x >= channels else 0
            corner = last[x - channels] if x >= channels else 0
            line[x] = (line[x] + (left, last[x], (left + last[x]) // 2, paeth(left, last[x], corner))[kind - 1]) & 255
        last = line
        lines.append([bytes(line[x:x + 3]) for x in range(0, stride, channels)])
    return lines


def paeth(left, above, corner):
    guess = left + above - corner
    return min((left, above, corner), key=lambda n: abs(guess - n))


def text_of(width, height, lines):
    """Return the number of colours, of lines with text, and of different cells that are not empty."""
    colors = {pixel for line in lines for pixel in line}
    glyphs, rows = set(), 0
    for y in range(0, height - HEIGHT + 1, HEIGHT):
        cells = {tuple(tuple(line[x:x + WIDTH]) for line in lines[y:y + HEIGHT])
                 for x in range(0, width - WIDTH + 1, WIDTH)}
        cells = {cell for cell in cells if len({pixel for line in cell for pixel in line}) > 1}
        glyphs |= cells
        rows += bool(cells)
    return len(colors), rows, len(glyphs)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    width, height, lines = read_png(sys.argv[1])
    colors, rows, glyphs = text_of(width, height, lines)
    print(f"{width}x{height}: {colors} colours, {rows} lines of text, {glyphs} different characters")
    return not (colors == 2 and rows >= MIN_LINES and MIN_GLYPHS <= glyphs <= MAX_GLYPHS)


if __name__ == "__main__":
    sys.exit(main())
