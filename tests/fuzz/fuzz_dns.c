/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS answers from any bytes, as c-ares hands them on: the first octet chooses its status, the rest
 * is the message. dns.c is included, as its reader of answers is nobody else's business.
 *
 * clang -g -O2 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
 *	-fno-sanitize-recover=undefined tests/fuzz/fuzz_dns.c userspace/{dnsbl,addr}.c -o fuzz_dns \
 *	-lcares -levent_core
 * fuzz_dns -max_len=1500 -dict=tests/fuzz/dns.dict NEW_DIRECTORY tests/fuzz/corpus_dns
 */
#include "dnsbl/dns.c" /* NOLINT: see above */

#include "proto/dnsbl_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void check(const struct rg_dns_answer *answer, const uint8_t *message, size_t len)
{
	struct rg_dnsbl_codes codes = {};
	uint32_t code = 0, ttl;

	must(answer->status < RG_DNS_STATUS_MAX, "status");
	must(answer->count <= RG_DNS_MAX_RECORDS, "more records than there is room for");
	must((answer->status == RG_DNS_OK) == (answer->count > 0),
	     "records without OK, or OK without");
	if (answer->status == RG_DNS_NONE && answer->has_ttl)
		must(rg_dns_negative_ttl(message, len, &ttl) && ttl == answer->ttl, "negative TTL");
	rg_dnsbl_codes_default(&codes);
	if (rg_dnsbl_match(&codes, answer->records, answer->count, &code) == RG_LISTED)
		must(code >> 24 == 127, "listed by an address outside 127/8");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { ARES_SUCCESS,	ARES_SUCCESS,	ARES_SUCCESS,  ARES_ENODATA,
					ARES_ENOTFOUND, ARES_ESERVFAIL, ARES_EREFUSED, ARES_EBADRESP };
	struct rg_dns_answer answer;
	unsigned char *message;

	if (!size)
		return 0;
	message = malloc(size > 1 ? size - 1 : 1); /* of its own, so that ASan sees its end */
	if (!message)
		return 0;
	memcpy(message, data + 1, size - 1);
	read_answer(&answer, statuses[data[0] & 7], message, (int)(size - 1));
	check(&answer, message, size - 1);
	free(message);
	return 0;
}
