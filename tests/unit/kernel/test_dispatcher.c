/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs in libxdp's dispatcher. libxdp and the kernel behind it are fakes: an interface is a row of
 * programs, each with an id, a name and the map that it uses. The ELF image is the real one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/dispatcher.h"

#include "maps/config.h"

#include "filter.skel.h"

#include <bpf/bpf.h>
#include <xdp/libxdp.h>

#define IFINDEX 7
#define OUR_MAP 500
#define OLD_MAP 400 /* of an earlier agent */
#define OTHER_MAP 300
#define MOST 8

struct xdp_program {
	__u32 id, map;
	const char *name;
	unsigned int priority;
	bool goes_on; /* a packet that it passes goes to the next program */
	struct bpf_object *object; /* of one that is being attached */
};

/* The interface, in the order of its programs. */
struct xdp_multiprog {
	struct xdp_program programs[MOST];
	size_t count;
	bool legacy; /* one program, without a dispatcher */
};

static struct xdp_multiprog interface;
static bool no_dispatcher; /* libxdp attaches a program alone, as on a kernel without freplace */
static int attach_error, detach_error, frags_error;
static enum xdp_attach_mode attached_mode;
static unsigned int opened, closed, shared, configured;
static __u32 next_id;

static int set_up(void **state)
{
	(void)state;
	interface = (struct xdp_multiprog){};
	no_dispatcher = false;
	attach_error = detach_error = frags_error = 0;
	opened = closed = shared = configured = 0;
	attached_mode = XDP_MODE_UNSPEC;
	next_id = 100;
	return 0;
}

static void add(__u32 id, __u32 map, const char *name)
{
	interface.programs[interface.count++] =
		(struct xdp_program){ .id = id, .map = map, .name = name };
}

/* ---- libbpf, as far as dispatcher.c needs the kernel for it ---- */

/* The descriptor of a program is its id here. */
int bpf_obj_get_info_by_fd(int fd, void *data, __u32 *len)
{
	struct bpf_prog_info *info = data;
	__u32 *ids = (__u32 *)(uintptr_t)info->map_ids;

	(void)len;
	for (size_t i = 0; i < interface.count; i++) {
		if ((int)interface.programs[i].id != fd)
			continue;
		ids[0] = 1;
		ids[1] = interface.programs[i].map;
		info->nr_map_ids = 2;
		return 0;
	}
	errno = EBADF;
	return -1;
}

int bpf_map__reuse_fd(struct bpf_map *map, int fd)
{
	(void)fd;
	assert_null(strstr(bpf_map__name(map), ".rodata"));
	shared++;
	return 0;
}

int bpf_map__set_initial_value(struct bpf_map *map, const void *data, size_t size)
{
	const struct filter_bpf__rodata *rodata = data;

	assert_non_null(strstr(bpf_map__name(map), ".rodata"));
	assert_true(size >= sizeof(*rodata));
	assert_true(rodata->rg_config.can_hold);
	configured++;
	return 0;
}

/* ---- libxdp ---- */

static libxdp_print_fn_t printer;

libxdp_print_fn_t libxdp_set_print(libxdp_print_fn_t print)
{
	printer = print;
	return NULL;
}

long libxdp_get_error(const void *ptr)
{
	return ptr ? 0 : -ENOENT;
}

/* Exactly one program of the object is to be loaded. */
struct xdp_program *xdp_program__create(struct xdp_program_opts *opts)
{
	static struct xdp_program program;
	struct bpf_program *each;
	unsigned int loaded = 0;

	bpf_object__for_each_program(each, opts->obj) {
		if (!bpf_program__autoload(each))
			continue;
		assert_string_equal(bpf_program__name(each), opts->prog_name);
		loaded++;
	}
	assert_int_equal(loaded, 1);
	opened++;
	program = (struct xdp_program){ .id = next_id++,
					.map = OUR_MAP,
					.name = opts->prog_name,
					.object = opts->obj };
	return &program;
}

void xdp_program__close(struct xdp_program *program)
{
	bpf_object__close(program->object);
	closed++;
}

int xdp_program__set_run_prio(struct xdp_program *program, unsigned int priority)
{
	program->priority = priority;
	return 0;
}

int xdp_program__set_chain_call_enabled(struct xdp_program *program, unsigned int action, bool enabled)
{
	assert_int_equal(action, XDP_PASS);
	program->goes_on = enabled;
	return 0;
}

