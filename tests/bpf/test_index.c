/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index as XDP reads it: with it and without it the same is done to every packet, also while it is
 * being written, and the hits and attempts that are then estimated are about right.
 */
#include "rows.h"

#include <bpf/btf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../userspace/addr.h"
#include "../../userspace/index.h"

typedef unsigned __int128 u128;

#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define DAY (24 * HOUR)
#define V4_BASE ((u128)0xffff << 32)
#define V6_BASE ((u128)0x20010db8 << 96)
#define HITS RUN_HITS
#define SEED 0x5eedULL /* with it some addresses are known to share a few buckets */

/* ---- indexes, as the agent makes them ---- */

struct part {
	struct rg_index *index;
	int fd;
};

static struct part parts[RG_INDEXES];
static struct rg_index_seen *seen;
static int indexes = -1; /* the map */
static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

static uint64_t rnd(uint64_t below)
{
	return (next_random(&random_state) >> 11) % below;
}

/* ns of CLOCK_BOOTTIME, unless the machine was not there yet. */
static uint64_t ago(uint64_t span)
{
	uint64_t now = run_now();

	return now > span ? now - span : 0;
}

/* A descriptor of the programs' map of that name: run.h has those of most, not of all of them. */
static int find_map(const char *name)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct bpf_map_info info = {};
		uint32_t size = sizeof(info);
		char path[40], target[40] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    !strcmp(target, "anon_inode:bpf-map") &&
		    !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, name))
			return fd;
	}
	fail_msg("no map %s", name);
	return -1;
}

static void close_part(struct part *part)
{
	if (!part->index)
		return;
	rg_index_free(part->index);
	close(part->fd);
	part->index = NULL;
}

/* Before Linux 6.2 an inner map must have its template's types. */
static void add_types(struct bpf_map_create_opts *opts)
{
	static struct btf *types;
	static int fd = -1;
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (!types && !bpf_obj_get_info_by_fd(find_map("seen"), &info, &size)) {
		types = btf__load_from_kernel_by_id(info.btf_id);
		fd = bpf_btf_get_fd_by_id(info.btf_id);
	}
	opts->btf_fd = (uint32_t)fd;
	opts->btf_key_type_id = (uint32_t)btf__find_by_name_kind(types, "__u32", BTF_KIND_TYPEDEF);
	opts->btf_value_type_id =
		(uint32_t)btf__find_by_name_kind(types, "rg_index_line", BTF_KIND_STRUCT);
}

/* 0 or a negative error: not only for the thread that may fail a test. */
static int make_part(enum rg_index_part which, const struct rg_index_size *size, struct part *ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	struct rg_index_place place = { .seen = seen, .part = which, .now = ago(HOUR), .seed = SEED };

	add_types(&opts);
	ret->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index", 4, sizeof(struct rg_index_line),
				 rg_index_lines(size), &opts);
	if (ret->fd < 0)
		return ret->fd;
	place.fd = ret->fd;
	return rg_index_new(&ret->index, &place, size);
}

/* From now on packets look into it. */
static int enforce(enum rg_index_part which, struct part *fresh)
{
	uint32_t key = which;
	int err = bpf_map_update_elem(indexes, &key, &fresh->fd, BPF_ANY);

	if (err)
		return err;
	close_part(&parts[which]);
	parts[which] = *fresh;
	rg_index_settle(fresh->index);
	return 0;
}

/* Empty indexes in force, with empty maps behind them. */
static struct run *indexed_run(const struct tuning *tuning, const struct rg_index_size sizes[])
{
	struct run *run = fresh_run(tuning);

	if (!seen) {
		indexes = find_map("indexes");
		seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED,
			    find_map("seen"), 0);
		assert_true(seen != MAP_FAILED);
	}
	for (uint32_t i = 0; i < RG_INDEXES; i++) {
		struct part fresh = {};

		assert_int_equal(make_part(i, &sizes[i], &fresh), 0);
		assert_int_equal(enforce(i, &fresh), 0);
	}
	run_settings(run)->index = RG_INDEX_ALL;
	return run;
}

