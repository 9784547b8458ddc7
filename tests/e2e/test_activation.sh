#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_activation.sh - another activation code, without a restart
#
# The Standard zone answers under two codes, with other listings for each. Under
# a third one, which it does not know, nobody is listed. The code comes from a
# file, then from a systemd credential.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# As customers hold them: 31 letters and digits.
NEW_CODE=RG-NEW1-TEST2-CODE3-WITH4-THIR5-TYONE
NEW_LABEL=rgnew1test2code3with4thir5tyone
WRONG_CODE=RG-WRON-GGGG-0001
OLD_LISTED=203.0.113.11
NEW_LISTED=203.0.113.12
SAVED=$TESTBED/repgate/state/activation-code
SEEN=$TESTBED/seen

met() {
	in_clients "$BUILD/tests/syn_client" -t "${2:-300}" "$MX4,$MX6" 25 "$1" | cut -f 2
}

# activate [OPTION...] <CODE: what repgatectl says, and its exit code in the last line
activate() {
	local status=0
	ctl "$@" activation-code 2>&1 || status=$?
	echo "exit $status"
}

# says WHAT CODE WORDS STATUS [OPTION...]
says() {
	local what=$1 code=$2 words=$3 status=$4 output
	shift 4
	output=$(activate "$@" <<<"$code")
	echo "$output" >>"$SEEN"
	if [[ $output == *"$words"* && $output == *"exit $status" ]]; then
		ok "$what"
	else
		not_ok "$what" "$output"
	fi
}

source_of() {
	ctl --json status | tee -a "$SEEN" | jq -r .activation_code
}

# Entries under another code, appended to the Standard zone.
under_code() {
	printf '$DATASET ip4trie:%s %s\n$TTL 300\n' "$1" "$1"
	sed 's/ / :/; s/$/:/'
}

zones() {
	ers_zone standard <<<"$OLD_LISTED 127.1.0.1"
	under_code "$NEW_LABEL" <<<"$NEW_LISTED 127.1.0.1" >>"$TESTBED/zones/$ERS_STANDARD"
	ers_zone qil </dev/null
	zones_start
}

from_file() {
	same "the code is from the file" file "$(source_of)"
	same "a peer listed under the old code is refused" timeout "$(met $OLD_LISTED)"
	same "one that only the new code lists passes" connected "$(met $NEW_LISTED)"
	says "what is no code is refused by repgatectl" "AB-12" "not an activation code" 1
	says "and two codes are" "$ERS_CODE"$'\n'"$NEW_CODE" "not an activation code" 1
	check "the code is not taken from the command line" eval \
		"! ctl activation-code $NEW_CODE </dev/null 2>/dev/null"
	says "the new code is taken" "$NEW_CODE" "does not prove the code" 0
	same "it is in force at once" timeout "$(met $NEW_LISTED)"
	same "the old one is not" connected "$(met $OLD_LISTED)"
	same "status says where it comes from" command "$(source_of)"
	same "the file is the agent's alone" 600 "$(stat -c %a "$SAVED")"
	check "a reload keeps it" ctl reload
	ctl flush all >/dev/null
	same "and it counts" timeout "$(met $NEW_LISTED)"
	repgate_stop || not_ok "repgated stops" "status $?"
	repgate_start --log-level debug
	same "a restart keeps it" command "$(source_of)"
	ctl flush all >/dev/null
	same "and it counts, too" timeout "$(met $NEW_LISTED)"
}

# A DNS list can't say "wrong code": it is taken, and repgatectl says so.
wrong_code() {
	says "a wrong code can't be told from a good one" "$WRONG_CODE" "does not prove the code" 0
	same "with it nobody is listed" connected "$(met $NEW_LISTED)"
	says "an odd length is a warning" "trial-77x" "warning: the service's codes have 14 or 31" 0
	says "back to the code of the file" "$ERS_CODE" "saved and in force" 0
	same "it lists again" timeout "$(met $OLD_LISTED)"
	check "and nothing is left in the state directory" eval "! [ -e '$SAVED' ]"
}

