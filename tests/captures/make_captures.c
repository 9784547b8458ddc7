/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes captures of odd frames to the filtered ports of tests/captures, and of the usual ones.
 *
 *   make_captures DIRECTORY
 *
 * Each kind of oddity is a function below. The files are the same each time.
 */
#include "capture.h"
#include "packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SIX .from = "2001:db8:1:2::99"
#define MAX_FRAME 9400 /* bytes: a jumbo frame in a tunnel */

static struct capture all; /* of the file that is being made */

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(EXIT_FAILURE);
}

static void add(const uint8_t *data, size_t len)
{
	must(capture_add(&all, LINK_ETHERNET, data, len), "capture_add");
}

static void add_spec(const struct packet_spec *spec)
{
	static struct packet packet;

	packet_build(spec, &packet);
	add(packet.data, packet.len);
}

/* The same for both families. */
static void add_both(struct packet_spec spec)
{
	add_spec(&spec);
	spec.from = "2001:db8:1:2::99";
	add_spec(&spec);
}

/* ---- TCP ---- */

static void make_usual(void)
{
	static const uint16_t ports[] = { 25, 465, 587, 80, 443, 24, 26, 110, 8080, 1, 65535, 6400 };
	static const uint16_t flags[] = { FLAG_SYN,
					  FLAG_SYN | FLAG_ACK,
					  FLAG_ACK,
					  FLAG_FIN | FLAG_ACK,
					  FLAG_RST,
					  FLAG_RST | FLAG_ACK,
					  FLAG_PSH | FLAG_ACK,
					  FLAG_SYN | FLAG_ECE | FLAG_CWR };
	static const uint8_t protocols[] = { 1, 2, 17, 33, 47, 50, 51, 58, 59, 88, 132, 136, 255 };

	for (size_t i = 0; i < COUNT(ports); i++)
		for (size_t j = 0; j < COUNT(flags); j++)
			add_both((struct packet_spec){ .local_port = ports[i],
						       .flags = flags[j],
						       .tcp_options = 20 });
	for (size_t i = 0; i < COUNT(protocols); i++)
		add_both((struct packet_spec){ .protocol = protocols[i] });
}

/* For links that have nothing odd about them but their own header. */
static void make_few(void)
{
	static const uint16_t flags[] = { FLAG_SYN, FLAG_SYN | FLAG_ACK, FLAG_ACK };

	for (size_t i = 0; i < COUNT(flags); i++) {
		add_both((struct packet_spec){ .flags = flags[i], .tcp_options = 20 });
		add_both((struct packet_spec){ .flags = flags[i], .local_port = 24 });
		add_both((struct packet_spec){ .flags = flags[i], .data = 300 });
		add_both((struct packet_spec){ .flags = flags[i], .protocol = 17 });
	}
}

static void make_tcp(void)
{
	for (unsigned int flags = 0; flags < 256; flags++)
		add_both((struct packet_spec){ .flags = flags ? (uint16_t)flags : FLAG_NONE });
	for (unsigned int doff = 0; doff < 256; doff++)
		add_both((struct packet_spec){ .tcp_options = doff & 1 ? 40 : 0,
					       .patches = { { LAYER_L4, 12, (uint8_t)doff } } });
	for (unsigned int kind = 0; kind < 256; kind += 3) /* the first option's kind and length */
		add_both((struct packet_spec){ .tcp_options = 12,
					       .patches = { { LAYER_L4, 20, (uint8_t)kind },
							    { LAYER_L4, 21, (uint8_t)(kind * 7) } } });
	for (unsigned int data = 1; data < 9000; data = data * 2 + 1)
		add_both((struct packet_spec){ .data = data, .tcp_options = 8 });
	for (unsigned int padding = 1; padding < 40; padding += 3)
		add_both((struct packet_spec){ .padding = padding });
	for (int sums = SUMS_RIGHT; sums <= SUMS_WRONG_IP; sums++)
		for (unsigned int data = 0; data < 3; data++)
			add_both((struct packet_spec){ .sums = (enum packet_sums)sums, .data = data });
	for (int at = 0; at < 20; at++) /* each byte of the header */
		for (int value = 0; value < 256; value += 0x55)
			add_both((struct packet_spec){
				.patches = { { LAYER_L4, (uint16_t)at, (uint8_t)value } } });
}

