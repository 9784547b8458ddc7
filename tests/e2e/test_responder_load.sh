#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_responder_load.sh - 10,000 refused sessions at once, and the agent's death
#
# All get their answer and the agent stays small. Killed in the middle, it lets
# no listed peer through to the mail server, which is smtp-sink here: it counts
# its sessions, and its name in the greeting is another one. Over the limits
# peers are told to come later.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"
SESSIONS=10000
MEMORY_KB=153600
BURST=1000 # sessions under way when the agent is killed
HEARTBEAT=2 # seconds until a dead agent is known to be dead
MAX_SESSIONS=50
MAX_PER_PEER=5
CLEAN4=198.51.100.10
CLEAN6=2001:db8:25::1
GATE=gate.example.org
declare -A LOADER=()

# Of repgated, which takes what it may, and of smtp_load.
FILES=$((SESSIONS + 1000))
[[ $(ulimit -Hn) == unlimited || $(ulimit -Hn) -ge $FILES ]] || ulimit -Hn $FILES ||
	skip "$SESSIONS sessions need a limit of $FILES open files"

# --- the peers ---------------------------------------------------------------

# load ARGUMENT...: options and sources of smtp_load
load() {
	in_clients "$BUILD/tests/smtp_load" "$MX4,$MX6" 25 "$@"
}

# load_start NAME ARGUMENT...: the same in the background, fed by a fifo; what it
# says is in $TESTBED/NAME.json.
load_start() {
	local name=$1
	shift
	mkfifo "$TESTBED/$name.go"
	nsenter --net=/run/netns/clients -- "$BUILD/tests/smtp_load" "$MX4,$MX6" 25 "$@" \
		<>"$TESTBED/$name.go" >"$TESTBED/$name.json" 2>"$TESTBED/$name.err" &
	LOADER[$name]=$!
}

# hold NAME COUNT ARGUMENT...: opens so many sessions and returns once they
# stand after MAIL, or have ended.
hold() {
	local name=$1 count=$2
	shift 2
	load_start "$name" --hold mail -c "$count" -s 60 "$@"
	must "sessions of $name do not stand" wait_for 75 is_told "$name"
}

is_told() {
	grep -q standing "$TESTBED/$1.json" || ! kill -0 "${LOADER[$1]}"
}

# release NAME: they go on to RCPT and QUIT. Returns when all have ended.
release() {
	echo go 1<>"$TESTBED/$1.go"
	wait "${LOADER[$1]}" || true
}

# told NAME standing|end FILTER: of what smtp_load said then
told() {
	jq -cS "select(.phase == \"$2\") | $3" "$TESTBED/$1.json"
}

# met SOURCE...: one session each; codes of greeting and RCPT, and failures
met() {
	local status=0
	load -n "$#" -t 1500 "$@" >"$TESTBED/met.json" 2>/dev/null || status=$?
	[ "$status" -le 1 ] || echo "smtp_load: status $status"
	jq -r '.greeting + .rcpt + .failed_at | to_entries | sort_by(.key) |
		map("\(.key) x\(.value)") | join(", ")' "$TESTBED/met.json"
}

is_met() {
	local want=$1
	shift
	[ "$(met "$@")" = "$want" ]
}

# syn SOURCE...: what the SYN of each meets, in their order
syn() {
	in_clients "$BUILD/tests/syn_client" -t 700 "$MX4,$MX6" 25 "$@" >"$TESTBED/syn"
	awk 'NR == FNR { met[$1] = $2; next } { print met[$1] }' "$TESTBED/syn" \
		<(printf '%s\n' "$@") | xargs
}

connects() {
	[ "$(syn "$1")" = connected ]
}

# --- the mail host -----------------------------------------------------------

# Like sink_start, but each counts its sessions, in a file of its own.
counting_sinks_spawn() {
	local sink="exec smtp-sink -c -u nobody \"\$0\" 16384 >\"\$1\""
	spawn sink4 sh -c "$sink" "inet:0.0.0.0:25" "$(mktemp "$TESTBED/served.XXXX")"
	spawn sink6 sh -c "$sink" "inet:[::]:25" "$(mktemp "$TESTBED/served.XXXX")"
}

# Sessions that the mail server has seen, of both families.
served() {
	awk -v RS='\r' -F '[= ]' '{ last[FILENAME] = $2 }
		END { for (file in last) sum += last[file]; print sum + 0 }' "$TESTBED"/served.*
}

