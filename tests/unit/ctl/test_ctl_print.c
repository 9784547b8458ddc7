/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of each command, as rows: a result and what is printed. Times are in UTC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl_print.h"
#include "ctl/ctl_status.h"

/* Results are written with ' for ". */
static json_t *load(const char *text)
{
	char *copy = strdup(text);
	json_t *json;

	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	json = json_loads(copy, 0, NULL);
	if (!json)
		fail_msg("bad row: %s", text);
	free(copy);
	return json;
}

static char *print(enum rg_command command, const char *result)
{
	json_t *json = load(result);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	rg_ctl_print(to, command, json);
	fclose(to);
	json_decref(json);
	return text;
}

static void check(enum rg_command command, const char *result, const char *want)
{
	char *text = print(command, result);

	for (size_t i = 0; text[i] == want[i]; i++)
		if (!want[i]) {
			free(text);
			return;
		}
	fprintf(stderr, "%s prints\n%s\ninstead of\n%s", rg_protocol_command(command)->name, text,
		want); /* longer than fail_msg() may be */
	fail();
}

#define EVENT                                                                          \
	"{'event':'judged','time':86400,'address':'192.0.2.1','class':'qil','action':" \
	"'reset','zone':'two','code':'127.0.0.2','monitored':true}"
#define EVENT_TEXT                                                                  \
	"Jan 02 00:00:00 judged  192.0.2.1       qil      reset    two 127.0.0.2\n" \
	"                (monitored)\n"

static void test_small(void **state)
{
	(void)state;
	check(RG_COMMAND_EVENTS, "{'events':[" EVENT "]}", EVENT_TEXT);
	check(RG_COMMAND_EVENTS,
	      "{'events':[{'event':'refused','time':0.5,'address':'::1','class':'blocked',"
	      "'action':'drop','zone':null,'monitored':false}]}",
	      "- refused ::1             blocked  drop\n");
	check(RG_COMMAND_EVENTS,
	      "{'events':[{'event':'refused','time':86400,'address':'::1','class':'qil',"
	      "'action':'drop','zone':'two','monitored':true}]}",
	      "Jan 02 00:00:00 monitored ::1             qil      drop     two\n");
	check(RG_COMMAND_LIST,
	      "{'entries':[{'entry':'DE','class':'approved','file':'/x','line':7,'expires_in':null,"
	      "'comment':null},"
	      "{'entry':'192.0.2.0/24','class':'blocked','file':'/y','line':1,'expires_in':3661.5,"
	      "'comment':'ticket 7'}],'count':1}",
	      "approved  DE                        -  /x:7\n"
	      "blocked   192.0.2.0/24          1h 1m  /y:1  # ticket 7\n");
	check(RG_COMMAND_LIST, "{'entries':[],'count':0}", "no entries\n");
	check(RG_COMMAND_LIST,
	      "{'entries':[{'entry':'DE','class':'approved','file':'/x','line':7,'expires_in':null}],"
	      "'count':20000,'truncated':true}",
	      "approved  DE                        -  /x:7\n"
	      "... and more: 20000 in all, the first 1 are shown\n");
	check(RG_COMMAND_DUMP,
	      "{'verdicts':[{'peer':'192.0.2.1','class':'qil','action':'reset','zone':'two',"
	      "'code':'127.0.0.2','expires_in':90061}],"
	      "'peers':[{'peer':'192.0.2.2','class':'clean','expires_in':61}],'truncated':true}",
	      "192.0.2.1          qil      reset    two                  127.0.0.2       1d 1h\n"
	      "192.0.2.2          clean    -        -                    -               1m 1s\n"
	      "... and more: see bpftool map dump\n");
	check(RG_COMMAND_DUMP, "{'verdicts':[],'peers':[],'truncated':false}",
	      "no verdicts and no known peers\n");
	check(RG_COMMAND_TEST_CONFIG,
	      "{'ok':true,'file':'/c','warnings':'one\\ntwo\\n','hints':['three']}",
	      "/c: the configuration is good\nwarning: one\nwarning: two\nhint: three\n");
}

