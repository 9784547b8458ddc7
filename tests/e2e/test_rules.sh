#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_rules.sh - every peer meets what the service's rules say, asked for once
#
# Peers, zones and local lists are drawn by tests/tools/parity_model.c, which
# also says what each peer must meet and which questions are due, by rules
# written on their own. Each peer opens a real connection; there must not be a
# single difference, neither in what they meet nor in what was asked.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

SEED=${SEED:-20260711}
# Longer than a retransmission (1 s), so that one that was needed is no error
# here: test_hold.sh is about those.
PATIENCE_MS=2500

# ROUND | IPv4 peers | IPv6 peers | bits of Standard that count | ers.lists
ROUNDS='
every list|1200|800|15|
rbl only|300|200|1|lists = [ "rbl" ];
dul, rss, ops|300|200|14|lists = [ "dul", "rss", "ops" ];
'

# model DIR SEED IPV4 IPV6 BITS
model() {
	mkdir -p "$1"
	(
		cd "$1"
		"$BUILD/tests/parity_model" "$2" "$3" "$4" "$5" \
			"$ERS_LABEL.$ERS_STANDARD" "$ERS_LABEL.$ERS_QIL"
		sort -o expected expected
		sort -o asked asked
	)
}

# Half of the lists have the line ends of other systems: it is pasted text.
install_lists() {
	# Other lists altogether, and often shorter: not a feed that lost its entries.
	rm -rf "$TESTBED/repgate/state/lists"
	local kind number
	for kind in approved blocked; do
		for number in 1 2; do
			sed "$([ "$number" = 1 ] || echo 's/$/\r/')" \
				"$1/$kind-$number" | local_list "$kind" "$number"
		done
	done
}

# differences EXPECTED ACTUAL: nothing, or the first of them
differences() {
	diff "$1" "$2" | sed -n '1,30p'
}

# look_up <ADDRESSES: "address class action next exit-status" of each, sorted
look_up() {
	local address status answer
	while read -r address; do
		status=0
		answer=$(ctl --json lookup "$address") || status=$?
		jq -r --arg status "$status" \
			'[.address, .class, .action, .next_syn, $status] | @tsv' \
			<<<"$answer"
	done | sort
}

# lookups WHAT DIR FROM TO: of a sample, numbers FROM to TO of the shuffled peers
lookups() {
	shuf --random-source="$2/expected" "$2/peers" | sed -n "$3,$4p" >"$2/sample"
	look_up <"$2/sample" >"$2/found"
	awk -F '\t' -v OFS='\t' 'NR == FNR { want[$1]; next } $1 in want {
		print $1, $3, $4, $4, $4 == "pass" ? 0 : 10 }' \
		"$2/sample" "$2/expected" >"$2/sample.expected"
	same "$1: lookup agrees for $(wc -l <"$2/sample") peers" '' \
		"$(differences "$2/sample.expected" "$2/found")"
}

questions() {
	# The zones' test points, and the other addresses of 127/8 that are asked for, are no peers.
	cut -f 1 "$TESTBED/queries" | tr '[:upper:]' '[:lower:]' |
		grep -v -E '^([0-9]+\.){3}127\.|^([0-9a-f]\.){6}f\.7\.f\.f\.f\.f\.0\.' | sort
}

# zones DIR: in force, behind a log of the questions
zones() {
	ers_zone standard <"$1/standard"
	ers_zone qil <"$1/qil"
	if alive unbound; then
		zones_reload
	else
		zones_start
		delay_start 0
	fi
}

# agent DIR ERS_LISTS
agent() {
	CONF[ers]="{
	activation_code_file = \"$TESTBED/repgate/activation-code\";
	standard_action = \"drop\"; qil_action = \"reset\"; $2
}"
	CONF[blocked_action]='"drop"'
	repgate_config
	install_lists "$1"
	: >"$TESTBED/queries"
	repgate_start
}

# round NAME IPV4 IPV6 BITS ERS_LISTS
round() {
	local name=$1 dir=$TESTBED/model-$4 status=0
	model "$dir" "$((SEED + $4))" "$2" "$3" "$4"
	zones "$dir"
	agent "$dir" "$5"

	in_clients "$BUILD/tests/syn_client" -f "$dir/peers" -t "$PATIENCE_MS" \
		-c 4000 -r 2000 "$MX4,$MX6" 25 | cut -f 1,2 | sort >"$dir/met"
	same "$name: $(($2 + $3)) peers meet what the rules say" '' \
		"$(cut -f 1,2 "$dir/expected" | differences - "$dir/met")"
	questions >"$dir/questions"
	same "$name: each zone is asked once, and only where it is due" '' \
		"$(differences "$dir/asked" "$dir/questions")"
	lookups "$name, known peers" "$dir" 1 60

	# Now nothing is known: lookup asks the zones itself.
	check "$name: flush" ctl flush all
	lookups "$name, unknown peers" "$dir" 61 100
	same "$name: lookup stored nothing" 0 \
		"$(ctl --json dump | jq '(.verdicts + .peers) | length')"
	repgate_stop || status=$?
	same "$name: repgated stops well" 0 "$status"
}

# What the drawn peers are made of, so that a change of the model that leaves
# something out is noticed.
describe() {
	cut -f 2- "$TESTBED/model-15/expected" | sort | uniq -c
}

main() {
	local name v4 v6 bits lists
	testbed_up
	sink_start
	install -d "$TESTBED/repgate/"{approved.d,blocked.d}
	while IFS='|' read -r name v4 v6 bits lists; do
		[ -z "$name" ] || round "$name" "$v4" "$v6" "$bits" "$lists"
	done <<<"$ROUNDS"
	describe
	same "all classes were among them" 5 "$(describe | wc -l)"
}

main
finish
