/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdicts.h"

#include "base/addr.h"
#include "store/expiry_queue.h"
#include "index/index_maps.h"
#include "store/slot_bitmap.h"

#include <bpf/bpf.h>

struct rg_verdicts {
	struct rg_loader *loader;
	const struct rg_maps *maps;
	struct rg_index_maps *indexes;
	uint32_t ipv6_prefix;
	struct rg_expiry_queue *due; /* of `verdicts`; entries may be out of date: the map tells */
	uint64_t queues; /* how often it was made anew */
	struct rg_slot_bitmap *slots; /* of `verdict_details`: each verdict has one of its own */
	struct rg_zone_name zones[RG_MAX_ZONES]; /* a copy of the map */
	struct rg_verdicts_count count;
};

#define CODES 0x7f000000U /* 127.0.0.0/8: no other answer lists anybody, see dnsbl.c */

/* An entry of maps with its details, which are nothing if there are none. */
static struct rg_full_verdict full_verdict(const struct rg_maps *maps, const struct rg_verdict *value)
{
	struct rg_verdict_details details = {};
	struct rg_full_verdict full = { .expiry = value->expiry,
					.zone = value->zone,
					.peer_class = value->peer_class,
					.action = value->action };

	if (value->details < maps->details_count)
		details = maps->details[value->details];
	full.since = details.since * RG_NSEC_PER_SEC;
	full.hits = details.hits;
	full.reason = details.reason;
	if (full.reason == RG_REASON_ZONE)
		full.code = CODES | (uint32_t)details.code[0] << 16 |
			    (uint32_t)details.code[1] << 8 | details.code[2];
	return full;
}

/* All but the hits, which XDP may be adding to. */
static void write_details(struct rg_verdict_details *details, const struct rg_full_verdict *full)
{
	uint32_t since = (uint32_t)(full->since / RG_NSEC_PER_SEC);

	details->since = since ? since : 1; /* 0 would be never */
	details->code[0] = (uint8_t)(full->code >> 16);
	details->code[1] = (uint8_t)(full->code >> 8);
	details->code[2] = (uint8_t)full->code;
	details->reason = full->reason;
}

/* Takes details that are free. 0 or -ENOSPC. */
static int take_details(struct rg_verdicts *verdicts, const struct rg_full_verdict *full,
			uint32_t *ret)
{
	struct rg_verdict_details *details;

	if (rg_slot_bitmap_take(verdicts->slots, ret))
		return -ENOSPC;
	details = &verdicts->maps->details[*ret];
	details->hits = full->hits;
	write_details(details, full);
	return 0;
}

/* The value under exactly this key. */
static int get_exact(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
		     struct rg_verdict *value)
{
	if (bpf_map_lookup_elem(verdicts->maps->verdicts, key, value))
		return -errno;
	return value->prefix_len == key->len ? 0 : -ENOENT;
}

/* The value of what the queue says of it. -ENOENT: it has gone, or ends at another time. */
static int get_due(const struct rg_verdicts *verdicts, const struct rg_expiry_entry *due,
		   struct rg_verdict *value)
{
	int err = get_exact(verdicts, &due->key, value);

	return !err && rg_expiry_tick(value->expiry) != due->tick ? -ENOENT : err;
}

/* The same, if the index does not say that there is none. */
static int find_exact(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
		      struct rg_verdict *value)
{
	return rg_index_maps_may_have(verdicts->indexes, &key->addr) ?
		       get_exact(verdicts, key, value) :
		       -ENOENT;
}

/* value: what is under this key. */
static int delete_entry(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_verdict *value)
{
	if (!rg_index_maps_may_have(verdicts->indexes, &key->addr))
		return -ENOENT;
	if (bpf_map_delete_elem(verdicts->maps->verdicts, key))
		return -errno;
	rg_index_maps_remove(verdicts->indexes, key, false);
	/* Last: nobody finds the way to them any more. */
	rg_slot_bitmap_release(verdicts->slots, value->details);
	verdicts->count.entries--;
	return 0;
}

static void index_verdict(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			  const struct rg_verdict *value)
{
	const struct rg_index_entry entry = { .prefix = *key,
					      .expiry = value->expiry,
					      .peer_class = value->peer_class,
					      .action = value->action,
					      .zone = value->zone };

	rg_index_maps_put(verdicts->indexes, &entry);
}

/* As rg_peer_of() cuts it: of IPv6 what it has is prefix->len bits. */
static void index_peer(struct rg_verdicts *verdicts, const struct rg_prefix *peer, uint64_t expiry)
{
	const struct rg_index_entry entry = { .prefix = *peer,
					      .expiry = expiry,
					      .peer_class = RG_CLASS_CLEAN,
					      .action = RG_ACTION_PASS,
					      .zone = RG_NO_ZONE };

	rg_index_maps_put(verdicts->indexes, &entry);
}

