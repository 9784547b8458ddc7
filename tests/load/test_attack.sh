#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_attack.sh - strangers and local users attack while known senders deliver
#
# Rounds of five attacks, each with 50,000 forged SYNs a second:
#	new		each from another address
#	doubled		the same 50,000 SYNs each second, as if they were retransmissions
#	checksums	from listed addresses that are answered with 450, with a wrong checksum
#	neighbours	from listed addresses in the networks of known clean peers, from clean
#			ones in the networks of refused peers, and from all others there
#	known		from the addresses of the known peers, clean and listed
# All the time a local user without rights uses up the metrics page and the ports of
# the responder, and asks sock_diag; and members of the control group send requests
# and do not read the answers.
#
# Checked in each attack: known clean peers connect, none is lost, and their 99th
# percentile is 10 ms above the quiet time before at most; no listed peer that was
# refused before gets in; the responder works. At the end: every limit that turned
# something away is in `status`, with its reason.
#
#	ATTACK_SECONDS	the length of all attacks (150); 3600 for an hour, with
#		TEST_TIMEOUT=4500 under tests/run.sh. The time that known peers need, and the
#		rate of the floods, are only checked from 100 s on: the short form of
#		`make check` runs on machines that do other things, too. From 600 s on, the
#		quiet time before lasts a minute.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
# shellcheck source-path=SCRIPTDIR source=peers.sh
. "$(dirname "$0")/peers.sh"
testbed_reexec "$0" "$@"

