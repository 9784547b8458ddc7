/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd

#define PCAP_HEADER 24 /* bytes of the file's header */
#define PCAPNG_SECTION 0x0a0d0d0aU /* block types */
#define PCAPNG_INTERFACE 1U
#define PCAPNG_OLD_PACKET 2U
#define PCAPNG_SIMPLE_PACKET 3U
#define PCAPNG_PACKET 6U
#define PCAPNG_ORDER 0x1a2b3c4dU
#define MAX_INTERFACES 256

static const uint8_t macs[12] = { 2, 0, 0, 0, 0x5e, 2, 2, 0, 0, 0, 0xc1, 1 };

/* A file in memory. */
struct file {
	struct capture *capture;
	const uint8_t *bytes;
	size_t size;
	bool swapped; /* numbers are in the other byte order */
	uint32_t number; /* of the last frame */
	unsigned int interfaces; /* of the pcapng section */
	uint16_t links[MAX_INTERFACES];
};

/* ---- frames ---- */

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static int append(struct capture *capture, const uint8_t *header, const uint8_t *data, size_t len)
{
	size_t front = header ? CAPTURE_ETHERNET : 0;
	struct capture_frame *frame;

	if (capture->count == capture->room) {
		size_t room = capture->room ? 2 * capture->room : 1024;
		void *grown = realloc(capture->frames, room * sizeof(*capture->frames));

		if (!grown)
			return -ENOMEM;
		capture->frames = grown;
		capture->room = room;
	}
	if (len + front > CAPTURE_LONGEST)
		len = CAPTURE_LONGEST - front;
	frame = &capture->frames[capture->count];
	*frame = (struct capture_frame){ .len = (uint32_t)(front + len) };
	frame->data = malloc(front + len + 1);
	if (!frame->data)
		return -ENOMEM;
	if (header)
		memcpy(frame->data, header, front);
	memcpy(frame->data + front, data, len);
	if (frame->len > CAPTURE_ETHERNET) {
		unsigned int type = get16(frame->data + 12);

		frame->has_ip = type == TYPE_IPV4 || type == TYPE_IPV6;
	}
	capture->count++;
	return 0;
}

/* Appends what follows a link's own header of skip bytes. */
static int append_typed(struct capture *capture, unsigned int type, size_t skip,
			const uint8_t *data, size_t len)
{
	uint8_t header[CAPTURE_ETHERNET];

	memcpy(header, macs, sizeof(macs));
	header[12] = (uint8_t)(type >> 8);
	header[13] = (uint8_t)type;
	return append(capture, header, data + skip, len - skip);
}

static unsigned int type_of_version(uint8_t first)
{
	return first >> 4 == 6 ? TYPE_IPV6 : TYPE_IPV4;
}

/* The type of a BSD loopback's address family, which is small, in either byte order; 0: not IP. */
static unsigned int type_of_family(const uint8_t *at)
{
	switch (at[0] ? at[0] : at[3]) {
	case 2:
		return TYPE_IPV4;
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return TYPE_IPV6;
	default:
		return 0;
	}
}

/* The type of a PPP protocol, with or without HDLC's address and control bytes; 0: not IP. */
static unsigned int type_of_ppp(const uint8_t *data, size_t len, size_t *skip)
{
	size_t at = len >= 4 && data[0] == 0xff && data[1] == 3 ? 2 : 0;
	unsigned int protocol = get16(data + at);

	*skip = at + 2;
	return protocol == 0x21 ? TYPE_IPV4 : protocol == 0x57 ? TYPE_IPV6 : 0;
}

