/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYNs that pass with a tag or to the responder, and what becomes of them where that can't be.
 * Whatever a tag changes is compared with a packet that was built with it from the beginning.
 */
#include "rows.h"

#include <unistd.h>

#include "net.h"

#define DSCP 43
#define TAGGING .tuning = { .tag_dscp = DSCP }
#define TAG4 0xac /* what comes of it */
#define TAG6 0xae /* IPv6's usual byte has ECN 2 */
#define SENT_LATER .action = XDP_PASS, DECIDED(STANDARD, TAG), .tos = TOS(TAG4)
#define CLEARED(ecn) .tos = TOS(ecn)
#define WITH(byte)               \
	{                        \
		.tos = TOS(byte) \
	}
#define RST_FROM(a) RST, ACK(0), .from = a
#define SIX_RST_FROM(a) RST_FROM(a), .to = "2001:db8:1:2::99"
#define SLOT(name) .no_socket = 1u << RG_RESPONDER_##name
#define NO_SLOTS .no_socket = 15
#define GONE .losses = LOSS(RESPONDER_GONE)
#define ELSEWHERE .losses = LOSS(NOT_LOCAL)
#define STANDARD_SIX_TO(act) VERDICT("2001:db8:1:2::", 64, STANDARD, act, 60)

/* clang-format off */
static const struct row rows[] = {
	/* Tag. */
	{ "tag", TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { {}, TAGGED(STANDARD, TAG4) }, { {}, SENT_LATER },
		     { PORT(40001), TAGGED(STANDARD, TAG4) } } },
	{ "tag, QIL", TAGGING, .entries = { QIL(TAG) },
	  .steps = { { {}, TAGGED(QIL, TAG4) } } },
	{ "tag, local list", .tuning = { .tag_dscp = DSCP, .blocked = RG_ACTION_TAG },
	  .entries = { BLOCK("192.0.2.0", 24), BLOCK("2001:db8:1::", 48) },
	  .steps = { { {}, TAGGED(BLOCKED, TAG4) }, { { SIX }, TAGGED(BLOCKED, TAG6) } } },
	{ "tag, ECN bits", TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { { .tos = TOS(0x00), .port = 1 }, TAGGED(STANDARD, 0xac) },
		     { { .tos = TOS(0x01), .port = 2 }, TAGGED(STANDARD, 0xad) },
		     { { .tos = TOS(0x02), .port = 3 }, TAGGED(STANDARD, 0xae) },
		     { { .tos = TOS(0x03), .port = 4 }, TAGGED(STANDARD, 0xaf) } } },
	{ "tag over another DSCP", TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { { .tos = TOS(0xb8), .port = 1 }, TAGGED(STANDARD, 0xac) },
		     { { .tos = TOS(0xff), .port = 2 }, TAGGED(STANDARD, 0xaf) },
		     { { .tos = TOS(0x53), .port = 3 }, TAGGED(STANDARD, 0xaf) },
		     { { .tos = TOS(0xac), .port = 4 }, TAGGED(STANDARD, 0xac) } } },
	{ "tag over another DSCP, IPv6", TAGGING, .entries = { QIL_SIX(TAG) },
	  .steps = { { { SIX, .tos = TOS(0x00), .port = 1 }, TAGGED(QIL, 0xac) },
		     { { SIX, .tos = TOS(0xff), .port = 2 }, TAGGED(QIL, 0xaf) },
		     { { SIX, .tos = TOS(0x53), .port = 3 }, TAGGED(QIL, 0xaf) },
		     { { SIX, .tos = TOS(0xb9), .port = 4 }, TAGGED(QIL, 0xad) },
		     { { SIX, .tos = TOS(0xac), .port = 5 }, TAGGED(QIL, 0xac) } } },
	{ "the least tag", .tuning = { .tag_dscp = 1 }, .entries = { STANDARD(TAG), QIL_SIX(TAG) },
	  .steps = { { {}, TAGGED(STANDARD, 0x04) }, { { SIX }, TAGGED(QIL, 0x06) } } },
	{ "the greatest tag", .tuning = { .tag_dscp = 63 },
	  .entries = { STANDARD(TAG), QIL_SIX(TAG) },
	  .steps = { { {}, TAGGED(STANDARD, 0xfc) }, { { SIX }, TAGGED(QIL, 0xfe) } } },
	{ "tag, VLAN tags", TAGGING, .entries = { STANDARD(TAG), QIL_SIX(TAG) },
	  .steps = { { { .vlans = 1, .port = 1 }, TAGGED(STANDARD, TAG4) },
		     { { .vlans = 2, .port = 2 }, TAGGED(STANDARD, TAG4) },
		     { { SIX, .vlans = 1, .port = 3 }, TAGGED(QIL, TAG6) },
		     { { SIX, .vlans = 2, .port = 4 }, TAGGED(QIL, TAG6) } } },
	{ "tag, options", TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { { .ip_options = 4, .port = 1 }, TAGGED(STANDARD, TAG4) },
		     { { .ip_options = 40, .tcp_options = 40, .port = 2 }, TAGGED(STANDARD, TAG4) },
		     { { .ip_options = 40, .vlans = 2, .port = 3 }, TAGGED(STANDARD, TAG4) } } },
	{ "tag, data and padding", TAGGING, .entries = { STANDARD(TAG), QIL_SIX(TAG) },
	  .steps = { { { .data = 999, .tcp_options = 12 }, TAGGED(STANDARD, TAG4) },
		     { { .padding = 6, .port = 40001 }, TAGGED(STANDARD, TAG4) },
		     { { SIX, .data = 77, .padding = 5 }, TAGGED(QIL, TAG6) } } },
	{ "tag, extension headers", TAGGING, .entries = { QIL_SIX(TAG) },
	  .steps = { { { SIX, .extensions = { { EXT_HOP_BY_HOP, 0 }, { EXT_OPTIONS, 3 } } },
		       TAGGED(QIL, TAG6) },
		     { { SIX, .extensions = FRAGMENT(0), .vlans = 2, .port = 40001 },
		       TAGGED(QIL, TAG6) } } },
	{ "tag, jumbo frame", .frags_only = true, TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { { .data = 8900 }, TAGGED(STANDARD, TAG4) } } },
	{ "tag, to a group", TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { { .group_mac = true }, TAGGED(STANDARD, TAG4) } } },
	{ "tag, not reported when samples are off", .tuning = { .tag_dscp = DSCP, .no_samples = true },
	  .entries = { STANDARD(TAG) },
	  .steps = { { {}, SENT_LATER, .attempts = 1, .losses = LOSS(SAMPLE_LIMIT) } } },
	{ "tag, monitor", .tuning = { .tag_dscp = DSCP, .mode = RG_MODE_MONITOR },
	  .entries = { STANDARD(TAG), QIL_SIX(TAG) },
	  .steps = { { {}, MONITORED(STANDARD, TAG) }, { { SIX }, MONITORED(QIL, TAG) } } },
	{ "tag, release", TAGGING, .entries = { STANDARD(TAG), QIL_SIX(TAG) },
	  .steps = { { { .vlans = 1 }, RUN_RELEASE, TAGGED(STANDARD, TAG4) },
		     { { SIX }, RUN_RELEASE, TAGGED(QIL, TAG6) } } },
	{ "tag, malformed", TAGGING, .entries = { STANDARD(TAG) },
	  .steps = { { { .fragment = V4_MORE }, BAD(FRAGMENT_SYN) },
		     { { .data = 9, .cut = 60 }, MALFORMED(BAD_LENGTH) } } },

	/* Nobody tags itself: the tag is taken from what passes without one, and nothing else is. */
	{ "cleared, clean", TAGGING, .entries = { CLEAN("192.0.2.1", 60), CLEAN("2001:db8:1:2::99", 60) },
	  .steps = { { WITH(0xac), NEW_PASSED(CLEAN), CLEARED(0) },
		     { WITH(0xad), PASSED(CLEAN), CLEARED(1) },
		     { WITH(0xaf), PASSED(CLEAN), CLEARED(3) },
		     { { SIX, .tos = TOS(0xac) }, NEW_PASSED(CLEAN), CLEARED(0) },
		     { { SIX, .tos = TOS(0xae) }, PASSED(CLEAN), CLEARED(2) } } },
	{ "cleared, wherever it is", TAGGING,
	  .entries = { CLEAN("192.0.2.1", 60), CLEAN("2001:db8:1:2::99", 60) },
	  .steps = { { { .tos = TOS(0xac), .vlans = 1, .ip_options = 40 }, NEW_PASSED(CLEAN),
		       CLEARED(0) },
		     { { .tos = TOS(0xac), .vlans = 2, .data = 50 }, PASSED(CLEAN), CLEARED(0) },
		     { { SIX, .tos = TOS(0xac), .vlans = 2, HEADERS(3) }, NEW_PASSED(CLEAN),
		       CLEARED(0) } } },
	{ "cleared, approved", TAGGING,
	  .entries = { APPROVE("192.0.2.1", 32), VERDICT("192.0.2.2", 32, APPROVED, PASS, 60) },
	  .steps = { { WITH(0xac), NEW_PASSED(APPROVED), CLEARED(0) },
		     { { .from = "192.0.2.2", .tos = TOS(0xae) }, NEW_PASSED(APPROVED),
		       CLEARED(2) } } },
	{ "cleared, unknown and pending", .tuning = { .tag_dscp = DSCP, .unknown = RG_ACTION_PASS },
	  .steps = { { WITH(0xac), NEW_PASSED(UNKNOWN), .sent = SENT_PEER, CLEARED(0) },
		     { WITH(0xac), PASSED(PENDING), CLEARED(0) } } },
	{ "cleared, silent", .tuning = { .tag_dscp = DSCP, .silent = true },
	  .steps = { { WITH(0xac), NEW_PASSED(UNKNOWN), .losses = LOSS(AGENT_SILENT), CLEARED(0) } } },
	{ "cleared, full ring", .variant = FULL_RING, TAGGING,
	  .steps = { { WITH(0xac), NEW_PASSED(UNKNOWN), .losses = LOSS(RING_FULL), CLEARED(0) } } },
	{ "cleared, within the rate", TAGGING, .entries = { QIL(THROTTLE) },
	  .steps = { { WITH(0xac), NEW_PASSED(QIL), CLEARED(0) } } },
	{ "cleared, held and released", TAGGING,
	  .steps = { { WITH(0xac), HELD(UNKNOWN) },
		     { WITH(0xac), RUN_RELEASE, NEW_PASSED(UNKNOWN), CLEARED(0) } } },
	{ "another DSCP stays", TAGGING, .entries = { CLEAN("192.0.2.1", 60), QIL_SIX(PASS) },
	  .steps = { { WITH(0xa8), NEW_PASSED(CLEAN) }, { WITH(0xb3), PASSED(CLEAN) },
		     { WITH(0x2b), PASSED(CLEAN) }, { WITH(0x00), PASSED(CLEAN) },
		     { { SIX, .tos = TOS(0xb8) }, NEW_PASSED(QIL) },
		     { { SIX, .tos = TOS(0x2c) }, PASSED(QIL) } } },
	{ "no tag is set, no DSCP is cleared", .entries = { CLEAN("192.0.2.1", 60), QIL_SIX(PASS) },
	  .steps = { { WITH(0xac), NEW_PASSED(CLEAN) }, { WITH(0x03), PASSED(CLEAN) },
		     { { SIX, .tos = TOS(0x00) }, NEW_PASSED(QIL) } } },
	{ "monitor clears no DSCP", .tuning = { .tag_dscp = DSCP, .mode = RG_MODE_MONITOR },
	  .entries = { CLEAN("192.0.2.1", 60), QIL_SIX(DROP) },
	  .steps = { { WITH(0xac), NEW_PASSED(CLEAN) },
		     { { SIX, .tos = TOS(0xac) }, MONITORED(QIL, DROP) } } },
	{ "the tag of what is not judged stays", TAGGING, .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .tos = TOS(0xac), .local_port = 443 }, IGNORED },
		     { { .tos = TOS(0xac), .flags = FLAG_ACK }, IGNORED },
		     { { .tos = TOS(0xac), .protocol = 17 }, IGNORED },
		     { { .tos = TOS(0xac), .fragment = 3 }, IGNORED } } },

	/* The responder answers: the SYN passes as it is, and the responder itself tells of it. */
	{ "tempfail", .entries = { QIL(TEMPFAIL) },
	  .steps = { { {}, NEW_ANSWERED(QIL, TEMPFAIL) }, { {}, ANSWERED(QIL, TEMPFAIL) },
		     { PORT(40001), NEW_ANSWERED(QIL, TEMPFAIL), .mark = MARK_NONE } } },
	{ "tempfail, IPv6", .entries = { QIL_SIX(TEMPFAIL) },
	  .steps = { { { SIX, HEADERS(2), .vlans = 1 }, NEW_ANSWERED(QIL, TEMPFAIL) } } },
	{ "reject", .entries = { STANDARD(REJECT), STANDARD_SIX_TO(REJECT) },
	  .steps = { { { .vlans = 2, .ip_options = 8, .data = 3 }, NEW_ANSWERED(STANDARD, REJECT) },
		     { { SIX }, NEW_ANSWERED(STANDARD, REJECT) } } },
	{ "reject, local list", .tuning = { .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("0.0.0.0", 0), BLOCK("2001:db8::", 32) },
	  .steps = { { {}, NEW_ANSWERED(BLOCKED, REJECT) },
		     { { SIX }, NEW_ANSWERED(BLOCKED, REJECT) } } },
	{ "answered ones take no sample", .tuning = { .no_samples = true },
	  .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { {}, NEW_ANSWERED(QIL, TEMPFAIL) },
		     { { SIX }, NEW_ANSWERED(STANDARD, REJECT) } } },
	{ "answered, full ring", .variant = FULL_RING, .entries = { QIL(TEMPFAIL) },
	  .steps = { { {}, NEW_ANSWERED(QIL, TEMPFAIL) } } },
	{ "answered, jumbo frame", .frags_only = true, .entries = { QIL(TEMPFAIL) },
	  .steps = { { { .data = 8000 }, NEW_ANSWERED(QIL, TEMPFAIL) } } },
	{ "answered, release", .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { {}, RUN_RELEASE, NEW_ANSWERED(QIL, TEMPFAIL) },
		     { { SIX }, RUN_RELEASE, NEW_ANSWERED(STANDARD, REJECT) } } },
	{ "an expired verdict is not answered", .entries = { VERDICT("192.0.2.1", 32, QIL, TEMPFAIL, -1) },
	  .steps = { { {}, HELD(UNKNOWN) } } },
	{ "answered, kernel that can't hold", .variant = NO_HOLD, .entries = { QIL(TEMPFAIL) },
	  .steps = { { {}, NEW_ANSWERED(QIL, TEMPFAIL) } } },

	/* Nobody is there to answer. */
	{ "no responder, QIL", .tuning = { NO_SLOTS }, .entries = { QIL(TEMPFAIL), QIL_SIX(REJECT) },
	  .steps = { { {}, RESET(QIL), GONE, .answer = { RST, ACK(0) } },
		     { {}, .action = XDP_TX, DECIDED(QIL, RESET), GONE, .answer = { RST, ACK(0) } },
		     { { SIX }, RESET(QIL), GONE,
		       .answer = { TO_SIX, .flags = FLAG_RST | FLAG_ACK, ACK(0) } } } },
	{ "no responder, standard", .tuning = { NO_SLOTS },
	  .entries = { STANDARD(REJECT), STANDARD_SIX_TO(TEMPFAIL) },
	  .steps = { { {}, REFUSED(STANDARD), GONE }, { {}, DROPPED(STANDARD), GONE },
		     { { SIX }, REFUSED(STANDARD), GONE } } },
	{ "no responder, local list", .tuning = { NO_SLOTS, .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("0.0.0.0", 0) }, .steps = { { {}, REFUSED(BLOCKED), GONE } } },
	{ "no responder, to a group", .tuning = { NO_SLOTS }, .entries = { QIL(TEMPFAIL) },
	  .steps = { { { .group_mac = true }, REFUSED(QIL), NO_HOST } } },
	{ "to a group", .entries = { QIL(TEMPFAIL), QIL_SIX(REJECT) },
	  .steps = { { { .group_mac = true }, REFUSED(QIL), NO_HOST },
		     { { SIX, .group_mac = true }, REFUSED(QIL), NO_HOST } } },
	{ "no responder, release", .tuning = { NO_SLOTS }, .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { {}, RUN_RELEASE, RESET(QIL), GONE, .answer = { RST, ACK(0) } },
		     { { SIX }, RUN_RELEASE, REFUSED(STANDARD), GONE } } },
	{ "no responder is needed", .tuning = { NO_SLOTS, .tag_dscp = DSCP },
	  .entries = { QIL(DROP), STANDARD_SIX_TO(TAG), CLEAN("192.0.2.2", 60) },
	  .steps = { { {}, REFUSED(QIL) }, { { SIX }, TAGGED(STANDARD, TAG6) },
		     { { .from = "192.0.2.2" }, NEW_PASSED(CLEAN) } } },
	{ "only tempfail of IPv4 has closed", .tuning = { SLOT(TEMPFAIL4) },
	  .entries = { QIL(TEMPFAIL), VERDICT("192.0.2.2", 32, QIL, REJECT, 60), QIL_SIX(TEMPFAIL) },
	  .steps = { { {}, RESET(QIL), GONE, .answer = { RST, ACK(0) } },
		     { { .from = "192.0.2.2" }, NEW_ANSWERED(QIL, REJECT) },
		     { { SIX }, NEW_ANSWERED(QIL, TEMPFAIL) } } },
	{ "only tempfail of IPv6 has closed", .tuning = { SLOT(TEMPFAIL6) },
	  .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(TEMPFAIL),
		       VERDICT("2001:db8:1:3::", 64, QIL, REJECT, 60) },
	  .steps = { { {}, NEW_ANSWERED(QIL, TEMPFAIL) }, { { SIX }, REFUSED(STANDARD), GONE },
		     { { .from = "2001:db8:1:3::1" }, NEW_ANSWERED(QIL, REJECT) } } },
	{ "only reject of IPv4 has closed", .tuning = { SLOT(REJECT4) },
	  .entries = { STANDARD(REJECT), VERDICT("192.0.2.2", 32, QIL, TEMPFAIL, 60), QIL_SIX(REJECT) },
	  .steps = { { {}, REFUSED(STANDARD), GONE },
		     { { .from = "192.0.2.2" }, NEW_ANSWERED(QIL, TEMPFAIL) },
		     { { SIX }, NEW_ANSWERED(QIL, REJECT) } } },
	{ "only reject of IPv6 has closed", .tuning = { SLOT(REJECT6) },
	  .entries = { STANDARD(REJECT), STANDARD_SIX_TO(REJECT),
		       VERDICT("2001:db8:1:3::", 64, QIL, TEMPFAIL, 60) },
	  .steps = { { {}, NEW_ANSWERED(STANDARD, REJECT) }, { { SIX }, REFUSED(STANDARD), GONE },
		     { { .from = "2001:db8:1:3::1" }, NEW_ANSWERED(QIL, TEMPFAIL) } } },
	{ "connections can't be steered", .tuning = { .no_steering = true },
	  .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { {}, RESET(QIL), GONE, .answer = { RST, ACK(0) } },
		     { { SIX }, REFUSED(STANDARD), GONE } } },
	{ "silent agent", .tuning = { .silent = true, .blocked = RG_ACTION_REJECT },
	  .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT), BLOCK("192.0.3.0", 24) },
	  .steps = { { {}, RESET(QIL), GONE, .answer = { RST, ACK(0) } },
		     { { SIX }, REFUSED(STANDARD), GONE },
		     { { .from = "192.0.3.1" }, REFUSED(BLOCKED), GONE } } },

	/* A SYN for another host: no socket here can answer it. */
	{ "a router's own address", .routed = true, .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { {}, NEW_ANSWERED(QIL, TEMPFAIL) },
		     { { SIX }, NEW_ANSWERED(STANDARD, REJECT) } } },
	{ "routed on, QIL", .routed = true, .entries = { QIL(TEMPFAIL) },
	  .steps = { { { .to = "203.0.113.9" }, RESET(QIL), ELSEWHERE,
		       .answer = { RST_FROM("203.0.113.9") } },
		     { { .to = "203.0.113.7", .port = 40001 }, RESET(QIL), ELSEWHERE,
		       .answer = { RST_FROM("203.0.113.7"), .port = 40001 } } } },
	{ "routed on, QIL, IPv6", .routed = true, .entries = { QIL_SIX(TEMPFAIL) },
	  .steps = { { { SIX, .to = "2001:db8:f::9" }, RESET(QIL), ELSEWHERE,
		       .answer = { SIX_RST_FROM("2001:db8:f::9") } },
		     { { SIX, .to = "2001:db8:f::7", .port = 40001 }, RESET(QIL), ELSEWHERE,
		       .answer = { SIX_RST_FROM("2001:db8:f::7"), .port = 40001 } } } },
	{ "routed on, standard", .routed = true, .entries = { STANDARD(REJECT), STANDARD_SIX_TO(REJECT) },
	  .steps = { { { .to = "203.0.113.9" }, REFUSED(STANDARD), ELSEWHERE },
		     { { .to = "203.0.113.9" }, DROPPED(STANDARD), ELSEWHERE },
		     { { SIX, .to = "2001:db8:f::7" }, REFUSED(STANDARD), ELSEWHERE } } },
	{ "routed on, local list", .routed = true, .tuning = { .blocked = RG_ACTION_REJECT },
	  .entries = { BLOCK("192.0.2.0", 24) },
	  .steps = { { { .to = "203.0.113.7" }, REFUSED(BLOCKED), ELSEWHERE } } },
	{ "routed on, no responder either", .routed = true, .tuning = { NO_SLOTS },
	  .entries = { QIL(TEMPFAIL) },
	  .steps = { { { .to = "203.0.113.9" }, RESET(QIL), GONE,
		       .answer = { RST_FROM("203.0.113.9") } } } },
	{ "routed on, release", .routed = true, .entries = { QIL(TEMPFAIL) },
	  .steps = { { { .to = "203.0.113.9" }, RUN_RELEASE, RESET(QIL), ELSEWHERE,
		       .answer = { RST_FROM("203.0.113.9") } } } },
	{ "routed on, other actions", .routed = true, TAGGING,
	  .entries = { STANDARD(TAG), CLEAN("192.0.2.2", 60), QIL_SIX(DROP) },
	  .steps = { { { .to = "203.0.113.9" }, TAGGED(STANDARD, TAG4) },
		     { { .from = "192.0.2.2", .to = "203.0.113.9" }, NEW_PASSED(CLEAN) },
		     { { SIX, .to = "2001:db8:f::9" }, REFUSED(QIL) } } },
	{ "no way there: nobody else answers", .routed = true, .entries = { QIL(TEMPFAIL), QIL_SIX(REJECT) },
	  .steps = { { { .to = "198.51.100.99" }, NEW_ANSWERED(QIL, TEMPFAIL) },
		     { { SIX, .to = "2001:db8:99::1" }, NEW_ANSWERED(QIL, REJECT) } } },
	{ "no router", .entries = { QIL(TEMPFAIL), QIL_SIX(REJECT) },
	  .steps = { { { .to = "203.0.113.9" }, NEW_ANSWERED(QIL, TEMPFAIL) },
		     { { SIX, .to = "2001:db8:f::9" }, NEW_ANSWERED(QIL, REJECT) } } },

	/* Monitor counts what the verdict says, and tells of it: there is no session that would. */
	{ "monitor, answered", .tuning = { .mode = RG_MODE_MONITOR },
	  .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { {}, MONITORED(QIL, TEMPFAIL) }, { { SIX }, MONITORED(STANDARD, REJECT) },
		     { {}, .action = XDP_PASS, DECIDED(QIL, TEMPFAIL), .monitored = true } } },
	{ "monitor, no responder", .routed = true,
	  .tuning = { .mode = RG_MODE_MONITOR, NO_SLOTS, .no_steering = true, .silent = true },
	  .entries = { QIL(TEMPFAIL), STANDARD_SIX_TO(REJECT) },
	  .steps = { { { .to = "203.0.113.9" }, MONITORED(QIL, TEMPFAIL) },
		     { { SIX }, MONITORED(STANDARD, REJECT) } } },
	{ "monitor, answered, release", .tuning = { .mode = RG_MODE_MONITOR }, .entries = { QIL(TEMPFAIL) },
	  .steps = { { {}, RUN_RELEASE, MONITORED(QIL, TEMPFAIL) } } },
};
/* clang-format on */

