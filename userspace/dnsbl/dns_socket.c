/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns_socket.h"

#include <sys/uio.h>

/* Datagrams that one system call sends, or reads. */
#define OUT_BATCH 64
#define IN_BATCH 32
/* Datagrams read in one iteration of the event loop, before it looks at other events. */
#define MAX_READ 256
#define OUT_SIZE 288 /* a question: header, name of 255, type and class (RFC 1035, 4.1) */
#define IN_SIZE 4096 /* longer than any answer without EDNS */
#define BUFFER_SIZE (4 * 1024 * 1024) /* of the kernel's: a burst goes through one socket */

struct rg_dns_outbox {
	unsigned int count;
	struct mmsghdr messages[OUT_BATCH];
	struct iovec parts[OUT_BATCH];
	uint8_t bytes[OUT_BATCH][OUT_SIZE]; /* names may hold a key */
};

struct rg_dns_inbox {
	unsigned int count, next;
	unsigned int read; /* in this iteration of the event loop */
	struct mmsghdr messages[IN_BATCH];
	struct iovec parts[IN_BATCH];
	struct sockaddr_storage from[IN_BATCH];
	uint8_t bytes[IN_BATCH][IN_SIZE];
};

struct rg_dns_inbox *rg_dns_inbox_new(void)
{
	return calloc(1, sizeof(struct rg_dns_inbox));
}

void rg_dns_inbox_free(struct rg_dns_inbox *inbox)
{
	free(inbox);
}

void rg_dns_inbox_begin(struct rg_dns_inbox *inbox)
{
	inbox->read = 0;
}

void rg_dns_socket_init(struct rg_dns_socket *udp, struct rg_dns_inbox *inbox)
{
	*udp = (struct rg_dns_socket){ .fd = -1, .in = inbox };
}

void rg_dns_socket_clear(struct rg_dns_socket *udp)
{
	if (udp->fd >= 0)
		(void)rg_dns_socket_close(udp);
	free(udp->out);
	udp->out = NULL;
}

/* Without the privilege the kernel may give less than asked for. */
static void enlarge_buffers(int fd)
{
	int size = BUFFER_SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Sends what was collected; what was read ahead is lost. */
static void forget(struct rg_dns_socket *udp)
{
	rg_dns_socket_flush(udp);
	udp->fd = -1;
	udp->error = 0;
	udp->in->count = udp->in->next = 0;
}

int rg_dns_socket_open(struct rg_dns_socket *udp, int family)
{
	if (!udp->out)
		udp->out = calloc(1, sizeof(*udp->out));
	if (!udp->out)
		return -1;
	if (udp->fd >= 0)
		forget(udp);
	udp->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (udp->fd >= 0)
		enlarge_buffers(udp->fd);
	return udp->fd;
}

int rg_dns_socket_close(struct rg_dns_socket *udp)
{
	int fd = udp->fd;

	udp->fd = -1;
	udp->error = 0;
	udp->out->count = 0;
	udp->in->count = udp->in->next = 0;
	return close(fd);
}

void rg_dns_socket_flush(struct rg_dns_socket *udp)
{
	struct rg_dns_outbox *out = udp->out;
	unsigned int sent = 0;

	while (sent < out->count && !udp->error) {
		int count = sendmmsg(udp->fd, out->messages + sent, out->count - sent, 0);

		if (count > 0)
			sent += (unsigned int)count;
		else if (errno == EAGAIN || errno == ENOBUFS)
			break;
		else if (errno != EINTR)
			udp->error = errno;
	}
	explicit_bzero(out->bytes, out->count * sizeof(out->bytes[0]));
	out->count = 0;
}

bool rg_dns_socket_has_unsent(const struct rg_dns_socket *udp)
{
	return udp->out && udp->out->count;
}

ssize_t rg_dns_socket_send(struct rg_dns_socket *udp, const void *bytes, size_t len)
{
	struct rg_dns_outbox *out = udp->out;
	unsigned int at;

	if (len > OUT_SIZE)
		return send(udp->fd, bytes, len, MSG_NOSIGNAL);
	if (out->count == OUT_BATCH)
		rg_dns_socket_flush(udp);
	at = out->count++;
	memcpy(out->bytes[at], bytes, len);
	out->parts[at] = (struct iovec){ out->bytes[at], len };
	out->messages[at].msg_hdr = (struct msghdr){ .msg_iov = &out->parts[at], .msg_iovlen = 1 };
	return (ssize_t)len;
}

/* Reads as many datagrams as there are, up to IN_BATCH. 0, or -1 with errno. */
static int read_batch(struct rg_dns_inbox *in, int fd)
{
	int count;

	if (in->read >= MAX_READ) {
		errno = EAGAIN;
		return -1;
	}
	for (unsigned int i = 0; i < IN_BATCH; i++) {
		in->parts[i] = (struct iovec){ in->bytes[i], IN_SIZE };
		in->messages[i].msg_hdr = (struct msghdr){ .msg_name = &in->from[i],
							   .msg_namelen = sizeof(in->from[i]),
							   .msg_iov = &in->parts[i],
							   .msg_iovlen = 1 };
	}
	count = recvmmsg(fd, in->messages, IN_BATCH, 0, NULL);
	if (count < 0)
		return -1;
	in->next = 0;
	in->count = (unsigned int)count;
	in->read += in->count;
	return 0;
}

ssize_t rg_dns_socket_receive(struct rg_dns_socket *udp, void *to, size_t size,
			      struct sockaddr *from, socklen_t *from_len)
{
	struct rg_dns_inbox *in = udp->in;
	const struct msghdr *header;
	size_t len;

	if (udp->error) {
		errno = udp->error;
		udp->error = 0;
		return -1;
	}
	if (in->next == in->count && read_batch(in, udp->fd))
		return -1;
	header = &in->messages[in->next].msg_hdr;
	len = in->messages[in->next].msg_len < size ? in->messages[in->next].msg_len : size;
	memcpy(to, in->bytes[in->next], len);
	if (from && from_len) {
		memcpy(from, &in->from[in->next],
		       *from_len < header->msg_namelen ? *from_len : header->msg_namelen);
		*from_len = header->msg_namelen;
	}
	in->next++;
	return (ssize_t)len;
}

bool rg_dns_socket_has_unread(const struct rg_dns_socket *udp)
{
	return udp->fd >= 0 && udp->in->next < udp->in->count;
}
