/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XDP programs against the model: random maps and settings ("a state"), a few thousand random
 * frames through BPF_PROG_TEST_RUN and through model.c, and after every frame all must agree: action,
 * bytes, counters, event; after every state the maps too. Stops at the first difference.
 *
 *   fuzz_filter [--frames N] [--seconds S] [--seed X] [--frame N] [--threads N] [--no-hold]
 *
 * Needs root; works in a network namespace of its own. A state is made of the seed and its number
 * alone: --frame runs one state up to that frame, looks into the maps after each, and prints the last.
 */
#include "frames.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "filter.skel.h"
#include "index/index.h"

#define STATE_FRAMES 16384
#define EPOCH_FRAMES 256 /* with the same settings */
#define MAP_ENTRIES 16384 /* twice what a state may use: nothing is evicted */
#define RING_SIZE 16384 /* bytes: 60 held SYNs, so that it can be full */
#define ATTEMPTS_SIZE (RG_ATTEMPT_SETS * RG_ATTEMPT_WAYS * sizeof(uint32_t))
/* In a state of 16384 frames a set has 0.05 connections, and 20 bits tell them apart: 1 in 20 million. */
#define FRAMES_PER_COLLISION 2000000
#define MAX_THREADS 64
#define SECOND RG_NSEC_PER_SEC
#define FAR (1000 * SECOND) /* longer than a state, on either side */
#define TOKEN FAR /* the rate of all buckets: none gains a token while a state lasts */
#define SLACK (SECOND / 100) /* between the clock of the programs and ours */
#define SKIPPED 77

static struct {
	uint64_t seed, frames, seconds;
	uint64_t frame; /* UINT64_MAX: all of them */
	unsigned int threads;
	bool no_hold;
} options = { .seed = 1, .frames = 20000000, .frame = UINT64_MAX };

static atomic_uint_fast64_t next_state, frames_done, frames_refused, collisions;
static atomic_bool stop, failed;
static pthread_mutex_t say = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint_fast64_t totals[RG_STAT_MAX];

static const char *const program_names[MODEL_PROGRAMS] = {
	[MODEL_FILTER] = "filter",
	[MODEL_FILTER_FRAGS] = "filter_frags",
	[MODEL_RELEASE] = "release",
	[MODEL_MONITOR] = "monitor",
	[MODEL_PREVIEW] = "preview",
	[MODEL_IP + MODEL_FILTER] = "filter_ip",
	[MODEL_IP + MODEL_FILTER_FRAGS] = "filter_ip_frags",
	[MODEL_IP + MODEL_RELEASE] = "release_ip",
	[MODEL_IP + MODEL_MONITOR] = "monitor_ip",
	[MODEL_IP + MODEL_PREVIEW] = "preview_ip",
};

/* One index: its map and the memory that it has, from state to state. */
struct index_map {
	struct rg_index_size size; /* of this state */
	struct rg_index *index;
	size_t bytes; /* enough for the largest */
	void *memory;
	int fd;
};

/* The programs with maps of their own, for one thread. */
struct lab {
	struct filter_bpf *skel;
	int programs[MODEL_PROGRAMS]; /* by enum model_program */
	struct rg_settings *settings;
	struct rg_count *stats;
	struct rg_sample_window *window;
	uint32_t *attempts;
	struct rg_bucket *admission;
	struct rg_verdict_details *details; /* of model.verdicts, by their number */
	unsigned long *consumer; /* of the ring buffer */
	const unsigned long *producer;
	const uint8_t *records;
	struct index_map indexes[RG_INDEXES];
	struct rg_index_presence *presence;
	struct rg_index_filters *filters;
	__u32 index_banks; /* settings.index of this state, if all parts are to be looked into */
	bool no_lists; /* of the lists there is no index in this state */
	int sockets[RG_RESPONDER_SOCKETS];
	uint32_t responders; /* which of them are in the map */

	uint64_t state;
	uint32_t index; /* of the frame in its state */
	struct rng rng;
	struct frames_world world;
	struct frame frame;
	struct model model;
	struct model_result want;
	uint64_t questions; /* that the model had asked before this frame */
	bool used; /* there may be peers and buckets */
	bool slow; /* look into the maps after every frame */
	uint32_t drain; /* percent of the frames after which the ring buffer is emptied */
	uint64_t second; /* of the window of samples, as last read */

	enum model_program program;
	size_t linear;
	int err, action; /* what came of it */
	size_t out_len;
	uint8_t out[FRAMES_BUFFER];
	size_t event_size;
	struct rg_event_syn event;
	uint64_t first_now, last_now; /* around the state */
	uint8_t keys[MAP_ENTRIES * sizeof(struct rg_addr)];
	uint8_t values[MAP_ENTRIES * sizeof(struct rg_peer)];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* ---- loading ---- */

/* Arrays that can be mapped, for what the product keeps per CPU: a look at them costs nothing. */
static void choose_maps(struct filter_bpf *skel)
{
	struct bpf_map *arrays[] = { skel->maps.stats, skel->maps.samples, skel->maps.attempts,
				     skel->maps.admission };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		bpf_map__set_type(arrays[i], BPF_MAP_TYPE_ARRAY);
		bpf_map__set_map_flags(arrays[i], BPF_F_MMAPABLE);
	}
	bpf_map__set_max_entries(skel->maps.lists_now, MODEL_ENTRIES);
	bpf_map__set_max_entries(skel->maps.verdicts, MODEL_ENTRIES);
	bpf_map__set_max_entries(skel->maps.verdict_details, MODEL_ENTRIES);
	bpf_map__set_max_entries(skel->maps.peers, MAP_ENTRIES);
	bpf_map__set_max_entries(skel->maps.buckets, MAP_ENTRIES);
	bpf_map__set_max_entries(skel->maps.events, RING_SIZE);
	skel->rodata->rg_config.can_hold = !options.no_hold;
}

static void *map_pages(const struct bpf_map *map, size_t size, off_t offset, bool writable)
{
	void *memory = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
			    bpf_map__fd(map), offset);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "map %s: mmap: %m\n", bpf_map__name(map));
		exit(EXIT_FAILURE);
	}
	return memory;
}

static void map_all(struct lab *lab)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const uint8_t *producer;

	lab->settings = map_pages(lab->skel->maps.settings, page, 0, true);
	lab->stats = map_pages(lab->skel->maps.stats, page, 0, true);
	lab->window = map_pages(lab->skel->maps.samples, page, 0, true);
	lab->admission = map_pages(lab->skel->maps.admission, page, 0, true);
	lab->details = map_pages(lab->skel->maps.verdict_details, page, 0, true);
	lab->attempts = map_pages(lab->skel->maps.attempts, ATTEMPTS_SIZE, 0, true);
	lab->consumer = map_pages(lab->skel->maps.events, page, 0, true);
	producer = map_pages(lab->skel->maps.events, page + 2 * RING_SIZE, (off_t)page, false);
	lab->producer = (const unsigned long *)producer;
	lab->records = producer + page;
}

#define LARGEST 700000 /* hosts: 2^17 filters */