/* ---- the IPv4 checksum ---- */

/* Runs sent; the result must be want, byte for byte. */
static void check_tag(struct run *run, const struct packet *sent, const struct packet *want)
{
	static struct packet out;

	memcpy(&out, sent, sizeof(out));
	assert_int_equal(run_packet(run, RUN_FILTER, &out), XDP_PASS);
	if (out.len != want->len || memcmp(out.data, want->data, want->len))
		assert_memory_equal(out.data, want->data, want->len);
}

static struct run *tagging_run(void)
{
	const struct tuning tuning = { .tag_dscp = DSCP, .blocked = RG_ACTION_TAG, .no_samples = true };
	struct run *run = fresh_run(&tuning);
	struct rg_prefix all4 = prefix_of("0.0.0.0", 0), all6 = prefix_of("2001:db8::", 32);

	put_list(run_maps(run).lists_now, &all4, RG_CLASS_BLOCKED, 0);
	put_list(run_maps(run).lists_now, &all6, RG_CLASS_BLOCKED, 0);
	return run;
}

/*
 * One word of the header takes every value, so the checksum does too, its ends 0 and 0xfffe among
 * them. A right checksum of 0 may be sent as 0xffff as well (RFC 1071 has two zeros).
 */
static void test_tag_sums(void **state)
{
	struct run *run = tagging_run();
	static struct packet sent, want;
	bool is_zero_seen = false;

	(void)state;
	for (unsigned int i = 0; i <= UINT16_MAX; i++) {
		char from[32];
		struct packet_spec spec = { .from = from, .tos = TOS(0x53) };

		snprintf(from, sizeof(from), "203.254.%u.%u", i >> 8, i & 255);
		packet_build(&spec, &sent);
		spec.tos = TOS(TAG4 | 3);
		packet_build(&spec, &want);
		check_tag(run, &sent, &want);
		assert_true(packet_checksums_hold(want.data, want.len));
		if (sent.data[sent.l3 + 10] || sent.data[sent.l3 + 11])
			continue;
		is_zero_seen = true;
		sent.data[sent.l3 + 10] = sent.data[sent.l3 + 11] = 0xff;
		assert_true(packet_checksums_hold(sent.data, sent.len));
		assert_int_equal(run_packet(run, RUN_FILTER, &sent), XDP_PASS);
		assert_true(packet_checksums_hold(sent.data, sent.len));
	}
	assert_true(is_zero_seen);
}