static struct rg_prefix peer_prefix(const struct rg_verdicts *verdicts, const struct rg_addr *addr)
{
	return (struct rg_prefix){ .len = rg_addr_is_v4(addr) ? RG_ADDR_BITS : verdicts->ipv6_prefix,
				   .addr = *addr };
}

static int delete_peer(struct rg_verdicts *verdicts, const struct rg_addr *addr)
{
	const struct rg_prefix peer = peer_prefix(verdicts, addr);
	int err = bpf_map_delete_elem(verdicts->maps->peers, addr) ? -errno : 0;

	rg_index_maps_remove(verdicts->indexes, &peer, true);
	return err;
}

#define WALK_LIMIT (4 * 16777216) /* four times the largest map that can be configured */

/* 0, 1: there is none, or a negative error: the kernel needs memory to find it. */
static int next_key(int fd, const void *key, void *next)
{
	if (!bpf_map_get_next_key(fd, key, next))
		return 0;
	return errno == ENOENT ? 1 : -errno;
}

/*
 * A walk over all keys of a map; the callback may delete the key it is given. Bounded, because a walk
 * begins again when the key it stands on is evicted by somebody else.
 */
static int each_key(int fd, int (*call)(void *arg, const void *key), void *arg)
{
	char keys[2][sizeof(struct rg_prefix)];
	size_t left = WALK_LIMIT;
	int now = 0, ret = 0, end = next_key(fd, NULL, keys[now]);

	while (!end && !ret && left--) {
		end = next_key(fd, keys[now], keys[!now]);
		ret = call(arg, keys[now]);
		now = !now;
	}
	return ret || end > 0 ? ret : end;
}

static int queue_entry(void *arg, const void *key)
{
	struct rg_verdicts *verdicts = arg;
	struct rg_verdict value;

	if (get_exact(verdicts, key, &value))
		return 0;
	return rg_expiry_queue_add(verdicts->due, key, value.expiry);
}

/* A queue of what is in the map. 0, or a negative error: then the old one stays. */
static int make_queue(struct rg_verdicts *verdicts)
{
	struct rg_expiry_queue *old = verdicts->due;
	int err = rg_expiry_queue_new(&verdicts->due);

	if (!err)
		err = each_key(verdicts->maps->verdicts, queue_entry, verdicts);
	if (err) {
		if (verdicts->due != old)
			rg_expiry_queue_free(verdicts->due);
		verdicts->due = old;
		return err;
	}
	rg_expiry_queue_free(old);
	verdicts->count.entries = rg_expiry_queue_count(verdicts->due);
	verdicts->queues++;
	return 0;
}

/* Entries of the queue that may be out of date, besides as many as there are verdicts. */
#define STALE_MAX 65536

/*
 * A verdict that is renewed, or removed before its end, leaves an entry in the queue until then. When
 * most of them are such, the queue is made anew: a walk of 3 us a verdict, but as many have changed
 * since the last one, and took longer.
 */
static int push_due(struct rg_verdicts *verdicts, const struct rg_prefix *key, uint64_t expiry)
{
	if (rg_expiry_queue_count(verdicts->due) >= 2 * verdicts->count.entries + STALE_MAX &&
	    !make_queue(verdicts))
		return 0; /* it is in the map already */
	return rg_expiry_queue_add(verdicts->due, key, expiry);
}

struct adoption {
	struct rg_verdicts *verdicts;
	struct rg_expiry_queue *strays; /* a mere list: those without details of their own */
};

static int adopt_entry(void *arg, const void *key)
{
	struct adoption *adoption = arg;
	struct rg_verdicts *verdicts = adoption->verdicts;
	const struct rg_prefix *prefix = key;
	struct rg_verdict value;
	int err = 0;

	if (get_exact(verdicts, prefix, &value))
		return 0;
	verdicts->count.entries++;
	if (!rg_slot_bitmap_claim(verdicts->slots, value.details))
		err = rg_expiry_queue_add(adoption->strays, prefix, 0);
	index_verdict(verdicts, prefix, &value);
	return err ? err : push_due(verdicts, prefix, value.expiry);
}

/* It keeps what its details say of the verdict, if not how often it was met. */
static void adopt_stray(struct rg_verdicts *verdicts, const struct rg_prefix *key)
{
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (get_exact(verdicts, key, &value))
		return;
	full = full_verdict(verdicts->maps, &value);
	full.since = rg_now();
	full.hits = 0;
	value.details = UINT32_MAX; /* those that it has are another's */
	if (take_details(verdicts, &full, &value.details) ||
	    bpf_map_update_elem(verdicts->maps->verdicts, key, &value, BPF_EXIST)) {
		verdicts->count.failed++;
		(void)delete_entry(verdicts, key, &value);
	}
}

