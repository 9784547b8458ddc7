/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter, run again and again by BPF_PROG_TEST_RUN with another source each time, and the same
 * without the filter: what one costs more than the other is the filter. See verdict_cost.c.
 *
 * The order of test runs is one CPU's, so plain globals do.
 */
#include "bpf/filter.bpf.c"

#include "tests/bench/verdict.h"

/* Sources in the order in which they come, network order. Written through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_DRAWS);
	__type(key, __u32);
	__type(value, __u64);
} bench_draws SEC(".maps");

__u32 bench_lookups; /* of one run of lookups or no_lookups */
__u32 bench_asks_peers; /* what the index does not say of a clean peer, `peers` does */
__u64 bench_found; /* by all lookups so far; and so that nothing is optimised away */
__u64 bench_next; /* how many sources were drawn */

struct bench_frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static __always_inline __u32 next_draw(void)
{
	__u32 key = bench_next++ & (BENCH_DRAWS - 1);
	__u64 *source = bpf_map_lookup_elem(&bench_draws, &key);

	return source ? (__u32)*source : 0;
}

/* Both checksums, of a frame without options and data: the filter drops refused SYNs with a wrong one. */
static __always_inline void finish_checksums(struct bench_frame *frame)
{
	frame->ip.check = 0;
	frame->ip.check = fold(sum_words(&frame->ip, sizeof(frame->ip), 0));
	frame->tcp.check = 0;
	frame->tcp.check = fold(sum_words(&frame->tcp, sizeof(frame->tcp),
					  sum_words(&frame->ip.saddr, 8, 0) + bpf_htons(IPPROTO_TCP) +
						  bpf_htons(sizeof(frame->tcp))));
}

/* A source, and a port and a sequence number that it did not have the last time. */
static __always_inline int rewrite(struct xdp_md *ctx)
{
	struct bench_frame *frame = (void *)(long)ctx->data;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return -1;
	frame->ip.saddr = next_draw();
	frame->tcp.source = (__u16)(bench_next * 0x9e3779b97f4a7c15ULL >> 48);
	frame->tcp.seq = (__u32)bench_next;
	finish_checksums(frame);
	return 0;
}

SEC("xdp")
int frame_filtered(struct xdp_md *ctx)
{
	if (rewrite(ctx))
		return XDP_ABORTED;
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_LINK_ETHERNET);
}

SEC("xdp")
int frame_bare(struct xdp_md *ctx)
{
	if (rewrite(ctx))
		return XDP_ABORTED;
	return XDP_DROP;
}

static __always_inline void make_syn(struct rg_syn *syn, __u64 now)
{
	__be32 source = next_draw();

	syn->version = 4;
	syn->now = now;
	map_v4(&source, &syn->source);
	asm volatile("" ::"r"(syn) : "memory"); /* made, even if nobody looks at it */
}

static long look_up(__u32 index __attribute__((unused)), __u64 *now)
{
	struct rg_settings *settings = get_settings();
	__u32 zero = 0;
	const struct rg_cpu *cpu = bpf_map_lookup_elem(&cpus, &zero);
	struct rg_syn syn = {};

	if (!settings || !cpu)
		return 1;
	make_syn(&syn, *now);
	if (decide(settings, cpu, &syn).peer_class != RG_CLASS_NONE ||
	    (bench_asks_peers && find_peer(&syn)))
		bench_found++;
	return 0;
}

static long look_nothing_up(__u32 index __attribute__((unused)), __u64 *now)
{
	struct rg_settings *settings = get_settings();
	struct rg_syn syn = {};

	if (!settings)
		return 1;
	make_syn(&syn, *now);
	return 0;
}

/* The verdict alone, bench_lookups times in one run. */
SEC("xdp")
int lookups(struct xdp_md *ctx __attribute__((unused)))
{
	__u64 now = bpf_ktime_get_boot_ns();

	return bpf_loop(bench_lookups, look_up, &now, 0) == bench_lookups ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int no_lookups(struct xdp_md *ctx __attribute__((unused)))
{
	__u64 now = bpf_ktime_get_boot_ns();

	return bpf_loop(bench_lookups, look_nothing_up, &now, 0) == bench_lookups ? XDP_PASS :
										    XDP_ABORTED;
}
