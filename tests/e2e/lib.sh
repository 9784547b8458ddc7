# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lib.sh - the bed of the end-to-end tests and of the demo
#
# A script begins with
#
#	. "$(dirname "$0")/e2e/lib.sh"
#	bed_reexec "$0" "$@"
#	bed_up
#
# and then has a mail host with rbldnsd, unbound, Postfix and repgated, and a
# network full of senders:
#
#	  namespace clients                          namespace mail
#	+----------------------------+            +----------------------------+
#	| swaks, syn_client          |            | Postfix    :25             |
#	| from any address of        |            |   ^                        |
#	|   10.21.0.0/16             |            | repgate at mx0             |
#	|   198.51.100.0/24          |            |   |                        |
#	|   203.0.113.0/24           |            | dns_delay  127.0.0.1:5354  |
#	|   2001:db8:21::/48         |            |   |        (if a test      |
#	|                            |            |   v         wants it)      |
#	|              192.0.2.1  cl0 ============ mx0  192.0.2.25             |
#	|          2001:db8:25::1    |    veth    |      2001:db8:25::25       |
#	|                            |            | unbound    127.0.0.1:53    |
#	|                            |            | rbldnsd    127.0.0.1:5300  |
#	+----------------------------+            +----------------------------+
#
# Everything lives in private mount, PID and network namespaces: named network
# namespaces, pins, files and processes all end with the script, however it
# ends. Hence no function here removes anything.

set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "${BUILD:-$TOP/.build}" && pwd)

# All files of the bed, in a tmpfs; the mail host and its addresses.
BED=/run/bed
MX4=192.0.2.25
MX6=2001:db8:25::25
CLIENTS4=192.0.2.1
CLIENTS6=2001:db8:25::1

# ERS under a made-up activation code: what the administrator is given, and
# the label that it becomes in the names of the zones.
ERS_CODE=RG-TEST-BED0-CODE
ERS_LABEL=rgtestbed0code
ERS_STANDARD=r.mail-abuse.com
ERS_QIL=q.mail-abuse.com

# Where repgated asks; delay_start changes it.
RESOLVER=127.0.0.1

REPGATE_CONF=$BED/repgate/repgate.conf
REPGATE_SOCKET=$BED/repgate/control.sock
REPGATE_PINS=/sys/fs/bpf/repgate
REPGATE_METRICS=127.0.0.1:9125

# Settings that repgate_config writes, as libconfig text (QIL peers are reset, not
# answered: most tests are about who connects). A test changes one by
# CONF[mode]='"monitor"' and takes one out by unset 'CONF[mode]'.
declare -A CONF=(
	[interfaces]='[ "mx0" ]'
	[ers]="{ activation_code_file = \"$BED/repgate/activation-code\"; qil_action = \"reset\"; }"
	[pin_path]="\"$REPGATE_PINS\""
	[state_dir]="\"$BED/repgate/state\""
	[control_socket]="\"$REPGATE_SOCKET\""
	[control_group]='"root"'
	[approved_dir]="\"$BED/repgate/approved.d\""
	[blocked_dir]="\"$BED/repgate/blocked.d\""
	[metrics_listen]="\"$REPGATE_METRICS\""
)

declare -A BED_PID=()
BED_ZONE_SERIAL=0
BED_PASSED=0
BED_FAILED=0

# --- results -----------------------------------------------------------------

# ok WHAT
ok() {
	BED_PASSED=$((BED_PASSED + 1))
	printf 'ok - %s\n' "$1"
}

# not_ok WHAT [WHY]
not_ok() {
	BED_FAILED=$((BED_FAILED + 1))
	printf 'not ok - %s\n' "$1"
	[ -z "${2:-}" ] || printf '    %s\n' "${2//$'\n'/$'\n    '}"
}

# check WHAT COMMAND...: passes if the command does; shows its output if not.
# The command runs in a subshell: what it assigns is lost.
check() {
	local what=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" -eq 0 ]; then
		ok "$what"
	else
		not_ok "$what" "status $status of: $*${output:+$'\n'$output}"
	fi
}

# same WHAT EXPECTED ACTUAL
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "expected: $2"$'\n'"but got:  $3"
	fi
}

# finish: the last line of a test.
finish() {
	printf '%d passed, %d failed\n' "$BED_PASSED" "$BED_FAILED"
	[ "$BED_FAILED" -eq 0 ] && [ "$BED_PASSED" -gt 0 ] && exit 0
	exit 1
}

