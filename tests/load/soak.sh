#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# soak.sh - half an hour of everything at once, and memory stays flat
#
#	SOAK_SECONDS=1800 tests/load/soak.sh
#
# The agent is built with ASan and UBSan. The load: new and known peers of every
# class and action, refused SMTP sessions, short floods, good and bad reloads,
# lists and zones that change, verdicts that expire, a resolver that is slow and
# sometimes silent, and every command.
#
# A warm-up of a third of SOAK_SECONDS comes first: ASan keeps the peak of each
# size of memory, and the peaks come within the first ten minutes. Then VmRSS is
# sampled for SOAK_SECONDS. Its mean over the last third may differ from its mean
# over the first third by PERCENT. Prints a table and the result; exit status 0 if
# memory stays flat and every load did its work.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"

ASAN=$BUILD/asan
if [ -z "${TESTBED_INSIDE:-}" ]; then
	make -C "$TOP" --no-print-directory BUILD="$ASAN" SANITIZE=1 CFLAGS="-O1 -g" \
		"$ASAN/repgated" "$ASAN/repgatectl"
fi
testbed_reexec "$0" "$@"

SOAK_SECONDS=${SOAK_SECONDS:-1800}
WARM_SECONDS=$((SOAK_SECONDS / 3))
SAMPLE_SECONDS=5
ROWS=30
PERCENT=2
PEERS=6000
RATE=150 # new peers a second; all of them come in 40 s, by when they are forgotten
TTL=15
CODE="activation_code_file = \"$TESTBED/repgate/activation-code\""
# ASan keeps each different stack forever, and long stacks keep differing for hours.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:log_path=stderr:malloc_context_size=2
ASAN_OPTIONS+=:quarantine_size_mb=1:thread_local_quarantine_size_kb=16
ASAN_OPTIONS+=:allocator_release_to_os_interval_ms=500
export UBSAN_OPTIONS=print_stacktrace=1

# --- the peers ---------------------------------------------------------------

# A class for each pair of addresses, IPv4 and IPv6; the first half is clean.
CLASSES=(clean clean clean clean clean clean clean clean clean clean
	drop reset reject tag tempfail throttle approved blocked changing clean)

peers() {
	many_addresses $PEERS | awk -v classes="${CLASSES[*]}" '
		BEGIN { count = split(classes, class, " ") }
		{ print $1, class[int((NR - 1) / 2) % count + 1] }' >"$TESTBED/peers"
}

# of CLASS: prints its addresses
of() {
	awk -v class="$1" '$2 == class { print $1 }' "$TESTBED/peers"
}

# of_with CLASS VALUE: prints its addresses as entries of a zone
of_with() {
	of "$1" | sed "s/\$/ $2/"
}

zones_write() {
	of_with drop 127.1.0.1 | ers_zone standard $TTL $TTL
	of_with tempfail 127.0.0.32 | ers_zone qil $TTL $TTL
	of_with reset 127.0.0.2 | dnsbl_zone reset.example $TTL $TTL
	of_with reject 127.0.0.2 | dnsbl_zone reject.example $TTL $TTL
	of_with tag 127.0.0.2 | dnsbl_zone tag.example $TTL $TTL
	of_with throttle 127.0.0.2 | dnsbl_zone throttle.example $TTL $TTL
	of_with approved 127.0.0.2 | dnsbl_zone approved.example $TTL $TTL
	of_with changing 127.0.0.2 | dnsbl_zone changing.example $TTL $TTL
}

# zone NAME KIND ACTION
zone() {
	echo "	$1 = { suffix = \"$1.example\"; kind = \"$2\"; codes = [ \"127.0.0.2\" ];"
	echo "		ttl_min = \"5s\"; ttl_max = \"${TTL}s\";${3:+ action = \"$3\";} };"
}

configure() {
	CONF[ers]="{ $CODE; standard_ttl_min = \"5s\"; standard_ttl_max = \"${TTL}s\";
	qil_ttl_min = \"5s\"; qil_ttl_max = \"${TTL}s\"; }"
	CONF[zones]="{
$(zone reset standard reset)
$(zone reject standard reject)
$(zone tag standard tag)
$(zone throttle qil throttle)
$(zone changing standard reset)
$(zone approved allow)
}"
	CONF[clean_ttl_min]='"5s"'
	CONF[clean_ttl_max]="\"${TTL}s\""
	CONF[failure_ttl]='"5s"'
	CONF[new_peers_per_second]=400
	CONF[qil_throttle]='"6/min burst 2"'
	repgate_config "$@"
}

# --- the load: each function is called repeatedly ----------------------------

# The pace of the load. No check depends on it.
pause() {
	sleep "$1"
}

