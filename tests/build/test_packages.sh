#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_packages.sh - dist/packages.sh calls apt on Debian and its derivatives only
#
# With a faked os-release, and with an apt-get in front of the real one that only notes that it was called.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

result() { # STATUS WHAT
	if [ "$1" -eq 0 ]; then
		printf 'ok - %s\n' "$2"
	else
		printf 'not ok - %s\n' "$2"
		sed 's/^/    /' "$scratch/output"
		failed=1
	fi
}

# packages OS_RELEASE_LINE PACKAGE...: the exit status; the output is in $scratch/output.
packages() {
	printf '%b\n' "$1" >"$scratch/os-release"
	shift
	rm -f "$scratch/called"
	OS_RELEASE=$scratch/os-release PATH=$scratch/bin:$PATH \
		"$top/dist/packages.sh" "$scratch/log" "$@" >"$scratch/output" 2>&1
}

mkdir "$scratch/bin"
printf '#!/bin/sh\necho "$@" >>%s\n' "$scratch/called" >"$scratch/bin/apt-get"
printf '#!/bin/sh\nexit 0\n' >"$scratch/bin/dpkg-query"
chmod +x "$scratch/bin"/*

if [ "$(id -u)" -eq 0 ]; then
	for os in 'ID=debian' 'ID=ubuntu\nID_LIKE=debian' 'ID=linuxmint\nID_LIKE="ubuntu debian"'; do
		packages "$os" rbldnsd
		result $? "${os//'\n'/ }: apt-get succeeds"
		grep -q 'install .*rbldnsd' "$scratch/called"
		result $? "${os//'\n'/ }: apt-get installs what is missing"
	done
fi

for os in 'ID=fedora\nID_LIKE="rhel centos"' 'ID=arch' ''; do
	packages "$os" no-such-program libbpf-dev
	[ $? -eq 1 ]
	result $? "'${os//'\n'/ }': fails if something is missing"
	grep -q 'program no-such-program' "$scratch/output" && ! grep -q libbpf "$scratch/output"
	result $? "'${os//'\n'/ }': names what is missing, and nothing else"
	[ ! -e "$scratch/called" ]
	result $? "'${os//'\n'/ }': does not call apt-get"
done

# All is installed here, or this test would not run: each package of the Makefile stands for something
# that can be found.
mapfile -t all < <(make -s --no-print-directory -C "$top" print-packages | xargs -n 1)
packages ID=fedora "${all[@]}"
result $? "all ${#all[@]} packages of the Makefile: found without apt"
[ "${#all[@]}" -gt 20 ]
result $? "the Makefile has a list of packages"
exit "$failed"
