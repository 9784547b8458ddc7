/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tun_pair NETNS DEVICE NETNS DEVICE: a link without an Ethernet header. Makes a tun device in each network
 * namespace (a path), and carries the packets of each to the other until it is killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "tun_pair: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int make_tun(const char *netns, const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int space = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (space < 0 || setns(space, CLONE_NEWNET))
		fail(netns);
	close(space);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, TUNSETIFF, &request))
		fail(device);
	return fd;
}

static void carry(int from, int to)
{
	char packet[65536];
	ssize_t len = read(from, packet, sizeof(packet));

	if (len > 0 && write(to, packet, (size_t)len) != len &&
	    errno != EIO) /* EIO: the device is down */
		fprintf(stderr, "tun_pair: lost a packet: %s\n", strerror(errno));
}

int main(int argc, char **argv)
{
	struct pollfd ends[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (argc != 5) {
		fprintf(stderr, "usage: tun_pair NETNS DEVICE NETNS DEVICE\n");
		return 2;
	}
	ends[0].fd = make_tun(argv[1], argv[2]);
	ends[1].fd = make_tun(argv[3], argv[4]);
	puts("ready");
	fflush(stdout);
	while (poll(ends, 2, -1) > 0) {
		for (int i = 0; i < 2; i++)
			if (ends[i].revents & POLLIN)
				carry(ends[i].fd, ends[!i].fd);
	}
	return EXIT_FAILURE;
}
