/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loader with a BPF file system and a network namespace of the test's own: maps are made, pinned,
 * taken over, copied or made anew; the filter is attached to lo and detached. No packet is sent.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "kernel/attach.h"
#include "kernel/dispatcher.h"
#include "kernel/held_frame.h"
#include "kernel/inner_maps.h"
#include "kernel/settings.h"
#include "kernel/stats.h"

#include "packet.h"

#include "maps/pin.h"
#include "maps/layout.h"

#define SKIPPED 77

static char root[64], pins[96];

static struct rg_conf make_conf(void)
{
	return (struct rg_conf){
		.interfaces = { (char *)"lo" },
		.interface_count = 1,
		.ports = { 25 },
		.port_count = 1,
		.mode = RG_MODE_ENFORCE,
		.unknown = RG_ACTION_HOLD,
		.blocked_action = RG_ACTION_DROP,
		.on_overload = RG_ACTION_PASS,
		.on_dns_failure = RG_ACTION_PASS,
		.xdp_mode = RG_XDP_GENERIC,
		.xdp_attach = RG_ATTACH_LINK,
		.max_verdicts = 1000,
		.max_peers = 1000,
		.max_list = 1000,
		.new_peers_per_second = 1000,
		.ipv6_prefix = 64,
		.heartbeat_timeout = 5000,
		.qil_throttle = { .token_time = 1, .burst = 1 },
		.pin_path = pins,
	};
}

/* The programs that a test uses, up to NULL. The verifier takes half a second for each. */
static const char *const no_programs[] = { NULL };
static const char *const attached_programs[] = { "filter_frags", "filter", "steer", NULL };
static const char *const *used_programs = no_programs;

static bool is_used(const struct bpf_program *program)
{
	for (const char *const *name = used_programs; *name; name++)
		if (!strcmp(*name, bpf_program__name(program)))
			return true;
	return false;
}

/* In the place of libbpf's, which the skeleton calls: loads only what the test uses. */
int bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton)
{
	int (*real)(struct bpf_object_skeleton *) =
		(int (*)(struct bpf_object_skeleton *))dlsym(RTLD_NEXT, "bpf_object__load_skeleton");
	struct bpf_program *program;

	bpf_object__for_each_program(program, *skeleton->obj)
		if (!is_used(program))
			bpf_program__set_autoload(program, false);
	return real(skeleton);
}

static struct rg_loader *open_loader(const struct rg_conf *conf)
{
	struct rg_loader *loader = NULL;
	struct rg_error error = {};

	if (rg_loader_new(&loader, conf, &error))
		fail_msg("%s", error.text);
	return loader;
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	used_programs = no_programs;
	snprintf(command, sizeof(command), "rm -rf %s", pins);
	return system(command);
}

static void set_settings(const struct rg_loader *loader, const struct rg_conf *conf)
{
	rg_settings_write(rg_loader_maps(loader)->settings, conf, false, rg_loader_can_hold(loader));
}

static void count_something(const struct rg_loader *loader)
{
	uint32_t key = 0;
	struct rg_count each[1024] = {};

	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		each[i].packets = i ? 0 : 5;
	assert_int_equal(bpf_map_update_elem(rg_loader_maps(loader)->stats, &key, each, BPF_ANY), 0);
}

static uint64_t counted(const struct rg_loader *loader)
{
	struct rg_stats stats;

	assert_int_equal(rg_stats_read(rg_loader_maps(loader)->stats, &stats), 0);
	return stats.counts[0].packets;
}

/* ---- maps ---- */

static void test_new_then_taken_over(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_loader(&conf), *second = NULL;
	struct rg_error error = {};
	uint64_t seed;

	(void)state;
	assert_false(rg_loader_took_over(loader));
	assert_null(rg_loader_old_maps(loader));
	assert_false(rg_loader_was_attached(loader));
	assert_int_equal(rg_loader_maps(loader)->details_count, 1000);
	seed = rg_loader_maps(loader)->settings->index_seed;
	assert_int_not_equal(seed, 0);
	set_settings(loader, &conf);
	count_something(loader);

	/* One agent at a time. */
	assert_int_equal(rg_loader_new(&second, &conf, &error), -EBUSY);
	assert_non_null(strstr(error.text, "another repgated"));
	rg_loader_free(loader);

	loader = open_loader(&conf);
	assert_true(rg_loader_took_over(loader));
	assert_int_equal(rg_loader_maps(loader)->settings->index_seed, seed);
	assert_int_equal(counted(loader), 5);
	rg_loader_free(loader);
	rg_loader_free(NULL);
}

