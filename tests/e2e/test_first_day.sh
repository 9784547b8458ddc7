#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_first_day.sh - a postmaster's first day: every command of repgatectl(8), right and wrong
#
# The output of each case is compared with tests/golden/COMMAND.txt: as root, as a member of control_group and as
# nobody, in pipes, and with the agent gone. Times, process ids and counts are replaced by words. UPDATE=1 writes the
# files anew; then read them: every line is what people see.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LISTED=203.0.113.11
CLEAN=198.51.100.10
LONG6=2001:db8:21:1234:5678:9abc:def0:1234
MEMBERS=games # control_group: a group that every Debian has
GOLDEN=$TOP/tests/golden
SEEN=$TESTBED/golden
CTL=$TESTBED/bin/repgatectl
export TZ=UTC

# What differs from run to run, as words of about the same width. Counts in columns stay in their columns.
normalise() {
	perl -pe '
		s/\b20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)?/DATE TIME/g;
		s/\b[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\b/MMM DD hh:mm:ss/g;
		s/until [A-Z][a-z]{2} \d+, (20\d\d, )?\d\d:\d\d/until DATE, TIME/g;
		s/\b[A-Z][a-z]{2} 20\d\d-\d\d-\d\d/DAY DATE/g; s/\b20\d\d-\d\d-\d\d\b/DATE/g;
		s/^(repgate\w+ +|repgated )\d[^ ,\n]*/$1VERSION/; s/\bpid \d+/pid PID/; s/\bup \d[^,]*,/up SPAN,/;
		s/^(kernel +).*/$1KERNEL/; s/^(layout +).*/$1N/;
		s/(ends in +)\d.*/$1SPAN/; s/ +\d+[dhm] \d+[hms](?=[ ;]|$)/ SPAN/g; s/ +\d+s(?=[ ;]|$)/ SPAN/g;
		s/SPAN +/SPAN /g; s/ +SPAN not counted$//;
		s/inquiries: \d+, open \d+/inquiries: N, open N/; s/(lists|hosts|peers) \d+/$1 N/g if /^index:/;
		s/\d+ connections, \d+ of/N connections, N of/;
		s/^(\w+) +\d+ +(\d+|-) +(\d+)$/$1 ID $2 MAX/ if $maps; $maps = /^MAP / || ($maps && !/^$/);
		s/( {2,})(\d+(\.\d)?%?)(?=\s|$)/" " x (length($1 . $2) - 1) . "N"/ge;
		s/("(?:since|time|uptime|expires_in|until|pid|version|[a-z_]*_in|kernel|ttl|port|hits)": )("[^"]*"|[\d.]+)/$1"X"/g;
	'
}

# record COMMAND PROMPT TEXT STATUS: adds a case to the command's file. Output is on descriptors 3 (standard output) and 4.
record() {
	local file=$SEEN/$1.txt line
	{
		printf '%s %s\n' "$2" "$3"
		normalise <"$SEEN/out"
		normalise <"$SEEN/err" | sed 's/^/! /'
		[ "$4" -eq 0 ] || printf '[exit %d]\n' "$4"
		echo
	} >>"$file"
	while IFS= read -r line; do
		# A word that is longer than the line is left whole, and so is JSON.
		[ "${#line}" -le 80 ] || [[ $line =~ ^\ *[^\ ]+$ || $3 = *--json* ]] ||
			not_ok "$3: 80 columns" "$line"
	done <"$SEEN/out"
}

# run COMMAND WHO ARGUMENT...: runs repgatectl as root, a member or nobody.
run() {
	local name=$1 who=$2 prompt status=0 as=()
	shift 2
	case $who in
	root) prompt='#' ;;
	member) prompt="member\$" && as=(setpriv --reuid nobody --regid nogroup --groups "$MEMBERS") ;;
	nobody) prompt="nobody\$" && as=(setpriv --reuid nobody --regid nogroup --clear-groups) ;;
	esac
	in_mail "${as[@]}" timeout 20 "$CTL" --socket "$REPGATE_SOCKET" "$@" \
		>"$SEEN/out" 2>"$SEEN/err" </dev/null || status=$?
	record "$name" "$prompt" "$(quoted "$@")" "$status"
}

# quoted WORD...: the command as one would type it
quoted() {
	local word text="repgatectl "
	for word in "$@"; do
		[[ $word != *' '* && -n $word ]] || word="\"$word\""
		text+="$word "
	done
	printf '%s' "${text% }"
}

