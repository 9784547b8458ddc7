/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index by itself, without a kernel: what it answers is what the longest live prefix says, or "ask".
 * The model that says so looks at every entry. "Ask" is always right; so that it is not all that the
 * index says, the tests know where it must not. Where the entries come to lie is random each time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "../../userspace/addr.h"
#include "../../userspace/index.h"

#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define EPOCH (1000 * UNIT)
#define NOW (EPOCH + 1)
#define DAY (86400 * RG_NSEC_PER_SEC)

static struct rg_index_seen *seen;

static int set_up(void **state)
{
	(void)state;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(seen, sizeof(*seen));
}

static struct rg_index *make(const struct rg_index_size *size)
{
	const struct rg_index_place place = { .seen = seen,
					      .part = RG_INDEX_LISTS,
					      .fd = -1,
					      .now = EPOCH };
	struct rg_index *index = NULL;

	assert_int_equal(rg_index_new(&index, &place, size), 0);
	return index;
}

static struct rg_prefix v4(uint32_t addr, uint32_t len)
{
	struct rg_prefix prefix = { .len = RG_V4_PREFIX_BITS + len };

	addr = htobe32(addr);
	prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return prefix;
}

static struct rg_prefix v6(uint64_t net)
{
	struct rg_prefix prefix = { .len = 64 };

	net = htobe64(net);
	memcpy(&prefix.addr, &net, sizeof(net));
	return prefix;
}

static void put(struct rg_index *index, struct rg_prefix prefix, enum rg_class class, uint64_t expiry)
{
	const struct rg_index_entry entry = { .prefix = prefix,
					      .expiry = expiry,
					      .class = class,
					      .action = class == RG_CLASS_CLEAN ? RG_ACTION_PASS :
										  RG_ACTION_NONE,
					      .zone = RG_NO_ZONE };

	assert_true(rg_index_put(index, &entry) >= 0);
}

static uint32_t find(const struct rg_index *index, struct rg_prefix host)
{
	return rg_index_find(index, &host.addr, NOW);
}

/* Within a /25 that became hosts, a longer one that is past the limit for that must not be lost. */
static void test_nested_past_the_limit(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 << 20, .nets4 = true };
	struct rg_index *index = make(&size);

	(void)state;
	for (uint32_t i = 0; i < 2048; i++)
		put(index, v4(0x0a000000 + i * 256, 25), RG_CLASS_BLOCKED, 0);
	put(index, v4(0x0a07ff10, 28), RG_CLASS_APPROVED, 0);
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t answer = find(index, v4(0x0a07ff10 + i, 32));

		if (answer != RG_INDEX_ASK && answer >> RG_INDEX_CLASS_SHIFT != RG_CLASS_APPROVED)
			fail_msg("10.7.255.%u is %#x, not approved", 16 + i, answer);
	}
	rg_index_free(index);
}

/* What a copy has of keys that had no slot is alive for all it knows: a sweep must leave it. */
static void test_sweep_after_crowded_copy(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 2000, .nets6 = 2000 };
	struct rg_index *from = make(&tiny), *to = make(&larger);

	(void)state;
	for (uint32_t i = 1; i < 500; i++) {
		put(from, v4(0x0c000000 + i, 32), RG_CLASS_CLEAN, EPOCH + DAY);
		put(from, v6(0x20010db800000000 + i), RG_CLASS_CLEAN, EPOCH + DAY);
	}
	assert_true(rg_index_count(from).crowded > 0);
	assert_int_equal(rg_index_copy(to, from), 0);
	rg_index_settle(to);
	rg_index_sweep(to, NOW);
	for (uint32_t i = 1; i < 500; i++) {
		assert_int_not_equal(find(to, v4(0x0c000000 + i, 32)), RG_INDEX_NONE);
		assert_int_not_equal(find(to, v6(0x20010db800000000 + i)), RG_INDEX_NONE);
	}
	rg_index_free(from);
	rg_index_free(to);
}

static void check_room(const char *name, bool six, uint64_t first, uint64_t step)
{
	enum { COUNT = 1 << 18 };
	const struct rg_index_size size = { .hosts4 = six ? 0 : COUNT, .nets6 = six ? COUNT : 0 };
	struct rg_index *index = make(&size);
	size_t crowded;

	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t key = first + i * step;

		put(index, six ? v6(key) : v4((uint32_t)key, 32), RG_CLASS_BLOCKED, 0);
	}
	crowded = rg_index_count(index).crowded;
	if (crowded > COUNT / 100)
		fail_msg("%s: %zu of %d found no slot", name, crowded, COUNT);
	rg_index_free(index);
}

/* What it was made for finds room, also addresses that lie side by side. */
static void test_room(void **state)
{
	(void)state;
	check_room("hosts in a row", false, 0x0a000000, 1);
	check_room("every second host", false, 0x0a000000, 2);
	check_room("/64s in a row", true, 0x20010db800000000, 1);
	check_room("/48s in a row", true, 0x20010db800000000, 1 << 16);
}

/* ---- a model: every entry, one by one ---- */

typedef unsigned __int128 u128;

#define V4_BASE ((u128)0xffff << 32)
#define V6_BASE ((u128)0x20010db8 << 96)
#define MODEL_ENTRIES 256

struct model {
	size_t count;
	struct rg_index_entry at[MODEL_ENTRIES];
};

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

static struct rg_index_entry *model_at(struct model *model, const struct rg_prefix *prefix)
{
	for (size_t i = 0; i < model->count; i++)
		if (!rg_prefix_compare(&model->at[i].prefix, prefix))
			return &model->at[i];
	return NULL;
}

static void model_put(struct model *model, const struct rg_index_entry *entry)
{
	struct rg_index_entry *old = model_at(model, &entry->prefix);

	assert_true(old || model->count < MODEL_ENTRIES);
	if (!old)
		old = &model->at[model->count++];
	*old = *entry;
}

static bool is_alive(const struct rg_index_entry *entry, uint64_t now)
{
	return !entry->expiry || entry->expiry > now;
}

static bool is_clean(const struct rg_index_entry *entry)
{
	return entry->class == RG_CLASS_CLEAN;
}

/* The longest live prefix around addr, or NULL. A verdict of any length comes before a clean peer. */
static const struct rg_index_entry *model_find(const struct model *model,
					       const struct rg_addr *addr, uint64_t now)
{
	const struct rg_index_entry *best = NULL;

	for (size_t i = 0; i < model->count; i++) {
		const struct rg_index_entry *entry = &model->at[i];

		if (is_alive(entry, now) && rg_prefix_covers(&entry->prefix, addr) &&
		    (!best || is_clean(entry) < is_clean(best) ||
		     (is_clean(entry) == is_clean(best) && entry->prefix.len > best->prefix.len)))
			best = entry;
	}
	return best;
}

/* ---- an index beside its model ---- */

struct pair {
	struct rg_index *index;
	enum rg_index_part part;
	uint64_t epoch;
	bool nets4;
	size_t looked, asked; /* lookups, and how many of them said "ask" */
	struct model model;
};

static uint64_t random_state = 88172645463325252ULL;

static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static u128 rnd128(void)
{
	return ((u128)rnd(1ULL << 32) << 96) | ((u128)rnd(1ULL << 32) << 64) |
	       ((u128)rnd(1ULL << 32) << 32) | rnd(1ULL << 32);
}

/* Nothing is seen: anonymous memory that was given back is zero again. */
static void clear_seen(void)
{
	assert_int_equal(madvise(seen, sizeof(*seen), MADV_DONTNEED), 0);
}

/* shown: NULL, or seen */
static void open_shown(struct pair *pair, enum rg_index_part part, const struct rg_index_size *size,
		       uint64_t epoch, struct rg_index_seen *shown)
{
	const struct rg_index_place place = { .seen = shown, .part = part, .fd = -1, .now = epoch };

	*pair = (struct pair){ .part = part, .epoch = epoch, .nets4 = size->nets4 };
	assert_int_equal(rg_index_new(&pair->index, &place, size), 0);
}

static void open_pair(struct pair *pair, enum rg_index_part part, const struct rg_index_size *size,
		      uint64_t epoch)
{
	open_shown(pair, part, size, epoch, seen);
}

