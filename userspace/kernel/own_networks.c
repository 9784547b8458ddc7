/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/own_networks.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* A router has a million routes and few gateways. Default routes come first in a dump of IPv4. */
#define MAX_ROUTES 1000

/* A wider network, such as 0.0.0.0/0 of a tunnel, is the Internet, and not this host's. */
#define MIN_LENGTH_V4 (RG_V4_PREFIX_BITS + 8)
#define MIN_LENGTH_V6 16

/* What is read; err: the first error. */
struct reading {
	struct rg_own_networks own;
	size_t room;
	int err;
};

static void add(struct reading *reading, const struct rg_prefix *prefix, enum rg_own_kind kind,
		const char *interface)
{
	struct rg_own_networks *own = &reading->own;

	if (rg_addr_is_special(&prefix->addr))
		return;
	if (own->count == reading->room) {
		size_t room = reading->room ? 2 * reading->room : 32;
		struct rg_own_network *all = reallocarray(own->all, room, sizeof(*all));

		if (!all) {
			reading->err = -ENOMEM;
			return;
		}
		own->all = all;
		reading->room = room;
	}
	own->all[own->count] = (struct rg_own_network){ .prefix = *prefix, .kind = kind };
	rg_prefix_mask(&own->all[own->count].prefix);
	snprintf(own->all[own->count++].interface, IF_NAMESIZE, "%s", interface);
}

static void add_address(struct reading *reading, const struct rg_addr *addr, enum rg_own_kind kind,
			const char *interface)
{
	const struct rg_prefix prefix = { .len = RG_ADDR_BITS, .addr = *addr };

	add(reading, &prefix, kind, interface);
}

/* ---- addresses and networks of interfaces ---- */

/* The length that a network mask stands for, or 0. */
static unsigned int mask_length(const struct sockaddr *mask)
{
	struct rg_addr bits;
	unsigned int len = 0;

	if (!mask)
		return 0;
	if (mask->sa_family == AF_INET) {
		uint32_t word = ((const struct sockaddr_in *)(const void *)mask)->sin_addr.s_addr;

		return RG_V4_PREFIX_BITS + (unsigned int)__builtin_popcount(word);
	}
	if (mask->sa_family != AF_INET6)
		return 0;
	memcpy(&bits, &((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr, sizeof(bits));
	for (size_t i = 0; i < sizeof(bits.bytes); i++)
		len += (unsigned int)__builtin_popcount(bits.bytes[i]);
	return len;
}

/* On a point-to-point interface the network is that of the other end. */
static void add_interface(struct reading *reading, const struct ifaddrs *one)
{
	const struct sockaddr *base = one->ifa_addr;
	const char *name = one->ifa_name ? one->ifa_name : "";
	struct rg_prefix network = {};
	bool v4;

	if (!base || rg_addr_from_sockaddr(base, &network.addr))
		return;
	add_address(reading, &network.addr, RG_OWN_ADDRESS, name);
	if ((one->ifa_flags & IFF_POINTOPOINT) && one->ifa_dstaddr &&
	    rg_addr_from_sockaddr(one->ifa_dstaddr, &network.addr))
		return;
	v4 = rg_addr_is_v4(&network.addr);
	network.len = mask_length(one->ifa_netmask);
	if (network.len == RG_ADDR_BITS && (one->ifa_flags & IFF_POINTOPOINT))
		add(reading, &network, RG_OWN_GATEWAY, "");
	else if (network.len < RG_ADDR_BITS && network.len >= (v4 ? MIN_LENGTH_V4 : MIN_LENGTH_V6))
		add(reading, &network, RG_OWN_NETWORK, name);
}

static int read_interfaces(struct reading *reading)
{
	struct ifaddrs *all;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next)
		add_interface(reading, one);
	freeifaddrs(all);
	return 0;
}

/* ---- gateways ---- */

struct route_request {
	struct nlmsghdr head;
	struct rtmsg body;
	struct rtattr attribute;
	struct in6_addr destination; /* only of a question about one address */
};

static void add_gateway(struct reading *reading, const void *bytes, size_t size)
{
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff } };

	if (size == 4)
		memcpy(addr.bytes + RG_ADDR_V4_OFFSET, bytes, 4);
	else if (size == sizeof(addr.bytes))
		memcpy(addr.bytes, bytes, size);
	else
		return;
	add_address(reading, &addr, RG_OWN_GATEWAY, "");
}

