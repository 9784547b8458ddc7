#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_full_disk.sh - what can't be written is told with the reason, and the old file stays whole
#
# Saved settings, own lists and last good versions, on file systems that are full, read-only or forbidden.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

CONFIG_DIR=$TESTBED/etc
STATE=$TESTBED/repgate/state
SAVED=$CONFIG_DIR/repgate.saved.conf

# fill DIRECTORY: until not one byte more can be written
fill() {
	dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true
}

# refused WHAT WORDS COMMAND...: the command fails and says so
refused() {
	local what=$1 words=$2 said status=0
	shift 2
	said=$("$@" 2>&1) || status=$?
	same "$what: exit status" 1 "$status"
	check "$what: $said" grep -qF -- "$words" <<<"$said"
}

set_saved() {
	ctl --config "$REPGATE_CONF" set "$1" "$2" --save
}

# As somebody of the group who may not write there.
set_as_nobody() {
	in_mail setpriv --reuid 65534 --regid 0 --clear-groups "$BUILD/repgatectl" \
		--socket "$REPGATE_SOCKET" --config "$REPGATE_CONF" set max_sessions 77 --save
}

saved_settings() {
	local before
	check "a setting is saved" set_saved mode monitor
	before=$(sha256sum "$SAVED")
	refused "without the right to write" 'Permission denied' set_as_nobody
	fill "$CONFIG_DIR"
	refused "on a full disk" 'No space left on device' set_saved max_sessions 123
	same "the saved file is whole" "$before" "$(sha256sum "$SAVED")"
	same "nothing else is left" '' "$(find "$CONFIG_DIR" -name '*.new')"
	check "a reload reads it" ctl reload
	same "and what was saved counts" monitor "$(ctl --json status | jq -r .mode)"
	rm "$CONFIG_DIR/filler"
	check "with room it is saved" set_saved max_sessions 123
	check "beside what was" grep -q monitor "$SAVED"
	before=$(sha256sum "$SAVED")
	mount -o remount,ro "$CONFIG_DIR"
	refused "on a read-only file system" 'Read-only file system' set_saved max_sessions 124
	same "the saved file is whole again" "$before" "$(sha256sum "$SAVED")"
	mount -o remount,rw "$CONFIG_DIR"
}

own_lists() {
	check "an entry is approved" ctl approve 203.0.113.1 --comment kept
	seq -f '198.51.100.%g' 1 50 >"$TESTBED/repgate/blocked.d/feed.list"
	check "a feed is in force" wait_for 10 is_blocked 198.51.100.50
	fill "$STATE"
	# More than one block, so that the file system has to say no.
	refused "approve on a full disk" 'No space left on device' \
		ctl approve 203.0.113.2 --comment "$(printf 'x%.0s' {1..190})"
	same "what was approved is" approved "$(lookup 203.0.113.1 .class)"
	check "and the file is whole" grep -qx '203.0.113.1 # kept' "$STATE/approved.list"
	seq -f '198.51.100.%g' 1 200 >"$TESTBED/repgate/blocked.d/feed.list"
	check "the feed's next version is in force" wait_for 10 is_blocked 198.51.100.200
	check "that it can't be kept is told" wait_for 10 \
		grep -q "feed.list: can't be copied to the last good versions: No space left" "$TESTBED/repgated.log"
	rm "$STATE/filler"
	check "with room an entry is approved" ctl approve 203.0.113.2
}

is_blocked() {
	[ "$(lookup "$1" .class)" = blocked ]
}

main() {
	testbed_up
	ers_zone standard 300 </dev/null
	ers_zone qil 300 </dev/null
	zones_start
	mkdir -p "$CONFIG_DIR" "$STATE"
	mount -t tmpfs -o size=64k,mode=755 tmpfs "$CONFIG_DIR"
	mount -t tmpfs -o size=256k,mode=755 tmpfs "$STATE"
	REPGATE_CONF=$CONFIG_DIR/repgate.conf
	repgate_config
	repgate_start
	saved_settings
	own_lists
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
