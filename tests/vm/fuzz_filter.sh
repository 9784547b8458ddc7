#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fuzz_filter.sh - random frames: the XDP programs against the model (tests/fuzz), on this kernel
#
#	FUZZ_FRAMES	how many (200000); a tenth of them more as on a kernel that can't hold
#	FUZZ_SEED	what they are made of (the time)

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"

FRAMES=${FUZZ_FRAMES:-200000}
SEED=${FUZZ_SEED:-$(date +%s)}

# fuzz FRAMES [OPTION...]: the fuzzer's own summary tells how far it came
fuzz() {
	local frames=$1 output status=0
	shift
	output=$("$BUILD/fuzz/fuzz_filter" --frames "$frames" --seed "$SEED" "$@" 2>&1) ||
		status=$?
	case $status in
	0) ok "no difference${*:+, $*}: $(grep '^seed ' <<<"$output")" ;;
	77) skip "$output" ;;
	*) not_ok "no difference${*:+, $*}" "status $status: $output" ;;
	esac
}

fuzz "$FRAMES"
fuzz $((FRAMES / 10)) --no-hold
finish
