/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdict_keys.h"

#include "base/addr.h"

#define CHUNK 256 /* numbers; all work on one chunk is bounded by it */
#define WORD_BITS 64
#define NO_INDEX UINT32_MAX

/* A chunk exists as long as one of its numbers has a key. */
struct chunk {
	uint32_t count; /* numbers with a key */
	uint32_t other_size, other_count; /* of others: allocated, in use */
	uint32_t free; /* the first free one of others, or NO_INDEX */
	uint64_t known[CHUNK / WORD_BITS]; /* 1: has a key */
	uint64_t is_other[CHUNK / WORD_BITS]; /* 1: the key is in others */
	uint64_t fresh[CHUNK / WORD_BITS];
	uint32_t words[CHUNK]; /* the IPv4 address, or an index into others */
	struct rg_prefix *others; /* the len of a free one is the index of the next free one */
};

struct rg_verdict_keys {
	uint32_t chunk_count;
	size_t count;
	struct chunk *chunks[]; /* NULL: none of its numbers has a key */
};

int rg_verdict_keys_new(struct rg_verdict_keys **ret, uint32_t count)
{
	uint32_t chunks = count / CHUNK + 1;
	struct rg_verdict_keys *keys = calloc(1, sizeof(*keys) + chunks * sizeof(keys->chunks[0]));

	if (!keys)
		return -ENOMEM;
	keys->chunk_count = chunks;
	*ret = keys;
	return 0;
}

static void free_chunk(struct chunk *chunk)
{
	if (chunk)
		free(chunk->others);
	free(chunk);
}

void rg_verdict_keys_free(struct rg_verdict_keys *keys)
{
	if (!keys)
		return;
	for (uint32_t i = 0; i < keys->chunk_count; i++)
		free_chunk(keys->chunks[i]);
	free(keys);
}

/* ---- a chunk; at: the number within it ---- */

static bool is_set(const uint64_t *bits, uint32_t at)
{
	return bits[at / WORD_BITS] >> at % WORD_BITS & 1;
}

static void set_bit(uint64_t *bits, uint32_t at, bool on)
{
	uint64_t bit = 1ULL << at % WORD_BITS;

	bits[at / WORD_BITS] = on ? bits[at / WORD_BITS] | bit : bits[at / WORD_BITS] & ~bit;
}

static bool is_host4(const struct rg_prefix *key)
{
	return key->len == RG_ADDR_BITS && rg_addr_is_v4(&key->addr);
}

/* Room for one more of others. 0 or -ENOMEM. */
static int grow_others(struct chunk *chunk)
{
	uint32_t size = chunk->other_size ? chunk->other_size * 2 : 4;
	struct rg_prefix *others;

	if (chunk->free != NO_INDEX)
		return 0;
	others = reallocarray(chunk->others, size, sizeof(*others));
	if (!others)
		return -ENOMEM;
	for (uint32_t i = chunk->other_size; i < size; i++)
		others[i].len = i + 1 < size ? i + 1 : NO_INDEX;
	chunk->free = chunk->other_size;
	chunk->others = others;
	chunk->other_size = size;
	return 0;
}

static void forget_key(struct chunk *chunk, uint32_t at)
{
	if (!is_set(chunk->known, at))
		return;
	if (is_set(chunk->is_other, at)) {
		chunk->others[chunk->words[at]].len = chunk->free;
		chunk->free = chunk->words[at];
		chunk->other_count--;
	}
	if (!chunk->other_count && chunk->others) {
		free(chunk->others);
		chunk->others = NULL;
		chunk->other_size = 0;
		chunk->free = NO_INDEX;
	}
	set_bit(chunk->known, at, false);
	set_bit(chunk->is_other, at, false);
	chunk->count--;
}

