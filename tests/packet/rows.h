/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows for the XDP programs. A row says what is in the maps, which packets come, and everything that
 * must follow from each: the action, the bytes that go out, the counters (these and no others), the
 * event. Each row runs through `filter` and through `filter_frags`, which must agree.
 */
#ifndef REPGATE_TESTS_ROWS_H
#define REPGATE_TESTS_ROWS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "run.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ROW_ENTRIES 4
#define ROW_STEPS 6
#define ZONE 3 /* of every verdict that a zone gave */
#define RUN_HITS 41 /* of every verdict so far */
#define PENDING_TIME (30 * RG_NSEC_PER_SEC)
#define TIMEOUT (60 * RG_NSEC_PER_SEC)
#define HOUR (3600 * RG_NSEC_PER_SEC)
#define TINY_RING 4096 /* bytes: 15 held SYNs */

enum variant { USUAL, FULL_RING, FULL_PEERS, NO_HOLD, FEW_BUCKETS, ONE_BUCKET, VARIANTS };

/* ---- rows ---- */

/* The map that an entry lies in. */
enum map_kind { NO_MAP, LISTS, VERDICTS, PEERS };

struct entry {
	enum map_kind map;
	const char *addr;
	uint32_t len; /* bits, of the address's own family */
	enum rg_class peer_class; /* for PEERS: clean or pending */
	enum rg_action action;
	int left; /* seconds until it expires, negative: it has; 0: for good */
};

/*
 * What differs from "enforce, hold, drop what is blocked, pass on overload, a responder in every
 * slot, no tag, 3 tokens and another in an hour for each address, no limit for unknown peers".
 */
struct tuning {
	enum rg_mode mode;
	enum rg_action unknown, overload, blocked;
	bool no_samples;
	bool next_agent; /* pending marks that are in the map are of the agent before */
	bool silent; /* the agent's heartbeat has stopped */
	bool other_layout;
	bool no_steering;
	bool known_host; /* the agent has told which addresses the host has */
	bool bridged; /* the same, and the interface takes frames to all MAC addresses */
	uint32_t no_socket; /* bit by enum rg_responder_socket: the slot is empty */
	uint32_t tag_dscp;
	uint32_t burst; /* tokens */
	uint64_t token_time; /* ns */
	uint32_t bucket_bits4, bucket_bits6; /* 0: 32, 128 */
	bool is_flood;
	uint64_t gates[RG_GATES]; /* in a flood: unknown peers' tokens, and no other in an hour */
	bool has_networks; /* in a flood: network_gates counts, too; else networks are not limited */
	uint64_t network_gates[RG_NETWORK_GATES]; /* tokens of each network */
};

enum sent {
	SENT_NOTHING,
	SENT_REFUSAL, /* a sample for the log */
	SENT_PEER, /* a peer to judge, without its SYN */
	SENT_SYN, /* the same with its SYN */
};

enum mark { MARK_ANY, MARK_NONE, MARK_CLEAN, MARK_PENDING };

struct step {
	struct packet_spec packet;
	enum run_program program; /* RUN_RELEASE or RUN_MONITOR, else the filters */
	int action; /* XDP_*; 0 ends the row */
	enum rg_class peer_class; /* NONE: nothing is decided, nothing counted */
	enum rg_action done;
	bool monitored;
	uint32_t attempts;
	enum sent sent;
	bool is_retry; /* the event says so */
	uint64_t losses; /* each counted once */
	enum mark mark; /* the peer's entry afterwards */
	struct packet_spec answer; /* with XDP_TX */
	bool finished; /* what comes out has the right checksum, else it is unchanged */
	uint16_t tos; /* what passes has this one (packet.h) and is otherwise unchanged; 0: unchanged */
	uint32_t later; /* s since the step before */
};

struct row {
	const char *name;
	enum variant variant;
	bool frags_only;
	struct tuning tuning;
	bool routed; /* the host forwards, see run_isolate() */
	struct entry entries[ROW_ENTRIES];
	struct step steps[ROW_STEPS];
};

#define LOSS(name) (1ULL << RG_LOSS_##name)

#define IGNORED .action = XDP_PASS
#define BAD(name) .action = XDP_DROP, .losses = LOSS(name)
#define BAD_SUM .losses = LOSS(BAD_CHECKSUM)
#define NO_HOST .losses = LOSS(NO_HOST)
#define MALFORMED(name) .action = XDP_PASS, .losses = LOSS(name)
#define DECIDED(c, a) .peer_class = RG_CLASS_##c, .done = RG_ACTION_##a
#define PASSED(c) .action = XDP_PASS, DECIDED(c, PASS)
#define NEW_PASSED(c) PASSED(c), .attempts = 1
#define DROPPED(c) .action = XDP_DROP, DECIDED(c, DROP)
#define REFUSED(c) DROPPED(c), .attempts = 1, .sent = SENT_REFUSAL
#define RESET(c) .action = XDP_TX, DECIDED(c, RESET), .attempts = 1, .sent = SENT_REFUSAL
#define MONITORED(c, a) \
	.action = XDP_PASS, DECIDED(c, a), .monitored = true, .attempts = 1, .sent = SENT_REFUSAL
#define TAGGED(c, t) \
	.action = XDP_PASS, DECIDED(c, TAG), .attempts = 1, .sent = SENT_REFUSAL, .tos = TOS(t)
