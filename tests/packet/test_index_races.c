/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index while it is being written: a writer, as the agent, and readers on another CPU. Every packet must
 * meet what was stored before or what was stored after, never anything else.
 */
#include "index_run.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/addr.h"

/* ---- a writer and a reader ---- */

#define RACE_TIME (2 * RG_NSEC_PER_SEC) /* or longer, until they have met often enough */
#define RACE_RENEWALS 24 /* of all parts */
#define RACE_TURNS 400 /* between two of them */
#define RACE_LOOKUPS 2000 /* of each kind */
#define FIXED 48 /* addresses of each family, of each kind that stays what it is */
#define TOGGLED 16
#define COMING 400
#define BLIND 20000 /* packets in one go: the first of them costs milliseconds */

/*
 * Those that stay: with a verdict, with nothing, a clean peer that only the index knows, one that has a
 * verdict, which comes first, and one with a verdict that a local list approves. The lists turn: they
 * approve some with a verdict, and block some clean peers, and then do not.
 */
enum kind {
	LISTED,
	UNLISTED,
	KNOWN,
	COVERED,
	FAVOURED,
	TURNING_HOST,
	TURNING_PEER,
	TOGGLING,
	GOING,
	KINDS
};

/* All of them in the same few nets or buckets, so that the index has to look. IPv6 is the odd half. */
static u128 number_in(enum kind kind, uint32_t i)
{
	uint32_t at = (i / 2) * KINDS + kind + 1;

	return i & 1 ? V6_BASE + ((u128)at << 64) + 1 : overflowing4(at);
}

struct duel {
	struct run *run;
	uint64_t until;
	atomic_bool read_enough, written_enough, failed; /* each thread waits for the other's */
	bool toggled[2 * TOGGLED], there[2 * COMING];
	uint64_t updates, turns, renewals; /* the writer's */
	uint64_t lookups[KINDS], passed[KINDS]; /* the reader's; passed: of those that may */
	atomic_uint turn; /* of the lists: odd while they change; 0, 4, ...: they say nothing of TURNING_* */
	uint64_t turned[2]; /* lookups of these at such a time, and at others */
	char wrong[160];
};

static struct rg_index_entry entry_in(enum kind kind, uint32_t i, enum rg_action action)
{
	static const enum rg_class classes[KINDS] = {
		[LISTED] = RG_CLASS_STANDARD,	[COVERED] = RG_CLASS_STANDARD,
		[FAVOURED] = RG_CLASS_STANDARD, [TURNING_HOST] = RG_CLASS_STANDARD,
		[TOGGLING] = RG_CLASS_QIL,	[GOING] = RG_CLASS_BLOCKED
	};
	u128 number = number_in(kind, i);

	return (struct rg_index_entry){ .prefix = around(number, number >> 64 ? 64 : 128),
					.expiry = run_now() + HOUR,
					.peer_class = classes[kind],
					.action = action,
					.zone = i % 2 };
}

static int write_one(struct duel *duel, enum kind kind, uint32_t i, enum rg_action action)
{
	const struct rg_index_entry entry = entry_in(kind, i, action);
	struct rg_verdict verdict = { .expiry = entry.expiry,
				      .prefix_len = entry.prefix.len,
				      .peer_class = entry.peer_class,
				      .action = entry.action,
				      .zone = entry.zone };

	duel->updates++;
	/* From an hour ago on, some steps before there is another one. */
	if (duel->updates % 64 == 0)
		rg_index_advance_epoch(parts[1 + duel->updates / 64 % 2].index,
				       ago(HOUR - duel->updates % 1500 * 2 * RG_NSEC_PER_SEC));
	if (bpf_map_update_elem(run_maps(duel->run).verdicts, &entry.prefix, &verdict, BPF_ANY))
		return -1;
	return rg_index_put(parts[RG_INDEX_HOSTS].index, &entry);
}

static int remove_one(struct duel *duel, enum kind kind, uint32_t i)
{
	u128 number = number_in(kind, i);
	const struct rg_prefix prefix = around(number, number >> 64 ? 64 : 128);

	duel->updates++;
	if (bpf_map_delete_elem(run_maps(duel->run).verdicts, &prefix))
		return -1;
	rg_index_remove(parts[RG_INDEX_HOSTS].index, &prefix);
	return 0;
}

