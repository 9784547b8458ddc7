/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdict_cost - nanoseconds a verdict, by BPF_PROG_TEST_RUN
 *
 * Fills the maps with HOSTS listed hosts, as many known peers (a million at most) and PREFIXES blocked
 * prefixes, and runs the filter on packets of every kind, each from another source than the one before.
 * What is printed as "net" is the time above that of a program which rewrites the packet in the same
 * way and does nothing else, in the same round. Then many lookups in one run of a program: the verdict
 * alone. And, as what a verdict costs is mostly what memory costs here, a read of as much memory as the
 * index has for its hosts, each from where the one before says. Times are the thread's own CPU time, so that others on the machine count little.
 *
 * The result is one line of JSON.
 */
#include "fill.h"
#include "measure.h"
#include "verdict.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "verdict.skel.h"

#define FILTERED_PORT 25
#define OTHER_PORT 80
/* Each one stays in `peers` until it is taken out: so many a round. */
#define TOLD_AT_ONCE 100000
#define LOOKUPS_AT_ONCE 65536 /* no other packet is served on the CPU meanwhile */
#define MAX_ROUNDS 99
#define BYTES_A_HOST 6 /* eleven slots of sixteen in a line of 64 bytes */
#define READ_COUNT 1000000

enum base { BASE_NONE, BASE_BARE, BASE_NO_LOOKUPS };

/* What is measured, in this order in each round. */
enum measure {
	BARE,
	LISTED,
	CLEAN,
	FLOOD,
	NEW,
	OTHER,
	NOT_SYN,
	NOT_TCP,
	NO_LOOKUPS,
	LOOKUPS_LISTED,
	LOOKUPS_CLEAN,
	LOOKUPS_UNLISTED,
	READS,
	MEASURES
};

static const struct {
	const char *name;
	enum base base; /* what is subtracted */
	enum group group;
	uint16_t port;
	uint8_t protocol;
	bool is_syn;
} measures[MEASURES] = {
	[BARE] = { "bare", BASE_NONE, GROUP_LISTED, FILTERED_PORT, IPPROTO_TCP, true },
	[LISTED] = { "listed", BASE_BARE, GROUP_LISTED, FILTERED_PORT, IPPROTO_TCP, true },
	[CLEAN] = { "known_clean", BASE_BARE, GROUP_CLEAN, FILTERED_PORT, IPPROTO_TCP, true },
	[FLOOD] = { "unknown_flood", BASE_BARE, GROUP_UNKNOWN, FILTERED_PORT, IPPROTO_TCP, true },
	[NEW] = { "unknown_held", BASE_BARE, GROUP_UNKNOWN, FILTERED_PORT, IPPROTO_TCP, true },
	[OTHER] = { "other_port", BASE_BARE, GROUP_LISTED, OTHER_PORT, IPPROTO_TCP, true },
	[NOT_SYN] = { "not_syn", BASE_BARE, GROUP_LISTED, FILTERED_PORT, IPPROTO_TCP, false },
	[NOT_TCP] = { "not_tcp", BASE_BARE, GROUP_LISTED, FILTERED_PORT, IPPROTO_UDP, false },
	[NO_LOOKUPS] = { "no_lookup", BASE_NONE, GROUP_LISTED, 0, 0, false },
	[LOOKUPS_LISTED] = { "lookup_listed", BASE_NO_LOOKUPS, GROUP_LISTED, 0, 0, false },
	[LOOKUPS_CLEAN] = { "lookup_known_clean", BASE_NO_LOOKUPS, GROUP_CLEAN, 0, 0, false },
	[LOOKUPS_UNLISTED] = { "lookup_unlisted", BASE_NO_LOOKUPS, GROUP_UNKNOWN, 0, 0, false },
	[READS] = { "memory_read", BASE_NONE, GROUP_LISTED, 0, 0, false },
};

/* A cache line, and the number of the next one. */
struct line {
	size_t next;
	char pad[64 - sizeof(size_t)];
};

struct bench {
	struct line *lines; /* one ring */
	size_t line; /* where the last read was */
	size_t counts[GROUPS];
	size_t prefixes;
	uint32_t repeat, rounds;
	int cpu;
	bool with_index, only_check;

