/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which reply a peer gets, as rows; the log line of a session, and the limit of lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/refusals.h"

#include "base/log.h"

#include "maps/types.h"

#include <cmocka.h>

static const struct rg_conf conf = {
	.references = 1,
	.blocked_reply = (char[]){ "550 5.7.1 Blocked here" },
	.zone_count = 2,
	.zones = {
		{ .alias = "standard", .slot = 3, .peer_class = RG_CLASS_STANDARD,
		  .reply = (char[]){ "550 5.7.1 Listed" }, .url = (char[]){ "https://x.test/%a" } },
		{ .alias = "qil", .slot = 4, .peer_class = RG_CLASS_QIL,
		  .reply = (char[]){ "450 4.7.1 Later" } },
	},
};

static struct rg_list_item item;
static struct rg_full_verdict verdict;
static bool has_item, has_verdict;
static uint32_t verdict_len = RG_ADDR_BITS;

const struct rg_list_item *rg_lists_find(const struct rg_lists *lists, const struct rg_addr *addr,
					 uint64_t now)
{
	(void)lists;
	(void)addr;
	(void)now;
	return has_item ? &item : NULL;
}

int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret)
{
	(void)verdicts;
	(void)now;
	if (!has_verdict)
		return -ENOENT;
	*key = (struct rg_prefix){ .len = verdict_len, .addr = *addr };
	*ret = verdict;
	return 0;
}

static const struct rg_addr evidence = { .bytes = { 0x20, 1, [15] = 0x26 } };

size_t rg_verdicts_evidence(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
			    uint64_t now, struct rg_addr ret[RG_EVIDENCE])
{
	(void)verdicts;
	(void)now;
	assert_int_equal(key->len, 64);
	ret[0] = ret[1] = evidence;
	return RG_EVIDENCE;
}

/* ---- the log ---- */

static char line[4096], zone_field[64], reply_field[64];
static unsigned int lines;
static enum rg_log_level level = RG_LOG_INFO;

enum rg_log_level rg_log_level(void)
{
	return level;
}

void rg_log_fields(enum rg_log_level at, const char *text, const struct rg_log_field *fields,
		   unsigned int count)
{
	(void)at;
	snprintf(line, sizeof(line), "%s", text);
	lines++;
	for (unsigned int i = 0; i < count; i++) {
		if (!strcmp(fields[i].name, "REPGATE_ZONE"))
			snprintf(zone_field, sizeof(zone_field), "%s", fields[i].value);
		if (!strcmp(fields[i].name, "REPGATE_REPLY"))
			snprintf(reply_field, sizeof(reply_field), "%s", fields[i].value);
	}
}

static const struct row {
	const char *name;
	enum rg_class list; /* NONE: on no list */
	bool has_verdict;
	enum rg_class peer_class;
	uint32_t zone;
	enum rg_action action;
	const char *alias, *text;
	bool permanent;
} rows[] = {
	{ "a blocked list, reject", RG_CLASS_BLOCKED, false, 0, 0, RG_ACTION_REJECT, "local",
	  "550 5.7.1 Blocked here", true },
	{ "a blocked country, reject", RG_CLASS_NONE, true, RG_CLASS_BLOCKED, RG_NO_ZONE,
	  RG_ACTION_REJECT, "local", "550 5.7.1 Blocked here", true },
	{ "a list comes before a verdict", RG_CLASS_BLOCKED, true, RG_CLASS_STANDARD, 3,
	  RG_ACTION_REJECT, "local", "550 5.7.1 Blocked here", true },
	{ "a Standard zone, reject", RG_CLASS_NONE, true, RG_CLASS_STANDARD, 3, RG_ACTION_REJECT,
	  "standard", "550 5.7.1 Listed", true },
	{ "a QIL zone, tempfail", RG_CLASS_NONE, true, RG_CLASS_QIL, 4, RG_ACTION_TEMPFAIL, "qil",
	  "450 4.7.1 Later", false },
	{ "a QIL zone never rejects", RG_CLASS_NONE, true, RG_CLASS_QIL, 4, RG_ACTION_REJECT,
	  "repgate", "450 4.7.1 Service unavailable; try again later", false },
	{ "a Standard zone, tempfail: not its reply", RG_CLASS_NONE, true, RG_CLASS_STANDARD, 3,
	  RG_ACTION_TEMPFAIL, "repgate", "450 4.7.1 Service unavailable; try again later", false },
	{ "approved meanwhile", RG_CLASS_APPROVED, true, RG_CLASS_STANDARD, 3, RG_ACTION_REJECT,
	  "repgate", "450 4.7.1 Service unavailable; try again later", false },
	{ "the verdict has ended", RG_CLASS_NONE, false, 0, 0, RG_ACTION_REJECT, "repgate",
	  "450 4.7.1 Service unavailable; try again later", false },
	{ "its zone has gone", RG_CLASS_NONE, true, RG_CLASS_STANDARD, 9, RG_ACTION_REJECT,
	  "repgate", "450 4.7.1 Service unavailable; try again later", false },
	{ "DNS failed: tempfail without a zone", RG_CLASS_NONE, true, RG_CLASS_QIL, RG_NO_ZONE,
	  RG_ACTION_TEMPFAIL, "repgate", "450 4.7.1 Service unavailable; try again later", false },
};