is_served() {
	[ "$(served)" = "$1" ]
}

config() {
	CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\";
	standard_action = \"reject\"; qil_action = \"tempfail\"; }"
	CONF[responder_name]="\"$GATE\""
	CONF[heartbeat_timeout]="\"${HEARTBEAT}s\""
	repgate_config
}

# responder FILTER: of its counters
responder() {
	ctl --json stats | jq -c ".responder | $1"
}

is_responder() {
	[ "$(responder "$1")" = "$2" ]
}

memory() {
	awk "\$1 == \"$1:\" { print \$2 }" "/proc/${TESTBED_PID[repgated]}/status"
}

is_small() {
	[ "$(memory "$1")" -le $MEMORY_KB ]
}

# --- 10,000 at once ----------------------------------------------------------

# Every SYN is a new peer's, held until the zones have answered.
many_sessions() {
	hold many $SESSIONS -r 2000 -f "$TESTBED/addresses"
	same "$SESSIONS sessions are greeted, and stand" \
		"[$SESSIONS,0,{\"220\":$SESSIONS},{\"$GATE\":$SESSIONS}]" \
		"$(told many standing '[.standing, .failed, .greeting, .hosts]')"
	same "the responder counts them" "[$SESSIONS,$SESSIONS,0]" \
		"$(responder '[.open, .sessions, .session_limit]')"
	check "VmRSS is $(memory VmRSS) KB, at most $MEMORY_KB" is_small VmRSS
	same "clean peers get through meanwhile" "220 x2, 250 2.1.5 x2" \
		"$(met $CLEAN4 $CLEAN6)"
	same "session $((SESSIONS + 1)) is put off" "421 4.7.0 x1" "$(met 10.21.200.1)"

	release many
	same "all $SESSIONS get their 450 and say goodbye" \
		"[$SESSIONS,0,{\"450 4.7.1\":$SESSIONS},{\"221 2.0.0\":$SESSIONS}]" \
		"$(told many end '[.refused, .failed, .rcpt, .quit]')"
	check "no session is left" wait_for 10 is_responder .open 0
	check "VmHWM was $(memory VmHWM) KB, at most $MEMORY_KB" is_small VmHWM
	same "one was put off, and nothing was lost" '{"session_limit":1}' \
		"$(ctl --json stats | jq -c '.losses | del(.sample_limit, .session_log_limit) |
		with_entries(select(.value > 0))')"
}

# --- kill -9 -----------------------------------------------------------------

# Verdicts of these are there before: nothing is known of a new peer while the
# agent is dead, and it passes.
known_peers() {
	seq -f 10.21.0.%g 1 200 >"$TESTBED/qil"
	seq 0 199 | while read -r n; do
		printf '2001:db8:21:%x::25\n' "$n"
	done >>"$TESTBED/qil"
	seq -f 203.0.113.%g 1 50 >"$TESTBED/standard"
	seq 0 49 | while read -r n; do
		printf '2001:db8:21:f0%02x::25\n' "$n"
	done >>"$TESTBED/standard"
	load -n 400 -r 1000 -f "$TESTBED/qil" >"$TESTBED/qil.json"
	load -n 100 -r 1000 -f "$TESTBED/standard" >"$TESTBED/standard.json"
	same "peers of QIL are known" '{"450 4.7.1":400}' "$(told qil end .rcpt)"
	same "peers of Standard are known" '{"550 5.7.1":100}' "$(told standard end .rcpt)"
}

# They come again and again, whatever happens, until siege_ends.
siege() {
	load_start siege_qil -s 100 -t 1000 -c 100 -r 1500 -f "$TESTBED/qil"
	load_start siege_standard -s 100 -t 1000 -c 50 -r 100 -f "$TESTBED/standard"
}

siege_ends() {
	local kind
	for kind in qil standard; do
		kill -TERM "${LOADER[siege_$kind]}"
		wait "${LOADER[siege_$kind]}" || true
		told "siege_$kind" end "\"# siege of $kind: \(.sessions) sessions, refused \(.refused), \(.failed_at)\"" | jq -r .
		same "peers of $kind met the gate, and nobody else" "[\"$GATE\"]" \
			"$(told "siege_$kind" end '.hosts | keys')"
		same "none of them was accepted" 0 "$(told "siege_$kind" end .accepted)"
		check "some of them were refused, some met the dead agent" \
			test "$(told "siege_$kind" end '.refused > 0 and .failed > 0')" = true
	done
}

