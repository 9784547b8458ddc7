# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# senders_more.sh - sendmail and OpenSMTPD that send, in the namespace clients
#
# To be sourced after senders.sh. As its MTAs, they send from ${SOURCE[MTA-USER]}, over IPv4 only. Each USER of
# sendmail is a configuration and a queue of its own: a sendmail has one address that it sends from.

# --- sendmail ------------------------------------------------------------------

# Runs a command with what sendmail needs: its libraries, and a host name with a dot, or it sleeps for a
# minute. In the clients' namespace.
SENDMAIL_ENTER=(unshare --uts -- bash -c 'echo mta.sendmail.example.net >/proc/sys/kernel/hostname && "$@"' sendmail
	env LD_LIBRARY_PATH="$(cat "$BUILD/mta/sendmail/library_path" 2>/dev/null || true)")

sending_sendmail_start() {
	local user dir
	add_user smmsp 64526
	for user in $(source_users sendmail); do
		dir=$TESTBED/sendmail/$user
		mkdir -p "$dir/queue"
		sendmail_mc "$user" | m4 >"$dir/sendmail.cf"
		spawn_sender "sendmail_$user" "${SENDMAIL_ENTER[@]}" bash -c 'while sleep 1; do "$@"; done' \
			queue_runner "$SENDMAIL" -C "$dir/sendmail.cf" -q
	done
}

# m4 reads the quotes: `like this'.
sendmail_mc() {
	local dir=$TESTBED/sendmail/$1 cf=$BUILD/mta/sendmail/usr/share/sendmail/cf
	cat <<-END
	define(\`_CF_DIR_', \`$cf/')dnl
	include(\`$cf/m4/cf.m4')dnl
	OSTYPE(\`linux')dnl
	undefine(\`ALIAS_FILE')dnl
	define(\`QUEUE_DIR', \`$dir/queue')dnl
	define(\`STATUS_FILE', \`$dir/statistics')dnl
	define(\`confPID_FILE', \`$dir/pid')dnl
	define(\`confHOST_STATUS_DIRECTORY', \`')dnl
	define(\`confDOMAIN_NAME', \`mta.sendmail.example.net')dnl
	CLIENT_OPTIONS(\`Family=inet, Address=${SOURCE[sendmail-$1]}')dnl
	define(\`confMIN_QUEUE_AGE', \`0')dnl
	define(\`confTO_IDENT', \`0')dnl
	define(\`confDELIVERY_MODE', \`background')dnl
	define(\`confDIAL_DELAY', \`0s')dnl
	FEATURE(\`nocanonify')dnl
	MAILER(\`smtp')dnl
	END
}

sendmail_submit() {
	in_clients "${SENDMAIL_ENTER[@]}" "$SENDMAIL" -C "$TESTBED/sendmail/${1%@*}/sendmail.cf" -i -f "$@"
}

# All queues; what a mail waits for is behind its recipients.
sendmail_queue() {
	local user
	for user in $(source_users sendmail); do
		grep -lsE "^H?.*X-Test-Id: $1\$" "$TESTBED/sendmail/$user/queue"/[qQ]f* | xargs -r cat || true
	done
}

# --- OpenSMTPD -------------------------------------------------------------------

# In a mount namespace of its own: its spool and its chroot directory are compiled in.
sending_opensmtpd_start() {
	local dir=$TESTBED/opensmtpd
	mkdir -p "$dir"
	add_user opensmtpd 64527
	add_user opensmtpq 64528
	opensmtpd_conf >"$dir/smtpd.conf"
	spawn_sender opensmtpd unshare --mount bash -c '
		mount -t tmpfs -o mode=755 tmpfs /var
		mkdir -p /var/lib/opensmtpd/empty /var/run /var/empty
		install -d -m 711 /var/spool /var/spool/smtpd
		# It wants to have its group.
		install -g opensmtpq -m 2755 "${2%smtpd}smtpctl" /var/smtpctl
		exec env LD_LIBRARY_PATH="$1" "$2" -d -f "$3"' opensmtpd \
		"$(cat "$BUILD/mta/opensmtpd/library_path")" "$OPENSMTPD" "$dir/smtpd.conf"
	must "the sending OpenSMTPD does not start" wait_for 10 opensmtpd_listens
}

opensmtpd_listens() {
	[ -n "$(in_clients ss -Hltn 'sport = :2527')" ]
}

opensmtpd_conf() {
	local user
	echo 'listen on 127.0.0.1 port 2527 hostname opensmtpd.example.net'
	for user in $(source_users opensmtpd); do
		printf 'action "from_%s" relay src %s helo opensmtpd.example.net\n' "$user" "${SOURCE[opensmtpd-$user]}"
		printf 'match from any mail-from "%s@opensmtpd.example.net" for any action "from_%s"\n' "$user" "$user"
	done
	# Bounces.
	printf 'action "other" relay\nmatch from any for any action "other"\n'
}

opensmtpd_ctl() {
	nsenter --target "${TESTBED_PID[opensmtpd]}" --mount --net --root -- /var/smtpctl "$@"
}

# Its own enqueue command does not take a sender; SMTP does.
opensmtpd_submit() {
	local from=$1 to
	shift
	to=$(printf '%s,' "$@")
	in_clients swaks --server 127.0.0.1 --port 2527 --from "$from" --to "${to%,}" --data - --silent 3
}

opensmtpd_queue() {
	opensmtpd_ctl show queue
}

# Its own retry comes after minutes.
opensmtpd_retry() {
	opensmtpd_ctl schedule all >"$TESTBED/opensmtpd_schedule.log" 2>&1
}
