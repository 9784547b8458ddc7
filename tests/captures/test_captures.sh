#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_captures.sh - the XDP programs against tshark, the kernel and the model, over captures of packets
#
#	CAPTURES	folders or files with more captures (pcap, pcapng), besides those that are made here
#
# The rule of agreement is at the top of captures.c. Captures of others come in portions, so that they fit
# into memory.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
tools=$top/${BUILD:-.build}/tests/captures
[ -d "${BUILD:-}" ] && tools=$(cd "$BUILD" && pwd)/tests/captures
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

if [ "$(id -u)" -ne 0 ]; then
	echo "skipped: needs root"
	exit 77
fi
mkdir "$scratch/made"
"$tools/make_captures" "$scratch/made" || exit 1
"$tools/captures" "$scratch"/made/* || failed=1

# At most a thousand files, or 32 MB, at a time.
if [ -n "${CAPTURES:-}" ]; then
	# shellcheck disable=SC2086 # several folders
	find $CAPTURES -type f -size +24c -printf '%s\t%p\n' | sort -t "$(printf '\t')" -k 2 |
		awk -F '\t' -v base="$scratch/portion" '
			count == 1000 || (count && bytes + $1 > 32e6) { part++; count = bytes = 0 }
			{ count++; bytes += $1; print $2 > sprintf("%s.%05d", base, part) }'
	for portion in "$scratch"/portion.*; do
		[ -e "$portion" ] || { echo "not ok - CAPTURES has no files"; failed=1; break; }
		mapfile -t files <"$portion"
		"$tools/captures" "${files[@]}" || failed=1
	done
fi
exit "$failed"
