/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `steer`: which connection gets which socket, and what it leaves alone. Row by row in test runs,
 * then attached to this program's network namespace, with real connections.
 */
#include "rows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define PORT_OF(row) ((row)->port ? (row)->port : PACKET_LOCAL_PORT)

enum where {
	TO_SERVER, /* passed without a socket */
	TO_RESPONDER, /* to the socket that row.slot names */
	REFUSED_HERE, /* counted as steer_failed */
};

struct row_of_steer {
	const char *name;
	enum variant variant;
	struct tuning tuning;
	struct entry entries[ROW_ENTRIES];
	const char *from; /* NULL: 192.0.2.1 */
	enum where where;
	enum rg_responder_socket slot;
	uint16_t port; /* ours, host order; 0: 25 */
	uint32_t protocol; /* 0: TCP */
	enum { TICKET, NO_TICKET, TAKEN } ticket; /* of the connection */
};

#define FROM_SIX .from = "2001:db8:1:2::99"
#define STEERED(name) .where = TO_RESPONDER, .slot = RG_RESPONDER_##name
#define VERDICT_SIX(c, a) VERDICT("2001:db8:1:2::", 64, c, a, 60)
#define EXPIRED(c, a) VERDICT("192.0.2.1", 32, c, a, -1)
#define MISSING(name) .no_socket = 1u << RG_RESPONDER_##name
#define NO_SOCKETS .no_socket = 15
#define WRONG_PORT(n) .entries = { QIL(TEMPFAIL) }, .port = (n)

