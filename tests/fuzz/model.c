/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model.h"

#include <linux/bpf.h>
#include <string.h>

/* ---- addresses and tables ---- */

model_addr model_read_addr(const uint8_t bytes[16])
{
	model_addr addr = 0;

	for (int i = 0; i < 16; i++)
		addr = addr << 8 | bytes[i];
	return addr;
}

struct rg_addr model_write_addr(model_addr addr)
{
	struct rg_addr ret;

	for (int i = 15; i >= 0; i--) {
		ret.bytes[i] = (uint8_t)addr;
		addr >>= 8;
	}
	return ret;
}

static model_addr read_mask(const __u64 mask[2])
{
	uint8_t bytes[16];

	memcpy(bytes, mask, sizeof(bytes));
	return model_read_addr(bytes);
}

static uint32_t slot_of(model_addr key, uint32_t salt)
{
	uint64_t x = (uint64_t)key * 0x9e3779b97f4a7c15ULL + (uint64_t)(key >> 64) + salt;

	x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ULL;
	return (uint32_t)(x >> 33);
}

struct model_prefix *model_add(struct model_trie *trie, model_addr addr, uint32_t len)
{
	model_addr mask = len ? ~(model_addr)0 << (RG_ADDR_BITS - len) : 0;
	struct model_prefix *entry;

	for (unsigned int i = 0; i < trie->count; i++)
		if (trie->at[i].len == len && trie->at[i].addr == (addr & mask))
			return NULL;
	if (trie->count == MODEL_ENTRIES)
		return NULL;
	entry = &trie->at[trie->count++];
	*entry = (struct model_prefix){ .addr = addr & mask, .mask = mask, .len = len };
	return entry;
}

struct model_peer *model_peer_at(struct model *model, model_addr key, bool *is_new)
{
	uint32_t i = slot_of(key, 0) % MODEL_PEERS;
	struct model_peer *peer;

	for (;; i = (i + 1) % MODEL_PEERS) {
		peer = &model->peers[i];
		*is_new = peer->generation != model->generation;
		if (*is_new) {
			*peer = (struct model_peer){ .key = key, .generation = model->generation };
			model->peer_count++;
			return peer;
		}
		if (peer->key == key)
			break;
	}
	if (peer->is_removed) {
		*peer = (struct model_peer){ .key = key, .generation = model->generation };
		model->peer_count++;
		*is_new = true;
	}
	return peer;
}

const struct model_peer *model_find_peer(const struct model *model, model_addr key)
{
	uint32_t i = slot_of(key, 0) % MODEL_PEERS;

	for (; model->peers[i].generation == model->generation; i = (i + 1) % MODEL_PEERS)
		if (model->peers[i].key == key)
			return model->peers[i].is_removed ? NULL : &model->peers[i];
	return NULL;
}

struct model_bucket *model_bucket_at(struct model *model, model_addr key, bool *is_new)
{
	uint32_t i = slot_of(key, 1) % MODEL_PEERS;
	struct model_bucket *bucket;

	for (;; i = (i + 1) % MODEL_PEERS) {
		bucket = &model->buckets[i];
		*is_new = bucket->generation != model->generation;
		if (!*is_new && bucket->key != key)
			continue;
		if (*is_new) {
			*bucket = (struct model_bucket){ key, model->generation, 0 };
			model->bucket_count++;
		}
		return bucket;
	}
}

const struct model_bucket *model_find_bucket(const struct model *model, model_addr key)
{
	uint32_t i = slot_of(key, 1) % MODEL_PEERS;

	for (; model->buckets[i].generation == model->generation; i = (i + 1) % MODEL_PEERS)
		if (model->buckets[i].key == key)
			return &model->buckets[i];
	return NULL;
}

void model_reset(struct model *model, uint64_t now)
{
	model->now = now;
	model->generation++;
	model->peer_count = model->bucket_count = 0;
	model->lists.count = model->verdicts.count = 0;
	model->ring_used = 0;
	model->samples = model->questions = 0;
	memset(model->admission, 0, sizeof(model->admission));
	memset(model->counts, 0, sizeof(model->counts));
	model_forget_attempts(model);
}

void model_attempts_are_due(struct model *model)
{
	for (size_t i = 0; i < MODEL_ATTEMPTS; i++)
		model->attempts[i].is_due = true;
}

void model_forget_attempts(struct model *model)
{
	model->attempt_generation++;
}

/* ---- what a frame is ---- */

/* What the headers of a frame say, as far as they were read. */
struct view {
	const uint8_t *frame;
	bool bare; /* it begins with an IP header */
	bool can_copy; /* also from other buffers, and more headers */
	size_t linear; /* bytes that can be read */
	size_t len; /* of the frame */
	size_t l3, l4; /* offsets */
	bool six;
	int walked; /* extension headers */
	bool mapped; /* the source is an IPv4 address */
	size_t l3_len; /* bytes from l3 on that the IP header speaks of */
	long tcp_len; /* bytes from l4 on, by the IP header; negative if the headers are longer */
	model_addr from, to;
	uint32_t seq;
	uint16_t port, local_port;
	uint8_t flags;
	size_t doff; /* bytes */
};

enum kind {
	IGNORE, /* not for us: passes uncounted */
	SYN,
	SYN_PIECE, /* in the first fragment of several */
	SHORT_PIECE, /* the same, without a whole TCP header */
	BAD = 64, /* + enum rg_loss; malformed: passes */
	OBSCURE = 128 /* + enum rg_loss; may be, or become, a SYN */
};