/* Each is in both of its part's banks; its header is in one of them, see install_index(). */
static void make_indexes(struct lab *lab)
{
	const struct bpf_object *object = lab->skel->obj;
	const struct btf *btf = bpf_object__btf(object);
	/* Types as the template's: before Linux 6.2 an inner map must have them. */
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP,
		    .btf_fd = (__u32)bpf_object__btf_fd(object),
		    .btf_key_type_id = (__u32)btf__find_by_name_kind(btf, "__u32", BTF_KIND_TYPEDEF),
		    .btf_value_type_id =
			    (__u32)btf__find_by_name_kind(btf, "rg_index_line", BTF_KIND_STRUCT));

	lab->presence = map_pages(lab->skel->maps.presence, sizeof(*lab->presence), 0, true);
	lab->filters = map_pages(lab->skel->maps.filters, sizeof(*lab->filters), 0, true);
	for (uint32_t i = 0; i < RG_INDEXES; i++) {
		const uint32_t banks[] = { RG_INDEX_BANK(i, 0), RG_INDEX_BANK(i, 1) };
		int fd = bpf_map__fd(lab->skel->maps.indexes);
		struct index_map *map = &lab->indexes[i];
		uint32_t lines;

		map->size.nets4 = i == RG_INDEX_LISTS;
		map->size.hosts4 = LARGEST;
		lines = rg_index_lines(&map->size);
		map->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index", 4,
					 sizeof(struct rg_index_line), lines, &opts);
		map->bytes = lines * sizeof(struct rg_index_line);
		map->memory = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
		if (map->fd < 0 || map->memory == MAP_FAILED ||
		    bpf_map_update_elem(fd, &banks[0], &map->fd, BPF_ANY) ||
		    bpf_map_update_elem(fd, &banks[1], &map->fd, BPF_ANY)) {
			fprintf(stderr, "no index: %m\n");
			exit(EXIT_FAILURE);
		}
	}
}

static int listen_somewhere(bool six)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in any4 = { .sin_family = AF_INET };
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	err = six ? bind(fd, (struct sockaddr *)&any6, sizeof(any6)) :
		    bind(fd, (struct sockaddr *)&any4, sizeof(any4));
	if (err || listen(fd, 1)) {
		fprintf(stderr, "can't listen: %m\n");
		exit(EXIT_FAILURE);
	}
	return fd;
}

static void find_programs(struct lab *lab)
{
	for (int i = 0; i < MODEL_PROGRAMS; i++)
		lab->programs[i] = bpf_program__fd(
			bpf_object__find_program_by_name(lab->skel->obj, program_names[i]));
}

/* 0 or a negative error. */
static int open_lab(struct lab *lab)
{
	int err;

	lab->skel = filter_bpf__open();
	if (!lab->skel)
		return -errno;
	choose_maps(lab->skel);
	err = filter_bpf__load(lab->skel);
	if (err)
		return err;
	map_all(lab);
	make_indexes(lab);
	find_programs(lab);
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		lab->sockets[i] = listen_somewhere(i & 1);
	lab->model.can_hold = !options.no_hold;
	lab->model.ring_size = RING_SIZE;
	return 0;
}

/* ---- states ---- */

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static model_addr mask_of(uint32_t len)
{
	return len ? ~(model_addr)0 << (RG_ADDR_BITS - len) : 0;
}

static void make_world(struct lab *lab)
{
	struct frames_world *world = &lab->world;
	struct rng *rng = &lab->rng;
	model_addr net4[3], net6[3];

	for (int i = 0; i < 3; i++) {
		net4[i] = frames_random_v4(rng);
		net6[i] = frames_random_v6(rng);
	}
	for (int i = 0; i < FRAMES_POOL; i++) {
		model_addr low = (model_addr)rng_next(rng) << 64 | rng_next(rng);

		world->from4[i] = net4[i % 3] ^ (low & (0xffff >> rng_below(rng, 16)));
		world->from6[i] = net6[i % 3] ^ (low & (~mask_of(48) >> rng_below(rng, 80)));
	}
	world->to4[0] = world->to6[0] = 0;
	world->to4[0] = (model_addr)0xffff << 32 | 0xc6336419; /* 198.51.100.25: no route */
	world->to4[1] = lab->model.routes[0].own[0];
	world->to4[2] = lab->model.routes[0].addr + 1 + rng_below(rng, 255);
	world->to4[3] = frames_random_v4(rng);
	world->to6[0] = (model_addr)0x20010db800250000 << 64 | 0x25;
	world->to6[1] = lab->model.routes[1].own[0];
	world->to6[2] = lab->model.routes[1].addr + rng_below(rng, 256);
	world->to6[3] = frames_random_v6(rng);
	world->scatter = rng_below(rng, 20);
	for (int i = 0; i < 4; i++)
		world->ports[i] = (uint16_t)(rng_percent(rng, 70) ? 25 : rng_next(rng));
}

/* A prefix around an address of the world, of any length; long ones and usual ones more often. */
static model_addr pick_prefix(struct lab *lab, uint32_t *len)
{
	static const uint8_t usual[2][4] = { { 128, 120, 112, 128 }, { 128, 64, 48, 56 } };
	struct rng *rng = &lab->rng;
	bool six = rng_percent(rng, 50);
	model_addr addr = (six ? lab->world.from6 : lab->world.from4)[rng_below(rng, FRAMES_POOL)];

	if (rng_percent(rng, 50))
		*len = usual[six][rng_below(rng, 4)];
	else if (rng_percent(rng, 97))
		*len = six ? 24 + rng_below(rng, 105) : 100 + rng_below(rng, 29);
	else
		*len = rng_below(rng, 129);
	if (rng_percent(rng, 20))
		addr ^= (model_addr)1 << rng_below(rng, six ? 96 : 32);
	return addr;
}

/* So long ago, or when the machine was started: a guest may run for a few seconds only. */
static uint64_t past(const struct lab *lab, uint64_t away)
{
	return away < lab->model.now ? lab->model.now - away : 1;
}

static uint64_t pick_expiry(struct lab *lab, uint32_t percent_past)
{
	uint64_t away = SECOND * (5 + rng_below(&lab->rng, 900));

	if (!rng_percent(&lab->rng, percent_past))
		return lab->model.now + FAR + away;
	return past(lab, away);
}

static void add_list_entry(struct lab *lab)
{
	uint32_t len;
	model_addr addr = pick_prefix(lab, &len);
	struct model_prefix *entry = model_add(&lab->model.lists, addr, len);
	struct rg_list_entry value = { .source = 7, .line = 9 };
	struct rg_prefix key = { .len = len };

	if (!entry)
		return;
	entry->peer_class = rng_percent(&lab->rng, 40) ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED;
	entry->expiry = rng_percent(&lab->rng, 40) ? 0 : pick_expiry(lab, 50);
	key.addr = model_write_addr(entry->addr);
	value.peer_class = entry->peer_class;
	value.expiry = entry->expiry;
	value.prefix_len = len;
	must(bpf_map_update_elem(bpf_map__fd(lab->skel->maps.lists_now), &key, &value, BPF_NOEXIST),
	     "lists_now");
}

