/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf/parse.bpf.h on the host. Every packet lies in an allocation of its exact size, so that ASan
 * sees a byte read too far; besides the rows, a second parser, written from the RFCs
 * with indices instead of a cursor, must agree on every mutation.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/parse.bpf.h"

#include "packet.h"

#define MUTATIONS 1000000
/* As the kernel: the IP header falls on a multiple of 4 (NET_IP_ALIGN). */
#define ALIGNMENT 2

#define V6 .from = "2001:db8::1"
#define FLAGS_AT 13

struct outcome {
	enum rg_parsed parsed; /* of rg_parse(), or of rg_check_syn() if that found something */
	enum rg_loss loss;
	uint16_t dest_port; /* if SYN or SYN_FRAGMENT */
	struct rg_syn syn; /* if SYN */
};

struct row {
	const char *name;
	struct packet_spec packet;
	enum rg_parsed parsed;
	enum rg_loss loss;
	uint32_t data_len;
};

#define OTHER .parsed = RG_PARSED_OTHER
#define SYN .parsed = RG_PARSED_SYN
#define SYN_PART .parsed = RG_PARSED_SYN_FRAGMENT, .loss = RG_LOSS_FRAGMENT_SYN
#define SHORT_PART .parsed = RG_PARSED_SYN_FRAGMENT, .loss = RG_LOSS_FRAGMENT_SHORT
#define BAD(name) .parsed = RG_PARSED_BAD, .loss = RG_LOSS_##name
#define OBSCURE(name) .parsed = RG_PARSED_OBSCURE, .loss = RG_LOSS_##name

#define EXT2(a, b)           \
	{                    \
		{ a, 0 },    \
		{            \
			b, 0 \
		}            \
	}
#define HEADERS(count) .extensions = { [0 ...(count) - 1] = { EXT_OPTIONS, 0 } }
#define WALKED HEADERS(RG_MAX_EXT_HEADERS)
#define FRAG(word)                         \
	{                                  \
		{                          \
			EXT_FRAGMENT, word \
		}                          \
	}

