/* SPDX-License-Identifier: GPL-2.0-only */
/* The two kinds of settings: rg_config is fixed at load, the map `settings` changes as it runs. */
#ifndef REPGATE_CONFIG_BPF_H
#define REPGATE_CONFIG_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"

const volatile struct rg_config rg_config = {};

static __always_inline struct rg_settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/*
 * This and the other functions that are not inlined are global functions, which the verifier walks once
 * each, not once for every way that leads to them. What they are given a pointer to may be NULL, for
 * all that it knows: it wants to see that checked.
 */
__attribute__((noinline)) int find_port(const struct rg_settings *settings, __u16 port)
{
	if (!settings)
		return 0;
	for (__u32 i = 0; i < RG_MAX_PORTS; i++) {
		if (i >= settings->port_count)
			break;
		if (settings->ports[i] == port)
			return 1;
	}
	return 0;
}

/* port in host order. Most hosts filter one. */
static __always_inline int port_is_filtered(const struct rg_settings *settings, __u16 port)
{
	if (likely(settings->port_count == 1))
		return settings->ports[0] == port;
	return find_port(settings, port);
}

static __always_inline int agent_is_silent(const struct rg_settings *settings, __u64 now)
{
	return now > settings->heartbeat + settings->heartbeat_timeout;
}

#endif