static void add_verdict(struct lab *lab)
{
	static const enum rg_class classes[] = { RG_CLASS_APPROVED, RG_CLASS_BLOCKED,
						 RG_CLASS_STANDARD, RG_CLASS_STANDARD,
						 RG_CLASS_QIL,	    RG_CLASS_QIL };
	struct rg_verdict value = {};
	struct model_prefix *entry;
	struct rg_prefix key = {};
	model_addr addr = pick_prefix(lab, &key.len);

	entry = model_add(&lab->model.verdicts, addr, key.len);
	if (!entry)
		return;
	entry->peer_class = classes[rng_below(&lab->rng, 6)];
	entry->action = RG_ACTION_PASS + rng_below(&lab->rng, 7); /* to RG_ACTION_THROTTLE */
	entry->zone = rng_percent(&lab->rng, 10) ? RG_NO_ZONE : rng_below(&lab->rng, RG_MAX_ZONES);
	entry->expiry = pick_expiry(lab, 30);
	entry->hits = rng_next(&lab->rng);
	key.addr = model_write_addr(entry->addr);
	value.expiry = entry->expiry;
	value.prefix_len = key.len;
	value.peer_class = entry->peer_class;
	value.action = entry->action;
	value.zone = entry->zone;
	value.details = (uint32_t)(entry - lab->model.verdicts.at);
	lab->details[value.details].hits = entry->hits;
	must(bpf_map_update_elem(bpf_map__fd(lab->skel->maps.verdicts), &key, &value, BPF_NOEXIST),
	     "verdicts");
}

static model_addr pick_address(struct lab *lab, bool *six)
{
	*six = rng_percent(&lab->rng, 50);
	return (*six ? lab->world.from6 : lab->world.from4)[rng_below(&lab->rng, FRAMES_POOL)];
}

static model_addr read_mask(const __u64 mask[2])
{
	uint8_t bytes[16];

	memcpy(bytes, mask, sizeof(bytes));
	return model_read_addr(bytes);
}

static void add_peer(struct lab *lab)
{
	struct rg_peer value = { .since = 4711, .reason = RG_REASON_NOT_LISTED };
	struct model_peer *peer;
	struct rg_addr key;
	bool six, is_new;
	model_addr addr = pick_address(lab, &six);

	peer = model_peer_at(&lab->model, addr, &is_new);
	if (!is_new)
		return;
	peer->state = rng_percent(&lab->rng, 60) ? RG_PEER_CLEAN : RG_PEER_PENDING;
	peer->expiry = pick_expiry(lab, 40);
	if (peer->state == RG_PEER_PENDING)
		peer->held = rng_below(&lab->rng, RG_HELD_FLOWS + 2);
	peer->foreign = peer->held < RG_HELD_FLOWS ? peer->held : RG_HELD_FLOWS;
	value.state = peer->state;
	value.expiry = peer->expiry;
	value.held = peer->held;
	for (uint32_t i = 0; i < peer->foreign; i++)
		value.flows[i] = (uint32_t)rng_next(&lab->rng) | 1;
	key = model_write_addr(addr);
	must(bpf_map_update_elem(bpf_map__fd(lab->skel->maps.peers), &key, &value, BPF_NOEXIST),
	     "peers");
}

/* Empty, half full, full, or filled when the rate was another one. */
static void add_bucket(struct lab *lab)
{
	struct rg_settings *settings = &lab->model.settings;
	struct model_bucket *bucket;
	struct rg_bucket value;
	struct rg_addr key;
	bool six, is_new;
	model_addr addr = pick_address(lab, &six);

	addr &= read_mask(six ? settings->bucket_mask6 : settings->bucket_mask4);
	bucket = model_bucket_at(&lab->model, addr, &is_new);
	if (!is_new)
		return;
	bucket->full_at = past(lab, 100 * SECOND);
	if (rng_percent(&lab->rng, 80))
		bucket->full_at = lab->model.now + rng_below(&lab->rng, 12) * TOKEN + TOKEN / 2;
	value.full_at = bucket->full_at;
	key = model_write_addr(addr);
	must(bpf_map_update_elem(bpf_map__fd(lab->skel->maps.buckets), &key, &value, BPF_NOEXIST),
	     "buckets");
}

/*
 * Mostly as small as can be: of IPv6 always, so that some of a state's /64s find their buckets full. For
 * IPv4 with 2^13 filters to 2^17, or no table at all, as of lists.
 */
static void choose_size(struct lab *lab, struct rg_index_size *size)
{
	static const size_t rooms4[] = { 1, 1, 1, 1, 0, 90000, 200000, 400000, LARGEST };

	size->hosts4 = rooms4[rng_below(&lab->rng, sizeof(rooms4) / sizeof(rooms4[0]))];
}

/* What another index has left behind its lines, nobody reads. */
static struct rg_index *fresh_index(struct lab *lab, enum rg_index_part part)
{
	struct index_map *map = &lab->indexes[part];
	const struct rg_index_origin origin = { .presence = lab->presence,
						.part = part,
						.fd = map->fd,
						.now = lab->first_now - SECOND,
						.seed = lab->model.settings.index_seed };

	choose_size(lab, &map->size);
	memset(map->memory, 0, rg_index_lines(&map->size) * sizeof(struct rg_index_line));
	rg_index_free(map->index);
	map->index = NULL;
	errno = -rg_index_new(&map->index, &origin, &map->size);
	must(errno, "index");
	return map->index;
}

static void fill_randomly(struct lab *lab, void *memory, size_t size)
{
	uint8_t *bytes = memory;

	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t random = rng_next(&lab->rng);

		memcpy(bytes + i, &random, sizeof(random));
	}
}

/* Where packets are not sent there may be anything, and in the filters that an index does not use. */
static void litter(struct lab *lab, uint32_t bank)
{
	struct rg_index_header *header = &lab->presence->headers[bank];
	uint32_t how = rng_below(&lab->rng, 4);
	__u64 *filters4;

	memset(header, 0, sizeof(*header));
	if (how)
		fill_randomly(lab, header, sizeof(*header));
	if (bank < RG_INDEX_BANK(RG_INDEX_HOSTS, 0))
		return;
	filters4 = lab->filters->banks[rg_index_filters_of(bank)];
	if (how == 1)
		fill_randomly(lab, filters4, sizeof(lab->filters->banks[0]));
	else
		memset(filters4, how == 2 ? 0xff : 0, sizeof(lab->filters->banks[0]));
}

/* In either bank. What is in the other bank would give wrong answers. */
static void install_index(struct lab *lab, enum rg_index_part part)
{
	uint32_t bank = RG_INDEX_BANK(part, rng_below(&lab->rng, 2));

	litter(lab, bank);
	litter(lab, bank ^ 1);
	lab->index_banks |=
		rg_index_install(lab->indexes[part].index, lab->presence, lab->filters, bank);
}

static bool is_entry(const struct lab *lab, enum rg_index_part part, const struct rg_prefix *prefix)
{
	const struct model_trie *trie = part == RG_INDEX_LISTS ? &lab->model.lists :
								 &lab->model.verdicts;
	model_addr addr = model_read_addr(prefix->addr.bytes);

	if (part == RG_INDEX_PEERS)
		return model_find_peer(&lab->model, addr);
	for (unsigned int i = 0; i < trie->count; i++)
		if (trie->at[i].len == prefix->len && trie->at[i].addr == addr)
			return true;
	return false;
}

/* Comes and goes, and leaves a slot behind that is free, but not empty, and bits in the filters. */
static void put_neighbour(struct lab *lab, enum rg_index_part part, const struct rg_index_entry *entry)
{
	struct rg_index *index = lab->indexes[part].index;
	struct rg_index_entry other = *entry;
	bool is4 = model_read_addr(entry->prefix.addr.bytes) >> 32 == 0xffff;

	other.prefix.addr.bytes[is4 ? 15 : 7] ^= (uint8_t)(1 + rng_below(&lab->rng, 255));
	if (other.prefix.len != (is4 ? RG_ADDR_BITS : 64) || is_entry(lab, part, &other.prefix))
		return;
	must(rg_index_put(index, &other) < 0, "index");
	rg_index_remove(index, &other.prefix);
}