ATTACK_SECONDS=${ATTACK_SECONDS:-150}
ATTACKS=(new doubled checksums neighbours known)
RATE=50000
KNOWN=200
LISTED=40
SLOWER_US=10000
LONG_SECONDS=100 # from here on, times and rates are checked
LEAST_RATE=45000
NETWORKS=8 # of known peers, whose neighbours the flood takes
MEMORY_KB=196608
MAC=02:00:00:00:00:25
CORE=1
QIL=203.0.113.77
ATTACK_LENGTH=$((ATTACK_SECONDS / ${#ATTACKS[@]}))
[ $ATTACK_LENGTH -le 60 ] || ATTACK_LENGTH=60
QUIET_TIMES=10 # half a second each
[ "$ATTACK_SECONDS" -lt 600 ] || QUIET_TIMES=120
[ $ATTACK_LENGTH -ge 6 ] || skip "ATTACK_SECONDS: 30 at least"
[ "$(nproc)" -ge 2 ] || skip "the attack needs a core of its own"

# listed TIMES: the same for peers in the Standard zone, of both families
listed() {
	local i
	for ((i = 0; i < $1; i++)); do
		seq -f '10.21.240.%g' 1 $((LISTED / 2))
		seq 1 $((LISTED / 2)) | xargs printf '2001:db8:21:d%03x::25\n'
	done
}

# summary FILE KEY
summary() {
	sed -n "s/^# .*\b$2=\([0-9]*\).*/\1/p" "$TESTBED/$1"
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

memory() {
	awk "\$1 == \"$1:\" { print \$2 }" "/proc/${TESTBED_PID[repgated]}/status"
}

# --- local users -------------------------------------------------------------

# as_nobody NAME PERL ARGUMENT...: in the background, in the mail host
as_nobody() {
	local name=$1 program=$2
	shift 2
	spawn "$name" setpriv --reuid 65534 --regid 65534 --clear-groups perl -MSocket -e "$program" "$@"
}

# 400 connections to the metrics page, each kept until the agent closes it, again and again
# shellcheck disable=SC2016 # perl
METRICS_USER='
	my ($host, $port) = split /:/, $ARGV[0];
	while (1) {
		my @all;
		for (1 .. 400) {
			socket(my $s, PF_INET, SOCK_STREAM, 0) or last;
			connect($s, sockaddr_in($port, inet_aton($host))) and push @all, $s;
		}
		select(undef, undef, undef, 2);
	}'

# Connections to each port of the responder, from one loopback address after the other
# shellcheck disable=SC2016
RESPONDER_USER='
	my $n = 0;
	while (1) {
		my @all;
		for my $port (@ARGV) {
			for (1 .. 100) {
				socket(my $s, PF_INET, SOCK_STREAM, 0) or last;
				bind($s, sockaddr_in(0, inet_aton(sprintf "127.0.%d.%d", ++$n / 250 % 250, $n % 250 + 1)));
				$s->blocking(0);
				connect($s, sockaddr_in($port, inet_aton("127.0.0.1")));
				push @all, $s;
			}
		}
		select(undef, undef, undef, 2);
	}'

# Asks the kernel which socket a SYN of a peer would meet: SOCK_DIAG_BY_FAMILY for one connection. With a third
# argument: asks once, and prints the port of that socket.
# shellcheck disable=SC2016
DIAG_USER='
	my ($to, $from, $n) = (inet_aton($ARGV[0]), inet_aton($ARGV[1]), 0);
	while (1) {
		socket(my $s, 16, SOCK_RAW, 4) or die;
		for (1 .. 50) {
			my $id = pack("n2 a4 x12 a4 x12 L L2", 25, 1024 + ++$n % 60000, $to, $from, 0, ~0, ~0);
			my $request = pack("C4 L", 2, 6, 0, 0, ~0) . $id;
			syswrite($s, pack("L S2 L2", 16 + length $request, 20, 1, $n, 0) . $request);
			sysread($s, my $answer, 8192);
			next unless $ARGV[2];
			print unpack("S", substr($answer, 4, 2)) == 20 ? unpack("n", substr($answer, 20, 2)) : "none", "\n";
			exit;
		}
		select(undef, undef, undef, 0.1);
	}'

# A member of the control group: 30 connections, each of which sends requests and reads nothing, until it is closed
# shellcheck disable=SC2016
CONTROL_MEMBER='
	$SIG{PIPE} = "IGNORE";
	while (1) {
		my @all;
		for (1 .. 30) {
			socket(my $s, PF_UNIX, SOCK_STREAM, 0) or last;
			connect($s, pack_sockaddr_un($ARGV[0])) or next;
			$s->blocking(0);
			push @all, $s;
		}
		for (1 .. 20) {
			syswrite($_, "{\"command\":\"status\"}\n" x 100) for @all;
			select(undef, undef, undef, 0.1);
		}
	}'

# socket_of ADDRESS: the port of the socket that sock_diag tells of, to a user without rights
socket_of() {
	in_mail setpriv --reuid 65534 --regid 65534 --clear-groups perl -MSocket -e "$DIAG_USER" "$MX4" "$1" once
}

local_users() {
	local ports
	ports=$(in_mail ss -Hltn | awk '$4 ~ /^127\.0\.0\.1:/ { sub(/.*:/, "", $4); print $4 }' |
		grep -vxE '25|53|5300|5354|9125|8953')
	as_nobody metrics_user "$METRICS_USER" "$REPGATE_METRICS"
	# shellcheck disable=SC2086 # words
	as_nobody responder_user "$RESPONDER_USER" $ports
	ctl lookup --store $QIL >/dev/null || true
	same "sock_diag does not tell who is listed" "$(socket_of 10.21.0.1)" "$(socket_of $QIL)"
	as_nobody diag_user "$DIAG_USER" "$MX4" "$QIL"
	spawn control_member setpriv --reuid 65534 --regid 0 --clear-groups perl -MSocket -MIO::Handle -e "$CONTROL_MEMBER" \
		"$REPGATE_SOCKET"
	# shellcheck disable=SC2016
	check "a user without rights can't open the control socket" eval \
		"! in_mail setpriv --reuid 65534 --regid 65534 --clear-groups \
		'$BUILD/repgatectl' --socket '$REPGATE_SOCKET' status >/dev/null 2>&1"
}

# --- the attacks -------------------------------------------------------------

# The known peers as syn_flood reads them: IPv4 only
write_sources() {
	{
		known 1
		listed 1
	} | grep -v : | perl -ne 'print pack("C4", split /\./)' >"$TESTBED/sources"
}

# flood ATTACK: starts it
flood() {
	local arguments i
	case $1 in
	new) arguments=(--source 64.0.0.0/3 --source 128.0.0.0/2 --source 2400::/8) ;;
	doubled) arguments=(--source 64.0.0.0/3 --source 2400::/8 --flows "$RATE") ;;
	checksums) arguments=(--source 203.0.113.0/24 --source 2001:db8:21:e000::/52 --bad-checksum) ;;
	neighbours)
		arguments=(--source 10.21.0.0/24 --source 10.21.240.0/24)
		for ((i = 1; i <= NETWORKS; i++)); do
			arguments+=(--source "$(printf '2001:db8:21:%x::bad/128' $i)")
		done
		for ((i = 1; i <= 3; i++)); do
			arguments+=(--source "$(printf '2001:db8:21:%x::/64' $i)"
				--source "$(printf '2001:db8:21:d%03x::/64' $i)")
		done
		;;
	known) arguments=(--sources "$TESTBED/sources") ;;
	esac
	nsenter --net=/run/netns/clients -- "$BUILD/tests/syn_flood" --cpu $CORE --rate $RATE --bursts \
		--seconds $((ATTACK_LENGTH + 30)) "${arguments[@]}" cl0 $MAC "$MX4,$MX6" 25 \
		>"$TESTBED/flood" 2>&1 &
	FLOOD_PID=$!
}

