/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands over a real control socket, with a fake agent behind it (tests/fakes/modules.c): as rows, a
 * request and what must be in its answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakes/modules.c" /* NOLINT: one set of fakes for several tests */

#include "control/commands.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct rg_control *control;
static int client = -1;
static unsigned int fake_zones = RG_ZONE_LISTED; /* zone "one" lists everybody, "two" was not asked */

static void follow(void *arg, const struct rg_recent_event *event)
{
	(void)arg;
	if (control)
		rg_control_follow(control, event);
}

static int connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", fake_directory);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void loop(void)
{
	assert_true(event_base_loop(modules.base, EVLOOP_NONBLOCK) >= 0);
}

/* Runs the event loop until a line has come. NULL: the agent has closed the connection. */
static char *read_line(int fd)
{
	static char line[1 << 20];
	size_t len = 0;

	for (int tries = 0; tries < 1000; tries++) {
		ssize_t got;

		loop();
		while ((got = read(fd, line + len, 1)) == 1) {
			if (line[len] == '\n') {
				line[len] = '\0';
				return line;
			}
			len++;
			assert_true(len < sizeof(line));
		}
		if (!got)
			return NULL;
		usleep(100);
	}
	fail_msg("no answer");
	return NULL;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The answer to one request: a new reference. */
static json_t *ask(const char *request)
{
	json_t *answer;
	char *line;

	send_text(client, request);
	send_text(client, "\n");
	loop();
	if (fake_inquiry.callback)
		fake_answer(fake_zones);
	line = read_line(client);
	assert_non_null(line);
	assert_null(strstr(line, FAKE_SECRET));
	answer = json_loads(line, 0, NULL);
	assert_non_null(answer);
	return answer;
}

static int set_up(void **state)
{
	struct rg_error error;

	(void)state;
	fake_modules_new(follow, NULL);
	fake_reload_error = fake_stats_error = 0;
	if (rg_control_new(&control, &modules, &fake_ops, &error))
		fail_msg("%s", error.text);
	client = connect_client();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(client);
	rg_control_free(control);
	control = NULL;
	fake_modules_free();
	return 0;
}

/* Whether json has everything that want has: numbers, strings, keys. */
static bool contains(const json_t *json, const json_t *want)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(want)) {
		json_object_foreach((json_t *)want, key, value)
			if (!contains(json_object_get(json, key), value))
				return false;
		return json_is_object(json);
	}
	if (json_is_array(want)) {
		json_array_foreach(want, i, value)
			if (!contains(json_array_get(json, i), value))
				return false;
		return json_array_size(json) >= json_array_size(want);
	}
	return json_equal(json, want);
}

static void check(const char *request, const char *want)
{
	json_t *answer = ask(request), *wanted = json_loads(want, 0, NULL);

	if (!wanted)
		fail_msg("bad row: %s", want);
	if (!contains(answer, wanted))
		fail_msg("%s\nis answered by %s\ninstead of   %s", request,
			 json_dumps(answer, JSON_COMPACT), want);
	json_decref(answer);
	json_decref(wanted);
}

struct row {
	const char *request, *answer;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(rows[i].request, rows[i].answer);
}

#define OK(result) "{\"ok\":true,\"result\":" result "}"
#define ERROR(text) "{\"ok\":false,\"error\":\"" text "\"}"

