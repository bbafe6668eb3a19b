#!/bin/sh
# SPDX-License-Identifier: MIT
# Check the manual pages: each exported function has one, groff has no complaint about any, and
# man(1) finds and formats them where they are installed.
#
# usage: check-man.sh MAN_DIR SYMBOL_LIST
set -eu

dir=$1
list=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
fail()
{
	echo "FAIL: $*"
	failed=1
}

mkdir -p "$work/man3" "$work/man7"
cp "$dir"/*.3 "$work/man3"
cp "$dir"/*.7 "$work/man7"
while read -r name _; do
	[ -s "$work/man3/$name.3" ] || fail "no page of $name"
done <"$list"

if ! command -v groff >/dev/null || ! command -v man >/dev/null; then
	[ "$failed" -eq 0 ] || exit 1
	echo "SKIP: man or groff is not installed"
	exit 77
fi
groff -man -ww -Tutf8 "$work"/man?/* >/dev/null 2>"$work/log"
[ ! -s "$work/log" ] || fail "groff: $(head -n 1 "$work/log")"
# Marks of kernel-doc that were not translated.
if grep -nE '(^|[^\\])[@%&][a-z]|/\*' "$work"/man?/*; then
	fail "the pages have marks of kernel-doc"
fi

shows() # page text
{
	MANPAGER='cat' man -M "$work" "$1" 2>&1 | tr -s ' \n' ' ' >"$work/text"
	grep -qF -e "$2" "$work/text" || fail "man $1 does not show '$2': $(head -c 200 "$work/text")"
}
shows ferry_bo_new "uint32_t allowed_placements, uint32_t flags, struct ferry_bo **bo);"
shows ferry_bo_new "out: the BO, one reference"
shows ferry_bo_new "-ENOSPC"
shows ferry_bo_move "struct ferry_bo *bo; uint32_t placement; uint32_t flags; };"
shows libdrm_ferry "No function is a cancellation point."

[ "$failed" -eq 0 ] && echo "$(find "$work"/man? -type f | wc -l) pages"
