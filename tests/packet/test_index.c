/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index as XDP reads it: with it and without it the same is done to every packet, also while it is
 * being written, and the hits and attempts that are then estimated are about right.
 */
#include "rows.h"

#include <bpf/btf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/addr.h"
#include "index/index.h"

typedef unsigned __int128 u128;

#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define DAY (24 * HOUR)
#define V4_BASE ((u128)0xffff << 32)
#define V6_BASE ((u128)0x20010db8 << 96)
#define HITS RUN_HITS
#define SEED 0x5eedULL /* with it some addresses are known to share a few buckets */
#define ALL_PARTS ((1U << RG_INDEXES) - 1)

/* ---- indexes, as the agent makes them ---- */

struct part {
	struct rg_index *index;
	int fd;
};

static struct part parts[RG_INDEXES];
static struct rg_index_presence *presence;
static int indexes = -1; /* the map */
static __u32 in_force; /* settings.index, when all parts are to be looked into */
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

	if (!types && !bpf_obj_get_info_by_fd(find_map("presence"), &info, &size)) {
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
	struct rg_index_origin origin = { .presence = presence,
					  .part = which,
					  .now = ago(HOUR),
					  .seed = SEED };

	add_types(&opts);
	ret->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index", 4, sizeof(struct rg_index_line),
				 rg_index_lines(size), &opts);
	if (ret->fd < 0)
		return ret->fd;
	origin.fd = ret->fd;
	return rg_index_new(&ret->index, &origin, size);
}

/* A part's byte of settings.index. */
static __u32 byte_of(enum rg_index_part which)
{
	return 0xffU << 8 * which;
}

/* The bank that is not in force; see rg_inner_maps_index_bank(). */
static uint32_t next_bank(enum rg_index_part which)
{
	return RG_INDEX_BANK(which, (in_force >> 8 * which & 3) == 1);
}

static void set_in_force(struct run *run, __u32 index)
{
	in_force = index;
	__atomic_store_n(&run_settings(run)->index, index, __ATOMIC_RELEASE);
}

/*
 * How an index replaces another, in the order of the agent (userspace/index/index_maps.c). An
 * agent may die after each step. 0 or a negative error.
 */
enum step_of { STEP_LITTER, STEP_INSTALL, STEP_MAP, STEP_FLIP, STEP_EMPTY, STEP_RETIRE, STEPS_OF };

/* An agent died within STEP_INSTALL: a bank that is not in force may hold anything. */
static void litter(uint32_t bank)
{
	static const int bytes[] = { 0, 0xff, 0x5a };

	memset(&presence->headers[bank], bytes[rnd(3)], sizeof(presence->headers[bank]));
	if (bank >= RG_INDEX_BANK(RG_INDEX_HOSTS, 0))
		memset(presence->filters4[bank - RG_INDEX_BANK(RG_INDEX_HOSTS, 0)], bytes[rnd(3)],
		       sizeof(presence->filters4[0]));
}

static int take_step(struct run *run, enum step_of step, enum rg_index_part which,
		     const struct part *fresh)
{
	static uint32_t bank, other, force;

	switch (step) {
	case STEP_LITTER:
		bank = next_bank(which);
		other = bank ^ 1;
		litter(bank);
		return 0;
	case STEP_INSTALL:
		force = rg_index_install(fresh->index, presence, bank);
		return 0;
	case STEP_MAP:
		return bpf_map_update_elem(indexes, &bank, &fresh->fd, BPF_ANY);
	case STEP_FLIP:
		set_in_force(run, (in_force & ~byte_of(which)) | force);
		return 0;
	case STEP_EMPTY:
		return bpf_map_delete_elem(indexes, &other) && errno != ENOENT ? -errno : 0;
	default:
		rg_index_retire_previous(fresh->index);
		return 0;
	}
}

/* From now on packets look into it. */
static int enforce(struct run *run, enum rg_index_part which, struct part *fresh)
{
	int err = 0;

	for (enum step_of step = 0; !err && step < STEPS_OF; step++) {
		err = take_step(run, step, which, fresh);
		if (err || step != STEP_EMPTY)
			continue;
		close_part(&parts[which]);
		parts[which] = *fresh;
	}
	return err;
}

/* Empty indexes in force, with empty maps behind them. */
static struct run *indexed_run(const struct tuning *tuning, const struct rg_index_size sizes[])
{
	struct run *run = fresh_run(tuning);

