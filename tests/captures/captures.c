/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeds captures to the XDP programs and compares what they do with other opinions.
 *
 *   captures FILE...
 *
 * The rule of agreement. All peers are listed, with each action in turn.
 *
 * 1. What the kernel answers must have been stopped. A namespace that owns every address takes all frames
 *    and says with a SYN+ACK which of them it takes for a SYN to a filtered port. With the programs attached
 *    (native with several buffers, generic, tun) no frame may get a SYN+ACK. Alone, no frame that gets one
 *    may have passed, except a fragment that completes a SYN: then an earlier or later fragment was stopped.
 * 2. What is stopped must be a SYN to a filtered port, or a fragment that may be one or may become one, or
 *    must have more VLAN tags or extension headers than are read. tshark says which frames are that; without
 *    tshark the model alone says it.
 * 3. What tshark calls a SYN to a filtered port must have been stopped, unless it is malformed: the filter
 *    counted it as that, and the kernel did not answer.
 * 4. All else passes byte for byte: also in monitor mode, and from approved peers.
 * 5. The action, the bytes that go out and the held copy of a SYN are those that the model of the fuzzer
 *    (tests/fuzz/model.c) says, in every program, and wherever the first buffer of a frame ends.
 *
 * Each difference is printed with its file, frame number, opinions and bytes.
 */
#include "capture.h"
#include "kernel.h"
#include "tshark.h"

#include "../fuzz/model.h"
#include "../packet/rows.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_ether.h>
#include <unistd.h>

#define TAG_DSCP 9
#define FOREVER (1000000 * RG_NSEC_PER_SEC)
#define MOST_REPORTS 10 /* differences that one test prints */
#define OUT_MAX (CAPTURE_LONGEST + 64)

/* Filtered, and listened at: those of mail, and some that are in many captures. */
static const uint16_t ports[] = { 25, 465, 587, 80, 443, 21, 22, 23, 8080 };

/* What is known of all peers, and what is done with them. */
struct setup {
	const char *name;
	struct tuning tuning;
	struct entry entries[ROW_ENTRIES];
	bool writes; /* into frames, or copies them */
	bool passes_all; /* nothing is stopped but what can't be judged; in monitor mode nothing at all */
};

#define ALL_VERDICTS(c, a) \
	.entries = { VERDICT("0.0.0.0", 0, c, a, 100000), VERDICT("::", 0, c, a, 100000) }
#define ALL_LISTED .entries = { BLOCK("0.0.0.0", 0), BLOCK("::", 0) }
#define TUNING(...) .tuning = { .no_samples = true, .tag_dscp = TAG_DSCP, __VA_ARGS__ }

enum {
	SETUP_DROP,
	SETUP_RESET,
	SETUP_TAG,
	SETUP_REJECT,
	SETUP_TEMPFAIL,
	SETUP_HOLD,
	SETUP_APPROVED,
	SETUP_MONITOR,
	SETUP_MONITOR_HOLD,
	SETUPS
};

static const struct setup setups[SETUPS] = {
	[SETUP_DROP] = { "drop", TUNING(.blocked = RG_ACTION_DROP), ALL_LISTED },
	[SETUP_RESET] = { "reset", TUNING(.blocked = RG_ACTION_RESET), ALL_LISTED, .writes = true },
	[SETUP_TAG] = { "tag", TUNING(.blocked = RG_ACTION_TAG), ALL_LISTED, .writes = true },
	[SETUP_REJECT] = { "reject", TUNING(.blocked = RG_ACTION_REJECT), ALL_LISTED },
	[SETUP_TEMPFAIL] = { "tempfail", TUNING(.blocked = RG_ACTION_DROP),
			     ALL_VERDICTS(QIL, TEMPFAIL) },
	[SETUP_HOLD] = { "hold", TUNING(.unknown = RG_ACTION_HOLD), .writes = true },
	[SETUP_APPROVED] = { "approved", .tuning = { .no_samples = true },
			     .entries = { APPROVE("0.0.0.0", 0), APPROVE("::", 0) },
			     .passes_all = true },
	[SETUP_MONITOR] = { "monitor", TUNING(.mode = RG_MODE_MONITOR, .blocked = RG_ACTION_RESET),
			    ALL_LISTED, .passes_all = true },
	[SETUP_MONITOR_HOLD] = { "monitor and hold",
				 TUNING(.mode = RG_MODE_MONITOR, .unknown = RG_ACTION_HOLD),
				 .passes_all = true },
};

