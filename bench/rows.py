# SPDX-License-Identifier: MIT
"""The benchmarks: what each row of the table measures, and against what.

A row measures the same work for several subjects: ferry, and others that do it in
another way. One subject of a row can be its limit, the lower bound of what the work
takes; the others that ferry is compared with are its peers.
"""
from typing import NamedTuple


class Row(NamedTuple):
    group: str      # the name that selects it in --rows, as inside.sh knows it
    work: str
    unit: str
    limit: str      # a subject, or another row: what ferry takes for that
    peers: tuple


ROWS = {
    "touch-aperture": Row(
        "touch-aperture",
        "mmap() of 32 MiB of aperture memory and the first write to each page", "ms",
        "resource0_wc", ("bochs",)),
    "touch-aperture-again": Row(
        "touch-aperture", "the second write to each page: no page fault", "ms",
        "resource0_wc", ("bochs",)),
    "touch-4k": Row(
        "touch-4k", "as touch-aperture, at an address where no PMD can be inserted", "ms",
        "resource0_wc", ("bochs",)),
    "touch-system": Row(
        "touch-system", "as touch-aperture, with cached system memory", "ms",
        "memfd-huge", ("vgem", "memfd")),
    "remap-after-move": Row(
        "remap-after-move",
        "the first write to each page of a mapping of 32 MiB after a move to the aperture", "ms",
        "touch-aperture", ("bochs",)),
    "cost-per-page": Row(
        "cost-per-page",
        "touch-aperture from 4 KiB to the whole aperture, divided by the number of pages",
        "ns/page", "resource0_wc", ()),
    "migrate-to-aperture": Row(
        "migrate", "move of a BO of 4 KiB to 32 MiB from cached system memory to the aperture",
        "MiB/s", "memcpy", ("bare", "bochs")),
    "migrate-to-system": Row(
        "migrate", "move of the same BO back to system memory", "MiB/s", "memcpy",
        ("bare", "bochs")),
    "evict-storm": Row(
        "evict",
        "move of one BO of 1 MiB to a full aperture, which evicts another BO; the BOs "
        "take turns and have 2 and 4 times the size of the aperture", "ms", "both-moves", ()),
    "evict-scale": Row(
        "evict",
        "one eviction among 100 to 100 000 BOs of 4 KiB, of which up to half are in the aperture",
        "ms", "", ()),
    "out-sync-to-aperture": Row(
        "evict", "migrate ioctl with an out-sync, for a move of 32 MiB to the aperture",
        "ms", "copy", ()),
    "out-sync-to-system": Row(
        "evict", "migrate ioctl with an out-sync, for a move of 32 MiB to system memory",
        "ms", "copy", ()),
    "bo-memory": Row(
        "evict", "growth of the kernel's slabs for a BO of 4 KiB", "B", "", ()),
    "bo-cycle": Row(
        "cycle",
        "the life of a buffer: create, mmap(), first write to each page, munmap(), close",
        "ms", "anonymous", ("bochs", "vgem")),
    "flip": Row(
        "display",
        "processor time of a frame: a program draws it whole and flips between two buffers",
        "ms", "draw", ("bochs",)),
    "flip-driver": Row(
        "display", "the part of it that is not the program's drawing", "ms", "", ("bochs",)),
    "damage": Row(
        "display",
        "processor time of a frame in one buffer, which the driver copies: 64x64 pixels or all of it "
        "are drawn and marked as dirty", "ms", "", ("bochs",)),
    "damage-driver": Row(
        "display", "the part of it that is not the program's drawing", "ms", "", ("bochs",)),
    "cursor": Row(
        "display", "processor time of a move of a cursor of 64x64 pixels", "ms", "copies",
        ("bochs",)),
    "pacing": Row(
        "display",
        "by how much intervals between flips differ from the period of the mode: 95 % of them by less",
        "ms", "", ("bochs",)),
    "compositor": Row(
        "display",
        "processor time of a frame that Weston shows on a screen of 1280x800, for a client that redraws "
        "its window of 250x250 pixels at each frame", "ms", "", ("bochs",)),
    "scroll": Row(
        "display", "processor time of a line on the text console, of 1000", "ms", "",
        ("bochs",)),
    "share": Row(
        "share",
        "export of a buffer of 32 MiB that was written to, import, mmap(), first read of each page",
        "ms", "", ("vgem",)),
    "copy-to-aperture": Row(
        "copy", "ways of the kernel to copy 1 MiB to the BAR, by the addresses of both sides",
        "MiB/s", "memcpy-apart", ("memcpy_io-apart", "words-apart")),
    "copy-to-system": Row(
        "copy", "ways of the kernel to copy 1 MiB from the BAR", "MiB/s", "memcpy-apart",
        ("memcpy_io-apart", "words-apart")),
    "clear": Row(
        "copy", "ways of the kernel to clear 1 MiB of the BAR", "MiB/s", "clear-plain",
        ("clear-words",)),
}

