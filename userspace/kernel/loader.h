/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs, maps and pins: opened, loaded, taken over from an earlier agent under pin_path. Only one agent
 * can hold pin_path. attach.h attaches the programs; inner_maps.h has the maps inside maps.
 */
#ifndef REPGATE_KERNEL_LOADER_H
#define REPGATE_KERNEL_LOADER_H

#include "config/config.h"

#include "maps/index.h"
#include "maps/steer.h"

struct rg_loader;

/* Descriptors and memory stay the loader's. */
struct rg_maps {
	int lists, verdicts, verdict_details, peers, zones, events, stats, buckets, responder;
	int host_links, host_routes, paths;
	struct rg_settings *settings; /* mapped: the next packet sees a store. settings.c writes it */
	struct rg_index_filters *filters; /* mapped */
	struct rg_index_presence *presence; /* mapped */
	struct rg_verdict_details *details; /* `verdict_details`, mapped */
	uint32_t details_count;
	struct rg_destination *on_the_way; /* `destinations`, mapped; RG_DESTINATIONS entries */
};

/*
 * Locks pin_path, takes over the maps there or makes new ones, and loads the programs. Nothing is
 * attached yet. 0, or a negative error with a reason: -EBUSY, another agent holds pin_path.
 */
int rg_loader_new(struct rg_loader **ret, const struct rg_conf *conf, struct rg_error *error);
/* Closes everything; what is pinned stays in force. */
void rg_loader_free(struct rg_loader *loader);

const struct rg_maps *rg_loader_maps(const struct rg_loader *loader);
/* True: the maps are an earlier agent's. */
bool rg_loader_took_over(const struct rg_loader *loader);
/*
 * An earlier agent's maps that have this layout but other sizes, for their entries to be copied. NULL:
 * there are none. Only verdicts, peers, zones, stats and details are set; details is read-only.
 */
const struct rg_maps *rg_loader_old_maps(const struct rg_loader *loader);
/* True: an earlier agent's programs were attached when we started, whether we took its maps or not. */
bool rg_loader_was_attached(const struct rg_loader *loader);
/* True: the pins end with this mount namespace, so after a kill -9 nothing is filtered (maps/pin.h). */
bool rg_loader_pins_are_private(const struct rg_loader *loader);
/* Whether this kernel can release held SYNs; if not, unknown = "hold" drops. */
bool rg_loader_can_hold(const struct rg_loader *loader);

/* Puts the listening socket fd, which stays the caller's, into the map `responder`. 0 or -errno. */
int rg_loader_set_responder(struct rg_loader *loader, enum rg_responder_socket slot, int fd);

#endif