/* clang-format off */
static const struct row_of_steer rows[] = {
	/* To the responder. */
	{ "tempfail, IPv4", .entries = { QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "tempfail, IPv6", .entries = { QIL_SIX(TEMPFAIL) }, FROM_SIX, STEERED(TEMPFAIL6) },
	{ "reject, IPv4", .entries = { STANDARD(REJECT) }, STEERED(REJECT4) },
	{ "reject, IPv6", .entries = { VERDICT_SIX(STANDARD, REJECT) }, FROM_SIX, STEERED(REJECT6) },
	{ "tempfail, standard", .entries = { STANDARD(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "reject, QIL", .entries = { QIL_SIX(REJECT) }, FROM_SIX, STEERED(REJECT6) },
	{ "reject, local list", .tuning = { .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("192.0.2.0", 24) }, STEERED(REJECT4) },
	{ "reject, local list, IPv6", .tuning = { .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("2001:db8::", 32) }, FROM_SIX, STEERED(REJECT6) },
	{ "reject, country", .entries = { VERDICT("192.0.0.0", 8, BLOCKED, REJECT, 60) }, STEERED(REJECT4) },
	{ "the longest prefix", .entries = { VERDICT("192.0.2.0", 24, STANDARD, REJECT, 60),
	  QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "below an expired one", .entries = { EXPIRED(QIL, TEMPFAIL),
	  VERDICT("192.0.2.0", 24, STANDARD, REJECT, 60) }, STEERED(REJECT4) },
	{ "verdict of a clean peer", .entries = { QIL(TEMPFAIL), CLEAN("192.0.2.1", 60) },
	  STEERED(TEMPFAIL4) },
	{ "verdict of a pending peer", .entries = { QIL(TEMPFAIL), PENDING("192.0.2.1", 60) },
	  STEERED(TEMPFAIL4) },
	{ "last address of the /64", .entries = { QIL_SIX(TEMPFAIL) },
	  .from = "2001:db8:1:2:ffff:ffff:ffff:ffff", STEERED(TEMPFAIL6) },
	{ "silent agent, but the socket is there", .tuning = { .silent = true },
	  .entries = { QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "other slots are empty", .entries = { STANDARD(REJECT) }, STEERED(REJECT4),
	  .tuning = { .no_socket = 15 & ~(1u << RG_RESPONDER_REJECT4) } },
	{ "samples are off", .tuning = { .no_samples = true }, .entries = { QIL(TEMPFAIL) },
	  STEERED(TEMPFAIL4) },
	{ "full ring", .variant = FULL_RING, .entries = { QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "kernel that can't hold", .variant = NO_HOLD, .entries = { QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "unknown", .where = TO_SERVER },
	{ "unknown, IPv6", FROM_SIX },
	{ "clean", .entries = { CLEAN("192.0.2.1", 60) } },
	{ "pending", .entries = { PENDING("192.0.2.1", 60) } },
	{ "approved", .entries = { APPROVE("192.0.2.0", 24), QIL(TEMPFAIL) } },
	{ "approved by a verdict", .entries = { VERDICT("192.0.2.1", 32, APPROVED, PASS, 60) } },
	{ "expired", .entries = { EXPIRED(QIL, TEMPFAIL) } },
	{ "expired, IPv6", .entries = { VERDICT("2001:db8:1:2::", 64, QIL, TEMPFAIL, -1) }, FROM_SIX },
	{ "expired, clean", .entries = { EXPIRED(QIL, TEMPFAIL), CLEAN("192.0.2.1", 60) } },
	{ "expired list entry", .tuning = { .blocked = RG_ACTION_REJECT },
	  .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_BLOCKED, 0, -1 } } },
	{ "expired list entry above an approved one", .tuning = { .blocked = RG_ACTION_REJECT },
	  .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_BLOCKED, 0, -1 }, APPROVE("192.0.0.0", 8) } },
	{ "another address", .entries = { QIL(TEMPFAIL) }, .from = "192.0.2.2" },
	{ "another /64", .entries = { QIL_SIX(TEMPFAIL) }, .from = "2001:db8:1:3::99" },
	{ "all of IPv4 is not IPv6", .entries = { VERDICT("0.0.0.0", 0, QIL, TEMPFAIL, 60) }, FROM_SIX },
	{ "IPv6 is not IPv4", .entries = { VERDICT("8000::", 1, QIL, TEMPFAIL, 60),
	  VERDICT("2001:db8::", 32, QIL, TEMPFAIL, 60) } },
	{ "drop", .entries = { QIL(DROP) } },
	{ "reset", .entries = { STANDARD(RESET) } },
	{ "tag", .tuning = { .tag_dscp = 43 }, .entries = { STANDARD(TAG) } },
	{ "throttle", .tuning = { .burst = 1 }, .entries = { QIL(THROTTLE) } },
	{ "local list, drop", .entries = { BLOCK("0.0.0.0", 0) } },
	{ "pass", .entries = { QIL(PASS) } },
	{ "other port", WRONG_PORT(24) },
	{ "other port, bytes swapped", WRONG_PORT(0x1900) },
	{ "port past the count", WRONG_PORT(443) },
	{ "highest port", WRONG_PORT(65535) },
	{ "UDP", .entries = { QIL(TEMPFAIL) }, .protocol = IPPROTO_UDP },
	{ "UDP, IPv6", .entries = { QIL_SIX(TEMPFAIL) }, FROM_SIX, .protocol = IPPROTO_UDP },
	{ "monitor", .tuning = { .mode = RG_MODE_MONITOR }, .entries = { QIL(TEMPFAIL) } },
	{ "monitor, local list", .tuning = { .mode = RG_MODE_MONITOR, .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("0.0.0.0", 0) } },
	{ "monitor, no socket", .tuning = { .mode = RG_MODE_MONITOR, NO_SOCKETS },
	  .entries = { QIL(TEMPFAIL) } },
	{ "other layout", .tuning = { .other_layout = true }, .entries = { QIL(TEMPFAIL) } },
	{ "no socket is needed", .tuning = { NO_SOCKETS }, .entries = { CLEAN("192.0.2.1", 60) } },

	/* A refused peer never reaches the mail server. */
	{ "no socket, tempfail, IPv4", .tuning = { MISSING(TEMPFAIL4) }, .entries = { QIL(TEMPFAIL) },
	  .where = REFUSED_HERE },
	{ "no socket, tempfail, IPv6", .tuning = { MISSING(TEMPFAIL6) }, .entries = { QIL_SIX(TEMPFAIL) },
	  FROM_SIX, .where = REFUSED_HERE },
	{ "no socket, reject, IPv4", .tuning = { MISSING(REJECT4) }, .entries = { STANDARD(REJECT) },
	  .where = REFUSED_HERE },
	{ "no socket, reject, IPv6", .tuning = { MISSING(REJECT6) }, .entries = { QIL_SIX(REJECT) },
	  FROM_SIX, .where = REFUSED_HERE },
	{ "no socket, local list", .tuning = { NO_SOCKETS, .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("0.0.0.0", 0) }, .where = REFUSED_HERE },
	/* Without a ticket, it is no SYN that the filter let pass: a program that asks sock_diag(7). */
	{ "no ticket", .ticket = NO_TICKET, .entries = { QIL(TEMPFAIL) } },
	{ "no ticket, IPv6", .ticket = NO_TICKET, .entries = { QIL_SIX(TEMPFAIL) }, FROM_SIX },
	{ "no ticket, reject", .ticket = NO_TICKET, .entries = { STANDARD(REJECT) } },
	{ "no ticket, no socket", .ticket = NO_TICKET, .tuning = { NO_SOCKETS },
	  .entries = { QIL(TEMPFAIL) } },
	{ "no ticket, kernel that can't tell", .ticket = NO_TICKET, .variant = NO_HOLD,
	  .entries = { QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "ticket that was taken", .ticket = TAKEN, .entries = { QIL(TEMPFAIL) }, STEERED(TEMPFAIL4) },
	{ "ticket that was taken, no socket", .ticket = TAKEN, .tuning = { NO_SOCKETS },
	  .entries = { QIL(TEMPFAIL) }, .where = REFUSED_HERE },
	{ "no socket, silent agent", .tuning = { NO_SOCKETS, .silent = true },
	  .entries = { QIL(TEMPFAIL) }, .where = REFUSED_HERE },
};
/* clang-format on */

/* A test run can't say where the packet came in: the interface is 0. */
static void fill_lookup(const struct row_of_steer *row, struct bpf_sk_lookup *ctx)
{
	struct rg_addr from = packet_addr(row->from ? row->from : "192.0.2.1");
	struct rg_addr to = packet_addr(row->from && strchr(row->from, ':') ? "2001:db8:25::25" :
									      "198.51.100.25");

	memset(ctx, 0, sizeof(*ctx));
	ctx->protocol = row->protocol ? row->protocol : IPPROTO_TCP;
	ctx->remote_port = htons(PACKET_PORT);
	ctx->local_port = PORT_OF(row);
	if (row->from && strchr(row->from, ':')) {
		ctx->family = AF_INET6;
		memcpy(ctx->remote_ip6, &from, sizeof(ctx->remote_ip6));
		memcpy(ctx->local_ip6, &to, sizeof(ctx->local_ip6));
	} else {
		ctx->family = AF_INET;
		memcpy(&ctx->remote_ip4, from.bytes + RG_ADDR_V4_OFFSET, 4);
		memcpy(&ctx->local_ip4, to.bytes + RG_ADDR_V4_OFFSET, 4);
	}
}

static struct rg_connection connection_of(const struct row_of_steer *row)
{
	bool six = row->from && strchr(row->from, ':');

	return (struct rg_connection){ .source = packet_addr(row->from ? row->from : "192.0.2.1"),
				       .dest = packet_addr(six ? "2001:db8:25::25" : "198.51.100.25"),
				       .source_port = PACKET_PORT,
				       .dest_port = PORT_OF(row) };
}

/* As XDP leaves it for the connection's SYN. */
static void put_ticket(struct run *run, const struct row_of_steer *row)
{
	const struct rg_ticket ticket = { .time = run_now(),
					  .state = row->ticket == TAKEN ? RG_TICKET_TAKEN :
									  RG_TICKET_ISSUED };
	struct rg_connection key = connection_of(row);

	if (row->ticket != NO_TICKET)
		assert_int_equal(bpf_map_update_elem(run_maps(run).tickets, &key, &ticket, BPF_ANY),
				 0);
}

/* These counters and no other. */
static void check_steer_counts(const char *name, const struct run_counts *before,
			       const struct run_counts *after, uint64_t steered, uint64_t failed)
{
	for (uint32_t i = 0; i < RG_STAT_MAX; i++) {
		uint64_t packets = after->at[i].packets - before->at[i].packets;
		uint64_t want = i == RG_STAT_STEERED			   ? steered :
				i == RG_STAT_LOSSES + RG_LOSS_STEER_FAILED ? failed :
									     0;

		if (packets != want || after->at[i].attempts != before->at[i].attempts)
			fail_msg("%s: stat %u: %d packets", name, i, (int)packets);
	}
	note_losses(failed ? LOSS(STEER_FAILED) : 0);
}

/* The lookup is no SYN: what the SYN did to the maps is all that is done to them. */
static void check_untouched(struct run *run, const struct row_of_steer *row)
{
	struct run_map_fds fds = run_maps(run);
	struct rg_addr any;

	for (int i = 0; i < ROW_ENTRIES && row->entries[i].map; i++) {
		const struct entry *entry = &row->entries[i];
		struct rg_prefix key = prefix_of(entry->addr, entry->len);
		struct rg_peer peer;

		if (entry->map == VERDICTS) {
			assert_int_equal(verdict_hits(run, &key), RUN_HITS);
		} else if (entry->map == PEERS) {
			assert_int_equal(bpf_map_lookup_elem(fds.peers, &key.addr, &peer), 0);
			assert_int_equal(peer.state, entry->peer_class == RG_CLASS_CLEAN ?
							     RG_PEER_CLEAN :
							     RG_PEER_PENDING);
		} else {
			continue;
		}
	}
	assert_int_equal(bpf_map_get_next_key(fds.buckets, NULL, &any), -ENOENT);
}

static void check_no_event(const char *name, struct run *run)
{
	static struct run_events events;

	assert_int_equal(run_events(run, &events), 0);
	if (events.count)
		fail_msg("%s: %u events", name, events.count);
}

static void test_steer_row(void **state)
{
	const struct row_of_steer *row = *state;
	struct run *run = run_of(row->variant);
	struct run_counts before, after;
	struct bpf_sk_lookup ctx;
	uint64_t cookie = 0;
	int ret;

	prepare(row->variant, &row->tuning, row->entries);
	if (row->where == TO_RESPONDER)
		cookie = net_cookie(responder_socket(row->slot));
	for (int round = 0; round < 2; round++) {
		fill_lookup(row, &ctx);
		put_ticket(run, row);
		assert_int_equal(run_counts(run, &before), 0);
		ret = run_steer(run, &ctx);
		assert_int_equal(run_counts(run, &after), 0);
		if (ret != (row->where == REFUSED_HERE ? SK_DROP : SK_PASS))
			fail_msg("%s: returned %d", row->name, ret);
		if (ctx.cookie != cookie)
			fail_msg("%s: socket %d, not %d", row->name, (int)ctx.cookie, (int)cookie);
		check_steer_counts(row->name, &before, &after,
				   row->where == TO_RESPONDER && row->ticket == TICKET,
				   row->where == REFUSED_HERE);
		check_untouched(run, row);
		if (row->variant != FULL_RING)
			check_no_event(row->name, run);
	}
}

/* ---- what does not fit a row ---- */

static int steer_row(struct run *run, const struct row_of_steer *row, uint64_t *cookie)
{
	struct bpf_sk_lookup ctx;
	int ret;

	fill_lookup(row, &ctx);
	put_ticket(run, row);
	ret = run_steer(run, &ctx);
	*cookie = ctx.cookie;
	return ret;
}

/* A socket that can't take the connection: refused, not passed on to the mail server. */
static void test_unfit_socket(void **state)
{
	const struct row_of_steer six = { FROM_SIX };
	const struct entry entry = QIL_SIX(TEMPFAIL);
	struct run *run = fresh_run(&(struct tuning){});
	uint64_t cookie;

	(void)state;
	put_entry(run, &entry);
	put_socket(run, RG_RESPONDER_TEMPFAIL6, responder_socket(RG_RESPONDER_TEMPFAIL4));
	assert_int_equal(steer_row(run, &six, &cookie), SK_DROP);
	assert_int_equal(cookie, 0);
	assert_int_equal(loss_count(run, RG_LOSS_STEER_FAILED), 1);
	assert_int_equal(count_of(run, RG_STAT_STEERED), 0);
}

/* The agent ends, and another one takes over. */
static void test_socket_replaced(void **state)
{
	const struct row_of_steer row = {};
	const struct tuning tuning = { NO_SOCKETS };
	const struct entry entry = QIL(TEMPFAIL);
	struct run *run = fresh_run(&tuning);
	uint64_t cookie;
	int first, second;

	(void)state;
	put_entry(run, &entry);
	first = net_listen("127.0.0.1", 0);
	second = net_listen("127.0.0.1", 0);
	put_socket(run, RG_RESPONDER_TEMPFAIL4, first);
	assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
	assert_true(cookie == net_cookie(first));
	put_socket(run, RG_RESPONDER_TEMPFAIL4, second);
	assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
	assert_true(cookie == net_cookie(second));
	close(first);
	assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
	assert_true(cookie == net_cookie(second));
	close(second);
	assert_int_equal(steer_row(run, &row, &cookie), SK_DROP);
	assert_int_equal(loss_count(run, RG_LOSS_STEER_FAILED), 1);
	assert_int_equal(count_of(run, RG_STAT_STEERED), 3);
}

static uint64_t count_answered(struct run *run)
{
	return count_done(run, RG_CLASS_QIL, RG_ACTION_TEMPFAIL) +
	       count_done(run, RG_CLASS_QIL, RG_ACTION_REJECT) +
	       count_done(run, RG_CLASS_BLOCKED, RG_ACTION_REJECT);
}

static void put_random_entry(struct run *run, uint64_t *seed)
{
	uint64_t random = next_random(seed);
	char net[32];
	struct entry entry = { .map = random & 1 ? LISTS : VERDICTS, .addr = net };

	snprintf(net, sizeof(net), "10.%d.%d.%d", (int)(random >> 8 & 1),
		 (int)(random >> 16 & 3) * 64, (int)(random >> 24 & 3) * 64);
	entry.len = 16 + (random >> 32) % 11;
	entry.peer_class = RG_CLASS_QIL;
	if (entry.map == LISTS)
		entry.peer_class = random & 2 ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED;
	entry.action = RG_ACTION_PASS + (random >> 40) % 7;
	entry.left = random >> 48 & 1 ? 60 : -60;
	put_entry(run, &entry);
}

/* What passes in XDP as answered is steered, and nothing else is: the two lookups agree. */
static void test_agreement(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_PASS,
				       .blocked = RG_ACTION_REJECT,
				       .no_samples = true };
	struct run *run = fresh_run(&tuning);
	uint64_t seed = 0xa97ee, steered = 0;

	(void)state;
	for (int i = 0; i < 60; i++)
		put_random_entry(run, &seed);
	for (int i = 0; i < 2000; i++) {
		uint64_t random = next_random(&seed), before = count_answered(run), cookie;
		char from[32];
		struct row_of_steer row = { .from = from, .ticket = NO_TICKET };

		snprintf(from, sizeof(from), "10.%d.%d.%d", (int)(random & 1),
			 (int)(random >> 8 & 255), (int)(random >> 16 & 255));
		assert_true(send_spec(run, &(struct packet_spec){ .from = from }) >= 0);
		assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
		assert_int_equal(cookie != 0, count_answered(run) - before);
		steered += cookie != 0;
	}
	assert_in_range(steered, 200, 1800);
}

/* ---- the bound on SYNs that may be led past the responder ---- */

#define BOUND RG_MAX_UNCONFIRMED

static struct run *bounded_run(void)
{
	const struct entry entry = VERDICT("192.0.0.0", 8, QIL, TEMPFAIL, 60);
	struct run *run = fresh_run(&(struct tuning){});

	put_entry(run, &entry);
	run_settings(run)->bounded = 1;
	run_settings(run)->round = 5;
	return run;
}

/* How many of these SYNs pass, each from its own port, as a peer that connects anew each time. */
static unsigned int pass(struct run *run, const char *from, const char *to, unsigned int count)
{
	static uint16_t port = 2000;
	unsigned int passed = 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct packet_spec spec = { .from = from, .to = to, .port = port++ };
		int action = send_spec(run, &spec);

		assert_true(action == XDP_PASS || action == XDP_TX);
		passed += action == XDP_PASS;
	}
	return passed;
}

/* sk_lookup sees a SYN of this peer. */
static void arrive(struct run *run, const char *from, uint64_t wanted)
{
	const struct row_of_steer row = { .from = from, .ticket = NO_TICKET };
	const struct packet_spec spec = { .from = from };
	uint64_t cookie;

	assert_int_equal(send_spec(run, &spec), XDP_PASS);
	assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
	assert_int_equal(cookie != 0, wanted);
}

static struct rg_destination *only_destination(struct run *run, uint32_t *slot)
{
	static struct rg_destination dest;

	for (*slot = 0; *slot < RG_DESTINATIONS; (*slot)++) {
		assert_int_equal(bpf_map_lookup_elem(run_maps(run).destinations, slot, &dest), 0);
		if (dest.counted)
			return &dest;
	}
	fail_msg("nothing is counted");
	return NULL;
}

static void test_bound_in_turn(void **state)
{
	struct run *run = bounded_run();

	(void)state;
	assert_int_equal(pass(run, "192.0.2.1", NULL, 20), BOUND);
	assert_int_equal(pass(run, "192.7.7.7", NULL, 20), 0);
	assert_int_equal(loss_count(run, RG_LOSS_UNCONFIRMED), 20 - BOUND + 20);
	/* The same connection again and again counts each time: it may be led elsewhere each time. */
	run = bounded_run();
	for (int i = 0; i < 20; i++)
		assert_int_equal(send_spec(run, &(struct packet_spec){}),
				 i < BOUND ? XDP_PASS : XDP_TX);
	/* Another address of this host has a bound of its own. */
	assert_int_equal(pass(run, "192.0.2.1", "198.51.100.26", 20), BOUND);
	/* Where nothing leads elsewhere, there is none. */
	run = bounded_run();
	run_settings(run)->bounded = 0;
	assert_int_equal(pass(run, "192.0.2.1", NULL, 500), 500);
}

static void test_bound_at_once(void **state)
{
	static struct packet packets[250];
	struct run *run = bounded_run();

	(void)state;
	for (int i = 0; i < 250; i++) {
		char from[32];
		const struct packet_spec spec = { .from = from };

		snprintf(from, sizeof(from), "192.9.%d.%d", i / 25, i % 25);
		packet_build(&spec, &packets[i]);
	}
	race(run, packets, COUNT(packets));
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_TEMPFAIL), BOUND);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_RESET), 500 - BOUND);
}

