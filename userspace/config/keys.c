/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row is one setting; keys.h says what a row decides. To add a setting: add its row here, its
 * member to the struct, its entry to man/repgate.conf.5 and dist/repgate.conf (test_keys prints
 * what is missing), and use it.
 */
#include "config/keys.h"

#include "config/config.h"
#include "config/endpoints.h"
#include "config/ers.h"
#include "config/zones.h"
#include "proto/smtp.h"

#define SECOND RG_VALUE_SECOND
#define MINUTE RG_VALUE_MINUTE
#define HOUR RG_VALUE_HOUR
#define DAY RG_VALUE_DAY

/* The offset of a member; does not compile if it is not of this C type. */
#define MEMBER(section, member, type)                                                                       \
	(offsetof(struct section, member) +                                                                 \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct section *)NULL)->member), type) ? \
				 1 :                                                                        \
				 -1]))

#define ROW(section, member, c_type, key_type) \
	.name = #member, .type = key_type, .offset = MEMBER(section, member, c_type)
#define STRING(section, member) ROW(section, member, char *, RG_KEY_STRING)
#define REPLY(section, member) ROW(section, member, char *, RG_KEY_REPLY)
#define PATH(section, member) ROW(section, member, char *, RG_KEY_PATH)
#define BOOL(section, member) ROW(section, member, bool, RG_KEY_BOOL)
#define NUMBER(section, member) ROW(section, member, uint32_t, RG_KEY_NUMBER)
#define SECONDS(section, member) ROW(section, member, uint32_t, RG_KEY_SECONDS)
#define TIME(section, member) ROW(section, member, uint32_t, RG_KEY_TIME)
#define WORD(section, member) ROW(section, member, unsigned int, RG_KEY_WORD)
#define ACTION(section, member) ROW(section, member, unsigned int, RG_KEY_ACTION)
#define RATE(section, member) ROW(section, member, struct rg_rate, RG_KEY_RATE)

#define AT_ONCE .effect = RG_KEY_AT_ONCE
#define AT_RELOAD .effect = RG_KEY_AT_RELOAD
#define AT_RESTART .effect = RG_KEY_AT_RESTART

#define TEXT_OF(number) TEXT_OF_VALUE(number)
#define TEXT_OF_VALUE(number) #number

static const struct rg_word mode_words[] = {
	{ "enforce", RG_MODE_ENFORCE },
	{ "monitor", RG_MODE_MONITOR },
	{},
};

static const struct rg_word unknown_words[] = {
	{ "hold", RG_ACTION_HOLD },
	{ "pass", RG_ACTION_PASS },
	{ "drop", RG_ACTION_DROP },
	{},
};

static const struct rg_word overload_words[] = {
	{ "pass", RG_ACTION_PASS },
	{ "drop", RG_ACTION_DROP },
	{},
};

static const struct rg_word failure_words[] = {
	{ "pass", RG_ACTION_PASS },
	{ "tempfail", RG_ACTION_TEMPFAIL },
	{},
};

static const struct rg_word private_words[] = {
	{ "exempt", RG_PRIVATE_EXEMPT },
	{ "judge", RG_PRIVATE_JUDGE },
	{},
};

static const struct rg_word xdp_words[] = {
	{ "native", RG_XDP_NATIVE },
	{ "generic", RG_XDP_GENERIC },
	{ "auto", RG_XDP_AUTO },
	{},
};

static const struct rg_word attach_words[] = {
	{ "link", RG_ATTACH_LINK },
	{ "dispatcher", RG_ATTACH_DISPATCHER },
	{},
};

static const struct rg_word kind_words[] = {
	{ "standard", RG_CLASS_STANDARD },
	{ "qil", RG_CLASS_QIL },
	{ "allow", RG_CLASS_APPROVED },
	{},
};

static const struct rg_word stage_words[] = {
	{ "rcpt", RG_SMTP_AT_RCPT },
	{ "greeting", RG_SMTP_AT_GREETING },
	{},
};

static const struct rg_word selftest_words[] = {
	{ "full", RG_SELFTEST_FULL },
	{ "negative", RG_SELFTEST_NEGATIVE },
	{ "off", RG_SELFTEST_OFF },
	{},
};

/* Bits of the last octet of ERS Standard's answer. */
static const struct rg_word list_words[] = {
	{ "rbl", 1 }, { "dul", 2 }, { "rss", 4 }, { "ops", 8 }, {},
};

