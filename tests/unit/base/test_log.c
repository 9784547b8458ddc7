/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the log on standard error, with and without journald. journald itself is a fake. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/util.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

static FILE *file; /* is standard error */
static int standard_error;
static char text[8192];

/* ---- journald ---- */

static char sent[8192]; /* fields, a line each */
static int send_error;

/* The macro sd_journal_sendv() calls it. */
int sd_journal_sendv_with_location(const char *from, const char *line, const char *func,
				   const struct iovec *vectors, int count)
{
	(void)from;
	(void)line;
	(void)func;
	*sent = '\0';
	if (send_error)
		return send_error;
	for (int i = 0; i < count; i++) {
		strncat(sent, vectors[i].iov_base, vectors[i].iov_len);
		strcat(sent, "\n");
	}
	return 0;
}

/* ---- standard error ---- */

static int set_up(void **state)
{
	(void)state;
	fflush(stderr);
	standard_error = dup(STDERR_FILENO);
	file = tmpfile();
	if (!file || standard_error < 0 || dup2(fileno(file), STDERR_FILENO) < 0)
		return -1;
	unsetenv("JOURNAL_STREAM");
	*sent = '\0';
	send_error = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fflush(stderr);
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	return fclose(file);
}

static const char *lines(void)
{
	ssize_t len;

	fflush(stderr);
	len = pread(fileno(file), text, sizeof(text) - 1, 0);
	assert_true(len >= 0);
	text[len] = '\0';
	return text;
}

static void open_as_journal(enum rg_log_level level)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	rg_log_open(level);
}

static void log_all(void)
{
	rg_log_error("one %d", 1);
	rg_log_warning("two");
	rg_log_info("three");
	rg_log_debug("four");
}

#define ALL_LINES                                          \
	"repgated: error: one 1\nrepgated: warning: two\n" \
	"repgated: info: three\nrepgated: debug: four\n"

static void test_levels(void **state)
{
	(void)state;
	rg_log_open(RG_LOG_DEBUG);
	log_all();
	assert_string_equal(lines(), ALL_LINES);
	rg_log_open(RG_LOG_ERROR);
	assert_int_equal(rg_log_level(), RG_LOG_ERROR);
	log_all();
	assert_string_equal(lines(), ALL_LINES "repgated: error: one 1\n");
}

static void test_journal_prefixes(void **state)
{
	(void)state;
	open_as_journal(RG_LOG_DEBUG);
	log_all();
	assert_string_equal(lines(), "<3>one 1\n<4>two\n<6>three\n<7>four\n");
}

/* JOURNAL_STREAM of somebody else's standard error. */
static void test_another_stream(void **state)
{
	static const char *const streams[] = { "1:2", "x", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		setenv("JOURNAL_STREAM", streams[i], 1);
		rg_log_open(RG_LOG_INFO);
		rg_log_info("plain");
		assert_null(strchr(lines(), '<'));
	}
}

static void test_long_line(void **state)
{
	char line[3000];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	rg_log_open(RG_LOG_INFO);
	rg_log_info("%s", line);
	assert_int_equal(strlen(lines()), strlen("repgated: info: ") + 1023 + 1);
}

static void test_fields(void **state)
{
	static const struct rg_log_field fields[17] = { { "REPGATE_CLIENT", "192.0.2.1" },
							{ "REPGATE_LIST", "rbl" } };

	(void)state;
	/* Without journald, the line alone. */
	rg_log_open(RG_LOG_INFO);
	rg_log_fields(RG_LOG_INFO, "refused", fields, 2);
	assert_string_equal(lines(), "repgated: info: refused\n");
	rg_log_fields(RG_LOG_DEBUG, "not at this level", fields, 2);
	assert_string_equal(lines(), "repgated: info: refused\n");
	assert_string_equal(sent, "");

	open_as_journal(RG_LOG_INFO);
	rg_log_fields(RG_LOG_WARNING, "refused", fields, 2);
	assert_string_equal(sent, "MESSAGE=refused\nPRIORITY=4\nREPGATE_CLIENT=192.0.2.1\n"
				  "REPGATE_LIST=rbl\n");
	assert_null(strstr(lines(), "<4>"));

	/* journald takes nothing, or the fields are too many: the line alone. */
	send_error = -ENOBUFS;
	rg_log_fields(RG_LOG_WARNING, "again", fields, 2);
	assert_non_null(strstr(lines(), "<4>again\n"));
	rg_log_fields(RG_LOG_WARNING, "many", fields, 17);
	assert_non_null(strstr(lines(), "<4>many\n"));
}

static void test_names(void **state)
{
	static const struct {
		const char *text;
		int err;
		enum rg_log_level level;
	} rows[] = {
		{ "error", 0, RG_LOG_ERROR },	    { "warning", 0, RG_LOG_WARNING },
		{ "info", 0, RG_LOG_INFO },	    { "debug", 0, RG_LOG_DEBUG },
		{ "", -EINVAL, RG_LOG_ERROR },	    { "Info", -EINVAL, RG_LOG_ERROR },
		{ "info ", -EINVAL, RG_LOG_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum rg_log_level level = RG_LOG_ERROR;

		assert_int_equal(rg_log_level_parse(rows[i].text, &level), rows[i].err);
		assert_int_equal(level, rows[i].level);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_levels),    TEST(test_journal_prefixes), TEST(test_another_stream),
		TEST(test_long_line), TEST(test_fields),	   TEST(test_names),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