/* There is room. */
static void note_key(struct chunk *chunk, uint32_t at, const struct rg_prefix *key)
{
	bool other = !is_host4(key);

	if (other) {
		uint32_t index = chunk->free;

		chunk->free = chunk->others[index].len;
		chunk->others[index] = *key;
		chunk->words[at] = index;
		chunk->other_count++;
	} else {
		memcpy(&chunk->words[at], key->addr.bytes + RG_ADDR_V4_OFFSET, sizeof(uint32_t));
	}
	set_bit(chunk->known, at, true);
	set_bit(chunk->is_other, at, other);
	set_bit(chunk->fresh, at, true);
	chunk->count++;
}

static struct rg_prefix key_at(const struct chunk *chunk, uint32_t at)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr.bytes = { [10] = 0xff, [11] = 0xff } };

	if (is_set(chunk->is_other, at))
		return chunk->others[chunk->words[at]];
	memcpy(key.addr.bytes + RG_ADDR_V4_OFFSET, &chunk->words[at], sizeof(uint32_t));
	return key;
}

/* ---- all ---- */

static const struct chunk *find_chunk(const struct rg_verdict_keys *keys, uint32_t number)
{
	return number / CHUNK < keys->chunk_count ? keys->chunks[number / CHUNK] : NULL;
}

int rg_verdict_keys_set(struct rg_verdict_keys *keys, uint32_t number, const struct rg_prefix *key)
{
	uint32_t at = number % CHUNK;
	struct chunk **chunk;

	if (number / CHUNK >= keys->chunk_count)
		return -ERANGE;
	chunk = &keys->chunks[number / CHUNK];
	if (!*chunk) {
		*chunk = calloc(1, sizeof(**chunk));
		if (!*chunk)
			return -ENOMEM;
		(*chunk)->free = NO_INDEX;
	}
	if (!is_host4(key) && grow_others(*chunk)) {
		if (!(*chunk)->count) {
			free_chunk(*chunk);
			*chunk = NULL;
		}
		return -ENOMEM;
	}
	keys->count += !is_set((*chunk)->known, at);
	if (is_set((*chunk)->known, at)) {
		(*chunk)->other_count++; /* the room that was made stays */
		forget_key(*chunk, at);
		(*chunk)->other_count--;
	}
	note_key(*chunk, at, key);
	return 0;
}

void rg_verdict_keys_clear(struct rg_verdict_keys *keys, uint32_t number)
{
	uint32_t at = number % CHUNK;
	struct chunk **chunk;

	if (!find_chunk(keys, number) || !is_set(keys->chunks[number / CHUNK]->known, at))
		return;
	chunk = &keys->chunks[number / CHUNK];
	forget_key(*chunk, at);
	keys->count--;
	if ((*chunk)->count)
		return;
	free_chunk(*chunk);
	*chunk = NULL;
}

bool rg_verdict_keys_get(const struct rg_verdict_keys *keys, uint32_t number, struct rg_prefix *ret)
{
	const struct chunk *chunk = find_chunk(keys, number);

	if (!chunk || !is_set(chunk->known, number % CHUNK))
		return false;
	*ret = key_at(chunk, number % CHUNK);
	return true;
}

bool rg_verdict_keys_next(const struct rg_verdict_keys *keys, uint32_t *number)
{
	for (uint32_t i = *number / CHUNK, at = *number % CHUNK; i < keys->chunk_count; i++, at = 0)
		for (; keys->chunks[i] && at < CHUNK; at++)
			if (is_set(keys->chunks[i]->known, at)) {
				*number = i * CHUNK + at;
				return true;
			}
	return false;
}

size_t rg_verdict_keys_count(const struct rg_verdict_keys *keys)
{
	return keys->count;
}

void rg_verdict_keys_age(struct rg_verdict_keys *keys)
{
	for (uint32_t i = 0; i < keys->chunk_count; i++)
		if (keys->chunks[i])
			memset(keys->chunks[i]->fresh, 0, sizeof(keys->chunks[i]->fresh));
}

bool rg_verdict_keys_is_fresh(const struct rg_verdict_keys *keys, uint32_t number)
{
	const struct chunk *chunk = find_chunk(keys, number);

	return chunk && is_set(chunk->fresh, number % CHUNK);
}