/* One that is not in `peers`: the index knows more of them. */
static int write_peer(enum kind kind, uint32_t i)
{
	struct rg_index_entry entry = entry_in(kind, i, RG_ACTION_PASS);

	entry.peer_class = RG_CLASS_CLEAN;
	entry.zone = RG_NO_ZONE;
	entry.prefix = around(number_in(kind, i), 128);
	return rg_index_put(parts[RG_INDEX_PEERS].index, &entry);
}

static struct rg_index_entry entry_of_list(enum kind kind, uint32_t i)
{
	struct rg_index_entry entry = entry_in(kind, i, RG_ACTION_NONE);

	entry.peer_class = kind == TURNING_PEER ? RG_CLASS_BLOCKED : RG_CLASS_APPROVED;
	entry.zone = RG_NO_ZONE;
	return entry;
}

static int write_lists(struct rg_index *index, enum kind first, enum kind last)
{
	for (enum kind kind = first; kind <= last; kind++)
		for (uint32_t i = 0; i < 2 * FIXED; i++) {
			const struct rg_index_entry entry = entry_of_list(kind, i);

			if (rg_index_put(index, &entry) < 0)
				return -ENOMEM;
		}
	return 0;
}

/* In the trie: they are there, or they are not. */
static int turn_trie(const struct duel *duel, enum kind kind, bool there)
{
	int fd = run_maps(duel->run).lists_now, err = 0;

	for (uint32_t i = 0; !err && i < 2 * FIXED; i++) {
		const struct rg_index_entry entry = entry_of_list(kind, i);
		const struct rg_list_entry value = { .prefix_len = entry.prefix.len,
						     .peer_class = entry.peer_class };

		err = there ? bpf_map_update_elem(fd, &entry.prefix, &value, BPF_ANY) :
			      bpf_map_delete_elem(fd, &entry.prefix);
	}
	return err;
}

/* As if there were hosts and peers everywhere. */
static void look_everywhere(void)
{
	memset(filters->banks, 0xff, sizeof(filters->banks));
}

/*
 * Tiny and overflowing, or with more and more room for IPv6; of peers those without a slot are lost. For
 * IPv4 of another number of filters each time, 2^13 to 2^17.
 */
static int renew(struct duel *duel, enum rg_index_part which)
{
	static const size_t rooms4[] = { 1, 700000, 90000, 400000, 1, 200000 };
	size_t room = (duel->renewals % 4) * 600;
	const struct rg_index_size size = {
		.hosts4 = rooms4[duel->renewals / RG_INDEXES % COUNT(rooms4)],
		.nets6 = which == RG_INDEX_PEERS ? room + 600 : room
	};
	struct part fresh = {};
	int err = make_part(which, &size, &fresh);

	if (!err)
		err = rg_index_copy(fresh.index, parts[which].index);
	return err ? err : enforce(duel->run, which, &fresh);
}

/* Filled out of sight of the packets, then published, as a reload does it; with nets4, or without. */
static int swap_lists(struct duel *duel, bool turned)
{
	const struct rg_index_size size = { .hosts4 = 6 * FIXED, .nets6 = 6 * FIXED, .nets4 = rnd(2) };
	struct rg_index_presence *live = presence;
	struct part fresh = {};
	int err;

	presence = NULL;
	err = make_part(RG_INDEX_LISTS, &size, &fresh);
	presence = live;
	if (!err)
		err = write_lists(fresh.index, FAVOURED, turned ? TURNING_PEER : FAVOURED);
	if (err)
		return err;
	if (rg_index_publish(fresh.index, presence))
		for (int i = RG_INDEX_HOSTS; i < RG_INDEXES; i++)
			rg_index_update_near(parts[i].index);
	return enforce(duel->run, RG_INDEX_LISTS, &fresh);
}

static int reload(struct duel *duel)
{
	bool turned = ++duel->turn / 2 % 2 == 0;
	int err = turn_trie(duel, TURNING_HOST, turned);

	if (!err)
		err = turn_trie(duel, TURNING_PEER, turned);
	if (!err)
		err = swap_lists(duel, turned);
	duel->turn++;
	return err;
}