	if (!presence) {
		indexes = find_map("indexes");
		presence = mmap(NULL, sizeof(*presence), PROT_READ | PROT_WRITE, MAP_SHARED,
				find_map("presence"), 0);
		assert_true(presence != MAP_FAILED);
	}
	run_settings(run)->index_seed = SEED;
	for (uint32_t i = 0; i < RG_INDEXES; i++) {
		struct part fresh = {};

		assert_int_equal(make_part(i, &sizes[i], &fresh), 0);
		assert_int_equal(enforce(run, i, &fresh), 0);
	}
	return run;
}

static void let_go(struct run *run)
{
	set_in_force(run, 0);
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

/* IPv4 addresses whose searches begin in a few buckets of the smallest table. */
#define OVERFLOW4 3700
#define OVERFLOW4_BUCKETS 16

static u128 overflowing4(uint32_t at)
{
	static uint32_t addrs[OVERFLOW4], count, next = 0x0b000000;

	for (; count < OVERFLOW4; next++)
		if (rg_index_home(rg_index_mix4(next, SEED), RG_INDEX_BUCKETS4_MIN) <
		    OVERFLOW4_BUCKETS)
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

/* settings.index with these parts alone; bit by enum rg_index_part. */
static __u32 index_of(unsigned int which)
{
	__u32 index = 0;

	for (uint32_t i = 0; i < RG_INDEXES; i++)
		if (which >> i & 1)
			index |= in_force & byte_of(i);
	return index;
}

/*
 * With these parts of the index and without any of it the same is done. Time goes on between two
 * packets: only what differs twice from the one between is different.
 */
static void compare_parts(struct run *run, u128 number, unsigned int which)
{
	const struct rg_addr addr = addr_of(number);
	struct rg_settings *settings = run_settings(run);
	int with, without, again;
	char text[RG_ADDR_TEXT];

	settings->index = index_of(which);
	with = outcome(run, &addr);
	settings->index = 0;
	without = outcome(run, &addr);
	settings->index = index_of(which);
	assert_true(with >= 0 && without >= 0);
	compared++;
	for (int i = 0; i < RG_INDEXES; i++)
		asked += parts[i].index &&
			 rg_index_find(parts[i].index, &addr, run_now()) == RG_INDEX_ASK;
	refused += without >> 16 != XDP_PASS;
	if (with != without) {
		again = outcome(run, &addr);
		if (again != without)
			fail_msg("%s: %#x with the index (parts %#x), %#x without it",
				 rg_addr_format(&addr, text), again, which, without);
	}
	settings->index = in_force;
}

static void compare(struct run *run, u128 number)
{
	compare_parts(run, number, ALL_PARTS);
}

static void put_verdict(struct run *run, const struct rg_index_entry *entry)
{
	struct rg_verdict verdict = { .expiry = entry->expiry,
				      .prefix_len = entry->prefix.len,
				      .peer_class = entry->peer_class,
				      .details = put_details(run, HITS),
				      .action = entry->action,
				      .zone = entry->zone };

	assert_int_equal(
		bpf_map_update_elem(run_maps(run).verdicts, &entry->prefix, &verdict, BPF_ANY), 0);
}

static enum rg_index_part part_of(enum map_kind map)
{
	return map == LISTS ? RG_INDEX_LISTS : map == VERDICTS ? RG_INDEX_HOSTS : RG_INDEX_PEERS;
}

static void put_map(struct run *run, enum map_kind map, const struct rg_index_entry *entry)
{
	struct rg_peer peer = { .expiry = entry->expiry, .state = RG_PEER_CLEAN };

	if (map == LISTS)
		put_list(run_maps(run).lists_now, &entry->prefix, entry->peer_class, entry->expiry);
	else if (map == VERDICTS)
		put_verdict(run, entry);
	else
		assert_int_equal(bpf_map_update_elem(run_maps(run).peers, &entry->prefix.addr,
						     &peer, BPF_ANY),
				 0);
}

/* The map first, then the index, as the agent does. */
static void put_known(struct run *run, enum map_kind map, const struct rg_index_entry *entry)
{
	put_map(run, map, entry);
	assert_true(rg_index_put(parts[part_of(map)].index, entry) >= 0);
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

static struct rg_index_entry random_entry(enum map_kind map, uint32_t peer_bits)
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
	if (map == LISTS) {
		entry.peer_class = rnd(2) ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED;
	} else if (map == VERDICTS) {
		entry.peer_class = rnd(2) ? RG_CLASS_STANDARD : RG_CLASS_QIL;
		entry.action = actions[rnd(COUNT(actions))];
		entry.zone = (uint32_t)rnd(2); /* a few answers more than an index can tell */
	} else {
		entry.prefix = around(number, is4 ? 128 : peer_bits);
		entry.peer_class = RG_CLASS_CLEAN;
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
#define ENTRIES 60 /* of each map */
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

/* Some peers have a verdict as well, which comes first as long as it lives. */
static void share_addresses(struct rg_index_entry *peers, const struct rg_index_entry *verdicts,
			    uint32_t peer_bits)
{
	for (int i = 0; i < ENTRIES / 3; i++) {
		u128 number = number_of(&verdicts[rnd(ENTRIES)].prefix.addr);

		if (number >> 32 == V4_BASE >> 32)
			peers[i].prefix = around(number, 128);
		else if (number >> 64)
			peers[i].prefix = around(number, peer_bits);
	}
}

/* Mostly with all parts that may be on; a part that is off leaves its trie, or `peers`, to answer. */
static void compare_some(struct run *run, u128 number, unsigned int which)
{
	compare_parts(run, number, rnd(2) ? which : which & (unsigned int)rnd(ALL_PARTS + 1));
}

/* which: the parts that may be on. */
static void check_lookups(struct run *run, const struct rg_index_entry *entries, size_t count,
			  unsigned int which)
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
			compare_some(run, numbers[j], which);
	}
	for (int i = 0; i < RANDOM_LOOKUPS; i++)
		compare_some(run, random_number(), which);
	for (int i = 0; i < RANDOM_LOOKUPS / 8; i++)
		compare_some(run, V4_BASE + rnd(UINT32_MAX), which);
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
		[RG_INDEX_PEERS] = { .hosts4 = round % 5 * 100000 },
	};
	static const enum map_kind first[] = { LISTS, VERDICTS, PEERS },
				   last[] = { VERDICTS, PEERS, LISTS };
	const enum map_kind *maps = round % 3 ? first : last;
	/* Of some rounds' lists there is no index, as when it was given up: nothing is known of them. */
	unsigned int which = round % 4 == 3 ? ALL_PARTS & ~(1U << RG_INDEX_LISTS) : ALL_PARTS;
	static struct rg_index_entry entries[COUNT(first)][ENTRIES];
	struct run *run = indexed_run(&tuning, sizes);

	for (size_t i = 0; i < COUNT(first); i++) {
		for (int j = 0; j < ENTRIES; j++)
			entries[i][j] = random_entry(maps[i], tuning.peer_bits);
		if (maps[i] == PEERS)
			share_addresses(entries[i], entries[i - 1], tuning.peer_bits);
		else
			force_lengths(entries[i], round);
		qsort(entries[i], ENTRIES, sizeof(entries[i][0]), by_length);
		for (int j = 0; j < ENTRIES; j++)
			if (which >> part_of(maps[i]) & 1)
				put_known(run, maps[i], &entries[i][j]);
			else
				put_map(run, maps[i], &entries[i][j]);
	}
	rg_index_update_near(parts[RG_INDEX_HOSTS].index);
	rg_index_update_near(parts[RG_INDEX_PEERS].index);
	for (size_t i = 0; i < COUNT(first); i++) {
		check_lookups(run, entries[i], ENTRIES, which);
		/* Times count from an hour ago, then from a later time; that says nothing else. */
		for (int j = 0; j < RG_INDEXES; j++)
			rg_index_advance_epoch(parts[j].index, ago(rnd(HOUR)));
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
	assert_true(asked < RG_INDEXES * compared / 20 * 19);
	/* Else it is all of one kind, and shows nothing. */
	assert_true(compared >= 100000 && refused > compared / 5 && refused < compared / 5 * 4);
}

/* So many addresses that no slot can stand for; nobody has them but who looks for them. */
static void find_mute(u128 *numbers, size_t count)
{
	for (uint32_t next = 0x0c000000, i = 0; i < count; next++)
		if (!(rg_index_mix4(next, SEED) & RG_INDEX_KEY4_MASK))
			numbers[i++] = V4_BASE + next;
}

/* A verdict, a clean peer, both, or, of the last quarter, nothing. */
static void put_overflowing(struct run *run, u128 number, uint32_t i)
{
	struct rg_index_entry entry = { .prefix = around(number, number >> 64 ? 64 : 128),
					.expiry = run_now() + HOUR,
					.peer_class = RG_CLASS_QIL,
					.action = i & 8 ? RG_ACTION_TAG : RG_ACTION_RESET,
					.zone = i % 5 };

	if (i % 4 == 0 || i % 4 == 2)
		put_known(run, VERDICTS, &entry);
	entry.peer_class = RG_CLASS_CLEAN;
	entry.action = RG_ACTION_PASS;
	entry.zone = RG_NO_ZONE;
	if (i % 4 == 1 || i % 4 == 2)
		put_known(run, PEERS, &entry);
}

/* Far more than there is room for: who found no slot, and who is beside them, is left to the trie. */
static void test_overflow(void **state)
{
	enum { OVERFLOW = 1600, MUTE = 16 };
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .overload = RG_ACTION_DROP,
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 },
							[RG_INDEX_PEERS] = { .hosts4 = 1 } };
	struct run *run = indexed_run(&tuning, tiny);
	u128 mute[MUTE];

	(void)state;
	compared = refused = asked = 0;
	find_mute(mute, MUTE);
	for (uint32_t i = 0; i < OVERFLOW; i++) {
		put_overflowing(run, overflowing4(i), i);
		put_overflowing(run, V6_BASE + ((u128)i << 64), i);
		if (i < MUTE)
			put_overflowing(run, mute[i], i);
	}
	for (int part = RG_INDEX_HOSTS; part < RG_INDEXES; part++) {
		struct rg_index_count count = rg_index_count(parts[part].index);

		print_message("%zu of %d without a slot\n", count.overflow, OVERFLOW + MUTE / 2);
		assert_true(count.overflow > OVERFLOW / 2 &&
			    count.hosts4 > 16 * OVERFLOW4_BUCKETS - 16);
	}
	for (uint32_t i = 0; i < OVERFLOW; i++) {
		compare_some(run, overflowing4(i), ALL_PARTS);
		compare(run, V6_BASE + ((u128)i << 64) + i);
		if (i < MUTE)
			compare(run, mute[i]);
	}
	/* Those with nothing, and every other verdict is a reset. */
	assert_int_equal(refused, (2 * OVERFLOW + MUTE) / 4 + (2 * OVERFLOW + MUTE) / 4);
	let_go(run);
}

