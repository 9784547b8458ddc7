/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fake agent for tests of control/ and observe/: struct rg_modules with two zones and local lists in a
 * directory of its own. Everything that needs the kernel or DNS is faked here; lists, configuration,
 * history and recent events are the real ones. Each test includes this file once.
 *
 * Peers by the last byte of their address, modulo 4: 2 has a verdict of zone "two", 3 is clean, others
 * are unknown. Odd ones are in Germany.
 */
#include "base/addr.h"
#include "base/log.h"
#include "config/ers.h"
#include "config/live.h"
#include "control/control.h"
#include "kernel/attach.h"
#include "kernel/stats.h"
#include "observe/modules.h"

#include <event2/event.h>

#define FAKE_SECRET "qzkeyxjkv7q" /* the key in a zone's real name: must never be shown */
#define FAKE_CONF                                                                               \
	"interfaces = [ \"lo\" ];\n"                                                            \
	"zones = { one = { suffix = \"" FAKE_SECRET ".one.example\"; kind = \"standard\"; };\n" \
	"two = { suffix = \"two.example\"; kind = \"qil\"; "                                    \
	"url = \"https://two.example/%%a\"; }; };\n"                                            \
	"state_dir = \"%s\"; approved_dir = \"%s/a\"; blocked_dir = \"%s/b\";\n"                \
	"control_socket = \"%s/socket\"; metrics_listen = \"\";\n"

/* Not every test uses everything. */
#define FAKE __attribute__((unused)) static

static char fake_directory[64];
static struct rg_client_limits fake_limits;
static struct rg_loop_times fake_loop;
static struct rg_modules modules = { .clients = &fake_limits, .loop = &fake_loop };
FAKE struct rg_stats fake_stats;
FAKE int fake_stats_error, fake_reload_error; /* 0 or -errno */
FAKE unsigned int fake_stored; /* outcomes */
FAKE struct rg_evidence fake_local; /* of every address: list, country, exemption */
FAKE bool fake_ers; /* for the next fake_modules_new(): with a group ers */
#define FAKE_CODE "qzkexjkvwy7q" /* its activation code */
FAKE enum rg_dns_status fake_dns_status = RG_DNS_NONE; /* of the answers of fake_answer() */
FAKE uint32_t fake_dns_record; /* with RG_DNS_OK */

/* The open DNS queries, until fake_answer(). */
static struct rg_dns_query {
	rg_dns_callback *callback;
	void *arg;
	char name[RG_DNSBL_NAME_SIZE];
} fake_queries[4];

/* The open inquiry, until fake_answer(). */
static struct {
	rg_inquiry_callback *callback;
	void *arg;
} fake_inquiry;

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* ---- fakes of everything that needs the kernel, and of DNS ---- */

static const struct rg_maps maps = { .lists = -1,
				     .verdicts = -1,
				     .verdict_details = -1,
				     .peers = -1,
				     .zones = -1,
				     .events = -1,
				     .stats = -1,
				     .buckets = -1,
				     .responder = -1 };

const struct rg_maps *rg_loader_maps(const struct rg_loader *loader)
{
	(void)loader;
	return &maps;
}

bool rg_loader_pins_are_private(const struct rg_loader *loader)
{
	(void)loader;
	return true;
}

bool rg_loader_can_hold(const struct rg_loader *loader)
{
	(void)loader;
	return true;
}

const struct rg_attachment *rg_attach_info(const struct rg_loader *loader, unsigned int index)
{
	static const struct rg_attachment attachments[] = {
		{ .name = "lo",
		  .ifindex = 1,
		  .mode = RG_XDP_GENERIC,
		  .link_kind = RG_LINK_KIND_ETHERNET,
		  .program = 7,
		  .present_name = "lo9" },
		{ .name = "eth9", .reason = "it is not there" },
	};

	(void)loader;
	return index < ARRAY_SIZE(attachments) ? &attachments[index] : NULL;
}

const struct rg_path_info *rg_paths_get(const struct rg_paths *paths, size_t number)
{
	static const struct rg_path_info path = { .name = "eth7",
						  .ifindex = 7,
						  .lookups = 5,
						  .unseen = 3 };

	(void)paths;
	return number ? NULL : &path;
}

const char *rg_paths_advice(const struct rg_path_info *path)
{
	return path->name;
}

