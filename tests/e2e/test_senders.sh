#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_senders.sh - what real senders make of the answers that repgate gives
#
# Postfix, Exim and swaks send from listed addresses, IPv4 and IPv6. With QIL
# they requeue on the 450, show its text in their queues, and deliver by their
# own retry once the listing is over; with Standard and `reject` they bounce at
# once with the text of the 550; with `reset` they go to the next MX.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
# shellcheck source-path=SCRIPTDIR source=senders.sh
. "$(dirname "$0")/senders.sh"
# The mirrors can be reached only from outside of the testbed.
[ -n "${TESTBED_INSIDE:-}" ] || fetch_mtas exim
testbed_reexec "$0" "$@"

mapfile -t MTAS < <(echo postfix && fetched exim)

# Seconds that a QIL listing lives in the resolver and in repgate.
QIL_TTL=4
LOOKUP_URL='http://www.mail-abuse.com/cgi-bin/lookup?ip_address='

# Each sender and scenario has its own address of each family: SOURCE[MTA-USER],
# where USER is qil4, qil6, standard4 and so on.
plan_sources() {
	local mta scenario number=10
	for mta in postfix exim swaks; do
		for scenario in qil standard reset; do
			number=$((number + 1))
			SOURCE[$mta-${scenario}4]=203.0.113.$number
			SOURCE[$mta-${scenario}6]=2001:db8:21:$number::25
		done
	done
}

# sources SCENARIO...: the addresses of these scenarios
sources() {
	local key scenario
	for key in "${!SOURCE[@]}"; do
		for scenario in "$@"; do
			[[ $key != *-$scenario? ]] || echo "${SOURCE[$key]}"
		done
	done
}

# temporary ADDRESS, permanent ADDRESS: the reply as ERS words it
temporary() {
	printf '450 4.7.1 Mail from %s temporarily blocked using Trend Micro Email Reputation Services. Please see %s' \
		"$1" "$LOOKUP_URL$1"
}

permanent() {
	printf '550 5.7.1 Mail from %s blocked using Trend Micro Email Reputation Services. Please see %s' \
		"$1" "$LOOKUP_URL$1"
}

# has_text TEXT COMMAND...: does what the command prints contain the text, on
# however many lines?
has_text() {
	local text=$1 printed
	shift
	printed=$("$@" | tr -s ' \n\t' ' ')
	[[ $printed == *"$text"* ]] || { echo "$printed" && return 1; }
}

# comes WHAT COMMAND...: passes once the command does; fails if it never does
comes() {
	local what=$1
	shift
	if wait_for 20 "$@"; then
		ok "$what"
	else
		not_ok "$what" "not within 20 s: $*"$'\n'"$("$@" 2>&1 || true)"
		return 1
	fi
}

fails() {
	! "$@"
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# each FUNCTION [ARGUMENT...]: calls it with MTA and family, and the arguments
each() {
	local mta family function=$1
	shift
	for mta in "${MTAS[@]}"; do
		for family in 4 6; do
			"$function" "$mta" "$family" "$@"
		done
	done
}

# from MTA FAMILY SCENARIO DOMAIN: the MTA gets a mail to send
from() {
	submit "$1" "$3$2" "$4" "$1-$3$2"
}

start() {
	sources standard | sed 's/$/ 127.1.0.1/' | ers_zone standard 3600
	sources qil reset | sed 's/$/ 127.0.0.32/' | ers_zone qil "$QIL_TTL" 2
	zones_start
	postfix_start
	# Not only example.org.
	postconf -c "$TESTBED/postfix/conf" -e \
		"virtual_mailbox_domains = example.org $ONE_MX $TWO_MX"
	kill -HUP "${TESTBED_PID[postfix]}"
	senders_dns_start
	second_mx_start
	sending_postfix_start
	[[ ${MTAS[*]} != *exim* ]] || sending_exim_start
	CONF[ers]="{
	activation_code_file = \"$TESTBED/repgate/activation-code\";
	standard_action = \"reject\"; qil_action = \"tempfail\";
	qil_ttl_min = \"${QIL_TTL}s\";
}"
	repgate_config
	repgate_start
}

# --- 550 ---------------------------------------------------------------------

# One attempt, and the sender knows; the second MX is not asked.
bounced() {
	local mta=$1 id=$1-standard$2 address=${SOURCE[$1-standard$2]} text bounce
	text=$(permanent "$address")
	comes "$mta, IPv$2, Standard: a bounce is made" \
		bounce_of "$mta" "$id" || return 0
	bounce=$(bounce_of "$mta" "$id")
	check "$mta, IPv$2, Standard: it has our text" \
		has_text "$text" cat "$bounce"
	check "$mta, IPv$2, Standard: so has the log" \
		has_text "$text" log_text "$mta" "$id"
	same "$mta, IPv$2, Standard: after one attempt" 1 \
		"$(log_count "$mta" "$id" 'said: 550|RCPT TO:.*: 550')"
	same "$mta, IPv$2, Standard: it was not deferred" 0 \
		"$(log_count "$mta" "$id" 'status=deferred| == ')"
	check "$mta, IPv$2, Standard: it leaves the queue" \
		wait_for 5 queue_empty "$mta" "$id"
	check "$mta, IPv$2, Standard: the next MX did not get it" \
		fails second_has "$id"
}