static void close_pair(struct pair *pair)
{
	rg_index_free(pair->index);
	pair->index = NULL;
}

static void put_pair(struct pair *pair, const struct rg_index_entry *entry)
{
	model_put(&pair->model, entry);
	assert_true(rg_index_put(pair->index, entry) >= 0);
}

static uint32_t answer_for(const struct rg_index_entry *entry)
{
	uint32_t zone = entry->zone < RG_MAX_ZONES ? entry->zone : RG_INDEX_NO_ZONE;

	return (uint32_t)entry->class << RG_INDEX_CLASS_SHIFT |
	       (uint32_t)entry->action << RG_INDEX_ACTION_SHIFT | zone;
}

static void check_until(const struct pair *pair, const struct rg_addr *addr, uint64_t now,
			uint32_t got, const struct rg_index_entry *want)
{
	uint64_t until = rg_index_until(pair->index, addr, now);

	if (got <= RG_INDEX_ASK) {
		assert_true(until == 0);
		return;
	}
	/* nets4 does not know: 0. For good is as long as a slot can say. */
	if (until && want->expiry && (until <= now || until > want->expiry))
		fail_msg("until %llu, but the entry ends at %llu and it is %llu",
			 (unsigned long long)until, (unsigned long long)want->expiry,
			 (unsigned long long)now);
}

/* No slot of hosts can stand for such an address: it is always asked about, one of 262,144. */
static bool is_mute(const struct pair *pair, const struct rg_addr *addr)
{
	uint32_t host = (uint32_t)rg_addr_half(addr, 1);

	return rg_addr_is_v4(addr) &&
	       !(rg_index_mix4(host, rg_index_header(pair->index)->seed) & RG_INDEX_KEY4_MASK);
}

/* want: what holds for addr, or NULL. Returns what the index says. */
static uint32_t check_one(struct pair *pair, const struct rg_addr *addr, uint64_t now,
			  const struct rg_index_entry *want)
{
	uint32_t got = rg_index_find(pair->index, addr, now);
	uint32_t expected = want ? answer_for(want) : RG_INDEX_NONE;
	uint32_t mask = pair->nets4 ? ~(uint32_t)RG_INDEX_ZONE_MASK : ~0U; /* lists have no zones */
	char text[RG_ADDR_TEXT], prefix[RG_PREFIX_TEXT] = "nothing";

	pair->looked++;
	pair->asked += got == RG_INDEX_ASK && !is_mute(pair, addr);
	if (got != RG_INDEX_ASK && ((got ^ expected) & mask)) {
		if (want)
			rg_prefix_format(&want->prefix, prefix);
		fail_msg("part %d, %s at epoch + %lld: %#x, not %#x of %s", pair->part,
			 rg_addr_format(addr, text), (long long)(now - pair->epoch), got, expected,
			 prefix);
	}
	check_until(pair, addr, now, got, want);
	return got;
}

static uint32_t check_at(struct pair *pair, u128 number, uint64_t now)
{
	const struct rg_addr addr = addr_of(number);

	return check_one(pair, &addr, now, model_find(&pair->model, &addr, now));
}

/* Both of its ends, from within and from without, and some addresses in it. */
static void check_around(struct pair *pair, const struct rg_prefix *prefix, uint64_t now)
{
	const struct rg_addr last = rg_prefix_last(prefix);
	u128 low = number_of(&prefix->addr), high = number_of(&last);

	check_at(pair, low, now);
	check_at(pair, high, now);
	check_at(pair, low - 1, now);
	check_at(pair, high + 1, now);
	for (int i = 0; i < 8; i++)
		check_at(pair, low + (rnd128() & (high - low)), now);
	/* Its neighbour of the same length. */
	if (prefix->len)
		check_at(pair, low ^ (u128)1 << (RG_ADDR_BITS - prefix->len), now);
}

static void expect_asked(const struct pair *pair, size_t most, const char *what)
{
	if (pair->asked > most)
		fail_msg("%s: %zu of %zu lookups said \"ask\"", what, pair->asked, pair->looked);
}

/* Until when the index has it that an entry lives: what maps/index.h says of times, once more. */
static uint64_t rounded(uint64_t expiry, uint64_t made)
{
	static const uint32_t shifts[] = { 33, 35, 38, 41 };
	uint64_t epoch = made - UNIT; /* one back */

	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		uint64_t units = expiry >> shifts[i], from = epoch >> shifts[i];

		if (units <= from + (i < 3 ? 255 : 254))
			return units << shifts[i];
	}
	return ((epoch >> 41) + 254) << 41;
}

static bool is_known(uint64_t expiry, uint64_t now)
{
	return !expiry || rounded(expiry, EPOCH) > now;
}

/* ---- one prefix ---- */

static const struct life {
	const char *name;
	uint64_t expiry;
	uint64_t now;
} lives[] = {
	{ "for good", 0, NOW },
	{ "for good, much later", 0, EPOCH + 30 * DAY },
	{ "alive", EPOCH + DAY, NOW },
	{ "alive for a unit", EPOCH + 200 * UNIT, EPOCH + 199 * UNIT },
	{ "in its last unit", EPOCH + 200 * UNIT, EPOCH + 200 * UNIT - 1 },
	{ "just over", EPOCH + DAY, EPOCH + DAY },
	{ "over", EPOCH + DAY, EPOCH + 2 * DAY },
	{ "over before the epoch", 1, NOW },
	{ "shorter than a unit", EPOCH + UNIT / 2, NOW },
	{ "an hour, for most of it", EPOCH + DAY / 24, EPOCH + DAY / 25 },
	{ "half a day, for most of it", EPOCH + DAY / 2, EPOCH + DAY / 2 - 40 * UNIT },
	{ "five days, for most of it", EPOCH + 5 * DAY, EPOCH + 5 * DAY - 300 * UNIT },
	{ "alive for weeks", EPOCH + 20 * DAY, EPOCH + 6 * DAY },
	{ "alive for weeks, past 7 days", EPOCH + 20 * DAY, EPOCH + 7 * DAY },
};

/* Whether the format can say exactly what holds within prefix and beside it. */
static bool is_exact(const struct rg_prefix *prefix, const struct life *life, bool nets4)
{
	bool is4 = rg_addr_is_v4(&prefix->addr) && prefix->len >= RG_V4_PREFIX_BITS;

	if (is4 && prefix->len == RG_ADDR_BITS)
		return is_known(life->expiry, life->now);
	if (is4 && nets4 && prefix->len > RG_V4_PREFIX_BITS + 24)
		return is_known(life->expiry, life->now);
	if (is4)
		return nets4 && !life->expiry;
	return prefix->len == 64 && is_known(life->expiry, life->now);
}

static void check_alone(u128 number, uint32_t len, const struct life *life, bool nets4)
{
	const struct rg_index_size size = { .hosts4 = 512, .nets6 = 8, .nets4 = nets4 };
	const struct rg_index_entry entry = {
		.prefix = around(number, len),
		.expiry = life->expiry,
		.class = nets4	 ? (len & 1 ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED) :
			 len & 1 ? RG_CLASS_STANDARD :
				   RG_CLASS_QIL,
		.action = nets4 ? RG_ACTION_NONE : RG_ACTION_PASS + len % 7,
		.zone = nets4 ? RG_NO_ZONE : len % RG_MAX_ZONES,
	};
	char name[120], text[RG_PREFIX_TEXT];
	static struct pair pair;

	clear_seen();
	open_pair(&pair, len % RG_INDEXES, &size, EPOCH);
	put_pair(&pair, &entry);
	check_around(&pair, &entry.prefix, life->now);
	snprintf(name, sizeof(name), "%s %s%s", rg_prefix_format(&entry.prefix, text), life->name,
		 nets4 ? ", nets4" : "");
	if (is_exact(&entry.prefix, life, nets4))
		expect_asked(&pair, 0, name);
	close_pair(&pair);
}

/* Those shorter than cheap, which take millions of stores or differ little, in one life alone. */
static void check_every_length(u128 number, uint32_t first, uint32_t last, uint32_t cheap)
{
	for (uint32_t len = first; len <= last; len++)
		for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
			if (len < cheap && i != (len & 1) * 2)
				continue;
			check_alone(number, len, &lives[i], true);
			if (len >= cheap)
				check_alone(number, len, &lives[i], false);
		}
}

