#!/bin/sh
# SPDX-License-Identifier: MIT
# Check that the library exports the symbols and versions of ferry-symbols.txt, and that the
# public headers declare the same functions.
#
# usage: check-symbols.sh LIBRARY SYMBOL_LIST HEADER...
set -eu

library=$1
list=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Leave out the absolute symbols (A): these are the versions themselves.
${NM:-nm} -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
	sed 's/@@/ /' | LC_ALL=C sort >"$work/exported"
LC_ALL=C sort -u "$list" >"$work/listed"
sed 's/ .*//' "$work/listed" >"$work/names"
# A prototype has an argument after the parenthesis, a name() in a comment has none.
grep -ho '\bferry_[a-z_]*([a-z]' "$@" | sed 's/(.*//' |
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
same "$work/listed" "$work/exported" "symbol list (-) and library (+) differ"
same "$work/names" "$work/declared" "symbol list (-) and header (+) differ"

[ "$failed" -eq 0 ] && echo "$(wc -l <"$work/listed") symbols agree"
