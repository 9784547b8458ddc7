/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

int net_isolate(void)
{
	/* A veth pair, not a dummy interface: not every kernel has those. */
	static const char setup[] = "ip link set lo up && "
				    "ip addr add 198.51.100.25/32 dev lo && "
				    "ip addr add 2001:db8:25::25/128 dev lo nodad && "
				    "ip link add out0 type veth peer name out1 && "
				    "ip addr add 203.0.113.1/24 dev out0 && "
				    "ip addr add 2001:db8:f::1/64 dev out0 nodad && "
				    "ip link set out1 up && ip link set out0 up && "
				    "ip neigh add 203.0.113.7 lladdr 02:00:00:00:00:07 dev out0 && "
				    "ip neigh add 2001:db8:f::7 lladdr 02:00:00:00:00:07 dev out0";

	if (unshare(CLONE_NEWNET))
		return -errno;
	if (system(setup))
		return -EIO;
	return net_forward(false);
}

static int write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int net_forward(bool on)
{
	int err = write_setting("/proc/sys/net/ipv4/conf/all/forwarding", on ? "1" : "0");

	return err ? err : write_setting("/proc/sys/net/ipv6/conf/all/forwarding", on ? "1" : "0");
}

static socklen_t fill_address(union address *address, const char *text, uint16_t port)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		return sizeof(address->v4);
	}
	if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) != 1)
		abort(); /* a mistake in a test */
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = htons(port);
	return sizeof(address->v6);
}

/* With a limit to what may take its time. */
static int bound_socket(const char *text, uint16_t port)
{
	static const struct timeval limit = { .tv_sec = 1 };
	union address address;
	socklen_t size = fill_address(&address, text, port);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    (address.any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, &address.any, size)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int net_listen(const char *address, uint16_t port)
{
	int fd = bound_socket(address, port);

	if (fd >= 0 && listen(fd, 16)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int net_connect(const char *from, const char *to, uint16_t port)
{
	union address address;
	socklen_t size = fill_address(&address, to, port);
	int fd = bound_socket(from, 0);

	if (fd >= 0 && connect(fd, &address.any, size)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

uint64_t net_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size))
		abort();
	return cookie;
}
