/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the configuration share: files in a directory of their own. */
#ifndef REPGATE_TESTS_CONFIG_FILES_H
#define REPGATE_TESTS_CONFIG_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/live.h"

#include <cmocka.h>
#include <dirent.h>

#define CODE "AB-CDEF-GHIJ-KLMN"
#define LABEL "abcdefghijklmn"

#define IF "interfaces = [ \"eth0\" ];\n"
#define ZONES                                                    \
	"zones = { a = { suffix = \"a.b\"; kind = \"qil\"; };\n" \
	"b = { suffix = \"b.b\"; kind = \"standard\"; };\n"      \
	"c = { suffix = \"c.b\"; kind = \"allow\"; }; };\n"

static char dir[] = "/tmp/repgate-test-config-XXXXXX";

/* The path of a file of the test's; valid until the next call. */
static inline const char *path_of(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static inline void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* Loads text as repgate.conf. */
static inline int load(const char *text, struct rg_conf **conf, struct rg_error *error)
{
	write_file("repgate.conf", text);
	return rg_conf_load(conf, path_of("repgate.conf"), error);
}

/* The same, which has to succeed. */
static inline struct rg_conf *loaded(const char *text)
{
	struct rg_error error;
	struct rg_conf *conf;

	if (load(text, &conf, &error))
		fail_msg("%s\n%s", error.text, text);
	return conf;
}

/* The whole of a file, which the caller frees. */
static inline char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	assert_true(getdelim(&text, &size, '\0', file) >= 0);
	fclose(file);
	return text;
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;

	(void)state;
	while (stream && (entry = readdir(stream)))
		(void)unlink(path_of(entry->d_name));
	if (stream)
		closedir(stream);
	return rmdir(dir);
}

#endif
