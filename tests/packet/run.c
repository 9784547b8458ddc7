/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "filter.skel.h"

#define TEST_PEERS 4096
#define NETWORKS_SIZE (RG_NETWORKS * sizeof(struct rg_network))
#define SLOT_TIME 0xfffU /* a slot of `attempts`: its low 12 bits, s */

struct run {
	size_t linear; /* see run_split() */
	struct filter_bpf *skel;
	struct ring_buffer *ring;
	struct rg_settings *settings;
	void *attempts; /* mapped: 16 MiB are emptied faster so than by system calls */
	size_t attempts_size;
	void *networks; /* mapped */
	struct run_events *events; /* where the callback writes */
	int programs[RUN_PROGRAMS];
};

uint64_t run_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * RG_NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static int keep_event(void *arg, void *data, size_t size)
{
	struct run *run = arg;
	struct run_events *events = run->events;

	if (!events)
		return 0;
	if (events->count < RUN_MAX_EVENTS) {
		struct run_event *event = &events->at[events->count];

		memset(event, 0, sizeof(*event));
		event->size = size;
		memcpy(&event->event, data,
		       size < sizeof(event->event) ? size : sizeof(event->event));
	}
	events->count++;
	return 0;
}

/* Per-CPU counters and windows: one CPU makes the results the same each time. */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static struct bpf_program *program_of(const struct filter_bpf *skel, enum run_program program)
{
	struct bpf_program *const programs[RUN_PROGRAMS] = {
		[RUN_FILTER] = skel->progs.filter,
		[RUN_FILTER_FRAGS] = skel->progs.filter_frags,
		[RUN_RELEASE] = skel->progs.release,
		[RUN_MONITOR] = skel->progs.monitor,
		[RUN_STEER] = skel->progs.steer,
		[RUN_FILTER_IP] = skel->progs.filter_ip,
		[RUN_FILTER_IP_FRAGS] = skel->progs.filter_ip_frags,
	};

	return programs[program];
}

static void apply(struct filter_bpf *skel, const struct run_options *options)
{
	uint32_t used = options->programs ? options->programs : RUN_ALL;
	struct bpf_program *each;

	bpf_object__for_each_program(each, skel->obj)
		bpf_program__set_autoload(each, false);
	for (int i = 0; i < RUN_PROGRAMS; i++)
		bpf_program__set_autoload(program_of(skel, i), used & RUN_BIT(i));
	bpf_map__set_max_entries(skel->maps.verdicts, RUN_VERDICTS);
	bpf_map__set_max_entries(skel->maps.verdict_details, RUN_VERDICTS);
	bpf_map__set_max_entries(skel->maps.peers,
				 options->max_peers ? options->max_peers : TEST_PEERS);
	if (options->ring_size)
		bpf_map__set_max_entries(skel->maps.events, options->ring_size);
	if (options->plain_peers)
		bpf_map__set_type(skel->maps.peers, BPF_MAP_TYPE_HASH);
	if (options->max_buckets)
		bpf_map__set_max_entries(skel->maps.buckets, options->max_buckets);
	if (options->plain_buckets)
		bpf_map__set_type(skel->maps.buckets, BPF_MAP_TYPE_HASH);
	bpf_map__set_map_flags(skel->maps.attempts, BPF_F_MMAPABLE);
	bpf_map__set_map_flags(skel->maps.networks, BPF_F_MMAPABLE);
	skel->rodata->rg_config.can_hold = !options->no_hold;
}

static int map_memory(const struct bpf_map *map, size_t size, void **ret)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	return 0;
}

static int load(struct run *run, const struct run_options *options)
{
	void *settings = NULL;
	int err;

	run->skel = filter_bpf__open();
	if (!run->skel)
		return -errno;
	apply(run->skel, options);
	err = filter_bpf__load(run->skel);
	if (err)
		return err;
	err = map_memory(run->skel->maps.settings, (size_t)sysconf(_SC_PAGESIZE), &settings);
	run->settings = settings;
	if (!err)
		err = map_memory(run->skel->maps.attempts, run->attempts_size, &run->attempts);
	if (!err)
		err = map_memory(run->skel->maps.networks, NETWORKS_SIZE, &run->networks);
	if (err)
		return err;
	run->ring = ring_buffer__new(bpf_map__fd(run->skel->maps.events), keep_event, run, NULL);
	return run->ring ? 0 : -errno;
}