int capture_add(struct capture *capture, enum capture_link link, const uint8_t *data, size_t len)
{
	static const size_t shortest[] = {
		[LINK_NULL] = 4, [LINK_PPP] = 4, [LINK_LOOP] = 4, [LINK_SLL] = 16, [LINK_SLL2] = 20,
	};
	size_t needs = link == LINK_ETHERNET			   ? CAPTURE_ETHERNET :
		       link < sizeof(shortest) / sizeof(*shortest) ? shortest[link] :
								     0;
	unsigned int type = 0;
	size_t skip = 4;

	if (len < needs || !len) {
		capture->too_short++;
		return 0;
	}
	if (link == LINK_ETHERNET)
		return append(capture, NULL, data, len);
	if (link == LINK_RAW || link == LINK_RAW_BSD || link == LINK_RAW_OPENBSD)
		return append_typed(capture, type_of_version(data[0]), 0, data, len);
	if (link == LINK_IPV4 || link == LINK_IPV6)
		return append_typed(capture, link == LINK_IPV6 ? TYPE_IPV6 : TYPE_IPV4, 0, data, len);
	if (link == LINK_SLL)
		return append_typed(capture, get16(data + 14), 16, data, len);
	if (link == LINK_SLL2)
		return append_typed(capture, get16(data), 20, data, len);
	if (link == LINK_NULL || link == LINK_LOOP)
		type = type_of_family(data);
	else if (link == LINK_PPP)
		type = type_of_ppp(data, len, &skip);
	if (!type) {
		capture->other_links++;
		return 0;
	}
	return append_typed(capture, type, skip, data, len);
}

/* ---- files ---- */

/* A number of the file, at an offset that is within it. */
static uint32_t number_at(const struct file *file, size_t at, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint32_t)file->bytes[at + i] << 8 * (file->swapped ? size - 1 - i : i);
	return value;
}

/* There are captured bytes at an offset; the frame had len. */
static int add_frame(struct file *file, unsigned int link, size_t at, size_t captured, size_t len)
{
	size_t before = file->capture->count;
	uint8_t *whole;
	int err;

	file->number++;
	if (len < captured)
		len = captured;
	if (len > CAPTURE_LONGEST)
		len = CAPTURE_LONGEST;
	if (captured > len)
		captured = len;
	whole = calloc(1, len + 1);
	if (!whole)
		return -ENOMEM;
	memcpy(whole, file->bytes + at, captured);
	err = capture_add(file->capture, (enum capture_link)link, whole, len);
	free(whole);
	if (file->capture->count > before) {
		file->capture->frames[before].file =
			file->capture->files[file->capture->file_count - 1];
		file->capture->frames[before].number = file->number;
	}
	return err;
}

static int read_pcap(struct file *file, size_t record_header)
{
	unsigned int link = number_at(file, 20, 4) & 0xffff;
	size_t at = PCAP_HEADER;

	while (file->size - at >= record_header) {
		size_t captured = number_at(file, at + 8, 4), len = number_at(file, at + 12, 4);
		int err;

		at += record_header;
		if (captured > file->size - at)
			break;
		err = add_frame(file, link, at, captured, len);
		if (err)
			return err;
		at += captured;
	}
	return 0;
}

/* The packet of a block whose body has size bytes from at on. */
static int read_packet(struct file *file, uint32_t type, size_t at, size_t size)
{
	size_t header = type == PCAPNG_SIMPLE_PACKET ? 4 : 20, captured, len;
	uint32_t interface = 0;

	if (size < header)
		return 0;
	if (type == PCAPNG_SIMPLE_PACKET) {
		len = number_at(file, at, 4);
		captured = len < size - header ? len : size - header;
	} else {
		interface = number_at(file, at, type == PCAPNG_PACKET ? 4 : 2);
		captured = number_at(file, at + 12, 4);
		len = number_at(file, at + 16, 4);
	}
	if (captured > size - header || interface >= file->interfaces)
		return 0;
	return add_frame(file, file->links[interface], at + header, captured, len);
}

