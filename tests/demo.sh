#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demo.sh - what repgate does, on real parts, in a few seconds
#
# A mail host with Postfix behind repgate, and senders of every kind that each
# send a mail to it. Then a table compares what each sender should have met with
# what it did meet, and says why. Exits 0 if they agree.

# shellcheck source-path=SCRIPTDIR source=testbed/testbed.sh
. "$(dirname "$0")/testbed/testbed.sh"
testbed_reexec "$0" "$@"

# Each answer of the name server takes that long, so that it can be seen how
# long the first SYN of an unknown sender is held.
DNS_MS=20
# Senders give up after that many seconds without a connection.
PATIENCE=3
# A QIL listing is remembered that long here, so that its end can be seen. In
# production it is 5 minutes to 12 hours.
QIL_SECONDS=5

# What a sender is | its address | what it should meet | class | action
SENDERS='
clean                   | 198.51.100.10       | delivered | clean    | pass
clean                   | 203.0.113.77        | delivered | clean    | pass
clean, IPv6             | 2001:db8:21:1::25   | delivered | clean    | pass
clean, IPv6             | 2001:db8:21:2::25   | delivered | clean    | pass
RBL                     | 203.0.113.11        | no-answer | standard | drop
DUL                     | 10.21.2.2           | no-answer | standard | drop
RBL and DUL             | 10.21.2.3           | no-answer | standard | drop
open relay              | 198.51.100.4        | no-answer | standard | drop
open proxy              | 198.51.100.8        | no-answer | standard | drop
RBL, IPv6               | 2001:db8:21:11::25  | no-answer | standard | drop
RBL and QIL             | 203.0.113.35        | no-answer | standard | drop
RBL, but approved       | 203.0.113.50        | delivered | approved | pass
DUL, but approved, IPv6 | 2001:db8:21:13::25  | delivered | approved | pass
blocked address         | 203.0.113.66        | no-answer | blocked  | drop
blocked range           | 198.51.100.101      | no-answer | blocked  | drop
blocked CIDR            | 10.21.200.9         | no-answer | blocked  | drop
approved in that CIDR   | 10.21.200.25        | delivered | approved | pass
blocked CIDR, IPv6      | 2001:db8:21:b10c::1 | no-answer | blocked  | drop
list with reject        | 203.0.113.55        | 5xx       | standard | reject
list with reject, IPv6  | 2001:db8:21:55::25  | 5xx       | standard | reject
list with tag           | 203.0.113.63        | reset     | standard | tag
list with tag, IPv6     | 2001:db8:21:63::25  | reset     | standard | tag
list with throttle: 1st | 198.51.100.60       | delivered | qil      | throttle
list with throttle: 2nd | 198.51.100.60       | delivered | qil      | throttle
list with throttle: 3rd | 198.51.100.60       | no-answer | qil      | throttle
QIL, IPv6               | 2001:db8:21:12::25  | 4xx       | qil      | tempfail
QIL                     | 198.51.100.32       | 4xx       | qil      | tempfail
'

# The same after the QIL listing ended, and after a setting was changed.
LATER='
QIL, after the listing  | 198.51.100.32       | delivered | clean    | pass
RBL, now with reject    | 203.0.113.11        | 5xx       | standard | reject
'

RIGHT=0
WRONG=0

say() {
	printf '\n== %s\n' "$*"
}

start_zones() {
	say "Zones in the form of Trend Micro ERS, and three other lists (rbldnsd), a resolver (unbound)"
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
	dnsbl_zone reject.example.net <<-END
	203.0.113.55        127.0.0.2
	2001:db8:21:55::/64 127.0.0.2
	END
	dnsbl_zone tag.example.net <<-END
	203.0.113.63        127.0.0.2
	2001:db8:21:63::/64 127.0.0.2
	END
	dnsbl_zone throttle.example.net <<-END
	198.51.100.60       127.0.0.2
	END
	zones_start
	delay_start "$DNS_MS"
}

start_repgate() {
	say "repgate on the mail host's interface"
	CONF[mode]='"enforce"'
	CONF[unknown]='"hold"'
	CONF[responder_name]='"mx.example.org"'
	CONF[tag_dscp]=63
	CONF[qil_throttle]='"2/h burst 2"'
	CONF[ers]="{
	activation_code_file = \"$TESTBED/repgate/activation-code\";
	standard_action = \"drop\";
	qil_action  = \"tempfail\";
	qil_ttl_min = \"${QIL_SECONDS}s\";
	qil_ttl_max = \"${QIL_SECONDS}s\";
}"
	CONF[zones]='{
	with-reject = {
		suffix = "reject.example.net";
		kind   = "standard";
		action = "reject";
		reply  = "550 5.7.1 %a is listed by %z, see %u";
		url    = "https://www.example.net/lookup?ip=%a";
	};
	with-tag = {
		suffix = "tag.example.net";
		kind   = "standard";
		action = "tag";
	};
	with-throttle = {
		suffix = "throttle.example.net";
		kind   = "qil";
		action = "throttle";
	};
}'
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

# What tag is for: the firewall behind repgate does what it likes.
start_firewall() {
	say "A firewall that resets tagged SYNs (nftables)"
	tee "$TESTBED/firewall" <<'END'
table inet mail {
	chain input {
		type filter hook input priority filter;
		iifname "mx0" tcp dport 25 tcp flags syn ip dscp 63 reject with tcp reset
		iifname "mx0" tcp dport 25 tcp flags syn ip6 dscp 63 reject with tcp reset
	}
}
END
	in_mail nft -f "$TESTBED/firewall"
}

