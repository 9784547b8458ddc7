#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# distro.sh - the demo, the tests and the compiler builds on fresh Debian systems, under the running kernel
#
#	distro.sh [RELEASE...]		(bookworm trixie)
#
# For each release, debootstrap makes a minimal root. A copy of it gets a clone of this tree's HEAD, and
# there `make demo`, `make check` and `make check-compilers` run as on a machine that has only just been
# installed. The output of each is in $BUILD/distro/RELEASE/*.log; the last line counts.
#
#	BUILD		where the roots are kept (.build)
#	MIRROR		the mirror (the one that apt is configured with)
#	DISTRO_TARGETS	what to make in the root (demo check check-compilers)
#	DISTRO_KEEP	yes: the root with all that was built stays in $BUILD/distro/RELEASE/root
#
# Kept for the next time: the minimal roots and apt's downloaded packages. `make clean` removes both.
# Each command runs in mount and PID namespaces of its own: the kernel ends its processes and mounts,
# however this script ends.
set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$(mkdir -p "${BUILD:-$TOP/.build}" && cd "${BUILD:-$TOP/.build}" && pwd)
DISTRO=$BUILD/distro
read -ra targets <<<"${DISTRO_TARGETS:-demo check check-compilers}"
# Minutes after which a target is ended.
LIMIT=60

passed=0 failed=0
running=

die() {
	printf 'distro: %s\n' "$*" >&2
	exit 1
}

# result ok|"not ok" WHAT
result() {
	printf '%s - %s\n' "$1" "$2"
	if [ "$1" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

# The mirror of Debian's main archive in apt's configuration, without the security archive.
apt_mirror() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
		sort -u | head -n 1
}

# The proxies that apt is configured with.
apt_proxies() {
	apt-config dump | grep -iE '^Acquire::[a-z]+::(proxy|proxy-auto-detect) ' || true
}

# base RELEASE: makes the minimal root, once.
base() {
	local base=$DISTRO/$1/base
	[ ! -d "$base" ] || return 0
	rm -rf "$base.new"
	mkdir -p "$base.new"
	debootstrap --variant=minbase "$1" "$base.new" "$MIRROR" >"$DISTRO/$1/debootstrap.log" 2>&1 || {
		tail -n 5 "$DISTRO/$1/debootstrap.log"
		return 1
	}
	apt_proxies >"$base.new/etc/apt/apt.conf.d/00host"
	mv "$base.new" "$base"
}

# fresh RELEASE: copies the minimal root and clones the tree into it.
fresh() {
	local root=$DISTRO/$1/root
	rm -rf --one-file-system "$root" &&
		cp -a "$DISTRO/$1/base" "$root" &&
		cp -L /etc/resolv.conf "$root/etc/resolv.conf" &&
		git -c safe.directory='*' clone -q --no-hardlinks "$TOP" "$root/repgate" &&
		mkdir -p "$DISTRO/$1/archives/partial"
}

# What runs in namespaces of its own: ROOT ARCHIVES COMMAND...
# Without the bind mount, unshare could not change the propagation of / in the root.
# shellcheck disable=SC2016 # the inner shell's variables
ENTER='set -e
	root=$1 archives=$2
	shift 2
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	mount --bind "$archives" "$root/var/cache/apt/archives"
	cd "$root"
	exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"'

# enter RELEASE LOG COMMAND...: runs a command in the root.
enter() {
	local release=$1 log=$2 status=0
	shift 2
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private -- \
		timeout --kill-after=10 "${LIMIT}m" bash -c "$ENTER" enter \
		"$DISTRO/$release/root" "$DISTRO/$release/archives" "$@" >"$log" 2>&1 </dev/null &
	running=$!
	# Bash sees signals while it waits, not while a command runs.
	wait "$running" || status=$?
	running=
	return "$status"
}

# The last count that a log has, for instance "1021 passed, 0 failed".
count_in() {
	grep -oE '^[0-9]+ passed, [0-9]+ failed|^demo: .*' "$1" | tail -n 1
}

# make_target RELEASE TARGET
make_target() {
	local log=$DISTRO/$1/$2.log begun=$SECONDS how=ok
	enter "$1" "$log" make -C /repgate "$2" || how="not ok"
	result "$how" "$1: make $2: $(count_in "$log") ($((SECONDS - begun)) s)"
	[ "$how" = ok ] || {
		printf -- '--- %s\n' "$log"
		grep -A 3 '^not ok' "$log" | head -n 40 || true
		tail -n 20 "$log"
		printf -- '---\n'
	}
}

# release NAME
release() {
	local target
	mkdir -p "$DISTRO/$1"
	printf '\n== Debian %s\n' "$1"
	if ! base "$1" || ! fresh "$1"; then
		result "not ok" "$1: a fresh root"
		return 0
	fi
	enter "$1" "$DISTRO/$1/make.log" sh -c 'apt-get update && apt-get install -y --no-install-recommends make' || {
		result "not ok" "$1: apt-get install make, see $DISTRO/$1/make.log"
		return 0
	}
	for target in "${targets[@]}"; do
		make_target "$1" "$target"
	done
	[ "${DISTRO_KEEP:-}" = yes ] || rm -rf --one-file-system "$DISTRO/$1/root"
}

# unshare blocks SIGINT and SIGTERM. When its child, process 1 of the namespace, is killed, all is gone.
abort() {
	trap - INT TERM HUP
	[ -z "$running" ] || {
		pkill -KILL -P "$running" || kill -KILL "$running" 2>/dev/null || true
		wait "$running" 2>/dev/null || true
	}
	kill "-$1" $$
}

[ "$(id -u)" -eq 0 ] || {
	echo 'skipped: debootstrap and namespaces need root'
	exit 77
}
mkdir -p "$DISTRO"
exec 9>"$DISTRO/lock"
flock -n 9 || die "another one runs with $DISTRO"
trap 'abort INT' INT
trap 'abort TERM' TERM
trap 'abort HUP' HUP
MIRROR=${MIRROR:-$(apt_mirror)}
[ -n "$MIRROR" ] || die "apt knows no mirror of Debian; set MIRROR"
[ "$#" -gt 0 ] || set -- bookworm trixie
[ -z "$(git -c safe.directory='*' -C "$TOP" status --porcelain)" ] ||
	echo "distro: there are changes that are not committed; HEAD is what is tested" >&2
for name in "$@"; do
	release "$name"
done
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
