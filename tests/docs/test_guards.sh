#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_guards.sh - docs/security.md names every guard of the code, and no other
set -u
export LC_ALL=C

cd "$(dirname "$0")/../.." || exit 1
code=$({
	sed -n 's/^	X([A-Z_]*, \([a-z_]*\), .*/\1/p' userspace/observe/guards.h
	sed -n 's/.*append(all, "\([a-z]*\)".*/\1/p' userspace/observe/guards.c
} | sort)
page=$(sed -n '/^## Guards/,$s/^| `\([a-z_]*\)` |.*/\1/p' docs/security.md | sort)
if [ -n "$code" ] && [ "$code" = "$page" ]; then
	printf 'ok - the guards of the page are those of the code\n'
	exit 0
fi
printf 'not ok - the guards of docs/security.md are those of userspace/observe/guards.[ch]\n'
diff <(echo "$code") <(echo "$page")
exit 1
