# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# senders.sh - mail servers that send, in the namespace clients
#
# To be sourced after testbed.sh, used after testbed_up. Postfix and Exim, each with a
# queue of its own, look up MX records as everybody does:
#
#	two-mx.example.org	10 mx.example.org, 20 second.example.org
#	one-mx.example.org	10 mx.example.org
#	v4-mx.example.org	10 mx4.example.org, which has no IPv6 address
#
# mx.example.org is the mail host behind repgate; second.example.org is on the
# clients' own side, where repgate sees nothing, and keeps what it gets in
# $TESTBED/second/. Both MTAs retry after a second or two.
#
# A sender's address says where its mail comes from: qil4@postfix.example.net
# sends from ${SOURCE[postfix-qil4]}. Its bounces go to the maildir
# $TESTBED/bounces/postfix. Each mail has an ID, which is a word, new for each, in
# its Message-ID and X-Test-Id.

SECOND4=198.51.100.26
SECOND6=2001:db8:21:26::26
TWO_MX=two-mx.example.org
ONE_MX=one-mx.example.org
V4_MX=v4-mx.example.org

# MTA-USER: the address that it sends from. To be filled before the MTAs start.
declare -A SOURCE=()

EXIM=$BUILD/mta/exim/usr/sbin/exim4
EXIM_USER=Debian-exim # the program has that name in it
EXIM_UID=64525
SENDMAIL=$BUILD/mta/sendmail/usr/libexec/sendmail/sendmail
OPENSMTPD=$BUILD/mta/opensmtpd/usr/sbin/smtpd

# fetch_mtas NAME...: fetches exim, sendmail, opensmtpd if they can be had; for a script that is still outside
# of the testbed, as no mirror can be reached from inside. Why one can't be is in $BUILD/mta/NAME.why.
fetch_mtas() {
	local name
	mkdir -p "$BUILD/mta"
	for name in "$@"; do
		fetch_mta "$name" </dev/null >"$BUILD/mta/$name.why" 2>&1 || [ -s "$BUILD/mta/$name.why" ] ||
			echo "fetch_mta: took too long" >"$BUILD/mta/$name.why"
	done
}

fetch_mta() {
	local dir=$BUILD/mta/$1
	case $1 in
	exim) set -- "${EXIM#"$dir/"}" exim4-daemon-light ;;
	sendmail) set -- "${SENDMAIL#"$dir/"}" sendmail-bin sendmail-cf libwrap0 ;;
	opensmtpd) set -- "${OPENSMTPD#"$dir/"}" opensmtpd ;;
	esac
	timeout 120 "$TOP/tests/fetch_mta.sh" "$dir" "$@"
}

# fetched NAME...: prints those that are there; says on stderr why another one is not
fetched() {
	local name
	for name in "$@"; do
		if [ -d "$BUILD/mta/$name" ]; then
			echo "$name"
		else
			printf 'skipped: %s: %s\n' "$name" "$(tail -n 1 "$BUILD/mta/$name.why")" >&2
		fi
	done
}

# spawn_sender NAME COMMAND...: as spawn does, but in the clients' namespace
spawn_sender() {
	local name=$1
	shift
	spawn "$name" nsenter --net=/run/netns/clients -- "$@"
}

# add_user NAME ID: a user and group, in the testbed only
add_user() {
	local file
	for file in passwd group; do
		[ -e "$TESTBED/$file" ] && continue
		cp "/etc/$file" "$TESTBED/$file"
		mount --bind "$TESTBED/$file" "/etc/$file"
	done
	getent passwd "$1" >/dev/null || echo "$1:x:$2:$2::$TESTBED:/usr/sbin/nologin" >>/etc/passwd
	getent group "$1" >/dev/null || echo "$1:x:$2:" >>/etc/group
}

# --- DNS and the second MX ---------------------------------------------------

# senders_dns_start: MX records for all of the testbed that asks /etc/resolv.conf.
senders_dns_start() {
	echo 'nameserver 127.0.0.1' >"$TESTBED/resolv.conf"
	mount --bind "$TESTBED/resolv.conf" /etc/resolv.conf
	senders_dns_conf >"$TESTBED/senders_dns.conf"
	spawn_sender senders_dns unbound -d -c "$TESTBED/senders_dns.conf"
	must "the senders' DNS does not answer" wait_for 10 senders_dns_answers
}

senders_dns_conf() {
	cat <<-END
	server:
		directory: "$TESTBED"
		chroot: ""
		username: ""
		pidfile: ""
		use-syslog: no
		logfile: ""
		interface: 127.0.0.1
		do-ip6: no
		module-config: "iterator"
		# All there is; other names do not exist.
		local-zone: "." static
	END
	printf '\tlocal-data: "%s"\n' \
		"$TWO_MX. MX 10 mx.example.org." \
		"$TWO_MX. MX 20 second.example.org." \
		"$ONE_MX. MX 10 mx.example.org." \
		"$V4_MX. MX 10 mx4.example.org." "mx4.example.org. A $MX4" \
		"sendmail.example.net. MX 10 second.example.org." \
		"opensmtpd.example.net. MX 10 second.example.org." \
		"mx.example.org. A $MX4" "mx.example.org. AAAA $MX6" \
		"second.example.org. A $SECOND4" \
		"second.example.org. AAAA $SECOND6"
	printf 'remote-control:\n\tcontrol-enable: no\n'
}