static void test_bound_and_proof(void **state)
{
	struct run *run = bounded_run();
	struct rg_destination *dest;
	uint32_t slot;

	(void)state;
	assert_int_equal(pass(run, "192.0.2.1", NULL, BOUND - 1), BOUND - 1);
	arrive(run, "192.0.2.9", 1);
	/* One has arrived: a burst may be on its way. */
	assert_int_equal(pass(run, "192.0.2.1", NULL, 500), RG_MAX_UNCONFIRMED_PROVEN);
	/* The connection that has arrived may send its SYN again: it meets its own socket. */
	assert_int_equal(send_spec(run, &(struct packet_spec){ .from = "192.0.2.9" }), XDP_PASS);
	assert_int_equal(pass(run, "192.0.2.1", NULL, 1), 0);
	/* Rules have changed: it must be proven again. */
	run = bounded_run();
	arrive(run, "192.0.2.9", 1);
	run_settings(run)->round++;
	assert_int_equal(pass(run, "192.0.2.1", NULL, 20), BOUND);
	/* A SYN from before proves nothing, nor does it let others pass. */
	assert_int_equal(send_spec(run, &(struct packet_spec){ .from = "192.0.2.9" }), XDP_TX);
	/* Long ago. */
	run = bounded_run();
	arrive(run, "192.0.2.9", 1);
	dest = only_destination(run, &slot);
	dest->proven -= RG_PROVEN_TIME;
	assert_int_equal(bpf_map_update_elem(run_maps(run).destinations, &slot, dest, BPF_ANY), 0);
	assert_int_equal(pass(run, "192.0.2.1", NULL, 20), BOUND);
}

