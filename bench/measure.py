# SPDX-License-Identifier: MIT
"""Builds the benchmark programs and runs them, in a virtual machine or on this host."""
import os
import platform
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def die(text, next_step=""):
    say(text)
    if next_step:
        say("next step: " + next_step)
    sys.exit(1)


def call(argv, **kwargs):
    """Run a command; exit if it fails."""
    try:
        return subprocess.run(argv, check=True, **kwargs)
    except FileNotFoundError:
        die(f"{argv[0]}: not found")
    except subprocess.CalledProcessError as err:
        die(f"'{' '.join(argv)}' failed with status {err.returncode}")


def logged(argv, what):
    """Run a command with its output in a file, which is printed if the command fails."""
    with open(os.path.join(TOP, "build", "bench", "build.log"), "a+") as log:
        start = log.tell()
        if subprocess.run(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL).returncode:
            log.seek(start)
            sys.stderr.write(log.read())
            die(what)


def build(release, kdir, prefix=()):
    """Build the programs, and the helper module for a kernel. Return the module's directory."""
    say(f"building the programs, and the helper module for {release}")
    stage = os.path.join(TOP, "build", "module", release + "-bench")
    os.makedirs(stage, exist_ok=True)
    os.makedirs(os.path.join(TOP, "build", "bench"), exist_ok=True)
    for name in ("Kbuild", "ferry_bench.c"):
        shutil.copy2(os.path.join(TOP, "bench", "kmod", name), stage)
    logged(["make", "-C", os.path.join(TOP, "bench")],
           "the programs do not build: gcc, make, pkg-config and libdrm-dev are needed")
    logged([*prefix, "make", "-C", kdir, "M=" + stage, "modules"],
           f"the helper module does not build: are the headers of {release} in {kdir}?")
    return stage


def inside(args, kmod):
    argv = [os.path.join(TOP, "bench", "inside.sh"), "-b", os.path.join(TOP, "build", "bench"),
            "-k", kmod, "-r", str(args.rounds)]
    if args.pci:
        argv += ["-p", args.pci]
    if args.rows:
        argv += ["-R", args.rows]
    return argv


# ---- in a virtual machine ----

def vm_tool(*argv):
    """Run a script of vm/ and return the last line that it prints."""
    out = call([os.path.join(TOP, argv[0]), *argv[1:]], stdout=subprocess.PIPE, text=True).stdout
    return out.strip().splitlines()[-1] if out.strip() else ""


def build_for_vm(version):
    vm_tool("scripts/setup", "vm")
    kernel = vm_tool("vm/kernel", version)
    with open(os.path.join(kernel, "release")) as f:
        release = f.read().strip()
    prefix, kdir = [], os.path.join(kernel, "kdir")
    vm_tool("scripts/setup", "module")
    if version == "7.x":    # in a chroot, whose compiler is newer than the host's
        prefix, kdir = vm_tool("vm/chroot", release).split(), f"/lib/modules/{release}/build"
    for package in ("libdrm-dev", "gnuplot-nox"):
        vm_tool("scripts/setup", "--package", package)
    return build(release, kdir, prefix)


def run_in_vm(args, samples):
    kmod = build_for_vm(args.kernel)
    argv = [os.path.join(TOP, "vm", "run"), "--kernel", args.kernel, "--device", args.device,
            "--driver", "none", "--load-image", "--timeout", str(args.timeout), "--accel", args.accel,
            # allocate the guest's memory before it starts: else its first use is measured too
            "--qemu=-mem-prealloc"]
    if args.icount:
        argv += ["--icount", "--cpus", "1"]
    if args.append:
        argv += ["--append", args.append]
    call(argv + ["--", *inside(args, kmod)], stdout=samples)


def qemu_version():
    done = call(["qemu-system-x86_64", "--version"], capture_output=True, text=True)
    return done.stdout.splitlines()[0]


# ---- on the host ----

def is_display(device):
    """True for the device that inside.sh takes when none is named."""
    ids = []
    for name in ("vendor", "device"):
        with open(f"/sys/bus/pci/devices/{device}/{name}") as f:
            ids.append(int(f.read(), 16))
    return ids == [0x1234, 0x1111]


def check_host(args, release, kdir):
    """Report what is missing before anything is changed."""
    if os.geteuid():
        die("--host binds and unbinds drivers", "run it as root")
    path = "/sys/bus/pci/devices"
    devices = os.listdir(path) if os.path.isdir(path) else []
    if args.pci and args.pci not in devices:
        die(f"there is no PCI device {args.pci} here", "lspci -D lists the devices")
    if not args.pci and not any(is_display(d) for d in devices):
        die("there is no PCI device 1234:1111 here",
            "name a device that ferry drives with --pci, or leave out --host to measure in a virtual machine")
    known = subprocess.run(["modprobe", "--dry-run", "--quiet", "ferry"])
    if known.returncode and not os.path.isdir("/sys/module/ferry"):
        die(f"the module ferry is not installed for {release}", "make install, or make dkms")
    if not args.no_build and not os.path.isdir(kdir):
        die(f"the helper module cannot be built: there are no headers of {release} in {kdir}",
            "install them (linux-headers), or name a directory with --kdir")


def run_on_host(args, samples):
    release = platform.release()
    kdir = args.kdir or f"/lib/modules/{release}/build"
    kmod = os.path.join(TOP, "build", "module", release + "-bench")
    check_host(args, release, kdir)
    if not args.no_build:
        build(release, kdir)
    call(inside(args, kmod), stdout=samples)


def source():
    """The version of the sources, if git knows it."""
    try:
        done = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                              capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
