#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_extensions.sh - no mail is lost because the responder does not offer what the mail needs
#
# Postfix, Exim, sendmail and OpenSMTPD send mails that need SMTPUTF8, 8BITMIME or DSN from peers that QIL lists.
# Each must stay in the queue with the text of the 450, and arrive when the listing has ended. From peers that
# Standard lists they send a mail to a hundred recipients: all of them get the 550, in one go.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
# shellcheck source-path=SCRIPTDIR source=senders.sh
. "$(dirname "$0")/senders.sh"
# shellcheck source-path=SCRIPTDIR source=senders_more.sh
. "$(dirname "$0")/senders_more.sh"
# The mirrors can be reached only from outside of the testbed.
[ -n "${TESTBED_INSIDE:-}" ] || fetch_mtas exim sendmail opensmtpd
testbed_reexec "$0" "$@"

mapfile -t MTAS < <(echo postfix && fetched exim sendmail opensmtpd)

QIL_TTL=4
RECIPIENTS=100
# Mails in the queues: "MTA ID".
MAILS=()

plan_sources() {
	local mta number=30
	for mta in "${MTAS[@]}"; do
		SOURCE[$mta-qil4]=203.0.113.$((number += 1))
		SOURCE[$mta-standard4]=203.0.113.$((number += 1))
	done
}

listed() {
	local mta
	for mta in "${MTAS[@]}"; do
		echo "${SOURCE[$mta-$1]} $2"
	done
}

start() {
	local mta
	listed standard4 127.1.0.1 | ers_zone standard 3600
	listed qil4 127.0.0.32 | ers_zone qil "$QIL_TTL" 2
	zones_start
	postfix_start
	postconf -c "$TESTBED/postfix/conf" -e "virtual_mailbox_domains = example.org $V4_MX"
	kill -HUP "${TESTBED_PID[postfix]}"
	senders_dns_start
	second_mx_start
	for mta in "${MTAS[@]}"; do
		"sending_${mta}_start"
	done
	CONF[ers]="{
	activation_code_file = \"$TESTBED/repgate/activation-code\";
	standard_action = \"reject\"; qil_action = \"tempfail\";
	qil_ttl_min = \"${QIL_TTL}s\";
}"
	repgate_config
	repgate_start
}

# --- mails that need something -------------------------------------------------

# send MTA ID SUBJECT BODY RECIPIENT [OPTION...]: from its peer that QIL lists
send() {
	local mta=$1 id=$1-$2 from=qil4@$1.example.net
	compose "$from" "$id" "$3" "$4" | "${mta}_submit" "$from" "${@:6}" "$5" ||
		not_ok "$mta takes the mail $id" "status $?"
	MAILS+=("$mta $id")
}

send_all() {
	local mta
	for mta in "${MTAS[@]}"; do
		send "$mta" ascii 'Hello' 'A mail.' "postmaster@$V4_MX"
		send "$mta" body8 'Hello' 'Schöne Grüße' "postmaster@$V4_MX"
		send "$mta" subject 'Schöne Grüße' 'A mail.' "postmaster@$V4_MX"
		case $mta in
		postfix | sendmail)
			send "$mta" dsn 'Hello' 'A mail.' "postmaster@$V4_MX" -N success,failure
			;;
		esac
		# The others can't send to such an address at all.
		case $mta in
		postfix | exim)
			send "$mta" mailbox 'Hello' 'A mail.' "pöstmaster@$V4_MX"
			;;
		esac
	done
}

# waits MTA ID: is it in the queue with our text?
waits() {
	queue_text "$1" "$2" | tr -s ' \n\t' ' ' |
		grep -q "450 4.7.1 Mail from ${SOURCE[$1-qil4]} temporarily blocked"
}

retry() {
	[[ ${MTAS[*]} != *opensmtpd* ]] || opensmtpd_retry
}

arrives() {
	retry
	mail_arrived "$1"
}

# --- a hundred recipients --------------------------------------------------------

bounced() {
	bounce_of "$1" "$2" || second_has "$2"
}

# many MTA: to a hundred recipients, from its peer that Standard lists
many() {
	local mta=$1 id=$1-many from=standard4@$1.example.net i to=()
	for ((i = 0; i < RECIPIENTS; i++)); do
		to+=("user$i@$V4_MX")
	done
	compose "$from" "$id" Hello 'A mail.' | "${mta}_submit" "$from" "${to[@]}"
	check "$mta: $RECIPIENTS recipients: the mail bounces" wait_for 20 bounced "$mta" "$id"
	case $mta in
	postfix)
		same "$mta: all of them" "$RECIPIENTS" "$(log_count "$mta" "$id" 'status=bounced.*said: 550')"
		same "$mta: none is tried again" 0 "$(log_count "$mta" "$id" status=deferred)"
		;;
	exim)
		same "$mta: all of them" "$RECIPIENTS" "$(log_count "$mta" "$id" ' \*\* .*: 550')"
		same "$mta: none is tried again" 0 "$(log_count "$mta" "$id" ' == ')"
		;;
	esac
}

# --- the order of things ---------------------------------------------------------

main() {
	local mail
	plan_sources
	testbed_up
	start

	send_all
	for mail in "${MAILS[@]}"; do
		# shellcheck disable=SC2086 # two words
		check "${mail#* }: waits in the queue with our text" wait_for 20 waits $mail
	done
	for mail in "${MTAS[@]}"; do
		many "$mail"
	done
	echo | ers_zone qil "$QIL_TTL" 2
	zones_reload
	for mail in "${MAILS[@]}"; do
		check "${mail#* }: arrives when the listing has ended" wait_for 30 arrives "${mail#* }"
	done
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