static void test_bound_retry(void **state)
{
	struct run *run = bounded_run();
	struct rg_destination *dest;
	uint32_t slot;

	(void)state;
	assert_int_equal(pass(run, "192.0.2.1", NULL, 20), BOUND);
	for (int i = 0; i < 2; i++) {
		dest = only_destination(run, &slot);
		dest->counted -= RG_UNCONFIRMED_TIME;
		assert_int_equal(
			bpf_map_update_elem(run_maps(run).destinations, &slot, dest, BPF_ANY), 0);
		assert_int_equal(pass(run, "192.0.2.1", NULL, 20), 1);
	}
	dest->counted -= RG_UNCONFIRMED_TIME;
	assert_int_equal(bpf_map_update_elem(run_maps(run).destinations, &slot, dest, BPF_ANY), 0);
	arrive(run, "192.0.2.9", 1); /* this time it works */
	assert_int_equal(pass(run, "192.0.2.1", NULL, 100), 100);
}

/* A SYN that was held, released, and seen by sk_lookup, or not. */
static void test_released(void **state)
{
	const struct entry clean = CLEAN("192.0.2.1", 60);
	const struct row_of_steer row = { .ticket = NO_TICKET };
	struct run *run = fresh_run(&(struct tuning){ .known_host = true });
	struct packet packet;
	uint64_t cookie;

	(void)state;
	put_entry(run, &clean);
	for (int i = 1; i <= 2; i++) {
		packet_build(&(struct packet_spec){}, &packet);
		bpf_map_delete_elem(run_maps(run).tickets,
				    &(struct rg_connection[]){ connection_of(&row) });
		assert_int_equal(run_packet(run, RUN_RELEASE, &packet), XDP_PASS);
		assert_int_equal(count_of(run, RG_STAT_RELEASED), i);
		if (i == 2)
			break; /* it is lost */
		assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
		assert_int_equal(steer_row(run, &row, &cookie), SK_PASS);
		assert_int_equal(count_of(run, RG_STAT_RELEASE_SEEN), i);
	}
	assert_int_equal(count_of(run, RG_STAT_RELEASE_SEEN), 1);
	assert_int_equal(count_of(run, RG_STAT_STEERED), 0);
	/* For another host: sk_lookup can't see it. */
	packet_build(&(struct packet_spec){ .to = "198.51.100.77" }, &packet);
	assert_int_equal(run_packet(run, RUN_RELEASE, &packet), XDP_PASS);
	assert_int_equal(count_of(run, RG_STAT_RELEASED), 2);
}

