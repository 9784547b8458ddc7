#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_many.sh - 10,000 new peers in 10 seconds
#
# None is lost, each zone is asked exactly once about each, and the agent stays
# small.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

PEERS=10000
RATE=1000
LISTED=1000 # by Standard, and as many by QIL
MEMORY_KB=65536

name_of() {
	perl -MSocket=:all -ne '
		chomp;
		print /:/ ? join(".", reverse split(//, unpack("H*", inet_pton(AF_INET6, $_))))
			: join(".", reverse split(/\./)), "\n";'
}

# The questions that are due: Standard about all, QIL about those that Standard
# does not list.
due() {
	sed "s/\$/.$ERS_LABEL.$ERS_STANDARD/" "$TESTBED/reversed"
	sed -n "$((LISTED + 1)),\$s/\$/.$ERS_LABEL.$ERS_QIL/p" "$TESTBED/reversed"
}

asked() {
	cut -f 1 "$TESTBED/queries" | tr 'A-Z' 'a-z' |
		grep -v -E '^([0-9]+\.){3}127\.|^([0-9a-f]\.){6}f\.7\.f\.f\.f\.f\.0\.'
}

memory() {
	awk "\$1 == \"$1:\" { print \$2 }" "/proc/${TESTBED_PID[repgated]}/status"
}

testbed_up
many_addresses "$PEERS" >"$TESTBED/addresses"
name_of <"$TESTBED/addresses" >"$TESTBED/reversed"
same "$PEERS peers are different" $PEERS "$(sort -u "$TESTBED/addresses" | wc -l)"
sed -n "1,${LISTED}s/\$/ 127.1.0.1/p" "$TESTBED/addresses" | ers_zone standard
sed -n "$((LISTED + 1)),$((2 * LISTED))s/\$/ 127.0.0.32/p" "$TESTBED/addresses" |
	ers_zone qil
zones_start
delay_start 20
sink_start
repgate_config
repgate_start
BEFORE=$(memory VmRSS)

in_clients "$BUILD/tests/syn_client" -n -s -f "$TESTBED/addresses" -r $RATE -c 8000 \
	-t 2500 "$MX4,$MX6" 25 >"$TESTBED/met"
grep '^#' "$TESTBED/met"
same "what the peers meet" \
	"connected $((PEERS - 2 * LISTED)) refused $LISTED timeout $LISTED" \
	"$(grep -v '^#' "$TESTBED/met" | cut -f 2 | sort | uniq -c |
		awk '{ print $2, $1 }' | xargs)"
same "nobody connects by a retransmission" 0 \
	"$(awk '$2 == "connected" && $4 > 1' "$TESTBED/met" | wc -l)"
same "each peer meets what its zone says" "standard timeout qil refused" \
	"$(awk -v listed=$LISTED 'NR == FNR { number[$1] = FNR; next }
		$1 in number {
			n = number[$1]
			want = n <= listed ? "timeout" : n <= 2 * listed ? "refused" : "connected"
			if ($2 != want) print $1, $2, want
		} END { print "standard timeout qil refused" }' \
		"$TESTBED/addresses" "$TESTBED/met")"
same "each zone is asked once about each peer, and only where it is due" '' \
	"$(diff <(due | sort) <(asked | sort) | sed -n 1,10p)"
same "nothing was lost" '{}' "$(ctl --json stats | jq -c '.losses |
	del(.sample_limit) | with_entries(select(.value > 0))')"
same "each peer was asked about once" "$PEERS 0" "$(ctl --json stats |
	jq -r '"\(.inquiries.begun) \(.inquiries.open)"')"
same "verdicts are in the map" $((2 * LISTED)) "$(in_mail bpftool map dump \
	pinned "$REPGATE_PINS/verdicts" | grep -c '"peer_class":')"
check "the agent stayed below $MEMORY_KB KB: $(memory VmHWM) KB ($BEFORE before)" \
	test "$(memory VmHWM)" -lt $MEMORY_KB
repgate_stop || not_ok "repgated stops" "status $?"
finish
