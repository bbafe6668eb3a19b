# SPDX-License-Identifier: MIT
"""Run COMMAND in a fresh virtual machine with ferry loaded.

The exit status is COMMAND's, except:
  124  the time was up and the machine was ended
  125  the kernel found fault with itself (see vm/splats.py); takes precedence
  126  the machine could not be made, or died before COMMAND ended
"""

import argparse
import ctypes
import fcntl
import hashlib
import json
import mmap
import os
import platform
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
import tty

import splats

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(HERE)
VMDIR = os.path.join(TOP, "build", "vm")
TIMEOUT, SPLAT, BROKEN = 124, 125, 126
KEEP_RUNS = 20


class Trouble(Exception):
    """The machine could not be made or did not live long enough."""


class Ended(Exception):
    """A signal asked this program to stop."""


def say(text):
    print("vm/run: " + text, file=sys.stderr, flush=True)


def output_of(*command):
    """Run one of the scripts of the project and return its last line."""
    p = subprocess.run([os.path.join(TOP, command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, text=True)
    if p.returncode:
        raise Trouble("%s failed" % " ".join(command))
    return p.stdout.strip().splitlines()[-1] if p.stdout.strip() else ""


def die_with_parent():
    """Between fork and exec: QEMU ends when this program does, however it does."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Qemu:
    """One QEMU process with its console log and its sockets."""

    def __init__(self, args, console):
        self.sockets = {}
        self.given = []
        self.process = None
        self.buffer = b""
        self.commands = 0
        self.events = []
        self.args = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot",
                     "-display", "none", "-vga", "none", "-machine", "q35",
                     "-chardev", "file,id=serial,path=%s" % console.replace(",", ",,"),
                     "-serial", "chardev:serial", *args]

    def socket(self, name):
        """Make a socket pair; QEMU gets the other end as chardev NAME."""
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
        """Have QEMU tell its events from now on; its answer need not be waited for."""
        self.sockets["qmp"].sendall(b'{"execute": "qmp_capabilities", "id": 0}\n')

    def qmp_read(self):
        """Wait for what QEMU says next. An event is noted, anything else returned."""
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

    def qmp_has_said(self, data):
        """Note the events in what the control socket gave."""
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


def qemu_patches_code_safely():
    """Whether emulated processors may each have a thread of their own.

    QEMU before 8.1 may translate an instruction while another processor patches
    it. Linux patches itself all the time (static keys); about one boot in thirty
    ended in "Oops: int3" with QEMU 7.2.
    """
    version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True).stdout
    number = re.search(r"version (\d+)\.(\d+)", version)
    return bool(number) and (int(number[1]), int(number[2])) >= (8, 1)


def tsc_khz():
    """The frequency of this host's time stamp counter, which emulation passes on, or None.

    Linux measures it with an emulated timer. On a busy host that went wrong by a
    factor of five now and then: so much faster went the guest's clock.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # this host lets nobody write code
        return None
    page.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; rax |= rdx << 32; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))

    def now():
        """Both clocks at the same moment: the least disturbed of some tries."""
        tries = []
        for _ in range(20):
            before, ticks, after = time.monotonic_ns(), rdtsc(), time.monotonic_ns()
            tries.append((after - before, (before + after) / 2, ticks))
        return min(tries)[1:]

    first = now()
    time.sleep(0.1)
    last = now()
    return round((last[1] - first[1]) / (last[0] - first[0]) * 1e6)