static const struct rg_word permanent_actions[] = {
	{ "drop", RG_ACTION_DROP },
	{ "reset", RG_ACTION_RESET },
	{ "tag", RG_ACTION_TAG },
	{ "reject", RG_ACTION_REJECT },
	{},
};

static const struct rg_word temporary_actions[] = {
	{ "tempfail", RG_ACTION_TEMPFAIL }, { "throttle", RG_ACTION_THROTTLE },
	{ "drop", RG_ACTION_DROP },	    { "reset", RG_ACTION_RESET },
	{ "tag", RG_ACTION_TAG },	    {},
};

static const struct rg_key top_keys[] = {
	/* What is filtered */
	{ .name = "interfaces",
	  .type = RG_KEY_STRINGS,
	  .min = 1,
	  .max = RG_MAX_INTERFACES,
	  AT_RESTART,
	  .read = rg_endpoints_read_interfaces,
	  .same = rg_endpoints_same_interfaces,
	  .help = "the interfaces where mail comes in" },
	{ .name = "ports",
	  .type = RG_KEY_NUMBERS,
	  .min = 1,
	  .max = RG_MAX_PORTS,
	  .bounds = "1 to 16 of 1 to 65535",
	  .value = "[ 25 ]",
	  AT_RELOAD,
	  .read = rg_endpoints_read_ports,
	  .help = "the TCP ports on which peers are judged" },
	{ WORD(rg_conf, mode), .words = mode_words, .value = "\"enforce\"", AT_ONCE,
	  .help = "enforce the verdicts, or only count and log them" },
	{ WORD(rg_conf, unknown), .words = unknown_words, .value = "\"hold\"", AT_ONCE,
	  .help = "what happens to the first SYN of an unknown peer" },
	{ WORD(rg_conf, private_peers), .words = private_words, .value = "\"exempt\"", AT_ONCE,
	  .help = "never ask about private addresses, or judge them as all others" },
	{ ACTION(rg_conf, blocked_action), .peer_class = RG_CLASS_BLOCKED, .value = "\"drop\"",
	  AT_ONCE, .help = "the action for peers that local lists or a country block" },
	{ NUMBER(rg_conf, ipv6_prefix), .min = 32, .max = 128, .value = "64", AT_RESTART,
	  .help = "the IPv6 prefix that is refused as a whole once two of its addresses are listed" },
	/* The first retransmission comes after 1 s. */
	{ TIME(rg_conf, hold_timeout), .min = 50, .max = 60 * SECOND, .value = "\"900ms\"",
	  AT_RESTART, .help = "how long a SYN is held at most" },
	{ WORD(rg_conf, xdp_mode), .words = xdp_words, .value = "\"native\"", AT_RESTART,
	  .help = "run XDP in the driver, in the network stack, or where it works" },
	{ WORD(rg_conf, xdp_attach), .words = attach_words, .value = "\"link\"", AT_RESTART,
	  .help = "attach alone, or beside other XDP programs by libxdp's dispatcher" },

	{ .name = "ers",
	  .type = RG_KEY_GROUP,
	  AT_RELOAD,
	  .read = rg_ers_read,
	  .help = "Trend Micro Email Reputation Services" },
	{ .name = "zones",
	  .type = RG_KEY_GROUP,
	  AT_RELOAD,
	  .read = rg_zones_read,
	  .help = "other DNS lists, a group for each" },

	/* What actions need */
	{ REPLY(rg_conf, blocked_reply),
	  .value = "\"550 5.7.1 Service unavailable; %a is blocked here\"", AT_RELOAD,
	  .help = "the reply to peers that local lists or a country block" },
	{ STRING(rg_conf, responder_name), .min = 1, .max = 255, .no_value = "the host's name",
	  AT_RELOAD, .help = "the responder's name in its greeting" },
	{ WORD(rg_conf, reply_stage), .words = stage_words, .value = "\"rcpt\"", AT_ONCE,
	  .help = "where the responder refuses" },
	{ TIME(rg_conf, greet_delay), .min = 0, .max = 25 * SECOND, .value = "\"0s\"", AT_ONCE,
	  .help = "how long the responder waits before its greeting" },
	{ NUMBER(rg_conf, max_sessions), .min = 1, .max = 1000000, .value = "10000", AT_ONCE,
	  .help = "sessions of the responder at once" },
	{ NUMBER(rg_conf, max_sessions_per_peer), .min = 1, .max = 1000000, .value = "20", AT_ONCE,
	  .help = "sessions of the responder at once with one peer" },
	{ RATE(rg_conf, qil_throttle), .value = "\"60/min burst 5\"", AT_ONCE,
	  .bounds = "SYNs /s, /min or /h, burst 1 to 100000",
	  .help = "the rate within which throttle lets SYNs pass" },
	{ NUMBER(rg_conf, throttle_ipv4_prefix), .min = 8, .max = 32, .value = "32", AT_ONCE,
	  .help = "IPv4 peers of one such prefix share a rate" },
	{ NUMBER(rg_conf, throttle_ipv6_prefix), .min = 16, .max = 128, .value = "64", AT_ONCE,
	  .help = "IPv6 peers of one such prefix share a rate" },
	/* xxxx11 is for local use (RFC 2474, 6): no sender has a reason to set it. */
	{ NUMBER(rg_conf, tag_dscp), .min = 1, .max = 63, .value = "63", AT_ONCE,
	  .help = "the DSCP that tag writes" },

	/* DNS */
	{ .name = "resolver",
	  .type = RG_KEY_STRING,
	  .offset = MEMBER(rg_conf, resolver_text, char *),
	  .bounds = "ADDRESS or ADDRESS:PORT",
	  .value = "\"127.0.0.1\"",
	  AT_RESTART,
	  .read = rg_endpoints_read_resolver,
	  .help = "your own recursive resolver" },
	{ TIME(rg_conf, dns_timeout), .min = 50, .max = 30 * SECOND, .value = "\"2s\"", AT_RESTART,
	  .help = "how long the first DNS try waits for an answer" },
	{ NUMBER(rg_conf, dns_tries), .min = 1, .max = 10, .value = "2", AT_RESTART,
	  .help = "how often a DNS query is sent" },
	{ NUMBER(rg_conf, dns_in_flight), .min = 1, .max = 65536, .value = "2000", AT_RESTART,
	  .help = "DNS queries in flight at once" },
	{ WORD(rg_conf, on_dns_failure), .words = failure_words, .value = "\"pass\"", AT_ONCE,
	  .help = "what happens to an unlisted peer if a zone does not answer" },
	{ SECONDS(rg_conf, failure_ttl), .min = SECOND, .max = HOUR, .value = "\"30s\"", AT_ONCE,
	  .help = "when such a peer is asked about again" },
	{ NUMBER(rg_conf, hit_share_window), .min = 10, .max = 1000000, .value = "300", AT_ONCE,
	  .help = "a zone's latest answers from which its share of listed peers is taken" },
	{ NUMBER(rg_conf, hit_share_jump), .min = 0, .max = 100, .value = "50", AT_ONCE,
	  .help = "the jump of that share, in points, after which its listings pass; 0: off" },
	{ SECONDS(rg_conf, clean_ttl_min), .min = SECOND, .max = DAY, .value = "\"1m\"", AT_RELOAD,
	  .help = "how long an unlisted peer passes, at least" },
	{ SECONDS(rg_conf, clean_ttl_max), .min = SECOND, .max = 7 * DAY, .value = "\"1h\"",
	  AT_RELOAD, .help = "how long an unlisted peer passes, at most" },

	/* Local lists */
	{ PATH(rg_conf, approved_dir), .value = "\"/etc/repgate/approved.d\"", AT_RESTART,
	  .help = "the directory of lists of approved peers" },
	{ PATH(rg_conf, blocked_dir), .value = "\"/etc/repgate/blocked.d\"", AT_RESTART,
	  .help = "the directory of lists of blocked peers" },
	{ PATH(rg_conf, country_database), AT_RELOAD,
	  .help = "the MaxMind DB file that tells an address's country" },
	{ PATH(rg_conf, state_dir), .value = "\"/var/lib/repgate\"", AT_RESTART,
	  .help = "the directory of saved verdicts, history and lists of approve and block" },

	/* Sizes, overload, log */
	{ NUMBER(rg_conf, max_verdicts), .min = 16, .max = 16777216,
	  .value = TEXT_OF(RG_DEFAULT_VERDICTS), AT_RESTART, .help = "verdicts in the kernel" },
	{ NUMBER(rg_conf, max_peers), .min = 16, .max = 16777216, .value = TEXT_OF(RG_DEFAULT_PEERS),
	  AT_RESTART, .help = "clean and pending peers in the kernel" },
	{ NUMBER(rg_conf, max_list), .min = 16, .max = 16777216, .value = TEXT_OF(RG_DEFAULT_LIST),
	  AT_RESTART, .help = "prefixes of the local lists in the kernel" },
	{ BOOL(rg_conf, index), .value = "true", AT_RESTART,
	  .help = "look into the index before the kernel's tries" },
	{ NUMBER(rg_conf, max_inquiries), .min = 16, .max = 1048576, .value = "20000", AT_RELOAD,
	  .help = "peers that are asked about at once" },
	{ NUMBER(rg_conf, new_peers_per_second), .min = 1, .max = 10000000, .value = "2000",
	  AT_ONCE, .help = "unknown peers that are judged a second" },
	{ WORD(rg_conf, on_overload), .words = overload_words, .value = "\"pass\"", AT_ONCE,
	  .help = "what happens to unknown peers that are too many" },
	{ TIME(rg_conf, heartbeat_timeout), .min = 2 * SECOND, .max = HOUR, .value = "\"5s\"",
	  AT_RELOAD, .help = "the agent's silence after which unknown peers pass" },
	{ NUMBER(rg_conf, log_per_second), .min = 0, .max = 10000, .value = "50", AT_ONCE,
	  .help = "refused attempts that are logged, a second and CPU" },

	/* Service */
	{ PATH(rg_conf, pin_path), .value = "\"/sys/fs/bpf/repgate\"", AT_RESTART,
	  .help = "the directory of pinned maps, programs and links" },
	{ BOOL(rg_conf, keep_on_stop), .value = "false", AT_RELOAD,
	  .help = "leave the filter in force when the agent stops" },
	{ PATH(rg_conf, control_socket), .value = "\"/run/repgate/control.sock\"", AT_RESTART,
	  .help = "the socket of repgatectl" },
	{ STRING(rg_conf, control_group), .value = "\"repgate\"", AT_RESTART,
	  .help = "the group whose members may use repgatectl" },
	{ STRING(rg_conf, metrics_listen), .bounds = "ADDRESS:PORT, or \"\" for none",
	  .value = "\"127.0.0.1:9125\"", AT_RESTART, .read = rg_endpoints_read_metrics,
	  .help = "where the Prometheus page is served" },
#ifdef RG_KEYS_MORE
	RG_KEYS_MORE /* rows of tests/unit/config/test_new_key.c */
#endif
};

