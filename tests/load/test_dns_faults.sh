#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_dns_faults.sh - a zone breaks: mail goes on, and repgate reports the state of the zone
#
# Each fault has a zone of its own. The faults begin one after the other and stay.
# Clean peers lose at most a second at first, and nothing later. Listed peers stay
# refused if their zone works or is still trusted. Then all faults end together:
# within 30 s each zone is good again, and its listed peers are refused again. Last,
# the resolver itself stops for a while.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# Zone | fault | state of the zone then. "lateworld" answers so late that
# within hold_timeout there is no time for a second question, which is asked all the same; "busy" listed a
# peer, rightly, just before; "cached" breaks behind the resolver, which remembers
# its answers for 300 s.
FAULTS='
slow|delay 5000|open
drop|drop|open
servfail|servfail|open
refused|refused|open
world|wildcard 127.0.0.2|disabled
lateworld|wildcard 127.0.0.2 600|disabled
busy|wildcard 127.0.0.2|disabled
cached|wildcard 127.0.0.2|disabled
openresolver|wildcard 127.255.255.254|disabled
localhost|wildcard 127.0.0.1|disabled
parked|wildcard 91.195.240.19|disabled
allow|wildcard 127.0.5.1|disabled
garbage|garbage question|open
nonsense|garbage id|open
noise|garbage none|open
tcsilent|tc silent|open
tcclosed|tc closed|open
'
# These zones work. But "jumpy" suddenly lists many peers, rightly, the answers of "tcok" are
# truncated, and those of "late" late, each for a while.
WORKING='good jumpy tcok late'
STATES='disabled failing good monitor open'
SLOW_US=1000000        # at first: no peer waits longer
SLACK_US=5000          # later: the median, more than without any fault
NOBODY_WAITS_US=200000 # later: the slowest, on a busy machine
RECOVERY_S=30
BURST=20
WINDOW=20 # hit_share_window

# repgated -> FRONT -> unbound -> (zone "cached") BACK -> rbldnsd
FRONT=127.0.0.1:5354
BACK=127.0.0.1:5356
FRONT_CONTROL=127.0.0.1:5355
BACK_CONTROL=127.0.0.1:5357

# --- peers, each of them new ----------------------------------------------------

NUMBER=0
# clean COUNT FILE: writes COUNT addresses that no zone lists, half of them IPv6
clean() {
	local end=$((NUMBER + $1))
	for (( ; NUMBER < end; NUMBER++)); do
		if ((NUMBER % 2)); then
			printf '2001:db8:21:%x::25\n' $((0x8000 + NUMBER))
		else
			printf '10.21.%d.%d\n' $((128 + NUMBER / 250)) $((NUMBER % 250 + 1))
		fi
	done >"$2"
}

declare -A PLACE=() LISTED=()
# listed ZONE COUNT FILE: writes COUNT addresses that this zone alone lists
listed() {
	local i=${LISTED[$1]:-0} end=$((${LISTED[$1]:-0} + $2)) place=${PLACE[$1]}
	for (( ; i < end; i++)); do
		if ((i % 2)); then
			printf '2001:db8:21:%x::25\n' $((place * 0x100 + i))
		else
			printf '10.21.%d.%d\n' "$place" $((i + 1))
		fi
	done >"$3"
	LISTED[$1]=$i
}

# connect FILE [OPTION...]: one line each: source outcome us syns. Not all at
# once: each is 20 questions, and the machine may be busy.
connect() {
	local file=$1
	shift
	in_clients "$BUILD/tests/syn_client" -n -c "$BURST" "$@" -f "$file" "$MX4,$MX6" 25
}

# outcomes FILE: counts the outcomes of connect: connected=5
outcomes() {
	cut -f 2 "$1" | sort | uniq -c | awk '{ print $2 "=" $1 }' | xargs
}

