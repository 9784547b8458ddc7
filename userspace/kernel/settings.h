/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only writer of the map `settings`. The XDP programs read it while it is written, so each member
 * is written by itself and is valid at every moment (maps/config.h). All functions take the mapped
 * entry, struct rg_maps.settings, which stays the loader's, and are called from the event loop, or
 * before it runs.
 */
#ifndef REPGATE_KERNEL_SETTINGS_H
#define REPGATE_KERNEL_SETTINGS_H

#include "config/config.h"

#include "maps/index.h"

/*
 * Writes every setting that follows from the configuration, and a heartbeat of now. Call at the start,
 * before the programs are attached, and whenever the configuration changed.
 * steering_works: connections can reach the responder; can_hold: the kernel can release held SYNs. If
 * it can't, unknown = "hold" is written as "drop".
 */
void rg_settings_write(struct rg_settings *settings, const struct rg_conf *conf,
		       bool steering_works, bool can_hold);

/*
 * Pending marks before `since` are void from now on: call at the start, when the agent begins to read the events. since: ns
 * of CLOCK_BOOTTIME.
 */
void rg_settings_set_pending_since(struct rg_settings *settings, uint64_t since);

/* The agent's sign of life. now: ns of CLOCK_BOOTTIME. */
void rg_settings_set_heartbeat(struct rg_settings *settings, uint64_t now);

/* Whether connections can reach the responder; if not, XDP resets or drops instead. */
void rg_settings_set_steering(struct rg_settings *settings, bool works);

/*
 * Whether something may lead SYNs past the responder, so that XDP bounds their number; round: of the rules
 * that were looked at, see kernel/redirects.h.
 */
void rg_settings_set_bounded(struct rg_settings *settings, bool bounded, uint32_t round);

/*
 * Draws the seed of all hashes in the index, unless there is one: an index that is in force depends on
 * it.
 */
void rg_settings_draw_seed(struct rg_settings *settings);

/* Puts one part's index in force. force: as RG_INDEX_IN_FORCE() has it, already shifted; 0: none. */
void rg_settings_set_index(struct rg_settings *settings, enum rg_index_part part, uint32_t force);

#endif
