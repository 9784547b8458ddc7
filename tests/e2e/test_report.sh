#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_report.sh - repgatectl report counts what was met, and goes on after a restart
#
# Every connection is counted once: with the agent that saw it, with the next one
# after a stop, a kill -9 or a start with other maps, and by hour, by day and in
# all. Nobody waits for an hour here: the file's times are moved instead.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

STANDARD=203.0.113.11
STANDARD6=2001:db8:21:11::25
QIL=203.0.113.32
CLEAN=198.51.100.10
BLOCKED=203.0.113.66
APPROVED=203.0.113.50
HISTORY=$TESTBED/repgate/state/history

# meet ADDRESS...: one attempt each, of one SYN
meet() {
	in_clients "$BUILD/tests/syn_client" -q -t 400 "$MX4,$MX6" 25 "$@"
}

# report PERIOD [FILTER]: as JSON, or what a jq filter takes out of it
report() {
	ctl --json report "$1" | jq -c "${2:-.}"
}

# is PERIOD FILTER VALUE
is() {
	[ "$(report "$1" "$2")" = "$3" ]
}

# reports WHAT FILTER VALUE: in every period; what is on its way to a counter may be late
reports() {
	local period
	for period in day week month; do
		wait_for 5 is "$period" "$2" "$3" || true
		same "report $period: $1" "$3" "$(report "$period" "$2")"
	done
}

# True unless the hour ends within two minutes: what is expected is in one line.
hour_goes_on() {
	[ "$(date +%M)" -lt 58 ]
}

# usage WORDS...: exit status 2
usage() {
	local status=0
	ctl "$@" >/dev/null 2>&1 || status=$?
	same "repgatectl $*: wrong usage" 2 "$status"
}

log_says() {
	grep -qE -- "$1" "$TESTBED/repgated.log"
}

kill_agent() {
	kill -KILL "${TESTBED_PID[repgated]}"
	stop repgated 2>/dev/null || true
}

restart() {
	repgate_stop || not_ok "repgated stops" "status $?"
	repgate_start
}

# later SECONDS: as if the history had been written so long ago. To be called
# without an agent.
later() {
	jq -c ".time -= $1 | .spans |= map(map(. - $1)) |
		.hours |= map(.start -= $1 | .end -= $1) |
		.days |= map(.start -= $1 | .end -= $1)" "$HISTORY" >"$HISTORY.moved"
	mv "$HISTORY.moved" "$HISTORY"
}

prepare() {
	ers_zone standard 3600 <<-END
	$STANDARD 127.1.0.1
	2001:db8:21:11::/64 127.1.0.2
	END
	ers_zone qil 3600 <<<"$QIL 127.0.0.32"
	zones_start
	sink_start
	repgate_config
	local_list approved a <<<"$APPROVED"
	local_list blocked b <<<"$BLOCKED"
	repgate_start
}

counts() {
	reports "nothing yet" .totals.attempts.refused 0
	meet "$STANDARD" "$STANDARD" "$STANDARD" "$STANDARD6" "$QIL" "$QIL" \
		"$BLOCKED" "$APPROVED"
	meet "$CLEAN"
	meet "$CLEAN" "$CLEAN"
	reports "Standard" .attempts.standard.drop 4
	reports "QIL" .attempts.qil.reset 2
	reports "blocked" .attempts.blocked.drop 1
	reports "approved" .attempts.approved.pass 1
	reports "clean" .attempts.clean.pass 3
	reports "no other class or action" '[.attempts[][]] | add' 11
	reports "refused" .totals.attempts.refused 7
	reports "passed" .totals.attempts.passed 4
	reports "the share" '.totals.attempts.refused_share * 1000 | floor' 636
	reports "the lines are the whole" \
		'[.lines[].attempts | .refused, .passed] | add' 11
	reports "the busiest one" '.busiest.attempts | .refused + .passed' 11
	reports "new peers" .inquiries '{"asked":4,"listed":3,"clean":1,"failed":0}'
	reports "zones" .zones "$(jq -nc '[
		{ zone: "ers-standard", asked: 4, listed: 2, not_listed: 2, failed: 0 },
		{ zone: "ers-qil", asked: 2, listed: 1, not_listed: 1, failed: 0 }]')"
	same "as stats has it" "$(ctl --json stats | jq -c '.packets, .attempts, .losses')" \
		"$(report day '.packets, .attempts, .losses')"
	check "the times are of now" jq -e --argjson now "$EPOCHSECONDS" \
		'.until >= $now and .until <= $now + 5 and .from > $now - 86400
		and .since > $now - 120 and .since <= $now' <<<"$(report day)"
	reports "what it does not know" '.missing | length' 1
	same "lines of a day, a week, a month" '24 7 30' \
		"$(for period in day week month; do report $period '.lines | length'; done | xargs)"
}

