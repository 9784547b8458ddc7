/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/redirects.h"

#include "kernel/conntrack.h"
#include "kernel/netlink.h"
#include "kernel/routing_rules.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* A netlink socket that receives notifications. */
struct news {
	int fd; /* -1: nobody listens */
	struct event *event;
};

struct rg_redirects {
	int fd; /* asks about nftables and connection tracking */
	int route; /* asks about routing rules */
	struct news news[2]; /* of nftables, of routing rules */
	void (*changed)(void *arg);
	void *arg;
	uint32_t generation; /* of the rules of nftables, when they were read last */
	uint64_t routing; /* the same of the routing rules: their hash */
	bool was_possible;
	bool is_untracked; /* a rule leads packets past connection tracking */
	uint32_t round;
};

struct nf_request {
	struct nlmsghdr head;
	struct nfgenmsg body;
};

static int open_netlink(int protocol, int flags)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);

	return fd < 0 ? -errno : fd;
}

/* The messages are not read: rg_redirects_read() looks everything up. So a lost one (ENOBUFS) does no harm. */
static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct rg_redirects *redirects = arg;
	char buffer[8192];

	(void)what;
	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS)
		errno = 0;
	redirects->changed(redirects->arg);
}

/* 0 or -errno. groups: ends with 0. */
static int listen_for_news(struct rg_redirects *redirects, struct news *news,
			   struct event_base *base, int protocol, const int *groups)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	news->fd = open_netlink(protocol, SOCK_NONBLOCK);
	if (news->fd < 0)
		return news->fd;
	/* A socket without a number of its own gets no news: the kernel takes it for the one that asked. */
	if (bind(news->fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	for (; *groups; groups++)
		if (setsockopt(news->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups, sizeof(*groups)))
			return -errno;
	news->event = event_new(base, news->fd, EV_READ | EV_PERSIST, on_news, redirects);
	return news->event && !event_add(news->event, NULL) ? 0 : -ENOMEM;
}

static int listen_for_all(struct rg_redirects *redirects, struct event_base *base)
{
	static const int nftables[] = { NFNLGRP_NFTABLES, 0 },
			 routing[] = { RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, 0 };
	int err = listen_for_news(redirects, &redirects->news[0], base, NETLINK_NETFILTER, nftables);

	return err ? err :
		     listen_for_news(redirects, &redirects->news[1], base, NETLINK_ROUTE, routing);
}

/* A socket that asks, and does not wait for ever. Or -errno. */
static int open_asking(int protocol)
{
	const struct timeval timeout = { .tv_usec = 200000 };
	int fd = open_netlink(protocol, 0);

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return fd;
}

int rg_redirects_new(struct rg_redirects **ret, struct event_base *base, void (*changed)(void *arg),
		     void *arg)
{
	struct rg_redirects *redirects = calloc(1, sizeof(*redirects));
	int err = 0;

	if (!redirects)
		return -ENOMEM;
	redirects->news[0].fd = redirects->news[1].fd = -1;
	redirects->round = (uint32_t)(rg_now() >> 20); /* not that of an earlier agent */
	redirects->changed = changed;
	redirects->arg = arg;
	redirects->fd = open_asking(NETLINK_NETFILTER);
	redirects->route = open_asking(NETLINK_ROUTE);
	if (redirects->fd < 0 || redirects->route < 0)
		err = redirects->fd < 0 ? redirects->fd : redirects->route;
	if (!err && base)
		err = listen_for_all(redirects, base);
	if (err)
		rg_redirects_free(redirects);
	else
		*ret = redirects;
	return err;
}

void rg_redirects_free(struct rg_redirects *redirects)
{
	if (!redirects)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(redirects->news); i++) {
		if (redirects->news[i].event)
			event_free(redirects->news[i].event);
		rg_closep(&redirects->news[i].fd);
	}
	rg_closep(&redirects->fd);
	rg_closep(&redirects->route);
	free(redirects);
}

static const struct nlattr *find_attribute(const void *first, size_t len, unsigned int type)
{
	const char *at = first;

	while (len >= sizeof(struct nlattr)) {
		const struct nlattr *attribute = (const void *)at;
		size_t size = NLA_ALIGN(attribute->nla_len);

		if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > len)
			return NULL;
		if ((attribute->nla_type & NLA_TYPE_MASK) == type)
			return attribute;
		if (size > len)
			return NULL;
		at += size;
		len -= size;
	}
	return NULL;
}