/* RTA_GATEWAY is an address of the route's family, RTA_VIA one of another family. */
static void take_attributes(struct reading *reading, const struct rtattr *attribute, int left)
{
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		const char *data = RTA_DATA(attribute);
		size_t size = RTA_PAYLOAD(attribute);

		if (attribute->rta_type == RTA_GATEWAY)
			add_gateway(reading, data, size);
		else if (attribute->rta_type == RTA_VIA && size > sizeof(uint16_t))
			add_gateway(reading, data + sizeof(uint16_t), size - sizeof(uint16_t));
		else if (attribute->rta_type == RTA_MULTIPATH) {
			const struct rtnexthop *hop = (const void *)data;
			int room = (int)size;

			for (; RTNH_OK(hop, room);
			     room -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
				take_attributes(reading, RTNH_DATA(hop),
						hop->rtnh_len - (int)RTNH_LENGTH(0));
		}
	}
}

/* Reads answers up to the end of a dump, or the one answer to a question. Errors end it. */
static void read_routes(struct reading *reading, int fd, bool is_dump)
{
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned int routes = 0;

	do {
		ssize_t len = recv(fd, buffer, sizeof(buffer), 0);
		const struct nlmsghdr *message = (const void *)buffer;

		if (len <= 0)
			return;
		for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
			struct rtmsg *route = NLMSG_DATA(message);

			if (message->nlmsg_type != RTM_NEWROUTE)
				return;
			routes++;
			if (!is_dump || route->rtm_table == RT_TABLE_MAIN)
				take_attributes(reading, RTM_RTA(route), (int)RTM_PAYLOAD(message));
		}
	} while (is_dump && routes < MAX_ROUTES);
}

/* Each question has a socket of its own: closing it ends a dump that is not read to its end. */
static void ask_routes(struct reading *reading, uint8_t family, const struct in6_addr *destination)
{
	struct route_request request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
			  .nlmsg_type = RTM_GETROUTE,
			  .nlmsg_flags = NLM_F_REQUEST | (destination ? 0 : NLM_F_DUMP) },
		.body = { .rtm_family = family, .rtm_table = destination ? 0 : RT_TABLE_MAIN },
		.attribute = { .rta_type = RTA_DST, .rta_len = RTA_LENGTH(sizeof(*destination)) },
	};
	RG_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1;

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (destination) {
		request.body.rtm_dst_len = 128;
		request.destination = *destination;
		request.head.nlmsg_len = sizeof(request);
	}
	if (send(fd, &request, request.head.nlmsg_len, 0) >= 0)
		read_routes(reading, fd, !destination);
}

/* ---- the whole ---- */

