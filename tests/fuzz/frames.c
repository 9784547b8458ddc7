/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frames.h"

#include <string.h>

#define ONE_BUFFER 3400 /* bytes: a test run's linear part may hold a few more */
#define HEADERS 128 /* where the mutations are */

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

/* Blackman and Vigna, xoshiro256**; seeded by splitmix64 as they advise. */
void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed * 0xd1342543de82ef95ULL + stream;

	for (int i = 0; i < 4; i++) {
		uint64_t z = x += 0x9e3779b97f4a7c15ULL;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
		rng->state[i] = z ^ z >> 31;
	}
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t *s = rng->state, ret = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return ret;
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	return (uint32_t)((rng_next(rng) >> 32) * bound >> 32);
}

bool rng_percent(struct rng *rng, uint32_t percent)
{
	return rng_below(rng, 100) < percent;
}

model_addr frames_random_v4(struct rng *rng)
{
	static const uint32_t special[] = { 0, 0x7f000001, 0xe0000001, 0xffffffff, 0xa9fe0101 };
	uint32_t addr = (uint32_t)rng_next(rng);

	if (rng_percent(rng, 5))
		addr = special[rng_below(rng, 5)];
	return (model_addr)0xffff << 32 | addr;
}

model_addr frames_random_v6(struct rng *rng)
{
	model_addr addr = (model_addr)rng_next(rng) << 64 | rng_next(rng);

	switch (rng_below(rng, 40)) {
	case 0:
		return addr >> 10 | (model_addr)0xfe80 << 112; /* link-local, or near it */
	case 1:
		return addr | (model_addr)0xff << 120;
	case 2:
		return rng_below(rng, 2);
	case 3:
		return addr >> 96; /* ::a.b.c.d, not mapped */
	case 4:
		return addr >> 96 | (model_addr)0xffff << 48; /* ::ffff:0:a.b.c.d */
	default:
		return addr >> 16 | (model_addr)0x2001 << 112;
	}
}

static void put16(struct frame *frame, size_t at, unsigned int value)
{
	frame->data[at] = (uint8_t)(value >> 8);
	frame->data[at + 1] = (uint8_t)value;
}

static void put32(struct frame *frame, size_t at, uint32_t value)
{
	put16(frame, at, value >> 16);
	put16(frame, at + 2, value & 0xffff);
}

static void put_random(struct rng *rng, struct frame *frame, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = rng_next(rng);

		memcpy(frame->data + at + i, &word, len - i < 8 ? len - i : 8);
	}
}

static void add_ethernet(struct rng *rng, struct frame *frame, unsigned int type)
{
	static const uint16_t tags[] = { 0x8100, 0x88a8, 0x8100, 0x9100 };
	static const uint16_t others[] = { 0x0806, 0x88cc, 0x8864, 0x0800, 0x86dd, 0x8100 };
	static const uint8_t counts[] = { 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 8 };
	unsigned int count = counts[rng_below(rng, sizeof(counts))];

	if (rng_percent(rng, 4)) /* around the most that are read */
		count = 3 + rng_below(rng, 8);

	put_random(rng, frame, 0, 12);
	if (!rng_percent(rng, 10))
		frame->data[0] &= 0xfe;
	frame->len = 12;
	for (unsigned int i = 0; i < count; i++) {
		put16(frame, frame->len, tags[rng_below(rng, rng_percent(rng, 10) ? 4 : 3)]);
		put16(frame, frame->len + 2, (unsigned int)rng_next(rng) & 0xffff);
		frame->len += 4;
	}
	if (rng_percent(rng, 1))
		type = others[rng_below(rng, 6)];
	put16(frame, frame->len, type);
	frame->len += 2;
	frame->l3 = frame->len;
}

static model_addr source(struct rng *rng, const struct frames_world *world, bool six)
{
	model_addr addr = (six ? world->from6 : world->from4)[rng_below(rng, FRAMES_POOL)];
	uint32_t at;

	switch (rng_below(rng, 8)) {
	case 0: /* a neighbour at any distance */
		at = rng_below(rng, six ? 128 : 32);
		return addr ^ (model_addr)1 << at;
	case 1: /* somebody of the same network */
		return addr ^ (rng_next(rng) & ((1ULL << world->scatter) - 1));
	default:
		return addr;
	}
}

/* A field that is mostly as it should be: else near it, or anything. */
static unsigned int mostly(struct rng *rng, unsigned int right)
{
	switch (rng_below(rng, 64)) {
	case 0:
		return right + rng_below(rng, 32) - 16;
	case 1:
		return (unsigned int)rng_next(rng);
	case 2:
		return rng_below(rng, 64);
	default:
		return right;
	}
}

static unsigned int fragment_word4(struct rng *rng)
{
	switch (rng_below(rng, 24)) {
	case 0:
		return 0x2000; /* first of several */
	case 1:
		return rng_below(rng, 5) | rng_below(rng, 2) << 13;
	case 2:
		return (unsigned int)rng_next(rng) & 0xffff;
	default:
		return rng_below(rng, 2) << 14 | rng_below(rng, 2) << 15;
	}
}

