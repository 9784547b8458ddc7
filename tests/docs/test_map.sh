#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_map.sh - docs/architecture.md names each source file, and no file that does not exist
#
# A path in backticks is bpf/x, maps/x, tests/x and so on from the top, or dir/name of userspace/, where
# no extension means name.c and name.h.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
page=$top/docs/architecture.md
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
cd "$top" || exit 1

report() { # WHAT LOG
	if [ -s "$2" ]; then
		printf 'not ok - %s\n' "$1"
		sed 's/^/    /' "$2"
		failed=1
	else
		printf 'ok - %s\n' "$1"
	fi
}

# The words in backticks that begin with a folder of the tree or of userspace/.
folders=$(ls -d -- */ userspace/*/ | sed 's|^userspace/\(.\)|\1|' | tr -d / | sort -u | paste -sd'|')
grep -oE '`[^`]+`' "$page" | tr -d '`' | grep -E "^($folders)/[A-Za-z0-9_./-]*\$" | sort -u >"$scratch/named"

# exists PATH: as it is or in userspace/, with .c or .h if it has no extension
exists() {
	[ -e "$1" ] || [ -e "userspace/$1" ] || [ -e "$1.c" ] || [ -e "$1.h" ] ||
		[ -e "userspace/$1.c" ] || [ -e "userspace/$1.h" ]
}

while read -r path; do
	exists "$path" || echo "$path: no such file"
done <"$scratch/named" >"$scratch/log"
[ "$(wc -l <"$scratch/named")" -gt 50 ] || echo "the page names hardly any file" >>"$scratch/log"
report "every path that docs/architecture.md names exists" "$scratch/log"

for file in bpf/*.[ch] maps/*.[ch] userspace/*/*.[ch]; do
	short=${file#userspace/}
	grep -qxF -e "$short" -e "${short%.?}" -e "$file" "$scratch/named" ||
		echo "$file: not in docs/architecture.md, \"All files\""
done >"$scratch/log"
report "every source file is named in docs/architecture.md" "$scratch/log"

questions=$(awk '/^## A map of the code/ { on = 1; next } /^## / { on = 0 } on && /^\| .*\?.*\| `/' "$page" | wc -l)
: >"$scratch/log"
[ "$questions" -ge 30 ] || echo "$questions questions" >"$scratch/log"
report "the map of the code answers 30 questions" "$scratch/log"
exit "$failed"