/* What a command changed, in a sentence. */
static void test_changes(void **state)
{
	(void)state;
	check(RG_COMMAND_RELOAD, "{'reloaded':true}",
	      "Configuration and lists are read again, and in force.\n");
	check(RG_COMMAND_APPROVE,
	      "{'entry':'203.0.113.25','class':'approved','until':null,'removed':0}",
	      "203.0.113.25 approved.\n");
	check(RG_COMMAND_APPROVE,
	      "{'entry':'203.0.113.25','class':'approved','until':86700,'removed':1}",
	      "203.0.113.25 approved until Jan 2, 1970, 00:05; it is no longer blocked.\n");
	check(RG_COMMAND_BLOCK, "{'entry':'DE','class':'blocked','until':null,'removed':1}",
	      "DE blocked; it is no longer approved.\n");
	check(RG_COMMAND_BLOCK,
	      "{'entry':'203.0.113.0/24','class':'blocked','until':null,'removed':0,"
	      "'comes_to':'203.0.113.0/24, 256 addresses'}",
	      "203.0.113.0/24 (256 addresses) blocked.\n");
	check(RG_COMMAND_UNLIST, "{'entry':'DE','removed':1,'classes':['approved']}",
	      "DE is no longer approved.\n");
	check(RG_COMMAND_UNLIST, "{'entry':'DE','removed':3,'classes':['approved','blocked']}",
	      "DE is no longer approved or blocked.\n");
	check(RG_COMMAND_FLUSH, "{'flushed':1}",
	      "1 peer or prefix is forgotten; it is judged again when it comes.\n");
	check(RG_COMMAND_FLUSH, "{'flushed':2}",
	      "2 peers and prefixes are forgotten; they are judged again when they come.\n");
	check(RG_COMMAND_FLUSH, "{'flushed':0}", "Nothing was known, so nothing is forgotten.\n");
	check(RG_COMMAND_SET, "{'key':'mode','value':'monitor','zones':[]}",
	      "mode = monitor, until the next reload or restart.\n");
	check(RG_COMMAND_SET, "{'key':'mode','value':'monitor','zones':[],'saved':'/s'}",
	      "mode = monitor, saved in /s.\n");
	check(RG_COMMAND_MONITOR, "{'mode':'enforce'}",
	      "Mode is enforce until the next reload or restart: verdicts and lists are in\n"
	      "    force.\n");
}

static void test_date_of_this_year(void **state)
{
	time_t now = time(NULL);
	char result[200], want[100], date[40];
	struct tm tm;

	(void)state;
	strftime(date, sizeof(date), "%b %-d, %H:%M", gmtime_r(&now, &tm));
	snprintf(result, sizeof(result),
		 "{'entry':'DE','class':'blocked','until':%lld,'removed':0}", (long long)now);
	snprintf(want, sizeof(want), "DE blocked until %s.\n", date);
	check(RG_COMMAND_BLOCK, result, want);
}

static void test_version(void **state)
{
	char *text = print(RG_COMMAND_VERSION, "{'version':'9','layout':3,'kernel':'6.1'}");

	(void)state;
	assert_non_null(strstr(text, "\nrepgated   9\nlayout     3\nkernel     6.1\n"));
	free(text);
}

