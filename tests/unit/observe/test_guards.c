/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which guards are open, since when, why, and what they counted; with a fake agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakes/modules.c" /* NOLINT: one set of fakes for several tests */

#include "observe/guards.h"

#define SECOND 1000000000ULL
#define OWN(NAME) (RG_LOSS_MAX + RG_OWN_##NAME)

/* The losses that open each guard. */
static const struct {
	unsigned int loss;
	enum rg_guard guard;
} rows[] = {
	{ RG_LOSS_FLOOD_FIRST, RG_GUARD_ADMISSION },
	{ RG_LOSS_FLOOD_RETRY, RG_GUARD_ADMISSION },
	{ RG_LOSS_FLOOD_NETWORK, RG_GUARD_ADMISSION_NETWORK },
	{ RG_LOSS_FLOOD_DROP, RG_GUARD_ADMISSION_PASS },
	{ OWN(OVERLOAD), RG_GUARD_MAX_INQUIRIES },
	{ OWN(NO_MEMORY), RG_GUARD_MEMORY },
	{ OWN(STARVED), RG_GUARD_RESOLVER },
	{ RG_LOSS_RING_FULL, RG_GUARD_RING },
	{ RG_LOSS_AGENT_SILENT, RG_GUARD_AGENT_SILENT },
	{ RG_LOSS_HOLD_FLOWS, RG_GUARD_HELD_SYNS },
	{ OWN(HELD_LOST), RG_GUARD_HELD_SYNS },
	{ OWN(VERDICTS_EVICTED), RG_GUARD_VERDICTS },
	{ OWN(PREFIX_SURPLUS), RG_GUARD_PREFIX_SURPLUS },
	{ OWN(SESSION_LIMIT), RG_GUARD_SESSIONS },
	{ OWN(SESSION_LIMIT_PER_PEER), RG_GUARD_SESSIONS_PER_PEER },
	{ OWN(ACCEPT_FAILED), RG_GUARD_DESCRIPTORS },
	{ RG_LOSS_SAMPLE_LIMIT, RG_GUARD_LOG },
	{ RG_LOSS_RING_FULL_SAMPLE, RG_GUARD_LOG },
	{ OWN(SESSION_LOG_LIMIT), RG_GUARD_LOG },
	{ OWN(CONTROL_LIMIT), RG_GUARD_CONTROL },
	{ OWN(CONTROL_UNREAD), RG_GUARD_CONTROL },
	{ OWN(METRICS_LIMIT), RG_GUARD_METRICS },
};

static struct rg_guards *new_guards(void)
{
	struct rg_guards *guards;

	assert_int_equal(rg_guards_new(&guards), 0);
	return guards;
}

/* The description of a guard that is there; zone may be NULL. A borrowed reference of all. */
static const json_t *find(const json_t *all, const char *name, const char *zone)
{
	const json_t *guard;
	size_t i;

	json_array_foreach(all, i, guard) {
		const char *of = json_string_value(json_object_get(guard, "zone"));

		if (!strcmp(json_string_value(json_object_get(guard, "guard")), name) &&
		    (!zone || (of && !strcmp(of, zone))))
			return guard;
	}
	return NULL;
}

static bool is_open(const json_t *guard)
{
	return json_is_true(json_object_get(guard, "open"));
}

static json_int_t count_of(const json_t *guard)
{
	return json_integer_value(json_object_get(guard, "count"));
}

static void test_each_loss(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_guards *guards = new_guards();
		uint64_t losses[RG_LOSS_COUNTS] = { [0] = 5 };
		const json_t *guard;
		json_t *all;

		losses[rows[i].loss] += 100; /* of an earlier agent */
		rg_guards_count(guards, losses, 1 * SECOND);
		all = rg_guards_describe(guards);
		assert_int_equal(json_array_size(all), 0);
		json_decref(all);
		losses[rows[i].loss] += 7;
		rg_guards_count(guards, losses, 2 * SECOND);
		all = rg_guards_describe(guards);
		assert_int_equal(json_array_size(all), 1);
		guard = find(all, rg_guards_name(rows[i].guard), NULL);
		assert_non_null(guard);
		assert_true(is_open(guard));
		assert_true(rg_guards_is_open(guards, rows[i].guard));
		assert_int_equal(count_of(guard), 7);
		assert_true(json_is_null(json_object_get(guard, "until")));
		assert_true(strlen(json_string_value(json_object_get(guard, "reason"))) > 20);
		json_decref(all);
		rg_guards_free(guards);
	}
	for (enum rg_guard guard = 0; guard < RG_GUARD_MAX; guard++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			found |= rows[i].guard == guard;
		assert_true(found);
	}
}

