/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slot a zone gets, through reloads, restarts and other maps. The map is an array of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "store/zone_names.h"

#include <bpf/bpf.h>
#include <cmocka.h>

#define OURS 5
#define OTHER 6

static struct rg_zone_name maps[2][RG_MAX_ZONES];
static int update_error;

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	memcpy(value, &maps[fd - OURS][*(const uint32_t *)key], sizeof(struct rg_zone_name));
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	assert_int_equal(flags, BPF_ANY);
	if (update_error) {
		errno = update_error;
		return -1;
	}
	memcpy(&maps[fd - OURS][*(const uint32_t *)key], value, sizeof(struct rg_zone_name));
	return 0;
}

static uint64_t freed; /* a bit for each slot */
static bool frees; /* what refers to a zone is removed at once; else it takes a while */

static void on_freed(void *arg, uint32_t slot)
{
	struct rg_zone_names *names = arg;

	/* What refers to the zone is removed while it still has its name. */
	assert_true(*rg_zone_names_alias(names, slot) != '\0');
	freed |= 1ULL << slot;
	if (frees)
		rg_zone_names_free(names, slot);
}

/* "rbl:s qil:q wl:a": aliases and kinds. */
static struct rg_conf make_conf(const char *zones)
{
	struct rg_conf conf = {};
	char copy[256], *zone, *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", zones);
	for (zone = strtok_r(copy, " ", &rest); zone; zone = strtok_r(NULL, " ", &rest)) {
		struct rg_zone_conf *to = &conf.zones[conf.zone_count++];
		char *kind = strchr(zone, ':');

		*kind = '\0';
		snprintf(to->alias, sizeof(to->alias), "%s", zone);
		to->peer_class = kind[1] == 's' ? RG_CLASS_STANDARD :
				 kind[1] == 'q' ? RG_CLASS_QIL :
						  RG_CLASS_APPROVED;
		to->slot = 77;
	}
	return conf;
}

static int assign(struct rg_zone_names *names, struct rg_conf *conf)
{
	freed = 0;
	return rg_zone_names_assign(names, conf, on_freed, names);
}

static int set_up(void **state)
{
	(void)state;
	memset(maps, 0, sizeof(maps));
	update_error = 0;
	frees = true;
	return 0;
}

static void test_slots(void **state)
{
	static const struct {
		const char *zones;
		int ret;
		uint64_t freed;
		uint32_t slots[3];
	} reloads[] = {
		{ "rbl:s qil:q", 1, 0, { 0, 1 } },
		{ "rbl:s qil:q", 0, 0, { 0, 1 } },
		{ "qil:q rbl:s", 0, 0, { 1, 0 } }, /* the order does not matter */
		{ "wl:a qil:q rbl:s", 1, 0, { 2, 1, 0 } },
		{ "qil:q wl:a", 0, 1 << 0, { 1, 2 } },
		{ "qil:q wl:a new:s", 1, 0, { 1, 2, 0 } }, /* a free slot is used again */
		{ "qil:s wl:a new:s", 1, 1 << 1, { 1, 2, 0 } }, /* another kind is another zone */
		{ "", 0, 1 << 0 | 1 << 1 | 1 << 2, {} },
	};
	struct rg_zone_names names;

	(void)state;
	rg_zone_names_open(&names, OURS);
	for (size_t i = 0; i < ARRAY_SIZE(reloads); i++) {
		struct rg_conf conf = make_conf(reloads[i].zones);

		if (assign(&names, &conf) != reloads[i].ret || freed != reloads[i].freed)
			fail_msg("%s: freed %llx", reloads[i].zones, (unsigned long long)freed);
		for (unsigned int j = 0; j < conf.zone_count; j++) {
			assert_int_equal(conf.zones[j].slot, reloads[i].slots[j]);
			assert_string_equal(rg_zone_names_alias(&names, conf.zones[j].slot),
					    conf.zones[j].alias);
		}
		assert_memory_equal(names.slots, maps[0], sizeof(maps[0]));
		/* Another agent with this map would do the same. */
		rg_zone_names_open(&names, OURS);
	}
}