static void test_wrong_requests(void **state)
{
	static const struct row rows[] = {
		{ "{}", ERROR("the request has no command") },
		{ "{\"command\":7}", ERROR("the request has no command") },
		{ "[]", ERROR("not a JSON object: other type") },
		{ "{\"command\":\"x\"}", ERROR("no such command: x") },
		{ "{\"command\":\"test-config\"}", ERROR("no such command: test-config") },
		{ "{\"command\":\"status\",\"x\":1}", ERROR("status has no argument \\\"x\\\"") },
		{ "{\"command\":\"stats\",\"watch\":true}",
		  ERROR("stats has no argument \\\"watch\\\"") },
		{ "{\"command\":\"lookup\"}", ERROR("lookup: \\\"address\\\" is missing") },
		{ "{\"command\":\"lookup\",\"address\":1}",
		  ERROR("lookup: \\\"address\\\" must be a string") },
		{ "{\"command\":\"lookup\",\"address\":\"x\"}",
		  ERROR("\\\"x\\\" is not an IP address") },
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.0\",\"store\":1}",
		  ERROR("lookup: \\\"store\\\" must be true or false") },
		{ "{\"command\":\"report\"}", ERROR("report: \\\"period\\\" is missing") },
		{ "{\"command\":\"report\",\"period\":\"year\"}",
		  ERROR("report: \\\"period\\\" must be one of day|week|month") },
		{ "{\"command\":\"report\",\"period\":\"\"}",
		  ERROR("report: \\\"period\\\" must be one of day|week|month") },
		{ "{\"command\":\"list\",\"class\":\"day\"}",
		  ERROR("list: \\\"class\\\" must be one of approved|blocked") },
		{ "{\"command\":\"approve\",\"for\":1}", ERROR("approve: \\\"entry\\\" is missing") },
		{ "{\"command\":\"approve\",\"entry\":\"192.0.2.1\",\"for\":-1}",
		  ERROR("approve: \\\"for\\\" must be a time of at most 10 years") },
		{ "{\"command\":\"block\",\"entry\":\"192.0.2.1\",\"for\":315360001}",
		  ERROR("block: \\\"for\\\" must be a time of at most 10 years") },
		{ "{\"command\":\"block\",\"entry\":\"192.0.2.1\",\"for\":\"1d\"}",
		  ERROR("block: \\\"for\\\" must be a whole number of seconds") },
		{ "{\"command\":\"block\",\"entry\":\"192.0.2.1\",\"comment\":1}",
		  ERROR("block: \\\"comment\\\" must be a string") },
		{ "{\"command\":\"unlist\"}", ERROR("unlist: \\\"entry\\\" is missing") },
		{ "{\"command\":\"unlist\",\"entry\":\"192.0.2.1\"}",
		  ERROR("192.0.2.1 is in no local list") },
		{ "{\"command\":\"flush\",\"what\":\"three\"}",
		  ERROR("\\\"three\\\" is not an address, a prefix or a zone") },
		{ "{\"command\":\"set\",\"key\":\"mode\"}", ERROR("set: \\\"value\\\" is missing") },
		{ "{\"command\":\"monitor\"}", ERROR("monitor: \\\"on\\\" is missing") },
		{ "{\"command\":\"monitor\",\"on\":\"on\"}",
		  ERROR("monitor: \\\"on\\\" must be true or false") },
		{ "{\"command\":\"events\",\"follow\":\"yes\"}",
		  ERROR("events: \\\"follow\\\" must be true or false") },
		{ "{\"command\":\"status\",\"command\":\"status\"}", "{\"ok\":false}" },
		{ "nothing", "{\"ok\":false}" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_lookup(void **state)
{
	static const struct row rows[] = {
		/* a verdict; the responder can't be reached, so a QIL peer is reset */
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.2\"}",
		  OK("{\"address\":\"192.0.2.2\",\"class\":\"qil\",\"action\":\"tempfail\","
		     "\"zone\":\"two\",\"reason\":\"listed\",\"code\":\"127.0.0.2\",\"known\":true,"
		     "\"country\":null,\"url\":\"https://two.example/192.0.2.2\","
		     "\"next_syn\":\"reset\",\"lists\":[],\"zones\":["
		     "{\"zone\":\"one\",\"kind\":\"standard\",\"answer\":\"not asked\"},"
		     "{\"zone\":\"two\",\"kind\":\"qil\",\"answer\":\"listed\"}]}") },
		/* clean */
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.3\"}",
		  OK("{\"class\":\"clean\",\"action\":\"pass\",\"next_syn\":\"pass\",\"known\":true,"
		     "\"zone\":null,\"code\":null,\"url\":null,\"country\":\"DE\"}") },
		/* unknown: the zones are asked */
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.4\"}",
		  OK("{\"class\":\"standard\",\"action\":\"drop\",\"zone\":\"one\",\"known\":false,"
		     "\"since\":null,\"hits\":0,\"next_syn\":\"drop\",\"explanation\":"
		     "\"is held until the zones have answered, then is dropped\"}") },
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.4\",\"store\":true}",
		  OK("{\"class\":\"standard\"}") },
		{ "{\"command\":\"lookup\",\"address\":\"2001:db8::4d\"}",
		  ERROR("out of memory") }, /* the fake's rg_inquiry_start() fails for ...77 */
	};

	(void)state;
	modules.steering.state = RG_STEERING_BYPASSED;
	fake_stored = 0;
	check_rows(rows, ARRAY_SIZE(rows));
	assert_int_equal(fake_stored, 1);
	modules.steering.state = RG_STEERING_READY;
	check("{\"command\":\"lookup\",\"address\":\"192.0.2.2\"}",
	      OK("{\"next_syn\":\"tempfail\"}"));
	modules.conf->unknown = RG_ACTION_DROP;
	check("{\"command\":\"lookup\",\"address\":\"192.0.2.4\"}",
	      OK("{\"next_syn\":\"drop\",\"explanation\":"
		 "\"is dropped, as unknown = drop; its retransmission is dropped\"}"));
	modules.conf->mode = RG_MODE_MONITOR;
	check("{\"command\":\"lookup\",\"address\":\"192.0.2.2\"}",
	      OK("{\"next_syn\":\"pass\",\"explanation\":"
		 "\"passes, as mode is monitor; else it would go to the responder, "
		 "which refuses the mail with 450\"}"));
}

