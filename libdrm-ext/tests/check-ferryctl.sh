#!/bin/bash
# SPDX-License-Identifier: MIT
# Run ferryctl on copies of files of sysfs, procfs and debugfs, without a device: its errors,
# its exit statuses, its JSON, its manual page and its completion.
#
# usage: check-ferryctl.sh FERRYCTL COMPLETION
set -u

ferryctl=$(readlink -f "$1")
completion=$(readlink -f "$2")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

fail()
{
	echo "FAIL: $*"
	exit 1
}

# run STATUS ARGUMENT...
run()
{
	local expected=$1 status=0

	shift
	"$ferryctl" "$@" > out 2> err < /dev/null || status=$?
	[ $status = "$expected" ] || fail "ferryctl $* ended with $status, not $expected: $(cat out err)"
}

# error REGEX [NEXT] - one line with the reason, and one with the next step
error()
{
	[ "$(grep -c '^ferryctl: ' err)" = 1 ] || fail "not one line: $(cat err)"
	grep -Eq "^ferryctl: .*$1" err || fail "no '$1': $(cat err)"
	[ -z "${2:-}" ] || grep -Eq "^  next step: .*$2" err || fail "no next step '$2': $(cat err)"
}

prints()
{
	local regex
	for regex; do
		grep -Eq -- "$regex" out || fail "no '$regex': $(cat out)"
	done
}

holds() # an expression of Python, in which j is the output
{
	python3 -c 'import json, sys; j = json.load(sys.stdin); sys.exit(not eval(sys.argv[1]))' "$1" < out ||
		fail "not $1: $(cat out)"
}

# machine DIR - make the files of a machine with a display that ferry drives.
machine()
{
	local dev=$1/sys/bus/pci/devices/0000:00:04.0
	mkdir -p "$dev/drm/card0" "$dev/drm/renderD128" "$1/sys/bus/pci/drivers/ferry" "$1/sys/module/ferry" \
		"$1/proc/sys/kernel" "$1/dev/dri" "$1/sys/kernel/debug/dri/0" "$1/lib/modules/6.12.1"
	ln -s ../../drivers/ferry "$dev/driver"
	"$ferryctl" --version | cut -d' ' -f2 > "$1/sys/module/ferry/version"
	echo 0x1234 > "$dev/vendor"
	echo 0x1111 > "$dev/device"
	echo 0x030000 > "$dev/class"
	echo '(null)' > "$dev/driver_override"
	echo '0x00000000fd000000 0x00000000fdffffff 0x0000000000042208' > "$dev/resource"
	echo 6.12.1 > "$1/proc/sys/kernel/osrelease"
	echo 'quiet ro' > "$1/proc/cmdline"
	echo 'flags : fpu pat clflush' > "$1/proc/cpuinfo"
	touch "$1/dev/dri/renderD128" "$1/dev/dri/card0"
	chmod 666 "$1/dev/dri/renderD128"
	cat > "$1/sys/kernel/debug/dri/0/ferry_aperture" <<- 'END'
		bar 0
		base 0x00000000fd000000
		size 16777216
		free 12582912
		preferred write-combining
		requested write-combining
		effective write-combining
	END
	cat > "$1/sys/kernel/debug/dri/0/ferry_bos" <<- 'END'
		bo 0x100000000 size 2097152 huge 2097152 placement aperture allowed 0x3 caching cached flags 0x1 handles 1 pinned 1 madv 0 blocks 0x200000+0x200000
		busy bo 0x100200000 size 4096 handles 1
		bo 0x100201000 size 2097152 huge 0 placement aperture allowed 0x2 caching wc flags 0x0 handles 1 pinned 0 madv 1 blocks 0x0+0x100000,0xf00000+0x100000
		bo 0x100401000 size 8192 huge 0 placement system allowed 0x3 caching cached flags 0x0 handles 0 pinned 0 madv 2 blocks 
	END
}