/* From every value of the byte to every tag. */
static void test_every_dscp(void **state)
{
	struct run *run = tagging_run();
	static struct packet sent, want;

	(void)state;
	for (uint32_t dscp = 1; dscp < 64; dscp++) {
		run_settings(run)->tag_dscp = dscp;
		for (unsigned int byte = 0; byte < 512; byte++) {
			struct packet_spec spec = {
				.from = byte & 256 ? "2001:db8:1:2::99" : "192.0.2.1",
				.tos = (uint16_t)TOS(byte & 255),
			};

			packet_build(&spec, &sent);
			spec.tos = (uint16_t)TOS(dscp << 2 | (byte & 3));
			packet_build(&spec, &want);
			check_tag(run, &sent, &want);
		}
	}
}

/* A frame that came with a wrong checksum leaves with one that is as wrong: nothing is repaired. */
static void test_tag_wrong_sums(void **state)
{
	struct run *run = tagging_run();
	static struct packet packet;
	uint64_t seed = 0x7a66ed;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t random = next_random(&seed);
		struct packet_spec spec = { .tos = (uint16_t)TOS(random & 255) };

		packet_build(&spec, &packet);
		packet.data[packet.l3 + 10 + (random >> 8 & 1)] ^= (uint8_t)(1 << (random >> 16) % 8);
		assert_int_equal(run_packet(run, RUN_FILTER, &packet), XDP_PASS);
		assert_false(packet_checksums_hold(packet.data, packet.len));
	}
}