/* A 32-bit attribute, network order. False: it is missing. */
static bool read_number(const struct nlattr *attribute, uint32_t *number)
{
	if (!attribute || attribute->nla_len < NLA_HDRLEN + sizeof(*number))
		return false;
	memcpy(number, (const char *)attribute + NLA_HDRLEN, sizeof(*number));
	*number = ntohl(*number);
	return true;
}

/* The attributes of a message behind struct nfgenmsg. */
static const void *attributes_of(const struct nlmsghdr *message, size_t *len)
{
	size_t before = NLMSG_LENGTH(sizeof(struct nfgenmsg));

	*len = message->nlmsg_len > before ? message->nlmsg_len - before : 0;
	return (const char *)message + before;
}

/* What chains there are that see packets before the kernel decides where they go. */
enum {
	CHAIN_NAT = 1, /* nat, prerouting: what it redirects is tracked */
	CHAIN_FILTER = 2, /* another type, prerouting */
	CHAIN_EARLY = 4, /* ingress, netdev, bridge: before connection tracking */
};

/* Returns one of these, or 0. */
static int kind_of_chain(const struct nlmsghdr *message)
{
	const struct nfgenmsg *body = NLMSG_DATA(message);
	const struct nlattr *hook, *type;
	uint32_t number;
	size_t len;
	const void *first = attributes_of(message, &len);

	hook = find_attribute(first, len, NFTA_CHAIN_HOOK);
	if (!hook ||
	    !read_number(find_attribute((const char *)hook + NLA_HDRLEN,
					(size_t)hook->nla_len - NLA_HDRLEN, NFTA_HOOK_HOOKNUM),
			 &number))
		return 0; /* no base chain */
	if (body->nfgen_family == NFPROTO_NETDEV || number == NF_INET_INGRESS)
		return CHAIN_EARLY;
	if (body->nfgen_family == NFPROTO_ARP || number != NF_INET_PRE_ROUTING)
		return 0;
	if (body->nfgen_family == NFPROTO_BRIDGE)
		return CHAIN_EARLY;
	type = find_attribute(first, len, NFTA_CHAIN_TYPE);
	return type && type->nla_len >= NLA_HDRLEN + sizeof("nat") &&
			       !memcmp((const char *)type + NLA_HDRLEN, "nat", sizeof("nat")) ?
		       CHAIN_NAT :
		       CHAIN_FILTER;
}

/* Asks nf_tables; take as for rg_netlink_ask(). */
static int ask(int fd, uint16_t type, uint16_t flags,
	       int (*take)(void *arg, const struct nlmsghdr *message), void *arg)
{
	struct nf_request request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
			  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
		.body = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0 },
	};

	return rg_netlink_ask(fd, &request.head, take, arg);
}

static int take_generation(void *arg, const struct nlmsghdr *message)
{
	size_t len;
	const void *first = attributes_of(message, &len);

	(void)read_number(find_attribute(first, len, NFTA_GEN_ID), arg);
	return 0;
}

/* The number of the rules' last change; 0: there is no nf_tables here. Or -errno, as an int64_t. */
static int64_t read_generation(int fd)
{
	uint32_t number = 0;
	int err = ask(fd, NFT_MSG_GETGEN, 0, take_generation, &number);

	/* The kernel's answer for a part that it does not have. */
	if (err == -EINVAL || err == -EOPNOTSUPP)
		return 0;
	return err ? err : (int64_t)number;
}

static int take_chain(void *arg, const struct nlmsghdr *message)
{
	*(int *)arg |= kind_of_chain(message);
	return 0;
}

/* The kinds of all chains that may redirect, or -errno. */
static int read_chains(int fd)
{
	int found = 0, err = ask(fd, NFT_MSG_GETCHAIN, NLM_F_DUMP, take_chain, &found);

	return err ? err : found;
}

/* Whether an attribute is this text, with its NUL. */
static bool is_text(const struct nlattr *attribute, const char *text)
{
	size_t size = strlen(text) + 1;

	return attribute && attribute->nla_len >= NLA_HDRLEN + size &&
	       !memcmp((const char *)attribute + NLA_HDRLEN, text, size);
}

/* What is inside an attribute. */
static const void *inside(const struct nlattr *attribute, size_t *len)
{
	*len = (size_t)attribute->nla_len - NLA_HDRLEN;
	return (const char *)attribute + NLA_HDRLEN;
}

/* "ct zone set": the agent asks connection tracking about the zone 0. */
static bool sets_zone(const void *first, size_t len)
{
	uint32_t key;

	return find_attribute(first, len, NFTA_CT_SREG) &&
	       read_number(find_attribute(first, len, NFTA_CT_KEY), &key) && key == NFT_CT_ZONE;
}