static struct {
	struct capture capture;
	struct run *run;
	const struct setup *setup;
	struct model model;
	bool *stopped; /* by frame: the setup "drop" stops it */
	bool *malformed; /* the model counts it as malformed there */
	bool *answered; /* the kernel, alone, answered with SYN+ACK at this frame */
	unsigned long runs, refused; /* by the test run: too short, or too long */
	unsigned int differences; /* of the test that runs */
	bool splits; /* the kernel makes frames of several buffers on request, Linux 6.18 */
} lab;

/* ---- reports ---- */

static void print_hex(const char *what, const uint8_t *bytes, size_t len)
{
	print_message("  %s (%zu bytes):", what, len);
	for (size_t i = 0; i < len && i < 256; i++)
		print_message("%s%02x", i % 32 ? "" : "\n    ", bytes[i]);
	print_message("%s\n", len > 256 ? "..." : "");
}

/* who, and what he says, against what the filter says. False: enough of them have been printed. */
static bool differ(const struct capture_frame *frame, const char *filter, const char *who,
		   const char *opinion)
{
	if (lab.differences++ >= MOST_REPORTS)
		return false;
	print_message("DIFFERENCE: %s, frame %u\n  the filter: %s\n  %s: %s\n", frame->file,
		      frame->number, filter, who, opinion);
	print_hex("frame, with its Ethernet header", frame->data, frame->len);
	return true;
}

static void end_test(const char *what)
{
	unsigned int count = lab.differences;

	lab.differences = 0;
	print_message("# %s: %zu frames, %u differences\n", what, lab.capture.count, count);
	assert_int_equal(count, 0);
}

/* ---- programs against the model ---- */

static const char *const actions[] = { "aborted", "drop", "pass", "tx", "redirect" };

static const char *action_name(int action)
{
	return action >= 0 && action < (int)COUNT(actions) ? actions[action] : "?";
}

static void prepare_setup(const struct setup *setup)
{
	struct rg_settings *settings;

	prepare(USUAL, &setup->tuning, setup->entries);
	lab.setup = setup;
	lab.run = run_of(USUAL);
	settings = run_settings(lab.run);
	settings->heartbeat_timeout = FOREVER;
	settings->port_count = COUNT(ports);
	memcpy(settings->ports, ports, sizeof(ports));

	lab.model.settings = *settings;
	lab.model.can_hold = true;
	lab.model.responders = (1U << RG_RESPONDER_SOCKETS) - 1;
	lab.model.ring_size = UINT32_MAX;
	for (int i = 0; i < 2; i++) /* routes to nobody: this host does not forward */
		lab.model.routes[i] = (struct model_route){ .addr = 1 };
	model_reset(&lab.model, run_now());
	for (const struct entry *entry = setup->entries; entry->map; entry++) {
		struct rg_prefix key = prefix_of(entry->addr, entry->len);
		struct model_prefix *prefix =
			model_add(entry->map == LISTS ? &lab.model.lists : &lab.model.verdicts,
				  model_read_addr(key.addr.bytes), key.len);

		assert_non_null(prefix);
		prefix->peer_class = entry->peer_class;
		prefix->action = entry->action;
		prefix->expiry = expiry_in(entry->left);
	}
}

/* Each frame meets the programs as if it were the first. */
static void forget(const struct model_result *want)
{
	struct rg_addr key = model_write_addr(want->peer);

	if (want->has_peer && !lab.setup->entries[0].map)
		(void)bpf_map_delete_elem(run_maps(lab.run).peers, &key);
	lab.model.generation++;
	lab.model.peer_count = lab.model.bucket_count = 0;
	lab.model.ring_used = 0;
	model_forget_attempts(&lab.model);
}

static void build_wanted(const uint8_t *frame, const struct model_result *want, uint8_t *ret)
{
	memcpy(ret, frame, want->len);
	if (want->swaps_macs) {
		memcpy(ret, frame + 6, 6);
		memcpy(ret + 6, frame, 6);
	}
	memcpy(ret + want->patch_at, want->patch, want->patch_len);
	if (want->sum_at) {
		ret[want->sum_at] = (uint8_t)(want->sum >> 8);
		ret[want->sum_at + 1] = (uint8_t)want->sum;
	}
}

