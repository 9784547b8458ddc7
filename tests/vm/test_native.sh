#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_native.sh - every action, native and generic, on a veth pair and on virtio_net cards
#
#	test_native.sh [veth|virtio]
#
# Without an argument both, one after the other. The cards are the guest's, and
# joined outside of it (run.sh): what the one sends the other receives.

# shellcheck source-path=SCRIPTDIR source=cards.sh
. "$(dirname "$0")/cards.sh"
both_devices "$0" "$@"
testbed_reexec "$0" "$@"
DEVICES=$1

STANDARD="203.0.113.11 2001:db8:21:11::25"
QIL="203.0.113.32 2001:db8:21:32::25"
CLEAN="198.51.100.10 2001:db8:21:10::25"
BLOCKED="198.51.100.66 2001:db8:21:66::25"

# connect MS ADDRESS...: "OUTCOME SYNS" of each
connect() {
	local time=$1
	shift
	in_clients "$BUILD/tests/syn_client" -n -t "$time" "$MX4,$MX6" 25 "$@" |
		cut -f 2,4 | tr '\t' ' ' | xargs
}

xdp_of_mx0() {
	in_mail ip -j link show dev mx0 | jq -r '.[0].xdp.mode // "none"'
}

status_of_mx0() {
	ctl --json status | jq -r '.interfaces[0].mode'
}

# The kernel's number for the mode, 1 native, 2 generic.
mode_number() {
	[ "$1" = native ] && echo 1 || echo 2
}

# actions NAME
actions() {
	local name=$1 wait=$((200 * TESTBED_SLOW))
	# shellcheck disable=SC2086 # words
	{
		same "$name: unknown clean peers are held, then connect" \
			'connected 1 connected 1' "$(connect $((4 * wait)) $CLEAN)"
		same "$name: known ones connect" 'connected 1 connected 1' \
			"$(connect $((4 * wait)) $CLEAN)"
		same "$name: unknown listed peers get no answer" timeout \
			"$(connect "$wait" $STANDARD | tr -d ' 0-9' | sed 's/^timeouttimeout$/timeout/')"
		same "$name: unknown QIL peers are reset" 'refused 1 refused 1' \
			"$(connect $((4 * wait)) $QIL)"
		same "$name: known QIL peers are reset" 'refused 1 refused 1' \
			"$(connect $((4 * wait)) $QIL)"
		same "$name: blocked peers get no answer" timeout \
			"$(connect "$wait" $BLOCKED | tr -d ' 0-9' | sed 's/^timeouttimeout$/timeout/')"
	}
	same "$name: nothing was lost" '{}' "$(ctl --json stats | jq -c \
		'.losses | del(.sample_limit) | with_entries(select(.value > 0))')"
}

# reply ADDRESS: the reply that ended the mail, without its text
reply() {
	send_mail "$1" "n$((++MAIL))" $((3 * TESTBED_SLOW)) | cut -f 4 | cut -d ' ' -f 1,2
}
MAIL=0

# The responder answers instead of the mail server: sk_lookup.
answers() {
	local name=$1 address
	ctl set standard_action reject >/dev/null
	ctl set qil_action tempfail >/dev/null
	for address in $STANDARD; do
		same "$name: reject answers $address" '550 5.7.1' \
			"$(reply "$address")"
	done
	for address in $QIL; do
		same "$name: tempfail answers $address" '450 4.7.1' \
			"$(reply "$address")"
	done
}

# in_mode native|generic
in_mode() {
	local name="$DEVICES, $1"
	CONF[xdp_mode]="\"$1\""
	repgate_config
	repgate_start
	same "$name: status" "$1" "$(status_of_mx0)"
	same "$name: the kernel agrees" "$(mode_number "$1")" "$(xdp_of_mx0)"
	actions "$name"
	answers "$name"
	repgate_stop
	same "$name: stopped, nothing is attached" none "$(xdp_of_mx0)"
}

testbed_up
driver_is_meant
printf '%s 127.1.0.1\n' ${STANDARD/ *} 2001:db8:21:11::/64 | ers_zone standard
printf '%s 127.0.0.32\n' ${QIL/ *} 2001:db8:21:32::/64 | ers_zone qil
zones_start
sink_start
repgate_config
tr ' ' '\n' <<<"$BLOCKED" | local_list blocked these
in_mode native
in_mode generic
finish