/*
 * Whether an expression takes packets out of connection tracking or into another zone of it, gives them to a proxy,
 * or writes to them: nftables' own, and those of iptables-nft.
 */
static bool is_untracking(const struct nlattr *expression)
{
	size_t len;
	const void *first = inside(expression, &len);
	const struct nlattr *name = find_attribute(first, len, NFTA_EXPR_NAME);
	const struct nlattr *data = find_attribute(first, len, NFTA_EXPR_DATA), *target;

	if (is_text(name, "notrack") || is_text(name, "tproxy"))
		return true;
	if (!data)
		return false;
	first = inside(data, &len);
	if (is_text(name, "ct"))
		return sets_zone(first, len);
	if (is_text(name, "payload"))
		return find_attribute(first, len, NFTA_PAYLOAD_SREG) != NULL;
	target = is_text(name, "target") ? find_attribute(first, len, NFTA_TARGET_NAME) : NULL;
	return is_text(target, "CT") || is_text(target, "NOTRACK") || is_text(target, "TPROXY");
}

static int take_rule(void *arg, const struct nlmsghdr *message)
{
	size_t len, size;
	const void *first = attributes_of(message, &len);
	const struct nlattr *list = find_attribute(first, len, NFTA_RULE_EXPRESSIONS);
	const char *at = list ? inside(list, &len) : NULL;

	for (; at && len >= sizeof(struct nlattr); at += size, len -= size) {
		const struct nlattr *expression = (const void *)at;

		if (expression->nla_len < NLA_HDRLEN || expression->nla_len > len)
			break;
		*(bool *)arg |= is_untracking(expression);
		size = NLA_ALIGN(expression->nla_len);
		size = size < len ? size : len;
	}
	return 0;
}

/* Whether a rule anywhere leads packets past connection tracking. What can't be read may. */
static bool read_untracking(int fd)
{
	bool found = false;

	return ask(fd, NFT_MSG_GETRULE, NLM_F_DUMP, take_rule, &found) || found;
}

/* Tables of iptables that are older than nf_tables; and IPVS. What can't be read may be there. */
static bool has_older_kinds(void)
{
	RG_CLEANUP_FCLOSE FILE *names = fopen("/proc/self/net/ip_tables_names", "re");
	RG_CLEANUP_FCLOSE FILE *names6 = NULL;
	char line[64];

	if (!names && errno != ENOENT)
		return true;
	while (names && fgets(line, sizeof(line), names))
		if (strcmp(line, "filter\n") != 0 && strcmp(line, "security\n") != 0)
			return true;
	names6 = fopen("/proc/self/net/ip6_tables_names", "re");
	if (!names6 && errno != ENOENT)
		return true;
	while (names6 && fgets(line, sizeof(line), names6))
		if (strcmp(line, "filter\n") != 0 && strcmp(line, "security\n") != 0)
			return true;
	return !access("/proc/self/net/ip_vs", F_OK);
}

struct rg_redirects_facts rg_redirects_read(struct rg_redirects *redirects)
{
	struct rg_redirects_facts facts = { .possible = true };
	struct rg_routing_rules routing;
	int64_t generation;
	bool is_old;
	int chains = 0;

	if (!redirects)
		return facts;
	generation = read_generation(redirects->fd);
	if (generation > 0)
		chains = read_chains(redirects->fd);
	if ((uint32_t)generation != redirects->generation)
		redirects->is_untracked = chains > 0 && chains & CHAIN_NAT &&
					  read_untracking(redirects->fd);
	is_old = has_older_kinds();
	routing = rg_routing_rules_read(redirects->route);
	facts.possible = generation < 0 || chains != 0 || is_old || routing.before_local;
	facts.by_nat = chains > 0 && (chains & CHAIN_NAT) && !(chains & CHAIN_EARLY) && !is_old &&
		       !redirects->is_untracked && !routing.before_local;
	if ((uint32_t)generation != redirects->generation || routing.hash != redirects->routing ||
	    facts.possible != redirects->was_possible)
		redirects->round++;
	redirects->routing = routing.hash;
	redirects->generation = (uint32_t)generation;
	redirects->was_possible = facts.possible;
	facts.round = redirects->round;
	return facts;
}

bool rg_redirects_all_dropped(struct rg_redirects *redirects,
			      const struct rg_connection *connections, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (connections[i].dest_port && rg_conntrack_has(redirects->fd, &connections[i]))
			return false; /* delivered, or it can't be found out */
	return true;
}
