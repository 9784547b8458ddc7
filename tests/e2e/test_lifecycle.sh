#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_lifecycle.sh - start, stop, crash, and all that repgatectl changes
#
# Each section begins with an agent that runs and leaves one that runs.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

STANDARD=203.0.113.11
STANDARD6=2001:db8:21:11::25
QIL=203.0.113.32
CLEAN=198.51.100.10

# met ADDRESS [MS]: what it meets: connected, refused or timeout
met() {
	in_clients "$BUILD/tests/syn_client" -t "${2:-400}" "$MX4,$MX6" 25 "$1" |
		cut -f 2
}

is_met() {
	[ "$(met "$1")" = "$2" ]
}

is_not_met() {
	[ "$(met "$1")" != "$2" ]
}

xdp_attached() {
	in_mail ip link show dev mx0 | grep -q 'prog/xdp'
}

not_attached() {
	! xdp_attached
}

# A restart takes over only what is left by the pins' owner.
stop_agent() {
	local status=0
	repgate_stop || status=$?
	same "repgated stops with status 0" 0 "$status"
}

kill_agent() {
	kill -KILL "${TESTBED_PID[repgated]}"
	stop repgated 2>/dev/null || true
}

program_id() {
	ctl --json status | jq '.interfaces[0].program'
}

# The ids of the links that are on the mail host's interface.
link_ids() {
	local index
	index=$(in_mail cat /sys/class/net/mx0/ifindex 2>/dev/null) ||
		index=$(in_mail ip -o link show mx0 | cut -d : -f 1)
	in_mail bpftool -j link list |
		jq -c "[.[] | select(.type == \"xdp\" and
			(.ifindex == $index or .devname == \"mx0\")) | .id]"
}

# refused WHAT WORDS COMMAND...: exit status 1, and says the words
refused() {
	local what=$1 words=$2 text status=0
	shift 2
	text=$("$@" 2>&1) || status=$?
	if [ "$status" -eq 1 ] && grep -qiE -- "$words" <<<"$text"; then
		ok "$what"
	else
		not_ok "$what" "status $status, expected 1 and /$words/: $text"
	fi
}

stats() {
	ctl --json stats | jq "$1"
}

log_says() {
	grep -qE -- "$1" "$TESTBED/repgated.log"
}

prepare() {
	ers_zone standard 3600 <<-END
	$STANDARD 127.1.0.1
	2001:db8:21:11::/64 127.1.0.2
	203.0.113.12 127.1.0.1
	203.0.113.13 127.1.0.1
	203.0.113.14 127.1.0.1
	END
	ers_zone qil 3600 <<<"$QIL 127.0.0.32"
	dnsbl_zone bl.example <<<"203.0.113.99 127.0.0.2"
	zones_start
	sink_start
}

start_and_stop() {
	repgate_config
	repgate_start
	check "the program is on the interface" xdp_attached
	same "status: mode" enforce "$(ctl --json status | jq -r .mode)"
	check "status: the index is in force" jq -e \
		'.index | .lists and .hosts and .peers and .failed == 0' <<<"$(ctl --json status)"
	same "status: interface" 'mx0 native' "$(ctl --json status |
		jq -r '.interfaces[0] | "\(.name) \(.mode)"')"
	same "a listed peer is dropped" timeout "$(met "$STANDARD")"
	stop_agent
	check "stopping detaches" not_attached
	same "stopping removes the pins" '' "$(ls -A "$REPGATE_PINS" 2>/dev/null)"
	check "stopping removes the control socket" test ! -e "$REPGATE_SOCKET"
	same "then everybody gets through" connected "$(met "$STANDARD")"
	refused "repgatectl says that nobody is there" 'repgated does not run' \
		ctl status
}

keep_on_stop() {
	CONF[keep_on_stop]=true
	CONF[heartbeat_timeout]='"2s"'
	repgate_config
	repgate_start
	same "a listed peer is dropped" timeout "$(met "$STANDARD")"
	stop_agent
	check "keep_on_stop leaves the program" xdp_attached
	same "and its verdicts" timeout "$(met "$STANDARD")"
	check "unknown peers pass then" wait_for 5 is_met 203.0.113.12 connected
	repgate_start
	same "the next agent knows the verdict" standard \
		"$(lookup "$STANDARD" .class)"
	same "and knows it, without asking" true "$(lookup "$STANDARD" .known)"
	check "it judges new peers" wait_for 5 is_met 203.0.113.13 timeout
	unset 'CONF[keep_on_stop]'
	stop_agent
	repgate_config
	repgate_start
	stop_agent
	check "without it a stop detaches again" not_attached
	unset 'CONF[heartbeat_timeout]'
	repgate_config
	repgate_start
}

