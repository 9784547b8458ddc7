/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files as rows: text -> good, or the line and the words of the error. */
#include "tests/unit/config/files.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const struct row {
	const char *text;
	const char *place; /* ":LINE:" */
	const char *words;
} bad[] = {
	{ "", "repgate.conf: ", "interfaces is missing" },
	{ IF "interfaces = [ \"eth1\" ];\n", ":2:", "duplicate" },
	{ IF "ers = {\n", ":", "syntax error" },
	{ IF "mod = \"enforce\";\n", ":2:", "unknown key \"mod\"" },
	{ IF "mode = \"strict\";\n", ":2:", "not one of \"enforce\", \"monitor\"" },
	{ IF "mode = 1;\n", ":2:", "must be a string, not a number" },
	{ "interfaces = [ 1 ];\n", ":1:", "list of strings" },
	{ "interfaces = [ ];\n", ":1:", "1 to 16" },
	{ "interfaces = [ \"a\", \"a\" ];\n", ":1:", "named twice" },
	{ "interfaces = [ \"an-interface-name-too-long\" ];\n", ":1:", "not an interface name" },
	{ IF "ports = [ 0 ];\n", ":2:", "not a port" },
	{ IF "ports = [ 65536 ];\n", ":2:", "not a port" },
	{ IF "ports = 25;\n", ":2:", "list of numbers" },
	{ IF "ports = [ 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 ];\n", ":2:", "1 to 16" },
	{ IF "resolver = \"localhost\";\n", ":2:", "not an address" },
	{ IF "resolver = \"127.0.0.1:99999\";\n", ":2:", "not an address" },
	{ IF "resolver = \"[::1]53\";\n", ":2:", "not an address" },
	{ IF "clean_ttl_min = 60;\n", ":2:", "with its unit" },
	{ IF "clean_ttl_min = \"60\";\n", ":2:", "is no time" },
	{ IF "clean_ttl_min = \"1.5m\";\n", ":2:", "is no time" },
	{ IF "clean_ttl_min = \"-1s\";\n", ":2:", "is no time" },
	{ IF "clean_ttl_min = \"1500ms\";\n", ":2:", "whole seconds" },
	{ IF "clean_ttl_min = \"2h\";\nclean_ttl_max = \"1h\";\n", ":2:", "more than clean_ttl_max" },
	{ IF "dns_tries = 0;\n", ":2:", "out of bounds: 1 to 10" },
	{ IF "dns_timeout = \"1ms\";\n", ":2:", "out of bounds: 50ms to 30s" },
	{ IF "ipv6_prefix = 129;\n", ":2:", "out of bounds" },
	{ IF "ipv6_prefix = \"64\";\n", ":2:", "must be a number" },
	{ IF "keep_on_stop = \"yes\";\n", ":2:", "true or false" },
	{ IF "state_dir = \"var/lib\";\n", ":2:", "not an absolute path" },
	{ IF "metrics_listen = \"9125\";\n", ":2:", "not ADDRESS:PORT" },
	{ IF "metrics_listen = \"::1\";\n", ":2:", "not ADDRESS:PORT" },
	{ IF "metrics_listen = \"127.0.0.1\";\n", ":2:", "not ADDRESS:PORT" },
	{ IF "blocked_action = \"tempfail\";\n", ":2:", "qil lists only" },
	{ IF "blocked_action = \"hold\";\n", ":2:", "use \"drop\", \"reset\", \"tag\" or \"reject\"" },
	{ IF "blocked_action = \"throttle\";\n", ":2:", "qil lists only" },
	{ IF "tag_dscp = 64;\n", ":2:", "1 to 63" },
	{ IF "tag_dscp = 0;\n", ":2:", "1 to 63" },
	{ IF "qil_throttle = \"60/min\";\n", ":2:", "as in \"60/min burst 5\"" },
	{ IF "qil_throttle = \"60/day burst 5\";\n", ":2:", "is not a rate" },
	{ IF "qil_throttle = \"0/min burst 5\";\n", ":2:", "is not a rate" },
	{ IF "qil_throttle = \"60/min burst 0\";\n", ":2:", "is not a rate" },
	{ IF "qil_throttle = \"60/min burst 5 \";\n", ":2:", "is not a rate" },
	{ IF "qil_throttle = \"-1/min burst 5\";\n", ":2:", "is not a rate" },
	{ IF "throttle_ipv4_prefix = 33;\n", ":2:", "8 to 32" },
	{ IF "reply_stage = \"data\";\n", ":2:", "\"rcpt\", \"greeting\"" },
	{ IF "greet_delay = \"31s\";\n", ":2:", "out of bounds" },
	{ IF "max_sessions = 0;\n", ":2:", "out of bounds" },
	{ IF "responder_name = \"a b\";\n", ":2:", "not a host name" },
	{ IF "blocked_reply = \"450 4.7.1 no\";\n", ":2:", "blocked_reply: " },
	{ IF "blocked_reply = \"550 4.7.1 no\";\n", ":2:", "blocked_reply: " },
	{ IF "blocked_reply = \"550 5.7.1\";\n", ":2:", "blocked_reply: " },
	{ IF "blocked_action = \"pass\";\n", ":2:", "not an action" },
	{ IF "on_dns_failure = \"drop\";\n", ":2:", "\"pass\", \"tempfail\"" },
	{ IF "ers = { lists = [ \"qil\" ]; };\n", ":2:", "not one of \"rbl\"" },
	{ IF "ers = {\n qil_action = \"reject\"; };\n", ":3:", "is permanent" },
	{ IF "ers = {\n standard_action = \"tempfail\"; };\n", ":3:", "qil lists only" },
	{ IF "ers = {\n qil_ttl_max = \"13h\"; };\n", ":3:", "out of bounds: 1s to 12h" },
	{ IF "ers = {\n nonsense = 1; };\n", ":3:", "unknown key \"nonsense\" in ers" },
	{ IF "ers = { activation_code_file = \"/nonexistent\"; };\n", ":2:", "No such file" },
	{ IF "zones = {\n x = { kind = \"standard\"; }; };\n", ":3:", "no suffix" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; }; };\n", ":3:", "no kind" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"allow\";\n action = \"drop\"; }; };\n",
	  ":4:", "an allow list pass" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n reply = \"550 5.7.1 no\"; }; };\n",
	  ":3:", "zone \"x\": " },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"standard\";\n reply = \"550 5.7.1 see %u\"; }; };\n",
	  ":3:", "zone \"x\": " },
	{ IF "zones = {\n x = { suffix = \"AbCdEfGhIjKlMn.a.b\"; kind = \"standard\";\n reply = \"550 5.7.1 see "
	     "AB-CDEF-ghij-klmn\"; }; };\n",
	  ":3:", "shows the key" },
	{ IF "zones = {\n x = { suffix = \"abcdefghijklmn.a.b\"; kind = \"standard\";\n url = "
	     "\"http://a/abcdefghijklmn/%a\"; }; };\n",
	  ":3:", "shows the key" },
	{ IF "zones = {\n x = { suffix = \"a..b\"; kind = \"qil\"; }; };\n",
	  ":3:", "not a domain name" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n codes = [ \"10.0.0.1\" ]; }; };\n",
	  ":4:", "outside 127.0.0.0/8" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n codes = [ \"127.0.0.1\" ]; }; };\n",
	  ":4:", "can never list" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\"; ipv4 = false;\n ipv6 = false; }; };\n",
	  ":3:", "ipv4 and ipv6 are both false" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n codes = [ \"127.255.255.0/28\" ]; }; };\n",
	  ":4:", "can never list" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n"
	     "codes = [ \"127.255.255.250-127.255.255.255\" ]; }; };\n",
	  ":4:", "can never list" },
	{ IF "zones = {\n local = { suffix = \"a.b\"; kind = \"qil\"; }; };\n",
	  ":3:", "\"local\" has another meaning" },
	{ IF "zones = {\n all = { suffix = \"a.b\"; kind = \"qil\"; }; };\n",
	  ":3:", "\"all\" has another meaning" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n codes = [ \"127.0.0.9-127.0.0.2\" ]; }; };\n",
	  ":4:", "not an address, a range" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"standard\";\n frob = 1; }; };\n",
	  ":4:", "unknown key \"frob\" in zone \"x\"" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"qil\";\n ttl_max = \"13h\"; }; };\n",
	  ":3:", "12h at most" },
	{ IF "zones = {\n x = 1; };\n", ":3:", "x must be a group { }, not a number" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"allow\";\n reply = \"550 5.7.1 no\"; }; };\n",
	  ":4:", "an allow list pass" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; action = \"tempfail\"; }; };\n", ":3:", "no kind" },
	{ IF "zones = {\n x = { suffix = \"a.b\"; kind = \"standard\"; ttl_min = \"2d\"; }; };\n",
	  ":3:", "ttl_min is more than ttl_max" },
	{ IF "zones = {\n an-alias-of-thirty-two-characters = { suffix = \"a.b\"; kind = \"qil\"; }; };\n",
	  ":3:", "longer than 31" },
	{ IF "zones = { ers-standard = { suffix = \"a.b\"; kind = \"qil\"; }; };\n"
	     "ers = { activation_code_file = \"/proc/self/cmdline\"; };\n",
	  ":3:", "does not hold an activation code" },
	{ IF "zones = { x = { suffix = \"abcdefghijklmn.b\"; kind = \"qil\"; }; };\n"
	     "blocked_reply = \"550 5.7.1 abcdefghijklmn\";\n",
	  ":3:", "blocked_reply shows the key" },
	{ IF "ers = { standard_ttl_min = \"2d\"; };\n", ":2:", "more than standard_ttl_max" },
	{ IF "ers = { qil_ttl_min = \"2h\"; qil_ttl_max = \"1h\"; };\n",
	  ":2:", "more than qil_ttl_max" },
	{ IF "ers = { activation_code_file = \"AB-CDEF-GHIJ-KLMN\"; };\n", ":2:", "is not shown" },
	{ IF "ers = 1;\n", ":2:", "must be a group { }" },
	{ IF "responder_name = \"\";\n", ":2:", "1 to 255 characters" },
	{ IF "ports = [ \"smtp\" ];\n", ":2:", "not a port" },
	{ IF "interfaces2 = 1.5;\n", ":2:", "unknown key" },
};

static void check_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rg_error error = {};
		struct rg_conf *conf;

		if (!load(bad[i].text, &conf, &error))
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(error.text, "repgate.conf:") || !strstr(error.text, bad[i].place) ||
		    !strstr(error.text, bad[i].words))
			fail_msg("%s -> \"%s\", wanted %s %s", bad[i].text, error.text,
				 bad[i].place, bad[i].words);
	}
}