# skip WHY: the test can't run here, which is neither success nor failure.
skip() {
	printf 'skipped: %s\n' "$1"
	exit 77
}

# --- waiting and processes ---------------------------------------------------

# wait_for SECONDS COMMAND...: repeats the command until it succeeds; fails
# once the seconds are over (times BED_SLOW, in an emulated machine). The only
# place here where time is slept away.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000 * ${BED_SLOW:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# in_mail COMMAND..., in_clients COMMAND...: runs it in that namespace.
# "ip netns exec" would mount a new /sys and so hide the pins.
in_mail() {
	nsenter --net=/run/netns/mail -- "$@"
}

in_clients() {
	nsenter --net=/run/netns/clients -- "$@"
}

# spawn NAME COMMAND...: starts a daemon in the mail namespace; what it prints
# goes to $BED/NAME.log, its process id to BED_PID[NAME].
spawn() {
	local name=$1
	shift
	nsenter --net=/run/netns/mail -- "$@" >>"$BED/$name.log" 2>&1 &
	BED_PID[$name]=$!
}

# alive NAME
alive() {
	[ -n "${BED_PID[$1]:-}" ] && kill -0 "${BED_PID[$1]}" 2>/dev/null
}

not_alive() {
	! alive "$1"
}

# stop NAME [SIGNAL]: ends a daemon and returns its exit status; 137 if it had
# to be killed because it was still there 10 s after the signal. A status of
# 143 means that it did not handle SIGTERM.
stop() {
	local name=$1 pid=${BED_PID[$1]:-} status=0
	[ -n "$pid" ] || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null || true
	if ! wait_for 10 not_alive "$name"; then
		echo "$name did not stop within 10 s" >&2
		kill -KILL "$pid" 2>/dev/null || true
	fi
	wait "$pid" 2>/dev/null || status=$?
	unset "BED_PID[$name]"
	return "$status"
}

# must WHAT COMMAND...: gives up, with the logs, if the command fails.
must() {
	local what=$1
	shift
	"$@" && return
	echo "bed: $what" >&2
	exit 1
}

# --- the bed itself ----------------------------------------------------------

# bed_reexec SCRIPT [ARGUMENT...]: goes on inside namespaces of its own, where
# the script is process 1. Outside, a wrapper waits for it and passes its exit
# status on. If the wrapper dies by whatever signal, process 1 is killed, and
# with it goes all that it started and mounted.
bed_reexec() {
	local wrapped status=0
	if [ -n "${BED_INSIDE:-}" ] && [ "$$" -eq 1 ]; then
		unset BED_INSIDE
		bed_private_mounts
		return
	fi
	[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"

	# A background child would ignore SIGINT, and so would tcpdump and
	# others below it.
	setpriv --pdeathsig KILL env --default-signal BED_INSIDE=1 \
		unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private -- bash -- "$@" </dev/null &
	wrapped=$!
	trap 'bed_abort "$wrapped" INT' INT
	trap 'bed_abort "$wrapped" TERM' TERM
	trap 'bed_abort "$wrapped" HUP' HUP
	wait "$wrapped" || status=$?
	exit "$status"
}

# unshare itself holds SIGINT and SIGTERM back. Killing its child, process 1 of
# the bed, and then waiting for unshare means that all is gone on return.
bed_abort() {
	trap - INT TERM HUP
	pkill -KILL -P "$1" || kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	kill "-$2" $$
}

bed_private_mounts() {
	umask 022
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/netns /run/lock "$BED"
	mount -t bpf bpf /sys/fs/bpf
	export HOME=$BED TMPDIR=$BED
	trap 'bed_exit $?' EXIT
}

# The logs end with the bed, so a failure shows what they say last.
bed_exit() {
	[ "$1" -eq 0 ] || [ "$1" -eq 77 ] || bed_logs
}

# bed_logs: once, at the end at the latest
bed_logs() {
	local log
	[ -z "${BED_LOGS_SHOWN:-}" ] || return 0
	BED_LOGS_SHOWN=yes
	for log in "$BED"/*.log; do
		[ -s "$log" ] || continue
		printf '\n--- last lines of %s\n' "${log##*/}" >&2
		tail -n 20 "$log" >&2
	done
}

# bed_sysctl in_mail|in_clients KEY=VALUE...; a key that this kernel does not
# have is left out.
bed_sysctl() {
	local enter=$1
	shift
	"$enter" sysctl -qew "$@"
}