/* Strays come last: until then it is not known which details are free. */
static int adopt_entries(struct rg_verdicts *verdicts)
{
	struct adoption adoption = { .verdicts = verdicts };
	struct rg_expiry_entry stray;
	int err = rg_expiry_queue_new(&adoption.strays);

	if (!err)
		err = each_key(verdicts->maps->verdicts, adopt_entry, &adoption);
	while (!err && rg_expiry_queue_pop(adoption.strays, UINT64_MAX, &stray))
		adopt_stray(verdicts, &stray.key);
	rg_expiry_queue_free(adoption.strays);
	return err;
}

/* The agent that marked it is gone, and what it held: the retransmission is to be judged at once. */
static int adopt_peer(void *arg, const void *key)
{
	struct rg_verdicts *verdicts = arg;
	struct rg_prefix peer = peer_prefix(verdicts, key);
	struct rg_peer value;

	if (bpf_map_lookup_elem(verdicts->maps->peers, key, &value))
		return 0;
	if (value.state == RG_PEER_PENDING)
		(void)bpf_map_delete_elem(verdicts->maps->peers, key);
	else if (value.expiry > rg_now())
		index_peer(verdicts, &peer, value.expiry);
	return 0;
}

struct carry {
	struct rg_verdicts *verdicts;
	const struct rg_maps *from;
};

static int carry_verdict(void *arg, const void *key)
{
	struct carry *carry = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (bpf_map_lookup_elem(carry->from->verdicts, key, &value) ||
	    value.prefix_len != ((const struct rg_prefix *)key)->len)
		return 0;
	full = full_verdict(carry->from, &value);
	if (rg_verdicts_restore(carry->verdicts, key, &full))
		carry->verdicts->count.failed++;
	return 0;
}

static int carry_peer(void *arg, const void *key)
{
	struct carry *carry = arg;
	struct rg_prefix peer = peer_prefix(carry->verdicts, key);
	struct rg_peer value;

	if (bpf_map_lookup_elem(carry->from->peers, key, &value) || value.state != RG_PEER_CLEAN ||
	    bpf_map_update_elem(carry->verdicts->maps->peers, key, &value, BPF_NOEXIST))
		return 0;
	index_peer(carry->verdicts, &peer, value.expiry);
	return 0;
}

/* From maps of the same layout, but of other sizes. */
static void carry_over(struct rg_verdicts *verdicts, const struct rg_maps *from)
{
	struct carry carry = { .verdicts = verdicts, .from = from };

	for (uint32_t i = 0; i < RG_MAX_ZONES; i++) {
		(void)bpf_map_lookup_elem(from->zones, &i, &verdicts->zones[i]);
		(void)bpf_map_update_elem(verdicts->maps->zones, &i, &verdicts->zones[i], BPF_ANY);
	}
	each_key(from->verdicts, carry_verdict, &carry);
	each_key(from->peers, carry_peer, &carry);
}

int rg_verdicts_new(struct rg_verdicts **ret, struct rg_loader *loader, const struct rg_conf *conf,
		    struct rg_error *error)
{
	struct rg_verdicts *verdicts = calloc(1, sizeof(*verdicts));
	int err;

	if (!verdicts)
		return rg_fail(error, -ENOMEM, "out of memory");
	verdicts->loader = loader;
	verdicts->maps = rg_loader_maps(loader);
	verdicts->ipv6_prefix = conf->ipv6_prefix;
	for (uint32_t i = 0; i < RG_MAX_ZONES; i++)
		(void)bpf_map_lookup_elem(verdicts->maps->zones, &i, &verdicts->zones[i]);
	if (rg_expiry_queue_new(&verdicts->due) ||
	    rg_slot_bitmap_new(&verdicts->slots, verdicts->maps->details_count)) {
		rg_verdicts_free(verdicts);
		return rg_fail(error, -ENOMEM, "out of memory");
	}
	err = rg_index_maps_new(&verdicts->indexes, loader, conf->index, conf->max_peers);
	if (err) {
		rg_verdicts_free(verdicts);
		return rg_fail(error, err, "index: %s", strerror(-err));
	}
	err = adopt_entries(verdicts);
	if (err) {
		rg_verdicts_free(verdicts);
		return rg_fail(error, err, "verdicts map: %s", strerror(-err));
	}
	if (rg_loader_took_over(loader))
		each_key(verdicts->maps->peers, adopt_peer, verdicts);
	else if (rg_loader_old_maps(loader))
		carry_over(verdicts, rg_loader_old_maps(loader));
	rg_index_maps_enforce(verdicts->indexes);
	*ret = verdicts;
	return 0;
}

