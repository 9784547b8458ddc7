/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_OUTER_VLAN 0x88a8

static const uint8_t client_mac[6] = { 0x02, 0, 0, 0, 0xc1, 0x01 };
static const uint8_t server_mac[6] = { 0x02, 0, 0, 0, 0x5e, 0x02 };

struct rg_addr packet_addr(const char *text)
{
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, text, addr.bytes + RG_ADDR_V4_OFFSET) != 1 &&
	    inet_pton(AF_INET6, text, addr.bytes) != 1) {
		fprintf(stderr, "not an address: %s\n", text);
		abort();
	}
	return addr;
}

static void put8(struct packet *packet, uint8_t value)
{
	if (packet->len >= sizeof(packet->data))
		abort();
	packet->data[packet->len++] = value;
}

static void put16(struct packet *packet, unsigned int value)
{
	put8(packet, (uint8_t)(value >> 8));
	put8(packet, (uint8_t)value);
}

static void put32(struct packet *packet, uint32_t value)
{
	put16(packet, value >> 16);
	put16(packet, value & 0xffff);
}

static void put_bytes(struct packet *packet, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put8(packet, bytes[i]);
}

static void put_fill(struct packet *packet, uint8_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put8(packet, value);
}

static void set16(struct packet *packet, size_t at, unsigned int value)
{
	packet->data[at] = (uint8_t)(value >> 8);
	packet->data[at + 1] = (uint8_t)value;
}

/* RFC 1071 over octets, most significant first; carries are folded at the end. */
static uint64_t add_octets(uint64_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
	return sum;
}

static uint16_t finish(uint64_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(0xffff - sum);
}

/* The sum of TCP and of its pseudo header; l3 and l4 point into one frame. */
static uint16_t tcp_sum(const uint8_t *l3, const uint8_t *l4, size_t tcp_len)
{
	uint64_t sum = 6 + tcp_len;

	if (l3[0] >> 4 == 4)
		sum = add_octets(sum, l3 + 12, 8);
	else
		sum = add_octets(sum, l3 + 8, 32);
	return finish(add_octets(sum, l4, tcp_len));
}

static void put_ethernet(struct packet *packet, const struct packet_spec *spec, bool v4)
{
	unsigned int type = spec->ethertype ? spec->ethertype : v4 ? TYPE_IPV4 : TYPE_IPV6;

	put_bytes(packet, spec->answer ? client_mac : server_mac, 6);
	put_bytes(packet, spec->answer ? server_mac : client_mac, 6);
	if (spec->group_mac)
		packet->data[0] = 0x33;
	if (spec->other_mac)
		packet->data[5] ^= 0x40;
	for (unsigned int left = spec->vlans; left; left--) {
		put16(packet, left > 1 ? TYPE_OUTER_VLAN : TYPE_VLAN);
		put16(packet, 0x6000 + 100 + left); /* priority 3 */
	}
	put16(packet, type);
	packet->l3 = packet->len;
}

static uint8_t last_protocol(const struct packet_spec *spec)
{
	return spec->protocol ? spec->protocol : 6;
}

static uint8_t traffic_class(const struct packet_spec *spec, uint8_t usual)
{
	return spec->tos ? (uint8_t)spec->tos : usual;
}

static void put_ipv4(struct packet *packet, const struct packet_spec *spec)
{
	struct rg_addr from = packet_addr(spec->from), to = packet_addr(spec->to);

	put8(packet, (uint8_t)(0x45 + spec->ip_options / 4));
	put8(packet, spec->answer ? 0 : traffic_class(spec, 0x10));
	put16(packet, 0); /* the length, when it is known */
	put16(packet, spec->answer ? 0 : 0xbeef);
	put16(packet, spec->answer ? V4_DONT : spec->fragment);
	put8(packet, spec->answer ? 64 : 57);
	put8(packet, last_protocol(spec));
	put16(packet, 0);
	put_bytes(packet, from.bytes + RG_ADDR_V4_OFFSET, 4);
	put_bytes(packet, to.bytes + RG_ADDR_V4_OFFSET, 4);
	put_fill(packet, 1, spec->ip_options); /* no operation */
}

static unsigned int extension_count(const struct packet_spec *spec)
{
	unsigned int count = 0;

	while (count < PACKET_EXTENSIONS && spec->extensions[count].type)
		count++;
	return count;
}

static void put_extension(struct packet *packet, const struct packet_extension *extension,
			  uint8_t next)
{
	put8(packet, next);
	if (extension->type == EXT_FRAGMENT) {
		put8(packet, 0);
		put16(packet, extension->word);
		put32(packet, 0xcafef00d);
		return;
	}
	put8(packet, (uint8_t)extension->word);
	if (extension->type == EXT_AUTH)
		put_fill(packet, 0, extension->word * 4u + 6);
	else
		put_fill(packet, 0, extension->word * 8u + 6);
}