int run_open(struct run **ret, const struct run_options *options)
{
	struct run *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	run->linear = SIZE_MAX;
	stay_on_this_cpu();
	if (!getenv("V"))
		libbpf_set_print(NULL);
	run->attempts_size = RG_ATTEMPT_SETS * RG_ATTEMPT_WAYS * sizeof(uint32_t);
	err = load(run, options);
	if (err) {
		run_close(run);
		return err;
	}
	for (int i = 0; i < RUN_PROGRAMS; i++)
		run->programs[i] = bpf_program__fd(program_of(run->skel, i));
	*ret = run;
	return 0;
}

void run_close(struct run *run)
{
	if (!run)
		return;
	ring_buffer__free(run->ring);
	if (run->settings)
		munmap(run->settings, (size_t)sysconf(_SC_PAGESIZE));
	if (run->attempts)
		munmap(run->attempts, run->attempts_size);
	if (run->networks)
		munmap(run->networks, NETWORKS_SIZE);
	filter_bpf__destroy(run->skel);
	free(run);
}

void run_split(struct run *run, size_t linear)
{
	run->linear = linear;
}

int run_packet(struct run *run, enum run_program program, struct packet *packet)
{
	static uint8_t out[PACKET_MAX];
	struct xdp_md context = { .data_end = (uint32_t)run->linear };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet->data,
		    .data_size_in = (uint32_t)packet->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	int err;

	if (run->linear < packet->len) {
		opts.ctx_in = &context;
		opts.ctx_size_in = sizeof(context);
	}
	err = bpf_prog_test_run_opts(run->programs[program], &opts);

	if (err)
		return err;
	packet->len = opts.data_size_out;
	memcpy(packet->data, out, packet->len);
	return (int)opts.retval;
}

int run_blind(const struct run *run, enum run_program program, const struct packet *packet, int times)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet->data,
		    .data_size_in = (uint32_t)packet->len, .repeat = times);

	return bpf_prog_test_run_opts(run->programs[program], &opts);
}

int run_steer(const struct run *run, struct bpf_sk_lookup *ctx)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ctx, .ctx_size_in = sizeof(*ctx),
		    .ctx_out = ctx, .ctx_size_out = sizeof(*ctx));
	int err = bpf_prog_test_run_opts(run_steer_fd(run), &opts);

	return err ? err : (int)opts.retval;
}

int run_program_fd(const struct run *run, enum run_program program)
{
	return run->programs[program];
}

int run_steer_fd(const struct run *run)
{
	return run->programs[RUN_STEER];
}

void run_age_attempts(struct run *run, uint32_t seconds)
{
	uint32_t *slots = run->attempts;

	for (size_t i = 0; i < run->attempts_size / sizeof(*slots); i++)
		if (slots[i])
			slots[i] = (slots[i] & ~SLOT_TIME) | ((slots[i] - seconds) & SLOT_TIME);
}

static int empty(int fd, size_t key_size)
{
	uint8_t key[48];
	int err;

	if (key_size > sizeof(key))
		return -EINVAL;
	while (!bpf_map_get_next_key(fd, NULL, key)) {
		err = bpf_map_delete_elem(fd, key);
		if (err)
			return err;
	}
	return errno == ENOENT ? 0 : -errno;
}

/* A batch: the tests do this very often. */
static int zero_per_cpu(const struct bpf_map *map, uint32_t entries)
{
	size_t size = (size_t)libbpf_num_possible_cpus() * bpf_map__value_size(map);
	void *zeros = calloc(entries, size);
	uint32_t *keys = calloc(entries, sizeof(*keys));
	int err = zeros && keys ? 0 : -ENOMEM;

	for (uint32_t key = 0; !err && key < entries; key++)
		keys[key] = key;
	if (!err)
		err = bpf_map_update_batch(bpf_map__fd(map), keys, zeros, &entries, NULL);
	free(keys);
	free(zeros);
	return err;
}

