/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns.h"

#include "dnsbl/dns_channel.h"
#include "dnsbl/dns_window.h"

#include "maps/types.h"

#include <sys/queue.h>

/* If the oldest question of a list has waited longer, ns, the newest is sent first: see take_from(). */
#define STALE (RG_NSEC_PER_SEC / 5)

/* A lane that has been silent for longer, ns, is not silent because of our load. */
#define SILENT_TIME (2 * RG_NSEC_PER_SEC)

struct rg_dns_query {
	TAILQ_ENTRY(rg_dns_query) entry;
	struct rg_dns *dns;
	rg_dns_callback *callback; /* NULL: cancelled */
	void *arg;
	unsigned int lane;
	enum rg_dns_priority priority;
	uint64_t asked_at; /* ns of CLOCK_BOOTTIME */
	uint64_t sent_at; /* 0: waits, in its lane's list */
	struct rg_dns_question question;
	char name[]; /* may hold a key: never logged */
};

TAILQ_HEAD(query_list, rg_dns_query);

/* A zone's queries. A channel each: c-ares drops all sockets of a server together, TCP's and UDP's. */
struct lane {
	struct rg_dns_channel *channel;
	struct query_list waiting[RG_DNS_PRIORITIES];
	uint32_t in_flight;
	uint64_t answered_at; /* ns of CLOCK_BOOTTIME; 0: never */
};

struct rg_dns {
	struct event *pump; /* sends what waits, from the loop */
	struct rg_dns_inbox *inbox;
	struct lane *lanes;
	unsigned int lane_count;
	unsigned int next; /* the lane that may send next */
	uint32_t max_in_flight;
	struct rg_dns_window window;
	struct rg_dns_load load;
	bool ending;
};

const char *rg_dns_status_name(enum rg_dns_status status)
{
	static const char *const names[RG_DNS_STATUS_MAX] = {
		[RG_DNS_OK] = "answer",	      [RG_DNS_NONE] = "no record",
		[RG_DNS_TIMEOUT] = "timeout", [RG_DNS_SERVFAIL] = "servfail",
		[RG_DNS_REFUSED] = "refused", [RG_DNS_BAD] = "bad answer",
		[RG_DNS_OFF] = "zone off",    [RG_DNS_BUSY] = "resolver busy",
	};

	return status < RG_DNS_STATUS_MAX ? names[status] : "?";
}

static void free_query(struct rg_dns_query *query)
{
	explicit_bzero(query->name, strlen(query->name));
	free(query);
}

static void on_answer(struct rg_dns_question *question, const struct rg_dns_answer *answer)
{
	struct rg_dns_query *query = question->arg;
	struct rg_dns *dns = query->dns;
	uint64_t now = rg_now();

	dns->load.in_flight--;
	dns->lanes[query->lane].in_flight--;
	if (answer->status == RG_DNS_TIMEOUT) {
		rg_dns_window_missing(&dns->window, query->sent_at, now);
	} else {
		dns->lanes[query->lane].answered_at = now;
		rg_dns_window_answer(&dns->window, query->sent_at, now);
	}
	if (query->callback && !dns->ending)
		query->callback(query->arg, answer);
	free_query(query);
	if (dns->load.waiting && !dns->ending)
		event_active(dns->pump, EV_TIMEOUT, 0);
}

/* A lane may not fill more than three quarters of the window, so that another one always has room. */
static uint32_t lane_share(uint32_t size)
{
	return size > 3 ? size * 3 / 4 : size;
}

/*
 * The next question of a list. If questions wait for long, not all of them can be answered in time. Then the newest
 * comes first: it still can be, while the answer to the oldest comes too late.
 */
static struct rg_dns_query *take_from(struct query_list *list, uint64_t now)
{
	struct rg_dns_query *query = TAILQ_FIRST(list);

	if (query->priority != RG_DNS_TEST && now - query->asked_at > STALE)
		query = TAILQ_LAST(list, query_list);
	TAILQ_REMOVE(list, query, entry);
	return query;
}

/* The next question of this priority, round robin over the lanes. NULL: none, or none may be sent. */
static struct rg_dns_query *next_of(struct rg_dns *dns, enum rg_dns_priority priority,
				    uint32_t size, uint64_t now)
{
	if (dns->load.in_flight >= size)
		return NULL;
	for (unsigned int i = 0; i < dns->lane_count; i++) {
		unsigned int number = (dns->next + i) % dns->lane_count;
		struct lane *lane = &dns->lanes[number];

		if (!TAILQ_EMPTY(&lane->waiting[priority]) && lane->in_flight < lane_share(size)) {
			dns->next = (number + 1) % dns->lane_count;
			return take_from(&lane->waiting[priority], now);
		}
	}
	return NULL;
}

/* Tests are few, and listings wait for them: the window does not hold them up. */
static struct rg_dns_query *next_query(struct rg_dns *dns, uint64_t now)
{
	struct rg_dns_query *query = next_of(dns, RG_DNS_TEST, dns->max_in_flight, now);

	for (enum rg_dns_priority priority = RG_DNS_RETRY; !query && priority < RG_DNS_PRIORITIES;
	     priority++)
		query = next_of(dns, priority, dns->window.size, now);
	return query;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dns *dns = arg;
	struct rg_dns_query *query;
	uint64_t now = rg_now();

