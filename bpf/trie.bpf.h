/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tries `lists` and `verdicts`: the longest prefix around an address that has not expired. Expiry
 * is enforced here, so it holds even when the agent is dead.
 */
#ifndef REPGATE_TRIE_BPF_H
#define REPGATE_TRIE_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "parse.bpf.h"

enum rg_trie { RG_TRIE_LISTS, RG_TRIE_VERDICTS };

static __always_inline void *get_trie(enum rg_trie which)
{
	__u32 zero = 0;

	return which == RG_TRIE_LISTS ? bpf_map_lookup_elem(&lists, &zero) : (void *)&verdicts;
}

/*
 * Below an expired entry of len bits: the length of the longest live one, or -1. Entries nest at most
 * 129 deep. A global function, so that the verifier walks its loop once.
 */
__attribute__((noinline)) int live_below(enum rg_trie which, const struct rg_addr *addr, __u32 len,
					 __u64 now)
{
	void *trie = get_trie(which);
	struct rg_prefix key = { .len = len };

	if (impossible(!trie || !addr))
		return -1;
	key.addr = *addr;
	for (int i = 0; i <= RG_ADDR_BITS; i++) {
		struct rg_lease *lease;

		if (key.len == 0 || key.len > RG_ADDR_BITS)
			return -1;
		key.len--;
		lease = bpf_map_lookup_elem(trie, &key);
		if (!lease)
			return -1;
		if (!lease->expiry || lease->expiry > now)
			return lease->prefix_len;
		key.len = lease->prefix_len;
	}
	return -1;
}

/*
 * The longest live entry around the source, or NULL. An LPM trie finds the longest entry, live or not.
 * In practice the first lookup decides; below an expired entry the search goes on.
 */
static __always_inline void *longest_live(enum rg_trie which, const struct rg_syn *syn)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = syn->source };
	void *trie = get_trie(which);
	struct rg_lease *lease;
	int len;

	if (impossible(!trie)) /* `lists` has a trie from the start */
		return NULL;
	lease = bpf_map_lookup_elem(trie, &key);
	if (!lease || !lease->expiry || lease->expiry > syn->now)
		return lease;
	len = live_below(which, &syn->source, lease->prefix_len, syn->now);
	if (len < 0)
		return NULL;
	key.len = len;
	return bpf_map_lookup_elem(trie, &key);
}

#endif