static const struct rg_key ers_keys[] = {
	{ PATH(rg_ers_conf, activation_code_file),
	  .no_value = "the systemd credential \"activation-code\"", AT_RELOAD,
	  .read = rg_ers_read_code_file, .help = "the file that holds the activation code" },
	{ .name = "lists",
	  .type = RG_KEY_STRINGS,
	  .min = 1,
	  .max = 4,
	  .words = list_words,
	  .value = "[ \"rbl\", \"dul\", \"rss\", \"ops\" ]",
	  AT_RELOAD,
	  .read = rg_ers_read_lists,
	  .help = "the parts of Standard that count" },
	{ ACTION(rg_ers_conf, standard_action), .peer_class = RG_CLASS_STANDARD,
	  .value = "\"drop\"", AT_ONCE, .help = "the action for peers that Standard lists" },
	{ SECONDS(rg_ers_conf, standard_ttl_min), .min = SECOND, .max = 30 * DAY,
	  .value = "\"10m\"", AT_RELOAD, .help = "how long a listing of Standard holds, at least" },
	{ SECONDS(rg_ers_conf, standard_ttl_max), .min = SECOND, .max = 30 * DAY,
	  .value = "\"24h\"", AT_RELOAD, .help = "how long a listing of Standard holds, at most" },
	{ ACTION(rg_ers_conf, qil_action), .peer_class = RG_CLASS_QIL, .value = "\"tempfail\"",
	  AT_ONCE, .help = "the action for peers that QIL lists" },
	{ SECONDS(rg_ers_conf, qil_ttl_min), .min = SECOND, .max = 12 * HOUR, .value = "\"5m\"",
	  AT_RELOAD, .help = "how long a listing of QIL holds, at least" },
	{ SECONDS(rg_ers_conf, qil_ttl_max), .min = SECOND, .max = 12 * HOUR, .value = "\"12h\"",
	  AT_RELOAD, .help = "how long a listing of QIL holds, at most" },
	{ REPLY(rg_ers_conf, standard_reply),
	  .value = "\"550 5.7.1 Mail from %a blocked using Trend Micro Email Reputation Services. "
		   "Please see %u\"",
	  AT_RELOAD, .help = "the reply to peers that Standard lists" },
	{ REPLY(rg_ers_conf, qil_reply),
	  .value = "\"450 4.7.1 Mail from %a temporarily blocked using Trend Micro Email "
		   "Reputation Services. Please see %u\"",
	  AT_RELOAD, .help = "the reply to peers that QIL lists" },
	{ NUMBER(rg_ers_conf, qil_level), .min = 1, .max = 4, .value = "2", AT_RELOAD,
	  .help = "how aggressive QIL is at the service; only shown" },
};