static const struct row rows[] = {
	/* What is no TCP, or opens nothing. */
	{ "ARP", { .ethertype = 0x0806 }, OTHER },
	{ "IEEE 802.3 length", { .ethertype = 46 }, OTHER },
	{ "UDP", { .protocol = 17 }, OTHER },
	{ "UDP over IPv6", { V6, .protocol = 17 }, OTHER },
	{ "UDP, IPv6, after options", { V6, .protocol = 17, .extensions = EXT2(60, 43) }, OTHER },
	{ "no next header", { V6, .protocol = 59 }, OTHER },
	{ "ESP", { V6, .protocol = 50 }, OTHER },
	{ "ACK", { .flags = FLAG_ACK }, OTHER },
	{ "SYN+ACK", { .flags = FLAG_SYN | FLAG_ACK }, OTHER },
	{ "SYN+ACK, IPv6", { V6, .flags = FLAG_SYN | FLAG_ACK }, OTHER },
	{ "FIN", { .flags = FLAG_FIN }, OTHER },
	{ "RST", { .flags = FLAG_RST }, OTHER },
	/* RFC 9293, 3.10.7.2: a listener looks at RST first; and no reset is answered with one. */
	{ "SYN+RST", { .flags = FLAG_SYN | FLAG_RST }, OTHER },
	/* tcp_rcv_state_process(): a listener drops a SYN with FIN. */
	{ "SYN+FIN", { .flags = FLAG_SYN | FLAG_FIN }, OTHER },
	{ "SYN+FIN, IPv6", { V6, .flags = FLAG_SYN | FLAG_FIN }, OTHER },
	{ "no flag", { .flags = FLAG_NONE }, OTHER },

	/* What opens a connection. */
	{ "SYN", {}, SYN },
	{ "SYN, IPv6", { V6 }, SYN },
	{ "SYN+ECE+CWR", { .flags = FLAG_SYN | FLAG_ECE | FLAG_CWR }, SYN },
	{ "SYN+PSH+URG", { .flags = FLAG_SYN | FLAG_PSH | FLAG_URG }, SYN },
	{ "SYN with TCP options", { .tcp_options = 40 }, SYN },
	{ "SYN with data", { .tcp_options = 12, .data = 100 }, SYN, .data_len = 100 },
	{ "SYN with data, IPv6", { V6, .tcp_options = 12, .data = 7 }, SYN, .data_len = 7 },
	{ "padding is not data", { .padding = 6 }, SYN },

	/* VLAN tags. */
	{ "one tag", { .vlans = 1 }, SYN },
	{ "two tags", { .vlans = 2 }, SYN },
	{ "two tags, IPv6", { V6, .vlans = 2 }, SYN },
	{ "three tags", { .vlans = 3 }, SYN },
	{ "three tags, IPv6", { V6, .vlans = 3 }, SYN },
	{ "as many tags as are walked", { .vlans = RG_MAX_VLAN_TAGS }, SYN },
	{ "one tag more", { .vlans = RG_MAX_VLAN_TAGS + 1 }, OBSCURE(VLAN_TAGS) },
	{ "many tags", { .vlans = 40 }, OBSCURE(VLAN_TAGS) },
	{ "ARP behind three tags", { .vlans = 3, .ethertype = 0x0806 }, OTHER },
	{ "ARP behind a tag", { .vlans = 1, .ethertype = 0x0806 }, OTHER },

	/* IPv4 headers. */
	{ "IPv4 options", { .ip_options = 4 }, SYN },
	{ "most IPv4 options", { .ip_options = 40, .tcp_options = 40, .vlans = 2 }, SYN },
	{ "ihl 4", { .patches = { { LAYER_IP, 0, 0x44 } } }, BAD(BAD_IPV4) },
	{ "ihl 0", { .patches = { { LAYER_IP, 0, 0x40 } } }, BAD(BAD_IPV4) },
	{ "ihl beyond the frame", { .patches = { { LAYER_IP, 0, 0x4f } } }, BAD(BAD_IPV4) },
	{ "version 6 in IPv4", { .patches = { { LAYER_IP, 0, 0x65 } } }, BAD(BAD_IPV4) },
	{ "version 4 in IPv6", { V6, .patches = { { LAYER_IP, 0, 0x45 } } }, BAD(BAD_IPV6) },

	/* Lengths. */
	{ "total length 0", { .patches = { { LAYER_IP, 3, 0 } } }, BAD(BAD_TCP) },
	{ "total length 39", { .patches = { { LAYER_IP, 3, 39 } } }, BAD(BAD_TCP) },
	{ "total length past the frame", { .patches = { { LAYER_IP, 3, 41 } } }, BAD(BAD_LENGTH) },
	{ "the same, padded", { .patches = { { LAYER_IP, 3, 41 } }, .padding = 6 }, SYN, .data_len = 1 },
	{ "payload length 0 (jumbogram)", { V6, .patches = { { LAYER_IP, 5, 0 } } }, BAD(BAD_TCP) },
	{ "payload length 0 before hop-by-hop",
	  { V6, .extensions = { { EXT_HOP_BY_HOP, 0 } }, .padding = 3,
	    .patches = { { LAYER_IP, 5, 0 } } },
	  SYN,
	  .data_len = 3 },
	{ "payload length 0 before options",
	  { V6, .extensions = { { EXT_OPTIONS, 0 } }, .patches = { { LAYER_IP, 5, 0 } } },
	  BAD(BAD_TCP) },
	{ "payload length 19", { V6, .patches = { { LAYER_IP, 5, 19 } } }, BAD(BAD_TCP) },
	{ "payload length past the frame", { V6, .patches = { { LAYER_IP, 4, 1 } } }, BAD(BAD_LENGTH) },
	{ "payload ends within the options",
	  { V6, .extensions = EXT2(60, 60), .patches = { { LAYER_IP, 5, 12 } } },
	  BAD(BAD_TCP) },
	{ "doff 4", { .patches = { { LAYER_L4, 12, 0x40 } } }, BAD(BAD_TCP) },
	{ "doff 0", { .patches = { { LAYER_L4, 12, 0 } } }, BAD(BAD_TCP) },
	{ "doff past the packet", { .patches = { { LAYER_L4, 12, 0x60 } } }, BAD(BAD_TCP) },
	{ "doff past the packet, padded",
	  { .patches = { { LAYER_L4, 12, 0x60 } }, .padding = 6 },
	  BAD(BAD_TCP) },

	/* IPv6 extension headers. */
	{ "hop-by-hop", { V6, .extensions = { { EXT_HOP_BY_HOP, 0 } } }, SYN },
	{ "routing, 24 bytes", { V6, .extensions = { { EXT_ROUTING, 2 } } }, SYN },
	{ "longest options", { V6, .extensions = { { EXT_OPTIONS, 255 } } }, SYN },
	{ "authentication, 24 bytes", { V6, .extensions = { { EXT_AUTH, 4 } } }, SYN },
	{ "authentication, then options", { V6, .extensions = EXT2(EXT_AUTH, 60) }, SYN },
	{ "mobility, HIP, shim6", { V6, .extensions = { { 135, 0 }, { 139, 1 }, { 140, 2 } } }, SYN },
	{ "four headers, data", { V6, HEADERS(4), .data = 9 }, SYN, .data_len = 9 },
	{ "as many headers as are walked", { V6, WALKED }, SYN },
	{ "one more", { V6, HEADERS(RG_MAX_EXT_HEADERS + 1) }, OBSCURE(EXT_HEADERS) },
	{ "as many, then UDP", { V6, WALKED, .protocol = 17 }, OTHER },
	{ "one more, then UDP", { V6, HEADERS(RG_MAX_EXT_HEADERS + 1), .protocol = 17 }, OTHER },
	{ "one more, then no SYN", { V6, HEADERS(RG_MAX_EXT_HEADERS + 1), .flags = FLAG_ACK }, OTHER },
	{ "many, then UDP", { V6, HEADERS(RG_MOST_EXT_HEADERS), .protocol = 17 }, OTHER },
	{ "many", { V6, HEADERS(RG_MOST_EXT_HEADERS) }, OBSCURE(EXT_HEADERS) },
	{ "too many to see what is behind them",
	  { V6, HEADERS(RG_MOST_EXT_HEADERS + 1), .protocol = 17 },
	  OBSCURE(EXT_HEADERS) },
	{ "a header past the frame's end",
	  { V6, .extensions = { { 60, 0 } }, .patches = { { LAYER_IP, 41, 200 } } },
	  BAD(BAD_IPV6) },
	{ "a v4-mapped source", { .from = "::ffff:192.0.2.1" }, OBSCURE(BAD_IPV6) },
	{ "a v4-mapped source of UDP", { .from = "::ffff:192.0.2.1", .protocol = 17 }, OTHER },
	{ "a v4-mapped source of no SYN", { .from = "::ffff:192.0.2.1", .flags = FLAG_ACK }, OTHER },
	{ "a v4-compatible source", { .from = "::192.0.2.1" }, SYN },
	{ "nearly a v4-mapped source", { .from = "::1:ffff:192.0.2.1" }, SYN },

	/* Fragments. */
	{ "don't fragment", { .fragment = V4_DONT }, SYN },
	{ "first fragment", { .fragment = V4_MORE }, SYN_PART },
	{ "first fragment of no SYN", { .fragment = V4_MORE, .flags = FLAG_ACK }, OTHER },
	{ "first fragment, half a TCP header",
	  { .fragment = V4_MORE, .cut = 14 + 20 + 16 },
	  SHORT_PART },
	{ "the same of no SYN", { .fragment = V4_MORE, .flags = FLAG_ACK, .cut = 14 + 20 + 16 }, OTHER },
	{ "first fragment without flags",
	  { .fragment = V4_MORE, .flags = FLAG_ACK, .cut = 14 + 20 + 8 },
	  SHORT_PART },
	{ "the same in a padded frame",
	  { .fragment = V4_MORE, .flags = FLAG_ACK, .patches = { { LAYER_IP, 3, 28 } } },
	  SHORT_PART },
	{ "the flags in a padded frame",
	  { .fragment = V4_MORE, .flags = FLAG_ACK, .patches = { { LAYER_IP, 3, 36 } } },
	  OTHER },
	{ "first fragment without ports", { .fragment = V4_MORE, .cut = 14 + 20 + 7 }, BAD(BAD_TCP) },
	{ "the same by the IP header",
	  { .fragment = V4_MORE, .patches = { { LAYER_IP, 3, 27 } } },
	  BAD(BAD_TCP) },
	{ "later fragment, 8", { .fragment = 1 }, OBSCURE(FRAGMENT_OVERLAP) },
	{ "later fragment, 16", { .fragment = 2 | V4_MORE }, OBSCURE(FRAGMENT_OVERLAP) },
	{ "later fragment, 24", { .fragment = 3 }, OTHER },
	{ "last possible fragment", { .fragment = 0x1fff }, OTHER },
	{ "later fragment of UDP", { .fragment = 1, .protocol = 17 }, OTHER },
	{ "atomic fragment, IPv6", { V6, .extensions = FRAG(0) }, SYN },
	{ "atomic fragment of no SYN, IPv6", { V6, .extensions = FRAG(0), .flags = FLAG_ACK }, OTHER },
	{ "reserved bits are not an offset, IPv6", { V6, .extensions = FRAG(0x0006) }, SYN },
	{ "first fragment, IPv6", { V6, .extensions = FRAG(V6_MORE) }, SYN_PART },
	{ "first fragment, options behind it, IPv6",
	  { V6, .extensions = { { EXT_FRAGMENT, V6_MORE }, { 60, 1 } } },
	  SYN_PART },
	{ "first fragment of no SYN, IPv6",
	  { V6, .extensions = FRAG(V6_MORE), .flags = FLAG_ACK },
	  OTHER },
	{ "first fragment, half a TCP header, IPv6",
	  { V6, .extensions = FRAG(V6_MORE), .cut = 14 + 48 + 16 },
	  SHORT_PART },
	{ "the same in a padded frame, IPv6",
	  { V6, .extensions = FRAG(V6_MORE), .flags = FLAG_ACK, .patches = { { LAYER_IP, 5, 16 } } },
	  SHORT_PART },
	{ "first fragment without ports, IPv6",
	  { V6, .extensions = FRAG(V6_MORE), .patches = { { LAYER_IP, 5, 15 } } },
	  BAD(BAD_TCP) },
	{ "first fragment ends within the options, IPv6",
	  { V6, .extensions = { { EXT_FRAGMENT, V6_MORE }, { 60, 3 } }, .cut = 14 + 48 + 16 },
	  OBSCURE(FRAGMENT_SHORT) },
	{ "later fragment, 8, IPv6", { V6, .extensions = FRAG(8) }, OBSCURE(FRAGMENT_OVERLAP) },
	{ "later fragment, 16, IPv6",
	  { V6, .extensions = FRAG(16 | V6_MORE) },
	  OBSCURE(FRAGMENT_OVERLAP) },
	{ "later fragment, 24, IPv6", { V6, .extensions = FRAG(24) }, OTHER },
	{ "later fragment of UDP, IPv6", { V6, .extensions = FRAG(8), .protocol = 17 }, OTHER },
};