# In the order of the table.
SUBJECTS = {
    "ferry": "a BO of ferry",
    "ferry-4k": "a BO of ferry, at an address where no PMD can be inserted",
    "ferry-populate": "a BO of ferry, mapped with DRM_FERRY_MMAP_POPULATE",
    "ferry-own": "processor time of the thread that calls the ioctl",
    "ferry-aperture": "a BO of ferry in the aperture",
    "ferry-library": "a BO of libdrm_ferry, with its cache; copies: ferry_bo_write() or ferry_bo_read()",
    "ferry-uncleared": "the same, created with FERRY_BO_UNCLEARED",
    "ferry-vgem": "a dumb buffer of the vgem driver, imported by ferry",
    "both-moves": "a move of the same BO to the aperture and one to system memory, without eviction",
    "copy": "the same move without an out-sync",
    "fresh": "memcpy with the allocation or the freeing of the system pages, in the kernel",
    "bare": "fresh, and a migrate ioctl that finds nothing to move",
    "bochs": "a dumb buffer of the stock bochs driver",
    "vgem": "a dumb buffer of the vgem driver",
    "resource0_wc": "the sysfs file of the BAR",
    "draw": "the drawing of a frame in anonymous memory",
    "copies": "two copies of the pixels of the cursor, in anonymous memory",
    "anonymous": "private anonymous memory, which is mapped and unmapped only",
    "memfd": "a memfd with pages of 4 KiB",
    "memfd-huge": "a memfd with reserved pages of 2 MiB",
    "memcpy": "memcpy() in the kernel",
    "memcpy_io": "memcpy_toio() or memcpy_fromio() in the kernel",
    "memcpy-apart": "memcpy(), addresses of both sides differ modulo 128 MiB",
    "memcpy-same": "memcpy(), addresses of both sides are equal modulo 128 MiB",
    "memcpy_io-apart": "memcpy_toio() or memcpy_fromio(), addresses differ",
    "memcpy_io-same": "memcpy_toio() or memcpy_fromio(), addresses are equal",
    "words-apart": "64 bytes through registers, addresses differ",
    "words-same": "64 bytes through registers, addresses are equal",
    "nt-apart": "stores that bypass the caches (MOVNTI), addresses differ",
    "sse-apart": "MOVNTDQ to the BAR, MOVNTDQA from it, addresses differ",
    "two-apart": "as words, a second processor copies one half",
    "clear-plain": "memset()",
    "clear-io": "memset_io()",
    "clear-words": "stores of 8 bytes",
    "clear-nt": "stores that bypass the caches",
}

# What --rows can name, in the order in which inside.sh runs them.
GROUPS = list(dict.fromkeys(row.group for row in ROWS.values()))


def as_text():
    """The rows and the subjects, for a terminal."""
    lines = ["Rows (--rows takes the names of groups):"]
    for name, row in ROWS.items():
        lines += ["", f"{name} ({row.unit}; group {row.group})", f"    {row.work}"]
        if row.limit:
            lines.append(f"    limit (lower bound): {row.limit}")
        if row.peers:
            lines.append(f"    peers: {', '.join(row.peers)}")
    lines += ["", "Subjects:", ""]
    lines += [f"{name:16} {what}" for name, what in SUBJECTS.items()]
    return "\n".join(lines) + "\n"


def literal(names):
    return ", ".join(f"``{name}``" for name in names if name)


def as_rst():
    """The same as tables of reStructuredText, for the documentation."""
    lines = [".. list-table:: Rows", "   :header-rows: 1", "   :widths: 20 44 18 18", ""]
    for cells in [("row", "work", "limit", "peers")] + [
            (literal([name]), row.work, literal([row.limit]), literal(row.peers))
            for name, row in ROWS.items()]:
        lines.append(f"   * - {cells[0]}")
        lines += [f"     - {cell}".rstrip() for cell in cells[1:]]
    lines += ["", ".. list-table:: Subjects", "   :header-rows: 1", "   :widths: 20 80", "",
              "   * - subject", "     - what is measured"]
    for name, what in SUBJECTS.items():
        lines += [f"   * - {literal([name])}", f"     - {what}"]
    return "\n".join(lines) + "\n"
