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
#include <sys/random.h>

#include "base/addr.h"
#include "index/index.h"

#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define EPOCH (1000 * UNIT)
#define NOW (EPOCH + 1)
#define DAY (86400 * RG_NSEC_PER_SEC)

static struct rg_index_presence *seen;
static uint64_t seed; /* all parts have the same */
static uint32_t in_force; /* settings.index */

static int set_up(void **state)
{
	(void)state;
	in_force = 0;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED || getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(seen, sizeof(*seen));
}

static struct rg_index *make_part(enum rg_index_part part, const struct rg_index_size *size)
{
	const struct rg_index_origin origin = { .seen = seen,
						.part = part,
						.fd = -1,
						.now = EPOCH,
						.seed = seed };
	struct rg_index *index = NULL;

	assert_int_equal(rg_index_new(&index, &origin, size), 0);
	return index;
}

static struct rg_index *make(const struct rg_index_size *size)
{
	return make_part(RG_INDEX_LISTS, size);
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

static void put(struct rg_index *index, struct rg_prefix prefix, enum rg_class peer_class,
		uint64_t expiry)
{
	const struct rg_index_entry entry = { .prefix = prefix,
					      .expiry = expiry,
					      .peer_class = peer_class,
					      .action = peer_class == RG_CLASS_CLEAN ?
								RG_ACTION_PASS :
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
	struct rg_index *from = make_part(RG_INDEX_HOSTS, &tiny);
	struct rg_index *to = make_part(RG_INDEX_HOSTS, &larger);

	(void)state;
	for (uint32_t i = 1; i < 500; i++) {
		put(from, v4(0x0c000000 + i, 32), RG_CLASS_QIL, EPOCH + DAY);
		put(from, v6(0x20010db800000000 + i), RG_CLASS_QIL, EPOCH + DAY);
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

/* The longest live prefix around addr, or NULL. */
static const struct rg_index_entry *model_find(const struct model *model,
					       const struct rg_addr *addr, uint64_t now)
{
	const struct rg_index_entry *best = NULL;

	for (size_t i = 0; i < model->count; i++) {
		const struct rg_index_entry *entry = &model->at[i];

		if (is_alive(entry, now) && rg_prefix_covers(&entry->prefix, addr) &&
		    (!best || entry->prefix.len > best->prefix.len))
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

/* Nothing is seen, or in force: anonymous memory that was given back is zero again. */
static void clear_seen(void)
{
	in_force = 0;
	assert_int_equal(madvise(seen, sizeof(*seen), MADV_DONTNEED), 0);
}

/* settings.index of a part: 0: none of it is in force. */
static uint32_t force_of(enum rg_index_part part)
{
	return in_force >> 8 * part & 0xff;
}

/* Only if it is in force. */
static uint32_t place_of(enum rg_index_part part)
{
	return RG_INDEX_BANK(part, (force_of(part) & 3) - 1);
}

static __u64 *filters_of(uint32_t place)
{
	return seen->filters4[place - RG_INDEX_BANK(RG_INDEX_HOSTS, 0)];
}

/* What an agent that died leaves in a place that is not in force: anything. */
static void litter(uint32_t place)
{
	int byte = (int)rnd(256);

	memset(&seen->headers[place], byte, sizeof(seen->headers[place]));
	if (place >= RG_INDEX_BANK(RG_INDEX_HOSTS, 0))
		memset(filters_of(place), rnd(2) ? byte : 0, sizeof(seen->filters4[0]));
}

/* It comes into the other place than the one before, which may still be written meanwhile. */
static void enforce(struct rg_index *index, enum rg_index_part part)
{
	uint32_t place = RG_INDEX_BANK(part, (force_of(part) & 3) == 1), force;

	litter(place);
	force = rg_index_place(index, seen, place);
	assert_int_equal(force & ~(0xffU << 8 * part), 0);
	in_force = (in_force & ~(0xffU << 8 * part)) | force;
	assert_int_equal(place_of(part), place);
	assert_ptr_equal(rg_index_header(index), &seen->headers[place]);
}

static bool is_in_force(const struct rg_index *index, enum rg_index_part part)
{
	return force_of(part) && rg_index_header(index) == &seen->headers[place_of(part)];
}

/* shown: NULL, or seen */
static void open_shown(struct pair *pair, enum rg_index_part part, const struct rg_index_size *size,
		       uint64_t epoch, struct rg_index_presence *shown)
{
	const struct rg_index_origin origin = { .seen = shown,
						.part = part,
						.fd = -1,
						.now = epoch,
						.seed = seed };

	*pair = (struct pair){ .part = part, .epoch = epoch, .nets4 = size->nets4 };
	assert_int_equal(rg_index_new(&pair->index, &origin, size), 0);
}

/* In force at once, or not at all, which is the same to whoever asks the index itself. */
static void open_pair(struct pair *pair, enum rg_index_part part, const struct rg_index_size *size,
		      uint64_t epoch)
{
	open_shown(pair, part, size, epoch, seen);
	if (rnd(2))
		enforce(pair->index, part);
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

	return (uint32_t)entry->peer_class << RG_INDEX_CLASS_SHIFT |
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
static bool is_mute(const struct rg_addr *addr)
{
	uint32_t host = (uint32_t)rg_addr_half(addr, 1);

	return rg_addr_is_v4(addr) && !(rg_index_mix4(host, seed) & RG_INDEX_KEY4_MASK);
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
	pair->asked += got == RG_INDEX_ASK && !is_mute(addr);
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
		.peer_class = nets4   ? (len & 1 ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED) :
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
		.peer_class = (len / chain->step + chain->parity) & 1 ? RG_CLASS_APPROVED :
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
						.peer_class = RG_CLASS_CLEAN,
						.action = RG_ACTION_PASS,
						.zone = RG_NO_ZONE };
	return (struct rg_index_entry){
		.prefix = around(number, len),
		.expiry = ends[rnd(ARRAY_SIZE(ends))],
		.peer_class = rnd(2) ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED,
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
						.peer_class = RG_CLASS_CLEAN,
						.action = RG_ACTION_PASS,
						.zone = RG_NO_ZONE };
	/* As many answers as an index can tell from each other. */
	return (struct rg_index_entry){
		.prefix = key_of(key),
		.expiry = ends[rnd(ARRAY_SIZE(ends))],
		.peer_class = rnd(2) ? RG_CLASS_STANDARD : RG_CLASS_QIL,
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
	rg_index_remove(crowd->pair.index, &prefix);
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

/* What the sweep calls over is rounded to the unit; nothing else goes. */
static void crowd_sweep(struct crowd *crowd)
{
	size_t live = crowd->live, swept = rg_index_sweep(crowd->pair.index, crowd->now);

	for (size_t key = 0; key < 2 * KEYS; key++) {
		uint64_t expiry = crowd->entries[key].expiry;

		if (crowd->there[key] && !is_known(expiry, crowd->now))
			crowd_forget(crowd, key);
	}
	assert_true(swept <= live - crowd->live);
}

/* Keys that may be there and have no slot: the crowded ones, and all of IPv4 where it has no table. */
static size_t count_slotless(const struct crowd *crowd)
{
	bool has_hosts = rg_index_header(crowd->pair.index)->buckets4;

	return rg_index_count(crowd->pair.index).crowded + (has_hosts ? 0 : KEYS);
}

/* Returns how many were flushed; those that have no slot stay: "ask". */
static size_t crowd_flush(struct crowd *crowd, const struct rg_prefix *prefix)
{
	size_t flushed = rg_index_flush(crowd->pair.index, prefix);

	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix own = key_of(key);

		if (!prefix || (prefix->len <= own.len && rg_prefix_covers(prefix, &own.addr)))
			crowd_forget(crowd, key);
	}
	return flushed;
}

/* The same, and whoever had a slot is counted, nobody else. */
static void crowd_flush_counted(struct crowd *crowd, const struct rg_prefix *prefix)
{
	size_t live = crowd->live, flushed = crowd_flush(crowd, prefix);

	assert_in_range(live - crowd->live, flushed, flushed + count_slotless(crowd));
}

/* One of everything that may happen; filling: percent of what is put. */
static void churn(struct crowd *crowd, unsigned int filling)
{
	size_t key = rnd(2 * KEYS);

	if (rnd(100) < filling)
		crowd_put(crowd, key);
	else
		crowd_remove(crowd, key);
	crowd_check(crowd, key);
	crowd_check(crowd, rnd(2 * KEYS));
}

/* Full buckets, and freed slots that must not hide what lies beyond them. */
static void test_crowding(void **state)
{
	const struct rg_index_size tiny = {}, small = { .hosts4 = 300, .nets6 = 300 };

	(void)state;
	for (int form = 0; form < 2; form++) {
		struct crowd *crowd =
			new_crowd(form ? &small : &tiny, form ? RG_INDEX_PEERS : RG_INDEX_HOSTS);

		for (int i = 0; i < CHURN_ROUNDS / 2; i++) {
			churn(crowd, i / 3000 % 2 ? 15 : 60);
			crowd->now += rnd(UNIT / 50);
			if (i % 1000 == 0)
				crowd_check_all(crowd);
			if (i % 5000 == 4999)
				crowd_flush_counted(crowd, NULL);
		}
		crowd_check_all(crowd);
		crowd_flush_counted(crowd, NULL);
		assert_int_equal(rg_index_count(crowd->pair.index).hosts4, 0);
		assert_int_equal(rg_index_count(crowd->pair.index).nets6, 0);
		for (size_t key = 0; key < 2 * KEYS; key++)
			crowd_remove(crowd, key);
		assert_int_equal(rg_index_count(crowd->pair.index).crowded, 0);
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

/* Whoever is there has a slot or, with room hardly ever, none; so may some who have gone. */
static void check_counts(const struct crowd *crowd, bool is_roomy)
{
	struct rg_index_count count = rg_index_count(crowd->pair.index);
	size_t slots = count.hosts4 + count.nets6;

	assert_true(!is_roomy || count.crowded <= 2);
	assert_in_range(crowd->live, slots, slots + count_slotless(crowd));
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
			struct crowd *crowd = new_crowd(form ? &tiny : &roomy, RG_INDEX_PEERS);

			/* Of one /64 of them a prefix names a half, which is not to take it along. */
			for (size_t key = 0; key < 2 * KEYS; key++)
				crowd_put(crowd, key);
			check_counts(crowd, !form);
			crowd_flush_counted(crowd, &prefixes[i]);
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
		struct crowd *crowd = new_crowd(form ? &tiny : &roomy, RG_INDEX_PEERS);

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

/*
 * Peers that found no slot are not in the copy; all others are. Some of them the copy may know as "ask",
 * but not for long.
 */
static void crowd_lose(struct crowd *crowd, size_t most)
{
	size_t lost = 0;

	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix prefix = key_of(key);
		uint32_t answer = rg_index_find(crowd->pair.index, &prefix.addr, crowd->now);

		lost += crowd->there[key] && is_alive(&crowd->entries[key], crowd->now) &&
			answer == RG_INDEX_NONE;
		if (answer <= RG_INDEX_ASK)
			crowd_forget(crowd, key);
	}
	assert_in_range(lost, 0, most);
}

/* The crowd goes on with a copy of its index, whose times count from another one. */
static void crowd_copy(struct crowd *crowd, const struct rg_index_size *size, bool settle)
{
	size_t crowded = rg_index_count(crowd->pair.index).crowded;
	struct pair fresh;

	open_shown(&fresh, crowd->pair.part, size, crowd->now, seen);
	assert_int_equal(rg_index_copy(fresh.index, crowd->pair.index), 0);
	if (settle || rnd(2))
		enforce(fresh.index, crowd->pair.part);
	close_pair(&crowd->pair);
	crowd->pair.index = fresh.index;
	if (settle)
		rg_index_settle(crowd->pair.index);
	if (crowd->pair.part == RG_INDEX_PEERS)
		crowd_lose(crowd, crowded);
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
	int rounds = 0;

	(void)state;
	for (int round = 0; round < 24; round++) {
		clear_seen();
		open_pair(&from, round % RG_INDEXES, &tiny, EPOCH);
		for (size_t i = rnd(60) + 1; i; i--) {
			const struct rg_index_entry entry = random_entry(false);

			put_pair(&from, &entry);
		}
		/* Of those peers that found no slot a copy has none. */
		if (from.part == RG_INDEX_PEERS && rg_index_count(from.index).crowded) {
			close_pair(&from);
			continue;
		}
		rounds++;
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
	assert_in_range(rounds, 20, 24);
}

/* "Look", for a host, as XDP reads it. Of hosts and peers that are not in force it reads nothing. */
static bool is_seen4(uint32_t addr, enum rg_index_part part)
{
	uint64_t bits = rg_index_filter_bits(rg_index_mix4(addr, seed));
	uint32_t near = addr >> 9, filter_bits = force_of(part) >> 2;

	if (part == RG_INDEX_LISTS)
		return seen->near4[near / 64] >> near % 64 & 1;
	if (!force_of(part))
		return false;
	assert_in_range(filter_bits, 1, RG_INDEX_FILTER_BITS);
	return !(bits & ~filters_of(place_of(part))[rg_index_filter_of(addr, seed, filter_bits)]);
}

static bool is_any4(uint32_t addr)
{
	return is_seen4(addr, RG_INDEX_LISTS) || is_seen4(addr, RG_INDEX_HOSTS) ||
	       is_seen4(addr, RG_INDEX_PEERS);
}

static uint8_t seen6(uint32_t net)
{
	return seen->nets6[rg_index_net6(net)];
}

/* Each part has a net of its own and all share one; the hosts' index gives way to another. */
static void test_settle_bits(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 },
				   larger = { .hosts4 = 90000 };
	static struct pair pairs[RG_INDEXES], fresh;

	(void)state;
	for (int i = 0; i < RG_INDEXES; i++) {
		open_shown(&pairs[i], i, &size, EPOCH, seen);
		put(pairs[i].index, v4(0x0a000001 + (i << 16), 32), RG_CLASS_BLOCKED, 0);
		enforce(pairs[i].index, i);
		put(pairs[i].index, v4(0x0b000001, 32), RG_CLASS_BLOCKED, 0);
		put(pairs[i].index, v6(0x2001000100000000 + ((uint64_t)i << 32)), RG_CLASS_BLOCKED,
		    0);
		put(pairs[i].index, around(V6_BASE, 48), RG_CLASS_BLOCKED, 0);
		put(pairs[i].index, around((u128)0x30 << 120, 12), RG_CLASS_BLOCKED, 0);
	}
	open_shown(&fresh, RG_INDEX_HOSTS, &larger, EPOCH, seen);
	put(fresh.index, v4(0x0c000001, 32), RG_CLASS_BLOCKED, 0);
	/* Not in force yet: what the old one has is still found. */
	assert_true(is_seen4(0x0a010001, RG_INDEX_HOSTS) && !is_seen4(0x0c000001, RG_INDEX_HOSTS));
	assert_int_equal(seen6(0x20010002) >> RG_INDEX_HOSTS & 1, 1);
	enforce(fresh.index, RG_INDEX_HOSTS);
	assert_int_equal(seen6(0x20010002) >> RG_INDEX_HOSTS & 1, 1);
	rg_index_settle(fresh.index);
	for (int i = 0; i < RG_INDEXES; i++) {
		bool stays = i != RG_INDEX_HOSTS;
		uint8_t asks = (uint8_t)(1 << (i + RG_INDEX_ASKS));

		assert_int_equal(is_seen4(0x0a000001 + ((uint32_t)i << 16), i), stays);
		assert_int_equal(is_any4(0x0a000001 + ((uint32_t)i << 16)), stays);
		assert_int_equal(is_seen4(0x0b000001, i), stays);
		assert_int_equal(seen6(0x20010001 + (uint32_t)i) >> i & 1, stays);
		assert_int_equal(!!(seen6(0x20010db8) & asks), stays);
		for (uint32_t wide = 0x3000; wide < 0x3010; wide++)
			assert_int_equal(!!(seen->wide6[wide] & asks), stays);
	}
	assert_true(is_any4(0x0b000001) && is_seen4(0x0c000001, RG_INDEX_HOSTS));
	assert_int_equal(seen->wide6[0x2fff] | seen->wide6[0x3010], 0);
	for (int i = 0; i < RG_INDEXES; i++)
		close_pair(&pairs[i]);
	close_pair(&fresh);
}

/* What an index that is not shown yet has leaves no bit behind, and all of them when it is. */
static void test_show(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100, .nets4 = true };
	static const struct rg_index_presence nothing;
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
	open_shown(&other, RG_INDEX_HOSTS, &size, EPOCH, seen);
	enforce(other.index, RG_INDEX_HOSTS);
	put(other.index, v4(0x0a000002, 32), RG_CLASS_BLOCKED, 0);
	put(other.index, v4(0x0d000002, 32), RG_CLASS_BLOCKED, 0);
	assert_true(rg_index_show(pair.index, seen));
	assert_false(rg_index_show(pair.index, seen));
	assert_true(is_seen4(0x0a000001, RG_INDEX_LISTS) && is_seen4(0x0a000002, RG_INDEX_HOSTS));
	assert_true(is_seen4(0x0a0001ff, RG_INDEX_LISTS) && !is_seen4(0x0a000200, RG_INDEX_LISTS));
	assert_true(is_seen4(0x0b000000, RG_INDEX_LISTS) && is_seen4(0x0b00ffff, RG_INDEX_LISTS));
	assert_false(is_any4(0x0b010000) || is_any4(0x0affffff));
	assert_true(is_seen4(0x0d000002, RG_INDEX_HOSTS) && !is_seen4(0x0d000002, RG_INDEX_LISTS));
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
	enforce(pair->index, pair->part);
	check_all(&old);
	close_pair(&old);
	rg_index_settle(pair->index);
}

/* All parts with one `presence`: whatever one of them does, the others' answers stay. */
static void test_all_parts(void **state)
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
				rg_index_remove(pair->index, &entry.prefix);
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
	size_t looks = 0;

	(void)state;
	open_shown(&pair, RG_INDEX_HOSTS, &size, EPOCH, seen);
	enforce(pair.index, RG_INDEX_HOSTS);
	put(pair.index, around(V4_BASE, 96), RG_CLASS_BLOCKED, 0);
	put(pair.index, around((u128)0, 3), RG_CLASS_BLOCKED, 0);
	assert_int_equal(find(pair.index, v4(0x01020304, 32)), RG_INDEX_ASK);
	for (uint32_t i = 0; i < 1 << 24; i += 99991)
		assert_true(is_seen4(i << 8 | rnd(256), RG_INDEX_HOSTS));
	open_shown(&fresh, RG_INDEX_HOSTS, &size, EPOCH, seen);
	put(fresh.index, v4(0x01020304, 32), RG_CLASS_BLOCKED, 0);
	enforce(fresh.index, RG_INDEX_HOSTS);
	rg_index_settle(fresh.index);
	close_pair(&pair);
	for (uint32_t i = 0; i < 1 << 24; i += 997)
		looks += is_any4(i << 8 | rnd(256));
	/* One word has three bits, which others may have. */
	assert_in_range(looks, 0, 2);
	assert_int_equal(find(fresh.index, v6(1)), RG_INDEX_NONE);
	assert_int_not_equal(find(fresh.index, v4(0x01020304, 32)), RG_INDEX_NONE);
	assert_true(is_any4(0x01020304));
	close_pair(&fresh);
}

/* ---- addresses with a meaning of their own ---- */

static void test_special_addresses(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	static struct pair pair;
	const struct rg_index_entry mapped = { .prefix = around(V4_BASE + 1, 128),
					       .peer_class = RG_CLASS_QIL,
					       .action = RG_ACTION_DROP,
					       .zone = 1 };
	const struct rg_index_entry zero = { .prefix = around(V4_BASE, 128),
					     .peer_class = RG_CLASS_STANDARD,
					     .action = RG_ACTION_RESET,
					     .zone = 2 };
	const struct rg_index_entry clean = { .prefix = around(V4_BASE + 3, 128),
					      .peer_class = RG_CLASS_CLEAN,
					      .action = RG_ACTION_PASS,
					      .zone = RG_NO_ZONE };
	const struct rg_index_entry any = { .prefix = around(0, 64),
					    .peer_class = RG_CLASS_BLOCKED,
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
		const struct rg_index_entry entry = { .prefix = rg_list_item_prefix(&list.items[i]),
						      .peer_class = RG_CLASS_BLOCKED,
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
			.peer_class = i % 3 ? RG_CLASS_STANDARD : RG_CLASS_CLEAN,
			.action = i % 3 ? RG_ACTION_DROP : RG_ACTION_PASS,
			.zone = i % 3 ? i % RG_MAX_ZONES : RG_NO_ZONE
		};

		put_pair(&pair, &entry);
	}
	check_all(&pair);
	pair.asked = pair.looked = 0;
	for (uint32_t i = 0; i < 20; i++) /* clean ones, and 13 others */
		check_at(&pair, number_of(&pair.model.at[i].prefix.addr), NOW);
	expect_asked(&pair, 0, "the first of them");
	close_pair(&pair);
}

/* Who stands near an entry of the lists says so, in either order. */
static void check_heed(enum rg_index_part part)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets4 = part == RG_INDEX_LISTS };
	const struct rg_index_size lists_size = { .hosts4 = 1000, .nets4 = true };
	const struct rg_prefix near = v4(0x0a000101, 32), far = v4(0x0a000201, 32);
	struct rg_index *index = make_part(part, &size), *lists = make(&lists_size);
	const struct rg_index_header *header = rg_index_header(index);
	uint32_t answer;

	put(index, near, RG_CLASS_QIL, EPOCH + DAY);
	put(index, far, RG_CLASS_QIL, EPOCH + DAY);
	answer = header->answers[0];
	assert_int_equal(answer & RG_INDEX_CHECK_LISTS, 0);
	assert_int_equal(header->answers[1], 0);
	/* The same /23. */
	put(lists, v4(0x0a000080, 28), RG_CLASS_APPROVED, 0);
	assert_int_equal(header->answers[1], 0);
	rg_index_heed(index);
	assert_int_equal(header->answers[1], answer | RG_INDEX_CHECK_LISTS);
	assert_int_equal(header->answers[2], 0);
	/* To both it is the same answer. */
	assert_int_equal(find(index, near), answer);
	assert_int_equal(find(index, far), answer);
	rg_index_remove(index, &far);
	put(index, v4(0x0a000102, 32), RG_CLASS_CLEAN, EPOCH + DAY);
	assert_int_equal(header->answers[2], RG_INDEX_CLEAN | RG_INDEX_CHECK_LISTS);
	assert_int_equal(find(index, v4(0x0a000102, 32)), RG_INDEX_CLEAN);
	rg_index_free(lists);
	rg_index_free(index);
}

static void test_heed(void **state)
{
	(void)state;
	check_heed(RG_INDEX_HOSTS);
	clear_seen();
	check_heed(RG_INDEX_PEERS);
}

/* Of those in an index that is not shown yet nobody knows who is near: all heed. */
static void test_heed_unshown(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100 };
	static struct pair pair;

	(void)state;
	open_shown(&pair, RG_INDEX_PEERS, &size, EPOCH, NULL);
	put(pair.index, v4(0x0a000001, 32), RG_CLASS_CLEAN, EPOCH + DAY);
	assert_int_equal(rg_index_header(pair.index)->answers[0],
			 RG_INDEX_CLEAN | RG_INDEX_CHECK_LISTS);
	close_pair(&pair);
}

/* ---- where packets find the header and the filters ---- */

/* It goes with its index from place to place, and what is put later is in it. */
static void test_place(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	struct rg_index *index = make_part(RG_INDEX_HOSTS, &size);
	struct rg_index_header *first = &seen->headers[RG_INDEX_BANK(RG_INDEX_HOSTS, 0)];
	struct rg_index_header *second = &seen->headers[RG_INDEX_BANK(RG_INDEX_HOSTS, 1)], old;

	(void)state;
	put(index, v4(0x0a000001, 32), RG_CLASS_QIL, 0);
	old = *rg_index_header(index);
	enforce(index, RG_INDEX_HOSTS);
	assert_ptr_equal(rg_index_header(index), first);
	assert_memory_equal(first, &old, sizeof(old));
	assert_true(first->seed == seed && first->buckets4 && first->answers[0] && !first->answers[1]);
	put(index, v4(0x0a000001, 32), RG_CLASS_STANDARD, 0);
	put(index, around(V4_BASE, 96 + 24), RG_CLASS_STANDARD, EPOCH + DAY);
	rg_index_move(index, EPOCH + DAY);
	assert_true(first->answers[1] && first->other4 && first->epoch > old.epoch);
	old = *first;
	enforce(index, RG_INDEX_HOSTS);
	assert_ptr_equal(rg_index_header(index), second);
	rg_index_move(index, EPOCH + 2 * DAY);
	assert_memory_equal(first, &old, sizeof(old));
	assert_true(second->epoch > old.epoch);
	old.epoch = second->epoch;
	assert_memory_equal(second, &old, sizeof(old));
	rg_index_free(index);
	/* All others are as they were. */
	for (uint32_t i = 0; i < RG_INDEX_BANKS; i++)
		if (i / 2 != RG_INDEX_HOSTS)
			assert_int_equal(seen->headers[i].seed, 0);
}

/* settings.index for a table of so many hosts: 2^n filters, of which each has ten of them at most. */
static void check_force(enum rg_index_part part, size_t hosts4, uint32_t filter_bits)
{
	const struct rg_index_size size = { .hosts4 = hosts4 };

	for (uint32_t which = 0; which < 2; which++) {
		struct rg_index *index = make_part(part, &size);
		uint32_t force = rg_index_place(index, seen, RG_INDEX_BANK(part, which));

		assert_int_equal(force, RG_INDEX_IN_FORCE(part, which, filter_bits));
		assert_int_equal(force >> 8 * part, 1 + which + 4 * filter_bits);
		rg_index_free(index);
	}
}

static void test_force(void **state)
{
	static const struct {
		size_t hosts4;
		uint32_t filter_bits;
	} sizes[] = { { 0, 1 },	      { 1, 13 },      { 81919, 13 },   { 90000, 14 },
		      { 163000, 14 }, { 200000, 15 }, { 327000, 15 },  { 400000, 16 },
		      { 580000, 16 }, { 700000, 17 }, { 1300000, 17 }, { 5000000, 17 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		check_force(RG_INDEX_HOSTS, sizes[i].hosts4, sizes[i].filter_bits);
		check_force(RG_INDEX_PEERS, sizes[i].hosts4, sizes[i].filter_bits);
	}
	/* Lists have none, but are in force. */
	check_force(RG_INDEX_LISTS, 1000000, 1);
}

/* Words of each place that packets may read, as they were. */
struct snapshot {
	struct rg_index_header headers[RG_INDEX_BANKS];
	__u64 filters4[RG_INDEX_FILTERED][RG_INDEX_FILTERS];
};

/* None is another but those of place, and of its filters none past the last. */
static void check_others(const struct snapshot *before, uint32_t place, uint32_t filter_bits)
{
	const uint32_t count = 1U << filter_bits, first = RG_INDEX_BANK(RG_INDEX_HOSTS, 0);

	for (uint32_t i = 0; i < RG_INDEX_BANKS; i++) {
		if (i != place)
			assert_memory_equal(&seen->headers[i], &before->headers[i],
					    sizeof(before->headers[i]));
		if (i != place && i >= first && i - first < RG_INDEX_FILTERED)
			assert_memory_equal(filters_of(i), before->filters4[i - first],
					    sizeof(before->filters4[0]));
	}
	assert_memory_equal(filters_of(place) + count, before->filters4[place - first] + count,
			    sizeof(before->filters4[0]) - count * sizeof(__u64));
}

/*
 * An index goes on being written in its place while a larger or smaller one is made, takes the other
 * one, and is written, too: each has what was put into it, before and afterwards, and nothing else.
 */
static void test_places_by_turns(void **state)
{
	static const size_t sizes[] = { 1, 700000, 90000, 1, 400000, 0, 200000, 1 };
	static struct snapshot before;
	struct rg_index *index = NULL;
	enum rg_index_part part;

	(void)state;
	for (uint32_t round = 0; round < 4 * ARRAY_SIZE(sizes); round++) {
		const struct rg_index_size size = { .hosts4 = sizes[round % ARRAY_SIZE(sizes)] };
		struct rg_index *old = index;
		uint32_t base;

		part = round / 2 / ARRAY_SIZE(sizes) ? RG_INDEX_PEERS : RG_INDEX_HOSTS;
		if (round == 2 * ARRAY_SIZE(sizes)) {
			rg_index_free(old);
			old = NULL;
		}
		index = make_part(part, &size);
		base = 0x0a000000 + round * 0x10000;
		for (uint32_t i = 0; i < 200; i++)
			put(index, v4(base + i * 0x101, 32), RG_CLASS_QIL, 0);
		for (uint32_t i = 0; old && i < 200; i++) /* still in force */
			assert_true(is_seen4(base - 0x10000 + i * 0x101, part));
		enforce(index, part);
		memcpy(before.headers, seen->headers, sizeof(before.headers));
		memcpy(before.filters4, seen->filters4, sizeof(before.filters4));
		for (uint32_t i = 200; i < 250; i++)
			put(index, v4(base + i * 0x101, 32), RG_CLASS_STANDARD, 0);
		if (round % 3 == 0)
			put(index, v4(base, 20), RG_CLASS_QIL, 0);
		check_others(&before, place_of(part), force_of(part) >> 2);
		for (uint32_t i = 0; i < 250; i++)
			assert_true(is_seen4(base + i * 0x101, part));
		/* The one before has gone from its place, where anything may be now. */
		rg_index_free(old);
		litter(place_of(part) ^ 1);
		for (uint32_t i = 0; i < 250; i++) {
			assert_true(is_seen4(base + i * 0x101, part));
			assert_int_not_equal(find(index, v4(base + i * 0x101, 32)), RG_INDEX_NONE);
		}
	}
	rg_index_free(index);
}

/* ---- filters ---- */

/* More than an index lets go before it makes its filters anew. */
#define GONE (65536 + KEYS)

/* Others come and go, in the nets of the crowd and elsewhere; each leaves its bits behind. */
static void wear(struct rg_index *index)
{
	for (uint32_t i = 0; i < GONE; i++) {
		const struct rg_prefix guest =
			i & 1 ? v4((uint32_t)rnd(1ULL << 32) | 1, 32) :
				v4(0x0a000001 + 2 * (uint32_t)rnd(1 << 16), 32);

		if (is_mute(&guest.addr))
			continue;
		put(index, guest, RG_CLASS_QIL, 0);
		rg_index_remove(index, &guest);
	}
}

static size_t count_looks(enum rg_index_part part, uint32_t probes)
{
	size_t count = 0;

	for (uint32_t i = 0; i < probes; i++)
		count += is_seen4((uint32_t)rnd(1ULL << 32), part);
	return count;
}

/* As crowd_sweep(), whatever the epoch was when they were put: what was known to be alive stays. */
static void crowd_sweep_later(struct crowd *crowd)
{
	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix prefix = key_of(key);

		if (rg_index_find(crowd->pair.index, &prefix.addr, crowd->now) <= RG_INDEX_ASK)
			crowd_forget(crowd, key);
	}
	(void)rg_index_sweep(crowd->pair.index, crowd->now);
}

/* What happens to an index in force, but for single entries. */
static void crowd_change(struct crowd *crowd, const struct rg_index_size *size)
{
	const struct rg_prefix some = v4(0x0a000000 + ((uint32_t)rnd(10) << 8), 24);

	switch (rnd(7)) {
	case 0:
		(void)crowd_flush(crowd, rnd(4) ? &some : NULL);
		break;
	case 1:
		crowd_sweep_later(crowd);
		break;
	case 2:
		rg_index_settle(crowd->pair.index);
		break;
	case 3:
		rg_index_heed(crowd->pair.index);
		break;
	case 4:
		rg_index_refilter(crowd->pair.index); /* too early */
		break;
	default:
		crowd_copy(crowd, size, rnd(3));
	}
}

/* Whoever is there, XDP looks for, if the index is in force. Returns how many there were. */
static size_t crowd_check_seen(const struct crowd *crowd)
{
	size_t looked = 0;

	for (size_t key = 0; key < KEYS && is_in_force(crowd->pair.index, crowd->pair.part); key++) {
		const struct rg_prefix prefix = key_of(key);

		if (!crowd->there[key] || !is_alive(&crowd->entries[key], crowd->now))
			continue;
		assert_true(is_seen4((uint32_t)rg_addr_half(&prefix.addr, 1), crowd->pair.part));
		looked++;
	}
	return looked;
}

/*
 * Hosts and peers, the same addresses in both, in small and in large tables, and lists that are
 * reloaded: whatever happens to one part, no filter hides anybody of it or of the others.
 */
static void test_filters(void **state)
{
	const struct rg_index_size sizes[] = { {},
					       { .hosts4 = 300 },
					       { .hosts4 = 2 * KEYS },
					       { .hosts4 = 90000 },
					       { .hosts4 = 200000 } };
	const struct rg_index_size lists_size = { .hosts4 = 2000, .nets4 = true };
	struct crowd *crowds[2];
	static struct pair lists;
	size_t looked = 0;

	(void)state;
	clear_seen();
	open_pair(&lists, RG_INDEX_LISTS, &lists_size, EPOCH);
	for (int i = 0; i < 2; i++)
		crowds[i] = new_crowd(&sizes[1 + i], RG_INDEX_HOSTS + i);
	for (int round = 0; round < 400; round++) {
		struct crowd *crowd = crowds[round & 1];

		for (int i = 0; i < 200; i++)
			churn(crowd, 55);
		crowd->now += rnd(UNIT);
		if (round % 5 == 0)
			reload(&lists);
		if (round % 100 < 2) {
			wear(crowd->pair.index);
			rg_index_refilter(crowd->pair.index);
		}
		crowd_change(crowd, &sizes[rnd(ARRAY_SIZE(sizes))]);
		for (int i = 0; i < 2; i++) {
			crowd_check_all(crowds[i]);
			looked += crowd_check_seen(crowds[i]);
		}
		check_all(&lists);
	}
	assert_true(looked > 10000);
	for (int i = 0; i < 2; i++)
		free_crowd(crowds[i]);
	close_pair(&lists);
}

static void check_asked_everywhere(const struct rg_index *hosts, const struct rg_index *peers)
{
	for (int i = 0; i < 100; i++) {
		const struct rg_prefix host = v4((uint32_t)rnd(1ULL << 32), 32);

		assert_int_equal(find(hosts, host), RG_INDEX_ASK);
		assert_int_equal(find(peers, host), RG_INDEX_NONE);
	}
}

/* Where there is a prefix of another length, XDP has to ask for all of IPv4, until it is forgotten. */
static void test_filters_of_prefixes(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000 }, larger = { .hosts4 = 700000 };
	struct rg_index *hosts = make_part(RG_INDEX_HOSTS, &size), *copy, *fresh;
	struct rg_index *peers = make_part(RG_INDEX_PEERS, &size);
	const struct rg_prefix prefix = v4(0x0a000000, 20), host = v4(0x0a000002, 32);

	(void)state;
	put(hosts, host, RG_CLASS_QIL, 0);
	assert_int_equal(find(hosts, v4(0x0a000100, 32)), RG_INDEX_NONE);
	enforce(peers, RG_INDEX_PEERS);
	enforce(hosts, RG_INDEX_HOSTS);
	put(hosts, prefix, RG_CLASS_QIL, 0);
	check_asked_everywhere(hosts, peers);
	rg_index_remove(hosts, &prefix);
	wear(hosts);
	rg_index_refilter(hosts);
	rg_index_settle(peers);
	check_asked_everywhere(hosts, peers);
	copy = make_part(RG_INDEX_HOSTS, &larger);
	assert_int_equal(rg_index_copy(copy, hosts), 0);
	enforce(copy, RG_INDEX_HOSTS);
	rg_index_settle(copy);
	check_asked_everywhere(copy, peers);
	assert_int_not_equal(find(copy, host), RG_INDEX_ASK);
	fresh = make_part(RG_INDEX_HOSTS, &size);
	put(fresh, host, RG_CLASS_QIL, 0);
	check_asked_everywhere(copy, peers);
	assert_int_equal(count_looks(RG_INDEX_HOSTS, 10000), 10000);
	/* Into the place of hosts, that nobody looks into any more. */
	rg_index_free(hosts);
	enforce(fresh, RG_INDEX_HOSTS);
	rg_index_settle(fresh);
	assert_in_range(count_looks(RG_INDEX_HOSTS, 10000), 0, 2);
	assert_int_equal(count_looks(RG_INDEX_PEERS, 10000), 0);
	assert_int_not_equal(find(fresh, host), RG_INDEX_NONE);
	rg_index_free(copy);
	rg_index_free(fresh);
	rg_index_free(peers);
}

#define MILLION 1000000

static uint32_t nth(uint64_t salt, uint32_t i)
{
	return (uint32_t)((salt + i) * 0x9e3779b97f4a7c15ULL >> 32);
}

/* So many addresses that no slot can stand for, or whose search begins in the same eight buckets. */
static void put_crowded(struct rg_index *index, uint32_t *addrs, size_t count)
{
	for (uint32_t next = 0, i = 0; i < count; next++) {
		uint32_t addr = next << 6 | 1, hash = rg_index_mix4(addr, seed);
		uint32_t home = rg_index_home(hash, rg_index_header(index)->buckets4);

		if (home >= 8 && hash & RG_INDEX_KEY4_MASK)
			continue;
		addrs[i++] = addr;
		put(index, v4(addr, 32), RG_CLASS_QIL, 0);
	}
}

/* Percent of a million other addresses that are looked for in vain. */
static double percent_looks(enum rg_index_part part)
{
	return 100.0 * (double)count_looks(part, MILLION) / MILLION;
}

/* So many others than salt's come and go, a few at a time, so that the table is never much fuller. */
static void come_and_go(struct rg_index *index, enum rg_index_part part, size_t count)
{
	uint64_t go = rnd(1ULL << 40);
	size_t swept = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct rg_prefix guest = v4(nth(go, i), 32);

		if (!rg_index_until(index, &guest.addr, NOW)) {
			put(index, guest, RG_CLASS_QIL, EPOCH + DAY);
			assert_true(is_seen4(nth(go, i), part));
		}
		if (i % 20000 == 19999 || i + 1 == count)
			swept += rg_index_sweep(index, EPOCH + 2 * DAY);
	}
	assert_in_range(swept, count / 10 * 9, count);
}

static const struct rate {
	const char *name;
	size_t room; /* hosts that it was made for */
	uint32_t stay; /* hosts in it */
	double most; /* percent of others looked for, with those that stay alone */
} rates[] = {
	/* Ten hosts for each filter, as many as ever. */
	{ "2^13 filters, full", 1, 81920, 9 },
	{ "2^14 filters, full", 163000, 163000, 9 },
	{ "2^15 filters, full", 327000, 327000, 9 },
	{ "2^16 filters, full", 580000, 580000, 9 },
	{ "2^17 filters, as full as others", 1310720, 1310720, 9 },
	/* As many as a copy has, and there may be half as many more. */
	{ "2^13 filters, half full", 1, 50000, 4 },
	{ "2^17 filters, a million", 2 * MILLION, MILLION, 6 },
};

/* As many as may come and go before the filters are made anew, and a few. */
static uint32_t most_gone(const struct rate *rate, enum rg_index_part part)
{
	return rate->stay / 2 + (10U << (force_of(part) >> 2)) / 16 + rate->stay / 50 + 1000;
}

/* Random hosts that stay, and others that have gone again. */
static void check_rate(enum rg_index_part part, const struct rate *rate)
{
	const struct rg_index_size size = { .hosts4 = rate->room };
	struct rg_index *index = make_part(part, &size);
	uint64_t stay = rnd(1ULL << 40);
	static uint32_t crowded[600];
	double before, worn, after;

	for (uint32_t i = 0; i < rate->stay / 2; i++)
		put(index, v4(nth(stay, i), 32), RG_CLASS_QIL, 0);
	enforce(index, part);
	for (uint32_t i = rate->stay / 2; i < rate->stay; i++)
		put(index, v4(nth(stay, i), 32), RG_CLASS_QIL, 0);
	put_crowded(index, crowded, ARRAY_SIZE(crowded));
	assert_true(rg_index_count(index).crowded > 100);
	before = percent_looks(part);
	come_and_go(index, part, most_gone(rate, part));
	worn = percent_looks(part);
	rg_index_refilter(index);
	after = percent_looks(part);
	print_message("part %d, %s: %.1f %% not there are looked for, %.1f %% when others had gone, "
		      "then %.1f %%\n",
		      part, rate->name, before, worn, after);
	assert_true(before <= rate->most && after <= rate->most && worn < 18);
	assert_true(worn > 1.5 * before && after < before * 1.1);
	for (uint32_t i = 0; i < rate->stay; i++)
		assert_true(is_seen4(nth(stay, i), part));
	for (size_t i = 0; i < ARRAY_SIZE(crowded); i++) {
		assert_true(is_seen4(crowded[i], part));
		assert_int_not_equal(find(index, v4(crowded[i], 32)), RG_INDEX_NONE);
	}
	/* Few have gone since: nothing to forget. */
	rg_index_refilter(index);
	assert_true(is_seen4(nth(stay, 0), part));
	rg_index_free(index);
}

static void test_filter_rate(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 };
	struct rg_index *peers;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		clear_seen();
		peers = make_part(RG_INDEX_PEERS, &size);
		enforce(peers, RG_INDEX_PEERS);
		check_rate(RG_INDEX_HOSTS, &rates[i]);
		/* The other part has nothing of it. */
		assert_int_equal(count_looks(RG_INDEX_PEERS, MILLION), 0);
		rg_index_free(peers);
		if (i % 4 == 0)
			check_rate(RG_INDEX_PEERS, &rates[i]);
	}
}

