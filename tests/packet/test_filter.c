/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XDP programs: what is parsed, found, held, dropped and reset. The other actions are in
 * test_actions.c and test_throttle.c.
 */
#include "rows.h"

#include <unistd.h>

/* clang-format off */
static const struct row rows[] = {
	/* What is none of our business: not counted, not changed, though the peer is blocked. */
	{ "ARP", .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .ethertype = 0x0806 }, IGNORED } } },
	{ "LLDP", .steps = { { { .ethertype = 0x88cc }, IGNORED } } },
	{ "runt", .steps = { { { .cut = 14 }, MALFORMED(BAD_IPV4) } } },
	{ "UDP to port 25", .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .protocol = 17 }, IGNORED }, { { SIX, .protocol = 17 }, IGNORED } } },
	{ "no SYN", .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .flags = FLAG_ACK }, IGNORED },
		     { { .flags = FLAG_SYN | FLAG_ACK }, IGNORED },
		     { { .flags = FLAG_FIN | FLAG_ACK }, IGNORED },
		     { { .flags = FLAG_RST }, IGNORED },
		     { { .flags = FLAG_NONE }, IGNORED } } },
	{ "other ports", .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .local_port = 24 }, IGNORED }, { { .local_port = 26 }, IGNORED },
		     { { .local_port = 0x1900 }, IGNORED }, { { .local_port = 65535 }, IGNORED },
		     { { .local_port = 443, .port = 25 }, IGNORED } } },
	{ "no settings", .tuning = { .other_layout = true }, .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { {}, IGNORED, .losses = LOSS(NO_SETTINGS), .mark = MARK_NONE },
		     { { .flags = FLAG_ACK }, IGNORED } } },

	/* Malformed packets pass as they are, though the peer is blocked: the kernel drops them. */
	{ "ihl 4", ALL_BLOCKED,
	  .steps = { { { .patches = { { LAYER_IP, 0, 0x44 } } }, MALFORMED(BAD_IPV4) } } },
	{ "version 5", ALL_BLOCKED,
	  .steps = { { { .patches = { { LAYER_IP, 0, 0x55 } } }, MALFORMED(BAD_IPV4) },
		     { { SIX, .patches = { { LAYER_IP, 0, 0x50 } } }, MALFORMED(BAD_IPV6) } } },
	{ "IPv4 header cut", ALL_BLOCKED, .steps = { { { .cut = 33 }, MALFORMED(BAD_IPV4) } } },
	{ "IPv6 header cut", ALL_BLOCKED, .steps = { { { SIX, .cut = 50 }, MALFORMED(BAD_IPV6) } } },
	{ "TCP header cut", ALL_BLOCKED, .steps = { { { .cut = 53 }, MALFORMED(BAD_TCP) },
				       { { SIX, .cut = 73 }, MALFORMED(BAD_TCP) } } },
	{ "doff 4", ALL_BLOCKED,
	  .steps = { { { .patches = { { LAYER_L4, 12, 0x40 } } }, MALFORMED(BAD_TCP) } } },
	{ "doff past the end", ALL_BLOCKED,
	  .steps = { { { .patches = { { LAYER_L4, 12, 0xf0 } } }, MALFORMED(BAD_TCP) } } },
	{ "length past the end", ALL_BLOCKED,
	  .steps = { { { .data = 9, .cut = 60 }, MALFORMED(BAD_LENGTH) },
		     { { SIX, .data = 9, .cut = 80 }, MALFORMED(BAD_LENGTH) } } },
	/* Of a v4-mapped source only a SYN to a filtered port is dropped. */
	{ "v4-mapped source", .entries = { APPROVE("192.0.2.1", 32) },
	  .steps = { { { MAPPED }, BAD(BAD_IPV6) },
		     { { MAPPED, .vlans = 1, .data = 5 }, BAD(BAD_IPV6) } } },
	{ "v4-mapped source, other traffic", ALL_BLOCKED,
	  .steps = { { { MAPPED, .protocol = 17 }, IGNORED }, { { MAPPED, .protocol = 58 }, IGNORED },
		     { { MAPPED, .local_port = 443 }, IGNORED },
		     { { MAPPED, .flags = FLAG_ACK }, IGNORED },
		     { { MAPPED, .flags = FLAG_SYN | FLAG_ACK }, IGNORED },
		     { { MAPPED, .extensions = FRAGMENT(24) }, IGNORED } } },
	{ "v4-mapped destination", .entries = { BLOCK("2001:db8::", 32) },
	  .steps = { { { SIX, .to = "::ffff:198.51.100.25" }, REFUSED(BLOCKED) } } },
	{ "monitor, v4-mapped source", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { { MAPPED }, .action = XDP_PASS, .losses = LOSS(BAD_IPV6) } } },
	{ "no payload length before hop-by-hop", .entries = { BLOCK("2001:db8::", 32) },
	  .steps = { { { SIX, .extensions = { { EXT_HOP_BY_HOP, 0 } },
			 .patches = { { LAYER_IP, 5, 0 } } }, REFUSED(BLOCKED) } } },
	{ "malformed, but to another port",
	  .steps = { { { .local_port = 443, .patches = { { LAYER_L4, 12, 0x40 } } }, IGNORED },
		     { { .local_port = 443, .data = 9, .cut = 60 }, IGNORED },
		     { { .local_port = 443, .fragment = V4_MORE }, IGNORED } } },
	{ "too many extension headers", .entries = { APPROVE("2001:db8::", 32) },
	  .steps = {
		     { { SIX, HEADERS(RG_MAX_EXT_HEADERS + 1) }, BAD(EXT_HEADERS) } } },
	{ "as many as are walked", .entries = { BLOCK("2001:db8::", 32) },
	  .steps = { { { SIX, HEADERS(RG_MAX_EXT_HEADERS) }, REFUSED(BLOCKED) } } },

	{ "many extension headers, but of no SYN to a filtered port", ALL_BLOCKED,
	  .steps = { { { SIX, HEADERS(RG_MAX_EXT_HEADERS + 1), .protocol = 17 }, IGNORED },
		     { { SIX, HEADERS(RG_MOST_EXT_HEADERS), .local_port = 443 }, IGNORED },
		     { { SIX, HEADERS(RG_MOST_EXT_HEADERS), .flags = FLAG_ACK }, IGNORED },
		     { { SIX, HEADERS(RG_MOST_EXT_HEADERS) }, BAD(EXT_HEADERS) },
		     { { SIX, HEADERS(RG_MOST_EXT_HEADERS + 1), .protocol = 17 },
		       BAD(EXT_HEADERS) } } },

	/* VLAN tags: the kernel removes any number. */
	{ "three VLAN tags", ALL_BLOCKED,
	  .steps = { { { .vlans = 3 }, REFUSED(BLOCKED) }, { { SIX, .vlans = 3 }, REFUSED(BLOCKED) },
		     { { .vlans = 3, .flags = FLAG_ACK }, IGNORED },
		     { { .vlans = 3, .ethertype = 0x0806 }, IGNORED },
		     { { .vlans = 3, .local_port = 443 }, IGNORED } } },
	{ "as many VLAN tags as are walked", ALL_BLOCKED,
	  .steps = { { { .vlans = RG_MAX_VLAN_TAGS }, REFUSED(BLOCKED) },
		     { { SIX, .vlans = RG_MAX_VLAN_TAGS }, REFUSED(BLOCKED) } } },
	{ "too many VLAN tags", .entries = { APPROVE("0.0.0.0", 0) },
	  .steps = { { { .vlans = RG_MAX_VLAN_TAGS + 1 }, BAD(VLAN_TAGS) },
		     { { SIX, .vlans = RG_MAX_VLAN_TAGS + 1 }, BAD(VLAN_TAGS) },
		     { { .vlans = 100 }, BAD(VLAN_TAGS) } } },
	{ "monitor, too many VLAN tags", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { { .vlans = RG_MAX_VLAN_TAGS + 1 }, .action = XDP_PASS,
		       .losses = LOSS(VLAN_TAGS) } } },
	{ "reset, five VLAN tags", .entries = { STANDARD(RESET), STANDARD_SIX },
	  .steps = { { { .vlans = 5 }, RESET(STANDARD), .answer = { RST, ACK(0), .vlans = 5 } },
		     { { SIX, .vlans = 5 }, RESET(STANDARD),
		       .answer = { TO_SIX, .flags = FLAG_RST | FLAG_ACK, ACK(0), .vlans = 5 } } } },
	{ "held, eight VLAN tags", .steps = { { { .vlans = 8 }, HELD(UNKNOWN) },
					      { { SIX, .vlans = 8 }, HELD(UNKNOWN) } } },

	/* Fragments are no way around. */
	{ "fragmented SYN", .entries = { APPROVE("0.0.0.0", 0) },
	  .steps = { { { .fragment = V4_MORE }, BAD(FRAGMENT_SYN) },
		     { { SIX, .extensions = FRAGMENT(V6_MORE) }, BAD(FRAGMENT_SYN) } } },
	{ "first fragment too short",
	  .steps = { { { .fragment = V4_MORE, .cut = 50 }, BAD(FRAGMENT_SHORT) },
		     { { SIX, .extensions = FRAGMENT(V6_MORE), .cut = 70 }, BAD(FRAGMENT_SHORT) },
		     { { .fragment = V4_MORE, .flags = FLAG_ACK, .patches = { { LAYER_IP, 3, 28 } } },
		       BAD(FRAGMENT_SHORT) } } },
	{ "first fragment too short, but of no SYN to a filtered port", ALL_BLOCKED,
	  .steps = { { { .local_port = 443, .fragment = V4_MORE, .cut = 50 }, IGNORED },
		     { { .local_port = 443, .fragment = V4_MORE, .patches = { { LAYER_IP, 3, 28 } } },
		       IGNORED },
		     { { .flags = FLAG_ACK, .fragment = V4_MORE, .patches = { { LAYER_IP, 3, 36 } } },
		       IGNORED },
		     { { SIX, .local_port = 443, .extensions = FRAGMENT(V6_MORE), .cut = 70 }, IGNORED },
		     { { .fragment = V4_MORE, .patches = { { LAYER_IP, 3, 24 } } },
		       MALFORMED(BAD_TCP) } } },
	{ "overlapping fragment",
	  .steps = { { { .fragment = 1 }, BAD(FRAGMENT_OVERLAP) },
		     { { .fragment = 2 | V4_MORE }, BAD(FRAGMENT_OVERLAP) },
		     { { SIX, .extensions = FRAGMENT(8) }, BAD(FRAGMENT_OVERLAP) } } },
	{ "later fragment", .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .fragment = 3 }, IGNORED },
		     { { SIX, .extensions = FRAGMENT(24) }, IGNORED },
		     { { .fragment = 1, .protocol = 17 }, IGNORED } } },
	{ "atomic fragment", .entries = { BLOCK("2001:db8::", 32) },
	  .steps = { { { SIX, .extensions = FRAGMENT(0) }, REFUSED(BLOCKED) } } },

	/* Local lists. */
	{ "approved", .entries = { APPROVE("192.0.2.0", 24), STANDARD(DROP) },
	  .steps = { { {}, NEW_PASSED(APPROVED), .mark = MARK_NONE } } },
	{ "approved within blocked",
	  .entries = { BLOCK("192.0.0.0", 16), APPROVE("192.0.2.1", 32) },
	  .steps = { { {}, NEW_PASSED(APPROVED) },
		     { { .from = "192.0.2.2" }, REFUSED(BLOCKED) } } },
	{ "blocked", .entries = { BLOCK("192.0.2.0", 24), CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, REFUSED(BLOCKED), .mark = MARK_CLEAN },
		     { { .from = "192.0.3.1" }, HELD(UNKNOWN) } } },
	{ "blocked, reset", .tuning = { .blocked = RG_ACTION_RESET },
	  .entries = { BLOCK("192.0.2.1", 32) },
	  .steps = { { {}, RESET(BLOCKED), .answer = { RST, ACK(0) } } } },
	{ "all of IPv4", .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { {}, REFUSED(BLOCKED) }, { { SIX }, HELD(UNKNOWN) } } },
	{ "all of IPv6", .entries = { BLOCK("8000::", 1), BLOCK("2001:db8::", 32) },
	  .steps = { { { SIX }, REFUSED(BLOCKED) }, { {}, HELD(UNKNOWN) } } },
	{ "an expired entry", .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_BLOCKED, 0, -1 } },
	  .steps = { { {}, HELD(UNKNOWN) } } },
	{ "an entry that will expire",
	  .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_BLOCKED, 0, 60 } },
	  .steps = { { {}, REFUSED(BLOCKED) } } },
	{ "expired approval within blocked",
	  .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_APPROVED, 0, -1 },
		       BLOCK("192.0.2.0", 24) },
	  .steps = { { {}, REFUSED(BLOCKED) } } },
	{ "two expired within approved",
	  .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_BLOCKED, 0, -1 },
		       { LISTS, "192.0.2.0", 24, RG_CLASS_BLOCKED, 0, -5 },
		         APPROVE("192.0.0.0", 8) },
	  .steps = { { {}, NEW_PASSED(APPROVED) } } },
	{ "an expired entry above a verdict",
	  .entries = { { LISTS, "192.0.2.1", 32, RG_CLASS_APPROVED, 0, -1 }, STANDARD(DROP) },
	  .steps = { { {}, REFUSED(STANDARD) } } },

	/* Verdicts. */
	{ "verdict, drop", .entries = { STANDARD(DROP), CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, REFUSED(STANDARD) } } },
	{ "verdict, reset", .entries = { STANDARD(RESET) },
	  .steps = { { {}, RESET(STANDARD), .answer = { RST, ACK(0) } } } },
	{ "verdict of QIL", .entries = { VERDICT("192.0.2.1", 32, QIL, DROP, 60) },
	  .steps = { { {}, REFUSED(QIL) } } },
	{ "verdict of a country", .entries = { VERDICT("192.0.2.1", 32, BLOCKED, DROP, 60) },
	  .steps = { { {}, REFUSED(BLOCKED) } } },
	{ "verdict, pass", .entries = { VERDICT("192.0.2.1", 32, APPROVED, PASS, 60) },
	  .steps = { { {}, NEW_PASSED(APPROVED) } } },
	{ "a verdict that can't be carried out drops", .entries = { STANDARD(NONE) },
	  .steps = { { {}, .action = XDP_DROP, DECIDED(STANDARD, NONE), .attempts = 1,
		       .sent = SENT_REFUSAL } } },
	{ "expired verdict", .entries = { VERDICT("192.0.2.1", 32, STANDARD, DROP, -1) },
	  .steps = { { {}, HELD(UNKNOWN) } } },
	{ "expired verdict of a clean peer",
	  .entries = { VERDICT("192.0.2.1", 32, STANDARD, DROP, -1), CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, NEW_PASSED(CLEAN) } } },
	{ "expired verdict within a live one",
	  .entries = { VERDICT("192.0.2.1", 32, QIL, DROP, -1),
		       VERDICT("192.0.2.0", 24, STANDARD, DROP, 60) },
	  .steps = { { {}, REFUSED(STANDARD) } } },
	{ "live, expired, expired",
	  .entries = { VERDICT("192.0.2.1", 32, QIL, DROP, -1),
		       VERDICT("192.0.2.0", 31, QIL, DROP, -1),
		       VERDICT("0.0.0.0", 0, STANDARD, DROP, 60) },
	  .steps = { { {}, REFUSED(STANDARD) } } },
	{ "live, expired, live",
	  .entries = { VERDICT("192.0.2.1", 32, QIL, DROP, -1),
		       VERDICT("192.0.2.0", 24, QIL, DROP, 60),
		       VERDICT("192.0.0.0", 16, STANDARD, DROP, 60) },
	  .steps = { { {}, REFUSED(QIL) } } },
	{ "verdict of an IPv6 net",
	  .entries = { VERDICT("2001:db8:1:2::", 64, STANDARD, DROP, 60) },
	  .steps = { { { SIX }, REFUSED(STANDARD) },
		     { { .from = "2001:db8:1:3::99" }, HELD(UNKNOWN) } } },

	/* Peers. */
	{ "clean", .entries = { CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, NEW_PASSED(CLEAN) }, { {}, PASSED(CLEAN) },
		     { PORT(40001), NEW_PASSED(CLEAN), .mark = MARK_CLEAN } } },
	{ "expired clean", .entries = { CLEAN("192.0.2.1", -1) },
	  .steps = { { {}, HELD(UNKNOWN) }, { {}, DROPPED(PENDING) } } },
	{ "pending elsewhere", .entries = { PENDING("192.0.2.1", 60) },
	  .steps = { { {}, HELD(PENDING) } } },
	{ "expired pending is asked about again", .entries = { PENDING("192.0.2.1", -1) },
	  .steps = { { {}, HELD(UNKNOWN) }, { {}, DROPPED(PENDING) } } },
	{ "pending of an agent that is gone", .tuning = { .next_agent = true },
	  .entries = { PENDING("192.0.2.1", 60) },
	  .steps = { { {}, HELD(UNKNOWN) }, { {}, DROPPED(PENDING) }, { PORT(40001), HELD(PENDING) } } },
	{ "clean by an agent that is gone", .tuning = { .next_agent = true },
	  .entries = { CLEAN("192.0.2.1", 60) }, .steps = { { {}, NEW_PASSED(CLEAN) } } },
	{ "clean is the address alone", .entries = { CLEAN("2001:db8:1:2::99", 60) },
	  .steps = { { { SIX }, NEW_PASSED(CLEAN) },
		     { { .from = "2001:db8:1:2::98" }, HELD(UNKNOWN) },
		     { { .from = "2001:db8:1:2::" }, HELD(UNKNOWN) } } },
	{ "clean is the address alone, also the first one", .entries = { CLEAN("2001:db8:1:2::", 60) },
	  .steps = { { { .from = "2001:db8:1:2::" }, NEW_PASSED(CLEAN) }, { { SIX }, HELD(UNKNOWN) } } },
	{ "listed is the address alone",
	  .entries = { VERDICT("2001:db8:1:2::99", 128, STANDARD, DROP, 60) },
	  .steps = { { { SIX }, REFUSED(STANDARD) },
		     { { .from = "2001:db8:1:2::98" }, HELD(UNKNOWN) },
		     { { .from = "2001:db8:1:2::" }, HELD(UNKNOWN) } } },
	{ "a refused prefix comes before clean addresses in it, and after their own verdicts",
	  .entries = { VERDICT("2001:db8:1:2::", 64, STANDARD, DROP, 60),
		       VERDICT("2001:db8:1:2::98", 128, APPROVED, PASS, 60),
		       CLEAN("2001:db8:1:2::99", 60) },
	  .steps = { { { SIX }, REFUSED(STANDARD), .mark = MARK_CLEAN },
		     { { .from = "2001:db8:1:2::98" }, NEW_PASSED(APPROVED) } } },

	/* Hold. */
	{ "unknown is held once", .steps = { { {}, HELD(UNKNOWN) }, { {}, DROPPED(PENDING) },
					     { {}, DROPPED(PENDING), .mark = MARK_PENDING } } },
	{ "a second connection is held too",
	  .steps = { { {}, HELD(UNKNOWN) }, { PORT(40001), HELD(PENDING) },
		     { {}, DROPPED(PENDING) },
		     { PORT(40001), DROPPED(PENDING) }, { PORT(40002), HELD(PENDING) } } },
	{ "a new connection from the same port",
	  .steps = { { {}, HELD(UNKNOWN) }, { OTHER_SEQ, HELD(PENDING) }, { OTHER_SEQ,
		       DROPPED(PENDING) } } },
	{ "another address of the /64 is another peer",
	  .steps = { { { SIX }, HELD(UNKNOWN) }, { { .from = "2001:db8:1:2::98" }, HELD(UNKNOWN) },
		     { { .from = "2001:db8:1:2::98" }, DROPPED(PENDING) } } },
	{ "held with all that is on it",
	  .steps = { { { .vlans = 2, .ip_options = 40, .tcp_options = 40 }, HELD(UNKNOWN) },
		     { { SIX, .vlans = 1, .extensions = { { 60, 1 } }, .tcp_options = 20 },
		       HELD(UNKNOWN) },
		     { { .from = "192.0.2.3", .padding = 6 }, HELD(UNKNOWN) },
		    
		     { { .from = "192.0.2.4", .flags = FLAG_SYN | FLAG_ECE | FLAG_CWR }, HELD(UNKNOWN) } } },
	{ "the longest frame", .steps = { { { .data = 138 }, HELD(UNKNOWN) } } },
	{ "a frame too long",
	  .steps = { { { .data = 139 }, DROPPED(UNKNOWN), .sent = SENT_PEER,
		       .losses = LOSS(HOLD_TOO_LONG), .mark = MARK_PENDING },
		     { { .data = 1400, .port = 40001 }, DROPPED(PENDING), .sent = SENT_PEER,
		       .losses = LOSS(HOLD_TOO_LONG) } } },
	{ "a jumbo frame too long", .frags_only = true,
	  .steps = { { { .data = 8900 }, DROPPED(UNKNOWN), .sent = SENT_PEER,
		       .losses = LOSS(HOLD_TOO_LONG) } } },
	{ "unknown passes", .tuning = { .unknown = RG_ACTION_PASS },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .sent = SENT_PEER, .mark = MARK_PENDING },
		     { {}, PASSED(PENDING) }, { PORT(40001), NEW_PASSED(PENDING) } } },
	{ "unknown is dropped", .tuning = { .unknown = RG_ACTION_DROP },
	  .steps = { { {}, DROPPED(UNKNOWN), .sent = SENT_PEER, .mark = MARK_PENDING },
		     { {}, DROPPED(PENDING) }, { PORT(40001), DROPPED(PENDING) } } },
	{ "a kernel that can't hold", .variant = NO_HOLD,
	  .steps = { { {}, .action = XDP_DROP, DECIDED(UNKNOWN, HOLD), .sent = SENT_PEER,
		       .mark = MARK_PENDING }, { {}, DROPPED(PENDING) } } },
	{ "the peer can't be marked", .variant = FULL_PEERS, .entries = { CLEAN("192.0.2.9", 60) },
	  .steps = { { {}, .action = XDP_DROP, DECIDED(UNKNOWN, HOLD), .sent = SENT_SYN,
		       .losses = LOSS(PENDING_FAILED), .mark = MARK_NONE } } },

	/* A flood of unknown peers: who sends again is real. */
	{ "flood, sent again", .tuning = { .is_flood = true, .gates = { 0, 1, 0 } },
	  .steps = { { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST), .mark = MARK_NONE },
		     { {}, .later = 1, HELD(UNKNOWN), .is_retry = true },
		     { {}, DROPPED(PENDING) },
		     { PORT(40001), HELD(PENDING) } } },
	{ "flood, sent twice at once", .tuning = { .is_flood = true, .gates = { 0, 9, 9 } },
	  .steps = { { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST), .mark = MARK_NONE },
		     { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST), .mark = MARK_NONE },
		     { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST), .mark = MARK_NONE },
		     { {}, .later = 1, HELD(UNKNOWN), .is_retry = true } } },
	{ "flood, up to the rate", .tuning = { .is_flood = true, .gates = { 2, 0, 0 } },
	  .steps = { { {}, HELD(UNKNOWN) }, { { SIX }, HELD(UNKNOWN) },
		     { { .from = "192.0.2.2" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST) } } },
	{ "flood, over every rate", .tuning = { .is_flood = true, .gates = { 0, 0, 1 } },
	  .steps = { { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST) },
		     { {}, .later = 1, NEW_PASSED(UNKNOWN), .losses = LOSS(FLOOD_RETRY),
		       .mark = MARK_NONE },
		     { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_RETRY) | LOSS(FLOOD_DROP),
		       .mark = MARK_NONE } } },
	{ "flood, dropped on overload", .entries = { CLEAN("192.0.2.2", 60) },
	  .tuning = { .is_flood = true, .gates = { 0, 0, 9 }, .overload = RG_ACTION_DROP },
	  .steps = { { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST) },
		     { {}, .later = 1, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_RETRY) },
		     { { .from = "192.0.2.2" }, NEW_PASSED(CLEAN) } } },
	/* Half of the tokens are left to networks within their own rate. */
	{ "flood from one /24",
	  .tuning = { .is_flood = true, .gates = { 2, 0, 0 }, .has_networks = true },
	  .steps = { { {}, HELD(UNKNOWN) },
		     { { .from = "192.0.2.255" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK),
		       .mark = MARK_NONE } } },
	{ "flood from one /24, and its neighbour",
	  .tuning = { .is_flood = true, .gates = { 2, 0, 0 }, .has_networks = true,
		      .network_gates = { 1, 0 } },
	  .steps = { { {}, HELD(UNKNOWN) },
		     { { .from = "192.0.2.255" }, HELD(UNKNOWN) },
		     { { .from = "192.0.2.254" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK) },
		     { { .from = "192.0.3.1" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_FIRST) } } },
	{ "flood from one /24, the neighbour has a token left",
	  .tuning = { .is_flood = true, .gates = { 3, 0, 0 }, .has_networks = true,
		      .network_gates = { 1, 0 } },
	  .steps = { { {}, HELD(UNKNOWN) },
		     { { .from = "192.0.2.255" }, HELD(UNKNOWN) },
		     { { .from = "192.0.2.254" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK) },
		     { { .from = "192.0.3.1" }, HELD(UNKNOWN) } } },
	{ "flood from one /48",
	  .tuning = { .is_flood = true, .gates = { 3, 0, 0 }, .has_networks = true,
		      .network_gates = { 1, 0 } },
	  .steps = { { { .from = "2001:db8:1:1::1" }, HELD(UNKNOWN) },
		     { { .from = "2001:db8:1:2::1" }, HELD(UNKNOWN) },
		     { { .from = "2001:db8:1:ffff::1" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK) },
		     { { .from = "2001:db8:2::1" }, HELD(UNKNOWN) } } },
	{ "flood from one /24, sent again",
	  .tuning = { .is_flood = true, .gates = { 0, 1, 1 }, .has_networks = true,
		      .network_gates = { 0, 1 } },
	  .steps = { { {}, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK), .mark = MARK_NONE },
		     { { .from = "192.0.2.2" }, DROPPED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK) },
		     { {}, .later = 1, HELD(UNKNOWN), .is_retry = true },
		     { { .from = "192.0.2.2" }, NEW_PASSED(UNKNOWN), .losses = LOSS(FLOOD_NETWORK),
		       .mark = MARK_NONE } } },
	{ "flood, unknown passes", .tuning = { .is_flood = true, .unknown = RG_ACTION_PASS },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(FLOOD_FIRST), .mark = MARK_NONE } } },

	/* The agent is dead. */
	{ "silent, unknown", .tuning = { .silent = true },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(AGENT_SILENT), .mark = MARK_NONE },
		     { {}, PASSED(UNKNOWN), .losses = LOSS(AGENT_SILENT) } } },
	{ "silent, unknown would be dropped",
	  .tuning = { .silent = true, .unknown = RG_ACTION_DROP },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(AGENT_SILENT) } } },
	{ "silent, pending", .tuning = { .silent = true }, .entries = { PENDING("192.0.2.1", 60) },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(AGENT_SILENT) } } },
	{ "silent, known", .tuning = { .silent = true },
	  .entries = { STANDARD(DROP), BLOCK("192.0.3.0", 24), CLEAN("192.0.4.1", 60),
		       VERDICT("192.0.5.1", 32, STANDARD, DROP, -1) },
	  .steps = { { {}, REFUSED(STANDARD) }, { { .from = "192.0.3.1" }, REFUSED(BLOCKED) },
		     { { .from = "192.0.4.1" }, NEW_PASSED(CLEAN) },
		     { { .from = "192.0.5.1" }, NEW_PASSED(UNKNOWN),
		       .losses = LOSS(AGENT_SILENT) } } },

	/* The ring buffer is full. */
	{ "full ring, pass", .variant = FULL_RING,
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(RING_FULL), .mark = MARK_NONE },
		     { {}, PASSED(UNKNOWN), .losses = LOSS(RING_FULL), .mark = MARK_NONE } } },
	{ "full ring, drop", .variant = FULL_RING, .tuning = { .overload = RG_ACTION_DROP },
	  .steps = { { {}, DROPPED(UNKNOWN), .losses = LOSS(RING_FULL), .mark = MARK_NONE },
		     { {}, DROPPED(UNKNOWN), .losses = LOSS(RING_FULL) } } },
	{ "full ring, unknown passes", .variant = FULL_RING,
	  .tuning = { .unknown = RG_ACTION_PASS, .overload = RG_ACTION_DROP },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(RING_FULL), .mark = MARK_NONE } } },
	{ "full ring, second connection", .variant = FULL_RING,
	  .tuning = { .overload = RG_ACTION_DROP }, .entries = { PENDING("192.0.2.1", 60) },
	  .steps = { { {}, DROPPED(PENDING), .losses = LOSS(RING_FULL), .mark = MARK_PENDING } } },
	{ "full ring, refused", .variant = FULL_RING, .entries = { STANDARD(DROP) },
	  .steps = { { {}, DROPPED(STANDARD), .attempts = 1, .losses = LOSS(RING_FULL_SAMPLE) } } },
	{ "full ring, known", .variant = FULL_RING, .entries = { CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, NEW_PASSED(CLEAN) } } },

	/* Monitor: nothing is stopped or changed, and what would have been is counted. */
	{ "monitor, blocked", .tuning = { .mode = RG_MODE_MONITOR },
	  .entries = { BLOCK("192.0.2.0", 24) },
	  .steps = { { {}, MONITORED(BLOCKED, DROP) },
		     { {}, .action = XDP_PASS, DECIDED(BLOCKED, DROP), .monitored = true } } },
	{ "monitor, reset", .tuning = { .mode = RG_MODE_MONITOR }, .entries = { STANDARD(RESET) },
	  .steps = { { {}, MONITORED(STANDARD, RESET) } } },
	{ "monitor, QIL", .tuning = { .mode = RG_MODE_MONITOR },
	  .entries = { VERDICT("192.0.2.1", 32, QIL, DROP, 60) },
		       .steps = { { {}, MONITORED(QIL, DROP) } } },
	{ "monitor, passing", .tuning = { .mode = RG_MODE_MONITOR },
	  .entries = { APPROVE("192.0.2.1", 32), CLEAN("192.0.2.2", 60) },
	  .steps = { { {}, NEW_PASSED(APPROVED) },
		     { { .from = "192.0.2.2" }, NEW_PASSED(CLEAN) } } },
	{ "monitor, unknown", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { {}, WAITS(UNKNOWN) }, { {}, PASSED(PENDING) },
		     { PORT(40001), WAITS(PENDING) }, { PORT(40001), PASSED(PENDING) } } },
	{ "monitor, more connections than are kept", .tuning = { .mode = RG_MODE_MONITOR },
	  .entries = { PENDING("192.0.2.1", 60) }, /* holds none */
	  .steps = { { PORT(1), WAITS(PENDING) }, { PORT(2), WAITS(PENDING) },
		     { PORT(3), WAITS(PENDING) }, { PORT(1), PASSED(PENDING) } } },
	{ "monitor, unknown = pass: the first connection would pass",
	  .tuning = { .mode = RG_MODE_MONITOR, .unknown = RG_ACTION_PASS },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .sent = SENT_PEER, .mark = MARK_PENDING },
		     { {}, PASSED(PENDING) }, { PORT(40001), NEW_PASSED(PENDING) } } },
	{ "monitor, can't hold", .variant = NO_HOLD, .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .sent = SENT_PEER, .mark = MARK_PENDING },
		     { PORT(40001), NEW_PASSED(PENDING) } } },
	{ "monitor, too long to keep", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { { .data = RG_FRAME_SIZE }, NEW_PASSED(UNKNOWN), .sent = SENT_PEER,
		       .losses = LOSS(HOLD_TOO_LONG), .mark = MARK_PENDING } } },
	{ "monitor, unknown would be dropped",
	  .tuning = { .mode = RG_MODE_MONITOR, .unknown = RG_ACTION_DROP },
	  .steps = { { {}, WAITS(UNKNOWN) } } },
	{ "monitor, full ring", .variant = FULL_RING,
	  .tuning = { .mode = RG_MODE_MONITOR, .overload = RG_ACTION_DROP },
	  .steps = { { {}, NEW_PASSED(UNKNOWN), .losses = LOSS(RING_FULL) } } },
	{ "monitor, fragmented SYN", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { { .fragment = V4_MORE }, .action = XDP_PASS,
		       .losses = LOSS(FRAGMENT_SYN) } } },
	{ "monitor, too many extension headers", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { { SIX, HEADERS(RG_MAX_EXT_HEADERS + 1) },
		       .action = XDP_PASS, .losses = LOSS(EXT_HEADERS) } } },

	/* Attempts: the SYNs of one address and port are one. */
	{ "attempts of a refused peer", .entries = { BLOCK("192.0.2.0", 24) },
	  .steps = { { {}, REFUSED(BLOCKED) }, { {}, DROPPED(BLOCKED) },
		     { PORT(40001), REFUSED(BLOCKED) },
		     { { .from = "192.0.2.2" }, REFUSED(BLOCKED) },
		     { PORT(40001), DROPPED(BLOCKED) } } },
	{ "samples are off", .tuning = { .no_samples = true }, .entries = { STANDARD(DROP) },
	  .steps = { { {}, DROPPED(STANDARD), .attempts = 1, .losses = LOSS(SAMPLE_LIMIT) },
		     { {}, DROPPED(STANDARD) } } },

	/* The answer. */
	/* Which frames are this host's. */
	{ "other MAC address", .tuning = { .known_host = true },
	  .entries = { STANDARD(RESET), QIL_SIX(TEMPFAIL), VERDICT("192.0.2.3", 32, QIL, DROP, 60) },
	  .steps = { { { .other_mac = true }, .action = XDP_PASS, .losses = LOSS(OTHER_MAC) },
		     { { SIX, .other_mac = true }, .action = XDP_PASS, .losses = LOSS(OTHER_MAC) },
		     { { .from = "192.0.2.3", .other_mac = true }, .action = XDP_PASS,
		       .losses = LOSS(OTHER_MAC) },
		     { { .from = "192.0.2.4", .other_mac = true }, .action = XDP_PASS,
		       .losses = LOSS(OTHER_MAC), .mark = MARK_NONE },
		     { {}, RESET(STANDARD), .answer = { RST, ACK(0) } } } },
	{ "other MAC address, bridge", .tuning = { .known_host = true, .bridged = true },
	  .entries = { STANDARD(DROP) }, .steps = { { { .other_mac = true }, REFUSED(STANDARD) } } },
	{ "other MAC address, silent agent", .tuning = { .known_host = true, .silent = true },
	  .entries = { STANDARD(DROP) }, .steps = { { { .other_mac = true }, REFUSED(STANDARD) } } },
	{ "broadcast and nobody's address", .tuning = { .known_host = true },
	  .entries = { STANDARD(RESET), QIL_SIX(TEMPFAIL), VERDICT("192.0.2.3", 32, QIL, REJECT, 60) },
	  .steps = { { { .to = "198.51.100.255" }, REFUSED(STANDARD), NO_HOST },
		     { { .to = "198.51.100.26", .port = 2 }, REFUSED(STANDARD), NO_HOST },
		     { { SIX, .to = "2001:db8:25::26" }, REFUSED(QIL), NO_HOST },
		     { { .from = "192.0.2.3" }, NEW_ANSWERED(QIL, REJECT) } } },
	{ "group addresses", .entries = { STANDARD(RESET), QIL_SIX(RESET) },
	  .steps = { { { .to = "224.0.0.1" }, REFUSED(STANDARD), NO_HOST },
		     { { .to = "255.255.255.255", .port = 2 }, REFUSED(STANDARD), NO_HOST },
		     { { SIX, .to = "ff02::1" }, REFUSED(QIL), NO_HOST } } },
	{ "destinations that no host takes from outside", .entries = { BLOCK("0.0.0.0", 0), BLOCK("::", 0) },
	  .tuning = { .blocked = RG_ACTION_RESET },
	  .steps = { { { .to = "127.0.0.1" }, REFUSED(BLOCKED), NO_HOST },
		     { { .to = "127.8.8.8", .port = 2 }, REFUSED(BLOCKED), NO_HOST },
		     { { .to = "0.0.0.0", .port = 3 }, REFUSED(BLOCKED), NO_HOST } } },
	{ "destinations that no host takes from outside, IPv6", .entries = { BLOCK("::", 0) },
	  .tuning = { .blocked = RG_ACTION_RESET },
	  .steps = { { { SIX, .to = "::1" }, REFUSED(BLOCKED), NO_HOST },
		     { { SIX, .to = "::", .port = 2 }, REFUSED(BLOCKED), NO_HOST },
		     { { SIX, .to = "::ffff:198.51.100.25", .port = 3 }, REFUSED(BLOCKED), NO_HOST } } },
	{ "sources that no host takes from outside", .entries = { BLOCK("0.0.0.0", 0), BLOCK("::", 0) },
	  .tuning = { .blocked = RG_ACTION_RESET },
	  .steps = { { { .from = "127.0.0.1" }, REFUSED(BLOCKED), NO_HOST },
		     { { .from = "0.0.0.0" }, REFUSED(BLOCKED), NO_HOST },
		     { { .from = "239.1.1.1" }, REFUSED(BLOCKED), NO_HOST },
		     { { .from = "::1", .to = "2001:db8:1:2::99" }, REFUSED(BLOCKED), NO_HOST } } },
	{ "its own address as a source", .tuning = { .known_host = true, .blocked = RG_ACTION_RESET },
	  .entries = { BLOCK("0.0.0.0", 0) },
	  .steps = { { { .from = "198.51.100.25" }, REFUSED(BLOCKED), NO_HOST } } },
	{ "options that hosts drop", .entries = { STANDARD(RESET) },
	  .steps = { { { .ip_options = 8, .patches = { { LAYER_IP, 20, 0x83 } }, .sums = SUMS_RIGHT },
		       REFUSED(STANDARD), NO_HOST },
		     { { .ip_options = 40, .patches = { { LAYER_IP, 59, 0x89 } }, .sums = SUMS_RIGHT, .port = 2 },
		       REFUSED(STANDARD), NO_HOST } } },
	{ "extension headers that hosts drop", .entries = { QIL_SIX(RESET) },
	  .steps = { { { SIX, .extensions = { { EXT_AUTH, 4 } } }, REFUSED(QIL), NO_HOST },
		     { { SIX, .extensions = { { EXT_ROUTING, 2 } }, .port = 2 }, REFUSED(QIL), NO_HOST },
		     { { SIX, .extensions = { { EXT_OPTIONS, 1 }, { 139, 0 } }, .port = 3 }, REFUSED(QIL), NO_HOST },
		     { { SIX, .extensions = { { EXT_FRAGMENT, 0 }, { EXT_FRAGMENT, 0 } }, .port = 4 }, REFUSED(QIL),
		       NO_HOST } } },

	/* Checksums: a host drops what has a wrong one, so nobody is asked about, and nothing answered. */
	{ "wrong checksum, unknown",
	  .steps = { { { .sums = SUMS_WRONG_TCP }, DROPPED(UNKNOWN), BAD_SUM, .mark = MARK_NONE },
		     { { .sums = SUMS_WRONG_IP }, DROPPED(UNKNOWN), BAD_SUM, .mark = MARK_NONE },
		     { { SIX, .sums = SUMS_WRONG_TCP }, DROPPED(UNKNOWN), BAD_SUM },
		     { {}, HELD(UNKNOWN) } } },
	{ "wrong checksum, unknown passes", .tuning = { .unknown = RG_ACTION_PASS },
	  .steps = { { { .sums = SUMS_WRONG_TCP }, NEW_PASSED(UNKNOWN), BAD_SUM, .mark = MARK_NONE } } },
	{ "wrong checksum, monitor", .tuning = { .mode = RG_MODE_MONITOR }, .entries = { STANDARD(RESET) },
	  .steps = { { { .sums = SUMS_WRONG_TCP }, MONITORED(STANDARD, RESET) },
		     { { .from = "192.0.2.9", .sums = SUMS_WRONG_TCP }, NEW_PASSED(UNKNOWN),
		       BAD_SUM } } },
	{ "wrong checksum, pending", .entries = { PENDING("192.0.2.1", 60) },
	  .steps = { { { .sums = SUMS_WRONG_TCP }, DROPPED(UNKNOWN), BAD_SUM } } },
	{ "wrong checksum, reset", .entries = { STANDARD(RESET), STANDARD_SIX },
	  .steps = { { { .sums = SUMS_WRONG_TCP }, REFUSED(STANDARD), BAD_SUM },
		     { { .sums = SUMS_WRONG_IP, .port = 1 }, REFUSED(STANDARD), BAD_SUM },
		     { { .sums = SUMS_WRONG_IP, .ip_options = 40, .port = 2 }, REFUSED(STANDARD), BAD_SUM },
		     { { .sums = SUMS_WRONG_TCP, .data = 1301, .vlans = 2, .port = 3 }, REFUSED(STANDARD),
		       BAD_SUM },
		     { { SIX, .sums = SUMS_WRONG_TCP }, REFUSED(STANDARD), BAD_SUM } } },
	{ "wrong checksum, tempfail and reject", .entries = { QIL(TEMPFAIL), QIL_SIX(REJECT) },
	  .steps = { { { .sums = SUMS_WRONG_TCP }, REFUSED(QIL), BAD_SUM },
		     { { SIX, HEADERS(2), .sums = SUMS_WRONG_TCP }, REFUSED(QIL), BAD_SUM } } },
	{ "wrong checksum, known peers are the kernel's",
	  .entries = { CLEAN("192.0.2.1", 60), APPROVE("192.0.2.2", 32) },
	  .steps = { { { .sums = SUMS_WRONG_TCP }, NEW_PASSED(CLEAN) },
		     { { .from = "192.0.2.2", .sums = SUMS_WRONG_TCP }, NEW_PASSED(APPROVED) } } },
	{ "unfinished checksum, held",
	  .steps = { { { .sums = SUMS_UNFINISHED }, HELD(UNKNOWN), .finished = true },
		     { { SIX, .sums = SUMS_UNFINISHED }, HELD(UNKNOWN), .finished = true },
		     { { .from = "192.0.2.2", .sums = SUMS_UNFINISHED, .data = 33, .tcp_options = 12 },
		       HELD(UNKNOWN), .finished = true },
		     { { .from = "192.0.2.3", .sums = SUMS_UNFINISHED, .vlans = 2, .ip_options = 8 },
		       HELD(UNKNOWN), .finished = true },
		     { { .from = "2001:db8:1:3::1", HEADERS(2), .sums = SUMS_UNFINISHED, .data = 1 },
		       HELD(UNKNOWN), .finished = true } } },
	{ "unfinished checksum, reset", .entries = { STANDARD(RESET) },
	  .steps = { { { .sums = SUMS_UNFINISHED }, RESET(STANDARD), .answer = { RST, ACK(0) } } } },
	{ "unfinished checksum, to the responder", .entries = { QIL(TEMPFAIL), QIL_SIX(REJECT) },
	  .steps = { { { .sums = SUMS_UNFINISHED }, NEW_ANSWERED(QIL, TEMPFAIL), .finished = true },
		     { { SIX, .sums = SUMS_UNFINISHED }, NEW_ANSWERED(QIL, REJECT),
		       .finished = true } } },
	{ "unfinished checksum, known peers", .entries = { CLEAN("192.0.2.1", 60) },
	  .steps = { { { .sums = SUMS_UNFINISHED }, NEW_PASSED(CLEAN) } } },
	{ "unfinished checksum, monitor", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { { .sums = SUMS_UNFINISHED }, WAITS(UNKNOWN) } } },
	{ "wrong checksum, jumbo frame", .frags_only = true, .entries = { STANDARD(RESET) },
	  .steps = { { { .data = 8901, .sums = SUMS_WRONG_TCP }, REFUSED(STANDARD), BAD_SUM },
		     { { .data = 8901, .port = 1 }, RESET(STANDARD),
		       .answer = { RST, ACK(8901), .port = 1 } } } },

	{ "reset, IPv4 options", .entries = { STANDARD(RESET) },
	  .steps = { { { .ip_options = 40, .tcp_options = 40 }, RESET(STANDARD),
		       .answer = { RST, ACK(0) } } } },
	{ "reset, padded", .entries = { STANDARD(RESET) },
	  .steps = { { { .padding = 6 }, RESET(STANDARD), .answer = { RST, ACK(0) } } } },
	{ "reset, data", .entries = { STANDARD(RESET) },
	  .steps = { { { .tcp_options = 12, .data = 1000 }, RESET(STANDARD),
		       .answer = { RST, ACK(1000) } },
		     { { .data = 1, .port = 40001, .padding = 3 }, RESET(STANDARD),
		       .answer = { RST, ACK(1), .port = 40001 } } } },
	{ "reset, VLAN tag", .entries = { STANDARD(RESET) },
	  .steps = { { { .vlans = 1 }, RESET(STANDARD), .answer = { RST, ACK(0), .vlans = 1 } } } },
	{ "reset, two VLAN tags", .entries = { STANDARD(RESET) },
	  .steps = { { { .vlans = 2, .ip_options = 4 }, RESET(STANDARD),
		       .answer = { RST, ACK(0), .vlans = 2 } } } },
	{ "reset, IPv6", .entries = { STANDARD_SIX },
	  .steps = { { { SIX, .tcp_options = 20 }, RESET(STANDARD),
		       .answer = { TO_SIX, .flags = FLAG_RST | FLAG_ACK, ACK(0) } } } },
	{ "reset, IPv6, extension headers, data", .entries = { STANDARD_SIX },
	  .steps = { { { SIX, .extensions = { { EXT_HOP_BY_HOP, 0 }, { 60, 3 } }, .data = 77 },
		       RESET(STANDARD),
		       .answer = { TO_SIX, .flags = FLAG_RST | FLAG_ACK, ACK(77) } } } },
	{ "reset, IPv6, atomic fragment, two tags", .entries = { STANDARD_SIX },
	  .steps = { { { SIX, .extensions = FRAGMENT(0), .vlans = 2 }, RESET(STANDARD),
		       .answer = { TO_SIX, .flags = FLAG_RST | FLAG_ACK, ACK(0), .vlans = 2 } } } },
	{ "SYN+FIN opens nothing", .entries = { STANDARD(RESET), STANDARD_SIX },
	  .steps = { { { .flags = FLAG_SYN | FLAG_FIN, .data = 4 }, IGNORED },
		     { { SIX, .flags = FLAG_SYN | FLAG_FIN }, IGNORED },
		     { { .flags = FLAG_SYN | FLAG_FIN, .fragment = V4_MORE }, IGNORED } } },
	{ "a reset is never answered with one", .entries = { STANDARD(RESET) },
	  .steps = { { { .flags = FLAG_SYN | FLAG_RST }, IGNORED } } },
	{ "reset, to a group", .entries = { STANDARD(RESET) },
	  .steps = { { { .group_mac = true }, REFUSED(STANDARD), NO_HOST } } },
	{ "reset of a jumbo frame", .frags_only = true, .entries = { STANDARD(RESET) },
	  .steps = { { { .data = 8000 }, RESET(STANDARD), .answer = { RST, ACK(8000) } } } },
	{ "drop of a jumbo frame", .frags_only = true, .entries = { STANDARD(DROP) },
	  .steps = { { { .data = 5000 }, REFUSED(STANDARD) } } },
	{ "a jumbo frame's length", .frags_only = true,
	  .steps = { { { .data = 8000, .cut = 8053 }, MALFORMED(BAD_LENGTH) } } },
	{ "a clean peer's jumbo frame", .frags_only = true, .entries = { CLEAN("192.0.2.1", 60) },
	  .steps = { { { .data = 8000 }, NEW_PASSED(CLEAN) },
		     { { .flags = FLAG_ACK, .data = 8000 }, IGNORED } } },

	/* A held SYN that is judged again. */
	{ "release, drop", .entries = { STANDARD(DROP), PENDING("192.0.2.1", 60) },
	  .steps = { { {}, RUN_RELEASE, REFUSED(STANDARD) } } },
	{ "release, reset", .entries = { STANDARD(RESET) },
	  .steps = { { { .vlans = 1 }, RUN_RELEASE, RESET(STANDARD),
		       .answer = { RST, ACK(0), .vlans = 1 } } } },
	{ "release, blocked meanwhile",
	  .entries = { BLOCK("192.0.2.1", 32), CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, RUN_RELEASE, REFUSED(BLOCKED) } } },
	{ "release, clean", .entries = { CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, RUN_RELEASE, NEW_PASSED(CLEAN) } } },
	{ "release, still pending", .entries = { PENDING("192.0.2.1", 60) },
	  .steps = { { {}, RUN_RELEASE, NEW_PASSED(UNKNOWN), .mark = MARK_PENDING } } },
	{ "release, nothing known",
	  .steps = { { {}, RUN_RELEASE, NEW_PASSED(UNKNOWN), .mark = MARK_NONE } } },
	{ "release, nothing known, silent", .tuning = { .silent = true, .unknown = RG_ACTION_DROP },
	  .steps = { { {}, RUN_RELEASE, NEW_PASSED(UNKNOWN) } } },
	{ "release, expired verdict", .entries = { VERDICT("192.0.2.1", 32, STANDARD, DROP, -1) },
	  .steps = { { {}, RUN_RELEASE, NEW_PASSED(UNKNOWN) } } },
	{ "release, monitor", .tuning = { .mode = RG_MODE_MONITOR }, .entries = { STANDARD(DROP) },
	  .steps = { { {}, RUN_RELEASE, MONITORED(STANDARD, DROP) } } },
	/* What monitor mode let pass counts by its verdict, whatever the mode is now. */
	{ "monitor, refused by its verdict", .tuning = { .mode = RG_MODE_MONITOR },
	  .entries = { STANDARD(DROP) },
	  .steps = { { {}, RUN_MONITOR, MONITORED(STANDARD, DROP) },
		     { {}, RUN_MONITOR, .action = XDP_PASS, DECIDED(STANDARD, DROP),
		       .monitored = true } } },
	{ "monitor, the mode is enforce now", .entries = { QIL(RESET) },
	  .steps = { { {}, RUN_MONITOR, MONITORED(QIL, RESET) } } },
	{ "monitor, clean", .entries = { CLEAN("192.0.2.1", 60) },
	  .steps = { { {}, RUN_MONITOR, NEW_PASSED(CLEAN) } } },
	{ "monitor, nothing known", .steps = { { {}, RUN_MONITOR, NEW_PASSED(UNKNOWN) } } },
	{ "monitor: one attempt, before and after", .tuning = { .mode = RG_MODE_MONITOR },
	  .steps = { { {}, WAITS(UNKNOWN) }, { {}, RUN_MONITOR, NEW_PASSED(UNKNOWN) },
		     { {}, PASSED(PENDING) } } },
	{ "held, then released: one attempt", .steps = { { {}, HELD(UNKNOWN) },
		{ {}, RUN_RELEASE, NEW_PASSED(UNKNOWN) }, { {}, RUN_RELEASE, PASSED(UNKNOWN) } } },
};
/* clang-format on */