senders_dns_answers() {
	in_clients dig +short +time=1 +tries=1 @127.0.0.1 "$ONE_MX" MX |
		grep -q mx.example.org
}

# second_mx_start: one file for each mail.
second_mx_start() {
	install -d -o nobody "$TESTBED/second"
	spawn_sender second4 smtp-sink -u nobody -d "$TESTBED/second/v4." \
		"inet:[$SECOND4]:25" 64
	spawn_sender second6 smtp-sink -u nobody -d "$TESTBED/second/v6." \
		"inet:[$SECOND6]:25" 64
	must "the second MX does not listen" wait_for 5 second_mx_open
}

second_mx_open() {
	[ "$(in_clients ss -Hltn "sport = :25" | wc -l)" -eq 2 ]
}

# second_has ID
second_has() {
	grep -rqs "^X-Test-Id: $1\$" "$TESTBED/second"
}

# --- Postfix -----------------------------------------------------------------

SENDING_POSTFIX=$TESTBED/sending_postfix

sending_postfix_start() {
	local dir=$SENDING_POSTFIX
	mkdir -p "$dir"/{conf,queue/pid}
	install -d -o postfix "$dir"/data "$dir"/queue/{active,bounce,corrupt} \
		"$dir"/queue/{defer,deferred,flush,hold,incoming,maildrop} \
		"$dir"/queue/{private,public,saved,trace}
	install -d -o nobody "$TESTBED/bounces"
	sending_postfix_main_cf >"$dir/conf/main.cf"
	sending_postfix_master_cf >"$dir/conf/master.cf"
	spawn_sender sending_postfix setsid \
		"$(postconf -dh daemon_directory)/master" -d -c "$dir/conf"
	must "the sending Postfix does not start" wait_for 10 \
		test -S "$dir/queue/public/pickup"
}

sending_postfix_main_cf() {
	local user
	cat <<-END
	compatibility_level = 3.6
	queue_directory = $SENDING_POSTFIX/queue
	data_directory = $SENDING_POSTFIX/data
	maillog_file = $SENDING_POSTFIX.log
	maillog_file_prefixes = $TESTBED
	myhostname = postfix.example.net
	mydestination =
	local_recipient_maps =
	alias_maps =
	alias_database =
	inet_interfaces = loopback-only
	inet_protocols = all
	notify_classes =
	fast_flush_domains =
	# Bounces stay here.
	virtual_mailbox_domains = postfix.example.net
	virtual_mailbox_base = $TESTBED/bounces
	virtual_mailbox_maps = static:postfix/
	virtual_uid_maps = static:$(id -u nobody)
	virtual_gid_maps = static:$(id -g nobody)
	queue_run_delay = 1s
	# At 1 s the queue manager can come back to a mail before the delivery
	# process has let go of it, and then leaves it alone for good.
	minimal_backoff_time = 2s
	maximal_backoff_time = 2s
	END
	printf 'sender_dependent_default_transport_maps = inline:{\n'
	for user in $(source_users postfix); do
		printf '\t{ %s@postfix.example.net = from_%s: }\n' "$user" "$user"
	done
	printf '\t}\n'
}

sending_postfix_master_cf() {
	local user address
	cat <<-END
	pickup    unix  n - n 60 1  pickup
	cleanup   unix  n - n - 0   cleanup
	qmgr      unix  n - n 300 1 qmgr
	rewrite   unix  - - n - -   trivial-rewrite
	bounce    unix  - - n - 0   bounce
	defer     unix  - - n - 0   bounce
	trace     unix  - - n - 0   bounce
	error     unix  - - n - -   error
	retry     unix  - - n - -   error
	showq     unix  n - n - -   showq
	virtual   unix  - n n - -   virtual
	postlog   unix-dgram n - n - 1 postlogd
	END
	for user in $(source_users postfix); do
		address=${SOURCE[postfix-$user]}
		printf 'from_%s unix - - n - - smtp\n' "$user"
		if [[ $address == *:* ]]; then
			printf '\t-o smtp_bind_address6=%s -o inet_protocols=ipv6\n' \
				"$address"
		else
			printf '\t-o smtp_bind_address=%s -o inet_protocols=ipv4\n' \
				"$address"
		fi
	done
}

# The queue id that the mail has there: an MTA's log tells it.
postfix_queue_id() {
	sed -n "s/.*\/cleanup\[[0-9]*\]: \([0-9A-Za-z]*\): message-id=<$1@.*/\1/p" \
		"$SENDING_POSTFIX.log" | head -n 1
}

