/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer of the verdicts, with maps of the kernel and a loader that is pretended: what each verdict
 * says must be its own, however many there were before, and go with it through renewal, eviction,
 * another agent and other maps. Without the index and with it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <sys/mman.h>

#include "maps/layout.h"
#include "base/addr.h"
#include "kernel/inner_maps.h"
#include "store/neighbours.h"
#include "store/verdicts.h"

#define SIZE 64 /* verdicts */
#define HOSTS (3 * SIZE)
#define HOUR 3600 /* s */
#define SKIPPED 77
#define ZONE 3

/* ---- the loader ---- */

struct rg_loader {
	struct rg_maps maps, old;
	bool took_over, has_old;
};

const struct rg_maps *rg_loader_maps(const struct rg_loader *loader)
{
	return &loader->maps;
}

bool rg_loader_took_over(const struct rg_loader *loader)
{
	return loader->took_over;
}

const struct rg_maps *rg_loader_old_maps(const struct rg_loader *loader)
{
	return loader->has_old ? &loader->old : NULL;
}

static int new_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t count,
		   uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, "test", key, value, count, &opts);

	return fd < 0 ? -errno : fd;
}

static unsigned int maps_refused; /* so many of the next ones: there is no memory */

int rg_inner_maps_new_index(const struct rg_loader *loader, uint32_t lines)
{
	(void)loader;
	if (maps_refused) {
		maps_refused--;
		return -ENOMEM;
	}
	return new_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct rg_index_line), lines,
		       BPF_F_MMAPABLE);
}

uint32_t rg_inner_maps_index_bank(const struct rg_loader *loader, enum rg_index_part part)
{
	return rg_index_next_bank(loader->maps.settings->index, part);
}

/* There are no packets, so it has no map to go to. */
int rg_inner_maps_set_index(struct rg_loader *loader, enum rg_index_part part, int fd, uint32_t force)
{
	__u32 *in_force = &loader->maps.settings->index;

	assert_true((fd >= 0) == (force != 0));
	*in_force = (*in_force & ~(0xffU << 8 * part)) | force;
	return 0;
}

int rg_inner_maps_new_list(const struct rg_loader *loader)
{
	(void)loader;
	return -ENOTSUP;
}

int rg_inner_maps_current_list(const struct rg_loader *loader)
{
	(void)loader;
	return -ENOTSUP;
}

int rg_inner_maps_pin_list(const struct rg_loader *loader, int fd)
{
	(void)loader;
	(void)fd;
	return -ENOTSUP;
}

static void *map_memory(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static struct rg_maps make_maps(uint32_t size)
{
	struct rg_maps maps = {
		.verdicts = new_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct rg_prefix),
				    sizeof(struct rg_verdict), size, BPF_F_NO_PREALLOC),
		.verdict_details = new_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t),
					   sizeof(struct rg_verdict_details), size, BPF_F_MMAPABLE),
		.peers = new_map(BPF_MAP_TYPE_HASH, sizeof(struct rg_addr), sizeof(struct rg_peer),
				 HOSTS, 0),
		.zones = new_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct rg_zone_name),
				 RG_MAX_ZONES, 0),
		.details_count = size,
	};

	assert_true(maps.verdicts >= 0 && maps.verdict_details >= 0 && maps.peers >= 0 &&
		    maps.zones >= 0);
	maps.details = map_memory(maps.verdict_details, size * sizeof(*maps.details));
	maps.presence = map_memory(-1, sizeof(*maps.presence));
	maps.filters = map_memory(-1, sizeof(*maps.filters));
	maps.settings = map_memory(-1, sizeof(*maps.settings));
	return maps;
}

static void drop_maps(struct rg_maps *maps)
{
	close(maps->verdicts);
	close(maps->verdict_details);
	close(maps->peers);
	close(maps->zones);
	munmap(maps->details, maps->details_count * sizeof(*maps->details));
	munmap(maps->presence, sizeof(*maps->presence));
	munmap(maps->filters, sizeof(*maps->filters));
	munmap(maps->settings, sizeof(*maps->settings));
}

/* ---- an agent ---- */

struct fixture {
	struct rg_loader loader;
	struct rg_conf conf;
	struct rg_jobs *jobs;
	struct rg_verdicts *verdicts;
};

/* Nothing is taken over yet. */
static void agent_starts(struct fixture *fixture)
{
	assert_int_equal(rg_jobs_new(&fixture->jobs, NULL, NULL, NULL), 0);
	assert_int_equal(rg_verdicts_new(&fixture->verdicts, &fixture->loader, &fixture->conf,
					 fixture->jobs, NULL),
			 0);
}

static void agent_begins(struct fixture *fixture)
{
	agent_starts(fixture);
	rg_jobs_finish(fixture->jobs);
}

static void agent_ends(struct fixture *fixture)
{
	rg_jobs_free(fixture->jobs);
	rg_verdicts_free(fixture->verdicts);
}

static void add_count(void *arg, size_t count, bool complete)
{
	assert_true(complete);
	*(size_t *)arg += count;
}

static void add_zone_count(void *arg, uint32_t slot, size_t count)
{
	(void)slot;
	*(size_t *)arg += count;
}

/* The walks that are in slices in the agent, here in one go. */
static size_t flush(const struct fixture *fixture, const struct rg_prefix *prefix, uint32_t slot)
{
	size_t count = 0;

	assert_int_equal(rg_verdicts_flush(fixture->verdicts, prefix, slot, add_count, &count), 0);
	rg_jobs_finish(fixture->jobs);
	return count;
}

static size_t flush_family(const struct fixture *fixture, uint32_t slot, enum rg_family family,
			   uint64_t since)
{
	size_t count = 0;

	rg_verdicts_flush_zone(fixture->verdicts, slot, family, since, add_zone_count, &count);
	rg_jobs_finish(fixture->jobs);
	return count;
}

static void sweep(const struct fixture *fixture, uint64_t now)
{
	rg_verdicts_sweep(fixture->verdicts, now);
	rg_jobs_finish(fixture->jobs);
}

static void apply(const struct fixture *fixture, struct rg_conf *conf)
{
	struct rg_conf *const in_force = conf;

	rg_verdicts_apply(fixture->verdicts, &in_force);
	rg_jobs_finish(fixture->jobs);
}

static int name_zones(const struct fixture *fixture, struct rg_conf *conf)
{
	int ret = rg_verdicts_name_zones(fixture->verdicts, conf);

	rg_jobs_finish(fixture->jobs);
	return ret;
}

static struct fixture new_fixture(bool index)
{
	struct fixture fixture = {
		.loader = { .maps = make_maps(SIZE) },
		.conf = { .index = index, .max_peers = HOSTS, .ipv6_prefix = 64 },
	};

	return fixture;
}

/* The next agent has these maps. */
static void agent_restarts(struct fixture *fixture)
{
	agent_ends(fixture);
	fixture->loader.took_over = true;
	agent_begins(fixture);
}

/* The next agent has new maps of another size. */
static void agent_moves(struct fixture *fixture, uint32_t size)
{
	agent_ends(fixture);
	fixture->loader.old = fixture->loader.maps;
	fixture->loader.maps = make_maps(size);
	fixture->loader.took_over = false;
	fixture->loader.has_old = true;
	agent_begins(fixture);
	drop_maps(&fixture->loader.old);
	fixture->loader.has_old = false;
}

static void end_fixture(struct fixture *fixture)
{
	agent_ends(fixture);
	drop_maps(&fixture->loader.maps);
}

/* ---- peers, and what is known of them ---- */

/* IPv4 and IPv6 in turn; each IPv6 address in a /64 of its own. */
static struct rg_prefix host(uint32_t number)
{
	struct rg_addr four = { .bytes = { [10] = 255, [11] = 255, 198, 18, number >> 8, number } };
	struct rg_addr six = { .bytes = { 0x20, 1, 0xd, 0xb8, 0, 0, number >> 8, number } };

	return (struct rg_prefix){ .len = RG_ADDR_BITS, .addr = number % 2 ? six : four };
}

/* It tells whose it is. */
static uint32_t code_of(uint32_t number)
{
	return 0x7f010000 + number;
}

static void put(struct fixture *fixture, uint32_t number, uint32_t ttl, uint64_t now)
{
	const struct rg_prefix peer = host(number);
	const struct rg_outcome outcome = { .peer_class = RG_CLASS_STANDARD,
					    .action = RG_ACTION_DROP,
					    .reason = RG_REASON_ZONE,
					    .code = code_of(number),
					    .ttl = ttl };

	assert_int_equal(rg_verdicts_put(fixture->verdicts, &peer.addr, &outcome, ZONE, now), 0);
}