median() {
	cut -f 3 "$1" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

highest() {
	cut -f 3 "$1" | sort -n | tail -n 1
}

# meet WHAT FILE OUTCOME: checks that all peers of the file have this outcome
meet() {
	connect "$2" -t 300 >"$TESTBED/met"
	same "$1" "$3=$(wc -l <"$2")" "$(outcomes "$TESTBED/met")"
}

none_connects() {
	connect "$1" -t 300 -c 100 >"$TESTBED/met"
	! grep -q connected "$TESTBED/met"
}

# flow WHAT FILE: checks that all peers connected, none by a retransmission
flow() {
	same "$1" "connected=$(wc -l <"$2") SYNs 1" \
		"$(outcomes "$2") SYNs $(cut -f 4 "$2" | sort -u | xargs)"
}

# --- faults, and what repgate reports -------------------------------------------

# fault ZONE FAULT [ARGUMENT...]: starts the fault; it is in force on return
fault() {
	local zone=$1 control=$FRONT_CONTROL answer
	shift
	[ "$zone" != cached ] || control=$BACK_CONTROL
	answer=$(in_mail bash -c "exec 3<>/dev/udp/${control/:/\/} && echo '$zone.example $*' >&3 &&
		timeout 5 head -n 1 <&3")
	must "dns_fault: $zone $*: $answer" test "$answer" = ok
}

front_start() {
	spawn front "$BUILD/tests/dns_fault" --log "$TESTBED/queries" "$FRONT" "$FRONT_CONTROL" \
		127.0.0.1:53
	must "dns_fault does not listen" wait_for 5 udp_open "${FRONT#*:}"
}

# unbound asks rbldnsd about "cached" by way of a second dns_fault.
back_start() {
	spawn back "$BUILD/tests/dns_fault" "$BACK" "$BACK_CONTROL" 127.0.0.1:5300
	must "dns_fault does not listen" wait_for 5 udp_open "${BACK#*:}"
	sed -i "/name: \"cached.example\"/{n;s/127.0.0.1@5300/${BACK/:/@}/}" "$TESTBED/unbound.conf"
	must "unbound does not take its configuration again" in_mail unbound-control -q \
		-c "$TESTBED/unbound.conf" reload
	must "the zones do not answer" zones_wait
}

# peers_asked ZONE: counts the questions about peers
peers_asked() {
	grep -cE "\.(10|8\.b\.d\.0\.1\.0\.0\.2)\.$1\.example"$'\t' "$TESTBED/queries" || true
}

# zone ZONE FILTER: prints a part of the zone's row in `repgatectl zones`
zone() {
	ctl --json zones | jq -r ".zones[] | select(.zone == \"$1\") | $2"
}

zone_is() {
	[ "$(zone "$1" .state)" = "$2" ]
}

all_are() {
	[ "$(ctl --json zones | jq -r '[.zones[].state] | unique | join(" ")')" = "$1" ]
}

# metric ZONE: prints the metrics of its five states: good=1 open=0...
metric() {
	scrape | tr -d '\r' |
		sed -n "s/^repgate_zone_state{zone=\"$1\",state=\"\([a-z]*\)\"} /\1=/p" |
		sort | xargs
}

one_hot() {
	local state
	for state in $STATES; do
		echo "$state=$([ "$state" = "$1" ] && echo 1 || echo 0)"
	done | xargs
}

# times_good ZONE: counts the log lines that say that the zone is good
times_good() {
	grep -c "zone $1: good" "$TESTBED/repgated.log" || true
}

# said ZONE STATE: checks that command, metrics and log agree on the state
said() {
	if [ "$2" = good ]; then
		same "$1: good in zones" "good null" "$(zone "$1" '"\(.state) \(.why)"')"
	else
		same "$1: $2 in zones, and why" "$2 string" \
			"$(zone "$1" '"\(.state) \(.why | type)"')"
		check "$1: in the log: $(zone "$1" .why)" \
			grep -qF "zone $1: $2: $(zone "$1" .why)" "$TESTBED/repgated.log"
	fi
	same "$1: in status" "$2" "$(ctl --json status |
		jq -r ".zones[] | select(.zone == \"$1\") | .state")"
	same "$1: in the metrics" "$(one_hot "$2")" "$(metric "$1")"
}

# --- slow and large answers that are not a fault -----------------------------------

truncated() {
	fault tcok tc works
	later "tc works"
	check "tc works: TCP is used" grep -q 'tcok\.example.*tcp$' "$TESTBED/queries"
	listed tcok 2 "$TESTBED/peers"
	meet "tc works: peers that it lists are refused" "$TESTBED/peers" timeout
	said tcok good
	fault tcok none
}

# A list's answers may take 600 ms, and then be checked, for another 600.
late() {
	fault late delay 600
	clean 2 "$TESTBED/peers"
	connect "$TESTBED/peers" >"$TESTBED/met"
	flow "late: clean peers connect" "$TESTBED/met"
	check "late: within 1 s ($(highest "$TESTBED/met") us)" \
		test "$(highest "$TESTBED/met")" -le "$SLOW_US"
	listed late 2 "$TESTBED/peers"
	connect "$TESTBED/peers" -t 2500 >"$TESTBED/met"
	check "late: peers that it lists are refused, at the second attempt at the latest" \
		wait_for 5 none_connects "$TESTBED/peers"
	said late good
	fault late none
}

# --- one fault after the other ----------------------------------------------------

# opens ZONE: connects clean peers one by one, until none waits any more
opens() {
	local peers=0
	: >"$TESTBED/first"
	while [ "$peers" -lt 10 ] && ! zone_is "$1" open; do
		clean 1 "$TESTBED/peers"
		connect "$TESTBED/peers" >>"$TESTBED/first"
		peers=$((peers + 1))
	done
	check "$1: open after $peers clean peers, 5 at most" test "$peers" -le 5
	[ "$peers" -gt 0 ] || return 0
	flow "$1: they connect" "$TESTBED/first"
	check "$1: within 1 s ($(highest "$TESTBED/first") us)" \
		test "$(highest "$TESTBED/first")" -le "$SLOW_US"
}

# later WHAT: checks that no peer waits for a zone that is known to be broken
later() {
	local median most
	clean 10 "$TESTBED/peers"
	connect "$TESTBED/peers" -c 1 >"$TESTBED/later"
	median=$(median "$TESTBED/later")
	most=$(highest "$TESTBED/later")
	flow "$1: the next clean peers connect" "$TESTBED/later"
	check "$1: as fast as ever ($median us, $NORMAL us before; at most $most us)" \
		test "$median" -le $((NORMAL + SLACK_US)) -a "$most" -le "$NOBODY_WAITS_US"
}

# mail WHAT: checks that a clean peer's mail is delivered
mail() {
	local sent
	clean 1 "$TESTBED/peers"
	sent=$(send_mail "$(<"$TESTBED/peers")" "m$NUMBER")
	same "$1: a clean mail is delivered" delivered "$(cut -f 1 <<<"$sent")"
	check "$1: its sender connects within 1 s ($(cut -f 2 <<<"$sent") ms)" \
		test "$(cut -f 2 <<<"$sent")" -le 1000
}

# lies ZONE: connects many peers at the moment when the zone begins to list the world
lies() {
	clean "$BURST" "$TESTBED/burst.$1"
	connect "$TESTBED/burst.$1" -t 1500 >"$TESTBED/met"
	flow "$1: $BURST clean peers at once connect" "$TESTBED/met"
	check "$1: disabled within 3 s" wait_for 3 zone_is "$1" disabled
	connect "$TESTBED/burst.$1" >"$TESTBED/met"
	flow "$1: they connect again" "$TESTBED/met"
}

# The same for a list that allows: no mail is lost by believing it for a moment.
allows_the_world() {
	listed good "$BURST" "$TESTBED/peers"
	connect "$TESTBED/peers" -q -t 300
	check "allow: disabled within 3 s" wait_for 3 zone_is allow disabled
	meet "allow: disabled: nobody is let in by it any more" "$TESTBED/peers" timeout
}

# known ZONE STATE: connects peers that a broken zone listed before
known() {
	local before=timeout
	[ "$2" != disabled ] || before=connected # purged
	meet "$1: $2: peers that it listed before" "$TESTBED/known.$1" "$before"
	listed "$1" 2 "$TESTBED/seen.$1"
	meet "$1: $2: peers that it lists now" "$TESTBED/seen.$1" connected
}

# breaks ZONE FAULT STATE
breaks() {
	if [ "$1" = busy ]; then
		listed busy 1 "$TESTBED/peers"
		meet "busy: a peer that it lists is refused" "$TESTBED/peers" timeout
	fi
	# The fault and its arguments are words.
	# shellcheck disable=SC2086
	fault "$1" $2
	case $1-$3 in
	allow-*) allows_the_world ;;
	*-disabled) lies "$1" ;;
	tcclosed-*)
		# Another zone's answers are under way when the connection is closed.
		fault good delay 50
		opens "$1"
		fault good none
		;;
	*) opens "$1" ;;
	esac
	: >"$TESTBED/queries"
	later "$1"
	[ "$3" != open ] || same "$1: not asked about peers" 0 "$(peers_asked "$1")"
	said "$1" "$3"
	mail "$1"
	listed good 2 "$TESTBED/peers"
	meet "$1: another zone's listings count" "$TESTBED/peers" timeout
	same "$1: that zone is good" good "$(zone good .state)"
	[ "$1" = allow ] || known "$1" "$3"
}

