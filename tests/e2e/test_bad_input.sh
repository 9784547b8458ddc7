#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_bad_input.sh - what is wrong is named, and changes nothing
#
# Broken configurations and lists, each given to `repgated --check` and, most of
# them, to an agent that runs: by repgatectl reload, by SIGHUP, by a change of
# the file. Then requests that no repgatectl would send.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

BAD=$TESTBED/bad
STANDARD=203.0.113.11
CLEAN=198.51.100.10

# Line of the error (0: the file has no line for it, or any) | words of the
# reason, all of which must be there | the configuration; \n is a line's end.
# Lines 1 and 2 come from here: the interfaces, and a comment.
CONFIGS='
3|mod|mod = "enforce";
3|nterfaces|nterfaces = [ "mx0" ];
3|mode enforce monitor|mode = "enfroce";
3|mode string|mode = 1;
3|unknown hold pass drop|unknown = "held";
3|on_overload pass drop|on_overload = "hold";
3|on_dns_failure|on_dns_failure = "drop";
3|tag_dscp 1 63|tag_dscp = 64;
3|qil_throttle 60/min burst|qil_throttle = "60/min";
3|reply_stage rcpt greeting|reply_stage = "data";
3|greet_delay bounds|greet_delay = "1h";
3|max_sessions bounds|max_sessions = 0;
3|responder_name|responder_name = "a b";
3|blocked_reply 4.7.1|blocked_reply = "550 4.7.1 no";
3|ports 65535|ports = [ 25, 65536 ];
3|ports 65535|ports = [ 0 ];
3|ports|ports = 25;
3|ports|ports = [ "25" ];
3|ports 1 16|ports = [ ];
3|ports 1 16|ports = [ 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 ];
3|resolver address|resolver = "localhost";
3|resolver|resolver = "127.0.0.1:99999";
3|resolver|resolver = "::1]:53";
3|clean_ttl_min|clean_ttl_min = 60;
3|clean_ttl_min|clean_ttl_min = "60";
3|clean_ttl_min|clean_ttl_min = "-1s";
3|clean_ttl_min|clean_ttl_min = "1.5h";
3|clean_ttl_min bounds|clean_ttl_min = "2d";
3|clean_ttl_min clean_ttl_max|clean_ttl_min = "2h";
3|heartbeat_timeout bounds|heartbeat_timeout = "10ms";
3|dns_tries bounds|dns_tries = 0;
3|dns_tries number|dns_tries = "2";
3|dns_tries|dns_tries = 1.5;
3|ipv6_prefix 32 128|ipv6_prefix = 129;
3|keep_on_stop true false|keep_on_stop = "yes";
3|pin_path absolute|pin_path = "repgate";
3|metrics_listen|metrics_listen = "9125";
3|xdp_mode native generic auto|xdp_mode = "skb";
3|blocked_action drop reset|blocked_action = "pass";
3|max_list bounds|max_list = -1;
3|max_verdicts bounds|max_verdicts = 99999999999;
4|unknown key colour|ers = { activation_code_file = "CODE";\ncolour = "red"; };
4|standard_action|ers = { activation_code_file = "CODE";\nstandard_action = "tempfail"; };
3|key|ers = { activation_code_file = "CODE";\nqil_reply = "450 4.7.1 code rgtest0000code"; };
3|key|ers = { activation_code_file = "CODE";\nqil_reply = "450 4.7.1 code rg-test-0000-code"; };
3|%q|ers = { activation_code_file = "CODE";\nqil_reply = "450 4.7.1 %q"; };
4|qil_action|ers = { activation_code_file = "CODE";\nqil_action = "reject"; };
4|qil_ttl_max 12h|ers = { activation_code_file = "CODE";\nqil_ttl_max = "13h"; };
0|qil_ttl_min qil_ttl_max|ers = { activation_code_file = "CODE";\nqil_ttl_min = "2h"; qil_ttl_max = "1h"; };
4|lists dlu rbl dul|ers = { activation_code_file = "CODE";\nlists = [ "rbl", "dlu" ]; };
4|lists|ers = { activation_code_file = "CODE";\nlists = [ ]; };
4|qil_level 1 4|ers = { activation_code_file = "CODE";\nqil_level = 5; };
3|/nowhere No such file|ers = { activation_code_file = "/nowhere"; };
3|activation_code_file|ers = { };
3|ers group|ers = "AB-CDEF-GHIJ-KLMN";
0|z suffix|zones = {\nz = { kind = "standard"; }; };
0|z kind|zones = {\nz = { suffix = "bl.example"; }; };
5|kind standard qil|zones = {\nz = { suffix = "bl.example";\nkind = "black"; }; };
5|action allow pass|zones = {\nz = { suffix = "bl.example"; kind = "allow";\naction = "drop"; }; };
4|reply|zones = {\nz = { suffix = "bl.example"; kind = "standard";\nreply = "450 4.7.1 no"; }; };
5|code 128.0.0.1|zones = {\nz = { suffix = "bl.example"; kind = "standard";\ncodes = [ "128.0.0.1" ]; }; };
5|code 127.0.0.9|zones = {\nz = { suffix = "bl.example"; kind = "standard";\ncodes = [ "127.0.0.9-127.0.0.2" ]; }; };
5|codes|zones = {\nz = { suffix = "bl.example"; kind = "standard";\ncodes = [ 2 ]; }; };
5|suffix|zones = {\nz = { kind = "standard";\nsuffix = "bl..example"; }; };
5|unknown key sufix|zones = {\nz = { kind = "standard";\nsufix = "bl.example"; }; };
0|ttl_min ttl_max|zones = {\nz = { suffix = "bl.example"; kind = "standard";\nttl_min = "2h"; ttl_max = "1h"; }; };
0|12h|zones = {\nz = { suffix = "bl.example"; kind = "qil";\nttl_max = "1d"; }; };
3|zones group|zones = [ "bl.example" ];
4|syntax|mode = "enforce";\nunknown "hold";
4|syntax|ers = {
4|duplicate|mode = "enforce";\nmode = "monitor";
4|syntax|mode = "enforce;
3|include|@include "not-there.conf"
'

# Line | words | the list
LISTS='
1|203.0.113.256|203.0.113.256
2|203.0.113.0/33|# good\n203.0.113.0/33
1|203.0.113.0/|203.0.113.0/
1|203.0.113.0/-1|203.0.113.0/-1
1|203.0.113|203.0.113
1|0203.0.113.1|0203.0.113.1
1|203.0.113.9-203.0.113.1|203.0.113.9-203.0.113.1
1|range|203.0.113.9-2001:db8::1
1|range|203.0.113.1-
1|range|-203.0.113.1
1|range|203.0.113.1-203.0.113.5-203.0.113.9
3|2001:db8::1::2|203.0.113.1\n\n2001:db8::1::2
1|2001:db8::/129|2001:db8::/129
1|2001:db8:0:0:0:0:0:0:1|2001:db8:0:0:0:0:0:0:1
1|fe80::1%eth0|fe80::1%eth0
2|mail.example.org|203.0.113.1\nmail.example.org
1|DEU|DEU
1|203.0.113.1,203.0.113.2|203.0.113.1,203.0.113.2
1|until|203.0.113.1 203.0.113.2
1|tomorrow|203.0.113.1 until=tomorrow
1|0x7f.0.0.1|0x7f.0.0.1
1|country_database|DE
'

# try COMMAND...: what it says, in SAID, its exit status in STATUS
try() {
	STATUS=0
	SAID=$("$@" 2>&1) || STATUS=$?
}

# complains WHAT FILE LINE WORDS: SAID and STATUS are an error of that line
complains() {
	local what=$1 at=$2 word missing=''
	[ "$3" = 0 ] || at="$2:$3:"
	for word in $4; do
		grep -qiF -- "$word" <<<"$SAID" || missing+=" $word"
	done
	if [ "$STATUS" -eq 1 ] && grep -qF -- "$at" <<<"$SAID" &&
		[ -z "$missing" ]; then
		ok "$what: ${SAID##*"$2":}"
	else
		not_ok "$what" "status $STATUS, expected 1, $at and:$missing"$'\n'"$SAID"
	fi
}

rows() {
	sed '/^$/d' <<<"$1"
}

# check_file FILE: by repgated
check_file() {
	try in_mail timeout 10 "$BUILD/repgated" --config "$1" --check
}

broken_configs() {
	local line words text
	while IFS='|' read -r line words text; do
		text=${text//CODE/$TESTBED/repgate/activation-code}
		printf 'interfaces = [ "mx0" ];\n# a comment\n%b\n' "$text" \
			>"$BAD/repgate.conf"
		check_file "$BAD/repgate.conf"
		complains "config, $words" "$BAD/repgate.conf" "$line" "$words"
	done < <(rows "$CONFIGS")

	printf 'mode = "enforce";\n' >"$BAD/repgate.conf"
	check_file "$BAD/repgate.conf"
	complains "config, no interfaces" "$BAD/repgate.conf" 0 interfaces
	printf 'interfaces = [ "a/b" ];\n' >"$BAD/repgate.conf"
	check_file "$BAD/repgate.conf"
	complains "config, no such name" "$BAD/repgate.conf" 1 "a/b interface"
	printf 'interfaces = [ "mx0", "mx0" ];\n' >"$BAD/repgate.conf"
	check_file "$BAD/repgate.conf"
	complains "config, one twice" "$BAD/repgate.conf" 1 "mx0 twice"
	check_file "$BAD/nowhere.conf"
	complains "config, no file" "$BAD/nowhere.conf" 0 "No such file"
	check_file "$BAD"
	complains "config, a directory" "$BAD" 0 "file"
	head -c 5000 /dev/urandom >"$BAD/random.conf"
	check_file "$BAD/random.conf"
	complains "config, random bytes" "$BAD/random.conf" 0 ""
	# shellcheck disable=SC2016 # not to be expanded
	printf 'interfaces = [ "mx0" ];\n@include "more.conf"\n' >"$BAD/repgate.conf"
	printf '\n\nmode = "x";\n' >"$BAD/more.conf"
	check_file "$BAD/repgate.conf"
	complains "config, in an included file" more.conf 3 "mode"
}

# Each is named by --check and by `status`, and costs that line: the reload takes the rest.
broken_lists() {
	local line words text kind=approved file
	while IFS='|' read -r line words text; do
		[ "$kind" = approved ] && kind=blocked || kind=approved
		file=$TESTBED/repgate/$kind.d/bad.list
		# shellcheck disable=SC2059 # the text is made for it
		printf '%b\n' "$text" | local_list "$kind" bad
		check_file "$REPGATE_CONF"
		complains "list, $words" "$file" "$line" "$words"
		check "reload, $words" ctl reload
		check "reload, $words: status names the line" \
			grep -qF "BAD LINE $file:$line: " <<<"$(ctl_lines status)"
		rm "$file"
	done < <(rows "$LISTS")
	check "the lists are good again" ctl reload
	same "and status says so" 0 "$(ctl --json status | jq .lists.bad_lines)"
}

met() {
	in_clients "$BUILD/tests/syn_client" -t 300 "$MX4,$MX6" 25 "$1" | cut -f 2
}

# All that must not change, in one text.
state() {
	ctl --json status | jq -c '[.mode, .ports, .unknown, .interfaces,
		.zones[].zone, .zones[].action, .lists]'
	ctl --json list | jq -c .entries
	ctl --json dump | jq -c '[(.verdicts + .peers)[] |
		[.peer, .class, .action, .since]] | sort'
	in_mail ip link show dev mx0 | grep -o 'prog/xdp id [0-9]*'
	met "$STANDARD"
	met "$CLEAN"
	met 203.0.113.66
	met 203.0.113.50
}

