/* SPDX-License-Identifier: GPL-2.0-only */
/* The two kinds of settings: rg_config is fixed at load, the map `settings` changes as it runs. */
#ifndef REPGATE_CONFIG_BPF_H
#define REPGATE_CONFIG_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"

const volatile struct rg_config rg_config = {};

static __always_inline struct rg_settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/*
 * port in host order. This and the other functions that are not inlined are global functions, which
 * the verifier walks once each, not once for every way that leads to them.
 */
__attribute__((noinline)) int port_is_filtered(__u16 port)
{
	const struct rg_settings *settings = get_settings();

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

static __always_inline int agent_is_silent(const struct rg_settings *settings, __u64 now)
{
	return now > settings->heartbeat + settings->heartbeat_timeout;
}

#endif