new_peers() {
	cut -d ' ' -f 1 "$TESTBED/peers" | in_clients "$BUILD/tests/syn_client" -q -s -f - \
		-r $RATE -c 4000 -t 3500 "$MX4,$MX6" 25 >>"$TESTBED/met.new"
}

# Six peers of each class, more often than the throttle allows.
known_peers() {
	awk 'seen[$2]++ < 6 { print $1 }' "$TESTBED/peers" | in_clients "$BUILD/tests/syn_client" \
		-q -s -f - -r 50 -c 4000 -t 500 "$MX4,$MX6" 25 >>"$TESTBED/met.known"
}

sessions() {
	{ of tempfail; of reject; } | in_clients "$BUILD/tests/smtp_load" -f - -s 10 -r 10 \
		-c 50 -t 5000 "$MX4,$MX6" 25 >>"$TESTBED/met.sessions"
}

flood() {
	in_clients "$BUILD/tests/syn_flood" --seconds 1 --rate 20000 --seed "$EPOCHSECONDS" \
		--source 64.0.0.0/3 --source 2400::/8 cl0 02:00:00:00:00:25 "$MX4,$MX6" 25 \
		>>"$TESTBED/met.flood"
	pause 30
}

reloads() {
	ctl reload
	pause 2
	configure "log_per_second = $((RANDOM % 50));" "blocked_action = \"reset\";"
	kill -HUP "${TESTBED_PID[repgated]}"
	pause 2
	configure "zones.nonsense = 1;"
	ctl reload
	configure "ports = [ 25, 587 ];" 'mode = "monitor";'
	ctl reload
	pause 1
	unset 'CONF[zones]'
	configure_without_zones
	ctl reload
	configure
	ctl reload
	pause 5
}

# All verdicts are in question then.
configure_without_zones() {
	CONF[zones]="{ $(zone reset standard drop) }"
	repgate_config
}

lists() {
	seq -f "192.0.2.%g" $((100 + RANDOM % 50)) 150 | local_list blocked more
	pause 2
	echo "nonsense" | local_list approved wrong
	pause 1
	rm "$TESTBED/repgate/approved.d/wrong.list"
	ctl block 192.0.2.200 --for 3s --comment soak
	ctl approve 2001:db8:99::/48
	pause 2
	ctl unlist 2001:db8:99::/48
	rm "$TESTBED/repgate/blocked.d/more.list"
	pause 3
}

zone_changes() {
	pause 20
	of_with changing 127.0.0.2 | awk 'NR % 2' | dnsbl_zone changing.example $TTL $TTL
	zones_reload
	pause 20
	zones_write
	zones_reload
}

# No answer for as long as three inquiries take.
outages() {
	pause 40
	kill -STOP "${TESTBED_PID[dns_delay]}"
	pause 3
	kill -CONT "${TESTBED_PID[dns_delay]}"
}

commands() {
	local json command
	for json in '' --json; do
		for command in status stats zones events dump list version \
			"report day" "report month" \
			"lookup 10.21.0.1" "lookup 198.51.100.7 --store" "lookup nonsense" \
			"flush 10.21.0.5" "flush reset" "test-config $REPGATE_CONF"; do
			# shellcheck disable=SC2086 # words
			timeout 20 nsenter --net=/run/netns/mail -- "$ASAN/repgatectl" \
				--socket "$REPGATE_SOCKET" $json $command
		done
	done
	scrape
	timeout 2 nsenter --net=/run/netns/mail -- "$ASAN/repgatectl" \
		--socket "$REPGATE_SOCKET" events --follow
	pause 3
}

# again NAME: calls the load NAME until the end; its output goes to $TESTBED/NAME.load
again() {
	while [ "$EPOCHSECONDS" -lt "$END" ] && alive repgated; do
		"$1" || true
	done >"$TESTBED/$1.load" 2>&1
}

# --- samples -----------------------------------------------------------------

memory() {
	awk "\$1 == \"$1:\" { print \$2 }" "/proc/${TESTBED_PID[repgated]}/status"
}

files() {
	find "/proc/${TESTBED_PID[repgated]}/fd" -mindepth 1 | wc -l
}

# seconds RSS HWM files, inquiries begun and open, verdicts, reloads
sample() {
	printf '%s\t%s\t%s\t%s\t' $((EPOCHSECONDS - BEGAN)) "$(memory VmRSS)" \
		"$(memory VmHWM)" "$(files)"
	ctl --json stats | jq -r '"\(.inquiries.begun)\t\(.inquiries.open)"' | tr '\n' '\t'
	ctl --json status | jq -r '"\([.maps[] | select(.name == "verdicts").entries] | add)\t\(.agent.reloads)"'
}

samples() {
	local next=$EPOCHSECONDS
	while [ "$EPOCHSECONDS" -lt "$END" ] && alive repgated; do
		sample || true
		next=$((next + SAMPLE_SECONDS))
		[ "$next" -le "$EPOCHSECONDS" ] || pause $((next - EPOCHSECONDS))
	done >"$TESTBED/samples"
}