/* ---- from bank to bank ---- */

#define DYING_ENTRIES 40

/* An index with everything in it that its trie has, of another size each time. */
static int make_full(enum rg_index_part which,
		     struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES], struct part *ret)
{
	const struct rg_index_size size = { .hosts4 = 1 + rnd(rnd(4) ? 200000 : 700000),
					    .nets6 = rnd(1000),
					    .nets4 = which == RG_INDEX_LISTS };
	int ret_code = make_part(which, &size, ret);

	for (int i = 0; !ret_code && i < DYING_ENTRIES; i++)
		ret_code = rg_index_put(ret->index, &entries[which][i]) < 0 ? -ENOMEM : 0;
	return ret_code;
}

static void check_all_entries(struct run *run,
			      struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	for (int part = 0; part < RG_INDEXES; part++)
		for (int i = 0; i < DYING_ENTRIES; i++)
			compare(run, number_of(&entries[part][i].prefix.addr) + rnd(2));
	for (int i = 0; i < 100; i++)
		compare(run, random_number());
}

/* The agent that did these steps has died. Its successor has only what is in the maps. */
static void succeed(struct run *run, struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	in_force = run_settings(run)->index;
	for (int i = 0; i < RG_INDEXES; i++)
		close_part(&parts[i]);
	for (enum rg_index_part part = 0; part < RG_INDEXES; part++) {
		struct part fresh = {};

		assert_int_equal(make_full(part, entries, &fresh), 0);
		check_all_entries(run, entries);
		for (enum step_of step = 0; step < STEPS_OF; step++) {
			assert_int_equal(take_step(run, step, part, &fresh), 0);
			check_all_entries(run, entries);
		}
		parts[part] = fresh;
	}
}