static void test_ports(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_DROP };
	struct run *run = fresh_run(&tuning);
	struct rg_settings *settings = run_settings(run);

	(void)state;
	for (uint32_t i = 0; i < RG_MAX_PORTS; i++)
		settings->ports[i] = (uint16_t)(25 + 4096 * i);
	for (uint32_t count = 0; count <= RG_MAX_PORTS; count++) {
		settings->port_count = (uint8_t)count;
		for (uint32_t i = 0; i < RG_MAX_PORTS; i++) {
			struct packet_spec spec = { .local_port = settings->ports[i] };

			assert_int_equal(send_spec(run, &spec), i < count ? XDP_DROP : XDP_PASS);
			spec.local_port++;
			assert_int_equal(send_spec(run, &spec), XDP_PASS);
		}
	}
	/* A count that is too high reads no further than the ports. */
	settings->port_count = UINT8_MAX;
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
}

static void test_pending_mark(void **state)
{
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	struct rg_addr key = packet_addr("192.0.2.1");
	uint64_t before = run_now();
	struct rg_peer peer;

	(void)state;
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
	assert_int_equal(bpf_map_lookup_elem(run_maps(run).peers, &key, &peer), 0);
	assert_in_range(peer.since, before - RUN_TICK, run_now());
	assert_true(peer.expiry == peer.since + PENDING_TIME);
	assert_int_equal(peer.state, RG_PEER_PENDING);
	assert_int_equal(peer.held, 1);
	assert_int_not_equal(peer.flows[0], 0);
	for (int i = 1; i < RG_HELD_FLOWS; i++)
		assert_int_equal(peer.flows[i], 0);
}