# each_fault COMMAND...: with each line of FAULTS as three more arguments
each_fault() {
	local zone what state
	while IFS='|' read -r zone what state; do
		[ -z "$zone" ] || "$@" "$zone" "$what" "$state" </dev/null
	done <<<"$FAULTS"
}

still() {
	same "$1: still $3" "$3" "$(zone "$1" .state)"
}

# An allow list that allows the world no longer allows any peer.
allows_nobody() {
	meet "allow: disabled: peers that it allowed before" "$TESTBED/known.allow" timeout
	listed allow 2 "$TESTBED/seen.allow"
	meet "allow: disabled: peers that it allows now" "$TESTBED/seen.allow" timeout
}

# --- all faults end -----------------------------------------------------------------

# passed: prints the time since SINCE
passed() {
	local tenths=$(((${EPOCHREALTIME/./} - SINCE) / 100000))
	echo "$((tenths / 10)).$((tenths % 10)) s"
}

# left: prints the whole seconds until the recovery must be over
left() {
	echo $((RECOVERY_S - (${EPOCHREALTIME/./} - SINCE) / 1000000))
}

# recovered ZONE...: the peers that they list now, never seen before
recovered() {
	local zone when
	when=$(passed)
	: >"$TESTBED/refused"
	for zone; do
		ok "$zone: good again after $when"
		listed "$zone" 2 "$TESTBED/peers"
		if [ "$zone" = allow ]; then
			meet "allow: allows again" "$TESTBED/peers" connected
		else
			cat "$TESTBED/peers" >>"$TESTBED/refused"
		fi
	done
	[ ! -s "$TESTBED/refused" ] || meet "new peers that these list: $*" "$TESTBED/refused" timeout
}