static void check_death(struct run *run, enum rg_index_part part, enum step_of last,
			struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	struct part fresh = {};

	assert_int_equal(make_full(part, entries, &fresh), 0);
	for (enum step_of step = 0; step <= last; step++) {
		assert_int_equal(take_step(run, step, part, &fresh), 0);
		check_all_entries(run, entries);
	}
	if (last < STEP_FLIP) {
		close_part(&fresh);
	} else {
		close_part(&parts[part]);
		parts[part] = fresh;
	}
}

/* Out of force: first the bits, then the maps; what an agent does that gives a part up. */
static void check_giving_up(struct run *run, enum rg_index_part part, int last,
			    struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	uint32_t next = next_bank(part);
	const uint32_t banks[] = { next, next ^ 1 };

	set_in_force(run, in_force & ~byte_of(part));
	check_all_entries(run, entries);
	for (int i = 0; i < last; i++) {
		assert_true(!bpf_map_delete_elem(indexes, &banks[i]) || errno == ENOENT);
		check_all_entries(run, entries);
	}
}

/* Wherever an agent dies that puts an index in force or takes it out: what packets find is right. */
static void test_agent_dies(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .overload = RG_ACTION_DROP,
				       .blocked = RG_ACTION_RESET,
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	static const enum map_kind maps[RG_INDEXES] = { LISTS, VERDICTS, PEERS };
	static struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES];
	const struct rg_index_size none[RG_INDEXES] = { [RG_INDEX_LISTS] = { .nets4 = true } };
	struct run *run = indexed_run(&tuning, none);

	(void)state;
	compared = refused = asked = 0;
	for (int part = 0; part < RG_INDEXES; part++) {
		for (int i = 0; i < DYING_ENTRIES; i++) {
			entries[part][i] = random_entry(maps[part], 64);
			/* No prefixes around all of IPv4's hosts: these are to be found by the filters. */
			if (part == RG_INDEX_HOSTS &&
			    !(number_of(&entries[part][i].prefix.addr) >> 64))
				entries[part][i].prefix.len = RG_ADDR_BITS;
		}
		qsort(entries[part], DYING_ENTRIES, sizeof(entries[part][0]), by_length);
		for (int i = 0; i < DYING_ENTRIES; i++)
			put_map(run, maps[part], &entries[part][i]);
	}
	set_in_force(run, 0);
	succeed(run, entries);
	for (enum rg_index_part part = 0; part < RG_INDEXES; part++) {
		for (enum step_of last = 0; last < STEPS_OF; last++) {
			check_death(run, part, last, entries);
			if (last != STEP_RETIRE)
				succeed(run, entries);
		}
		for (int last = 0; last <= 2; last++) {
			check_giving_up(run, part, last, entries);
			succeed(run, entries);
		}
	}
	print_message("%zu addresses compared, %zu of them refused, %zu times the trie was asked\n",
		      compared, refused, asked);
	assert_true(refused > compared / 5 && refused < compared / 5 * 4);
	let_go(run);
}

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
	memset(presence->filters4, 0xff, sizeof(presence->filters4));
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
		flips->index[i] |= rg_index_install(fresh[i].index, presence, bank);
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