/* Every combination of what the sentence about the next SYN depends on. */
enum { QIL = 2, CLEAN = 3, UNKNOWN = 4 }; /* last byte of the address, see fakes/modules.c */
static const struct rg_evidence none = {}, own = { .never_block = true };
static const struct rg_evidence lan = { .is_private = true };
static const struct rg_evidence country = { .country = RG_CLASS_BLOCKED };
static const struct {
	enum rg_mode mode;
	enum rg_action unknown;
	int last;
	const struct rg_evidence *local;
	unsigned int zones; /* as fake_answer() takes them */
	enum rg_steering_state steering;
	const char *next, *why;
} explanations[] = {
#define E RG_MODE_ENFORCE
#define M RG_MODE_MONITOR
#define LISTED RG_ZONE_LISTED
#define NOT (RG_ZONE_NOT_LISTED | RG_ZONE_NOT_LISTED << 2)
#define HOLDS RG_ACTION_HOLD
#define DROPS RG_ACTION_DROP
#define PASSES RG_ACTION_PASS
#define BYPASSED RG_STEERING_BYPASSED
	{ E, HOLDS, QIL, &none, 0, 0, "tempfail",
	  "goes to the responder, which refuses the mail with 450" },
	{ E, HOLDS, QIL, &none, 0, BYPASSED, "reset",
	  "is reset, as tempfail can't work (see status)" },
	{ E, HOLDS, CLEAN, &none, 0, 0, "pass", "passes" },
	{ E, HOLDS, CLEAN, &own, 0, 0, "pass", "passes" },
	{ E, HOLDS, UNKNOWN, &none, LISTED, 0, "drop",
	  "is held until the zones have answered, then is dropped" },
	{ E, HOLDS, UNKNOWN, &none, NOT, 0, "pass",
	  "is held until the zones have answered, then passes" },
	{ E, HOLDS, UNKNOWN, &none, LISTED << 2, BYPASSED, "reset",
	  "is held until the zones have answered, then is reset, as tempfail can't work "
	  "(see status)" },
	{ E, HOLDS, UNKNOWN, &country, 0, 0, "drop",
	  "is held until the agent has judged it, without asking a zone, then is dropped" },
	{ E, HOLDS, UNKNOWN, &own, 0, 0, "pass", "passes: it is never refused" },
	{ E, HOLDS, UNKNOWN, &lan, 0, 0, "pass",
	  "passes: it is private, and private_peers is exempt" },
	{ M, HOLDS, UNKNOWN, &lan, 0, 0, "pass",
	  "passes: it is private, and private_peers is exempt" },
	{ E, DROPS, UNKNOWN, &none, LISTED, 0, "drop",
	  "is dropped, as unknown = drop; its retransmission is dropped" },
	{ E, DROPS, UNKNOWN, &none, NOT, 0, "drop",
	  "is dropped, as unknown = drop; its retransmission passes" },
	{ E, DROPS, UNKNOWN, &own, 0, 0, "drop",
	  "is dropped, as unknown = drop; its retransmission passes" },
	{ E, PASSES, UNKNOWN, &none, LISTED, 0, "pass",
	  "passes, as unknown = pass; once it is judged, the next one is dropped" },
	{ E, PASSES, UNKNOWN, &none, NOT, 0, "pass",
	  "passes, as unknown = pass; once it is judged, the next one passes" },
	{ E, PASSES, UNKNOWN, &own, 0, 0, "pass", "passes: it is never refused" },
	{ M, HOLDS, QIL, &none, 0, 0, "pass",
	  "passes, as mode is monitor; else it would go to the responder, which "
	  "refuses the mail with 450" },
	{ M, HOLDS, QIL, &none, 0, BYPASSED, "pass",
	  "passes, as mode is monitor; else it would be reset, as tempfail can't work (see status)" },
	{ M, HOLDS, CLEAN, &none, 0, 0, "pass", "passes" },
	{ M, HOLDS, UNKNOWN, &none, LISTED, 0, "pass",
	  "passes, as mode is monitor; else it would be dropped" },
	{ M, DROPS, UNKNOWN, &none, LISTED, 0, "pass",
	  "passes, as mode is monitor; else it would be dropped" },
	{ M, PASSES, UNKNOWN, &none, LISTED, 0, "pass",
	  "passes, as mode is monitor; once it is judged, the next one would be dropped" },
	{ M, HOLDS, UNKNOWN, &none, NOT, 0, "pass", "passes" },
	{ M, DROPS, UNKNOWN, &none, NOT, 0, "pass", "passes" },
	{ M, HOLDS, UNKNOWN, &country, 0, 0, "pass",
	  "passes, as mode is monitor; else it would be dropped" },
	{ M, HOLDS, UNKNOWN, &own, 0, 0, "pass", "passes: it is never refused" },
	{ M, DROPS, UNKNOWN, &own, 0, 0, "pass", "passes: it is never refused" },
	{ M, PASSES, UNKNOWN, &own, 0, 0, "pass", "passes: it is never refused" },
#undef E
#undef M
#undef LISTED
#undef NOT
#undef HOLDS
#undef DROPS
#undef PASSES
#undef BYPASSED
};

