/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rows.h"

#include "net.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#define SKIPPED 77
#define MOST_SPLITS 200 /* bytes: more than the headers of almost all rows */

static struct run_options variants[VARIANTS] = {
	[FULL_RING] = { .ring_size = TINY_RING },
	[FULL_PEERS] = { .max_peers = 1, .plain_peers = true },
	[NO_HOLD] = { .no_hold = true },
	[FEW_BUCKETS] = { .max_buckets = 512 },
	[ONE_BUCKET] = { .max_buckets = 1, .plain_buckets = true },
};

static struct run *runs[VARIANTS];
static int sockets[RG_RESPONDER_SOCKETS]; /* the responder's */
static size_t split = SIZE_MAX; /* bytes of each frame in the first buffer, for messages */
static uint64_t losses_seen; /* by all tests so far, bit by enum rg_loss */

void use_programs(uint32_t programs, uint32_t of_variants)
{
	for (int i = 0; i < VARIANTS; i++)
		variants[i].programs = i == USUAL ? programs : of_variants;
}

struct run *run_of(enum variant variant)
{
	int err = runs[variant] ? 0 : run_open(&runs[variant], &variants[variant]);

	if (err)
		fail_msg("can't load the programs: %s (V=1 shows why)", strerror(-err));
	return runs[variant];
}

/* ---- maps ---- */

