#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Includes point one way (docs/architecture.md). Reads every quoted include of bpf/, maps/ and
# userspace/ and refuses one against the arrow, a circle of headers, and a library that a second
# file includes.
set -u
cd "$(dirname "$0")/../.." || exit 1

# A folder of userspace/ may include those before it.
ORDER="base proto config kernel lists index store dnsbl judge responder observe control daemon"
# The exception: ctl stands apart.
CTL="base proto config ctl control/protocol.h"

# library header: the only file that may include it
LIBRARIES="ares.h dnsbl/dns_channel.c
xdp/libxdp.h kernel/dispatcher.c
maxminddb.h lists/country.c
libconfig.h config/node.c
filter.skel.h kernel/loader_private.h"

failed=0
# result TEXT LINES: one check; LINES is what is wrong
result() {
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		failed=1
	fi
}

# includes: "FILE INCLUDED" for each quoted include, both as paths from the top
includes() {
	local file name
	find bpf maps userspace -name '*.[ch]' | sort | while read -r file; do
		sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file" | while read -r name; do
			if [ "${name%%/*}" != .. ] && [ -e "userspace/$name" ]; then
				echo "$file userspace/$name"
			elif [ "${name%%/*}" != .. ] && [ -e "$name" ]; then
				echo "$file $name"
			else
				echo "$file $(realpath -m --relative-to=. "$(dirname "$file")/$name")"
			fi
		done
	done
}

# allowed FILE INCLUDED
allowed() {
	local from=${1#userspace/} to=${2#userspace/} folder before
	case "$1 $2" in
	bpf/*' bpf/'* | bpf/*' maps/'* | bpf/*' vmlinux.h' | maps/*' maps/'*) return 0 ;;
	bpf/* | maps/*) return 1 ;;
	userspace/*' maps/'* | *.skel.h) return 0 ;;
	esac
	folder=${from%%/*}
	if [ "$folder" = ctl ]; then
		[[ " $CTL " = *" ${to%%/*} "* || " $CTL " = *" $to "* ]]
		return
	fi
	before=" $ORDER "
	[[ "${before%%" $folder "*} $folder " = *" ${to%%/*} "* ]]
}

all=$(includes)
[ "$(printf '%s\n' "$all" | wc -l)" -gt 100 ] || result 'the includes can be read' "$all"

wrong=$(printf '%s\n' "$all" | while read -r from to; do
	allowed "$from" "$to" || echo "$from includes $to"
done)
result 'no include points against the arrow' "$wrong"

folders=$(find userspace -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | tr '\n' ' ')
known=$(printf '%s\n' $ORDER ctl | sort | tr '\n' ' ')
result 'every folder of userspace/ has its place in the arrow' \
	"$([ "$folders" = "$known" ] || echo "there are $folders, known are $known")"

circles=$(printf '%s\n' "$all" | grep '\.h$' | grep '^[^ ]*\.h ' | tsort 2>&1 >/dev/null)
result 'no header includes itself through others' "$circles"

result 'docs/architecture.md has the same arrow' \
	"$(grep -qF "$(echo "$ORDER" | sed 's/ / → /g')" docs/architecture.md ||
		echo "the line '$(echo "$ORDER" | sed 's/ / → /g')' is not there")"

second=$(printf '%s\n' "$LIBRARIES" | while read -r header files; do
	grep -rlE "^#include [<\"]$header[>\"]" userspace maps | sed 's|^userspace/||' | while read -r file; do
		[[ " $files " = *" $file "* ]] || echo "$file includes $header: only $files may"
	done
done)
result 'each library is known to one file' "$second"

# Both kinds of refusal are seen: a test that can't fail is none.
allowed userspace/base/addr.c userspace/daemon/agent.h && result 'the arrow is checked' 'base may include daemon'
allowed userspace/ctl/ctl.c userspace/control/control.h && result 'ctl is checked' 'ctl may include control'
exit $failed