/* A peer's first eight connections are held; the others wait for their retransmission. */
static void test_held_flows(void **state)
{
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	static struct run_events events;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < RG_HELD_FLOWS + 4; i++) {
			struct packet_spec spec = { .port = (uint16_t)(50000 + i) };

			assert_int_equal(send_spec(run, &spec), XDP_DROP);
		}
	}
	assert_int_equal(run_events(run, &events), 0);
	assert_int_equal(events.count, RG_HELD_FLOWS);
	for (uint16_t i = 0; i < RG_HELD_FLOWS; i++)
		assert_int_equal(events.at[i].event.head.source_port, 50000 + i);
	assert_int_equal(loss_count(run, RG_LOSS_HOLD_FLOWS), 8);
	assert_int_equal(count_of(run, RG_CLASS_PENDING * RG_ACTION_MAX + RG_ACTION_HOLD), 7);
	assert_int_equal(count_of(run, RG_CLASS_PENDING * RG_ACTION_MAX + RG_ACTION_DROP), 16);
}

static void test_hits(void **state)
{
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	struct rg_prefix key = prefix_of("192.0.2.0", 24);

	(void)state;
	put_trie(run, &key, RG_CLASS_QIL, RG_ACTION_DROP, expiry_in(60));
	for (int i = 0; i < 5; i++)
		assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
	assert_int_equal(verdict_hits(run, &key), RUN_HITS + 5);
}