static void put_into(struct lab *lab, enum rg_index_part part, const struct rg_index_entry *entry)
{
	struct rg_index *index = lab->indexes[part].index;

	/* Nothing is taken out of an index with nets4, as lists have one. */
	if (part != RG_INDEX_LISTS && rng_percent(&lab->rng, 30))
		put_neighbour(lab, part, entry);
	must(rg_index_put(index, entry) < 0, "index");
	if (part == RG_INDEX_LISTS || !rng_percent(&lab->rng, 10))
		return;
	rg_index_remove(index, &entry->prefix);
	must(rg_index_put(index, entry) < 0, "index");
}

static void index_trie(struct lab *lab, enum rg_index_part part, const struct model_trie *trie)
{
	/* Shorter prefixes first: of the lists' index that is part of the contract. */
	for (uint32_t len = 0; len <= RG_ADDR_BITS; len++)
		for (unsigned int i = 0; i < trie->count; i++) {
			const struct model_prefix *at = &trie->at[i];
			const struct rg_index_entry entry = {
				.prefix = { .len = len, .addr = model_write_addr(at->addr) },
				.expiry = at->expiry,
				.peer_class = at->peer_class,
				.action = part == RG_INDEX_LISTS ? RG_ACTION_NONE : at->action,
				.zone = at->zone,
			};

			if (at->len == len)
				put_into(lab, part, &entry);
		}
}

static void index_peers(struct lab *lab)
{
	for (int i = 0; i < MODEL_PEERS; i++) {
		const struct model_peer *peer = &lab->model.peers[i];
		struct rg_index_entry entry = { .peer_class = RG_CLASS_CLEAN,
						.action = RG_ACTION_PASS,
						.zone = RG_NO_ZONE };

		if (peer->generation != lab->model.generation || peer->is_removed ||
		    peer->state != RG_PEER_CLEAN)
			continue;
		entry.prefix.addr = model_write_addr(peer->key);
		entry.prefix.len = RG_ADDR_BITS;
		entry.expiry = peer->expiry;
		put_into(lab, RG_INDEX_PEERS, &entry);
	}
}

static void index_part(struct lab *lab, enum rg_index_part part)
{
	if (part == RG_INDEX_PEERS)
		index_peers(lab);
	else if (part == RG_INDEX_HOSTS)
		index_trie(lab, part, &lab->model.verdicts);
	else if (!lab->no_lists)
		index_trie(lab, part, &lab->model.lists);
}

/* settings.index: mostly all parts. */
static __u32 choose_parts(struct lab *lab)
{
	uint32_t parts = rng_percent(&lab->rng, 80) ? ~0U : rng_below(&lab->rng, 1 << RG_INDEXES);
	uint32_t mask = 0;

	if (lab->no_lists)
		parts &= ~(1U << RG_INDEX_LISTS);
	for (uint32_t i = 0; i < RG_INDEXES; i++)
		mask |= parts >> i & 1 ? 0xffU << 8 * i : 0;
	return lab->index_banks & mask;
}

/* Which of them are looked into, settings.index says. */
static void make_index(struct lab *lab)
{
	/* Lists come first, as when the agent starts, or last, as when they are reloaded. */
	uint32_t first = rng_below(&lab->rng, 2);

	/* What another state's entries leave behind only makes more looks necessary. */
	if (rng_percent(&lab->rng, 70))
		memset(lab->presence, 0, sizeof(*lab->presence));
	memset(lab->filters, 0, sizeof(*lab->filters));
	lab->index_banks = 0;
	for (int i = 0; i < RG_INDEXES; i++) {
		enum rg_index_part part = (enum rg_index_part)((first + (uint32_t)i) % RG_INDEXES);
		bool before = rng_percent(&lab->rng, 50);

		fresh_index(lab, part);
		if (before)
			install_index(lab, part);
		index_part(lab, part);
		if (!before)
			install_index(lab, part);
	}
	rg_index_update_near(lab->indexes[RG_INDEX_HOSTS].index);
	rg_index_update_near(lab->indexes[RG_INDEX_PEERS].index);
	for (int i = 0; i < RG_INDEXES; i++)
		if (rng_percent(&lab->rng, 50))
			rg_index_retire_previous(lab->indexes[i].index);
	lab->settings->index = lab->model.settings.index = choose_parts(lab);
}

static void write_mask(__u64 ret[2], uint32_t len)
{
	struct rg_addr mask = model_write_addr(mask_of(len));

	memcpy(ret, &mask, sizeof(mask));
}

/* Wide open, of no rate, or with some tokens, or none, for all unknown peers of a state. */
static void turn_gates(struct lab *lab)
{
	static const uint16_t bursts[] = { 60000, 60000, 1000, 100, 10, 0 };
	struct rng *rng = &lab->rng;

	for (int i = 0; i < RG_GATES; i++) {
		struct rg_token_rate *gate = &lab->model.settings.gates[i];

		gate->token_time = rng_percent(rng, 10) ? 0 : (1 + rng_below(rng, 3)) * TOKEN;
		gate->depth = gate->token_time * bursts[rng_below(rng, 6)];
	}
	/* A network has all tokens or none: the model then needs no bucket of each. */
	for (int i = 0; i < RG_NETWORK_GATES; i++)
		lab->model.settings.network_gates[i].token_time = rng_percent(rng, 50) ? 0 : TOKEN;
}

/* What changes as the programs run; and the kernel's copy of it all. */
static void turn_settings(struct lab *lab)
{
	static const enum rg_action unknowns[] = { RG_ACTION_HOLD, RG_ACTION_HOLD, RG_ACTION_PASS,
						   RG_ACTION_DROP };
	static const enum rg_action blocked[] = { RG_ACTION_DROP, RG_ACTION_RESET, RG_ACTION_TAG,
						  RG_ACTION_REJECT };
	struct rg_settings *settings = &lab->model.settings;
	struct rng *rng = &lab->rng;
	bool silent = rng_percent(rng, 15);

	settings->layout = rng_percent(rng, 98) ? RG_LAYOUT_VERSION : RG_LAYOUT_VERSION + 1;
	settings->mode = rng_percent(rng, 20) ? RG_MODE_MONITOR : RG_MODE_ENFORCE;
	settings->heartbeat = silent ? past(lab, 100 * SECOND) : lab->model.now;
	settings->heartbeat_timeout = silent ? SECOND : FAR;
	settings->unknown = unknowns[rng_below(rng, 4)];
	settings->overload = rng_percent(rng, 50) ? RG_ACTION_PASS : RG_ACTION_DROP;
	settings->blocked = blocked[rng_below(rng, 4)];
	settings->steering = rng_percent(rng, 85);
	settings->index = choose_parts(lab);
	settings->tag_dscp = rng_percent(rng, 20) ? 0 : (__u8)rng_below(rng, 64);
	lab->world.dscp = settings->tag_dscp;
	settings->port_count = rng_percent(rng, 50) ? 4 : (__u8)rng_below(rng, RG_MAX_PORTS + 3);
	for (int i = 0; i < RG_MAX_PORTS; i++)
		settings->ports[i] = i < 4 ? lab->world.ports[i] : (uint16_t)rng_next(rng);
	settings->throttle.token_time = (1 + rng_below(rng, 3)) * TOKEN;
	settings->throttle.depth = settings->throttle.token_time * (1 + rng_below(rng, 8));
	turn_gates(lab);
	memcpy(lab->settings, settings, sizeof(*settings));
}