	struct population population;
	struct verdict_bpf *skel;
	struct rg_settings *settings; /* mapped */
	uint64_t *draws; /* mapped */
	uint32_t *drawn[GROUPS];
	double fill_seconds;
	uint64_t told; /* events that were read */
	uint64_t held_runs; /* and those that should have come */
	double ns[MEASURES][MAX_ROUNDS];
};

/* ---- load and fill ---- */

static void load(struct bench *bench)
{
	struct fill_sizes sizes = fill_sizes(&bench->population, TOLD_AT_ONCE);
	struct verdict_bpf *skel = verdict_bpf__open();

	if (!skel)
		measure_fail(errno, "opening the programs");
	bench->skel = skel;
	measure_leave_out_filter(skel->obj);
	bpf_map__set_max_entries(skel->maps.lists_now, sizes.list);
	bpf_map__set_max_entries(skel->maps.verdicts, sizes.verdicts);
	bpf_map__set_max_entries(skel->maps.verdict_details, sizes.verdicts);
	bpf_map__set_max_entries(skel->maps.peers, sizes.peers);
	skel->rodata->rg_config.can_hold = 1;
	if (verdict_bpf__load(skel))
		measure_fail(errno, "loading the programs");
	bench->settings = measure_map(bpf_map__fd(skel->maps.settings), sizeof(*bench->settings));
	bench->draws = measure_map(bpf_map__fd(skel->maps.bench_draws),
				   BENCH_DRAWS * sizeof(*bench->draws));
}

static void fill(struct bench *bench)
{
	const struct fill_maps maps = { .lists_now = bpf_map__fd(bench->skel->maps.lists_now),
					.verdicts = bpf_map__fd(bench->skel->maps.verdicts),
					.verdict_details =
						bpf_map__fd(bench->skel->maps.verdict_details),
					.peers = bpf_map__fd(bench->skel->maps.peers),
					.indexes = bpf_map__fd(bench->skel->maps.indexes),
					.presence = bpf_map__fd(bench->skel->maps.presence),
					.filters = bpf_map__fd(bench->skel->maps.filters) };
	double began = measure_now(CLOCK_MONOTONIC);
	uint32_t index = 0;
	int err = fill_maps(&maps, &bench->population, bench->with_index ? &index : NULL);

	if (err)
		measure_fail(-err, "filling the maps");
	bench->fill_seconds = (measure_now(CLOCK_MONOTONIC) - began) / 1e9;
	fill_settings(bench->settings, FILTERED_PORT, index);
}

/* Sattolo's shuffle: one cycle through all lines. In pages as small as those of maps. */
static void make_lines(struct bench *bench)
{
	size_t count = (bench->counts[GROUP_LISTED] + bench->counts[GROUP_CLEAN]) * BYTES_A_HOST /
		       sizeof(struct line);
	size_t size = count * sizeof(struct line);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE))
		measure_fail(errno, "memory to read");
	bench->lines = memory;
	for (size_t i = 0; i < count; i++)
		bench->lines[i].next = i;
	srandom(1);
	for (size_t i = count - 1; i > 0; i--) {
		size_t other = (size_t)random() % i, next = bench->lines[i].next;

		bench->lines[i].next = bench->lines[other].next;
		bench->lines[other].next = next;
	}
}

static double run_reads(struct bench *bench)
{
	double began = measure_now(CLOCK_THREAD_CPUTIME_ID);
	size_t line = bench->line;

	for (int i = 0; i < READ_COUNT; i++)
		line = bench->lines[line].next;
	bench->line = line; /* so that it is read indeed */
	return (measure_now(CLOCK_THREAD_CPUTIME_ID) - began) / READ_COUNT;
}

static void draw(struct bench *bench)
{
	for (int group = 0; group < GROUPS; group++) {
		bench->drawn[group] = calloc(BENCH_DRAWS, sizeof(*bench->drawn[group]));
		if (!bench->drawn[group])
			measure_fail(ENOMEM, "sources");
		population_draw(&bench->population, group, false, bench->drawn[group], BENCH_DRAWS);
	}
	/* Each but once: who comes again is pending. */
	memcpy(bench->drawn[GROUP_UNKNOWN], bench->population.group[GROUP_UNKNOWN],
	       BENCH_DRAWS * sizeof(*bench->drawn[GROUP_UNKNOWN]));
}

