/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate of action throttle: how many SYNs pass, of whom, and what many CPUs at one bucket do to
 * it. Where a test must know the time to the nanosecond it moves the bucket, not the clock.
 */
#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define MSEC (RG_NSEC_PER_SEC / 1000)
#define THROTTLED(a, l) VERDICT(a, l, QIL, THROTTLE, 60)
#define FROM(address)           \
	{                       \
		.from = address \
	}

/* clang-format off */
static const struct row rows[] = {
	{ "a burst, then nothing", .entries = { QIL(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { PORT(40001), NEW_PASSED(QIL) },
		     { PORT(40002), NEW_PASSED(QIL) }, { PORT(40003), NEW_OVER(QIL) },
		     { PORT(40004), NEW_OVER(QIL) }, { PORT(40004), OVER(QIL), .mark = MARK_NONE } } },
	{ "a retransmission takes a token too", .entries = { QIL(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { {}, PASSED(QIL) }, { {}, PASSED(QIL) },
		     { {}, OVER(QIL) } } },
	{ "a burst of one", .tuning = { .burst = 1 }, .entries = { QIL(THROTTLE), QIL_SIX(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { {}, OVER(QIL) }, { { SIX }, NEW_PASSED(QIL) },
		     { { SIX }, OVER(QIL) } } },
	{ "another class", .tuning = { .burst = 1 }, .entries = { STANDARD(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(STANDARD) }, { {}, OVER(STANDARD) } } },
	{ "samples are off", .tuning = { .burst = 1, .no_samples = true }, .entries = { QIL(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) },
		     { PORT(40001), OVER(QIL), .attempts = 1, .losses = LOSS(SAMPLE_LIMIT) } } },
	{ "a SYN of any shape", .tuning = { .burst = 4 }, .entries = { QIL(THROTTLE) },
	  .steps = { { { .vlans = 2, .ip_options = 40, .tcp_options = 40 }, NEW_PASSED(QIL) },
		     { { .data = 1000, .padding = 4 }, PASSED(QIL) }, { { .group_mac = true }, PASSED(QIL) },
		     { { .flags = FLAG_SYN | FLAG_PSH }, PASSED(QIL) }, { {}, OVER(QIL) } } },
	{ "what is no SYN takes no token", .tuning = { .burst = 1 }, .entries = { QIL(THROTTLE) },
	  .steps = { { { .flags = FLAG_ACK }, IGNORED }, { { .local_port = 443 }, IGNORED },
		     { { .fragment = V4_MORE }, BAD(FRAGMENT_SYN) }, { {}, NEW_PASSED(QIL) },
		     { {}, OVER(QIL) } } },

	/* Whose bucket. */
	{ "each address", .tuning = { .burst = 1 }, .entries = { THROTTLED("192.0.2.0", 24) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { FROM("192.0.2.0"), NEW_PASSED(QIL) },
		     { FROM("192.0.2.2"), NEW_PASSED(QIL) }, { {}, OVER(QIL) },
		     { FROM("192.0.2.0"), OVER(QIL) } } },
	{ "each /24", .tuning = { .burst = 1, .bucket_bits4 = 24 }, .entries = { THROTTLED("192.0.0.0", 16) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { FROM("192.0.2.255"), NEW_OVER(QIL) },
		     { FROM("192.0.2.0"), NEW_OVER(QIL) }, { FROM("192.0.3.0"), NEW_PASSED(QIL) },
		     { FROM("192.0.1.255"), NEW_PASSED(QIL) }, { FROM("192.0.3.7"), NEW_OVER(QIL) } } },
	{ "each /31", .tuning = { .burst = 1, .bucket_bits4 = 31 }, .entries = { THROTTLED("192.0.0.0", 16) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { FROM("192.0.2.0"), NEW_OVER(QIL) },
		     { FROM("192.0.2.2"), NEW_PASSED(QIL) } } },
	{ "each /8", .tuning = { .burst = 1, .bucket_bits4 = 8 }, .entries = { THROTTLED("0.0.0.0", 0) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { FROM("192.255.255.255"), NEW_OVER(QIL) },
		     { FROM("193.0.2.1"), NEW_PASSED(QIL) } } },
	{ "IPv6's length has no effect on IPv4", .tuning = { .burst = 1, .bucket_bits6 = 16 },
	  .entries = { THROTTLED("192.0.2.0", 24) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { FROM("192.0.2.2"), NEW_PASSED(QIL) } } },
	{ "each IPv6 address", .tuning = { .burst = 1 }, .entries = { QIL_SIX(THROTTLE) },
	  .steps = { { { SIX }, NEW_PASSED(QIL) }, { FROM("2001:db8:1:2::98"), NEW_PASSED(QIL) },
		     { { SIX }, OVER(QIL) } } },
	{ "each /64", .tuning = { .burst = 1, .bucket_bits6 = 64 }, .entries = { THROTTLED("2001:db8::", 32) },
	  .steps = { { { SIX }, NEW_PASSED(QIL) },
		     { FROM("2001:db8:1:2:ffff:ffff:ffff:ffff"), NEW_OVER(QIL) },
		     { FROM("2001:db8:1:2::"), NEW_OVER(QIL) }, { FROM("2001:db8:1:3::"), NEW_PASSED(QIL) },
		     { FROM("2001:db8:1:1:ffff:ffff:ffff:ffff"), NEW_PASSED(QIL) } } },
	{ "each /48", .tuning = { .burst = 1, .bucket_bits6 = 48 }, .entries = { THROTTLED("2001:db8::", 32) },
	  .steps = { { { SIX }, NEW_PASSED(QIL) }, { FROM("2001:db8:1:ffff::"), NEW_OVER(QIL) },
		     { FROM("2001:db8:2::"), NEW_PASSED(QIL) }, { FROM("2001:db8::1"), NEW_PASSED(QIL) } } },
	{ "each /65", .tuning = { .burst = 1, .bucket_bits6 = 65 }, .entries = { THROTTLED("2001:db8::", 32) },
	  .steps = { { { SIX }, NEW_PASSED(QIL) }, { FROM("2001:db8:1:2:8000::"), NEW_PASSED(QIL) },
		     { FROM("2001:db8:1:2:7fff::"), NEW_OVER(QIL) } } },
	{ "one bucket, two verdicts", .tuning = { .burst = 1, .bucket_bits4 = 24 },
	  .entries = { QIL(THROTTLE), VERDICT("192.0.2.2", 32, STANDARD, THROTTLE, 60) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { FROM("192.0.2.2"), NEW_OVER(STANDARD) } } },

	/* The other stages and modes. */
	{ "release takes a token", .tuning = { .burst = 2 }, .entries = { QIL(THROTTLE) },
	  .steps = { { {}, RUN_RELEASE, NEW_PASSED(QIL) }, { PORT(40001), NEW_PASSED(QIL) },
		     { PORT(40002), RUN_RELEASE, NEW_OVER(QIL) } } },
	{ "an expired verdict throttles nobody", .entries = { VERDICT("192.0.2.1", 32, QIL, THROTTLE, -1) },
	  .steps = { { {}, HELD(UNKNOWN) } } },
	{ "the rate holds when the agent is silent", .tuning = { .burst = 1, .silent = true },
	  .entries = { QIL(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { PORT(40001), NEW_OVER(QIL) } } },
	{ "monitor", .tuning = { .burst = 2, .mode = RG_MODE_MONITOR }, .entries = { QIL(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) }, { {}, PASSED(QIL) },
		     { PORT(40001), MONITORED(QIL, THROTTLE) },
		     { PORT(40001), .action = XDP_PASS, DECIDED(QIL, THROTTLE), .monitored = true } } },
	{ "full ring", .variant = FULL_RING, .tuning = { .burst = 1 }, .entries = { QIL(THROTTLE) },
	  .steps = { { {}, NEW_PASSED(QIL) },
		     { PORT(40001), OVER(QIL), .attempts = 1, .losses = LOSS(RING_FULL_SAMPLE) } } },
	{ "no room for a bucket", .variant = ONE_BUCKET, .tuning = { .burst = 1 },
	  .entries = { THROTTLED("192.0.2.0", 24) },
	  .steps = { { {}, NEW_PASSED(QIL) },
		     { FROM("192.0.2.2"), NEW_PASSED(QIL), .losses = LOSS(BUCKET_FAILED) },
		     { FROM("192.0.2.2"), PASSED(QIL), .losses = LOSS(BUCKET_FAILED) },
		     { {}, OVER(QIL) } } },
	{ "no room for a bucket, monitor", .variant = ONE_BUCKET,
	  .tuning = { .burst = 1, .mode = RG_MODE_MONITOR }, .entries = { THROTTLED("192.0.2.0", 24) },
	  .steps = { { {}, NEW_PASSED(QIL) },
		     { FROM("192.0.2.2"), NEW_PASSED(QIL), .losses = LOSS(BUCKET_FAILED) },
		     { {}, .action = XDP_PASS, DECIDED(QIL, THROTTLE), .monitored = true } } },
};
/* clang-format on */

/* ---- one bucket ---- */

static struct run *throttling_run(const struct tuning *tuning)
{
	const struct entry entry = THROTTLED("0.0.0.0", 0);
	struct run *run = fresh_run(tuning);

	put_entry(run, &entry);
	return run;
}

static uint64_t bucket_of(struct run *run, const char *from)
{
	struct rg_addr key = packet_addr(from);
	struct rg_bucket bucket = {};

	assert_int_equal(bpf_map_lookup_elem(run_maps(run).buckets, &key, &bucket), 0);
	return bucket.full_at;
}

static void put_bucket(struct run *run, const char *from, uint64_t full_at)
{
	struct rg_addr key = packet_addr(from);
	struct rg_bucket bucket = { .full_at = full_at };

	assert_int_equal(bpf_map_update_elem(run_maps(run).buckets, &key, &bucket, BPF_ANY), 0);
}

/* What the bucket says after each token, and that a SYN over the rate takes nothing. */
static void test_bucket_value(void **state)
{
	const struct tuning tuning = { .burst = 4, .token_time = HOUR, .no_samples = true };
	struct run *run = throttling_run(&tuning);
	uint64_t before = run_now(), first;

	(void)state;
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_PASS);
	first = bucket_of(run, "192.0.2.1");
	assert_in_range(first, before + HOUR, run_now() + HOUR);
	for (uint64_t taken = 2; taken <= 4; taken++) {
		assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_PASS);
		assert_true(bucket_of(run, "192.0.2.1") == first + (taken - 1) * HOUR);
	}
	for (int i = 0; i < 10; i++) {
		assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_DROP);
		assert_true(bucket_of(run, "192.0.2.1") == first + 3 * HOUR);
	}
	/* Unused for long it is full, and no fuller than it is deep. */
	put_bucket(run, "192.0.2.1", 1);
	before = run_now();
	assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_PASS);
	assert_in_range(bucket_of(run, "192.0.2.1"), before + HOUR, run_now() + HOUR);
}