static void make_settings(struct lab *lab)
{
	static const uint8_t lens6[] = { 64, 64, 64, 56, 48, 128, 32, 65 };
	static const uint32_t limits[] = { 0, UINT32_MAX, UINT32_MAX, 100 };
	struct rg_settings *settings = &lab->model.settings;
	struct rng *rng = &lab->rng;

	memset(settings, 0, sizeof(*settings));
	settings->index_seed = rng_next(rng);
	lab->index_banks = 0; /* not made yet */
	lab->no_lists = rng_percent(rng, 15);
	settings->pending_time = rng_percent(rng, 90) ? FAR : 0;
	write_mask(settings->bucket_mask6, lens6[rng_below(rng, 8)]);
	write_mask(settings->bucket_mask4, RG_V4_PREFIX_BITS + 8 * (1 + rng_below(rng, 4)));
	settings->samples_per_second = limits[rng_below(rng, 4)];
	settings->exact_per_second = UINT32_MAX;
	turn_settings(lab);
}

static void set_responders(struct lab *lab)
{
	uint32_t fresh = rng_percent(&lab->rng, 60) ? 15 : rng_below(&lab->rng, 16);

	for (uint32_t key = 0; key < RG_RESPONDER_SOCKETS; key++) {
		int fd = bpf_map__fd(lab->skel->maps.responder);
		__u64 value = (__u64)lab->sockets[key];

		if (!((fresh ^ lab->responders) >> key & 1))
			continue;
		if (fresh >> key & 1)
			must(bpf_map_update_elem(fd, &key, &value, BPF_ANY), "responder");
		else
			must(bpf_map_delete_elem(fd, &key), "responder");
	}
	lab->responders = lab->model.responders = fresh;
}

static void clear_trie(const struct bpf_map *map, const struct model_trie *trie)
{
	for (unsigned int i = 0; i < trie->count; i++) {
		struct rg_prefix key = { trie->at[i].len, model_write_addr(trie->at[i].addr) };

		must(bpf_map_delete_elem(bpf_map__fd(map), &key), bpf_map__name(map));
	}
}

/* Takes everything out of an LRU map. Returns how many entries there were. */
static unsigned int take_all(struct lab *lab, const struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	unsigned int total = 0;
	uint32_t batch, *from = NULL;

	for (;;) {
		uint32_t count = MAP_ENTRIES - total;
		int err = bpf_map_lookup_and_delete_batch(
			bpf_map__fd(map), from, &batch, lab->keys + total * sizeof(struct rg_addr),
			lab->values + total * bpf_map__value_size(map), &count, &opts);

		total += count;
		if (err && errno == ENOENT)
			return total;
		must(err, bpf_map__name(map));
		from = &batch;
	}
}

static void clear_maps(struct lab *lab)
{
	clear_trie(lab->skel->maps.lists_now, &lab->model.lists);
	clear_trie(lab->skel->maps.verdicts, &lab->model.verdicts);
	if (!lab->used)
		return;
	(void)take_all(lab, lab->skel->maps.peers);
	(void)take_all(lab, lab->skel->maps.buckets);
}

static void begin_state(struct lab *lab, uint64_t state)
{
	static const uint8_t sizes[] = { 0, 6, 20, 100 };
	uint32_t count;

	lab->state = state;
	clear_maps(lab);
	lab->used = true;
	memset(lab->stats, 0, sizeof(lab->model.counts));
	memset(lab->attempts, 0, ATTEMPTS_SIZE);
	memset(lab->admission, 0, RG_GATES * sizeof(*lab->admission));
	memset(&lab->frame, 0, sizeof(lab->frame));
	lab->first_now = now_ns();
	model_reset(&lab->model, lab->first_now);
	__atomic_store_n(lab->consumer, *lab->producer, __ATOMIC_RELEASE);
	lab->second = lab->window->second = lab->window->count = 0;
	rng_seed(&lab->rng, options.seed, state);
	make_world(lab);
	make_settings(lab);
	set_responders(lab);
	lab->drain = (const uint8_t[]){ 100, 100, 5, 0 }[rng_below(&lab->rng, 4)];
	for (count = sizes[rng_below(&lab->rng, 4)]; count; count--)
		add_list_entry(lab);
	for (count = sizes[rng_below(&lab->rng, 4)]; count; count--)
		add_verdict(lab);
	for (count = rng_below(&lab->rng, 30); count; count--)
		add_peer(lab);
	for (count = rng_below(&lab->rng, 10); count; count--)
		add_bucket(lab);
	make_index(lab);
}

/* A second later the same SYN is a retransmission; two minutes later it is another attempt. */
static void age_attempts(struct lab *lab)
{
	uint32_t seconds = rng_percent(&lab->rng, 50) ? 1 : RG_ATTEMPT_SECONDS;
	const uint32_t mask = 0xfff; /* the time in a slot of `attempts`, s */

	for (size_t i = 0; i < ATTEMPTS_SIZE / sizeof(*lab->attempts); i++) {
		uint32_t slot = lab->attempts[i];

		if (slot)
			lab->attempts[i] = (slot & ~mask) | ((slot - seconds) & mask);
	}
	if (seconds == 1)
		model_attempts_are_due(&lab->model);
	else
		model_forget_attempts(&lab->model);
}

/* ---- a frame ---- */

static int test_run(struct lab *lab)
{
	struct xdp_md context = { .data_end = (__u32)lab->linear };
	union bpf_attr attr;
	long err;

	memset(&attr, 0, sizeof(attr.test));
	attr.test.prog_fd = (__u32)lab->programs[lab->program];
	attr.test.data_in = (uintptr_t)lab->frame.data;
	attr.test.data_size_in = (__u32)lab->frame.len;
	attr.test.data_out = (uintptr_t)lab->out;
	attr.test.data_size_out = sizeof(lab->out);
	attr.test.repeat = 1;
	if (lab->linear != lab->frame.len) {
		attr.test.ctx_in = (uintptr_t)&context;
		attr.test.ctx_size_in = sizeof(context);
	}
	err = syscall(__NR_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr.test));
	if (err)
		return -errno;
	lab->action = (int)attr.test.retval;
	lab->out_len = attr.test.data_size_out;
	return 0;
}

/* What is new in the ring buffer; more than one record is an event of impossible size. */
static void read_event(struct lab *lab, unsigned long before)
{
	unsigned long after = __atomic_load_n(lab->producer, __ATOMIC_ACQUIRE);
	const uint8_t *record = lab->records + (before & (RING_SIZE - 1));
	uint32_t size;

	lab->event_size = 0;
	if (after == before)
		return;
	memcpy(&size, record, sizeof(size));
	lab->event_size = after - before == (size + 8 + 7) / 8 * 8 ? size : SIZE_MAX;
	memcpy(&lab->event, record + 8, size < sizeof(lab->event) ? size : sizeof(lab->event));
}

/* The event, but for its time, which must lie within the state. */
static bool same_event(struct lab *lab)
{
	const size_t time = sizeof(lab->event.head.time);

	if (lab->event_size != lab->want.event_size)
		return false;
	if (!lab->event_size)
		return true;
	if (lab->event.head.time + SLACK < lab->last_now || lab->event.head.time > now_ns() + SLACK)
		return false;
	lab->last_now = lab->event.head.time;
	return !memcmp((uint8_t *)&lab->event + time, (uint8_t *)&lab->want.event + time,
		       lab->event_size - time);
}