void rg_verdicts_free(struct rg_verdicts *verdicts)
{
	if (!verdicts)
		return;
	rg_index_maps_free(verdicts->indexes);
	rg_expiry_queue_free(verdicts->due);
	rg_slot_bitmap_free(verdicts->slots);
	free(verdicts);
}

static int find_slot(const struct rg_verdicts *verdicts, const char *alias, enum rg_class peer_class)
{
	for (int i = 0; i < RG_MAX_ZONES; i++)
		if (verdicts->zones[i].peer_class == peer_class &&
		    !strcmp(verdicts->zones[i].alias, alias))
			return i;
	return -1;
}

static int write_slot(struct rg_verdicts *verdicts, uint32_t slot, const char *alias,
		      enum rg_class peer_class)
{
	struct rg_zone_name name = { .peer_class = peer_class };

	snprintf(name.alias, sizeof(name.alias), "%s", alias);
	verdicts->zones[slot] = name;
	return bpf_map_update_elem(verdicts->maps->zones, &slot, &name, BPF_ANY) ? -errno : 0;
}

int rg_verdicts_name_zones(struct rg_verdicts *verdicts, struct rg_conf *conf)
{
	int err = 0, fresh = 0;

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		int slot = find_slot(verdicts, conf->zones[i].alias, conf->zones[i].peer_class);

		conf->zones[i].slot = slot < 0 ? RG_NO_ZONE : (uint32_t)slot;
	}
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++) {
		if (verdicts->zones[slot].peer_class == RG_CLASS_NONE ||
		    rg_conf_zone_by_slot(conf, slot))
			continue;
		rg_verdicts_flush(verdicts, NULL, slot);
		write_slot(verdicts, slot, "", RG_CLASS_NONE);
	}
	for (unsigned int i = 0; !err && i < conf->zone_count; i++) {
		struct rg_zone_conf *zone = &conf->zones[i];

		if (zone->slot != RG_NO_ZONE)
			continue;
		for (zone->slot = 0; verdicts->zones[zone->slot].peer_class != RG_CLASS_NONE;)
			zone->slot++; /* there is one: zones are not more than slots */
		err = write_slot(verdicts, zone->slot, zone->alias, zone->peer_class);
		fresh = 1;
	}
	return err ? err : fresh;
}

const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot)
{
	return slot < RG_MAX_ZONES ? verdicts->zones[slot].alias : "";
}

static bool evict_first(struct rg_verdicts *verdicts)
{
	struct rg_expiry_entry due;
	struct rg_verdict value;

	while (rg_expiry_queue_pop(verdicts->due, UINT64_MAX, &due))
		if (!get_due(verdicts, &due, &value) && !delete_entry(verdicts, &due.key, &value)) {
			verdicts->count.evicted++;
			return true;
		}
	return false;
}

/* Makes room for one: the entry nearest to its expiry goes. */
static int evict(struct rg_verdicts *verdicts)
{
	if (evict_first(verdicts))
		return 0;
	/* The map is full of what the queue has lost, for want of memory. */
	return !make_queue(verdicts) && evict_first(verdicts) ? 0 : -ENOSPC;
}

/* What goes on when a verdict is renewed. */
static void keep_old(struct rg_full_verdict old, struct rg_full_verdict *full)
{
	full->hits = old.hits;
	if (old.expiry > full->since && old.peer_class == full->peer_class && old.zone == full->zone)
		full->since = old.since;
}

/* 0, -ENOSPC: a full trie or no details, or another error. First the details, then the way to them. */
static int store_verdict(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			 struct rg_full_verdict *full)
{
	const struct rg_maps *maps = verdicts->maps;
	struct rg_verdict old, value = { .expiry = full->expiry,
					 .prefix_len = (uint8_t)key->len,
					 .peer_class = full->peer_class,
					 .action = full->action,
					 .zone = (uint8_t)full->zone };
	bool known = !find_exact(verdicts, key, &old);
	bool renewed = known && rg_slot_bitmap_is_taken(verdicts->slots, old.details);
	int err;

	if (renewed) {
		keep_old(full_verdict(maps, &old), full);
		value.details = old.details;
		write_details(&maps->details[value.details], full);
	} else if (take_details(verdicts, full, &value.details)) {
		return -ENOSPC;
	}
	if (bpf_map_update_elem(maps->verdicts, key, &value, BPF_ANY)) {
		err = -errno;
		if (!renewed)
			rg_slot_bitmap_release(verdicts->slots, value.details);
		return err;
	}
	if (!known)
		verdicts->count.entries++;
	index_verdict(verdicts, key, &value);
	return push_due(verdicts, key, value.expiry);
}

static int write_verdict(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			 struct rg_full_verdict *full)
{
	int err;

	do {
		err = store_verdict(verdicts, key, full);
		/* It may be this very verdict that goes: then it begins anew, with what it was. */
	} while (err == -ENOSPC && !evict(verdicts));
	return err;
}

