/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/loop_time.h"

const char *rg_loop_work_name(enum rg_loop_work work)
{
	static const char *const names[RG_LOOP_WORKS] = {
		[RG_LOOP_TICK] = "tick",	   [RG_LOOP_PEERS] = "new_peers",
		[RG_LOOP_COMMANDS] = "commands",   [RG_LOOP_RELOAD] = "reload",
		[RG_LOOP_SAVE] = "save",	   [RG_LOOP_TAKE_OVER] = "take_over",
		[RG_LOOP_RESTORE] = "restore",	   [RG_LOOP_FLUSH] = "flush",
		[RG_LOOP_ACTIONS] = "new_actions", [RG_LOOP_EXPIRY] = "expiry",
		[RG_LOOP_INDEX] = "index",
	};

	return (unsigned int)work < RG_LOOP_WORKS ? names[work] : "";
}

void rg_loop_times_add(struct rg_loop_times *times, enum rg_loop_work work, uint64_t start)
{
	uint64_t now = rg_now(), spent = now > start ? now - start : 0;
	struct rg_loop_time *time;

	if (!times)
		return;
	time = &times->works[work];
	time->total += spent;
	time->count++;
	if (spent > time->longest)
		time->longest = spent;
}

enum rg_loop_work rg_loop_times_longest(const struct rg_loop_times *times)
{
	enum rg_loop_work longest = 0;

	for (unsigned int i = 1; i < RG_LOOP_WORKS; i++)
		if (times->works[i].longest > times->works[longest].longest)
			longest = (enum rg_loop_work)i;
	return longest;
}
