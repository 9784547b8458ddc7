#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's Exim without installing it: the package conflicts with Postfix, and the tests send with both.
# Leaves the program as DIR/exim4; does nothing if it is there and complete. Fails, with the reason, if
# the package can't be had or needs libraries that are not installed.
#
#   fetch_exim.sh DIR
set -eu

package=exim4-daemon-light
dir=$1

fail() {
	rm -rf "$dir/new"
	echo "fetch_exim: $1" >&2
	exit 1
}

# Into $dir/new; apt checks what it gets against the signed lists.
download() {
	rm -rf "$dir/new"
	mkdir -p "$dir/new"
	(cd "$dir/new" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=2 download "$package") \
		>"$dir/apt.log" 2>&1
}

libraries_missing() {
	ldd "$1" | sed -n 's/ => not found//p' | xargs
}

if [ -x "$dir/exim4" ] && [ -z "$(libraries_missing "$dir/exim4")" ]; then
	exit 0
fi
mkdir -p "$dir"
rm -f "$dir/exim4"
# Lists may be missing, or too old for what the mirror has.
download || { apt-get -q update >"$dir/update.log" 2>&1 && download; } ||
	fail "apt-get download $package: $(grep '^[EW]:' "$dir/apt.log" | tail -n 1)"
dpkg-deb -x "$dir/new/$package"_*.deb "$dir/new"
missing=$(libraries_missing "$dir/new/usr/sbin/exim4")
[ -z "$missing" ] || fail "$package needs $missing"
# Last, so that a run that was interrupted leaves nothing that looks whole.
mv "$dir/new/usr/sbin/exim4" "$dir/exim4"
rm -rf "$dir/new"
