/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/connected.h"

#include "kernel/netlink.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct search {
	const uint16_t *ports;
	unsigned int count;
	int (*call)(void *arg, const struct rg_addr *peer);
	void *arg;
};

static int take(void *arg, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *found = NLMSG_DATA(message);
	const struct search *search = arg;
	struct rg_addr peer = { .bytes = { [10] = 0xff, [11] = 0xff } };

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*found)))
		return 0;
	for (unsigned int i = 0; i < search->count; i++) {
		if (__builtin_bswap16(found->id.idiag_sport) != search->ports[i])
			continue;
		if (found->idiag_family == AF_INET)
			memcpy(peer.bytes + RG_ADDR_V4_OFFSET, found->id.idiag_dst, 4);
		else
			memcpy(peer.bytes, found->id.idiag_dst, sizeof(peer.bytes));
		return search->call(search->arg, &peer);
	}
	return 0;
}

static int dump(uint8_t family, struct search *search)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = 1 << TCP_ESTABLISHED },
	};
	RG_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : rg_netlink_ask(fd, &request.head, take, search);
}

int rg_connected_each(const uint16_t *ports, unsigned int count,
		      int (*call)(void *arg, const struct rg_addr *peer), void *arg)
{
	struct search search = { ports, count, call, arg };
	int ret = dump(AF_INET, &search);

	return ret ? ret : dump(AF_INET6, &search);
}