# --- 450 ---------------------------------------------------------------------

queue_shows() {
	has_text "$3" queue_text "$1" "$2"
}

requeued() {
	local mta=$1 id=$1-qil$2 text
	text=$(temporary "${SOURCE[$mta-qil$2]}")
	comes "$mta, IPv$2, QIL: the queue shows our text" \
		queue_shows "$mta" "$id" "$text" || return 0
	comes "$mta, IPv$2, QIL: it tries again, in vain" \
		log_has "$mta" "$id" 'said: 450|RCPT TO:.*: 450' 2 || return 0
	check "$mta, IPv$2, QIL: nothing was delivered" \
		fails mail_arrived "$id"
}

# mail_file ID: the mail in the recipient's mailbox
mail_file() {
	grep -rlsE "^X-Test-Id: $1\$" "$TESTBED/mail/inbox/new"
}

# received_from ID ADDRESS
received_from() {
	grep -E "\[(IPv6:)?$2\]" "$(mail_file "$1")"
}

# When the last thing that refuses a sender ends, in ms: repgate's entry, which
# outlives the listing, or if there is none just now, the listing.
declare -A ENDS=()

# note_end MTA FAMILY LISTING_ENDED
note_end() {
	local now left
	now=$(now_ms)
	left=$(lookup "${SOURCE[$1-qil$2]}" \
		'if .class == "qil" then .expires_in * 1000 | floor else 0 end')
	ENDS[$1-$2]=$((left > 0 ? now + left : $3))
}

delivered() {
	local mta=$1 id=$1-qil$2 arrived
	comes "$mta, IPv$2, QIL: its own retry delivers" \
		mail_arrived "$id" || return 0
	check "$mta, IPv$2, QIL: from that address" \
		received_from "$id" "${SOURCE[$mta-qil$2]}"
	arrived=$(stat -c %.3Y "$(mail_file "$id")")
	arrived=$((${arrived/./} - ${ENDS[$mta-$2]}))
	# A file's time is that of the last tick of the kernel's clock.
	check "$mta, IPv$2, QIL: $arrived ms after repgate's entry ended" \
		test "$arrived" -ge -20
	check "$mta, IPv$2, QIL: nothing is left in the queue" \
		wait_for 5 queue_empty "$mta" "$id"
	check "$mta, IPv$2, QIL: no bounce was made" \
		fails bounce_of "$mta" "$id"
}

queue_empty() {
	[ -z "$(queue_text "$1" "$2")" ]
}

# --- reset -------------------------------------------------------------------

next_mx() {
	local mta=$1 id=$1-reset$2
	comes "$mta, IPv$2, reset: the next MX gets the mail" \
		second_has "$id" || return 0
	check "$mta, IPv$2, reset: the first one refused the connection" \
		grep -qE "$(refused_by_first "$mta" "$2")" "$TESTBED/$(log_name "$mta")"
	same "$mta, IPv$2, reset: it was not deferred" 0 \
		"$(log_count "$mta" "$id" 'status=deferred| == ')"
	check "$mta, IPv$2, reset: the first MX did not get it" \
		fails mail_arrived "$id"
}

log_name() {
	[ "$1" = exim ] && echo exim_main.log || echo sending_postfix.log
}

# refused_by_first MTA FAMILY: how the log words it, as a pattern
refused_by_first() {
	local server=$MX4
	[ "$2" = 4 ] || server=$MX6
	case $1 in
	exim) printf 'mx\\.example\\.org \\[%s\\].* Connection refused' "$server" ;;
	postfix) printf 'mx\\.example\\.org\\[%s\\]:25: Connection refused' "$server" ;;
	esac
}

# --- swaks, which has no queue -----------------------------------------------

# swaks_meets SCENARIO OUTCOME [TEXT]
swaks_meets() {
	local family answer address
	for family in 4 6; do
		address=${SOURCE[swaks-$1$family]}
		answer=$(send_mail "$address" "swaks-$1$family-$2")
		same "swaks, IPv$family, $1: $2" "$2" "$(cut -f 1 <<<"$answer")"
		[ -z "${3:-}" ] || same "swaks, IPv$family, $1: with our text" \
			"$("$3" "$address")" "$(cut -f 4 <<<"$answer")"
	done
}

is_free() {
	[ "$(lookup "$1" .class)" != qil ]
}

# --- the order of things -----------------------------------------------------

main() {
	local address ended
	plan_sources
	testbed_up
	start

	each from qil "$ONE_MX"
	each from standard "$TWO_MX"
	swaks_meets standard 5xx permanent
	swaks_meets qil 4xx temporary
	each bounced
	each requeued

	ended=$(now_ms)
	sources reset | sed 's/$/ 127.0.0.32/' | ers_zone qil "$QIL_TTL" 2
	zones_reload
	each note_end "$ended"
	each delivered
	for address in $(sources qil); do
		must "the listing of $address does not end" wait_for 20 is_free "$address"
	done
	swaks_meets qil delivered

	check "qil_action becomes reset" ctl set qil_action reset
	each from reset "$TWO_MX"
	swaks_meets reset reset
	each next_mx
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