/* The event with the held SYN, but for its time. */
static bool same_event(const struct model_result *want)
{
	const size_t time = sizeof(want->event.head.time);
	static struct run_events events;

	assert_int_equal(run_events(lab.run, &events), 0);
	if (!want->event_size)
		return events.count == 0;
	return events.count == 1 && events.at[0].size == want->event_size &&
	       !memcmp((const uint8_t *)&events.at[0].event + time,
		       (const uint8_t *)&want->event + time, want->event_size - time);
}

struct program {
	const char *name;
	enum run_program run;
	enum model_program model;
	bool frags;
};

static const struct program programs[] = {
	{ "filter", RUN_FILTER, MODEL_FILTER, false },
	{ "filter_frags", RUN_FILTER_FRAGS, MODEL_FILTER_FRAGS, true },
	{ "filter_ip", RUN_FILTER_IP, MODEL_IP + MODEL_FILTER, false },
	{ "filter_ip_frags", RUN_FILTER_IP_FRAGS, MODEL_IP + MODEL_FILTER_FRAGS, true },
};

static bool is_ip_program(const struct program *program)
{
	return program->model >= MODEL_IP;
}

static void report(const struct capture_frame *frame, const struct program *program, size_t linear,
		   int action, const uint8_t *out, size_t out_len, const struct model_result *want,
		   const uint8_t *wanted)
{
	char filter[128], opinion[64];

	snprintf(filter, sizeof(filter), "%s: %s; %s, %zu bytes in the first buffer",
		 lab.setup->name, action_name(action), program->name, linear);
	snprintf(opinion, sizeof(opinion), "%s, %zu bytes go out, event of %zu bytes",
		 action_name(want->action), want->len, want->event_size);
	if (!differ(frame, filter, "the model", opinion))
		return;
	print_hex("what came out", out, out_len);
	print_hex("the model's", wanted, want->len);
}

static uint64_t count_malformed(void)
{
	static const enum rg_loss losses[] = { RG_LOSS_BAD_IPV4, RG_LOSS_BAD_IPV6, RG_LOSS_BAD_TCP,
					       RG_LOSS_BAD_LENGTH };
	uint64_t sum = 0;

	for (size_t i = 0; i < COUNT(losses); i++)
		sum += lab.model.counts[RG_STAT_LOSSES + losses[i]].packets;
	return sum;
}

/* What frames are to the other opinions: as the setup "drop" treats them. */
static void note_opinion(const struct capture_frame *frame, int action, bool malformed)
{
	size_t number = (size_t)(frame - lab.capture.frames);

	lab.stopped[number] = action == XDP_DROP;
	lab.malformed[number] = malformed;
}

/* Runs a program over bytes of which the first buffer has linear. Returns the action or a negative error. */
static int run_program(const struct program *program, const uint8_t *data, size_t len,
		       size_t linear, uint8_t out[OUT_MAX], size_t *out_len)
{
	struct xdp_md context = { .data_end = (uint32_t)linear };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = (uint32_t)len,
		    .data_out = out, .data_size_out = OUT_MAX, .repeat = 1);
	int err;

	if (linear < len) {
		opts.ctx_in = &context;
		opts.ctx_size_in = sizeof(context);
	}
	err = bpf_prog_test_run_opts(run_program_fd(lab.run, program->run), &opts);
	*out_len = opts.data_size_out;
	return err ? err : (int)opts.retval;
}

/* 0, or -EINVAL: the test run takes no such frame. linear: bytes in the first buffer. */
static int try_split(const struct capture_frame *frame, const struct program *program, size_t linear)
{
	size_t front = is_ip_program(program) ? CAPTURE_ETHERNET : 0, len = frame->len - front,
	       out_len;
	static uint8_t out[OUT_MAX], wanted[OUT_MAX];
	const uint8_t *data = frame->data + front;
	int action = run_program(program, data, len, linear, out, &out_len);
	uint64_t malformed = count_malformed();
	struct model_result want;

	if (action < 0)
		return action;
	lab.runs++;
	model_run(&lab.model, program->model, data, len, len, &want);
	build_wanted(data, &want, wanted);
	if (action != want.action || out_len != want.len || memcmp(out, wanted, want.len) != 0 ||
	    !same_event(&want))
		report(frame, program, linear, action, out, out_len, &want, wanted);
	if (lab.setup->passes_all && action == XDP_PASS &&
	    (out_len != len || memcmp(out, data, len) != 0))
		differ(frame, lab.setup->name, "rule 4", "it passes byte for byte");
	if (lab.setup == &setups[SETUP_DROP] && !is_ip_program(program))
		note_opinion(frame, action, count_malformed() > malformed);
	forget(&want);
	return 0;
}