/* So many come and go that the filters are made anew; nobody asks for them. */
static int wear(enum rg_index_part which)
{
	for (uint32_t i = 0; i < 70000; i++) {
		const struct rg_index_entry entry = { .prefix = around(V4_BASE + 0x20000000 + i * 97,
								       128),
						      .peer_class = RG_CLASS_QIL };

		if (rg_index_put(parts[which].index, &entry) < 0)
			return -ENOMEM;
		rg_index_remove(parts[which].index, &entry.prefix);
	}
	rg_index_rebuild_filters(parts[which].index);
	return 0;
}

static int renew_next(struct duel *duel)
{
	enum rg_index_part which = (enum rg_index_part)(duel->renewals % RG_INDEXES);
	int err = which == RG_INDEX_LISTS ? reload(duel) : renew(duel, which);

	if (!err && which != RG_INDEX_LISTS && rnd(4) == 0)
		err = wear(which);
	/* By the filters alone, and without them. */
	if (duel->renewals % 5 < 2)
		look_everywhere();
	duel->renewals++;
	return err;
}

static void go_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* With one CPU alone they take turns, which is a test, too. */
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* However slow this machine is, neither thread ends before both have done enough. */
static bool is_over(struct duel *duel, atomic_bool *own, bool enough)
{
	if (enough)
		*own = true;
	return duel->failed ||
	       (run_now() >= duel->until && duel->read_enough && duel->written_enough);
}

static bool has_looked(const struct duel *duel)
{
	for (int kind = 0; kind < KINDS; kind++)
		if (duel->lookups[kind] < RACE_LOOKUPS)
			return false;
	return duel->passed[GOING] && duel->passed[GOING] < duel->lookups[GOING] &&
	       duel->turned[0] > RACE_LOOKUPS && duel->turned[1] > RACE_LOOKUPS;
}

/* For the other thread, which is not to wait for ever. */
static void *give_up(struct duel *duel, const char *why)
{
	duel->failed = true;
	return (void *)(uintptr_t)why;
}

static void *run_writer(void *arg)
{
	struct duel *duel = arg;

	go_to_cpu(1);
	while (!is_over(duel, &duel->written_enough, duel->renewals >= RACE_RENEWALS)) {
		uint32_t i = (uint32_t)rnd(2 * COMING), toggle = (uint32_t)rnd(2 * TOGGLED);
		bool goes = duel->there[i] && rnd(3);
		int err;

		err = goes ? remove_one(duel, GOING, i) : write_one(duel, GOING, i, RG_ACTION_DROP);
		duel->there[i] = !goes;
		if (err < 0)
			return give_up(duel, "can't write");
		if (++duel->turns % 4 == 0) {
			duel->toggled[toggle] = !duel->toggled[toggle];
			if (write_one(duel, TOGGLING, toggle,
				      duel->toggled[toggle] ? RG_ACTION_RESET : RG_ACTION_DROP) < 0)
				return give_up(duel, "can't write a toggling one");
		}
		if (duel->turns % RACE_TURNS == 0 && renew_next(duel))
			return give_up(duel, "can't renew");
	}
	return NULL;
}

/* turn: of the lists, if it was the same before and afterwards; else odd. */
static bool is_right(enum kind kind, unsigned int turn, int action)
{
	switch (kind) {
	case LISTED:
		return action == XDP_DROP;
	case UNLISTED:
	case KNOWN:
	case COVERED: /* with a tag */
	case FAVOURED:
		return action == XDP_PASS;
	case TOGGLING:
		return action == XDP_DROP || action == XDP_TX;
	case TURNING_HOST:
		if (turn % 2 == 0)
			return action == (turn / 2 % 2 ? XDP_PASS : XDP_DROP);
		break;
	case TURNING_PEER:
		if (turn % 2 == 0)
			return action == (turn / 2 % 2 ? XDP_DROP : XDP_PASS);
		break;
	default:
		break;
	}
	return action == XDP_DROP || action == XDP_PASS;
}

