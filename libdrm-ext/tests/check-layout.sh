#!/bin/sh
# SPDX-License-Identifier: MIT
# Check that the uapi header compiles alone, and that the assertions of layout.c hold: in C
# and in C++, for 32 and 64 bit, with each compiler that is installed. Then test the check
# itself: it must reject headers that are wrong on purpose.
#
# usage: check-layout.sh UAPI_DIR TESTS_DIR     (CC, CXX: first compilers to use)
set -eu

uapi=$1
tests=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Include drm.h as a system header, so that compilers warn about the header of ferry only.
drm_cflags=$(pkg-config --cflags libdrm | sed "s/-I/-isystem /g")
arch_include=/usr/include/$(${CC:-gcc} -print-multiarch 2>/dev/null || true)
failed=0
passed=0

# On x86 the <asm/> headers are the same for both word sizes, but compilers do not search
# their directory with -m32. They need no 32-bit libc.
compile() # compiler language word-size header-dir source
{
	# shellcheck disable=SC2086 # flags are meant to be split
	"$1" -x "$2" $3 -ffreestanding -fsyntax-only -Wall -Wextra \
		-Werror -pedantic -I"$4" $drm_cflags \
		-isystem "$arch_include" "$5"
}

try() # compiler language word-size
{
	# The header alone, in the oldest and in the newest standard.
	case $2 in
	c) standards="c89 c17" ;;
	*) standards="c++98 c++20" ;;
	esac
	for standard in $standards; do
		if compile "$1" "$2" "$3 -std=$standard" "$uapi" "$uapi/ferry_drm.h"; then
			passed=$((passed + 1))
		else
			echo "FAIL: $1 -x $2 $3 -std=$standard"
			failed=$((failed + 1))
		fi
	done
	for source in "$uapi/ferry_drm.h" "$tests/layout.c"; do
		if compile "$1" "$2" "$3" "$uapi" "$source"; then
			passed=$((passed + 1))
		else
			echo "FAIL: $1 -x $2 $3 $source"
			failed=$((failed + 1))
		fi
	done
}

words="-m64 -m32"
if ! echo 'int x;' | ${CC:-gcc} -m32 -fsyntax-only -x c - 2>/dev/null; then
	echo "note: the compiler has no -m32; only its default word size is checked"
	words="-O0"
fi

for word in $words; do
	for compiler in ${CC:-gcc} clang; do
		command -v "$compiler" >/dev/null || continue
		try "$compiler" c "$word"
	done
	for compiler in ${CXX:-g++} clang++; do
		command -v "$compiler" >/dev/null || continue
		try "$compiler" c++ "$word"
	done
done

# Apply a sed script to the header. The result must not compile with layout.c.
must_fail() # sed-script description
{
	mkdir -p "$work/uapi"
	sed "$1" "$uapi/ferry_drm.h" >"$work/uapi/ferry_drm.h"
	if cmp -s "$uapi/ferry_drm.h" "$work/uapi/ferry_drm.h"; then
		echo "FAIL: the header was not changed: $2"
		failed=$((failed + 1))
	elif compile "${CC:-gcc}" c "${words##* }" "$work/uapi" \
		"$tests/layout.c" 2>/dev/null; then
		echo "FAIL: a wrong header passes: $2"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}

must_fail 's/__u64 size;/__u32 size;/' "a field of another size"
must_fail 's/__u32 pinned;/__u32 pinned; __u64 more;/' "a field that is not listed"
must_fail '/__u32 pad2;/d' "a missing pad, and so a hole"
must_fail 's/__u64 entries;/unsigned long entries;/' "a type whose size depends on the word size"
must_fail 's/FERRY_MIGRATE[[:space:]]*0x04/FERRY_MIGRATE 0x05/' "another ioctl number"
must_fail 's/__u32 retained;//' "a missing field"
must_fail 's/__s64 timeout_ns;/__s32 timeout_ns;/' "a timeout of another size"
must_fail 's/\(DRM_FERRY_MEMTYPE_WC\) = 2/\1 = 7/' "another value of a constant"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
