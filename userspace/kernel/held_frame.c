/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/held_frame.h"

#include "kernel/loader_private.h"

#include <arpa/inet.h>
#include <net/ethernet.h>

/* NULL: not one of ours, or it has gone away. */
static const struct rg_attachment *find(const struct rg_loader *loader, unsigned int ifindex)
{
	for (unsigned int i = 0; i < loader->interface_count; i++)
		if (loader->interfaces[i].info.ifindex == ifindex)
			return &loader->interfaces[i].info;
	return NULL;
}

static bool is_generic(const struct rg_loader *loader, unsigned int ifindex)
{
	const struct rg_attachment *at = find(loader, ifindex);

	return at && at->mode == RG_XDP_GENERIC;
}

/* Whether the frames of the interface begin with an IP header. */
static bool begins_with_ip(const struct rg_loader *loader, unsigned int ifindex)
{
	const struct rg_attachment *at = find(loader, ifindex);

	return at && at->link_kind == RG_LINK_KIND_IP;
}

/* The program of this name for the interface's frames. */
#define PROGRAM(loader, ifindex, name)                                           \
	(begins_with_ip(loader, ifindex) ? (loader)->skeleton->progs.name##_ip : \
					   (loader)->skeleton->progs.name)

/* Runs an XDP program on a frame, whose result is dropped. XDP_* or -errno. */
static int try_frame(const struct bpf_program *program, unsigned int ifindex, const void *frame,
		     size_t len)
{
	struct xdp_md context = { .data_end = (__u32)len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		return -errno;
	return (int)opts.retval;
}

int rg_held_frame_count(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
			size_t len)
{
	int result = try_frame(PROGRAM(loader, ifindex, monitor), ifindex, frame, len);

	return result < 0 ? result : 0;
}

/*
 * In generic mode a frame that is sent meets the filter, which judges and counts it there. So the filter
 * must know what to do: if it held the frame again, the two would never end.
 */
static int preview(const struct rg_loader *loader, unsigned int ifindex, const void *frame, size_t len)
{
	int result = try_frame(PROGRAM(loader, ifindex, preview), ifindex, frame, len);

	if (result < 0)
		return result;
	return result == XDP_PASS ? 1 : -ENOKEY;
}

int rg_held_frame_judge(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
			size_t len, struct rg_held_frame *ret)
{
	struct xdp_md context = { .data_end = (__u32)len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .data_out = ret->bytes, .data_size_out = sizeof(ret->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	const struct bpf_program *program = PROGRAM(loader, ifindex, release);

	ret->ifindex = ifindex;
	ret->begins_with_ip = begins_with_ip(loader, ifindex);
	ret->arrives = true;
	if (is_generic(loader, ifindex)) {
		ret->len = (uint32_t)len;
		memcpy(ret->bytes, frame, len);
		return preview(loader, ifindex, frame, len);
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		return -errno;
	ret->len = opts.data_size_out;
	ret->arrives = opts.retval == XDP_PASS;
	return opts.retval == XDP_PASS || opts.retval == XDP_TX;
}

/*
 * A test run wants an Ethernet header, and takes the protocol from it. bpf_clone_redirect() removes it on the
 * way to a link that has none. Returns the length.
 */
static size_t add_ethernet(const struct rg_held_frame *frame, uint8_t *bytes)
{
	struct ether_header header = {
		.ether_type = htons((frame->bytes[0] >> 4) == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP)
	};
	size_t offset = 0;

	if (frame->begins_with_ip) {
		memcpy(bytes, &header, sizeof(header));
		offset = sizeof(header);
	}
	memcpy(bytes + offset, frame->bytes, frame->len);
	return offset + frame->len;
}

/*
 * Not with BPF_F_TEST_XDP_LIVE_FRAMES: the kernel makes and fills a page pool for each call, which is
 * three quarters of its cost.
 */
int rg_held_frame_send(const struct rg_loader *loader, const struct rg_held_frame *frame)
{
	uint8_t bytes[ETH_HLEN + sizeof(frame->bytes)];
	size_t len = add_ethernet(frame, bytes);
	struct __sk_buff context = { .ifindex = frame->ifindex,
				     .cb = { frame->arrives ? BPF_F_INGRESS : 0 } };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = (__u32)len,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(loader->skeleton->progs.send_on), &opts))
		return -errno;
	return opts.retval ? -ENOBUFS : 0;
}
