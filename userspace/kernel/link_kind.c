/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/link_kind.h"

#include "kernel/netlink.h"

#include <net/if.h> /* before the kernel's own <linux/if.h>, which then leaves out what is here */

#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Not in the C library's net/if_arp.h. */
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif
#ifndef ARPHRD_NONE
#define ARPHRD_NONE 0xfffe
#endif

int rg_link_kind_of_type(unsigned int type, enum rg_link_kind *kind)
{
	switch (type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		*kind = RG_LINK_KIND_ETHERNET;
		return 0;
	/* The kernel's own list of links without a MAC header: dev_is_mac_header_xmit(). */
	case ARPHRD_NONE: /* tun, wg */
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL: /* ipip */
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		*kind = RG_LINK_KIND_IP;
		return 0;
	default:
		return -EPROTONOSUPPORT;
	}
}

static const struct rtattr *find_attribute(const void *first, size_t len, unsigned short type)
{
	const struct rtattr *attribute = first;
	int left = (int)len;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

static const struct rtattr *find_within(const struct rtattr *nest, unsigned short type)
{
	return nest ? find_attribute(RTA_DATA(nest), RTA_PAYLOAD(nest), type) : NULL;
}

static bool is_text(const struct rtattr *attribute, const char *text)
{
	return attribute && RTA_PAYLOAD(attribute) > strlen(text) &&
	       !strcmp((const char *)RTA_DATA(attribute), text);
}

/* A GRE tunnel to any host, or to a group: its "MAC header" is the outer IP header (ipgre_header_ops). */
static bool is_gre_to_many(const struct rtattr *data)
{
	const struct rtattr *remote = find_within(data, IFLA_GRE_REMOTE);
	uint32_t address = 0;

	if (find_within(data, IFLA_GRE_COLLECT_METADATA))
		return false;
	if (remote && RTA_PAYLOAD(remote) >= sizeof(address))
		memcpy(&address, RTA_DATA(remote), sizeof(address));
	return !address || IN_MULTICAST(ntohl(address));
}

bool rg_link_kind_has_outer_header(const struct nlmsghdr *message)
{
	const size_t before = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct ifinfomsg)));
	const struct rtattr *info, *name;

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < before)
		return false;
	info = find_attribute((const char *)message + before, message->nlmsg_len - before,
			      IFLA_LINKINFO);
	name = find_within(info, IFLA_INFO_KIND);
	/* Of these the kernel keeps the Ethernet header of the interface by which the outer packet came. */
	if (is_text(name, "vti") || is_text(name, "vti6") || is_text(name, "xfrm"))
		return true;
	return is_text(name, "gre") && is_gre_to_many(find_within(info, IFLA_INFO_DATA));
}

static int take_link(void *arg, const struct nlmsghdr *message)
{
	*(bool *)arg = rg_link_kind_has_outer_header(message);
	return 0;
}

/* 0, -EMEDIUMTYPE, or another -errno. */
static int check_header(const char *name)
{
	RG_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct ifinfomsg body;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST },
		      .body = { .ifi_index = (int)if_nametoindex(name) } };
	bool has_outer = false;
	int err;

	if (fd < 0 || !request.body.ifi_index)
		return -errno;
	err = rg_netlink_ask(fd, &request.head, take_link, &has_outer);
	return err ? err : has_outer ? -EMEDIUMTYPE : 0;
}

int rg_link_kind_of(const char *name, unsigned int *type, enum rg_link_kind *kind)
{
	RG_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};
	int err;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return -errno;
	*type = request.ifr_hwaddr.sa_family;
	err = rg_link_kind_of_type(*type, kind);
	return !err && *kind == RG_LINK_KIND_IP ? check_header(name) : err;
}

const char *rg_link_kind_name(enum rg_link_kind kind)
{
	return kind == RG_LINK_KIND_IP ? "ip" : "ethernet";
}
