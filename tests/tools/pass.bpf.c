/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Passes every packet. The testbed puts it on the clients' end of its veth
 * pair: frames that the mail end sends by XDP_TX arrive only where the
 * receiving end has an XDP program too.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
