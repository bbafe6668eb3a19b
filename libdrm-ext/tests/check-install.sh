#!/bin/sh
# SPDX-License-Identifier: MIT
# Check the installed files: the headers are in place, and programs in C and in C++ build
# with the flags of pkg-config and run.
#
# usage: check-install.sh BUILD_DIR EXAMPLE_SOURCE
set -eu

build=$1
example=$2
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

DESTDIR=$stage meson install -C "$build" --no-rebuild >"$stage/log" 2>&1 || {
	cat "$stage/log"
	echo "FAIL: meson install"
	exit 1
}

pc=$(find "$stage" -name libdrm_ferry.pc)
lib=$(dirname "$(find "$stage" -name libdrm_ferry.so)")
prefix=$(sed -n 's/^prefix=//p' "$pc")
for header in libdrm_ferry/ferry.h drm/ferry_drm.h; do
	if [ ! -f "$stage$prefix/include/$header" ] || [ -L "$stage$prefix/include/$header" ]; then
		echo "FAIL: $header is not installed as a file"
		exit 1
	fi
done
for page in man3/ferry_bo_new.3 man7/libdrm_ferry.7; do
	if [ ! -s "$stage$prefix/share/man/$page" ]; then
		echo "FAIL: $page is not installed"
		exit 1
	fi
done
cmp "$stage$prefix/include/drm/ferry_drm.h" "$(dirname "$example")/../include/drm/ferry_drm.h"

# Make the pkg-config file point into the staging directory.
mkdir "$stage/pc"
sed "s|^prefix=|&$stage|" "$pc" >"$stage/pc/libdrm_ferry.pc"

pkg() # pkg-config arguments
{
	PKG_CONFIG_PATH=$stage/pc pkg-config "$@" libdrm_ferry
}

echo "libdrm_ferry $(pkg --modversion): $(pkg --cflags --libs)"
case " $(pkg --print-requires) " in
*libdrm*) ;;
*)
	echo "FAIL: the pkg-config file does not require libdrm"
	exit 1
	;;
esac

cd "$stage"
cp "$example" hello.c
# shellcheck disable=SC2046 # flags are meant to be split
${CC:-cc} -Wall -Wextra -Werror -o hello-c hello.c $(pkg --cflags --libs)

cat >hello.cpp <<'EOF'
#include <libdrm_ferry/ferry.h>
int main()
{
	ferry_device *device = nullptr;
	return ferry_device_open_node("/dev/null", 0, &device) == 0;
}
EOF
# shellcheck disable=SC2046
${CXX:-c++} -Wall -Wextra -Werror -pedantic -o hello-cpp hello.cpp \
	$(pkg --cflags --libs)
LD_LIBRARY_PATH=$lib ./hello-cpp || {
	echo "FAIL: the C++ program does not run, or opens /dev/null as a ferry device"
	exit 1
}
ldd_out=$(LD_LIBRARY_PATH=$lib ldd ./hello-c)
case $ldd_out in
*"libdrm_ferry.so.1 => $lib"*) ;;
*)
	echo "$ldd_out"
	echo "FAIL: hello-c does not load the installed library"
	exit 1
	;;
esac
echo "built and run in C and C++"
