#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# drop.sh - what a flood costs the receiver, behind each filter
#
# A veth pair for each filter. The generator sends frames into one end as fast as
# one core can; the other end is polled by a thread of its own (threaded NAPI) on
# the other core, and that thread's time on the CPU, divided by the packets that
# it took, is what a packet costs. Its inverse is the rate at which the core would
# be busy. All filters in turn, round by round; ratios are those of one round.
#
#	bare          XDP_DROP of everything: the limit
#	repgate       the filter, listed hosts as verdicts; repgate-index: with the index
#	xdp-filter    the program of xdp-tools, its map of 10,000 enlarged
#	nft-netdev    nftables, a set in netdev ingress
#	nft-input     nftables, a set in inet input
#	ipset-raw     iptables with ipset, in raw PREROUTING
#	ipset-input   the same in INPUT
#	none          no filter
#	pass          XDP_PASS of everything: what XDP itself costs on the way to the stack
#	repgate-few   repgate-index, which knows no more than 4,096 clean hosts
#
#	uniform   SYNs to port 25, each listed source as likely as any other
#	zipf      the same, some sources much more likely
#	clean     SYNs of hosts that no filter lists, and that repgate knows as clean
#	kept      the same, where somebody listens whose backlog has room for all of them
#	served    the same where it has not: they are answered by SYN cookies
#	few-clean, few-kept, few-served   the same, from the hosts that repgate-few knows
#	unknown   SYNs of hosts that nobody knows (repgate: over new_peers_per_second)
#	other     SYNs to another port
#	ack       packets to port 25 that are no SYNs
#
# What passes is dropped by one nftables rule in input, the same behind each. What
# is served or kept is answered, and the answer is dropped by a rule in output; how
# it was answered is checked, and what was kept is gone before the next flood.
# ROUNDS, MILLISECONDS_EACH (or SECONDS_EACH), SIZES and FILTERS can be set, and
# KNOWN, the peers that repgate knows as clean: by default as many as are listed.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=${ROUNDS:-3}
MILLISECONDS_EACH=${MILLISECONDS_EACH:-$((${SECONDS_EACH:-0} ? SECONDS_EACH * 1000 : 1000))}
SEED=0 # another one for each flood: the same SYNs again would be retransmissions
DRAWS=1048576
FEW=4096
BACKLOG=1048576
KEPT_MILLISECONDS=500 # fits into the backlog, and ends before a SYN-ACK is sent again
MAC=02:00:00:00:00:25
HOST=192.0.2.25
OTHER_PORT=80

# No process namespace, unlike the tests': the kernel's threads could not be
# pinned from within. What is started here ends by drop_end, or with this script.
if [ -z "${DROP_INSIDE:-}" ]; then
	[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
	need_cores
	DROP_INSIDE=yes exec unshare --mount --net --propagation private -- bash "$0" "$@"
fi
testbed_private_mounts
trap 'drop_end $?' EXIT
trap 'exit 1' INT TERM HUP

drop_end() {
	local name
	for name in "${!TESTBED_PID[@]}"; do
		kill -KILL "${TESTBED_PID[$name]}" 2>/dev/null || true
	done
	testbed_exit "$1"
}

read -r -a VARIANTS <<<"$(index_variants)"
ALL=(bare repgate xdp-filter nft-netdev nft-input ipset-raw ipset-input none pass)
[ "${#VARIANTS[@]}" -eq 1 ] || ALL+=(repgate-index repgate-few)
[ -z "${FILTERS:-}" ] || read -r -a ALL <<<"$FILTERS"
READY=()
NAMES=$TESTBED/listed
ROUND_LINES=$TESTBED/rounds
MISSING=$TESTBED/missing
touch "$ROUND_LINES" "$MISSING"

# --- hosts -------------------------------------------------------------------

# on FILTER COMMAND...: on the receiving host of a filter
on() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" -- "$@"
}

