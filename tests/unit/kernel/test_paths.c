/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a path past the filter is noticed, and when it is over; the advice for each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/paths.h"

#include <cmocka.h>

#define SECOND RG_NSEC_PER_SEC
#define START (1000 * SECOND)

enum { FINE = false, OPEN = true, CALM = false, FLOOD = true };

struct look {
	unsigned int second;
	uint64_t lookups, unseen;
	bool is_open;
	bool is_flood;
};

static void run(const char *what, bool is_filtered, const struct look *looks, size_t count)
{
	struct rg_path_watch watch = { .info.is_filtered = is_filtered };

	for (size_t i = 0; i < count; i++) {
		const struct rg_path path = { .lookups = looks[i].lookups, .unseen = looks[i].unseen };
		uint64_t now = START + looks[i].second * SECOND;
		bool was_open = watch.info.since,
		     changed = rg_path_watch_update(&watch, &path, looks[i].is_flood, now);

		if (!!watch.info.since != looks[i].is_open ||
		    changed != (was_open != looks[i].is_open))
			fail_msg("%s: at %u s", what, looks[i].second);
		assert_int_equal(watch.info.lookups, looks[i].lookups);
		assert_int_equal(watch.info.unseen, looks[i].unseen);
	}
}

#define RUN(what, is_filtered, ...)                                 \
	do {                                                        \
		static const struct look looks[] = { __VA_ARGS__ }; \
		run(what, is_filtered, looks, ARRAY_SIZE(looks));   \
	} while (0)

static void test_paths(void **state)
{
	(void)state;
	RUN("all seen", true, { 0, 0, 0, FINE, CALM }, { 1, 100, 0, FINE, CALM },
	    { 100, 900, 0, FINE, CALM });
	RUN("counts of an earlier agent", true, { 0, 900, 900, FINE, CALM },
	    { 1, 901, 900, FINE, CALM });
	RUN("two late segments", true, { 0, 0, 0, FINE, CALM }, { 1, 2, 2, FINE, CALM },
	    { 50, 2, 2, FINE, CALM });
	RUN("three that the filter has not seen", true, { 0, 0, 0, FINE, CALM },
	    { 1, 2, 2, FINE, CALM }, { 2, 3, 3, OPEN, CALM });
	RUN("three, over two minutes", true, { 0, 0, 0, FINE, CALM }, { 1, 1, 1, FINE, CALM },
	    { 61, 2, 2, FINE, CALM }, { 125, 3, 3, FINE, CALM });
	RUN("few among many", true, { 0, 0, 0, FINE, CALM }, { 1, 1000, 30, FINE, CALM },
	    { 2, 2000, 60, FINE, CALM });
	RUN("a tenth", true, { 0, 0, 0, FINE, CALM }, { 1, 1000, 99, FINE, CALM },
	    { 2, 1000, 100, OPEN, CALM });
	RUN("a flood is counted by samples", true, { 0, 0, 0, FINE, CALM },
	    { 1, 9000, 9000, FINE, FLOOD }, { 2, 9100, 9000, FINE, CALM });
	RUN("one on an interface without the filter", false, { 0, 0, 0, FINE, CALM },
	    { 1, 1, 1, OPEN, CALM });
	RUN("the same in a flood elsewhere", false, { 0, 0, 0, FINE, CALM },
	    { 1, 1, 1, OPEN, FLOOD });
	RUN("a VLAN above a filtered interface", false, { 0, 0, 0, FINE, CALM },
	    { 1, 10, 0, FINE, CALM }, { 2, 40, 2, FINE, CALM });
	RUN("it ends", false, { 0, 0, 0, FINE, CALM }, { 1, 1, 1, OPEN, CALM },
	    { 300, 1, 1, OPEN, CALM }, { 301, 2, 2, OPEN, CALM }, { 900, 2, 2, OPEN, CALM },
	    { 901, 2, 2, FINE, CALM }, { 902, 3, 3, OPEN, CALM });
}

static void test_new_interface(void **state)
{
	struct rg_path_watch watch = { .has_counts = true }; /* its entry in the map was made with zeros */

	(void)state;
	assert_true(rg_path_watch_update(&watch, &(struct rg_path){ 1, 1 }, false, START));
	assert_int_equal(watch.info.since, START);
}

static void test_advice(void **state)
{
	const struct rg_path_info filtered = { .is_filtered = true }, other = {};

	(void)state;
	assert_non_null(strstr(rg_paths_advice(&filtered), "ports"));
	assert_non_null(strstr(rg_paths_advice(&other), "interfaces"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_new_interface),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