int rg_verdicts_at(const struct rg_verdicts *verdicts, size_t index, struct rg_prefix *key,
		   struct rg_full_verdict *ret)
{
	struct rg_expiry_entry due;
	struct rg_verdict value;

	if (!rg_expiry_queue_at(verdicts->due, index, &due))
		return -ERANGE;
	if (get_due(verdicts, &due, &value))
		return -ENOENT;
	*key = due.key;
	*ret = full_verdict(verdicts->maps, &value);
	return 0;
}

uint64_t rg_verdicts_queues(const struct rg_verdicts *verdicts)
{
	return verdicts->queues;
}

int rg_verdicts_restore(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_full_verdict *value)
{
	struct rg_full_verdict copy = *value;
	struct rg_verdict old;

	if (rg_prefix_has_v4(key))
		return -EADDRNOTAVAIL;
	/* Already there, and newer. */
	if (!get_exact(verdicts, key, &old))
		return 0;
	return write_verdict(verdicts, key, &copy);
}

static int write_clean(struct rg_verdicts *verdicts, const struct rg_prefix *peer,
		       const struct rg_outcome *outcome, uint64_t now)
{
	struct rg_peer value = {
		.expiry = now + outcome->ttl * RG_NSEC_PER_SEC,
		.since = now,
		.state = RG_PEER_CLEAN,
		.reason = outcome->reason,
	};
	struct rg_verdict old;

	/* A verdict from before would come first. */
	if (!find_exact(verdicts, peer, &old) && !delete_entry(verdicts, peer, &old))
		verdicts->count.removed++;
	if (bpf_map_update_elem(verdicts->maps->peers, &peer->addr, &value, BPF_ANY))
		return -errno;
	index_peer(verdicts, peer, value.expiry);
	return 0;
}

int rg_verdicts_put(struct rg_verdicts *verdicts, const struct rg_prefix *peer,
		    const struct rg_outcome *outcome, uint32_t slot, uint64_t now)
{
	struct rg_full_verdict full = {
		.expiry = now + outcome->ttl * RG_NSEC_PER_SEC,
		.peer_class = outcome->peer_class,
		.since = now,
		.action = outcome->action,
		.reason = outcome->reason,
		.zone = slot,
		.code = outcome->code,
	};
	int err = 0;

	/* Anybody can send from ::/96; what holds for ::/64 would hold for all of IPv4. */
	if (outcome->ttl && rg_prefix_has_v4(peer)) {
		(void)delete_peer(verdicts, &peer->addr);
		return -EADDRNOTAVAIL;
	}
	if (outcome->ttl && outcome->peer_class == RG_CLASS_CLEAN)
		err = write_clean(verdicts, peer, outcome, now);
	else if (outcome->ttl)
		err = write_verdict(verdicts, peer, &full);
	if (outcome->ttl && !err)
		verdicts->count.stored++;
	if (err)
		verdicts->count.failed++;
	/* Last: until now the pending mark kept other SYNs of the peer waiting. */
	if (outcome->peer_class != RG_CLASS_CLEAN || err)
		(void)delete_peer(verdicts, &peer->addr);
	return err;
}

int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret)
{
	struct rg_prefix search = { .len = RG_ADDR_BITS, .addr = *addr };
	struct rg_verdict value;

	for (;;) {
		if (bpf_map_lookup_elem(verdicts->maps->verdicts, &search, &value))
			return -ENOENT;
		if (value.expiry > now)
			break;
		if (!value.prefix_len || value.prefix_len > search.len)
			return -ENOENT;
		search.len = value.prefix_len - 1;
	}
	if (key) {
		*key = (struct rg_prefix){ .len = value.prefix_len, .addr = *addr };
		rg_prefix_mask(key);
	}
	*ret = full_verdict(verdicts->maps, &value);
	return 0;
}

int rg_verdicts_find_peer(const struct rg_verdicts *verdicts, const struct rg_addr *peer,
			  uint64_t now, struct rg_peer *ret)
{
	uint64_t until;

	if (!bpf_map_lookup_elem(verdicts->maps->peers, peer, ret) && ret->expiry > now)
		return 0;
	until = rg_index_maps_peer_until(verdicts->indexes, peer, now);
	if (!until)
		return -ENOENT;
	*ret = (struct rg_peer){ .expiry = until,
				 .since = now,
				 .state = RG_PEER_CLEAN,
				 .reason = RG_REASON_NOT_LISTED };
	return 0;
}

struct each {
	const struct rg_verdicts *verdicts;
	int (*call)(void *arg, const struct rg_prefix *key, const struct rg_full_verdict *value);
	int (*call_peer)(void *arg, const struct rg_addr *peer, const struct rg_peer *value);
	void *arg;
	uint64_t now;
};

