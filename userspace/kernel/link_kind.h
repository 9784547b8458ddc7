/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the frames of an interface begin with, by its hardware type (ARPHRD_*). */
#ifndef REPGATE_KERNEL_LINK_KIND_H
#define REPGATE_KERNEL_LINK_KIND_H

#include "base/util.h"

#include <linux/netlink.h>

enum rg_link_kind { RG_LINK_KIND_ETHERNET, RG_LINK_KIND_IP };

/* 0; or -EPROTONOSUPPORT: the filter can't parse frames of this type. */
int rg_link_kind_of_type(unsigned int type, enum rg_link_kind *kind);

/*
 * Asks the kernel about the interface name, in this network namespace. 0, or -errno; *type is also set with
 * -EPROTONOSUPPORT, and with -EMEDIUMTYPE: the hardware type is known, but XDP sees frames of this interface with a
 * header of the outer packet before the IP header.
 */
int rg_link_kind_of(const char *name, unsigned int *type, enum rg_link_kind *kind);

/* Whether this RTM_NEWLINK is of an interface of the latter kind: vti, vti6, xfrm, or gre without one remote host. */
bool rg_link_kind_has_outer_header(const struct nlmsghdr *message);

/* "ethernet" or "ip", as `status` has it. */
const char *rg_link_kind_name(enum rg_link_kind kind);

#endif
