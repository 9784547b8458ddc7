# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# zones.sh - DNS lists (rbldnsd), the resolver in front of them (unbound), and slow DNS (dns_delay)

# Raised with each zone file that is written: the serial number in its SOA.
TESTBED_ZONE_SERIAL=0

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
# A trie of rbldnsd holds one value for each prefix and one TTL. Further values
# and other TTLs go into datasets of their own.
zone_write() {
	local file=$TESTBED/zones/$1
	mkdir -p "$TESTBED/zones"
	TESTBED_ZONE_SERIAL=$((TESTBED_ZONE_SERIAL + 1))
	awk -v subzone="$2" -v ttl="$3" -v negative="$4" \
		-v serial="$TESTBED_ZONE_SERIAL" '
		BEGIN {
			printf "$SOA %d ns.example. hostmaster.example. %d 1h 10m 1w %d\n",
				negative, serial, negative
			printf "$NS %d ns.example.\n", negative
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
	touch -d "@$((EPOCHSECONDS + TESTBED_ZONE_SERIAL))" "$file.new"
	mv "$file.new" "$file"
}

# zones_start: starts rbldnsd and unbound with all zones written so far and waits
# until they answer.
zones_start() {
	local file zone specs=()
	for file in "$TESTBED"/zones/*; do
		zone=${file##*/}
		specs+=("$zone:combined:$zone")
	done
	spawn rbldnsd rbldnsd -n -u rbldns -w "$TESTBED/zones" -c 3600 \
		-b 127.0.0.1/5300 "${specs[@]}"
	zones_unbound_conf >"$TESTBED/unbound.conf"
	spawn unbound unbound -d -c "$TESTBED/unbound.conf"
	must "the zones do not answer" zones_wait
}

zones_unbound_conf() {
	cat <<-END
	server:
		directory: "$TESTBED"
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
		# Ask for whole names only, each once while it is cached.
		qname-minimisation: no
		# Room for 10,000 new peers within seconds.
		outgoing-range: 8192
		num-queries-per-thread: 4096
		so-rcvbuf: 4m
		so-sndbuf: 4m
		# No other name server can be reached.
		local-zone: "." refuse
	END
	for zone in "$TESTBED"/zones/*; do
		printf '\tlocal-zone: "%s" transparent\n' "${zone##*/}"
	done
	for zone in "$TESTBED"/zones/*; do
		printf 'stub-zone:\n\tname: "%s"\n\tstub-addr: %s\n' \
			"${zone##*/}" 127.0.0.1@5300
	done
	cat <<-END
	remote-control:
		control-enable: yes
		control-interface: $TESTBED/unbound.ctl
		control-use-cert: no
	END
}

# zones_reload: loads the zones that were written again and empties the
# resolver's cache. A zone with a new name needs a new zones_start.
zones_reload() {
	local file
	kill -HUP "${TESTBED_PID[rbldnsd]}"
	must "rbldnsd did not take the new zones" wait_for 10 zones_loaded 5300
	for file in "$TESTBED"/zones/*; do
		unbound-control -q -c "$TESTBED/unbound.conf" \
			flush_zone "${file##*/}" >/dev/null
	done
	must "the new zones do not answer" zones_wait
}

zones_wait() {
	wait_for 10 zones_loaded 53
}

# zones_loaded PORT: does the server there answer with the serial number of each file?
zones_loaded() {
	local file want got
	for file in "$TESTBED"/zones/*; do
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

# delay_start MILLISECONDS [OPTION...]: puts dns_delay between repgated and unbound.
# Call it before repgate_config, which writes the RESOLVER that this function sets.
# $TESTBED/queries has one line for each query: name, tab, type.
delay_start() {
	: >"$TESTBED/queries"
	spawn dns_delay "$BUILD/tests/dns_delay" --delay "$1" "${@:2}" \
		--log "$TESTBED/queries" 127.0.0.1:5354 127.0.0.1:53
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