/* ---- IP ---- */

static void make_ip(void)
{
	static const uint8_t options[] = { 0, 1, 7, 68, 130, 131, 136, 137, 148, 222 };

	for (unsigned int byte = 0; byte < 256; byte++) /* version and length, or version and class */
		add_both((struct packet_spec){ .ip_options = byte & 0x10 ? 20 : 0,
					       .patches = { { LAYER_IP, 0, (uint8_t)byte } } });
	for (unsigned int dscp = 0; dscp < 256; dscp += 3)
		add_both((struct packet_spec){ .tos = (uint16_t)TOS(dscp) });
	for (unsigned int size = 4; size <= 40; size += 4)
		for (size_t i = 0; i < COUNT(options); i++)
			add_spec(&(struct packet_spec){
				.ip_options = size,
				.patches = { { LAYER_IP, 20, options[i] },
					     { LAYER_IP, 21, (uint8_t)(i & 1 ? size : 3) },
					     { LAYER_IP, 22, 4 } } });
	for (unsigned int ttl = 0; ttl < 3; ttl++) {
		add_spec(&(struct packet_spec){ .patches = { { LAYER_IP, 8, (uint8_t)ttl } } });
		add_spec(&(struct packet_spec){ SIX, .patches = { { LAYER_IP, 7, (uint8_t)ttl } } });
	}
	for (int at = 0; at < 20; at++)
		for (int value = 0; value < 256; value += 0x33)
			add_spec(&(struct packet_spec){
				.patches = { { LAYER_IP, (uint16_t)at, (uint8_t)value } } });
	for (int at = 0; at < 40; at++)
		for (int value = 0; value < 256; value += 0x55)
			add_spec(&(struct packet_spec){
				SIX, .patches = { { LAYER_IP, (uint16_t)at, (uint8_t)value } } });
}

static void make_lengths(void)
{
	for (unsigned int len = 0; len < 100; len++) {
		add_spec(&(struct packet_spec){ .tcp_options = 20,
						.patches = { { LAYER_IP, 3, (uint8_t)len } } });
		add_spec(&(struct packet_spec){ SIX, .tcp_options = 20,
						.patches = { { LAYER_IP, 5, (uint8_t)len } } });
		add_spec(&(struct packet_spec){ SIX, .extensions = { { EXT_HOP_BY_HOP, 0 } },
						.patches = { { LAYER_IP, 5, (uint8_t)len } } });
		add_spec(&(struct packet_spec){ /* a length that a chain of headers goes beyond */
						SIX,
						.extensions = { { EXT_OPTIONS, (uint16_t)len } } });
	}
	for (unsigned int high = 1; high < 256; high *= 2) {
		add_spec(&(struct packet_spec){ .patches = { { LAYER_IP, 2, (uint8_t)high } } });
		add_spec(&(struct packet_spec){ SIX, .patches = { { LAYER_IP, 4, (uint8_t)high } } });
	}
}

static void make_addresses(void)
{
	static const char *const four[] = { "0.0.0.0",	       "127.0.0.1",    "224.0.0.1",
					    "255.255.255.255", "240.0.0.1",    "10.0.0.1",
					    "169.254.1.1",     "198.51.100.25" };
	static const char *const six[] = {
		"::",	   "::1",     "::192.0.2.1",	    "::ffff:0:192.0.2.1", "fe80::1",
		"ff02::1", "fc00::1", "64:ff9b::192.0.2.1", "2002:c000:201::1",	  "2001:db8:25::25"
	};
	static const uint16_t mapped[] = { 0, FLAG_ACK };

	for (size_t i = 0; i < COUNT(four); i++)
		for (size_t j = 0; j < COUNT(four); j++)
			add_spec(&(struct packet_spec){ .from = four[i], .to = four[j] });
	for (size_t i = 0; i < COUNT(six); i++)
		for (size_t j = 0; j < COUNT(six); j++)
			add_spec(&(struct packet_spec){ .from = six[i], .to = six[j] });
	for (size_t i = 0; i < COUNT(mapped); i++) {
		struct packet_spec spec = { SIX, .flags = mapped[i],
					    .patches = { { LAYER_IP, 18, 0xff },
							 { LAYER_IP, 19, 0xff } } };
		static struct packet packet;

		packet_build(&spec, &packet);
		memset(packet.data + packet.l3 + 8, 0, 10); /* ::ffff:0:99, a mapped source */
		add(packet.data, packet.len);
		packet.data[packet.l3 + 6] = 17; /* the same with UDP */
		add(packet.data, packet.len);
		packet_build(&spec, &packet);
		memset(packet.data + packet.l3 + 24, 0, 10); /* a mapped destination */
		memset(packet.data + packet.l3 + 34, 0xff, 2);
		add(packet.data, packet.len);
	}
}