/*
 * What the filter does with a frame, in its order; data..data + len is an exact allocation. reading: how it
 * begins. It goes on by copies if the first buffer, of linear bytes, is too short.
 */
static struct outcome judge(enum rg_reading reading, uint8_t *data, size_t linear, size_t len)
{
	bool copies = reading == RG_READING_COPIES;
	struct rg_copies headers;
	struct rg_cursor cursor = { .reading = reading,
				    .pos = data,
				    .end = data + linear,
				    .frame = (struct xdp_md *)data,
				    .len = (uint32_t)(copies ? len : linear),
				    .copies = &headers };
	struct rg_packet packet = {};
	struct outcome outcome = { .parsed = rg_parse(&packet, &cursor, RG_LINK_ETHERNET) };

	if (outcome.parsed == RG_PARSED_SYN || outcome.parsed == RG_PARSED_SYN_FRAGMENT)
		outcome.dest_port = bpf_ntohs(packet.tcp->dest);
	if (outcome.parsed == RG_PARSED_SYN)
		outcome.parsed = rg_check_syn(&packet, &cursor);
	if (outcome.parsed == RG_PARSED_SYN)
		rg_describe(&packet, &outcome.syn);
	if (outcome.parsed == RG_PARSED_CUT && !copies)
		return judge(RG_READING_COPIES, data, linear, len);
	if (outcome.parsed == RG_PARSED_CUT)
		outcome.parsed = packet.otherwise;
	if (outcome.parsed != RG_PARSED_OTHER && outcome.parsed != RG_PARSED_SYN)
		outcome.loss = packet.loss;
	return outcome;
}

