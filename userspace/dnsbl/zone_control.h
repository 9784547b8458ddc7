/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control group of a zone: addresses that it did not list. If it suddenly lists nearly every new peer, the
 * zone may be wrong, or the traffic has changed: anybody can send SYNs from listed addresses. The zone is then asked
 * about the control group. What it did not list before, and still does not, shows that the zone is right.
 *
 * A resolver answers from its cache about an address that was asked about lately. Instead of that one, another
 * address of its network is asked about, which no cache has. All functions are for the event loop's thread.
 */
#ifndef REPGATE_DNSBL_ZONE_CONTROL_H
#define REPGATE_DNSBL_ZONE_CONTROL_H

#include "config/config.h"
#include "dnsbl/dns.h"
#include "dnsbl/zone_health.h"

#define RG_ZONE_CONTROL_GROUP 64 /* addresses that are remembered */
#define RG_ZONE_CONTROL_ASKED 16 /* of them are asked about at once */
#define RG_ZONE_CONTROL_LEAST 8 /* fewer answers say nothing */

struct rg_zone_control;

/* done is called with arg when a group was asked about. 0 or -ENOMEM. */
int rg_zone_control_new(struct rg_zone_control **ret, struct rg_dns *dns,
			void (*done)(void *arg, enum rg_zone_control_result result), void *arg);
/* NULL-safe; done is not called. */
void rg_zone_control_free(struct rg_zone_control *control);
/* Forgets the group, and ends what is under way: for another zone. */
void rg_zone_control_reset(struct rg_zone_control *control);

/*
 * The zone did not list addr, and caches keep that for ttl s. At most one address a second is taken, so that the
 * group is of different times. now: ns of CLOCK_BOOTTIME.
 */
void rg_zone_control_note(struct rg_zone_control *control, const struct rg_addr *addr, uint32_t ttl,
			  uint64_t now);

/* Asks the zone about the group, unless that is under way. False: there are too few addresses; done is not called. */
bool rg_zone_control_ask(struct rg_zone_control *control, const struct rg_zone_conf *zone,
			 uint64_t now);

#endif