log_count() {
	grep -cE -- "$1" "$TESTBED/repgated.log" || true
}

logged_more() {
	[ "$(log_count "$1")" -gt "$2" ]
}

is_not_blocked() {
	[ "$(lookup "$1" .class)" != blocked ]
}

# reload_fails WHAT FILE:LINE: by repgatectl, and by SIGHUP
reload_fails() {
	local count
	try ctl reload
	same "$1: reload fails" 1 "$STATUS"
	check "$1: and names $2" grep -qF "$2" <<<"$SAID"
	try ctl --json reload
	same "$1: in JSON, too" "1 false" \
		"$STATUS $(jq .ok <<<"$SAID" 2>/dev/null || echo 'no JSON')"
	check "$1: status shows it" grep -qF "$2" <<<"$(ctl_lines status)"
	count=$(log_count "refused.*$2")
	kill -HUP "${TESTBED_PID[repgated]}"
	check "$1: SIGHUP logs it" wait_for 5 logged_more "refused.*$2" "$count"
}

running_agent() {
	local before good count
	before=$(state)
	good=$(<"$REPGATE_CONF")

	printf '%s\nmode = "monitor";\ncolour = "red";\n' "$good" >"$REPGATE_CONF"
	reload_fails "a bad config" "$REPGATE_CONF:$(wc -l <"$REPGATE_CONF")"
	same "a bad config changes nothing" "$before" "$(state)"

	# The configuration is bad, and the lists are loaded all the same.
	count=$(log_count 'bad.list:2')
	printf '198.51.100.0/24\n203.0.113.11-\n' | local_list blocked bad
	check "a bad line is noticed and logged" wait_for 5 logged_more 'bad.list:2' "$count"
	same "the line above it is in force" blocked "$(lookup 198.51.100.7 .class)"
	check "an address in it can be approved" ctl approve 198.51.100.7
	same "and is" approved "$(lookup 198.51.100.7 .class)"
	check "and no more" ctl unlist 198.51.100.7
	rm "$TESTBED/repgate/blocked.d/bad.list"
	check "the file goes" wait_for 5 is_not_blocked 198.51.100.7
	same "all of that changed nothing else" "$before" "$(state)"

	# What can't change while the agent runs is refused, as a whole.
	printf '%s\nmode = "monitor";\nipv6_prefix = 56;\n' "$good" >"$REPGATE_CONF"
	reload_fails "a change that needs a restart" "ipv6_prefix"
	same "it changes nothing" "$before" "$(state)"

	rm "$REPGATE_CONF"
	reload_fails "no config" "$REPGATE_CONF"
	same "a config that is gone changes nothing" "$before" "$(state)"

	echo "$good" >"$REPGATE_CONF"
	check "the good config loads again" ctl reload
	same "and the error is forgotten" null \
		"$(ctl --json status | jq .agent.reload_error)"
	same "all is as it was" "$before" "$(state)"

	printf '%s\nmax_list = 16;\n' "$good" >"$REPGATE_CONF.small"
	seq -f '198.51.100.%g' 1 2 99 | local_list blocked many
	check_file "$REPGATE_CONF.small"
	complains "a list too long" "$TESTBED/repgate/blocked.d/many.list" 0 max_list
	rm "$TESTBED/repgate/blocked.d/many.list"
	check "the agent takes the lists of before" ctl reload
}