static const struct rg_key zone_keys[] = {
	{ STRING(rg_zone_conf, suffix), .min = 1, .max = 180, AT_RELOAD,
	  .read = rg_zones_read_suffix, .help = "the zone's real name, which may hold a key" },
	{ .name = "kind",
	  .type = RG_KEY_WORD,
	  .words = kind_words,
	  AT_RELOAD,
	  .read = rg_zones_read_kind,
	  .help = "what a listing means" },
	{ .name = "codes",
	  .type = RG_KEY_STRINGS,
	  .min = 1,
	  .max = RG_MAX_CODES,
	  .value = "[ \"127.0.0.2-127.0.0.254\", \"127.1.0.0/24\" ]",
	  AT_RELOAD,
	  .read = rg_zones_read_codes,
	  .help = "the A records that mean a listing" },
	{ .name = "action",
	  .type = RG_KEY_ACTION,
	  .value = "\"drop\"",
	  .value_qil = "\"tempfail\"",
	  .value_allow = "",
	  AT_ONCE,
	  .read = rg_zones_read_action,
	  .bounds = "as standard_action or qil_action",
	  .help = "the action for listed peers" },
	{ SECONDS(rg_zone_conf, ttl_min), .min = SECOND, .max = 30 * DAY, .value = "\"1m\"",
	  .value_qil = "\"5m\"", AT_RELOAD, .help = "how long a listing holds, at least" },
	{ SECONDS(rg_zone_conf, ttl_max), .min = SECOND, .max = 30 * DAY, .value = "\"24h\"",
	  .value_qil = "\"12h\"", AT_RELOAD, .bounds = "1s to 30d, of a qil zone to 12h",
	  .help = "how long a listing holds, at most" },
	{ STRING(rg_zone_conf, url), AT_RELOAD, .help = "where people look a listing up" },
	{ REPLY(rg_zone_conf, reply), .value = "\"550 5.7.1 Service unavailable; %a is listed by %z\"",
	  .value_qil = "\"450 4.7.1 Service unavailable; %a is listed by %z, try again later\"",
	  AT_RELOAD, .help = "the reply to listed peers" },
	{ BOOL(rg_zone_conf, ipv4), .value = "true", AT_RELOAD, .help = "ask about IPv4 addresses" },
	{ BOOL(rg_zone_conf, ipv6), .value = "true", AT_RELOAD, .help = "ask about IPv6 addresses" },
	{ WORD(rg_zone_conf, selftest), .words = selftest_words, .value = "\"full\"",
	  .value_allow = "\"negative\"", AT_RELOAD, .help = "how the zone is tested" },
};