/* The answer swaps the MAC addresses; all else outside the patch is as it was. */
static void build_wanted(const struct lab *lab, uint8_t *frame)
{
	const struct model_result *want = &lab->want;

	memcpy(frame, lab->frame.data, want->len);
	if (want->swaps_macs) {
		memcpy(frame, lab->frame.data + 6, 6);
		memcpy(frame + 6, lab->frame.data, 6);
	}
	memcpy(frame + want->patch_at, want->patch, want->patch_len);
	if (want->sum_at) {
		frame[want->sum_at] = (uint8_t)(want->sum >> 8);
		frame[want->sum_at + 1] = (uint8_t)want->sum;
	}
}

static bool same_bytes(const struct lab *lab)
{
	uint8_t wanted[FRAMES_BUFFER];

	if (lab->out_len != lab->want.len)
		return false;
	if (!lab->want.patch_len && !lab->want.swaps_macs && !lab->want.sum_at)
		return !memcmp(lab->out, lab->frame.data, lab->out_len);
	build_wanted(lab, wanted);
	return !memcmp(lab->out, wanted, lab->out_len);
}

/* ---- the maps ---- */

static bool same_flows(const struct rg_peer *have, const struct model_peer *want)
{
	uint32_t count = want->held < RG_HELD_FLOWS ? want->held : RG_HELD_FLOWS;

	for (uint32_t i = 0; i < RG_HELD_FLOWS; i++) {
		if (!have->flows[i] != (i >= count))
			return false;
		for (uint32_t j = 0; have->flows[i] && j < i; j++)
			if (have->flows[j] == have->flows[i])
				return false;
	}
	return true;
}

static bool same_peer(const struct lab *lab, const struct rg_peer *have, const struct model_peer *want)
{
	static const uint8_t zeros[sizeof(have->pad)];

	if (!have || !want)
		return !have && !want;
	if (have->state != want->state || have->held != want->held ||
	    memcmp(have->pad, zeros, sizeof(zeros)) != 0)
		return false;
	if (!same_flows(have, want))
		return false;
	if (!want->is_marked)
		return have->expiry == want->expiry && have->since == 4711 &&
		       have->reason == RG_REASON_NOT_LISTED;
	return have->reason == RG_REASON_NONE && have->since + SLACK >= lab->first_now &&
	       have->since <= now_ns() + SLACK &&
	       have->expiry - have->since == lab->model.settings.pending_time;
}

static bool same_bucket(const struct rg_bucket *have, const struct model_bucket *want)
{
	if (!have || !want)
		return !have && !want;
	return have->full_at + SLACK >= want->full_at && have->full_at < want->full_at + TOKEN / 4;
}

/* The entries that this frame may have changed. */
static const char *check_touched(const struct lab *lab)
{
	struct rg_addr peer_key = model_write_addr(lab->want.peer);
	struct rg_addr bucket_key = model_write_addr(lab->want.bucket);
	struct rg_bucket bucket;
	struct rg_peer peer;
	bool has;

	if (lab->want.has_peer) {
		has = !bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.peers), &peer_key, &peer);
		if (!same_peer(lab, has ? &peer : NULL, model_find_peer(&lab->model, lab->want.peer)))
			return "peer";
	}
	if (lab->want.has_bucket) {
		has = !bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.buckets), &bucket_key,
					   &bucket);
		if (!same_bucket(has ? &bucket : NULL,
				 model_find_bucket(&lab->model, lab->want.bucket)))
			return "bucket";
	}
	return NULL;
}

static bool same_gates(const struct lab *lab)
{
	for (int i = 0; i < RG_GATES; i++) {
		const struct model_bucket want = { .full_at = lab->model.admission[i] };

		if (!same_bucket(&lab->admission[i], &want))
			return false;
	}
	return true;
}

static const char *check_hits(const struct lab *lab)
{
	const struct model_trie *trie = &lab->model.verdicts;

	for (unsigned int i = 0; i < trie->count; i++)
		if (lab->details[i].hits != trie->at[i].hits)
			return "hits of a verdict";
	return NULL;
}

static const char *check_all_peers(struct lab *lab)
{
	unsigned int count = take_all(lab, lab->skel->maps.peers);

	for (unsigned int i = 0; i < count; i++) {
		model_addr key = model_read_addr(lab->keys + i * sizeof(struct rg_addr));
		struct rg_peer value;

		memcpy(&value, lab->values + i * sizeof(value), sizeof(value));
		if (!same_peer(lab, &value, model_find_peer(&lab->model, key))) {
			lab->want.peer = key;
			return "peers";
		}
	}
	return count == lab->model.peer_count ? NULL : "number of peers";
}

static const char *check_all_buckets(struct lab *lab)
{
	unsigned int count = take_all(lab, lab->skel->maps.buckets);

	for (unsigned int i = 0; i < count; i++) {
		model_addr key = model_read_addr(lab->keys + i * sizeof(struct rg_addr));
		struct rg_bucket value;

		memcpy(&value, lab->values + i * sizeof(value), sizeof(value));
		if (!same_bucket(&value, model_find_bucket(&lab->model, key)))
			return "buckets";
	}
	return count == lab->model.bucket_count ? NULL : "number of buckets";
}

/* ---- reports ---- */

static void print_hex(const char *what, const uint8_t *bytes, size_t len)
{
	printf("%s (%zu bytes):", what, len);
	for (size_t i = 0; i < len && i < 4096; i++)
		printf("%s%02x", i % 32 ? "" : "\n  ", bytes[i]);
	printf("%s\n", len > 4096 ? "..." : "");
}

static void print_addr(model_addr addr)
{
	for (int i = 112; i >= 0; i -= 16)
		printf("%04x%s", (unsigned int)(addr >> i) & 0xffff, i ? ":" : "");
}

static void print_trie(const struct model *model, const char *name, const struct model_trie *trie)
{
	for (unsigned int i = 0; i < trie->count; i++) {
		const struct model_prefix *entry = &trie->at[i];

		printf("%s: ", name);
		print_addr(entry->addr);
		printf("/%u class %d action %d zone %d hits %llu, %s\n", entry->len,
		       entry->peer_class, entry->action, (int)entry->zone,
		       (unsigned long long)entry->hits,
		       !entry->expiry		  ? "for good" :
		       entry->expiry > model->now ? "live" :
						    "expired");
	}
}

static void print_peers(const struct model *model)
{
	for (int i = 0; i < MODEL_PEERS; i++) {
		const struct model_peer *peer = &model->peers[i];

		if (peer->generation != model->generation || peer->is_removed)
			continue;
		printf("peer: ");
		print_addr(peer->key);
		printf(" state %d held %u, %s\n", peer->state, peer->held,
		       peer->expiry > model->now ? "live" : "expired");
	}
}

static void print_rate(const char *name, const struct rg_token_rate *rate)
{
	printf("%s: a token in %llu s, %llu s deep\n", name,
	       (unsigned long long)(rate->token_time / SECOND),
	       (unsigned long long)(rate->depth / SECOND));
}