static void test_alone(void **state)
{
	(void)state;
	check_every_length(V4_BASE + 0xc0a8a7c5, 96, 128, 96 + 8);
	check_every_length(V4_BASE, 96 + 16, 128, 0);
	check_every_length(V4_BASE + UINT32_MAX, 96 + 16, 128, 0);
	check_every_length(V6_BASE + ((u128)0x12345678 << 64) + 0x99, 3, 128, 0);
	check_every_length(((u128)0xffff << 112) + 1, 1, 128, 129);
	/* What has all of IPv4 in it, and what lies beside it. */
	for (uint32_t len = 0; len <= 80; len += 80)
		check_alone(0, len, &lives[len / 40], len);
	check_every_length(0, 81, 128, 0);
	check_every_length(V4_BASE - 1, 97, 128, 129);
	check_every_length((u128)0x10000 << 32, 97, 128, 129);
}

/* ---- prefixes in prefixes ---- */

struct chain {
	u128 number;
	uint32_t first, last; /* lengths */
	uint32_t step;
	unsigned int parity; /* which of them are approved */
	unsigned int timed; /* every so many-th ends; 0: none */
	bool nets4;
};

static struct rg_index_entry link_of(const struct chain *chain, uint32_t len)
{
	/* Alive, over, in its last unit. */
	static const uint64_t ends[] = { EPOCH + DAY, EPOCH, NOW + UNIT / 2 };

	return (struct rg_index_entry){
		.prefix = around(chain->number, len),
		.expiry = chain->timed && len % chain->timed == 0 ? ends[len / chain->timed % 3] : 0,
		.class = (len / chain->step + chain->parity) & 1 ? RG_CLASS_APPROVED :
								   RG_CLASS_BLOCKED,
		.zone = RG_NO_ZONE,
	};
}

static void check_chain(const struct chain *chain)
{
	const struct rg_index_size size = { .hosts4 = 512, .nets6 = 8, .nets4 = chain->nets4 };
	static const uint64_t nows[] = { NOW, NOW + UNIT, EPOCH + 2 * DAY, EPOCH + 20 * DAY };
	static struct pair pair;

	clear_seen();
	open_pair(&pair, RG_INDEX_LISTS, &size, EPOCH);
	for (uint32_t len = chain->first; len <= chain->last; len += chain->step) {
		const struct rg_index_entry entry = link_of(chain, len);

		put_pair(&pair, &entry);
	}
	for (uint32_t len = chain->first; len <= chain->last; len += chain->step) {
		const struct rg_prefix prefix = around(chain->number, len);

		for (size_t i = 0; i < ARRAY_SIZE(nows); i++)
			check_around(&pair, &prefix, nows[i]);
	}
	/* Permanent IPv4 prefixes are all in the table or made hosts. */
	if (chain->nets4 && !chain->timed && chain->first >= RG_V4_PREFIX_BITS &&
	    chain->number >> 32 == V4_BASE >> 32)
		expect_asked(&pair, 0, "a chain");
	close_pair(&pair);
}

static void test_chains(void **state)
{
	static const uint32_t hosts[] = { 0x0a010203, 0, 0xffffffff, 0xc0000280 };

	(void)state;
	check_chain(&(struct chain){ V4_BASE + hosts[0], 96, 128, 1, 0, 0, true });
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		for (unsigned int form = 0; form < 16; form++)
			check_chain(&(struct chain){ .number = V4_BASE + hosts[i],
						     .first = 96 + 8,
						     .last = 128,
						     .step = 1,
						     .parity = form & 1,
						     .timed = form >> 2,
						     .nets4 = form >> 1 & 1 });
	for (unsigned int form = 0; form < 8; form++) {
		check_chain(&(struct chain){ V6_BASE + 5, 3, 128, 1, form & 1, form >> 1, false });
		check_chain(&(struct chain){ ~(u128)0, 1, 128, 1, form & 1, form >> 1, false });
		check_chain(&(struct chain){ 1, 81, 128, 1, form & 1, form >> 1, true });
	}
	check_chain(&(struct chain){ V4_BASE + 0x01020304, 80, 128, 16, 1, 0, true });
}

/* Each length in each shorter one, approved in blocked and the other way. */
static void test_pairs(void **state)
{
	const u128 number = V4_BASE + 0x0b16a1b7;

	(void)state;
	for (uint32_t outer = 96 + 8; outer < 128; outer++)
		for (uint32_t inner = outer + 1; inner <= 128; inner++)
			for (unsigned int form = 0; form < 4; form++) {
				struct chain chain = { number,	      outer,	inner,
						       inner - outer, form & 1, (form >> 1) * 3,
						       true };

				check_chain(&chain);
			}
}

/* ---- many of every kind ---- */

static const u128 bases[] = { V4_BASE + 0x0a000000,
			      V4_BASE + 0x0a000080,
			      V4_BASE,
			      V4_BASE + 0xffffff00,
			      V6_BASE,
			      V6_BASE + ((u128)1 << 64),
			      (u128)0x20010db9 << 96,
			      (u128)1 << 72 };

static struct rg_index_entry random_entry(bool nets4)
{
	static const uint64_t ends[] = {
		0, 0, EPOCH + DAY, EPOCH + DAY + UNIT, EPOCH + 20 * DAY, EPOCH + UNIT - 1, 1
	};
	u128 number = bases[rnd(ARRAY_SIZE(bases))] + rnd(4) * rnd(1 << 12);
	bool is4 = number >> 32 == 0xffff;
	/* An IPv6 one shorter than that which has IPv4 in it is slow, and tried elsewhere. */
	uint32_t least = is4 ? 96 + 8 : number >> 96 ? 3 : 81, len;

	len = rnd(3) ? (uint32_t)(least + rnd(129 - least)) : is4 || !(number >> 96) ? 128 : 64;
	if (!nets4 && rnd(4) == 0)
		return (struct rg_index_entry){ .prefix = around(number, number >> 64 ? 64 : 128),
						.expiry = ends[rnd(ARRAY_SIZE(ends))],
						.class = RG_CLASS_CLEAN,
						.action = RG_ACTION_PASS,
						.zone = RG_NO_ZONE };
	return (struct rg_index_entry){
		.prefix = around(number, len),
		.expiry = ends[rnd(ARRAY_SIZE(ends))],
		.class = rnd(2) ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED,
		.action = nets4 ? RG_ACTION_NONE : (enum rg_action)rnd(RG_ACTION_MAX),
		.zone = nets4 || rnd(2) ? RG_NO_ZONE : (uint32_t)rnd(RG_MAX_ZONES),
	};
}

static int by_length(const void *a, const void *b)
{
	const struct rg_index_entry *left = a, *right = b;

	return (int)left->prefix.len - (int)right->prefix.len;
}

static const uint64_t times[] = { NOW,
				  EPOCH + DAY - UNIT,
				  EPOCH + DAY - 1,
				  EPOCH + DAY,
				  EPOCH + DAY + UNIT,
				  EPOCH + 5 * DAY,
				  EPOCH + 14 * DAY,
				  EPOCH + 20 * DAY };

static void check_all(struct pair *pair)
{
	for (size_t i = 0; i < pair->model.count; i++)
		check_around(pair, &pair->model.at[i].prefix, times[rnd(ARRAY_SIZE(times))]);
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		check_at(pair, bases[i] + rnd(1 << 10), times[rnd(ARRAY_SIZE(times))]);
}

static void test_random(void **state)
{
	static struct pair pair;

	(void)state;
	for (int round = 0; round < 300; round++) {
		const struct rg_index_size size = { .hosts4 = rnd(2) * 300, .nets4 = round & 1 };
		size_t count = 1 + rnd(round % 8 ? 12 : 100);
		struct rg_index_entry entries[100];

		for (size_t i = 0; i < count; i++)
			entries[i] = random_entry(size.nets4);
		if (size.nets4)
			qsort(entries, count, sizeof(*entries), by_length);
		clear_seen();
		open_pair(&pair, rnd(RG_INDEXES), &size, EPOCH);
		for (size_t i = 0; i < count; i++)
			put_pair(&pair, &entries[i]);
		check_all(&pair);
		if (rnd(10) == 0) {
			rg_index_settle(pair.index);
			check_all(&pair);
		}
		close_pair(&pair);
	}
}