static void let_go(struct run *run)
{
	run_settings(run)->index = 0;
	for (uint32_t i = 0; i < RG_INDEXES; i++)
		close_part(&parts[i]);
}

/* ---- packets by number ---- */

static u128 number_of(const struct rg_addr *addr)
{
	return (u128)rg_addr_half(addr, 0) << 64 | rg_addr_half(addr, 1);
}

static struct rg_addr addr_of(u128 number)
{
	struct rg_addr addr;

	for (int i = 15; i >= 0; i--, number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

static struct rg_prefix around(u128 number, uint32_t len)
{
	struct rg_prefix prefix = { .len = len, .addr = addr_of(number) };

	rg_prefix_mask(&prefix);
	return prefix;
}

/* IPv4 addresses that have their places in a few buckets, of the smallest number of them. */
#define CROWD4 1600
#define CROWD4_BUCKETS 16

static u128 crowd4(uint32_t at)
{
	static uint32_t addrs[CROWD4], count, next = 0x0b000000;

	for (; count < CROWD4; next++)
		if (rg_index_home(rg_index_mix4(next, SEED), RG_INDEX_BUCKETS4_MIN) < CROWD4_BUCKETS)
			addrs[count++] = next;
	return V4_BASE + addrs[at];
}

/*
 * A SYN from any address and port, without building it from text. Its checksums are not right; the
 * filter leaves those to the kernel.
 */
static void build_from(const struct rg_addr *from, uint16_t port, struct packet *packet)
{
	static struct packet four, six;
	bool is4 = rg_addr_is_v4(from);
	const struct packet *usual = is4 ? &four : &six;

	if (!four.len) {
		packet_build(&(struct packet_spec){}, &four);
		packet_build(&(struct packet_spec){ SIX }, &six);
	}
	packet->len = usual->len;
	packet->l3 = usual->l3;
	packet->l4 = usual->l4;
	memcpy(packet->data, usual->data, usual->len);
	if (is4)
		memcpy(packet->data + packet->l3 + 12, from->bytes + RG_ADDR_V4_OFFSET, 4);
	else
		memcpy(packet->data + packet->l3 + 8, from->bytes, sizeof(from->bytes));
	packet->data[packet->l4] = (uint8_t)(port >> 8);
	packet->data[packet->l4 + 1] = (uint8_t)port;
}

/* What is done, and with which tag; negative: an error. */
static int outcome(struct run *run, const struct rg_addr *from)
{
	static struct packet packet;
	int action;

	build_from(from, PACKET_PORT, &packet);
	action = run_packet(run, RUN_FILTER, &packet);
	if (action < 0 || action == XDP_TX)
		return action;
	return action << 16 | packet.data[packet.l3] << 8 | packet.data[packet.l3 + 1];
}

/* ---- the index and the tries ---- */

static size_t compared, refused, asked;

/* Time goes on between two packets: only what differs twice from the one between is different. */
static void compare(struct run *run, u128 number)
{
	const struct rg_addr addr = addr_of(number);
	struct rg_settings *settings = run_settings(run);
	int with, without, again;
	char text[RG_ADDR_TEXT];

	settings->index = RG_INDEX_ALL;
	with = outcome(run, &addr);
	settings->index = 0;
	without = outcome(run, &addr);
	settings->index = RG_INDEX_ALL;
	assert_true(with >= 0 && without >= 0);
	compared++;
	for (int i = 0; i < RG_INDEXES; i++)
		asked += rg_index_find(parts[i].index, &addr, run_now()) == RG_INDEX_ASK;
	refused += without >> 16 != XDP_PASS;
	if (with == without)
		return;
	again = outcome(run, &addr);
	if (again != without)
		fail_msg("%s: %#x with the index, %#x without it", rg_addr_format(&addr, text),
			 again, without);
}

static void put_verdict(struct run *run, const struct rg_index_entry *entry)
{
	struct rg_verdict verdict = { .expiry = entry->expiry,
				      .prefix_len = entry->prefix.len,
				      .class = entry->class,
				      .details = put_details(run, HITS),
				      .action = entry->action,
				      .zone = entry->zone };

	assert_int_equal(
		bpf_map_update_elem(run_maps(run).verdicts, &entry->prefix, &verdict, BPF_ANY), 0);
}

/* The map first, then the index, as the agent does. */
static void put_known(struct run *run, enum place place, const struct rg_index_entry *entry)
{
	struct rg_peer peer = { .expiry = entry->expiry, .state = RG_PEER_CLEAN };
	enum rg_index_part part = place == LISTS ? RG_INDEX_LISTS : RG_INDEX_HOSTS;

	if (place == LISTS)
		put_list(run_maps(run).lists_now, &entry->prefix, entry->class, entry->expiry);
	else if (place == VERDICTS)
		put_verdict(run, entry);
	else
		assert_int_equal(bpf_map_update_elem(run_maps(run).peers, &entry->prefix.addr,
						     &peer, BPF_ANY),
				 0);
	assert_true(rg_index_put(parts[part].index, entry) >= 0);
}

static const u128 bases[] = { V4_BASE + 0x0a000000,	 V4_BASE + 0xc0000200, V4_BASE, V6_BASE,
			      V6_BASE + ((u128)1 << 64), (u128)0xfd << 120 };

static u128 random_number(void)
{
	u128 number = bases[rnd(COUNT(bases))];

	number += rnd(2) ? rnd(1 << 12) : rnd(1 << 8);
	if (number >> 64)
		number += (u128)rnd(1 << 8) << 64 | (u128)(rnd(8) == 0 ? rnd(1 << 16) : 0) << 80;
	return number;
}

static struct rg_index_entry random_entry(enum place place, uint32_t peer_bits)
{
	static const enum rg_action actions[] = { RG_ACTION_PASS, RG_ACTION_DROP, RG_ACTION_RESET,
						  RG_ACTION_TAG };
	const uint64_t now = run_now();
	const uint64_t ends[] = { 0, now + HOUR, now + 30 * DAY, now + 2 * UNIT, now + UNIT / 2, 1 };
	u128 number = random_number();
	bool is4 = !(number >> 64);
	uint32_t least = is4 ? 96 + 10 : 6;
	struct rg_index_entry entry = { .expiry = ends[rnd(COUNT(ends))], .zone = RG_NO_ZONE };

	entry.prefix = around(number, rnd(3) ? (uint32_t)(least + rnd(129 - least)) :
				      is4    ? 128 :
					       64);
	if (place == LISTS) {
		entry.class = rnd(2) ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED;
	} else if (place == VERDICTS) {
		entry.class = rnd(2) ? RG_CLASS_STANDARD : RG_CLASS_QIL;
		entry.action = actions[rnd(COUNT(actions))];
		entry.zone = (uint32_t)rnd(2); /* a few answers more than an index can tell */
	} else {
		entry.prefix = around(number, is4 ? 128 : peer_bits);
		entry.class = RG_CLASS_CLEAN;
		entry.action = RG_ACTION_PASS;
		entry.expiry = ends[1 + rnd(COUNT(ends) - 1)];
	}
	return entry;
}

static int by_length(const void *a, const void *b)
{
	const struct rg_index_entry *left = a, *right = b;

	return (int)left->prefix.len - (int)right->prefix.len;
}

#define ROUNDS 22 /* each waits for the kernel when it puts indexes in force */
#define ENTRIES 60 /* of each place */
#define RANDOM_LOOKUPS 900 /* for each part's entries */

/* Some of the lengths' turn: after all rounds each was there, of both families. */
static void force_lengths(struct rg_index_entry *entries, int round)
{
	for (uint32_t i = 0; i < 6; i++)
		entries[i].prefix = around(V6_BASE + rnd(16), ((uint32_t)round * 6 + i) % 129);
	for (uint32_t i = 0; i < 2; i++)
		entries[6 + i].prefix = around(V4_BASE + 0x0a000000 + rnd(1 << 12),
					       96 + ((uint32_t)round * 2 + i) % 33);
}

static void check_lookups(struct run *run, const struct rg_index_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct rg_prefix *prefix = &entries[i].prefix;
		const struct rg_addr last = rg_prefix_last(prefix);
		u128 low = number_of(&prefix->addr), high = number_of(&last);
		const u128 numbers[] = { low,
					 high,
					 low + 1,
					 high - 1,
					 low - 1,
					 high + 1,
					 low + (random_number() & (high - low)),
					 low | (rnd(UINT32_MAX) & (high - low)),
					 high ^ (u128)rnd(256) << (128 - prefix->len) % 128,
					 low + ((u128)rnd(UINT32_MAX) << 64 & (high - low)) };

		for (size_t j = 0; j < COUNT(numbers); j++)
			compare(run, numbers[j]);
	}
	for (int i = 0; i < RANDOM_LOOKUPS; i++)
		compare(run, random_number());
	for (int i = 0; i < RANDOM_LOOKUPS / 8; i++)
		compare(run, V4_BASE + rnd(UINT32_MAX));
}

static void check_round(int round)
{
	static const enum rg_action blocked[] = { RG_ACTION_DROP, RG_ACTION_RESET, RG_ACTION_TAG };
	/* No tokens for unknown peers, so that none is marked in `peers`. */
	const struct tuning tuning = { .unknown = round & 1 ? RG_ACTION_DROP : RG_ACTION_PASS,
				       .overload = RG_ACTION_DROP,
				       .blocked = blocked[round % 3],
				       .peer_bits = round % 5 ? 64 : 48 + round % 2 * 80,
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size sizes[RG_INDEXES] = {
		[RG_INDEX_LISTS] = { .hosts4 = round % 4 * 200000, .nets4 = true },
		[RG_INDEX_HOSTS] = { .hosts4 = round % 7 * 100000 },
	};
	/* A peer that gets a verdict is in its place: nobody is both in the index. */
	static const enum place first[] = { LISTS, PEERS, VERDICTS },
				last[] = { PEERS, VERDICTS, LISTS };
	const enum place *places = round % 3 ? first : last;
	static struct rg_index_entry entries[COUNT(first)][ENTRIES];
	struct run *run = indexed_run(&tuning, sizes);

	for (size_t i = 0; i < COUNT(first); i++) {
		for (int j = 0; j < ENTRIES; j++)
			entries[i][j] = random_entry(places[i], tuning.peer_bits);
		if (places[i] != PEERS)
			force_lengths(entries[i], round);
		qsort(entries[i], ENTRIES, sizeof(entries[i][0]), by_length);
		for (int j = 0; j < ENTRIES; j++)
			put_known(run, places[i], &entries[i][j]);
	}
	rg_index_heed(parts[RG_INDEX_HOSTS].index);
	for (size_t i = 0; i < COUNT(first); i++) {
		check_lookups(run, entries[i], ENTRIES);
		/* Times count from an hour ago, then from a later time; that says nothing else. */
		for (int j = 0; j < RG_INDEXES; j++)
			rg_index_move(parts[j].index, ago(rnd(HOUR)));
	}
	let_go(run);
}

static void test_same_as_the_tries(void **state)
{
	(void)state;
	compared = refused = asked = 0;
	for (int round = 0; round < ROUNDS; round++)
		check_round(round);
	print_message("%zu addresses compared, %zu of them refused, %zu times the trie was asked\n",
		      compared, refused, asked);
	assert_true(asked < 2 * compared / 20 * 19);
	/* Else it is all of one kind, and shows nothing. */
	assert_true(compared >= 100000 && refused > compared / 5 && refused < compared / 5 * 4);
}

/* Far more than there is room for: who found no slot, and who is beside them, is left to the trie. */
static void test_crowded(void **state)
{
	enum { CROWD = 600 };
	const struct tuning tuning = { .unknown = RG_ACTION_PASS,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 } };
	struct run *run = indexed_run(&tuning, tiny);
	struct rg_index_count count;

	(void)state;
	compared = refused = asked = 0;
	for (uint32_t i = 0; i < CROWD; i++) {
		struct rg_index_entry entry = { .prefix = around(crowd4(2 * i), 128),
						.expiry = run_now() + HOUR,
						.class = RG_CLASS_QIL,
						.action = i & 1 ? RG_ACTION_DROP : RG_ACTION_RESET,
						.zone = i % 4 };

		put_known(run, VERDICTS, &entry);
		entry.prefix = around(V6_BASE + ((u128)(2 * i) << 64), 64);
		put_known(run, VERDICTS, &entry);
	}
	count = rg_index_count(parts[RG_INDEX_HOSTS].index);
	assert_true(count.crowded > CROWD && count.hosts4 > 16 * CROWD4_BUCKETS - 16);
	for (uint32_t i = 0; i < 2 * CROWD; i++) {
		compare(run, crowd4(i));
		compare(run, V6_BASE + ((u128)i << 64) + i);
	}
	print_message("%zu of %d without a slot\n", count.crowded, 2 * CROWD);
	assert_int_equal(refused, 2 * CROWD);
	let_go(run);
}

/* ---- a writer and a reader ---- */

#define RACE_TIME (2 * RG_NSEC_PER_SEC) /* or longer, until they have met often enough */
#define RACE_RENEWALS 8
#define RACE_LOOKUPS 2000 /* of each kind */
#define FIXED 64 /* addresses of each family: always listed, and as many never */
#define TOGGLED 16
#define COMING 400
#define BLIND 20000 /* packets in one go: the first of them costs milliseconds */

enum kind { LISTED, UNLISTED, TOGGLING, GOING, KINDS };

/* All of them in the same few nets or buckets, so that the index has to look. IPv6 is the odd half. */
static u128 number_in(enum kind kind, uint32_t i)
{
	uint32_t at = (i / 2) * KINDS + kind + 1;

	return i & 1 ? V6_BASE + ((u128)at << 64) + 1 : crowd4(at % CROWD4);
}

struct duel {
	struct run *run;
	uint64_t until;
	atomic_bool read_enough, written_enough, failed; /* each thread waits for the other's */
	bool toggled[2 * TOGGLED], there[2 * COMING];
	uint64_t updates, turns, renewals; /* the writer's */
	uint64_t lookups[KINDS], passed; /* the reader's; passed: of those that go */
	char wrong[160];
};

static int write_one(struct duel *duel, enum kind kind, uint32_t i, enum rg_action action)
{
	u128 number = number_in(kind, i);
	const struct rg_index_entry entry = {
		.prefix = around(number, number >> 64 ? 64 : 128),
		.expiry = run_now() + HOUR,
		.class = kind == LISTED	  ? RG_CLASS_STANDARD :
			 kind == TOGGLING ? RG_CLASS_QIL :
					    RG_CLASS_BLOCKED,
		.action = action,
		.zone = i % 3,
	};
	struct rg_verdict verdict = { .expiry = entry.expiry,
				      .prefix_len = entry.prefix.len,
				      .class = entry.class,
				      .action = entry.action,
				      .zone = entry.zone };

	duel->updates++;
	/* From an hour ago on, some steps before there is another one. */
	if (duel->updates % 64 == 0)
		rg_index_move(parts[RG_INDEX_HOSTS].index,
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
	rg_index_remove(parts[RG_INDEX_HOSTS].index, &prefix, false);
	return 0;
}

/* As if there were hosts everywhere. */
static void look_everywhere(void)
{
	memset(seen->hosts4, 0xff, sizeof(seen->hosts4));
}

/* Tiny and crowded, or with more and more room for IPv6. */
static int renew(struct duel *duel)
{
	size_t room = (duel->renewals % 4) * 600;
	const struct rg_index_size size = { .hosts4 = room + 1, .nets6 = room };
	struct part fresh = {};
	int err = make_part(RG_INDEX_HOSTS, &size, &fresh);

	if (!err)
		err = rg_index_copy(fresh.index, parts[RG_INDEX_HOSTS].index);
	if (!err)
		err = enforce(RG_INDEX_HOSTS, &fresh);
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
	return duel->passed && duel->passed < duel->lookups[GOING];
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
		if (duel->turns % 1500 == 0 && renew(duel))
			return give_up(duel, "can't renew");
	}
	return NULL;
}

static bool is_right(enum kind kind, int action)
{
	switch (kind) {
	case LISTED:
		return action == XDP_DROP;
	case UNLISTED:
		return action == XDP_PASS;
	case TOGGLING:
		return action == XDP_DROP || action == XDP_TX;
	default:
		return action == XDP_DROP || action == XDP_PASS;
	}
}

static void *run_reader(void *arg)
{
	static const uint32_t counts[KINDS] = { 2 * FIXED, 2 * FIXED, 2 * TOGGLED, 2 * COMING };
	static struct packet packet;
	struct duel *duel = arg;
	uint64_t seed = 4711;

	go_to_cpu(0);
	while (!is_over(duel, &duel->read_enough, has_looked(duel))) {
		enum kind kind = next_random(&seed) % KINDS;
		struct rg_addr from =
			addr_of(number_in(kind, (uint32_t)(next_random(&seed) % counts[kind])));
		int action;

		build_from(&from, PACKET_PORT, &packet);
		/* How these are answered, the counters say. Not the reset: it overwrites the packet. */
		if (kind <= UNLISTED && next_random(&seed) % 4096 == 0) {
			if (run_blind(duel->run, RUN_FILTER, &packet, BLIND))
				return give_up(duel, "no run");
			duel->lookups[kind] += BLIND;
		}
		action = run_packet(duel->run, RUN_FILTER, &packet);
		duel->lookups[kind]++;
		duel->passed += kind == GOING && action == XDP_PASS;
		if (!is_right(kind, action)) {
			char text[RG_ADDR_TEXT];

			snprintf(duel->wrong, sizeof(duel->wrong), "%s, of kind %d: action %d",
				 rg_addr_format(&from, text), kind, action);
			return give_up(duel, duel->wrong);
		}
	}
	return NULL;
}

/* Each packet was counted: what was done to those that nobody looked at. */
static void check_duel(struct duel *duel)
{
	struct run *run = duel->run;
	uint64_t toggled = count_done(run, RG_CLASS_QIL, RG_ACTION_DROP) +
			   count_done(run, RG_CLASS_QIL, RG_ACTION_RESET);
	uint64_t all = 0, looked = 0;

	for (uint32_t class = 0; class < RG_CLASS_MAX; class ++)
		for (uint32_t action = 0; action < RG_ACTION_MAX; action++)
			all += count_done(run, class, action);
	for (int kind = 0; kind < KINDS; kind++)
		looked += duel->lookups[kind];
	print_message("%llu lookups, %llu updates, %llu renewals\n", (unsigned long long)looked,
		      (unsigned long long)duel->updates, (unsigned long long)duel->renewals);
	assert_true(count_done(run, RG_CLASS_STANDARD, RG_ACTION_DROP) == duel->lookups[LISTED]);
	assert_true(count_done(run, RG_CLASS_UNKNOWN, RG_ACTION_PASS) ==
		    duel->lookups[UNLISTED] + duel->passed);
	assert_true(toggled == duel->lookups[TOGGLING]);
	assert_true(count_done(run, RG_CLASS_BLOCKED, RG_ACTION_DROP) ==
		    duel->lookups[GOING] - duel->passed);
	assert_true(all == looked);
}

static void test_written_meanwhile(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_PASS,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 } };
	static struct duel duel;
	pthread_t writer, reader;
	void *wrote, *read;

	(void)state;
	memset(&duel, 0, sizeof(duel));
	duel.run = indexed_run(&tuning, tiny);
	run_settings(duel.run)->exact_per_second = 0; /* the trie only where the index asks */
	look_everywhere();
	for (uint32_t i = 0; i < 2 * FIXED; i++)
		assert_true(write_one(&duel, LISTED, i, RG_ACTION_DROP) >= 0);
	for (uint32_t i = 0; i < 2 * TOGGLED; i++)
		assert_true(write_one(&duel, TOGGLING, i, RG_ACTION_DROP) >= 0);
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

