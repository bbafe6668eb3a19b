# SPDX-License-Identifier: MIT
"""The virtual machine that a command runs in, and its devices."""

import hashlib
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import termios
import time
import tty

from qemu import QEMU, TOP, VMDIR, Qemu, Trouble, boot_args, choose_accel, firmware_args, say

KEEP_RUNS = 20

# The root images, and the commands that make them.
IMAGES = {"tests": "vm/image", "desktops": "vm/desktop-image"}

# What Linux logs when only the devices remain to be suspended, and after it resumed.
FROZEN, AWAKE = "Freezing remaining freezable tasks completed", "PM: suspend exit"

# The serial ports of a virtual machine with --sleep, besides that of the console.
SERIAL = {"ctl": "index=1,irq=3", "out": "index=2,irq=6", "err": "index=3,irq=7"}


def output_of(*command):
    """Run a script of the project and return the last line that it prints."""
    p = subprocess.run([os.path.join(TOP, command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, text=True)
    if p.returncode:
        raise Trouble("%s failed" % " ".join(command))
    return p.stdout.strip().splitlines()[-1] if p.stdout.strip() else ""


class Device:
    """A device of --device. The n-th has the id dN, counted from d0."""

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
            # The root bus does not support hotplug: add the device to a root port.
            self.backend += ["-device", "pcie-root-port,id=port%d,chassis=%d,slot=%d,addr=0x%x" % (
                number, number, number, 0x10 + number)]
            self.ram = "0000:00:%02x.0:00.0/" % (0x10 + number)
            given.append("bus=port%d" % number)
        if not any(o.startswith("id=") for o in given):
            given.insert(0, "id=d%d" % number)
        if options.sleep:
            # SeaBIOS runs the option ROM on resume from S3, and with Linux 7.3 does not return.
            given.append("romfile=")
        self.properties = {"driver": model, **dict(o.split("=", 1) for o in given if "=" in o)}
        self.id = self.properties["id"]
        self.args = [*self.backend, "-device", ",".join([model, *given])]

    def lose_memory(self):
        """Overwrite the device memory, as real memory loses its contents without power."""
        if self.memory:
            with open(self.memory, "r+b") as f:
                size = os.fstat(f.fileno()).st_size
                for _ in range(0, size, 1 << 20):
                    f.write(b"\xdb" * min(1 << 20, size))


def new_run_directory():
    """Make a directory for this run, and remove those of the oldest runs."""
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
        raise Trouble("--swap requires a size such as 512M or 2G")
    with open(path, "wb") as f:
        f.truncate(int(size[:-1]) << {"M": 20, "G": 30}[size[-1]])
    return ["-drive", "if=none,id=swap,format=raw,cache=unsafe,file=" + path.replace(",", ",,"),
            "-device", "virtio-blk-pci,drive=swap,serial=swap"]


class VirtualMachine:
    """The virtual machine that COMMAND runs in."""

    def __init__(self, options):
        self.o = options
        self.status = None
        self.trouble = None
        self.requests = b""
        self.saved_tty = None
        self.wake_after = None
        self.wake_at = None
        self.woken = 0
        self.panicked = False

    def prepare(self):
        o = self.o
        output_of("scripts/setup", "vm", *(["uefi"] if o.uefi else []))
        self.program = output_of("vm/emulator") if o.parallel else QEMU
        kernel = output_of("vm/kernel", o.kernel)
        image = output_of(IMAGES[o.image])
        images = [image, os.path.join(kernel, "modules.erofs")]
        if o.driver == "ferry" or o.load_image:
            images.append(output_of("vm/module-image", o.kernel))
        accel = "tcg" if o.icount else choose_accel(o.accel, kernel)
        self.announce(kernel, accel)
        self.directory = new_run_directory()
        self.console = o.log or os.path.join(self.directory, "console.log")
        open(self.console, "w").close()
        link = self.directory + ".link"
        os.symlink(self.directory, link)
        os.replace(link, os.path.join(VMDIR, "latest"))
        self.write_job()
        # The stock driver bochs binds to the same PCI id.
        append = "modprobe.blacklist=bochs " if o.driver == "ferry" else ""
        append += "vm.sleep " if o.sleep else ""
        # Time to take the picture of a panic
        append += "panic=600 " if o.screenshot else ""
        specs = [d for d in o.device or ["bochs-display"] if d != "none"]
        # Memory of this virtual machine only, unless the user passes another value.
        if any(s.startswith("ivshmem") for s in specs) and "ferry.ivshmem=" not in o.append:
            append += "ferry.ivshmem=memory "
        self.devices = [Device(n, spec, self.directory, o) for n, spec in enumerate(specs)]
        args = boot_args(kernel, accel, o.memory, o.cpus, o.icount, append + o.append, self.program)
        args += firmware_args(self.directory) if o.uefi else []
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
        qemu = Qemu(self.arguments, self.console, self.program)
        qemu.args += ["-device", "virtio-serial-pci"]
        for port in ("ctl", "out", "err"):
            qemu.socket(port)
            # virtio ports stay closed after a resume with Linux 7.3: the driver queries
            # their state before it gives the host buffers for the answer.
            model = "isa-serial," + SERIAL[port] if self.o.sleep else "virtserialport,name=" + port
            qemu.args += ["-device", "%s,chardev=%s" % (model, port)]
        if self.o.tty:
            qemu.socket("tty")
            qemu.args += ["-device", "virtconsole,chardev=tty,name=tty"]
        qemu.args += self.o.qemu
        self.qemu = qemu

    def announce(self, kernel, accel):
        """Say on a terminal that the virtual machine boots, which takes some seconds."""
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

    def picture_of_panic(self):
        """If the kernel has panicked, take the picture that --screenshot asks for, and end the virtual machine."""
        if not self.panicked and re.search(r"Rebooting in \d+ seconds|end Kernel panic", self.console_text()):
            self.panicked = True
            self.screenshot(self.o.screenshot)
            self.qemu.qmp("quit")

    def serve(self, request):
        """Handle a request of the guest from the ctl port, and return the answer."""
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

    def is_removed(self, device):
        """Return whether QEMU has removed a device that the guest released, and its memory, which takes longer."""
        if any(o["name"] == device.id for o in self.qemu.qmp("qom-list", path="/machine/peripheral")):
            return False
        return device.ram not in self.qemu.qmp("human-monitor-command", **{"command-line": "info ramblock"})

    def plug(self, present, name):
        """Plug a device in, or request the guest to release it."""
        device = next((d for d in self.devices if d.id == name), None)
        if not device or not device.ram:
            raise Trouble("no device '%s' can be unplugged" % name)
        if not present:
            self.qemu.qmp("device_del", id=name)
            return
        # QEMU aborts if memory of the same name exists. It never removes that of bochs-display (7.2).
        for _ in range(200):
            if self.is_removed(device):
                self.qemu.qmp("device_add", **device.properties)
                return
            time.sleep(0.05)
        raise Trouble("QEMU did not remove '%s'" % name)

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

    def write(self, fd, data):
        """Write what COMMAND wrote to its stdout or stderr."""
        write_all(fd, data)

    def loop(self):
        """Forward data until QEMU has ended and all its output has been read."""
        sockets = self.qemu.sockets
        sources = {sockets["ctl"]: self.control, sockets["qmp"]: self.qemu.qmp_received}
        sources[sockets["out"]] = lambda data: self.write(1, data)
        sources[sockets["err"]] = lambda data: self.write(2, data)
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
                if self.o.screenshot and not gone:
                    self.picture_of_panic()
                if "KVM internal error" in self.qemu_says():
                    raise Trouble("guests crash on this host's KVM; use --accel tcg. QEMU says: " + self.qemu_says())
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
        """Clear the memory of the devices when the guest suspends to memory, as power-off does to real ones."""
        events = self.qemu.events
        while events:
            event = events.pop(0)
            if event == "SUSPEND":
                for device in self.devices:
                    device.lose_memory()

    def is_hibernated(self):
        """Return whether the swap disk has a hibernation image, by the signature that the guest checks at boot."""
        if not (self.o.sleep and self.o.swap):
            return False
        with open(os.path.join(self.directory, "swap"), "rb") as f:
            return f.read(4096)[4086:] == b"S1SUSPEND\0"

    def wake(self):
        """If the guest has requested it, press a key until the guest resumes. Its emulated clock does not wake it from idle."""
        if self.wake_after is None:
            return
        text = self.console_text()
        if text.count(AWAKE) > self.woken:
            self.wake_after = None
        elif self.wake_at is None:
            # A key that is pressed while the devices are being suspended would abort the suspend.
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
            self.remove_large_files()

    def remove_large_files(self):
        """Remove the swap disk and device memory. The logs stay."""
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
