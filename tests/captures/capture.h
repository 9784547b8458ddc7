/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures: frames from pcap and pcapng files, and back into a pcap file.
 *
 * A small reader instead of libpcap: it needs no package more, and reads a pcapng file whose interfaces
 * have different links, which libpcap refuses. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 */
#ifndef REPGATE_TESTS_CAPTURE_H
#define REPGATE_TESTS_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CAPTURE_LONGEST 65535 /* bytes; longer frames are cut */
#define CAPTURE_ETHERNET 14 /* bytes of an Ethernet header */

/* Link types, https://www.tcpdump.org/linktypes.html */
enum capture_link {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

/*
 * A frame as Ethernet has it. A frame of another link gets an Ethernet header instead of its own. What a
 * capture has cut off its end is zero.
 */
struct capture_frame {
	const char *file; /* of the struct capture */
	uint32_t number; /* in its file, from 1 */
	uint32_t len; /* bytes */
	bool has_ip; /* an IP header follows the Ethernet header at once */
	uint8_t *data;
};

struct capture {
	size_t count, room;
	struct capture_frame *frames;
	size_t file_count;
	char **files;
	size_t other_links; /* frames that were left out: their link is not known */
	size_t too_short; /* frames that were left out: they end before their IP header */
};

/*
 * Appends the frames of a file. 0; -EINVAL: the file is no capture; or another negative error. A file that
 * ends too early has the frames before its end.
 */
int capture_read(struct capture *capture, const char *path);

/* Appends one frame of a link. 0 or -ENOMEM. */
int capture_add(struct capture *capture, enum capture_link link, const uint8_t *data, size_t len);

/* Writes all frames, of link Ethernet. 0 or a negative error. */
int capture_write(const struct capture *capture, const char *path);

/* Forgets all frames. */
void capture_empty(struct capture *capture);

#endif