int rg_stats_read(int fd, struct rg_stats *stats)
{
	(void)fd;
	*stats = fake_stats;
	return fake_stats_error;
}

FAKE int fake_load_lists(struct rg_error *error)
{
	const struct rg_list_paths paths = { .approved_dir = modules.conf->approved_dir,
					     .blocked_dir = modules.conf->blocked_dir,
					     .state_dir = modules.conf->state_dir,
					     .max_entries = 1000 };
	struct rg_lists *fresh;
	int err = rg_lists_load(&fresh, &paths);

	if (err)
		return rg_fail(error, err, "out of memory");
	rg_lists_free(modules.lists);
	modules.lists = fresh;
	return 0;
}

/* A queue that is always empty: the request runs at once. */
FAKE void fake_reload(void *arg, const struct rg_reload_request *request)
{
	struct rg_error error = {};
	int err = request->begin ? request->begin(request->arg, &error) : 0;

	(void)arg;
	if (!err && fake_reload_error)
		err = rg_fail(&error, fake_reload_error, "no reload");
	if (!err)
		err = fake_load_lists(&error);
	request->done(request->arg, err > 0 ? 0 : err, &error);
}

FAKE int fake_set(void *arg, const char *key, const char *value, struct rg_error *error)
{
	(void)arg;
	return rg_live_set(modules.conf, key, value, error);
}

FAKE int fake_set_code(void *arg, const char *code, struct rg_error *error)
{
	(void)arg;
	return rg_ers_set_code(modules.conf, code, error);
}

FAKE void fake_set_mode(void *arg, enum rg_mode mode)
{
	(void)arg;
	modules.conf->mode = mode;
}

uint64_t rg_ring_bad(const struct rg_ring *ring)
{
	(void)ring;
	return 1;
}

const struct rg_zone_count *rg_inquiry_context_count(const struct rg_inquiry_context *inquiries,
						     uint32_t slot)
{
	static const struct rg_zone_count count = { .asked = 5, .failed = { 1, 2, 3, 4, 5, 6 } };

	(void)inquiries;
	must(slot < RG_MAX_ZONES, "slot");
	return &count;
}

const struct rg_zone_health *rg_zone_test_health(const struct rg_zone_test *tester, uint32_t slot,
						 enum rg_family family)
{
	static const struct rg_zone_health health = { .state = RG_ZONE_HEALTH_OPEN,
						      .why = "why",
						      .since = 1 };

	(void)tester;
	must(slot < RG_MAX_ZONES, "slot");
	must(family < RG_FAMILIES, "family");
	return &health;
}

const struct rg_zone_health *rg_zone_test_worst(const struct rg_zone_test *tester,
						const struct rg_zone_conf *zone, const char **family)
{
	*family = zone->slot ? "IPv6" : "";
	return rg_zone_test_health(tester, zone->slot, RG_FAMILY_V6);
}

struct rg_dns_load rg_dns_load(const struct rg_dns *dns)
{
	(void)dns;
	return (struct rg_dns_load){ 1, 2, 3, 4 };
}

int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane,
		 enum rg_dns_priority priority, const char *name, rg_dns_callback *callback,
		 void *arg)
{
	(void)dns;
	(void)priority;
	must(lane < RG_MAX_ZONES, "lane");
	for (size_t i = 0; i < ARRAY_SIZE(fake_queries); i++) {
		if (fake_queries[i].callback)
			continue;
		fake_queries[i].callback = callback;
		fake_queries[i].arg = arg;
		snprintf(fake_queries[i].name, sizeof(fake_queries[i].name), "%s", name);
		*ret = &fake_queries[i];
		return 0;
	}
	return -ENOMEM;
}

void rg_dns_cancel(struct rg_dns_query *query)
{
	if (query)
		query->callback = NULL;
}

const char *rg_dns_status_name(enum rg_dns_status status)
{
	return status == RG_DNS_TIMEOUT ? "timeout" : "other";
}

struct rg_judge_count rg_judge_count(const struct rg_judge *judge)
{
	(void)judge;
	return (struct rg_judge_count){ .events = 1 };
}

void rg_judge_local(const struct rg_judge *judge, const struct rg_addr *addr,
		    struct rg_evidence *evidence, char country[3])
{
	(void)judge;
	*evidence = fake_local;
	strcpy(country, addr->bytes[15] & 1 ? "DE" : "");
}

