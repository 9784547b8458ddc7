/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers that a compromised agent may send to root's terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "ctl/ctl_answer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static json_t *read_text(const char *text, size_t size)
{
	int ends[2];
	struct rg_ctl_reader reader = {};
	json_t *answer;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, size), size);
	close(ends[1]);
	reader.fd = ends[0];
	answer = rg_ctl_answer_read(&reader);
	rg_ctl_answer_close(&reader);
	return answer;
}

static void test_control_characters(void **state)
{
	static const struct {
		const char *line, *clean; /* NULL: no answer */
	} rows[] = {
		{ "{\"a\":\"plain \xc3\xa4\"}\n", "{\"a\":\"plain \xc3\xa4\"}" },
		{ "{\"a\":\"x\\u001b[2Jy\"}\n", "{\"a\":\"x?[2Jy\"}" },
		{ "{\"a\":[{\"b\":\"\\u0007\\n\\u007f\"}]}\n", "{\"a\":[{\"b\":\"???\"}]}" },
		{ "[\"\\u009b31m\"]\n", "[\"??31m\"]" },
		{ "{\"\\u001b]0;x\":1,\"b\":2}\n", "{\"b\":2}" },
		{ "{\"a\":1}", NULL }, /* the agent ended in the middle */
		{ "\n", NULL },
		{ "nonsense\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *answer = read_text(rows[i].line, strlen(rows[i].line));
		char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

		if (rows[i].clean)
			assert_string_equal(text, rows[i].clean);
		else
			assert_null(answer);
		free(text);
		json_decref(answer);
	}
}

/* An answer without an end does not take all memory. */
static void test_endless(void **state)
{
	struct rg_ctl_reader reader = { .fd = open("/dev/zero", O_RDONLY) };

	(void)state;
	assert_true(reader.fd >= 0);
	assert_null(rg_ctl_answer_read(&reader));
	rg_ctl_answer_close(&reader);
}

/* Lines may come in pieces, or several at once. */
static void test_pieces(void **state)
{
	static const char *const pieces[] = { "[1", "]\n[2]\n[", "3]", "\n" };
	int ends[2];
	struct rg_ctl_reader reader = {};
	pid_t writer;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	writer = fork();
	assert_true(writer >= 0);
	if (!writer) {
		for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
			(void)!write(ends[1], pieces[i], strlen(pieces[i]));
			usleep(1000);
		}
		_exit(0);
	}
	close(ends[1]);
	reader.fd = ends[0];
	for (int i = 1; i <= 3; i++) {
		json_t *line = rg_ctl_answer_read(&reader);

		assert_int_equal(json_integer_value(json_array_get(line, 0)), i);
		json_decref(line);
	}
	assert_null(rg_ctl_answer_read(&reader));
	rg_ctl_answer_close(&reader);
	waitpid(writer, NULL, 0);
}

/* An agent that does not run, or may not be asked: the error says which. */
static void test_no_agent(void **state)
{
	char directory[] = "/tmp/test_ctl_answer.XXXXXX", path[64];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct rg_error error;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	assert_int_equal(rg_ctl_answer_connect(path, &error), -ENOENT);
	assert_non_null(
		strstr(error.text, "/socket: No such file or directory: repgated does not run"));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(rg_ctl_answer_connect(path, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "/socket: Connection refused: repgated does not run"));
	close(fd);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_no_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