/* ---- hits and attempts ---- */

#define EXACT 10000

/* which: the parts that are looked into, bit by enum rg_index_part */
static struct run *counting_run(uint32_t exact, unsigned int which)
{
	const struct tuning tuning = { .no_samples = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 } };
	struct run *run = indexed_run(&tuning, tiny);
	struct rg_index_entry entry = { .prefix = around(V4_BASE + 0x0a000000, 96 + 8),
					.expiry = run_now() + HOUR,
					.peer_class = RG_CLASS_QIL,
					.action = RG_ACTION_DROP,
					.zone = ZONE };

	put_known(run, VERDICTS, &entry);
	entry.prefix = prefix_of("192.0.2.1", 32);
	put_known(run, VERDICTS, &entry);
	entry.prefix = around(V6_BASE, 64);
	put_known(run, VERDICTS, &entry);
	run_settings(run)->exact_per_second = exact;
	run_settings(run)->index = index_of(which);
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

static void check_hits(const struct rg_prefix *from, unsigned int which)
{
	enum { FEW = RG_EXACT_HITS(EXACT) / 2, MANY = 1000000 };
	struct run *run = counting_run(EXACT, which);
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
	check_hits(&host, ALL_PARTS);
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
		struct run *run = counting_run(flows == PORTS ? EXACT : UINT32_MAX, ALL_PARTS);

		if (flows == PORTS)
			wait_for_the_next_second(run_now());
		send_flows(run, flows, EXACT / 4);
		send_flows(run, flows, EXACT / 4); /* once more: no other attempts */
		assert_int_equal(attempts_of(run), EXACT / 4);
		let_go(run);
		run = counting_run(0, ALL_PARTS);
		send_flows(run, flows, MANY);
		expect_about(names[flows], attempts_of(run), MANY, 25);
		let_go(run);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_same_as_the_tries), cmocka_unit_test(test_overflow),
	cmocka_unit_test(test_agent_dies),	  cmocka_unit_test(test_written_meanwhile),
	cmocka_unit_test(test_flipped_meanwhile), cmocka_unit_test(test_hits),
	cmocka_unit_test(test_attempts),
};

int main(void)
{
	use_programs(RUN_BIT(RUN_FILTER), RUN_BIT(RUN_FILTER));
	return tests_main("index", NULL, 0, tests, COUNT(tests), 0);
}