# bed_up: makes both namespaces and the link between them.
bed_up() {
	local mac_mx=02:00:00:00:00:25 mac_cl=02:00:00:00:00:01 prefix

	ip netns add mail
	ip netns add clients
	bed_wire "$mac_mx" "$mac_cl"
	bed_sysctl in_mail net.core.somaxconn=16384 \
		net.ipv4.tcp_max_syn_backlog=16384
	# Without the last, only addresses of an interface can be bound to.
	bed_sysctl in_clients net.ipv4.ip_local_port_range="1024 65535" \
		net.ipv6.ip_nonlocal_bind=1

	bed_link in_mail mx0 "$MX4/24" "$MX6/64"
	bed_link in_clients cl0 "$CLIENTS4/24" "$CLIENTS6/64"
	# Resolving a neighbour would delay the first packet, IPv6 by a second.
	in_mail ip neigh add "$CLIENTS4" lladdr "$mac_cl" dev mx0 nud permanent
	in_mail ip neigh add "$CLIENTS6" lladdr "$mac_cl" dev mx0 nud permanent
	in_clients ip neigh add "$MX4" lladdr "$mac_mx" dev cl0 nud permanent
	in_clients ip neigh add "$MX6" lladdr "$mac_mx" dev cl0 nud permanent

	# A SYN that is held and re-injected needs a whole checksum, and
	# frames sent by XDP_TX arrive only at a device with an XDP program.
	in_clients ethtool -K cl0 tx off >/dev/null
	in_clients ip link set dev cl0 xdpdrv \
		object "$BUILD/tests/pass.bpf.o" section xdp

	for prefix in 10.21.0.0/16 198.51.100.0/24 203.0.113.0/24 \
		2001:db8:21::/48; do
		bed_senders "$prefix"
	done
}

# bed_wire MAC_OF_MX0 MAC_OF_CL0: the link between both hosts. tests/vm/cards.sh
# has network cards in its place.
bed_wire() {
	ip link add mx0 address "$1" netns mail type veth \
		peer name cl0 address "$2" netns clients
}

# bed_link in_mail|in_clients DEVICE IPV4/LEN IPV6/LEN
bed_link() {
	local enter=$1 device=$2
	bed_sysctl "$enter" net.ipv4.conf.{all,default,"$device"}.rp_filter=0 \
		net.ipv6.route.max_size=1000000
	"$enter" ip link set lo up
	"$enter" ip link set "$device" addrgenmode none
	"$enter" ip link set "$device" up
	"$enter" ip addr add "$3" dev "$device"
	"$enter" ip addr add "$4" dev "$device" nodad
}

# bed_senders PREFIX: any address of the prefix can be a sender from now on.
bed_senders() {
	local via=$CLIENTS4
	[[ $1 != *:* ]] || via=$CLIENTS6
	in_clients ip route add local "$1" dev lo
	in_mail ip route add "$1" via "$via" dev mx0
}

# --- zones -------------------------------------------------------------------

# ers_zone standard|qil [TTL [NEGATIVE_TTL]] <ENTRIES: writes a zone of ERS.
# dnsbl_zone SUFFIX [TTL [NEGATIVE_TTL]] <ENTRIES: writes any other zone, with
# the test points of RFC 5782.
#
# An entry is a line "ADDRESS[/LENGTH] VALUE [TTL]", IPv4 or IPv6, for instance
# "203.0.113.7 127.1.0.1". An address with several lines has several A records;
# of prefixes that overlap, the longest answers. TTLs are in seconds.
ers_zone() {
	local suffix=$ERS_STANDARD
	[ "$1" = standard ] || suffix=$ERS_QIL
	zone_write "$suffix" "$ERS_LABEL" "${2:-300}" "${3:-60}"
}

dnsbl_zone() {
	{
		echo "127.0.0.2 127.0.0.2"
		echo "::ffff:7f00:2 127.0.0.2"
		cat
	} | zone_write "$1" @ "${2:-300}" "${3:-60}"
}