/* ---- the agent's part: to take events out of the ring ---- */

struct reader {
	struct bench *bench;
	struct ring_buffer *ring;
	pthread_t thread;
	bool is_over;
};

static int take_event(void *arg, void *data __attribute__((unused)),
		      size_t size __attribute__((unused)))
{
	struct bench *bench = arg;

	bench->told++;
	return 0;
}

static void *read_events(void *arg)
{
	struct reader *reader = arg;

	measure_pin(!reader->bench->cpu);
	while (!__atomic_load_n(&reader->is_over, __ATOMIC_ACQUIRE))
		ring_buffer__consume(reader->ring);
	ring_buffer__consume(reader->ring);
	return NULL;
}

static void start_reader(struct reader *reader, struct bench *bench)
{
	*reader = (struct reader){ .bench = bench };
	reader->ring =
		ring_buffer__new(bpf_map__fd(bench->skel->maps.events), take_event, bench, NULL);
	if (!reader->ring || pthread_create(&reader->thread, NULL, read_events, reader))
		measure_fail(errno, "reading events");
}

static void stop_reader(struct reader *reader)
{
	__atomic_store_n(&reader->is_over, true, __ATOMIC_RELEASE);
	pthread_join(reader->thread, NULL);
	ring_buffer__free(reader->ring);
}

/* ---- measuring ---- */

#define FRAME_SIZE 64

static void make_frame(uint8_t frame[FRAME_SIZE], enum measure measure)
{
	struct ethhdr eth = { .h_proto = htons(ETH_P_IP) };
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .ttl = 64,
			    .protocol = measures[measure].protocol,
			    .tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
			    .daddr = htonl(0xc0000219) };
	struct tcphdr tcp = { .dest = htons(measures[measure].port), .doff = 5, .window = 0xffff };

	tcp.syn = measures[measure].is_syn;
	tcp.ack = !measures[measure].is_syn;
	memset(frame, 0, FRAME_SIZE);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), &ip, sizeof(ip));
	memcpy(frame + sizeof(eth) + sizeof(ip), &tcp, sizeof(tcp));
}

/* CPU time of one of repeat runs. */
static double run(int program, uint8_t frame[FRAME_SIZE], uint32_t repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_SIZE,
		    .repeat = (int)repeat);
	double began = measure_now(CLOCK_THREAD_CPUTIME_ID);
	int err = bpf_prog_test_run_opts(program, &opts);

	if (err)
		measure_fail(-err, "test run");
	if (!opts.retval) /* XDP_ABORTED */
		measure_fail(0, "a program gave up");
	return (measure_now(CLOCK_THREAD_CPUTIME_ID) - began) / repeat;
}

/*
 * CPU time of one of repeat runs. Before, as many go by that do not count: what a flood costs is
 * meant, not its first twentieth of a second, in which the index comes into the cache.
 */
static double run_warm(int program, uint8_t frame[FRAME_SIZE], uint32_t repeat)
{
	(void)run(program, frame, repeat);
	return run(program, frame, repeat);
}

static double run_lookups(const struct bench *bench, int program)
{
	uint32_t times = bench->repeat / LOOKUPS_AT_ONCE;
	uint8_t frame[FRAME_SIZE] = {};

	bench->skel->bss->bench_lookups = LOOKUPS_AT_ONCE;
	return run_warm(program, frame, times ? times : 1) / LOOKUPS_AT_ONCE;
}

/* The peers that were marked by so many draws, from draw number first on. */
static void forget(const struct bench *bench, uint64_t first, uint32_t count)
{
	int map = bpf_map__fd(bench->skel->maps.peers);

	for (uint64_t i = first; i < first + count; i++) {
		struct rg_addr key = fill_addr(bench->drawn[GROUP_UNKNOWN][i & (BENCH_DRAWS - 1)]);

		if (bpf_map_delete_elem(map, &key) && errno != ENOENT)
			measure_fail(errno, "taking a peer out");
	}
}

