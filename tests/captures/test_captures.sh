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

# PORTION files at most at a time.
PORTION=100
# shellcheck disable=SC2086 # several folders
[ -z "${CAPTURES:-}" ] ||
	find $CAPTURES -type f -size +24c -print0 | sort -z | xargs -0 -r -n "$PORTION" "$tools/captures" || failed=1
exit "$failed"
