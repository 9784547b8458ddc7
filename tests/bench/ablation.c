/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ablation - nanoseconds a lookup, with the index as it is and without one mechanism at a time
 *
 * Fills the maps with HOSTS listed hosts, KNOWN known peers and PREFIXES blocked prefixes, and beside
 * the index's own tables others that lack a mechanism (ablation.h). Each round runs every reader of
 * ablation.bpf.c on the same sources: listed hosts, known peers, addresses of which nothing is known.
 * The whole reader runs before or after each of the others, in turn. What is printed is the time net of a
 * loop that looks nothing up, and its ratio to the whole reader's time beside it: medians, and the
 * quartiles. Times are the thread's own CPU time, so that others on the machine count little.
 *
 * The result is one line of JSON.
 */
#include "ablation.h"
#include "fill.h"
#include "measure.h"

#include "index/index_table.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ablation.skel.h"

#define FILTERED_PORT 25
#define LOOKUPS_AT_ONCE 16384 /* no other packet is served on the CPU meanwhile */
#define TRIES_AT_ONCE 1024 /* they take fifty times as long */
#define MAX_ROUNDS 999
#define FRAME_SIZE 64

enum reader {
	NOTHING,
	WHOLE,
	FILTER,
	NO_FILTERS,
	FIXED_FILTERS,
	NO_NEAR,
	NO_CHECK_BIT,
	NO_PAIRS,
	WIDE_SLOTS,
	HASH_AND_FILTERS,
	HASH,
	TRIES,
	READERS
};

static const char *const names[READERS] = {
	[NOTHING] = "nothing",
	[WHOLE] = "whole",
	[FILTER] = "filter",
	[NO_FILTERS] = "no_filters",
	[FIXED_FILTERS] = "fixed_filters",
	[NO_NEAR] = "no_near",
	[NO_CHECK_BIT] = "no_check_bit",
	[NO_PAIRS] = "no_pairs",
	[WIDE_SLOTS] = "wide_slots",
	[HASH_AND_FILTERS] = "hash_and_filters",
	[HASH] = "hash",
	[TRIES] = "tries",
};

static const char *const group_names[GROUPS] = { "listed", "known_clean", "unlisted" };

struct bench {
	size_t counts[GROUPS];
	size_t prefixes;
	uint32_t rounds, times, seconds;
	uint32_t only; /* a bit for each reader; 0: all */
	int cpu;

	struct population population;
	struct ablation_bpf *skel;
	struct rg_settings *settings; /* mapped */
	struct rg_index_presence *presence; /* mapped */
	struct rg_index_filters *filters; /* mapped */
	uint64_t *draws; /* mapped */
	uint32_t *drawn[GROUPS];
	uint32_t in_force; /* settings.index */
	size_t overflow[ABLATION_TABLES]; /* hosts and peers without a slot there */
	size_t bytes[ABLATION_TABLES];
	double found[READERS][GROUPS]; /* a share */
	double ns[READERS][GROUPS][MAX_ROUNDS];
	double whole[READERS][GROUPS][MAX_ROUNDS]; /* the whole reader, just before or after */
};

/* ---- load and fill ---- */

static void load(struct bench *bench)
{
	struct fill_sizes sizes = fill_sizes(&bench->population, 0);
	struct ablation_bpf *skel = ablation_bpf__open();

	if (!skel)
		measure_fail(errno, "opening the programs");
	bench->skel = skel;
	measure_leave_out_filter(skel->obj);
	bpf_map__set_max_entries(skel->maps.lists_now, sizes.list);
	bpf_map__set_max_entries(skel->maps.verdicts, sizes.verdicts);
	bpf_map__set_max_entries(skel->maps.verdict_details, sizes.verdicts);
	bpf_map__set_max_entries(skel->maps.peers, sizes.peers);
	bpf_map__set_max_entries(skel->maps.ablation_hosts,
				 (uint32_t)bench->counts[GROUP_LISTED] + 16);
	bpf_map__set_max_entries(skel->maps.ablation_peers,
				 (uint32_t)bench->counts[GROUP_CLEAN] + 16);
	if (ablation_bpf__load(skel))
		measure_fail(errno, "loading the programs");
	bench->settings = measure_map(bpf_map__fd(skel->maps.settings), sizeof(*bench->settings));
	bench->presence = measure_map(bpf_map__fd(skel->maps.presence), sizeof(*bench->presence));
	bench->filters = measure_map(bpf_map__fd(skel->maps.filters), sizeof(*bench->filters));
	bench->draws = measure_map(bpf_map__fd(skel->maps.ablation_draws),
				   ABLATION_DRAWS * sizeof(*bench->draws));
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
	int err = fill_maps(&maps, &bench->population, &bench->in_force);

	if (err)
		measure_fail(-err, "filling the maps");
	fill_settings(bench->settings, FILTERED_PORT, bench->in_force);
}