/* ---- real connections, over loopback: a kernel that can't hold does not tell it from others ---- */

struct connection {
	const char *from, *to;
	enum rg_responder_socket slot;
	enum rg_action action;
};

static const struct connection connections[] = {
	{ "198.51.100.25", "127.0.0.1", RG_RESPONDER_TEMPFAIL4, RG_ACTION_TEMPFAIL },
	{ "198.51.100.25", "127.0.0.1", RG_RESPONDER_REJECT4, RG_ACTION_REJECT },
	{ "2001:db8:25::25", "::1", RG_RESPONDER_TEMPFAIL6, RG_ACTION_TEMPFAIL },
	{ "2001:db8:25::25", "::1", RG_RESPONDER_REJECT6, RG_ACTION_REJECT },
};

/* A connection that comes to listener, and there looks as if it were to the mail server. */
static void check_connection(const struct connection *connection, int listener)
{
	int fd = net_connect(connection->from, connection->to, PACKET_LOCAL_PORT), got;
	struct rg_addr want = packet_addr(connection->to);
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);

	if (fd < 0)
		fail_msg("%s: %s", connection->from, strerror(-fd));
	got = accept(listener, NULL, NULL); /* it waits for a second */
	assert_true(got >= 0);
	assert_int_equal(getsockname(got, (struct sockaddr *)&name, &size), 0);
	if (name.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)&name;

		assert_int_equal(ntohs(v4->sin_port), PACKET_LOCAL_PORT);
		assert_memory_equal(&v4->sin_addr, want.bytes + RG_ADDR_V4_OFFSET, 4);
	} else {
		const struct sockaddr_in6 *v6 = (const void *)&name;

		assert_int_equal(ntohs(v6->sin6_port), PACKET_LOCAL_PORT);
		assert_memory_equal(&v6->sin6_addr, &want, sizeof(want));
	}
	close(got);
	close(fd);
}