# zone_write SUFFIX SUBZONE TTL NEGATIVE_TTL <ENTRIES
#
# A trie of rbldnsd holds one value for a prefix and one TTL for all: further
# values and other TTLs get datasets of their own.
zone_write() {
	local file=$BED/zones/$1
	mkdir -p "$BED/zones"
	BED_ZONE_SERIAL=$((BED_ZONE_SERIAL + 1))
	awk -v subzone="$2" -v ttl="$3" -v negative="$4" \
		-v serial="$BED_ZONE_SERIAL" '
		BEGIN {
			printf "$SOA %d ns.bed. hostmaster.bed. %d 1h 10m 1w %d\n",
				negative, serial, negative
			printf "$NS %d ns.bed.\n", negative
			printf "$DATASET ip4trie:none %s\n", subzone
		}
		/^[ \t]*(#|$)/ { next }
		{
			type = index($1, ":") ? "ip6trie" : "ip4trie"
			life = NF > 2 ? $3 : ttl
			set = type " " life " " seen[$1]++
			sets[set] = sets[set] $1 " :" $2 ":\n"
		}
		END {
			for (set in sets) {
				split(set, part, " ")
				printf "$DATASET %s:d%d %s\n$TTL %d\n%s",
					part[1], ++n, subzone, part[2], sets[set]
			}
		}' >"$file.new"
	# rbldnsd notices a new file by its time, in whole seconds.
	touch -d "@$((EPOCHSECONDS + BED_ZONE_SERIAL))" "$file.new"
	mv "$file.new" "$file"
}

# zones_start: starts rbldnsd and unbound with all zones written so far, and
# waits until they answer.
zones_start() {
	local file zone specs=()
	for file in "$BED"/zones/*; do
		zone=${file##*/}
		specs+=("$zone:combined:$zone")
	done
	spawn rbldnsd rbldnsd -n -u rbldns -w "$BED/zones" -c 3600 \
		-b 127.0.0.1/5300 "${specs[@]}"
	zones_unbound_conf >"$BED/unbound.conf"
	spawn unbound unbound -d -c "$BED/unbound.conf"
	must "the zones do not answer" zones_wait
}

zones_unbound_conf() {
	cat <<-END
	server:
		directory: "$BED"
		chroot: ""
		username: ""
		pidfile: ""
		use-syslog: no
		logfile: ""
		interface: 127.0.0.1
		access-control: 127.0.0.0/8 allow
		do-ip6: no
		do-not-query-localhost: no
		module-config: "iterator"
		# Only whole names are asked, each once while it is cached.
		qname-minimisation: no
		# Room for 10,000 new peers within seconds.
		outgoing-range: 8192
		num-queries-per-thread: 4096
		so-rcvbuf: 4m
		so-sndbuf: 4m
		# There is no other name server in here.
		local-zone: "." refuse
	END
	for zone in "$BED"/zones/*; do
		printf '\tlocal-zone: "%s" transparent\n' "${zone##*/}"
	done
	for zone in "$BED"/zones/*; do
		printf 'stub-zone:\n\tname: "%s"\n\tstub-addr: %s\n' \
			"${zone##*/}" 127.0.0.1@5300
	done
	cat <<-END
	remote-control:
		control-enable: yes
		control-interface: $BED/unbound.ctl
		control-use-cert: no
	END
}

# zones_reload: puts zones that were written again into force, and empties the
# resolver's cache. A zone with a new name needs a new zones_start.
zones_reload() {
	local file
	kill -HUP "${BED_PID[rbldnsd]}"
	must "rbldnsd did not take the new zones" wait_for 10 zones_loaded 5300
	for file in "$BED"/zones/*; do
		unbound-control -q -c "$BED/unbound.conf" \
			flush_zone "${file##*/}" >/dev/null
	done
	must "the new zones do not answer" zones_wait
}

zones_wait() {
	wait_for 10 zones_loaded 53
}

# zones_loaded PORT: is each zone's serial number there the one in its file?
zones_loaded() {
	local file want got
	for file in "$BED"/zones/*; do
		want=$(awk '$1 == "$SOA" { print $5 }' "$file")
		got=$(in_mail dig +short +time=1 +tries=1 -p "$1" @127.0.0.1 \
			"${file##*/}" SOA | awk '{ print $3 }')
		[ "$got" = "$want" ] || return 1
	done
}

zones_stop() {
	stop unbound || true
	stop rbldnsd || true
}

# delay_start MILLISECONDS [OPTION...]: puts dns_delay between repgated and unbound. To be
# called before repgate_config, which writes the RESOLVER that this sets. What
# was asked is in $BED/queries, one query a line: name, tab, type.
delay_start() {
	: >"$BED/queries"
	spawn dns_delay "$BUILD/tests/dns_delay" --delay "$1" "${@:2}" \
		--log "$BED/queries" 127.0.0.1:5354 127.0.0.1:53
	must "dns_delay does not listen" wait_for 5 udp_open 5354
	RESOLVER=127.0.0.1:5354
}

