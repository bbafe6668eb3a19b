#!/bin/bash
# SPDX-License-Identifier: MIT
# Prove that the tests with sanitizers find what the same tests without them do not: link the tests
# with a library that has one mistake, with and without the sanitizer.
#
# usage: sanitizer-mutants.sh build BUILD_DIR OUT_DIR   (BUILD_DIR has user, asan and tsan, as
#                                                        scripts/build makes them)
#        sanitizer-mutants.sh run OUT_DIR               (where there is a device)
set -euo pipefail

source=$(realpath "$(dirname "$0")/..")

# sanitizer | test | file | sed script | the mistake
mutants()
{
	cat <<-'EOF'
	asan|bo|ferry_bo.c|/^static void ferry_bo_free/,/^}/s/free(bo);/&dev->info.flags = bo->size;/|a BO is read after it was freed
	asan|errors|ferry_migrate.c|s/calloc(count, sizeof(.entries))/calloc(1, count * sizeof(*entries) - 1)/|the list of moves is one byte too short
	asan|open|ferry_table.c|s/free(table->chains);$/;/|the handle table is leaked
	tsan|threads|ferry_bo.c|/^ferry_public void ferry_bo_del/,/^}/{/closing = true;/d;s/if (ferry_cache_put/bo->closing = true;\n\t&/}|a BO that is being dropped is marked without the lock
	tsan|cache|ferry_cache.c|/^static struct ferry_bo .ferry_cache_unlink/,/^}/s/cache->bytes -= bo->size;/;/;/^static struct ferry_bo .ferry_cache_take/,/^}/s/ferry_cache_free(dev, expired);/&\n\tif (bo)\n\t\tcache->bytes -= size;/|the size of the cache is changed without the lock
	EOF
}

# link TEST PART DIR FLAGS... - link a test of a part of the build with the sources in a directory.
link()
{
	local test=$1 part=$2 dir=$3
	shift 3
	# shellcheck disable=SC2046 # flags are meant to be split
	${CC:-cc} -w -O2 -g -pthread -D_FILE_OFFSET_BITS=64 -I"$source/include" \
		$(pkg-config --cflags libdrm) "$@" -o "$dir/$part" "$dir"/ferry_*.c \
		"$build/$part/tests/device-$test.p/device-$test.c.o" "$build/$part/tests/libcheck.a" -ldrm
}

build_all()
{
	local number=0 sanitizer test file script mistake dir

	while IFS='|' read -r sanitizer test file script mistake; do
		number=$((number + 1))
		dir=$out/$number
		mkdir -p "$dir"
		cp "$source"/*.[ch] "$dir"
		sed -i "$script" "$dir/$file"
		if cmp -s "$source/$file" "$dir/$file"; then
			echo "sanitizer-mutants: no line of $file matches the mistake: $mistake" >&2
			exit 1
		fi
		echo "$sanitizer device-$test: $mistake" >"$dir/mistake"
		link "$test" user "$dir"
		case $sanitizer in
		asan) link "$test" asan "$dir" -fsanitize=address -static-libasan ;;
		tsan) link "$test" tsan "$dir" -fsanitize=thread -static-libtsan ;;
		esac
	done < <(mutants)
	echo "sanitizer-mutants: $number built in $out"
}

run_all()
{
	local survivors=0 dir sanitizer mistake plain

	for dir in "$out"/[0-9]*; do
		mistake=$(cat "$dir/mistake")
		sanitizer=${mistake%% *}
		plain="not found"
		timeout 60 "$dir/user" >"$out/log" 2>&1 || plain="found as well"
		if setarch -R timeout 240 "$dir/$sanitizer" >"$out/log" 2>&1; then
			echo "NOT DETECTED by $mistake"
			survivors=$((survivors + 1))
		elif grep -q 'Sanitizer: ' "$out/log"; then
			echo "detected by $mistake ($plain without the sanitizer)"
			grep -m 1 'Sanitizer: ' "$out/log"
		else
			cat "$out/log"
			echo "FAILS OTHERWISE: $mistake"
			survivors=$((survivors + 1))
		fi
	done
	echo "sanitizer-mutants: $survivors not detected"
	[ "$survivors" -eq 0 ]
}

case $1 in
build)
	build=$(realpath "$2") out=$3
	build_all
	;;
run)
	out=$2
	run_all
	;;
*) exit 2 ;;
esac