/* Maps of another size: what they hold can be read, and the counters go on. */
static void test_other_size(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_loader(&conf);
	const struct rg_maps *old;

	(void)state;
	set_settings(loader, &conf);
	count_something(loader);
	rg_loader_free(loader);
	conf.max_verdicts = 2000;
	loader = open_loader(&conf);
	assert_false(rg_loader_took_over(loader));
	old = rg_loader_old_maps(loader);
	assert_non_null(old);
	assert_int_equal(old->details_count, 1000);
	assert_int_equal(rg_loader_maps(loader)->details_count, 2000);
	assert_int_equal(counted(loader), 5);
	rg_loader_free(loader);
}

/* Maps of another layout are made anew: they would be misread. */
static void test_other_layout(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_loader(&conf);

	(void)state;
	set_settings(loader, &conf);
	rg_loader_maps(loader)->settings->layout = RG_LAYOUT_VERSION - 1;
	rg_loader_free(loader);
	loader = open_loader(&conf);
	assert_false(rg_loader_took_over(loader));
	assert_null(rg_loader_old_maps(loader));
	rg_loader_free(loader);
}

static void test_refused(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_loader *loader = NULL;
	struct rg_error error = {};
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s-none/x", root);
	conf.pin_path = path;
	assert_true(rg_loader_new(&loader, &conf, &error) < 0);
	assert_non_null(strstr(error.text, "pin_path"));
	assert_null(loader);
	rmdir(path);
	snprintf(path, sizeof(path), "%s-none", root);
	rmdir(path);
}

/* ---- the maps inside maps ---- */

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

static void test_list_trie(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_loader(&conf);
	int fresh = rg_inner_maps_new_list(loader), pinned;
	uint32_t zero = 0;

	(void)state;
	assert_true(fresh >= 0);
	pinned = rg_inner_maps_current_list(loader);
	assert_true(pinned >= 0);
	assert_int_not_equal(map_id(pinned), map_id(fresh));
	close(pinned);
	assert_int_equal(rg_inner_maps_pin_list(loader, fresh), 0);
	pinned = rg_inner_maps_current_list(loader);
	assert_int_equal(map_id(pinned), map_id(fresh));
	close(pinned);
	/* It fits into `lists`. */
	assert_int_equal(bpf_map_update_elem(rg_loader_maps(loader)->lists, &zero, &fresh, BPF_ANY),
			 0);
	close(fresh);
	rg_loader_free(loader);
}

static void test_index_banks(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_loader(&conf);
	const struct rg_settings *settings = rg_loader_maps(loader)->settings;
	uint32_t banks[4];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(banks); i++) {
		int fd = rg_inner_maps_new_index(loader, 64);
		uint32_t force;

		assert_true(fd >= 0);
		banks[i] = rg_inner_maps_index_bank(loader, RG_INDEX_HOSTS);
		force = RG_INDEX_IN_FORCE(RG_INDEX_HOSTS, banks[i] & 1, 3);
		assert_int_equal(rg_inner_maps_set_index(loader, RG_INDEX_HOSTS, fd, force), 0);
		assert_int_equal(settings->index, force);
		close(fd);
		/* The next one goes to the other bank. */
		assert_int_equal(rg_inner_maps_index_bank(loader, RG_INDEX_HOSTS), banks[i] ^ 1);
	}
	assert_int_equal(rg_inner_maps_set_index(loader, RG_INDEX_HOSTS, -1, 0), 0);
	assert_int_equal(settings->index, 0);
	assert_int_equal(rg_inner_maps_set_index(loader, RG_INDEX_HOSTS, -1, 0), 0);
	rg_loader_free(loader);
}

/* ---- libxdp's dispatcher: a fake, see tests/unit/kernel/test_dispatcher.c ---- */

static struct {
	int errors[2]; /* of an attachment in generic and in native mode */
	unsigned int calls[2];
	unsigned int detached;
	bool has, begins_with_ip, can_hold;
	uint32_t settings; /* id of the map */
} dispatcher;

void rg_dispatcher_set_print(int (*print)(int level, const char *format, va_list args))
{
	(void)print;
}

