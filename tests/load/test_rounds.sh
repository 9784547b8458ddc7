#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_rounds.sh - kill -9, stop and start, reload, change of configuration, at
# random moments under 500 new connections a second
#
# Not one clean connection is lost or delayed over 1.2 s, not one listed peer
# gets through, and nothing is left behind. ROUNDS and SEED can be set.
#
# keep_on_stop = true, as with `systemctl restart`: otherwise a stop removes the
# filter, and listed peers get through. An agent that is killed loses the SYNs that
# it holds; those peers connect by their retransmission, a second later. Hence the
# 1.2 s. Two kills a second apart could lose a SYN and its retransmission, so an
# event comes in the first EVENTS_MS of its round, and the next one at least 1.5 s
# later. Killing the next agent while it starts is part of one event (kill_twice).

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

ROUNDS=${ROUNDS:-12}
SEED=${SEED:-$RANDOM}
RATE=500
ROUND_MS=2500
EVENTS_MS=1000 # an event begins within so long
SLOWEST_US=1200000
CONNECTIONS=$((ROUNDS * ROUND_MS * RATE / 1000))
[ "$CONNECTIONS" -le 125000 ] || skip "no more than 100 rounds: addresses"
RANDOM=$SEED
# A start takes a quarter of a second of CPU time. Real-time priority: the load of
# the machine is not what this tests.
REPGATED="chrt --rr 1 $BUILD/repgated"

# Verdicts of these are there before the first round.
KNOWN_CLEAN=198.51.100
KNOWN_STANDARD=203.0.113
BLOCKED=2001:db8:21:ffff

declare -A CHANGES=() # what the configuration says beyond the rest
PINS=
STARTED=0 # milliseconds
WORST_START=0

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# pause MILLISECONDS: waits until the moment that the test has drawn
pause() {
	[ "$1" -le 0 ] || sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

# --- the peers ---------------------------------------------------------------

# Prints the peers in order: "ADDRESS clean|listed". Every tenth is known.
visitors() {
	many_addresses $CONNECTIONS | awk -v clean=$KNOWN_CLEAN \
		-v standard=$KNOWN_STANDARD -v blocked=$BLOCKED '
		NR % 30 == 10 { print clean "." int(NR / 30) % 200 + 1, "clean"; next }
		NR % 30 == 20 { print standard "." int(NR / 30) % 200 + 1, "listed"; next }
		NR % 30 == 0 { printf "%s::%x listed\n", blocked, NR % 5000; next }
		NR % 10 == 3 { print $1, "listed standard"; next }
		NR % 10 == 7 { print $1, "listed qil"; next }
		{ print $1, "clean" }'
}

zones() {
	{
		awk '$3 == "standard" { print $1, "127.1.0.1" }' "$TESTBED/visitors"
		echo "$KNOWN_STANDARD.0/24 127.1.0.2"
	} | ers_zone standard 3600
	awk '$3 == "qil" { print $1, "127.0.0.32" }' "$TESTBED/visitors" | ers_zone qil 3600
	dnsbl_zone bl.example <<<"192.0.2.200 127.0.0.2"
	zones_start
}

meet_known() {
	seq -f "$KNOWN_CLEAN.%g" 1 200 >"$TESTBED/known"
	seq -f "$KNOWN_STANDARD.%g" 1 200 >>"$TESTBED/known"
	in_clients "$BUILD/tests/syn_client" -q -s -f "$TESTBED/known" -r 500 -t 500 \
		"$MX4,$MX6" 25 >"$TESTBED/met_known"
	check "known peers: $(cut -d ' ' -f 3-6 "$TESTBED/met_known")" grep -q \
		'connected=200 refused=0 timeout=200' "$TESTBED/met_known"
}

traffic_start() {
	cut -d ' ' -f 1 "$TESTBED/visitors" |
		in_clients "$BUILD/tests/syn_client" -n -s -f - -r $RATE -c 8000 -t 5000 \
			"$MX4,$MX6" 25 >"$TESTBED/met" &
	TRAFFIC=$!
	STARTED=$(now_ms)
}

# The outcomes of all, each with the second in which it began: "SECOND ADDRESS
# CLASS OUTCOME MICROSECONDS SYNS". A known peer comes often; its connections
# have no order.
outcomes() {
	awk -v rate=$RATE 'NR == FNR { class[$1] = $2; began[$1] = FNR / rate; next }
		!/^#/ { printf "%.2f\t%s\t%s\t%s\t%d\t%d\n", began[$1], $1, class[$1], $2, $3, $4 }' \
		"$TESTBED/visitors" "$TESTBED/met"
}

# --- events ------------------------------------------------------------------

configure() {
	local key extra=()
	for key in "${!CHANGES[@]}"; do
		extra+=("$key = ${CHANGES[$key]};")
	done
	repgate_config "${extra[@]}"
}

# A start, and how long nobody was there.
start_again() {
	local gone=$1 took
	repgate_start
	took=$(($(now_ms) - gone))
	[ "$took" -le "$WORST_START" ] || WORST_START=$took
}

event_kill() {
	local gone
	gone=$(now_ms)
	stop repgated KILL 2>/dev/null || true
	start_again "$gone"
}

# Kills the agent, and the next one while it starts or just after.
event_kill_twice() {
	local gone
	gone=$(now_ms)
	stop repgated KILL 2>/dev/null || true
	# shellcheck disable=SC2086 # words
	spawn repgated $REPGATED --config "$REPGATE_CONF"
	pause $((RANDOM % 300))
	stop repgated KILL 2>/dev/null || true
	start_again "$gone"
}

event_restart() {
	local gone status=0
	gone=$(now_ms)
	repgate_stop || status=$?
	[ "$status" -eq 0 ] || echo "repgated ended with status $status"
	start_again "$gone"
}

event_reload() {
	ctl reload >/dev/null || echo "a reload was refused"
}

event_hangup() {
	kill -HUP "${TESTBED_PID[repgated]}"
}

# toggle KEY VALUE: adds the setting to the configuration, or removes it
toggle() {
	if [ -n "${CHANGES[$1]:-}" ]; then
		unset "CHANGES[$1]"
	else
		CHANGES[$1]=$2
	fi
}

event_config() {
	case $((RANDOM % 5)) in
	0) toggle log_per_second $((RANDOM % 100)) ;;
	1) toggle blocked_action '"reset"' ;;
	2) toggle ports '[ 25, 587 ]' ;;
	3) toggle clean_ttl_max '"10m"' ;;
	4) toggle zones '{ other = { suffix = "bl.example"; kind = "standard"; }; }' ;;
	esac
	configure
	event_reload
}