# A listed peer tries without a break; that it never gets through is the point.
attack() {
	while :; do
		met "$STANDARD" 20
		met "$STANDARD6" 20
	done >"$TESTBED/attack"
}

attacked() {
	[ "$(wc -l <"$TESTBED/attack")" -ge "$1" ]
}

crash() {
	local before after pins attacker count known hits
	same "a listed peer is dropped" timeout "$(met "$STANDARD")"
	same "IPv6, too" timeout "$(met "$STANDARD6")"
	same "a clean peer is known" connected "$(met "$CLEAN")"
	known=$(lookup "$STANDARD" '"\(.code) \(.since | round)"')
	hits=$(lookup "$STANDARD" .hits)
	before=$(program_id) pins=$(link_ids)
	: >"$TESTBED/attack"
	attack &
	attacker=$!
	must "no attack" wait_for 5 attacked 10
	kill_agent
	check "a kill -9 leaves the program" xdp_attached
	count=$(wc -l <"$TESTBED/attack")
	must "the attack ended" wait_for 5 attacked $((count + 10))
	repgate_start
	count=$(wc -l <"$TESTBED/attack")
	must "the attack ended" wait_for 5 attacked $((count + 10))
	kill "$attacker"
	wait "$attacker" 2>/dev/null || true
	same "no listed peer got through meanwhile ($(wc -l <"$TESTBED/attack") tries)" \
		timeout "$(sort -u "$TESTBED/attack")"
	after=$(program_id)
	check "the program is the new agent's: $before, then $after" \
		test "$before" != "$after"
	same "the link stays" "$pins" "$(link_ids)"
	check "the log says what was taken over" log_says 'took over [0-9]+ verdicts'
	same "what is known of a verdict is still known" "$known" \
		"$(lookup "$STANDARD" '"\(.code) \(.since | round)"')"
	check "its hits went on: $hits, then $(lookup "$STANDARD" .hits)" \
		test "$(lookup "$STANDARD" .hits)" -gt "$hits"
	same "each verdict has its details" 0 "$(ctl --json status | jq '[.maps[] |
		select(.name | startswith("verdict")).entries] | .[0] - .[1]')"
	same "the clean peer is still known" true "$(lookup "$CLEAN" .known)"
}

second_agent() {
	local text status=0
	text=$(in_mail timeout 10 "$BUILD/repgated" --config "$REPGATE_CONF" 2>&1) ||
		status=$?
	same "a second agent with these pins is refused" 1 "$status"
	check "and says why" grep -q "$REPGATE_PINS" <<<"$text"
	check "the first one goes on" ctl status
	same "and filters" timeout "$(met "$STANDARD")"
}

commands() {
	check "block" ctl block 203.0.113.200
	same "a blocked peer is dropped" timeout "$(met 203.0.113.200)"
	check "block a range" ctl block 203.0.113.210-203.0.113.215
	same "its last address" timeout "$(met 203.0.113.215)"
	same "the one after it" connected "$(met 203.0.113.216)"
	check "block IPv6" ctl block 2001:db8:21:b::/64
	same "a blocked IPv6 peer" timeout "$(met 2001:db8:21:b::1)"
	same "of an entry, lookup tells the file" "$TESTBED/repgate/state/blocked.list" \
		"$(lookup 203.0.113.200 '.lists[0].file')"
	check "approve a listed peer" ctl approve "$STANDARD"
	same "it gets through at once" connected "$(met "$STANDARD")"
	check "approve a blocked one" ctl approve 203.0.113.200
	same "approved wins" connected "$(met 203.0.113.200)"
	check "approve it for a while" ctl approve 203.0.113.12 --for 2s
	same "it gets through" connected "$(met 203.0.113.12)"
	check "block for an hour" ctl block 203.0.113.220 --for 1h \
		--comment "a ticket # 1"
	check "lookup says how long" jq -en \
		"$(lookup 203.0.113.220 .expires_in) | . > 3590 and . <= 3600"
	check "a timed entry ends" wait_for 8 is_met 203.0.113.12 timeout
	refused "unlist what is in no list" 'no local list' ctl unlist 198.51.100.77
	refused "block nonsense" 'nonsense' ctl block nonsense
	refused "approve nonsense" '1.2.3' ctl approve 1.2.3
}

