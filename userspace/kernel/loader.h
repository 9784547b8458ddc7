/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs, maps, pins and attachments: the only module that knows libbpf's loading and libxdp. A
 * new agent finds the maps of the one before under pin_path, uses them again, and replaces the
 * programs on the interfaces by link update, so that no packet goes unfiltered in between.
 */
#ifndef REPGATE_KERNEL_LOADER_H
#define REPGATE_KERNEL_LOADER_H

#include "config/config.h"

#include "maps/index.h"

struct rg_loader;

/* File descriptors and memory are the loader's. */
struct rg_maps {
	int lists, verdicts, verdict_details, peers, zones, events, stats, buckets, responder;
	struct rg_settings *settings; /* mapped: a store is seen by the next packet */
	struct rg_index_presence *presence; /* mapped, too */
	struct rg_verdict_details *details; /* `verdict_details`, mapped, too */
	uint32_t details_count;
};

/* Opens, locks pin_path, takes over or makes the maps, loads. Nothing is attached yet. */
int rg_loader_new(struct rg_loader **ret, const struct rg_conf *conf, struct rg_error *error);
/* Closes; what is pinned stays in force. */
void rg_loader_free(struct rg_loader *loader);

const struct rg_maps *rg_loader_maps(const struct rg_loader *loader);
/* True if the maps are those of an earlier agent. */
bool rg_loader_took_over(const struct rg_loader *loader);
/*
 * Maps of an earlier agent that have this layout, but not these sizes: what they hold is copied. NULL:
 * there are none. Only the descriptors of verdicts, peers, zones and stats are set, and details, to be
 * read.
 */
const struct rg_maps *rg_loader_old_maps(const struct rg_loader *loader);
/* True if an earlier agent's programs were attached, whatever became of its maps. */
bool rg_loader_was_attached(const struct rg_loader *loader);
/* Whether held SYNs can be released on this kernel; if not, hold becomes drop. */
bool rg_loader_can_hold(const struct rg_loader *loader);

/*
 * Attaches to every interface of the configuration, and detaches an earlier agent from others. An interface that is missing, or
 * whose driver refuses, is an error.
 */
int rg_loader_attach(struct rg_loader *loader, struct rg_error *error);
/*
 * Looks at the interfaces again: one that went away is noted, one that came back, or whose program
 * somebody took off, is attached to. Says what it does.
 */
void rg_loader_refresh(struct rg_loader *loader);
/* Detaches from all interfaces and removes the pins. */
void rg_loader_detach(struct rg_loader *loader);

/*
 * Attaches the sk_lookup program to this network namespace, or replaces an earlier agent's. To be
 * called before rg_loader_attach(): what XDP passes as tempfail must find it. 0 or -errno.
 */
int rg_loader_attach_steer(struct rg_loader *loader);
/* Puts the listening socket fd, still the caller's, into `responder`. 0 or -errno. */
int rg_loader_set_responder(struct rg_loader *loader, enum rg_responder_socket slot, int fd);

struct rg_attachment {
	const char *name;
	unsigned int ifindex; /* 0: not attached */
	enum rg_xdp_mode mode; /* native or generic */
	bool frags; /* the program takes frames in several buffers */
	uint32_t program; /* id, as bpftool prog show has it */
};
/* NULL past the last. */
const struct rg_attachment *rg_loader_attachment(const struct rg_loader *loader, unsigned int index);

/* A frame on its way: into the stack, as if it had just arrived on ifindex, or out of there. */
struct rg_release_frame {
	uint32_t ifindex;
	uint32_t len; /* bytes */
	bool arrives;
	uint8_t frame[RG_FRAME_SIZE + 64]; /* from the Ethernet header on */
};

/*
 * Judges a held frame by the verdicts in force, as if it had just arrived on ifindex, and counts it.
 * 1: it is to be sent on, as ret says, or the answer to it is; 0: not; or -errno.
 */
int rg_loader_judge(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
		    size_t len, struct rg_release_frame *ret);
/* 0 or -errno. In any thread. */
int rg_loader_send_on(const struct rg_loader *loader, const struct rg_release_frame *passage);

/* A new, empty map for an index of so many lines; the caller closes it. Or -errno. In any thread. */
int rg_loader_new_index(const struct rg_loader *loader, uint32_t lines);
/* The place (RG_INDEX_BANK()) that the part's next index will have: no packet looks there. */
uint32_t rg_loader_index_bank(const struct rg_loader *loader, enum rg_index_part part);
/* Puts it in force there, as rg_index_install() says; fd -1 and 0: none. 0 or -errno. */
int rg_loader_set_index(struct rg_loader *loader, enum rg_index_part part, int fd, uint32_t force);

/* A new, empty list trie for `lists`; the caller closes it. In any thread. */
int rg_loader_new_list(const struct rg_loader *loader);
/* The one that is pinned as lists_now; the caller closes it. Or -errno. */
int rg_loader_current_list(const struct rg_loader *loader);
/* Makes it the one that is pinned as lists_now. */
int rg_loader_pin_list(const struct rg_loader *loader, int fd);

#endif