static void check_defaults(void **state)
{
	struct rg_conf *conf;

	(void)state;
	assert_int_equal(load(IF, &conf, NULL), 0);
	assert_int_equal(conf->mode, RG_MODE_ENFORCE);
	assert_int_equal(conf->unknown, RG_ACTION_HOLD);
	assert_int_equal(conf->ports[0], 25);
	assert_int_equal(conf->ipv6_prefix, 64);
	assert_int_equal(conf->heartbeat_timeout, 5000);
	assert_string_equal(conf->pin_path, "/sys/fs/bpf/repgate");
	assert_non_null(strstr(conf->warnings, "no zone"));
	rg_conf_unref(conf);
}

static void check_resolver(void **state)
{
	const struct sockaddr_in6 *in6;
	struct rg_conf *conf;

	(void)state;
	assert_int_equal(load(IF "resolver = \"[2001:db8::53]:5353\";\n", &conf, NULL), 0);
	in6 = (const struct sockaddr_in6 *)&conf->resolver;
	assert_int_equal(in6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(in6->sin6_port), 5353);
	rg_conf_unref(conf);
}

static void load_ers(const char *code, const char *more, struct rg_conf **conf)
{
	char text[400];

	write_file("code", code);
	snprintf(text, sizeof(text), IF "ers = { activation_code_file = \"%s/code\"; %s };\n", dir,
		 more);
	assert_int_equal(load(text, conf, NULL), 0);
}

