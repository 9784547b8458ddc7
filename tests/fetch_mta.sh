#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mail server of Debian without installing it: its package conflicts with Postfix, and the tests send with
# several. Unpacks PACKAGEs into DIR; does nothing if DIR/PROGRAM is there with all its libraries. Fails, with
# the reason, if a package can't be had or needs libraries that are neither installed nor among the packages.
#
#   fetch_mta.sh DIR PROGRAM PACKAGE...
set -eu

dir=$1 program=$2
shift 2

fail() {
	rm -rf "$dir" "$dir.new"
	echo "fetch_mta: $1" >&2
	exit 1
}

# Into $dir.new/deb; apt checks what it gets against the signed lists.
download() {
	rm -rf "$dir.new"
	mkdir -p "$dir.new/deb"
	(cd "$dir.new/deb" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=2 download "$@") \
		>"$dir.log" 2>&1
}

# libraries ROOT: the directories of the libraries that were unpacked, as in LD_LIBRARY_PATH
libraries() {
	find "$1" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:
}

# missing ROOT: the libraries that the program does not find
missing() {
	LD_LIBRARY_PATH=$(libraries "$1") ldd "$1/$program" | sed -n 's/ => not found//p' | xargs
}

if [ -x "$dir/$program" ] && [ -z "$(missing "$dir")" ]; then
	exit 0
fi
mkdir -p "$(dirname "$dir")"
rm -rf "$dir"
# Lists may be missing, or too old for what the mirror has.
download "$@" || { apt-get -q update >"$dir.update.log" 2>&1 && download "$@"; } ||
	fail "apt-get download $*: $(grep '^[EW]:' "$dir.log" | tail -n 1)"
for package in "$dir.new/deb"/*.deb; do
	dpkg-deb -x "$package" "$dir.new"
done
rm -rf "$dir.new/deb"
# The loader ignores LD_LIBRARY_PATH for a program with a group of its own.
chmod -R ug-s "$dir.new"
[ -x "$dir.new/$program" ] || fail "there is no $program in $*"
[ -z "$(missing "$dir.new")" ] || fail "$1 needs $(missing "$dir.new")"
libraries "$dir.new" | sed "s|$dir.new|$dir|g" >"$dir.new/library_path"
# Last, so that a run that was interrupted leaves nothing that looks whole.
mv "$dir.new" "$dir"