int rg_dispatcher_attach(const struct rg_dispatched *what, int ifindex, bool native, uint32_t *id,
			 bool *frags)
{
	assert_int_equal(ifindex, if_nametoindex("lo"));
	assert_non_null(what->loaded);
	assert_true(what->elf_size > 1000);
	dispatcher.calls[native]++;
	dispatcher.can_hold = what->can_hold;
	dispatcher.begins_with_ip = what->begins_with_ip;
	dispatcher.settings = what->map_ids[0];
	if (dispatcher.errors[native])
		return dispatcher.errors[native];
	*id = 77;
	*frags = true;
	dispatcher.has = true;
	return 0;
}

int rg_dispatcher_detach(const uint32_t map_ids[2], int ifindex, uint32_t keep)
{
	assert_int_equal(map_ids[0], dispatcher.settings);
	assert_int_equal(ifindex, if_nametoindex("lo"));
	assert_int_equal(keep, 0);
	dispatcher.detached++;
	return 0;
}

bool rg_dispatcher_has(const uint32_t map_ids[2], int ifindex)
{
	return map_ids[0] == dispatcher.settings && ifindex && dispatcher.has;
}

void rg_dispatcher_names(int ifindex, char *names, size_t size)
{
	(void)ifindex;
	snprintf(names, size, "\"other\"");
}

static struct rg_loader *open_dispatched(struct rg_conf *conf, enum rg_xdp_mode mode)
{
	static const char *const used[] = { "filter", NULL };

	memset(&dispatcher, 0, sizeof(dispatcher));
	conf->xdp_attach = RG_ATTACH_DISPATCHER;
	conf->xdp_mode = mode;
	used_programs = used;
	return open_loader(conf);
}

/* With "auto", generic mode after native; at a loss, again. */
static void test_dispatched(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_dispatched(&conf, RG_XDP_AUTO);
	struct rg_error error = {};

	(void)state;
	dispatcher.errors[true] = -ENOMEM;
	assert_int_equal(rg_attach_all(loader, &error), 0);
	assert_int_equal(dispatcher.calls[true], 1);
	assert_int_equal(dispatcher.calls[false], 1);
	assert_int_equal(dispatcher.can_hold, rg_loader_can_hold(loader));
	assert_false(dispatcher.begins_with_ip);
	assert_int_equal(rg_attach_info(loader, 0)->mode, RG_XDP_GENERIC);
	assert_int_equal(rg_attach_info(loader, 0)->program, 77);
	assert_true(rg_attach_info(loader, 0)->frags);
	rg_attach_refresh(loader);
	assert_int_equal(dispatcher.calls[false], 1);
	dispatcher.has = false;
	dispatcher.errors[true] = 0;
	rg_attach_refresh(loader);
	assert_int_equal(dispatcher.calls[true], 2);
	assert_int_equal(rg_attach_info(loader, 0)->mode, RG_XDP_NATIVE);
	rg_attach_detach_all(loader);
	assert_int_equal(dispatcher.detached, 1);
	rg_loader_free(loader);
}

/* Each error says what to do. */
static void test_dispatched_refused(void **state)
{
	static const struct {
		int error;
		const char *text;
	} rows[] = {
		{ -EOPNOTSUPP, "this kernel can't replace BPF functions, use xdp_attach = \"link\"" },
		{ -EPERM, "CAP_SYS_ADMIN is needed" },
		{ -EINVAL, "libxdp 1.3 can't do it on new kernels" },
		{ -ENOMEM, "interface lo: libxdp's dispatcher: Cannot allocate memory" },
	};
	struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_dispatched(&conf, RG_XDP_NATIVE);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_error error = {};

		dispatcher.errors[true] = rows[i].error;
		assert_int_equal(rg_attach_all(loader, &error), rows[i].error);
		assert_non_null(strstr(error.text, rows[i].text));
		assert_int_equal(rg_attach_info(loader, 0)->ifindex, 0);
	}
	assert_int_equal(dispatcher.calls[false], 0);
	rg_loader_free(loader);
}

/* ---- attaching, to lo ---- */

static bool steer_is_pinned(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/steer_link", pins);
	return !access(path, F_OK);
}