event_bad_config() {
	echo "nonsense = 1;" >>"$REPGATE_CONF"
	ctl reload >/dev/null 2>&1 && echo "a bad configuration was taken"
	configure
}

event_lists() {
	seq -f "192.0.2.%g" $((100 + RANDOM % 50)) 150 | local_list blocked more
	seq -f "192.0.2.%g" $((200 + RANDOM % 50)) 250 | local_list approved more
}

# Each kind as often as it is here, in random order. No subshell: it would have
# random numbers of its own.
EVENTS=(kill reload restart config kill_twice hangup kill lists restart config kill bad_config)

shuffle() {
	local i other swap
	for ((i = ${#EVENTS[@]} - 1; i > 0; i--)); do
		other=$((RANDOM % (i + 1)))
		swap=${EVENTS[i]}
		EVENTS[i]=${EVENTS[other]}
		EVENTS[other]=$swap
	done
}

# --- rounds ------------------------------------------------------------------

pins() {
	find "$REPGATE_PINS" -mindepth 1 -printf '%P\n' 2>/dev/null | sort | xargs
}

agents() {
	pgrep -c -x repgated || true
}

# round NUMBER EVENT
round() {
	local due=$((STARTED + $1 * ROUND_MS)) at said
	at=$((RANDOM % EVENTS_MS))
	pause $((due + at - $(now_ms)))
	at=$((due + at - STARTED))
	printf '%d.%03d %s\n' $((at / 1000)) $((at % 1000)) "$2" >>"$TESTBED/events"
	"event_$2" >"$TESTBED/said" 2>&1
	said=$(<"$TESTBED/said")
	[ -z "$said" ] || not_ok "round $1: $2" "$said"
	[ "$(agents)" = 1 ] || not_ok "round $1: $2 leaves one agent" "$(agents)"
	[ "$(pins)" = "$PINS" ] || not_ok "round $1: $2 leaves the pins" "$(pins)"
}

rounds() {
	local number
	for ((number = 0; number < ROUNDS; number++)); do
		[ $((number % ${#EVENTS[@]})) -ne 0 ] || shuffle
		round $number "${EVENTS[number % ${#EVENTS[@]}]}"
	done
}

# Prints the number of connections, the slowest ones and the events.
show() {
	[ -z "$1" ] || printf '%d, such as:\n%s\nevents:\n%s\n' "$(wc -l <<<"$1")" \
		"$(sort -t $'\t' -k 5nr <<<"$1" | head -n 10)" "$(xargs <"$TESTBED/events")"
}

# The agent's open files, by what they are. It opens a socket to the resolver for
# each zone when it first asks, so only those that listen count.
files() {
	{
		find "/proc/${TESTBED_PID[repgated]}/fd" -mindepth 1 ! -lname 'socket:*' -printf '%l\n'
		in_mail ss -Hlnptx | grep -F '("repgated",' | awk '{ print $1 }'
	} | sed 's/:\[[0-9]*]$//' | sort
}

# Those that it has now and did not have then.
more_files() {
	comm -13 "$TESTBED/files" <(files)
}

no_more_files() {
	[ -z "$(more_files)" ]
}

traffic_checks() {
	outcomes >"$TESTBED/outcomes"
	grep '^#' "$TESTBED/met"
	check "$CONNECTIONS connections at $RATE a second" test \
		"$(sed -n 's/.*elapsed_us=//p' "$TESTBED/met")" -lt $((ROUNDS * ROUND_MS * 1000 + 7000000))
	same "no clean connection is lost" '' "$(show "$(awk \
		'$3 == "clean" && $4 != "connected"' "$TESTBED/outcomes")")"
	same "none takes longer than $SLOWEST_US us" '' "$(show "$(awk -v most=$SLOWEST_US \
		'$3 == "clean" && $4 == "connected" && $5 > most' "$TESTBED/outcomes")")"
	same "no listed peer gets through" '' "$(show "$(awk \
		'$3 == "listed" && $4 == "connected"' "$TESTBED/outcomes")")"
	awk '$3 == "clean" { n++; if ($6 > 1) again++; if ($5 > most) most = $5 }
		$3 == "listed" { listed++ }
		END { print "# clean: " n ", by retransmission: " again + 0 ", slowest: " most " us; listed: " listed }' \
		"$TESTBED/outcomes"
}

# What is left after an agent has ended with keep_on_stop = false.
leftovers() {
	pins
	find "$TESTBED/repgate" \( -name '*.new' -o -name '*.tmp' -o -name '*.sock' \)
	pgrep -a -x repgated || true
	in_mail ip link show dev mx0 | grep -o 'prog/xdp.*' || true
}

testbed_up
visitors >"$TESTBED/visitors"
zones
delay_start 20
sink_start
CONF[keep_on_stop]=true
CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\"; qil_action = \"reset\"; }"
configure
local_list blocked rounds <<<"$BLOCKED::/64"
repgate_start
meet_known
PINS=$(pins)
traffic_start
rounds
check "the last agent answers" ctl status
wait "$TRAFFIC" || not_ok "syn_client" "status $?"
printf '# seed %s, longest without an agent: %d ms\n' "$SEED" "$WORST_START"
printf '# %s\n' "$(xargs <"$TESTBED/events")"
traffic_checks
check "nobody passed because the agent was missed" jq -e '.losses.agent_silent == 0' \
	<<<"$(ctl --json stats)"

files >"$TESTBED/files"
for ((i = 0; i < 20; i++)); do
	event_config
done
wait_for 5 no_more_files || true
same "reloads open no files that stay" '' "$(more_files)"
CONF[keep_on_stop]=false
configure
event_reload
repgate_stop || not_ok "repgated stops" "status $?"
same "nothing is left behind" '' "$(leftovers)"
finish
