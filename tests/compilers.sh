#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# compilers.sh - repgate compiles without a warning with every gcc and clang that is installed
#
# Each compiler builds the agent and repgatectl with -O3, and with the hardening flags of the
# distribution (dpkg-buildflags, hardening=+all; elsewhere the same flags written out). A clang builds
# the BPF programs as well. Then: _FORTIFY_SOURCE=3 given by the environment, and WERROR=0 with a warning.
# The output of each build is in $BUILD/compilers/NAME.log; the last line counts.
#
#	BUILD		where to build (.build)
#	COMPILERS	the compilers (gcc, clang, gcc-N and clang-N, as far as they are installed)
set -uo pipefail
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
out=${BUILD:-.build}/compilers
passed=0 failed=0
# What a caller's make passes on is not for these builds.
unset MAKEFLAGS MFLAGS CFLAGS CPPFLAGS LDFLAGS

# compilers: those that are installed; gcc and gcc-12 are one if they have the same version.
compilers() {
	local compiler version
	local -A seen=()
	for compiler in gcc clang gcc-{12..16} clang-{14..22}; do
		command -v "$compiler" >/dev/null || continue
		version=${compiler%%-*}$("$compiler" -dumpversion)
		[ -n "${seen[$version]:-}" ] || echo "$compiler"
		seen[$version]=yes
	done
}

# build NAME COMPILER [VARIABLE=VALUE...]: the variables go into the environment, as a packager's do.
build() {
	local name=$1 compiler=$2 dir=$out/$1 begun=$SECONDS bpf=()
	shift 2
	[[ $compiler != clang* ]] || bpf=(CLANG="$compiler")
	rm -rf "$dir"
	mkdir -p "$out"
	if env "$@" make -j"$(nproc)" BUILD="$dir" CC="$compiler" "${bpf[@]}" all >"$out/$name.log" 2>&1; then
		passed=$((passed + 1))
		printf 'ok - %s (%d s)\n' "$name" $((SECONDS - begun))
	else
		failed=$((failed + 1))
		printf 'not ok - %s, see %s\n' "$name" "$out/$name.log"
		grep -E 'error|warning' "$out/$name.log" | head -n 10
	fi
	rm -rf "$dir"
}

# hardening: VARIABLE=VALUE, one a line
hardening() {
	local variable
	for variable in CFLAGS CPPFLAGS LDFLAGS; do
		printf '%s=%s\n' "$variable" "$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get "$variable" 2>/dev/null ||
			fallback_flags "$variable")"
	done
}

fallback_flags() {
	case $1 in
	CFLAGS) echo "-g -O2 -fstack-protector-strong -Wformat -Werror=format-security -fPIE" ;;
	CPPFLAGS) echo "-Wdate-time -D_FORTIFY_SOURCE=2" ;;
	LDFLAGS) echo "-Wl,-z,relro -Wl,-z,now -pie" ;;
	esac
}

read -ra list <<<"${COMPILERS:-$(compilers | xargs)}"
mapfile -t flags < <(hardening)
for compiler in "${list[@]}"; do
	build "$compiler-O3" "$compiler" CFLAGS="-O3 -g"
	build "$compiler-hardening" "$compiler" "${flags[@]}"
done
build "fortify-3" "${list[0]}" CFLAGS="-O2 -g -Wp,-D_FORTIFY_SOURCE=3"
build "werror-0" "${list[0]}" CFLAGS="-O2 -g -Wpadded" WERROR=0
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