/* A second before and a second after each moment at which a token comes. */
static void test_bucket_moments(void **state)
{
	enum { BURST = 6 };
	const struct tuning tuning = { .burst = BURST, .token_time = HOUR, .no_samples = true };
	struct run *run = throttling_run(&tuning);

	(void)state;
	for (int left = 0; left <= BURST; left++) {
		for (int late = 0; late <= 1; late++) {
			uint64_t full_at = run_now() + (uint64_t)(BURST - left) * HOUR;
			int passed = 0, want = late ? left : left - 1;

			/* Late: a little more than `left` tokens are there. */
			full_at = late ? full_at - RG_NSEC_PER_SEC : full_at + RG_NSEC_PER_SEC;
			put_bucket(run, "192.0.2.1", full_at);
			while (passed <= BURST && send_spec(run, &(struct packet_spec){}) == XDP_PASS)
				passed++;
			assert_int_equal(passed, want < 0 ? 0 : want);
		}
	}
}

/* Sends until a SYN is over the rate, and says when: within *start..*end. Returns how many were sent. */
static uint64_t send_until_over(struct run *run, uint64_t *start, uint64_t *end)
{
	uint64_t sent = 0;
	int action;

	do {
		*start = run_now();
		action = send_spec(run, &(struct packet_spec){});
		*end = run_now();
		assert_true(action == XDP_PASS || action == XDP_DROP);
		sent++;
	} while (action == XDP_PASS);
	return sent;
}