static bool counts(const struct rg_zone_conf *zone, uint32_t record)
{
	uint32_t code;

	return rg_dnsbl_match(&zone->codes, &record, 1, &code) == RG_LISTED;
}

static void check_ers(void **state)
{
	static const char *const codes[] = { CODE, CODE "\n", LABEL, " ab-cdef-GHIJ-klmn\r\n" };
	struct rg_conf *conf;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		load_ers(codes[i], "", &conf);
		assert_int_equal(conf->zone_count, 2);
		assert_string_equal(conf->zones[0].suffix, LABEL ".r.mail-abuse.com");
		assert_string_equal(conf->zones[1].suffix, LABEL ".q.mail-abuse.com");
		assert_string_equal(conf->zones[0].alias, "ers-standard");
		assert_int_equal(conf->zones[0].action, RG_ACTION_DROP);
		assert_int_equal(conf->zones[1].action, RG_ACTION_TEMPFAIL);
		rg_conf_unref(conf);
	}
}

static void check_ers_lists(void **state)
{
	struct rg_conf *conf;

	(void)state;
	load_ers(CODE, "", &conf);
	for (uint32_t octet = 0; octet < 256; octet++)
		assert_true(counts(&conf->zones[0], 0x7f010000 | octet));
	assert_true(counts(&conf->zones[1], 0x7f000020));
	rg_conf_unref(conf);
	load_ers(CODE, "lists = [ \"rbl\", \"ops\" ];", &conf);
	for (uint32_t octet = 0; octet < 16; octet++)
		assert_int_equal(counts(&conf->zones[0], 0x7f010000 | octet), (octet & 9) != 0);
	rg_conf_unref(conf);
}

