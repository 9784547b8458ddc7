/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/guards.h"

#include "observe/modules.h"

#define QUIET_TIME (RG_GUARDS_QUIET * 1000000000ULL) /* ns */

/* Times are ns of CLOCK_BOOTTIME. since == 0: the guard was never open. */
struct state {
	bool open;
	uint64_t since;
	uint64_t last; /* when it was found open for the last time */
	uint64_t count; /* what it turned away since `since` */
};

struct zone_guard {
	struct state state;
	char alias[RG_ALIAS_SIZE], why[sizeof(((struct rg_zone_health *)0)->why) + 16];
	enum rg_zone_health_state health;
};

struct rg_guards {
	bool begun; /* `counts` is set */
	uint64_t counts[RG_GUARD_MAX];
	struct state states[RG_GUARD_MAX], responder;
	const char *responder_reason;
	struct zone_guard zones[RG_MAX_ZONES]; /* by slot */
};

/* Losses of one guard end with NONE. */
#define NONE RG_LOSS_COUNTS
#define OWN(NAME) (RG_LOSS_MAX + RG_OWN_##NAME)
#define MAX_LOSSES 4

static const struct {
	const char *name, *reason;
} guard_texts[RG_GUARD_MAX] = {
#define TEXTS(NAME, name, reason) [RG_GUARD_##NAME] = { #name, reason },
	RG_GUARDS(TEXTS)
#undef TEXTS
};

static const unsigned int guard_losses[RG_GUARD_MAX][MAX_LOSSES] = {
	[RG_GUARD_ADMISSION] = { RG_LOSS_FLOOD_FIRST, RG_LOSS_FLOOD_RETRY, NONE },
	[RG_GUARD_ADMISSION_NETWORK] = { RG_LOSS_FLOOD_NETWORK, NONE },
	[RG_GUARD_ADMISSION_PASS] = { RG_LOSS_FLOOD_DROP, NONE },
	[RG_GUARD_MAX_INQUIRIES] = { OWN(OVERLOAD), NONE },
	[RG_GUARD_MEMORY] = { OWN(NO_MEMORY), NONE },
	[RG_GUARD_RESOLVER] = { OWN(STARVED), NONE },
	[RG_GUARD_RING] = { RG_LOSS_RING_FULL, NONE },
	[RG_GUARD_AGENT_SILENT] = { RG_LOSS_AGENT_SILENT, NONE },
	[RG_GUARD_HELD_SYNS] = { RG_LOSS_HOLD_FLOWS, OWN(HELD_LOST), NONE },
	[RG_GUARD_VERDICTS] = { OWN(VERDICTS_EVICTED), NONE },
	[RG_GUARD_PREFIX_SURPLUS] = { OWN(PREFIX_SURPLUS), NONE },
	[RG_GUARD_SESSIONS] = { OWN(SESSION_LIMIT), NONE },
	[RG_GUARD_SESSIONS_PER_PEER] = { OWN(SESSION_LIMIT_PER_PEER), NONE },
	[RG_GUARD_DESCRIPTORS] = { OWN(ACCEPT_FAILED), NONE },
	[RG_GUARD_LOG] = { RG_LOSS_SAMPLE_LIMIT, RG_LOSS_RING_FULL_SAMPLE, OWN(SESSION_LOG_LIMIT),
			   NONE },
	[RG_GUARD_CONTROL] = { OWN(CONTROL_LIMIT), OWN(CONTROL_UNREAD), NONE },
	[RG_GUARD_METRICS] = { OWN(METRICS_LIMIT), NONE },
};

