# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mail.sh - the mail server (Postfix or smtp-sink) and mails from any sender (swaks)

# postfix_start: starts Postfix on port 25 of the mail host. It delivers mail to
# example.org into the maildir $TESTBED/mail/inbox. Its log is
# $TESTBED/postfix.log.
postfix_start() {
	local dir=$TESTBED/postfix
	mkdir -p "$dir"/{conf,queue/pid}
	install -d -o postfix "$dir"/data "$dir"/queue/{active,bounce,corrupt} \
		"$dir"/queue/{defer,deferred,flush,hold,incoming,maildrop} \
		"$dir"/queue/{private,public,saved,trace}
	install -d -o nobody "$TESTBED/mail"
	postfix_main_cf >"$dir/conf/main.cf"
	postfix_master_cf >"$dir/conf/master.cf"
	# The postfix command would check its whole installation. The master
	# process ends its children by its process group, so it gets its own.
	spawn postfix setsid "$(postconf -dh daemon_directory)/master" -d \
		-c "$dir/conf"
	must "Postfix does not listen" wait_for 10 tcp_open 25
}

postfix_main_cf() {
	cat <<-END
	compatibility_level = 3.6
	queue_directory = $TESTBED/postfix/queue
	data_directory = $TESTBED/postfix/data
	maillog_file = $TESTBED/postfix.log
	maillog_file_prefixes = $TESTBED
	myhostname = mx.example.org
	mydestination =
	local_recipient_maps =
	alias_maps =
	alias_database =
	inet_interfaces = all
	inet_protocols = all
	mynetworks = 127.0.0.0/8
	smtpd_relay_restrictions = reject_unauth_destination
	# No names of clients: the testbed has no reverse zones.
	smtpd_peername_lookup = no
	smtpd_client_connection_count_limit = 0
	virtual_mailbox_domains = example.org
	virtual_mailbox_base = $TESTBED/mail
	virtual_mailbox_maps = static:inbox/
	virtual_uid_maps = static:$(id -u nobody)
	virtual_gid_maps = static:$(id -g nobody)
	END
}

postfix_master_cf() {
	cat <<-END
	smtp      inet  n - n - -   smtpd
	cleanup   unix  n - n - 0   cleanup
	qmgr      unix  n - n 300 1 qmgr
	rewrite   unix  - - n - -   trivial-rewrite
	bounce    unix  - - n - 0   bounce
	defer     unix  - - n - 0   bounce
	trace     unix  - - n - 0   bounce
	error     unix  - - n - -   error
	retry     unix  - - n - -   error
	anvil     unix  - - n - 1   anvil
	virtual   unix  - n n - -   virtual
	postlog   unix-dgram n - n - 1 postlogd
	END
}

postfix_stop() {
	stop postfix || true
}

# sink_start: starts smtp-sink instead of Postfix. It takes thousands of
# connections a second and discards the mail.
sink_start() {
	spawn sink4 smtp-sink -u nobody "inet:0.0.0.0:25" 16384
	spawn sink6 smtp-sink -u nobody "inet:[::]:25" 16384
	must "smtp-sink does not listen" wait_for 5 sink_open
}

sink_open() {
	[ "$(in_mail ss -Hltn "sport = :25" | wc -l)" -eq 2 ]
}

sink_stop() {
	stop sink4 || true
	stop sink6 || true
}

# send_mail SOURCE ID [SECONDS]: sends one mail and prints, with tabs between,
#
#	OUTCOME  CONNECT_MS  TOTAL_MS  DETAIL
#
# OUTCOME is
#	delivered	the mail is in the recipient's mailbox
#	lost		accepted, but not in the mailbox within 5 s
#	no-answer	no connection within SECONDS (3)
#	reset		the connection was refused or reset
#	4xx, 5xx	the server's reply, which is the DETAIL
#	error		anything else
# CONNECT_MS is the time until the connection stood, - if it never did;
# TOTAL_MS the time until the outcome. ID is a word, new for each mail.
send_mail() {
	local line now began=0 ended=0 connected=- text='' server=$MX4
	[[ $1 != *:* ]] || server=$MX6
	while IFS= read -r line; do
		now=${EPOCHREALTIME/./}
		case $line in
		'=== Trying '*) began=$now ;;
		'=== Connected '*) connected=$(((now - began) / 1000)) ;;
		'<-  250 '* | '<** '* | '*** '*)
			ended=$now
			text=${line#????}
			;;
		esac
	done < <(send_swaks "$1" "$2" "${3:-3}" "$server" 2>&1)
	printf '%s\t%s\t%s\t%s\n' "$(send_outcome "$2" "$text" "$connected")" \
		"$connected" "$(((ended - began) / 1000))" "${text//$'\t'/}"
}

# send_swaks SOURCE ID SECONDS SERVER
send_swaks() {
	in_clients swaks --local-interface "$1" --server "$4" --timeout "$3" \
		--helo sender.example.net --from sender@example.net \
		--to postmaster@example.org --header "Subject: from $1" \
		--add-header "X-Test-Id: $2" --body "A mail from $1."
}

# send_outcome ID TEXT CONNECT_MS: TEXT is the last thing that swaks said.
send_outcome() {
	case $2 in
	250*queued*) wait_for 5 mail_arrived "$1" && echo delivered || echo lost ;;
	4[0-9][0-9]*) echo 4xx ;;
	5[0-9][0-9]*) echo 5xx ;;
	*refused* | *reset*) echo reset ;;
	*time*out*) [ "$3" = - ] && echo no-answer || echo error ;;
	*) echo error ;;
	esac
}

# mail_arrived ID: is that mail in the recipient's mailbox?
mail_arrived() {
	grep -rqs "^X-Test-Id: $1\$" "$TESTBED/mail/inbox/new"
}
