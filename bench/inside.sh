#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the benchmarks where the device is: in the virtual machine, or on a real one.
# bench/run starts it and evaluates what it prints.
#
#   inside.sh [-p PCI] [-r ROUNDS] [-b BIN_DIR] [-k KMOD_DIR] [-R ROWS]
#
# Each round binds the device to ferry, to stock bochs and to no driver in turn, in a
# different order each time, and takes one sample of each subject of each row. Round 0
# warms up and does not count. Samples are lines "round=N ... key=value" on stdout,
# progress goes to stderr. At the end the device is bound to its first driver again.
#
set -u

pci=
rounds=12
bin=$(dirname "$0")
kmod=$bin
rows="touch-aperture touch-4k touch-system remap-after-move cost-per-page migrate evict cycle share display copy"
while getopts p:r:b:k:R: opt; do
	case $opt in
	p) pci=$OPTARG ;;
	r) rounds=$OPTARG ;;
	b) bin=$OPTARG ;;
	k) kmod=$OPTARG ;;
	R) rows=$OPTARG ;;
	*) exit 2 ;;
	esac
done

touch_size=$((32 << 20))
cost_sizes="$((4 << 10)) $((16 << 10)) $((64 << 10)) $((256 << 10)) $((1 << 20))
	$((2 << 20)) $((4 << 20)) $((8 << 20)) $((32 << 20))" # and the whole aperture
migrate_sizes="$((4 << 10)) $((64 << 10)) $((1 << 20)) $((32 << 20))"
display_modes="1280x800 1920x1080"
cycle_sizes="$((4 << 10)) $((64 << 10)) $((1 << 20)) $((8 << 20))"

fail() { echo "bench: $*" >&2; exit 1; }
say() { echo "bench: $*" >&2; }
wants() { case " $rows " in *" $1 "*) return 0 ;; esac; return 1; }

# The first display device with QEMU's id, unless one is named.
if [ -z "$pci" ]; then
	for dev in /sys/bus/pci/devices/*; do
		[ "$(cat "$dev/vendor")$(cat "$dev/device")" = 0x12340x1111 ] || continue
		pci=${dev##*/}
		break
	done
fi
[ -n "$pci" ] || fail "no PCI device 1234:1111 here; name one with --pci"
dev=/sys/bus/pci/devices/$pci
[ -d "$dev" ] || fail "no PCI device $pci"