static int get(const struct fixture *fixture, uint32_t number, struct rg_full_verdict *ret)
{
	const struct rg_prefix peer = host(number);

	return rg_verdicts_find(fixture->verdicts, &peer.addr, rg_now(), NULL, ret);
}

static struct rg_full_verdict must_get(const struct fixture *fixture, uint32_t number)
{
	struct rg_full_verdict full;

	assert_int_equal(get(fixture, number, &full), 0);
	return full;
}

/* What XDP and bpftool read. */
static struct rg_verdict in_trie(const struct rg_maps *maps, uint32_t number)
{
	const struct rg_prefix key = host(number);
	struct rg_verdict value;

	assert_int_equal(bpf_map_lookup_elem(maps->verdicts, &key, &value), 0);
	return value;
}

static struct rg_verdict_details *details_of(const struct fixture *fixture, uint32_t number)
{
	return &fixture->loader.maps.details[in_trie(&fixture->loader.maps, number).details];
}

struct visited {
	const struct fixture *fixture;
	uint32_t count;
	bool taken[64 * SIZE]; /* the largest map of any test */
};

static int visit(void *arg, const struct rg_prefix *key, const struct rg_full_verdict *full)
{
	struct visited *visited = arg;
	uint32_t number = full->code - code_of(0), details;
	const struct rg_prefix want = host(number);

	assert_int_equal(rg_prefix_compare(key, &want), 0);
	details = in_trie(&visited->fixture->loader.maps, number).details;
	assert_true(details < visited->fixture->loader.maps.details_count && !visited->taken[details]);
	visited->taken[details] = true;
	visited->count++;
	return 0;
}

/* Each verdict has details of its own, and no others are taken. Returns how many there are. */
static uint32_t check_all(const struct fixture *fixture)
{
	struct rg_verdicts_count count = rg_verdicts_count(fixture->verdicts);
	struct visited visited = { .fixture = fixture };

	assert_int_equal(rg_verdicts_each(fixture->verdicts, visit, &visited), 0);
	assert_int_equal(count.entries, visited.count);
	assert_int_equal(count.details, visited.count);
	return visited.count;
}

static void list(struct fixture *fixture, const struct rg_addr *addr, enum rg_class peer_class,
		 uint32_t zone, uint32_t ttl, uint64_t now)
{
	const struct rg_outcome outcome = { .peer_class = peer_class,
					    .action = RG_ACTION_DROP,
					    .reason = RG_REASON_ZONE,
					    .code = 0x7f010001,
					    .ttl = ttl };

	assert_int_equal(rg_verdicts_put(fixture->verdicts, addr, &outcome, zone, now), 0);
}

/* ---- tests ---- */

static void check_renewal(bool index)
{
	struct fixture fixture = new_fixture(index);
	uint64_t now = rg_now(), second = now / RG_NSEC_PER_SEC;
	struct rg_full_verdict full;
	uint32_t details;

	agent_begins(&fixture);
	put(&fixture, 1, HOUR, now);
	full = must_get(&fixture, 1);
	assert_int_equal(full.since, second * RG_NSEC_PER_SEC);
	assert_int_equal(full.hits, 0);
	assert_int_equal(full.code, code_of(1));
	assert_int_equal(full.reason, RG_REASON_ZONE);
	details = in_trie(&fixture.loader.maps, 1).details;
	details_of(&fixture, 1)->hits += 7;

	put(&fixture, 1, 2 * HOUR, now + 5 * RG_NSEC_PER_SEC);
	full = must_get(&fixture, 1);
	assert_int_equal(full.since, second * RG_NSEC_PER_SEC);
	assert_int_equal(full.hits, 7);
	assert_int_equal(full.expiry, now + (5 + 2 * HOUR) * RG_NSEC_PER_SEC);
	assert_int_equal(in_trie(&fixture.loader.maps, 1).details, details);
	assert_int_equal(check_all(&fixture), 1);

	/* After its end it begins anew, but has been met as often. */
	put(&fixture, 1, HOUR, now + 3 * HOUR * RG_NSEC_PER_SEC);
	full = must_get(&fixture, 1);
	assert_int_equal(full.since, (second + 3 * HOUR) * RG_NSEC_PER_SEC);
	assert_int_equal(full.hits, 7);
	assert_int_equal(check_all(&fixture), 1);
	end_fixture(&fixture);
}

static void test_renewal(void **state)
{
	(void)state;
	check_renewal(false);
	check_renewal(true);
}

/* What a removed verdict leaves behind is none of the next one's. */
static void test_begins_at_nothing(void **state)
{
	struct fixture fixture = new_fixture(true);
	const struct rg_outcome country = { .peer_class = RG_CLASS_BLOCKED,
					    .action = RG_ACTION_RESET,
					    .reason = RG_REASON_COUNTRY,
					    .ttl = HOUR };
	const struct rg_prefix peer = host(2);
	struct rg_full_verdict full;

	(void)state;
	agent_begins(&fixture);
	put(&fixture, 1, HOUR, rg_now());
	details_of(&fixture, 1)->hits = 1234;
	assert_int_equal(flush(&fixture, NULL, RG_NO_ZONE), 1);
	assert_int_equal(check_all(&fixture), 0);
	assert_int_equal(
		rg_verdicts_put(fixture.verdicts, &peer.addr, &country, RG_NO_ZONE, rg_now()), 0);
	full = must_get(&fixture, 2);
	assert_int_equal(full.hits, 0);
	assert_int_equal(full.code, 0);
	assert_int_equal(full.zone, RG_NO_ZONE);
	assert_int_equal(full.reason, RG_REASON_COUNTRY);
	assert_int_equal(full.action, RG_ACTION_RESET);
	end_fixture(&fixture);
}

/* Full, over, and full again; then the trie of other peers. */
static void check_given_back(bool index)
{
	struct fixture fixture = new_fixture(index);
	uint64_t now = rg_now();

	agent_begins(&fixture);
	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < SIZE; i++)
			put(&fixture, round * 10 + i, HOUR, now);
		assert_int_equal(check_all(&fixture), SIZE);
		sweep(&fixture, now + 2 * HOUR * RG_NSEC_PER_SEC);
		assert_int_equal(check_all(&fixture), 0);
	}
	assert_int_equal(rg_verdicts_count(fixture.verdicts).expired, 10 * SIZE);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).evicted, 0);
	end_fixture(&fixture);
}

static void test_given_back(void **state)
{
	(void)state;
	check_given_back(false);
	check_given_back(true);
}

/* At full the one that ends first goes, be it the one that is renewed; the others stay what they are. */
static void check_eviction(bool index)
{
	struct fixture fixture = new_fixture(index);
	struct rg_full_verdict full;
	uint64_t now = rg_now();

	agent_begins(&fixture);
	for (uint32_t i = 0; i < HOSTS; i++) {
		put(&fixture, i, HOUR + i * 10, now);
		details_of(&fixture, i)->hits = i;
	}
	assert_int_equal(check_all(&fixture), SIZE);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).evicted, HOSTS - SIZE);
	for (uint32_t i = 0; i < HOSTS; i++) {
		assert_int_equal(get(&fixture, i, &full), i < HOSTS - SIZE ? -ENOENT : 0);
		if (i >= HOSTS - SIZE)
			assert_int_equal(full.hits, i);
	}
	for (uint32_t i = HOSTS - SIZE; i < HOSTS; i++) {
		put(&fixture, i, 2 * HOUR + i * 10, now);
		full = must_get(&fixture, i);
		assert_int_equal(full.hits, i);
		assert_int_equal(full.code, code_of(i));
	}
	/* Up to Linux 6.12 a full trie takes no new value either, so others may have been evicted. */
	assert_in_range(check_all(&fixture), SIZE - 1, SIZE);
	end_fixture(&fixture);
}

static void test_eviction(void **state)
{
	(void)state;
	check_eviction(false);
	check_eviction(true);
}

/* One of all that can happen to a verdict, at random. */
static void step(struct fixture *fixture, uint64_t now)
{
	static const struct rg_outcome clean = { .peer_class = RG_CLASS_CLEAN,
						 .action = RG_ACTION_PASS,
						 .reason = RG_REASON_NOT_LISTED,
						 .ttl = HOUR };
	uint32_t number = (uint32_t)random() % HOSTS;
	const struct rg_prefix peer = host(number);

	switch (random() % 32) {
	case 0:
		(void)flush(fixture, &peer, RG_NO_ZONE);
		break;
	case 1:
		/* Those that end before it. */
		sweep(fixture, now + (HOUR + (uint64_t)random() % HOUR) * RG_NSEC_PER_SEC);
		break;
	case 2:
		agent_restarts(fixture);
		break;
	case 3:
		assert_int_equal(
			rg_verdicts_put(fixture->verdicts, &peer.addr, &clean, RG_NO_ZONE, now), 0);
		break;
	default:
		put(fixture, number, HOUR + (uint32_t)random() % HOUR, now);
	}
}