/* A verdict that somebody wrote by hand holds, too; its hits count for nobody. */
static void test_no_details(void **state)
{
	static const uint32_t none[] = { RUN_VERDICTS, RUN_VERDICTS + 1, UINT32_MAX };
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	struct rg_prefix key = prefix_of("192.0.2.0", 24), other = prefix_of("198.51.100.0", 24);

	(void)state;
	put_trie(run, &other, RG_CLASS_QIL, RG_ACTION_DROP, expiry_in(60));
	for (size_t i = 0; i < COUNT(none); i++) {
		struct rg_verdict verdict = { .expiry = expiry_in(60),
					      .details = none[i],
					      .action = RG_ACTION_DROP,
					      .zone = RG_NO_ZONE,
					      .prefix_len = (uint8_t)key.len,
					      .peer_class = RG_CLASS_QIL };

		assert_int_equal(
			bpf_map_update_elem(run_maps(run).verdicts, &key, &verdict, BPF_ANY), 0);
		assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
	}
	assert_int_equal(verdict_hits(run, &other), RUN_HITS);
	assert_int_equal(count_of(run, RG_CLASS_QIL * RG_ACTION_MAX + RG_ACTION_DROP), 3);
}

static void test_sample_limit(void **state)
{
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	struct rg_prefix all = prefix_of("0.0.0.0", 0);
	static struct run_events events;
	uint64_t start;

	(void)state;
	put_list(run_maps(run).lists_now, &all, RG_CLASS_BLOCKED, 0);
	run_settings(run)->samples_per_second = 7;
	/* At its beginning, so that the second does not end within the test. */
	wait_for_the_next_second(run_now());
	start = run_now();
	for (uint16_t i = 0; i < 50; i++) {
		struct packet_spec spec = { .port = (uint16_t)(50000 + i) };

		assert_int_equal(send_spec(run, &spec), XDP_DROP);
	}
	assert_int_equal(run_events(run, &events), 0);
	assert_int_equal(events.count, 7);
	assert_int_equal(loss_count(run, RG_LOSS_SAMPLE_LIMIT), 43);

	/* The next second has its own. */
	wait_for_the_next_second(start);
	assert_int_equal(send_spec(run, &(struct packet_spec){ .port = 60000 }), XDP_DROP);
	assert_int_equal(run_events(run, &events), 0);
	assert_int_equal(events.count, 1);
}

