#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_ipv6_neighbours.sh - what one IPv6 address may cost another, in native and generic mode
#
# Each address is judged by itself: a clean one says nothing of its neighbours, nor does a listed one, nor
# a SYN that a stranger forges. Once two are listed, their whole /64 is refused, until one listing ends; log,
# reply, events and lookup name them. A restart keeps that. A sender that goes through its /64 pushes out
# its own addresses. A SYN from ::1.2.3.4, whose /64 contains all of IPv4, is asked about once.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

NET=2001:db8:21:5    # ::25 is listed, its neighbours are not
TWO=2001:db8:21:6    # ::25 and ::26 are listed
SOON=2001:db8:21:7   # so they are, one of them for some seconds
MIXED=2001:db8:21:8  # by QIL and by Standard
MANY=2001:db8:21:9   # none is listed

# met ADDRESS [OPTION...]: prints the outcome
met() {
	in_clients "$BUILD/tests/syn_client" -t 700 "${@:2}" "$MX4,$MX6" 25 "$1" | cut -f 2
}

queries() {
	wc -l <"$TESTBED/queries"
}

# asked ADDRESS: how many questions there were about it
asked() {
	grep -c "^$(perl -MSocket=:all -e 'print join(".", reverse split(//, unpack("H*", inet_pton(AF_INET6, $ARGV[0]))))' "$1")" \
		"$TESTBED/queries" || true
}

# agent XDP_MODE
agent() {
	CONF[xdp_mode]="\"$1\""
	repgate_config
	repgate_start
	same "$1: is in that mode" "$1" "$(ctl --json status | jq -r '.interfaces[0].mode')"
	: >"$TESTBED/queries"
}

# no_loop MODE: at most two SYNs are sent in this time, and each may be asked about in two zones.
no_loop() {
	met ::1.2.3.4 -t 1500 >"$TESTBED/met"
	check "$1: one SYN from ::1.2.3.4 does not loop: $(queries) questions" \
		test "$(queries)" -ge 2 -a "$(queries)" -le 4
	same "$1: no other peer is affected" connected "$(met 10.21.9.1)"
}

# alone MODE: listed and clean neighbours, in both orders
alone() {
	same "$1: a listed address is refused" refused "$(met $NET::25)"
	same "$1: its clean neighbour gets in" connected "$(met $NET::26)"
	same "$1: and the one is still refused" refused "$(met $NET::25)"
	ctl flush all >/dev/null
	same "$1: a clean address gets in" connected "$(met $NET::26)"
	same "$1: its listed neighbour is refused" refused "$(met $NET::25)"
	same "$1: and the one still gets in" connected "$(met $NET::26)"
	same "$1: the first address of the /64 is asked about as well" "connected 2" \
		"$(met $NET::) $(asked $NET::)"
	same "$1: lookup says so" "standard false" \
		"$(lookup $NET::25 '"\(.class) \(has("evidence_address"))"')"
	same "$1: of the neighbour, too" "clean false" \
		"$(lookup $NET::26 '"\(.class) \(has("evidence_address"))"')"
	same "$1: lookup --store of a third one" clean "$(ctl --json lookup --store $NET::27 | jq -r .class)"
	same "$1: changes nothing for the others" "refused connected" "$(met $NET::25) $(met $NET::26)"
}

# forged MODE: SYNs from two addresses while neither is judged. One of them is forged: nobody waits for it.
forged() {
	ctl flush all >/dev/null
	: >"$TESTBED/queries"
	in_clients "$BUILD/tests/syn_client" -t 700 -f <(printf '%s\n' $NET::25 $NET::26) \
		"$MX4,$MX6" 25 >"$TESTBED/met"
	same "$1: two at once are two inquiries" "refused connected" \
		"$(sort "$TESTBED/met" | cut -f 2 | xargs)"
	same "$1: each is asked about" "1 2" "$(asked $NET::25) $(asked $NET::26)"
}

# two MODE: the second listed one
two() {
	same "$1: a listed address" refused "$(met $TWO::25)"
	same "$1: a neighbour gets in" connected "$(met $TWO::99)"
	same "$1: the second listed one" refused "$(met $TWO::26)"
	: >"$TESTBED/queries"
	same "$1: now the whole /64 is refused" "refused refused refused" \
		"$(met $TWO::99) $(met $TWO::98) $(met $TWO:ffff:ffff:ffff:ffff)"
	same "$1: and nobody is asked" 0 "$(queries)"
	same "$1: another /64 is not" connected "$(met 2001:db8:21:60::25)"
	same "$1: lookup of a third one names an address that is listed" "standard $TWO::2" \
		"$(lookup $TWO::98 '"\(.class) \(.evidence_address[:-1])"')"
	check "$1: and both in words" grep -Eq "$TWO::2[56] and $TWO::2[56] of $TWO::/64 are listed" \
		<(lookup $TWO::98 .explanation)
	same "$1: so does dump" "$TWO::25 $TWO::26" "$(ctl --json dump |
		jq -r '.verdicts[] | select(.peer == "'$TWO'::/64").evidence_addresses | sort | join(" ")')"
	same "$1: of a listed one it names none" false "$(lookup $TWO::25 'has("evidence_address")')"
	check "$1: the log names it" grep -Eq \
		"refused: client=\[$TWO::98\]:[0-9]+ .* list=ers-standard evidence=\[$TWO::2[56]\]" \
		"$TESTBED/repgated.log"
	check "$1: so does the event" grep -Eq "$TWO::2[56]" <(ctl --json events |
		jq -r '.events[] | select(.address == "'$TWO'::98").evidence_address')
	same "$1: the event of a listed one has none" 0 "$(ctl --json events |
		jq '[.events[] | select(.address == "'$TWO'::25" and has("evidence_address"))] | length')"
}