/* ---- tables that lack a mechanism, filled from the index's own ---- */

struct copy {
	struct bench *bench;
	const struct rg_index_header *header;
	bool is_peers;
	int hash; /* map */
	struct rg_index_table first; /* its slots from the first one on */
	struct rg_index_line *wide;
	uint32_t wide_buckets;
};

/* A map of so many lines behind ABLATION_TABLE(table, is_peers), mapped. */
static struct rg_index_line *make_table(struct copy *copy, enum ablation_table table, uint32_t lines)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	uint32_t key = ABLATION_TABLE(table, copy->is_peers);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index_lines", sizeof(key),
				sizeof(struct rg_index_line), lines, &opts);
	struct rg_index_line *ret;

	if (fd < 0 || bpf_map_update_elem(bpf_map__fd(copy->bench->skel->maps.ablation_tables),
					  &key, &fd, BPF_ANY))
		measure_fail(errno, "a table");
	ret = measure_map(fd, lines * sizeof(*ret));
	close(fd);
	copy->bench->bytes[table] += lines * sizeof(*ret);
	return ret;
}

static void put_first(struct copy *copy, uint32_t addr, uint32_t payload)
{
	uint32_t hash = rg_index_mix4(addr, copy->first.seed);
	uint32_t home = rg_index_home(hash, copy->first.buckets);
	uint32_t word = (hash & RG_INDEX_KEY4_MASK) << RG_INDEX_KEY4_SHIFT | payload;

	for (uint32_t i = 0; i < 2 * RG_INDEX_WORDS * copy->first.probes; i++) {
		uint32_t *slot = &copy->first.lines[home + i / (2 * RG_INDEX_WORDS)]
					  .hosts[i % (2 * RG_INDEX_WORDS)];

		if (!*slot) {
			*slot = word;
			return;
		}
	}
	copy->bench->overflow[ABLATION_FIRST]++;
}

static void put_wide(struct copy *copy, uint32_t addr, uint64_t units, uint32_t answer)
{
	uint32_t hash = rg_index_mix4(addr, copy->header->seed);
	uint32_t home = rg_index_home(hash, copy->wide_buckets);

	for (uint32_t i = 0; i < RG_INDEX_WORDS * RG_INDEX_PROBES; i++) {
		__u64 *slot =
			&copy->wide[home + i / RG_INDEX_WORDS].words[(hash + i) % RG_INDEX_WORDS];

		if (!*slot) {
			*slot = (uint64_t)addr << ABLATION_WIDE_ADDR_SHIFT |
				units << ABLATION_WIDE_TIME_SHIFT | answer;
			return;
		}
	}
	copy->bench->overflow[ABLATION_WIDE]++;
}

static void copy_slot(void *arg, struct rg_index_slot *slot)
{
	struct copy *copy = arg;
	uint32_t addr = (uint32_t)slot->key, code = slot->payload >> RG_INDEX_CODE_SHIFT;
	uint32_t answer = copy->header->answers[(code - 1) % RG_INDEX_ANSWERS];
	uint64_t units = rg_index_until_units(slot->payload, copy->header->epoch);
	struct ablation_value value = { .expiry = units << RG_INDEX_UNIT_SHIFT, .answer = answer };
	uint32_t bank = copy->is_peers ? RG_INDEX_BANK(RG_INDEX_PEERS, 1) :
					 RG_INDEX_BANK(RG_INDEX_HOSTS, 1);
	__u64 *filters = copy->bench->filters->banks[rg_index_filters_of(bank)];

	put_first(copy, addr, slot->payload);
	put_wide(copy, addr, units, answer & RG_INDEX_ANSWER_MASK);
	filters[rg_index_filter_of(addr, copy->header->seed, RG_INDEX_FILTER_BITS)] |=
		rg_index_filter_bits(rg_index_mix4(addr, copy->header->seed));
	if (bpf_map_update_elem(copy->hash, &addr, &value, BPF_ANY))
		measure_fail(errno, "the kernel's hash table");
}

