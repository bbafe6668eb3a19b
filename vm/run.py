# SPDX-License-Identifier: MIT
"""Run COMMAND in a fresh virtual machine with ferry loaded.

The exit status is COMMAND's, except:
  124  --timeout expired, and the virtual machine was ended
  125  the kernel reported an error (see vm/splats.py); takes precedence
  126  the virtual machine could not be started, or ended before COMMAND did
"""

import argparse
import os
import re
import shutil
import signal
import sys

import splats
from virtual_machine import IMAGES, VirtualMachine
from qemu import Trouble, say

TIMEOUT, SPLAT, BROKEN = 124, 125, 126
LEAST_MEMORY = 256  # MiB: with less the guest's kernel or its initramfs does not start


class Ended(Exception):
    """A signal asked this program to stop."""


class Parser(argparse.ArgumentParser):
    """Exits with BROKEN on a usage error, as 2 may be the status of COMMAND."""

    def error(self, message):
        self.print_usage(sys.stderr)
        say("error: " + message)
        sys.exit(BROKEN)


def parse(argv):
    p = Parser(prog="vm/run", usage="vm/run [options] -- COMMAND [ARGUMENT...]",
                                description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                epilog="""in the guest:
  /mnt/ferry         this repository, read-only, and the working directory
  /mnt/share         the directory given with --share, read-write
  vm-screenshot NAME [dN]   take a picture of the screen of the n-th device
  vm-host picture [dN]      print a checksum of the picture on the screen
  vm-wake S                 with --sleep: press a key S seconds after a suspend to idle, to resume
  vm-host unplug dN         with --hotplug: request the guest to release the device
  vm-host plug dN           plug it in again

Without COMMAND, on a terminal, run an interactive shell.""")
    p.add_argument("--kernel", default="6.12", metavar="V", help="6.12 (default), 7.x, or a sanitizer kernel, debug or kcsan")
    p.add_argument("--device", action="append", metavar="SPEC",
                   help="bochs-display (default), VGA, secondary-vga, ivshmem-plain[,size=64M][,path=FILE], "
                   "any QEMU -device string, or none; repeatable, the n-th has the id dN from d0")
    p.add_argument("--driver", default="ferry", metavar="NAME",
                   help="module to load: ferry (default), another module's name, or none")
    p.add_argument("--image", default="tests", choices=sorted(IMAGES), help="the guest's root image: tests (default) "
                   "has the host's Debian release, desktops is Debian 13 with desktops")
    p.add_argument("--share", metavar="DIR", help="read-write in the guest at /mnt/share; made if it does not exist")
    p.add_argument("--memory", default="1536M", help="default 1536M")
    p.add_argument("--cpus", type=int, default=2, help="default 2")
    p.add_argument("--swap", metavar="SIZE", help="swap space on a disk, as in 2G; none by default")
    p.add_argument("--sleep", action="store_true", help="allow the guest to suspend, with --swap also to disk: it gets "
                   "copies of the host's directories, and ivshmem memory loses its contents")
    p.add_argument("--hotplug", action="store_true", help="allow devices to be unplugged and plugged in; use "
                   "secondary-vga or ivshmem-plain, as QEMU 7.2 does not free the memory of bochs-display")
    p.add_argument("--timeout", type=float, metavar="S", help="end the virtual machine after S seconds, boot "
                   "included; 0 means never (default 600, interactively 0)")
    p.add_argument("--accel", choices=["auto", "kvm", "tcg"], default="auto",
                   help="auto (default) boots a guest to test KVM, and emulates if that fails")
    p.add_argument("--icount", action="store_true",
                   help="derive guest time from the number of instructions (emulation only)")
    p.add_argument("--parallel", action="store_true", help="emulate the processors at the same time, each in its own "
                   "host thread, with the QEMU of Debian 13; older ones run one at a time")
    p.add_argument("--uefi", action="store_true", help="boot with UEFI firmware (OVMF) instead of a BIOS (SeaBIOS)")
    p.add_argument("--screenshot", metavar="FILE", help="write a PNG of the first device's screen when COMMAND ends, or when the kernel panics")
    p.add_argument("--append", default="", metavar="TEXT", help="append TEXT to the kernel command line")
    p.add_argument("--env", action="append", default=[], metavar="N=V", help="set a variable in COMMAND's environment")
    p.add_argument("--log", metavar="FILE", help="console log (default build/vm/latest/console.log)")
    p.add_argument("--load-image", action="store_true",
                   help="make ferry.ko available to modprobe although --driver names another module")
    p.add_argument("--qemu", action="append", default=[], metavar="ARG", help="pass ARG to QEMU")
    p.add_argument("--verbose", action="store_true", help="copy the console to stderr")
    cut = argv.index("--") if "--" in argv else len(argv)
    o = p.parse_args(argv[:cut])
    o.command = argv[cut + 1:]
    o.tty = not o.command
    if o.tty and not os.isatty(0):
        p.error("no COMMAND given (after --), and no terminal for a shell")
    o.command = o.command or ["bash", "-l"]
    if o.cpus < 1:
        p.error("--cpus must be at least 1")
    size = re.fullmatch(r"(\d+)([MG])", o.memory)
    if not size or int(size[1]) << (10 if size[2] == "G" else 0) < LEAST_MEMORY:
        p.error("--memory must be at least %dM, as in 1536M or 2G" % LEAST_MEMORY)
    if o.timeout is None:
        o.timeout = 0 if o.tty else 600
    if o.log:
        o.log = os.path.realpath(o.log)
    if not re.fullmatch(r"[\w-]+", o.driver):
        p.error("--driver requires the name of a module")
    return o


def main(argv, kind=VirtualMachine):
    options = parse(argv)
    machine = kind(options)

    def stop(number, _):
        raise Ended(number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    status = None
    try:
        machine.prepare()
        machine.run()
    except Ended as e:
        say("ended by %s" % signal.Signals(e.args[0]).name)
        return 128 + e.args[0]
    except TimeoutError:
        say("timeout: the virtual machine was ended after %g s" % options.timeout)
        status = TIMEOUT
    except (Trouble, OSError) as e:
        say("error: %s" % e)
        return BROKEN
    if status is None:
        status = machine.status
    counts = os.path.join(machine.directory, "job", "gcov")
    if os.environ.get("FERRY_COVERAGE") and os.path.isdir(counts):
        shutil.copytree(counts, os.path.join(os.environ["FERRY_COVERAGE"], os.path.basename(machine.directory)))
    text = splats.report(machine.console)
    if text:
        say("the kernel reported an error:\n" + text)
        status = SPLAT
    elif status is None:
        status = BROKEN
        says = machine.qemu_says()
        say("error: " + (machine.trouble or "the virtual machine ended before the command did"))
        for line in re.findall(r"ferry-vm: .*", machine.console_text()):
            say(line)
        if says:
            say("QEMU says: " + says)
    if status in (TIMEOUT, SPLAT, BROKEN):
        say("console log: " + machine.console)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