static void print_settings(const struct lab *lab)
{
	const struct rg_settings *s = &lab->model.settings;

	printf("settings: layout %u mode %d unknown %d overload %d blocked %d samples %u steering %u"
	       " tag_dscp %u, agent %s\n",
	       s->layout, s->mode, s->unknown, s->overload, s->blocked, s->samples_per_second,
	       s->steering, s->tag_dscp,
	       s->heartbeat + s->heartbeat_timeout < lab->model.now ? "silent" : "alive");
	printf("ports (%u):", s->port_count);
	for (uint32_t i = 0; i < s->port_count && i < RG_MAX_PORTS; i++)
		printf(" %u", s->ports[i]);
	printf(" bucket_mask4 ");
	print_addr(read_mask(s->bucket_mask4));
	printf(" bucket_mask6 ");
	print_addr(read_mask(s->bucket_mask6));
	printf("\npending_time %llu; responders %x\n", (unsigned long long)s->pending_time,
	       lab->model.responders);
	print_rate("throttle", &s->throttle);
	for (int i = 0; i < RG_GATES; i++)
		print_rate("gate", &s->gates[i]);
	for (int i = 0; i < RG_NETWORK_GATES; i++)
		print_rate("gate of a network", &s->network_gates[i]);
}

static void print_counts(const struct lab *lab)
{
	for (int i = 0; i < RG_STAT_MAX; i++) {
		const struct rg_count *have = &lab->stats[i], *want = &lab->model.counts[i];

		if (memcmp(have, want, sizeof(*have)))
			printf("counter %d: %llu packets, %llu attempts; model %llu, %llu\n", i,
			       (unsigned long long)have->packets, (unsigned long long)have->attempts,
			       (unsigned long long)want->packets, (unsigned long long)want->attempts);
	}
}

static void print_answers(const struct lab *lab)
{
	const struct model_result *want = &lab->want;
	uint8_t wanted[FRAMES_BUFFER];

	printf("program %s, %zu bytes of which %zu in one piece\n", program_names[lab->program],
	       lab->frame.len, lab->linear);
	print_hex("frame", lab->frame.data, lab->frame.len);
	printf("action %d, model %d; event of %zu bytes, model %zu\n", lab->action, want->action,
	       lab->event_size, want->event_size);
	if (want->has_peer) {
		printf("peer of the frame: ");
		print_addr(want->peer);
		printf("\n");
	}
	if (!same_bytes(lab)) {
		build_wanted(lab, wanted);
		print_hex("frame that came out", lab->out, lab->out_len);
		print_hex("the model's", wanted, want->len);
	}
	if (lab->event_size && lab->event_size <= sizeof(lab->event))
		print_hex("event", (const uint8_t *)&lab->event, lab->event_size);
	if (want->event_size)
		print_hex("the model's, time 0", (const uint8_t *)&want->event, want->event_size);
	print_counts(lab);
}

static void report(const struct lab *lab, const char *what)
{
	uint64_t number = lab->state * STATE_FRAMES + lab->index;

	pthread_mutex_lock(&say);
	if (what) {
		printf("DIFFERENCE: %s\n", what);
		atomic_store(&failed, true);
	}
	printf("reproduce with: fuzz_filter --seed %llu --frame %llu%s\n",
	       (unsigned long long)options.seed, (unsigned long long)number,
	       options.no_hold ? " --no-hold" : "");
	print_answers(lab);
	print_settings(lab);
	print_trie(&lab->model, "list", &lab->model.lists);
	print_trie(&lab->model, "verdict", &lab->model.verdicts);
	print_peers(&lab->model);
	fflush(stdout);
	pthread_mutex_unlock(&say);
	atomic_store(&stop, true);
}

/* ---- the run ---- */

static void choose_program(struct lab *lab)
{
	uint32_t choice = rng_below(&lab->rng, 100);

	lab->program = choice < 62 ? MODEL_FILTER :
		       choice < 82 ? MODEL_FILTER_FRAGS :
		       choice < 90 ? MODEL_RELEASE :
		       choice < 95 ? MODEL_MONITOR :
				     MODEL_PREVIEW;
	/* A kernel that can't hold has no frames in several pieces. */
	lab->world.jumbo = lab->program == MODEL_FILTER_FRAGS && !options.no_hold;
	lab->world.bare = rng_percent(&lab->rng, 25);
	if (lab->world.bare)
		lab->program += MODEL_IP;
}

/* What a test run puts into one piece: a page, or less on request (Linux 6.18). */
static void choose_linear(struct lab *lab)
{
	lab->linear = lab->frame.len;
	if (!options.no_hold && rng_percent(&lab->rng, 10))
		lab->linear = rng_below(&lab->rng, (uint32_t)lab->frame.len + 1);
	else if (!options.no_hold && rng_percent(&lab->rng, 10)) /* within the headers */
		lab->linear =
			rng_below(&lab->rng, lab->frame.len < 80 ? (uint32_t)lab->frame.len : 80);
	if (lab->linear > 3520)
		lab->linear = 3520;
}

static const char *compare(struct lab *lab)
{
	if (lab->action != lab->want.action)
		return "action";
	if (!same_bytes(lab))
		return "bytes";
	if (!same_event(lab))
		return "event";
	if (memcmp(lab->stats, lab->model.counts, sizeof(lab->model.counts)))
		return "counters";
	if (!same_gates(lab))
		return "admission";
	return lab->slow ? check_touched(lab) : NULL;
}

/* NULL, or what differs. */
static const char *run_frame(struct lab *lab)
{
	const int first = RG_STAT_LOSSES + RG_LOSS_FLOOD_FIRST;
	unsigned long before = *lab->producer;
	const char *what;

	choose_program(lab);
	frames_next(&lab->rng, &lab->world, &lab->frame);
	choose_linear(lab);
	lab->model.begin = now_ns();
	lab->err = test_run(lab);
	lab->model.end = now_ns();
	if (lab->err == -EINVAL) { /* too short or too long for a test run */
		atomic_fetch_add(&frames_refused, 1);
		return NULL;
	}
	if (lab->err)
		return strerror(-lab->err);
	read_event(lab, before);
	if (lab->window->second != lab->second) { /* a new second began with this very frame */
		lab->second = lab->window->second;
		lab->model.samples = 0;
	}
	lab->questions = lab->model.questions;
	lab->model.counted_first = lab->stats[first].packets != lab->model.counts[first].packets;
	model_run(&lab->model, lab->program, lab->frame.data, lab->frame.len, lab->linear,
		  &lab->want);
	what = compare(lab);
	if (rng_percent(&lab->rng, lab->drain)) {
		__atomic_store_n(lab->consumer, *lab->producer, __ATOMIC_RELEASE);
		lab->model.ring_used = 0;
	}
	return what;
}

static void add_totals(const struct lab *lab)
{
	for (int i = 0; i < RG_STAT_MAX; i++)
		atomic_fetch_add(&totals[i], lab->model.counts[i].packets);
}

static const char *run_state(struct lab *lab, uint32_t frames)
{
	const char *what = NULL;

	lab->last_now = lab->first_now;
	for (lab->index = 0; lab->index < frames && !what; lab->index++) {
		if (lab->index && lab->index % EPOCH_FRAMES == 0) {
			turn_settings(lab);
			if (rng_percent(&lab->rng, 4))
				age_attempts(lab);
		}
		what = run_frame(lab);
		if (what)
			return what;
		if (lab->model.peer_count > MAP_ENTRIES / 2)
			break;
	}
	atomic_fetch_add(&frames_done, lab->index);
	add_totals(lab);
	return NULL;
}

static const char *check_maps(struct lab *lab)
{
	const char *hits = check_hits(lab), *peers = check_all_peers(lab),
		   *buckets = check_all_buckets(lab);

	lab->used = false;
	return hits ? hits : peers ? peers : buckets;
}

