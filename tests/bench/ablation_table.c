/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ablation_table - what the index's mechanisms give that is not nanoseconds a lookup
 *
 *   overflow    hosts without a slot, and the memory that a table needs in which each has one
 *   tombstones  after every host has been replaced once: wrong and "ask" answers if a removed host's
 *               slot is emptied at once, or never; nanoseconds a removal
 *   scales      the share of an entry's life in which the index answers "ask", against one scale
 *   banks       how long a part is out of force if a new index comes into the only bank
 *   load        nanoseconds a host, and bytes, against the kernel's hash table
 *
 * Fills tables of HOSTS random hosts. The result is one line of JSON.
 */
#include "fill.h"

#include "index/index.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ablation.h"

#define PAYLOAD (1U << RG_INDEX_CODE_SHIFT | RG_INDEX_FOREVER)
#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define AT_ONCE 4096
#define SWITCHES 20

static void die(const char *what)
{
	fprintf(stderr, "ablation_table: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static double now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The n-th host; all differ, as the multiplier is odd. */
static uint32_t host_at(uint64_t seed, size_t n)
{
	return (uint32_t)(seed + n) * 0x9e3779b1U;
}

/* ---- a table of random hosts ---- */

static struct rg_index_table new_table(uint32_t buckets, uint64_t seed)
{
	struct rg_index_table table = { .kind = RG_INDEX_TABLE_HOSTS4,
					.buckets = buckets,
					.probes = rg_index_table_probes(RG_INDEX_TABLE_HOSTS4,
									buckets),
					.seed = seed };

	table.lines = calloc(rg_index_table_lines(buckets), sizeof(*table.lines));
	if (!table.lines)
		die("a table");
	return table;
}

static void free_table(struct rg_index_table *table)
{
	rg_index_table_close(table);
	free(table->lines);
}

static void put_hosts(struct rg_index_table *table, size_t from, size_t count)
{
	uint32_t old;

	for (size_t i = 0; i < count; i++)
		if (rg_index_table_put(table, host_at(table->seed, from + i), PAYLOAD, &old) < 0)
			die("a host");
}

/* ---- overflow ---- */

/* Hosts whose key is 0 have no slot in any table. */
static size_t count_unkeyed(uint64_t seed, size_t hosts)
{
	size_t count = 0;

	for (size_t i = 0; i < hosts; i++)
		count += !(rg_index_mix4(host_at(seed, i), seed) & RG_INDEX_KEY4_MASK);
	return count;
}

static size_t count_overflow(size_t hosts, uint32_t buckets, uint64_t seed)
{
	struct rg_index_table table = new_table(buckets, seed);
	size_t count;

	put_hosts(&table, 0, hosts);
	count = table.overflow_count;
	free_table(&table);
	return count;
}

static void print_overflow(size_t hosts)
{
	uint32_t buckets = rg_index_table_buckets(RG_INDEX_TABLE_HOSTS4, hosts), larger = buckets;
	uint64_t seed = 0x5eed5eed5eedULL;
	size_t unkeyed = count_unkeyed(seed, hosts);

	printf("\"overflow\": {\"hosts\": %zu, \"unkeyed\": %zu, \"bytes\": %zu",
	       count_overflow(hosts, buckets, seed), unkeyed,
	       (size_t)rg_index_table_lines(buckets) * sizeof(struct rg_index_line));
	while (count_overflow(hosts, larger, seed) > unkeyed)
		larger += buckets / 20 + 1;
	printf(", \"bytes_without\": %zu}",
	       (size_t)rg_index_table_lines(larger) * sizeof(struct rg_index_line));
}

/* ---- tombstones ---- */

enum removal { TOMBSTONE, EMPTIED, NEVER_EMPTIED };

static void remove_host(struct rg_index_table *table, uint32_t addr, enum removal how)
{
	struct rg_index_slot slot;
	bool ends;

	if (!rg_index_table_find(table, addr, &slot, &ends)) {
		rg_index_table_forget(table, addr);
		return;
	}
	if (how == TOMBSTONE) {
		rg_index_table_remove(table, &slot);
		return;
	}
	slot.line->hosts[slot.at] = how == EMPTIED ? 0 : RG_INDEX_TOMBSTONE;
	table->count--;
}

/* Per cent of hosts, from number first on, that the table does not find; *asks: and that it leaves to the trie. */
static double percent_missing(const struct rg_index_table *table, size_t first, size_t count,
			      double *asks)
{
	size_t missing = 0, asked = 0;

	for (size_t i = first; i < first + count; i++) {
		struct rg_index_slot slot;
		bool ends;

		if (rg_index_table_find(table, host_at(table->seed, i), &slot, &ends))
			continue;
		missing += ends;
		asked += !ends;
	}
	*asks = 100.0 * (double)asked / (double)count;
	return 100.0 * (double)missing / (double)count;
}

/* The hosts give way to others, one by one, so many times. */
static void print_removal(const char *name, size_t hosts, enum removal how)
{
	static const int turnovers[] = { 1, 4 };
	uint32_t buckets = rg_index_table_buckets(RG_INDEX_TABLE_HOSTS4, hosts + hosts / 2);
	struct rg_index_table table = new_table(buckets, 0x5eed5eed5eedULL);
	size_t first = 0;
	double began, ns = 0, asks, missing;
	uint32_t old;

	put_hosts(&table, 0, hosts);
	printf(", \"%s\": {", name);
	for (size_t i = 0; i < sizeof(turnovers) / sizeof(turnovers[0]); i++) {
		for (; first < hosts * (size_t)turnovers[i]; first++) {
			began = first % 64 ? 0 : now_ns(CLOCK_THREAD_CPUTIME_ID);
			remove_host(&table, host_at(table.seed, first), how);
			if (!(first % 64))
				ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
			(void)rg_index_table_put(&table, host_at(table.seed, first + hosts),
						 PAYLOAD, &old);
		}
		missing = percent_missing(&table, first, hosts, &asks);
		printf("\"wrong_%d\": %.3f, ", turnovers[i], missing);
		(void)percent_missing(&table, first + 2 * hosts, hosts, &asks);
		printf("\"ask_%d\": %.3f, ", turnovers[i], asks);
	}
	printf("\"ns\": %.0f}", ns / ((double)first / 64));
	free_table(&table);
}

/* ---- time scales ---- */

/* Per cent of a life of so many seconds, put at any time, in which the index does not know. */
static double percent_asked(uint64_t seconds, bool one_scale)
{
	const struct rg_index_size size = { .hosts4 = 1 };
	struct rg_index_presence *presence = calloc(1, sizeof(*presence));
	const uint64_t start = 100000 * UNIT, life = seconds * RG_NSEC_PER_SEC;
	struct rg_index_origin origin = { .presence = presence,
					  .part = RG_INDEX_HOSTS,
					  .fd = -1,
					  .now = start,
					  .seed = 1 };
	/* Ten bits of one unit, which has to be large enough for a day. */
	const uint64_t unit = 1ULL << 37;
	struct rg_index_entry entry = { .prefix = { .len = RG_ADDR_BITS,
						    .addr = fill_addr(0x0100000a) },
					.peer_class = RG_CLASS_STANDARD,
					.action = RG_ACTION_DROP };
	struct rg_index *index;
	double sum = 0;

	if (!presence || rg_index_new(&index, &origin, &size))
		die("an index");
	for (uint64_t i = 0; i < 10000; i++) {
		/* An epoch is at most 32 units old. */
		uint64_t put = start + i * UNIT * 32 / 10000 + i * 7919, until;

		entry.expiry = put + life;
		until = entry.expiry / unit * unit;
		if (!one_scale) {
			(void)rg_index_put(index, &entry);
			until = rg_index_until(index, &entry.prefix.addr, put);
		}
		until = until < put ? put : until;
		sum += (double)(entry.expiry - until) / (double)life;
	}
	rg_index_free(index);
	free(presence);
	return 100 * sum / 10000;
}

static void print_scales(void)
{
	static const uint64_t lives[] = { 60, 300, 3600, 6 * 3600, 86400, 7 * 86400 };

	printf(", \"scales\": {");
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++)
		printf("%s\"%llu\": {\"two\": %.2f, \"one\": %.2f}", i ? ", " : "",
		       (unsigned long long)lives[i], percent_asked(lives[i], false),
		       percent_asked(lives[i], true));
	putchar('}');
}

/* ---- load ---- */

static void print_load(size_t hosts)
{
	const struct rg_index_size size = { .hosts4 = hosts };
	struct rg_index_presence *presence = calloc(1, sizeof(*presence));
	struct rg_index_origin origin = { .presence = presence,
					  .part = RG_INDEX_HOSTS,
					  .fd = -1,
					  .now = fill_now(),
					  .seed = 1 };
	struct rg_index_entry entry = { .prefix = { .len = RG_ADDR_BITS },
					.peer_class = RG_CLASS_STANDARD,
					.action = RG_ACTION_DROP };
	struct rg_index *index, *copy;
	double began, put, copied;

	if (!presence || rg_index_new(&index, &origin, &size))
		die("an index");
	began = now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < hosts; i++) {
		entry.prefix.addr = fill_addr(host_at(0, i));
		(void)rg_index_put(index, &entry);
	}
	put = now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	began = now_ns(CLOCK_THREAD_CPUTIME_ID);
	if (rg_index_new(&copy, &origin, &size) || rg_index_copy(copy, index))
		die("a copy");
	copied = now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	printf(", \"load\": {\"put_ns\": %.0f, \"copy_ns\": %.0f, \"bytes\": %zu",
	       put / (double)hosts, copied / (double)hosts, rg_index_count(index).bytes);
	rg_index_free(copy);
	rg_index_free(index);
	free(presence);
}

