/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS answers from any bytes: the first octet chooses a response code, the rest is the message.
 * `make fuzz-dns` builds it and runs it.
 */
#include "dnsbl/dns_message.h"
#include "proto/dnsbl_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void check(const struct rg_dns_answer *answer)
{
	struct rg_dnsbl_codes codes = {};
	uint32_t code = 0;

	must(answer->status < RG_DNS_STATUS_MAX, "status");
	must(answer->count <= RG_DNS_MAX_RECORDS, "more records than there is room for");
	must((answer->status == RG_DNS_OK) == (answer->count > 0),
	     "records without OK, or OK without");
	must(!answer->has_ttl || answer->status == RG_DNS_OK || answer->status == RG_DNS_NONE,
	     "a TTL of a failure");
	must(answer->status != RG_DNS_OK || answer->has_ttl, "records without a TTL");
	rg_dnsbl_codes_default(&codes);
	if (rg_dnsbl_match(&codes, answer->records, answer->count, &code) == RG_LISTED)
		must(code >> 24 == 127, "listed by an address outside 127/8");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t codes[] = { 0, 0, 0, 0, 3, 2, 5, 1 };
	struct rg_dns_answer answer;
	uint8_t *message;

	if (!size)
		return 0;
	message = malloc(size > 1 ? size - 1 : 1); /* of its own, so that ASan sees its end */
	if (!message)
		return 0;
	memcpy(message, data + 1, size - 1);
	if (size > 4)
		message[3] = (uint8_t)((message[3] & 0xf0) | codes[data[0] & 7]);
	rg_dns_message_read(message, size - 1, &answer);
	check(&answer);
	free(message);
	return 0;
}