static bool agrees(const struct outcome *a, const struct outcome *b);

/* The first buffer may end anywhere. Some ends are enough in each of many frames. */
static void check_splits(uint8_t *data, size_t len, const struct outcome *want)
{
	static size_t linear;

	for (int i = 0; i < 3; i++) {
		struct outcome got;

		linear = (linear + 7) % (len + 1);
		got = judge(i ? RG_READING_IN_PLACE : RG_READING_COPIES, data, linear, len);
		if (!agrees(&got, want))
			fail_msg("%zu of %zu bytes in the first buffer: %d/%d, not %d/%d", linear,
				 len, got.parsed, got.loss, want->parsed, want->loss);
	}
}

/* judge() in an allocation that ends where the frame does. */
static struct outcome judge_exactly(const uint8_t *frame, size_t len)
{
	uint8_t *copy = malloc(len + ALIGNMENT);
	struct outcome outcome;

	assert_non_null(copy);
	memcpy(copy + ALIGNMENT, frame, len);
	outcome = judge(RG_READING_IN_PLACE, copy + ALIGNMENT, len, len);
	check_splits(copy + ALIGNMENT, len, &outcome);
	free(copy);
	return outcome;
}

/* ---- the second parser ---- */

struct model {
	const uint8_t *frame;
	size_t len;
	size_t at; /* where the next header begins */
	size_t l3_len;
	long tcp_len;
	bool first, six, mapped;
	int headers;
};