static size_t memory_of(int fd)
{
	char path[64], line[128];
	size_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "memlock: %zu", &bytes);
	if (file)
		fclose(file);
	return bytes;
}

static void print_hash_load(size_t hosts)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	static uint32_t keys[AT_ONCE];
	static struct ablation_value values[AT_ONCE];
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", sizeof(keys[0]), sizeof(values[0]),
				(uint32_t)hosts, NULL);
	double began = now_ns(CLOCK_THREAD_CPUTIME_ID);

	if (fd < 0)
		die("a hash table");
	for (size_t i = 0; i < hosts; i += AT_ONCE) {
		uint32_t count = (uint32_t)(hosts - i < AT_ONCE ? hosts - i : AT_ONCE);

		for (uint32_t j = 0; j < count; j++)
			keys[j] = host_at(0, i + j);
		if (bpf_map_update_batch(fd, keys, values, &count, &opts))
			die("filling a hash table");
	}
	printf(", \"hash_put_ns\": %.0f, \"hash_bytes\": %zu}",
	       (now_ns(CLOCK_THREAD_CPUTIME_ID) - began) / (double)hosts, memory_of(fd));
	close(fd);
}

/* ---- banks ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* With one bank a part is out of force from here on until the map has the new one and all see it. */
static void print_banks(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, inner_opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t zero = 0;
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", sizeof(zero),
				   sizeof(struct rg_index_line), 1024, &inner_opts),
	    outer;
	double ms[SWITCHES];

	opts.inner_map_fd = (uint32_t)inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", sizeof(zero), sizeof(uint32_t),
			       1, &opts);
	if (inner < 0 || outer < 0)
		die("maps");
	for (int i = 0; i < SWITCHES; i++) {
		double began = now_ns(CLOCK_MONOTONIC);

		if (bpf_map_update_elem(outer, &zero, &inner, BPF_ANY))
			die("a switch");
		ms[i] = (now_ns(CLOCK_MONOTONIC) - began) / 1e6;
	}
	qsort(ms, SWITCHES, sizeof(ms[0]), compare);
	printf(", \"banks\": {\"switch_ms\": %.2f}", ms[SWITCHES / 2]);
	close(inner);
	close(outer);
}

int main(int argc, char **argv)
{
	size_t hosts = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 20;

	if (argc > 2 || hosts < 1 || hosts > 16000000) {
		fputs("usage: ablation_table [HOSTS]\n", stderr);
		return 2;
	}
	printf("{\"hosts\": %zu, ", hosts);
	print_overflow(hosts);
	print_removal("tombstones", hosts, TOMBSTONE);
	print_removal("emptied", hosts, EMPTIED);
	print_removal("never_emptied", hosts, NEVER_EMPTIED);
	print_scales();
	print_load(hosts);
	print_hash_load(hosts);
	print_banks();
	puts("}");
	return EXIT_SUCCESS;
}