/* ---- IPv6 extension headers ---- */

static const uint16_t types[] = { EXT_HOP_BY_HOP, EXT_OPTIONS, EXT_ROUTING, EXT_FRAGMENT,
				  EXT_AUTH,	  135,	       139,	    140 };

/* All orders of up to depth headers more, behind those that the spec has. */
static void add_orders(struct packet_spec *spec, unsigned int count, unsigned int depth)
{
	for (size_t i = 0; depth && i < COUNT(types); i++) {
		spec->extensions[count] = (struct packet_extension){ types[i], 0 };
		add_spec(spec);
		add_orders(spec, count + 1, depth - 1);
	}
	spec->extensions[count] = (struct packet_extension){ 0, 0 };
}

static void make_extensions(void)
{
	static const uint8_t unknown[] = { 41, 50, 59, 61, 99, 150, 253, 255 };
	struct packet_spec spec = { SIX };

	add_orders(&spec, 0, 3);
	for (unsigned int count = 1; count <= PACKET_EXTENSIONS; count += count > 12 ? 7 : 1) {
		struct packet_spec chain = { SIX };

		for (unsigned int i = 0; i < count; i++)
			chain.extensions[i] = (struct packet_extension){ EXT_OPTIONS, 0 };
		add_spec(&chain);
		chain.flags = FLAG_ACK;
		add_spec(&chain);
		chain.extensions[count / 2] = (struct packet_extension){ EXT_FRAGMENT, V6_MORE };
		add_spec(&chain);
	}
	for (unsigned int word = 0; word < 64; word++)
		for (size_t i = 0; i < 2; i++)
			add_spec(&(struct packet_spec){
				SIX, .extensions = { { EXT_FRAGMENT, (uint16_t)word },
						     { i ? EXT_OPTIONS : 0, 0 } } });
	for (size_t i = 0; i < COUNT(unknown); i++)
		add_spec(&(struct packet_spec){ SIX, .protocol = unknown[i],
						.extensions = { { EXT_OPTIONS, 0 } } });
}

/* ---- fragments ---- */

/*
 * A fragment of a SYN (or another segment) with 32 bytes of TCP: those from 8 * offset on, len of them. id
 * tells datagrams apart.
 */
