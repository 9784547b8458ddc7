/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the requests of the control socket: any bytes, one request a line. It includes control.c for its
 * run_line(). The commands and the modules that need no kernel are the real ones. The others are faked
 * below: an agent with two zones, a verdict, a peer, and lists in a directory of its own. Each request must
 * get one line of JSON with "ok", at once or when the inquiry ends.
 */
#include "control/control.c" /* NOLINT: see above */

#include "base/addr.h"
#include "config/live.h"
#include "kernel/attach.h"
#include "responder/responder.h"
#include "kernel/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "qzkeyxjkv" /* part of a zone's real name */
#define CONF                                                                               \
	"interfaces = [ \"lo\" ];\n"                                                       \
	"zones = { one = { suffix = \"" SECRET ".one.example\"; kind = \"standard\"; };\n" \
	"two = { suffix = \"two.example\"; kind = \"qil\"; "                               \
	"url = \"https://two.example/%%a\"; }; };\n"                                       \
	"state_dir = \"%s\"; approved_dir = \"%s/a\"; blocked_dir = \"%s/b\";\n"

static char directory[64];
static struct rg_modules modules;
static struct rg_control control = { .modules = &modules };

/* The open inquiry, until fake_answer(). */
static struct {
	rg_inquiry_callback *callback;
	void *arg;
} inquiry;

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

bool rg_loader_can_hold(const struct rg_loader *loader)
{
	(void)loader;
	return true;
}

const struct rg_attachment *rg_attach_info(const struct rg_loader *loader, unsigned int index)
{
	static const struct rg_attachment attachment = { "lo", 1, RG_XDP_GENERIC, false, 7 };

	(void)loader;
	return index ? NULL : &attachment;
}

int rg_stats_read(int fd, struct rg_stats *stats)
{
	(void)fd;
	memset(stats, 0, sizeof(*stats));
	return 0;
}

static int load_lists(struct rg_error *error)
{
	const struct rg_list_paths paths = { modules.conf->approved_dir, modules.conf->blocked_dir,
					     modules.conf->state_dir, 1000 };
	struct rg_lists *fresh;
	int err = rg_lists_load(&fresh, &paths, error);

	if (err)
		return err;
	rg_lists_free(modules.lists);
	modules.lists = fresh;
	return 0;
}

/* A queue that is always empty: the request runs at once. */
static void reload(void *arg, const struct rg_reload_request *request)
{
	struct rg_error error = {};
	int err = request->begin ? request->begin(request->arg, &error) : 0;

	(void)arg;
	if (!err)
		err = load_lists(&error);
	request->done(request->arg, err > 0 ? 0 : err, &error);
}

static int set(void *arg, const char *key, const char *value, struct rg_error *error)
{
	(void)arg;
	return rg_live_set(modules.conf, key, value, error);
}

static void set_mode(void *arg, enum rg_mode mode)
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

const struct rg_zone_health *rg_zone_test_health(const struct rg_zone_test *tester, uint32_t slot)
{
	static const struct rg_zone_health health = { .state = RG_ZONE_HEALTH_OPEN, .why = "why" };

	(void)tester;
	must(slot < RG_MAX_ZONES, "slot");
	return &health;
}

struct rg_dns_load rg_dns_load(const struct rg_dns *dns)
{
	(void)dns;
	return (struct rg_dns_load){ 1, 2, 3 };
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
	memset(evidence, 0, sizeof(*evidence));
	strcpy(country, addr->bytes[15] & 1 ? "DE" : "");
}

struct rg_responder_count rg_responder_count(const struct rg_responder *responder)
{
	(void)responder;
	return (struct rg_responder_count){ .open = 1 };
}

int rg_inquiry_start(struct rg_inquiry **ret, struct rg_inquiry_context *inquiries,
		     struct rg_conf *conf, const struct rg_addr *addr,
		     const struct rg_evidence *evidence, rg_inquiry_callback *callback, void *arg)
{
	(void)inquiries;
	(void)conf;
	(void)evidence;
	if (addr->bytes[15] == 77)
		return -ENOMEM;
	must(!inquiry.callback, "two inquiries of one client");
	inquiry.callback = callback;
	inquiry.arg = arg;
	*ret = (struct rg_inquiry *)&inquiry;
	return 0;
}

void rg_inquiry_cancel(struct rg_inquiry *which)
{
	if (!which)
		return;
	must((void *)which == (void *)&inquiry && inquiry.callback, "cancelled, but none is open");
	inquiry.callback = NULL;
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
	(void)key;
	*ret = verdict;
	return addr->bytes[15] % 4 == 2 ? 0 : -ENOENT;
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

int rg_verdicts_put(struct rg_verdicts *verdicts, const struct rg_prefix *key,
		    const struct rg_outcome *outcome, uint32_t slot, uint64_t now)
{
	(void)verdicts;
	(void)outcome;
	(void)now;
	must(key->len <= RG_ADDR_BITS, "length");
	must(slot < RG_MAX_ZONES || slot == RG_NO_ZONE, "slot");
	return 0;
}

size_t rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot)
{
	(void)verdicts;
	must(!prefix || prefix->len <= RG_ADDR_BITS, "length");
	must(slot < RG_MAX_ZONES || slot == RG_NO_ZONE, "slot");
	return 1;
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

/* ---- the modules ---- */

static void forget_lists(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/approved.list", directory);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/blocked.list", directory);
	(void)unlink(path);
}