/* ---- hits and attempts ---- */

#define EXACT 10000

static struct run *counting_run(uint32_t exact, uint32_t index)
{
	const struct tuning tuning = { .no_samples = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 } };
	struct run *run = indexed_run(&tuning, tiny);
	struct rg_index_entry entry = { .prefix = around(V4_BASE + 0x0a000000, 96 + 8),
					.expiry = run_now() + HOUR,
					.class = RG_CLASS_QIL,
					.action = RG_ACTION_DROP,
					.zone = ZONE };

	put_known(run, VERDICTS, &entry);
	entry.prefix = prefix_of("192.0.2.1", 32);
	put_known(run, VERDICTS, &entry);
	entry.prefix = around(V6_BASE, 64);
	put_known(run, VERDICTS, &entry);
	run_settings(run)->exact_per_second = exact;
	run_settings(run)->index = index;
	return run;
}

static uint64_t hits_of(struct run *run, const struct rg_prefix *prefix)
{
	return verdict_hits(run, prefix) - HITS;
}

static void expect_about(const char *what, uint64_t got, uint64_t want, unsigned int percent)
{
	print_message("%s: %llu for %llu\n", what, (unsigned long long)got, (unsigned long long)want);
	if (got < want - want * percent / 100 || got > want + want * percent / 100)
		fail_msg("%s: %llu, not %llu within %u %%", what, (unsigned long long)got,
			 (unsigned long long)want, percent);
}