static unsigned int get16(const struct view *view, size_t at)
{
	return (unsigned int)view->frame[at] << 8 | view->frame[at + 1];
}

static uint32_t get32(const struct view *view, size_t at)
{
	return get16(view, at) << 16 | get16(view, at + 2);
}

static bool has(const struct view *view, size_t at, size_t bytes)
{
	return at + bytes <= view->linear;
}

/* SYN without ACK, RST and FIN. */
static bool opens(const struct view *view)
{
	return (view->frame[view->l4 + 13] & 0x17) == 0x02;
}

/*
 * Bytes of TCP in a first fragment: as many as the frame has, and the IP header allows. A valid one has
 * 8 at least. Flags that are not there may come in a later fragment.
 */
static enum kind classify_first_piece(struct view *view)
{
	long there = (long)view->linear - (long)view->l4;
	long wanted = view->tcp_len >= 20 ? 20 : view->tcp_len >= 14 ? 14 : 8;

	if (view->tcp_len < 8)
		return BAD + RG_LOSS_BAD_TCP;
	if (!view->can_copy && there < wanted)
		return OBSCURE + RG_LOSS_FRAGMENT_SHORT;
	if (there > view->tcp_len)
		there = view->tcp_len;
	if (there < 8)
		return BAD + RG_LOSS_BAD_TCP;
	view->local_port = (uint16_t)get16(view, view->l4 + 2);
	if (there >= 14 && !opens(view))
		return IGNORE;
	return there < 20 ? SHORT_PIECE : SYN_PIECE;
}

static enum kind classify_tcp(struct view *view, bool in_pieces)
{
	if (in_pieces)
		return classify_first_piece(view);
	if (!has(view, view->l4, 20))
		return BAD + RG_LOSS_BAD_TCP;
	view->port = (uint16_t)get16(view, view->l4);
	view->local_port = (uint16_t)get16(view, view->l4 + 2);
	view->seq = get32(view, view->l4 + 4);
	view->doff = (view->frame[view->l4 + 12] >> 4) * 4u;
	view->flags = view->frame[view->l4 + 13];
	return opens(view) ? SYN : IGNORE;
}

static enum kind classify_later_piece(unsigned int protocol, size_t offset)
{
	return protocol == 6 && offset < 20 ? OBSCURE + RG_LOSS_FRAGMENT_OVERLAP : IGNORE;
}

static enum kind classify_v4(struct view *view)
{
	const uint8_t *ip = view->frame + view->l3;
	size_t header;
	unsigned int word;

	if (!has(view, view->l3, 20) || ip[0] >> 4 != 4)
		return BAD + RG_LOSS_BAD_IPV4;
	header = (ip[0] & 15) * 4u;
	if (header < 20)
		return BAD + RG_LOSS_BAD_IPV4;
	if (ip[9] != 6)
		return IGNORE;
	if (!has(view, view->l3, header))
		return BAD + RG_LOSS_BAD_IPV4;
	view->from = (model_addr)0xffff << 32 | get32(view, view->l3 + 12);
	view->to = (model_addr)0xffff << 32 | get32(view, view->l3 + 16);
	view->l3_len = get16(view, view->l3 + 2);
	view->tcp_len = (long)view->l3_len - (long)header;
	view->l4 = view->l3 + header;
	word = get16(view, view->l3 + 6);
	if (word & 0x1fff)
		return classify_later_piece(6, (word & 0x1fff) * 8u);
	return classify_tcp(view, word & 0x2000);
}

/* Bytes of an extension header whose length field is given; 0: none that is walked over. */
static size_t extension_size(unsigned int type, unsigned int field)
{
	switch (type) {
	case 0: /* hop by hop */
	case 43: /* routing */
	case 60: /* destination options */
	case 135: /* mobility */
	case 139: /* HIP */
	case 140: /* shim6 */
		return 8 + field * 8u;
	case 44: /* fragment: the field is reserved */
		return 8;
	case 51: /* AH */
		return 8 + field * 4u;
	default:
		return 0;
	}
}

/* The chain of headers ends early: in a first fragment the rest is in another one. */
static enum kind cut_chain(bool in_pieces)
{
	return in_pieces ? OBSCURE + RG_LOSS_FRAGMENT_SHORT : BAD + RG_LOSS_BAD_IPV6;
}

static enum kind walk_v6(struct view *view, unsigned int type)
{
	bool in_pieces = false;

	while (type != 6) {
		size_t at = view->l4, size;
		unsigned int word;

		if (!extension_size(type, 0))
			return IGNORE;
		if (view->walked++ == (view->can_copy ? RG_MOST_EXT_HEADERS : RG_MAX_EXT_HEADERS))
			return OBSCURE + RG_LOSS_EXT_HEADERS;
		if (!has(view, at, 8))
			return cut_chain(in_pieces);
		word = get16(view, at + 2);
		if (type == 44 && word >> 3)
			return classify_later_piece(view->frame[at], (word >> 3) * 8u);
		if (type == 44 && (word & 1))
			in_pieces = true;
		size = extension_size(type, view->frame[at + 1]);
		if (!has(view, at, size))
			return cut_chain(in_pieces);
		type = view->frame[at];
		view->l4 += size;
		view->tcp_len -= (long)size;
	}
	return classify_tcp(view, in_pieces);
}