# number FILTER: its devices are c$number here and r$number there. The names of the threads that
# poll them are the only way to find these, so they must not be those of another run.
number() {
	local i
	for ((i = 0; i < ${#ALL[@]}; i++)); do
		[ "${ALL[i]}" != "$1" ] || echo "${i}x$(($$ % 1000))"
	done
}

# The thread that polls a receiving device, by its name: not a process of ours.
poller() {
	local comm
	for comm in /proc/[0-9]*/comm; do
		if [[ "$(cat "$comm" 2>/dev/null)" == "napi/r$1-"* ]]; then
			comm=${comm#/proc/}
			echo "${comm%/comm}"
		fi
	done
}

host_up() {
	local name=$1 n thread
	n=$(number "$name")
	ip netns add "$name"
	ip link add "c$n" numrxqueues 1 numtxqueues 1 type veth \
		peer name "r$n" address "$MAC" numrxqueues 1 numtxqueues 1 netns "$name"
	# Without an XDP program a veth is polled, and takes live frames, only for GRO.
	ethtool -K "c$n" gro on
	on "$name" ethtool -K "r$n" gro on
	ip link set "c$n" addrgenmode none up
	on "$name" sysctl -qew net.ipv4.conf.{all,default,"r$n"}.rp_filter=0
	on "$name" ip link set lo up
	on "$name" ip link set "r$n" addrgenmode none up
	on "$name" ip addr add $HOST/24 dev "r$n"
	on "$name" ip route add default dev "r$n"
	mkdir -p "$TESTBED/sys/$name"
	on "$name" mount -t sysfs sysfs "$TESTBED/sys/$name"
	echo 1 >"$TESTBED/sys/$name/class/net/r$n/threaded"
	thread=$(poller "$n")
	[ -n "$thread" ] || skip "no threaded NAPI on this kernel"
	taskset -pc $SERVER_CORE "$thread" >/dev/null
	POLLER[$name]=$thread
	dead_end "$name"
}
declare -A POLLER=()

# dead_end FILTER: of all that passes
dead_end() {
	on "$1" nft -f - <<-END
	table inet behind {
		chain input {
			type filter hook input priority 100; policy accept;
			iif r$(number "$1") drop
		}
	}
	END
}

# serve FILTER BACKLOG: from now on somebody listens
serve() {
	on "$1" sysctl -qw "net.core.somaxconn=$2" "net.ipv4.tcp_max_syn_backlog=$2"
	on "$1" nft -f - <<-END
	delete table inet behind
	table inet behind {
		chain output {
			type filter hook output priority 0; policy accept;
			oif r$(number "$1") drop
		}
	}
	END
	rm -f "$TESTBED/listener.log"
	# shellcheck disable=SC2016 # variables of perl
	nsenter --net="/run/netns/$1" -- perl -MIO::Socket::INET -e '
		my $listener = IO::Socket::INET->new(LocalPort => 25, Listen => $ARGV[0], ReuseAddr => 1)
			or die "port 25: $!";
		$| = 1; print "ready\n"; sleep' "$2" >"$TESTBED/listener.log" &
	TESTBED_PID[listener]=$!
	must "nobody listens" wait_for 10 is_ready listener
}

# serve_no_more FILTER
serve_no_more() {
	stop listener || true
	must "$1: half-open connections stay" wait_for 30 none_half_open "$1"
	on "$1" nft delete table inet behind
	dead_end "$1"
}

# Without the listener each of them ends when its SYN-ACK would be sent again.
none_half_open() {
	[ "$(on "$1" ss -Htn state syn-recv | wc -l)" -eq 0 ]
}

host_down() {
	local n
	n=$(number "$1")
	[ -z "${TESTBED_PID[$1]:-}" ] || stop "$1" || true
	ip link del "c$n"
	umount "$TESTBED/sys/$1"
	ip netns del "$1"
	unset "POLLER[$1]"
}

# --- filters: NAME_up N SIZE, in namespace NAME; not by set -e -------------------

is_ready() {
	grep -qx ready "$TESTBED/$1.log"
}

is_ready_or_gone() {
	is_ready "$1" || not_alive "$1"
}

# attached NAME ARGUMENT...: runs attach in the background until the host goes; fails if it ended at once.
attached() {
	local name=$1
	shift
	rm -f "$TESTBED/$name.log"
	nsenter --net="/run/netns/$name" -- "$BENCH/attach" "$@" >"$TESTBED/$name.log" 2>&1 &
	TESTBED_PID[$name]=$!
	wait_for 600 is_ready_or_gone "$name" && alive "$name"
}

bare_up() {
	on bare ip link set dev "r$1" xdpdrv object "$BENCH/drop.bpf.o" section xdp
}

pass_up() {
	on pass ip link set dev "r$1" xdpdrv object "$BUILD/tests/pass.bpf.o" section xdp
}

none_up() {
	:
}

repgate_up() {
	attached repgate "r$1" "$2" repgate
}

repgate-index_up() {
	attached repgate-index --index "r$1" "$2" repgate
}

repgate-few_up() {
	KNOWN=$FEW attached repgate-few --index "r$1" "$2" repgate
}

xdp-filter_up() {
	local object
	object=$(find /usr/lib /usr/lib64 -name xdpfilt_alw_ip.o 2>/dev/null | head -n 1)
	[ -n "$object" ] || { echo "not installed (xdp-tools)" >&2; return 1; }
	attached xdp-filter "r$1" "$2" xdp-filter "$object"
}

# nft_set SIZE FAMILY CHAIN: a table with the set, and a chain that drops by it
nft_set() {
	printf 'table %s bench {\n\tset listed { type ipv4_addr; size %d; }\n' "$2" $(($1 * 2))
	printf '\tchain look { %s; ip saddr @listed drop; }\n}\n' "$3"
	# One command for all of them would be slower, and one for each much slower.
	awk -v family="$2" '
		{ text = text (text ? ", " : "") $1 }
		NR % 5000 == 0 { print "add element", family, "bench listed {", text, "}"; text = "" }
		END { if (text) print "add element", family, "bench listed {", text, "}" }' "$NAMES"
}

nft-netdev_up() {
	nft_set "$2" netdev "type filter hook ingress device r$1 priority 0" |
		on nft-netdev nft -f -
}

nft-input_up() {
	nft_set "$2" inet "type filter hook input priority 0" | on nft-input nft -f -
}

# ipset_up NAME TABLE CHAIN SIZE
ipset_up() {
	{
		echo "create listed hash:ip family inet maxelem $(($4 * 2))"
		sed 's/^/add listed /' "$NAMES"
	} | on "$1" ipset restore || return
	on "$1" iptables -t "$2" -A "$3" -m set --match-set listed src -j DROP
}

ipset-raw_up() {
	ipset_up ipset-raw raw PREROUTING "$2"
}

ipset-input_up() {
	ipset_up ipset-input filter INPUT "$2"
}

# try_up NAME SIZE: or notes why not
try_up() {
	host_up "$1"
	if "$1_up" "$(number "$1")" "$2" 2>"$TESTBED/why"; then
		READY+=("$1")
		return
	fi
	progress "drop: $1 at $2: $(tail -n 1 "$TESTBED/why")"
	jq -nc --arg filter "$1" --argjson size "$2" --arg why "$(tail -n 1 "$TESTBED/why")" \
		'{ filter: $filter, size: $size, why: $why }' >>"$MISSING"
	host_down "$1"
}

# --- measuring ---------------------------------------------------------------

# on_cpu FILTER: ns that its poller was on the CPU
on_cpu() {
	cut -d ' ' -f 1 "/proc/${POLLER[$1]}/schedstat"
}

# passed FILTER: packets that have come as far as IP. (A counter of nftables would be nearer to the
# end, but to read it nft reads all sets of the host first, which takes seconds.)
passed() {
	on "$1" awk '$1 == "Ip:" && ++line == 2 { print $4 }' /proc/net/snmp
}

# behaves FILTER TRAFFIC SENT PASSED: was it what it is said to be? What filters behind IP, sees all;
# of the others' packets a few may be on their way.
behaves() {
	local want=0
	case $1/$2 in
	*/*clean | */*served | */*kept | */other | */ack | none/* | pass/* | nft-input/* | ipset-*) want=$3 ;;
	esac
	is_about "$4" "$want" "$3"
}

# is_about NUMBER WANTED OF: within 1 %, or what a backlog of cookies keeps
is_about() {
	[ $(($1 > $2 ? $1 - $2 : $2 - $1)) -le $(($3 / 100 + 2048)) ]
}

# answers FILTER: SYN-ACKs, those that were cookies, and resets that its host has sent so far
answers() {
	on "$1" cat /proc/net/snmp /proc/net/netstat | awk '
		($1 == "Tcp:" || $1 == "TcpExt:") && !($1 in names) { names[$1] = $0; next }
		$1 == "Tcp:" || $1 == "TcpExt:" {
			split(names[$1], name)
			for (i = 2; i <= NF; i++)
				value[name[i]] = $i
		}
		END {
			print value["OutSegs"] - value["OutRsts"] - value["RetransSegs"],
				value["SyncookiesSent"], value["OutRsts"]
		}'
}

# answered TRAFFIC SENT BEFORE AFTER: as is to be? The last two are what answers prints. A SYN for a
# connection that is half open already may be answered by a reset (RFC 9293, 3.10.7.4): a few are.
answered() {
	local cookies=0 before after
	read -r -a before <<<"$3"
	read -r -a after <<<"$4"
	[[ "$1" != *served ]] || cookies=$2
	[ $((after[2] - before[2])) -le $(($2 / 1000)) ] && is_about $((after[0] - before[0])) "$2" "$2" &&
		is_about $((after[1] - before[1])) "$cookies" "$2"
}

# flood FILTER SIZE TRAFFIC ROUND
flood() {
	local name=$1 before used result sent port=25 senders=$3 options=() let_in milliseconds=$MILLISECONDS_EACH
	local answers_before answers_after backlog=0
	case $3 in
	uniform | zipf) senders=listed-$3 ;;
	other | kept | served) senders=clean ;;
	few-*) senders=few ;;
	ack) senders=clean options=(--ack) ;;
	esac
	case $3 in
	*kept)
		backlog=$BACKLOG
		[ "$milliseconds" -le $KEPT_MILLISECONDS ] || milliseconds=$KEPT_MILLISECONDS
		;;
	*served) backlog=1024 ;;
	other) port=$OTHER_PORT ;;
	esac
	[ $backlog -eq 0 ] || serve "$name" $backlog
	answers_before=$(answers "$name")
	let_in=$(passed "$name")
	SEED=$((SEED + 1))
	before=$(on_cpu "$name")
	result=$("$BUILD/tests/syn_flood" --cpu $CLIENT_CORE -m "$milliseconds" --sources "$TESTBED/draws-$senders" \
		--seed $SEED "${options[@]}" "c$(number "$name")" $MAC $HOST $port)
	used=$(($(on_cpu "$name") - before))
	sent=$(jq .sent <<<"$result")
	let_in=$(($(passed "$name") - let_in))
	answers_after=$(answers "$name")
	[ $backlog -eq 0 ] || serve_no_more "$name"
	[ $backlog -eq 0 ] || must "$name, $3: $sent SYNs, answers $answers_before, then $answers_after" \
		answered "$3" "$sent" "$answers_before" "$answers_after"
	must "$name, $3: $let_in of $sent passed" behaves "$name" "$3" "$sent" "$let_in"
	jq -c --arg filter "$name" --argjson size "$2" --arg traffic "$3" --argjson round "$4" \
		--argjson used "$used" \
		'{ filter: $filter, size: $size, traffic: $traffic, round: $round, sent,
		   lost: .dropped, ns: ($used / .sent) }' <<<"$result" >>"$ROUND_LINES"
}

# Which traffic says something about a filter.
traffics() {
	local list="uniform clean" few="few-clean few-kept few-served"
	[[ "$2" -gt $FEW && " ${READY[*]} " = *" repgate-few "* ]] || few=
	[ "$2" -ne 1048576 ] || list+=" zipf"
	case $1 in
	bare) list="uniform" ;;
	none | pass) list="clean kept served other ack $few" ;;
	repgate-few) list="uniform $few" ;;
	repgate*) list+=" kept served unknown other ack" ;;
	esac
	echo "$list"
}

# Each round begins with another filter.
rounds() {
	local size=$1 round i traffic name
	for ((round = 0; round < ROUNDS; round++)); do
		for ((i = 0; i < ${#READY[@]}; i++)); do
			name=${READY[(round + i) % ${#READY[@]}]}
			for traffic in $(traffics "$name" "$size"); do
				flood "$name" "$size" "$traffic" "$round"
			done
		done
	done
}

draws() {
	"$BENCH/addresses" listed "$1" uniform $DRAWS >"$TESTBED/draws-listed-uniform"
	"$BENCH/addresses" listed "$1" zipf $DRAWS >"$TESTBED/draws-listed-zipf"
	"$BENCH/addresses" clean "$1" uniform $DRAWS >"$TESTBED/draws-clean"
	KNOWN=$FEW "$BENCH/addresses" clean "$1" uniform $DRAWS >"$TESTBED/draws-few"
	"$BENCH/addresses" unknown "$1" uniform $DRAWS >"$TESTBED/draws-unknown"
	"$BENCH/addresses" listed "$1" >"$NAMES"
}

measure() {
	local size=$1 name
	READY=()
	progress "drop: filling all filters with $size hosts"
	draws "$size"
	for name in "${ALL[@]}"; do
		[ "$name" != repgate-few ] || [ "$size" -gt $FEW ] || continue
		try_up "$name" "$size"
	done
	progress "drop: $ROUNDS rounds of ${READY[*]}"
	rounds "$size"
	for name in "${READY[@]}"; do
		host_down "$name"
	done
}

# --- the report --------------------------------------------------------------

# shellcheck disable=SC2016 # variables of jq
LINES='
def at($filter; $size; $traffic):
	map(select(.filter == $filter and .size == $size and .traffic == $traffic));
# ns of one over ns of the other in the same round: how much faster the second is
def ratio($a; $b): [$a[] as $one | $b[] | select(.round == $one.round) | $one.ns / .ns] | median;
def share_bar: if .size == 1048576 then 0.33 elif .size == 131072 then 0.45
	elif .size == 1000 then 0.78 else null end;
def pick($what; $value; $unit; $bar): if $bar == null or $value == null
	then line($what; $value; $unit) else at_least($what; $value; $unit; $bar) end;
. as $rounds | [.[].size] | unique as $sizes |
[$rounds | group_by([.filter, .size, .traffic])[] | . as $group | .[0] |
	{ filter, size, traffic, ns: ($group | map(.ns) | spread),
	  share: ratio($rounds | at("bare"; $group[0].size; "uniform"); $group) }] as $cases |
{ part: "drop", milliseconds_each: $milliseconds, missing: $missing, cases: $cases, rounds: $rounds,
  lines: [
	($cases[] | select(.traffic == "uniform" or .traffic == "zipf") |
		"\(.filter), listed \(.traffic), \(.size | size)" as $what |
		line($what; 1000 / .ns.median; "Mpps"),
		pick($what + ", of bare XDP_DROP"; .share; "x";
			if (.filter | startswith("repgate")) and .traffic == "uniform"
			then share_bar else null end)),
	(("repgate", "repgate-index") as $we |
		($rounds | at($we; 1048576; "uniform")) as $ours | select($ours | length > 0) |
		(["xdp-filter", 2], ["nft-netdev", 3]) as [$they, $bar] |
		at_least("\($we) to \($they), listed, 1 M";
			ratio($rounds | at($they; 1048576; "uniform"); $ours); "x"; $bar)),
	($cases[] | select(.traffic == "clean" or .traffic == "unknown") |
		line("\(.filter), \(if .filter | startswith("repgate") then .traffic else "unlisted" end), " +
			"\(.size | size)"; 1000 / .ns.median; "Mpps")),
	($sizes[] as $size | ("repgate", "repgate-index", "repgate-few") as $we |
		(["other", "SYNs to another port", 1.05], ["ack", "no SYNs", 1.05],
		 (("", "few-") as $few |
			[$few + "kept", "known clean SYNs to a listener", 1.10],
			[$few + "served", "known clean SYNs answered by cookies", 1.10],
			[$few + "clean", "known clean SYNs, dropped by a rule", 1.10])) as [$traffic, $what, $bar] |
		($rounds | at($we; $size; $traffic)) as $ours | select($ours | length > 0) |
		at_most("\($we) to no filter, \($what), \($size | size)";
			ratio($ours; $rounds | at("none"; $size; $traffic)); "x time"; $bar)),
	($missing[] | line("\(.filter), \(.size | size)"; null; "not measured: \(.why)"))] }'

for size in $SIZES; do
	measure "$size"
done
jq -s --argjson milliseconds "$MILLISECONDS_EACH" --slurpfile missing "$MISSING" \
	"$BENCH_JQ $LINES" "$ROUND_LINES" >"$BENCH/drop.json"