static void remove_files(void)
{
	char path[96];

	forget_lists();
	snprintf(path, sizeof(path), "%s/repgate.conf", directory);
	(void)unlink(path);
	(void)rmdir(directory);
}

static struct rg_conf *load_conf(void)
{
	struct rg_error error = {};
	struct rg_conf *conf;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/repgate.conf", directory);
	file = fopen(path, "we");
	must(file != NULL, "no file");
	fprintf(file, CONF, directory, directory, directory);
	fclose(file);
	must(!rg_conf_load(&conf, path, &error), error.text);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		conf->zones[i].slot = i;
	return conf;
}

static void follow(void *arg, const struct rg_recent_event *event)
{
	rg_control_follow(arg, event);
}

static void make_modules(void)
{
	struct rg_recent_event event = { .kind = RG_RECENT_REFUSED, .zone = "one" };
	const struct rg_history_sample nothing = {};
	struct rg_error error;

	if (!*directory) {
		rg_log_open(RG_LOG_ERROR);
		strcpy(directory, "/dev/shm/fuzz_control.XXXXXX");
		must(mkdtemp(directory) != NULL, "no directory");
		atexit(remove_files);
		modules.base = event_base_new();
		must(!rg_recent_events_new(&modules.recent_events, follow, &control), "no events");
		must(!rg_history_counts_new(&modules.history), "no history");
		rg_history_counts_begin(modules.history, &nothing, 0, 1, rg_moment_now());
		rg_recent_events_add(modules.recent_events, &event);
	}
	control.ops = (struct rg_control_ops){ .reload = reload, .set = set, .set_mode = set_mode };
	forget_lists();
	modules.conf = load_conf();
	must(!load_lists(&error), error.text);
}

static void fake_answer(unsigned int kind)
{
	struct rg_evidence evidence = { .list = RG_CLASS_NONE };
	rg_inquiry_callback *callback = inquiry.callback;

	for (unsigned int i = 0; i < modules.conf->zone_count; i++)
		evidence.zones[i] =
			(struct rg_finding){ .state = (enum rg_zone_state)((kind >> 2 * i) & 3),
					     .code = 0x7f000002,
					     .ttl = 60,
					     .has_ttl = true,
					     .status = RG_DNS_TIMEOUT };
	if (!callback)
		return;
	inquiry.callback = NULL;
	callback(inquiry.arg, &evidence);
}

/* Every line out is JSON that says whether it went well. Returns how many there are. */
static unsigned int check_answers(struct rg_client *client, bool knows_secret)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	unsigned int count = 0;
	size_t len;
	char *line;

	while ((line = evbuffer_readln(out, &len, EVBUFFER_EOL_LF))) {
		json_t *answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
		json_t *ok = json_object_get(answer, "ok");

		must(json_is_boolean(ok), line);
		must(knows_secret || !strstr(line, SECRET), "a zone's key is shown");
		must(json_object_get(answer, json_is_true(ok) ? "result" : "error") != NULL, line);
		json_decref(answer);
		free(line);
		count++;
	}
	must(!evbuffer_get_length(out), "a line without an end");
	return count;
}

/* The lines after one that waits are for later, as on_read() has it. */
static unsigned int run_lines(struct rg_client *client, const uint8_t *data, size_t size)
{
	unsigned int lines = 0;

	while (size && !client->waits_for) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		char *line = malloc(len + 1);

		if (!line)
			abort();
		memcpy(line, data, len);
		line[len] = '\0';
		run_line(client, line, len);
		free(line);
		lines++;
		data += len + (newline ? 1 : 0);
		size -= len + (newline ? 1 : 0);
	}
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rg_client *client = calloc(1, sizeof(*client));
	unsigned int lines, kind = size ? data[size - 1] : 0;

	make_modules();
	if (!client)
		return 0;
	client->control = &control;
	client->stream = bufferevent_socket_new(modules.base, -1, 0);
	(void)evbuffer_unfreeze(bufferevent_get_output(client->stream), 1); /* we are the peer too */
	LIST_INSERT_HEAD(&control.clients, client, entry);
	control.client_count++;
	lines = run_lines(client, data, size);
	if (!client->waits_for || kind % 5) {
		fake_answer(kind);
		must(!client->waits_for, "it waits for ever");
		must(check_answers(client, memmem(data, size, SECRET, strlen(SECRET))) == lines,
		     "number of answers");
	}
	drop_client(client); /* cancels what is open */
	must(!inquiry.callback, "an inquiry nobody waits for");
	rg_lists_free(modules.lists);
	modules.lists = NULL;
	rg_conf_unref(modules.conf);
	return 0;
}