/* Where the first buffer ends: nowhere, within each header, at its borders, in the data. */
static const size_t splits[] = { 0, 6, 13, 14, 18, 20, 33, 34, 41, 53, 54, 60, 74, 94, 120 };

/*
 * Some of the splits, other ones for the next frame and the next setup: of the setups that write into frames
 * or copy them every fifth, of the others one.
 */
static void try_splits(const struct capture_frame *frame, const struct program *program, size_t number)
{
	size_t len = frame->len - (is_ip_program(program) ? CAPTURE_ETHERNET : 0);
	size_t step = lab.setup->writes ? 5 : COUNT(splits);
	size_t first = (number + (size_t)(lab.setup - setups)) % step;

	for (size_t i = first; lab.splits && i < COUNT(splits) && splits[i] < len; i += step)
		if (try_split(frame, program, splits[i]))
			lab.refused++;
}

static void try_program(size_t number, const struct program *program)
{
	const struct capture_frame *frame = &lab.capture.frames[number];

	if (is_ip_program(program) && !frame->has_ip)
		return;
	if (program->frags)
		try_splits(frame, program, number);
	if (program->frags && lab.splits && !lab.setup->writes) /* a split is enough */
		return;
	if (try_split(frame, program, SIZE_MAX))
		lab.refused++;
}