/* However often it is put: a larger table would have no slot for it either. */
static void test_mute_is_no_reason(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 };
	struct rg_index *index = make_part(RG_INDEX_HOSTS, &size);
	struct rg_index_entry entry = { .prefix = v4(0x0a000000, 32), .peer_class = RG_CLASS_QIL };

	(void)state;
	for (uint32_t addr = 0x0a000000; !is_mute(&entry.prefix.addr); addr++)
		entry.prefix = v4(addr, 32);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rg_index_put(index, &entry), 0);
	assert_int_equal(rg_index_count(index).crowded, 1);
	assert_int_equal(find(index, entry.prefix), RG_INDEX_ASK);
	rg_index_free(index);
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
					.peer_class = RG_CLASS_QIL,
					.action = RG_ACTION_DROP };
	struct rg_index *index = make(&size), *copy = make(&size);

	(void)state;
	for (entry.zone = 0; entry.zone < RG_INDEX_ANSWERS; entry.zone++) {
		assert_int_equal(rg_index_put(index, &entry), 0);
		assert_int_not_equal(find(index, host), RG_INDEX_ASK);
	}
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
		TEST(test_all_parts),
		TEST(test_settle_forgets),
		TEST(test_special_addresses),
		TEST(test_measure),
		TEST(test_measured_fits),
		TEST(test_move),
		TEST(test_move_is_exact),
		TEST(test_just_started),
		TEST(test_many_answers),
		TEST(test_heed),
		TEST(test_heed_unshown),
		TEST(test_place),
		TEST(test_force),
		TEST(test_places_by_turns),
		TEST(test_filters),
		TEST(test_filters_of_prefixes),
		TEST(test_filter_rate),
		TEST(test_mute_is_no_reason),
		TEST(test_stale),
		TEST(test_stale_answers),
		TEST(test_until),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