static void check_secret(void **state)
{
	static const char *const wrong[] = { "AB-CDEF-GHIJ-KLM!", "AB-CDEF", CODE "\n" CODE,
					     "AB_CDEF-GHIJ-KLMN", "" };
	char text[400];

	(void)state;
	snprintf(text, sizeof(text), IF "ers = { activation_code_file = \"%s/code\"; };\n", dir);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct rg_error error;
		struct rg_conf *conf;

		write_file("code", wrong[i]);
		assert_int_not_equal(load(text, &conf, &error), 0);
		assert_non_null(strstr(error.text, "does not hold an activation code"));
		assert_null(strstr(error.text, "CDEF-GHIJ-KLM\n"));
		assert_null(strcasestr(error.text, "ab_cdef"));
	}
}

static void check_restart(void **state)
{
	struct rg_conf *old, *fresh;

	(void)state;
	assert_int_equal(load(IF, &old, NULL), 0);
	assert_int_equal(load(IF "mode = \"monitor\";\nclean_ttl_min = \"5m\";\n", &fresh, NULL), 0);
	assert_null(rg_conf_needs_restart(old, fresh));
	rg_conf_unref(fresh);
	assert_int_equal(load(IF "ipv6_prefix = 56;\n", &fresh, NULL), 0);
	assert_string_equal(rg_conf_needs_restart(old, fresh), "ipv6_prefix");
	rg_conf_unref(fresh);
	rg_conf_unref(old);
}

