/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's opinion of frames: a network namespace that owns every address and listens at the filtered
 * ports. A frame comes in, by Ethernet (a veth pair) or without an Ethernet header (tun), and whoever gets a
 * SYN+ACK back has been taken for a new connection. The answers are SYN cookies: the kernel remembers none
 * of them, so one frame does not change what the next one meets. Only fragments wait for others.
 */
#ifndef REPGATE_TESTS_KERNEL_H
#define REPGATE_TESTS_KERNEL_H

#include "capture.h"

enum kernel_device { KERNEL_VETH, KERNEL_TUN };

struct kernel;

/*
 * Moves the caller into a fresh namespace, with one device and listeners at ports. The one before is left
 * behind: its kernel must be closed first. 0 or a negative error.
 */
int kernel_open(struct kernel **ret, enum kernel_device device, const uint16_t *ports,
		size_t port_count);
void kernel_close(struct kernel *kernel);

/* Attaches an XDP program to the device. flags: XDP_FLAGS_SKB_MODE or XDP_FLAGS_DRV_MODE. 0 or an error. */
int kernel_attach(struct kernel *kernel, int program, uint32_t flags);

/*
 * Sends the frame. 1: a filtered port answered with SYN+ACK before the next frame could; 0: it did not;
 * -EMSGSIZE: the device does not take such a frame; or another negative error. The host's MAC address takes
 * the place of any other single one, and VLAN identifiers are 0: else the kernel would take the frame for
 * another host's.
 */
int kernel_ask(struct kernel *kernel, const struct capture_frame *frame);

#endif