static void check_hits(const struct rg_prefix *from, uint32_t index)
{
	enum { FEW = RG_EXACT_HITS(EXACT) / 2, MANY = 1000000 };
	struct run *run = counting_run(EXACT, index);
	static struct packet packet;

	build_from(&from->addr, PACKET_PORT, &packet);
	/* What other tests sent in this second counts as well. */
	wait_for_the_next_second(run_now());
	assert_int_equal(run_blind(run, RUN_FILTER, &packet, FEW), 0);
	assert_int_equal(hits_of(run, from), FEW);
	assert_int_equal(run_blind(run, RUN_FILTER, &packet, MANY), 0);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_DROP), FEW + MANY);
	expect_about("hits", hits_of(run, from), FEW + MANY, 15);
	let_go(run);
}

static void test_hits(void **state)
{
	const struct rg_prefix host = prefix_of("192.0.2.1", 32), net = around(V6_BASE, 64);

	(void)state;
	check_hits(&host, RG_INDEX_ALL);
	check_hits(&net, 0);
}

enum flows { PORTS, HOSTS, HOSTS_OF_64, FLOWS };

static uint64_t attempts_of(struct run *run)
{
	struct run_counts counts;

	assert_int_equal(run_counts(run, &counts), 0);
	return counts.at[RG_STAT_DONE + RG_CLASS_QIL * RG_ACTION_MAX + RG_ACTION_DROP].attempts;
}

