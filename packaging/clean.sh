# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Clean trees of Debian releases in build/debian, to build and to try packages and modules in.
# To be sourced after scripts/lib.sh, which sets top.
# shellcheck disable=SC2154

clean=$top/build/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# make_base SUITE - make the clean tree of a release with what builds packages, SUITE.base.
make_base() {
	local suite=$1 mirror proxy s suites
	mkdir -p "$clean"
	locked "debian-$suite" "$top/build"
	[ ! -e "$clean/$suite.base/ready" ] || return 0
	"$top/scripts/setup" chroot
	[ "$(id -u)" = 0 ] || die "making a clean Debian needs root" "run the same command as root"
	mirror=$(debian_mirror)
	mapfile -t proxy < <(apt_proxy)
	suites=("$mirror $suite")
	[ "$suite" = sid ] || suites+=("$mirror $suite-updates" "${mirror%/debian}/debian-security $suite-security")
	for s in "${suites[@]}"; do
		echo "deb [signed-by=$keyring] $s main"
	done > "$clean/$suite.list"
	rm -rf "$clean/$suite.base"
	step "making a clean Debian $suite" mmdebstrap --mode=root --variant=buildd --format=directory "${proxy[@]}" \
		--include=debian-archive-keyring,lintian \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt=force-unsafe-io "$suite" "$clean/$suite.base" "$clean/$suite.list" ||
		die "the Debian $suite could not be made" "see the log above; the Debian mirror must be reachable"
	touch "$clean/$suite.base/ready"
}

# A tree to work in is a layer above a clean tree, in build/debian/SUITE.NAME: what a command in the tree
# writes is in upper/ there, and what is written to upper/ before is in the tree.

# fresh SUITE NAME - begin a tree to work in.
fresh() {
	local tree=$clean/$1.$2
	rm -rf "$tree"
	mkdir -p "$tree"/{upper/etc/apt/apt.conf.d,upper/srv,work,root}
	ln -s "../$1.base" "$tree/base"
	cp --remove-destination /etc/resolv.conf "$tree/upper/etc/"
	install -D -m 644 -t "$tree/upper${keyring%/*}" "$keyring"
	apt_proxy | sed 's/^--aptopt=//' > "$tree/upper/etc/apt/apt.conf.d/proxy"
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