static void test_lookup(void **state)
{
	(void)state;
	check(RG_COMMAND_LOOKUP,
	      "{'address':'192.0.2.1','class':'qil','country':'DE','reason':'listed','zone':'two',"
	      "'code':'127.0.0.2','since':86400.5,'expires_in':5.5,'hits':3,'next_syn':'reset',"
	      "'explanation':'is reset','url':'https://x/','lists':[{'list':'approved',"
	      "'entry':'DE','file':'/x','line':1,'expires_in':null}],'zones':[{'zone':'two',"
	      "'kind':'qil','answer':'listed','code':'127.0.0.2'}]}",
	      "192.0.2.1  qil  (DE)\n"
	      "  reason     listed by two (127.0.0.2)\n"
	      "  since      1970-01-02 00:00:00\n"
	      "  ends in    5s\n"
	      "  hits       3\n"
	      "  next SYN   is reset\n"
	      "  see        https://x/\n"
	      "  local lists\n"
	      "    approved  DE                        -  /x:1\n"
	      "  zones\n"
	      "    two                  qil       listed       127.0.0.2\n");
	check(RG_COMMAND_LOOKUP,
	      "{'address':'::1','class':'clean','country':null,'reason':'not listed','zone':null,"
	      "'code':null,'since':null,'expires_in':null,'hits':0,'next_syn':'pass',"
	      "'explanation':'passes','url':null,'lists':[],'zones':[]}",
	      "::1  clean\n"
	      "  reason     not listed\n"
	      "  since      -\n"
	      "  ends in    -\n"
	      "  hits       0\n"
	      "  next SYN   passes\n");
}

#define ZONE                                                                                  \
	"{'zone':'one','kind':'standard','action':'drop','state':'open','since':86400,'why':" \
	"'timeout','asked':5,'listed':2,'not_listed':1,'failed':{'timeout':2}}"
#define ZONE_TEXT                                                                            \
	"ZONE                 KIND     ACTION   STATE         ASKED     LISTED        NOT\n" \
	"one                  standard drop     open              5          2          1\n" \
	"    failed: timeout 2\n"                                                            \
	"    open since 1970-01-02 00:00:00: timeout\n"

static void test_status(void **state)
{
	(void)state;
	check(RG_COMMAND_ZONES, "{'zones':[" ZONE "]}", ZONE_TEXT);
	/* The states of its families differ, and it is slow. */
	check(RG_COMMAND_ZONES,
	      "{'zones':[{'zone':'z','kind':'standard','action':'drop','state':'open','why':"
	      "'refused (IPv6)','since':86400,'asked':3,'listed':1,'not_listed':2,'failed':{},"
	      "'slow':true,'late_share':0.127,'families':{'ipv4':{'state':'good','why':null,"
	      "'since':86460},'ipv6':{'state':'open','why':'refused','since':86400}}}]}",
	      "ZONE                 KIND     ACTION   STATE         ASKED     LISTED        NOT\n"
	      "z                    standard drop     open              3          1          2\n"
	      "    IPv4: good since 1970-01-02 00:01:00\n"
	      "    IPv6: open since 1970-01-02 00:00:00: refused\n"
	      "    slow: 13 % of new peers pass before it has answered: it needs more than\n"
	      "        hold_timeout\n");
	check(RG_COMMAND_STATUS,
	      "{'mode':'enforce','unknown':'hold','ports':[25,587],'interfaces':[{'name':'eth0',"
	      "'state':'attached','mode':'native','link':'ip','frags':true,'program':7}],'paths':[{'interface':'eth0','lookups':5,'unseen':0,"
	      "'unseen_since':null,'advice':null},{'interface':'eth1','lookups':3,'unseen':2,"
	      "'unseen_since':86400,'advice':'do this'}],'steering':{'state':"
	      "'no server','advice':'advice'},'guards':[{'guard':'zone','zone':'a','open':true,"
	      "'since':86400,'until':null,'count':null,'reason':'open: silent'},{'guard':'log',"
	      "'zone':null,'open':false,'since':86400,'until':86460,'count':5,'reason':'fast'}],"
	      "'zones':[" ZONE "],'maps':[{'name':'lists','id':4,"
	      "'entries':2,'max_entries':10},{'name':'peers','id':5,'entries':null,"
	      "'max_entries':9}],'index':{'lists':{'hosts':1,'nets':2},'hosts':null,'failed':1},"
	      "'lists':{'entries':2,'countries':1},'agent':{'version':'9','pid':1,'uptime':61,"
	      "'resolver':'r','pin_path':'p','config':'c','inquiries':3,'inquiries_open':1,"
	      "'lacks':['hold: x'],'reload_error':'bad'}}",
	      "repgated 9, pid 1, up 1m 1s, mode enforce, unknown peers: hold\n"
	      "ports 25 587, resolver r, pins p, configuration c\n"
	      "lists: 2 entries in force, 1 country; inquiries: 3, open 1\n"
	      "index: lists 3, hosts off, peers off; 1 FAILED, the tries answer\n"
	      "responder: no server; advice\n"
	      "lacks hold: x\n"
	      "guard zone a: OPEN since 1970-01-02 00:00:00: open: silent\n"
	      "guard log: closed, was open from 1970-01-02 00:00:00 until 1970-01-02 00:01:00:\n"
	      "    fast (5 times)\n"
	      "LAST RELOAD REFUSED: bad\n"
	      "\n"
	      "INTERFACE        STATE     MODE     LINK      FRAGS   PROGRAM\n"
	      "eth0             attached  native   ip        yes           7\n"
	      "path eth0: 5 connections, 0 of them not seen by the filter\n"
	      "path eth1: 3 connections, 2 of them not seen by the filter: GO PAST THE FILTER\n"
	      "    since 1970-01-02 00:00:00: do this\n"
	      "\n" ZONE_TEXT "\n"
	      "MAP                 ID    ENTRIES        MAX\n"
	      "lists                4          2         10\n"
	      "peers                5          -          9\n");
}

