/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/country.h"

#include "base/addr.h"

#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAX_SIZE (512ULL << 20) /* bytes of a database: several times the largest one with cities */
#define MAX_READS 3 /* of a file that changes while it is read */

struct rg_country_db {
	MMDB_s db;
};

/* Copies a whole file. -EFBIG: more than MAX_SIZE bytes; or -errno. */
static int copy_file(int from, int to)
{
	RG_CLEANUP_FREE char *buffer = malloc(1 << 20);
	unsigned long long size = 0;
	ssize_t len;

	if (!buffer)
		return -ENOMEM;
	while ((len = read(from, buffer, 1 << 20)) > 0) {
		size += (unsigned long long)len;
		if (size > MAX_SIZE)
			return -EFBIG;
		for (ssize_t at = 0, put; at < len; at += put) {
			put = write(to, buffer + at, (size_t)(len - at));
			if (put <= 0)
				return put < 0 ? -errno : -EIO;
		}
	}
	return len < 0 ? -errno : 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* One copy. -EAGAIN: the file changed while it was read. Returns a descriptor or -errno. */
static int copy_once(const char *path)
{
	/* O_NONBLOCK: the open of a FIFO would wait for its writer. */
	RG_CLEANUP_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat before, after;
	int copy, err;

	if (from < 0 || fstat(from, &before))
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EINVAL;
	if ((unsigned long long)before.st_size > MAX_SIZE)
		return -EFBIG;
	copy = memfd_create("repgate-country", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0)
		return -errno;
	err = copy_file(from, copy);
	if (!err && fstat(from, &after))
		err = -errno;
	if (!err && !same_file(&before, &after))
		err = -EAGAIN;
	if (!err && fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		err = -errno;
	if (!err)
		return copy;
	close(copy);
	return err;
}

/*
 * A copy of the file in memory that nobody can change. A lookup in a mapping of the file itself would end
 * the agent (SIGBUS) if somebody truncated the file. Returns a descriptor or -errno.
 */
static int open_copy(const char *path)
{
	int fd = -EAGAIN;

	for (int i = 0; fd == -EAGAIN && i < MAX_READS; i++)
		fd = copy_once(path);
	return fd;
}

static const char *copy_error(int err)
{
	return err == -EAGAIN ? "it changes while it is read" :
	       err == -EFBIG  ? "larger than 512 MB" :
	       err == -EINVAL ? "not a regular file" :
				strerror(-err);
}

int rg_country_db_new(struct rg_country_db **ret, const char *path, struct rg_error *error)
{
	RG_CLEANUP_CLOSE int copy = open_copy(path);
	struct rg_country_db *country_db;
	char name[40];
	int status;

	if (copy < 0)
		return rg_fail(error, -EINVAL, "%s: %s", path, copy_error(copy));
	country_db = calloc(1, sizeof(*country_db));
	if (!country_db)
		return rg_fail(error, -ENOMEM, "out of memory");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
	status = MMDB_open(name, MMDB_MODE_MMAP, &country_db->db);
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

size_t rg_country_db_find_own(const struct rg_country_db *country_db,
			      const struct rg_own_networks *own,
			      struct rg_country_own found[RG_COUNTRY_OWN_MAX])
{
	size_t count = 0, at;
	char code[3];

	for (size_t i = 0; i < own->count && count < RG_COUNTRY_OWN_MAX; i++) {
		if (!rg_country_db_find(country_db, &own->all[i].prefix.addr, code))
			continue;
		for (at = 0; at < count && strcasecmp(found[at].code, code) != 0; at++)
			;
		if (at < count)
			continue;
		memcpy(found[count].code, code, sizeof(code));
		found[count++].own = &own->all[i];
	}
	return count;
}