static int each_verdict(void *arg, const void *key)
{
	struct each *each = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (get_exact(each->verdicts, key, &value) || value.expiry <= each->now)
		return 0;
	full = full_verdict(each->verdicts->maps, &value);
	return each->call(each->arg, key, &full);
}

int rg_verdicts_each(const struct rg_verdicts *verdicts,
		     int (*call)(void *arg, const struct rg_prefix *key,
				 const struct rg_full_verdict *value),
		     void *arg)
{
	struct each each = { .verdicts = verdicts, .call = call, .arg = arg, .now = rg_now() };

	return each_key(verdicts->maps->verdicts, each_verdict, &each);
}

static int each_peer(void *arg, const void *key)
{
	struct each *each = arg;
	struct rg_peer value;

	if (rg_verdicts_find_peer(each->verdicts, key, each->now, &value))
		return 0;
	return each->call_peer(each->arg, key, &value);
}

int rg_verdicts_each_peer(const struct rg_verdicts *verdicts,
			  int (*call)(void *arg, const struct rg_addr *peer,
				      const struct rg_peer *value),
			  void *arg)
{
	struct each each = { .verdicts = verdicts, .call_peer = call, .arg = arg, .now = rg_now() };

	return each_key(verdicts->maps->peers, each_peer, &each);
}

struct flush {
	struct rg_verdicts *verdicts;
	const struct rg_prefix *prefix;
	uint32_t slot;
	uint64_t since;
	bool countries;
	size_t count;
};

static bool flush_wants(const struct flush *flush, const struct rg_prefix *key,
			const struct rg_full_verdict *value)
{
	if (flush->countries)
		return value->reason == RG_REASON_COUNTRY;
	if (flush->slot != RG_NO_ZONE && value->zone != flush->slot)
		return false;
	if (value->since < flush->since)
		return false;
	return !flush->prefix ||
	       (key->len >= flush->prefix->len && rg_prefix_covers(flush->prefix, &key->addr));
}

static int flush_verdict(void *arg, const void *key)
{
	struct flush *flush = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (get_exact(flush->verdicts, key, &value))
		return 0;
	full = full_verdict(flush->verdicts->maps, &value);
	if (flush_wants(flush, key, &full) && !delete_entry(flush->verdicts, key, &value))
		flush->count++;
	return 0;
}

static int flush_peer(void *arg, const void *key)
{
	struct flush *flush = arg;
	const struct rg_addr *addr = key;

	if (flush->prefix && !rg_prefix_covers(flush->prefix, addr))
		return 0;
	if (!delete_peer(flush->verdicts, addr))
		flush->count++;
	return 0;
}

static size_t run_flush(struct flush *flush, bool peers)
{
	const struct rg_maps *maps = flush->verdicts->maps;

	each_key(maps->verdicts, flush_verdict, flush);
	flush->verdicts->count.removed += flush->count;
	if (!peers)
		return flush->count;
	each_key(maps->peers, flush_peer, flush);
	/* And those that had to go from `peers`. */
	flush->count += rg_index_maps_flush(flush->verdicts->indexes, flush->prefix);
	return flush->count;
}

size_t rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot)
{
	struct flush flush = { .verdicts = verdicts, .prefix = prefix, .slot = slot };

	return run_flush(&flush, slot == RG_NO_ZONE);
}

size_t rg_verdicts_flush_zone(struct rg_verdicts *verdicts, uint32_t slot, uint64_t since)
{
	/* A verdict knows its second only. */
	struct flush flush = { .verdicts = verdicts,
			       .slot = slot,
			       .since = since - since % RG_NSEC_PER_SEC };

	return run_flush(&flush, false);
}

size_t rg_verdicts_flush_countries(struct rg_verdicts *verdicts, bool peers)
{
	struct flush flush = { .verdicts = verdicts, .countries = true, .slot = RG_NO_ZONE };

	return run_flush(&flush, peers);
}

struct apply {
	struct rg_verdicts *verdicts;
	const struct rg_conf *conf;
};

/* The action that conf wants for a verdict; NONE if conf would not say it any more. */
static enum rg_action wanted_action(const struct rg_conf *conf, const struct rg_full_verdict *value)
{
	const struct rg_zone_conf *zone;
	uint32_t code;

	if (value->peer_class == RG_CLASS_APPROVED && value->zone == RG_NO_ZONE)
		return RG_ACTION_PASS;
	if (value->reason == RG_REASON_DNS_FAILURE)
		return conf->on_dns_failure == RG_ACTION_TEMPFAIL ? RG_ACTION_TEMPFAIL :
								    RG_ACTION_NONE;
	if (value->zone == RG_NO_ZONE)
		return (enum rg_action)conf->blocked_action;
	zone = rg_conf_zone_by_slot(conf, value->zone);
	if (!zone || rg_dnsbl_match(&zone->codes, &value->code, 1, &code) != RG_LISTED)
		return RG_ACTION_NONE;
	return zone->action;
}