/*
 * The bucket was empty at time empty, has been asked for tokens since, and was empty again at a time
 * within start..end: what passed is what this time brought, to the token.
 */
static void check_passed(struct run *run, const struct tuning *tuning, uint64_t empty,
			 uint64_t start, uint64_t end)
{
	uint64_t passed = count_done(run, RG_CLASS_QIL, RG_ACTION_PASS);

	assert_in_range(passed, (start - empty) / tuning->token_time,
			(end - empty) / tuning->token_time);
	assert_true(bucket_of(run, "192.0.2.1") ==
		    empty + (tuning->burst + passed) * tuning->token_time);
}

/* The bucket is so deep that this process may be kept waiting for a second. */
static void test_rate(void **state)
{
	const struct tuning tuning = { .burst = 500, .token_time = 2 * MSEC, .no_samples = true };
	struct run *run = throttling_run(&tuning);
	uint64_t empty = run_now(), sent = 0, start, end;

	(void)state;
	put_bucket(run, "192.0.2.1", empty + 500 * 2 * MSEC);
	do {
		sent += send_until_over(run, &start, &end);
	} while (end < empty + 600 * MSEC);
	check_passed(run, &tuning, empty, start, end);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_THROTTLE) +
				 count_done(run, RG_CLASS_QIL, RG_ACTION_PASS),
			 sent);
	assert_int_equal(loss_count(run, RG_LOSS_BUCKET_BUSY), 0);
}

