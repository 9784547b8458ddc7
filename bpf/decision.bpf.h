/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is decided about a SYN: the class of its peer, and what is done. Only the struct: verdict.bpf.h
 * decides, and resolve_action() of filter.bpf.c adapts the action to this SYN (450 becomes a reset).
 */
#ifndef REPGATE_DECISION_BPF_H
#define REPGATE_DECISION_BPF_H

#include "vmlinux.h"

#include "../maps/layout.h"
#include "compiler.bpf.h"

struct rg_decision {
	/* Words, and no padding: it is a global function's argument. */
	__u32 peer_class; /* enum rg_class; RG_CLASS_NONE: nothing is known */
	__u32 action; /* enum rg_action */
	__u32 zone; /* that lists the peer: a slot of `zones`, or RG_NO_ZONE */
	__u32 mode; /* enum rg_mode that the SYN is judged by */
	__u32 waits; /* 1: a SYN that passes is not counted as an attempt yet, see hold.bpf.h */
};

static __always_inline struct rg_decision decided(enum rg_class peer_class, enum rg_action action)
{
	return (struct rg_decision){ .peer_class = peer_class, .action = action, .zone = RG_NO_ZONE };
}

#endif
