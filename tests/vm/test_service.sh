#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_service.sh - repgate.service under a real systemd: installed, started, reloaded, restarted,
# killed, stopped
#
# The test changes the machine, so it runs only in the guest of run.sh, with systemd
# as process 1. There is no mail server: the kernel refuses a connection that passes
# the filter; one that does not pass gets no answer.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
[ -s /vm/boot ] && [ -d /run/systemd/system ] ||
	skip "this is not the guest of run.sh with systemd"

TESTBED_SLOW=${TESTBED_SLOW:-1}
UNIT=repgate.service
CONFIG=/etc/repgate/repgate.conf
BLOCKED="198.51.100.66 2001:db8:21:66::25"
OTHER="198.51.100.10 2001:db8:21:10::25"
# CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF
CAPABILITIES=000000c000001000

in_mail() {
	"$@"
}

# passes ADDRESS..., stopped ADDRESS...: all of them
passes() {
	[ "$(outcomes "$@" | sort -u)" = refused ]
}

stopped() {
	[ "$(outcomes "$@" | sort -u)" = timeout ]
}

outcomes() {
	in_clients "$BUILD/tests/syn_client" -n -t $((200 * TESTBED_SLOW)) \
		"$MX4,$MX6" 25 "$@" | cut -f 2
}

# filters WHEN: the two things that can be seen of it
filters() {
	# shellcheck disable=SC2086 # words
	{
		check "$1: blocked peers get no answer" stopped $BLOCKED
		check "$1: others pass" passes $OTHER
	}
}

property() {
	systemctl show --property "$1" --value "$UNIT"
}

main_pid() {
	property MainPID
}

has_new_pid() {
	local pid
	pid=$(main_pid)
	[ "$pid" -ne 0 ] && [ "$pid" -ne "$1" ] && repgatectl status
}

link_ids() {
	local index
	index=$(cat /sys/class/net/mx0/ifindex)
	bpftool -j link list | jq -c "[.[] | select(.type == \"xdp\" and
		(.ifindex == $index or .devname == \"mx0\")) | .id]"
}

journal_says() {
	journalctl --quiet --unit "$UNIT" | grep -qE -- "$1"
}

mode_is() {
	[ "$(repgatectl --json status | jq -r .mode)" = "$1" ]
}

# config [LINE...]
config() {
	printf '%s\n' 'interfaces = [ "mx0" ];' 'xdp_mode = "native";' \
		'unknown = "pass";' "${@:-mode = \"enforce\";}" >"$CONFIG"
}

network() {
	local mac_mx=02:00:00:00:01:25 mac_cl=02:00:00:00:01:01
	ip netns add clients
	ip link add mx0 address "$mac_mx" type veth \
		peer name cl0 address "$mac_cl" netns clients
	testbed_link in_mail mx0 "$MX4/24" "$MX6/64"
	testbed_link in_clients cl0 "$CLIENTS4/24" "$CLIENTS6/64"
	in_clients ethtool -K cl0 tx off >/dev/null
	ip neigh add "$CLIENTS4" lladdr "$mac_cl" dev mx0 nud permanent
	ip neigh add "$CLIENTS6" lladdr "$mac_cl" dev mx0 nud permanent
	in_clients ip neigh add "$MX4" lladdr "$mac_mx" dev cl0 nud permanent
	in_clients ip neigh add "$MX6" lladdr "$mac_mx" dev cl0 nud permanent
	testbed_senders 198.51.100.0/24
	testbed_senders 2001:db8:21::/48
	# shellcheck disable=SC2086
	must "the network does not work" wait_for 10 passes $OTHER $BLOCKED
}

install_to() {
	make -s -C "$TOP" -o all install BUILD="$BUILD" PREFIX=/usr
}

installs() {
	local before
	check "make install" install_to
	check "systemd-analyze verify" systemd-analyze verify "/lib/systemd/system/$UNIT"
	check "the sample configuration is good, but for the activation code" \
		sample_is_good
	config
	before=$(sha256sum "$CONFIG")
	check "make install, once more" install_to
	same "it keeps the configuration" "$before" "$(sha256sum "$CONFIG")"
	tr ' ' '\n' <<<"$BLOCKED" >/etc/repgate/blocked.d/test.list
}

sample_is_good() {
	sed -e '/^ers = {/,/^};/d' -e 's/"eth0"/"mx0"/' "$CONFIG" >/run/sample.conf
	repgated --check --config /run/sample.conf
}

starts() {
	check "systemctl enable" systemctl enable "$UNIT"
	check "systemctl start" systemctl start "$UNIT"
	same "is-active" active "$(systemctl is-active "$UNIT")"
	check "repgatectl status" repgatectl status
	same "it is native" native "$(repgatectl --json status |
		jq -r '.interfaces[0].mode')"
	filters started
	same "the agent's user and group" 'repgate repgate' \
		"$(ps -o user=,group= -p "$(main_pid)" | xargs)"
	same "the agent has these capabilities only" "$CAPABILITIES" \
		"$(sed -n 's/^CapEff:\t//p' "/proc/$(main_pid)/status")"
	same "the control socket's mode and group" '660 repgate' \
		"$(stat -c '%a %G' /run/repgate/control.sock)"
	check "repgatectl block" repgatectl block 198.51.100.67
	check "which is in force" wait_for 5 stopped 198.51.100.67
	check "the journal has its beginning" journal_says 'filtering in native mode'
}