flood_end() {
	kill "$FLOOD_PID" || not_ok "$1: syn_flood ended" "$(<"$TESTBED/flood")"
	wait "$FLOOD_PID" || not_ok "syn_flood" "status $?: $(<"$TESTBED/flood")"
	echo "# $1: $(<"$TESTBED/flood")"
	[ "$ATTACK_SECONDS" -lt $LONG_SECONDS ] ||
		check "$1: the flood has $(jq .pps "$TESTBED/flood") SYNs a second" \
			test "$(jq .pps "$TESTBED/flood")" -ge $LEAST_RATE
}

# attack NAME
attack() {
	local pids=()
	flood "$1"
	sleep 1
	known $(((ATTACK_LENGTH - 3) * 2)) | meet known 400 4500 &
	pids+=($!)
	listed $((ATTACK_LENGTH - 3)) | meet listed $LISTED 900 &
	pids+=($!)
	wait "${pids[@]}"
	flood_end "$1"
	echo "# $1: known$(grep '^#' "$TESTBED/known" | tr -d '#')"
	same "$1: no known clean peer is lost" "$(summary known peers)" "$(summary known connected)"
	[ "$ATTACK_SECONDS" -lt $LONG_SECONDS ] ||
		check "$1: their p99 is $(summary known p99_us) us, $(summary quiet p99_us) before" \
			test "$(summary known p99_us)" -le $(($(summary quiet p99_us) + SLOWER_US))
	same "$1: no listed peer gets in" 0 "$(summary listed connected)"
	same "$1: the agent was never missed" 0 "$(loss agent_silent)"
	same "$1: the responder works" true "$(ctl --json status | jq .steering.works)"
	check "$1: the agent stays under $MEMORY_KB KB: $(memory VmHWM)" \
		test "$(memory VmHWM)" -lt $MEMORY_KB
}

# New peers beside those that the flood came from: each is judged by itself.
neighbours_are_judged() {
	local i
	for ((i = 1; i <= NETWORKS; i++)); do
		printf '2001:db8:21:d%03x::77\n' $i
	done | meet new 100 8000
	same "clean neighbours of refused peers get in" $NETWORKS "$(summary new connected)"
	check "listed neighbours of clean peers do not" wait_for 15 listed_neighbours_are_refused
}