static void add_fragment(bool six, uint16_t flags, unsigned int offset, bool more, unsigned int len,
			 unsigned int id)
{
	struct packet_spec spec = { .flags = flags,
				    .data = 12,
				    .from = six ? "2001:db8:1:2::99" : NULL };
	static struct packet whole, part;
	size_t headers;

	packet_build(&spec, &whole);
	if (six)
		spec.extensions[0] =
			(struct packet_extension){ EXT_FRAGMENT, (uint16_t)(offset << 3 | more) };
	spec.fragment = (uint16_t)(offset | (more ? V4_MORE : 0));
	packet_build(&spec, &part);
	headers = part.l4;
	for (size_t i = 0; i < len; i++) {
		size_t from = whole.l4 + 8 * offset + i;

		part.data[headers + i] = from < whole.len ? whole.data[from] : 0;
	}
	part.len = headers + len;
	if (six) {
		part.data[part.l3 + 5] = (uint8_t)(8 + len);
		part.data[headers - 1] = (uint8_t)id;
	} else {
		uint32_t sum = 0;

		part.data[part.l3 + 3] = (uint8_t)(20 + len);
		part.data[part.l3 + 5] = (uint8_t)id;
		memset(part.data + part.l3 + 10, 0, 2);
		for (size_t i = 0; i < 20; i += 2)
			sum += (uint32_t)part.data[part.l3 + i] << 8 | part.data[part.l3 + i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		sum = 0xffff - ((sum & 0xffff) + (sum >> 16));
		part.data[part.l3 + 10] = (uint8_t)(sum >> 8);
		part.data[part.l3 + 11] = (uint8_t)sum;
	}
	add(part.data, part.len);
}

static void make_fragments(void)
{
	for (int six = 0; six < 2; six++) {
		unsigned int id = 1;

		for (unsigned int offset = 0; offset < 5; offset++)
			for (unsigned int len = 0; len <= 32; len++) {
				add_fragment(six, FLAG_SYN, offset, true, len, 250);
				add_fragment(six, FLAG_SYN, offset, false, len, 251);
				add_fragment(six, FLAG_ACK, offset, true, len, 252);
			}
		for (unsigned int cut = 1; cut < 4; cut++) {
			/* In order, in the other order, twice, and with an overlap of 8 bytes. */
			add_fragment(six, FLAG_SYN, 0, true, 8 * cut, ++id);
			add_fragment(six, FLAG_SYN, cut, false, 32 - 8 * cut, id);
			add_fragment(six, FLAG_SYN, cut, false, 32 - 8 * cut, ++id);
			add_fragment(six, FLAG_SYN, 0, true, 8 * cut, id);
			add_fragment(six, FLAG_SYN, 0, true, 8 * cut, ++id);
			add_fragment(six, FLAG_SYN, 0, true, 8 * cut, id);
			add_fragment(six, FLAG_SYN, cut, false, 32 - 8 * cut, id);
			/* A harmless first fragment, and another first one, or a second one that overwrites it. */
			add_fragment(six, FLAG_ACK, 0, true, 8 * cut, ++id);
			add_fragment(six, FLAG_SYN, 0, true, 8 * cut, id);
			add_fragment(six, FLAG_SYN, cut, false, 32 - 8 * cut, id);
			add_fragment(six, FLAG_ACK, 0, true, 24, ++id);
			add_fragment(six, FLAG_SYN, cut, false, 32 - 8 * cut, id);
			add_fragment(six, FLAG_SYN, cut, false, 32 - 8 * cut, ++id);
			add_fragment(six, FLAG_ACK, 0, true, 24, id);
		}
	}
}

/* ---- links and tunnels ---- */

/* What is between the MAC addresses and the rest, and replaces the first skip bytes of the rest. */
static void add_between(const struct packet_spec *spec, size_t skip, const void *bytes, size_t len)
{
	static uint8_t frame[MAX_FRAME];
	static struct packet packet;

	packet_build(spec, &packet);
	memcpy(frame, packet.data, 12);
	memcpy(frame + 12, bytes, len);
	memcpy(frame + 12 + len, packet.data + 12 + skip, packet.len - 12 - skip);
	add(frame, packet.len - skip + len);
}

static void make_vlans(void)
{
	static const uint16_t outer[] = { 0x8100, 0x88a8, 0x9100, 0x88a8 };
	static const uint16_t inner[] = { 0x8100, 0x88a8, 0x8100, 0x8100 };
	static const uint16_t infos[] = { 0, 100, 0xe000, 0x1000, 0xffff };

	for (unsigned int tags = 0; tags <= 12; tags++)
		for (size_t kind = 0; kind < COUNT(outer); kind++)
			for (size_t info = 0; info < COUNT(infos); info++) {
				struct packet_spec four = { 0 }, six = { SIX };
				uint8_t bytes[12 * 4];

				for (unsigned int i = 0; i < tags; i++) {
					uint16_t type = i ? inner[kind] : outer[kind];

					bytes[4 * i] = (uint8_t)(type >> 8);
					bytes[4 * i + 1] = (uint8_t)type;
					bytes[4 * i + 2] = (uint8_t)(infos[info] >> 8);
					bytes[4 * i + 3] = (uint8_t)infos[info];
				}
				add_between(&four, 0, bytes, 4 * tags);
				add_between(&six, 0, bytes, 4 * tags);
				four.flags = FLAG_ACK;
				add_between(&four, 0, bytes, 4 * tags);
			}
}

/* The IP packet of spec inside of bytes, which begin with the Ethernet type. */
#define TUNNEL(spec, ...)                                       \
	do {                                                    \
		static const uint8_t bytes[] = { __VA_ARGS__ }; \
		add_between(&(spec), 2, bytes, sizeof(bytes));  \
	} while (0)

#define IP4(protocol) \
	0x08, 0, 0x45, 0, 0, 100, 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 25
#define IP6(protocol)                                                                            \
	0x86, 0xdd, 0x60, 0, 0, 0, 0, 80, protocol, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, \
		0, 0, 0, 0, 0x99, 0x20, 1, 0xd, 0xb8, 0, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x25

static void make_tunnels(void)
{
	struct packet_spec four = { .data = 40 }, six = { SIX, .data = 40 };
	uint8_t type[2];

	TUNNEL(four, 0x88, 0x47, 0, 1, 0x01, 64); /* MPLS */
	TUNNEL(six, 0x88, 0x48, 0, 1, 0x01, 64);
	TUNNEL(four, 0x88, 0x64, 0x11, 0, 0, 1, 0, 82, 0, 0x21); /* PPPoE */
	TUNNEL(six, 0x88, 0x64, 0x11, 0, 0, 1, 0, 102, 0, 0x57);
	TUNNEL(four, 0, 80, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0); /* LLC and SNAP */
	TUNNEL(four, 0, 80, 6, 6, 3); /* LLC, IP */
	TUNNEL(four, 0x08, 6, 0, 1, 8, 0, 6, 4, 0, 1); /* ARP */
	TUNNEL(four, 0x89, 0x4f, 0, 2, 1, 1, 0, 0, 0, 0xff); /* NSH */
	TUNNEL(four, IP4(4)); /* IPIP, 6in4, GRE, UDP (VXLAN), ESP, ICMP errors */
	TUNNEL(six, IP4(41));
	TUNNEL(four, IP4(47), 0, 0, 8, 0);
	TUNNEL(six, IP4(47), 0, 0, 0x86, 0xdd);
	TUNNEL(four, IP4(17), 0xc0, 0, 0x12, 0xb5, 0, 80, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0);
	TUNNEL(four, IP4(50), 0, 0, 0, 1, 0, 0, 0, 1);
	TUNNEL(four, IP4(1), 3, 1, 0, 0, 0, 0, 0, 0);
	TUNNEL(four, IP4(1), 3, 3, 0, 0, 0, 0, 0, 0);
	TUNNEL(four, IP4(1), 11, 0, 0, 0, 0, 0, 0, 0);
	TUNNEL(four, IP6(4));
	TUNNEL(six, IP6(41));
	TUNNEL(six, IP6(47), 0, 0, 0x86, 0xdd);
	TUNNEL(six, IP6(58), 1, 0, 0, 0, 0, 0, 0, 0);
	TUNNEL(six, IP6(58), 2, 0, 0, 0, 0, 0, 5, 0);
	TUNNEL(six, IP6(17), 0xc0, 0, 0x12, 0xb5, 0, 80, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0);
	for (unsigned int value = 0; value < 0x10000; value += 0x101) { /* any type */
		type[0] = (uint8_t)(value >> 8);
		type[1] = (uint8_t)value;
		add_between(&four, 2, type, sizeof(type));
	}
	/* The type of one family before the header of the other. */
	TUNNEL(four, 0x86, 0xdd);
	TUNNEL(six, 0x08, 0);
}

static void make_macs(void)
{
	static const uint8_t macs[][6] = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
					   { 1, 0, 0x5e, 0, 0, 1 },
					   { 0x33, 0x33, 0, 0, 0, 1 },
					   { 0 },
					   { 2, 9, 9, 9, 9, 9 } };

	for (size_t i = 0; i < COUNT(macs); i++)
		for (int six = 0; six < 2; six++) {
			struct packet_spec spec = { .from = six ? "2001:db8:1:2::99" : NULL };
			static struct packet packet;

			packet_build(&spec, &packet);
			memcpy(packet.data, macs[i], 6);
			add(packet.data, packet.len);
		}
}