static void test_attach(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_loader *loader;
	const struct rg_attachment *info;
	struct rg_error error = {};
	uint32_t program;

	(void)state;
	used_programs = attached_programs;
	loader = open_loader(&conf);
	set_settings(loader, &conf);
	assert_int_equal(rg_attach_steering(loader), 0);
	if (rg_attach_all(loader, &error))
		fail_msg("%s", error.text);
	info = rg_attach_info(loader, 0);
	assert_string_equal(info->name, "lo");
	assert_int_equal(info->ifindex, if_nametoindex("lo"));
	assert_int_equal(info->mode, RG_XDP_GENERIC);
	program = info->program;
	assert_int_not_equal(program, 0);
	assert_null(rg_attach_info(loader, 1));
	rg_attach_refresh(loader); /* nothing to do */
	assert_int_equal(rg_attach_info(loader, 0)->program, program);

	/* The next agent replaces the programs in both places. */
	rg_loader_free(loader);
	loader = open_loader(&conf);
	assert_true(rg_loader_was_attached(loader));
	assert_int_equal(rg_attach_steering(loader), 0);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	assert_int_not_equal(rg_attach_info(loader, 0)->program, program);

	/* One that is not to filter lo any more detaches from it. */
	rg_loader_free(loader);
	conf.interface_count = 0;
	loader = open_loader(&conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex("lo"), 0, &program), 0);
	assert_int_equal(program, 0);
	assert_true(steer_is_pinned());
	assert_int_equal(rg_attach_steering(loader), 0);
	rg_attach_detach_all(loader);
	assert_false(steer_is_pinned());
	rg_loader_free(loader);
}

/* What was removed comes back as it was: the same program, and with its pins. */
static void test_attach_again(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_loader *loader;
	struct rg_error error = {};
	struct rg_attachment before;
	uint32_t program;
	int fd;

	(void)state;
	used_programs = attached_programs;
	loader = open_loader(&conf);
	set_settings(loader, &conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	before = *rg_attach_info(loader, 0);
	rg_attach_detach_all(loader);
	assert_int_not_equal(access(pins, F_OK), 0);
	rg_attach_refresh(loader);
	assert_int_equal(rg_attach_info(loader, 0)->program, before.program);
	assert_int_equal(rg_attach_info(loader, 0)->frags, before.frags);
	fd = rg_pin_get(pins, "link_lo");
	assert_true(fd >= 0);
	close(fd);
	fd = rg_pin_get(pins, "settings");
	assert_true(fd >= 0);
	close(fd);
	rg_attach_detach_all(loader);
	rg_loader_free(loader);

	/* A pin that can't be made: no program stays without it. */
	loader = open_loader(&conf);
	set_settings(loader, &conf);
	assert_int_equal(rg_pin_remove_all(pins), 0);
	assert_int_equal(rg_attach_all(loader, &error), -ENOENT);
	assert_non_null(strstr(error.text, "No such file"));
	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex("lo"), 0, &program), 0);
	assert_int_equal(program, 0);
	rg_loader_free(loader);
}