static void test_explanations(void **state)
{
	char request[80], want[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(explanations); i++) {
		modules.conf->mode = explanations[i].mode;
		modules.conf->unknown = explanations[i].unknown;
		modules.steering.state = explanations[i].steering;
		fake_local = *explanations[i].local;
		fake_zones = explanations[i].zones;
		snprintf(request, sizeof(request),
			 "{\"command\":\"lookup\",\"address\":\"192.0.2.%d\"}", explanations[i].last);
		snprintf(want, sizeof(want), OK("{\"next_syn\":\"%s\",\"explanation\":\"%s\"}"),
			 explanations[i].next, explanations[i].why);
		check(request, want);
	}
	fake_local = none;
	fake_zones = RG_ZONE_LISTED;
	modules.steering.state = RG_STEERING_READY;
}

static void test_lists(void **state)
{
	static const struct row rows[] = {
		{ "{\"command\":\"block\",\"entry\":\"192.0.2.0/24\",\"comment\":\"spam\"}",
		  OK("{\"entry\":\"192.0.2.0/24\",\"class\":\"blocked\",\"expires_in\":null}") },
		{ "{\"command\":\"approve\",\"entry\":\"192.0.2.3\",\"for\":60}",
		  OK("{\"entry\":\"192.0.2.3\",\"class\":\"approved\",\"expires_in\":60}") },
		{ "{\"command\":\"list\"}",
		  OK("{\"entries\":[{\"entry\":\"192.0.2.0/24\",\"class\":\"blocked\","
		     "\"line\":1,\"expires_in\":null,\"comment\":\"spam\"},"
		     "{\"entry\":\"192.0.2.3\",\"class\":\"approved\",\"comment\":null}],"
		     "\"count\":2}") },
		{ "{\"command\":\"list\",\"class\":\"approved\"}",
		  OK("{\"entries\":[{\"entry\":\"192.0.2.3\"}],\"count\":2}") },
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.2\"}",
		  OK("{\"class\":\"blocked\",\"action\":\"drop\",\"reason\":\"local list\","
		     "\"known\":true,\"lists\":[{\"list\":\"blocked\",\"entry\":\"192.0.2.0/24\","
		     "\"line\":1}]}") },
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.3\"}",
		  OK("{\"class\":\"approved\",\"next_syn\":\"pass\"}") },
		/* an entry goes from one list to the other */
		{ "{\"command\":\"block\",\"entry\":\"192.0.2.3\"}", OK("{\"class\":\"blocked\"}") },
		{ "{\"command\":\"unlist\",\"entry\":\"192.0.2.3\"}",
		  OK("{\"entry\":\"192.0.2.3\",\"removed\":1}") },
		{ "{\"command\":\"unlist\",\"entry\":\"192.0.2.0/24\"}", OK("{\"removed\":1}") },
		{ "{\"command\":\"block\",\"entry\":\"nonsense\"}", "{\"ok\":false}" },
		{ "{\"command\":\"approve\",\"entry\":\"DE\"}", OK("{\"class\":\"approved\"}") },
		{ "{\"command\":\"list\"}",
		  OK("{\"entries\":[{\"entry\":\"DE\",\"class\":\"approved\"}],\"count\":0}") },
		{ "{\"command\":\"list\",\"class\":\"blocked\"}", OK("{\"entries\":[]}") },
		{ "{\"command\":\"lookup\",\"address\":\"192.0.2.3\"}",
		  OK("{\"lists\":[{\"list\":\"approved\",\"entry\":\"DE\"}]}") },
		{ "{\"command\":\"unlist\",\"entry\":\"DE\"}", OK("{\"removed\":1}") },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* Files that repgatectl does not write win, and are named. */