#define ANSWERED(c, a) .action = XDP_PASS, DECIDED(c, a)
#define NEW_ANSWERED(c, a) ANSWERED(c, a), .attempts = 1
#define OVER(c) .action = XDP_DROP, DECIDED(c, THROTTLE)
#define NEW_OVER(c) OVER(c), .attempts = 1, .sent = SENT_REFUSAL
/* In monitor mode: it passes, and is an attempt once the agent has a verdict. */
#define WAITS(c) PASSED(c), .sent = SENT_SYN, .mark = MARK_PENDING
#define HELD(c) .action = XDP_DROP, DECIDED(c, HOLD), .sent = SENT_SYN, .mark = MARK_PENDING

#define APPROVE(a, l)                                        \
	{                                                    \
		LISTS, a, l, .peer_class = RG_CLASS_APPROVED \
	}
#define BLOCK(a, l)                                         \
	{                                                   \
		LISTS, a, l, .peer_class = RG_CLASS_BLOCKED \
	}
#define VERDICT(a, l, c, act, t)                                 \
	{                                                        \
		VERDICTS, a, l, RG_CLASS_##c, RG_ACTION_##act, t \
	}
#define ALL_BLOCKED .entries = { BLOCK("0.0.0.0", 0), BLOCK("2001:db8::", 32) }
#define STANDARD(act) VERDICT("192.0.2.1", 32, STANDARD, act, 60)
#define QIL(act) VERDICT("192.0.2.1", 32, QIL, act, 60)
#define CLEAN(a, t)                                                  \
	{                                                            \
		PEERS, a, 0, .peer_class = RG_CLASS_CLEAN, .left = t \
	}
#define PENDING(a, t)                                                  \
	{                                                              \
		PEERS, a, 0, .peer_class = RG_CLASS_PENDING, .left = t \
	}

#define SIX .from = "2001:db8:1:2::99"
#define TO_SIX .answer = true, .from = "2001:db8:25::25", .to = "2001:db8:1:2::99"
#define MAPPED .from = "::ffff:192.0.2.1"
#define STANDARD_SIX VERDICT("2001:db8:1:2::", 64, STANDARD, RESET, 60)
#define QIL_SIX(act) VERDICT("2001:db8:1:2::", 64, QIL, act, 60)
#define RST .answer = true, .flags = FLAG_RST | FLAG_ACK
#define ACK(len) .ack = PACKET_SEQ + 1u + (len)
#define PORT(n)           \
	{                 \
		.port = n \
	}
#define OTHER_SEQ                                    \
	{                                            \
		.patches = { { LAYER_L4, 7, 0x55 } } \
	}
#define FRAGMENT(word)                     \
	{                                  \
		{                          \
			EXT_FRAGMENT, word \
		}                          \
	}
#define HEADERS(count) .extensions = { [0 ...(count) - 1] = { EXT_OPTIONS, 0 } }

/* ---- what it is made of, for tests that do not fit a row ---- */

/*
 * The losses that other programs than bpf_filter bring about, each in the one that says so to
 * tests_main(); and those that no test run can: the parser has made sure of what two of them need,
 * and no two CPUs get into each other's way RG_BUCKET_TRIES times in a row.
 */
#define ACTION_LOSSES (LOSS(RESPONDER_GONE) | LOSS(NOT_LOCAL))
#define THROTTLE_LOSSES LOSS(BUCKET_FAILED)
#define STEER_LOSSES (LOSS(STEER_FAILED) | LOSS(UNCONFIRMED))
#define UNTESTABLE_LOSSES \
	(LOSS(RESET_FAILED) | LOSS(HOLD_COPY) | LOSS(TAG_FAILED) | LOSS(BUCKET_BUSY))

/*
 * The programs that the tests use, as RUN_BIT() of each: of USUAL, and of each other variant. Without a call
 * all are loaded.
 */
void use_programs(uint32_t programs, uint32_t of_variants);

/* The programs as variant has them; loaded when they are first asked for. */
struct run *run_of(enum variant variant);

/* Empties every map, then puts settings, sockets and entries into them. */
void prepare(enum variant variant, const struct tuning *tuning, const struct entry *entries);
struct run *fresh_run(const struct tuning *tuning);
void put_settings(struct run *run, const struct tuning *tuning);

struct rg_prefix prefix_of(const char *text, uint32_t len);
uint64_t expiry_in(int left); /* seconds; 0: for good */
/* With RUN_HITS so far. */
void put_trie(struct run *run, const struct rg_prefix *key, enum rg_class peer_class,
	      enum rg_action action, uint64_t expiry);
uint32_t put_details(struct run *run, uint64_t hits); /* what a verdict's details may be then */
uint64_t verdict_hits(struct run *run, const struct rg_prefix *key); /* of the verdict there */
void put_list(int fd, const struct rg_prefix *key, enum rg_class peer_class, uint64_t expiry);
void put_entry(struct run *run, const struct entry *entry);

int send_spec(struct run *run, const struct packet_spec *spec);
uint64_t count_of(struct run *run, uint32_t stat);
uint64_t count_done(struct run *run, enum rg_class peer_class, enum rg_action action);
uint64_t loss_count(struct run *run, enum rg_loss loss);
void note_losses(uint64_t losses); /* they were counted */

void wait_for_the_next_second(uint64_t time);
void sleep_ns(uint64_t ns);
uint64_t next_random(uint64_t *seed);

/* Runs each packet through `filter` on two CPUs at once. */
void race(const struct run *run, const struct packet *packets, unsigned int count);

int responder_socket(enum rg_responder_socket slot); /* what prepare() puts there */
void put_socket(struct run *run, enum rg_responder_socket slot, int fd);

/*
 * Runs rows and tests, then checks that each of losses was met. In a network namespace of its own;
 * the result is main()'s.
 */
int tests_main(const char *name, const struct row *rows, size_t row_count,
	       const struct CMUnitTest *others, size_t other_count, uint64_t losses);

#endif