static unsigned int traffic_class(struct rng *rng, const struct frames_world *world)
{
	unsigned int any = (unsigned int)rng_next(rng) & 0xff;

	return rng_percent(rng, 30) ? world->dscp << 2 | (any & 3) : any;
}

static uint8_t protocol(struct rng *rng)
{
	static const uint8_t others[] = { 17, 1, 58, 50, 59, 132 };

	return rng_percent(rng, 4) ? others[rng_below(rng, sizeof(others))] : 6;
}

static void add_ipv4(struct rng *rng, const struct frames_world *world, struct frame *frame)
{
	size_t at = frame->l3, options = rng_percent(rng, 20) ? rng_below(rng, 11) * 4 : 0;

	frame->data[at] = (uint8_t)(0x45 + options / 4);
	if (rng_percent(rng, 1))
		frame->data[at] = (uint8_t)rng_next(rng);
	frame->data[at + 1] = (uint8_t)traffic_class(rng, world);
	put16(frame, at + 4, (unsigned int)rng_next(rng) & 0xffff);
	put16(frame, at + 6, fragment_word4(rng));
	frame->data[at + 8] = (uint8_t)rng_next(rng);
	frame->data[at + 9] = protocol(rng);
	put32(frame, at + 12, (uint32_t)source(rng, world, false));
	put32(frame, at + 16, (uint32_t)world->to4[rng_below(rng, 4)]);
	put_random(rng, frame, at + 20, options);
	frame->len = frame->l4 = at + 20 + options;
}

static unsigned int fragment_word6(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return 1;
	case 1:
		return rng_below(rng, 5) << 3 | rng_below(rng, 8);
	case 2:
		return (unsigned int)rng_next(rng) & 0xffff;
	default:
		return rng_below(rng, 4) << 1; /* reserved bits: a whole packet */
	}
}

/* An extension header of this type, behind the last; its length field is mostly small. */
static void add_extension(struct rng *rng, struct frame *frame, uint8_t type, uint8_t next)
{
	uint8_t field = rng_percent(rng, 70) ? 0 :
			rng_percent(rng, 95) ? (uint8_t)rng_below(rng, 6) :
					       (uint8_t)rng_next(rng);
	size_t size = 8 + field * (type == 51 ? 4u : 8u);

	if (type == 44)
		size = 8;
	put_random(rng, frame, frame->len, size);
	frame->data[frame->len] = next;
	frame->data[frame->len + 1] = field;
	if (type == 44)
		put16(frame, frame->len + 2, fragment_word6(rng));
	frame->len += size;
}

static void add_ipv6(struct rng *rng, const struct frames_world *world, struct frame *frame)
{
	static const uint8_t types[] = { 0, 43, 60, 44, 51, 135, 139, 140, 60, 44 };
	unsigned int count = rng_percent(rng, 70) ? 0 : rng_below(rng, rng_percent(rng, 60) ? 3 : 11);
	uint8_t chain[12];
	size_t at = frame->l3;
	struct rg_addr addr;

	for (unsigned int i = 0; i < count; i++)
		chain[i] = types[rng_below(rng, sizeof(types))];
	chain[count] = protocol(rng);
	put16(frame, at, 0x6000 | traffic_class(rng, world) << 4);
	if (rng_percent(rng, 1))
		frame->data[at] = (uint8_t)rng_next(rng);
	put16(frame, at + 2, (unsigned int)rng_next(rng) & 0xffff);
	frame->data[at + 6] = chain[0];
	frame->data[at + 7] = (uint8_t)rng_next(rng);
	addr = model_write_addr(source(rng, world, !rng_percent(rng, 2))); /* else mapped */
	memcpy(frame->data + at + 8, &addr, 16);
	addr = model_write_addr(world->to6[rng_below(rng, 4)]);
	memcpy(frame->data + at + 24, &addr, 16);
	frame->len = at + 40;
	for (unsigned int i = 0; i < count; i++)
		add_extension(rng, frame, chain[i], chain[i + 1]);
	frame->l4 = frame->len;
}

static uint8_t tcp_flags(struct rng *rng)
{
	static const uint8_t opening[] = { 0x02, 0xc2, 0x03, 0x0a, 0x22, 0x42 };

	if (rng_percent(rng, 80))
		return 0x02;
	return rng_percent(rng, 50) ? opening[rng_below(rng, 6)] : (uint8_t)rng_next(rng);
}

static size_t data_size(struct rng *rng, const struct frames_world *world, size_t len)
{
	uint32_t choice = rng_below(rng, 400);

	if (choice < 300)
		return 0;
	if (choice < 360)
		return rng_below(rng, 80);
	if (choice < 390) /* about as long as a held frame may be */
		return len < 180 ? 180 - len + rng_below(rng, 25) : rng_below(rng, 4);
	if (choice < 398 || !world->jumbo)
		return rng_below(rng, 1500);
	return rng_below(rng, choice == 399 ? 65000 - (uint32_t)len : 9000);
}

