/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the XDP programs: what they must do, written a second time from docs/architecture.md and
 * the headers in maps/, as plainly as possible, without any code of bpf/. Tries are lists and a search
 * walks all of one. Attempts and held flows are remembered whole. Buckets count.
 *
 * The model's clock stands still: `now` is when the state was made. So every expiry must be far from
 * it, on either side, for as long as the state is used.
 */
#ifndef REPGATE_TESTS_MODEL_H
#define REPGATE_TESTS_MODEL_H

#include "maps/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 model_addr; /* the first byte is the most significant */

#define MODEL_ENTRIES 128 /* of a list, and of the verdicts */
#define MODEL_PEERS 16384 /* power of two; peers and buckets that a state may see: half of it */
#define MODEL_ATTEMPTS 65536 /* the same for attempts */
#define MODEL_FORCED 4

struct model_prefix {
	model_addr addr, mask;
	uint64_t expiry; /* as in the map */
	uint64_t hits;
	enum rg_class peer_class;
	enum rg_action action; /* of verdicts */
	uint32_t zone;
	uint32_t len;
};

struct model_trie {
	unsigned int count;
	struct model_prefix at[MODEL_ENTRIES];
};

struct model_flow {
	model_addr addr;
	uint32_t seq;
	uint16_t port, local_port;
};

struct model_peer {
	model_addr key;
	uint64_t expiry;
	uint32_t generation; /* another one than the table's: free */
	enum rg_peer_state state;
	bool is_removed; /* its slot stays taken until the next state */
	bool is_marked; /* by XDP, in this state; else as the state's maker wrote it */
	uint32_t held; /* as the map says */
	uint32_t foreign; /* flows[] below this were written by the state's maker: never met */
	struct model_flow flows[RG_HELD_FLOWS];
};

struct model_bucket {
	model_addr key;
	uint32_t generation;
	uint64_t full_at;
};

/* A connection (salt: the port), or one of its SYNs (salt: all that tells it from another). */
struct model_attempt {
	model_addr addr;
	uint64_t salt;
	uint32_t generation;
	bool is_due; /* the same SYN is a retransmission now */
	uint64_t begin, end; /* as of the frame that came first, see struct model */
};

/* Where the host would route on what is not its own (the network namespace of the driver). */
struct model_route {
	model_addr addr, mask;
	model_addr own[3]; /* addresses of it that are local, or nobody's */
};

struct model {
	struct rg_settings settings;
	bool can_hold;
	uint64_t now;
	struct model_trie lists, verdicts;
	uint32_t responders; /* bit by enum rg_responder_socket: somebody listens */
	struct model_route routes[2]; /* IPv4 (mapped), IPv6 */
	uint32_t ring_size, ring_used; /* bytes; the driver takes out what it has read */
	uint64_t admission[RG_GATES]; /* when each bucket is full */
	uint64_t samples; /* reported or not, in this second on this CPU */
	struct rg_count counts[RG_STAT_MAX];
	/*
	 * When this frame was run, ns: between the two. The same SYN is a retransmission if it comes late
	 * enough. Where that can't be told, it is what the program made of it.
	 */
	uint64_t begin, end;
	bool counted_first;
	uint32_t generation; /* of peers and buckets */
	uint32_t attempt_generation;
	unsigned int peer_count, bucket_count;
	/*
	 * XDP knows connections and SYNs by 38 bits, the model by all they have. Questions (by their
	 * number in this state) which are known to have met another one's bits.
	 */
	uint64_t questions, forced[MODEL_FORCED];
	unsigned int forced_count;
	struct model_peer peers[MODEL_PEERS];
	struct model_bucket buckets[MODEL_PEERS];
	struct model_attempt attempts[MODEL_ATTEMPTS];
};

enum model_program {
	MODEL_FILTER,
	MODEL_FILTER_FRAGS,
	MODEL_RELEASE,
	MODEL_MONITOR,
	MODEL_PREVIEW,
	MODEL_IP, /* + one of the above: the same program, for links without an Ethernet header */
	MODEL_PROGRAMS = 2 * MODEL_IP
};

struct model_result {
	int action; /* XDP_* */
	size_t len; /* of the frame afterwards; it differs from the one that came in as patch says */
	size_t patch_at, patch_len; /* bytes that are replaced */
	uint8_t patch[60];
	size_t sum_at; /* of the TCP checksum, if it is finished; else 0 */
	uint16_t sum; /* host order */
	bool swaps_macs;
	size_t event_size; /* 0: none */
	struct rg_event_syn event; /* time is 0 */
	bool has_peer, has_bucket; /* whose entries may have changed */
	model_addr peer, bucket;
};

/* Empties everything but settings, responders, routes and what is forced; time is now. */
void model_reset(struct model *model, uint64_t now);
/* Nobody has tried to connect lately. */
void model_forget_attempts(struct model *model);
/* A second has passed, or some: what is repeated now is a retransmission. */
void model_attempts_are_due(struct model *model);

model_addr model_read_addr(const uint8_t bytes[16]);
struct rg_addr model_write_addr(model_addr addr);

/* An entry of the state's maker, for model->lists or model->verdicts. */
struct model_prefix *model_add(struct model_trie *trie, model_addr addr, uint32_t len);
/* The entry of key, a fresh one if there is none; is_new says which. */
struct model_peer *model_peer_at(struct model *model, model_addr key, bool *is_new);
struct model_bucket *model_bucket_at(struct model *model, model_addr key, bool *is_new);
/* NULL if there is none. */
const struct model_peer *model_find_peer(const struct model *model, model_addr key);
const struct model_bucket *model_find_bucket(const struct model *model, model_addr key);

/*
 * A frame of len bytes, the first `linear` of them in one piece (XDP sees the others only through
 * helpers).
 */
void model_run(struct model *model, enum model_program program, const uint8_t *frame, size_t len,
	       size_t linear, struct model_result *result);

#endif