static unsigned int get16(const uint8_t *bytes)
{
	return bytes[0] * 256u + bytes[1];
}

static struct outcome model_bad(enum rg_loss loss)
{
	return (struct outcome){ .parsed = RG_PARSED_BAD, .loss = loss };
}

static const struct outcome model_other = { .parsed = RG_PARSED_OTHER };

static struct outcome model_obscure(enum rg_loss loss)
{
	return (struct outcome){ .parsed = RG_PARSED_OBSCURE, .loss = loss };
}

static bool model_opens(const uint8_t *tcp)
{
	return (tcp[FLAGS_AT] & (FLAG_SYN | FLAG_ACK | FLAG_RST | FLAG_FIN)) == FLAG_SYN;
}

/* The bytes of TCP that are there by the frame and by the IP header decide. */
static struct outcome model_first(const struct model *m)
{
	long there = (long)(m->len - m->at);

	if (there > m->tcp_len)
		there = m->tcp_len;
	if (there < 8)
		return model_bad(RG_LOSS_BAD_TCP);
	if (there > FLAGS_AT && !model_opens(m->frame + m->at))
		return model_other;
	return (struct outcome){ .parsed = RG_PARSED_SYN_FRAGMENT,
				 .loss = there < 20 ? RG_LOSS_FRAGMENT_SHORT : RG_LOSS_FRAGMENT_SYN,
				 .dest_port = (uint16_t)get16(m->frame + m->at + 2) };
}