#define SECTION(name, keys)                  \
	{                                    \
		name, keys, ARRAY_SIZE(keys) \
	}

const struct rg_key_section rg_keys_top = SECTION("", top_keys);
const struct rg_key_section rg_keys_ers = SECTION("ers", ers_keys);
const struct rg_key_section rg_keys_zone = SECTION("zones.ALIAS", zone_keys);

const struct rg_key_section *const rg_keys_sections[RG_KEYS_SECTIONS] = {
	&rg_keys_top,
	&rg_keys_ers,
	&rg_keys_zone,
};

const struct rg_key *rg_keys_find(const struct rg_key_section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++)
		if (!strcmp(section->keys[i].name, name))
			return &section->keys[i];
	return NULL;
}

const struct rg_key *rg_keys_find_live(const char *name)
{
	const struct rg_key *key = rg_keys_find(&rg_keys_top, name);

	if (!key)
		key = rg_keys_find(&rg_keys_ers, name);
	return key && key->effect == RG_KEY_AT_ONCE ? key : NULL;
}

const char *rg_keys_default(const struct rg_key *key, enum rg_class peer_class)
{
	const char *value = key->value;

	if (peer_class == RG_CLASS_QIL && key->value_qil)
		value = key->value_qil;
	if (peer_class == RG_CLASS_APPROVED && key->value_allow)
		value = key->value_allow;
	return value && *value ? value : NULL;
}