# recover ZONE...: tests each zone as soon as it is good, until the time is over
recover() {
	local zone waiting=" $* " back
	while [ -n "${waiting// /}" ] && [ "$(left)" -gt 0 ]; do
		back=()
		while read -r zone; do
			[[ $waiting == *" $zone "* ]] || continue
			waiting=${waiting/ $zone / }
			back+=("$zone")
		done < <(ctl --json zones | jq -r '.zones[] | select(.state == "good") | .zone')
		[ ${#back[@]} -eq 0 ] || recovered "${back[@]}"
	done
	for zone in $waiting; do
		not_ok "$zone: good again within $RECOVERY_S s" "$(zone "$zone" .)"
	done
}

# just_before ZONE...: listed peers that come when the fault is over, but its zone
# has not been found to be well yet
just_before() {
	local zone
	for zone; do
		[ "$zone" != allow ] || continue
		listed "$zone" 2 "$TESTBED/peers"
		cat "$TESTBED/peers" >>"$TESTBED/just"
		cat "$TESTBED/known.$zone" "$TESTBED/seen.$zone" >>"$TESTBED/again"
	done
	connect "$TESTBED/just" -t 300 -q
	cat "$TESTBED/just" >>"$TESTBED/again"
}

faults_end() {
	local zone zones=()
	SINCE=${EPOCHREALTIME/./}
	: >"$TESTBED/again"
	for zone in "${!PLACE[@]}"; do
		[[ " $WORKING " != *" $zone "* ]] || continue
		fault "$zone" none
		zones+=("$zone")
	done
	just_before "${zones[@]}"
	recover "${zones[@]}"
	# Peers that passed meanwhile, and those whose entries were purged.
	wait_for "$(left)" none_connects "$TESTBED/again" || true
	same "all that were let pass meanwhile are refused after $(passed)" '' \
		"$(awk '$2 == "connected" { print $1 }' "$TESTBED/met")"
	cat "$TESTBED"/burst.* >"$TESTBED/peers"
	meet "clean peers that came when zones began to list the world still connect" \
		"$TESTBED/peers" connected
	for zone in "${zones[@]}"; do
		said "$zone" good
		check "$zone: in the log" test "$(times_good "$zone")" -ge 1
	done
}

# --- a zone lists far more than it did ------------------------------------------------

# It does not list whom it did not list before: the traffic has changed, not the zone.
jumps() {
	clean 1040 "$TESTBED/peers" # 520 of each family, which have shares of their own
	connect "$TESTBED/peers" -q
	listed jumpy $((8 * WINDOW)) "$TESTBED/jump"
	meet "jumpy: its listings count, however many" "$TESTBED/jump" timeout
	check "jumpy: the log says that the traffic has changed" \
		grep -q 'zone jumpy: lists .* of new peers, was .*: the traffic has changed' "$TESTBED/repgated.log"
	said jumpy good
	clean $((4 * WINDOW)) "$TESTBED/peers"
	connect "$TESTBED/peers" >"$TESTBED/met"
	flow "jumpy: clean peers connect" "$TESTBED/met"
	said jumpy good
}

# --- no resolver -----------------------------------------------------------------------

# Prints what a clean peer's mail gets: delivered, or the code of the reply
answer() {
	clean 1 "$TESTBED/tempfail"
	send_mail "$(<"$TESTBED/tempfail")" "t$NUMBER" | awk -F '\t' \
		'$1 == "delivered" { print $1; exit } { print substr($4, 1, 9) }'
}

tempfails() {
	ctl set on_dns_failure tempfail >/dev/null
	same "gone: on_dns_failure = tempfail: 450" "450 4.7.1" "$(answer)"
	same "gone: for this reason" "dns failure" "$(lookup "$(<"$TESTBED/tempfail")" .reason)"
	ctl set on_dns_failure pass >/dev/null
	meet "gone: set to pass again, the same peer connects" "$TESTBED/tempfail" connected
}

gone() {
	local zone
	for zone in "${!PLACE[@]}"; do
		# Those of "jumpy" were removed, and have not come since.
		[[ $zone = allow || $zone = jumpy ]] || cat "$TESTBED/known.$zone"
	done >"$TESTBED/again"
	stop front KILL || true
	opens good
	check "gone: all zones are open" all_are open
	later gone
	mail gone
	said good open
	tempfails
	meet "gone: listed peers stay refused" "$TESTBED/again" timeout
	SINCE=${EPOCHREALTIME/./}
	front_start
	recover "${!PLACE[@]}"
	later "the resolver is back"
	mail "the resolver is back"
}

# --- main ---------------------------------------------------------------------------------

zones() {
	local zone i=0
	for zone in $WORKING $(cut -d '|' -f 1 <<<"$FAULTS"); do
		PLACE[$zone]=$((++i))
	done
	for zone in "${!PLACE[@]}"; do
		i=${PLACE[$zone]}
		printf -v i '10.21.%d.0/24 CODE\n2001:db8:21:%x::/56 CODE\n' "$i" $((i * 0x100))
		# Whom "allow" allows is listed by "good": it shows who is believed.
		[ "$zone" != allow ] || echo "${i//CODE/127.0.0.3}" >"$TESTBED/allowed"
		[ "$zone" = allow ] && i=${i//CODE/127.0.5.1} || i=${i//CODE/127.0.0.4}
		# "cached": no negative answer is remembered, so all of its wrong ones are.
		[ "$zone" = good ] || dnsbl_zone "$zone.example" 300 \
			"$([ "$zone" = cached ] && echo 1 || echo 60)" <<<"$i"
	done
	{
		printf '10.21.%d.0/24 127.0.0.4\n' "${PLACE[good]}"
		printf '2001:db8:21:%x::/56 127.0.0.4\n' $((PLACE[good] * 0x100))
		cat "$TESTBED/allowed"
	} | dnsbl_zone good.example
	zones_start
}

configure() {
	local zone all
	for zone in "${!PLACE[@]}"; do
		if [ "$zone" = allow ]; then
			all+="allow = { suffix = \"allow.example\"; kind = \"allow\";
				codes = [ \"127.0.2.1-127.0.9.3\" ]; };"
		else
			all+="$zone = { suffix = \"$zone.example\"; kind = \"standard\"; };"
		fi
	done
	unset 'CONF[ers]'
	CONF[zones]="{ $all }"
	CONF[hit_share_window]=$WINDOW
	RESOLVER=$FRONT
	repgate_config
}

# Without a fault, all zones are good and quick.
normal() {
	local zone
	must "not all zones are good" wait_for 10 all_are good
	clean 30 "$TESTBED/peers"
	connect "$TESTBED/peers" -c 1 >"$TESTBED/met"
	flow "no fault: clean peers connect" "$TESTBED/met"
	NORMAL=$(median "$TESTBED/met")
	for zone in "${!PLACE[@]}"; do
		listed "$zone" 2 "$TESTBED/known.$zone"
		[ "$zone" = allow ] || cat "$TESTBED/known.$zone"
	done >"$TESTBED/peers"
	meet "no fault: listed peers do not" "$TESTBED/peers" timeout
	meet "no fault: allowed ones do" "$TESTBED/known.allow" connected
}

main() {
	local status=0 slow_was_good
	testbed_up
	zones
	postfix_start
	back_start
	front_start
	configure
	repgate_start
	normal
	jumps
	truncated
	late
	slow_was_good=$(times_good slow)
	each_fault breaks
	each_fault still
	same "slow: answers too late to be of use never make it good" "$slow_was_good" \
		"$(times_good slow)"
	allows_nobody
	faults_end
	gone
	repgate_stop || status=$?
	same "repgated ends well" 0 "$status"
	finish
}

main