# The comment of an entry must not become entries of its own.
comment_injection() {
	ctl block 203.0.113.230 --comment $'x\n198.51.100.0/24' >/dev/null 2>&1 ||
		true
	same "a comment makes no entry" connected "$(met "$CLEAN")"
	ctl unlist 203.0.113.230 >/dev/null 2>&1 || true
}

restart_keeps() {
	stop_agent
	repgate_start
	same "approve survives a restart" connected "$(met "$STANDARD")"
	same "block survives a restart" timeout "$(met 203.0.113.215)"
	check "a timed one does, with its time" jq -en \
		"$(lookup 203.0.113.220 .expires_in) | . > 3500 and . < 3600"
	check "the comment is kept" grep -rq 'a ticket' "$TESTBED/repgate/state"
	check "unlist" ctl unlist 203.0.113.210-203.0.113.215
	same "an unlisted peer gets through" connected "$(met 203.0.113.215)"
	check "unlist the approved one" ctl unlist "$STANDARD"
	same "it is judged again" timeout "$(met "$STANDARD")"
	check "unlist IPv6, in another form" ctl unlist 2001:0DB8:21:B::0/64
	same "an unlisted IPv6 peer gets through" connected \
		"$(met 2001:db8:21:b::1)"
	ctl unlist 203.0.113.200 >/dev/null
	ctl unlist 203.0.113.220 >/dev/null
	same "nothing is left in the lists" 0 \
		"$(ctl --json list | jq '.entries | length')"
}

