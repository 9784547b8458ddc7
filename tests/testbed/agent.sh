# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# agent.sh - repgated with a configuration of its own, and repgatectl

# Where repgated asks DNS; delay_start changes it.
RESOLVER=127.0.0.1

REPGATE_CONF=$TESTBED/repgate/repgate.conf
REPGATE_SOCKET=$TESTBED/repgate/control.sock
REPGATE_PINS=/sys/fs/bpf/repgate
REPGATE_METRICS=127.0.0.1:9125

# Settings that repgate_config writes, as libconfig text (QIL peers are reset, not
# answered: most tests are about who connects; clients have private addresses, too). A test changes one by
# CONF[mode]='"monitor"' and takes one out by unset 'CONF[mode]'.
declare -A CONF=(
	[interfaces]='[ "mx0" ]'
	[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\"; qil_action = \"reset\"; }"
	[pin_path]="\"$REPGATE_PINS\""
	[state_dir]="\"$TESTBED/repgate/state\""
	[control_socket]="\"$REPGATE_SOCKET\""
	[control_group]='"root"'
	[approved_dir]="\"$TESTBED/repgate/approved.d\""
	[blocked_dir]="\"$TESTBED/repgate/blocked.d\""
	[private_peers]='"judge"'
	[metrics_listen]="\"$REPGATE_METRICS\""
)

# repgate_config [LINE...]: writes $REPGATE_CONF: the settings of CONF, the
# resolver, and then the lines unchanged.
repgate_config() {
	local key
	install -d -m 755 "$TESTBED"/repgate/{,state,approved.d,blocked.d}
	(umask 077 && echo "$ERS_CODE" >"$TESTBED/repgate/activation-code")
	{
		while read -r key; do
			printf '%s = %s;\n' "$key" "${CONF[$key]}"
		done < <(printf '%s\n' "${!CONF[@]}" | sort)
		printf 'resolver = "%s";\n' "$RESOLVER"
		[ "$#" -eq 0 ] || printf '%s\n' "$@"
	} >"$REPGATE_CONF"
}

# many_addresses COUNT: prints COUNT client addresses, IPv4 and IPv6 alternately.
many_addresses() {
	local i
	for ((i = 0; i < $1 / 2; i++)); do
		printf '10.21.%d.%d\n2001:db8:21:%x::25\n' \
			$((i / 250)) $((i % 250 + 1)) "$i"
	done
}

# local_list approved|blocked NAME <ENTRIES: writes NAME.list of that kind.
local_list() {
	cat >"$TESTBED/repgate/$1.d/$2.list.new"
	mv "$TESTBED/repgate/$1.d/$2.list.new" "$TESTBED/repgate/$1.d/$2.list"
}

# repgate_start [ARGUMENT...]: starts repgated with $REPGATE_CONF and waits until
# it answers. Its log is $TESTBED/repgated.log. REPGATED replaces the command, for
# instance to run it under valgrind.
repgate_start() {
	local command
	read -ra command <<<"${REPGATED:-$BUILD/repgated}"
	spawn repgated "${command[@]}" --config "$REPGATE_CONF" "$@"
	must "repgated does not answer" wait_for 20 repgate_started_or_ended
	must "repgated ended at its start" alive repgated
}

# The wait is over when the agent answers, and also when it has ended.
repgate_started_or_ended() {
	ctl --json status || not_alive repgated
}

# repgate_stop: ends repgated and returns its exit status.
repgate_stop() {
	stop repgated
}

# ctl ARGUMENT...: repgatectl
ctl() {
	in_mail "$BUILD/repgatectl" --socket "$REPGATE_SOCKET" "$@"
}

# ctl_lines ARGUMENT...: repgatectl, with the lines joined that it broke at 80 columns
ctl_lines() {
	ctl "$@" | sed -z 's/\n  */ /g'
}

# scrape: prints what the metrics port answers, the HTTP header first
scrape() {
	in_mail timeout 5 bash -c "
		exec 3<>/dev/tcp/${REPGATE_METRICS/:/\/} &&
		printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && cat <&3"
}

# lookup ADDRESS [FILTER]: prints what repgate knows of the address, as JSON or
# through a jq filter. "Refused" is an answer, not a failure.
lookup() {
	local answer status=0
	answer=$(ctl --json lookup "$1") || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 10 ] || return "$status"
	jq -r "${2:-.}" <<<"$answer"
}
