/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index_run.h"

#include <bpf/btf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/addr.h"

struct part parts[RG_INDEXES];
struct rg_index_presence *presence;
struct rg_index_filters *filters;
int indexes = -1;
__u32 in_force;
static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

uint64_t rnd(uint64_t below)
{
	return (next_random(&random_state) >> 11) % below;
}

uint64_t ago(uint64_t span)
{
	uint64_t now = run_now();

	return now > span ? now - span : 0;
}

/* A descriptor of the programs' map of that name: run.h has those of most, not of all of them. */
static int find_map(const char *name)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct bpf_map_info info = {};
		uint32_t size = sizeof(info);
		char path[40], target[40] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    !strcmp(target, "anon_inode:bpf-map") &&
		    !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, name))
			return fd;
	}
	fail_msg("no map %s", name);
	return -1;
}

void close_part(struct part *part)
{
	if (!part->index)
		return;
	rg_index_free(part->index);
	close(part->fd);
	part->index = NULL;
}

/* Before Linux 6.2 an inner map must have its template's types. */
static void add_types(struct bpf_map_create_opts *opts)
{
	static struct btf *types;
	static int fd = -1;
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (!types && !bpf_obj_get_info_by_fd(find_map("presence"), &info, &size)) {
		types = btf__load_from_kernel_by_id(info.btf_id);
		fd = bpf_btf_get_fd_by_id(info.btf_id);
	}
	opts->btf_fd = (uint32_t)fd;
	opts->btf_key_type_id = (uint32_t)btf__find_by_name_kind(types, "__u32", BTF_KIND_TYPEDEF);
	opts->btf_value_type_id =
		(uint32_t)btf__find_by_name_kind(types, "rg_index_line", BTF_KIND_STRUCT);
}

int make_part(enum rg_index_part which, const struct rg_index_size *size, struct part *ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	struct rg_index_origin origin = { .presence = presence,
					  .part = which,
					  .now = ago(HOUR),
					  .seed = SEED };

	add_types(&opts);
	ret->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index", 4, sizeof(struct rg_index_line),
				 rg_index_lines(size), &opts);
	if (ret->fd < 0)
		return ret->fd;
	origin.fd = ret->fd;
	return rg_index_new(&ret->index, &origin, size);
}

__u32 byte_of(enum rg_index_part which)
{
	return 0xffU << 8 * which;
}

uint32_t next_bank(enum rg_index_part which)
{
	return RG_INDEX_BANK(which, (in_force >> 8 * which & 3) == 1);
}

void set_in_force(struct run *run, __u32 index)
{
	in_force = index;
	__atomic_store_n(&run_settings(run)->index, index, __ATOMIC_RELEASE);
}

void litter(uint32_t bank)
{
	static const int bytes[] = { 0, 0xff, 0x5a };

	memset(&presence->headers[bank], bytes[rnd(3)], sizeof(presence->headers[bank]));
	if (bank >= RG_INDEX_BANK(RG_INDEX_HOSTS, 0))
		memset(filters->banks[rg_index_filters_of(bank)], bytes[rnd(3)],
		       sizeof(filters->banks[0]));
}

int take_step(struct run *run, enum step_of step, enum rg_index_part which, const struct part *fresh)
{
	static uint32_t bank, other, force;

	switch (step) {
	case STEP_LITTER:
		bank = next_bank(which);
		other = bank ^ 1;
		litter(bank);
		return 0;
	case STEP_INSTALL:
		force = rg_index_install(fresh->index, presence, filters, bank);
		return 0;
	case STEP_MAP:
		return bpf_map_update_elem(indexes, &bank, &fresh->fd, BPF_ANY);
	case STEP_FLIP:
		set_in_force(run, (in_force & ~byte_of(which)) | force);
		return 0;
	case STEP_EMPTY:
		return bpf_map_delete_elem(indexes, &other) && errno != ENOENT ? -errno : 0;
	default:
		rg_index_retire_previous(fresh->index);
		return 0;
	}
}

int enforce(struct run *run, enum rg_index_part which, struct part *fresh)
{
	int err = 0;

	for (enum step_of step = 0; !err && step < STEPS_OF; step++) {
		err = take_step(run, step, which, fresh);
		if (err || step != STEP_EMPTY)
			continue;
		close_part(&parts[which]);
		parts[which] = *fresh;
	}
	return err;
}

struct run *indexed_run(const struct tuning *tuning, const struct rg_index_size sizes[])
{
	struct run *run = fresh_run(tuning);

	if (!presence) {
		indexes = find_map("indexes");
		presence = mmap(NULL, sizeof(*presence), PROT_READ | PROT_WRITE, MAP_SHARED,
				find_map("presence"), 0);
		assert_true(presence != MAP_FAILED);
		filters = mmap(NULL, sizeof(*filters), PROT_READ | PROT_WRITE, MAP_SHARED,
			       find_map("filters"), 0);
		assert_true(filters != MAP_FAILED);
	}
	run_settings(run)->index_seed = SEED;
	for (uint32_t i = 0; i < RG_INDEXES; i++) {
		struct part fresh = {};

		assert_int_equal(make_part(i, &sizes[i], &fresh), 0);
		assert_int_equal(enforce(run, i, &fresh), 0);
	}
	return run;
}

