# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Functions that scripts/ and vm/ share: paths, progress and error messages, locks, and
# the Debian mirror that this host uses. To be sourced.

# kbuild and make would read these, and in the environment they may have another meaning.
unset W C V CHECK CF KCFLAGS KCPPFLAGS KAFLAGS KBUILD_EXTRA_WARN KBUILD_VERBOSE

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
vmdir=$top/build/vm
# shellcheck disable=SC2034  # used by the scripts that source this file
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# --help: print the comment at the head of the script that sources this file.
case ${1:-} in
--help | -h)
	awk 'FNR > 1 && !/^#/ { exit } FNR > 1 && !/^# (SPDX|shellcheck)/ { sub(/^# ?/, ""); if (text || $0 != "") print; text = 1 }' "$0"
	exit
	;;
esac

say() {
	echo "ferry: $*" >&2
}

# die REASON [NEXT STEP]
die() {
	echo "ferry: error: $1" >&2
	[ -z "${2:-}" ] || echo "ferry: next step: $2" >&2
	exit 1
}

# step TEXT COMMAND... - run COMMAND with its output in a log file. Print TEXT, again
# every ten seconds, and at the end with the time it took. If step_lines is the number of
# lines that COMMAND will print, also estimate the remaining time. If COMMAND fails, show
# the end of the log and return its status.
step() {
	local text=$1 log start told=0 pid status=0 lines rest
	shift
	mkdir -p "$vmdir/log"
	log=$vmdir/log/$(echo "$text" | tr -cs 'a-zA-Z0-9.\n' '-').log
	start=$SECONDS
	say "$text ..."
	set -m # a new process group, to end all processes of the step
	"$@" > "$log" 2>&1 < /dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064  # expand the id now
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
		say "error: $text failed with status $status; complete log: $log"
		return "$status"
	fi
	say "$text: done in $((SECONDS - start)) s"
}

# debian_mirror - print the address of the Debian archive in this host's apt
# configuration, without trailing slash.
# shellcheck disable=SC2016  # apt expands the variables
debian_mirror() {
	local uri
	uri=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' \
		'Created-By: Packages' | awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }')
	[ -n "$uri" ] || die "the apt configuration of this host names no Debian archive" \
		"add a source for $codename main to /etc/apt/sources.list and run apt-get update"
	echo "${uri%/}"
}

# debian_sources - print the suites of the Debian archive that this host uses for its
# release, including updates and security, as lines of sources.list.
# shellcheck disable=SC2016  # apt expands the variables
debian_sources() {
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
		'Created-By: Packages' |
		awk '$5 == "Debian" && $4 == "main" && $3 !~ /backports|proposed/ { NF = 4; print }' |
		sort -u
}

# apt_proxy - print this host's proxy settings as options of mmdebstrap, one per line.
apt_proxy() {
	apt-config dump Acquire |
		sed -n 's/^\(Acquire::https\{0,1\}::[Pp]roxy "[^"]\{1,\}";\)$/--aptopt=\1/p'
}

# apt_config DIR - write a configuration of apt to DIR, for the sources.list on the standard input, and
# print its file name, for APT_CONFIG: apt-cache and apt-get download then use these sources.
apt_config() {
	mkdir -p "$1"/{state/lists/partial,cache/archives/partial,etc}
	: > "$1/status"
	cat > "$1/etc/sources.list"
	cat > "$1/apt.conf" <<- EOF
		Dir::State "$1/state"; Dir::State::status "$1/status";
		Dir::Cache "$1/cache";
		Dir::Etc::sourcelist "$1/etc/sources.list";
		Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "amd64"; APT::Architectures { "amd64"; };
		Acquire::Languages "none"; APT::Sandbox::User "root";
	EOF
	echo "$1/apt.conf"
}

# locked NAME [DIR] - take the lock NAME in DIR and hold it until the script ends. DIR is what
# the lock is for: build/vm, which several worktrees can share, or build.
locked() {
	local dir=${2:-$vmdir}
	mkdir -p "$dir"
	exec 9> "$dir/.lock-$1"
	flock -n 9 || {
		say "waiting for another run that prepares '$1'"
		flock 9
	}
}

# meson_setup DIR SOURCE [OPTION...] - set up the build directory DIR, unless that was done. A
# build directory contains absolute paths: that of a copied or moved tree is set up again.
meson_setup() {
	local dir=$1 source=$2
	[ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.source" 2> /dev/null)" != "$*" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	/usr/bin/meson setup "${@:3}" "$dir" "$source" > "$dir/setup.log" 2>&1 || {
		tail -n 30 "$dir/setup.log" >&2
		return 1
	}
	echo "$*" > "$dir/.source"
}

# Give what root writes below build/ to the owner of the repository, as "sudo make install"
# must not break the next make of that user. The trees and images of build/vm stay root's.
give_back() {
	find "$top/build" -path "$vmdir/*" ! -path "$vmdir/log*" ! -name '.lock-*' -prune -o \
		-user 0 -exec chown -h --reference="$top" {} + || true
}
if [ "$(id -u)" = 0 ] && [ "$(stat -c %u "$top")" != 0 ] && [ -d "$top/build" ]; then
	trap give_back EXIT
fi