static int apply_to(void *arg, const void *key)
{
	struct apply *apply = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;
	enum rg_action action;

	if (get_exact(apply->verdicts, key, &value))
		return 0;
	full = full_verdict(apply->verdicts->maps, &value);
	action = wanted_action(apply->conf, &full);
	if (action == RG_ACTION_NONE) {
		if (!delete_entry(apply->verdicts, key, &value))
			apply->verdicts->count.removed++;
	} else if (action != value.action) {
		value.action = action;
		if (bpf_map_update_elem(apply->verdicts->maps->verdicts, key, &value, BPF_EXIST))
			apply->verdicts->count.failed++;
		else
			index_verdict(apply->verdicts, key, &value);
	}
	return 0;
}

void rg_verdicts_apply(struct rg_verdicts *verdicts, const struct rg_conf *conf)
{
	struct apply apply = { .verdicts = verdicts, .conf = conf };

	each_key(verdicts->maps->verdicts, apply_to, &apply);
}

void rg_verdicts_sweep(struct rg_verdicts *verdicts, uint64_t now)
{
	struct rg_expiry_entry due;
	struct rg_verdict value;

	while (rg_expiry_queue_pop(verdicts->due, now, &due)) {
		/* Renewed in the meantime: its later date is in the heap too. */
		if (get_exact(verdicts, &due.key, &value) || value.expiry > now)
			continue;
		if (!delete_entry(verdicts, &due.key, &value))
			verdicts->count.expired++;
	}
	rg_index_maps_sweep(verdicts->indexes, now);
}

/* 4096 at a time: an LPM trie takes 3.5 us each, a single system call for each 1 us more. */
#define LIST_BATCH 4096

static struct rg_list_entry list_entry(const struct rg_lists *lists, const struct rg_list_item *item)
{
	return (struct rg_list_entry){
		.expiry = rg_lists_expiry(lists, item),
		.prefix_len = item->len,
		.peer_class = item->peer_class,
		.source = item->source,
		.line = item->line,
	};
}

static int fill_list(int fd, const struct rg_lists *lists, const atomic_bool *stop)
{
	size_t count;
	const struct rg_list_item *items = rg_lists_items(lists, &count);
	RG_CLEANUP_FREE struct rg_prefix *keys = calloc(LIST_BATCH, sizeof(*keys));
	RG_CLEANUP_FREE struct rg_list_entry *values = calloc(LIST_BATCH, sizeof(*values));

	if (!keys || !values)
		return -ENOMEM;
	while (count) {
		__u32 batch = count < LIST_BATCH ? (__u32)count : LIST_BATCH;

		if (*stop)
			return -ECANCELED;
		for (__u32 i = 0; i < batch; i++) {
			keys[i] = rg_list_item_prefix(&items[i]);
			values[i] = list_entry(lists, &items[i]);
		}
		items += batch;
		count -= batch;
		if (bpf_map_update_batch(fd, keys, values, &batch, NULL))
			return -errno;
	}
	return 0;
}

static bool same_prefix(const struct rg_list_item *a, const struct rg_list_item *b)
{
	const struct rg_prefix x = rg_list_item_prefix(a), y = rg_list_item_prefix(b);

	return !rg_prefix_compare(&x, &y);
}

static bool same_item(const struct rg_list_item *a, const struct rg_list_item *b)
{
	return same_prefix(a, b) && rg_list_item_until(a) == rg_list_item_until(b) &&
	       a->peer_class == b->peer_class && a->source == b->source && a->line == b->line;
}

/* What makes one list of the other, if it is an entry at most. */
struct change {
	const struct rg_list_item *added; /* or changed; NULL: none */
	const struct rg_list_item *removed; /* NULL: none */
};

/* False: more than one entry differs. */
static bool find_change(const struct rg_lists *from, const struct rg_lists *to, struct change *ret)
{
	size_t old_left, new_left;
	const struct rg_list_item *old = rg_lists_items(from, &old_left);
	const struct rg_list_item *items = rg_lists_items(to, &new_left);
	bool more = new_left > old_left, fewer = new_left < old_left;

	*ret = (struct change){};
	for (; old_left && new_left && same_item(old, items); old_left--, new_left--)
		old++, items++;
	if (new_left && !fewer) {
		ret->added = items++;
		new_left--;
	}
	if (old_left && !more) {
		ret->removed = old++;
		old_left--;
	}
	if (ret->added && ret->removed) {
		if (!same_prefix(ret->added, ret->removed))
			return false;
		ret->removed = NULL; /* it is the same entry, which says something else */
	}
	for (; old_left && new_left && same_item(old, items); old_left--, new_left--)
		old++, items++;
	return !old_left && !new_left;
}

