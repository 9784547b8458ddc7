/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/zone_control.h"

#include "base/addr.h"
#include "base/random.h"
#include "dnsbl/zone_answer.h"

#define NOTE_GAP RG_NSEC_PER_SEC /* between two addresses that are taken */
#define MOST_AGE    \
	(6 * 3600 * \
	 RG_NSEC_PER_SEC) /* an older one may have been listed since, and is replaced first */

struct member {
	struct rg_addr addr;
	uint64_t noted_at; /* ns of CLOCK_BOOTTIME; 0: none */
	uint64_t cached_until;
};

struct control_query {
	struct rg_zone_control *control;
	struct rg_dns_query *query; /* NULL: not under way */
};

struct rg_zone_control {
	struct rg_dns *dns;
	void (*done)(void *arg, enum rg_zone_control_result result);
	void *arg;
	struct member group[RG_ZONE_CONTROL_GROUP];
	size_t count;
	uint64_t noted_at; /* the last one */
	struct control_query queries[RG_ZONE_CONTROL_ASKED];
	struct rg_dnsbl_codes codes; /* of the zone that is asked */
	unsigned int open, listed, not_listed;
};

int rg_zone_control_new(struct rg_zone_control **ret, struct rg_dns *dns,
			void (*done)(void *arg, enum rg_zone_control_result result), void *arg)
{
	struct rg_zone_control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	control->dns = dns;
	control->done = done;
	control->arg = arg;
	for (size_t i = 0; i < RG_ZONE_CONTROL_ASKED; i++)
		control->queries[i].control = control;
	*ret = control;
	return 0;
}

void rg_zone_control_reset(struct rg_zone_control *control)
{
	for (size_t i = 0; i < RG_ZONE_CONTROL_ASKED; i++) {
		rg_dns_cancel(control->queries[i].query);
		control->queries[i].query = NULL;
	}
	control->open = 0;
	control->count = 0;
	control->noted_at = 0;
}

void rg_zone_control_free(struct rg_zone_control *control)
{
	if (!control)
		return;
	rg_zone_control_reset(control);
	free(control);
}

/* Where the next address goes: a free place, or the oldest one's if that is too old; NULL: nowhere. */
static struct member *place_for_next(struct rg_zone_control *control, uint64_t now)
{
	struct member *oldest = &control->group[0];

	if (control->count < RG_ZONE_CONTROL_GROUP)
		return &control->group[control->count++];
	for (size_t i = 1; i < RG_ZONE_CONTROL_GROUP; i++)
		if (control->group[i].noted_at < oldest->noted_at)
			oldest = &control->group[i];
	return now - oldest->noted_at > MOST_AGE ? oldest : NULL;
}

void rg_zone_control_note(struct rg_zone_control *control, const struct rg_addr *addr, uint32_t ttl,
			  uint64_t now)
{
	struct member *member;

	/* The first ones at once, so that there soon is a group. */
	if (control->count >= RG_ZONE_CONTROL_ASKED && now - control->noted_at < NOTE_GAP)
		return;
	member = place_for_next(control, now);
	if (!member)
		return;
	control->noted_at = now;
	*member = (struct member){ *addr, now, now + ttl * RG_NSEC_PER_SEC };
}

/* Another address of the same IPv4 /24 or IPv6 /64: no cache has it. */
static struct rg_addr neighbour_of(const struct rg_addr *addr)
{
	size_t first = rg_addr_is_v4(addr) ? 15 : 8;
	struct rg_addr neighbour = *addr;

	do
		rg_random_fill(neighbour.bytes + first, sizeof(neighbour.bytes) - first);
	while (!rg_addr_compare(&neighbour, addr));
	return neighbour;
}

static void finish(struct rg_zone_control *control)
{
	enum rg_zone_control_result result = RG_ZONE_CONTROL_UNKNOWN;

	if (control->listed + control->not_listed >= RG_ZONE_CONTROL_LEAST)
		result = control->listed > control->not_listed ? RG_ZONE_CONTROL_LISTED :
								 RG_ZONE_CONTROL_CLEAN;
	control->done(control->arg, result);
}

static void on_answer(void *arg, const struct rg_dns_answer *answer)
{
	struct control_query *query = arg;
	struct rg_zone_control *control = query->control;

	query->query = NULL;
	switch (rg_zone_answer_read(&control->codes, answer).meaning) {
	case RG_ZONE_SAYS_LISTED:
		control->listed++;
		break;
	case RG_ZONE_SAYS_NOT_LISTED:
	case RG_ZONE_SAYS_OTHER:
		control->not_listed++;
		break;
	default:
		break; /* an error: as no answer */
	}
	if (!--control->open)
		finish(control);
}

bool rg_zone_control_ask(struct rg_zone_control *control, const struct rg_zone_conf *zone,
			 uint64_t now)
{
	size_t first;

	if (control->open)
		return true;
	if (control->count < RG_ZONE_CONTROL_LEAST)
		return false;
	control->codes = zone->codes;
	control->listed = control->not_listed = 0;
	first = rg_random_number() % control->count;
	for (size_t i = 0; i < RG_ZONE_CONTROL_ASKED && i < control->count; i++) {
		const struct member *member = &control->group[(first + i) % control->count];
		struct rg_addr addr = member->cached_until > now ? neighbour_of(&member->addr) :
								   member->addr;
		char name[RG_DNSBL_NAME_SIZE];

		if (!rg_dnsbl_name(&addr, zone->suffix, name) &&
		    !rg_dns_query(control->dns, &control->queries[i].query, zone->slot, RG_DNS_TEST,
				  name, on_answer, &control->queries[i]))
			control->open++;
		explicit_bzero(name, sizeof(name)); /* the name may hold a key */
	}
	return control->open > 0;
}