static void test_list_files(void **state)
{
	char path[96], want[300];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/a", fake_directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/a/x.list", fake_directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("192.0.2.0/24\n", file);
	fclose(file);
	check("{\"command\":\"reload\"}", OK("{\"reloaded\":true}"));
	snprintf(want, sizeof(want), ERROR("192.0.2.7 is approved by %s:1, which wins"), path);
	check("{\"command\":\"block\",\"entry\":\"192.0.2.7\"}", want);
	snprintf(want, sizeof(want),
		 ERROR("192.0.2.7 was not added by repgatectl; %s:1 lists it as approved"), path);
	check("{\"command\":\"unlist\",\"entry\":\"192.0.2.7\"}", want);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

/* A change that can't be loaded is taken back. */
static void test_undo(void **state)
{
	(void)state;
	check("{\"command\":\"block\",\"entry\":\"192.0.2.1\"}", "{\"ok\":true}");
	fake_reload_error = -EIO;
	check("{\"command\":\"approve\",\"entry\":\"192.0.2.1\"}", ERROR("no reload"));
	check("{\"command\":\"reload\"}", ERROR("no reload"));
	check("{\"command\":\"unlist\",\"entry\":\"192.0.2.1\"}", ERROR("no reload"));
	fake_reload_error = 0;
	check("{\"command\":\"unlist\",\"entry\":\"192.0.2.1\"}", "{\"ok\":false}");
}

static void test_settings(void **state)
{
	static const struct row rows[] = {
		{ "{\"command\":\"monitor\",\"on\":true}", OK("{\"mode\":\"monitor\"}") },
		{ "{\"command\":\"monitor\",\"on\":false}", OK("{\"mode\":\"enforce\"}") },
		{ "{\"command\":\"set\",\"key\":\"mode\",\"value\":\"monitor\"}",
		  OK("{\"key\":\"mode\",\"value\":\"monitor\",\"zones\":[]}") },
		{ "{\"command\":\"set\",\"key\":\"qil_action\",\"value\":\"reset\"}",
		  OK("{\"zones\":[\"two\"]}") },
		{ "{\"command\":\"set\",\"key\":\"standard_action\",\"value\":\"reject\"}",
		  OK("{\"zones\":[\"one\"]}") },
		{ "{\"command\":\"set\",\"key\":\"mode\",\"value\":\"x\"}", "{\"ok\":false}" },
		{ "{\"command\":\"set\",\"key\":\"x\",\"value\":\"x\"}", "{\"ok\":false}" },
		{ "{\"command\":\"flush\"}", OK("{\"flushed\":1}") },
		{ "{\"command\":\"flush\",\"what\":\"two\"}", OK("{\"flushed\":1}") },
		{ "{\"command\":\"flush\",\"what\":\"192.0.2.0/24\"}", OK("{\"flushed\":1}") },
		{ "{\"command\":\"flush\",\"what\":\"2001:db8::1\"}", OK("{\"flushed\":1}") },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_status(void **state)
{
	static const struct row rows[] = {
		{ "{\"command\":\"version\"}", OK("{}") },
		{ "{\"command\":\"status\"}",
		  OK("{\"mode\":\"enforce\",\"unknown\":\"hold\",\"ports\":[25],"
		     "\"interfaces\":[{\"name\":\"lo\",\"ifindex\":1,\"state\":\"attached\","
		     "\"mode\":\"generic\",\"link\":\"ethernet\",\"frags\":false,\"program\":7}],"
		     "\"steering\":{\"state\":\"ready\",\"works\":true,\"advice\":null},"
		     "\"paths\":[{\"interface\":\"eth7\",\"ifindex\":7,\"filtered\":false,"
		     "\"lookups\":5,\"unseen\":3,\"unseen_since\":null,\"advice\":null}],"
		     "\"guards\":[],"
		     "\"index\":{\"lists\":null,\"hosts\":{\"hosts\":0,\"nets\":0,\"overflow\":0,"
		     "\"bytes\":1},\"peers\":null,\"failed\":0},"
		     "\"lists\":{\"entries\":0,\"written\":0,\"countries\":0},"
		     "\"agent\":{\"dns_asked\":1,\"dns_waiting\":2,\"dns_in_flight\":3,"
		     "\"reloads\":0,\"reload_error\":null,\"can_hold\":true}}") },
		{ "{\"command\":\"zones\"}",
		  OK("{\"zones\":[{\"zone\":\"one\",\"kind\":\"standard\",\"action\":\"drop\","
		     "\"state\":\"open\",\"why\":\"why\",\"number\":0,\"asked\":5},"
		     "{\"zone\":\"two\",\"kind\":\"qil\",\"number\":1}]}") },
		{ "{\"command\":\"stats\"}",
		  OK("{\"packets\":{\"standard\":{\"drop\":3}},"
		     "\"attempts\":{\"standard\":{\"drop\":2}},"
		     "\"losses\":{\"ring_full\":9,\"bad_events\":1},\"inquiries\":{\"events\":1},"
		     "\"verdicts\":{\"entries\":1}}") },
		{ "{\"command\":\"report\",\"period\":\"day\"}",
		  OK("{\"period\":\"day\",\"unit\":\"hour\",\"totals\":{\"attempts\":"
		     "{\"passed\":0,\"refused\":2},\"packets\":{\"refused\":3}}}") },
		{ "{\"command\":\"report\",\"period\":\"month\"}", OK("{\"unit\":\"day\"}") },
		{ "{\"command\":\"dump\"}",
		  OK("{\"verdicts\":[{\"peer\":\"::\",\"class\":\"qil\",\"zone\":\"two\","
		     "\"code\":\"127.0.0.2\"}],\"peers\":[{\"class\":\"clean\"}],"
		     "\"truncated\":false}") },
		{ "{\"command\":\"events\"}",
		  OK("{\"events\":[{\"event\":\"refused\",\"zone\":\"one\",\"port\":0}]}") },
	};

	(void)state;
	fake_stats.counts[RG_STAT_DONE + RG_CLASS_STANDARD * RG_ACTION_MAX + RG_ACTION_DROP] =
		(struct rg_count){ .packets = 3, .attempts = 2 };
	fake_stats.counts[RG_STAT_LOSSES + RG_LOSS_RING_FULL].packets = 9;
	check_rows(rows, ARRAY_SIZE(rows));
	fake_stats_error = -EIO;
	check("{\"command\":\"stats\"}", ERROR("stats map: Input/output error"));
	check("{\"command\":\"report\",\"period\":\"day\"}", ERROR("stats map: Input/output error"));
}

static void test_follow(void **state)
{
	const struct rg_recent_event event = { .kind = RG_RECENT_JUDGED,
					       .peer_class = RG_CLASS_CLEAN,
					       .action = RG_ACTION_PASS,
					       .ttl = 7 };
	int deaf = connect_client();
	char *line;

	(void)state;
	check("{\"command\":\"events\",\"follow\":true}", "{\"ok\":true}");
	rg_recent_events_add(modules.recent_events, &event);
	line = read_line(client);
	assert_non_null(strstr(line, "{\"event\":{"));
	assert_non_null(strstr(line, "\"ttl\":7"));
	loop();
	assert_int_equal(read(deaf, &(char){ 0 }, 1), -1); /* it did not ask for events */
	close(deaf);
}

/* A client may close its side and still get the answer. */
static void test_half_closed(void **state)
{
	(void)state;
	send_text(client, "{\"command\":\"version\"}\n");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	assert_non_null(read_line(client));
	assert_null(read_line(client));
}

/* Requests behind one that waits for DNS are answered after it, in their order. */
static void test_order(void **state)
{
	(void)state;
	send_text(client,
		  "{\"command\":\"lookup\",\"address\":\"192.0.2.4\"}\n{\"command\":\"version\"}\n");
	loop();
	loop();
	assert_non_null(fake_inquiry.callback);
	assert_int_equal(read(client, &(char){ 0 }, 1), -1);
	fake_answer(0);
	assert_non_null(strstr(read_line(client), "address"));
	assert_non_null(strstr(read_line(client), "kernel"));
}

/* A client that leaves cancels its inquiry. */
static void test_client_leaves(void **state)
{
	int fd = connect_client();

	(void)state;
	send_text(fd, "{\"command\":\"lookup\",\"address\":\"192.0.2.4\"}\n");
	for (int i = 0; i < 10 && !fake_inquiry.callback; i++)
		loop();
	assert_non_null(fake_inquiry.callback);
	rg_control_free(control);
	control = NULL;
	assert_null(fake_inquiry.callback);
	close(fd);
}

static void test_long_line(void **state)
{
	static char text[70000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	(void)!write(client, text, sizeof(text) - 1);
	assert_null(read_line(client));
}

static void test_many_clients(void **state)
{
	int fds[70];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_client();
		loop();
	}
	assert_null(read_line(fds[69])); /* 64 at once */
	assert_true(fake_limits.control_limit >= 6);
	check("{\"command\":\"version\"}", "{\"ok\":true}");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/*
 * A client that sends requests and reads no answer: soon its requests stay in the socket, and the agent's
 * memory does not grow. When it reads, it gets each answer.
 */
static void test_unread_answers(void **state)
{
	static const char request[] = "{\"command\":\"settings\"}\n"; /* refused: a short answer */
	size_t sent = 0, at = 0, answers = 0;
	unsigned int full = 0;

	(void)state;
	while (full < 50) {
		ssize_t len = write(client, request + at, sizeof(request) - 1 - at);

		if (len > 0) {
			sent += (size_t)len;
			at = (at + (size_t)len) % (sizeof(request) - 1);
			full = 0;
		} else {
			assert_int_equal(errno, EAGAIN);
			full++;
			loop();
		}
		assert_true(sent < 4 << 20);
	}
	while (answers < sent / (sizeof(request) - 1)) {
		assert_non_null(strstr(read_line(client), "\"ok\":false"));
		answers++;
	}
	assert_int_equal(fake_limits.control_unread, 0);
}

/* An address as the logs print it, for each command that takes one. */
static void test_logged_addresses(void **state)
{
	static const char *const commands[] = {
		"{\"command\":\"lookup\",\"address\":\"[203.0.113.11]:18947\"}",
		"{\"command\":\"approve\",\"entry\":\"unknown[203.0.113.11]:18947\"}",
		"{\"command\":\"block\",\"entry\":\"203.0.113.11:18947\"}",
		"{\"command\":\"unlist\",\"entry\":\"client=[203.0.113.11]:18947,\"}",
		"{\"command\":\"flush\",\"what\":\"[2001:db8::1]:25\"}",
		"{\"command\":\"events\",\"address\":\"[2001:db8::1]:25\"}",
	};
	static const char *const keys[] = { "address", "entry", "what" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		json_t *request = json_loads(commands[i], 0, NULL);
		const char *text = NULL;
		enum rg_command command;
		struct rg_error error;

		assert_int_equal(rg_protocol_check(request, &command, &error), 0);
		rg_protocol_strip(request, command);
		for (size_t k = 0; !text && k < ARRAY_SIZE(keys); k++)
			text = json_string_value(json_object_get(request, keys[k]));
		assert_string_equal(text, i < 4 ? "203.0.113.11" : "2001:db8::1");
		json_decref(request);
	}
	check("{\"command\":\"flush\",\"what\":\"[203.0.113.11]:18947\"}", "{\"ok\":true}");
}

/* Those of one address, the ones that come later, too. */
static void test_events_of(void **state)
{
	struct rg_recent_event event = {
		.kind = RG_RECENT_JUDGED,
		.addr = { .bytes = { [10] = 0xff, [11] = 0xff, 203, 0, 113, 1 } }
	};

	(void)state;
	rg_recent_events_add(modules.recent_events, &event);
	event.addr.bytes[15] = 2;
	rg_recent_events_add(modules.recent_events, &event);
	send_text(client, "{\"command\":\"events\",\"address\":\"203.0.113.2\",\"follow\":true}\n");
	for (int i = 0; i < 3; i++) {
		const char *line = read_line(client);

		assert_non_null(strstr(line, "203.0.113.2"));
		assert_null(strstr(line, "203.0.113.1\""));
		for (uint8_t last = 1; i < 2 && last <= 2; last++) {
			event.addr.bytes[15] = last;
			rg_recent_events_add(modules.recent_events, &event);
		}
	}
	close(client);
	client = connect_client();
	check("{\"command\":\"events\",\"address\":\"mail\"}",
	      "{\"ok\":false,\"error\":\"\\\"mail\\\" is not an address or a prefix\"}");
}

/* A client that follows and does not read is closed, and counted. */
static void test_unread_events(void **state)
{
	const struct rg_recent_event event = { .kind = RG_RECENT_JUDGED, .ttl = 7 };

	(void)state;
	check("{\"command\":\"events\",\"follow\":true}", "{\"ok\":true}");
	fake_limits.control_unread = 0;
	for (int i = 0; i < 100000 && !fake_limits.control_unread; i++)
		rg_recent_events_add(modules.recent_events, &event);
	assert_int_equal(fake_limits.control_unread, 1);
	close(client);
	client = connect_client();
	check("{\"command\":\"version\"}", "{\"ok\":true}");
}

/* ------------------------------------------------------------------ activation-code */

#define NEW_CODE "NE-WCOD-E1234-56789-ABCDE-FGHIJ-KLMNO"
#define NEW_LABEL "newcode123456789abcdefghijklmno"
#define ACTIVATION "{\"command\":\"activation-code\",\"code\":\"" NEW_CODE "\""

static void restart_with_ers(void)
{
	struct rg_error error;

	close(client);
	rg_control_free(control);
	fake_modules_free();
	fake_ers = true;
	fake_modules_new(follow, NULL);
	if (rg_control_new(&control, &modules, &fake_ops, &error))
		fail_msg("%s", error.text);
	client = connect_client();
	fake_ers = false;
}

/* Sends the request, answers both questions, and compares. */
static void check_activation(const char *request, enum rg_dns_status status, uint32_t record,
			     const char *want)
{
	const char *line;

	send_text(client, request);
	send_text(client, "\n");
	for (int i = 0; i < 5 && !fake_queries[1].callback; i++)
		loop();
	assert_non_null(fake_queries[1].callback);
	assert_string_equal(fake_queries[0].name, "0.0.0.0." NEW_LABEL ".r.mail-abuse.com");
	assert_non_null(strstr(fake_queries[1].name, ".127." NEW_LABEL ".r.mail-abuse.com"));
	fake_dns_status = status;
	fake_dns_record = record;
	fake_answer_dns();
	line = read_line(client);
	assert_non_null(line);
	if (!strstr(line, want))
		fail_msg("%s has no %s", line, want);
	assert_null(strcasestr(line, NEW_LABEL));
	assert_null(strcasestr(line, NEW_CODE));
}

static void check_code(const char *label, const char *source)
{
	char suffix[100];

	snprintf(suffix, sizeof(suffix), "%s.r.mail-abuse.com", label);
	assert_string_equal(modules.conf->zones[2].suffix, suffix);
	assert_string_equal(rg_secret_source_name(modules.conf->code_source), source);
}

static void test_activation(void **state)
{
	char path[96], *text = NULL;
	size_t size = 0;
	FILE *file;

	(void)state;
	check(ACTIVATION "}", ERROR("the configuration has no group ers"));
	restart_with_ers();
	/* Refused: the old one stays. */
	check("{\"command\":\"activation-code\",\"code\":\"short\"}",
	      ERROR("this is not an activation code (8 to 63 letters and digits, with or without hyphens)"));
	check("{\"command\":\"activation-code\"}", ERROR("activation-code: \\\"code\\\" is missing"));
	check_activation(ACTIVATION "}", RG_DNS_TIMEOUT, 0,
			 "the Standard zone gives no answer (timeout)");
	check_activation(ACTIVATION "}", RG_DNS_REFUSED, 0, "the activation code in use stays");
	check_activation(ACTIVATION "}", RG_DNS_OK, 0x7fffff01, "answers with an error code");
	check_activation(ACTIVATION "}", RG_DNS_OK, 0x7f010001, "it would list everybody");
	check_code(FAKE_CODE, "file");
	/* The file can't be written. */
	snprintf(path, sizeof(path), "%s/activation-code", fake_directory);
	assert_int_equal(mkdir(path, 0700), 0);
	check_activation(ACTIVATION "}", RG_DNS_NONE, 0, "it is not a regular file");
	check_code(FAKE_CODE, "file");
	assert_int_equal(rmdir(path), 0);
	/* Taken. A list can't say that a code is wrong. */
	check_activation(ACTIVATION "}", RG_DNS_NONE, 0, "that does not prove the code");
	check_code(NEW_LABEL, "command");
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	assert_string_equal(text, NEW_LABEL "\n" FAKE_CODE "\n");
	free(text);
	fclose(file);
	check("{\"command\":\"status\"}", "{\"result\":{\"activation_code\":\"command\"}}");
	check_activation("{\"command\":\"activation-code\",\"force\":true,\"code\":\"" NEW_CODE "\"}",
			 RG_DNS_TIMEOUT, 0, "saved by force");
	check_activation(ACTIVATION "}", RG_DNS_OK, 0x7f000063, "the Standard zone knows this code");
	assert_int_equal(unlink(path), 0);
}

/* A client that leaves while the zone is asked: nothing is saved. */
static void test_activation_leaves(void **state)
{
	(void)state;
	restart_with_ers();
	send_text(client, ACTIVATION "}\n");
	for (int i = 0; i < 5 && !fake_queries[1].callback; i++)
		loop();
	assert_non_null(fake_queries[1].callback);
	rg_control_free(control);
	control = NULL;
	assert_null(fake_queries[0].callback);
	assert_null(fake_queries[1].callback);
	check_code(FAKE_CODE, "file");
}

/* What people write is masked where it would show a key: requests that are quoted, comments. */
static void test_masked(void **state)
{
	static const char *const rows[] = {
		"{\"command\":\"" FAKE_CODE "\"}",
		"{\"command\":\"lookup\",\"address\":\"" FAKE_CODE "\"}",
		"{\"command\":\"flush\",\"what\":\"qz-kex-jkv-wy-7q\"}",
		"{\"command\":\"set\",\"key\":\"" FAKE_CODE "\",\"value\":\"1\"}",
		"{\"command\":\"set\",\"key\":\"mode\",\"value\":\"" FAKE_CODE "\"}",
		"{\"command\":\"approve\",\"entry\":\"" FAKE_CODE "\"}",
		"{\"command\":\"approve\",\"entry\":\"192.0.2.1\",\"comment\":\"" FAKE_CODE "\"}",
		"{\"command\":\"version\",\"" FAKE_CODE "\":1}",
		"{\"command\":" FAKE_CODE "}",
		FAKE_CODE,
	};

	(void)state;
	restart_with_ers();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *line;

		send_text(client, rows[i]);
		send_text(client, "\n");
		line = read_line(client);
		assert_non_null(strstr(line, "\"ok\":false"));
		if (strcasestr(line, FAKE_CODE) || strcasestr(line, "qz-kex"))
			fail_msg("%s", line);
	}
}

static void test_socket(void **state)
{
	char path[96], *own = modules.conf->control_socket;
	struct rg_control *other = NULL;
	struct rg_error error;

	(void)state;
	assert_int_equal(rg_control_new(&other, &modules, &fake_ops, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "another repgated answers there"));
	/* a socket that an agent left behind is replaced */
	snprintf(path, sizeof(path), "%s/socket2", fake_directory);
	modules.conf->control_socket = path;
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_not_equal(rg_control_new(&other, &modules, &fake_ops, &error), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rg_control_new(&other, &modules, &fake_ops, &error), 0);
	assert_int_equal(rename(path, own), 0); /* stays when it is freed */
	rg_control_free(other);
	modules.conf->control_socket = own;
	assert_int_equal(rg_control_new(&other, &modules, &fake_ops, &error), 0);
	rg_control_free(other);
	modules.conf->control_socket = (char[200]){ [0 ... 198] = 'x' };
	assert_int_equal(rg_control_new(&other, &modules, &fake_ops, &error), -ENAMETOOLONG);
	modules.conf->control_socket = own;
}

static void test_table(void **state)
{
	(void)state;
	for (enum rg_command command = 0; command < RG_COMMANDS; command++)
		assert_int_equal(rg_protocol_command(command)->local,
				 rg_commands_function(command) == NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_requests),
		TEST(test_lookup),
		TEST(test_explanations),
		TEST(test_lists),
		TEST(test_list_files),
		TEST(test_undo),
		TEST(test_settings),
		TEST(test_status),
		TEST(test_follow),
		TEST(test_half_closed),
		TEST(test_order),
		TEST(test_client_leaves),
		TEST(test_long_line),
		TEST(test_many_clients),
		TEST(test_unread_answers),
		TEST(test_unread_events),
		TEST(test_logged_addresses),
		TEST(test_events_of),
		TEST(test_activation),
		TEST(test_activation_leaves),
		TEST(test_masked),
		TEST(test_socket),
		TEST(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
