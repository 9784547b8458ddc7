#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_slow_zones.sh - zones that are slow, that break about one family of addresses, or that answer nonsense
#
# - A zone that breaks about IPv6 addresses refuses IPv4 ones as ever, and the other way round.
# - A zone that answers everything with 0.0.0.0, and an allow zone that does with 127.0.0.255, are disabled.
# - A zone whose answers all take longer than hold_timeout stays good: its listed peers are refused at the second try.
# - A reload that changes only on_dns_failure counts for verdicts, too.
# - Twenty peers at once and a silent zone: it is open as soon as the first question has failed.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# Zone | names for this family | are answered so. Each zone lists 10.21.PLACE.0/24 and an IPv6 network.
FAMILIES='
refused6|6|refused
servfail6|6|servfail
notimp6|6|notimp
silent6|6|drop
refused4|4|refused
silent4|4|drop
'
ZONES="$(cut -d '|' -f 1 <<<"$FAMILIES" | xargs) zero allows slow dead only4"
FRONT=127.0.0.1:5354
FRONT_CONTROL=127.0.0.1:5355
PEERS=20

declare -A PLACE=()
place_zones() {
	local zone i=0
	for zone in $ZONES; do
		PLACE[$zone]=$((++i))
	done
}

# listed ZONE FAMILY FIRST COUNT: prints addresses that this zone alone lists
listed() {
	local i
	for ((i = $3; i < $3 + $4; i++)); do
		if [ "$2" = 4 ]; then
			printf '10.21.%d.%d\n' "${PLACE[$1]}" "$i"
		else
			printf '2001:db8:21:%x::25\n' $((PLACE[$1] * 0x100 + i))
		fi
	done
}

# clean FIRST COUNT: prints IPv4 addresses that no zone lists
clean() {
	seq "$1" $(($1 + $2 - 1)) | awk '{ printf "10.21.%d.%d\n", 128 + $1 / 250, 1 + $1 % 250 }'
}

# meet [OPTION...] <ADDRESSES: prints how many had each outcome, e.g. connected=20
meet() {
	in_clients "$BUILD/tests/syn_client" -n "$@" -f - "$MX4,$MX6" 25 >"$TESTBED/met"
	cut -f 2 "$TESTBED/met" | sort | uniq -c | awk '{ print $2 "=" $1 }' | xargs
}

longest() {
	cut -f 3 "$TESTBED/met" | sort -n | tail -n 1
}

# fault ZONE FAULT...: in force on return
fault() {
	local name=$1.example answer
	shift
	case $1 in
	[46]/*) name=$name/${1%/*} && set -- "${1#*/}" "${@:2}" ;;
	esac
	answer=$(in_mail bash -c "exec 3<>/dev/udp/${FRONT_CONTROL/:/\/} && echo '$name $*' >&3 &&
		timeout 5 head -n 1 <&3")
	must "dns_fault: $name $*: $answer" test "$answer" = ok
}

# zone ZONE FILTER: prints a part of the zone's row in `repgatectl zones`
zone() {
	ctl --json zones | jq -r ".zones[] | select(.zone == \"$1\") | $2"
}

zone_is() {
	[ "$(zone "$1" "$2")" = "$3" ]
}

all_good() {
	[ "$(ctl --json zones | jq -r '[.zones[].state] | unique | join(" ")')" = good ]
}

metric() {
	scrape | tr -d '\r' | grep -F "repgate_$1"
}

other() {
	echo $((10 - $1))
}

# breaks ZONE FAMILY FAULT
breaks() {
	local family=ipv$2 sound
	sound=ipv$(other "$2")
	fault "$1" "$2/$3"
	listed "$1" "$2" 1 5 | meet -c 1 -t 6000 >/dev/null
	check "$1: open for $family" wait_for 10 zone_is "$1" ".families.$family.state" open
	same "$1: good for $sound" good "$(zone "$1" ".families.$sound.state")"
	same "$1: its listed peers of the other family are refused" "timeout=5" \
		"$(listed "$1" "$(other "$2")" 1 5 | meet -t 300)"
	same "$1: those of $family pass" "connected=5" "$(listed "$1" "$2" 11 5 | meet -t 3000)"
	check "$1: the log names the family" \
		grep -q "zone $1: open: .* (IPv$2)" "$TESTBED/repgated.log"
	same "$1: and so does the metric" "1 1" "$(metric zone_family_state |
		sed -n "s/.*zone=\"$1\",family=\"$family\",state=\"open\"} //p
			s/.*zone=\"$1\",family=\"$sound\",state=\"good\"} //p" | xargs)"
	check "$1: zones has a line for each" grep -q "IPv$(other "$2"): good" <(ctl zones)
	fault "$1" "$2/none"
}

families() {
	local zone family fault
	while IFS='|' read -r zone family fault; do
		[ -z "$zone" ] || breaks "$zone" "$family" "$fault" </dev/null
	done <<<"$FAMILIES"
	check "all are good again" wait_for 30 all_good
}

# A zone with ipv6 = false is never asked about IPv6 addresses, nor tested for them.
excluded() {
	listed only4 6 1 3 | meet -t 1000 >/dev/null
	same "only4: refuses IPv4" "timeout=3" "$(listed only4 4 1 3 | meet -t 300)"
	same "only4: no question about IPv6" 0 \
		"$(grep -cE '([0-9a-f]\.){20}.*only4\.example' "$TESTBED/queries" || true)"
	same "only4: no state for IPv6" '["ipv4"]' "$(zone only4 '.families | keys | tojson')"
}