static double run_held(struct bench *bench, uint8_t frame[FRAME_SIZE])
{
	uint64_t first = bench->skel->bss->bench_next;
	uint32_t count = bench->repeat < TOLD_AT_ONCE ? bench->repeat : TOLD_AT_ONCE;
	struct reader reader;
	double ns;

	fill_gates(bench->settings, true);
	start_reader(&reader, bench);
	ns = run(bpf_program__fd(bench->skel->progs.frame_filtered), frame, count);
	stop_reader(&reader);
	fill_gates(bench->settings, false);
	forget(bench, first, count);
	bench->held_runs += count;
	return ns;
}

static double run_measure(struct bench *bench, enum measure measure)
{
	const uint32_t *drawn = bench->drawn[measures[measure].group];
	uint8_t frame[FRAME_SIZE];

	for (size_t i = 0; i < BENCH_DRAWS; i++)
		bench->draws[i] = drawn[i];
	make_frame(frame, measure);
	switch (measure) {
	case BARE:
		return run(bpf_program__fd(bench->skel->progs.frame_bare), frame, bench->repeat);
	case NEW:
		return run_held(bench, frame);
	case READS:
		return run_reads(bench);
	case NO_LOOKUPS:
		return run_lookups(bench, bpf_program__fd(bench->skel->progs.no_lookups));
	case LOOKUPS_LISTED:
	case LOOKUPS_CLEAN:
	case LOOKUPS_UNLISTED:
		bench->skel->bss->bench_asks_peers = measure == LOOKUPS_CLEAN;
		return run_lookups(bench, bpf_program__fd(bench->skel->progs.lookups));
	default:
		return run_warm(bpf_program__fd(bench->skel->progs.frame_filtered), frame,
				bench->repeat);
	}
}

/* ---- is what is measured what is meant? ---- */

static uint64_t count_of(const struct bench *bench, uint32_t stat)
{
	int cpus = libbpf_num_possible_cpus();
	struct rg_count *counts = calloc((size_t)cpus, sizeof(*counts));
	uint64_t sum = 0;

	if (!counts || bpf_map_lookup_elem(bpf_map__fd(bench->skel->maps.stats), &stat, counts))
		measure_fail(errno, "reading counters");
	for (int i = 0; i < cpus; i++)
		sum += counts[i].packets;
	free(counts);
	return sum;
}

static void must_count(const struct bench *bench, enum rg_class peer_class, enum rg_action action,
		       uint64_t want, const char *what)
{
	uint64_t got = count_of(bench, RG_STAT_DONE + peer_class * RG_ACTION_MAX + action);

	if (got != want)
		measure_fail(0, "%s: %" PRIu64 " packets, not %" PRIu64, what, got, want);
}

/* Every packet must have met what its name says; lookups are counted as found. */
static void check(const struct bench *bench)
{
	uint64_t packets = 2 * (uint64_t)bench->repeat * bench->rounds; /* see run_warm() */
	uint64_t flood = count_of(bench, RG_STAT_LOSSES + RG_LOSS_FLOOD_FIRST) +
			 count_of(bench, RG_STAT_LOSSES + RG_LOSS_FLOOD_RETRY);
	uint64_t lookups = bench->repeat / LOOKUPS_AT_ONCE;

	lookups = (lookups ? lookups : 1) * LOOKUPS_AT_ONCE * bench->rounds;
	must_count(bench, RG_CLASS_STANDARD, RG_ACTION_DROP, packets, "listed");
	must_count(bench, RG_CLASS_CLEAN, RG_ACTION_PASS, packets, "known clean");
	if (flood != packets)
		measure_fail(0, "unknown: %" PRIu64 " packets, not %" PRIu64, flood, packets);
	lookups *= 2;
	if (bench->skel->bss->bench_found != 2 * lookups)
		measure_fail(0, "%" PRIu64 " found, not %" PRIu64,
			     (uint64_t)bench->skel->bss->bench_found, 2 * lookups);
}

/* ---- the result ---- */

static void print_spread(const char *name, double *values, uint32_t count)
{
	struct measure_spread spread = measure_spread(values, count);

	printf("\"%s\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f}", name, spread.median,
	       spread.least, spread.most);
}

