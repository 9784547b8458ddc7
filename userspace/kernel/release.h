/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges held SYNs again and sends them on their way. The way is in a thread of its own: there the
 * stack takes each of them in and answers it, for which the next peer need not wait.
 */
#ifndef REPGATE_KERNEL_RELEASE_H
#define REPGATE_KERNEL_RELEASE_H

#include "kernel/held_frame.h"

struct rg_release;

struct rg_release_count {
	uint64_t released; /* held SYNs judged, and sent on their way if they pass or are answered */
	uint64_t failed; /* not sent: their retransmission is judged */
};

/* loader: must outlive it. 0 or -ENOMEM. */
int rg_release_new(struct rg_release **ret, struct rg_loader *loader);
/* First sends on what still waits. */
void rg_release_free(struct rg_release *release);

/*
 * A frame of RG_FRAME_SIZE bytes at most. It is judged at once, as the verdict that was made for it may
 * be gone a moment later. is_clean: it can wait for the thread, as nothing but that is decided by the
 * verdict; others may be for the responder, which the stack asks the maps about. The thread begins with
 * the first one, so it has no more privileges than the loop. Where there can't be one, or too many wait,
 * all go at once, before those that wait.
 */
void rg_release_put(struct rg_release *release, uint32_t ifindex, const void *frame, size_t len,
		    bool is_clean);

struct rg_release_count rg_release_count(const struct rg_release *release);

#endif