int xdp_program__attach(struct xdp_program *program, int ifindex, enum xdp_attach_mode mode,
			unsigned int flags)
{
	assert_int_equal(ifindex, IFINDEX);
	assert_int_equal(flags, 0);
	if (attach_error || (frags_error && strstr(program->name, "frags")))
		return attach_error ? attach_error : frags_error;
	attached_mode = mode;
	interface.legacy = no_dispatcher;
	interface.programs[interface.count++] = *program;
	return 0;
}

int xdp_program__detach(struct xdp_program *program, int ifindex, enum xdp_attach_mode mode,
			unsigned int flags)
{
	assert_int_equal(ifindex, IFINDEX);
	assert_int_equal(mode, attached_mode);
	assert_int_equal(flags, 0);
	if (detach_error)
		return detach_error;
	for (size_t i = 0; i < interface.count; i++) {
		if (interface.programs[i].id != program->id)
			continue;
		interface.count--;
		memmove(&interface.programs[i], &interface.programs[i + 1],
			(interface.count - i) * sizeof(*program));
		return 0;
	}
	return -ENOENT;
}

__u32 xdp_program__id(const struct xdp_program *program)
{
	return program->id;
}

int xdp_program__fd(const struct xdp_program *program)
{
	return (int)program->id;
}

const char *xdp_program__name(const struct xdp_program *program)
{
	return program->name;
}

struct xdp_multiprog *xdp_multiprog__get_from_ifindex(int ifindex)
{
	return ifindex == IFINDEX && interface.count ? &interface : NULL;
}

void xdp_multiprog__close(struct xdp_multiprog *there)
{
	(void)there;
}

bool xdp_multiprog__is_legacy(const struct xdp_multiprog *there)
{
	return there->legacy;
}

enum xdp_attach_mode xdp_multiprog__attach_mode(const struct xdp_multiprog *there)
{
	(void)there;
	return attached_mode;
}

struct xdp_program *xdp_multiprog__main_prog(const struct xdp_multiprog *there)
{
	return (struct xdp_program *)&there->programs[0];
}

struct xdp_program *xdp_multiprog__next_prog(const struct xdp_program *before,
					     const struct xdp_multiprog *there)
{
	const struct xdp_program *next = before ? before + 1 : there->programs;

	return next < there->programs + there->count ? (struct xdp_program *)next : NULL;
}

/* ---- attaching ---- */

static struct filter_bpf *skeleton;

static int attach(bool can_hold, bool begins_with_ip, bool native, __u32 *id, bool *frags)
{
	struct rg_dispatched what = { .loaded = skeleton->obj,
				      .begins_with_ip = begins_with_ip,
				      .can_hold = can_hold,
				      .map_ids = { OUR_MAP, OLD_MAP } };

	what.elf = filter_bpf__elf_bytes(&what.elf_size);
	return rg_dispatcher_attach(&what, IFINDEX, native, id, frags);
}

