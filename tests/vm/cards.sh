# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cards.sh - the testbed between two virtio_net cards instead of a veth pair

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testbed/testbed.sh"

TESTBED_SLOW=${TESTBED_SLOW:-1}

# both_devices SCRIPT [veth|virtio]: without a kind, runs the script with each,
# and does not return. Call it before testbed_reexec: the cards are in the network
# namespace where the script begins, which this function keeps open.
both_devices() {
	local script=$1 status=0
	shift
	[ -n "${TESTBED_INSIDE:-}" ] || exec 9</proc/self/ns/net
	[ "$#" -eq 0 ] || return 0
	bash "$script" veth || status=$?
	bash "$script" virtio || status=$?
	exit "$status"
}

# card_name MAC: prints the name of the card with that address
card_name() {
	nsenter --net=/proc/self/fd/9 -- ip -j link |
		jq -r --arg mac "$1" '.[] | select(.address == $mac) | .ifname'
}

# card MAC NAMESPACE NAME: moves it into the testbed and renames it. It returns by
# itself when the testbed ends.
card() {
	local name
	name=$(card_name "$1")
	[ -n "$name" ] || skip "there is no network card $1: this is not the guest of run.sh"
	# What the test before left on it.
	nsenter --net=/proc/self/fd/9 -- ip link set dev "$name" down xdp off
	nsenter --net=/proc/self/fd/9 -- ip link set dev "$name" \
		netns "/run/netns/$2" name "$3"
}

# driver_is_meant: the interface is what the test is about
driver_is_meant() {
	local queues
	queues=$(in_mail ethtool -l mx0 | awk '$1 == "Combined:" { print $2; exit }')
	same "$DEVICES: the driver, queues: $queues" "${DEVICES/virtio/virtio_net}" \
		"$(in_mail ethtool -i mx0 | sed -n 's/^driver: //p')"
}

# Replaces the function of tests/testbed/hosts.sh.
# shellcheck disable=SC2329 # testbed_up calls it
testbed_wire() {
	if [ "${DEVICES:-veth}" = veth ]; then
		ip link add mx0 address "$1" netns mail type veth \
			peer name cl0 address "$2" netns clients
		return
	fi
	card "$1" mail mx0
	card "$2" clients cl0
}
