/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps. Each is pinned under its own name in pin_path (/sys/fs/bpf/repgate), except `cpus`,
 * `chunks`, `networks`, `samples` and `scratch`. maps/README.md shows how to read them with bpftool. Each has one writer,
 * named here.
 */
#ifndef REPGATE_MAPS_BPF_H
#define REPGATE_MAPS_BPF_H

#include "layout.h"

#include <bpf/bpf_helpers.h>

/*
 * The local lists as one trie. At each reload the agent fills a new one, then puts it into `lists`. A
 * packet sees the old lists or the new ones, never a part of them. Full: the reload is refused. The trie
 * in force is also pinned as `lists_now`, for bpftool.
 */
struct list_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RG_DEFAULT_LIST);
	__type(key, struct rg_prefix);
	__type(value, struct rg_list_entry);
} lists_now SEC(".maps");

/* Writer: agent (store/list_map.c). Reader: XDP. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct list_trie);
} lists SEC(".maps") = { .values = { &lists_now } };

/*
 * Writer: agent. Reader: XDP.
 * Full: the agent evicts the entry nearest to its expiry, and counts it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RG_DEFAULT_VERDICTS);
	__type(key, struct rg_prefix);
	__type(value, struct rg_verdict);
} verdicts SEC(".maps");

/*
 * Key: `details` of a verdict. Writer: agent, through mmap; XDP adds to `hits`. Reader: agent. It has as
 * many entries as `verdicts`. If a verdict is removed at the moment of a hit, the hit may count for the
 * next verdict with this entry.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RG_DEFAULT_VERDICTS);
	__type(key, __u32);
	__type(value, struct rg_verdict_details);
} verdict_details SEC(".maps");

/*
 * The index: the tries and `peers` in a form with short lookups, see index.h. Key of `indexes`:
 * RG_INDEX_BANK(). Writer: agent, through mmap of `filters`, `presence` and of the inner arrays. Reader: XDP. Full:
 * the agent fills a larger one in the part's other bank.
 */
struct index_lines {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rg_index_line);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rg_index_filters);
} filters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rg_index_presence);
} presence SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RG_INDEX_BANKS);
	__type(key, __u32);
	__array(values, struct index_lines);
} indexes SEC(".maps");

/*
 * Key: the peer's address, whole also of IPv6. Writer: XDP marks a peer pending, the agent makes it
 * clean. Full: the least recently used goes, which costs one DNS query.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RG_DEFAULT_PEERS);
	__type(key, struct rg_addr);
	__type(value, struct rg_peer);
} peers SEC(".maps");

/* Writer: agent, through mmap. Reader: XDP. One entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rg_settings);
} settings SEC(".maps");

/*
 * Key: the address, cut to throttle_ipv4_prefix or throttle_ipv6_prefix. Writer and reader: XDP.
 * Full: the least recently used goes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RG_DEFAULT_BUCKETS);
	__type(key, struct rg_addr);
	__type(value, struct rg_bucket);
} buckets SEC(".maps");

/* Key: enum rg_gate. Writer and reader: XDP. One bucket for all CPUs, written while it has tokens. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_GATES);
	__type(key, __u32);
	__type(value, struct rg_bucket);
} admission SEC(".maps");

/*
 * Key: a hash of the source's IPv4 /24 or IPv6 /48. Writer and reader: XDP. All networks have a bucket, some
 * share one. It is written in floods only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_NETWORKS);
	__type(key, __u32);
	__type(value, struct rg_network);
} networks SEC(".maps");

/* Key: the index of a filtered interface. Writer: agent (kernel/host_facts.c). Reader: XDP. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RG_MAX_LINKS);
	__type(key, __u32);
	__type(value, struct rg_host_link);
} host_links SEC(".maps");

/*
 * The kernel's table `local`: addresses of this host, and broadcast addresses. Writer: agent
 * (kernel/host_facts.c). Reader: XDP. Full: what is left out counts as no address of this host.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RG_MAX_HOST_ROUTES);
	__type(key, struct rg_prefix);
	__type(value, struct rg_host_route);
} host_routes SEC(".maps");

/*
 * Key: enum rg_responder_socket. Writer: agent; the kernel empties a slot when its socket closes,
 * however the agent ends. Reader: XDP (is it there?) and sk_lookup.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, RG_RESPONDER_SOCKETS);
	__type(key, __u32);
	__type(value, __u64);
} responder SEC(".maps");

/*
 * Key: the connection. Writer: XDP issues a ticket, sk_lookup takes it. Full: the least recently used goes;
 * its SYN, if it is still on its way, gets the socket that it would have got without us.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RG_MAX_TICKETS);
	__type(key, struct rg_connection);
	__type(value, struct rg_ticket);
} tickets SEC(".maps");

/* Key: a hash of the address and port. Writer: XDP, sk_lookup; agent, through mmap, sets `unconfirmed` to 0. Reader: XDP, agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RG_DESTINATIONS);
	__type(key, __u32);
	__type(value, struct rg_destination);
} destinations SEC(".maps");

/*
 * Key: the index of an interface. Writer: agent (kernel/paths.c) adds and removes entries, sk_lookup counts
 * in them. Reader: agent. Full: further interfaces are not counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, RG_MAX_PATHS);
	__type(key, __u32);
	__type(value, struct rg_path);
} paths SEC(".maps");

/* Writer: agent. Reader: people (bpftool), and the agent after a restart. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_MAX_ZONES);
	__type(key, __u32);
	__type(value, struct rg_zone_name);
} zones SEC(".maps");

/* Writer: XDP. Reader: agent. Full: counted as ring_full, and on_overload decides. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RG_EVENTS_SIZE);
} events SEC(".maps");

/* Writer: XDP. Reader: agent. Index: maps/stats.h. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_STAT_MAX);
	__type(key, __u32);
	__type(value, struct rg_count);
} stats SEC(".maps");

/*
 * Key: the low bits of a hash. Writer and reader: XDP. Full: the oldest slot of the set is overwritten,
 * and the retransmission of that SYN counts as a first one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_ATTEMPT_SETS);
	__type(key, __u32);
	__type(value, struct rg_attempt_set);
} attempts SEC(".maps");

/* Writer and reader: XDP. One entry for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rg_cpu);
} cpus SEC(".maps");

/* Key: enum rg_run. Writer and reader: XDP. For each CPU: the stack of a program has no room for it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_RUNS);
	__type(key, __u32);
	__type(value, struct rg_chunk);
} chunks SEC(".maps");

/* Writer and reader: XDP. One entry for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rg_sample_window);
} samples SEC(".maps");

/* Key: enum rg_run. Writer and reader: XDP, while it handles one frame. For each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_RUNS);
	__type(key, __u32);
	__type(value, struct rg_scratch);
} scratch SEC(".maps");

#endif
