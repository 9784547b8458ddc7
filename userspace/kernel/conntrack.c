/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/conntrack.h"

#include "base/addr.h"
#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* A message that is built: header, struct nfgenmsg, attributes. */
struct request {
	struct nlmsghdr head;
	struct nfgenmsg body;
	uint8_t attributes[128];
};

/* Adds an attribute; returns it, so that others can be put into it. */
static struct nlattr *add(struct request *request, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute = (void *)((uint8_t *)request + NLA_ALIGN(request->head.nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
	if (size)
		memcpy((uint8_t *)attribute + NLA_HDRLEN, data, size);
	request->head.nlmsg_len = NLA_ALIGN(request->head.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
	return attribute;
}

static void close_nest(const struct request *request, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((const uint8_t *)request + request->head.nlmsg_len -
				   (const uint8_t *)nest);
}

static void add_addresses(struct request *request, const struct rg_connection *connection)
{
	bool v4 = rg_addr_is_v4(&connection->source);
	size_t skip = v4 ? RG_ADDR_V4_OFFSET : 0, size = v4 ? 4 : 16;
	struct nlattr *ip = add(request, CTA_TUPLE_IP | NLA_F_NESTED, NULL, 0);

	request->body.nfgen_family = v4 ? AF_INET : AF_INET6;
	add(request, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, connection->source.bytes + skip, size);
	add(request, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, connection->dest.bytes + skip, size);
	close_nest(request, ip);
}

static void add_ports(struct request *request, const struct rg_connection *connection)
{
	const uint16_t source = htons(connection->source_port), dest = htons(connection->dest_port);
	struct nlattr *proto = add(request, CTA_TUPLE_PROTO | NLA_F_NESTED, NULL, 0);

	add(request, CTA_PROTO_NUM, &(uint8_t){ IPPROTO_TCP }, 1);
	add(request, CTA_PROTO_SRC_PORT, &source, sizeof(source));
	add(request, CTA_PROTO_DST_PORT, &dest, sizeof(dest));
	close_nest(request, proto);
}

/* The answer is the entry. */
static int found(void *arg, const struct nlmsghdr *message)
{
	(void)arg;
	(void)message;
	return 1;
}

int rg_conntrack_has(int fd, const struct rg_connection *connection)
{
	struct request request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(request.body)),
			  .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
			  .nlmsg_flags = NLM_F_REQUEST },
		.body = { .version = NFNETLINK_V0 },
	};
	struct nlattr *tuple = add(&request, CTA_TUPLE_ORIG | NLA_F_NESTED, NULL, 0);
	int ret;

	add_addresses(&request, connection);
	add_ports(&request, connection);
	close_nest(&request, tuple);
	ret = rg_netlink_ask(fd, &request.head, found, NULL);
	return ret == -ENOENT ? 0 : ret ? ret : -EIO;
}