static enum kind classify_v6(struct view *view)
{
	const uint8_t *ip = view->frame + view->l3;

	view->six = true;
	if (!has(view, view->l3, 40) || ip[0] >> 4 != 6)
		return BAD + RG_LOSS_BAD_IPV6;
	view->from = model_read_addr(ip + 8);
	view->to = model_read_addr(ip + 24);
	view->mapped = view->from >> 32 == 0xffff;
	view->tcp_len = get16(view, view->l3 + 4);
	view->l3_len = 40 + (size_t)view->tcp_len;
	view->l4 = view->l3 + 40;
	return walk_v6(view, ip[6]);
}

/* A kernel that can't hold can't read by copies either. */
static int most_tags(const struct view *view)
{
	return view->can_copy ? RG_MAX_VLAN_TAGS : RG_VLAN_TAGS_IN_PLACE;
}

/* A frame without an Ethernet header: its first four bits say what it is. */
static enum kind classify_bare(struct view *view)
{
	if (!has(view, 0, 1))
		return IGNORE;
	if (view->frame[0] >> 4 == 4)
		return classify_v4(view);
	return view->frame[0] >> 4 == 6 ? classify_v6(view) : IGNORE;
}

static enum kind classify(struct view *view)
{
	size_t at = 12;
	unsigned int type;

	if (view->bare)
		return classify_bare(view);
	if (!has(view, 0, 14))
		return IGNORE;
	type = get16(view, at);
	for (int tags = 0; type == 0x8100 || type == 0x88a8; tags++) {
		if (tags == most_tags(view))
			return OBSCURE + RG_LOSS_VLAN_TAGS;
		at += 4;
		if (!has(view, at, 2))
			return IGNORE;
		type = get16(view, at);
	}
	view->l3 = at + 2;
	if (type == 0x0800)
		return classify_v4(view);
	return type == 0x86dd ? classify_v6(view) : IGNORE;
}

/* A SYN to a filtered port must agree with itself. */
static enum kind check_syn(struct view *view)
{
	/* Without a jumbo option, no length before hop-by-hop options means the rest of the frame. */
	if (view->six && view->l3_len == 40 && view->frame[view->l3 + 6] == 0) {
		if (!view->can_copy) /* only copies are read that far */
			return OBSCURE + RG_LOSS_BAD_TCP;
		view->l3_len = view->len - view->l3;
		view->tcp_len = (long)view->len - (long)view->l4;
	}
	if (view->tcp_len < 20 || view->doff < 20 || view->tcp_len < (long)view->doff)
		return BAD + RG_LOSS_BAD_TCP;
	if (view->l3 + view->l3_len > view->len)
		return BAD + RG_LOSS_BAD_LENGTH;
	if (view->walked > RG_MAX_EXT_HEADERS)
		return OBSCURE + RG_LOSS_EXT_HEADERS;
	if (view->mapped)
		return OBSCURE + RG_LOSS_BAD_IPV6;
	return SYN;
}

/* ---- checksums ---- */

enum sums { SUMS_RIGHT, SUMS_UNFINISHED, SUMS_WRONG };

static uint64_t add_octets(uint64_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
	return sum;
}

/* 0 and 0xffff are the same number here. */
static uint16_t fold_octets(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum ? (uint16_t)sum : 0xffff;
}

static uint64_t sum_pseudo(const struct view *view)
{
	size_t at = view->l3 + (view->six ? 8 : 12);

	return 6 + (uint64_t)view->tcp_len + add_octets(0, view->frame + at, view->six ? 32 : 8);
}

/* A SYN of up to 9216 bytes of TCP is added up: with them a jumbo frame has 9256 bytes or more. */
static enum sums sums_of(const struct view *view)
{
	uint64_t pseudo = sum_pseudo(view);
	const uint8_t *tcp = view->frame + view->l4;

	if (!view->six &&
	    fold_octets(add_octets(0, view->frame + view->l3, view->l4 - view->l3)) != 0xffff)
		return SUMS_WRONG;
	if (view->tcp_len > 256 * 36)
		return SUMS_WRONG;
	if (fold_octets(add_octets(pseudo, tcp, (size_t)view->tcp_len)) == 0xffff)
		return SUMS_RIGHT;
	return fold_octets(add_octets(0, tcp + 16, 2)) == fold_octets(pseudo) ? SUMS_UNFINISHED :
										SUMS_WRONG;
}

/* Writes the checksum into the result if it is unfinished. */
static void finish_sum(const struct view *view, struct model_result *result)
{
	const uint8_t *tcp = view->frame + view->l4;
	uint64_t sum = sum_pseudo(view);

	if (sums_of(view) != SUMS_UNFINISHED)
		return;
	sum = add_octets(sum, tcp, 16);
	sum = add_octets(sum, tcp + 18, (size_t)view->tcp_len - 18);
	result->sum_at = view->l4 + 16;
	result->sum = (uint16_t)(0xffff - fold_octets(sum));
}

/* ---- what is known, and what is done ---- */

/* One SYN on its way through. */
struct way {
	struct model *model;
	const struct view *view;
	struct model_result *result;
	enum rg_class peer_class;
	enum rg_action action;
	uint32_t zone;
	bool is_preview; /* nothing is counted */
	enum rg_mode mode; /* of the settings; MONITOR for a SYN that monitor mode let pass */
	bool is_retry; /* in a flood, it came before */
	bool waits; /* it passes, and is an attempt once its peer is judged */
};