/* Each connection once. */
static void send_flows(struct run *run, enum flows flows, uint32_t count)
{
	static struct packet packet;

	for (uint32_t i = 0; i < count; i++) {
		u128 number = V4_BASE + (flows == PORTS ? 0xc0000201 : 0x0a000000 + i);
		struct rg_addr from = addr_of(flows == HOSTS_OF_64 ? V6_BASE + i : number);

		build_from(&from, flows == PORTS ? (uint16_t)(1024 + i) : PACKET_PORT, &packet);
		assert_int_equal(run_blind(run, RUN_FILTER, &packet, 1), 0);
	}
}

static void test_attempts(void **state)
{
	enum { MANY = 60000 };
	static const char *const names[] = { "attempts of an address's ports", "of IPv4 hosts",
					     "of a /64's hosts" };

	(void)state;
	for (enum flows flows = 0; flows < FLOWS; flows++) {
		/* A second's beginning has to be waited for: once is enough. */
		struct run *run = counting_run(flows == PORTS ? EXACT : UINT32_MAX, RG_INDEX_ALL);

		if (flows == PORTS)
			wait_for_the_next_second(run_now());
		send_flows(run, flows, EXACT / 4);
		send_flows(run, flows, EXACT / 4); /* once more: no other attempts */
		assert_int_equal(attempts_of(run), EXACT / 4);
		let_go(run);
		run = counting_run(0, RG_INDEX_ALL);
		send_flows(run, flows, MANY);
		expect_about(names[flows], attempts_of(run), MANY, 25);
		let_go(run);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_same_as_the_tries), cmocka_unit_test(test_crowded),
	cmocka_unit_test(test_written_meanwhile), cmocka_unit_test(test_hits),
	cmocka_unit_test(test_attempts),
};

int main(void)
{
	return tests_main("index", NULL, 0, tests, COUNT(tests), 0);
}