/* Real time fills a bucket, and one that was left alone for long gives its burst and no more. */
static void test_refill(void **state)
{
	const struct tuning tuning = { .burst = 5, .token_time = 200 * MSEC, .no_samples = true };
	struct run *run = throttling_run(&tuning);

	(void)state;
	for (int round = 0; round < 2; round++) {
		uint64_t start = run_now();
		int passed = 0;

		for (int i = 0; i < 20; i++)
			passed += send_spec(run, &(struct packet_spec){}) == XDP_PASS;
		if (run_now() - start < 200 * MSEC) /* else this machine is too slow to tell */
			assert_int_equal(passed, 5);
		sleep_ns(1100 * MSEC);
	}
}

/* After a rate of one an hour: a faster one holds at once, whatever the bucket has of the old one. */
static void check_rate_change(uint64_t old_time, uint32_t old_burst)
{
	const uint64_t token_time = 20 * MSEC;
	const struct tuning slow = { .burst = old_burst, .token_time = old_time, .no_samples = true };
	const struct tuning fast = { .burst = 3, .token_time = token_time, .no_samples = true };
	struct run *run = throttling_run(&slow);
	int passed = 0;

	for (uint32_t i = 0; i < old_burst; i++)
		assert_int_equal(send_spec(run, &(struct packet_spec){}), XDP_PASS);
	put_settings(run, &fast);
	(void)send_spec(run, &(struct packet_spec){}); /* this one may find it empty */
	for (int i = 0; i < 10; i++) {
		sleep_ns(token_time + token_time / 10);
		passed += send_spec(run, &(struct packet_spec){}) == XDP_PASS;
	}
	if (passed != 10)
		fail_msg("%d of 10 SYNs passed that came slower than the new rate", passed);
}