static void test_attempt_time(void **state)
{
	static const struct {
		uint32_t seconds; /* since the step before */
		uint64_t attempts; /* so far */
	} steps[] = { { 0, 1 }, { 60, 1 }, { 58, 1 }, { 3, 2 }, { 117, 2 }, { 10, 3 }, { 0, 3 } };
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	struct rg_prefix all = prefix_of("0.0.0.0", 0);
	struct run_counts counts;

	(void)state;
	put_list(run_maps(run).lists_now, &all, RG_CLASS_BLOCKED, 0);
	for (size_t i = 0; i < COUNT(steps); i++) {
		run_age_attempts(run, steps[i].seconds);
		assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
		assert_int_equal(run_counts(run, &counts), 0);
		assert_int_equal(counts.at[RG_CLASS_BLOCKED * RG_ACTION_MAX + RG_ACTION_DROP].attempts,
				 steps[i].attempts);
	}
}

/* Many senders at once: when a set of slots is full, an attempt may count twice, but hardly ever. */
static void test_many_attempts(void **state)
{
	const struct tuning tuning = { .no_samples = true };
	struct run *run = fresh_run(&tuning);
	struct rg_prefix all = prefix_of("0.0.0.0", 0);
	struct run_counts counts;

	(void)state;
	put_list(run_maps(run).lists_now, &all, RG_CLASS_BLOCKED, 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3000; i++) {
			char from[32];
			struct packet_spec spec = { .from = from, .port = (uint16_t)(1024 + i % 7) };

			snprintf(from, sizeof(from), "10.0.%d.%d", i >> 8, i & 255);
			assert_int_equal(send_spec(run, &spec), XDP_DROP);
		}
	}
	assert_int_equal(run_counts(run, &counts), 0);
	assert_int_equal(counts.at[RG_CLASS_BLOCKED * RG_ACTION_MAX + RG_ACTION_DROP].packets, 9000);
	assert_in_range(counts.at[RG_CLASS_BLOCKED * RG_ACTION_MAX + RG_ACTION_DROP].attempts, 3000,
			3010);
}