struct rg_responder_count rg_responder_count(const struct rg_responder *responder)
{
	(void)responder;
	return (struct rg_responder_count){ .open = 1 };
}

int rg_inquiry_start(struct rg_inquiry **ret, struct rg_inquiry_context *inquiries,
		     struct rg_conf *conf, const struct rg_addr *addr,
		     const struct rg_evidence *evidence, enum rg_dns_priority priority,
		     rg_inquiry_callback *callback, void *arg)
{
	(void)priority;
	(void)inquiries;
	(void)conf;
	(void)evidence;
	if (addr->bytes[15] == 77)
		return -ENOMEM;
	must(!fake_inquiry.callback, "two inquiries of one client");
	fake_inquiry.callback = callback;
	fake_inquiry.arg = arg;
	*ret = (struct rg_inquiry *)&fake_inquiry;
	return 0;
}

void rg_inquiry_cancel(struct rg_inquiry *which)
{
	if (!which)
		return;
	must((void *)which == (void *)&fake_inquiry && fake_inquiry.callback,
	     "cancelled, but none is open");
	fake_inquiry.callback = NULL;
}

static const struct rg_full_verdict verdict = { .expiry = UINT64_MAX,
						.peer_class = RG_CLASS_QIL,
						.action = RG_ACTION_TEMPFAIL,
						.reason = RG_REASON_ZONE,
						.zone = 1,
						.code = 0x7f000002 };
static const struct rg_peer peer = { .expiry = UINT64_MAX, .state = RG_PEER_CLEAN };

int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret)
{
	(void)verdicts;
	(void)now;
	if (key)
		*key = (struct rg_prefix){ .len = addr->bytes[15] == 0x42 ? 64 : 128, .addr = *addr };
	*ret = verdict;
	return addr->bytes[15] % 4 == 2 ? 0 : -ENOENT;
}

size_t rg_verdicts_evidence(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
			    uint64_t now, struct rg_addr addrs[RG_EVIDENCE])
{
	(void)verdicts;
	(void)now;
	addrs[0] = addrs[1] = key->addr;
	addrs[0].bytes[15]++;
	return RG_EVIDENCE;
}

int rg_verdicts_find_peer(const struct rg_verdicts *verdicts, const struct rg_addr *addr,
			  uint64_t now, struct rg_peer *ret)
{
	(void)verdicts;
	(void)now;
	*ret = peer;
	return addr->bytes[15] % 4 == 3 ? 0 : -ENOENT;
}

int rg_verdicts_each(const struct rg_verdicts *verdicts,
		     int (*call)(void *arg, const struct rg_prefix *key,
				 const struct rg_full_verdict *value),
		     void *arg)
{
	const struct rg_prefix key = { .len = 128 };

	(void)verdicts;
	return call(arg, &key, &verdict);
}

int rg_verdicts_each_peer(const struct rg_verdicts *verdicts,
			  int (*call)(void *arg, const struct rg_addr *peer,
				      const struct rg_peer *value),
			  void *arg)
{
	const struct rg_addr key = {};

	(void)verdicts;
	return call(arg, &key, &peer);
}

int rg_judge_store(struct rg_verdicts *verdicts, const struct rg_conf *conf,
		   const struct rg_conf *decided_by, const struct rg_addr *addr,
		   struct rg_outcome *outcome)
{
	(void)verdicts;
	(void)conf;
	(void)decided_by;
	(void)addr;
	(void)outcome;
	fake_stored++;
	return 0;
}

int rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot,
		      rg_flush_done *done, void *arg)
{
	(void)verdicts;
	must(!prefix || prefix->len <= RG_ADDR_BITS, "length");
	must(slot < RG_MAX_ZONES || slot == RG_NO_ZONE, "slot");
	done(arg, 1, true);
	return 0;
}

const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot)
{
	(void)verdicts;
	return slot == 1 ? "two" : "";
}

struct rg_index_maps_count rg_verdicts_indexes(const struct rg_verdicts *verdicts)
{
	(void)verdicts;
	return (struct rg_index_maps_count){ .parts[RG_INDEX_HOSTS].bytes = 1 };
}

struct rg_verdicts_count rg_verdicts_count(const struct rg_verdicts *verdicts)
{
	(void)verdicts;
	return (struct rg_verdicts_count){ .entries = 1 };
}