# Arguments
run 2
prints '^usage: ferryctl COMMAND' '^  doctor ' '^  6  doctor or audit found a problem'
run 0 --version
prints '^ferryctl [0-9]+\.[0-9]+\.[0-9]+$'
run 2 lst
error "there is no command 'lst'" 'ferryctl help'
run 2 list --frobnicate
error "list: there is no option '--frobnicate'" 'ferryctl help list'
run 2 list x
error "list: there is no use for 'x'"
run 2 list --all=yes
error 'this option has no value'
run 2 map --output
error "a value is missing after '--output'"
run 2 top --interval soon
error "--interval needs a number from 0.1 to 3600, and not 'soon'"
run 2 top -n 0
error '--count needs a number'
run 2 trace --bo first
error "'first' is not a BO"
run 2 list --root "$tmp/none"
error 'there is no directory'
for command in $("$ferryctl" help | sed -n '/^commands:/,/^$/ s/^  \([a-z]*\) .*/\1/p'); do
	run 0 help "$command"
	prints "^usage: ferryctl $command " '^  -j, --json$'
	cp out help
	run 0 "$command" --help
	cmp -s out help || fail "$command --help is not help $command"
	[ "$(wc -L < out)" -le 80 ] || fail "help $command has lines of more than 80 columns"
done

# No device, and wrong ones
mkdir -p empty/sys/bus/pci/devices
run 3 list --root empty
error 'there is no device that ferry knows' 'list --all'
run 3 bos --root empty
error 'there is no device that ferry drives' 'ferryctl doctor'
run 3 audit --root=empty 00:04.0
error "there is no device '00:04.0'"
machine m
run 3 map 0000:00:05.0 --root m
error "there is no device '0000:00:05.0'"
for command in bind unbind default trace bench; do
	run 2 "$command" 00:04.0 --root m
	error 'of this machine|other device|that ferry' 'leave out --root'
done
# Another user may not be able to read this directory.
if [ "$(id -u)" = 0 ] && ! setpriv --reuid 65534 --clear-groups "$ferryctl" --version > /dev/null 2>&1; then
	echo "not tested: bind without root, as other users cannot run $ferryctl"
elif [ "$(id -u)" = 0 ]; then
	setpriv --reuid 65534 --clear-groups "$ferryctl" bind 00:04.0 > out 2> err
	[ $? = 4 ] || fail "bind without root: $(cat err)"
	error 'only root may hand over a device' 'sudo'
else
	run 4 bind 00:04.0
	error 'only root may hand over a device' 'sudo'
fi

# Files of a machine
run 0 list --root m
prints '^0000:00:04.0  1234:1111  QEMU display' 'driver +ferry$' 'BAR 0 at 0xfd000000, 16 MiB, 12 MiB free'
run 0 list --root m --json
holds 'j[0]["aperture"]["free"] == 12 << 20 and j[0]["card"] == 0 and j[0]["aperture"]["reason"] is None'
run 3 bos 0:4.0 --root m
error "there is no device '0:4.0'"
run 0 bos card0 --root m --json
holds '[b["busy"] for b in j] == [False, True, False, False]'
holds 'j[2]["pieces"] == 2 and j[2]["contents"] == "not needed" and j[3]["contents"] == "purged"'
run 0 bos /dev/dri/renderD128 --root m
prints 'busy' 'pinned, contiguous' 'aperture-only, not needed' 'purged, no handle' '^4 BOs, '
run 0 map --root m --json
holds 'sum(b["size"] for o in j["bos"] for b in o["blocks"]) == j["size"] - j["free"]'
run 0 map --root m -o map.svg
python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("map.svg")' || fail "map.svg is no XML"
run 0 map --root m -o map.png
python3 - <<- 'END' || fail "map.png is no picture of the aperture"
	import struct, zlib
	data = open("map.png", "rb").read()
	width, height = struct.unpack(">II", data[16:24])
	size = struct.unpack(">I", data[33:37])[0]
	raw, rows = zlib.decompress(data[41:41 + size]), []
	for y in range(height):
	    row = raw[y * (1 + 3 * width):(y + 1) * (1 + 3 * width)]
	    pixels, pixel = [], (0, 0, 0)
	    for x in range(width):
	        pixel = tuple((a + b) % 256 for a, b in zip(pixel, row[1 + 3 * x:4 + 3 * x]))
	        pixels.append(pixel)
	    rows.append(pixels)
	# The first two rows are one BO, 4 to 7 another, and 8 to 29 are free.
	at = lambda row: rows[64 + row * 26 + 11][120 + 512]
	assert at(0) == at(1) and at(4) == at(7) and at(0) != at(4), (at(0), at(4))
	assert at(2) == at(8) == at(29) == (0xe8, 0xe8, 0xe8), at(8)