struct rg_list_draft {
	const struct rg_lists *lists; /* the caller's, as all items are */
	bool in_place;
	struct change change; /* in_place: what is to be changed in the trie in force */
	int trie; /* else: the new one */
	struct rg_mapped_index index;
};

static int fill_trie(struct rg_list_draft *draft, const struct rg_loader *loader,
		     const atomic_bool *stop, struct rg_error *error)
{
	size_t count;
	int err;

	draft->trie = rg_loader_new_list(loader);
	if (draft->trie < 0)
		return rg_fail(error, draft->trie, "no map for the local lists: %s",
			       strerror(-draft->trie));
	err = fill_list(draft->trie, draft->lists, stop);
	(void)rg_lists_items(draft->lists, &count);
	return err ? rg_fail(error, err, "local lists of %zu entries: %s", count, strerror(-err)) : 0;
}

int rg_list_draft_new(struct rg_list_draft **ret, const struct rg_verdicts *verdicts,
		      const struct rg_lists *old, const struct rg_lists *lists,
		      const atomic_bool *stop, struct rg_error *error)
{
	struct rg_list_draft *draft = calloc(1, sizeof(*draft));
	int err = 0;

	if (!draft)
		return rg_fail(error, -ENOMEM, "out of memory");
	*draft = (struct rg_list_draft){ .lists = lists, .trie = -1, .index = RG_MAPPED_INDEX_NONE };
	draft->in_place = old && rg_lists_same_ends(old, lists) &&
			  find_change(old, lists, &draft->change);
	if (!draft->in_place)
		err = fill_trie(draft, verdicts->loader, stop, error);
	if (err) {
		rg_list_draft_free(draft);
		return err;
	}
	draft->index = rg_index_maps_draft_lists(verdicts->indexes, lists);
	*ret = draft;
	return 0;
}

void rg_list_draft_free(struct rg_list_draft *draft)
{
	if (!draft)
		return;
	rg_mapped_index_drop(&draft->index);
	rg_closep(&draft->trie);
	free(draft);
}

/*
 * The map in force as one list of it differs from the other by an entry at most: a packet sees all of
 * the old one or all of the new one then, too. False: not possible.
 */
static bool change_in_place(struct rg_verdicts *verdicts, const struct rg_lists *lists,
			    const struct change *change)
{
	RG_CLEANUP_CLOSE int fd = rg_loader_current_list(verdicts->loader);
	struct rg_list_entry value;
	struct rg_prefix key;

	if (fd < 0)
		return false;
	if (change->added) {
		key = rg_list_item_prefix(change->added);
		value = list_entry(lists, change->added);
		return !bpf_map_update_elem(fd, &key, &value, BPF_ANY);
	}
	if (!change->removed)
		return true;
	key = rg_list_item_prefix(change->removed);
	return !bpf_map_delete_elem(fd, &key);
}

static int replace_list(struct rg_verdicts *verdicts, int fd, struct rg_error *error)
{
	uint32_t zero = 0;
	/* First the pin, then the swap: after it nothing may fail. */
	int err = rg_loader_pin_list(verdicts->loader, fd);

	if (err)
		return rg_fail(error, err, "local lists can't be pinned: %s", strerror(-err));
	if (bpf_map_update_elem(verdicts->maps->lists, &zero, &fd, BPF_ANY))
		return rg_fail(error, -errno, "local lists can't be put in force: %m");
	return 0;
}

int rg_verdicts_swap_lists(struct rg_verdicts *verdicts, struct rg_list_draft *draft,
			   struct rg_error *error)
{
	static const atomic_bool never;
	size_t count;
	int err = 0;

	if (!draft->in_place || !change_in_place(verdicts, draft->lists, &draft->change)) {
		/* Somebody took the pin, or memory is short: then we wait for a new trie. */
		if (draft->in_place)
			err = fill_trie(draft, verdicts->loader, &never, error);
		if (!err)
			err = replace_list(verdicts, draft->trie, error);
		if (err)
			return err;
	}
	rg_index_maps_swap_lists(verdicts->indexes, &draft->index);
	(void)rg_lists_items(draft->lists, &count);
	verdicts->count.list_entries = count;
	return 0;
}

struct rg_index_maps_count rg_verdicts_indexes(const struct rg_verdicts *verdicts)
{
	return rg_index_maps_count(verdicts->indexes);
}

struct rg_verdicts_count rg_verdicts_count(const struct rg_verdicts *verdicts)
{
	struct rg_verdicts_count count = verdicts->count;

	count.details = rg_slot_bitmap_taken(verdicts->slots);
	return count;
}