texts() {
	local period text
	for period in day week month; do
		text=$(ctl report "$period")
		check "report $period: fits 80 columns" test \
			"$(wc -L <<<"$text")" -le 80
		check "report $period: says since when" grep -q \
			'^counted: .* of .*; the history begins 20' <<<"$text"
		check "report $period: says what is missing" grep -q \
			'nothing is known of it$' <<<"$text"
		check "report $period: refused" grep -qE '^refused +7 +7$' <<<"$text"
		check "report $period: the share" grep -qE '^share refused +63.6%$' <<<"$text"
		check "report $period: a row of class and action" grep -qE \
			'^standard +drop +4 +4$' <<<"$text"
		check "report $period: a zone" grep -qE \
			'^ers-standard +4 +2 +2 +0$' <<<"$text"
		check "report $period: new peers" grep -qE \
			'^new peers +4 +3 +1 +0$' <<<"$text"
		check "report $period: the line of now" grep -qE \
			' 11 +4 +7 +63.6%' <<<"$text"
	done
	usage report
	usage report year
	usage report day day
	usage report Day
	check "the control socket refuses another period" grep -q \
		'"ok":false.*must be one of day|week|month' <<<"$(ask '{"command":"report","period":"x"}')"
	check "and none" grep -q '"ok":false' <<<"$(ask '{"command":"report"}')"
}

# ask LINE: of the control socket itself
ask() {
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new($ARGV[0]) or die;
		print $s "$ARGV[1]\n"; print scalar <$s>' "$REPGATE_SOCKET" "$1"
}

restarts() {
	restart
	reports "after a restart with new maps" .totals.attempts.refused 7
	reports "zones, too" '.zones[0].asked' 4
	meet "$STANDARD"
	reports "what comes is added" .totals.attempts.refused 8

	CONF[keep_on_stop]=true
	repgate_config
	restart
	repgate_stop || not_ok "repgated stops" "status $?"
	meet "$STANDARD" "$STANDARD"
	repgate_start
	reports "after a stop with keep_on_stop: what XDP did meanwhile" \
		.totals.attempts.refused 10
	unset 'CONF[keep_on_stop]'
	repgate_config

	meet "$STANDARD"
	kill_agent
	meet "$STANDARD"
	repgate_start
	reports "after a kill -9, what XDP counted is there" .totals.attempts.refused 12
	reports "and is in the counters of before, not twice" .attempts.standard.drop 9

	# Now without the maps: what was written must be there.
	kill_agent
	rm -r "$REPGATE_PINS"
	repgate_start
	reports "after a kill -9 and with new maps, what was written" \
		.totals.attempts.refused 12

	CONF[max_verdicts]=50000
	repgate_config
	kill_agent
	meet "$BLOCKED"
	repgate_start
	check "maps of another size" log_says 'made anew'
	reports "with copied counters" .totals.attempts.refused 13
	check "a reload" ctl reload
	reports "after a reload" .totals.attempts.refused 13
}