static void test_all_slots(void **state)
{
	struct rg_conf conf = { .zone_count = RG_MAX_ZONES };
	struct rg_zone_names names;
	uint64_t used = 0;

	(void)state;
	for (unsigned int i = 0; i < RG_MAX_ZONES; i++) {
		snprintf(conf.zones[i].alias, sizeof(conf.zones[i].alias), "zone%u", i);
		conf.zones[i].peer_class = RG_CLASS_STANDARD;
	}
	rg_zone_names_open(&names, OURS);
	assert_int_equal(assign(&names, &conf), 1);
	for (unsigned int i = 0; i < RG_MAX_ZONES; i++)
		used |= 1ULL << conf.zones[i].slot;
	assert_int_equal(used, (1ULL << RG_MAX_ZONES) - 1);
	assert_string_equal(rg_zone_names_alias(&names, RG_MAX_ZONES), "");
	assert_string_equal(rg_zone_names_alias(&names, RG_NO_ZONE), "");
}

/* While verdicts still refer to a slot no other zone gets it. */
static void test_leaving(void **state)
{
	struct rg_conf first = make_conf("rbl:s qil:q"), other = make_conf("qil:q new:s"),
		       back = make_conf("qil:q rbl:s");
	struct rg_zone_names names;

	(void)state;
	frees = false;
	rg_zone_names_open(&names, OURS);
	assert_int_equal(assign(&names, &first), 1);
	assert_int_equal(assign(&names, &other), 1);
	assert_int_equal(freed, 1);
	assert_int_equal(other.zones[1].slot, 2);
	assert_string_equal(rg_zone_names_alias(&names, 0), "rbl");
	assert_int_equal(assign(&names, &other), 0);
	assert_int_equal(freed, 0); /* a free slot is reported once */

	/* Another agent takes over: the slot is reported again. */
	rg_zone_names_open(&names, OURS);
	assert_int_equal(assign(&names, &other), 0);
	assert_int_equal(freed, 1);

	/* The zone comes back: it is new, and its slot is not freed. */
	assert_int_equal(assign(&names, &back), 1);
	assert_int_equal(back.zones[1].slot, 0);
	rg_zone_names_free(&names, 0);
	assert_string_equal(rg_zone_names_alias(&names, 0), "rbl");
	rg_zone_names_free(&names, 2);
	assert_string_equal(rg_zone_names_alias(&names, 2), "");
}

static void test_copy(void **state)
{
	struct rg_conf conf = make_conf("rbl:s qil:q");
	struct rg_zone_names names;

	(void)state;
	rg_zone_names_open(&names, OTHER);
	assert_int_equal(assign(&names, &conf), 1);
	rg_zone_names_open(&names, OURS);
	assert_string_equal(rg_zone_names_alias(&names, 0), "");
	rg_zone_names_copy(&names, OTHER);
	assert_memory_equal(maps[0], maps[1], sizeof(maps[0]));
	assert_string_equal(rg_zone_names_alias(&names, 1), "qil");
	assert_int_equal(assign(&names, &conf), 0);
}

static void test_not_written(void **state)
{
	struct rg_conf conf = make_conf("rbl:s qil:q");
	struct rg_zone_names names;

	(void)state;
	rg_zone_names_open(&names, OURS);
	update_error = ENOMEM;
	assert_int_equal(assign(&names, &conf), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_slots, set_up),
		cmocka_unit_test_setup(test_all_slots, set_up),
		cmocka_unit_test_setup(test_leaving, set_up),
		cmocka_unit_test_setup(test_copy, set_up),
		cmocka_unit_test_setup(test_not_written, set_up),
	};

	return cmocka_run_group_tests_name("zone_names", tests, NULL, NULL);
}