FAKE const struct rg_control_ops fake_ops = { .reload = fake_reload,
					      .set = fake_set,
					      .set_code = fake_set_code,
					      .set_mode = fake_set_mode };

/* ---- the modules ---- */

FAKE void fake_forget_lists(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/approved.list", fake_directory);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/blocked.list", fake_directory);
	(void)unlink(path);
}

FAKE void fake_remove_files(void)
{
	char path[96];

	fake_forget_lists();
	snprintf(path, sizeof(path), "%s/repgate.conf", fake_directory);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/activation-code", fake_directory);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/code", fake_directory);
	(void)unlink(path);
	(void)rmdir(fake_directory);
}

FAKE struct rg_conf *fake_load_conf(void)
{
	struct rg_error error = {};
	struct rg_conf *conf;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/repgate.conf", fake_directory);
	file = fopen(path, "we");
	must(file != NULL, "no file");
	fprintf(file, FAKE_CONF, fake_directory, fake_directory, fake_directory, fake_directory);
	if (fake_ers)
		fprintf(file, "ers = { activation_code_file = \"%s/code\"; };\n", fake_directory);
	fclose(file);
	if (fake_ers) {
		char code[96];

		snprintf(code, sizeof(code), "%s/code", fake_directory);
		file = fopen(code, "we");
		must(file && fputs(FAKE_CODE "\n", file) >= 0, "no file");
		fclose(file);
	}
	must(!rg_conf_load(&conf, path, &error), error.text);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		conf->zones[i].slot = i;
	return conf;
}

/* An agent that just started. follow: gets each event. */
FAKE void fake_modules_new(void (*follow)(void *arg, const struct rg_recent_event *event), void *arg)
{
	const struct rg_history_sample nothing = {};
	struct rg_recent_event event = { .kind = RG_RECENT_REFUSED, .zone = "one" };
	struct rg_error error;

	if (!*fake_directory) {
		rg_log_open(RG_LOG_ERROR);
		strcpy(fake_directory, "/dev/shm/fake_modules.XXXXXX");
		must(mkdtemp(fake_directory) != NULL, "no directory");
		atexit(fake_remove_files);
		modules.base = event_base_new();
		must(!rg_recent_events_new(&modules.recent_events, follow, arg), "no events");
		must(!rg_history_counts_new(&modules.history), "no history");
		rg_history_counts_begin(modules.history, &nothing, 0, 1, rg_moment_now());
		rg_recent_events_add(modules.recent_events, &event);
	}
	fake_forget_lists();
	modules.conf = fake_load_conf();
	must(!fake_load_lists(&error), error.text);
}

/* The configuration and the lists end; the rest is used by the next fake_modules_new(). */
FAKE void fake_modules_free(void)
{
	must(!fake_inquiry.callback, "an inquiry is open that nobody waits for");
	for (size_t i = 0; i < ARRAY_SIZE(fake_queries); i++)
		must(!fake_queries[i].callback, "a query is open that nobody waits for");
	rg_lists_free(modules.lists);
	modules.lists = NULL;
	rg_conf_unref(modules.conf);
	modules.conf = NULL;
}

/* Answers the open DNS queries. */
FAKE void fake_answer_dns(void)
{
	const struct rg_dns_answer answer = { .status = fake_dns_status,
					      .records = { fake_dns_record },
					      .count = fake_dns_status == RG_DNS_OK };

	for (size_t i = 0; i < ARRAY_SIZE(fake_queries); i++) {
		rg_dns_callback *callback = fake_queries[i].callback;

		fake_queries[i].callback = NULL;
		if (callback)
			callback(fake_queries[i].arg, &answer);
	}
}

/* Ends the open inquiry. kind: two bits for each zone, enum rg_zone_state. */
FAKE void fake_answer(unsigned int kind)
{
	struct rg_evidence evidence = fake_local;
	rg_inquiry_callback *callback = fake_inquiry.callback;

	for (unsigned int i = 0; i < modules.conf->zone_count; i++)
		evidence.zones[i] =
			(struct rg_finding){ .state = (enum rg_zone_state)((kind >> 2 * i) & 3),
					     .code = 0x7f000002,
					     .ttl = 60,
					     .has_ttl = true,
					     .status = RG_DNS_TIMEOUT };
	if (!callback)
		return;
	fake_inquiry.callback = NULL;
	callback(fake_inquiry.arg, &evidence, true);
}
