#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_country.sh - countries in the local lists, in ERS's order: approved address, blocked address,
# approved country, blocked country, then the zones. Both shapes of country databases.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"
set -euo pipefail

write_database() {
	"$BUILD/tests/mmdb_make" "$@" >"$TESTBED/country.mmdb" <<-END
		198.51.100.0/24 DE
		203.0.113.0/24 NL
		203.0.113.64/26 FR
		2001:db8:21:10::/60 DE
		2001:db8:21:20::/60 NL
	END
}

# meets ADDRESS OUTCOME WHAT
meets() {
	same "$3" "$2" "$(in_clients "$BUILD/tests/syn_client" -t 1500 "$MX4,$MX6" 25 "$1" | cut -f2)"
}

rules() {
	local shape=$1
	meets 198.51.100.10 timeout "$shape: blocked country"
	meets 2001:db8:21:11::25 timeout "$shape: blocked country, IPv6"
	meets 198.51.100.20 connected "$shape: approved address in a blocked country"
	meets 203.0.113.11 connected "$shape: approved country, though RBL lists it"
	meets 2001:db8:21:21::25 connected "$shape: approved country, IPv6, though QIL lists it"
	meets 203.0.113.20 timeout "$shape: blocked address in an approved country"
	meets 203.0.113.70 refused "$shape: a country in no list: the zones decide"
	meets 10.21.1.1 connected "$shape: an address without a country"
	same "$shape: lookup says country" country "$(lookup 198.51.100.10 .reason)"
	same "$shape: lookup names it" DE "$(lookup 198.51.100.10 .country)"
	same "$shape: of one that was not asked about, too" approved "$(lookup 203.0.113.12 .class)"
	meets ::198.51.100.10 timeout "$shape: blocked country, IPv4 written as IPv6"
	meets ::203.0.113.130 connected "$shape: approved country, IPv4 written as IPv6"
	meets ::10.21.1.3 connected "$shape: no country, IPv4 written as IPv6"
	meets 198.51.100.11 timeout "$shape: that says nothing of all IPv4, which its /64 has in it"
	meets 10.21.1.2 connected "$shape: nor does the other"
	check "$shape: no zone is asked about a country's peers" \
		not_asked '^(10\.100\.51\.198|11\.113\.0\.203)\.'
}

not_asked() {
	! grep -qE "$1" "$TESTBED/queries"
}

refuses_without_database() {
	! in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --check >"$TESTBED/said" 2>&1 &&
		grep -q 'country_database is not set' "$TESTBED/said"
}

testbed_up
testbed_senders ::198.51.100.0/120
testbed_senders ::203.0.113.0/120
testbed_senders ::10.21.1.0/120
echo "203.0.113.11 127.1.0.1" | ers_zone standard
printf '%s\n' "2001:db8:21:21::25 127.0.0.32" "203.0.113.70 127.0.0.32" | ers_zone qil
zones_start
delay_start 1
sink_start

install -d "$TESTBED/repgate/approved.d"
repgate_config
printf '%s\n' "NL   # everyone there" 198.51.100.20 | local_list approved own
printf '%s\n' de 203.0.113.20 | local_list blocked own
check "countries without a database are refused" refuses_without_database

for shape in flat nested; do
	if [ "$shape" = nested ]; then write_database --nested; else write_database; fi
	CONF[country_database]="\"$TESTBED/country.mmdb\""
	: >"$TESTBED/queries"
	repgate_config
	repgate_start
	rules "$shape"
	check "$shape: a warning about countries" grep -q 'an approved country lets' "$TESTBED/repgated.log"
	# A mapping of the file would end the agent (SIGBUS) at the next lookup.
	: >"$TESTBED/country.mmdb"
	same "$shape: the file is truncated, the countries stay" DE "$(lookup 198.51.100.12 .country)"
	check "$shape: the agent runs" alive repgated
	if [ "$shape" = nested ]; then
		write_database --nested
		: | local_list blocked own
		check "the list is loaded" wait_for 5 eval "ctl list | grep -vq ' DE '"
		ctl reload >/dev/null
		meets 198.51.100.10 connected "no longer blocked: its verdict went with the list"
		ctl block FR >/dev/null
		meets 203.0.113.71 timeout "a country blocked by repgatectl"
		ctl unlist FR >/dev/null
		meets 203.0.113.71 connected "and unlisted"
	fi
	repgate_stop
done
finish