static void fill_mask(uint64_t mask[2], uint32_t bits)
{
	for (uint32_t bit = 0; bit < bits; bit++)
		((uint8_t *)mask)[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static void fill_rate(struct rg_settings *settings, const struct tuning *tuning)
{
	uint32_t bits4 = tuning->bucket_bits4 ? tuning->bucket_bits4 : 32;

	settings->throttle.token_time = tuning->token_time ? tuning->token_time : HOUR;
	settings->throttle.depth =
		settings->throttle.token_time * (tuning->burst ? tuning->burst : 3);
	for (int i = 0; i < RG_GATES; i++) {
		settings->gates[i].token_time = tuning->is_flood ? HOUR : 1;
		settings->gates[i].depth = tuning->is_flood ? tuning->gates[i] * HOUR : HOUR;
	}
	for (int i = 0; i < RG_NETWORK_GATES; i++) {
		settings->network_gates[i].token_time = tuning->has_networks ? HOUR : 1;
		settings->network_gates[i].depth =
			tuning->has_networks ? tuning->network_gates[i] * HOUR : HOUR;
	}
	fill_mask((uint64_t *)settings->bucket_mask4, RG_V4_PREFIX_BITS + bits4);
	fill_mask((uint64_t *)settings->bucket_mask6,
		  tuning->bucket_bits6 ? tuning->bucket_bits6 : RG_ADDR_BITS);
}

void put_settings(struct run *run, const struct tuning *tuning)
{
	struct rg_settings fresh = {
		.layout = tuning->other_layout ? RG_LAYOUT_VERSION + 1 : RG_LAYOUT_VERSION,
		.mode = tuning->mode ? tuning->mode : RG_MODE_ENFORCE,
		.heartbeat = run_now(),
		.heartbeat_timeout = TIMEOUT,
		.pending_time = PENDING_TIME,
		.unknown = tuning->unknown ? tuning->unknown : RG_ACTION_HOLD,
		.overload = tuning->overload ? tuning->overload : RG_ACTION_PASS,
		.blocked = tuning->blocked ? tuning->blocked : RG_ACTION_DROP,
		.samples_per_second = tuning->no_samples ? 0 : 1000,
		.exact_per_second = UINT32_MAX,
		.steering = !tuning->no_steering,
		.tag_dscp = tuning->tag_dscp,
		.port_count = 1,
		.ports = { 25, 443 }, /* the second is past the count */
	};

	if (tuning->silent) {
		fresh.heartbeat_timeout = RG_NSEC_PER_SEC / 10;
		fresh.heartbeat -= RG_NSEC_PER_SEC;
	}
	if (tuning->next_agent)
		fresh.pending_since = fresh.heartbeat - RG_NSEC_PER_SEC;
	fill_rate(&fresh, tuning);
	*run_settings(run) = fresh;
}

int responder_socket(enum rg_responder_socket slot)
{
	return sockets[slot];
}

void put_socket(struct run *run, enum rg_responder_socket slot, int fd)
{
	uint32_t key = slot;
	uint64_t value = (uint64_t)fd;

	assert_int_equal(bpf_map_update_elem(run_maps(run).responder, &key, &value, BPF_ANY), 0);
}

static void put_sockets(struct run *run, uint32_t missing)
{
	for (int slot = 0; slot < RG_RESPONDER_SOCKETS; slot++)
		if (!(missing >> slot & 1))
			put_socket(run, slot, sockets[slot]);
}

struct rg_prefix prefix_of(const char *text, uint32_t len)
{
	return (struct rg_prefix){ .len = len + (strchr(text, ':') ? 0 : RG_V4_PREFIX_BITS),
				   .addr = packet_addr(text) };
}

/* left: seconds, 0 for good; what was over before a young machine booted ended at its first ns */
uint64_t expiry_in(int left)
{
	uint64_t now = run_now(), distance = (uint64_t)abs(left) * RG_NSEC_PER_SEC;

	if (left < 0)
		return now > distance ? now - distance : 1;
	return left ? now + distance : 0;
}

uint32_t put_details(struct run *run, uint64_t hits)
{
	static uint32_t last;
	struct rg_verdict_details details = { .hits = hits, .since = 1 };

	last = (last + 1) % RUN_VERDICTS;
	assert_int_equal(
		bpf_map_update_elem(run_maps(run).verdict_details, &last, &details, BPF_ANY), 0);
	return last;
}

uint64_t verdict_hits(struct run *run, const struct rg_prefix *key)
{
	struct rg_verdict_details details;
	struct rg_verdict verdict;

	assert_int_equal(bpf_map_lookup_elem(run_maps(run).verdicts, key, &verdict), 0);
	assert_int_equal(
		bpf_map_lookup_elem(run_maps(run).verdict_details, &verdict.details, &details), 0);
	assert_int_equal(details.since, 1);
	return details.hits;
}

void put_trie(struct run *run, const struct rg_prefix *key, enum rg_class peer_class,
	      enum rg_action action, uint64_t expiry)
{
	bool by_zone = peer_class == RG_CLASS_STANDARD || peer_class == RG_CLASS_QIL;
	struct rg_verdict verdict = { .expiry = expiry,
				      .prefix_len = key->len,
				      .peer_class = peer_class,
				      .details = put_details(run, RUN_HITS),
				      .action = action,
				      .zone = by_zone ? ZONE : RG_NO_ZONE };

	assert_int_equal(bpf_map_update_elem(run_maps(run).verdicts, key, &verdict, BPF_ANY), 0);
}

void put_list(int fd, const struct rg_prefix *key, enum rg_class peer_class, uint64_t expiry)
{
	struct rg_list_entry entry = { .expiry = expiry,
				       .prefix_len = key->len,
				       .peer_class = peer_class };

	assert_int_equal(bpf_map_update_elem(fd, key, &entry, BPF_ANY), 0);
}

void put_entry(struct run *run, const struct entry *entry)
{
	struct run_map_fds fds = run_maps(run);
	struct rg_prefix key = prefix_of(entry->addr, entry->len);
	struct rg_peer peer = {
		.expiry = expiry_in(entry->left),
		.state = entry->peer_class == RG_CLASS_CLEAN ? RG_PEER_CLEAN : RG_PEER_PENDING,
		.held = entry->peer_class == RG_CLASS_PENDING,
	};

	if (entry->map == LISTS)
		put_list(fds.lists_now, &key, entry->peer_class, expiry_in(entry->left));
	else if (entry->map == VERDICTS)
		put_trie(run, &key, entry->peer_class, entry->action, expiry_in(entry->left));
	else
		assert_int_equal(bpf_map_update_elem(fds.peers, &key.addr, &peer, BPF_ANY), 0);
}

/* Fills the ring with SYNs of peers that no row names. */
static void fill_ring(struct run *run)
{
	static struct packet packet;
	struct run_counts counts;

	for (int i = 0; i < 1000; i++) {
		char from[32];
		struct packet_spec spec = { .from = from };

		snprintf(from, sizeof(from), "198.18.0.%d", i % 250);
		packet_build(&spec, &packet);
		assert_int_equal(run_packet(run, RUN_FILTER, &packet), i < 15 ? XDP_DROP : XDP_PASS);
		assert_int_equal(run_counts(run, &counts), 0);
		if (counts.at[RG_STAT_LOSSES + RG_LOSS_RING_FULL].packets)
			return;
	}
	fail_msg("the ring buffer is never full");
}

/* The host has the addresses that packets go to by themselves; .255 is a broadcast address. */
static void put_host(struct run *run, const struct tuning *tuning)
{
	const char *addrs[] = { "198.51.100.25", "2001:db8:25::25", "198.51.100.255" };
	struct rg_host_link link = { .mac = { 0x02, 0, 0, 0, 0x5e, 0x02 },
				     .any_mac = tuning->bridged };
	struct run_map_fds fds = run_maps(run);
	uint32_t ifindex = RUN_INTERFACE;

	(void)bpf_map_delete_elem(fds.host_links, &ifindex);
	if (tuning->known_host)
		assert_int_equal(bpf_map_update_elem(fds.host_links, &ifindex, &link, BPF_ANY), 0);
	for (int i = 0; i < 3; i++) {
		struct rg_prefix key = prefix_of(addrs[i], i == 1 ? 128 : 32);
		struct rg_host_route route = { .is_host = i < 2 };

		if (!tuning->known_host) {
			(void)bpf_map_delete_elem(fds.host_routes, &key);
			continue;
		}
		assert_int_equal(bpf_map_update_elem(fds.host_routes, &key, &route, BPF_ANY), 0);
	}
}

void prepare(enum variant variant, const struct tuning *tuning, const struct entry *entries)
{
	const struct tuning usual = {};
	struct run *run = run_of(variant);

	assert_int_equal(run_reset(run), 0);
	put_settings(run, &usual);
	if (variant == FULL_RING)
		fill_ring(run);
	put_settings(run, tuning);
	put_sockets(run, tuning->no_socket);
	put_host(run, tuning);
	for (int i = 0; i < ROW_ENTRIES && entries && entries[i].map; i++)
		put_entry(run, &entries[i]);
}

struct run *fresh_run(const struct tuning *tuning)
{
	prepare(USUAL, tuning, NULL);
	assert_int_equal(net_forward(false), 0);
	return run_of(USUAL);
}

/* ---- what a step must bring about ---- */

static uint32_t stat_of(const struct step *step)
{
	return (step->monitored ? RG_STAT_MONITORED : RG_STAT_DONE) +
	       step->peer_class * RG_ACTION_MAX + step->done;
}

static void check_counts(const char *name, const struct step *step, const struct run_counts *before,
			 const struct run_counts *after)
{
	for (uint32_t i = 0; i < RG_STAT_MAX; i++) {
		uint64_t packets = after->at[i].packets - before->at[i].packets;
		uint64_t attempts = after->at[i].attempts - before->at[i].attempts;
		bool decided = step->peer_class && i == stat_of(step);
		uint64_t want = decided;

		if (i >= RG_STAT_LOSSES && i < RG_STAT_STEERED) {
			want = step->losses >> (i - RG_STAT_LOSSES) & 1;
			losses_seen |= packets ? 1ULL << (i - RG_STAT_LOSSES) : 0;
		}
		if (packets != want || attempts != (decided ? step->attempts : 0))
			fail_msg("%s: stat %u: %d packets, %d attempts", name, i, (int)packets,
				 (int)attempts);
	}
}

static void expected_event(const struct step *step, const struct packet *sent, uint64_t time,
			   enum rg_mode mode, struct rg_event_syn *event)
{
	const struct packet_spec *spec = &step->packet;
	const char *from = spec->from ? spec->from : "192.0.2.1";
	const char *to = strchr(from, ':') ? "2001:db8:25::25" : "198.51.100.25";
	const uint8_t *tcp = sent->data + sent->l4;
	bool by_zone = step->peer_class == RG_CLASS_STANDARD || step->peer_class == RG_CLASS_QIL;

	memset(event, 0, sizeof(*event));
	event->head = (struct rg_event_head){
		.time = time,
		.source = packet_addr(from),
		.dest = packet_addr(spec->to ? spec->to : to),
		.kind = step->sent == SENT_REFUSAL ? RG_EVENT_REFUSED : RG_EVENT_SYN,
		.peer_class = step->sent == SENT_REFUSAL ? step->peer_class : RG_CLASS_UNKNOWN,
		.action = step->sent == SENT_REFUSAL ? step->done : RG_ACTION_NONE,
		.zone = by_zone ? ZONE : RG_NO_ZONE,
		.ifindex = RUN_INTERFACE,
		.source_port = (uint16_t)(tcp[0] << 8 | tcp[1]),
		.dest_port = (uint16_t)(tcp[2] << 8 | tcp[3]),
		.is_retry = step->is_retry,
		.mode = mode,
	};
	if (step->sent == SENT_REFUSAL)
		return;
	event->seq = (uint32_t)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
	if (step->sent == SENT_SYN) {
		struct packet_spec right = *spec;
		static struct packet held;

		/* Monitor mode keeps it as it is: the frame itself passes. */
		if (mode != RG_MODE_MONITOR)
			right.sums = SUMS_RIGHT;
		packet_build(&right, &held);
		event->frame_len = (uint32_t)held.len;
		memcpy(event->frame, held.data, held.len);
	}
}

static void check_events(const char *name, const struct step *step, const struct packet *sent,
			 struct run *run, uint64_t before)
{
	static struct run_events events;
	struct rg_event_syn want;
	size_t size = step->sent == SENT_REFUSAL ? sizeof(want.head) : sizeof(want);

	assert_int_equal(run_events(run, &events), 0);
	if (events.count != (step->sent != SENT_NOTHING))
		fail_msg("%s: %u events", name, events.count);
	if (!events.count)
		return;
	assert_int_equal(events.at[0].size, size);
	assert_in_range(events.at[0].event.head.time, before, run_now());
	expected_event(step, sent, events.at[0].event.head.time,
		       step->program == RUN_MONITOR ? RG_MODE_MONITOR : run_settings(run)->mode,
		       &want);
	if (memcmp(&events.at[0].event, &want, size))
		assert_memory_equal(&events.at[0].event, &want, size);
}

/* packet_build() makes each checksum from scratch. */
static void check_output(const char *name, const struct step *step, const struct packet *sent,
			 const struct packet *out)
{
	struct packet_spec spec = step->action == XDP_TX ? step->answer : step->packet;
	static struct packet want;

	if (step->finished)
		spec.sums = SUMS_RIGHT;
	else if (step->action != XDP_TX && !step->tos) {
		if (out->len != sent->len || memcmp(out->data, sent->data, out->len))
			fail_msg("%s: the frame was changed", name);
		return;
	}
	if (step->tos)
		spec.tos = step->tos;
	packet_build(&spec, &want);
	if (out->len != want.len)
		fail_msg("%s: %zu bytes, not %zu", name, out->len, want.len);
	assert_memory_equal(out->data, want.data, want.len);
	if (!spec.extensions[0].type)
		assert_true(packet_checksums_hold(out->data, out->len));
}

static void check_mark(const char *name, const struct step *step, struct run *run)
{
	const char *from = step->packet.from ? step->packet.from : "192.0.2.1";
	struct rg_addr key = packet_addr(from);
	enum mark mark = MARK_NONE;
	struct rg_peer peer;

	if (step->mark == MARK_ANY)
		return;
	if (!bpf_map_lookup_elem(run_maps(run).peers, &key, &peer))
		mark = peer.state == RG_PEER_CLEAN ? MARK_CLEAN : MARK_PENDING;
	if (mark != step->mark)
		fail_msg("%s: mark %d, not %d", name, mark, step->mark);
	if (mark == MARK_PENDING)
		assert_true(peer.expiry > run_now());
}

static void take_step(struct run *run, const struct row *row, const struct step *step,
		      enum run_program program)
{
	static struct packet sent, out;
	struct run_counts before, after;
	uint64_t start = run_now();
	char name[120];
	int action;

	snprintf(name, sizeof(name), "%s, step %d, program %d, %zd bytes in the first buffer",
		 row->name, (int)(step - row->steps) + 1, program, (ssize_t)split);
	packet_build(&step->packet, &sent);
	memcpy(&out, &sent, sizeof(out));
	assert_int_equal(run_counts(run, &before), 0);
	action = run_packet(run, program, &out);
	assert_int_equal(run_counts(run, &after), 0);
	if (action != step->action)
		fail_msg("%s: action %d, not %d", name, action, step->action);
	check_counts(name, step, &before, &after);
	check_output(name, step, &sent, &out);
	check_mark(name, step, run);
	/* The events of a full ring are those that fill it. */
	if (row->variant != FULL_RING)
		check_events(name, step, &sent, run, start);
}

static void take_steps(struct run *run, const struct row *row, enum run_program program)
{
	prepare(row->variant, &row->tuning, row->entries);
	assert_int_equal(net_forward(row->routed), 0);
	for (int i = 0; i < ROW_STEPS && row->steps[i].action; i++) {
		const struct step *step = &row->steps[i];

		if (step->later)
			run_age_attempts(run, step->later);
		take_step(run, row, step, step->program ? step->program : program);
	}
}

/* Bytes of the row's longest frame, but no more than MOST_SPLITS. */
static size_t splits_of(const struct row *row)
{
	static struct packet packet;
	size_t most = 0;

	for (int i = 0; i < ROW_STEPS && row->steps[i].action; i++) {
		packet_build(&row->steps[i].packet, &packet);
		most = packet.len > most ? packet.len : most;
	}
	return most < MOST_SPLITS ? most : MOST_SPLITS;
}

/* The kernel of a test run that has no short first buffers says so by an error. */
static bool can_split(struct run *run)
{
	static struct packet packet;
	int action;

	packet_build(&(struct packet_spec){ .flags = FLAG_ACK }, &packet);
	run_split(run, 0);
	action = run_packet(run, RUN_FILTER_FRAGS, &packet);
	run_split(run, SIZE_MAX);
	return action == XDP_PASS;
}

/* The same results, wherever the first of several buffers ends. */
static void test_splits(struct run *run, const struct row *row)
{
	size_t count = splits_of(row);

	/* A kernel that can't hold gets no such frames, and a full ring takes long. */
	if (row->variant == NO_HOLD || row->variant == FULL_RING || !can_split(run))
		return;
	for (size_t linear = 0; linear < count; linear++) {
		run_split(run, linear);
		split = linear;
		take_steps(run, row, linear % 2 && !row->frags_only ? RUN_FILTER : RUN_FILTER_FRAGS);
		run_split(run, SIZE_MAX);
		split = SIZE_MAX;
	}
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct run *run = run_of(row->variant);

	if (!row->frags_only)
		take_steps(run, row, RUN_FILTER);
	take_steps(run, row, RUN_FILTER_FRAGS);
	test_splits(run, row);
}

/* ---- what does not fit a row ---- */

int send_spec(struct run *run, const struct packet_spec *spec)
{
	static struct packet packet;

	packet_build(spec, &packet);
	return run_packet(run, RUN_FILTER, &packet);
}

uint64_t count_of(struct run *run, uint32_t stat)
{
	struct run_counts counts;

	assert_int_equal(run_counts(run, &counts), 0);
	return counts.at[stat].packets;
}

uint64_t loss_count(struct run *run, enum rg_loss loss)
{
	uint64_t count = count_of(run, RG_STAT_LOSSES + loss);

	note_losses(count ? 1ULL << loss : 0);
	return count;
}

void note_losses(uint64_t losses)
{
	losses_seen |= losses;
}

uint64_t count_done(struct run *run, enum rg_class peer_class, enum rg_action action)
{
	return count_of(run, peer_class * RG_ACTION_MAX + action);
}

void sleep_ns(uint64_t ns)
{
	struct timespec rest = { .tv_sec = (time_t)(ns / RG_NSEC_PER_SEC),
				 .tv_nsec = (long)(ns % RG_NSEC_PER_SEC) };

	while (nanosleep(&rest, &rest) && errno == EINTR)
		;
}

/* Until the second after that of time has begun, for the programs too. */
void wait_for_the_next_second(uint64_t time)
{
	uint64_t end = (time / RG_NSEC_PER_SEC + 1) * RG_NSEC_PER_SEC + RUN_TICK;

	for (uint64_t now = run_now(); now < end; now = run_now())
		sleep_ns(end - now);
}

uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* ---- two CPUs ---- */

struct racer {
	pthread_t thread;
	pthread_barrier_t *barrier;
	const struct run *run;
	const struct packet *packets;
	unsigned int count;
	int cpu;
};

static void *run_race(void *arg)
{
	struct racer *racer = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(racer->cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		return "no affinity";
	for (unsigned int i = 0; i < racer->count; i++) {
		pthread_barrier_wait(racer->barrier);
		if (run_blind(racer->run, RUN_FILTER, &racer->packets[i], 1))
			return "no run";
	}
	return NULL;
}

void race(const struct run *run, const struct packet *packets, unsigned int count)
{
	struct racer racers[2] = { { .cpu = 0 }, { .cpu = 1 } };
	pthread_barrier_t barrier;
	void *error;

	assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
	for (int i = 0; i < 2; i++) {
		racers[i].barrier = &barrier;
		racers[i].run = run;
		racers[i].packets = packets;
		racers[i].count = count;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, run_race, &racers[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(racers[i].thread, &error), 0);
		assert_null(error);
	}
	pthread_barrier_destroy(&barrier);
}

/* ---- main() ---- */

/* The last test: every counter of a loss that this program is to bring about was met. */
static void test_losses_seen(void **state)
{
	static const char *const names[] = {
#define NAME(NAME, name, help) #name,
		RG_LOSSES(NAME)
#undef NAME
	};
	const uint64_t *losses = *state;

	for (int loss = 0; loss < RG_LOSS_MAX; loss++)
		if (*losses >> loss & 1 && !(losses_seen >> loss & 1))
			fail_msg("never counted: %s", names[loss]);
}

/* 0 or the exit code. */
static int set_up(void)
{
	static const char *const addresses[] = {
		[RG_RESPONDER_TEMPFAIL4] = "127.0.0.1",
		[RG_RESPONDER_TEMPFAIL6] = "::1",
		[RG_RESPONDER_REJECT4] = "127.0.0.1",
		[RG_RESPONDER_REJECT6] = "::1",
	};
	int err = net_isolate();

	if (!err)
		err = run_open(&runs[USUAL], &variants[USUAL]);
	for (int i = 0; !err && i < RG_RESPONDER_SOCKETS; i++) {
		sockets[i] = net_listen(addresses[i], 0);
		err = sockets[i] < 0 ? sockets[i] : 0;
	}
	/* Not -EACCES: that is the verifier's refusal. */
	if (err == -EPERM) {
		printf("skipped: no permission for a network namespace or BPF programs\n");
		return SKIPPED;
	}
	if (err) {
		fprintf(stderr, "can't set up: %s (V=1 shows why)\n", strerror(-err));
		return EXIT_FAILURE;
	}
	return 0;
}

int tests_main(const char *name, const struct row *rows, size_t row_count,
	       const struct CMUnitTest *others, size_t other_count, uint64_t losses)
{
	size_t count = 0;
	struct CMUnitTest *tests = calloc(row_count + other_count + 1, sizeof(*tests));
	int ret = tests ? set_up() : EXIT_FAILURE;

	for (size_t i = 0; tests && i < row_count; i++)
		tests[count++] = (struct CMUnitTest){ .name = rows[i].name,
						      .test_func = test_row,
						      .initial_state = (void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; tests && i < other_count; i++)
		tests[count++] = others[i];
	if (!ret) {
		tests[count++] = (struct CMUnitTest){ .name = "test_losses_seen",
						      .test_func = test_losses_seen,
						      .initial_state = &losses };
		ret = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
	}
	for (int i = 0; i < VARIANTS; i++)
		run_close(runs[i]);
	free(tests);
	return ret;
}
