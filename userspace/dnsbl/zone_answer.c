/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/zone_answer.h"

struct rg_zone_answer rg_zone_answer_read(const struct rg_dnsbl_codes *codes,
					  const struct rg_dns_answer *answer)
{
	struct rg_zone_answer ret = { .meaning = RG_ZONE_SAYS_NOTHING };

	if (answer->status == RG_DNS_NONE)
		ret.meaning = RG_ZONE_SAYS_NOT_LISTED;
	if (answer->status != RG_DNS_OK)
		return ret;
	switch (rg_dnsbl_match(codes, answer->records, answer->count, &ret.code)) {
	case RG_LISTED:
		ret.meaning = RG_ZONE_SAYS_LISTED;
		break;
	case RG_LIST_BROKEN:
		ret.meaning = RG_ZONE_SAYS_ERROR;
		break;
	default:
		ret.meaning = RG_ZONE_SAYS_OTHER;
		break;
	}
	return ret;
}
