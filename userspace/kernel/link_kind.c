/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/link_kind.h"

#include <net/if.h>
#include <net/if_arp.h>
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

int rg_link_kind_of(const char *name, unsigned int *type, enum rg_link_kind *kind)
{
	RG_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return -errno;
	*type = request.ifr_hwaddr.sa_family;
	return rg_link_kind_of_type(*type, kind);
}

const char *rg_link_kind_name(enum rg_link_kind kind)
{
	return kind == RG_LINK_KIND_IP ? "ip" : "ethernet";
}