# pipe COMMAND SHELL: a command line of the shell, in which repgatectl is a word
pipe() {
	local status=0
	in_mail env PATH="$TESTBED/bin:$PATH" REPGATE_SOCKET="$REPGATE_SOCKET" timeout 20 bash -c \
		"repgatectl() { command repgatectl --socket \"\$REPGATE_SOCKET\" \"\$@\"; }; $2" \
		>"$SEEN/out" 2>"$SEEN/err" </dev/null || status=$?
	record "$1" '#' "$2" "$status"
}

words() { # what is the same for every command
	local name
	for name in $("$CTL" --json help | jq -r '.commands[].name'); do
		run "$name" nobody help "$name"
		run "$name" root "$name" --nonsense
	done
}

wrong() {
	run repgatectl root
	run repgatectl root --json
	run repgatectl root -h
	run repgatectl root --help
	run repgatectl root -V
	run repgatectl root --version
	run repgatectl root staus
	run repgatectl root --json lokup 203.0.113.11
	run repgatectl root status --socket
	run help root help
	run help root help lokup
	run status root status now
	run status root status --save
	run lookup root lookup
	run lookup root lookup nonsense
	run lookup root --json lookup nonsense
	run lookup root lookup 203.0.113.11 203.0.113.12
	run stats root stats --wach
	run report root report
	run report root report year
	run list root list bloked
	run approve root approve
	run approve root approve 203.0.113.300
	run approve root approve 203.0.113.25 --for
	run approve root approve 203.0.113.25 --for ever
	run approve root approve 203.0.113.25 --until tomorrow
	run block root block
	run block root block 203.0.113.0/2
	run block root block UK
	run unlist root unlist
	run unlist root unlist 203.0.113.99
	run flush root flush
	run flush root flush 203.0.113.99
	run flush root flush ers-standrad
	run zones root zones ers-qil
	run events root events nonsense
	run dump root dump --follow
	run reload root reload --save
	run set root set
	run set root set mode
	run set root set moed monitor
	run set root set mode enfroce
	run set root set resolver 127.0.0.1
	run set root set ers-standrad.action reject
	run settings root settings mod
	run monitor root monitor
	run monitor root monitor maybe
	run monitor root monitor off --save
	run activation-code root activation-code
	run test-config root test-config /nonexistent/repgate.conf
	run test-config root --json test-config /nonexistent/repgate.conf
	run version root version 1
}

right() {
	run status root status
	run status member status
	run status root status --check
	run status root --json status --check
	run lookup root lookup $LISTED
	run lookup root lookup "[$LISTED]:18947"
	run lookup root lookup $CLEAN
	run lookup root lookup $LONG6
	run stats root stats
	run report root report day
	run report root report week
	run list root list
	run list root list approved
	run approve root approve 203.0.113.25 --for 7d --comment 'ticket 4711'
	run approve member approve $LONG6 --comment 'a long comment: the partner who sends the newsletters of the club'
	run block root block 203.0.113.0/24
	run block root block 203.0.113.25
	run approve root approve 203.0.113.25
	run list root list
	run list root --json list approved
	run lookup root lookup 203.0.113.25
	run lookup root lookup $LONG6
	run unlist root unlist 203.0.113.25
	run unlist root unlist 203.0.113.0/24
	run unlist root unlist $LONG6
	run zones root zones
	run events root events
	run events root events $LISTED
	run dump root dump
	run flush root flush $LISTED
	run flush root --json flush $LISTED
	run flush root flush all
	run dump root dump
	run set root set standard_action reject
	run set root --config "$REPGATE_CONF" set standard_action drop --save
	run set root --config /nonexistent set standard_action drop --save
	pipe settings 'repgatectl settings | head -n 11' # test_keys has all of them
	check "all settings fit 80 columns" eval '[ "$("$CTL" settings | wc -L)" -le 80 ]'
	run settings nobody settings qil_action
	run monitor root monitor on
	run lookup root lookup $LISTED
	run monitor root monitor off
	run reload root reload
	run version root version
	run test-config root test-config "$REPGATE_CONF"
	run test-config root test-config "$TESTBED/public.conf"
	run test-config nobody test-config "$TESTBED/secret.conf"
}

pipes() {
	pipe stats 'repgatectl stats --watch | head -n 1'
	pipe stats 'repgatectl --json stats --watch | head -n 2 | wc -l'
	pipe events 'repgatectl events --follow | head -n 1'
	pipe settings 'repgatectl settings | head -n 1'
	pipe status 'repgatectl status >/dev/full'
	check "no escape codes in a pipe" eval "! grep -rq $'\033' $SEEN"
}

