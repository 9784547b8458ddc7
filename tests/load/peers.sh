# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# peers.sh - peers that connect while something floods: for test_attack.sh and test_flood.sh
#
# The caller sets KNOWN, the number of its known peers.

# meet FILE RATE MS <ADDRESSES: connects from them; the outcomes go to $TESTBED/FILE
meet() {
	in_clients "$BUILD/tests/syn_client" -n -s -f - -r "$2" -c 8000 -t "$3" \
		"$MX4,$MX6" 25 >"$TESTBED/$1"
}

# known TIMES: prints the known peers TIMES times
known() {
	local i
	for ((i = 0; i < $1; i++)); do
		many_addresses "$KNOWN"
	done
}