static void test_attach_refused(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_loader *loader, *other;
	struct rg_error error = {};
	char elsewhere[128];

	(void)state;
	used_programs = attached_programs;
	conf.interfaces[0] = (char *)"eth77";
	loader = open_loader(&conf);
	assert_int_equal(rg_attach_all(loader, &error), -ENODEV);
	assert_non_null(strstr(error.text, "interface eth77"));
	rg_attach_refresh(loader);
	assert_int_equal(rg_attach_info(loader, 0)->ifindex, 0);
	assert_string_equal(rg_attach_info(loader, 0)->reason, "it is not there");
	rg_loader_free(loader);

	/* Beside one that is there, it is waited for. */
	conf.interfaces[0] = (char *)"lo";
	conf.interfaces[1] = (char *)"eth77";
	conf.interface_count = 2;
	loader = open_loader(&conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	assert_int_not_equal(rg_attach_info(loader, 0)->ifindex, 0);
	assert_string_equal(rg_attach_info(loader, 0)->reason, "");
	assert_int_equal(rg_attach_info(loader, 1)->ifindex, 0);
	assert_string_equal(rg_attach_info(loader, 1)->reason, "it is not there");
	rg_attach_detach_all(loader);
	rg_loader_free(loader);

	/* lo has no native mode. */
	conf = make_conf();
	conf.xdp_mode = RG_XDP_NATIVE;
	loader = open_loader(&conf);
	assert_true(rg_attach_all(loader, &error) < 0);
	assert_non_null(strstr(error.text, "native XDP"));
	assert_non_null(strstr(error.text, "xdp_mode = \"auto\""));
	rg_loader_free(loader);
	conf.xdp_mode = RG_XDP_AUTO;
	loader = open_loader(&conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	assert_int_equal(rg_attach_info(loader, 0)->mode, RG_XDP_GENERIC);

	/* Another agent, with pins elsewhere, does not take the interface from this one. */
	snprintf(elsewhere, sizeof(elsewhere), "%s2", pins);
	conf.pin_path = elsewhere;
	conf.xdp_mode = RG_XDP_GENERIC;
	other = open_loader(&conf);
	assert_int_equal(rg_attach_all(other, &error), -EBUSY);
	assert_non_null(strstr(error.text, "has an XDP program already"));
	rg_attach_detach_all(other);
	rg_loader_free(other);
	assert_int_not_equal(rg_attach_info(loader, 0)->ifindex, 0);
	rg_attach_detach_all(loader);
	assert_int_equal(rg_attach_info(loader, 0)->ifindex, 0);
	rg_attach_refresh(loader); /* it attaches again, as after any loss */
	assert_int_not_equal(rg_attach_info(loader, 0)->ifindex, 0);
	rg_attach_detach_all(loader);
	rg_loader_free(loader);
}

static void test_responder(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_loader *loader = open_loader(&conf);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(rg_loader_set_responder(loader, 0, fd), 0);
	assert_true(rg_loader_set_responder(loader, 0, -1) < 0);
	close(fd);
	rg_loader_free(loader);
}

/* ---- held frames ---- */

static void test_held_frame(void **state)
{
	static struct packet packet;
	const struct packet_spec spec = {};
	static const char *const used[] = { "release", "send_on", NULL };
	struct rg_conf conf = make_conf();
	struct rg_loader *loader;
	struct rg_held_frame frame = {};
	struct rg_peer peer = { .expiry = UINT64_MAX, .state = RG_PEER_CLEAN };
	struct rg_addr addr = packet_addr("192.0.2.1");
	struct rg_verdict blocked = { .expiry = UINT64_MAX,
				      .prefix_len = 128,
				      .peer_class = RG_CLASS_STANDARD,
				      .action = RG_ACTION_DROP,
				      .zone = 3,
				      .details = UINT32_MAX };
	const struct rg_prefix key = { .len = 128, .addr = addr };
	const struct rg_maps *maps;
	unsigned int lo = if_nametoindex("lo");

	(void)state;
	used_programs = used;
	loader = open_loader(&conf);
	maps = rg_loader_maps(loader);
	if (!rg_loader_can_hold(loader)) {
		rg_loader_free(loader);
		skip();
	}
	set_settings(loader, &conf);
	packet_build(&spec, &packet);
	assert_int_equal(bpf_map_update_elem(maps->peers, &addr, &peer, BPF_ANY), 0);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 1);
	assert_true(frame.arrives);
	assert_int_equal(frame.ifindex, lo);
	assert_int_equal(frame.len, packet.len);
	assert_memory_equal(frame.bytes, packet.data, packet.len);
	assert_int_equal(rg_held_frame_send(loader, &frame), 0);

	assert_int_equal(bpf_map_update_elem(maps->verdicts, &key, &blocked, BPF_ANY), 0);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 0);
	blocked.action = RG_ACTION_RESET;
	assert_int_equal(bpf_map_update_elem(maps->verdicts, &key, &blocked, BPF_ANY), 0);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 1);
	assert_false(frame.arrives); /* the answer goes back */
	/* No interface of that number. */
	frame.ifindex = 7777;
	assert_true(rg_held_frame_send(loader, &frame) < 0);
	rg_loader_free(loader);
}

static uint64_t all_counted(const struct rg_loader *loader)
{
	struct rg_stats stats;
	uint64_t sum = 0;

	assert_int_equal(rg_stats_read(rg_loader_maps(loader)->stats, &stats), 0);
	for (uint32_t i = 0; i < RG_STAT_MAX; i++)
		sum += stats.counts[i].packets + stats.counts[i].attempts;
	return sum;
}

/*
 * In generic mode a frame that is sent meets the filter. One that the filter would hold again is not sent,
 * else one SYN would be asked about for ever. The preview counts nothing.
 */
