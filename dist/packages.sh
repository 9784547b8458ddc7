#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# packages.sh - sees to it that what building and testing need is there
#
#	packages.sh LOG [--no-services] PACKAGE...
#
# On Debian and its derivatives, installs the packages that are missing (as root). With --no-services
# no package may start a service: the tests start their own, in their own namespaces.
#
# On another distribution, installs nothing. Looks for the library, program or header that each
# package stands for (dist/needs.txt); fails and names what is missing, or succeeds if all is there.
#
# OS_RELEASE replaces /etc/os-release, for the test of this script.
set -eu

here=$(dirname "$0")
log=$1
services=yes
missing=
shift
if [ "${1:-}" = --no-services ]; then
	services=no
	shift
fi

# os-release(5): Debian's derivatives name it in ID_LIKE.
is_debian() (
	ID='' ID_LIKE=''
	# shellcheck disable=SC1090
	. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null || true
	case " $ID $ID_LIKE " in
	*' debian '*) return 0 ;;
	esac
	return 1
)

# --- other distributions -------------------------------------------------------

# is_there KIND NAME
is_there() {
	case $1 in
	library) pkg-config --exists "$2" 2>/dev/null ;;
	program) PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ;;
	header) echo "#include <$2>" | "${CC:-cc}" -E - >/dev/null 2>&1 ;;
	perl) perl "-M$2" -e 1 2>/dev/null ;;
	none) ;; # part of something else, or for Debian only
	*) return 1 ;;
	esac
}

say_what_is_missing() {
	echo "repgate knows how to install packages on Debian and its derivatives only."
	echo "Please install these and try again:"
	printf '%s' "$missing" | sort
}

look_for() {
	for package in "$@"; do
		needs=$(awk -v package="$package" '$1 == package { print $2, $3 }' "$here/needs.txt")
		[ -n "$needs" ] || needs="program $package"
		while read -r kind name; do
			is_there "$kind" "$name" || missing="$missing  $kind $name (Debian: $package)
"
		done <<-END
		$needs
		END
	done
	[ -z "$missing" ] || {
		say_what_is_missing >&2
		exit 1
	}
}

# --- Debian --------------------------------------------------------------------

# The installed packages and what they provide, one a line: libgnutls-dane0 is libgnutls-dane0t64 in Debian 13.
installed() {
	# shellcheck disable=SC2016 # fields of dpkg-query
	dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' | sed -n 's/([^)]*)//g; s/,/ /g; s/^installed //p' |
		tr -s ' ' '\n'
}

clean_up() {
	[ -z "$made_policy" ] || rm -f "$policy"
}

# forbid_services: policy-rc.d's 101 means that no service may be started.
forbid_services() {
	policy=/usr/sbin/policy-rc.d
	made_policy=
	trap clean_up EXIT
	trap 'exit 1' HUP INT TERM
	if [ ! -e "$policy" ]; then
		made_policy=yes
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
}

# apt: waits for a lock that another apt holds.
apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
}

install_packages() {
	have=$(installed)
	for package in "$@"; do
		printf '%s\n' "$have" | grep -qxF -- "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "These packages are missing, and only root can install them:$missing" >&2
		exit 1
	fi
	[ "$services" = yes ] || forbid_services
	echo "Installing:$missing"
	# shellcheck disable=SC2086 # a list of words
	if ! { apt update && apt install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "Packages could not be installed, see $log" >&2
		exit 1
	fi
}

if is_debian; then
	install_packages "$@"
else
	look_for "$@"
fi
