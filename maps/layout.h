/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All shared layouts, and their sizes and offsets as assertions. Both compilers include this file, so
 * the two sides can't disagree. If you change a number here, change RG_LAYOUT_VERSION too.
 */
#ifndef REPGATE_MAPS_LAYOUT_H
#define REPGATE_MAPS_LAYOUT_H

#include "config.h"
#include "event.h"
#include "index.h"
#include "state.h"
#include "stats.h"
#include "steer.h"
#include "verdict.h"

#define RG_AT(type, member, offset) \
	_Static_assert(__builtin_offsetof(struct type, member) == (offset), #type "." #member)
#define RG_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

/* types.h */
_Static_assert(sizeof(enum rg_class) == 1 && RG_CLASS_MAX <= RG_INDEX_CLASS_MASK, "rg_class");
_Static_assert(sizeof(enum rg_action) == 1 && RG_ACTION_MAX <= RG_INDEX_ACTION_MASK, "rg_action");
_Static_assert(sizeof(enum rg_reason) == 1, "rg_reason");
_Static_assert(RG_MAX_ZONES <= RG_INDEX_NO_ZONE && RG_MAX_ZONES <= RG_NO_ZONE, "zones");
RG_SIZE(rg_addr, 16);
RG_SIZE(rg_prefix, 20);
RG_AT(rg_prefix, addr, 4);

/* verdict.h; the first three begin alike */
RG_SIZE(rg_lease, 16);
RG_AT(rg_lease, expiry, 0);
RG_AT(rg_lease, prefix_len, 14);
RG_AT(rg_lease, peer_class, 15);
RG_SIZE(rg_list_entry, 16);
RG_AT(rg_list_entry, expiry, 0);
RG_AT(rg_list_entry, line, 8);
RG_AT(rg_list_entry, source, 12);
RG_AT(rg_list_entry, prefix_len, 14);
RG_AT(rg_list_entry, peer_class, 15);
RG_SIZE(rg_verdict, 16);
RG_AT(rg_verdict, expiry, 0);
RG_AT(rg_verdict, details, 8);
RG_AT(rg_verdict, action, 12);
RG_AT(rg_verdict, zone, 13);
RG_AT(rg_verdict, prefix_len, 14);
RG_AT(rg_verdict, peer_class, 15);
RG_SIZE(rg_verdict_details, 16);
RG_AT(rg_verdict_details, since, 8);
RG_AT(rg_verdict_details, code, 12);
RG_AT(rg_verdict_details, reason, 15);
RG_SIZE(rg_peer, 64);
RG_AT(rg_peer, state, 16);
RG_AT(rg_peer, held, 20);
RG_AT(rg_peer, flows, 24);
RG_AT(rg_peer, reason, 56);
RG_SIZE(rg_bucket, 8);
RG_SIZE(rg_network, 16);
RG_SIZE(rg_zone_name, 36);
RG_AT(rg_zone_name, peer_class, 32);

/* event.h */
RG_SIZE(rg_event_head, 64);
RG_AT(rg_event_head, source, 8);
RG_AT(rg_event_head, dest, 24);
RG_AT(rg_event_head, kind, 40);
RG_AT(rg_event_head, source_port, 52);
RG_AT(rg_event_head, peer_class, 56);
RG_AT(rg_event_head, mode, 60);
RG_SIZE(rg_event_syn, 264);
RG_AT(rg_event_syn, frame_len, 64);
RG_AT(rg_event_syn, frame, 72);

/* config.h */
RG_SIZE(rg_config, 8);
RG_SIZE(rg_token_rate, 16);
RG_SIZE(rg_settings, 232);
RG_AT(rg_settings, index, 16);
RG_AT(rg_settings, ports, 24);
RG_AT(rg_settings, port_count, 59);
RG_AT(rg_settings, heartbeat, 64);
RG_AT(rg_settings, bucket_mask4, 88);
RG_AT(rg_settings, throttle, 120);
RG_AT(rg_settings, gates, 136);
RG_AT(rg_settings, network_gates, 184);
RG_AT(rg_settings, samples_per_second, 216);
RG_AT(rg_settings, round, 220);
RG_AT(rg_settings, pending_since, 224);

/* index.h */
RG_SIZE(rg_index_line, 64);
RG_SIZE(rg_index_header, 64);
RG_AT(rg_index_header, hosts4, 16);
RG_AT(rg_index_header, answers, 32);
RG_AT(rg_index_header, probes4, 60);
RG_SIZE(rg_index_filters, 4194304);
RG_SIZE(rg_index_presence, 1638912);
RG_AT(rg_index_presence, near4, 512);
RG_AT(rg_index_presence, nets6, 1049088);
RG_AT(rg_index_presence, wide6, 1573376);

/* state.h */
RG_SIZE(rg_attempt_set, 64);
RG_SIZE(rg_cpu, 56);
RG_AT(rg_cpu, syns, 24);
RG_AT(rg_cpu, mac_ifindex, 48);
RG_SIZE(rg_sample_window, 16);
RG_AT(rg_sample_window, count, 8);
RG_SIZE(rg_scratch, 256);

/* steer.h */
RG_SIZE(rg_connection, 36);
RG_AT(rg_connection, source_port, 32);
RG_SIZE(rg_ticket, 24);
RG_AT(rg_ticket, round, 12);
RG_SIZE(rg_destination, 312);
RG_AT(rg_destination, unconfirmed, 16);
RG_SIZE(rg_path, 16);

/* stats.h */
RG_SIZE(rg_count, 16);
RG_AT(rg_count, attempts, 8);

#undef RG_AT
#undef RG_SIZE

#endif