static void test_held_frame_generic(void **state)
{
	static struct packet packet;
	const struct packet_spec specs[] = { {}, { .from = "::1.2.3.4", .to = "2001:db8:25::25" } };
	static const char *const used[] = { "filter", "preview", NULL };
	struct rg_conf conf = make_conf();
	struct rg_loader *loader;
	struct rg_held_frame frame = {};
	struct rg_peer peer = { .expiry = UINT64_MAX, .state = RG_PEER_PENDING };
	struct rg_addr addr = packet_addr("192.0.2.1");
	struct rg_verdict blocked = { .expiry = UINT64_MAX,
				      .prefix_len = 128,
				      .peer_class = RG_CLASS_STANDARD,
				      .action = RG_ACTION_DROP,
				      .zone = 3,
				      .details = UINT32_MAX };
	const struct rg_prefix key = { .len = 128, .addr = addr };
	const struct rg_maps *maps;
	unsigned int lo = if_nametoindex("lo");
	struct rg_error error = {};

	(void)state;
	used_programs = used;
	loader = open_loader(&conf);
	maps = rg_loader_maps(loader);
	if (!rg_loader_can_hold(loader)) {
		rg_loader_free(loader);
		skip();
	}
	set_settings(loader, &conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		packet_build(&specs[i], &packet);
		assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame),
				 -ENOKEY);
	}
	packet_build(&specs[0], &packet);
	/* Its own pending mark is no verdict. */
	assert_int_equal(bpf_map_update_elem(maps->peers, &addr, &peer, BPF_ANY), 0);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), -ENOKEY);
	peer.state = RG_PEER_CLEAN;
	assert_int_equal(bpf_map_update_elem(maps->peers, &addr, &peer, BPF_ANY), 0);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 1);
	assert_true(frame.arrives);
	assert_memory_equal(frame.bytes, packet.data, packet.len);
	/* The filter drops it, and counts it. */
	assert_int_equal(bpf_map_update_elem(maps->verdicts, &key, &blocked, BPF_ANY), 0);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 1);
	assert_int_equal(bpf_map_delete_elem(maps->verdicts, &key), 0);
	assert_int_equal(bpf_map_delete_elem(maps->peers, &addr), 0);
	/* Where unknown peers pass at once, it passes. */
	conf.unknown = RG_ACTION_PASS;
	set_settings(loader, &conf);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 1);
	conf.unknown = RG_ACTION_DROP;
	set_settings(loader, &conf);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), -ENOKEY);
	conf.mode = RG_MODE_MONITOR;
	set_settings(loader, &conf);
	assert_int_equal(rg_held_frame_judge(loader, lo, packet.data, packet.len, &frame), 1);
	assert_int_equal(all_counted(loader), 0);
	rg_attach_detach_all(loader);
	rg_loader_free(loader);
}

/* A link without an Ethernet header, which exists while its descriptor is open; or -1. */
static int open_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	RG_CLEANUP_CLOSE int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		return -1;
	request.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
	return fd;
}

/*
 * The frame has no Ethernet header when it is held and when it arrives again, in generic mode at the filter,
 * which counts it there.
 */
static void test_held_packet(void **state)
{
	static const char *const used[] = { "filter_ip", "preview_ip", "monitor_ip", "send_on", NULL };
	static struct packet packet;
	const struct packet_spec spec = {};
	struct rg_conf conf = make_conf();
	struct rg_peer peer = { .expiry = UINT64_MAX, .state = RG_PEER_CLEAN };
	struct rg_addr addr = packet_addr("192.0.2.1");
	RG_CLEANUP_CLOSE int tun = open_tun("tun7");
	struct rg_held_frame frame = {};
	struct rg_error error = {};
	struct rg_loader *loader;
	unsigned int ifindex = if_nametoindex("tun7");
	const uint8_t *bytes;
	size_t len;

	(void)state;
	if (tun < 0)
		skip();
	conf.interfaces[0] = (char *)"tun7";
	used_programs = used;
	loader = open_loader(&conf);
	if (!rg_loader_can_hold(loader)) {
		rg_loader_free(loader);
		skip();
	}
	set_settings(loader, &conf);
	if (rg_attach_all(loader, &error))
		fail_msg("%s", error.text);
	assert_int_equal(rg_attach_info(loader, 0)->link_kind, RG_LINK_KIND_IP);
	packet_build(&spec, &packet);
	bytes = packet.data + packet.l3;
	len = packet.len - packet.l3;
	assert_int_equal(rg_held_frame_judge(loader, ifindex, bytes, len, &frame), -ENOKEY);
	assert_int_equal(bpf_map_update_elem(rg_loader_maps(loader)->peers, &addr, &peer, BPF_ANY),
			 0);
	assert_int_equal(rg_held_frame_judge(loader, ifindex, bytes, len, &frame), 1);
	assert_true(frame.begins_with_ip);
	assert_true(frame.arrives);
	assert_int_equal(frame.len, len);
	assert_memory_equal(frame.bytes, bytes, len);
	assert_int_equal(all_counted(loader), 0);
	assert_int_equal(rg_held_frame_send(loader, &frame), 0);
	assert_int_equal(all_counted(loader), 2); /* a packet, an attempt */
	assert_int_equal(rg_held_frame_count(loader, ifindex, bytes, len), 0);
	assert_true(rg_held_frame_count(loader, ifindex, bytes, 0) < 0);
	rg_attach_detach_all(loader);
	rg_loader_free(loader);
}