/* The index's own table of hosts or peers, mapped again. */
static struct rg_index_table own_table(const struct bench *bench, uint32_t bank)
{
	const struct rg_index_header *header = &bench->presence->headers[bank];
	uint32_t id, lines = header->hosts4 + rg_index_table_lines(header->buckets4);
	struct rg_index_line *memory;
	int fd;

	if (bpf_map_lookup_elem(bpf_map__fd(bench->skel->maps.indexes), &bank, &id))
		measure_fail(errno, "the index of bank %u", bank);
	fd = bpf_map_get_fd_by_id(id);
	memory = measure_map(fd, lines * sizeof(*memory));
	close(fd);
	return (struct rg_index_table){ .lines = memory + header->hosts4,
					.seed = header->seed,
					.kind = RG_INDEX_TABLE_HOSTS4,
					.buckets = header->buckets4,
					.probes = header->probes4 };
}

static void copy_tables(struct bench *bench, bool is_peers)
{
	uint32_t bank = RG_INDEX_BANK(is_peers ? RG_INDEX_PEERS : RG_INDEX_HOSTS, 0);
	struct rg_index_table own = own_table(bench, bank);
	struct copy copy = { .bench = bench,
			     .header = &bench->presence->headers[bank],
			     .is_peers = is_peers,
			     .hash = bpf_map__fd(is_peers ? bench->skel->maps.ablation_peers :
							    bench->skel->maps.ablation_hosts),
			     .first = own,
			     .wide_buckets = 2 * own.buckets };

	/* As full as the index's own: a wide slot is twice as large. */
	copy.first.lines = make_table(&copy, ABLATION_FIRST, rg_index_table_lines(own.buckets));
	copy.wide = make_table(&copy, ABLATION_WIDE, rg_index_table_lines(copy.wide_buckets));
	bench->skel->bss->ablation_wide_buckets[is_peers] = copy.wide_buckets;
	rg_index_table_walk(&own, copy_slot, &copy);
}

/* ---- measuring ---- */

static void draw(struct bench *bench)
{
	for (int group = 0; group < GROUPS; group++) {
		bench->drawn[group] = calloc(ABLATION_DRAWS, sizeof(*bench->drawn[group]));
		if (!bench->drawn[group])
			measure_fail(ENOMEM, "sources");
		population_draw(&bench->population, group, false, bench->drawn[group],
				ABLATION_DRAWS);
	}
}

static int program_of(const struct bench *bench, enum reader reader)
{
	struct bpf_program *const programs[READERS] = {
		[NOTHING] = bench->skel->progs.ablation_nothing,
		[WHOLE] = bench->skel->progs.ablation_whole,
		[FILTER] = bench->skel->progs.ablation_filter,
		[NO_FILTERS] = bench->skel->progs.ablation_no_filters,
		[FIXED_FILTERS] = bench->skel->progs.ablation_fixed_filters,
		[NO_NEAR] = bench->skel->progs.ablation_no_near,
		[NO_CHECK_BIT] = bench->skel->progs.ablation_no_check_bit,
		[NO_PAIRS] = bench->skel->progs.ablation_no_pairs,
		[WIDE_SLOTS] = bench->skel->progs.ablation_wide_slots,
		[HASH_AND_FILTERS] = bench->skel->progs.ablation_hash_and_filters,
		[HASH] = bench->skel->progs.ablation_hash,
		[TRIES] = bench->skel->progs.ablation_filter,
	};

	return bpf_program__fd(programs[reader]);
}

