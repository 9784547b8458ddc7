/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a held SYN through the programs again, and sends it into the stack, or a reset back. */
#ifndef REPGATE_KERNEL_HELD_FRAME_H
#define REPGATE_KERNEL_HELD_FRAME_H

#include "kernel/loader.h"

/* A frame that is to be sent. */
struct rg_held_frame {
	uint32_t ifindex;
	uint32_t len; /* bytes */
	bool begins_with_ip; /* it has no Ethernet header */
	bool arrives; /* into the stack, as if it arrived on ifindex; false: out of ifindex, an answer */
	uint8_t bytes[RG_FRAME_SIZE + 64]; /* as they are on the link */
};

/*
 * Runs the filter on a held frame, as if it had just arrived on ifindex: by the verdicts in force, and
 * with its counters. 1: send ret, which is the frame itself or the answer to it; 0: it is dropped; or
 * -errno. -ENOKEY: the interface is in generic mode, where a sent frame meets the filter again, and the
 * filter knows nothing of the peer. Never send such a frame.
 */
int rg_held_frame_judge(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
			size_t len, struct rg_held_frame *ret);

/*
 * Counts a SYN that passed in monitor mode while nothing was known of its peer: by the verdicts in force,
 * in the tables of monitor mode, and with an event for the log if it would have been refused. The frame
 * itself goes nowhere. 0 or -errno.
 */
int rg_held_frame_count(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
			size_t len);

/* Sends a frame; the stack handles it before this returns. In any thread. 0 or -errno. */
int rg_held_frame_send(const struct rg_loader *loader, const struct rg_held_frame *frame);

#endif
