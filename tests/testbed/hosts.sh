# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hosts.sh - the private namespaces of a test, its two hosts and the link between them

# Process id of each daemon that spawn() started, by name.
declare -A TESTBED_PID=()

# --- private namespaces --------------------------------------------------------

# testbed_reexec SCRIPT [ARGUMENT...]: runs the script again inside namespaces of
# its own, as process 1, and does not return outside of them. The outer script
# waits and exits with the status of the inner one. If a signal ends the outer
# one, process 1 is killed, and the kernel ends all processes and mounts below it.
testbed_reexec() {
	local wrapped status=0
	if [ -n "${TESTBED_INSIDE:-}" ] && [ "$$" -eq 1 ]; then
		unset TESTBED_INSIDE
		testbed_private_mounts
		return
	fi
	[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"

	cpu_limit_begin
	# Bash starts background children with SIGINT ignored; tcpdump and
	# others inside would inherit that.
	setpriv --pdeathsig KILL env --default-signal TESTBED_INSIDE=1 \
		bash -c "$(declare -f cpu_limit_enter)"'; cpu_limit_enter "$1"; shift; exec "$@"' - "$CPU_GROUP" \
		unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private -- bash -- "$@" </dev/null &
	wrapped=$!
	trap 'testbed_abort "$wrapped" INT' INT
	trap 'testbed_abort "$wrapped" TERM' TERM
	trap 'testbed_abort "$wrapped" HUP' HUP
	wait "$wrapped" || status=$?
	cpu_limit_end
	exit "$status"
}

# --- a slower machine -----------------------------------------------------------

# CPU_PERCENT=50 makes all that is started by this script as fast as on a machine with half the speed: a
# cgroup gives it that share of each CPU's time. In periods of 10 ms: in longer ones everything stands still for
# longer than on a machine that is slow.
CPU_PERCENT=${CPU_PERCENT:-100}
CPU_PERIOD_US=${CPU_PERIOD_US:-10000}
CPU_GROUP=

# slowed NUMBER: the number, of time that work takes, on the slower machine
slowed() {
	echo $(($1 * 100 / CPU_PERCENT))
}

cpu_limit_begin() {
	local quota=$(($(nproc) * CPU_PERIOD_US * CPU_PERCENT / 100))
	[ "$CPU_PERCENT" -ne 100 ] || return 0
	if grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
		CPU_GROUP=/sys/fs/cgroup/repgate-test.$$
		mkdir "$CPU_GROUP"
		echo "$quota $CPU_PERIOD_US" >"$CPU_GROUP/cpu.max"
	elif [ -d /sys/fs/cgroup/cpu ]; then
		CPU_GROUP=/sys/fs/cgroup/cpu/repgate-test.$$
		mkdir "$CPU_GROUP"
		echo "$CPU_PERIOD_US" >"$CPU_GROUP/cpu.cfs_period_us"
		echo "$quota" >"$CPU_GROUP/cpu.cfs_quota_us"
		# Real-time processes (test_rounds) need time of their own.
		[ ! -f "$CPU_GROUP/cpu.rt_runtime_us" ] ||
			echo $((4000 * CPU_PERCENT)) >"$CPU_GROUP/cpu.rt_runtime_us"
	else
		skip "CPU_PERCENT needs the cgroup controller cpu"
	fi
}

# cpu_limit_enter GROUP: puts this process into it
cpu_limit_enter() {
	[ -z "$1" ] || echo $$ >"$1/cgroup.procs"
}

cpu_limit_end() {
	local i
	[ -n "$CPU_GROUP" ] || return 0
	# The last processes may still be ending.
	for ((i = 0; i < 50; i++)); do
		! rmdir "$CPU_GROUP" 2>/dev/null || return 0
		sleep 0.1
	done
}

# unshare blocks SIGINT and SIGTERM, so its child is killed: process 1 of the
# testbed. When unshare ends after that, nothing of the testbed is left.
testbed_abort() {
	trap - INT TERM HUP
	pkill -KILL -P "$1" || kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	cpu_limit_end
	kill "-$2" $$
}

testbed_private_mounts() {
	umask 022
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/netns /run/lock "$TESTBED"
	mount -t bpf bpf /sys/fs/bpf
	export HOME=$TESTBED TMPDIR=$TESTBED
	trap 'testbed_exit $?' EXIT
}

# The logs are lost with the testbed, so a failure prints their last lines.
testbed_exit() {
	[ "$1" -eq 0 ] || [ "$1" -eq 77 ] || testbed_logs
}

# testbed_logs: prints the last lines of all logs, once.
testbed_logs() {
	local log
	[ -z "${TESTBED_LOGS_SHOWN:-}" ] || return 0
	TESTBED_LOGS_SHOWN=yes
	for log in "$TESTBED"/*.log; do
		[ -s "$log" ] || continue
		printf '\n--- last lines of %s\n' "${log##*/}" >&2
		tail -n 20 "$log" >&2
	done
}