int rg_guards_new(struct rg_guards **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void rg_guards_free(struct rg_guards *guards)
{
	free(guards);
}

static void open_guard(struct state *state, uint64_t since, uint64_t now)
{
	if (!state->open)
		*state = (struct state){ .open = true, .since = since };
	state->last = now;
}

static uint64_t sum_losses(const uint64_t losses[RG_LOSS_COUNTS], enum rg_guard guard)
{
	const unsigned int *loss = guard_losses[guard];
	uint64_t sum = 0;

	for (; *loss != NONE; loss++)
		sum += losses[*loss];
	return sum;
}

void rg_guards_count(struct rg_guards *guards, const uint64_t losses[RG_LOSS_COUNTS], uint64_t now)
{
	for (enum rg_guard guard = 0; guard < RG_GUARD_MAX; guard++) {
		struct state *state = &guards->states[guard];
		uint64_t count = sum_losses(losses, guard), before = guards->counts[guard];

		guards->counts[guard] = count;
		if (guards->begun && count > before) {
			open_guard(state, now, now);
			state->count += count - before;
		} else if (state->open && now - state->last >= QUIET_TIME) {
			state->open = false;
		}
	}
	guards->begun = true;
}

static void set_state(struct state *state, bool is_open, uint64_t since, uint64_t now)
{
	if (is_open)
		open_guard(state, since, now);
	else
		state->open = false;
}

static bool limits(enum rg_zone_health_state state)
{
	return state == RG_ZONE_HEALTH_OPEN || state == RG_ZONE_HEALTH_DISABLED ||
	       state == RG_ZONE_HEALTH_MONITOR;
}

static void read_zones(struct rg_guards *guards, const struct rg_modules *modules, uint64_t now)
{
	const struct rg_conf *conf = modules->conf;
	bool present[RG_MAX_ZONES] = {};

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		const struct rg_zone_conf *zone = &conf->zones[i];
		const struct rg_zone_health *health;
		struct zone_guard *guard;
		const char *family;

		if (zone->slot >= RG_MAX_ZONES)
			continue;
		health = rg_zone_test_worst(modules->zone_test, zone, &family);
		guard = &guards->zones[zone->slot];
		present[zone->slot] = true;
		if (strcmp(guard->alias, zone->alias) != 0) {
			*guard = (struct zone_guard){};
			snprintf(guard->alias, sizeof(guard->alias), "%s", zone->alias);
		}
		/* A zone that goes from open to disabled is another case, with another reason. */
		if (guard->state.open && guard->health != health->state)
			guard->state.open = false;
		set_state(&guard->state, limits(health->state), health->since, now);
		if (guard->state.open) {
			guard->health = health->state;
			snprintf(guard->why, sizeof(guard->why), *family ? "%s (%s)" : "%s",
				 health->why, family);
		}
	}
	for (unsigned int slot = 0; slot < RG_MAX_ZONES; slot++)
		if (!present[slot])
			guards->zones[slot].state.open = false;
}

void rg_guards_tick(struct rg_guards *guards, const struct rg_modules *modules, bool uses_responder,
		    uint64_t now)
{
	const struct rg_steering *steering = &modules->steering;
	bool is_off = uses_responder && !rg_steering_works(steering);
	uint64_t losses[RG_LOSS_COUNTS];

	if (!rg_losses_read(modules, losses))
		rg_guards_count(guards, losses, now);
	set_state(&guards->responder, is_off, now, now);
	if (is_off)
		guards->responder_reason = rg_steering_advice(steering->state);
	read_zones(guards, modules, now);
}

/* count: NULL: the guard has no counter. */
static void append(json_t *all, const char *name, const char *zone, const struct state *state,
		   const uint64_t *count, json_t *reason)
{
	if (!state->since) {
		json_decref(reason);
		return;
	}
	json_array_append_new(
		all, json_pack("{s:s, s:s?, s:b, s:f, s:o, s:o, s:o}", "guard", name, "zone", zone,
			       "open", state->open, "since", rg_wall_time(state->since), "until",
			       state->open ? json_null() : json_real(rg_wall_time(state->last)),
			       "count", count ? json_integer((json_int_t)*count) : json_null(),
			       "reason", reason));
}

json_t *rg_guards_describe(const struct rg_guards *guards)
{
	json_t *all = json_array();

	for (enum rg_guard guard = 0; guards && guard < RG_GUARD_MAX; guard++)
		append(all, guard_texts[guard].name, NULL, &guards->states[guard],
		       &guards->states[guard].count, json_string(guard_texts[guard].reason));
	if (guards && guards->responder.since)
		append(all, "responder", NULL, &guards->responder, NULL,
		       json_string(guards->responder_reason));
	for (unsigned int slot = 0; guards && slot < RG_MAX_ZONES; slot++) {
		const struct zone_guard *zone = &guards->zones[slot];

		append(all, "zone", zone->alias, &zone->state, NULL,
		       json_sprintf("%s: %s", rg_zone_health_name(zone->health), zone->why));
	}
	return all;
}

bool rg_guards_is_open(const struct rg_guards *guards, enum rg_guard guard)
{
	return guards && guard < RG_GUARD_MAX && guards->states[guard].open;
}

const char *rg_guards_name(enum rg_guard guard)
{
	return guard < RG_GUARD_MAX ? guard_texts[guard].name : "?";
}
