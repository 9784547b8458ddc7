/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/host_facts.h"

#include "base/util.h"
#include "kernel/attach.h"
#include "kernel/netlink.h"

#include "maps/verdict.h"

#include <bpf/bpf.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define MAX_READS 3

/* One interface of this network namespace. */
struct link {
	uint32_t ifindex, master, lower;
	uint8_t mac[6];
	bool is_ethernet;
	bool has_more_macs; /* it receives frames to other addresses than mac, too */
};

struct links {
	struct link *at;
	size_t count, room;
};

struct host_facts {
	const struct rg_maps *maps;
	struct links links;
	uint32_t round;
	int error; /* of the first route that could not be written */
};

static struct rtattr *find_attribute(struct rtattr *attribute, size_t len, unsigned short type)
{
	int left = (int)len;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == type)
			return attribute;
	return NULL;
}

static uint32_t attribute_number(struct rtattr *attribute)
{
	uint32_t number = 0;

	if (attribute && RTA_PAYLOAD(attribute) >= sizeof(number))
		memcpy(&number, RTA_DATA(attribute), sizeof(number));
	return number;
}

static int take_link(void *arg, const struct nlmsghdr *message)
{
	struct host_facts *facts = arg;
	struct ifinfomsg *info = NLMSG_DATA(message);
	struct rtattr *first = IFLA_RTA(info);
	size_t len = IFLA_PAYLOAD(message);
	struct rtattr *address = find_attribute(first, len, IFLA_ADDRESS);
	struct links *links = &facts->links;
	struct link *link;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	if (links->count == links->room) {
		size_t room = links->room ? 2 * links->room : 32;
		struct link *more = reallocarray(links->at, room, sizeof(*more));

		if (!more) {
			facts->error = -ENOMEM;
			return 0;
		}
		links->at = more;
		links->room = room;
	}
	link = &links->at[links->count++];
	*link = (struct link){ .ifindex = (uint32_t)info->ifi_index,
			       .master = attribute_number(find_attribute(first, len, IFLA_MASTER)),
			       .lower = attribute_number(find_attribute(first, len, IFLA_LINK)) };
	if (info->ifi_type == ARPHRD_ETHER && address && RTA_PAYLOAD(address) == sizeof(link->mac)) {
		memcpy(link->mac, RTA_DATA(address), sizeof(link->mac));
		link->is_ethernet = true;
	}
	return 0;
}

/* The IPv4 or IPv6 destination of a route, as a prefix. False: it has another family. */
static bool route_prefix(const struct rtmsg *route, struct rtattr *dest, struct rg_prefix *prefix)
{
	bool v4 = route->rtm_family == AF_INET;
	size_t size = v4 ? 4 : 16;

	*prefix = (struct rg_prefix){ .len = route->rtm_dst_len + (v4 ? RG_V4_PREFIX_BITS : 0u) };
	if ((!v4 && route->rtm_family != AF_INET6) || (dest && RTA_PAYLOAD(dest) != size))
		return false;
	if (v4)
		prefix->addr.bytes[10] = prefix->addr.bytes[11] = 0xff;
	if (dest)
		memcpy(prefix->addr.bytes + (v4 ? RG_ADDR_V4_OFFSET : 0), RTA_DATA(dest), size);
	return true;
}

static int take_route(void *arg, const struct nlmsghdr *message)
{
	struct host_facts *facts = arg;
	struct rtmsg *info = NLMSG_DATA(message);
	struct rg_host_route value = { .is_host = info->rtm_type == RTN_LOCAL, .round = facts->round };
	struct rg_prefix key;

	if (message->nlmsg_type != RTM_NEWROUTE || info->rtm_table != RT_TABLE_LOCAL)
		return 0;
	if (!route_prefix(info, find_attribute(RTM_RTA(info), RTM_PAYLOAD(message), RTA_DST), &key))
		return 0;
	if (bpf_map_update_elem(facts->maps->host_routes, &key, &value, BPF_ANY))
		facts->error = -errno;
	return 0;
}

static int dump_links(int fd, struct host_facts *facts)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg body;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };

	int err = rg_netlink_ask(fd, &request.head, take_link, facts);

	return err ? err : facts->error;
}

static struct link *find_link(const struct links *links, uint32_t ifindex)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->at[i].ifindex == ifindex)
			return &links->at[i];
	return NULL;
}

/* An address that an interface was told to receive. Groups do not matter: see for_whom(). */
static int take_address(void *arg, const struct nlmsghdr *message)
{
	struct host_facts *facts = arg;
	struct ndmsg *info = NLMSG_DATA(message);
	struct link *link = find_link(&facts->links, (uint32_t)info->ndm_ifindex);
	struct rtattr *first = (void *)((char *)info + NLMSG_ALIGN(sizeof(*info)));
	struct rtattr *address =
		find_attribute(first, NLMSG_PAYLOAD(message, NLMSG_ALIGN(sizeof(*info))), NDA_LLADDR);
	const uint8_t *mac;

	if (message->nlmsg_type != RTM_NEWNEIGH || !link || !address ||
	    RTA_PAYLOAD(address) != sizeof(link->mac))
		return 0;
	mac = RTA_DATA(address);
	if (!(mac[0] & 1) && memcmp(mac, link->mac, sizeof(link->mac)) != 0)
		link->has_more_macs = true;
	return 0;
}

