#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 2,000 peers with every mix of Standard codes, QIL, approved and blocked entries of every format: what
# each one meets must equal ERS's rules, here written anew (model below), with no difference at all.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
bed_reexec "$0" "$@"

PEERS=2000
SEED=20261123

# generate MASK: writes the zones' entries, the local lists, the peers and, from the rules alone, what
# each peer must meet. MASK: the bits of Standard that ers.lists selects.
generate() {
	awk -v peers="$PEERS" -v seed="$SEED" -v mask="$1" -v dir="$BED" '
	function v4(n) { return sprintf("10.21.%d.%d", int(n / 256), n % 256) }
	function v6(n) { return sprintf("2001:db8:21:%x::25", n) }
	function bit(value, b) { return int(value / b) % 2 }
	function selected(value,   b) {
		for (b = 1; b <= 8; b *= 2)
			if (bit(value, b) && bit(mask, b))
				return 1
		return 0
	}
	function note(class, first, last, text) {
		print text >> (dir "/" class ".entries")
		count[class]++
		from[class, count[class]] = first
		to[class, count[class]] = last
	}
	function covered(class, n,   i) {
		for (i = 1; i <= count[class]; i++)
			if (n >= from[class, i] && n <= to[class, i])
				return 1
		return 0
	}
	function entry4(class,   n, len, size, kind) {
		n = int(rand() * 1500); kind = int(rand() * 4)
		if (kind == 0)
			note(class, n, n, v4(n) "   # an address")
		else if (kind == 1) {
			len = int(rand() * 40)
			note(class, n, n + len, "  " v4(n) "-" v4(n + len))
		} else if (kind == 2) {
			len = int(rand() * 40)
			note(class, n, n + len, v4(n) " - " v4(n + len) "\t# a range")
		} else {
			len = 24 + int(rand() * 8); size = 2 ^ (32 - len)
			# host bits set, as people paste it
			note(class, n - n % size, n - n % size + size - 1, v4(n) "/" len)
		}
	}
	function entry6(class,   n, kind) {
		n = 4096 + int(rand() * 500); kind = int(rand() * 4)
		if (kind == 0)
			note(class, n, n, sprintf("2001:0db8:0021:%04x:0000:0000:0000:0025", n))
		else if (kind == 1)
			note(class, n, n, sprintf("2001:DB8:21:%X:0:0:0:25", n))
		else if (kind == 2)
			note(class, n, n, sprintf("2001:db8:21:%x:dead::/64", n))
		else
			note(class, n - n % 16, n - n % 16 + 15, sprintf("2001:db8:21:%x::1/60", n))
	}
	BEGIN {
		srand(seed)
		printf "" > (dir "/approved.entries"); printf "" > (dir "/blocked.entries")
		for (i = 0; i < 40; i++) { entry4("approved"); entry6("approved") }
		for (i = 0; i < 60; i++) { entry4("blocked"); entry6("blocked") }
		# equal entries in both lists: approved wins
		note("approved", 7, 7, v4(7)); note("blocked", 7, 7, v4(7))
		note("blocked", 1024, 1279, "10.21.4.0/24"); note("approved", 1024, 1279, "10.21.4.0/24")
		for (i = 0; i < peers; i++) {
			six = i >= peers * 3 / 4
			n = six ? 4096 + i - peers * 3 / 4 : i
			addr = six ? v6(n) : v4(n)
			standard = i % 17; qil = int(i / 17) % 3 == 0
			if (standard == 16) {
				# several records: one of them may count
				print addr, "127.1.0.4" > (dir "/standard.zone")
				print addr, "127.1.0.1" > (dir "/standard.zone")
				standard = 5
			} else if (standard)
				print addr, "127.1.0." standard > (dir "/standard.zone")
			if (qil)
				print addr, "127.0.0.32" > (dir "/qil.zone")
			if (covered("approved", n)) want = "connected"
			else if (covered("blocked", n)) want = "timeout"
			else if (selected(standard)) want = "timeout"
			else if (qil) want = "refused"
			else want = "connected"
			print addr > (dir "/peers")
			print addr, want > (dir "/wanted")
		}
	}'
}

# round NAME MASK LISTS
round() {
	rm -f "$BED"/{approved.entries,blocked.entries,standard.zone,qil.zone,peers,wanted}
	generate "$2"
	ers_zone standard 3600 <"$BED/standard.zone"
	ers_zone qil 3600 <"$BED/qil.zone"
	if [ "$1" = first ]; then
		zones_start
	else
		zones_reload
	fi
	CONF[ers]="{ activation_code_file = \"$BED/repgate/activation-code\"; $3 }"
	repgate_config
	local_list approved own <"$BED/approved.entries"
	local_list blocked own <"$BED/blocked.entries"
	repgate_start --log-level warning
	in_clients "$BUILD/tests/syn_client" -f "$BED/peers" -t 2500 -c 2000 -r 1000 "$MX4,$MX6" 25 |
		awk '{ print $1, $2 }' | sort >"$BED/met"
	sort "$BED/wanted" >"$BED/wanted.sorted"
	same "$1: number of peers that answered for themselves" "$PEERS" "$(wc -l <"$BED/met")"
	same "$1: what each of $PEERS peers meets (wanted <, met >)" "" \
		"$(diff "$BED/wanted.sorted" "$BED/met" | head -n 20)"
	for kind in connected refused timeout; do
		check "$1: some peers are $kind" grep -q " $kind\$" "$BED/met"
	done
	sample_lookups "$1"
	repgate_stop
}

# lookup must say what was met: class, action, and exit code 0 or 10.
sample_lookups() {
	local addr want action code
	local -i wrong=0
	while read -r addr want; do
		case $want in
		connected) action=pass code=0 ;;
		refused) action=reset code=10 ;;
		timeout) action=drop code=10 ;;
		esac
		local got=0 said
		said=$(ctl --json lookup "$addr" | jq -r .next_syn; exit "${PIPESTATUS[0]}") || got=$?
		[ "$said" = "$action" ] && [ "$got" = "$code" ] || {
			echo "$addr: wanted $action ($code), lookup says $said ($got)"
			wrong+=1
		}
	done < <(awk 'NR % 25 == 1' "$BED/wanted")
	same "$1: lookups that differ from what was met" 0 "$wrong"
}

bed_up
sink_start
round first 15 ''
round second 1 'lists = [ "rbl" ];'
finish
