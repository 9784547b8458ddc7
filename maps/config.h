/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the XDP programs. struct rg_config is read-only data, fixed when the program is
 * loaded, so that the verifier removes what a kernel can't do. struct rg_settings is the one entry
 * of the map `settings`, written by the agent through mmap while packets are judged: each member is
 * valid by itself, and a reader that sees two of them from two moments is still right.
 */
#ifndef REPGATE_MAPS_CONFIG_H
#define REPGATE_MAPS_CONFIG_H

#include "limits.h"
#include "types.h"

/* Changes when any map's key, value or meaning does: old pins are then rebuilt, not misread. */
#define RG_LAYOUT_VERSION 1

struct rg_config {
	__u32 can_hold; /* bpf_xdp_load_bytes and live frames: Linux 5.18 */
	__u32 pad; /* zero */
};

struct rg_settings {
	__u32 layout; /* RG_LAYOUT_VERSION of who built the maps */
	enum rg_mode mode;
	__u64 heartbeat; /* ns of CLOCK_BOOTTIME, the agent's last sign of life */
	__u64 heartbeat_timeout; /* ns */
	__u64 pending_time; /* ns that a pending mark lasts: longer than any inquiry */
	__u64 peer_mask6[2]; /* network order: the part of an IPv6 address that makes a peer */
	enum rg_action unknown; /* hold, pass or drop */
	enum rg_action overload; /* pass or drop: the ring buffer is full */
	enum rg_action blocked; /* action for local lists */
	__u32 samples_per_second; /* refused attempts told to the agent, on each CPU */
	__u32 port_count;
	__u16 ports[RG_MAX_PORTS]; /* host order */
	__u32 pad; /* zero */
};

#endif
