# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Clean trees of Debian releases in build/debian, to build and to try packages and modules in.
# To be sourced after scripts/lib.sh, which sets top.
# shellcheck disable=SC2154

clean=$top/build/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# make_tree SUITE DIR VARIANT PACKAGE,... [OPTION...] - make a tree of a release in DIR, unless it is there, with
# mmdebstrap's VARIANT, these packages, and more options of mmdebstrap.
make_tree() {
	local suite=$1 dir=$2 mirror proxy s suites
	[ ! -e "$dir/ready" ] || return 0
	"$top/scripts/setup" chroot
	[ "$(id -u)" = 0 ] || die "making a clean Debian needs root" "run the same command as root"
	mirror=$(debian_mirror)
	mapfile -t proxy < <(apt_proxy)
	suites=("$mirror $suite")
	case $suite in
	# The lists of a mirror that is a snapshot have expired.
	sid) set -- "$@" --aptopt='Acquire::Check-Valid-Until "false"' ;;
	*) suites+=("$mirror $suite-updates" "${mirror%/debian}/debian-security $suite-security") ;;
	esac
	rm -rf "$dir"
	mkdir -p "${dir%/*}"
	for s in "${suites[@]}"; do
		echo "deb [signed-by=$keyring] $s main"
	done > "$dir.list"
	step "making a clean Debian $suite" mmdebstrap --mode=root --variant="$3" --format=directory "${proxy[@]}" \
		--include="debian-archive-keyring,$4" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' "${@:5}" \
		"$suite" "$dir" "$dir.list" ||
		die "the Debian $suite could not be made" "see the log above; the Debian mirror must be reachable"
	touch "$dir/ready"
}

# make_base SUITE - make the clean tree of a release with what builds packages, SUITE.base.
make_base() {
	locked "debian-$1" "$top/build"
	make_tree "$1" "$clean/$1.base" buildd lintian --dpkgopt=force-unsafe-io
}

# A tree to work in is a layer above a clean tree, in build/debian/SUITE.NAME: what a command in the tree
# writes is in upper/ there, and what is written to upper/ before is in the tree.

# fresh SUITE NAME [tmpfs] - begin a tree to work in. With tmpfs it is in memory; the caller is in a mount
# namespace of its own, and unmounts it.
fresh() {
	local tree=$clean/$1.$2
	rm -rf "$tree"
	mkdir -p "$tree"
	[ -z "${3:-}" ] || mount -t tmpfs none "$tree"
	mkdir -p "$tree"/{upper/etc/apt/apt.conf.d,upper/srv,work,root}
	ln -s "$clean/$1.base" "$tree/base"
	cp --remove-destination /etc/resolv.conf "$tree/upper/etc/"
	install -D -m 644 -t "$tree/upper${keyring%/*}" "$keyring"
	apt_proxy | sed 's/^--aptopt=//' > "$tree/upper/etc/apt/apt.conf.d/proxy"
}

# copy_sources DIR - copy what git tracks or would add.
copy_sources() {
	mkdir -p "$1"
	(cd "$top" && git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2> /dev/null |
		tar -cf - --owner=0 --group=0 --no-recursion -T -) | tar -C "$1" -xf -
}

# enter TREE COMMAND... - run a command in a tree, in namespaces of its own.
enter() {
	# shellcheck disable=SC2016  # for the inner shell
	unshare --mount --pid --fork --kill-child sh -c '
		tree=$1
		shift
		mount -t overlay -o "lowerdir=$(readlink -f "$tree/base"),upperdir=$tree/upper,workdir=$tree/work" none "$tree/root" || exit 1
		tree=$tree/root
		mount -t proc proc "$tree/proc" && mount -t tmpfs none "$tree/dev" || exit 1
		for f in null zero full random urandom tty; do
			touch "$tree/dev/$f" && mount --bind "/dev/$f" "$tree/dev/$f" || exit 1
		done
		ln -s /proc/self/fd "$tree/dev/fd"
		mkdir "$tree/dev/shm"
		exec chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive "$@"' sh "$@"
}
