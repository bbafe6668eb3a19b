#!/bin/sh
# SPDX-License-Identifier: MIT
# Check that the library exports, ferry-symbols.txt lists and the public header declares the
# same symbols, and that every exported symbol has a version.
#
# usage: check-symbols.sh LIBRARY SYMBOL_LIST HEADER
set -eu

library=$1
list=$2
header=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Leave out the absolute symbol (A): it is the version itself.
${NM:-nm} -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
	LC_ALL=C sort >"$work/exported"
sed 's/@.*//' "$work/exported" >"$work/names"
LC_ALL=C sort -u "$list" >"$work/listed"
# A prototype has an argument after the parenthesis, a name() in a comment has none.
grep -o '\bferry_[a-z_]*([a-z]' "$header" | sed 's/(.*//' |
	LC_ALL=C sort -u >"$work/declared"

[ -s "$work/exported" ] || { echo "FAIL: $library exports nothing"; exit 1; }

failed=0
same() # file file description
{
	if ! diff -u "$1" "$2"; then
		echo "FAIL: $3"
		failed=1
	fi
}
same "$work/listed" "$work/names" "symbol list (-) and library (+) differ"
same "$work/listed" "$work/declared" "symbol list (-) and header (+) differ"

if grep -v '@@LIBDRM_FERRY_[0-9]' "$work/exported"; then
	echo "FAIL: exported without a version"
	failed=1
fi

[ "$failed" -eq 0 ] && echo "$(wc -l <"$work/listed") symbols agree"