/* Frames that end at each of their bytes. */
static void make_cuts(void)
{
	static const struct packet_spec specs[] = {
		{ .ip_options = 8, .tcp_options = 8 },
		{ SIX, .tcp_options = 8 },
		{ .vlans = 2 },
		{ SIX, .vlans = 3, .extensions = { { EXT_OPTIONS, 1 }, { EXT_FRAGMENT, 0 } } },
		{ SIX, .extensions = { { EXT_FRAGMENT, V6_MORE }, { EXT_OPTIONS, 0 } } },
		{ .fragment = V4_MORE },
	};
	static struct packet packet;

	for (size_t i = 0; i < COUNT(specs); i++) {
		packet_build(&specs[i], &packet);
		for (size_t len = CAPTURE_ETHERNET; len <= packet.len; len++)
			add(packet.data, len);
	}
}

/* ---- files ---- */

static void put(FILE *file, bool big_endian, unsigned int size, uint32_t value)
{
	for (unsigned int i = 0; i < size; i++)
		fputc((int)(value >> 8 * (big_endian ? size - 1 - i : i) & 0xff), file);
}

static FILE *create(const char *directory, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	must(file ? 0 : -errno, path);
	return file;
}

/* A link's header before an IP packet; bytes of it. */
static size_t link_header(enum capture_link link, bool six, bool big_endian, uint8_t header[20])
{
	memset(header, 0, 20);
	switch (link) {
	case LINK_NULL:
		header[big_endian ? 3 : 0] = six ? 30 : 2;
		return 4;
	case LINK_LOOP:
		header[3] = six ? 24 : 2;
		return 4;
	case LINK_PPP:
		header[0] = 0xff;
		header[1] = 3;
		header[3] = six ? 0x57 : 0x21;
		return 4;
	case LINK_SLL:
		header[14] = six ? 0x86 : 8;
		header[15] = six ? 0xdd : 0;
		return 16;
	case LINK_SLL2:
		header[0] = six ? 0x86 : 8;
		header[1] = six ? 0xdd : 0;
		return 20;
	default:
		return 0;
	}
}