static void count_loss(struct model *model, enum rg_loss loss)
{
	model->counts[RG_STAT_LOSSES + loss].packets++;
}

static bool monitors(const struct model *model)
{
	return model->settings.mode == RG_MODE_MONITOR;
}

static struct model_prefix *longest_live(struct model *model, struct model_trie *trie, model_addr addr)
{
	struct model_prefix *best = NULL;

	for (unsigned int i = 0; i < trie->count; i++) {
		struct model_prefix *entry = &trie->at[i];

		if ((addr & entry->mask) != entry->addr)
			continue;
		if (entry->expiry && entry->expiry <= model->now)
			continue;
		if (!best || entry->len > best->len)
			best = entry;
	}
	return best;
}

/* Local lists before verdicts before peers. False: nothing is known, or the peer is pending. */
static bool look_up(struct way *way)
{
	struct model *model = way->model;
	struct model_prefix *entry = longest_live(model, &model->lists, way->view->from);
	const struct model_peer *peer;

	way->zone = RG_NO_ZONE;
	if (entry) {
		way->peer_class = entry->peer_class;
		way->action = entry->peer_class == RG_CLASS_APPROVED ? RG_ACTION_PASS :
								       model->settings.blocked;
		return true;
	}
	entry = longest_live(model, &model->verdicts, way->view->from);
	if (entry) {
		entry->hits += !way->is_preview;
		way->peer_class = entry->peer_class;
		way->action = entry->action;
		way->zone = entry->zone;
		return true;
	}
	peer = model_find_peer(model, way->result->peer);
	if (!peer || peer->expiry <= model->now || peer->state != RG_PEER_CLEAN)
		return false;
	way->peer_class = RG_CLASS_CLEAN;
	way->action = RG_ACTION_PASS;
	return true;
}

static bool agent_is_silent(const struct model *model)
{
	return model->settings.heartbeat + model->settings.heartbeat_timeout < model->now;
}

/* Room for a record of size bytes: its header has 8, and a ring that is full would look empty. */
static bool ring_takes(struct model *model, size_t size)
{
	uint32_t need = (uint32_t)(size + 8 + 7) / 8 * 8;

	if (model->ring_used + need >= model->ring_size)
		return false;
	model->ring_used += need;
	return true;
}

static struct rg_event_head *new_event(struct way *way, enum rg_event_kind kind, size_t size)
{
	struct rg_event_syn *event = &way->result->event;

	memset(event, 0, sizeof(*event));
	way->result->event_size = size;
	event->head.kind = kind;
	event->head.source = model_write_addr(way->view->from);
	event->head.dest = model_write_addr(way->view->to);
	event->head.source_port = way->view->port;
	event->head.dest_port = way->view->local_port;
	event->head.ifindex = 1; /* loopback: where test runs arrive */
	event->head.mode = way->mode;
	return &event->head;
}

enum sent { SENT, SENT_WITHOUT_FRAME, NOT_SENT };

static enum sent send_peer(struct way *way, bool holds)
{
	struct rg_event_syn *event = &way->result->event;
	struct rg_event_head *head;

	if (!ring_takes(way->model, sizeof(*event))) {
		count_loss(way->model, RG_LOSS_RING_FULL);
		return NOT_SENT;
	}
	head = new_event(way, RG_EVENT_SYN, sizeof(*event));
	head->peer_class = RG_CLASS_UNKNOWN;
	head->zone = RG_NO_ZONE;
	head->is_retry = way->is_retry;
	event->seq = way->view->seq;
	if (!holds || !way->model->can_hold)
		return SENT;
	if (way->view->len > RG_FRAME_SIZE) {
		count_loss(way->model, RG_LOSS_HOLD_TOO_LONG);
		return SENT_WITHOUT_FRAME;
	}
	event->frame_len = (uint32_t)way->view->len;
	memcpy(event->frame, way->view->frame, way->view->len);
	if (!monitors(way->model)) /* there the frame passes as it is, and its copy too */
		finish_sum(way->view, way->result);
	if (way->result->sum_at) {
		event->frame[way->result->sum_at] = (uint8_t)(way->result->sum >> 8);
		event->frame[way->result->sum_at + 1] = (uint8_t)way->result->sum;
	}
	return SENT;
}

static void report_refusal(struct way *way)
{
	struct rg_event_head *head;

	if (way->model->samples++ >= way->model->settings.samples_per_second) {
		count_loss(way->model, RG_LOSS_SAMPLE_LIMIT);
		return;
	}
	if (!ring_takes(way->model, sizeof(*head))) {
		count_loss(way->model, RG_LOSS_RING_FULL_SAMPLE);
		return;
	}
	head = new_event(way, RG_EVENT_REFUSED, sizeof(*head));
	head->peer_class = way->peer_class;
	head->action = way->action;
	head->zone = way->zone;
}

static struct model_flow flow_of(const struct view *view)
{
	return (struct model_flow){ view->from, view->seq, view->port, view->local_port };
}

static bool is_flow(const struct model_flow *flow, const struct view *view)
{
	return flow->addr == view->from && flow->seq == view->seq && flow->port == view->port &&
	       flow->local_port == view->local_port;
}

enum flow { FLOW_TOO_MANY, FLOW_NEW, FLOW_KNOWN };

/* NEW: a connection that the agent does not have yet. */
static enum flow take_flow(struct way *way, struct model_peer *peer)
{
	uint32_t known = peer->held < RG_HELD_FLOWS ? peer->held : RG_HELD_FLOWS;

