#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_log_lines.sh - log lines that the pages quote are those of the code
#
# A row has a pattern of a line that a page quotes, and the format in userspace/ that it is made of. If a
# format is reworded, change the row and the pages that this test names.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
cd "$top" || exit 1

# Quoted line (extended regular expression) | format or other string of the code
rows='
^(would )?refuse(d)?: client=\[[^]]+\]:[0-9]+ server=\[[^]]+\]:[0-9]+ class=[a-z]+ action=[a-z]+ list=|%s: client=[%s]:%u server=[%s]:%u class=%s action=%s list=%s
^NOQUEUE: reject: RCPT from unknown\[[^]]+\]:[0-9]+: [45]50 .*; Client host \[[^]]+\] blocked using .*; from=<.*> to=<.*> proto=ESMTP helo=<|NOQUEUE: reject: %s from unknown[%s]:%u: %s Service unavailable; Client host [%s] blocked using %s; %s%s%s; from=<%s> to=<%s> proto=%s helo=<%s>
^lost connection after EHLO from unknown\[[^]]+\]:[0-9]+, refused by |%s after %s from unknown[%s]:%u, refused by %s
^zone [a-z]+: (open|disabled|monitor): |zone %s: %s: %s
^zone [a-z]+: [0-9]+ entries removed$|zone %s: %zu entries removed
^zone [a-z]+: good again$|zone %s: good again
: lists addresses of 127.0.0.0/8$|addresses of 127.0.0.0/8
: lists 97 % of new peers, was 12 %$|lists %.0f %% of new peers, was %.0f %%
^interface eth0: filtering in native mode$|interface %s: filtering in %s mode
^interface eth0: not filtered: it is not there$|interface %s: not filtered: %s
^interface eth0: filtering again in native mode$|interface %s: filtering again in %s mode
feed.list:7: "203.0.113.256" is not an address|is not an address, a range, a prefix or a country code
feed.list:9: .*wider than /8 .IPv6: /19.; write force after it if it is meant$|; write force after it if it is meant
bogons.list:2: .* which is never blocked; the rest of it is$|%s covers %s%s, which is never blocked; %s
feed.list:12: blocks 203.0.113.7, which is connected now$|%s:%u: blocks %s, which is connected now
drop.netset is not read: its name does not end in .list$|%s is not read: its name does not end in .list
^approved 203.0.113.12 by repgatectl$|%s %s by repgatectl
^standard_action is reject, set by repgatectl$|%s is %s, set by repgatectl
^mode is monitor$|mode is %s
^flushed 1 entries by repgatectl$|flushed %zu entries by repgatectl
^interface eth1: connections arrive that the filter has not seen: |interface %s: connections arrive that the filter has not seen: %s
^interface eth1: the filter sees all connections again$|interface %s: the filter sees all connections again
^lacks hold: |hold: held SYNs can'\''t be released before Linux 5.18, the first one is dropped
^lacks steering: |steering: no sk_lookup program, tempfail resets and reject drops
^lacks index: no memory for that of |index: no memory for that of %s, lookups are slower; tried again in %llu s
^lacks native: |native: %s is in generic mode, which is slower
^lacks frags: |frags: %s takes no frames in several buffers (large MTU)
'

# The code with its strings joined, and the blocks of code of the pages without their indentation.
cat userspace/*/*.c | tr '\n\t' '  ' | sed -E 's/"  *(PRI[a-z0-9]+ *)?"//g' >"$scratch/code"
sed -nE 's/^( {4}|\t)+//p' README.md docs/*.md >"$scratch/quoted"

while IFS='|' read -r line; do
	[ -n "$line" ] || continue
	format=${line##*|} pattern=${line%|*}
	if ! grep -qF -- "$format" "$scratch/code"; then
		printf 'not ok - the code has: %s\n    quoted in: %s\n' "$format" \
			"$(grep -lE -- "${pattern#^}" README.md docs/*.md | tr '\n' ' ')"
		failed=1
	elif ! grep -qE -- "$pattern" "$scratch/quoted"; then
		printf 'not ok - a page quotes: %s\n' "$pattern"
		failed=1
	else
		printf 'ok - %s\n' "$format"
	fi
done <<<"$rows"
exit "$failed"