/* Returns whether it was right; if not, or if there is no answer, wrong says so. */
static bool look_up_one(struct duel *duel, enum kind kind, uint32_t i)
{
	static struct packet packet;
	struct rg_addr from = addr_of(number_in(kind, i));
	unsigned int turn = duel->turn;
	char text[RG_ADDR_TEXT];
	int action;

	build_from(&from, PACKET_PORT, &packet);
	action = run_packet(duel->run, RUN_FILTER, &packet);
	if (turn != duel->turn)
		turn = 1;
	duel->lookups[kind]++;
	duel->passed[kind] += action == XDP_PASS;
	if ((kind == TURNING_HOST || kind == TURNING_PEER) && turn % 2 == 0)
		duel->turned[turn / 2 % 2]++;
	if (is_right(kind, turn, action))
		return true;
	snprintf(duel->wrong, sizeof(duel->wrong), "%s, of kind %d, turn %u: action %d",
		 rg_addr_format(&from, text), kind, turn, action);
	return false;
}

/* How these are answered, the counters say. */
static bool look_up_many(struct duel *duel, enum kind kind, uint32_t i)
{
	static struct packet packet;
	struct rg_addr from = addr_of(number_in(kind, i));

	build_from(&from, PACKET_PORT, &packet);
	duel->lookups[kind] += BLIND;
	return !run_blind(duel->run, RUN_FILTER, &packet, BLIND);
}

static void *run_reader(void *arg)
{
	static const uint32_t counts
		[KINDS] = { [0 ... TURNING_PEER] = 2 * FIXED, [TOGGLING] = 2 * TOGGLED, [GOING] = 2 * COMING };
	struct duel *duel = arg;
	uint64_t seed = 4711;

	go_to_cpu(0);
	while (!is_over(duel, &duel->read_enough, has_looked(duel))) {
		enum kind kind = next_random(&seed) % KINDS;
		uint32_t i = (uint32_t)(next_random(&seed) % counts[kind]);

		/* Not the reset: it overwrites the packet. */
		if (kind <= FAVOURED && next_random(&seed) % 4096 == 0 && !look_up_many(duel, kind, i))
			return give_up(duel, "no run");
		if (!look_up_one(duel, kind, i))
			return give_up(duel, duel->wrong);
	}
	return NULL;
}

/* Each packet was counted: what was done to those that nobody looked at. */
static void check_duel(struct duel *duel)
{
	struct run *run = duel->run;
	uint64_t toggled = count_done(run, RG_CLASS_QIL, RG_ACTION_DROP) +
			   count_done(run, RG_CLASS_QIL, RG_ACTION_RESET);
	uint64_t all = 0, looked = 0, *passed = duel->passed;

	for (uint32_t peer_class = 0; peer_class < RG_CLASS_MAX; peer_class++)
		for (uint32_t action = 0; action < RG_ACTION_MAX; action++)
			all += count_done(run, peer_class, action);
	for (int kind = 0; kind < KINDS; kind++)
		looked += duel->lookups[kind];
	print_message("%llu lookups, %llu updates, %llu renewals\n", (unsigned long long)looked,
		      (unsigned long long)duel->updates, (unsigned long long)duel->renewals);
	assert_true(count_done(run, RG_CLASS_STANDARD, RG_ACTION_DROP) ==
		    duel->lookups[LISTED] + duel->lookups[TURNING_HOST] - passed[TURNING_HOST]);
	assert_true(count_done(run, RG_CLASS_STANDARD, RG_ACTION_TAG) == duel->lookups[COVERED]);
	assert_true(count_done(run, RG_CLASS_CLEAN, RG_ACTION_PASS) ==
		    duel->lookups[KNOWN] + passed[TURNING_PEER]);
	assert_true(count_done(run, RG_CLASS_APPROVED, RG_ACTION_PASS) ==
		    duel->lookups[FAVOURED] + passed[TURNING_HOST]);
	assert_true(count_done(run, RG_CLASS_UNKNOWN, RG_ACTION_PASS) ==
		    duel->lookups[UNLISTED] + passed[GOING]);
	assert_true(toggled == duel->lookups[TOGGLING]);
	assert_true(count_done(run, RG_CLASS_BLOCKED, RG_ACTION_DROP) ==
		    duel->lookups[GOING] - passed[GOING] + duel->lookups[TURNING_PEER] -
			    passed[TURNING_PEER]);
	assert_true(all == looked);
}

