/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/slot_bitmap.h"

#define WORD_BITS 64

struct rg_slot_bitmap {
	uint32_t count, taken;
	uint32_t words;
	uint32_t hint; /* the word where a search begins */
	uint64_t bits[]; /* 1: taken, or past the last */
};

int rg_slot_bitmap_new(struct rg_slot_bitmap **ret, uint32_t count)
{
	uint32_t words = count / WORD_BITS + 1;
	struct rg_slot_bitmap *slots = calloc(1, sizeof(*slots) + words * sizeof(slots->bits[0]));

	if (!slots)
		return -ENOMEM;
	slots->count = count;
	slots->words = words;
	slots->bits[words - 1] = UINT64_MAX << count % WORD_BITS;
	*ret = slots;
	return 0;
}

void rg_slot_bitmap_free(struct rg_slot_bitmap *slots)
{
	free(slots);
}

int rg_slot_bitmap_take(struct rg_slot_bitmap *slots, uint32_t *ret)
{
	if (slots->taken == slots->count)
		return -ENOSPC;
	while (!~slots->bits[slots->hint])
		slots->hint = (slots->hint + 1) % slots->words;
	*ret = slots->hint * WORD_BITS + (uint32_t)__builtin_ctzll(~slots->bits[slots->hint]);
	slots->bits[slots->hint] |= 1ULL << *ret % WORD_BITS;
	slots->taken++;
	return 0;
}

bool rg_slot_bitmap_claim(struct rg_slot_bitmap *slots, uint32_t slot)
{
	if (slot >= slots->count || rg_slot_bitmap_is_taken(slots, slot))
		return false;
	slots->bits[slot / WORD_BITS] |= 1ULL << slot % WORD_BITS;
	slots->taken++;
	return true;
}

bool rg_slot_bitmap_is_taken(const struct rg_slot_bitmap *slots, uint32_t slot)
{
	return slot < slots->count && (slots->bits[slot / WORD_BITS] >> slot % WORD_BITS & 1);
}

void rg_slot_bitmap_release(struct rg_slot_bitmap *slots, uint32_t slot)
{
	if (!rg_slot_bitmap_is_taken(slots, slot))
		return;
	slots->bits[slot / WORD_BITS] &= ~(1ULL << slot % WORD_BITS);
	slots->taken--;
	/* In a full bitmap the next search begins at the free slot. */
	slots->hint = slot / WORD_BITS;
}

uint32_t rg_slot_bitmap_taken(const struct rg_slot_bitmap *slots)
{
	return slots->taken;
}
