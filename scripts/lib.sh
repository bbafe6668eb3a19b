# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts here share: where things are, how progress and failures
# are told, and which Debian mirror this host already uses. Sourced, never run.

# kbuild and make take these from the environment, where they may be somebody else's.
unset W C V CHECK CF KCFLAGS KCPPFLAGS KAFLAGS KBUILD_EXTRA_WARN KBUILD_VERBOSE

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
vmdir=$top/build/vm
# shellcheck disable=SC2034  # used by the scripts that source this file
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

say() {
	echo "ferry: $*" >&2
}

# die REASON [NEXT STEP]
die() {
	echo "ferry: error: $1" >&2
	[ -z "${2:-}" ] || echo "ferry: next step: $2" >&2
	exit 1
}

# step TEXT COMMAND... - run COMMAND with its output in a log file, say what
# is being done and how long it took, and say so again every ten seconds.
# step_lines is the number of lines it will print, if that is known: then the
# rest is estimated. When it fails, the end of the log is shown and the step's
# status returned.
step() {
	local text=$1 log start told=0 pid status=0 lines rest
	shift
	mkdir -p "$vmdir/log"
	log=$vmdir/log/$(echo "$text" | tr -cs 'a-zA-Z0-9.\n' '-').log
	start=$SECONDS
	say "$text ..."
	set -m # a process group of its own, so that all of it can be ended
	"$@" > "$log" 2>&1 < /dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064  # the id of now is meant
	trap "kill -TERM -- -$pid 2> /dev/null; exit 130" INT TERM HUP
	while kill -0 $pid 2> /dev/null; do
		sleep 0.1
		if [ $((SECONDS - start - told)) -ge 10 ]; then
			told=$((SECONDS - start))
			rest=
			if [ -n "${step_lines:-}" ]; then
				lines=$(wc -l < "$log")
				[ "$lines" -lt 20 ] || [ "$lines" -ge "$step_lines" ] ||
					rest=", $((100 * lines / step_lines)) %, about $((told * (step_lines - lines) / lines)) s to go"
			fi
			say "$text ... $told s$rest"
		fi
	done
	wait $pid || status=$?
	trap - INT TERM HUP
	if [ "$status" -ne 0 ]; then
		tail -n 25 "$log" >&2
		say "error: $text failed with status $status; all of it: $log"
		return "$status"
	fi
	say "$text: done in $((SECONDS - start)) s"
}

# debian_mirror - the address of the Debian archive in this host's own apt
# configuration, without trailing slash. Other archives are not asked.
# shellcheck disable=SC2016  # apt fills in the dollars
debian_mirror() {
	local uri
	uri=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' \
		'Created-By: Packages' | awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }')
	[ -n "$uri" ] || die "apt's configuration on this host names no Debian archive" \
		"add a source for $codename main to /etc/apt/sources.list and run apt-get update"
	echo "${uri%/}"
}

# debian_sources - the suites of the Debian archive that this host uses for its
# own release (updates and security included), as lines of sources.list.
# shellcheck disable=SC2016  # apt fills in the dollars
debian_sources() {
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
		'Created-By: Packages' |
		awk '$5 == "Debian" && $4 == "main" && $3 !~ /backports|proposed/ { NF = 4; print }' |
		sort -u
}

# apt_proxy - this host's proxy settings as mmdebstrap options, one a line.
apt_proxy() {
	apt-config dump Acquire |
		sed -n 's/^\(Acquire::https\{0,1\}::[Pp]roxy "[^"]\{1,\}";\)$/--aptopt=\1/p'
}

# locked NAME - hold the lock NAME until the script ends; says so if it waits.
locked() {
	mkdir -p "$vmdir"
	exec 9> "$vmdir/.lock-$1"
	flock -n 9 || {
		say "waiting for another run that prepares '$1'"
		flock 9
	}
}