/* The frame as the link has it. Returns its length, 0 if the link can't carry it. */
static size_t convert(const struct capture_frame *frame, enum capture_link link, bool big_endian,
		      uint8_t *data)
{
	bool six = frame->data[12] == 0x86;
	size_t size;

	if (link == LINK_ETHERNET) {
		memcpy(data, frame->data, frame->len);
		return frame->len;
	}
	if (!frame->has_ip || (link == LINK_IPV4 && six) || (link == LINK_IPV6 && !six))
		return 0;
	size = link_header(link, six, big_endian, data);
	memcpy(data + size, frame->data + CAPTURE_ETHERNET, frame->len - CAPTURE_ETHERNET);
	return size + frame->len - CAPTURE_ETHERNET;
}

/* snap: bytes that are kept of each frame. */
static void write_pcap(const char *directory, const char *name, enum capture_link link,
		       bool big_endian, size_t snap)
{
	FILE *file = create(directory, name);
	static uint8_t data[CAPTURE_LONGEST + 20];

	put(file, big_endian, 4, 0xa1b2c3d4);
	put(file, big_endian, 2, 2);
	put(file, big_endian, 2, 4);
	put(file, big_endian, 4, 0);
	put(file, big_endian, 4, 0);
	put(file, big_endian, 4, 262144);
	put(file, big_endian, 4, link);
	for (size_t i = 0; i < all.count; i++) {
		size_t len = convert(&all.frames[i], link, big_endian, data);
		size_t kept = len < snap ? len : snap;

		if (!len)
			continue;
		put(file, big_endian, 4, 1);
		put(file, big_endian, 4, (uint32_t)i);
		put(file, big_endian, 4, (uint32_t)kept);
		put(file, big_endian, 4, (uint32_t)len);
		fwrite(data, kept, 1, file);
	}
	must(fclose(file) ? -EIO : 0, name);
	capture_empty(&all);
}