static void put_peer(struct run *run, const struct connection *connection, enum rg_action action)
{
	struct rg_prefix key = prefix_of(connection->from, strchr(connection->from, ':') ? 128 : 32);

	put_trie(run, &key, RG_CLASS_QIL, action, expiry_in(60));
}

static void check_steered(struct run *run, const struct connection *connection)
{
	const struct tuning tuning = {}, monitor = { .mode = RG_MODE_MONITOR };
	int server = net_listen(connection->to, PACKET_LOCAL_PORT), fd;
	uint32_t slot = connection->slot;

	assert_true(server >= 0);
	prepare(NO_HOLD, &tuning, NULL);
	check_connection(connection, server);
	put_peer(run, connection, connection->action);
	check_connection(connection, responder_socket(connection->slot));
	assert_int_equal(count_of(run, RG_STAT_STEERED), 0); /* no SYN has a ticket here */
	put_settings(run, &monitor);
	check_connection(connection, server);
	put_settings(run, &tuning);
	assert_int_equal(bpf_map_delete_elem(run_maps(run).responder, &slot), 0);
	fd = net_connect(connection->from, connection->to, PACKET_LOCAL_PORT);
	assert_int_equal(fd, -ECONNREFUSED);
	assert_int_equal(loss_count(run, RG_LOSS_STEER_FAILED), 1);
	put_peer(run, connection, RG_ACTION_DROP);
	check_connection(connection, server);
	assert_int_equal(count_of(run, RG_STAT_STEERED), 0);
	close(server);
	/* Where no mail server listens, the responder answers all the same. */
	put_socket(run, connection->slot, responder_socket(connection->slot));
	put_peer(run, connection, connection->action);
	check_connection(connection, responder_socket(connection->slot));
}

