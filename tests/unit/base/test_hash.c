/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-1-3, against a plain one that is itself checked with the vectors of its authors. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"

#include <sys/random.h>

#define LENGTHS 70

static unsigned int draws;

/* The key of the vectors: 00 01 02 ... 0f. A signal interrupts the first draw. */
ssize_t getrandom(void *buffer, size_t len, unsigned int flags)
{
	assert_int_equal(len, 16);
	assert_int_equal(flags, 0);
	if (!draws++) {
		errno = EINTR;
		return -1;
	}
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buffer)[i] = (uint8_t)i;
	return (ssize_t)len;
}

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void rounds(uint64_t v[4], int count)
{
	while (count--) {
		v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
		v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
	}
}

/* SipHash-c-d with that key. */
static uint64_t plain(const uint8_t *bytes, size_t len, int c, int d)
{
	uint64_t v[4] = { 0x736f6d6570736575ULL ^ 0x0706050403020100ULL,
			  0x646f72616e646f6dULL ^ 0x0f0e0d0c0b0a0908ULL,
			  0x6c7967656e657261ULL ^ 0x0706050403020100ULL,
			  0x7465646279746573ULL ^ 0x0f0e0d0c0b0a0908ULL };
	size_t words = len / 8 + 1;

	for (size_t i = 0; i < words; i++) {
		uint64_t word = i == words - 1 ? (uint64_t)len << 56 : 0;

		for (size_t j = 0; j < 8 && 8 * i + j < len; j++)
			word |= (uint64_t)bytes[8 * i + j] << 8 * j;
		v[3] ^= word;
		rounds(v, c);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void test_vectors(void **state)
{
	uint8_t bytes[LENGTHS];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	/* The paper's, of SipHash-2-4. */
	assert_int_equal(plain(bytes, 15, 2, 4), 0xa129ca6149be45e5ULL);
	for (size_t len = 0; len <= sizeof(bytes); len++)
		assert_int_equal(rg_hash(bytes, len), plain(bytes, len, 1, 3));
}

/* Drawn once, again if it fails. */
static void test_key(void **state)
{
	const uint64_t *key = rg_hash_key();

	(void)state;
	assert_int_equal(key[1], 0x0f0e0d0c0b0a0908ULL);
	assert_ptr_equal(rg_hash_key(), key);
	assert_int_equal(draws, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
