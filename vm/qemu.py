# SPDX-License-Identifier: MIT
"""One QEMU process: its sockets and QMP, its boot arguments, and whether KVM works."""

import ctypes
import json
import mmap
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(HERE)
VMDIR = os.path.join(TOP, "build", "vm")
QEMU = "qemu-system-x86_64"
# The firmware of --uefi: its code, and its variables as they are at the first boot.
OVMF = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")


class Trouble(Exception):
    """The virtual machine could not be started, or ended before COMMAND did."""


def say(text):
    print("vm/run: " + text, file=sys.stderr, flush=True)


def die_with_parent():
    """Run between fork and exec: let the kernel end QEMU when this program ends, even by SIGKILL."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Qemu:
    """One QEMU process with its console log and its sockets."""

    def __init__(self, args, console, program=QEMU):
        self.sockets = {}
        self.given = []
        self.process = None
        self.buffer = b""
        self.commands = 0
        self.events = []
        self.args = [program, "-nodefaults", "-no-user-config", "-no-reboot",
                     "-display", "none", "-vga", "none", "-machine", "q35",
                     "-chardev", "file,id=serial,path=%s" % console.replace(",", ",,"),
                     "-serial", "chardev:serial", *args]

    def socket(self, name):
        """Make a socket pair, pass one end to QEMU as chardev NAME, and return the other."""
        ours, theirs = socket.socketpair()
        self.sockets[name] = ours
        self.given.append(theirs)
        self.args += ["-chardev", "socket,id=%s,fd=%d" % (name, theirs.fileno())]
        return ours

    def start(self, log):
        self.socket("qmp")
        self.args += ["-mon", "chardev=qmp,mode=control"]
        self.process = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        pass_fds=[s.fileno() for s in self.given],
                                        preexec_fn=die_with_parent)
        for s in self.given:
            s.close()
        self.given = []
        self.greet()

    def greet(self):
        """Enter QMP's command mode, in which QEMU sends events. There is no need to wait for the answer."""
        self.sockets["qmp"].sendall(b'{"execute": "qmp_capabilities", "id": 0}\n')

    def qmp_read(self):
        """Wait for the next QMP message and return it. Events are appended to self.events as well."""
        s = self.sockets["qmp"]
        while b"\n" not in self.buffer:
            more = s.recv(65536)
            if not more:
                raise Trouble("QEMU closed its control socket")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        answer = json.loads(line)
        if "event" in answer:
            self.events.append(answer["event"])
        return answer

    def qmp_received(self, data):
        """Take over the events in data, which was read from the QMP socket."""
        self.buffer += data
        while b"\n" in self.buffer:
            self.qmp_read()

    def qmp(self, command, **arguments):
        """Send a command and wait for its result."""
        self.commands += 1
        s = self.sockets["qmp"]
        s.settimeout(30)
        s.sendall(json.dumps({"execute": command, "id": self.commands, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self.qmp_read()
            if answer.get("id") != self.commands:
                continue
            if "return" in answer:
                return answer["return"]
            raise Trouble("QEMU: " + answer["error"]["desc"])

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for s in [*self.sockets.values(), *self.given]:
            s.close()


def qemu_patches_code_safely(program):
    """Return whether each emulated processor may run in its own host thread.

    QEMU before 8.1 can translate an instruction while another processor patches
    it. Linux patches its code at run time (static keys): with QEMU 7.2 about one boot in
    thirty ended in "Oops: int3".
    """
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True).stdout
    number = re.search(r"version (\d+)\.(\d+)", version)
    return bool(number) and (int(number[1]), int(number[2])) >= (8, 1)


def tsc_khz():
    """Return the frequency of the host's time stamp counter, which the guest reads under emulation, or None.

    Linux would measure it with an emulated timer. On a busy host the result was wrong
    by up to a factor of five, and the guest's clock ran faster by that factor.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # the host forbids writable executable memory
        return None
    page.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; rax |= rdx << 32; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))

    def now():
        """Read both clocks at the same moment: take the shortest of 20 attempts."""
        attempts = []
        for _ in range(20):
            before, ticks, after = time.monotonic_ns(), rdtsc(), time.monotonic_ns()
            attempts.append((after - before, (before + after) / 2, ticks))
        return min(attempts)[1:]

    first = now()
    time.sleep(0.1)
    last = now()
    return round((last[1] - first[1]) / (last[0] - first[0]) * 1e6)


def boot_args(kernel, accel, memory, cpus, icount, append, program=QEMU):
    """Return the QEMU arguments that every virtual machine has: processor, memory, kernel."""
    # On a busy host a virtual processor may not run for seconds. The longer limits avoid
    # false reports of lockups and stalls; a real one is still reported. For the same
    # reason the boot-time check for timer interrupts can fail: skip it.
    cmdline = ("console=ttyS0 panic=-1 oops=panic tsc=reliable no_timer_check watchdog_thresh=60 "
               "rcupdate.rcu_cpu_stall_timeout=120 " + append)
    if os.path.basename(kernel) == "debug":
        cmdline += " kasan_multi_shot" # report each error, not only the first
    if accel == "kvm":
        args = ["-accel", "kvm", "-cpu", "host"]
    else:
        threads = "single" if icount or not qemu_patches_code_safely(program) else "multi"
        args = ["-accel", "tcg,thread=" + threads, "-cpu", "max,la57=off"]
        args += ["-icount", "shift=0,sleep=off"] if icount else []
        khz = None if icount else tsc_khz()
        cmdline += " tsc_early_khz=%d" % khz if khz else ""
    return args + ["-m", memory, "-smp", str(cpus), "-kernel", os.path.join(kernel, "vmlinuz"),
                   "-initrd", os.path.join(kernel, "initramfs"), "-append", cmdline.strip()]


def firmware_args(directory):
    """Return the QEMU arguments to boot with UEFI firmware, whose variables are in directory."""
    variables = os.path.join(directory, "efi-variables")
    shutil.copyfile(OVMF[1], variables)
    return ["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + OVMF[0],
            "-drive", "if=pflash,unit=1,format=raw,file=" + variables.replace(",", ",,")]


def choose_accel(requested, kernel):
    """Return kvm or tcg. Guests can fail to run on a /dev/kvm that exists: boot one to find out."""
    if requested != "auto":
        return requested
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    answer = os.path.join(VMDIR, "accel")
    try:
        if time.time() - os.stat(answer).st_mtime < 24 * 3600:
            with open(answer) as f:
                return f.read().strip()
    except OSError:
        pass
    say("trying KVM with one boot (at most 20 s)")
    console = os.path.join(VMDIR, "kvm-probe.log")
    qemu = Qemu(boot_args(kernel, "kvm", "256M", 1, False, "ferry.probe"), console)
    works = False
    try:
        with open(os.path.join(VMDIR, "kvm-probe-qemu.log"), "wb") as log:
            qemu.start(log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not works and qemu.process.poll() is None:
            time.sleep(0.2)
            with open(os.path.join(VMDIR, "kvm-probe-qemu.log"), "rb") as log:
                if b"internal error" in log.read():
                    break
            works = probe_worked(console)
        works = works or probe_worked(console)
    finally:
        qemu.end()
    accel = "kvm" if works else "tcg"
    say("KVM works" if works else "guests crash on this host's KVM: using software emulation")
    with open(answer, "w") as f:
        f.write(accel + "\n")
    return accel


def probe_worked(console):
    try:
        with open(console, "rb") as f:
            return b"this accelerator works" in f.read()
    except OSError:
        return False
