#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demo.sh - what repgate does, on real parts, in a few seconds
#
# A mail host with Postfix behind repgate, and senders of every kind that each
# send a mail to it. Then a table compares what each sender should have met with
# what it did meet, and says why. Exits 0 if they agree.

# shellcheck source-path=SCRIPTDIR source=netns/lib.sh
. "$(dirname "$0")/netns/lib.sh"
bed_reexec "$0" "$@"

# Each answer of the name server takes that long, so that it can be seen how
# long the first SYN of an unknown sender is held.
DNS_MS=20
# Senders give up after that many seconds without a connection.
PATIENCE=3

# What a sender is | its address | what it should meet | class | action
SENDERS='
clean                   | 198.51.100.10       | delivered | clean    | pass
clean                   | 203.0.113.77        | delivered | clean    | pass
clean                   | 10.21.7.7           | delivered | clean    | pass
clean, IPv6             | 2001:db8:21:1::25   | delivered | clean    | pass
clean, IPv6             | 2001:db8:21:2::25   | delivered | clean    | pass
RBL                     | 203.0.113.11        | no-answer | standard | drop
DUL                     | 10.21.2.2           | no-answer | standard | drop
RBL and DUL             | 10.21.2.3           | no-answer | standard | drop
open relay              | 198.51.100.4        | no-answer | standard | drop
open proxy              | 198.51.100.8        | no-answer | standard | drop
RBL, IPv6               | 2001:db8:21:11::25  | no-answer | standard | drop
QIL                     | 198.51.100.32       | reset     | qil      | reset
QIL, IPv6               | 2001:db8:21:12::25  | reset     | qil      | reset
RBL and QIL             | 203.0.113.35        | no-answer | standard | drop
RBL, but approved       | 203.0.113.50        | delivered | approved | pass
DUL, but approved, IPv6 | 2001:db8:21:13::25  | delivered | approved | pass
blocked address         | 203.0.113.66        | no-answer | blocked  | drop
blocked range           | 198.51.100.101      | no-answer | blocked  | drop
blocked CIDR            | 10.21.200.9         | no-answer | blocked  | drop
approved in that CIDR   | 10.21.200.25        | delivered | approved | pass
blocked CIDR, IPv6      | 2001:db8:21:b10c::1 | no-answer | blocked  | drop
'

RIGHT=0
WRONG=0

say() {
	printf '\n== %s\n' "$*"
}

start_zones() {
	say "Zones in the form of Trend Micro ERS (rbldnsd), a resolver (unbound)"
	ers_zone standard <<-END
	203.0.113.11        127.1.0.1
	10.21.2.2           127.1.0.2
	10.21.2.3           127.1.0.3
	198.51.100.4        127.1.0.4
	198.51.100.8        127.1.0.8
	203.0.113.35        127.1.0.1
	203.0.113.50        127.1.0.1
	2001:db8:21:11::/64 127.1.0.1
	2001:db8:21:13::/64 127.1.0.2
	END
	ers_zone qil <<-END
	198.51.100.32       127.0.0.32
	203.0.113.35        127.0.0.32
	2001:db8:21:12::/64 127.0.0.32
	END
	zones_start
	delay_start "$DNS_MS"
}

start_repgate() {
	say "repgate on the mail host's interface"
	CONF[mode]='"enforce"'
	CONF[unknown]='"hold"'
	CONF[ers]="{
	activation_code_file = \"$BED/repgate/activation-code\";
	standard_action = \"drop\";
	qil_action = \"reset\";
}"
	repgate_config
	local_list approved demo <<-END
	# partners
	203.0.113.50
	2001:0db8:0021:0013::/64
	10.21.200.25
	END
	local_list blocked demo <<-END
	203.0.113.66
	198.51.100.100-198.51.100.120
	10.21.200.0/24
	2001:db8:21:b10c::/64
	END
	cat "$REPGATE_CONF"
	repgate_start
}

# Prints "KIND|ADDRESS|OUTCOME|CLASS|ACTION" for each sender.
senders() {
	sed -n 's/ *| */|/gp' <<<"$SENDERS"
}

send_all() {
	local address pids=()
	say "$(senders | wc -l) senders send a mail each"
	mkdir -p "$BED/sent"
	while IFS='|' read -r _ address _; do
		send_mail "$address" "demo-${address//:/-}" "$PATIENCE" \
			>"$BED/sent/$address" &
		pids+=("$!")
		# The start of many programs at once would add to the times.
		sleep 0.1
	done < <(senders)
	wait "${pids[@]}" || true
}

# experience OUTCOME CONNECT_MS TOTAL_MS DETAIL: in words
experience() {
	case $1 in
	delivered) echo "delivered after $3 ms (connected: $2)" ;;
	no-answer) echo "no answer for $3 ms" ;;
	reset) echo "reset after $3 ms" ;;
	*) echo "$1 after $3 ms: $4" ;;
	esac
}

# What repgate says of a sender, as "CLASS|ACTION|WHY".
explain() {
	lookup "$1" '[.class, .action, ([
			(.zone // "" | select(. != "")),
			(.reason // "" | select(. != "")),
			(.expires_in // empty | "\(.) s left")
		] | join(", "))] | join("|")' || echo "?|?|no answer to lookup"
}

table_row() {
	local kind=$1 address=$2 outcome=$3 class=$4 action=$5
	local met connect total detail is_class is_action why verdict=yes
	IFS=$'\t' read -r met connect total detail <"$BED/sent/$address" || true
	IFS='|' read -r is_class is_action why < <(explain "$address")
	if [ "$met $is_class $is_action" = "$outcome $class $action" ]; then
		RIGHT=$((RIGHT + 1))
	else
		WRONG=$((WRONG + 1))
		verdict=NO
	fi
	printf '%-24s%-20s%-11s%-41s%-4s%s -> %s: %s\n' "$kind" "$address" \
		"$outcome" "$(experience "$met" "$connect" "$total" "$detail")" \
		"$verdict" "$is_class" "$is_action" "$why"
	[ "$verdict" = yes ] ||
		printf '%24sexpected: %s, %s -> %s\n' '' "$outcome" "$class" "$action"
}

print_table() {
	local kind address outcome class action
	say "What they met, and why (each DNS answer takes $DNS_MS ms)"
	printf '%-24s%-20s%-11s%-41s%-4s%s\n' SENDER ADDRESS EXPECTED \
		EXPERIENCED OK WHY
	while IFS='|' read -r kind address outcome class action; do
		table_row "$kind" "$address" "$outcome" "$class" "$action"
	done < <(senders)
}

show_repgate() {
	say "repgatectl status"
	ctl status
	say "repgatectl stats"
	ctl stats
	say "bpftool map dump pinned $REPGATE_PINS/verdicts (the beginning)"
	in_mail bpftool map dump pinned "$REPGATE_PINS/verdicts" | sed -n 1,40p
}

main() {
	say "Two network namespaces: a mail host, and a network of senders"
	bed_up
	start_zones
	say "Postfix on port 25"
	postfix_start
	start_repgate
	send_all
	print_table
	show_repgate

	say "Cleaning up"
	repgate_stop
	postfix_stop
	delay_stop
	zones_stop
	if [ "$WRONG" -gt 0 ]; then
		bed_logs
		echo "demo: $((RIGHT + WRONG)) senders, $WRONG not as expected"
		exit 1
	fi
	echo "demo: $RIGHT senders, $RIGHT as expected:" \
		"clean and approved mail delivered, listed senders stopped"
}

main