	for (uint32_t i = peer->foreign; i < known; i++)
		if (is_flow(&peer->flows[i], way->view))
			return FLOW_KNOWN;
	if (peer->held >= RG_HELD_FLOWS) {
		count_loss(way->model, RG_LOSS_HOLD_FLOWS);
		return FLOW_TOO_MANY;
	}
	peer->flows[peer->held++] = flow_of(way->view);
	return FLOW_NEW;
}

static void decide(struct way *way, enum rg_class peer_class, enum rg_action action)
{
	way->peer_class = peer_class;
	way->action = action;
}

/* Monitor mode keeps what it lets pass, to count it by the verdict, unless enforce would let it pass, too. */
static bool is_counted_later(const struct way *way)
{
	return monitors(way->model) && way->model->settings.unknown != RG_ACTION_PASS &&
	       way->model->can_hold;
}

/* The agent gets each connection of a pending peer once; its retransmissions wait, or pass. */
static void meet_pending(struct way *way, struct model_peer *peer, enum rg_action unknown)
{
	decide(way, RG_CLASS_PENDING, RG_ACTION_DROP);
	if (is_counted_later(way)) {
		enum flow flow = take_flow(way, peer);

		way->action = RG_ACTION_PASS;
		way->waits = flow == FLOW_KNOWN || (flow == FLOW_NEW && send_peer(way, true) == SENT);
	} else if (unknown == RG_ACTION_PASS) {
		way->action = RG_ACTION_PASS;
	} else if (unknown == RG_ACTION_HOLD && take_flow(way, peer) == FLOW_NEW &&
		   send_peer(way, true) == SENT) {
		way->action = RG_ACTION_HOLD;
	}
}

static void meet_unknown(struct way *way, struct model_peer *peer, enum rg_action unknown)
{
	*peer = (struct model_peer){
		.key = peer->key,
		.generation = peer->generation,
		.expiry = way->model->now + way->model->settings.pending_time,
		.state = RG_PEER_PENDING,
		.is_marked = true,
		.held = 1,
		.flows = { flow_of(way->view) },
	};
	decide(way, RG_CLASS_UNKNOWN, unknown);
	switch (send_peer(way, unknown == RG_ACTION_HOLD || is_counted_later(way))) {
	case SENT:
		way->waits = is_counted_later(way);
		return;
	case SENT_WITHOUT_FRAME:
		way->action = monitors(way->model) ? RG_ACTION_PASS : RG_ACTION_DROP;
		return;
	case NOT_SENT:
		peer->is_removed = true; /* the next SYN tries again */
		way->model->peer_count--;
		if (unknown != RG_ACTION_PASS)
			way->action = way->model->settings.overload;
	}
}

#define RETRY_MARGIN \
	(RG_NSEC_PER_SEC / 10) /* the program's clock is coarse, and so is what it notes */

static bool is_too_early(const struct model *model, const struct model_attempt *attempt)
{
	uint64_t least = model->begin > attempt->end ? model->begin - attempt->end : 0;
	uint64_t most = model->end - attempt->begin;

	if (attempt->is_due || least > RG_RETRY_TIME + RETRY_MARGIN)
		return false;
	return most + RETRY_MARGIN < RG_RETRY_TIME || model->counted_first;
}

/* True: this address and salt come for the first time; too_early: or again, but not a second later. */
static bool is_first(struct model *model, model_addr addr, uint64_t salt, bool too_early)
{
	uint64_t question = model->questions++;
	uint32_t i = slot_of(addr, (uint32_t)(salt ^ salt >> 32)) % MODEL_ATTEMPTS;
	struct model_attempt *attempt = &model->attempts[i];

	for (; attempt->generation == model->attempt_generation; attempt = &model->attempts[i]) {
		if (attempt->addr == addr && attempt->salt == salt)
			return too_early && is_too_early(model, attempt);
		i = (i + 1) % MODEL_ATTEMPTS;
	}
	*attempt = (struct model_attempt){ .addr = addr,
					   .salt = salt,
					   .generation = model->attempt_generation,
					   .begin = model->begin,
					   .end = model->end };
	for (unsigned int forced = 0; forced < model->forced_count; forced++)
		if (model->forced[forced] == question)
			return false;
	return true;
}

/*
 * A token of a bucket that is full at *full_at. What is refused changes nothing, but for a bucket that
 * is over a second deeper in debt than it can be: its rate was another one. reserve: ns that must be left.
 */
static bool take_token(const struct model *model, uint64_t *full_at,
		       const struct rg_token_rate *rate, uint64_t reserve)
{
	uint64_t missing = *full_at > model->now ? *full_at - model->now : 0;

	bool was_deeper = missing > rate->depth + RG_NSEC_PER_SEC;

	if (missing + rate->token_time + reserve > rate->depth) {
		if (was_deeper)
			*full_at = model->now + rate->depth;
		return false;
	}
	*full_at = model->now + missing + rate->token_time;
	return true;
}

static bool passes_gate(struct model *model, enum rg_gate gate, uint64_t reserve)
{
	return take_token(model, &model->admission[gate], &model->settings.gates[gate], reserve);
}

/*
 * The last half of a gate's tokens is for networks that are within their own rate. Here a rate lets all
 * networks pass, or none. False: *loss is why; otherwise it stays.
 */
