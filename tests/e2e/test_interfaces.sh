#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_interfaces.sh - interfaces that go and come back, several of them, and who
# the agent is
#
# A veth pair that is deleted and made again is filtered again, by itself; a link
# that somebody detached too; a larger MTU changes nothing; two interfaces at
# once; an agent that is not root, with three capabilities; verdicts that outlive
# a stop, a change of sizes and a broken file.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LISTED=203.0.113.11
LISTED2=203.0.113.12
CLEAN=198.51.100.10
AGENT_USER=daemon # a user that every Debian has

# met ADDRESS: connected, refused or timeout
met() {
	in_clients "$BUILD/tests/syn_client" -t 700 "$MX4,$MX6" 25 "$1" | cut -f 2
}

is_met() {
	[ "$(met "$1")" = "$2" ]
}

state_of() {
	ctl --json status | jq -r ".interfaces[] | select(.name == \"$1\") | .state"
}

state_is() {
	[ "$(state_of "$1")" = "$2" ]
}

# The link as testbed_up makes it.
make_link() {
	ip link add mx0 address 02:00:00:00:00:25 netns mail type veth \
		peer name cl0 address 02:00:00:00:00:01 netns clients
	testbed_link in_mail mx0 "$MX4/24" "$MX6/64"
	testbed_link in_clients cl0 "$CLIENTS4/24" "$CLIENTS6/64"
	in_mail ip neigh add "$CLIENTS4" lladdr 02:00:00:00:00:01 dev mx0 nud permanent
	in_clients ip neigh add "$MX4" lladdr 02:00:00:00:00:25 dev cl0 nud permanent
	in_clients ethtool -K cl0 tx off >/dev/null
	in_mail ip route replace 203.0.113.0/24 via "$CLIENTS4" dev mx0
	in_mail ip route replace 198.51.100.0/24 via "$CLIENTS4" dev mx0
}

gone_and_back() {
	in_mail ip link del mx0
	check "an interface that went away is missing" wait_for 5 state_is mx0 missing
	check "and the log says so" grep -q "interface mx0: not filtered: it is not there" \
		"$TESTBED/repgated.log"
	check "status begins with it" grep -qE '^mx0 IS NOT FILTERED since 20[^ ]* [^ ]*: it is not there' \
		<(ctl status | head -n 1)
	same "and shows nothing of before" 'missing - - - -' \
		"$(ctl status | awk '$1 == "mx0" && $2 == "missing" { print $2, $3, $4, $5, $6 }')"
	same "nor do programs get it" 'null null null null' "$(ctl --json status |
		jq -r '.interfaces[0] | "\(.mode) \(.link) \(.frags) \(.program)"')"
	check "since when: a moment ago" jq -e --argjson now "$EPOCHSECONDS" \
		'.interfaces[0].since | . > $now - 30 and . <= $now + 1' <<<"$(ctl --json status)"
	make_link
	check "when it comes back it is filtered again" wait_for 5 state_is mx0 attached
	same "a listed peer is refused there" timeout "$(met $LISTED)"
	same "a clean one connects" connected "$(met $CLEAN)"
}

detached_by_others() {
	in_mail bpftool link detach pinned "$REPGATE_PINS/link_mx0"
	same "without its program the listed peer passes" connected "$(met $LISTED)"
	in_mail ip link set dev mx0 txqueuelen 999 # something that the agent hears of
	check "a program that somebody took off is put on again" wait_for 15 is_met $LISTED timeout
}

mtu() {
	in_clients ip link set dev cl0 mtu 9000
	check "a large MTU is possible" in_mail ip link set dev mx0 mtu 9000
	same "and changes nothing for listed peers" timeout "$(met $LISTED)"
	same "nor for clean ones" connected "$(met $CLEAN)"
}

name_of() {
	ctl --json status | jq -r '.interfaces[] | select(.name == "mx0") | .present_name'
}

name_is() {
	[ "$(name_of)" = "$1" ]
}

# An interface that is renamed (udev, by hand) is the same interface.
renamed() {
	in_mail ip link set dev mx0 name wan0
	check "a renamed interface has its new name in status" wait_for 15 name_is wan0
	same "and is still attached" attached "$(state_of mx0)"
	check "people see both names" grep -q "mx0 is called wan0 now" <(ctl status)
	same "a listed peer is refused there" timeout "$(met $LISTED)"
	check "the log says so once" [ "$(grep -c 'mx0 is called wan0 now' "$TESTBED/repgated.log")" -eq 1 ]
	kill -KILL "${TESTBED_PID[repgated]}"
	wait_for 5 not_alive repgated
	repgate_start
	same "an agent that starts then follows it, too" attached "$(state_of mx0)"
	same "under its name" wan0 "$(name_of)"
	same "and refuses" timeout "$(met $LISTED)"
	in_mail ip link set dev wan0 name mx0
	check "renamed back" wait_for 15 name_is mx0
	same "it still refuses" timeout "$(met $LISTED)"
}