static void check_churn(bool index)
{
	struct fixture fixture = new_fixture(index);
	uint64_t now = rg_now();

	srandom(1);
	agent_begins(&fixture);
	for (int i = 0; i < 20000; i++) {
		step(&fixture, now);
		if (i % 50 == 0)
			check_all(&fixture);
	}
	check_all(&fixture);
	end_fixture(&fixture);
}

static void test_churn(void **state)
{
	(void)state;
	check_churn(false);
	check_churn(true);
}

static void test_take_over(void **state)
{
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now(), second = now / RG_NSEC_PER_SEC;

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < SIZE; i++) {
		put(&fixture, i, HOUR, now);
		details_of(&fixture, i)->hits = 100 + i;
	}
	agent_restarts(&fixture);
	assert_int_equal(check_all(&fixture), SIZE);
	for (uint32_t i = 0; i < SIZE; i++) {
		struct rg_full_verdict full = must_get(&fixture, i);

		assert_int_equal(full.hits, 100 + i);
		assert_int_equal(full.since, second * RG_NSEC_PER_SEC);
	}
	/* None of them is given to anybody else. */
	flush(&fixture, &(struct rg_prefix){ .len = 128, .addr = host(0).addr }, RG_NO_ZONE);
	put(&fixture, SIZE, HOUR, now);
	assert_int_equal(check_all(&fixture), SIZE);
	end_fixture(&fixture);
}

static void point_to(const struct fixture *fixture, uint32_t number, uint32_t details)
{
	const struct rg_prefix key = host(number);
	struct rg_verdict value = in_trie(&fixture->loader.maps, number);

	value.details = details;
	assert_int_equal(bpf_map_update_elem(fixture->loader.maps.verdicts, &key, &value, BPF_EXIST),
			 0);
}

/* Somebody wrote into the trie: the details of others stay theirs. */
static void test_strays(void **state)
{
	enum { COUNT = SIZE - 4 };
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();
	unsigned int kept = 0;

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < COUNT; i++) {
		put(&fixture, i, HOUR, now);
		details_of(&fixture, i)->hits = 100 + i;
	}
	point_to(&fixture, 10, in_trie(&fixture.loader.maps, 11).details);
	point_to(&fixture, 20, SIZE);
	point_to(&fixture, 21, UINT32_MAX);
	agent_restarts(&fixture);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).entries, COUNT);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).details, COUNT);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).failed, 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct rg_full_verdict full = must_get(&fixture, i);
		bool stray = i == 20 || i == 21;

		/* Of two that share them either may be the owner, and both are of number 11. */
		assert_int_equal(full.code, stray ? 0 : code_of(i == 10 ? 11 : i));
		if (i == 10 || i == 11)
			kept += full.hits == 111;
		else
			assert_int_equal(full.hits, stray ? 0 : 100 + i);
		for (uint32_t j = 0; j < i; j++)
			assert_ptr_not_equal(details_of(&fixture, i), details_of(&fixture, j));
	}
	assert_int_equal(kept, 1);
	end_fixture(&fixture);
}

/* The trie is full before the details are: entries of somebody else take room in it. */
static void test_full_trie(void **state)
{
	enum { FOREIGN = 10 };
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < FOREIGN; i++) {
		const struct rg_prefix key = host(HOSTS + i);
		const struct rg_verdict value = { .expiry = now, /* over: the agent shows it to nobody */
						  .details = UINT32_MAX,
						  .prefix_len = (uint8_t)key.len };

		assert_int_equal(
			bpf_map_update_elem(fixture.loader.maps.verdicts, &key, &value, BPF_ANY), 0);
	}
	for (uint32_t i = 0; i < HOSTS; i++)
		put(&fixture, i, HOUR + i * 10, now);
	assert_int_equal(check_all(&fixture), SIZE - FOREIGN);
	end_fixture(&fixture);
}

static void check_carried(uint32_t size)
{
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now(), second = now / RG_NSEC_PER_SEC;
	uint32_t first = size < SIZE ? SIZE - size : 0;

	agent_begins(&fixture);
	for (uint32_t i = 0; i < SIZE; i++) {
		put(&fixture, i, HOUR + i * 10, now + i * RG_NSEC_PER_SEC);
		details_of(&fixture, i)->hits = 100 + i;
	}
	agent_moves(&fixture, size);
	assert_int_equal(check_all(&fixture), SIZE - first);
	for (uint32_t i = first; i < SIZE; i++) {
		struct rg_full_verdict full = must_get(&fixture, i);

		assert_int_equal(full.hits, 100 + i);
		assert_int_equal(full.since, (second + i) * RG_NSEC_PER_SEC);
		assert_int_equal(full.zone, ZONE);
		assert_int_equal(full.peer_class, RG_CLASS_STANDARD);
		assert_int_equal(full.action, RG_ACTION_DROP);
	}
	end_fixture(&fixture);
}

static void test_other_sizes(void **state)
{
	(void)state;
	check_carried(2 * SIZE);
	check_carried(SIZE / 2);
}

static void test_restore(void **state)
{
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();
	struct rg_full_verdict value = { .expiry = now + HOUR * RG_NSEC_PER_SEC,
					 .since = 1,
					 .hits = UINT64_MAX,
					 .code = code_of(5),
					 .zone = ZONE,
					 .peer_class = RG_CLASS_QIL,
					 .action = RG_ACTION_TEMPFAIL,
					 .reason = RG_REASON_ZONE },
			       full;
	const struct rg_prefix peer = host(5);

	(void)state;
	agent_begins(&fixture);
	assert_int_equal(rg_verdicts_restore(fixture.verdicts, &peer, &value), 0);
	full = must_get(&fixture, 5);
	assert_int_equal(full.since, RG_NSEC_PER_SEC); /* not "never" */
	assert_int_equal(full.hits, UINT64_MAX);
	assert_int_equal(full.code, code_of(5));
	assert_int_equal(full.peer_class, RG_CLASS_QIL);
	assert_int_equal(full.action, RG_ACTION_TEMPFAIL);
	/* What is there is newer. */
	value.hits = 1;
	assert_int_equal(rg_verdicts_restore(fixture.verdicts, &peer, &value), 0);
	assert_int_equal(must_get(&fixture, 5).hits, UINT64_MAX);
	assert_int_equal(check_all(&fixture), 1);
	end_fixture(&fixture);
}

/* A verdict knows its second only: rather one too many than one too few. */
static void test_flush_since(void **state)
{
	struct fixture fixture = new_fixture(true);
	uint64_t second = rg_now() / RG_NSEC_PER_SEC * RG_NSEC_PER_SEC;

	(void)state;
	agent_begins(&fixture);
	put(&fixture, 1, HOUR, second - 1);
	put(&fixture, 2, HOUR, second);
	put(&fixture, 3, HOUR, second + RG_NSEC_PER_SEC / 2);
	for (enum rg_family family = 0; family < RG_FAMILIES; family++) {
		assert_int_equal(flush_family(&fixture, ZONE, family, second + RG_NSEC_PER_SEC), 0);
		/* 2 is an IPv4 peer, 3 an IPv6 one. */
		assert_int_equal(
			flush_family(&fixture, ZONE, family, second + RG_NSEC_PER_SEC / 2 - 1), 1);
	}
	assert_int_equal(check_all(&fixture), 1);
	must_get(&fixture, 1);
	end_fixture(&fixture);
}

/* Another configuration has its actions also where the trie is full. */
static void test_full_and_applied(void **state)
{
	static const struct rg_outcome country = { .peer_class = RG_CLASS_BLOCKED,
						   .action = RG_ACTION_RESET,
						   .reason = RG_REASON_COUNTRY,
						   .ttl = HOUR };
	struct fixture fixture = new_fixture(true);
	struct rg_conf conf = fixture.conf;

	(void)state;
	conf.blocked_action = RG_ACTION_DROP;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < SIZE; i++) {
		const struct rg_prefix peer = host(i);

		assert_int_equal(rg_verdicts_put(fixture.verdicts, &peer.addr, &country, RG_NO_ZONE,
						 rg_now()),
				 0);
	}
	apply(&fixture, &conf);
	for (uint32_t i = 0; i < SIZE; i++)
		assert_int_equal(must_get(&fixture, i).action, RG_ACTION_DROP);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).failed, 0);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).details, SIZE);
	end_fixture(&fixture);
}

