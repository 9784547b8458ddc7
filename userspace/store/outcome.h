/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was decided about a peer: judge/ makes it, store/ puts it into the maps. */
#ifndef REPGATE_STORE_OUTCOME_H
#define REPGATE_STORE_OUTCOME_H

#include "maps/verdict.h"

#include <stdint.h>

struct rg_outcome {
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason;
	unsigned int zone; /* index into conf->zones, or RG_NO_ZONE */
	uint32_t code; /* the A record that decided, host order; 0: none */
	uint32_t ttl; /* s; 0: do not store it, because a local list decides each time */
};

#endif