static void check_rows(void **state)
{
	const struct rg_addr addr = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct rg_refusal refusal;

		has_item = row->list != RG_CLASS_NONE;
		item.peer_class = row->list;
		has_verdict = row->has_verdict;
		verdict = (struct rg_full_verdict){ .peer_class = row->peer_class, .zone = row->zone };
		rg_refusals_find(NULL, NULL, &conf, &addr, row->action, &refusal);
		if (strcmp(refusal.alias, row->alias) != 0 || strcmp(refusal.text, row->text) != 0 ||
		    refusal.permanent != row->permanent || !refusal.url || refusal.network.len)
			fail_msg("%s: %s, \"%s\"", row->name, refusal.alias, refusal.text);
	}
}

/* A verdict on the peer's network: the refusal has whose listing it is. */
static void check_network(void **state)
{
	const struct rg_addr addr = {};
	struct rg_refusal refusal;

	(void)state;
	has_item = false;
	has_verdict = true;
	verdict = (struct rg_full_verdict){ .peer_class = RG_CLASS_STANDARD, .zone = 3 };
	verdict_len = 64;
	rg_refusals_find(NULL, NULL, &conf, &addr, RG_ACTION_REJECT, &refusal);
	verdict_len = RG_ADDR_BITS;
	assert_int_equal(refusal.network.len, 64);
	assert_memory_equal(&refusal.listed[0], &evidence, sizeof(evidence));
}

static const struct rg_refusal refusal = { "450 4.7.1 Mail from %a refused\nsecond line", "qil", "",
					   .permanent = false };
static struct rg_smtp smtp;
static struct rg_session_report report = { .smtp = &smtp, .action = RG_ACTION_TEMPFAIL, .port = 4711 };

static void reset(void)
{
	smtp = (struct rg_smtp){ .refusal = &refusal,
				 .addr = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } } };
	report.end = RG_SESSION_QUIT;
	lines = 0;
}

static void check_refused_line(void **state)
{
	struct rg_refusals refusals = {};

	(void)state;
	reset();
	smtp.refused = smtp.esmtp = true;
	strcpy(smtp.helo, "mx.test");
	strcpy(smtp.from, "a@test");
	strcpy(smtp.to, "b@test");
	rg_refusals_log(&refusals, &report, 10, 1);
	assert_string_equal(
		line, "NOQUEUE: reject: RCPT from unknown[192.0.2.1]:4711: 450 4.7.1 Service "
		      "unavailable; Client host [192.0.2.1] blocked using qil; Mail from "
		      "192.0.2.1 refused; from=<a@test> to=<b@test> proto=ESMTP helo=<mx.test>");
	assert_string_equal(zone_field, "qil");
	assert_string_equal(reply_field, "450 4.7.1");
	/* Refused in the greeting. */
	reset();
	smtp.refused = true;
	rg_refusals_log(&refusals, &report, 10, 1);
	assert_non_null(strstr(line, "NOQUEUE: reject: CONNECT from unknown[192.0.2.1]:4711"));
	assert_non_null(strstr(line, "proto=SMTP helo=<>"));
}

static void check_other_lines(void **state)
{
	static const struct {
		enum rg_session_end end;
		const char *want;
	} ends[] = {
		{ RG_SESSION_QUIT, "disconnect after " },
		{ RG_SESSION_CLOSED, "too many commands after " },
		{ RG_SESSION_LOST, "lost connection after " },
		{ RG_SESSION_TIMEOUT, "timeout after " },
		{ RG_SESSION_STOPPED, "shutdown after " },
	};
	struct rg_refusals refusals = {};

	(void)state;
	reset();
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		report.end = ends[i].end;
		rg_refusals_log(&refusals, &report, 100, 1);
		assert_ptr_equal(strstr(line, ends[i].want), line);
		assert_non_null(strstr(line, "CONNECT from unknown[192.0.2.1]:4711, refused by qil"));
		assert_string_equal(reply_field, "");
	}
	strcpy(smtp.helo, "mx.test");
	rg_refusals_log(&refusals, &report, 100, 1);
	assert_non_null(strstr(line, "after HELO from"));
	smtp.esmtp = true;
	rg_refusals_log(&refusals, &report, 100, 1);
	assert_non_null(strstr(line, "after EHLO from"));
	strcpy(smtp.from, "a@test");
	rg_refusals_log(&refusals, &report, 100, 1);
	assert_non_null(strstr(line, "after MAIL from"));
	strcpy(smtp.to, "b@test");
	rg_refusals_log(&refusals, &report, 100, 1);
	assert_non_null(strstr(line, "after RCPT from"));
}

static void check_limit(void **state)
{
	struct rg_refusals refusals = {};

	(void)state;
	reset();
	for (unsigned int i = 0; i < 10; i++)
		rg_refusals_log(&refusals, &report, 3, RG_NSEC_PER_SEC);
	assert_int_equal(lines, 3);
	assert_true(refusals.suppressed == 7);
	rg_refusals_log(&refusals, &report, 3, 2 * RG_NSEC_PER_SEC);
	assert_int_equal(lines, 4);
	level = RG_LOG_WARNING;
	rg_refusals_log(&refusals, &report, 3, 3 * RG_NSEC_PER_SEC);
	assert_int_equal(lines, 4);
	assert_true(refusals.suppressed == 7); /* nobody would see it */
	level = RG_LOG_INFO;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_rows),	      cmocka_unit_test(check_network),
		cmocka_unit_test(check_refused_line), cmocka_unit_test(check_other_lines),
		cmocka_unit_test(check_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