/* private_peers = exempt removes verdicts against private addresses, judge those of exempt. */
static void test_private_and_applied(void **state)
{
	static const struct {
		const char *peer;
		enum rg_reason reason;
		enum rg_class peer_class;
		bool if_exempt, if_judge; /* whether it stays */
	} rows[] = {
		{ "192.168.1.1", RG_REASON_COUNTRY, RG_CLASS_BLOCKED, false, true },
		{ "192.168.1.2", RG_REASON_COUNTRY, RG_CLASS_APPROVED, true, true },
		{ "192.168.1.3", RG_REASON_PRIVATE, RG_CLASS_APPROVED, true, false },
		{ "192.168.1.4", RG_REASON_NEVER_BLOCK, RG_CLASS_APPROVED, true, true },
		{ "fd00::1", RG_REASON_COUNTRY, RG_CLASS_BLOCKED, false, true },
		{ "192.0.2.1", RG_REASON_COUNTRY, RG_CLASS_BLOCKED, true, true },
		{ "192.0.2.2", RG_REASON_NEVER_BLOCK, RG_CLASS_APPROVED, true, true },
	};

	(void)state;
	for (enum rg_private_peers word = RG_PRIVATE_EXEMPT; word <= RG_PRIVATE_JUDGE; word++) {
		struct fixture fixture = new_fixture(true);
		struct rg_conf conf = fixture.conf;

		agent_begins(&fixture);
		conf.private_peers = word;
		conf.blocked_action = RG_ACTION_RESET;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			const struct rg_outcome outcome = { .peer_class = rows[i].peer_class,
							    .action = RG_ACTION_PASS,
							    .reason = rows[i].reason,
							    .ttl = HOUR };
			struct rg_addr addr;

			assert_int_equal(rg_addr_parse(rows[i].peer, strlen(rows[i].peer), &addr), 0);
			assert_int_equal(rg_verdicts_put(fixture.verdicts, &addr, &outcome,
							 RG_NO_ZONE, rg_now()),
					 0);
		}
		apply(&fixture, &conf);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct rg_full_verdict verdict;
			struct rg_addr addr;
			bool stays;

			assert_int_equal(rg_addr_parse(rows[i].peer, strlen(rows[i].peer), &addr), 0);
			stays = !rg_verdicts_find(fixture.verdicts, &addr, rg_now(), NULL, &verdict);
			if (stays !=
			    (word == RG_PRIVATE_EXEMPT ? rows[i].if_exempt : rows[i].if_judge))
				fail_msg("%s under %d", rows[i].peer, word);
		}
		end_fixture(&fixture);
	}
}

/* ---- clean peers ---- */

static const struct rg_outcome clean = { .peer_class = RG_CLASS_CLEAN,
					 .action = RG_ACTION_PASS,
					 .reason = RG_REASON_NOT_LISTED,
					 .ttl = HOUR };

static void put_clean(struct fixture *fixture, uint32_t number, uint64_t now)
{
	const struct rg_prefix peer = host(number);

	assert_int_equal(rg_verdicts_put(fixture->verdicts, &peer.addr, &clean, RG_NO_ZONE, now), 0);
}

/* A clean peer that ends now: it may not begin an hour ago, as the machine may be up for less. */
static void put_ended(struct fixture *fixture, uint32_t number)
{
	const struct rg_prefix peer = host(number);
	const uint64_t begin = rg_now() - RG_NSEC_PER_SEC;
	struct rg_outcome short_time = clean;

	short_time.ttl = 1;
	assert_int_equal(
		rg_verdicts_put(fixture->verdicts, &peer.addr, &short_time, RG_NO_ZONE, begin), 0);
}

static int find_peer(const struct fixture *fixture, uint32_t number, struct rg_peer *ret)
{
	const struct rg_prefix peer = host(number);

	return rg_verdicts_find_peer(fixture->verdicts, &peer.addr, rg_now(), ret);
}

static int count_peer(void *arg, const struct rg_addr *peer, const struct rg_peer *value)
{
	(void)peer;
	assert_int_equal(value->state, RG_PEER_CLEAN);
	(*(unsigned int *)arg)++;
	return 0;
}

static unsigned int count_peers(const struct fixture *fixture)
{
	unsigned int count = 0;

	assert_int_equal(rg_verdicts_each_peer(fixture->verdicts, count_peer, &count), 0);
	return count;
}

static void check_clean(bool index)
{
	struct fixture fixture = new_fixture(index);
	struct rg_prefix one = host(1), five = host(5);
	struct rg_peer peer;
	uint64_t now = rg_now();

	agent_begins(&fixture);
	put_clean(&fixture, 1, now);
	put_clean(&fixture, 2, now);
	put_ended(&fixture, 3);
	assert_int_equal(find_peer(&fixture, 1, &peer), 0);
	assert_int_equal(peer.expiry, now + HOUR * RG_NSEC_PER_SEC);
	assert_int_equal(peer.reason, RG_REASON_NOT_LISTED);
	assert_int_equal(find_peer(&fixture, 3, &peer), -ENOENT);
	assert_int_equal(find_peer(&fixture, 4, &peer), -ENOENT);
	assert_int_equal(count_peers(&fixture), 2);

	/* A verdict ends it, and it ends a verdict. */
	put(&fixture, 1, HOUR, now);
	assert_int_equal(find_peer(&fixture, 1, &peer), -ENOENT);
	put_clean(&fixture, 1, now);
	assert_int_equal(check_all(&fixture), 0);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).removed, 1);

	/* The next agent has them, and removes the marks of the one before. */
	peer = (struct rg_peer){ .expiry = now + HOUR * RG_NSEC_PER_SEC, .state = RG_PEER_PENDING };
	assert_int_equal(bpf_map_update_elem(fixture.loader.maps.peers, &five.addr, &peer, BPF_ANY),
			 0);
	agent_restarts(&fixture);
	assert_int_equal(count_peers(&fixture), 2);
	assert_int_equal(find_peer(&fixture, 5, &peer), -ENOENT);

	/* Pushed out of the map: only the index knows it. */
	assert_int_equal(bpf_map_delete_elem(fixture.loader.maps.peers, &one.addr), 0);
	assert_int_equal(find_peer(&fixture, 1, &peer), index ? 0 : -ENOENT);
	if (index)
		assert_true(peer.expiry > now && peer.expiry <= now + HOUR * RG_NSEC_PER_SEC);

	/* Other maps, then a flush of one and of all. */
	agent_moves(&fixture, 2 * SIZE);
	assert_int_equal(find_peer(&fixture, 2, &peer), 0);
	one = host(2);
	assert_int_equal(flush(&fixture, &one, RG_NO_ZONE), 1);
	assert_int_equal(find_peer(&fixture, 2, &peer), -ENOENT);
	put_clean(&fixture, 6, now);
	put(&fixture, 7, HOUR, now);
	rg_verdicts_flush_countries(fixture.verdicts, false);
	rg_jobs_finish(fixture.jobs);
	assert_int_equal(find_peer(&fixture, 6, &peer), 0);
	rg_verdicts_flush_countries(fixture.verdicts, true);
	rg_verdicts_flush_countries(fixture.verdicts, false); /* the peers go all the same */
	rg_jobs_finish(fixture.jobs);
	assert_int_equal(find_peer(&fixture, 6, &peer), -ENOENT);
	assert_int_equal(check_all(&fixture), 1); /* no country decided it */
	end_fixture(&fixture);
}

static void test_clean(void **state)
{
	(void)state;
	check_clean(false);
	check_clean(true);
}

/* ---- zones ---- */

