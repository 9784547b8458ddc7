#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_lists.sh - a bad line costs that line, a bad file costs what changed in it
#
# The agent starts, takes changes and starts again after kill -9, whatever the list files are: bad lines, a
# directory, a link that leads nowhere, an error page in the place of a feed, a country database that is none.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

BLOCKED=$TESTBED/repgate/blocked.d
APPROVED=$TESTBED/repgate/approved.d

class_of() {
	lookup "$1" .class
}

# files FILTER: through jq, of the files that status names
files() {
	ctl --json status | jq -c "[.lists.files[] | select(.path | endswith(\"$1\"))][0] | $2"
}

feed() {
	seq -f '198.51.100.%g' 1 50 >"$BLOCKED/feed.list"
}

error_page() {
	printf '%s\n' '<html>' '<head><title>404 Not Found</title></head>' '<body>' '<h1>Not Found</h1>' '</html>'
}

is_kept() {
	[ "$(files feed.list .kept)" = true ]
}

# Nothing of it stops the agent.
start_with_bad_files() {
	printf '203.0.113.5198.51.100.7\n203.0.113.66\n' >"$BLOCKED/bad.list"
	mkdir "$BLOCKED/directory.list"
	ln -s /nonexistent/feed.list "$BLOCKED/link.list"
	printf '203.0.113.50\nDE\n' >"$APPROVED/good.list"
	echo 'this is no database' >"$TESTBED/countries.mmdb"
	feed
	CONF[country_database]="\"$TESTBED/countries.mmdb\""
	repgate_config
	repgate_start
	same "a good line beside a bad one" blocked "$(class_of 203.0.113.66)"
	same "another file" approved "$(class_of 203.0.113.50)"
	same "the feed" blocked "$(class_of 198.51.100.50)"
	same "the bad line is counted" 1 "$(ctl --json status | jq .lists.bad_lines)"
	same "and named" '[1,"bad.list"]' "$(files bad.list '[.bad[0].line, (.path | split("/") | last)]')"
	same "the directory" '"not a regular file"' "$(files directory.list .fault)"
	same "the link" '"leads nowhere"' "$(files link.list .fault)"
	check "the database" grep -q 'BAD COUNTRY DATABASE: .*countries.mmdb' <<<"$(ctl_lines status)"
	check "the log names the line" grep -q 'warning: .*bad.list:1: "203.0.113.5198' "$TESTBED/repgated.log"
	check "the metrics" grep -qx 'repgate_list_bad_lines 1' <(scrape | tr -d '\r')
	check "and for files" grep -qx 'repgate_list_bad_files 2' <(scrape | tr -d '\r')
}

check_says_all() {
	local said status=0
	said=$(in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --check 2>&1) || status=$?
	same "--check fails" 1 "$status"
	check "--check names the line" grep -q 'bad.list:1: ' <<<"$said"
	check "--check names the directory" grep -q 'directory.list: not a regular file' <<<"$said"
	check "--check names the link" grep -q 'link.list: leads nowhere' <<<"$said"
	check "--check names the database" grep -q 'countries.mmdb' <<<"$said"
}

changes_go_on() {
	check "approve" ctl approve 203.0.113.66 --comment 'a false positive'
	same "it counts" approved "$(class_of 203.0.113.66)"
	check "block" ctl block 203.0.113.7
	same "it counts, too" blocked "$(class_of 203.0.113.7)"
	check "reload" ctl reload
	same "what was wrong is logged once" 1 "$(grep -c 'bad.list:1: ' "$TESTBED/repgated.log")"
}

# An error page instead of the feed: the last good version stays, also for the next agent.
error_page_for_feed() {
	error_page >"$BLOCKED/feed.list"
	check "an error page is not taken" wait_for 10 is_kept
	same "the version before is in force" blocked "$(class_of 198.51.100.50)"
	check "the log says so" grep -q 'feed.list: 5 of 5 lines are bad; its last good version stays in force' \
		"$TESTBED/repgated.log"
	stop repgated KILL || true
	repgate_start
	same "after a kill -9, too" blocked "$(class_of 198.51.100.50)"
	check "and status says so" is_kept
	check "since when" test "$(files feed.list .since)" -gt $((EPOCHSECONDS - 600))
	seq -f '198.51.100.%g' 1 20 >"$BLOCKED/feed.list"
	check "a feed with less than half of its entries is not taken" wait_for 10 \
		grep -q 'feed.list: it has 20 entries, and had 50' "$TESTBED/repgated.log"
	same "all of them are in force" blocked "$(class_of 198.51.100.50)"
	check "reload --force takes it" ctl reload --force
	same "the others are gone" false "$([ "$(class_of 198.51.100.50)" = blocked ] && echo true || echo false)"
	same "status forgets it" null "$(files feed.list .path)"
	seq -f '198.51.100.%g' 1 21 >"$BLOCKED/feed.list"
	check "and goes on from there" wait_for 10 is_blocked 198.51.100.21
}

is_blocked() {
	[ "$(class_of "$1")" = blocked ]
}

main() {
	testbed_up
	ers_zone standard 300 </dev/null
	ers_zone qil 300 </dev/null
	zones_start
	mkdir -p "$BLOCKED" "$APPROVED"
	start_with_bad_files
	check_says_all
	changes_go_on
	error_page_for_feed
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