# replies MODE
replies() {
	ctl set standard_action reject >/dev/null
	same "$1: the reply names both, and the link has one that is listed" \
		"550-5.7.1 Mail from $TWO::98 blocked using Trend Micro Email Reputation Services. ..=$TWO::2x 550 5.7.1 $TWO::2x and $TWO::2x of $TWO::/64 are listed" \
		"$(send_swaks $TWO::98 id 10 "$MX6" 2>&1 | sed -nE "s/^<\*\* //; s/::2[56]/::2x/g; s/Services\..*=/Services. ..=/; /^550/p" | tr -d '\r' | xargs)"
	same "$1: that of a listed one has one line" 1 \
		"$(send_swaks $TWO::25 id 10 "$MX6" 2>&1 | grep -c '^<\*\* 550')"
	check "$1: the log has it" grep -Eq \
		"Client host \[$TWO::98\] blocked using ers-standard; .*; $TWO::2[56] and $TWO::2[56] of $TWO::/64 are listed; from=" \
		"$TESTBED/repgated.log"
	ctl set standard_action reset >/dev/null
}

# kept MODE: over a reload and a restart of the agent
kept() {
	ctl reload >/dev/null
	same "$1: refused after a reload" refused "$(met $TWO::97)"
	repgate_stop || not_ok "$1: repgated stops" "status $?"
	agent "$1"
	same "$1: refused after a stop and a start" refused "$(met $TWO::96)"
	same "$1: and nobody is asked" 0 "$(queries)"
	check "$1: the evidence is known" grep -q "^$TWO::2" <(lookup $TWO::96 .evidence_address)
	same "$1: flush of one address of the /64 takes all that has it refused" 3 \
		"$(ctl --json flush $TWO::96 | jq .flushed)"
	same "$1: then each is judged by itself again" "connected refused connected" \
		"$(met $TWO::96) $(met $TWO::25) $(met $TWO::95)"
}

# ends MODE: with the listing that ends first. The milder class decides about the /64.
ends() {
	same "$1: two listed ones" "refused refused" "$(met $SOON::25) $(met $SOON::26)"
	same "$1: a third" refused "$(met $SOON::99)"
	zones_of_soon
	check "$1: once one listing has ended, the third gets in" \
		wait_for 10 eval "[ \"\$(met $SOON::99)\" = connected ]"
	same "$1: the other one is still refused" refused "$(met $SOON::25)"
	same "$1: QIL and Standard" "refused refused" "$(met $MIXED::25) $(met $MIXED::26)"
	same "$1: the milder one decides" "qil $MIXED::26" "$(lookup $MIXED::99 '"\(.class) \(.evidence_address)"')"
}

zones_of_soon() {
	qil_zone $MIXED::26
	zones_reload
}

# many MODE MOST: MOST: addresses that are forgotten
many() {
	local i
	for ((i = 1; i <= 80; i++)); do printf '%s::%x\n' $MANY "$i"; done >"$TESTBED/many"
	in_clients "$BUILD/tests/syn_client" -t 2000 -f "$TESTBED/many" "$MX4,$MX6" 25 >"$TESTBED/met"
	same "$1: all addresses of a /64 get in" 80 "$(grep -c connected "$TESTBED/met")"
	same "$1: 64 of them are remembered" 64 "$(ctl --json dump |
		jq '[.peers[] | select(.class == "clean" and (.peer | startswith("'$MANY'::")))] | length')"
	# In generic mode a SYN meets the filter again; if its address is forgotten by then, it is judged twice.
	check "$1: the others are counted ($(ctl --json stats | jq .losses.prefix_surplus))" \
		eval "ctl --json stats | jq -e '.losses.prefix_surplus >= 16 and .losses.prefix_surplus <= $2'"
	# All of them came at once, and were judged in any order.
	same "$1: one that comes later gets in" connected "$(met $MANY::51)"
	same "$1: and is known" true "$(lookup $MANY::51 .known)"
}

# qil_zone ADDRESS...
qil_zone() {
	printf '%s 127.0.0.32 3\n' "$@" | ers_zone qil 3 2
}

testbed_up
testbed_senders ::1.2.3.0/120
printf '%s 127.1.0.1\n' $NET::25 $TWO::25 $TWO::26 $SOON::25 $MIXED::25 | ers_zone standard
qil_zone $SOON::26 $MIXED::26
zones_start
delay_start 1
sink_start
CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\"; qil_action = \"reset\";
	standard_action = \"reset\"; qil_ttl_min = \"2s\"; }"
CONF[clean_ttl_min]='"30s"'
for mode in native generic; do
	qil_zone $SOON::26 $MIXED::26
	zones_reload
	agent "$mode"
	no_loop "$mode"
	alone "$mode"
	forged "$mode"
	two "$mode"
	replies "$mode"
	kept "$mode"
	ends "$mode"
	many "$mode" "$([ "$mode" = native ] && echo 16 || echo 80)"
	repgate_stop || not_ok "$mode: repgated stops" "status $?"
	rm -rf "$TESTBED/repgate/state"
done
finish
