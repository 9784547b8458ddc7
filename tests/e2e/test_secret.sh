#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_secret.sh - the activation code appears nowhere
#
# Everything that comes out of repgate goes into $TESTBED/seen: logs at the most
# verbose level, answers, metrics, maps, the process list, error messages. Then
# the code is looked for, in any case, with hyphens and without.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# A code as customers hold it: 31 letters and digits.
ERS_CODE=RG-TEST-00001-CODEX-YZ234-56789-QWERT
ERS_LABEL=rgtest00001codexyz23456789qwert
SEEN=$TESTBED/seen
STANDARD=203.0.113.11
QIL=203.0.113.32
CLEAN=198.51.100.10
# What else must not be shown: the key in the name of another zone.
KEY=k3yofanother0ne

# keep NAME COMMAND...: what it prints, on both streams, is looked through later
keep() {
	local name=$1
	shift
	"$@" >>"$SEEN/$name" 2>&1 || true
}

# Parts of it are secret as well: windows of ten characters, so that any fourteen
# in a row are found. Hyphens and blanks may stand anywhere.
leaks() {
	local label=$ERS_LABEL pattern='' i
	for ((i = 0; i <= ${#label} - 10; i += 4)); do
		pattern+="|$(sed 's/./&[- ]?/g' <<<"${label:i:10}")"
	done
	grep -raioE -- "${pattern#|}|$KEY" "$1" | head -n 20
}

# no_leak WHAT PATH
no_leak() {
	local size
	size=$(stat -c %s "$2" || true)
	check "$1: something was seen ($size bytes)" test "${size:-0}" -gt 0
	same "$1: no activation code, no key" '' "$(leaks "$2" || true)"
}

met() {
	in_clients "$BUILD/tests/syn_client" -t "${2:-300}" "$MX4,$MX6" 25 "$1" |
		cut -f 2
}

prepare() {
	ers_zone standard <<<"$STANDARD 127.1.0.1"
	ers_zone qil <<<"$QIL 127.0.0.32"
	dnsbl_zone "$KEY.bl.example" <<<"203.0.113.99 127.0.0.2"
	zones_start
	sink_start
	# The maps are read as a whole: a million empty entries would take half a minute.
	CONF[max_verdicts]=1000
	repgate_config "zones = { other = { suffix = \"$KEY.bl.example\"; kind = \"standard\"; }; };"
}

# Peers of every class, lookups, and zones that answer well, badly or not.
exercise() {
	local address
	for address in "$STANDARD" "$QIL" "$CLEAN" 203.0.113.99 2001:db8:21:1::1; do
		met "$address" >/dev/null
	done
	same "a peer listed by ERS is dropped" timeout "$(met "$STANDARD")"
	same "one listed by the other zone, too" standard \
		"$(lookup 203.0.113.99 .class)"
}

see_commands() {
	local json command
	spawn follow "$BUILD/repgatectl" --socket "$REPGATE_SOCKET" events --follow
	for json in '' --json; do
		while read -r command; do
			# shellcheck disable=SC2086 # words
			keep "ctl" ctl $json $command
		done <<-END
		status
		stats
		report day
		report week
		report month
		report nonsense
		list
		zones
		events
		dump
		version
		lookup $STANDARD
		lookup $QIL
		lookup $CLEAN
		lookup 203.0.113.99
		lookup 198.51.100.99
		lookup nonsense
		approve 198.51.100.7 --comment x
		block 198.51.100.8
		unlist 198.51.100.7
		unlist 198.51.100.9
		flush other
		flush nonsense
		flush all
		monitor on
		monitor off
		reload
		test-config $REPGATE_CONF
		nonsense
		$ERS_CODE
		lookup $ERS_CODE
		flush $ERS_LABEL
		approve $ERS_CODE
		approve 198.51.100.7 --comment $ERS_CODE
		set mode $ERS_CODE
		set $ERS_LABEL 1
		settings $ERS_LABEL
		END
	done
	met "$STANDARD" >/dev/null
	check "events --follow saw it" wait_for 5 grep -q "$STANDARD" \
		"$TESTBED/follow.log"
	stop follow || true
	cp "$TESTBED/follow.log" "$SEEN/follow"
}

see_metrics() {
	keep "metrics" scrape
}

# By bpftool, formatted, and as bytes. Not `attempts` as text: four million numbers.
see_maps() {
	local pin
	for pin in "$REPGATE_PINS"/*; do
		[ -f "$pin" ] || continue
		keep "maps" in_mail bpftool map show pinned "$pin"
		[ "${pin##*/}" = attempts ] ||
			keep "maps" in_mail bpftool map dump pinned "$pin"
		in_mail "$BUILD/tests/map_bytes" "$pin" 2>/dev/null | tr -s '\0' \
			>>"$SEEN/maps-bytes" || true
	done
	keep "maps" in_mail bpftool prog show
}

see_process() {
	local pid=${TESTBED_PID[repgated]}
	keep "process" tr '\0' '\n' <"/proc/$pid/cmdline"
	keep "process" tr '\0' '\n' <"/proc/$pid/environ"
	keep "process" cat "/proc/$pid/comm" "/proc/$pid/status"
	keep "process" cat "/proc/$pid/task/"*/comm
	keep "process" ps wwe -C repgated
	keep "process" find "$TESTBED/repgate/state" "$REPGATE_PINS"
	keep "process" grep -r . "$TESTBED/repgate/state"
}

# check_config NAME: what repgated and repgatectl say of $TESTBED/bad.conf
check_config() {
	keep "errors" in_mail "$BUILD/repgated" --log-level debug \
		--config "$TESTBED/bad.conf" --check
	keep "errors" in_mail timeout 5 "$BUILD/repgated" --log-level debug \
		--config "$TESTBED/bad.conf"
	keep "errors" ctl test-config "$TESTBED/bad.conf"
	keep "errors" ctl --json test-config "$TESTBED/bad.conf"
}

# bad_config TEXT: a configuration with a secret where it should not be
bad_config() {
	printf 'interfaces = [ "mx9" ];\n%s\n' "$1" >"$TESTBED/bad.conf"
	check_config
}

see_errors() {
	local code file=$TESTBED/bad-code
	# Files that hold something like the code, but are wrong.
	for code in "$ERS_CODE-$ERS_CODE-$ERS_CODE" "$ERS_CODE!" \
		"$ERS_CODE"$'\n'"$ERS_CODE" "code = $ERS_CODE" "\"$ERS_CODE\""; do
		echo "$code" >"$file"
		bad_config "ers = { activation_code_file = \"$file\"; };"
	done
	rm "$file"
	bad_config "ers = { activation_code_file = \"$file\"; };"
	bad_config "ers = { activation_code_file = \"$TESTBED\"; };"
	# The code where it is shown, or quoted in an error.
	echo "$ERS_CODE" >"$file"
	for text in "mode = \"$ERS_CODE\";" "x$ERS_LABEL = 1;" "resolver = \"$ERS_CODE\";" \
		"blocked_reply = \"550 5.7.1 $ERS_CODE\";" "responder_name = \"$ERS_LABEL\";" \
		"approved_dir = \"/etc/$ERS_CODE\";" "pin_path = \"/sys/fs/bpf/$ERS_LABEL\";" \
		"zones = { $ERS_LABEL = { suffix = \"a.b\"; kind = \"standard\"; }; };"; do
		bad_config "ers = { activation_code_file = \"$file\"; }; $text"
	done
	# The name of a zone that holds a key, and is wrong in many ways.
	bad_config "zones = { z = { suffix = \"$KEY..example\"; kind = \"standard\"; }; };"
	bad_config "zones = { z = { suffix = \"$KEY testbed\"; kind = \"standard\"; }; };"
	bad_config "zones = { z = { suffix = \"$KEY.example\"; kind = \"no\"; }; };"
	bad_config "zones = { z = { suffix = \"$KEY.example\"; }; };"
	bad_config "zones = { z = { suffix = \"$KEY.example\"; kind = \"standard\";
		ttl_min = \"2h\"; ttl_max = \"1h\"; }; };"
	bad_config "zones = { z = { suffix = \"$KEY.example; kind = \"standard\"; }; };"
	check "there were errors" grep -q bad-code "$SEEN/errors"
}

# DNS fails: the question's name must not be in what is said of it.
see_dns_failures() {
	stop rbldnsd || true
	ctl flush all >/dev/null
	unbound-control -q -c "$TESTBED/unbound.conf" flush_zone . >/dev/null || true
	met 198.51.100.31 >/dev/null
	stop unbound || true
	met 198.51.100.32 5000 >/dev/null
	keep "dns" ctl lookup 198.51.100.33
	keep "dns" ctl --json lookup 198.51.100.34
	keep "dns" ctl --json zones
	keep "dns" ctl events
	check "a failure was seen" grep -q 'failed\|refused\|timeout\|error' \
		"$SEEN/dns"
}

see_reload() {
	local good
	good=$(<"$REPGATE_CONF")
	echo "nonsense = $ERS_LABEL;" >>"$REPGATE_CONF"
	keep "reload" ctl reload
	# Said by the user in the wrong place; still better not repeated.
	sed -i '$d' "$REPGATE_CONF"
	echo "$ERS_CODE $ERS_CODE $ERS_CODE" >"$TESTBED/repgate/activation-code"
	keep "reload" ctl reload
	kill -HUP "${TESTBED_PID[repgated]}"
	check "SIGHUP is refused" wait_for 5 grep -q 'reload refused' \
		"$TESTBED/repgated.log"
	# A list with the code in it, and one with its name.
	echo "$ERS_CODE" >"$TESTBED/repgate/blocked.d/$ERS_CODE.list"
	keep "reload" ctl reload
	echo 198.51.100.9 >"$TESTBED/repgate/blocked.d/$ERS_CODE.list"
	echo "$ERS_CODE" >"$TESTBED/repgate/activation-code"
	echo "$good" >"$REPGATE_CONF"
	keep "reload" ctl reload
	keep "reload" ctl list
	keep "reload" ctl --json lookup 198.51.100.9
	# Bad lines of it are logged, and those that repgated --check prints: with the file's name.
	printf '%s\n' "$ERS_CODE" "x$ERS_LABEL" >"$TESTBED/repgate/blocked.d/x-$ERS_CODE.list"
	keep "reload" ctl reload
	check "bad lines of a list are logged" wait_for 5 grep -q 'warning: .*list:1: ' "$TESTBED/repgated.log"
	keep "reload" in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --check
	check "and printed" grep -q 'list:2: ' "$SEEN/reload"
	echo 198.51.100.9 >"$TESTBED/repgate/blocked.d/x-$ERS_CODE.list"
	keep "reload" ctl reload
	check "a good list again is logged" wait_for 5 grep -q 'list: good again' "$TESTBED/repgated.log"
	rm "$TESTBED/repgate/blocked.d/x-$ERS_CODE.list"
	rm "$TESTBED/repgate/blocked.d/$ERS_CODE.list"
	echo "$ERS_CODE $ERS_CODE $ERS_CODE" >"$TESTBED/repgate/activation-code"
	keep "reload" ctl reload
	keep "reload" ctl status
	keep "reload" ctl --json status
	see_metrics
	echo "$ERS_CODE" >"$TESTBED/repgate/activation-code"
	echo "$good" >"$REPGATE_CONF"
	check "the good code is taken again" ctl reload
}

# The forms in which a code is handed over; each must lead to a listing.
forms() {
	local form conf="interfaces = [ \"mx0\" ]; ers = { };"
	for form in "$ERS_CODE" "${ERS_CODE,,}" "${ERS_CODE//-/}" "$ERS_LABEL" \
		" $ERS_CODE " "${ERS_CODE//-/ }" "${ERS_CODE,,}"$'\r'; do
		printf '%s\n' "$form" >"$TESTBED/repgate/activation-code"
		check "the code as '${form//[^ -~]/?}'" ctl reload
		ctl flush all >/dev/null
		same "it asks the right zone" standard "$(lookup "$STANDARD" .class)"
	done
	printf '%s' "$ERS_CODE" >"$TESTBED/repgate/activation-code"
	check "the code without a line's end" ctl reload
	mkdir -p "$TESTBED/credentials"
	printf '%s\n' "$ERS_CODE" >"$TESTBED/credentials/activation-code"
	echo "$conf" >"$TESTBED/credential.conf"
	check "the code as a systemd credential" in_mail env \
		CREDENTIALS_DIRECTORY="$TESTBED/credentials" \
		"$BUILD/repgated" --config "$TESTBED/credential.conf" --check
	check "without one that is an error" bash -c \
		"! '$BUILD/repgated' --config '$TESTBED/credential.conf' --check"
}

# The agent itself with a credential instead of a file.
with_credential() {
	local before=${CONF[ers]}
	CONF[ers]='{ standard_action = "drop"; }'
	repgate_config
	rm "$TESTBED/repgate/activation-code"
	REPGATED="env CREDENTIALS_DIRECTORY=$TESTBED/credentials $BUILD/repgated" \
		repgate_start --log-level debug
	same "an agent with a credential refuses a listed peer" timeout \
		"$(met "$STANDARD")"
	see_process
	repgate_stop || not_ok "repgated stops" "status $?"
	CONF[ers]=$before
}

main() {
	testbed_up
	mkdir "$SEEN"
	prepare
	repgate_start --log-level debug
	exercise
	forms
	see_commands
	see_metrics
	see_maps
	see_process
	see_reload
	repgate_stop || not_ok "repgated stops" "status $?"
	with_credential
	repgate_config "zones = { other = { suffix = \"$KEY.bl.example\"; kind = \"standard\"; }; };"
	repgate_start --log-level debug
	see_dns_failures
	see_metrics
	see_errors
	repgate_stop || not_ok "repgated stops" "status $?"

	cp "$TESTBED"/repgated.log "$SEEN/log"
	check "the log is verbose" grep -q ' debug: ' "$SEEN/log"
	for what in log ctl follow metrics maps maps-bytes process errors dns \
		reload; do
		no_leak "$what" "$SEEN/$what"
	done
}

main
finish
