#!/bin/sh
# SPDX-License-Identifier: MIT
# Compare the binary interface of the library with the recorded one, by abidiff: functions, their
# arguments, and the structures of the header. Then test the check itself: it must find changes that
# are made on purpose.
#
# After a release, functions may be added, and nothing else may change. Record additions, or changes
# before the first release, with --record.
#
# usage: check-abi.sh [--record] LIBRARY SOURCE_DIR
set -eu

record=
if [ "$1" = --record ]; then
	record=yes
	shift
fi
library=$1
source=$2
recorded=$source/ferry.abi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v abidiff >/dev/null || {
	echo "SKIP: abidiff is not installed (package abigail-tools)"
	exit 77
}

interface() # library header-directory
{
	abidw --headers-dir "$2" --drop-private-types --exported-interfaces-only --no-elf-needed \
		--no-show-locs --no-corpus-path --no-comp-dir-path --no-parameter-names "$1"
}

differs() # library header-directory
{
	interface "$1" "$2" >"$work/abi"
	! abidiff "$recorded" "$work/abi" >"$work/log" 2>&1
}

if [ -n "$record" ]; then
	interface "$library" "$source/include" >"$work/abi"
	cp "$work/abi" "$recorded"
	echo "recorded in $recorded"
	exit
fi

if differs "$library" "$source/include"; then
	cat "$work/log"
	echo "FAIL: the interface is not the recorded one; if it is meant to change, before the first"
	echo "release, or only has additions: $0 --record $library $source"
	exit 1
fi

failed=0
passed=0
must_find() # files sed-script description
{
	rm -rf "$work/tree"
	mkdir "$work/tree"
	cp -rL "$source/include" "$source"/*.[ch] "$source/libdrm_ferry.map" "$work/tree"
	for file in $1; do
		sed -i "$2" "$work/tree/$file"
		if cmp -s "$source/$file" "$work/tree/$file"; then
			echo "FAIL: nothing was changed in $file: $3"
			failed=1
			return
		fi
	done
	# shellcheck disable=SC2046 # flags are meant to be split
	${CC:-cc} -w -O0 -g -fPIC -pthread -fvisibility=hidden -shared -D_FILE_OFFSET_BITS=64 \
		-I"$work/tree/include" $(pkg-config --cflags libdrm) -o "$work/changed.so" \
		"$work/tree"/*.c -Wl,--version-script="$work/tree/libdrm_ferry.map" \
		-Wl,-soname,libdrm_ferry.so.1 -ldrm
	if differs "$work/changed.so" "$work/tree/include"; then
		passed=$((passed + 1))
	else
		echo "FAIL: not found: $3"
		failed=1
	fi
}

header=include/libdrm_ferry/ferry.h
must_find $header 's/^\tuint32_t placement;/\tuint64_t placement;/' "a member of another size"
must_find $header 's/^\tuint32_t pad;/\tuint32_t pad, more;/' "another member"
must_find "$header ferry_migrate.c ferry_sync.c" 's/int64_t timeout_ns)/int32_t timeout_ns)/' "an argument of another type"
must_find libdrm_ferry.map '/ferry_bo_copy_rect;/d' "a missing function"
must_find libdrm_ferry.map 's/LIBDRM_FERRY_1.0/LIBDRM_FERRY_1.1/' "another symbol version"
must_find include/drm/ferry_drm.h 's/__u64 aperture_free;/&__u64 more;/' "a larger structure of the kernel"

[ "$failed" -eq 0 ] && echo "the interface is the recorded one; $passed changes are found"