static void fill_duel(struct duel *duel)
{
	int failed = 0;

	for (uint32_t i = 0; i < 2 * FIXED; i++) {
		failed |= write_one(duel, LISTED, i, RG_ACTION_DROP) < 0;
		failed |= write_one(duel, COVERED, i, RG_ACTION_TAG) < 0;
		failed |= write_one(duel, FAVOURED, i, RG_ACTION_DROP) < 0;
		failed |= write_one(duel, TURNING_HOST, i, RG_ACTION_DROP) < 0;
		failed |= write_peer(KNOWN, i) < 0 || write_peer(COVERED, i) < 0 ||
			  write_peer(TURNING_PEER, i) < 0;
	}
	for (uint32_t i = 0; i < 2 * TOGGLED; i++)
		failed |= write_one(duel, TOGGLING, i, RG_ACTION_DROP) < 0;
	failed |= turn_trie(duel, FAVOURED, true) || swap_lists(duel, false);
	assert_int_equal(failed, 0);
	/* Else a copy would lose some. */
	assert_int_equal(rg_index_count(parts[RG_INDEX_PEERS].index).overflow, 0);
}

static void test_written_meanwhile(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_PASS,
				       .blocked = RG_ACTION_DROP,
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size tiny[RG_INDEXES] = {
		[RG_INDEX_HOSTS] = { .hosts4 = 1 },
		[RG_INDEX_PEERS] = { .hosts4 = 1, .nets6 = 600 },
	};
	static struct duel duel;
	pthread_t writer, reader;
	void *wrote, *read;

	(void)state;
	memset(&duel, 0, sizeof(duel));
	duel.run = indexed_run(&tuning, tiny);
	run_settings(duel.run)->exact_per_second = 0; /* the trie only where the index asks */
	fill_duel(&duel);
	look_everywhere();
	duel.until = run_now() + RACE_TIME;
	assert_int_equal(pthread_create(&writer, NULL, run_writer, &duel), 0);
	assert_int_equal(pthread_create(&reader, NULL, run_reader, &duel), 0);
	assert_int_equal(pthread_join(writer, &wrote), 0);
	assert_int_equal(pthread_join(reader, &read), 0);
	if (wrote || read)
		fail_msg("%s", wrote ? (const char *)wrote : (const char *)read);
	check_duel(&duel);
	let_go(duel.run);
}

/* ---- banks that change from packet to packet ---- */

#define FLIPPED 128 /* hosts, and peers */
#define FLIP_ROUNDS 100 /* of BLIND packets each */
#define FLIP_SPINS 2048

struct flips {
	struct rg_settings *settings;
	__u32 index[2]; /* settings.index, by turns */
	atomic_bool done;
	uint64_t count;
};

/* In either bank of a part an index, of different sizes. */
static void install_both(struct flips *flips, enum rg_index_part which, const size_t rooms4[2],
			 struct part fresh[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct rg_index_size size = { .hosts4 = rooms4[i] };
		const uint32_t bank = RG_INDEX_BANK(which, i);

		assert_int_equal(make_part(which, &size, &fresh[i]), 0);
		litter(bank);
		flips->index[i] |= rg_index_install(fresh[i].index, presence, filters, bank);
		assert_int_equal(bpf_map_update_elem(indexes, &bank, &fresh[i].fd, BPF_ANY), 0);
	}
}

/* All over IPv4, so that each has filters of its own. */
static struct rg_index_entry flipped(enum rg_index_part which, uint32_t i)
{
	bool is_host = which == RG_INDEX_HOSTS;

	return (struct rg_index_entry){
		.prefix = around(V4_BASE + 0x10000000 + (2 * i + is_host) * 0x9e3779, 128),
		.peer_class = is_host ? RG_CLASS_STANDARD : RG_CLASS_CLEAN,
		.action = is_host ? RG_ACTION_DROP : RG_ACTION_PASS,
		.zone = RG_NO_ZONE,
	};
}