/* Linux before 6.18 takes no shorter first buffer. */
static bool can_split(void)
{
	uint8_t frame[64] = { 0 };
	struct xdp_md context = { .data_end = 20 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	return !bpf_prog_test_run_opts(run_program_fd(lab.run, RUN_FILTER_FRAGS), &opts);
}

/* What the programs and the model counted in all; attempts depend on the time. */
static void compare_counts(void)
{
	struct run_counts counts;

	assert_int_equal(run_counts(lab.run, &counts), 0);
	for (int i = 0; i < RG_STAT_STEERED; i++) {
		if (i == RG_STAT_LOSSES + RG_LOSS_SAMPLE_LIMIT)
			continue;
		if (counts.at[i].packets == lab.model.counts[i].packets)
			continue;
		lab.differences++;
		print_message("DIFFERENCE: counter %d: %llu packets, the model: %llu\n", i,
			      (unsigned long long)counts.at[i].packets,
			      (unsigned long long)lab.model.counts[i].packets);
	}
}

static void test_setup(void **state)
{
	const struct setup *setup = *state;

	prepare_setup(setup);
	lab.splits = can_split();
	assert_int_equal(run_reset(lab.run), 0); /* what can_split() counted */
	prepare_setup(setup);
	for (size_t i = 0; i < lab.capture.count; i++)
		for (size_t j = 0; j < COUNT(programs); j++)
			try_program(i, &programs[j]);
	compare_counts();
	end_test(setup->name);
}

/* ---- the kernel ---- */

/* Asks the kernel about each frame; answered: by frame. Returns how many it answered. */
static size_t ask_kernel(struct kernel *kernel, bool *answered)
{
	size_t count = 0;

	for (size_t i = 0; i < lab.capture.count; i++) {
		const struct capture_frame *frame = &lab.capture.frames[i];
		int ret = kernel_ask(kernel, frame);

		answered[i] = ret == 1;
		count += answered[i];
		if (ret < 0 && ret != -EMSGSIZE)
			fail_msg("%s, frame %u: no answer to the mark: %s", frame->file,
				 frame->number, strerror(-ret));
	}
	return count;
}

static struct kernel *open_kernel(enum kernel_device device)
{
	struct kernel *kernel;
	int err = kernel_open(&kernel, device, ports, COUNT(ports));

	if (err == -ENOENT) {
		print_message("# skipped: no /dev/net/tun\n");
		skip();
	}
	if (err)
		fail_msg("no network namespace: %s", strerror(-err));
	return kernel;
}

/* A later fragment completes a SYN, of which another fragment was stopped. */
static bool is_fragment(const struct capture_frame *frame)
{
	size_t at = 12;
	unsigned int type;

	do {
		if (at + 22 > frame->len)
			return false;
		type = (unsigned int)frame->data[at] << 8 | frame->data[at + 1];
		at += type == ETH_P_8021Q || type == ETH_P_8021AD ? 4 : 2;
	} while (type == ETH_P_8021Q || type == ETH_P_8021AD);
	if (type == ETH_P_IP)
		return frame->data[at + 6] & 0x3f || frame->data[at + 7];
	/* Any chain with a fragment header: here a guess is enough, as rule 1 is tested live, too. */
	for (size_t i = at + 40; type == ETH_P_IPV6 && i + 8 <= frame->len && i < at + 120; i += 8)
		if (frame->data[at + 6] == 44 || frame->data[i] == 44)
			return true;
	return false;
}

static void test_kernel_alone(void **state)
{
	struct kernel *kernel = open_kernel(KERNEL_VETH);
	size_t count = ask_kernel(kernel, lab.answered);

	(void)state;
	kernel_close(kernel);
	for (size_t i = 0; i < lab.capture.count; i++)
		if (lab.answered[i] && !lab.stopped[i] && !is_fragment(&lab.capture.frames[i]))
			differ(&lab.capture.frames[i], "drop: pass", "the kernel",
			       "a SYN to a filtered port: SYN+ACK");
	print_message("# the kernel answers %zu frames\n", count);
	end_test("the kernel alone");
}

/* A program that is attached to a device, with a setup. */
struct live {
	const char *name;
	enum kernel_device device;
	enum run_program program;
	uint32_t flags;
	int setup;
};

static const struct live lives[] = {
	{ "native, several buffers", KERNEL_VETH, RUN_FILTER_FRAGS, XDP_FLAGS_DRV_MODE, SETUP_DROP },
	{ "generic", KERNEL_VETH, RUN_FILTER, XDP_FLAGS_SKB_MODE, SETUP_DROP },
	{ "generic on tun", KERNEL_TUN, RUN_FILTER_IP, XDP_FLAGS_SKB_MODE, SETUP_DROP },
	{ "native, monitor mode", KERNEL_VETH, RUN_FILTER_FRAGS, XDP_FLAGS_DRV_MODE, SETUP_MONITOR },
	{ "generic, monitor mode", KERNEL_VETH, RUN_FILTER, XDP_FLAGS_SKB_MODE, SETUP_MONITOR },
};

static void test_live(void **state)
{
	const struct live *live = *state;
	bool *answered = calloc(lab.capture.count + 1, sizeof(*answered));
	struct kernel *kernel;
	int err;

	assert_non_null(answered);
	prepare_setup(&setups[live->setup]);
	kernel = open_kernel(live->device);
	err = kernel_attach(kernel, run_program_fd(lab.run, live->program), live->flags);
	if (err)
		fail_msg("%s: can't attach: %s", live->name, strerror(-err));
	ask_kernel(kernel, answered);
	kernel_close(kernel);
	for (size_t i = 0; i < lab.capture.count; i++) {
		if (live->setup == SETUP_DROP && answered[i])
			differ(&lab.capture.frames[i], live->name, "the kernel behind it",
			       "a SYN to a filtered port: SYN+ACK");
		if (live->setup == SETUP_MONITOR && answered[i] != lab.answered[i])
			differ(&lab.capture.frames[i], live->name, "the kernel behind it",
			       answered[i] ? "SYN+ACK, none without the filter" :
					     "no SYN+ACK, one without the filter");
	}
	free(answered);
	end_test(live->name);
}

/* ---- tshark ---- */

static bool is_port(long port)
{
	for (size_t i = 0; i < COUNT(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* More tags or extension headers than the filter judges: tshark has no word for it. */
static bool is_deep(const struct capture_frame *frame)
{
	unsigned int tags = 0;
	size_t at = 12;

	for (; at + 2 <= frame->len && tags <= RG_MAX_VLAN_TAGS; at += 4, tags++)
		if ((frame->data[at] != 0x81 || frame->data[at + 1]) &&
		    (frame->data[at] != 0x88 || frame->data[at + 1] != 0xa8))
			break;
	if (tags > RG_MAX_VLAN_TAGS)
		return true;
	return at + 9 < frame->len && frame->data[at] == 0x86 && frame->data[at + 1] == 0xdd &&
	       frame->len > at + 2 + 40 + 8 * RG_MAX_EXT_HEADERS;
}

static void compare_view(size_t number, const struct tshark_view *view)
{
	const struct capture_frame *frame = &lab.capture.frames[number];
	bool stopped = lab.stopped[number];
	char opinion[64];

	snprintf(opinion, sizeof(opinion), "%s, port %ld",
		 (const char *const[]){ "no SYN", "SYN", "first fragment", "later fragment",
					"a header that ends it" }[view->kind],
		 view->port);
	if (view->kind == TSHARK_SYN && is_port(view->port)) {
		if (!stopped && !(lab.malformed[number] && !lab.answered[number]))
			differ(frame, "drop: pass", "tshark", opinion);
		return;
	}
	if (!stopped || view->kind == TSHARK_LATER_FRAGMENT || view->kind == TSHARK_ENDS ||
	    is_deep(frame))
		return;
	if (view->kind == TSHARK_FIRST_FRAGMENT && (view->port < 0 || is_port(view->port)))
		return;
	differ(frame, "drop: stopped", "tshark", opinion);
}

static void test_tshark(void **state)
{
	char path[] = "/tmp/captures.XXXXXX";
	struct tshark_view *views = NULL;
	int fd = mkstemp(path), err;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	err = tshark_read(&views, &lab.capture, path);
	unlink(path);
	if (err == -ENOENT) {
		print_message("# skipped: no tshark\n");
		skip();
	}
	if (err)
		fail_msg("tshark: %s", strerror(-err));
	for (size_t i = 0; i < lab.capture.count; i++)
		compare_view(i, &views[i]);
	free(views);
	end_test("tshark");
}

/* ---- all of it ---- */

static int read_files(int count, char **paths)
{
	unsigned int others = 0;

	for (int i = 0; i < count; i++) {
		int err = capture_read(&lab.capture, paths[i]);

		others += err == -EINVAL;
		if (err && err != -EINVAL) {
			fprintf(stderr, "%s: %s\n", paths[i], strerror(-err));
			return err;
		}
	}
	lab.stopped = calloc(lab.capture.count + 1, 1);
	lab.malformed = calloc(lab.capture.count + 1, 1);
	lab.answered = calloc(lab.capture.count + 1, 1);
	printf("# %d files, %u of them no captures: %zu frames; left out: %zu of unknown links, %zu too short\n",
	       count, others, lab.capture.count, lab.capture.other_links, lab.capture.too_short);
	return lab.stopped && lab.malformed && lab.answered ? 0 : -ENOMEM;
}

static struct CMUnitTest test_of(const char *name, CMUnitTestFunction function, const void *state)
{
	return (struct CMUnitTest){ .name = name,
				    .test_func = function,
				    .initial_state = (void *)(uintptr_t)state };
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[COUNT(setups) + COUNT(lives) + 2];
	size_t count = 0;
	int ret;

	if (argc < 2) {
		fprintf(stderr, "usage: captures FILE...\n");
		return 2;
	}
	if (read_files(argc - 1, argv + 1))
		return EXIT_FAILURE;
	for (size_t i = 0; i < COUNT(setups); i++)
		tests[count++] = test_of(setups[i].name, test_setup, &setups[i]);
	tests[count++] = test_of("the kernel alone", test_kernel_alone, NULL);
	for (size_t i = 0; i < COUNT(lives); i++)
		tests[count++] = test_of(lives[i].name, test_live, &lives[i]);
	tests[count++] = test_of("tshark", test_tshark, NULL);
	use_programs(RUN_FILTERS | RUN_IP_FILTERS, RUN_FILTERS);
	ret = tests_main("captures", NULL, 0, tests, count, 0);
	printf("# %lu test runs; %lu more were refused as too short or too long\n", lab.runs,
	       lab.refused);
	capture_empty(&lab.capture);
	free(lab.stopped);
	free(lab.malformed);
	free(lab.answered);
	return ret;
}
