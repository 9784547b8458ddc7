/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames for the tests, from a description that a table row can hold. A member that is 0 means "as
 * usual": a whole, correct SYN from 192.0.2.1 to port 25 of 198.51.100.25. Checksums are computed
 * and verified here, by code that shares nothing with the programs under test.
 */
#ifndef REPGATE_TESTS_PACKET_H
#define REPGATE_TESTS_PACKET_H

#include "maps/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 9100 /* bytes: a jumbo frame, with its VLAN tags */
#define PACKET_EXTENSIONS 70
#define PACKET_PATCHES 4

#define PACKET_SEQ 0xfffefdfcU /* the sequence number of every SYN */
#define PACKET_PORT 40000
#define PACKET_LOCAL_PORT 25

/* Flags of TCP as its 14th byte has them. */
#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_PSH 0x08
#define FLAG_ACK 0x10
#define FLAG_URG 0x20
#define FLAG_ECE 0x40
#define FLAG_CWR 0x80
#define FLAG_NONE 0x100 /* for a row: no flag at all */

/* Both families' fragment fields, as they stand in the header, host order. */
#define V4_MORE 0x2000
#define V4_DONT 0x4000
#define V6_MORE 0x0001

/* For a row: the whole byte, IPv6's traffic class, of which the upper six bits are the DSCP. */
#define TOS(byte) (0x100 | (byte))

/* Where a patch counts its offset from. */
enum packet_layer { LAYER_NONE, LAYER_ETH, LAYER_IP, LAYER_L4 };

struct packet_patch {
	enum packet_layer layer;
	uint16_t offset;
	uint8_t value;
};

#define EXT_HOP_BY_HOP 0x100 /* its number, 0, would end the row's chain */
#define EXT_ROUTING 43
#define EXT_FRAGMENT 44
#define EXT_AUTH 51
#define EXT_OPTIONS 60

struct packet_extension {
	uint16_t type;
	uint16_t word; /* fragment header: its offset field; others: their length field */
};

/* The checksums of a frame. */
enum packet_sums {
	SUMS_RIGHT = 0,
	SUMS_UNFINISHED, /* TCP's field has the sum of the pseudo header alone */
	SUMS_WRONG_TCP,
	SUMS_WRONG_IP, /* IPv4 only */
};

struct packet_spec {
	const char *from, *to; /* the family is that of from */
	unsigned int vlans; /* tags; the outer one of several is 802.1ad */
	uint16_t ethertype;
	uint8_t protocol; /* what follows IP and the extension headers */
	uint16_t fragment; /* IPv4: the flags and offset field */
	unsigned int ip_options; /* bytes */
	unsigned int tcp_options; /* bytes */
	unsigned int data; /* bytes of TCP data */
	unsigned int padding; /* bytes after the IP packet's end */
	struct packet_extension extensions[PACKET_EXTENSIONS];
	uint16_t port, local_port; /* the peer's and ours: an answer goes from ours to the peer's */
	uint16_t flags;
	uint16_t tos; /* see TOS() */
	uint32_t ack;
	bool answer; /* the fields of a reset: MAC addresses swapped, TTL 64, no window */
	bool group_mac; /* sent to a multicast MAC address */
	bool other_mac; /* sent to another host's MAC address */
	struct packet_patch patches[PACKET_PATCHES]; /* before the checksums */
	enum packet_sums sums;
	size_t cut; /* length of the frame, if not the whole */
};

struct packet {
	size_t len;
	size_t l3, l4; /* offsets */
	uint8_t data[PACKET_MAX];
};

void packet_build(const struct packet_spec *spec, struct packet *packet);

/* The IP (if IPv4) and TCP checksums of a frame without extension headers or fragments. */
bool packet_checksums_hold(const uint8_t *frame, size_t len);

/* Text to 16 bytes, IPv4 mapped. Aborts on what is no address: a mistake in a table. */
struct rg_addr packet_addr(const char *text);

#endif