static void test_zone_of_a_verdict(void **state)
{
	struct fixture fixture = new_fixture(true);
	struct rg_conf *conf = &fixture.conf;
	const struct rg_outcome outcome = { .peer_class = RG_CLASS_STANDARD,
					    .action = RG_ACTION_DROP,
					    .reason = RG_REASON_ZONE,
					    .code = code_of(1),
					    .ttl = HOUR };
	const struct rg_prefix one = host(1), two = host(2);

	(void)state;
	agent_begins(&fixture);
	conf->zone_count = 2;
	conf->zones[0] = (struct rg_zone_conf){ .alias = "a", .peer_class = RG_CLASS_STANDARD };
	conf->zones[1] = (struct rg_zone_conf){ .alias = "b", .peer_class = RG_CLASS_STANDARD };
	assert_int_equal(name_zones(&fixture, conf), 1);
	assert_string_equal(rg_verdicts_zone(fixture.verdicts, conf->zones[1].slot), "b");
	assert_int_equal(rg_verdicts_put(fixture.verdicts, &one.addr, &outcome, conf->zones[0].slot,
					 rg_now()),
			 0);
	assert_int_equal(rg_verdicts_put(fixture.verdicts, &two.addr, &outcome, conf->zones[1].slot,
					 rg_now()),
			 0);
	/* The first zone is gone, and its verdict with it. */
	conf->zones[0] = conf->zones[1];
	conf->zone_count = 1;
	assert_int_equal(name_zones(&fixture, conf), 0);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).entries, 1);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).removed, 1);
	/* Names go with the verdicts to other maps. */
	agent_moves(&fixture, 2 * SIZE);
	assert_string_equal(rg_verdicts_zone(fixture.verdicts, conf->zones[0].slot), "b");
	end_fixture(&fixture);
}

/* What a configuration makes of verdicts that were stored under another one. */
static void test_applied(void **state)
{
	static const struct {
		const char *what;
		enum rg_class peer_class;
		enum rg_reason reason;
		bool has_zone;
		uint8_t code; /* the last octet */
		enum rg_action action; /* NONE: removed */
	} rows[] = {
		{ "its zone's action", RG_CLASS_STANDARD, RG_REASON_ZONE, true, 1, RG_ACTION_RESET },
		{ "a code that does not count", RG_CLASS_STANDARD, RG_REASON_ZONE, true, 9,
		  RG_ACTION_NONE },
		{ "a country", RG_CLASS_BLOCKED, RG_REASON_COUNTRY, false, 0, RG_ACTION_REJECT },
		{ "an approved country", RG_CLASS_APPROVED, RG_REASON_COUNTRY, false, 0,
		  RG_ACTION_PASS },
		{ "a failure of DNS", RG_CLASS_QIL, RG_REASON_DNS_FAILURE, false, 0,
		  RG_ACTION_TEMPFAIL },
	};
	struct fixture fixture = new_fixture(true);
	struct rg_conf *conf = &fixture.conf;
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	conf->blocked_action = RG_ACTION_REJECT;
	conf->on_dns_failure = RG_ACTION_TEMPFAIL;
	conf->zone_count = 1;
	conf->zones[0] = (struct rg_zone_conf){ .alias = "a",
						.peer_class = RG_CLASS_STANDARD,
						.action = RG_ACTION_RESET };
	assert_int_equal(rg_dnsbl_codes_add(&conf->zones[0].codes, "127.1.0.1", NULL), 0);
	assert_int_equal(name_zones(&fixture, conf), 1);
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rg_prefix peer = host(i);
		const struct rg_outcome outcome = { .peer_class = rows[i].peer_class,
						    .action = RG_ACTION_DROP,
						    .reason = rows[i].reason,
						    .code = code_of(rows[i].code),
						    .ttl = HOUR };

		assert_int_equal(rg_verdicts_put(fixture.verdicts, &peer.addr, &outcome,
						 rows[i].has_zone ? conf->zones[0].slot : RG_NO_ZONE,
						 now),
				 0);
	}
	apply(&fixture, conf);
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_full_verdict full = { .action = RG_ACTION_NONE };

		(void)get(&fixture, i, &full);
		if (full.action != rows[i].action)
			fail_msg("%s: %u", rows[i].what, full.action);
	}
	/* DNS failures pass now. */
	conf->on_dns_failure = RG_ACTION_PASS;
	apply(&fixture, conf);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).removed, 2);
	end_fixture(&fixture);
}

/* ---- finding ---- */

/* A long prefix that has ended does not hide a live shorter one. */
static void test_found_around(void **state)
{
	static const struct {
		uint32_t len, code;
		uint64_t left; /* h */
	} rows[] = { { 128, 1, 0 }, { 120, 2, 0 }, { 112, 3, 2 }, { 104, 4, 1 } };
	struct fixture fixture = new_fixture(false);
	struct rg_full_verdict full;
	struct rg_prefix key;
	struct rg_addr addr = host(2).addr;
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	assert_int_equal(rg_verdicts_find(fixture.verdicts, &addr, now, NULL, &full), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_prefix prefix = { .len = rows[i].len, .addr = addr };
		const struct rg_full_verdict value = { .expiry = now + rows[i].left * HOUR *
									       RG_NSEC_PER_SEC,
						       .code = code_of(rows[i].code),
						       .zone = ZONE,
						       .peer_class = RG_CLASS_STANDARD,
						       .action = RG_ACTION_DROP,
						       .reason = RG_REASON_ZONE };

		rg_prefix_mask(&prefix);
		assert_int_equal(rg_verdicts_restore(fixture.verdicts, &prefix, &value), 0);
	}
	assert_int_equal(rg_verdicts_find(fixture.verdicts, &addr, now, &key, &full), 0);
	assert_int_equal(full.code, code_of(3));
	assert_int_equal(key.len, 112);
	/* None is left. */
	assert_int_equal(rg_verdicts_find(fixture.verdicts, &addr, now + 3 * HOUR * RG_NSEC_PER_SEC,
					  NULL, &full),
			 -ENOENT);
	end_fixture(&fixture);
}

/* ::/64 contains all of IPv4: no verdict on it is stored, and none comes of listings in it. */
static void test_no_verdict_on_ipv4(void **state)
{
	struct fixture fixture = new_fixture(true);
	const struct rg_prefix all = { .len = 64 };
	const struct rg_full_verdict full = { .expiry = UINT64_MAX };
	struct rg_full_verdict found;
	const struct rg_prefix four = host(2);

	(void)state;
	agent_begins(&fixture);
	assert_int_equal(rg_verdicts_restore(fixture.verdicts, &all, &full), -EADDRNOTAVAIL);
	for (uint8_t i = 1; i <= 2; i++) {
		const struct rg_addr addr = { .bytes = { [12] = 1, 2, 3, i } };

		list(&fixture, &addr, RG_CLASS_STANDARD, ZONE, HOUR, rg_now());
	}
	assert_int_equal(rg_verdicts_count(fixture.verdicts).entries, 2);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).failed, 0);
	assert_int_equal(rg_verdicts_find(fixture.verdicts, &four.addr, rg_now(), NULL, &found),
			 -ENOENT);
	end_fixture(&fixture);
}

/* ---- IPv6: each address by itself ---- */

/* An address of 2001:db8:5::/64. */
static struct rg_addr at(uint8_t last)
{
	return (struct rg_addr){ .bytes = { 0x20, 1, 0xd, 0xb8, 0, 5, [15] = last } };
}

static const struct rg_prefix net5 = { .len = 64, .addr.bytes = { 0x20, 1, 0xd, 0xb8, 0, 5 } };

/* The slot of the zone that lists the address. */
static uint32_t zone_of(uint8_t last)
{
	return ZONE + last % 16;
}

/* The prefix length of the verdict around an address; 0: there is none. */
static uint32_t around(const struct fixture *fixture, uint8_t last, uint64_t now,
		       struct rg_full_verdict *full)
{
	const struct rg_addr addr = at(last);
	struct rg_prefix key;

	return rg_verdicts_find(fixture->verdicts, &addr, now, &key, full) ? 0 : key.len;
}

static void expect(const struct fixture *fixture, uint8_t last, uint64_t now, uint32_t len)
{
	struct rg_full_verdict full;
	uint32_t have = around(fixture, last, now, &full);

	if (have != len)
		fail_msg("::%x has a verdict on %u bits, not on %u", last, have, len);
}

static void list_at(struct fixture *fixture, uint8_t last, enum rg_class peer_class, uint32_t ttl,
		    uint64_t now)
{
	const struct rg_addr addr = at(last);

	list(fixture, &addr, peer_class, zone_of(last), ttl, now);
}

static void clean_at(struct fixture *fixture, uint8_t last, uint32_t ttl, uint64_t now)
{
	const struct rg_addr addr = at(last);
	struct rg_outcome outcome = clean;

	outcome.ttl = ttl;
	assert_int_equal(rg_verdicts_put(fixture->verdicts, &addr, &outcome, RG_NO_ZONE, now), 0);
}

static bool is_clean(const struct fixture *fixture, uint8_t last)
{
	const struct rg_addr addr = at(last);
	struct rg_peer peer;

	return !rg_verdicts_find_peer(fixture->verdicts, &addr, rg_now(), &peer) &&
	       peer.state == RG_PEER_CLEAN;
}