# No reader is left, and no event comes: events --follow ends all the same.
no_reader() {
	local end
	coproc FOLLOW { in_mail "$CTL" --socket "$REPGATE_SOCKET" events --follow; }
	end=${FOLLOW[0]}
	read -r _ <&"$end"
	exec {end}<&-
	check "events --follow ends when nobody reads it" wait_for 10 not_running "$FOLLOW_PID"
}

not_running() {
	! kill -0 "$1" 2>/dev/null
}

forbidden() {
	local name
	for name in status stats zones list dump events version reload; do
		run "$name" nobody "$name"
	done
	run lookup nobody lookup $LISTED
	run report nobody report day
	run approve nobody approve 203.0.113.25
	run block nobody block 203.0.113.25
	run unlist nobody unlist 203.0.113.25
	run flush nobody flush all
	run set nobody set mode monitor
	run monitor nobody monitor on
	run status nobody --json status
}

stopped() {
	in_mail "$CTL" --socket "$REPGATE_SOCKET" events --follow >"$SEEN/follow" 2>"$SEEN/follow.err" &
	local follow=$! watch status=0
	in_mail "$CTL" --socket "$REPGATE_SOCKET" --json stats --watch >"$SEEN/watch" 2>&1 &
	watch=$!
	must "stats --watch prints nothing" wait_for 10 test -s "$SEEN/watch"
	must "events --follow prints nothing" wait_for 10 test -s "$SEEN/follow"
	repgate_stop
	wait "$follow" || status=$?
	same "events --follow ends with the agent" "1 repgatectl: repgated has stopped" \
		"$status $(cat "$SEEN/follow.err")"
	status=0
	wait "$watch" || status=$?
	same "stats --watch ends with the agent" '1 {"ok":false,"error":"repgated has stopped"}' \
		"$status $(tail -n 1 "$SEEN/watch")"
	rm "$SEEN/watch" "$SEEN/follow" "$SEEN/follow.err"
}

gone() {
	local name
	for name in status stats zones list dump events version reload; do
		run "$name" root "$name"
	done
	run lookup root lookup $LISTED
	run report root report day
	run approve root approve 203.0.113.25
	run block root block 203.0.113.25
	run unlist root unlist 203.0.113.25
	run flush root flush all
	run set root set mode monitor
	run monitor root monitor on
	run status root --json status
	run help root help monitor
	run settings root settings mode
	run test-config root test-config "$REPGATE_CONF"
}

# compare: each file with the golden one; or writes these.
compare() {
	local file name
	rm -f "$SEEN/out" "$SEEN/err"
	for file in "$SEEN"/*.txt; do
		name=${file##*/}
		sed -i '1i# SPDX-License-Identifier: GPL-2.0-or-later' "$file"
		if [ -n "${UPDATE:-}" ]; then
			cp "$file" "$GOLDEN/$name"
			ok "$name is written"
		else
			check "$name" diff -u "$GOLDEN/$name" "$file"
		fi
	done
	for name in $("$CTL" --json help | jq -r '.commands[].name') \
		$(sed -n 's/^\.It Cm \([a-z-]*\).*/\1/p' "$TOP/man/repgatectl.8"); do
		check "$name has a golden output" test -s "$GOLDEN/$name.txt"
	done
}

met() {
	in_clients "$BUILD/tests/syn_client" -t 700 "$MX4,$MX6" 25 "$1" | cut -f 2
}

testbed_up
mkdir -p "$SEEN" "$TESTBED/bin"
cp "$BUILD/repgatectl" "$CTL"
chmod 755 "$TESTBED" "$TESTBED/bin" "$CTL"
printf '%s 127.1.0.1\n' $LISTED | ers_zone standard
ers_zone qil </dev/null
zones_start
sink_start
CONF[control_group]="\"$MEMBERS\""
repgate_config
chmod 755 "$TESTBED/repgate"
sed 's/^resolver = .*/resolver = "9.9.9.9";/' "$REPGATE_CONF" >"$TESTBED/public.conf"
install -m 600 "$REPGATE_CONF" "$TESTBED/secret.conf"
repgate_start
same "a listed peer is refused" timeout "$(met $LISTED)"
same "a clean one connects" connected "$(met $CLEAN)"
words
wrong
cp "$REPGATE_CONF" "$TESTBED/before.conf"
right
sed -i 's/^resolver = .*/resolver = "127.0.0.1:5399";/' "$REPGATE_CONF"
run test-config root test-config "$REPGATE_CONF"
run reload root reload
cp "$TESTBED/before.conf" "$REPGATE_CONF"
pipes
no_reader
forbidden
in_mail ip link del mx0
wait_for 10 eval 'ctl status --check | grep -q "IS NOT FILTERED"' || true
run status root status
run status root status --check
stopped
gone
compare
finish
