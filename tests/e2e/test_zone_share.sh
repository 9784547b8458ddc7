#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_zone_share.sh - a sudden rise of the share of peers that a zone lists
#
# - Behind many clean peers come many listed ones, as anybody can forge them: the zone does not list peers that it
#   did not list before, so its listings count, and no verdict goes.
# - A zone that suddenly lists the world, but not 127.0.0.0/8, goes to state monitor: its listings pass. When it is
#   right again, its control group ends that.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

CLEAN_PEERS=3000 LISTED_PEERS=800

# visit FILE <ADDRESSES: connects from them, 400 a second; the outcomes go to $TESTBED/FILE
visit() {
	in_clients "$BUILD/tests/syn_client" -n -f - -r 400 -c 8000 -t 3000 "$MX4" 25 >"$TESTBED/$1"
}

connected() {
	grep -c $'\tconnected\t' "$TESTBED/$1" || true
}

zone_state() {
	ctl --json zones | jq -r '.zones[] | select(.zone == "ers-standard") | .state'
}

is_state() {
	[ "$(zone_state)" = "$1" ]
}

# addresses FIRST COUNT: of 10.21.FIRST.0 and what follows
addresses() {
	seq 0 $(($2 - 1)) | awk -v first="$1" '{ printf "10.21.%d.%d\n", first + $1 / 250, 1 + $1 % 250 }'
}

# It lists everything but 127/8, so its tests pass.
wrong_zone() {
	addresses 0 1500 | visit before
	same "clean peers connect" 1500 "$(connected before)"
	printf '%s 127.1.0.1\n' 0.0.0.0/2 64.0.0.0/3 128.0.0.0/1 | ers_zone standard 3600
	zones_reload
	addresses 10 800 | visit meanwhile
	check "a zone that lists the world goes to monitor" wait_for 5 is_state monitor
	check "the log says so" grep -q 'zone ers-standard: monitor: lists' "$TESTBED/repgated.log"
	addresses 20 100 | visit then
	same "its listings pass" 100 "$(connected then)"
	ers_zone standard 3600 </dev/null
	zones_reload
	addresses 30 1000 | visit again
	check "it is good again" wait_for 5 is_state good
}

# Half of the addresses is listed; the clean half comes first.
listed_traffic() {
	repgate_stop
	rm -rf "$TESTBED/repgate/state"
	echo '10.21.128.0/17 127.1.0.1' | ers_zone standard 3600
	zones_reload
	repgate_config
	repgate_start
	addresses 0 $CLEAN_PEERS | visit clean
	same "clean peers connect" $CLEAN_PEERS "$(connected clean)"
	addresses 128 $LISTED_PEERS | visit listed
	same "no listed peer connects, however many come" 0 "$(connected listed)"
	same "the zone is good" good "$(zone_state)"
	check "the log says that the traffic has changed" \
		grep -q 'zone ers-standard: lists .* % of new peers, was .*: the traffic has changed' "$TESTBED/repgated.log"
	same "no verdict is gone" $LISTED_PEERS \
		"$(ctl --json dump | jq '[.verdicts[] | select(.class == "standard")] | length')"
}

main() {
	testbed_up
	ers_zone standard 3600 </dev/null
	ers_zone qil 3600 </dev/null
	zones_start
	sink_start
	CONF[new_peers_per_second]=10000
	repgate_config
	repgate_start
	wrong_zone
	listed_traffic
	repgate_stop || not_ok "repgated stops" "status $?"
	finish
}

main
