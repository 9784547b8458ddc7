#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_stack.sh - the BPF programs need no more stack than every kernel allows
#
# Linux allows 512 bytes for a chain of calls. Up to 6.7 it rounds the stack of each
# function up to 32 bytes, later to 16: what loads here may be refused there ("combined
# stack size of 5 calls is 544. Too large"). So this counts by the old rule, in the
# compiled file.
set -u
export LC_ALL=C

BUILD=${BUILD:-.build}
status=0
# shellcheck disable=SC2016 # perl
for object in "$BUILD"/bpf/*.bpf.o; do
	llvm-objdump -d -r --no-show-raw-insn "$object" | perl -e '
		my ($max, $round) = (512, 32);
		my (%depth, %calls, %at, $section, $function, $copy, $call);
		while (<STDIN>) {
			if (/^Disassembly of section (\S+):/) { $section = $1; next; }
			if (/^([0-9a-f]+) <([^>]+)>:/) {
				next if $2 =~ /^LBB/;
				$function = $2;
				$depth{$function} //= 1;
				$at{hex($1) / 8} = $function if $section eq ".text";
				next;
			}
			next unless $function;
			if (/\*\(\S+ \*\)\(r10 - (0x[0-9a-f]+|\d+)\)/) { deeper($1); }
			if (/\b(r\d) = r10\b/) { $copy = $1; }
			elsif (defined $copy && /\b$copy \+= -(0x[0-9a-f]+|\d+)/) { deeper($1); undef $copy; }
			$call = $1 =~ /x/ ? hex_of($1) : $1 if /\bcall (-?(?:0x)?[0-9a-f]+)/;
			push @{$calls{$function}}, [$1, $call] if /R_BPF_64_32\s+(\S+)/;
		}
		sub hex_of { my $text = shift; return $text =~ /^-/ ? -hex(substr $text, 1) : hex($text); }
		sub deeper {
			my $bytes = $_[0] =~ /x/ ? hex($_[0]) : $_[0];
			$depth{$function} = $bytes if $bytes > $depth{$function};
		}
		# The deepest chain from a function on: bytes, and its functions.
		sub chain {
			my $name = shift;
			my @worst = (0, "");
			for (@{$calls{$name} // []}) {
				my $target = exists $depth{$_->[0]} ? $_->[0] : $at{$_->[1] + 1};
				die "call of $_->[0] not understood\n" unless defined $target;
				my @chain = chain($target);
				@worst = @chain if $chain[0] > $worst[0];
			}
			my $bytes = $round * int(($depth{$name} + $round - 1) / $round);
			return ($bytes + $worst[0], "$name ($depth{$name}) $worst[1]");
		}
		my ($bad, $most, $where) = (0, 0, "");
		for (sort keys %depth) {
			my ($bytes, $chain) = chain($_);
			($most, $where) = ($bytes, $chain) if $bytes > $most;
		}
		die "no functions\n" unless %depth;
		printf "%s - %s: at most %d bytes of stack: %d, %s\n", $most > $max ? "not ok" : "ok",
			$ARGV[0], $max, $most, $where;
		exit($most > $max);' "${object##*/}" || status=1
done
exit "$status"
