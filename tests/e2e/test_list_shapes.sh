#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_list_shapes.sh - list files in the shapes that people have
#
# Each file is put beside a good one while the agent runs. What of it can be read is in force, what can't is refused
# line by line, and nothing else suffers: reload, approve and unlist work, the good file stays in force. After each 20
# files the agent is killed and started again with all of them.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

BLOCKED=$TESTBED/repgate/blocked.d
SHAPES_AT_ONCE=20

# Name | bad lines | words of the fault, - for none | last bytes of addresses that are blocked | that are not | content
# for printf %b. @ is the file's own network of 24 bits, an IPv4 address without its last byte; & is 2001:db8:1N with its number.
# A name that begins with = is used as it is; others are made in each of the layouts below.
SHAPES='
address|0|-|1|2|@.1\n
addresses|0|-|1 2 3|4|@.1\n@.2\n@.3\n
unsorted, twice|0|-|1 9|2|@.9\n@.1\n@.9\n@.1\n
DROP|0|-|0 127|128|; Spamhaus DROP List 2026/11/30\n; Last-Modified: Mon\n@.0/25 ; SBL123456\n
EDROP|0|-|0 127 129|200|@.0/25 ; SBL1\n@.128/26 ; SBL2\n
firehol netset|0|-|7 64 95|96|#\n# firehol_level1\n#\n# ipv4 hash:net ipset\n#\n@.7\n@.64/27\n
comments behind|0|-|1 2|3|@.1 # one\n@.2\t; two\n
comments without a blank|0|-|1 2|3|@.1#one\n@.2;two\n
only comments|0|-||1 2|# @.1\n; @.2\n#\n
host bits set|0|-|0 77 255||@.77/24\n
range|0|-|10 20|9 21|@.10-@.20\n
range with blanks|0|-|10 20|9 21|@.10 - @.20\n
IPv6|0|-|&::1|&::2|&::1\n
IPv6 prefix|0|-|&::1 &:ffff::9|1|&::/48\n
IPv6 range|0|-|&::10 &::1f|&::20|&::10-&::1f\n
IPv6 in full|0|-|&::1|&::2|&:0000:0000:0000:0000:0001\n
IPv6 in capitals|0|-|&::ab|&::ac|&::AB\n
v4-mapped|0|-|5|6|::ffff:@.5\n
v4-mapped prefix|0|-|0 127|128|::ffff:@.0/121\n
both families|0|-|1 &::1|2 &::2|@.1\n&::1\n
blanks around|0|-|1|2|  \t@.1 \t \n
empty lines|0|-|1 2|3|\n\n@.1\n\n\n@.2\n\n
an end|0|-|1|2|@.1 until=4102444800\n
an end that is over|0|-||1|@.1 until=1000000000\n
as wide as is taken|0|-|1|2|@.1/32\n
wide|1|-|1|2|@.1\n0.0.0.0/0\n
wide, with force|0|-|1|2|@.1 force\n
IPv6 that is wide|1|-|1|2|@.1\n2000::/3\n
a bad line of many|1|-|1 2 3 4 5 6 7 8 9|99|@.1\n@.2\n@.3\n@.4\n@.5\n@.6\n@.7\n@.8\n@.9\n@.1@.99\n
octet over 255|1|-|1|2|@.1\n@.256\n
length over 32|1|-|1|2|@.1\n@.0/33\n
no length|1|-|1|2|@.1\n@.0/\n
network mask|1|-|1|2|@.1\n@.0/255.255.255.0\n
three octets|1|-|1|2|@.1\n@\n
five octets|1|-|1|2|@.1\n@.1.1\n
0-padded octets|1|-|1|2|@.1\n@.002\n
range the wrong way|1|-|1|2|@.1\n@.9-@.2\n
range to the last byte|1|-|1|2|@.1\n@.2-9\n
range of two families|1|-|1|2|@.1\n@.2-&::1\n
wildcard|1|-|1|2|@.1\n@.*\n
zone id|1|-|1|2|@.1\nfe80::1%%eth0\n
brackets|1|-|1|2|@.1\n[@.2]\n
port|1|-|1|2|@.1\n@.2:25\n
trailing dot|1|-|1|2|@.1\n@.2.\n
quotes|1|-|1|2|@.1\n"@.2"\n
comma at the end|1|-|1|2|@.1\n@.2,\n
two on a line|1|-|1|2 3|@.1\n@.2 @.3\n
comma between|1|-|1|2 3|@.1\n@.2,@.3\n
URL|1|-|1|2|@.1\nhttp://@.2/malware.exe\n
host name|1|-|1|2|@.1\nmail.example.org\n
mail address|1|-|1|2|@.1\nspammer@example.org\n
a word|1|-|1|2|@.1\nblocklist\n
country|1|-|1|2|@.1\nDE\n
no country|1|-|1|2|@.1\nUK\n
AS number|1|-|1|2|@.1\nAS64496\n
reversed for a zone|0|-|1|2|@.1\n
negated|1|-|1|2|@.1\n!@.2\n
dash before|1|-|1|2|@.1\n- @.2\n
bullet|1|-|1|2|@.1\n* @.2\n
number before|1|-|1|2|@.1\n1) @.2\n
date behind|1|-|1|2|@.1\n@.2 2026-11-30\n
tab and reason|1|-|1|2|@.1\n@.2\tspam\n
C comment|1|-|1|2|@.1\n// a comment\n
dnsmasq|1|-|1|2|@.1\naddress=/example.org/@.2\n
Postfix access|1|-|1|2|@.1\n@.2 REJECT\n
hosts.deny|1|-|1|2|@.1\nsendmail: @.2\n
iptables|1|-|1|2|@.1\n-A INPUT -s @.2/32 -j DROP\n
nft|1|-|1|2|@.1\nelements = { @.2 }\n
ipset|1|-|1|2|@.1\nadd blocklist @.2\n
CSV|2|2 of 2 lines are bad||1|ip,date,reason\n@.1,2026-11-30,spam\n
CSV of a header and addresses|1|-|1|2|ip\n@.1\n
hosts file|2|2 of 2 lines are bad||1|127.0.0.1 localhost\n0.0.0.0 ads.example.org\n
ipset save|3|3 of 3 lines are bad||1|create x hash:net family inet\nadd x @.1\nadd x @.2/31\n
nft set|4|4 of 4 lines are bad||1|table inet f {\nset b { type ipv4_addr\nelements = { @.1, @.2 }\n}\n
JSON|4|4 of 4 lines are bad||1|{\n"ip": [\n"@.1"\n]}\n
JSON on one line|1|1 of 1 lines are bad||1|["@.1","@.2"]\n
XML|3|3 of 3 lines are bad||1|<?xml version="1.0"?>\n<ip>@.1</ip>\n<ip>@.2</ip>\n
error page|5|5 of 5 lines are bad||1|<html>\n<head><title>404</title></head>\n<body>\n<h1>Not Found</h1>\n</html>\n
error page on one line|1|1 of 1 lines are bad||1|<html><body>429 Too Many Requests</body></html>\n
plain error|1|1 of 1 lines are bad||1|rate limit exceeded\n
zone file|2|2 of 2 lines are bad||1|$TTL 300\n1.0.0 IN A 127.0.0.2\n
rbldnsd|1|1 of 1 lines are bad||1|:127.0.0.2:listed\n
BIND acl|3|3 of 3 lines are bad||1|acl b {\n{@.1};\n};\n
YAML|2|2 of 2 lines are bad||1|- @.1\n- @.2\n
whois|2|2 of 2 lines are bad||1|inetnum: @.0 - @.255\nnetname: TEST\n
=CR only|1|1 of 1 lines are bad||1|@.1\r@.2\r
=NUL bytes|1|-|1 3|2|@.1\n@.\00002\n@.3\n
=BOM twice|1|1 of 1 lines are bad||1|\xef\xbb\xbf\xef\xbb\xbf@.1\n
=Latin-1 comment|0|-|1|2|@.1 # gr\xfc\xdfe\n
=Latin-1 line|1|-|1|2|@.1\ngr\xfc\xdfe\n
=control characters|1|-|1|2|@.1\n\x1b[31m@.2\x1b[0m\n
=form feed and vertical tab|0|-|1 2|3|@.1\f\n@.2\v\n
=no-break space|1|-|1|2|@.1\n@.2\xc2\xa0\n
=full-width digits|1|-|1|2|@.1\n@.\xef\xbc\x92\n
=one byte|1|1 of 1 lines are bad||1|1
=one newline|0|-||1|\n
=a blank|0|-||1| 
=nothing|0|-||1|
=a Windows path|1|-|1|2|@.1\nC:\\\\lists\\\\drop.txt\n
=a Unix path|1|-|1|2|@.1\n/etc/passwd\n
=a shell command|1|-|1|2|@.1\n$(reboot)\n
=a format|1|-|1|2|@.1\n%%s%%n\n
=a long name|1|-|1|2|@.1\nLONG\n
=a long comment|0|-|1|2|@.1 # LONG\n
=a long line of digits|1|-|1|2|@.1\nDIGITS\n
=many bad lines|30|30 of 31 lines are bad|1|2|@.1\nBADLINES
'

# Names, and the programs that make them of two addresses: each is refused as a whole.
PACKED='
gzip|gzip -c
xz|xz -c
UTF-16, little|utf16 le
UTF-16, big|utf16 be
base64|base64
PEM|pem
'

LAYOUTS=(LF CRLF 'BOM, no last newline')

# layout NAME: changes the text on standard input
layout() {
	case $1 in
	CRLF) sed 's/$/\r/' ;;
	BOM*) printf '\xef\xbb\xbf' && head -c -1 ;;
	*) cat ;;
	esac
}