static bool is_text(const struct rg_key *key)
{
	return key->type == RG_KEY_STRING || key->type == RG_KEY_REPLY || key->type == RG_KEY_PATH;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_rate(const struct rg_rate *a, const struct rg_rate *b)
{
	return a->token_time == b->token_time && a->burst == b->burst;
}

bool rg_keys_same(const struct rg_key *key, const void *a, const void *b)
{
	const void *one = (const char *)a + key->offset, *other = (const char *)b + key->offset;

	if (key->same)
		return key->same(a, b);
	switch (key->type) {
	case RG_KEY_STRING:
	case RG_KEY_REPLY:
	case RG_KEY_PATH:
		return same_text(*(char *const *)one, *(char *const *)other);
	case RG_KEY_BOOL:
		return *(const bool *)one == *(const bool *)other;
	case RG_KEY_NUMBER:
	case RG_KEY_SECONDS:
	case RG_KEY_TIME:
	case RG_KEY_WORD:
	case RG_KEY_ACTION:
		return *(const uint32_t *)one == *(const uint32_t *)other;
	case RG_KEY_RATE:
		return same_rate(one, other);
	default:
		return true; /* test_keys refuses a row without `same` that needs a restart */
	}
}

void rg_keys_free(const struct rg_key_section *section, void *values)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct rg_key *key = &section->keys[i];
		char **text = (char **)((char *)values + key->offset);

		if (!is_text(key) || !*text)
			continue;
		explicit_bzero(*text, strlen(*text));
		free(*text);
		*text = NULL;
	}
}

const char *rg_keys_type_name(const struct rg_key *key)
{
	static const char *const names[RG_KEY_TYPES] = {
		[RG_KEY_STRING] = "string",   [RG_KEY_REPLY] = "reply",
		[RG_KEY_PATH] = "path",	      [RG_KEY_BOOL] = "boolean",
		[RG_KEY_NUMBER] = "number",   [RG_KEY_SECONDS] = "time in whole seconds",
		[RG_KEY_TIME] = "time",	      [RG_KEY_WORD] = "word",
		[RG_KEY_ACTION] = "action",   [RG_KEY_RATE] = "rate",
		[RG_KEY_STRINGS] = "strings", [RG_KEY_NUMBERS] = "numbers",
		[RG_KEY_GROUP] = "group",
	};

	return names[key->type];
}

const char *rg_keys_effect_name(const struct rg_key *key)
{
	static const char *const names[] = {
		[RG_KEY_AT_ONCE] = "set",
		[RG_KEY_AT_RELOAD] = "reload",
		[RG_KEY_AT_RESTART] = "restart",
	};

	return names[key->effect];
}

const struct rg_word *rg_keys_actions(enum rg_class peer_class)
{
	return peer_class == RG_CLASS_QIL ? temporary_actions : permanent_actions;
}

/* "pass, drop" */
static void list_words_of(const struct rg_word *words, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; words[i].word && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? ", " : "", words[i].word);
}

const char *rg_keys_bounds(const struct rg_key *key, char *text, size_t size)
{
	char min[RG_VALUE_TIME_SIZE], max[RG_VALUE_TIME_SIZE];
	bool is_time = key->type == RG_KEY_SECONDS || key->type == RG_KEY_TIME;

	*text = '\0';
	if (key->bounds)
		snprintf(text, size, "%s", key->bounds);
	else if (key->words)
		list_words_of(key->words, text, size);
	else if (key->type == RG_KEY_ACTION)
		list_words_of(rg_keys_actions(key->peer_class), text, size);
	else if (is_time)
		snprintf(text, size, "%s to %s", rg_value_format_time(key->min, min),
			 rg_value_format_time(key->max, max));
	else if (key->max)
		snprintf(text, size, "%llu to %llu%s", (unsigned long long)key->min,
			 (unsigned long long)key->max, is_text(key) ? " characters" : "");
	return text;
}