gaps() {
	kill_agent
	later 10800
	meet "$STANDARD"
	repgate_start
	reports "an agent that was away for 3 hours" \
		'.missing[-1] | (.until - .from) / 100 | floor' 108
	reports "XDP counted meanwhile" \
		'.missing[-1] | .counted_from == .from' true
	reports "all is there" .totals.attempts.refused 14
	same "in the hours of then and now" '13 1' \
		"$(report day '[.lines[] | select(.attempts.refused > 0)] |
			[.[0].attempts.refused, .[-1].attempts.refused] | @text' |
			tr -dc '0-9,' | tr , ' ')"
	check "the text says so" grep -q 'XDP did: shown after it$' <<<"$(ctl report day)"
	repgate_stop || not_ok "repgated stops" "status $?"
	later 10800
	repgate_start
	reports "and one whose filter was away, too" '.missing[-1].counted_from' null
	repgate_stop || not_ok "repgated stops" "status $?"
	later $((31 * 86400))
	repgate_start
	reports "after a month nothing is left" .totals.attempts.refused 0
	repgate_stop || not_ok "repgated stops" "status $?"
	later $((-60 * 86400))
	repgate_start
	meet "$STANDARD"
	reports "a file from the future is no harm" .totals.attempts.refused 1
}

files() {
	same "the file is the agent's alone" 600 "$(stat -c %a "$HISTORY")"
	check "and small" test "$(stat -c %s "$HISTORY")" -lt 65536
	repgate_stop || not_ok "repgated stops" "status $?"
	truncate -s 100 "$HISTORY"
	repgate_start
	check "a truncated file: the log says where" log_says \
		'warning: history: .*state/history: damaged at byte .* of 100: .*set aside'
	check "it is set aside" test -s "$HISTORY.bad"
	meet "$STANDARD"
	reports "and the agent counts" .totals.attempts.refused 1
	repgate_stop || not_ok "repgated stops" "status $?"
	jq -c '.version = 9' "$HISTORY" >"$HISTORY.moved"
	mv "$HISTORY.moved" "$HISTORY"
	repgate_start
	check "a file of a future version: the log says so" log_says \
		'version 9, and this repgated reads 1; set aside'
}

monitored() {
	local before
	before=$(report day .totals.attempts.passed)
	ctl monitor on >/dev/null
	meet "$QIL" "$QIL"
	reports "what monitor mode let pass" .monitored.attempts.qil.reset 2
	reports "has passed" .totals.attempts.passed $((before + 2))
	check "the text has it apart" grep -q 'monitor mode let pass' \
		<<<"$(ctl report day)"
	repgate_stop || not_ok "repgated stops" "status $?"
}

# A resolver that is away, and no room for more than 16 peers at once. After five failures the zones are off,
# and nobody asks them.
outage() {
	zones_stop
	rm "$HISTORY"
	CONF[max_inquiries]=16
	repgate_config
	repgate_start
	meet 198.51.100.{20..39}
	reports "a peer is asked about, or there is no room" \
		'.inquiries.asked + .losses.overload' 20
	meet 198.51.100.{40..49}
	reports "others come later" '.inquiries.failed + .losses.overload' 30
	reports "a zone fails as often as it is asked, no more" \
		'.zones | length == 2 and all(.asked == .failed)' true
	repgate_stop || not_ok "repgated stops" "status $?"
}

# A whole line of all that it can say.
wide() {
	local period text
	jq -c '(.hours, .days) |= map(.seconds += 200000 |
		.counts.done.standard.drop = [9999999999, 9999999999])' "$HISTORY" >"$HISTORY.moved"
	mv "$HISTORY.moved" "$HISTORY"
	repgate_start
	for period in day week month; do
		text=$(ctl report "$period")
		check "report $period: a clock that went back" grep -q \
			' 9999999999 .*  the clock went back$' <<<"$text"
		check "report $period: fits 80 columns, whatever it says" test \
			"$(wc -L <<<"$text")" -le 80
	done
	repgate_stop || not_ok "repgated stops" "status $?"
}

testbed_up
must "the hour does not end" wait_for 130 hour_goes_on
prepare
counts
texts
restarts
gaps
files
monitored
wide
outage
finish