/* The list is replaced as a whole: the next packet sees the new one, without a reload. */
static void test_list_swap(void **state)
{
	const struct tuning tuning = {};
	struct run *run = fresh_run(&tuning);
	struct run_map_fds fds = run_maps(run);
	struct rg_prefix key = prefix_of("192.0.2.0", 24);
	uint32_t zero = 0;
	int fresh;

	(void)state;
	put_list(fds.lists_now, &key, RG_CLASS_APPROVED, 0);
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_PASS);
	fresh = run_new_list(run);
	assert_true(fresh >= 0);
	put_list(fresh, &key, RG_CLASS_BLOCKED, 0);
	assert_int_equal(bpf_map_update_elem(fds.lists, &zero, &fresh, BPF_ANY), 0);
	close(fresh);
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
	assert_int_equal(bpf_map_update_elem(fds.lists, &zero, &fds.lists_now, BPF_ANY), 0);
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_PASS);
}

/*
 * Prefixes nested as deep as they can be, one of them alive: it must be found at every depth. In
 * `lists` it blocks and nothing means drop; in `verdicts` it resets too, and nothing means drop.
 */
static void check_depths(struct run *run, bool lists)
{
	static const char *const text = "a5a5:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5";
	struct rg_addr addr = packet_addr(text);

	for (int alive = -1; alive <= RG_ADDR_BITS; alive++) {
		for (int len = RG_ADDR_BITS; len >= 0; len--) {
			struct rg_prefix key = { .len = (uint32_t)len, .addr = addr };
			uint64_t expiry = expiry_in(len == alive ? 60 : -60);

			if (alive >= 0 && len != alive && len != alive - 1)
				continue; /* as it was */
			if (lists)
				put_list(run_maps(run).lists_now, &key, RG_CLASS_BLOCKED, expiry);
			else
				put_trie(run, &key, RG_CLASS_STANDARD, RG_ACTION_RESET, expiry);
		}
		if (send_spec(run, &(struct packet_spec){ .from = text }) !=
		    (alive < 0 ? XDP_DROP : XDP_TX))
			fail_msg("%s: the live one has %d bits", lists ? "lists" : "verdicts", alive);
	}
}