static struct outcome model_tcp(struct model *m, size_t l3)
{
	const uint8_t *tcp = m->frame + m->at;
	uint32_t data_len;
	long header;

	if (m->first)
		return model_first(m);
	if (m->at + 20 > m->len)
		return model_bad(RG_LOSS_BAD_TCP);
	if (!model_opens(tcp))
		return model_other;
	if (m->six && m->l3_len == 40 && m->frame[l3 + 6] == 0) {
		m->tcp_len = (long)(m->len - m->at);
		m->l3_len = m->len - l3;
	}
	header = (tcp[12] >> 4) * 4;
	if (m->tcp_len < 20 || header < 20 || header > m->tcp_len)
		return model_bad(RG_LOSS_BAD_TCP);
	if (l3 + m->l3_len > m->len)
		return model_bad(RG_LOSS_BAD_LENGTH);
	if (m->headers > RG_MAX_EXT_HEADERS)
		return model_obscure(RG_LOSS_EXT_HEADERS);
	if (m->mapped)
		return model_obscure(RG_LOSS_BAD_IPV6);
	data_len = (uint32_t)(m->tcp_len - header);
	return (struct outcome){ .parsed = RG_PARSED_SYN,
				 .dest_port = (uint16_t)get16(tcp + 2),
				 .syn = { .data_len = data_len,
					  .l3_offset = (uint32_t)l3,
					  .source_port = (uint16_t)get16(tcp),
					  .dest_port = (uint16_t)get16(tcp + 2) } };
}

static struct outcome model_v4(struct model *m, size_t l3)
{
	const uint8_t *ip = m->frame + l3;
	size_t header;
	unsigned int offset;

	if (l3 + 20 > m->len || ip[0] < 0x45 || ip[0] > 0x4f)
		return model_bad(RG_LOSS_BAD_IPV4);
	if (ip[9] != 6)
		return model_other;
	header = (ip[0] - 0x40u) * 4;
	if (l3 + header > m->len)
		return model_bad(RG_LOSS_BAD_IPV4);
	m->l3_len = get16(ip + 2);
	m->tcp_len = (long)m->l3_len - (long)header;
	m->at = l3 + header;
	m->first = ip[6] & 0x20;
	offset = get16(ip + 6) % 0x2000 * 8;
	if (offset)
		return offset < 20 ? model_obscure(RG_LOSS_FRAGMENT_OVERLAP) : model_other;
	return model_tcp(m, l3);
}

static bool model_is_extension(unsigned int type)
{
	return type == 0 || type == 43 || type == 51 || type == 60 || type == 135 || type == 139 ||
	       type == 140;
}

/* One header of the chain; sets type to the next one. false: the outcome is known. */
static bool model_step(struct model *m, unsigned int *type, struct outcome *outcome)
{
	const uint8_t *header = m->frame + m->at;
	size_t size = 8;

	*outcome = m->first ? model_obscure(RG_LOSS_FRAGMENT_SHORT) : model_bad(RG_LOSS_BAD_IPV6);
	if (m->at + 8 > m->len)
		return false;
	if (*type == EXT_FRAGMENT) {
		unsigned int word = get16(header + 2), offset = word & ~7u;

		if (offset) {
			*outcome = header[0] == 6 && offset < 20 ?
					   model_obscure(RG_LOSS_FRAGMENT_OVERLAP) :
					   model_other;
			return false;
		}
		m->first |= word & 1;
	} else {
		size = *type == EXT_AUTH ? header[1] * 4u + 8 : header[1] * 8u + 8;
	}
	if (m->at + size > m->len)
		return false;
	*type = header[0];
	m->at += size;
	m->tcp_len -= (long)size;
	return true;
}