/* What is in other files, and files that are none. */
static void check_files(void **state)
{
	struct rg_error error;
	struct rg_conf *conf;
	char *resolved;

	(void)state;
	write_file("more.conf", "tag_dscp = 9;\nmode = \"monitor\";\n");
	conf = loaded(IF "@include \"more.conf\"\n");
	assert_int_equal(conf->tag_dscp, 9);
	rg_conf_unref(conf);
	write_file("more.conf", "\n\ntag_dscp = 64;\n");
	assert_int_equal(load(IF "@include \"more.conf\"\n", &conf, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more.conf:3: tag_dscp = 64 is out of bounds"));
	write_file("more.conf", "\ntag_dscp = ;\n");
	assert_int_equal(load(IF "@include \"more.conf\"\n", &conf, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more.conf:2: syntax error"));
	assert_int_equal(rg_conf_load(&conf, path_of("nowhere.conf"), &error), -ENOENT);
	assert_non_null(strstr(error.text, "nowhere.conf: No such file"));
	assert_int_equal(rg_conf_load(&conf, dir, &error), -EINVAL);
	assert_non_null(strstr(error.text, "not a regular file"));
	/* A path without a folder. */
	resolved = getcwd(NULL, 0);
	write_file("more.conf", "tag_dscp = 9;\n");
	write_file("repgate.conf", IF "@include \"more.conf\"\n");
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(rg_conf_load(&conf, "repgate.conf", NULL), 0);
	assert_int_equal(chdir(resolved), 0);
	assert_int_equal(conf->tag_dscp, 9);
	rg_conf_unref(rg_conf_ref(conf));
	rg_conf_unref(conf);
	free(resolved);
}

static void check_warnings(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "no zone is configured" },
		{ "dns_timeout = \"30s\"; dns_tries = 2;\n", "dns_timeout x dns_tries is 60s" },
		{ "zones = { q = { suffix = \"a.b\"; kind = \"qil\"; ttl_min = \"4m\"; }; };\n",
		  "zone \"q\": ttl_min of less than 5m" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[400];
		struct rg_conf *conf;

		snprintf(text, sizeof(text), IF "%s", rows[i].text);
		conf = loaded(text);
		assert_non_null(strstr(conf->warnings, rows[i].words));
		rg_conf_unref(conf);
	}
}

/* What a zone gets that its group does not name, by its kind. */
static void check_zone_defaults(void **state)
{
	static const struct {
		enum rg_action action;
		uint32_t ttl_min, ttl_max;
		unsigned int selftest;
		const char *reply;
	} wanted[] = {
		{ RG_ACTION_TEMPFAIL, 300, 43200, RG_SELFTEST_FULL,
		  "450 4.7.1 Service unavailable; %a is listed by %z, try again later" },
		{ RG_ACTION_DROP, 60, 86400, RG_SELFTEST_FULL,
		  "550 5.7.1 Service unavailable; %a is listed by %z" },
		{ RG_ACTION_PASS, 60, 86400, RG_SELFTEST_NEGATIVE, NULL },
	};
	struct rg_conf *conf = loaded(IF ZONES);

	(void)state;
	assert_int_equal(conf->zone_count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(conf->zones[i].action, wanted[i].action);
		assert_int_equal(conf->zones[i].ttl_min, wanted[i].ttl_min);
		assert_int_equal(conf->zones[i].ttl_max, wanted[i].ttl_max);
		assert_int_equal(conf->zones[i].selftest, wanted[i].selftest);
		if (wanted[i].reply)
			assert_string_equal(conf->zones[i].reply, wanted[i].reply);
		assert_int_equal(conf->zones[i].codes.count, 2);
	}
	assert_ptr_equal(rg_conf_find_zone(conf, &conf->zones[1]), &conf->zones[1]);
	assert_true(rg_conf_uses(conf, RG_ACTION_TEMPFAIL));
	assert_false(rg_conf_uses(conf, RG_ACTION_REJECT));
	rg_conf_unref(conf);
	/* A URL ends the default reply; the kind may stand last, and the suffix end with a dot. */
	conf = loaded(IF "zones = { a = { url = \"http://a/%a\"; action = \"tag\"; suffix = \"a.b.\"; "
			 "kind = \"qil\"; }; };\n");
	assert_string_equal(
		conf->zones[0].reply,
		"450 4.7.1 Service unavailable; %a is listed by %z, try again later, see %u");
	assert_string_equal(conf->zones[0].suffix, "a.b");
	assert_int_equal(conf->zones[0].action, RG_ACTION_TAG);
	rg_conf_unref(conf);
}

/* As the store does; the order of slots is not that of zones. */
static void give_slots(struct rg_conf *conf)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		conf->zones[i].slot = 5 - i;
}

/* Each setting that decides a stored verdict's action, by `set` and by a new file. */
static void check_changes_actions(void **state)
{
	static const struct {
		const char *file, *key, *value;
		bool changes;
	} rows[] = {
		{ "", "mode", "monitor", false },
		{ "", "tag_dscp", "5", false },
		{ "", "blocked_action", "drop", false },
		{ "blocked_action = \"reset\";\n", "blocked_action", "reset", true },
		{ "on_dns_failure = \"tempfail\";\n", "on_dns_failure", "tempfail", true },
		{ "private_peers = \"judge\";\n", "private_peers", "judge", true },
		{ "", "a.action", "reset", true },
		{ "", "standard_action", "tag", true },
	};
	struct rg_conf_actions before;
	struct rg_conf *old, *fresh;
	struct rg_error error;

	(void)state;
	assert_int_equal(load(IF ZONES, &old, NULL), 0);
	give_slots(old);
	before = rg_conf_actions(old);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[400];

		snprintf(text, sizeof(text), IF ZONES "%s", rows[i].file);
		assert_int_equal(load(text, &fresh, NULL), 0);
		give_slots(fresh);
		assert_int_equal(rg_conf_changes_actions(&before, fresh), *rows[i].file != '\0');
		assert_int_equal(rg_live_set(fresh, rows[i].key, rows[i].value, &error), 0);
		assert_int_equal(rg_conf_changes_actions(&before, fresh), rows[i].changes);
		rg_conf_unref(fresh);
	}
	/* A zone that is gone takes its verdicts with it: nothing is left to change. */
	assert_int_equal(load(IF, &fresh, NULL), 0);
	assert_false(rg_conf_changes_actions(&before, fresh));
	rg_conf_unref(fresh);
	rg_conf_unref(old);
}

static void check_find_zone(void **state)
{
	struct rg_conf *conf;

	(void)state;
	assert_int_equal(load(IF ZONES, &conf, NULL), 0);
	conf->zones[0].slot = 5;
	conf->zones[1].slot = 2;
	assert_ptr_equal(rg_conf_zone_by_slot(conf, 2), &conf->zones[1]);
	assert_null(rg_conf_zone_by_slot(conf, 3));
	assert_ptr_equal(rg_conf_zone_by_alias(conf, "a"), &conf->zones[0]);
	assert_null(rg_conf_zone_by_alias(conf, "A"));
	rg_conf_unref(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_bad),
		cmocka_unit_test(check_defaults),
		cmocka_unit_test(check_resolver),
		cmocka_unit_test(check_ers),
		cmocka_unit_test(check_ers_lists),
		cmocka_unit_test(check_secret),

		cmocka_unit_test(check_restart),
		cmocka_unit_test(check_files),
		cmocka_unit_test(check_warnings),
		cmocka_unit_test(check_zone_defaults),
		cmocka_unit_test(check_changes_actions),
		cmocka_unit_test(check_find_zone),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