# utf16 le|be
utf16() {
	perl -e 'binmode STDOUT; local $/; my $text = <STDIN>;
		print pack($ARGV[0] eq "be" ? "n*" : "v*", 0xfeff, map { ord } split //, $text)' "$1"
}

pem() {
	echo '-----BEGIN LIST-----'
	base64
	echo '-----END LIST-----'
}

# --- asking the agent: all questions about a file by one connection ----------------

# talk <REQUESTS: prints the answers
talk() {
	in_mail perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$@";
		my @requests = <STDIN>;
		for (@requests) { print $s $_; $s->flush; print scalar <$s>; }' "$REPGATE_SOCKET"
}

# address PROBE NETWORK NUMBER: "7" and "&::1" as addresses
address() {
	case $1 in
	*:*) printf '%s' "${1//&/2001:db8:$(printf 1%03x "$3")}" ;;
	*) printf '%s.%s' "$2" "$1" ;;
	esac
}

# requests NETWORK NUMBER IN OUT: what is asked about a file. The first answer is that of reload.
requests() {
	echo '{"command":"reload"}'
	echo '{"command":"approve","entry":"203.0.113.9"}'
	echo '{"command":"lookup","address":"203.0.113.9"}'
	echo '{"command":"unlist","entry":"203.0.113.9"}'
	echo '{"command":"lookup","address":"203.0.113.250"}'
	probes "$@"
}

