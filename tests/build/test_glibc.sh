#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_glibc.sh - the programs call no function that glibc got after 2.31
#
# So they can be built on Debian 11, Ubuntu 20.04 and their like, and on what has them as
# a base. A symbol's version says when a function came, or when it moved to libc.so.6 or
# changed: those that are older than their version are named here.
set -u
export LC_ALL=C

BUILD=${BUILD:-.build}
oldest=31 # 2.31
# From other libraries into libc.so.6 (2.34), stat() and its like (2.33), C23's strtol() (2.38), and
# sem_* and pthread_* that only changed their home.
moved='^(pthread_|sem_|dl|__libc_start_main$|stat$|fstat$|lstat$|fstatat$|mknod|__isoc23_|getaddrinfo|ns_|res_|__res)'
status=0

for program in repgated repgatectl; do
	nm -D --undefined-only "$BUILD/$program" | awk -v oldest="$oldest" -v moved="$moved" '
		{ split($2, part, "@"); version = part[length(part)] }
		version !~ /^GLIBC_2\./ { next }
		{ total++; minor = version; sub(/^GLIBC_2\./, "", minor) }
		minor + 0 > oldest && part[1] !~ moved { print part[1] " came with " version; bad = 1 }
		END { if (total < 50) { print "only " total + 0 " symbols found"; bad = 1 } exit bad }
	' >"$BUILD/glibc.log"
	if [ $? -eq 0 ]; then
		echo "ok - $program needs no function that glibc got after 2.$oldest"
	else
		echo "not ok - $program needs no function that glibc got after 2.$oldest"
		sed 's/^/    /' "$BUILD/glibc.log"
		status=1
	fi
done
exit "$status"
