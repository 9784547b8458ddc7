/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both compilers include this, so neither can disagree about a layout. Who changes a number here
 * changes RG_LAYOUT_VERSION too.
 */
#ifndef REPGATE_MAPS_LAYOUT_H
#define REPGATE_MAPS_LAYOUT_H

#include "config.h"
#include "event.h"
#include "index.h"
#include "stats.h"
#include "verdict.h"

#define RG_AT(type, member, offset) \
	_Static_assert(__builtin_offsetof(struct type, member) == (offset), #type "." #member)
#define RG_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

RG_SIZE(rg_addr, 16);
RG_SIZE(rg_prefix, 20);
RG_AT(rg_prefix, addr, 4);
RG_SIZE(rg_lease, 16);
RG_AT(rg_lease, prefix_len, 14);
RG_AT(rg_lease, peer_class, 15);
RG_SIZE(rg_list_entry, 16);
RG_AT(rg_list_entry, expiry, 0);
RG_AT(rg_list_entry, prefix_len, 14);
RG_AT(rg_list_entry, peer_class, 15);
RG_SIZE(rg_verdict, 16);
RG_AT(rg_verdict, expiry, 0);
RG_AT(rg_verdict, details, 8);
RG_AT(rg_verdict, prefix_len, 14);
RG_AT(rg_verdict, peer_class, 15);
RG_SIZE(rg_verdict_details, 16);
RG_AT(rg_verdict_details, reason, 15);
RG_SIZE(rg_peer, 64);
RG_AT(rg_peer, state, 16);
RG_AT(rg_peer, flows, 24);
RG_AT(rg_peer, reason, 56);
RG_SIZE(rg_zone_name, 36);
RG_AT(rg_zone_name, peer_class, 32);
RG_SIZE(rg_event_head, 64);
RG_AT(rg_event_head, kind, 40);
RG_AT(rg_event_head, source_port, 52);
RG_AT(rg_event_head, peer_class, 56);
RG_SIZE(rg_event_syn, 264);
RG_AT(rg_event_syn, frame, 72);
RG_SIZE(rg_config, 8);
RG_SIZE(rg_settings, 208);
RG_AT(rg_settings, index, 16);
RG_AT(rg_settings, ports, 24);
RG_AT(rg_settings, port_count, 59);
RG_AT(rg_settings, heartbeat, 64);
RG_AT(rg_settings, peer_mask6, 88);
RG_AT(rg_settings, throttle, 136);
RG_AT(rg_settings, gates, 152);
RG_AT(rg_settings, samples_per_second, 200);
RG_SIZE(rg_bucket, 8);
RG_SIZE(rg_index_line, 64);
RG_SIZE(rg_index_header, 64);
RG_AT(rg_index_header, hosts4, 16);
RG_AT(rg_index_header, answers, 32);
RG_SIZE(rg_count, 16);

#undef RG_AT
#undef RG_SIZE

#endif