delay_stop() {
	stop dns_delay || true
	RESOLVER=127.0.0.1
}

# udp_open PORT, tcp_open PORT: does a process of the mail host listen there?
udp_open() {
	in_mail ss -Hlun "sport = :$1" | grep -q .
}

tcp_open() {
	in_mail ss -Hltn "sport = :$1" | grep -q .
}

# --- mail --------------------------------------------------------------------

# postfix_start: Postfix on port 25 of the mail host, which delivers all mail
# to example.org into the maildir $BED/mail/inbox. Its log is
# $BED/postfix.log.
postfix_start() {
	local dir=$BED/postfix
	mkdir -p "$dir"/{conf,queue/pid}
	install -d -o postfix "$dir"/data "$dir"/queue/{active,bounce,corrupt} \
		"$dir"/queue/{defer,deferred,flush,hold,incoming,maildrop} \
		"$dir"/queue/{private,public,saved,trace}
	install -d -o nobody "$BED/mail"
	postfix_main_cf >"$dir/conf/main.cf"
	postfix_master_cf >"$dir/conf/master.cf"
	# Not by the postfix command, which checks its whole installation. The
	# master process needs a process group of its own to end its children.
	spawn postfix setsid "$(postconf -dh daemon_directory)/master" -d \
		-c "$dir/conf"
	must "Postfix does not listen" wait_for 10 tcp_open 25
}

postfix_main_cf() {
	cat <<-END
	compatibility_level = 3.6
	queue_directory = $BED/postfix/queue
	data_directory = $BED/postfix/data
	maillog_file = $BED/postfix.log
	maillog_file_prefixes = $BED
	myhostname = mx.example.org
	mydestination =
	local_recipient_maps =
	alias_maps =
	alias_database =
	inet_interfaces = all
	inet_protocols = all
	mynetworks = 127.0.0.0/8
	smtpd_relay_restrictions = reject_unauth_destination
	# No names of clients: the bed has no reverse zones.
	smtpd_peername_lookup = no
	smtpd_client_connection_count_limit = 0
	virtual_mailbox_domains = example.org
	virtual_mailbox_base = $BED/mail
	virtual_mailbox_maps = static:inbox/
	virtual_uid_maps = static:$(id -u nobody)
	virtual_gid_maps = static:$(id -g nobody)
	END
}

postfix_master_cf() {
	cat <<-END
	smtp      inet  n - n - -   smtpd
	cleanup   unix  n - n - 0   cleanup
	qmgr      unix  n - n 300 1 qmgr
	rewrite   unix  - - n - -   trivial-rewrite
	bounce    unix  - - n - 0   bounce
	defer     unix  - - n - 0   bounce
	trace     unix  - - n - 0   bounce
	error     unix  - - n - -   error
	retry     unix  - - n - -   error
	anvil     unix  - - n - 1   anvil
	virtual   unix  - n n - -   virtual
	postlog   unix-dgram n - n - 1 postlogd
	END
}

postfix_stop() {
	stop postfix || true
}

# sink_start: a mail server that takes thousands of connections a second and
# throws the mail away, instead of Postfix.
sink_start() {
	spawn sink4 smtp-sink -u nobody "inet:0.0.0.0:25" 16384
	spawn sink6 smtp-sink -u nobody "inet:[::]:25" 16384
	must "smtp-sink does not listen" wait_for 5 sink_open
}

sink_open() {
	[ "$(in_mail ss -Hltn "sport = :25" | wc -l)" -eq 2 ]
}

sink_stop() {
	stop sink4 || true
	stop sink6 || true
}