# While the rates are used up, `on_overload = "pass"` may let one in that is not judged.
listed_neighbours_are_refused() {
	local i
	for ((i = 1; i <= NETWORKS; i++)); do
		printf '2001:db8:21:%x::bad\n' $i
	done | meet new 100 1500
	[ "$(summary new connected)" -eq 0 ]
}

# --- the guards --------------------------------------------------------------

# Each guard whose losses are counted is in status.
guards_are_shown() {
	local guard causes count status
	status=$(ctl --json status)
	while read -r guard causes; do
		count=$(ctl --json stats | jq --arg causes "$causes" \
			'[.losses[$causes | split(" ")[]] // 0] | add')
		[ "$count" -gt 0 ] || continue
		# shellcheck disable=SC2016 # jq
		check "guard $guard, $count times, is in status with its reason and time" jq -e \
			--arg guard "$guard" '.guards[] | select(.guard == $guard) |
			(.reason | length > 20) and .since > 1e9 and .count > 0' <<<"$status"
	done <<-END
	admission flood_first flood_retry
	admission_network flood_network
	admission_pass flood_drop
	max_inquiries overload
	ring ring_full
	held_syns hold_flows held_lost
	verdicts verdicts_evicted
	sessions session_limit
	sessions_per_peer session_limit_per_peer
	descriptors accept_failed
	log sample_limit ring_full_sample session_log_limit
	control control_limit control_unread
	metrics metrics_limit
	END
	check "the flood of new peers opened admission" jq -e \
		'[.guards[].guard] | index("admission")' <<<"$status"
	check "the local user opened metrics" jq -e '[.guards[].guard] | index("metrics")' <<<"$status"
	check "connections of the local user to the responder are closed and counted: $(loss not_steered)" \
		test "$(loss not_steered)" -gt 0
	same "they are no sessions" 0 "$(loss session_limit)"
	check "nothing opened responder" jq -e '[.guards[].guard] | index("responder") | not' <<<"$status"
	check "the text has them" eval "ctl status | grep -q '^guard admission: '"
}

# --- the test ----------------------------------------------------------------

prepare() {
	local i
	{
		listed 1
		for ((i = 1; i <= NETWORKS; i++)); do
			printf '2001:db8:21:%x::bad\n' $i
		done
	} | sed 's/$/ 127.1.0.1/' | ers_zone standard 14400 14400
	printf '%s 127.0.0.32\n' 203.0.113.0/24 2001:db8:21:e000::/52 | ers_zone qil 14400 14400
	zones_start
	sink_start
	in_mail ip route add default via "$CLIENTS4"
	in_mail ip -6 route add default via "$CLIENTS6"
	in_mail tc qdisc add dev mx0 root pfifo limit 20000
	in_mail ethtool -L mx0 rx 2
	CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\";
	qil_action = \"tempfail\"; standard_ttl_min = \"4h\"; }"
	CONF[clean_ttl_min]='"4h"'
	CONF[clean_ttl_max]='"4h"'
	repgate_config
	repgate_start
	write_sources
}

quiet() {
	known 1 | meet judged 400 2000
	same "$KNOWN clean peers are judged" $KNOWN "$(summary judged connected)"
	listed 1 | meet refused 400 2000
	same "$LISTED listed peers are refused" $LISTED "$(summary refused timeout)"
	known $QUIET_TIMES | meet quiet 400 2000
	same "the clean ones connect again" $((QUIET_TIMES * KNOWN)) "$(summary quiet connected)"
	echo "# quiet:$(grep '^#' "$TESTBED/quiet" | tr -d '#')"
}

attack_all() {
	local round name
	for ((round = 0; round < ATTACK_SECONDS / (ATTACK_LENGTH * ${#ATTACKS[@]}); round++)); do
		for name in "${ATTACKS[@]}"; do
			attack "$name"
			[ "$name" != neighbours ] || neighbours_are_judged
		done
	done
}

testbed_up
prepare
quiet
local_users
attack_all
guards_are_shown
repgate_stop || not_ok "repgated stops" "status $?"
finish