lacks_pins() {
	ctl --json status | jq -r '.agent.lacks[]' | grep '^pins' || true
}

# Under `ip netns exec` the agent has a bpffs of its own, which ends with it.
private_pins() {
	same "pins that outlive the agent lack nothing" '' "$(lacks_pins)"
	repgate_stop
	spawn repgated ip netns exec mail "$BUILD/repgated" --config "$REPGATE_CONF"
	must "it does not answer" wait_for 20 repgate_started_or_ended
	check "pins in a private bpffs are named in lacks" [ -n "$(lacks_pins)" ]
	check "and in the log" grep -q 'private to this mount namespace' "$TESTBED/repgated.log"
	same "it filters" timeout "$(met $LISTED)"
	kill -KILL "${TESTBED_PID[repgated]}"
	wait_for 5 not_alive repgated
	check "and kill -9 takes the filter away, as it says" wait_for 5 is_met $LISTED connected
	rm -f "$REPGATE_SOCKET"
	repgate_start
}

# A second interface, to a network of its own.
second() {
	repgate_stop
	ip link add mx1 netns mail type veth peer name cl1 netns clients
	testbed_link in_mail mx1 192.0.4.25/24 2001:db8:26::25/64
	testbed_link in_clients cl1 192.0.4.1/24 2001:db8:26::1/64
	in_clients ethtool -K cl1 tx off >/dev/null
	CONF[interfaces]='[ "mx0", "mx1" ]'
	repgate_config
	repgate_start
	same "two interfaces" "attached attached" \
		"$(ctl --json status | jq -r '[.interfaces[].state] | join(" ")')"
	same "listed on the first" timeout "$(met $LISTED)"
	same "and on the second" timeout \
		"$(in_clients "$BUILD/tests/syn_client" -t 700 192.0.4.25 25 $LISTED | cut -f 2)"
	in_mail ip link del mx1
	check "one that goes leaves the other alone" wait_for 5 state_is mx1 missing
	same "listed on the first still" timeout "$(met $LISTED)"
	repgate_stop
	CONF[interfaces]='[ "mx0" ]'
	repgate_config
}

# refuses WORDS ARGUMENT...: repgated ends with an error that says so
refuses() {
	local words=$1
	shift
	! in_mail "$BUILD/repgated" --config "$REPGATE_CONF" "$@" >"$TESTBED/refused.log" 2>&1 &&
		grep -q "$words" "$TESTBED/refused.log"
}

# status_of FIELD: of the agent's process
status_of() {
	awk -v field="$1:" '$1 == field { print $2 }' "/proc/${TESTBED_PID[repgated]}/status"
}

# CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39
THREE=000000c000001000

privileges() {
	repgate_start
	same "started as root it keeps three capabilities" $THREE "$(status_of CapEff)"
	same "and can't get others" $THREE "$(status_of CapPrm)"
	same "nor gain any by running programs" 1 "$(status_of NoNewPrivs)"
	same "it filters" timeout "$(met $LISTED)"
	check "and reloads" ctl reload
	repgate_stop
	chown -R $AGENT_USER "$TESTBED/repgate"
	chmod 755 "$TESTBED" "$TESTBED/repgate"
	# The code for root alone, as the README has it; systemd hands a copy to the agent.
	chown root "$TESTBED/repgate/activation-code"
	check "what the user can't read is found before the start" refuses \
		"activation code file" --prepare $AGENT_USER
	install -d -o $AGENT_USER -m 500 "$TESTBED/credentials"
	install -o $AGENT_USER -m 400 "$TESTBED/repgate/activation-code" "$TESTBED/credentials"
	export CREDENTIALS_DIRECTORY=$TESTBED/credentials
	in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --prepare $AGENT_USER
	REPGATED="setpriv --reuid $AGENT_USER --regid $AGENT_USER --clear-groups \
		--inh-caps -all,+bpf,+net_admin,+perfmon --ambient-caps -all,+bpf,+net_admin,+perfmon \
		--bounding-set -all,+bpf,+net_admin,+perfmon $BUILD/repgated" repgate_start
	same "it runs as a user of its own" "$(id -u $AGENT_USER)" "$(status_of Uid)"
	same "with three capabilities" $THREE "$(status_of CapEff)"
	# Files of a process that leaves no core belong to root.
	same "leaves no core, which would hold the activation code" root \
		"$(stat -c %U "/proc/${TESTBED_PID[repgated]}/mem")"
	same "whatever the limit is" 0 "$(awk '/^Max core/ { print $6 }' "/proc/${TESTBED_PID[repgated]}/limits")"
	same "refuses a listed peer" timeout "$(met $LISTED)"
	ctl flush all >/dev/null
	same "holds and releases" connected "$(met $CLEAN)"
	same "holds and refuses" timeout "$(met $LISTED2)"
	check "reloads" ctl reload
	check "adds to its lists" ctl block 198.51.100.99
	same "which count" timeout "$(met 198.51.100.99)"
	in_mail ip link del mx0
	make_link
	check "and filters an interface that comes back" wait_for 5 is_met $LISTED timeout
	stop repgated KILL || true
	same "killed, the filter stays" timeout "$(met $LISTED)"
	REPGATED="setpriv --reuid $AGENT_USER --regid $AGENT_USER --clear-groups \
		--inh-caps -all,+bpf,+net_admin,+perfmon --ambient-caps -all,+bpf,+net_admin,+perfmon \
		$BUILD/repgated" repgate_start
	check "the next one takes over" grep -q "took over" "$TESTBED/repgated.log"
	repgate_stop
	same "a stop takes everything away" 0 \
		"$(find "$REPGATE_PINS" -type f 2>/dev/null | wc -l)"
	same "and off the interface" connected "$(met $LISTED)"
	chown -R root "$TESTBED/repgate"
	unset CREDENTIALS_DIRECTORY
	rmdir "$REPGATE_PINS" 2>/dev/null || true
}