def boot_args(kernel, accel, memory, cpus, icount, append):
    """What every machine has: processor, memory, kernel."""
    # A virtual processor can stand still while the host is busy: be patient before
    # calling that a lockup. What is stuck for good is found all the same.
    # And it may not see a timer's interrupt in the moment that it waits for the first one.
    cmdline = ("console=ttyS0 panic=-1 oops=panic tsc=reliable no_timer_check watchdog_thresh=60 "
               "rcupdate.rcu_cpu_stall_timeout=120 " + append)
    if os.path.basename(kernel) == "debug":
        cmdline += " kasan_multi_shot" # each report, not the first one only
    if accel == "kvm":
        args = ["-accel", "kvm", "-cpu", "host"]
    else:
        threads = "single" if icount or not qemu_patches_code_safely() else "multi"
        args = ["-accel", "tcg,thread=" + threads, "-cpu", "max,la57=off"]
        args += ["-icount", "shift=0,sleep=off"] if icount else []
        khz = None if icount else tsc_khz()
        cmdline += " tsc_early_khz=%d" % khz if khz else ""
    return args + ["-m", memory, "-smp", str(cpus), "-kernel", os.path.join(kernel, "vmlinuz"),
                   "-initrd", os.path.join(kernel, "initramfs"), "-append", cmdline.strip()]


def choose_accel(wanted, kernel):
    """kvm or tcg. /dev/kvm may exist and guests die on it: boot one to see."""
    if wanted != "auto":
        return wanted
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
    say("KVM works" if works else "guests die on this host's KVM: using software emulation")
    with open(answer, "w") as f:
        f.write(accel + "\n")
    return accel


def probe_worked(console):
    try:
        with open(console, "rb") as f:
            return b"this accelerator works" in f.read()
    except OSError:
        return False


# What Linux says when only devices are left to be suspended, and when all is over.
FROZEN, AWAKE = "Freezing remaining freezable tasks completed", "PM: suspend exit"

# Where a machine that sleeps has its serial ports, besides that of the console.
SERIAL = {"ctl": "index=1,irq=3", "out": "index=2,irq=6", "err": "index=3,irq=7"}


class Device:
    """A device that --device asks for; the n-th has the id dN."""

    def __init__(self, number, spec, directory, options):
        model, *given = spec.split(",")
        self.backend = []
        self.memory = None
        self.ram = None
        if model.startswith("ivshmem-plain") and not any(o.startswith("memdev=") for o in given):
            size = next((o[5:] for o in given if o.startswith("size=")), "64M")
            self.memory = next((o[5:] for o in given if o.startswith("path=")), None)
            given = [o for o in given if not o.startswith(("size=", "path="))]
            if options.sleep and not self.memory:
                self.memory = os.path.join(directory, "memory-%d" % number)
            backend = "memory-backend-file,mem-path=" + self.memory if self.memory else "memory-backend-memfd"
            self.backend = ["-object", "%s,id=mem%d,size=%s,share=on" % (backend, number, size)]
            given.append("memdev=mem%d" % number)
        if options.hotplug:
            # The root bus takes no device while the machine runs, a port of its own does.
            self.backend += ["-device", "pcie-root-port,id=port%d,chassis=%d,slot=%d,addr=0x%x" % (
                number, number, number, 0x10 + number)]
            self.ram = "0000:00:%02x.0:00.0/" % (0x10 + number)
            given.append("bus=port%d" % number)
        if not any(o.startswith("id=") for o in given):
            given.insert(0, "id=d%d" % number)
        if options.sleep:
            # SeaBIOS calls the device's when Linux wakes up, and from 7.3 on gets lost there.
            given.append("romfile=")
        self.properties = {"driver": model, **dict(o.split("=", 1) for o in given if "=" in o)}
        self.id = self.properties["id"]
        self.args = [*self.backend, "-device", ",".join([model, *given])]

    def lose_memory(self):
        """What a device without power does."""
        if self.memory:
            with open(self.memory, "r+b") as f:
                size = os.fstat(f.fileno()).st_size
                for _ in range(0, size, 1 << 20):
                    f.write(b"\xdb" * min(1 << 20, size))


def new_run_directory():
    """A directory for this run; those of the oldest runs are removed."""
    runs = os.path.join(VMDIR, "runs")
    os.makedirs(runs, exist_ok=True)
    for old in sorted(os.listdir(runs))[:-KEEP_RUNS]:
        pid = int(old.rsplit("-", 1)[1])
        if not os.path.exists("/proc/%d" % pid):
            shutil.rmtree(os.path.join(runs, old), ignore_errors=True)
    path = os.path.join(runs, "%s-%d" % (time.strftime("%Y%m%d-%H%M%S"), os.getpid()))
    os.makedirs(os.path.join(path, "job"))
    return path


