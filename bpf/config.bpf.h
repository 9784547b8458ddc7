/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two kinds of settings: rg_config is fixed at load, the map `settings` changes at run time. What
 * follows from them: which ports are filtered, and whether the agent is silent.
 */
#ifndef REPGATE_CONFIG_BPF_H
#define REPGATE_CONFIG_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"

const volatile struct rg_config rg_config = {};

/* NULL: impossible, but the verifier wants the caller to check it. */
static __always_inline struct rg_settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/*
 * The functions that are not inlined, here and elsewhere, are global functions. The verifier walks each
 * of them once, not once for every way to them. It assumes that a pointer argument may be NULL.
 */
__attribute__((noinline)) int find_port(const struct rg_settings *settings, __u16 port)
{
	if (impossible(!settings))
		return 0;
	for (__u32 i = 0; i < RG_MAX_PORTS; i++) {
		if (i >= settings->port_count)
			break;
		if (settings->ports[i] == port)
			return 1;
	}
	return 0;
}

/* port: host order. Most hosts filter one. */
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
