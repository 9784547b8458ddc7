/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "responder/refusals.h"

#include "base/addr.h"
#include "base/log.h"
#include "base/names.h"

#define LINE_SIZE 2048

/* Stands for a zone's alias where a list or a country blocks. */
#define LOCAL "local"

void rg_refusals_find(const struct rg_verdicts *verdicts, const struct rg_lists *lists,
		      const struct rg_conf *conf, const struct rg_addr *addr, enum rg_action action,
		      struct rg_refusal *refusal)
{
	const struct rg_list_item *item = rg_lists_find(lists, addr, rg_now());
	const struct rg_refusal blocked = { conf->blocked_reply, LOCAL, "", .permanent = true };
	const struct rg_zone_conf *zone = NULL;
	struct rg_full_verdict verdict = {};
	struct rg_prefix key = {};

	*refusal = (struct rg_refusal){ "450 4.7.1 Service unavailable; try again later", "repgate",
					"", .permanent = false };
	if (!item && !rg_verdicts_find(verdicts, addr, rg_now(), &key, &verdict) &&
	    verdict.zone != RG_NO_ZONE)
		zone = rg_conf_zone_by_slot(conf, verdict.zone);
	if (action == RG_ACTION_REJECT &&
	    (item ? item->peer_class == RG_CLASS_BLOCKED : verdict.peer_class == RG_CLASS_BLOCKED))
		*refusal = blocked;
	else if (zone && zone->peer_class ==
				 (action == RG_ACTION_REJECT ? RG_CLASS_STANDARD : RG_CLASS_QIL))
		*refusal = (struct rg_refusal){ zone->reply, zone->alias, zone->url ? zone->url : "",
						.permanent = zone->peer_class != RG_CLASS_QIL };
	else
		return;
	if (key.len && key.len < RG_ADDR_BITS &&
	    rg_verdicts_evidence(verdicts, &key, rg_now(), refusal->listed) == RG_EVIDENCE)
		refusal->network = key;
}

static const char *state_name(const struct rg_smtp *smtp)
{
	if (*smtp->to)
		return "RCPT";
	if (*smtp->from)
		return "MAIL";
	if (*smtp->helo)
		return smtp->esmtp ? "EHLO" : "HELO";
	return "CONNECT";
}

static const char *end_name(enum rg_session_end end)
{
	static const char *const names[] = {
		[RG_SESSION_QUIT] = "disconnect",      [RG_SESSION_CLOSED] = "too many commands",
		[RG_SESSION_LOST] = "lost connection", [RG_SESSION_TIMEOUT] = "timeout",
		[RG_SESSION_STOPPED] = "shutdown",
	};

	return names[end];
}

/* Splits the first line of the refusal: code gets "450 4.7.1", text what follows. */
static void split_reply(const struct rg_smtp *smtp, char reply[RG_REPLY_SIZE], char code[16],
			const char **text)
{
	size_t len;

	(void)rg_reply_render(smtp->refusal, &smtp->addr, smtp->refused_as, reply);
	reply[strcspn(reply, "\r\n")] = '\0';
	if (reply[3] == '-')
		reply[3] = ' ';
	len = 4 + strcspn(reply + 4, " ");
	snprintf(code, 16, "%.*s", (int)len, reply);
	*text = reply[len] ? reply + len + 1 : "";
}

/*
 * In Postfix's form: "NOQUEUE: reject: RCPT from unknown[a]:port: 450 4.7.1 Service unavailable;
 * Client host [a] blocked using zone; text; from=<> to=<> proto=ESMTP helo=<>"
 */
static void write_line(const struct rg_session_report *report, const char *peer, const char *code,
		       const char *text, char line[LINE_SIZE])
{
	const struct rg_smtp *smtp = report->smtp;
	char listed_text[RG_REPLY_LISTED_TEXT];
	const char *listed = rg_reply_listed(smtp->refusal, listed_text);

	if (smtp->refused)
		snprintf(line, LINE_SIZE,
			 "NOQUEUE: reject: %s from unknown[%s]:%u: %s Service unavailable; Client host "
			 "[%s] blocked using %s; %s%s%s; from=<%s> to=<%s> proto=%s helo=<%s>",
			 *smtp->to ? "RCPT" : "CONNECT", peer, report->port, code, peer,
			 smtp->refusal->alias, text, *listed ? "; " : "", listed, smtp->from,
			 smtp->to, smtp->esmtp ? "ESMTP" : "SMTP", smtp->helo);
	else
		snprintf(line, LINE_SIZE, "%s after %s from unknown[%s]:%u, refused by %s",
			 end_name(report->end), state_name(smtp), peer, report->port,
			 smtp->refusal->alias);
}

static bool is_allowed(struct rg_refusals *refusals, uint32_t per_second, uint64_t now)
{
	uint64_t second = now / RG_NSEC_PER_SEC;

	if (refusals->second != second) {
		refusals->second = second;
		refusals->lines = 0;
	}
	if (refusals->lines++ < per_second)
		return true;
	refusals->suppressed++;
	return false;
}

void rg_refusals_log(struct rg_refusals *refusals, const struct rg_session_report *report,
		     uint32_t per_second, uint64_t now)
{
	const struct rg_smtp *smtp = report->smtp;
	char peer[RG_ADDR_TEXT], evidence[RG_ADDR_TEXT] = "", reply[RG_REPLY_SIZE], code[16];
	char line[LINE_SIZE];
	const char *text;

	if (rg_log_level() < RG_LOG_INFO || !is_allowed(refusals, per_second, now))
		return;
	rg_addr_format(&smtp->addr, peer);
	if (smtp->refusal->network.len)
		rg_addr_format(&smtp->refusal->listed[0], evidence);
	split_reply(smtp, reply, code, &text);
	write_line(report, peer, code, text, line);
	{
		const struct rg_log_field fields[] = {
			{ "REPGATE_CLIENT", peer },
			{ "REPGATE_EVIDENCE", evidence },
			{ "REPGATE_ACTION", rg_action_name(report->action) },
			{ "REPGATE_ZONE", smtp->refusal->alias },
			{ "REPGATE_REPLY", smtp->refused ? code : "" },
			{ "REPGATE_HELO", smtp->helo },
			{ "REPGATE_FROM", smtp->from },
			{ "REPGATE_TO", smtp->to },
		};

		rg_log_fields(RG_LOG_INFO, line, fields, ARRAY_SIZE(fields));
	}
}