/* The evidence against the prefix: first and second, 0: there is none. */
static void expect_evidence(const struct fixture *fixture, uint64_t now, uint8_t first, uint8_t second)
{
	struct rg_addr addrs[RG_EVIDENCE] = {};
	size_t count = rg_verdicts_evidence(fixture->verdicts, &net5, now, addrs);

	if (count < RG_EVIDENCE)
		memset(addrs, 0, sizeof(addrs));
	assert_int_equal(addrs[0].bytes[15], first);
	assert_int_equal(addrs[1].bytes[15], second);
}

/* One listed address says nothing of its neighbours, nor does a clean one; two refuse their prefix. */
static void check_neighbours(bool index)
{
	const uint64_t hour = HOUR * RG_NSEC_PER_SEC, now = rg_now();
	struct fixture fixture = new_fixture(index);
	struct rg_full_verdict full;

	agent_begins(&fixture);
	list_at(&fixture, 0x26, RG_CLASS_STANDARD, 2 * HOUR, now);
	expect(&fixture, 0x26, now, 128);
	expect(&fixture, 0x25, now, 0);
	clean_at(&fixture, 0x25, HOUR, now);
	assert_true(is_clean(&fixture, 0x25));
	assert_false(is_clean(&fixture, 0x26));
	assert_false(is_clean(&fixture, 0x27));
	expect_evidence(&fixture, now, 0, 0);

	list_at(&fixture, 0x27, RG_CLASS_STANDARD, HOUR, now);
	expect(&fixture, 0x26, now, 128);
	expect(&fixture, 0x27, now, 128);
	assert_int_equal(around(&fixture, 0x99, now, &full), 64);
	/* Of the listing that ends first. */
	assert_int_equal(full.zone, zone_of(0x27));
	assert_int_equal(full.expiry, now + hour);
	expect(&fixture, 0x25, now, 64);
	expect_evidence(&fixture, now, 0x27, 0x26);

	/* Another agent, then other maps. */
	agent_restarts(&fixture);
	expect(&fixture, 0x99, now, 64);
	expect_evidence(&fixture, now, 0x27, 0x26);
	agent_moves(&fixture, 2 * SIZE);
	expect(&fixture, 0x99, now, 64);
	expect_evidence(&fixture, now, 0x27, 0x26);

	/* It ends with the first of them. */
	expect(&fixture, 0x99, now + hour, 0);
	expect(&fixture, 0x26, now + hour, 128);
	sweep(&fixture, now + hour + RG_NSEC_PER_SEC);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).entries, 1);
	list_at(&fixture, 0x27, RG_CLASS_STANDARD, HOUR, now + hour);
	expect(&fixture, 0x99, now + hour, 64);
	end_fixture(&fixture);
}

static void test_neighbours(void **state)
{
	(void)state;
	check_neighbours(false);
	check_neighbours(true);
}

/* The milder class decides, and a third listing makes it last longer. */
static void test_neighbours_differ(void **state)
{
	const uint64_t hour = HOUR * RG_NSEC_PER_SEC, now = rg_now();
	struct fixture fixture = new_fixture(true);
	struct rg_full_verdict full;

	(void)state;
	agent_begins(&fixture);
	list_at(&fixture, 1, RG_CLASS_STANDARD, HOUR, now);
	list_at(&fixture, 2, RG_CLASS_QIL, 3 * HOUR, now);
	assert_int_equal(around(&fixture, 9, now, &full), 64);
	assert_int_equal(full.peer_class, RG_CLASS_QIL);
	assert_int_equal(full.expiry, now + hour);
	expect_evidence(&fixture, now, 2, 1);
	list_at(&fixture, 3, RG_CLASS_STANDARD, 2 * HOUR, now);
	assert_int_equal(around(&fixture, 9, now, &full), 64);
	assert_int_equal(full.expiry, now + 2 * hour);
	expect_evidence(&fixture, now, 2, 3);
	end_fixture(&fixture);
}

/* Only listings count, and only while they are there. */
static void test_neighbours_gone(void **state)
{
	static const struct {
		const char *what;
		enum rg_class peer_class;
		enum rg_reason reason;
		uint32_t zone;
	} rows[] = {
		{ "a country", RG_CLASS_BLOCKED, RG_REASON_COUNTRY, RG_NO_ZONE },
		{ "a failure of DNS", RG_CLASS_QIL, RG_REASON_DNS_FAILURE, RG_NO_ZONE },
		{ "an allow zone", RG_CLASS_APPROVED, RG_REASON_ZONE, ZONE },
	};
	struct rg_prefix one = { .len = RG_ADDR_BITS, .addr = at(1) };
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rg_outcome outcome = { .peer_class = rows[i].peer_class,
						    .action = RG_ACTION_DROP,
						    .reason = rows[i].reason,
						    .ttl = HOUR };
		const struct rg_addr addr = at(0x10 + (uint8_t)i);

		assert_int_equal(
			rg_verdicts_put(fixture.verdicts, &addr, &outcome, rows[i].zone, now), 0);
	}
	expect(&fixture, 9, now, 0);
	list_at(&fixture, 1, RG_CLASS_STANDARD, HOUR, now);
	expect(&fixture, 9, now, 0);
	list_at(&fixture, 2, RG_CLASS_STANDARD, HOUR, now);
	expect(&fixture, 9, now, 64);
	expect(&fixture, 0x12, now, 128); /* approved by itself */

	/* One of them is clean now, */
	clean_at(&fixture, 2, HOUR, now);
	expect(&fixture, 9, now, 0);
	expect(&fixture, 1, now, 128);
	/* its zone is flushed, */
	list_at(&fixture, 2, RG_CLASS_STANDARD, HOUR, now);
	expect(&fixture, 9, now, 64);
	flush(&fixture, NULL, zone_of(2));
	expect(&fixture, 9, now, 0);
	expect(&fixture, 1, now, 128);
	/* or an address of the prefix: with it all that has it refused. */
	list_at(&fixture, 2, RG_CLASS_STANDARD, HOUR, now);
	one.addr = at(9);
	assert_int_equal(flush(&fixture, &one, RG_NO_ZONE), 6);
	expect(&fixture, 1, now, 0);
	/* Where the prefix is not refused, the address alone. */
	list_at(&fixture, 1, RG_CLASS_STANDARD, HOUR, now);
	clean_at(&fixture, 2, HOUR, now);
	assert_int_equal(flush(&fixture, &one, RG_NO_ZONE), 0);
	one.addr = at(1);
	assert_int_equal(flush(&fixture, &one, RG_NO_ZONE), 1);
	assert_true(is_clean(&fixture, 2));
	end_fixture(&fixture);
}

/* With ipv6_prefix = 128 no address has neighbours. What an agent with another prefix left is removed. */
static void test_other_prefix(void **state)
{
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	list_at(&fixture, 1, RG_CLASS_STANDARD, HOUR, now);
	list_at(&fixture, 2, RG_CLASS_STANDARD, HOUR, now);
	expect(&fixture, 9, now, 64);
	fixture.conf.ipv6_prefix = 128;
	agent_restarts(&fixture);
	expect(&fixture, 9, now, 0);
	expect(&fixture, 1, now, 128);
	list_at(&fixture, 3, RG_CLASS_STANDARD, HOUR, now);
	expect(&fixture, 9, now, 0);
	fixture.conf.ipv6_prefix = 56;
	agent_moves(&fixture, 2 * SIZE);
	expect(&fixture, 9, now, 56);
	end_fixture(&fixture);
}

/* A sender that goes through its prefix pushes out its own addresses; a listed one stays. */
static void check_bound(bool index)
{
	struct fixture fixture = new_fixture(index);
	unsigned int known = 0;
	uint64_t now = rg_now();

	agent_begins(&fixture);
	put_clean(&fixture, 1, now);
	list_at(&fixture, 1, RG_CLASS_STANDARD, 1, now);
	for (unsigned int i = 2; i < 2 + RG_NEIGHBOURS + 10; i++)
		clean_at(&fixture, (uint8_t)i, HOUR - i, now);
	for (unsigned int i = 2; i < 2 + RG_NEIGHBOURS + 10; i++)
		known += is_clean(&fixture, (uint8_t)i);
	assert_int_equal(known, RG_NEIGHBOURS - 1);
	/* The half that was judged first stays, with the listed one; of the others the oldest are forgotten. */
	assert_true(is_clean(&fixture, 2) && is_clean(&fixture, RG_NEIGHBOURS / 2));
	assert_false(is_clean(&fixture, RG_NEIGHBOURS / 2 + 1));
	assert_false(is_clean(&fixture, RG_NEIGHBOURS / 2 + 11));
	assert_true(is_clean(&fixture, RG_NEIGHBOURS / 2 + 12));
	expect(&fixture, 1, now, 128);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).surplus, 11);
	/* The bound holds for the next agent as well. */
	agent_restarts(&fixture);
	clean_at(&fixture, 200, HOUR / 2, now);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).surplus, 1);
	assert_true(is_clean(&fixture, 200));
	/* A renewed one is none more. */
	clean_at(&fixture, 200, HOUR, now);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).surplus, 1);
	clean_at(&fixture, 201, HOUR, now);
	assert_true(is_clean(&fixture, 200) && is_clean(&fixture, 201));
	/* Once they have ended there is room again. */
	sweep(&fixture, now + 4 * HOUR * RG_NSEC_PER_SEC);
	clean_at(&fixture, 202, HOUR, now);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).surplus, 2);
	end_fixture(&fixture);
}

