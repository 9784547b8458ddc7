/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model.h"

#include <sys/mman.h>
#include <sys/random.h>

struct rg_index_presence *presence;
struct rg_index_filters *filters;
uint64_t seed; /* all parts have the same */
uint32_t in_force; /* settings.index */

static uint64_t random_state = 88172645463325252ULL;

uint64_t rnd(uint64_t below)
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

int set_up(void **state)
{
	(void)state;
	in_force = 0;
	presence = mmap(NULL, sizeof(*presence), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	filters = mmap(NULL, sizeof(*filters), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	return presence == MAP_FAILED || filters == MAP_FAILED ||
			       getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ?
		       -1 :
		       0;
}

int tear_down(void **state)
{
	(void)state;
	return munmap(presence, sizeof(*presence)) || munmap(filters, sizeof(*filters));
}

struct rg_prefix v4(uint32_t addr, uint32_t len)
{
	struct rg_prefix prefix = { .len = RG_V4_PREFIX_BITS + len };

	addr = htobe32(addr);
	prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return prefix;
}

struct rg_prefix v6(uint64_t net)
{
	struct rg_prefix prefix = { .len = 64 };

	net = htobe64(net);
	memcpy(&prefix.addr, &net, sizeof(net));
	return prefix;
}

u128 number_of(const struct rg_addr *addr)
{
	return (u128)rg_addr_half(addr, 0) << 64 | rg_addr_half(addr, 1);
}

struct rg_addr addr_of(u128 number)
{
	struct rg_addr addr;

	for (int i = 15; i >= 0; i--, number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

struct rg_prefix around(u128 number, uint32_t len)
{
	struct rg_prefix prefix = { .len = len, .addr = addr_of(number) };

	rg_prefix_mask(&prefix);
	return prefix;
}

struct rg_index_entry *model_at(struct model *model, const struct rg_prefix *prefix)
{
	for (size_t i = 0; i < model->count; i++)
		if (!rg_prefix_compare(&model->at[i].prefix, prefix))
			return &model->at[i];
	return NULL;
}

void model_put(struct model *model, const struct rg_index_entry *entry)
{
	struct rg_index_entry *old = model_at(model, &entry->prefix);

	assert_true(old || model->count < MODEL_ENTRIES);
	if (!old)
		old = &model->at[model->count++];
	*old = *entry;
}

bool is_alive(const struct rg_index_entry *entry, uint64_t now)
{
	return !entry->expiry || entry->expiry > now;
}

const struct rg_index_entry *model_find(const struct model *model, const struct rg_addr *addr,
					uint64_t now)
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

struct rg_index *new_index(enum rg_index_part part, const struct rg_index_size *size)
{
	const struct rg_index_origin origin = { .presence = presence,
						.part = part,
						.fd = -1,
						.now = EPOCH,
						.seed = seed };
	struct rg_index *index = NULL;

	assert_int_equal(rg_index_new(&index, &origin, size), 0);
	return index;
}

struct rg_index *new_lists(const struct rg_index_size *size)
{
	return new_index(RG_INDEX_LISTS, size);
}

void put(struct rg_index *index, struct rg_prefix prefix, enum rg_class peer_class, uint64_t expiry)
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

uint32_t find(const struct rg_index *index, struct rg_prefix host)
{
	return rg_index_find(index, &host.addr, NOW);
}

void clear_presence(void)
{
	in_force = 0;
	assert_int_equal(madvise(presence, sizeof(*presence), MADV_DONTNEED), 0);
	assert_int_equal(madvise(filters, sizeof(*filters), MADV_DONTNEED), 0);
}

uint32_t in_force_of(enum rg_index_part part)
{
	return in_force >> 8 * part & 0xff;
}

uint32_t bank_of(enum rg_index_part part)
{
	return RG_INDEX_BANK(part, (in_force_of(part) & 3) - 1);
}

__u64 *filters_of(uint32_t bank)
{
	return filters->banks[rg_index_filters_of(bank)];
}

void scribble(uint32_t bank)
{
	int byte = (int)rnd(256);

	memset(&presence->headers[bank], byte, sizeof(presence->headers[bank]));
	if (bank >= RG_INDEX_BANK(RG_INDEX_HOSTS, 0))
		memset(filters_of(bank), rnd(2) ? byte : 0, sizeof(filters->banks[0]));
}

void put_in_force(struct rg_index *index, enum rg_index_part part)
{
	uint32_t bank = RG_INDEX_BANK(part, (in_force_of(part) & 3) == 1), force;

	scribble(bank);
	force = rg_index_install(index, presence, filters, bank);
	assert_int_equal(force & ~(0xffU << 8 * part), 0);
	in_force = (in_force & ~(0xffU << 8 * part)) | force;
	assert_int_equal(bank_of(part), bank);
	assert_ptr_equal(rg_index_header(index), &presence->headers[bank]);
}

bool is_in_force(const struct rg_index *index, enum rg_index_part part)
{
	return in_force_of(part) && rg_index_header(index) == &presence->headers[bank_of(part)];
}

bool is_present4(uint32_t addr, enum rg_index_part part)
{
	uint64_t bits = rg_index_filter_bits(rg_index_mix4(addr, seed));
	uint32_t near = addr >> 9, filter_bits = in_force_of(part) >> 2;

	if (part == RG_INDEX_LISTS)
		return presence->near4[near / 64] >> near % 64 & 1;
	if (!in_force_of(part))
		return false;
	assert_in_range(filter_bits, 1, RG_INDEX_FILTER_BITS);
	return !(bits & ~filters_of(bank_of(part))[rg_index_filter_of(addr, seed, filter_bits)]);
}

bool is_present4_anywhere(uint32_t addr)
{
	return is_present4(addr, RG_INDEX_LISTS) || is_present4(addr, RG_INDEX_HOSTS) ||
	       is_present4(addr, RG_INDEX_PEERS);
}

uint8_t presence6(uint32_t net)
{
	return presence->nets6[rg_index_net6(net)];
}

void open_checked_with(struct checked *checked, enum rg_index_part part,
		       const struct rg_index_size *size, uint64_t epoch,
		       struct rg_index_presence *common)
{
	const struct rg_index_origin origin = { .presence = common,
						.part = part,
						.fd = -1,
						.now = epoch,
						.seed = seed };

	*checked = (struct checked){ .part = part, .epoch = epoch, .nets4 = size->nets4 };
	assert_int_equal(rg_index_new(&checked->index, &origin, size), 0);
}

void open_checked(struct checked *checked, enum rg_index_part part,
		  const struct rg_index_size *size, uint64_t epoch)
{
	open_checked_with(checked, part, size, epoch, presence);
	if (rnd(2))
		put_in_force(checked->index, part);
}

void close_checked(struct checked *checked)
{
	rg_index_free(checked->index);
	checked->index = NULL;
}

void put_checked(struct checked *checked, const struct rg_index_entry *entry)
{
	model_put(&checked->model, entry);
	assert_true(rg_index_put(checked->index, entry) >= 0);
}

uint32_t answer_for(const struct rg_index_entry *entry)
{
	uint32_t zone = entry->zone < RG_MAX_ZONES ? entry->zone : RG_INDEX_NO_ZONE;

	return (uint32_t)entry->peer_class << RG_INDEX_CLASS_SHIFT |
	       (uint32_t)entry->action << RG_INDEX_ACTION_SHIFT | zone;
}

static void check_until(const struct checked *checked, const struct rg_addr *addr, uint64_t now,
			uint32_t got, const struct rg_index_entry *want)
{
	uint64_t until = rg_index_until(checked->index, addr, now);

	if (got <= RG_INDEX_ASK) {
		assert_true(until == 0);
		return;
	}
	/* 0: the answer is one of nets4, which has no times. */
	if (until && want->expiry && (until <= now || until > want->expiry))
		fail_msg("until %llu, but the entry ends at %llu and it is %llu",
			 (unsigned long long)until, (unsigned long long)want->expiry,
			 (unsigned long long)now);
}

bool is_unkeyed(const struct rg_addr *addr)
{
	uint32_t host = (uint32_t)rg_addr_half(addr, 1);

	return rg_addr_is_v4(addr) && !(rg_index_mix4(host, seed) & RG_INDEX_KEY4_MASK);
}

uint32_t check_one(struct checked *checked, const struct rg_addr *addr, uint64_t now,
		   const struct rg_index_entry *want)
{
	uint32_t got = rg_index_find(checked->index, addr, now);
	uint32_t expected = want ? answer_for(want) : RG_INDEX_NONE;
	uint32_t mask = checked->nets4 ? ~(uint32_t)RG_INDEX_ZONE_MASK : ~0U; /* lists have no zones */
	char text[RG_ADDR_TEXT], prefix[RG_PREFIX_TEXT] = "nothing";

	checked->looked++;
	checked->asked += got == RG_INDEX_ASK && !is_unkeyed(addr);
	if (got != RG_INDEX_ASK && ((got ^ expected) & mask)) {
		if (want)
			rg_prefix_format(&want->prefix, prefix);
		fail_msg("part %d, %s at epoch + %lld: %#x, not %#x of %s", checked->part,
			 rg_addr_format(addr, text), (long long)(now - checked->epoch), got,
			 expected, prefix);
	}
	check_until(checked, addr, now, got, want);
	return got;
}

uint32_t check_at(struct checked *checked, u128 number, uint64_t now)
{
	const struct rg_addr addr = addr_of(number);

	return check_one(checked, &addr, now, model_find(&checked->model, &addr, now));
}

void check_around(struct checked *checked, const struct rg_prefix *prefix, uint64_t now)
{
	const struct rg_addr last = rg_prefix_last(prefix);
	u128 low = number_of(&prefix->addr), high = number_of(&last);

	check_at(checked, low, now);
	check_at(checked, high, now);
	check_at(checked, low - 1, now);
	check_at(checked, high + 1, now);
	for (int i = 0; i < 8; i++)
		check_at(checked, low + (rnd128() & (high - low)), now);
	/* Its neighbour of the same length. */
	if (prefix->len)
		check_at(checked, low ^ (u128)1 << (RG_ADDR_BITS - prefix->len), now);
}

void expect_asked(const struct checked *checked, size_t most, const char *what)
{
	if (checked->asked > most)
		fail_msg("%s: %zu of %zu lookups answered \"ask\"", what, checked->asked,
			 checked->looked);
}

uint64_t rounded(uint64_t expiry, uint64_t made)
{
	static const uint32_t shifts[] = { 33, 38 };
	uint64_t epoch = made - UNIT; /* an index begins one unit back */

	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		uint64_t units = expiry >> shifts[i], from = epoch >> shifts[i];

		if (units <= from + (i < 1 ? 511 : 510))
			return units << shifts[i];
	}
	return ((epoch >> 38) + 510) << 38;
}

bool is_known(uint64_t expiry, uint64_t now)
{
	return !expiry || rounded(expiry, EPOCH) > now;
}

static const u128 bases[] = { V4_BASE + 0x0a000000,
			      V4_BASE + 0x0a000080,
			      V4_BASE,
			      V4_BASE + 0xffffff00,
			      V6_BASE,
			      V6_BASE + ((u128)1 << 64),
			      (u128)0x20010db9 << 96,
			      (u128)1 << 72 };

struct rg_index_entry random_entry(bool nets4)
{
	static const uint64_t ends[] = {
		0, 0, EPOCH + DAY, EPOCH + DAY + UNIT, EPOCH + 20 * DAY, EPOCH + UNIT - 1, 1
	};
	u128 number = bases[rnd(ARRAY_SIZE(bases))] + rnd(4) * rnd(1 << 12);
	bool is4 = number >> 32 == 0xffff;
	/* An IPv6 prefix that covers all of IPv4 is slow; test_alone() has those. */
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

int by_length(const void *a, const void *b)
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

void check_all(struct checked *checked)
{
	for (size_t i = 0; i < checked->model.count; i++)
		check_around(checked, &checked->model.at[i].prefix, times[rnd(ARRAY_SIZE(times))]);
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		check_at(checked, bases[i] + rnd(1 << 10), times[rnd(ARRAY_SIZE(times))]);
}

void reload(struct checked *checked)
{
	const struct rg_index_size size = { .hosts4 = 2000, .nets6 = 64, .nets4 = checked->nets4 };
	struct rg_index_entry entries[20];
	size_t count = 1 + rnd(ARRAY_SIZE(entries));
	struct checked old = *checked;

	open_checked_with(checked, old.part, &size, EPOCH, NULL);
	for (size_t i = 0; i < count; i++)
		entries[i] = random_entry(size.nets4);
	qsort(entries, count, sizeof(*entries), by_length);
	for (size_t i = 0; i < count; i++) {
		put_checked(checked, &entries[i]);
		check_at(&old, bases[rnd(ARRAY_SIZE(bases))] + rnd(1 << 10), NOW);
	}
	check_all(&old);
	rg_index_publish(checked->index, presence);
	check_all(&old);
	put_in_force(checked->index, checked->part);
	check_all(&old);
	close_checked(&old);
	rg_index_retire_previous(checked->index);
}