	(void)fd;
	(void)what;
	while ((query = next_query(dns, now))) {
		struct lane *lane = &dns->lanes[query->lane];

		query->sent_at = now;
		dns->load.waiting--;
		dns->load.in_flight++;
		dns->load.asked++;
		lane->in_flight++;
		rg_dns_window_sent(&dns->window, (uint32_t)dns->load.in_flight);
		/* May call on_answer() before it returns. */
		rg_dns_channel_ask(lane->channel, &query->question, query->name);
	}
	if (dns->load.waiting)
		rg_dns_window_limited(&dns->window, now);
	for (unsigned int i = 0; i < dns->lane_count; i++)
		if (dns->lanes[i].in_flight)
			rg_dns_channel_flush(dns->lanes[i].channel);
}

static int open_lanes(struct rg_dns *dns, struct event_base *base,
		      const struct rg_dns_options *options, struct rg_error *error)
{
	int err = 0;

	for (unsigned int i = 0; i < dns->lane_count; i++)
		for (unsigned int priority = 0; priority < RG_DNS_PRIORITIES; priority++)
			TAILQ_INIT(&dns->lanes[i].waiting[priority]);
	for (unsigned int i = 0; !err && i < dns->lane_count; i++)
		err = rg_dns_channel_new(&dns->lanes[i].channel, base, dns->inbox, &options->resolver,
					 options->timeout, options->tries, on_answer, error);
	return err;
}

int rg_dns_new(struct rg_dns **ret, struct event_base *base, const struct rg_dns_options *options,
	       struct rg_error *error)
{
	struct rg_dns *dns = calloc(1, sizeof(*dns));
	int err;

	if (!dns)
		return rg_fail(error, -ENOMEM, "out of memory");
	dns->max_in_flight = options->in_flight;
	rg_dns_window_init(&dns->window, options->in_flight, rg_now());
	dns->lane_count = options->lanes;
	dns->lanes = calloc(options->lanes, sizeof(*dns->lanes));
	dns->inbox = rg_dns_inbox_new();
	dns->pump = evtimer_new(base, on_pump, dns);
	err = dns->lanes && dns->inbox && dns->pump ? open_lanes(dns, base, options, error) :
						      rg_fail(error, -ENOMEM, "out of memory");
	if (err)
		rg_dns_free(dns);
	else
		*ret = dns;
	return err;
}

static void free_waiting(struct query_list *list)
{
	struct rg_dns_query *query;

	while (list->tqh_last && (query = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, query, entry);
		free_query(query);
	}
}

void rg_dns_free(struct rg_dns *dns)
{
	if (!dns)
		return;
	dns->ending = true;
	for (unsigned int i = 0; dns->lanes && i < dns->lane_count; i++) {
		rg_dns_channel_free(dns->lanes[i].channel); /* ends every query in flight */
		for (unsigned int priority = 0; priority < RG_DNS_PRIORITIES; priority++)
			free_waiting(&dns->lanes[i].waiting[priority]);
	}
	if (dns->pump)
		event_free(dns->pump);
	rg_dns_inbox_free(dns->inbox);
	free(dns->lanes);
	free(dns);
}

int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane,
		 enum rg_dns_priority priority, const char *name, rg_dns_callback *callback,
		 void *arg)
{
	size_t size = strlen(name) + 1;
	struct rg_dns_query *query;

	if (lane >= dns->lane_count)
		return -EINVAL;
	query = calloc(1, sizeof(*query) + size);
	if (!query)
		return -ENOMEM;
	query->dns = dns;
	query->callback = callback;
	query->arg = arg;
	query->lane = lane;
	query->question.arg = query;
	memcpy(query->name, name, size);
	query->priority = priority;
	query->asked_at = rg_now();
	TAILQ_INSERT_TAIL(&dns->lanes[lane].waiting[priority], query, entry);
	dns->load.waiting++;
	event_active(dns->pump, EV_TIMEOUT, 0);
	*ret = query;
	return 0;
}

void rg_dns_cancel(struct rg_dns_query *query)
{
	if (!query)
		return;
	query->callback = NULL;
	if (query->sent_at)
		return; /* the channel has it until its answer or its last timeout */
	TAILQ_REMOVE(&query->dns->lanes[query->lane].waiting[query->priority], query, entry);
	query->dns->load.waiting--;
	free_query(query);
}

void rg_dns_hurry(struct rg_dns_query *query)
{
	struct lane *lane;

	if (!query || query->sent_at || query->priority <= RG_DNS_RETRY)
		return;
	lane = &query->dns->lanes[query->lane];
	TAILQ_REMOVE(&lane->waiting[query->priority], query, entry);
	query->priority = RG_DNS_RETRY;
	TAILQ_INSERT_TAIL(&lane->waiting[RG_DNS_RETRY], query, entry);
	event_active(query->dns->pump, EV_TIMEOUT, 0);
}

uint64_t rg_dns_sent_at(const struct rg_dns_query *query)
{
	return query->sent_at;
}

bool rg_dns_is_busy(const struct rg_dns *dns, unsigned int lane)
{
	uint64_t now = rg_now(), answered_at = dns->lanes[lane].answered_at;

	return answered_at && now - answered_at < SILENT_TIME &&
	       rg_dns_window_is_busy(&dns->window, now);
}

struct rg_dns_load rg_dns_load(const struct rg_dns *dns)
{
	struct rg_dns_load load = dns->load;

	load.window = dns->window.size;
	return load;
}
