#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_arrow.sh - the includes of userspace/ follow the arrow that docs/architecture.md draws
#
# The order of the folders is that of the table in docs/architecture.md: a folder may include itself and
# those above it. ctl/ may include base/, proto/, config/ and control/protocol.h. bpf/ and userspace/ may
# include maps/; maps/ includes neither.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
page=$top/docs/architecture.md
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

# The folders in the page's order, one a line; ctl/ has its own rule.
rooms() {
	awk '/^\| folder \| subject/ { on = 1; next } on && !/^\|/ { exit } on' "$page" |
		sed -n 's/^| `\([a-z]*\)\/` .*/\1/p' | grep -vx ctl
}

# "FOLDER TARGET FILE:LINE" for each quoted include with a folder in it.
includes() {
	(cd "$top/userspace" && grep -rnE '^#include "[a-z_]+/' --include='*.[ch]' .) |
		sed -nE 's|^\./([a-z]+)/([^:]*):([0-9]+):#include "([^"]*)".*|\1 \4 userspace/\1/\2:\3|p'
}

rooms >"$scratch/rooms"
(cd "$top/userspace" && ls -d -- */ | tr -d / | grep -vx ctl | sort) >"$scratch/there"
sort "$scratch/rooms" | diff - "$scratch/there" >"$scratch/log"
report "the arrow names each folder of userspace/, once" "$scratch/log"

includes | awk -v rooms="$(tr '\n' ' ' <"$scratch/rooms")" '
	BEGIN { n = split(rooms, names, " "); for (i = 1; i <= n; i++) order[names[i]] = i }
	{
		split($2, part, "/")
		target = part[1]
		if (target == "maps" || target == $1)
			next
		if ($1 == "ctl") {
			if (target !~ /^(base|proto|config)$/ && $2 != "control/protocol.h")
				print $3 ": ctl/ may not include " $2
		} else if (!(target in order)) {
			print $3 ": " $2 ": no such folder"
		} else if (order[target] > order[$1]) {
			print $3 ": " $1 "/ may not include " $2
		}
	}' >"$scratch/log"
[ "$(includes | wc -l)" -gt 100 ] || echo "the includes were not found" >>"$scratch/log"
report "no include of userspace/ points against the arrow" "$scratch/log"

(cd "$top" && grep -nE '#include "' maps/*.[ch] | grep -E '"(userspace|bpf|tests)/|\.bpf\.h"' | grep -v '"maps\.bpf\.h"'
	cd "$top" && grep -nE '#include "' bpf/*.[ch] | grep -E "\"($(paste -sd'|' "$scratch/rooms")|ctl|userspace|tests)/") \
	>"$scratch/log"
report "maps/ includes neither side, bpf/ nothing of userspace/" "$scratch/log"
exit "$failed"
