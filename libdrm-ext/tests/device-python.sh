#!/bin/sh
# SPDX-License-Identifier: MIT
# The example in Python: ctypes with the library. The guest has Python without ctypes, so the build
# has put a copy beside this script.
set -eu

here=$(dirname "$0")
[ -d /sys/module/ferry ] || { echo "SKIP: the module ferry is not loaded"; exit 77; }
text=$(PYTHONPATH=$here/python LD_LIBRARY_PATH=$here/.. python3 "$here/hello.py")
if [ "$text" != "Hello from Python" ]; then
	echo "FAIL: it prints '$text'"
	exit 1
fi
# The reason of a failure is a Python exception.
if error=$(FERRY_CACHE=0 PYTHONPATH=$here/python LD_LIBRARY_PATH=$here/.. \
	python3 - 2>&1 <<-PYTHON
	source = open("$here/hello.py").read()
	exec(source.replace("APERTURE = 1, 2", "APERTURE = 1, 4"))
	PYTHON
); then
	echo "FAIL: a placement that does not exist is no error"
	exit 1
fi
case $error in
*"OSError: [Errno 22]"*) ;;
*)
	echo "FAIL: a placement that does not exist: $error"
	exit 1
	;;
esac
echo "$text"