static struct outcome model_v6(struct model *m, size_t l3)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *ip = m->frame + l3;
	struct outcome outcome;
	unsigned int type;

	if (l3 + 40 > m->len || ip[0] >> 4 != 6)
		return model_bad(RG_LOSS_BAD_IPV6);
	m->six = true;
	m->mapped = !memcmp(ip + 8, mapped, 12);
	m->tcp_len = (long)get16(ip + 4);
	m->l3_len = get16(ip + 4) + 40;
	m->at = l3 + 40;
	type = ip[6];
	for (; type != 6; m->headers++) {
		if (type != EXT_FRAGMENT && !model_is_extension(type))
			return model_other;
		if (m->headers == RG_MOST_EXT_HEADERS)
			return model_obscure(RG_LOSS_EXT_HEADERS);
		if (!model_step(m, &type, &outcome))
			return outcome;
	}
	return model_tcp(m, l3);
}

static struct outcome model_judge(const uint8_t *frame, size_t len)
{
	struct model m = { .frame = frame, .len = len };
	size_t l3 = 14;

	for (int tags = 0; l3 <= len; tags++) {
		unsigned int type = get16(frame + l3 - 2);

		if (type != 0x8100 && type != 0x88a8)
			break;
		if (tags == RG_MAX_VLAN_TAGS)
			return model_obscure(RG_LOSS_VLAN_TAGS);
		l3 += 4;
	}
	if (l3 > len)
		return model_other;
	if (get16(frame + l3 - 2) == 0x0800)
		return model_v4(&m, l3);
	if (get16(frame + l3 - 2) == 0x86dd)
		return model_v6(&m, l3);
	return model_other;
}

static bool agrees(const struct outcome *a, const struct outcome *b)
{
	return a->parsed == b->parsed && a->loss == b->loss &&
	       (a->parsed != RG_PARSED_SYN_FRAGMENT || a->dest_port == b->dest_port) &&
	       (a->parsed != RG_PARSED_SYN ||
		(a->dest_port == b->dest_port && a->syn.data_len == b->syn.data_len &&
		 a->syn.l3_offset == b->syn.l3_offset && a->syn.source_port == b->syn.source_port &&
		 a->syn.dest_port == b->syn.dest_port));
}

static void fail_frame(const char *what, const uint8_t *frame, size_t len,
		       const struct outcome *got, const struct outcome *want)
{
	print_error("%s: %d/%d, not %d/%d; %zu bytes:", what, got->parsed, got->loss, want->parsed,
		    want->loss, len);
	for (size_t i = 0; i < len && i < 160; i++)
		print_error("%s%02x", i % 16 ? " " : "\n", frame[i]);
	fail_msg("%s", what);
}

static void compare_with_model(const char *what, const uint8_t *frame, size_t len)
{
	struct outcome got = judge_exactly(frame, len), want = model_judge(frame, len);

	if (!agrees(&got, &want))
		fail_frame(what, frame, len, &got, &want);
}

/* ---- the tests ---- */

static void test_rows(void **state)
{
	static struct packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct outcome want = { .parsed = row->parsed, .loss = row->loss }, got;

		packet_build(&row->packet, &packet);
		got = judge_exactly(packet.data, packet.len);
		if (got.parsed != want.parsed || got.loss != want.loss)
			fail_frame(row->name, packet.data, packet.len, &got, &want);
		if (got.parsed == RG_PARSED_SYN || got.parsed == RG_PARSED_SYN_FRAGMENT)
			assert_int_equal(got.dest_port, PACKET_LOCAL_PORT);
		if (got.parsed == RG_PARSED_SYN && got.syn.data_len != row->data_len)
			fail_msg("%s: %u bytes of data", row->name, got.syn.data_len);
		compare_with_model(row->name, packet.data, packet.len);
	}
}

/* Half a SYN is never a SYN; and no length makes the parser read past the end. */
static void test_every_truncation(void **state)
{
	static struct packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		packet_build(&rows[i].packet, &packet);
		for (size_t len = 0; len <= packet.len; len++) {
			struct outcome got = judge_exactly(packet.data, len);

			compare_with_model(rows[i].name, packet.data, len);
			if (got.parsed == RG_PARSED_SYN && len < packet.len - rows[i].packet.padding)
				fail_msg("%s: a SYN in %zu of %zu bytes", rows[i].name, len,
					 packet.len);
		}
	}
}