refused() {
	says "the new code again" "$NEW_CODE" "saved and in force" 0
	stop rbldnsd || true
	unbound-control -q -c "$TESTBED/unbound.conf" flush_zone . >/dev/null || true
	says "without an answer it is not saved" "$WRONG_CODE" "the activation code in use stays" 1
	same "the one before counts" "$NEW_LABEL" "$(head -n 1 "$SAVED")"
	spawn rbldnsd rbldnsd -n -u rbldns -w "$TESTBED/zones" -c 3600 -b 127.0.0.1/5300 \
		"$ERS_STANDARD:combined:$ERS_STANDARD" "$ERS_QIL:combined:$ERS_QIL"
	zones_wait
	# The resolver remembers for seconds that nobody answered, some versions whatever is flushed.
	unbound-control -q -c "$TESTBED/unbound.conf" reload >/dev/null
	zones_wait
	rm "$SAVED"
	mkdir "$SAVED"
	says "where it can't be written it is not saved" "$WRONG_CODE" "it is not a regular file" 1
	rmdir "$SAVED"
	ln -s "$TESTBED/precious" "$SAVED"
	echo precious >"$TESTBED/precious"
	says "and no link is followed" "$WRONG_CODE" "it is not a regular file" 1
	same "what it points to stays" precious "$(<"$TESTBED/precious")"
	rm "$SAVED"
}

# Somebody edits the file: that wins over what repgatectl saved.
edited() {
	says "the new code once more" "$NEW_CODE" "saved and in force" 0
	echo "$WRONG_CODE" >"$TESTBED/repgate/activation-code"
	check "the file gets another code" ctl reload
	same "then the file counts" file "$(source_of)"
	same "so nobody is listed" connected "$(met $NEW_LISTED)"
	check "what repgatectl saved is removed" eval "! [ -e '$SAVED' ]"
	check "and the log says so" grep -q 'the configured activation code was changed' \
		"$TESTBED/repgated.log"
	echo "$ERS_CODE" >"$TESTBED/repgate/activation-code"
	check "and back" ctl reload
}

from_credential() {
	local before=${CONF[ers]}
	repgate_stop || not_ok "repgated stops" "status $?"
	CONF[ers]='{ standard_action = "drop"; }'
	repgate_config
	rm "$TESTBED/repgate/activation-code"
	mkdir -p "$TESTBED/credentials"
	echo "$ERS_CODE" >"$TESTBED/credentials/activation-code"
	REPGATED="env CREDENTIALS_DIRECTORY=$TESTBED/credentials $BUILD/repgated" \
		repgate_start --log-level debug
	same "the code is a credential" credential "$(source_of)"
	ctl flush all >/dev/null
	same "it lists" timeout "$(met $OLD_LISTED)"
	says "the new code, where a credential gave the old one" "$NEW_CODE" "saved and in force" 0
	same "it lists, without a restart" timeout "$(met $NEW_LISTED)"
	same "and comes from the command" command "$(source_of)"
	CONF[ers]=$before
}

# Neither code is anywhere but in the file of the agent, nor any ten characters of it.
no_code() {
	local label pattern='' i pid=${TESTBED_PID[repgated]}
	for label in "$ERS_LABEL" "$NEW_LABEL"; do
		for ((i = 0; i <= ${#label} - 10; i++)); do
			pattern+="|$(sed 's/./&[- ]?/g' <<<"${label:i:10}")"
		done
	done
	ps wwe >>"$SEEN" || true
	tr '\0' '\n' <"/proc/$pid/environ" >>"$SEEN" || true
	ctl events >>"$SEEN"
	ctl --json zones >>"$SEEN"
	cat "$TESTBED/repgated.log" >>"$SEEN"
	check "something was seen" [ -s "$SEEN" ]
	same "no code is shown" '' "$(grep -aioE -- "${pattern#|}" "$SEEN" | head)"
}

testbed_up
zones
sink_start
repgate_config
repgate_start --log-level debug
from_file
wrong_code
refused
edited
from_credential
no_code
repgate_stop || not_ok "repgated stops" "status $?"
finish
