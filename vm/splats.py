#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Find the errors that the kernel reports in its log: splats.

    vm/splats.py FILE...     print each splat; exit status 1 if there is one
    vm/splats.py --selftest  check the patterns against known lines
"""

import re
import sys

# Each pattern with an example of a line that it must match.
PATTERNS = [
    (r"\[ cut here \]", "------------[ cut here ]------------"),
    (r"\bWARNING: (?!Unprivileged eBPF|Spectre)", "WARNING: CPU: 0 PID: 31 at mm/memory.c:2129 vmf_insert_pfn+0x1"),
    (r"\bBUG: ", "BUG: unable to handle page fault for address: ffffc90000001000"),
    (r"kernel BUG at", "kernel BUG at mm/huge_memory.c:1234!"),
    (r"\bOops\b", "Oops: 0002 [#1] PREEMPT SMP NOPTI"),
    (r"Kernel panic", "Kernel panic - not syncing: Fatal exception"),
    (r"\bKASAN:", "BUG: KASAN: slab-use-after-free in ferry_bo_free+0x12/0x40"),
    (r"\bKCSAN:", "BUG: KCSAN: data-race in a / b"),
    (r"\bUBSAN:", "UBSAN: array-index-out-of-bounds in drivers/gpu/x.c:1:2"),
    (r"\bINFO: possible|possible (circular|recursive|irq lock)|possible deadlock", "WARNING: possible circular locking dependency detected"),
    (r"inconsistent lock state|bad unlock balance|held lock freed|lock held (when returning|at task exit)|Invalid wait context",
     "[ BUG: Invalid wait context ]"),
    (r"suspicious RCU", "WARNING: suspicious RCU usage"),
    (r"refcount_t:", "refcount_t: underflow; use-after-free."),
    (r"scheduling while atomic", "BUG: scheduling while atomic: kworker/0:1/12/0x00000002"),
    (r"sleeping function called from invalid", "BUG: sleeping function called from invalid context at mm/x.c:1"),
    (r"blocked for more than", "INFO: task weston:123 blocked for more than 120 seconds."),
    (r"hung[ _]task", "Kernel panic - not syncing: hung_task: blocked tasks"),
    (r"rcu.*detected stall", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"),
    (r"soft lockup|hard LOCKUP", "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]"),
    (r"\bCall Trace:", "Call Trace:"),
    (r"general protection fault, (?!maybe)", "general protection fault, probably for non-canonical address 0xdead"),
    (r"kmemleak: \d+ new suspected", "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"),
    (r"kmemleak: unreferenced object", "kmemleak: unreferenced object 0xffff888004d6e200 (size 64):"),
    (r"kmemleak: (Kernel memory leak detector disabled|Memory pool empty)", "kmemleak: Kernel memory leak detector disabled"),
    (r"ferry-vm: (lockdep|kmemleak) is off", "ferry-vm: lockdep is off"),
    (r"DMA-API: (?!preallocated|debugging enabled|debugging disabled by kernel|dma_debug_entry pool grown)",
     "DMA-API: ferry 0000:00:02.0: device driver maps memory from stack [addr=00000000]"),
    (r"list_(add|del) corruption", "list_del corruption. prev->next should be ffff, but was 0"),
    (r"Bad (page|rss-counter|swap)", "BUG: Bad page state in process a  pfn:12345"),
    (r"double fault|stack guard page|corrupted stack", "BUG: stack guard page was hit at 0000"),
    (r"Objects remaining in|Slab \S+: .*still has objects", "BUG ferry_bo (Tainted: G): Objects remaining in ferry_bo on __kmem_cache_shutdown()"),
    (r"unregister_netdevice: waiting|ODEBUG:|DEBUG_LOCKS_WARN_ON", "ODEBUG: free active (active state 0) object: 0"),
    (r"Out of memory: Killed|invoked oom-killer", "Out of memory: Killed process 1 (a) total-vm:1kB"),
    (r"\[drm:[^]]*\] \*ERROR\*.*(leak|not clean)|drm_WARN|Memory manager not clean", "[drm:drm_mm_takedown [drm]] *ERROR* Memory manager not clean during takedown."),
    (r"\bferry\b.*Please fix", "ferry 0000:00:04.0: [drm] [PLANE:35:plane-0] pixel format with alpha exposed but blend mode not setup. Please fix."),
]

# Similar lines that report no error.
HARMLESS = [
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on",
    "[    0.1] rcu: \tRCU calculated value of scheduler-enlistment delay is 25 jiffies.",
    "x86/PAT: Configuration [0-7]: WB  WC  UC- UC  WB  WP  UC- WT",
    "systemd-udevd[90]: Starting systemd-udevd",
    "ferry 0000:00:02.0: [drm] aperture 16 MiB, write-combining",
    "DEBUG: ferry test",
    "[drm:drm_ioctl] bad ioctl",
    "traps: a[1] general protection fault ip:1 sp:2 error:0 in libc.so",
    "tracer: Oopsy daisy",
    "DMA-API: preallocated 65536 debug entries",
    "DMA-API: debugging enabled by kernel config",
    "kmemleak: Kernel memory leak detector initialized (mem pool available: 15290)",
    "ferry-vm: lockdep was on all the time",
]

REGEX = re.compile("|".join("(?:%s)" % p for p, _ in PATTERNS))

# KCSAN reports hundreds of data races outside of the driver. A report counts only if its
# stacks name the module ferry. It is enclosed in two such rulers.
KCSAN, RULER = re.compile(r"\bBUG: KCSAN: "), re.compile(r"={60,}")


def foreign_races(lines):
    """Return the numbers, from 1, of the lines in reports of KCSAN that do not name ferry."""
    numbers, report, ours = set(), None, False
    for n, line in enumerate(lines, 1):
        if KCSAN.search(line):
            report, ours = {n}, False
        elif report is not None and RULER.search(line):
            numbers |= set() if ours else report
            report = None
        elif report is not None:
            report.add(n)
        # In brackets, because the names of test programs begin with "ferry".
        ours = ours or report is not None and "[ferry]" in line
    return numbers # a truncated report counts


def find(lines):
    """Return [(number, line)] of the splats in lines, counted from 1."""
    lines = list(lines)
    skipped = foreign_races(lines)
    return [(n, line.rstrip()) for n, line in enumerate(lines, 1) if n not in skipped and REGEX.search(line)]


def excerpt(lines, context=40):
    """Return the splats in lines as text, with what follows each."""
    out, shown = [], 0
    for n, _ in find(lines):
        if n <= shown:
            continue
        first = max(shown + 1, n - 2)
        shown = min(len(lines), n + context)
        out += ["%5d  %s" % (i, lines[i - 1].rstrip()) for i in range(first, shown + 1)]
    return "\n".join(out)


def report(path):
    """Return the splats in the file as text, with what follows each."""
    with open(path, errors="replace") as f:
        return excerpt(f.readlines())


def selftest():
    wrong = ["pattern %r misses %r" % (p, line) for p, line in PATTERNS if not re.search(p, line)]
    wrong += ["not found: %r" % line for _, line in PATTERNS if not find([line])]
    wrong += ["found in harmless %r" % line for line in HARMLESS if find([line])]
    ruler = "=" * 66
    race = [ruler, "BUG: KCSAN: data-race in a / b", "write to 0xffff of 8 bytes by task 1 on cpu 0:",
            " where+0x1/0x2", "CPU: 1 PID: 1 Comm: ferry_create Tainted: G", ruler]
    for where, count in (("ferry_bo_free+0x1/0x2 [ferry]", 1), ("folio_batch_move_lru+0x1/0x2", 0)):
        if len(find([line.replace("where+0x1/0x2", where) for line in race])) != count:
            wrong.append("a race in %s is %s" % (where, "missed" if count else "reported"))
    for w in wrong:
        print("splats: %s" % w)
    return wrong


def main(argv):
    if argv == ["--selftest"]:
        return 1 if selftest() else 0
    if not argv:
        print(__doc__)
        return 2
    text = "\n".join(filter(None, map(report, argv)))
    if text:
        print(text)
    return 1 if text else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