static double run(const struct bench *bench, int program, uint32_t lookups, uint32_t times)
{
	uint8_t frame[FRAME_SIZE] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = (int)times);
	double began = measure_now(CLOCK_THREAD_CPUTIME_ID);
	int err;

	bench->skel->bss->ablation_lookups = lookups;
	err = bpf_prog_test_run_opts(program, &opts);
	if (err || !opts.retval) /* XDP_ABORTED */
		measure_fail(-err, "a run");
	return (measure_now(CLOCK_THREAD_CPUTIME_ID) - began) / times / lookups;
}

/* As many lookups go by before that do not count: they bring the tables into the cache. */
static double measure(struct bench *bench, enum reader reader, enum group group)
{
	uint32_t lookups = reader == TRIES ? TRIES_AT_ONCE : LOOKUPS_AT_ONCE;
	int program = program_of(bench, reader);
	uint64_t before;
	double ns;

	bench->settings->index = reader == TRIES ? 0 : bench->in_force;
	(void)run(bench, program, lookups, bench->times);
	before = bench->skel->bss->ablation_found;
	ns = run(bench, program, lookups, bench->times);
	bench->found[reader][group] = (double)(bench->skel->bss->ablation_found - before) /
				      (double)(bench->times * lookups);
	return ns;
}

/* One reader and the whole one side by side: what else the machine does meanwhile, both meet. */
static void measure_both(struct bench *bench, enum reader reader, enum group group, uint32_t round)
{
	double *own = &bench->ns[reader][group][round], *whole = &bench->whole[reader][group][round];

	if (round & 1)
		*whole = measure(bench, WHOLE, group);
	*own = measure(bench, reader, group);
	if (!(round & 1))
		*whole = measure(bench, WHOLE, group);
}

static bool is_wanted(const struct bench *bench, enum reader reader)
{
	return reader <= WHOLE || !bench->only || bench->only >> reader & 1;
}

static void run_round(struct bench *bench, uint32_t round)
{
	for (enum group group = 0; group < GROUPS; group++) {
		for (size_t i = 0; i < ABLATION_DRAWS; i++)
			bench->draws[i] = bench->drawn[group][i];
		for (uint32_t i = 0; i < READERS; i++)
			if (is_wanted(bench, (round + i) % READERS))
				measure_both(bench, (enum reader)((round + i) % READERS), group,
					     round);
	}
}

/* Every reader must find what is there, but for what has no slot. */
static void check(const struct bench *bench)
{
	for (enum reader reader = NOTHING + 1; reader < READERS; reader++)
		for (enum group group = 0; is_wanted(bench, reader) && group < GROUPS; group++) {
			double want = group == GROUP_UNKNOWN ? 0 : 1;

			if (fabs(bench->found[reader][group] - want) > 0.002)
				measure_fail(0, "%s, %s: a share of %f was found", names[reader],
					     group_names[group], bench->found[reader][group]);
		}
}

/* ---- the result ---- */

static void print_spread(const char *name, double *values, uint32_t count)
{
	struct measure_spread spread = measure_spread(values, count);

	printf("\"%s\": {\"median\": %.3f, \"least\": %.3f, \"low\": %.3f, \"high\": %.3f}", name,
	       spread.median, spread.least, spread.low, spread.high);
}

static void print_reader(const struct bench *bench, enum reader reader)
{
	double net[MAX_ROUNDS], ratio[MAX_ROUNDS];

	printf(", \"%s\": {", names[reader]);
	for (enum group group = 0; group < GROUPS; group++) {
		for (uint32_t i = 0; i < bench->rounds; i++) {
			double base = bench->ns[NOTHING][group][i];

			net[i] = bench->ns[reader][group][i] - base;
			ratio[i] = net[i] / (bench->whole[reader][group][i] - base);
		}
		printf("%s\"%s\": {", group ? ", " : "", group_names[group]);
		print_spread("ns", net, bench->rounds);
		printf(", ");
		print_spread("ratio", ratio, bench->rounds);
		putchar('}');
	}
	putchar('}');
}