static int attach(struct run *run)
{
	int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), link;

	assert_true(net >= 0);
	link = bpf_link_create(run_steer_fd(run), net, BPF_SK_LOOKUP, NULL);
	assert_true(link >= 0);
	close(net);
	return link;
}

static void test_connections(void **state)
{
	struct run *run = run_of(NO_HOLD);
	int link = attach(run);

	(void)state;
	for (size_t i = 0; i < COUNT(connections); i++)
		check_steered(run, &connections[i]);
	close(link);
}

/*
 * What the host says to itself is left alone, though there is a verdict about it (but for kernels that
 * do not tell, above).
 */
static void test_loopback(void **state)
{
	struct run *run = run_of(USUAL);
	const struct tuning tuning = { NO_SOCKETS };
	int link = attach(run);

	(void)state;
	prepare(USUAL, &tuning, NULL);
	for (size_t i = 0; i < COUNT(connections); i++) {
		int server = net_listen(connections[i].to, PACKET_LOCAL_PORT);

		put_peer(run, &connections[i], connections[i].action);
		check_connection(&connections[i], server);
		close(server);
	}
	assert_int_equal(count_of(run, RG_STAT_STEERED), 0);
	assert_int_equal(loss_count(run, RG_LOSS_STEER_FAILED), 0);
	close(link);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(test_unfit_socket),	cmocka_unit_test(test_socket_replaced),
	cmocka_unit_test(test_agreement),	cmocka_unit_test(test_connections),
	cmocka_unit_test(test_bound_in_turn),	cmocka_unit_test(test_bound_at_once),
	cmocka_unit_test(test_bound_and_proof), cmocka_unit_test(test_bound_retry),
	cmocka_unit_test(test_released),	cmocka_unit_test(test_loopback),
};

int main(void)
{
	struct CMUnitTest tests[COUNT(rows) + COUNT(others)];

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = test_steer_row,
						.initial_state = (void *)(uintptr_t)&rows[i] };
	memcpy(tests + COUNT(rows), others, sizeof(others));
	use_programs(RUN_BIT(RUN_STEER) | RUN_BIT(RUN_FILTER) | RUN_BIT(RUN_RELEASE),
		     RUN_BIT(RUN_STEER) | RUN_BIT(RUN_FILTER));
	return tests_main("steer", NULL, 0, tests, COUNT(tests), STEER_LOSSES);
}
