/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/country.h"

#include "base/addr.h"

#include <maxminddb.h>
#include <netinet/in.h>

struct rg_country_db {
	MMDB_s db;
};

int rg_country_db_new(struct rg_country_db **ret, const char *path, struct rg_error *error)
{
	struct rg_country_db *country_db = calloc(1, sizeof(*country_db));
	int status;

	if (!country_db)
		return rg_fail(error, -ENOMEM, "out of memory");
	status = MMDB_open(path, MMDB_MODE_MMAP, &country_db->db);
	if (status != MMDB_SUCCESS) {
		free(country_db);
		return rg_fail(error, -EINVAL, "%s: %s", path, MMDB_strerror(status));
	}
	*ret = country_db;
	return 0;
}

void rg_country_db_free(struct rg_country_db *country_db)
{
	if (!country_db)
		return;
	MMDB_close(&country_db->db);
	free(country_db);
}

static void to_sockaddr(const struct rg_addr *addr, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (rg_addr_is_v4(addr)) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, addr->bytes + RG_ADDR_V4_OFFSET, sizeof(in->sin_addr));
	} else {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, addr, sizeof(in6->sin6_addr));
	}
}

bool rg_country_db_find(const struct rg_country_db *country_db, const struct rg_addr *addr,
			char code[3])
{
	/* The free databases have a flat record, MaxMind's own a nested one. */
	static const char *const paths[][3] = { { "country_code", NULL, NULL },
						{ "country", "iso_code", NULL } };
	struct sockaddr_storage address;
	MMDB_lookup_result_s result;
	int error;

	to_sockaddr(addr, &address);
	result = MMDB_lookup_sockaddr(&country_db->db, (const struct sockaddr *)&address, &error);
	if (error != MMDB_SUCCESS || !result.found_entry)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		MMDB_entry_data_s data;

		if (MMDB_aget_value(&result.entry, &data, paths[i]) != MMDB_SUCCESS ||
		    !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
			continue;
		memcpy(code, data.utf8_string, 2);
		code[2] = '\0';
		return true;
	}
	return false;
}
