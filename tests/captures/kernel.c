/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define MAX_PORTS 16
#define PATIENCE 5000 /* ms for the answer to a mark */
#define MARK_PORT 9 /* nobody listens there: RST+ACK */
#define MARK_SIZE 40 /* bytes of IP and TCP */
#define SYN_ACK 0x12

/* The device's name is in0 in each case. The replies leave by it, without asking for MAC addresses. */
static const char common[] =
	"set -e; ip link set lo up\n"
	"cd /proc/sys/net\n"
	"for dir in ipv4/conf/all ipv4/conf/default; do\n"
	"  echo 0 >$dir/rp_filter; echo 1 >$dir/accept_local; echo 1 >$dir/route_localnet\n"
	"  echo 1 >$dir/accept_source_route; echo 0 >$dir/accept_redirects; echo 0 >$dir/log_martians\n"
	"done\n"
	"for dir in ipv6/conf/all ipv6/conf/default; do\n"
	"  echo 0 >$dir/accept_ra; echo 0 >$dir/accept_redirects; echo 1 >$dir/accept_source_route\n"
	"  echo 0 >$dir/accept_dad; echo 0 >$dir/disable_ipv6\n"
	"done\n"
	"echo 2 >ipv4/tcp_syncookies\n"
	/* Each address is local for what comes in, and for source addresses; the way out is another one. */
	"for ip in 'ip' 'ip -6'; do\n"
	"  $ip rule add iif in0 pref 1 lookup local; $ip rule del pref 0\n"
	"done\n"
	"ip route add local 0.0.0.0/0 dev lo table local\n"
	"ip -6 route add local ::/0 dev lo table local\n";
static const char make_veth[] =
	"ip link add out0 mtu 65535 numrxqueues 1 numtxqueues 1 type veth peer name in0 mtu 65535"
	"  numrxqueues 1 numtxqueues 1\n"
	"echo 1 >/proc/sys/net/ipv6/conf/out0/disable_ipv6\n"
	"ip link set out0 arp off up; ip link set in0 arp off\n";
static const char up[] = "ip link set in0 up\n"
			 "ip route add default dev in0; ip -6 route add default dev in0\n";

struct kernel {
	enum kernel_device device;
	int fd; /* a packet socket of out0, or the tun device */
	int ifindex; /* of in0 */
	uint32_t marks; /* sent so far */
	uint8_t mac[6]; /* of in0 */
	uint16_t ports[MAX_PORTS];
	size_t port_count;
	int listeners[2 * MAX_PORTS];
};

static int run_script(const char *first, const char *second, const char *third)
{
	size_t size = strlen(first) + strlen(second) + strlen(third) + 1;
	char *script = malloc(size);
	int status;

	if (!script)
		return -ENOMEM;
	snprintf(script, size, "%s%s%s", first, second, third);
	status = system(script);
	free(script);
	return status ? -EIO : 0;
}

/* ---- devices ---- */

static int open_tun(struct kernel *kernel)
{
	struct ifreq request = { .ifr_name = "in0", .ifr_flags = IFF_TUN | IFF_NO_PI };

	kernel->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return kernel->fd < 0 || ioctl(kernel->fd, TUNSETIFF, &request) ? -errno : 0;
}

static int open_veth(struct kernel *kernel)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq request = { .ifr_name = "in0" };

	address.sll_ifindex = (int)if_nametoindex("out0");
	kernel->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (kernel->fd < 0 || bind(kernel->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    ioctl(kernel->fd, SIOCGIFHWADDR, &request))
		return -errno;
	memcpy(kernel->mac, request.ifr_hwaddr.sa_data, sizeof(kernel->mac));
	return 0;
}

static int listen_at(int family, uint16_t port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6)
		err = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ||
		      bind(fd, (struct sockaddr *)&any6, sizeof(any6));
	else
		err = bind(fd, (struct sockaddr *)&any4, sizeof(any4));
	if (!err && !listen(fd, 4096))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int open_listeners(struct kernel *kernel, const uint16_t *ports, size_t count)
{
	if (count > MAX_PORTS)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		kernel->ports[i] = ports[i];
		kernel->listeners[2 * i] = listen_at(AF_INET, ports[i]);
		kernel->listeners[2 * i + 1] = listen_at(AF_INET6, ports[i]);
		kernel->port_count++;
		if (kernel->listeners[2 * i] < 0 || kernel->listeners[2 * i + 1] < 0)
			return -EADDRINUSE;
	}
	return 0;
}

/*
 * A frame and the mark behind it go through the queue of the CPU that sends them. If the scheduler moved us to
 * another one between the two, the mark could be answered first.
 */
static int stay_on_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0)
		return -errno;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int kernel_open(struct kernel **ret, enum kernel_device device, const uint16_t *ports,
		size_t port_count)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	int err = kernel ? 0 : -ENOMEM;

	if (err)
		return err;
	kernel->device = device;
	kernel->fd = -1;
	err = stay_on_cpu();
	if (!err && unshare(CLONE_NEWNET))
		err = -errno;
	if (!err && device == KERNEL_TUN)
		err = open_tun(kernel);
	if (!err)
		err = run_script(common, device == KERNEL_VETH ? make_veth : "", up);
	if (!err && device == KERNEL_VETH)
		err = open_veth(kernel);
	if (!err)
		err = open_listeners(kernel, ports, port_count);
	kernel->ifindex = (int)if_nametoindex("in0");
	if (err) {
		kernel_close(kernel);
		return err;
	}
	*ret = kernel;
	return 0;
}

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	if (kernel->ifindex)
		(void)bpf_xdp_detach(kernel->ifindex, 0, NULL);
	for (size_t i = 0; i < 2 * kernel->port_count; i++)
		if (kernel->listeners[i] >= 0)
			close(kernel->listeners[i]);
	if (kernel->fd >= 0)
		close(kernel->fd);
	free(kernel);
}

