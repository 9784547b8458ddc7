#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_links.sh - every relative link of the documentation leads to a file, and its #anchor to a heading
#
# Twice: in the source tree, and in a copy that `make install-docs` puts under a DESTDIR. In the copy the
# paths that the manual pages name under /usr/share/doc must exist too.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

report() { # WHAT LOG
	if [ -s "$2" ]; then
		printf 'not ok - %s\n' "$1"
		sed 's/^/    /' "$2"
		failed=1
	else
		printf 'ok - %s\n' "$1"
	fi
}

# The anchors that GitHub makes of the headings of a page.
anchors() {
	awk '/^(```|~~~)/ { code = !code } !code && /^#+ / { sub(/^#+ +/, ""); print tolower($0) }' "$1" |
		sed 's/[`*]//g; s/[^a-z0-9 _-]//g; s/ /-/g'
}

# The targets of links and pictures, one a line; blocks of code are left out.
targets() {
	awk '/^(```|~~~)/ { code = !code } !code && !/^    /' "$1" |
		grep -oE '\]\([^)[:space:]]+\)' | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:'
}

# check_page ROOT PAGE: prints each link of ROOT/PAGE that leads nowhere, or out of ROOT.
check_page() {
	local root=$1 page=$2 target file anchor
	while read -r target; do
		file=${target%%#*} anchor=
		[ "$file" = "$target" ] || anchor=${target#*#}
		file=$(realpath -m "$root/$(dirname "$page")/$file")
		[ "${target:0:1}" != '#' ] || file=$root/$page
		if [ ! -e "$file" ] || [ "${file#"$root"/}" = "$file" ]; then
			echo "$page: $target: no such file"
		elif [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; then
			echo "$page: $target: no such heading"
		fi
	done < <(targets "$root/$page")
}

# check_tree ROOT WHAT: all pages below ROOT.
check_tree() {
	local root=$1 log=$scratch/log page count=0
	: >"$log"
	while read -r page; do
		count=$((count + 1))
		check_page "$root" "$page" >>"$log"
	done < <(cd "$root" && find . -name '*.md' -not -path './.*/*' | sed 's|^\./||' | sort)
	[ "$count" -gt 0 ] || echo "no pages in $root" >>"$log"
	report "$2" "$log"
}

# Paths under /usr/share/doc that the manual pages name.
check_man() {
	local log=$scratch/log path
	: >"$log"
	for path in $(grep -ohE '/usr/share/doc/repgate[A-Za-z0-9/._-]*' "$top"/man/* | sort -u); do
		[ -e "$scratch/root$path" ] || echo "$path" >>"$log"
	done
	report "the files that the manual pages name are installed" "$log"
}

check_tree "$top" "the links of the source tree"
if make -s -C "$top" install-docs BUILD="$scratch/build" PREFIX=/usr DESTDIR="$scratch/root" \
	>"$scratch/make" 2>&1; then
	check_tree "$scratch/root/usr/share/doc/repgate" "the links of the installed pages"
	check_man
else
	report "make install-docs" "$scratch/make"
fi
exit "$failed"