static void test_every_depth(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .blocked = RG_ACTION_RESET,
				       .no_samples = true };

	(void)state;
	check_depths(fresh_run(&tuning), true);
	check_depths(fresh_run(&tuning), false);
}

/* ---- random tries against a search through an array ---- */

#define TRIE_ENTRIES 60
#define TRIE_ROUNDS 40
#define TRIE_PROBES 60

struct trie_entry {
	struct rg_prefix prefix;
	uint64_t expiry;
	enum rg_class peer_class;
};

/* Of one of two small nets, so that prefixes nest and probes meet them. */
static struct rg_addr random_addr(uint64_t *seed)
{
	uint64_t random = next_random(seed);
	struct rg_addr addr = packet_addr(random & 1 ? "10.20.0.0" : "2001:db8::");

	addr.bytes[15] = (uint8_t)(random >> 8 & 0x83);
	addr.bytes[14] = (uint8_t)(random >> 16 & 0x11);
	addr.bytes[random & 1 ? 13 : 7] |= (uint8_t)(random >> 24 & 3);
	return addr;
}

static bool covers(const struct rg_prefix *prefix, const struct rg_addr *addr)
{
	for (uint32_t bit = 0; bit < prefix->len; bit++)
		if ((prefix->addr.bytes[bit / 8] ^ addr->bytes[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static struct trie_entry random_entry(uint64_t *seed, bool lists)
{
	uint64_t random = next_random(seed);
	struct trie_entry entry = { .prefix = { .len = random % 129, .addr = random_addr(seed) } };

	if (random >> 8 & 1)
		entry.prefix.len = 96 + random % 33;
	for (uint32_t bit = entry.prefix.len; bit < RG_ADDR_BITS; bit++)
		entry.prefix.addr.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	entry.expiry = expiry_in((random >> 16) % 5 < 3 ? -30 : 60);
	if (lists && (random >> 20) % 8 == 0)
		entry.expiry = 0;
	entry.peer_class = random >> 24 & 1 ? (lists ? RG_CLASS_APPROVED : RG_CLASS_CLEAN) :
					      RG_CLASS_BLOCKED;
	return entry;
}

static enum rg_class model_class(const struct trie_entry *entries, unsigned int count,
				 const struct rg_addr *addr)
{
	const struct trie_entry *best = NULL;

	for (unsigned int i = 0; i < count; i++)
		if (covers(&entries[i].prefix, addr) &&
		    (!entries[i].expiry || entries[i].expiry > run_now()) &&
		    (!best || entries[i].prefix.len > best->prefix.len))
			best = &entries[i];
	return best ? best->peer_class : RG_CLASS_NONE;
}

/* Puts random entries into one trie and the array; of equal prefixes the last one stays. */
static unsigned int plant(struct run *run, bool lists, struct trie_entry *entries, uint64_t *seed)
{
	unsigned int count = 0;

	for (int i = 0; i < TRIE_ENTRIES; i++) {
		struct trie_entry entry = random_entry(seed, lists);
		unsigned int at = 0;

		while (at < count && memcmp(&entries[at].prefix, &entry.prefix, sizeof(entry.prefix)))
			at++;
		entries[at] = entry;
		count += at == count;
		if (lists)
			put_list(run_maps(run).lists_now, &entry.prefix, entry.peer_class,
				 entry.expiry);
		else
			put_trie(run, &entry.prefix, entry.peer_class,
				 entry.peer_class == RG_CLASS_BLOCKED ? RG_ACTION_RESET :
									RG_ACTION_PASS,
				 entry.expiry);
	}
	return count;
}

static void check_tries(struct run *run, bool lists, uint64_t *seed)
{
	struct trie_entry entries[TRIE_ENTRIES];
	unsigned int count = plant(run, lists, entries, seed);

	for (int i = 0; i < TRIE_PROBES; i++) {
		struct rg_addr addr = random_addr(seed);
		enum rg_class peer_class = model_class(entries, count, &addr);
		bool v4 = addr.bytes[10] == 0xff;
		char text[64];
		int action;

		if (v4)
			snprintf(text, sizeof(text), "%u.%u.%u.%u", addr.bytes[12], addr.bytes[13],
				 addr.bytes[14], addr.bytes[15]);
		else
			snprintf(text, sizeof(text), "2001:db8:0:%x::%x", addr.bytes[7],
				 addr.bytes[14] << 8 | addr.bytes[15]);
		action = send_spec(run, &(struct packet_spec){ .from = text });
		if (action != (peer_class == RG_CLASS_NONE    ? XDP_DROP :
			       peer_class == RG_CLASS_BLOCKED ? XDP_TX :
								XDP_PASS))
			fail_msg("%s of class %d: action %d", text, peer_class, action);
	}
}

static void test_random_tries(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .blocked = RG_ACTION_RESET,
				       .no_samples = true };
	uint64_t seed = 0x7215eed;

	(void)state;
	for (int round = 0; round < TRIE_ROUNDS; round++)
		check_tries(fresh_run(&tuning), round % 2, &seed);
}

/* ---- resets of every shape ---- */

static void test_reset_shapes(void **state)
{
	const struct tuning tuning = { .blocked = RG_ACTION_RESET, .no_samples = true };
	struct run *run = fresh_run(&tuning);
	struct rg_prefix v4 = prefix_of("0.0.0.0", 0), v6 = prefix_of("2001:db8::", 32);
	static struct packet out, want;
	uint64_t seed = 0x2e5e7;

	(void)state;
	put_list(run_maps(run).lists_now, &v4, RG_CLASS_BLOCKED, 0);
	put_list(run_maps(run).lists_now, &v6, RG_CLASS_BLOCKED, 0);
	for (int i = 0; i < 2000; i++) {
		uint64_t random = next_random(&seed);
		bool six = random & 1;
		struct packet_spec spec = { .from = six ? "2001:db8:1:2::99" : NULL,
					    .vlans = (random >> 8) % 3,
					    .ip_options = six ? 0 : (random >> 16) % 11 * 4,
					    .tcp_options = (random >> 24) % 11 * 4,
					    .data = (random >> 32) % 300,
					    .padding = (random >> 48) % 20,
					    .port = (uint16_t)(random >> 40 | 1),
					    .extensions = { { random >> 52 & 1 ? EXT_OPTIONS : 0,
							      (uint16_t)(random >> 56) % 20 } } };
		struct packet_spec answer = { RST,
					      .vlans = spec.vlans,
					      ACK(spec.data),
					      .port = spec.port,
					      .from = six ? "2001:db8:25::25" : NULL,
					      .to = six ? spec.from : NULL };

		packet_build(&spec, &out);
		assert_int_equal(run_packet(run, i % 2 ? RUN_FILTER : RUN_FILTER_FRAGS, &out),
				 XDP_TX);
		packet_build(&answer, &want);
		assert_int_equal(out.len, want.len);
		assert_memory_equal(out.data, want.data, want.len);
		assert_true(packet_checksums_hold(out.data, out.len));
	}
}

/* One word of each sum takes every value: carries of carries, and sums of zero, are among them. */
static void test_reset_sums(void **state)
{
	const struct tuning tuning = { .blocked = RG_ACTION_RESET, .no_samples = true };
	struct run *run = fresh_run(&tuning);
	struct rg_prefix all = prefix_of("0.0.0.0", 0);
	static struct packet sent;

	(void)state;
	put_list(run_maps(run).lists_now, &all, RG_CLASS_BLOCKED, 0);
	for (unsigned int i = 0; i <= UINT16_MAX; i++) {
		char from[32];

		snprintf(from, sizeof(from), "203.254.%u.%u", i >> 8, i & 255);
		packet_build(&(struct packet_spec){ .from = from, .to = "223.255.254.253" }, &sent);
		assert_int_equal(run_packet(run, RUN_FILTER, &sent), XDP_TX);
		if (!packet_checksums_hold(sent.data, sent.len))
			fail_msg("wrong checksum in the answer to 203.254.%u.%u", i >> 8, i & 255);
	}
}

/* ---- two CPUs ---- */

#define RACE_ROUNDS 1500

/* The same SYN on two CPUs at once, of new or expired peers: one event is sent. */
static void check_race(const char *net, bool expired)
{
	static struct packet packets[RACE_ROUNDS];
	static struct run_events events;
	struct run *run = fresh_run(&(struct tuning){});

	for (int i = 0; i < RACE_ROUNDS; i++) {
		char from[32];
		struct packet_spec spec = { .from = from };
		struct entry entry = { PEERS, from, 32, RG_CLASS_CLEAN, 0, -1 };

		snprintf(from, sizeof(from), "%s.%d.%d", net, i >> 8, i & 255);
		packet_build(&spec, &packets[i]);
		if (expired)
			put_entry(run, &entry);
	}
	race(run, packets, RACE_ROUNDS);
	/* The second CPU finds the entry there, which is no failure of the map. */
	assert_int_equal(loss_count(run, RG_LOSS_PENDING_FAILED), 0);
	assert_int_equal(run_events(run, &events), 0);
	assert_int_equal(events.count, RACE_ROUNDS);
	assert_int_equal(count_of(run, RG_CLASS_CLEAN * RG_ACTION_MAX + RG_ACTION_PASS), 0);
}

static void test_race(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	check_race("198.18", false);
	check_race("198.19", true);
}

/* ---- all of them ---- */

static const struct CMUnitTest others[] = {
	cmocka_unit_test(test_ports),	     cmocka_unit_test(test_pending_mark),
	cmocka_unit_test(test_held_flows),   cmocka_unit_test(test_hits),
	cmocka_unit_test(test_no_details),   cmocka_unit_test(test_sample_limit),
	cmocka_unit_test(test_attempt_time), cmocka_unit_test(test_many_attempts),
	cmocka_unit_test(test_list_swap),    cmocka_unit_test(test_every_depth),
	cmocka_unit_test(test_random_tries), cmocka_unit_test(test_reset_shapes),
	cmocka_unit_test(test_reset_sums),   cmocka_unit_test(test_race),
};

int main(void)
{
	/* A new loss is this program's, until another one brings it about. */
	const uint64_t losses = (LOSS(MAX) - 1) & ~(ACTION_LOSSES | THROTTLE_LOSSES | STEER_LOSSES |
						    UNTESTABLE_LOSSES);

	use_programs(RUN_FILTERS | RUN_BIT(RUN_RELEASE) | RUN_BIT(RUN_MONITOR), RUN_FILTERS);
	return tests_main("filter", rows, COUNT(rows), others, COUNT(others), losses);
}
