/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/settings.h"

#include "base/addr.h"
#include "base/random.h"

/* A pending mark outlives any inquiry by this much; then the peer's next SYN asks again. */
#define PENDING_SLACK (2 * RG_NSEC_PER_SEC)
#define NETWORK_SHARE 512 /* a network's rate is one of so many parts of all networks' */

/* The first bits of an address, as a mask in network order. */
static void write_mask(volatile __u64 to[2], unsigned int bits)
{
	struct rg_prefix all = { .len = bits };
	__u64 mask[2];

	memset(all.addr.bytes, 0xff, sizeof(all.addr.bytes));
	rg_prefix_mask(&all);
	memcpy(mask, all.addr.bytes, sizeof(all.addr.bytes));
	to[0] = mask[0];
	to[1] = mask[1];
}

/*
 * XDP reads the list while it changes. So the new ports are first appended to the old ones, then
 * written over them, and then the list is cut. At every moment the list has the ports that are in both,
 * unless the two together do not fit. A packet misses one only if the whole change happens while it
 * looks; it then passes, as a packet to an unfiltered port does.
 */
static void write_ports(volatile struct rg_settings *settings, const struct rg_conf *conf)
{
	unsigned int old = settings->port_count, count = conf->port_count;

	if (old + count <= RG_MAX_PORTS) {
		for (unsigned int i = 0; i < count; i++)
			settings->ports[old + i] = conf->ports[i];
		__atomic_store_n(&settings->port_count, (__u8)(old + count), __ATOMIC_RELEASE);
	}
	for (unsigned int i = 0; i < count; i++)
		settings->ports[i] = conf->ports[i];
	__atomic_store_n(&settings->port_count, (__u8)count, __ATOMIC_RELEASE);
}

static void write_rate(volatile struct rg_token_rate *rate, uint64_t token_time, uint64_t burst)
{
	rate->token_time = token_time;
	rate->depth = token_time * burst;
}

/*
 * New peers: a burst of two seconds' worth, as when a sender flushes its queue. Above the rate,
 * retransmissions get a quarter more, and on_overload = "pass" lets ten times as many through. A network gets
 * the 512th part, so that a flood from the 256 networks of a /16 leaves half of each rate; and at once as much
 * as all of these together may take of half a bucket.
 */
static void write_gates(volatile struct rg_settings *settings, uint32_t per_second)
{
	uint64_t time = RG_NSEC_PER_SEC / per_second, pass = time / 10 ? time / 10 : 1;

	write_rate(&settings->gates[RG_GATE_NEW], time, 2ULL * per_second);
	write_rate(&settings->gates[RG_GATE_RETRY], time * 4, per_second / 4 + 1);
	write_rate(&settings->gates[RG_GATE_PASS], pass, 10ULL * per_second);
	for (int gate = 0; gate < RG_NETWORK_GATES; gate++) {
		uint64_t each = settings->gates[gate].token_time * NETWORK_SHARE;

		write_rate(&settings->network_gates[gate], each,
			   settings->gates[gate].depth / each + 1);
	}
}

static void write_actions(volatile struct rg_settings *settings, const struct rg_conf *conf,
			  bool can_hold)
{
	bool hold = conf->unknown == RG_ACTION_HOLD;

	settings->unknown = hold && !can_hold ? RG_ACTION_DROP : conf->unknown;
	settings->overload = conf->on_overload;
	settings->blocked = conf->blocked_action;
	settings->tag_dscp = rg_conf_uses(conf, RG_ACTION_TAG) ? (__u8)conf->tag_dscp : 0;
	settings->mode = conf->mode;
}

void rg_settings_write(struct rg_settings *mapped, const struct rg_conf *conf, bool steering_works,
		       bool can_hold)
{
	volatile struct rg_settings *settings = mapped;

	write_mask(settings->bucket_mask4, RG_V4_PREFIX_BITS + conf->throttle_ipv4_prefix);
	write_mask(settings->bucket_mask6, conf->throttle_ipv6_prefix);
	write_rate(&settings->throttle, conf->qil_throttle.token_time, conf->qil_throttle.burst);
	write_gates(settings, conf->new_peers_per_second);
	settings->heartbeat_timeout = conf->heartbeat_timeout * 1000000ULL;
	settings->pending_time =
		(uint64_t)conf->dns_timeout * conf->dns_tries * 1000000ULL + PENDING_SLACK;
	settings->samples_per_second = conf->log_per_second;
	settings->exact_per_second = RG_EXACT_PER_SECOND;
	settings->steering = steering_works;
	write_actions(settings, conf, can_hold);
	write_ports(settings, conf);
	settings->heartbeat = rg_now();
	/* Last: maps without it are not taken over. */
	settings->layout = RG_LAYOUT_VERSION;
}

void rg_settings_set_pending_since(struct rg_settings *settings, uint64_t since)
{
	__atomic_store_n(&settings->pending_since, since, __ATOMIC_RELAXED);
}

void rg_settings_set_heartbeat(struct rg_settings *settings, uint64_t now)
{
	__atomic_store_n(&settings->heartbeat, now, __ATOMIC_RELAXED);
}

void rg_settings_set_steering(struct rg_settings *settings, bool works)
{
	__atomic_store_n(&settings->steering, (__u8)works, __ATOMIC_RELAXED);
}

void rg_settings_set_bounded(struct rg_settings *settings, bool bounded, uint32_t round)
{
	/* In this order: whoever sees the bound sees that older proofs are void. */
	__atomic_store_n(&settings->round, round, __ATOMIC_RELEASE);
	__atomic_store_n(&settings->bounded, (__u8)bounded, __ATOMIC_RELEASE);
}

/* Peers choose their addresses, so they must not know where these lie in the index. */
void rg_settings_draw_seed(struct rg_settings *settings)
{
	while (!settings->index_seed)
		rg_random_fill(&settings->index_seed, sizeof(settings->index_seed));
}

void rg_settings_set_index(struct rg_settings *settings, enum rg_index_part part, uint32_t force)
{
	uint32_t old = __atomic_load_n(&settings->index, __ATOMIC_RELAXED), fresh;

	/* Another thread may write another part's byte. */
	do {
		fresh = (old & ~(0xffU << 8 * part)) | force;
	} while (!__atomic_compare_exchange_n(&settings->index, &old, fresh, false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}