static bool passes_shared_gate(struct model *model, enum rg_gate gate, enum rg_loss *loss)
{
	const struct rg_settings *settings = &model->settings;

	if (passes_gate(model, gate, settings->gates[gate].depth / 2))
		return true;
	if (settings->network_gates[gate].token_time == 0)
		return passes_gate(model, gate, 0);
	*loss = RG_LOSS_FLOOD_NETWORK;
	return false;
}

/*
 * In a flood a new peer is judged if there is a token; else if its SYN comes again and there is a
 * token for that; else overload decides, within a rate. False: *action is what becomes of it.
 */
static bool is_admitted(struct way *way, enum rg_action *action)
{
	const struct view *view = way->view;
	struct model *model = way->model;
	enum rg_loss first = RG_LOSS_FLOOD_FIRST, retry = RG_LOSS_FLOOD_RETRY;
	uint64_t syn = 1ULL << 63 ^
		       ((uint64_t)view->seq << 32 | (uint32_t)view->port << 16 | view->local_port);

	*action = RG_ACTION_DROP;
	if (passes_shared_gate(model, RG_GATE_NEW, &first))
		return true;
	if (is_first(model, view->from, syn, true)) {
		count_loss(model, first);
		return false;
	}
	way->is_retry = passes_shared_gate(model, RG_GATE_RETRY, &retry);
	if (way->is_retry)
		return true;
	count_loss(model, retry);
	if (model->settings.overload != RG_ACTION_PASS)
		return false;
	if (passes_gate(model, RG_GATE_PASS, 0))
		*action = RG_ACTION_PASS;
	else
		count_loss(model, RG_LOSS_FLOOD_DROP);
	return false;
}

static void hold(struct way *way)
{
	struct model *model = way->model;
	enum rg_action unknown = monitors(model) ? RG_ACTION_PASS : model->settings.unknown;
	const struct model_peer *known = model_find_peer(model, way->result->peer);
	bool is_pending = known && known->expiry > model->now, is_new;
	enum rg_action instead;

	if (agent_is_silent(model)) {
		count_loss(model, RG_LOSS_AGENT_SILENT);
		decide(way, RG_CLASS_UNKNOWN, RG_ACTION_PASS);
	} else if (model->can_hold && sums_of(way->view) == SUMS_WRONG) {
		count_loss(model, RG_LOSS_BAD_CHECKSUM);
		decide(way, RG_CLASS_UNKNOWN,
		       unknown == RG_ACTION_PASS ? RG_ACTION_PASS : RG_ACTION_DROP);
	} else if (is_pending) {
		meet_pending(way, model_peer_at(model, way->result->peer, &is_new), unknown);
	} else if (is_admitted(way, &instead)) {
		meet_unknown(way, model_peer_at(model, way->result->peer, &is_new), unknown);
	} else {
		decide(way, RG_CLASS_UNKNOWN, unknown == RG_ACTION_PASS ? unknown : instead);
	}
}

static bool within_rate(struct way *way)
{
	const struct rg_settings *settings = &way->model->settings;
	struct model_bucket *bucket;
	bool is_new;

	way->result->bucket = way->view->from & read_mask(way->view->six ? settings->bucket_mask6 :
									   settings->bucket_mask4);
	way->result->has_bucket = true;
	bucket = model_bucket_at(way->model, way->result->bucket, &is_new);
	if (!is_new)
		return take_token(way->model, &bucket->full_at, &settings->throttle, 0);
	bucket->full_at = way->model->now + settings->throttle.token_time;
	return true;
}

/* The kernel forwards nothing from or to these (RFC 4291, 2.5.3, 2.5.6, 2.7). */
static bool stays_here(model_addr addr)
{
	return addr >> 120 == 0xff || addr >> 118 == 0xfe80 >> 6 || addr == 1;
}

static bool is_routed_on(const struct model *model, const struct view *view)
{
	const struct model_route *route = &model->routes[view->six];

	if (view->six && (stays_here(view->from) || stays_here(view->to)))
		return false;
	if ((view->to & route->mask) != route->addr)
		return false;
	for (int i = 0; i < 3; i++)
		if (view->to == route->own[i])
			return false;
	return true;
}

static bool can_be_answered(struct way *way)
{
	const struct model *model = way->model;
	int key = way->action == RG_ACTION_TEMPFAIL ? RG_RESPONDER_TEMPFAIL4 : RG_RESPONDER_REJECT4;

	if (!model->settings.steering || agent_is_silent(model) ||
	    !(model->responders >> (key + way->view->six) & 1)) {
		count_loss(way->model, RG_LOSS_RESPONDER_GONE);
		return false;
	}
	if (is_routed_on(model, way->view)) {
		count_loss(way->model, RG_LOSS_NOT_LOCAL);
		return false;
	}
	return true;
}

static bool is_answered(enum rg_action action)
{
	return action == RG_ACTION_TEMPFAIL || action == RG_ACTION_REJECT;
}

/* No host takes it from outside: groups, loopback, nothing; to a mapped address. */
static bool never_taken(const struct view *view, model_addr addr, bool is_dest)
{
	uint32_t v4 = (uint32_t)addr;

	if (!view->six)
		return v4 >> 28 >= 0xe || v4 >> 24 == 127 || !v4;
	return addr >> 120 == 0xff || addr == 1 || (is_dest && (!addr || addr >> 32 == 0xffff));
}

