/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/steering.h"

#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct diag_request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

struct wanted {
	const uint16_t *ports;
	unsigned int count;
	bool found;
};

static int take_listener(void *arg, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *listener = NLMSG_DATA(message);
	struct wanted *wanted = arg;

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*listener)))
		return 0;
	for (unsigned int i = 0; i < wanted->count; i++)
		wanted->found |= ntohs(listener->id.idiag_sport) == wanted->ports[i];
	return 0;
}

/* Asks sock_diag(7) for listening TCP sockets of one family. */
static int find_listeners(int fd, uint8_t family, struct wanted *wanted)
{
	struct diag_request request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = 1 << TCP_LISTEN },
	};

	return rg_netlink_ask(fd, &request.head, take_listener, wanted);
}

int rg_steering_listener(const uint16_t *ports, unsigned int count)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	RG_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct wanted wanted = { .ports = ports, .count = count };
	int err = fd < 0 ? -errno : 0;

	for (size_t i = 0; !err && !wanted.found && i < ARRAY_SIZE(families); i++)
		err = find_listeners(fd, families[i], &wanted);
	/* A dump that changed meanwhile (-EINTR) may have found one all the same. */
	return wanted.found ? 1 : err;
}

static bool is_bridge_port(const struct rg_conf *conf)
{
	for (unsigned int i = 0; i < conf->interface_count; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/class/net/%s/brport", conf->interfaces[i]);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

/* As add_unconfirmed() of bpf/ticket.bpf.h decides it. */
bool rg_steering_is_full(const struct rg_destination *dest, const struct rg_settings *settings,
			 uint64_t now)
{
	bool is_proven = dest->proven && dest->round == settings->round &&
			 now < dest->proven + RG_PROVEN_TIME;

	return dest->unconfirmed >= (is_proven ? RG_MAX_UNCONFIRMED_PROVEN : RG_MAX_UNCONFIRMED) &&
	       now < dest->counted + RG_UNCONFIRMED_TIME;
}

bool rg_steering_is_bypassed(const struct rg_destination *destinations,
			     const struct rg_settings *settings, uint64_t now)
{
	for (unsigned int i = 0; settings->bounded && i < RG_DESTINATIONS; i++)
		if (rg_steering_is_full(&destinations[i], settings, now))
			return true;
	return false;
}

static enum rg_steering_state decide(const struct rg_steering *steering, const struct rg_conf *conf,
				     int listener, bool bypassed)
{
	if (!steering->attached)
		return RG_STEERING_NO_PROGRAM;
	if (bypassed)
		return RG_STEERING_BYPASSED;
	if (listener)
		return RG_STEERING_READY;
	return is_bridge_port(conf) ? RG_STEERING_BRIDGED : RG_STEERING_NO_SERVER;
}

bool rg_steering_update(struct rg_steering *steering, const struct rg_conf *conf, int listener,
			bool bypassed)
{
	enum rg_steering_state before = steering->state;

	steering->state = decide(steering, conf, listener, bypassed);
	return steering->state != before;
}

bool rg_steering_works(const struct rg_steering *steering)
{
	return steering->state == RG_STEERING_READY || steering->state == RG_STEERING_NO_SERVER;
}

bool rg_steering_may_work(const struct rg_steering *steering)
{
	return rg_steering_works(steering) || steering->state == RG_STEERING_BYPASSED;
}

enum rg_action rg_steering_action(const struct rg_steering *steering, enum rg_class peer_class,
				  enum rg_action action)
{
	if ((action != RG_ACTION_TEMPFAIL && action != RG_ACTION_REJECT) ||
	    rg_steering_works(steering))
		return action;
	return peer_class == RG_CLASS_QIL ? RG_ACTION_RESET : RG_ACTION_DROP;
}

const char *rg_steering_name(enum rg_steering_state state)
{
	static const char *const names[] = {
		[RG_STEERING_READY] = "ready",	       [RG_STEERING_NO_PROGRAM] = "no program",
		[RG_STEERING_NO_SERVER] = "no server", [RG_STEERING_BRIDGED] = "bridged",
		[RG_STEERING_BYPASSED] = "bypassed",
	};

	return names[state];
}

const char *rg_steering_advice(enum rg_steering_state state)
{
	switch (state) {
	case RG_STEERING_NO_PROGRAM:
		return "the kernel refused the steering program: tempfail resets and reject drops";
	case RG_STEERING_NO_SERVER:
		return "nothing listens on a filtered port in this network namespace; if the mail "
		       "server is in another one (router, bridge, container), tempfail and reject "
		       "can't work: use tag, reset or drop";
	case RG_STEERING_BRIDGED:
		return "the interface is a port of a bridge and the mail server is not in this "
		       "network namespace: tempfail resets and reject drops; use tag, reset or drop";
	case RG_STEERING_BYPASSED:
		return "connections pass the responder by (destination NAT to a container, or a "
		       "firewall): tempfail resets and reject drops; use tag, reset or drop";
	default:
		return "";
	}
}