static void print_result(const struct bench *bench)
{
	printf("{\"hosts\": %zu, \"known\": %zu, \"rounds\": %u, \"bytes\": {\"whole\": %zu, "
	       "\"wide_slots\": %zu}, \"overflow\": {\"no_pairs\": %zu, \"wide_slots\": %zu}",
	       bench->counts[GROUP_LISTED], bench->counts[GROUP_CLEAN], bench->rounds,
	       bench->bytes[ABLATION_FIRST], bench->bytes[ABLATION_WIDE],
	       bench->overflow[ABLATION_FIRST], bench->overflow[ABLATION_WIDE]);
	for (enum reader reader = WHOLE; reader < READERS; reader++)
		if (is_wanted(bench, reader))
			print_reader(bench, reader);
	puts("}");
}

__attribute__((noreturn)) static void usage(int status)
{
	fputs("usage: ablation [options]\n"
	      "  -n, --hosts N     listed hosts (1048576)\n"
	      "  -p, --prefixes N  blocked prefixes (100000)\n"
	      "  -r, --rounds N    (99)\n"
	      "  -t, --times N     16,384 lookups of each kind in a round (2)\n"
	      "  -s, --seconds N   no round begins later (600)\n"
	      "  -o, --only NAME   this reader, and others that are named; else all\n"
	      "  -c, --cpu N       to measure on (1)\n",
	      status ? stderr : stdout);
	exit(status);
}

static uint32_t parse_reader(const char *name)
{
	for (enum reader reader = 0; reader < READERS; reader++)
		if (strcmp(names[reader], name) == 0)
			return 1U << reader;
	measure_fail(0, "no reader '%s'", name);
}

static void parse(struct bench *bench, int argc, char **argv)
{
	static const struct option options[] = { { "hosts", required_argument, NULL, 'n' },
						 { "prefixes", required_argument, NULL, 'p' },
						 { "rounds", required_argument, NULL, 'r' },
						 { "times", required_argument, NULL, 't' },
						 { "seconds", required_argument, NULL, 's' },
						 { "only", required_argument, NULL, 'o' },
						 { "cpu", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	int option;

	while ((option = getopt_long(argc, argv, "n:p:r:t:s:o:c:h", options, NULL)) >= 0) {
		if (option == 'n')
			bench->counts[GROUP_LISTED] = measure_number(optarg, 1, 16000000);
		else if (option == 'p')
			bench->prefixes = measure_number(optarg, 0, 1000000);
		else if (option == 'r')
			bench->rounds = (uint32_t)measure_number(optarg, 1, MAX_ROUNDS);
		else if (option == 't')
			bench->times = (uint32_t)measure_number(optarg, 1, 100);
		else if (option == 's')
			bench->seconds = (uint32_t)measure_number(optarg, 1, 100000);
		else if (option == 'o')
			bench->only |= parse_reader(optarg);
		else if (option == 'c')
			bench->cpu = (int)measure_number(optarg, 0, 1);
		else
			usage(option == 'h' ? EXIT_SUCCESS : 2);
	}
	if (optind != argc)
		usage(2);
}

int main(int argc, char **argv)
{
	static struct bench bench = { .prefixes = 100000,
				      .rounds = 99,
				      .times = 2,
				      .cpu = 1,
				      .seconds = 600 };
	size_t *counts = bench.counts;
	time_t began;

	counts[GROUP_LISTED] = 1 << 20;
	parse(&bench, argc, argv);
	population_counts(counts[GROUP_LISTED], counts);
	measure_pin(bench.cpu);
	if (population_make(&bench.population, counts, bench.prefixes))
		measure_fail(ENOMEM, "addresses");
	load(&bench);
	fill(&bench);
	copy_tables(&bench, false);
	copy_tables(&bench, true);
	draw(&bench);
	began = time(NULL);
	for (uint32_t round = 0; round < bench.rounds; round++) {
		run_round(&bench, round);
		if (time(NULL) - began >= bench.seconds)
			bench.rounds = round + 1;
	}
	check(&bench);
	print_result(&bench);
	ablation_bpf__destroy(bench.skel);
	population_free(&bench.population);
	return EXIT_SUCCESS;
}
