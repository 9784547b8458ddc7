/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/redirects.h"

#include "kernel/conntrack.h"
#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

struct rg_redirects {
	int fd; /* asks */
	int news; /* is told of changes; -1: nobody listens */
	struct event *event;
	void (*changed)(void *arg);
	void *arg;
	uint32_t generation; /* of the rules, when they were read last */
	bool was_possible;
	bool is_untracked; /* a rule leads packets past connection tracking */
	uint32_t round;
};

struct nf_request {
	struct nlmsghdr head;
	struct nfgenmsg body;
};

static int open_netfilter(int flags)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_NETFILTER);

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

/* 0 or -errno */
static int listen_for_news(struct rg_redirects *redirects, struct event_base *base)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES;

	redirects->news = open_netfilter(SOCK_NONBLOCK);
	if (redirects->news < 0)
		return redirects->news;
	/* A socket without a number of its own gets no news: the kernel takes it for the one that asked. */
	if (bind(redirects->news, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	if (setsockopt(redirects->news, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	redirects->event = event_new(base, redirects->news, EV_READ | EV_PERSIST, on_news, redirects);
	return redirects->event && !event_add(redirects->event, NULL) ? 0 : -ENOMEM;
}

int rg_redirects_new(struct rg_redirects **ret, struct event_base *base, void (*changed)(void *arg),
		     void *arg)
{
	const struct timeval timeout = { .tv_usec = 200000 };
	struct rg_redirects *redirects = calloc(1, sizeof(*redirects));
	int err = 0;

	if (!redirects)
		return -ENOMEM;
	redirects->news = -1;
	redirects->round = (uint32_t)(rg_now() >> 20); /* not that of an earlier agent */
	redirects->changed = changed;
	redirects->arg = arg;
	redirects->fd = open_netfilter(0);
	if (redirects->fd < 0)
		err = redirects->fd;
	else
		(void)setsockopt(redirects->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (!err && base)
		err = listen_for_news(redirects, base);
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
	if (redirects->event)
		event_free(redirects->event);
	rg_closep(&redirects->fd);
	rg_closep(&redirects->news);
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

/*
 * Whether an expression takes packets out of connection tracking, or writes to them: nftables' own, and those of
 * iptables-nft.
 */
static bool is_untracking(const struct nlattr *expression)
{
	size_t len;
	const void *first = inside(expression, &len);
	const struct nlattr *name = find_attribute(first, len, NFTA_EXPR_NAME);
	const struct nlattr *data = find_attribute(first, len, NFTA_EXPR_DATA), *target;

	if (is_text(name, "notrack"))
		return true;
	if (!data)
		return false;
	first = inside(data, &len);
	if (is_text(name, "payload"))
		return find_attribute(first, len, NFTA_PAYLOAD_SREG) != NULL;
	target = is_text(name, "target") ? find_attribute(first, len, NFTA_TARGET_NAME) : NULL;
	return is_text(target, "CT") || is_text(target, "NOTRACK");
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
	facts.possible = generation < 0 || chains != 0 || is_old;
	facts.by_nat = chains > 0 && (chains & CHAIN_NAT) && !(chains & CHAIN_EARLY) && !is_old &&
		       !redirects->is_untracked;
	if ((uint32_t)generation != redirects->generation || facts.possible != redirects->was_possible)
		redirects->round++;
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