static void test_every_flag(void **state)
{
	static struct packet packet;

	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct packet_spec spec = { .flags = (uint16_t)(flags | FLAG_NONE) };
		bool opens = (flags & (FLAG_SYN | FLAG_ACK | FLAG_RST | FLAG_FIN)) == FLAG_SYN;

		packet_build(&spec, &packet);
		assert_int_equal(judge_exactly(packet.data, packet.len).parsed,
				 opens ? RG_PARSED_SYN : RG_PARSED_OTHER);
	}
}

static void check_facts(const struct packet_spec *spec, const char *from, const char *to,
			uint32_t version)
{
	static struct packet packet;
	struct rg_addr source = packet_addr(from), dest = packet_addr(to);
	struct outcome got;

	packet_build(spec, &packet);
	got = judge_exactly(packet.data, packet.len);
	assert_int_equal(got.parsed, RG_PARSED_SYN);
	assert_memory_equal(&got.syn.source, &source, sizeof(source));
	assert_memory_equal(&got.syn.dest, &dest, sizeof(dest));
	assert_int_equal(got.syn.version, version);
	assert_int_equal(got.syn.l3_offset, 14 + 4 * spec->vlans);
	assert_int_equal(got.syn.seq, PACKET_SEQ);
	assert_int_equal(got.syn.source_port, 0xabcd);
	assert_int_equal(got.syn.dest_port, 0x1234);
	assert_int_equal(got.syn.data_len, 5);
}

static void test_facts(void **state)
{
	struct packet_spec v4 = { .from = "192.0.2.200",
				  .to = "203.0.113.9",
				  .vlans = 1,
				  .ip_options = 8,
				  .tcp_options = 8,
				  .data = 5,
				  .padding = 3,
				  .port = 0xabcd,
				  .local_port = 0x1234 };
	struct packet_spec v6 = { .from = "2001:db8:1::2",
				  .to = "2001:db8:3::4",
				  .vlans = 2,
				  .extensions = EXT2(60, 43),
				  .tcp_options = 8,
				  .data = 5,
				  .port = 0xabcd,
				  .local_port = 0x1234 };

	(void)state;
	check_facts(&v4, "192.0.2.200", "203.0.113.9", 4);
	check_facts(&v6, "2001:db8:1::2", "2001:db8:3::4", 6);
}

/* xorshift64: the same mutations on every machine. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Mostly the header bytes, mostly values that mean something there. */
static void mutate(uint8_t *frame, size_t *len, uint64_t *seed)
{
	static const uint8_t telling[] = { 0,	 1,    2,    3,	   4,	 6,    8,   17,
					   20,	 32,   40,   43,   44,	 51,   60,  64,
					   0x45, 0x46, 0x60, 0x81, 0x88, 0xdd, 0xff };
	uint64_t random = next_random(seed);
	unsigned int changes = random % 5;

	if (random % 7 == 0)
		*len = (random >> 32) % (*len + 1);
	for (unsigned int i = 0; *len && i < changes; i++) {
		size_t window = *len < 110 ? *len : 110, at;

		random = next_random(seed);
		at = (random >> 8) % window;
		if (random % 3)
			frame[at] = telling[(random >> 40) % sizeof(telling)];
		else
			frame[at] ^= (uint8_t)(1 << ((random >> 40) % 8));
	}
}

static void test_mutations(void **state)
{
	enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
	static struct packet packets[COUNT];
	uint64_t seed = 0x5eed5eed5eedULL;
	uint8_t frame[512];

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		packet_build(&rows[i].packet, &packets[i]);
	for (int i = 0; i < MUTATIONS; i++) {
		const struct packet *packet = &packets[next_random(&seed) % COUNT];
		size_t len = packet->len < sizeof(frame) ? packet->len : sizeof(frame);

		memcpy(frame, packet->data, len);
		mutate(frame, &len, &seed);
		compare_with_model("mutation", frame, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_flag), cmocka_unit_test(test_facts),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