/* An interface that is not filtered comes first, and what was true of it before is not shown. */
static void test_missing(void **state)
{
	static const char first[] =
		"eth0 IS NOT FILTERED since 1970-01-02 00:00:00: it is not there\nrepgated ";
	char *text =
		print(RG_COMMAND_STATUS,
		      "{'interfaces':[{'name':'eth0','state':'missing','since':86400,'reason':"
		      "'it is not there','mode':null,'link':null,'frags':null,'program':null}]}");

	(void)state;
	assert_int_equal(strncmp(text, first, strlen(first)), 0);
	assert_non_null(
		strstr(text, "\neth0             missing   -        -         -             -\n"));
	free(text);
}

static void test_problems(void **state)
{
	static const struct {
		const char *status, *problem; /* NULL: none */
	} rows[] = {
		{ "{'zones':[{'zone':'a','state':'good','why':null,'action':'reject'}],"
		  "'steering':{'state':'ready','works':true,'advice':null},"
		  "'agent':{'reload_error':null},'lists':{'files':[{'path':'/x','bad_lines':1,"
		  "'bad':[],'fault':null}],'country_fault':null},"
		  "'interfaces':[{'name':'eth0','reason':null}],"
		  "'paths':[{'interface':'eth0','unseen_since':null}],"
		  "'guards':[{'guard':'log','open':false,'reason':'fast'}]}",
		  NULL },
		{ "{'interfaces':[{'name':'eth0','since':86400,'reason':'x'}]}",
		  "eth0 IS NOT FILTERED since 1970-01-02 00:00:00: x" },
		{ "{'agent':{'reload_error':'bad'}}", "LAST RELOAD REFUSED: bad" },
		{ "{'lists':{'files':[{'path':'/x','fault':'gone','since':86400}]}}",
		  "BAD FILE /x: gone; nothing of it is in force since 1970-01-02 00:00:00" },
		{ "{'lists':{'country_fault':'bad'}}", "BAD COUNTRY DATABASE: bad" },
		{ "{'paths':[{'interface':'eth1','lookups':3,'unseen':2,'unseen_since':86400,"
		  "'advice':'do this'}]}",
		  "path eth1: 3 connections, 2 of them not seen by the filter: GO PAST THE FILTER "
		  "since 1970-01-02 00:00:00: do this" },
		{ "{'steering':{'state':'bridged','works':false,'advice':'y'},"
		  "'zones':[{'action':'tempfail'}]}",
		  "responder: bridged; y" },
		{ "{'steering':{'state':'bridged','works':false},'zones':[{'action':'drop'}]}", NULL },
		{ "{'zones':[{'zone':'a','state':'open','since':86400,'why':'silent'}]}",
		  "zone a: open since 1970-01-02 00:00:00: silent" },
		{ "{'guards':[{'guard':'admission','open':true,'since':86400,'reason':'fast'}]}",
		  "guard admission: OPEN since 1970-01-02 00:00:00: fast" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *status = load(rows[i].status), *problems = rg_ctl_status_problems(status);

		assert_int_equal(json_array_size(problems), rows[i].problem ? 1 : 0);
		if (rows[i].problem)
			assert_string_equal(json_string_value(json_array_get(problems, 0)),
					    rows[i].problem);
		json_decref(problems);
		json_decref(status);
	}
}

static void test_stats(void **state)
{
	(void)state;
	check(RG_COMMAND_STATS,
	      "{'packets':{'standard':{'drop':3,'reset':0}},'attempts':{'standard':{'drop':2}},"
	      "'monitored':{'packets':{'qil':{'reset':1}},'attempts':{'qil':{'reset':1}}},"
	      "'responder':{'open':0,'oddities':{'nul':1}},'inquiries':{'begun':4,'open':0},"
	      "'verdicts':{'entries':5},'losses':{'ring_full':0,'overload':6}}",
	      "CLASS      ACTION         PACKETS     ATTEMPTS\n"
	      "standard   drop                 3            2\n"
	      "\nwhat monitor mode let pass\n"
	      "CLASS      ACTION         PACKETS     ATTEMPTS\n"
	      "qil        reset                1            1\n"
	      "\ninquiries\n"
	      "  begun                             4\n"
	      "\nverdicts\n"
	      "  entries                           5\n"
	      "\nlosses\n"
	      "  overload                          6\n");
	/* Parts without a count are not shown. */
	check(RG_COMMAND_STATS,
	      "{'packets':{'standard':{'drop':0}},'attempts':{'standard':{'drop':0}},"
	      "'monitored':{'packets':{'qil':{'reset':0}},'attempts':{'qil':{'reset':0}}},"
	      "'responder':{'open':0},'inquiries':{},'verdicts':{'entries':0},'losses':{}}",
	      "no SYN to a filtered port yet\n");
}

#define SUMS(passed, refused, share)              \
	"{'passed':" passed ",'refused':" refused \
	",'tagged':0,'unjudged':0,'refused_share':" share "}"
#define LINE(from, until, counted)                              \
	"{'from':" from ",'until':" until ",'counted':" counted \
	",'attempts':" SUMS("1", "3", "0.75") "}"
#define REPORT(unit, missing)                                                                         \
	"{'from':86400,'until':104400,'counted':100,'since':90000,'missing':[" missing "],"           \
	"'totals':{'attempts':" SUMS(                                                                 \
		"1", "3",                                                                             \
		"0.75") ",'packets':"                                                                 \
			"{'passed':1,'refused':9,'tagged':2,'unjudged':4}},"                          \
			"'packets':{'standard':{'drop':9}},'attempts':{'standard':{'drop':3}},"       \
			"'monitored':{'packets':{'qil':{'reset':1}},'attempts':{'qil':{'reset':1}}}," \
			"'inquiries':{'asked':4,'listed':3,'clean':1,'failed':0},"                    \
			"'zones':[{'zone':'one','asked':4,'listed':3,'not_listed':1,'failed':0}],"    \
			"'losses':{'overload':6},'unit':'" unit                                       \
			"','busiest':" LINE("86400", "90000", "3600") ",'lines':[" LINE(              \
				"86400", "90000",                                                     \
				"3600") "," LINE("90000", "93600",                                    \
						 "3000") "," LINE("93600", "97200",                   \
								  "0") "," LINE("97200", "100800",    \
										"9000") "]}"

static void test_report(void **state)
{
	char *text;

	(void)state;
	check(RG_COMMAND_REPORT,
	      REPORT("hour", "{'from':86400,'until':90000,'counted_from':86400},"
			     "{'from':93600,'until':97200,'counted_from':null}"),
	      "from 1970-01-02 00:00:00 to 1970-01-02 05:00:00\n"
	      "counted: 1m 40s of 5h 0m; the history begins 1970-01-02 01:00:00\n"
	      "\nNOBODY COUNTED\n"
	      "1970-01-02 00:00:00 to 1970-01-02 01:00:00  1h 0m    XDP did: shown after it\n"
	      "1970-01-02 02:00:00 to 1970-01-02 03:00:00  1h 0m    nothing is known of it\n"
	      "\n"
	      "                          PACKETS     ATTEMPTS\n"
	      "passed                          1            1\n"
	      "refused                         9            3\n"
	      "tagged                          2            0\n"
	      "unjudged                        4            0\n"
	      "share refused                            75.0%\n"
	      "\n"
	      "CLASS      ACTION         PACKETS     ATTEMPTS\n"
	      "standard   drop                 9            3\n"
	      "\nof what passed, monitor mode let pass\n"
	      "CLASS      ACTION         PACKETS     ATTEMPTS\n"
	      "qil        reset                1            1\n"
	      "\n"
	      "                                     ASKED     LISTED        NOT     FAILED\n"
	      "new peers                                4          3          1          0\n"
	      "one                                      4          3          1          0\n"
	      "\nlosses\n"
	      "  overload                          6\n"
	      "\n"
	      "HOUR               ATTEMPTS     PASSED    REFUSED   SHARE\n"
	      "1970-01-02 00:00          4          1          3   75.0%\n"
	      "1970-01-02 01:00          4          1          3   75.0%  10m 0s not counted\n"
	      "1970-01-02 02:00          4          1          3   75.0%  not counted\n"
	      "1970-01-02 03:00          4          1          3   75.0%  the clock went back\n"
	      "\nbusiest hour: 1970-01-02 00:00, 4 attempts\n");
	text = print(RG_COMMAND_REPORT, REPORT("day", ""));
	assert_non_null(strstr(text, "\ncounted: all of it\n"));
	assert_non_null(strstr(text, "\nDAY "));
	assert_non_null(strstr(text, "\nFri 1970-01-02 "));
	free(text);
}

#define EMPTY(from, until)                                           \
	"{'from':" from ",'until':" until ",'counted':0,'attempts':" \
	"{'passed':0,'refused':0,'tagged':0,'unjudged':0,'refused_share':null}}"

/* Hours before the first one that was counted are one line; those without a count after it are not. */
static void test_folded(void **state)
{
	char *text =
		print(RG_COMMAND_REPORT,
		      "{'unit':'hour','lines':[" EMPTY("86400", "90000") "," EMPTY(
			      "90000", "93600") "," LINE("93600", "97200",
							 "3600") "," EMPTY("97200", "100800") "]}");

	(void)state;
	assert_non_null(strstr(text, "SHARE\n"
				     "earlier          2 hours, not counted\n"
				     "1970-01-02 02:00          4          1          3   75.0%\n"
				     "1970-01-02 03:00          0          0          0       -  "
				     "not counted\n"));
	free(text);
}

#define LONG_ALIAS "an-alias-of-thirty-one-letters-"
#define LONG_ADDRESS "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"

/* Long aliases and addresses: no line is longer than 80 columns, and nothing is cut off. */
static void test_width(void **state)
{
	static const struct {
		enum rg_command command;
		const char *result;
	} rows[] = {
		{ RG_COMMAND_ZONES,
		  "{'zones':[{'zone':'" LONG_ALIAS "','kind':'standard','action':'tempfail','state':"
		  "'disabled','since':86400,'why':'answers 127.0.0.1, lists 97 % of new peers, was 12 %: "
		  "and more about it','asked':1234567890,'listed':1234567890,'not_listed':1234567890,"
		  "'failed':{'timeout':1234567,'servfail':1234567,'refused':12345678,'bad answer':1,"
		  "'error code':5}}]}" },
		{ RG_COMMAND_EVENTS, "{'events':[{'event':'judged','time':86400,'address':'" LONG_ADDRESS
				     "','class':'standard','action':'tempfail','zone':'" LONG_ALIAS
				     "','code':'127.255.255.254','monitored':true}]}" },
		{ RG_COMMAND_LOOKUP,
		  "{'address':'" LONG_ADDRESS "','class':'standard','reason':'listed','zone':'" LONG_ALIAS
		  "','code':'127.255.255.254','since':86400,'expires_in':86400,'hits':3,'explanation':"
		  "'passes, as mode is monitor; else it would go to the responder, which refuses the "
		  "mail with 450; " LONG_ADDRESS " and " LONG_ADDRESS " of 2001:db8::/64 are listed',"
		  "'lists':[{'list':'approved','entry':'" LONG_ADDRESS
		  "','file':'/var/lib/repgate/approved.list','line':12345,'expires_in':86400,'comment':"
		  "'a comment of m\u00fcller that is longer than what is left of the line, and needs some "
		  "lines of its own'}],"
		  "'zones':[{'zone':'" LONG_ALIAS "','kind':'standard','answer':'listed','code':"
		  "'127.255.255.254'}]}" },
		{ RG_COMMAND_DUMP, "{'verdicts':[{'peer':'" LONG_ADDRESS
				   "','class':'standard','action':'tempfail','zone':'" LONG_ALIAS
				   "','code':'127.255.255.254','expires_in':90061}]}" },
		{ RG_COMMAND_APPROVE, "{'entry':'" LONG_ADDRESS "-" LONG_ADDRESS
				      "','class':'approved','until':86700,'removed':1}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = print(rows[i].command, rows[i].result);
		char *rest = text;

		if (rows[i].command != RG_COMMAND_APPROVE)
			assert_non_null(strstr(text, LONG_ALIAS));
		for (char *line; (line = strsep(&rest, "\n"));) {
			size_t bytes = strlen(line);

			if (bytes > 80 + (strstr(line, "\xc3\xbc") != NULL))
				fail_msg("%zu columns: %s", bytes, line);
			if (bytes && line[bytes - 1] == ' ')
				fail_msg("a blank at the end: %s", line);
		}
		free(text);
	}
}

/* At most 20 gaps are printed. */
static void test_many_gaps(void **state)
{
	char gaps[4000] = "";
	char *text, *report;

	(void)state;
	for (int i = 0; i < 25; i++)
		snprintf(gaps + strlen(gaps), sizeof(gaps) - strlen(gaps),
			 "%s{'from':86400,'until':90000,'counted_from':null}", i ? "," : "");
	assert_true(asprintf(&report, REPORT("hour", "%s"), gaps) > 0);
	text = print(RG_COMMAND_REPORT, report);
	assert_non_null(strstr(text, "\nand 5 more: see --json\n"));
	free(text);
	free(report);
}

/* Whatever is missing in the JSON, something is printed. */
static void test_empty(void **state)
{
	(void)state;
	for (enum rg_command command = 0; command < RG_COMMANDS; command++)
		free(print(command, "{}"));
}

static int set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),	  cmocka_unit_test(test_version),
		cmocka_unit_test(test_lookup),	  cmocka_unit_test(test_status),
		cmocka_unit_test(test_stats),	  cmocka_unit_test(test_report),
		cmocka_unit_test(test_changes),	  cmocka_unit_test(test_date_of_this_year),
		cmocka_unit_test(test_missing),	  cmocka_unit_test(test_problems),
		cmocka_unit_test(test_folded),	  cmocka_unit_test(test_width),
		cmocka_unit_test(test_many_gaps), cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