# --- processes ----------------------------------------------------------------

# in_mail COMMAND..., in_clients COMMAND...: runs it in that namespace.
# "ip netns exec" would mount a new /sys and so hide the pins.
in_mail() {
	nsenter --net=/run/netns/mail -- "$@"
}

in_clients() {
	nsenter --net=/run/netns/clients -- "$@"
}

# spawn NAME COMMAND...: starts a daemon in the mail namespace. Its output goes to
# $TESTBED/NAME.log, its process id to TESTBED_PID[NAME].
spawn() {
	local name=$1
	shift
	nsenter --net=/run/netns/mail -- "$@" >>"$TESTBED/$name.log" 2>&1 &
	TESTBED_PID[$name]=$!
}

# alive NAME: does the daemon run?
alive() {
	[ -n "${TESTBED_PID[$1]:-}" ] && kill -0 "${TESTBED_PID[$1]}" 2>/dev/null
}

not_alive() {
	! alive "$1"
}

# stop NAME [SIGNAL]: ends a daemon (SIGTERM) and returns its exit status. 143: it
# does not handle SIGTERM. 137: it still ran after 10 s and was killed.
stop() {
	local name=$1 pid=${TESTBED_PID[$1]:-} status=0
	[ -n "$pid" ] || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null || true
	if ! wait_for 10 not_alive "$name"; then
		echo "$name did not stop within 10 s" >&2
		kill -KILL "$pid" 2>/dev/null || true
	fi
	wait "$pid" 2>/dev/null || status=$?
	unset "TESTBED_PID[$name]"
	return "$status"
}

# --- hosts and link -----------------------------------------------------------

# testbed_sysctl in_mail|in_clients KEY=VALUE...: a key that this kernel does not
# have is left out.
testbed_sysctl() {
	local enter=$1
	shift
	"$enter" sysctl -qew "$@"
}

# testbed_up: makes both hosts and the link between them.
testbed_up() {
	local mac_mx=02:00:00:00:00:25 mac_cl=02:00:00:00:00:01 prefix

	ip netns add mail
	ip netns add clients
	testbed_wire "$mac_mx" "$mac_cl"
	testbed_sysctl in_mail net.core.somaxconn=16384 \
		net.ipv4.tcp_max_syn_backlog=16384
	# ip_nonlocal_bind: IPv6 senders bind to addresses that no interface has.
	testbed_sysctl in_clients net.ipv4.ip_local_port_range="1024 65535" \
		net.ipv6.ip_nonlocal_bind=1

	testbed_link in_mail mx0 "$MX4/24" "$MX6/64"
	testbed_link in_clients cl0 "$CLIENTS4/24" "$CLIENTS6/64"
	# Resolving a neighbour would delay the first packet, IPv6 by a second.
	in_mail ip neigh add "$CLIENTS4" lladdr "$mac_cl" dev mx0 nud permanent
	in_mail ip neigh add "$CLIENTS6" lladdr "$mac_cl" dev mx0 nud permanent
	in_clients ip neigh add "$MX4" lladdr "$mac_mx" dev cl0 nud permanent
	in_clients ip neigh add "$MX6" lladdr "$mac_mx" dev cl0 nud permanent

	# A SYN that is held and re-injected needs a complete checksum. Frames
	# sent by XDP_TX arrive only at a device that has an XDP program.
	in_clients ethtool -K cl0 tx off >/dev/null
	in_clients ip link set dev cl0 xdpdrv \
		object "$BUILD/tests/pass.bpf.o" section xdp

	for prefix in 10.21.0.0/16 198.51.100.0/24 203.0.113.0/24 \
		2001:db8:21::/48; do
		testbed_senders "$prefix"
	done
}

# testbed_wire MAC_OF_MX0 MAC_OF_CL0: makes the link between both hosts.
# tests/vm/cards.sh replaces this function by one that takes network cards.
testbed_wire() {
	ip link add mx0 address "$1" netns mail type veth \
		peer name cl0 address "$2" netns clients
}

# testbed_link in_mail|in_clients DEVICE IPV4/LEN IPV6/LEN: brings a device up.
testbed_link() {
	local enter=$1 device=$2
	testbed_sysctl "$enter" net.ipv4.conf.{all,default,"$device"}.rp_filter=0 \
		net.ipv6.route.max_size=1000000
	"$enter" ip link set lo up
	"$enter" ip link set "$device" addrgenmode none
	"$enter" ip link set "$device" up
	"$enter" ip addr add "$3" dev "$device"
	"$enter" ip addr add "$4" dev "$device" nodad
}

# testbed_senders PREFIX: from now on, any address of the prefix can be a sender.
testbed_senders() {
	local via=$CLIENTS4
	[[ $1 != *:* ]] || via=$CLIENTS6
	in_clients ip route add local "$1" dev lo
	in_mail ip route add "$1" via "$via" dev mx0
}