# talk <REQUESTS: what the socket answers; "closed" if it hangs up before it has
# taken all, "timeout" if it is silent for 10 s
talk() {
	perl -MIO::Socket::UNIX -e '
		local $SIG{PIPE} = "IGNORE";
		local $SIG{ALRM} = sub { print "timeout\n"; exit };
		alarm 10;
		my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!";
		local $/;
		my $text = <STDIN>;
		my $sent = 0;
		while ($sent < length $text) {
			my $part = syswrite $socket, $text, length($text) - $sent, $sent;
			defined $part or print("closed\n"), exit;
			$sent += $part;
		}
		shutdown $socket, 1;
		print while sysread $socket, $_, 65536;
	' "$REPGATE_SOCKET"
}

request() {
	printf '%b' "$1" | talk
}

# REQUEST, all of which get an error and change nothing
REQUESTS='
nonsense
{
[]
"status"
17
null
{}
{"command":"nonsense"}
{"command":17}
{"command":["status"]}
{"command":"status","command":"dump"}
{"command":"lookup"}
{"command":"lookup","address":17}
{"command":"lookup","address":""}
{"command":"lookup","address":"203.0.113.0/24"}
{"command":"lookup","address":"1.2.3.4.5"}
{"command":"approve"}
{"command":"approve","entry":["203.0.113.1"]}
{"command":"approve","entry":""}
{"command":"approve","entry":"203.0.113.1\\n203.0.113.0/24"}
{"command":"approve","entry":"203.0.113.1 # x"}
{"command":"approve","entry":"203.0.113.1","for":-1}
{"command":"approve","entry":"203.0.113.1","for":1e30}
{"command":"approve","entry":"203.0.113.1","for":"1h"}
{"command":"approve","entry":"203.0.113.1","comment":17}
{"command":"block","entry":"/24"}
{"command":"unlist"}
{"command":"unlist","entry":{}}
{"command":"flush","what":17}
{"command":"flush","what":""}
{"command":"monitor"}
{"command":"monitor","on":"yes"}
{"command":"monitor","on":1}
{"command":"list","class":17}
{"command":"events","follow":"yes"}
\xff\xfe\x00{"command":"status"}
'

bad_requests() {
	local before text answer
	before=$(state)
	while read -r text; do
		answer=$(request "$text\\n")
		if jq -e '.ok == false and (.error | length > 0)' <<<"$answer" \
			>/dev/null 2>&1; then
			ok "request $text: $(jq -r .error <<<"$answer")"
		else
			not_ok "request $text" "no error, but: ${answer:0:200}"
		fi
	done < <(rows "$REQUESTS")
	same "bad requests change nothing" "$before" "$(state)"

	answer=$(head -c 300000 /dev/zero | tr '\0' x | talk)
	check "a huge line is not read for ever: $answer" test "$answer" != timeout
	same "two requests at once are answered in order" 'true false true' \
		"$(request '{"command":"version"}\n{"command":"x"}\n{"command":"version"}\n' |
			jq .ok | xargs)"
	same "deep nesting" false "$(request "$(printf '[%.0s' $(seq 3000))\\n" | jq .ok)"
	check "the agent lives" ctl status
	same "and still the same" "$before" "$(state)"
}