dead() {
	same "$1: a SYN of QIL is reset, of Standard dropped" \
		"refused refused timeout timeout" \
		"$(syn 10.21.0.7 2001:db8:21:7::25 203.0.113.7 2001:db8:21:f007::25)"
}

killed() {
	hold burst $BURST -r 2000 -f "$TESTBED/qil"
	same "$BURST sessions stand" $BURST "$(told burst standing .standing)"
	siege
	check "others come and go" wait_for 10 is_responder ".refused > $((SESSIONS + 700))" true
	stop repgated KILL || true
	wait "${LOADER[burst]}" || true
	same "killed: all sessions that stood end" "[$BURST,0]" \
		"$(told burst end '[.errors.reset + .errors.closed_early, .refused]')"
	dead "killed"
	check "the agent is missed: an unknown peer passes" wait_for 10 connects 198.51.100.77
	dead "missed"

	repgate_start
	same "started again: they are answered" "220 x4, 450 4.7.1 x2, 550 5.7.1 x2" \
		"$(met 10.21.0.7 2001:db8:21:7::25 203.0.113.7 2001:db8:21:f007::25)"
	for _ in 1 2 3; do
		check "others come and go again" wait_for 10 is_responder '.refused > 100' true
		stop repgated KILL || true
		repgate_start
	done
	siege_ends
}

# --- limits ------------------------------------------------------------------

limits() {
	CONF[max_sessions]=$MAX_SESSIONS
	CONF[max_sessions_per_peer]=$MAX_PER_PEER
	config
	repgate_start

	hold peer4 8 10.21.100.1
	same "an address has $MAX_PER_PEER sessions" \
		"[5,3,{\"220\":5,\"421 4.7.0\":3}]" \
		"$(told peer4 standing '[.standing, .turned_away, .greeting]')"
	hold peer6 8 2001:db8:21:100::/125
	same "a /64 has $MAX_PER_PEER sessions" \
		"[5,3,{\"220\":5,\"421 4.7.0\":3}]" \
		"$(told peer6 standing '[.standing, .turned_away, .greeting]')"
	same "the next of each is put off" "421 4.7.0 x2" \
		"$(met 10.21.100.1 2001:db8:21:100::99)"
	same "others are not" "220 x2, 450 4.7.1 x2" "$(met 10.21.100.2 2001:db8:21:101::25)"
	release peer4
	release peer6
	same "they get their answer" '[5,0]' "$(told peer4 end '[.refused, .failed]')"
	sink_stop
	counting_sinks_spawn
	check "the mail server can start again, steered sessions or not" wait_for 5 sink_open
	check "and may come again" wait_for 5 is_met "220 x2, 450 4.7.1 x2" 10.21.100.1 \
		2001:db8:21:100::99
	same "put off for their own number" 8 "$(responder .session_limit_per_peer)"

	check "no session is left" wait_for 10 is_responder .open 0
	hold all 60 10.21.101.0/24 2001:db8:21:200::25/60
	same "$MAX_SESSIONS sessions in all" "[50,10,{\"220\":50,\"421 4.7.0\":10}]" \
		"$(told all standing '[.standing, .turned_away, .greeting]')"
	same "nobody else has one" "421 4.7.0 x2" "$(met 203.0.113.9 2001:db8:21:101::25)"
	release all
	same "those in it get their answer" '[50,0]' "$(told all end '[.refused, .failed]')"
	check "then others may come" wait_for 5 is_met "220 x2, 450 4.7.1 x1, 550 5.7.1 x1" \
		203.0.113.9 2001:db8:21:101::25
	same "put off for the number of all" 12 "$(responder .session_limit)"
}

testbed_up
many_addresses $SESSIONS >"$TESTBED/addresses"
printf '%s 127.0.0.32\n' 10.21.0.0/16 2001:db8:21::/48 | ers_zone qil 3600
printf '%s 127.1.0.2\n' 203.0.113.0/24 2001:db8:21:f000::/56 | ers_zone standard 3600
zones_start
counting_sinks_spawn
must "smtp-sink does not listen" wait_for 5 sink_open
config
repgate_start
many_sessions
check "the mail server counts: two sessions of clean peers" wait_for 5 is_served 2
known_peers
killed
repgate_stop || not_ok "repgated stops" "status $?"
limits
repgate_stop || not_ok "repgated stops" "status $?"
# By then also the peer that came while nobody knew that the agent was dead.
check "no listed peer ever reached the mail server: $(served) sessions" is_served 3
finish