static void test_rate_made_faster(void **state)
{
	(void)state;
	check_rate_change(HOUR, 5);
}

static void test_burst_made_smaller(void **state)
{
	(void)state;
	check_rate_change(20 * MSEC, 3000);
}

/* ---- many buckets ---- */

static unsigned int count_buckets(struct run *run)
{
	int fd = run_maps(run).buckets;
	struct rg_addr key, next;
	unsigned int count = 0;
	int err = bpf_map_get_next_key(fd, NULL, &next);

	for (; !err; err = bpf_map_get_next_key(fd, &key, &next)) {
		key = next;
		count++;
	}
	return count;
}

/* Far more peers than buckets: the map stays as small as it is, and each new peer has its burst. */
static void test_bounded(void **state)
{
	const struct tuning tuning = { .burst = 1, .no_samples = true };
	const struct entry entry = THROTTLED("0.0.0.0", 0);
	struct run *run = run_of(FEW_BUCKETS);

	(void)state;
	prepare(FEW_BUCKETS, &tuning, NULL);
	put_entry(run, &entry);
	for (int i = 0; i < 5000; i++) {
		char from[32];
		struct packet_spec spec = { .from = from };

		snprintf(from, sizeof(from), "10.1.%d.%d", i >> 8, i & 255);
		assert_int_equal(send_spec(run, &spec), XDP_PASS);
		assert_int_equal(send_spec(run, &spec), XDP_DROP);
	}
	assert_in_range(count_buckets(run), 100, 512);
	assert_int_equal(loss_count(run, RG_LOSS_BUCKET_FAILED), 0);
}

/* A peer that goes on sending does not get rid of its bucket by having others send. */
static void test_busy_bucket_stays(void **state)
{
	const struct tuning tuning = { .burst = 1, .no_samples = true };
	const struct entry entry = THROTTLED("0.0.0.0", 0);
	struct run *run = run_of(FEW_BUCKETS);
	int passed = 0;

	(void)state;
	prepare(FEW_BUCKETS, &tuning, NULL);
	put_entry(run, &entry);
	for (int i = 0; i < 5000; i++) {
		char from[32];
		struct packet_spec spec = { .from = from };

		snprintf(from, sizeof(from), "10.1.%d.%d", i >> 8, i & 255);
		passed += send_spec(run, &(struct packet_spec){}) == XDP_PASS;
		assert_int_equal(send_spec(run, &spec), XDP_PASS);
	}
	assert_int_equal(passed, 1);
}

/* ---- many CPUs ---- */

#define RACE_ROUNDS 1500
#define SENDERS 4
#define BATCH 5000 /* SYNs in one go: so close together that they meet at the bucket */

/* Two CPUs meet a new peer, or an old one with a full bucket, at once: one token, one SYN. */
static void check_new_buckets(const char *net, bool known)
{
	static struct packet packets[RACE_ROUNDS];
	const struct tuning tuning = { .burst = 1, .no_samples = true };
	struct run *run = throttling_run(&tuning);

	for (int i = 0; i < RACE_ROUNDS; i++) {
		char from[32];
		struct packet_spec spec = { .from = from };

		snprintf(from, sizeof(from), "%s.%d.%d", net, i >> 8, i & 255);
		packet_build(&spec, &packets[i]);
		if (known)
			put_bucket(run, from, 1);
	}
	race(run, packets, RACE_ROUNDS);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_PASS), RACE_ROUNDS);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_THROTTLE), RACE_ROUNDS);
}

static void test_new_buckets(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	check_new_buckets("198.18", false);
	check_new_buckets("198.19", true);
}