/* The same in both; neither the trie nor `peers` knows of them. */
static void fill_both(enum rg_index_part which, const struct part fresh[2])
{
	for (uint32_t i = 0; i < FLIPPED; i++) {
		const struct rg_index_entry entry = flipped(which, i);

		assert_int_equal(rg_index_put(fresh[0].index, &entry), 0);
		assert_int_equal(rg_index_put(fresh[1].index, &entry), 0);
	}
}

static void *run_flips(void *arg)
{
	struct flips *flips = arg;
	uint64_t seed = 1;

	go_to_cpu(1);
	while (!flips->done) {
		__atomic_store_n(&flips->settings->index, flips->index[++flips->count & 1],
				 __ATOMIC_RELEASE);
		/* Every few packets: a packet that must fetch the line reads it at one moment. */
		for (uint64_t i = next_random(&seed) % FLIP_SPINS; i; i--)
			__asm__ volatile("");
	}
	return NULL;
}

/* Hosts and peers by turns; returns how many packets of each. */
static uint64_t send_flipped(struct run *run)
{
	static struct packet packet;
	cpu_set_t before;
	uint64_t sent = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	go_to_cpu(0);
	for (uint32_t i = 0; i < FLIP_ROUNDS; i++, sent += BLIND)
		for (enum rg_index_part which = RG_INDEX_HOSTS; which < RG_INDEXES; which++) {
			const struct rg_index_entry entry = flipped(which, i % FLIPPED);

			build_from(&entry.prefix.addr, PACKET_PORT, &packet);
			assert_int_equal(run_blind(run, RUN_FILTER, &packet, BLIND), 0);
		}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	return sent;
}

/*
 * A packet that took the bank from one settings.index and the number of filters from the other, or
 * from another part, would look into the wrong filter, and not find who is there.
 */
static void check_flips(const size_t hosts4[2], const size_t peers4[2])
{
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .overload = RG_ACTION_DROP,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size none[RG_INDEXES] = { [RG_INDEX_LISTS] = { .nets4 = true } };
	struct run *run = indexed_run(&tuning, none);
	struct flips flips = { .settings = run_settings(run), .index = { index_of(1), index_of(1) } };
	struct part hosts[2], peers[2];
	pthread_t writer;
	uint64_t sent;

	run_settings(run)->exact_per_second = 0;
	set_in_force(run, flips.index[0]);
	install_both(&flips, RG_INDEX_HOSTS, hosts4, hosts);
	install_both(&flips, RG_INDEX_PEERS, peers4, peers);
	fill_both(RG_INDEX_HOSTS, hosts);
	fill_both(RG_INDEX_PEERS, peers);
	set_in_force(run, flips.index[0]);
	assert_int_equal(pthread_create(&writer, NULL, run_flips, &flips), 0);
	sent = send_flipped(run);
	flips.done = true;
	assert_int_equal(pthread_join(writer, NULL), 0);
	print_message("%llu packets, %llu flips: %llu unknown\n", 2ULL * sent,
		      (unsigned long long)flips.count,
		      (unsigned long long)count_done(run, RG_CLASS_UNKNOWN, RG_ACTION_DROP));
	assert_true(flips.count > sent / 1000);
	assert_true(count_done(run, RG_CLASS_STANDARD, RG_ACTION_DROP) == sent);
	assert_true(count_done(run, RG_CLASS_CLEAN, RG_ACTION_PASS) == sent);
	for (int i = 0; i < 2; i++) {
		close_part(&hosts[i]);
		close_part(&peers[i]);
	}
	let_go(run);
}

static void test_flipped_meanwhile(void **state)
{
	(void)state;
	check_flips((const size_t[]){ 1, 700000 }, (const size_t[]){ 400000, 1 });
	check_flips((const size_t[]){ 200000, 90000 }, (const size_t[]){ 90000, 700000 });
}
static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_written_meanwhile),
	cmocka_unit_test(test_flipped_meanwhile),
};

int main(void)
{
	use_programs(RUN_BIT(RUN_FILTER), RUN_BIT(RUN_FILTER));
	return tests_main("index_races", NULL, 0, tests, COUNT(tests), 0);
}
