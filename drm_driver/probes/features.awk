# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# awk -f features.awk MESSAGES probes.c - write ferry_features.h: a definition for each
# function of probes.c in which the compiler's MESSAGES report no error. If the messages
# do not allow a conclusion, print the reason to the standard error, and exit with status 1.

function fail(reason)
{
	print "ferry: error: " reason > "/dev/stderr"
	failed = 1
	exit 1
}

FNR == 1 {
	part++
}

# FILE:LINE:COLUMN: error: TEXT, or "fatal error"
part == 1 && /:[0-9]+:([0-9]+:)? (fatal )?error: / {
	if ($0 !~ /probes\.c:[0-9]+:/ || /fatal error: /)
		fail("the kernel's headers do not compile: " $0)
	line = $0
	sub(/.*probes\.c:/, "", line)
	sub(/:.*/, "", line)
	error[line + 0] = $0
}

part == 2 && /^static .*probe_[A-Z0-9_]+\(/ {
	name = $0
	sub(/.*probe_/, "", name)
	sub(/\(.*/, "", name)
	names[++count] = name
	works[name] = 1
}

part == 2 && (FNR in error) {
	if (!count)
		fail("the kernel's headers do not compile: " error[FNR])
	works[name] = 0
}

END {
	if (failed)
		exit 1
	if (part != 2 || !works["ANYTHING"] || works["NOTHING"])
		fail("the messages of this compiler do not tell which features the kernel has")
	print "/* SPDX-License-Identifier: GPL-2.0 OR MIT */"
	print "/* Written by features.awk. Its kernel has the features that are defined here. */"
	for (i = 1; i <= count; i++)
		if (names[i] != "ANYTHING" && names[i] != "NOTHING")
			print (works[names[i]] ? "#define FERRY_HAVE_" names[i] " 1" : \
			       "/* FERRY_HAVE_" names[i] " is not defined */")
}
