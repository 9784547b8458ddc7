/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files from any bytes: three parts with a NUL between them: repgate.conf,
 * repgate.saved.conf, and "key=value" for `repgatectl set`.
 */
#include "config/live.h"

#include <fcntl.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/*
 * libconfig 1.5 loses the string that it was reading at a syntax error. With -detect_leaks=0 there
 * are twenty times as many runs.
 */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

#define SECRET "zqxjkvbwpyzqxj" /* an activation code, as a systemd credential */

static char directory[64], conf_path[80], saved_path[80], code_path[80];

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "can't write a file");
	close(fd);
}

static void remove_files(void)
{
	(void)unlink(conf_path);
	(void)unlink(saved_path);
	(void)unlink(code_path);
	(void)rmdir(directory);
}

static void make_directory(void)
{
	if (*directory)
		return;
	strcpy(directory, "/dev/shm/fuzz_config.XXXXXX");
	must(mkdtemp(directory) != NULL, "no directory");
	snprintf(conf_path, sizeof(conf_path), "%s/repgate.conf", directory);
	snprintf(saved_path, sizeof(saved_path), "%s/repgate.saved.conf", directory);
	snprintf(code_path, sizeof(code_path), "%s/activation-code", directory);
	write_file(code_path, (const uint8_t *)SECRET, strlen(SECRET));
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	atexit(remove_files);
}

/* The fuzzer sees what is compared, and soon writes the secret itself. */
static bool knows_secret(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + strlen(SECRET) <= size; i++)
		if (!strncasecmp((const char *)data + i, SECRET, strlen(SECRET)))
			return true;
	return false;
}

static void check(const struct rg_conf *conf)
{
	must(conf->references == 1, "references");
	must(conf->interface_count && conf->interface_count <= RG_MAX_INTERFACES, "interfaces");
	must(conf->port_count && conf->port_count <= RG_MAX_PORTS, "ports");
	must(conf->zone_count <= RG_MAX_ZONES, "zones");
	must(conf->ipv6_prefix && conf->ipv6_prefix <= RG_ADDR_BITS, "ipv6_prefix");
	must(conf->clean_ttl_min <= conf->clean_ttl_max, "clean_ttl");
	must(conf->tag_dscp < 64, "tag_dscp");
	must(!rg_conf_needs_restart(conf, conf), "it differs from itself");
	for (unsigned int i = 0; i < conf->zone_count; i++) {
		const struct rg_zone_conf *zone = &conf->zones[i];

		must(memchr(zone->alias, '\0', sizeof(zone->alias)) && *zone->alias, "alias");
		must(zone->suffix && *zone->suffix, "suffix");
		must(zone->ttl_min <= zone->ttl_max, "bounds of TTLs");
		must(zone->codes.count && zone->codes.count <= RG_MAX_CODES, "codes");
		must(rg_conf_same_zone(zone, zone), "a zone is not itself");
		must(rg_conf_find_zone(conf, zone) != NULL, "a zone is not found");
	}
}

/* key=value */
static void set(struct rg_conf *conf, const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *value = text ? strchr(text, '=') : NULL;
	struct rg_error error = {};

	if (value) {
		*value++ = '\0';
		if (rg_live_set(conf, text, value, &error))
			must(*error.text, "refused without a reason");
		check(conf);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *saved = memchr(data, '\0', size), *key = NULL;
	struct rg_error error = {};
	struct rg_conf *conf = NULL;

	make_directory();
	if (saved)
		key = memchr(saved + 1, '\0', (size_t)(end - saved - 1));
	write_file(conf_path, data, (size_t)((saved ? saved : end) - data));
	if (saved)
		write_file(saved_path, saved + 1, (size_t)((key ? key : end) - saved - 1));
	else
		(void)unlink(saved_path);
	if (rg_conf_load(&conf, conf_path, &error)) {
		must(!conf && *error.text, "refused without a reason");
		must(knows_secret(data, size) || !strcasestr(error.text, SECRET),
		     "the secret is shown");
		return 0;
	}
	check(conf);
	if (key)
		set(conf, key + 1, (size_t)(end - key - 1));
	rg_conf_unref(conf);
	return 0;
}
