/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs on the interfaces and in the network namespace: attached, replaced, detached. An earlier
 * agent's program is replaced by a link update, so no packet goes unfiltered in between. attach.c and
 * dispatcher.c are the only files that attach.
 */
#ifndef REPGATE_KERNEL_ATTACH_H
#define REPGATE_KERNEL_ATTACH_H

#include "kernel/link_kind.h"
#include "kernel/loader.h"

#include <net/if.h>

/*
 * Attaches the sk_lookup program to this network namespace, or replaces an earlier agent's. Call before
 * rg_attach_all(): SYNs that XDP passes as tempfail must find it. 0 or -errno.
 */
int rg_attach_steering(struct rg_loader *loader);

/*
 * Attaches the filter to the interfaces of the configuration, and detaches an earlier agent's from all others.
 * Where that is not possible (an interface does not exist, its driver refuses, another program is on it) it is
 * tried again by rg_attach_refresh(). 0; or, if nothing could be attached, the negative error of the first
 * interface, with the reason. Logs each interface.
 */
int rg_attach_all(struct rg_loader *loader, struct rg_error *error);

/*
 * An interface that is renamed stays filtered: it is known by its index, to a later agent by the link in
 * pin_path. If another interface gets the configured name, that one is filtered instead.
 *
 * Looks at the interfaces again, and attaches to those that have come back or lost our program. Call when
 * interfaces change, and now and then. Logs what it finds and does.
 */
void rg_attach_refresh(struct rg_loader *loader);

/* Detaches from everything and removes all pins: the end of filtering. */
void rg_attach_detach_all(struct rg_loader *loader);

struct rg_attachment {
	const char *name; /* in the configuration */
	unsigned int ifindex; /* 0: not attached */
	enum rg_xdp_mode mode; /* native or generic */
	bool frags; /* the program takes frames in several buffers */
	enum rg_link_kind link_kind;
	uint32_t program; /* id, as `bpftool prog show` has it */
	uint64_t since; /* attached or missing since then: ns of CLOCK_BOOTTIME */
	char reason[sizeof(struct rg_error)]; /* why it is not attached, as the log has it; "": it is */
	char present_name[IF_NAMESIZE]; /* other than name: the interface was renamed. "": not attached */
};
/* The interface with this number, from 0; owned by loader. NULL: past the last. */
const struct rg_attachment *rg_attach_info(const struct rg_loader *loader, unsigned int index);

#endif
