/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/losses.h"

#include "kernel/stats.h"
#include "observe/modules.h"

static const struct {
	const char *name, *help;
} losses[RG_LOSS_COUNTS] = {
#define LOSS(NAME, name, help) [RG_LOSS_##NAME] = { #name, help },
	RG_LOSSES(LOSS)
#undef LOSS
#define OWN_LOSS(NAME, name, help) [RG_LOSS_MAX + RG_OWN_##NAME] = { #name, help },
		RG_OWN_LOSSES(OWN_LOSS)
#undef OWN_LOSS
};

const char *rg_losses_name(unsigned int loss)
{
	return loss < RG_LOSS_COUNTS ? losses[loss].name : "?";
}

const char *rg_losses_help(unsigned int loss)
{
	return loss < RG_LOSS_COUNTS ? losses[loss].help : "";
}

void rg_losses_read_own(const struct rg_modules *modules, uint64_t own[RG_OWN_LOSS_MAX])
{
	struct rg_judge_count judge = rg_judge_count(modules->judge);
	struct rg_verdicts_count verdicts = rg_verdicts_count(modules->verdicts);
	struct rg_responder_count responder = {};

	if (modules->responder)
		responder = rg_responder_count(modules->responder);
	own[RG_OWN_RELEASE_FAILED] = judge.release_failed;
	own[RG_OWN_RELEASE_UNSEEN] = modules->released.unseen;
	own[RG_OWN_HELD_LOST] = judge.held_lost;
	own[RG_OWN_OVERLOAD] = judge.overload;
	own[RG_OWN_NO_MEMORY] = judge.no_memory + responder.no_memory;
	own[RG_OWN_STARVED] = judge.starved;
	own[RG_OWN_VERDICTS_EVICTED] = verdicts.evicted;
	own[RG_OWN_VERDICTS_FAILED] = verdicts.failed;
	own[RG_OWN_PREFIX_SURPLUS] = verdicts.surplus;
	own[RG_OWN_BAD_EVENTS] = rg_ring_bad(modules->ring);
	own[RG_OWN_SESSION_LIMIT] = responder.over_sessions;
	own[RG_OWN_SESSION_LIMIT_PER_PEER] = responder.over_peer;
	own[RG_OWN_NOT_STEERED] = responder.not_steered;
	own[RG_OWN_ACCEPT_FAILED] = responder.accept_failed;
	own[RG_OWN_SESSION_LOG_LIMIT] = modules->refusals.suppressed;
	own[RG_OWN_CONTROL_LIMIT] = modules->clients->control_limit;
	own[RG_OWN_CONTROL_UNREAD] = modules->clients->control_unread;
	own[RG_OWN_METRICS_LIMIT] = modules->clients->metrics_limit;
}

int rg_losses_read(const struct rg_modules *modules, uint64_t all[RG_LOSS_COUNTS])
{
	struct rg_stats stats;
	int err = rg_stats_read(rg_loader_maps(modules->loader)->stats, &stats);

	if (err)
		return err;
	for (unsigned int loss = 0; loss < RG_LOSS_MAX; loss++)
		all[loss] = stats.counts[RG_STAT_LOSSES + loss].packets;
	rg_losses_read_own(modules, all + RG_LOSS_MAX);
	return 0;
}