static int read_block(struct file *file, uint32_t type, size_t at, size_t size)
{
	switch (type) {
	case PCAPNG_SECTION:
		file->interfaces = 0;
		return 0;
	case PCAPNG_INTERFACE:
		if (size >= 8 && file->interfaces < MAX_INTERFACES)
			file->links[file->interfaces++] = (uint16_t)number_at(file, at, 2);
		return 0;
	case PCAPNG_OLD_PACKET:
	case PCAPNG_SIMPLE_PACKET:
	case PCAPNG_PACKET:
		return read_packet(file, type, at, size);
	default:
		return 0;
	}
}

/* A section may have another byte order than the one before. */
static int set_order(struct file *file, size_t at)
{
	file->swapped = false;
	if (number_at(file, at + 8, 4) == PCAPNG_ORDER)
		return 0;
	file->swapped = true;
	return number_at(file, at + 8, 4) == PCAPNG_ORDER ? 0 : -EINVAL;
}

static int read_pcapng(struct file *file)
{
	size_t at = 0;

	while (file->size - at >= 12) {
		uint32_t type = number_at(file, at, 4), size;
		int err = 0;

		if (type == PCAPNG_SECTION)
			err = set_order(file, at);
		size = number_at(file, at + 4, 4);
		if (size < 12 || size > file->size - at)
			break;
		if (!err)
			err = read_block(file, type, at + 8, size - 12);
		if (err)
			return err;
		at += (size + 3) & ~3U;
		if (at > file->size)
			break;
	}
	return 0;
}

/* -EINVAL: not a capture. */
static int read_bytes(struct file *file)
{
	for (int swapped = 0; file->size >= PCAP_HEADER && swapped < 2; swapped++) {
		file->swapped = swapped;
		switch (number_at(file, 0, 4)) {
		case 0xa1b2c3d4: /* times in microseconds */
		case 0xa1b23c4d: /* in nanoseconds */
			return read_pcap(file, 16);
		case 0xa1b2cd34: /* with eight bytes more in front of each frame */
			return read_pcap(file, 24);
		case PCAPNG_SECTION:
			return read_pcapng(file);
		}
	}
	return -EINVAL;
}

static int remember_name(struct capture *capture, const char *path)
{
	char **grown = realloc(capture->files, (capture->file_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	capture->files = grown;
	capture->files[capture->file_count] = strdup(path);
	return capture->files[capture->file_count++] ? 0 : -ENOMEM;
}

int capture_read(struct capture *capture, const char *path)
{
	struct file file = { .capture = capture };
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	void *memory = MAP_FAILED;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_size < PCAP_HEADER)
		err = -EINVAL;
	if (!err) {
		file.size = (size_t)status.st_size;
		memory = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (memory == MAP_FAILED)
			err = -errno;
	}
	if (!err)
		err = remember_name(capture, path);
	file.bytes = memory;
	if (!err)
		err = read_bytes(&file);
	if (memory != MAP_FAILED)
		munmap(memory, file.size);
	close(fd);
	return err;
}

int capture_write(const struct capture *capture, const char *path)
{
	const uint16_t header[] = { 0xc3d4, 0xa1b2, 2, 4, 0, 0, 0, 0, 0, 4, LINK_ETHERNET, 0 };
	FILE *file = fopen(path, "we");
	int err;

	if (!file)
		return -errno;
	fwrite(header, sizeof(header), 1, file);
	for (size_t i = 0; i < capture->count; i++) {
		const struct capture_frame *frame = &capture->frames[i];
		const uint32_t record[] = { 1, (uint32_t)i, frame->len, frame->len };

		fwrite(record, sizeof(record), 1, file);
		fwrite(frame->data, frame->len, 1, file);
	}
	err = ferror(file) ? -EIO : 0;
	return fclose(file) ? -EIO : err;
}

void capture_empty(struct capture *capture)
{
	for (size_t i = 0; i < capture->count; i++)
		free(capture->frames[i].data);
	for (size_t i = 0; i < capture->file_count; i++)
		free(capture->files[i]);
	free(capture->frames);
	free(capture->files);
	*capture = (struct capture){ 0 };
}
