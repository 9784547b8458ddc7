#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs the Debian packages that are missing. With --no-services none of them may start a service:
# the tests run their own, in their own namespaces.
#
#   packages.sh LOG [--no-services] PACKAGE...
set -eu

log=$1
policy=/usr/sbin/policy-rc.d
made_policy=
missing=
services=yes
shift
if [ "${1:-}" = --no-services ]; then
	services=no
	shift
fi

for package in "$@"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "These packages are missing, and only root can install them:$missing" >&2
	exit 1
fi

clean_up() {
	[ -z "$made_policy" ] || rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
if [ "$services" = no ] && [ ! -e "$policy" ]; then
	made_policy=yes
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# A lock that another apt holds is waited for.
wait_for_lock='-o DPkg::Lock::Timeout=300'
# shellcheck disable=SC2086 # lists of words
if ! { apt-get $wait_for_lock update &&
	apt-get $wait_for_lock install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "Packages could not be installed, see $log" >&2
	exit 1
fi