/* A header of every shape and any content. */
static void test_tag_shapes(void **state)
{
	struct run *run = tagging_run();
	static struct packet sent, want;
	uint64_t seed = 0x5aec0de;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t random = next_random(&seed), more = next_random(&seed);
		bool six = random & 1;
		char from[64];
		struct packet_spec spec = { .from = from,
					    .vlans = (random >> 8) % 3,
					    .tos = (uint16_t)TOS(more & 255),
					    .fragment = more & 256 ? V4_DONT : 0,
					    .ip_options = six ? 0 : (random >> 16) % 11 * 4,
					    .tcp_options = (random >> 24) % 11 * 4,
					    .data = (random >> 32) % 300,
					    .padding = (random >> 48) % 20,
					    .extensions = { { random >> 52 & 1 ? EXT_OPTIONS : 0,
							      (uint16_t)(random >> 56) % 20 } } };

		if (six)
			snprintf(from, sizeof(from), "2001:db8::%x:%x", (uint16_t)(more >> 16),
				 (uint16_t)(more >> 32));
		else
			snprintf(from, sizeof(from), "%d.%d.%d.%d", 1 + (uint8_t)(more >> 16) % 200,
				 (uint8_t)(more >> 24), (uint8_t)(more >> 32), (uint8_t)(more >> 40));
		packet_build(&spec, &sent);
		spec.tos = (uint16_t)TOS(TAG4 | (more & 3));
		packet_build(&spec, &want);
		check_tag(run, &sent, &want);
	}
}