void let_go(struct run *run)
{
	set_in_force(run, 0);
	for (uint32_t i = 0; i < RG_INDEXES; i++)
		close_part(&parts[i]);
}

/* ---- packets by number ---- */

u128 number_of(const struct rg_addr *addr)
{
	return (u128)rg_addr_half(addr, 0) << 64 | rg_addr_half(addr, 1);
}

struct rg_addr addr_of(u128 number)
{
	struct rg_addr addr;

	for (int i = 15; i >= 0; i--, number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

struct rg_prefix around(u128 number, uint32_t len)
{
	struct rg_prefix prefix = { .len = len, .addr = addr_of(number) };

	rg_prefix_mask(&prefix);
	return prefix;
}

u128 overflowing4(uint32_t at)
{
	static uint32_t addrs[OVERFLOW4], count, next = 0x0b000000;

	for (; count < OVERFLOW4; next++)
		if (rg_index_home(rg_index_mix4(next, SEED), RG_INDEX_BUCKETS4_MIN) <
		    OVERFLOW4_BUCKETS)
			addrs[count++] = next;
	return V4_BASE + addrs[at];
}

void build_from(const struct rg_addr *from, uint16_t port, struct packet *packet)
{
	static struct packet four, six;
	bool is4 = rg_addr_is_v4(from);
	const struct packet *usual = is4 ? &four : &six;

	if (!four.len) {
		packet_build(&(struct packet_spec){}, &four);
		packet_build(&(struct packet_spec){ SIX }, &six);
	}
	packet->len = usual->len;
	packet->l3 = usual->l3;
	packet->l4 = usual->l4;
	memcpy(packet->data, usual->data, usual->len);
	if (is4)
		memcpy(packet->data + packet->l3 + 12, from->bytes + RG_ADDR_V4_OFFSET, 4);
	else
		memcpy(packet->data + packet->l3 + 8, from->bytes, sizeof(from->bytes));
	packet->data[packet->l4] = (uint8_t)(port >> 8);
	packet->data[packet->l4 + 1] = (uint8_t)port;
}

/* What is done, and with which tag; negative: an error. */
static int outcome(struct run *run, const struct rg_addr *from)
{
	static struct packet packet;
	int action;

	build_from(from, PACKET_PORT, &packet);
	action = run_packet(run, RUN_FILTER, &packet);
	if (action < 0 || action == XDP_TX)
		return action;
	return action << 16 | packet.data[packet.l3] << 8 | packet.data[packet.l3 + 1];
}

/* ---- the index and the tries ---- */

size_t compared, refused, asked;

__u32 index_of(unsigned int which)
{
	__u32 index = 0;

	for (uint32_t i = 0; i < RG_INDEXES; i++)
		if (which >> i & 1)
			index |= in_force & byte_of(i);
	return index;
}

void compare_parts(struct run *run, u128 number, unsigned int which)
{
	const struct rg_addr addr = addr_of(number);
	struct rg_settings *settings = run_settings(run);
	int with, without, again;
	char text[RG_ADDR_TEXT];

	settings->index = index_of(which);
	with = outcome(run, &addr);
	settings->index = 0;
	without = outcome(run, &addr);
	settings->index = index_of(which);
	assert_true(with >= 0 && without >= 0);
	compared++;
	for (int i = 0; i < RG_INDEXES; i++)
		asked += parts[i].index &&
			 rg_index_find(parts[i].index, &addr, run_now()) == RG_INDEX_ASK;
	refused += without >> 16 != XDP_PASS;
	if (with != without) {
		again = outcome(run, &addr);
		if (again != without)
			fail_msg("%s: %#x with the index (parts %#x), %#x without it",
				 rg_addr_format(&addr, text), again, which, without);
	}
	settings->index = in_force;
}

void compare(struct run *run, u128 number)
{
	compare_parts(run, number, ALL_PARTS);
}

static void put_verdict(struct run *run, const struct rg_index_entry *entry)
{
	struct rg_verdict verdict = { .expiry = entry->expiry,
				      .prefix_len = entry->prefix.len,
				      .peer_class = entry->peer_class,
				      .details = put_details(run, HITS),
				      .action = entry->action,
				      .zone = entry->zone };

	assert_int_equal(
		bpf_map_update_elem(run_maps(run).verdicts, &entry->prefix, &verdict, BPF_ANY), 0);
}

enum rg_index_part part_of(enum map_kind map)
{
	return map == LISTS ? RG_INDEX_LISTS : map == VERDICTS ? RG_INDEX_HOSTS : RG_INDEX_PEERS;
}

void put_map(struct run *run, enum map_kind map, const struct rg_index_entry *entry)
{
	struct rg_peer peer = { .expiry = entry->expiry, .state = RG_PEER_CLEAN };

	if (map == LISTS)
		put_list(run_maps(run).lists_now, &entry->prefix, entry->peer_class, entry->expiry);
	else if (map == VERDICTS)
		put_verdict(run, entry);
	else
		assert_int_equal(bpf_map_update_elem(run_maps(run).peers, &entry->prefix.addr,
						     &peer, BPF_ANY),
				 0);
}

void put_known(struct run *run, enum map_kind map, const struct rg_index_entry *entry)
{
	put_map(run, map, entry);
	assert_true(rg_index_put(parts[part_of(map)].index, entry) >= 0);
}
