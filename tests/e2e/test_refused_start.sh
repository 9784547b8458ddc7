#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_refused_start.sh - a start that the system refuses says what is missing
#
# No BPF file system, each capability, too few descriptors, with pins of an earlier agent
# and without. In a network namespace and a mount namespace of its own, without DNS.
set -u
export LC_ALL=C

if [ -z "${REFUSED_START_INSIDE:-}" ]; then
	REFUSED_START_INSIDE=$(mktemp -d) || exit 1
	export REFUSED_START_INSIDE
	unshare -n -m --propagation private "$0" "$@"
	status=$?
	rm -rf "$REFUSED_START_INSIDE"
	exit "$status"
fi

# shellcheck source-path=SCRIPTDIR source=../testbed/checks.sh
. "$(dirname "$0")/../testbed/checks.sh"

DIR=$REFUSED_START_INSIDE
BUILD=$(realpath "${BUILD:-.build}")
PINS=/sys/fs/bpf/repgate
LOG=$DIR/log

mount -t bpf bpf /sys/fs/bpf || exit 1
ip link set lo up
ip link add mx0 type veth peer name peer0 && ip link set mx0 up && ip link set peer0 up || exit 1
chmod 755 "$DIR"
mkdir "$DIR/state" "$DIR/a" "$DIR/b"

# config [PIN_PATH]
config() {
	cat >"$DIR/conf" <<-END
		interfaces = [ "mx0" ];
		xdp_mode = "generic";
		resolver = "127.0.0.1";
		pin_path = "${1:-$PINS}";
		state_dir = "$DIR/state";
		control_socket = "$DIR/socket";
		control_group = "root";
		approved_dir = "$DIR/a";
		blocked_dir = "$DIR/b";
		metrics_listen = "";
		max_verdicts = 10000;
		max_peers = 10000;
		max_list = 10000;
		zones = { one = { suffix = "one.test"; kind = "standard"; selftest = "off"; }; };
	END
}

# refused WHAT WORDS COMMAND...: repgated, started by the command, ends with status 1, and its one error has
# the words (a basic regular expression)
refused() {
	local what=$1 words=$2 status=0
	shift 2
	timeout 60 "$@" "$BUILD/repgated" --config "$DIR/conf" >"$LOG" 2>&1 || status=$?
	if [ "$status" -eq 1 ] && grep -q "^repgated: error: .*$words" "$LOG"; then
		ok "$what"
	else
		not_ok "$what" "status $status, wanted \"$words\", and got:"$'\n'"$(tail -5 "$LOG")"
	fi
}

# agent_start: an agent that runs, in the background, as $agent
agent_start() {
	"$BUILD/repgated" --config "$DIR/conf" >"$LOG" 2>&1 &
	agent=$!
	wait_for 30 grep -q 'info: ready' "$LOG"
}

config
for each in bpf perfmon net_admin; do
	name=CAP_$(tr a-z A-Z <<<"$each")
	refused "without $name the error names it" "$name is missing: run repgated as root, or give it Ambient" \
		setpriv --no-new-privs --bounding-set "-sys_admin,-$each"
done
refused "without any capability it names all" "CAP_BPF and CAP_PERFMON and CAP_NET_ADMIN are missing" \
	setpriv --no-new-privs --bounding-set "-all"
check "and no pins are left" test ! -e "$PINS/settings"

for files in 8 32 48 60 127; do
	refused "with $files descriptors it names RLIMIT_NOFILE" \
		"too few descriptors, 128 .*; RLIMIT_NOFILE allows $files open files: set LimitNOFILE=" \
		prlimit --nofile=$files:$files
done

must "an agent starts" agent_start
kill -9 "$agent"
wait "$agent" 2>/dev/null
check "an agent that is killed leaves its pins" test -e "$PINS/settings"
for files in 8 60; do
	refused "with pins and $files descriptors it names RLIMIT_NOFILE, not the maps" \
		"RLIMIT_NOFILE allows $files open files: set LimitNOFILE=" prlimit --nofile=$files:$files
	check "and says nothing of maps that do not fit" sh -c "! grep -q 'do not fit' '$LOG'"
done
refused "with pins and without CAP_BPF it names that" "CAP_BPF.* missing" setpriv --no-new-privs --bounding-set "-sys_admin,-bpf"
check "and says nothing of maps that do not fit" sh -c "! grep -q 'do not fit' '$LOG'"
must "the next agent starts" agent_start
check "and takes over" sh -c "grep -q 'took over' '$LOG'"
kill "$agent"
wait "$agent"
same "it stops" 0 $?

config "$DIR/pins"
refused "pin_path elsewhere: mount a BPF file system there" \
	"pin_path $DIR/pins is not on a BPF file system: mount one (mount -t bpf bpf DIR)" env
config
umount /sys/fs/bpf
while grep -q ' /sys/fs/bpf bpf ' /proc/self/mounts; do
	umount /sys/fs/bpf || break
done
refused "without a BPF file system, and without the right to mount one" \
	"no BPF file system is mounted on /sys/fs/bpf, and it can't be mounted (Operation not permitted); as root: mount -t bpf bpf /sys/fs/bpf" \
	setpriv --no-new-privs --bounding-set "-sys_admin"
must "with the right to mount it starts" agent_start
kill "$agent"
wait "$agent"
same "and stops" 0 $?
finish