/*
 * The addresses that an interface receives besides its own: of a macvlan or VLAN in another network namespace,
 * which the dump of links does not have, or of the ports of a bridge.
 */
static void dump_addresses(int fd, struct host_facts *facts, struct link *link)
{
	struct {
		struct nlmsghdr head;
		struct ndmsg body;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETNEIGH,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		      .body = { .ndm_family = AF_BRIDGE, .ndm_ifindex = (int)link->ifindex } };

	if (rg_netlink_ask(fd, &request.head, take_address, facts))
		link->has_more_macs = true; /* perhaps */
}

/* Only the table `local`: a router's main table may have a million routes. */
static int dump_routes(int fd, struct host_facts *facts, uint8_t family)
{
	struct {
		struct nlmsghdr head;
		struct rtmsg body;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETROUTE,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		      .body = { .rtm_family = family, .rtm_table = RT_TABLE_LOCAL } };

	int err = rg_netlink_ask(fd, &request.head, take_route, facts);

	return err ? err : facts->error;
}

/* Frames to other MAC addresses are received, too, for the master or for an interface above this one. */
static bool takes_any_mac(const struct links *links, const struct link *link)
{
	if (!link->is_ethernet || link->master || link->has_more_macs)
		return true;
	for (size_t i = 0; i < links->count; i++) {
		const struct link *upper = &links->at[i];

		if (upper->lower == link->ifindex && upper->ifindex != link->ifindex &&
		    upper->is_ethernet && memcmp(upper->mac, link->mac, sizeof(link->mac)) != 0)
			return true;
	}
	return false;
}

/* Writes the filtered interfaces; entries of others are taken out. */
static int write_links(const struct rg_loader *loader, const struct host_facts *facts)
{
	const struct rg_attachment *at;
	uint32_t old[RG_MAX_LINKS], *last = NULL, key;
	size_t count = 0;

	for (; count < RG_MAX_LINKS && !bpf_map_get_next_key(facts->maps->host_links, last, &key);
	     count++) {
		old[count] = key;
		last = &old[count];
	}
	for (unsigned int i = 0; (at = rg_attach_info(loader, i)); i++) {
		const struct link *link = at->ifindex ? find_link(&facts->links, at->ifindex) : NULL;
		struct rg_host_link value = {};

		if (!link)
			continue;
		memcpy(value.mac, link->mac, sizeof(value.mac));
		value.any_mac = takes_any_mac(&facts->links, link);
		if (bpf_map_update_elem(facts->maps->host_links, &link->ifindex, &value, BPF_ANY))
			return -errno;
		for (size_t j = 0; j < count; j++)
			if (old[j] == link->ifindex)
				old[j] = 0;
	}
	for (size_t j = 0; j < count; j++)
		if (old[j])
			(void)bpf_map_delete_elem(facts->maps->host_links, &old[j]);
	return 0;
}

/* Removes the routes that this round did not see. */
static void remove_old_routes(const struct host_facts *facts)
{
	struct rg_prefix key, next;
	struct rg_host_route value;
	bool has_key = !bpf_map_get_next_key(facts->maps->host_routes, NULL, &key);

	for (int i = 0; has_key && i < 2 * RG_MAX_HOST_ROUTES; i++) {
		has_key = !bpf_map_get_next_key(facts->maps->host_routes, &key, &next);
		if (!bpf_map_lookup_elem(facts->maps->host_routes, &key, &value) &&
		    value.round != facts->round)
			(void)bpf_map_delete_elem(facts->maps->host_routes, &key);
		key = next;
	}
}

static int refresh(struct rg_loader *loader)
{
	struct host_facts facts = { .maps = rg_loader_maps(loader),
				    .round = (uint32_t)(rg_now() >> 16) };
	RG_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct rg_attachment *at;
	int one = 1, err;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	err = dump_routes(fd, &facts, AF_INET);
	if (!err && (!dump_routes(fd, &facts, AF_INET6) || !facts.error)) { /* or there is no IPv6 */
		remove_old_routes(&facts);
		err = dump_links(fd, &facts);
	}
	for (unsigned int i = 0; !err && (at = rg_attach_info(loader, i)); i++) {
		struct link *link = at->ifindex ? find_link(&facts.links, at->ifindex) : NULL;

		if (link)
			dump_addresses(fd, &facts, link);
	}
	/* Last: without the interface, XDP does not ask for routes. */
	if (!err)
		err = write_links(loader, &facts);
	free(facts.links.at);
	return err;
}

int rg_host_facts_refresh(struct rg_loader *loader)
{
	int err = -EINTR;

	/* -EINTR: addresses or interfaces changed while they were read. */
	for (int i = 0; err == -EINTR && i < MAX_READS; i++)
		err = refresh(loader);
	return err;
}