static void test_bound(void **state)
{
	(void)state;
	check_bound(false);
	check_bound(true);
}

/* Read by number, as when they are saved: each live verdict comes, those that are gone do not. */
static void test_by_number(void **state)
{
	struct fixture fixture = new_fixture(true);
	struct rg_full_verdict full;
	struct rg_prefix key;
	unsigned int found = 0;
	uint64_t now = rg_now();
	int err;

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < 10; i++)
		put(&fixture, i, HOUR + i, now);
	for (uint32_t i = 0; i < 3; i++) {
		const struct rg_prefix peer = host(i);

		flush(&fixture, &peer, RG_NO_ZONE);
	}
	for (uint32_t i = 0; (err = rg_verdicts_next(fixture.verdicts, &i, &key, &full)) != -ERANGE;) {
		const struct rg_prefix want = host(full.code - code_of(0));

		if (err)
			continue;
		assert_int_equal(rg_prefix_compare(&key, &want), 0);
		found++;
	}
	assert_int_equal(found, 7);
	assert_non_null(rg_verdicts_index_maps(fixture.verdicts));
	end_fixture(&fixture);
}

/* Renewed so often that the queue is rebuilt: nothing is lost. */
static void test_renewed_often(void **state)
{
	struct fixture fixture = new_fixture(false);
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < 70000; i++)
		put(&fixture, i % 8, HOUR + i % 100, now);
	rg_jobs_finish(fixture.jobs);
	assert_true(rg_verdicts_count(fixture.verdicts).queued < 10000);
	assert_int_equal(check_all(&fixture), 8);
	sweep(&fixture, now + 2 * HOUR * RG_NSEC_PER_SEC);
	assert_int_equal(check_all(&fixture), 0);
	end_fixture(&fixture);
}

/* ---- walks in slices ---- */

/* One step of the job that runs now, about 64 verdicts. */
static void job_step(const struct fixture *fixture)
{
	struct rg_job *job = (struct rg_job *)rg_jobs_first(fixture->jobs, RG_LANE_VERDICTS);

	assert_non_null(job);
	(void)job->step(job);
}

static size_t flush_at_once(const struct fixture *fixture, const struct rg_prefix *address)
{
	size_t count = 0;

	assert_int_equal(
		rg_verdicts_flush(fixture->verdicts, address, RG_NO_ZONE, add_count, &count), 0);
	return count;
}

/* What is stored and removed while an earlier agent's verdicts are still to be taken over. */
static void check_taken_over_in_steps(bool index)
{
	struct fixture fixture = new_fixture(index);
	const struct rg_prefix three = host(3);
	struct rg_full_verdict full;
	uint64_t now = rg_now();

	agent_begins(&fixture);
	for (uint32_t i = 0; i < SIZE - 4; i++)
		put(&fixture, i, HOUR + i, now);
	details_of(&fixture, 5)->hits = 50;
	details_of(&fixture, 6)->hits = 60;
	agent_ends(&fixture);
	fixture.loader.took_over = true;
	agent_starts(&fixture);
	assert_true(rg_verdicts_count(fixture.verdicts).is_adopting);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).entries, 0);

	/* All are in force, and each keeps its details. */
	assert_int_equal(must_get(&fixture, 4).code, code_of(4));
	put(&fixture, 5, 2 * HOUR, now); /* renewed */
	assert_int_equal(must_get(&fixture, 5).hits, 50);
	assert_int_equal(flush_at_once(&fixture, &three), 1);
	assert_int_equal(get(&fixture, 3, &full), -ENOENT);
	for (uint32_t i = 0; i < 4; i++)
		put(&fixture, SIZE + i, HOUR, now); /* none of the slots that are still to be claimed */
	assert_int_equal(must_get(&fixture, 6).hits, 60);
	assert_true(rg_verdicts_count(fixture.verdicts).is_adopting);

	rg_jobs_finish(fixture.jobs);
	assert_false(rg_verdicts_count(fixture.verdicts).is_adopting);
	assert_int_equal(check_all(&fixture), SIZE - 1);
	assert_int_equal(must_get(&fixture, 5).hits, 50);
	assert_int_equal(must_get(&fixture, 6).hits, 60);
	assert_int_equal(rg_verdicts_count(fixture.verdicts).failed, 0);
	end_fixture(&fixture);
}

static void test_taken_over_in_steps(void **state)
{
	(void)state;
	check_taken_over_in_steps(false);
	check_taken_over_in_steps(true);
}

/* A map that is full when it is taken over still takes new verdicts. */
static void test_full_when_taken_over(void **state)
{
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < SIZE; i++)
		put(&fixture, i, HOUR + i, now);
	agent_ends(&fixture);
	fixture.loader.took_over = true;
	agent_starts(&fixture);
	job_step(&fixture);
	for (uint32_t i = 0; i < 10; i++)
		put(&fixture, SIZE + i, HOUR, now);
	rg_jobs_finish(fixture.jobs);
	assert_int_equal(check_all(&fixture), SIZE);
	end_fixture(&fixture);
}

/* The walk stands on a key that is removed: it goes on behind it, and does not begin again. */
static void test_removed_under_the_walk(void **state)
{
	const uint32_t size = 1024;
	struct fixture fixture = new_fixture(false);
	unsigned int steps = 0;
	uint64_t now = rg_now();

	(void)state;
	drop_maps(&fixture.loader.maps);
	fixture.loader.maps = make_maps(size);
	agent_begins(&fixture);
	for (uint32_t i = 0; i < size; i++)
		put(&fixture, i, HOUR, now);
	agent_ends(&fixture);
	fixture.loader.took_over = true;
	agent_starts(&fixture);
	while (rg_verdicts_count(fixture.verdicts).entries < size / 2) {
		job_step(&fixture);
		assert_true(++steps < 2 * size / 64);
	}
	for (uint32_t i = 0; i < size; i++) {
		const struct rg_prefix peer = host(i);

		assert_int_equal(flush_at_once(&fixture, &peer), 1);
	}
	for (uint32_t i = 0; i < 20; i++)
		put(&fixture, i, HOUR, now);
	rg_jobs_finish(fixture.jobs);
	assert_int_equal(check_all(&fixture), 20);
	end_fixture(&fixture);
}

/* A flush removes all that was there when it began, and nothing that came later. */
static void check_flush_in_steps(bool index)
{
	struct fixture fixture = new_fixture(index);
	const uint32_t size = 1024;
	size_t first = 0, second = 0;
	uint64_t now = rg_now();
	struct rg_peer peer;

	drop_maps(&fixture.loader.maps);
	fixture.loader.maps = make_maps(size);
	agent_begins(&fixture);
	for (uint32_t i = 0; i < 800; i++)
		put(&fixture, i, HOUR, now);
	put_clean(&fixture, 900, now);
	assert_int_equal(rg_verdicts_flush(fixture.verdicts, NULL, RG_NO_ZONE, add_count, &first), 0);
	job_step(&fixture);
	job_step(&fixture);
	job_step(&fixture);
	put(&fixture, 0, 2 * HOUR, now); /* before and behind the walk */
	put(&fixture, 799, 2 * HOUR, now);
	put(&fixture, 950, HOUR, now);
	put_clean(&fixture, 901, rg_now());
	put_clean(&fixture, 902, rg_now());
	/* A second flush, meanwhile, is for all that is there when it begins: after the first. */
	assert_int_equal(rg_verdicts_flush(fixture.verdicts, NULL, zone_of(77), add_count, &second),
			 0);
	rg_jobs_finish(fixture.jobs);
	assert_int_equal(second, 0);
	assert_int_equal(check_all(&fixture), 3);
	assert_int_equal(must_get(&fixture, 950).code, code_of(950));
	assert_int_equal(find_peer(&fixture, 900, &peer), -ENOENT);
	assert_int_equal(find_peer(&fixture, 901, &peer), 0);
	assert_true(first >= 799);
	assert_int_equal(flush(&fixture, NULL, RG_NO_ZONE), index ? 5 : 5);
	assert_int_equal(check_all(&fixture), 0);
	end_fixture(&fixture);
}