static void print_measure(const struct bench *bench, enum measure measure)
{
	double whole[MAX_ROUNDS], net[MAX_ROUNDS];

	for (uint32_t i = 0; i < bench->rounds; i++) {
		enum base base = measures[measure].base;

		whole[i] = net[i] = bench->ns[measure][i];
		if (base != BASE_NONE)
			net[i] -= bench->ns[base == BASE_BARE ? BARE : NO_LOOKUPS][i];
	}
	printf("%s\"%s\": {", measure ? ", " : "", measures[measure].name);
	print_spread("ns", whole, bench->rounds);
	if (measures[measure].base != BASE_NONE) {
		printf(", ");
		print_spread("net_ns", net, bench->rounds);
	}
	putchar('}');
}

static void print_result(const struct bench *bench)
{
	printf("{\"hosts\": %zu, \"prefixes\": %zu, \"known\": %zu, \"index\": %s, \"repeat\": %u, "
	       "\"rounds\": %u, \"fill_seconds\": %.2f, \"told_share\": %.3f, \"cases\": {",
	       bench->counts[GROUP_LISTED], bench->prefixes, bench->counts[GROUP_CLEAN],
	       bench->with_index ? "true" : "false", bench->repeat, bench->rounds,
	       bench->fill_seconds, (double)bench->told / (double)bench->held_runs);
	for (enum measure measure = 0; measure < MEASURES; measure++)
		print_measure(bench, measure);
	puts("}}");
}

__attribute__((noreturn)) static void usage(int status)
{
	fputs("usage: verdict_cost [options]\n"
	      "  -n, --hosts N     listed hosts (1048576)\n"
	      "  -p, --prefixes N  blocked prefixes (100000)\n"
	      "  -r, --rounds N    (5)\n"
	      "  -t, --repeat N    packets of each kind in a round (1000000)\n"
	      "  -c, --cpu N       to measure on (1)\n"
	      "  -i, --index       with the derived index; status 77 if there is none\n",
	      status ? stderr : stdout);
	exit(status);
}

static void parse(struct bench *bench, int argc, char **argv)
{
	static const struct option options[] = { { "hosts", required_argument, NULL, 'n' },
						 { "prefixes", required_argument, NULL, 'p' },
						 { "rounds", required_argument, NULL, 'r' },
						 { "repeat", required_argument, NULL, 't' },
						 { "cpu", required_argument, NULL, 'c' },
						 { "index", no_argument, NULL, 'i' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	int option;

	while ((option = getopt_long(argc, argv, "n:p:r:t:c:ih", options, NULL)) >= 0) {
		if (option == 'n')
			bench->counts[GROUP_LISTED] = measure_number(optarg, 1, 16000000);
		else if (option == 'p')
			bench->prefixes = measure_number(optarg, 0, 1000000);
		else if (option == 'r')
			bench->rounds = (uint32_t)measure_number(optarg, 1, MAX_ROUNDS);
		else if (option == 't')
			bench->repeat = (uint32_t)measure_number(optarg, 1000, 10000000);
		else if (option == 'c')
			bench->cpu = (int)measure_number(optarg, 0, 1);
		else if (option == 'i')
			bench->with_index = true;
		else
			usage(option == 'h' ? EXIT_SUCCESS : 2);
	}
	if (optind != argc)
		usage(2);
}

int main(int argc, char **argv)
{
	static struct bench bench = { .prefixes = 100000, .repeat = 1000000, .rounds = 5, .cpu = 1 };
	size_t *counts = bench.counts;

	counts[GROUP_LISTED] = 1 << 20;
	parse(&bench, argc, argv);
	population_counts(counts[GROUP_LISTED], counts);
	counts[GROUP_UNKNOWN] = BENCH_DRAWS;
	measure_pin(bench.cpu);
	if (population_make(&bench.population, counts, bench.prefixes))
		measure_fail(ENOMEM, "addresses");
	load(&bench);
	fill(&bench);
	make_lines(&bench);
	draw(&bench);
	for (uint32_t round = 0; round < bench.rounds; round++)
		for (enum measure measure = 0; measure < MEASURES; measure++)
			bench.ns[measure][round] = run_measure(&bench, measure);
	check(&bench);
	print_result(&bench);
	verdict_bpf__destroy(bench.skel);
	population_free(&bench.population);
	return EXIT_SUCCESS;
}