# rows TABLE: prints "KIND|ADDRESS|OUTCOME|CLASS|ACTION" for each sender.
rows() {
	sed -n 's/ *| */|/gp' <<<"$1"
}

# send_and_ask ADDRESS FILE: sends a mail, then asks repgate about the sender.
send_and_ask() {
	send_mail "$1" "demo-${2##*/}" "$PATIENCE" >"$2"
	explain "$1" >"$2.why"
}

# send_all ROUND TABLE
send_all() {
	local address before='' n=0 pids=()
	mkdir -p "$TESTBED/sent"
	while IFS='|' read -r _ address _; do
		n=$((n + 1))
		# Mails of one sender come one after the other.
		[ "$address" != "$before" ] || wait "$!" || true
		before=$address
		send_and_ask "$address" "$TESTBED/sent/$1-$n" &
		pids+=("$!")
		# Pace: many programs that start at once would add to each other's times.
		sleep 0.1
	done < <(rows "$2")
	wait "${pids[@]}" || true
}

# experience OUTCOME CONNECT_MS TOTAL_MS: in words
experience() {
	case $1 in
	delivered) echo "delivered after $3 ms (connected: $2)" ;;
	no-answer) echo "no answer for $3 ms" ;;
	reset) echo "reset after $3 ms" ;;
	4xx | 5xx) echo "refused after $3 ms (connected: $2)" ;;
	*) echo "$1 after $3 ms" ;;
	esac
}

# What repgate says of a sender, as "CLASS|ACTION|WHY".
explain() {
	lookup "$1" '[.class, .action, ([
			(.zone // "" | select(. != "")),
			(.reason // "" | select(. != "")),
			(.expires_in // empty | "\(ceil) s left")
		] | join(", "))] | join("|")' || echo "?|?|no answer to lookup"
}

# table_row FILE KIND ADDRESS OUTCOME CLASS ACTION
table_row() {
	local kind=$2 address=$3 outcome=$4 class=$5 action=$6
	local met connect total detail is_class is_action why verdict=yes
	IFS=$'\t' read -r met connect total detail <"$1" || true
	IFS='|' read -r is_class is_action why <"$1.why" || true
	if [ "$met $is_class $is_action" = "$outcome $class $action" ]; then
		RIGHT=$((RIGHT + 1))
	else
		WRONG=$((WRONG + 1))
		verdict=NO
	fi
	printf '%-24s%-20s%-11s%-41s%-4s%s -> %s: %s\n' "$kind" "$address" \
		"$outcome" "$(experience "$met" "$connect" "$total")" \
		"$verdict" "$is_class" "$is_action" "$why"
	case $met in
	delivered | no-answer | reset) ;;
	*) printf '%24s%s\n' '' "$detail" ;;
	esac
	[ "$verdict" = yes ] ||
		printf '%24sexpected: %s, %s -> %s\n' '' "$outcome" "$class" "$action"
}

# print_table ROUND TABLE
print_table() {
	local kind address outcome class action n=0
	printf '%-24s%-20s%-11s%-41s%-4s%s\n' SENDER ADDRESS EXPECTED \
		EXPERIENCED OK WHY
	while IFS='|' read -r kind address outcome class action; do
		n=$((n + 1))
		table_row "$TESTBED/sent/$1-$n" "$kind" "$address" "$outcome" \
			"$class" "$action"
	done < <(rows "$2")
}

first_round() {
	say "$(rows "$SENDERS" | wc -l) mails, nearly at once (each DNS answer takes $DNS_MS ms)"
	send_all first "$SENDERS"
	print_table first "$SENDERS"
}

# listing_over ADDRESS: the zone was asked again, and says no.
listing_over() {
	[ "$(lookup "$1" .class)" = clean ]
}

second_round() {
	say "198.51.100.32 is not in QIL any more; its listing ends after $QIL_SECONDS s"
	ers_zone qil </dev/null
	zones_reload
	must "the QIL listing does not end" \
		wait_for $((QIL_SECONDS + 5)) listing_over 198.51.100.32
	say "repgatectl set ers-standard.action reject"
	ctl set ers-standard.action reject
	send_all second "$LATER"
	print_table second "$LATER"
}

show_repgate() {
	say "repgatectl status"
	ctl status
	say "repgatectl stats"
	ctl stats
	say "bpftool map dump pinned $REPGATE_PINS/verdicts (the beginning)"
	in_mail bpftool map dump pinned "$REPGATE_PINS/verdicts" | sed -n 1,40p
	say "The log of the refusals by SMTP"
	sed -n 's/^repgated: info: NOQUEUE/NOQUEUE/p' "$TESTBED/repgated.log"
}

main() {
	say "Two network namespaces: a mail host, and a network of senders"
	testbed_up
	start_zones
	say "Postfix on port 25"
	postfix_start
	start_repgate
	start_firewall
	first_round
	second_round
	show_repgate

	say "Cleaning up"
	repgate_stop
	postfix_stop
	delay_stop
	zones_stop
	if [ "$WRONG" -gt 0 ]; then
		testbed_logs
		echo "demo: $((RIGHT + WRONG)) mails, $WRONG not as expected"
		exit 1
	fi
	echo "demo: $RIGHT mails, $RIGHT as expected: clean, approved and delisted senders" \
		"delivered; listed senders dropped, reset, throttled, told 450 or 550"
}

main