static void put_section(FILE *file, bool big_endian, const enum capture_link *links, size_t count)
{
	put(file, big_endian, 4, 0x0a0d0d0a);
	put(file, big_endian, 4, 28);
	put(file, big_endian, 4, 0x1a2b3c4d);
	put(file, big_endian, 4, 1);
	put(file, big_endian, 4, UINT32_MAX);
	put(file, big_endian, 4, UINT32_MAX);
	put(file, big_endian, 4, 28);
	for (size_t i = 0; i < count; i++) {
		put(file, big_endian, 4, 1);
		put(file, big_endian, 4, 20);
		put(file, big_endian, 2, links[i]);
		put(file, big_endian, 2, 0);
		put(file, big_endian, 4, 0);
		put(file, big_endian, 4, 20);
	}
}

static void put_packet(FILE *file, bool big_endian, uint32_t interface, const uint8_t *data,
		       size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	put(file, big_endian, 4, 6);
	put(file, big_endian, 4, (uint32_t)(32 + padded));
	put(file, big_endian, 4, interface);
	put(file, big_endian, 4, 0);
	put(file, big_endian, 4, 0);
	put(file, big_endian, 4, (uint32_t)len);
	put(file, big_endian, 4, (uint32_t)len);
	fwrite(data, len, 1, file);
	for (size_t i = len; i < padded; i++)
		fputc(0, file);
	put(file, big_endian, 4, (uint32_t)(32 + padded));
}

/* Two sections of different byte order, with interfaces of different links. */
static void write_pcapng(const char *directory, const char *name)
{
	static const enum capture_link links[] = { LINK_ETHERNET, LINK_RAW, LINK_NULL, LINK_SLL };
	FILE *file = create(directory, name);
	static uint8_t data[CAPTURE_LONGEST + 20];

	for (int big_endian = 0; big_endian < 2; big_endian++) {
		put_section(file, big_endian, links, COUNT(links));
		for (size_t i = 0; i < all.count; i++) {
			uint32_t interface = (uint32_t)(i % COUNT(links));
			size_t len = convert(&all.frames[i], links[interface], big_endian, data);

			if (len)
				put_packet(file, big_endian, interface, data, len);
		}
	}
	must(fclose(file) ? -EIO : 0, name);
	capture_empty(&all);
}

static void make_others(const char *directory)
{
	static const struct {
		const char *name;
		enum capture_link link;
		bool big_endian;
	} rows[] = {
		{ "raw.pcap", LINK_RAW, false },
		{ "ipv4.pcap", LINK_IPV4, true },
		{ "ipv6.pcap", LINK_IPV6, false },
		{ "null.pcap", LINK_NULL, false },
		{ "null-big-endian.pcap", LINK_NULL, true },
		{ "loop.pcap", LINK_LOOP, false },
		{ "sll.pcap", LINK_SLL, false },
		{ "sll2.pcap", LINK_SLL2, true },
		{ "ppp.pcap", LINK_PPP, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		make_few();
		write_pcap(directory, rows[i].name, rows[i].link, rows[i].big_endian, SIZE_MAX);
	}
	make_few();
	make_macs();
	write_pcap(directory, "snapped.pcap", LINK_ETHERNET, false, 60);
	make_few();
	write_pcapng(directory, "mixed.pcapng");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} rows[] = {
		{ "usual.pcap", make_usual },
		{ "tcp.pcap", make_tcp },
		{ "ip.pcap", make_ip },
		{ "lengths.pcap", make_lengths },
		{ "addresses.pcap", make_addresses },
		{ "extensions.pcap", make_extensions },
		{ "fragments.pcap", make_fragments },
		{ "vlans.pcap", make_vlans },
		{ "tunnels.pcap", make_tunnels },
		{ "macs.pcap", make_macs },
		{ "cuts.pcap", make_cuts },
	};

	if (argc != 2) {
		fprintf(stderr, "usage: make_captures DIRECTORY\n");
		return 2;
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		rows[i].make();
		write_pcap(argv[1], rows[i].name, LINK_ETHERNET, i & 1, SIZE_MAX);
	}
	make_others(argv[1]);
	return EXIT_SUCCESS;
}
