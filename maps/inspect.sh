#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# inspect.sh [PIN_PATH] - what the pinned maps of repgate hold, for people
#
# Reads the kernel's maps, not the agent: it works also if the agent is dead.
# Needs root, bpftool and jq. PIN_PATH is /sys/fs/bpf/repgate by default.

# shellcheck disable=SC2016 # jq's variables, not the shell's

set -eu
export LC_ALL=C

pins=${1:-/sys/fs/bpf/repgate}
bpftool=$(PATH=$PATH:/usr/sbin:/sbin command -v bpftool) || {
	echo "inspect.sh: bpftool is missing" >&2
	exit 1
}
command -v jq >/dev/null || {
	echo "inspect.sh: jq is missing" >&2
	exit 1
}
[ -e "$pins/settings" ] || {
	echo "inspect.sh: no maps of repgate in $pins" >&2
	exit 1
}

# The losses are no type that the kernel keeps; the order is that of RG_LOSSES
# in stats.h. All other names come from the maps' BTF.
losses='bad_ipv4 bad_ipv6 bad_tcp bad_length bad_checksum other_mac no_host ext_headers
	vlan_tags fragment_short fragment_overlap fragment_syn ring_full ring_full_sample sample_limit
	pending_failed flood_first flood_retry flood_network flood_drop
	hold_flows hold_too_long hold_copy agent_silent
	reset_failed tag_failed responder_gone not_local unconfirmed steer_failed
	bucket_failed bucket_busy no_settings'

# Expiry is in nanoseconds of CLOCK_BOOTTIME, which is what /proc/uptime shows.
now=$(cut -d ' ' -f 1 /proc/uptime)

library='
def hex: if . < 16 then "0123456789abcdef"[.:. + 1]
	else (. / 16 | floor | hex) + (. % 16 | hex) end;
def v4: .[:12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
def v6: . as $b | ([range(0; 16; 2) | $b[.] * 256 + $b[. + 1] | hex] | join(":")) as $long
	| first((range(8; 1; -1) | "(^|:)0(:0){\(. - 1)}(:|$)" as $zeros
		| $long | select(test($zeros)) | sub($zeros; "::")), $long);
def addr: if v4 then .[12:] | map(tostring) | join(".") else v6 end;
def prefix: .len as $len | .addr.bytes
	| if $len == 128 then addr
	elif v4 and $len >= 96 then "\(addr)/\($len - 96)"
	else "\(v6)/\($len)" end;
def word: ascii_downcase | sub("^rg_(class|action|reason|mode|peer)_"; "") | gsub("_"; " ");
def seconds: if . >= 86400 then "\(. / 86400 | floor)d \(. % 86400 / 3600 | floor)h"
	elif . >= 3600 then "\(. / 3600 | floor)h \(. % 3600 / 60 | floor)m"
	elif . >= 60 then "\(. / 60 | floor)m \(. % 60 | floor)s"
	else "\(floor)s" end;
def left: if . == 0 then "for good" else (. / 1e9 - $now)
	| if . <= 0 then "over" else seconds end end;
def code: [127] + . | map(tostring) | join(".");
def pad($n): tostring | . + (" " * ($n - length));
def row($widths): . as $cells | [range(length) as $i | $cells[$i]
	| if $widths[$i] then pad($widths[$i]) else tostring end] | join(" ") | sub(" +$"; "");
def entries: map(.formatted);
def rows($widths; f): if length == 0 then "(empty)" else .[] | f | row($widths) end;
'

# dump MAP: as JSON; empty is [].
dump() {
	"$bpftool" -j map dump pinned "$pins/$1"
}

# show MAP FILTER [JQ_ARGUMENT...]
show() {
	map=$1 filter=$2
	shift 2
	dump "$map" | jq -r --argjson now "$now" "$@" "$library entries | $filter"
}

# setting FILTER: one value of the settings
setting() {
	dump settings | jq ".[0].formatted.value | $1"
}

heading() {
	printf '\n== %s\n' "$1"
}

btf=$("$bpftool" -j map show pinned "$pins/stats" | jq .btf_id)
enums=$("$bpftool" -j btf dump id "$btf" | jq -c '
	def names($n): [.types[] | select(.kind == "ENUM" and .name == $n).values[].name
		| ascii_downcase | sub("^rg_(class|action)_"; "")] | .[:index("max")];
	{ class: names("rg_class"), action: names("rg_action") }')
zones=$(dump zones | jq -c '[.[].formatted.value.alias]')
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

echo "repgate maps in $pins"

heading "settings: written by the agent, read by XDP"
show settings '.[0].value
	| "mode \(.mode | word), unknown: \(.unknown | word), overload: \(.overload | word), blocked: \(.blocked | word)",
	"ports \(.ports[:.port_count] | map(tostring) | join(" ")), layout \(.layout)",
	"new peers: \(1e9 / .gates[0].token_time | round) a second, burst \(.gates[0].depth / .gates[0].token_time | floor)",
	"throttle: 1 SYN in \(.throttle.token_time / 1e9) s, burst \(.throttle.depth / .throttle.token_time | floor); tag: \(if .tag_dscp == 0 then "not used" else "DSCP \(.tag_dscp)" end)",
	"responder: \(if .steering == 1 then "connections can reach it" else "connections can'"'"'t reach it" end)",
	"agent: last sign of life \(($now - .heartbeat / 1e9) * 1000 | floor / 1000) s ago, silent after \(.heartbeat_timeout / 1e9) s"'

heading "zones: what the zone numbers of the verdicts mean"
show zones '[.[] | select(.value.peer_class != "RG_CLASS_NONE")]
	| rows([4, 32]; [.key, .value.alias, (.value.peer_class | word)])'

heading "lists: the local lists in force (pinned as lists_now)"
show lists_now 'rows([9, 44, 10]; [(.value.peer_class | word), (.key | prefix),
	(.value.expiry | left), "file \(.value.source) line \(.value.line)"])'

