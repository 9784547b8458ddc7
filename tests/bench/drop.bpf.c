/* SPDX-License-Identifier: GPL-2.0-only */
/* Drops every packet unseen: the limit of what a filter can reach. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