END
run 1 map --root m -o none/map.png
error 'none/map.png cannot be written' 'name another file'
[ ! -w /dev/full ] || {
	"$ferryctl" map --root m > /dev/full 2> err
	[ $? = 1 ] || fail "a full disk is no error"
	error 'cannot be written'
	"$ferryctl" list --root m > /dev/full 2> err
	[ $? = 1 ] || fail "a full disk is no error of list"
	error 'could not be written'
}
echo 'disagreement at 0x7f0000000000: bo 0x100000000 page 0 pfn 0x1 should be 0x2, user write-back, tracked write-combining, kernel write-combining
aperture requested write-combining effective write-combining tracked write-combining kernel write-combining
mappings 1 entries 1 pages 512 disagreements 1 busy 0' > m/sys/kernel/debug/dri/0/ferry_caching
run 6 audit --root m
prints '1 pages differ' 'page 0 pfn 0x1 should be 0x2'
error 'this is an error of the driver' 'report it'
run 6 audit --root m --json
holds 'j["disagreements"] == 1 and j["pages"] == 512'
echo nonsense > m/sys/kernel/debug/dri/0/ferry_caching
run 1 audit --root m
error 'has another format'
mv m/sys/kernel/debug/dri m/dri
for command in bos map top audit; do
	run 1 $command --root m
	error 'debugfs is not mounted' 'mount -t debugfs'
done
mv m/dri m/sys/kernel/debug/dri

# doctor: a machine without problems, then each problem
check() # LEVEL CHECK [NEXT]: there is such a line
{
	holds "[c for c in j if c['level'] == '$1' and c['check'] == '$2' and '${3:-}' in (c['next_step'] or '')]"
}
run 0 doctor --root m
prints '^problems: 0, '
problem() # CHECK NEXT COMMAND... - the machine has this problem after the command
{
	local check=$1 next=$2

	shift 2
	rm -rf p
	machine p
	(cd p && "$@")
	run 6 doctor --root p --json
	check problem "$check" "$next"
}
dev=sys/bus/pci/devices/0000:00:04.0
problem kernel linux-image-6.12 sh -c 'echo 6.1.0-42-amd64 > proc/sys/kernel/osrelease'
problem kernel nomodeset sh -c 'echo ro nomodeset > proc/cmdline'
problem PAT nopat sh -c 'echo ro nopat quiet > proc/cmdline'
problem PAT 'cpu host' sh -c 'echo "flags : fpu" > proc/cpuinfo'
problem module 'make dkms' rm -r sys/module/ferry
problem module 'install linux-headers-6.12.1, then install the package ferry-dkms' rm -r sys/module/ferry
problem module 'install linux-headers-6.12.1, and DKMS builds the module' sh -c 'rm -r sys/module/ferry; mkdir -p var/lib/dkms/ferry'
problem module 'dkms autoinstall; if it fails' sh -c 'rm -r sys/module/ferry; mkdir -p var/lib/dkms/ferry lib/modules/6.12.1/build
	touch lib/modules/6.12.1/build/Makefile'
problem module 'boot a newer kernel' sh -c 'rm -r sys/module/ferry; echo 6.1.0-42-amd64 > proc/sys/kernel/osrelease'
problem module 'install the package ferry-dkms' sh -c 'rm -r sys/module/ferry; mkdir -p lib/modules/6.12.1/build
	touch lib/modules/6.12.1/build/Makefile'