reloads() {
	local pid
	pid=$(main_pid)
	config 'mode = "monitor";'
	check "systemctl reload" systemctl reload "$UNIT"
	check "the new configuration is in force" wait_for 10 mode_is monitor
	# shellcheck disable=SC2086
	check "monitor: blocked peers pass" passes $BLOCKED
	config 'mode = "nonsense";'
	systemctl reload "$UNIT" || true
	check "a bad configuration is in the journal" wait_for 10 \
		journal_says 'repgate.conf:4'
	same "and changes nothing" 'active monitor' \
		"$(systemctl is-active "$UNIT") $(repgatectl --json status | jq -r .mode)"
	config
	check "systemctl reload, back" systemctl reload "$UNIT"
	check "it is in force" wait_for 10 mode_is enforce
	filters reloaded
	same "all by the same process" "$pid" "$(main_pid)"
}

restarts() {
	local links pid
	links=$(link_ids) pid=$(main_pid)
	check "systemctl restart" systemctl restart "$UNIT"
	check "it is another process" has_new_pid "$pid"
	same "the link stays" "$links" "$(link_ids)"
	filters restarted
	check "repgatectl's block is kept" stopped 198.51.100.67
}

dies() {
	local links pid
	links=$(link_ids) pid=$(main_pid)
	kill -KILL "$pid"
	same "kill -9: the link stays" "$links" "$(link_ids)"
	# shellcheck disable=SC2086
	check "kill -9: blocked peers get no answer meanwhile" stopped $BLOCKED
	check "systemd starts another one" wait_for 20 has_new_pid "$pid"
	same "is-active" active "$(systemctl is-active "$UNIT")"
	same "the link is the same" "$links" "$(link_ids)"
	filters "after kill -9"
}

hangs() {
	local links pid
	mkdir -p "/run/systemd/system/$UNIT.d"
	printf '[Service]\nWatchdogSec=10s\n' >"/run/systemd/system/$UNIT.d/test.conf"
	systemctl daemon-reload
	systemctl restart "$UNIT"
	links=$(link_ids) pid=$(main_pid)
	kill -STOP "$pid"
	check "an agent that hangs is replaced, by the watchdog" wait_for 60 \
		has_new_pid "$pid"
	same "the link is the same" "$links" "$(link_ids)"
	filters "after the watchdog"
}

stops() {
	check "systemctl stop" systemctl stop "$UNIT"
	same "is-active" inactive "$(systemctl is-active "$UNIT" || true)"
	same "nothing is attached" '[]' "$(link_ids)"
	same "no pins are left" '' "$(ls -A /sys/fs/bpf/repgate 2>/dev/null || true)"
	check "no socket is left" test ! -e /run/repgate/control.sock
	# shellcheck disable=SC2086
	check "everybody passes" passes $BLOCKED $OTHER
}

# The same number without a running systemd: tests of the unit file's text.
exposure() {
	local score
	score=$(systemd-analyze security --no-pager "$UNIT" |
		sed -n 's/.*Overall exposure level for .*: \([0-9.]*\).*/\1/p')
	check "systemd-analyze security: exposure $score of 10" \
		awk -v score="$score" 'BEGIN { exit !(score > 0 && score <= 3) }'
}

uninstalls() {
	systemctl start "$UNIT"
	check "make uninstall" make -s -C "$TOP" uninstall BUILD="$BUILD" PREFIX=/usr
	same "the service is gone" 'inactive []' \
		"$(systemctl is-active "$UNIT" || true) $(link_ids)"
	check "the programs are gone" test ! -e /usr/sbin/repgated
	check "the configuration is not" test -s "$CONFIG"
}

network
installs
starts
reloads
restarts
dies
hangs
exposure
stops
uninstalls
finish