# probes NETWORK NUMBER IN OUT
probes() {
	local probe
	for probe in $3 $4; do
		printf '{"command":"lookup","address":"%s"}\n' "$(address "$probe" "$1" "$2")"
	done
	echo '{"command":"status"}'
}

# wanted IN OUT: classes that the probes have
wanted() {
	local probe
	for probe in $1; do printf 'blocked '; done
	for probe in $2; do printf 'clean '; done
}

# result FILE: of the answers to probes, the classes and what status says of the file
result() {
	jq -rs --arg file "/$1" '
		([.[] | select(.ok == false) | "ERROR: \(.error) "] | add // "") +
		([.[].result | select(has("next_syn")) | .class + " "] | add // "") +
		(.[-1].result.lists.files | map(select(.path | endswith($file))) |
			if length == 0 then "0 -" else "\(.[0].bad_lines) \(.[0].fault // "-")" end)'
}

# --- one file ----------------------------------------------------------------------

# Number, name and expectations of the files that are there now.
NOW=()

# put NAME BAD FAULT IN OUT <CONTENT
put() {
	local name=$1 bad=$2 fault=$3 in=$4 out=$5 network file got
	COUNT=$((COUNT + 1))
	network=198.$((18 + COUNT / 256)).$((COUNT % 256))
	file=$(printf 's%03d.list' "$COUNT")
	sed "s/@/$network/g; s/&/2001:db8:$(printf 1%03x "$COUNT")/g" >"$TESTBED/shape"
	mv "$TESTBED/shape" "$BLOCKED/$file"
	got=$(requests "$network" "$COUNT" "$in" "$out" | talk | result "$file") || got="no answer"
	same "$COUNT: $name" "approved blocked $(wanted "$in" "$out")$bad $fault" "$got"
	NOW+=("$COUNT|$network|$name|$bad|$fault|$in|$out")
	[ "${#NOW[@]}" -lt "$SHAPES_AT_ONCE" ] || start_again
}

# All files that are there, at a start.
start_again() {
	local row number network name bad fault in out got failed=''
	stop repgated KILL || true
	repgate_start
	for row in "${NOW[@]}"; do
		IFS='|' read -r number network name bad fault in out <<<"$row"
		got=$(probes "$network" "$number" "$in" "$out" | talk |
			result "$(printf 's%03d.list' "$number")") || got="no answer"
		[ "$got" = "$(wanted "$in" "$out")$bad $fault" ] || failed+="$number: $name: $got"$'\n'
	done
	same "a start with the last ${#NOW[@]}" '' "$failed"
	rm "$BLOCKED"/s*.list
	NOW=()
}

shapes() {
	local name bad fault in out content how long digits
	long=$(printf 'x%.0s' {1..5000})
	digits=$(printf '1%.0s' {1..5000})
	while IFS='|' read -r name bad fault in out content; do
		[ -n "$name" ] || continue
		content=${content//LONG/$long}
		content=${content//DIGITS/$digits}
		content=${content//BADLINES/$(printf 'bad%.0s\\n' {1..30})}
		if [ "${name#=}" != "$name" ]; then
			put "${name#=}" "$bad" "$fault" "$in" "$out" < <(printf '%b' "${content//%%/%}")
			continue
		fi
		for how in "${LAYOUTS[@]}"; do
			put "$name, $how" "$bad" "$fault" "$in" "$out" \
				< <(printf '%b' "${content//%%/%}" | layout "$how")
		done
	done <<<"$SHAPES"
}

# What is no text of lines is refused as a whole; how many lines it has is no matter.
packed() {
	local name command file=packed.list
	while IFS='|' read -r name command; do
		[ -n "$name" ] || continue
		printf '203.0.113.7\n203.0.113.8\n' | $command >"$BLOCKED/$file.new"
		mv "$BLOCKED/$file.new" "$BLOCKED/$file"
		check "$name: reload" ctl reload
		same "$name: nothing of it is in force" clean "$(lookup 203.0.113.7 .class)"
		check "$name: it is refused: $(fault_of "$file")" grep -q 'lines are bad' <<<"$(fault_of "$file")"
		same "$name: the good file is in force" blocked "$(lookup 203.0.113.250 .class)"
		check "$name: approve" ctl approve 203.0.113.9
		check "$name: unlist" ctl unlist 203.0.113.9
		rm "$BLOCKED/$file"
	done <<<"$PACKED"
}

fault_of() {
	ctl --json status | jq -r ".lists.files[] | select(.path | endswith(\"$1\")) | .fault"
}

# Names of files, each with a good line.
names() {
	local name number=0
	for name in 'a list.list' 'drop (1).list' '-.list' 'C:\lists\drop.list' $'tab\t.list' $'new\nline.list' \
		$'\xfcmlaut.list' 'ümlaut.list' '%s%n.list' '$(id).list' "it's.list" "$(printf 'x%.0s' {1..240}).list"; do
		number=$((number + 1))
		echo "203.0.113.$((100 + number))" >"$BLOCKED/$name"
	done
	check "reload with odd names" ctl reload
	same "all of them are read" "$number" \
		"$(for ((i = 1; i <= number; i++)); do lookup "203.0.113.$((100 + i))" .class; done | grep -c blocked)"
	same "each with its file" "$number" \
		"$(ctl --json list | jq '[.entries[] | select(.file | contains("/blocked.d/")) | .entry |
			select(startswith("203.0.113.1") and . != "203.0.113.1")] | length')"
	check "status can be shown" ctl status
	check "list can be shown" ctl --json list
	stop repgated KILL || true
	repgate_start
	same "after a start, too" blocked "$(lookup 203.0.113.101 .class)"
}

main() {
	local COUNT=0
	testbed_up
	ers_zone standard 300 </dev/null
	ers_zone qil 300 </dev/null
	zones_start
	repgate_config
	echo 203.0.113.250 >"$BLOCKED/good.list"
	repgate_start
	shapes
	[ "${#NOW[@]}" -eq 0 ] || start_again
	check "there are 200 shapes at least: $COUNT" test "$COUNT" -ge 200
	packed
	names
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