/* ---- small tables: hosts and /64s that come and go ---- */

#define KEYS 1200 /* of each family, of which about half are there */
#define CHURN_ROUNDS 120000

/* No two overlap, so what holds for one is known at once. */
struct crowd {
	struct pair pair;
	bool there[2 * KEYS];
	struct rg_index_entry entries[2 * KEYS];
	size_t live;
	uint64_t now;
};

static struct rg_prefix key_of(size_t key)
{
	/* Some nets beside each other, some far away; odd numbers are never put. */
	uint64_t at = key % KEYS;

	if (key < KEYS)
		return v4((uint32_t)(at % 3 ? 0x0a000000 + at * 2 : at << 20 | 0x42), 32);
	return v6(at % 3 ? 0x20010db800000000 + at * 2 :
			   (at + 1) << 44 | at << 8); /* not ::/64: IPv4 lies in it */
}

static struct rg_index_entry entry_of(size_t key, uint64_t now)
{
	const uint64_t ends[] = { 0, now + 1, now + UNIT, now + 3 * UNIT, now + 40 * UNIT, now + DAY };

	if (rnd(3) == 0)
		return (struct rg_index_entry){ .prefix = key_of(key),
						.expiry = ends[rnd(ARRAY_SIZE(ends))],
						.class = RG_CLASS_CLEAN,
						.action = RG_ACTION_PASS,
						.zone = RG_NO_ZONE };
	/* As many answers as an index can tell from each other. */
	return (struct rg_index_entry){
		.prefix = key_of(key),
		.expiry = ends[rnd(ARRAY_SIZE(ends))],
		.class = rnd(2) ? RG_CLASS_STANDARD : RG_CLASS_QIL,
		.action = RG_ACTION_DROP + rnd(2),
		.zone = rnd(3) ?: RG_NO_ZONE,
	};
}

static void crowd_put(struct crowd *crowd, size_t key)
{
	crowd->live += !crowd->there[key];
	crowd->there[key] = true;
	crowd->entries[key] = entry_of(key, crowd->now);
	assert_true(rg_index_put(crowd->pair.index, &crowd->entries[key]) >= 0);
}

static void crowd_forget(struct crowd *crowd, size_t key)
{
	crowd->live -= crowd->there[key];
	crowd->there[key] = false;
}

static void crowd_remove(struct crowd *crowd, size_t key)
{
	const struct rg_prefix prefix = key_of(key);

	crowd_forget(crowd, key);
	/* As the other kind it is not there, but perhaps crowded, where no kind is known. */
	rg_index_remove(crowd->pair.index, &prefix, true);
	rg_index_remove(crowd->pair.index, &prefix, false);
}

static uint32_t crowd_check(struct crowd *crowd, size_t key)
{
	const struct rg_prefix prefix = key_of(key);
	const struct rg_index_entry *entry = &crowd->entries[key];
	struct rg_addr beside = prefix.addr;

	/* What was never put, and lies where the index has to look. */
	beside.bytes[key < KEYS ? 15 : 7] |= 1;
	check_one(&crowd->pair, &beside, crowd->now, NULL);
	if (!crowd->there[key] || !is_alive(entry, crowd->now))
		entry = NULL;
	return check_one(&crowd->pair, &prefix.addr, crowd->now, entry);
}

static void crowd_check_all(struct crowd *crowd)
{
	for (size_t key = 0; key < 2 * KEYS; key++)
		crowd_check(crowd, key);
}

static struct crowd *new_crowd(const struct rg_index_size *size, enum rg_index_part part)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	assert_non_null(crowd);
	open_pair(&crowd->pair, part, size, EPOCH);
	crowd->now = NOW;
	return crowd;
}

static void free_crowd(struct crowd *crowd)
{
	close_pair(&crowd->pair);
	free(crowd);
}

/* As the other kind it is not there, so that nothing goes; without a slot it may be either. */
static void crowd_remove_other(struct crowd *crowd, size_t key)
{
	const struct rg_prefix prefix = key_of(key);
	bool clean = is_clean(&crowd->entries[key]);

	if (!clean || !rg_index_count(crowd->pair.index).crowded)
		rg_index_remove(crowd->pair.index, &prefix, !clean);
}

static size_t count_clean(const struct crowd *crowd)
{
	size_t count = 0;

	for (size_t key = 0; key < 2 * KEYS; key++)
		count += crowd->there[key] && is_clean(&crowd->entries[key]);
	return count;
}

/* What the sweep calls over is rounded to the unit; nothing else goes. */
static void crowd_sweep(struct crowd *crowd)
{
	size_t live = crowd->live, swept = rg_index_sweep(crowd->pair.index, crowd->now);

	for (size_t key = 0; key < 2 * KEYS; key++) {
		uint64_t expiry = crowd->entries[key].expiry;

		if (crowd->there[key] && crowd->entries[key].class == RG_CLASS_CLEAN &&
		    !is_known(expiry, crowd->now))
			crowd_forget(crowd, key);
	}
	assert_true(swept <= live - crowd->live);
}

static void crowd_flush(struct crowd *crowd, const struct rg_prefix *prefix)
{
	size_t live = crowd->live;
	size_t flushed = rg_index_flush(crowd->pair.index, prefix);

	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix own = key_of(key);

		if (crowd->entries[key].class == RG_CLASS_CLEAN &&
		    (!prefix || (prefix->len <= own.len && rg_prefix_covers(prefix, &own.addr))))
			crowd_forget(crowd, key);
	}
	/* Of one that is crowded the index does not know that it is clean. */
	assert_in_range(live - crowd->live, flushed,
			flushed + rg_index_count(crowd->pair.index).crowded);
}

/* One of everything that may happen; filling: percent of what is put. */
static void churn(struct crowd *crowd, unsigned int filling)
{
	size_t key = rnd(2 * KEYS);

	if (rnd(100) < filling)
		crowd_put(crowd, key);
	else
		crowd_remove(crowd, key);
	crowd_remove_other(crowd, key);
	crowd_check(crowd, key);
	crowd_check(crowd, rnd(2 * KEYS));
}

/* Full buckets, and freed slots that must not hide what lies beyond them. */
static void test_crowding(void **state)
{
	const struct rg_index_size tiny = {}, small = { .hosts4 = 300, .nets6 = 300 };

	(void)state;
	for (int form = 0; form < 2; form++) {
		struct crowd *crowd = new_crowd(form ? &small : &tiny, RG_INDEX_HOSTS);

		for (int i = 0; i < CHURN_ROUNDS / 2; i++) {
			churn(crowd, i / 3000 % 2 ? 15 : 60);
			crowd->now += rnd(UNIT / 50);
			if (i % 1000 == 0)
				crowd_check_all(crowd);
			if (i % 5000 == 4999)
				crowd_flush(crowd, NULL);
		}
		crowd_check_all(crowd);
		crowd_flush(crowd, NULL);
		assert_int_equal(rg_index_count(crowd->pair.index).clean, 0);
		for (size_t key = 0; key < 2 * KEYS; key++)
			crowd_remove(crowd, key);
		assert_int_equal(rg_index_count(crowd->pair.index).crowded, 0);
		assert_int_equal(rg_index_count(crowd->pair.index).hosts4, 0);
		assert_int_equal(rg_index_count(crowd->pair.index).nets6, 0);
		free_crowd(crowd);
	}
}

/* Freed slots are taken again, however crowded it was. */
static void test_room_after_crowding(void **state)
{
	const struct rg_index_size tiny = {};
	struct crowd *crowd = new_crowd(&tiny, RG_INDEX_HOSTS);

	(void)state;
	for (size_t key = 0; key < 2 * KEYS; key++)
		crowd_put(crowd, key);
	assert_true(rg_index_count(crowd->pair.index).crowded);
	for (size_t key = 0; key < 2 * KEYS; key++)
		crowd_remove(crowd, key);
	/* Fewer than there are slots where each may lie. */
	for (size_t key = 0; key < RG_INDEX_PROBES * RG_INDEX_WORDS / 2; key++) {
		crowd_put(crowd, key);
		crowd_put(crowd, key + KEYS);
	}
	assert_int_equal(rg_index_count(crowd->pair.index).crowded, 0);
	crowd_check_all(crowd);
	free_crowd(crowd);
}

