#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_admission.sh - floods of forged SYNs from one network, and peers that nobody has asked about yet
#
# 50,000 SYNs a second, each from another address: of one IPv4 /24, of one /16, and of half of all addresses.
# Each SYN is sent once, twice at once, or a second time a second later, as a real sender would send it.
# Meanwhile listed peers come for the first time: some of the flooded network, and some of other networks.
# on_overload is pass, so a peer that can't be asked about gets in.
#
# Checked: no listed peer gets in if SYNs are sent once or twice at once; and none of another network, whatever
# one network sends. What is left is printed: see "Floods" in docs/operation.md.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

RATE=50000
PEERS=30 # of each kind, in each flood
PEER_RATE=10
SECONDS_BEFORE=2 # of flood before the peers come: the repeated SYNs have begun
MAC=02:00:00:00:00:25
CORE=1
NUMBER=0 # of the flood
declare -A NETWORKS=([/24]="--source 10.77.200.0/24" [/16]="--source 10.77.0.0/16"
	[everywhere]="--source 64.0.0.0/3 --source 128.0.0.0/2")
declare -A REPEATS=([once]="" [twice]="--again 1" [a second later]="--again $RATE")
[ "$(nproc)" -ge 2 ] || skip "the flood needs a core of its own"

# meet FILE <ADDRESSES: connects from them; the outcomes go to $TESTBED/FILE
meet() {
	in_clients "$BUILD/tests/syn_client" -n -s -f - -r $PEER_RATE -c 8000 -t 4500 \
		"$MX4" 25 >"$TESTBED/$1"
}

# Peers of the flooded network, and of others: new ones for each flood
inside() {
	if [ "$1" = /24 ]; then
		seq -f "10.77.200.%g" $((NUMBER * PEERS + 1)) $(((NUMBER + 1) * PEERS))
	else
		seq -f "10.77.%g.$((201 + NUMBER))" 1 $PEERS
	fi
}

outside() {
	seq -f "10.21.%g.$((NUMBER + 1))" 1 $PEERS
}

# summary FILE KEY
summary() {
	sed -n "s/^# .*\b$2=\([0-9]*\).*/\1/p" "$TESTBED/$1"
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

timeouts() {
	ctl --json zones | jq '[.zones[].failed.timeout // 0] | add'
}

# flood NETWORK REPEAT: sets IN and OUT, the listed peers that got in; LATE, questions without an answer
flood() {
	local flood pid before pids=()
	before=$(timeouts)
	# shellcheck disable=SC2086 # words
	nsenter --net=/run/netns/clients -- "$BUILD/tests/syn_flood" --cpu $CORE --rate $RATE --bursts \
		--seconds 60 ${NETWORKS[$1]} ${REPEATS[$2]} --seed $((NUMBER + 1)) \
		cl0 $MAC "$MX4" 25 >"$TESTBED/flood" 2>&1 &
	flood=$!
	sleep $SECONDS_BEFORE
	inside "$1" | meet inside &
	pids+=($!)
	outside | meet outside &
	pids+=($!)
	wait "${pids[@]}"
	kill $flood || not_ok "$1, $2: syn_flood ended" "$(<"$TESTBED/flood")"
	wait $flood || not_ok "syn_flood" "status $?: $(<"$TESTBED/flood")"
	IN=$(summary inside connected) OUT=$(summary outside connected)
	LATE=$(($(timeouts) - before))
	NUMBER=$((NUMBER + 1))
	echo "# from $1, $2: $IN of $PEERS listed peers of the flooded network get in, $OUT of $PEERS others;" \
		"$LATE questions without an answer"
	echo "# $(ctl --json stats | jq -c '.losses | with_entries(select(.key | startswith("flood")))')"
}

sent_once_or_twice() {
	local repeat
	for repeat in once twice; do
		flood "$1" "$repeat"
		check "from $1, $repeat: no listed peer gets in: $IN, $OUT" test $((IN + OUT)) -le "$LATE"
	done
}

sent_again() {
	flood "$1" "a second later"
	check "from $1, a second later: no listed peer of another network gets in: $OUT" \
		test "$OUT" -le "$LATE"
}

guard_is_shown() {
	check "SYNs above a network's share are counted: $(loss flood_network)" \
		test "$(loss flood_network)" -gt 0
	check "status says that the guard opened" jq -e \
		'.guards[] | select(.guard == "admission_network") | (.reason | length > 20) and .count > 0' \
		<<<"$(ctl --json status)"
}

prepare() {
	testbed_senders 10.77.0.0/16
	printf '%s 127.1.0.1\n' 10.21.0.0/16 10.77.0.0/16 | ers_zone standard
	zones_start
	sink_start
	in_mail ip route add default via "$CLIENTS4"
	in_mail tc qdisc add dev mx0 root pfifo limit 20000
	in_mail ethtool -L mx0 rx 2
	# Few, so that a slow machine can answer all questions.
	CONF[new_peers_per_second]=400
	repgate_config
	repgate_start
}

testbed_up
prepare
# Listed networks first: behind many peers that no zone lists they would look like a zone that has gone wrong
# (state `monitor`, docs/zones.md).
for network in /24 /16; do
	sent_once_or_twice $network
	sent_again $network
done
sent_once_or_twice everywhere
flood everywhere "a second later" # what is left
guard_is_shown
repgate_stop || not_ok "repgated stops" "status $?"
finish