static void rename_interface(const char *from, const char *to)
{
	RG_CLEANUP_CLOSE int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", from);
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0); /* down */
	snprintf(request.ifr_newname, sizeof(request.ifr_newname), "%s", to);
	assert_int_equal(ioctl(control, SIOCSIFNAME, &request), 0);
}

/* An interface keeps its filter under another name, and gets it anew when it was away. */
static void test_interface_changes(void **state)
{
	static const char *const used[] = { "filter_ip", NULL };
	struct rg_conf conf = make_conf();
	const struct rg_attachment *info;
	int tun = open_tun("tun7");
	struct rg_error error = {};
	struct rg_loader *loader;
	unsigned int ifindex;

	(void)state;
	if (tun < 0)
		skip();
	conf.interfaces[0] = (char *)"tun7";
	used_programs = used;
	loader = open_loader(&conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	info = rg_attach_info(loader, 0);
	ifindex = if_nametoindex("tun7");
	assert_int_equal(info->ifindex, ifindex);
	assert_string_equal(info->present_name, "tun7");
	rename_interface("tun7", "tun8");
	rg_attach_refresh(loader);
	assert_int_equal(info->ifindex, ifindex);
	assert_string_equal(info->name, "tun7");
	assert_string_equal(info->present_name, "tun8");

	/* The next agent finds it by the link that is left. */
	rg_loader_free(loader);
	loader = open_loader(&conf);
	assert_int_equal(rg_attach_all(loader, &error), 0);
	info = rg_attach_info(loader, 0);
	assert_int_equal(info->ifindex, ifindex);
	assert_string_equal(info->present_name, "tun8");
	rename_interface("tun8", "tun7");
	rg_attach_refresh(loader);
	assert_string_equal(info->present_name, "tun7");

	close(tun);
	rg_attach_refresh(loader);
	assert_int_equal(info->ifindex, 0);
	assert_string_equal(info->present_name, "");
	tun = open_tun("tun7");
	rg_attach_refresh(loader);
	assert_int_equal(info->ifindex, if_nametoindex("tun7"));
	assert_int_not_equal(info->ifindex, ifindex);
	rg_attach_detach_all(loader);
	rg_loader_free(loader);
	close(tun);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

static int skip_all(const char *why)
{
	printf("1..0 # SKIP %s: %m\n", why);
	return SKIPPED;
}

static void set_lo_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	RG_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)ioctl(fd, SIOCSIFFLAGS, &request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_then_taken_over),
		TEST(test_other_size),
		TEST(test_other_layout),
		TEST(test_refused),
		TEST(test_list_trie),
		TEST(test_index_banks),
		TEST(test_attach),
		TEST(test_attach_again),
		TEST(test_dispatched),
		TEST(test_dispatched_refused),
		TEST(test_interface_changes),
		TEST(test_attach_refused),
		TEST(test_responder),
		TEST(test_held_frame),
		TEST(test_held_frame_generic),
		TEST(test_held_packet),
	};
	int failed;

	rg_log_open(RG_LOG_ERROR);
	snprintf(root, sizeof(root), "/tmp/repgate-loader-XXXXXX");
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) || !mkdtemp(root))
		return skip_all("no namespaces");
	snprintf(pins, sizeof(pins), "%s/repgate", root);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("bpf", root, "bpf", 0, NULL)) {
		rmdir(root);
		return skip_all("no BPF file system");
	}
	set_lo_up();
	failed = cmocka_run_group_tests_name("loader", tests, NULL, NULL);
	(void)umount(root);
	(void)rmdir(root);
	return failed;
}