static void test_attach(void **state)
{
	static const struct {
		bool begins_with_ip, native;
		const char *name;
	} rows[] = {
		{ false, true, "filter_frags" },
		{ false, false, "filter_frags" },
		{ true, true, "filter_ip_frags" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool frags = false;
		__u32 id = 0;

		set_up(state);
		assert_int_equal(attach(true, rows[i].begins_with_ip, rows[i].native, &id, &frags),
				 0);
		assert_int_equal(interface.count, 1);
		assert_string_equal(interface.programs[0].name, rows[i].name);
		assert_int_equal(interface.programs[0].id, id);
		assert_int_equal(interface.programs[0].priority, 10); /* before those that count */
		assert_true(interface.programs[0].goes_on);
		assert_int_equal(attached_mode, rows[i].native ? XDP_MODE_NATIVE : XDP_MODE_SKB);
		assert_true(frags);
		assert_int_equal(configured, 1);
		assert_true(shared > 10);
		assert_int_equal(opened, closed);
	}
}

/* A driver that takes no frames in several buffers gets the plain program. */
static void test_without_frags(void **state)
{
	bool frags = true;
	__u32 id = 0;

	(void)state;
	frags_error = -EINVAL;
	assert_int_equal(attach(true, false, true, &id, &frags), 0);
	assert_string_equal(interface.programs[0].name, "filter");
	assert_false(frags);
	assert_int_equal(opened, 2);
	assert_int_equal(opened, closed);

	set_up(state);
	attach_error = -EPERM;
	assert_int_equal(attach(true, true, true, &id, &frags), -EPERM);
	assert_int_equal(interface.count, 0);
	assert_int_equal(opened, closed);
}

/* On a kernel without freplace, libxdp attaches the program alone and reports success. */
static void test_no_dispatcher(void **state)
{
	bool frags;
	__u32 id = 0;

	(void)state;
	no_dispatcher = true;
	assert_int_equal(attach(true, false, true, &id, &frags), -EOPNOTSUPP);
	assert_int_equal(interface.count, 0);
	assert_int_equal(id, 0);
}

/* The new program is there before an earlier agent's goes; others stay. */
static void test_replaces_ours(void **state)
{
	bool frags;
	__u32 id = 0;

	(void)state;
	add(21, OTHER_MAP, "counter");
	add(22, OLD_MAP, "filter");
	add(23, OUR_MAP, "filter_frags"); /* a crash left it */
	assert_int_equal(attach(true, false, true, &id, &frags), 0);
	assert_int_equal(interface.count, 2);
	assert_int_equal(interface.programs[0].id, 21);
	assert_int_equal(interface.programs[1].id, id);
}

/* ---- looking, and detaching ---- */

static const uint32_t ours[2] = { OUR_MAP, OLD_MAP }, none[2] = { 0, 0 };

static void test_has(void **state)
{
	(void)state;
	assert_false(rg_dispatcher_has(ours, IFINDEX));
	add(21, OTHER_MAP, "counter");
	assert_false(rg_dispatcher_has(ours, IFINDEX));
	add(22, OLD_MAP, "filter");
	assert_true(rg_dispatcher_has(ours, IFINDEX));
	assert_false(rg_dispatcher_has(none, IFINDEX));
	assert_false(rg_dispatcher_has(ours, IFINDEX + 1));
	interface.legacy = true; /* not in a dispatcher */
	assert_false(rg_dispatcher_has(ours, IFINDEX));
}

static void test_detach(void **state)
{
	(void)state;
	assert_int_equal(rg_dispatcher_detach(ours, IFINDEX, 0), 0);
	add(21, OUR_MAP, "filter");
	add(22, OTHER_MAP, "counter");
	add(23, OLD_MAP, "filter");
	detach_error = -EBUSY;
	assert_int_equal(rg_dispatcher_detach(ours, IFINDEX, 0), -EBUSY);
	assert_int_equal(interface.count, 3);
	detach_error = 0;
	assert_int_equal(rg_dispatcher_detach(ours, IFINDEX, 21), 0);
	assert_int_equal(interface.count, 2);
	assert_int_equal(rg_dispatcher_detach(ours, IFINDEX, 0), 0);
	assert_int_equal(interface.count, 1);
	assert_int_equal(interface.programs[0].id, 22);
}

static void test_names(void **state)
{
	char names[64], few[12];

	(void)state;
	rg_dispatcher_names(IFINDEX, names, sizeof(names));
	assert_string_equal(names, "");
	add(21, OTHER_MAP, "counter");
	add(22, OTHER_MAP, "tap");
	rg_dispatcher_names(IFINDEX, names, sizeof(names));
	assert_string_equal(names, "\"counter\" (id 21), \"tap\" (id 22)");
	rg_dispatcher_names(IFINDEX, few, sizeof(few));
	assert_string_equal(few, "\"counter\" (");
	interface.legacy = true;
	rg_dispatcher_names(IFINDEX, names, sizeof(names));
	assert_string_equal(names, "\"counter\" (id 21)");
}

/* ---- messages ---- */

static int printed = -1;

static int print(int level, const char *format, va_list args)
{
	char text[32];

	vsnprintf(text, sizeof(text), format, args);
	assert_string_equal(text, "of 7");
	printed = level;
	return 0;
}

static void call_printer(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printer(LIBXDP_INFO, format, args);
	va_end(args);
}

static void test_messages(void **state)
{
	(void)state;
	rg_dispatcher_set_print(print);
	call_printer("of %d", 7);
	assert_int_equal(printed, LIBXDP_INFO);
}

static int open_skeleton(void **state)
{
	(void)state;
	skeleton = filter_bpf__open();
	if (!skeleton)
		return -1;
	skeleton->rodata->rg_config.can_hold = true;
	return 0;
}

static int close_skeleton(void **state)
{
	(void)state;
	filter_bpf__destroy(skeleton);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_attach), TEST(test_without_frags), TEST(test_no_dispatcher),
		TEST(test_has),	   TEST(test_replaces_ours), TEST(test_detach),
		TEST(test_names),  TEST(test_messages),
	};

	return cmocka_run_group_tests(tests, open_skeleton, close_skeleton);
}