/*
 * A state from its beginning. XDP may take a connection for another one, as it knows only some bits
 * of it: so if there is a difference, the frame's questions are answered that way, one after the
 * other, and if that explains it, the state goes on.
 */
static const char *try_state(struct lab *lab, uint64_t state, uint32_t frames)
{
	struct model *model = &lab->model;
	const char *what;

	model->forced_count = 0;
	begin_state(lab, state);
	what = run_state(lab, frames);
	while (what && model->forced_count < MODEL_FORCED) {
		uint64_t first = lab->questions, count = model->questions - first, i;
		uint32_t index = lab->index;
		const char *again = what;

		model->forced_count++;
		for (i = 0; i < count && again; i++) {
			model->forced[model->forced_count - 1] = first + i;
			begin_state(lab, state);
			again = run_state(lab, frames);
			if (lab->index > index)
				break;
		}
		if (again && lab->index <= index) { /* not that: once more, for the report */
			model->forced_count--;
			begin_state(lab, state);
			return run_state(lab, frames);
		}
		what = again;
		atomic_fetch_add(&collisions, 1);
	}
	return what;
}

/*
 * One state again, with a look into the maps after each frame. what: the difference that was found at
 * its end, or NULL.
 */
static void replay(struct lab *lab, uint64_t state, uint32_t frames, const char *what)
{
	const char *now;

	lab->slow = true;
	now = try_state(lab, state, frames);
	if (!now) {
		lab->index--;
		now = check_hits(lab);
	}
	report(lab, now ? now : what);
}

static void stay_on_cpu(unsigned int number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void set_route(struct model_route *route, model_addr addr, uint32_t len, uint32_t last)
{
	route->addr = addr;
	route->mask = mask_of(len);
	route->own[0] = addr | 1;
	route->own[1] = addr | last; /* broadcast; of IPv6 the anycast address of the routers */
	route->own[2] = addr | 1;
}

static void run_states(struct lab *lab)
{
	while (!atomic_load(&stop)) {
		uint64_t state = atomic_fetch_add(&next_state, 1);
		const char *what;

		if (state * STATE_FRAMES >= options.frames)
			return;
		what = try_state(lab, state, STATE_FRAMES);
		if (what) {
			report(lab, what);
			return;
		}
		what = check_maps(lab);
		if (what) {
			replay(lab, state, STATE_FRAMES, what);
			return;
		}
	}
}

static void *work(void *arg)
{
	static atomic_int skipped;
	struct lab *lab = calloc(1, sizeof(*lab));
	int err;

	stay_on_cpu((unsigned int)(uintptr_t)arg);
	err = lab ? open_lab(lab) : -ENOMEM;
	if (err) {
		if (!atomic_exchange(&skipped, 1))
			fprintf(stderr, "can't load the programs: %s\n", strerror(-err));
		exit(err == -EPERM ? SKIPPED : EXIT_FAILURE);
	}
	set_route(&lab->model.routes[0], (model_addr)0xffff << 32 | 0x0a630000, 120, 255);
	set_route(&lab->model.routes[1], (model_addr)0xfd99000000000001 << 64, 64, 0);
	if (options.frame != UINT64_MAX)
		replay(lab, options.frame / STATE_FRAMES,
		       (uint32_t)(options.frame % STATE_FRAMES) + 1, NULL);
	else
		run_states(lab);
	filter_bpf__destroy(lab->skel);
	free(lab);
	return NULL;
}

/* A namespace with a network that it would route on to: 10.99.0.0/24, fd99:0:0:1::/64. */
static void make_network(void)
{
	static const char *const commands =
		"set -e; ip link set lo up; ip link add d0 type veth peer name d1;"
		"echo 1 >/proc/sys/net/ipv4/ip_forward;"
		"echo 1 >/proc/sys/net/ipv6/conf/all/forwarding;"
		"ip link set d0 up; ip link set d1 up; ip addr add 10.99.0.1/24 brd 10.99.0.255 dev d0;"
		"ip addr add fd99:0:0:1::1/64 dev d0 nodad";

	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "skipped: no network namespace: %m\n");
		exit(SKIPPED);
	}
	if (system(commands)) {
		fprintf(stderr, "can't set up the network\n");
		exit(EXIT_FAILURE);
	}
}

static uint64_t number_of(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (!*text || *end) {
		fprintf(stderr, "not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "frames", 1, NULL, 'n' },  { "seconds", 1, NULL, 's' },
		{ "seed", 1, NULL, 'x' },    { "frame", 1, NULL, 'f' },
		{ "threads", 1, NULL, 't' }, { "no-hold", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	options.threads = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'n')
			options.frames = number_of(optarg);
		else if (c == 's')
			options.seconds = number_of(optarg);
		else if (c == 'x')
			options.seed = number_of(optarg);
		else if (c == 'f')
			options.frame = number_of(optarg);
		else if (c == 't')
			options.threads = (unsigned int)number_of(optarg);
		else if (c == 'h')
			options.no_hold = true;
		else
			exit(2);
	}
	if (options.frame != UINT64_MAX || !options.threads)
		options.threads = 1;
	if (options.threads > MAX_THREADS)
		options.threads = MAX_THREADS;
	if (options.seconds)
		options.frames = UINT64_MAX;
}

/* Which decisions were made at all: a fuzzer that drops everything finds nothing. */
static void print_coverage(void)
{
	unsigned int decided = 0, lost = 0;

	for (int i = 0; i < RG_STAT_LOSSES; i++)
		decided += atomic_load(&totals[i]) > 0;
	for (int i = 0; i < RG_LOSS_MAX; i++)
		lost += atomic_load(&totals[RG_STAT_LOSSES + i]) > 0;
	printf("%llu connections were taken for another one, by 38 bits of their hash\n",
	       (unsigned long long)atomic_load(&collisions));
	printf("%u kinds of decisions, %u of %u losses were met\n", decided, lost, RG_LOSS_MAX);
	if (!getenv("V"))
		return;
	for (int i = 0; i < RG_STAT_MAX; i++)
		if (atomic_load(&totals[i]))
			printf("  counter %d: %llu\n", i,
			       (unsigned long long)atomic_load(&totals[i]));
}

static void wait_for(pthread_t *threads)
{
	uint64_t begin = now_ns();

	while (options.seconds && !atomic_load(&stop)) {
		usleep(100000);
		if (now_ns() - begin >= options.seconds * SECOND)
			atomic_store(&stop, true);
	}
	for (unsigned int i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	pthread_t threads[MAX_THREADS];
	uint64_t begin;
	double seconds;

	read_options(argc, argv);
	if (!getenv("V"))
		libbpf_set_print(NULL);
	make_network();
	begin = now_ns();
	for (unsigned int i = 0; i < options.threads; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i))
			exit(EXIT_FAILURE);
	wait_for(threads);
	seconds = (double)(now_ns() - begin) / (double)SECOND;
	printf("seed %llu: %llu frames, %llu of them refused by the test run, %.0f s, %.0f frames/s\n",
	       (unsigned long long)options.seed, (unsigned long long)atomic_load(&frames_done),
	       (unsigned long long)atomic_load(&frames_refused), seconds,
	       (double)atomic_load(&frames_done) / seconds);
	print_coverage();
	if (atomic_load(&collisions) > 3 + atomic_load(&frames_done) / FRAMES_PER_COLLISION) {
		printf("DIFFERENCE: connections are mistaken for others too often\n");
		atomic_store(&failed, true);
	}
	return atomic_load(&failed) ? EXIT_FAILURE : EXIT_SUCCESS;
}