/* Between the IP and the TCP header stands more than padding, options of IPv6, and one fragment header. */
static bool has_odd_headers(const struct view *view)
{
	size_t at = view->l3 + (view->six ? 40 : 20);
	unsigned int type = view->frame[view->l3 + 6], fragments = 0, next;

	for (; !view->six && at < view->l4; at++)
		if (view->frame[at] > 1)
			return true;
	while (view->six && type != 6) {
		fragments += type == 44;
		if ((type != 0 && type != 60 && type != 44) || fragments > 1)
			return true;
		next = view->frame[at];
		at += extension_size(type, view->frame[at + 1]);
		type = next;
	}
	return false;
}

/* The model's world has no facts about the host. */
static bool nobody_answers(const struct way *way)
{
	const struct view *view = way->view;

	return (!view->bare && (view->frame[0] & 1)) || never_taken(view, view->from, false) ||
	       never_taken(view, view->to, true) || (way->model->can_hold && has_odd_headers(view));
}

static void resolve_action(struct way *way)
{
	bool answers = is_answered(way->action) || way->action == RG_ACTION_RESET;

	if (way->action == RG_ACTION_THROTTLE && within_rate(way))
		way->action = RG_ACTION_PASS;
	if (!answers || way->mode == RG_MODE_MONITOR)
		return;
	if (way->model->can_hold && sums_of(way->view) == SUMS_WRONG) {
		count_loss(way->model, RG_LOSS_BAD_CHECKSUM);
		way->action = RG_ACTION_DROP;
		return;
	}
	if (way->model->can_hold)
		finish_sum(way->view, way->result);
	if (nobody_answers(way)) {
		count_loss(way->model, RG_LOSS_NO_HOST);
		way->action = RG_ACTION_DROP;
		return;
	}
	if (is_answered(way->action) && !can_be_answered(way))
		way->action = way->peer_class == RG_CLASS_QIL ? RG_ACTION_RESET : RG_ACTION_DROP;
}

/* Who waits is an attempt when the agent has decided; the responder tells of its own sessions. */
static void account(struct way *way)
{
	struct model *model = way->model;
	bool passes = way->action == RG_ACTION_PASS;
	bool refused = !passes && way->action != RG_ACTION_HOLD;
	bool waits = way->waits || (!passes && (way->peer_class == RG_CLASS_UNKNOWN ||
						way->peer_class == RG_CLASS_PENDING));
	bool monitored = refused && way->mode == RG_MODE_MONITOR;
	bool first = !waits && is_first(model, way->view->from, way->view->port, false);
	struct rg_count *count = &model->counts[monitored ? RG_STAT_MONITORED : RG_STAT_DONE];

	count += way->peer_class * RG_ACTION_MAX + way->action;
	count->packets++;
	count->attempts += first;
	if (first && refused && (monitored || !is_answered(way->action)))
		report_refusal(way);
}

/* ---- what goes out ---- */

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint64_t sum_of(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint64_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/*
 * False: it can't be written. Generic XDP takes the first byte of a bare frame for that of a MAC address,
 * so its lowest bit must stay.
 */
static bool set_dscp(struct way *way, unsigned int dscp)
{
	const uint8_t *ip = way->view->frame + way->view->l3;
	struct model_result *result = way->result;
	unsigned int old = get16(way->view, way->view->l3), fresh;

	result->patch_at = way->view->l3;
	result->patch_len = way->view->six ? 2 : 12;
	memcpy(result->patch, ip, result->patch_len);
	if (way->view->six) {
		put16(result->patch, (old & ~0x0fc0u) | dscp << 6);
		if (way->view->bare && ((result->patch[0] ^ ip[0]) & 1)) {
			result->patch_len = 0;
			return false;
		}
		return true;
	}
	fresh = (old & ~0x00fcu) | dscp << 2;
	put16(result->patch, fresh);
	/* RFC 1624, 3: HC' = ~(~HC + ~m + m') */
	put16(result->patch + 10,
	      (uint16_t)~fold((uint64_t)(0xffff - get16(way->view, way->view->l3 + 10)) +
			      (0xffff - old) + fresh));
	return true;
}

static int tag(struct way *way, unsigned int dscp)
{
	if (set_dscp(way, dscp))
		return XDP_PASS;
	count_loss(way->model, RG_LOSS_TAG_FAILED);
	return XDP_DROP;
}

static unsigned int dscp_of(const struct view *view)
{
	unsigned int word = get16(view, view->l3);

	return (view->six ? word >> 6 : word >> 2) & 0x3f;
}

/* RFC 9293, 3.10.7.1: what a closed port says. */
static void put_reset_tcp(const struct view *view, uint8_t *tcp, uint64_t pseudo_sum)
{
	uint32_t syn_len = 1 + (uint32_t)(view->tcp_len - (long)view->doff);

	put16(tcp, view->local_port);
	put16(tcp + 2, view->port);
	put32(tcp + 8, view->seq + syn_len);
	tcp[12] = 5 << 4;
	tcp[13] = 0x14; /* RST, ACK */
	put16(tcp + 16, (uint16_t)~fold(pseudo_sum + 6 + 20 + sum_of(tcp, 20)));
}

static int reset(struct way *way)
{
	const struct view *view = way->view;
	struct model_result *result = way->result;
	struct rg_addr from = model_write_addr(view->to), to = model_write_addr(view->from);
	size_t size = view->six ? 60 : 40;
	uint8_t *ip = result->patch;

	/* Sent to a group, or in pieces of which the first is too short. */
	if ((!view->bare && (view->frame[0] & 1)) || view->l3 + size > view->linear) {
		count_loss(way->model, RG_LOSS_RESET_FAILED);
		return XDP_DROP;
	}
	result->swaps_macs = !view->bare;
	result->sum_at = 0; /* part of what is replaced, or cut off */
	result->patch_at = view->l3;
	result->patch_len = size;
	result->len = view->l3 + size;
	memset(ip, 0, size);
	if (view->six) {
		ip[0] = 0x60;
		put16(ip + 4, 20);
		ip[6] = 6;
		ip[7] = 64;
		memcpy(ip + 8, &from, 16);
		memcpy(ip + 24, &to, 16);
		put_reset_tcp(view, ip + 40, sum_of(ip + 8, 32));
		return XDP_TX;
	}
	ip[0] = 0x45;
	put16(ip + 2, 40);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, from.bytes + 12, 4);
	memcpy(ip + 16, to.bytes + 12, 4);
	put16(ip + 10, (uint16_t)~fold(sum_of(ip, 20)));
	put_reset_tcp(view, ip + 20, sum_of(ip + 12, 8));
	return XDP_TX;
}