# EXIT STATUS | ARGUMENTS of repgatectl
STATUSES='
0|status
0|version
0|lookup 198.51.100.10
10|lookup 203.0.113.11
10|lookup 203.0.113.66
0|lookup 203.0.113.50
0|--json lookup 198.51.100.10
10|--json lookup 203.0.113.11
10|lookup 203.0.113.11 --json
1|lookup nonsense
1|unlist 198.51.100.10
1|flush nonsense
1|block nonsense
1|test-config /nowhere
1|--socket /nowhere status
2|
2|nonsense
2|lookup
2|lookup 192.0.2.1 192.0.2.2
2|status now
2|monitor
2|monitor maybe
2|list grey
2|approve 192.0.2.1 --for nonsense
2|--nonsense status
0|--help
0|--version
'

exit_statuses() {
	local status arguments
	while IFS='|' read -r status arguments; do
		# shellcheck disable=SC2086 # words
		try ctl $arguments
		same "repgatectl $arguments" "$status" "$STATUS"
	done < <(rows "$STATUSES")
	try "$BUILD/repgated" --nonsense
	same "repgated --nonsense" 2 "$STATUS"
	try "$BUILD/repgated" --config "$REPGATE_CONF" --log-level loud
	same "repgated --log-level loud" 2 "$STATUS"
	try "$BUILD/repgated" --config "$REPGATE_CONF" --check
	same "repgated --check of a good configuration" 0 "$STATUS"
}

main() {
	testbed_up
	mkdir -p "$BAD"
	ers_zone standard <<<"$STANDARD 127.1.0.1"
	ers_zone qil </dev/null
	zones_start
	sink_start
	repgate_config
	local_list approved good <<<203.0.113.50
	local_list blocked good <<<203.0.113.66
	repgate_start
	state >/dev/null # both peers are known from here on
	broken_configs
	broken_lists
	running_agent
	bad_requests
	exit_statuses
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
