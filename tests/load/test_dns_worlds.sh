#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_dns_worlds.sh - peers come all the time, in a world whose DNS is
#	fast	and right
#	slow	each answer takes 0.2 to 3 s
#	half	half dead: a zone refuses the questions about IPv6, another does not answer, and
#		each fifth question to a third one is lost
#	lying	a zone lists the world, another answers an error code to everything, and
#		then the resolver removes addresses of 127/8 from all answers
#
# In each of them: every clean peer connects within a second. A listed peer may get in at
# its first attempt, where the answer comes after hold_timeout. It is refused at the next
# one, if a zone that lists it answers at all. The states of the zones, and what they
# say of the reason, are right at every moment.
#
#	WORLDS		which of them ("fast slow half lying")
#	WORLD_SECONDS	how long each is (40). 3600 for an hour, with TEST_TIMEOUT=5000 under
#			tests/run.sh; each world can run for itself, beside the others

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

read -ra WORLDS <<<"${WORLDS:-fast slow half lying}"
WORLD_SECONDS=${WORLD_SECONDS:-40}
FRONT=127.0.0.1:5354
CONTROL=127.0.0.1:5355
CLEAN=40      # peers of a round
LISTED=12     # of each zone
RATE=20       # a second, of each kind; more do not find room at the resolver of the slow world
SLOW_US=1000000
RETRY_S=9     # after the first attempt: two questions, dns_timeout x dns_tries each
LAST_RETRY_S=45 # failure_ttl and more

# --- peers, each of them new ------------------------------------------------------

declare -A NEXT=()
# peers KIND COUNT: prints addresses, half of them IPv6; KIND: clean, std, qil
peers() {
	local first6 first4 i=${NEXT[$1]:-0} end=$((${NEXT[$1]:-0} + $2))
	case $1 in
	clean) first4=0 first6=0 ;;
	std) first4=128 first6=$((0x8000)) ;;
	qil) first4=192 first6=$((0xc000)) ;;
	esac
	for (( ; i < end; i++)); do
		if ((i % 2 && i / 2 < 15000)); then
			printf '10.21.%d.%d\n' $((first4 + i / 2 / 250)) $((i / 2 % 250 + 1))
		else
			printf '2001:db8:21:%x::25\n' $((first6 + i / 2 % 0x3fff))
		fi
	done
	NEXT[$1]=$end
}

# connect FILE TIMEOUT_MS: prints source, outcome, microseconds
connect() {
	[ ! -s "$1" ] || in_clients "$BUILD/tests/syn_client" -t "$2" -r $RATE -f "$1" "$MX4,$MX6" 25
}

# --- zones and faults ---------------------------------------------------------------

# fault SUFFIX WORD...: in force on return
fault() {
	local answer
	answer=$(in_mail bash -c "exec 3<>/dev/udp/${CONTROL/:/\/} && echo '$*' >&3 && timeout 5 head -n 1 <&3")
	must "dns_fault: $*: $answer" test "$answer" = ok
}

zone() {
	ctl --json zones | jq -r ".zones[] | select(.zone == \"$1\") | $2"
}

all_good() {
	[ "$(ctl --json zones | jq -r '[.zones[].state] | unique | join(" ")')" = good ]
}

prepare() {
	printf '10.21.128.0/18 127.0.0.4\n2001:db8:21:8000::/50 127.0.0.4\n' | dnsbl_zone std.example
	printf '10.21.192.0/18 127.0.0.4\n2001:db8:21:c000::/50 127.0.0.4\n' | dnsbl_zone qil.example
	printf '198.51.100.0/24 127.0.0.4\n' | dnsbl_zone dead.example
	printf '198.51.100.0/24 127.0.0.4\n' | dnsbl_zone other.example
	zones_start
	sink_start
	spawn front "$BUILD/tests/dns_fault" "$FRONT" "$CONTROL" 127.0.0.1:53
	must "dns_fault does not listen" wait_for 5 udp_open "${FRONT#*:}"
	RESOLVER=$FRONT
	unset 'CONF[ers]'
	CONF[zones]='{
		std = { suffix = "std.example"; kind = "standard"; };
		qil = { suffix = "qil.example"; kind = "qil"; action = "drop"; };
		dead = { suffix = "dead.example"; kind = "standard"; };
		other = { suffix = "other.example"; kind = "standard"; };
	}'
	repgate_config
	repgate_start
	must "not all zones are good" wait_for 10 all_good
}

# --- a round ------------------------------------------------------------------------

# judge_clean FILE: notes the times, and who did not connect in time
judge_clean() {
	awk -F '\t' -v slow=$SLOW_US '$2 != "connected" || $3 > slow { print }' "$1" >>"$TESTBED/bad.clean"
	cut -f 3 "$1" >>"$TESTBED/times"
}

# The listed peers of the rounds that are at least SECONDS ago, from the queue FILE to stdout
due() {
	local now=$EPOCHSECONDS
	awk -v due=$((now - $2)) '$1 <= due { print $2 }' "$1"
	awk -v due=$((now - $2)) '$1 > due' "$1" >"$1.new"
	mv "$1.new" "$1"
}