/* With room for all of them it knows all of them, whatever came and went. */
static void test_churn_with_room(void **state)
{
	const struct rg_index_size size = { .hosts4 = KEYS, .nets6 = KEYS };
	struct crowd *crowd = new_crowd(&size, RG_INDEX_HOSTS);

	(void)state;
	for (int i = 0; i < CHURN_ROUNDS / 2; i++)
		churn(crowd, i / 5000 % 2 ? 30 : 60);
	/* Those that end within a unit of now are a sixth or two of those that are there. */
	expect_asked(&crowd->pair, crowd->pair.looked / 10, "a half empty table");
	crowd->pair.looked = crowd->pair.asked = 0;
	for (size_t key = 0; key < 2 * KEYS; key++)
		if (!crowd->there[key] || !crowd->entries[key].expiry)
			crowd_check(crowd, key);
	/* Slots that were freed cost little, even now. */
	expect_asked(&crowd->pair, crowd->pair.looked / 50, "after many have gone");
	free_crowd(crowd);
}

/* Of one that found no slot, which with room is hardly ever, the kind is not known. */
static void check_counts(const struct crowd *crowd, bool is_roomy)
{
	struct rg_index_count count = rg_index_count(crowd->pair.index);

	assert_true(!is_roomy || count.crowded <= 2);
	assert_in_range(count_clean(crowd), count.clean, count.clean + count.crowded);
}

static void test_flush(void **state)
{
	const struct rg_index_size tiny = {}, roomy = { .hosts4 = KEYS, .nets6 = KEYS };
	const struct rg_prefix prefixes[] = {
		v4(0x0a000000, 24),
		v4(0x0a000000, 8),
		v4(0x0a000004, 32),
		v6(0x20010db800000000),
		{ .len = 96 + 0 },
		{ .len = 4 },
		around(V6_BASE, 32),
		around(V6_BASE, 57),
		around(V6_BASE + ((u128)2 << 64), 65),
		around(V4_BASE, 96),
		around(V6_BASE + 1, 128),
		{ .len = 0 },
	};

	(void)state;
	for (int form = 0; form < 2; form++)
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
			struct crowd *crowd = new_crowd(form ? &tiny : &roomy, RG_INDEX_HOSTS);

			for (size_t key = 0; key < 2 * KEYS; key++)
				crowd_put(crowd, key);
			/* One /64 of which a prefix names a half, which is not to take it along. */
			while (!is_clean(&crowd->entries[KEYS + 1]))
				crowd_put(crowd, KEYS + 1);
			check_counts(crowd, !form);
			crowd_flush(crowd, &prefixes[i]);
			check_counts(crowd, !form);
			crowd_check_all(crowd);
			for (size_t key = 0; key < 2 * KEYS; key += 3)
				crowd_put(crowd, key);
			crowd_check_all(crowd);
			free_crowd(crowd);
		}
}

static void test_sweep(void **state)
{
	const struct rg_index_size tiny = {}, roomy = { .hosts4 = KEYS, .nets6 = KEYS };

	(void)state;
	for (int form = 0; form < 2; form++) {
		struct crowd *crowd = new_crowd(form ? &tiny : &roomy, RG_INDEX_HOSTS);

		for (int step = 0; step < 60; step++) {
			for (int i = 0; i < 200; i++)
				crowd_put(crowd, rnd(2 * KEYS));
			crowd->now += rnd(4 * UNIT);
			crowd_sweep(crowd);
			crowd_check_all(crowd);
		}
		free_crowd(crowd);
	}
}

/* Each has a slot, and a time to the unit: the sweep says how many of them are over. */
static void test_sweep_count(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets6 = 1000 };
	struct rg_index *index = make(&size);

	(void)state;
	for (uint32_t i = 1; i <= 100; i++) {
		put(index, v4(0x0a000000 + i, 32), RG_CLASS_CLEAN, EPOCH + i * UNIT);
		put(index, v6(0x20010db800000000 + i), RG_CLASS_CLEAN, EPOCH + i * UNIT);
		put(index, v4(0x0b000000 + i, 32), RG_CLASS_CLEAN, 0);
	}
	assert_int_equal(rg_index_sweep(index, EPOCH + UNIT - 1), 0);
	assert_int_equal(rg_index_sweep(index, EPOCH + UNIT), 2);
	assert_int_equal(rg_index_sweep(index, EPOCH + 50 * UNIT + UNIT / 2), 98);
	assert_int_equal(rg_index_sweep(index, EPOCH + 50 * UNIT + UNIT / 2), 0);
	assert_int_equal(rg_index_count(index).hosts4, 150);
	assert_int_equal(rg_index_count(index).nets6, 50);
	assert_int_equal(rg_index_sweep(index, EPOCH + 30 * DAY), 100);
	assert_int_equal(rg_index_count(index).hosts4, 100);
	rg_index_free(index);
}

/* ---- another index of the same part ---- */

/* The crowd goes on with a copy of its index, whose times count from another one. */
static void crowd_copy(struct crowd *crowd, const struct rg_index_size *size, bool settle)
{
	struct pair fresh;

	open_pair(&fresh, crowd->pair.part, size, crowd->now);
	assert_int_equal(rg_index_copy(fresh.index, crowd->pair.index), 0);
	close_pair(&crowd->pair);
	crowd->pair.index = fresh.index;
	if (settle)
		rg_index_settle(crowd->pair.index);
}

static void test_copy(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 2 * KEYS, .nets6 = 2 * KEYS };

	(void)state;
	for (int round = 0; round < 8; round++) {
		struct crowd *crowd = new_crowd(round & 1 ? &larger : &tiny, round % RG_INDEXES);

		for (int i = 0; i < 4000; i++)
			churn(crowd, 60);
		assert_true(round & 1 || rg_index_count(crowd->pair.index).crowded);
		crowd->now += round * DAY / 9;
		crowd_copy(crowd, round & 2 ? &tiny : &larger, round & 4);
		crowd_check_all(crowd);
		for (int i = 0; i < 4000; i++)
			churn(crowd, 40);
		crowd_check_all(crowd);
		/* And again: what was crowded has a slot now, or none still. */
		crowd->now += 5 * DAY;
		crowd_copy(crowd, &larger, true);
		crowd_check_all(crowd);
		free_crowd(crowd);
	}
}

/* Prefixes of other lengths have no slot, and must not be lost with the first index. */
static void test_copy_of_others(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 1000, .nets6 = 1000 };
	static struct pair from, to;

	(void)state;
	for (int round = 0; round < 24; round++) {
		clear_seen();
		open_pair(&from, round % RG_INDEXES, &tiny, EPOCH);
		for (size_t i = rnd(60) + 1; i; i--) {
			const struct rg_index_entry entry = random_entry(false);

			put_pair(&from, &entry);
		}
		open_pair(&to, from.part, &larger, EPOCH - rnd(1000) * UNIT / 2);
		assert_int_equal(rg_index_copy(to.index, from.index), 0);
		to.model = from.model;
		check_all(&to);
		close_pair(&from);
		rg_index_settle(to.index);
		check_all(&to);
		rg_index_settle(to.index);
		check_all(&to);
		close_pair(&to);
	}
}

/* "Look", for the net of a host; of hosts two nets have a bit together. */
static bool is_seen4(uint32_t net, enum rg_index_part part)
{
	uint32_t wide = net >> (RG_INDEX_NET4_BITS - RG_INDEX_WIDE4_BITS);

	return part == RG_INDEX_LISTS ? seen->nets4[net / 64] >> net % 64 & 1 :
					seen->hosts4[wide / 64] >> wide % 64 & 1;
}

static bool is_any4(uint32_t net)
{
	return is_seen4(net, RG_INDEX_LISTS) || is_seen4(net, RG_INDEX_HOSTS);
}

static uint8_t seen6(uint32_t net)
{
	return seen->nets6[rg_index_net6(net)];
}