int kernel_attach(struct kernel *kernel, int program, uint32_t flags)
{
	return bpf_xdp_attach(kernel->ifindex, program, flags, NULL);
}

/* ---- frames ---- */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned int sum_of(const uint8_t *at, size_t len, unsigned int sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (unsigned int)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* A SYN to a closed port, from 198.18.0.1 to 198.18.0.2: its answer comes after those to frames before. */
static void build_mark(uint8_t mark[MARK_SIZE], uint32_t number)
{
	static const uint8_t ip[20] = { 0x45, 0, 0,   MARK_SIZE, 0, 0, 0,   0,	64, 6,
					0,    0, 198, 18,	 0, 1, 198, 18, 0,  2 };

	memset(mark, 0, MARK_SIZE);
	memcpy(mark, ip, sizeof(ip));
	put16(mark + 10, 0xffff - sum_of(mark, 20, 0));
	put16(mark + 20, 40000);
	put16(mark + 22, MARK_PORT);
	put32(mark + 24, number);
	mark[32] = 5 << 4;
	mark[33] = 2; /* SYN */
	put16(mark + 36, 0xffff - sum_of(mark + 20, 20, sum_of(mark + 12, 8, 6 + 20)));
}

static bool is_port(const struct kernel *kernel, unsigned int port)
{
	for (size_t i = 0; i < kernel->port_count; i++)
		if (kernel->ports[i] == port)
			return true;
	return false;
}

enum answer { ANSWER_OTHER, ANSWER_SYN_ACK, ANSWER_MARK };

/* What a packet says that the host sent. Its replies have no extension headers. */
static enum answer read_answer(const struct kernel *kernel, const uint8_t *ip, size_t len)
{
	size_t tcp = len ? ip[0] >> 4 == 6 ? 40 : (ip[0] & 15) * 4u : 0;

	if (len < 20 || len < tcp + 20 || ip[ip[0] >> 4 == 6 ? 6 : 9] != IPPROTO_TCP)
		return ANSWER_OTHER;
	if (ip[0] >> 4 == 4 && ip[tcp + 1] == MARK_PORT && !ip[tcp] &&
	    get32(ip + 12) == 0xc6120002 && get32(ip + tcp + 8) == kernel->marks + 1)
		return ANSWER_MARK;
	if ((ip[tcp + 13] & SYN_ACK) == SYN_ACK &&
	    is_port(kernel, (unsigned int)ip[tcp] << 8 | ip[tcp + 1]))
		return ANSWER_SYN_ACK;
	return ANSWER_OTHER;
}

/* 1: there was a SYN+ACK before the answer to the mark; 0: none; or a negative error. */
static int wait_for_mark(const struct kernel *kernel)
{
	size_t front = kernel->device == KERNEL_VETH ? CAPTURE_ETHERNET : 0;
	struct pollfd poll_fd = { .fd = kernel->fd, .events = POLLIN };
	int answered = 0;

	for (;;) {
		uint8_t packet[2048];
		ssize_t len = read(kernel->fd, packet, sizeof(packet));

		if (len < 0) {
			if (errno != EAGAIN && errno != EINTR)
				return -errno;
			if (poll(&poll_fd, 1, PATIENCE) == 0)
				return -ETIMEDOUT;
			continue;
		}
		if ((size_t)len < front)
			continue;
		switch (read_answer(kernel, packet + front, (size_t)len - front)) {
		case ANSWER_SYN_ACK:
			answered = 1;
			break;
		case ANSWER_MARK:
			return answered;
		default:
			break;
		}
	}
}

static int send_mark(struct kernel *kernel)
{
	uint8_t mark[CAPTURE_ETHERNET + MARK_SIZE] = { 0 };
	size_t front = kernel->device == KERNEL_VETH ? CAPTURE_ETHERNET : 0;

	memcpy(mark, kernel->mac, sizeof(kernel->mac));
	mark[6] = 2;
	mark[12] = 8; /* ETH_P_IP; overwritten if there is no Ethernet header */
	build_mark(mark + front, ++kernel->marks);
	return write(kernel->fd, mark, front + MARK_SIZE) < 0 ? -errno : 0;
}

static void zero_vlan_ids(uint8_t *frame, size_t len)
{
	for (size_t at = 12; at + 4 <= len; at += 4) {
		unsigned int type = (unsigned int)frame[at] << 8 | frame[at + 1];

		if (type != ETH_P_8021Q && type != ETH_P_8021AD)
			return;
		frame[at + 2] &= 0xf0;
		frame[at + 3] = 0;
	}
}

static int send_frame(const struct kernel *kernel, const struct capture_frame *frame)
{
	size_t front = kernel->device == KERNEL_VETH ? 0 : CAPTURE_ETHERNET;
	static uint8_t copy[CAPTURE_LONGEST];

	memcpy(copy, frame->data, frame->len);
	if (!(copy[0] & 1))
		memcpy(copy, kernel->mac, sizeof(kernel->mac));
	zero_vlan_ids(copy, frame->len);
	return write(kernel->fd, copy + front, frame->len - front) < 0 ? -errno : 0;
}

int kernel_ask(struct kernel *kernel, const struct capture_frame *frame)
{
	int err = send_frame(kernel, frame);

	if (err == -EINVAL) /* shorter than a header */
		err = -EMSGSIZE;
	if (!err)
		err = send_mark(kernel);
	return err ? err : wait_for_mark(kernel);
}
