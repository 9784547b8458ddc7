#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_monitor.sh - monitor mode tells the truth, in native and generic mode
#
# - The first attempt of a listed peer, which nothing was known of, counts as refused once its verdict is
#   there: in stats, metrics, report, events and log. So does each further connection meanwhile.
# - The log says what was done when the SYN came, also if the mode has changed since.
# - A reload or a restart that goes back from enforce to monitor warns.
# - lookup says what will happen.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# connect ADDRESS...: outcomes of a connection from each, counted
connect() {
	in_clients "$BUILD/tests/syn_client" -t 1500 -f <(printf '%s\n' "$@") "$MX4,$MX6" 25 |
		cut -f 2 | sort | uniq -c | awk '{ print $2 "=" $1 }' | xargs
}

# stats FILTER
stats() {
	ctl --json stats | jq -c "$1"
}

stats_are() {
	[ "$(stats "$1")" = "$2" ]
}

# counted WHAT FILTER VALUE: waits, as verdicts come later than connections
counted() {
	wait_for 5 stats_are "$2" "$3" || true
	same "$1" "$3" "$(stats "$2")"
}

logged() {
	grep -c "$1" "$TESTBED/repgated.log" || true
}

is_logged() {
	[ "$(logged "$1")" -eq "$2" ]
}

# says WHAT TEXT COUNT: the log has so many lines with the text
says() {
	wait_for 5 is_logged "$2" "$3" || true
	same "$1" "$3" "$(logged "$2")"
}

agent() {
	CONF[xdp_mode]="\"$1\""
	CONF[mode]="\"$2\""
	repgate_config
	: >"$TESTBED/repgated.log"
	repgate_start
}

# Bots that come once. The second octet is new in each mode.
once() {
	local n=$2
	same "$1: they connect" "connected=4" \
		"$(connect "10.21.$n.1" "10.21.$n.2" "2001:db8:21:$n::1" "10.21.$n.3")"
	counted "$1: attempts that would have been refused" \
		'[.attempts.standard.drop, .packets.standard.drop, .monitored.attempts.standard.drop,
		.monitored.packets.standard.drop, .attempts.clean.pass, .attempts.unknown.pass // 0]' \
		'[0,0,3,3,1,0]'
	says "$1: log" "would refuse: client=\[10.21.$n.1\].*class=standard action=drop list=ers-standard" 1
	says "$1: log, IPv6" "would refuse: client=\[2001:db8:21:$n::1\]" 1
	says "$1: nothing is refused" " refused: client" 0
	same "$1: events" 3 "$(ctl --json events | jq -s '[.[] | (.events? // [.])[] |
		select(.event == "refused" and .monitored)] | length')"
	check "$1: metrics" metric_is monitored_attempts_total standard drop 3
	same "$1: lookup of a known one" "passes, as mode is monitor; else it would be dropped" \
		"$(lookup "10.21.$n.1" .explanation)"
	same "$1: lookup of an unknown one" "passes, as mode is monitor; else it would be dropped" \
		"$(lookup "10.21.$n.99" .explanation)"
	same "$1: lookup of an own address" "passes: it is never refused" \
		"$(lookup "$MX4" .explanation)"
	same "$1: several connections at once of one peer" "connected=3" \
		"$(connect "10.21.$n.4" "10.21.$n.4" "10.21.$n.4")"
	counted "$1: each is an attempt" '.monitored.attempts.standard.drop' 6
	connect "10.21.$n.1" >/dev/null
	counted "$1: and so is one of a known peer" '.monitored.attempts.standard.drop' 7
}

metric_is() {
	scrape | grep "$1" | grep "class=\"$2\"" | grep "action=\"$3\"" | tr -d '\r' | grep -q " $4\$"
}

# The mode changes while the SYN's peer is asked about.
changed_meanwhile() {
	local n=$2
	delay_stop
	delay_start 150
	sed -i "s/^resolver = .*/resolver = \"$RESOLVER\";/" "$REPGATE_CONF"
	same "$1: passes in monitor mode" "connected=1" "$(connect "10.21.$n.7")"
	ctl set mode enforce >/dev/null
	says "$1: it was monitor mode when it came" "would refuse: client=\[10.21.$n.7\]" 1
	says "$1: so it was not refused" " refused: client=\[10.21.$n.7\]" 0
	same "$1: the next one is" "timeout=1" "$(connect "10.21.$n.7")"
	says "$1: and the log says so" " refused: client=\[10.21.$n.7\]" 1
	delay_stop
	delay_start 1
}

back_to_monitor() {
	local warning='mode is monitor again, as .*repgate.conf says'
	says "$1: no warning at the first start" "$warning" 0
	ctl reload >/dev/null
	says "$1: a reload after set mode enforce" "$warning" 1
	ctl reload >/dev/null
	says "$1: only that one" "$warning" 1
	ctl set mode enforce >/dev/null
	repgate_stop
	repgate_start
	says "$1: a restart" "$warning" 2
	ctl set mode enforce >/dev/null
	ctl set mode monitor >/dev/null
	repgate_stop
	repgate_start
	says "$1: a command is no surprise" "$warning" 2
}

testbed_up
for number in 1 2; do
	printf '%s 127.1.0.1\n' "10.21.$number."{1,2,4,7,99} "2001:db8:21:$number::1"
done | ers_zone standard
ers_zone qil </dev/null
zones_start
delay_start 1
sink_start
number=0
for mode in native generic; do
	number=$((number + 1))
	agent "$mode" monitor
	once "$mode" "$number"
	changed_meanwhile "$mode" "$number"
	back_to_monitor "$mode"
	repgate_stop || not_ok "$mode: repgated stops" "status $?"
	rm -rf "$TESTBED/repgate/state"/*
done
finish