/* ---- the responder goes and comes ---- */

/* However the agent ends, the kernel closes its sockets: nothing is left that looks alive. */
static void test_closed_socket(void **state)
{
	static const struct {
		const char *from, *listen;
		enum rg_responder_socket slot;
	} cases[] = {
		{ "192.0.2.1", "127.0.0.1", RG_RESPONDER_REJECT4 },
		{ "2001:db8:1:2::99", "::1", RG_RESPONDER_REJECT6 },
	};
	const struct tuning tuning = { .blocked = RG_ACTION_REJECT, NO_SLOTS };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct packet_spec spec = { .from = cases[i].from };
		struct run *run = fresh_run(&tuning);
		struct rg_prefix key =
			prefix_of(cases[i].from, strchr(cases[i].from, ':') ? 128 : 32);
		int fd;

		put_list(run_maps(run).lists_now, &key, RG_CLASS_BLOCKED, 0);
		assert_int_equal(send_spec(run, &spec), XDP_DROP);
		for (uint64_t round = 1; round <= 3; round++) {
			fd = net_listen(cases[i].listen, 0);
			assert_true(fd >= 0);
			put_socket(run, cases[i].slot, fd);
			assert_int_equal(send_spec(run, &spec), XDP_PASS);
			assert_int_equal(loss_count(run, RG_LOSS_RESPONDER_GONE), round);
			close(fd);
			assert_int_equal(send_spec(run, &spec), XDP_DROP);
			assert_int_equal(loss_count(run, RG_LOSS_RESPONDER_GONE), round + 1);
		}
		assert_int_equal(count_done(run, RG_CLASS_BLOCKED, RG_ACTION_REJECT), 3);
		assert_int_equal(count_done(run, RG_CLASS_BLOCKED, RG_ACTION_DROP), 4);
	}
}

