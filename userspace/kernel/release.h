/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Releases held SYNs: judges each again and sends it. Sending is done in a thread, because the stack
 * handles the SYN and answers it before the send returns, and the event loop should not wait for that.
 */
#ifndef REPGATE_KERNEL_RELEASE_H
#define REPGATE_KERNEL_RELEASE_H

#include "kernel/held_frame.h"

struct rg_release;

struct rg_release_count {
	uint64_t released; /* judged, and sent unless they were dropped */
	uint64_t failed; /* could not be judged or sent: their retransmission is judged */
	uint64_t monitored; /* of monitor mode: counted */
};

/* loader must outlive it. The thread starts with the first SYN to send. 0 or -ENOMEM. */
int rg_release_new(struct rg_release **ret, struct rg_loader *loader);
/* Sends the SYNs that still wait, then ends the thread. */
void rg_release_free(struct rg_release *release);

/*
 * Releases a frame of at most RG_FRAME_SIZE bytes, in the event loop. It is judged at once, because its
 * verdict may be gone a moment later.
 *
 * is_clean: the frame may wait for the thread. Other frames may be for the responder, and the stack asks
 * the maps about these; so they are sent at once. If there is no thread, or 1024 frames wait, all frames
 * are sent at once. The thread starts with the first clean frame; by then the agent has dropped its
 * privileges.
 */
void rg_release_put(struct rg_release *release, uint32_t ifindex, const void *frame, size_t len,
		    bool is_clean);

/*
 * Counts a frame of at most RG_FRAME_SIZE bytes that passed in monitor mode, see rg_held_frame_count().
 * Nothing is sent.
 */
void rg_release_count_monitored(struct rg_release *release, uint32_t ifindex, const void *frame,
				size_t len);

struct rg_release_count rg_release_count(const struct rg_release *release);

/* Whether released SYNs reached a socket: what XDP released, against what sk_lookup saw. */
struct rg_release_evidence {
	uint64_t released[2]; /* one and two updates ago */
	uint64_t unseen; /* since the first update */
	uint64_t base; /* the difference at the first one */
	unsigned int updates;
};

/*
 * Call about once a second. released: SYNs that passed for a socket of this host; seen: of these, sk_lookup
 * saw. A SYN that is not seen between one and two seconds later counts as unseen.
 */
void rg_release_evidence_update(struct rg_release_evidence *evidence, uint64_t released,
				uint64_t seen);

#endif