# send_mail SOURCE ID [SECONDS]: sends one mail and prints, with tabs between,
#
#	OUTCOME  CONNECT_MS  TOTAL_MS  DETAIL
#
# OUTCOME is
#	delivered	the mail is in the recipient's mailbox
#	lost		accepted, but not in the mailbox within 5 s
#	no-answer	no connection within SECONDS (3)
#	reset		the connection was refused or reset
#	4xx, 5xx	the server's reply, which is the DETAIL
#	error		anything else
# CONNECT_MS is the time until the connection stood, - if it never did;
# TOTAL_MS the time until the outcome. ID is a word, new for each mail.
send_mail() {
	local line now began=0 ended=0 connected=- text='' server=$MX4
	[[ $1 != *:* ]] || server=$MX6
	while IFS= read -r line; do
		now=${EPOCHREALTIME/./}
		case $line in
		'=== Trying '*) began=$now ;;
		'=== Connected '*) connected=$(((now - began) / 1000)) ;;
		'<-  250 '* | '<** '* | '*** '*)
			ended=$now
			text=${line#????}
			;;
		esac
	done < <(send_swaks "$1" "$2" "${3:-3}" "$server" 2>&1)
	printf '%s\t%s\t%s\t%s\n' "$(send_outcome "$2" "$text" "$connected")" \
		"$connected" "$(((ended - began) / 1000))" "${text//$'\t'/}"
}

# send_swaks SOURCE ID SECONDS SERVER
send_swaks() {
	in_clients swaks --local-interface "$1" --server "$4" --timeout "$3" \
		--helo sender.example.net --from sender@example.net \
		--to postmaster@example.org --header "Subject: from $1" \
		--add-header "X-Bed-Id: $2" --body "A mail from $1."
}

# send_outcome ID TEXT CONNECT_MS: TEXT is the last thing that swaks said.
send_outcome() {
	case $2 in
	250*queued*) wait_for 5 mail_arrived "$1" && echo delivered || echo lost ;;
	4[0-9][0-9]*) echo 4xx ;;
	5[0-9][0-9]*) echo 5xx ;;
	*refused* | *reset*) echo reset ;;
	*time*out*) [ "$3" = - ] && echo no-answer || echo error ;;
	*) echo error ;;
	esac
}

# mail_arrived ID: is that mail in the recipient's mailbox?
mail_arrived() {
	grep -rqs "^X-Bed-Id: $1\$" "$BED/mail/inbox/new"
}

# --- repgate -----------------------------------------------------------------

# repgate_config [LINE...]: writes $REPGATE_CONF from CONF and the resolver,
# and the lines as they are after that.
repgate_config() {
	local key
	install -d -m 755 "$BED"/repgate/{,state,approved.d,blocked.d}
	(umask 077 && echo "$ERS_CODE" >"$BED/repgate/activation-code")
	{
		while read -r key; do
			printf '%s = %s;\n' "$key" "${CONF[$key]}"
		done < <(printf '%s\n' "${!CONF[@]}" | sort)
		printf 'resolver = "%s";\n' "$RESOLVER"
		[ "$#" -eq 0 ] || printf '%s\n' "$@"
	} >"$REPGATE_CONF"
}

# many_addresses COUNT: so many client addresses, half of them IPv4, half IPv6, in turn.
many_addresses() {
	local i
	for ((i = 0; i < $1 / 2; i++)); do
		printf '10.21.%d.%d\n2001:db8:21:%x::25\n' \
			$((i / 250)) $((i % 250 + 1)) "$i"
	done
}

# local_list approved|blocked NAME <ENTRIES: writes NAME.list of that kind.
local_list() {
	cat >"$BED/repgate/$1.d/$2.list.new"
	mv "$BED/repgate/$1.d/$2.list.new" "$BED/repgate/$1.d/$2.list"
}

# repgate_start [ARGUMENT...]: starts repgated (REPGATED replaces the command,
# to run it under valgrind for instance) with $REPGATE_CONF and waits until it
# answers. Its log is $BED/repgated.log.
repgate_start() {
	local command
	read -ra command <<<"${REPGATED:-$BUILD/repgated}"
	spawn repgated "${command[@]}" --config "$REPGATE_CONF" "$@"
	must "repgated does not answer" wait_for 20 repgate_settled
	must "repgated ended at its start" alive repgated
}

# True when there is nothing left to wait for: it answers, or it has ended.
repgate_settled() {
	ctl --json status || not_alive repgated
}

# repgate_stop: returns the exit status of repgated.
repgate_stop() {
	stop repgated
}

# ctl ARGUMENT...: repgatectl
ctl() {
	in_mail "$BUILD/repgatectl" --socket "$REPGATE_SOCKET" "$@"
}

# lookup ADDRESS [FILTER]: what repgate knows of it, as JSON, or the part that
# a jq filter takes out of it. Refused is an answer too, not a failure.
lookup() {
	local answer status=0
	answer=$(ctl --json lookup "$1") || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 10 ] || return "$status"
	jq -r "${2:-.}" <<<"$answer"
}