static int compare(const void *a, const void *b)
{
	const struct rg_own_network *x = a, *y = b;
	int order = rg_prefix_compare(&x->prefix, &y->prefix);

	return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static void sort(struct rg_own_networks *own)
{
	size_t kept = 0;

	if (!own->count)
		return;
	qsort(own->all, own->count, sizeof(*own->all), compare);
	for (size_t i = 1; i < own->count; i++)
		if (rg_prefix_compare(&own->all[kept].prefix, &own->all[i].prefix))
			own->all[++kept] = own->all[i];
	own->count = kept + 1;
}

int rg_own_networks_read(struct rg_own_networks *own, const struct sockaddr_storage *resolver)
{
	/* An address of the Internet that no route names: it meets the default route of IPv6. */
	static const struct in6_addr anywhere = { { { 0x20, [15] = 1 } } };
	struct reading reading = {};
	struct rg_addr addr;
	int err = read_interfaces(&reading);

	if (!err) {
		if (!rg_addr_from_sockaddr((const struct sockaddr *)resolver, &addr))
			add_address(&reading, &addr, RG_OWN_RESOLVER, "");
		ask_routes(&reading, AF_INET, NULL);
		ask_routes(&reading, AF_INET6, NULL);
		ask_routes(&reading, AF_INET6, &anywhere);
		err = reading.err;
	}
	if (err) {
		rg_own_networks_clear(&reading.own);
		return err;
	}
	sort(&reading.own);
	rg_own_networks_clear(own);
	*own = reading.own;
	return 0;
}

int rg_own_networks_copy(struct rg_own_networks *own, const struct rg_own_networks *from)
{
	struct rg_own_network *all = from->count ? calloc(from->count, sizeof(*all)) : NULL;

	if (from->count && !all)
		return -ENOMEM;
	if (all)
		memcpy(all, from->all, from->count * sizeof(*all));
	*own = (struct rg_own_networks){ all, from->count };
	return 0;
}

void rg_own_networks_clear(struct rg_own_networks *own)
{
	free(own->all);
	*own = (struct rg_own_networks){};
}

/* ---- queries ---- */

/* The first at or behind prefix. */
static size_t lower_bound(const struct rg_own_networks *own, const struct rg_prefix *prefix)
{
	size_t low = 0, high = own->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rg_prefix_compare(&own->all[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool rg_own_networks_has(const struct rg_own_networks *own, const struct rg_prefix *prefix)
{
	size_t at = lower_bound(own, prefix);

	return at < own->count && !rg_prefix_compare(&own->all[at].prefix, prefix);
}

const struct rg_own_network *rg_own_networks_find(const struct rg_own_networks *own,
						  const struct rg_addr *addr)
{
	const struct rg_prefix prefix = { .len = RG_ADDR_BITS, .addr = *addr };
	size_t at = lower_bound(own, &prefix);

	return at < own->count && !rg_prefix_compare(&own->all[at].prefix, &prefix) ? &own->all[at] :
										      NULL;
}

const struct rg_own_network *rg_own_networks_around(const struct rg_own_networks *own,
						    const struct rg_addr *addr)
{
	for (size_t i = 0; i < own->count; i++)
		if (own->all[i].kind == RG_OWN_NETWORK && rg_prefix_covers(&own->all[i].prefix, addr))
			return &own->all[i];
	return NULL;
}

const struct rg_own_network *rg_own_networks_within(const struct rg_own_networks *own,
						    const struct rg_addr *first,
						    const struct rg_addr *last, size_t *at)
{
	const struct rg_prefix start = { .addr = *first };

	if (!*at)
		*at = lower_bound(own, &start);
	while (*at < own->count && rg_addr_compare(&own->all[*at].prefix.addr, last) <= 0) {
		const struct rg_own_network *one = &own->all[(*at)++];
		struct rg_addr end = rg_prefix_last(&one->prefix);

		if (rg_addr_compare(&end, last) <= 0)
			return one;
	}
	return NULL;
}

const char *rg_own_networks_describe(const struct rg_own_network *own, char text[RG_OWN_TEXT])
{
	static const char *const kinds[] = { [RG_OWN_ADDRESS] = "an address of",
					     [RG_OWN_GATEWAY] = "a gateway",
					     [RG_OWN_RESOLVER] = "the resolver",
					     [RG_OWN_NETWORK] = "the network of" };
	char prefix[RG_PREFIX_TEXT];

	snprintf(text, RG_OWN_TEXT, "%s, %s%s%s", rg_prefix_format(&own->prefix, prefix),
		 kinds[own->kind], *own->interface ? " " : "", own->interface);
	return text;
}