/* The heartbeat comes back, the agent restarts, the host becomes a router: the next SYN sees it. */
static void test_changes(void **state)
{
	const struct tuning tuning = {};
	const struct entry entry = QIL(TEMPFAIL);
	const struct packet_spec spec = { .to = "203.0.113.9" };
	struct run *run = fresh_run(&tuning);
	struct rg_settings *settings = run_settings(run);

	(void)state;
	put_entry(run, &entry);
	assert_int_equal(send_spec(run, &spec), XDP_PASS);
	settings->heartbeat_timeout = RG_NSEC_PER_SEC / 10;
	settings->heartbeat -= RG_NSEC_PER_SEC; /* more than the clock's own step, a tick */
	assert_int_equal(send_spec(run, &spec), XDP_TX);
	settings->heartbeat = run_now() + HOUR; /* of a clock that is ahead */
	assert_int_equal(send_spec(run, &spec), XDP_PASS);
	settings->steering = 0;
	assert_int_equal(send_spec(run, &spec), XDP_TX);
	settings->steering = 1;
	assert_int_equal(send_spec(run, &spec), XDP_PASS);
	assert_int_equal(net_forward(true), 0);
	assert_int_equal(send_spec(run, &spec), XDP_TX);
	assert_int_equal(net_forward(false), 0);
	assert_int_equal(send_spec(run, &spec), XDP_PASS);
	assert_int_equal(loss_count(run, RG_LOSS_RESPONDER_GONE), 2);
	assert_int_equal(loss_count(run, RG_LOSS_NOT_LOCAL), 1);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(test_tag_sums),       cmocka_unit_test(test_every_dscp),
	cmocka_unit_test(test_tag_wrong_sums), cmocka_unit_test(test_tag_shapes),
	cmocka_unit_test(test_closed_socket),  cmocka_unit_test(test_changes),
};

int main(void)
{
	use_programs(RUN_FILTERS | RUN_BIT(RUN_RELEASE), RUN_FILTERS);
	return tests_main("actions", rows, COUNT(rows), others, COUNT(others), ACTION_LOSSES);
}