files() {
	local_list blocked files <<-END
	# a comment
	198.51.100.50
	END
	check "a new file is noticed" wait_for 5 is_met 198.51.100.50 timeout
	refused "unlist says where it is" 'files.list:2' ctl unlist 198.51.100.50
	local_list approved more <<<"198.51.100.48/28"
	check "so is one that approves it" wait_for 5 is_met 198.51.100.50 connected
	echo 198.51.100.200 >>"$TESTBED/repgate/blocked.d/files.list"
	check "a line that is added is noticed" wait_for 5 is_met 198.51.100.200 \
		timeout
	echo "198.51.100.0/24" >"$TESTBED/repgate/blocked.d/not-a-list.txt"
	rm "$TESTBED/repgate/approved.d/more.list"
	check "a file that goes is noticed" wait_for 5 is_met 198.51.100.50 timeout
	same "other files do not count" connected "$(met 198.51.100.49)"
	same "list approved" 0 "$(ctl --json list approved | jq '.entries | length')"
	same "list blocked" '198.51.100.200 198.51.100.50' \
		"$(ctl --json list blocked | jq -r '.entries[].entry' | cut -d / -f 1 |
			sort | xargs)"
	rm "$TESTBED/repgate/blocked.d"/*
	check "without files nobody is blocked" wait_for 5 is_met 198.51.100.50 \
		connected
}

flush() {
	same "a listed peer is known" timeout "$(met "$STANDARD")"
	same "an IPv6 one, too" timeout "$(met "$STANDARD6")"
	met "$QIL" >/dev/null
	check "flush an address" ctl flush "$STANDARD"
	same "then it is unknown" false "$(lookup "$STANDARD" .known)"
	same "others are not" true "$(lookup "$STANDARD6" .known)"
	same "flush another address of its /64" "repgatectl: nothing is known of 2001:db8:21:11::1: nothing is forgotten" \
		"$(ctl flush 2001:db8:21:11::1 2>&1)"
	same "that is another peer" true "$(lookup "$STANDARD6" .known)"
	check "flush an IPv6 address" ctl flush "$STANDARD6"
	same "the peer is unknown" false "$(lookup "$STANDARD6" .known)"
	met "$STANDARD" >/dev/null
	check "flush a zone" ctl flush ers-qil
	same "the zone's verdict is gone" false "$(lookup "$QIL" .known)"
	same "that of another zone is not" true "$(lookup "$STANDARD" .known)"
	check "flush a prefix" ctl flush 203.0.113.0/24
	same "what is in it is unknown" false "$(lookup "$STANDARD" .known)"
	met "$STANDARD" >/dev/null
	met "$CLEAN" >/dev/null
	check "flush all" ctl flush all
	same "dump is empty" 0 \
		"$(ctl --json dump | jq '(.verdicts + .peers) | length')"
	refused "flush nonsense" nonsense ctl flush nonsense
	check "lookup --store" test "$(lookup "$STANDARD" .known)" = false
	ctl lookup "$STANDARD" --store >/dev/null || true
	same "stores what it found" true "$(lookup "$STANDARD" .known)"
}

monitor() {
	check "monitor on" ctl monitor on
	same "a listed peer gets through" connected "$(met "$STANDARD")"
	same "lookup says so" 'drop pass' \
		"$(lookup "$STANDARD" '"\(.action) \(.next_syn)"')"
	check "what would have been done is counted" jq -en \
		"$(stats .monitored.packets.standard.drop) > 0"
	check "and logged" wait_for 2 log_says "would refuse: client=\[$STANDARD\]"
	same "status says monitor" monitor "$(ctl --json status | jq -r .mode)"
	check "monitor off" ctl monitor off
	same "then it is dropped" timeout "$(met "$STANDARD")"
}

# How often a dropped connection sends its SYN in that time is the sender's
# affair, so it is asked.
counters() {
	local packets attempts line
	packets=$(stats .packets.standard.drop)
	attempts=$(stats .attempts.standard.drop)
	line=$(in_clients "$BUILD/tests/syn_client" -n -t 3300 "$MX4" 25 "$STANDARD")
	check "a dropped connection with retransmissions: $line" \
		test "$(cut -f 4 <<<"$line")" -gt 1
	same "each is a packet" $((packets + $(cut -f 4 <<<"$line"))) \
		"$(stats .packets.standard.drop)"
	same "and all are 1 attempt" $((attempts + 1)) "$(stats .attempts.standard.drop)"
	packets=$(stats .packets.clean.pass)
	same "a known clean peer connects" 'connected connected' \
		"$(met "$CLEAN") $(met "$CLEAN")"
	check "passes are counted" jq -en "$(stats .packets.clean.pass) > $packets"
}

follower_has() {
	grep -q "$1" "$TESTBED/follower.log"
}

events() {
	ctl flush all >/dev/null
	spawn follower "$BUILD/repgatectl" --socket "$REPGATE_SOCKET" --json \
		events --follow
	must "no follower" wait_for 5 test -s "$TESTBED/follower.log" # the events so far
	same "a QIL peer" refused "$(met "$QIL")"
	check "events --follow shows the verdict" wait_for 5 follower_has \
		"\"judged\".*$QIL\|$QIL.*\"judged\""
	check "and the refusal" wait_for 5 follower_has \
		"\"refused\".*$QIL\|$QIL.*\"refused\""
	stop follower || true
	same "events has the same" 'qil reset ers-qil 127.0.0.32' \
		"$(ctl --json events | jq -r "[.events[] | select(.event == \"judged\"
			and .address == \"$QIL\")][-1] |
			\"\(.class) \(.action) \(.zone) \(.code)\"")"
	check "the log has one line for it" log_says \
		"refused: client=\[$QIL\]:[0-9]+ server=\[$MX4\]:25 class=qil action=reset list=ers-qil"
	check "events for people" grep -q "$QIL" <<<"$(ctl events)"
}

texts() {
	local command
	for command in status stats list zones events dump version \
		"lookup $CLEAN"; do
		# shellcheck disable=SC2086 # words
		check "repgatectl $command" ctl $command
		# shellcheck disable=SC2086
		check "repgatectl --json $command is JSON" \
			jq -e . <<<"$(ctl --json $command)"
	done
	same "zones" 'ers-standard standard ers-qil qil' "$(ctl --json zones |
		jq -r '.zones[] | "\(.zone) \(.kind)"' | xargs)"
	check "dump shows a peer" jq -e \
		".verdicts[] | select(.peer | startswith(\"$QIL\"))" \
		<<<"$(ctl --json dump)"
	check "test-config" ctl test-config "$REPGATE_CONF"
}

metrics() {
	local page bad
	page=$(scrape)
	check "the metrics page answers" grep -q '^HTTP/1.* 200' <<<"$page"
	page=$(sed '1,/^\r*$/d' <<<"$page" | tr -d '\r')
	bad=$(grep -vE '^# (HELP|TYPE) [a-z_]+ .+|^# [a-z0-9_]+: .+|^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+$' \
		<<<"$page" || true)
	same "each line is a sample or a comment" '' "$bad"
	same "no sample twice" '' "$(grep -v '^#' <<<"$page" | sed 's/ [^ ]*$//' |
		sort | uniq -d)"
	same "each name has its type before" '' "$(awk '
		$1 == "#" && $2 == "TYPE" { type[$3] = 1 }
		$1 != "#" { sub(/[{ ].*/, ""); if (!type[$0]) print }' <<<"$page")"
	same "they say what stats says" "$(stats .packets.qil.reset)" \
		"$(sed -n 's/^repgate_.*packets.*{class="qil",action="reset"} //p' \
			<<<"$page" | head -n 1)"
}