static void add_tcp(struct rng *rng, const struct frames_world *world, struct frame *frame)
{
	size_t at = frame->l4, options = rng_percent(rng, 50) ? rng_below(rng, 11) * 4 : 0, data;
	uint64_t random = rng_next(rng);
	uint32_t port = 40000 + (random & 31);

	put_random(rng, frame, at, 20 + options);
	put16(frame, at, (random >> 8 & 7) ? port : (unsigned int)(random >> 16) & 0xffff);
	if (!rng_percent(rng, 5))
		put16(frame, at + 2, world->ports[random >> 32 & 3]);
	put32(frame, at + 4, random >> 40 & 7 ? port * 0x01000193u : 0xffffffffu - (random >> 60));
	frame->data[at + 12] = (uint8_t)((5 + options / 4) << 4);
	if (rng_percent(rng, 2))
		frame->data[at + 12] = (uint8_t)rng_next(rng);
	frame->data[at + 13] = tcp_flags(rng);
	frame->len = at + 20 + options;
	data = data_size(rng, world, frame->len);
	if (data < 200)
		put_random(rng, frame, frame->len, data);
	frame->len += data; /* a long one has what was there before */
}

/* One's complement, of an even or odd number of bytes. */
static uint32_t sum_up(const struct frame *frame, size_t at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)frame->data[at + i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* TCP's checksum: right, unfinished, or what was there. */
static void complete_tcp(struct rng *rng, struct frame *frame, bool six)
{
	size_t addresses = frame->l3 + (six ? 8 : 12), len = frame->len - frame->l4;
	uint32_t pseudo = sum_up(frame, addresses, six ? 32 : 8, 6 + (uint32_t)len);
	uint32_t choice = rng_below(rng, 100);

	if (choice < 10)
		return;
	if (choice < 20) {
		put16(frame, frame->l4 + 16, pseudo);
		return;
	}
	put16(frame, frame->l4 + 16, 0);
	put16(frame, frame->l4 + 16, 0xffff - sum_up(frame, frame->l4, len, pseudo));
}

/* Lengths, IPv4's checksum (mostly right), padding. */
static void complete(struct rng *rng, struct frame *frame, bool six)
{
	size_t at = frame->l3;

	if (six) {
		put16(frame, at + 4, mostly(rng, (unsigned int)(frame->len - at - 40)) & 0xffff);
	} else {
		uint32_t sum = 0;

		put16(frame, at + 2, mostly(rng, (unsigned int)(frame->len - at)) & 0xffff);
		put16(frame, at + 10, 0);
		for (size_t i = at; i + 1 < frame->l4; i += 2)
			sum += (uint32_t)frame->data[i] << 8 | frame->data[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		put16(frame, at + 10, mostly(rng, 0xffff - sum) & 0xffff);
		if (rng_percent(rng, 2))
			put16(frame, at + 10, rng_percent(rng, 50) ? 0 : 0xffff);
	}
	if (frame->len >= frame->l4 + 20)
		complete_tcp(rng, frame, six);
	if (rng_percent(rng, 10)) {
		size_t padding = rng_below(rng, 47);

		put_random(rng, frame, frame->len, padding);
		frame->len += padding;
	}
}

static void flip(struct rng *rng, struct frame *frame)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 6, 0x45, 0x60 };
	size_t bound = frame->len < HEADERS ? frame->len : HEADERS;
	unsigned int count = 1 + rng_below(rng, 3);

	for (unsigned int i = 0; i < count; i++) {
		uint8_t *byte = &frame->data[rng_below(rng, (uint32_t)bound)];

		if (rng_percent(rng, 70))
			*byte ^= (uint8_t)(1 << rng_below(rng, 8));
		else
			*byte = values[rng_below(rng, sizeof(values))];
	}
}

/* To another kind of link only what is made for it goes. */
static bool comes_again(struct rng *rng, const struct frames_world *world, const struct frame *frame)
{
	return frame->len >= 14 && frame->bare == world->bare && rng_percent(rng, 15);
}

static void mutate(struct rng *rng, struct frame *frame)
{
	uint32_t choice = rng_below(rng, 100);

	if (choice < 8)
		flip(rng, frame);
	if (choice >= 4 && choice < 12)
		frame->len = rng_below(rng, (uint32_t)frame->len + 1);
}

void frames_next(struct rng *rng, const struct frames_world *world, struct frame *frame)
{
	if (comes_again(rng, world, frame)) {
		if (rng_percent(rng, 10))
			flip(rng, frame);
	} else {
		bool six = rng_percent(rng, 50);

		frame->bare = world->bare;
		frame->len = frame->l3 = 0;
		if (!world->bare)
			add_ethernet(rng, frame, six ? 0x86dd : 0x0800);
		if (six)
			add_ipv6(rng, world, frame);
		else
			add_ipv4(rng, world, frame);
		add_tcp(rng, world, frame);
		complete(rng, frame, six);
		mutate(rng, frame);
	}
	if (!world->jumbo && frame->len > ONE_BUFFER)
		frame->len = ONE_BUFFER;
}