def share_args(name, path, readonly=False):
    return ["-fsdev", "local,id=fs%s,path=%s,security_model=none,multidevs=remap%s" %
            (name, path.replace(",", ",,"), ",readonly=on" if readonly else ""),
            "-device", "virtio-9p-pci,fsdev=fs%s,mount_tag=%s" % (name, name)]


def drive_args(*images):
    args = []
    for n, image in enumerate(images):
        args += ["-drive", "if=none,id=disk%d,format=raw,readonly=on,file=%s" % (n, image.replace(",", ",,")),
                 "-device", "virtio-blk-pci,drive=disk%d" % n]
    return args


def swap_args(path, size):
    if not re.fullmatch(r"\d+[MG]", size):
        raise Trouble("--swap takes a size as in 512M or 2G")
    with open(path, "wb") as f:
        f.truncate(int(size[:-1]) << {"M": 20, "G": 30}[size[-1]])
    return ["-drive", "if=none,id=swap,format=raw,cache=unsafe,file=" + path.replace(",", ",,"),
            "-device", "virtio-blk-pci,drive=swap,serial=swap"]


class Machine:
    """The machine that COMMAND runs in."""

    def __init__(self, options):
        self.o = options
        self.status = None
        self.trouble = None
        self.requests = b""
        self.saved_tty = None
        self.wake_after = None
        self.wake_at = None
        self.woken = 0

    def prepare(self):
        o = self.o
        output_of("scripts/setup", "vm")
        kernel = output_of("vm/kernel", o.kernel)
        image = output_of("vm/image")
        images = [image, os.path.join(kernel, "modules.erofs")]
        if o.driver == "ferry" or o.load_image:
            images.append(output_of("vm/module-image", o.kernel))
        accel = "tcg" if o.icount else choose_accel(o.accel, kernel)
        self.tell(kernel, accel)
        self.directory = new_run_directory()
        self.console = o.log or os.path.join(self.directory, "console.log")
        open(self.console, "w").close()
        link = self.directory + ".link"
        os.symlink(self.directory, link)
        os.replace(link, os.path.join(VMDIR, "latest"))
        self.write_job()
        # Both carry the same PCI id.
        append = "modprobe.blacklist=bochs " if o.driver == "ferry" else ""
        append += "vm.sleep " if o.sleep else ""
        specs = [d for d in o.device or ["bochs-display"] if d != "none"]
        self.devices = [Device(n, spec, self.directory, o) for n, spec in enumerate(specs)]
        args = boot_args(kernel, accel, o.memory, o.cpus, o.icount, append + o.append)
        args += drive_args(*images)
        if o.swap:
            args += swap_args(os.path.join(self.directory, "swap"), o.swap)
        for device in self.devices:
            args += device.args
        args += share_args("ferry", TOP, readonly=True)
        args += share_args("job", os.path.join(self.directory, "job"))
        if o.share:
            os.makedirs(o.share, exist_ok=True)
            args += share_args("share", os.path.realpath(o.share))
        self.arguments = args
        self.make_qemu()

    def make_qemu(self):
        qemu = Qemu(self.arguments, self.console)
        qemu.args += ["-device", "virtio-serial-pci"]
        for port in ("ctl", "out", "err"):
            qemu.socket(port)
            # Linux 7.3's virtio console asks after a sleep who is connected, and only then
            # gives the host buffers to answer into: each port stays closed.
            model = "isa-serial," + SERIAL[port] if self.o.sleep else "virtserialport,name=" + port
            qemu.args += ["-device", "%s,chardev=%s" % (model, port)]
        if self.o.tty:
            qemu.socket("tty")
            qemu.args += ["-device", "virtconsole,chardev=tty,name=tty"]
        qemu.args += self.o.qemu
        self.qemu = qemu

    def tell(self, kernel, accel):
        """Booting takes some seconds: say so to whoever watches."""
        if os.isatty(2):
            with open(os.path.join(kernel, "release")) as f:
                say("booting Linux %s%s" % (f.read().strip(), " under emulation" if accel == "tcg" else ""))

    def write_job(self):
        o = self.o
        size = shutil.get_terminal_size()
        config = {"driver": o.driver, "share": "yes" if o.share else "", "tty": int(o.tty), "repo": TOP,
                  "sleep": "yes" if o.sleep else "",
                  "term": os.environ.get("TERM", "linux"), "rows": size.lines, "columns": size.columns}
        with open(os.path.join(self.directory, "job", "config"), "w") as f:
            for name, value in config.items():
                f.write("%s=%s\n" % (name, shlex.quote(str(value))))
        with open(os.path.join(self.directory, "job", "command"), "wb") as f:
            for setting in o.env:
                name, _, value = setting.partition("=")
                f.write(b"export %s=%s\n" % (name.encode(), os.fsencode(shlex.quote(value))))
            f.write(b"set -- " + b" ".join(os.fsencode(shlex.quote(a)) for a in o.command) + b"\n")

    def screenshot(self, path, device="d0"):
        self.qemu.qmp("screendump", filename=os.path.abspath(path), format="png", device=device)

    def serve(self, request):
        """Do what the guest asks for on the ctl port; return the answer."""
        word, *args = request.split()
        if word == "exit" and args:
            if args[0] == "trouble":
                self.trouble = "the guest could not start the command"
                return "ok"
            if self.o.screenshot:
                self.trouble = "no picture could be taken"
                self.screenshot(self.o.screenshot)
                self.trouble = None
            self.status = int(args[0])
            return "ok"
        if word == "screenshot" and args:
            path = os.path.join(self.o.share or self.directory, os.path.basename(args[0]) + ".png")
            self.screenshot(path, *args[1:2])
            return "ok " + path
        if word == "picture":
            path = os.path.join(self.directory, "picture.png")
            self.screenshot(path, *args[:1])
            with open(path, "rb") as f:
                return "ok " + hashlib.sha256(f.read()).hexdigest()
        if word == "wake" and args:
            self.wake_after, self.wake_at = float(args[0]), None
            self.woken = self.console_text().count(AWAKE)
            return "ok"
        if word in ("unplug", "plug") and args:
            self.plug(word == "plug", args[0])
            return "ok"
        return "error unknown request"

    def has_left(self, device):
        """Whether a device that the guest has given away is gone, with its memory, which takes a moment longer."""
        if any(o["name"] == device.id for o in self.qemu.qmp("qom-list", path="/machine/peripheral")):
            return False
        return device.ram not in self.qemu.qmp("human-monitor-command", **{"command-line": "info ramblock"})

    def plug(self, there, name):
        """Ask the guest to give a device away, or plug it in again."""
        device = next((d for d in self.devices if d.id == name), None)
        if not device or not device.ram:
            raise Trouble("no device '%s' can be unplugged" % name)
        if not there:
            self.qemu.qmp("device_del", id=name)
            return
        # QEMU aborts if the same memory comes twice. That of bochs-display never goes (7.2).
        for _ in range(200):
            if self.has_left(device):
                self.qemu.qmp("device_add", **device.properties)
                return
            time.sleep(0.05)
        raise Trouble("QEMU has not parted with '%s'" % name)

    def control(self, data):
        self.requests += data
        while b"\n" in self.requests:
            line, self.requests = self.requests.split(b"\n", 1)
            try:
                answer = self.serve(line.decode(errors="replace"))
            except (Trouble, ValueError) as e:
                answer = "error " + str(e)
                say(str(e))
            self.qemu.sockets["ctl"].sendall(answer.encode() + b"\n")

    def loop(self):
        """Pass data on until QEMU has ended and all it said has been read."""
        sockets = self.qemu.sockets
        sources = {sockets["ctl"]: self.control, sockets["qmp"]: self.qemu.qmp_has_said}
        sources[sockets["out"]] = lambda data: write_all(1, data)
        sources[sockets["err"]] = lambda data: write_all(2, data)
        if self.o.tty:
            sources[sockets["tty"]] = lambda data: write_all(1, data)
            sources[sys.stdin] = sockets["tty"].sendall
        deadline = self.deadline
        console = open(self.console, "rb") if self.o.verbose else None
        looked = time.monotonic()
        while True:
            gone = self.qemu.process.poll() is not None
            if time.monotonic() - looked > 2:
                looked = time.monotonic()
                if "KVM internal error" in self.qemu_says():
                    raise Trouble("guests die on this host's KVM; take --accel tcg. QEMU says: " + self.qemu_says())
            ready = select.select(list(sources), [], [], 0 if gone else 0.2)[0]
            for s in ready:
                try:
                    data = os.read(s.fileno(), 65536)
                except ConnectionResetError:
                    data = b""
                if data:
                    sources[s](data)
                else:
                    del sources[s]
            if console:
                write_all(2, console.read())
            if self.o.sleep:
                self.power_down()
                self.wake()
            if gone and not ready:
                return
            if deadline and time.monotonic() > deadline:
                raise TimeoutError

    def power_down(self):
        """Do to the devices what a suspend does to real ones."""
        events = self.qemu.events
        while events:
            event = events.pop(0)
            if event == "SUSPEND":
                for device in self.devices:
                    device.lose_memory()

    def is_hibernated(self):
        """Whether the guest has left itself on its swap disk, with the mark that it looks for when it boots."""
        if not (self.o.sleep and self.o.swap):
            return False
        with open(os.path.join(self.directory, "swap"), "rb") as f:
            return f.read(4096)[4086:] == b"S1SUSPEND\0"

    def wake(self):
        """Press a key, if it was asked for, until it works: an emulated clock wakes no machine from idle."""
        if self.wake_after is None:
            return
        text = self.console_text()
        if text.count(AWAKE) > self.woken:
            self.wake_after = None
        elif self.wake_at is None:
            # A key that comes while the devices are being suspended would stop that.
            if text.rfind(FROZEN) > text.rfind(AWAKE):
                self.wake_at = time.monotonic() + self.wake_after
        elif time.monotonic() > self.wake_at:
            self.wake_at = time.monotonic() + 2
            self.qemu.qmp("send-key", keys=[{"type": "qcode", "data": "shift"}])

    def boot(self):
        with open(os.path.join(self.directory, "qemu.log"), "w") as log:
            log.write(shlex.join(self.qemu.args) + "\n")
            log.flush()
            self.qemu.start(log)
        with open(os.path.join(self.directory, "qemu.pid"), "w") as f:
            f.write("%d\n" % self.qemu.process.pid)

    def run(self):
        if self.o.tty:
            self.saved_tty = termios.tcgetattr(0)
            tty.setraw(0)
        self.deadline = time.monotonic() + self.o.timeout if self.o.timeout else None
        try:
            self.boot()
            self.loop()
            while self.is_hibernated():
                self.qemu.end()
                for device in self.devices:
                    device.lose_memory()
                self.make_qemu()
                self.boot()
                self.loop()
        finally:
            if self.saved_tty:
                termios.tcsetattr(0, termios.TCSADRAIN, self.saved_tty)
            self.qemu.end()
            self.forget()

    def forget(self):
        """What is large, and of no use any more."""
        for name in os.listdir(self.directory):
            if name == "swap" or name.startswith("memory-"):
                os.unlink(os.path.join(self.directory, name))

    def console_text(self):
        with open(self.console, errors="replace") as f:
            return f.read()

    def qemu_says(self):
        with open(os.path.join(self.directory, "qemu.log")) as f:
            return "".join(f.readlines()[1:]).strip()


