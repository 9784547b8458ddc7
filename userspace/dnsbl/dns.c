/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns.h"

#include "dnsbl/dns_channel.h"

#include <sys/queue.h>

struct rg_dns_query {
	TAILQ_ENTRY(rg_dns_query) entry;
	struct rg_dns *dns;
	rg_dns_callback *callback; /* NULL: cancelled */
	void *arg;
	unsigned int lane;
	bool waits; /* in its lane's list */
	struct rg_dns_question question;
	char name[]; /* may hold a key: never logged */
};

TAILQ_HEAD(query_list, rg_dns_query);

/* A zone's queries. A channel each: c-ares drops all sockets of a server together, TCP's and UDP's. */
struct lane {
	struct rg_dns_channel *channel;
	struct query_list waiting;
	uint32_t in_flight;
};

struct rg_dns {
	struct event *pump; /* sends what waits, from the loop */
	struct rg_dns_inbox *inbox;
	struct lane *lanes;
	unsigned int lane_count;
	unsigned int next; /* the lane that may send next */
	uint32_t max_in_flight;
	uint32_t max_lane; /* in flight at most, of one lane */
	struct rg_dns_load load;
	bool ending;
};

const char *rg_dns_status_name(enum rg_dns_status status)
{
	static const char *const names[RG_DNS_STATUS_MAX] = {
		[RG_DNS_OK] = "answer",	      [RG_DNS_NONE] = "no record",
		[RG_DNS_TIMEOUT] = "timeout", [RG_DNS_SERVFAIL] = "servfail",
		[RG_DNS_REFUSED] = "refused", [RG_DNS_BAD] = "bad answer",
		[RG_DNS_OFF] = "zone off",
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

	dns->load.in_flight--;
	dns->lanes[query->lane].in_flight--;
	if (query->callback && !dns->ending)
		query->callback(query->arg, answer);
	free_query(query);
	if (dns->load.waiting && !dns->ending)
		event_active(dns->pump, EV_TIMEOUT, 0);
}

/* The next lane, round robin, that has something to send and may send it. */
static struct lane *next_lane(struct rg_dns *dns)
{
	for (unsigned int i = 0; i < dns->lane_count; i++) {
		struct lane *lane = &dns->lanes[(dns->next + i) % dns->lane_count];

		if (!TAILQ_EMPTY(&lane->waiting) && lane->in_flight < dns->max_lane) {
			dns->next = (dns->next + i + 1) % dns->lane_count;
			return lane;
		}
	}
	return NULL;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dns *dns = arg;

	(void)fd;
	(void)what;
	while (dns->load.in_flight < dns->max_in_flight) {
		struct lane *lane = next_lane(dns);
		struct rg_dns_query *query;

		if (!lane)
			break;
		query = TAILQ_FIRST(&lane->waiting);
		TAILQ_REMOVE(&lane->waiting, query, entry);
		query->waits = false;
		dns->load.waiting--;
		dns->load.in_flight++;
		dns->load.asked++;
		lane->in_flight++;
		/* May call on_answer() before it returns. */
		rg_dns_channel_ask(lane->channel, &query->question, query->name);
	}
	for (unsigned int i = 0; i < dns->lane_count; i++)
		if (dns->lanes[i].in_flight)
			rg_dns_channel_flush(dns->lanes[i].channel);
}

static int open_lanes(struct rg_dns *dns, struct event_base *base,
		      const struct rg_dns_options *options, struct rg_error *error)
{
	int err = 0;

	for (unsigned int i = 0; i < dns->lane_count; i++)
		TAILQ_INIT(&dns->lanes[i].waiting);
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
	/* A lane may not fill more than three quarters, so that another one always has room. */
	dns->max_lane = options->in_flight > 3 ? options->in_flight * 3 / 4 : options->in_flight;
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

void rg_dns_free(struct rg_dns *dns)
{
	if (!dns)
		return;
	dns->ending = true;
	for (unsigned int i = 0; dns->lanes && i < dns->lane_count; i++) {
		struct lane *lane = &dns->lanes[i];
		struct rg_dns_query *query;

		rg_dns_channel_free(lane->channel); /* ends every query in flight */
		while (lane->waiting.tqh_last && (query = TAILQ_FIRST(&lane->waiting))) {
			TAILQ_REMOVE(&lane->waiting, query, entry);
			free_query(query);
		}
	}
	if (dns->pump)
		event_free(dns->pump);
	rg_dns_inbox_free(dns->inbox);
	free(dns->lanes);
	free(dns);
}

int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane, const char *name,
		 rg_dns_callback *callback, void *arg)
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
	TAILQ_INSERT_TAIL(&dns->lanes[lane].waiting, query, entry);
	query->waits = true;
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
	if (!query->waits)
		return; /* the channel has it until its answer or its last timeout */
	TAILQ_REMOVE(&query->dns->lanes[query->lane].waiting, query, entry);
	query->dns->load.waiting--;
	free_query(query);
}

struct rg_dns_load rg_dns_load(const struct rg_dns *dns)
{
	return dns->load;
}