# Means of the rows of the table, then what the thirds say: "FIRST LAST PERCENT".
table() {
	awk -v rows=$ROWS -v warm="$WARM_SECONDS" 'BEGIN {
			OFS = "\t"
			print "second", "VmRSS", "VmHWM", "files", "peers", "open", "verdicts", "reloads"
		}
		{ line[NR] = $0; rss[NR] = $2 }
		END {
			step = int(NR / rows) + 1
			for (i = 1; i <= NR; i++) {
				sum += rss[i]
				if (i % step && i < NR) continue
				split(line[i], f, "\t")
				print f[1] (f[1] < warm ? " (warm-up)" : ""), int(sum / ((i - 1) % step + 1)),
					f[3], f[4], f[5], f[6], f[7], f[8]
				sum = 0
			}
		}' "$TESTBED/samples"
}

thirds() {
	awk -v from="$WARM_SECONDS" -v seconds="$SOAK_SECONDS" '
		$1 >= from {
			third = int(3 * ($1 - from) / (seconds + 1))
			sum[third] += $2
			count[third]++
		}
		END {
			if (!count[0] || !count[2]) exit 1
			first = sum[0] / count[0]
			last = sum[2] / count[2]
			printf "%d %d %.2f\n", first, last, 100 * (last - first) / first
		}' "$TESTBED/samples"
}

is_flat() {
	awk -v percent="$1" -v most=$PERCENT 'BEGIN { exit !(percent <= most && percent >= -most) }'
}

# --- the result --------------------------------------------------------------

# was CLASS ACTION: did this action happen to a peer of this class?
was() {
	jq -e --arg class "$1" --arg action "$2" '.packets[$class][$action] > 0' \
		<<<"$STATS" >/dev/null
}

# Flat memory means nothing if the load did nothing.
load_was_mixed() {
	local pair
	for pair in "clean pass" "approved pass" "blocked drop" "standard drop" \
		"standard reset" "standard reject" "standard tag" "qil tempfail" \
		"qil throttle" "unknown hold"; do
		# shellcheck disable=SC2086 # words
		was $pair || echo "no $pair"
	done
	jq -e '.losses.flood_first > 0' <<<"$STATS" >/dev/null || echo "no flood"
	jq -e '.responder.refused > 0' <<<"$STATS" >/dev/null || echo "no session"
	jq -e '.agent.reloads > 10' <<<"$STATUS" >/dev/null || echo "no reloads"
	grep -q 'reload refused\|not reloaded' "$TESTBED/repgated.log" || echo "no bad reload"
	jq -e '[.zones[].failed | add // 0] | add > 0' <<<"$ZONES" >/dev/null ||
		echo "no outage"
}

# totals FILE: the sums of syn_client's outcomes
totals() {
	awk '{ for (i = 2; i <= 5; i++) { split($i, f, "="); sum[f[1]] += f[2] } }
		END { for (key in sum) printf "%s %d ", key, sum[key]; print "" }' "$TESTBED/met.$1"
}

testbed_up
peers
zones_write
zones_start
: >"$TESTBED/met.flood"
spawn dns_delay "$BUILD/tests/dns_delay" --delay 30 127.0.0.1:5354 127.0.0.1:53
must "dns_delay does not listen" wait_for 5 udp_open 5354
RESOLVER=127.0.0.1:5354
sink_start
configure
of blocked | local_list blocked soak
REPGATED="${SOAK_AGENT:-$ASAN/repgated}" repgate_start

BEGAN=$EPOCHSECONDS
END=$((BEGAN + WARM_SECONDS + SOAK_SECONDS))
read -ra LOADS <<<"${SOAK_LOADS:-new_peers known_peers sessions flood reloads lists zone_changes outages commands}"
for load in "${LOADS[@]}"; do
	again "$load" &
done
samples
check "the agent lives" alive repgated
STATS=$(ctl --json stats) STATUS=$(ctl --json status) ZONES=$(ctl --json zones)
table
echo "# new peers: $(totals new)"
echo "# known peers: $(totals known)"
echo "# losses: $(jq -c '.losses | with_entries(select(.value > 0))' <<<"$STATS")"
same "the load was mixed" '' "$(load_was_mixed)"
read -r FIRST LAST CHANGE < <(thirds)
check "memory is flat: $FIRST KB in the first third, $LAST KB in the last: $CHANGE %" \
	is_flat "$CHANGE"
STATUS=0
repgate_stop || STATUS=$?
same "repgated ends well" 0 "$STATUS"
same "the sanitizers found nothing" '' "$(grep -h -m 20 -A 12 \
	'Sanitizer\|runtime error' "$TESTBED"/*.log "$TESTBED"/*.load || true)"
finish