problem module 'modprobe ferry' sh -c 'rm -r sys/module/ferry; echo updates/ferry.ko: > lib/modules/6.12.1/modules.dep'
problem 'secure boot' mokutil sh -c 'rm -r sys/module/ferry; mkdir -p sys/firmware/efi/efivars
	printf "\6\0\0\0\1" > sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'
problem device 'ferryctl list --all' rm -r $dev
problem 0000:00:04.0 'ferryctl bind 0000:00:04.0' rm $dev/driver
problem 0000:00:04.0 'hands it to ferry' ln -sfn ../../drivers/bochs-drm $dev/driver
problem 0000:00:04.0 'kernel log' rm -r $dev/drm
problem 0000:00:04.0 udevadm rm dev/dri/renderD128
problem 0000:00:04.0 '1 MiB' sh -c "rm $dev/driver; echo 0xfd000000 0xfd00ffff 0x42208 > $dev/resource"
problem 0000:00:04.0 'Above 4G Decoding' sh -c "rm $dev/driver; echo 0 0 0 > $dev/resource"
problem 0000:00:04.0 'unload the driver' sh -c "rm $dev/driver; echo 'c0000000-febfffff : PCI Bus 0000:00
  fd000000-fdffffff : 0000:00:04.0
    fd000000-fd7fffff : thief' > proc/iomem"
grep -q "claimed by 'thief'" out || fail "the claim has no name: $(cat out)"
rm -rf p
machine p
echo 0.9.0 > p/sys/module/ferry/version
run 0 doctor --root p --json
check warning module 'same release'
rm -rf p
machine p
sed -i 's/^effective .*/effective uncached-minus\nreason something else mapped the BAR first/' p/sys/kernel/debug/dri/0/ferry_aperture
run 0 doctor --root p --json
check warning 0000:00:04.0 pat_memtype_list
rm -rf p
machine p
rm p/$dev/driver
mkdir -p p/sys/module/ferry/parameters
echo 0x1af4 > p/$dev/vendor
echo 0x1110 > p/$dev/device
echo > p/sys/module/ferry/parameters/ivshmem
run 0 doctor --root p --json
check warning 0000:00:04.0 'ferryctl bind'

# Colours only on a terminal, and not with NO_COLOR
python3 - "$ferryctl" <<- 'END' || fail "colours"
	import os, pty, sys
	def output(**more):
	    pid, fd = pty.fork()
	    if not pid:
	        os.execve(sys.argv[1], [sys.argv[1], "list", "--root", "m"], {"TERM": "xterm", **more})
	    text = b""
	    try:
	        while True:
	            text += os.read(fd, 4096)
	    except OSError:
	        pass
	    os.waitpid(pid, 0)
	    return text
	assert b"\033[1m0000:00:04.0" in output(), output()
	assert b"\033" not in output(NO_COLOR="1")
	assert b"\033" not in output(TERM="dumb")
END
run 0 list --root m
! grep -q $'\033' out || fail "colours in a file"

# The manual page describes every command and option; the completion offers them.
run 0 help --man
prints '^\.TH FERRYCTL 1 ' '^\.SH EXIT STATUS'
for command in $("$ferryctl" help | sed -n '/^commands:/,/^$/ s/^  \([a-z]*\) .*/\1/p'); do
	prints "^\\.SS ferryctl $command"
done
if command -v groff > /dev/null; then
	[ -z "$(groff -man -ww -Tutf8 out 2>&1 > /dev/null)" ] || fail "groff complains"
fi
# shellcheck source=/dev/null
. "$completion"
mkdir bin
ln -s "$ferryctl" bin/ferryctl
PATH=$tmp/bin:$PATH
COMP_WORDS=(ferryctl "do") COMP_CWORD=1
_ferryctl
[ "${COMPREPLY[*]}" = doctor ] || fail "completion of 'do': ${COMPREPLY[*]}"
COMP_WORDS=(ferryctl trace --m) COMP_CWORD=2
_ferryctl
[ "${COMPREPLY[*]}" = --moves ] || fail "completion of 'trace --m': ${COMPREPLY[*]}"
echo "ferryctl works without a device"