/* Each part has a net of its own and both share one; the hosts' index gives way to another. */
static void test_settle_bits(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	static struct pair pairs[RG_INDEXES], fresh;

	(void)state;
	for (int i = 0; i < RG_INDEXES; i++) {
		open_pair(&pairs[i], i, &size, EPOCH);
		put(pairs[i].index, v4(0x0a000001 + (i << 8), 32), RG_CLASS_BLOCKED, 0);
		put(pairs[i].index, v4(0x0b000001, 32), RG_CLASS_BLOCKED, 0);
		put(pairs[i].index, v6(0x2001000100000000 + ((uint64_t)i << 32)), RG_CLASS_BLOCKED,
		    0);
		put(pairs[i].index, around(V6_BASE, 48), RG_CLASS_BLOCKED, 0);
		put(pairs[i].index, around((u128)0x30 << 120, 12), RG_CLASS_BLOCKED, 0);
	}
	open_pair(&fresh, RG_INDEX_HOSTS, &size, EPOCH);
	put(fresh.index, v4(0x0c000001, 32), RG_CLASS_BLOCKED, 0);
	/* Not in force yet: what the old one has is still found. */
	assert_true(is_seen4(0x0a0000 + RG_INDEX_HOSTS, RG_INDEX_HOSTS));
	rg_index_settle(fresh.index);
	for (int i = 0; i < RG_INDEXES; i++) {
		bool stays = i != RG_INDEX_HOSTS;
		uint8_t asks = (uint8_t)(1 << (i + RG_INDEX_ASKS));

		assert_int_equal(is_seen4(0x0a0000 + (uint32_t)i, i), stays);
		assert_int_equal(is_any4(0x0a0000 + (uint32_t)i), stays);
		assert_int_equal(is_seen4(0x0b0000, i), stays);
		assert_int_equal(seen6(0x20010001 + (uint32_t)i) >> i & 1, stays);
		assert_int_equal(!!(seen6(0x20010db8) & asks), stays);
		for (uint32_t wide = 0x3000; wide < 0x3010; wide++)
			assert_int_equal(!!(seen->wide6[wide] & asks), stays);
	}
	assert_true(is_any4(0x0b0000) && is_any4(0x0c0000) && is_seen4(0x0c0000, RG_INDEX_HOSTS));
	assert_int_equal(seen->wide6[0x2fff] | seen->wide6[0x3010], 0);
	for (int i = 0; i < RG_INDEXES; i++)
		close_pair(&pairs[i]);
	close_pair(&fresh);
}

/* What an index that is not shown yet has leaves no bit behind, and all of them when it is. */
static void test_show(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100, .nets4 = true };
	static const struct rg_index_seen nothing;
	static struct pair pair, other;

	(void)state;
	clear_seen();
	open_shown(&pair, RG_INDEX_LISTS, &size, EPOCH, NULL);
	put(pair.index, v4(0x0b000000, 16), RG_CLASS_BLOCKED, 0);
	put(pair.index, v4(0x0a000001, 32), RG_CLASS_BLOCKED, 0);
	put(pair.index, v6(0x2001000100000000), RG_CLASS_BLOCKED, 0);
	put(pair.index, around((u128)0x30 << 120, 12), RG_CLASS_BLOCKED, 0);
	assert_memory_equal(seen, &nothing, sizeof(nothing));
	/* Meanwhile the other part goes on. */
	open_pair(&other, RG_INDEX_HOSTS, &size, EPOCH);
	put(other.index, v4(0x0a000002, 32), RG_CLASS_BLOCKED, 0);
	put(other.index, v4(0x0d000002, 32), RG_CLASS_BLOCKED, 0);
	assert_true(rg_index_show(pair.index, seen));
	assert_false(rg_index_show(pair.index, seen));
	assert_true(is_seen4(0x0a0000, RG_INDEX_LISTS) && is_seen4(0x0a0000, RG_INDEX_HOSTS));
	assert_true(is_seen4(0x0b0000, RG_INDEX_LISTS) && is_seen4(0x0b00ff, RG_INDEX_LISTS));
	assert_false(is_any4(0x0b0100));
	assert_true(is_seen4(0x0d0000, RG_INDEX_HOSTS) && !is_seen4(0x0d0000, RG_INDEX_LISTS));
	assert_int_equal(seen6(0x20010001), 1 << RG_INDEX_LISTS);
	assert_int_equal(seen->wide6[0x3000], 1 << (RG_INDEX_LISTS + RG_INDEX_ASKS));
	close_pair(&pair);
	close_pair(&other);
	clear_seen();
}

/* A fresh index of its own takes pair's place, as a reload of the lists does it. */
static void reload(struct pair *pair)
{
	const struct rg_index_size size = { .hosts4 = 2000, .nets6 = 64, .nets4 = pair->nets4 };
	struct rg_index_entry entries[20];
	size_t count = 1 + rnd(ARRAY_SIZE(entries));
	struct pair old = *pair;

	open_shown(pair, old.part, &size, EPOCH, NULL);
	for (size_t i = 0; i < count; i++)
		entries[i] = random_entry(size.nets4);
	qsort(entries, count, sizeof(*entries), by_length);
	for (size_t i = 0; i < count; i++) {
		put_pair(pair, &entries[i]);
		check_at(&old, bases[rnd(ARRAY_SIZE(bases))] + rnd(1 << 10), NOW);
	}
	check_all(&old);
	rg_index_show(pair->index, seen);
	check_all(&old);
	close_pair(&old);
	rg_index_settle(pair->index);
}

/* Both parts with one `seen`: whatever one of them does, the other's answers stay. */
static void test_both_parts(void **state)
{
	const struct rg_index_size small = {}, lists = { .hosts4 = 2000, .nets4 = true };
	static struct pair pairs[RG_INDEXES];

	(void)state;
	for (int i = 0; i < RG_INDEXES; i++)
		open_pair(&pairs[i], i, i == RG_INDEX_LISTS ? &lists : &small, EPOCH);
	for (int round = 0; round < 40; round++) {
		reload(&pairs[rnd(RG_INDEXES)]);
		for (int i = 0; i < 20; i++) {
			struct pair *pair = &pairs[1 + rnd(RG_INDEXES - 1)];
			const struct rg_index_entry entry = random_entry(false);

			put_pair(pair, &entry);
			if (rnd(4) == 0) { /* in the trie, then here */
				*model_at(&pair->model, &entry.prefix) =
					pair->model.at[pair->model.count - 1];
				pair->model.count--;
				rg_index_remove(pair->index, &entry.prefix, is_clean(&entry));
			}
		}
		for (int i = 0; i < RG_INDEXES; i++)
			check_all(&pairs[i]);
	}
	for (int i = 0; i < RG_INDEXES; i++)
		close_pair(&pairs[i]);
}

/* What has taken another's place knows again what is nowhere, without a look. */
static void test_settle_forgets(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000 };
	static struct pair pair, fresh;

	(void)state;
	open_pair(&pair, RG_INDEX_HOSTS, &size, EPOCH);
	put(pair.index, around(V4_BASE, 96), RG_CLASS_BLOCKED, 0);
	put(pair.index, around((u128)0, 3), RG_CLASS_BLOCKED, 0);
	assert_int_equal(find(pair.index, v4(0x01020304, 32)), RG_INDEX_ASK);
	open_pair(&fresh, RG_INDEX_HOSTS, &size, EPOCH);
	put(fresh.index, v4(0x01020304, 32), RG_CLASS_BLOCKED, 0);
	rg_index_settle(fresh.index);
	close_pair(&pair);
	for (uint32_t i = 0; i < 1 << 24; i += 997)
		if (i / 2 != 0x010203 / 2)
			assert_int_equal(is_any4(i), false);
	assert_int_equal(find(fresh.index, v6(1)), RG_INDEX_NONE);
	assert_int_not_equal(find(fresh.index, v4(0x01020304, 32)), RG_INDEX_NONE);
	assert_true(is_any4(0x010203));
	close_pair(&fresh);
}

/* ---- addresses with a meaning of their own ---- */

