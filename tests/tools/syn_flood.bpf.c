/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes a SYN of each frame that it is run on, and sends it out of a device. Run by syn_flood on live
 * frames, on one CPU at a time: plain globals do.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/tools/syn_flood.h"

char LICENSE[] SEC("license") = "GPL";

struct flood_config flood_config; /* written before the first run */
__u64 made; /* frames sent; read when the runs are over */
static __u64 due; /* when the next one is, ns of CLOCK_MONOTONIC */

/* IPv4 sources, network order, one an entry; written before the first run. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} flood_sources SEC(".maps");

struct frame4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

struct frame6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

/* The next number and the next state of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static __always_inline __u64 next_random(__u64 *state)
{
	__u64 x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static __always_inline __u32 halves(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static __always_inline __u16 finish_sum(__u32 sum)
{
	return ~halves(halves(sum));
}

/* What tells one SYN of an address from another. */
struct flow {
	__u16 port; /* network order, 1024 or more */
	__u32 seq;
};

static __always_inline struct flow new_flow(__u64 random)
{
	return (struct flow){ .port = bpf_htons(1024 + (__u16)random % (65536 - 1024)),
			      .seq = random >> 32 };
}

static __always_inline __u32 source4(const struct flood_prefix *prefix, __u64 *state)
{
	__u32 key;
	__u64 *source;

	/* An odd factor makes each number of another one, in any of its lower bits. */
	if (flood_config.once)
		return prefix->addr[0] | (bpf_htonl((__u32)made * 0x9e3779b1) & prefix->random[0]);
	if (!flood_config.sources)
		return prefix->addr[0] | (next_random(state) & prefix->random[0]);
	key = made % flood_config.sources;
	source = bpf_map_lookup_elem(&flood_sources, &key);
	return source ? (__u32)*source : 0;
}

static __always_inline void fill4(struct frame4 *frame, const struct flood_prefix *prefix,
				  __u64 *state)
{
	__u32 source = source4(prefix, state);
	struct flow flow = new_flow(next_random(state));
	__u32 sum = flood_config.v4.tcp_sum + halves(source) + flow.port + halves(flow.seq);

	frame->ip.saddr = source;
	frame->ip.check = finish_sum(flood_config.v4.ip_sum + halves(source));
	frame->tcp.source = flow.port;
	frame->tcp.seq = flow.seq;
	frame->tcp.check = finish_sum(sum);
}

static __always_inline void fill6(struct frame6 *frame, const struct flood_prefix *prefix,
				  __u64 *state)
{
	struct flow flow = new_flow(next_random(state));
	__u32 sum = flood_config.v6.tcp_sum + flow.port + halves(flow.seq);
	__u64 source[2];

	for (int i = 0; i < 2; i++) {
		source[i] = prefix->addr[i] | (next_random(state) & prefix->random[i]);
		sum += halves(source[i]) + halves(source[i] >> 32);
	}
	__builtin_memcpy(&frame->ip.saddr, source, sizeof(source));
	frame->tcp.source = flow.port;
	frame->tcp.seq = flow.seq;
	frame->tcp.check = finish_sum(sum);
}

/* By words: the receiver may have changed any byte of the page before it came back. */
static __always_inline int copy_words(struct xdp_md *ctx, const __u64 *from, __u32 len)
{
	__u64 *to;

	if (len < FLOOD_FRAME6 && bpf_xdp_adjust_tail(ctx, (int)len - FLOOD_FRAME6))
		return -1;
	to = (void *)(long)ctx->data;
	if ((void *)to + len > (void *)(long)ctx->data_end)
		return -1;
#pragma unroll
	for (__u32 i = 0; i < len / 8; i++)
		to[i] = from[i];
	return 0;
}

static __always_inline int is_due(void)
{
	__u64 now;

	if (!flood_config.frame_time)
		return 1;
	now = bpf_ktime_get_ns();
	if (!due)
		due = now;
	if (now < due)
		return 0;
	due += flood_config.frame_time;
	return 1;
}

/* Only the receiver's own device sees XDP_DROP as a loss; here it is a frame that is not due yet. */
SEC("xdp")
int flood(struct xdp_md *ctx)
{
	const struct flood_prefix *prefix;
	__u64 state, number;
	int err;

	if (!is_due())
		return XDP_DROP;
	number = made;
	if (flood_config.again)
		number = number / (2 * flood_config.again) * flood_config.again +
			 number % flood_config.again;
	state = flood_config.seed + (flood_config.flows ? number % flood_config.flows : number);
	state = next_random(&state);
	prefix = &flood_config.prefixes[next_random(&state) % FLOOD_PREFIXES];
	if (prefix->version == 4) {
		fill4((void *)flood_config.v4.words, prefix, &state);
		err = copy_words(ctx, flood_config.v4.words, FLOOD_FRAME4);
	} else {
		fill6((void *)flood_config.v6.words, prefix, &state);
		err = copy_words(ctx, flood_config.v6.words, FLOOD_FRAME6);
	}
	if (err)
		return XDP_ABORTED; /* can't happen, the verifier wants it */
	made++;
	return bpf_redirect(flood_config.ifindex, 0);
}