postfix_submit() {
	in_clients sendmail -C "$SENDING_POSTFIX/conf" -i -f "$@"
}

# A line with headings, then a paragraph for each mail.
postfix_queue() {
	in_clients postqueue -c "$SENDING_POSTFIX/conf" -p | sed 1d |
		awk -v RS= -v id="$(postfix_queue_id "$1")" 'index($1, id) == 1'
}

postfix_log() {
	grep ": $(postfix_queue_id "$1"): " "$SENDING_POSTFIX.log"
}

# --- Exim --------------------------------------------------------------------

exim() {
	in_clients "$EXIM" -C "$TESTBED/exim/exim.conf" "$@"
}

sending_exim_start() {
	local dir=$TESTBED/exim name
	add_user "$EXIM_USER" "$EXIM_UID"
	mkdir -p "$dir"
	install -d -o "$EXIM_USER" -g "$EXIM_USER" "$dir/spool" "$dir/bounces"
	for name in main panic reject; do
		install -o "$EXIM_USER" -g "$EXIM_USER" /dev/null \
			"$TESTBED/exim_$name.log"
	done
	mkdir -p "$TESTBED/bounces"
	ln -s "$dir/bounces" "$TESTBED/bounces/exim"
	sending_exim_conf >"$dir/exim.conf"
	spawn_sender sending_exim "$EXIM" -C "$dir/exim.conf" -bdf -q1s
	must "the sending Exim does not start" wait_for 10 \
		grep -q 'daemon started' "$TESTBED/exim_main.log"
}

sending_exim_conf() {
	local user
	cat <<-END
	exim_path = $EXIM
	spool_directory = $TESTBED/exim/spool
	log_file_path = $TESTBED/exim_%s.log
	pid_file_path = $TESTBED/exim/pid
	primary_hostname = exim.example.net
	local_interfaces = 127.0.0.1
	daemon_smtp_ports = 2526
	keep_environment =
	# Nothing is done here that needs another user than Exim's own.
	deliver_drop_privilege
	FROM = \${extract{\$sender_address_local_part}{ \\
	END
	for user in $(source_users exim); do
		printf '\t%s=%s \\\n' "$user" "${SOURCE[exim-$user]}"
	done
	cat <<-END
		}}

	begin routers
	own:
		driver = accept
		domains = exim.example.net
		transport = maildir
	away:
		driver = dnslookup
		ignore_target_hosts = <; \${if match{FROM}{:}{0.0.0.0/0}{::/0}}
		transport = smtp
		no_more

	begin transports
	maildir:
		driver = appendfile
		directory = $TESTBED/exim/bounces
		maildir_format
		user = $EXIM_USER
	smtp:
		driver = smtp
		interface = <; FROM

	begin retry
	*  *  F,1h,1s
	END
}

exim_queue_id() {
	sed -n "s/^[-0-9]* [0-9:]* \([^ ]*\) <= .* id=$1@.*/\1/p" \
		"$TESTBED/exim_main.log" | head -n 1
}

exim_submit() {
	exim -odb -i -f "$@"
}

# The list of the queue has no reasons; the message's own log has.
exim_queue() {
	local id
	id=$(exim_queue_id "$1")
	exim -bp | awk -v RS= -v id="$id" '$3 == id' | grep . || return 0
	exim -Mvl "$id"
}

exim_log() {
	grep " $(exim_queue_id "$1") " "$TESTBED/exim_main.log"
}

# --- either ------------------------------------------------------------------

# source_users MTA: the users that have a SOURCE there
source_users() {
	printf '%s\n' "${!SOURCE[@]}" | sed -n "s/^$1-//p" | sort
}

# submit MTA USER DOMAIN ID: hands a mail over to the MTA, which sends it.
submit() {
	local from=$2@$1.example.net
	compose "$from" "$4" "$4" 'A mail.' | "$1_submit" "$from" "postmaster@$3"
}

# compose FROM ID SUBJECT BODY: prints a mail
compose() {
	printf '%s\n' "From: $1" "To: postmaster@example.org" "Subject: $3" \
		"Message-ID: <$2@${1#*@}>" "X-Test-Id: $2" '' "$4"
}

# queue_text MTA ID: what the MTA's queue says of the mail; nothing if it is
# not there.
queue_text() {
	"$1_queue" "$2"
}

# log_text MTA ID: what the MTA's log says of it
log_text() {
	"$1_log" "$2" || true
}

# log_count MTA ID PATTERN: in how many lines
log_count() {
	log_text "$1" "$2" | grep -cE "$3" || true
}

# log_has MTA ID PATTERN COUNT: in so many lines, or more
log_has() {
	[ "$(log_count "$1" "$2" "$3")" -ge "$4" ]
}

# bounce_of MTA ID: the bounce of the mail, as the file's name
bounce_of() {
	grep -rlsE "^X-Test-Id: $2\$" "$TESTBED/bounces/$1/new"
}