[ -d /sys/kernel/tracing/events ] || mount -t tracefs none /sys/kernel/tracing 2>/dev/null
[ -d /sys/kernel/debug/dri ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null

# The memory BAR: the largest prefetchable one.
bar=-1
bar_size=0
n=0
while read -r start end flags; do
	[ "$n" -lt 6 ] || break
	size=$((end - start + 1))
	if [ $((flags & 0x2200)) -eq $((0x2200)) ] && [ "$size" -gt "$bar_size" ]; then
		bar=$n bar_size=$size bar_start=$start
	fi
	n=$((n + 1))
done <"$dev/resource"
[ "$bar" -ge 0 ] || fail "$pci has no prefetchable memory BAR"

# The effective memory type of the BAR, as PAT tracks it: write-combining, uncached-minus, ...
effective_memtype() {
	want=$(printf '0x%016x' "$bar_start")
	[ -r /sys/kernel/debug/x86/pat_memtype_list ] || { echo unknown; return; }
	sed -n "s/.*\[mem $want-[^]]*\] //p" /sys/kernel/debug/x86/pat_memtype_list | sort -u | paste -sd+ | sed 's/^$/none/'
}

driver() {
	[ -e "$dev/driver" ] || { echo none; return; }
	basename "$(readlink "$dev/driver")"
}

unbind() {
	# Text consoles hold the framebuffer device of the driver that is bound.
	for con in /sys/class/vtconsole/vtcon*; do
		grep -q 'frame buffer' "$con/name" 2>/dev/null && echo 0 >"$con/bind"
	done
	echo none >"$dev/driver_override"
	[ "$(driver)" = none ] || echo "$pci" >"$dev/driver/unbind" || fail "cannot unbind $pci"
}

bind() { # module, driver
	modprobe "$1" 2>/dev/null || [ -d "/sys/module/$1" ] || return 1
	echo "$2" >"$dev/driver_override"
	echo "$pci" >/sys/bus/pci/drivers_probe
	[ "$(driver)" = "$2" ]
}

node() { # card or renderD
	set -- "$dev"/drm/"$1"*
	[ -e "$1" ] && echo "/dev/dri/${1##*/}"
}

# Run one program and print its samples, or the reason why there are none.
sample() { # row, subject, size, program...
	row=$1 subject=$2 size=$3
	shift 3
	if out=$("$@" 2>"$tmp/err"); then
		echo "$out" | while read -r line; do
			echo "round=$round $line${memtype:+ memtype=$memtype}"
		done
	else
		echo "round=$round id=$row subject=$subject size=$size" \
			"skipped=$(tail -n 1 "$tmp/err" | tr ' ' '_')"
	fi
}

skip() { # row, subject, size, reason
	echo "round=$round id=$1 subject=$2 size=$3 skipped=$(echo "$4" | tr ' ' '_')"
}

skip_migrate() { # subject, reason
	for size in $migrate_sizes; do
		skip migrate-to-aperture "$1" "$size" "$2"
		skip migrate-to-system "$1" "$size" "$2"
	done
}

# First touch: row, subject, path, and the start of the BAR if it is accessed.
touch() {
	wants "$1" || return
	memtype=
	sample "$1" "$2" $touch_size "$bin/bench-touch" "$1" "$2" "$3" $touch_size ${4:+"$4"}
}

remap() { # subject, path
	wants remap-after-move || return
	memtype=
	sample remap-after-move "$1" $touch_size \
		"$bin/bench-touch" remap-after-move "$1" "$2" $touch_size "$bar_start" "$bar_size"
}

cost() { # subject, path
	wants cost-per-page || return
	memtype=
	for size in $cost_sizes $bar_size; do
		[ "$size" -le "$bar_size" ] || continue
		sample cost-per-page "$1" "$size" "$bin/bench-touch" cost-per-page "$1" "$2" "$size" "$bar_start"
	done
}

# Create, map, write, unmap, close
cycle() { # subject, path
	wants cycle || return
	memtype=
	for size in $cycle_sizes; do
		sample bo-cycle "$1" "$size" "$bin/bench-cycle" "$1" "$2" "$size"
	done
}

skip_cycle() { # subject, reason
	wants cycle || return
	for size in $cycle_sizes; do
		skip bo-cycle "$1" "$size" "$2"
	done
}

# Weston and a client: subject, node of the display
compositor() {
	if ! command -v weston-presentation-shm >/dev/null; then
		skip compositor "$1" 0 "there is no weston-presentation-shm here"
		return
	fi
	mkdir -p "$tmp/run" "$tmp/home"
	printf '[core]\nidle-time=0\n[output]\nname=Virtual-1\nmode=%s\n[shell]\npanel-position=none\n' \
		"${display_modes%% *}" >"$tmp/home/weston.ini"
	tty=
	weston --help | grep -q -e --tty && tty=--tty=1
	export XDG_RUNTIME_DIR="$tmp/run" WAYLAND_DISPLAY=bench XDG_CONFIG_HOME="$tmp/home"
	# shellcheck disable=SC2086  # no argument if it is empty
	LIBSEAT_BACKEND=builtin weston $tty --backend=drm-backend.so --use-pixman --continue-without-input \
		--drm-device="${2##*/}" --socket=bench >"$tmp/weston.log" 2>&1 &
	weston=$!
	for _ in $(seq 100); do
		[ -S "$tmp/run/bench" ] && break
		sleep 0.2
	done
	sample compositor "$1" 0 "$bin/bench-compositor" "$1" weston-presentation-shm -f
	kill $weston 2>/dev/null
	wait $weston
}

# Frames and lines of text on the screen
display() { # subject, path
	wants display || return
	memtype=
	for mode in $display_modes; do
		sample flip "$1" 0 "$bin/bench-frames" flip "$1" "$2" "$mode"
	done
	for square in 64 0; do
		sample damage "$1" 0 "$bin/bench-frames" damage "$1" "$2" "${display_modes%% *}" $square
	done
	for row in cursor pacing; do
		sample $row "$1" 0 "$bin/bench-frames" $row "$1" "$2" "${display_modes%% *}"
	done
	compositor "$1" "$2"
	# The console takes the display over with the first output.
	sample scroll "$1" 0 "$bin/bench-frames" scroll "$1" /dev/tty1 1000
}

skip_display() { # subject, reason
	wants display || return
	for row in flip damage cursor pacing compositor scroll; do
		skip $row "$1" 0 "$2"
	done
}

# Export, import, map and read: subject, node of the exporter, node of the importer
share() {
	wants share || return
	memtype=
	sample share "$1" $touch_size "$bin/bench-share" "$1" "$2" "$3" $touch_size
}

# Programs that use the library: node
library_rows() {
	memtype=
	wants cycle && for subject in ferry-library ferry-uncleared; do
		for size in $cycle_sizes; do
			sample bo-cycle "$subject" "$size" "$bin/bench-library" "$subject" "$1" "$size"
		done
	done
	wants copy || return
	memtype=$(effective_memtype)
	sample copy-to-aperture ferry-library $((1 << 20)) "$bin/bench-library" copy "$1" $((1 << 20))
}

skip_all() { # subject, reason
	for row in touch-aperture touch-4k remap-after-move; do
		wants $row && skip $row "$1" $touch_size "$2"
	done
	wants migrate && skip_migrate "$1" "$2"
	skip_cycle "$1" "$2"
	skip_display "$1" "$2"
	wants share && skip share "$1" $touch_size "$2"
}

with_ferry() {
	if ! bind ferry ferry; then
		skip_all ferry "ferry does not bind"
		return
	fi
	path=$(node renderD || node card)
	for row in touch-aperture touch-4k; do
		touch $row ferry "$path" "$bar_start"
	done
	touch touch-aperture ferry-populate "$path" "$bar_start"
	touch touch-system ferry "$path"
	remap ferry "$path"
	for subject in ferry ferry-4k; do
		cost $subject "$(node card)"
	done
	if wants migrate; then
		memtype=$(effective_memtype)
		for size in $migrate_sizes; do
			sample migrate ferry "$size" "$bin/bench-migrate" ferry "$path" "$size" "$bar_size"
		done
	fi
	cycle ferry "$path"
	cycle ferry-aperture "$path"
	display ferry "$(node card)"
	share ferry "$path" "$path"
	share ferry-aperture "$path" "$path"
	if wants share && vgem=$(vgem_node); then
		share ferry-vgem "$vgem" "$path"
	fi
	library_rows "$path"
	! wants evict || evict_rows "$path"
}

# More BOs than the aperture holds, asynchronous moves, memory for a BO.
evict_rows() { # path
	memtype=
	for times in 2 4; do
		sample evict-storm ferry $((times * bar_size)) "$bin/bench-evict" storm "$1" $times
	done
	for count in 100 1000 10000 100000; do
		sample evict-scale ferry $count "$bin/bench-evict" scale "$1" $count
	done
	sample out-sync-to-aperture ferry $touch_size "$bin/bench-evict" sync "$1" $touch_size
	sample bo-memory ferry 4096 "$bin/bench-evict" memory "$1"
}

with_bochs() {
	if ! bind bochs bochs-drm; then
		skip_all bochs "bochs does not bind"
		return
	fi
	path=$(node card)
	minor=${path#/dev/dri/card}
	# On newer kernels bochs has shmem buffers and copies the one on the screen to VRAM.
	helper=vram
	[ -e "/sys/kernel/debug/dri/$minor/vram-mm" ] || [ -e "/sys/kernel/debug/dri/$pci/vram-mm" ] || helper=shmem
	for row in touch-aperture touch-4k; do
		touch $row bochs "$path" "$bar_start" | sed "s/\$/ buffers=$helper/"
	done
	if [ $helper = vram ]; then
		remap bochs "$path"
	elif wants remap-after-move; then
		skip remap-after-move bochs $touch_size "on this kernel bochs keeps buffers in system memory only"
	fi
	cycle bochs "$path" | sed "s/\$/ buffers=$helper/"
	display bochs "$path" | sed "s/\$/ buffers=$helper/"
	wants migrate || return
	if [ $helper = shmem ]; then
		skip_migrate bochs "on this kernel bochs keeps buffers in system memory only"
		return
	fi
	memtype=$(effective_memtype)
	for size in $migrate_sizes; do
		if [ "$size" -lt $((1 << 20)) ]; then
			skip migrate-to-aperture bochs "$size" "too small for a framebuffer and bochs pins nothing else"
			skip migrate-to-system bochs "$size" "too small for a framebuffer and bochs pins nothing else"
		else
			sample migrate bochs "$size" "$bin/bench-migrate" bochs "$path" "$size" "$bar_size"
		fi
	done
}

# One in-kernel copy: row, direction, subject, method, size, and "same" or "apart".
kernel_copy() {
	repeat=$(((32 << 20) / $5))
	[ $repeat -lt 5 ] && repeat=5
	[ $repeat -gt 256 ] && repeat=256
	copy=/sys/kernel/debug/ferry_bench/copy
	if (echo "$2 $4 $5 $repeat ${6:-}" >$copy) 2>"$tmp/err"; then
		echo "round=$round id=$1 subject=$3 size=$5 ns=$(cat $copy) moves=$repeat memtype=$memtype"
	else
		skip "$1" "$3" "$5" "$(tail -n 1 "$tmp/err")"
	fi
}

vgem_node() {
	modprobe vgem 2>/dev/null
	set -- /sys/devices/*/vgem/drm/card* # platform or, since 6.14, faux
	[ -e "$1" ] && echo "/dev/dri/${1##*/}"
}

# Peers of touch-system; they need no device.
touch_system_peers() {
	wants touch-system || return
	touch touch-system memfd -
	hugepages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	had_hugepages=$(cat $hugepages)
	echo $((had_hugepages + (touch_size >> 21))) >$hugepages
	touch touch-system memfd-huge -
	echo "$had_hugepages" >$hugepages
	if vgem=$(vgem_node); then
		touch touch-system vgem "$vgem"
	else
		skip touch-system vgem $touch_size "there is no vgem"
	fi
}

# The peer of share; it needs no device.
share_peers() {
	wants share || return
	if vgem=$(vgem_node); then
		share vgem "$vgem" "$vgem"
	else
		skip share vgem $touch_size "there is no vgem"
	fi
}

# Peers of bo-cycle; they need no device.
cycle_peers() {
	wants cycle || return
	cycle anonymous -
	if vgem=$(vgem_node); then
		cycle vgem "$vgem"
	else
		skip_cycle vgem "there is no vgem"
	fi
}

without_driver() {
	echo 1 >"$dev/enable"
	for row in touch-aperture touch-4k; do
		touch $row resource0_wc "$dev/resource${bar}_wc" "$bar_start"
	done
	cost resource0_wc "$dev/resource${bar}_wc"
	echo 0 >"$dev/enable"
	touch_system_peers
	cycle_peers
	wants display && for mode in $display_modes; do
		sample flip draw 0 "$bin/bench-frames" draw draw - "$mode"
	done
	wants display && sample cursor copies 0 "$bin/bench-frames" draw copies - -
	share_peers
	wants migrate || wants copy || return
	if ! insmod "$kmod/ferry_bench.ko" pci="$pci" bar="$bar" 2>"$tmp/err"; then
		skip_migrate memcpy "$(tail -n 1 "$tmp/err")"
		return
	fi
	memtype=$(effective_memtype)
	for dir in to-aperture to-system; do
		wants migrate && for size in $migrate_sizes; do
			kernel_copy migrate-$dir $dir memcpy plain "$size"
			kernel_copy migrate-$dir $dir memcpy_io io "$size"
			kernel_copy migrate-$dir $dir fresh fresh "$size"
		done
		wants copy && for place in apart same; do
			kernel_copy copy-$dir $dir memcpy-$place plain $((1 << 20)) $place
			kernel_copy copy-$dir $dir memcpy_io-$place io $((1 << 20)) $place
			kernel_copy copy-$dir $dir words-$place words $((1 << 20)) $place
		done
		wants copy && for method in nt sse two; do
			kernel_copy copy-$dir $dir $method-apart $method $((1 << 20)) apart
		done
	done
	wants copy && for method in plain io words nt; do
		kernel_copy clear clear clear-$method $method $((1 << 20)) apart
	done
	rmmod ferry_bench
}

tmp=$(mktemp -d)
had=$(driver)
had_override=$(sed 's/^(null)$//' "$dev/driver_override")
restore() {
	unbind
	rm -rf "$tmp"
	if [ "$had" != none ]; then
		echo "$had" >"$dev/driver_override"
		echo "$pci" >/sys/bus/pci/drivers_probe
	fi
	echo "$had_override" >"$dev/driver_override"
}
trap restore EXIT
trap 'exit 1' INT TERM

echo "meta kernel=$(uname -r)"
echo "meta machine=$(uname -m)"
echo "meta cpus=$(nproc)"
echo "meta cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | tr ' ' '_')"
if ! grep -qw hypervisor /proc/cpuinfo; then
	echo "meta accel=none"
elif dmesg | grep -q 'Hypervisor detected: KVM'; then
	echo "meta accel=kvm"
else
	echo "meta accel=tcg"
fi
echo "meta pci=$pci bar=$bar aperture=$bar_size"

round=0
while [ $round -le "$rounds" ]; do
	case $((round % 3)) in
	1) order="with_ferry with_bochs without_driver" ;;
	2) order="with_bochs without_driver with_ferry" ;;
	*) order="without_driver with_ferry with_bochs" ;;
	esac
	for phase in $order; do
		say "round $round of $rounds on $pci: $phase"
		unbind
		$phase
	done
	round=$((round + 1))
done
