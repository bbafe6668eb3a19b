#!/bin/sh
# SPDX-License-Identifier: MIT
# Check another way to build the library, in a directory of its own:
#
#   subproject          of another Meson project, as a symbolic link to this directory
#   copied-subproject   the same with a copy of this directory alone
#   static              as a static library, that a program links with pkg-config --static
#   no-cxx              without a C++ compiler
#
# usage: check-build.sh WAY SOURCE_DIR
set -eu

way=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

quietly() # command...
{
	"$@" >"$work/log" 2>&1 || {
		cat "$work/log"
		echo "FAIL: $*"
		exit 1
	}
}

program()
{
	cat <<-'CODE'
	#include <errno.h>
	#include <libdrm_ferry/ferry.h>
	int main(void)
	{
		struct ferry_device *dev;

		if (ferry_version() != FERRY_VERSION)
			return 1;
		return ferry_device_open_node("/dev/null", 0, &dev) != -ENODEV;
	}
	CODE
}

outer_project()
{
	mkdir -p "$work/outer/subprojects"
	program >"$work/outer/program.c"
	cat >"$work/outer/meson.build" <<-'MESON'
	project('outer', 'c')
	ferry = dependency('libdrm_ferry', fallback: 'libdrm_ferry')
	test('program', executable('program', 'program.c', dependencies: ferry))
	MESON
}

case $way in
subproject | copied-subproject)
	outer_project
	if [ "$way" = subproject ]; then
		ln -s "$source" "$work/outer/subprojects/libdrm_ferry"
	else
		cp -rL "$source" "$work/outer/subprojects/libdrm_ferry"
	fi
	quietly meson setup --force-fallback-for=libdrm_ferry "$work/build" "$work/outer"
	quietly meson test -C "$work/build"
	;;
static)
	quietly meson setup -Ddefault_library=static -Dtests=disabled -Dexamples=disabled \
		-Dprefix="$work/prefix" -Dlibdir=lib "$work/build" "$source"
	quietly meson install -C "$work/build"
	if ls "$work"/prefix/lib/*.so* 2>/dev/null; then
		echo "FAIL: a shared library is installed"
		exit 1
	fi
	program >"$work/program.c"
	PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
	export PKG_CONFIG_PATH
	# shellcheck disable=SC2046 # flags are meant to be split
	quietly "${CC:-cc}" -Wall -Werror -o "$work/program" "$work/program.c" \
		$(pkg-config --static --cflags --libs libdrm_ferry)
	quietly "$work/program"
	if ldd "$work/program" | grep drm_ferry; then
		echo "FAIL: the program needs the shared library"
		exit 1
	fi
	;;
no-cxx)
	CXX=false quietly meson setup "$work/build" "$source"
	quietly ninja -C "$work/build" tests/device-bo
	[ -x "$work/build/tests/device-bo" ]
	if [ -e "$work/build/tests/host-cxx" ]; then
		echo "FAIL: there was a C++ compiler"
		exit 1
	fi
	;;
*)
	echo "check-build.sh: no way '$way'"
	exit 2
	;;
esac
echo "$way: built and run"