# Peers that connected at their first attempt come again; so do, much later, those that connected then.
retry() {
	due "$TESTBED/queue.first" $RETRY_S >"$TESTBED/again"
	due "$TESTBED/queue.second" $LAST_RETRY_S >"$TESTBED/last"
	connect "$TESTBED/again" 300 | awk -F '\t' -v now=$EPOCHSECONDS '$2 == "connected" { print now, $1 }' \
		>>"$TESTBED/queue.second"
	connect "$TESTBED/last" 300 | awk -F '\t' '$2 == "connected"' >>"$TESTBED/bad.listed"
	cat "$TESTBED/again" "$TESTBED/last" >>"$TESTBED/retried"
}

round() {
	local pid
	peers clean $CLEAN >"$TESTBED/clean"
	{
		peers std $LISTED | grep "$STD_ANSWERS"
		peers qil $LISTED
	} >"$TESTBED/listed"
	connect "$TESTBED/clean" 3000 >"$TESTBED/met.clean" &
	pid=$!
	connect "$TESTBED/listed" 1200 >"$TESTBED/met.listed"
	wait $pid
	judge_clean "$TESTBED/met.clean"
	cat "$TESTBED/met.listed" >>"$TESTBED/firsts"
	awk -v now=$EPOCHSECONDS '{ print now, $1 }' "$TESTBED/listed" >>"$TESTBED/queue.first"
	retry
}

# wrong_states: prints the zones that are not in the state of STATES (an extended regular expression each)
declare -A STATES=()
STD_ANSWERS=. # about which of its peers zone std answers
wrong_states() {
	local alias state
	ctl --json zones | jq -r '.zones[] | "\(.zone) \(.state) \(.why)"' | while read -r alias state; do
		[[ $state =~ ^(${STATES[$alias]:-good .*})$ ]] || echo "$alias $state"
	done
}

states_are_right() {
	[ -z "$(wrong_states)" ]
}

# A zone's state follows from answers, so peers come until it is right.
states_become_right() {
	peers clean 4 >"$TESTBED/clean"
	connect "$TESTBED/clean" 3000 >/dev/null
	states_are_right
}

# rounds WHAT: until the time is over
rounds() {
	local end=$((EPOCHSECONDS + WORLD_SECONDS)) wait
	: >"$TESTBED/bad.states"
	while [ $EPOCHSECONDS -lt $end ]; do
		round
		wrong_states >>"$TESTBED/bad.states"
	done
	# The last ones' second and third attempts
	wait=$((LAST_RETRY_S + RETRY_S + 10))
	check "$1: all listed peers have come again" wait_for $wait nobody_is_left
	same "$1: states and reasons are right all the time" '' "$(sort "$TESTBED/bad.states" | uniq -c)"
}

nobody_is_left() {
	retry
	[ ! -s "$TESTBED/queue.first" ] && [ ! -s "$TESTBED/queue.second" ]
}

# world WHAT
world() {
	local count
	rm -f "$TESTBED"/{bad,queue}.* "$TESTBED"/{times,firsts,retried}
	touch "$TESTBED"/bad.{clean,listed} "$TESTBED"/queue.{first,second} "$TESTBED"/{times,firsts,retried}
	"world_$1"
	check "$1: the states of the zones become right" wait_for 60 states_become_right
	rounds "$1"
	count=$(wc -l <"$TESTBED/times")
	echo "# $1: $count clean peers, median $(sort -n "$TESTBED/times" | sed -n "$((count / 2 + 1))p") us," \
		"most $(sort -n "$TESTBED/times" | tail -n 1) us; listed ones that got in at first:" \
		"$(grep -c connected "$TESTBED/firsts" || true) of $(wc -l <"$TESTBED/firsts")"
	same "$1: all clean peers connect within a second" '' "$(head -n 5 "$TESTBED/bad.clean")"
	check "$1: there were listed peers that came again" test -s "$TESTBED/retried"
	same "$1: no listed peer gets in any more" '' "$(head -n 5 "$TESTBED/bad.listed")"
	"end_$1"
}

# --- the worlds -----------------------------------------------------------------------

world_fast() {
	STATES=()
}

end_fast() {
	same "fast: no listed peer gets in at its first attempt" 0 \
		"$(grep -c connected "$TESTBED/firsts" || true)"
}

world_slow() {
	STATES=()
	fault . delay 200 3000
}

end_slow() {
	fault . none
}

world_half() {
	STATES=([std]='open refused \(IPv6\)' [dead]='open timeout' [qil]='(good|failing) .*')
	STD_ANSWERS='^10\.'
	fault std.example/6 refused
	fault dead.example drop
	fault qil.example every 5 drop
}

end_half() {
	fault std.example/6 none
	fault dead.example none
	fault qil.example none
	STATES=()
	STD_ANSWERS=.
	check "half: after that all zones are good" wait_for 40 all_good
}

world_lying() {
	STATES=([dead]='disabled lists addresses of 127.*' [other]='disabled answers 127\.255\.255\.254.*')
	fault dead.example wildcard 127.0.0.2
	fault other.example wildcard 127.255.255.254
}

end_lying() {
	fault dead.example none
	fault other.example none
	check "lying: after that all zones are good" wait_for 40 all_good
}

main() {
	local name status=0
	testbed_up
	prepare
	for name in "${WORLDS[@]}"; do
		world "$name"
	done
	repgate_stop || status=$?
	same "repgated ends well" 0 "$status"
	finish
}

main