saved() {
	local file=$TESTBED/repgate/state/verdicts left
	rm -f "$file"
	repgate_start
	same "a listed peer before the stop" timeout "$(met $LISTED)"
	repgate_stop
	check "its verdict is saved" grep -q "^$LISTED ers-standard 127.1.0.1 " "$file"
	same "for nobody else to read" 600 "$(stat -c %a "$file")"
	zones_stop
	repgate_start
	same "it is refused after the start, without any DNS" timeout "$(met $LISTED)"
	left=$(lookup $LISTED '.expires_in | floor')
	check "the time that passed is taken off ($left s left)" test "$left" -lt 600
	left=$(lookup $LISTED '"\(.hits) \(.code) \(.since | round)"')
	stop repgated KILL || true
	CONF[max_verdicts]=4096
	repgate_config
	repgate_start
	check "other sizes: maps are made anew" grep -q "made anew" "$TESTBED/repgated.log"
	same "and keep what is known of the verdict" "$left" \
		"$(lookup $LISTED '"\(.hits) \(.code) \(.since | round)"')"
	same "and keep the verdict" timeout "$(met $LISTED)"
	repgate_stop
	printf '%s\n' "$LISTED/33 ers-standard 127.1.0.1 1 2 3" "$LISTED2 gone.zone 127.1.0.1 1 9999999999 0" \
		"$LISTED2 ers-standard 10.0.0.1 1 9999999999 0" "198.51.100.7 ers-standard 127.1.0.1 1 2 0" \
		"198.51.100.8 ers-standard 127.1.0.1 1 99999999999999999999 0" $'\x01\xff' >>"$file"
	repgate_start
	same "a broken file: what is good counts, the rest does not" 1 \
		"$(ctl --json dump | jq '.verdicts | length')"
	check "and is said" grep -q "saved verdicts: [0-9]* lines are bad" "$TESTBED/repgated.log"
	zones_start
}

# An interface that is not there at the start does not keep the others from being filtered.
late() {
	local said status=0 before=${CONF[interfaces]}
	CONF[interfaces]='[ "late0", "mx0" ]'
	repgate_config
	repgate_start
	same "beside one that is missing, the other one is filtered" timeout "$(met $LISTED)"
	same "the missing one is shown" missing "$(state_of late0)"
	check "with the reason" grep -qE '^late0 IS NOT FILTERED since 20[^ ]* [^ ]*: it is not there' <(ctl status | head -n 1)
	check "and in the metrics" grep -qx 'repgate_interface_state{interface="late0",state="missing"} 1' \
		<(scrape | tr -d '\r')
	ip link add late0 netns mail type veth peer name late1 netns clients
	check "it is filtered once it is there" wait_for 5 state_is late0 attached
	check "the metrics follow" grep -qx 'repgate_interface_state{interface="late0",state="missing"} 0' \
		<(scrape | tr -d '\r')
	repgate_stop
	in_mail ip link del late0
	CONF[interfaces]='[ "late0" ]'
	repgate_config
	said=$(in_mail timeout 20 "$BUILD/repgated" --config "$REPGATE_CONF" 2>&1) || status=$?
	same "with nothing to filter there is no start" 1 "$status"
	check "and it says why" grep -q 'interface late0: No such device' <<<"$said"
	CONF[interfaces]=$before
	repgate_config
}

main() {
	testbed_up
	ers_zone standard <<-END
	$LISTED 127.1.0.1
	$LISTED2 127.1.0.1
	END
	ers_zone qil </dev/null
	zones_start
	sink_start
	repgate_config
	repgate_start
	same "a listed peer is refused" timeout "$(met $LISTED)"
	renamed
	private_pins
	gone_and_back
	detached_by_others
	mtu
	second
	late
	privileges
	saved
	repgate_stop
	finish
}

main