static void test_special_addresses(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	static struct pair pair;
	const struct rg_index_entry mapped = { .prefix = around(V4_BASE + 1, 128),
					       .class = RG_CLASS_QIL,
					       .action = RG_ACTION_DROP,
					       .zone = 1 };
	const struct rg_index_entry zero = { .prefix = around(V4_BASE, 128),
					     .class = RG_CLASS_STANDARD,
					     .action = RG_ACTION_RESET,
					     .zone = 2 };
	const struct rg_index_entry clean = { .prefix = around(V4_BASE + 3, 128),
					      .class = RG_CLASS_CLEAN,
					      .action = RG_ACTION_PASS,
					      .zone = RG_NO_ZONE };
	const struct rg_index_entry any = { .prefix = around(0, 64),
					    .class = RG_CLASS_BLOCKED,
					    .action = RG_ACTION_PASS,
					    .zone = 3 };

	(void)state;
	open_pair(&pair, RG_INDEX_HOSTS, &size, EPOCH);
	put_pair(&pair, &mapped);
	/* 0.0.0.1 is known; the IPv6 addresses with the same low bits are not it. */
	assert_int_equal(check_at(&pair, V4_BASE + 1, NOW), answer_for(&mapped));
	assert_int_equal(check_at(&pair, 1, NOW), RG_INDEX_NONE);
	assert_int_equal(check_at(&pair, V4_BASE + 2, NOW), RG_INDEX_NONE);
	assert_int_equal(check_at(&pair, V4_BASE * 2 + 1, NOW), RG_INDEX_NONE);
	/* Nor does 0.0.0.0, which anybody can send from, make others be asked about. */
	put_pair(&pair, &zero);
	assert_int_equal(check_at(&pair, V4_BASE, NOW), answer_for(&zero));
	assert_int_equal(check_at(&pair, V4_BASE + 1, NOW), answer_for(&mapped));
	assert_int_equal(check_at(&pair, V4_BASE + 2, NOW), RG_INDEX_NONE);
	put_pair(&pair, &clean);
	assert_int_equal(check_at(&pair, V4_BASE + 3, NOW), RG_INDEX_CLEAN);
	/* IPv4 lies in ::/64, too. */
	put_pair(&pair, &any);
	assert_int_equal(check_at(&pair, 0, NOW), answer_for(&any));
	assert_int_equal(check_at(&pair, 1, NOW), answer_for(&any));
	assert_int_equal(check_at(&pair, (u128)0xfffe << 32, NOW), answer_for(&any));
	assert_int_equal(check_at(&pair, V4_BASE + 0x01020304, NOW), RG_INDEX_ASK);
	assert_int_equal(check_at(&pair, V4_BASE + 1, NOW), answer_for(&mapped));
	assert_int_equal(check_at(&pair, (u128)1 << 64, NOW), RG_INDEX_NONE);
	close_pair(&pair);
}

/* ---- sizes and ages ---- */

/* A list's items, and behind them what belongs to those of IPv6. */
struct list {
	struct rg_list_item items[3000];
	struct rg_addr addrs[3000];
};

static void set_prefix(struct list *list, size_t i, struct rg_prefix prefix)
{
	struct rg_list_item *item = &list->items[i];

	*item = (struct rg_list_item){ .len = (uint8_t)prefix.len,
				       .v6 = !rg_addr_is_v4(&prefix.addr) };
	list->addrs[i] = prefix.addr;
	if (item->v6)
		item->key = (uint32_t)((uint32_t *)&list->addrs[i] - &item->key);
	else
		memcpy(&item->key, prefix.addr.bytes + RG_ADDR_V4_OFFSET, sizeof(item->key));
}

static void test_measure(void **state)
{
	static struct list list;
	struct rg_index_size size;

	(void)state;
	rg_index_measure(list.items, 0, &size);
	assert_true(!size.hosts4 && !size.nets6 && !size.nets4);
	set_prefix(&list, 0, v4(0x0a000001, 32));
	set_prefix(&list, 1, v6(0x20010db800000000));
	set_prefix(&list, 2, around(V6_BASE, 48));
	set_prefix(&list, 3, around(V6_BASE + 1, 128));
	rg_index_measure(list.items, 4, &size);
	assert_true(size.hosts4 == 1 && size.nets6 == 1 && !size.nets4);
	set_prefix(&list, 4, v4(0x0a000100, 24));
	rg_index_measure(list.items, 5, &size);
	assert_true(size.hosts4 == 1 && size.nets6 == 1 && size.nets4);
	set_prefix(&list, 5, v4(0x0a000280, 25));
	set_prefix(&list, 6, v4(0x0a000204, 31));
	rg_index_measure(list.items, 7, &size);
	assert_true(size.hosts4 == 1 + 128 + 2 && size.nets4);
	/* No more than a bounded number become hosts, whatever the list. */
	for (size_t i = 0; i < 2100; i++)
		set_prefix(&list, i, v4((uint32_t)i << 12, 25));
	rg_index_measure(list.items, 2100, &size);
	rg_index_measure(list.items, 1000, &size);
	assert_int_equal(size.hosts4, 1000 * 128);
	assert_true(rg_index_lines(&size) >= 1000 * 128 / 8);
	rg_index_measure(list.items, 2100, &size);
	assert_int_equal(size.hosts4, 1 << 18);
}

/* What was measured fits, but for a few that hash badly: else no put asks for a larger one. */
static void test_measured_fits(void **state)
{
	static struct list list;
	struct rg_index_size size;
	struct rg_index_count count;
	struct rg_index *index;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(list.items); i++)
		set_prefix(&list, i,
			   i % 3 == 0 ? v4((uint32_t)(0x0a000000 + i * 64), 27) :
			   i % 3 == 1 ? v4((uint32_t)(0x0b000000 + i), 32) :
					v6(0x20010db800000000 + i));
	rg_index_measure(list.items, ARRAY_SIZE(list.items), &size);
	index = make(&size);
	for (size_t i = 0; i < ARRAY_SIZE(list.items); i++) {
		const struct rg_index_entry entry = { .prefix = rg_list_prefix(&list.items[i]),
						      .class = RG_CLASS_BLOCKED,
						      .zone = RG_NO_ZONE };

		int ret = rg_index_put(index, &entry);

		assert_true(ret == 0 || (ret == 1 && rg_index_count(index).crowded));
	}
	count = rg_index_count(index);
	assert_true(count.crowded <= 34);
	assert_int_equal(count.hosts4 + count.nets6 + count.crowded, 1000 * 32 + 1000 + 1000);
	assert_true(count.bytes == rg_index_lines(&size) * 64ULL);
	rg_index_free(index);
}

/* The epoch moves on, often or after a while: times stay what they are, and what is new is exact. */
static void test_move(void **state)
{
	const struct rg_index_size size = { .hosts4 = 2 * KEYS, .nets6 = 2 * KEYS };

	(void)state;
	for (int round = 0; round < 6; round++) {
		struct crowd *crowd = new_crowd(&size, round % RG_INDEXES);

		for (int step = 0; step < 60; step++) {
			for (int i = 0; i < 100; i++)
				crowd_put(crowd, rnd(2 * KEYS));
			crowd->now += rnd(round < 4 ? 100 * UNIT : DAY);
			rg_index_move(crowd->pair.index, crowd->now);
			crowd_check_all(crowd);
		}
		free_crowd(crowd);
	}
}

/* Until when addr is known, from epochs that follow each other. */
static void test_move_is_exact(void **state)
{
	static const uint64_t lives[] = { 40 * UNIT, 250 * UNIT, 1000 * UNIT, DAY / 2, DAY, 6 * DAY };
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	struct rg_index *index = make(&size);

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(lives); i++) {
		put(index, v4(0x0a000001 + i, 32), RG_CLASS_CLEAN, EPOCH + lives[i]);
		put(index, v6(0x20010db800000000 + i), RG_CLASS_CLEAN, EPOCH + lives[i]);
	}
	for (uint64_t now = EPOCH; now < EPOCH + 6 * DAY; now += rnd(2000 * UNIT)) {
		rg_index_move(index, now);
		for (uint32_t i = 0; i < ARRAY_SIZE(lives); i++) {
			const struct rg_prefix host = v4(0x0a000001 + i, 32);
			const struct rg_prefix net = v6(0x20010db800000000 + i);
			uint64_t end = rounded(EPOCH + lives[i], EPOCH);

			assert_true(rg_index_until(index, &host.addr, now) == (end > now ? end : 0));
			assert_true(rg_index_until(index, &net.addr, now) == (end > now ? end : 0));
		}
	}
	rg_index_free(index);
}