int run_reset(struct run *run)
{
	const struct rg_bucket full = {};
	static const struct rg_destination nothing[RG_DESTINATIONS];
	static uint32_t slots[RG_DESTINATIONS];
	uint32_t slot_count = RG_DESTINATIONS;
	struct run_map_fds fds = run_maps(run);
	int err;

	run->events = NULL;
	ring_buffer__consume(run->ring);
	memset(run->attempts, 0, run->attempts_size);
	memset(run->networks, 0, NETWORKS_SIZE);
	err = empty(fds.lists_now, sizeof(struct rg_prefix));
	if (!err)
		err = empty(fds.verdicts, sizeof(struct rg_prefix));
	if (!err)
		err = empty(fds.peers, sizeof(struct rg_addr));
	if (!err)
		err = empty(fds.buckets, sizeof(struct rg_addr));
	if (!err)
		err = empty(fds.tickets, sizeof(struct rg_connection));
	for (uint32_t key = 0; key < RG_DESTINATIONS; key++)
		slots[key] = key;
	if (!err)
		err = bpf_map_update_batch(fds.destinations, slots, nothing, &slot_count, NULL);
	for (uint32_t key = 0; !err && key < RG_GATES; key++)
		err = bpf_map_update_elem(fds.admission, &key, &full, BPF_ANY);
	for (uint32_t key = 0; key < RG_RESPONDER_SOCKETS; key++)
		(void)bpf_map_delete_elem(fds.responder, &key); /* fails where it is empty */
	if (!err)
		err = zero_per_cpu(run->skel->maps.samples, 1);
	return err ? err : zero_per_cpu(run->skel->maps.stats, RG_STAT_MAX);
}

struct rg_settings *run_settings(struct run *run)
{
	return run->settings;
}

struct run_map_fds run_maps(const struct run *run)
{
	return (struct run_map_fds){
		.lists = bpf_map__fd(run->skel->maps.lists),
		.lists_now = bpf_map__fd(run->skel->maps.lists_now),
		.verdicts = bpf_map__fd(run->skel->maps.verdicts),
		.verdict_details = bpf_map__fd(run->skel->maps.verdict_details),
		.peers = bpf_map__fd(run->skel->maps.peers),
		.buckets = bpf_map__fd(run->skel->maps.buckets),
		.admission = bpf_map__fd(run->skel->maps.admission),
		.responder = bpf_map__fd(run->skel->maps.responder),
		.host_links = bpf_map__fd(run->skel->maps.host_links),
		.host_routes = bpf_map__fd(run->skel->maps.host_routes),
		.tickets = bpf_map__fd(run->skel->maps.tickets),
		.destinations = bpf_map__fd(run->skel->maps.destinations),
	};
}

int run_counts(const struct run *run, struct run_counts *counts)
{
	int cpus = libbpf_num_possible_cpus(), err;
	struct rg_count *values = calloc((size_t)cpus * RG_STAT_MAX, sizeof(*values));
	uint32_t keys[RG_STAT_MAX], next, count = RG_STAT_MAX;

	if (!values)
		return -ENOMEM;
	memset(counts, 0, sizeof(*counts));
	err = bpf_map_lookup_batch(bpf_map__fd(run->skel->maps.stats), NULL, &next, keys, values,
				   &count, NULL);
	if (err == -ENOENT && count == RG_STAT_MAX) /* that was all */
		err = 0;
	for (uint32_t i = 0; !err && i < count; i++) {
		for (int cpu = 0; cpu < cpus; cpu++) {
			counts->at[keys[i]].packets +=
				values[i * (uint32_t)cpus + (uint32_t)cpu].packets;
			counts->at[keys[i]].attempts +=
				values[i * (uint32_t)cpus + (uint32_t)cpu].attempts;
		}
	}
	free(values);
	return err;
}

int run_events(struct run *run, struct run_events *events)
{
	int count;

	events->count = 0;
	run->events = events;
	count = ring_buffer__consume(run->ring);
	run->events = NULL;
	return count < 0 ? count : 0;
}

int run_new_list(const struct run *run)
{
	const struct bpf_map *map = run->skel->maps.lists_now;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = bpf_map__map_flags(map),
		    .btf_fd = (__u32)bpf_object__btf_fd(run->skel->obj),
		    .btf_key_type_id = bpf_map__btf_key_type_id(map),
		    .btf_value_type_id = bpf_map__btf_value_type_id(map));
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "fresh", bpf_map__key_size(map),
				bpf_map__value_size(map), bpf_map__max_entries(map), &opts);

	return fd < 0 ? -errno : fd;
}
