#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_resolver.sh - a resolver (unbound) whose settings make lists useless: the reason names the setting

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# unbound_with SETTING...: starts unbound again, with these settings of its section `server`
unbound_with() {
	local setting
	stop unbound || true
	zones_unbound_conf >"$TESTBED/unbound.conf"
	for setting in "$@"; do
		sed -i "/${setting%%:*}:/d; s|^server:|&\n\t$setting|" "$TESTBED/unbound.conf"
	done
	spawn unbound unbound -d -c "$TESTBED/unbound.conf"
	must "unbound does not answer" zones_wait
}

# zone_is FILTER: what repgatectl says of the zone
zone_is() {
	ctl --json zones | jq -r ".zones[] | select(.zone == \"bl\") | $1"
}

has_state() {
	[ "$(zone_is .state)" = "$1" ]
}

logged() {
	grep -qF "$1" "$TESTBED/repgated.log"
}

testbed_up
dnsbl_zone bl.example <<<"203.0.113.11 127.0.0.2"
zones_start
unset 'CONF[ers]'
repgate_config 'zones = { bl = { suffix = "bl.example"; kind = "standard"; }; };'
repgate_start
check "as it should be: good" wait_for 5 has_state good
repgate_stop || not_ok "repgated stops" "status $?"

unbound_with 'private-address: 127.0.0.0/8'
repgate_start
check "private-address: disabled" wait_for 5 has_state disabled
check "private-address: the reason names it" logged \
	"zone bl: disabled: the resolver removes 127.0.0.0/8 from answers (private-address)"
repgate_stop || not_ok "repgated stops" "status $?"

unbound_with 'qname-minimisation: yes' 'qname-minimisation-strict: yes'
repgate_start
check "strict query-name minimisation: disabled" wait_for 5 has_state disabled
check "strict query-name minimisation: the list seems to lack 127.0.0.2" logged \
	"zone bl: disabled: does not list 127.0.0.2"
repgate_stop || not_ok "repgated stops" "status $?"

unbound_with 'qname-minimisation: yes'
repgate_start
check "plain query-name minimisation: good" wait_for 5 has_state good
finish