heading "verdicts: class, action, peer, time left, SYNs, reason"
# With their details, each looked up by its number: most of that map is free.
dump verdicts | jq --arg pin "$pins/verdict_details" \
	--argjson max "$("$bpftool" -j map show pinned "$pins/verdict_details" | jq .max_entries)" -r '
	.[].formatted.value.details | select(. < $max)
	| "map lookup pinned \($pin) key \(. % 256) \(. / 256 % 256 | floor) \(. / 65536 % 256 | floor) \(. / 16777216 | floor)"' |
	"$bpftool" -j batch file - >"$scratch"
show verdicts 'INDEX($details[][].output.formatted; .key) as $of
	| map(.value += ($of["\(.value.details)"].value // { hits: "-", reason: "no details", code: [] }))
	| rows([9, 8, 44, 10, 8]; [(.value.peer_class | word), (.value.action | word),
	(.key | prefix), (.value.expiry | left), .value.hits,
	(.value | "\(.reason | word)\(if .zone < 32 then " \($zones[.zone]) \(.code | code)" else "" end)")])' \
	--argjson zones "$zones" --slurpfile details "$scratch"

heading "peers: clean ones, and those that are being asked about"
show peers 'rows([9, 44, 10]; [(.value.state | word), (.key.bytes | addr),
	(.value.expiry | left), (if .value.state == "RG_PEER_PENDING"
		then "\(.value.held) held" else .value.reason | word end)])'

heading "buckets: throttled peers, SYNs that are free now, seconds until all are again"
show buckets 'rows([44, 10]; (([.value.full_at / 1e9 - $now, 0] | max) as $wait
	| [(.key.bytes | addr), ($depth - $wait) / $token, ($wait * 10 | ceil / 10)]
	| .[1] |= ([., 0] | max | floor)))' \
	--argjson token "$(setting '.throttle.token_time / 1e9')" --argjson depth "$(setting '.throttle.depth / 1e9')"

heading "admission: SYNs of unknown peers that are let in now (new_peers_per_second)"
show admission 'rows([16]; (.key as $key | $gates[$key] as $gate
	| ([.value.full_at - $now * 1e9, 0] | max) as $wait
	| [(["new peers", "retransmissions", "on_overload"][$key]),
	"\([($gate.depth - $wait) / $gate.token_time, 0] | max | floor) of \($gate.depth / $gate.token_time | floor)"]))' \
	--argjson gates "$(setting .gates)"

heading "responder: its listening sockets, with their cookies (ss -e: sk)"
dump responder | jq -r --argjson now "$now" "$library"'
	def number: ltrimstr("0x") | ascii_downcase | explode
		| reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));
	rows([16]; [(["tempfail, IPv4", "tempfail, IPv6", "reject, IPv4", "reject, IPv6"]
		[.key[0] | number]), (if .value | type == "array"
		then .value | map(ltrimstr("0x")) | reverse | join("") | sub("^0+"; "") else "-" end)])'

heading "stats: packets and attempts; what is 0 is left out"
show stats '($enums.class | length) as $classes | ($enums.action | length) as $actions
	| ($classes * $actions) as $table | ($losses | [splits("\\s+")]) as $names
	| map({ key, packets: ([.values[].value.packets] | add), attempts: ([.values[].value.attempts] | add) }
		| select(.packets > 0)
		| if .key < 2 * $table then
			(.key % $table) as $at
			| ["\($enums.class[$at / $actions | floor]) \($enums.action[$at % $actions])",
			.packets, .attempts, (if .key < $table then "" else "(monitor mode let them pass)" end)]
		elif .key - 2 * $table == ($names | length) then
			["given to the responder", .packets, "", ""]
		else ["lost or degraded: \($names[.key - 2 * $table] // "number \(.key - 2 * $table)")",
			.packets, "", ""] end)
	| rows([36, 12, 12]; .)' --argjson enums "$enums" --arg losses "$losses"

heading "the maps themselves"
for map in settings zones lists lists_now verdicts verdict_details peers buckets admission responder stats events attempts; do
	"$bpftool" -j map show pinned "$pins/$map" | jq -r --arg map "$map" --argjson now 0 \
		"$library"'["\($map)", .type, "id \(.id)", "max_entries \(.max_entries)",
		"\(.bytes_memlock) bytes"] | row([15, 14, 9, 20])'
done