static void test_flush_in_steps(void **state)
{
	(void)state;
	check_flush_in_steps(false);
	check_flush_in_steps(true);
}

/* The agent stops in the middle: whoever waits is told. */
static void note_end(void *arg, size_t count, bool complete)
{
	(void)count;
	*(int *)arg = complete ? 1 : -1;
}

static void test_stopped_in_a_walk(void **state)
{
	struct fixture fixture = new_fixture(true);
	uint64_t now = rg_now();
	int end = 0;

	(void)state;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < SIZE; i++)
		put(&fixture, i, HOUR, now);
	assert_int_equal(rg_verdicts_flush(fixture.verdicts, NULL, RG_NO_ZONE, note_end, &end), 0);
	job_step(&fixture);
	assert_int_equal(end, 0);
	end_fixture(&fixture);
	assert_int_equal(end, -1);
}

/* A zone's slot is not given to another zone before its verdicts are gone. */
static void test_slot_of_a_zone_that_left(void **state)
{
	struct fixture fixture = new_fixture(true);
	struct rg_conf *conf = &fixture.conf;
	uint32_t old;

	(void)state;
	agent_begins(&fixture);
	conf->zone_count = 1;
	conf->zones[0] = (struct rg_zone_conf){ .alias = "a", .peer_class = RG_CLASS_STANDARD };
	assert_int_equal(name_zones(&fixture, conf), 1);
	old = conf->zones[0].slot;
	snprintf(conf->zones[0].alias, sizeof(conf->zones[0].alias), "b");
	assert_int_equal(rg_verdicts_name_zones(fixture.verdicts, conf), 1);
	assert_int_not_equal(conf->zones[0].slot, old);
	assert_string_equal(rg_verdicts_zone(fixture.verdicts, old), "a");
	/* It comes back before the walk has ended: it is new, and keeps its slot. */
	snprintf(conf->zones[0].alias, sizeof(conf->zones[0].alias), "a");
	assert_int_equal(name_zones(&fixture, conf), 1);
	assert_int_equal(conf->zones[0].slot, old);
	assert_string_equal(rg_verdicts_zone(fixture.verdicts, old), "a");
	/* All others than before: they wait until the slots are free. */
	conf->zone_count = RG_MAX_ZONES;
	for (uint32_t i = 0; i < RG_MAX_ZONES; i++) {
		conf->zones[i] = (struct rg_zone_conf){ .peer_class = RG_CLASS_QIL };
		snprintf(conf->zones[i].alias, sizeof(conf->zones[i].alias), "zone%u", i);
	}
	assert_int_equal(rg_verdicts_name_zones(fixture.verdicts, conf), -EAGAIN);
	rg_jobs_finish(fixture.jobs);
	assert_int_equal(name_zones(&fixture, conf), 1);
	end_fixture(&fixture);
}

/* ---- an index without memory ---- */

static size_t indexed(const struct fixture *fixture, enum rg_index_part part)
{
	struct rg_index_maps_count count = rg_verdicts_indexes(fixture->verdicts);

	return count.parts[part].hosts4 + count.parts[part].nets6;
}

static bool is_in_force(const struct fixture *fixture, enum rg_index_part part)
{
	return rg_index_in_force(fixture->loader.maps.settings->index, part);
}

/* No allocation that fails is for good: it is tried again, later each time, until the index has everything. */
static void test_index_again(void **state)
{
	struct fixture fixture = new_fixture(true);
	struct rg_index_maps_count count;
	uint64_t now, before = 0;

	(void)state;
	maps_refused = 2;
	agent_begins(&fixture);
	assert_int_equal(maps_refused, 0);
	for (uint32_t i = 0; i < 50; i++)
		put(&fixture, i, HOUR, rg_now());
	for (uint32_t i = 50; i < 80; i++)
		put_clean(&fixture, i, rg_now());
	count = rg_verdicts_indexes(fixture.verdicts);
	assert_int_equal(count.failed, 2);
	assert_int_equal(fixture.loader.maps.settings->index, 0);
	for (int i = 1; i <= 9; i++) { /* of 10, 20, 40 s ... 640 s */
		uint64_t wait = (10ULL << i < 640 ? 10ULL << i : 640) * RG_NSEC_PER_SEC;

		count = rg_verdicts_indexes(fixture.verdicts);
		assert_true(count.retry_at[RG_INDEX_HOSTS] > before);
		now = count.retry_at[RG_INDEX_HOSTS];
		maps_refused = 2;
		sweep(&fixture, now - 1);
		assert_int_equal(maps_refused, 2); /* not yet */
		sweep(&fixture, now + RG_NSEC_PER_SEC);
		assert_int_equal(maps_refused, 0);
		count = rg_verdicts_indexes(fixture.verdicts);
		assert_in_range(count.retry_at[RG_INDEX_HOSTS] - rg_now(),
				wait - 5 * RG_NSEC_PER_SEC, wait);
		assert_false(is_in_force(&fixture, RG_INDEX_HOSTS));
	}
	/* Now there is memory. */
	sweep(&fixture, rg_now() + 700 * RG_NSEC_PER_SEC);
	assert_true(is_in_force(&fixture, RG_INDEX_HOSTS));
	assert_true(is_in_force(&fixture, RG_INDEX_PEERS));
	assert_int_equal(indexed(&fixture, RG_INDEX_HOSTS), 50);
	assert_int_equal(indexed(&fixture, RG_INDEX_PEERS), 30);
	count = rg_verdicts_indexes(fixture.verdicts);
	assert_int_equal(count.retry_at[RG_INDEX_HOSTS], 0);
	assert_int_equal(count.failed, 2 + 9 * 2);
	put(&fixture, 80, HOUR, rg_now());
	assert_int_equal(indexed(&fixture, RG_INDEX_HOSTS), 51);
	end_fixture(&fixture);
}

/* What is stored and removed while it is filled again. */
static void test_index_again_meanwhile(void **state)
{
	struct fixture fixture = new_fixture(true);
	const struct rg_prefix gone = host(10);
	uint64_t now = rg_now();
	size_t count = 0;

	(void)state;
	maps_refused = 2;
	agent_begins(&fixture);
	for (uint32_t i = 0; i < 50; i++)
		put(&fixture, i, HOUR, now);
	rg_verdicts_sweep(fixture.verdicts, now + 20 * RG_NSEC_PER_SEC);
	assert_true(rg_jobs_run(fixture.jobs)); /* a slice; perhaps all of it */
	put(&fixture, 50, HOUR, now);
	assert_int_equal(rg_verdicts_flush(fixture.verdicts, &gone, RG_NO_ZONE, add_count, &count),
			 0);
	assert_int_equal(count, 1);
	rg_jobs_finish(fixture.jobs);
	assert_true(is_in_force(&fixture, RG_INDEX_HOSTS));
	assert_int_equal(indexed(&fixture, RG_INDEX_HOSTS), 50);
	end_fixture(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_begins_at_nothing),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_full_trie),
		cmocka_unit_test(test_other_sizes),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_flush_since),
		cmocka_unit_test(test_full_and_applied),
		cmocka_unit_test(test_private_and_applied),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_zone_of_a_verdict),
		cmocka_unit_test(test_applied),
		cmocka_unit_test(test_found_around),
		cmocka_unit_test(test_no_verdict_on_ipv4),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_neighbours_differ),
		cmocka_unit_test(test_neighbours_gone),
		cmocka_unit_test(test_other_prefix),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_by_number),
		cmocka_unit_test(test_index_again),
		cmocka_unit_test(test_index_again_meanwhile),
		cmocka_unit_test(test_renewed_often),
		cmocka_unit_test(test_taken_over_in_steps),
		cmocka_unit_test(test_full_when_taken_over),
		cmocka_unit_test(test_removed_under_the_walk),
		cmocka_unit_test(test_flush_in_steps),
		cmocka_unit_test(test_stopped_in_a_walk),
		cmocka_unit_test(test_slot_of_a_zone_that_left),
	};
	int fd = new_map(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);

	if (fd == -EPERM) {
		printf("skipped: no permission for BPF maps\n");
		return SKIPPED;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