def write_all(fd, data):
    while data:
        try:
            data = data[os.write(fd, data):]
        except BlockingIOError:
            select.select([], [fd], [])
        except BrokenPipeError:
            return


class Parser(argparse.ArgumentParser):
    """Ends with BROKEN, and not with 2, which could be the status of COMMAND."""

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
  vm-screenshot NAME [dN]   takes a picture of the screen of the n-th device
  vm-host picture [dN]      prints a checksum of what is on the screen
  vm-wake S                 with --sleep: presses a key when it has slept for S seconds, which wakes from idle
  vm-host unplug dN         with --hotplug: asks the guest to give the device away
  vm-host plug dN           plugs it in again

Without COMMAND, on a terminal, there is an interactive shell.""")
    p.add_argument("--kernel", default="6.12", metavar="V", help="6.12 (default), 7.x, or a sanitizer kernel, debug or kcsan")
    p.add_argument("--device", action="append", metavar="SPEC",
                   help="bochs-display (default), VGA, secondary-vga, ivshmem-plain[,size=64M][,path=FILE], "
                   "any QEMU -device string, or none; repeatable, the n-th has the id dN from d0")
    p.add_argument("--driver", default="ferry", metavar="NAME",
                   help="module to load: ferry (default), another module's name, or none")
    p.add_argument("--share", metavar="DIR", help="read-write in the guest at /mnt/share")
    p.add_argument("--memory", default="1536M", help="default 1536M")
    p.add_argument("--cpus", type=int, default=2, help="default 2")
    p.add_argument("--swap", metavar="SIZE", help="swap space on a disk, as in 2G; none by default")
    p.add_argument("--sleep", action="store_true", help="the guest may be suspended, with --swap also to disk: it has "
                   "copies of the directories from here, and ivshmem loses its contents")
    p.add_argument("--hotplug", action="store_true", help="devices can be unplugged and plugged in; take "
                   "secondary-vga or ivshmem-plain, as QEMU 7.2 does not free the memory of bochs-display")
    p.add_argument("--timeout", type=float, metavar="S", help="end the machine after S seconds, boot "
                   "included; 0 is never (default 600, interactively 0)")
    p.add_argument("--accel", choices=["auto", "kvm", "tcg"], default="auto",
                   help="auto (default) tries KVM with a bounded boot, else emulates")
    p.add_argument("--icount", action="store_true",
                   help="let guest time count instructions (emulated, not real time)")
    p.add_argument("--screenshot", metavar="FILE", help="PNG of the first device's screen as COMMAND ends")
    p.add_argument("--append", default="", metavar="TEXT", help="more for the kernel command line")
    p.add_argument("--env", action="append", default=[], metavar="N=V", help="set in COMMAND's environment")
    p.add_argument("--log", metavar="FILE", help="console log (default build/vm/latest/console.log)")
    p.add_argument("--load-image", action="store_true",
                   help="have ferry.ko at hand for modprobe although --driver is another")
    p.add_argument("--qemu", action="append", default=[], metavar="ARG", help="one more argument for QEMU")
    p.add_argument("--verbose", action="store_true", help="show the console on stderr")
    cut = argv.index("--") if "--" in argv else len(argv)
    o = p.parse_args(argv[:cut])
    o.command = argv[cut + 1:]
    o.tty = not o.command
    if o.tty and not os.isatty(0):
        p.error("no COMMAND given (write it after --), and no terminal for a shell")
    o.command = o.command or ["bash", "-l"]
    if o.timeout is None:
        o.timeout = 0 if o.tty else 600
    if o.log:
        o.log = os.path.realpath(o.log)
    if not re.fullmatch(r"[\w-]+", o.driver):
        p.error("--driver takes a module's name")
    return o


def main(argv):
    options = parse(argv)
    machine = Machine(options)

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
        say("the time is up: the machine was ended after %g s" % options.timeout)
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
        say("the kernel found fault with itself:\n" + text)
        status = SPLAT
    elif status is None:
        status = BROKEN
        says = machine.qemu_says()
        say("error: " + (machine.trouble or "the machine ended before the command did"))
        for line in re.findall(r"ferry-vm: .*", machine.console_text()):
            say(line)
        if says:
            say("QEMU says: " + says)
    if status in (TIMEOUT, SPLAT, BROKEN):
        say("console log: " + machine.console)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