static void put_ipv6(struct packet *packet, const struct packet_spec *spec)
{
	struct rg_addr from = packet_addr(spec->from), to = packet_addr(spec->to);
	unsigned int count = extension_count(spec);
	uint8_t chain[PACKET_EXTENSIONS + 1];

	for (unsigned int i = 0; i < count; i++)
		chain[i] = (uint8_t)spec->extensions[i].type;
	chain[count] = last_protocol(spec);
	put32(packet,
	      spec->answer ? 0x60000000 : 0x60012345 | (uint32_t)traffic_class(spec, 0x12) << 20);
	put16(packet, 0);
	put8(packet, chain[0]);
	put8(packet, spec->answer ? 64 : 57);
	put_bytes(packet, from.bytes, 16);
	put_bytes(packet, to.bytes, 16);
	for (unsigned int i = 0; i < count; i++)
		put_extension(packet, &spec->extensions[i], chain[i + 1]);
}

static void put_tcp(struct packet *packet, const struct packet_spec *spec)
{
	unsigned int flags = spec->flags ? spec->flags : FLAG_SYN;
	uint16_t port = spec->port ? spec->port : PACKET_PORT;
	uint16_t local_port = spec->local_port ? spec->local_port : PACKET_LOCAL_PORT;

	packet->l4 = packet->len;
	put16(packet, spec->answer ? local_port : port);
	put16(packet, spec->answer ? port : local_port);
	put32(packet, spec->answer ? 0 : PACKET_SEQ);
	put32(packet, spec->ack);
	put8(packet, (uint8_t)((5 + spec->tcp_options / 4) << 4));
	put8(packet, (uint8_t)flags);
	put16(packet, spec->answer ? 0 : 64240);
	put16(packet, 0);
	put16(packet, 0);
	put_fill(packet, 1, spec->tcp_options);
	put_fill(packet, 'd', spec->data);
}

static void put_lengths(struct packet *packet, bool v4)
{
	if (v4)
		set16(packet, packet->l3 + 2, (unsigned int)(packet->len - packet->l3));
	else
		set16(packet, packet->l3 + 4, (unsigned int)(packet->len - packet->l3 - 40));
}

/* Checksums, once everything else is written. end: of the TCP data. */
static void put_sums(struct packet *packet, enum packet_sums sums, bool v4, size_t end)
{
	uint8_t *l3 = packet->data + packet->l3, *l4 = packet->data + packet->l4;
	size_t tcp_len = end - packet->l4;
	uint16_t ip, tcp;

	if (v4) {
		ip = finish(add_octets(0, l3, packet->l4 - packet->l3));
		set16(packet, packet->l3 + 10, sums == SUMS_WRONG_IP ? ip ^ 0x100 : ip);
	}
	tcp = tcp_sum(l3, l4, tcp_len);
	if (sums == SUMS_WRONG_TCP)
		tcp ^= 0x100;
	else if (sums == SUMS_UNFINISHED)
		tcp = 0xffff - finish(6 + tcp_len + add_octets(0, l3 + (v4 ? 12 : 8), v4 ? 8 : 32));
	set16(packet, packet->l4 + 16, tcp);
}

static void apply_patches(struct packet *packet, const struct packet_spec *spec)
{
	const size_t bases[] = { [LAYER_ETH] = 0, [LAYER_IP] = packet->l3, [LAYER_L4] = packet->l4 };

	for (int i = 0; i < PACKET_PATCHES; i++) {
		const struct packet_patch *patch = &spec->patches[i];

		if (patch->layer != LAYER_NONE)
			packet->data[bases[patch->layer] + patch->offset] = patch->value;
	}
}

void packet_build(const struct packet_spec *row, struct packet *packet)
{
	struct packet_spec spec = *row;
	size_t end;
	bool v4;

	if (!spec.from)
		spec.from = spec.answer ? "198.51.100.25" : "192.0.2.1";
	v4 = !strchr(spec.from, ':');
	if (!spec.to)
		spec.to = !v4 ? "2001:db8:25::25" : spec.answer ? "192.0.2.1" : "198.51.100.25";
	packet->len = 0;
	put_ethernet(packet, &spec, v4);
	if (v4)
		put_ipv4(packet, &spec);
	else
		put_ipv6(packet, &spec);
	put_tcp(packet, &spec);
	put_lengths(packet, v4);
	end = packet->len;
	put_fill(packet, 0, spec.padding);
	apply_patches(packet, &spec);
	put_sums(packet, spec.sums, v4, end);
	if (spec.cut && spec.cut < packet->len)
		packet->len = spec.cut;
}

bool packet_checksums_hold(const uint8_t *frame, size_t len)
{
	size_t type_at = 12, l3, l4, l3_len;

	while (type_at + 2 < len && (frame[type_at] == 0x81 || frame[type_at] == 0x88))
		type_at += 4;
	l3 = type_at + 2;
	if (len < l3 + 40)
		return false;
	if (frame[l3] >> 4 == 4) {
		size_t header = (frame[l3] & 15) * 4u;

		if (finish(add_octets(0, frame + l3, header)))
			return false;
		l3_len = (size_t)frame[l3 + 2] << 8 | frame[l3 + 3];
		l4 = l3 + header;
	} else {
		l3_len = 40 + ((size_t)frame[l3 + 4] << 8 | frame[l3 + 5]);
		l4 = l3 + 40;
	}
	if (l3 + l3_len > len || l4 + 20 > l3 + l3_len)
		return false;
	return !tcp_sum(frame + l3, frame + l4, l3 + l3_len - l4);
}