# within MS LINE: of syn_client. An emulated machine waits for DNS as long as any,
# but takes its time before and after.
within() {
	[ "$(cut -f 3 <<<"$2")" -lt $((($1 + 20 * (${TESTBED_SLOW:-1} - 1)) * 1000)) ]
}

# One zone of several answers REFUSED: it counts as a failure, and the others
# still count. Each peer here is one that is not known yet.
dns_refused() {
	local took
	stop_agent
	repgate_config 'zones = { elsewhere = {
	suffix = "elsewhere.example"; kind = "standard"; }; };'
	repgate_start
	took=$(in_clients "$BUILD/tests/syn_client" -t 3000 "$MX4" 25 198.51.100.20)
	same "a zone that refuses: clean mail passes" connected "$(cut -f 2 <<<"$took")"
	check "at once: $took" test "$(cut -f 3 <<<"$took")" -lt 500000
	same "it is counted as refused" 1 "$(ctl --json zones |
		jq '.zones[] | select(.zone == "elsewhere") | .failed | add')"
	same "another zone's listing still counts" timeout "$(met 203.0.113.14)"
}

dns_dead() {
	local took
	CONF[dns_timeout]='"300ms"'
	CONF[dns_tries]=2
	stop_agent
	RESOLVER=127.0.0.1:5399
	repgate_config
	repgate_start
	took=$(in_clients "$BUILD/tests/syn_client" -n -t 3000 "$MX4" 25 198.51.100.21)
	same "no resolver: clean mail passes" connected "$(cut -f 2 <<<"$took")"
	check "in time: $took" within 700 "$took"
	same "it says why" 'clean dns failure' \
		"$(lookup 198.51.100.21 '"\(.class) \(.reason | gsub("[-_]"; " "))"')"
	check "and counts it" jq -e '[.zones[].failed | add // 0] | add > 0' \
		<<<"$(ctl --json zones)"

	# A resolver that takes questions and never answers: the longest wait.
	stop_agent
	spawn silent "$BUILD/tests/dns_delay" --delay 60000 127.0.0.1:5398 \
		127.0.0.1:53
	must "no silent resolver" wait_for 5 udp_open 5398
	RESOLVER=127.0.0.1:5398
	repgate_config
	repgate_start
	took=$(in_clients "$BUILD/tests/syn_client" -n -t 3000 "$MX4" 25 198.51.100.22)
	same "a silent resolver: clean mail passes" connected "$(cut -f 2 <<<"$took")"
	check "within dns_timeout x dns_tries: $took" within 700 "$took"
	check "it took that long, too" test "$(cut -f 3 <<<"$took")" -ge 300000
	stop_agent
	stop silent || true
	stop unbound || true
}

first_zone_fails() {
	ctl --json zones | jq -e '.zones[0].state == "failing"'
}

# rbldnsd is gone, unbound answers SERVFAIL, maybe after hold_timeout.
dns_servfail() {
	local took
	RESOLVER=127.0.0.1
	stop rbldnsd || true
	spawn unbound unbound -d -c "$TESTBED/unbound.conf"
	must "no unbound" wait_for 5 udp_open 53
	CONF[dns_timeout]='"1s"'
	repgate_config
	repgate_start
	took=$(in_clients "$BUILD/tests/syn_client" -t 4000 "$MX4" 25 198.51.100.23)
	same "SERVFAIL or no answer: clean mail passes" connected \
		"$(cut -f 2 <<<"$took")"
	check "within dns_timeout x dns_tries: $took" within 2500 "$took"
	check "zones are said to fail" wait_for 5 first_zone_fails
	stop_agent
}

testbed_up
prepare
start_and_stop
keep_on_stop
crash
second_agent
commands
comment_injection
restart_keeps
files
flush
monitor
counters
events
texts
metrics
dns_refused
dns_dead
dns_servfail
finish