struct sender {
	pthread_t thread;
	struct run *run;
	const struct packet *packet;
	uint64_t until; /* ns of CLOCK_BOOTTIME */
	uint64_t sent;
	int cpu;
};

static void *send_until(void *arg)
{
	struct sender *sender = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sender->cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		return "no affinity";
	do {
		if (run_blind(sender->run, RUN_FILTER, sender->packet, BATCH))
			return "no run";
		sender->sent += BATCH;
	} while (run_now() < sender->until);
	return NULL;
}

static uint64_t send_from_all(struct run *run, struct sender *senders, int count, uint64_t time)
{
	static struct packet packet;
	uint64_t sent = 0;
	void *error;

	packet_build(&(struct packet_spec){}, &packet);
	for (int i = 0; i < count; i++) {
		senders[i] = (struct sender){ .run = run,
					      .packet = &packet,
					      .until = run_now() + time,
					      .cpu = i % 2 };
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_until, &senders[i]),
				 0);
	}
	for (int i = 0; i < count; i++) {
		assert_int_equal(pthread_join(senders[i].thread, &error), 0);
		assert_null(error);
		sent += senders[i].sent;
	}
	return sent;
}

/* A bucket that does not fill meanwhile: every token is handed out once. */
static void test_shared_burst(void **state)
{
	enum { BURST = 200000 };
	const struct tuning tuning = { .burst = BURST, .no_samples = true };
	struct sender senders[SENDERS];

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	for (int count = 2; count <= 4; count += 2) {
		struct run *run = throttling_run(&tuning);
		uint64_t before = run_now(), first;
		uint64_t sent = send_from_all(run, senders, count, 300 * MSEC);

		while (sent < BURST + 100)
			sent += send_from_all(run, senders, count, 100 * MSEC);
		assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_PASS), BURST);
		assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_THROTTLE), sent - BURST);
		/* Each took one token_time of the one word; what is left over is when it began. */
		first = bucket_of(run, "192.0.2.1") - BURST * HOUR;
		assert_in_range(first, before, run_now());
	}
}

/* A bucket that fills: from four threads at once no more passes, and no less. */
static void test_shared_rate(void **state)
{
	const struct tuning tuning = { .burst = 8000, .token_time = MSEC / 4, .no_samples = true };
	struct run *run = throttling_run(&tuning);
	uint64_t empty = run_now(), sent, start, end;
	struct sender senders[SENDERS];

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	put_bucket(run, "192.0.2.1", empty + 8000 * MSEC / 4);
	sent = send_from_all(run, senders, SENDERS, RG_NSEC_PER_SEC);
	sent += send_until_over(run, &start, &end);
	check_passed(run, &tuning, empty, start, end);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_THROTTLE) +
				 count_done(run, RG_CLASS_QIL, RG_ACTION_PASS),
			 sent);
	/* What found the bucket busy, if anything did, was dropped. */
	assert_true(loss_count(run, RG_LOSS_BUCKET_BUSY) <=
		    count_done(run, RG_CLASS_QIL, RG_ACTION_THROTTLE));
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(test_bucket_value),
	cmocka_unit_test(test_bucket_moments),
	cmocka_unit_test(test_rate),
	cmocka_unit_test(test_refill),
	cmocka_unit_test(test_rate_made_faster),
	cmocka_unit_test(test_burst_made_smaller),
	cmocka_unit_test(test_bounded),
	cmocka_unit_test(test_busy_bucket_stays),
	cmocka_unit_test(test_new_buckets),
	cmocka_unit_test(test_shared_burst),
	cmocka_unit_test(test_shared_rate),
};

int main(void)
{
	use_programs(RUN_FILTERS | RUN_BIT(RUN_RELEASE), RUN_FILTERS);
	return tests_main("throttle", rows, COUNT(rows), others, COUNT(others), THROTTLE_LOSSES);
}