/* The first unit after the machine's start is one like others: rounded down, nothing is known in it. */
static void test_just_started(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	const struct rg_prefix host = v4(0x0a000001, 32);
	static struct pair pair;

	(void)state;
	open_pair(&pair, RG_INDEX_HOSTS, &size, RG_NSEC_PER_SEC);
	put(pair.index, host, RG_CLASS_CLEAN, 5 * RG_NSEC_PER_SEC);
	for (uint64_t second = 1; second < 20; second++)
		assert_int_equal(rg_index_find(pair.index, &host.addr, second * RG_NSEC_PER_SEC),
				 RG_INDEX_ASK);
	put(pair.index, host, RG_CLASS_CLEAN, 60 * RG_NSEC_PER_SEC);
	assert_int_equal(rg_index_find(pair.index, &host.addr, RG_NSEC_PER_SEC), RG_INDEX_CLEAN);
	assert_int_equal(rg_index_find(pair.index, &host.addr, 60 * RG_NSEC_PER_SEC), RG_INDEX_ASK);
	close_pair(&pair);
}

/* More kinds of answers than it can tell from each other: the trie knows the others. */
static void test_many_answers(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets6 = 1000 };
	static struct pair pair;

	(void)state;
	clear_seen();
	open_pair(&pair, RG_INDEX_HOSTS, &size, EPOCH);
	for (uint32_t i = 0; i < 100; i++) {
		const struct rg_index_entry entry = {
			.prefix = i & 1 ? v4(0x0a000000 + i, 32) : v6(0x20010db800000000 + i),
			.expiry = EPOCH + DAY,
			.class = i % 3 ? RG_CLASS_STANDARD : RG_CLASS_CLEAN,
			.action = i % 3 ? RG_ACTION_DROP : RG_ACTION_PASS,
			.zone = i % 3 ? i % RG_MAX_ZONES : RG_NO_ZONE
		};

		put_pair(&pair, &entry);
	}
	check_all(&pair);
	pair.asked = pair.looked = 0;
	for (uint32_t i = 0; i < 12; i++)
		check_at(&pair, number_of(&pair.model.at[i].prefix.addr), NOW);
	expect_asked(&pair, 0, "the first of them");
	assert_true(rg_index_count(pair.index).clean == 34);
	close_pair(&pair);
}

/* Who stands near an entry of the lists says so, in either order, and no longer when it has gone. */
static void test_heed(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets4 = true };
	const struct rg_prefix near = v4(0x0a000001, 32), far = v4(0x0b000001, 32);
	struct rg_index_place place = { .seen = seen, .part = RG_INDEX_HOSTS, .fd = -1, .now = EPOCH };
	struct rg_index *hosts = NULL, *lists;
	const struct rg_index_header *header;

	(void)state;
	assert_int_equal(rg_index_new(&hosts, &place, &size), 0);
	header = rg_index_header(hosts);
	put(hosts, near, RG_CLASS_QIL, EPOCH + DAY);
	put(hosts, far, RG_CLASS_QIL, EPOCH + DAY);
	assert_int_equal(header->answers[2] & RG_INDEX_HEED, 0);
	assert_int_equal(header->answers[3], 0);
	lists = make(&size);
	put(lists, v4(0x0a000080, 28), RG_CLASS_APPROVED, 0);
	rg_index_heed(hosts);
	assert_int_equal(header->answers[3], header->answers[2] | RG_INDEX_HEED);
	put(hosts, v4(0x0a000002, 32), RG_CLASS_CLEAN, EPOCH + DAY);
	assert_int_equal(rg_index_count(hosts).clean, 1);
	/* To both it is the same answer. */
	assert_int_equal(find(hosts, near), find(hosts, far));
	assert_int_equal(find(hosts, v4(0x0a000002, 32)), RG_INDEX_CLEAN);
	rg_index_free(lists);
	rg_index_free(hosts);
}

static void test_stale(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000 };
	struct rg_index *index = make(&size);

	(void)state;
	for (uint32_t i = 0; i < 1000 * 1000; i++)
		put(index, v4(0x0a000000 + (i & 255), 32), RG_CLASS_QIL, 0);
	assert_false(rg_index_is_stale(index));
	for (uint32_t i = 0; i <= 4 * 256; i++)
		put(index, v4(0x0a000000 + (i & 255), 32), RG_CLASS_QIL, 0);
	assert_true(rg_index_is_stale(index));
	rg_index_free(index);
}

/* Answers of long ago leave those of today no number: a copy has those that are needed. */
static void test_stale_answers(void **state)
{
	const struct rg_index_size size = { .hosts4 = 10000 };
	const struct rg_prefix host = v4(0x0a000001, 32);
	struct rg_index_entry entry = { .prefix = host,
					.class = RG_CLASS_QIL,
					.action = RG_ACTION_DROP };
	struct rg_index *index = make(&size), *copy = make(&size);

	(void)state;
	for (entry.zone = 0; entry.zone < RG_INDEX_ANSWERS; entry.zone++)
		assert_int_equal(rg_index_put(index, &entry), 0);
	assert_int_equal(find(index, host), RG_INDEX_ASK);
	assert_false(rg_index_is_stale(index));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rg_index_put(index, &entry), 0);
	assert_true(rg_index_is_stale(index));
	assert_int_equal(rg_index_copy(copy, index), 0);
	assert_int_equal(rg_index_put(copy, &entry), 0);
	assert_int_not_equal(find(copy, host), RG_INDEX_ASK);
	assert_false(rg_index_is_stale(copy));
	rg_index_free(index);
	rg_index_free(copy);
}

static void test_until(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100, .nets4 = true };
	const struct rg_prefix host = v4(0x0a000001, 32), net = v6(0x20010db800000000);
	const struct rg_prefix other = v4(0x0a000002, 32);
	const uint64_t end = EPOCH + 100 * UNIT + UNIT / 3;
	struct rg_index *index = make(&size);

	(void)state;
	put(index, v4(0x0b000000, 24), RG_CLASS_BLOCKED, 0);
	put(index, host, RG_CLASS_CLEAN, end);
	put(index, net, RG_CLASS_CLEAN, end);
	/* To the unit, and never later than it ends. */
	assert_true(rg_index_until(index, &host.addr, NOW) == EPOCH + 100 * UNIT);
	assert_true(rg_index_until(index, &net.addr, NOW) == EPOCH + 100 * UNIT);
	assert_true(rg_index_until(index, &host.addr, EPOCH + 100 * UNIT - 1) == EPOCH + 100 * UNIT);
	assert_true(rg_index_until(index, &host.addr, EPOCH + 100 * UNIT) == 0);
	assert_true(rg_index_until(index, &other.addr, NOW) == 0);
	put(index, host, RG_CLASS_CLEAN, 0);
	assert_true(rg_index_until(index, &host.addr, NOW) == UINT64_MAX);
	put(index, host, RG_CLASS_CLEAN, EPOCH + 100 * DAY);
	assert_in_range(rg_index_until(index, &host.addr, NOW), EPOCH + 6 * DAY, EPOCH + 7 * DAY);
	rg_index_free(index);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nested_past_the_limit),
		TEST(test_sweep_after_crowded_copy),
		TEST(test_room),
		TEST(test_alone),
		TEST(test_chains),
		TEST(test_pairs),
		TEST(test_random),
		TEST(test_crowding),
		TEST(test_room_after_crowding),
		TEST(test_churn_with_room),
		TEST(test_flush),
		TEST(test_sweep),
		TEST(test_sweep_count),
		TEST(test_copy),
		TEST(test_copy_of_others),
		TEST(test_settle_bits),
		TEST(test_show),
		TEST(test_both_parts),
		TEST(test_settle_forgets),
		TEST(test_special_addresses),
		TEST(test_measure),
		TEST(test_measured_fits),
		TEST(test_move),
		TEST(test_move_is_exact),
		TEST(test_just_started),
		TEST(test_many_answers),
		TEST(test_heed),
		TEST(test_stale),
		TEST(test_stale_answers),
		TEST(test_until),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