static int carry_out(struct way *way)
{
	const struct rg_settings *settings = &way->model->settings;
	enum rg_action action = way->mode == RG_MODE_MONITOR ? RG_ACTION_PASS : way->action;

	switch (action) {
	case RG_ACTION_PASS:
	case RG_ACTION_TEMPFAIL:
	case RG_ACTION_REJECT:
		/* Nobody may tag himself. */
		if (settings->tag_dscp && dscp_of(way->view) == settings->tag_dscp &&
		    !monitors(way->model))
			return tag(way, 0);
		return XDP_PASS;
	case RG_ACTION_TAG:
		if (settings->tag_dscp)
			return tag(way, settings->tag_dscp);
		count_loss(way->model, RG_LOSS_TAG_FAILED);
		return XDP_DROP;
	case RG_ACTION_RESET:
		return reset(way);
	default:
		return XDP_DROP;
	}
}

/* ---- all of it ---- */

static void begin_way(struct way *way)
{
	way->result->peer = way->view->from;
	way->mode = way->model->settings.mode;
}

/* Whether `filter` would decide without the agent. Nothing is counted or changed. */
static int preview(struct model *model, const struct view *view, struct model_result *result)
{
	struct way way = { .model = model, .view = view, .result = result, .is_preview = true };

	begin_way(&way);
	return look_up(&way) || monitors(model) || model->settings.unknown == RG_ACTION_PASS ||
			       agent_is_silent(model) ?
		       XDP_PASS :
		       XDP_DROP;
}

static int judge(struct model *model, enum model_program program, const struct view *view,
		 struct model_result *result)
{
	struct way way = { .model = model, .view = view, .result = result };

	begin_way(&way);
	result->has_peer = true;
	if (program == MODEL_MONITOR)
		way.mode = RG_MODE_MONITOR;
	if (look_up(&way))
		resolve_action(&way);
	else if (program == MODEL_RELEASE || program == MODEL_MONITOR)
		decide(&way, RG_CLASS_UNKNOWN, RG_ACTION_PASS);
	else
		hold(&way);
	account(&way);
	return carry_out(&way);
}

static bool port_is_filtered(const struct rg_settings *settings, unsigned int port)
{
	for (uint32_t i = 0; i < settings->port_count && i < RG_MAX_PORTS; i++)
		if (settings->ports[i] == port)
			return true;
	return false;
}

static int leave_unjudged(struct model *model, enum kind kind)
{
	count_loss(model, (enum rg_loss)(kind >= OBSCURE ? kind - OBSCURE : kind - BAD));
	if (kind < OBSCURE)
		return XDP_PASS;
	/* Settings of another layout say nothing. */
	return model->settings.layout == RG_LAYOUT_VERSION && monitors(model) ? XDP_PASS : XDP_DROP;
}

void model_run(struct model *model, enum model_program program, const uint8_t *frame, size_t len,
	       size_t linear, struct model_result *result)
{
	struct view view = { .frame = frame,
			     .bare = program >= MODEL_IP,
			     .linear = model->can_hold ? len : linear,
			     .can_copy = model->can_hold };
	enum kind kind;

	view.len = model->can_hold ? len : linear;
	result->len = len;
	result->patch_len = result->event_size = result->sum_at = 0;
	result->swaps_macs = result->has_peer = result->has_bucket = false;
	result->action = XDP_PASS;
	program %= MODEL_IP;
	kind = classify(&view);
	if (kind == IGNORE)
		return;
	if (kind < BAD && model->settings.layout != RG_LAYOUT_VERSION) {
		count_loss(model, RG_LOSS_NO_SETTINGS);
		return;
	}
	if (kind < BAD && !port_is_filtered(&model->settings, view.local_port))
		return;
	if (kind == SYN_PIECE)
		kind = OBSCURE + RG_LOSS_FRAGMENT_SYN;
	else if (kind == SHORT_PIECE)
		kind = OBSCURE + RG_LOSS_FRAGMENT_SHORT;
	else if (kind == SYN)
		kind = check_syn(&view);
	if (kind >= BAD)
		result->action = leave_unjudged(model, kind);
	else if (program == MODEL_PREVIEW)
		result->action = preview(model, &view, result);
	else
		result->action = judge(model, program, &view, result);
}