# nonsense ZONE ADDRESS: answers everything with this record
nonsense() {
	fault "$1" wildcard "$2"
	SEEN=$((SEEN + 10))
	clean $SEEN 3 | meet -t 3000 >/dev/null
	check "$1: answers $2: disabled" wait_for 10 zone_is "$1" .state disabled
	check "$1: for this reason ($(zone "$1" .why))" \
		grep -q "answers $2" <(zone "$1" .why)
	fault "$1" none
}

# Every answer takes longer than hold_timeout: nobody waits longer, and the answer meets the next connection.
slow() {
	fault slow delay 1100
	same "slow: listed peers pass at first" "connected=$PEERS" \
		"$(listed slow 4 1 $PEERS | meet -t 3000)"
	check "slow: within 1 s and a little ($(longest) us)" test "$(longest)" -lt 1300000
	check "slow: all answers are in" wait_for 10 zone_is slow '.listed' $PEERS
	same "slow: refused at the second try" "timeout=$PEERS" \
		"$(listed slow 4 1 $PEERS | meet -t 300)"
	same "slow: good" good "$(zone slow .state)"
	check "slow: late answers are counted ($(zone slow .late))" test "$(zone slow .late)" -ge $PEERS
	same "slow: so zones says slow" true "$(zone slow .slow)"
	check "slow: and status" grep -q ' slow: .* needs more than hold_timeout' \
		<(ctl status | tr -s ' \n' ' ')
	check "slow: a warning names hold_timeout" \
		grep -q 'zone slow: .* % of new peers pass before .*hold_timeout (900 ms)' "$TESTBED/repgated.log"
	same "slow: the metric" "$(zone slow .late)" \
		"$(metric zone_late_total | sed -n 's/.*zone="slow"} //p')"
	same "slow: clean peers connect" "connected=5" "$(clean 300 5 | meet -t 3000)"
	# Their retransmissions, and their next connections before the answer, are not held again.
	listed slow 4 101 3 >"$TESTBED/peers"
	meet -t 3000 <"$TESTBED/peers" >/dev/null
	fault slow none
	check "slow: each peer was asked about once" wait_for 10 zone_is slow .listed $((PEERS + 3))
}

dead() {
	fault dead drop
	same "dead: $PEERS peers at once connect" "connected=$PEERS" "$(clean 500 $PEERS | meet -t 3000)"
	check "dead: open when the first question has failed" wait_for 5 zone_is dead .state open
	same "dead: the next peers connect" "connected=5" "$(clean 600 5 | meet -t 3000)"
	check "dead: and wait for nothing ($(longest) us)" test "$(longest)" -lt 500000
	fault dead none
}

# failed: prints how many peers are refused because zones did not answer
failed() {
	ctl --json dump | jq '[.verdicts[] | select(.reason == "dns failure")] | length'
}

none_failed() {
	[ "$(failed)" -eq 0 ]
}

# reload ACTION: with on_dns_failure changed, and nothing else
reload() {
	CONF[on_dns_failure]="\"$1\""
	repgate_config
	ctl reload >/dev/null
}

# A reload that changes only on_dns_failure is in force for verdicts, too.
changes_failure() {
	fault dead servfail
	clean 700 6 | meet -t 3000 >/dev/null
	check "dead: open" wait_for 5 zone_is dead .state open
	reload tempfail
	clean 800 5 | meet -t 3000 >/dev/null
	check "tempfail: peers get 450 ($(failed))" test "$(failed)" -ge 5
	reload pass
	check "pass again: their verdicts are gone" wait_for 5 none_failed
	fault dead none
}

configure() {
	local zone all=
	for zone in $ZONES; do
		case $zone in
		allows) all+="$zone = { suffix = \"$zone.example\"; kind = \"allow\"; codes = [ \"127.0.0.0/16\" ]; };" ;;
		only4) all+="$zone = { suffix = \"$zone.example\"; kind = \"standard\"; ipv6 = false; };" ;;
		*) all+="$zone = { suffix = \"$zone.example\"; kind = \"standard\"; };" ;;
		esac
	done
	unset 'CONF[ers]'
	CONF[zones]="{ $all }"
	RESOLVER=$FRONT
	repgate_config
}

main() {
	local zone status=0
	SEEN=0
	testbed_up
	place_zones
	for zone in $ZONES; do
		printf '10.21.%d.0/24 127.0.0.4\n2001:db8:21:%x::/56 127.0.0.4\n' "${PLACE[$zone]}" \
			$((PLACE[$zone] * 0x100)) | dnsbl_zone "$zone.example" 300 60
	done
	zones_start
	sink_start
	spawn front "$BUILD/tests/dns_fault" --log "$TESTBED/queries" "$FRONT" "$FRONT_CONTROL" 127.0.0.1:53
	must "dns_fault does not listen" wait_for 5 udp_open "${FRONT#*:}"
	configure
	repgate_start
	must "not all zones are good" wait_for 10 all_good
	excluded
	families
	slow
	nonsense zero 0.0.0.0
	nonsense allows 127.0.0.255
	dead
	check "dead: good again" wait_for 30 zone_is dead .state good
	changes_failure
	repgate_stop || status=$?
	same "repgated ends well" 0 "$status"
	finish
}

main