/* Open while the counter grows and a minute after that; then it is listed with its end. */
static void test_times(void **state)
{
	struct rg_guards *guards = new_guards();
	uint64_t losses[RG_LOSS_COUNTS] = {};
	const json_t *guard;
	json_t *all;

	(void)state;
	rg_guards_count(guards, losses, 100 * SECOND);
	for (unsigned int second = 101; second <= 110; second++) {
		losses[RG_LOSS_FLOOD_FIRST] += 3;
		rg_guards_count(guards, losses, second * SECOND);
	}
	rg_guards_count(guards, losses, 169 * SECOND);
	assert_true(rg_guards_is_open(guards, RG_GUARD_ADMISSION));
	rg_guards_count(guards, losses, 170 * SECOND);
	assert_false(rg_guards_is_open(guards, RG_GUARD_ADMISSION));
	all = rg_guards_describe(guards);
	guard = find(all, "admission", NULL);
	assert_non_null(guard);
	assert_false(is_open(guard));
	assert_int_equal(count_of(guard), 30);
	assert_float_equal(json_number_value(json_object_get(guard, "since")),
			   rg_wall_time(101 * SECOND), 1);
	assert_float_equal(json_number_value(json_object_get(guard, "until")),
			   rg_wall_time(110 * SECOND), 1);
	json_decref(all);
	losses[RG_LOSS_FLOOD_FIRST]++;
	rg_guards_count(guards, losses, 500 * SECOND);
	all = rg_guards_describe(guards);
	guard = find(all, "admission", NULL);
	assert_true(is_open(guard));
	assert_int_equal(count_of(guard), 1);
	assert_float_equal(json_number_value(json_object_get(guard, "since")),
			   rg_wall_time(500 * SECOND), 1);
	json_decref(all);
	rg_guards_free(guards);
}

static void follow(void *arg, const struct rg_recent_event *event)
{
	(void)arg;
	(void)event;
}

/* The fake's zones are open. The responder counts only if a class uses it. */
static void test_states(void **state)
{
	struct rg_guards *guards = new_guards();
	const json_t *guard;
	json_t *all;

	(void)state;
	fake_modules_new(follow, NULL);
	modules.steering.state = RG_STEERING_BYPASSED;
	rg_guards_tick(guards, &modules, false, 10 * SECOND);
	all = rg_guards_describe(guards);
	assert_null(find(all, "responder", NULL));
	guard = find(all, "zone", "one");
	assert_non_null(guard);
	assert_true(is_open(guard));
	assert_string_equal(json_string_value(json_object_get(guard, "reason")), "open: why");
	assert_true(json_is_null(json_object_get(guard, "count")));
	assert_non_null(find(all, "zone", "two"));
	json_decref(all);
	rg_guards_tick(guards, &modules, true, 11 * SECOND);
	modules.steering.state = RG_STEERING_READY;
	all = rg_guards_describe(guards);
	guard = find(all, "responder", NULL);
	assert_true(is_open(guard));
	assert_string_equal(json_string_value(json_object_get(guard, "reason")),
			    rg_steering_advice(RG_STEERING_BYPASSED));
	json_decref(all);
	rg_guards_tick(guards, &modules, true, 12 * SECOND);
	all = rg_guards_describe(guards);
	guard = find(all, "responder", NULL);
	assert_false(is_open(guard));
	assert_true(json_is_number(json_object_get(guard, "until")));
	json_decref(all);
	fake_modules_free();
	rg_guards_free(guards);
}

static void test_none(void **state)
{
	json_t *all = rg_guards_describe(NULL);

	(void)state;
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	assert_false(rg_guards_is_open(NULL, RG_GUARD_ADMISSION));
	assert_string_equal(rg_guards_name(RG_GUARD_MAX), "?");
	rg_guards_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_loss),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
